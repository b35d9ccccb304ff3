//! The file system of the simulated process: the faulty disk as sinks of files see it.
//! Invariant: every call is an operation of the disk, so the machine may stop at each. Folders are there when files are.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use mainstem_connectors::filesystem::files::{Files, NewFile};
use mainstem_core::disk::{Disk as _, DiskFile};
use mainstem_log::FaultyDisk;

/// The disk; its root is the root of the file system.
#[derive(Debug)]
pub(super) struct FaultyFiles(pub(super) FaultyDisk);

/// A path of the disk.
fn place(path: &Path) -> &str {
    path.to_str().unwrap_or_default().trim_matches('/')
}

impl Files for FaultyFiles {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.0.create_folder(place(folder))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(FaultyFile { file: self.0.open(place(path), true)?, size_bytes: 0 }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(place(from), place(to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(place(path))
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.open(place(path), false).is_ok()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(String, bool)>> {
        Ok(self.0.list(place(folder))?.into_iter().map(|name| (name, false)).collect())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.0.sync_folder(place(folder))
    }
}

struct FaultyFile {
    file: Arc<dyn DiskFile>,
    size_bytes: u64,
}

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write_at(self.size_bytes, bytes)?;
        self.size_bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for FaultyFile {
    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}
