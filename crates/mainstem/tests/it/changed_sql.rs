//! `run --state` with SQL that is not that of the checkpoint: statements come, go and move, and the others go on as if nothing had
//! happened.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::checkpoints::{count_of_numbers, folded, newest, stop_at};
use crate::program::{Place, Ran};

const TABLES: &str = "
SET 'execution.checkpointing.interval' = '100 ms';
CREATE TABLE numbers (n BIGINT, m BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '2000',
  'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '100000000',
  'fields.m.kind' = 'sequence', 'fields.m.start' = '1', 'fields.m.end' = '100000000');
CREATE TABLE files (n BIGINT, m BIGINT) WITH ('connector' = 'filesystem', 'path' = 'files/', 'format' = 'csv');
CREATE TABLE sevens (k BIGINT, c BIGINT) WITH ('connector' = 'filesystem', 'path' = 'sevens/', 'format' = 'debezium-json');
CREATE TABLE threes (k BIGINT, c BIGINT) WITH ('connector' = 'filesystem', 'path' = 'threes/', 'format' = 'debezium-json');
";
const FILES: &str = "INSERT INTO files SELECT n, m FROM numbers;\n";
const SEVENS: &str =
    "INSERT INTO sevens SELECT MOD(n, 7), COUNT(*) FROM numbers GROUP BY MOD(n, 7);\n";
const THREES: &str =
    "INSERT INTO threes SELECT MOD(m, 3), COUNT(*) FROM numbers GROUP BY MOD(m, 3);\n";

/// Runs these statements until there are two more checkpoints, or to the end.
fn run(place: &Place, statements: &[&str], more: &[&str], signal: &str) -> Ran {
    place.write("job.sql", format!("{TABLES}{}", statements.concat()));
    let started = place.start(&[&["run", "job.sql", "--state", "state"], more].concat());
    let state = place.path("state");
    stop_at(started, &state, newest(&state) + 2, signal)
}

fn stopped(place: &Place, statements: &[&str], more: &[&str]) -> Ran {
    let ran = run(place, statements, more, "INT");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

fn refused(place: &Place, statements: &[&str], more: &[&str], parts: &[&str]) {
    let ran = run(place, statements, more, "INT");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    parts.iter().for_each(|part| assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr));
}

fn count_of_files(place: &Place) -> i64 {
    count_of_numbers(&place.path("files"))
}

/// How many of the numbers have each remainder.
fn remainders(numbers: impl Iterator<Item = i64>, by: i64) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    numbers.for_each(|n| *counts.entry(n % by).or_insert(0) += 1);
    let row = |(k, c): (i64, i64)| {
        let mut row = String::new();
        write!(row, "{{\"k\":{k},\"c\":{c}}}").unwrap();
        (row, 1)
    };
    counts.into_iter().map(row).collect()
}

