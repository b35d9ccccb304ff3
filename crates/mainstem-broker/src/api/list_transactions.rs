//! ListTransactions (66): filtered by state, producer, age and (version 2) by a pattern over the transactional id.

use crate::transaction::state::{Stage, Transaction};
use crate::wire::list_transactions_response::TransactionState;
use crate::wire::{ListTransactionsRequest, ListTransactionsResponse, StrBytes, make};
use crate::{Broker, ErrorCode};

pub(super) fn handle(
    broker: &Broker,
    request: &ListTransactionsRequest,
) -> ListTransactionsResponse {
    let pattern = request.transactional_id_pattern.as_deref().filter(|pattern| !pattern.is_empty());
    let pattern = match pattern.map(|pattern| regex::Regex::new(&format!("^(?:{pattern})$"))) {
        Some(Err(_)) => {
            return make(|response: &mut ListTransactionsResponse| {
                response.error_code = ErrorCode::InvalidRegularExpression.code();
            });
        }
        Some(Ok(pattern)) => Some(pattern),
        None => None,
    };
    let wanted = |id: &StrBytes, transaction: &Transaction| {
        let states = &request.state_filters;
        let producers = &request.producer_id_filters;
        let age_ms = broker.now_ms - transaction.started_ms;
        (states.is_empty() || states.iter().any(|state| **state == *transaction.stage.name()))
            && (producers.is_empty() || producers.contains(&transaction.producer_id))
            && (request.duration_filter < 0
                || transaction.stage == Stage::Ongoing && age_ms > request.duration_filter)
            && pattern.as_ref().is_none_or(|pattern| pattern.is_match(id))
    };
    let found = broker.transactions.iter().filter(|(id, transaction)| wanted(id, transaction));
    let found = found.map(|(id, transaction)| {
        make(|state: &mut TransactionState| {
            state.transactional_id = id.clone();
            state.producer_id = transaction.producer_id;
            state.transaction_state = transaction.stage.name().into();
        })
    });
    let found = found.collect();
    let unknown = request.state_filters.iter().filter(|name| !Stage::is_name(name)).cloned();
    make(|response: &mut ListTransactionsResponse| {
        response.unknown_state_filters = unknown.collect();
        response.transaction_states = found;
    })
}
