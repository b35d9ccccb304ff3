//! The rows of one side of a join as rows of a table: their columns, the weight, the weight of all partners, when they were
//! last written.
//! Invariant: entries of one key come in the order in which they were put into its list, so that the list is made again by
//! putting them in. The chunks of an append-only side are given out as they are.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array};
use arrow_buffer::ScalarBuffer;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::{NONE, Side, Store};
use crate::operator::cut;

/// So many interned rows are turned into columns at a time.
const ROWS_MAX: usize = 1 << 16;
/// How many columns come behind those of the rows.
const EXTRA: usize = 3;

impl Side {
    /// All that is known between two steps, as the table `name`.
    pub(in crate::ops) fn save(&self, name: &'static str) -> Result<TableRows> {
        let mut batches = Vec::new();
        match &self.store {
            Store::Appended(rows) => {
                let mut first = 0;
                for chunk in rows.chunks() {
                    let next = first + chunk.rows() as u32;
                    let entries: Vec<u32> = (first..next).collect();
                    batches.push(self.with_counts(chunk, &entries));
                    first = next;
                }
            }
            Store::Interned(rows) => {
                for entries in self.in_order().chunks(ROWS_MAX) {
                    let columns = rows.emit(entries)?;
                    batches.push(self.with_counts(Batch::new(columns, entries.len()), entries));
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

    fn with_counts(&self, rows: Batch, entries: &[u32]) -> Batch {
        let of_entries = |value: &dyn Fn(u32) -> Option<i64>| -> ArrayRef {
            Arc::new(entries.iter().map(|&entry| value(entry)).collect::<Int64Array>())
        };
        let matches = |entry: u32| self.matches.get(entry as usize).map(|matches| matches.weight);
        let written = |entry: u32| self.idle.as_ref().and_then(|idle| idle.written_ms(entry));
        let mut columns = rows.into_columns();
        columns.push(of_entries(&|entry| Some(self.weight(entry))));
        columns.push(of_entries(&matches));
        columns.push(of_entries(&written));
        Batch::new(columns, entries.len())
    }

    /// Takes rows of its table, behind those that it has.
    pub(in crate::ops) fn load(&mut self, rows: &Batch) -> Result<()> {
        cut(rows, ROWS_MAX).try_for_each(|rows| self.load_piece(&rows))
    }

    fn load_piece(&mut self, rows: &Batch) -> Result<()> {
        let (columns, counts) = rows.columns().split_at(rows.columns().len() - EXTRA);
        let [weights, matches, written] =
            [0, 1, 2].map(|at| counts[at].as_primitive::<Int64Type>());
        // They were written when they say, and not in this step.
        let idle = self.idle.take();
        let weights: ScalarBuffer<i64> = weights.values().clone();
        let batch = Batch::with_weights(columns.to_vec(), rows.rows(), Some(weights));
        let entries = self.insert(&batch)?;
        self.idle = idle;
        self.take_touched();
        for ((&(entry, _), matches), written) in entries.iter().zip(matches).zip(written) {
            if let (Some(known), Some(weight)) = (self.matches.get_mut(entry as usize), matches) {
                known.weight = weight;
            }
            if let (Some(idle), Some(written_ms)) = (&mut self.idle, written) {
                idle.write(entry, written_ms);
            }
        }
        Ok(())
    }
}
