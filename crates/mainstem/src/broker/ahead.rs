//! Answers to requests with records, which wait for the disk. On a socket they are written by the thread that has synced, in
//! the place of waking the connection's task for it: with few connections that is one wait for a processor less.
//! Invariant: answers leave in the order of their requests, and one at a time writes them. What the socket does not take at
//! once, and all that is for another stream, is left to the connection's task. A [`Waiter`] that is dropped is an answer that
//! never comes, and ends the connection.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf as _, Bytes};
use mainstem_broker::wire::{self, Head};
use mainstem_broker::{Outbound, Response};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::connection::End;

/// The answers of one connection, for its task.
pub(super) struct Ahead(Arc<Shared>);

/// Where the answer to one request goes.
pub(super) struct Waiter {
    connection: Arc<Shared>,
    number: u64,
    answered: bool,
}

/// A connection that has an answer to be written.
pub(super) struct Answered(Arc<Shared>);

struct Shared {
    /// Where answers may be written by anybody.
    socket: Option<Arc<TcpStream>>,
    state: Mutex<State>,
    /// For the task.
    changed: Notify,
    gone: AtomicBool,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Head, Option<Response>)>,
    /// Of the first that waits.
    first: u64,
    /// What the socket has not taken.
    rest: Bytes,
    /// Somebody writes; who has an answer then need not.
    writing: bool,
    /// The task waits until no more than so many are left.
    wanted: Option<usize>,
    end: Option<End>,
}

/// What the task is to do.
pub(super) enum Turn {
    /// To write this, and to say [`Ahead::written`].
    Write(Bytes),
    /// No more requests wait than it wanted.
    Few,
}

impl Ahead {
    pub(super) fn new(socket: Option<Arc<TcpStream>>) -> Self {
        let state = Mutex::default();
        Self(Arc::new(Shared {
            socket,
            state,
            changed: Notify::new(),
            gone: AtomicBool::new(false),
        }))
    }

    /// A request is about to be handed in.
    pub(super) fn push(&self, head: Head) -> Waiter {
        let mut state = self.0.lock();
        let number = state.first + state.waiting.len() as u64;
        state.waiting.push_back((head, None));
        Waiter { connection: Arc::clone(&self.0), number, answered: false }
    }

    /// How many have no answer yet.
    pub(super) fn len(&self) -> usize {
        self.0.lock().waiting.len()
    }

    /// Waits until there is something to do, or all but `wanted` answers are written. Cancel safe.
    pub(super) async fn turn(&self, wanted: Option<usize>) -> Result<Turn, End> {
        loop {
            if let Some(turn) = self.0.lock().turn(wanted)? {
                return Ok(turn);
            }
            self.0.changed.notified().await;
        }
    }

    /// What the task had to write is written.
    pub(super) fn written(&self) {
        self.0.lock().writing = false;
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.0.gone.store(true, Ordering::Relaxed);
    }
}

impl Waiter {
    /// Takes the answer; it is still to be written.
    pub(super) fn answer(mut self, response: Response) -> Answered {
        self.answered = true;
        let mut state = self.connection.lock();
        let place = self.number.checked_sub(state.first).map(|place| place as usize);
        if let Some((_, answer)) = place.and_then(|place| state.waiting.get_mut(place)) {
            *answer = Some(response);
        }
        drop(state);
        Answered(Arc::clone(&self.connection))
    }

    /// Whether nobody waits any more.
    pub(super) fn is_closed(&self) -> bool {
        self.connection.gone.load(Ordering::Relaxed)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if !self.answered {
            self.connection.lock().end = Some(End::Unanswered);
            self.connection.changed.notify_one();
        }
    }
}

impl Answered {
    /// Each connection once.
    pub(super) fn distinct(mut all: Vec<Self>) -> Vec<Self> {
        all.sort_unstable_by_key(|one| Arc::as_ptr(&one.0));
        all.dedup_by_key(|one| Arc::as_ptr(&one.0));
        all
    }

    /// Has the task write it.
    pub(super) fn leave_to_task(self) {
        self.0.changed.notify_one();
    }

