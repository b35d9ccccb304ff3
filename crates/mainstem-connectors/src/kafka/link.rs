//! The state of the way to the brokers: what librdkafka reports, told to the user once a change.
//! Invariant: an outage is announced after a request has failed, and its end after one has succeeded, once each;
//! what waiting cannot mend (wrong credentials, TLS that does not fit) is kept as the error that ends the table.
//! It does not retry by itself: librdkafka reconnects.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainstem_core::{Error, Result};
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::time::sleep;

use crate::api::Observer;

/// How long one request may take before it counts as failed.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// Between a request that was not answered and the same once more.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(200);

const UNKNOWN: u8 = 0;
const UP: u8 = 1;
const SUSPECT: u8 = 2;
const DOWN: u8 = 3;

/// Shared by a client's context, its thread and its owner.
pub(crate) struct Link {
    table: String,
    servers: String,
    observer: Arc<dyn Observer>,
    state: AtomicU8,
    doubts: AtomicU64,
    /// A request has been answered at some time.
    was_up: AtomicBool,
    /// What the client said last, for the error or notice that follows.
    last_reason: Mutex<String>,
    fatal: Mutex<Option<String>>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("servers", &self.servers).finish_non_exhaustive()
    }
}

impl Link {
    pub(crate) fn new(table: &str, servers: &str, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Self {
            table: table.to_owned(),
            servers: servers.to_owned(),
            observer,
            state: AtomicU8::new(UNKNOWN),
            doubts: AtomicU64::new(0),
            was_up: AtomicBool::new(false),
            last_reason: Mutex::default(),
            fatal: Mutex::default(),
        })
    }

    /// A request was answered.
    pub(crate) fn up(&self) {
        self.was_up.store(true, Ordering::SeqCst);
        if self.state.swap(UP, Ordering::SeqCst) == DOWN {
            self.notice(&format!("Kafka at {} answers again", self.servers));
        }
    }

    /// A request was not answered.
    pub(crate) fn down(&self) {
        if self.state.swap(DOWN, Ordering::SeqCst) != DOWN {
            let reason = lock(&self.last_reason).clone();
            let reason = if reason.is_empty() { reason } else { format!(" ({reason})") };
            self.notice(&format!("cannot reach Kafka at {}, retrying{reason}", self.servers));
        }
    }

    /// Records arrive: whatever was feared is over.
    pub(crate) fn up_if_in_doubt(&self) {
        if self.in_doubt() {
            self.up();
        }
    }

    /// Something went wrong that may be an outage; a probe tells.
    pub(crate) fn suspect(&self) {
        self.doubts.fetch_add(1, Ordering::SeqCst);
        let _ = self.state.compare_exchange(UP, SUSPECT, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// True after the client complained and until a request is answered.
    pub(crate) fn in_doubt(&self) -> bool {
        self.state.load(Ordering::SeqCst) >= SUSPECT
    }

    /// How often something went wrong that may have been an outage.
    pub(crate) fn doubts(&self) -> u64 {
        self.doubts.load(Ordering::SeqCst)
    }

    /// What ends the table.
    pub(crate) fn fatal(&self) -> Option<Error> {
        lock(&self.fatal).as_ref().map(|reason| {
            Error::user(format!("Kafka at {} refused the connection: {reason}", self.servers))
                .with_hint("check 'properties.security.protocol', 'properties.sasl.*' and 'properties.ssl.*'")
        })
    }

    /// Tells the user.
    pub(crate) fn notice(&self, text: &str) {
        self.observer.notice(&self.table, text);
    }

    /// Where the brokers are, as the table says.
    pub(crate) fn servers(&self) -> &str {
        &self.servers
    }

    /// The table's name.
    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    fn complain(&self, code: RDKafkaErrorCode, reason: &str) {
        // `host:port/1: Connect to ... failed: Connection refused (after 0ms in state CONNECT)`
        let plain = reason.split(" (after ").next().unwrap_or(reason);
        if !plain.is_empty() && code != RDKafkaErrorCode::AllBrokersDown {
            plain.clone_into(&mut lock(&self.last_reason));
        }
        let refused = matches!(
            code,
            RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::UnsupportedSASLMechanism
                | RDKafkaErrorCode::SSL
        );
        // A broker on its way down can break a handshake too, so refusals count only before the first success.
        if refused && !self.was_up.load(Ordering::SeqCst) {
            lock(&self.fatal).get_or_insert_with(|| reason.to_owned());
        }
        self.suspect();
    }
}

/// The `ClientContext` part that consumers and producers share.
pub(crate) fn on_error(link: &Link, error: &KafkaError, reason: &str) {
    let Some(code) = error.rdkafka_error_code() else { return };
    if matches!(
        code,
        RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::UnsupportedSASLMechanism
            | RDKafkaErrorCode::SSL
    ) {
        link.complain(code, reason);
    }
}

/// Of librdkafka's log lines only those that tell of skipped records concern the user.
pub(crate) fn on_log(link: &Link, level: RDKafkaLogLevel, facility: &str, text: &str) {
    if facility == "OFFSET" && (level as i32) <= RDKafkaLogLevel::Warning as i32 {
        link.notice(text);
    }
}

/// A client that a [`patiently`] repeated request can be made with.
pub(crate) trait Requester: Send + Sync + 'static {
    /// Serves the client's events, so that errors reach the link.
    fn serve_events(&self);

    /// How many partitions a topic has; `None` if a broker says that there is no such topic.
    fn partition_count(&self, topic: &str) -> Result<Option<usize>, KafkaError>;
}

