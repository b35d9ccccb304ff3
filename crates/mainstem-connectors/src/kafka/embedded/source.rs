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
use super::super::source::{
    INTERNAL_TOPICS, TopicPartition, Topics, commit_policy, offset_of, parse_topics, position_of,
};
use super::super::startup::{Bounded, Startup};
use super::super::{Flavor, properties};
use super::blocks::Blocks;
use super::{EmbeddedTopics, Fetch, OffsetAt, missing, no_broker};
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
    startup: Startup,
    bounded: Bounded,
    group_id: Option<String>,
    commits: bool,
    committed_only: bool,
    discovery_ms: i64,
    known: Vec<Split>,
    /// What was found first; partitions that turn up later are read from their beginning.
    first_found: Option<Vec<Split>>,
}

impl EmbeddedSource {
    /// Validates and builds; no I/O.
    pub(crate) fn new(request: SourceRequest, flavor: Flavor) -> Result<Self> {
        let table = &request.table;
        let options = OptionReader::new(&table.options, flavor.spec().options);
        let topics = parse_topics(options)?;
        let upsert = flavor == Flavor::Upsert;
        let startup = if upsert { Startup::Earliest } else { Startup::parse(options)? };
        let bounded = Bounded::parse(options)?;
        let group_id = options.text("properties.group.id").map(str::to_owned);
        if group_id.is_none()
            && (startup == Startup::GroupOffsets || bounded == Bounded::GroupOffsets)
        {
            return Err(Error::user("reading from group offsets needs 'properties.group.id'")
                .with_hint(
                    "add it, or choose where to start: 'scan.startup.mode' = 'earliest-offset'",
                ));
        }
        // What a cluster would refuse is refused here, so that the file runs there as well.
        properties::client_config(&[], options.with_prefix(properties::PREFIX))?;
        let layout = Layout::new(table, upsert)?;
        let plan = DecodePlan::new(&request, &layout, upsert)?;
        let discovery_ms = options.duration_ms("scan.topic-partition-discovery.interval")?;
        let unbounded = bounded == Bounded::Unbounded;
        let isolation = options.text("properties.isolation.level").unwrap_or("read_uncommitted");
        Ok(Self {
            plan,
            topics,
            startup,
            bounded,
            commits: commit_policy(options, group_id.is_some())?.is_some(),
            committed_only: isolation.eq_ignore_ascii_case("read_committed"),
            group_id,
            discovery_ms: discovery_ms.filter(|_| unbounded).unwrap_or(0),
            known: Vec::new(),
            first_found: None,
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
                    // As for Java's consumers: a topic that somebody waits for comes to be.
                    let count = log.partition_count(name, true).await?;
                    found.push((name.clone(), count.ok_or_else(|| missing(name))?));
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

    /// Where to start in a split that has no position.
    async fn start_offset(&self, split: &Split, at: &TopicPartition) -> Result<i64> {
        let late = self.first_found.as_ref().is_some_and(|first| !first.contains(split));
        let startup = if late { &Startup::Earliest } else { &self.startup };
        match startup {
            Startup::Earliest => self.offset(at, OffsetAt::Earliest).await,
            Startup::Latest => self.offset(at, OffsetAt::Latest).await,
            Startup::Timestamp(ms) => self.offset(at, OffsetAt::Time(*ms)).await,
            Startup::GroupOffsets => self.group_offset(at).await,
            // As in Flink: partitions that are not listed follow the group.
            Startup::Specific(offsets) => match offsets.get(&at.partition) {
                Some(offset) => Ok(*offset),
                None if self.group_id.is_some() => self.group_offset(at).await,
                None => Err(Error::user(format!(
                    "'scan.startup.specific-offsets' says nothing of partition {} of topic '{}'",
                    at.partition, at.topic
                ))),
            },
        }
    }

    async fn end_offset(&self, at: &TopicPartition) -> Result<Option<i64>> {
        Ok(match &self.bounded {
            Bounded::Unbounded => None,
            Bounded::Latest => Some(self.offset(at, OffsetAt::Latest).await?),
            Bounded::Timestamp(ms) => Some(self.offset(at, OffsetAt::Time(*ms)).await?),
            Bounded::GroupOffsets => match self.committed(at).await? {
                Some(offset) => Some(offset),
                None => return Err(self.nothing_committed(at)),
            },
            Bounded::Specific(offsets) => offsets.get(&at.partition).copied(),
        })
    }

    /// The offset, or the end of the log if no record is that late.
    async fn offset(&self, at: &TopicPartition, which: OffsetAt) -> Result<i64> {
        let log = self.log()?;
        let gone = || Error::user(format!("topic '{}' has no end", at.topic));
        if let Some(offset) = log.offset(&at.topic, at.partition, which).await? {
            return Ok(offset);
        }
        log.offset(&at.topic, at.partition, OffsetAt::Latest).await?.ok_or_else(gone)
    }

    async fn committed(&self, at: &TopicPartition) -> Result<Option<i64>> {
        match &self.group_id {
            Some(group) => self.log()?.committed(group, &at.topic, at.partition).await,
            None => Ok(None),
        }
    }

    async fn group_offset(&self, at: &TopicPartition) -> Result<i64> {
        if let Some(offset) = self.committed(at).await? {
            return Ok(offset);
        }
        let options = &self.request.table.options;
        match options.get("properties.auto.offset.reset").map(String::as_str) {
            Some("earliest" | "smallest" | "beginning") => {
                self.offset(at, OffsetAt::Earliest).await
            }
            Some("latest" | "largest" | "end") => self.offset(at, OffsetAt::Latest).await,
            _ => Err(self.nothing_committed(at)),
        }
    }

    fn nothing_committed(&self, at: &TopicPartition) -> Error {
        let group = self.group_id.as_deref().unwrap_or_default();
        Error::user(format!(
            "group '{group}' has no committed offset for topic '{}', partition {}",
            at.topic, at.partition
        ))
        .with_hint(
            "set 'properties.auto.offset.reset' to 'earliest' or 'latest', or 'scan.startup.mode' to \
             'earliest-offset'",
        )
    }
}

#[async_trait]
impl Source for EmbeddedSource {
    async fn discover(&mut self) -> Result<Vec<Split>> {
        let mut splits = Vec::new();
        for (topic, count) in self.partitions().await? {
            splits.extend((0..count).map(|p| Split { id: format!("{topic}-{p}") }));
        }
        // A topic that was deleted keeps its splits: its readers report it.
        for split in std::mem::take(&mut self.known) {
            if !splits.contains(&split) {
                splits.push(split);
            }
        }
        self.known.clone_from(&splits);
        self.first_found.get_or_insert_with(|| splits.clone());
        Ok(splits)
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
        let start = match position {
            Some(position) => offset_of(position)?,
            None => self.start_offset(split, &at).await?,
        };
        let end = self.end_offset(&at).await?;
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
        let (true, Some(group)) = (self.commits, &self.group_id) else { return Ok(()) };
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
