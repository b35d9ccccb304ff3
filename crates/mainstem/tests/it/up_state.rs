//! `up --state`: pipelines beside the broker that go on after kill -9, each from a folder of its own, together with the topics that
//! `--data` keeps. The checker is a Kafka client that reads what is committed. MAINSTEM_TEST_KILLS says how many kills.

use std::time::Duration;

use crate::broker::Broker;
use crate::checkpoints::{kill_at_checkpoint, kills, newest, stop_at};
use crate::program::{KILLED, Place};
use crate::servers::Deadline;
use crate::transactions::{check, committed};

/// Makes numbers, into a topic.
const NUMBERS: &str = "
SET 'execution.checkpointing.interval' = '100 ms';
CREATE TABLE generated (n BIGINT) WITH ('connector' = 'datagen', 'fields.n.kind' = 'sequence', 'fields.n.start' = '0',
  'fields.n.end' = '${LAST}', 'rows-per-second' = '50000');
CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'kafka', 'topic' = 'numbers', 'value.format' = 'json',
  'properties.bootstrap.servers' = 'embedded', 'scan.startup.mode' = 'earliest-offset');
INSERT INTO numbers SELECT n FROM generated;
";

/// Takes the numbers from there: by key, and how many each key has had.
const COUNTS: &str = "
CREATE TABLE log (k BIGINT, n BIGINT) WITH ('connector' = 'kafka', 'topic' = 'log', 'key.format' = 'json', 'key.fields' = 'k',
  'value.format' = 'json', 'properties.bootstrap.servers' = 'embedded', 'mainstem.auto-create-topics' = 'true');
CREATE TABLE counts (k BIGINT, c BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'upsert-kafka',
  'topic' = 'log-counts', 'key.format' = 'json', 'value.format' = 'json',
  'properties.bootstrap.servers' = 'embedded', 'mainstem.auto-create-topics' = 'true');
INSERT INTO log SELECT MOD(n, 17), n FROM numbers;
INSERT INTO counts SELECT MOD(n, 17), COUNT(*) FROM numbers GROUP BY MOD(n, 17);
";

/// How many kills are usual.
const KILLS: u64 = 3;

