//! InitProducerId (22): an identity for an idempotent producer, or the next epoch of a transactional id.
//! Invariant: after the answer every older owner of the transactional id is fenced, and its transaction has been aborted.

use std::collections::BTreeSet;

use super::Reply;
use crate::transaction::state::{Ended, Stage, Transaction};
use crate::transaction::{check_may_complete, decide, new_producer_id, update};
use crate::wire::{InitProducerIdRequest, InitProducerIdResponse, StrBytes, make};
use crate::{Broker, Call, ErrorCode};

/// The last epoch is kept for fencing the last owner.
const EPOCH_LAST: i16 = i16::MAX - 1;
const NONE: i64 = -1;

pub(super) fn handle(broker: &mut Broker, call: &Call, request: InitProducerIdRequest) -> Reply {
    let made = match &request.transactional_id {
        None => new_producer_id(broker).map(|id| (id, 0)),
        Some(id) => transactional(broker, id, &request),
    };
    match made {
        Ok((producer_id, epoch)) => {
            let response = make(|response: &mut InitProducerIdResponse| {
                response.producer_id = producer_id;
                response.producer_epoch = epoch;
            });
            broker.respond_durably(call.id, response)
        }
        Err(code) => failed(code).into(),
    }
}

fn transactional(
    broker: &mut Broker,
    id: &StrBytes,
    request: &InitProducerIdRequest,
) -> Result<(i64, i16), ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    if !(1..=broker.settings.transaction_timeout_ms_max).contains(&request.transaction_timeout_ms) {
        return Err(ErrorCode::InvalidTransactionTimeout);
    }
    let Some(mut transaction) = broker.transactions.get(id).cloned() else {
        return create(broker, id, request.transaction_timeout_ms);
    };
    if request.producer_id != NONE {
        let same = request.producer_id == transaction.producer_id;
        if same
            && request.producer_epoch == transaction.last_epoch
            && transaction.stage == Stage::Empty
        {
            // Its last answer was lost.
            return Ok((transaction.producer_id, transaction.epoch));
        }
        if !same || request.producer_epoch != transaction.epoch {
            return Err(ErrorCode::ProducerFenced);
        }
    }
    check_may_complete(broker, &transaction)?;
    match transaction.stage {
        Stage::PrepareCommit | Stage::PrepareAbort => Err(ErrorCode::ConcurrentTransactions),
        Stage::Ongoing => {
            // The old owner is fenced by the epoch of the abort; the client asks again when it is over.
            transaction.last_epoch = transaction.epoch;
            transaction.epoch += 1;
            decide(broker, id, transaction, false, None)?;
            Err(ErrorCode::ConcurrentTransactions)
        }
        Stage::Empty | Stage::CompleteCommit | Stage::CompleteAbort => {
            transaction.timeout_ms = request.transaction_timeout_ms;
            transaction.last_epoch = transaction.epoch;
            if transaction.epoch >= EPOCH_LAST {
                transaction.producer_id = new_producer_id(broker)?;
                transaction.ended = Ended::default();
                transaction.epoch = 0;
                transaction.last_epoch = -1;
            } else {
                transaction.epoch += 1;
            }
            transaction.stage = Stage::Empty;
            let made = (transaction.producer_id, transaction.epoch);
            update(broker, id, transaction, Vec::new())?;
            Ok(made)
        }
    }
}

fn create(broker: &mut Broker, id: &StrBytes, timeout_ms: i32) -> Result<(i64, i16), ErrorCode> {
    let producer_id = new_producer_id(broker)?;
    let transaction = Transaction {
        producer_id,
        epoch: 0,
        last_epoch: -1,
        timeout_ms,
        stage: Stage::Empty,
        partitions: BTreeSet::new(),
        groups: BTreeSet::new(),
        ended: Ended::default(),
        started_ms: -1,
        counted_from_ms: -1,
        updated_ms: broker.now_ms,
    };
    update(broker, id, transaction, Vec::new())?;
    Ok((producer_id, 0))
}

fn failed(code: ErrorCode) -> InitProducerIdResponse {
    make(|response: &mut InitProducerIdResponse| {
        response.error_code = code.code();
        response.producer_id = NONE;
        response.producer_epoch = -1;
    })
}
