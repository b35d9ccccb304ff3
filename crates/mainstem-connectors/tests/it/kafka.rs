//! `kafka` and `upsert-kafka` against a real Kafka.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::builder::{BinaryBuilder, MapBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{ArrayRef, Int64Array, StringArray, TimestampMillisecondArray};
use arrow_cast::display::array_value_to_string;
use bytes::Bytes;
use mainstem_connectors::api::{Connector, Position, Source, SourceRequest, Split, SplitReader};
use mainstem_connectors::format::validate_options;
use mainstem_connectors::kafka::{DeadLetterTopic, KAFKA};
use mainstem_connectors::upsert_kafka::UPSERT_KAFKA;
use mainstem_core::clock::Clock;
use mainstem_core::ingest::{DeadLetter, Decoded};
use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{Batch, DataType, ErrorKind, Result, TypeKind};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::support::{
    Notices, RealClock, column, environment, metadata, service, sink, table, unique, write,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A broker and a topic of the test's own.
pub(crate) struct Cluster {
    servers: String,
    pub(crate) topic: String,
    producer: FutureProducer,
}

impl Cluster {
    pub(crate) async fn open(partitions: i32) -> Option<Self> {
        let servers = service("MAINSTEM_TEST_KAFKA")?;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &servers).set("linger.ms", "1");
        let cluster = Self { servers, topic: unique("it"), producer: config.create().unwrap() };
        if partitions > 0 {
            cluster.create_topic(&cluster.topic, partitions).await;
        }
        Some(cluster)
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", &self.servers).create().unwrap()
    }

    async fn create_topic(&self, name: &str, partitions: i32) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        for result in self.admin().create_topics([&topic], &options).await.unwrap() {
            result.unwrap();
        }
    }

    /// Writes one record and returns its offset.
    async fn produce(&self, partition: i32, key: Option<&str>, value: Option<&str>) -> i64 {
        self.produce_at(partition, key, value, 1_700_000_000_000).await
    }

    async fn produce_at(
        &self,
        partition: i32,
        key: Option<&str>,
        value: Option<&str>,
        timestamp_ms: i64,
    ) -> i64 {
        let headers = OwnedHeaders::new()
            .insert(Header { key: "kind", value: Some("test") })
            .insert(Header { key: "none", value: None::<&str> });
        let mut record = FutureRecord::to(&self.topic).partition(partition);
        record = record.timestamp(timestamp_ms).headers(headers);
        record.key = key;
        record.payload = value;
        let delivery = self.producer.send::<str, str, _>(record, PATIENCE).await.unwrap();
        delivery.offset
    }

    /// `0,a`, `1,b`, ... in partition 0.
    async fn produce_numbers(&self, from: i64, to: i64) {
        for n in from..to {
            self.produce_at(0, None, Some(&format!("{n},n{n}")), 1_000 + n).await;
        }
    }

    pub(crate) fn table(&self, columns: Vec<Column>, more: &[(&str, &str)]) -> TableSpec {
        let mut options =
            vec![("properties.bootstrap.servers", &*self.servers), ("topic", &*self.topic)];
        options.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        options.extend_from_slice(more);
        options.retain(|(_, value)| !value.is_empty());
        table("events", columns, &options)
    }

    /// `id BIGINT, name STRING` as csv, read from the beginning to the end as it is now.
    pub(crate) fn numbers(&self, more: &[(&str, &str)]) -> TableSpec {
        let mut options = vec![
            ("format", "csv"),
            ("scan.startup.mode", "earliest-offset"),
            ("scan.bounded.mode", "latest-offset"),
        ];
        options.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        options.extend_from_slice(more);
        self.table(id_and_name(), &options)
    }
}

pub(crate) fn id_and_name() -> Vec<Column> {
    vec![column("id", TypeKind::BigInt.nullable()), column("name", DataType::string())]
}

fn source(
    connector: &dyn Connector,
    table: &TableSpec,
    notices: &Arc<Notices>,
) -> Result<Box<dyn Source>> {
    validate_options(&table.options, connector.spec())?;
    connector.source(SourceRequest {
        table: table.clone(),
        projection: (0..table.columns.len()).collect(),
        filters: Vec::new(),
        parallelism: 1,
        environment: environment(notices),
    })
}

