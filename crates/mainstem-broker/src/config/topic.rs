//! The configurations of a topic: all of Kafka's, and `durability`, which is ours.
//! Invariant: a name that stands here is taken, kept and described, whether it acts or not; `act` is what it does to a log, and
//! a row without one has no effect on a single node (its doc says so). The broker-wide default of a row, if it has one, goes by
//! the name in `broker`.

use mainstem_log::{CleanupPolicy, Durability, LogSettings, TimestampType};

use super::value::{Kind, Value};

/// One configuration of topics.
#[derive(Debug)]
pub(crate) struct TopicConfig {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: &'static str,
    /// The broker's configuration that stands behind it.
    pub(crate) broker: Option<&'static str>,
    pub(crate) act: Option<fn(&mut LogSettings, Value<'_>)>,
    pub(crate) doc: &'static str,
}

const LONG: Kind = Kind::Long { min: i64::MIN };
const NOT_NEGATIVE: Kind = Kind::Long { min: 0 };
const LIMIT: Kind = Kind::Long { min: -1 };
const SIZE: Kind = Kind::Int { min: 0, max: i32::MAX as i64 };
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];
const NEVER: &str = "9223372036854775807";

const fn acts(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    broker: &'static str,
    act: fn(&mut LogSettings, Value<'_>),
    doc: &'static str,
) -> TopicConfig {
    TopicConfig { name, kind, default, broker: Some(broker), act: Some(act), doc }
}

const fn kept(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    broker: Option<&'static str>,
    doc: &'static str,
) -> TopicConfig {
    TopicConfig { name, kind, default, broker, act: None, doc }
}

/// All of them, by name.
#[rustfmt::skip]
pub(crate) const TOPIC_CONFIGS: &[TopicConfig] = &[
    acts("cleanup.policy", Kind::List(&["delete", "compact"]), "delete", "log.cleanup.policy", |log, value| {
        log.cleanup = match (value.has("compact"), value.has("delete")) {
            (true, true) => CleanupPolicy::CompactDelete,
            (true, false) => CleanupPolicy::Compact,
            (false, _) => CleanupPolicy::Delete,
        };
    }, "Old segments are deleted by age and size (delete), the last record of each key is kept (compact), or both."),
    kept("compression.gzip.level", Kind::Int { min: -1, max: 9 }, "-1", Some("compression.gzip.level"),
        "No effect: batches are stored as the producer compressed them."),
    kept("compression.lz4.level", Kind::Int { min: 1, max: 17 }, "9", Some("compression.lz4.level"),
        "No effect: batches are stored as the producer compressed them."),
    kept("compression.type", Kind::Word(CODECS), "producer", Some("compression.type"),
        "Kept, but batches are always stored as the producer compressed them."),
    kept("compression.zstd.level", Kind::Int { min: -131_072, max: 22 }, "3", Some("compression.zstd.level"),
        "No effect: batches are stored as the producer compressed them."),
    acts("delete.retention.ms", NOT_NEGATIVE, "86400000", "log.cleaner.delete.retention.ms",
        |log, value| log.delete_retention_ms = value.number(),
        "How long tombstones and transaction markers of a compacted topic stay."),
    // Before its interval, because the row of the interval looks at what this one made.
    acts("durability", Kind::Word(&["ack", "interval", "none"]), "ack", "log.durability", |log, value| {
        log.durability = match value.0.trim() {
            "interval" => Durability::Interval { ms: 50 },
            "none" => Durability::None,
            _ => Durability::Ack,
        };
    }, "When an append counts as done: once it is synced to the disk (ack), at once with a sync every durability.interval.ms (interval), or at once without syncs (none)."),
    acts("durability.interval.ms", Kind::Long { min: 1 }, "50", "log.durability.interval.ms", |log, value| {
        if let Durability::Interval { ms } = &mut log.durability {
            *ms = value.u64();
        }
    }, "Time between two syncs, with durability=interval."),
    acts("file.delete.delay.ms", NOT_NEGATIVE, "60000", "log.segment.delete.delay.ms",
        |log, value| log.file_delete_delay_ms = value.number(),
        "How long the file of a deleted segment stays."),
    kept("flush.messages", Kind::Long { min: 1 }, NEVER, Some("log.flush.interval.messages"),
        "No effect: durability says when records are synced."),
    kept("flush.ms", NOT_NEGATIVE, NEVER, Some("log.flush.interval.ms"),
        "No effect: durability says when records are synced."),
    kept("follower.replication.throttled.replicas", Kind::List(&[]), "", None, "No effect: there is one broker."),
    acts("index.interval.bytes", SIZE, "32768", "log.index.interval.bytes",
        |log, value| log.index_interval_bytes = value.u32(),
        "Bytes of log between two entries of the index."),
    kept("leader.replication.throttled.replicas", Kind::List(&[]), "", None, "No effect: there is one broker."),
    kept("local.retention.bytes", Kind::Long { min: -2 }, "-2", Some("log.local.retention.bytes"), "No effect: there is no remote storage."),
    kept("local.retention.ms", Kind::Long { min: -2 }, "-2", Some("log.local.retention.ms"), "No effect: there is no remote storage."),
    acts("max.compaction.lag.ms", Kind::Long { min: 1 }, NEVER, "log.cleaner.max.compaction.lag.ms",
        |log, value| log.max_compaction_lag_ms = value.number(),
        "The longest time that a record of a compacted topic may stay uncompacted."),
    acts("max.message.bytes", SIZE, "1048588", "message.max.bytes",
        |log, value| log.message_bytes_max = value.u32(),
        "The largest batch that is taken."),
    acts("message.timestamp.after.max.ms", NOT_NEGATIVE, "3600000", "log.message.timestamp.after.max.ms",
        |log, value| log.timestamp_after_max_ms = value.number(),
        "How far a record's timestamp may be ahead of the broker's time."),
    acts("message.timestamp.before.max.ms", NOT_NEGATIVE, NEVER, "log.message.timestamp.before.max.ms",
        |log, value| log.timestamp_before_max_ms = value.number(),
        "How far a record's timestamp may be behind the broker's time."),
    acts("message.timestamp.type", Kind::Word(&["CreateTime", "LogAppendTime"]), "CreateTime", "log.message.timestamp.type", |log, value| {
        log.timestamp_type = match value.0.trim() {
            "LogAppendTime" => TimestampType::LogAppend,
            _ => TimestampType::Create,
        };
    }, "Whose time a record carries: the producer's or that of its append."),
    acts("min.cleanable.dirty.ratio", Kind::Double { min: 0.0, max: 1.0 }, "0.5", "log.cleaner.min.cleanable.ratio",
        |log, value| log.min_cleanable_dirty_ratio = value.double(),
        "The part of a compacted log that has to be uncompacted before it is compacted again."),
    acts("min.compaction.lag.ms", NOT_NEGATIVE, "0", "log.cleaner.min.compaction.lag.ms",
        |log, value| log.min_compaction_lag_ms = value.number(),
        "The shortest time that a record of a compacted topic stays uncompacted."),
    kept("min.insync.replicas", Kind::Int { min: 1, max: i32::MAX as i64 }, "1", Some("min.insync.replicas"), "No effect: there is one broker."),
    kept("preallocate", Kind::Boolean, "false", Some("log.preallocate"), "No effect: files grow as they are written."),
    kept("remote.log.copy.disable", Kind::Boolean, "false", None, "No effect: there is no remote storage."),
    kept("remote.log.delete.on.disable", Kind::Boolean, "false", None, "No effect: there is no remote storage."),
    kept("remote.storage.enable", Kind::Boolean, "false", None, "No effect: there is no remote storage."),
    acts("retention.bytes", LONG, "-1", "log.retention.bytes",
        |log, value| log.retention_bytes = value.limit().and_then(|bytes| u64::try_from(bytes).ok()),
        "Bytes of a partition beyond which its oldest segments are deleted; -1 is no limit."),
    acts("retention.ms", LIMIT, "604800000", "log.retention.ms",
        |log, value| log.retention_ms = value.limit(),
        "Age at which segments are deleted; -1 keeps them for ever."),
    acts("segment.bytes", Kind::Int { min: 14, max: i32::MAX as i64 }, "1073741824", "log.segment.bytes",
        |log, value| log.segment_bytes_max = value.u64(),
        "A segment is closed before it grows beyond this."),
    kept("segment.index.bytes", Kind::Int { min: 4, max: i32::MAX as i64 }, "10485760", Some("log.index.size.max.bytes"),
        "No effect: the index is as large as it has to be."),
    kept("segment.jitter.ms", NOT_NEGATIVE, "0", Some("log.roll.jitter.ms"), "No effect: segments are closed when their time has come."),
    acts("segment.ms", Kind::Long { min: 1 }, "604800000", "log.roll.ms",
        |log, value| log.segment_ms_max = value.number(),
        "A segment is closed this long after its first append."),
    kept("unclean.leader.election.enable", Kind::Boolean, "false", Some("unclean.leader.election.enable"), "No effect: there is one broker."),
];

/// The row of a name.
pub(crate) fn topic_config(name: &str) -> Option<&'static TopicConfig> {
    let at = TOPIC_CONFIGS.binary_search_by(|row| row.name.cmp(name)).ok()?;
    TOPIC_CONFIGS.get(at)
}
