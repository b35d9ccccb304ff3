//! Fetch (1): records from an offset on, at once or when there are enough of them.
//! Invariant: a fetch that waits is registered with every partition it asks for before it is checked again, so no append is
//! missed; it is answered on the first of: enough bytes, an error in a partition, the end of its time. The first partition
//! with records gives at least one whole batch, whatever the limits say. Sessions are declined (session 0).
//! File ranges are read as the answer is sent (`frame`), or by [`FetchAnswer::load`] for readers of the same process: both
//! outside of the broker's lock.

use std::borrow::Borrow;
use std::io;

use mainstem_log::{FileRange, Isolation, ReadError};

use super::Reply;
use crate::call::RequestId;
use crate::waiting::WaitingFetch;
use crate::wire::fetch_request::FetchPartition;
use crate::wire::fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData};
use crate::wire::{FetchRequest, FetchResponse, StrBytes, make};
use crate::{Broker, Call, ErrorCode};

pub(crate) mod frame;

/// From this version on topics are named by their ids.
const VERSION_OF_IDS: i16 = 13;

/// An answer whose records are still in files.
#[derive(Debug, Default, Clone)]
pub struct FetchAnswer {
    response: FetchResponse,
    /// Topic and partition of the response, and where its records are.
    ranges: Vec<(usize, usize, Vec<FileRange>)>,
    bytes: u64,
    failed: bool,
}

impl Borrow<FetchResponse> for FetchAnswer {
    fn borrow(&self) -> &FetchResponse {
        &self.response
    }
}

impl FetchAnswer {
    /// Bytes of records that [`Self::load`] reads, or has read.
    pub fn size_bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the records into the answer.
    pub fn load(&mut self) -> io::Result<()> {
        for (topic, partition, ranges) in self.ranges.drain(..) {
            let records = match &ranges[..] {
                [range] => range.read()?,
                ranges => {
                    let mut all = Vec::new();
                    for range in ranges {
                        range.read_to(&mut all)?;
                    }
                    all.into()
                }
            };
            self.response.responses[topic].partitions[partition].records = Some(records);
        }
        Ok(())
    }

    /// The answer, once it is loaded.
    pub fn into_response(self) -> FetchResponse {
        self.response
    }
}

pub(super) fn handle(broker: &mut Broker, call: &Call, mut request: FetchRequest) -> Reply {
    // Nobody was ever given a session: this one is of another run, or of another broker.
    if request.session_id != 0 && request.session_epoch > 0 {
        let mut answer = FetchAnswer::default();
        answer.response.error_code = ErrorCode::FetchSessionIdNotFound.code();
        return answer.into();
    }
    if call.version >= VERSION_OF_IDS {
        for topic in &mut request.topics {
            topic.topic = broker.topics.name_of(topic.topic_id).cloned().unwrap_or_default();
        }
    }
    let answer = collect(broker, call, &request);
    if answer.failed || answer.bytes >= enough(broker, &request) || request.max_wait_ms <= 0 {
        return answer.into();
    }
    let journal_end = broker.journal.log.high_watermark();
    for (name, asked) in partitions(&request) {
        let Ok(partition) = broker.topics.partition_mut(name, asked.partition) else { continue };
        partition.watchers.insert(call.id);
        // One that is not promised yet is looked at again when the journal has been synced.
        if !partition.is_promised(journal_end)
            && let Some(id) = broker.topics.by_name(name).map(|topic| topic.id)
        {
            broker.touch(id, asked.partition);
        }
    }
    let deadline_ms = broker.now_ms.saturating_add(i64::from(request.max_wait_ms));
    broker.waiting.park_fetch(WaitingFetch { call: call.clone(), request, deadline_ms });
    Reply::Later
}

/// A partition that a waiting fetch watches has moved, or is gone.
pub(crate) fn try_answer(broker: &mut Broker, id: RequestId) {
    let Some(WaitingFetch { call, request, .. }) = broker.waiting.fetch(id) else { return };
    if !may_be_enough(broker, request) {
        return;
    }
    // Cheap: the request is a few shared names and numbers.
    let (call, request) = (call.clone(), request.clone());
    let answer = collect(broker, &call, &request);
    if answer.failed || answer.bytes >= enough(broker, &request) {
        forget(broker, id);
        broker.respond(id, answer.into());
    }
}

/// False if looking at the ends of the logs is enough to see that a fetch has to wait on.
fn may_be_enough(broker: &Broker, request: &FetchRequest) -> bool {
    let isolation = isolation(request);
    let mut bytes = 0;
    for (name, asked) in partitions(request) {
        let Ok(partition) = broker.topics.partition(name, asked.partition) else { return true };
        let log = &partition.log;
        if !(log.log_start_offset()..=log.high_watermark()).contains(&asked.fetch_offset) {
            return true;
        }
        bytes += log.readable_bytes(asked.fetch_offset, isolation);
    }
    bytes >= enough(broker, request)
}

/// The time of a waiting fetch is over.
pub(crate) fn answer_now(broker: &mut Broker, id: RequestId) {
    let Some(fetch) = forget(broker, id) else { return };
    let answer = collect(broker, &fetch.call, &fetch.request);
    broker.respond(id, answer.into());
}

/// Takes a waiting fetch back.
pub(crate) fn forget(broker: &mut Broker, id: RequestId) -> Option<WaitingFetch> {
    let fetch = broker.waiting.take_fetch(id)?;
    for (name, partition) in partitions(&fetch.request) {
        if let Ok(partition) = broker.topics.partition_mut(name, partition.partition) {
            partition.watchers.remove(&id);
        }
    }
    Some(fetch)
}

