//! While a job runs: which positions have left the pipeline, so that their sources may store them.
//! Invariant: a position is acknowledged only after every sink has flushed all that could have come of what stands
//! before it. It errs on the late side: an idle pipeline may keep its last positions until it ends.
//!
//! A round goes through the pipeline once, from left to right:
//! 1. note the positions of all readers, and how many bytes were offered to each port;
//! 2. wait until the engine has decoded so many bytes, and then until the step that did it is over on all workers;
//! 3. as often as there are tables that rows wait for, one after the other: wait until no row waits that came by now, and
//!    then until the step that let the last one out is over;
//! 4. note how many items were encoded for each sink, and wait until each sink has flushed so many.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstem_connectors::api::Position;
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::{Batch, Result};
use mainstem_engine::progress::Progress;
use tokio::sync::watch;

/// By number of split.
pub(super) type Positions = BTreeMap<u32, Position>;

/// How far the readers of a source are.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Of payloads that were handed in.
    pub(super) positions: Positions,
    /// Of payloads that were handed in or wait to be.
    pub(super) bytes_offered: u64,
}

/// Shared by the readers of a source and the acknowledger.
#[derive(Debug, Default)]
pub(super) struct SourceGauge(Mutex<Sent>);

impl SourceGauge {
    pub(super) fn lock(&self) -> MutexGuard<'_, Sent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shared by the encoders of a sink, its task and the acknowledger.
#[derive(Debug, Default)]
pub(super) struct SinkGauge {
    encoded: AtomicU64,
    flushed: AtomicU64,
}

impl SinkGauge {
    /// All of the first `items` items are flushed.
    pub(super) fn set_flushed(&self, items: u64) {
        self.flushed.store(items, Ordering::Release);
    }

    /// `inner`, counted.
    pub(super) fn counted(self: &Arc<Self>, inner: Box<dyn Encode>) -> Box<dyn Encode> {
        Box::new(Counted { inner, gauge: Arc::clone(self) })
    }
}

struct Counted {
    inner: Box<dyn Encode>,
    gauge: Arc<SinkGauge>,
}

impl Encode for Counted {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        let encoded = self.inner.encode(batch)?;
        self.gauge.encoded.fetch_add(1, Ordering::Release);
        Ok(encoded)
    }
}

#[derive(Debug)]
enum Phase {
    Resting,
    /// Until so many bytes of each source are decoded.
    Decoding(Vec<u64>),
    /// Until so many steps are over; then rows wait for answers up to so many times.
    Stepping(u64, usize),
    /// Until all rows of so many steps are answered.
    Answering(u64, usize),
    /// Until so many items of each sink are flushed.
    Flushing(Vec<u64>),
}

/// Goes through the rounds. Asked a few times a second.
#[derive(Debug)]
pub(super) struct Acknowledger {
    /// With the channel to the task that owns the source.
    sources: Vec<(Arc<SourceGauge>, watch::Sender<Positions>)>,
    sinks: Vec<Arc<SinkGauge>>,
    /// Tables that are asked.
    lookups: usize,
    /// Of this round.
    positions: Vec<Positions>,
    phase: Phase,
}

impl Acknowledger {
    /// For the sources and sinks of a job, in the order of its plan, and the number of its lookups.
    pub(super) fn new(
        sources: Vec<(Arc<SourceGauge>, watch::Sender<Positions>)>,
        sinks: Vec<Arc<SinkGauge>>,
        lookups: usize,
    ) -> Self {
        let positions = vec![Positions::new(); sources.len()];
        Self { sources, sinks, lookups, positions, phase: Phase::Resting }
    }

    /// Goes as far as `progress` allows.
    pub(super) fn advance(&mut self, progress: &Progress) {
        while self.step(progress) {}
    }

