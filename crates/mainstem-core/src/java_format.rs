//! Numbers and times as Java prints them: Flink's casts to STRING, its JSON and CSV output and its print connector all
//! end in `Double.toString`, `BigDecimal.toString` and the `toString` of `java.time`.
//! Invariant: doubles and floats follow JDK 19 and later (the shortest decimal that reads back as the same value);
//! every function appends ASCII to `out` and allocates nothing else. It does not parse, and it knows no time zones.

use arrow_schema::TimeUnit;

const NANOS_OF_SECOND: i64 = 1_000_000_000;
const SECONDS_OF_DAY: i64 = 86_400;
const NANOS_OF_DAY: i64 = SECONDS_OF_DAY * NANOS_OF_SECOND;

/// How the time of day of a timestamp is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeStyle {
    /// As `LocalTime.toString`: seconds left out when they and the fraction are 0, fraction in groups of three digits.
    Java,
    /// As `Instant.toString`: seconds always, fraction in groups of three digits.
    Instant,
    /// As `ISO_LOCAL_TIME` and Flink's SQL formats: seconds always, as many digits of the fraction as are not 0.
    Sql,
}

/// Appends `value` as `Double.toString` writes it.
pub fn push_double(out: &mut Vec<u8>, value: f64) {
    if push_special(
        out,
        value.is_nan(),
        value.is_infinite(),
        value.is_sign_negative(),
        value == 0.0,
    ) {
        return;
    }
    let magnitude = value.abs();
    let mut buffer = ryu::Buffer::new();
    if (1e-3..1e7).contains(&magnitude) {
        out.extend_from_slice(buffer.format_finite(value).as_bytes());
        return;
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let shortest = buffer.format_finite(magnitude);
    // Only among the smallest subnormals can two digits be nearer than the shortest single one.
    if magnitude < 1e-300 {
        let two = format!("{magnitude:.1e}");
        if digits_of(shortest).1 == 1 && two.parse() == Ok(magnitude) {
            return push_scientific(out, &two);
        }
    }
    push_scientific(out, shortest);
}

/// Appends `value` as `Float.toString` writes it.
pub fn push_float(out: &mut Vec<u8>, value: f32) {
    if push_special(
        out,
        value.is_nan(),
        value.is_infinite(),
        value.is_sign_negative(),
        value == 0.0,
    ) {
        return;
    }
    let magnitude = value.abs();
    let mut buffer = ryu::Buffer::new();
    if (1e-3..1e7).contains(&magnitude) {
        out.extend_from_slice(buffer.format_finite(value).as_bytes());
        return;
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let shortest = buffer.format_finite(magnitude);
    if magnitude < 1e-40 {
        let two = format!("{magnitude:.1e}");
        if digits_of(shortest).1 == 1 && two.parse() == Ok(magnitude) {
            return push_scientific(out, &two);
        }
    }
    push_scientific(out, shortest);
}

fn push_special(out: &mut Vec<u8>, nan: bool, infinite: bool, negative: bool, zero: bool) -> bool {
    if nan {
        out.extend_from_slice(b"NaN");
        return true;
    }
    if infinite || zero {
        if negative {
            out.push(b'-');
        }
        out.extend_from_slice(if zero { b"0.0" } else { b"Infinity" });
        return true;
    }
    false
}

/// The significant digits of a positive decimal such as `1.25e-7` or `12500000.0`, how many there are, and the
/// power of ten of the first one.
fn digits_of(text: &str) -> ([u8; 32], usize, i32) {
    let (mantissa, exponent) = match text.split_once('e') {
        Some((m, e)) => (m, e.parse::<i32>().unwrap_or(0)),
        None => (text, 0),
    };
    let mut digits = [0u8; 32];
    let mut count = 0;
    let mut point = None;
    let mut leading_zeros = 0;
    let mut seen = 0;
    for byte in mantissa.bytes() {
        if byte == b'.' {
            point = Some(seen);
            continue;
        }
        seen += 1;
        if count == 0 && byte == b'0' {
            leading_zeros += 1;
        } else {
            digits[count] = byte;
            count += 1;
        }
    }
    let first_power = point.unwrap_or(seen) - leading_zeros - 1 + exponent;
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
    }
    (digits, count, first_power)
}

fn push_scientific(out: &mut Vec<u8>, text: &str) {
    let (digits, count, power) = digits_of(text);
    out.push(digits[0]);
    out.push(b'.');
    if count == 1 {
        out.push(b'0');
    } else {
        out.extend_from_slice(&digits[1..count]);
    }
    out.push(b'E');
    push_integer(out, i64::from(power));
}

/// Appends a whole number.
pub fn push_integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_padded(out, value.unsigned_abs(), 1);
}

fn digits_of_integer(value: i128, buffer: &mut [u8; 40]) -> &[u8] {
    let mut at = buffer.len();
    let mut rest = value.unsigned_abs();
    while let (true, high) = (rest > u128::from(u64::MAX), rest / 10) {
        at -= 1;
        buffer[at] = b'0' + (rest - high * 10) as u8;
        rest = high;
    }
    let mut rest = rest as u64;
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return &buffer[at..];
        }
    }
}

