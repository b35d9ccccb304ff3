//! Moments in time: when they are, and how they read as text.
//! Invariant: a moment is ms since 1970 in UTC; texts have the form that a TIMESTAMP column parses back.
//! Patterns are Java's `DateTimeFormatter` letters as far as numbers go, and English month and day names.

use mainstem_core::clock::Rng;
use mainstem_core::java_format::{civil_from_days, days_from_civil, days_in_month};
use mainstem_core::{Error, Result};

const DAY_MS: i64 = 86_400_000;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// Which moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Moment {
    /// `min_ms .. min_ms + span_ms` from the time at which the row appears; negative is the past.
    Around { min_ms: i64, span_ms: u64 },
    /// A day so many years ago.
    Birthday { min_years: i64, max_years: i64 },
    /// From `from_ms`, up to but without `from_ms + span_ms`.
    Between { from_ms: i64, span_ms: u64 },
    /// `start_ms + row * step_ms`.
    Steps { start_ms: i64, step_ms: i64 },
}

impl Moment {
    /// The moment of a value.
    #[inline]
    pub(super) fn at(&self, rng: &mut Rng, row: u64, now_ms: i64) -> i64 {
        match *self {
            Moment::Around { min_ms, span_ms } => {
                now_ms + min_ms + rng.below(span_ms).cast_signed()
            }
            Moment::Between { from_ms, span_ms } => from_ms + rng.below(span_ms).cast_signed(),
            Moment::Steps { start_ms, step_ms } => {
                start_ms.wrapping_add(row.cast_signed().wrapping_mul(step_ms))
            }
            Moment::Birthday { min_years, max_years } => {
                let today = now_ms.div_euclid(DAY_MS);
                let first = years_before(today, max_years);
                let days = (years_before(today, min_years) - first).unsigned_abs().max(1);
                (first + rng.below(days).cast_signed()) * DAY_MS
            }
        }
    }
}

fn years_before(days: i64, years: i64) -> i64 {
    let (year, month, day) = civil_from_days(days);
    let year = year - years;
    days_from_civil(year, month, day.min(days_in_month(year, month)))
}

/// How a moment reads.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Style {
    /// `2026-01-02 03:04:05.678`.
    Sql,
    /// `2026-01-02T03:04:05.678Z`.
    Iso,
    /// Nanoseconds of the day, as datafaker's `time` has it.
    NanoOfDay,
    /// As the pattern says.
    Pattern(Vec<Piece>),
}

/// A run of one pattern letter, or text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Letter(char, usize),
    Text(String),
}

impl Style {
    /// Reads a Java date pattern.
    pub(super) fn pattern(text: &str) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\'' {
                let mut literal = String::new();
                for c in chars.by_ref().take_while(|c| *c != '\'') {
                    literal.push(c);
                }
                pieces.push(Piece::Text(if literal.is_empty() { "'".into() } else { literal }));
            } else if c.is_ascii_alphabetic() {
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                if !"yuMdHhmsSEaDXZz".contains(c) {
                    return Err(Error::user(format!(
                        "date pattern '{text}': the letter '{c}' is not supported"
                    ))
                    .with_hint("use y M d D H h m s S E a X, and quotes around text"));
                }
                pieces.push(Piece::Letter(c, count));
            } else {
                pieces.push(Piece::Text(c.to_string()));
            }
        }
        Ok(Style::Pattern(pieces))
    }

    /// Appends the moment's text.
    pub(super) fn write(&self, ms: i64, out: &mut String) {
        let days = ms.div_euclid(DAY_MS);
        let of_day = ms.rem_euclid(DAY_MS) as u64;
        match self {
            Style::Sql => {
                date(days, out);
                out.push(' ');
                time(of_day, out);
            }
            Style::Iso => {
                date(days, out);
                out.push('T');
                time(of_day, out);
                out.push('Z');
            }
            Style::NanoOfDay => out.push_str(itoa::Buffer::new().format(of_day * 1_000_000)),
            Style::Pattern(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => out.push_str(text),
                        Piece::Letter(c, count) => letter(*c, *count, days, of_day, out),
                    }
                }
            }
        }
    }
}

fn date(days: i64, out: &mut String) {
    let (year, month, day) = civil_from_days(days);
    padded(year.unsigned_abs(), 4, out);
    out.push('-');
    padded(u64::from(month), 2, out);
    out.push('-');
    padded(u64::from(day), 2, out);
}

fn time(ms_of_day: u64, out: &mut String) {
    padded(ms_of_day / 3_600_000, 2, out);
    out.push(':');
    padded(ms_of_day / 60_000 % 60, 2, out);
    out.push(':');
    padded(ms_of_day / 1_000 % 60, 2, out);
    out.push('.');
    padded(ms_of_day % 1_000, 3, out);
}

/// `value` with zeros before it up to `width` digits.
pub(super) fn padded(value: u64, width: usize, out: &mut String) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value);
    for _ in digits.len()..width {
        out.push('0');
    }
    out.push_str(digits);
}

