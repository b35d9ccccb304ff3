//! What the broker is told when it starts; plain data, made by the shell.

use std::collections::BTreeMap;

use mainstem_core::{Error, Result};
use mainstem_log::{Durability, WalSettings};

use crate::config;

/// Defaults of topics and limits of groups and transactions; the names in the comments are Kafka's.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `broker.id`
    pub node_id: i32,
    /// `num.partitions`: of topics that are created without saying how many.
    pub partitions_default: i32,
    /// `auto.create.topics.enable`
    pub auto_create_topics: bool,
    /// `replication.factor.max`, a name of ours: the largest that may be asked for. A partition has one replica anyway.
    pub replication_factor_max: i16,
    /// `message.max.bytes`
    pub message_bytes_max: u32,
    /// When appends are acknowledged, where the topic does not say.
    pub durability: Durability,
    /// `log.segment.bytes`
    pub segment_bytes_max: u64,
    /// So much log may lie behind the stored index and producers of a partition: what a start after a crash reads of it.
    pub log_checkpoint_bytes: u64,
    /// How large the write-ahead log is.
    pub wal: WalSettings,
    /// `log.retention.ms`
    pub retention_ms: Option<i64>,
    /// `log.retention.bytes`
    pub retention_bytes: Option<u64>,
    /// `group.initial.rebalance.delay.ms`
    pub group_initial_rebalance_delay_ms: i64,
    /// `group.min.session.timeout.ms`
    pub group_session_timeout_ms_min: i32,
    /// `group.max.session.timeout.ms`
    pub group_session_timeout_ms_max: i32,
    /// `group.max.size`
    pub group_members_max: usize,
    /// `offsets.retention.minutes`, in ms
    pub offsets_retention_ms: i64,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_bytes_max: usize,
    /// `transaction.max.timeout.ms`: an hour, because Flink's sink asks for that.
    pub transaction_timeout_ms_max: i32,
    /// `fetch.max.bytes`: of one answer.
    pub fetch_bytes_max: u32,
    /// Configurations of all topics that say nothing themselves, by the broker's names (`log.cleanup.policy`). They stand
    /// before the fields above that say the same.
    pub topic_configs: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            node_id: 1,
            partitions_default: 1,
            auto_create_topics: true,
            replication_factor_max: 1,
            message_bytes_max: 1_048_588,
            durability: Durability::Ack,
            segment_bytes_max: 1 << 30,
            log_checkpoint_bytes: 32 << 20,
            wal: WalSettings::default(),
            retention_ms: Some(7 * 24 * 3_600_000),
            retention_bytes: None,
            group_initial_rebalance_delay_ms: 0,
            group_session_timeout_ms_min: 6_000,
            group_session_timeout_ms_max: 1_800_000,
            group_members_max: 10_000,
            offsets_retention_ms: 7 * 24 * 3_600_000,
            offset_metadata_bytes_max: 4_096,
            transaction_timeout_ms_max: 3_600_000,
            fetch_bytes_max: 55 << 20,
            topic_configs: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Sets what Kafka's configurations of a broker name, from text: `num.partitions` to `4`.
    ///
    /// # Errors
    /// If there is no such configuration, if it is not one that can be set, or if the value does not fit it.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        config::set_at_start(self, name, value).map_err(|(_, why)| {
            Error::user(why).with_hint("DescribeConfigs lists the broker's configurations")
        })
    }
}
