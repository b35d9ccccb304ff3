//! What a step adds to and takes from the states of aggregate calls, and where their results are read.
//! Invariant: changes of one group stand together, in order. Most accumulators go through all changes by themselves
//! ([`Accumulator::scan`]). For the others: groups do not touch each other, so the n-th segments of all groups are one
//! pass; the passes are as many as the longest group has segments.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow_select::concat::concat;
use arrow_select::take::take;
use mainstem_core::{Batch, Error, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::super::saved::beside;
use crate::aggregate::{Accumulator, AggregateCall, Changes};

/// Changes of a group up to a point where its result is read.
#[derive(Debug, Clone, Copy)]
struct Segment {
    /// Where its changes end.
    end: usize,
    group: u32,
    /// How many segments of its group are before it.
    pass: usize,
}

/// Changes, and results to be read between them.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// By change: the row whose arguments are added or taken back.
    pub(super) rows: Vec<u32>,
    weights: Vec<i64>,
    segments: Vec<Segment>,
    /// By result: its segment.
    marks: Vec<u32>,
    /// The group of the changes behind the last segment.
    open: Option<u32>,
}

impl Script {
    /// What follows is about `group`, which has not been spoken of before.
    pub(super) fn group(&mut self, group: u32) {
        self.close();
        self.open = Some(group);
    }

    pub(super) fn add(&mut self, row: u32) {
        self.rows.push(row);
        self.weights.push(1);
    }

    pub(super) fn take_back(&mut self, row: u32) {
        self.rows.push(row);
        self.weights.push(-1);
    }

    /// Reads the group's result here.
    pub(super) fn mark(&mut self) {
        let group = self.open.expect("a group was named before its rows");
        let from = self.segments.last().map_or(0, |s| s.end);
        let same = self.segments.last().is_some_and(|s| s.group == group);
        if self.rows.len() > from || !same {
            let pass = self.segments.last().filter(|_| same).map_or(0, |s| s.pass + 1);
            self.segments.push(Segment { end: self.rows.len(), group, pass });
        }
        self.marks.push(self.segments.len() as u32 - 1);
    }

    /// Changes behind a group's last mark are a segment whose result nobody reads.
    fn close(&mut self) {
        let from = self.segments.last().map_or(0, |s| s.end);
        if let Some(group) = self.open.take()
            && self.rows.len() > from
        {
            let same = self.segments.last().filter(|s| s.group == group);
            let pass = same.map_or(0, |s| s.pass + 1);
            self.segments.push(Segment { end: self.rows.len(), group, pass });
        }
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.weights.clear();
        self.segments.clear();
        self.marks.clear();
        self.open = None;
    }
}

/// Aggregate calls over one frame, driven together.
pub(super) struct FramedCalls {
    calls: Vec<AggregateCall>,
    accumulators: Vec<Box<dyn Accumulator>>,
    pub(super) script: Script,
}

impl FramedCalls {
    /// Calls whose columns are those of the batches given to [`FramedCalls::run`].
    pub(super) fn new(calls: Vec<AggregateCall>, retractable: bool) -> Self {
        Self {
            accumulators: calls.iter().map(|call| call.accumulator(retractable)).collect(),
            calls,
            script: Script::default(),
        }
    }

    /// Plays the script over the arguments of its changes; one array a call, one value a mark. The script is empty
    /// then.
    pub(super) fn run(&mut self, args: &Batch, group_bound: usize) -> Result<Vec<ArrayRef>> {
        self.script.close();
        let results = self.play(args, group_bound);
        self.script.clear();
        results
    }

    fn play(&mut self, args: &Batch, group_bound: usize) -> Result<Vec<ArrayRef>> {
        let mut results = self.scan(args, group_bound)?;
        if results.iter().any(Option::is_none) {
            self.play_by_passes(args, group_bound, &mut results)?;
        }
        Ok(results.into_iter().flatten().collect())
    }

    /// The results of the accumulators that go through all changes by themselves.
    fn scan(&mut self, args: &Batch, group_bound: usize) -> Result<Vec<Option<ArrayRef>>> {
        let Script { segments, marks, weights, rows, .. } = &self.script;
        let mut groups = Vec::with_capacity(rows.len());
        for segment in segments {
            groups.resize(segment.end, segment.group);
        }
        let read = |&mark: &u32| {
            let segment = &segments[mark as usize];
            (segment.end as u32, segment.group)
        };
        let reads: Vec<(u32, u32)> = marks.iter().map(read).collect();
        let weights = weights.iter().any(|&w| w != 1).then_some(&weights[..]);
        let mut results = Vec::with_capacity(self.calls.len());
        for (call, accumulator) in self.calls.iter().zip(&mut self.accumulators) {
            let columns = arguments(call, args);
            let filter = call.filter.map(|column| boolean(args.column(column))).transpose()?;
            results.push(accumulator.scan(&Changes {
                args: &columns,
                groups: &groups,
                group_count: group_bound,
                filter,
                weights,
                reads: &reads,
            })?);
        }
        Ok(results)
    }

