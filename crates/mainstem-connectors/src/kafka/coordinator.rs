//! The coordinator of transactional ids, asked over a socket: librdkafka has no call that tells who the producer of an id is, or
//! that ends the transaction of a producer that is gone.
//! Invariant: a question is asked until it is answered, by value or by an error that waiting cannot mend; all of them may be asked
//! again. A transaction that is said to have ended has ended in every partition (`hanging`).
//! A broker has to know DescribeTransactions (Kafka 3.0).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kafka_wire::describe_transactions_response::TransactionState;
use kafka_wire::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, EndTxnRequest,
    FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest, RequestResponsePair,
};
use kafka_wire_core::StrBytes;
use mainstem_core::{Error, Result};
use rdkafka::ClientConfig;
use tokio::time::sleep;

use super::exchange::{Server, Servers, code};
use super::hanging::Partitions;
use super::link::{Link, RETRY_PAUSE};
use super::security::Security;
use super::transactions::{Coordinator, Ended, PREFIX, Producer, TIMEOUT};

const FIND_COORDINATOR: i16 = 2;
const INIT_PRODUCER_ID: i16 = 3;
const END_TXN: i16 = 3;
const DESCRIBE_TRANSACTIONS: i16 = 0;
/// In FindCoordinator.
const TRANSACTION: i8 = 1;
/// The end of a transaction takes a moment.
const ENDING_PAUSE: Duration = Duration::from_millis(20);
/// So many of those moments are worth a word.
const LONG_ENDING: usize = 500;

/// A cluster whose brokers are asked, for the transactions of one topic.
pub(super) struct Cluster {
    servers: Servers,
    partitions: Partitions,
}

impl Cluster {
    /// The cluster of a table; an error says what of the way to its brokers is not understood here.
    pub(super) fn new(
        config: &ClientConfig,
        link: &Arc<Link>,
        topic: &str,
    ) -> Result<Self, String> {
        let servers = Servers::of(link, Security::of(config)?);
        Ok(Self { partitions: Partitions::new(servers.clone(), topic), servers })
    }

    /// Asks the coordinator of `id` until it answers something else than that it cannot now.
    async fn ask<R: RequestResponsePair + Sync>(
        &self,
        id: &str,
        version: i16,
        request: &R,
        code_of: fn(&R::Response) -> i16,
    ) -> Result<R::Response>
    where
        R::Response: Send,
    {
        let mut failures = 0;
        loop {
            let answer = self.attempt(id, version, request).await;
            self.servers.tell(&answer, &mut failures);
            let pause = match answer {
                Ok(response) => match code_of(&response) {
                    code::CONCURRENT_TRANSACTIONS => ENDING_PAUSE,
                    found if is_transient(found) => RETRY_PAUSE,
                    _ => return Ok(response),
                },
                Err(_) => RETRY_PAUSE,
            };
            sleep(pause).await;
        }
    }

    async fn attempt<R: RequestResponsePair + Sync>(
        &self,
        id: &str,
        version: i16,
        request: &R,
    ) -> io::Result<R::Response> {
        let mut find = FindCoordinatorRequest::default();
        (find.key, find.key_type) = (StrBytes::from(id), TRANSACTION);
        let knows = |found: &FindCoordinatorResponse| found.error_code == code::NONE;
        let found = self.servers.ask(FIND_COORDINATOR, &find, knows).await?;
        let coordinator = Server::told(&found.host, found.port)?;
        self.servers.ask_at(&coordinator, version, request).await
    }

    /// Where the transaction of an id stands; `None` if the id was never used.
    async fn state(&self, id: &str) -> Result<Option<TransactionState>> {
        let mut request = DescribeTransactionsRequest::default();
        request.transactional_ids = vec![StrBytes::from(id)];
        let code_of = |response: &DescribeTransactionsResponse| {
            response.transaction_states.first().map_or(code::NONE, |state| state.error_code)
        };
        let answer = self.ask(id, DESCRIBE_TRANSACTIONS, &request, code_of).await?;
        let Some(state) = answer.transaction_states.into_iter().next() else { return Ok(None) };
        if state.error_code == code::TRANSACTIONAL_ID_NOT_FOUND {
            return Ok(None);
        }
        check(state.error_code, id)?;
        Ok(Some(state))
    }

