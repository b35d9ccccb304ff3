//! Which rows a row sees through a frame, and which rows see a row.
//! Invariant: places are those of the sequence as it is now; ranges are half open.

use super::order_keys::OrderKeys;
use super::sequence::Sequence;
use crate::over::{Frame, OverFunction};

/// The rows of a partition, in order.
#[derive(Clone, Copy)]
pub(super) struct Reach<'a> {
    pub(super) order: &'a OrderKeys,
    pub(super) sequence: &'a Sequence,
}

impl Reach<'_> {
    /// The place of the first row that is equal to `entry` in the order.
    pub(super) fn equals_start(&self, entry: u32) -> usize {
        self.sequence.partition_point(|e| self.order.compare_keys(e, entry).is_lt())
    }

    /// The place behind the last row that is equal to `entry` in the order.
    pub(super) fn equals_end(&self, entry: u32) -> usize {
        self.sequence.partition_point(|e| self.order.compare_keys(e, entry).is_le())
    }

    /// The first place at `distance` from `entry` in the order column, or behind it.
    fn distance_start(&self, entry: u32, distance: i64) -> usize {
        match self.order.number(entry).filter(|_| distance != 0) {
            None => self.equals_start(entry),
            Some(number) => {
                let least = number.saturating_add(distance);
                self.sequence.partition_point(|e| self.order.is_before(e, least, false))
            }
        }
    }

    /// The place behind the last one that is at most `distance` behind `entry` in the order column.
    fn distance_end(&self, entry: u32, distance: i64) -> usize {
        match self.order.number(entry).filter(|_| distance != 0) {
            None => self.equals_end(entry),
            Some(number) => {
                let most = number.saturating_add(distance);
                self.sequence.partition_point(|e| self.order.is_before(e, most, true))
            }
        }
    }

    fn shifted(&self, place: usize, by: i64) -> usize {
        let place = (place as i64).saturating_add(by);
        usize::try_from(place).unwrap_or(0).min(self.sequence.len())
    }

    /// Where the frame of `entry`, which stands at `place`, starts.
    pub(super) fn start(&self, frame: Frame, entry: u32, place: usize) -> usize {
        match frame.start {
            None => 0,
            Some(by) if frame.rows => self.shifted(place, by),
            Some(by) => self.distance_start(entry, by),
        }
    }

    /// Where it ends; not before its start.
    pub(super) fn end(&self, frame: Frame, entry: u32, place: usize) -> usize {
        match frame.end {
            None => self.sequence.len(),
            Some(by) if frame.rows => self.shifted(place, by.saturating_add(1)),
            Some(by) => self.distance_end(entry, by),
        }
    }

    /// The rows whose results may change when `entry` comes to or goes from `place`.
    pub(super) fn touched(
        &self,
        function: &OverFunction,
        entry: u32,
        place: usize,
    ) -> (usize, usize) {
        let all = self.sequence.len();
        match function {
            OverFunction::Aggregate { frame, .. } | OverFunction::Edge { frame, .. } => {
                self.touched_frames(*frame, entry, place)
            }
            OverFunction::Shift { rows, .. } => {
                let (start, end) = (Some((*rows).min(0)), Some((*rows).max(0)));
                self.touched_frames(Frame { rows: true, start, end }, entry, place)
            }
            OverFunction::RowNumber | OverFunction::Rank | OverFunction::DenseRank => (place, all),
            OverFunction::Ntile(_) | OverFunction::PercentRank | OverFunction::CumeDist => (0, all),
        }
    }

    fn touched_frames(&self, frame: Frame, entry: u32, place: usize) -> (usize, usize) {
        let from = match frame.end {
            None => 0,
            // A row between another one and its frame moves that frame.
            Some(by) if frame.rows => self.shifted(place, by.max(0).saturating_neg()),
            Some(by) => self.distance_start(entry, by.saturating_neg()),
        };
        let to = match frame.start {
            None => self.sequence.len(),
            Some(by) if frame.rows => {
                self.shifted(place, by.min(0).saturating_neg().saturating_add(1))
            }
            Some(by) => self.distance_end(entry, by.saturating_neg()),
        };
        (from, to)
    }
}
