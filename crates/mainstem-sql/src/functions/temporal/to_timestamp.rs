//! TO_TIMESTAMP and TO_TIMESTAMP_LTZ.
//! Invariant: what cannot be read is NULL, but for TO_TIMESTAMP_LTZ(string) without a pattern, which fails as Flink's
//! does. Instants outside the years 0 to 9999 are NULL.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::calendar::{DAY_MS, Date};
use super::compiled::Patterns;
use super::date_format::DEFAULT_PATTERN;
use super::pattern::{Dialect, Pattern};
use super::zone::Zone;
use crate::cast::parse;
use crate::cast::temporal::{join, truncate, typed};
use crate::functions::signature::{
    Want, arity, constant_integer, constant_text, expect, mismatch, partial,
};
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::lift;
use crate::session::Session;

/// 0000-01-01 00:00:00 and 9999-12-31 23:59:59.999 UTC.
const INSTANTS_MS: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

pub(super) static TO_TIMESTAMP: ScalarFunction = ScalarFunction {
    name: "TO_TIMESTAMP",
    aliases: &[],
    usage: "TO_TIMESTAMP(string [, pattern])",
    doc: "The text read as TIMESTAMP(3), by default as yyyy-MM-dd HH:mm:ss; NULL if it is not of the pattern.",
    bind,
};

pub(super) static TO_TIMESTAMP_LTZ: ScalarFunction = ScalarFunction {
    name: "TO_TIMESTAMP_LTZ",
    aliases: &[],
    usage: "TO_TIMESTAMP_LTZ(number [, precision]) or TO_TIMESTAMP_LTZ(string [, pattern [, zone]])",
    doc: "An instant: a number of 10^-precision seconds since 1970, or text read in a time zone.",
    bind: bind_ltz,
};

fn bind(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text, Want::Text], 1)?;
    let patterned = arguments.len() == 2;
    let patterns = Patterns::bind(arguments.get(1), DEFAULT_PATTERN, Dialect::Formatter)?;
    let kind = TypeKind::Timestamp { precision: 3 };
    let arrow = kind.clone().nullable().to_arrow();
    let kernel = lift::zipped(move |arguments| {
        let raw = read_rows(
            arguments,
            |text, row_pattern| {
                let (ms, _) = match row_pattern {
                    Some(pattern) => read(pattern, text)?,
                    None => parse::timestamp(text)?,
                };
                Some(ms)
            },
            patterned.then_some(&patterns),
        )?;
        typed(&raw, &arrow)
    });
    Ok(partial(kind, types, kernel))
}

/// One text a row, with its pattern if the call has one; NULL in either is NULL.
fn read_rows<F>(arguments: &[ArrayRef], read: F, patterns: Option<&Patterns>) -> Result<ArrayRef>
where
    F: Fn(&str, Option<&Pattern>) -> Option<i64>,
{
    let texts = arguments[0].as_string::<i32>();
    let mut rows = patterns.map(|patterns| patterns.rows(arguments.get(1)));
    let mut out: Vec<Option<i64>> = Vec::with_capacity(texts.len());
    for row in 0..texts.len() {
        let pattern = match &mut rows {
            None => None,
            Some(rows) => match rows.get(row)? {
                Some(pattern) => Some(pattern),
                None => {
                    out.push(None);
                    continue;
                }
            },
        };
        out.push(if texts.is_valid(row) { read(texts.value(row), pattern) } else { None });
    }
    Ok(Arc::new(PrimitiveArray::<Int64Type>::from(out)))
}

/// By the pattern, or failing that as `java.sql.Timestamp.valueOf` or `java.sql.Date.valueOf` read.
fn read(pattern: &Pattern, text: &str) -> Option<(i64, i64)> {
    pattern.parse_strict(text).or_else(|| read_sql(text.trim()))
}

