//! What was cut off a log while it was opened, until somebody was told.
//!
//! ```text
//! log.cut, big endian, version 1: "MSK1" | cut_bytes u64 | what there is to say, UTF-8 | crc32c u32
//! ```
//!
//! Invariant: durable before the first byte goes. A start that fails, or a crash, after the cut leaves a log that looks whole: the
//! next one would have nothing to say, and a journal that lost entries would pass for one that never had them. The note goes when
//! the owner says that it has told ([`Log::cut_is_told`](crate::Log::cut_is_told)); until then every opening tells again.

use crate::error::{DiskContext, LogError};
use crate::framed;
use mainstem_core::disk::Disk;

const MAGIC: [u8; 4] = *b"MSK1";
const NAME: &str = "log.cut";
/// Who cuts again and again without telling repeats itself.
const SAID_BYTES_MAX: usize = 16 << 10;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CutNote {
    pub(crate) cut_bytes: u64,
    pub(crate) said: String,
}

impl CutNote {
    /// Adds a cut, of which `place` stands in `said`; false if one there was noted, and perhaps not done to its end.
    pub(crate) fn add(&mut self, cut_bytes: u64, place: &str, said: &str) -> bool {
        if self.said.contains(place) {
            return false;
        }
        self.cut_bytes += cut_bytes;
        if self.said.len() + said.len() <= SAID_BYTES_MAX {
            let between = if self.said.is_empty() { "" } else { "; " };
            self.said.push_str(between);
            self.said.push_str(said);
        }
        true
    }

    pub(crate) fn store(&self, disk: &dyn Disk, folder: &str) -> Result<(), LogError> {
        let mut out = framed::begin(MAGIC);
        out.extend_from_slice(&self.cut_bytes.to_be_bytes());
        out.extend_from_slice(self.said.as_bytes());
        framed::replace_file(disk, folder, NAME, &framed::seal(out))
    }

    /// One that is damaged still says that there was a cut.
    pub(crate) fn load(disk: &dyn Disk, folder: &str) -> Result<Option<Self>, LogError> {
        let path = format!("{folder}/{NAME}");
        let Some(file) = framed::read_file(disk, &path)? else { return Ok(None) };
        let damaged =
            || Self { cut_bytes: 1, said: format!("{path}, the note of a cut, is damaged") };
        Ok(Some(Self::decode(&file).unwrap_or_else(damaged)))
    }

    fn decode(file: &[u8]) -> Option<Self> {
        let mut fields = framed::open(MAGIC, file)?;
        let cut_bytes = fields.u64()?;
        let said = String::from_utf8(fields.rest().to_vec()).ok()?;
        Some(Self { cut_bytes, said })
    }

    /// Removes the note durably: one that came back would make the loss of a moment ago one of today.
    pub(crate) fn remove(disk: &dyn Disk, folder: &str) -> Result<(), LogError> {
        framed::remove_file(disk, &format!("{folder}/{NAME}"))?;
        disk.sync_folder(folder).doing("syncing", folder)
    }
}
