//! What a sink promises to a pipeline that takes checkpoints: one suite for every connector whose spec says exactly once.
//! A sink that is dropped is one whose process was killed.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::StringArray;
use mainstem_connectors::api::{Connector, Environment, Sink, SinkRequest, SourceRequest};
use mainstem_connectors::filesystem::FILESYSTEM;
use mainstem_connectors::format::validate_options;
use mainstem_connectors::jdbc::JDBC;
use mainstem_connectors::kafka::KAFKA;
use mainstem_connectors::registry::connectors;
use mainstem_connectors::upsert_kafka::UPSERT_KAFKA;
use mainstem_core::clock::ManualClock;
use mainstem_core::egress::ChangelogMode;
use mainstem_core::ingest::Payload;
use mainstem_core::options::Delivery;
use mainstem_core::table::{Options, TableSpec};
use mainstem_core::{Batch, TypeKind};

use crate::jdbc::Database;
use crate::kafka::Cluster;
use crate::kafka_secure::Secure;
use crate::support::{column, environment, table, unique, write};

/// Connectors whose spec says exactly once: those of the tests below, and the one that shows nothing.
const SUITE: [&str; 5] = ["blackhole", "filesystem", "jdbc", "kafka", "upsert-kafka"];

/// How long a cluster may take to show what is committed, and how often somebody looks.
const COMMITTED_WITHIN: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Where letters go, one a row.
struct Target {
    connector: &'static dyn Connector,
    table: TableSpec,
    environment: Environment,
    shown: Shown,
}

/// How they are seen.
enum Shown {
    /// By a table that reads a topic.
    Topic(TableSpec),
    Folder(tempfile::TempDir),
    Database(Database),
}

impl Target {
    fn new(connector: &'static dyn Connector, options: Options, shown: Shown) -> Self {
        let is_upsert = connector.spec().name == "upsert-kafka";
        let kind =
            if is_upsert { TypeKind::STRING.not_null() } else { TypeKind::STRING.nullable() };
        let mut table = table("letters", vec![column("v", kind)], &[]);
        table.options = options;
        table.options.insert("connector".to_owned(), connector.spec().name.to_owned());
        table.primary_key = if is_upsert { vec![0] } else { Vec::new() };
        validate_options(&table.options, connector.spec()).unwrap();
        Self { connector, table, environment: environment(&Arc::default()), shown }
    }

    /// A topic; `way` to its broker.
    fn topic(connector: &'static dyn Connector, mut way: Options) -> Self {
        way.remove("format");
        way.insert("topic".to_owned(), unique("promises"));
        way.insert("mainstem.auto-create-topics".to_owned(), "true".to_owned());
        let mut reading = way.clone();
        for (name, value) in [
            ("connector", "kafka"),
            ("format", "raw"),
            ("scan.startup.mode", "earliest-offset"),
            ("scan.bounded.mode", "latest-offset"),
        ] {
            reading.insert(name.to_owned(), value.to_owned());
        }
        let formats: &[&str] = match connector.spec().name {
            "upsert-kafka" => &["key.format", "value.format"],
            _ => &["format"],
        };
        way.extend(formats.iter().map(|name| ((*name).to_owned(), "raw".to_owned())));
        let mut shown = table("shown", vec![column("v", TypeKind::STRING.nullable())], &[]);
        shown.options = reading;
        Self::new(connector, way, Shown::Topic(shown))
    }

    fn embedded(connector: &'static dyn Connector) -> Self {
        let mut target = Self::topic(connector, Options::default());
        target.environment.embedded = Some(crate::broker::topics());
        // That of the broker.
        target.environment.clock = Arc::new(ManualClock::new(0));
        target
    }

    fn request(&self) -> SinkRequest {
        let changelog = match self.table.primary_key.as_slice() {
            [] => ChangelogMode::AppendOnly,
            key => ChangelogMode::Upsert { key: key.to_vec() },
        };
        SinkRequest { table: self.table.clone(), changelog, environment: self.environment.clone() }
    }

