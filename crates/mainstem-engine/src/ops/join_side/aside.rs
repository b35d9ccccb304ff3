//! The keys of a changing side that have no place in memory: how they go with all their rows, and come back when a row of either
//! side names them.
//! Invariant: before a step joins rows, all keys that they name are in memory. A row that has come back is another entry: the
//! next cut says that the one of before is gone.

use mainstem_core::{Batch, Result};

use super::told::Told;
use super::{NONE, Side, Store, UNLINKED};
use crate::aggregate::SavedGroups;
use crate::hash::hash_columns;
use crate::operator::PutAside;
use crate::ops::keys_aside::Leaving;
use crate::ops::tracker::Marks;

/// Keys go together that have about so many rows.
const BLOCK_ROWS: usize = 1024;

impl Side {
    /// Puts keys aside that were not used for longest, each with all its rows.
    pub(super) fn put_keys_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        let bytes = self.bytes_in_use();
        let (going, each) = self.recency.going(self.keys.ids(), bytes, wanted);
        let (mut keys, mut entries) = (Vec::new(), Vec::new());
        for key in going {
            let start = entries.len();
            let mut entry = self.heads[key as usize];
            while entry != NONE {
                entries.push((keys.len() as u32, entry));
                entry = self.next[entry as usize];
            }
            entries[start..].reverse();
            keys.push(key);
            if entries.len() >= BLOCK_ROWS {
                self.put_block_aside(&keys, &entries, wanted)?;
                wanted.bytes = wanted.bytes.saturating_sub(each * keys.len());
                keys.clear();
                entries.clear();
            }
        }
        wanted.bytes = wanted.bytes.saturating_sub(each * keys.len());
        if keys.is_empty() { Ok(()) } else { self.put_block_aside(&keys, &entries, wanted) }
    }

    /// Puts keys aside; `entries` are theirs, each with the place of its key.
    fn put_block_aside(
        &mut self,
        keys: &[u32],
        entries: &[(u32, u32)],
        wanted: &PutAside<'_>,
    ) -> Result<()> {
        let mut hashes = Vec::new();
        hash_columns(&self.keys.emit(keys)?, keys.len(), &mut hashes)?;
        let counts: Vec<_> = entries.iter().map(|&(_, entry)| self.counts_of(entry)).collect();
        let columns = self.entries(&counts)?.into_columns();
        let mut marks = vec![Marks::default(); keys.len()];
        for &(key, entry) in entries {
            let Told::Entries(told) = &mut self.told else { continue };
            let entry_marks = told.tracker.take_marks(entry);
            marks[key as usize].changed |= entry_marks.changed;
            if entry_marks.left {
                // Others of its key may have been handed out already.
                self.put_down(entry);
            }
        }
        self.keep_early()?;
        let newest_ms = counts.iter().filter_map(|counts| counts.written_ms).max();
        let places: Vec<u32> = entries.iter().map(|&(key, _)| key).collect();
        let mut rows = vec![0; keys.len()];
        places.iter().for_each(|&key| rows[key as usize] += 1);
        let leaving = Leaving {
            hashes,
            marks,
            tables: vec![SavedGroups { places, columns }],
            rows,
            newest_ms: newest_ms.unwrap_or(i64::MAX),
            wakes: Vec::new(),
        };
        self.aside.put(leaving, &wanted.memory.space)?;
        let entries: Vec<u32> = entries.iter().map(|&(_, entry)| entry).collect();
        for &entry in &entries {
            let at = entry as usize;
            (self.weights[at], self.links[at], self.next[at]) = (0, UNLINKED, NONE);
            if let Some(matches) = self.matches.get_mut(at) {
                *matches = Default::default();
            }
            if let Some(idle) = &mut self.idle {
                idle.forget(entry);
            }
        }
        keys.iter().for_each(|&key| self.heads[key as usize] = NONE);
        if let Store::Interned(rows) = &mut self.store {
            rows.release(&entries);
        }
        self.keys.release(keys);
        Ok(())
    }

    /// Whether keys are aside that may have to be brought back.
    pub(in crate::ops) fn has_aside(&self) -> bool {
        !self.aside.is_empty()
    }

    /// Brings back the keys of rows of either side that a step is going to join.
    pub(in crate::ops) fn bring_back(&mut self, keys: &Batch) -> Result<()> {
        if !self.has_aside() {
            return Ok(());
        }
        let mut hashes = Vec::new();
        hash_columns(keys.columns(), keys.rows(), &mut hashes)?;
        let mut found = self.aside.find(&hashes);
        if found.is_empty() {
            return Ok(());
        }
        let (tables, marks) = self.aside.take(&mut found)?;
        let Some(SavedGroups { places, columns }) = tables.into_iter().next() else {
            return Ok(());
        };
        let rows = Batch::new(columns, places.len());
        let left = (0..).zip(&places).filter(|(_, key)| marks[**key as usize].left);
        let left: Vec<u32> = left.map(|(row, _)| row).collect();
        let gone = rows.project(&self.key_of_table());
        if let Told::Entries(told) = &mut self.told {
            if !left.is_empty() {
                told.rows.push(rows.take(&left.into())?);
            }
            told.tracker.keys_went(gone);
        }
        self.load_rows(&rows)
    }

    /// Rows of keys that are aside.
    pub(super) fn rows_aside(&self, aside: &mut [u32]) -> Result<Option<Batch>> {
        if aside.is_empty() {
            return Ok(None);
        }
        let tables = self.aside.read(aside)?;
        Ok(tables.into_iter().next().map(|table| Batch::new(table.columns, table.places.len())))
    }

    /// Forgets keys that are aside, none of whose rows was written after this time.
    pub(super) fn expire_aside(&mut self, until_ms: i64) -> Result<()> {
        let mut expired = self.aside.written_until(until_ms);
        let Some(rows) = self.rows_aside(&mut expired)? else { return Ok(()) };
        let mut left = self.aside.tracker.touch(expired.iter().copied());
        let left = self.rows_aside(&mut left)?;
        if let Told::Entries(told) = &mut self.told {
            told.rows.extend(left);
        }
        self.aside.forget(&expired, rows.project(&self.key_of_table()));
        Ok(())
    }
}
