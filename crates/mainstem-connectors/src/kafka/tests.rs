//! Unit tests of the Kafka connector: options as data rows, and outages against librdkafka's mock cluster, which runs
//! inside the process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array};
use mainstem_core::clock::ManualClock;
use mainstem_core::egress::ChangelogMode;
use mainstem_core::ingest::Payload;
use mainstem_core::options::OptionReader;
use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{Batch, TypeKind};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use tokio::sync::Notify;

use super::columns::Layout;
use super::startup::{Bounded, Startup, parse_offsets};
use super::{KAFKA, SPEC, properties};
use crate::api::{
    Connector, Environment, Observer, Sink, SinkRequest, Source, SourceRequest, SplitReader,
};
use crate::upsert_kafka::UPSERT_KAFKA;

fn column(name: &str, metadata_key: Option<&str>) -> Column {
    Column {
        name: name.to_owned(),
        data_type: TypeKind::BigInt.nullable(),
        metadata_key: metadata_key.map(str::to_owned),
    }
}

fn table(options: &[(&str, &str)]) -> TableSpec {
    TableSpec {
        name: "t".to_owned(),
        columns: vec![
            column("a", None),
            column("k_b", None),
            column("at", Some("timestamp")),
            column("c", None),
        ],
        options: options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..TableSpec::default()
    }
}

#[test]
fn properties_get_their_librdkafka_names() {
    let cases = [
        ("auto.offset.reset", "none", Some(("auto.offset.reset", "error"))),
        ("max.request.size", "5", Some(("message.max.bytes", "5"))),
        ("delivery.timeout.ms", "5", Some(("message.timeout.ms", "5"))),
        ("buffer.memory", "33554432", Some(("queue.buffering.max.kbytes", "32768"))),
        ("ssl.truststore.location", "/ca.pem", Some(("ssl.ca.location", "/ca.pem"))),
        ("ssl.keystore.location", "/me.p12", Some(("ssl.keystore.location", "/me.p12"))),
        (
            "ssl.endpoint.identification.algorithm",
            "",
            Some(("ssl.endpoint.identification.algorithm", "none")),
        ),
        ("value.deserializer", "org.apache.kafka.X", None),
    ];
    for (name, value, expected) in cases {
        let config = properties::client_config(&[], [(name, value)]).unwrap();
        match expected {
            Some((native, value)) => assert_eq!(config.get(native), Some(value), "{name}"),
            None => assert!(config.config_map().is_empty(), "{name}"),
        }
    }
    for (name, value) in [
        ("sasl.mechanism", "GSSAPI"),
        ("ssl.truststore.location", "/ca.jks"),
        ("ssl.truststore.location", "/ca.p12"),
        ("transactional.id", "x"),
        ("sasl.jaas.config", "org.apache...PlainLoginModule required;"),
    ] {
        let error = properties::client_config(&[], [(name, value)]).unwrap_err();
        assert!(error.hint().is_some(), "{error:?}");
    }
}

#[test]
fn a_jaas_line_gives_user_and_password() {
    let cases = [
        ("x.PlainLoginModule required username=\"me\" password=\"a\\\"b;c d\";", "me", "a\"b;c d"),
        ("x.ScramLoginModule required\n password='p' username=you;", "you", "p"),
    ];
    for (line, user, password) in cases {
        let config = properties::client_config(&[], [("sasl.jaas.config", line)]).unwrap();
        assert_eq!(config.get("sasl.username"), Some(user));
        assert_eq!(config.get("sasl.password"), Some(password));
    }
}

#[test]
fn offsets_by_partition() {
    let good = [
        ("partition:0,offset:42;partition:1,offset:300", vec![(0, 42), (1, 300)]),
        (" partition : 3 , offset : 1 ; ", vec![(3, 1)]),
    ];
    for (text, expected) in good {
        let found = parse_offsets("o", text).unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{text}");
    }
    for text in ["", "0:42", "partition:0", "partition:-1,offset:2", "partition:0,offset:x"] {
        assert!(parse_offsets("o", text).is_err(), "{text}");
    }
}

