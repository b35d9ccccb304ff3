//! Joins of rows that are in the same window.
//! Invariant: nothing of a window comes out before time has passed it; then its join comes out whole, once, and its
//! rows are freed.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{BooleanArray, UInt32Array};
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};

use super::join::{Join, JoinPlan};
use super::probe::split_nulls;
use crate::columns::times_ms;
use crate::expr::ExprRef;
use crate::operator::{Arrivals, Inputs, Operator, StepContext, Watermark};
use crate::plan::{JoinKind, Residual};
use crate::window::{LocalTime, to_utc};

/// What the plan says of a window join.
#[derive(Debug, Clone)]
pub(crate) struct WindowJoinPlan {
    pub(crate) kind: JoinKind,
    pub(crate) keys: [Vec<usize>; 2],
    /// window_start and window_end.
    pub(crate) windows: [(usize, usize); 2],
    pub(crate) processing_time: bool,
    pub(crate) zone: Option<Arc<dyn LocalTime>>,
    pub(crate) residual: Option<ExprRef>,
    pub(crate) inputs: [Vec<ArrowType>; 2],
}

/// Keeps the rows of open windows.
pub(crate) struct WindowJoin {
    /// Of the rows of windows that close: windows are keys like others.
    join: JoinPlan,
    ends: [usize; 2],
    processing_time: bool,
    zone: Option<Arc<dyn LocalTime>>,
    /// By the last time of the window, in UTC: rows of both inputs.
    open: BTreeMap<i64, [Vec<Batch>; 2]>,
    /// Progress of processing time after the last step.
    progress: Watermark,
}

impl WindowJoin {
    pub(crate) fn new(plan: &WindowJoinPlan) -> Self {
        let keys = |at: usize| {
            let (start, end) = plan.windows[at];
            plan.keys[at].iter().copied().chain([start, end]).collect()
        };
        Self {
            join: JoinPlan {
                expiry: [None; 2],
                ttl_ms: [None; 2],
                kind: plan.kind,
                keys: [keys(0), keys(1)],
                residual: plan.residual.clone().map(|condition| Residual {
                    condition,
                    columns: (0..plan.inputs.iter().map(Vec::len).sum()).collect(),
                }),
                inputs: plan.inputs.clone(),
                changelog: [false, false],
            },
            ends: [plan.windows[0].1, plan.windows[1].1],
            processing_time: plan.processing_time,
            zone: plan.zone.clone(),
            open: BTreeMap::new(),
            progress: None,
        }
    }

    fn absorb(
        &mut self,
        at: usize,
        batch: &Batch,
        before: Watermark,
        late: &mut u64,
    ) -> Result<()> {
        // A row without a window is in none.
        let (batch, _) = split_nulls(batch, &[self.ends[at]])?;
        let ends = times_ms(batch.column(self.ends[at]))?;
        let mut rows: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        let mut row = 0;
        while row < ends.len() {
            let end = ends[row];
            let of_window = rows.entry(to_utc(self.zone.as_ref(), end) - 1).or_default();
            while row < ends.len() && ends[row] == end {
                of_window.push(row as u32);
                row += 1;
            }
        }
        for (last, rows) in rows {
            if before.is_some_and(|before| last <= before) {
                *late += rows.len() as u64;
                continue;
            }
            let whole = rows.len() == batch.rows();
            let part = if whole { batch.clone() } else { batch.take(&UInt32Array::from(rows))? };
            self.open.entry(last).or_default()[at].push(part);
        }
        Ok(())
    }

    fn close(&mut self, passed: i64, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let mut inputs: Inputs = vec![Arrivals::default(), Arrivals::default()];
        while let Some(entry) = self.open.first_entry().filter(|entry| *entry.key() <= passed) {
            for (input, batches) in inputs.iter_mut().zip(entry.remove()) {
                input.batches.extend(batches);
            }
        }
        if inputs.iter().all(|input| input.batches.is_empty()) {
            return Ok(Vec::new());
        }
        inputs.iter_mut().for_each(|input| input.ended = true);
        let joined = Join::new(&self.join)?.step(inputs, cx)?;
        joined.into_iter().map(appended).collect()
    }

    fn bounds(&mut self, cx: &StepContext) -> (Watermark, Watermark) {
        if !self.processing_time {
            return (cx.watermark_before, cx.watermark);
        }
        let before = self.progress;
        let after = if cx.end_of_input { i64::MAX } else { cx.now_ms - 1 };
        self.progress = before.max(Some(after));
        (before, self.progress)
    }
}

/// Rows of a join of whole windows: none is taken back.
fn appended(batch: Batch) -> Result<Batch> {
    let Some(weights) = batch.weights() else { return Ok(batch) };
    debug_assert!(weights.iter().all(|&weight| weight >= 0), "nothing was shown before");
    let there: BooleanArray = weights.iter().map(|&weight| Some(weight > 0)).collect();
    let batch = batch.filter(&there)?;
    let rows = batch.rows();
    Ok(Batch::new(batch.into_columns(), rows))
}

impl Operator for WindowJoin {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let (before, after) = self.bounds(cx);
        let mut late = 0;
        for (at, input) in inputs.into_iter().enumerate() {
            for batch in input.batches {
                self.absorb(at, &batch, before, &mut late)?;
            }
        }
        cx.metrics.late_rows += late;
        match after {
            Some(passed) => self.close(passed, cx),
            None => Ok(Vec::new()),
        }
    }

    fn next_timer_ms(&self) -> Option<i64> {
        let first = self.open.keys().next().filter(|_| self.processing_time)?;
        Some(first.saturating_add(1))
    }

    fn state_rows(&self) -> usize {
        self.open.values().flatten().flatten().map(Batch::rows).sum()
    }

    fn state_bytes(&self) -> usize {
        self.open.values().flatten().flatten().map(Batch::size_bytes).sum()
    }
}