/// The rows of a batch, each with its weight if that is not 1.
fn texts(batch: &Batch) -> Vec<String> {
    let row = |row: usize| {
        let cells = batch.columns().iter().map(|c| match c.is_null(row) {
            true => "NULL".to_owned(),
            false => match c.as_primitive_opt::<TimestampMillisecondType>() {
                Some(timestamps) => timestamps.value(row).to_string(),
                None => array_value_to_string(c, row).unwrap(),
            },
        });
        let cells = cells.collect::<Vec<_>>().join("|");
        match batch.weight(row) {
            1 => cells,
            weight => format!("{weight}: {cells}"),
        }
    };
    (0..batch.rows()).map(row).collect()
}

/// What a source read.
#[derive(Default)]
struct Read {
    rows: Vec<String>,
    decoded: Decoded,
    positions: Vec<(Split, Position)>,
}

/// Reads all splits to their ends, one after the other.
async fn read_all(source: &mut Box<dyn Source>) -> Result<Read> {
    let mut read = Read::default();
    let mut decoder = source.decoder()?;
    for split in source.discover().await? {
        let mut reader = source.open(&split, None).await?;
        while let Some(fetched) = reader.next().await? {
            decoder.decode(fetched.payload, 0, &mut read.decoded)?;
            read.positions.retain(|(s, _)| *s != split);
            read.positions.push((split.clone(), fetched.position));
        }
    }
    read.rows = read.decoded.batches.iter().flat_map(texts).collect();
    Ok(read)
}

pub(crate) async fn rows_of(connector: &dyn Connector, table: &TableSpec) -> Result<Vec<String>> {
    Ok(read_all(&mut source(connector, table, &Arc::default())?).await?.rows)
}

/// Reads until `count` rows are there.
async fn read_rows(
    source: &dyn Source,
    reader: &mut Box<dyn SplitReader>,
    count: usize,
) -> (Vec<String>, Position) {
    let mut decoder = source.decoder().unwrap();
    let (mut rows, mut position) = (Vec::new(), Position::default());
    while rows.len() < count {
        let fetched = reader.next().await.unwrap().expect("the split has no end");
        let mut out = Decoded::default();
        decoder.decode(fetched.payload, 0, &mut out).unwrap();
        rows.extend(out.batches.iter().flat_map(texts));
        position = fetched.position;
    }
    (rows, position)
}

fn numbered(from: i64, to: i64) -> Vec<String> {
    (from..to).map(|n| format!("{n}|n{n}")).collect()
}

#[tokio::test]
async fn starts_and_ends_where_the_options_say() {
    let Some(cluster) = Cluster::open(1).await else { return };
    cluster.produce_numbers(0, 10).await;
    let cases: &[(&[(&str, &str)], i64, i64)] = &[
        (&[], 0, 10),
        (&[("scan.startup.mode", "latest-offset")], 10, 10),
        (&[("scan.startup.mode", "timestamp"), ("scan.startup.timestamp-millis", "1004")], 4, 10),
        (&[("scan.startup.mode", "timestamp"), ("scan.startup.timestamp-millis", "9999")], 10, 10),
        (
            &[
                ("scan.startup.mode", "specific-offsets"),
                ("scan.startup.specific-offsets", "partition:0,offset:7"),
            ],
            7,
            10,
        ),
        (&[("scan.bounded.mode", "timestamp"), ("scan.bounded.timestamp-millis", "1003")], 0, 3),
        (
            &[
                ("scan.bounded.mode", "specific-offsets"),
                ("scan.bounded.specific-offsets", "partition:0,offset:6"),
            ],
            0,
            6,
        ),
        (
            &[
                ("scan.startup.mode", "group-offsets"),
                ("properties.group.id", "nobody-has-committed"),
                ("properties.auto.offset.reset", "earliest"),
            ],
            0,
            10,
        ),
    ];
    for (options, from, to) in cases {
        let rows = rows_of(&KAFKA, &cluster.numbers(options)).await.unwrap();
        assert_eq!(rows, numbered(*from, *to), "{options:?}");
    }
    let nothing = cluster.numbers(&[
        ("scan.startup.mode", "group-offsets"),
        ("properties.group.id", "nobody-has-committed"),
    ]);
    let error = rows_of(&KAFKA, &nothing).await.unwrap_err();
    assert!(error.to_string().contains("no committed offset"), "{error}");
}

