//! GROUP BY over windows whose results are shown before they are complete, or mended after: Flink's early and late
//! firing. A changelog: per window -old +new.
//! Invariant: what came out of a window, added up, is its last result shown. That is the result of all its rows when
//! the progress of time reaches the last millisecond of the window, and whenever a late row is let in. A group is a
//! key and a window; it is forgotten when the progress passes the end by the allowed lateness. Early results go by
//! the clock, so which ones are seen depends on when steps are taken.

mod saved;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};

use super::by_key::{ByKey, KeyedOperator, Keys};
use super::calls::Calls;
use super::rows::Rows;
use super::window_table::{check_times, window_columns};
use super::window_time::WindowTime;
use crate::aggregate::AggregateCall;
use crate::columns::times_ms;
use crate::key_table::ABSENT;
use crate::operator::{Inputs, StepContext, Watermark};
use crate::window::{EmitSpec, LocalTime, Span, to_utc};

const OUTPUT_ROWS: usize = 16_384;

/// What the plan says of a window aggregate that shows updates.
#[derive(Debug, Clone)]
pub(crate) struct WindowUpdatesPlan {
    /// The columns of the rows' windows.
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) processing_time: bool,
    pub(crate) zone: Option<Arc<dyn LocalTime>>,
    pub(crate) emit: EmitSpec,
    pub(crate) keys: Vec<usize>,
    pub(crate) aggregates: Vec<AggregateCall>,
    pub(crate) input: Vec<ArrowType>,
    pub(crate) changelog: bool,
    /// The types of the results, and of `window_time`.
    pub(crate) results: Vec<ArrowType>,
    pub(crate) time_type: ArrowType,
}

/// A key in a window.
#[derive(Debug, Clone, Copy)]
struct Group {
    window: Span,
    /// The row of `shown` with its last result; [`ABSENT`]: nothing was shown.
    shown: u32,
    /// For changelogs: the weight of its rows.
    rows: i64,
    /// It has changed since its result was shown.
    dirty: bool,
    /// Tells it from groups that had its number before.
    born: u32,
    /// How many of the timers are its own.
    timers: u32,
}

const EMPTY: Group = Group {
    window: Span { end: 0, start: 0 },
    shown: ABSENT,
    rows: 0,
    dirty: false,
    born: 0,
    timers: 0,
};

pub(crate) struct WindowUpdates {
    plan: WindowUpdatesPlan,
    /// Keys, then start and end.
    keys: Keys,
    calls: Calls,
    groups: Vec<Group>,
    shown: Rows,
    /// By end of their windows: groups that are not closed, and closed ones that are still kept.
    open: BTreeMap<i64, Vec<u32>>,
    kept: BTreeMap<i64, Vec<u32>>,
    /// When the clock shows groups that wait, with their `born`.
    timers: BTreeMap<i64, Vec<(u32, u32)>>,
    /// How many groups there were; never 0 for a group.
    born: u32,
    time: WindowTime,
}

impl WindowUpdates {
    pub(crate) fn new(plan: WindowUpdatesPlan) -> Result<Self> {
        let columns = plan.keys.iter().chain([&plan.start, &plan.end]);
        let types: Vec<_> = columns.map(|&i| plan.input[i].clone()).collect();
        Ok(Self {
            keys: Keys::new(&types)?,
            calls: Calls::new(&plan.aggregates, plan.changelog),
            groups: Vec::new(),
            shown: Rows::new(&plan.results),
            open: BTreeMap::new(),
            kept: BTreeMap::new(),
            timers: BTreeMap::new(),
            born: 0,
            time: WindowTime::new(plan.processing_time),
            plan,
        })
    }

    /// True if `progress` is `lateness_ms` past the end of a window.
    fn due(&self, end: i64, lateness_ms: i64, progress: Watermark) -> bool {
        progress.is_some_and(|p| {
            p == i64::MAX
                || p >= to_utc(self.plan.zone.as_ref(), end - 1).saturating_add(lateness_ms)
        })
    }