#[test]
fn modes_need_their_companions() {
    let start = |options: &[(&str, &str)]| {
        Startup::parse(OptionReader::new(&table(options).options, SPEC.options))
    };
    assert_eq!(start(&[]).unwrap(), Startup::GroupOffsets);
    assert_eq!(start(&[("scan.startup.mode", "Earliest-Offset")]).unwrap(), Startup::Earliest);
    assert!(start(&[("scan.startup.mode", "timestamp")]).is_err());
    assert!(start(&[("scan.startup.mode", "specific-offsets")]).is_err());
    let bounded = Bounded::parse(OptionReader::new(
        &table(&[("scan.bounded.mode", "timestamp"), ("scan.bounded.timestamp-millis", "7")])
            .options,
        SPEC.options,
    ));
    assert_eq!(bounded.unwrap(), Bounded::Timestamp(7));
}

#[test]
fn columns_are_spread_over_key_and_value() {
    let keyed = [("key.format", "json"), ("value.format", "csv")];
    let with = |more: &[(&'static str, &'static str)]| [&keyed[..], more].concat();
    let good: &[(Vec<(&str, &str)>, &[usize], &[usize])] = &[
        (vec![("format", "csv")], &[], &[0, 1, 3]),
        (with(&[("key.fields", "c;a")]), &[3, 0], &[0, 1, 3]),
        (with(&[("key.fields", "a"), ("value.fields-include", "EXCEPT_KEY")]), &[0], &[1, 3]),
        (
            with(&[
                ("key.fields", "k_b"),
                ("value.fields-include", "EXCEPT_KEY"),
                ("key.fields-prefix", "k_"),
            ]),
            &[1],
            &[0, 3],
        ),
    ];
    for (options, key, value) in good {
        let table = table(options);
        let layout = Layout::new(&table, false).unwrap();
        assert_eq!((&*layout.key, &*layout.value), (*key, *value), "{options:?}");
        assert_eq!(layout.metadata, [2]);
        if !layout.prefix.is_empty() {
            assert_eq!(layout.key_table(&table, false, false).table.columns[0].name, "b");
        }
    }
    let bad = [
        vec![],
        vec![("format", "csv"), ("value.format", "csv")],
        vec![("format", "csv"), ("key.format", "csv")],
        vec![("format", "csv"), ("key.fields", "a")],
        with(&[("key.fields", "nothing")]),
        with(&[("key.fields", "at")]),
        with(&[("key.fields", "a"), ("key.fields-prefix", "k_")]),
    ];
    for options in bad {
        assert!(Layout::new(&table(&options), false).is_err(), "{options:?}");
    }
    assert!(Layout::new(&table(&keyed), true).unwrap_err().to_string().contains("PRIMARY KEY"));
}

#[test]
fn side_tables_get_the_options_of_their_side() {
    let table = table(&[
        ("key.format", "csv"),
        ("key.fields", "a"),
        ("key.csv.field-delimiter", ";"),
        ("value.format", "csv"),
        ("value.csv.field-delimiter", "|"),
        ("mainstem.bad-records", "skip"),
    ]);
    let layout = Layout::new(&table, false).unwrap();
    for (side, delimiter) in
        [(layout.key_table(&table, false, true), ";"), (layout.value_table(&table, true), "|")]
    {
        assert_eq!(side.table.options["csv.field-delimiter"], delimiter);
        assert_eq!(side.table.options["mainstem.bad-records"], "skip");
        assert_eq!(side.table.columns.last().unwrap().metadata_key.as_deref(), Some("offset"));
    }
}

#[derive(Default)]
struct Notices {
    said: Mutex<Vec<String>>,
    changed: Notify,
}

impl Observer for Notices {
    fn notice(&self, _table: &str, text: &str) {
        self.said.lock().unwrap().push(text.to_owned());
        self.changed.notify_waiters();
    }
}

impl Notices {
    async fn wait_for(&self, part: &str) {
        loop {
            let changed = self.changed.notified();
            if self.said.lock().unwrap().iter().any(|n| n.contains(part)) {
                return;
            }
            changed.await;
        }
    }
}

fn environment(notices: &Arc<Notices>) -> Environment {
    let observer: Arc<Notices> = Arc::clone(notices);
    Environment {
        clock: Arc::new(ManualClock::default()),
        observer,
        base_dir: ".".into(),
        time_zone: "UTC".to_owned(),
        files: Arc::new(crate::filesystem::files::LocalFiles),
        embedded: None,
    }
}

