//! Rows as often as a column says.
//! Invariant: stateless; one batch out for each batch in. The column is a BIGINT and does not come out; a row whose
//! number is NULL or 0 is left out, and so is one of less than 0, unless numbers are signed.

use arrow_array::BooleanArray;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_buffer::ScalarBuffer;
use mainstem_core::{Batch, Error, Result};

use mainstem_state::table::TableRows;

use crate::operator::{Inputs, Operator, StepContext};

/// Multiplies weights by a column.
#[derive(Debug)]
pub(crate) struct Repeat {
    pub(crate) column: usize,
    /// A number below 0 takes rows back.
    pub(crate) signed: bool,
}

impl Repeat {
    fn apply(&self, batch: &Batch) -> Result<Batch> {
        let times = batch.column(self.column).as_primitive_opt::<Int64Type>();
        let times = times.ok_or_else(|| Error::internal("a number of times is not BIGINT"))?;
        let least = if self.signed { i64::MIN } else { 0 };
        let times: Vec<i64> = times.iter().map(|times| times.unwrap_or(0).max(least)).collect();
        let others: Vec<usize> =
            (0..batch.columns().len()).filter(|&column| column != self.column).collect();
        let weights: ScalarBuffer<i64> =
            times.iter().enumerate().map(|(row, times)| batch.weight(row) * times).collect();
        let columns = batch.project(&others).columns().to_vec();
        let repeated = Batch::with_weights(columns, batch.rows(), Some(weights));
        if times.iter().all(|&times| times != 0) {
            return Ok(repeated);
        }
        let is_there: BooleanArray = times.iter().map(|&times| Some(times != 0)).collect();
        repeated.filter(&is_there)
    }
}

impl Operator for Repeat {
    fn step(&mut self, inputs: Inputs, _cx: &mut StepContext) -> Result<Vec<Batch>> {
        inputs.into_iter().flat_map(|input| input.batches).map(|batch| self.apply(&batch)).collect()
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        Ok(Some(Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn rows(out: &Batch) -> Vec<(&str, i64)> {
        let names = out.column(0).as_string::<i32>();
        (0..out.rows()).map(|row| (names.value(row), out.weight(row))).collect()
    }

    #[test]
    fn weights_are_multiplied_and_rows_below_one_left_out() {
        let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c", "d", "e"]));
        let times: ArrayRef =
            Arc::new(Int64Array::from(vec![Some(2), Some(0), None, Some(-3), Some(1)]));
        let weights: ScalarBuffer<i64> = vec![1, 1, 1, 1, -2].into();
        let batch = Batch::with_weights(vec![names, times], 5, Some(weights));
        let out = Repeat { column: 1, signed: false }.apply(&batch).expect("BIGINT");
        assert_eq!(rows(&out), [("a", 2), ("e", -2)]);
        assert_eq!(out.columns().len(), 1);
        let out = Repeat { column: 1, signed: true }.apply(&batch).expect("BIGINT");
        assert_eq!(rows(&out), [("a", 2), ("d", -3), ("e", -2)]);
    }
}
