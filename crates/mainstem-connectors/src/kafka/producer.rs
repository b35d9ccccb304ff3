//! Writes records to one topic: librdkafka's producer, its thread, and what became of the records.
//! Invariant: a record that was taken is written or reported; the first record that cannot be written ends the
//! producer with its reason. The queue is bounded: when it is full, the writer waits. Outages are waited out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mainstem_core::ingest::Messages;
use mainstem_core::{Error, Result};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header as RdHeader, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::link::{self, Link, Requester, lock};
use super::transactions::Ended;
use super::{properties, topics};

/// Records between two chances for other tasks of the thread.
const RECORDS_A_TURN: usize = 1024;
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(1);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The producer's context: keeps the first failure.
pub(crate) struct Context {
    link: Arc<Link>,
    failure: Mutex<Option<Failure>>,
}

#[derive(Debug, Clone)]
struct Failure {
    partition: i32,
    code: Option<RDKafkaErrorCode>,
    reason: String,
    record_bytes: usize,
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            let failure = Failure {
                partition: -1,
                code: Some(RDKafkaErrorCode::Fatal),
                reason: reason.to_owned(),
                record_bytes: 0,
            };
            lock(&self.failure).get_or_insert(failure);
        }
        link::on_error(&self.link, &error, reason);
    }
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        link::on_log(&self.link, level, facility, text);
    }
    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    // Only failures are reported (`delivery.report.only.error`).
    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        if let Err((error, message)) = result {
            lock(&self.failure).get_or_insert_with(|| Failure {
                partition: message.partition(),
                code: error.rdkafka_error_code(),
                reason: link::reason(error),
                record_bytes: message.payload_len() + message.key_len(),
            });
        }
    }
}

type Client = BaseProducer<Context>;

impl Requester for Client {
    fn serve_events(&self) {
        for _ in 0..64 {
            self.poll(Duration::ZERO);
        }
    }

    fn partition_count(&self, topic: &str) -> Result<Option<usize>, KafkaError> {
        topics::partition_count(self.client(), topic)
    }
}

/// An open producer for one topic.
pub(crate) struct TopicProducer {
    client: Arc<Client>,
    link: Arc<Link>,
    topic: String,
    stopping: Arc<AtomicBool>,
    poller: Option<JoinHandle<()>>,
}

impl TopicProducer {
    /// Connects and makes sure that the topic is there; waits while the brokers are down.
    pub(crate) async fn open(
        config: &ClientConfig,
        link: &Arc<Link>,
        topic: &str,
        create_topic: bool,
    ) -> Result<Self> {
        let context = Context { link: Arc::clone(link), failure: Mutex::default() };
        let client: Client =
            config.create_with_context(context).map_err(properties::config_error)?;
        let client = Arc::new(client);
        topics::require(link, &client, config, topic, create_topic).await?;
        let stopping = Arc::new(AtomicBool::new(false));
        let poller = {
            let (client, link) = (Arc::clone(&client), Arc::clone(link));
            let (stopping, topic) = (Arc::clone(&stopping), topic.to_owned());
            thread::Builder::new()
                .name(format!("kafka-{}", link.table()))
                .spawn(move || poll(&client, &link, &topic, &stopping))
                .map_err(|e| Error::internal("the Kafka thread cannot be started").with_source(e))?
        };
        Ok(Self {
            client,
            link: Arc::clone(link),
            topic: topic.to_owned(),
            stopping,
            poller: Some(poller),
        })
    }

