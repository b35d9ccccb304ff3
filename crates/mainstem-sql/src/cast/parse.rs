//! Strings read as values: the grammars that Flink's CAST accepts.
//! Invariant: a reader answers `None` for text that is not of its grammar; what that means (an error or NULL) is the
//! cast mode's.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType,
};
use arrow_array::{ArrayRef, BooleanArray};
use mainstem_core::{Error, Result, TypeKind};

use super::{CastMode, decimal as exact, temporal, unsupported};
use crate::functions::temporal::calendar::{DAY_MS, Date, days_in_month};
use crate::lift::{self, Convert};
use crate::session::Session;

fn invalid(text: &str, to: &str) -> Error {
    Error::user(format!("cannot cast '{text}' to {to}"))
        .with_hint("TRY_CAST gives NULL for what cannot be cast")
}

/// The cast of a string to a boolean, number, date, time or timestamp.
pub(super) fn from_string(
    from: &TypeKind,
    to: &TypeKind,
    mode: CastMode,
    session: &Session,
) -> Result<Convert> {
    let name = to.to_string();
    Ok(match to {
        TypeKind::Boolean => Arc::new(move |array| booleans(array, mode, &name)),
        TypeKind::TinyInt => integers::<Int8Type>(mode, name),
        TypeKind::SmallInt => integers::<Int16Type>(mode, name),
        TypeKind::Int => integers::<Int32Type>(mode, name),
        TypeKind::BigInt => integers::<Int64Type>(mode, name),
        TypeKind::Float => primitive::<Float32Type, _>(mode, name, |t| {
            approximate(t).and_then(|digits| digits.read::<f32>())
        }),
        TypeKind::Double => primitive::<Float64Type, _>(mode, name, |t| {
            approximate(t).and_then(|digits| digits.read::<f64>())
        }),
        TypeKind::Decimal { precision, scale } => {
            let (precision, scale) = (*precision, *scale);
            let read = move |t: &str| decimal(t, precision, scale).flatten();
            let unscaled = primitive::<Decimal128Type, _>(mode, name, read);
            Arc::new(move |array| {
                let values = unscaled(array)?;
                let typed = values
                    .as_primitive::<Decimal128Type>()
                    .clone()
                    .with_precision_and_scale(precision, scale as i8)?;
                Ok(Arc::new(typed))
            })
        }
        TypeKind::Date => primitive::<Date32Type, _>(mode, name, date),
        TypeKind::Time { precision } => {
            let precision = *precision;
            primitive::<Time32MillisecondType, _>(mode, name, move |t| {
                time(t).map(|ms| temporal::truncate_time(ms, precision))
            })
        }
        TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. } => {
            return Ok(timestamps(to, mode, session));
        }
        _ => return Err(unsupported(from, to)),
    })
}

fn primitive<O, F>(mode: CastMode, name: String, read: F) -> Convert
where
    O: ArrowPrimitiveType,
    F: Fn(&str) -> Option<O::Native> + Send + Sync + 'static,
{
    Arc::new(move |array| {
        lift::parse::<O, _>(array, |text| match read(text) {
            Some(value) => Ok(Some(value)),
            None => mode.refuse(|| invalid(text, &name)),
        })
    })
}

fn integers<O>(mode: CastMode, name: String) -> Convert
where
    O: ArrowPrimitiveType,
    O::Native: TryFrom<i64>,
{
    primitive::<O, _>(mode, name, |t| integer(t).and_then(|v| O::Native::try_from(v).ok()))
}

fn booleans(array: &ArrayRef, mode: CastMode, name: &str) -> Result<ArrayRef> {
    let flags: BooleanArray = array
        .as_string::<i32>()
        .iter()
        .map(|text| match text {
            None => Ok(None),
            Some(text) => match boolean(text) {
                Some(flag) => Ok(Some(flag)),
                None => mode.refuse(|| invalid(text, name)),
            },
        })
        .collect::<Result<_>>()?;
    Ok(Arc::new(flags))
}

fn timestamps(to: &TypeKind, mode: CastMode, session: &Session) -> Convert {
    let (precision, zone) = match to {
        TypeKind::TimestampLtz { precision } => (*precision, session.time_zone),
        TypeKind::Timestamp { precision } => (*precision, chrono_tz::UTC),
        _ => (3, chrono_tz::UTC),
    };
    let (name, arrow) = (to.to_string(), to.clone().nullable().to_arrow());
    Arc::new(move |array| {
        let raw = lift::parse::<Int64Type, _>(array, |text| {
            let read = timestamp(text).and_then(|(ms, nanos)| {
                let (ms, nanos) = temporal::truncate(ms, nanos, precision);
                temporal::join(temporal::local_to_utc(zone, ms), nanos, precision)
            });
            match read {
                Some(value) => Ok(Some(value)),
                None => mode.refuse(|| invalid(text, &name)),
            }
        })?;
        temporal::typed(&raw, &arrow)
    })
}

