//! `run --state` into topics: a pipeline that is killed with -9 again and again, with other numbers of workers, leaves each row
//! once to who reads what is committed; on the embedded broker, and on a real Kafka, whose address is in `MAINSTEM_TEST_KAFKA`.
//! MAINSTEM_TEST_KILLS says how many kills.

use std::collections::BTreeMap;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::broker::{Broker, PATIENCE};
use crate::checkpoints::{kill_at_checkpoint, kills};
use crate::program::{KILLED, Place};
use crate::servers::Deadline;

const KEYS: u64 = 17;
/// How many kills are usual.
const KILLS: u64 = 5;

/// Numbers by key, and how many each key has had.
pub(crate) const JOB: &str = "
SET 'execution.checkpointing.interval' = '100 ms';
CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'fields.n.kind' = 'sequence', 'fields.n.start' = '0',
  'fields.n.end' = '${LAST}', 'rows-per-second' = '${RATE}');
CREATE TABLE log (k BIGINT, n BIGINT) WITH ('connector' = 'kafka', 'topic' = '${TOPIC}', 'key.format' = 'json', 'key.fields' = 'k',
  'value.format' = 'json', 'properties.bootstrap.servers' = '${SERVERS}', 'mainstem.auto-create-topics' = 'true');
CREATE TABLE counts (k BIGINT, c BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'upsert-kafka',
  'topic' = '${TOPIC}-counts', 'key.format' = 'json', 'value.format' = 'json',
  'properties.bootstrap.servers' = '${SERVERS}', 'mainstem.auto-create-topics' = 'true');
INSERT INTO log SELECT MOD(n, 17), n FROM numbers;
INSERT INTO counts SELECT MOD(n, 17), COUNT(*) FROM numbers GROUP BY MOD(n, 17);
";

/// Runs the job to its end, through kills; how many numbers it wrote.
fn run(place: &Place, variables: &[&str]) -> u64 {
    let count = 200_000 * (1 + kills(KILLS));
    let last = format!("LAST={}", count - 1);
    let with = |workers: &str| {
        let variables = variables.iter().flat_map(|variable| ["--var", *variable]);
        let fixed = ["run", "job.sql", "--state", "state", "--data", "data", "--var", &last];
        let all = fixed.into_iter().chain(["--var", "RATE=200000", "-p", workers]).chain(variables);
        all.map(str::to_owned).collect::<Vec<_>>()
    };
    let state = place.path("state");
    for kill in 0..kills(KILLS) {
        let arguments = with(&(1 + kill % 3).to_string());
        let started = place.start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let killed = kill_at_checkpoint(started, &state, kill);
        assert_eq!(killed.code, KILLED, "{}", killed.stderr);
    }
    let arguments = with("2");
    let ran = place.ok(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(ran.stderr.contains("going on from checkpoint"), "{}", ran.stderr);
    count
}

/// The committed values of a topic, in the order of each partition, one at a time: there may be many.
pub(crate) fn committed(
    mut config: ClientConfig,
    topic: &str,
) -> impl Iterator<Item = BTreeMap<String, u64>> + use<> {
    config.set("group.id", "test").set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|p| p.id()).collect();
    let mut from = TopicPartitionList::new();
    for partition in &partitions {
        from.add_partition_offset(topic, *partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&from).unwrap();
    let (topic, mut unread) = (topic.to_owned(), partitions.len());
    std::iter::from_fn(move || {
        while unread > 0 {
            match consumer.poll(PATIENCE).expect("a record in time") {
                Ok(message) => {
                    return Some(serde_json::from_slice(message.payload().unwrap()).unwrap());
                }
                Err(KafkaError::PartitionEOF(_)) => unread -= 1,
                Err(error) => panic!("{topic}: {error}"),
            }
        }
        None
    })
}

/// How many numbers a cluster shows in the end. It answers that a transaction is committed before its partitions know of it, so both
/// topics are read until they say the same, twice.
pub(crate) fn settled(config: &ClientConfig, topic: &str) -> u64 {
    let (mut before, deadline) = (None, Deadline::new());
    loop {
        let count = committed(config.clone(), topic).count() as u64;
        let last = committed(config.clone(), &format!("{topic}-counts"));
        let last: BTreeMap<u64, u64> = last.map(|row| (row["k"], row["c"])).collect();
        let same = last.values().sum::<u64>() == count;
        if same && before.replace(count) == Some(count) || deadline.left().is_none() {
            return count;
        }
    }
}

pub(crate) fn check(config: &ClientConfig, topic: &str, count: u64) {
    let mut by_key: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for value in committed(config.clone(), topic) {
        by_key.entry(value["k"]).or_default().push(value["n"]);
    }
    for (key, mut found) in std::mem::take(&mut by_key) {
        found.sort_unstable();
        let expected = (0..count).filter(|n| n % KEYS == key);
        assert!(found.iter().copied().eq(expected), "key {key} has {} numbers", found.len());
        by_key.insert(key, found);
    }
    assert_eq!(by_key.len() as u64, KEYS);
    let mut counts = BTreeMap::new();
    for value in committed(config.clone(), &format!("{topic}-counts")) {
        let before = counts.insert(value["k"], value["c"]);
        assert!(before < Some(value["c"]), "a count went back: {value:?} after {before:?}");
    }
    let expected: BTreeMap<u64, u64> =
        by_key.iter().map(|(key, found)| (*key, found.len() as u64)).collect();
    assert_eq!(counts, expected, "the last counts are others");
}

#[test]
fn kills_leave_every_row_once_in_embedded_topics() {
    let place = Place::with(&[("job.sql", JOB)]);
    let count = run(&place, &["TOPIC=log", "SERVERS=embedded"]);
    let broker = Broker::start(&place, &[]);
    check(&broker.config(), "log", count);
    broker.stop();
}

#[test]
fn kills_leave_every_row_once_in_topics_of_a_cluster() {
    let Some(servers) = crate::servers::variable("MAINSTEM_TEST_KAFKA") else { return };
    let place = Place::with(&[("job.sql", JOB)]);
    let topic = crate::servers::unique("transactions");
    let count = run(&place, &[&format!("TOPIC={topic}"), &format!("SERVERS={servers}")]);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &servers);
    settled(&config, &topic);
    check(&config, &topic, count);
}
