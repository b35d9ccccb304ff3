//! TxnOffsetCommit (28): offsets that count when the transaction has committed. From version 3 on the caller says which
//! member of which generation it is, and one that is no longer a member is refused (KIP-447).

use super::Reply;
use crate::group;
use crate::group::offsets::{Committed, Place, stage_entry};
use crate::transaction::owned;
use crate::transaction::state::Stage;
use crate::wire::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use crate::wire::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use crate::wire::{TxnOffsetCommitRequest, TxnOffsetCommitResponse, make};
use crate::{Broker, Call, ErrorCode};

pub(super) fn handle(broker: &mut Broker, call: &Call, request: &TxnOffsetCommitRequest) -> Reply {
    let allowed = check(broker, request);
    let mut accepted: Vec<(Place, Committed)> = Vec::new();
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let entry = allowed.and_then(|()| stage(broker, topic, partition));
            let code = entry.as_ref().err().copied().unwrap_or(ErrorCode::None);
            accepted.extend(entry);
            make(|answer: &mut TxnOffsetCommitResponsePartition| {
                answer.partition_index = partition.partition_index;
                answer.error_code = code.code();
            })
        });
        let partitions = partitions.collect();
        make(|answer: &mut TxnOffsetCommitResponseTopic| {
            answer.name = topic.name.clone();
            answer.partitions = partitions;
        })
    });
    let topics = topics.collect();
    let mut response = make(|response: &mut TxnOffsetCommitResponse| response.topics = topics);
    if accepted.is_empty() {
        broker.groups.settle(&request.group_id);
        return response.into();
    }
    let entry = |(place, committed): &(Place, Committed)| {
        stage_entry(&request.group_id, request.producer_id, place, committed)
    };
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
            state.offsets.stage(request.producer_id, place, committed);
        }
    }
    broker.groups.settle(&request.group_id);
    broker.respond_durably(call.id, response)
}

fn check(broker: &mut Broker, request: &TxnOffsetCommitRequest) -> Result<(), ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let id = &request.transactional_id;
    let transaction = owned(broker, id, request.producer_id, request.producer_epoch)
        // This API has no word for it but the older one.
        .map_err(|code| match code {
            ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
            code => code,
        })?;
    if transaction.stage != Stage::Ongoing || !transaction.groups.contains(&request.group_id) {
        return Err(ErrorCode::InvalidTxnState);
    }
    let now_ms = broker.now_ms;
    let generation = request.generation_id_or_member_epoch;
    let state = broker.groups.get_or_create(&request.group_id, &broker.settings, now_ms);
    let instance = request.group_instance_id.as_ref();
    state.group.check_commit(now_ms, &request.member_id, instance, generation, true)
}

fn stage(
    broker: &Broker,
    topic: &TxnOffsetCommitRequestTopic,
    partition: &TxnOffsetCommitRequestPartition,
) -> Result<(Place, Committed), ErrorCode> {
    let place = (topic.name.clone(), partition.partition_index);
    let (offset, epoch) = (partition.committed_offset, partition.committed_leader_epoch);
    group::to_commit(broker, place, offset, epoch, partition.committed_metadata.as_ref())
}