fn csv_table(servers: &str, more: &[(&str, &str)]) -> TableSpec {
    let mut options = vec![
        ("properties.bootstrap.servers", servers),
        ("topic", "numbers"),
        ("format", "csv"),
        ("scan.startup.mode", "earliest-offset"),
        ("properties.reconnect.backoff.ms", "20"),
        ("properties.reconnect.backoff.max.ms", "100"),
    ];
    options.extend_from_slice(more);
    TableSpec { columns: vec![column("n", None)], ..table(&options) }
}

fn source(table: TableSpec, notices: &Arc<Notices>) -> mainstem_core::Result<Box<dyn Source>> {
    let environment = environment(notices);
    KAFKA.source(SourceRequest {
        projection: vec![0],
        table,
        filters: Vec::new(),
        parallelism: 1,
        environment,
    })
}

fn sink(table: TableSpec, notices: &Arc<Notices>) -> mainstem_core::Result<Box<dyn Sink>> {
    let environment = environment(notices);
    KAFKA.sink(SinkRequest { table, changelog: ChangelogMode::AppendOnly, environment })
}

async fn write(sink: &mut Box<dyn Sink>, from: i64, to: i64) {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..to));
    let rows = numbers.len();
    let encoded = sink.encoder().unwrap().encode(&Batch::new(vec![numbers], rows)).unwrap();
    sink.write(encoded).await.unwrap();
}

async fn read(reader: &mut Box<dyn SplitReader>, count: usize) -> Vec<String> {
    let mut values = Vec::new();
    while values.len() < count {
        match reader.next().await.unwrap().expect("no end").payload {
            Payload::Messages(messages) => values.extend(
                (0..messages.len())
                    .map(|i| String::from_utf8(messages.value(i).unwrap().to_vec()).unwrap()),
            ),
            other => panic!("{other:?}"),
        }
    }
    values
}

fn texts(from: i64, to: i64) -> Vec<String> {
    (from..to).map(|n| n.to_string()).collect()
}

/// A broker with a topic of one partition, which holds the numbers below `to`, and its table.
async fn numbers(to: i64) -> (MockCluster<'static, DefaultProducerContext>, TableSpec) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("numbers", 1, 1).unwrap();
    let table = csv_table(&cluster.bootstrap_servers(), &[]);
    let mut writing = sink(table.clone(), &Arc::default()).unwrap();
    writing.open().await.unwrap();
    write(&mut writing, 0, to).await;
    writing.flush().await.unwrap();
    (cluster, table)
}

#[tokio::test]
async fn source_and_sink_live_through_an_outage_of_all_brokers() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("numbers", 1, 1).unwrap();
    let servers = cluster.bootstrap_servers();
    let (of_source, of_sink) = (Arc::<Notices>::default(), Arc::<Notices>::default());
    let mut writing = sink(csv_table(&servers, &[]), &of_sink).unwrap();
    writing.open().await.unwrap();
    write(&mut writing, 0, 10).await;
    writing.flush().await.unwrap();
    let mut reading = source(csv_table(&servers, &[]), &of_source).unwrap();
    let split = reading.discover().await.unwrap().remove(0);
    let mut reader = reading.open(&split, None).await.unwrap();
    assert_eq!(read(&mut reader, 10).await, texts(0, 10));

    cluster.broker_down(-1).unwrap();
    of_source.wait_for("cannot reach Kafka").await;
    write(&mut writing, 10, 20).await;
    of_sink.wait_for("cannot reach Kafka").await;
    cluster.broker_up(-1).unwrap();
    writing.flush().await.unwrap();
    assert_eq!(read(&mut reader, 10).await, texts(10, 20));
    of_source.wait_for("answers again").await;
    of_sink.wait_for("answers again").await;
    for notices in [of_source, of_sink] {
        assert_eq!(notices.said.lock().unwrap().len(), 2, "{:?}", notices.said);
    }
}

