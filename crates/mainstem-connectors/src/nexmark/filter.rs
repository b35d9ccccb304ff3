//! Filters that the plan hands to the generator: which kinds of events, and which events of a flat table.
//! Invariant: exact, and no value is ever NULL but the ROWs of other kinds. Does not look into ROWs: the plan asks for
//! none of their fields.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use mainstem_core::table::{FilterOp, Literal, ScanFilter};
use mainstem_core::{Error, Result};

use super::config::Kinds;
use super::schema::{Scalar, WideColumn};

/// The kinds whose events pass `filters` over the columns of a wide table.
pub(super) fn kinds(columns: &[WideColumn], filters: &[ScanFilter]) -> Result<Kinds> {
    let mut kinds = Kinds::ALL;
    for filter in filters {
        kinds = match (&columns[filter.column], filter.op, &filter.literal) {
            (WideColumn::EventType, FilterOp::IsNotNull, _) => kinds,
            (WideColumn::EventType, op, Literal::Integer(value)) => {
                kinds.that(|kind| holds(op, &(kind as i64), value))
            }
            (WideColumn::Row(of, ..), FilterOp::IsNotNull, _) => kinds.that(|kind| kind == *of),
            _ => return Err(unexpected(filter)),
        };
    }
    Ok(kinds)
}

/// What an event of a flat table has to pass.
#[derive(Debug, Clone)]
pub(super) struct Test {
    pub(super) scalar: Scalar,
    op: FilterOp,
    literal: Literal,
}

/// The tests for `filters` over the columns of a flat table.
pub(super) fn tests(columns: &[Scalar], filters: &[ScanFilter]) -> Result<Vec<Test>> {
    let test = |filter: &ScanFilter| {
        let scalar = columns[filter.column].clone();
        match &filter.literal {
            Literal::Integer(_) | Literal::String(_) => {}
            _ => return Err(unexpected(filter)),
        }
        Ok(Test { scalar, op: filter.op, literal: filter.literal.clone() })
    };
    filters.iter().filter(|f| f.op != FilterOp::IsNotNull).map(test).collect()
}

impl Test {
    /// For each value whether it passes.
    pub(super) fn passes(&self, values: &ArrayRef) -> Result<Vec<bool>> {
        let numbers = values.as_primitive_opt::<Int64Type>();
        match (&self.literal, numbers, values.as_string_opt::<i32>()) {
            (Literal::Integer(limit), Some(numbers), _) => {
                Ok(numbers.values().iter().map(|v| holds(self.op, v, limit)).collect())
            }
            (Literal::String(limit), _, Some(texts)) => {
                let limit = limit.as_str();
                Ok((0..texts.len()).map(|i| holds(self.op, texts.value(i), limit)).collect())
            }
            _ => Err(Error::internal("a filter compares a column with another type")),
        }
    }
}

fn holds<T: Ord + ?Sized>(op: FilterOp, value: &T, limit: &T) -> bool {
    match op {
        FilterOp::Eq => value == limit,
        FilterOp::NotEq => value != limit,
        FilterOp::Lt => value < limit,
        FilterOp::LtEq => value <= limit,
        FilterOp::Gt => value > limit,
        FilterOp::GtEq => value >= limit,
        FilterOp::IsNotNull => true,
    }
}

fn unexpected(filter: &ScanFilter) -> Error {
    Error::internal(format!("nexmark was handed a filter that it cannot apply: {filter:?}"))
}
