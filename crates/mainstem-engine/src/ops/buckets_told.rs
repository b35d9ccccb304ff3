//! What cuts tell of rows that only come, in buckets that go whole: the rows that came since the cut before, and which buckets went.
//! Invariant: a row is told once, by its bucket and its place there; of a bucket that goes while a cut is handed out the rest of
//! that cut goes out first.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::Int64Array;
use mainstem_core::Batch;

/// Rows of a bucket, by their places.
pub(super) type Part = (i64, Range<u32>);

/// Follows the buckets of one table.
#[derive(Debug, Default)]
pub(super) struct BucketsTold {
    /// How many rows of each bucket cuts have named.
    told: BTreeMap<i64, u32>,
    /// Of the last cut, not yet handed out; by bucket.
    left: VecDeque<Part>,
    /// Since the last cut, of those that a cut has named.
    gone: Vec<i64>,
}

impl BucketsTold {
    /// Cuts; `sizes` are the buckets that are there, ascending, and how many rows each has. Returns those that went, as rows, if there are any.
    pub(super) fn cut(
        &mut self,
        whole: bool,
        sizes: impl IntoIterator<Item = (i64, u32)>,
    ) -> Vec<Batch> {
        debug_assert!(self.left.is_empty(), "the cut before was handed out");
        if whole {
            self.told.clear();
        }
        for (bucket, rows) in sizes {
            let told = self.told.entry(bucket).or_default();
            if *told < rows {
                self.left.push_back((bucket, *told..rows));
                *told = rows;
            }
        }
        let gone = std::mem::take(&mut self.gone);
        let rows = gone.len();
        let gone = (rows > 0).then(|| Batch::new(vec![Arc::new(Int64Array::from(gone))], rows));
        gone.into_iter().collect()
    }

    /// The next rows of the last cut, at most so many; `None`: that was all.
    pub(super) fn next(&mut self, rows: usize) -> Option<Part> {
        let (bucket, range) = self.left.pop_front()?;
        let most = range.start.saturating_add(u32::try_from(rows.max(1)).unwrap_or(u32::MAX));
        if most < range.end {
            self.left.push_front((bucket, most..range.end));
            return Some((bucket, range.start..most));
        }
        Some((bucket, range))
    }

    /// Whether a cut has named a row of a bucket.
    pub(super) fn is_told(&self, bucket: i64, row: u32) -> bool {
        self.told.get(&bucket).is_some_and(|told| row < *told)
    }

    /// Whether the last cut has a row and has not handed it out.
    pub(super) fn is_left(&self, bucket: i64, row: u32) -> bool {
        let at = self.left.partition_point(|(left, _)| *left < bucket);
        self.left.get(at).is_some_and(|(left, rows)| *left == bucket && rows.contains(&row))
    }

    /// A bucket goes. Returns what the last cut has of it and has not handed out.
    pub(super) fn goes(&mut self, bucket: i64) -> Option<Range<u32>> {
        self.told.remove(&bucket)?;
        self.gone.push(bucket);
        let at = self.left.iter().position(|(left, _)| *left == bucket)?;
        self.left.remove(at).map(|(_, range)| range)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;

    use super::*;

    fn buckets(gone: &[Batch]) -> Vec<i64> {
        let values = |batch: &Batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec();
        gone.iter().flat_map(values).collect()
    }

    #[test]
    fn rows_are_told_once() {
        let mut told = BucketsTold::default();
        assert_eq!(told.goes(1), None);
        assert!(told.cut(true, [(2, 3), (3, 0), (4, 1)]).is_empty());
        assert_eq!(told.next(2), Some((2, 0..2)));
        let is = |bucket, row| (told.is_told(bucket, row), told.is_left(bucket, row));
        assert_eq!([is(2, 1), is(2, 2), is(2, 3)], [(true, false), (true, true), (false, false)]);
        assert_eq!([is(1, 0), is(3, 0), is(4, 0)], [(false, false), (false, false), (true, true)]);
        assert_eq!(told.goes(2), Some(2..3));
        assert_eq!((told.next(9), told.next(9)), (Some((4, 0..1)), None));
        assert_eq!(buckets(&told.cut(false, [(3, 5), (4, 1)])), [2]);
        assert_eq!((told.next(9), told.next(9)), (Some((3, 0..5)), None));
        assert!(told.cut(true, [(4, 1)]).is_empty());
        assert_eq!((told.next(9), told.next(9)), (Some((4, 0..1)), None));
    }
}
