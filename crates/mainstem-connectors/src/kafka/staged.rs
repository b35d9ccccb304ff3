//! The transactions of a sink on a cluster that takes part in checkpoints: a client of librdkafka for each transactional id.
//! Invariant: see [`super::transactions`]. A client commits what it has written; what was written by one that is gone is committed
//! by the coordinator.

use std::sync::Arc;

use mainstem_core::{Error, Result};
use rdkafka::ClientConfig;

use super::coordinator::Cluster;
use super::link::Link;
use super::producer::TopicProducer;
use super::transactions::{Coordinator as _, Ids, Producer, Token};
use crate::api::Environment;

/// How long a transaction may take: the most that brokers allow if nothing else is said.
const TIMEOUT_MS: &str = "900000";
const TIMEOUT: &str = "transaction.timeout.ms";
/// So many clients wait with a prepared transaction; a checkpoint store that is gone for long must not cost a client a checkpoint.
const WAITING_CLIENTS_MAX: usize = 4;

/// The transactions of a sink.
pub(super) struct Staged {
    config: ClientConfig,
    link: Arc<Link>,
    topic: String,
    cluster: Cluster,
    ids: Ids,
    /// By number of the id.
    clients: Vec<Option<Client>>,
    /// Tokens of the last checkpoint that was committed: their ids rest.
    committed: Vec<Token>,
    /// Doubts of the link when all partitions knew how the transactions before had ended.
    settled_doubts: u64,
}

struct Client {
    topic: TopicProducer,
    producer: Producer,
}

impl Staged {
    /// Commits what belongs to `tokens`, and aborts what else was left open.
    pub(super) async fn open(
        cluster: Cluster,
        (config, link, topic): (&ClientConfig, &Arc<Link>, &str),
        prefix: &str,
        tokens: &[Vec<u8>],
        environment: &Environment,
    ) -> Result<Self> {
        let mut config = config.clone();
        if config.get(TIMEOUT).is_none() {
            config.set(TIMEOUT, TIMEOUT_MS);
        }
        // A transaction that is over takes no records, so waiting for longer than it is no use: librdkafka refuses it.
        if config.get("message.timeout.ms") == Some("0") {
            config.remove("message.timeout.ms");
        }
        let timeout_ms = config.get(TIMEOUT).and_then(|text| text.trim().parse().ok());
        let timeout_ms = timeout_ms.ok_or_else(|| {
            Error::user(format!("option 'properties.{TIMEOUT}' is not a number of ms"))
        })?;
        let tokens = Token::read_all(tokens)?;
        let settled_doubts = link.doubts();
        let environment = (environment, link.table());
        let (ids, _) = Ids::recover(prefix, &tokens, &cluster, environment, timeout_ms).await?;
        Ok(Self {
            config,
            link: Arc::clone(link),
            topic: topic.to_owned(),
            cluster,
            ids,
            clients: Vec::new(),
            committed: tokens,
            settled_doubts,
        })
    }

    /// The client to write with; what it writes belongs to a transaction.
    pub(super) async fn writer(&mut self) -> Result<&TopicProducer> {
        let number = match self.ids.open() {
            Some(number) => number,
            None => {
                let number = self.ids.begin();
                if self.clients.len() <= number {
                    self.clients.resize_with(number + 1, || None);
                }
                if self.clients[number].is_none() {
                    self.clients[number] = Some(self.client(number).await?);
                }
                if let Some(client) = &self.clients[number] {
                    client.topic.begin_transaction()?;
                }
                number
            }
        };
        let client = self.clients.get(number).and_then(Option::as_ref);
        client.map(|client| &client.topic).ok_or_else(|| Error::internal("a client went missing"))
    }

    async fn client(&self, number: usize) -> Result<Client> {
        let id = self.ids.id(number);
        let mut config = self.config.clone();
        config.set("transactional.id", &id);
        let topic = TopicProducer::open(&config, &self.link, &self.topic, false).await?;
        topic.init_transactions().await?;
        let producer = self.cluster.producer(&id).await?;
        let producer = producer.ok_or_else(|| {
            Error::internal(format!("the broker does not know transactional id '{id}' any more"))
        })?;
        Ok(Client { topic, producer })
    }

    /// Returns when everything is acknowledged.
    pub(super) async fn flush(&self) -> Result<()> {
        match self.ids.open().and_then(|number| self.clients[number].as_ref()) {
            Some(client) => client.topic.flush().await,
            None => Ok(()),
        }
    }

    /// What comes now belongs to the next transaction; the token of the one before.
    pub(super) async fn prepare(&mut self, at_ms: i64) -> Result<Option<Vec<u8>>> {
        let Some(number) = self.ids.open() else { return Ok(None) };
        self.flush().await?;
        let client = self.clients[number].as_ref();
        let producer = client.ok_or_else(|| Error::internal("a client went missing"))?.producer;
        let token = self.ids.prepare(producer, at_ms)?;
        for number in self.ids.waiting_longest(WAITING_CLIENTS_MAX) {
            // Its transaction is the broker's, and stays.
            self.clients[number] = None;
        }
        Ok(Some(token))
    }

    /// Commits.
    pub(super) async fn commit(&mut self, tokens: &[Vec<u8>], now_ms: i64) -> Result<()> {
        let waiting = self.ids.waiting(tokens)?;
        let mut ended = Vec::with_capacity(waiting.len());
        for (number, token) in &waiting {
            ended.push(match &self.clients[*number] {
                Some(client) => client.topic.commit_transaction().await?,
                None => self.cluster.commit(&token.transactional_id, token.producer).await?,
            });
        }
        self.ids.committed(&waiting, &ended, now_ms)?;
        self.settle(&waiting).await
    }

    /// Brokers that were away may have forgotten to tell their partitions of what was committed.
    async fn settle(&mut self, waiting: &[(usize, Token)]) -> Result<()> {
        if waiting.is_empty() {
            return Ok(());
        }
        let before = std::mem::replace(
            &mut self.committed,
            waiting.iter().map(|(_, token)| token.clone()).collect(),
        );
        let doubts = self.link.doubts();
        if doubts == self.settled_doubts {
            return Ok(());
        }
        for token in before.iter().chain(&self.committed) {
            self.cluster.settle(&token.transactional_id, token.producer).await?;
        }
        self.settled_doubts = doubts;
        Ok(())
    }

    /// Everything that was written was prepared.
    pub(super) fn close(&self) -> Result<()> {
        self.ids.close()
    }
}
