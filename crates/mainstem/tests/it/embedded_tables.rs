//! Tables on the embedded broker: topics that are missing or grow, group offsets, dead letters, and Ctrl-C.

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::{Broker, PATIENCE, numbers};
use crate::program::Place;

/// Two tables of text; `{options}` are those of the first.
fn tables(options: &str) -> String {
    format!(
        "CREATE TABLE words (w STRING) WITH ('connector' = 'kafka', 'topic' = 'words', 'format' = 'raw', {options});
         CREATE TABLE loud (w STRING) WITH ('connector' = 'kafka', 'topic' = 'loud', 'format' = 'raw');
         INSERT INTO loud SELECT UPPER(w) FROM words;"
    )
}

#[test]
fn a_source_waits_for_no_topic_and_a_sink_makes_its_own() {
    let missing =
        tables("'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset'");
    let created = missing.replacen("'raw', ", "'raw', 'mainstem.auto-create-topics' = 'true', ", 1);
    let place = Place::with(&[("missing.sql", &missing), ("created.sql", &created)]);
    let ran = place.run(&["run", "missing.sql"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for part in
        ["topic 'words' does not exist on the embedded broker", "mainstem.auto-create-topics"]
    {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    let ran = place.ok(&["run", "created.sql"]);
    for part in ["words: created topic 'words'", "loud: created topic 'loud'"] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
}

/// Gives a topic a second partition, and a record to it.
fn add_partition(broker: &Broker, topic: &str, value: &str) {
    let admin: AdminClient<DefaultClientContext> = broker.config().create().unwrap();
    let more = [NewPartitions::new(topic, 2)];
    let added = admin.create_partitions(&more, &AdminOptions::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(added).unwrap()[0].is_ok());
    let producer: BaseProducer = broker.config().create().unwrap();
    let record = BaseRecord::<(), str>::to(topic).partition(1).payload(value);
    producer.send(record).map_err(|(e, _)| e).unwrap();
    producer.flush(PATIENCE).unwrap();
}

#[test]
fn partitions_that_are_added_are_read_from_their_beginning() {
    let options = "'scan.startup.mode' = 'latest-offset', 'scan.topic-partition-discovery.interval' = '20 ms',
                   'mainstem.auto-create-topics' = 'true'";
    let place = Place::with(&[("p.sql", &tables(options))]);
    let broker = Broker::start(&place, &["p.sql"]);
    // The end of the log is where it was when the pipeline began: it has begun when something comes out.
    while end_of(&broker, "loud") == 0 {
        broker.write("words", ["begun".to_owned()]);
    }
    add_partition(&broker, "words", "late");
    let mut config = broker.config();
    config.set("group.id", "test").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset("loud", 0, Offset::Beginning).unwrap();
    consumer.assign(&from).unwrap();
    loop {
        let message = consumer.poll(PATIENCE).expect("the late record in time").unwrap();
        match message.payload().unwrap() {
            b"BEGUN" => {}
            late => break assert_eq!(late, b"LATE"),
        }
    }
    broker.stop();
}

#[test]
fn a_group_goes_on_where_it_was() {
    let options = "'properties.group.id' = 'g', 'properties.auto.offset.reset' = 'earliest', 'scan.bounded.mode' = 'latest-offset'";
    let place = Place::with(&[("p.sql", &tables(options))]);
    let broker = Broker::start(&place, &[]);
    broker.write("words", ["a".to_owned(), "b".to_owned()]);
    broker.stop();
    place.ok(&["run", "-q", "--data", "data", "p.sql"]);
    let broker = Broker::start(&place, &[]);
    // What was written before is read once; what comes later follows it.
    assert_eq!(broker.read("loud", 2), ["A", "B"]);
    let group: BaseConsumer = broker.config().set("group.id", "g").create().unwrap();
    let mut of = TopicPartitionList::new();
    of.add_partition("words", 0);
    let committed = group.committed_offsets(of, PATIENCE).unwrap();
    assert_eq!(committed.elements()[0].offset(), Offset::Offset(2));
    broker.write("words", ["c".to_owned()]);
    broker.stop();
    place.ok(&["run", "-q", "--data", "data", "p.sql"]);
    let broker = Broker::start(&place, &[]);
    assert_eq!(broker.read("loud", 3), ["A", "B", "C"]);
    assert_eq!(end_of(&broker, "loud"), 3, "nothing was read twice");
    broker.stop();
}

/// The end of partition 0; 0 if there is no such topic yet.
fn end_of(broker: &Broker, topic: &str) -> i64 {
    let consumer: BaseConsumer = broker.config().create().unwrap();
    consumer.fetch_watermarks(topic, 0, PATIENCE).map_or(0, |(_, end)| end)
}

#[test]
fn bad_records_go_to_a_topic_of_the_same_broker() {
    let sql = "
CREATE TABLE events (n INT) WITH ('connector' = 'kafka', 'topic' = 'events', 'format' = 'json',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset',
  'mainstem.bad-records' = 'dead-letter', 'mainstem.dead-letter.topic' = 'bad');
SELECT n FROM events;";
    let place = Place::with(&[("p.sql", sql)]);
    let broker = Broker::start(&place, &[]);
    broker.write("events", ["{\"n\":1}", "no json", "{\"n\":2}"].map(str::to_owned));
    broker.stop();
    let ran = place.ok(&["run", "--output", "csv", "--data", "data", "p.sql"]);
    assert_eq!(ran.stdout, "n\n1\n2\n", "{}", ran.stderr);
    let broker = Broker::start(&place, &[]);
    assert_eq!(broker.read("bad", 1), ["no json"]);
    let consumer: BaseConsumer = broker.config().set("group.id", "g").create().unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset("bad", 0, Offset::Beginning).unwrap();
    consumer.assign(&from).unwrap();
    let letter = consumer.poll(PATIENCE).unwrap().unwrap();
    let headers = letter.headers().unwrap();
    let said: Vec<(&str, &str)> = headers
        .iter()
        .map(|header| (header.key, std::str::from_utf8(header.value.unwrap()).unwrap()))
        .collect();
    assert!(said.contains(&("mainstem.table", "events")), "{said:?}");
    assert!(said.iter().any(|(key, place)| *key == "mainstem.place" && place.contains("events")));
    broker.stop();
}

#[test]
fn under_up_the_second_ctrl_c_stops_at_once() {
    // Nobody reads what it prints, so it cannot drain.
    let place = Place::with(&[(
        "p.sql",
        "CREATE TABLE g (a BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '-1'); SELECT a FROM g;",
    )]);
    let mut broker = Broker::start(&place, &["p.sql"]);
    broker.write("numbers", numbers(10));
    assert!(!broker.started.line().is_empty());
    let Broker { started, .. } = broker;
    assert_eq!(started.end_by_signals("INT"), 130);
    // What was acknowledged is there.
    let broker = Broker::start(&place, &[]);
    assert_eq!(broker.read("numbers", 10), numbers(10));
    broker.stop();
}
