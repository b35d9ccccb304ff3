//! Finds Rust files that no crate compiles: follows `mod name;` from every crate root.
//! Invariant: errs towards silence. A `mod` in a comment or a string can hide a file that is not compiled, never the reverse;
//! `#[path]` and `include!` are followed, out-of-line modules inside inline ones are not (the house has none).

use std::collections::BTreeSet;

use super::{Complaint, Files};

pub(super) fn check(files: &Files) -> Vec<Complaint> {
    let sources: Vec<&str> =
        files.keys().filter(|path| path.ends_with(".rs")).map(String::as_str).collect();
    let crates: Vec<&str> =
        files.keys().filter_map(|path| path.strip_suffix("Cargo.toml")).collect();
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<(String, bool)> = Vec::new();
    for folder in crates {
        let roots = sources.iter().filter_map(|path| {
            let inside = path.strip_prefix(folder)?;
            is_root(inside).then(|| ((*path).to_owned(), true))
        });
        waiting.extend(roots);
        waiting.extend(named_targets(folder, files));
    }
    while let Some((path, root)) = waiting.pop() {
        if !reached.insert(path.clone()) {
            continue;
        }
        let Some(bytes) = files.get(&path) else { continue };
        let children = children(&path, root, &String::from_utf8_lossy(bytes));
        waiting.extend(children.into_iter().map(|child| (child, false)));
    }
    let message = "no `mod` leads here: the file is never compiled";
    let lost = sources.into_iter().filter(|path| !reached.contains(*path));
    lost.map(|path| Complaint::new(path, 0, message)).collect()
}

/// Whether cargo takes a file, by its place in the crate, as the root of a target.
fn is_root(inside: &str) -> bool {
    let parts: Vec<&str> = inside.split('/').collect();
    matches!(
        parts.as_slice(),
        ["build.rs"]
            | ["src", "lib.rs" | "main.rs"]
            | ["src", "bin", _]
            | ["src", "bin", _, "main.rs"]
            | ["tests" | "benches" | "examples", _]
            | ["tests" | "benches" | "examples", _, "main.rs"]
    )
}

/// Targets that a manifest names by path.
fn named_targets(folder: &str, files: &Files) -> Vec<(String, bool)> {
    let manifest = files.get(&format!("{folder}Cargo.toml")).map(Vec::as_slice);
    let text = String::from_utf8_lossy(manifest.unwrap_or_default()).into_owned();
    let paths = text.lines().filter_map(|line| quoted(line.trim().strip_prefix("path = ")?));
    paths.filter(|path| path.ends_with(".rs")).map(|path| (resolve(folder, path), true)).collect()
}

/// The files that a file's `mod`, `#[path]` and `include!` lines may mean.
fn children(path: &str, root: bool, text: &str) -> Vec<String> {
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let beside = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let below = match name {
        _ if root => beside.clone(),
        "mod.rs" | "lib.rs" | "main.rs" => beside.clone(),
        _ => format!("{beside}{}/", name.trim_end_matches(".rs")),
    };
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(module) = module_name(line) {
            found.push(format!("{below}{module}.rs"));
            found.push(format!("{below}{module}/mod.rs"));
        }
        let named =
            line.strip_prefix("#[path = ").or_else(|| line.split_once("include!(").map(|p| p.1));
        found.extend(named.and_then(quoted).map(|named| resolve(&beside, named)));
    }
    found
}

/// The name in `mod name;`, whatever its visibility and the attributes before it.
fn module_name(line: &str) -> Option<&str> {
    let name = line.strip_suffix(';')?;
    let (before, name) = name.rsplit_once("mod ").unwrap_or(("-", name));
    let visible = before.is_empty() || before.ends_with(' ');
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (visible && plain).then_some(name)
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.split('"').next()
}

/// Joins a relative path to a folder that ends in a slash, taking `..` out.
fn resolve(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_a_mod_are_found() {
        let tree = [
            ("crates/a/Cargo.toml", "[[bin]]\npath = \"tool/start.rs\"\n"),
            ("crates/a/src/lib.rs", "pub mod one;\nmod two;\n#[cfg(test)] mod tests;\n"),
            ("crates/a/src/one.rs", "pub(crate) mod deep;\n#[path = \"odd.rs\"]\nmod even;\n"),
            ("crates/a/src/one/deep.rs", ""),
            ("crates/a/src/odd.rs", ""),
            ("crates/a/src/two/mod.rs", "mod leaf;\n"),
            ("crates/a/src/two/leaf.rs", "include!(\"../table.rs\");\n"),
            ("crates/a/src/table.rs", ""),
            ("crates/a/src/tests.rs", ""),
            ("crates/a/src/lost.rs", ""),
            ("crates/a/src/deep.rs", ""),
            ("crates/a/tests/it/main.rs", "mod case;\n"),
            ("crates/a/tests/it/case.rs", ""),
            ("crates/a/tests/it/forgotten.rs", ""),
            ("crates/a/tool/start.rs", "mod part;\n"),
            ("crates/a/tool/part.rs", ""),
        ];
        let files = tree.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let lost: Vec<String> = check(&files.into()).into_iter().map(|c| c.path).collect();
        assert_eq!(
            lost,
            ["crates/a/src/deep.rs", "crates/a/src/lost.rs", "crates/a/tests/it/forgotten.rs"]
        );
    }
}