/// Appends the decimal `unscaled * 10^-scale` as `BigDecimal.toPlainString` writes it.
pub fn push_decimal_plain(out: &mut Vec<u8>, unscaled: i128, scale: u8) {
    if unscaled < 0 {
        out.push(b'-');
    }
    let mut buffer = [0u8; 40];
    let digits = digits_of_integer(unscaled, &mut buffer);
    let scale = usize::from(scale);
    if scale == 0 {
        out.extend_from_slice(digits);
    } else if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + scale - digits.len(), b'0');
        out.extend_from_slice(digits);
    }
}

/// Appends the decimal `unscaled * 10^-scale` as `BigDecimal.toString` writes it: scientific below 0.000001.
pub fn push_decimal(out: &mut Vec<u8>, unscaled: i128, scale: u8) {
    let mut buffer = [0u8; 40];
    let digits = digits_of_integer(unscaled, &mut buffer);
    let power = digits.len() as i64 - 1 - i64::from(scale);
    if power >= -6 {
        return push_decimal_plain(out, unscaled, scale);
    }
    if unscaled < 0 {
        out.push(b'-');
    }
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.push(b'E');
    push_integer(out, power);
}

/// Appends a decimal without its trailing zeros, as Jackson keeps it: plain, or as `BigDecimal.toString` writes what is
/// left, where 100000 is `1E+5`.
pub fn push_decimal_stripped(out: &mut Vec<u8>, unscaled: i128, scale: u8, scientific: bool) {
    if unscaled == 0 {
        out.push(b'0');
        return;
    }
    let (mut unscaled, mut scale) = (unscaled, i32::from(scale));
    while unscaled % 10 == 0 && (scientific || scale > 0) {
        unscaled /= 10;
        scale -= 1;
    }
    if let Ok(scale) = u8::try_from(scale) {
        return if scientific {
            push_decimal(out, unscaled, scale)
        } else {
            push_decimal_plain(out, unscaled, scale)
        };
    }
    if unscaled < 0 {
        out.push(b'-');
    }
    let mut buffer = [0u8; 40];
    let digits = digits_of_integer(unscaled, &mut buffer);
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.extend_from_slice(b"E+");
    push_integer(out, digits.len() as i64 - 1 - i64::from(scale));
}

/// Days since 1970-01-01 of a day in the proleptic Gregorian calendar. `month` and `day` are 1-based and must be valid.
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_index = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_index + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day (1-based) of `days` since 1970-01-01 in the proleptic Gregorian calendar.
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_index + 2) / 5 + 1) as u32;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// How many days `month` (1-based) of `year` has.
pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The digits of 0 to 99.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut value = 0;
    while value < 100 {
        pairs[value] = [b'0' + value as u8 / 10, b'0' + value as u8 % 10];
        value += 1;
    }
    pairs
};

fn push_padded(out: &mut Vec<u8>, value: u64, width: usize) {
    if width == 2 && value < 100 {
        out.extend_from_slice(&PAIRS[value as usize]);
        return;
    }
    let mut digits = [b'0'; 20];
    let mut rest = value;
    let mut at = digits.len();
    while rest >= 10 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[(rest % 100) as usize]);
        rest /= 100;
    }
    if rest > 0 {
        at -= 1;
        digits[at] = b'0' + rest as u8;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

/// Appends `days` since 1970-01-01 as `LocalDate.toString` writes it: `2024-02-29`.
pub fn push_date(out: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil_from_days(days);
    if year < 0 {
        out.push(b'-');
    } else if year > 9999 {
        out.push(b'+');
    }
    push_padded(out, year.unsigned_abs(), 4);
    out.push(b'-');
    push_padded(out, u64::from(month), 2);
    out.push(b'-');
    push_padded(out, u64::from(day), 2);
}

/// Appends a time of day given in nanoseconds since midnight.
pub fn push_time(out: &mut Vec<u8>, nanos_of_day: i64, style: TimeStyle) {
    let seconds = (nanos_of_day / NANOS_OF_SECOND) as u64;
    let nanos = (nanos_of_day % NANOS_OF_SECOND) as u64;
    push_padded(out, seconds / 3_600, 2);
    out.push(b':');
    push_padded(out, seconds / 60 % 60, 2);
    if style == TimeStyle::Java && seconds.is_multiple_of(60) && nanos == 0 {
        return;
    }
    out.push(b':');
    push_padded(out, seconds % 60, 2);
    if nanos == 0 {
        return;
    }
    out.push(b'.');
    let start = out.len();
    match style {
        TimeStyle::Java | TimeStyle::Instant if nanos.is_multiple_of(1_000_000) => {
            push_padded(out, nanos / 1_000_000, 3);
        }
        TimeStyle::Java | TimeStyle::Instant if nanos.is_multiple_of(1_000) => {
            push_padded(out, nanos / 1_000, 6);
        }
        TimeStyle::Java | TimeStyle::Instant => push_padded(out, nanos, 9),
        TimeStyle::Sql => {
            push_padded(out, nanos, 9);
            let kept = out[start..].iter().rposition(|b| *b != b'0').map_or(0, |last| last + 1);
            out.truncate(start + kept);
        }
    }
}

/// Days since 1970-01-01 and nanoseconds of the day of a timestamp counted in `unit`.
pub fn split_timestamp(value: i64, unit: TimeUnit) -> (i64, i64) {
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => NANOS_OF_SECOND,
    };
    let per_day = per_second * SECONDS_OF_DAY;
    (value.div_euclid(per_day), value.rem_euclid(per_day) * (NANOS_OF_DAY / per_day))
}

