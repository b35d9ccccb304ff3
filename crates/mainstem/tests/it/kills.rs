//! kill -9 again and again, under money that moves in transactions.
//! Invariant: a client (librdkafka) writes requests and notes which were acknowledged; workers, one for each partition, take
//! requests and write two entries for each into a ledger, in one transaction with their offsets; some transactions are aborted
//! on purpose. A worker that lost its broker comes back with new clients, whose transactional id fences the old ones. Whenever the broker is killed, the books are right in the end: every
//! acknowledged request is there once, at its acknowledged offset, and has its two entries once; nothing that was aborted is
//! seen. Kills follow what the workers have done, not a clock. MAINSTEM_TEST_KILLS says how many.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::program::Place;
use crate::servers::Deadline;

const REQUESTS: &str = "requests";
const LEDGER: &str = "ledger";
const PARTITIONS: i32 = 3;
const ACCOUNTS: u64 = 10;
/// A transaction takes at most so many requests.
const REQUESTS_MAX: usize = 20;
/// One in so many transactions is aborted by its worker.
const ABORTED: u64 = 4;
const POLL: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What the threads of the test share.
#[derive(Default)]
struct Books {
    /// Partition and offset of every acknowledged request.
    acknowledged: Mutex<BTreeMap<u64, (i32, i64)>>,
    commits: AtomicU64,
    aborts: AtomicU64,
    no_more_requests: AtomicBool,
    no_more_work: AtomicBool,
}

/// The broker, on one port and one folder for all of its lives.
struct Broker<'a> {
    place: &'a Place,
    address: String,
    child: Option<Child>,
}

impl<'a> Broker<'a> {
    fn new(place: &'a Place) -> Self {
        // Below the ports that the system gives to outgoing connections: nobody takes it while the broker is dead.
        let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
        let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let port = (first..32_000).find(free).unwrap();
        Self { place, address: format!("127.0.0.1:{port}"), child: None }
    }

    fn start(&mut self) {
        let mut command = self.place.command(&[
            "up",
            "--quiet",
            "--data",
            "data",
            "--kafka-listen",
            &self.address,
        ]);
        let log = std::fs::File::options().create(true).append(true).open(self.place.path("log"));
        self.child = Some(command.stdout(Stdio::null()).stderr(log.unwrap()).spawn().unwrap());
    }

    /// SIGKILL; fails the test if the broker ended by itself.
    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        let ended = child.try_wait().unwrap();
        assert_eq!(ended, None, "the broker ended: {}", self.place.read("log"));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config.set("reconnect.backoff.ms", "10").set("reconnect.backoff.max.ms", "50");
        config.set("socket.timeout.ms", "10000").set("retry.backoff.ms", "10");
        config.set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg);
        config
    }

    /// A consumer that sees what was committed.
    fn reader(&self) -> ClientConfig {
        let mut config = self.config();
        config.set("group.id", "bank").set("isolation.level", "read_committed");
        config.set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
        config.set("fetch.wait.max.ms", "50");
        config
    }

    fn create_topics(&self) {
        for topic in [REQUESTS, LEDGER] {
            let partitions = PARTITIONS.to_string();
            let create = ["topic", "create", topic, "--partitions", &partitions];
            self.place.ok(&[&create[..], &["-b", &self.address]].concat());
        }
    }
}

impl Drop for Broker<'_> {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // No harm if it has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Notes what was acknowledged.
struct Acknowledgements(Arc<Books>);

impl ClientContext for Acknowledgements {}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, delivered: &DeliveryResult<'_>, request: Box<u64>) {
        // An error is no acknowledgement: it may be there or not.
        if let Ok(record) = delivered {
            let mut acknowledged = self.0.acknowledged.lock().unwrap();
            let twice = acknowledged.insert(*request, (record.partition(), record.offset()));
            assert_eq!(twice, None, "request {request} was acknowledged twice");
        }
    }
}

