//! Questions to brokers over sockets of our own, for what librdkafka has no call for.
//! Invariant: a question has a connection of its own, with TLS and a login where the table asks for them (`security`), and is
//! answered in bounded time, or fails.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_wire::{
    OutboundFrameLimits, RequestResponsePair, ResponseHeader, SaslAuthenticateRequest,
    SaslHandshakeRequest, encode_request, response_header_version,
};
use kafka_wire_core::{ApiVersion, DecodeLimits, Decoder, KafkaDecode as _, StrBytes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::link::{Link, REQUEST_TIMEOUT};
use super::scram;
use super::security::{self, Login, Mechanism, Security, Stream};

const PORT: u16 = 9092;
const SASL_HANDSHAKE: i16 = 1;
const SASL_AUTHENTICATE: i16 = 1;
/// Answers are a few hundred bytes; those of topics with thousands of partitions and producers are longer.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Kafka's error codes that mean something here.
pub(super) mod code {
    pub(in super::super) const NONE: i16 = 0;
    pub(in super::super) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    pub(in super::super) const REQUEST_TIMED_OUT: i16 = 7;
    pub(in super::super) const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
    pub(in super::super) const COORDINATOR_NOT_AVAILABLE: i16 = 15;
    pub(in super::super) const NOT_COORDINATOR: i16 = 16;
    pub(in super::super) const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
    pub(in super::super) const CLUSTER_AUTHORIZATION_FAILED: i16 = 31;
    pub(in super::super) const INVALID_PRODUCER_EPOCH: i16 = 47;
    pub(in super::super) const INVALID_TXN_STATE: i16 = 48;
    pub(in super::super) const INVALID_PRODUCER_ID_MAPPING: i16 = 49;
    pub(in super::super) const INVALID_TRANSACTION_TIMEOUT: i16 = 50;
    pub(in super::super) const CONCURRENT_TRANSACTIONS: i16 = 51;
    pub(in super::super) const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: i16 = 53;
    pub(in super::super) const PRODUCER_FENCED: i16 = 90;
    pub(in super::super) const TRANSACTIONAL_ID_NOT_FOUND: i16 = 105;
}

/// Where a broker listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Server {
    /// `host:port`, or one of them in brackets; Java's clients take a protocol before it.
    pub(super) fn parse(text: &str) -> Self {
        let plain = text.rsplit_once("://").map_or(text, |(_, plain)| plain);
        let (host, port) = match plain.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().unwrap_or(PORT)),
            None => (plain, PORT),
        };
        Self { host: host.trim_matches(['[', ']']).to_owned(), port }
    }

    /// As brokers tell it.
    pub(super) fn told(host: &StrBytes, port: i32) -> io::Result<Self> {
        let port = u16::try_from(port).map_err(io::Error::other)?;
        Ok(Self { host: host.to_string(), port })
    }
}

