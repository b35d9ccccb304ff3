//! GROUP BY over windows, by slices: each row is aggregated once, into its slice; when time passes the end of a window
//! its slices are put together.
//! Invariant: a window is emitted once, when the progress of time reaches its end - 1 ms; rows whose windows were all
//! closed before the step are dropped and counted. One set of accumulators serves all slices: a group is a slice and
//! a key, so a batch that spans slices is still one pass over its columns.

mod aside;
mod in_parts;
mod saved;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray};
use arrow_buffer::BooleanBufferBuilder;
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableChange, TableRows};

use super::calls::Calls;
use super::keys_aside::KeysAside;
use super::panes::{Gone, Panes, Parts, slices_of};
use super::recency::Recency;
use super::slices::{Allocator, Groups, Run, Runs, Slice};
use super::tracker::Tracker;
use super::window_table::{WindowTable, check_times, local_times, window_columns};
use super::window_time::WindowTime;
use crate::aggregate::AggregateCall;
use crate::columns::{times_ms, timestamps};
use crate::key_table::KeyTable;
use crate::operator::{Arrivals, Inputs, Operator, PutAside, StepContext, Watermark};
use crate::plan::{TimeSource, WindowInput};
use crate::window::{LocalTime, Span, WindowKind, WindowSpec, to_utc};

/// Output batches have at most this many rows.
const OUTPUT_ROWS: usize = 16_384;
/// More slices than this in one batch are looked up run by run.
const TAKEN_SLICES_MAX: usize = 64;

/// Where a row's slice comes from.
#[derive(Debug, Clone)]
enum SliceSource {
    Assign { window: WindowSpec, time: TimeSource },
    Attached { start: usize, end: usize, zone: Option<Arc<dyn LocalTime>> },
}

/// What an instance hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Windows, when they close.
    Windows,
    /// Partial states of each step, for another instance.
    Partials,
}

pub(crate) struct WindowAggregate {
    role: Role,
    source: SliceSource,
    time: WindowTime,
    /// Puts each row into each of its windows, when states cannot be put together.
    expand: Option<(WindowTable, WindowSpec)>,
    key_columns: Vec<usize>,
    keys: KeyTable,
    references: Vec<u32>,
    groups: Groups,
    calls: Calls,
    /// For HOP: windows put together from slices, and the panes that make that cheap.
    combined: Option<Calls>,
    panes: Panes,
    /// For changelogs: the weight of all rows of each group.
    group_rows: Option<Vec<i64>>,
    slices: BTreeMap<Span, Slice>,
    time_type: ArrowType,
    /// Groups that have no place in memory, which of the others are the next to go, and how far time is.
    aside: KeysAside,
    recency: Recency,
    passed: Watermark,
    /// So many groups are in memory together when windows close that have some aside.
    closed_together: usize,
    /// For checkpoints: groups, slices that went since the last cut, and what it handed out before it changed.
    tracker: Tracker,
    gone: Vec<Span>,
    early: Vec<TableChange>,
    scratch: Scratch,
}

#[derive(Default)]
struct Scratch {
    runs: Runs,
    keys: Vec<u32>,
    groups: Vec<u32>,
}

/// What the plan says of a window aggregate.
#[derive(Debug, Clone)]
pub(crate) struct WindowAggregatePlan {
    pub(crate) window: WindowInput,
    pub(crate) keys: Vec<usize>,
    pub(crate) aggregates: Vec<AggregateCall>,
    pub(crate) input: Vec<ArrowType>,
    pub(crate) changelog: bool,
    /// The type of `window_time`.
    pub(crate) time_type: ArrowType,
}

impl WindowAggregatePlan {
    /// True if partial states can be made before an exchange.
    pub(crate) fn mergeable(&self) -> bool {
        !self.changelog && self.aggregates.iter().all(|call| call.mergeable().is_some())
    }
}

impl WindowAggregate {
    pub(crate) fn new(plan: &WindowAggregatePlan) -> Result<Self> {
        Self::with_role(plan, Role::Windows)
    }

