//! One client's connection: requests in, answers out, in order.
//! Invariant: the next request is handled when the answer to the last one is written, so a client that does not read gets
//! nothing more done. Only requests that bring records may follow each other before the first is answered, up to
//! [`AHEAD_MAX`]: they wait for the disk (`ahead.rs`), and the sync that they need begins when all that have come are handed in.
//! A request that cannot be read, a client that does not take its answer, and an answer that will never come end the
//! connection, and no other one. The broker is told of every end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mainstem_broker::wire::{self, FrameError, Head, StrBytes};
use mainstem_broker::{Call, ConnectionId, Endpoint, Request, RequestId, Response};
use tokio::io::AsyncRead;
use tokio::sync::watch;

use super::ahead::{Ahead, Turn};
use super::frames::{Budget, Frame, FrameEnd, FrameLimits, FrameReader};
use super::host::{Answer, HeldSync, Host, Stopped};
use super::sasl::Login;
use super::send::{Stream, flush, send, write_all};

const FAILED_LOGIN_PAUSE: Duration = Duration::from_millis(100);
/// Requests with records that may wait for the disk while the next one is read.
const AHEAD_MAX: usize = 16;
/// Answers that are under way when the broker stops have so long to be finished.
const LAST_ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error(transparent)]
    Frame(#[from] FrameEnd),
    #[error(transparent)]
    Malformed(#[from] FrameError),
    #[error("an answer cannot be written: {0}")]
    Unwritable(#[from] wire::EncodeError),
    #[error("the client takes no bytes")]
    NotReading,
    #[error("records cannot be read: {0}")]
    Unloadable(io::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("no TLS: {0}")]
    NoHandshake(io::Error),
    #[error("the client has not logged in")]
    NotLoggedIn,
    #[error("the login was refused")]
    Refused,
    /// There is no answer to this request, or the broker stops.
    #[error("there is no answer")]
    Unanswered,
}

impl From<Stopped> for End {
    fn from(_: Stopped) -> Self {
        Self::Unanswered
    }
}

impl End {
    /// Whether an operator should hear of it: something is wrong with the client, or with us.
    pub(super) fn is_remarkable(&self) -> bool {
        match self {
            Self::Frame(FrameEnd::Gone | FrameEnd::Io(_)) | Self::Io(_) | Self::Unanswered => false,
            // Who looks whether somebody listens says nothing.
            Self::NoHandshake(e) => e.kind() != io::ErrorKind::UnexpectedEof,
            Self::Frame(FrameEnd::Refused(_) | FrameEnd::Slow(_) | FrameEnd::Tls) => true,
            Self::Malformed(_) | Self::Unwritable(_) | Self::NotReading => true,
            Self::Unloadable(_) | Self::NotLoggedIn | Self::Refused => true,
        }
    }
}

/// One connection, but for its stream.
pub(super) struct Connection {
    host: Host,
    id: ConnectionId,
    reader: FrameReader,
    budget: Budget,
    client_host: StrBytes,
    advertised: Arc<Endpoint>,
    stopping: watch::Receiver<bool>,
    /// `None`: nobody has to log in.
    login: Option<Login>,
    held: Option<HeldSync>,
}

impl Connection {
    pub(super) fn new(
        host: Host,
        budget: Budget,
        client_host: StrBytes,
        advertised: Arc<Endpoint>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            id: host.connection(),
            reader: FrameReader::new(budget.clone()),
            host,
            budget,
            client_host,
            advertised,
            stopping,
            login: None,
            held: None,
        }
    }

    /// The client has to log in first, if `login` is one.
    pub(super) fn with_login(mut self, login: Option<Login>) -> Self {
        self.login = login;
        self
    }

    /// Serves the client until one of both has enough.
    pub(super) async fn serve(mut self, mut stream: impl Stream) -> Result<(), End> {
        let ahead = Ahead::new(stream.plain().cloned());
        while let Some(frame) = self.next(&ahead, &mut stream).await? {
            if let Some(login) = self.login.as_mut().filter(|login| login.awaits_bare_message()) {
                let answer = login.answer(&frame.bytes);
                write_bare(answer.ok(), &mut stream).await?;
                continue;
            }
            let (head, request) = wire::decode_request(frame.bytes.clone())?;
            if matches!(request, Request::Produce(_)) && self.is_logged_in() {
                let call = self.call(&head);
                let held = self.host.call_ahead(call, request, ahead.push(head))?;
                if !held.is_empty() {
                    self.held = Some(held);
                }
                continue;
            }
            self.finish(&ahead, 0, &mut stream).await?;
            let answer = match self.log_in(&request, head.version) {
                Some(answer) => Answer::Now(answer?),
                None => self.host.call(self.call(&head), request)?,
            };
            drop(frame);
            let response = self.wait(answer, &mut stream).await?;
            let refused = self.login.as_ref().is_some_and(Login::has_failed);
            if refused {
                // Who guesses passwords gets few tries.
                tokio::time::sleep(FAILED_LOGIN_PAUSE).await;
            }
            send(wire::encode_response(&head, &response)?, &self.budget, &mut stream).await?;
            if refused {
                return Err(End::Refused);
            }
        }
        Ok(())
    }

    /// The next request; answers that are left to this task are written meanwhile. `None` when it is time to stop.
    async fn next(
        &mut self,
        ahead: &Ahead,
        stream: &mut impl Stream,
    ) -> Result<Option<Frame>, End> {
        if ahead.len() >= AHEAD_MAX {
            self.finish(ahead, AHEAD_MAX - 1, stream).await?;
        }
        loop {
            let limits = self.limits();
            let mut stopping = self.stopping.clone();
            tokio::select! {
                biased;
                turn = ahead.turn(None) => write_turn(turn?, ahead, stream).await?,
                frame = self.reader.next(stream, limits) => return Ok(Some(frame?)),
                // Nothing more has come.
                () = release(&mut self.held) => {}
                () = stopped(&mut stopping) => {
                    self.finish(ahead, 0, stream).await?;
                    return Ok(None);
                }
            };
        }
    }

    /// Waits until no more than `left` requests with records have no answer.
    async fn finish(
        &mut self,
        ahead: &Ahead,
        left: usize,
        stream: &mut impl Stream,
    ) -> Result<(), End> {
        self.held = None;
        loop {
            let mut stopping = self.stopping.clone();
            let turn = tokio::select! {
                biased;
                turn = ahead.turn(Some(left)) => turn?,
                () = self.reader.watch(stream) => return Err(FrameEnd::Gone.into()),
                () = last_answer_is_late(&mut stopping) => return Err(End::Unanswered),
            };
            if let Turn::Few = turn {
                return Ok(());
            }
            write_turn(turn, ahead, stream).await?;
        }
    }

    fn limits(&self) -> FrameLimits {
        match &self.login {
            Some(login) if login.awaits_bare_message() => FrameLimits::BARE_MESSAGE,
            Some(login) if !login.is_done() => FrameLimits::UNAUTHENTICATED,
            _ => FrameLimits::OPEN,
        }
    }

    fn is_logged_in(&self) -> bool {
        self.login.as_ref().is_none_or(Login::is_done)
    }

    /// The answer to a client that has not logged in yet; `None` if the broker may be asked.
    fn log_in(&mut self, request: &Request, version: i16) -> Option<Result<Response, End>> {
        let login = self.login.as_mut().filter(|login| !login.is_done())?;
        match request {
            Request::ApiVersions(_) | Request::UnknownApiVersions => None,
            Request::SaslHandshake(request) => Some(Ok(login.handshake(request, version).into())),
            Request::SaslAuthenticate(request) => Some(Ok(login.authenticate(request).into())),
            _ => Some(Err(End::NotLoggedIn)),
        }
    }

    fn call(&self, head: &Head) -> Call {
        Call {
            id: RequestId(0),
            connection: self.id,
            version: head.version,
            client_id: head.client_id.clone(),
            client_host: self.client_host.clone(),
            advertised: Arc::clone(&self.advertised),
        }
    }

    async fn wait(
        &mut self,
        answer: Answer,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Result<Response, End> {
        if let Answer::Now(response) = answer {
            return Ok(response);
        }
        let mut stopping = self.stopping.clone();
        tokio::select! {
            biased;
            response = answer.wait() => Ok(response?),
            () = self.reader.watch(stream) => Err(FrameEnd::Gone.into()),
            () = last_answer_is_late(&mut stopping) => Err(End::Unanswered),
        }
    }
}

impl Drop for Connection {
    /// However it ends: also by a panic.
    fn drop(&mut self) {
        self.host.closed(self.id);
    }
}

/// Lets a sync begin; never returns.
async fn release(held: &mut Option<HeldSync>) {
    *held = None;
    std::future::pending().await
}

async fn write_turn(turn: Turn, ahead: &Ahead, stream: &mut impl Stream) -> Result<(), End> {
    if let Turn::Write(bytes) = turn {
        write_all(stream, bytes).await?;
        flush(stream).await?;
        ahead.written();
    }
    Ok(())
}

/// Returns when the broker stops and has waited long enough for answers that are under way.
async fn last_answer_is_late(stopping: &mut watch::Receiver<bool>) {
    stopped(stopping).await;
    tokio::time::sleep(LAST_ANSWER_TIMEOUT).await;
}

/// Returns when it is time to stop.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone has stopped as well.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Answers a message of SASL that came without a header in the same way; `None` is a refusal, which has no words.
async fn write_bare(answer: Option<Vec<u8>>, stream: &mut impl Stream) -> Result<(), End> {
    let Some(answer) = answer else {
        tokio::time::sleep(FAILED_LOGIN_PAUSE).await;
        return Err(End::Refused);
    };
    let length = u32::try_from(answer.len()).map_err(io::Error::other)?;
    write_all(stream, &[&length.to_be_bytes()[..], &answer].concat()[..]).await?;
    flush(stream).await
}

#[cfg(test)]
mod tests;
