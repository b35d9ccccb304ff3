//! Topics of the embedded broker as a source.
//! Invariant: splits, positions, start and end are those of [`super::super::source`], so a pipeline may move between the
//! embedded broker and a cluster. A reader holds one fetched block at a time and waits in the broker for more: an append
//! wakes it. Group offsets are committed for what was acknowledged, at once: there is no network to spare.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use mainstem_core::ingest::{Decode, Payload};
use mainstem_core::options::OptionReader;
use mainstem_core::{Error, Result};

use super::super::columns::Layout;
use super::super::decode::{DecodePlan, RecordDecode};
use super::super::gather::Wanted;
use super::super::range::{Offsets, ScanRange};
use super::super::source::{
    INTERNAL_TOPICS, ISOLATION, TopicPartition, Topics, commit_policy, offset_of, parse_topics,
    position_of,
};
use super::super::splits::FoundSplits;
use super::super::{Flavor, properties, topics};
use super::blocks::Blocks;
use super::{EmbeddedTopics, Fetch, OffsetAt, missing, no_broker, require_or_create};
use crate::api::{Fetched, Position, Source, SourceRequest, Split, SplitReader};

/// Bytes of one fetch: a payload, or a few.
const FETCH_BYTES: i32 = 1 << 20;
/// How long a fetch waits in the broker; a reader that was dropped leaves one behind for so long.
const FETCH_WAIT_MS: i32 = 10_000;

/// A table on the embedded broker that is read.
pub(crate) struct EmbeddedSource {
    request: SourceRequest,
    plan: Arc<DecodePlan>,
    topics: Topics,
    range: ScanRange,
    create_topics: bool,
    commits: bool,
    committed_only: bool,
    discovery_ms: i64,
    found: FoundSplits,
}

impl EmbeddedSource {
    /// Validates and builds; no I/O.
    pub(crate) fn new(request: SourceRequest, flavor: Flavor) -> Result<Self> {
        let table = &request.table;
        let options = OptionReader::new(&table.options, flavor.spec().options);
        let listed = parse_topics(options)?;
        let range = ScanRange::parse(options, flavor)?;
        let upsert = flavor == Flavor::Upsert;
        // What a cluster would refuse is refused here, so that the file runs there as well.
        properties::client_config(&[], options.with_prefix(properties::PREFIX))?;
        let layout = Layout::new(table, upsert)?;
        let plan = DecodePlan::new(&request, &layout, upsert)?;
        let discovery_ms = options.duration_ms("scan.topic-partition-discovery.interval")?;
        let isolation = options.text("properties.isolation.level").unwrap_or(ISOLATION);
        Ok(Self {
            plan,
            topics: listed,
            create_topics: options.boolean(topics::AUTO_CREATE)?,
            commits: commit_policy(options, range.group_id.is_some())?.is_some(),
            committed_only: isolation.eq_ignore_ascii_case(ISOLATION),
            discovery_ms: discovery_ms.filter(|_| !range.is_bounded()).unwrap_or(0),
            range,
            found: FoundSplits::default(),
            request,
        })
    }

    fn log(&self) -> Result<Arc<dyn EmbeddedTopics>> {
        self.request.environment.embedded.clone().ok_or_else(no_broker)
    }

    async fn partitions(&self) -> Result<Vec<(String, usize)>> {
        let log = self.log()?;
        match &self.topics {
            Topics::Listed(names) => {
                let mut found = Vec::with_capacity(names.len());
                for name in names {
                    found.push((name.clone(), self.require(&*log, name).await?));
                }
                Ok(found)
            }
            Topics::Pattern(pattern) => {
                let mut found = log.topics().await?;
                found.retain(|(name, _)| {
                    pattern.is_match(name) && !INTERNAL_TOPICS.contains(&name.as_str())
                });
                if found.is_empty() && self.discovery_ms == 0 {
                    let pattern = pattern.as_str();
                    let text = format!("no topic of the embedded broker matches '{pattern}'");
                    return Err(Error::user(text).with_hint("create one, or mend 'topic-pattern'"));
                }
                Ok(found)
            }
        }
    }

    /// How many partitions the topic has. As at a cluster, another one gets a moment to make it.
    async fn require(&self, log: &dyn EmbeddedTopics, topic: &str) -> Result<usize> {
        if self.create_topics {
            let environment = &self.request.environment;
            return require_or_create(log, topic, environment, &self.request.table.name).await;
        }
        for _ in 0..topics::MISSING_ASKED {
            if let Some(count) = log.partition_count(topic, false).await? {
                return Ok(count);
            }
            tokio::time::sleep(topics::MISSING_PAUSE).await;
        }
        Err(missing(topic))
    }
}