/// Repeats a blocking request, each time bounded by [`REQUEST_TIMEOUT`], until it is answered, by value or by an
/// error that waiting cannot mend. Dropping the future stops the repetition.
pub(crate) async fn patiently<R: Requester, T: Send + 'static>(
    link: &Arc<Link>,
    client: &Arc<R>,
    request: impl Fn(&R) -> Result<T, KafkaError> + Send + Sync + 'static,
) -> Result<T> {
    let request = Arc::new(request);
    let mut failures = 0;
    loop {
        let (client, attempt) = (Arc::clone(client), Arc::clone(&request));
        let answer = tokio::task::spawn_blocking(move || {
            let answer = attempt(&client);
            if answer.is_err() {
                client.serve_events();
            }
            answer
        })
        .await
        .map_err(|e| Error::internal(format!("a Kafka request panicked: {e}")))?;
        match answer {
            Ok(value) => {
                link.up();
                return Ok(value);
            }
            Err(error) => {
                if let Some(fatal) = link.fatal() {
                    return Err(fatal);
                }
                if !is_transient(&error) {
                    return Err(request_error(&error));
                }
                failures += 1;
                // A name with two addresses fails once where only one of them listens.
                if failures > 1 {
                    link.down();
                }
            }
        }
        sleep(RETRY_PAUSE).await;
    }
}

/// Whether the same request may succeed later.
pub(crate) fn is_transient(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::PreferredLeaderNotAvailable
                | RDKafkaErrorCode::EligibleLeadersNotAvailable
                | RDKafkaErrorCode::ReplicaNotAvailable
                // A broker that starts knows older epochs at first.
                | RDKafkaErrorCode::UnknownLeaderEpoch
                | RDKafkaErrorCode::FencedLeaderEpoch
                | RDKafkaErrorCode::KafkaStorageError
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::WaitingForCoordinator
                | RDKafkaErrorCode::BrokerNotAvailable
                | RDKafkaErrorCode::NetworkException
                | RDKafkaErrorCode::OffsetNotAvailable
                | RDKafkaErrorCode::UnstableOffsetCommit
                | RDKafkaErrorCode::BrokerDestroy
        )
    )
}

/// An answer that is an error.
pub(crate) fn request_error(error: &KafkaError) -> Error {
    use RDKafkaErrorCode as Code;
    let denied = matches!(
        error.rdkafka_error_code(),
        Some(Code::TopicAuthorizationFailed | Code::GroupAuthorizationFailed)
            | Some(Code::ClusterAuthorizationFailed)
    );
    let answer = Error::user(format!("Kafka refused a request: {}", reason(error)));
    if denied {
        answer.with_hint("ask for the rights (ACLs) on this topic and group")
    } else {
        answer
    }
}

/// The cause alone, without what the wrapper crate puts before it.
pub(crate) fn reason(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string())
}

/// True if a broker answers a question about `topic` within [`REQUEST_TIMEOUT`]; tells the link.
pub(crate) fn probe<C: ClientContext>(link: &Link, client: &Client<C>, topic: &str) -> bool {
    let answered = client.fetch_metadata(Some(topic), REQUEST_TIMEOUT).is_ok();
    if answered {
        link.up()
    } else {
        link.down()
    }
    answered
}

/// Locks, whatever happened to another holder: the values are whole at every moment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices::Notices;

    #[test]
    fn an_outage_is_told_once_with_the_reason_that_is_known() {
        let said = Arc::<Notices>::default();
        let link = Link::new("t", "b:9092", Arc::clone(&said) as Arc<dyn Observer>);
        link.complain(
            RDKafkaErrorCode::BrokerTransportFailure,
            "b:9092/bootstrap: connecting to a PLAINTEXT listener? (after 3ms in state APIVERSION_QUERY)",
        );
        link.complain(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        link.down();
        link.down();
        link.up();
        let expected = [
            "t: cannot reach Kafka at b:9092, retrying (b:9092/bootstrap: connecting to a PLAINTEXT listener?)",
            "t: Kafka at b:9092 answers again",
        ];
        assert_eq!(said.all(), expected);
        assert!(link.fatal().is_none());
    }
}
