//! The five examples live: generator, topics and query in one `mainstem up`, watched by a client of Kafka.
//! Invariant: no test needs a server. What a topic must hold is computed from the generated events as in `examples`.

use std::path::Path;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::examples::{
    ROWS, SESSION, assert_rides, assert_windows, category, events, flat_users, latest_totals,
    ride_fields, shown, totals, window_fields, windows,
};
use crate::program::Place;
use crate::servers::{Deadline, Left, Watched};

/// Key and value of a record, both JSON.
type Record = (Option<Value>, Value);

/// An example that runs in one process, on a port of its own.
struct Live {
    running: Watched,
    address: String,
    /// Where it runs.
    _place: Place,
}

impl Live {
    fn start(name: &str, rows: usize, more: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
        let files = ["pipeline.sql", "live.sql"].map(|file| folder.join(file));
        let rows = format!("ROWS={rows}");
        let mut arguments = vec!["up", "--data", "memory", "--kafka-listen", "127.0.0.1:0"];
        arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
        for variable in ["SOURCE=kafka", "SINK=kafka", "RATE=2000", &rows] {
            arguments.extend(["--var", variable]);
        }
        arguments.extend_from_slice(more);
        let place = Place::new();
        let mut running = Watched::start(place.command(&arguments));
        let ready = "broker: ready for Kafka clients on ";
        let said = running.said(ready);
        let address = said.strip_prefix(ready).and_then(|rest| rest.split(',').next());
        Self { address: address.unwrap().to_owned(), running, _place: place }
    }

    fn consumer(&self) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address).set("group.id", "watcher");
        config.set("enable.auto.commit", "false").create().unwrap()
    }

    /// Reads a topic of so many partitions from its beginning until there is `enough`.
    fn watch(
        &self,
        topic: &str,
        partitions: usize,
        mut enough: impl FnMut(&[Record]) -> bool,
    ) -> Vec<Record> {
        let (consumer, deadline) = (self.consumer(), Deadline::new());
        let patience = || deadline.left().unwrap_or_else(|| panic!("waited too long for {topic}"));
        // The pipeline makes the topic a moment after the broker is ready.
        let found = loop {
            let metadata = consumer.fetch_metadata(Some(topic), patience()).unwrap();
            match metadata.topics()[0].partitions().len() {
                0 => {}
                found => break found,
            }
        };
        assert_eq!(found, partitions, "{topic}");
        let mut all = TopicPartitionList::new();
        for partition in 0..i32::try_from(partitions).unwrap() {
            all.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&all).unwrap();
        let mut records = Vec::new();
        while !enough(&records) {
            let Some(message) = consumer.poll(patience()) else { continue };
            let message = message.unwrap();
            let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
            records.push((message.key().map(read), read(message.payload().unwrap())));
        }
        records
    }

    /// The values of a topic with one partition, once there are so many.
    fn values(&self, topic: &str, count: usize) -> Vec<Value> {
        let records = self.watch(topic, 1, |records| records.len() == count);
        records.into_iter().map(|(_, value)| value).collect()
    }

    /// Ctrl-C; nothing more than `written` rows must have gone to `table`.
    fn stop(self, table: &str, written: usize) {
        self.running.interrupt();
        let left = self.running.end();
        assert_eq!(left.code, Some(0), "{:?}", left.stderr);
        assert_eq!(rows_of(&left, table), written, "{:?}", left.stderr);
    }
}

/// What the summary says of an output.
fn rows_of(left: &Left, table: &str) -> usize {
    let line = left.stderr.iter().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut line = line.filter(|words| words.len() > 2 && words[..2] == ["out", table]);
    line.next().unwrap_or_else(|| panic!("{table}: {:?}", left.stderr))[2].parse().unwrap()
}

#[test]
fn rides() {
    let live = Live::start("rides", ROWS, &["--kafka-set", "num.partitions=3"]);
    let events = events("rides", ROWS);
    let raw = live.watch("rides", 3, |records| records.len() == ROWS);
    let mut raw: Vec<Value> =
        raw.into_iter().map(|(_, value)| value["time_stamp"].clone()).collect();
    raw.sort_by_key(Value::as_i64);
    assert_eq!(raw, events.iter().map(|e| e["time_stamp"].clone()).collect::<Vec<_>>());
    let priced = events.iter().filter(|e| e["price"].as_f64().is_some_and(|price| price != 0.0));
    let priced = priced.count();
    let got = live.watch("rides-enriched", 3, |records| records.len() == priced);
    assert_rides(got.iter().map(|(_, value)| ride_fields(value)).collect(), &events);
    live.stop("rides_enriched_kafka", priced);
}

#[test]
fn users() {
    let live = Live::start("users", ROWS, &[]);
    let messages = events("users", ROWS);
    assert_eq!(live.values("users-flat", ROWS), flat_users(&messages));
    assert_eq!(live.values("users", ROWS), messages);
    live.stop("users_flat_kafka", ROWS);
}

#[test]
fn bookings() {
    let live = Live::start("bookings", ROWS, &[]);
    let mut events = events("bookings", ROWS);
    let totals = totals(&events);
    let hotels: Vec<Value> = events
        .iter()
        .map(|e| json!({"hotel_id": e["hotel_id"], "stay_category": category(e)}))
        .collect();
    assert_eq!(live.values("hotel-categories", ROWS), hotels);
    // A live table: whoever reads from the beginning comes to the same end.
    let keyed = |records: &[Record]| {
        latest_totals(records.iter().map(|(key, value)| (key.clone().unwrap(), value.clone())))
    };
    live.watch("category-totals", 1, |records| keyed(records) == totals);
    for event in &mut events {
        event["stay_category"] = json!(category(event));
    }
    assert_eq!(live.values("bookings-categorised", ROWS), events);
    live.stop("bookings_categorised_kafka", ROWS);
}

/// The window that is open is not written, also not at the end.
#[test]
fn transactions() {
    let rows = 9000;
    let live = Live::start("transactions", rows, &["--var", "RATE=-1"]);
    let mut wanted = windows(&events("transactions", rows));
    wanted.pop_last();
    let got = live.values("paid-totals", wanted.len());
    assert_windows(&got.iter().map(window_fields).collect::<Vec<_>>(), &wanted);
    live.stop("paid_totals_kafka", wanted.len());
}

/// Without PostgreSQL: each session under its key.
#[test]
fn sessions() {
    let live = Live::start("sessions", ROWS, &[]);
    let topic = "streaming_layer.streaming_data";
    let got = live.watch(topic, 1, |records| records.len() == ROWS);
    for ((key, session), event) in got.iter().zip(events("sessions", ROWS)) {
        assert_eq!(*key, Some(json!({"unique_id": event["unique_id"]})));
        // `accessed_at` lies in the day before the run.
        for name in SESSION.iter().filter(|name| **name != "accessed_at") {
            assert_eq!(shown(&session[*name]), shown(&event[*name]), "{name}");
        }
        assert_eq!(session.as_object().unwrap().len(), SESSION.len());
    }
    live.stop("streaming_data_kafka", ROWS);
}
