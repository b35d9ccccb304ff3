//! Rows that are put aside on local disk because memory is for others: bytes at places of files that have no name.
//! Invariant: a file loses its name when it is made, so nothing is left of it when its last place is dropped, or the process is
//! killed. Nothing here outlives the process: checkpoints do that. What was put aside is never changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstem_core::disk::{Disk, DiskFile};
use mainstem_core::{Error, ErrorKind, Result};

/// A file takes no more than this: it is given back to the disk as a whole.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Where rows may be put aside; shared by all who do.
#[derive(Debug)]
pub struct RowSpace {
    disk: Arc<dyn Disk>,
    /// What names of files begin with.
    prefix: String,
    next: AtomicU64,
}

impl RowSpace {
    /// Files in the root of `disk`; for a moment each has a name that begins with `prefix`.
    pub fn new(disk: Arc<dyn Disk>, prefix: impl Into<String>) -> Self {
        Self { disk, prefix: prefix.into(), next: AtomicU64::new(0) }
    }

    fn file(&self) -> Result<Arc<dyn DiskFile>> {
        let name = format!("{}-{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed));
        let file = self.disk.open(&name, true).map_err(|e| failed("made", &e))?;
        self.disk.remove(&name).map_err(|e| failed("made", &e))?;
        Ok(file)
    }
}

/// The files of one owner.
#[derive(Debug)]
pub struct RowFiles {
    space: Arc<RowSpace>,
    /// The one that is written, and how long it is.
    current: Option<(Arc<dyn DiskFile>, u64)>,
}

/// Where bytes are.
#[derive(Debug)]
pub struct Place {
    file: Arc<dyn DiskFile>,
    offset: u64,
}

impl RowFiles {
    /// None yet.
    pub fn new(space: &Arc<RowSpace>) -> Self {
        Self { space: Arc::clone(space), current: None }
    }

    /// Puts bytes aside.
    pub fn write(&mut self, bytes: &[u8]) -> Result<Place> {
        let (file, offset) = match self.current.take() {
            Some((file, offset)) if offset < FILE_BYTES_MAX => (file, offset),
            _ => (self.space.file()?, 0),
        };
        file.write_all_at(offset, bytes).map_err(|e| failed("written", &e))?;
        self.current = Some((Arc::clone(&file), offset + bytes.len() as u64));
        Ok(Place { file, offset })
    }
}

impl Place {
    /// Reads bytes from `from` on.
    pub fn read(&self, from: usize, buffer: &mut [u8]) -> Result<()> {
        let at = self.offset + from as u64;
        self.file.read_exact_at(at, buffer).map_err(|e| failed("read", &e))
    }
}

fn failed(doing: &str, error: &std::io::Error) -> Error {
    let text = format!("a file for rows that have no place in memory cannot be {doing}: {error}");
    Error::new(ErrorKind::Exhausted, text)
        .with_hint("make room on the disk, name another folder with 'state.spill.directory', or raise 'state.memory'")
}
