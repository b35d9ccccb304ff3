//! What flows between operators: Arrow columns with an optional weight per row (a Z-set).
//! Invariant: every column has `rows` values; no weights means every row has weight +1, so append-only data never
//! pays for changelogs. The schema is the plan node's; a batch does not carry it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, StringArray, UInt32Array};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_select::{concat::concat, filter::FilterBuilder, take::take};

use crate::Result;

/// Columns of equal length and, when the data is a changelog, the weight of each row.
#[derive(Debug, Clone)]
pub struct Batch {
    columns: Vec<ArrayRef>,
    rows: usize,
    weights: Option<ScalarBuffer<i64>>,
}

impl Batch {
    /// Append-only rows: every weight is +1. `rows` stands on its own because a projection may keep no column.
    pub fn new(columns: Vec<ArrayRef>, rows: usize) -> Self {
        debug_assert!(columns.iter().all(|c| c.len() == rows), "every column has `rows` values");
        Self { columns, rows, weights: None }
    }

    /// Rows with a weight each; `None` is all +1.
    pub fn with_weights(
        columns: Vec<ArrayRef>,
        rows: usize,
        weights: Option<ScalarBuffer<i64>>,
    ) -> Self {
        debug_assert!(weights.as_ref().is_none_or(|w| w.len() == rows), "one weight a row");
        Self { weights, ..Self::new(columns, rows) }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// All columns.
    pub fn columns(&self) -> &[ArrayRef] {
        &self.columns
    }

    /// Column `index`, 0-based.
    pub fn column(&self, index: usize) -> &ArrayRef {
        &self.columns[index]
    }

    /// The columns, given away.
    pub fn into_columns(self) -> Vec<ArrayRef> {
        self.columns
    }

    /// The weights, unless all are +1.
    pub fn weights(&self) -> Option<&ScalarBuffer<i64>> {
        self.weights.as_ref()
    }

    /// The weight of one row.
    pub fn weight(&self, row: usize) -> i64 {
        self.weights.as_ref().map_or(1, |w| w[row])
    }

    /// The same rows and weights with other columns.
    #[must_use]
    pub fn with_columns(&self, columns: Vec<ArrayRef>) -> Self {
        Self::with_weights(columns, self.rows, self.weights.clone())
    }

    /// The given columns, in the given order.
    #[must_use]
    pub fn project(&self, indices: &[usize]) -> Self {
        self.with_columns(indices.iter().map(|&i| ArrayRef::clone(&self.columns[i])).collect())
    }

    /// The rows for which `keep` is true (NULL is not true).
    pub fn filter(&self, keep: &BooleanArray) -> Result<Self> {
        let predicate = FilterBuilder::new(keep).optimize().build();
        let rows = predicate.count();
        if rows == self.rows {
            return Ok(self.clone());
        }
        let column = |column: &ArrayRef| match share_texts(column, keep, rows) {
            Some(shared) => Ok(shared),
            None => predicate.filter(column),
        };
        let columns = self.columns.iter().map(column).collect::<Result<_, _>>()?;
        let weights = match &self.weights {
            None => None,
            Some(w) => {
                let kept = predicate.filter(&Int64Array::new(w.clone(), None))?;
                Some(ScalarBuffer::from(kept.to_data().buffers()[0].clone()))
            }
        };
        Ok(Self { columns, rows, weights })
    }

    /// The rows at `indices`, in that order; a row may be taken more than once.
    pub fn take(&self, indices: &UInt32Array) -> Result<Self> {
        let columns =
            self.columns.iter().map(|c| take(c, indices, None)).collect::<Result<_, _>>()?;
        let weights = self
            .weights
            .as_ref()
            .map(|w| indices.values().iter().map(|&i| w[i as usize]).collect());
        Ok(Self { columns, rows: indices.len(), weights })
    }

    /// `count` rows from `offset`, without copying.
    #[must_use]
    pub fn slice(&self, offset: usize, count: usize) -> Self {
        Self {
            columns: self.columns.iter().map(|c| c.slice(offset, count)).collect(),
            rows: count,
            weights: self.weights.as_ref().map(|w| w.slice(offset, count)),
        }
    }

    /// All rows of `batches`, one after the other; `None` if there is no batch.
    pub fn concat(batches: &[Batch]) -> Result<Option<Self>> {
        let [first, rest @ ..] = batches else { return Ok(None) };
        if rest.is_empty() {
            return Ok(Some(first.clone()));
        }
        let columns = (0..first.columns.len())
            .map(|i| {
                concat(&batches.iter().map(|b| b.columns[i].as_ref()).collect::<Vec<&dyn Array>>())
            })
            .collect::<Result<_, _>>()?;
        let rows = batches.iter().map(|b| b.rows).sum();
        let weights = batches.iter().any(|b| b.weights.is_some()).then(|| {
            batches
                .iter()
                .flat_map(|b| (0..b.rows).map(|row| b.weight(row)))
                .collect::<ScalarBuffer<i64>>()
        });
        Ok(Some(Self { columns, rows, weights }))
    }

    /// The memory its buffers hold, in bytes; shared buffers are counted whole.
    pub fn size_bytes(&self) -> usize {
        self.columns.iter().map(|c| c.get_array_memory_size()).sum::<usize>()
            + self.weights.as_ref().map_or(0, |w| w.len() * 8)
    }
}

/// Shared memory stays as long as one of its owners: so much of it (in eighths) has to be of use.
const SHARED_EIGHTHS_MIN: usize = 7;

/// The texts of the rows to keep, of which there are `rows`, without copying them; `None` if they do not stand side by side. They do
/// where the texts of all other rows are empty or NULL, as in a table of many kinds of events.
fn share_texts(column: &ArrayRef, keep: &BooleanArray, rows: usize) -> Option<ArrayRef> {
    let texts = column.as_string_opt::<i32>()?;
    let (offsets, bytes) = (texts.value_offsets(), texts.values());
    let kept = match keep.nulls() {
        Some(nulls) => keep.values() & nulls.inner(),
        None => keep.values().clone(),
    };
    let mut used: Option<(i32, i32)> = None;
    for (start, end) in kept.set_slices() {
        let first = match used {
            None => offsets[start],
            Some((first, last)) if last == offsets[start] => first,
            Some(_) => return None,
        };
        used = Some((first, offsets[end]));
    }
    let (first, last) = used?;
    if (last - first) as usize * 8 < bytes.capacity() * SHARED_EIGHTHS_MIN {
        return None;
    }
    let mut new = Vec::with_capacity(rows + 1);
    new.push(first);
    let mut valid = texts.nulls().map(|nulls| (nulls, BooleanBufferBuilder::new(rows)));
    for (start, end) in kept.set_slices() {
        new.extend_from_slice(&offsets[start + 1..=end]);
        if let Some((nulls, valid)) = &mut valid {
            valid.append_buffer(&nulls.inner().slice(start, end - start));
        }
    }
    let nulls = valid.map(|(_, mut valid)| NullBuffer::new(valid.finish()));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(new));
    let shared = StringArray::try_new(offsets, bytes.clone(), nulls).ok()?;
    Some(Arc::new(shared))
}

