//! Entries as rows of tables, and back.
//! Invariant: entries come in one order, those that are remembered first, from the one that was used longest ago on; of
//! entries that are put in again, one a row, the numbers rise in that order.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BooleanArray, Int64Array};
use mainstem_core::{Batch, Result};

use super::{BLANK, Entries, Entry, NONE};
use crate::key_table::ABSENT;

impl Entries {
    /// All entries: those that are remembered in the order of use, then the others in the order of `waiting`, the entries
    /// that rows wait for.
    pub(in super::super) fn in_order(&self, waiting: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.len());
        let mut seen = vec![false; self.entries.len()];
        let mut entry = self.oldest;
        while entry != NONE {
            seen[entry as usize] = true;
            order.push(entry);
            entry = self.entries[entry as usize].newer;
        }
        for entry in waiting.filter(|&entry| entry != NONE) {
            if !std::mem::replace(&mut seen[entry as usize], true) {
                order.push(entry);
            }
        }
        order
    }

    /// The columns of the keys of those of `entries` that their keys find, and which of them those are.
    pub(in super::super) fn found_keys(
        &self,
        entries: &[u32],
    ) -> Result<(Vec<ArrayRef>, Vec<bool>)> {
        let keys = || entries.iter().map(|&entry| self.entries[entry as usize].key);
        let found: Vec<u32> = keys().filter(|&key| key != ABSENT).collect();
        Ok((self.keys.emit(&found)?, keys().map(|key| key != ABSENT).collect()))
    }

    /// What is known of `entries` beside their keys and rows: columns for [`Entries::put`].
    pub(in super::super) fn facts(&self, entries: &[u32]) -> Vec<ArrayRef> {
        let flags = |fact: fn(&Entry) -> bool| -> ArrayRef {
            let facts = entries.iter().map(|&entry| Some(fact(&self.entries[entry as usize])));
            Arc::new(facts.collect::<BooleanArray>())
        };
        let numbers = |fact: fn(&Entry) -> i64| -> ArrayRef {
            let facts = entries.iter().map(|&entry| fact(&self.entries[entry as usize]));
            Arc::new(Int64Array::from_iter_values(facts))
        };
        vec![
            flags(|entry| entry.key != ABSENT),
            flags(|entry| entry.known),
            numbers(|entry| entry.weight),
            numbers(|entry| entry.written_ms),
            numbers(|entry| entry.used_ms),
        ]
    }

    /// The rows of answers, entry by entry, and for each the place of its entry in `entries`.
    pub(in super::super) fn answers(&self, entries: &[u32]) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
        let (mut places, mut rows) = (Vec::new(), Vec::new());
        for (place, &entry) in (0..).zip(entries) {
            let own = self.rows_of(entry);
            places.extend(std::iter::repeat_n(place, own.len()));
            rows.extend(own);
        }
        Ok((places, self.gather(&rows)?))
    }

    /// Puts entries in: a row of keys and of facts each. Gives the entry of each row, and whether it is new: where a key
    /// finds one that is there already, rows of several workers meet in that.
    pub(in super::super) fn put(
        &mut self,
        keys: &Batch,
        facts: &[ArrayRef],
    ) -> Result<Vec<(u32, bool)>> {
        let (found, known) = (facts[0].as_boolean(), facts[1].as_boolean());
        let [weights, written, used] =
            [2, 3, 4].map(|fact| facts[fact].as_primitive::<Int64Type>().values());
        let with_key = keys.filter(found)?;
        let mut ids = Vec::new();
        self.keys.intern(with_key.columns(), with_key.rows(), &mut ids)?;
        self.found.resize(self.found.len().max(self.keys.bound()), NONE);
        let mut ids = ids.into_iter();
        let mut entries = Vec::with_capacity(keys.rows());
        for row in 0..keys.rows() {
            let key = if found.value(row) { ids.next().unwrap_or(ABSENT) } else { ABSENT };
            let other = self.found.get(key as usize).copied().filter(|&entry| entry != NONE);
            if let Some(other) = other {
                self.entries[other as usize].weight += weights[row];
                entries.push((other, false));
                continue;
            }
            let entry = self.ids.allocate();
            self.entries.resize(self.entries.len().max(self.ids.bound()), BLANK);
            let (known, weight, written_ms) = (known.value(row), weights[row], written[row]);
            self.entries[entry as usize] = Entry { key, known, weight, written_ms, ..BLANK };
            if key != ABSENT {
                self.found[key as usize] = entry;
                if known {
                    self.link(entry, used[row]);
                }
            }
            entries.push((entry, true));
        }
        Ok(entries)
    }

    /// Puts in rows of answers, entry by entry, behind those that an entry has.
    pub(in super::super) fn put_answers(&mut self, entries: &[u32], rows: &Batch) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let first = self.rows.push(rows)?;
        for (row, &entry) in (first..).zip(entries) {
            let linked = self.entries[entry as usize].key != ABSENT;
            let before = self.cost(entry);
            let known = &mut self.entries[entry as usize];
            if known.count == 0 {
                known.first = row;
            }
            known.count += 1;
            if linked {
                self.cached_rows += self.cost(entry) - before;
            }
        }
        Ok(())
    }

    /// A row waits for an entry that was put in.
    pub(in super::super) fn put_waiting(&mut self, entry: u32) {
        self.entries[entry as usize].waiting += 1;
    }
}
