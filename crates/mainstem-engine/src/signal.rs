//! Waking a parked step loop, and letting workers meet.
//! Invariant: a notification that comes before the wait is not lost. A barrier that was broken releases everybody, so
//! a worker that fails never leaves the others hanging.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Wakes one waiting thread.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    pub(crate) fn notify(&self) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Parks until notified or until `timeout` has passed.
    pub(crate) fn wait(&self, timeout: Option<Duration>) {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        match timeout {
            None => {
                while !*raised {
                    raised = self.changed.wait(raised).unwrap_or_else(PoisonError::into_inner);
                }
            }
            Some(timeout) => {
                (raised, _) = self
                    .changed
                    .wait_timeout_while(raised, timeout, |raised| !*raised)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
        *raised = false;
    }
}

/// The barrier was broken: leave.
#[derive(Debug)]
pub(crate) struct Broken;

/// A barrier for a fixed number of threads, used again and again.
#[derive(Debug)]
pub(crate) struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
    broken: AtomicBool,
    parking: Mutex<()>,
    turned: Condvar,
}

/// How often a waiting thread looks before it parks: about a microsecond.
const SPINS: usize = 64;

impl Barrier {
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            threads,
            arrived: AtomicUsize::new(0),
            round: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            parking: Mutex::new(()),
            turned: Condvar::new(),
        }
    }

    /// Returns when all threads have come, or when the barrier is broken.
    pub(crate) fn wait(&self) -> Result<(), Broken> {
        if self.threads > 1 {
            let round = self.round.load(Ordering::Acquire);
            if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
                self.arrived.store(0, Ordering::Release);
                self.turn(|| self.round.store(round.wrapping_add(1), Ordering::Release));
            } else {
                self.wait_for_turn(round);
            }
        }
        if self.broken.load(Ordering::Acquire) { Err(Broken) } else { Ok(()) }
    }

    fn waits(&self, round: usize) -> bool {
        self.round.load(Ordering::Acquire) == round && !self.broken.load(Ordering::Acquire)
    }

    fn wait_for_turn(&self, round: usize) {
        for _ in 0..SPINS {
            if !self.waits(round) {
                return;
            }
            std::hint::spin_loop();
        }
        let mut parked = self.parking.lock().unwrap_or_else(PoisonError::into_inner);
        while self.waits(round) {
            parked = self.turned.wait(parked).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Releases everybody, now and for ever.
    pub(crate) fn shatter(&self) {
        self.turn(|| self.broken.store(true, Ordering::Release));
    }

    fn turn(&self, change: impl FnOnce()) {
        let parked = self.parking.lock().unwrap_or_else(PoisonError::into_inner);
        change();
        drop(parked);
        self.turned.notify_all();
    }
}