#[tokio::test]
async fn group_offsets_follow_what_was_acknowledged() {
    let Some(cluster) = Cluster::open(1).await else { return };
    cluster.produce_numbers(0, 5).await;
    let group = unique("group");
    let options = [
        ("properties.group.id", &*group),
        ("properties.auto.offset.reset", "earliest"),
        ("scan.startup.mode", "group-offsets"),
    ];
    let table = cluster.numbers(&options);
    let mut first = source(&KAFKA, &table, &Arc::default()).unwrap();
    let read = read_all(&mut first).await.unwrap();
    assert_eq!(read.rows, numbered(0, 5));
    drop(first);
    // Nothing was acknowledged: nothing was committed.
    let mut second = source(&KAFKA, &table, &Arc::default()).unwrap();
    let read = read_all(&mut second).await.unwrap();
    assert_eq!(read.rows, numbered(0, 5));
    let (split, position) = &read.positions[0];
    second.acknowledge(split, position).unwrap();
    drop(second);
    cluster.produce_numbers(5, 8).await;
    assert_eq!(rows_of(&KAFKA, &table).await.unwrap(), numbered(5, 8));
}

#[tokio::test]
async fn goes_on_from_a_position_and_brings_new_records_at_once() {
    let Some(cluster) = Cluster::open(1).await else { return };
    cluster.produce_numbers(0, 3).await;
    let table = cluster.numbers(&[("scan.bounded.mode", "unbounded")]);
    let mut source = source(&KAFKA, &table, &Arc::default()).unwrap();
    let splits = source.discover().await.unwrap();
    assert_eq!(splits, [Split { id: format!("{}-0", cluster.topic) }]);
    let mut reader = source.open(&splits[0], None).await.unwrap();
    let (rows, position) = read_rows(&*source, &mut reader, 3).await;
    assert_eq!(rows, numbered(0, 3));
    drop(reader);
    cluster.produce_numbers(3, 4).await;
    let mut reader = source.open(&splits[0], Some(&position)).await.unwrap();
    assert_eq!(read_rows(&*source, &mut reader, 1).await.0, numbered(3, 4));
    let before_ms = RealClock.now_ms();
    cluster.produce_numbers(4, 5).await;
    assert_eq!(read_rows(&*source, &mut reader, 1).await.0, numbered(4, 5));
    let took_ms = RealClock.now_ms() - before_ms;
    assert!(took_ms < 1_000, "a record took {took_ms} ms");
}

#[tokio::test]
async fn metadata_columns_tell_where_a_record_comes_from() {
    let Some(cluster) = Cluster::open(2).await else { return };
    cluster.produce(1, None, Some("7,x")).await;
    let headers =
        TypeKind::Map(Box::new(TypeKind::STRING.not_null()), Box::new(TypeKind::BYTES.nullable()));
    let mut columns = id_and_name();
    columns.extend([
        metadata("t", "topic", TypeKind::STRING.not_null()),
        metadata("p", "partition", TypeKind::Int.not_null()),
        metadata("o", "offset", TypeKind::BigInt.not_null()),
        metadata("at", "timestamp", TypeKind::TimestampLtz { precision: 3 }.not_null()),
        metadata("kind", "timestamp-type", TypeKind::STRING.not_null()),
        metadata("h", "headers", headers.not_null()),
    ]);
    let mut table = cluster.numbers(&[]);
    table.columns = columns;
    let rows = rows_of(&KAFKA, &table).await.unwrap();
    let expected =
        format!("7|x|{}|1|0|1700000000000|CreateTime|{{kind: 74657374, none: }}", cluster.topic);
    assert_eq!(rows, [expected]);
}