    /// A sink that goes on from a checkpoint.
    async fn sink(&self, tokens: &[Vec<u8>]) -> Box<dyn Sink> {
        let mut sink = self.connector.sink(self.request()).unwrap();
        sink.open().await.unwrap();
        assert!(sink.stage(tokens).await.unwrap());
        sink
    }

    /// What somebody sees who looks now, in the order of the alphabet.
    async fn seen(&self) -> String {
        let mut seen: Vec<char> = match &self.shown {
            Shown::Topic(table) => self.seen_in_topic(table).await.chars().collect(),
            Shown::Folder(folder) => {
                let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap());
                let visible =
                    files.filter(|file| !file.file_name().to_string_lossy().starts_with('.'));
                let text = visible.map(|file| std::fs::read_to_string(file.path()).unwrap());
                text.collect::<String>().split_whitespace().collect::<String>().chars().collect()
            }
            Shown::Database(database) => {
                let rows = database.rows("SELECT v FROM $S.letters").await;
                rows.concat().chars().collect()
            }
        };
        seen.sort_unstable();
        seen.into_iter().collect()
    }

    async fn seen_in_topic(&self, table: &TableSpec) -> String {
        let request = SourceRequest {
            table: table.clone(),
            projection: vec![0],
            filters: Vec::new(),
            parallelism: 1,
            environment: self.environment.clone(),
        };
        let mut source = KAFKA.source(request).unwrap();
        let mut seen = String::new();
        for split in source.discover().await.unwrap() {
            let mut reader = source.open(&split, None).await.unwrap();
            while let Some(fetched) = reader.next().await.unwrap() {
                let Payload::Messages(messages) = fetched.payload else { panic!("no messages") };
                for index in 0..messages.len() {
                    seen.push_str(std::str::from_utf8(messages.value(index).unwrap()).unwrap());
                }
            }
        }
        seen
    }

    /// A cluster answers that a transaction is committed before its partitions know of it, so what is missing is waited for.
    async fn shows(&self, letters: &str) {
        let mut looks = tokio::time::interval(LOOK_AGAIN);
        let waited = async {
            while self.seen().await.len() < letters.len() {
                looks.tick().await;
            }
        };
        let in_time = tokio::time::timeout(COMMITTED_WITHIN, waited).await.is_ok();
        assert_eq!(self.seen().await, letters, "in time: {in_time}");
    }
}

async fn put(sink: &mut Box<dyn Sink>, letters: &str) {
    let column: StringArray = letters.chars().map(|letter| Some(letter.to_string())).collect();
    write(sink, &Batch::new(vec![Arc::new(column)], letters.len())).await.unwrap();
    sink.flush().await.unwrap();
}

async fn prepared(sink: &mut Box<dyn Sink>) -> Vec<u8> {
    sink.prepare().await.unwrap().expect("something was written")
}

async fn keeps_its_promises(target: &Target) {
    let mut sink = target.sink(&[]).await;
    put(&mut sink, "ab").await;
    let first = prepared(&mut sink).await;
    put(&mut sink, "c").await;
    target.shows("").await; // nothing is committed
    for _ in 0..2 {
        sink.commit(std::slice::from_ref(&first)).await.unwrap();
        target.shows("ab").await;
    }
    let second = prepared(&mut sink).await;
    put(&mut sink, "d").await;
    let third = prepared(&mut sink).await;
    put(&mut sink, "x").await;
    drop(sink);
    target.shows("ab").await; // two are prepared
    let mut sink = target.sink(&[second, third.clone()]).await;
    target.shows("abcd").await;
    put(&mut sink, "y").await;
    drop(sink);
    let mut sink = target.sink(std::slice::from_ref(&third)).await;
    sink.prepare().await.unwrap(); // nothing was written
    target.shows("abcd").await;
    let mut last = third;
    for letter in ["e", "f", "g", "h", "i"] {
        put(&mut sink, letter).await;
        let token = prepared(&mut sink).await;
        put(&mut sink, "z").await;
        prepared(&mut sink).await; // for a checkpoint that was never complete
        drop(sink);
        sink = target.sink(std::slice::from_ref(&token)).await;
        last = token;
    }
    target.shows("abcdefghi").await;
    drop(sink);
    let mut sink = target.sink(&[last]).await;
    put(&mut sink, "j").await;
    let mut tokens = vec![prepared(&mut sink).await];
    // The checkpoint store is gone for a while: more wait than a sink keeps clients for.
    for letter in ["k", "l", "m", "n", "o", "p", "q"] {
        put(&mut sink, letter).await;
        tokens.push(prepared(&mut sink).await);
    }
    target.shows("abcdefghi").await;
    sink.commit(&tokens).await.unwrap();
    target.shows("abcdefghijklmnopq").await;
    for letter in ["r", "s", "t"] {
        put(&mut sink, letter).await;
        let token = prepared(&mut sink).await;
        sink.commit(&[token]).await.unwrap();
    }
    sink.close().await.unwrap();
    target.shows("abcdefghijklmnopqrst").await;
}

