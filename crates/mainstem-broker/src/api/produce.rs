//! Produce (0): appends record batches, and answers when they are as durable as their topic asks for.
//! Invariant: with acks=0 nothing is answered; otherwise the answer waits for every partition of the request. Batches are
//! parsed and their checksums checked before the broker's lock is taken.

use bytes::Bytes;
use mainstem_log::{AppendError, BatchError, Compression, RecordBatch};

use super::Reply;
use crate::waiting::WaitingProduce;
use crate::wire::produce_request::TopicProduceData;
use crate::wire::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use crate::wire::{ProduceRequest, ProduceResponse, StrBytes, detached, make};
use crate::{Broker, Call, ErrorCode, Response, transaction, upkeep};

/// The first version whose clients know zstd.
const ZSTD_VERSION: i16 = 7;

/// A produce request whose batches were checked.
#[derive(Debug)]
pub struct Produce {
    /// The transaction that the batches belong to.
    pub transactional_id: Option<StrBytes>,
    /// 0: no answer is wanted.
    pub acks: i16,
    /// What to append, by topic.
    pub topics: Vec<(StrBytes, Vec<PartitionBatch>)>,
}

/// What a request brings for one partition.
#[derive(Debug)]
pub struct PartitionBatch {
    /// Which partition.
    pub index: i32,
    /// Its batch, or what is wrong with it.
    pub batch: Result<RecordBatch, BatchError>,
}

impl From<ProduceRequest> for Produce {
    fn from(request: ProduceRequest) -> Self {
        let partitions = |topic: &mut TopicProduceData| {
            let data = std::mem::take(&mut topic.partition_data).into_iter();
            data.map(|partition| PartitionBatch {
                index: partition.index,
                batch: RecordBatch::parse(partition.records.unwrap_or_else(Bytes::new)),
            })
            .collect()
        };
        let topics = request.topic_data.into_iter().map(|mut topic| {
            let batches = partitions(&mut topic);
            (detached(&topic.name), batches)
        });
        Self {
            transactional_id: request.transactional_id.as_ref().map(detached),
            acks: request.acks,
            topics: topics.collect(),
        }
    }
}

/// Where and how a batch was not appended.
#[derive(Debug)]
pub(crate) struct Refused {
    code: ErrorCode,
    message: Option<String>,
    /// The records of the batch that are to blame, if it is about single ones.
    records: Vec<i32>,
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: None, records: Vec::new() }
    }
}

pub(super) fn handle(broker: &mut Broker, call: &Call, request: Produce) -> Reply {
    let legal = matches!(request.acks, -1..=1);
    let mut open = 0;
    let responses = request.topics.iter().map(|(name, batches)| {
        let partitions = batches.iter().map(|partition| {
            let appended = match legal {
                true => append(broker, call, &request, name, partition),
                false => Err(ErrorCode::InvalidRequiredAcks.into()),
            };
            if appended.is_err() && request.acks == 0 {
                broker.counters.refused_unanswered += 1;
            }
            if appended.is_ok()
                && request.acks != 0
                && let Ok(waits) = broker.topics.partition_mut(name, partition.index)
            {
                waits.ack_later(call.id);
                open += 1;
            }
            answer(partition.index, appended)
        });
        let partitions = partitions.collect();
        make(|topic: &mut TopicProduceResponse| {
            topic.name = name.clone();
            topic.partition_responses = partitions;
        })
    });
    let responses = responses.collect();
    let response = make(|response: &mut ProduceResponse| response.responses = responses);
    if request.acks == 0 {
        return Reply::Now(Response::None);
    }
    if open == 0 {
        return response.into();
    }
    let waiting = WaitingProduce { connection: call.connection, response, open };
    broker.waiting.produces.insert(call.id, waiting);
    Reply::Later
}

