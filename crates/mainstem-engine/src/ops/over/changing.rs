//! OVER over rows that come and go, in any order: a changelog of rows with their results.
//! Invariant: after each step the rows that came out, added up, are the input's rows with what their windows make of
//! them.
//! A change touches the rows whose frames have it; only those are computed again. State: every row of the input with
//! its result, until it is taken back; for frames from the partition's start, an accumulator per partition where rows
//! can be taken out of it exactly.

mod saved;

use std::collections::BTreeMap;

use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use arrow_ord::cmp::distinct;
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Error, Result};

use super::OverPlan;
use super::order_keys::OrderKeys;
use super::reach::Reach;
use super::recompute::{Calls, Work};
use super::sequence::Sequence;
use crate::key_table::{Ids, KeyTable};
use crate::operator::{Inputs, PutAside, StepContext, cut};
use crate::ops::by_key::{ByKey, KeyedOperator, Keys};
use crate::ops::rows::Rows;

/// FIRST_VALUE and LAST_VALUE calls that one node can have.
const EDGES_MAX: usize = 64;

/// Output batches have at most this many rows.
const OUTPUT_ROWS: usize = 16_384;

/// No entry, no row.
pub(super) const NONE: u32 = u32::MAX;

/// A row of the input; equal rows are several entries.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The id of its columns.
    content: u32,
    /// The next entry with the same columns.
    next: u32,
    /// Its row among the results, or [`NONE`] if it has not come out yet.
    result: u32,
}

/// The entries of one content, oldest first.
#[derive(Debug, Clone, Copy)]
struct Copies {
    first: u32,
    last: u32,
    /// How many were taken back before they came.
    owed: i64,
}

const NO_COPIES: Copies = Copies { first: NONE, last: NONE, owed: 0 };

/// Rows and their order.
pub(super) struct Held {
    /// Whole rows.
    contents: KeyTable,
    copies: Vec<Copies>,
    entries: Vec<Entry>,
    ids: Ids,
    pub(super) order: OrderKeys,
    pub(super) sequences: Vec<Sequence>,
}

impl Held {
    pub(super) fn content(&self, entry: u32) -> u32 {
        self.entries[entry as usize].content
    }

    pub(super) fn result(&self, entry: u32) -> u32 {
        self.entries[entry as usize].result
    }

    /// Where an entry stands, or stood before it was taken out.
    fn place(&self, partition: u32, entry: u32) -> usize {
        self.sequences[partition as usize].partition_point(|e| self.order.compare(e, entry).is_lt())
    }
}

pub(crate) struct ChangingOver {
    partition_columns: Vec<usize>,
    /// How many columns the input has.
    width: usize,
    keys: Keys,
    held: Held,
    calls: Calls,
    results: Rows,
}

/// What a step did to a partition.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) comes: Vec<u32>,
    pub(super) goes: Vec<u32>,
    /// What came and went: nobody has seen it.
    passed: Vec<u32>,
}

impl ChangingOver {
    pub(crate) fn new(plan: &OverPlan) -> Result<Self> {
        let key_types: Vec<_> = plan.partition.iter().map(|&c| plan.input[c].clone()).collect();
        let result_types: Vec<ArrowType> = plan.calls.iter().map(|c| c.output.clone()).collect();
        let calls = Calls::new(plan);
        if calls.edges() > EDGES_MAX {
            return Err(Error::user(format!(
                "more than {EDGES_MAX} FIRST_VALUE and LAST_VALUE calls over one window"
            ))
            .with_hint("spread them over several queries"));
        }
        Ok(Self {
            partition_columns: plan.partition.clone(),
            width: plan.input.len(),
            keys: Keys::new(&key_types)?,
            held: Held {
                contents: KeyTable::new(&plan.input)?,
                copies: Vec::new(),
                entries: Vec::new(),
                ids: Ids::default(),
                order: OrderKeys::new(
                    &plan.order,
                    &plan.input,
                    calls.asks_distances(),
                    plan.changelog,
                )?,
                sequences: Vec::new(),
            },
            calls,
            results: Rows::new(&result_types),
        })
    }

    fn intern_contents(&mut self, rows: &Batch, out: &mut Vec<u32>) -> Result<()> {
        self.held.contents.intern(rows.columns(), rows.rows(), out)?;
        let bound = self.held.contents.bound();
        self.held.copies.resize(self.held.copies.len().max(bound), NO_COPIES);
        Ok(())
    }

    fn intern_keys(&mut self, keys: &Batch, out: &mut Vec<u32>) -> Result<()> {
        self.keys.intern(keys.columns(), keys.rows(), out)?;
        let bound = self.keys.bound().max(self.held.sequences.len());
        self.held.sequences.resize_with(bound, Sequence::default);
        Ok(())
    }

