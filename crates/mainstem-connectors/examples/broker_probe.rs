//! What `cargo xtask bench broker` asks of a Kafka broker from outside, of ours and of Apache Kafka alike:
//!
//! ```text
//! broker_probe first ADDRESS TOPIC                          waits for a broker and says when it has accepted a record
//! broker_probe create ADDRESS TOPICS PARTITIONS             creates topics idle-0, idle-1 and so on
//! broker_probe steady ADDRESS TOPIC RATE BYTES SECONDS      latencies at a fixed rate, after as many seconds again to warm up
//! broker_probe committed ADDRESS FROM TO RATE BYTES SECONDS the same, through a pipeline between two topics, of what it has committed
//! broker_probe through ADDRESS FROM TO COUNT RECORD         the time of single records through a pipeline between two topics
//! ```
//!
//! Invariant: times are taken on one clock of one process; a record that is lost or refused is a panic, never a figure. The
//! rate is kept whatever the broker does: a slow answer delays no later record, and a record's time counts from when it was
//! due. Knows just enough of the protocol and takes little of the processors that it shares with the broker: a client with
//! queues and threads of its own has a p99 of its own.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark measures real time and may stop at the first surprise"
)]

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use mainstem_log::{BatchBuilder, Compression, RecordBatch, RecordLimits};

const PATIENCE: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_millis(1);
/// Records that are due within so long go together.
const PAUSE: Duration = Duration::from_micros(500);
/// Between two records that are looked at one by one.
const APART: Duration = Duration::from_millis(5);
/// More than are ever due at once, but after a long stop.
const BATCH_MAX: u64 = 500;
const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const METADATA: i16 = 3;
const CREATE_TOPICS: i16 = 19;
const UNKNOWN_TOPIC: i16 = 3;
/// What the record that makes a topic is full of; those that are measured begin with a time.
const FILLING: u8 = b'x';

/// Which records a fetch sees.
#[derive(Debug, Clone, Copy)]
enum Isolation {
    ReadUncommitted = 0,
    ReadCommitted = 1,
}

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
            steady(address, [topic, topic], Isolation::ReadUncommitted, numbers);
        }
        ["committed", address, from, to, rate, bytes, seconds] => {
            let numbers = [rate, bytes, seconds].map(|number| number.parse().unwrap());
            steady(address, [from, to], Isolation::ReadCommitted, numbers);
        }
        ["through", address, from, to, count, record] => {
            through(address, [from, to], count.parse().unwrap(), record);
        }
        _ => panic!(
            "first ADDRESS TOPIC | create ADDRESS TOPICS PARTITIONS | steady ADDRESS TOPIC RATE BYTES SECONDS | committed ADDRESS FROM TO RATE BYTES SECONDS | through ADDRESS FROM TO COUNT RECORD"
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
    let frame = produce_request(topic, &one_record());
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
        match produced(&answer, topic) {
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

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

fn one_record() -> RecordBatch {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(now_ms(), None, Some(&[FILLING; 100]), &[]);
    builder.finish().unwrap()
}

/// The error code of an answer to a produce request.
fn produced(answer: &[u8], topic: &str) -> i16 {
    // Correlation id, one topic with its name, one partition with its index.
    let at = 4 + 4 + 2 + topic.len() + 4 + 4;
    i16::from_be_bytes([answer[at], answer[at + 1]])
}

fn produce_request(topic: &str, batch: &RecordBatch) -> Vec<u8> {
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
    write(stream, frame)?;
    read(stream)
}

fn write(stream: &mut TcpStream, frame: &[u8]) -> io::Result<()> {
    let mut frame = frame.to_vec();
    let size = u32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&size.to_be_bytes());
    stream.write_all(&frame)
}

fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap()
}

/// Three threads: one sends what is due twice a millisecond, one takes the answers, one fetches.
fn steady(
    address: &str,
    [topic, to]: [&str; 2],
    isolation: Isolation,
    [rate, bytes, seconds]: [u64; 3],
) {
    make_topic(address, topic);
    let start = Instant::now();
    let records = rate * seconds * 2;
    let begin_us = since(start) + 1_000_000;
    let due_us = move |number: u64| begin_us + number * 1_000_000 / rate;
    let consumer = {
        let mut stream = connect(address);
        let to = to.to_owned();
        thread::spawn(move || consume(&mut stream, &to, isolation, start, records))
    };
    let mut stream = connect(address);
    let (sender, sent) = channel();
    let acknowledged = {
        let mut stream = stream.try_clone().unwrap();
        let topic = topic.to_owned();
        thread::spawn(move || answers(&mut stream, &topic, start, &sent))
    };
    let mut payload = vec![FILLING; usize::try_from(bytes).unwrap()];
    let mut next = 0;
    while next < records {
        if let Some(early_us @ 1..) = due_us(next).checked_sub(since(start)) {
            thread::sleep(Duration::from_micros(early_us).max(PAUSE));
        }
        let mut builder = BatchBuilder::new(Compression::None);
        let first = next;
        while next < records && due_us(next) <= since(start) && next - first < BATCH_MAX {
            payload[..8].copy_from_slice(&due_us(next).to_be_bytes());
            builder.push(now_ms(), None, Some(&payload), &[]);
            next += 1;
        }
        if let Some(batch) = builder.finish() {
            sender.send((first..next).map(due_us).collect()).unwrap();
            write(&mut stream, &produce_request(topic, &batch)).unwrap();
        }
    }
    let took_us = since(start) - begin_us;
    drop(sender);
    let (acks, ends) = (acknowledged.join().unwrap(), consumer.join().unwrap());
    assert_eq!(acks.len() as u64, records);
    // The first half warms up: Java compiles itself.
    let from_us = begin_us + seconds * 1_000_000;
    say(&format!("rate {}\n", records * 1_000_000 / took_us));
    say(&format!("ack {}\n", percentiles(acks, from_us)));
    say(&format!("end-to-end {}\n", percentiles(ends, from_us)));
}