#[tokio::test]
async fn columns_come_from_key_and_value() {
    let Some(cluster) = Cluster::open(1).await else { return };
    cluster.produce(0, Some("k1"), Some("1,one")).await;
    cluster.produce(0, None, Some("2,two")).await;
    cluster.produce(0, Some("k3"), Some("no number,three")).await;
    cluster.produce(0, Some("k4"), Some("4,four")).await;
    let key = [
        ("format", ""),
        ("key.format", "raw"),
        ("value.format", "csv"),
        ("key.fields", "k_code"),
        ("key.fields-prefix", "k_"),
        ("value.fields-include", "EXCEPT_KEY"),
        ("mainstem.bad-records", "skip"),
    ];
    let mut table = cluster.numbers(&key);
    table.columns.insert(1, column("k_code", DataType::string()));
    table.columns.push(metadata("o", "offset", TypeKind::BigInt.not_null()));
    let mut reading = source(&KAFKA, &table, &Arc::default()).unwrap();
    let read = read_all(&mut reading).await.unwrap();
    assert_eq!(read.rows, ["1|k1|one|0", "2|NULL|two|1", "4|k4|four|3"]);
    assert_eq!((read.decoded.records, read.decoded.skipped), (4, 1));

    table.options.remove("mainstem.bad-records");
    let error = rows_of(&KAFKA, &table).await.unwrap_err();
    assert!(error.to_string().contains("partition 0, offset 2"), "{error}");
}

#[tokio::test]
async fn finds_topics_by_pattern_and_partitions_that_are_added() {
    let Some(cluster) = Cluster::open(1).await else { return };
    let second = format!("{}-b", cluster.topic);
    cluster.create_topic(&second, 2).await;
    let pattern = format!("{}(-.*)?", cluster.topic);
    let table = cluster.numbers(&[
        ("topic", ""),
        ("topic-pattern", &pattern),
        ("scan.bounded.mode", "unbounded"),
        ("scan.startup.mode", "latest-offset"),
    ]);
    let mut source = source(&KAFKA, &table, &Arc::default()).unwrap();
    let ids = |splits: &[Split]| splits.iter().map(|s| s.id.clone()).collect::<Vec<_>>();
    let first = ids(&source.discover().await.unwrap());
    assert_eq!(
        first,
        [format!("{}-0", cluster.topic), format!("{second}-0"), format!("{second}-1")]
    );
    assert_eq!(source.rediscover_ms(), Some(300_000));
    let more = NewPartitions::new(&cluster.topic, 2);
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    cluster.admin().create_partitions([&more], &options).await.unwrap();
    cluster.produce(1, None, Some("1,late")).await;
    let added = Split { id: format!("{}-1", cluster.topic) };
    assert!(ids(&source.discover().await.unwrap()).contains(&added.id));
    // Whatever the startup mode says, a new partition is read from its beginning.
    let mut reader = source.open(&added, None).await.unwrap();
    assert_eq!(read_rows(&*source, &mut reader, 1).await.0, ["1|late"]);
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_named() {
    let Some(cluster) = Cluster::open(0).await else { return };
    let error = rows_of(&KAFKA, &cluster.numbers(&[])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    assert!(error.to_string().contains(&format!("topic '{}' does not exist", cluster.topic)));
    assert!(error.hint().unwrap().contains("mainstem.auto-create-topics"), "{error:?}");
    let creating = cluster.numbers(&[("mainstem.auto-create-topics", "true")]);
    assert_eq!(rows_of(&KAFKA, &creating).await.unwrap(), Vec::<String>::new());
}

/// Carries bytes from a port of its own to the real broker.
async fn forward(listener: TcpListener, to: String) {
    while let Ok((mut inward, _)) = listener.accept().await {
        let mut outward = TcpStream::connect(&to).await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut inward, &mut outward).await });
    }
}

#[tokio::test]
async fn waits_for_brokers_that_are_down_at_the_start() {
    let Some(cluster) = Cluster::open(1).await else { return };
    cluster.produce_numbers(0, 2).await;
    // Bound but not listening: connections are refused, and the port stays ours.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let table = cluster.numbers(&[("properties.bootstrap.servers", &address.to_string())]);
    let notices = Arc::new(Notices::default());
    let mut reading = source(&KAFKA, &table, &notices).unwrap();
    let reading = tokio::spawn(async move { read_all(&mut reading).await });
    let said = notices.wait_for("cannot reach Kafka").await;
    assert!(said.contains(&address.to_string()), "{said}");
    let forwarder = tokio::spawn(forward(socket.listen(64).unwrap(), cluster.servers.clone()));
    assert_eq!(reading.await.unwrap().unwrap().rows, numbered(0, 2));
    notices.wait_for("answers again").await;
    assert_eq!(notices.all().len(), 2, "{:?}", notices.all());
    forwarder.abort();
}

