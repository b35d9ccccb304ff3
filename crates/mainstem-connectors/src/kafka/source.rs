//! A Kafka topic (or several) as a source: which partitions there are, where each starts and ends, and the readers.
//! Invariant: a split is a topic-partition, its position the next offset to read (8 bytes, little endian). Start
//! and end are resolved to offsets when a split is opened, so a reader never depends on what a broker thinks later.
//! Group offsets are written only for what [`Source::acknowledge`] named: the group never gets ahead of the sinks.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mainstem_core::ingest::Decode;
use mainstem_core::options::OptionReader;
use mainstem_core::{Error, ErrorKind, Result};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use regex::Regex;
use tokio::sync::mpsc;

use super::columns::Layout;
use super::decode::{DecodePlan, RecordDecode};
use super::link::{self, Link, REQUEST_TIMEOUT, patiently};
use super::pump::{
    Acknowledged, CommitPolicy, Context, Delivery, Opening, PAYLOADS_AHEAD, Pump, PumpSetup,
    SourceConsumer,
};
use super::range::{Offsets, ScanRange};
use super::splits::FoundSplits;
use super::startup::{Bounded, Startup};
use super::{Flavor, properties, topics};
use crate::api::{Fetched, Position, Source, SourceRequest, Split, SplitReader};