/// The words of Flink for true and false, in any case; blanks are not trimmed.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    let is_one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(&["t", "true", "y", "yes", "1"]) {
        Some(true)
    } else if is_one_of(&["f", "false", "n", "no", "0"]) {
        Some(false)
    } else {
        None
    }
}

/// A whole number; a fraction is read and cut off (`1.9` is 1), blanks around it are trimmed.
pub(crate) fn integer(text: &str) -> Option<i64> {
    let text = text.trim_matches(' ').as_bytes();
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let whole = digits.iter().position(|b| *b == b'.').unwrap_or(digits.len());
    // Counted downwards, because the least number has no positive twin.
    let mut value = 0i64;
    for digit in &digits[..whole] {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))?;
    }
    if !digits.get(whole + 1..).unwrap_or_default().iter().all(u8::is_ascii_digit) {
        return None;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// What `Double.parseDouble` would read, checked but not yet converted.
enum Approximate<'a> {
    Special(f64),
    Digits(&'a str),
}

impl Approximate<'_> {
    fn read<T: std::str::FromStr + FromDouble>(&self) -> Option<T> {
        match self {
            Self::Special(value) => Some(T::from_double(*value)),
            Self::Digits(digits) => digits.parse().ok(),
        }
    }
}

trait FromDouble {
    fn from_double(value: f64) -> Self;
}

impl FromDouble for f32 {
    fn from_double(value: f64) -> Self {
        value as f32
    }
}

impl FromDouble for f64 {
    fn from_double(value: f64) -> Self {
        value
    }
}

/// Java's grammar: blanks around, a sign, `NaN`, `Infinity`, digits with an exponent, an `f` or `d` behind; or
/// hexadecimal digits with a power of two (`0x1.8p3`).
fn approximate(text: &str) -> Option<Approximate<'_>> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned {
        "NaN" => return Some(Approximate::Special(f64::NAN)),
        "Infinity" => return Some(Approximate::Special(sign * f64::INFINITY)),
        _ => {}
    }
    if let Some(digits) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        return hexadecimal(digits).map(|value| Approximate::Special(sign * value));
    }
    let digits = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    let is_number = digits.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    (is_number && digits.bytes().any(|b| b.is_ascii_digit())).then_some(Approximate::Digits(digits))
}

/// `1.8p3`: at most 13 hexadecimal digits, which a double holds exactly.
fn hexadecimal(text: &str) -> Option<f64> {
    let text = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 13 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let value = u64::from_str_radix(&digits, 16).ok()? as f64;
    let exponent: i32 = exponent.parse().ok()?;
    let power = exponent.checked_sub(i32::try_from(fraction.len()).ok()? * 4)?;
    Some(value * 2f64.powi(power))
}

/// A decimal with an optional exponent, rounded half up to `scale`. `None` if it is no number, `Some(None)` if it
/// does not fit.
pub(crate) fn decimal(text: &str, precision: u8, scale: u8) -> Option<Option<i128>> {
    let text = text.trim_matches(' ');
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], unsigned[at + 1..].parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if mantissa.is_empty() || !digits().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Digits left of the wanted scale's last place, the rest only rounds.
    let kept = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let mut value = 0i128;
    let mut round_up = false;
    for (index, digit) in (0i64..).zip(digits()) {
        if index == kept {
            round_up = digit >= b'5';
            break;
        } else if index < kept {
            value = match value.checked_mul(10) {
                Some(shifted) if shifted < exact::power_of_ten(38) => {
                    shifted + i128::from(digit - b'0')
                }
                _ => return Some(None),
            };
        }
    }
    let missing = kept - i64::try_from(whole.len() + fraction.len()).ok()?;
    if missing > 0 && value != 0 {
        let factor = u32::try_from(missing).ok().filter(|m| *m <= 38).map(exact::power_of_ten);
        match factor.and_then(|factor| value.checked_mul(factor)) {
            Some(shifted) => value = shifted,
            None => return Some(None),
        }
    }
    value += i128::from(round_up);
    let fits = value < exact::power_of_ten(u32::from(precision));
    Some(fits.then_some(if negative { -value } else { value }))
}

