//! OVER: each row with what its window makes of it.
//! The parts: `timed` is the operator for rows that only come, in the order of time, `changing` the one for everything
//! else;
//! `script` drives accumulators, `layout` and `recompute` sort calls by how they are computed, `waiting`, `frame_rows`,
//! `sequence` and `order_keys` hold rows, `reach` tells which rows see each other.

mod changing;
mod frame_rows;
mod layout;
mod order_keys;
mod reach;
mod recompute;
mod script;
mod sequence;
mod timed;
mod waiting;

pub(crate) use changing::ChangingOver;
pub(crate) use timed::TimedOver;

use arrow_schema::DataType as ArrowType;

use crate::over::OverCall;

/// What the plan says of an OVER node.
#[derive(Debug, Clone)]
pub(crate) struct OverPlan {
    pub(crate) partition: Vec<usize>,
    /// Column, descending, NULLs first.
    pub(crate) order: Vec<(usize, bool, bool)>,
    pub(crate) calls: Vec<OverCall>,
    pub(crate) input: Vec<ArrowType>,
    /// Rows of the input come and go.
    pub(crate) changelog: bool,
}
