//! Dates and times out of their text, in Flink's two standards: SQL (`2020-12-30 12:13:14.123`) and ISO-8601
//! (`2020-12-30T12:13:14.123`). TIMESTAMP_LTZ carries a `Z` at the end in both.
//! Invariant: dates are proleptic Gregorian, strict (no 30 February, no 24:00).
//! Does not know time zones (an LTZ text is UTC), and does not write: `mainstem_core::java_format` does.

use arrow_schema::TimeUnit;
use mainstem_core::java_format::{days_from_civil, days_in_month};

/// How timestamps are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standard {
    Sql,
    Iso8601,
}

impl Standard {
    pub(super) fn separator(self) -> u8 {
        match self {
            Standard::Sql => b' ',
            Standard::Iso8601 => b'T',
        }
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| value * 10 + i64::from(digit))
    })
}

/// `yyyy-MM-dd` in days since 1970-01-01.
pub(super) fn date(text: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
    let year = digits(&[y1, y2, y3, y4])?;
    let month = digits(&[m1, m2])? as u32;
    let day = digits(&[d1, d2])? as u32;
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    i32::try_from(days_from_civil(year, month, day)).ok()
}

/// `HH:mm:ss[.fraction]` in milliseconds; finer digits are cut off, as Flink does.
pub(super) fn time_ms(text: &[u8]) -> Option<i32> {
    let (minute, rest) = text.split_first_chunk::<5>()?;
    let [b':', s1, s2, fraction @ ..] = rest else { return None };
    let second = two_digits(*s1, *s2).filter(|s| *s < 60)?;
    let nanos = fraction_nanos(fraction)?;
    i32::try_from((minute_seconds(minute)? + second) * 1000 + nanos / 1_000_000).ok()
}

/// `HH:mm` in seconds.
fn minute_seconds(text: &[u8; 5]) -> Option<i64> {
    let [h1, h2, b':', m1, m2] = *text else { return None };
    let hour = two_digits(h1, h2).filter(|h| *h < 24)?;
    let minute = two_digits(m1, m2).filter(|m| *m < 60)?;
    Some(hour * 3600 + minute * 60)
}

#[inline(always)]
fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens * 10 + ones))
}

/// Nothing, or a point and up to nine digits; a lone point is a fraction of no digits, as Java reads it.
fn fraction_nanos(text: &[u8]) -> Option<i64> {
    match text {
        [] => Some(0),
        [b'.', fraction @ ..] if fraction.len() <= 9 => {
            Some(digits(fraction)? * 10i64.pow(9 - fraction.len() as u32))
        }
        _ => None,
    }
}

/// Reads timestamps of one column. It remembers the minute of the last one, because the next is mostly in the same.
#[derive(Debug)]
pub(super) struct TimestampReader {
    standard: Standard,
    zulu: bool,
    unit: TimeUnit,
    minute: [u8; 16],
    minute_seconds: i64,
}

impl TimestampReader {
    /// `zulu` is true for TIMESTAMP_LTZ, whose texts end in `Z`.
    pub(super) fn new(standard: Standard, zulu: bool, unit: TimeUnit) -> Self {
        Self { standard, zulu, unit, minute: [0; 16], minute_seconds: 0 }
    }

    /// The instant in the column's unit since 1970.
    #[inline(always)]
    pub(super) fn read(&mut self, text: &[u8]) -> Option<i64> {
        let text = if self.zulu { text.strip_suffix(b"Z")? } else { text };
        let (minute, rest) = text.split_first_chunk::<16>()?;
        if *minute != self.minute {
            self.turn_minute(minute)?;
        }
        // The usual form, seconds and milliseconds, in one go.
        if let ([b':', s1, s2, b'.', f1, f2, f3], TimeUnit::Millisecond) = (rest, self.unit) {
            let (s1, s2) = (s1.wrapping_sub(b'0'), s2.wrapping_sub(b'0'));
            let (f1, f2, f3) =
                (f1.wrapping_sub(b'0'), f2.wrapping_sub(b'0'), f3.wrapping_sub(b'0'));
            if s1 < 6 && s2 <= 9 && f1 <= 9 && f2 <= 9 && f3 <= 9 {
                let ms = i64::from(s1) * 10_000
                    + i64::from(s2) * 1000
                    + i64::from(f1) * 100
                    + i64::from(f2) * 10
                    + i64::from(f3);
                return Some(self.minute_seconds * 1000 + ms);
            }
            return None;
        }
        self.read_rest(rest)
    }

