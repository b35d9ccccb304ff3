//! Values as text: what CAST(.. AS STRING) writes, down to the leaves of ROW, ARRAY and MAP.
//! Invariant: a printer is made once per array and knows its types; NULL inside a container is written NULL, NULL at
//! the top is the caller's.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMillisecondType, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalYearMonthType, Time32MillisecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::OffsetBuffer;
use mainstem_core::java_format::{push_decimal_plain, push_double, push_float, push_integer};
use mainstem_core::{DataType, Field, TypeKind, bitmap};

use super::temporal;
use crate::functions::temporal::calendar::{DAY_MS, Date};
use crate::lift::{self, Convert};
use crate::session::Session;

/// Appends the value of one row.
pub(crate) type Printer<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

pub(super) fn to_string(from: &TypeKind, session: &Session) -> Convert {
    let (from, session) = (from.clone(), session.clone());
    Arc::new(move |array| {
        let printer = value_printer(&from, array, &session);
        lift::print(array.as_ref(), |row, out| printer(row, out))
    })
}

/// A printer of the non-null values of `array`, which carries `kind`.
pub(crate) fn value_printer<'a>(
    kind: &'a TypeKind,
    array: &'a ArrayRef,
    session: &'a Session,
) -> Printer<'a> {
    macro_rules! primitive {
        ($arrow:ty, |$value:ident, $out:ident| $push:expr) => {{
            let values = array.as_primitive::<$arrow>().values();
            Box::new(move |row: usize, $out: &mut Vec<u8>| {
                let $value = values[row];
                $push
            })
        }};
    }
    match kind {
        TypeKind::Null => Box::new(|_, out| out.extend_from_slice(b"NULL")),
        TypeKind::Boolean => {
            let flags = array.as_boolean();
            Box::new(move |row, out| {
                out.extend_from_slice(if flags.value(row) { b"TRUE" } else { b"FALSE" });
            })
        }
        TypeKind::TinyInt => primitive!(Int8Type, |v, out| push_integer(out, i64::from(v))),
        TypeKind::SmallInt => primitive!(Int16Type, |v, out| push_integer(out, i64::from(v))),
        TypeKind::Int => primitive!(Int32Type, |v, out| push_integer(out, i64::from(v))),
        TypeKind::BigInt => primitive!(Int64Type, |v, out| push_integer(out, v)),
        TypeKind::Float => primitive!(Float32Type, |v, out| push_float(out, v)),
        TypeKind::Double => primitive!(Float64Type, |v, out| push_double(out, v)),
        TypeKind::Decimal { scale, .. } => {
            primitive!(Decimal128Type, |v, out| push_decimal_plain(out, v, *scale))
        }
        TypeKind::Char { .. } | TypeKind::Varchar { .. } | TypeKind::Variant => {
            let texts = array.as_string::<i32>();
            Box::new(move |row, out| out.extend_from_slice(texts.value(row).as_bytes()))
        }
        TypeKind::Binary { .. } | TypeKind::Varbinary { .. } => {
            let bytes = array.as_binary::<i32>();
            Box::new(move |row, out| {
                out.extend_from_slice(String::from_utf8_lossy(bytes.value(row)).as_bytes());
            })
        }
        TypeKind::Date => primitive!(Date32Type, |v, out| push_date(out, i64::from(v))),
        TypeKind::Time { precision } => {
            primitive!(Time32MillisecondType, |v, out| push_time(out, v, *precision))
        }
        TypeKind::Timestamp { precision } | TypeKind::TimestampLtz { precision } => {
            let local = matches!(kind, TypeKind::TimestampLtz { .. });
            let zone = if local { session.time_zone } else { chrono_tz::UTC };
            let values = temporal::raw(array, *precision);
            let precision = *precision;
            Box::new(move |row, out| {
                let (ms, nanos) = temporal::split(values[row], precision);
                push_timestamp(out, temporal::utc_to_local(zone, ms), nanos, precision);
            })
        }
        TypeKind::IntervalYearMonth => {
            primitive!(IntervalYearMonthType, |v, out| push_months(out, v))
        }
        TypeKind::IntervalDayTime => {
            primitive!(DurationMillisecondType, |v, out| push_milliseconds(out, v))
        }
        TypeKind::Bitmap => {
            let sets = array.as_binary::<i32>();
            Box::new(move |row, out| match bitmap::read(sets.value(row)) {
                Ok(set) => bitmap::print(&set, out),
                Err(_) => out.extend_from_slice(b"{?}"),
            })
        }
        TypeKind::Array(item) => list_printer(item, array, session),
        TypeKind::Map(key, value) => map_printer(&key.kind, &value.kind, array, session),
        TypeKind::Multiset(item) => map_printer(&item.kind, &TypeKind::Int, array, session),
        TypeKind::Row(fields) => row_printer(fields, array, session),
    }
}

