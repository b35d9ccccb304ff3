//! Listeners of the Kafka protocol: addresses to bind, and the loop that accepts connections.
//! Invariant: all listeners together hold at most [`CONNECTIONS_MAX`] connections; one more is closed at once. A connection is
//! a task of its own, on one of the network threads: what ends it, a panic too, ends nothing else. An address beyond this machine needs TLS, or the user's
//! word.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainstem_broker::Endpoint;
use mainstem_broker::wire::StrBytes;
use mainstem_core::{Error, ErrorKind, Result};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::connection::{Connection, End, stopped};
use super::frames::Budget;
use super::host::Host;
use super::network_threads::NetworkThreads;
use super::sasl::{Login, Users};
use super::send::Socket;
use super::server::random;
use super::tls::{self, Tls};
use crate::failure::say;

const CONNECTIONS_MAX: usize = 4096;
/// Requests that are being read and records that are being sent, of all connections.
const BUDGET_BYTES: usize = 256 << 20;
/// Of so many connections that were closed for a reason, operators hear in each stretch of time.
const CLOSINGS_TOLD_MAX: u32 = 20;
const CLOSINGS_EVERY: Duration = Duration::from_secs(10);
/// What went wrong with accepting (too many open files) may pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A host and a port as the command line names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write it as HOST:PORT, such as 127.0.0.1:9092 or [::1]:9092".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.strip_prefix('[').map_or(Some(host), |host| host.strip_suffix(']'));
        let host = host.filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        Ok(Self { host: host.to_owned(), port: port.parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// What a client and a listener speak below Kafka's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Protocol {
    /// Nobody on the way can read or change what is sent.
    pub(crate) tls: bool,
    /// Clients have to log in.
    pub(crate) login: bool,
}

impl Protocol {
    /// Kafka's name, as in `security.protocol`.
    pub(crate) fn name(self) -> &'static str {
        match (self.login, self.tls) {
            (false, false) => "PLAINTEXT",
            (false, true) => "SSL",
            (true, false) => "SASL_PLAINTEXT",
            (true, true) => "SASL_SSL",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let all = [(false, false), (false, true), (true, false), (true, true)];
        let mut all = all.into_iter().map(|(login, tls)| Self { tls, login });
        all.find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }
}

/// A listener as the command line names it: `[PROTOCOL://]HOST:PORT`, as in Kafka's `listeners`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListenerName {
    /// `None`: what users and certificates that are given suggest.
    pub(crate) protocol: Option<Protocol>,
    pub(crate) address: Address,
}

impl FromStr for ListenerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, address)) = text.split_once("://") else {
            return Ok(Self { protocol: None, address: text.parse()? });
        };
        let protocol = Protocol::named(name).ok_or_else(|| {
            format!("'{name}' is none of PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL")
        })?;
        Ok(Self { protocol: Some(protocol), address: address.parse()? })
    }
}

/// What a listener is told.
#[derive(Debug, Clone)]
pub(crate) struct ListenerSettings {
    /// Where it listens.
    pub(crate) address: Address,
    /// Whether clients have to log in.
    pub(crate) login: bool,
    /// The certificate, if it speaks TLS.
    pub(crate) tls: Option<Tls>,
    /// Where clients are told to connect to; else what they connected to.
    pub(crate) advertised: Option<Address>,
    /// The user has said that everybody who reaches the address may come in.
    pub(crate) insecure: bool,
}

/// A listener that is bound and does not accept yet.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: TcpListener,
    local: SocketAddr,
    settings: ListenerSettings,
}