    /// Hands records to librdkafka; waits while its queue is full. `partition` for all that have none of their own.
    pub(crate) async fn send(&self, messages: &Messages, partition: Option<i32>) -> Result<()> {
        for index in 0..messages.len() {
            let mut record = self.record(messages, index, partition);
            while let Err((error, back)) = self.client.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(self.refused(&error, messages, index));
                }
                self.check()?;
                sleep(QUEUE_FULL_PAUSE).await;
                record = back;
            }
            if index % RECORDS_A_TURN == RECORDS_A_TURN - 1 {
                yield_now().await;
            }
        }
        self.check()
    }

    fn record<'a>(
        &'a self,
        messages: &'a Messages,
        index: usize,
        partition: Option<i32>,
    ) -> BaseRecord<'a, [u8], [u8]> {
        let headers = messages.headers.get(index).filter(|h| !h.is_empty()).map(|headers| {
            headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), |owned, h| {
                owned.insert(RdHeader {
                    key: &h.name,
                    value: h.value.as_ref().map(|r| messages.bytes(r)),
                })
            })
        });
        BaseRecord {
            topic: &self.topic,
            partition: messages.partitions.get(index).copied().or(partition),
            payload: messages.value(index),
            key: messages.key(index),
            timestamp: messages.timestamps_ms.get(index).copied(),
            headers,
            delivery_opaque: (),
        }
    }

    /// Returns when every record is acknowledged.
    pub(crate) async fn flush(&self) -> Result<()> {
        let mut pause = Duration::from_micros(200);
        while self.client.in_flight_count() > 0 {
            self.check()?;
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(5));
        }
        self.check()
    }

    /// Registers the transactional id of the configuration; what an older producer of it left open is aborted.
    pub(crate) async fn init_transactions(&self) -> Result<()> {
        let init = |client: &Client| {
            client.init_transactions(link::REQUEST_TIMEOUT).map_err(retriable_as_timeout)
        };
        link::patiently(&self.link, &self.client, init).await
    }

    /// What is sent from now on belongs to a transaction.
    pub(crate) fn begin_transaction(&self) -> Result<()> {
        self.client.begin_transaction().map_err(|e| link::request_error(&e))
    }

    /// Commits what was sent, and waits for it.
    pub(crate) async fn commit_transaction(&self) -> Result<Ended> {
        let said = Arc::clone(&self.link);
        let commit = move |client: &Client| match client.commit_transaction(link::REQUEST_TIMEOUT) {
            Ok(()) => Ok(Ended::Done),
            Err(KafkaError::Transaction(e)) if e.is_fatal() || e.txn_requires_abort() => {
                said.notice(&format!("a transaction was not committed: {e}"));
                Ok(Ended::Aborted)
            }
            Err(error) => Err(retriable_as_timeout(error)),
        };
        link::patiently(&self.link, &self.client, commit).await
    }

    /// Fails if a record could not be written.
    fn check(&self) -> Result<()> {
        if let Some(fatal) = self.link.fatal() {
            return Err(fatal);
        }
        let failure = lock(&self.client.context().failure).clone();
        match failure {
            None => Ok(()),
            Some(failure) => Err(self.failed(&failure)),
        }
    }

    fn refused(&self, error: &KafkaError, messages: &Messages, index: usize) -> Error {
        if let Some(failure) = lock(&self.client.context().failure).clone() {
            return self.failed(&failure);
        }
        let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        self.failed(&Failure {
            partition: -1,
            code: error.rdkafka_error_code(),
            reason: link::reason(error),
            record_bytes: length(messages.value(index)) + length(messages.key(index)),
        })
    }

    fn failed(&self, failure: &Failure) -> Error {
        use RDKafkaErrorCode as Code;
        let topic = &self.topic;
        let place = match failure.partition {
            partition if partition >= 0 => format!("topic '{topic}', partition {partition}"),
            _ => format!("topic '{topic}'"),
        };
        let text = format!("a record could not be written to {place}: {}", failure.reason);
        match failure.code {
            Some(Code::MessageSizeTooLarge) => {
                Error::user(format!("{text} ({} bytes)", failure.record_bytes)).with_hint(
                    "raise 'properties.max.request.size', and 'max.message.bytes' of the topic",
                )
            }
            Some(Code::MessageTimedOut) => Error::unavailable(text)
                .with_hint("leave 'properties.delivery.timeout.ms' out to wait for the brokers"),
            Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
                Error::user(text).with_hint("ask for the right (ACL) to write to this topic")
            }
            Some(Code::UnknownPartition | Code::UnknownTopic | Code::UnknownTopicOrPartition) => {
                Error::user(text).with_hint("was the topic deleted?")
            }
            _ => Error::user(text),
        }
    }
}

impl Drop for TopicProducer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Some(poller) = self.poller.take() {
            // It cannot panic but by a bug in the client; nothing is lost by it that flush has not seen.
            let _ = poller.join();
        }
    }
}

/// What librdkafka wants to be asked again.
fn retriable_as_timeout(error: KafkaError) -> KafkaError {
    match error {
        KafkaError::Transaction(e) if e.is_retriable() => {
            KafkaError::Global(RDKafkaErrorCode::OperationTimedOut)
        }
        other => other,
    }
}

/// Serves delivery reports and errors; looks after the link when it is in doubt.
fn poll(client: &Client, link: &Link, topic: &str, stopping: &AtomicBool) {
    while !stopping.load(Ordering::SeqCst) {
        client.poll(POLL_INTERVAL);
        if link.in_doubt() {
            link::probe(link, client.client(), topic);
        }
    }
}
