//! The rows of one side of a join as rows of a table: their columns; the weight, on changing sides; the weight of all
//! partners, where that matters; when they were last written, with a time to live; and, unless rows only come, the number of
//! the entry, by which a change finds it.
//! Invariant: entries of one key come in the order in which they were put into its list, so that the list is made again by
//! putting them in. The chunks of an append-only side are given out as they are.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, UInt32Array};
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::told::{Counts, Told};
use super::{NONE, Side, Store};
use crate::operator::cut;

/// So many interned rows are turned into columns at a time.
const ROWS_MAX: usize = 1 << 16;

/// The column of the numbers of entries.
pub(super) fn entry_column(entries: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(entries))
}

impl Side {
    pub(super) fn shape(&self, name: &'static str) -> TableShape {
        TableShape::keyed(name, self.key_columns.clone())
    }

    /// All that is known between two steps, as the table `name`.
    pub(in crate::ops) fn save(&self, name: &'static str) -> Result<TableRows> {
        let mut batches = Vec::new();
        match (&self.store, &self.told) {
            (Store::Appended(rows), Told::Rows(_)) => {
                batches = rows.chunks().collect::<Result<_>>()?;
            }
            (store, _) => {
                let entries = match store {
                    Store::Appended(_) => (0..self.next.len() as u32).collect(),
                    Store::Interned(_) => self.in_order(),
                };
                for entries in entries.chunks(ROWS_MAX) {
                    let counts: Vec<_> = entries.iter().map(|&e| self.counts_of(e)).collect();
                    batches.push(self.entries(&counts)?);
                }
                let mut aside = self.aside.used();
                batches.extend(self.rows_aside(&mut aside)?);
            }
        }
        Ok(self.shape(name).with_rows(batches))
    }

    /// The columns of a table that tell entries apart: the key's and the number, which is the last.
    pub(super) fn key_of_table(&self) -> Vec<usize> {
        let counts = [matches!(self.store, Store::Interned(_)), self.counts, self.idle.is_some()];
        let width = self.types.len() + counts.into_iter().filter(|&there| there).count();
        self.key_columns.iter().copied().chain([width]).collect()
    }

    pub(super) fn counts_of(&self, entry: u32) -> Counts {
        Counts {
            entry,
            weight: self.weight(entry),
            matches: self.counts.then(|| self.matches(entry)),
            written_ms: self.idle.as_ref().and_then(|idle| idle.written_ms(entry)),
        }
    }

    /// Rows of entries of a side that does not only grow.
    pub(super) fn entries(&self, counts: &[Counts]) -> Result<Batch> {
        let entries: Vec<u32> = counts.iter().map(|counts| counts.entry).collect();
        let mut columns = self.gather(&entries)?;
        let column = |value: fn(&Counts) -> Option<i64>| -> ArrayRef {
            Arc::new(counts.iter().map(value).collect::<Int64Array>())
        };
        if matches!(self.store, Store::Interned(_)) {
            columns.push(column(|counts| Some(counts.weight)));
        }
        if self.counts {
            columns.push(column(|counts| counts.matches));
        }
        if self.idle.is_some() {
            columns.push(column(|counts| counts.written_ms));
        }
        columns.push(entry_column(entries.iter().copied()));
        Ok(Batch::new(columns, counts.len()))
    }

    /// The entries of a changing side, list by list, those that came first first.
    fn in_order(&self) -> Vec<u32> {
        let mut entries = Vec::with_capacity(self.len());
        for key in self.keys.used() {
            let start = entries.len();
            let mut entry = self.heads[key as usize];
            while entry != NONE {
                entries.push(entry);
                entry = self.next[entry as usize];
            }
            entries[start..].reverse();
        }
        entries
    }

    /// Takes rows of its table, behind those that it has.
    pub(in crate::ops) fn load(&mut self, rows: &Batch) -> Result<()> {
        // Others of their keys may have come before.
        self.bring_back(&rows.project(&self.key_columns))?;
        self.load_rows(rows)
    }

    pub(super) fn load_rows(&mut self, rows: &Batch) -> Result<()> {
        cut(rows, ROWS_MAX).try_for_each(|rows| self.load_piece(&rows))
    }

    fn load_piece(&mut self, rows: &Batch) -> Result<()> {
        let (columns, counts) = rows.columns().split_at(self.types.len());
        let mut counts = counts.iter().filter_map(|column| column.as_primitive_opt::<Int64Type>());
        let weights = match self.store {
            Store::Interned(_) => counts.next().map(|weights| weights.values().clone()),
            Store::Appended(_) => None,
        };
        let batch = Batch::with_weights(columns.to_vec(), rows.rows(), weights);
        // They were written when they say, and not in this step.
        let idle = self.idle.take();
        let entries = self.insert(&batch.into())?;
        self.idle = idle;
        self.take_touched();
        if self.counts
            && let Some(matches) = counts.next()
        {
            for (&(entry, _), &weight) in entries.iter().zip(matches.values()) {
                self.matches[entry as usize].weight = weight;
            }
        }
        if let (Some(idle), Some(written)) = (&mut self.idle, counts.next()) {
            for (&(entry, _), written_ms) in entries.iter().zip(written) {
                written_ms.into_iter().for_each(|written_ms| idle.write(entry, written_ms));
            }
        }
        Ok(())
    }
}
