//! The coordinator of transactional ids, asked over a socket: librdkafka has no call that tells who the producer of an id is, or
//! that ends the transaction of a producer that is gone.
//! Invariant: a question is asked until it is answered, by value or by an error that waiting cannot mend; all of them may be asked
//! again. Each has a connection of its own: they are few, at the start of a pipeline.
//! Not here: TLS and SASL. A broker has to know DescribeTransactions (Kafka 3.0).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use kafka_wire::{
    DescribeTransactionsRequest, EndTxnRequest, FindCoordinatorRequest, InitProducerIdRequest,
    OutboundFrameLimits, RequestResponsePair, ResponseHeader, encode_request,
    response_header_version,
};
use kafka_wire_core::{ApiVersion, DecodeLimits, Decoder, KafkaDecode as _, StrBytes};
use mainstem_core::{Error, Result};
use rdkafka::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::link::{Link, REQUEST_TIMEOUT};
use super::transactions::{Coordinator, Ended, PREFIX, Producer, TIMEOUT};

const FIND_COORDINATOR: i16 = 2;
const INIT_PRODUCER_ID: i16 = 3;
const END_TXN: i16 = 3;
const DESCRIBE_TRANSACTIONS: i16 = 0;
/// In FindCoordinator.
const TRANSACTION: i8 = 1;
const PORT: u16 = 9092;
/// An answer is a few hundred bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// The end of a transaction takes a moment.
const ENDING_PAUSE: Duration = Duration::from_millis(20);

/// Kafka's error codes that mean something here.
mod code {
    pub(super) const NONE: i16 = 0;
    pub(super) const REQUEST_TIMED_OUT: i16 = 7;
    pub(super) const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
    pub(super) const COORDINATOR_NOT_AVAILABLE: i16 = 15;
    pub(super) const NOT_COORDINATOR: i16 = 16;
    pub(super) const INVALID_PRODUCER_EPOCH: i16 = 47;
    pub(super) const INVALID_TXN_STATE: i16 = 48;
    pub(super) const INVALID_PRODUCER_ID_MAPPING: i16 = 49;
    pub(super) const INVALID_TRANSACTION_TIMEOUT: i16 = 50;
    pub(super) const CONCURRENT_TRANSACTIONS: i16 = 51;
    pub(super) const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: i16 = 53;
    pub(super) const PRODUCER_FENCED: i16 = 90;
    pub(super) const TRANSACTIONAL_ID_NOT_FOUND: i16 = 105;
}

/// A cluster whose brokers are asked without encryption.
pub(super) struct Cluster {
    servers: Vec<(String, u16)>,
    link: Arc<Link>,
}

impl Cluster {
    /// The cluster of a table; `None` if its brokers cannot be asked from here, because they want TLS or SASL.
    pub(super) fn new(config: &ClientConfig, link: &Arc<Link>) -> Option<Self> {
        let protocol = config.get("security.protocol").unwrap_or("plaintext");
        let servers = link.servers().split(',').map(str::trim).filter(|server| !server.is_empty());
        protocol
            .eq_ignore_ascii_case("plaintext")
            .then(|| Self { servers: servers.map(address).collect(), link: Arc::clone(link) })
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
            let pause = match self.attempt(id, version, request).await {
                Ok(response) => {
                    self.link.up();
                    match code_of(&response) {
                        code::CONCURRENT_TRANSACTIONS => ENDING_PAUSE,
                        found if is_transient(found) => RETRY_PAUSE,
                        _ => return Ok(response),
                    }
                }
                Err(_) => {
                    failures += 1;
                    // A name with two addresses fails once where only one of them listens.
                    if failures > self.servers.len() {
                        self.link.down();
                    }
                    RETRY_PAUSE
                }
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
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for server in &self.servers {
            let found = match exchange(server, FIND_COORDINATOR, &find).await {
                Ok(found) if found.error_code == code::NONE => found,
                Ok(found) => {
                    last = io::Error::other(format!("error {}", found.error_code));
                    continue;
                }
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            let port = u16::try_from(found.port).map_err(io::Error::other)?;
            return exchange(&(found.host.to_string(), port), version, request).await;
        }
        Err(last)
    }
}

/// `host:port`, or one of them in brackets; Java's clients take a protocol before it.
fn address(server: &str) -> (String, u16) {
    let plain = server.rsplit_once("://").map_or(server, |(_, plain)| plain);
    let (host, port) = match plain.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().unwrap_or(PORT)),
        None => (plain, PORT),
    };
    (host.trim_matches(['[', ']']).to_owned(), port)
}

/// One question on a connection of its own.
async fn exchange<R: RequestResponsePair>(
    (host, port): &(String, u16),
    version: i16,
    request: &R,
) -> io::Result<R::Response> {
    let version = ApiVersion::new(version);
    let mut frame = BytesMut::new();
    let limits = OutboundFrameLimits::new(ANSWER_BYTES_MAX);
    let client = Some(StrBytes::from("mainstem"));
    encode_request(&mut frame, 0, client, request, version, limits).map_err(io::Error::other)?;
    let exchanged = timeout(REQUEST_TIMEOUT, async {
        let mut stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.write_all(&frame).await?;
        let length = usize::try_from(stream.read_i32().await?).map_err(io::Error::other)?;
        if length > ANSWER_BYTES_MAX {
            return Err(io::Error::other("an answer is too long"));
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await?;
        Ok(Bytes::from(answer))
    });
    let answer = exchanged.await.map_err(io::Error::other)??;
    let mut decoder = Decoder::new(answer, DecodeLimits::default()).map_err(io::Error::other)?;
    let header = response_header_version(R::API_KEY, version, R::is_flexible(version));
    ResponseHeader::decode(&mut decoder, ApiVersion::new(header)).map_err(io::Error::other)?;
    R::Response::decode(&mut decoder, version).map_err(io::Error::other)
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

#[async_trait]
impl Coordinator for Cluster {
    async fn producer(&self, id: &str) -> Result<Option<Producer>> {
        let mut request = DescribeTransactionsRequest::default();
        request.transactional_ids = vec![StrBytes::from(id)];
        let code_of =
            |response: &<DescribeTransactionsRequest as RequestResponsePair>::Response| {
                response.transaction_states.first().map_or(code::NONE, |state| state.error_code)
            };
        let answer = self.ask(id, DESCRIBE_TRANSACTIONS, &request, code_of).await?;
        let Some(state) = answer.transaction_states.into_iter().next() else { return Ok(None) };
        if state.error_code == code::TRANSACTIONAL_ID_NOT_FOUND {
            return Ok(None);
        }
        check(state.error_code, id)?;
        Ok(Some(Producer { id: state.producer_id, epoch: state.producer_epoch }))
    }

    async fn init(&self, id: &str, timeout_ms: i32) -> Result<Producer> {
        let mut request = InitProducerIdRequest::default();
        request.transactional_id = Some(StrBytes::from(id));
        request.transaction_timeout_ms = timeout_ms;
        (request.producer_id, request.producer_epoch) = (-1, -1);
        let answer = self.ask(id, INIT_PRODUCER_ID, &request, |answer| answer.error_code).await?;
        check(answer.error_code, id)?;
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
            found => check(found, id).map(|()| Ended::Done),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (server, expected) in [
            ("localhost:1234", ("localhost", 1234)),
            ("localhost", ("localhost", 9092)),
            ("PLAINTEXT://b:1", ("b", 1)),
            ("[::1]:9", ("::1", 9)),
        ] {
            assert_eq!(address(server), (expected.0.to_owned(), expected.1), "{server}");
        }
    }
}
