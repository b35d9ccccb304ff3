//! Casts among DATE, TIME, TIMESTAMP and TIMESTAMP_LTZ, and the two halves every timestamp is worked on in:
//! milliseconds and the nanoseconds of the millisecond.
//! Invariant: wall clock and instant meet only through a time zone, with Java's rules: a local time that a clock change
//! skips moves on by the gap, one that comes twice is the earlier instant.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Int64Type, Time32MillisecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType as ArrowType;
use chrono::{DateTime, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;
use mainstem_core::types::timestamp_unit;
use mainstem_core::{Error, Result, TypeKind};

use super::unsupported;
use crate::functions::temporal::calendar::DAY_MS;
use crate::lift::{self, Convert};
use crate::session::Session;

/// Units of a timestamp of `precision` in a millisecond, and nanoseconds in such a unit.
fn units(precision: u8) -> (i64, i64) {
    match timestamp_unit(precision) {
        arrow_schema::TimeUnit::Microsecond => (1_000, 1_000),
        arrow_schema::TimeUnit::Nanosecond => (1_000_000, 1),
        _ => (1, 1_000_000),
    }
}

/// A carried value as milliseconds and nanoseconds of the millisecond.
pub(crate) fn split(value: i64, precision: u8) -> (i64, i64) {
    let (per_ms, nanos) = units(precision);
    (value.div_euclid(per_ms), value.rem_euclid(per_ms) * nanos)
}

/// The carried value; `None` if it is out of the range that the precision's unit has.
pub(crate) fn join(ms: i64, nanos_of_ms: i64, precision: u8) -> Option<i64> {
    let (per_ms, nanos) = units(precision);
    ms.checked_mul(per_ms)?.checked_add(nanos_of_ms / nanos)
}

/// Cuts digits of the fraction off. Like Flink, milliseconds are cut towards 1970.
pub(crate) fn truncate(ms: i64, nanos_of_ms: i64, precision: u8) -> (i64, i64) {
    let cut = |value: i64, digits: u8| {
        let unit = 10i64.pow(u32::from(digits));
        value / unit * unit
    };
    if precision <= 3 { (cut(ms, 3 - precision), 0) } else { (ms, cut(nanos_of_ms, 9 - precision)) }
}

/// Cuts digits of a time's fraction off.
pub(crate) fn truncate_time(ms: i32, precision: u8) -> i32 {
    let unit = 10i32.pow(3 - u32::from(precision.min(3)));
    ms / unit * unit
}

/// The carried values of a timestamp column, whatever its unit.
pub(crate) fn raw(array: &ArrayRef, precision: u8) -> ScalarBuffer<i64> {
    match timestamp_unit(precision) {
        arrow_schema::TimeUnit::Microsecond => {
            array.as_primitive::<TimestampMicrosecondType>().values().clone()
        }
        arrow_schema::TimeUnit::Nanosecond => {
            array.as_primitive::<TimestampNanosecondType>().values().clone()
        }
        _ => array.as_primitive::<TimestampMillisecondType>().values().clone(),
    }
}

/// A column of 64-bit integers as a timestamp column of the same bits.
pub(crate) fn typed(raw: &ArrayRef, arrow: &ArrowType) -> Result<ArrayRef> {
    let values = raw.as_primitive::<Int64Type>();
    Ok(match arrow {
        ArrowType::Timestamp(arrow_schema::TimeUnit::Microsecond, zone) => Arc::new(
            values
                .reinterpret_cast::<TimestampMicrosecondType>()
                .with_timezone_opt(zone.as_ref().map(Arc::clone)),
        ),
        ArrowType::Timestamp(arrow_schema::TimeUnit::Nanosecond, zone) => Arc::new(
            values
                .reinterpret_cast::<TimestampNanosecondType>()
                .with_timezone_opt(zone.as_ref().map(Arc::clone)),
        ),
        ArrowType::Timestamp(_, zone) => Arc::new(
            values
                .reinterpret_cast::<TimestampMillisecondType>()
                .with_timezone_opt(zone.as_ref().map(Arc::clone)),
        ),
        other => return Err(Error::internal(format!("{other} is no timestamp"))),
    })
}

/// A timestamp column as 64-bit integers of the same bits.
pub(crate) fn untyped(array: &ArrayRef, precision: u8) -> PrimitiveArray<Int64Type> {
    PrimitiveArray::new(raw(array, precision), array.nulls().cloned())
}

/// The wall clock of an instant.
pub(crate) fn utc_to_local(zone: Tz, ms: i64) -> i64 {
    ms + offset_of_instant(zone, ms)
}

/// Milliseconds that the zone's clocks are ahead of UTC at an instant.
pub(crate) fn offset_of_instant(zone: Tz, ms: i64) -> i64 {
    if zone == chrono_tz::UTC {
        return 0;
    }
    let Some(utc) = DateTime::from_timestamp_millis(ms) else { return 0 };
    i64::from(zone.offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc()) * 1000
}

/// The instant of a wall clock.
pub(crate) fn local_to_utc(zone: Tz, ms: i64) -> i64 {
    if zone == chrono_tz::UTC {
        return ms;
    }
    let Some(local) = DateTime::from_timestamp_millis(ms).map(|t| t.naive_utc()) else { return ms };
    ms - offset_of_local(zone, &local, ms)
}

fn offset_of_local(zone: Tz, local: &NaiveDateTime, ms: i64) -> i64 {
    match zone.offset_from_local_datetime(local).earliest() {
        Some(offset) => i64::from(offset.fix().local_minus_utc()) * 1000,
        // In a gap: the offset before the change, so that the clock moves on by the gap's length.
        None => offset_of_instant(zone, ms - DAY_MS),
    }
}

pub(super) fn convert(from: &TypeKind, to: &TypeKind, session: &Session) -> Result<Convert> {
    use TypeKind as K;
    let zone = session.time_zone;
    Ok(match (from, to) {
        (K::Time { .. }, K::Time { precision }) => {
            let precision = *precision;
            Arc::new(move |array| {
                let cut = |ms| truncate_time(ms, precision);
                Ok(lift::map::<Time32MillisecondType, Time32MillisecondType, _>(array, cut))
            })
        }
        (K::Date, K::Timestamp { precision }) => {
            from_parts::<Date32Type>(to, *precision, chrono_tz::UTC, DAY_MS)
        }
        (K::Date, K::TimestampLtz { precision }) => {
            from_parts::<Date32Type>(to, *precision, zone, DAY_MS)
        }
        (K::Time { .. }, K::Timestamp { precision }) => {
            from_parts::<Time32MillisecondType>(to, *precision, chrono_tz::UTC, 1)
        }
        (K::Time { .. }, K::TimestampLtz { precision }) => {
            from_parts::<Time32MillisecondType>(to, *precision, zone, 1)
        }
        (K::Timestamp { precision: p }, K::Timestamp { precision: q })
        | (K::TimestampLtz { precision: p }, K::TimestampLtz { precision: q }) => {
            between(*p, *q, to, |ms| ms)
        }
        (K::Timestamp { precision: p }, K::TimestampLtz { precision: q }) => {
            between(*p, *q, to, move |ms| local_to_utc(zone, ms))
        }
        (K::TimestampLtz { precision: p }, K::Timestamp { precision: q }) => {
            between(*p, *q, to, move |ms| utc_to_local(zone, ms))
        }
        (K::Timestamp { precision }, K::Date) => {
            // Flink cuts towards 1970 here: an afternoon of 1960 is the next day.
            to_part::<Date32Type>(*precision, |ms| ms / DAY_MS)
        }
        (K::TimestampLtz { precision }, K::Date) => {
            to_part::<Date32Type>(*precision, move |ms| utc_to_local(zone, ms).div_euclid(DAY_MS))
        }
        (K::Timestamp { precision }, K::Time { precision: digits }) => {
            let digits = *digits;
            to_part::<Time32MillisecondType>(*precision, move |ms| {
                i64::from(truncate_time(ms.rem_euclid(DAY_MS) as i32, digits))
            })
        }
        (K::TimestampLtz { precision }, K::Time { precision: digits }) => {
            let digits = *digits;
            to_part::<Time32MillisecondType>(*precision, move |ms| {
                i64::from(truncate_time(utc_to_local(zone, ms).rem_euclid(DAY_MS) as i32, digits))
            })
        }
        _ => return Err(unsupported(from, to)),
    })
}

fn out_of_range(precision: u8) -> Error {
    Error::user(format!("a timestamp is out of the range of TIMESTAMP({precision})"))
        .with_hint("timestamps of more than 6 digits reach from 1677 to 2262")
}

/// A date or a time as a timestamp.
fn from_parts<I>(to: &TypeKind, precision: u8, zone: Tz, unit_ms: i64) -> Convert
where
    I: arrow_array::ArrowPrimitiveType<Native = i32>,
{
    let arrow = to.clone().nullable().to_arrow();
    Arc::new(move |array| {
        let raw = lift::try_map::<I, Int64Type, _>(array, |value| {
            let ms = local_to_utc(zone, i64::from(value) * unit_ms);
            join(ms, 0, precision).ok_or_else(|| out_of_range(precision))
        })?;
        typed(&raw, &arrow)
    })
}

/// A date or a time of a timestamp.
fn to_part<O>(precision: u8, part: impl Fn(i64) -> i64 + Send + Sync + 'static) -> Convert
where
    O: arrow_array::ArrowPrimitiveType<Native = i32>,
{
    Arc::new(move |array| {
        let values = untyped(array, precision);
        Ok(Arc::new(values.unary::<_, O>(|v| part(split(v, precision).0) as i32)))
    })
}

fn between(
    from: u8,
    to: u8,
    target: &TypeKind,
    shift: impl Fn(i64) -> i64 + Send + Sync + 'static,
) -> Convert {
    let arrow = target.clone().nullable().to_arrow();
    Arc::new(move |array| {
        let values = untyped(array, from);
        let moved: PrimitiveArray<Int64Type> = values.try_unary(|value| {
            let (ms, nanos) = split(value, from);
            let (ms, nanos) = truncate(shift(ms), nanos, to);
            join(ms, nanos, to).ok_or_else(|| out_of_range(to))
        })?;
        let moved: ArrayRef = Arc::new(moved);
        typed(&moved, &arrow)
    })
}
