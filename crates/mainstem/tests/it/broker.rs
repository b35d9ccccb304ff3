//! The embedded broker as a process: what clients, hostile peers, crashes and pipelines see of it.
//! No test needs a server: the broker under test is the server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::program::{Place, Ran, Started};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// `mainstem up` on a port of its own.
pub(crate) struct Broker {
    pub(crate) started: Started,
    /// Of its listeners, in their order.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Of the first one.
    pub(crate) address: SocketAddr,
}

impl Broker {
    /// In the folder `data` of the place.
    pub(crate) fn start(place: &Place, more: &[&str]) -> Self {
        Self::start_in(place, "data", more)
    }

    fn start_in(place: &Place, data: &str, more: &[&str]) -> Self {
        Self::start_at(place, data, &["127.0.0.1:0"], more)
    }

    /// With listeners of its own.
    pub(crate) fn start_at(place: &Place, data: &str, listeners: &[&str], more: &[&str]) -> Self {
        let mut arguments = vec!["up", "--data", data];
        arguments.extend(listeners.iter().flat_map(|listener| ["--kafka-listen", listener]));
        arguments.extend_from_slice(more);
        Self::ready(place.start(&arguments))
    }

    /// Waits until it is ready.
    pub(crate) fn ready(mut started: Started) -> Self {
        let said = started.notice();
        let listeners = said.strip_prefix("broker: ready for Kafka clients on ");
        let listeners = listeners.unwrap_or_else(|| {
            panic!("it is not ready: {said} {:?}", started.rest_of_stderr());
        });
        let listeners = listeners.split_once(", topics in").unwrap().0.split(" and ");
        let address = |name: &str| name.rsplit("://").next().unwrap().parse().unwrap();
        let addresses: Vec<SocketAddr> = listeners.map(address).collect();
        Self { started, address: addresses[0], addresses }
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address.to_string());
        config
    }

    /// Writes records with acks=all and waits for all of them.
    pub(crate) fn write(&self, topic: &str, values: impl IntoIterator<Item = String>) {
        write(&self.config(), topic, values);
    }

    /// The first records of partition 0.
    pub(crate) fn read(&self, topic: &str, count: usize) -> Vec<String> {
        read(self.config(), topic, count)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn resident_kib(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.started.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Ctrl-C, and what it left.
    pub(crate) fn stop(self) -> Ran {
        self.started.signal("INT");
        let ran = self.started.end();
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran
    }

    fn kill(self) {
        self.started.signal("KILL");
        self.started.end();
    }
}

/// Writes records with acks=all and waits for all of them.
pub(crate) fn write(config: &ClientConfig, topic: &str, values: impl IntoIterator<Item = String>) {
    let producer: BaseProducer = config.create().unwrap();
    for value in values {
        let record = BaseRecord::<(), str>::to(topic).payload(&value);
        producer.send(record).map_err(|(e, _)| e).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

/// The first records of partition 0.
pub(crate) fn read(mut config: ClientConfig, topic: &str, count: usize) -> Vec<String> {
    config.set("group.id", "test").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&from).unwrap();
    let mut values = Vec::new();
    while values.len() < count {
        let message = consumer.poll(PATIENCE).expect("a record in time").unwrap();
        values.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
    }
    values
}

/// A request frame: the length, then API, version, correlation id 7, no client id, and the body.
pub(crate) fn frame(api_key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&(10 + i32::try_from(body.len()).unwrap()).to_be_bytes());
    bytes.extend_from_slice(&api_key.to_be_bytes());
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(&7_i32.to_be_bytes());
    bytes.extend_from_slice(&(-1_i16).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// The next answer, without its length; `None` if the broker closed the connection.
pub(crate) fn answer(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut bytes = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut bytes).unwrap();
    Some(bytes)
}

pub(crate) fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|n| n.to_string()).collect()
}

