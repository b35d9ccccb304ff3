//! Where things stand in the repository. Everything that this program writes is under `.services/`, which git ignores.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Context, Result};
use crate::process;

/// The folder of the workspace, known from the build.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("the crate is a folder of the workspace").to_path_buf()
}

/// The hash of the commit that is checked out.
pub(crate) fn commit() -> Result<String> {
    let mut git = Command::new("git");
    let commit = process::capture(git.args(["rev-parse", "HEAD"]).current_dir(root()))?;
    Ok(commit.trim().to_owned())
}

/// What cargo has built, by its path in cargo's folder.
pub(crate) fn built(path: &str) -> PathBuf {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    root().join(folder).join(path)
}

/// The folder of fetched jars, shared by all instances of the services.
pub(crate) fn jars() -> PathBuf {
    root().join(".services/jars")
}

/// The folder of servers that are no jars, shared as well.
pub(crate) fn programs() -> PathBuf {
    root().join(".services/programs")
}

/// The folder of one instance of the services.
pub(crate) fn instance(name: &str) -> PathBuf {
    root().join(".services").join(name)
}

/// Writes a file and the folders above it.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    fs::write(path, text).context(format_args!("cannot write {}", path.display()))
}

pub(crate) fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).context(format_args!("cannot create {}", path.display()))
}

/// Removes a folder and what is in it; one that is not there is fine.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context(format_args!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Waits until nobody else holds the lock of that file; it is held until the returned file is dropped.
pub(crate) fn lock(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    let file = File::create(path).context(format_args!("cannot open {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!("waiting for another xtask, which holds {}", path.display());
        file.lock().context(format_args!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}
