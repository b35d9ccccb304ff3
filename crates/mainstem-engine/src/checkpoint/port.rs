//! The door through which checkpoints leave the step loop, and what a job goes on from.
//! Invariant: each worker hands in what it knows at a cut once, cuts in order; worker 0 says where the cut is. Nobody waits but
//! the async side. No runtime is named here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::{NodeState, SavedNode};
use crate::signal::Signal;

/// The number of the cut behind the last step of a job that ends in peace: nobody has to ask for it.
pub const LAST: u64 = u64::MAX;

/// How far a split was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SplitPosition {
    /// Where it goes on; `None`: nothing was taken.
    pub position: Option<Box<[u8]>>,
    /// It has ended.
    pub ended: bool,
}

/// By number of split.
pub type SplitPositions = BTreeMap<u32, SplitPosition>;

/// Where a checkpoint was cut.
#[derive(Debug, Clone)]
pub struct CutPlace {
    /// How far each source was taken, and whether it has ended.
    pub sources: Vec<(SplitPositions, bool)>,
    /// Processing time of the last step.
    pub now_ms: i64,
    /// All input has ended.
    pub ended: bool,
}

impl Default for CutPlace {
    /// Before the first step.
    fn default() -> Self {
        Self { sources: Vec::new(), now_ms: i64::MIN, ended: false }
    }
}

/// What one worker knew at a cut.
#[derive(Debug)]
pub struct Saved {
    /// As it was asked for, or [`LAST`].
    pub number: u64,
    /// Who.
    pub worker: usize,
    /// From worker 0.
    pub place: Option<CutPlace>,
    /// Node by node.
    pub nodes: Vec<NodeState>,
}

/// What a job goes on from.
#[derive(Debug, Default)]
pub struct Restored {
    /// As [`super::united`] gives them.
    pub nodes: Vec<SavedNode>,
    /// Where it was cut. The tasks that read a source number its splits as before, and announce only those that have not ended.
    pub place: CutPlace,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Saved>,
    finished: bool,
    waker: Option<Waker>,
    signal: Option<Arc<Signal>>,
}

/// Checkpoints of one job. One task asks and receives.
#[derive(Debug, Default)]
pub struct CheckpointPort {
    wanted: AtomicU64,
    /// A step was run since the last cut.
    changed: AtomicBool,
    state: Mutex<State>,
}

impl CheckpointPort {
    /// A port for a job.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a cut, soon. Numbers ascend from 1.
    pub fn ask(&self, number: u64) {
        self.wanted.fetch_max(number, Ordering::AcqRel);
        if let Some(signal) = &self.lock().signal {
            signal.notify();
        }
    }

    /// What the next worker knew; `None` when the job has ended and all was received. Cancel safe.
    pub async fn recv(&self) -> Option<Saved> {
        std::future::poll_fn(|cx| {
            let mut state = self.lock();
            if let Some(saved) = state.queue.pop_front() {
                return Poll::Ready(Some(saved));
            }
            if state.finished {
                return Poll::Ready(None);
            }
            state.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Whether a step was run since the last cut: otherwise another checkpoint would say the same.
    pub fn is_changed(&self) -> bool {
        self.changed.load(Ordering::Acquire)
    }

    pub(crate) fn set_changed(&self, changed: bool) {
        self.changed.store(changed, Ordering::Release);
    }

    pub(crate) fn wanted(&self) -> u64 {
        self.wanted.load(Ordering::Acquire)
    }

    pub(crate) fn attach(&self, signal: &Arc<Signal>) {
        self.lock().signal = Some(Arc::clone(signal));
    }

    pub(crate) fn put(&self, saved: Saved) {
        self.change(|state| state.queue.push_back(saved));
    }

    pub(crate) fn finish(&self) {
        self.change(|state| state.finished = true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