fn letter(c: char, count: usize, days: i64, of_day: u64, out: &mut String) {
    let (year, month, day) = civil_from_days(days);
    let hour = of_day / 3_600_000;
    match c {
        'y' | 'u' if count == 2 => padded(year.rem_euclid(100).unsigned_abs(), 2, out),
        'y' | 'u' => padded(year.unsigned_abs(), count, out),
        'M' if count == 3 => out.push_str(&MONTHS[month as usize - 1][..3]),
        'M' if count > 3 => out.push_str(MONTHS[month as usize - 1]),
        'M' => padded(u64::from(month), count, out),
        'd' => padded(u64::from(day), count, out),
        'D' => padded((days - days_from_civil(year, 1, 1) + 1).unsigned_abs(), count, out),
        'E' => {
            let name = DAYS[days.rem_euclid(7) as usize];
            out.push_str(if count > 3 { name } else { &name[..3] });
        }
        'a' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
        'H' => padded(hour, count, out),
        'h' => padded((hour + 11) % 12 + 1, count, out),
        'm' => padded(of_day / 60_000 % 60, count, out),
        's' => padded(of_day / 1_000 % 60, count, out),
        'S' => {
            let mut nanos = String::new();
            padded(of_day % 1_000 * 1_000_000, 9, &mut nanos);
            out.push_str(&nanos[..count.min(9)]);
        }
        'Z' => out.push_str("+0000"),
        'z' => out.push_str("UTC"),
        _ => out.push('Z'),
    }
}

/// The ms of `count` units, where a unit is a `TimeUnit` or `ChronoUnit` of Java.
pub(super) fn span_ms(count: i64, unit: &str) -> Result<i64> {
    let upper = unit.to_ascii_uppercase();
    let ms = match upper.trim_end_matches('S') {
        "NANOSECOND" | "NANO" => return Ok(count / 1_000_000),
        "MICROSECOND" | "MICRO" => return Ok(count / 1_000),
        "MILLISECOND" | "MILLI" => 1,
        "SECOND" => 1_000,
        "MINUTE" => 60_000,
        "HOUR" => 3_600_000,
        "DAY" => DAY_MS,
        "WEEK" => 7 * DAY_MS,
        _ => {
            return Err(Error::user(format!("'{unit}' is no unit of time"))
                .with_hint("use MILLISECONDS, SECONDS, MINUTES, HOURS or DAYS"));
        }
    };
    count.checked_mul(ms).ok_or_else(|| Error::user(format!("{count} {unit} is too long a time")))
}

/// Reads `2026-01-02`, `2026-01-02 03:04`, `... 03:04:05` or `... 03:04:05.678`, with a blank or a T, in UTC; the
/// result is in nanoseconds.
pub(super) fn parse_nanos(text: &str) -> Option<i128> {
    let text = text.trim().trim_end_matches('Z');
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    let mut parts = date.splitn(3, '-').map(|p| p.parse::<u32>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let year = i64::from(year);
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    Some(
        i128::from(days_from_civil(year, month, day)) * 86_400_000_000_000
            + i128::from(parse_time_nanos(time)?),
    )
}

/// Reads `03:04`, `03:04:05` or `03:04:05.678` as nanoseconds of the day.
pub(super) fn parse_time_nanos(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let hour: i64 = parts.next()?.parse().ok().filter(|h| (0..24).contains(h))?;
    let minute: i64 = parts.next()?.parse().ok().filter(|m| (0..60).contains(m))?;
    let (second, fraction) = match parts.next() {
        None => (0, ""),
        Some(rest) => {
            let (second, fraction) = rest.split_once('.').unwrap_or((rest, ""));
            (second.parse().ok().filter(|s| (0..60).contains(s))?, fraction)
        }
    };
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    Some(((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_their_style_says() {
        let ms = 1_767_323_045_678;
        let rows = [
            (Style::Sql, "2026-01-02 03:04:05.678"),
            (Style::Iso, "2026-01-02T03:04:05.678Z"),
            (Style::NanoOfDay, "11045678000000"),
            (Style::pattern("dd/MM/yy h:mm a 'o''clock'").unwrap(), "02/01/26 3:04 AM oclock"),
            (
                Style::pattern("EEE, d MMM yyyy HH:mm:ss.SSSSSS").unwrap(),
                "Fri, 2 Jan 2026 03:04:05.678000",
            ),
            (Style::pattern("yyyy-DDD").unwrap(), "2026-002"),
        ];
        for (style, expected) in rows {
            let mut out = String::new();
            style.write(ms, &mut out);
            assert_eq!(out, expected);
        }
        assert!(Style::pattern("yyyy-QQ").is_err());
    }

    #[test]
    fn texts_are_parsed() {
        let second = 1_000_000_000i128;
        let rows = [
            ("2026-01-02 03:04:05.678", Some(1_767_323_045_678 * second / 1000)),
            ("2026-01-02T03:04:05Z", Some(1_767_323_045 * second)),
            ("2026-01-02", Some(1_767_312_000 * second)),
            ("1969-12-31 23:59", Some(-60 * second)),
            ("2026-02-30", None),
            ("2026-01-02 25:00:00", None),
            ("soon", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_nanos(text), expected, "{text}");
        }
    }
}
