//! AddOffsetsToTxn (25): a group whose offsets the transaction will commit.

use super::Reply;
use super::end_txn::fenced_as_of;
use crate::transaction::{check_may_complete, owned, update};
use crate::wire::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, make};
use crate::{Broker, Call, ErrorCode};

pub(super) fn handle(broker: &mut Broker, call: &Call, request: &AddOffsetsToTxnRequest) -> Reply {
    let response = |code: ErrorCode| {
        make(|response: &mut AddOffsetsToTxnResponse| response.error_code = code.code())
    };
    match add(broker, request, call.version) {
        Ok(()) => broker.respond_durably(call.id, response(ErrorCode::None)),
        Err(code) => response(code).into(),
    }
}

fn add(
    broker: &mut Broker,
    request: &AddOffsetsToTxnRequest,
    version: i16,
) -> Result<(), ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let id = &request.transactional_id;
    let mut transaction = owned(broker, id, request.producer_id, request.producer_epoch)
        .map_err(|code| fenced_as_of(code, version, 2))?;
    check_may_complete(broker, &transaction)?;
    transaction.begin(broker.now_ms)?;
    if !transaction.groups.insert(request.group_id.clone()) {
        return Ok(());
    }
    update(broker, id, transaction, Vec::new())
}