    /// An instance that aggregates the rows of each step and gives the states away.
    pub(crate) fn partial(plan: &WindowAggregatePlan) -> Result<Self> {
        Self::with_role(plan, Role::Partials)
    }

    fn with_role(plan: &WindowAggregatePlan, role: Role) -> Result<Self> {
        let mut expand = None;
        let mut hop = false;
        let (source, processing_time) = match &plan.window {
            WindowInput::Assign { window, time } => {
                window.check()?;
                let tumble = matches!(window.kind, WindowKind::Tumble { .. });
                hop = matches!(window.kind, WindowKind::Hop { .. });
                let source = if tumble || plan.mergeable() {
                    SliceSource::Assign { window: window.clone(), time: *time }
                } else {
                    let (window, time) = (window.clone(), *time);
                    let time_type = plan.time_type.clone();
                    let table = WindowTable { window: window.clone(), time, time_type };
                    let start = plan.input.len();
                    let zone = window.zone.clone();
                    expand = Some((table, window));
                    SliceSource::Attached { start, end: start + 1, zone }
                };
                (source, *time == TimeSource::ProcessingTime)
            }
            WindowInput::Attached { start, end, processing_time, zone } => {
                let source = SliceSource::Attached { start: *start, end: *end, zone: zone.clone() };
                (source, *processing_time)
            }
        };
        let combines = hop && expand.is_none() && role == Role::Windows;
        let types: Vec<_> = plan.keys.iter().map(|&i| plan.input[i].clone()).collect();
        Ok(Self {
            role,
            source,
            time: WindowTime::new(processing_time),
            expand,
            key_columns: plan.keys.clone(),
            keys: KeyTable::new(&types)?,
            references: Vec::new(),
            groups: Groups::default(),
            calls: Calls::new(&plan.aggregates, plan.changelog),
            combined: combines.then(|| Calls::new(&plan.aggregates, false)),
            panes: Panes::default(),
            group_rows: plan.changelog.then(Vec::new),
            slices: BTreeMap::new(),
            time_type: plan.time_type.clone(),
            aside: KeysAside::default(),
            recency: Recency::default(),
            passed: None,
            closed_together: usize::MAX,
            tracker: Tracker::default(),
            gone: Vec::new(),
            early: Vec::new(),
            scratch: Scratch::default(),
        })
    }

    fn zone(&self) -> Option<&Arc<dyn LocalTime>> {
        match &self.source {
            SliceSource::Assign { window, .. } => window.zone.as_ref(),
            SliceSource::Attached { zone, .. } => zone.as_ref(),
        }
    }

    /// True if a window that ends at the local time `end` is closed by `progress`.
    fn due(&self, end: i64, progress: Watermark) -> bool {
        progress.is_some_and(|p| p == i64::MAX || p >= to_utc(self.zone(), end - 1))
    }

    /// The end of the last window a slice is in; `None` if it is in no window.
    fn last_end(&self, slice: Span) -> Option<i64> {
        match &self.source {
            SliceSource::Assign { window, .. } => window.last_end(slice),
            SliceSource::Attached { .. } => Some(slice.end),
        }
    }

    /// When the first window closes that a slice is in and that `passed` has not closed; `None`: there is none.
    fn next_close_ms(&self, slice: Span, passed: Watermark) -> Option<i64> {
        let end = match &self.source {
            SliceSource::Assign { window, .. } => {
                window.windows(slice).find(|window| !self.due(window.end, passed))?.end
            }
            SliceSource::Attached { .. } => slice.end,
        };
        Some(to_utc(self.zone(), end - 1))
    }

    /// Where the rows of a slice are kept: for CUMULATE, slices of windows that were emitted lie together in the
    /// first one, as every later window has all of them.
    fn home(&self, slice: Span, before: Watermark) -> Span {
        match &self.source {
            SliceSource::Assign { window, .. }
                if matches!(window.kind, WindowKind::Cumulate { .. })
                    && self.due(slice.end, before) =>
            {
                base_slice(window, slice)
            }
            _ => slice,
        }
    }