/// More than fits into an answer is never waited for.
fn enough(broker: &Broker, request: &FetchRequest) -> u64 {
    u64::try_from(request.min_bytes).unwrap_or(0).min(limit(broker, request))
}

fn limit(broker: &Broker, request: &FetchRequest) -> u64 {
    let most = u64::from(broker.settings.fetch_bytes_max);
    u64::try_from(request.max_bytes).unwrap_or(0).min(most)
}

fn isolation(request: &FetchRequest) -> Isolation {
    match request.isolation_level {
        1 => Isolation::ReadCommitted,
        _ => Isolation::ReadUncommitted,
    }
}

fn partitions(request: &FetchRequest) -> impl Iterator<Item = (&StrBytes, &FetchPartition)> {
    request
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|partition| (&topic.topic, partition)))
}

fn collect(broker: &mut Broker, call: &Call, request: &FetchRequest) -> FetchAnswer {
    let (isolation, limit) = (isolation(request), limit(broker, request));
    let mut answer = FetchAnswer::default();
    for (topic_index, topic) in request.topics.iter().enumerate() {
        let mut data = Vec::with_capacity(topic.partitions.len());
        for (index, asked) in topic.partitions.iter().enumerate() {
            let left = limit.saturating_sub(answer.bytes);
            let same = call.version < VERSION_OF_IDS
                || broker.topics.name_of(topic.topic_id) == Some(&topic.topic);
            let read = match same {
                true => read(broker, &topic.topic, asked, left, isolation, answer.bytes == 0),
                false => Err(ErrorCode::UnknownTopicId),
            };
            let (partition, ranges) = match read {
                Ok(found) => found,
                Err(code) => {
                    answer.failed = true;
                    (failed(asked, code), Vec::new())
                }
            };
            let bytes = ranges.iter().map(|range| u64::from(range.len)).sum::<u64>();
            if bytes > 0 {
                answer.bytes += bytes;
                answer.ranges.push((topic_index, index, ranges));
            }
            data.push(partition);
        }
        answer.response.responses.push(make(|found: &mut FetchableTopicResponse| {
            found.topic = topic.topic.clone();
            found.topic_id = topic.topic_id;
            found.partitions = data;
        }));
    }
    answer
}

fn read(
    broker: &mut Broker,
    topic: &StrBytes,
    asked: &FetchPartition,
    left: u64,
    isolation: Isolation,
    first: bool,
) -> Result<(PartitionData, Vec<FileRange>), ErrorCode> {
    let journal_end = broker.journal.log.high_watermark();
    let partition = broker.topics.partition_mut(topic, asked.partition)?;
    check_leader_epoch(asked.current_leader_epoch)?;
    if !partition.is_promised(journal_end) {
        return Ok((empty(asked, partition.log.log_start_offset(), isolation), Vec::new()));
    }
    let own = u32::try_from(asked.partition_max_bytes).unwrap_or(0);
    let limit = u32::try_from(left).unwrap_or(u32::MAX).min(own);
    let mut read = partition.log.read(asked.fetch_offset, limit, isolation).map_err(code_of)?;
    let bytes = read.ranges.iter().map(|range| u64::from(range.len)).sum::<u64>();
    // Only the first records of an answer may be more than its limit.
    if !first && bytes > left {
        read.ranges.clear();
        read.aborted.clear();
    }
    let data = make(|data: &mut PartitionData| {
        data.partition_index = asked.partition;
        data.high_watermark = read.high_watermark;
        data.last_stable_offset = read.last_stable_offset;
        data.log_start_offset = read.log_start_offset;
        data.records = Some(bytes::Bytes::new());
        data.aborted_transactions = (isolation == Isolation::ReadCommitted).then(|| {
            let aborted = read.aborted.iter().map(|aborted| {
                make(|transaction: &mut AbortedTransaction| {
                    transaction.producer_id = aborted.producer_id;
                    transaction.first_offset = aborted.first_offset;
                })
            });
            aborted.collect()
        });
    });
    Ok((data, read.ranges))
}

/// There was only ever one leader, in epoch 0; -1 is said by those who do not care.
pub(super) fn check_leader_epoch(epoch: i32) -> Result<(), ErrorCode> {
    match epoch {
        -1 | 0 => Ok(()),
        epoch if epoch > 0 => Err(ErrorCode::UnknownLeaderEpoch),
        _ => Err(ErrorCode::FencedLeaderEpoch),
    }
}

fn code_of(error: ReadError) -> ErrorCode {
    match error {
        ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Log(_) => ErrorCode::KafkaStorageError,
    }
}

/// What is said of a partition as long as its topic is not durable.
fn empty(asked: &FetchPartition, start: i64, isolation: Isolation) -> PartitionData {
    make(|data: &mut PartitionData| {
        data.partition_index = asked.partition;
        data.high_watermark = start;
        data.last_stable_offset = start;
        data.log_start_offset = start;
        data.records = Some(bytes::Bytes::new());
        data.aborted_transactions = (isolation == Isolation::ReadCommitted).then(Vec::new);
    })
}

fn failed(asked: &FetchPartition, code: ErrorCode) -> PartitionData {
    make(|data: &mut PartitionData| {
        data.partition_index = asked.partition;
        data.error_code = code.code();
        data.high_watermark = -1;
        data.last_stable_offset = -1;
        data.log_start_offset = -1;
        data.records = Some(bytes::Bytes::new());
    })
}