/// The broker, asked for offsets.
struct Asked {
    log: Arc<dyn EmbeddedTopics>,
    committed_only: bool,
}

#[async_trait]
impl Offsets for Asked {
    async fn earliest(&mut self, at: &TopicPartition) -> Result<i64> {
        let found = self.log.offset(&at.topic, at.partition, OffsetAt::Earliest).await?;
        found.ok_or_else(|| Error::internal(format!("topic '{}' has no beginning", at.topic)))
    }

    async fn latest(&mut self, at: &TopicPartition) -> Result<i64> {
        let latest = if self.committed_only { OffsetAt::LatestStable } else { OffsetAt::Latest };
        let found = self.log.offset(&at.topic, at.partition, latest).await?;
        found.ok_or_else(|| Error::internal(format!("topic '{}' has no end", at.topic)))
    }

    async fn at_time(&mut self, at: &TopicPartition, ms: i64) -> Result<Option<i64>> {
        self.log.offset(&at.topic, at.partition, OffsetAt::Time(ms)).await
    }

    async fn committed(&mut self, group: &str, at: &TopicPartition) -> Result<Option<i64>> {
        self.log.committed(group, &at.topic, at.partition).await
    }
}

#[async_trait]
impl Source for EmbeddedSource {
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
        let (range, mut asked) =
            (&self.range, Asked { log: self.log()?, committed_only: self.committed_only });
        let start = match position {
            Some(position) => offset_of(position)?,
            None => {
                let late = self.found.is_late(split);
                range.start(&mut asked, &at, late).await?
            }
        };
        let end = range.end(&mut asked, &at).await?;
        let topic: Arc<str> = Arc::from(at.topic);
        let wanted = self.plan.wanted();
        Ok(Box::new(EmbeddedReader::new(
            self.log()?,
            topic,
            at.partition,
            wanted,
            (start, end),
            self.committed_only,
        )))
    }

    fn decoder(&self) -> Result<Box<dyn Decode>> {
        Ok(Box::new(RecordDecode::new(&self.plan)?))
    }

    fn acknowledge(&mut self, split: &Split, position: &Position) -> Result<()> {
        let (true, Some(group)) = (self.commits, &self.range.group_id) else { return Ok(()) };
        let at = TopicPartition::parse(split)?;
        let commit = self.log()?.commit(group, &at.topic, at.partition, offset_of(position)?);
        let observer = Arc::clone(&self.request.environment.observer);
        let table = self.request.table.name.clone();
        tokio::spawn(async move {
            if let Err(e) = commit.await {
                observer.notice(&table, &format!("cannot commit group offsets: {e}"));
            }
        });
        Ok(())
    }
}

struct EmbeddedReader {
    log: Arc<dyn EmbeddedTopics>,
    topic: Arc<str>,
    partition: i32,
    blocks: Blocks,
    end: Option<i64>,
    committed_only: bool,
    /// Of the block that was fetched last.
    ready: VecDeque<Fetched>,
}

impl EmbeddedReader {
    fn new(
        log: Arc<dyn EmbeddedTopics>,
        topic: Arc<str>,
        partition: i32,
        wanted: Wanted,
        (start, end): (i64, Option<i64>),
        committed_only: bool,
    ) -> Self {
        let blocks = Blocks::new(Arc::clone(&topic), partition, wanted, start, end);
        Self { log, topic, partition, blocks, end, committed_only, ready: VecDeque::new() }
    }
}

#[async_trait]
impl SplitReader for EmbeddedReader {
    async fn next(&mut self) -> Result<Option<Fetched>> {
        loop {
            if let Some(fetched) = self.ready.pop_front() {
                return Ok(Some(fetched));
            }
            if self.blocks.is_over() {
                return Ok(None);
            }
            let fetched = self
                .log
                .fetch(Fetch {
                    topic: &self.topic,
                    partition: self.partition,
                    offset: self.blocks.next_offset(),
                    bytes_max: FETCH_BYTES,
                    wait_ms: FETCH_WAIT_MS,
                    committed: self.committed_only,
                })
                .await?;
            // Compaction may have taken the last records before the end away.
            if fetched.records.is_empty() && self.end.is_some_and(|end| fetched.readable_to >= end)
            {
                return Ok(None);
            }
            let cuts = self.blocks.cut(fetched.records, &fetched.aborted)?;
            self.ready.extend(cuts.into_iter().map(|(messages, next)| Fetched {
                payload: Payload::Messages(messages),
                position: position_of(next),
            }));
        }
    }
}
