//! OVER in the order of time, over rows that only come: each row waits until time has passed it, then comes out once.
//! Invariant: rows of a partition are computed in the order of time; all rows of equal time are computed in one step.
//! Unbounded frames are accumulators per partition, bounded frames slide: a row is added once and taken back once.
//! State: the rows that wait; per partition its accumulators and ranks, for ever, and the rows of its longest frame;
//! where RANGE bounds every call, a partition is forgotten when time has passed the reach of its last row.

mod saved;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{DataType as ArrowType, SortOptions};
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use mainstem_core::{Batch, Result};

use super::OverPlan;
use super::frame_rows::{FrameRows, NONE};
use super::layout::{Layout, Output, Pick, PickKind, RankKind, RowsFrame};
use super::script::boolean;
use super::waiting::Waiting;
use crate::columns::times_ms;
use crate::key_table::ABSENT;
use crate::operator::{Inputs, PutAside, StepContext, cut};
use crate::ops::by_key::{ByKey, KeyedOperator, Keys};
use crate::ops::window_table::check_times;
use crate::plan::TimeSource;

/// Output batches have at most this many rows.
const OUTPUT_ROWS: usize = 16_384;

/// What is kept of a partition besides accumulators and rows.
#[derive(Debug, Clone, Copy)]
struct Partition {
    /// The time of the last row that came out.
    last: i64,
    rows: i64,
    rank: i64,
    dense_rank: i64,
    /// It stands in the list of partitions to be forgotten.
    expires: bool,
}

const NEW: Partition =
    Partition { last: i64::MIN, rows: 0, rank: 0, dense_rank: 0, expires: false };

pub(crate) struct TimedOver {
    partition_columns: Vec<usize>,
    time: TimeSource,
    /// Orders rows of equal time by the other order columns.
    sorter: Option<(Vec<usize>, RowConverter)>,
    keys: Keys,
    partitions: Vec<Partition>,
    waiting: Waiting,
    store: FrameRows,
    layout: Layout,
    /// When to forget which partition, at the earliest.
    expiring: BinaryHeap<Reverse<(i64, u32)>>,
    /// Scratch, by partition: its place among those of the step, or [`NONE`].
    run_of: Vec<u32>,
}

/// Rows that are computed in this step.
struct Ready {
    batch: Batch,
    times: Vec<i64>,
    partitions: Vec<u32>,
    /// Rows, partition by partition, in order.
    order: Vec<u32>,
    /// By row: it is equal in the order to the row before it in its partition. Only within the step.
    equal: Vec<bool>,
    /// By row: for which edge calls it counts.
    flags: Vec<u64>,
    /// The number of row 0 in the store.
    first: u32,
}

impl TimedOver {
    pub(crate) fn new(plan: &OverPlan, time: TimeSource) -> Result<Self> {
        let key_types: Vec<_> = plan.partition.iter().map(|&c| plan.input[c].clone()).collect();
        let layout = Layout::new(plan, time)?;
        let kept: Vec<ArrowType> = layout.kept.iter().map(|&c| plan.input[c].clone()).collect();
        let edges = layout.edges();
        let rest = plan.order.get(1..).unwrap_or_default();
        let sorter = if rest.is_empty() { None } else { Some(sorter(rest, &plan.input)?) };
        Ok(Self {
            partition_columns: plan.partition.clone(),
            time,
            sorter,
            keys: Keys::new(&key_types)?,
            partitions: Vec::new(),
            waiting: Waiting::new(&plan.input),
            store: FrameRows::new(&kept, layout.frames.len(), edges),
            layout,
            expiring: BinaryHeap::new(),
            run_of: Vec::new(),
        })
    }

