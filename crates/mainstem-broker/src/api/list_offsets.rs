//! ListOffsets (2): the ends of a partition, and the first record at or after a time.

use mainstem_log::ReadError;

use super::fetch;
use crate::wire::list_offsets_request::ListOffsetsPartition;
use crate::wire::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use crate::wire::{ListOffsetsRequest, ListOffsetsResponse, StrBytes, make};
use crate::{Broker, Call, ErrorCode};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
/// Offsets that only remote storage has.
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;
const READ_COMMITTED: i8 = 1;
const LEADER_EPOCH: i32 = 0;

pub(super) fn handle(
    broker: &mut Broker,
    call: &Call,
    request: &ListOffsetsRequest,
) -> ListOffsetsResponse {
    let committed = request.isolation_level == READ_COMMITTED;
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let found = find(broker, &topic.name, asked, committed);
            make(|answer: &mut ListOffsetsPartitionResponse| {
                answer.partition_index = asked.partition_index;
                match found {
                    Ok((timestamp, offset)) => {
                        answer.timestamp = timestamp;
                        answer.offset = offset;
                        if call.version >= 4 && offset >= 0 {
                            answer.leader_epoch = LEADER_EPOCH;
                        }
                    }
                    Err(code) => {
                        answer.error_code = code.code();
                        answer.timestamp = -1;
                        answer.offset = -1;
                    }
                }
            })
        });
        let partitions = partitions.collect();
        make(|answer: &mut ListOffsetsTopicResponse| {
            answer.name = topic.name.clone();
            answer.partitions = partitions;
        })
    });
    let topics = topics.collect();
    make(|response: &mut ListOffsetsResponse| response.topics = topics)
}

/// Timestamp and offset; -1 for both where there is none.
fn find(
    broker: &mut Broker,
    topic: &StrBytes,
    asked: &ListOffsetsPartition,
    committed: bool,
) -> Result<(i64, i64), ErrorCode> {
    let journal_end = broker.journal.log.high_watermark();
    let partition = broker.topics.partition_mut(topic, asked.partition_index)?;
    let promised = partition.is_promised(journal_end);
    let log = &mut partition.log;
    fetch::check_leader_epoch(asked.current_leader_epoch)?;
    let end = match (promised, committed) {
        (false, _) => log.log_start_offset(),
        (true, true) => log.last_stable_offset(),
        (true, false) => log.high_watermark(),
    };
    let record = match asked.timestamp {
        LATEST => return Ok((-1, end)),
        EARLIEST | EARLIEST_LOCAL => return Ok((-1, log.log_start_offset())),
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => return Ok((-1, -1)),
        MAX_TIMESTAMP => log.max_timestamp(),
        timestamp if timestamp < 0 => return Err(ErrorCode::UnsupportedForMessageFormat),
        timestamp => log.offset_for_timestamp(timestamp),
    };
    match record {
        Ok(Some((timestamp, offset))) if offset < end => Ok((timestamp, offset)),
        Ok(_) => Ok((-1, -1)),
        Err(ReadError::OffsetOutOfRange { .. }) => Ok((-1, -1)),
        Err(ReadError::Log(_)) => Err(ErrorCode::KafkaStorageError),
    }
}
