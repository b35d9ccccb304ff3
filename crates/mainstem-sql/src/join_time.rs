//! What a join goes by besides equal keys: intervals, versions, windows.
//! Invariant: column numbers are those of the side they are named for.

use std::sync::Arc;

use mainstem_engine::window::LocalTime;

use crate::rel::TimeAttribute;

/// What bounds a join in time.
#[derive(Debug, Clone)]
pub enum JoinTime {
    /// `lower_ms <= left - right <= upper_ms`; the condition itself is not part of the residual one any more.
    Interval {
        /// Time attribute of the left side.
        left: usize,
        /// Time attribute of the right side.
        right: usize,
        /// Which time both are of.
        attribute: TimeAttribute,
        /// The least difference.
        lower_ms: i64,
        /// The greatest difference.
        upper_ms: i64,
    },
    /// FOR SYSTEM_TIME AS OF a rowtime attribute: the right side is a versioned table.
    Version {
        /// Rowtime attribute of the left side.
        left: usize,
        /// Rowtime attribute of the right side.
        right: usize,
        /// What a version is a version of, on the right side.
        key: Vec<usize>,
        /// A row older than the newest of its key is no version (deduplication that keeps the last row).
        keep_last: bool,
    },
    /// FOR SYSTEM_TIME AS OF a proctime attribute: the right side as it is.
    Lookup,
    /// Rows of the same window.
    Window {
        /// window_start and window_end of the left side.
        left: (usize, usize),
        /// The same of the right side.
        right: (usize, usize),
        /// Over processing time.
        processing_time: bool,
        /// Bounds are wall times of this zone.
        zone: Option<Arc<dyn LocalTime>>,
    },
}

impl JoinTime {
    /// The columns it reads of the left and of the right side.
    pub(crate) fn columns(&self) -> (Vec<usize>, Vec<usize>) {
        match self {
            Self::Interval { left, right, .. } => (vec![*left], vec![*right]),
            Self::Version { left, right, key, .. } => {
                (vec![*left], key.iter().copied().chain([*right]).collect())
            }
            Self::Lookup => (Vec::new(), Vec::new()),
            Self::Window { left, right, .. } => (vec![left.0, left.1], vec![right.0, right.1]),
        }
    }

    /// The same over columns that moved.
    #[must_use]
    pub(crate) fn remap(
        &self,
        on_left: impl Fn(usize) -> usize,
        on_right: impl Fn(usize) -> usize,
    ) -> Self {
        let mut by = self.clone();
        match &mut by {
            Self::Interval { left, right, .. } => {
                (*left, *right) = (on_left(*left), on_right(*right));
            }
            Self::Version { left, right, key, .. } => {
                (*left, *right) = (on_left(*left), on_right(*right));
                key.iter_mut().for_each(|column| *column = on_right(*column));
            }
            Self::Lookup => {}
            Self::Window { left, right, .. } => {
                *left = (on_left(left.0), on_left(left.1));
                *right = (on_right(right.0), on_right(right.1));
            }
        }
        by
    }

    /// True if it goes by watermarks.
    pub(crate) fn is_event_time(&self) -> bool {
        match self {
            Self::Interval { attribute, .. } => *attribute == TimeAttribute::Event,
            Self::Version { .. } => true,
            Self::Lookup => false,
            Self::Window { processing_time, .. } => !processing_time,
        }
    }
}
