//! GREATEST and LEAST.
//! Invariant: NULL if any argument is NULL; the arguments are cast to their common type and compared there; NaN is
//! greater than any other number.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_ord::ord::make_comparator;
use arrow_schema::SortOptions;
use arrow_select::interleave::interleave;
use mainstem_core::{DataType, Error, Result, TypeKind};

use crate::coercion::common_type;
use crate::functions::rowwise::{extent, wrap};
use crate::functions::signature::{arity, mismatch};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};
use mainstem_engine::expr::Value;

pub(super) static GREATEST: ScalarFunction = ScalarFunction {
    name: "GREATEST",
    aliases: &[],
    usage: "GREATEST(value, ...)",
    doc: "The greatest of the values; NULL if any is NULL.",
    bind: |arguments, _| extreme(arguments, std::cmp::Ordering::Greater),
};

pub(super) static LEAST: ScalarFunction = ScalarFunction {
    name: "LEAST",
    aliases: &[],
    usage: "LEAST(value, ...)",
    doc: "The least of the values; NULL if any is NULL.",
    bind: |arguments, _| extreme(arguments, std::cmp::Ordering::Less),
};

fn extreme(arguments: &[Argument], wanted: std::cmp::Ordering) -> Result<Binding> {
    arity(arguments.len(), 1, None)?;
    let given: Vec<DataType> = arguments.iter().map(|a| a.data_type.clone()).collect();
    let shared = common_type(&given).ok_or_else(|| {
        let (first, other) = (&given[0].kind, given.iter().find(|t| t.kind != given[0].kind));
        let other = other.map_or_else(String::new, |t| t.kind.to_string());
        Error::user(format!("cannot compare {first} with {other}"))
            .with_hint("CAST the arguments to one type")
    })?;
    if let Some(index) = given.iter().position(|t| !is_ordered(&t.kind)) {
        return Err(mismatch(index, "a value that has an order", &given[index]));
    }
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        Ok(wrap(choose(values, extent, wanted)?, scalar))
    });
    let arguments = given.iter().map(|t| shared.with_nullable(t.nullable)).collect();
    Ok(Binding { returns: shared, arguments, kernel, deterministic: true })
}

fn is_ordered(kind: &TypeKind) -> bool {
    !matches!(
        kind,
        TypeKind::Array(_)
            | TypeKind::Map(..)
            | TypeKind::Multiset(_)
            | TypeKind::Row(_)
            | TypeKind::Bitmap
            | TypeKind::Variant
    )
}

fn choose(values: &[Value], rows: usize, wanted: std::cmp::Ordering) -> Result<ArrayRef> {
    let place = |index: usize, row: usize| if values[index].is_scalar() { 0 } else { row };
    let null = |index: usize, row: usize| values[index].array().is_null(place(index, row));
    let mut best = vec![0usize; rows];
    for index in 1..values.len() {
        let mut compare = Vec::with_capacity(index);
        for earlier in &values[..index] {
            let order = SortOptions::default();
            compare.push(make_comparator(values[index].array(), earlier.array(), order)?);
        }
        for (row, best) in best.iter_mut().enumerate() {
            if null(*best, row) {
                continue;
            }
            let order = compare[*best](place(index, row), place(*best, row));
            if null(index, row) || order == wanted {
                *best = index;
            }
        }
    }
    let sources: Vec<&dyn Array> = values.iter().map(|v| v.array().as_ref()).collect();
    let places: Vec<(usize, usize)> =
        best.iter().enumerate().map(|(row, index)| (*index, place(*index, row))).collect();
    Ok(interleave(&sources, &places)?)
}
