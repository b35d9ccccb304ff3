//! The watermark of a source, from its rows.
//! Invariant: the watermark never falls. It is the least, over the splits that are neither idle nor at their end, of
//! the greatest value seen in the split. Every worker keeps the same state: it is a function of what all workers saw
//! in the step, which they tell each other in between. Only if asked the watermark of a source without rows goes on with
//! the clock (docs/adr/0012): as if a row came that is as far behind the clock as the farthest before.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type};
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableRows, TableShape};

use crate::checkpoint::split_rows;
use crate::columns::{nulls, times_ms};
use crate::expr::{EvalContext, ExprRef};
use crate::operator::Watermark;

/// How often a watermark goes on with the clock, at the least.
const CLOCK_STEP_MS: i64 = 1_000;

/// What one worker saw of a split in a step: the greatest time, if any row had one.
pub(crate) type Seen = BTreeMap<u32, Option<i64>>;

/// No split has this number.
const NO_SPLIT: u32 = u32::MAX;
/// Nor this one.
const CLOCK_SPLIT: u32 = u32::MAX - 1;

#[derive(Debug, Default)]
struct Split {
    greatest: Option<i64>,
    last_row_ms: i64,
    idle: bool,
}

/// What the step header says of a source.
#[derive(Debug, Clone, Default)]
pub(crate) struct SplitEvents {
    pub(crate) added: Vec<u32>,
    pub(crate) ended: Vec<u32>,
    /// All splits have ended and there will be no more.
    pub(crate) finished: bool,
}

#[derive(Debug)]
pub(crate) struct SourceWatermark {
    expr: ExprRef,
    idle_timeout_ms: Option<i64>,
    splits: BTreeMap<u32, Split>,
    watermark: Watermark,
    clock: Option<Clock>,
}

/// How a watermark goes on without rows.
#[derive(Debug)]
struct Clock {
    /// Without rows for so long.
    after_ms: i64,
    /// The greatest value of all splits, also of those that have ended.
    farthest: Option<i64>,
    /// When the last row, or split, came.
    last_ms: i64,
    next_ms: Option<i64>,
}

impl Clock {
    fn see(&mut self, greatest: Option<i64>, now_ms: i64) {
        self.farthest = self.farthest.max(greatest);
        self.last_ms = now_ms;
    }

    /// The watermark by the clock, if it is time.
    fn watermark(&mut self, now_ms: i64) -> Watermark {
        self.next_ms = None;
        let farthest = self.farthest?;
        let quiet_ms = now_ms.saturating_sub(self.last_ms);
        if quiet_ms < self.after_ms {
            self.next_ms = Some(self.last_ms.saturating_add(self.after_ms));
            return None;
        }
        self.next_ms = Some(now_ms.saturating_add(self.after_ms.min(CLOCK_STEP_MS)));
        Some(farthest.saturating_add(quiet_ms))
    }
}

impl SourceWatermark {
    pub(crate) fn new(
        expr: ExprRef,
        idle_timeout_ms: Option<i64>,
        clock_after_ms: Option<i64>,
    ) -> Self {
        let clock = |after_ms| Clock { after_ms, farthest: None, last_ms: 0, next_ms: None };
        let clock = clock_after_ms.map(clock);
        Self { expr, idle_timeout_ms, splits: BTreeMap::new(), watermark: None, clock }
    }

    /// The greatest time per split in a worker's batches.
    pub(crate) fn see(
        &self,
        batches: &[Batch],
        splits: &[u32],
        eval: &EvalContext,
    ) -> Result<Seen> {
        let mut seen = Seen::new();
        for (batch, &split) in batches.iter().zip(splits) {
            if batch.is_empty() {
                seen.entry(split).or_default();
                continue;
            }
            let value = self.expr.eval(batch, eval)?;
            let array = value.array();
            let times = times_ms(array)?;
            let greatest = match nulls(array) {
                None => times.iter().copied().max(),
                Some(nulls) => nulls.valid_indices().map(|row| times[row]).max(),
            };
            let entry = seen.entry(split).or_default();
            *entry = (*entry).max(greatest);
        }
        Ok(seen)
    }

