//! What the plan says of ranks: which function, which ranks are wanted, when rows come out.
//! Invariant: plain data.

use std::sync::Arc;

use crate::window::LocalTime;

/// SQL's ranking functions. Rows that are equal in the order are numbered in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "SQL's names")]
pub enum RankFunction {
    RowNumber,
    Rank,
    DenseRank,
}

impl RankFunction {
    /// As SQL writes it.
    pub fn name(self) -> &'static str {
        match self {
            RankFunction::RowNumber => "ROW_NUMBER",
            RankFunction::Rank => "RANK",
            RankFunction::DenseRank => "DENSE_RANK",
        }
    }
}

/// The last rank that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankEnd {
    /// The same in every partition.
    Constant(u64),
    /// An integer column; the row that a partition begins with counts. NULL and negative: none.
    Column(usize),
}

/// When rows come out.
#[derive(Debug, Clone)]
pub enum RankEmit {
    /// At once, as a changelog.
    Changes,
    /// The first row of a partition by event time, once, when the watermark passes its time. For append-only input,
    /// ROW_NUMBER, ordered by that time alone, ascending, rank 1. Rows behind the watermark are late.
    FirstByTime {
        /// The event time column.
        time: usize,
    },
    /// Over append-only input: all wanted ranks, once, when the progress of time reaches `window_end - 1`. Rows of windows that were closed
    /// before the step are late.
    Windows {
        /// Timestamp(ms) column; one of the partition columns.
        end: usize,
        /// Windows are over processing time.
        processing_time: bool,
        /// For windows over TIMESTAMP_LTZ in a zone other than UTC.
        zone: Option<Arc<dyn LocalTime>>,
    },
}
