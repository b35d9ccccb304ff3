//! The file system of the simulated process: the faulty disk as the connector of files sees it.
//! Invariant: every call that writes is an operation of the disk, so the machine may stop at each. What is no file is a folder.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mainstem_connectors::filesystem::files::{Files, Found, FoundKind, NewFile, OpenFile};
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
    fn look(&self, path: &Path) -> io::Result<Found> {
        match self.0.open(place(path), false) {
            Ok(file) => found(&*file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Ok(Found { kind: FoundKind::Folder, size_bytes: 0, modified_ms: 0 })
            }
            Err(e) => Err(e),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        Ok(Box::new(FaultyFile { file: self.0.open(place(path), false)?, at: 0 }))
    }

    fn glob(&self, _: &str) -> io::Result<Vec<PathBuf>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.0.create_folder(place(folder))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(FaultyFile { file: self.0.open(place(path), true)?, at: 0 }))
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

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
        let names = self.0.list(place(folder))?;
        Ok(names.into_iter().map(|name| (folder.join(name), false)).collect())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.0.sync_folder(place(folder))
    }
}

fn found(file: &dyn DiskFile) -> io::Result<Found> {
    Ok(Found { kind: FoundKind::File, size_bytes: file.size_bytes()?, modified_ms: 0 })
}

#[derive(Debug)]
struct FaultyFile {
    file: Arc<dyn DiskFile>,
    /// Where it goes on.
    at: u64,
}

impl Read for FaultyFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(self.at, buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl OpenFile for FaultyFile {
    fn look(&self) -> io::Result<Found> {
        found(&*self.file)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn seek_to(&mut self, offset: u64) -> io::Result<()> {
        self.at = offset;
        Ok(())
    }
}

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write_at(self.at, bytes)?;
        self.at += count as u64;
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
