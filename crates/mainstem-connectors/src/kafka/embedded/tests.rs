//! Sinks and topics that change, on a broker that only counts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt as _};
use mainstem_core::clock::ManualClock;
use mainstem_core::ingest::Messages;
use mainstem_core::{Error, Result};
use mainstem_log::{Compression, RecordBatch};

use super::sink::TopicWriter;
use super::{EmbeddedTopics, Ended, Fetch, Fetched, OffsetAt, Producer, require_or_create};
use crate::api::Environment;
use crate::notices::{self, Notices};

/// Topics with their numbers of partitions, and how many records each partition got.
#[derive(Debug, Default)]
struct Counting {
    topics: Mutex<BTreeMap<String, usize>>,
    records: Mutex<BTreeMap<i32, usize>>,
}

#[async_trait]
impl EmbeddedTopics for Counting {
    async fn topics(&self) -> Result<Vec<(String, usize)>> {
        Ok(self.topics.lock().unwrap().clone().into_iter().collect())
    }

    async fn partition_count(&self, topic: &str, create: bool) -> Result<Option<usize>> {
        let mut topics = self.topics.lock().unwrap();
        if create {
            topics.entry(topic.to_owned()).or_insert(1);
        }
        Ok(topics.get(topic).copied())
    }

    async fn fetch(&self, _: Fetch<'_>) -> Result<Fetched> {
        Err(Error::internal("nothing is read here"))
    }

    async fn offset(&self, _: &str, _: i32, _: OffsetAt) -> Result<Option<i64>> {
        Ok(None)
    }

    async fn committed(&self, _: &str, _: &str, _: i32) -> Result<Option<i64>> {
        Ok(None)
    }

    fn commit(&self, _: &str, _: &str, _: i32, _: i64) -> BoxFuture<'static, Result<()>> {
        async { Ok(()) }.boxed()
    }

    fn append(
        &self,
        _: &str,
        _: Option<&str>,
        batches: Vec<(i32, RecordBatch)>,
    ) -> BoxFuture<'static, Result<()>> {
        let mut records = self.records.lock().unwrap();
        for (partition, batch) in batches {
            let count = batch.header().record_count as usize;
            *records.entry(partition).or_default() += count;
        }
        async { Ok(()) }.boxed()
    }

    async fn producer(&self, _: &str) -> Result<Option<Producer>> {
        Ok(None)
    }

    async fn init_producer(&self, _: &str, _: i32) -> Result<Producer> {
        Err(Error::internal("there are no transactions here"))
    }

    async fn add_partitions(&self, _: &str, _: Producer, _: &str, _: &[i32]) -> Result<()> {
        Err(Error::internal("there are no transactions here"))
    }

    async fn commit_transaction(&self, _: &str, _: Producer) -> Result<Ended> {
        Err(Error::internal("there are no transactions here"))
    }
}

struct Setting {
    log: Arc<Counting>,
    notices: Arc<Notices>,
    environment: Environment,
}

impl Setting {
    fn new() -> Self {
        let log = Arc::<Counting>::default();
        let (mut environment, notices) =
            notices::environment(Path::new(""), Arc::new(ManualClock::new(0)));
        environment.embedded = Some(Arc::clone(&log) as Arc<dyn EmbeddedTopics>);
        Self { log, notices, environment }
    }

    async fn writer(&self) -> TopicWriter {
        TopicWriter::open(&self.environment, "out", "t", Compression::None).await.unwrap()
    }

    fn resize(&self, count: usize) {
        self.log.topics.lock().unwrap().insert("t".to_owned(), count);
    }

    /// How many partitions have got records since the last question.
    fn written(&self) -> usize {
        std::mem::take(&mut *self.log.records.lock().unwrap()).len()
    }
}

/// A hundred keys; all for `partition`, if there is one.
fn records(partition: Option<i32>) -> Messages {
    let text: String = (10..110).map(|key| format!("{key:03}")).collect();
    let keys = (0..100).map(|index| index * 3..index * 3 + 3);
    Messages {
        data: text.into_bytes().into(),
        keys: keys.clone().map(Some).collect(),
        values: keys.map(Some).collect(),
        partitions: partition.map(|partition| vec![partition; 100]).unwrap_or_default(),
        ..Messages::default()
    }
}

#[tokio::test]
async fn a_sink_makes_its_topic_and_says_so_once() {
    let setting = Setting::new();
    setting.writer().await;
    setting.writer().await;
    assert_eq!(setting.notices.all(), ["out: created topic 't'"]);
    let count = require_or_create(&*setting.log, "t", &setting.environment, "out").await;
    assert_eq!(count.unwrap(), 1);
}

#[tokio::test]
async fn a_sink_sees_partitions_that_are_added() {
    let setting = Setting::new();
    let mut writer = setting.writer().await;
    writer.write(&records(None), None, 0).await.unwrap();
    assert_eq!(setting.written(), 1);
    // As other producers it looks every five minutes.
    setting.resize(3);
    for (now_ms, partitions) in [(299_999, 1), (300_000, 3), (300_001, 3)] {
        writer.write(&records(None), None, now_ms).await.unwrap();
        assert_eq!(setting.written(), partitions, "{now_ms}");
    }
    // Who asks for a partition by its number need not wait.
    setting.resize(5);
    writer.write(&records(Some(4)), None, 300_002).await.unwrap();
    assert_eq!(setting.written(), 1);
    writer.write(&records(None), None, 300_003).await.unwrap();
    assert_eq!(setting.written(), 5);
    for (partition, fixed) in [(Some(5), None), (Some(-1), None), (None, Some(7))] {
        let refused = writer.write(&records(partition), fixed, 300_004).await;
        // A key decides only where nothing else does.
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("topic 't' has no partition"), "{refused}");
    }
    // A topic that is gone is noticed when it is looked for.
    setting.log.topics.lock().unwrap().clear();
    let refused = writer.write(&records(None), None, 700_000).await.unwrap_err();
    assert!(refused.to_string().contains("'t' does not exist"), "{refused}");
}
