//! What OVER in the order of time knows between two steps, as rows of tables: `waiting`, the rows that wait, as they came;
//! `rows`, those that frames hold, partition by partition in order; `partitions`, with how many rows each frame has; and a
//! table for each aggregate call.
//! Invariant: every frame of a partition ends with its last row, so that it follows from its length.

use std::cmp::Reverse;

use mainstem_core::{Batch, Error, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::{Partition, TimedOver};
use crate::columns::times_ms;
use crate::ops::by_key::{ByKey, Keys};
use crate::ops::saved::{apart, as_int64s, as_uint32s, as_uint64s, beside, int64s, uint32s};
use crate::plan::TimeSource;

/// So many places in the list of partitions to be forgotten may be of others.
const STALE_MAX: usize = 1024;
const WAITING: &str = "waiting";
const ROWS: &str = "rows";
const PARTITIONS: &str = "partitions";
const FRAME: &str = "frame";
const RUNNING: &str = "running";

impl ByKey for TimedOver {
    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn keys_mut(&mut self) -> &mut Keys {
        &mut self.keys
    }

    fn tables_of(&self, partitions: &[u32]) -> Result<Vec<TableRows>> {
        let keys = Batch::new(self.keys.emit(partitions)?, partitions.len());
        let keyed = |name| TableShape::keyed(name, (0..keys.columns().len()).collect());
        let mut rows = Vec::new();
        for (places, batch) in self.store.save(partitions)? {
            let own = keys.take(&places.into())?;
            rows.push(beside(own, batch.into_columns()));
        }
        let mut tables = vec![
            keyed(ROWS).with_rows(rows),
            keyed(PARTITIONS).with_rows(vec![self.save_partitions(partitions, &keys)]),
        ];
        for (number, frame) in self.layout.frames.iter().enumerate() {
            tables.extend(frame.calls.save(FRAME, number, partitions, &keys)?);
        }
        for (number, frame) in self.layout.running.iter().enumerate() {
            tables.extend(frame.calls.save(RUNNING, number, partitions, &keys)?);
        }
        Ok(tables)
    }

    fn load_table(&mut self, table: &str, rows: &Batch) -> Result<()> {
        self.take_rows(table, rows)
    }

    /// Rows seldom wait for long.
    fn other_tables(&self) -> Result<Vec<TableRows>> {
        let waiting = TableShape::keyed(WAITING, self.partition_columns.clone());
        Ok(vec![waiting.with_rows(self.waiting.batches()?)])
    }

    fn key_bytes(&self) -> usize {
        self.store.size_bytes()
            + self.layout.size_bytes()
            + self.partitions.capacity() * size_of::<Partition>()
            + self.expiring.capacity() * size_of::<Reverse<(i64, u32)>>()
    }

    /// Its rows, and itself.
    fn key_rows(&self, partition: u32) -> usize {
        let frames = 0..self.layout.frames.len();
        let longest = frames.map(|frame| self.store.length(partition, frame)).max();
        longest.unwrap_or(0) as usize + 1
    }

    fn clear_keys(&mut self, partitions: &[u32]) -> Result<()> {
        let freed = self.clear(partitions);
        if self.expiring.len() > 2 * self.partitions.len() + STALE_MAX {
            let partitions = &self.partitions;
            self.expiring.retain(|Reverse((_, partition))| partitions[*partition as usize].expires);
        }
        self.store.release(freed)
    }

    fn wakes_ms(&self, partition: u32) -> i64 {
        let last = self.partitions[partition as usize].last;
        self.layout.reach_ms.map_or(i64::MAX, |reach| last.saturating_add(reach))
    }
}

impl TimedOver {
    fn save_partitions(&self, partitions: &[u32], keys: &Batch) -> Batch {
        let numbers = |of: fn(&Partition) -> i64| {
            int64s(partitions.iter().map(|&id| Some(of(&self.partitions[id as usize]))))
        };
        let counts = [
            numbers(|partition| partition.last),
            numbers(|partition| partition.rows),
            numbers(|partition| partition.rank),
            numbers(|partition| partition.dense_rank),
        ];
        let lengths = (0..self.layout.frames.len())
            .map(|frame| uint32s(partitions.iter().map(|&id| self.store.length(id, frame))));
        beside(keys.clone(), counts.into_iter().chain(lengths))
    }

    pub(super) fn take_rows(&mut self, table: &str, rows: &Batch) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        if table == WAITING {
            let TimeSource::EventTime { column } = self.time else {
                return Err(Error::internal("rows that wait for processing time"));
            };
            let times = times_ms(rows.column(column))?.into_owned();
            return self.waiting.push(rows, &times);
        }
        let (keys, more) = apart(rows, self.partition_columns.len());
        let mut partitions = Vec::new();
        self.keys.intern(keys.columns(), keys.rows(), &mut partitions)?;
        self.make_room();
        let more = Batch::new(more.to_vec(), rows.rows());
        match table {
            ROWS => self.take_frame_rows(&partitions, &more),
            PARTITIONS => self.take_partitions(&partitions, &more),
            _ => self.take_states(table, &partitions, &more),
        }
    }

    /// Rows of frames; every frame gets them at first.
    fn take_frame_rows(&mut self, partitions: &[u32], rows: &Batch) -> Result<()> {
        let (kept, more) = apart(rows, self.layout.kept.len());
        let first = self.store.store(&kept)?;
        let times = as_int64s(&more[0]).flatten();
        let flags = as_uint64s(&more[1]);
        for (((&partition, row), time), &flags) in
            partitions.iter().zip(first..).zip(times).zip(flags)
        {
            self.store.push(partition, row, time, flags);
        }
        Ok(())
    }

    fn take_partitions(&mut self, partitions: &[u32], counts: &Batch) -> Result<()> {
        let numbers = |column: usize| as_int64s(counts.column(column)).flatten().collect();
        let [last, rows, rank, dense_rank]: [Vec<i64>; 4] = [0, 1, 2, 3].map(numbers);
        let mut freed = 0;
        for (frame, lengths) in counts.columns()[4..].iter().enumerate() {
            for (&partition, &length) in partitions.iter().zip(as_uint32s(lengths)) {
                while self.store.length(partition, frame) > length {
                    self.store.pop(partition, frame, &mut freed);
                }
            }
        }
        self.store.release(freed)?;
        for (at, &partition) in partitions.iter().enumerate() {
            let expires = self.layout.reach_ms.map(|reach| last[at].saturating_add(reach));
            self.expiring.extend(expires.map(|time| Reverse((time, partition))));
            self.partitions[partition as usize] = Partition {
                last: last[at],
                rows: rows[at],
                rank: rank[at],
                dense_rank: dense_rank[at],
                expires: expires.is_some(),
            };
        }
        Ok(())
    }

    /// States of an aggregate call.
    fn take_states(&mut self, table: &str, partitions: &[u32], states: &Batch) -> Result<()> {
        let bound = self.keys.bound();
        let frames = self.layout.frames.iter_mut().map(|frame| &mut frame.calls);
        let running = self.layout.running.iter_mut().map(|frame| &mut frame.calls);
        for (number, calls) in frames.enumerate() {
            calls.load(FRAME, number, table, states, partitions, bound)?;
        }
        for (number, calls) in running.enumerate() {
            calls.load(RUNNING, number, table, states, partitions, bound)?;
        }
        Ok(())
    }
}
