//! The weight of each value for each call.
//! Invariant: where no row is ever taken back, a weight is 0 or 1: a value that was seen stays seen, and a byte says so.

use std::ops::Range;

/// By place.
pub(super) enum Weights {
    Counts(Vec<i64>),
    Seen(Vec<bool>),
}

impl Weights {
    pub(super) fn new(retracts: bool) -> Self {
        if retracts { Self::Counts(Vec::new()) } else { Self::Seen(Vec::new()) }
    }

    /// New places weigh nothing.
    pub(super) fn resize(&mut self, places: usize) {
        match self {
            Self::Counts(counts) => counts.resize(places, 0),
            Self::Seen(seen) => seen.resize(places, false),
        }
    }

    pub(super) fn get(&self, at: usize) -> i64 {
        match self {
            Self::Counts(counts) => counts[at],
            Self::Seen(seen) => i64::from(seen[at]),
        }
    }

    pub(super) fn set(&mut self, at: usize, weight: i64) {
        match self {
            Self::Counts(counts) => counts[at] = weight,
            Self::Seen(seen) => seen[at] = weight > 0,
        }
    }

    /// Adds to a weight; what it was, and what it is.
    #[inline(always)]
    pub(super) fn add(&mut self, at: usize, weight: i64) -> (i64, i64) {
        match self {
            Self::Counts(counts) => {
                let before = counts[at];
                counts[at] += weight;
                (before, counts[at])
            }
            Self::Seen(seen) => {
                let before = seen[at];
                seen[at] |= weight > 0;
                (i64::from(before), i64::from(seen[at]))
            }
        }
    }

    pub(super) fn are_zero(&self, places: Range<usize>) -> bool {
        match self {
            Self::Counts(counts) => counts[places].iter().all(|count| *count == 0),
            Self::Seen(seen) => !seen[places].contains(&true),
        }
    }

    pub(super) fn clear(&mut self, places: Range<usize>) {
        match self {
            Self::Counts(counts) => counts[places].fill(0),
            Self::Seen(seen) => seen[places].fill(false),
        }
    }

    /// Memory held, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Counts(counts) => counts.capacity() * size_of::<i64>(),
            Self::Seen(seen) => seen.capacity(),
        }
    }
}