#[tokio::test]
async fn a_connection_that_is_refused_is_an_error_at_once() {
    let Some(cluster) = Cluster::open(1).await else { return };
    let jaas = "x.PlainLoginModule required username=\"me\" password=\"hidden\";";
    let table = cluster.numbers(&[
        ("properties.security.protocol", "SASL_PLAINTEXT"),
        ("properties.sasl.mechanism", "PLAIN"),
        ("properties.sasl.jaas.config", jaas),
    ]);
    let error = rows_of(&KAFKA, &table).await.unwrap_err();
    assert!(error.to_string().contains("refused the connection"), "{error}");
    assert!(!format!("{error:?}").contains("hidden"), "{error:?}");

    // A listener without TLS just hangs up, as a broker on its way down does: that is waited out, and said.
    let table = cluster.numbers(&[("properties.security.protocol", "SSL")]);
    let notices = Arc::new(Notices::default());
    let mut reading = source(&KAFKA, &table, &notices).unwrap();
    let reading = tokio::spawn(async move { read_all(&mut reading).await.map(|r| r.rows) });
    notices.wait_for("cannot reach Kafka").await;
    reading.abort();
}

pub(crate) fn numbers_batch(rows: &[(i64, Option<&str>, i64)]) -> Batch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0)));
    let names: ArrayRef = Arc::new(rows.iter().map(|r| r.1).collect::<StringArray>());
    let weights = rows.iter().any(|r| r.2 != 1).then(|| rows.iter().map(|r| r.2).collect());
    Batch::with_weights(vec![ids, names], rows.len(), weights)
}

