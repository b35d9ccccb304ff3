//! Rules about single files: length, header, names, words that mark unfinished work, traces of one person's machine.
//! Does not parse Rust: the rules are about lines.

use super::{Complaint, Files};

const LINES_MAX: usize = 800;
const BLOB_BYTES_MAX: usize = 256 * 1024;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["common", "helper", "helpers", "manager", "misc", "util", "utils"];

/// Words of unfinished work; put together here so that this file does not break its own rule.
const UNFINISHED: &[&str] = &[
    concat!("FIX", "ME"),
    concat!("X", "XX"),
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
];

/// Folders that exist on one person's machine only.
const MACHINE_FOLDERS: &[&str] =
    &[concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];

/// Settings and addresses that bind a build to one place of download.
const MIRRORS: &[&str] = &[
    concat!("index", "-url"),
    concat!("replace", "-with"),
    concat!("arti", "factory"),
    concat!("extra", "-index"),
    concat!("<mir", "ror>"),
];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// All rules about the text of one file.
pub(super) fn check(path: &str, text: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    if path == "Cargo.lock" {
        complaints.extend(check_lock(path, text));
        return complaints;
    }
    let generated = path.split('/').any(|part| part == "generated");
    if path.ends_with(".rs") {
        complaints.extend(check_name(path));
        if !generated && !text.starts_with("//!") {
            let message = "the file does not open with a `//!` header: what it is, its invariant, what it does not do";
            complaints.push(Complaint::new(path, 1, message));
        }
        let lines = text.lines().count();
        if !generated && !is_test(path) && lines > LINES_MAX {
            let message = format!("{lines} lines; {LINES_MAX} are the most, split it by purpose");
            complaints.push(Complaint::new(path, 0, message));
        }
    }
    for (index, line) in text.lines().enumerate() {
        let messages = [is_code(path).then(|| code_line(line)).flatten(), machine_line(line)];
        complaints.extend(
            messages.into_iter().flatten().map(|message| Complaint::new(path, index + 1, message)),
        );
    }
    complaints
}

fn is_test(path: &str) -> bool {
    path.split('/').any(|part| part == "tests") || path.ends_with("tests.rs")
}

fn is_code(path: &str) -> bool {
    let endings = [".rs", ".java", ".sql", ".toml", ".sh", ".py", ".ci/run"];
    endings.iter().any(|ending| path.ends_with(ending))
}

fn check_name(path: &str) -> Option<Complaint> {
    let plain = path.trim_end_matches(".rs");
    let name = plain.split('/').find(|part| EMPTY_NAMES.contains(part))?;
    let message = format!("`{name}` says nothing about what is inside; name the thing");
    Some(Complaint::new(path, 0, message))
}

fn code_line(line: &str) -> Option<String> {
    if let Some(word) = UNFINISHED.iter().find(|word| has_word(line, word)) {
        return Some(format!("`{word}` marks unfinished work: finish it, or refuse with an error"));
    }
    if line.trim_start().starts_with(concat!("#[ign", "ore")) {
        return Some("an ignored test proves nothing: make it run or delete it".to_owned());
    }
    let declared = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
    let name = declared.strip_prefix("mod ")?.trim_end_matches(" {");
    EMPTY_NAMES
        .contains(&name)
        .then(|| format!("`mod {name}` says nothing about what is inside; name the thing"))
}

fn machine_line(line: &str) -> Option<String> {
    let folder = MACHINE_FOLDERS
        .iter()
        .find(|folder| line.match_indices(*folder).any(|(at, _)| !ends_in_path(&line[..at])));
    if let Some(folder) = folder {
        return Some(format!("`{folder}` is a folder of one machine"));
    }
    let mirror = MIRRORS.iter().find(|mirror| line.contains(*mirror))?;
    Some(format!("`{mirror}` binds the build to one place of download"))
}

/// Whether the text before a slash makes the slash part of a longer path.
fn ends_in_path(before: &str) -> bool {
    before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || "_-.}*~".contains(c))
}

/// Whether the word stands in the line with no letter, digit or underscore beside it.
fn has_word(line: &str, word: &str) -> bool {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        !inside(line[..at].chars().next_back()) && !inside(line[at + word.len()..].chars().next())
    })
}

fn check_lock(path: &str, text: &str) -> Vec<Complaint> {
    let sources = text.lines().enumerate().filter_map(|(index, line)| {
        let source = line.strip_prefix("source = \"")?.trim_end_matches('"');
        (source != CRATES_IO).then_some((index, source))
    });
    let complain = |(index, source): (usize, &str)| {
        Complaint::new(path, index + 1, format!("{source} is not crates.io"))
    };
    sources.map(complain).collect()
}

