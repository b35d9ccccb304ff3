//! The calls of an OVER node over changing rows, computed again for the rows that a step touches.
//! Invariant: touched rows of a partition are computed in order. Aggregates of a frame slide over them; where a row
//! cannot be taken out of a state exactly (floating point, lists), no row is taken out: each frame that does not
//! start at the partition's start is added up by itself.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, UInt32Array};
use arrow_schema::DataType as ArrowType;
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use mainstem_core::{Batch, Result};
use mainstem_state::table::TableRows;

use super::OverPlan;
use super::changing::{Change, Held, NONE};
use super::reach::Reach;
use super::script::{FramedCalls, boolean};
use crate::aggregate::AggregateCall;
use crate::over::{Frame, OverFunction};

/// Tables of states are named by it.
const FRAME: &str = "frame";

/// What a step looks at.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// The contents of all rows that are read.
    pub(super) contents: Vec<u32>,
    /// Rows to be computed again: entry, and place in `contents`.
    pub(super) touched: Vec<(u32, u32)>,
    /// Rows that went: entry, and place in `contents`.
    pub(super) gone: Vec<(u32, u32)>,
}

impl Work {
    /// The place of a row's content.
    fn read(&mut self, entry: u32, held: &Held) -> u32 {
        self.contents.push(held.content(entry));
        self.contents.len() as u32 - 1
    }

    /// Rows of a partition that went; how many there were before.
    fn note_gone(&mut self, change: &Change, held: &Held) -> usize {
        let before = self.gone.len();
        for &entry in &change.goes {
            let row = self.read(entry, held);
            self.gone.push((entry, row));
        }
        before
    }
}

/// Neighbours of touched rows: places `from..from + entries.len()` of a partition, read from `first` on.
struct View {
    from: usize,
    entries: Vec<u32>,
    first: u32,
}

impl View {
    fn row(&self, place: usize) -> u32 {
        self.first + (place - self.from) as u32
    }

    fn entry(&self, place: usize) -> u32 {
        self.entries[place - self.from]
    }
}

/// Aggregates over one frame.
struct ChangingFrame {
    frame: Frame,
    /// Rows can be taken out of the states.
    exact: bool,
    columns: Vec<usize>,
    calls: FramedCalls,
    /// Groups of this step, for frames that keep no state between steps.
    groups: u32,
}

impl ChangingFrame {
    /// True if there is a state per partition: of all its rows.
    fn keeps_total(&self) -> bool {
        self.exact && self.frame.start.is_none() && self.frame.end == Some(0)
    }
}

/// How a call is computed.
enum Shape {
    Aggregate {
        frame: usize,
        call: usize,
    },
    /// Rows whose values it has, [`NONE`] for none; by touched row.
    Edge {
        flag: u64,
        last: bool,
        frame: Frame,
        column: usize,
        found: Vec<u32>,
    },
    Shift {
        by: i64,
        column: usize,
        default: Option<usize>,
        found: Vec<u32>,
    },
    Whole(Whole, Vec<i64>),
    Part(Part, Vec<f64>),
}

impl Shape {
    /// The row whose value the row `entry`, at `place`, has.
    fn find(&self, reach: &Reach<'_>, entry: u32, place: usize, flags: &[u64]) -> Option<u32> {
        match *self {
            Shape::Edge { flag, last, frame, .. } => {
                let start = reach.start(frame, entry, place);
                let end = reach.end(frame, entry, place).max(start);
                let counts = |entry: &u32| flags[*entry as usize] & flag != 0;
                if last {
                    (start..end).rev().map(|place| reach.sequence.get(place)).find(counts)
                } else {
                    reach.sequence.range(start..end).find(counts)
                }
            }
            Shape::Shift { by, .. } => {
                let place = usize::try_from((place as i64).saturating_add(by)).ok()?;
                (place < reach.sequence.len()).then(|| reach.sequence.get(place))
            }
            _ => None,
        }
    }
}

#[derive(Clone, Copy)]
enum Whole {
    RowNumber,
    Rank,
    DenseRank,
    Ntile(i64),
}

#[derive(Clone, Copy)]
enum Part {
    PercentRank,
    CumeDist,
}

pub(super) struct Calls {
    functions: Vec<OverFunction>,
    frames: Vec<ChangingFrame>,
    shapes: Vec<Shape>,
    /// For FIRST_VALUE and LAST_VALUE: which column, NULLs left out, FILTER; a bit of `flags` each.
    edges: Vec<(usize, bool, Option<usize>)>,
    /// By entry.
    flags: Vec<u64>,
    /// By entry, if there is a DENSE_RANK.
    dense_ranks: Option<Vec<i64>>,
    /// Partitions whose states are made anew in this step.
    anew: Vec<u32>,
}

