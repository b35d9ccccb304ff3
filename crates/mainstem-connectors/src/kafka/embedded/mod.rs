//! The Kafka connectors over the broker of this process: topics are read and written without sockets.
//! Invariant: a table means the same here as over the network: options, formats, metadata columns, partitions of keys and
//! group offsets are those of the modules beside. The broker is reached through [`EmbeddedTopics`] only; a table on it is
//! one whose `properties.bootstrap.servers` is `embedded` or absent.
//!
//! | file | what |
//! |---|---|
//! | `blocks` | fetched record batches to payloads, without a copy of records |
//! | `source`, `sink` | the two ends |
//! | `partitioner` | which partition a key belongs to |
//! | `door` | what they ask, as requests of Kafka's protocol |
//! | `answers` | who waits for which answer, for hosts of a broker |

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use mainstem_core::table::Options;
use mainstem_core::{Error, Result};
use mainstem_log::RecordBatch;

use super::topics;
pub use super::transactions::{Ended, Producer};
use crate::api::Environment;
pub use answers::Answers;
pub use door::{Caller, Door};

mod answers;
mod blocks;
mod door;
mod partitioner;
pub(crate) mod sink;
pub(crate) mod source;
#[cfg(test)]
mod tests;

const SERVERS: &str = "properties.bootstrap.servers";
const EMBEDDED: &str = "embedded";

/// Whether a table is on the broker of this process.
pub fn is_embedded(options: &Options) -> bool {
    let kafka = options.get("connector").is_some_and(|c| c == "kafka" || c == "upsert-kafka");
    kafka && has_embedded_servers(options)
}

/// The same of a table that is known to be one of Kafka's.
pub(crate) fn has_embedded_servers(options: &Options) -> bool {
    options.get(SERVERS).is_none_or(|servers| servers.trim().eq_ignore_ascii_case(EMBEDDED))
}

/// The topics of the broker in this process. Calls wait as long as the broker needs; errors are final.
#[async_trait]
pub trait EmbeddedTopics: Debug + Send + Sync {
    /// All topics, with their numbers of partitions, by name.
    async fn topics(&self) -> Result<Vec<(String, usize)>>;

    /// The number of partitions of a topic; `create` makes one that is not there.
    async fn partition_count(&self, topic: &str, create: bool) -> Result<Option<usize>>;

    /// Records from an offset on. Waits until there are some, or `wait_ms` are over.
    async fn fetch(&self, fetch: Fetch<'_>) -> Result<Fetched>;

    /// An offset of a partition; `None` if no record is that late.
    async fn offset(&self, topic: &str, partition: i32, at: OffsetAt) -> Result<Option<i64>>;

    /// What a group has committed.
    async fn committed(&self, group: &str, topic: &str, partition: i32) -> Result<Option<i64>>;

    /// Commits an offset of a group. It is in force at once; the future returns when it is durable.
    fn commit(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> BoxFuture<'static, Result<()>>;

    /// Appends at most one batch to each of some partitions. They are in the log when this returns, in the order of the
    /// calls; the future returns when they are as durable as the topic asks for. Batches of a transaction come with its id.
    fn append(
        &self,
        topic: &str,
        transactional_id: Option<&str>,
        batches: Vec<(i32, RecordBatch)>,
    ) -> BoxFuture<'static, Result<()>>;

    /// The producer of a transactional id; `None` if the id was never used.
    async fn producer(&self, id: &str) -> Result<Option<Producer>>;

    /// A new producer for a transactional id; waits until what an older one left open is aborted.
    async fn init_producer(&self, id: &str, timeout_ms: i32) -> Result<Producer>;

    /// Makes partitions part of the transaction of an id, which begins if none is open.
    async fn add_partitions(
        &self,
        id: &str,
        producer: Producer,
        topic: &str,
        partitions: &[i32],
    ) -> Result<()>;

    /// Commits the transaction of an id; returns when that is durable.
    async fn commit_transaction(&self, id: &str, producer: Producer) -> Result<Ended>;
}

/// What to fetch.
#[derive(Debug, Clone, Copy)]
pub struct Fetch<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The first offset wanted.
    pub offset: i64,
    /// Bytes, but at least one batch.
    pub bytes_max: i32,
    /// How long to wait for records.
    pub wait_ms: i32,
    /// Only up to the last stable offset.
    pub committed: bool,
}

/// What a fetch brought.
#[derive(Debug, Clone, Default)]
pub struct Fetched {
    /// Record batches as they are in the log; the last one may be cut.
    pub records: Bytes,
    /// Up to here there may be something to read.
    pub readable_to: i64,
    /// Aborted transactions among the records: producer and first offset. Of a fetch with `committed` only.
    pub aborted: Vec<(i64, i64)>,
}

/// Which offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetAt {
    /// The first one.
    Earliest,
    /// The one after the last.
    Latest,
    /// The same for who reads what is committed: no transaction is open before it.
    LatestStable,
    /// That of the first record at or after a time, in ms.
    Time(i64),
}

/// The error of a table that needs the broker where none runs.
pub(super) fn no_broker() -> Error {
    Error::internal("a table on the embedded broker was opened, and none runs in this process")
}

/// The number of partitions of a topic; one that is not there is made, and the user told.
async fn require_or_create(
    log: &dyn EmbeddedTopics,
    topic: &str,
    environment: &Environment,
    table: &str,
) -> Result<usize> {
    if let Some(count) = log.partition_count(topic, false).await? {
        return Ok(count);
    }
    let count = log.partition_count(topic, true).await?.ok_or_else(|| missing(topic))?;
    environment.observer.notice(table, &format!("created topic '{topic}'"));
    Ok(count)
}

/// The error of a topic that is not there.
fn missing(topic: &str) -> Error {
    let create = topics::AUTO_CREATE;
    Error::user(format!("topic '{topic}' does not exist on the embedded broker")).with_hint(format!(
        "create it (mainstem topic create {topic}), write to it first, or give the table the option '{create}' = 'true'"
    ))
}
