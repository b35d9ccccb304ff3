//! The two offsets of a log that its segments do not tell: where it starts, and up to where it was compacted.
//!
//! ```text
//! log.checkpoint, big endian, version 1: "MSC1" | log_start_offset i64 | first_dirty_offset i64 | crc32c u32
//! ```
//!
//! Invariant: replaced atomically and durable before any file of a segment below `log_start_offset` goes.

use crate::error::LogError;
use crate::framed;
use mainstem_core::disk::Disk;

const MAGIC: [u8; 4] = *b"MSC1";
const NAME: &str = "log.checkpoint";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Checkpoint {
    /// Records below are gone.
    pub(crate) log_start_offset: i64,
    /// Records below were compacted, so that offsets may be missing there.
    pub(crate) first_dirty_offset: i64,
}

impl Checkpoint {
    pub(crate) fn store(&self, disk: &dyn Disk, folder: &str) -> Result<(), LogError> {
        let mut out = framed::begin(MAGIC);
        out.extend_from_slice(&self.log_start_offset.to_be_bytes());
        out.extend_from_slice(&self.first_dirty_offset.to_be_bytes());
        framed::replace_file(disk, folder, NAME, &framed::seal(out))
    }

    /// `Ok(None)` if there is none; `Ok(Some(None))` if it is damaged.
    pub(crate) fn load(disk: &dyn Disk, folder: &str) -> Result<Option<Option<Self>>, LogError> {
        let bytes = framed::read_file(disk, &format!("{folder}/{NAME}"))?;
        Ok(bytes.map(|bytes| Self::decode(&bytes)))
    }

    fn decode(file: &[u8]) -> Option<Self> {
        let mut fields = framed::open(MAGIC, file)?;
        let checkpoint =
            Self { log_start_offset: fields.i64()?, first_dirty_offset: fields.i64()? };
        fields.end()?;
        Some(checkpoint)
    }
}