impl Calls {
    pub(super) fn new(plan: &OverPlan) -> Self {
        let mut calls = Self {
            functions: plan.calls.iter().map(|call| call.function.clone()).collect(),
            frames: Vec::new(),
            shapes: Vec::new(),
            edges: Vec::new(),
            flags: Vec::new(),
            dense_ranks: None,
            anew: Vec::new(),
        };
        let mut framed: Vec<(Frame, bool, Vec<AggregateCall>)> = Vec::new();
        for function in calls.functions.clone() {
            let shape = match function {
                OverFunction::Aggregate { call, frame } => {
                    let exact = is_exact(&call, &plan.input);
                    let known = framed.iter().position(|(f, e, _)| (*f, *e) == (frame, exact));
                    let at = known.unwrap_or_else(|| {
                        framed.push((frame, exact, Vec::new()));
                        framed.len() - 1
                    });
                    framed[at].2.push(call);
                    Shape::Aggregate { frame: at, call: framed[at].2.len() - 1 }
                }
                OverFunction::Edge { column, last, ignore_nulls, filter, frame } => {
                    let flag = 1 << (calls.edges.len() % 64);
                    calls.edges.push((column, ignore_nulls, filter));
                    Shape::Edge { flag, last, frame, column, found: Vec::new() }
                }
                OverFunction::Shift { column, rows, default } => {
                    Shape::Shift { by: rows, column, default, found: Vec::new() }
                }
                OverFunction::RowNumber => Shape::Whole(Whole::RowNumber, Vec::new()),
                OverFunction::Rank => Shape::Whole(Whole::Rank, Vec::new()),
                OverFunction::DenseRank => {
                    calls.dense_ranks = Some(Vec::new());
                    Shape::Whole(Whole::DenseRank, Vec::new())
                }
                OverFunction::Ntile(parts) => Shape::Whole(Whole::Ntile(parts), Vec::new()),
                OverFunction::PercentRank => Shape::Part(Part::PercentRank, Vec::new()),
                OverFunction::CumeDist => Shape::Part(Part::CumeDist, Vec::new()),
            };
            calls.shapes.push(shape);
        }
        calls.frames = framed.into_iter().map(changing_frame).collect();
        calls
    }

    /// How many FIRST_VALUE and LAST_VALUE calls there are.
    pub(super) fn edges(&self) -> usize {
        self.edges.len()
    }

    /// True if a frame goes by distances in the order column.
    pub(super) fn asks_distances(&self) -> bool {
        let far = |end: Option<i64>| end.is_some_and(|end| end != 0);
        let frames = self.functions.iter().filter_map(OverFunction::frame);
        frames.filter(|f| !f.rows).any(|f| far(f.start) || far(f.end))
    }

    /// Notes which new rows count for edge calls: entry `entries[i]` is row `i` of the batch.
    pub(super) fn note(&mut self, entries: &[u32], batch: &Batch) -> Result<()> {
        if self.edges.is_empty() {
            return Ok(());
        }
        let bound = entries.iter().max().map_or(0, |&max| max as usize + 1);
        self.flags.resize(self.flags.len().max(bound), 0);
        entries.iter().for_each(|&entry| self.flags[entry as usize] = 0);
        for (edge, &(column, ignore_nulls, filter)) in self.edges.iter().enumerate() {
            let filter = filter.map(|column| boolean(batch.column(column))).transpose()?;
            for (row, &entry) in entries.iter().enumerate() {
                let counts = (!ignore_nulls || batch.column(column).is_valid(row))
                    && filter.is_none_or(|f| f.is_valid(row) && f.value(row));
                self.flags[entry as usize] |= u64::from(counts) << edge;
            }
        }
        Ok(())
    }

    /// The places whose results may have changed because of one row; to the end where a state of all rows is wound back to
    /// the first of them, and so has to be wound forth again over all others.
    pub(super) fn touched(&self, reach: &Reach<'_>, entry: u32, place: usize) -> (usize, usize) {
        let of = |function: &OverFunction| reach.touched(function, entry, place);
        let ranges = self.functions.iter().map(of).filter(|(from, to)| from < to);
        let (from, to) =
            ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((place, place));
        let winds = from < to && self.keep_totals();
        (from, if winds { reach.sequence.len() } else { to })
    }

