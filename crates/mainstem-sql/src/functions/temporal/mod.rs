//! Flink's temporal functions, temporal literals, and the calls whose first operand is a time unit.
//! Invariant: all calendar work is proleptic Gregorian on integers (`calendar`); only what Flink ties to the session's
//! time zone looks at one, and the time of day comes from `EvalContext` alone.
//! Does not resolve CURRENT_WATERMARK(col) or SOURCE_WATERMARK() to columns: that is the binder's.

pub(crate) mod calendar;
mod clock;
mod compiled;
mod date_format;
pub mod extract;
mod instants;
pub mod literal;
pub mod overlaps;
mod pattern;
pub mod rounding;
#[cfg(test)]
mod tests;
mod text_dates;
pub mod timestamp_add;
pub mod timestamp_diff;
mod to_timestamp;
pub mod unit;
mod zone;

pub use unit::Unit;

use crate::functions::ScalarFunction;

/// The functions of this folder that are called as `NAME(argument, ...)`.
pub static FUNCTIONS: &[&ScalarFunction] = &[
    &clock::CURRENT_TIMESTAMP,
    &clock::PROCTIME,
    &clock::CURRENT_DATE,
    &clock::LOCALTIME,
    &clock::LOCALTIMESTAMP,
    &clock::CURRENT_WATERMARK,
    &extract::YEAR,
    &extract::QUARTER,
    &extract::MONTH,
    &extract::WEEK,
    &extract::DAYOFYEAR,
    &extract::DAYOFMONTH,
    &extract::DAYOFWEEK,
    &extract::HOUR,
    &extract::MINUTE,
    &extract::SECOND,
    &date_format::DATE_FORMAT,
    &to_timestamp::TO_TIMESTAMP,
    &to_timestamp::TO_TIMESTAMP_LTZ,
    &text_dates::TO_DATE,
    &text_dates::FROM_UNIXTIME,
    &text_dates::UNIX_TIMESTAMP,
    &text_dates::CONVERT_TZ,
];
