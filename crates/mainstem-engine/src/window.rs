//! Windows over time: which windows a time belongs to, and the slices they share.
//! Invariant: pure arithmetic in milliseconds; a slice belongs to a fixed set of windows, so HOP and CUMULATE
//! aggregate each row once.

use std::fmt;
use std::sync::Arc;

/// Converts between UTC and the session's local time, for windows over TIMESTAMP_LTZ.
pub trait LocalTime: Send + Sync + fmt::Debug {
    /// Local wall time of a UTC time, both ms.
    fn to_local(&self, utc_ms: i64) -> i64;
    /// UTC of a local wall time, both ms.
    fn to_utc(&self, local_ms: i64) -> i64;
}

/// The shape of the windows, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "Flink's terms")]
pub enum WindowKind {
    Tumble { size_ms: i64 },
    Hop { size_ms: i64, slide_ms: i64 },
    Cumulate { max_size_ms: i64, step_ms: i64 },
}

/// Windows, shifted by `offset_ms`, aligned in UTC or in `zone`.
#[derive(Debug, Clone)]
pub struct WindowSpec {
    /// Their shape.
    pub kind: WindowKind,
    /// Added to every window's bounds.
    pub offset_ms: i64,
    /// For TIMESTAMP_LTZ and processing time in a session zone other than UTC: bounds are local wall times.
    pub zone: Option<Arc<dyn LocalTime>>,
}
