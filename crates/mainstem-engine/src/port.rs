//! The doors between async edges and the step loop: bounded queues of payloads in, encoded rows out.
//! Invariant: a port holds at most its bound (one item may go over it, so that an item larger than the bound passes);
//! who is too fast waits, the async side by its waker, the engine by parking. Payloads that nobody has read hold
//! nothing; they have a bound of their own. No runtime is named here.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use mainstem_core::egress::Encoded;
use mainstem_core::ingest::Payload;
use mainstem_core::{Error, Result};

use crate::signal::Signal;

/// The bound of an input port, unless another is asked for.
pub const INPUT_BYTES_MAX: usize = 4 << 20;
/// How much may wait in an input port without having been read: the next step of some workers.
const UNREAD_BYTES_MAX: usize = 32 << 20;
/// The bound of an output port, unless another is asked for.
pub const OUTPUT_BYTES_MAX: usize = 8 << 20;

/// What a reader has put into a port.
#[allow(clippy::large_enum_variant, reason = "nearly all of them are payloads")]
#[derive(Debug)]
pub(crate) enum Event {
    Added(u32),
    Payload { split: u32, payload: Payload, bytes: usize, position: Option<Box<[u8]>> },
    Ended(u32),
}

#[derive(Debug, Default)]
struct InputState {
    events: VecDeque<Event>,
    /// Bytes that wait in memory.
    bytes: usize,
    /// Bytes that wait in files.
    unread_bytes: usize,
    finished: bool,
    /// The engine takes no more.
    closed: bool,
    wakers: Vec<Waker>,
    signal: Option<Arc<Signal>>,
}

/// Where payloads of one source enter the engine. Shared by the tasks that read the source's splits.
#[derive(Debug)]
pub struct InputPort {
    bytes_max: usize,
    state: Mutex<InputState>,
}

/// What the engine took out of an input port.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) events: Vec<Event>,
    /// Nothing is left and nothing will come.
    pub(crate) finished: bool,
}

impl InputState {
    /// What the bytes of `payload` count towards, and the bound of that.
    fn room_for(&mut self, payload: &Payload, bytes_max: usize) -> (&mut usize, usize) {
        match payload {
            Payload::Unread(_) => (&mut self.unread_bytes, UNREAD_BYTES_MAX),
            _ => (&mut self.bytes, bytes_max),
        }
    }
}

