//! `gen`: the same seed gives the same rows, wherever they go.

use crate::program::Place;

#[test]
fn the_same_seed_gives_the_same_rows() {
    let place = Place::new();
    for set in ["rides", "users", "bookings", "transactions", "sessions"] {
        let rows = |seed: &str| {
            place.ok(&["gen", "--dataset", set, "--count", "50", "--seed", seed, "-q"]).stdout
        };
        let first = rows("7");
        assert_eq!(first.lines().count(), 50, "{set}");
        assert!(first.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{set}");
        assert_ne!(first, rows("8"), "{set}");
        if set == "transactions" {
            assert_eq!(first, rows("7"), "{set}");
        }
    }
}

#[test]
fn to_a_file_or_stdout() {
    let place = Place::new();
    let common = ["gen", "--dataset", "transactions", "--count", "20", "-q"];
    let shown = place.ok(&common).stdout;
    place.ok(&[&common[..], &["--to", "t.jsonl"]].concat());
    assert_eq!(place.read("t.jsonl"), shown);
    let csv = place.ok(&[&common[..], &["--format", "csv"]].concat()).stdout;
    assert!(csv.starts_with("event_timestamp,"), "{csv}");
    assert_eq!(csv.lines().count(), 21);
}

#[test]
fn from_a_table_of_ones_own() {
    let place = Place::with(&[(
        "tables.sql",
        "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'fields.n.kind' = 'sequence',
           'fields.n.start' = '1', 'fields.n.end' = '${LAST:-3}');
         CREATE TABLE names (name STRING) WITH ('connector' = 'faker', 'fields.name.expression' = '#{Name.fullName}');",
    )]);
    let numbers = ["gen", "tables.sql", "--table", "numbers", "-q"];
    assert_eq!(place.ok(&numbers).stdout, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    let two = [&numbers[..], &["--var", "LAST=2"]].concat();
    assert_eq!(place.ok(&two).stdout.lines().count(), 2);
    let one = [&numbers[..], &["--count", "1"]].concat();
    assert_eq!(place.ok(&one).stdout.lines().count(), 1);
    let last = place.ok(&["gen", "tables.sql", "--count", "2", "-q"]).stdout;
    assert!(last.starts_with("{\"name\":"), "{last}");
    let wrong = place.run(&["gen", "tables.sql", "--table", "nope"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("has no table 'nope'"), "{}", wrong.stderr);
}

#[test]
fn rows_come_at_the_rate_that_was_asked_for() {
    let place = Place::new();
    let ran = place.ok(&["gen", "--dataset", "rides", "--count", "30", "--rate", "100000/s"]);
    assert_eq!(ran.stdout.lines().count(), 30);
    assert!(ran.stderr.contains("30 rows"), "{}", ran.stderr);
}
