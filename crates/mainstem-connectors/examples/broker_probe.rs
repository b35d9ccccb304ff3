//! What `cargo xtask bench broker` asks of a Kafka broker from outside, of ours and of Apache Kafka alike:
//!
//! ```text
//! broker_probe first ADDRESS TOPIC                          waits for a broker and says when it has accepted a record
//! broker_probe create ADDRESS TOPICS PARTITIONS             creates topics idle-0, idle-1 and so on
//! broker_probe steady ADDRESS TOPIC RATE BYTES SECONDS      latencies at a fixed rate, after as many seconds again to warm up
//! ```
//!
//! Invariant: times are taken on one clock of one process; a record that is lost or refused is a panic, never a figure. The
//! rate is kept whatever the broker does: a slow answer delays no later record. Knows just enough of the protocol for the
//! first two; the third is librdkafka.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark measures real time and may stop at the first surprise"
)]

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mainstem_log::{BatchBuilder, Compression};
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_millis(1);
const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const CREATE_TOPICS: i16 = 19;
const UNKNOWN_TOPIC: i16 = 3;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["first", address, topic] => first(address, topic),
        ["create", address, topics, partitions] => {
            create(address, topics.parse().unwrap(), partitions.parse().unwrap());
        }
        ["steady", address, topic, rate, bytes, seconds] => {
            let numbers = [rate, bytes, seconds].map(|number| number.parse().unwrap());
            steady(address, topic, numbers);
        }
        _ => panic!(
            "first ADDRESS TOPIC | create ADDRESS TOPICS PARTITIONS | steady ADDRESS TOPIC RATE BYTES SECONDS"
        ),
    }
}

fn say(text: &str) {
    let mut out = io::stdout();
    out.write_all(text.as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Tries until a record is acknowledged.
fn first(address: &str, topic: &str) {
    let frame = produce_request(topic);
    let deadline = Instant::now() + PATIENCE;
    say("waiting\n");
    while Instant::now() < deadline {
        match accepts(address, topic, &frame) {
            Ok(true) => return say("accepted\n"),
            Ok(false) | Err(_) => thread::sleep(RETRY),
        }
    }
    panic!("no record was accepted within {PATIENCE:?}");
}

fn accepts(address: &str, topic: &str, frame: &[u8]) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    loop {
        let answer = call(&mut stream, frame)?;
        // Correlation id, one topic with its name, one partition with its index.
        let at = 4 + 4 + 2 + topic.len() + 4 + 4;
        match i16::from_be_bytes([answer[at], answer[at + 1]]) {
            0 => return Ok(true),
            // Asking for it makes the topic.
            UNKNOWN_TOPIC => drop(call(&mut stream, &metadata_request(topic))?),
            _ => thread::sleep(RETRY),
        }
    }
}

fn create(address: &str, topics: usize, partitions: i32) {
    let mut stream = TcpStream::connect(address).unwrap();
    for number in 0..topics {
        let mut frame = request(CREATE_TOPICS, 4);
        frame.extend(1_i32.to_be_bytes());
        put_text(&mut frame, &format!("idle-{number}"));
        frame.extend(partitions.to_be_bytes());
        frame.extend(1_i16.to_be_bytes());
        // No assignments, no configurations, a minute, for real.
        frame.extend([0; 8]);
        frame.extend(60_000_i32.to_be_bytes());
        frame.push(0);
        let answer = call(&mut stream, &frame).unwrap();
        // Correlation id, throttle time, one topic with its name.
        let at = 4 + 4 + 4 + 2 + format!("idle-{number}").len();
        let code = i16::from_be_bytes([answer[at], answer[at + 1]]);
        assert_eq!(code, 0, "topic idle-{number} was refused");
    }
}

/// A request's length, which is set when it is sent, and its head.
fn request(api: i16, version: i16) -> Vec<u8> {
    let mut frame = vec![0; 4];
    frame.extend(api.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend(7_i32.to_be_bytes());
    put_text(&mut frame, "probe");
    frame
}

fn put_text(frame: &mut Vec<u8>, text: &str) {
    frame.extend(i16::try_from(text.len()).unwrap().to_be_bytes());
    frame.extend(text.as_bytes());
}

fn produce_request(topic: &str) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    builder.push(i64::try_from(now.as_millis()).unwrap(), None, Some(&[b'x'; 100]), &[]);
    let batch = builder.finish().unwrap();
    let mut frame = request(PRODUCE, 8);
    // No transaction, all replicas, a minute, one topic with one partition.
    frame.extend((-1_i16).to_be_bytes());
    frame.extend((-1_i16).to_be_bytes());
    frame.extend(60_000_i32.to_be_bytes());
    frame.extend(1_i32.to_be_bytes());
    put_text(&mut frame, topic);
    frame.extend(1_i32.to_be_bytes());
    frame.extend(0_i32.to_be_bytes());
    frame.extend(i32::try_from(batch.bytes().len()).unwrap().to_be_bytes());
    frame.extend(&batch.bytes()[..]);
    frame
}

fn metadata_request(topic: &str) -> Vec<u8> {
    let mut frame = request(METADATA, 4);
    frame.extend(1_i32.to_be_bytes());
    put_text(&mut frame, topic);
    frame.push(1);
    frame
}

fn call(stream: &mut TcpStream, frame: &[u8]) -> io::Result<Vec<u8>> {
    let mut frame = frame.to_vec();
    let size = u32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&size.to_be_bytes());
    stream.write_all(&frame)?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// Takes the latencies of deliveries; sent times are microseconds since the start.
struct Deliveries {
    start: Instant,
    latencies: Sender<(u64, u64)>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<u64>) {
        assert!(result.is_ok(), "a record was refused: {result:?}");
        // The receiver may have all it wants.
        let _ = self.latencies.send((*sent, since(self.start)));
    }
}

