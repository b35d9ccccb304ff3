//! Rows that are put aside on local disk because memory is for others: bytes at places of files that have no name.
//! Invariant: a file has no name, so nothing is left of it when its last place is dropped, or the process is killed. Nothing here
//! outlives the process: checkpoints do that. What was put aside is never changed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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
    current: Mutex<Current>,
    /// How many have files of their own.
    users: AtomicU64,
}

/// The file that is written.
#[derive(Debug, Default)]
struct Current {
    file: Option<Arc<dyn DiskFile>>,
    /// How much of it is given out.
    bytes: u64,
    /// How many there were.
    count: u64,
}

/// Where bytes are.
#[derive(Debug)]
pub struct Place {
    file: Arc<dyn DiskFile>,
    offset: u64,
}

impl RowSpace {
    /// Files in the root of `disk`; where a file has to have a name for a moment, it begins with `prefix`.
    pub fn new(disk: Arc<dyn Disk>, prefix: impl Into<String>) -> Self {
        let users = AtomicU64::default();
        Self { disk, prefix: prefix.into(), current: Mutex::default(), users }
    }

    /// The same disk for somebody who rewrites what he put aside: files in which nobody else has places.
    pub fn of_one_user(&self) -> Self {
        let user = self.users.fetch_add(1, Ordering::Relaxed);
        Self::new(Arc::clone(&self.disk), format!("{}-{user}", self.prefix))
    }

    /// Puts bytes aside.
    pub fn write(&self, bytes: &[u8]) -> Result<Place> {
        let place = self.place(bytes.len() as u64)?;
        place.file.write_all_at(place.offset, bytes).map_err(|e| failed("written", &e))?;
        Ok(place)
    }

    /// Room for so many bytes.
    fn place(&self, bytes: u64) -> Result<Place> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match current.file.take().filter(|_| current.bytes < FILE_BYTES_MAX) {
            Some(file) => file,
            None => {
                let name = format!("{}-{}", self.prefix, current.count);
                let file = self.disk.open_unnamed(&name).map_err(|e| failed("made", &e))?;
                (current.bytes, current.count) = (0, current.count + 1);
                file
            }
        };
        let offset = current.bytes;
        current.bytes += bytes;
        current.file = Some(Arc::clone(&file));
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

#[cfg(test)]
mod tests {
    use mainstem_log::MemoryDisk;

    use super::*;

    #[test]
    fn files_have_no_names_and_what_was_put_aside_is_read() {
        let disk = Arc::new(MemoryDisk::new());
        let space = RowSpace::new(Arc::clone(&disk) as Arc<dyn Disk>, "rows");
        let places = [&b"first"[..], b"", b"second"].map(|bytes| space.write(bytes).unwrap());
        assert_eq!(disk.list("").unwrap(), [""; 0]);
        let mut buffer = [0; 3];
        places[2].read(1, &mut buffer).unwrap();
        assert_eq!(&buffer, b"eco");
        places[0].read(0, &mut buffer).unwrap();
        assert_eq!(&buffer, b"fir");
        let missing = places[2].read(4, &mut buffer).unwrap_err();
        assert!(missing.to_string().contains("cannot be read"), "{missing}");
    }
}