    fn keep_totals(&self) -> bool {
        self.frames.iter().any(ChangingFrame::keeps_total)
    }

    /// Says what is to be computed for the touched ranges of a partition.
    pub(super) fn plan(
        &mut self,
        partition: u32,
        change: &Change,
        ranges: &[(usize, usize)],
        held: &Held,
        work: &mut Work,
    ) {
        let gone = work.note_gone(change, held);
        let sequence = &held.sequences[partition as usize];
        let reach = Reach { order: &held.order, sequence };
        let totals = self.keep_totals();
        let start = ranges.first().map_or(sequence.len(), |range| range.0);
        // The state of all rows is wound back to the first touched row, or made anew up to it, whichever is less.
        let old = |entry: &u32| held.result(*entry) != NONE;
        let behind = if totals {
            sequence.range(start..sequence.len()).filter(old).count() + change.goes.len()
        } else {
            0
        };
        let anew = totals && start < behind;
        if anew {
            self.anew.push(partition);
        }
        if totals && ranges.is_empty() && sequence.len() > 0 {
            for frame in self.frames.iter_mut().filter(|f| f.keeps_total()) {
                let script = &mut frame.calls.script;
                script.group(partition);
                work.gone[gone..].iter().for_each(|&(_, row)| script.take_back(row));
            }
        }
        for &(from, to) in ranges {
            let view = self.view(&reach, from..to, anew, held, work);
            for place in from..to {
                work.touched.push((view.entry(place), view.row(place)));
            }
            let gone = &work.gone[gone..];
            for frame in &mut self.frames {
                if frame.keeps_total() {
                    frame.calls.script.group(partition);
                    frame.wind(&reach, &view, from..to, anew, gone, held);
                } else {
                    frame.slide(&reach, &view, from..to);
                }
            }
            self.find(&reach, &view, from..to, held, work);
            self.rank(&reach, &view, from..to);
        }
    }

    /// The rows that aggregates read for the touched places `touched`.
    fn view(
        &self,
        reach: &Reach<'_>,
        touched: std::ops::Range<usize>,
        anew: bool,
        held: &Held,
        work: &mut Work,
    ) -> View {
        let (mut from, mut to) = (touched.start, touched.end);
        let (first, last) = (reach.sequence.get(from), reach.sequence.get(to - 1));
        for frame in &self.frames {
            let start = if frame.keeps_total() && !anew {
                touched.start
            } else {
                reach.start(frame.frame, first, touched.start)
            };
            from = from.min(start);
            to = to.max(reach.end(frame.frame, last, touched.end - 1));
        }
        let entries: Vec<u32> = reach.sequence.range(from..to).collect();
        let first = work.contents.len() as u32;
        work.contents.extend(entries.iter().map(|&entry| held.content(entry)));
        View { from, entries, first }
    }

    /// Finds the rows whose values edge and shift calls have.
    fn find(
        &mut self,
        reach: &Reach<'_>,
        view: &View,
        touched: std::ops::Range<usize>,
        held: &Held,
        work: &mut Work,
    ) {
        for shape in &mut self.shapes {
            let rows: Vec<u32> = match shape {
                Shape::Edge { .. } | Shape::Shift { .. } => touched
                    .clone()
                    .map(|place| match shape.find(reach, view.entry(place), place, &self.flags) {
                        Some(entry) => work.read(entry, held),
                        None => NONE,
                    })
                    .collect(),
                _ => continue,
            };
            if let Shape::Edge { found, .. } | Shape::Shift { found, .. } = shape {
                found.extend(rows);
            }
        }
    }