    /// Aggregates rows; returns the groups that were clean before.
    fn absorb(&mut self, batch: Batch, before: Watermark, late_rows: &mut u64) -> Result<Vec<u32>> {
        let ends = batch.column(self.plan.end);
        check_times(ends)?;
        let lateness = self.plan.emit.allow_lateness_ms;
        let ends = times_ms(ends)?;
        let kept =
            BooleanBuffer::collect_bool(batch.rows(), |row| !self.due(ends[row], lateness, before));
        let late = batch.rows() - kept.count_set_bits();
        *late_rows += late as u64;
        let kept = BooleanArray::new(kept, None);
        let batch = if late > 0 { batch.filter(&kept)? } else { batch };
        let columns = self.plan.keys.iter().chain([&self.plan.start, &self.plan.end]);
        let columns: Vec<ArrayRef> = columns.map(|&i| Arc::clone(batch.column(i))).collect();
        let columns = Batch::new(columns, batch.rows());
        self.bring_back(&columns)?;
        let mut groups = Vec::new();
        self.keys.intern(columns.columns(), batch.rows(), &mut groups)?;
        let bound = self.keys.bound();
        self.groups.resize(self.groups.len().max(bound), EMPTY);
        self.touch(&groups)?;
        let starts = times_ms(batch.column(self.plan.start))?;
        let ends = times_ms(batch.column(self.plan.end))?;
        let mut touched = Vec::new();
        for (row, &id) in groups.iter().enumerate() {
            let group = &mut self.groups[id as usize];
            group.rows += batch.weight(row);
            if group.window.start == group.window.end {
                group.window = Span { start: starts[row], end: ends[row] };
                self.born = self.born.wrapping_add(1).max(1);
                group.born = self.born;
                self.open.entry(ends[row]).or_default().push(id);
            }
            if !group.dirty {
                group.dirty = true;
                touched.push(id);
            }
        }
        self.calls.update(&batch, &groups, bound)?;
        Ok(touched)
    }

    /// Which of the groups that became dirty are shown now; the others get their timer.
    fn ready(&mut self, touched: Vec<u32>, before: Watermark, now_ms: i64) -> Vec<u32> {
        let mut ready = Vec::new();
        for id in touched {
            let is_late = self.due(self.groups[id as usize].window.end, 0, before);
            let delay = if is_late {
                Some(self.plan.emit.late_delay_ms.unwrap_or(0))
            } else {
                self.plan.emit.early_delay_ms
            };
            match delay {
                Some(..=0) => ready.push(id),
                Some(delay) => {
                    self.set_timer(id, now_ms.saturating_add(delay));
                }
                None => {}
            }
        }
        while let Some((&timer, _)) = self.timers.first_key_value()
            && timer <= now_ms
            && let Some((_, timers)) = self.timers.pop_first()
        {
            for (id, born) in timers {
                let group = &mut self.groups[id as usize];
                if group.born == born {
                    group.timers -= 1;
                    ready.push(id);
                }
            }
        }
        ready
    }

    fn set_timer(&mut self, id: u32, at_ms: i64) {
        let group = &mut self.groups[id as usize];
        group.timers += 1;
        self.timers.entry(at_ms).or_default().push((id, group.born));
    }

    /// The groups that time changes: that are shown now, or whose windows `progress` closes or lets go.
    fn passing(&self, progress: Watermark, now_ms: i64) -> Vec<u32> {
        let lateness = self.plan.emit.allow_lateness_ms;
        let closes = self.open.iter().take_while(|(end, _)| self.due(**end, 0, progress));
        let goes = self.kept.iter().take_while(|(end, _)| self.due(**end, lateness, progress));
        let timers = self.timers.range(..=now_ms).flat_map(|(_, timers)| timers);
        let lives = |&&(id, born): &&(u32, u32)| self.groups[id as usize].born == born;
        let shown = timers.filter(lives).map(|(id, _)| *id);
        shown.chain(closes.chain(goes).flat_map(|(_, ids)| ids).copied()).collect()
    }

    /// Takes the groups of windows that `progress` closes, and of those that it lets go.
    fn passed(&mut self, progress: Watermark) -> (Vec<u32>, Vec<u32>) {
        let (mut closed, mut gone) = (Vec::new(), Vec::new());
        while let Some((&end, _)) = self.open.first_key_value()
            && self.due(end, 0, progress)
            && let Some((_, ids)) = self.open.pop_first()
        {
            closed.extend_from_slice(&ids);
            self.kept.entry(end).or_default().extend(ids);
        }
        let lateness = self.plan.emit.allow_lateness_ms;
        while let Some((&end, _)) = self.kept.first_key_value()
            && self.due(end, lateness, progress)
            && let Some((_, ids)) = self.kept.pop_first()
        {
            gone.extend(ids);
        }
        (closed, gone)
    }

