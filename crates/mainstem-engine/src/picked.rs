//! Rows of a batch that several workers share, each of which picks its own: what an exchange sends to operators that keep rows,
//! and how they are kept (`ops/rows.rs`).
//! Invariant: a column is copied when somebody asks for it, and never the rows that are not picked.

use std::borrow::Cow;

use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_buffer::NullBuffer;
use arrow_data::ArrayData;
use arrow_select::take::take;
use mainstem_core::{Batch, Result};

/// Some rows of a batch, in their order.
#[derive(Debug, Clone)]
pub(crate) struct Picked {
    source: Batch,
    /// `None`: all.
    rows: Option<UInt32Array>,
}

impl From<Batch> for Picked {
    fn from(source: Batch) -> Self {
        Self { source, rows: None }
    }
}

impl Picked {
    pub(crate) fn new(source: Batch, rows: UInt32Array) -> Self {
        Self { source, rows: Some(rows) }
    }

    /// The same rows, each of weight 1.
    pub(crate) fn unweighted(&self) -> Self {
        let source = Batch::new(self.source.columns().to_vec(), self.source.rows());
        Self { source, rows: self.rows.clone() }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows.as_ref().map_or(self.source.rows(), |rows| rows.len())
    }

    /// How many columns.
    pub(crate) fn columns(&self) -> usize {
        self.source.columns().len()
    }

    /// All rows of the batch are meant.
    pub(crate) fn is_whole(&self) -> bool {
        self.rows.is_none()
    }

    /// A column of the batch, with the rows that are not picked.
    pub(crate) fn source_column(&self, index: usize) -> &ArrayRef {
        self.source.column(index)
    }

    /// Where a row stands in the batch.
    pub(crate) fn source_row(&self, row: usize) -> usize {
        self.rows.as_ref().map_or(row, |rows| rows.value(row) as usize)
    }

    pub(crate) fn column(&self, index: usize) -> Result<ArrayRef> {
        let column = self.source.column(index);
        match &self.rows {
            None => Ok(ArrayRef::clone(column)),
            Some(rows) => Ok(take(column, rows, None)?),
        }
    }

    /// The given columns, in the given order.
    pub(crate) fn project(&self, columns: &[usize]) -> Result<Batch> {
        Self { source: self.source.project(columns), rows: self.rows.clone() }.into_batch()
    }

    pub(crate) fn weight(&self, row: usize) -> i64 {
        self.source.weight(self.source_row(row))
    }

    /// Rows that stand together.
    pub(crate) fn slice(&self, from: usize, count: usize) -> Result<Batch> {
        match &self.rows {
            None => Ok(self.source.slice(from, count)),
            Some(rows) => self.source.take(&rows.slice(from, count)),
        }
    }

    /// The rows at `indices`, in that order; a row may be taken more than once.
    pub(crate) fn take(&self, indices: &UInt32Array) -> Result<Batch> {
        self.source.take(&self.source_rows(indices))
    }

    /// The same for one column.
    pub(crate) fn take_column(&self, column: usize, indices: &UInt32Array) -> Result<ArrayRef> {
        Ok(take(self.source.column(column), self.source_rows(indices).as_ref(), None)?)
    }

    /// A batch of its own.
    pub(crate) fn into_batch(self) -> Result<Batch> {
        match &self.rows {
            None => Ok(self.source),
            Some(rows) => self.source.take(rows),
        }
    }

    /// Memory in bytes; of a batch that others have a part of, the share of these rows.
    pub(crate) fn size_bytes(&self) -> usize {
        let all = memory_bytes(self.source.columns());
        self.rows.as_ref().map_or(all, |rows| {
            let share = all as u128 * rows.len() as u128 / self.source.rows().max(1) as u128;
            share as usize + rows.len() * size_of::<u32>()
        })
    }

    fn source_rows<'a>(&self, indices: &'a UInt32Array) -> Cow<'a, UInt32Array> {
        match &self.rows {
            None => Cow::Borrowed(indices),
            Some(rows) => {
                let source = |&row: &u32| rows.value(row as usize);
                Cow::Owned(UInt32Array::from_iter_values(indices.values().iter().map(source)))
            }
        }
    }
}

/// Memory of columns: those that were read together share some, which counts once.
fn memory_bytes(columns: &[ArrayRef]) -> usize {
    let mut allocations = Vec::new();
    columns.iter().for_each(|column| note_allocations(&column.to_data(), &mut allocations));
    allocations.sort_unstable();
    allocations.dedup();
    allocations.iter().map(|(_, bytes)| bytes).sum()
}

/// Adds where the memory of an array begins, and how much it is.
fn note_allocations(data: &ArrayData, allocations: &mut Vec<(usize, usize)>) {
    let nulls = data.nulls().map(NullBuffer::buffer);
    let buffers = data.buffers().iter().chain(nulls);
    allocations.extend(buffers.map(|it| (it.data_ptr().as_ptr().addr(), it.capacity())));
    data.child_data().iter().for_each(|child| note_allocations(child, allocations));
}
