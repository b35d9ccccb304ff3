//! Rows of several kinds in one table: each section has columns of its own, which are NULL in the rows of the others.
//! Invariant: the first column tells a row's section; a row comes back in the section and the order in which it was put in.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, StructArray, UInt32Array, new_null_array};
use arrow_schema::{Field, Fields};
use arrow_select::concat::concat;
use mainstem_core::Result;

/// Columns as one, which may be none.
pub(super) fn packed(columns: Vec<ArrayRef>, rows: usize) -> Result<ArrayRef> {
    let fields: Fields =
        columns.iter().map(|column| Field::new("", column.data_type().clone(), true)).collect();
    if columns.is_empty() {
        return Ok(Arc::new(StructArray::new_empty_fields(rows, None)));
    }
    Ok(Arc::new(StructArray::try_new(fields, columns, None)?))
}

/// The sections, with how many rows each has, below one another; the number of the section first.
pub(super) fn stacked(sections: &[(usize, Vec<ArrayRef>)]) -> Result<Vec<ArrayRef>> {
    let numbers =
        (0..).zip(sections).flat_map(|(number, (rows, _))| std::iter::repeat_n(number, *rows));
    let mut stacked: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from_iter_values(numbers))];
    for (at, (_, columns)) in sections.iter().enumerate() {
        for column in columns {
            let part = |(other, (rows, _)): (usize, &(usize, Vec<ArrayRef>))| {
                if other == at {
                    Arc::clone(column)
                } else {
                    new_null_array(column.data_type(), *rows)
                }
            };
            let parts: Vec<ArrayRef> = sections.iter().enumerate().map(part).collect();
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            stacked.push(concat(&parts)?);
        }
    }
    Ok(stacked)
}

/// The rows of each section.
pub(super) fn sections(numbers: &ArrayRef, count: usize) -> Vec<(usize, Vec<u32>)> {
    let mut sections: Vec<(usize, Vec<u32>)> = (0..count).map(|at| (at, Vec::new())).collect();
    for (row, &number) in (0..).zip(numbers.as_primitive::<UInt32Type>().values()) {
        sections[number as usize].1.push(row);
    }
    sections
}