    fn rank(&mut self, reach: &Reach<'_>, view: &View, touched: std::ops::Range<usize>) {
        let ranks = |shape: &Shape| matches!(shape, Shape::Whole(..) | Shape::Part(..));
        if !self.shapes.iter().any(ranks) {
            return;
        }
        let rows = reach.sequence.len() as i64;
        let before = touched.start.checked_sub(1).map(|place| reach.sequence.get(place));
        let mut dense = 0;
        if let (Some(dense_ranks), Some(before)) = (&self.dense_ranks, before) {
            dense = dense_ranks[before as usize];
        }
        let mut previous = before;
        let (mut first, mut end) = (0, 0);
        for place in touched {
            let entry = view.entry(place);
            let new = previous.is_none_or(|p| reach.order.compare_keys(p, entry).is_ne());
            if new || first == end {
                (first, end) = (reach.equals_start(entry), reach.equals_end(entry));
            }
            dense += i64::from(new);
            previous = Some(entry);
            if let Some(dense_ranks) = &mut self.dense_ranks {
                let bound = dense_ranks.len().max(entry as usize + 1);
                dense_ranks.resize(bound, 0);
                dense_ranks[entry as usize] = dense;
            }
            for shape in &mut self.shapes {
                match shape {
                    Shape::Whole(kind, values) => values.push(match kind {
                        Whole::RowNumber => place as i64 + 1,
                        Whole::Rank => first as i64 + 1,
                        Whole::DenseRank => dense,
                        Whole::Ntile(parts) => tile(place as i64, rows, *parts),
                    }),
                    Shape::Part(Part::PercentRank, values) => {
                        let behind = (rows - 1).max(1) as f64;
                        values.push(first as f64 / behind);
                    }
                    Shape::Part(Part::CumeDist, values) => values.push(end as f64 / rows as f64),
                    _ => {}
                }
            }
        }
    }

    /// The columns of all calls for the touched rows; `rows` are the contents.
    pub(super) fn run(
        &mut self,
        rows: &Batch,
        partitions: usize,
        work: &Work,
    ) -> Result<Vec<ArrayRef>> {
        let mut of_frames = Vec::with_capacity(self.frames.len());
        for frame in &mut self.frames {
            let picked = UInt32Array::from(frame.calls.script.rows.clone());
            let args = rows.project(&frame.columns).take(&picked)?;
            if frame.keeps_total() {
                frame.calls.forget(&self.anew);
                of_frames.push(frame.calls.run(&args, partitions)?);
            } else {
                of_frames.push(frame.calls.run(&args, frame.groups as usize)?);
                let groups: Vec<u32> = (0..std::mem::take(&mut frame.groups)).collect();
                frame.calls.forget(&groups);
            }
        }
        self.anew.clear();
        let touched: UInt32Array = work.touched.iter().map(|&(_, row)| row).collect();
        self.shapes
            .iter_mut()
            .map(|shape| -> Result<ArrayRef> {
                Ok(match shape {
                    Shape::Aggregate { frame, call } => Arc::clone(&of_frames[*frame][*call]),
                    Shape::Edge { column, found, .. } => {
                        picked(rows.column(*column), &std::mem::take(found))?
                    }
                    Shape::Shift { column, default, found, .. } => {
                        let found = std::mem::take(found);
                        let values = picked(rows.column(*column), &found)?;
                        let Some(default) = default else { return Ok(values) };
                        let default = take(rows.column(*default), &touched, None)?;
                        let choice = |(at, row): (usize, &u32)| (usize::from(*row == NONE), at);
                        let choices: Vec<_> = found.iter().enumerate().map(choice).collect();
                        interleave(&[values.as_ref(), default.as_ref()], &choices)?
                    }
                    Shape::Whole(_, values) => Arc::new(Int64Array::from(std::mem::take(values))),
                    Shape::Part(_, values) => Arc::new(Float64Array::from(std::mem::take(values))),
                })
            })
            .collect()
    }

    /// Takes the results of loaded rows over where later ones go on from them: row `i` is entry `entries[i]`.
    pub(super) fn note_results(&mut self, entries: &[u32], results: &[ArrayRef]) {
        let is_dense = |shape: &Shape| matches!(shape, Shape::Whole(Whole::DenseRank, _));
        let call = self.shapes.iter().position(is_dense);
        let (Some(ranks), Some(call)) = (&mut self.dense_ranks, call) else { return };
        let bound = entries.iter().max().map_or(0, |&max| max as usize + 1);
        ranks.resize(ranks.len().max(bound), 0);
        for (&entry, &rank) in
            entries.iter().zip(results[call].as_primitive::<Int64Type>().values())
        {
            ranks[entry as usize] = rank;
        }
    }

    /// The states of all rows of partitions, whose keys are given, a table for each call that has some.
    pub(super) fn save(&self, partitions: &[u32], keys: &Batch) -> Result<Vec<TableRows>> {
        let mut tables = Vec::new();
        for (number, frame) in self.frames.iter().enumerate().filter(|(_, f)| f.keeps_total()) {
            tables.extend(frame.calls.save(FRAME, number, partitions, keys)?);
        }
        Ok(tables)
    }

