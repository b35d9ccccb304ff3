//! The file system as this connector uses it: a door, so that a simulated disk can stand behind it.
//! Invariant: bytes are durable after [`NewFile::sync`], names after [`Files::sync_folder`], new folders when
//! [`Files::create_folder`] returns. Blocking.

use std::fmt::Debug;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Where files are read and written.
pub trait Files: Debug + Send + Sync {
    /// What a path leads to.
    fn look(&self, path: &Path) -> io::Result<Found>;
    /// Opens a file to read it.
    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>>;
    /// The files and folders that match a pattern.
    fn glob(&self, pattern: &str) -> io::Result<Vec<PathBuf>>;
    /// Makes a folder and those above it; it may be there already.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// Makes a file that is not there yet.
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>>;
    /// Gives a file another name in the same folder, in place of a file that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Whether there is such a file.
    fn exists(&self, path: &Path) -> bool;
    /// What a folder has, and whether it is a folder too; links to folders are not.
    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, bool)>>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// What a path leads to.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// A folder, a file, or something else, such as a pipe.
    pub kind: FoundKind,
    /// How long a file is.
    pub size_bytes: u64,
    /// When it was last changed, in ms since 1970.
    pub modified_ms: i64,
}

/// See [`Found`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundKind {
    /// Other things have their names in it.
    Folder,
    /// It has bytes, and an end.
    File,
    /// It can be read once, from the start.
    Stream,
}

/// A file that is being read.
pub trait OpenFile: Read + Debug + Send + Sync {
    /// What it is now.
    fn look(&self) -> io::Result<Found>;
    /// Reads into `buffer` from `offset`; returns how much, 0 at the end. What is read next by [`Read`] is the same as before.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// What is read next by [`Read`] is at `offset`.
    fn seek_to(&mut self, offset: u64) -> io::Result<()>;
}

/// A file that is being written.
pub trait NewFile: Write + Send {
    /// Makes what was written durable.
    fn sync(&self) -> io::Result<()>;
}

/// The files of this machine.
#[derive(Debug, Clone, Copy)]
pub struct LocalFiles;

impl From<Metadata> for Found {
    fn from(metadata: Metadata) -> Self {
        let kind = match metadata.file_type() {
            kind if kind.is_dir() => FoundKind::Folder,
            kind if kind.is_file() => FoundKind::File,
            _ => FoundKind::Stream,
        };
        let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        let modified_ms = modified.map_or(0, |since| since.as_millis() as i64);
        Self { kind, size_bytes: metadata.len(), modified_ms }
    }
}

impl Files for LocalFiles {
    fn look(&self, path: &Path) -> io::Result<Found> {
        fs::metadata(path).map(Found::from)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        Ok(Box::new(File::open(path)?))
    }

    fn glob(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let matches = glob::glob(pattern).map_err(io::Error::other)?;
        matches.map(|path| path.map_err(io::Error::from)).collect()
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
        fs::create_dir_all(folder)?;
        let parents = missing.into_iter().filter_map(Path::parent);
        parents.rev().try_for_each(|parent| self.sync_folder(parent))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(OpenOptions::new().write(true).create_new(true).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
        let entries = fs::read_dir(folder)?;
        entries.map(|entry| entry.and_then(|e| Ok((e.path(), e.file_type()?.is_dir())))).collect()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let here = folder.as_os_str().is_empty();
        File::open(if here { Path::new(".") } else { folder })?.sync_all()
    }
}

impl OpenFile for File {
    fn look(&self) -> io::Result<Found> {
        self.metadata().map(Found::from)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn seek_to(&mut self, offset: u64) -> io::Result<()> {
        io::Seek::seek(self, io::SeekFrom::Start(offset)).map(drop)
    }
}

impl NewFile for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }
}