/// Topics that a pattern never means.
pub(super) const INTERNAL_TOPICS: &[&str] =
    &["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// Which topics.
#[derive(Debug, Clone)]
pub(super) enum Topics {
    Listed(Vec<String>),
    Pattern(Regex),
}

pub(crate) struct KafkaSource {
    request: SourceRequest,
    plan: Arc<DecodePlan>,
    config: ClientConfig,
    link: Arc<Link>,
    topics: Topics,
    range: ScanRange,
    create_topics: bool,
    discovery_ms: i64,
    commits: Option<CommitPolicy>,
    acknowledged: Acknowledged,
    consumer: Option<Arc<SourceConsumer>>,
    pump: Option<Arc<Pump>>,
    found: FoundSplits,
}

impl KafkaSource {
    /// Validates and builds; no I/O.
    pub(crate) fn new(request: SourceRequest, flavor: Flavor) -> Result<Self> {
        let table = &request.table;
        let options = OptionReader::new(&table.options, flavor.spec().options);
        let servers = options.required("properties.bootstrap.servers")?;
        let topics = parse_topics(options)?;
        let range = ScanRange::parse(options, flavor)?;
        let upsert = flavor == Flavor::Upsert;
        let layout = Layout::new(table, upsert)?;
        let plan = DecodePlan::new(&request, &layout, upsert)?;
        let config = consumer_config(&request, options, &range)?;
        let discovery_ms = options.duration_ms("scan.topic-partition-discovery.interval")?;
        let link = Link::new(&table.name, servers, Arc::clone(&request.environment.observer));
        Ok(Self {
            plan,
            commits: commit_policy(options, range.group_id.is_some())?,
            create_topics: options.boolean(topics::AUTO_CREATE)?,
            discovery_ms: discovery_ms.filter(|_| !range.is_bounded()).unwrap_or(0),
            config,
            link,
            topics,
            range,
            acknowledged: Arc::new(Mutex::default()),
            consumer: None,
            pump: None,
            found: FoundSplits::default(),
            request,
        })
    }

    fn consumer(&mut self) -> Result<Arc<SourceConsumer>> {
        if let Some(consumer) = &self.consumer {
            return Ok(Arc::clone(consumer));
        }
        let consumer: SourceConsumer = self
            .config
            .create_with_context(Context::new(Arc::clone(&self.link)))
            .map_err(properties::config_error)?;
        Ok(Arc::clone(self.consumer.insert(Arc::new(consumer))))
    }

    fn pump(&mut self) -> Result<Arc<Pump>> {
        if let Some(pump) = &self.pump {
            return Ok(Arc::clone(pump));
        }
        let pump = Pump::start(PumpSetup {
            consumer: self.consumer()?,
            link: Arc::clone(&self.link),
            clock: Arc::clone(&self.request.environment.clock),
            wanted: self.plan.wanted(),
            commits: self.commits,
            acknowledged: Arc::clone(&self.acknowledged),
        })?;
        Ok(Arc::clone(self.pump.insert(pump)))
    }

    /// Partition counts of the topics, in order of name.
    async fn partitions(&mut self) -> Result<Vec<(String, usize)>> {
        match self.topics.clone() {
            Topics::Listed(names) => {
                let mut found = Vec::with_capacity(names.len());
                for name in names {
                    found.push((name.clone(), self.partition_count(&name).await?));
                }
                Ok(found)
            }
            Topics::Pattern(pattern) => self.matching_topics(&pattern).await,
        }
    }

    async fn partition_count(&mut self, topic: &str) -> Result<usize> {
        let consumer = self.consumer()?;
        topics::require(&self.link, &consumer, &self.config, topic, self.create_topics).await
    }

    async fn matching_topics(&mut self, pattern: &Regex) -> Result<Vec<(String, usize)>> {
        let consumer = self.consumer()?;
        let wanted = pattern.clone();
        let found = patiently(&self.link, &consumer, move |c: &SourceConsumer| {
            let metadata = c.client().fetch_metadata(None, REQUEST_TIMEOUT)?;
            let matching = metadata.topics().iter().filter(|t| t.error().is_none());
            let matching = matching.filter(|t| wanted.is_match(t.name()));
            let mut found: Vec<(String, usize)> = matching
                .filter(|t| !INTERNAL_TOPICS.contains(&t.name()))
                .map(|t| (t.name().to_owned(), t.partitions().len()))
                .collect();
            found.sort();
            Ok(found)
        })
        .await?;
        if found.is_empty() {
            let text =
                format!("no topic at {} matches '{}'", self.link.servers(), pattern.as_str());
            if self.discovery_ms == 0 {
                return Err(Error::user(text).with_hint("create one, or mend 'topic-pattern'"));
            }
            self.link.notice(&format!("{text}, waiting for one"));
        }
        Ok(found)
    }

    async fn edge(&mut self, at: &TopicPartition, edge: Offset) -> Result<i64> {
        let (consumer, at) = (self.consumer()?, at.clone());
        patiently(&self.link, &consumer, move |c: &SourceConsumer| {
            log_edge(c, &at.topic, at.partition, edge)
        })
        .await
    }
}

#[async_trait]
impl Offsets for KafkaSource {
    async fn earliest(&mut self, at: &TopicPartition) -> Result<i64> {
        self.edge(at, Offset::Beginning).await
    }

    async fn latest(&mut self, at: &TopicPartition) -> Result<i64> {
        self.edge(at, Offset::End).await
    }

    async fn at_time(&mut self, at: &TopicPartition, ms: i64) -> Result<Option<i64>> {
        let (consumer, asked) = (self.consumer()?, at.clone());
        patiently(&self.link, &consumer, move |c: &SourceConsumer| {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(&asked.topic, asked.partition, Offset::Offset(ms.max(0)))?;
            first_offset(&c.offsets_for_times(list, REQUEST_TIMEOUT)?)
        })
        .await
    }

    /// The consumer is one of the group that the options name: there is no other to ask for.
    async fn committed(&mut self, _group: &str, at: &TopicPartition) -> Result<Option<i64>> {
        let (consumer, at) = (self.consumer()?, at.clone());
        patiently(&self.link, &consumer, move |c: &SourceConsumer| {
            let mut list = TopicPartitionList::new();
            list.add_partition(&at.topic, at.partition);
            first_offset(&c.committed_offsets(list, REQUEST_TIMEOUT)?)
        })
        .await
    }
}

#[async_trait]
impl Source for KafkaSource {
    async fn discover(&mut self) -> Result<Vec<Split>> {
        let topics = self.partitions().await?;
        Ok(self.found.found(topics))
    }

    fn rediscover_ms(&self) -> Option<i64> {
        (self.discovery_ms > 0).then_some(self.discovery_ms)
    }

    async fn open(
        &mut self,
        split: &Split,
        position: Option<&Position>,
    ) -> Result<Box<dyn SplitReader>> {
        let at = TopicPartition::parse(split)?;
        let range = self.range.clone();
        let start = match position {
            Some(position) => offset_of(position)?,
            None => {
                let late = self.found.is_late(split);
                range.start(self, &at, late).await?
            }
        };
        let end = range.end(self, &at).await?;
        let (output, input) = mpsc::channel(PAYLOADS_AHEAD);
        let pump = self.pump()?;
        if end.is_some_and(|end| start >= end) {
            return Ok(Box::new(KafkaReader { input, pump, ended: true }));
        }
        pump.open(Opening {
            topic: Arc::from(at.topic),
            partition: at.partition,
            start: Offset::Offset(start),
            end,
            ends_at_log_end: range.bounded == Bounded::Latest,
            output,
        })?;
        Ok(Box::new(KafkaReader { input, pump, ended: false }))
    }

    fn decoder(&self) -> Result<Box<dyn Decode>> {
        Ok(Box::new(RecordDecode::new(&self.plan)?))
    }

    fn acknowledge(&mut self, split: &Split, position: &Position) -> Result<()> {
        if self.commits.is_none() {
            return Ok(());
        }
        let at = TopicPartition::parse(split)?;
        let offset = offset_of(position)?;
        link::lock(&self.acknowledged).insert((Arc::from(at.topic), at.partition), offset);
        Ok(())
    }
}

struct KafkaReader {
    input: mpsc::Receiver<Delivery>,
    pump: Arc<Pump>,
    ended: bool,
}

#[async_trait]
impl SplitReader for KafkaReader {
    async fn next(&mut self) -> Result<Option<Fetched>> {
        if self.ended {
            return Ok(None);
        }
        let delivery = self.input.recv().await;
        self.pump.wake();
        match delivery {
            Some(Delivery::Data(fetched)) => Ok(Some(fetched)),
            Some(Delivery::End) => {
                self.ended = true;
                Ok(None)
            }
            Some(Delivery::Failed(error)) => Err(error),
            None => Err(Error::internal("the Kafka thread has ended")),
        }
    }
}

/// A split's name taken apart: the topic may hold dashes, the partition comes last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicPartition {
    pub(super) topic: String,
    pub(super) partition: i32,
}