    /// Takes rows of such a table, without the keys.
    pub(super) fn load(
        &mut self,
        table: &str,
        states: &Batch,
        partitions: &[u32],
        bound: usize,
    ) -> Result<()> {
        for (number, frame) in self.frames.iter_mut().enumerate() {
            frame.calls.load(FRAME, number, table, states, partitions, bound)?;
        }
        Ok(())
    }

    /// Forgets the states of partitions that have no rows.
    pub(super) fn forget(&mut self, partitions: &[u32]) {
        for frame in self.frames.iter_mut().filter(|f| f.keeps_total()) {
            frame.calls.forget(partitions);
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.frames.iter().map(|frame| frame.calls.size_bytes()).sum::<usize>()
            + self.flags.capacity() * 8
            + self.dense_ranks.as_ref().map_or(0, |ranks| ranks.capacity() * 8)
    }
}

impl ChangingFrame {
    /// Winds the state of all rows back to the first touched row, then forth over them.
    fn wind(
        &mut self,
        reach: &Reach<'_>,
        view: &View,
        touched: std::ops::Range<usize>,
        anew: bool,
        gone: &[(u32, u32)],
        held: &Held,
    ) {
        let script = &mut self.calls.script;
        if anew {
            (0..touched.start).for_each(|place| script.add(view.row(place)));
        } else {
            gone.iter().for_each(|&(_, row)| script.take_back(row));
            for place in touched.start..reach.sequence.len() {
                if held.result(view.entry(place)) != NONE {
                    script.take_back(view.row(place));
                }
            }
        }
        let mut added = touched.start;
        for place in touched {
            if added <= place {
                let end = reach.end(self.frame, view.entry(place), place);
                (added..end).for_each(|place| script.add(view.row(place)));
                added = end;
            }
            script.mark();
        }
    }

    fn slide(&mut self, reach: &Reach<'_>, view: &View, touched: std::ops::Range<usize>) {
        let script = &mut self.calls.script;
        let apart = !self.exact && self.frame.start.is_some();
        let mut next_group = || {
            self.groups += 1;
            self.groups - 1
        };
        if !apart {
            script.group(next_group());
        }
        let mut inside: Option<std::ops::Range<usize>> = None;
        for place in touched {
            let entry = view.entry(place);
            let start = reach.start(self.frame, entry, place);
            let end = reach.end(self.frame, entry, place).max(start);
            if apart {
                script.group(next_group());
                (start..end).for_each(|place| script.add(view.row(place)));
            } else {
                let before = inside.unwrap_or(start..start);
                (before.start..start.min(before.end))
                    .for_each(|place| script.take_back(view.row(place)));
                (before.end.max(start)..end).for_each(|place| script.add(view.row(place)));
                inside = Some(start..end.max(before.end.max(start)));
            }
            script.mark();
        }
    }
}

fn changing_frame((frame, exact, mut calls): (Frame, bool, Vec<AggregateCall>)) -> ChangingFrame {
    let mut columns: Vec<usize> = Vec::new();
    for column in calls.iter_mut().flat_map(|call| call.args.iter_mut().chain(&mut call.filter)) {
        *column = columns.iter().position(|c| c == column).unwrap_or_else(|| {
            columns.push(*column);
            columns.len() - 1
        });
    }
    let retracts = exact && (frame.start.is_some() || frame.end == Some(0));
    ChangingFrame { frame, exact, columns, calls: FramedCalls::new(calls, retracts), groups: 0 }
}

/// True if a row that is taken out of the state leaves it as if the row had never been there.
fn is_exact(call: &AggregateCall, input: &[ArrowType]) -> bool {
    let floats = || call.args.iter().any(|&arg| input[arg].is_floating());
    match call.function.name() {
        "COUNT" | "MIN" | "MAX" => true,
        "SUM" | "SUM0" | "$SUM0" | "AVG" => !floats(),
        _ => false,
    }
}

/// The part of NTILE that the row at `place` is in: the first parts have one row more where they cannot be equal.
fn tile(place: i64, rows: i64, parts: i64) -> i64 {
    let (size, larger) = (rows / parts, rows % parts);
    let in_larger = larger * (size + 1);
    if place < in_larger { place / (size + 1) + 1 } else { larger + (place - in_larger) / size + 1 }
}

/// Values of a column, NULL for [`NONE`].
fn picked(column: &ArrayRef, rows: &[u32]) -> Result<ArrayRef> {
    let rows: UInt32Array = rows.iter().map(|&row| (row != NONE).then_some(row)).collect();
    Ok(take(column, &rows, None)?)
}
