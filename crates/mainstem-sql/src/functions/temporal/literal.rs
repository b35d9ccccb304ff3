//! The literals DATE '..', TIME '..', TIMESTAMP '..' and INTERVAL '..' unit [TO unit].
//! Invariant: a literal that cannot be read is an error of the statement, never NULL.

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{
    ArrayRef, Date32Array, DurationMillisecondArray, IntervalYearMonthArray, PrimitiveArray,
    Time32MillisecondArray,
};
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::Unit;
use super::calendar::{DAY_MS, Date, days_in_month};
use crate::cast::temporal::{join, typed};

fn illegal(what: &str, text: &str, format: &str) -> Error {
    Error::user(format!("illegal {what} literal '{text}': not in format '{format}'"))
}

/// `DATE 'text'`: DATE NOT NULL and its value (length 1).
pub fn date(text: &str) -> Result<(DataType, ArrayRef)> {
    let days = read_date(text.trim()).ok_or_else(|| illegal("DATE", text, "yyyy-MM-dd"))?;
    Ok((TypeKind::Date.not_null(), Arc::new(Date32Array::from(vec![days as i32]))))
}

/// `TIME 'text'`: TIME(digits of the fraction, 3 at the most) NOT NULL.
pub fn time(text: &str) -> Result<(DataType, ArrayRef)> {
    let (seconds, nanos, digits) =
        read_clock(text.trim()).ok_or_else(|| illegal("TIME", text, "HH:mm:ss"))?;
    let precision = digits.min(3);
    let ms = (seconds * 1000 + nanos / 1_000_000) as i32;
    Ok((TypeKind::Time { precision }.not_null(), Arc::new(Time32MillisecondArray::from(vec![ms]))))
}

/// `TIMESTAMP 'text'`: TIMESTAMP(digits of the fraction, 9 at the most) NOT NULL.
pub fn timestamp(text: &str) -> Result<(DataType, ArrayRef)> {
    let wrong = || illegal("TIMESTAMP", text, "yyyy-MM-dd HH:mm:ss");
    let trimmed = text.trim();
    let (day, clock) = trimmed.split_once(' ').unwrap_or((trimmed, "00:00:00"));
    let days = read_date(day).ok_or_else(wrong)?;
    let (seconds, nanos, digits) = read_clock(clock.trim_start()).ok_or_else(wrong)?;
    let kind = TypeKind::Timestamp { precision: digits };
    let ms = days * DAY_MS + seconds * 1000 + nanos / 1_000_000;
    let value = join(ms, nanos % 1_000_000, digits).ok_or_else(|| {
        Error::user(format!("the TIMESTAMP literal '{text}' is out of the range of {kind}"))
            .with_hint("timestamps of more than 6 digits reach from 1677 to 2262")
    })?;
    let raw: ArrayRef = Arc::new(PrimitiveArray::<Int64Type>::from(vec![value]));
    let array = typed(&raw, &kind.clone().nullable().to_arrow())?;
    Ok((kind.not_null(), array))
}

fn number(text: &str, digits_max: usize) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (plain && text.len() <= digits_max).then(|| text.parse().ok())?
}

fn read_date(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) =
        (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let valid = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day);
    valid.then(|| Date { year, month, day }.to_days())
}

/// Seconds of the day, nanoseconds and how many digits those were written with.
fn read_clock(text: &str) -> Option<(i64, i64, u8)> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.splitn(3, ':');
    let (hour, minute, second) =
        (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if hour > 23 || minute > 59 || second > 59 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.len().min(9);
    let nanos = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = nanos.fold(0, |sum, b| sum * 10 + i64::from(b - b'0'));
    Some((hour * 3600 + minute * 60 + second, nanos, digits as u8))
}

/// Digits of the leading field unless a precision is written (`DAY(3)`).
const LEADING_DIGITS: u8 = 2;

/// `INTERVAL [-] 'text' from [TO to]`: an interval of one of the two kinds, NOT NULL.
pub fn interval(
    negative: bool,
    text: &str,
    from: Unit,
    to: Option<Unit>,
) -> Result<(DataType, ArrayRef)> {
    interval_with_precision(negative, text, from, None, to)
}

