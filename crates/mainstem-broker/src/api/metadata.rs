//! Metadata (3): the brokers (us), and topics with their partitions; creates topics that are asked for when that is allowed.

use super::{Reply, create_topics};
use crate::topics::Topic;
use crate::wire::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::wire::{MetadataRequest, MetadataResponse, StrBytes, Uuid, make};
use crate::{Broker, Call, ErrorCode};

pub(super) fn handle(broker: &mut Broker, call: &Call, request: MetadataRequest) -> Reply {
    let mut created = false;
    // Before version 1 an empty list stood for all topics.
    let asked = request.topics.filter(|topics| call.version > 0 || !topics.is_empty());
    let topics = match asked {
        None => broker.topics.iter().map(|topic| describe(broker, topic)).collect(),
        Some(asked) => {
            let mut topics = Vec::with_capacity(asked.len());
            for topic in asked {
                let name = match topic.name.filter(|_| topic.topic_id.is_zero()) {
                    Some(name) => name,
                    None => match broker.topics.name_of(topic.topic_id) {
                        Some(name) => name.clone(),
                        None => {
                            topics.push(unknown_id(topic.topic_id));
                            continue;
                        }
                    },
                };
                let may_create =
                    request.allow_auto_topic_creation && broker.settings.auto_create_topics;
                if may_create && broker.topics.by_name(&name).is_none() {
                    created |= create_topics::create_by_default(broker, &name).is_ok();
                }
                topics.push(named(broker, &name));
            }
            topics
        }
    };
    let response = make(|response: &mut MetadataResponse| {
        response.brokers = vec![ourselves(broker, call)];
        response.cluster_id = Some(broker.cluster_id.clone());
        response.controller_id = broker.settings.node_id;
        response.topics = topics;
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
    let error = match crate::topics::check_name(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    };
    make(|answer: &mut MetadataResponseTopic| {
        answer.error_code = error.code();
        answer.name = Some(name.clone());
    })
}

fn unknown_id(id: Uuid) -> MetadataResponseTopic {
    make(|answer: &mut MetadataResponseTopic| {
        answer.error_code = ErrorCode::UnknownTopicId.code();
        answer.topic_id = id;
    })
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
        answer.partitions = (0..topic.partitions.len()).map(partition).collect();
    })
}
