//! Dates, times and timestamps seen alike: milliseconds since 1970-01-01 00:00:00 (of the wall clock for LTZ, where
//! asked), and back.
//! Invariant: nothing here depends on the kind beyond its unit; what a kind cannot do is refused at bind time.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, DurationMillisecondType, Int64Type, IntervalYearMonthType, Time32MillisecondType,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::Unit;
use super::calendar::DAY_MS;
use crate::cast::temporal::{join, split, typed, untyped};
use crate::functions::{Binding, Kernel};

pub(super) fn binding(returns: DataType, arguments: Vec<DataType>, kernel: Kernel) -> Binding {
    Binding { returns, arguments, kernel, deterministic: true }
}

/// Digits of the fraction that the carried values have.
pub(super) fn precision_of(kind: &TypeKind) -> u8 {
    match kind {
        TypeKind::Timestamp { precision }
        | TypeKind::TimestampLtz { precision }
        | TypeKind::Time { precision } => *precision,
        _ => 0,
    }
}

/// Milliseconds of any temporal or interval column (months for INTERVAL YEAR TO MONTH).
pub(super) fn milliseconds(kind: &TypeKind, array: &ArrayRef) -> PrimitiveArray<Int64Type> {
    match kind {
        TypeKind::Date => array.as_primitive::<Date32Type>().unary(|days| i64::from(days) * DAY_MS),
        TypeKind::Time { .. } => array.as_primitive::<Time32MillisecondType>().unary(i64::from),
        TypeKind::IntervalYearMonth => {
            array.as_primitive::<IntervalYearMonthType>().unary(i64::from)
        }
        TypeKind::IntervalDayTime => {
            array.as_primitive::<DurationMillisecondType>().reinterpret_cast()
        }
        _ => {
            let precision = precision_of(kind);
            untyped(array, precision).unary(|value| split(value, precision).0)
        }
    }
}

/// A timestamp column of `kind` from milliseconds and nanoseconds of the millisecond.
pub(super) fn timestamps<F>(
    kind: &TypeKind,
    values: &PrimitiveArray<Int64Type>,
    f: F,
) -> Result<ArrayRef>
where
    F: Fn(i64) -> Option<(i64, i64)>,
{
    let precision = precision_of(kind);
    let raw: PrimitiveArray<Int64Type> = values.unary_opt(|value| {
        let (ms, nanos) = f(value)?;
        join(ms, nanos, precision)
    });
    let raw: ArrayRef = Arc::new(raw);
    typed(&raw, &kind.clone().nullable().to_arrow())
}

/// The refusal of a unit.
pub(super) fn no_unit(call: &str, unit: Unit, kind: &TypeKind) -> Error {
    Error::user(format!("{call} does not take the unit {unit} for {kind}"))
}

/// True where row `row` of every column has a value.
pub(super) fn all_valid(columns: &[&dyn Array], row: usize) -> bool {
    columns.iter().all(|column| column.is_valid(row))
}
