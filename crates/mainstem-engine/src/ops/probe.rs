//! A batch asks rows that are kept: what joins have in common.
//! Invariant: pairs are made in bounded pieces; a row with a NULL key has no partner. Weights are those of the batch
//! that asks.

use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use mainstem_core::{Batch, Result};

use crate::expr::{EvalContext, ExprRef};

/// Pairs are turned into output when there are this many.
const PAIRS_MAX: usize = 16_384;

/// Rows of a batch and the kept rows they are paired with.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub(super) rows: Vec<u32>,
    pub(super) partners: Vec<u32>,
}

impl Pairs {
    pub(super) fn push(&mut self, row: usize, partner: u32) {
        self.rows.push(row as u32);
        self.partners.push(partner);
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= PAIRS_MAX
    }

    pub(super) fn filter(&mut self, mask: &BooleanArray) {
        let keep: Vec<bool> = mask.iter().map(|keep| keep == Some(true)).collect();
        let mut kept = keep.iter();
        self.rows.retain(|_| *kept.next().expect("one a pair"));
        let mut kept = keep.iter();
        self.partners.retain(|_| *kept.next().expect("one a pair"));
    }
}

/// Who asks, and what a pair must satisfy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe<'a> {
    pub(super) is_left: bool,
    pub(super) residual: Option<&'a ExprRef>,
    pub(super) eval: EvalContext,
}

impl Probe<'_> {
    /// The joined rows of `pairs`, left columns first. Pairs that the residual condition refuses are taken out.
    pub(super) fn join(
        &self,
        batch: &Batch,
        pairs: &mut Pairs,
        gather: &dyn Fn(&[u32]) -> Result<Vec<ArrayRef>>,
    ) -> Result<Batch> {
        let own = batch.take(&UInt32Array::from(pairs.rows.clone()))?;
        let (rows, weights) = (own.rows(), own.weights().cloned());
        let other = gather(&pairs.partners)?;
        let own = own.into_columns();
        let columns = match self.is_left {
            true => own.into_iter().chain(other).collect(),
            false => other.into_iter().chain(own).collect(),
        };
        let joined = Batch::with_weights(columns, rows, weights);
        let Some(residual) = self.residual else { return Ok(joined) };
        let mask = residual.eval_filter(&joined, &self.eval)?;
        pairs.filter(&mask);
        joined.filter(&mask)
    }
}

/// The rows of which no column in `columns` is NULL, and the others if there are any.
pub(super) fn split_nulls(batch: &Batch, columns: &[usize]) -> Result<(Batch, Option<Batch>)> {
    let nulls = columns.iter().fold(None, |nulls: Option<NullBuffer>, &column| {
        NullBuffer::union(nulls.as_ref(), batch.column(column).nulls())
    });
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else {
        return Ok((batch.clone(), None));
    };
    let valid: BooleanBuffer = nulls.into_inner();
    let without = batch.filter(&BooleanArray::new(!&valid, None))?;
    Ok((batch.filter(&BooleanArray::new(valid, None))?, Some(without)))
}

/// The rows of `batch` for which `matched` is false.
pub(super) fn unmatched(batch: &Batch, matched: &[bool]) -> Result<Batch> {
    let keep: BooleanBuffer = matched.iter().map(|matched| !matched).collect();
    batch.filter(&BooleanArray::new(keep, None))
}
