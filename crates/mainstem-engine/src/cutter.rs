//! Cuts one step through all sources of a pipeline, on worker 0, and deals the payloads to the workers.
//! Invariant: a payload is in exactly one step; payloads of a source reach workers in contiguous pieces, so reading
//! the workers in order is reading the source in order. When there is nothing to do the thread is parked.

use std::sync::Arc;
use std::time::Duration;

use mainstem_core::clock::Clock;
use mainstem_core::ingest::Payload;

use crate::ops::watermark::SplitEvents;
use crate::port::{Event, InputPort};
use crate::signal::Signal;
use crate::worker::StepHeader;

/// A payload for a worker.
#[derive(Debug)]
pub(crate) struct Assigned {
    pub(crate) source: usize,
    pub(crate) split: u32,
    pub(crate) payload: Payload,
    pub(crate) bytes: usize,
}

/// A step, ready to be run.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) header: StepHeader,
    /// For each worker, in order.
    pub(crate) payloads: Vec<Vec<Assigned>>,
    /// There is no step after this one.
    pub(crate) last: bool,
}

/// What the outside asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Request {
    Run,
    /// Handle what is in the ports, then stop.
    Drain,
    /// The same, and then treat it as the end of input.
    DrainAndClose,
    Stop,
}

pub(crate) struct Cutter {
    pub(crate) ports: Vec<Arc<InputPort>>,
    pub(crate) signal: Arc<Signal>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) workers: usize,
    pub(crate) bytes_max: usize,
    pub(crate) rows_max: usize,
    pub(crate) finished: Vec<bool>,
    pub(crate) started: bool,
    /// Processing time never goes back.
    pub(crate) now_ms: i64,
}

impl Cutter {
    /// The next step; parks until there is one. `None`: stop.
    pub(crate) fn next(
        &mut self,
        next_timer_ms: Option<i64>,
        request: impl Fn() -> Request,
    ) -> Option<Cut> {
        loop {
            // Looked at before the ports, so that what came before the request is handled.
            let asked = request();
            if asked == Request::Stop {
                return None;
            }
            self.now_ms = self.now_ms.max(self.clock.now_ms());
            let mut cut = self.take();
            let idle = cut.payloads.iter().all(Vec::is_empty)
                && cut.header.sources.iter().zip(&self.finished).all(|(events, &before)| {
                    events.added.is_empty() && events.ended.is_empty() && events.finished == before
                });
            for (before, events) in self.finished.iter_mut().zip(&cut.header.sources) {
                *before = events.finished;
            }
            let due = next_timer_ms.is_some_and(|timer| timer <= self.now_ms);
            if idle && asked == Request::Drain {
                return None;
            }
            if idle && asked == Request::DrainAndClose {
                cut.header.sources.iter_mut().for_each(|events| events.finished = true);
            }
            cut.last = cut.header.sources.iter().all(|events| events.finished);
            if !idle || due || !self.started || cut.last {
                self.started = true;
                return Some(cut);
            }
            let timeout = next_timer_ms.map(|timer| (timer - self.now_ms).max(1) as u64);
            self.signal.wait(timeout.map(Duration::from_millis));
        }
    }

    fn take(&self) -> Cut {
        let mut header = StepHeader { now_ms: self.now_ms, sources: Vec::new() };
        let mut all = Vec::new();
        for (source, port) in self.ports.iter().enumerate() {
            let taken = port.take(self.bytes_max, self.rows_max);
            let mut events = SplitEvents { finished: taken.finished, ..SplitEvents::default() };
            for event in taken.events {
                match event {
                    Event::Added(split) => events.added.push(split),
                    Event::Ended(split) => events.ended.push(split),
                    Event::Payload { split, payload, bytes } => {
                        all.push(Assigned { source, split, payload, bytes });
                    }
                }
            }
            header.sources.push(events);
        }
        Cut { header, payloads: deal(all, self.workers), last: false }
    }
}

/// Cuts the payloads into one contiguous piece per worker, of about the same number of bytes.
fn deal(all: Vec<Assigned>, workers: usize) -> Vec<Vec<Assigned>> {
    let total: usize = all.iter().map(|payload| payload.bytes.max(1)).sum();
    let mut pieces: Vec<Vec<Assigned>> = std::iter::repeat_with(Vec::new).take(workers).collect();
    let mut before = 0;
    for payload in all {
        let size = payload.bytes.max(1);
        let middle = before + size / 2;
        before += size;
        pieces[(middle * workers / total).min(workers - 1)].push(payload);
    }
    pieces
}
