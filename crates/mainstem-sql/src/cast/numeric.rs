//! Casts among BOOLEAN, integers and floating point, and of integers to intervals.
//! Invariant: narrowing is Java's: integers wrap; floating point saturates at INT or BIGINT and then wraps.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, DurationMillisecondType, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, IntervalYearMonthType,
};
use arrow_array::{Array, BooleanArray, PrimitiveArray};
use mainstem_core::{Result, TypeKind};

use super::{decimal, unsupported};
use crate::lift::{Convert, map};

/// Between the six primitive numbers.
pub(super) fn number(from: &TypeKind, to: &TypeKind) -> Result<Convert> {
    match from {
        TypeKind::TinyInt => from_integer::<Int8Type>(from, to),
        TypeKind::SmallInt => from_integer::<Int16Type>(from, to),
        TypeKind::Int => from_integer::<Int32Type>(from, to),
        TypeKind::BigInt => from_integer::<Int64Type>(from, to),
        TypeKind::Float => from_approximate::<Float32Type>(from, to),
        TypeKind::Double => from_approximate::<Float64Type>(from, to),
        _ => Err(unsupported(from, to)),
    }
}

fn from_integer<I>(from: &TypeKind, to: &TypeKind) -> Result<Convert>
where
    I: ArrowPrimitiveType,
    I::Native: Into<i64>,
{
    Ok(match to {
        TypeKind::TinyInt => Arc::new(|a| Ok(map::<I, Int8Type, _>(a, |v| v.into() as i8))),
        TypeKind::SmallInt => Arc::new(|a| Ok(map::<I, Int16Type, _>(a, |v| v.into() as i16))),
        TypeKind::Int => Arc::new(|a| Ok(map::<I, Int32Type, _>(a, |v| v.into() as i32))),
        TypeKind::BigInt => Arc::new(|a| Ok(map::<I, Int64Type, _>(a, |v| v.into()))),
        TypeKind::Float => Arc::new(|a| Ok(map::<I, Float32Type, _>(a, |v| v.into() as f32))),
        TypeKind::Double => Arc::new(|a| Ok(map::<I, Float64Type, _>(a, |v| v.into() as f64))),
        _ => return Err(unsupported(from, to)),
    })
}

fn from_approximate<I>(from: &TypeKind, to: &TypeKind) -> Result<Convert>
where
    I: ArrowPrimitiveType,
    I::Native: Into<f64>,
{
    Ok(match to {
        TypeKind::TinyInt => Arc::new(|a| Ok(map::<I, Int8Type, _>(a, |v| v.into() as i32 as i8))),
        TypeKind::SmallInt => {
            Arc::new(|a| Ok(map::<I, Int16Type, _>(a, |v| v.into() as i32 as i16)))
        }
        TypeKind::Int => Arc::new(|a| Ok(map::<I, Int32Type, _>(a, |v| v.into() as i32))),
        TypeKind::BigInt => Arc::new(|a| Ok(map::<I, Int64Type, _>(a, |v| v.into() as i64))),
        TypeKind::Float => Arc::new(|a| Ok(map::<I, Float32Type, _>(a, |v| v.into() as f32))),
        TypeKind::Double => Arc::new(|a| Ok(map::<I, Float64Type, _>(a, |v| v.into()))),
        _ => return Err(unsupported(from, to)),
    })
}

/// TRUE is 1.
pub(super) fn from_boolean(to: &TypeKind) -> Convert {
    fn of<O: ArrowPrimitiveType>(zero: O::Native, one: O::Native) -> Convert {
        Arc::new(move |array| {
            let flags = array.as_boolean();
            let values = flags.values().iter().map(|flag| if flag { one } else { zero }).collect();
            Ok(Arc::new(PrimitiveArray::<O>::new(values, flags.nulls().cloned())))
        })
    }
    match to {
        TypeKind::TinyInt => of::<Int8Type>(0, 1),
        TypeKind::SmallInt => of::<Int16Type>(0, 1),
        TypeKind::Int => of::<Int32Type>(0, 1),
        TypeKind::BigInt => of::<Int64Type>(0, 1),
        TypeKind::Float => of::<Float32Type>(0.0, 1.0),
        TypeKind::Double => of::<Float64Type>(0.0, 1.0),
        TypeKind::Decimal { precision, scale } => {
            let (precision, scale) = (*precision, *scale);
            Arc::new(move |array| {
                let flags = array.as_boolean();
                let out: PrimitiveArray<Decimal128Type> = flags
                    .iter()
                    .map(|flag| decimal::rescale(i128::from(flag?), 0, precision, scale))
                    .collect();
                Ok(Arc::new(out.with_precision_and_scale(precision, scale as i8)?))
            })
        }
        _ => unreachable_number(),
    }
}

/// Every number but 0 is TRUE.
pub(super) fn to_boolean(from: &TypeKind) -> Convert {
    fn of<I: ArrowPrimitiveType>(zero: I::Native) -> Convert {
        Arc::new(move |array| {
            Ok(Arc::new(BooleanArray::from_unary(array.as_primitive::<I>(), |v| v != zero)))
        })
    }
    match from {
        TypeKind::TinyInt => of::<Int8Type>(0),
        TypeKind::SmallInt => of::<Int16Type>(0),
        TypeKind::Int => of::<Int32Type>(0),
        TypeKind::BigInt => of::<Int64Type>(0),
        TypeKind::Float => of::<Float32Type>(0.0),
        TypeKind::Double => of::<Float64Type>(0.0),
        TypeKind::Decimal { .. } => of::<Decimal128Type>(0),
        _ => unreachable_number(),
    }
}

/// As many months or milliseconds, whatever the unit of the type: Flink minds it for literals alone.
pub(super) fn to_interval(from: &TypeKind, to: &TypeKind) -> Result<Convert> {
    fn of<I>(to: &TypeKind) -> Convert
    where
        I: ArrowPrimitiveType,
        I::Native: Into<i64>,
    {
        match to {
            TypeKind::IntervalYearMonth => {
                Arc::new(|a| Ok(map::<I, IntervalYearMonthType, _>(a, |v| v.into() as i32)))
            }
            _ => Arc::new(|a| Ok(map::<I, DurationMillisecondType, _>(a, Into::into))),
        }
    }
    Ok(match from {
        TypeKind::TinyInt => of::<Int8Type>(to),
        TypeKind::SmallInt => of::<Int16Type>(to),
        TypeKind::Int => of::<Int32Type>(to),
        TypeKind::BigInt => of::<Int64Type>(to),
        _ => return Err(unsupported(from, to)),
    })
}

/// Callers ask `is_numeric` first.
fn unreachable_number() -> Convert {
    Arc::new(|_| Err(mainstem_core::Error::internal("a cast of numbers met another type")))
}