impl Bound {
    /// Binds the address, if it may be bound.
    pub(crate) async fn bind(settings: ListenerSettings) -> Result<Self> {
        let address = &settings.address;
        let failed = |e: std::io::Error| {
            let text = format!("cannot listen on {address}: {e}");
            let error = Error::new(ErrorKind::Conflict, text);
            match e.kind() {
                std::io::ErrorKind::AddrInUse => error.with_hint(
                    "another program listens there, perhaps another broker: stop it, or choose another port with \
                     --kafka-listen HOST:PORT",
                ),
                _ => error.with_hint("choose another address with --kafka-listen HOST:PORT"),
            }
        };
        let found = lookup_host((address.host.as_str(), address.port)).await.map_err(failed)?;
        let found: Vec<SocketAddr> = found.collect();
        let wide = found.iter().any(|address| !address.ip().is_loopback());
        if wide && settings.tls.is_none() && !settings.insecure {
            return Err(Error::user(format!("{address} can be reached from other machines"))
                .with_hint(
                    "give it a certificate with --kafka-tls-cert and --kafka-tls-key, listen on 127.0.0.1, or add --insecure \
                     if everybody on the way may read and write",
                ));
        }
        let listener = TcpListener::bind(&*found).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, local, settings })
    }

    /// Where it listens, with the real port, and what it speaks there if that is more than nothing.
    pub(crate) fn name(&self) -> String {
        let protocol = Protocol { tls: self.settings.tls.is_some(), login: self.settings.login };
        match protocol {
            Protocol { tls: false, login: false } => self.local.to_string(),
            protocol => format!("{}://{}", protocol.name(), self.local),
        }
    }

    fn advertised(&self, stream: &TcpStream) -> Endpoint {
        let endpoint = |host: &str, port| Endpoint { host: StrBytes::from(host), port };
        match &self.settings.advertised {
            Some(advertised) => endpoint(&advertised.host, advertised.port),
            // An address such as 0.0.0.0 is none to connect to; the one that this client has used is.
            None => {
                let local = stream.local_addr().unwrap_or(self.local);
                endpoint(&local.ip().to_string(), self.local.port())
            }
        }
    }
}

/// Listeners that accept connections.
#[derive(Debug)]
pub(crate) struct Listeners {
    host: Host,
    stopping: watch::Sender<bool>,
    accepting: JoinSet<()>,
}

/// What the connections of all listeners share.
struct Shared {
    host: Host,
    threads: NetworkThreads,
    budget: Budget,
    users: Arc<Users>,
    turns: Arc<Semaphore>,
    full: AtomicBool,
    closings: Arc<Closings>,
}

impl Listeners {
    /// Begins to accept connections.
    pub(crate) fn start(host: &Host, bound: Vec<Bound>, users: Arc<Users>) -> Result<Self> {
        let shared = Arc::new(Shared {
            host: host.clone(),
            threads: NetworkThreads::start()?,
            budget: Budget::new(BUDGET_BYTES),
            users,
            turns: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            full: AtomicBool::new(false),
            closings: Arc::default(),
        });
        let stopping = watch::Sender::new(false);
        let mut accepting = JoinSet::new();
        for bound in bound {
            accepting.spawn(accept_all(bound, Arc::clone(&shared), stopping.subscribe()));
        }
        Ok(Self { host: host.clone(), stopping, accepting })
    }

    /// Accepts no more, lets answers that are under way be finished, and closes all connections.
    pub(crate) async fn stop(mut self) {
        self.stopping.send_replace(true);
        self.host.release();
        while self.accepting.join_next().await.is_some() {}
    }
}

async fn accept_all(bound: Bound, shared: Arc<Shared>, mut stopping: watch::Receiver<bool>) {
    let connection_stopping = stopping.clone();
    let mut connections = JoinSet::new();
    let mut troubled = false;
    loop {
        tokio::select! {
            accepted = bound.listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    troubled = false;
                    let work = serve(&bound, &shared, stream, peer, connection_stopping.clone());
                    if let Some(work) = work {
                        connections.spawn_on(work, shared.threads.least_loaded());
                    }
                }
                Err(e) => {
                    if !std::mem::replace(&mut troubled, true) {
                        say(&format!("broker: no connection can be accepted at {}: {e}\n", bound.local));
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Some(said) = obituary(ended) {
                    say(said);
                }
            }
            () = stopped(&mut stopping) => break,
        }
    }
    drop(bound);
    while connections.join_next().await.is_some() {}
}

/// What an operator should hear of the end of a connection's task. The panic itself has been shown by its thread.
pub(super) fn obituary(ended: Result<(), JoinError>) -> Option<&'static str> {
    ended
        .is_err_and(|e| e.is_panic())
        .then_some("broker: a connection was closed by a bug in Mainstem; please report it\n")
}

