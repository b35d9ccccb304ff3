//! DeleteRecords (21): moves the start of a partition; -1 stands for the high watermark.

use super::Reply;
use crate::wire::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use crate::wire::{DeleteRecordsRequest, DeleteRecordsResponse, StrBytes, make};
use crate::{Broker, ErrorCode};
use mainstem_log::LogError;

const HIGH_WATERMARK: i64 = -1;

pub(super) fn handle(broker: &mut Broker, request: &DeleteRecordsRequest) -> Reply {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let deleted = delete(broker, &topic.name, asked.partition_index, asked.offset);
            make(|result: &mut DeleteRecordsPartitionResult| {
                result.partition_index = asked.partition_index;
                result.low_watermark = deleted.unwrap_or(-1);
                result.error_code = deleted.err().unwrap_or(ErrorCode::None).code();
            })
        });
        let partitions = partitions.collect();
        make(|result: &mut DeleteRecordsTopicResult| {
            result.name = topic.name.clone();
            result.partitions = partitions;
        })
    });
    let topics = topics.collect();
    make(|response: &mut DeleteRecordsResponse| response.topics = topics).into()
}

fn delete(
    broker: &mut Broker,
    topic: &StrBytes,
    index: i32,
    before: i64,
) -> Result<i64, ErrorCode> {
    let now_ms = broker.now_ms;
    let partition = broker.topics.partition_mut(topic, index)?;
    // What is only compacted keeps the last value of every key.
    if !partition.log.settings().cleanup.deletes() {
        return Err(ErrorCode::PolicyViolation);
    }
    let before = match before {
        HIGH_WATERMARK => partition.log.high_watermark(),
        before if before < 0 => return Err(ErrorCode::OffsetOutOfRange),
        before => before,
    };
    // The log has made its new start durable when it returns.
    let start = partition.log.delete_records(before, now_ms).map_err(|e| match e {
        LogError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        _ => ErrorCode::KafkaStorageError,
    })?;
    if let Some(id) = broker.topics.by_name(topic).map(|topic| topic.id) {
        broker.touch(id, index);
    }
    Ok(start)
}
