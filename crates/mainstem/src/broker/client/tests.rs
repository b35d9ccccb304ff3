//! What a Kafka sink promises to a pipeline that takes checkpoints: on a broker in memory, and on a real Kafka, whose address is in
//! `MAINSTEM_TEST_KAFKA`. A sink that is dropped is one whose process was killed.

use std::path::PathBuf;

use mainstem_connectors::api::{Environment, Observer, Sink, SinkRequest, SourceRequest};
use mainstem_connectors::kafka::embedded::EmbeddedTopics;
use mainstem_connectors::registry::connector;
use mainstem_core::TypeKind;
use mainstem_core::clock::{Clock as _, ManualClock};
use mainstem_core::egress::{ChangelogMode, Encoded};
use mainstem_core::ingest::{Messages, Payload};
use mainstem_core::table::{Column, TableSpec};

use super::super::Embedded;
use super::super::host::Running;
use super::super::tests::running;
use super::*;
use crate::clock::SystemClock;

struct Silent;

impl Observer for Silent {
    fn notice(&self, _: &str, _: &str) {}
}

/// A topic somewhere.
struct Target {
    environment: Environment,
    options: Vec<(&'static str, String)>,
    _running: Option<Running>,
}

impl Target {
    fn new(topic: String, servers: Option<String>) -> Self {
        let running = servers.is_none().then(running);
        let embedded = running.as_ref().map(|running| {
            let door = Embedded::default();
            door.open(Client::new(running.host().clone()));
            Arc::new(door) as Arc<dyn EmbeddedTopics>
        });
        let clock: Arc<dyn mainstem_core::clock::Clock> = match servers.is_none() {
            true => Arc::new(ManualClock::new(0)),
            false => Arc::new(SystemClock),
        };
        let mut options = vec![
            ("connector", "kafka".to_owned()),
            ("format", "raw".to_owned()),
            ("topic", topic),
            ("scan.startup.mode", "earliest-offset".to_owned()),
            ("scan.bounded.mode", "latest-offset".to_owned()),
            ("mainstem.auto-create-topics", "true".to_owned()),
        ];
        options.extend(servers.map(|servers| ("properties.bootstrap.servers", servers)));
        let environment = Environment {
            clock,
            observer: Arc::new(Silent),
            base_dir: PathBuf::new(),
            time_zone: "UTC".to_owned(),
            files: Arc::new(mainstem_connectors::filesystem::files::LocalFiles),
            embedded,
        };
        Self { environment, options, _running: running }
    }

    fn table(&self) -> TableSpec {
        let options = self.options.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let column = Column {
            name: "v".to_owned(),
            data_type: TypeKind::STRING.nullable(),
            metadata_key: None,
        };
        TableSpec {
            name: "t".to_owned(),
            columns: vec![column],
            options: options.collect(),
            ..TableSpec::default()
        }
    }

    /// A sink that goes on from a checkpoint.
    async fn sink(&self, tokens: &[Vec<u8>]) -> Box<dyn Sink> {
        let request = SinkRequest {
            table: self.table(),
            changelog: ChangelogMode::AppendOnly,
            environment: self.environment.clone(),
        };
        let mut sink = connector("kafka").unwrap().sink(request).unwrap();
        sink.open().await.unwrap();
        assert!(sink.stage(tokens).await.unwrap());
        sink
    }

    /// What a reader sees who starts now.
    async fn seen(&self) -> String {
        let request = SourceRequest {
            table: self.table(),
            projection: vec![0],
            filters: Vec::new(),
            parallelism: 1,
            environment: self.environment.clone(),
        };
        let mut source = connector("kafka").unwrap().source(request).unwrap();
        let split = source.discover().await.unwrap().remove(0);
        let mut reader = source.open(&split, None).await.unwrap();
        let mut seen = String::new();
        while let Some(fetched) = reader.next().await.unwrap() {
            let Payload::Messages(messages) = fetched.payload else { panic!("no messages") };
            for index in 0..messages.len() {
                seen.push_str(std::str::from_utf8(messages.value(index).unwrap()).unwrap());
            }
        }
        seen
    }

