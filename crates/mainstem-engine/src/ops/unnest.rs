//! One row per element of a list, map or multiset.
//! Invariant: stateless; one batch out for each batch in. A NULL or empty list has no elements.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Int32Array, StructArray, UInt32Array};
use arrow_schema::DataType as ArrowType;
use arrow_select::take::take;
use mainstem_core::{Batch, Error, Result};

use mainstem_state::table::TableRows;

use crate::operator::{Inputs, Operator, StepContext};

/// CROSS JOIN UNNEST and LEFT JOIN UNNEST.
#[derive(Debug)]
pub(crate) struct Unnest {
    pub(crate) column: usize,
    pub(crate) flatten: bool,
    pub(crate) multiset: bool,
    pub(crate) with_ordinality: bool,
    pub(crate) outer: bool,
}

/// Where the elements of the rows are, and the element columns.
struct Elements<'a> {
    offsets: &'a [i32],
    columns: Vec<ArrayRef>,
    /// How often each is there, if not once.
    times: Option<&'a Int32Array>,
}

impl Unnest {
    fn elements<'a>(&self, column: &'a ArrayRef) -> Result<Elements<'a>> {
        Ok(match column.data_type() {
            ArrowType::List(_) => {
                let list = column.as_list::<i32>();
                let values = list.values();
                let columns = match values.as_struct_opt() {
                    Some(fields) if self.flatten => flatten(fields)?,
                    _ => vec![Arc::clone(values)],
                };
                Elements { offsets: list.value_offsets(), columns, times: None }
            }
            ArrowType::Map(_, _) if self.multiset => {
                let map = column.as_map();
                let columns = match map.keys().as_struct_opt() {
                    Some(fields) if self.flatten => flatten(fields)?,
                    _ => vec![Arc::clone(map.keys())],
                };
                let times = map.values().as_primitive_opt::<Int32Type>();
                let times = times.ok_or_else(|| Error::internal("a multiset counts in INT"))?;
                Elements { offsets: map.value_offsets(), columns, times: Some(times) }
            }
            ArrowType::Map(_, _) => {
                let map = column.as_map();
                let columns = vec![Arc::clone(map.keys()), Arc::clone(map.values())];
                Elements { offsets: map.value_offsets(), columns, times: None }
            }
            other => return Err(Error::internal(format!("UNNEST of a column of type {other}"))),
        })
    }

    fn apply(&self, batch: &Batch) -> Result<Batch> {
        let column = batch.column(self.column);
        let elements = self.elements(column)?;
        let mut rows = Vec::new();
        let mut places: Vec<Option<u32>> = Vec::new();
        let mut ordinals: Vec<Option<i32>> = Vec::new();
        for (row, bounds) in elements.offsets.windows(2).enumerate() {
            let range = if column.is_null(row) { 0..0 } else { bounds[0]..bounds[1] };
            let first = rows.len();
            let times = |place: i32| match elements.times {
                Some(times) => times.value(place as usize).max(0) as usize,
                None => 1,
            };
            let places_of_row = range.flat_map(|place| std::iter::repeat_n(place, times(place)));
            for (ordinal, place) in places_of_row.enumerate() {
                rows.push(row as u32);
                places.push(Some(place as u32));
                ordinals.push(Some(ordinal as i32 + 1));
            }
            if rows.len() == first && self.outer {
                rows.push(row as u32);
                places.push(None);
                ordinals.push(None);
            }
        }
        let places = UInt32Array::from(places);
        let expanded = batch.take(&UInt32Array::from(rows))?;
        let mut columns = expanded.columns().to_vec();
        for element in &elements.columns {
            columns.push(take(element, &places, None)?);
        }
        if self.with_ordinality {
            columns.push(Arc::new(Int32Array::from(ordinals)));
        }
        Ok(Batch::with_weights(columns, expanded.rows(), expanded.weights().cloned()))
    }
}

/// The fields of a struct column; those of a NULL struct are NULL.
fn flatten(fields: &StructArray) -> Result<Vec<ArrayRef>> {
    let Some(nulls) = fields.nulls() else { return Ok(fields.columns().to_vec()) };
    let places: UInt32Array =
        (0..fields.len() as u32).map(|i| nulls.is_valid(i as usize).then_some(i)).collect();
    Ok(fields.columns().iter().map(|c| take(c, &places, None)).collect::<Result<_, _>>()?)
}

impl Operator for Unnest {
    fn step(&mut self, inputs: Inputs, _cx: &mut StepContext) -> Result<Vec<Batch>> {
        let batches = inputs.into_iter().flat_map(|input| input.batches);
        batches.map(|batch| self.apply(&batch)).collect()
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        Ok(Some(Vec::new()))
    }
}
