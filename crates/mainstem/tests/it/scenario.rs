//! Queries against a real Flink: `tests/scenario` and `tests/conformance` hold files of tables and one SELECT; beside each,
//! `.flink` is what a real Flink answered (`cargo xtask oracle FILES` asks again). Ours runs each file in several ways:
//! at several parallelisms, with its input cut into steps row by row and at random, and with new workers after each step. The folded result, a multiset
//! of rows, must be Flink's each time. Where Flink refuses, so must we. tests/conformance/README.md says how to add one.
//!
//! `cargo xtask fuzz-sql` uses the same runner on files that it made up.

mod aggregates;
mod answer;
mod lists;
mod runs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use answer::{Answer, Table, difference, golden};
use lists::Lists;
use runs::{ours, runs};

/// The files of the repository, or those that somebody names.
struct Rules {
    files: Vec<PathBuf>,
    /// The files are random: who refuses one is counted, not wrong, and without Flink's answer ours in one cut counts.
    random: bool,
}

/// What came of a file.
enum Verdict {
    Right,
    /// Refused, as is allowed for this file, with this text.
    Refused(String),
    Wrong(String),
}

pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the workspace is there")
}

impl Rules {
    fn of(places: &[PathBuf], random: bool) -> Self {
        let mut files = Vec::new();
        places.iter().for_each(|place| find(place, &mut files));
        files.sort();
        Self { files, random }
    }

    fn judge(&self, file: &Path, lists: &Lists) -> Verdict {
        let sql = std::fs::read_to_string(file).expect("a scenario is text");
        let in_order = sql.lines().any(|line| line.trim() == "-- compared: in order");
        let text = std::fs::read_to_string(file.with_extension("flink"));
        let runs = runs(file, &sql);
        let expected = match text {
            Ok(text) => golden(&text, in_order),
            Err(_) if self.random => ours(file, &runs[0], in_order),
            Err(e) => {
                let name = file.display();
                return Verdict::Wrong(format!("{name}: {e}; run cargo xtask oracle on it"));
            }
        };
        for run in &runs {
            let answer = ours(file, run, in_order);
            let verdict = match self.random {
                true => judge_random(&expected, &answer),
                false => lists.judge(file, &expected, &answer),
            };
            match verdict {
                Verdict::Right => {}
                Verdict::Refused(reason) => return Verdict::Refused(reason),
                Verdict::Wrong(text) => {
                    return Verdict::Wrong(format!("{} ({run})\n{text}", file.display()));
                }
            }
        }
        Verdict::Right
    }
}

/// A query of a random file may be one that Flink or this version does not run.
fn judge_random(expected: &Answer, answer: &Answer) -> Verdict {
    match (expected, answer) {
        (_, Answer::Refused(ours)) if ours.contains("panicked") || ours.contains("bug in") => {
            Verdict::Wrong(format!("we fail: {ours}"))
        }
        (_, Answer::Refused(ours)) if ours.contains("is not supported") => {
            Verdict::Refused(format!("here: {}", first_line(ours)))
        }
        (Answer::Refused(flink), Answer::Rows(_)) if lists::is_refusal(flink) => {
            Verdict::Refused(format!("by Flink: {flink}"))
        }
        (Answer::Refused(flink), Answer::Rows(_)) if lists::is_planner_failure(flink) => {
            Verdict::Refused("by Flink: its planner fails".to_owned())
        }
        (Answer::Rows(flink), _) if flink.rows.values().any(|count| *count < 0) => {
            Verdict::Refused("by Flink: it takes rows back that are not there".to_owned())
        }
        (Answer::Rows(flink), Answer::Rows(ours)) if is_folded(flink) && ours.rows.is_empty() => {
            Verdict::Refused("by Flink: its planner folds an aggregate of nothing".to_owned())
        }
        _ => match difference(expected, answer) {
            None => Verdict::Right,
            Some(text) => Verdict::Wrong(text),
        },
    }
}

/// A single row of zeros and NULLs. Where Flink's planner sees that the input of an aggregate without keys is empty, it
/// answers what a table would; where its operator never sees a row it answers nothing, as ours does.
fn is_folded(flink: &Table) -> bool {
    let zero = |row: &String| row.split(" | ").all(|value| value == "0" || value == "NULL");
    flink.rows.len() == 1 && flink.rows.iter().all(|(row, count)| *count == 1 && zero(row))
}

/// Without the name of the file, so that the same reasons are the same text.
fn first_line(error: &str) -> &str {
    error.lines().find(|line| line.contains("error")).or(error.lines().next()).unwrap_or(error)
}

fn find(place: &Path, files: &mut Vec<PathBuf>) {
    if place.is_dir() {
        for entry in std::fs::read_dir(place).expect("readable") {
            find(&entry.expect("readable").path(), files);
        }
    } else if place.extension().is_some_and(|e| e == "sql") {
        files.push(place.to_path_buf());
    }
}

/// Runs all SQL files at these places and below them.
pub(crate) fn judge_all(places: &[PathBuf], random: bool) {
    let rules = Rules::of(places, random);
    let lists = Lists::read(&root().join("tests/conformance"));
    assert!(!rules.files.is_empty(), "there are scenarios");
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(BTreeMap::new());
    let refused: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let work = || {
        while let Some(file) = rules.files.get(next.fetch_add(1, Ordering::Relaxed)) {
            match rules.judge(file, &lists) {
                Verdict::Right => {}
                Verdict::Refused(reason) => {
                    *refused.lock().expect("no panic").entry(reason).or_default() += 1;
                }
                Verdict::Wrong(text) => drop(wrong.lock().expect("no panic").insert(file, text)),
            }
        }
    };
    std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    for (reason, count) in refused.into_inner().expect("no panic") {
        println!("{count} x refused {reason}");
    }
    let wrong = wrong.into_inner().expect("no panic");
    if let Some(list) = std::env::var_os("MAINSTEM_SCENARIOS_WRONG") {
        let paths: String = wrong.keys().map(|file| format!("{}\n", file.display())).collect();
        std::fs::write(list, paths).expect("the list can be written");
    }
    let shown: Vec<&str> = wrong.values().take(40).map(String::as_str).collect();
    let total = rules.files.len();
    println!("{total} scenarios, {} differ", wrong.len());
    assert!(wrong.is_empty(), "{} of {total} differ\n{}", wrong.len(), shown.join("\n"));
}

/// `MAINSTEM_SCENARIOS`: other files and folders, a list like PATH; `MAINSTEM_SCENARIOS_RANDOM`: they are random;
/// `MAINSTEM_SCENARIOS_WRONG`: where to write the paths of those that are wrong.
#[test]
fn scenarios_have_flinks_answers() {
    let named = std::env::var_os("MAINSTEM_SCENARIOS");
    let random = std::env::var_os("MAINSTEM_SCENARIOS_RANDOM").is_some();
    match named {
        Some(named) => judge_all(&std::env::split_paths(&named).collect::<Vec<_>>(), random),
        None => judge_all(&[root().join("tests/scenario")], random),
    }
}
