//! SQL values as JSON: JSON_STRING, and the values of JSON_OBJECT and JSON_ARRAY.
//! Invariant: what a type becomes is settled when the call is bound; DATE, TIME, intervals, MULTISET and maps whose keys
//! are not strings are refused there, as in Flink.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::TimeUnit;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use mainstem_core::types::timestamp_unit;
use mainstem_core::{Error, Result, TypeKind};

use super::print::{number_text, push_quoted};
use crate::functions::java_number;

/// Fails for a type that has no JSON form.
pub(super) fn check(kind: &TypeKind) -> Result<()> {
    match kind {
        TypeKind::Array(item) => check(&item.kind),
        TypeKind::Map(key, value) if key.kind.is_string() => check(&value.kind),
        TypeKind::Map(key, _) => Err(Error::user(format!(
            "a map with keys of type {} cannot be written as JSON",
            key.kind
        ))
        .with_hint("CAST the keys to STRING")),
        TypeKind::Row(fields) => fields.iter().try_for_each(|f| check(&f.data_type.kind)),
        TypeKind::Date
        | TypeKind::Time { .. }
        | TypeKind::IntervalYearMonth
        | TypeKind::IntervalDayTime
        | TypeKind::Bitmap
        | TypeKind::Multiset(_) => {
            Err(Error::user(format!("a value of type {kind} cannot be written as JSON"))
                .with_hint("CAST it to STRING"))
        }
        _ => Ok(()),
    }
}

/// Appends the value at a row, `null` for NULL.
pub(super) fn push_value(out: &mut String, kind: &TypeKind, array: &ArrayRef, row: usize) {
    if *kind == TypeKind::Null || array.is_null(row) {
        out.push_str("null");
        return;
    }
    match kind {
        TypeKind::Boolean => {
            out.push_str(if array.as_boolean().value(row) { "true" } else { "false" })
        }
        TypeKind::TinyInt => push_integer(out, array.as_primitive::<Int8Type>().value(row).into()),
        TypeKind::SmallInt => {
            push_integer(out, array.as_primitive::<Int16Type>().value(row).into())
        }
        TypeKind::Int => push_integer(out, array.as_primitive::<Int32Type>().value(row).into()),
        TypeKind::BigInt => push_integer(out, array.as_primitive::<Int64Type>().value(row)),
        TypeKind::Float => push_real(out, array.as_primitive::<Float32Type>().value(row).into()),
        TypeKind::Double => push_real(out, array.as_primitive::<Float64Type>().value(row)),
        TypeKind::Decimal { .. } => {
            let text = array.as_primitive::<Decimal128Type>().value_as_string(row);
            out.push_str(&number_text(&text));
        }
        TypeKind::Binary { .. } | TypeKind::Varbinary { .. } => {
            push_quoted(out, &STANDARD.encode(array.as_binary::<i32>().value(row)));
        }
        TypeKind::Timestamp { precision } => push_time(out, array, row, *precision, ""),
        TypeKind::TimestampLtz { precision } => push_time(out, array, row, *precision, "Z"),
        TypeKind::Array(item) => {
            let items = array.as_list::<i32>().value(row);
            out.push('[');
            for index in 0..items.len() {
                if index > 0 {
                    out.push(',');
                }
                push_value(out, &item.kind, &items, index);
            }
            out.push(']');
        }
        TypeKind::Map(_, value) => {
            let entries = array.as_map().value(row);
            let keys = entries.column(0).as_string::<i32>();
            let named = (0..keys.len()).map(|i| (keys.value(i), entries.column(1), i)).collect();
            push_object(out, named, |_| &value.kind);
        }
        TypeKind::Row(fields) => {
            let columns = array.as_struct();
            let named = fields
                .iter()
                .zip(columns.columns())
                .map(|(f, column)| (f.name.as_str(), column, row))
                .collect();
            push_object(out, named, |name| {
                fields
                    .iter()
                    .find(|f| f.name == name)
                    .map_or(&TypeKind::Null, |f| &f.data_type.kind)
            });
        }
        // JSON already.
        TypeKind::Variant => out.push_str(array.as_string::<i32>().value(row)),
        _ => push_quoted(out, array.as_string::<i32>().value(row)),
    }
}

fn push_object<'k>(
    out: &mut String,
    mut named: Vec<(&str, &ArrayRef, usize)>,
    kind: impl Fn(&str) -> &'k TypeKind,
) {
    named.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
    out.push('{');
    for (index, (name, array, row)) in named.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_quoted(out, name);
        out.push(':');
        push_value(out, kind(name), array, row);
    }
    out.push('}');
}

fn push_integer(out: &mut String, n: i64) {
    out.push_str(itoa::Buffer::new().format(n));
}

/// A FLOAT comes widened to DOUBLE, as in Flink.
fn push_real(out: &mut String, x: f64) {
    let text = java_number::double(x);
    if x.is_finite() {
        out.push_str(&number_text(&text));
    } else {
        push_quoted(out, &text);
    }
}

/// ISO 8601 with as many digits of the second as there are.
fn push_time(out: &mut String, array: &ArrayRef, row: usize, precision: u8, zone: &str) {
    let time = match timestamp_unit(precision) {
        TimeUnit::Microsecond => DateTime::from_timestamp_micros(
            array.as_primitive::<TimestampMicrosecondType>().value(row),
        ),
        TimeUnit::Nanosecond => Some(DateTime::from_timestamp_nanos(
            array.as_primitive::<TimestampNanosecondType>().value(row),
        )),
        _ => DateTime::from_timestamp_millis(
            array.as_primitive::<TimestampMillisecondType>().value(row),
        ),
    };
    let Some(time) = time else {
        out.push_str("null");
        return;
    };
    let text = time.format("%Y-%m-%dT%H:%M:%S%.9f").to_string();
    let text = text.trim_end_matches('0').trim_end_matches('.');
    push_quoted(out, &format!("{text}{zone}"));
}
