//! Data that is not as declared: never a panic, never a hang, never a silent loss.

use crate::program::{Place, Ran};

const GOOD: &str = "{\"a\":1}\n";

fn run(data: &[u8], options: &str) -> (Place, Ran) {
    let sql = format!(
        "CREATE TABLE t (a INT) WITH ('connector' = 'filesystem', 'path' = 'in.jsonl', 'format' = 'json' {options});
         SELECT a FROM t;"
    );
    let place = Place::with(&[("job.sql", &sql)]);
    place.write("in.jsonl", data);
    let ran = place.run(&["run", "job.sql"]);
    (place, ran)
}

/// Data with a good first and a good third record around a bad one.
fn around(bad: &[u8]) -> Vec<u8> {
    [GOOD.as_bytes(), bad, b"\n{\"a\":3}\n"].concat()
}

#[test]
fn bad_records_follow_the_policy() {
    for bad in [
        &b"{\"a\":"[..],
        b"{\"a\":tru}",
        b"{\"a\":\"x\"}",
        b"{\"a\":99999999999999999999}",
        b"{\"a\":[1,2]}",
        b"nonsense",
        b"{\"a\":1,\"b\":\"\xff\xfe\"}",
    ] {
        let data = around(bad);
        let text = String::from_utf8_lossy(bad).into_owned();

        let (_, ran) = run(&data, "");
        assert_eq!(ran.code, 1, "{text}");
        assert!(
            ran.stderr.contains("error: table 't': bad record: in.jsonl, line 2"),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("hint: mend the record"), "{}", ran.stderr);

        let (_, ran) = run(&data, ", 'mainstem.bad-records' = 'skip'");
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "a\n1\n3\n"), "{text}: {}", ran.stderr);
        assert!(ran.stderr.contains("1 bad records skipped"), "{}", ran.stderr);

        let options =
            ", 'mainstem.bad-records' = 'dead-letter', 'mainstem.dead-letter.path' = 'bad.jsonl'";
        let (place, ran) = run(&data, options);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "a\n1\n3\n"), "{text}: {}", ran.stderr);
        assert!(ran.stderr.contains("1 bad records kept as dead letters"), "{}", ran.stderr);
        let letters = place.read("bad.jsonl");
        assert_eq!(letters.lines().count(), 1, "{letters}");
        assert!(
            letters.starts_with("{\"table\":\"t\",\"place\":\"in.jsonl, line 2\""),
            "{letters}"
        );
    }
}

#[test]
fn missing_and_extra_fields_are_fine() {
    let (_, ran) = run(b"{}\n{\"z\":{\"y\":[1]},\"a\":2}\n", "");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "a\n\\N\n2\n"), "{}", ran.stderr);
}

#[test]
fn deep_nesting_is_bounded() {
    let deep = format!("{{\"z\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
    let (_, ran) = run(&around(deep.as_bytes()), ", 'mainstem.bad-records' = 'skip'");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "a\n1\n3\n"), "{}", ran.stderr);
}

#[test]
fn long_lines_are_bounded() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(3 << 20));
    let limit = "'mainstem.record-bytes-max' = '1 mb'";
    let (_, ran) = run(&around(long.as_bytes()), &format!(", {limit}"));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("in.jsonl, line 2"), "{}", ran.stderr);
    let (_, ran) =
        run(&around(long.as_bytes()), &format!(", {limit}, 'mainstem.bad-records' = 'skip'"));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "a\n1\n3\n"), "{}", ran.stderr);
}

#[test]
fn a_missing_file_is_named() {
    let place = Place::with(&[(
        "job.sql",
        "CREATE TABLE t (a INT) WITH ('connector' = 'filesystem', 'path' = 'gone.jsonl', 'format' = 'json');
         SELECT a FROM t;",
    )]);
    let ran = place.run(&["run", "job.sql"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("'gone.jsonl' does not exist"), "{}", ran.stderr);
}

#[test]
fn a_dead_letter_file_that_cannot_be_written_stops_the_job() {
    let options = ", 'mainstem.bad-records' = 'dead-letter', \
                   'mainstem.dead-letter.path' = 'job.sql/bad.jsonl'";
    let (_, ran) = run(GOOD.as_bytes(), options);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("cannot be written"), "{}", ran.stderr);
}

#[test]
fn a_failed_cast_names_the_value() {
    let place = Place::with(&[(
        "job.sql",
        "SELECT CAST(s AS INT) AS n FROM (VALUES ('12'), ('x')) AS t (s);",
    )]);
    let ran = place.run(&["run", "job.sql"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("'x'"), "{}", ran.stderr);
}

#[test]
fn a_late_row_is_left_out_and_counted() {
    let place = Place::with(&[(
        "job.sql",
        "CREATE TABLE t (ts TIMESTAMP(3), pad STRING, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
           WITH ('connector' = 'filesystem', 'path' = 'in.jsonl', 'format' = 'json');
         SELECT window_start, COUNT(*) AS n
         FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))
         GROUP BY window_start, window_end;",
    )]);
    // More than the queues hold between the rows on time and the late one, so that a step lies between them.
    let on_time = format!("{{\"ts\":\"2024-01-01 00:01:00\",\"pad\":\"{}\"}}\n", "x".repeat(1000));
    let late = "{\"ts\":\"2024-01-01 00:00:05\",\"pad\":\"\"}\n";
    place.write("in.jsonl", (on_time.repeat(16_000) + late).as_bytes());
    let ran = place.ok(&["run", "job.sql"]);
    assert_eq!(ran.stdout, "window_start\tn\n2024-01-01 00:01:00.000\t16000\n");
    assert!(ran.stderr.contains("1 late rows left out"), "{}", ran.stderr);
}
