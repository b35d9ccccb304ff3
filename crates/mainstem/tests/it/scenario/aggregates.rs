//! Aggregate functions row by row against a real Flink: `crates/mainstem-sql/testdata/aggregates/*.flink` holds
//! `query => TYPE | ... => rows` lines that `cargo xtask oracle --expressions` wrote, `no row` for none. Each query is
//! run as it comes and row by row. Types are compared by the tests of the SQL front.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::answer::{Answer, difference, golden};
use super::root;
use super::runs::{ours, runs};

/// The line as a golden file has it; the names of columns are not compared.
fn expected(answer: &str) -> Answer {
    let Some((types, rows)) = answer.split_once(" => ") else {
        return golden(&format!("{answer}\n"), false);
    };
    let columns: Vec<String> = types.split(" | ").map(|_| "c".to_owned()).collect();
    let mut text = format!("-- columns: {}\n", columns.join(" | "));
    for row in rows.split("; ").filter(|row| *row != "no row") {
        text.push_str(&format!("+I {row}\n"));
    }
    golden(&text, false)
}

fn judge(folder: &Path, number: usize, query: &str, answer: &str) -> Vec<String> {
    let file = folder.join(format!("{number}.sql"));
    std::fs::write(&file, format!("{query};\n")).expect("writable");
    let ways = runs(&file, query);
    let mut wrong = Vec::new();
    for run in [&ways[0], &ways[2]] {
        let mut ours = ours(&file, run, false);
        if let Answer::Rows(table) = &mut ours {
            table.columns.iter_mut().for_each(|name| "c".clone_into(name));
        }
        wrong.extend(difference(&expected(answer), &ours).map(|d| format!("{query} ({run})\n{d}")));
    }
    wrong
}

#[test]
fn aggregates_have_flinks_values() {
    let mut lines = Vec::new();
    let data = root().join("crates/mainstem-sql/testdata/aggregates");
    let differences = std::fs::read_to_string(data.join("differences.txt")).expect("readable");
    let excused: Vec<&str> =
        differences.lines().filter_map(|l| l.split_once(" :: ")).map(|(query, _)| query).collect();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(data).expect("readable").map(|e| e.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "flink"));
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(file).expect("readable");
        let pairs = text.lines().filter_map(|line| line.split_once(" => "));
        let pairs = pairs.filter(|(query, _)| !excused.contains(query));
        lines.extend(pairs.map(|(query, answer)| (query.to_owned(), answer.to_owned())));
    }
    assert!(lines.len() > 200, "there are {} rows", lines.len());
    let folder = tempfile::tempdir().expect("a folder");
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((number, (query, answer))) = {
            let number = next.fetch_add(1, Ordering::Relaxed);
            lines.get(number).map(|line| (number, line))
        } {
            let found = judge(folder.path(), number, query, answer);
            wrong.lock().expect("no panic").extend(found);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}
