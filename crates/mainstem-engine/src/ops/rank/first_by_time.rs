//! Keep-first deduplication by event time: the first row of each key, emitted once, when the watermark passes its time.
//! Invariant: append-only in and out, in the order of time. A row behind the watermark is late, dropped and counted;
//! a key whose row came out takes no other. Kept: the keys, for ever, and the rows that wait.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray};
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::RankPlan;
use super::store::Store;
use super::top::rank_column;
use crate::columns::times_ms;
use crate::operator::{Inputs, PutAside, StepContext, Watermark};
use crate::ops::by_key::{ByKey, KeyedOperator, Keys};
use crate::ops::saved::{apart, beside};
use crate::ops::window_table::check_times;

/// So many times of rows that do not wait here are left alone.
const STALE_MAX: usize = 1024;
/// The tables of its state.
const KEYS: &str = "keys";
const ROWS: &str = "rows";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Empty,
    Waits { time: i64, row: u32 },
    Done,
}

#[derive(Debug)]
pub(super) struct FirstByTime {
    columns: Vec<usize>,
    time: usize,
    with_rank: bool,
    table: Keys,
    /// By key.
    slots: Vec<Slot>,
    /// Time and key of rows that wait, some twice; also of such as were replaced by an earlier one.
    waiting: BinaryHeap<Reverse<(i64, u32)>>,
    rows: Store,
    ids: Vec<u32>,
}

impl FirstByTime {
    pub(super) fn new(plan: &RankPlan, time: usize) -> Result<Self> {
        let types: Vec<_> = plan.partition.iter().map(|&i| plan.input[i].clone()).collect();
        Ok(Self {
            columns: plan.partition.clone(),
            time,
            with_rank: plan.with_rank,
            table: Keys::new(&types)?,
            slots: Vec::new(),
            waiting: BinaryHeap::new(),
            rows: Store::new(&plan.input, false)?,
            ids: Vec::new(),
        })
    }

    fn absorb(&mut self, batch: &Batch, cx: &mut StepContext) -> Result<()> {
        let column = batch.column(self.time);
        check_times(column)?;
        let before = cx.watermark_before.unwrap_or(i64::MIN);
        let is_late = |&time: &i64| Some(time >= before);
        let mask: BooleanArray = times_ms(column)?.iter().map(is_late).collect();
        let batch = batch.filter(&mask)?;
        cx.metrics.late_rows += (mask.len() - batch.rows()) as u64;
        let keys = batch.project(&self.columns);
        self.bring_back(&keys)?;
        self.intern(&keys)?;
        let waits = |key: &u32| self.slots[*key as usize] != Slot::Done;
        let waiting: Vec<u32> = self.ids.iter().copied().filter(waits).collect();
        self.touch(&waiting)?;
        self.keep(&batch)
    }

    /// The ids of keys.
    fn intern(&mut self, keys: &Batch) -> Result<()> {
        self.table.intern(keys.columns(), keys.rows(), &mut self.ids)?;
        self.slots.resize(self.slots.len().max(self.table.bound()), Slot::Empty);
        Ok(())
    }

    /// Rows that are not late, whose keys are `ids`.
    fn keep(&mut self, batch: &Batch) -> Result<()> {
        let times = times_ms(batch.column(self.time))?;
        let Store::Appended(rows) = &mut self.rows else {
            unreachable!("made for append-only input")
        };
        for (at, &key) in self.ids.iter().enumerate() {
            let slot = &mut self.slots[key as usize];
            match *slot {
                Slot::Done => continue,
                Slot::Waits { time, .. } if time <= times[at] => continue,
                Slot::Waits { row, .. } => rows.drop_row(row),
                Slot::Empty => {}
            }
            *slot = Slot::Waits { time: times[at], row: rows.next() };
            rows.keep(at);
            self.waiting.push(Reverse((times[at], key)));
        }
        rows.end_batch(batch)?;
        Ok(())
    }

    /// The rows whose time the watermark has passed.
    fn due(&mut self, watermark: Watermark) -> Result<Option<Batch>> {
        self.bring_back_due(watermark.unwrap_or(i64::MIN))?;
        let (mut due, mut keys) = (Vec::new(), Vec::new());
        while let Some(&Reverse((at, key))) = self.waiting.peek()
            && watermark.is_some_and(|watermark| at <= watermark)
        {
            self.waiting.pop();
            if let Slot::Waits { time, row } = self.slots[key as usize]
                && time == at
                && keys.last() != Some(&key)
            {
                due.push(row);
                keys.push(key);
            }
        }
        if due.is_empty() {
            return Ok(None);
        }
        self.touch(&keys)?;
        keys.iter().for_each(|&key| self.slots[key as usize] = Slot::Done);
        let mut columns = self.rows.gather(&due)?;
        if self.with_rank {
            columns.push(rank_column(std::iter::repeat_n(1, due.len())));
        }
        if let Store::Appended(rows) = &mut self.rows {
            due.iter().for_each(|&row| rows.drop_row(row));
        }
        Ok(Some(Batch::new(columns, due.len())))
    }

