//! Arithmetic of DECIMALs.
//! Invariant: the exact result is rounded once, half up, to the scale of the result type; what does not fit the
//! precision is NULL. Intermediate values have 256 bits, so that nothing is lost before the rounding.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use arrow_array::{ArrayRef, PrimitiveArray};
use arrow_buffer::i256;
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::{BinaryOp, arithmetic, binding, refused};
use crate::coercion::{PRECISION_MAX, decimal_of};
use crate::functions::Binding;
use crate::lift;

/// Digits of a fraction that an overflowing result keeps at the least.
const SCALE_KEPT: u8 = 6;

pub(super) fn bind(op: BinaryOp, left: &DataType, right: &DataType) -> Result<Binding> {
    let (Some((p1, s1)), Some((p2, s2))) = (decimal_of(&left.kind), decimal_of(&right.kind)) else {
        return Err(refused(op, left, right));
    };
    let (precision, scale) = result_type(op, (p1, s1), (p2, s2));
    let combine = move |l: i128, r: i128| match op {
        BinaryOp::Add => add(l, s1, r, s2, scale),
        BinaryOp::Subtract => add(l, s1, -r, s2, scale),
        BinaryOp::Multiply => Ok(multiply(l, r, s1 + s2, scale)),
        BinaryOp::Divide => divide(l, s1, r, s2, scale),
        _ => remainder(l, s1, r, s2, scale),
    };
    let limit = i256::from_i128(10i128.pow(u32::from(precision)));
    let kernel = lift::zipped(move |arguments| {
        let (left, right) = (
            arguments[0].as_primitive::<Decimal128Type>(),
            arguments[1].as_primitive::<Decimal128Type>(),
        );
        let values: PrimitiveArray<Decimal128Type> = left
            .iter()
            .zip(right.iter())
            .map(|pair| match pair {
                (Some(l), Some(r)) => {
                    let exact = combine(l, r)?;
                    Ok(exact.filter(|v| v.wrapping_abs() < limit).and_then(i256::to_i128))
                }
                _ => Ok(None),
            })
            .collect::<Result<_>>()?;
        let typed: ArrayRef = Arc::new(values.with_precision_and_scale(precision, scale as i8)?);
        Ok(typed)
    });
    let nullable = left.nullable || right.nullable;
    let decimal = |precision, scale| TypeKind::Decimal { precision, scale }.nullable();
    Ok(binding(
        decimal(precision, scale).with_nullable(nullable),
        vec![decimal(p1, s1), decimal(p2, s2)],
        kernel,
    ))
}

/// Flink's rules, which are SQL Server's with Hive's way of giving up digits.
fn result_type(op: BinaryOp, (p1, s1): (u8, u8), (p2, s2): (u8, u8)) -> (u8, u8) {
    let (precision, scale) = match op {
        BinaryOp::Multiply => (p1 + p2 + 1, s1 + s2),
        BinaryOp::Divide => {
            let scale = (s1 + p2 + 1).max(SCALE_KEPT);
            (p1 - s1 + s2 + scale, scale)
        }
        BinaryOp::Modulo => {
            let scale = s1.max(s2);
            ((p1 - s1).min(p2 - s2) + scale, scale)
        }
        _ => {
            let scale = s1.max(s2);
            ((p1 - s1).max(p2 - s2) + scale + 1, scale)
        }
    };
    if precision <= PRECISION_MAX {
        return (precision, scale);
    }
    let whole = precision - scale;
    (PRECISION_MAX, PRECISION_MAX.saturating_sub(whole).max(scale.min(SCALE_KEPT)))
}

fn power_of_ten(exponent: u8) -> i256 {
    i256::from_i128(10).wrapping_pow(u32::from(exponent))
}

fn lift_scale(value: i128, by: u8) -> i256 {
    i256::from_i128(value).wrapping_mul(power_of_ten(by))
}

/// `value` of scale `from` at scale `to`, half up.
fn round(value: i256, from: u8, to: u8) -> i256 {
    if to >= from {
        value.wrapping_mul(power_of_ten(to - from))
    } else {
        divide_half_up(value, power_of_ten(from - to))
    }
}

fn divide_half_up(value: i256, by: i256) -> i256 {
    let quotient = value.wrapping_div(by);
    let rest = value.wrapping_rem(by).wrapping_abs();
    if rest >= by.wrapping_abs().wrapping_sub(rest) {
        let away =
            if value.is_negative() == by.is_negative() { i256::ONE } else { i256::MINUS_ONE };
        quotient.wrapping_add(away)
    } else {
        quotient
    }
}

fn add(l: i128, s1: u8, r: i128, s2: u8, scale: u8) -> Result<Option<i256>> {
    let common = s1.max(s2);
    let sum = lift_scale(l, common - s1).wrapping_add(lift_scale(r, common - s2));
    Ok(Some(round(sum, common, scale)))
}

fn multiply(l: i128, r: i128, exact_scale: u8, scale: u8) -> Option<i256> {
    // 38 digits times 38 digits fit 256 bits.
    let product = i256::from_i128(l).checked_mul(i256::from_i128(r))?;
    Some(round(product, exact_scale, scale))
}

fn divide(l: i128, s1: u8, r: i128, s2: u8, scale: u8) -> Result<Option<i256>> {
    if r == 0 {
        return Err(division_by_zero());
    }
    let (up, down) = ((s2 + scale).saturating_sub(s1), s1.saturating_sub(s2 + scale));
    let Some(dividend) = i256::from_i128(l).checked_mul(power_of_ten(up)) else {
        return Ok(None);
    };
    let Some(divisor) = i256::from_i128(r).checked_mul(power_of_ten(down)) else {
        return Ok(Some(i256::ZERO));
    };
    Ok(Some(divide_half_up(dividend, divisor)))
}

fn remainder(l: i128, s1: u8, r: i128, s2: u8, scale: u8) -> Result<Option<i256>> {
    if r == 0 {
        return Err(division_by_zero());
    }
    let common = s1.max(s2);
    let rest = lift_scale(l, common - s1).wrapping_rem(lift_scale(r, common - s2));
    Ok(Some(round(rest, common, scale)))
}

fn division_by_zero() -> Error {
    arithmetic::division_by_zero()
}
