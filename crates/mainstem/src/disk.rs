//! The real disk: a folder of the file system behind [`Disk`].
//! Invariant: nothing leaves the root, whatever a path says; `sync` is `fdatasync`, which makes the size durable as well.
//! One process owns the root: [`FileDisk::open`] takes a lock that ends with the process, however it ends. Who only looks
//! ([`FileDisk::look_at`]) takes no lock and can change nothing.
//! Does not cache, retry or create anything before it is asked to.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Read as _, Seek as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use mainstem_core::disk::{Disk, DiskFile};
use mainstem_core::{Error, ErrorKind, Result};

/// The file that is locked.
pub(crate) const LOCK: &str = "mainstem.lock";

/// A folder that belongs to this process, or is only looked at.
#[derive(Debug)]
pub(crate) struct FileDisk {
    root: PathBuf,
    access: Access,
}

#[derive(Debug)]
enum Access {
    /// Locked as long as the file is open.
    Owned(#[expect(dead_code, reason = "held for its lock")] File),
    /// Others use the folder, too: only new files are made in it.
    Shared,
    /// Nothing is written.
    Look,
}

impl FileDisk {
    /// Makes the folder, which `option` of the command line names, if need be, and takes it for this process.
    pub(crate) fn open(root: &Path, option: &str) -> Result<Self> {
        let name = root.display();
        let failed = |e: io::Error| {
            let error = Error::user(format!("the folder '{name}' cannot be used: {e}"));
            let memory = if option == "--data" { ", or --data memory" } else { "" };
            error.with_hint(format!("choose another one with {option} DIR{memory}"))
        };
        fs::create_dir_all(root).map_err(failed)?;
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut lock = options.open(root.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(root, option, &mut lock)),
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        // For the message of whoever comes second.
        lock.set_len(0).map_err(failed)?;
        writeln!(lock, "{}", std::process::id()).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        Ok(Self { root, access: Access::Owned(lock) })
    }

    /// A folder of which files are read while it may belong to another process.
    pub(crate) fn look_at(root: &Path) -> Result<Self> {
        let root = root.canonicalize().map_err(|e| {
            Error::user(format!("the folder '{}' cannot be read: {e}", root.display()))
        })?;
        Ok(Self { root, access: Access::Look })
    }

    /// A folder for files with names of their own, which it shares with others.
    pub(crate) fn shared(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        Ok(Self { root: root.canonicalize()?, access: Access::Shared })
    }

    fn check_owned(&self) -> io::Result<()> {
        match self.access {
            Access::Owned(_) | Access::Shared => Ok(()),
            Access::Look => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, "the folder is only looked at"))
            }
        }
    }

    fn path(&self, path: &str) -> io::Result<PathBuf> {
        let legal = |part: Component<'_>| matches!(part, Component::Normal(_));
        if !Path::new(path).components().all(legal) {
            let text = format!("'{path}' leaves the data folder");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(self.root.join(path))
    }
}

fn in_use(root: &Path, option: &str, lock: &mut File) -> Error {
    let mut pid = String::new();
    let _ = lock.rewind().and_then(|()| lock.read_to_string(&mut pid));
    let by = match pid.trim() {
        "" => "another process".to_owned(),
        pid => format!("process {pid}"),
    };
    let text = format!("the folder '{}' is in use by {by}", root.display());
    Error::new(ErrorKind::Conflict, text)
        .with_hint(format!("stop that process, or choose another folder with {option} DIR"))
}

/// What is not there needs no removal.
fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