    /// Takes the rows of a step in. By partition: what changed.
    fn absorb(&mut self, all: &Batch) -> Result<BTreeMap<u32, Change>> {
        let (mut contents, mut partitions) = (Vec::new(), Vec::new());
        self.intern_contents(all, &mut contents)?;
        let keys = all.project(&self.partition_columns);
        self.bring_back(&keys)?;
        self.intern_keys(&keys, &mut partitions)?;
        self.touch(&partitions)?;
        let (mut came, mut rows) = (Vec::new(), Vec::new());
        let mut changes: BTreeMap<u32, Change> = BTreeMap::new();
        for (row, (&content, &partition)) in contents.iter().zip(&partitions).enumerate() {
            let weight = all.weight(row);
            let change = changes.entry(partition).or_default();
            for _ in 0..weight {
                if let Some(entry) = self.come(content) {
                    change.comes.push(entry);
                    came.push(entry);
                    rows.push(row as u32);
                }
            }
            for _ in weight..0 {
                change.goes.extend(self.go(content));
            }
        }
        let new = all.take(&UInt32Array::from(rows))?;
        self.held.order.set(&came, &new)?;
        self.calls.note(&came, &new)?;
        self.settle(&mut changes);
        Ok(changes)
    }

    /// A new entry, unless the row was taken back before.
    fn come(&mut self, content: u32) -> Option<u32> {
        let copies = &mut self.held.copies[content as usize];
        if copies.owed > 0 {
            copies.owed -= 1;
            return None;
        }
        Some(self.add(content))
    }

    /// A new entry behind all others with the same columns.
    fn add(&mut self, content: u32) -> u32 {
        let copies = &mut self.held.copies[content as usize];
        let id = self.held.ids.allocate();
        let entry = Entry { content, next: NONE, result: NONE };
        let entries = &mut self.held.entries;
        if entries.len() <= id as usize {
            entries.resize(id as usize + 1, entry);
        }
        entries[id as usize] = entry;
        match std::mem::replace(&mut copies.last, id) {
            NONE => copies.first = id,
            before => entries[before as usize].next = id,
        }
        id
    }

    /// The oldest entry of a content, taken out of its list.
    fn go(&mut self, content: u32) -> Option<u32> {
        let copies = &mut self.held.copies[content as usize];
        if copies.first == NONE {
            copies.owed += 1;
            return None;
        }
        let id = copies.first;
        copies.first = self.held.entries[id as usize].next;
        if copies.first == NONE {
            copies.last = NONE;
        }
        Some(id)
    }

    /// Puts entries into their places and takes others out. What came and went in the same step is left out.
    fn settle(&mut self, changes: &mut BTreeMap<u32, Change>) {
        for (&partition, change) in changes.iter_mut() {
            let mut short_lived: Vec<u32> = change
                .goes
                .iter()
                .copied()
                .filter(|&entry| self.held.result(entry) == NONE)
                .collect();
            if !short_lived.is_empty() {
                short_lived.sort_unstable();
                change.goes.retain(|entry| short_lived.binary_search(entry).is_err());
                change.comes.retain(|entry| short_lived.binary_search(entry).is_err());
                change.passed = short_lived;
            }
            for &entry in &change.goes {
                let place = self.held.place(partition, entry);
                self.held.sequences[partition as usize].remove(place);
            }
            for &entry in &change.comes {
                let place = self.held.place(partition, entry);
                self.held.sequences[partition as usize].insert(place, entry);
            }
        }
    }

    /// Forgets entries that are in no sequence.
    fn release(&mut self, entries: &[u32]) {
        self.held.order.release(entries);
        self.held.ids.release(entries);
        let mut gone: Vec<u32> = entries
            .iter()
            .map(|&entry| self.held.content(entry))
            .filter(|&content| {
                let copies = self.held.copies[content as usize];
                copies.first == NONE && copies.owed == 0
            })
            .collect();
        gone.sort_unstable();
        gone.dedup();
        self.held.contents.release(&gone);
    }

