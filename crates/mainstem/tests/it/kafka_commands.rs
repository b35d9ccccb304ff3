//! `topic`, `produce`, `consume` and `group` against a broker.
//! Invariant: a test knows a broker by its address only, so [`against!`] runs all of them on another one in one line:
//! Apache Kafka, if there is one, and the embedded broker.

use std::collections::BTreeSet;
use std::fs::File;

use serde_json::{Value, json};

use crate::program::{Place, Ran, Started};
use crate::servers::{Watched, unique};

/// Runs every test of this file on the broker whose address the expression gives; on none if it gives `None`.
macro_rules! against {
    ($broker:ident, $address:expr) => {
        against!($broker, $address, [
            topics_from_their_creation_to_their_end,
            what_is_wrong_with_topics,
            records_come_back_as_they_went,
            every_compression_is_read_back,
            reading_starts_where_it_shall,
            a_group_goes_on_where_it_stopped,
            a_group_that_read_nothing_misses_nothing,
            ctrl_c_commits_and_leaves,
            a_reset_is_shown_and_then_done,
            lines_that_cannot_be_written_are_named,
            a_transaction_is_all_or_nothing,
            avro_is_read_by_a_schema_from_a_file,
        ]);
    };
    ($broker:ident, $address:expr, [$($test:ident),* $(,)?]) => {
        mod $broker {
            $(#[test]
            fn $test() {
                if let Some(broker) = $address {
                    super::$test(&super::Commands::at(broker));
                }
            })*
        }
    };
}

against!(apache_kafka, crate::servers::variable("MAINSTEM_TEST_KAFKA"));

against!(embedded, Some(super::Embedded::start()));

/// `mainstem up`, in a folder of its own, until the test ends.
struct Embedded {
    servers: String,
    started: Option<Started>,
    _place: Place,
}

impl Embedded {
    fn start() -> Self {
        let place = Place::new();
        let mut started = place.start(&["up", "--data", "data", "--kafka-listen", "127.0.0.1:0"]);
        let said = started.notice();
        let ready = said.strip_prefix("broker: ready for Kafka clients on ");
        let Some((servers, _)) = ready.and_then(|ready| ready.split_once(',')) else {
            panic!("it is not ready: {said} {}", started.rest_of_stderr());
        };
        Self { servers: servers.to_owned(), started: Some(started), _place: place }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(started) = self.started.take() {
            started.signal("KILL");
            started.end();
        }
    }
}

/// Where the commands go.
enum Broker {
    Elsewhere(String),
    Own(Embedded),
}

impl From<String> for Broker {
    fn from(servers: String) -> Self {
        Self::Elsewhere(servers)
    }
}

impl From<Embedded> for Broker {
    fn from(embedded: Embedded) -> Self {
        Self::Own(embedded)
    }
}

/// The commands, with the address filled in.
struct Commands {
    place: Place,
    broker: Broker,
}

impl Commands {
    fn at(broker: impl Into<Broker>) -> Self {
        Self { place: Place::new(), broker: broker.into() }
    }

    fn servers(&self) -> &str {
        match &self.broker {
            Broker::Elsewhere(servers) => servers,
            Broker::Own(embedded) => &embedded.servers,
        }
    }

