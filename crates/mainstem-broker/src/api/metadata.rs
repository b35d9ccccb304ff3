//! Metadata (3): the brokers (us), and topics with their partitions; creates topics that are asked for when that is allowed.

use super::{Reply, create_topics};
use crate::topics::{self, Topic};
use crate::wire::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::wire::{MetadataRequest, MetadataResponse, StrBytes, Uuid, make};
use crate::{Broker, Call, ErrorCode};

/// READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS, by Kafka's numbers of operations: without
/// an authorizer everybody may do everything.
pub(super) const TOPIC_OPERATIONS: i32 = bits(&[3, 4, 5, 6, 7, 8, 10, 11]);
/// CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE.
pub(super) const CLUSTER_OPERATIONS: i32 = bits(&[5, 7, 8, 9, 10, 11, 12]);

const fn bits(operations: &[u8]) -> i32 {
    let (mut bits, mut at) = (0, 0);
    while at < operations.len() {
        bits |= 1 << operations[at];
        at += 1;
    }
    bits
}

pub(super) fn handle(broker: &mut Broker, call: &Call, request: MetadataRequest) -> Reply {
    let mut created = false;
    // Before version 1 an empty list stood for all topics.
    let asked = request.topics.filter(|topics| call.version > 0 || !topics.is_empty());
    let mut topics: Vec<MetadataResponseTopic> = match asked {
        None => broker.topics.iter().map(|topic| describe(broker, topic)).collect(),
        Some(asked) => {
            let may_create =
                request.allow_auto_topic_creation && broker.settings.auto_create_topics;
            let answers = asked.into_iter().map(|topic| match topic.topic_id.is_zero() {
                false => by_id(broker, topic.topic_id),
                true => {
                    let name = topic.name.unwrap_or_default();
                    created |= may_create
                        && broker.topics.by_name(&name).is_none()
                        && create_topics::create_by_default(broker, &name).is_ok();
                    named(broker, &name)
                }
            });
            answers.collect()
        }
    };
    if request.include_topic_authorized_operations {
        for topic in topics.iter_mut().filter(|topic| topic.error_code == 0) {
            topic.topic_authorized_operations = TOPIC_OPERATIONS;
        }
    }
    let response = make(|response: &mut MetadataResponse| {
        response.brokers = vec![ourselves(broker, call)];
        response.cluster_id = Some(broker.cluster_id.clone());
        response.controller_id = broker.settings.node_id;
        response.topics = topics;
        if request.include_cluster_authorized_operations {
            response.cluster_authorized_operations = CLUSTER_OPERATIONS;
        }
    });
    match created {
        true => broker.respond_durably(call.id, response),
        false => response.into(),
    }
}

fn ourselves(broker: &Broker, call: &Call) -> MetadataResponseBroker {
    make(|us: &mut MetadataResponseBroker| {
        us.node_id = broker.settings.node_id;
        us.host = call.advertised.host.clone();
        us.port = i32::from(call.advertised.port);
    })
}

fn named(broker: &Broker, name: &StrBytes) -> MetadataResponseTopic {
    if let Some(topic) = broker.topics.by_name(name) {
        return describe(broker, topic);
    }
    let error = match topics::check_name(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    };
    make(|answer: &mut MetadataResponseTopic| {
        answer.error_code = error.code();
        answer.name = Some(name.clone());
    })
}

fn by_id(broker: &Broker, id: Uuid) -> MetadataResponseTopic {
    match broker.topics.name_of(id).and_then(|name| broker.topics.by_name(name)) {
        Some(topic) => describe(broker, topic),
        None => make(|answer: &mut MetadataResponseTopic| {
            answer.error_code = ErrorCode::UnknownTopicId.code();
            answer.topic_id = id;
        }),
    }
}

fn describe(broker: &Broker, topic: &Topic) -> MetadataResponseTopic {
    let node = broker.settings.node_id;
    let partition = |index: usize| {
        make(|partition: &mut MetadataResponsePartition| {
            partition.partition_index = i32::try_from(index).unwrap_or(i32::MAX);
            partition.leader_id = node;
            partition.leader_epoch = 0;
            partition.replica_nodes = vec![node];
            partition.isr_nodes = vec![node];
        })
    };
    make(|answer: &mut MetadataResponseTopic| {
        answer.name = Some(topic.name.clone());
        answer.topic_id = topic.id;
        answer.is_internal = topics::is_internal(&topic.name);
        answer.partitions = (0..topic.partitions.len()).map(partition).collect();
    })
}