/// The work of a new connection; `None` if there are too many.
fn serve(
    bound: &Bound,
    shared: &Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    stopping: watch::Receiver<bool>,
) -> Option<impl Future<Output = ()> + use<>> {
    let Ok(turn) = Arc::clone(&shared.turns).try_acquire_owned() else {
        if !shared.full.swap(true, Ordering::Relaxed) {
            say(&format!("broker: there are {CONNECTIONS_MAX} connections; more are refused\n"));
        }
        return None;
    };
    shared.full.store(false, Ordering::Relaxed);
    // An answer is written at once and whole; without it, latency is worse and nothing else.
    let _ = stream.set_nodelay(true);
    let advertised = Arc::new(bound.advertised(&stream));
    let client_host = StrBytes::from(&*peer.ip().to_string());
    let (host, budget) = (shared.host.clone(), shared.budget.clone());
    let connection = Connection::new(host, budget, client_host, advertised, stopping);
    let login = || Login::new(Arc::clone(&shared.users), random());
    let connection = connection.with_login(bound.settings.login.then(login));
    let tls = bound.settings.tls.clone();
    let closings = Arc::clone(&shared.closings);
    let stream = stream.into_std().ok()?;
    Some(async move {
        let _turn = turn;
        // What happens on a socket is told to the thread that it is made known by.
        let served = match (TcpStream::from_std(stream), tls) {
            (Ok(stream), None) => connection.serve(Socket::new(stream)).await,
            // Apart, so that connections without TLS stay as small as they are.
            (Ok(stream), Some(tls)) => Box::pin(serve_tls(connection, tls, stream)).await,
            (Err(e), _) => Err(End::Io(e)),
        };
        if let Err(end) = served
            && end.is_remarkable()
        {
            closings.report(peer, &end);
        }
    })
}

/// Tells of connections that ended badly, but not of all if there are many: nobody from outside fills the operator's screen
/// or disk, or stops us with a stderr that takes no more.
#[derive(Debug, Default)]
struct Closings(Mutex<ClosingsTold>);

#[derive(Debug, Default)]
struct ClosingsTold {
    /// Of the count.
    since: Option<Instant>,
    told: u32,
    left_out: u64,
}

impl Closings {
    fn report(&self, peer: SocketAddr, end: &End) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left_out) = told.admit(Instant::now()) else { return };
        drop(told);
        if left_out > 0 {
            say(&format!("broker: {left_out} more connections were closed for such reasons\n"));
        }
        say(&format!("broker: connection from {peer} closed: {end}\n"));
    }
}

impl ClosingsTold {
    /// Whether one more is told of, and how many were left out since the last one.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        if now.duration_since(since) >= CLOSINGS_EVERY {
            self.since = Some(now);
            self.told = 0;
        }
        if self.told == CLOSINGS_TOLD_MAX {
            self.left_out += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

async fn serve_tls(connection: Connection, tls: Tls, stream: TcpStream) -> Result<(), End> {
    let mut stream = tls.accept(stream).await.map_err(End::NoHandshake)?;
    let served = connection.serve(&mut stream).await;
    tls::close(stream).await;
    served
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("127.0.0.1:9092", Some(("127.0.0.1", 9092))),
            ("[::1]:9092", Some(("::1", 9092))),
            ("broker.example:1", Some(("broker.example", 1))),
            ("localhost:0", Some(("localhost", 0))),
            ("localhost", None),
            (":9092", None),
            ("[::1:9092", None),
            ("localhost:65536", None),
            ("localhost:x", None),
        ] {
            let expected = expected.map(|(host, port)| Address { host: host.to_owned(), port });
            let parsed = text.parse::<Address>().ok();
            assert_eq!(parsed, expected, "{text}");
            if let Some(address) = parsed {
                assert_eq!(address.to_string(), text);
            }
        }
    }

    #[test]
    fn listeners_are_named_as_in_kafka() {
        for (text, expected) in [
            ("localhost:1", Ok(None)),
            ("PLAINTEXT://localhost:1", Ok(Some((false, false)))),
            ("SSL://localhost:1", Ok(Some((true, false)))),
            ("sasl_plaintext://localhost:1", Ok(Some((false, true)))),
            ("SASL_SSL://localhost:1", Ok(Some((true, true)))),
            ("TLS://localhost:1", Err("'TLS' is none of PLAINTEXT")),
            ("SSL://localhost", Err("HOST:PORT")),
        ] {
            match (text.parse::<ListenerName>(), expected) {
                (Ok(found), Ok(expected)) => {
                    let expected = expected.map(|(tls, login)| Protocol { tls, login });
                    assert_eq!((found.protocol, found.address.port), (expected, 1), "{text}");
                }
                (Err(found), Err(part)) => assert!(found.contains(part), "{text}: {found}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }

    #[test]
    fn not_every_closing_is_told() {
        let (mut told, begun) = (ClosingsTold::default(), Instant::now());
        let admitted = (0..100).filter(|_| told.admit(begun) == Some(0)).count();
        assert_eq!(admitted, 20);
        assert_eq!(told.admit(begun + CLOSINGS_EVERY - Duration::from_millis(1)), None);
        assert_eq!(told.admit(begun + CLOSINGS_EVERY), Some(81));
        assert_eq!(told.admit(begun + CLOSINGS_EVERY), Some(0));
    }
}