fn since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap()
}

fn steady(address: &str, topic: &str, [rate, bytes, seconds]: [u64; 3]) {
    let start = Instant::now();
    let (latencies, acknowledged) = channel();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("acks", "all").set("enable.idempotence", "true");
    config.set("linger.ms", "0.5").set("queue.buffering.max.messages", "1000000");
    let producer: ThreadedProducer<Deliveries> =
        config.create_with_context(Deliveries { start, latencies }).unwrap();
    // Makes the topic, if need be.
    producer.client().fetch_metadata(Some(topic), PATIENCE).unwrap();
    let stopping = Arc::new(AtomicBool::new(false));
    let (sender, arrived) = channel();
    let consumer = {
        let (address, topic, stopping) =
            (address.to_owned(), topic.to_owned(), Arc::clone(&stopping));
        thread::spawn(move || consume(&address, &topic, start, &sender, &stopping))
    };
    let records = rate * seconds * 2;
    let mut payload = vec![b'x'; usize::try_from(bytes).unwrap()];
    let begin_us = since(start) + 1_000_000;
    for number in 0..records {
        let due_us = begin_us + number * 1_000_000 / rate;
        while let Some(early_us @ 1..) = due_us.checked_sub(since(start)) {
            thread::sleep(Duration::from_micros(early_us));
        }
        let sent_us = since(start);
        payload[..8].copy_from_slice(&sent_us.to_be_bytes());
        let record = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, Box::new(sent_us));
        producer.send(record.payload(&payload)).map_err(|(e, _)| e).unwrap();
    }
    let took_us = since(start) - begin_us;
    producer.flush(PATIENCE).unwrap();
    let all = usize::try_from(records).unwrap();
    let acks = (0..all).map(|_| acknowledged.recv_timeout(PATIENCE).unwrap()).collect();
    let ends = (0..all).map(|_| arrived.recv_timeout(PATIENCE).unwrap()).collect();
    stopping.store(true, Ordering::Relaxed);
    consumer.join().unwrap();
    // The first half warms up: Java compiles itself.
    let from_us = begin_us + seconds * 1_000_000;
    say(&format!("rate {}\n", records * 1_000_000 / took_us));
    say(&format!("ack {}\n", percentiles(acks, from_us)));
    say(&format!("end-to-end {}\n", percentiles(ends, from_us)));
}

fn consume(
    address: &str,
    topic: &str,
    start: Instant,
    arrived: &Sender<(u64, u64)>,
    stopping: &AtomicBool,
) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("group.id", "probe");
    let consumer: BaseConsumer = config.set("enable.auto.commit", "false").create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    while !stopping.load(Ordering::Relaxed) {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.unwrap();
        let sent = message.payload().unwrap()[..8].try_into().unwrap();
        // The receiver may have all it wants.
        let _ = arrived.send((u64::from_be_bytes(sent), since(start)));
    }
}

/// In microseconds: p50, p99, p99.9, max.
fn percentiles(times: Vec<(u64, u64)>, from_us: u64) -> String {
    let measured = times.into_iter().filter(|(sent, _)| *sent >= from_us);
    let mut latencies: Vec<u64> = measured.map(|(sent, done)| done - sent).collect();
    latencies.sort_unstable();
    let at =
        |permille: usize| latencies[(latencies.len() * permille / 1000).min(latencies.len() - 1)];
    [at(500), at(990), at(999), at(1000)].map(|us| us.to_string()).join(" ")
}
