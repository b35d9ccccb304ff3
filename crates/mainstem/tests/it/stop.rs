//! Ctrl-C: the first finishes what was read, the second stops at once.

use crate::program::Place;

const WINDOWS: &str = "
CREATE TABLE src (a INT, at TIMESTAMP(3), WATERMARK FOR at AS at)
WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json', 'source.monitor-interval' = '50 ms');
SELECT window_start, SUM(a) AS total FROM TABLE(TUMBLE(TABLE src, DESCRIPTOR(at), INTERVAL '3' SECOND))
GROUP BY window_start, window_end;
";

fn windows() -> Place {
    let place = Place::with(&[("job.sql", WINDOWS)]);
    std::fs::create_dir(place.path("in")).unwrap();
    place.write(
        "in/1.json",
        "{\"a\":1,\"at\":\"2024-01-01 00:00:00\"}\n{\"a\":2,\"at\":\"2024-01-01 00:00:02\"}\n\
         {\"a\":3,\"at\":\"2024-01-01 00:00:05\"}\n",
    );
    place
}

#[test]
fn the_first_one_drains_and_leaves_windows_open() {
    let place = windows();
    let mut started = place.start(&["run", "job.sql"]);
    assert_eq!(started.line(), "window_start\ttotal");
    assert_eq!(started.line(), "2024-01-01 00:00:00.000\t3");
    started.signal("INT");
    let ran = started.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("stopped after"), "{}", ran.stderr);
}

#[test]
fn windows_are_closed_when_asked() {
    let place = windows();
    let mut started = place.start(&["run", "job.sql", "--close-windows"]);
    assert_eq!(started.line(), "window_start\ttotal");
    assert_eq!(started.line(), "2024-01-01 00:00:00.000\t3");
    started.signal("TERM");
    let ran = started.end();
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "2024-01-01 00:00:03.000\t3\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn what_was_read_is_written() {
    let place = Place::with(&[(
        "job.sql",
        "CREATE TABLE g (a BIGINT, b INT) WITH ('connector' = 'datagen', 'fields.a.kind' = 'sequence',
           'fields.a.start' = '1', 'fields.a.end' = '1000000000');
         CREATE TABLE f (a BIGINT) WITH ('connector' = 'filesystem', 'path' = 'out.csv', 'format' = 'csv');
         CREATE TABLE p (a BIGINT) WITH ('connector' = 'print');
         INSERT INTO f SELECT a FROM g;
         INSERT INTO p SELECT a FROM g WHERE a = 1;",
    )]);
    let mut started = place.start(&["run", "job.sql"]);
    assert_eq!(started.line(), "+I[1]");
    started.signal("INT");
    let ran = started.end();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = place.read("out.csv");
    let rows = text.lines().count();
    let expected: String = (1..=rows).map(|n| format!("{n}\n")).collect();
    assert!(text == expected, "rows are missing or doubled");
    assert!(ran.stderr.contains(&format!("f  {rows} rows")), "{}", ran.stderr);
}

#[test]
fn the_second_one_stops_at_once() {
    // Nobody reads what it prints, so it cannot drain.
    let place = Place::with(&[(
        "job.sql",
        "CREATE TABLE g (a BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '-1'); SELECT a FROM g;",
    )]);
    let mut started = place.start(&["run", "job.sql"]);
    assert_eq!(started.line(), "a");
    // The first rows fill the pipe.
    assert!(!started.line().is_empty());
    assert_eq!(started.end_by_signals("INT"), 130);
}

#[test]
fn one_is_enough_while_nothing_has_started() {
    let place = Place::with(&[(
        "job.sql",
        "CREATE TABLE g (a INT) WITH ('connector' = 'datagen');
         CREATE TABLE d (a INT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://127.0.0.1:1/x',
           'table-name' = 't', 'username' = 'u', 'password' = 'p');
         INSERT INTO d SELECT a FROM g;",
    )]);
    let mut started = place.start(&["run", "job.sql"]);
    let notice = started.notice();
    assert!(notice.starts_with("d: cannot reach PostgreSQL at 127.0.0.1:1"), "{notice}");
    started.signal("INT");
    let ran = started.end();
    assert_eq!((ran.code, ran.stderr.as_str()), (130, "stopped before it had started\n"));
}
