//! The house rules that a machine can check, in seconds and without compiling.
//! Invariant: looks at every file that git tracks or would track, so that a rule holds before the commit, not after. Each rule
//! is a pure function of paths and texts; reading files and asking cargo happens here. Changes nothing.

mod edges;
mod modules;
mod text;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::error::{Context, Error, Result};
use crate::{layout, process};

/// A place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Complaint {
    path: String,
    /// 1-based; 0 when the file as a whole is meant.
    line: usize,
    message: String,
}

impl Complaint {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

/// The files under the rules: path from the root with slashes, and content.
type Files = BTreeMap<String, Vec<u8>>;

/// What `cargo xtask tidy` does.
pub(crate) fn main() -> Result<()> {
    let files = read_files()?;
    let mut complaints = Vec::new();
    for (path, bytes) in &files {
        complaints.extend(text::check_blob(path, bytes.len()));
        if let Ok(text) = std::str::from_utf8(bytes) {
            complaints.extend(text::check(path, text));
        }
    }
    complaints.extend(text::check_decisions(&files));
    complaints.extend(modules::check(&files));
    complaints.extend(edges::check()?);
    complaints.sort();
    for Complaint { path, line, message } in &complaints {
        match line {
            0 => println!("{path}: {message}"),
            _ => println!("{path}:{line}: {message}"),
        }
    }
    match complaints.len() {
        0 => Ok(()),
        count => {
            Err(Error::new(format!("tidy has {count} complaints about {} files", files.len())))
        }
    }
}

fn read_files() -> Result<Files> {
    let root = layout::root();
    let mut list = Command::new("git");
    list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(&root);
    let names = process::capture(&mut list)?;
    let mut files = Files::new();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let path = root.join(name);
        // Deleted but not yet committed, or a link to something that is no file.
        if path.is_file() {
            let bytes = fs::read(&path).context(format_args!("cannot read {name}"))?;
            files.insert(name.to_owned(), bytes);
        }
    }
    Ok(files)
}