/// One question and its answer.
async fn exchange<R: RequestResponsePair>(
    stream: &mut dyn Stream,
    version: i16,
    request: &R,
) -> io::Result<R::Response> {
    let version = ApiVersion::new(version);
    let mut frame = BytesMut::new();
    let limits = OutboundFrameLimits::new(ANSWER_BYTES_MAX);
    let client = Some(StrBytes::from("mainstem"));
    encode_request(&mut frame, 0, client, request, version, limits).map_err(io::Error::other)?;
    stream.write_all(&frame).await?;
    stream.flush().await?;
    let length = usize::try_from(stream.read_i32().await?).map_err(io::Error::other)?;
    if length > ANSWER_BYTES_MAX {
        return Err(io::Error::other("an answer is too long"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    let mut decoder =
        Decoder::new(Bytes::from(answer), DecodeLimits::default()).map_err(io::Error::other)?;
    let header = response_header_version(R::API_KEY, version, R::is_flexible(version));
    ResponseHeader::decode(&mut decoder, ApiVersion::new(header)).map_err(io::Error::other)?;
    R::Response::decode(&mut decoder, version).map_err(io::Error::other)
}

/// Logs in, as the mechanism has it.
async fn log_in(stream: &mut dyn Stream, login: &Login) -> io::Result<()> {
    let mut handshake = SaslHandshakeRequest::default();
    handshake.mechanism = StrBytes::from(login.name);
    let answer = exchange(stream, SASL_HANDSHAKE, &handshake).await?;
    if answer.error_code != code::NONE {
        let text = format!("the broker does not take SASL {}", login.name);
        return Err(io::Error::other(text));
    }
    match login.mechanism {
        Mechanism::Plain => {
            let message = format!("\0{}\0{}", login.user, login.password.text());
            say(stream, message.into_bytes()).await?;
        }
        Mechanism::Scram(hash) => {
            let client = scram::Client::new(hash, &login.user, security::nonce()?);
            let first = say(stream, client.first().into_bytes()).await?;
            let proof = client.prove(&login.password, &first)?;
            proof.check(&say(stream, proof.message.clone().into_bytes()).await?)?;
        }
    }
    Ok(())
}

/// A message of a login; the server's answer.
async fn say(stream: &mut dyn Stream, message: Vec<u8>) -> io::Result<Bytes> {
    let mut request = SaslAuthenticateRequest::default();
    request.auth_bytes = Bytes::from(message);
    let answer = exchange(stream, SASL_AUTHENTICATE, &request).await?;
    if answer.error_code != code::NONE {
        let why = answer.error_message.as_deref().unwrap_or("no reason is given");
        return Err(io::Error::other(format!("the login is refused: {why}")));
    }
    Ok(answer.auth_bytes)
}

/// The brokers that a table names.
#[derive(Debug, Clone)]
pub(super) struct Servers {
    link: Arc<Link>,
    security: Security,
    all: Vec<Server>,
}

impl Servers {
    pub(super) fn of(link: &Arc<Link>, security: Security) -> Self {
        let all = link.servers().split(',').map(str::trim).filter(|server| !server.is_empty());
        Self { all: all.map(Server::parse).collect(), link: Arc::clone(link), security }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Asks one broker, which need not be one of those that were named.
    pub(super) async fn ask_at<R: RequestResponsePair>(
        &self,
        server: &Server,
        version: i16,
        request: &R,
    ) -> io::Result<R::Response> {
        let asked = timeout(REQUEST_TIMEOUT, async {
            let mut stream = self.security.connect(&server.host, server.port).await?;
            if let Some(login) = self.security.login() {
                log_in(&mut *stream, login).await?;
            }
            exchange(&mut *stream, version, request).await
        });
        asked.await.map_err(io::Error::other)?
    }

    /// Asks one after another; the first answer that is of use.
    pub(super) async fn ask<R: RequestResponsePair>(
        &self,
        version: i16,
        request: &R,
        is_of_use: impl Fn(&R::Response) -> bool,
    ) -> io::Result<R::Response> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for server in &self.all {
            match self.ask_at(server, version, request).await {
                Ok(answer) if is_of_use(&answer) => return Ok(answer),
                Ok(_) => last = io::Error::other("the broker cannot say"),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Tells the link what came of one more of some attempts; `failures` counts.
    pub(super) fn tell<T>(&self, attempt: &io::Result<T>, failures: &mut usize) {
        if attempt.is_ok() {
            self.link.up();
            return;
        }
        *failures += 1;
        // A name with two addresses fails once where only one of them listens.
        if *failures > self.all.len() {
            self.link.down();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (server, host, port) in [
            ("localhost:1234", "localhost", 1234),
            ("localhost", "localhost", 9092),
            ("PLAINTEXT://b:1", "b", 1),
            ("[::1]:9", "::1", 9),
        ] {
            assert_eq!(Server::parse(server), Server { host: host.to_owned(), port }, "{server}");
        }
    }
}
