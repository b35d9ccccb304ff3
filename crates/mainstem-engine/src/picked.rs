//! Rows of a batch that several workers share, each of which picks its own: what an exchange sends to operators that keep rows.
//! Invariant: a column is copied when somebody asks for it, and never the rows that are not picked.

use arrow_array::{ArrayRef, UInt32Array};
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

    pub(crate) fn rows(&self) -> usize {
        self.rows.as_ref().map_or(self.source.rows(), |rows| rows.len())
    }

    /// How many columns.
    pub(crate) fn columns(&self) -> usize {
        self.source.columns().len()
    }

    /// The batch, and which rows of it are meant, unless all are.
    pub(crate) fn parts(&self) -> (&Batch, Option<&UInt32Array>) {
        (&self.source, self.rows.as_ref())
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
        let projected = self.source.project(columns);
        self.rows.as_ref().map_or_else(|| Ok(projected.clone()), |rows| projected.take(rows))
    }

    pub(crate) fn weight(&self, row: usize) -> i64 {
        self.source.weight(self.source_row(row as u32) as usize)
    }

    /// The rows at `indices`, in that order; a row may be taken more than once.
    pub(crate) fn take(&self, indices: &UInt32Array) -> Result<Batch> {
        match &self.rows {
            None => self.source.take(indices),
            Some(_) => {
                let rows = indices.values().iter().map(|&row| self.source_row(row));
                self.source.take(&UInt32Array::from_iter_values(rows))
            }
        }
    }

    /// The same for one column.
    pub(crate) fn take_column(&self, column: usize, indices: &UInt32Array) -> Result<ArrayRef> {
        let rows = indices.values().iter().map(|&row| self.source_row(row));
        Ok(take(self.source.column(column), &UInt32Array::from_iter_values(rows), None)?)
    }

    /// A batch of its own.
    pub(crate) fn into_batch(self) -> Result<Batch> {
        match &self.rows {
            None => Ok(self.source),
            Some(rows) => self.source.take(rows),
        }
    }

    fn source_row(&self, row: u32) -> u32 {
        self.rows.as_ref().map_or(row, |rows| rows.value(row as usize))
    }
}