#[cfg(test)]
mod tests {
    use arrow_select::filter::filter;

    use super::*;

    /// Filters a column of texts; whether the result shares its memory.
    fn filtered(texts: &[Option<&str>], keep: &[Option<bool>]) -> bool {
        // Without the room that a builder leaves.
        let texts: StringArray = texts.iter().map(|text| text.map(|it| it.repeat(64))).collect();
        let (offsets, bytes, nulls) = texts.into_parts();
        let texts = StringArray::new(offsets, bytes.as_slice().into(), nulls);
        let keep: BooleanArray = keep.iter().copied().collect();
        let column: ArrayRef = Arc::new(texts.clone());
        let expected = filter(&column, &keep).unwrap();
        let found = Batch::new(vec![column], keep.len()).filter(&keep).unwrap();
        assert_eq!(&found.columns()[0], &expected);
        found.columns()[0].as_string::<i32>().values().ptr_eq(texts.values())
    }

    #[test]
    fn texts_that_stand_side_by_side_are_not_copied() {
        let (yes, no) = (Some(true), Some(false));
        assert!(filtered(
            &[None, Some("ab"), None, Some("c"), Some("d")],
            &[no, yes, no, yes, yes]
        ));
        assert!(filtered(&[Some(""), Some("ab"), None, Some("c")], &[no, yes, yes, yes]));
        assert!(filtered(&[None, Some("ab"), None], &[None, yes, no]), "NULL is false");
        assert!(filtered(&[Some("abcdefg"), Some("h")], &[yes, no]), "little is lost");
        assert!(!filtered(&[Some("ab"), Some("c"), Some("d")], &[yes, no, yes]));
        assert!(!filtered(&[Some("ab"), Some("c")], &[no, yes]), "most would be kept for nothing");
        assert!(filtered(&[None, Some("ä")], &[no, yes]));
        assert!(!filtered(&[None, Some("a")], &[no, no]));
    }

    #[test]
    fn texts_of_a_slice_are_filtered() {
        let texts: StringArray = [Some("xyz"), Some("ab"), None, Some("c")].into_iter().collect();
        let column: ArrayRef = Arc::new(texts.slice(1, 3));
        let keep = BooleanArray::from(vec![true, false, true]);
        let found = Batch::new(vec![Arc::clone(&column)], 3).filter(&keep).unwrap();
        assert_eq!(&found.columns()[0], &filter(&column, &keep).unwrap());
    }
}
