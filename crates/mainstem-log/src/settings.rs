//! What a topic says about its partitions' logs, as plain data; names and defaults follow Kafka's topic settings.
//! Does not validate: the broker checks what a user writes before it comes here.

use crate::record_batch::TimestampType;

/// When an append counts as done, and so how far the high watermark goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The high watermark follows the sync: what a consumer has seen or a producer was told survives a power loss.
    Ack,
    /// The high watermark is the log end; the owner syncs at this interval.
    Interval {
        /// Milliseconds between two syncs.
        ms: u64,
    },
    /// The high watermark is the log end; only closed segments are synced.
    None,
}

/// What happens to old records (`cleanup.policy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CleanupPolicy {
    /// Whole segments go by age and size.
    Delete,
    /// The last record of every key stays.
    Compact,
    /// Both.
    CompactDelete,
}

impl CleanupPolicy {
    /// Whether records are compacted by key.
    pub fn compacts(self) -> bool {
        self != Self::Delete
    }

    /// Whether whole segments go by age and size.
    pub fn deletes(self) -> bool {
        self != Self::Compact
    }
}

/// The settings of one log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogSettings {
    /// `segment.bytes`: a segment is closed before it grows beyond this (at most `i32::MAX` counts).
    pub segment_bytes_max: u64,
    /// `segment.ms`: a segment is closed this long after its first append.
    pub segment_ms_max: i64,
    /// `index.interval.bytes`: bytes of log between two entries of the index.
    pub index_interval_bytes: u32,
    /// `retention.ms`; `None` keeps for ever.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`; `None` is without limit.
    pub retention_bytes: Option<u64>,
    /// `cleanup.policy`.
    pub cleanup: CleanupPolicy,
    /// `max.message.bytes`: the largest batch that is taken.
    pub message_bytes_max: u32,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how old a record may say it is.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far in the future a record may say it is.
    pub timestamp_after_max_ms: i64,
    /// `delete.retention.ms`: how long tombstones and markers outlive the compaction that made them the last of their kind.
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`.
    pub min_cleanable_dirty_ratio: f64,
    /// `file.delete.delay.ms`: how long a deleted segment's file stays.
    pub file_delete_delay_ms: i64,
    /// `producer.id.expiration.ms`.
    pub producer_expiration_ms: i64,
    /// So much log may lie behind the stored index and producer snapshot: the bound of what a start after a crash reads.
    pub checkpoint_bytes: u64,
    /// When an append counts as done.
    pub durability: Durability,
    /// Damage of what was synced stops the opening; else it costs what cannot be read any more, and that is said.
    pub refuse_damage: bool,
}

impl LogSettings {
    /// Kafka's defaults, with durability before the answer.
    pub fn kafka_defaults() -> Self {
        Self {
            segment_bytes_max: 1 << 30,
            segment_ms_max: 7 * 24 * 3_600_000,
            index_interval_bytes: 32 << 10,
            retention_ms: Some(7 * 24 * 3_600_000),
            retention_bytes: None,
            cleanup: CleanupPolicy::Delete,
            message_bytes_max: 1_048_588,
            timestamp_type: TimestampType::Create,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            delete_retention_ms: 24 * 3_600_000,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.5,
            file_delete_delay_ms: 60_000,
            producer_expiration_ms: 24 * 3_600_000,
            checkpoint_bytes: 32 << 20,
            durability: Durability::Ack,
            refuse_damage: false,
        }
    }
}
