//! OffsetDelete (47): forgets offsets of topics that the group does not read now.

use super::Reply;
use crate::group::classic::{Group, Phase};
use crate::wire::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use crate::wire::{
    OffsetDeleteRequest, OffsetDeleteResponse, StrBytes, decode_consumer_protocol_subscription,
    make,
};
use crate::{Broker, Call, ErrorCode};

const CONSUMER: &str = "consumer";

pub(super) fn handle(broker: &mut Broker, call: &Call, request: OffsetDeleteRequest) -> Reply {
    let Some(state) = broker.groups.get(&request.group_id) else {
        return failed(ErrorCode::GroupIdNotFound).into();
    };
    let consumes = state.group.protocol_type.as_ref().is_some_and(|kind| &**kind == CONSUMER);
    if state.group.phase != Phase::Empty && !consumes {
        return failed(ErrorCode::NonEmptyGroup).into();
    }
    let mut entries = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let place = (topic.name.clone(), partition.partition_index);
            let known = broker.topics.partition(&place.0, place.1);
            let code = match broker.groups.get_mut(&request.group_id) {
                Some(state) if subscribed(&state.group, &topic.name) => {
                    ErrorCode::GroupSubscribedToTopic
                }
                Some(state) => {
                    entries.extend(state.offsets.forget(&request.group_id, |at, _| *at == place));
                    known.err().unwrap_or(ErrorCode::None)
                }
                None => ErrorCode::GroupIdNotFound,
            };
            partitions.push(make(|answer: &mut OffsetDeleteResponsePartition| {
                answer.partition_index = partition.partition_index;
                answer.error_code = code.code();
            }));
        }
        topics.push(make(|answer: &mut OffsetDeleteResponseTopic| {
            answer.name = topic.name.clone();
            answer.partitions = partitions;
        }));
    }
    broker.groups.settle(&request.group_id);
    let response = make(|response: &mut OffsetDeleteResponse| response.topics = topics);
    match broker.record(&entries) {
        Ok(()) => broker.respond_durably(call.id, response),
        Err(code) => failed(code).into(),
    }
}

/// True if a member reads the topic; one whose metadata cannot be read may read anything.
fn subscribed(group: &Group, topic: &StrBytes) -> bool {
    group.members.values().any(|member| {
        let metadata = member.metadata(group.protocol.as_ref());
        match decode_consumer_protocol_subscription(metadata, Default::default()) {
            Ok((_, subscription)) => subscription.topics.contains(topic),
            Err(_) => true,
        }
    })
}

fn failed(code: ErrorCode) -> OffsetDeleteResponse {
    make(|response: &mut OffsetDeleteResponse| response.error_code = code.code())
}