    /// Shows the results of the dirty ones among `ids`: takes back what was shown, and puts out what is.
    fn show(&mut self, mut ids: Vec<u32>) -> Result<Vec<Batch>> {
        ids.retain(|&id| std::mem::take(&mut self.groups[id as usize].dirty));
        let mut output = Vec::new();
        for ids in ids.chunks(OUTPUT_ROWS) {
            let shown = |id: &u32| self.groups[*id as usize].shown;
            let old: Vec<u32> = ids.iter().copied().filter(|id| shown(id) != ABSENT).collect();
            let rows: Vec<u32> = old.iter().map(shown).collect();
            if !old.is_empty() {
                output.push(self.batch(&old, self.shown.gather(&rows)?, -1)?);
            }
            let counted = self.plan.changelog;
            let lives = |id: &u32| !counted || self.groups[*id as usize].rows > 0;
            let new: Vec<u32> = ids.iter().copied().filter(lives).collect();
            old.iter().for_each(|&id| self.groups[id as usize].shown = ABSENT);
            if !new.is_empty() {
                let results = self.calls.finish(&new)?;
                let first = self.shown.push(&Batch::new(results.clone(), new.len()))?;
                for (row, &id) in (first..).zip(&new) {
                    self.groups[id as usize].shown = row;
                }
                output.push(self.batch(&new, results, 1)?);
            }
            self.release(rows.len())?;
        }
        Ok(output)
    }

    fn release(&mut self, rows: usize) -> Result<()> {
        if self.shown.release(rows) {
            let live = self.groups.iter_mut().map(|group| &mut group.shown);
            self.shown.rewrite(live.filter(|row| **row != ABSENT))?;
        }
        Ok(())
    }

    fn batch(&self, ids: &[u32], results: Vec<ArrayRef>, weight: i64) -> Result<Batch> {
        let mut columns = self.keys.emit(ids)?;
        columns.truncate(self.plan.keys.len());
        columns.extend(results);
        let windows = ids.iter().map(|&id| self.groups[id as usize].window);
        columns.extend(window_columns(windows, self.plan.zone.as_ref(), &self.plan.time_type)?);
        let weights: Option<ScalarBuffer<i64>> =
            (weight != 1).then(|| vec![weight; ids.len()].into());
        Ok(Batch::with_weights(columns, ids.len(), weights))
    }

    fn forget(&mut self, gone: &[u32]) -> Result<()> {
        self.empty(gone)?;
        self.keys.release(gone)
    }

    /// Has the places of groups empty.
    fn empty(&mut self, ids: &[u32]) -> Result<()> {
        let shown = ids.iter().filter(|&&id| self.groups[id as usize].shown != ABSENT).count();
        ids.iter().for_each(|&id| self.groups[id as usize] = EMPTY);
        self.calls.clear(ids);
        self.release(shown)
    }
}

impl KeyedOperator for WindowUpdates {
    fn run_step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let (before, progress) = self.time.bounds(cx);
        let mut touched = Vec::new();
        for batch in inputs.into_iter().flat_map(|arrivals| arrivals.batches) {
            touched.extend(self.absorb(batch, before, &mut cx.metrics.late_rows)?);
        }
        if let Some(progress) = progress {
            self.bring_back_due(progress)?;
        }
        self.touch(&self.passing(progress, cx.now_ms))?;
        let mut ready = self.ready(touched, before, cx.now_ms);
        let (closed, gone) = self.passed(progress);
        ready.extend(closed);
        ready.extend_from_slice(&gone);
        let output = self.show(ready)?;
        self.forget(&gone)?;
        Ok(output)
    }

    fn next_due_ms(&self) -> Option<i64> {
        let shows = self.timers.keys().next().copied();
        let here = self.open.keys().next().map(|end| to_utc(self.plan.zone.as_ref(), end - 1));
        let closes = here.into_iter().chain(self.keys.next_wake_ms()).min();
        let closes = closes.filter(|_| self.plan.processing_time).map(|closes| closes + 1);
        shows.into_iter().chain(closes).min()
    }

    fn rows_here(&self) -> usize {
        self.keys.len()
    }
}
