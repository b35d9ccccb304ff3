//! Finds the files of a table: one file, a directory tree or a glob, and what the names of its directories say.
//! Invariant: files come sorted by path; what is hidden (a name that starts with `.` or `_`, as in Flink) is left
//! out, and so is what the query's filters on partition and metadata columns rule out. Blocking: callers run it where
//! blocking is allowed. It opens no file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mainstem_core::{Error, Result};
use regex::Regex;

use super::columns::FileColumns;
use super::files::{Files, Found, FoundKind};

/// Where a table's files are, as its `path` option says.
#[derive(Debug, Clone)]
pub(super) struct Location {
    /// As the user wrote it, for errors.
    pub(super) written: String,
    /// Starts at the root of the file system.
    pub(super) absolute: PathBuf,
}

impl Location {
    /// Reads a `path` option; relative ones start at `base_dir`.
    pub(super) fn new(written: &str, base_dir: &Path) -> Result<Self> {
        let path = match written.split_once("://") {
            Some(("file", path)) => path,
            Some((scheme, _)) => {
                return Err(Error::user(format!("option 'path' has the scheme '{scheme}'"))
                    .with_hint("connector 'filesystem' reads and writes local files: use a path"));
            }
            None => written.strip_prefix("file:").unwrap_or(written),
        };
        if path.is_empty() {
            return Err(Error::user("option 'path' is empty"));
        }
        Ok(Self { written: path.to_owned(), absolute: base_dir.join(path) })
    }

    /// `path` as the user would name it.
    pub(super) fn name(&self, path: &Path) -> String {
        let written = Path::new(&self.written);
        if written.is_absolute() {
            return path.display().to_string();
        }
        let mut base = self.absolute.clone();
        for _ in written.components() {
            base.pop();
        }
        path.strip_prefix(&base).unwrap_or(path).display().to_string()
    }
}

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileInfo {
    /// Starts at the root of the file system.
    pub(super) path: PathBuf,
    /// As it is named in errors; its id as a split.
    pub(super) name: Arc<str>,
    pub(super) size_bytes: u64,
    pub(super) modified_ms: i64,
    /// The `key=value` directories above it, unescaped.
    pub(super) partitions: Vec<(String, String)>,
}

/// All files of a table, sorted by path.
pub(super) fn discover(
    files: &dyn Files,
    location: &Location,
    pattern: Option<&Regex>,
    columns: &FileColumns,
    watched: bool,
) -> Result<Vec<FileInfo>> {
    let mut found = Vec::new();
    match files.look(&location.absolute) {
        Ok(root) if root.kind == FoundKind::Folder => {
            walk((files, location), &location.absolute, 0, &mut found)?;
        }
        Ok(root) => found.push((location.absolute.clone(), root)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && is_glob(&location.written) => {
            glob_paths((files, location), &mut found)?;
            if found.is_empty() && !watched {
                return Err(Error::user(format!("no file matches '{}'", location.written)));
            }
        }
        Err(e) => return Err(read_error(&location.written, e)),
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found.dedup_by(|(a, _), (b, _)| a == b);
    let mut described = Vec::with_capacity(found.len());
    for (path, found) in found {
        if pattern.is_some_and(|p| !p.is_match(&path.to_string_lossy())) {
            continue;
        }
        let file = describe(location, path, &found);
        if columns.admit(&file)? {
            described.push(file);
        }
    }
    Ok(described)
}

fn describe(location: &Location, path: PathBuf, found: &Found) -> FileInfo {
    let directories = path.parent().into_iter().flat_map(Path::components);
    let partitions = directories
        .filter_map(|c| {
            let (key, value) = c.as_os_str().to_str()?.split_once('=')?;
            Some((unescape(key), unescape(value)))
        })
        .collect();
    FileInfo {
        name: location.name(&path).into(),
        size_bytes: found.size_bytes,
        modified_ms: found.modified_ms,
        partitions,
        path,
    }
}

fn is_glob(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy()).unwrap_or_default();
    name.starts_with('.') || name.starts_with('_')
}

/// Directories deeper than this are taken for a link that leads back to where it stands.
const DEPTH_MAX: usize = 64;

/// Adds a file, or those of a folder, unless they are hidden.
fn take(
    (files, location): (&dyn Files, &Location),
    path: PathBuf,
    depth: usize,
    found: &mut Vec<(PathBuf, Found)>,
) -> Result<()> {
    if is_hidden(&path) {
        return Ok(());
    }
    match files.look(&path) {
        Ok(it) if it.kind == FoundKind::Folder => walk((files, location), &path, depth, found)?,
        Ok(it) => found.push((path, it)),
        // It may go away between the listing and here; whoever opens a file finds out for good.
        Err(_) => {}
    }
    Ok(())
}

fn walk(
    (files, location): (&dyn Files, &Location),
    directory: &Path,
    depth: usize,
    found: &mut Vec<(PathBuf, Found)>,
) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(Error::user(format!(
            "directory '{}' is more than {DEPTH_MAX} directories deep",
            location.name(directory)
        ))
        .with_hint("look for a symbolic link to a directory above it"));
    }
    let entries = files.list(directory).map_err(|e| read_error(&location.name(directory), e))?;
    entries.into_iter().try_for_each(|(path, _)| take((files, location), path, depth + 1, found))
}