#[tokio::test]
async fn a_slow_reader_holds_up_its_partition_only() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("numbers", 2, 1).unwrap();
    let servers = cluster.bootstrap_servers();
    let notices = Arc::<Notices>::default();
    let mut reading = source(csv_table(&servers, &[]), &notices).unwrap();
    let splits = reading.discover().await.unwrap();
    assert_eq!(splits.len(), 2);
    // Records without a key go to a partition at random: either gets far more than 30000 of 100000.
    let mut writing =
        sink(csv_table(&servers, &[("properties.sticky.partitioning.linger.ms", "0")]), &notices)
            .unwrap();
    writing.open().await.unwrap();
    write(&mut writing, 0, 100_000).await;
    writing.flush().await.unwrap();
    let mut slow = reading.open(&splits[0], None).await.unwrap();
    let mut quick = reading.open(&splits[1], None).await.unwrap();
    assert!(read(&mut quick, 30_000).await.len() >= 30_000);
    assert!(read(&mut slow, 30_000).await.len() >= 30_000);
}

#[tokio::test]
async fn a_partition_can_be_opened_again_and_again() {
    let (_cluster, table) = numbers(50).await;
    let mut reading = source(table, &Arc::default()).unwrap();
    let split = reading.discover().await.unwrap().remove(0);
    for from in 0..20 {
        let at = super::source::position_of(from);
        let mut reader = reading.open(&split, Some(&at)).await.unwrap();
        if from % 3 != 0 {
            assert_eq!(read(&mut reader, 1).await[0], from.to_string());
        }
    }
    let _held = reading.open(&split, None).await.unwrap();
    let mut second = reading.open(&split, None).await.unwrap();
    let refused = second.next().await.unwrap_err();
    assert!(refused.to_string().contains("while it was being read"), "{refused}");
}

#[tokio::test]
async fn an_error_beside_an_answer_is_not_taken_for_an_offset() {
    use RDKafkaRespErr as Code;
    let (cluster, table) = numbers(5).await;
    // Answers that come together.
    cluster.broker_round_trip_time(1, Duration::from_millis(100)).unwrap();
    for error in [
        Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        Code::RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
        Code::RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
        Code::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
    ] {
        let mut reading = source(table.clone(), &Arc::default()).unwrap();
        let split = reading.discover().await.unwrap().remove(0);
        cluster.request_errors(RDKafkaApiKey::ListOffsets, &[error]);
        let mut reader = reading.open(&split, None).await.unwrap();
        let reading = tokio::time::timeout(Duration::from_secs(30), read(&mut reader, 5));
        assert_eq!(reading.await.expect("no row is passed over"), texts(0, 5));
    }
}

#[tokio::test]
async fn a_record_that_times_out_is_reported() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("numbers", 1, 1).unwrap();
    let options = [("properties.delivery.timeout.ms", "300"), ("properties.linger.ms", "1")];
    let table = csv_table(&cluster.bootstrap_servers(), &options);
    let mut writing = sink(table, &Arc::default()).unwrap();
    writing.open().await.unwrap();
    cluster.broker_down(-1).unwrap();
    write(&mut writing, 0, 5).await;
    let error = tokio::time::timeout(Duration::from_secs(30), writing.flush()).await.unwrap();
    let error = error.unwrap_err();
    assert!(error.to_string().contains("topic 'numbers'"), "{error}");
    assert_eq!(error.kind(), mainstem_core::ErrorKind::Unavailable);
}

#[test]
fn what_cannot_be_done_is_refused_before_any_connection() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("sink.delivery-guarantee", "exactly-once")], "needs 'sink.transactional-id-prefix'"),
        (
            &[("sink.transactional-id-prefix", "x"), ("sink.delivery-guarantee", "none")],
            "no effect",
        ),
        (&[("sink.partitioner", "com.example.Mine")], "not supported"),
        (&[("topic", "a;b")], "one topic"),
        (&[("topic", "sp ace")], "cannot be the name"),
        (&[("properties.no.such.thing", "1")], "properties.no.such.thing"),
        (&[("properties.acks", "many")], "properties.acks"),
    ];
    for (options, part) in cases {
        let refused = sink(csv_table("localhost:1", options), &Arc::default()).err().unwrap();
        assert!(refused.to_string().contains(part), "{options:?}: {refused}");
    }
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("scan.startup.mode", "group-offsets")], "group.id"),
        (&[("topic-pattern", "a.*")], "both"),
        (&[("scan.startup.mode", "specific-offsets")], "specific-offsets"),
    ];
    for (options, part) in cases {
        let refused = source(csv_table("localhost:1", options), &Arc::default()).err().unwrap();
        assert!(refused.to_string().contains(part), "{options:?}: {refused}");
    }
    assert!(UPSERT_KAFKA.spec().upsert_source);
}
