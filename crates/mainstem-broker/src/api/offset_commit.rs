//! OffsetCommit (8): by members of a generation, or (generation -1) by clients that only keep offsets in a group.

use super::Reply;
use crate::group;
use crate::group::offsets::{Committed, Place, commit_entry};
use crate::wire::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::wire::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::wire::{OffsetCommitRequest, OffsetCommitResponse, make};
use crate::{Broker, Call, ErrorCode};

pub(super) fn handle(broker: &mut Broker, call: &Call, request: OffsetCommitRequest) -> Reply {
    let allowed = check(broker, &request);
    let mut accepted: Vec<(Place, Committed)> = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let entry = allowed.and_then(|()| commit(broker, topic, partition));
            let code = entry.as_ref().err().copied().unwrap_or(ErrorCode::None);
            accepted.extend(entry);
            partitions.push(make(|answer: &mut OffsetCommitResponsePartition| {
                answer.partition_index = partition.partition_index;
                answer.error_code = code.code();
            }));
        }
        topics.push(make(|answer: &mut OffsetCommitResponseTopic| {
            answer.name = topic.name.clone();
            answer.partitions = partitions;
        }));
    }
    let mut response = make(|response: &mut OffsetCommitResponse| response.topics = topics);
    if accepted.is_empty() {
        broker.groups.settle(&request.group_id);
        return response.into();
    }
    let entry =
        |(place, committed): &(Place, Committed)| commit_entry(&request.group_id, place, committed);
    let entries: Vec<_> = accepted.iter().map(entry).collect();
    if let Err(code) = broker.record(&entries) {
        broker.groups.settle(&request.group_id);
        for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.error_code = code.code();
        }
        return response.into();
    }
    if let Some(state) = broker.groups.get_mut(&request.group_id) {
        for (place, committed) in accepted {
            state.offsets.commit(place, committed);
        }
    }
    broker.groups.settle(&request.group_id);
    broker.respond_durably(call.id, response)
}

fn check(broker: &mut Broker, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
    let (group_id, generation) = (&request.group_id, request.generation_id_or_member_epoch);
    if broker.groups.get(group_id).is_none() && generation >= 0 {
        return Err(ErrorCode::IllegalGeneration);
    }
    let now_ms = broker.now_ms;
    let state = broker.groups.get_or_create(group_id, &broker.settings, now_ms);
    let instance = request.group_instance_id.as_ref();
    state.group.check_commit(now_ms, &request.member_id, instance, generation, false)
}

fn commit(
    broker: &Broker,
    topic: &OffsetCommitRequestTopic,
    partition: &OffsetCommitRequestPartition,
) -> Result<(Place, Committed), ErrorCode> {
    let place = (topic.name.clone(), partition.partition_index);
    let (offset, epoch) = (partition.committed_offset, partition.committed_leader_epoch);
    group::to_commit(broker, place, offset, epoch, partition.committed_metadata.as_ref())
}
