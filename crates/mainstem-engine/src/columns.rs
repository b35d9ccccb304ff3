//! Reading Arrow columns as plain integers and bytes, and writing them back.
//! Invariant: `integers` and `from_integers` are inverse for every type for which `is_integer_like` holds.
//! Does not convert values: a timestamp of microseconds stays one.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, DurationMillisecondType, Int8Type, Int16Type, Int32Type, Int64Type,
    IntervalYearMonthType, Time32MillisecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::{DataType as ArrowType, IntervalUnit, TimeUnit};
use mainstem_core::{Error, Result};

/// True for types whose values are integers of at most 64 bits.
pub(crate) fn is_integer_like(data_type: &ArrowType) -> bool {
    matches!(
        data_type,
        ArrowType::Boolean
            | ArrowType::Int8
            | ArrowType::Int16
            | ArrowType::Int32
            | ArrowType::Int64
            | ArrowType::UInt32
            | ArrowType::UInt64
            | ArrowType::Date32
            | ArrowType::Time32(TimeUnit::Millisecond)
            | ArrowType::Timestamp(
                TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond,
                _
            )
            | ArrowType::Duration(TimeUnit::Millisecond)
            | ArrowType::Interval(IntervalUnit::YearMonth)
    )
}

/// The values of an integer-like column; what stands under a NULL is arbitrary.
pub(crate) fn integers(array: &dyn Array) -> Result<Cow<'_, [i64]>> {
    fn wide<T: ArrowPrimitiveType<Native: Into<i64>>>(array: &dyn Array) -> Cow<'_, [i64]> {
        Cow::Owned(array.as_primitive::<T>().values().iter().map(|&v| v.into()).collect())
    }
    fn same<T: ArrowPrimitiveType<Native = i64>>(array: &dyn Array) -> Cow<'_, [i64]> {
        Cow::Borrowed(array.as_primitive::<T>().values())
    }
    Ok(match array.data_type() {
        ArrowType::Boolean => {
            Cow::Owned(array.as_boolean().values().iter().map(i64::from).collect())
        }
        ArrowType::Int8 => wide::<Int8Type>(array),
        ArrowType::Int16 => wide::<Int16Type>(array),
        ArrowType::Int32 => wide::<Int32Type>(array),
        ArrowType::Int64 => same::<Int64Type>(array),
        ArrowType::UInt32 => wide::<UInt32Type>(array),
        ArrowType::UInt64 => Cow::Owned(
            array.as_primitive::<UInt64Type>().values().iter().map(|&v| v as i64).collect(),
        ),
        ArrowType::Date32 => wide::<Date32Type>(array),
        ArrowType::Time32(TimeUnit::Millisecond) => wide::<Time32MillisecondType>(array),
        ArrowType::Timestamp(TimeUnit::Millisecond, _) => same::<TimestampMillisecondType>(array),
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => same::<TimestampMicrosecondType>(array),
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => same::<TimestampNanosecondType>(array),
        ArrowType::Duration(TimeUnit::Millisecond) => same::<DurationMillisecondType>(array),
        ArrowType::Interval(IntervalUnit::YearMonth) => wide::<IntervalYearMonthType>(array),
        other => return Err(Error::internal(format!("{other} is not integer-like"))),
    })
}

/// A column of `data_type` from its integers.
pub(crate) fn from_integers(
    values: Vec<i64>,
    nulls: Option<NullBuffer>,
    data_type: &ArrowType,
) -> Result<ArrayRef> {
    fn narrow<T: ArrowPrimitiveType>(
        values: Vec<i64>,
        nulls: Option<NullBuffer>,
        data_type: &ArrowType,
        cast: impl Fn(i64) -> T::Native,
    ) -> ArrayRef {
        let values: ScalarBuffer<T::Native> = values.into_iter().map(cast).collect();
        Arc::new(PrimitiveArray::<T>::new(values, nulls).with_data_type(data_type.clone()))
    }
    fn same<T: ArrowPrimitiveType<Native = i64>>(
        values: Vec<i64>,
        nulls: Option<NullBuffer>,
        data_type: &ArrowType,
    ) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(data_type.clone()))
    }
    let t = data_type;
    Ok(match t {
        ArrowType::Boolean => {
            let bits = values.into_iter().map(|v| v != 0).collect();
            Arc::new(BooleanArray::new(bits, nulls))
        }
        ArrowType::Int8 => narrow::<Int8Type>(values, nulls, t, |v| v as i8),
        ArrowType::Int16 => narrow::<Int16Type>(values, nulls, t, |v| v as i16),
        ArrowType::Int32 => narrow::<Int32Type>(values, nulls, t, |v| v as i32),
        ArrowType::Int64 => same::<Int64Type>(values, nulls, t),
        ArrowType::UInt32 => narrow::<UInt32Type>(values, nulls, t, |v| v as u32),
        ArrowType::UInt64 => narrow::<UInt64Type>(values, nulls, t, |v| v as u64),
        ArrowType::Date32 => narrow::<Date32Type>(values, nulls, t, |v| v as i32),
        ArrowType::Time32(TimeUnit::Millisecond) => {
            narrow::<Time32MillisecondType>(values, nulls, t, |v| v as i32)
        }
        ArrowType::Timestamp(TimeUnit::Millisecond, _) => {
            same::<TimestampMillisecondType>(values, nulls, t)
        }
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => {
            same::<TimestampMicrosecondType>(values, nulls, t)
        }
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => {
            same::<TimestampNanosecondType>(values, nulls, t)
        }
        ArrowType::Duration(TimeUnit::Millisecond) => {
            same::<DurationMillisecondType>(values, nulls, t)
        }
        ArrowType::Interval(IntervalUnit::YearMonth) => {
            narrow::<IntervalYearMonthType>(values, nulls, t, |v| v as i32)
        }
        other => return Err(Error::internal(format!("{other} is not integer-like"))),
    })
}

/// A timestamp column in milliseconds, rounded down.
pub(crate) fn times_ms(array: &dyn Array) -> Result<Cow<'_, [i64]>> {
    let per_ms = match array.data_type() {
        ArrowType::Timestamp(TimeUnit::Millisecond, _) => return integers(array),
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => 1_000_000,
        other => return Err(Error::internal(format!("a time attribute of type {other}"))),
    };
    Ok(Cow::Owned(integers(array)?.iter().map(|v| v.div_euclid(per_ms)).collect()))
}

/// The nulls of a column, unless it has none.
pub(crate) fn nulls(array: &dyn Array) -> Option<&NullBuffer> {
    array.nulls().filter(|n| n.null_count() > 0)
}

/// A timestamp(ms) column without zone.
pub(crate) fn timestamps(values: Vec<i64>) -> ArrayRef {
    Arc::new(PrimitiveArray::<TimestampMillisecondType>::new(values.into(), None))
}