    /// Finds the runs of a batch of rows.
    fn find_runs(&self, batch: &Batch, now_ms: i64, runs: &mut Runs) -> Result<()> {
        match &self.source {
            SliceSource::Assign { window, time: TimeSource::ProcessingTime } => {
                let local = window.zone.as_ref().map_or(now_ms, |zone| zone.to_local(now_ms));
                runs.whole(window.slice(local), batch.rows());
            }
            SliceSource::Assign { window, time: TimeSource::EventTime { column } } => {
                if window.zone.is_some() {
                    let time = TimeSource::EventTime { column: *column };
                    let times = local_times(batch, time, window.zone.as_ref(), now_ms)?;
                    runs.find(&times, |t| window.slice(t));
                } else {
                    let column = batch.column(*column);
                    check_times(column)?;
                    runs.find(&times_ms(column)?, |t| window.slice(t));
                }
            }
            SliceSource::Attached { start, end, .. } => {
                attached_runs(batch, *start, *end, runs)?;
            }
        }
        Ok(())
    }

    /// Leaves out rows whose windows are all closed; `None` if there are none. Counts them unless `silent`.
    fn without_late(
        &self,
        batch: &Batch,
        runs: &Runs,
        before: Watermark,
        late_rows: &mut u64,
    ) -> Result<Option<Batch>> {
        let keeps = |&slice: &Span| match self.last_end(slice) {
            Some(end) if self.due(end, before) => Keep::Late,
            Some(_) => Keep::Yes,
            None => Keep::NoWindow,
        };
        let keeps: Vec<Keep> = runs.slots.iter().map(keeps).collect();
        if keeps.iter().all(|&keep| keep == Keep::Yes) {
            return Ok(None);
        }
        let mut mask = BooleanBufferBuilder::new(batch.rows());
        for (run, from) in each_run(&runs.runs) {
            let keep = keeps[run.slot as usize];
            let rows = run.end as usize - from;
            mask.append_n(rows, keep == Keep::Yes);
            if keep == Keep::Late {
                *late_rows += rows as u64;
            }
        }
        batch.filter(&BooleanArray::new(mask.finish(), None)).map(Some)
    }

    /// Aggregates rows into their slices.
    fn absorb(&mut self, batch: Batch, before: Watermark, cx: &mut StepContext) -> Result<()> {
        let mut batch = batch;
        let mut scratch = std::mem::take(&mut self.scratch);
        if let Some((table, window)) = &self.expand {
            // Late rows are counted once, before each row becomes one row a window.
            let source = SliceSource::Assign { window: window.clone(), time: table.time };
            let attached = std::mem::replace(&mut self.source, source);
            let found = self.find_runs(&batch, cx.now_ms, &mut scratch.runs);
            let late = &mut cx.metrics.late_rows;
            let kept = found.and_then(|()| self.without_late(&batch, &scratch.runs, before, late));
            self.source = attached;
            let kept = kept?.unwrap_or(batch);
            if let Some((table, _)) = &self.expand {
                batch = table.apply(&kept, cx.now_ms)?;
            } else {
                batch = kept;
            }
        }
        self.find_runs(&batch, cx.now_ms, &mut scratch.runs)?;
        let mut late_rows = 0;
        if let Some(kept) = self.without_late(&batch, &scratch.runs, before, &mut late_rows)? {
            batch = kept;
            self.find_runs(&batch, cx.now_ms, &mut scratch.runs)?;
        }
        if self.expand.is_none() {
            cx.metrics.late_rows += late_rows;
        }
        if !batch.is_empty() {
            let keys: Vec<ArrayRef> =
                self.key_columns.iter().map(|&i| Arc::clone(batch.column(i))).collect();
            self.assign(&keys, batch.rows(), before, &mut scratch)?;
            self.touch(&scratch.groups)?;
            let bound = self.groups.bound();
            self.calls.update(&batch, &scratch.groups, bound)?;
            self.count_rows(&batch, &scratch.groups);
        }
        self.scratch = scratch;
        Ok(())
    }