    fn end_step(&mut self) -> Result<()> {
        let Store::Appended(rows) = &mut self.rows else { return Ok(()) };
        if !rows.end_step() {
            return Ok(());
        }
        let mut live = Vec::new();
        for slot in &mut self.slots {
            if let Slot::Waits { row, .. } = slot {
                live.push(*row);
                *row = live.len() as u32 - 1;
            }
        }
        rows.rewrite(&live)
    }
}

impl KeyedOperator for FirstByTime {
    fn run_step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let batches = inputs.into_iter().flat_map(|input| input.batches);
        for batch in batches.filter(|batch| !batch.is_empty()) {
            self.absorb(&batch, cx)?;
        }
        let watermark = if cx.end_of_input { Some(i64::MAX) } else { cx.watermark };
        let output = self.due(watermark)?;
        self.end_step()?;
        Ok(output.into_iter().collect())
    }

    fn put_rows_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.rows.put_aside(wanted)
    }

    fn rows_here(&self) -> usize {
        self.table.len()
    }
}

impl ByKey for FirstByTime {
    fn keys(&self) -> &Keys {
        &self.table
    }

    fn keys_mut(&mut self) -> &mut Keys {
        &mut self.table
    }

    /// `keys`: all, and which of them are done; `rows`: those that wait.
    fn tables_of(&self, keys: &[u32]) -> Result<Vec<TableRows>> {
        let slots = || keys.iter().map(|&key| self.slots[key as usize]);
        let done = slots().map(|slot| Some(slot == Slot::Done)).collect::<BooleanArray>();
        let done = beside(self.names(keys)?, [Arc::new(done) as ArrayRef]);
        let row = |slot| match slot {
            Slot::Waits { row, .. } => Some(row),
            Slot::Empty | Slot::Done => None,
        };
        let mut waiting: Vec<u32> = slots().filter_map(row).collect();
        waiting.sort_unstable();
        let rows = match &self.rows {
            Store::Appended(store) => store.batches(waiting.into_iter())?,
            Store::Interned(_) => Vec::new(),
        };
        let rows = rows.into_iter().map(|(_, batch)| batch).collect();
        let shape = TableShape::keyed(KEYS, (0..self.columns.len()).collect());
        let keys = shape.with_rows(vec![done]);
        Ok(vec![keys, TableShape::keyed(ROWS, self.columns.clone()).with_rows(rows)])
    }

    fn load_table(&mut self, table: &str, rows: &Batch) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        if table == KEYS {
            let (keys, more) = apart(rows, self.columns.len());
            self.intern(&keys)?;
            for (&key, done) in self.ids.iter().zip(more[0].as_boolean().values()) {
                self.slots[key as usize] = if done { Slot::Done } else { Slot::Empty };
            }
            return Ok(());
        }
        self.intern(&rows.project(&self.columns))?;
        self.keep(rows)
    }

    fn key_bytes(&self) -> usize {
        self.rows.size_bytes()
            + self.slots.capacity() * size_of::<Slot>()
            + self.waiting.capacity() * size_of::<(i64, u32)>()
    }

    fn key_rows(&self, _key: u32) -> usize {
        1
    }

    fn clear_keys(&mut self, keys: &[u32]) -> Result<()> {
        for &key in keys {
            let slot = std::mem::replace(&mut self.slots[key as usize], Slot::Empty);
            if let (Slot::Waits { row, .. }, Store::Appended(rows)) = (slot, &mut self.rows) {
                rows.drop_row(row);
            }
        }
        if self.waiting.len() > 2 * self.slots.len() + STALE_MAX {
            let slots = &self.slots;
            self.waiting.retain(|&Reverse((at, key))| {
                matches!(slots[key as usize], Slot::Waits { time, .. } if time == at)
            });
        }
        self.end_step()
    }

    fn wakes_ms(&self, key: u32) -> i64 {
        match self.slots[key as usize] {
            Slot::Waits { time, .. } => time,
            Slot::Empty | Slot::Done => i64::MAX,
        }
    }
}