#[test]
fn kills_of_the_server_leave_every_row_once() {
    let place = Place::with(&[("numbers.sql", NUMBERS), ("counts.sql", COUNTS)]);
    let broker = Broker::start(&place, &[]);
    let address = broker.address.to_string();
    place.ok(&["topic", "create", "numbers", "--partitions", "3", "-b", &address]);
    broker.stop();
    let count = 50_000 * (1 + kills(KILLS));
    let last = format!("LAST={}", count - 1);
    let more = ["numbers.sql", "counts.sql", "--state", "state", "--var", &last, "--quiet"];
    let state = place.path("state/counts");
    for kill in 0..kills(KILLS) {
        let started = place.start(
            &[&["up", "--data", "data", "--kafka-listen", "127.0.0.1:0"][..], &more].concat(),
        );
        let killed = kill_at_checkpoint(started, &state, kill);
        assert_eq!(killed.code, KILLED, "{}", killed.stderr);
    }
    let data = ["up", "--data", "data", "--kafka-listen", "127.0.0.1:0"];
    let with_words = &more[..more.len() - 1];
    let broker = Broker::ready(place.start(&[&data[..], with_words].concat()));
    let deadline = Deadline::new();
    while (committed(broker.config(), "log").count() as u64) < count {
        assert!(deadline.left().is_some(), "rows are missing");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let ran = broker.stop();
    for pipeline in ["numbers", "counts"] {
        let folder = format!("of 'state/{pipeline}'");
        assert!(ran.stderr.contains("going on from checkpoint"), "{}", ran.stderr);
        assert!(ran.stderr.contains(&folder), "{pipeline}: {}", ran.stderr);
        let verified = place.ok(&["checkpoint", "verify", &format!("state/{pipeline}")]);
        assert!(verified.stdout.contains(": whole, "), "{}", verified.stdout);
    }
    let broker = Broker::start(&place, &[]);
    check(&broker.config(), "log", count);
    broker.stop();
}

#[test]
fn pipelines_go_on_from_the_checkpoints_that_are_named() {
    let place = Place::with(&[("numbers.sql", NUMBERS), ("counts.sql", COUNTS)]);
    let up = ["up", "--data", "data", "--kafka-listen", "127.0.0.1:0", "--state", "state"];
    let files = ["numbers.sql", "counts.sql", "--var", "LAST=1000000"];
    let folder = place.path("state/counts");
    let started = place.start(&[&up[..], &files].concat());
    stop_at(started, &folder, 2, "INT");
    let named = newest(&folder) - 1;
    let last = newest(&place.path("state/numbers"));
    let from = format!("counts={named}");
    let started = place.start(&[&up[..], &files, &["--from-checkpoint", &from]].concat());
    let ran = stop_at(started, &folder, named + 3, "INT");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let said = format!("going on from checkpoint {named} of 'state/counts'");
    assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    let said = format!("going on from checkpoint {last} of 'state/numbers'");
    assert!(ran.stderr.contains(&said), "the newest: {}", ran.stderr);
    let started = place.start(&[&up[..], &files, &["--from-checkpoint", "numbers=999"]].concat());
    let ran = started.end();
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no checkpoint 999"), "{}", ran.stderr);
}

#[test]
fn a_pipeline_that_fails_ends_the_others() {
    let endless =
        "CREATE TABLE endless (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '10');
        CREATE TABLE nothing (n BIGINT) WITH ('connector' = 'blackhole');
        INSERT INTO nothing SELECT n FROM endless;";
    let failing = "CREATE TABLE wrong (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'wrong.json', 'format' = 'json');
        INSERT INTO nothing SELECT n FROM wrong;";
    let place =
        Place::with(&[("a.sql", endless), ("b.sql", failing), ("wrong.json", "{\"n\": \"x\"}\n")]);
    let ran =
        place.run(&["up", "a.sql", "b.sql", "--data", "memory", "--kafka-listen", "127.0.0.1:0"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("error: pipeline 'b': "), "{}", ran.stderr);
    assert!(ran.stderr.contains("stopped after"), "the other one ends in order: {}", ran.stderr);
}

#[test]
fn folders_that_would_be_shared_are_refused() {
    let job =
        "CREATE TABLE out (n INT) WITH ('connector' = 'blackhole'); INSERT INTO out VALUES (1);";
    let two =
        "SET 'table.dml-sync' = 'true'; INSERT INTO out VALUES (1); INSERT INTO out VALUES (2);";
    let topic =
        "CREATE TABLE t (n INT) WITH ('connector' = 'kafka', 'topic' = 't', 'format' = 'json');
        INSERT INTO t VALUES (1);";
    let place = Place::with(&[
        ("a.sql", job),
        ("two.sql", &format!("{job}{two}")),
        ("b.sql", "INSERT INTO out VALUES (3);"),
        ("t.sql", topic),
        ("again.sql", "INSERT INTO t VALUES (2);"),
    ]);
    std::fs::create_dir(place.path("other")).unwrap();
    place.write("other/a.sql", "INSERT INTO out VALUES (2);");
    let up = ["up", "--data", "memory", "--kafka-listen", "127.0.0.1:0", "--state", "state"];
    for (files, error, remedy) in [
        (&["a.sql", "other/a.sql"][..], "'a.sql' and 'other/a.sql' would both keep", "rename one"),
        (&["t.sql", "again.sql"], "both write table 't' in transactions", "-prefix' of its own"),
        (&["two.sql"], "with --state a script is one job", "'table.dml-sync'"),
        (
            &["a.sql", "b.sql", "--from-checkpoint", "3"],
            "--from-checkpoint 3 does not say of which pipeline",
            "PIPELINE=NUMBER; there is 'a', 'b'",
        ),
        (
            &["a.sql", "--from-checkpoint", "x=3"],
            "no pipeline with this name keeps state",
            "there is 'a'",
        ),
        (&["a.sql", "--from-checkpoint", "a=x"], "'a=x'", "NUMBER or PIPELINE=NUMBER"),
        (&[], "required arguments were not provided", "FILE"),
    ] {
        let ran = place.run(&[&up[..], files].concat());
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(error) && ran.stderr.contains(remedy), "{}", ran.stderr);
    }
    assert!(!place.path("state").exists());
}
