//! AddPartitionsToTxn (24), versions 0 to 3: later ones are spoken between brokers.

use super::Reply;
use crate::transaction::{check_may_complete, owned, update};
use crate::wire::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use crate::wire::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, make};
use crate::{Broker, Call, ErrorCode};

pub(super) fn handle(
    broker: &mut Broker,
    call: &Call,
    request: &AddPartitionsToTxnRequest,
) -> Reply {
    let topics = || request.v3_and_below_topics.iter();
    let known = topics().all(|topic| {
        let mut partitions = topic.partitions.iter();
        partitions.all(|index| broker.topics.partition(&topic.name, *index).is_ok())
    });
    let added = match known {
        true => add(broker, request, call.version),
        // One that is unknown stops them all.
        false => Err(ErrorCode::OperationNotAttempted),
    };
    let results = topics().map(|topic| {
        let partitions = topic.partitions.iter().map(|index| {
            let code = broker.topics.partition(&topic.name, *index).err().or(added.err());
            make(|result: &mut AddPartitionsToTxnPartitionResult| {
                result.partition_index = *index;
                result.partition_error_code = code.unwrap_or(ErrorCode::None).code();
            })
        });
        let partitions = partitions.collect();
        make(|result: &mut AddPartitionsToTxnTopicResult| {
            result.name = topic.name.clone();
            result.results_by_partition = partitions;
        })
    });
    let results = results.collect();
    let response = make(|response: &mut AddPartitionsToTxnResponse| {
        response.results_by_topic_v3_and_below = results;
    });
    match added {
        Ok(()) => broker.respond_durably(call.id, response),
        Err(_) => response.into(),
    }
}

fn add(
    broker: &mut Broker,
    request: &AddPartitionsToTxnRequest,
    version: i16,
) -> Result<(), ErrorCode> {
    let id = &request.v3_and_below_transactional_id;
    let (producer_id, epoch) =
        (request.v3_and_below_producer_id, request.v3_and_below_producer_epoch);
    let mut transaction = owned(broker, id, producer_id, epoch)
        .map_err(|code| super::end_txn::fenced_as_of(code, version, 2))?;
    let before = (transaction.stage, transaction.partitions.len());
    check_may_complete(broker, &transaction)?;
    transaction.begin(broker.now_ms)?;
    for topic in &request.v3_and_below_topics {
        let places = topic.partitions.iter().map(|index| (topic.name.clone(), *index));
        transaction.partitions.extend(places);
    }
    if (transaction.stage, transaction.partitions.len()) == before {
        return Ok(());
    }
    update(broker, id, transaction, Vec::new())
}