impl InputPort {
    /// A port that holds at most `bytes_max`.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, InputState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, event: Event) {
        let mut state = self.lock();
        if !state.closed {
            state.events.push_back(event);
            if let Some(signal) = &state.signal {
                signal.notify();
            }
        }
    }

    /// Announces a split, before its first payload: from now on the watermark waits for it.
    pub fn add_split(&self, split: u32) {
        self.put(Event::Added(split));
    }

    /// Hands in a payload of `bytes` bytes; waits while the port is full. Fails once the pipeline has ended. Cancel
    /// safe: a payload whose future is dropped before it is ready was not handed in.
    pub async fn send(&self, split: u32, payload: Payload, bytes: usize) -> Result<()> {
        self.send_to(split, payload, bytes, None).await
    }

    /// As [`InputPort::send`]; `position` is where the split goes on behind the payload, for checkpoints.
    pub async fn send_to(
        &self,
        split: u32,
        payload: Payload,
        bytes: usize,
        mut position: Option<Box<[u8]>>,
    ) -> Result<()> {
        let mut payload = Some(payload);
        std::future::poll_fn(|cx| {
            let mut state = self.lock();
            if state.closed {
                return Poll::Ready(Err(Error::unavailable("the pipeline has ended")));
            }
            let Some(handed) = &payload else { return Poll::Ready(Ok(())) };
            let (waiting, most) = state.room_for(handed, self.bytes_max);
            if *waiting > 0 && *waiting + bytes > most {
                if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                    state.wakers.push(cx.waker().clone());
                }
                return Poll::Pending;
            }
            *waiting += bytes;
            if let Some(payload) = payload.take() {
                let position = position.take();
                state.events.push_back(Event::Payload { split, payload, bytes, position });
                if let Some(signal) = &state.signal {
                    signal.notify();
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Says that a split has ended; it no longer holds the watermark back.
    pub fn close_split(&self, split: u32) {
        self.put(Event::Ended(split));
    }

    /// Says that all splits have ended and no more will come: end of input.
    pub fn finish(&self) {
        let mut state = self.lock();
        state.finished = true;
        if let Some(signal) = &state.signal {
            signal.notify();
        }
    }

    /// Bytes that wait.
    pub fn queued_bytes(&self) -> usize {
        let state = self.lock();
        state.bytes + state.unread_bytes
    }

    /// Who is to be woken when something arrives.
    pub(crate) fn attach(&self, signal: &Arc<Signal>) {
        self.lock().signal = Some(Arc::clone(signal));
    }

    /// Takes what has arrived, up to about `bytes_max` bytes and `rows_max` known rows; at least one payload.
    pub(crate) fn take(&self, bytes_max: usize, rows_max: usize) -> Taken {
        let mut state = self.lock();
        let mut taken = Taken::default();
        let (mut bytes, mut rows) = (0, 0);
        while bytes < bytes_max
            && rows < rows_max
            && let Some(event) = state.events.pop_front()
        {
            if let Event::Payload { payload, bytes: size, .. } = &event {
                bytes += size;
                *state.room_for(payload, 0).0 -= size;
                rows += match payload {
                    Payload::Messages(messages) => messages.len(),
                    Payload::Rows(range) => range.count as usize,
                    Payload::Batch(batch) => batch.rows(),
                    _ => 0,
                };
            }
            taken.events.push(event);
        }
        taken.finished = state.finished && state.events.is_empty();
        let wakers = if bytes > 0 { std::mem::take(&mut state.wakers) } else { Vec::new() };
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        taken
    }

    /// Refuses everything from now on.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.events.clear();
        (state.bytes, state.unread_bytes) = (0, 0);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// What comes out of an output port.
#[allow(clippy::large_enum_variant, reason = "nearly all of them are rows")]
#[derive(Debug)]
pub enum Outgoing {
    /// Rows of a step.
    Rows(Encoded),
    /// All rows of the steps before a checkpoint have come out, and none of those after it.
    Cut(u64),
}

#[derive(Debug, Default)]
struct OutputState {
    queue: VecDeque<Outgoing>,
    bytes: usize,
    /// The engine will push no more.
    finished: bool,
    /// A push does not wait any more.
    released: bool,
    waker: Option<Waker>,
}

/// Where encoded rows of one sink leave the engine. One task receives.
#[derive(Debug)]
pub struct OutputPort {
    bytes_max: usize,
    state: Mutex<OutputState>,
    drained: Condvar,
}

/// The output port was released: the pipeline is being stopped.
#[derive(Debug)]
pub(crate) struct Released;

impl OutputPort {
    /// A port that holds at most `bytes_max`.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, state: Mutex::default(), drained: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, OutputState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next rows, in step order per worker; `None` when the pipeline has ended and all was received. Cancel safe.
    pub async fn recv(&self) -> Option<Outgoing> {
        std::future::poll_fn(|cx| {
            let mut state = self.lock();
            if let Some(outgoing) = state.queue.pop_front() {
                if let Outgoing::Rows(encoded) = &outgoing {
                    state.bytes -= encoded.size_bytes().min(state.bytes);
                }
                drop(state);
                self.drained.notify_all();
                return Poll::Ready(Some(outgoing));
            }
            if state.finished {
                return Poll::Ready(None);
            }
            state.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Bytes that wait.
    pub fn queued_bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Hands rows over; parks while the port is full.
    pub(crate) fn push(&self, encoded: Encoded) -> Result<(), Released> {
        let bytes = encoded.size_bytes();
        let full = |state: &mut OutputState| {
            !state.released && state.bytes > 0 && state.bytes + bytes > self.bytes_max
        };
        let mut state =
            self.drained.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        if state.released {
            return Err(Released);
        }
        state.bytes += bytes;
        Self::put(state, Outgoing::Rows(encoded));
        Ok(())
    }

    /// Says that a checkpoint is cut here.
    pub(crate) fn push_cut(&self, number: u64) {
        Self::put(self.lock(), Outgoing::Cut(number));
    }

    fn put(mut state: MutexGuard<'_, OutputState>, outgoing: Outgoing) {
        state.queue.push_back(outgoing);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Lets nobody wait in [`OutputPort::push`] any more.
    pub(crate) fn release(&self) {
        self.lock().released = true;
        self.drained.notify_all();
    }

    /// Says that nothing more will be pushed.
    pub(crate) fn finish(&self) {
        let mut state = self.lock();
        state.finished = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
