//! PRINTF(format, value, ...): the part of `java.util.Formatter` that SQL values can meet.
//! Invariant: what Formatter refuses (a conversion that does not fit the value, too few values) is NULL, as in Flink;
//! `%a`, `%t` and values that Java prints by object identity are refused.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMillisecondType, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalYearMonthType, Time32MillisecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::TimeUnit;
use chrono::{DateTime, Timelike};
use mainstem_core::types::timestamp_unit;
use mainstem_core::{DataType, Error, Result, TypeKind};
use mainstem_engine::expr::Value;

use crate::functions::java_number;
use crate::functions::rowwise::{Reader, Sink, Text, extent, wrap};
use crate::functions::signature::{Want, expect_variadic, mismatch, partial};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};
use crate::session::Session;

pub(super) static PRINTF: ScalarFunction = ScalarFunction {
    name: "PRINTF",
    aliases: &[],
    usage: "PRINTF(format, value, ...)",
    doc: "The values put into a format of printf's kind, as Java's Formatter does it.",
    bind: bind_printf,
};

/// How wide or precise a conversion may ask to be.
const WIDTH_MAX: usize = 1 << 20;

fn bind_printf(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect_variadic(arguments, &[Want::Text], Want::Any, 1)?;
    for (index, data_type) in types.iter().enumerate().skip(1) {
        if !is_printable(&data_type.kind) {
            return Err(mismatch(index, "a scalar value that is not binary", data_type));
        }
    }
    let values_of: Vec<DataType> = types[1..].to_vec();
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let formats = Reader::<Text>::new(&values[0])?;
        let mut out = StringBuilder::with_rows(extent);
        let mut last: Option<(&str, Option<Vec<Piece>>)> = None;
        for row in 0..extent {
            let Some(format) = formats.get(row) else {
                out.append_null();
                continue;
            };
            if last.as_ref().is_none_or(|(known, _)| *known != format) {
                last = Some((format, parse(format)?));
            }
            let pieces = last.as_ref().and_then(|(_, pieces)| pieces.as_deref());
            out.append_option(pieces.and_then(|p| print(p, &values[1..], &values_of, row)));
        }
        Ok(wrap(Sink::finish(out), scalar))
    });
    Ok(partial(TypeKind::STRING, types, kernel))
}

fn is_printable(kind: &TypeKind) -> bool {
    kind.is_string()
        || kind.is_numeric()
        || matches!(
            kind,
            TypeKind::Null | TypeKind::Boolean | TypeKind::Date | TypeKind::Time { .. }
        )
        || kind.is_timestamp()
        || kind.is_interval()
}

/// A part of a format.
#[derive(Debug)]
enum Piece {
    Literal(String),
    Spec(Spec),
}

#[derive(Debug, Clone, Default)]
struct Spec {
    /// Which value: `None` the next one, else counted from 0.
    index: Option<usize>,
    /// `%<`: the value of the conversion before.
    again: bool,
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    comma: bool,
    parenthesis: bool,
    alternate: bool,
    width: Option<usize>,
    precision: Option<usize>,
    conversion: char,
}

/// The parts of a format; `None` if Formatter refuses it whatever the values are.
fn parse(format: &str) -> Result<Option<Vec<Piece>>> {
    let mut pieces = Vec::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        pieces.push(Piece::Literal(rest[..at].to_string()));
        let Some((spec, tail)) = parse_spec(&rest[at + 1..]) else { return Ok(None) };
        if matches!(spec.conversion, 'a' | 'A' | 't' | 'T' | 'h' | 'H') {
            let message = format!("the conversion %{} of PRINTF is not supported", spec.conversion);
            return Err(Error::user(message).with_hint("use d, x, o, e, f, g, s, c, b, n or %"));
        }
        if !spec.is_valid() {
            return Ok(None);
        }
        pieces.push(Piece::Spec(spec));
        rest = tail;
    }
    pieces.push(Piece::Literal(rest.to_string()));
    Ok(Some(pieces))
}

