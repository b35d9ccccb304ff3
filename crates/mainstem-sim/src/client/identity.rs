//! The identity of an idempotent or transactional producer: how it is asked for, and what comes of the answer.

use mainstem_broker::wire::{InitProducerIdRequest, make};

use super::{Cx, ok};
use crate::frame::Answer;

/// Asks for a new one; with a transactional id, an older one is fenced.
pub(super) fn ask(cx: &mut Cx<'_>, tag: u64, transactional_id: Option<&str>, timeout_ms: i32) {
    let request = make(|request: &mut InitProducerIdRequest| {
        request.transactional_id = transactional_id.map(Into::into);
        request.transaction_timeout_ms = timeout_ms;
        request.producer_id = -1;
        request.producer_epoch = -1;
    });
    cx.send(tag, &request);
}

/// The id and the epoch, or why there are none.
pub(super) fn given(answer: &Answer, cx: &mut Cx<'_>) -> Result<(i64, i16), i16> {
    let response = answer.read::<InitProducerIdRequest>();
    ok(response.error_code)?;
    cx.model.producer_id_given(response.producer_id, response.producer_epoch);
    Ok((response.producer_id, response.producer_epoch))
}
