//! OffsetFetch (9): what a group committed; from version 8 on for several groups at once.

use std::collections::BTreeMap;

use crate::group::GroupState;
use crate::wire::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use crate::wire::{OffsetFetchRequest, OffsetFetchResponse, StrBytes, make};
use crate::{Broker, Call, ErrorCode};

/// What is known of one partition.
struct Found {
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: StrBytes,
    code: ErrorCode,
}

/// The partitions that are asked for, by topic; `None` stands for all.
type Asked = Option<Vec<(StrBytes, Vec<i32>)>>;

pub(super) fn handle(
    broker: &Broker,
    call: &Call,
    request: &OffsetFetchRequest,
) -> OffsetFetchResponse {
    let stable = request.require_stable;
    if call.version >= 8 {
        let groups = request.groups.iter().map(|group| {
            let asked = group.topics.as_ref().map(|topics| {
                topics.iter().map(|t| (t.name.clone(), t.partition_indexes.clone())).collect()
            });
            let found = find(broker, &group.group_id, asked, stable);
            make(|answer: &mut OffsetFetchResponseGroup| {
                answer.group_id = group.group_id.clone();
                answer.topics = found.into_iter().map(in_group).collect();
            })
        });
        let groups = groups.collect();
        return make(|response: &mut OffsetFetchResponse| response.groups = groups);
    }
    let asked = request.topics.as_ref().map(|topics| {
        topics.iter().map(|t| (t.name.clone(), t.partition_indexes.clone())).collect()
    });
    let found = find(broker, &request.group_id, asked, stable);
    let topics = found.into_iter().map(alone).collect();
    make(|response: &mut OffsetFetchResponse| response.topics = topics)
}

/// In the answer for several groups.
fn in_group((name, partitions): (StrBytes, Vec<Found>)) -> OffsetFetchResponseTopics {
    let partitions = partitions.into_iter().map(|found| {
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
        answer.partitions = partitions;
    })
}

/// In the answer for the one group of older requests.
fn alone((name, partitions): (StrBytes, Vec<Found>)) -> OffsetFetchResponseTopic {
    let partitions = partitions.into_iter().map(|found| {
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
}

fn find(
    broker: &Broker,
    group: &StrBytes,
    asked: Asked,
    stable: bool,
) -> Vec<(StrBytes, Vec<Found>)> {
    let state = broker.groups.get(group);
    let topics = asked.unwrap_or_else(|| everything(state)).into_iter();
    let found = topics.map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|p| committed(state, &name, p, stable));
        let partitions = partitions.collect();
        (name, partitions)
    });
    found.collect()
}

fn everything(state: Option<&GroupState>) -> Vec<(StrBytes, Vec<i32>)> {
    let mut topics: BTreeMap<StrBytes, Vec<i32>> = BTreeMap::new();
    for ((name, partition), _) in state.into_iter().flat_map(|state| state.offsets.iter()) {
        topics.entry(name.clone()).or_default().push(*partition);
    }
    topics.into_iter().collect()
}

fn committed(state: Option<&GroupState>, name: &StrBytes, partition: i32, stable: bool) -> Found {
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