/// Writes requests, one after another, until it is told to stop; how many.
fn request(config: &ClientConfig, books: &Arc<Books>) -> u64 {
    let mut config = config.clone();
    config.set("enable.idempotence", "true").set("linger.ms", "1");
    config.set("message.timeout.ms", "0").set("queue.buffering.max.messages", "200");
    let context = Acknowledgements(Arc::clone(books));
    let producer: ThreadedProducer<Acknowledgements> = config.create_with_context(context).unwrap();
    let mut next = 0;
    while !books.no_more_requests.load(Ordering::SeqCst) {
        // As many as the workers take, so that there is an end in sight when the kills are over.
        if next > 200 + 5 * books.commits.load(Ordering::SeqCst) {
            producer.poll(Duration::from_millis(10));
            continue;
        }
        let id = next.to_string();
        let record = BaseRecord::with_opaque_to(REQUESTS, Box::new(next)).key(&id).payload(&id);
        match producer.send(record) {
            Ok(()) => next += 1,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                producer.poll(Duration::from_millis(10));
            }
            Err((e, _)) => panic!("request {next}: {e}"),
        }
    }
    producer.flush(PATIENCE).unwrap();
    next
}

/// From where to where a request moves how much.
fn transfer(request: u64) -> (u64, u64, i64) {
    let mut dice = Dice(request);
    let from = dice.roll(ACCOUNTS);
    (from, (from + 1 + dice.roll(ACCOUNTS - 1)) % ACCOUNTS, 1 + dice.roll(100) as i64)
}

/// Takes requests and writes entries until it is told to stop. Whatever goes wrong, it begins anew with new clients: what is
/// true then is what the broker says.
fn work(reader: &ClientConfig, config: &ClientConfig, partition: i32, books: &Books) {
    let mut dice = Dice(u64::from(partition.unsigned_abs()));
    while !books.no_more_work.load(Ordering::SeqCst) {
        // Any error: the broker is dead, or the transaction took too long.
        let _ = work_until_error(reader, config, partition, books, &mut dice);
    }
}

fn work_until_error(
    reader: &ClientConfig,
    config: &ClientConfig,
    partition: i32,
    books: &Books,
    dice: &mut Dice,
) -> KafkaResult<()> {
    let mut config = config.clone();
    config.set("transactional.id", format!("worker-{partition}")).set("linger.ms", "0");
    config.set("transaction.timeout.ms", "10000");
    let producer: ThreadedProducer<rdkafka::producer::DefaultProducerContext> = config.create()?;
    producer.init_transactions(PATIENCE)?;
    let consumer: BaseConsumer = reader.create()?;
    // Stable: the transaction of whoever had this name before has ended.
    let mut position = TopicPartitionList::new();
    position.add_partition(REQUESTS, partition);
    let mut position = consumer.committed_offsets(position, PATIENCE)?;
    if position.elements()[0].offset() == Offset::Invalid {
        position.set_all_offsets(Offset::Beginning)?;
    }
    consumer.assign(&position)?;
    while !books.no_more_work.load(Ordering::SeqCst) {
        let mut requests = Vec::new();
        while let Some(message) =
            consumer.poll(if requests.is_empty() { POLL } else { Duration::ZERO })
        {
            requests.push(message?);
            if requests.len() == REQUESTS_MAX {
                break;
            }
        }
        if requests.is_empty() {
            continue;
        }
        let aborted = dice.roll(ABORTED) == 0;
        producer.begin_transaction()?;
        let positions = write_entries(&producer, &requests, aborted)?;
        let group = consumer.group_metadata().ok_or(KafkaError::Canceled)?;
        producer.send_offsets_to_transaction(&positions, &group, PATIENCE)?;
        if aborted {
            producer.flush(PATIENCE)?;
            producer.abort_transaction(PATIENCE)?;
            books.aborts.fetch_add(1, Ordering::SeqCst);
            go_back(&consumer, &requests)?;
        } else {
            producer.commit_transaction(PATIENCE)?;
            books.commits.fetch_add(1, Ordering::SeqCst);
        }
    }
    Ok(())
}