fn append(
    broker: &mut Broker,
    call: &Call,
    request: &Produce,
    name: &StrBytes,
    partition: &PartitionBatch,
) -> Result<mainstem_log::Appended, Refused> {
    let batch = partition.batch.as_ref().map_err(malformed)?;
    let header = batch.header();
    if header.is_control() {
        return Err(ErrorCode::InvalidRecord.into());
    }
    if header.compression == Compression::Zstd && call.version < ZSTD_VERSION {
        return Err(ErrorCode::UnsupportedCompressionType.into());
    }
    if header.is_transactional() {
        let id = request.transactional_id.as_ref().ok_or(ErrorCode::InvalidTxnState)?;
        let place = (name.clone(), partition.index);
        let (producer_id, epoch) = (header.producer_id, header.producer_epoch);
        transaction::check_produce(broker, id, producer_id, epoch, &place)?;
    }
    let now_ms = broker.now_ms;
    let topic = broker.topics.by_name_mut(name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let id = topic.id;
    let index = usize::try_from(partition.index).ok();
    let target = index.and_then(|index| topic.partitions.get_mut(index));
    let target = target.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let appended = target.log.append(batch, now_ms);
    let fails = matches!(appended, Err(AppendError::Disk { .. } | AppendError::Poisoned(_)));
    let complains = fails && !target.complained;
    target.complained = fails;
    if let (true, Err(e)) = (complains, &appended) {
        let said = upkeep::with_cause(e);
        broker.notice(format!("{name}-{} takes no records: {said}", partition.index));
    }
    broker.touch(id, partition.index);
    appended.map_err(refused)
}

fn malformed(error: &BatchError) -> Refused {
    let code = match error {
        // Kafka's words: exactly one record batch per partition, and at least one record in it.
        BatchError::TrailingBytes(_) | BatchError::BadCounts { .. } => ErrorCode::InvalidRecord,
        BatchError::Truncated { have: 0, .. } => ErrorCode::InvalidRecord,
        BatchError::UnsupportedMagic(_) => ErrorCode::UnsupportedForMessageFormat,
        BatchError::UnknownCompression(_) => ErrorCode::UnsupportedCompressionType,
        _ => ErrorCode::CorruptMessage,
    };
    Refused { code, message: Some(error.to_string()), records: Vec::new() }
}

/// The log's refusals as Kafka numbers them.
pub(super) fn code_of(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
        AppendError::DuplicateSequence { .. } => ErrorCode::DuplicateSequenceNumber,
        AppendError::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
        AppendError::MessageTooLarge { .. } => ErrorCode::MessageTooLarge,
        AppendError::InvalidTimestamp { .. } => ErrorCode::InvalidTimestamp,
        AppendError::InvalidRecord { .. } => ErrorCode::InvalidRecord,
        AppendError::CorruptBatch(_) => ErrorCode::CorruptMessage,
        AppendError::Disk { .. } | AppendError::Poisoned(_) => ErrorCode::KafkaStorageError,
    }
}

fn refused(error: AppendError) -> Refused {
    let records = match &error {
        AppendError::InvalidRecord { record_indexes, .. } => &record_indexes[..],
        _ => &[],
    };
    let records = records.iter().map(|index| i32::try_from(*index).unwrap_or(-1)).collect();
    Refused { code: code_of(&error), message: Some(error.to_string()), records }
}

fn answer(
    index: i32,
    appended: Result<mainstem_log::Appended, Refused>,
) -> PartitionProduceResponse {
    make(|answer: &mut PartitionProduceResponse| {
        answer.index = index;
        match appended {
            Ok(appended) => {
                answer.base_offset = appended.base_offset;
                answer.log_append_time_ms = appended.log_append_time_ms;
                answer.log_start_offset = appended.log_start_offset;
            }
            Err(refused) => {
                answer.error_code = refused.code.code();
                answer.base_offset = -1;
                answer.log_append_time_ms = -1;
                answer.log_start_offset = -1;
                let message = refused.message.map(StrBytes::from);
                let errors = refused.records.iter().map(|index| record_error(*index, &message));
                answer.record_errors = errors.collect();
                answer.error_message = message;
            }
        }
    })
}

fn record_error(index: i32, message: &Option<StrBytes>) -> BatchIndexAndErrorMessage {
    make(|error: &mut BatchIndexAndErrorMessage| {
        error.batch_index = index;
        error.batch_index_error_message.clone_from(message);
    })
}
