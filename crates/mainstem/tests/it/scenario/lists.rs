//! The exceptions: `differences.txt`, where we answer otherwise than Flink on purpose or Flink is wrong, and
//! `not_yet.txt`, what we refuse and Flink runs. A line is `FILE :: TEXT`, `#` opens a comment.
//! Invariant: a line that no longer holds fails the test, as a missing one does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Verdict;
use super::answer::{Answer, difference};

/// By path below the folder, without its end.
type Entries = BTreeMap<String, String>;

pub(super) struct Lists {
    folder: PathBuf,
    differences: Entries,
    not_yet: Entries,
}

/// Whether an error of Flink says that it does not run such a query, and not that the query failed while it ran.
pub(super) fn is_refusal(flink: &str) -> bool {
    let class = flink.split(':').next().unwrap_or_default();
    let refusals = ["ValidationException", "TableException", "UnsupportedOperationException"];
    class.contains("Sql") || class.contains("Calcite") || refusals.contains(&class)
}

/// Whether an error of Flink is one inside its planner: it neither refuses the query nor has run it.
pub(super) fn is_planner_failure(flink: &str) -> bool {
    let class = flink.split(':').next().unwrap_or_default();
    ["IllegalArgumentException", "AssertionError"].contains(&class)
}

impl Lists {
    pub(super) fn read(folder: &Path) -> Self {
        let entries = |name: &str| -> Entries {
            let text = std::fs::read_to_string(folder.join(name)).expect("the list is there");
            let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
            let entry = |line: &str| {
                let (file, text) = line.split_once(" :: ").expect("FILE :: TEXT");
                assert!(folder.join(file).with_extension("sql").is_file(), "{name}: no {file}");
                (file.to_owned(), text.to_owned())
            };
            lines.map(entry).collect()
        };
        let (differences, not_yet) = (entries("differences.txt"), entries("not_yet.txt"));
        Self { folder: folder.to_path_buf(), differences, not_yet }
    }

    pub(super) fn judge(&self, file: &Path, flink: &Answer, ours: &Answer) -> Verdict {
        let name = file.strip_prefix(&self.folder).unwrap_or(file).with_extension("");
        let name = name.to_string_lossy();
        let found = difference(flink, ours);
        if let Some(refusal) = self.not_yet.get(name.as_ref()) {
            return match ours {
                Answer::Refused(error) if error.contains(refusal) => {
                    Verdict::Refused(format!("here: {refusal}"))
                }
                Answer::Refused(error) => {
                    Verdict::Wrong(format!("not_yet.txt says '{refusal}', we say {error}"))
                }
                Answer::Rows(_) => Verdict::Wrong(format!(
                    "it runs: take it out of not_yet.txt{}",
                    found.map(|text| format!("; it differs\n{text}")).unwrap_or_default()
                )),
            };
        }
        match (found, self.differences.contains_key(name.as_ref())) {
            (None, false) | (Some(_), true) => Verdict::Right,
            (None, true) => Verdict::Wrong("no difference: take it out of differences.txt".into()),
            (Some(text), false) => Verdict::Wrong(text),
        }
    }
}