    /// A cluster answers that a transaction is committed before its partitions know of it, so what is missing is waited for.
    async fn shows(&self, letters: &str) {
        let waited = async { while self.seen().await.len() < letters.len() {} };
        let in_time = tokio::time::timeout(Duration::from_secs(20), waited).await.is_ok();
        assert_eq!(self.seen().await, letters, "in time: {in_time}");
    }
}

async fn write(sink: &mut Box<dyn Sink>, letters: &'static str) {
    let values = (0..letters.len() as u32).map(|at| Some(at..at + 1));
    let messages = Messages {
        data: letters.as_bytes().into(),
        keys: vec![None; letters.len()],
        values: values.collect(),
        ..Messages::default()
    };
    sink.write(Encoded::Messages(messages)).await.unwrap();
    sink.flush().await.unwrap();
}

async fn prepare(sink: &mut Box<dyn Sink>) -> Vec<u8> {
    sink.prepare().await.unwrap().expect("something was written")
}

async fn keeps_its_promises(target: &Target) {
    let mut sink = target.sink(&[]).await;
    write(&mut sink, "ab").await;
    let first = prepare(&mut sink).await;
    write(&mut sink, "c").await;
    target.shows("").await; // nothing is committed
    for _ in 0..2 {
        sink.commit(std::slice::from_ref(&first)).await.unwrap();
        target.shows("ab").await;
    }
    let second = prepare(&mut sink).await;
    write(&mut sink, "d").await;
    let third = prepare(&mut sink).await;
    write(&mut sink, "x").await;
    drop(sink);
    target.shows("ab").await; // two are prepared
    let mut sink = target.sink(&[second, third.clone()]).await;
    target.shows("abcd").await;
    write(&mut sink, "y").await;
    drop(sink);
    let mut sink = target.sink(std::slice::from_ref(&third)).await;
    assert_eq!(sink.prepare().await.unwrap(), None, "nothing was written");
    let mut last = third;
    for letter in ["e", "f", "g", "h", "i"] {
        write(&mut sink, letter).await;
        let token = prepare(&mut sink).await;
        write(&mut sink, "z").await;
        let lost = prepare(&mut sink).await;
        drop(sink);
        // Prepared for a checkpoint that was never complete, and so never committed.
        sink = target.sink(std::slice::from_ref(&token)).await;
        let tokens = [token, lost];
        last.clone_from(&tokens[0]);
    }
    target.shows("abcdefghi").await;
    drop(sink);
    let mut sink = target.sink(&[last]).await;
    write(&mut sink, "j").await;
    let mut tokens = vec![prepare(&mut sink).await];
    // The checkpoint store is gone for a while: more wait than a sink keeps clients for.
    for letter in ["k", "l", "m", "n", "o", "p", "q"] {
        write(&mut sink, letter).await;
        tokens.push(prepare(&mut sink).await);
    }
    target.shows("abcdefghi").await;
    sink.commit(&tokens).await.unwrap();
    target.shows("abcdefghijklmnopq").await;
    for letter in ["r", "s", "t"] {
        write(&mut sink, letter).await;
        let token = prepare(&mut sink).await;
        sink.commit(&[token]).await.unwrap();
    }
    sink.close().await.unwrap();
    target.shows("abcdefghijklmnopqrst").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_topic_holds_what_checkpoints_say_and_nothing_else() {
    keeps_its_promises(&Target::new("t".to_owned(), None)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_a_cluster_holds_what_checkpoints_say_and_nothing_else() {
    let Some(servers) = std::env::var("MAINSTEM_TEST_KAFKA").ok().filter(|it| !it.is_empty())
    else {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "MAINSTEM_TEST_KAFKA is not set, and this is CI: the test must run");
        return;
    };
    let topic = format!("staged-{}-{}", SystemClock.now_ms(), std::process::id());
    keeps_its_promises(&Target::new(topic, Some(servers))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_transaction_that_was_aborted_is_told_of() {
    let target = Target::new("t".to_owned(), None);
    let mut sink = target.sink(&[]).await;
    write(&mut sink, "a").await;
    let token = prepare(&mut sink).await;
    drop(sink);
    // Somebody with the same prefix; a timeout does the same.
    drop(target.sink(&[]).await);
    let request = SinkRequest {
        table: target.table(),
        changelog: ChangelogMode::AppendOnly,
        environment: target.environment.clone(),
    };
    let mut sink = connector("kafka").unwrap().sink(request).unwrap();
    sink.open().await.unwrap();
    let lost = sink.stage(&[token]).await.unwrap_err();
    assert!(lost.to_string().contains("rows of a checkpoint are lost"), "{lost}");
    target.shows("").await;
}