/// [`interval`] with the leading field's precision: `INTERVAL '100' DAY(3)`.
pub fn interval_with_precision(
    negative: bool,
    text: &str,
    from: Unit,
    precision: Option<u8>,
    to: Option<Unit>,
) -> Result<(DataType, ArrayRef)> {
    let range = match to {
        Some(to) => format!("{from} TO {to}"),
        None => from.to_string(),
    };
    let wrong =
        || Error::user(format!("illegal interval literal format '{text}' for INTERVAL {range}"));
    let trimmed = text.trim();
    let (text_negative, fields) = match trimmed.as_bytes().first() {
        Some(b'-') => (true, &trimmed[1..]),
        Some(b'+') => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    let digits = usize::from(precision.unwrap_or(LEADING_DIGITS));
    let value = read_fields(fields, from, to).ok_or_else(wrong)?;
    if value.leading_digits > digits {
        return Err(Error::user(format!(
            "interval field value {} exceeds precision of {from}({digits}) field",
            value.leading
        ))
        .with_hint(format!("write INTERVAL '{text}' {from}({})", value.leading_digits)));
    }
    let signed = if negative != text_negative { -value.total } else { value.total };
    if from.months().is_some() {
        let months = IntervalYearMonthArray::from(vec![signed as i32]);
        return Ok((TypeKind::IntervalYearMonth.not_null(), Arc::new(months)));
    }
    let ms = DurationMillisecondArray::from(vec![signed]);
    Ok((TypeKind::IntervalDayTime.not_null(), Arc::new(ms)))
}

struct Fields {
    /// Months or milliseconds.
    total: i64,
    leading: i64,
    leading_digits: usize,
}

/// The units of a range, from its first to its last, with what stands between them.
fn range(from: Unit, to: Option<Unit>) -> Option<Vec<(Unit, char)>> {
    let alone = [
        Unit::Year,
        Unit::Quarter,
        Unit::Month,
        Unit::Week,
        Unit::Day,
        Unit::Hour,
        Unit::Minute,
        Unit::Second,
    ];
    let Some(to) = to else { return alone.contains(&from).then(|| vec![(from, ' ')]) };
    if (from, to) == (Unit::Year, Unit::Month) {
        return Some(vec![(Unit::Year, '-'), (Unit::Month, ' ')]);
    }
    let order = [(Unit::Day, ' '), (Unit::Hour, ':'), (Unit::Minute, ':'), (Unit::Second, ' ')];
    let at = |unit| order.iter().position(|(known, _)| *known == unit);
    let (first, last) = (at(from)?, at(to)?);
    (first < last).then(|| order[first..=last].to_vec())
}

fn read_fields(text: &str, from: Unit, to: Option<Unit>) -> Option<Fields> {
    let units = range(from, to)?;
    let mut rest = text;
    let mut fields = Fields { total: 0, leading: 0, leading_digits: 0 };
    for (index, (unit, separator)) in units.iter().enumerate() {
        let last = index + 1 == units.len();
        let part = if last {
            std::mem::take(&mut rest)
        } else {
            let (part, behind) = rest.split_once(*separator)?;
            rest = behind;
            part
        };
        let (whole, fraction) = match part.split_once('.') {
            Some((whole, fraction)) if *unit == Unit::Second => (whole, fraction),
            Some(_) => return None,
            None => (part, ""),
        };
        let value = number(whole, 9)?;
        if index == 0 {
            fields.leading = value;
            fields.leading_digits = whole.trim_start_matches('0').len();
        } else if value > most(*unit) {
            return None;
        }
        if !fraction.bytes().all(|b| b.is_ascii_digit()) || fraction.len() > 9 {
            return None;
        }
        let ms = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
        let ms = ms.fold(0, |sum, b| sum * 10 + i64::from(b - b'0'));
        fields.total += value * unit.months().or(unit.milliseconds())? + ms;
    }
    Some(fields)
}

/// The greatest value of a unit that is not the first.
fn most(unit: Unit) -> i64 {
    match unit {
        Unit::Month => 11,
        Unit::Hour => 23,
        _ => 59,
    }
}