/// Two entries for each request: `request amount`, of the account that is the key. Returns where the requests end.
fn write_entries(
    producer: &ThreadedProducer<rdkafka::producer::DefaultProducerContext>,
    requests: &[BorrowedMessage<'_>],
    aborted: bool,
) -> KafkaResult<TopicPartitionList> {
    let mut ends = BTreeMap::new();
    for message in requests {
        let request: u64 = text(message).parse().unwrap();
        let (from, to, amount) = transfer(request);
        for (account, amount) in [(from, -amount), (to, amount)] {
            let (key, mut entry) = (account.to_string(), format!("{request} {amount}"));
            if aborted {
                entry.push_str(" aborted");
            }
            let partition = i32::try_from(account).unwrap() % PARTITIONS;
            let record = BaseRecord::to(LEDGER).partition(partition).key(&key).payload(&entry);
            producer.send(record).map_err(|(e, _)| e)?;
        }
        ends.insert(message.partition(), message.offset() + 1);
    }
    let mut positions = TopicPartitionList::new();
    for (partition, end) in ends {
        positions.add_partition_offset(REQUESTS, partition, Offset::Offset(end))?;
    }
    Ok(positions)
}

/// Reads these requests again.
fn go_back(consumer: &BaseConsumer, requests: &[BorrowedMessage<'_>]) -> KafkaResult<()> {
    let mut starts = BTreeMap::new();
    for message in requests {
        starts.entry(message.partition()).or_insert(message.offset());
    }
    let mut positions = TopicPartitionList::new();
    for (partition, start) in starts {
        positions.add_partition_offset(REQUESTS, partition, Offset::Offset(start))?;
    }
    consumer.seek_partitions(positions, PATIENCE)?;
    Ok(())
}

fn text(message: &BorrowedMessage<'_>) -> String {
    String::from_utf8(message.payload().unwrap().to_vec()).unwrap()
}

/// All committed records of a topic: partition, offset, key and value.
fn read(reader: &ClientConfig, topic: &str) -> Vec<(i32, i64, String, String)> {
    let mut config = reader.clone();
    config.set("group.id", "auditor").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut from = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        from.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&from).unwrap();
    let (mut records, mut open) = (Vec::new(), (0..PARTITIONS).collect::<BTreeSet<_>>());
    let deadline = Deadline::new();
    while !open.is_empty() {
        assert!(deadline.left().is_some(), "{topic} has no end in {open:?}");
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
                records.push((message.partition(), message.offset(), key, text(&message)));
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&partition)),
            Some(Err(e)) => panic!("{topic}: {e}"),
            None => {}
        }
    }
    records
}

/// Every acknowledged request is in the topic once, where it was acknowledged; no request is there twice.
fn check_requests(books: &Books, records: &[(i32, i64, String, String)]) -> BTreeSet<u64> {
    let mut places = BTreeMap::new();
    for (partition, offset, _, value) in records {
        let twice = places.insert(value.parse::<u64>().unwrap(), (*partition, *offset));
        assert_eq!(twice, None, "request {value} is there twice: at {partition}/{offset}, too");
    }
    for (request, place) in &*books.acknowledged.lock().unwrap() {
        assert_eq!(places.get(request), Some(place), "request {request} was acknowledged");
    }
    places.into_keys().collect()
}

