//! `(start, end) OVERLAPS (start, end)`, where an end may be an interval.
//! Invariant: the ends of a period may come in either order, and periods that only touch overlap.

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray};
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::calendar::add_months_ms;
use super::instants::{binding, milliseconds};
use crate::functions::{Argument, Binding};
use crate::lift;
use crate::session::Session;

/// Settles `(a, b) OVERLAPS (c, d)`; the binding takes the four operands in that order.
pub fn bind(operands: &[Argument; 4], _session: &Session) -> Result<Binding> {
    let types: Vec<DataType> = operands.iter().map(|o| o.data_type.clone()).collect();
    let kinds: Vec<TypeKind> = types.iter().map(|t| t.kind.clone()).collect();
    let alike = |l: &TypeKind, r: &TypeKind| std::mem::discriminant(l) == std::mem::discriminant(r);
    let ends = [&kinds[1], &kinds[3]];
    let valid = kinds[0].is_temporal()
        && alike(&kinds[0], &kinds[2])
        && ends.iter().all(|end| end.is_interval() || alike(end, &kinds[0]));
    if !valid {
        return Err(Error::user(format!(
            "cannot apply OVERLAPS to ({}, {}) and ({}, {})",
            kinds[0], kinds[1], kinds[2], kinds[3]
        )));
    }
    let nullable = types.iter().any(|t| t.nullable);
    let kernel = lift::zipped(move |arguments| {
        let points: Vec<PrimitiveArray<Int64Type>> =
            kinds.iter().zip(arguments).map(|(kind, array)| milliseconds(kind, array)).collect();
        let answers: BooleanArray = (0..points[0].len())
            .map(|row| {
                let at = |i: usize| points[i].is_valid(row).then(|| points[i].value(row));
                let end = |start: Option<i64>, i: usize| match kinds[i] {
                    TypeKind::IntervalDayTime => start?.checked_add(at(i)?),
                    TypeKind::IntervalYearMonth => Some(add_months_ms(start?, at(i)?)),
                    _ => at(i),
                };
                let (first, second) = (at(0), at(2));
                overlap((first, end(first, 1)), (second, end(second, 3)))
            })
            .collect();
        let answers: ArrayRef = Arc::new(answers);
        Ok(answers)
    });
    Ok(binding(TypeKind::Boolean.nullable().with_nullable(nullable), types, kernel))
}

type Period = (Option<i64>, Option<i64>);

fn overlap(first: Period, second: Period) -> Option<bool> {
    let ordered = |(start, end): Period| match start.zip(end) {
        Some((s, e)) if s <= e => (start, end),
        _ => (end, start),
    };
    let ((start, end), (other_start, other_end)) = (ordered(first), ordered(second));
    let at_least = |l: Option<i64>, r: Option<i64>| l.zip(r).map(|(l, r)| l >= r);
    match (at_least(end, other_start), at_least(other_end, start)) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}
