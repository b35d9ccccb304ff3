//! The rows of one side of a join as rows of a table: their columns; the weight, on changing sides; the weight of all
//! partners, where that matters; when they were last written, with a time to live.
//! Invariant: entries of one key come in the order in which they were put into its list, so that the list is made again by
//! putting them in. The chunks of an append-only side are given out as they are.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array};
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::{NONE, Side, Store};
use crate::operator::cut;

/// So many interned rows are turned into columns at a time.
const ROWS_MAX: usize = 1 << 16;

impl Side {
    /// All that is known between two steps, as the table `name`.
    pub(in crate::ops) fn save(&self, name: &'static str) -> Result<TableRows> {
        let mut batches = Vec::new();
        match &self.store {
            Store::Appended(rows) => {
                let mut first = 0;
                for chunk in rows.chunks() {
                    let next = first + chunk.rows() as u32;
                    batches.push(self.with_counts(chunk, first..next));
                    first = next;
                }
            }
            Store::Interned(rows) => {
                for entries in self.in_order().chunks(ROWS_MAX) {
                    let columns = rows.emit(entries)?;
                    let rows = Batch::new(columns, entries.len());
                    batches.push(self.with_counts(rows, entries.iter().copied()));
                }
            }
        }
        Ok(TableShape::keyed(name, self.key_columns.clone()).with_rows(batches))
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

    fn with_counts(&self, rows: Batch, entries: impl Iterator<Item = u32> + Clone) -> Batch {
        let count = rows.rows();
        let column = |value: &dyn Fn(u32) -> Option<i64>| -> ArrayRef {
            Arc::new(entries.clone().map(value).collect::<Int64Array>())
        };
        let mut columns = rows.into_columns();
        if matches!(self.store, Store::Interned(_)) {
            columns.push(column(&|entry| Some(self.weight(entry))));
        }
        if self.counts {
            columns.push(column(&|entry| Some(self.matches(entry))));
        }
        if let Some(idle) = &self.idle {
            columns.push(column(&|entry| idle.written_ms(entry)));
        }
        Batch::new(columns, count)
    }

    /// Takes rows of its table, behind those that it has.
    pub(in crate::ops) fn load(&mut self, rows: &Batch) -> Result<()> {
        cut(rows, ROWS_MAX).try_for_each(|rows| self.load_piece(&rows))
    }

    fn load_piece(&mut self, rows: &Batch) -> Result<()> {
        let (columns, counts) = rows.columns().split_at(self.types.len());
        let mut counts = counts.iter().map(|column| column.as_primitive::<Int64Type>());
        let weights = match self.store {
            Store::Interned(_) => counts.next().map(|weights| weights.values().clone()),
            Store::Appended(_) => None,
        };
        let batch = Batch::with_weights(columns.to_vec(), rows.rows(), weights);
        // They were written when they say, and not in this step.
        let idle = self.idle.take();
        let entries = self.insert(&batch)?;
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
