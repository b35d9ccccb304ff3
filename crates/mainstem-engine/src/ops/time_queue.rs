//! Rows that wait for their time, in buckets.
//! Invariant: a row is in the bucket of its time and comes out once time has reached it. Whole buckets come out
//! as they are; only the bucket in which time stands is looked into.

use std::collections::BTreeMap;

use arrow_array::UInt32Array;
use mainstem_core::{Batch, Result};

use super::window_table::check_times;
use crate::columns::times_ms;

/// How much time a bucket spans.
const WIDTH_MS: i64 = 1_000;

/// The rows of each bucket of `width_ms`, by the number of the bucket.
pub(super) fn by_bucket(times: &[i64], width_ms: i64) -> BTreeMap<i64, Vec<u32>> {
    let mut buckets: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
    let mut row = 0;
    while row < times.len() {
        // Neighbours are mostly of one bucket.
        let bucket = times[row].div_euclid(width_ms);
        let rows = buckets.entry(bucket).or_default();
        while row < times.len() && times[row].div_euclid(width_ms) == bucket {
            rows.push(row as u32);
            row += 1;
        }
    }
    buckets
}

/// The last time of a bucket.
pub(super) fn last_time(bucket: i64, width_ms: i64) -> i64 {
    bucket.saturating_mul(width_ms).saturating_add(width_ms - 1)
}

/// Rows of one input, by a timestamp column.
#[derive(Debug)]
pub(super) struct TimeQueue {
    column: usize,
    buckets: BTreeMap<i64, Vec<Batch>>,
    rows: usize,
}

impl TimeQueue {
    pub(super) fn new(column: usize) -> Self {
        Self { column, buckets: BTreeMap::new(), rows: 0 }
    }

    /// Refuses rows whose time is NULL.
    pub(super) fn push(&mut self, batch: Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        check_times(batch.column(self.column))?;
        self.rows += batch.rows();
        let parts = by_bucket(&times_ms(batch.column(self.column))?, WIDTH_MS);
        for (bucket, rows) in parts {
            let all = rows.len() == batch.rows();
            let part = if all { batch.clone() } else { batch.take(&UInt32Array::from(rows))? };
            self.buckets.entry(bucket).or_default().push(part);
        }
        Ok(())
    }

    /// The rows whose time is not after `time`; neighbouring buckets in order.
    pub(super) fn take_until(&mut self, time: i64) -> Result<Vec<Batch>> {
        let mut out = Vec::new();
        while let Some(mut entry) = self.buckets.first_entry() {
            let bucket = *entry.key();
            if last_time(bucket, WIDTH_MS) <= time {
                out.extend(entry.remove());
                continue;
            }
            if bucket.saturating_mul(WIDTH_MS) <= time {
                let (due, rest) = cut_at(entry.get(), self.column, time)?;
                match rest {
                    Some(rest) => *entry.get_mut() = vec![rest],
                    None => {
                        entry.remove();
                    }
                }
                out.extend(due);
            }
            break;
        }
        self.rows -= out.iter().map(Batch::rows).sum::<usize>();
        Ok(out)
    }

    /// All rows, in the order in which they come out if they are put in again.
    pub(super) fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.buckets.values().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.buckets.values().flatten().map(Batch::size_bytes).sum()
    }
}

/// The rows of a bucket up to `time` and after it, in order of time.
fn cut_at(batches: &[Batch], column: usize, time: i64) -> Result<(Option<Batch>, Option<Batch>)> {
    let Some(all) = Batch::concat(batches)? else { return Ok((None, None)) };
    let times = times_ms(all.column(column))?;
    let mut order: Vec<u32> = (0..all.rows() as u32).collect();
    let sorted = times.is_sorted();
    if !sorted {
        order.sort_by_key(|&row| times[row as usize]);
    }
    let due = order.partition_point(|&row| times[row as usize] <= time);
    drop(times);
    let all = if sorted { all } else { all.take(&UInt32Array::from(order))? };
    let piece = |from: usize, count: usize| (count > 0).then(|| all.slice(from, count));
    Ok((piece(0, due), piece(due, all.rows() - due)))
}
