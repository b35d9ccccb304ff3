//! `check`, and that `run` refuses the same things with the same words before it starts anything.

use crate::program::Place;

/// Text, and what stderr must say of it.
fn check_refused(sql: &str, expected: &str) {
    let place = Place::with(&[("job.sql", sql)]);
    for command in ["check", "run"] {
        let ran = place.run(&[command, "job.sql"]);
        assert_eq!(ran.code, 2, "{command} {sql}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{command}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn a_good_file_is_said_to_be_good() {
    let place = Place::with(&[(
        "job.sql",
        "CREATE TABLE g (a INT) WITH ('connector' = 'datagen'); SELECT a FROM g;",
    )]);
    let ran = place.ok(&["check", "job.sql"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", "job.sql: ok (2 statements)\n"));
}

#[test]
fn nothing_is_connected_to() {
    let place = Place::with(&[(
        "job.sql",
        "CREATE TABLE k (a INT) WITH ('connector' = 'kafka', 'topic' = 't', 'format' = 'json',
           'scan.startup.mode' = 'earliest-offset',
           'properties.bootstrap.servers' = 'nowhere.invalid:9092');
         CREATE TABLE f (a INT) WITH ('connector' = 'filesystem', 'path' = 'missing', 'format' = 'json');
         INSERT INTO f SELECT a FROM k;",
    )]);
    place.ok(&["check", "job.sql"]);
}

#[test]
fn malformed_sql_has_a_caret() {
    check_refused(
        "SELECT 1;\nSELEC 2;",
        " --> job.sql:2:1\n  |\n2 | SELEC 2;\n  | ^^^^^\nhint: did you mean SELECT?",
    );
}

#[test]
fn all_errors_are_told() {
    let place = Place::with(&[("job.sql", "SELEC 1; SELECT nope; SELECT * FROM missing;")]);
    let ran = place.run(&["check", "job.sql"]);
    assert_eq!(ran.stderr.matches("error: ").count(), 3, "{}", ran.stderr);
    assert!(ran.stderr.ends_with("3 errors; nothing was started\n"), "{}", ran.stderr);
}

#[test]
fn unknown_connector() {
    check_refused(
        "CREATE TABLE t (a INT)\nWITH ('connector' = 'filesystm', 'path' = 'x');\nSELECT * FROM t;",
        "hint: did you mean 'filesystem'?",
    );
}

#[test]
fn unknown_column_and_type_clash() {
    const TABLE: &str =
        "CREATE TABLE t (amount INT, at TIMESTAMP(3)) WITH ('connector' = 'datagen');\n";
    check_refused(&format!("{TABLE}SELECT amuont FROM t;"), "hint: did you mean 'amount'?");
    check_refused(&format!("{TABLE}SELECT at + amount FROM t;"), " --> job.sql:2:8");
}

#[test]
fn missing_option() {
    check_refused(
        "CREATE TABLE t (a INT) WITH (\n  'connector' = 'filesystem',\n  'format' = 'json');\nSELECT a FROM t;",
        "error: option 'path' is missing for connector 'filesystem'",
    );
}

#[test]
fn unknown_option_stands_under_its_key() {
    check_refused(
        "CREATE TABLE t (a INT) WITH (\n  'connector' = 'filesystem', 'path' = 'x', 'format' = 'json',\n  \
         'json.ignore-parse-errrs' = 'true');\nSELECT a FROM t;",
        " --> job.sql:3:3\n  |\n3 |   'json.ignore-parse-errrs' = 'true');\n  |   ^^^^^^^^^^^^^^^^^^^^^^^^^\n\
         hint: did you mean 'json.ignore-parse-errors'?",
    );
}

#[test]
fn wrong_option_value_stands_under_its_value() {
    check_refused(
        "CREATE TABLE t (a INT) WITH ('connector' = 'datagen', 'rows-per-second' = 'fast');\nSELECT a FROM t;",
        "  |                                                                           ^^^^^^",
    );
}

#[test]
fn tables_that_no_query_uses_are_checked_too() {
    check_refused(
        "CREATE TABLE t (a INT) WITH ('connector' = 'datagen', 'nope' = 'x');\nSELECT 1 AS one;",
        "unknown option 'nope'",
    );
}

#[test]
fn missing_files_and_variables() {
    let place = Place::with(&[("job.sql", "SELECT '${WHO_IS_IT}';")]);
    let ran = place.run(&["check", "nothing.sql"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.stderr, "error: cannot read 'nothing.sql': there is no such file\n");
    let ran = place.run(&["check", "job.sql"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("variable 'WHO_IS_IT' has no value"), "{}", ran.stderr);
    assert!(ran.stderr.contains("job.sql:1:9"), "{}", ran.stderr);
}

#[test]
fn wrong_usage() {
    let place = Place::with(&[("q.sql", "SELECT 1;")]);
    for arguments in [
        &["run"][..],
        &["run", "q.sql", "--var", "A"],
        &["run", "q.sql", "--parallelism", "0"],
        &["gen"],
        &["gen", "--dataset", "nope"],
        &["gen", "--dataset", "rides", "--to", "s3://x"],
    ] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}");
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
}
