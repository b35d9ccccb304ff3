//! The rows behind entries, by row number.
//! Invariant: a number stands for the same row until the end of the step in which the row died. Append-only input is
//! kept in column chunks; rows that may be taken back are interned whole, so that a removal finds its row by one probe.

use std::collections::BTreeSet;

use arrow_array::{ArrayRef, UInt32Array};
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};

use crate::key_table::KeyTable;
use crate::operator::PutAside;
use crate::ops::rows::Rows;
use crate::ops::saved::{SAVED_ROWS, beside, uint64s};

/// The number of a row that died in the batch it came in.
pub(super) const DEAD: u32 = u32::MAX;
/// No copy of a row is kept.
const NO_COPY: u64 = u64::MAX;

#[derive(Debug)]
pub(super) enum Store {
    Appended(Appended),
    Interned(Interned),
}

#[derive(Debug)]
pub(super) struct Appended {
    rows: Rows,
    count: u32,
    /// The rows of the batch at hand that are to be kept: the next numbers are theirs. [`DEAD`] if not any more.
    fresh: Vec<u32>,
    fresh_dead: usize,
    /// How many rows died in this step, but for those of the batch at hand.
    dead: usize,
    /// How many rows are alive, but for those of the batch at hand.
    live: usize,
}

/// Equal rows are one row with copies; each copy has its arrival.
#[derive(Debug)]
pub(super) struct Interned {
    rows: KeyTable,
    /// By row, the arrival of its oldest copy.
    oldest: Vec<u64>,
    /// Row and arrival of the other copies.
    others: BTreeSet<(u32, u64)>,
    dead: Vec<u32>,
}

impl Store {
    pub(super) fn new(types: &[ArrowType], changelog: bool) -> Result<Self> {
        Ok(if changelog {
            let rows = KeyTable::new(types)?;
            let (oldest, others, dead) = (Vec::new(), BTreeSet::new(), Vec::new());
            Store::Interned(Interned { rows, oldest, others, dead })
        } else {
            Store::Appended(Appended {
                rows: Rows::new(types),
                count: 0,
                fresh: Vec::new(),
                fresh_dead: 0,
                dead: 0,
                live: 0,
            })
        })
    }

    pub(super) fn gather(&self, rows: &[u32]) -> Result<Vec<ArrayRef>> {
        match self {
            Store::Appended(store) => store.rows.gather(rows),
            Store::Interned(store) => store.rows.emit(rows),
        }
    }

    /// Rows with their arrivals, in an order in which they can be kept again.
    pub(super) fn in_order(&self, mut held: Vec<(u32, u64)>) -> Vec<(u32, u64)> {
        match self {
            Store::Appended(_) => held.sort_unstable(),
            Store::Interned(store) => {
                let is_other = |&(row, arrival): &(u32, u64)| store.oldest[row as usize] != arrival;
                held.sort_unstable_by_key(|held| (held.0, is_other(held), held.1));
            }
        }
        held
    }

    /// The columns of rows that are in such an order, with their arrivals.
    pub(super) fn save(&self, mut held: Vec<(u32, u64)>) -> Result<Vec<Batch>> {
        let arrivals = |held: &[(u32, u64)]| uint64s(held.iter().map(|&(_, arrival)| arrival));
        let mut batches = Vec::new();
        match self {
            Store::Appended(store) => {
                held.sort_unstable();
                for (first, batch) in store.batches(held.iter().map(|&(row, _)| row))? {
                    let arrivals = arrivals(&held[first..first + batch.rows()]);
                    batches.push(beside(batch, [arrivals]));
                }
            }
            Store::Interned(store) => {
                for held in held.chunks(SAVED_ROWS) {
                    let rows: Vec<u32> = held.iter().map(|&(row, _)| row).collect();
                    let batch = Batch::new(store.rows.emit(&rows)?, rows.len());
                    batches.push(beside(batch, [arrivals(held)]));
                }
            }
        }
        Ok(batches)
    }

    /// Only rows that only come: changing ones are keys, which are looked up.
    pub(super) fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        match self {
            Store::Appended(store) => store.rows.put_aside(wanted),
            Store::Interned(_) => Ok(()),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Store::Appended(store) => store.live,
            Store::Interned(store) => store.rows.len() + store.others.len(),
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Store::Appended(store) => store.rows.size_bytes(),
            Store::Interned(store) => {
                store.rows.size_bytes() + store.oldest.capacity() * 8 + store.others.len() * 24
            }
        }
    }
}

impl Appended {
    /// The number that the next row to be kept gets.
    pub(super) fn next(&self) -> u32 {
        self.count + self.fresh.len() as u32
    }