    /// Takes in what all workers saw. Returns the watermark, and whether the source is idle.
    pub(crate) fn advance<'a>(
        &mut self,
        events: &SplitEvents,
        seen: impl Iterator<Item = &'a Seen>,
        now_ms: i64,
    ) -> (Watermark, bool) {
        let new = |now_ms| Split { greatest: None, last_row_ms: now_ms, idle: false };
        for &split in &events.added {
            self.splits.entry(split).or_insert_with(|| new(now_ms));
            if let Some(clock) = &mut self.clock {
                clock.see(None, now_ms);
            }
        }
        for (&split, &greatest) in seen.flatten() {
            let split = self.splits.entry(split).or_insert_with(|| new(now_ms));
            split.greatest = split.greatest.max(greatest);
            if let Some(clock) = &mut self.clock {
                clock.see(greatest, now_ms);
            }
            split.last_row_ms = now_ms;
            split.idle = false;
        }
        for split in &events.ended {
            if let Some(ended) = self.splits.remove(split)
                && self.splits.is_empty()
            {
                // The last one holds nobody back any more.
                self.watermark = self.watermark.max(ended.greatest);
            }
        }
        if events.finished {
            self.watermark = Some(i64::MAX);
            self.clock = None;
            return (self.watermark, false);
        }
        if let Some(timeout) = self.idle_timeout_ms {
            for split in self.splits.values_mut() {
                split.idle |= now_ms - split.last_row_ms >= timeout;
            }
        }
        let active = self.splits.values().filter(|split| !split.idle);
        if let Some(least) = active.map(|split| split.greatest).min() {
            self.watermark = self.watermark.max(least);
        }
        if let Some(clock) = &mut self.clock {
            self.watermark = self.watermark.max(clock.watermark(now_ms));
        }
        let idle = !self.splits.is_empty() && self.splits.values().all(|split| split.idle);
        (self.watermark, idle)
    }

    /// Its splits, then the watermark itself as that of a split without a number, and what the clock goes by as that of one
    /// more.
    pub(crate) fn save(&self, table: &'static str) -> TableRows {
        let splits = self.splits.iter();
        let splits = splits.map(|(&number, s)| (number, s.greatest, s.last_row_ms, s.idle));
        let own = std::iter::once((NO_SPLIT, self.watermark, 0, false));
        let clock = self.clock.iter();
        let clock = clock.map(|clock| (CLOCK_SPLIT, clock.farthest, clock.last_ms, false));
        TableShape::common(table).with_rows(vec![split_rows(splits.chain(own).chain(clock))])
    }

    pub(crate) fn load(&mut self, rows: &Batch) {
        let numbers = rows.column(0).as_primitive::<UInt32Type>().values();
        let greatest = rows.column(1).as_primitive::<Int64Type>();
        let seen = rows.column(2).as_primitive::<Int64Type>().values();
        let idle = rows.column(3).as_boolean().values();
        for (row, greatest) in greatest.iter().enumerate() {
            if numbers[row] == NO_SPLIT {
                self.watermark = greatest;
            } else if numbers[row] == CLOCK_SPLIT {
                if let Some(clock) = &mut self.clock {
                    (clock.farthest, clock.last_ms) = (greatest, seen[row]);
                }
            } else {
                let split = Split { greatest, last_row_ms: seen[row], idle: idle.value(row) };
                self.splits.insert(numbers[row], split);
            }
        }
    }

    /// When a split becomes idle, or the watermark goes on, if nothing comes.
    pub(crate) fn next_timer_ms(&self) -> Option<i64> {
        let idle = self.idle_timeout_ms.and_then(|timeout| {
            let active = self.splits.values().filter(|split| !split.idle);
            active.map(|split| split.last_row_ms + timeout).min()
        });
        let clock = self.clock.as_ref().and_then(|clock| clock.next_ms);
        idle.into_iter().chain(clock).min()
    }
}
