//! LIMIT and OFFSET over append-only rows.
//! Invariant: rows count in the order in which they arrive at worker 0.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{ArrayRef, UInt64Array};
use mainstem_core::{Batch, Error, Result};
use mainstem_state::table::{TableRows, TableShape};

use crate::operator::{Inputs, Operator, StepContext};

/// The first `left` rows after `skip` more.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) skip: u64,
    pub(crate) left: Option<u64>,
}

impl Operator for Limit {
    fn step(&mut self, inputs: Inputs, _cx: &mut StepContext) -> Result<Vec<Batch>> {
        let mut output = Vec::new();
        for batch in inputs.into_iter().flat_map(|input| input.batches) {
            if batch.weights().is_some_and(|w| w.iter().any(|&w| w != 1)) {
                return Err(Error::user("LIMIT over rows that change is not supported")
                    .with_hint("`mainstem deploy` runs it on Flink"));
            }
            let rows = batch.rows() as u64;
            let skipped = self.skip.min(rows);
            self.skip -= skipped;
            let kept = self.left.map_or(rows - skipped, |left| left.min(rows - skipped));
            self.left = self.left.map(|left| left - kept);
            if kept > 0 {
                output.push(batch.slice(skipped as usize, kept as usize));
            }
        }
        Ok(output)
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        let skip: ArrayRef = Arc::new(UInt64Array::from(vec![self.skip]));
        let left: ArrayRef = Arc::new(UInt64Array::from(vec![self.left]));
        let rows = Batch::new(vec![skip, left], 1);
        Ok(Some(vec![TableShape::keyed("to come", Vec::new()).with_rows(vec![rows])]))
    }

    fn load(&mut self, _table: &str, rows: &Batch) -> Result<()> {
        // Workers that saw no row say what the query says; the least is what was counted.
        let (skips, lefts) = (
            rows.column(0).as_primitive::<UInt64Type>(),
            rows.column(1).as_primitive::<UInt64Type>(),
        );
        for (skip, left) in skips.iter().flatten().zip(lefts) {
            self.skip = self.skip.min(skip);
            self.left = self.left.zip(left).map(|(own, saved)| own.min(saved));
        }
        Ok(())
    }
}
