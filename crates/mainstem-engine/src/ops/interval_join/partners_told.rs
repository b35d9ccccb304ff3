//! What cuts tell of partners: which rows that were told without one have found one since.
//! Invariant: a row finds its first partner once. If it is still to be handed out of the last cut, it is handed out without;
//! and every row that was told without a partner is told once more, with one, by the next cut, unless its bucket goes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::ops::buckets_told::BucketsTold;

/// Rows of a bucket, by their places.
type Places = (i64, Vec<u32>);

/// Follows the rows of one side.
#[derive(Debug, Default)]
pub(super) struct PartnersTold {
    /// Told without a partner; since the last cut they have one.
    changed: BTreeMap<i64, Vec<u32>>,
    /// Of the last cut, not yet handed out.
    left: VecDeque<Places>,
    /// They had no partner at the last cut, which has not handed them out yet.
    since: BTreeSet<(i64, u32)>,
}

impl PartnersTold {
    /// A row of a bucket finds its first partner; `told` is what cuts have said of the rows.
    pub(super) fn found(&mut self, bucket: i64, row: u32, told: &BucketsTold) {
        if told.is_left(bucket, row) {
            self.since.insert((bucket, row));
        }
        if told.is_told(bucket, row) {
            self.changed.entry(bucket).or_default().push(row);
        }
    }

    /// Whether a row whose first partner is known now had it at the last cut already.
    pub(super) fn had_one(&self, bucket: i64, row: u32) -> bool {
        !self.since.contains(&(bucket, row))
    }

    /// Cuts.
    pub(super) fn cut(&mut self, whole: bool) {
        debug_assert!(self.left.is_empty(), "the cut before was handed out");
        self.since.clear();
        let changed = std::mem::take(&mut self.changed);
        if !whole {
            self.left.extend(changed);
        }
    }

    /// The next rows of the last cut that had been told without a partner, at most so many, ascending; `None`: that was all.
    pub(super) fn next(&mut self, rows: usize) -> Option<Places> {
        let (bucket, mut places) = self.left.pop_front()?;
        if places.len() > rows.max(1) {
            self.left.push_front((bucket, places.split_off(rows.max(1))));
        }
        places.sort_unstable();
        Some((bucket, places))
    }

    /// A bucket goes. Returns those of its rows that the last cut has and has not handed out.
    pub(super) fn goes(&mut self, bucket: i64) -> Option<Vec<u32>> {
        self.changed.remove(&bucket);
        let at = self.left.iter().position(|(left, _)| *left == bucket)?;
        self.left.remove(at).map(|(_, places)| places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_partners_are_told_once() {
        let (mut rows, mut partners) = (BucketsTold::default(), PartnersTold::default());
        // Rows that no cut has named are told with the partner that they have by then.
        partners.found(7, 0, &rows);
        rows.cut(true, [(7, 4), (8, 2)]);
        partners.cut(true);
        assert_eq!(partners.next(9), None);
        assert!(partners.had_one(7, 0));

        assert_eq!(rows.next(2), Some((7, 0..2)));
        partners.found(7, 1, &rows);
        partners.found(7, 3, &rows);
        partners.found(8, 0, &rows);
        assert!(partners.had_one(7, 1), "it has been handed out");
        assert!(!partners.had_one(7, 3) && !partners.had_one(8, 0));

        while rows.next(9).is_some() {}
        rows.cut(false, [(7, 4), (8, 3)]);
        partners.cut(false);
        assert!(partners.had_one(7, 3));
        partners.found(8, 1, &rows);
        assert_eq!(partners.next(1), Some((7, vec![1])));
        assert_eq!(partners.goes(8), Some(vec![0]));
        assert_eq!((partners.next(9), partners.next(9)), (Some((7, vec![3])), None));
        partners.cut(false);
        assert_eq!(partners.next(9), None, "its bucket is gone");
    }
}
