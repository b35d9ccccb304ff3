//! Each row several times, with other columns each time: GROUPING SETS.
//! Invariant: stateless; for each batch in, one batch out for each way to lay out its columns, in order.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, new_null_array};
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};

use mainstem_state::table::TableRows;

use crate::operator::{Inputs, Operator, StepContext};
use crate::plan::Expanded;

/// One batch in, `layouts` out.
#[derive(Debug)]
pub(crate) struct Expand {
    pub(crate) layouts: Vec<Vec<Expanded>>,
    /// Of the columns that come out.
    pub(crate) types: Vec<ArrowType>,
}

impl Expand {
    fn laid_out(&self, batch: &Batch, layout: &[Expanded]) -> Batch {
        let rows = batch.rows();
        let column = |(expanded, data_type): (&Expanded, &ArrowType)| -> ArrayRef {
            match expanded {
                Expanded::Column(column) => Arc::clone(batch.column(*column)),
                Expanded::Null => new_null_array(data_type, rows),
                Expanded::Number(number) => Arc::new(Int64Array::from(vec![*number; rows])),
            }
        };
        let columns = layout.iter().zip(&self.types).map(column).collect();
        Batch::with_weights(columns, rows, batch.weights().cloned())
    }
}

impl Operator for Expand {
    fn step(&mut self, inputs: Inputs, _cx: &mut StepContext) -> Result<Vec<Batch>> {
        let batches = inputs.into_iter().flat_map(|input| input.batches);
        let all = |batch: Batch| {
            let each: Vec<Batch> =
                self.layouts.iter().map(|layout| self.laid_out(&batch, layout)).collect();
            each
        };
        Ok(batches.flat_map(all).collect())
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        Ok(Some(Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{Array, Int32Array};

    use super::*;

    #[test]
    fn every_layout_has_all_rows_and_weights() {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![7, 8]));
        let weights = vec![1i64, -1].into();
        let batch = Batch::with_weights(vec![column], 2, Some(weights));
        let expand = Expand {
            layouts: vec![
                vec![Expanded::Column(0), Expanded::Column(0), Expanded::Number(0)],
                vec![Expanded::Column(0), Expanded::Null, Expanded::Number(1)],
            ],
            types: vec![ArrowType::Int32, ArrowType::Int32, ArrowType::Int64],
        };
        let out: Vec<Batch> =
            expand.layouts.iter().map(|layout| expand.laid_out(&batch, layout)).collect();
        assert_eq!(out[1].column(1).null_count(), 2);
        assert_eq!(out[0].column(1).null_count(), 0);
        for (set, batch) in out.iter().enumerate() {
            let number = batch.column(2).as_primitive::<Int64Type>();
            assert_eq!(number.values(), &[set as i64; 2]);
            assert_eq!((batch.weight(0), batch.weight(1)), (1, -1));
        }
    }
}