/// `yyyy-M-d` or `yyyy-M-d h:m:s[.f]`; hours, minutes and seconds may overflow.
fn read_sql(text: &str) -> Option<(i64, i64)> {
    let number = |text: &str| -> Option<i64> {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        (plain && text.len() <= 9).then(|| text.parse().ok())?
    };
    let (day, clock) = match text.split_once(' ') {
        Some((day, clock)) => (day, Some(clock)),
        None => (text, None),
    };
    let mut parts = day.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || month.len() > 2 || day.len() > 2 {
        return None;
    }
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let midnight = (Date { year, month, day: 1 }.to_days() + day - 1) * DAY_MS;
    let Some(clock) = clock else { return Some((midnight, 0)) };
    let mut parts = clock.splitn(3, ':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = nanos.fold(0, |sum, b| sum * 10 + i64::from(b - b'0'));
    let seconds = (number(hour)? * 60 + number(minute)?) * 60 + number(second)?;
    Some((midnight + seconds * 1000 + nanos / 1_000_000, nanos % 1_000_000))
}

fn bind_ltz(arguments: &[Argument], session: &Session) -> Result<Binding> {
    arity(arguments.len(), 1, Some(3))?;
    let first = &arguments[0].data_type;
    if first.kind.is_numeric() {
        return bind_number(arguments);
    }
    let types = expect(arguments, &[Want::Text, Want::Text, Want::Text], 1)?;
    let zone = match arguments.get(2).map(constant_text) {
        None => Zone::Region(session.time_zone),
        Some(Some(Some(name))) => Zone::parse(name).ok_or_else(|| {
            Error::user(format!("unknown time zone '{name}'"))
                .with_hint("zones are named Europe/Berlin, UTC or +02:00")
        })?,
        Some(_) => {
            return Err(Error::user("the time zone of TO_TIMESTAMP_LTZ must be a constant here")
                .with_hint("`mainstem deploy` runs it on Flink"));
        }
    };
    let written = arguments.get(1).and_then(constant_text).flatten();
    let precision = written.map_or(3, fraction_digits);
    let kind = TypeKind::TimestampLtz { precision };
    let arrow = kind.clone().nullable().to_arrow();
    let patterned = arguments.len() > 1;
    let patterns = Patterns::bind(arguments.get(1), DEFAULT_PATTERN, Dialect::Formatter)?;
    let instant = move |(ms, nanos): (i64, i64)| {
        let (ms, nanos) = truncate(ms, nanos, precision);
        join(zone.to_instant(ms), nanos, precision)
    };
    let kernel = lift::zipped(move |arguments| {
        let raw = if patterned {
            read_rows(arguments, |text, pattern| instant(read(pattern?, text)?), Some(&patterns))?
        } else {
            lift::parse::<Int64Type, _>(&arguments[0], |text| {
                let point = parse::timestamp(text).ok_or_else(|| {
                    Error::user(format!("cannot read '{text}' as a timestamp"))
                        .with_hint("with a pattern, text that is not of it becomes NULL")
                })?;
                Ok(instant(point))
            })?
        };
        typed(&raw, &arrow)
    });
    Ok(partial(kind, types, kernel))
}

/// Digits of the fraction that a pattern asks for, 3 at the least.
fn fraction_digits(pattern: &str) -> u8 {
    pattern.bytes().filter(|b| *b == b'S').count().clamp(3, 9) as u8
}

fn bind_number(arguments: &[Argument]) -> Result<Binding> {
    arity(arguments.len(), 1, Some(2))?;
    let digits = match arguments.get(1) {
        None => 3,
        Some(argument) => match constant_integer(argument) {
            Some(Some(digits @ 0..=9)) => digits as u8,
            Some(Some(other)) => {
                return Err(Error::user(format!(
                    "precision for TO_TIMESTAMP_LTZ must be between 0 and 9 but was {other}"
                )));
            }
            _ => return Err(mismatch(1, "a constant integer", &argument.data_type)),
        },
    };
    let precision = digits.max(3);
    let kind = TypeKind::TimestampLtz { precision };
    let arrow = kind.clone().nullable().to_arrow();
    let (wanted, number) = match &arguments[0].data_type.kind {
        TypeKind::Float | TypeKind::Double => (TypeKind::Double, Number::Double),
        TypeKind::Decimal { scale, .. } => {
            (arguments[0].data_type.kind.clone(), Number::Decimal { scale: *scale })
        }
        _ => (TypeKind::BigInt, Number::Integer),
    };
    let kernel = lift::zipped(move |arguments| {
        let raw: ArrayRef = Arc::new(number.instants(&arguments[0], digits, precision));
        typed(&raw, &arrow)
    });
    let mut types = vec![wanted.nullable()];
    if let Some(digits) = arguments.get(1) {
        types.push(DataType { ..digits.data_type.clone() });
    }
    Ok(partial(kind, types, kernel))
}

/// How the number argument is carried.
#[derive(Debug, Clone, Copy)]
enum Number {
    Integer,
    Double,
    Decimal { scale: u8 },
}

impl Number {
    /// Carried values of TIMESTAMP_LTZ(precision) from numbers of 10^-digits seconds.
    fn instants(self, array: &ArrayRef, digits: u8, precision: u8) -> PrimitiveArray<Int64Type> {
        let whole = |value: i64| instant(value, digits, precision);
        match self {
            Self::Integer => array.as_primitive::<Int64Type>().unary_opt(whole),
            // A fraction of a unit counts only where the unit is longer than what is kept.
            Self::Double => array.as_primitive::<Float64Type>().unary_opt(|value| {
                if digits < 3 {
                    let ms = value * 10f64.powi(i32::from(3 - digits));
                    instant(ms as i64, 3, precision)
                } else {
                    whole(value as i64)
                }
            }),
            Self::Decimal { scale } => {
                let unit = 10i128.pow(u32::from(scale));
                array
                    .as_primitive::<Decimal128Type>()
                    .unary_opt(|value| i64::try_from(value / unit).ok().and_then(whole))
            }
        }
    }
}

fn instant(value: i64, digits: u8, precision: u8) -> Option<i64> {
    let (ms, nanos) = if digits <= 3 {
        (value.checked_mul(10i64.pow(u32::from(3 - digits)))?, 0)
    } else {
        let per_ms = 10i64.pow(u32::from(digits - 3));
        (value.div_euclid(per_ms), value.rem_euclid(per_ms) * 10i64.pow(u32::from(9 - digits)))
    };
    INSTANTS_MS.contains(&ms).then(|| join(ms, nanos, precision))?
}
