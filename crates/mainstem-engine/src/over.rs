//! What the plan says of OVER: calls, and the rows that each of them sees.
//! Invariant: a frame's start is not behind its end. Offsets count rows (ROWS) or distances in the order column (RANGE).

use crate::aggregate::AggregateCall;

/// One end of a frame, seen from the current row: negative before it, positive behind it. `None`: the partition's
/// own end.
pub type FrameEnd = Option<i64>;

/// The rows of a partition that a call sees from the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame {
    /// ROWS. Otherwise RANGE: offsets are distances in the one order column (ms if it is a time), and rows that are
    /// equal in the order come and go together.
    pub rows: bool,
    /// Its first row.
    pub start: FrameEnd,
    /// Its last row.
    pub end: FrameEnd,
}

impl Frame {
    /// SQL's frame where none is written: all rows up to the last one that is equal in the order.
    pub const DEFAULT: Frame = Frame { rows: false, start: None, end: Some(0) };

    /// True if its last row is the current one (or, for RANGE, the last one that is equal to it).
    pub fn ends_at_current(&self) -> bool {
        self.end == Some(0)
    }
}

/// What a call computes for each row.
#[derive(Debug, Clone)]
pub enum OverFunction {
    /// An aggregate of the frame.
    Aggregate {
        /// The call; its columns are the input's.
        call: AggregateCall,
        /// Its frame.
        frame: Frame,
    },
    /// FIRST_VALUE or LAST_VALUE of the frame.
    Edge {
        /// The column.
        column: usize,
        /// LAST_VALUE.
        last: bool,
        /// NULLs are passed over.
        ignore_nulls: bool,
        /// FILTER: a boolean column.
        filter: Option<usize>,
        /// Its frame.
        frame: Frame,
    },
    /// LAG (negative) or LEAD (positive): the value `rows` rows away.
    Shift {
        /// The column.
        column: usize,
        /// How far.
        rows: i64,
        /// The column with what stands where there is no such row; `None`: NULL.
        default: Option<usize>,
    },
    /// The row's number in its partition, from 1.
    RowNumber,
    /// One more than the rows before it and its equals.
    Rank,
    /// One more than the different values before it.
    DenseRank,
    /// The number of its part, if the partition is cut into so many parts of about equal size.
    Ntile(i64),
    /// (RANK - 1) / (rows - 1); 0 for a lone row.
    PercentRank,
    /// The part of the rows that are not behind it.
    CumeDist,
}

/// One column that OVER adds.
#[derive(Debug, Clone)]
pub struct OverCall {
    /// What it computes.
    pub function: OverFunction,
    /// Its Arrow type.
    pub output: arrow_schema::DataType,
}

impl OverFunction {
    /// The input columns it reads.
    pub fn columns(&self) -> Vec<usize> {
        match self {
            OverFunction::Aggregate { call, .. } => {
                call.args.iter().copied().chain(call.filter).collect()
            }
            OverFunction::Edge { column, filter, .. } => {
                [*column].into_iter().chain(*filter).collect()
            }
            OverFunction::Shift { column, default, .. } => {
                [*column].into_iter().chain(*default).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The same over columns that moved.
    pub fn remap(&mut self, at: &dyn Fn(usize) -> usize) {
        match self {
            OverFunction::Aggregate { call, .. } => {
                call.args.iter_mut().chain(&mut call.filter).for_each(|c| *c = at(*c));
            }
            OverFunction::Edge { column, filter, .. } => {
                *column = at(*column);
                filter.iter_mut().for_each(|c| *c = at(*c));
            }
            OverFunction::Shift { column, default, .. } => {
                *column = at(*column);
                default.iter_mut().for_each(|c| *c = at(*c));
            }
            _ => {}
        }
    }

    /// Its frame, if it goes by one.
    pub fn frame(&self) -> Option<Frame> {
        match self {
            OverFunction::Aggregate { frame, .. } | OverFunction::Edge { frame, .. } => {
                Some(*frame)
            }
            _ => None,
        }
    }

    /// True if the row's result is known once all rows up to it and those equal to it are.
    pub fn looks_back(&self) -> bool {
        match self {
            OverFunction::Aggregate { frame, .. } | OverFunction::Edge { frame, .. } => {
                frame.ends_at_current()
            }
            OverFunction::Shift { rows, .. } => *rows <= 0,
            OverFunction::RowNumber | OverFunction::Rank | OverFunction::DenseRank => true,
            OverFunction::Ntile(_) | OverFunction::PercentRank | OverFunction::CumeDist => false,
        }
    }

    /// The SQL name, for EXPLAIN.
    pub fn name(&self) -> &str {
        match self {
            OverFunction::Aggregate { call, .. } => call.function.name(),
            OverFunction::Edge { last: false, .. } => "FIRST_VALUE",
            OverFunction::Edge { last: true, .. } => "LAST_VALUE",
            OverFunction::Shift { rows, .. } if *rows > 0 => "LEAD",
            OverFunction::Shift { .. } => "LAG",
            OverFunction::RowNumber => "ROW_NUMBER",
            OverFunction::Rank => "RANK",
            OverFunction::DenseRank => "DENSE_RANK",
            OverFunction::Ntile(_) => "NTILE",
            OverFunction::PercentRank => "PERCENT_RANK",
            OverFunction::CumeDist => "CUME_DIST",
        }
    }
}
