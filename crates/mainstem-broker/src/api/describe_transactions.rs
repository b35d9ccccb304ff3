//! DescribeTransactions (65).

use std::collections::BTreeMap;

use crate::transaction::state::{Stage, Transaction};
use crate::wire::describe_transactions_response::{TopicData, TransactionState};
use crate::wire::{DescribeTransactionsRequest, DescribeTransactionsResponse, StrBytes, make};
use crate::{Broker, ErrorCode};

pub(super) fn handle(
    broker: &Broker,
    request: &DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let states = request.transactional_ids.iter().map(|id| match broker.transactions.get(id) {
        Some(transaction) => describe(id, transaction),
        None => make(|state: &mut TransactionState| {
            state.transactional_id = id.clone();
            state.error_code = match id.is_empty() {
                true => ErrorCode::InvalidRequest.code(),
                false => ErrorCode::TransactionalIdNotFound.code(),
            };
        }),
    });
    let states = states.collect();
    make(|response: &mut DescribeTransactionsResponse| response.transaction_states = states)
}

fn describe(id: &StrBytes, transaction: &Transaction) -> TransactionState {
    let mut topics: BTreeMap<&StrBytes, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in &transaction.partitions {
        topics.entry(topic).or_default().push(*partition);
    }
    let topics = topics.into_iter().map(|(topic, partitions)| {
        make(|data: &mut TopicData| {
            data.topic = topic.clone();
            data.partitions = partitions;
        })
    });
    let topics = topics.collect();
    make(|state: &mut TransactionState| {
        state.transactional_id = id.clone();
        state.transaction_state = transaction.stage.name().into();
        state.transaction_timeout_ms = transaction.timeout_ms;
        let open = transaction.stage == Stage::Ongoing;
        state.transaction_start_time_ms = if open { transaction.started_ms } else { -1 };
        state.producer_id = transaction.producer_id;
        state.producer_epoch = transaction.epoch;
        state.topics = topics;
    })
}