/// `[index$][flags][width][.precision]conversion`.
fn parse_spec(text: &str) -> Option<(Spec, &str)> {
    let mut spec = Spec::default();
    let mut rest = text;
    let (digits, tail) = split_digits(rest);
    if let Some(tail) = tail.strip_prefix('$') {
        spec.index = Some(digits.parse::<usize>().ok()?.checked_sub(1)?);
        rest = tail;
    } else if let Some(tail) = rest.strip_prefix('<') {
        spec.again = true;
        rest = tail;
    }
    while let Some(flag) = rest.chars().next() {
        let seen = match flag {
            '-' => &mut spec.left,
            '+' => &mut spec.plus,
            ' ' => &mut spec.space,
            '0' => &mut spec.zero,
            ',' => &mut spec.comma,
            '(' => &mut spec.parenthesis,
            '#' => &mut spec.alternate,
            _ => break,
        };
        if std::mem::replace(seen, true) {
            return None;
        }
        rest = &rest[1..];
    }
    let (digits, tail) = split_digits(rest);
    if !digits.is_empty() {
        spec.width = Some(digits.parse().ok().filter(|width| *width <= WIDTH_MAX)?);
        rest = tail;
    }
    if let Some(tail) = rest.strip_prefix('.') {
        let (digits, tail) = split_digits(tail);
        spec.precision = Some(digits.parse().ok().filter(|digits| *digits <= WIDTH_MAX)?);
        rest = tail;
    }
    spec.conversion = rest.chars().next()?;
    Some((spec.clone(), &rest[spec.conversion.len_utf8()..]))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

impl Spec {
    /// Whether Formatter takes the flags with the conversion.
    fn is_valid(&self) -> bool {
        let numeric_flags = self.plus || self.space || self.comma || self.parenthesis;
        let conflict = (self.left && self.zero) || (self.plus && self.space);
        let needs_width = (self.left || self.zero) && self.width.is_none();
        if conflict || needs_width {
            return false;
        }
        match self.conversion {
            'd' => self.precision.is_none() && !self.alternate,
            'x' | 'X' | 'o' => self.precision.is_none() && !numeric_flags,
            'e' | 'E' => !self.comma,
            'g' | 'G' => !self.alternate,
            'f' => true,
            'c' | 'C' => {
                self.precision.is_none() && !numeric_flags && !self.alternate && !self.zero
            }
            's' | 'S' | 'b' | 'B' => !numeric_flags && !self.zero && !self.alternate,
            '%' => self.precision.is_none() && !numeric_flags && !self.alternate,
            'n' => self.width.is_none() && self.precision.is_none() && !self.left,
            _ => false,
        }
    }

    fn pad(&self, text: &str) -> String {
        let width = self.width.unwrap_or(0);
        let fill = " ".repeat(width.saturating_sub(text.encode_utf16().count()));
        if self.left { format!("{text}{fill}") } else { format!("{fill}{text}") }
    }

    /// A number's digits with sign, parentheses and zeros.
    fn signed(&self, negative: bool, digits: &str) -> String {
        let (before, after) = match (negative, self.parenthesis) {
            (true, true) => ("(", ")"),
            (true, false) => ("-", ""),
            _ if self.plus => ("+", ""),
            _ if self.space => (" ", ""),
            _ => ("", ""),
        };
        let used = before.len() + digits.len() + after.len();
        let missing = self.width.unwrap_or(0).saturating_sub(used);
        let zeros = "0".repeat(if self.zero { missing } else { 0 });
        self.pad(&format!("{before}{zeros}{digits}{after}"))
    }
}

/// One value as Java holds it.
enum Item {
    Null,
    Boolean(bool),
    /// With its width in bits, for hexadecimal and octal digits.
    Integer(i64, u32),
    Real(f64, String),
    /// What only has a text: strings and decimals.
    Other(String),
}

fn print(pieces: &[Piece], values: &[Value], types: &[DataType], row: usize) -> Option<String> {
    let mut out = String::new();
    let (mut next, mut last) = (0, None);
    for piece in pieces {
        let spec = match piece {
            Piece::Literal(text) => {
                out.push_str(text);
                continue;
            }
            Piece::Spec(spec) => spec,
        };
        match spec.conversion {
            '%' => out.push_str(&spec.pad("%")),
            'n' => out.push('\n'),
            _ => {
                let index = match (spec.again, spec.index) {
                    (true, _) => last?,
                    (false, Some(index)) => index,
                    (false, None) => {
                        next += 1;
                        next - 1
                    }
                };
                last = Some(index);
                let value = values.get(index)?;
                let place = if value.is_scalar() { 0 } else { row };
                let item = item(&types[index].kind, value.array(), place)?;
                out.push_str(&convert(spec, &item)?);
            }
        }
    }
    Some(out)
}

fn item(kind: &TypeKind, array: &ArrayRef, row: usize) -> Option<Item> {
    if *kind == TypeKind::Null || array.is_null(row) {
        return Some(Item::Null);
    }
    Some(match kind {
        TypeKind::Boolean => Item::Boolean(array.as_boolean().value(row)),
        TypeKind::TinyInt => Item::Integer(array.as_primitive::<Int8Type>().value(row).into(), 8),
        TypeKind::SmallInt => {
            Item::Integer(array.as_primitive::<Int16Type>().value(row).into(), 16)
        }
        TypeKind::Int => Item::Integer(array.as_primitive::<Int32Type>().value(row).into(), 32),
        TypeKind::BigInt => Item::Integer(array.as_primitive::<Int64Type>().value(row), 64),
        TypeKind::Date => Item::Integer(array.as_primitive::<Date32Type>().value(row).into(), 32),
        TypeKind::Time { .. } => {
            Item::Integer(array.as_primitive::<Time32MillisecondType>().value(row).into(), 32)
        }
        TypeKind::IntervalYearMonth => {
            Item::Integer(array.as_primitive::<IntervalYearMonthType>().value(row).into(), 32)
        }
        TypeKind::IntervalDayTime => {
            Item::Integer(array.as_primitive::<DurationMillisecondType>().value(row), 64)
        }
        TypeKind::Timestamp { precision } | TypeKind::TimestampLtz { precision } => {
            Item::Other(local_time(array, row, *precision)?)
        }
        TypeKind::Float => {
            let x = array.as_primitive::<Float32Type>().value(row);
            Item::Real(x.into(), java_number::float(x))
        }
        TypeKind::Double => {
            let x = array.as_primitive::<Float64Type>().value(row);
            Item::Real(x, java_number::double(x))
        }
        TypeKind::Decimal { .. } => {
            Item::Other(array.as_primitive::<Decimal128Type>().value_as_string(row))
        }
        _ => Item::Other(array.as_string_opt::<i32>()?.value(row).to_string()),
    })
}

/// `LocalDateTime.toString`: no seconds if they are zero, and three, six or nine digits of their fraction.
fn local_time(array: &ArrayRef, row: usize, precision: u8) -> Option<String> {
    let time = match timestamp_unit(precision) {
        TimeUnit::Microsecond => DateTime::from_timestamp_micros(
            array.as_primitive_opt::<TimestampMicrosecondType>()?.value(row),
        )?,
        TimeUnit::Nanosecond => DateTime::from_timestamp_nanos(
            array.as_primitive_opt::<TimestampNanosecondType>()?.value(row),
        ),
        _ => DateTime::from_timestamp_millis(
            array.as_primitive_opt::<TimestampMillisecondType>()?.value(row),
        )?,
    };
    let whole = time.second() == 0 && time.nanosecond() == 0;
    let format = if whole { "%Y-%m-%dT%H:%M" } else { "%Y-%m-%dT%H:%M:%S%.f" };
    Some(time.format(format).to_string())
}

fn convert(spec: &Spec, item: &Item) -> Option<String> {
    let text = match (spec.conversion.to_ascii_lowercase(), item) {
        ('b', Item::Null | Item::Boolean(false)) => cut(spec, "false"),
        ('b', _) => cut(spec, "true"),
        ('s', Item::Null) => cut(spec, "null"),
        ('s', Item::Boolean(flag)) => cut(spec, &flag.to_string()),
        ('s', Item::Integer(n, _)) => cut(spec, &n.to_string()),
        ('s', Item::Real(_, text) | Item::Other(text)) => cut(spec, text),
        (_, Item::Null) => spec.pad("null"),
        ('c', Item::Integer(n, _)) => {
            spec.pad(&char::from_u32(u32::try_from(*n).ok()?)?.to_string())
        }
        ('d', Item::Integer(n, _)) => {
            let digits = n.unsigned_abs().to_string();
            spec.signed(*n < 0, &if spec.comma { grouped(&digits) } else { digits })
        }
        ('x' | 'o', Item::Integer(n, bits)) => unsigned(spec, *n, *bits),
        ('e' | 'f' | 'g', Item::Real(x, text)) if !x.is_finite() => spec.pad(text),
        ('e' | 'f' | 'g', Item::Real(x, text)) => real(spec, *x, text)?,
        _ => return None,
    };
    Some(if spec.conversion.is_ascii_uppercase() { text.to_uppercase() } else { text })
}

fn cut(spec: &Spec, text: &str) -> String {
    let most = spec.precision.unwrap_or(usize::MAX);
    spec.pad(&text.chars().take(most).collect::<String>())
}

fn unsigned(spec: &Spec, n: i64, bits: u32) -> String {
    let n = n as u64 & (u64::MAX >> (64 - bits));
    let (prefix, digits) = match spec.conversion {
        'o' => ("0", format!("{n:o}")),
        _ => ("0x", format!("{n:x}")),
    };
    let prefix = if spec.alternate { prefix } else { "" };
    let missing = spec.width.unwrap_or(0).saturating_sub(prefix.len() + digits.len());
    let zeros = "0".repeat(if spec.zero { missing } else { 0 });
    spec.pad(&format!("{prefix}{zeros}{digits}"))
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, c) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Rounds the digits that Java prints, halves up.
fn real(spec: &Spec, x: f64, text: &str) -> Option<String> {
    let (digits, point) = java_number::digits(text.trim_start_matches('-'));
    let precision = spec.precision.unwrap_or(6);
    let body = match spec.conversion.to_ascii_lowercase() {
        'f' => fixed(spec, &digits, point, precision),
        'e' => scientific(&digits, point, precision),
        _ => {
            let significant = precision.max(1);
            let (digits, point) = round(&digits, point, significant as i64);
            match point - 1 {
                _ if digits.is_empty() => fixed(spec, "", 0, significant - 1),
                -4.. if point <= significant as i64 => {
                    fixed(spec, &digits, point, usize::try_from(significant as i64 - point).ok()?)
                }
                _ => scientific(&digits, point, significant - 1),
            }
        }
    };
    Some(spec.signed(x.is_sign_negative(), &body))
}

fn fixed(spec: &Spec, digits: &str, point: i64, precision: usize) -> String {
    let (digits, point) = round(digits, point, point.saturating_add(precision as i64));
    let at = |place: i64| usize::try_from(place).ok().and_then(|i| digits.as_bytes().get(i));
    let digit = |place: i64| at(place).map_or('0', |b| char::from(*b));
    let whole: String = if point > 0 { (0..point).map(digit).collect() } else { "0".into() };
    let whole = if spec.comma { grouped(&whole) } else { whole };
    if precision == 0 {
        return whole;
    }
    let fraction: String = (0..precision as i64).map(|i| digit(point + i)).collect();
    format!("{whole}.{fraction}")
}

fn scientific(digits: &str, point: i64, precision: usize) -> String {
    let (digits, point) = round(digits, point, precision as i64 + 1);
    let exponent = if digits.is_empty() { 0 } else { point - 1 };
    let mut padded = digits;
    while padded.len() <= precision {
        padded.push('0');
    }
    let (first, rest) = padded.split_at(1);
    let dot = if precision > 0 { "." } else { "" };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{dot}{}e{sign}{:02}", &rest[..precision], exponent.abs())
}

/// The first `count` digits, the last one rounded half up.
fn round(digits: &str, point: i64, count: i64) -> (String, i64) {
    if count >= digits.len() as i64 {
        return (digits.to_string(), point);
    }
    if count < 0 {
        return (String::new(), 0);
    }
    let (kept, rest) = digits.split_at(count as usize);
    let mut kept = kept.as_bytes().to_vec();
    let mut point = point;
    if rest.as_bytes()[0] >= b'5' {
        let mut place = kept.len();
        loop {
            if place == 0 {
                kept.insert(0, b'1');
                point += 1;
                break;
            }
            place -= 1;
            if kept[place] < b'9' {
                kept[place] += 1;
                break;
            }
            kept[place] = b'0';
        }
    }
    (kept.into_iter().map(char::from).collect(), point)
}