/// Sends one record (`record` with its number in place of `#`) and waits until something comes out, again and again.
fn through(address: &str, [from, to]: [&str; 2], count: u64, record: &str) {
    let start = Instant::now();
    let (mut producer, mut consumer) = (connect(address), connect(address));
    let mut offset = 0;
    let mut times = Vec::new();
    for number in 0..count {
        // The rate of this load: the system is idle when the next record comes.
        thread::sleep(APART);
        let mut builder = BatchBuilder::new(Compression::None);
        let text = record.replace('#', &number.to_string());
        builder.push(now_ms(), None, Some(text.as_bytes()), &[]);
        let frame = produce_request(from, &builder.finish().unwrap());
        let sent_us = since(start);
        write(&mut producer, &frame).unwrap();
        let before = offset;
        while offset == before {
            let answer =
                call(&mut consumer, &fetch_request(to, offset, Isolation::ReadUncommitted))
                    .unwrap();
            for batch in batches(answer, to) {
                offset = batch.header().last_offset() + 1;
            }
        }
        times.push((number, since(start) - sent_us + number));
        assert_eq!(produced(&read(&mut producer).unwrap(), from), 0, "a record was refused");
    }
    // The first half warms up.
    say(&format!("through {}\n", percentiles(times, count / 2)));
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Asking for a topic makes it; it is there when its partition has a leader.
fn make_topic(address: &str, topic: &str) {
    let frame = produce_request(topic, &one_record());
    let deadline = Instant::now() + PATIENCE;
    while !accepts(address, topic, &frame).unwrap() {
        assert!(Instant::now() < deadline, "topic {topic} was not made");
    }
}

/// Takes the answers to batches, whose records were due at these times: when each record was due, and acknowledged.
fn answers(
    stream: &mut TcpStream,
    topic: &str,
    start: Instant,
    sent: &Receiver<Vec<u64>>,
) -> Vec<(u64, u64)> {
    let mut acks = Vec::new();
    while let Ok(due) = sent.recv() {
        let answer = read(stream).unwrap();
        let done_us = since(start);
        assert_eq!(produced(&answer, topic), 0, "a record was refused");
        acks.extend(due.into_iter().map(|due_us| (due_us, done_us)));
    }
    acks
}

/// Fetches so many records that are measured: when each was due, and came.
fn consume(
    stream: &mut TcpStream,
    topic: &str,
    isolation: Isolation,
    start: Instant,
    records: u64,
) -> Vec<(u64, u64)> {
    let mut came = Vec::new();
    let mut offset = 0;
    while (came.len() as u64) < records {
        let answer = call(stream, &fetch_request(topic, offset, isolation)).unwrap();
        let done_us = since(start);
        for batch in batches(answer, topic) {
            assert!(batch.header().base_offset <= offset, "records are missing");
            offset = batch.header().last_offset() + 1;
            if batch.header().is_control() {
                continue;
            }
            let limits = RecordLimits { decompressed_bytes_max: 1 << 30 };
            for record in batch.records(limits).unwrap().iter() {
                let due_us = record.unwrap().value.unwrap()[..8].try_into().unwrap();
                if due_us != [FILLING; 8] {
                    came.push((u64::from_be_bytes(due_us), done_us));
                }
            }
        }
    }
    came
}

/// The record batches of an answer to a fetch.
fn batches(answer: Vec<u8>, topic: &str) -> impl Iterator<Item = RecordBatch> {
    // Correlation id, throttle time, one topic with its name, one partition with its index.
    let at = 4 + 4 + 4 + 2 + topic.len() + 4 + 4;
    let code = i16::from_be_bytes([answer[at], answer[at + 1]]);
    assert_eq!(code, 0, "a fetch was refused");
    // Two offsets, an empty list of aborted transactions, the length of the records.
    let aborted = i32::from_be_bytes(answer[at + 18..at + 22].try_into().unwrap());
    assert!(aborted <= 0, "a transaction was aborted");
    let mut rest = Bytes::from(answer).slice(at + 2 + 8 + 8 + 4 + 4..);
    std::iter::from_fn(move || RecordBatch::parse_next(&mut rest).map(Result::unwrap))
}

fn fetch_request(topic: &str, offset: i64, isolation: Isolation) -> Vec<u8> {
    let mut frame = request(FETCH, 4);
    // No replica, half a second, a byte at least, 50 MB at most, one topic with one partition.
    frame.extend((-1_i32).to_be_bytes());
    frame.extend(500_i32.to_be_bytes());
    frame.extend(1_i32.to_be_bytes());
    frame.extend((50_i32 << 20).to_be_bytes());
    frame.push(isolation as u8);
    frame.extend(1_i32.to_be_bytes());
    put_text(&mut frame, topic);
    frame.extend(1_i32.to_be_bytes());
    frame.extend(0_i32.to_be_bytes());
    frame.extend(offset.to_be_bytes());
    frame.extend((1_i32 << 20).to_be_bytes());
    frame
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
