//! The door between lookup joins and the tables outside that they ask: keys go out, rows come back.
//! Invariant: each question that was taken is answered once, in any order, or the job ends; an answer wakes the step
//! loop. A worker has at most [`QUESTIONS_MAX`] questions open, each of at most [`QUESTION_KEYS_MAX`] keys, so the
//! queues are bounded by what asks. No runtime is named here; nobody waits but the async side.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use mainstem_core::Batch;

use crate::signal::Signal;

/// The most keys in a question.
pub const QUESTION_KEYS_MAX: usize = 1024;
/// The most questions of one worker that wait for an answer; more keys wait in the operator.
pub const QUESTIONS_MAX: usize = 8;
/// With so many rows waiting for answers, a worker, on average, no step takes more of the input.
pub const ROWS_WAITING_MAX: usize = 1 << 16;

/// What a lookup join remembers of answers (Flink's `lookup.cache` = PARTIAL).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSpec {
    /// The most rows a worker keeps; a key without rows counts as one. `None`: no bound.
    pub rows_max: Option<usize>,
    /// An answer is used for so long.
    pub expire_after_write_ms: Option<i64>,
    /// An answer that was not used for so long is forgotten.
    pub expire_after_access_ms: Option<i64>,
    /// That a key has no rows is remembered too.
    pub missing_keys: bool,
}

/// Whose question it is; what its answer is addressed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    pub(crate) worker: usize,
    pub(crate) number: u64,
}

/// Keys without NULLs whose rows are wanted; a key may be there more than once.
#[derive(Debug, Clone)]
pub struct Question {
    /// For [`LookupPort::answer`].
    pub ticket: Ticket,
    /// One row a key, in the order of the join's keys.
    pub keys: Batch,
}

/// What the table has for the keys of a question.
#[derive(Debug, Clone)]
pub struct Answer {
    /// That of the question.
    pub ticket: Ticket,
    /// By row of `rows`, which key of the question it is for.
    pub keys: Vec<u32>,
    /// The rows of all keys, in any order.
    pub rows: Batch,
}

#[derive(Debug, Default)]
struct State {
    questions: VecDeque<Question>,
    answers: Vec<Answer>,
    /// The engine will ask no more.
    finished: bool,
    waker: Option<Waker>,
    signal: Option<Arc<Signal>>,
}

/// Where the questions of one lookup join leave the engine and their answers enter it. One task takes questions.
#[derive(Debug, Default)]
pub struct LookupPort {
    state: Mutex<State>,
}

impl LookupPort {
    /// A port without questions.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next question, in the order in which a worker asks; `None` when the pipeline has ended. Cancel safe.
    pub async fn next(&self) -> Option<Question> {
        std::future::poll_fn(|cx| {
            let mut state = self.lock();
            if state.finished {
                return Poll::Ready(None);
            }
            if let Some(question) = state.questions.pop_front() {
                return Poll::Ready(Some(question));
            }
            state.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Hands in an answer. What comes after the end of the pipeline is dropped.
    pub fn answer(&self, answer: Answer) {
        let mut state = self.lock();
        if !state.finished {
            state.answers.push(answer);
            if let Some(signal) = &state.signal {
                signal.notify();
            }
        }
    }

    /// Questions that nobody has taken.
    pub fn queued_questions(&self) -> usize {
        self.lock().questions.len()
    }

    /// Who is to be woken when an answer comes.
    pub(crate) fn attach(&self, signal: &Arc<Signal>) {
        self.lock().signal = Some(Arc::clone(signal));
    }

    pub(crate) fn ask(&self, questions: impl IntoIterator<Item = Question>) {
        let mut state = self.lock();
        state.questions.extend(questions);
        let waker = if state.questions.is_empty() { None } else { state.waker.take() };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What was answered since the last call.
    pub(crate) fn take_answers(&self) -> Vec<Answer> {
        std::mem::take(&mut self.lock().answers)
    }

    /// Says that nothing more will be asked, and that nobody waits for an answer.
    pub(crate) fn finish(&self) {
        let mut state = self.lock();
        state.finished = true;
        (state.questions, state.answers) = Default::default();
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