/// The ledger holds the two entries of each request once, and nothing else; accounts sum up to nothing.
fn check_ledger(requests: &BTreeSet<u64>, records: &[(i32, i64, String, String)]) {
    let mut entries: BTreeMap<u64, Vec<(u64, i64)>> = BTreeMap::new();
    for (partition, offset, account, entry) in records {
        let words: Vec<&str> = entry.split(' ').collect();
        assert_eq!(words.len(), 2, "{partition}/{offset} was aborted and is seen: {entry}");
        let of_request = entries.entry(words[0].parse().unwrap()).or_default();
        of_request.push((account.parse().unwrap(), words[1].parse().unwrap()));
    }
    let total: i64 = entries.values().flatten().map(|(_, amount)| amount).sum();
    assert_eq!(total, 0, "money came or went");
    for request in requests {
        let (from, to, amount) = transfer(*request);
        let mut expected = vec![(from, -amount), (to, amount)];
        let mut found = entries.remove(request).unwrap_or_default();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "the entries of request {request}");
    }
    assert_eq!(entries, BTreeMap::new(), "entries of requests that nobody made");
}

/// Tells the threads to end, also when the test fails.
struct Stop<'a>(&'a Books);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.no_more_requests.store(true, Ordering::SeqCst);
        self.0.no_more_work.store(true, Ordering::SeqCst);
    }
}

/// True when the group has worked off all requests.
fn all_is_done(reader: &ClientConfig) -> bool {
    let consumer: BaseConsumer = reader.create().unwrap();
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition(REQUESTS, partition);
    }
    let Ok(committed) = consumer.committed_offsets(partitions, PATIENCE) else { return false };
    committed.elements().iter().all(|each| {
        let end = consumer.fetch_watermarks(REQUESTS, each.partition(), PATIENCE);
        end.is_ok_and(|(_, end)| each.offset() == Offset::Offset(end) || end == 0)
    })
}

/// Kills the broker so often, each time after the workers have committed a few transactions; sometimes before it is ready.
fn kill_again_and_again(broker: &mut Broker<'_>, books: &Books, kills: u64) {
    let mut dice = Dice(kills);
    for kill in 0..kills {
        let committed = books.commits.load(Ordering::SeqCst);
        let more = if dice.roll(5) == 0 { 0 } else { 1 + dice.roll(15) };
        let deadline = Deadline::new();
        while books.commits.load(Ordering::SeqCst) < committed + more {
            assert!(
                deadline.left().is_some(),
                "no commits after {kill} kills: {}",
                broker.place.read("log")
            );
            std::thread::yield_now();
            std::thread::park_timeout(Duration::from_millis(1));
        }
        broker.kill();
        broker.start();
    }
}

#[test]
fn money_is_neither_made_nor_lost_by_kills() {
    let kills = crate::checkpoints::kills(10);
    let (place, books) = (Place::new(), Arc::new(Books::default()));
    let mut broker = Broker::new(&place);
    broker.start();
    broker.create_topics();
    let (config, reader) = (broker.config(), broker.reader());
    let requested = std::thread::scope(|scope| {
        let requester = scope.spawn(|| request(&config, &books));
        let (config, reader, books) = (&config, &reader, &*books);
        let _stop = Stop(books);
        for partition in 0..PARTITIONS {
            scope.spawn(move || work(reader, config, partition, books));
        }
        kill_again_and_again(&mut broker, books, kills);
        books.no_more_requests.store(true, Ordering::SeqCst);
        let requested = requester.join().unwrap();
        let deadline = Deadline::new();
        while !all_is_done(reader) {
            assert!(deadline.left().is_some(), "the workers do not come to an end");
        }
        requested
    });
    let requests = check_requests(&books, &read(&reader, REQUESTS));
    check_ledger(&requests, &read(&reader, LEDGER));
    let acknowledged = books.acknowledged.lock().unwrap().len() as u64;
    assert_eq!(acknowledged, requested, "requests are sent until they are acknowledged");
    let (commits, aborts) = (&books.commits, &books.aborts);
    // Not eprintln: the harness would keep it to itself.
    let report = format!(
        "{kills} kills, {requested} requests, {commits:?} transactions committed, {aborts:?} aborted on purpose\n"
    );
    std::io::Write::write_all(&mut std::io::stderr(), report.as_bytes()).unwrap();
}