    fn count_rows(&mut self, batch: &Batch, groups: &[u32]) {
        let Some(counts) = &mut self.group_rows else { return };
        counts.resize(counts.len().max(self.groups.bound()), 0);
        for (row, &group) in groups.iter().enumerate() {
            counts[group as usize] += batch.weight(row);
        }
    }

    /// Merges partial states: keys, start, end, states.
    fn merge(&mut self, batch: &Batch, before: Watermark) -> Result<()> {
        let width = self.key_columns.len();
        let mut scratch = std::mem::take(&mut self.scratch);
        attached_runs(batch, width, width + 1, &mut scratch.runs)?;
        self.assign(&batch.columns()[..width], batch.rows(), before, &mut scratch)?;
        self.touch(&scratch.groups)?;
        let bound = self.groups.bound();
        self.calls.merge(&batch.columns()[width + 2..], &scratch.groups, bound)?;
        self.scratch = scratch;
        Ok(())
    }

    /// From keys and runs to groups, all of which are in memory then.
    fn assign(
        &mut self,
        keys: &[ArrayRef],
        rows: usize,
        before: Watermark,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let homes: Vec<Span> =
            scratch.runs.slots.iter().map(|&slice| self.home(slice, before)).collect();
        self.bring_back_for(keys, rows, &homes, &scratch.runs)?;
        if homes.iter().any(|&home| self.panes.covers(home)) {
            // Before keys are interned: what is forgotten here may free keys that no slice holds.
            self.forget_panes();
        }
        self.place(keys, rows, &homes, scratch)
    }

    /// From keys and runs of slices, whose rows are kept in `homes`, to groups.
    fn place(
        &mut self,
        keys: &[ArrayRef],
        rows: usize,
        homes: &[Span],
        scratch: &mut Scratch,
    ) -> Result<()> {
        scratch.groups.clear();
        scratch.groups.reserve(rows);
        self.keys.intern(keys, rows, &mut scratch.keys)?;
        let mut allocator = Allocator {
            groups: &mut self.groups,
            references: &mut self.references,
            key_bound: self.keys.bound(),
        };
        let (keys, groups) = (&scratch.keys, &mut scratch.groups);
        if homes.len() > TAKEN_SLICES_MAX {
            for (run, from) in each_run(&scratch.runs.runs) {
                let home = homes[run.slot as usize];
                let slice = self.slices.entry(home).or_insert_with(|| allocator.groups.slice(home));
                slice.assign(&keys[from..run.end as usize], &mut allocator, groups);
            }
            return Ok(());
        }
        let mut taken: Vec<(Span, Slice)> = Vec::with_capacity(homes.len());
        let mut place = Vec::with_capacity(homes.len());
        for &home in homes {
            let at = taken.iter().position(|(span, _)| *span == home).unwrap_or_else(|| {
                let known = self.slices.remove(&home);
                let slice = known.unwrap_or_else(|| allocator.groups.slice(home));
                taken.push((home, slice));
                taken.len() - 1
            });
            place.push(at);
        }
        for (run, from) in each_run(&scratch.runs.runs) {
            let slice = &mut taken[place[run.slot as usize]].1;
            slice.assign(&keys[from..run.end as usize], &mut allocator, groups);
        }
        self.slices.extend(taken);
        Ok(())
    }

    /// Emits the windows that `progress` closes.
    fn close(&mut self, before: Watermark, progress: Watermark) -> Result<Vec<Batch>> {
        match &self.source {
            SliceSource::Assign { window, .. } => match window.kind {
                WindowKind::Tumble { .. } => self.close_slices(progress),
                WindowKind::Hop { .. } => {
                    let window = window.clone();
                    self.close_hops(&window, before, progress)
                }
                WindowKind::Cumulate { .. } => {
                    let window = window.clone();
                    self.close_cumulates(&window, before, progress)
                }
            },
            SliceSource::Attached { .. } => self.close_slices(progress),
        }
    }