#[test]
fn statements_come_and_go_beside_others() {
    let place = Place::new();
    stopped(&place, &[FILES, SEVENS], &[]);
    let before = count_of_files(&place);
    assert_eq!(folded(&place.path("sevens")), remainders(1..=before, 7));

    // Another order, and nothing has changed.
    let ran = stopped(&place, &[SEVENS, FILES], &[]);
    assert!(ran.stderr.contains("going on from checkpoint"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("the SQL is not"), "{}", ran.stderr);
    let before = count_of_files(&place);
    assert_eq!(folded(&place.path("sevens")), remainders(1..=before, 7));

    let all = [THREES, SEVENS, FILES];
    let parts = [
        "is of other SQL",
        "threes: new",
        "= Aggregate(",
        "+ Aggregate(",
        "--changed-sql continue",
    ];
    refused(&place, &all, &[], &parts);
    let ran = stopped(&place, &all, &["--changed-sql", "continue"]);
    assert!(ran.stderr.contains("threes is new"), "{}", ran.stderr);
    assert!(ran.stderr.contains("begin with nothing: Aggregate("), "{}", ran.stderr);
    let after = count_of_files(&place);
    assert!(after > before);
    assert_eq!(folded(&place.path("sevens")), remainders(1..=after, 7));
    assert_eq!(folded(&place.path("threes")), remainders(before + 1..=after, 3));

    refused(&place, &[SEVENS], &[], &["files: gone", "threes: gone", "- Aggregate("]);
    let ran = stopped(&place, &[SEVENS], &["--changed-sql", "continue"]);
    assert!(ran.stderr.contains("threes is gone, files is gone"), "{}", ran.stderr);
    let sevens = folded(&place.path("sevens"));
    let all = sum(&sevens);
    assert!(all > after);
    assert_eq!(sevens, remainders(1..=all, 7));
    assert_eq!(count_of_files(&place), after);
}

#[test]
fn a_query_that_has_changed_begins_with_nothing_if_that_is_allowed() {
    let place = Place::new();
    stopped(&place, &[FILES, SEVENS], &[]);
    let before = count_of_files(&place);
    let odd = SEVENS.replace("GROUP", "WHERE MOD(n, 2) = 1 GROUP");
    refused(&place, &[FILES, &odd], &[], &["sevens: changed", "+ Aggregate(", "- Aggregate("]);
    stopped(&place, &[FILES, &odd], &["--changed-sql", "continue"]);
    let after = count_of_files(&place);
    let mut both = remainders(1..=before, 7);
    for (row, weight) in remainders((before + 1..=after).filter(|n| n % 2 == 1), 7) {
        *both.entry(row).or_insert(0) += weight;
    }
    assert_eq!(folded(&place.path("sevens")), both);
}

/// All that was counted.
fn sum(rows: &BTreeMap<String, i64>) -> i64 {
    let count = |row: &String| row.rsplit_once(':')?.1.trim_end_matches('}').parse::<i64>().ok();
    rows.keys().map(|row| count(row).unwrap()).sum()
}

#[test]
fn what_is_new_is_built_from_tables_that_are_read_again() {
    let place = Place::new();
    stopped(&place, &[FILES, SEVENS], &[]);
    let before = count_of_files(&place);
    let all = [THREES, SEVENS, FILES];
    let ran = stopped(&place, &all, &["--changed-sql", "rebuild"]);
    assert!(
        ran.stderr.contains("are built from what their tables give again: Aggregate("),
        "{}",
        ran.stderr
    );
    // Each reading is where it is when the next process goes on, whatever the order of statements.
    run(&place, &all, &["-p", "2"], "KILL");
    let ran = stopped(&place, &[FILES, THREES, SEVENS], &[]);
    assert!(!ran.stderr.contains("the SQL is not"), "{}", ran.stderr);
    let (files, sevens) = (count_of_files(&place), folded(&place.path("sevens")));
    let threes = folded(&place.path("threes"));
    assert!(files > before && sum(&threes) < files && sum(&threes) > 0);
    assert_eq!(sevens, remainders(1..=files, 7));
    assert_eq!(threes, remainders(1..=sum(&threes), 3));

    // A query that has changed takes a reading of its own, and its rows come again.
    let odd = SEVENS.replace("GROUP", "WHERE MOD(n, 2) = 1 GROUP");
    stopped(&place, &[FILES, THREES, &odd], &["--changed-sql", "rebuild"]);
    let mut again = folded(&place.path("sevens"));
    for (row, weight) in sevens {
        *again.entry(row).or_insert(0) -= weight;
    }
    again.retain(|_, weight| *weight != 0);
    let counted = sum(&again);
    assert!(counted > 0 && counted * 2 < files);
    let odds = |end: i64| remainders((1..=end).filter(|n| n % 2 == 1), 7);
    assert!(again == odds(2 * counted) || again == odds(2 * counted - 1), "{again:?}");
    let threes = folded(&place.path("threes"));
    assert_eq!(threes, remainders(1..=sum(&threes), 3));
    count_of_files(&place);
}

#[test]
fn rows_that_nobody_would_show_need_the_old_sql() {
    let place = Place::new();
    run(&place, &[FILES, SEVENS], &[], "KILL");
    let allowed = ["--changed-sql", "continue"];
    refused(
        &place,
        &[SEVENS],
        &allowed,
        &["rows for files that may not be shown yet", "stop with Ctrl-C"],
    );
    stopped(&place, &[FILES, SEVENS], &[]);
    let numbers = count_of_files(&place);
    assert_eq!(folded(&place.path("sevens")), remainders(1..=numbers, 7));
    stopped(&place, &[SEVENS], &allowed);
}