    /// Keeps a row of the batch at hand under the next number.
    pub(super) fn keep(&mut self, row: usize) {
        self.fresh.push(row as u32);
    }

    /// The given rows, ascending, in batches, each with where its rows begin among them.
    pub(super) fn batches(&self, rows: impl Iterator<Item = u32>) -> Result<Vec<(usize, Batch)>> {
        self.rows.batches(&rows.collect::<Vec<u32>>())
    }

    pub(super) fn drop_row(&mut self, number: u32) {
        match number.checked_sub(self.count) {
            Some(place) => {
                self.fresh[place as usize] = DEAD;
                self.fresh_dead += 1;
            }
            None => {
                self.dead += 1;
                self.live -= 1;
            }
        }
    }

    /// How many rows of the batch at hand were to be kept, if most of them died since.
    pub(super) fn mostly_dead(&self) -> Option<usize> {
        (self.fresh_dead * 2 > self.fresh.len()).then_some(self.fresh.len())
    }

    /// Forgets the rows of the batch at hand that died. Returns the first number of its rows, and the new number of
    /// each from there on, or [`DEAD`].
    pub(super) fn forget_dead(&mut self) -> (u32, Vec<u32>) {
        let mut next = self.count;
        let number = |&row: &u32| {
            if row == DEAD {
                return DEAD;
            }
            next += 1;
            next - 1
        };
        let numbers = self.fresh.iter().map(number).collect();
        self.fresh.retain(|&row| row != DEAD);
        self.fresh_dead = 0;
        (self.count, numbers)
    }

    /// Copies the rows that are to be kept out of their batch, and returns them. Of rows that died in it something is
    /// kept, too, unless they were forgotten.
    pub(super) fn end_batch(&mut self, batch: &Batch) -> Result<Option<Batch>> {
        if self.fresh.is_empty() {
            return Ok(None);
        }
        let mut fresh = std::mem::take(&mut self.fresh);
        self.live += fresh.len() - self.fresh_dead;
        if self.fresh_dead > 0 {
            fresh.iter_mut().filter(|row| **row == DEAD).for_each(|row| *row = 0);
            self.dead += std::mem::take(&mut self.fresh_dead);
        }
        let all = fresh.len() == batch.rows() && fresh.iter().zip(0..).all(|(&row, at)| row == at);
        let taken = if all { batch.clone() } else { batch.take(&UInt32Array::from(fresh))? };
        let rows = taken.rows();
        let kept = Batch::new(taken.into_columns(), rows);
        self.rows.push(&kept)?;
        self.count += rows as u32;
        Ok(Some(kept))
    }

    /// Ends a step; true if it is time to [`Appended::rewrite`].
    pub(super) fn end_step(&mut self) -> bool {
        let most_died = self.rows.release(std::mem::take(&mut self.dead));
        most_died || (self.live == 0 && self.count > 0)
    }

    /// Keeps the given rows alone; the number of each becomes its place in `live`.
    pub(super) fn rewrite(&mut self, live: &[u32]) -> Result<()> {
        let mut live = live.to_vec();
        self.rows.rewrite(live.iter_mut())?;
        self.count = live.len() as u32;
        Ok(())
    }
}

impl Interned {
    pub(super) fn intern(&mut self, batch: &Batch, out: &mut Vec<u32>) -> Result<()> {
        self.rows.intern(batch.columns(), batch.rows(), out)?;
        self.oldest.resize(self.oldest.len().max(self.rows.bound()), NO_COPY);
        Ok(())
    }

    /// Adds a copy of a row.
    pub(super) fn add(&mut self, row: u32, arrival: u64) {
        let oldest = &mut self.oldest[row as usize];
        if *oldest == NO_COPY {
            *oldest = arrival;
        } else {
            self.others.insert((row, arrival));
        }
    }

    /// Takes the oldest copy of a row away and returns its arrival, if there is one.
    pub(super) fn remove(&mut self, row: u32) -> Option<u64> {
        let oldest = self.oldest[row as usize];
        if oldest == NO_COPY {
            // It was interned to be looked for.
            self.dead.push(row);
            return None;
        }
        let next = self.others.range((row, 0)..=(row, u64::MAX)).next().copied();
        if let Some(next) = next {
            self.others.remove(&next);
        } else {
            self.dead.push(row);
        }
        self.oldest[row as usize] = next.map_or(NO_COPY, |(_, arrival)| arrival);
        Some(oldest)
    }

    /// Ends a step; returns the rows that were forgotten.
    pub(super) fn end_step(&mut self) -> Vec<u32> {
        let mut dead = std::mem::take(&mut self.dead);
        dead.sort_unstable();
        dead.dedup();
        dead.retain(|&row| self.oldest[row as usize] == NO_COPY);
        self.rows.release(&dead);
        dead
    }
}
