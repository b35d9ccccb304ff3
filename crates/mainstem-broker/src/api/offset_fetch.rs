//! OffsetFetch (9): what a group committed; from version 8 on for several groups at once.

use std::collections::BTreeMap;

use crate::group::GroupState;
use crate::wire::offset_fetch_request::OffsetFetchRequestGroup;
use crate::wire::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use crate::wire::{OffsetFetchRequest, OffsetFetchResponse, StrBytes, Uuid, make};
use crate::{Broker, Call, ErrorCode};

/// What is known of one partition.
struct Found {
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: StrBytes,
    code: ErrorCode,
}

pub(super) fn handle(
    broker: &Broker,
    call: &Call,
    request: &OffsetFetchRequest,
) -> OffsetFetchResponse {
    if call.version >= 8 {
        let groups = request.groups.iter().map(|group| {
            let found = of_group(broker, call, group, request.require_stable);
            make(|answer: &mut OffsetFetchResponseGroup| {
                answer.group_id = group.group_id.clone();
                answer.topics = found;
            })
        });
        let groups = groups.collect();
        return make(|response: &mut OffsetFetchResponse| response.groups = groups);
    }
    let state = broker.groups.get(&request.group_id);
    let asked = request.topics.as_ref().map(|topics| {
        let pairs =
            topics.iter().map(|topic| (topic.name.clone(), topic.partition_indexes.clone()));
        pairs.collect()
    });
    let topics = asked.unwrap_or_else(|| everything(state));
    let topics = topics.into_iter().map(|(name, partitions)| {
        let found = partitions.iter().map(|p| find(state, &name, *p, request.require_stable));
        let partitions = found.map(|found| {
            make(|answer: &mut OffsetFetchResponsePartition| {
                answer.partition_index = found.partition;
                answer.committed_offset = found.offset;
                answer.committed_leader_epoch = found.leader_epoch;
                answer.metadata = Some(found.metadata);
                answer.error_code = found.code.code();
            })
        });
        let partitions = partitions.collect();
        make(|answer: &mut OffsetFetchResponseTopic| {
            answer.name = name;
            answer.partitions = partitions;
        })
    });
    let topics = topics.collect();
    make(|response: &mut OffsetFetchResponse| response.topics = topics)
}

fn of_group(
    broker: &Broker,
    call: &Call,
    group: &OffsetFetchRequestGroup,
    stable: bool,
) -> Vec<OffsetFetchResponseTopics> {
    let state = broker.groups.get(&group.group_id);
    let asked = group.topics.as_ref().map(|topics| {
        let named = topics.iter().map(|topic| {
            let name = match call.version >= 10 {
                true => broker.topics.name_of(topic.topic_id).cloned().unwrap_or_default(),
                false => topic.name.clone(),
            };
            (name, topic.topic_id, topic.partition_indexes.clone())
        });
        named.collect::<Vec<_>>()
    });
    let all = || {
        let known = everything(state).into_iter();
        known.map(|(name, partitions)| (name, Uuid::ZERO, partitions)).collect()
    };
    let topics = asked.unwrap_or_else(all).into_iter().map(|(name, asked_id, partitions)| {
        let id = broker.topics.by_name(&name).map_or(asked_id, |topic| topic.id);
        let unknown = call.version >= 10 && name.is_empty();
        let found = partitions.iter().map(|p| match unknown {
            true => nothing(*p, ErrorCode::UnknownTopicId),
            false => find(state, &name, *p, stable),
        });
        let partitions = found.map(|found| {
            make(|answer: &mut OffsetFetchResponsePartitions| {
                answer.partition_index = found.partition;
                answer.committed_offset = found.offset;
                answer.committed_leader_epoch = found.leader_epoch;
                answer.metadata = Some(found.metadata);
                answer.error_code = found.code.code();
            })
        });
        let partitions = partitions.collect();
        make(|answer: &mut OffsetFetchResponseTopics| {
            answer.name = name;
            answer.topic_id = id;
            answer.partitions = partitions;
        })
    });
    topics.collect()
}

fn everything(state: Option<&GroupState>) -> Vec<(StrBytes, Vec<i32>)> {
    let mut topics: BTreeMap<StrBytes, Vec<i32>> = BTreeMap::new();
    for ((name, partition), _) in state.into_iter().flat_map(|state| state.offsets.iter()) {
        topics.entry(name.clone()).or_default().push(*partition);
    }
    topics.into_iter().collect()
}

fn find(state: Option<&GroupState>, name: &StrBytes, partition: i32, stable: bool) -> Found {
    let place = (name.clone(), partition);
    if stable && state.is_some_and(|state| state.offsets.is_unstable(&place)) {
        return nothing(partition, ErrorCode::UnstableOffsetCommit);
    }
    match state.and_then(|state| state.offsets.get(&place)) {
        Some(committed) => Found {
            partition,
            offset: committed.offset,
            leader_epoch: committed.leader_epoch,
            metadata: committed.metadata.clone(),
            code: ErrorCode::None,
        },
        None => nothing(partition, ErrorCode::None),
    }
}

fn nothing(partition: i32, code: ErrorCode) -> Found {
    Found { partition, offset: -1, leader_epoch: -1, metadata: StrBytes::default(), code }
}
