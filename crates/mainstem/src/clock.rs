//! The real clock: the one place where wall-clock time enters.
//! Invariant: everything else is given a [`Clock`] or a number of milliseconds.
#![expect(clippy::disallowed_methods, reason = "this file is the door for time")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use mainstem_core::clock::Clock;

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        // A clock that stands before 1970 counts down, as Java's does.
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        }
    }
}

/// A stopwatch for rates and summaries, which a clock that is set does not disturb.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Seconds since it was started.
    pub(crate) fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
