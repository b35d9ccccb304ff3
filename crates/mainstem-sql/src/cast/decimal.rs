//! Casts from and to DECIMAL.
//! Invariant: rounding is half up (away from zero); a number that does not fit its DECIMAL is NULL, as in Flink.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type,
};
use arrow_array::{ArrayRef, PrimitiveArray};
use mainstem_core::{Error, Result, TypeKind};

use super::{CastMode, parse};
use crate::lift::{Convert, map};

/// 10 to the power of 0 up to 38.
pub(crate) fn power_of_ten(exponent: u32) -> i128 {
    10i128.pow(exponent)
}

/// Brings unscaled values from one scale to another, half up.
#[derive(Debug, Clone, Copy)]
struct Rescale {
    up: i128,
    down: i128,
    /// The first value with too many digits.
    limit: u128,
}

impl Rescale {
    fn new(from_scale: u8, precision: u8, scale: u8) -> Self {
        Self {
            up: power_of_ten(u32::from(scale.saturating_sub(from_scale))),
            down: power_of_ten(u32::from(from_scale.saturating_sub(scale))),
            limit: power_of_ten(u32::from(precision)).unsigned_abs(),
        }
    }

    /// `None` if the result has more digits than the precision.
    #[inline]
    fn one(self, unscaled: i128) -> Option<i128> {
        let moved = match (self.up, self.down) {
            (1, 1) => unscaled,
            (up, 1) => unscaled.checked_mul(up)?,
            (_, down) => divide_half_up(unscaled, down),
        };
        (moved.unsigned_abs() < self.limit).then_some(moved)
    }
}

/// An unscaled value brought to another scale, half up; `None` if it has more than `precision` digits.
pub(crate) fn rescale(unscaled: i128, from_scale: u8, precision: u8, scale: u8) -> Option<i128> {
    Rescale::new(from_scale, precision, scale).one(unscaled)
}

/// Division by a positive number, rounded half away from zero.
pub(crate) fn divide_half_up(value: i128, by: i128) -> i128 {
    let (quotient, rest) = (value / by, value % by);
    if rest.unsigned_abs() >= by.unsigned_abs() - rest.unsigned_abs() {
        quotient + value.signum()
    } else {
        quotient
    }
}

pub(super) fn to_decimal(from: &TypeKind, precision: u8, scale: u8, mode: CastMode) -> Convert {
    let finish = move |values: PrimitiveArray<Decimal128Type>| -> Result<ArrayRef> {
        Ok(Arc::new(values.with_precision_and_scale(precision, scale as i8)?))
    };
    let of_integer = Rescale::new(0, precision, scale);
    fn integer<I>(
        rescale: Rescale,
        (precision, scale): (u8, u8),
        finish: impl Fn(PrimitiveArray<Decimal128Type>) -> Result<ArrayRef> + Send + Sync + 'static,
    ) -> Convert
    where
        I: ArrowPrimitiveType,
        I::Native: Into<i64>,
    {
        // Of the type's greatest value.
        let digits =
            ((size_of::<I::Native>() * 8 - 1) as f64 * std::f64::consts::LOG10_2) as u8 + 1;
        let always = precision - scale >= digits;
        let factor = power_of_ten(u32::from(scale));
        Arc::new(move |array| {
            let numbers = array.as_primitive::<I>();
            if always {
                return finish(numbers.unary(|v| i128::from(v.into()) * factor));
            }
            finish(numbers.unary_opt(|v| rescale.one(i128::from(v.into()))))
        })
    }
    match from {
        TypeKind::TinyInt => integer::<Int8Type>(of_integer, (precision, scale), finish),
        TypeKind::SmallInt => integer::<Int16Type>(of_integer, (precision, scale), finish),
        TypeKind::Int => integer::<Int32Type>(of_integer, (precision, scale), finish),
        TypeKind::BigInt => integer::<Int64Type>(of_integer, (precision, scale), finish),
        TypeKind::Decimal { scale: from_scale, .. } => {
            let rescale = Rescale::new(*from_scale, precision, scale);
            Arc::new(move |array| {
                let numbers = array.as_primitive::<Decimal128Type>();
                finish(numbers.unary_opt(|v| rescale.one(v)))
            })
        }
        TypeKind::Float => Arc::new(move |array| {
            let numbers = array.as_primitive::<Float32Type>().iter();
            let one = |v: Option<f32>| {
                v.map_or(Ok(None), |v| approximate(f64::from(v), precision, scale, mode))
            };
            finish(numbers.map(one).collect::<Result<_>>()?)
        }),
        _ => Arc::new(move |array| {
            let numbers = array.as_primitive::<Float64Type>().iter();
            let one =
                |v: Option<f64>| v.map_or(Ok(None), |v| approximate(v, precision, scale, mode));
            finish(numbers.map(one).collect::<Result<_>>()?)
        }),
    }
}

/// Through the shortest decimal that stands for the double, as `BigDecimal.valueOf`.
fn approximate(value: f64, precision: u8, scale: u8, mode: CastMode) -> Result<Option<i128>> {
    if !value.is_finite() {
        return mode.refuse(|| Error::user(format!("cannot cast {value} to DECIMAL")));
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    Ok(parse::decimal(text, precision, scale).flatten())
}

/// DECIMAL to a primitive number: the fraction is cut off and integers wrap.
pub(super) fn from_decimal(scale: u8, to: &TypeKind) -> Convert {
    let unit = power_of_ten(u32::from(scale));
    match to {
        TypeKind::TinyInt => {
            Arc::new(move |a| Ok(map::<Decimal128Type, Int8Type, _>(a, |v| (v / unit) as i8)))
        }
        TypeKind::SmallInt => {
            Arc::new(move |a| Ok(map::<Decimal128Type, Int16Type, _>(a, |v| (v / unit) as i16)))
        }
        TypeKind::Int => {
            Arc::new(move |a| Ok(map::<Decimal128Type, Int32Type, _>(a, |v| (v / unit) as i32)))
        }
        TypeKind::BigInt => {
            Arc::new(move |a| Ok(map::<Decimal128Type, Int64Type, _>(a, |v| (v / unit) as i64)))
        }
        TypeKind::Float => Arc::new(move |a| {
            Ok(map::<Decimal128Type, Float32Type, _>(a, |v| to_double(v, scale) as f32))
        }),
        _ => {
            Arc::new(move |a| Ok(map::<Decimal128Type, Float64Type, _>(a, |v| to_double(v, scale))))
        }
    }
}

/// The double nearest to a decimal.
pub(crate) fn to_double(unscaled: i128, scale: u8) -> f64 {
    const EXACT_MAX: u128 = 1 << 53;
    // Both operands are exact doubles, so that the division rounds once.
    if unscaled.unsigned_abs() <= EXACT_MAX && scale <= 22 {
        return unscaled as f64 / 10f64.powi(i32::from(scale));
    }
    format!("{unscaled}e-{scale}").parse().expect("digits and an exponent are a number")
}