impl Disk for FileDisk {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(folder)?) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        let mut names = Vec::new();
        for entry in entries {
            // A name that is not UTF-8 was not made by us.
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        self.check_owned()?;
        fs::create_dir_all(self.path(folder)?)
    }

    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        self.check_owned()?;
        gone_is_fine(fs::remove_dir_all(self.path(folder)?))
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let (mut options, owned) = (OpenOptions::new(), self.check_owned().is_ok());
        let options = options.read(true).write(owned).create(owned && create).truncate(false);
        Ok(Arc::new(RealFile(options.open(self.path(path)?)?)))
    }

    #[cfg(target_os = "linux")]
    fn open_uncached(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        use rustix::fs::{Mode, OFlags};
        self.check_owned()?;
        let flags = OFlags::DIRECT | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::open(self.path(path)?, flags, Mode::empty()) {
            Ok(file) => Ok(Arc::new(RealFile(File::from(file)))),
            // A file system in memory, for one.
            Err(rustix::io::Errno::INVAL) => self.open(path, false),
            Err(e) => Err(e.into()),
        }
    }

    #[cfg(target_os = "linux")]
    fn make_unnamed(&self) -> io::Result<Option<Arc<dyn DiskFile>>> {
        use rustix::fs::{Mode, OFlags};
        self.check_owned()?;
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        // Some file systems give every file a name.
        let made = rustix::fs::open(&self.root, flags, Mode::RUSR | Mode::WUSR).ok();
        Ok(made.map(|file| Arc::new(RealFile(File::from(file))) as Arc<dyn DiskFile>))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.check_owned()?;
        fs::remove_file(self.path(path)?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.check_owned()?;
        fs::rename(self.path(from)?, self.path(to)?)
    }

    #[cfg(unix)]
    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        File::open(self.path(folder)?)?.sync_all()
    }

    /// Elsewhere names are durable when the call that made them returns, or there is nothing to be done about it.
    #[cfg(not(unix))]
    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.path(folder).map(drop)
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.0, buffer, position)
    }

    #[cfg(unix)]
    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(&self.0, bytes, position)
    }

    #[cfg(all(unix, not(target_vendor = "apple")))]
    fn write_vectored_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(rustix::io::pwritev(&self.0, parts, position)?)
    }

    #[cfg(windows)]
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.0, buffer, position)
    }

    #[cfg(windows)]
    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(&self.0, bytes, position)
    }

    fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        self.0.set_len(size_bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn system_file(&self) -> Option<&File> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> (tempfile::TempDir, FileDisk) {
        let folder = tempfile::tempdir().unwrap();
        let disk = FileDisk::open(&folder.path().join("data"), "--data").unwrap();
        (folder, disk)
    }

    #[test]
    fn files_keep_what_was_written_where_it_was_written() {
        let (_folder, disk) = disk();
        assert!(disk.open("a/0.log", false).is_err());
        disk.create_folder("a").unwrap();
        let file = disk.open("a/0.log", true).unwrap();
        file.write_all_at(3, b"later").unwrap();
        file.write_all_at(0, b"abc").unwrap();
        file.sync().unwrap();
        disk.sync_folder("a").unwrap();
        assert_eq!(file.size_bytes().unwrap(), 8);
        let mut read = [0; 8];
        disk.open("a/0.log", false).unwrap().read_exact_at(0, &mut read).unwrap();
        assert_eq!(&read, b"abclater");
        assert_eq!(file.read_at(8, &mut read).unwrap(), 0);
        file.set_size(3).unwrap();
        assert!(file.read_exact_at(0, &mut read).is_err());
    }

    #[test]
    fn names_come_sorted_and_go() {
        let (_folder, disk) = disk();
        assert_eq!(disk.list("a").unwrap(), Vec::<String>::new());
        disk.create_folder("a/b").unwrap();
        for name in ["2", "10", "1"] {
            disk.open(&format!("a/b/{name}"), true).unwrap();
        }
        assert_eq!(disk.list("a/b").unwrap(), ["1", "10", "2"]);
        disk.rename("a/b/2", "a/b/1").unwrap();
        disk.remove("a/b/10").unwrap();
        assert_eq!(disk.list("a/b").unwrap(), ["1"]);
        disk.remove_folder("a").unwrap();
        disk.remove_folder("a").unwrap();
        assert_eq!(disk.list("a").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn no_path_leaves_the_root() {
        let (_folder, disk) = disk();
        for path in ["../x", "/etc/passwd", "a/../../x", "./a"] {
            assert!(disk.open(path, true).is_err(), "{path}");
            assert!(disk.remove_folder(path).is_err(), "{path}");
        }
    }

    #[test]
    fn who_only_looks_changes_nothing() {
        let (folder, disk) = disk();
        disk.open("0.log", true).unwrap().write_all_at(0, b"abc").unwrap();
        let looking = FileDisk::look_at(&folder.path().join("data")).unwrap();
        assert_eq!(looking.list("").unwrap(), ["0.log", LOCK]);
        let file = looking.open("0.log", false).unwrap();
        assert!(file.write_all_at(0, b"x").is_err());
        assert!(looking.open("new", true).is_err());
        assert!(looking.create_folder("new").is_err() && looking.remove_folder("new").is_err());
        assert!(looking.remove("0.log").is_err() && looking.rename("0.log", "new").is_err());
        let mut read = [0; 3];
        file.read_exact_at(0, &mut read).unwrap();
        assert_eq!((&read, disk.list("").unwrap().len()), (b"abc", 2));
    }

    #[test]
    fn a_folder_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let first = FileDisk::open(folder.path(), "--data").unwrap();
        let error = FileDisk::open(folder.path(), "--data").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let text = error.to_string();
        assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
        assert!(text.contains(&folder.path().display().to_string()), "{text}");
        drop(first);
        FileDisk::open(folder.path(), "--data").unwrap();
    }
}
