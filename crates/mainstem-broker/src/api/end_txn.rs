//! EndTxn (26): commit or abort. Answered when the decision is durable and every partition has its marker.

use super::Reply;
use crate::transaction::{check_may_complete, decide, end_response, owned};
use crate::wire::EndTxnRequest;
use crate::{Broker, Call, ErrorCode};

pub(super) fn handle(broker: &mut Broker, call: &Call, request: &EndTxnRequest) -> Reply {
    match end(broker, call, request) {
        Ok(true) => Reply::Later,
        Ok(false) => Reply::Now(end_response(ErrorCode::None)),
        Err(code) => Reply::Now(end_response(fenced_as_of(code, call.version, 2))),
    }
}

/// True if it will be answered when it is done, false if it was done before.
fn end(broker: &mut Broker, call: &Call, request: &EndTxnRequest) -> Result<bool, ErrorCode> {
    let id = &request.transactional_id;
    let transaction = owned(broker, id, request.producer_id, request.producer_epoch)?;
    check_may_complete(broker, &transaction)?;
    if !transaction.may_end(request.committed)? {
        return Ok(false);
    }
    decide(broker, id, transaction, request.committed, Some(call.id))?;
    Ok(true)
}

/// Clients before `from` know a fenced producer by an older code.
pub(super) fn fenced_as_of(code: ErrorCode, version: i16, from: i16) -> ErrorCode {
    match code {
        ErrorCode::ProducerFenced if version < from => ErrorCode::InvalidProducerEpoch,
        code => code,
    }
}
