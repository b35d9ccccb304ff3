//! MATCH_RECOGNIZE: rows wait for the watermark, then the runs of their keys take them in order of time.
//! Invariant: a row is taken once, when the watermark passes it, behind all rows of its key with an earlier time; rows
//! of equal time go by the rest of ORDER BY and then as they came. Rows at or before the watermark are late, and
//! dropped and counted. Kept are the runs that have started, and the rows from the first of the oldest run on.
//! What runs become is computed for many keys and rows together (`arena`), then told key by key (`matcher`).

mod arena;
mod automaton;
mod kept;
mod matcher;
mod queue;
mod running;
mod saved;
mod slots;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow_array::BooleanArray;
use arrow_row::{RowConverter, SortField};
use arrow_schema::{DataType as ArrowType, SortOptions};
use mainstem_core::{Batch, Result};

use self::arena::{Arena, Around, Item};
use self::automaton::Automaton;
use self::kept::{Kept, NEVER};
use self::matcher::{Found, Matcher};
use self::running::Running;
use self::slots::{Held, View, evaluate};
use super::by_key::{ByKey, KeyedOperator, Keys};
use super::rows::Rows;
use super::time_queue::TimeQueue;
use super::window_table::check_times;
use crate::columns::times_ms;
use crate::key_table::KeyTable;
use crate::match_recognize::MatchSpec;
use crate::operator::{Inputs, PutAside, StepContext};
use crate::plan::TimeSource;

/// New rows of a pass.
const PASS_ROWS: usize = 16_384;
/// New rows of one key in a pass, while it has few runs.
const KEY_ROWS: usize = 256;
/// Runs times new rows of one key in a pass, about.
const KEY_NODES: usize = 65_536;

pub(crate) struct MatchRecognize {
    spec: Arc<MatchSpec>,
    automaton: Automaton,
    /// Rows that the watermark has not passed.
    waiting: Option<TimeQueue>,
    keys: Keys,
    /// By key.
    kept: Vec<Kept>,
    store: Rows,
    running: Running,
    deadlines: BinaryHeap<Reverse<(i64, u32)>>,
}

/// New rows of a key: a part of `Due::rows`, and how far it is.
struct Share {
    key: u32,
    from: usize,
    to: usize,
}

/// The rows whose time has come.
#[derive(Default)]
struct Due {
    rows: Vec<Held>,
    shares: Vec<Share>,
}

impl MatchRecognize {
    pub(crate) fn new(spec: &Arc<MatchSpec>, input: &[ArrowType]) -> Result<Self> {
        let key_types: Vec<_> = spec.keys.iter().map(|&i| input[i].clone()).collect();
        let waiting = match spec.time {
            TimeSource::EventTime { column } => Some(TimeQueue::new(column)),
            TimeSource::ProcessingTime => None,
        };
        Ok(Self {
            spec: Arc::clone(spec),
            automaton: Automaton::new(&spec.variables),
            waiting,
            keys: Keys::new(&key_types)?,
            kept: Vec::new(),
            store: Rows::new(input),
            running: Running::new(spec),
            deadlines: BinaryHeap::new(),
        })
    }

    fn width(&self) -> usize {
        self.automaton.width()
    }