    /// One phase; false if there is something to wait for.
    fn step(&mut self, progress: &Progress) -> bool {
        match &self.phase {
            Phase::Resting => {
                let sent = self.sources.iter().map(|(gauge, _)| gauge.lock());
                let (positions, bytes): (Vec<_>, Vec<_>) =
                    sent.map(|sent| (sent.positions.clone(), sent.bytes_offered)).unzip();
                if positions == self.positions {
                    return false;
                }
                self.positions = positions;
                self.phase = Phase::Decoding(bytes);
            }
            Phase::Decoding(bytes) => {
                if progress.sources.iter().zip(bytes).any(|(source, &bytes)| source.bytes < bytes) {
                    return false;
                }
                // The step that is running may hold the last of them; worker 0 counts a step when it is through
                // with it, and all workers are when the next one is counted as well.
                self.phase = Phase::Stepping(progress.steps + 2, self.lookups);
            }
            Phase::Stepping(steps, _) if progress.steps < *steps => return false,
            Phase::Stepping(_, lookups @ 1..) => {
                self.phase = Phase::Answering(progress.steps, lookups - 1);
            }
            Phase::Answering(steps, lookups) => {
                if progress.waiting_since.is_some_and(|since| since <= *steps) {
                    return false;
                }
                // Rows may wait for the next table now, or be on their way to a sink in the step that is running.
                self.phase = Phase::Stepping(progress.steps + 2, *lookups);
            }
            Phase::Stepping(_, 0) => {
                let encoded = self.sinks.iter().map(|gauge| gauge.encoded.load(Ordering::Acquire));
                self.phase = Phase::Flushing(encoded.collect());
            }
            Phase::Flushing(items) => {
                let flushed = self.sinks.iter().map(|gauge| gauge.flushed.load(Ordering::Acquire));
                if flushed.zip(items).any(|(flushed, &items)| flushed < items) {
                    return false;
                }
                for ((_, tell), positions) in self.sources.iter().zip(&self.positions) {
                    tell.send_replace(positions.clone());
                }
                self.phase = Phase::Resting;
                // One round a call: the numbers in `progress` are those of its start.
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use mainstem_engine::progress::SourceProgress;

    use super::*;

    struct World {
        source: Arc<SourceGauge>,
        sink: Arc<SinkGauge>,
        told: watch::Receiver<Positions>,
        acknowledger: Acknowledger,
        waiting_since: Option<u64>,
    }

    fn world() -> World {
        let (source, sink) = (Arc::new(SourceGauge::default()), Arc::new(SinkGauge::default()));
        let (tell, told) = watch::channel(Positions::new());
        let sources = vec![(Arc::clone(&source), tell)];
        let acknowledger = Acknowledger::new(sources, vec![Arc::clone(&sink)], 0);
        World { source, sink, told, acknowledger, waiting_since: None }
    }

    impl World {
        fn send(&self, position: u8, bytes: u64) {
            let mut sent = self.source.lock();
            sent.bytes_offered += bytes;
            sent.positions.insert(0, Position(vec![position]));
        }

        /// The position that is known to the source after the engine has come so far.
        fn after(&mut self, bytes: u64, steps: u64, flushed: u64) -> Option<u8> {
            self.sink.set_flushed(flushed);
            let source = SourceProgress { bytes, ..SourceProgress::default() };
            let waiting_since = self.waiting_since;
            let progress =
                Progress { sources: vec![source], steps, waiting_since, ..Progress::default() };
            self.acknowledger.advance(&progress);
            self.told.borrow().get(&0).map(|position| position.0[0])
        }
    }

    #[test]
    fn a_position_waits_for_decoding_steps_and_flush() {
        let mut world = world();
        assert_eq!(world.after(0, 0, 0), None);
        world.send(1, 100);
        assert_eq!(world.after(99, 5, 0), None, "not decoded");
        world.send(2, 50);
        assert_eq!(world.after(100, 5, 0), None, "the step may not be over");
        assert_eq!(world.after(150, 6, 0), None, "not on all workers");
        world.sink.encoded.store(3, Ordering::Release);
        assert_eq!(world.after(150, 7, 2), None, "not flushed");
        world.sink.encoded.store(9, Ordering::Release);
        assert_eq!(world.after(150, 7, 3), Some(1), "what came after the note may wait");
        assert_eq!(world.after(150, 7, 3), Some(1));
        assert_eq!(world.after(150, 9, 8), Some(1));
        assert_eq!(world.after(150, 9, 9), Some(2));
    }

    #[test]
    fn a_position_waits_for_the_answers_of_each_table() {
        let mut world = world();
        world.acknowledger.lookups = 2;
        world.send(1, 100);
        assert_eq!(world.after(100, 5, 0), None, "the step may not be over");
        world.waiting_since = Some(6);
        assert_eq!(world.after(100, 7, 0), None, "the first table has not answered");
        world.waiting_since = Some(7);
        assert_eq!(world.after(100, 20, 0), None);
        world.waiting_since = Some(21);
        assert_eq!(world.after(100, 21, 0), None, "rows may wait for the second table now");
        assert_eq!(world.after(100, 23, 0), None, "it has not answered");
        world.waiting_since = None;
        assert_eq!(world.after(100, 24, 0), None, "they may be on their way to the sink");
        assert_eq!(world.after(100, 25, 0), None);
        world.sink.encoded.store(3, Ordering::Release);
        assert_eq!(world.after(100, 26, 2), None, "not flushed");
        assert_eq!(world.after(100, 26, 3), Some(1));
    }

    #[test]
    fn what_waits_before_the_port_counts_as_offered() {
        let mut world = world();
        world.send(1, 10);
        world.source.lock().bytes_offered += 10;
        assert_eq!(world.after(10, 3, 0), None);
        assert_eq!(world.after(10, 9, 0), None, "another reader may have been first in the port");
        assert_eq!(world.after(20, 9, 0), None);
        assert_eq!(world.after(20, 11, 0), Some(1));
    }
}
