//! Listeners of the Kafka protocol: addresses to bind, and the loop that accepts connections.
//! Invariant: all listeners together hold at most [`CONNECTIONS_MAX`] connections; one more is closed at once. A connection is
//! a task of its own: what ends it, a panic too, ends nothing else. An address beyond this machine needs the user's word.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mainstem_broker::Endpoint;
use mainstem_broker::wire::StrBytes;
use mainstem_core::{Error, ErrorKind, Result};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::connection::{Connection, stopped};
use super::frames::Budget;
use super::host::Host;
use super::sasl::{Login, Users};
use super::server::random;
use crate::failure::say;

const CONNECTIONS_MAX: usize = 4096;
/// Requests that are being read and records that are being sent, of all connections.
const BUDGET_BYTES: usize = 256 << 20;
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

/// What a listener is told.
#[derive(Debug, Clone)]
pub(crate) struct ListenerSettings {
    /// Where it listens.
    pub(crate) address: Address,
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
        if !settings.insecure && found.iter().any(|address| !address.ip().is_loopback()) {
            return Err(Error::user(format!("{address} can be reached from other machines"))
                .with_hint(
                    "listen on 127.0.0.1, or add --insecure if everybody there may read and write",
                ));
        }
        let listener = TcpListener::bind(&*found).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, local, settings })
    }

    /// Where it listens, with the real port.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
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
    budget: Budget,
    users: Option<Arc<Users>>,
    turns: Arc<Semaphore>,
    full: AtomicBool,
}

impl Listeners {
    /// Begins to accept connections.
    pub(crate) fn start(host: &Host, bound: Vec<Bound>, users: Option<Arc<Users>>) -> Self {
        let shared = Arc::new(Shared {
            host: host.clone(),
            budget: Budget::new(BUDGET_BYTES),
            users,
            turns: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            full: AtomicBool::new(false),
        });
        let stopping = watch::Sender::new(false);
        let mut accepting = JoinSet::new();
        for bound in bound {
            accepting.spawn(accept_all(bound, Arc::clone(&shared), stopping.subscribe()));
        }
        Self { host: host.clone(), stopping, accepting }
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
                    connections.extend(work);
                }
                Err(e) => {
                    if !std::mem::replace(&mut troubled, true) {
                        say(&format!("broker: no connection can be accepted at {}: {e}\n", bound.local));
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => {
                // The panic itself has been shown by the thread that it was on.
                if ended.is_err_and(|e| e.is_panic()) {
                    say("broker: a connection was closed by a bug in Mainstem; please report it\n");
                }
            }
            () = stopped(&mut stopping) => break,
        }
    }
    drop(bound);
    while connections.join_next().await.is_some() {}
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
    let login = shared.users.clone().map(|users| Login::new(users, random()));
    let connection = connection.with_login(login);
    Some(async move {
        let _turn = turn;
        if let Err(end) = connection.serve(stream).await
            && end.is_remarkable()
        {
            say(&format!("broker: connection from {peer} closed: {end}\n"));
        }
    })
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
}
