//! The configurations of the broker: those that stand in [`Settings`], the defaults of topics, and a few that tools set.
//! Invariant: what [`Settings`] has a field for is described from it and, if it may change at run time, acts through it.

use mainstem_log::Durability;

use super::topic::TOPIC_CONFIGS;
use super::value::{Kind, Value};
use crate::Settings;

/// One configuration of the broker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BrokerConfig {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: &'static str,
    /// Whether it is fixed when the broker starts.
    pub(crate) read_only: bool,
    pub(crate) doc: &'static str,
    /// What [`Settings`] says, if there is a field.
    pub(crate) get: Option<fn(&Settings) -> String>,
    /// Puts a value in force that was given at the start or altered; without it the value acts through the topics or not at
    /// all.
    pub(crate) set: Option<fn(&mut Settings, Value<'_>)>,
}

const COUNT: Kind = Kind::Int { min: 1, max: i32::MAX as i64 };
const TIME: Kind = Kind::Int { min: 0, max: i32::MAX as i64 };

const fn fixed(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    get: fn(&Settings) -> String,
    set: fn(&mut Settings, Value<'_>),
    doc: &'static str,
) -> BrokerConfig {
    BrokerConfig { name, kind, default, read_only: true, doc, get: Some(get), set: Some(set) }
}

const fn altered(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    get: fn(&Settings) -> String,
    set: fn(&mut Settings, Value<'_>),
    doc: &'static str,
) -> BrokerConfig {
    BrokerConfig { name, kind, default, read_only: false, doc, get: Some(get), set: Some(set) }
}

const fn kept(name: &'static str, kind: Kind, default: &'static str) -> BrokerConfig {
    let doc = "Kept for tools that set it; no effect.";
    BrokerConfig { name, kind, default, read_only: false, doc, get: None, set: None }
}

/// Those that are no defaults of topics.
#[rustfmt::skip]
const OWN: &[BrokerConfig] = &[
    altered("auto.create.topics.enable", Kind::Boolean, "true", |s| s.auto_create_topics.to_string(),
        |s, value| s.auto_create_topics = value.boolean(), "Whether a topic is made when a client asks for one that is not there."),
    kept("background.threads", COUNT, "10"),
    fixed("broker.id", Kind::Int { min: 0, max: i32::MAX as i64 }, "1", |s| s.node_id.to_string(), |s, value| s.node_id = value.i32(), "The number of this broker."),
    altered("default.replication.factor", Kind::Int { min: 1, max: 1 }, "1", |_| "1".to_owned(), |_, _| {}, "There is one broker, so there is one replica."),
    altered("fetch.max.bytes", Kind::Int { min: 1024, max: i32::MAX as i64 }, "57671680", |s| s.fetch_bytes_max.to_string(),
        |s, value| s.fetch_bytes_max = value.u32(), "The most record bytes in one answer to a fetch."),
    fixed("group.initial.rebalance.delay.ms", TIME, "0", |s| s.group_initial_rebalance_delay_ms.to_string(),
        |s, value| s.group_initial_rebalance_delay_ms = value.number(),
        "How long a new group waits for more members before its first assignment."),
    fixed("group.max.session.timeout.ms", TIME, "1800000", |s| s.group_session_timeout_ms_max.to_string(),
        |s, value| s.group_session_timeout_ms_max = value.i32(), "The longest session timeout of a group's members."),
    fixed("group.max.size", COUNT, "10000", |s| s.group_members_max.to_string(),
        |s, value| s.group_members_max = value.u32() as usize, "The most members of a group."),
    fixed("group.min.session.timeout.ms", TIME, "6000", |s| s.group_session_timeout_ms_min.to_string(),
        |s, value| s.group_session_timeout_ms_min = value.i32(), "The shortest session timeout of a group's members."),
    kept("log.cleaner.enable", Kind::Boolean, "true"),
    kept("log.cleaner.threads", COUNT, "1"),
    fixed("node.id", Kind::Int { min: 0, max: i32::MAX as i64 }, "1", |s| s.node_id.to_string(), |s, value| s.node_id = value.i32(), "The number of this broker."),
    altered("num.partitions", COUNT, "1", |s| s.partitions_default.to_string(),
        |s, value| s.partitions_default = value.i32(), "Partitions of a topic that is made without saying how many."),
    fixed("offset.metadata.max.bytes", TIME, "4096", |s| s.offset_metadata_bytes_max.to_string(),
        |s, value| s.offset_metadata_bytes_max = value.u32() as usize, "The longest text that may be committed with an offset."),
    fixed("offsets.retention.minutes", COUNT, "10080", |s| (s.offsets_retention_ms / 60_000).to_string(),
        |s, value| s.offsets_retention_ms = value.number() * 60_000,
        "How long the offsets of a group without members stay."),
    altered("replication.factor.max", Kind::Int { min: 1, max: i16::MAX as i64 }, "1", |s| s.replication_factor_max.to_string(),
        |s, value| s.replication_factor_max = i16::try_from(value.number()).unwrap_or(1),
        "The largest replication factor that may be asked for a topic. A partition has one replica, whatever is asked."),
    kept("sasl.kerberos.min.time.before.relogin", Kind::Long { min: 0 }, "60000"),
    fixed("transaction.max.timeout.ms", COUNT, "3600000", |s| s.transaction_timeout_ms_max.to_string(),
        |s, value| s.transaction_timeout_ms_max = value.i32(), "The longest timeout that a transactional producer may ask for."),
];

/// Where [`Settings`] has the default of topics.
#[rustfmt::skip]
pub(super) fn behind_topics(name: &str) -> Option<fn(&Settings) -> String> {
    fn limit(number: Option<impl ToString>) -> String {
        number.map_or_else(|| "-1".to_owned(), |number| number.to_string())
    }
    match name {
        "message.max.bytes" => Some(|s| s.message_bytes_max.to_string()),
        "log.segment.bytes" => Some(|s| s.segment_bytes_max.min(i32::MAX as u64).to_string()),
        "log.retention.ms" => Some(|s| limit(s.retention_ms)),
        "log.retention.bytes" => Some(|s| limit(s.retention_bytes)),
        "log.durability" => Some(|s| match s.durability {
            Durability::Ack => "ack",
            Durability::Interval { .. } => "interval",
            Durability::None => "none",
        }.to_owned()),
        "log.durability.interval.ms" => Some(|s| match s.durability {
            Durability::Interval { ms } => ms.to_string(),
            Durability::Ack | Durability::None => "50".to_owned(),
        }),
        _ => None,
    }
}

/// All of them.
pub(crate) fn broker_configs() -> impl Iterator<Item = BrokerConfig> {
    let of_topics = TOPIC_CONFIGS.iter().filter_map(|row| {
        let name = row.broker?;
        Some(BrokerConfig {
            name,
            kind: row.kind,
            default: row.default,
            read_only: false,
            doc: row.doc,
            get: behind_topics(name),
            set: None,
        })
    });
    OWN.iter().copied().chain(of_topics)
}

/// The row of a name.
pub(crate) fn broker_config(name: &str) -> Option<BrokerConfig> {
    broker_configs().find(|row| row.name == name)
}
