//! Equality of ROW, ARRAY and MAP.
//! Invariant: structural; a NULL inside equals a NULL inside, and the order of a map's entries does not matter.
//! Does not order: Flink has no `<` for these.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow_ord::ord::make_comparator;
use arrow_schema::SortOptions;
use mainstem_core::{Result, TypeKind};

use crate::functions::Kernel;
use crate::lift;

/// Whether row `.0` of the left column equals row `.1` of the right one.
type Equal<'a> = Box<dyn Fn(usize, usize) -> bool + 'a>;

pub(super) fn kernel(kind: &TypeKind, negated: bool) -> Kernel {
    let kind = kind.clone();
    lift::zipped(move |arguments| {
        let (left, right) = (&arguments[0], &arguments[1]);
        let nulls = NullBuffer::union(left.nulls(), right.nulls());
        let equal = values(&kind, left, right)?;
        let is_valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        let answers = BooleanBuffer::collect_bool(left.len(), |row| {
            is_valid(row) && equal(row, row) != negated
        });
        let answer: ArrayRef = Arc::new(BooleanArray::new(answers, nulls));
        Ok(answer)
    })
}

/// Equality of the non-null values of two columns.
fn values<'a>(kind: &TypeKind, left: &'a ArrayRef, right: &'a ArrayRef) -> Result<Equal<'a>> {
    match kind {
        TypeKind::Row(fields) => {
            let (l, r) = (left.as_struct(), right.as_struct());
            let columns = l.columns().iter().zip(r.columns());
            let equals: Vec<Equal<'_>> = fields
                .iter()
                .zip(columns)
                .map(|(field, (l, r))| nullable(&field.data_type.kind, l, r))
                .collect::<Result<_>>()?;
            Ok(Box::new(move |i, j| equals.iter().all(|equal| equal(i, j))))
        }
        TypeKind::Array(item) => {
            let (l, r) = (left.as_list::<i32>(), right.as_list::<i32>());
            let equal = nullable(&item.kind, l.values(), r.values())?;
            Ok(Box::new(move |i, j| {
                let (i, j) = (range(l.offsets(), i), range(r.offsets(), j));
                i.len() == j.len() && i.zip(j).all(|(i, j)| equal(i, j))
            }))
        }
        TypeKind::Map(key, value) => maps(&key.kind, &value.kind, left, right),
        TypeKind::Multiset(item) => maps(&item.kind, &TypeKind::Int, left, right),
        TypeKind::Float => {
            let (l, r) = (left.as_primitive::<Float32Type>(), right.as_primitive::<Float32Type>());
            Ok(Box::new(move |i, j| l.value(i).total_cmp(&r.value(j)).is_eq()))
        }
        TypeKind::Double => {
            let (l, r) = (left.as_primitive::<Float64Type>(), right.as_primitive::<Float64Type>());
            Ok(Box::new(move |i, j| l.value(i).total_cmp(&r.value(j)).is_eq()))
        }
        TypeKind::Null => Ok(Box::new(|_, _| true)),
        _ => {
            let compare = make_comparator(left, right, SortOptions::default())?;
            Ok(Box::new(move |i, j| compare(i, j).is_eq()))
        }
    }
}

fn nullable<'a>(kind: &TypeKind, left: &'a ArrayRef, right: &'a ArrayRef) -> Result<Equal<'a>> {
    let equal = values(kind, left, right)?;
    Ok(Box::new(move |i, j| match (left.is_valid(i), right.is_valid(j)) {
        (true, true) => equal(i, j),
        (l, r) => l == r,
    }))
}

fn range(offsets: &OffsetBuffer<i32>, row: usize) -> Range<usize> {
    offsets[row] as usize..offsets[row + 1] as usize
}

/// Every entry of one map has its like in the other, and they are as many.
fn maps<'a>(
    key: &TypeKind,
    value: &TypeKind,
    left: &'a ArrayRef,
    right: &'a ArrayRef,
) -> Result<Equal<'a>> {
    let (l, r) = (left.as_map(), right.as_map());
    let keys = nullable(key, l.keys(), r.keys())?;
    let values = nullable(value, l.values(), r.values())?;
    Ok(Box::new(move |i, j| {
        let (i, j) = (range(l.offsets(), i), range(r.offsets(), j));
        i.len() == j.len() && i.into_iter().all(|i| j.clone().any(|j| keys(i, j) && values(i, j)))
    }))
}
