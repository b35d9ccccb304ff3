//! The door through which checkpoints leave the step loop, and what a job goes on from.
//! Invariant: each worker hands in what a cut tells of its state piece by piece, to its end, cuts in order; worker 0 says where
//! the cut is. Nobody waits but the async side: when too much is on its way, the workers run steps instead. No runtime is named
//! here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use mainstem_core::Batch;
use mainstem_state::table::{Change, Piece};

use super::Loaded;
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

/// A part of what a cut tells of one worker's state.
#[derive(Debug)]
pub struct Saved {
    /// As it was asked for, or [`LAST`].
    pub number: u64,
    /// Who.
    pub worker: usize,
    /// From worker 0, in its first part.
    pub place: Option<CutPlace>,
    /// Rows.
    pub pieces: Vec<Piece>,
    /// Nothing more comes from this worker.
    pub complete: bool,
}

impl Saved {
    /// Memory that the rows keep, in bytes.
    pub fn size_bytes(&self) -> usize {
        let changes = self.pieces.iter().map(|piece| &piece.change.change);
        let batches = changes.flat_map(|change| match change {
            Change::Anew(rows) | Change::Added(rows) => rows.iter().chain(&[]),
            Change::Replaced { rows, removed, .. } => rows.iter().chain(removed),
        });
        batches.map(Batch::size_bytes).sum()
    }
}

/// What a job goes on from.
#[derive(Debug, Default)]
pub struct Restored {
    /// Of the plan that goes on; `None`: they know nothing.
    pub workers: Option<Loaded>,
    /// Where it was cut. The tasks that read a source number its splits as before, and announce only those that have not ended.
    pub place: CutPlace,
}

/// So many bytes may be on their way before workers run steps instead.
const UNDER_WAY_MAX: usize = 64 << 20;

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
    /// The wanted cut is to tell everything.
    whole: AtomicBool,
    /// The last cut of which all is stored.
    stored: AtomicU64,
    under_way_bytes: AtomicUsize,
    longest_hold_ms: AtomicU64,
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

    /// Asks for a cut, soon; of everything if `whole`, else of what changed since the cut before. Numbers ascend from 1. Only when
    /// the cut before was received to its end.
    pub fn ask(&self, number: u64, whole: bool) {
        self.whole.store(whole, Ordering::Release);
        self.wanted.fetch_max(number, Ordering::AcqRel);
        self.notify();
    }

    fn notify(&self) {
        if let Some(signal) = &self.lock().signal {
            signal.notify();
        }
    }

    /// What has so many bytes was stored, or is not wanted any more.
    pub fn is_done_with(&self, bytes: usize) {
        let before = self.under_way_bytes.fetch_sub(bytes, Ordering::AcqRel);
        if before >= UNDER_WAY_MAX && before - bytes < UNDER_WAY_MAX {
            self.notify();
        }
    }

    /// All that the cut `number` told is stored: the next one may tell what changed since.
    pub fn set_stored(&self, number: u64) {
        self.stored.store(number, Ordering::Release);
    }

    /// Whether the wanted cut is to be whole; for the last one: unless all is stored that the cut `before` told (0: there was
    /// none).
    pub(crate) fn whole(&self, number: u64, before: u64) -> bool {
        match number {
            LAST => before == 0 || self.stored.load(Ordering::Acquire) != before,
            _ => self.whole.load(Ordering::Acquire),
        }
    }

    /// The longest time in ms that went into checkpoints between two steps of a worker.
    pub fn longest_hold_ms(&self) -> u64 {
        self.longest_hold_ms.load(Ordering::Acquire)
    }

    pub(crate) fn note_hold(&self, hold_ms: i64) {
        let hold_ms = u64::try_from(hold_ms).unwrap_or(0);
        self.longest_hold_ms.fetch_max(hold_ms, Ordering::AcqRel);
    }

    /// Whether more can be put on its way.
    pub(crate) fn has_room(&self) -> bool {
        self.under_way_bytes.load(Ordering::Acquire) < UNDER_WAY_MAX
    }

    /// The next part, for which [`CheckpointPort::is_done_with`] is owed; `None` when the job has ended and all was received. Cancel safe.
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
        self.under_way_bytes.fetch_add(saved.size_bytes(), Ordering::AcqRel);
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
