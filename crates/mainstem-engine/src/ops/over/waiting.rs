//! Rows that wait until time has passed them, given out in the order of time, equal times in order of arrival.
//! Invariant: row numbers grow with arrival, also after the rows were rewritten. Adding a row whose time is not before
//! the others' costs constant time, taking one out logarithmic time in the rows that wait.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};

use super::super::rows::Rows;

#[derive(Debug)]
pub(super) struct Waiting {
    rows: Rows,
    /// Time and row number.
    heap: BinaryHeap<Reverse<(i64, u32)>>,
}

impl Waiting {
    pub(super) fn new(types: &[ArrowType]) -> Self {
        Self { rows: Rows::new(types), heap: BinaryHeap::new() }
    }

    pub(super) fn push(&mut self, batch: &Batch, times: &[i64]) -> Result<()> {
        let first = self.rows.push(batch)?;
        self.heap.extend(times.iter().zip(first..).map(|(&time, row)| Reverse((time, row))));
        Ok(())
    }

    /// The rows at or before `progress`, and their times.
    pub(super) fn take(&mut self, progress: i64) -> Result<(Batch, Vec<i64>)> {
        let (mut times, mut rows) = (Vec::new(), Vec::new());
        while let Some(&Reverse((time, row))) = self.heap.peek()
            && time <= progress
        {
            self.heap.pop();
            times.push(time);
            rows.push(row);
        }
        let batch = Batch::new(self.rows.gather(&rows)?, rows.len());
        if self.rows.release(rows.len()) {
            let mut left = std::mem::take(&mut self.heap).into_vec();
            left.sort_unstable_by_key(|Reverse((_, row))| *row);
            self.rows.rewrite(left.iter_mut().map(|Reverse((_, row))| row))?;
            self.heap = left.into();
        }
        Ok((batch, times))
    }

    /// The rows that wait, as they came.
    pub(super) fn batches(&self) -> Result<Vec<Batch>> {
        let mut rows: Vec<u32> = self.heap.iter().map(|Reverse((_, row))| *row).collect();
        rows.sort_unstable();
        Ok(self.rows.batches(&rows)?.into_iter().map(|(_, batch)| batch).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.rows.size_bytes() + self.heap.capacity() * size_of::<Reverse<(i64, u32)>>()
    }
}
