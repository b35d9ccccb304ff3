//! Windows over time: which windows a time belongs to, and the slices they share.
//! Invariant: pure arithmetic in milliseconds; a slice belongs to a fixed set of windows, so HOP and CUMULATE
//! aggregate each row once.

use std::fmt;
use std::sync::Arc;

use mainstem_core::{Error, Result};

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

/// When a window shows results besides the one at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmitSpec {
    /// Before its end: so long, by the clock, after a row changed it (0: in the step); `None`: not.
    pub early_delay_ms: Option<i64>,
    /// The same after its end, for rows that came late; `None`: in the step.
    pub late_delay_ms: Option<i64>,
    /// How far past its end the watermark may be for a row to be let in.
    pub allow_lateness_ms: i64,
}

/// Sessions: rows of one key that are at most `gap_ms` apart are in one window, from the first row to the gap after the
/// last one.
#[derive(Debug, Clone)]
pub struct SessionSpec {
    /// How long a session waits for its next row.
    pub gap_ms: i64,
    /// As in [`WindowSpec`].
    pub zone: Option<Arc<dyn LocalTime>>,
}

impl SessionSpec {
    /// Refuses gaps that are not positive.
    pub(crate) fn check(&self) -> Result<()> {
        if self.gap_ms <= 0 {
            return Err(Error::user("the gap of a session must be positive"));
        }
        Ok(())
    }
}

/// A window, or a piece of one: local wall times in ms, the end exclusive. Ordered by its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) end: i64,
    pub(crate) start: i64,
}

impl WindowSpec {
    /// Refuses sizes that are not positive.
    pub(crate) fn check(&self) -> Result<()> {
        let (a, b) = match self.kind {
            WindowKind::Tumble { size_ms } => (size_ms, size_ms),
            WindowKind::Hop { size_ms, slide_ms } => (size_ms, slide_ms),
            WindowKind::Cumulate { max_size_ms, step_ms } => (max_size_ms, step_ms),
        };
        if a <= 0 || b <= 0 {
            return Err(Error::user("the size, slide and step of a window must be positive"));
        }
        Ok(())
    }

    /// The greatest `offset + k * unit` that is not after `time`.
    fn align(&self, time: i64, unit: i64) -> i64 {
        let shifted = time.wrapping_sub(self.offset_ms);
        shifted.wrapping_sub(shifted.rem_euclid(unit)).wrapping_add(self.offset_ms)
    }

    /// The slice that `time` is in: all its times are in the same windows.
    pub(crate) fn slice(&self, time: i64) -> Span {
        let width = match self.kind {
            WindowKind::Tumble { size_ms } => size_ms,
            WindowKind::Hop { size_ms, slide_ms } => gcd(size_ms, slide_ms),
            WindowKind::Cumulate { max_size_ms, step_ms } => {
                // The last step of a window may be cut short.
                let base = self.align(time, max_size_ms);
                let start = base + (time - base) / step_ms * step_ms;
                return Span { start, end: (start + step_ms).min(base + max_size_ms) };
            }
        };
        let start = self.align(time, width);
        Span { start, end: start.saturating_add(width) }
    }

    /// The windows a slice is in, earliest end first; none between the windows of a HOP with gaps.
    pub(crate) fn windows(&self, slice: Span) -> impl Iterator<Item = Span> + use<> {
        let (first, last, stride, base) = match self.kind {
            WindowKind::Tumble { .. } => (slice.end, slice.end, 1, Some(slice.start)),
            WindowKind::Hop { size_ms, slide_ms } => {
                // The first start at or after slice.end - size, the last one not after slice.start.
                let first = self.align(slice.end - size_ms + slide_ms - 1, slide_ms);
                let last = self.align(slice.start, slide_ms);
                (first + size_ms, last + size_ms, slide_ms, None)
            }
            WindowKind::Cumulate { max_size_ms, step_ms } => {
                let base = self.align(slice.start, max_size_ms);
                (slice.end, base + max_size_ms, step_ms, Some(base))
            }
        };
        let size = match self.kind {
            WindowKind::Hop { size_ms, .. } => size_ms,
            _ => 0,
        };
        let mut next = (first <= last).then_some(first);
        std::iter::from_fn(move || {
            let end = next?;
            next = if end >= last { None } else { Some((end + stride).min(last)) };
            Some(Span { end, start: base.unwrap_or(end - size) })
        })
    }