    fn with_address<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [arguments, &["-b", self.servers()]].concat()
    }

    fn ok(&self, arguments: &[&str]) -> Ran {
        self.place.ok(&self.with_address(arguments))
    }

    /// Runs and expects that it is refused while running; what it said.
    fn fails(&self, arguments: &[&str]) -> String {
        let ran = self.place.run(&self.with_address(arguments));
        assert_eq!(ran.code, 1, "{arguments:?}: {}", ran.stderr);
        ran.stderr
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[arguments, &["--json"]].concat()).stdout).unwrap()
    }

    /// A new topic.
    fn topic(&self, name: &str, partitions: &str) -> String {
        let topic = unique(name);
        self.ok(&["topic", "create", &topic, "--partitions", partitions]);
        topic
    }

    /// Produces `text` from stdin.
    fn produce(&self, topic: &str, text: &str, more: &[&str]) -> Ran {
        self.place.write("lines.txt", text);
        let arguments = [&["produce", topic], more].concat();
        let mut command = self.place.command(&self.with_address(&arguments));
        let stdin = File::open(self.place.path("lines.txt")).unwrap();
        let output = command.stdin(stdin).output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Produces the numbers `from..=to`, one a line.
    fn numbers(&self, topic: &str, from: u32, to: u32) {
        let text: String = (from..=to).map(|n| format!("{n}\n")).collect();
        let ran = self.produce(topic, &text, &["--partition", "0"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }

    /// All values of a topic.
    fn all(&self, topic: &str, more: &[&str]) -> String {
        let arguments = [&["consume", topic, "--from-beginning", "--until-end"], more].concat();
        self.ok(&arguments).stdout
    }

    /// Committed offset, end and lag in the only partition that a group reads.
    fn progress(&self, group: &str) -> (i64, i64, i64) {
        let described = self.json(&["group", "describe", group]);
        let partitions = described["partitions"].as_array().unwrap();
        assert_eq!(partitions.len(), 1, "{described}");
        let number = |field: &str| partitions[0][field].as_i64().unwrap_or(-1);
        (number("committed"), number("end"), number("lag"))
    }
}

fn lines(from: u32, to: u32) -> String {
    (from..=to).map(|n| format!("{n}\n")).collect()
}

fn topics_from_their_creation_to_their_end(kafka: &Commands) {
    let topic = unique("commands");
    let created = kafka.ok(&[
        "topic",
        "create",
        &topic,
        "--partitions",
        "2",
        "--config",
        "retention.ms=86400000",
    ]);
    assert_eq!(created.stdout, "");
    assert!(created.stderr.contains(&format!("created topic '{topic}'")), "{}", created.stderr);
    kafka.ok(&["topic", "create", &topic, "--if-not-exists"]);

    let listed = kafka.json(&["topic", "list"]);
    let own: Vec<&Value> =
        listed.as_array().unwrap().iter().filter(|t| t["topic"] == topic.as_str()).collect();
    assert_eq!(own.len(), 1);
    assert_eq!((&own[0]["partitions"], &own[0]["internal"]), (&json!(2), &json!(false)));

    kafka.numbers(&topic, 1, 3);
    let described = &kafka.json(&["topic", "describe", &topic])[0];
    assert_eq!(described["configs"], json!({ "retention.ms": "86400000" }));
    assert_eq!(described["records_max"], json!(3));
    let offsets = |n: usize| {
        let partition = &described["partitions"][n];
        (partition["earliest"].as_i64(), partition["latest"].as_i64(), partition["leader"].is_i64())
    };
    assert_eq!((offsets(0), offsets(1)), ((Some(0), Some(3), true), (Some(0), Some(0), true)));
    let text = kafka.ok(&["topic", "describe", &topic]).stdout;
    assert!(text.starts_with(&format!("{topic}  2 partitions, 1 replica, 3 records\n")), "{text}");

    let set = ["--config", "segment.ms=60000", "--delete-config", "retention.ms"];
    kafka.ok(&[&["topic", "alter", &topic, "--partitions", "3"], &set[..]].concat());
    kafka.ok(&["topic", "alter", &topic, "--config", "max.message.bytes=2000"]);
    let described = &kafka.json(&["topic", "describe", &topic])[0];
    let expected = json!({ "max.message.bytes": "2000", "segment.ms": "60000" });
    assert_eq!(described["configs"], expected);
    assert_eq!(described["partitions"].as_array().unwrap().len(), 3);

    kafka.ok(&["topic", "delete", &topic]);
    kafka.ok(&["topic", "delete", &topic, "--if-exists"]);
    let listed = kafka.ok(&["topic", "list"]).stdout;
    assert!(!listed.lines().any(|line| line.starts_with(&format!("{topic} "))), "{listed}");
}

fn what_is_wrong_with_topics(kafka: &Commands) {
    let topic = kafka.topic("wrong", "2");
    let (shorter, none) = (&topic[..topic.len() - 1], unique("none"));
    let misspelt = format!("there is no topic '{shorter}'");
    for (arguments, expected) in [
        (&["topic", "create", topic.as_str()][..], vec!["already exists", "--if-not-exists"]),
        (&["topic", "create", "a/b"], vec!["cannot create topic 'a/b'", "letters, digits"]),
        (&["topic", "create", &none, "--config", "no.such=1"], vec!["--config"]),
        (&["topic", "create", &none, "--replication-factor", "99"], vec!["N copies"]),
        (&["topic", "describe", shorter], vec![misspelt.as_str(), &topic]),
        (&["topic", "delete", &topic, shorter], vec![misspelt.as_str(), &topic]),
        (&["topic", "alter", &topic, "--partitions", "2"], vec!["has 2 partitions already"]),
        (
            &["topic", "alter", &topic, "--delete-config", "segment.ms"],
            vec!["no config 'segment.ms'"],
        ),
        (&["produce", shorter], vec![misspelt.as_str(), &topic]),
        (&["produce", &topic, "--partition", "2"], vec!["no partition 2", "0 to 1"]),
        (&["consume", shorter], vec![misspelt.as_str(), &topic]),
        (&["consume", &topic, "--partition", "2"], vec!["no partition 2", "0 to 1"]),
        (&["consume", &topic, "--offset", "1"], vec!["no offset 1", "0 to 0"]),
        (&["group", "describe", &none], vec!["there is no group"]),
        (&["group", "delete", &none], vec!["there is no group"]),
    ] {
        let said = kafka.fails(arguments);
        for part in expected {
            assert!(said.contains(part), "{arguments:?} lacks '{part}': {said}");
        }
    }
    // Of two topics one was unknown: the other is still there.
    kafka.ok(&["topic", "describe", &topic]);
}

fn records_come_back_as_they_went(kafka: &Commands) {
    let topic = kafka.topic("records", "3");
    let text = "a:1\r\nb:2\na:x:y\n:empty key\nc:\nd:gone\ne:\u{e4}\"\\\n";
    let options = ["--key-separator", ":", "--null-value", "gone", "-H", "n=1", "-H", "n=2"];
    let ran = kafka.produce(&topic, text, &options);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    assert!(
        ran.stderr.starts_with(&format!("7 records written to topic '{topic}'")),
        "{}",
        ran.stderr
    );

    let printed = kafka.all(&topic, &["--format", "json"]);
    let records: Vec<Value> = printed.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let pair =
        |r: &Value| (r["key"].as_str().map(str::to_owned), r["value"].as_str().map(str::to_owned));
    let seen: BTreeSet<_> = records.iter().map(pair).collect();
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        (some("a"), some("1")),
        (some("b"), some("2")),
        (some("a"), some("x:y")),
        (some(""), some("empty key")),
        (some("c"), some("")),
        (some("d"), None),
        (some("e"), some("\u{e4}\"\\")),
    ];
    assert_eq!((records.len(), seen), (7, expected.into_iter().collect()));
    let places = |key: &str| -> BTreeSet<i64> {
        let own = records.iter().filter(|r| r["key"] == key);
        own.map(|r| r["partition"].as_i64().unwrap()).collect()
    };
    assert_eq!(places("a").len(), 1, "a key stays in its partition");
    for record in &records {
        let headers = json!([{ "name": "n", "value": "1" }, { "name": "n", "value": "2" }]);
        assert_eq!(record["headers"], headers);
        assert!(record["timestamp"].as_str().unwrap().ends_with('Z'), "{record}");
    }

    // What consume prints, produce reads.
    let copy = kafka.topic("records", "1");
    let raw = kafka.all(&topic, &["--print", "key", "--separator", ":", "--null-value", "gone"]);
    let ran = kafka.produce(&copy, &raw, &["-k", ":", "--null-value", "gone", "-q"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(
        kafka.all(&copy, &["--print", "key", "--separator", ":", "--null-value", "gone"]),
        raw
    );
    let fields = kafka.all(&copy, &["--print", "topic,partition,offset,value"]);
    assert!(fields.lines().next().unwrap().starts_with(&format!("{copy}\t0\t0\t")), "{fields}");
}

fn every_compression_is_read_back(kafka: &Commands) {
    let text = "the same line again\n".repeat(500);
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = kafka.topic(compression, "1");
        let ran = kafka.produce(&topic, &text, &["--compression", compression]);
        assert_eq!(ran.code, 0, "{compression}: {}", ran.stderr);
        assert!(kafka.all(&topic, &[]) == text, "{compression}");
    }
}

fn reading_starts_where_it_shall(kafka: &Commands) {
    let topic = kafka.topic("start", "1");
    kafka.numbers(&topic, 1, 10);
    let stamped = kafka.all(&topic, &["--print", "timestamp", "--separator", " "]);
    let last = stamped.lines().last().unwrap().split_once(' ').unwrap().0.to_owned();
    let at_last: String = stamped
        .lines()
        .filter(|l| l.starts_with(&last))
        .map(|l| format!("{}\n", &l[25..]))
        .collect();
    for (options, expected) in [
        (&["--offset", "earliest", "-e"][..], lines(1, 10)),
        (&["--offset", "3", "-e"], lines(4, 10)),
        (&["--offset", "-2", "-e"], lines(9, 10)),
        (&["--offset", "-99", "-n", "2"], lines(1, 2)),
        (&["--offset", "latest", "-e"], String::new()),
        (&["--timeout", "1ms"], String::new()),
        (&["--from-beginning", "-n", "4", "--partition", "0"], lines(1, 4)),
        (&["--from-beginning", "-e", "--isolation", "read_committed"], lines(1, 10)),
        (&["--timestamp", "1999-12-31", "-e"], lines(1, 10)),
        (&["--timestamp", "2999-12-31T00:00:00Z", "-e"], String::new()),
        (&["--timestamp", &last, "-e"], at_last),
    ] {
        let ran = kafka.ok(&[&["consume", &topic], options].concat());
        assert_eq!(ran.stdout, expected, "{options:?}");
    }
}

fn a_group_goes_on_where_it_stopped(kafka: &Commands) {
    let (topic, group) = (kafka.topic("group", "1"), unique("group"));
    kafka.numbers(&topic, 1, 10);
    let read = ["consume", &topic, "--group", &group, "--from-beginning", "-n"];
    assert_eq!(kafka.ok(&[&read[..], &["4"]].concat()).stdout, lines(1, 4));
    assert_eq!(kafka.progress(&group), (4, 10, 6));
    assert_eq!(kafka.ok(&[&read[..], &["6"]].concat()).stdout, lines(5, 10));
    assert_eq!(kafka.progress(&group), (10, 10, 0));
    let listed = kafka.json(&["group", "list", "--state", "empty"]);
    assert!(listed.as_array().unwrap().iter().any(|g| g["group"] == group.as_str()), "{listed}");
    kafka.ok(&["group", "delete", &group]);
    let said = kafka.fails(&["group", "describe", &group]);
    assert!(said.contains("there is no group"), "{said}");
}

/// A group that begins at the end and reads nothing still has a place to go on from.
fn a_group_that_read_nothing_misses_nothing(kafka: &Commands) {
    let (topic, group) = (kafka.topic("nothing", "1"), unique("nothing"));
    kafka.numbers(&topic, 1, 3);
    let arguments = ["consume", &topic, "--group", &group];
    let mut reading = Watched::start(kafka.place.command(&kafka.with_address(&arguments)));
    reading.said(&format!("reading {topic}[0]"));
    reading.interrupt();
    let left = reading.end();
    assert_eq!((left.code, left.stdout.len()), (Some(0), 0), "{:?}", left.stderr);
    kafka.numbers(&topic, 4, 6);
    let rest = kafka.ok(&[&arguments[..], &["-n", "3", "--timeout", "60s"]].concat());
    assert_eq!(rest.stdout, lines(4, 6));
}

fn ctrl_c_commits_and_leaves(kafka: &Commands) {
    let (topic, group) = (kafka.topic("leave", "1"), unique("leave"));
    kafka.numbers(&topic, 1, 3);
    let arguments = ["consume", &topic, "--group", &group, "--from-beginning"];
    let mut reading = Watched::start(kafka.place.command(&kafka.with_address(&arguments)));
    reading.printed("all records", |lines| lines == ["1", "2", "3"]);

    let described = kafka.json(&["group", "describe", &group]);
    assert_eq!(described["state"], "Stable");
    let assigned = json!([{ "topic": topic, "partitions": [0] }]);
    assert_eq!(described["members"][0]["assigned"], assigned);
    assert_eq!(described["partitions"][0]["member"], described["members"][0]["member"]);
    let reset = ["group", "reset", &group, "--topic", &topic, "--to-earliest", "--execute"];
    for refused in [&reset[..], &["group", "delete", &group]] {
        let said = kafka.fails(refused);
        assert!(said.contains("is in use: Stable, 1 member"), "{said}");
    }

    reading.interrupt();
    let left = reading.end();
    assert_eq!((left.code, left.times_said("3 records read")), (Some(0), 1), "{:?}", left.stderr);
    assert_eq!(kafka.progress(&group), (3, 3, 0));
    assert_eq!(kafka.json(&["group", "describe", &group])["state"], "Empty");
}

fn a_reset_is_shown_and_then_done(kafka: &Commands) {
    let (topic, group) = (kafka.topic("reset", "1"), unique("reset"));
    kafka.numbers(&topic, 1, 10);
    let reset = ["group", "reset", &group];
    let shown = kafka.ok(&[&reset[..], &["--topic", &topic, "--to-latest"]].concat());
    assert!(shown.stderr.contains("nothing was changed"), "{}", shown.stderr);
    let said = kafka.fails(&["group", "describe", &group]);
    assert!(said.contains("there is no group"), "a plan makes no group: {said}");
    let said = kafka.fails(&[&reset[..], &["--topic", &topic, "--shift-by", "-1"]].concat());
    assert!(said.contains("no offset in partition 0"), "{said}");

    let target = format!("{topic}:0");
    for (options, expected) in [
        (&["--to-latest"][..], 10),
        (&["--shift-by", "-3"], 7),
        (&["--to-offset", "2"], 2),
        (&["--to-offset", "99"], 10),
        (&["--to-earliest"], 0),
        (&["--shift-by", "-1"], 0),
        (&["--to-datetime", "2999-12-31T00:00:00Z"], 10),
        (&["--to-datetime", "1999-12-31"], 0),
        (&["--to-offset", "8"], 8),
    ] {
        let arguments = [&reset[..], &["--topic", &target, "--execute"], options].concat();
        let plan = kafka.json(&arguments);
        assert_eq!(plan[0]["new"], json!(expected), "{options:?}");
        assert_eq!(kafka.progress(&group).0, expected, "{options:?}");
    }
    kafka.ok(&[&reset[..], &["--all-topics", "--to-earliest"]].concat());
    assert_eq!(kafka.progress(&group), (8, 10, 2), "a plan changes nothing");
    let rest = kafka.ok(&["consume", &topic, "--group", &group, "-n", "2"]);
    assert_eq!(rest.stdout, lines(9, 10));
}

fn lines_that_cannot_be_written_are_named(kafka: &Commands) {
    let topic = kafka.topic("lost", "1");
    let ran = kafka.produce(&topic, "a:1\nb:2\nno key\nc:3\n", &["-k", ":"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("line 3 has no key"), "{}", ran.stderr);
    assert!(ran.stderr.contains("2 lines were written"), "{}", ran.stderr);
    assert_eq!(kafka.all(&topic, &[]), "1\n2\n");

    // Too long for the client: known before it is sent.
    let topic = kafka.topic("lost", "1");
    let ran = kafka.produce(&topic, &format!("1\n{}\n3\n", "x".repeat(1_100_000)), &[]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("line 2 could not be written"), "{}", ran.stderr);
    assert!(ran.stderr.contains("not written: 1 line (2); written: 1 line"), "{}", ran.stderr);
    assert_eq!(kafka.all(&topic, &[]), "1\n");

    // Too long for the topic: known from the answer. One record a request, so that one line is lost.
    kafka.ok(&["topic", "alter", &topic, "--config", "max.message.bytes=1000"]);
    let text = format!("2\n{}\n", "x".repeat(5_000));
    let ran = kafka.produce(&topic, &text, &["-X", "batch.num.messages=1", "-X", "linger.ms=0"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("not written: 1 line (2); written: 1 line"), "{}", ran.stderr);
    assert!(ran.stderr.contains("max.message.bytes"), "{}", ran.stderr);
    assert_eq!(kafka.all(&topic, &[]), "1\n2\n");
}

fn a_transaction_is_all_or_nothing(kafka: &Commands) {
    let (topic, id) = (kafka.topic("transaction", "1"), unique("loader"));
    let options = ["-k", ":", "--transactional-id", &id];
    let committed = ["--isolation", "read_committed"];
    let ran = kafka.produce(&topic, "a:1\nb:2\n", &options);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("in one transaction"), "{}", ran.stderr);
    let ran = kafka.produce(&topic, "c:3\nno key\n", &options);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("line 2 has no key"), "{}", ran.stderr);
    assert!(ran.stderr.contains("aborted: no line can be read"), "{}", ran.stderr);
    let ran = kafka.produce(&topic, "d:4\n", &options);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(kafka.all(&topic, &committed), "1\n2\n4\n");
}

fn avro_is_read_by_a_schema_from_a_file(kafka: &Commands) {
    let topic = kafka.topic("avro", "1");
    let order = r#"{"type": "record", "name": "Order", "fields": [{"name": "item", "type": "string"},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}}]}"#;
    kafka.place.write("order.avsc", order);
    kafka.place.write("key.avsc", "\"int\"");
    // Framed, plain, a tombstone, and one that ends too early: all of them are text by chance.
    let text =
        "\u{2}|\0\0\0\0\u{7}\u{6}tea\u{2}\n\u{4}|\u{8}oats\u{4}\n\u{6}|gone\n\u{8}|\u{8}oat\n";
    let ran = kafka.produce(&topic, text, &["-k", "|", "--null-value", "gone"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    let read = ["consume", &topic, "--from-beginning", "--until-end", "--format", "avro"];
    let schemas = ["--schema", "order.avsc", "--key-schema", "key.avsc"];
    let ran = kafka.place.run(&kafka.with_address(&[&read[..], &schemas].concat()));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let records: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let parts = |r: &Value| (r["key"].clone(), r["value"].clone(), r.get("schema_id").cloned());
    let seen: Vec<_> = records.iter().map(parts).collect();
    let expected = [
        (json!(1), json!({ "item": "tea", "day": "1970-01-02" }), Some(json!(7))),
        (json!(2), json!({ "item": "oats", "day": "1970-01-03" }), None),
        (json!(3), Value::Null, None),
    ];
    assert_eq!(seen, expected);
    let place = format!("topic '{topic}', partition 0, offset 3: the value does not fit");
    for part in [place.as_str(), "'order.avsc'", "--partition 0 --offset 4 goes on behind it"] {
        assert!(ran.stderr.contains(part), "it lacks '{part}': {}", ran.stderr);
    }

    let said = kafka.fails(&read);
    assert!(said.contains("offset 0: the value needs an Avro schema"), "{said}");
    assert!(said.contains("--schema FILE.avsc"), "{said}");
}

/// Nothing listens on the port of this address.
const NOBODY: &str = "127.0.0.1:1";

#[test]
fn without_a_broker_the_way_to_one_is_told() {
    let place = Place::new();
    for command in
        [&["topic", "list"][..], &["produce", "t"], &["consume", "t"], &["group", "list"]]
    {
        let mut command = place.command(command);
        let output = command.env("MAINSTEM_BOOTSTRAP_SERVER", NOBODY).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
        for part in ["no Kafka answers at 127.0.0.1:1", "Connection refused", "`mainstem up`"] {
            assert!(said.contains(part), "it lacks '{part}': {said}");
        }
    }
}

#[test]
fn wrong_usage_is_refused_before_anything_is_asked() {
    let place = Place::with(&[("bad.avsc", r#"{"type": "recrod"}"#)]);
    for (arguments, expected) in [
        (
            &["consume", "t", "--format", "avro", "--schema", "no.avsc"][..],
            "cannot read the schema",
        ),
        (&["consume", "t", "--format", "avro", "--schema", "bad.avsc"], "is no Avro schema"),
        (&["consume", "t", "--format", "json", "--schema", "bad.avsc"], "are for --format avro"),
        (&["consume", "t", "--format", "protobuf"], "raw, json and avro"),
        (&["consume", "t", "--group", "g", "--offset", "3"], "cannot be used with"),
        (&["consume", "t", "--from-beginning", "--offset", "3"], "cannot be used with"),
        (&["consume", "t", "u", "--until-end"], "for one topic"),
        (&["consume", "t", "--timestamp", "noon"], "write it as"),
        (&["consume", "t", "--timeout", "soon"], "write it as"),
        (&["produce", "t", "--file", "missing.txt"], "cannot read 'missing.txt'"),
        (&["produce", "t", "--key-separator", ""], "must not be empty"),
        (&["produce", "t", "--acks", "1", "--transactional-id", "x"], "leave --acks out"),
        (&["topic", "alter", "t"], "required"),
        (&["topic", "list", "-X", "no.such=1"], "'no.such' cannot be used"),
        (&["group", "reset", "g", "--topic", "t"], "required"),
        (&["group", "reset", "g", "--to-latest"], "required"),
    ] {
        let ran = place.run(&[arguments, &["-b", NOBODY]].concat());
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{arguments:?} lacks '{expected}': {}", ran.stderr);
    }
}
