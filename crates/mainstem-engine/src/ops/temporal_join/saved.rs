//! The state of temporal joins as rows of tables: the rows that wait, and the versions of each key.
//! Invariant: rows that wait come in the order in which they are asked for; versions are put in their place by their time,
//! in whatever order they come.

use std::sync::Arc;

use arrow_array::Int64Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use mainstem_core::{Batch, Error, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::super::rows::{weighted_again, with_weights};
use super::{History, NOTHING, TemporalJoin, Version};

/// Left rows, with their weights.
const WAITING: &str = "waiting";
/// Rows of the versioned table, and the time from which each is valid.
const VERSIONS: &str = "versions";
/// Keys, and a time from which each has no row.
const ENDS: &str = "ends";
/// So many versions are copied at a time.
const ROWS_MAX: usize = 1 << 16;

impl TemporalJoin {
    pub(super) fn tables(&self) -> Result<Vec<TableRows>> {
        let waiting = TableShape::keyed(WAITING, self.left_keys.clone());
        let waiting = waiting.with_rows(self.waiting.batches().map(with_weights).collect());
        let [versions, ends] = self.history.save()?;
        Ok(vec![waiting, versions, ends])
    }

    pub(super) fn load_rows(&mut self, table: &str, rows: &Batch) -> Result<()> {
        match table {
            _ if rows.is_empty() => Ok(()),
            WAITING => self.waiting.push(weighted_again(rows)),
            _ => self.history.load(rows, table == VERSIONS),
        }
    }
}

impl History {
    fn save(&self) -> Result<[TableRows; 2]> {
        let (mut valid, mut ended) = (Vec::new(), Vec::new());
        for key in self.keys.used() {
            for &Version { from, row } in &self.versions[key as usize] {
                match row {
                    NOTHING => ended.push((key, from)),
                    row => valid.push((row, from)),
                }
            }
        }
        let with_times = |rows: &[(u32, i64)], mut columns: Vec<_>| {
            let times = rows.iter().map(|&(_, from)| from);
            columns.push(Arc::new(Int64Array::from_iter_values(times)) as _);
            Batch::new(columns, rows.len())
        };
        let mut batches = Vec::with_capacity(valid.len().div_ceil(ROWS_MAX));
        for part in valid.chunks(ROWS_MAX) {
            let rows: Vec<u32> = part.iter().map(|&(row, _)| row).collect();
            batches.push(with_times(part, self.rows.gather(&rows)?));
        }
        let keys: Vec<u32> = ended.iter().map(|&(key, _)| key).collect();
        let ends = with_times(&ended, self.keys.emit(&keys)?);
        Ok([
            TableShape::keyed(VERSIONS, self.key_columns.clone()).with_rows(batches),
            TableShape::keyed(ENDS, (0..self.key_columns.len()).collect()).with_rows(vec![ends]),
        ])
    }

    /// Takes versions: with their rows, or keys that have none from then on.
    fn load(&mut self, rows: &Batch, with_rows: bool) -> Result<()> {
        let (times, columns) = rows
            .columns()
            .split_last()
            .ok_or_else(|| Error::internal("versions without their times"))?;
        let batch = Batch::new(columns.to_vec(), rows.rows());
        let keys = if with_rows { batch.project(&self.key_columns) } else { batch.clone() };
        let mut ids = Vec::new();
        self.keys.intern(keys.columns(), keys.rows(), &mut ids)?;
        self.versions.resize(self.versions.len().max(self.keys.bound()), Vec::new());
        let first = if with_rows { self.rows.push(&batch)? } else { NOTHING };
        let times = times.as_primitive::<Int64Type>().values();
        for ((place, &id), &from) in (0..).zip(&ids).zip(times) {
            let row = if with_rows { first + place } else { NOTHING };
            self.put(id, Version { from, row });
        }
        Ok(())
    }
}
