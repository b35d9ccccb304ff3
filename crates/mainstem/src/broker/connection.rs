//! One client's connection: requests in, answers out, in order.
//! Invariant: the next request is handled when the answer to the last one is written, so a client that does not read gets
//! nothing more done. Only requests that bring records may follow each other before the first is answered, up to
//! [`AHEAD_MAX`]: they wait for the disk, one sync is enough for all that came before it, and their answers leave together. A
//! request that cannot be read, a client that does not take its answer, and an answer that will never come end the
//! connection, and no other one. The broker is told of every end.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use mainstem_broker::wire::{self, FrameError, Head, StrBytes};
use mainstem_broker::{Call, ConnectionId, Endpoint, Request, RequestId, Response};
use tokio::io::AsyncRead;
use tokio::sync::{oneshot, watch};

use super::frames::{Budget, Frame, FrameEnd, FrameLimits, FrameReader};
use super::host::{Answer, Host, Stopped};
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

/// Requests with records whose answers wait for the disk, in their order.
type Ahead = VecDeque<(Head, oneshot::Receiver<Response>)>;

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
        }
    }

    /// The client has to log in first, if `login` is one.
    pub(super) fn with_login(mut self, login: Option<Login>) -> Self {
        self.login = login;
        self
    }

    /// Serves the client until one of both has enough.
    pub(super) async fn serve(mut self, mut stream: impl Stream) -> Result<(), End> {
        let mut ahead = VecDeque::new();
        while let Some(frame) = self.next(&mut ahead, &mut stream).await? {
            if let Some(login) = self.login.as_mut().filter(|login| login.awaits_bare_message()) {
                let answer = login.answer(&frame.bytes);
                write_bare(answer.ok(), &mut stream).await?;
                continue;
            }
            let (head, request) = wire::decode_request(frame.bytes.clone())?;
            let brings_records = matches!(request, Request::Produce(_));
            if !brings_records {
                self.finish(&mut ahead, &mut stream).await?;
            }
            let answer = match self.log_in(&request, head.version) {
                Some(answer) => Answer::Now(answer?),
                None => self.hand_in(&head, request)?,
            };
            // The records are in the log, or refused: their share is free for others.
            drop(frame);
            match answer {
                Answer::Later(waits) if brings_records => ahead.push_back((head, waits)),
                answer => {
                    self.finish(&mut ahead, &mut stream).await?;
                    let response = self.wait(answer, &mut stream).await?;
                    if self.login.as_ref().is_some_and(Login::has_failed) {
                        // Who guesses passwords gets few tries.
                        tokio::time::sleep(FAILED_LOGIN_PAUSE).await;
                    }
                    self.write(&head, response, &mut stream).await?;
                }
            }
            if self.login.as_ref().is_some_and(Login::has_failed) {
                return Err(End::Refused);
            }
        }
        Ok(())
    }

    /// The next request; answers that come before it are written. `None` when it is time to stop.
    async fn next(
        &mut self,
        ahead: &mut Ahead,
        stream: &mut impl Stream,
    ) -> Result<Option<Frame>, End> {
        loop {
            if ahead.len() >= AHEAD_MAX {
                self.finish_one(ahead, stream).await?;
            }
            let limits = self.limits();
            let mut stopping = self.stopping.clone();
            let response = tokio::select! {
                biased;
                Some(response) = first(ahead) => response,
                frame = self.reader.next(stream, limits) => return Ok(Some(frame?)),
                () = stopped(&mut stopping) => {
                    self.finish(ahead, stream).await?;
                    return Ok(None);
                }
            };
            let Some((head, _)) = ahead.pop_front() else { continue };
            let mut answers = wire::encode_response(&head, &response.map_err(|_| Stopped)?)?;
            // One sync answers several: the client hears of them at once.
            while let Some((head, waits)) = ahead.front_mut()
                && let Ok(response) = waits.try_recv()
            {
                answers.append(wire::encode_response(head, &response)?);
                ahead.pop_front();
            }
            send(answers, &self.budget, stream).await?;
        }
    }

    /// Answers all that waits for the disk.
    async fn finish(&mut self, ahead: &mut Ahead, stream: &mut impl Stream) -> Result<(), End> {
        while !ahead.is_empty() {
            self.finish_one(ahead, stream).await?;
        }
        Ok(())
    }

    async fn finish_one(&mut self, ahead: &mut Ahead, stream: &mut impl Stream) -> Result<(), End> {
        let Some((head, waits)) = ahead.pop_front() else { return Ok(()) };
        let response = self.wait(Answer::Later(waits), stream).await?;
        self.write(&head, response, stream).await
    }

    fn limits(&self) -> FrameLimits {
        match &self.login {
            Some(login) if login.awaits_bare_message() => FrameLimits::BARE_MESSAGE,
            Some(login) if !login.is_done() => FrameLimits::UNAUTHENTICATED,
            _ => FrameLimits::OPEN,
        }
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

    fn hand_in(&self, head: &Head, request: Request) -> Result<Answer, End> {
        let call = Call {
            id: RequestId(0),
            connection: self.id,
            version: head.version,
            client_id: head.client_id.clone(),
            client_host: self.client_host.clone(),
            advertised: Arc::clone(&self.advertised),
        };
        Ok(self.host.call(call, request)?)
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
            () = async {
                stopped(&mut stopping).await;
                tokio::time::sleep(LAST_ANSWER_TIMEOUT).await;
            } => Err(End::Unanswered),
        }
    }

    async fn write(
        &self,
        head: &Head,
        response: Response,
        stream: &mut impl Stream,
    ) -> Result<(), End> {
        send(wire::encode_response(head, &response)?, &self.budget, stream).await
    }
}

impl Drop for Connection {
    /// However it ends: also by a panic.
    fn drop(&mut self) {
        self.host.closed(self.id);
    }
}

/// The answer that is to be written next; `None` if there is none.
async fn first(ahead: &mut Ahead) -> Option<Result<Response, oneshot::error::RecvError>> {
    let (_, waits) = ahead.front_mut()?;
    Some(waits.await)
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
