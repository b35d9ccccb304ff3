//! What a bare SELECT looks like, and the commands that only print.

use crate::program::Place;

const SELECT: &str = "SELECT * FROM (VALUES (1, 'x'), (2, CAST(NULL AS STRING))) AS t (n, s);";

#[test]
fn every_kind_of_output() {
    let place = Place::with(&[("q.sql", SELECT)]);
    for (kind, expected) in [
        ("tsv", "n\ts\n1\tx\n2\t\\N\n"),
        ("csv", "n,s\n1,x\n2,\n"),
        ("json", "{\"n\":1,\"s\":\"x\"}\n{\"n\":2,\"s\":null}\n"),
        ("changelog", "+I[1, x]\n+I[2, null]\n"),
        (
            "table",
            "+----------+----------+\n|        n | s        |\n+----------+----------+\n\
             |        1 | x        |\n|        2 | <NULL>   |\n+----------+----------+\n",
        ),
    ] {
        assert_eq!(place.ok(&["run", "q.sql", "-q", "--output", kind]).stdout, expected, "{kind}");
    }
}

#[test]
fn changes_have_an_op() {
    let place = Place::with(&[(
        "q.sql",
        "SELECT s, COUNT(*) AS n FROM (VALUES ('x'), ('y'), ('x')) AS t (s) GROUP BY s;",
    )]);
    let ran = place.ok(&["run", "q.sql", "-q"]);
    assert_eq!(ran.sorted(), ["+I\tx\t2", "+I\ty\t1", "op\ts\tn"]);
}

#[test]
fn a_reader_that_leaves_is_no_fault() {
    let place = Place::with(&[
        ("select.sql", "CREATE TABLE g (a INT) WITH ('connector' = 'datagen'); SELECT a FROM g;"),
        (
            "print.sql",
            "CREATE TABLE g (a INT) WITH ('connector' = 'datagen');
             CREATE TABLE p (a INT) WITH ('connector' = 'print'); INSERT INTO p SELECT a FROM g;",
        ),
    ]);
    for arguments in
        [&["run", "select.sql"][..], &["run", "print.sql"], &["gen", "--dataset", "rides"]]
    {
        let mut started = place.start(arguments);
        assert!(!started.line().is_empty());
        let ran = started.end_without_stdout();
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn lists_come_from_the_specs() {
    let place = Place::new();
    let all = place.ok(&["connectors"]).stdout;
    for name in ["kafka", "filesystem", "faker", "json", "csv"] {
        assert!(all.contains(name), "{name}");
    }
    let kafka = place.ok(&["connectors", "kafka"]).stdout;
    assert!(kafka.contains("'scan.startup.mode'"), "{kafka}");
    let json = place.ok(&["connectors", "json"]).stdout;
    assert!(json.contains("'json.ignore-parse-errors'"), "{json}");
    let wrong = place.run(&["connectors", "kafak"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("did you mean 'kafka'?"), "{}", wrong.stderr);
    assert!(place.ok(&["functions", "regexp"]).stdout.contains("REGEXP_REPLACE("));
}

#[test]
fn explain_names_the_workers() {
    let place = Place::with(&[(
        "q.sql",
        "CREATE TABLE g (a INT) WITH ('connector' = 'datagen'); SELECT a FROM g;",
    )]);
    assert!(place.ok(&["explain", "q.sql"]).stdout.contains("parallelism=[1]"));
    let plan = place.ok(&["explain", "q.sql", "-p", "3"]).stdout;
    assert!(plan.contains("parallelism=[3]") && plan.contains("TableSourceScan(g"), "{plan}");
}

#[test]
fn help_teaches() {
    let place = Place::new();
    for command in ["run", "check", "explain", "gen", "connectors", "functions"] {
        let help = place.ok(&[command, "--help"]).stdout;
        assert!(help.contains("Usage: mainstem"), "{command}: {help}");
    }
    assert!(place.ok(&["--help"]).stdout.contains("Exit codes"));
    assert_eq!(place.run(&["runn"]).code, 2);
}

#[test]
fn a_full_disk_is_a_failure() {
    let place = Place::with(&[("q.sql", SELECT)]);
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let output = place.command(&["run", "q.sql"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error: cannot write to stdout"));
}