    /// Returns when every partition knows that the transaction of `producer` was committed, as its coordinator does.
    pub(super) async fn settle(&self, id: &str, producer: Producer) -> Result<()> {
        let mut waited = 0;
        while let Some(state) = self.state(id).await?
            && state.transaction_state.starts_with("Prepare")
        {
            waited += 1;
            if waited == LONG_ENDING {
                self.servers.link().notice(&format!(
                    "waits until all partitions know that transaction '{id}' was committed"
                ));
            }
            sleep(ENDING_PAUSE).await;
        }
        self.partitions.end(id, producer, true).await;
        Ok(())
    }
}

fn is_transient(found: i16) -> bool {
    matches!(
        found,
        code::REQUEST_TIMED_OUT
            | code::COORDINATOR_LOAD_IN_PROGRESS
            | code::COORDINATOR_NOT_AVAILABLE
            | code::NOT_COORDINATOR
            | code::CONCURRENT_TRANSACTIONS
    )
}

fn check(found: i16, id: &str) -> Result<()> {
    match found {
        code::NONE => Ok(()),
        code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED => {
            let text = format!("transactional id '{id}' may not be used");
            Err(Error::user(text).with_hint(format!(
                "ask for the right (ACL) to write with transactional ids that begin with '{PREFIX}'"
            )))
        }
        code::INVALID_TRANSACTION_TIMEOUT => {
            let text = "the broker allows no such timeout of transactions";
            Err(Error::user(text).with_hint(format!(
                "'{TIMEOUT}' is at most transaction.max.timeout.ms of the broker"
            )))
        }
        other => Err(Error::user(format!("Kafka refused a request about '{id}': error {other}"))),
    }
}

fn producer_of(state: &TransactionState) -> Producer {
    Producer { id: state.producer_id, epoch: state.producer_epoch }
}

#[async_trait]
impl Coordinator for Cluster {
    async fn producer(&self, id: &str) -> Result<Option<Producer>> {
        Ok(self.state(id).await?.as_ref().map(producer_of))
    }

    async fn init(&self, id: &str, timeout_ms: i32) -> Result<Producer> {
        let before = self.state(id).await?;
        let mut request = InitProducerIdRequest::default();
        request.transactional_id = Some(StrBytes::from(id));
        request.transaction_timeout_ms = timeout_ms;
        (request.producer_id, request.producer_epoch) = (-1, -1);
        let answer = self.ask(id, INIT_PRODUCER_ID, &request, |answer| answer.error_code).await?;
        check(answer.error_code, id)?;
        if let Some(before) = before {
            let committed = before.transaction_state.ends_with("Commit");
            self.partitions.end(id, producer_of(&before), committed).await;
        }
        Ok(Producer { id: answer.producer_id, epoch: answer.producer_epoch })
    }

    async fn commit(&self, id: &str, producer: Producer) -> Result<Ended> {
        let mut request = EndTxnRequest::default();
        request.transactional_id = StrBytes::from(id);
        (request.producer_id, request.producer_epoch) = (producer.id, producer.epoch);
        request.committed = true;
        let answer = self.ask(id, END_TXN, &request, |answer| answer.error_code).await?;
        match answer.error_code {
            code::INVALID_PRODUCER_ID_MAPPING => Ok(Ended::Unknown),
            code::INVALID_PRODUCER_EPOCH | code::PRODUCER_FENCED | code::INVALID_TXN_STATE => {
                Ok(Ended::Aborted)
            }
            found => {
                check(found, id)?;
                self.settle(id, producer).await?;
                Ok(Ended::Done)
            }
        }
    }
}
