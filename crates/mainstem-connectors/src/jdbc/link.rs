//! The connection to PostgreSQL: made, lost, made again.
//! Invariant: an outage is announced once and its end once; what waiting cannot mend (password, database, rights) is
//! an error at once. The task that drives a connection ends with the [`Session`] that owns it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mainstem_core::{Error, Result};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{Client, Connection, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::target::Failure;
use super::url::Address;
use crate::api::Observer;

const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// A live connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Makes connections and remembers whether the database was away.
pub(crate) struct Link {
    address: Address,
    table: String,
    observer: Arc<dyn Observer>,
    /// `sink.max-retries`.
    retries_max: Option<u32>,
    away: bool,
    failed_in_a_row: u32,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("address", &self.address.text).finish_non_exhaustive()
    }
}

impl Link {
    pub(crate) fn new(
        address: Address,
        table: &str,
        observer: Arc<dyn Observer>,
        retries_max: Option<u32>,
    ) -> Self {
        let table = table.to_owned();
        Self { address, table, observer, retries_max, away: false, failed_in_a_row: 0 }
    }

    /// Where the database is.
    pub(crate) fn address(&self) -> &str {
        &self.address.text
    }

    /// Tells the user.
    pub(crate) fn notice(&self, text: &str) {
        self.observer.notice(&self.table, text);
    }

    /// Connects, however long it takes.
    pub(crate) async fn connect(&mut self) -> Result<Session> {
        loop {
            match connect(&self.address).await {
                Ok(session) => return Ok(session),
                Err(Failure::Database(error)) => self.lost(&error).await?,
                Err(Failure::Ours(error)) => return Err(error),
            }
        }
    }

    /// An attempt has failed because the database is away: says so and pauses, longer from time to time; fails when
    /// no more attempts are wanted.
    pub(crate) async fn lost(&mut self, error: &tokio_postgres::Error) -> Result<()> {
        let reason = reason(error);
        self.failed_in_a_row += 1;
        if self.retries_max.is_some_and(|most| self.failed_in_a_row > most) {
            return Err(Error::unavailable(format!(
                "PostgreSQL at {} is away: {reason}",
                self.address.text
            ))
            .with_hint("leave 'sink.max-retries' out to wait until it is back"));
        }
        if !std::mem::replace(&mut self.away, true) {
            self.notice(&format!(
                "cannot reach PostgreSQL at {}, retrying ({reason})",
                self.address.text
            ));
        }
        pause(self.failed_in_a_row, RETRY_FIRST, RETRY_LONGEST).await;
        Ok(())
    }

    /// Something was done over the connection.
    pub(crate) fn up(&mut self) {
        self.failed_in_a_row = 0;
        if std::mem::replace(&mut self.away, false) {
            self.notice(&format!("PostgreSQL at {} answers again", self.address.text));
        }
    }
}

/// Waits after the `failures`th failure in a row: `first`, then twice as long each time, at most `longest`.
pub(crate) async fn pause(failures: u32, first: Duration, longest: Duration) {
    sleep(first.saturating_mul(1 << (failures - 1).min(16)).min(longest)).await;
}

/// One attempt to connect; a failure of the database is an outage.
pub(crate) async fn connect(address: &Address) -> Result<Session, Failure> {
    let connected = match &address.tls {
        Some(tls) => {
            let tls = MakeRustlsConnect::new(tls.client().map_err(Failure::Ours)?);
            address.config.connect(tls).await.map(driven)
        }
        None => address.config.connect(NoTls).await.map(driven),
    };
    match connected {
        Ok(session) => Ok(session),
        Err(error) if is_outage(&error) && !is_about_tls(&error) => Err(Failure::Database(error)),
        Err(error) => Err(Failure::Ours(refused(address, &error))),
    }
}

fn driven<S>((client, connection): (Client, Connection<Socket, S>)) -> Session
where
    S: TlsStream + Unpin + Send + 'static,
{
    // An error of the connection reaches the client's calls too.
    let driver = tokio::spawn(async move { drop(connection.await) });
    Session { client, driver }
}

fn refused(address: &Address, error: &tokio_postgres::Error) -> Error {
    let text = format!("PostgreSQL at {} refused the connection: {}", address.text, reason(error));
    match error.code() {
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => {
            Error::user(text).with_hint("create the database, or mend option 'url'")
        }
        // That the server has no TLS is an error without a kind.
        None if is_about_tls(error) || error.to_string().contains("TLS") => Error::user(text).with_hint(
            "in option 'url', 'sslrootcert' names who has signed the server's certificate, sslmode=verify-ca does not look at \
             its names, require at nothing, and prefer does without TLS where the server has none",
        ),
        _ => Error::user(text).with_hint("check the options 'url', 'username' and 'password'"),
    }
}

/// Whether the same may work later over a new connection.
pub(crate) fn is_outage(error: &tokio_postgres::Error) -> bool {
    let Some(code) = error.code() else {
        // Without an answer of the server the client's error has no kind that can be asked for but its first words.
        let text = error.to_string();
        return error.is_closed()
            || is_cut_short(error)
            || ["error communicating", "error connecting", "connection closed", "timeout"]
                .iter()
                .any(|words| text.starts_with(words));
    };
    // 08P01 is about what was sent, not about the connection.
    (code.code().starts_with("08") && *code != SqlState::PROTOCOL_VIOLATION)
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(code)
}

/// Whether the connection has ended, in the handshake of TLS too.
fn is_cut_short(error: &tokio_postgres::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let kinds = [BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof];
    io_error(error).is_some_and(|e| kinds.contains(&e.kind()))
}

/// Whether one side does not like what the other says of TLS: a certificate in most cases. What the server thinks of ours comes
/// when the handshake is over, as an error of the connection.
fn is_about_tls(error: &tokio_postgres::Error) -> bool {
    let cause = io_error(error).and_then(io::Error::get_ref);
    cause.is_some_and(|e| e.is::<tokio_rustls::rustls::Error>())
}

fn io_error(error: &tokio_postgres::Error) -> Option<&io::Error> {
    std::error::Error::source(error).and_then(|e| e.downcast_ref())
}

/// Whether another transaction was in the way, so that the same works when it is tried again at once.
pub(crate) fn is_conflict(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code)
    })
}

/// PostgreSQL's own words, with detail, or those of the connection.
pub(crate) fn reason(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => match db.detail() {
            Some(detail) => format!("{} ({detail})", db.message()),
            None => db.message().to_owned(),
        },
        None => {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(error);
            while let Some(inner) = cause {
                let inner_text = inner.to_string();
                if !text.contains(&inner_text) {
                    text = format!("{text}: {inner_text}");
                }
                cause = inner.source();
            }
            text
        }
    }
}

/// A failure that is no outage, while doing `what`.
pub(crate) fn failed(what: &str, error: &tokio_postgres::Error) -> Error {
    let answer = Error::user(format!("{what}: {}", reason(error)));
    match error.as_db_error().and_then(|e| e.hint()) {
        Some(hint) => answer.with_hint(hint.to_owned()),
        None => answer,
    }
}