    /// The end of the last window a slice is in; `None` if it is in none.
    pub(crate) fn last_end(&self, slice: Span) -> Option<i64> {
        match self.kind {
            WindowKind::Tumble { .. } => Some(slice.end),
            WindowKind::Hop { size_ms, slide_ms } => {
                let end = self.align(slice.start, slide_ms) + size_ms;
                (end >= slice.end).then_some(end)
            }
            WindowKind::Cumulate { max_size_ms, .. } => {
                Some(self.align(slice.start, max_size_ms) + max_size_ms)
            }
        }
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// UTC of a local wall time.
pub(crate) fn to_utc(zone: Option<&Arc<dyn LocalTime>>, local_ms: i64) -> i64 {
    zone.map_or(local_ms, |zone| zone.to_utc(local_ms))
}

/// Turns UTC times into local ones, in place.
pub(crate) fn localize(zone: &dyn LocalTime, times: &mut [i64]) {
    /// Zones change their offset at multiples of this at most, except before 1972; hence the check of both ends.
    const BLOCK_MS: i64 = 15 * 60 * 1000;
    let (mut block, mut shift) = (i64::MIN, None);
    for time in times {
        let this = time.div_euclid(BLOCK_MS);
        if this != block {
            let (first, last) = (this * BLOCK_MS, (this + 1) * BLOCK_MS - 1);
            let shifts = (zone.to_local(first) - first, zone.to_local(last) - last);
            block = this;
            shift = (shifts.0 == shifts.1).then_some(shifts.0);
        }
        *time = shift.map_or_else(|| zone.to_local(*time), |shift| *time + shift);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: WindowKind, offset_ms: i64, time: i64, slice: (i64, i64), ends: &[(i64, i64)]) {
        let spec = WindowSpec { kind, offset_ms, zone: None };
        let found = spec.slice(time);
        assert_eq!((found.start, found.end), slice, "the slice of {time} in {kind:?}");
        let windows: Vec<_> = spec.windows(found).map(|w| (w.start, w.end)).collect();
        assert_eq!(windows, ends, "the windows of {time} in {kind:?}");
        assert_eq!(spec.last_end(found), ends.last().map(|w| w.1));
    }

    #[test]
    fn windows_of_a_time() {
        let tumble = WindowKind::Tumble { size_ms: 10 };
        check(tumble, 0, 0, (0, 10), &[(0, 10)]);
        check(tumble, 0, -1, (-10, 0), &[(-10, 0)]);
        check(tumble, 3, 2, (-7, 3), &[(-7, 3)]);
        let hop = WindowKind::Hop { size_ms: 10, slide_ms: 5 };
        check(hop, 0, 7, (5, 10), &[(0, 10), (5, 15)]);
        let uneven = WindowKind::Hop { size_ms: 10, slide_ms: 4 };
        check(uneven, 0, 7, (6, 8), &[(0, 10), (4, 14)]);
        check(uneven, 0, 9, (8, 10), &[(0, 10), (4, 14), (8, 18)]);
        check(WindowKind::Hop { size_ms: 2, slide_ms: 6 }, 0, 4, (4, 6), &[]);
        check(WindowKind::Hop { size_ms: 2, slide_ms: 6 }, 0, 7, (6, 8), &[(6, 8)]);
        let cumulate = WindowKind::Cumulate { max_size_ms: 30, step_ms: 10 };
        check(cumulate, 0, 3, (0, 10), &[(0, 10), (0, 20), (0, 30)]);
        check(cumulate, 0, 25, (20, 30), &[(0, 30)]);
        check(cumulate, 1, 35, (31, 41), &[(31, 41), (31, 51), (31, 61)]);
    }
}
