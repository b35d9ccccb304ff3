//! Scalar values written as text, read as Java and Flink read them: `Integer.parseInt`, `Double.parseDouble`,
//! `new BigDecimal`, `java.sql.Date.valueOf`, `LocalTime.parse` and Flink's SQL timestamp format.
//! Invariant: a function reads its whole argument or says `None`; none allocates, none panics on any bytes.
//! What it does not do: no types of its own, no NULL literals (the formats know those).

use arrow_schema::TimeUnit;
use mainstem_core::java_format::{days_from_civil, days_in_month};

const NANOS_OF_SECOND: i64 = 1_000_000_000;

/// `text` without what `String.trim` cuts: everything up to U+0020 at both ends.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|b| *b > b' ').unwrap_or(text.len());
    let end = text.iter().rposition(|b| *b > b' ').map_or(start, |last| last + 1);
    &text[start..end]
}

/// A whole number with an optional sign.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// A floating-point number as `Double.parseDouble` takes it, without hexadecimal ones.
pub(crate) fn double(text: &[u8]) -> Option<f64> {
    let (sign, body) = match text {
        [b'-', rest @ ..] => (-1.0, rest),
        [b'+', rest @ ..] => (1.0, rest),
        _ => (1.0, text),
    };
    match body {
        b"NaN" => return Some(f64::NAN),
        b"Infinity" => return Some(sign * f64::INFINITY),
        [b'0'..=b'9' | b'.', ..] => {}
        _ => return None,
    }
    let body = match body {
        [rest @ .., b'd' | b'D' | b'f' | b'F'] => rest,
        _ => body,
    };
    fast_float2::parse::<f64, _>(body).ok().map(|v| sign * v)
}

/// The same as a FLOAT, rounded once.
pub(crate) fn float(text: &[u8]) -> Option<f32> {
    let plain = match text {
        [rest @ .., b'd' | b'D' | b'f' | b'F'] => rest,
        _ => text,
    };
    let unsigned = plain.strip_prefix(b"-").or(plain.strip_prefix(b"+")).unwrap_or(plain);
    match unsigned {
        [b'0'..=b'9' | b'.', ..] => {
            let value = fast_float2::parse::<f32, _>(unsigned).ok()?;
            Some(if plain[0] == b'-' { -value } else { value })
        }
        _ => double(text).map(|v| v as f32),
    }
}

/// A decimal, rounded half up to `scale`: `None` if it is none, `Some(None)` if it has more than `precision` digits.
pub(crate) fn decimal(text: &[u8], precision: u8, scale: u8) -> Option<Option<i128>> {
    let (negative, body) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (mantissa, exponent) = match body.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&body[..at], integer(&body[at + 1..])?),
        None => (body, 0),
    };
    let (mut digit_count, mut fraction_count, mut seen_point) = (0i64, 0i64, false);
    for byte in mantissa {
        match byte {
            b'0'..=b'9' => {
                digit_count += 1;
                fraction_count += i64::from(seen_point);
            }
            b'.' if !seen_point => seen_point = true,
            _ => return None,
        }
    }
    if digit_count == 0 {
        return None;
    }
    let shift = exponent.checked_sub(fraction_count)?.checked_add(i64::from(scale))?;
    let kept = digit_count.checked_add(shift)?;
    let limit = 10i128.checked_pow(u32::from(precision))?;
    let mut value: i128 = 0;
    let digits = mantissa.iter().filter(|b| **b != b'.').map(|b| i128::from(b - b'0'));
    for (index, digit) in digits.enumerate() {
        let index = index as i64;
        if index == kept && digit >= 5 {
            value += 1;
        }
        if index >= kept {
            break;
        }
        value = value * 10 + digit;
        if value >= limit {
            return Some(None);
        }
    }
    for _ in 0..shift.max(0) {
        if value == 0 {
            break;
        }
        value *= 10;
        if value >= limit {
            return Some(None);
        }
    }
    if value >= limit {
        return Some(None);
    }
    Some(Some(if negative { -value } else { value }))
}

fn digits(text: &[u8]) -> Option<u32> {
    let mut value = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u32::from(digit);
    }
    Some(value)
}

fn valid_days(year: u32, month: u32, day: u32) -> Option<i64> {
    let year = i64::from(year);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    Some(days_from_civil(year, month, day))
}

/// `yyyy-MM-dd`, as days since 1970-01-01.
pub(crate) fn iso_date(text: &[u8]) -> Option<i64> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text else { return None };
    valid_days(digits(&[*y0, *y1, *y2, *y3])?, digits(&[*m0, *m1])?, digits(&[*d0, *d1])?)
}