    fn slices_are_windows(&self) -> bool {
        match &self.source {
            SliceSource::Assign { window, .. } => matches!(window.kind, WindowKind::Tumble { .. }),
            SliceSource::Attached { .. } => true,
        }
    }

    /// Each slice is a window.
    fn close_slices(&mut self, progress: Watermark) -> Result<Vec<Batch>> {
        let mut closed = Closed::default();
        let mut gone = Vec::new();
        while let Some((&span, _)) = self.slices.first_key_value()
            && self.due(span.end, progress)
            && let Some((_, slice)) = self.slices.pop_first()
        {
            closed.push(span, &slice.keys, &slice.groups);
            gone.push((span, slice));
        }
        let output = self.emit(&closed, &self.calls)?;
        gone.into_iter().try_for_each(|(span, slice)| self.end_slice(span, slice))?;
        Ok(output)
    }

    fn close_hops(
        &mut self,
        window: &WindowSpec,
        before: Watermark,
        progress: Watermark,
    ) -> Result<Vec<Batch>> {
        let WindowKind::Hop { slide_ms, .. } = window.kind else { return Ok(Vec::new()) };
        let Some(mut combined) = self.combined.take() else { return Ok(Vec::new()) };
        let mut closed = Closed::default();
        let mut place = Vec::new();
        let (mut gone, mut ended) = (Gone::default(), Vec::new());
        let mut next_end = i64::MIN;
        while let Some((&first, _)) = self.slices.first_key_value() {
            let open = |w: &Span| w.end >= next_end && !self.due(w.end, before);
            let Some(span) = window.windows(first).find(open) else {
                ended.extend(self.slices.pop_first());
                continue;
            };
            if !self.due(span.end, progress) {
                break;
            }
            let mut parts = Parts {
                slices: &self.slices,
                calls: &mut self.calls,
                groups: &mut self.groups,
                references: &mut self.references,
                key_bound: self.keys.bound(),
            };
            self.panes.prepare(span, &mut parts, &mut gone)?;
            place.resize(self.keys.bound(), u32::MAX);
            // Groups of `combined` are places in `closed`.
            let base = closed.keys.len();
            let (keys, groups) = self.panes.window();
            let to: Vec<u32> = keys
                .iter()
                .map(|&key| {
                    let at = &mut place[key as usize];
                    if *at == u32::MAX || (*at as usize) < base {
                        *at = closed.keys.len() as u32;
                        closed.push(span, &[key], &[*at]);
                    }
                    *at
                })
                .collect();
            combined.fold_from(&self.calls, &groups, &to, closed.keys.len())?;
            next_end = span.end + slide_ms;
        }
        if self.slices.is_empty() {
            self.panes.reset(&mut gone);
        }
        let output = self.emit(&closed, &combined)?;
        combined.clear(&closed.groups);
        self.combined = Some(combined);
        self.forget_gone(gone);
        ended.into_iter().try_for_each(|(span, slice)| self.end_slice(span, slice))?;
        Ok(output)
    }

    fn close_cumulates(
        &mut self,
        window: &WindowSpec,
        before: Watermark,
        progress: Watermark,
    ) -> Result<Vec<Batch>> {
        let mut output = Vec::new();
        let mut next_end = i64::MIN;
        while let Some((&first, _)) = self.slices.first_key_value() {
            let open = |w: &Span| w.end >= next_end && !self.due(w.end, before);
            let Some(span) = window.windows(first).find(open) else {
                let (span, slice) = self.slices.pop_first().expect("it was just looked at");
                self.end_slice(span, slice)?;
                continue;
            };
            if !self.due(span.end, progress) {
                break;
            }
            let home = base_slice(window, first);
            self.gather(home, span)?;
            let base = &self.slices[&home];
            let mut closed = Closed::default();
            closed.push(span, &base.keys, &base.groups);
            output.extend(self.emit(&closed, &self.calls)?);
            next_end = span.end + 1;
        }
        Ok(output)
    }