    /// The rows whose time has come, and the time up to which that is so.
    fn due(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<(Vec<Batch>, Option<i64>)> {
        let batches = inputs.into_iter().flat_map(|input| input.batches);
        let batches = batches.filter(|batch| !batch.is_empty());
        let Some(waiting) = &mut self.waiting else {
            return Ok((batches.collect(), Some(cx.now_ms)));
        };
        let TimeSource::EventTime { column } = self.spec.time else { return Ok((vec![], None)) };
        for batch in batches {
            waiting.push(in_time(batch, column, cx)?)?;
        }
        match cx.watermark {
            Some(watermark) => Ok((waiting.take_until(watermark)?, Some(watermark))),
            None => Ok((Vec::new(), None)),
        }
    }

    /// Puts rows into the store, and in the order in which they are taken.
    fn arrange(&mut self, batch: &Batch, now_ms: i64) -> Result<Due> {
        let mut ids = Vec::new();
        let keys = batch.project(&self.spec.keys);
        self.bring_back(&keys)?;
        self.keys.intern(keys.columns(), keys.rows(), &mut ids)?;
        let times = match self.spec.time {
            TimeSource::EventTime { column } => times_ms(batch.column(column))?.into_owned(),
            TimeSource::ProcessingTime => vec![now_ms; batch.rows()],
        };
        let mut order: Vec<u32> = (0..batch.rows() as u32).collect();
        let by = |row: u32| (ids[row as usize], times[row as usize]);
        if self.spec.order.is_empty() {
            order.sort_by_key(|&row| by(row));
        } else {
            let field = |&(column, descending, nulls_first): &(usize, bool, bool)| {
                let options = SortOptions { descending, nulls_first };
                let data_type = batch.column(column).data_type().clone();
                SortField::new_with_options(data_type, options)
            };
            let converter = RowConverter::new(self.spec.order.iter().map(field).collect())?;
            let columns: Vec<usize> = self.spec.order.iter().map(|key| key.0).collect();
            let rest = converter.convert_columns(batch.project(&columns).columns())?;
            order.sort_by(|&a, &b| {
                let rest = || rest.row(a as usize).cmp(&rest.row(b as usize));
                by(a).cmp(&by(b)).then_with(rest)
            });
        }
        let first = self.store.push(batch)?;
        let mut due = Due::default();
        for row in order {
            let (key, time) = by(row);
            due.rows.push(Held { row: first + row, time });
            let to = due.rows.len();
            match due.shares.last_mut().filter(|share| share.key == key) {
                Some(share) => share.to = to,
                None => due.shares.push(Share { key, from: to - 1, to }),
            }
        }
        let bound = self.keys.bound().max(self.kept.len());
        self.kept.resize_with(bound, Kept::default);
        Ok(due)
    }

    /// Keys without new rows whose oldest runs are too old.
    fn add_overdue(&mut self, until: i64, due: &mut Due) {
        let with_rows: Vec<u32> = due.shares.iter().map(|share| share.key).collect();
        while let Some(&Reverse((deadline, key))) = self.deadlines.peek()
            && deadline <= until
        {
            self.deadlines.pop();
            let kept = &mut self.kept[key as usize];
            if kept.armed != deadline {
                continue;
            }
            kept.armed = NEVER;
            if !kept.is_empty() && with_rows.binary_search(&key).is_err() {
                due.shares.push(Share { key, from: 0, to: 0 });
            }
        }
    }

    /// The items of one pass; shares become smaller by what they take.
    fn next_pass(&mut self, due: &mut Due) -> Vec<Item> {
        let width = self.width();
        let (mut items, mut room) = (Vec::new(), PASS_ROWS);
        for share in due.shares.iter_mut() {
            if room == 0 {
                break;
            }
            let kept = &mut self.kept[share.key as usize];
            let most = (KEY_NODES / (kept.runs(width) + 1)).clamp(1, KEY_ROWS).min(room);
            let taken = (share.to - share.from).min(most);
            room -= taken;
            let mut item = Item { key: share.key, ..Item::default() };
            kept.lend_rows(&mut item);
            item.rows.extend_from_slice(&due.rows[share.from..share.from + taken]);
            share.from += taken;
            item.is_last = share.from == share.to;
            items.push(item);
        }
        let untouched = due.shares.split_off(items.len());
        due.shares.retain(|share| share.from < share.to);
        due.shares.extend(untouched);
        items
    }

    /// Takes the new rows of `items`; returns the matches, and how many rows are held no longer.
    fn pass(
        &mut self,
        mut items: Vec<Item>,
        until: i64,
        cx: &StepContext,
    ) -> Result<(Option<Batch>, usize)> {
        let width = self.width();
        let eval = cx.eval();
        let around =
            Around { spec: &self.spec, automaton: &self.automaton, store: &self.store, cx: &eval };
        let mut arena = Arena::new(width);
        arena.add_starts(&mut items, &self.automaton);
        for (index, item) in items.iter_mut().enumerate() {
            let kept = &self.kept[item.key as usize];
            kept.load(item, index as u32, &mut arena, &mut self.running, width);
        }
        arena.grow(&items, &mut self.running, &around);
        let (mut found, mut scratch) = (Vec::new(), Default::default());
        for (index, item) in items.iter_mut().enumerate() {
            let is_last = item.is_last;
            let mut matcher = Matcher {
                spec: &self.spec,
                arena: &mut arena,
                item,
                index: index as u32,
                found: &mut found,
                scratch: &mut scratch,
            };
            matcher.take_rows()?;
            if is_last {
                matcher.advance_time(until)?;
            }
        }
        let output = measures(&self.keys, found, &items, &arena, &around)?;
        let (mut dropped, mut released, mut groups) = (0, Vec::new(), Vec::new());
        for item in &mut items {
            let kept = &mut self.kept[item.key as usize];
            dropped += kept.store(item, &arena, &self.automaton, &mut groups);
            let deadline = kept.deadline(self.spec.within_ms, width);
            if deadline < kept.armed {
                kept.armed = deadline;
                self.deadlines.push(Reverse((deadline, item.key)));
            }
            if item.is_last && kept.is_empty() {
                *kept = Kept::default();
                released.push(item.key);
            }
        }
        self.keys.release(&released)?;
        self.running.end_pass(&groups);
        Ok((output, dropped))
    }

    /// Gives the memory of rows back that nobody holds.
    fn forget(&mut self, rows: usize) -> Result<()> {
        if self.store.release(rows) {
            let held = self.kept.iter_mut().flat_map(|kept| &mut kept.rows);
            self.store.rewrite(held.map(|held| &mut held.row))?;
        }
        Ok(())
    }
}

/// One row a match: keys, then measures.
fn measures(
    keys: &KeyTable,
    mut found: Vec<Found>,
    items: &[Item],
    arena: &Arena,
    around: &Around<'_>,
) -> Result<Option<Batch>> {
    if found.is_empty() {
        return Ok(None);
    }
    found.sort_by_key(|found| found.time);
    let view = |found: &Found| View {
        rows: &items[found.item as usize].rows,
        begins: arena.begins(found.node),
        at: arena.node(found.node).next,
        asked: None,
        time: found.time,
    };
    let views: Vec<View<'_>> = found.iter().map(view).collect();
    let ids: Vec<u32> = found.iter().map(|found| items[found.item as usize].key).collect();
    let mut columns = keys.emit(&ids)?;
    for measure in &around.spec.measures {
        columns.push(evaluate(measure, &views, &[], around.store, around.cx)?);
    }
    Ok(Some(Batch::new(columns, found.len())))
}

/// The rows that are not late.
fn in_time(batch: Batch, column: usize, cx: &mut StepContext) -> Result<Batch> {
    let Some(before) = cx.watermark_before else { return Ok(batch) };
    check_times(batch.column(column))?;
    let times = times_ms(batch.column(column))?;
    let late = times.iter().filter(|time| **time <= before).count();
    if late == 0 {
        drop(times);
        return Ok(batch);
    }
    cx.metrics.late_rows += late as u64;
    let keep: BooleanArray = times.iter().map(|time| Some(*time > before)).collect();
    batch.filter(&keep)
}

impl KeyedOperator for MatchRecognize {
    fn run_step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let (batches, until) = self.due(inputs, cx)?;
        let Some(until) = until else { return Ok(Vec::new()) };
        let mut due = match Batch::concat(&batches)? {
            Some(batch) => self.arrange(&batch, cx.now_ms)?,
            None => Due::default(),
        };
        self.bring_back_due(until)?;
        self.add_overdue(until, &mut due);
        self.touch(&due.shares.iter().map(|share| share.key).collect::<Vec<_>>())?;
        let (mut output, mut dropped) = (Vec::new(), 0);
        while !due.shares.is_empty() {
            let items = self.next_pass(&mut due);
            let (matches, rows) = self.pass(items, until, cx)?;
            output.extend(matches);
            dropped += rows;
        }
        self.forget(dropped)?;
        Ok(output)
    }

    fn next_due_ms(&self) -> Option<i64> {
        match self.spec.time {
            TimeSource::ProcessingTime => {
                let here = self.deadlines.peek().map(|Reverse((time, _))| *time);
                here.into_iter().chain(self.keys.next_wake_ms()).min()
            }
            TimeSource::EventTime { .. } => None,
        }
    }

    fn put_rows_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.store.put_aside(wanted)
    }

    fn rows_here(&self) -> usize {
        self.waiting.as_ref().map_or(0, TimeQueue::len)
            + self.kept.iter().map(|kept| kept.rows.len()).sum::<usize>()
    }

    fn waiting_bytes(&self) -> usize {
        self.waiting.as_ref().map_or(0, TimeQueue::size_bytes)
    }
}