/// `yyyy-[m]m-[d]d`, as `java.sql.Date.valueOf` takes it.
pub(crate) fn sql_date(text: &[u8]) -> Option<i64> {
    if let Some(days) = iso_date(text) {
        return Some(days);
    }
    let mut parts = text.split(|b| *b == b'-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let fits = |part: &[u8]| (1..=2).contains(&part.len());
    if parts.next().is_some() || year.len() != 4 || !fits(month) || !fits(day) {
        return None;
    }
    valid_days(digits(year)?, digits(month)?, digits(day)?)
}

/// `HH:mm:ss[.fraction]`, as nanoseconds of the day; with `seconds_optional` also `HH:mm`, as `LocalTime.parse`.
pub(crate) fn time_of_day(text: &[u8], seconds_optional: bool) -> Option<i64> {
    let [h0, h1, b':', m0, m1, rest @ ..] = text else { return None };
    let (hour, minute) = (digits(&[*h0, *h1])?, digits(&[*m0, *m1])?);
    let (second, fraction) = match rest {
        [] if seconds_optional => (0, &[] as &[u8]),
        [b':', s0, s1, fraction @ ..] => (digits(&[*s0, *s1])?, fraction),
        _ => return None,
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos = match fraction {
        [] => 0,
        [b'.', fraction @ ..] if fraction.len() <= 9 => {
            if fraction.is_empty() {
                return None;
            }
            digits(fraction)? * 10u32.pow(9 - fraction.len() as u32)
        }
        _ => return None,
    };
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    Some(seconds * NANOS_OF_SECOND + i64::from(nanos))
}

/// `yyyy-MM-dd HH:mm:ss[.fraction]`, counted in `unit`; finer digits are cut.
pub(crate) fn sql_timestamp(text: &[u8], unit: TimeUnit) -> Option<i64> {
    if text.len() < 19 || text[10] != b' ' {
        return None;
    }
    timestamp_of(iso_date(&text[..10])?, time_of_day(&text[11..], false)?, unit)
}

/// Days and nanoseconds of the day, counted in `unit`; `None` when that does not fit.
pub(crate) fn timestamp_of(days: i64, nanos_of_day: i64, unit: TimeUnit) -> Option<i64> {
    let per_second: i64 = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => NANOS_OF_SECOND,
    };
    days.checked_mul(86_400 * per_second)?
        .checked_add(nanos_of_day / (NANOS_OF_SECOND / per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-17", Some(-17)),
            ("+17", Some(17)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("1.0", None),
            (" 1", None),
        ] {
            assert_eq!(integer(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn doubles() {
        for (text, expected) in [
            ("1.5", Some(1.5)),
            ("-1e3", Some(-1000.0)),
            ("+.5", Some(0.5)),
            ("1d", Some(1.0)),
            ("1e400", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("inf", None),
            ("nan", None),
            ("", None),
            ("1x", None),
        ] {
            assert_eq!(double(text.as_bytes()), expected, "{text}");
            assert_eq!(float(text.as_bytes()), expected.map(|v| v as f32), "{text}");
        }
        assert_eq!(float(b"0.1"), Some(0.1));
    }

    #[test]
    fn decimals() {
        for (text, precision, scale, expected) in [
            ("1.5", 5, 2, Some(Some(150))),
            ("1.005", 5, 2, Some(Some(101))),
            ("-1.005", 5, 2, Some(Some(-101))),
            ("1.004999", 5, 2, Some(Some(100))),
            ("0.5", 5, 0, Some(Some(1))),
            ("0.04", 5, 0, Some(Some(0))),
            ("1e2", 5, 2, Some(Some(10_000))),
            ("123e-2", 5, 1, Some(Some(12))),
            ("1000", 5, 2, Some(None)),
            ("999.995", 5, 2, Some(None)),
            ("1e999999999999", 5, 2, Some(None)),
            ("0e999999999999", 5, 2, Some(Some(0))),
            ("1e-999999999999", 5, 2, Some(Some(0))),
            ("99999999999999999999999999999999999999", 38, 0, Some(Some(10i128.pow(38) - 1))),
            (".5", 5, 2, Some(Some(50))),
            ("5.", 5, 2, Some(Some(500))),
            (".", 5, 2, None),
            ("1.2.3", 5, 2, None),
            ("abc", 5, 2, None),
            ("", 5, 2, None),
        ] {
            assert_eq!(decimal(text.as_bytes(), precision, scale), expected, "{text}");
        }
    }

    #[test]
    fn dates_and_times() {
        assert_eq!(sql_date(b"2024-02-29"), Some(19_782));
        assert_eq!(sql_date(b"2024-2-9"), Some(19_762));
        for bad in
            ["2023-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "24-01-01", "2024-01-01 ", ""]
        {
            assert_eq!(sql_date(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(time_of_day(b"00:00:01.5", false), Some(1_500_000_000));
        assert_eq!(time_of_day(b"12:34", true), Some(45_240 * NANOS_OF_SECOND));
        for bad in [
            "12:34",
            "24:00:00",
            "12:60:00",
            "12:00:60",
            "1:00:00",
            "12:00:00.",
            "12:00:00.1234567890",
        ] {
            assert_eq!(time_of_day(bad.as_bytes(), false), None, "{bad}");
        }
        let ms = TimeUnit::Millisecond;
        assert_eq!(sql_timestamp(b"1970-01-02 00:00:00.1239", ms), Some(86_400_123));
        assert_eq!(sql_timestamp(b"1969-12-31 23:59:59.999", ms), Some(-1));
        assert_eq!(sql_timestamp(b"1970-01-02T00:00:00", ms), None);
        assert_eq!(sql_timestamp(b"9999-12-31 00:00:00", TimeUnit::Nanosecond), None);
    }
}
