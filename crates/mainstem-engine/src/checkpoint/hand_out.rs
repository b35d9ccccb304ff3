//! One worker's side of checkpoints: it cuts, and hands out what it knew at the cut between the steps that follow.
//! Invariant: between two steps no more than a few milliseconds go into a checkpoint, whatever its size; a cut is handed out to
//! its end before there is another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mainstem_core::Result;
use mainstem_core::clock::Clock;

use super::port::{CheckpointPort, CutPlace, Saved};
use crate::worker::Worker;

/// So many rows are asked for at a time.
const ROWS: usize = 4_096;
/// After so long between two steps the next one is run.
const HOLD_MS: i64 = 3;

pub(crate) struct HandOut {
    port: Arc<CheckpointPort>,
    clock: Arc<dyn Clock>,
    /// How many workers of the job have something to hand out.
    busy: Arc<AtomicUsize>,
    /// The cut that is not handed out to its end.
    under_way: Option<u64>,
    /// The cut before; 0: there was none.
    before: u64,
}

impl HandOut {
    pub(crate) fn new(
        port: Arc<CheckpointPort>,
        clock: Arc<dyn Clock>,
        busy: Arc<AtomicUsize>,
    ) -> Self {
        Self { port, clock, busy, under_way: None, before: 0 }
    }

    /// Cuts behind a step; `place` from worker 0.
    pub(crate) fn begin(
        &mut self,
        worker: &mut Worker,
        number: u64,
        place: Option<CutPlace>,
    ) -> Result<()> {
        let from_ms = self.clock.now_ms();
        let whole = self.port.whole(number, self.before);
        let index = worker.index();
        let pieces = worker.cut(whole, index == 0)?;
        self.before = number;
        self.under_way = Some(number);
        self.busy.fetch_add(1, Ordering::AcqRel);
        self.port.put(Saved { number, worker: index, place, pieces, complete: false });
        self.port.note_hold(self.clock.now_ms() - from_ms);
        Ok(())
    }

    /// Hands out some of what is left.
    pub(crate) fn go_on(&mut self, worker: &mut Worker) -> Result<()> {
        if self.under_way.is_none() {
            return Ok(());
        }
        let from_ms = self.clock.now_ms();
        while self.under_way.is_some()
            && self.port.has_room()
            && self.clock.now_ms() - from_ms < HOLD_MS
        {
            self.piece(worker)?;
        }
        self.port.note_hold(self.clock.now_ms() - from_ms);
        Ok(())
    }

    /// Hands out all that is left.
    pub(crate) fn finish(&mut self, worker: &mut Worker) -> Result<()> {
        while self.under_way.is_some() {
            self.piece(worker)?;
        }
        Ok(())
    }

    fn piece(&mut self, worker: &mut Worker) -> Result<()> {
        let Some(number) = self.under_way else { return Ok(()) };
        let pieces = worker.hand_out(ROWS)?;
        let complete = pieces.is_empty();
        if complete {
            self.under_way = None;
            self.busy.fetch_sub(1, Ordering::AcqRel);
        }
        self.port.put(Saved { number, worker: worker.index(), place: None, pieces, complete });
        Ok(())
    }
}
