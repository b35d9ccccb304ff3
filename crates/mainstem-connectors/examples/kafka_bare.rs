//! Carries records from topic to topic with librdkafka and nothing else: what a pipeline over Kafka can reach at best here.
//! `cargo run --release -p mainstem-connectors --example kafka_bare -- SERVERS INPUT OUTPUT KEEP OF BYTES` reads INPUT from its
//! beginning to its end as it is now and writes of every OF records the first KEEP, of each the first BYTES bytes; it ends when
//! all are acknowledged and says on stderr how many that were.
//! Invariant: the clients have the settings of connector `kafka`. Nothing is decoded, gathered or handed between threads:
//! one thread takes records and gives them back, another serves delivery reports, the rest are librdkafka's own.
#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "its one thread is joined at the end")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use mainstem_connectors::kafka::{CONSUMER_DEFAULTS, PRODUCER_DEFAULTS};
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(10);

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Counts what could not be written.
#[derive(Default)]
struct Failures(AtomicU64);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [servers, input, output, numbers @ ..] = args.as_slice() else {
        panic!("SERVERS INPUT OUTPUT KEEP OF BYTES")
    };
    let numbers: Vec<u64> = numbers.iter().map(|number| number.parse().unwrap()).collect();
    let &[keep, of, bytes] = numbers.as_slice() else { panic!("KEEP OF BYTES") };

    let (consumer, records) = consumer(servers, input);
    let producer = Arc::new(producer(servers));
    let stopping = Arc::new(AtomicBool::new(false));
    let reports = {
        let (producer, stopping) = (Arc::clone(&producer), Arc::clone(&stopping));
        thread::spawn(move || {
            while !stopping.load(Ordering::Relaxed) {
                producer.poll(Duration::from_millis(100));
            }
        })
    };
    let mut written = 0;
    for number in 0..records {
        let message = loop {
            match consumer.poll(PATIENCE) {
                Some(message) => break message.unwrap(),
                None => continue,
            }
        };
        if number * keep / of == (number + 1) * keep / of {
            continue;
        }
        let value = message.payload().unwrap_or_default();
        let mut record = BaseRecord::<[u8], [u8]>::to(output);
        record.payload = Some(&value[..value.len().min(bytes as usize)]);
        while let Err((error, back)) = producer.send(record) {
            assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull));
            producer.poll(Duration::from_millis(1));
            record = back;
        }
        written += 1;
    }
    producer.flush(PATIENCE * 6).unwrap();
    stopping.store(true, Ordering::Relaxed);
    reports.join().unwrap();
    assert_eq!(producer.context().0.load(Ordering::Relaxed), 0, "records were not written");
    eprintln!("{records} records read, {written} written");
}

/// At the beginning of all partitions, and how many records they have.
fn consumer(servers: &str, topic: &str) -> (BaseConsumer, u64) {
    let mut config = config(servers, CONSUMER_DEFAULTS);
    config.set("group.id", "bare").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.set("enable.auto.offset.store", "false").create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let mut list = TopicPartitionList::new();
    let mut records = 0;
    for partition in metadata.topics()[0].partitions() {
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), PATIENCE).unwrap();
        records += u64::try_from(high - low).unwrap();
        list.add_partition_offset(topic, partition.id(), Offset::Offset(low)).unwrap();
    }
    consumer.assign(&list).unwrap();
    (consumer, records)
}

fn producer(servers: &str) -> BaseProducer<Failures> {
    let mut config = config(servers, PRODUCER_DEFAULTS);
    config.set("acks", "all").set("enable.idempotence", "true");
    config.set("delivery.report.only.error", "true");
    config.create_with_context(Failures::default()).unwrap()
}

fn config(servers: &str, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config
}