#[test]
fn every_connector_that_says_exactly_once_is_here() {
    let exact = |connector: &&dyn Connector| connector.spec().sink == Some(Delivery::ExactlyOnce);
    let named = connectors().into_iter().filter(exact).map(|connector| connector.spec().name);
    let mut named: Vec<_> = named.collect();
    named.sort_unstable();
    assert_eq!(named, SUITE);
}

#[tokio::test]
async fn embedded_topics() {
    keeps_its_promises(&Target::embedded(&KAFKA)).await;
    keeps_its_promises(&Target::embedded(&UPSERT_KAFKA)).await;
}

#[tokio::test]
async fn topics_of_a_cluster() {
    let Some(cluster) = Cluster::open(0).await else { return };
    for connector in [&KAFKA as &dyn Connector, &UPSERT_KAFKA] {
        let way = cluster.table(Vec::new(), &[]).options;
        keeps_its_promises(&Target::topic(connector, way)).await;
    }
}

#[tokio::test]
async fn topics_of_a_cluster_with_tls_and_a_login() {
    let Some(secure) = Secure::open().await else { return };
    for mechanism in ["SCRAM-SHA-512", "PLAIN"] {
        keeps_its_promises(&Target::topic(&KAFKA, secure.known(mechanism).options)).await;
    }
    keeps_its_promises(&Target::topic(&KAFKA, secure.unchecked().options)).await;
}

#[tokio::test]
async fn files() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("{}/", folder.path().display());
    let options = [("path".to_owned(), path), ("format".to_owned(), "raw".to_owned())];
    let target = Target::new(&FILESYSTEM, options.into_iter().collect(), Shown::Folder(folder));
    keeps_its_promises(&target).await;
}

#[tokio::test]
async fn tables_of_postgresql() {
    let Some(database) = Database::open().await else { return };
    let name = format!("{}.letters", database.schema);
    let options = [("url", database.url.as_str()), ("table-name", &name), ("sink.create", "true")];
    let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let shown = Shown::Database(database);
    let target = Target::new(&JDBC, options.into_iter().collect(), shown);
    keeps_its_promises(&target).await;
    let Shown::Database(database) = target.shown else { return };
    database.close().await;
}

#[tokio::test]
async fn a_prepared_transaction_that_was_aborted_is_told_of() {
    let target = Target::embedded(&KAFKA);
    let mut sink = target.sink(&[]).await;
    put(&mut sink, "a").await;
    let token = prepared(&mut sink).await;
    drop(sink);
    // Somebody with the same prefix; a timeout does the same.
    drop(target.sink(&[]).await);
    let mut sink = KAFKA.sink(target.request()).unwrap();
    sink.open().await.unwrap();
    let lost = sink.stage(&[token]).await.unwrap_err();
    assert!(lost.to_string().contains("rows of a checkpoint are lost"), "{lost}");
    target.shows("").await;
}
