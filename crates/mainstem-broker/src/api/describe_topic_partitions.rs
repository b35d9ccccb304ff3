//! DescribeTopicPartitions (75): topics and their partitions, in pages.

use super::metadata;
use crate::topics::{self, Topic};
use crate::wire::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use crate::wire::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, StrBytes, make,
};
use crate::{Broker, ErrorCode};

/// `max.request.partition.size.limit`
const PARTITIONS_MAX: usize = 2_000;

pub(super) fn handle(
    broker: &Broker,
    request: &DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let mut names: Vec<StrBytes> = match request.topics.is_empty() {
        true => broker.topics.iter().map(|topic| topic.name.clone()).collect(),
        false => request.topics.iter().map(|topic| topic.name.clone()).collect(),
    };
    names.sort_unstable();
    names.dedup();
    let (from_topic, mut from_partition) = match &request.cursor {
        Some(cursor) => {
            (cursor.topic_name.clone(), usize::try_from(cursor.partition_index).unwrap_or(0))
        }
        None => (StrBytes::default(), 0),
    };
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let mut left = limit.clamp(1, PARTITIONS_MAX);
    let mut answers = Vec::new();
    let mut next = None;
    for name in names.into_iter().filter(|name| *name >= from_topic) {
        let first = if name == from_topic { std::mem::take(&mut from_partition) } else { 0 };
        let Some(topic) = broker.topics.by_name(&name) else {
            answers.push(unknown(name));
            continue;
        };
        let end = topic.partitions.len().min(first.saturating_add(left));
        if left > 0 {
            answers.push(describe(broker, topic, first, end));
        }
        left -= end.saturating_sub(first).min(left);
        if end < topic.partitions.len() {
            next = Some(make(|cursor: &mut Cursor| {
                cursor.topic_name = name;
                cursor.partition_index = i32::try_from(end).unwrap_or(i32::MAX);
            }));
            break;
        }
    }
    make(|response: &mut DescribeTopicPartitionsResponse| {
        response.topics = answers;
        response.next_cursor = next;
    })
}

fn unknown(name: StrBytes) -> DescribeTopicPartitionsResponseTopic {
    let code = match topics::check_name(&name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    };
    make(|answer: &mut DescribeTopicPartitionsResponseTopic| {
        answer.error_code = code.code();
        answer.name = Some(name);
    })
}

fn describe(
    broker: &Broker,
    topic: &Topic,
    first: usize,
    end: usize,
) -> DescribeTopicPartitionsResponseTopic {
    let node = broker.settings.node_id;
    let partition = |index: usize| {
        make(|partition: &mut DescribeTopicPartitionsResponsePartition| {
            partition.partition_index = i32::try_from(index).unwrap_or(i32::MAX);
            partition.leader_id = node;
            partition.leader_epoch = 0;
            partition.replica_nodes = vec![node];
            partition.isr_nodes = vec![node];
            // May be null by the protocol, which Java's admin client does not survive.
            partition.eligible_leader_replicas = Some(Vec::new());
            partition.last_known_elr = Some(Vec::new());
        })
    };
    make(|answer: &mut DescribeTopicPartitionsResponseTopic| {
        answer.name = Some(topic.name.clone());
        answer.topic_id = topic.id;
        answer.is_internal = topics::is_internal(&topic.name);
        answer.partitions = (first..end).map(partition).collect();
        answer.topic_authorized_operations = metadata::TOPIC_OPERATIONS;
    })
}