#[test]
fn what_was_acknowledged_survives_a_stop_and_a_kill() {
    let place = Place::new();
    let broker = Broker::start(&place, &[]);
    broker.write("numbers", numbers(300));
    assert_eq!(broker.read("numbers", 300), numbers(300));
    broker.stop();
    let broker = Broker::start(&place, &[]);
    assert_eq!(broker.read("numbers", 300), numbers(300));
    broker.write("numbers", ["after".to_owned()]);
    broker.kill();
    let broker = Broker::start(&place, &[]);
    assert_eq!(broker.read("numbers", 301).last().unwrap(), "after");
    broker.stop();
}

#[test]
fn in_memory_nothing_stays() {
    let place = Place::new();
    let broker = Broker::start_in(&place, "memory", &[]);
    broker.write("numbers", numbers(10));
    assert_eq!(broker.read("numbers", 10), numbers(10));
    broker.stop();
    assert!(!place.path("data").exists());
}

#[test]
fn a_folder_and_a_port_have_one_broker() {
    let place = Place::new();
    let broker = Broker::start(&place, &[]);
    let second = place.run(&["up", "--data", "data", "--kafka-listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 2);
    assert!(second.stderr.contains("'data' is in use by process"), "{}", second.stderr);
    let address = broker.address.to_string();
    let third = place.run(&["up", "--data", "other", "--kafka-listen", &address]);
    assert_eq!(third.code, 2);
    assert!(third.stderr.contains("cannot listen on"), "{}", third.stderr);
    assert!(!place.path("other").exists(), "the folder was touched before the port was tried");
    broker.stop();
}

#[test]
fn other_machines_are_let_in_by_the_users_word_only() {
    let place = Place::new();
    let ran = place.run(&["up", "--data", "memory", "--kafka-listen", "0.0.0.0:0"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--insecure"), "{}", ran.stderr);
}

#[test]
fn configurations_of_the_broker_are_given_by_kafkas_names() {
    let place = Place::new();
    let set = |setting| place.run(&["up", "--data", "other", "--kafka-set", setting]);
    let ran = set("num.partition=4");
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("did you mean num.partitions?"), "{}", ran.stderr);
    assert_eq!(set("num.partitions").code, 2);
    assert!(!place.path("other").exists());
    let broker = Broker::start(&place, &["--kafka-set", "num.partitions=4"]);
    broker.write("t", numbers(1));
    let client: BaseConsumer = broker.config().create().unwrap();
    let metadata = client.fetch_metadata(Some("t"), PATIENCE).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 4);
    broker.stop();
}

#[test]
fn hostile_frames_close_their_connection_and_no_other() {
    let place = Place::new();
    let broker = Broker::start(&place, &[]);
    let mut bystander = broker.connect();
    let rows: &[(&str, Vec<u8>)] = &[
        ("a negative length", (-1_i32).to_be_bytes().to_vec()),
        ("a length of nothing", 0_i32.to_be_bytes().to_vec()),
        ("2 GiB", [&0x7fff_fff0_i32.to_be_bytes()[..], &[0; 8]].concat()),
        ("5 MiB of metadata", [&(5_i32 << 20).to_be_bytes()[..], &[0, 3, 0, 1]].concat()),
        ("an API that does not exist", frame(12_345, 0, &[])),
        ("a version that does not exist", frame(3, 99, &[])),
        ("an array of 2147483647 topics", frame(3, 1, &[0x7f, 0xff, 0xff, 0xff])),
        ("a body that ends early", frame(3, 1, &[0, 0, 0, 1, 0, 9, b'x'])),
        ("not Kafka at all", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in rows {
        let mut stream = broker.connect();
        stream.write_all(bytes).unwrap();
        assert_eq!(answer(&mut stream), None, "{what}");
    }
    // The one answer that every client must understand: an unknown version of ApiVersions, in version 0.
    let mut stream = broker.connect();
    stream.write_all(&frame(18, 99, &[])).unwrap();
    assert_eq!(&answer(&mut stream).unwrap()[..6], &[0, 0, 0, 7, 0, 35]);
    bystander.write_all(&frame(18, 0, &[])).unwrap();
    assert_eq!(&answer(&mut bystander).unwrap()[..6], &[0, 0, 0, 7, 0, 0]);
    broker.stop();
}

/// A thousand sockets here, and as many there.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

#[test]
fn announced_bytes_take_no_memory() {
    raise_open_files();
    let place = Place::new();
    let broker = Broker::start(&place, &[]);
    let produce = [0, 0, 0, 9, 0, 0, 0, 1];
    let announcing = |bytes: i32| {
        let connect = |_| {
            let mut stream = broker.connect();
            stream.write_all(&[&bytes.to_be_bytes()[..], &produce].concat()).unwrap();
            stream
        };
        (0..1000).map(connect).collect::<Vec<_>>()
    };
    // 99 MiB of records, of which none ever comes: they are waited for.
    let mut waiting = announcing(99 << 20);
    let refused = announcing(i32::MAX);
    for mut stream in refused {
        assert_eq!(answer(&mut stream), None, "2 GiB are waited for");
    }
    // The last one is served: so all before it were accepted.
    let mut stream = broker.connect();
    stream.write_all(&frame(18, 0, &[])).unwrap();
    answer(&mut stream).unwrap();
    let resident_kib = broker.resident_kib();
    assert!(resident_kib < 50 << 10, "{resident_kib} KiB");
    for stream in &mut waiting {
        stream.set_nonblocking(true).unwrap();
        let open = stream.read(&mut [0]).unwrap_err();
        assert_eq!(open.kind(), std::io::ErrorKind::WouldBlock);
    }
    drop(waiting);
    // Not all of them are told of: nobody fills the operator's screen from outside.
    let told = broker.stop().stderr.lines().filter(|line| line.contains("announces")).count();
    assert!((1..=100).contains(&told), "{told}");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let place = Place::new();
    let broker = Broker::start(&place, &[]);
    let mut stream = broker.connect();
    let mut all = Vec::new();
    for number in 0..50_i32 {
        let mut one = frame(18, 0, &[]);
        one[8..12].copy_from_slice(&number.to_be_bytes());
        all.extend(one);
    }
    for piece in all.chunks(7) {
        stream.write_all(piece).unwrap();
    }
    for number in 0..50_i32 {
        assert_eq!(&answer(&mut stream).unwrap()[..4], &number.to_be_bytes());
    }
    broker.stop();
}

const TABLES: &str = "
CREATE TABLE words (w STRING) WITH ('connector' = 'kafka', 'topic' = 'words', 'format' = 'raw',
  'mainstem.auto-create-topics' = 'true', 'scan.startup.mode' = 'earliest-offset');
CREATE TABLE loud (w STRING) WITH ('connector' = 'kafka', 'topic' = 'loud', 'format' = 'raw',
  'properties.bootstrap.servers' = 'embedded');
";

#[test]
fn a_pipeline_runs_beside_the_broker() {
    let place = Place::with(&[(
        "p.sql",
        &format!("{TABLES} INSERT INTO loud SELECT UPPER(w) FROM words;"),
    )]);
    let broker = Broker::start(&place, &["p.sql"]);
    broker.write("words", ["a", "b", "c"].map(str::to_owned));
    assert_eq!(broker.read("loud", 3), ["A", "B", "C"]);
    broker.write("words", ["d".to_owned()]);
    assert_eq!(broker.read("loud", 4), ["A", "B", "C", "D"]);
    broker.stop();
}

#[test]
fn run_keeps_topics_in_a_folder() {
    let source = "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'fields.n.kind' = 'sequence',
                    'fields.n.start' = '1', 'fields.n.end' = '1000');";
    let topic = "CREATE TABLE log (n BIGINT, k STRING, at_offset BIGINT METADATA FROM 'offset' VIRTUAL)
                   WITH ('connector' = 'kafka', 'topic' = 'log', 'value.format' = 'json',
                   'key.format' = 'raw', 'key.fields' = 'k', 'scan.startup.mode' = 'earliest-offset',
                   'scan.bounded.mode' = 'latest-offset', 'properties.compression.type' = 'zstd');";
    let place = Place::with(&[
        (
            "write.sql",
            &format!("{source} {topic} INSERT INTO log SELECT n, CAST(n AS STRING) FROM numbers;"),
        ),
        (
            "read.sql",
            &format!(
                "{topic} SELECT n FROM log WHERE k = CAST(n AS STRING) AND at_offset = n - 1;"
            ),
        ),
    ]);
    place.ok(&["run", "-q", "--data", "topics", "write.sql"]);
    let read = place.ok(&["run", "-q", "--output", "csv", "--data", "topics", "read.sql"]);
    let found: Vec<u32> = read.stdout.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(found.iter().copied().eq(1..=1000), "{} rows", found.len());
    let forgotten = place.run(&["run", "-q", "--output", "csv", "read.sql"]);
    assert_eq!(forgotten.code, 1);
    let said = "topic 'log' does not exist on the embedded broker";
    assert!(forgotten.stderr.contains(said), "in memory there is nothing: {}", forgotten.stderr);
}

#[test]
fn kcat_lists_it() {
    let place = Place::new();
    let broker = Broker::start(&place, &[]);
    broker.write("numbers", numbers(3));
    let listed = Command::new("kcat").args(["-L", "-b", &broker.address.to_string()]).output();
    // Debian's kcat is the oldest client that has to be understood; not every machine has it.
    if let Ok(listed) = listed {
        let said = String::from_utf8(listed.stdout).unwrap();
        assert!(said.contains("topic \"numbers\" with 1 partitions"), "{said}");
    }
    broker.stop();
}

#[test]
fn users_log_in_and_others_stay_out() {
    let place = Place::with(&[("users.txt", "# who\nada:pencil\n")]);
    let broker =
        Broker::start(&place, &["--kafka-user", "bob:eraser", "--kafka-users", "users.txt"]);
    let metadata = |mechanism: &str, user: &str, password: &str| {
        let mut config = broker.config();
        config.set("security.protocol", "SASL_PLAINTEXT").set("sasl.mechanism", mechanism);
        config.set("sasl.username", user).set("sasl.password", password);
        let client: BaseConsumer = config.create().unwrap();
        let found = client.fetch_metadata(None, Duration::from_secs(5));
        found.map(|metadata| metadata.brokers().len())
    };
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        assert_eq!(metadata(mechanism, "ada", "pencil"), Ok(1), "{mechanism}");
        assert_eq!(metadata(mechanism, "bob", "eraser"), Ok(1), "{mechanism}");
    }
    assert!(metadata("PLAIN", "ada", "eraser").is_err());
    assert!(metadata("SCRAM-SHA-256", "ada", "eraser").is_err());
    // Without a login only ApiVersions is answered; everything else ends the connection.
    let mut stream = broker.connect();
    stream.write_all(&frame(18, 0, &[])).unwrap();
    assert!(answer(&mut stream).is_some());
    stream.write_all(&frame(3, 1, &[0, 0, 0, 0])).unwrap();
    assert_eq!(answer(&mut stream), None);
    // Before a login a frame has at most 512 KiB.
    let mut stream = broker.connect();
    let announced = (1_i32 << 20).to_be_bytes();
    stream.write_all(&[&announced[..], &[0, 0, 0, 9, 0, 0, 0, 1]].concat()).unwrap();
    assert_eq!(answer(&mut stream), None);
    let said = broker.stop().stderr;
    assert!(!said.contains("pencil") && !said.contains("eraser"), "{said}");
}