pub(super) fn check_blob(path: &str, size_bytes: usize) -> Option<Complaint> {
    (size_bytes > BLOB_BYTES_MAX).then(|| {
        let message =
            format!("{size_bytes} bytes; {BLOB_BYTES_MAX} are the most that git should keep");
        Complaint::new(path, 0, message)
    })
}

/// Decision records are numbered 0001, 0002, ... and a record that is named somewhere exists.
pub(super) fn check_decisions(files: &Files) -> Vec<Complaint> {
    const FOLDER: &str = concat!("docs/", "adr/");
    let mut complaints = Vec::new();
    let mut last = 0;
    for path in files.keys().filter(|path| path.starts_with(FOLDER)) {
        let name = &path[FOLDER.len()..];
        let number = name.split_once('-').and_then(|(number, _)| parse_number(number));
        match number {
            Some(number) if name.ends_with(".md") && number == last + 1 => last = number,
            _ => {
                let message = format!("the next decision record is {:04}-<title>.md", last + 1);
                complaints.push(Complaint::new(path, 0, message));
            }
        }
    }
    for (path, bytes) in files {
        for (index, line) in String::from_utf8_lossy(bytes).lines().enumerate() {
            for (at, _) in line.match_indices(FOLDER) {
                let number = line.get(at + FOLDER.len()..at + FOLDER.len() + 4);
                if number.and_then(parse_number).is_some_and(|number| number > last) {
                    let message = format!("there is no decision record {}", number.unwrap_or(""));
                    complaints.push(Complaint::new(path, index + 1, message));
                }
            }
        }
    }
    complaints
}

fn parse_number(text: &str) -> Option<u32> {
    (text.len() == 4).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        check(path, text).into_iter().map(|c| format!("{}: {}", c.line, c.message)).collect()
    }

    #[test]
    fn each_rule_bites_and_lets_pass() {
        let long = format!("//! x\n{}", "\n".repeat(LINES_MAX));
        let ignored = format!("//! x\n{}]", concat!("    #[ign", "ore"));
        let rows: &[(&str, &str, &str)] = &[
            ("crates/a/src/lib.rs", "//! x\n", ""),
            ("crates/a/src/lib.rs", "use x;\n", "does not open with"),
            ("crates/a/src/generated/x.rs", "use x;\n", ""),
            ("crates/a/src/x.rs", &long, "801 lines"),
            ("crates/a/src/tests.rs", &long, ""),
            ("crates/a/tests/it/main.rs", &long, ""),
            ("crates/a/src/utils.rs", "//! x\n", "`utils` says nothing"),
            ("crates/a/src/helpers/x.rs", "//! x\n", "`helpers` says nothing"),
            ("crates/a/src/x.rs", "//! x\npub(crate) mod misc {", "`mod misc`"),
            ("crates/a/src/x.rs", concat!("//! x\n// FIX", "ME: later"), "unfinished"),
            ("crates/a/src/x.rs", concat!("//! x\nto", "do!()"), "unfinished"),
            ("crates/a/src/x.rs", "//! mktemp -XXXXXX\n", ""),
            ("crates/a/src/x.rs", &ignored, "ignored test"),
            ("README.md", concat!("cd /ro", "ot/x"), "one machine"),
            ("README.md", concat!("https://example.com/ho", "me/x"), ""),
            ("README.md", concat!("pip --index", "-url x"), "place of download"),
            ("Cargo.lock", "source = \"registry+https://example.com/index\"\n", "not crates.io"),
            ("Cargo.lock", &format!("source = \"{CRATES_IO}\"\n"), ""),
        ];
        for (path, text, want) in rows {
            let found = complaints(path, text);
            let as_wanted = match want.is_empty() {
                true => found.is_empty(),
                false => found.len() == 1 && found[0].contains(want),
            };
            assert!(as_wanted, "{path} {text:?}: wanted {want:?}, found {found:?}");
        }
    }

    #[test]
    fn decision_records_are_numbered_without_gaps_and_exist() {
        let rows: &[(&[&str], &str, usize)] = &[
            (&["0001-a.md", "0002-b.md"], concat!("see docs/", "adr/0002"), 0),
            (&["0001-a.md"], concat!("see docs/", "adr/0002"), 1),
            (&["0001-a.md", "0003-b.md"], "", 1),
            (&["0001-a.md", "0001-b.md"], "", 1),
            (&["notes.md"], "", 1),
        ];
        for (names, text, want) in rows {
            let mut files = Files::new();
            for name in *names {
                files.insert(format!("docs/adr/{name}"), Vec::new());
            }
            files.insert("README.md".to_owned(), text.as_bytes().to_vec());
            let found = check_decisions(&files);
            assert_eq!(found.len(), *want, "{names:?} {text:?}: {found:?}");
        }
    }

    #[test]
    fn blobs_are_bounded() {
        assert_eq!(check_blob("a", BLOB_BYTES_MAX), None);
        assert!(check_blob("a", BLOB_BYTES_MAX + 1).is_some());
    }
}
