//! OffsetForLeaderEpoch (23): there was only ever one leader, in epoch 0.

use super::fetch;
use crate::wire::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use crate::wire::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use crate::wire::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, StrBytes, make};
use crate::{Broker, ErrorCode};

pub(super) fn handle(
    broker: &Broker,
    request: &OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let end = end_of(broker, &topic.topic, asked);
            make(|answer: &mut EpochEndOffset| {
                answer.partition = asked.partition;
                match end {
                    Ok(Some(end)) => {
                        answer.leader_epoch = 0;
                        answer.end_offset = end;
                    }
                    Ok(None) => {}
                    Err(code) => answer.error_code = code.code(),
                }
            })
        });
        let partitions = partitions.collect();
        make(|answer: &mut OffsetForLeaderTopicResult| {
            answer.topic = topic.topic.clone();
            answer.partitions = partitions;
        })
    });
    let topics = topics.collect();
    make(|response: &mut OffsetForLeaderEpochResponse| response.topics = topics)
}

/// Where the asked epoch ends; nothing is known of epochs that never were.
fn end_of(
    broker: &Broker,
    topic: &StrBytes,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<i64>, ErrorCode> {
    let partition = broker.topics.partition(topic, asked.partition)?;
    fetch::check_leader_epoch(asked.current_leader_epoch)?;
    Ok((asked.leader_epoch == 0).then(|| partition.log.log_end_offset()))
}
