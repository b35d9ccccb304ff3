//! Files as the log and the state see them: the one door to the disk, so that a simulated disk can stand in its place.
//! Invariant: paths are relative to the disk's root and use `/`; nothing here leaves the root. Every call may fail, may do
//! less than asked (short reads and writes), and a write is durable only after `sync` of its file returned Ok, a new, renamed
//! or removed name only after `sync_folder` of its folder did. After a failed `sync` what was written since the last good one
//! is lost or not, and nobody can tell: the owner must stop trusting the file.
//! Does not cache and does not retry.

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// A folder of files that outlives the process (or, in memory, does not).
pub trait Disk: Debug + Send + Sync {
    /// The names in a folder, sorted; empty if there is no such folder.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Creates a folder and those above it; it may be there already.
    fn create_folder(&self, folder: &str) -> io::Result<()>;
    /// Removes a folder with all that is in it; it may be gone already.
    fn remove_folder(&self, folder: &str) -> io::Result<()>;
    /// Opens a file for reading and writing; `create` makes it if it is not there.
    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file that is there, to write past the system's memory where that can be: what is written again and again and never
    /// read need not be kept. Positions, lengths and the bytes in memory have to be multiples of 4096.
    fn open_uncached(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.open(path, false)
    }
    /// Makes a file that never has a name; `None`: a file of this disk has to have one. Asked by `open_unnamed`.
    fn make_unnamed(&self) -> io::Result<Option<Arc<dyn DiskFile>>> {
        Ok(None)
    }
    /// Removes a file; handles that are open go on reading it.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Gives a file another name in the same folder, in place of a file that has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    /// Whether a sync makes anything durable, and so whether it is worth preparing for.
    fn is_durable(&self) -> bool {
        true
    }
}

impl dyn Disk + '_ {
    /// Opens a new file that nobody else finds and that is gone when the last handle is. Where that takes a name, it has `path` for a
    /// moment, and a crash in this moment leaves an empty file.
    pub fn open_unnamed(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.make_unnamed()? {
            return Ok(file);
        }
        let file = self.open(path, true)?;
        self.remove(path)?;
        Ok(file)
    }
}

/// An open file. Handles are shared: one thread appends while others read what was written before.
pub trait DiskFile: Debug + Send + Sync {
    /// How long the file is, in bytes.
    fn size_bytes(&self) -> io::Result<u64>;
    /// Reads into `buffer` from `position`; returns how much, 0 at the end.
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes from `position`, and lengthens the file if it ends before; returns how much was written.
    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<usize>;
    /// As `write_at`, of parts that follow each other.
    fn write_vectored_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let first = parts.iter().find(|part| !part.is_empty());
        first.map_or(Ok(0), |part| self.write_at(position, part))
    }
    /// Cuts (or lengthens with zeros) the file to a size.
    fn set_size(&self, size_bytes: u64) -> io::Result<()>;
    /// Makes everything written so far durable, the size included.
    fn sync(&self) -> io::Result<()>;
    /// The file of the operating system, if it is one: who sends from it need not read it.
    fn system_file(&self) -> Option<&std::fs::File> {
        None
    }
}

impl dyn DiskFile + '_ {
    /// Reads exactly `buffer.len()` bytes, or fails with `UnexpectedEof`.
    pub fn read_exact_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            match self.read_at(position + done as u64, &mut buffer[done..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => done += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Writes all of `bytes`; after an error any part of them may have been written.
    pub fn write_all_at(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_vectored_at(position, &mut [IoSlice::new(bytes)])
    }

    /// As `write_all_at`, of parts that follow each other. They are used up.
    pub fn write_all_vectored_at(
        &self,
        mut position: u64,
        mut parts: &mut [IoSlice<'_>],
    ) -> io::Result<()> {
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match self.write_vectored_at(position, parts) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    position += count as u64;
                    IoSlice::advance_slices(&mut parts, count);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
