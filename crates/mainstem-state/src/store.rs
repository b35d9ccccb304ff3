//! Where the files of checkpoints are.
//! Invariant: a file is there whole and durable when `put` has returned Ok, or not under its name; a name is given once.
//! Calls block for as long as the place takes, and do not retry: who calls decides what a failure means.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use mainstem_core::disk::Disk;
use mainstem_core::{Error, ErrorKind, Result};

/// Files by name.
pub trait Store: Debug + Send + Sync {
    /// Stores a new file.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<()>;
    /// The content of a file; `None` if there is no such file.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>>;
    /// `size` bytes of a file from `offset`; fails if it has fewer.
    fn get_range(&self, name: &str, offset: u64, size: u64) -> Result<Vec<u8>>;
    /// The names of all files, sorted.
    fn list(&self) -> Result<Vec<String>>;
    /// Removes a file; it may be gone already.
    fn remove(&self, name: &str) -> Result<()>;
}

/// What a file is called until it is whole.
const UNFINISHED: &str = ".unfinished";

/// A folder of a disk.
#[derive(Debug)]
pub struct FolderStore {
    disk: Arc<dyn Disk>,
    folder: String,
}

impl FolderStore {
    /// Makes the folder if need be, and clears what a crash has left half written. Every name that is found is durable: a put
    /// that failed at its end may have left one, and who goes on from it must find it again.
    pub fn open(disk: Arc<dyn Disk>, folder: impl Into<String>) -> Result<Self> {
        let store = Self { disk, folder: folder.into() };
        let made = store.disk.create_folder(&store.folder);
        made.map_err(|e| store.failed("make the folder of", "checkpoints", e))?;
        for name in store.names()?.iter().filter(|name| name.ends_with(UNFINISHED)) {
            store.remove(name)?;
        }
        let synced = store.disk.sync_folder(&store.folder);
        synced.map_err(|e| store.failed("sync", "the names of the checkpoints", e))?;
        Ok(store)
    }

    /// A folder of which files are only read: nothing is made, cleared or locked, and another process may be writing there.
    pub fn look_at(disk: Arc<dyn Disk>, folder: impl Into<String>) -> Self {
        Self { disk, folder: folder.into() }
    }

    fn path(&self, name: &str) -> String {
        if self.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", self.folder) }
    }

    fn names(&self) -> Result<Vec<String>> {
        self.disk.list(&self.folder).map_err(|e| self.failed("list", "the checkpoints", e))
    }

    fn failed(&self, doing: &str, name: &str, source: io::Error) -> Error {
        let kind = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Exhausted,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("cannot {doing} {name}: {source}")).with_source(source)
    }
}

impl Store for FolderStore {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let unfinished = self.path(&format!("{name}{UNFINISHED}"));
        let written = || {
            let file = self.disk.open(&unfinished, true)?;
            file.set_size(0)?;
            file.write_all_at(0, bytes)?;
            file.sync()?;
            self.disk.rename(&unfinished, &self.path(name))?;
            self.disk.sync_folder(&self.folder)
        };
        written().map_err(|e| {
            // A full disk is not to be kept full by it. If it stays, the next start clears it.
            let _ = self.disk.remove(&unfinished);
            self.failed("write", name, e)
        })
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let read = || {
            let file = self.disk.open(&self.path(name), false)?;
            let mut bytes = vec![0; file.size_bytes()? as usize];
            file.read_exact_at(0, &mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if io::Error::kind(&e) == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.failed("read", name, e)),
        }
    }

    fn get_range(&self, name: &str, offset: u64, size: u64) -> Result<Vec<u8>> {
        let read = || {
            let file = self.disk.open(&self.path(name), false)?;
            // A size from a damaged manifest is not to be allocated.
            if offset.checked_add(size).is_none_or(|end| end > file.size_bytes().unwrap_or(0)) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut bytes = vec![0; size as usize];
            file.read_exact_at(offset, &mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|e: io::Error| match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => {
                let text = format!("'{name}' has no {size} bytes from {offset}");
                Error::new(ErrorKind::Corrupt, text).with_source(e)
            }
            _ => self.failed("read", name, e),
        })
    }

    fn list(&self) -> Result<Vec<String>> {
        let mut names = self.names()?;
        names.retain(|name| !name.ends_with(UNFINISHED));
        Ok(names)
    }

    fn remove(&self, name: &str) -> Result<()> {
        match self.disk.remove(&self.path(name)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(self.failed("remove", name, e)),
            _ => Ok(()),
        }
    }
}