    /// Moves the rows of all slices of a window into its first slice.
    fn gather(&mut self, home: Span, window: Span) -> Result<()> {
        let base = self.slices.remove(&home);
        let mut base = base.unwrap_or_else(|| self.groups.slice(home));
        let spans: Vec<Span> =
            self.slices.range(slices_of(window)).map(|(&span, _)| span).collect();
        for span in spans {
            let slice = self.slices.remove(&span).expect("it was just listed");
            let mut to = Vec::with_capacity(slice.keys.len());
            let mut allocator = Allocator {
                groups: &mut self.groups,
                references: &mut self.references,
                key_bound: self.keys.bound(),
            };
            base.assign(&slice.keys, &mut allocator, &mut to);
            self.touch(&to)?;
            let bound = self.groups.bound();
            self.calls.fold(&slice.groups, &to, bound)?;
            self.end_slice(span, slice)?;
        }
        self.slices.insert(home, base);
        Ok(())
    }

    /// A slice is no more.
    fn end_slice(&mut self, span: Span, slice: Slice) -> Result<()> {
        self.tell_end(span, &slice)?;
        self.forget(slice);
        Ok(())
    }

    fn forget_panes(&mut self) {
        let mut gone = Gone::default();
        self.panes.reset(&mut gone);
        self.forget_gone(gone);
    }

    /// Frees the groups of panes.
    fn forget_gone(&mut self, gone: Gone) {
        self.calls.clear(&gone.groups);
        // A whole cut, which does not know them from others, is to hand them out.
        self.tracker.let_go(&gone.groups);
        self.groups.free(&gone.groups);
        gone.slices.into_iter().for_each(|slice| self.forget(slice));
    }

    /// Frees the groups of a slice, and the keys that no other slice holds.
    fn forget(&mut self, slice: Slice) {
        self.calls.clear(&slice.groups);
        if let Some(counts) = &mut self.group_rows {
            slice.groups.iter().for_each(|&group| counts[group as usize] = 0);
        }
        if self.tracker.tracks() {
            self.tracker.let_go(&slice.groups);
        }
        self.groups.release(&slice);
        self.unhold(slice.keys);
    }

    /// Slices hold these keys no more, each once: frees those that no other holds.
    fn unhold(&mut self, mut unused: Vec<u32>) {
        unused.retain(|&key| {
            let references = &mut self.references[key as usize];
            *references -= 1;
            *references == 0
        });
        self.keys.release(&unused);
    }

    fn emit(&self, closed: &Closed, calls: &Calls) -> Result<Vec<Batch>> {
        let present = |&at: &u32| match &self.group_rows {
            Some(counts) => counts[closed.groups[at as usize] as usize] > 0,
            None => true,
        };
        let rows: Vec<u32> = (0..closed.keys.len() as u32).filter(present).collect();
        let mut output = Vec::with_capacity(rows.len().div_ceil(OUTPUT_ROWS));
        for rows in rows.chunks(OUTPUT_ROWS) {
            let keys: Vec<u32> = rows.iter().map(|&at| closed.keys[at as usize]).collect();
            let groups: Vec<u32> = rows.iter().map(|&at| closed.groups[at as usize]).collect();
            let windows = rows.iter().map(|&at| closed.windows[at as usize]);
            let mut columns = self.keys.emit(&keys)?;
            columns.extend(calls.finish(&groups)?);
            columns.extend(window_columns(windows, self.zone(), &self.time_type)?);
            output.push(Batch::new(columns, rows.len()));
        }
        Ok(output)
    }