fn glob_paths(
    (files, location): (&dyn Files, &Location),
    found: &mut Vec<(PathBuf, Found)>,
) -> Result<()> {
    let pattern = location.absolute.to_string_lossy();
    glob::Pattern::new(&pattern).map_err(|e| {
        Error::user(format!("option 'path' is no glob: {e}")).with_hint("for example logs/*.json")
    })?;
    let matches = files.glob(&pattern).map_err(|e| read_error(&location.written, e))?;
    matches.into_iter().try_for_each(|path| take((files, location), path, 0, found))
}

/// What went wrong with a file, by its name.
pub(super) fn read_error(name: &str, e: std::io::Error) -> Error {
    let what = match e.kind() {
        std::io::ErrorKind::NotFound => format!("file or directory '{name}' does not exist"),
        std::io::ErrorKind::PermissionDenied => format!("file '{name}' may not be read"),
        _ => format!("file '{name}' cannot be read: {e}"),
    };
    Error::user(what).with_source(e)
}

/// What went wrong when a file that was found was opened.
pub(super) fn open_error(name: &str, e: std::io::Error) -> Error {
    if e.kind() == std::io::ErrorKind::NotFound {
        return Error::user(format!("file '{name}' vanished before it was read"))
            .with_hint("it was there when the files were listed; restore it, or start again")
            .with_source(e);
    }
    read_error(name, e)
}

/// The regular expression of `source.path.regex-pattern`, which must match a whole absolute path.
pub(super) fn path_pattern(text: &str) -> Result<Regex> {
    Regex::new(&format!("^(?:{text})$")).map_err(|e| {
        Error::user(format!("option 'source.path.regex-pattern' is no regular expression: {text}"))
            .with_detail(e.to_string())
    })
}

/// Escapes a partition's key or value for the name of a directory, as Flink does.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c < ' ' || "\"#%'*/:=?\\\u{7f}{}[]^".contains(c) {
            escaped.push_str(&format!("%{:02X}", c as u32));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).and_then(|h| u8::from_str_radix(h, 16).ok());
        match code {
            Some(code) => {
                plain.push(char::from(code));
                rest = &rest[at + 3..];
            }
            None => {
                plain.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_back() {
        for (plain, escaped) in
            [("a", "a"), ("a/b=c", "a%2Fb%3Dc"), ("100%", "100%25"), ("é", "é"), ("\n", "%0A")]
        {
            assert_eq!(escape(plain), escaped);
            assert_eq!(unescape(escaped), plain);
        }
        assert_eq!(unescape("50%zz%"), "50%zz%");
    }

    #[test]
    fn files_are_named_as_the_user_wrote_them() {
        let base = Path::new("/base");
        for (written, path, name) in [
            ("data", "/base/data/a.json", "data/a.json"),
            ("file:///abs/x", "/abs/x/a", "/abs/x/a"),
            ("a/b/*.json", "/base/a/b/c.json", "a/b/c.json"),
        ] {
            assert_eq!(Location::new(written, base).unwrap().name(Path::new(path)), name);
        }
        assert!(Location::new("s3://bucket/x", base).is_err());
        assert!(Location::new("", base).is_err());
    }
}
