//! What OVER over changing rows knows between two steps, as rows of tables: `rows` with their results, partition by
//! partition in order; `owed`, rows that were taken back before they came; and a table for each aggregate whose state is
//! that of all rows of a partition.
//! Invariant: rows that are equal in the order, and equal rows, stand in the order in which they came; so arrivals need
//! not be kept.

use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::{ChangingOver, Copies, Entry, NONE, Sequence};
use crate::ops::by_key::{ByKey, Keys};
use crate::ops::saved::{SAVED_ROWS, apart, as_int64s, beside, int64s};

const ROWS: &str = "rows";
const OWED: &str = "owed";

impl ByKey for ChangingOver {
    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn keys_mut(&mut self) -> &mut Keys {
        &mut self.keys
    }

    fn tables_of(&self, partitions: &[u32]) -> Result<Vec<TableRows>> {
        let keys = Batch::new(self.keys.emit(partitions)?, partitions.len());
        let mut tables = vec![self.keyed(ROWS).with_rows(self.save_rows(partitions)?)];
        tables.extend(self.calls.save(partitions, &keys)?);
        Ok(tables)
    }

    fn load_table(&mut self, table: &str, rows: &Batch) -> Result<()> {
        self.take_rows(table, rows)
    }

    /// Rows seldom go before they came.
    fn other_tables(&self) -> Result<Vec<TableRows>> {
        Ok(vec![self.keyed(OWED).with_rows(vec![self.save_owed()?])])
    }

    fn key_bytes(&self) -> usize {
        self.held.contents.size_bytes()
            + self.held.order.size_bytes()
            + self.held.sequences.iter().map(Sequence::size_bytes).sum::<usize>()
            + self.held.sequences.capacity() * size_of::<Sequence>()
            + self.held.entries.capacity() * size_of::<Entry>()
            + self.held.copies.capacity() * size_of::<Copies>()
            + self.calls.size_bytes()
            + self.results.size_bytes()
    }

    fn key_rows(&self, partition: u32) -> usize {
        self.held.sequences[partition as usize].len()
    }

    fn clear_keys(&mut self, partitions: &[u32]) -> Result<()> {
        let mut entries = Vec::new();
        for &partition in partitions {
            let sequence = std::mem::take(&mut self.held.sequences[partition as usize]);
            entries.extend(sequence.range(0..sequence.len()));
        }
        for &entry in &entries {
            let Entry { content, .. } = self.held.entries[entry as usize];
            self.held.entries[entry as usize].result = NONE;
            let copies = &mut self.held.copies[content as usize];
            (copies.first, copies.last) = (NONE, NONE);
        }
        self.release(&entries);
        self.calls.forget(partitions);
        self.release_results(entries.len())
    }
}

impl ChangingOver {
    fn keyed(&self, name: &'static str) -> TableShape {
        TableShape::keyed(name, self.partition_columns.clone())
    }

    fn save_rows(&self, partitions: &[u32]) -> Result<Vec<Batch>> {
        let sequences = partitions.iter().map(|&id| &self.held.sequences[id as usize]);
        let entries: Vec<u32> =
            sequences.flat_map(|sequence| sequence.range(0..sequence.len())).collect();
        let mut batches = Vec::with_capacity(entries.len().div_ceil(SAVED_ROWS));
        for entries in entries.chunks(SAVED_ROWS) {
            let contents: Vec<u32> = entries.iter().map(|&e| self.held.content(e)).collect();
            let results: Vec<u32> = entries.iter().map(|&e| self.held.result(e)).collect();
            let rows = Batch::new(self.held.contents.emit(&contents)?, entries.len());
            batches.push(beside(rows, self.results.gather(&results)?));
        }
        Ok(batches)
    }

    fn save_owed(&self) -> Result<Batch> {
        let owed = |copies: &Copies| (copies.owed > 0).then_some(copies.owed);
        let all = (0u32..).zip(&self.held.copies);
        let (contents, owed): (Vec<u32>, Vec<i64>) =
            all.filter_map(|(id, copies)| Some((id, owed(copies)?))).unzip();
        let rows = Batch::new(self.held.contents.emit(&contents)?, contents.len());
        Ok(beside(rows, [int64s(owed.into_iter().map(Some))]))
    }

    pub(super) fn take_rows(&mut self, table: &str, rows: &Batch) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        if table == ROWS || table == OWED {
            let (own, more) = apart(rows, self.width);
            let mut contents = Vec::new();
            self.intern_contents(&own, &mut contents)?;
            if table == ROWS {
                return self.take_results(&own, &contents, &Batch::new(more.to_vec(), own.rows()));
            }
            for (&content, owed) in contents.iter().zip(as_int64s(&more[0]).flatten()) {
                self.held.copies[content as usize].owed = owed;
            }
            return Ok(());
        }
        let (keys, states) = apart(rows, self.partition_columns.len());
        let mut partitions = Vec::new();
        self.intern_keys(&keys, &mut partitions)?;
        let states = Batch::new(states.to_vec(), rows.rows());
        self.calls.load(table, &states, &partitions, self.keys.bound())
    }

    /// Rows at the ends of their partitions, with their results.
    fn take_results(&mut self, rows: &Batch, contents: &[u32], results: &Batch) -> Result<()> {
        let mut partitions = Vec::new();
        self.intern_keys(&rows.project(&self.partition_columns), &mut partitions)?;
        let entries: Vec<u32> = contents.iter().map(|&content| self.add(content)).collect();
        self.held.order.set(&entries, rows)?;
        self.calls.note(&entries, rows)?;
        self.calls.note_results(&entries, results.columns());
        let first = self.results.push(results)?;
        for ((&entry, &partition), result) in entries.iter().zip(&partitions).zip(first..) {
            self.held.entries[entry as usize].result = result;
            self.held.sequences[partition as usize].push(entry);
        }
        Ok(())
    }
}
