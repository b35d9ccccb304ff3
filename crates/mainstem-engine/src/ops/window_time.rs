//! The progress of time that closes windows: the watermark, or the clock.
//! Invariant: it never falls. The clock has passed all times before now, and at the end of the input all times.

use std::sync::Arc;

use arrow_array::Int64Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use mainstem_core::Batch;
use mainstem_state::table::{TableRows, TableShape};

use crate::operator::{StepContext, Watermark};

/// The table of its state.
const CLOCK: &str = "clock";

#[derive(Debug, Clone)]
pub(super) struct WindowTime {
    by_clock: bool,
    /// Progress of processing time after the last step.
    clock: Watermark,
}

impl WindowTime {
    pub(super) fn new(by_clock: bool) -> Self {
        Self { by_clock, clock: None }
    }

    /// True for processing time.
    pub(super) fn is_by_clock(&self) -> bool {
        self.by_clock
    }

    /// The progress of processing time after the last step.
    pub(super) fn clock(&self) -> Watermark {
        self.clock
    }

    /// The progress of time before and after this step.
    pub(super) fn bounds(&mut self, cx: &StepContext) -> (Watermark, Watermark) {
        if !self.by_clock {
            return (cx.watermark_before, cx.watermark);
        }
        let before = self.clock;
        let after = if cx.end_of_input { i64::MAX } else { cx.now_ms - 1 };
        self.clock = before.max(Some(after));
        (before, self.clock)
    }

    /// One row, the same on all workers.
    pub(super) fn save(&self) -> TableRows {
        let clock = Batch::new(vec![Arc::new(Int64Array::from(vec![self.clock]))], 1);
        TableShape::common(CLOCK).with_rows(vec![clock])
    }

    /// True for its table.
    pub(super) fn has_table(table: &str) -> bool {
        table == CLOCK
    }

    /// Takes the rows of its table; false if it is another.
    pub(super) fn load(&mut self, table: &str, rows: &Batch) -> bool {
        if table == CLOCK {
            self.clock = rows.column(0).as_primitive::<Int64Type>().iter().next().flatten();
        }
        table == CLOCK
    }
}