fn row_printer<'a>(fields: &'a [Field], array: &'a ArrayRef, session: &'a Session) -> Printer<'a> {
    let rows = array.as_struct();
    let printers: Vec<Printer<'_>> = fields
        .iter()
        .zip(rows.columns())
        .map(|(f, column)| nullable(&f.data_type.kind, column, session))
        .collect();
    Box::new(move |row, out| {
        out.push(b'(');
        for (i, print) in printers.iter().enumerate() {
            separate(i, out);
            print(row, out);
        }
        out.push(b')');
    })
}

fn nullable<'a>(kind: &'a TypeKind, array: &'a ArrayRef, session: &'a Session) -> Printer<'a> {
    let print = value_printer(kind, array, session);
    Box::new(move |row, out| match array.is_valid(row) {
        true => print(row, out),
        false => out.extend_from_slice(b"NULL"),
    })
}

fn separate(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.extend_from_slice(b", ");
    }
}

fn range(offsets: &OffsetBuffer<i32>, row: usize) -> std::ops::Range<usize> {
    offsets[row] as usize..offsets[row + 1] as usize
}

fn list_printer<'a>(item: &'a DataType, array: &'a ArrayRef, session: &'a Session) -> Printer<'a> {
    let lists = array.as_list::<i32>();
    let print = nullable(&item.kind, lists.values(), session);
    Box::new(move |row, out| {
        out.push(b'[');
        for (i, at) in range(lists.offsets(), row).enumerate() {
            separate(i, out);
            print(at, out);
        }
        out.push(b']');
    })
}

fn map_printer<'a>(
    key: &'a TypeKind,
    value: &'a TypeKind,
    array: &'a ArrayRef,
    session: &'a Session,
) -> Printer<'a> {
    let maps = array.as_map();
    let keys = nullable(key, maps.keys(), session);
    let values = nullable(value, maps.values(), session);
    Box::new(move |row, out| {
        out.push(b'{');
        for (i, at) in range(maps.offsets(), row).enumerate() {
            separate(i, out);
            keys(at, out);
            out.push(b'=');
            values(at, out);
        }
        out.push(b'}');
    })
}

fn push_digits(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value).as_bytes();
    out.resize(out.len() + width.saturating_sub(digits.len()), b'0');
    out.extend_from_slice(digits);
}

/// `yyyy-MM-dd`; as Flink, only the last four digits of the year are written.
pub(crate) fn push_date(out: &mut Vec<u8>, days: i64) {
    let date = Date::from_days(days);
    push_digits(out, date.year.unsigned_abs() % 10_000, 4);
    out.push(b'-');
    push_digits(out, date.month as u64, 2);
    out.push(b'-');
    push_digits(out, date.day as u64, 2);
}

fn push_hms(out: &mut Vec<u8>, seconds: u64) {
    push_digits(out, seconds / 3600, 2);
    out.push(b':');
    push_digits(out, seconds / 60 % 60, 2);
    out.push(b':');
    push_digits(out, seconds % 60, 2);
}

/// `HH:mm:ss` and, from precision 1 on, at least one digit of the fraction.
pub(crate) fn push_time(out: &mut Vec<u8>, ms: i32, precision: u8) {
    let ms = if ms < 0 { ms.rem_euclid(DAY_MS as i32) } else { ms } as u64;
    push_hms(out, ms / 1000);
    let mut rest = ms % 1000;
    for digit in 0..precision {
        if digit == 0 {
            out.push(b'.');
        }
        out.push(b'0' + (rest / 100) as u8);
        rest = rest % 100 * 10;
        if rest == 0 {
            break;
        }
    }
}

/// `yyyy-MM-dd HH:mm:ss` and as many digits of the fraction as the precision (more where they are not 0).
pub(crate) fn push_timestamp(out: &mut Vec<u8>, ms: i64, nanos_of_ms: i64, precision: u8) {
    push_date(out, ms.div_euclid(DAY_MS));
    out.push(b' ');
    let of_day = ms.rem_euclid(DAY_MS);
    push_hms(out, (of_day / 1000) as u64);
    let nanos = (of_day % 1000) as u64 * 1_000_000 + nanos_of_ms as u64;
    if precision == 0 && nanos == 0 {
        return;
    }
    out.push(b'.');
    let start = out.len();
    push_digits(out, nanos, 9);
    let needed = out[start..].iter().rposition(|b| *b != b'0').map_or(0, |last| last + 1);
    out.truncate(start + needed.max(usize::from(precision)));
}

/// `+years-months`.
fn push_months(out: &mut Vec<u8>, months: i32) {
    out.push(if months < 0 { b'-' } else { b'+' });
    let months = u64::from(months.unsigned_abs());
    push_digits(out, months / 12, 1);
    out.push(b'-');
    push_digits(out, months % 12, 2);
}

/// `+days hours:minutes:seconds.milliseconds`.
fn push_milliseconds(out: &mut Vec<u8>, ms: i64) {
    out.push(if ms < 0 { b'-' } else { b'+' });
    let ms = ms.unsigned_abs();
    let day = DAY_MS as u64;
    push_digits(out, ms / day, 1);
    out.push(b' ');
    push_hms(out, ms % day / 1000);
    out.push(b'.');
    push_digits(out, ms % 1000, 3);
}
