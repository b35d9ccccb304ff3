//! Queries against a real Flink: every `tests/scenario/*.sql` holds tables and one SELECT; beside it, `.flink` is what
//! a real Flink answered (`cargo xtask oracle tests/scenario/*.sql` asks again). Ours runs each file at several
//! parallelisms; the folded result, a multiset of rows, must be Flink's. Where Flink refuses, so must we.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rows with how often they are there.
type Rows = BTreeMap<String, i64>;

enum Answer {
    Rows(Rows),
    Refused(String),
}

fn change(rows: &mut Rows, kind: &str, row: String) {
    let weight = if matches!(kind, "+I" | "+U") { 1 } else { -1 };
    let count = rows.entry(row).or_default();
    *count += weight;
}

/// A number with many digits behind the point, to 12 significant ones: the last digits of a sum of DOUBLEs depend on
/// the order of the rows, which neither engine promises.
fn rounded(value: &str) -> String {
    match (value.split_once('.'), value.parse::<f64>()) {
        (Some((_, fraction)), Ok(number)) if fraction.len() >= 6 => format!("{number:.11e}"),
        _ => value.to_owned(),
    }
}

fn settled(mut rows: Rows) -> Answer {
    rows.retain(|_, count| *count != 0);
    Answer::Rows(rows)
}

fn golden(text: &str) -> Answer {
    let mut rows = Rows::new();
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with("-- ")) {
        if let Some(error) = line.strip_prefix("error: ") {
            return Answer::Refused(error.to_owned());
        }
        let (kind, row) = line.split_once(' ').expect("a change and its values");
        change(&mut rows, kind, row.split(" | ").map(rounded).collect::<Vec<_>>().join(" | "));
    }
    settled(rows)
}

fn ours(file: &Path, parallelism: &str) -> Answer {
    let folder = file.parent().expect("a file in a folder").display();
    let output = Command::new(env!("CARGO_BIN_EXE_mainstem"))
        .args(["run", "--quiet", "--output", "tsv", "--parallelism", parallelism])
        .arg("--var")
        .arg(format!("DIR={folder}"))
        .arg(file)
        .output()
        .expect("the binary runs");
    if !output.status.success() {
        return Answer::Refused(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut lines = text.lines();
    let changelog = lines.next().is_some_and(|header| header.split('\t').next() == Some("op"));
    let mut rows = Rows::new();
    for line in lines {
        let (kind, row) =
            if changelog { line.split_once('\t').expect("op, then values") } else { ("+I", line) };
        let values: Vec<String> = row
            .split('\t')
            .map(|v| if v == "\\N" { "NULL".to_owned() } else { rounded(v) })
            .collect();
        change(&mut rows, kind, values.join(" | "));
    }
    settled(rows)
}

fn difference(flink: &Answer, ours: &Answer) -> Option<String> {
    match (flink, ours) {
        (Answer::Refused(_), Answer::Refused(_)) => None,
        (Answer::Refused(error), Answer::Rows(_)) => Some(format!("Flink refuses: {error}")),
        (Answer::Rows(_), Answer::Refused(error)) => Some(format!("we refuse: {error}")),
        (Answer::Rows(flink), Answer::Rows(ours)) => {
            let missing: Vec<String> = flink
                .iter()
                .filter(|(row, n)| ours.get(*row) != Some(n))
                .map(|(row, n)| format!("  flink {n} x {row}"))
                .collect();
            let extra: Vec<String> = ours
                .iter()
                .filter(|(row, n)| flink.get(*row) != Some(n))
                .map(|(row, n)| format!("  ours  {n} x {row}"))
                .collect();
            let shown: Vec<String> =
                missing.into_iter().take(4).chain(extra.into_iter().take(4)).collect();
            (!shown.is_empty()).then(|| shown.join("\n"))
        }
    }
}

/// All scenarios, or those that `MAINSTEM_SCENARIOS` names (a list like PATH).
fn files() -> Vec<PathBuf> {
    if let Some(named) = std::env::var_os("MAINSTEM_SCENARIOS") {
        return std::env::split_paths(&named).collect();
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenario");
    let folder = folder.canonicalize().expect("the folder is part of the repository");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "sql"))
        .collect();
    files.sort();
    files
}

#[test]
fn scenarios_have_flinks_answers() {
    let files = files();
    assert!(!files.is_empty(), "there are scenarios");
    let mut wrong = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file.with_extension("flink")).unwrap_or_else(|e| {
            panic!("{}: {e}; run cargo xtask oracle on it", file.display());
        });
        let flink = golden(&text);
        for parallelism in ["1", "2", "3"] {
            if let Some(text) = difference(&flink, &ours(file, parallelism)) {
                let name = file.file_name().expect("a file").to_string_lossy();
                wrong.push(format!("{name} (parallelism {parallelism})\n{text}"));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), files.len(), wrong.join("\n"));
}
