//! The first rows of each partition in the order in which they come: `ORDER BY` processing time, and keep-first
//! deduplication by it.
//! Invariant: append-only in and out; a row's rank is settled when it comes. Kept: a counter a partition, for ever; no
//! rows.

use arrow_array::BooleanArray;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::RankPlan;
use super::top::rank_column;
use crate::operator::{Inputs, StepContext};
use crate::ops::by_key::{ByKey, KeyedOperator, Keys};
use crate::ops::saved::{apart, as_uint32s, beside, uint32s};

#[derive(Debug)]
pub(super) struct Arrival {
    columns: Vec<usize>,
    table: Keys,
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
            table: Keys::new(&types)?,
            from: u32::try_from(plan.first_rank()).unwrap_or(u32::MAX),
            to: u32::try_from(to).unwrap_or(u32::MAX - 1),
            with_rank: plan.with_rank,
            counts: Vec::new(),
            ids: Vec::new(),
        })
    }

    fn apply(&mut self, batch: &Batch) -> Result<Batch> {
        let keys = batch.project(&self.columns);
        self.bring_back(&keys)?;
        self.table.intern(keys.columns(), keys.rows(), &mut self.ids)?;
        self.counts.resize(self.counts.len().max(self.table.bound()), 0);
        let grows = |partition: &u32| self.counts[*partition as usize] < self.to;
        let growing: Vec<u32> = self.ids.iter().copied().filter(grows).collect();
        self.touch(&growing)?;
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

impl KeyedOperator for Arrival {
    fn run_step(&mut self, inputs: Inputs, _cx: &mut StepContext) -> Result<Vec<Batch>> {
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

    fn rows_here(&self) -> usize {
        self.table.len()
    }
}

impl ByKey for Arrival {
    fn keys(&self) -> &Keys {
        &self.table
    }

    fn keys_mut(&mut self) -> &mut Keys {
        &mut self.table
    }

    /// `counts`: how many rows of each partition came.
    fn tables_of(&self, partitions: &[u32]) -> Result<Vec<TableRows>> {
        let counted = partitions.iter().copied().filter(|&id| self.counts[id as usize] > 0);
        let counted: Vec<u32> = counted.collect();
        let counts = uint32s(counted.iter().map(|&id| self.counts[id as usize]));
        let shape = TableShape::keyed("counts", (0..self.columns.len()).collect());
        Ok(vec![shape.with_rows(vec![beside(self.names(&counted)?, [counts])])])
    }

    fn load_table(&mut self, _table: &str, rows: &Batch) -> Result<()> {
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

    fn key_bytes(&self) -> usize {
        self.counts.capacity() * 4
    }

    fn key_rows(&self, _partition: u32) -> usize {
        1
    }

    fn clear_keys(&mut self, partitions: &[u32]) -> Result<()> {
        partitions.iter().for_each(|&partition| self.counts[partition as usize] = 0);
        Ok(())
    }
}
