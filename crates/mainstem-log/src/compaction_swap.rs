//! The swap of compacted segments for their sources, all or nothing.
//!
//! ```text
//! compaction.swap, big endian, version 1
//! "MSW1" | first_dirty_offset i64 | output_count u32 | base_offset i64* | source_count u32 | base_offset i64* | crc32c u32
//! ```
//!
//! Outputs lie ready, synced, as `NNN.log.cleaned` and `NNN.index.cleaned`. When this file is durable, the swap is decided; from
//! then on only [`complete_swap`] goes on, now or at the next open, and it may be begun any number of times. Without the file,
//! leftovers named `.cleaned` are removed at open. Invariant: readers of the folder never see a part of a swap.

use crate::checkpoint::Checkpoint;
use crate::error::{DiskContext, LogError};
use crate::framed;
use crate::replay::Site;
use crate::segment::{index_path, log_path};
use std::io;

const MAGIC: [u8; 4] = *b"MSW1";
const NAME: &str = "compaction.swap";

/// What a decided swap does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Swap {
    pub(crate) first_dirty_offset: i64,
    pub(crate) outputs: Vec<i64>,
    pub(crate) sources: Vec<i64>,
}

/// The name of a file that is not in its place yet.
pub(crate) fn cleaned(path: &str) -> String {
    format!("{path}.cleaned")
}

impl Swap {
    fn encode(&self) -> Vec<u8> {
        let mut out = framed::begin(MAGIC);
        out.extend_from_slice(&self.first_dirty_offset.to_be_bytes());
        for bases in [&self.outputs, &self.sources] {
            out.extend_from_slice(&(bases.len() as u32).to_be_bytes());
            bases.iter().for_each(|base| out.extend_from_slice(&base.to_be_bytes()));
        }
        framed::seal(out)
    }

    fn decode(file: &[u8]) -> Option<Self> {
        let mut fields = framed::open(MAGIC, file)?;
        let first_dirty_offset = fields.i64()?;
        let mut bases = || {
            let count = fields.count(8)?;
            (0..count).map(|_| fields.i64()).collect::<Option<Vec<i64>>>()
        };
        let (outputs, sources) = (bases()?, bases()?);
        fields.end()?;
        Some(Self { first_dirty_offset, outputs, sources })
    }

    /// The point of no return.
    pub(crate) fn decide(&self, site: &Site<'_>) -> Result<(), LogError> {
        framed::replace_file(site.disk, site.folder, NAME, &self.encode())
    }
}

/// Completes a swap if one was decided.
pub(crate) fn complete_swap(site: &Site<'_>) -> Result<(), LogError> {
    let path = format!("{}/{NAME}", site.folder);
    let Some(bytes) = framed::read_file(site.disk, &path)? else { return Ok(()) };
    let Some(swap) = Swap::decode(&bytes) else {
        // It was made durable before it got its name, so it was damaged later; nobody can tell how far the swap is.
        let source = io::Error::new(io::ErrorKind::InvalidData, "the plan of a swap is damaged");
        return Err(LogError::Disk { doing: "reading", path, source });
    };
    for base_offset in &swap.outputs {
        for place in [log_path(site.folder, *base_offset), index_path(site.folder, *base_offset)] {
            match site.disk.rename(&cleaned(&place), &place) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(e).doing("renaming", &place);
                }
                _ => {}
            }
        }
    }
    for base_offset in swap.sources.iter().filter(|base| !swap.outputs.contains(base)) {
        framed::remove_file(site.disk, &log_path(site.folder, *base_offset))?;
        framed::remove_file(site.disk, &index_path(site.folder, *base_offset))?;
    }
    let mut checkpoint = match Checkpoint::load(site.disk, site.folder)? {
        Some(Some(checkpoint)) => checkpoint,
        _ => Checkpoint::default(),
    };
    checkpoint.first_dirty_offset = swap.first_dirty_offset;
    checkpoint.store(site.disk, site.folder)?;
    framed::remove_file(site.disk, &path)?;
    site.sync_folder()
}