impl TopicPartition {
    pub(super) fn parse(split: &Split) -> Result<Self> {
        split
            .id
            .rsplit_once('-')
            .and_then(|(topic, p)| {
                Some(Self { topic: topic.to_owned(), partition: p.parse().ok()? })
            })
            .ok_or_else(|| Error::internal(format!("'{}' is no Kafka split", split.id)))
    }
}

/// The position whose next record has `offset`.
pub(crate) fn position_of(offset: i64) -> Position {
    Position(offset.to_le_bytes().to_vec())
}

pub(super) fn offset_of(position: &Position) -> Result<i64> {
    let bytes = <[u8; 8]>::try_from(position.0.as_slice())
        .map_err(|_| Error::new(ErrorKind::Corrupt, "a stored Kafka position has not 8 bytes"))?;
    Ok(i64::from_le_bytes(bytes))
}

/// The first offset of a partition's log (`Offset::Beginning`), or the one after its last (`Offset::End`). Not by the client's
/// call for both: if the answer to one of its two requests is an error, it may give out the other's as both.
pub(super) fn log_edge(
    consumer: &SourceConsumer,
    topic: &str,
    partition: i32,
    edge: Offset,
) -> rdkafka::error::KafkaResult<i64> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, edge)?;
    let found = first_offset(&consumer.offsets_for_times(list, REQUEST_TIMEOUT)?)?;
    found.ok_or(KafkaError::OffsetFetch(RDKafkaErrorCode::LeaderNotAvailable))
}