/// Appends a timestamp: date, `separator`, time of day. The caller adds `Z` where it belongs.
pub fn push_timestamp(
    out: &mut Vec<u8>,
    value: i64,
    unit: TimeUnit,
    separator: u8,
    style: TimeStyle,
) {
    let (days, nanos) = split_timestamp(value, unit);
    push_date(out, days);
    out.push(separator);
    push_time(out, nanos, style);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_as_java() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-12.5, "-12.5"),
            (0.001, "0.001"),
            (0.000_999, "9.99E-4"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (12_345_678.9, "1.23456789E7"),
            (1e23, "1.0E23"),
            (2e-3, "0.002"),
            (1.1e-5, "1.1E-5"),
            (1.0 / 3.0, "0.3333333333333333"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (5e-324, "4.9E-324"),
            (1e-323, "9.9E-324"),
            (9_007_199_254_740_993.0, "9.007199254740992E15"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(text(|o| push_double(o, value)), expected);
        }
    }

    #[test]
    fn floats_as_java() {
        for (value, expected) in [
            (0.1_f32, "0.1"),
            (1e10, "1.0E10"),
            (3.402_823_5e38, "3.4028235E38"),
            (1e-45, "1.4E-45"),
            (16_777_216.0, "1.6777216E7"),
            (-0.5, "-0.5"),
        ] {
            assert_eq!(text(|o| push_float(o, value)), expected);
        }
    }

    #[test]
    fn decimals_as_java() {
        for (unscaled, scale, plain, java) in [
            (0, 0, "0", "0"),
            (12_345, 2, "123.45", "123.45"),
            (-5, 2, "-0.05", "-0.05"),
            (1, 6, "0.000001", "0.000001"),
            (1, 7, "0.0000001", "1E-7"),
            (-123, 10, "-0.0000000123", "-1.23E-8"),
            (0, 3, "0.000", "0.000"),
            (
                10_i128.pow(37),
                0,
                "10000000000000000000000000000000000000",
                "10000000000000000000000000000000000000",
            ),
            (
                i128::MAX,
                38,
                "1.70141183460469231731687303715884105727",
                "1.70141183460469231731687303715884105727",
            ),
        ] {
            assert_eq!(text(|o| push_decimal_plain(o, unscaled, scale)), plain);
            assert_eq!(text(|o| push_decimal(o, unscaled, scale)), java);
        }
    }

    #[test]
    fn stripped_decimals_as_jackson() {
        for (unscaled, scale, plain, scientific) in [
            (0, 2, "0", "0"),
            (150, 2, "1.5", "1.5"),
            (100_000, 0, "100000", "1E+5"),
            (-12_000, 1, "-1200", "-1.2E+3"),
            (10, 8, "0.0000001", "1E-7"),
        ] {
            assert_eq!(text(|o| push_decimal_stripped(o, unscaled, scale, false)), plain);
            assert_eq!(text(|o| push_decimal_stripped(o, unscaled, scale, true)), scientific);
        }
    }

    #[test]
    fn times_as_java() {
        for (ms, java, instant, sql) in [
            (0, "1970-01-01T00:00", "1970-01-01T00:00:00", "1970-01-01T00:00:00"),
            (-1, "1969-12-31T23:59:59.999", "1969-12-31T23:59:59.999", "1969-12-31T23:59:59.999"),
            (
                951_782_400_120,
                "2000-02-29T00:00:00.120",
                "2000-02-29T00:00:00.120",
                "2000-02-29T00:00:00.12",
            ),
            (
                253_402_300_800_000,
                "+10000-01-01T00:00",
                "+10000-01-01T00:00:00",
                "+10000-01-01T00:00:00",
            ),
        ] {
            for (style, expected) in
                [(TimeStyle::Java, java), (TimeStyle::Instant, instant), (TimeStyle::Sql, sql)]
            {
                let unit = TimeUnit::Millisecond;
                assert_eq!(text(|o| push_timestamp(o, ms, unit, b'T', style)), expected);
            }
        }
        let micros = |o: &mut Vec<u8>| push_time(o, 1_000, TimeStyle::Java);
        assert_eq!(text(micros), "00:00:00.000001");
    }

    #[test]
    fn days_and_back() {
        for days in (-1_000_000..1_000_000).step_by(97) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
            assert!(day >= 1 && day <= days_in_month(year, month));
        }
        assert_eq!(civil_from_days(19_782), (2024, 2, 29));
    }
}