    /// The places whose results may have changed, apart and in order.
    fn touched(&self, partition: u32, change: &Change) -> Vec<(usize, usize)> {
        let sequence = &self.held.sequences[partition as usize];
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for (index, &entry) in change.comes.iter().chain(&change.goes).enumerate() {
            let place = self.held.place(partition, entry);
            if index < change.comes.len() {
                ranges.push((place, place + 1));
            }
            let reach = Reach { order: &self.held.order, sequence };
            let (from, to) = self.calls.touched(&reach, entry, place);
            if from < to {
                ranges.push((from, to));
            }
        }
        ranges.sort_unstable();
        let mut apart: Vec<(usize, usize)> = Vec::new();
        for (from, to) in ranges {
            match apart.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => apart.push((from, to)),
            }
        }
        apart
    }

    fn changes(&mut self, all: &Batch) -> Result<Vec<Batch>> {
        let changes = self.absorb(all)?;
        let mut work = Work::default();
        for (&partition, change) in &changes {
            let ranges = self.touched(partition, change);
            self.calls.plan(partition, change, &ranges, &self.held, &mut work);
        }
        let rows = Batch::new(self.held.contents.emit(&work.contents)?, work.contents.len());
        let fresh = self.calls.run(&rows, self.keys.bound(), &work)?;
        let output = self.emit(&rows, &fresh, &work)?;
        self.forget(&changes)?;
        Ok(output)
    }

    /// Rows whose results changed, as they were and as they are; notes the new results.
    fn emit(&mut self, rows: &Batch, fresh: &[ArrayRef], work: &Work) -> Result<Vec<Batch>> {
        let known: Vec<usize> = (0..work.touched.len())
            .filter(|&at| self.held.result(work.touched[at].0) != NONE)
            .collect();
        let old_rows: Vec<u32> =
            known.iter().map(|&at| self.held.result(work.touched[at].0)).collect();
        let old = self.results.gather(&old_rows)?;
        let places: UInt32Array = known.iter().map(|&at| at as u32).collect();
        let now = Batch::new(fresh.to_vec(), work.touched.len()).take(&places)?;
        let differs = differs(&old, now.columns(), known.len())?;
        let (mut minus, mut minus_results) = (Vec::new(), Vec::new());
        for &(entry, row) in &work.gone {
            minus.push(row);
            minus_results.push(self.held.result(entry));
        }
        let mut stays = vec![false; work.touched.len()];
        for (index, &at) in known.iter().enumerate() {
            if differs.value(index) {
                minus.push(work.touched[at].1);
                minus_results.push(old_rows[index]);
            } else {
                stays[at] = true;
            }
        }
        let plus: Vec<u32> =
            (0..work.touched.len() as u32).filter(|&at| !stays[at as usize]).collect();
        let mut output = Vec::new();
        if !minus.is_empty() {
            let mut columns = rows.take(&UInt32Array::from(minus))?.into_columns();
            columns.extend(self.results.gather(&minus_results)?);
            let count = minus_results.len();
            let weights: ScalarBuffer<i64> = vec![-1; count].into();
            output.extend(cut(&Batch::with_weights(columns, count, Some(weights)), OUTPUT_ROWS));
        }
        if !plus.is_empty() {
            let fresh = Batch::new(fresh.to_vec(), work.touched.len());
            let fresh = fresh.take(&UInt32Array::from(plus.clone()))?;
            let first = self.results.push(&fresh)?;
            for (&at, row) in plus.iter().zip(first..) {
                let entry = work.touched[at as usize].0;
                self.held.entries[entry as usize].result = row;
            }
            let picked: UInt32Array = plus.iter().map(|&at| work.touched[at as usize].1).collect();
            let mut columns = rows.take(&picked)?.into_columns();
            columns.extend(fresh.into_columns());
            output.extend(cut(&Batch::new(columns, plus.len()), OUTPUT_ROWS));
        }
        for &(entry, _) in &work.gone {
            self.held.entries[entry as usize].result = NONE;
        }
        self.release_results(minus_results.len())?;
        Ok(output)
    }

    /// Gives the memory of results back that no entry has.
    fn release_results(&mut self, count: usize) -> Result<()> {
        if self.results.release(count) {
            let live = self.held.entries.iter_mut().filter(|entry| entry.result != NONE);
            self.results.rewrite(live.map(|entry| &mut entry.result))?;
        }
        Ok(())
    }

    /// Frees what has gone.
    fn forget(&mut self, changes: &BTreeMap<u32, Change>) -> Result<()> {
        let mut empty = Vec::new();
        for (&partition, change) in changes {
            for &entry in &change.goes {
                self.held.entries[entry as usize].result = NONE;
            }
            let gone: Vec<u32> = change.goes.iter().chain(&change.passed).copied().collect();
            self.release(&gone);
            if self.held.sequences[partition as usize].len() == 0 {
                self.held.sequences[partition as usize] = Sequence::default();
                empty.push(partition);
            }
        }
        self.calls.forget(&empty);
        self.keys.release(&empty)
    }
}

/// The rows in which any column differs; NULL does not differ from NULL.
fn differs(old: &[ArrayRef], new: &[ArrayRef], rows: usize) -> Result<BooleanBuffer> {
    let mut differs = BooleanBuffer::new_unset(rows);
    for (a, b) in old.iter().zip(new) {
        if a.data_type() != b.data_type() {
            return Err(Error::internal("results of one call have two types"));
        }
        if a.data_type().is_nested() {
            // Rows that did not change cancel in the sink.
            return Ok(BooleanBuffer::new_set(rows));
        }
        differs = &differs | distinct(a, b)?.values();
    }
    Ok(differs)
}

impl KeyedOperator for ChangingOver {
    fn run_step(&mut self, inputs: Inputs, _cx: &mut StepContext) -> Result<Vec<Batch>> {
        let batches: Vec<Batch> =
            inputs.into_iter().flat_map(|i| i.batches).filter(|b| !b.is_empty()).collect();
        match Batch::concat(&batches)? {
            Some(all) => self.changes(&all),
            None => Ok(Vec::new()),
        }
    }

    fn put_rows_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.results.put_aside(wanted)
    }

    fn rows_here(&self) -> usize {
        self.held.ids.live()
    }
}
