//! Transactions that have ended for their coordinator and hang in a partition. A broker that is killed before it has told a partition
//! of a commit, and finds the partition without a leader when it is back, takes it for deleted and tells nobody: "Couldn't find
//! leader endpoint for partitions ... these partitions are likely deleted already and hence can be skipped" (Kafka 4.3,
//! TransactionMarkerChannelManager; seen with a single broker that was back before its session was over). Who reads what is
//! committed stands still there for ever. We know how our transactions ended, so we say it to the partition (WriteTxnMarkers, as
//! Kafka's own tool does when it aborts, KIP-664).
//! Invariant: a partition is told nothing but what the coordinator had decided. A broker that cannot be asked (it has no
//! DescribeProducers, or gives no right to it) is believed.

use std::collections::BTreeMap;
use std::io;

use kafka_wire::describe_producers_request::TopicRequest;
use kafka_wire::metadata_request::MetadataRequestTopic;
use kafka_wire::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_wire::{
    ApiVersionsRequest, DescribeProducersRequest, KafkaRequest as _, MetadataRequest,
    WriteTxnMarkersRequest,
};
use kafka_wire_core::{ApiKey, StrBytes};
use tokio::sync::OnceCell;
use tokio::time::sleep;

use super::exchange::{Server, Servers, code};
use super::link::RETRY_PAUSE;
use super::transactions::Producer;

const API_VERSIONS: i16 = 0;
const METADATA: i16 = 9;
const DESCRIBE_PRODUCERS: i16 = 0;
const WRITE_TXN_MARKERS: i16 = 1;
/// So many tries are worth a word.
const MANY_TRIES: usize = 50;

/// The partitions of a topic, asked for what they know of transactions.
pub(super) struct Partitions {
    servers: Servers,
    topic: String,
    /// Whether brokers have the requests it takes.
    can_ask: OnceCell<bool>,
}

/// A transaction that is open in a partition.
struct Open {
    leader: Server,
    partition: i32,
    producer: Producer,
    coordinator_epoch: i32,
}

impl Partitions {
    pub(super) fn new(servers: Servers, topic: &str) -> Self {
        Self { servers, topic: topic.to_owned(), can_ask: OnceCell::new() }
    }

