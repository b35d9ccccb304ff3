//! SESSION windows: rows of one key that are at most a gap apart, as an aggregation and as a table function.
//! The parts: `sessions` knows which sessions are open and which row is in which, `aggregate` and `table` keep what
//! the rows amount to, `saved` turns sessions into rows of tables and back.

pub(crate) mod aggregate;
mod saved;
mod sessions;
pub(crate) mod table;

use arrow_schema::DataType as ArrowType;

use crate::plan::TimeSource;
use crate::window::SessionSpec;

/// What the plan says of the sessions.
#[derive(Debug, Clone)]
pub(crate) struct SessionPlan {
    pub(crate) session: SessionSpec,
    pub(crate) time: TimeSource,
    /// Each key has its own sessions.
    pub(crate) keys: Vec<usize>,
    pub(crate) input: Vec<ArrowType>,
    pub(crate) changelog: bool,
    /// The type of `window_time`.
    pub(crate) time_type: ArrowType,
}
