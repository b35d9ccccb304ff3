//! Bounded jobs over files, from start to end.

use crate::program::Place;

const TABLES: &str = "
CREATE TABLE src (a INT, b STRING, at TIMESTAMP(3), WATERMARK FOR at AS at)
WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json');
CREATE TABLE dst (a INT, b STRING)
WITH ('connector' = 'filesystem', 'path' = 'out.jsonl', 'format' = 'json');
";

fn place(rest: &str) -> Place {
    let place = Place::with(&[("job.sql", &format!("{TABLES}{rest}"))]);
    std::fs::create_dir(place.path("in")).unwrap();
    place.write(
        "in/1.json",
        "{\"a\":1,\"b\":\"x\",\"at\":\"2024-01-01 00:00:00\"}\n\
         {\"a\":2,\"b\":\"y\",\"at\":\"2024-01-01 00:00:01\"}\n",
    );
    place.write("in/2.json", "{\"a\":3,\"b\":\"y\",\"at\":\"2024-01-01 00:00:04\"}\n");
    place
}

#[test]
fn a_file_becomes_a_file() {
    let place = place("INSERT INTO dst SELECT a * 2, UPPER(b) FROM src WHERE a > 1;");
    let ran = place.ok(&["run", "job.sql"]);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.starts_with("done in "), "{}", ran.stderr);
    assert!(ran.stderr.contains("3 records"), "{}", ran.stderr);
    let text = place.read("out.jsonl");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["{\"a\":4,\"b\":\"Y\"}", "{\"a\":6,\"b\":\"Y\"}"]);
}

#[test]
fn windows_close_at_the_end_of_input() {
    let place = place(
        "SELECT window_start, SUM(a) AS total FROM TABLE(TUMBLE(TABLE src, DESCRIPTOR(at), INTERVAL '3' SECOND))
         GROUP BY window_start, window_end;",
    );
    let expected = "window_start\ttotal\n2024-01-01 00:00:00.000\t3\n2024-01-01 00:00:03.000\t3\n";
    assert_eq!(place.ok(&["run", "job.sql", "--quiet"]).stdout, expected);
    for workers in ["2", "3"] {
        let ran = place.ok(&["run", "job.sql", "-q", "-p", workers]);
        let mut lines: Vec<&str> = expected.lines().collect();
        lines.sort_unstable();
        assert_eq!(ran.sorted(), lines, "{workers} workers");
    }
}

#[test]
fn several_statements_run_together() {
    let place = place(
        "CREATE TABLE other WITH ('path' = 'other.jsonl') LIKE dst (OVERWRITING OPTIONS);
         EXECUTE STATEMENT SET BEGIN
           INSERT INTO dst SELECT a, b FROM src WHERE a = 1;
           INSERT INTO other SELECT a + 100, b FROM src WHERE a = 1;
         END;",
    );
    place.ok(&["run", "job.sql", "-q"]);
    assert_eq!(place.read("out.jsonl"), "{\"a\":1,\"b\":\"x\"}\n");
    assert_eq!(place.read("other.jsonl"), "{\"a\":101,\"b\":\"x\"}\n");
}

#[test]
fn more_files_than_are_read_at_once() {
    let place = place("SELECT COUNT(*) AS n, SUM(a) AS s FROM src;");
    for file in 0..40 {
        place.write(
            &format!("in/many-{file}.json"),
            "{\"a\":10,\"b\":\"z\",\"at\":\"2024-01-01 00:00:00\"}\n".repeat(100),
        );
    }
    let ran = place.ok(&["run", "job.sql", "-q"]);
    // The first row of the answer, if one step has read all of them, or else a change of it.
    let last = ran.stdout.lines().last().and_then(|line| line.split_once('\t'));
    assert_eq!(last.map(|(_, row)| row), Some("4003\t40006"), "{}", ran.stdout);
}

#[test]
fn empty_input_ends_well() {
    let place = place("SELECT a FROM src;");
    for file in ["in/1.json", "in/2.json"] {
        place.write(file, "");
    }
    assert_eq!(place.ok(&["run", "job.sql", "-q"]).stdout, "a\n");
}

#[test]
fn scripts_from_stdin_and_variables() {
    let place = Place::with(&[("one.sql", "SELECT '${WHO:-nobody}' AS who;")]);
    assert_eq!(place.ok(&["run", "one.sql", "-q"]).stdout, "who\nnobody\n");
    let mut command = place.command(&["run", "one.sql", "-q"]);
    let output = command.env("WHO", "env").output().unwrap();
    assert_eq!(output.stdout, b"who\nenv\n");
    let mut command = place.command(&["run", "one.sql", "-q", "--var", "WHO=flag"]);
    let output = command.env("WHO", "env").output().unwrap();
    assert_eq!(output.stdout, b"who\nflag\n");
    let script = std::fs::File::open(place.path("one.sql")).unwrap();
    let output = place.command(&["run", "-", "-q"]).stdin(script).output().unwrap();
    assert_eq!(output.stdout, b"who\nnobody\n");
}

#[test]
fn texts_and_jobs_keep_their_order() {
    let place = Place::with(&[(
        "job.sql",
        "SET 'table.dml-sync' = 'true'; SELECT 1 AS a; SHOW TABLES; \
         CREATE TABLE t (x INT) WITH ('connector' = 'datagen'); SHOW TABLES; SELECT 2 AS b;",
    )]);
    assert_eq!(place.ok(&["run", "job.sql", "-q"]).stdout, "a\n1\n\nt\nb\n2\n");
}