    /// The rows that are not late, and their times; counts the others.
    fn on_time(
        &self,
        batch: Batch,
        before: Option<i64>,
        late_rows: &mut u64,
        column: usize,
    ) -> Result<(Batch, Vec<i64>)> {
        check_times(batch.column(column))?;
        let times = times_ms(batch.column(column))?.into_owned();
        let late: Vec<bool> = if self.layout.late_by_partition {
            let keys = batch.project(&self.partition_columns);
            let mut ids = Vec::new();
            self.keys.lookup(keys.columns(), keys.rows(), &mut ids)?;
            let passed = |(&id, &time): (&u32, &i64)| {
                id != ABSENT && time <= self.partitions[id as usize].last
            };
            ids.iter().zip(&times).map(passed).collect()
        } else {
            times.iter().map(|&time| before.is_some_and(|before| time <= before)).collect()
        };
        let count = late.iter().filter(|late| **late).count();
        if count == 0 {
            return Ok((batch, times));
        }
        *late_rows += count as u64;
        let mask: BooleanArray = late.iter().map(|&late| Some(!late)).collect();
        let times = times.into_iter().zip(late).filter(|(_, late)| !late).map(|(t, _)| t).collect();
        Ok((batch.filter(&mask)?, times))
    }

    /// The rows whose time has come.
    fn due(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Option<(Batch, Vec<i64>)>> {
        let batches = inputs.into_iter().flat_map(|i| i.batches).filter(|b| !b.is_empty());
        let TimeSource::EventTime { column } = self.time else {
            let batches: Vec<Batch> = batches.collect();
            let all = Batch::concat(&batches)?;
            return Ok(all.map(|all| {
                let times = vec![cx.now_ms; all.rows()];
                (all, times)
            }));
        };
        for batch in batches {
            if self.layout.late_by_partition {
                self.bring_back(&batch.project(&self.partition_columns))?;
            }
            let late_rows = &mut cx.metrics.late_rows;
            let (batch, times) = self.on_time(batch, cx.watermark_before, late_rows, column)?;
            if !batch.is_empty() {
                self.waiting.push(&batch, &times)?;
            }
        }
        // A row behind the watermark that is not late by its partition waits for the next one, as in Flink.
        let has_moved = cx.end_of_input || cx.watermark != cx.watermark_before;
        let progress = if cx.end_of_input { Some(i64::MAX) } else { cx.watermark };
        let Some(progress) = progress.filter(|_| has_moved) else { return Ok(None) };
        let (batch, times) = self.waiting.take(progress)?;
        Ok((!batch.is_empty()).then_some((batch, times)))
    }

    /// For the partitions that have keys.
    fn make_room(&mut self) {
        let bound = self.keys.bound();
        if self.partitions.len() < bound {
            self.partitions.resize(bound, NEW);
        }
        self.store.grow(bound);
        self.run_of.resize(bound.max(self.run_of.len()), NONE);
    }

    /// Sorts rows of equal time by the further order columns, and finds partitions and equals.
    fn prepare(&mut self, mut batch: Batch, times: Vec<i64>) -> Result<Ready> {
        let mut same = vec![true; batch.rows()];
        if let Some((columns, converter)) = &mut self.sorter {
            let keys = batch.project(columns);
            let encoded = converter.convert_columns(keys.columns())?;
            let key = |row: &u32| (times[*row as usize], encoded.row(*row as usize));
            let mut order: Vec<u32> = (0..batch.rows() as u32).collect();
            order.sort_by(|a, b| key(a).cmp(&key(b)));
            // Neighbours of one partition are equal if all rows between them are.
            for at in 1..order.len() {
                same[at] = encoded.row(order[at] as usize) == encoded.row(order[at - 1] as usize);
            }
            batch = batch.take(&UInt32Array::from(order))?;
        }
        let keys = batch.project(&self.partition_columns);
        self.bring_back(&keys)?;
        let mut partitions = Vec::new();
        self.keys.intern(keys.columns(), keys.rows(), &mut partitions)?;
        self.make_room();
        self.touch(&partitions)?;
        let order = by_partition(&partitions, &mut self.run_of);
        let mut equal = vec![false; batch.rows()];
        // By row: how many rows up to it differ from the one before.
        let mut differences = 0u32;
        let runs: Vec<u32> = (0..batch.rows())
            .map(|row| {
                let differs = row > 0 && (times[row] != times[row - 1] || !same[row]);
                differences += u32::from(differs);
                differences
            })
            .collect();
        for pair in order.windows(2) {
            let (a, b) = (pair[0] as usize, pair[1] as usize);
            equal[b] = partitions[a] == partitions[b] && runs[a] == runs[b];
        }
        let (first, flags) = if self.layout.frames.is_empty() {
            (0, Vec::new())
        } else {
            (self.store.store(&batch.project(&self.layout.kept))?, self.flags(&batch)?)
        };
        Ok(Ready { batch, times, partitions, order, equal, flags, first })
    }

    /// For which edge calls each row counts.
    fn flags(&self, batch: &Batch) -> Result<Vec<u64>> {
        let mut flags = vec![0u64; batch.rows()];
        for pick in &self.layout.picks {
            let PickKind::Edge { edge, ignore_nulls, filter, .. } = pick.kind else { continue };
            let values = batch.column(self.layout.kept[pick.column]);
            let filter = filter.map(|column| boolean(batch.column(column))).transpose()?;
            for (row, flags) in flags.iter_mut().enumerate() {
                let counts = (!ignore_nulls || values.is_valid(row))
                    && filter.is_none_or(|f| f.is_valid(row) && f.value(row));
                *flags |= u64::from(counts) << edge;
            }
        }
        Ok(flags)
    }

    /// Walks through the rows, partition by partition, equals by equals.
    fn walk(&mut self, ready: &Ready) -> usize {
        let mut freed = 0;
        let mut at = 0;
        let mut current = None;
        while at < ready.order.len() {
            let row = ready.order[at] as usize;
            let mut end = at + 1;
            while end < ready.order.len() && ready.equal[ready.order[end] as usize] {
                end += 1;
            }
            let partition = ready.partitions[row];
            if current != Some(partition) {
                current = Some(partition);
                self.layout.frames.iter_mut().for_each(|f| f.enter(partition));
                self.layout.running.iter_mut().for_each(|f| f.calls.script.group(partition));
            }
            self.equals(ready, partition, &ready.order[at..end], &mut freed);
            at = end;
        }
        freed
    }

    /// Rows of one partition that are equal in the order.
    fn equals(&mut self, ready: &Ready, partition: u32, rows: &[u32], freed: &mut usize) {
        let time = ready.times[rows[0] as usize];
        let Layout { frames, running, picks, .. } = &mut self.layout;
        for (at, frame) in frames.iter_mut().enumerate() {
            if let RowsFrame { rows: None, reach_ms, .. } = *frame {
                let oldest = time.saturating_sub(reach_ms);
                while self.store.first(partition, at).is_some_and(|(_, time)| time < oldest) {
                    frame.leaves(self.store.pop(partition, at, freed));
                }
            }
        }
        for &row in rows {
            let stored = ready.first + row;
            if !frames.is_empty() {
                for (at, frame) in frames.iter_mut().enumerate() {
                    if let Some(limit) = frame.rows
                        && self.store.length(partition, at) == limit
                    {
                        frame.leaves(self.store.pop(partition, at, freed));
                    }
                }
                self.store.push(partition, stored, time, ready.flags[row as usize]);
            }
            for frame in frames.iter_mut() {
                frame.comes(stored);
                if frame.rows.is_some() {
                    frame.read();
                }
            }
            for frame in running.iter_mut() {
                frame.calls.script.add(row);
                if frame.rows {
                    frame.calls.script.mark();
                }
            }
            for pick in picks.iter_mut().filter(|pick| frames[pick.frame].rows.is_some()) {
                pick.read(&self.store, partition, frames[pick.frame].rows);
            }
        }
        for _ in rows {
            frames.iter_mut().filter(|f| f.rows.is_none()).for_each(RowsFrame::read);
            running.iter_mut().filter(|f| !f.rows).for_each(|f| f.calls.script.mark());
            for pick in picks.iter_mut().filter(|pick| frames[pick.frame].rows.is_none()) {
                pick.read(&self.store, partition, None);
            }
        }
        self.rank(partition, time, rows.len());
    }

    fn rank(&mut self, partition: u32, time: i64, count: usize) {
        let state = &mut self.partitions[partition as usize];
        state.last = time;
        state.rank = state.rows + 1;
        state.dense_rank += 1;
        for _ in 0..count {
            state.rows += 1;
            for (kind, values) in &mut self.layout.ranks {
                values.push(match kind {
                    RankKind::RowNumber => state.rows,
                    RankKind::Rank => state.rank,
                    RankKind::DenseRank => state.dense_rank,
                });
            }
        }
    }

    /// The columns of all calls, in the order of the batch.
    fn results(&mut self, ready: &Ready) -> Result<Vec<ArrayRef>> {
        let bound = self.keys.bound();
        let mut of_frames = Vec::new();
        for frame in &mut self.layout.frames {
            let args = self.store.gather(&frame.calls.script.rows)?;
            of_frames.push(frame.calls.run(&args, bound)?);
        }
        let mut of_running = Vec::new();
        for frame in &mut self.layout.running {
            let rows = UInt32Array::from(frame.calls.script.rows.clone());
            let args = ready.batch.project(&frame.columns).take(&rows)?;
            of_running.push(frame.calls.run(&args, bound)?);
        }
        let order: UInt32Array = UInt32Array::from(ready.order.clone());
        let identity = ready.order.iter().enumerate().all(|(at, &row)| at == row as usize);
        let mut inverse = vec![0u32; ready.order.len()];
        for (at, &row) in ready.order.iter().enumerate() {
            inverse[row as usize] = at as u32;
        }
        let inverse = UInt32Array::from(inverse);
        let mut columns = Vec::with_capacity(self.layout.outputs.len());
        for output in &self.layout.outputs {
            let column: ArrayRef = match *output {
                Output::Framed { frame, call } => Arc::clone(&of_frames[frame][call]),
                Output::Running { frame, call } => Arc::clone(&of_running[frame][call]),
                Output::Rank(at) => {
                    Arc::new(Int64Array::from(std::mem::take(&mut self.layout.ranks[at].1)))
                }
                Output::Pick(at) => {
                    let pick = &mut self.layout.picks[at];
                    let rows = std::mem::take(&mut pick.found);
                    picked(pick, &rows, &self.store, &ready.batch, &order)?
                }
            };
            columns.push(if identity { column } else { take(&column, &inverse, None)? });
        }
        Ok(columns)
    }

    /// Forgets partitions whose rows no frame can reach any more.
    fn forget(&mut self, ready: Option<&Ready>, progress: Option<i64>) -> Result<usize> {
        let (Some(reach), Some(progress)) = (self.layout.reach_ms, progress) else { return Ok(0) };
        for &partition in ready.iter().flat_map(|ready| &ready.partitions) {
            let state = &mut self.partitions[partition as usize];
            if !std::mem::replace(&mut state.expires, true) {
                let at = state.last.saturating_add(reach);
                self.expiring.push(Reverse((at, partition)));
            }
        }
        self.bring_back_due(progress.saturating_sub(1))?;
        let mut gone = Vec::new();
        while let Some(&Reverse((at, partition))) = self.expiring.peek()
            && at < progress
        {
            self.expiring.pop();
            if !self.partitions[partition as usize].expires {
                // Its place was left, or it stands here twice.
                continue;
            }
            let expires = self.partitions[partition as usize].last.saturating_add(reach);
            if expires >= progress {
                self.expiring.push(Reverse((expires, partition)));
                continue;
            }
            self.partitions[partition as usize].expires = false;
            gone.push(partition);
        }
        self.touch(&gone)?;
        let freed = self.clear(&gone);
        self.keys.release(&gone)?;
        Ok(freed)
    }

    /// Has the places of partitions empty; returns how many rows that frees.
    fn clear(&mut self, partitions: &[u32]) -> usize {
        let mut freed = 0;
        for &partition in partitions {
            self.store.clear(partition, &mut freed);
            self.partitions[partition as usize] = NEW;
        }
        self.layout.frames.iter_mut().for_each(|frame| frame.calls.forget(partitions));
        self.layout.running.iter_mut().for_each(|frame| frame.calls.forget(partitions));
        freed
    }
}

/// The column of an edge or shift call, partition by partition.
fn picked(
    pick: &Pick,
    rows: &[u32],
    store: &FrameRows,
    batch: &Batch,
    order: &UInt32Array,
) -> Result<ArrayRef> {
    let values = store.pick(rows, pick.column)?;
    let PickKind::Shift { default: Some(default) } = pick.kind else { return Ok(values) };
    let default = take(batch.column(default), order, None)?;
    let choice = |(at, &row): (usize, &u32)| (usize::from(row == NONE), at);
    let choices: Vec<(usize, usize)> = rows.iter().enumerate().map(choice).collect();
    Ok(interleave(&[values.as_ref(), default.as_ref()], &choices)?)
}

fn sorter(rest: &[(usize, bool, bool)], types: &[ArrowType]) -> Result<(Vec<usize>, RowConverter)> {
    let field = |&(column, descending, nulls_first): &(usize, bool, bool)| {
        let options = SortOptions { descending, nulls_first };
        SortField::new_with_options(types[column].clone(), options)
    };
    let converter = RowConverter::new(rest.iter().map(field).collect())?;
    Ok((rest.iter().map(|key| key.0).collect(), converter))
}

/// Rows grouped by partition, those of a partition in order. `run_of` holds [`NONE`] everywhere, before and after.
fn by_partition(partitions: &[u32], run_of: &mut [u32]) -> Vec<u32> {
    let first = partitions.first().copied().unwrap_or(0);
    if partitions.iter().all(|&p| p == first) {
        return (0..partitions.len() as u32).collect();
    }
    // By partition of this step, in order of appearance.
    let mut counts: Vec<u32> = Vec::new();
    for &partition in partitions {
        let run = &mut run_of[partition as usize];
        if *run == NONE {
            *run = counts.len() as u32;
            counts.push(0);
        }
        counts[*run as usize] += 1;
    }
    let mut next = 0;
    for count in &mut counts {
        (*count, next) = (next, next + *count);
    }
    let mut order = vec![0u32; partitions.len()];
    for (row, &partition) in partitions.iter().enumerate() {
        let place = &mut counts[run_of[partition as usize] as usize];
        order[*place as usize] = row as u32;
        *place += 1;
    }
    partitions.iter().for_each(|&partition| run_of[partition as usize] = NONE);
    order
}

impl KeyedOperator for TimedOver {
    fn run_step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let due = self.due(inputs, cx)?;
        let progress = match self.time {
            TimeSource::EventTime { .. } => cx.watermark,
            TimeSource::ProcessingTime => Some(cx.now_ms),
        };
        let Some((batch, times)) = due else {
            let freed = self.forget(None, progress)?;
            self.store.release(freed)?;
            return Ok(Vec::new());
        };
        let ready = self.prepare(batch, times)?;
        let mut freed = self.walk(&ready);
        let mut columns = ready.batch.columns().to_vec();
        columns.extend(self.results(&ready)?);
        freed += self.forget(Some(&ready), progress)?;
        self.store.release(freed)?;
        let rows = ready.batch.rows();
        Ok(cut(&Batch::new(columns, rows), OUTPUT_ROWS).collect())
    }

    fn put_rows_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.store.put_aside(wanted)
    }

    fn rows_here(&self) -> usize {
        self.waiting.len() + self.store.len() + self.keys.len()
    }

    fn waiting_bytes(&self) -> usize {
        self.waiting.size_bytes()
    }
}
