//! The aggregate calls of one operator, driven together.
//! Invariant: all accumulators know the same groups.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray};
use mainstem_core::{Batch, Error, Result};

use crate::aggregate::{Accumulator, AggregateCall};

pub(super) struct Calls {
    calls: Vec<AggregateCall>,
    accumulators: Vec<Box<dyn Accumulator>>,
    /// How many state columns each call has; empty if states cannot be merged.
    state_widths: Vec<usize>,
    /// Scratch.
    args: Vec<ArrayRef>,
}

impl Calls {
    pub(super) fn new(calls: &[AggregateCall], retractable: bool) -> Self {
        let widths: Option<Vec<usize>> =
            calls.iter().map(|call| call.mergeable().map(|types| types.len())).collect();
        Self {
            accumulators: calls.iter().map(|call| call.accumulator(retractable)).collect(),
            calls: calls.to_vec(),
            state_widths: widths.unwrap_or_default(),
            args: Vec::new(),
        }
    }

    pub(super) fn update(
        &mut self,
        batch: &Batch,
        groups: &[u32],
        group_count: usize,
    ) -> Result<()> {
        let weights = batch.weights().map(|w| &w[..]);
        for (call, accumulator) in self.calls.iter().zip(&mut self.accumulators) {
            self.args.clear();
            self.args.extend(call.args.iter().map(|&i| Arc::clone(batch.column(i))));
            let filter = call.filter.map(|i| boolean(batch.column(i))).transpose()?;
            accumulator.update(&self.args, groups, group_count, filter, weights)?;
        }
        self.args.clear();
        Ok(())
    }

    /// Merges states laid out as [`Calls::states`] does.
    pub(super) fn merge(
        &mut self,
        states: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
    ) -> Result<()> {
        let mut rest = states;
        for (accumulator, &width) in self.accumulators.iter_mut().zip(&self.state_widths) {
            let (own, others) = rest.split_at(width);
            accumulator.merge(own, groups, group_count)?;
            rest = others;
        }
        Ok(())
    }

    pub(super) fn states(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::new();
        for accumulator in &self.accumulators {
            columns.extend(accumulator.state(groups)?);
        }
        Ok(columns)
    }

    /// Adds the states of `from` to the groups `to`.
    pub(super) fn fold(&mut self, from: &[u32], to: &[u32], group_count: usize) -> Result<()> {
        for accumulator in &mut self.accumulators {
            let states = accumulator.state(from)?;
            accumulator.merge(&states, to, group_count)?;
        }
        Ok(())
    }

    /// Adds the states of the groups `from` of `other` to the groups `to` of this.
    pub(super) fn fold_from(
        &mut self,
        other: &Calls,
        from: &[u32],
        to: &[u32],
        group_count: usize,
    ) -> Result<()> {
        for (accumulator, other) in self.accumulators.iter_mut().zip(&other.accumulators) {
            accumulator.merge(&other.state(from)?, to, group_count)?;
        }
        Ok(())
    }

    /// Moves the states of the groups `from` to the groups `to`, among which none of `from` is.
    pub(super) fn absorb(&mut self, from: &[u32], to: &[u32], group_count: usize) -> Result<()> {
        for accumulator in &mut self.accumulators {
            accumulator.absorb(from, to, group_count)?;
        }
        Ok(())
    }

    pub(super) fn finish(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        self.accumulators.iter().map(|accumulator| accumulator.finish(groups)).collect()
    }

    pub(super) fn clear(&mut self, groups: &[u32]) {
        self.accumulators.iter_mut().for_each(|accumulator| accumulator.clear(groups));
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.accumulators.iter().map(|accumulator| accumulator.size_bytes()).sum()
    }
}

fn boolean(column: &ArrayRef) -> Result<&BooleanArray> {
    column.as_boolean_opt().ok_or_else(|| Error::internal("a FILTER column is not boolean"))
}
