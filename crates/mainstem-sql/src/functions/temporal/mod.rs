//! Flink's temporal functions, temporal literals, and the calls whose first operand is a time unit.
//! Invariant: all calendar work is proleptic Gregorian on integers (`calendar`); only what Flink ties to the session's
//! time zone looks at one, and the time of day comes from `EvalContext` alone.
//! Does not resolve CURRENT_WATERMARK(col) or SOURCE_WATERMARK() to columns: that is the binder's.

pub(crate) mod calendar;
pub mod extract;
pub mod literal;
pub mod rounding;
pub mod timestamp_add;
pub mod timestamp_diff;
pub mod unit;

pub use unit::Unit;

use crate::functions::ScalarFunction;

/// The functions of this folder that are called as `NAME(argument, ...)`.
pub static FUNCTIONS: &[&ScalarFunction] = &[];