fn digits(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() || text.len() > 9 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// `yyyy[-MM[-dd]]`, with or without leading zeros; what follows a blank is not read.
pub(crate) fn date(text: &str) -> Option<i32> {
    let text = match text.find(' ') {
        Some(at) if at > 0 => &text[..at],
        _ => text,
    };
    let mut parts = text.splitn(3, '-');
    let year = digits(parts.next()?)?;
    let month = parts.next().map_or(Some(1), digits)?;
    let day = parts.next().map_or(Some(1), digits)?;
    let valid = (0..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day);
    valid.then(|| Date { year, month, day }.to_days() as i32)
}

/// `HH[:mm[:ss[.fff]]][+-HH[:mm]]` as milliseconds of the day; an offset is added (`+`) or taken off.
pub(crate) fn time(text: &str) -> Option<i32> {
    let (clock, sign, offset) = match text.find('-').or_else(|| text.find('+')) {
        Some(at) => {
            (&text[..at], if text.as_bytes()[at] == b'-' { -1 } else { 1 }, &text[at + 1..])
        }
        None => (text, 1, "0"),
    };
    let (offset_hours, offset_minutes) = match offset.split_once(':') {
        Some((hours, minutes)) => (digits(hours)?, digits(minutes)?),
        None => (digits(offset)?, 0),
    };
    let mut parts = clock.splitn(3, ':');
    let hour = digits(parts.next()?)?;
    let minute = parts.next().map_or(Some(0), digits)?;
    let (second, ms) = match parts.next() {
        None => (0, 0),
        Some(rest) => match rest.split_once('.') {
            None => (digits(rest)?, 0),
            Some((second, fraction)) => (digits(second)?, milliseconds(fraction.trim())),
        },
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let minutes = (hour + sign * offset_hours) * 60 + minute + sign * offset_minutes;
    i32::try_from((minutes * 60 + second) * 1000 + ms).ok()
}

/// Three digits of a fraction, the fourth one rounds.
fn milliseconds(fraction: &str) -> i64 {
    let digit = |at: usize| match fraction.as_bytes().get(at) {
        Some(b) if b.is_ascii_digit() => i64::from(b - b'0'),
        _ => 0,
    };
    digit(0) * 100 + digit(1) * 10 + digit(2) + i64::from(digit(3) >= 5)
}

/// `yyyy-M-d[ H:m:s[.fffffffff]]` as milliseconds and nanoseconds of the millisecond.
pub(crate) fn timestamp(text: &str) -> Option<(i64, i64)> {
    let (day, clock) = match text.split_once(' ') {
        Some((day, clock)) => (day, Some(clock)),
        None => (text, None),
    };
    let (year, month_day) = year_of_era(day)?;
    let (month, day) = month_day.split_once('-')?;
    let (month, day) = (two_digits(month)?, two_digits(day)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Java's lenient side: the 30th of February is its last day.
    let day = day.min(days_in_month(year, month));
    let midnight = Date { year, month, day }.to_days() * DAY_MS;
    let Some(clock) = clock else { return Some((midnight, 0)) };
    let (hour, rest) = clock.split_once(':')?;
    let (minute, rest) = rest.split_once(':')?;
    let (second, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let (hour, minute, second) = (two_digits(hour)?, two_digits(minute)?, two_digits(second)?);
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = nanos.fold(0, |sum, b| sum * 10 + i64::from(b - b'0'));
    let end_of_day = hour == 24 && minute == 0 && second == 0 && nanos == 0;
    if (hour > 23 && !end_of_day) || minute > 59 || second > 59 {
        return None;
    }
    let ms = midnight + ((hour * 60 + minute) * 60 + second) * 1000 + nanos / 1_000_000;
    Some((ms, nanos % 1_000_000))
}

/// Four digits, or a plus and more than four; year 0 is not one. Gives what follows the hyphen too.
fn year_of_era(text: &str) -> Option<(i64, &str)> {
    let (year, rest) = text.split_once('-')?;
    let (digits_wanted, year) = match year.strip_prefix('+') {
        Some(long) => (5..=9, long),
        None => (4..=4, year),
    };
    let plain = year.bytes().all(|b| b.is_ascii_digit());
    let value =
        (plain && digits_wanted.contains(&year.len())).then(|| year.parse::<i64>().ok())??;
    (value > 0).then_some((value, rest))
}

fn two_digits(text: &str) -> Option<i64> {
    match text.as_bytes() {
        [a] if a.is_ascii_digit() => Some(i64::from(a - b'0')),
        [a, b] if a.is_ascii_digit() && b.is_ascii_digit() => {
            Some(i64::from(a - b'0') * 10 + i64::from(b - b'0'))
        }
        _ => None,
    }
}