#[tokio::test]
async fn writes_keys_to_the_partitions_of_java_clients() {
    let Some(cluster) = Cluster::open(7).await else { return };
    let table = cluster.table(
        id_and_name(),
        &[("key.format", "raw"), ("key.fields", "name"), ("value.format", "csv")],
    );
    let mut writing = sink(&KAFKA, &table, &Arc::default()).unwrap();
    writing.open().await.unwrap();
    // Java's murmur2 of the keys: -973932308, -790332482, -985981536.
    let keys = ["21", "foobar", "a-little-bit-long-string"];
    let hashes = [-973_932_308_i32, -790_332_482, -985_981_536];
    let rows: Vec<_> = keys.iter().map(|k| (1, Some(*k), 1)).collect();
    write(&mut writing, &numbers_batch(&rows)).await.unwrap();
    writing.close().await.unwrap();

    let mut reading = cluster.numbers(&[]);
    reading.columns.push(metadata("p", "partition", TypeKind::Int.not_null()));
    let mut rows = rows_of(&KAFKA, &reading).await.unwrap();
    rows.sort();
    let mut expected: Vec<String> = keys
        .iter()
        .zip(hashes)
        .map(|(key, hash)| format!("1|{key}|{}", (hash & 0x7fff_ffff) % 7))
        .collect();
    expected.sort();
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn writes_timestamps_and_headers() {
    let Some(cluster) = Cluster::open(1).await else { return };
    let headers =
        TypeKind::Map(Box::new(TypeKind::STRING.not_null()), Box::new(TypeKind::BYTES.nullable()));
    let mut columns = id_and_name();
    columns.push(metadata("at", "timestamp", TypeKind::TimestampLtz { precision: 3 }.nullable()));
    columns.push(metadata("h", "headers", headers.nullable()));
    let table = cluster.table(columns.clone(), &[("format", "csv"), ("sink.partitioner", "fixed")]);
    let mut writing = sink(&KAFKA, &table, &Arc::default()).unwrap();
    writing.open().await.unwrap();
    let mut columns = numbers_batch(&[(1, Some("a"), 1), (2, None, 1)]).into_columns();
    let at = TimestampMillisecondArray::from(vec![1_700_000_000_000, 1_700_000_000_001]);
    columns.push(Arc::new(at.with_timezone("UTC")));
    let mut maps = MapBuilder::new(None, StringBuilder::new(), BinaryBuilder::new());
    maps.keys().append_value("who");
    maps.values().append_value(b"me");
    maps.append(true).unwrap();
    maps.append(false).unwrap();
    columns.push(Arc::new(maps.finish()));
    write(&mut writing, &Batch::new(columns, 2)).await.unwrap();
    writing.close().await.unwrap();

    let mut reading = cluster.numbers(&[]);
    reading.columns = table.columns;
    assert_eq!(
        rows_of(&KAFKA, &reading).await.unwrap(),
        ["1|a|1700000000000|{who: 6d65}", "2||1700000000001|{}"]
    );
}

#[tokio::test]
async fn says_which_record_a_broker_does_not_take() {
    let Some(cluster) = Cluster::open(1).await else { return };
    let options = [("format", "csv"), ("properties.max.request.size", "2000000")];
    let table = cluster.table(id_and_name(), &options);
    let big = "x".repeat(1_500_000);
    let bigger = "x".repeat(3_000_000);
    for text in [&big, &bigger] {
        let mut writing = sink(&KAFKA, &table, &Arc::default()).unwrap();
        writing.open().await.unwrap();
        let written = match write(&mut writing, &numbers_batch(&[(1, Some(text), 1)])).await {
            Ok(()) => writing.flush().await,
            failed => failed,
        };
        let error = written.unwrap_err();
        let said = error.to_string();
        assert!(said.contains(&cluster.topic) && said.contains("too large"), "{said}");
        assert!(error.hint().unwrap().contains("max.request.size"), "{error:?}");
    }
}

fn upsert_table(cluster: &Cluster, format: &str, more: &[(&str, &str)]) -> TableSpec {
    let mut options = vec![("key.format", format), ("value.format", format)];
    options.extend_from_slice(more);
    let mut table = cluster.table(id_and_name(), &options);
    table.columns[0].data_type.nullable = false;
    table.primary_key = vec![0];
    table
}

#[tokio::test]
async fn upserts_travel_as_records_and_tombstones() {
    for (format, include) in
        [("csv", "ALL"), ("csv", "EXCEPT_KEY"), ("json", "ALL"), ("json", "EXCEPT_KEY")]
    {
        let Some(cluster) = Cluster::open(1).await else { return };
        let writing = upsert_table(&cluster, format, &[("value.fields-include", include)]);
        let mut sink = sink(&UPSERT_KAFKA, &writing, &Arc::default()).unwrap();
        sink.open().await.unwrap();
        let first = numbers_batch(&[(1, Some("a"), 1), (2, Some("b"), 1)]);
        write(&mut sink, &first).await.unwrap();
        write(&mut sink, &numbers_batch(&[(1, None, -1), (2, Some("c"), 1)])).await.unwrap();
        sink.close().await.unwrap();

        let mut reading = upsert_table(
            &cluster,
            format,
            &[("value.fields-include", include), ("scan.bounded.mode", "latest-offset")],
        );
        reading.columns.push(metadata("o", "offset", TypeKind::BigInt.not_null()));
        assert_eq!(
            rows_of(&UPSERT_KAFKA, &reading).await.unwrap(),
            ["1|a|0", "2|b|1", "-1: 1|NULL|2", "2|c|3"],
            "{format} {include}"
        );
        cluster.produce(0, None, Some("5,x")).await;
        let error = rows_of(&UPSERT_KAFKA, &reading).await.unwrap_err();
        assert!(error.to_string().contains("offset 4: it has no key"), "{error}");
    }
}

#[tokio::test]
async fn dead_letters_keep_their_story() {
    let Some(cluster) = Cluster::open(1).await else { return };
    let table = cluster.numbers(&[
        ("mainstem.bad-records", "dead-letter"),
        ("mainstem.dead-letter.topic", &cluster.topic),
    ]);
    let mut letters = DeadLetterTopic::open(&table, &environment(&Arc::default())).await.unwrap();
    let letter = DeadLetter {
        record: Bytes::from_static(b"9,broken"),
        place: "topic x, partition 0, offset 17".to_owned(),
        reason: "why".to_owned(),
    };
    letters.write(&[letter]).await.unwrap();
    letters.flush().await.unwrap();
    let headers =
        TypeKind::Map(Box::new(TypeKind::STRING.not_null()), Box::new(TypeKind::BYTES.nullable()));
    let mut reading = cluster.numbers(&[]);
    reading.columns.push(metadata("h", "headers", headers.not_null()));
    let rows = rows_of(&KAFKA, &reading).await.unwrap();
    assert!(
        rows[0].starts_with("9|broken|{mainstem.table: ") && rows[0].contains("reason"),
        "{rows:?}"
    );
}