/// The offset a broker put into a list of one; `None` if it has none.
fn first_offset(list: &TopicPartitionList) -> rdkafka::error::KafkaResult<Option<i64>> {
    let elements = list.elements();
    let Some(element) = elements.first() else { return Ok(None) };
    element.error()?;
    Ok(match element.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    })
}

pub(super) fn parse_topics(options: OptionReader<'_>) -> Result<Topics> {
    match (options.text("topic"), options.text("topic-pattern")) {
        (Some(_), Some(_)) => {
            Err(Error::user("'topic' and 'topic-pattern' are both given")
                .with_hint("keep one of them"))
        }
        (None, None) => Err(Error::user("option 'topic' is missing")
            .with_hint("name a topic, several ('a;b'), or a 'topic-pattern'")),
        (Some(list), None) => {
            let names: Vec<String> = list
                .split(';')
                .map(str::trim)
                .filter(|n| !n.is_empty())
                .map(str::to_owned)
                .collect();
            if names.is_empty() {
                return Err(Error::user("option 'topic' is empty"));
            }
            for name in &names {
                topics::check_name(name)?;
            }
            Ok(Topics::Listed(names))
        }
        (None, Some(pattern)) => Regex::new(&format!("^(?:{pattern})$"))
            .map(Topics::Pattern)
            .map_err(|e| Error::user(format!("'topic-pattern' is no regular expression: {e}"))),
    }
}

pub(super) fn commit_policy(
    options: OptionReader<'_>,
    has_group: bool,
) -> Result<Option<CommitPolicy>> {
    let enabled = options.text("properties.enable.auto.commit").unwrap_or("true");
    if !has_group || !enabled.eq_ignore_ascii_case("true") {
        return Ok(None);
    }
    let interval_ms = options.integer("properties.auto.commit.interval.ms")?.unwrap_or(5_000);
    Ok(Some(CommitPolicy { interval_ms: interval_ms.max(1) }))
}

/// What is read where `isolation.level` says nothing. Java's default, and so Flink's, is read_uncommitted: a pipeline would count
/// what a sink before it writes again after a crash. It is librdkafka's.
pub(super) const ISOLATION: &str = "read_committed";

/// What a consumer is told where the table says nothing.
pub const CONSUMER_DEFAULTS: &[(&str, &str)] = &[
    ("client.id", "mainstem"),
    ("isolation.level", ISOLATION),
    // What is fetched ahead is bounded per partition; a full queue is looked at again soon, not in a second.
    ("queued.max.messages.kbytes", "16384"),
    ("queued.min.messages", "200000"),
    ("fetch.queue.backoff.ms", "2"),
    // A partition that is added waits for the fetch under way; a fetch of empty partitions takes this long.
    ("fetch.wait.max.ms", "100"),
    ("fetch.error.backoff.ms", "100"),
    ("reconnect.backoff.max.ms", "2000"),
    ("socket.nagle.disable", "true"),
];

fn consumer_config(
    request: &SourceRequest,
    options: OptionReader<'_>,
    range: &ScanRange,
) -> Result<ClientConfig> {
    // librdkafka wants a group for its assignment calls even when nothing is committed.
    let own_group = format!("mainstem-{}", request.table.name);
    let reset = match &range.startup {
        Startup::Earliest => "earliest",
        Startup::Latest => "latest",
        _ => "error",
    };
    let mut defaults = CONSUMER_DEFAULTS.to_vec();
    defaults.push(("auto.offset.reset", reset));
    let mut config = properties::client_config(&defaults, options.with_prefix(properties::PREFIX))?;
    config
        .set("group.id", range.group_id.as_deref().unwrap_or(&own_group))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("allow.auto.create.topics", "false")
        .set("enable.partition.eof", if range.is_bounded() { "true" } else { "false" });
    // Wrong names and values are the user's to mend before anything starts.
    config.create_native_config().map_err(properties::config_error)?;
    Ok(config)
}
