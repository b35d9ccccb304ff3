//! One row per element of a list, map or multiset.
//! Invariant: stateless; one batch out for each batch in. A NULL or empty list has no elements, and one for which the
//! condition does not hold is none.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Int32Array, StructArray, UInt32Array};
use arrow_schema::DataType as ArrowType;
use arrow_select::take::take;
use mainstem_core::{Batch, Error, Result};

use mainstem_state::table::TableRows;

use crate::expr::{EvalContext, ExprRef};
use crate::operator::{Inputs, Operator, StepContext};

/// CROSS JOIN UNNEST and LEFT JOIN UNNEST.
#[derive(Debug)]
pub(crate) struct Unnest {
    pub(crate) column: usize,
    pub(crate) flatten: bool,
    pub(crate) multiset: bool,
    pub(crate) with_ordinality: bool,
    pub(crate) outer: bool,
    /// Over the columns that come out.
    pub(crate) condition: Option<ExprRef>,
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

    fn apply(&self, batch: &Batch, eval: &EvalContext) -> Result<Batch> {
        let column = batch.column(self.column);
        let elements = self.elements(column)?;
        let mut found = Found::default();
        for (row, bounds) in elements.offsets.windows(2).enumerate() {
            let range = if column.is_null(row) { 0..0 } else { bounds[0]..bounds[1] };
            let times = |place: i32| match elements.times {
                Some(times) => times.value(place as usize).max(0) as usize,
                None => 1,
            };
            let places_of_row = range.flat_map(|place| std::iter::repeat_n(place, times(place)));
            for (ordinal, place) in places_of_row.enumerate() {
                found.push((row as u32, Some(place as u32), Some(ordinal as i32 + 1)));
            }
        }
        if let Some(condition) = &self.condition {
            let all = self.rows(batch, &elements, &found)?;
            found = found.kept(&condition.eval_filter(&all, eval)?);
        }
        if self.outer {
            found = found.with_others(batch.rows());
        }
        self.rows(batch, &elements, &found)
    }

    /// The rows of `batch` with their elements.
    fn rows(&self, batch: &Batch, elements: &Elements<'_>, found: &Found) -> Result<Batch> {
        let places = UInt32Array::from(found.places.clone());
        let expanded = batch.take(&UInt32Array::from(found.rows.clone()))?;
        let mut columns = expanded.columns().to_vec();
        for element in &elements.columns {
            columns.push(take(element, &places, None)?);
        }
        if self.with_ordinality {
            columns.push(Arc::new(Int32Array::from(found.ordinals.clone())));
        }
        Ok(Batch::with_weights(columns, expanded.rows(), expanded.weights().cloned()))
    }
}

/// Which element each row that comes out has, or none; rows go up.
#[derive(Debug, Default)]
struct Found {
    rows: Vec<u32>,
    places: Vec<Option<u32>>,
    ordinals: Vec<Option<i32>>,
}

impl Found {
    fn push(&mut self, (row, place, ordinal): (u32, Option<u32>, Option<i32>)) {
        self.rows.push(row);
        self.places.push(place);
        self.ordinals.push(ordinal);
    }

    fn at(&self, at: usize) -> (u32, Option<u32>, Option<i32>) {
        (self.rows[at], self.places[at], self.ordinals[at])
    }

    /// Those for which the mask is true.
    fn kept(&self, mask: &BooleanArray) -> Self {
        let mut kept = Self::default();
        let holds = |at: &usize| mask.is_valid(*at) && mask.value(*at);
        (0..self.rows.len()).filter(holds).for_each(|at| kept.push(self.at(at)));
        kept
    }

    /// With the rows that have no element, of so many.
    fn with_others(&self, rows: usize) -> Self {
        let mut all = Self::default();
        let mut at = 0;
        for row in 0..rows as u32 {
            let first = at;
            while self.rows.get(at) == Some(&row) {
                all.push(self.at(at));
                at += 1;
            }
            if at == first {
                all.push((row, None, None));
            }
        }
        all
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
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let eval = cx.eval();
        let batches = inputs.into_iter().flat_map(|input| input.batches);
        batches.map(|batch| self.apply(&batch, &eval)).collect()
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        Ok(Some(Vec::new()))
    }
}