    /// Gives the states of all groups away and starts anew.
    fn give_away(&mut self) -> Result<Vec<Batch>> {
        let mut closed = Closed::default();
        for (&span, slice) in &self.slices {
            closed.push(span, &slice.keys, &slice.groups);
        }
        let rows = closed.keys.len();
        if rows == 0 {
            return Ok(Vec::new());
        }
        let mut columns = self.keys.emit(&closed.keys)?;
        columns.push(timestamps(closed.windows.iter().map(|w| w.start).collect()));
        columns.push(timestamps(closed.windows.iter().map(|w| w.end).collect()));
        columns.extend(self.calls.states(&closed.groups)?);
        self.calls.clear(&closed.groups);
        self.slices.clear();
        self.keys.clear();
        self.references.clear();
        self.groups = Groups::default();
        Ok(vec![Batch::new(columns, rows)])
    }
}

impl Operator for WindowAggregate {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let (before, progress) = self.time.bounds(cx);
        self.passed = before;
        for Arrivals { batches, partials, .. } in inputs {
            for batch in batches.into_iter().filter(|batch| !batch.is_empty()) {
                self.absorb(batch, before, cx)?;
            }
            for partial in partials {
                self.merge(&partial, before)?;
            }
        }
        self.passed = progress;
        match self.role {
            Role::Windows if self.slices_are_windows() => {
                let mut output = Vec::new();
                loop {
                    let more = self.bring_back_due(progress)?;
                    output.extend(self.close(before, progress)?);
                    if !more {
                        return Ok(output);
                    }
                }
            }
            Role::Windows => self.close_with_aside(before, progress),
            Role::Partials => self.give_away(),
        }
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        self.tables().map(Some)
    }

    fn cut(&mut self, whole: bool) -> Result<Option<Vec<TableChange>>> {
        Ok(Some(self.cut_slices(whole)))
    }

    fn hand_out(&mut self, rows: usize) -> Result<Vec<TableChange>> {
        self.hand_out_groups(rows)
    }

    fn load(&mut self, table: &str, rows: &Batch) -> Result<()> {
        self.load_rows(table, rows)
    }

    fn next_timer_ms(&self) -> Option<i64> {
        if !self.time.is_by_clock() || self.role == Role::Partials {
            return None;
        }
        let first = self.slices.first_key_value();
        let here = first.and_then(|(&first, _)| self.next_close_ms(first, self.time.clock()));
        let next = here.into_iter().chain(self.aside.next_wake_ms()).min();
        next.map(|closes_ms| closes_ms + 1)
    }

    fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.put_groups_aside(wanted)
    }

    fn state_rows(&self) -> usize {
        self.groups.ids().live() + self.aside.rows()
    }

    fn state_bytes(&self) -> usize {
        self.bytes_in_use() + self.aside.size_bytes()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Yes,
    Late,
    NoWindow,
}

/// The groups of windows that are emitted.
#[derive(Debug, Default)]
struct Closed {
    windows: Vec<Span>,
    keys: Vec<u32>,
    groups: Vec<u32>,
}

impl Closed {
    fn push(&mut self, window: Span, keys: &[u32], groups: &[u32]) {
        self.windows.extend(std::iter::repeat_n(window, keys.len()));
        self.keys.extend_from_slice(keys);
        self.groups.extend_from_slice(groups);
    }
}

/// The first slice of the CUMULATE windows that a slice is in.
fn base_slice(window: &WindowSpec, slice: Span) -> Span {
    window.windows(slice).next().map_or(slice, |first| window.slice(first.start))
}

/// Runs with the row each starts at.
fn each_run(runs: &[Run]) -> impl Iterator<Item = (Run, usize)> + '_ {
    let mut from = 0;
    runs.iter().map(move |&run| (run, std::mem::replace(&mut from, run.end as usize)))
}

fn attached_runs(batch: &Batch, start: usize, end: usize, runs: &mut Runs) -> Result<()> {
    let (starts, ends) = (batch.column(start), batch.column(end));
    check_times(starts)?;
    check_times(ends)?;
    runs.attached(&times_ms(starts)?, &times_ms(ends)?);
    Ok(())
}