    /// Writes it, and what comes meanwhile.
    pub(super) fn write(self) {
        let Some(socket) = &self.0.socket else { return self.leave_to_task() };
        let mut state = self.0.lock();
        if state.writing || !state.rest.is_empty() {
            return;
        }
        state.writing = true;
        loop {
            let answers = state.ready();
            if answers.is_empty() {
                break;
            }
            drop(state);
            let written = encoded(&answers).and_then(|mut bytes| {
                let taken = take_some(socket, &bytes)?;
                bytes.advance(taken);
                Ok(bytes)
            });
            state = self.0.lock();
            match written {
                Ok(rest) if rest.is_empty() => {}
                Ok(rest) => {
                    state.rest = rest;
                    break;
                }
                Err(end) => {
                    state.end = Some(end);
                    break;
                }
            }
        }
        state.writing = false;
        if state.concerns_task() {
            self.0.changed.notify_one();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the answers that may be written now.
    fn ready(&mut self) -> Vec<(Head, Response)> {
        let mut ready = Vec::new();
        while let Some((_, Some(_))) = self.waiting.front()
            && let Some((head, Some(response))) = self.waiting.pop_front()
        {
            self.first += 1;
            ready.push((head, response));
        }
        ready
    }

    fn turn(&mut self, wanted: Option<usize>) -> Result<Option<Turn>, End> {
        if let Some(end) = self.end.take() {
            return Err(end);
        }
        self.wanted = wanted;
        if self.writing {
            return Ok(None);
        }
        let mut bytes = std::mem::take(&mut self.rest);
        if bytes.is_empty() {
            bytes = encoded(&self.ready())?;
        }
        if !bytes.is_empty() {
            self.writing = true;
            return Ok(Some(Turn::Write(bytes)));
        }
        Ok(wanted.filter(|&wanted| self.waiting.len() <= wanted).map(|_| Turn::Few))
    }

    fn concerns_task(&self) -> bool {
        self.end.is_some()
            || !self.rest.is_empty()
            || self.wanted.is_some_and(|wanted| self.waiting.len() <= wanted)
    }
}

/// Answers as they are sent.
fn encoded(answers: &[(Head, Response)]) -> Result<Bytes, End> {
    let mut frames = Outbound::default();
    for (head, response) in answers {
        frames.append(wire::encode_response(head, response)?);
    }
    frames.read().map_err(End::Unloadable)
}

/// Writes as much as the socket takes now.
fn take_some(socket: &TcpStream, bytes: &[u8]) -> std::io::Result<usize> {
    match socket.try_write(bytes) {
        Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Ok(0),
        taken => taken,
    }
}

#[cfg(test)]
mod tests {
    use mainstem_broker::wire::{ProduceResponse, make};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn head(correlation_id: i32) -> Head {
        Head { api_key: 0, version: 8, correlation_id, client_id: None }
    }

    fn response() -> Response {
        Response::Produce(make(|_: &mut ProduceResponse| {}))
    }

    /// A client, and the end that answers are written to.
    async fn pair() -> (TcpStream, Arc<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let socket = listener.accept().await.unwrap().0;
        socket.writable().await.unwrap();
        (client, Arc::new(socket))
    }

    async fn read_answer(client: &mut TcpStream) -> i32 {
        let size = client.read_i32().await.unwrap();
        let correlation_id = client.read_i32().await.unwrap();
        client.read_exact(&mut vec![0; usize::try_from(size).unwrap() - 4]).await.unwrap();
        correlation_id
    }

    #[tokio::test]
    async fn answers_leave_in_the_order_of_their_requests() {
        let (mut client, socket) = pair().await;
        let ahead = Ahead::new(Some(socket));
        let [first, second, third] = [1, 2, 3].map(|id| ahead.push(head(id)));
        second.answer(response()).write();
        assert_eq!(ahead.len(), 3, "the first is not there yet");
        third.answer(Response::None).write();
        let answered = [first.answer(response()), ahead.push(head(4)).answer(response())];
        let mut answered = Answered::distinct(answered.into());
        assert_eq!(answered.len(), 1, "one connection");
        tokio::task::spawn_blocking(move || answered.remove(0).write()).await.unwrap();
        assert!(matches!(ahead.turn(Some(0)).await, Ok(Turn::Few)));
        for id in [1, 2, 4] {
            assert_eq!(read_answer(&mut client).await, id);
        }
    }

    #[tokio::test]
    async fn the_task_writes_what_is_left_to_it() {
        let ahead = Ahead::new(None);
        let [first, second] = [1, 2].map(|id| ahead.push(head(id)));
        first.answer(response()).write();
        let turn = ahead.turn(None).await;
        let Ok(Turn::Write(bytes)) = turn else { panic!("nothing to write") };
        assert_eq!(bytes[4..8], 1_i32.to_be_bytes());
        second.answer(response()).leave_to_task();
        assert!(ahead.0.lock().turn(None).unwrap().is_none(), "one at a time");
        ahead.written();
        assert!(matches!(ahead.turn(Some(0)).await, Ok(Turn::Write(_))));
        ahead.written();
        assert!(matches!(ahead.turn(Some(0)).await, Ok(Turn::Few)));
    }

    #[tokio::test]
    async fn a_socket_that_takes_no_more_leaves_the_rest_to_the_task() {
        let (mut client, socket) = pair().await;
        let mut filled = 0;
        while let Ok(count) = socket.try_write(&[0; 4096]) {
            filled += count;
        }
        let ahead = Ahead::new(Some(Arc::clone(&socket)));
        ahead.push(head(1)).answer(response()).write();
        ahead.push(head(2)).answer(response()).write();
        let reading = tokio::spawn(async move {
            client.read_exact(&mut vec![0; filled]).await.unwrap();
            [read_answer(&mut client).await, read_answer(&mut client).await]
        });
        let mut stream = super::super::send::Socket::of(socket);
        while let Turn::Write(bytes) = ahead.turn(Some(0)).await.unwrap() {
            stream.write_all(&bytes).await.unwrap();
            ahead.written();
        }
        assert_eq!(reading.await.unwrap(), [1, 2]);
    }

    #[tokio::test]
    async fn who_gets_no_answer_and_who_has_gone_end_the_connection() {
        let ahead = Ahead::new(None);
        let (lost, other) = (ahead.push(head(1)), ahead.push(head(2)));
        drop(lost);
        assert!(matches!(ahead.turn(None).await, Err(End::Unanswered)));
        assert!(!other.is_closed());
        drop(ahead);
        assert!(other.is_closed());
        other.answer(response()).write();

        let (client, socket) = pair().await;
        let ahead = Ahead::new(Some(Arc::clone(&socket)));
        client.set_zero_linger().unwrap();
        drop(client);
        socket.readable().await.unwrap();
        ahead.push(head(1)).answer(response()).write();
        assert!(matches!(ahead.turn(None).await, Err(End::Io(_))));
    }
}
