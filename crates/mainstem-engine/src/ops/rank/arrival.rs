//! The first rows of each partition in the order in which they come: `ORDER BY` processing time, and keep-first
//! deduplication by it.
//! Invariant: append-only in and out; a row's rank is settled when it comes. Kept: a counter a partition, for ever; no
//! rows.

use arrow_array::BooleanArray;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::RankPlan;
use super::top::rank_column;
use crate::key_table::KeyTable;
use crate::operator::{Inputs, Operator, StepContext};
use crate::ops::saved::{apart, as_uint32s, uint32s};

#[derive(Debug)]
pub(super) struct Arrival {
    columns: Vec<usize>,
    table: KeyTable,
    from: u32,
    to: u32,
    with_rank: bool,
    /// By partition: how many rows came, up to `to`.
    counts: Vec<u32>,
    ids: Vec<u32>,
}

impl Arrival {
    /// The ranks from `plan.first_rank()` to `to`.
    pub(super) fn new(plan: &RankPlan, to: u64) -> Result<Self> {
        let types: Vec<_> = plan.partition.iter().map(|&i| plan.input[i].clone()).collect();
        Ok(Self {
            columns: plan.partition.clone(),
            table: KeyTable::new(&types)?,
            from: u32::try_from(plan.first_rank()).unwrap_or(u32::MAX),
            to: u32::try_from(to).unwrap_or(u32::MAX - 1),
            with_rank: plan.with_rank,
            counts: Vec::new(),
            ids: Vec::new(),
        })
    }

    fn apply(&mut self, batch: &Batch) -> Result<Batch> {
        let keys = batch.project(&self.columns);
        self.table.intern(keys.columns(), keys.rows(), &mut self.ids)?;
        self.counts.resize(self.counts.len().max(self.table.bound()), 0);
        let mut ranks = Vec::new();
        let mut wanted = |&partition: &u32| {
            let count = &mut self.counts[partition as usize];
            if *count >= self.to {
                return Some(false);
            }
            *count += 1;
            if *count >= self.from && self.with_rank {
                ranks.push(*count as usize);
            }
            Some(*count >= self.from)
        };
        let mask: BooleanArray = self.ids.iter().map(&mut wanted).collect();
        let kept = batch.filter(&mask)?;
        let rows = kept.rows();
        let mut columns = kept.into_columns();
        if self.with_rank {
            columns.push(rank_column(ranks.into_iter()));
        }
        Ok(Batch::new(columns, rows))
    }
}

impl Operator for Arrival {
    fn step(&mut self, inputs: Inputs, _cx: &mut StepContext) -> Result<Vec<Batch>> {
        let batches = inputs.into_iter().flat_map(|input| input.batches);
        let mut output = Vec::new();
        for batch in batches.filter(|batch| !batch.is_empty()) {
            let kept = self.apply(&batch)?;
            if !kept.is_empty() {
                output.push(kept);
            }
        }
        Ok(output)
    }

    /// `counts`: how many rows of each partition came.
    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        let partitions = self.table.used();
        let mut columns = self.table.emit(&partitions)?;
        columns.push(uint32s(partitions.iter().map(|&id| self.counts[id as usize])));
        let shape = TableShape::keyed("counts", (0..self.columns.len()).collect());
        Ok(Some(vec![shape.with_rows(vec![Batch::new(columns, partitions.len())])]))
    }

    fn load(&mut self, _table: &str, rows: &Batch) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let (keys, more) = apart(rows, self.columns.len());
        self.table.intern(keys.columns(), keys.rows(), &mut self.ids)?;
        self.counts.resize(self.counts.len().max(self.table.bound()), 0);
        for (&id, &count) in self.ids.iter().zip(as_uint32s(&more[0])) {
            self.counts[id as usize] = count;
        }
        Ok(())
    }

    fn state_rows(&self) -> usize {
        self.table.len()
    }

    fn state_bytes(&self) -> usize {
        self.table.size_bytes() + self.counts.capacity() * 4
    }
}
