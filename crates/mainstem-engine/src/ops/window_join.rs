//! Joins of rows that are in the same window.
//! Invariant: nothing of a window comes out before time has passed it; then its join comes out whole, once, and its
//! rows are freed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{Change, TableChange, TableRows, TableShape};

use super::buckets_told::BucketsTold;
use super::join::{Join, JoinPlan};
use super::probe::split_nulls;
use super::rows::{Rows, weighted_again, with_weights};
use super::saved::{apart, beside, cut_of};
use super::window_time::WindowTime;
use crate::columns::times_ms;
use crate::expr::ExprRef;
use crate::operator::{Arrivals, Inputs, Operator, PutAside, StepContext, Watermark};
use crate::plan::{JoinKind, Residual};
use crate::window::{LocalTime, to_utc};

/// The rows of each input.
const TABLES: [&str; 2] = ["left by window", "right by window"];

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
    /// The columns by which rows reach their worker.
    owners: [Vec<usize>; 2],
    zone: Option<Arc<dyn LocalTime>>,
    /// By the last time of the window, in UTC: rows of both inputs, with their weights.
    open: BTreeMap<i64, [Rows; 2]>,
    time: WindowTime,
    /// For checkpoints, by input; and rows of windows that closed before they were handed out.
    told: [BucketsTold; 2],
    early: [Vec<Batch>; 2],
}

impl WindowJoin {
    pub(crate) fn new(plan: &WindowJoinPlan) -> Self {
        let keys = |at: usize| -> Vec<usize> {
            let (start, end) = plan.windows[at];
            plan.keys[at].iter().copied().chain([start, end]).collect()
        };
        let owner = |at: usize| match plan.keys[at].is_empty() {
            true => keys(at),
            false => plan.keys[at].clone(),
        };
        Self {
            owners: [owner(0), owner(1)],
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
            zone: plan.zone.clone(),
            open: BTreeMap::new(),
            time: WindowTime::new(plan.processing_time),
            told: Default::default(),
            early: Default::default(),
        }
    }

    /// Room for the rows of a window.
    fn rows(&self) -> [Rows; 2] {
        [0, 1].map(|at| {
            let types = self.join.inputs[at].iter().cloned().chain([ArrowType::Int64]);
            Rows::new(&types.collect::<Vec<_>>())
        })
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
            if !self.open.contains_key(&last) {
                let rows = self.rows();
                self.open.insert(last, rows);
            }
            if let Some(sides) = self.open.get_mut(&last) {
                sides[at].push(&with_weights(&part))?;
            }
        }
        Ok(())
    }

    fn shape(&self, at: usize) -> TableShape {
        TableShape::keyed(TABLES[at], self.owners[at].clone())
    }

    /// Rows of a window; behind their columns the weight, and the last time of the window.
    fn rows_of(last: i64, rows: &Rows, range: Range<u32>) -> Result<Vec<Batch>> {
        let named = |chunk: Result<Batch>| {
            let chunk = chunk?;
            let lasts = Arc::new(Int64Array::from(vec![last; chunk.rows()]));
            Ok(beside(chunk, [lasts as ArrayRef]))
        };
        rows.range(range).map(named).collect()
    }

    fn close(&mut self, passed: i64, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let mut inputs: Inputs = vec![Arrivals::default(), Arrivals::default()];
        while let Some(entry) = self.open.first_entry().filter(|entry| *entry.key() <= passed) {
            let (last, sides) = entry.remove_entry();
            for (at, rows) in sides.iter().enumerate() {
                if let Some(left) = self.told[at].goes(last) {
                    let rows = Self::rows_of(last, rows, left)?;
                    self.early[at].extend(rows);
                }
                for chunk in rows.chunks() {
                    inputs[at].batches.push(weighted_again(&chunk?));
                }
            }
        }
        if inputs.iter().all(|input| input.batches.is_empty()) {
            return Ok(Vec::new());
        }
        inputs.iter_mut().for_each(|input| input.ended = true);
        let joined = Join::new(&self.join)?.step(inputs, cx)?;
        joined.into_iter().map(appended).collect()
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
        let (before, after) = self.time.bounds(cx);
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

    /// The rows of both inputs, window by window.
    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        let mut tables = vec![self.time.save()];
        for at in 0..2 {
            let mut batches = Vec::new();
            for (&last, sides) in &self.open {
                let rows = &sides[at];
                batches.extend(Self::rows_of(last, rows, 0..rows.len() as u32)?);
            }
            tables.push(self.shape(at).with_rows(batches));
        }
        Ok(Some(tables))
    }

    fn cut(&mut self, whole: bool) -> Result<Option<Vec<TableChange>>> {
        let mut changes = vec![self.time.save().into()];
        for at in 0..2 {
            let sizes = self.open.iter().map(|(&last, sides)| (last, sides[at].len() as u32));
            let gone = self.told[at].cut(whole, sizes);
            // Behind the columns and the weight.
            let last = self.join.inputs[at].len() + 1;
            changes.extend(cut_of(self.shape(at), &[last], whole, gone));
        }
        Ok(Some(changes))
    }

    fn hand_out(&mut self, rows: usize) -> Result<Vec<TableChange>> {
        for at in 0..2 {
            let mut batches = std::mem::take(&mut self.early[at]);
            if batches.is_empty()
                && let Some((last, range)) = self.told[at].next(rows)
                && let Some(sides) = self.open.get(&last)
            {
                batches = Self::rows_of(last, &sides[at], range)?;
            }
            if !batches.is_empty() {
                return Ok(vec![self.shape(at).changed(Change::Added(batches))]);
            }
        }
        Ok(Vec::new())
    }

    fn load(&mut self, table: &str, rows: &Batch) -> Result<()> {
        if self.time.load(table, rows) || rows.is_empty() {
            return Ok(());
        }
        let (own, _) = apart(rows, rows.columns().len() - 1);
        // Nothing has passed yet: no row is late.
        self.absorb(usize::from(table == TABLES[1]), &weighted_again(&own), None, &mut 0)
    }

    fn next_timer_ms(&self) -> Option<i64> {
        let first = self.open.keys().next().filter(|_| self.time.is_by_clock())?;
        Some(first.saturating_add(1))
    }

    fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.open.values_mut().flatten().try_for_each(|rows| rows.put_aside(wanted))
    }

    fn state_rows(&self) -> usize {
        self.open.values().flatten().map(Rows::len).sum()
    }

    fn state_bytes(&self) -> usize {
        self.open.values().flatten().map(Rows::size_bytes).sum()
    }
}