    /// The results that are missing, pass by pass.
    fn play_by_passes(
        &mut self,
        args: &Batch,
        group_bound: usize,
        results: &mut [Option<ArrayRef>],
    ) -> Result<()> {
        let passes = self.script.segments.iter().map(|s| s.pass + 1).max().unwrap_or(0);
        let mut by_pass: Vec<Vec<u32>> = vec![Vec::new(); passes];
        for (index, segment) in self.script.segments.iter().enumerate() {
            by_pass[segment.pass].push(index as u32);
        }
        let open: Vec<usize> = (0..results.len()).filter(|&at| results[at].is_none()).collect();
        let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); open.len()];
        // By segment: where its result stands among those of all passes.
        let mut places = vec![0u32; self.script.segments.len()];
        let mut read = 0;
        for segments in &by_pass {
            let groups: Vec<u32> =
                segments.iter().map(|&s| self.script.segments[s as usize].group).collect();
            self.update(args, segments, passes == 1, group_bound, &open)?;
            for (part, &at) in parts.iter_mut().zip(&open) {
                part.push(self.accumulators[at].finish(&groups)?);
            }
            for &segment in segments {
                places[segment as usize] = read;
                read += 1;
            }
        }
        let marks: UInt32Array =
            self.script.marks.iter().map(|&segment| places[segment as usize]).collect();
        for (part, &at) in parts.iter().zip(&open) {
            let refs: Vec<&dyn Array> = part.iter().map(AsRef::as_ref).collect();
            results[at] = Some(match refs.as_slice() {
                [] => self.accumulators[at].finish(&[])?,
                [one] => take(*one, &marks, None)?,
                _ => take(&concat(&refs)?, &marks, None)?,
            });
        }
        Ok(())
    }

    /// One pass: the changes of segments of different groups.
    fn update(
        &mut self,
        args: &Batch,
        segments: &[u32],
        everything: bool,
        group_bound: usize,
        open: &[usize],
    ) -> Result<()> {
        let script = &self.script;
        let range = |segment: u32| {
            let start = segment.checked_sub(1).map_or(0, |s| script.segments[s as usize].end);
            start..script.segments[segment as usize].end
        };
        let mut groups = Vec::new();
        for &segment in segments {
            let count = range(segment).len();
            groups.extend(std::iter::repeat_n(script.segments[segment as usize].group, count));
        }
        if groups.is_empty() {
            return Ok(());
        }
        let (batch, weights) = match segments {
            _ if everything => (args.clone(), script.weights.clone()),
            [one] => {
                let range = range(*one);
                let batch = args.slice(range.start, range.len());
                (batch, script.weights[range].to_vec())
            }
            _ => {
                let rows: Vec<u32> =
                    segments.iter().flat_map(|&s| range(s).map(|row| row as u32)).collect();
                let weights = rows.iter().map(|&row| script.weights[row as usize]).collect();
                (args.take(&UInt32Array::from(rows))?, weights)
            }
        };
        let weights = weights.iter().any(|&w| w != 1).then_some(&weights[..]);
        for &at in open {
            let call = &self.calls[at];
            let filter = call.filter.map(|column| boolean(batch.column(column))).transpose()?;
            let columns = arguments(call, &batch);
            self.accumulators[at].update(&columns, &groups, group_bound, filter, weights)?;
        }
        Ok(())
    }

    /// What the calls know of groups, whose keys are given, each as a table; `kind` and `number` tell these calls from others.
    pub(super) fn save(
        &self,
        kind: &str,
        number: usize,
        groups: &[u32],
        keys: &Batch,
    ) -> Result<Vec<TableRows>> {
        let mut tables = Vec::with_capacity(self.accumulators.len());
        for (call, accumulator) in self.accumulators.iter().enumerate() {
            let saved = accumulator.save(groups)?;
            let rows = beside(keys.take(&saved.places.into())?, saved.columns);
            let columns = (0..keys.columns().len()).collect();
            let shape = TableShape::keyed(table_of(kind, number, call), columns);
            tables.push(shape.with_rows(vec![rows]));
        }
        Ok(tables)
    }

    /// Takes rows of such a table, without the keys, if it is one of these calls.
    pub(super) fn load(
        &mut self,
        kind: &str,
        number: usize,
        table: &str,
        states: &Batch,
        groups: &[u32],
        group_bound: usize,
    ) -> Result<()> {
        for (call, accumulator) in self.accumulators.iter_mut().enumerate() {
            if table == table_of(kind, number, call) {
                accumulator.load(states.columns(), groups, group_bound)?;
            }
        }
        Ok(())
    }

    /// Forgets groups.
    pub(super) fn forget(&mut self, groups: &[u32]) {
        self.accumulators.iter_mut().for_each(|accumulator| accumulator.clear(groups));
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.accumulators.iter().map(|accumulator| accumulator.size_bytes()).sum()
    }
}

fn table_of(kind: &str, number: usize, call: usize) -> String {
    format!("{kind} {number} call {call}")
}

fn arguments(call: &AggregateCall, batch: &Batch) -> Vec<ArrayRef> {
    call.args.iter().map(|&column| Arc::clone(batch.column(column))).collect()
}

/// A boolean column.
pub(super) fn boolean(column: &ArrayRef) -> Result<&BooleanArray> {
    column.as_boolean_opt().ok_or_else(|| Error::internal("a FILTER column is not boolean"))
}
