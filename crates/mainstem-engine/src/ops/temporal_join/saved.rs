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
use super::{History, NOTHING, PRUNE_MS, TemporalJoin, Version, last_time};
use crate::ops::by_key::{ByKey, Keys};

/// Left rows, with their weights.
const WAITING: &str = "waiting";
/// Rows of the versioned table, and the time from which each is valid.
const VERSIONS: &str = "versions";
/// Keys, and a time from which each has no row.
const ENDS: &str = "ends";
/// So many versions are copied at a time.
const ROWS_MAX: usize = 1 << 16;

impl ByKey for TemporalJoin {
    fn keys(&self) -> &Keys {
        &self.history.keys
    }

    fn keys_mut(&mut self) -> &mut Keys {
        &mut self.history.keys
    }

    fn tables_of(&self, keys: &[u32]) -> Result<Vec<TableRows>> {
        self.history.save(keys).map(Vec::from)
    }

    fn load_table(&mut self, table: &str, rows: &Batch) -> Result<()> {
        match table {
            _ if rows.is_empty() => Ok(()),
            WAITING => self.waiting.push(weighted_again(rows)),
            _ => self.history.load(rows, table == VERSIONS),
        }
    }

    /// Rows seldom wait for long.
    fn other_tables(&self) -> Result<Vec<TableRows>> {
        let waiting = TableShape::keyed(WAITING, self.left_keys.clone());
        Ok(vec![waiting.with_rows(self.waiting.batches().map(with_weights).collect())])
    }

    fn key_bytes(&self) -> usize {
        let history = &self.history;
        let lists = history.versions.iter().map(Vec::capacity).sum::<usize>();
        history.rows.size_bytes()
            + lists * size_of::<Version>()
            + history.versions.capacity() * size_of::<Vec<Version>>()
            + history.prune.values().map(Vec::capacity).sum::<usize>() * 4
    }

    fn key_rows(&self, key: u32) -> usize {
        self.history.versions[key as usize].len()
    }

    fn clear_keys(&mut self, keys: &[u32]) -> Result<()> {
        let mut rows = 0;
        for &key in keys {
            let versions = std::mem::take(&mut self.history.versions[key as usize]);
            rows += versions.iter().filter(|version| version.row != NOTHING).count();
            self.history.len -= versions.len();
        }
        self.history.forget(rows)
    }

    fn wakes_ms(&self, key: u32) -> i64 {
        let old = self.history.first_old(key);
        old.map_or(i64::MAX, |time| last_time(time.div_euclid(PRUNE_MS), PRUNE_MS))
    }
}

impl History {
    /// When the first version of a key is old.
    fn first_old(&self, key: u32) -> Option<i64> {
        let list = &self.versions[key as usize];
        let first = list.first()?;
        if first.row == NOTHING { Some(first.from) } else { list.get(1).map(|next| next.from) }
    }

    fn save(&self, keys: &[u32]) -> Result<[TableRows; 2]> {
        let (mut valid, mut ended) = (Vec::new(), Vec::new());
        for &key in keys {
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
        let ids = self.intern(&keys)?;
        let first = if with_rows { self.rows.push(&batch)? } else { NOTHING };
        let times = times.as_primitive::<Int64Type>().values();
        for ((place, &id), &from) in (0..).zip(&ids).zip(times) {
            let row = if with_rows { first + place } else { NOTHING };
            self.put(id, Version { from, row });
        }
        Ok(())
    }
}