    /// Sees to it that no partition has a transaction open that was written by `producer`, or by one with its id before it, and has
    /// ended as `committed` says.
    pub(super) async fn end(&self, id: &str, producer: Producer, committed: bool) {
        let (mut failures, mut tries) = (0, 0);
        loop {
            let ended = self.try_end(id, producer, committed).await;
            self.servers.tell(&ended, &mut failures);
            match ended {
                Ok(true) => return,
                Ok(false) => {
                    tries += 1;
                    if tries == MANY_TRIES {
                        let text =
                            format!("waits for a leader of each partition of '{}'", self.topic);
                        self.servers.link().notice(&text);
                    }
                }
                Err(_) => {}
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Whether everything is said and done; otherwise it wants another try.
    async fn try_end(&self, id: &str, producer: Producer, committed: bool) -> io::Result<bool> {
        if !*self.can_ask.get_or_try_init(|| self.ask_abilities()).await? {
            return Ok(true);
        }
        let Some(leaders) = self.leaders().await? else { return Ok(false) };
        for (leader, partitions) in leaders {
            let Some(open) = self.open(&leader, &partitions, producer).await? else {
                return Ok(false);
            };
            for open in open {
                if !self.write_marker(id, &open, committed).await? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    async fn ask_abilities(&self) -> io::Result<bool> {
        let answer =
            self.servers.ask(API_VERSIONS, &ApiVersionsRequest::default(), |_| true).await?;
        let known = |key: ApiKey| answer.api_keys.iter().any(|api| api.api_key == key.value());
        Ok(known(DescribeProducersRequest::API_KEY) && known(WriteTxnMarkersRequest::API_KEY))
    }

    /// Partitions by their leader; `None` if one has no leader now. A topic that is gone, or not for us to see, has no partitions.
    async fn leaders(&self) -> io::Result<Option<BTreeMap<Server, Vec<i32>>>> {
        let mut topic = MetadataRequestTopic::default();
        topic.name = Some(StrBytes::from(self.topic.as_str()));
        let mut request = MetadataRequest::default();
        (request.topics, request.allow_auto_topic_creation) = (Some(vec![topic]), false);
        let answer = self.servers.ask(METADATA, &request, |_| true).await?;
        let Some(topic) = answer.topics.first() else { return Ok(None) };
        match topic.error_code {
            code::NONE => {}
            code::UNKNOWN_TOPIC_OR_PARTITION | code::TOPIC_AUTHORIZATION_FAILED => {
                return Ok(Some(BTreeMap::new()));
            }
            _ => return Ok(None),
        }
        let mut leaders = BTreeMap::<Server, Vec<i32>>::new();
        for partition in &topic.partitions {
            let leader = answer.brokers.iter().find(|b| b.node_id == partition.leader_id);
            let Some(leader) = leader else { return Ok(None) };
            let leader = Server::told(&leader.host, leader.port)?;
            leaders.entry(leader).or_default().push(partition.partition_index);
        }
        Ok(Some(leaders))
    }

    /// What partitions of a leader have open of a producer; `None` if one of them does not say.
    async fn open(
        &self,
        leader: &Server,
        partitions: &[i32],
        producer: Producer,
    ) -> io::Result<Option<Vec<Open>>> {
        let mut topic = TopicRequest::default();
        topic.name = StrBytes::from(self.topic.as_str());
        topic.partition_indexes = partitions.to_vec();
        let mut request = DescribeProducersRequest::default();
        request.topics = vec![topic];
        let answer = self.servers.ask_at(leader, DESCRIBE_PRODUCERS, &request).await?;
        let mut open = Vec::new();
        for partition in answer.topics.iter().flat_map(|topic| &topic.partitions) {
            match partition.error_code {
                code::NONE => {}
                code::TOPIC_AUTHORIZATION_FAILED => return Ok(Some(Vec::new())),
                _ => return Ok(None),
            }
            for state in &partition.active_producers {
                let epoch = i16::try_from(state.producer_epoch).unwrap_or(i16::MAX);
                let is_it = state.producer_id == producer.id && epoch <= producer.epoch;
                if is_it && state.current_txn_start_offset >= 0 {
                    open.push(Open {
                        leader: leader.clone(),
                        partition: partition.partition_index,
                        producer: Producer { id: producer.id, epoch },
                        coordinator_epoch: state.coordinator_epoch.max(0),
                    });
                }
            }
        }
        Ok(Some(open))
    }

    /// Tells a partition, and the user; whether that is that.
    async fn write_marker(&self, id: &str, open: &Open, committed: bool) -> io::Result<bool> {
        let mut topic = WritableTxnMarkerTopic::default();
        topic.name = StrBytes::from(self.topic.as_str());
        topic.partition_indexes = vec![open.partition];
        let mut marker = WritableTxnMarker::default();
        (marker.producer_id, marker.producer_epoch) = (open.producer.id, open.producer.epoch);
        (marker.transaction_result, marker.coordinator_epoch) = (committed, open.coordinator_epoch);
        marker.topics = vec![topic];
        let mut request = WriteTxnMarkersRequest::default();
        request.markers = vec![marker];
        let answer = self.servers.ask_at(&open.leader, WRITE_TXN_MARKERS, &request).await?;
        let topics = answer.markers.iter().flat_map(|marker| &marker.topics);
        let found =
            topics.flat_map(|topic| &topic.partitions).map(|partition| partition.error_code);
        let end = if committed { "committed" } else { "aborted" };
        let Open { partition, .. } = open;
        let topic = &self.topic;
        let said = format!(
            "Kafka has not told partition {partition} of '{topic}' that transaction '{id}' was {end}"
        );
        match found.last() {
            Some(code::NONE) => self.servers.link().notice(&format!("{said}; it knows now")),
            Some(code::CLUSTER_AUTHORIZATION_FAILED) => self.servers.link().notice(&format!(
                "{said}, and we may not (ACL ClusterAction on the cluster): who reads what is committed waits there"
            )),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