    #[cold]
    fn turn_minute(&mut self, minute: &[u8; 16]) -> Option<()> {
        let (day, [separator, clock @ ..]) = minute.split_first_chunk::<10>()? else { return None };
        if *separator != self.standard.separator() {
            return None;
        }
        self.minute_seconds =
            i64::from(date(day)?) * 86_400 + minute_seconds(clock.try_into().ok()?)?;
        self.minute = *minute;
        Some(())
    }

    fn read_rest(&self, rest: &[u8]) -> Option<i64> {
        let (second, nanos) = match rest {
            [] if self.standard == Standard::Iso8601 => (0, 0),
            [b':', s1, s2, fraction @ ..] => {
                (two_digits(*s1, *s2).filter(|s| *s < 60)?, fraction_nanos(fraction)?)
            }
            _ => return None,
        };
        let seconds = self.minute_seconds + second;
        match self.unit {
            TimeUnit::Second => Some(seconds),
            TimeUnit::Millisecond => Some(seconds * 1000 + nanos / 1_000_000),
            TimeUnit::Microsecond => Some(seconds * 1_000_000 + nanos / 1000),
            TimeUnit::Nanosecond => seconds.checked_mul(1_000_000_000)?.checked_add(nanos),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps() {
        let sql = |text: &str, zulu, unit| {
            TimestampReader::new(Standard::Sql, zulu, unit).read(text.as_bytes())
        };
        let ms = TimeUnit::Millisecond;
        assert_eq!(sql("2020-12-30 12:13:14.123", false, ms), Some(1_609_330_394_123));
        assert_eq!(sql("2020-12-30 12:13:14.123Z", true, ms), Some(1_609_330_394_123));
        assert_eq!(sql("2020-12-30 12:13:14", false, ms), Some(1_609_330_394_000));
        assert_eq!(sql("2020-12-30 12:13:14.1239", false, ms), Some(1_609_330_394_123));
        assert_eq!(sql("1969-12-31 23:59:59.999", false, ms), Some(-1));
        assert_eq!(
            sql("1970-01-01 00:00:00.123456789", false, TimeUnit::Nanosecond),
            Some(123_456_789)
        );
        assert_eq!(sql("1970-01-01 00:00:00.1234567", false, TimeUnit::Microsecond), Some(123_456));
        for bad in [
            "2020-12-30T12:13:14.123",
            "2020-12-30 12:13:14.123Z",
            "2020-12-30 12:13",
            "2020-02-30 12:13:14",
            "2020-13-30 12:13:14",
            "2020-12-30 24:00:00",
            "2020-12-30 12:60:00",
            "2020-12-30 12:13:60",
            "2020-12-30 12:13:14.1234567890",
            "2020-12-30 12:13:14,123",
            "20-12-30 12:13:14",
            "",
            "2020-12-30 12:13:14.12x",
            " 2020-12-30 12:13:14",
        ] {
            assert_eq!(sql(bad, false, ms), None, "{bad}");
        }
        assert_eq!(sql("2020-12-30 12:13:14.123", true, ms), None);
        assert_eq!(sql("2500-01-01 00:00:00", false, TimeUnit::Nanosecond), None);
        let mut iso = TimestampReader::new(Standard::Iso8601, false, ms);
        assert_eq!(iso.read(b"1970-01-01T00:01"), Some(60_000));
        assert_eq!(iso.read(b"1970-01-01T00:01:02.5"), Some(62_500));
        assert_eq!(iso.read(b"1970-01-01 00:01:02.5"), None);
        // A bad text between two of the same minute leaves no trace.
        assert_eq!(iso.read(b"1970-01-01T00:01:03.000"), Some(63_000));
    }

    #[test]
    fn times_and_dates() {
        assert_eq!(time_ms(b"12:13:14"), Some(43_994_000));
        assert_eq!(time_ms(b"12:13:14.5"), Some(43_994_500));
        assert_eq!(time_ms(b"12:13"), None);
        assert_eq!(date(b"1970-01-02"), Some(1));
        assert_eq!(date(b"1900-02-29"), None);
        assert_eq!(date(b"2000-02-29"), Some(11_016));
        assert_eq!(date(b"0000-01-01"), Some(-719_528));
    }
}
