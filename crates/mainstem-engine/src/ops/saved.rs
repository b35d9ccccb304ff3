//! Pieces that operators build the tables of their state from.
//! Invariant: what is put beside rows by one function here is taken off again by another.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, Int64Array, UInt32Array, UInt64Array};
use mainstem_core::Batch;
use mainstem_state::table::{Change, TableChange, TableShape};

/// Rows that have to be copied are handed out in batches of at most this many.
pub(super) const SAVED_ROWS: usize = 16_384;

/// The rows of a batch without weights, with `more` columns behind their own.
pub(super) fn beside(rows: Batch, more: impl IntoIterator<Item = ArrayRef>) -> Batch {
    let count = rows.rows();
    let mut columns = rows.into_columns();
    columns.extend(more);
    Batch::new(columns, count)
}

/// The first columns, and those behind them.
pub(super) fn apart(rows: &Batch, width: usize) -> (Batch, &[ArrayRef]) {
    let (own, more) = rows.columns().split_at(width);
    (Batch::new(own.to_vec(), rows.rows()), more)
}

/// A column of times or counts, some of which may be unknown.
pub(super) fn int64s(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

/// The values of such a column.
pub(super) fn as_int64s(column: &ArrayRef) -> impl Iterator<Item = Option<i64>> + '_ {
    column.as_primitive::<Int64Type>().iter()
}

/// A column of counts.
pub(super) fn uint32s(values: impl IntoIterator<Item = u32>) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(values))
}

/// The values of such a column.
pub(super) fn as_uint32s(column: &ArrayRef) -> &[u32] {
    column.as_primitive::<UInt32Type>().values()
}

/// A column of arrival numbers or flags.
pub(super) fn uint64s(values: impl IntoIterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values))
}

/// The values of such a column.
pub(super) fn as_uint64s(column: &ArrayRef) -> &[u64] {
    column.as_primitive::<UInt64Type>().values()
}

/// What a cut says at once of a table whose rows replace each other by the columns `key`: that it begins anew, or which keys went.
pub(super) fn cut_of(
    shape: TableShape,
    key: &[usize],
    whole: bool,
    removed: Vec<Batch>,
) -> Vec<TableChange> {
    if whole {
        return vec![shape.changed(Change::Anew(Vec::new()))];
    }
    if removed.is_empty() {
        return Vec::new();
    }
    vec![shape.changed(Change::Replaced { key: key.to_vec(), rows: Vec::new(), removed })]
}

/// Rows of such a table, if there are any.
pub(super) fn replaced(shape: TableShape, key: &[usize], rows: Vec<Batch>) -> Vec<TableChange> {
    if rows.is_empty() {
        return Vec::new();
    }
    vec![shape.changed(Change::Replaced { key: key.to_vec(), rows, removed: Vec::new() })]
}
