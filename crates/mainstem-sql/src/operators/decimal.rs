//! Arithmetic of DECIMALs.
//! Invariant: the exact result is rounded once, half up, to the scale of the result type; what does not fit the
//! precision is NULL. Intermediate values have 256 bits where something has to be rounded, so that nothing is lost
//! before.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer, i256};
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::{BinaryOp, arithmetic, binding, refused};
use crate::coercion::{PRECISION_MAX, decimal_of};
use crate::functions::{Binding, Kernel};
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
    let largest = 10i128.pow(u32::from(precision));
    let limit = i256::from_i128(largest);
    let exact = Exact::of(op, s1, s2, scale);
    if op == BinaryOp::Multiply && exact.is_some() && precision >= p1 + p2 {
        let kernel = product(precision, scale as i8);
        return Ok(bound(left, right, [(p1, s1), (p2, s2)], (precision, scale), kernel));
    }
    let kernel = lift::zipped(move |arguments| {
        let (left, right) = (
            arguments[0].as_primitive::<Decimal128Type>(),
            arguments[1].as_primitive::<Decimal128Type>(),
        );
        if let Some(exact) = exact {
            let values = exact.all(left, right, largest.unsigned_abs());
            let typed: ArrayRef =
                Arc::new(values.with_precision_and_scale(precision, scale as i8)?);
            return Ok(typed);
        }
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
    Ok(bound(left, right, [(p1, s1), (p2, s2)], (precision, scale), kernel))
}

/// An operation on decimals of the types `from` with a result of the type `to`.
fn bound(
    left: &DataType,
    right: &DataType,
    from: [(u8, u8); 2],
    to: (u8, u8),
    kernel: Kernel,
) -> Binding {
    let nullable = left.nullable || right.nullable;
    let decimal = |(precision, scale)| TypeKind::Decimal { precision, scale }.nullable();
    binding(decimal(to).with_nullable(nullable), from.map(decimal).to_vec(), kernel)
}

/// The product of types whose digits all fit: nothing to check in a row.
fn product(precision: u8, scale: i8) -> Kernel {
    lift::datums(move |left, right| {
        let ((l, one_left), (r, one_right)) = (left.get(), right.get());
        let (l, r) = (l.as_primitive::<Decimal128Type>(), r.as_primitive::<Decimal128Type>());
        let values: PrimitiveArray<Decimal128Type> = match (one_left, one_right) {
            (true, _) if l.is_null(0) => PrimitiveArray::new_null(r.len()),
            (_, true) if r.is_null(0) => PrimitiveArray::new_null(l.len()),
            (true, _) => times(r, l.value(0)),
            (_, true) => times(l, r.value(0)),
            _ => {
                let pairs = l.values().iter().zip(r.values());
                let nulls = NullBuffer::union(l.nulls(), r.nulls());
                let products = pairs.map(|(l, r)| l.wrapping_mul(*r)).collect::<Vec<_>>();
                PrimitiveArray::new(products.into(), nulls)
            }
        };
        let typed: ArrayRef = Arc::new(values.with_precision_and_scale(precision, scale)?);
        Ok(typed)
    })
}

fn times(values: &PrimitiveArray<Decimal128Type>, by: i128) -> PrimitiveArray<Decimal128Type> {
    match i64::try_from(by) {
        // Most values have 64 bits too, and multiplying those is one instruction.
        Ok(by) => values.unary(|v| match i64::try_from(v) {
            Ok(v) => i128::from(v) * i128::from(by),
            Err(_) => v.wrapping_mul(i128::from(by)),
        }),
        Err(_) => values.unary(|v| v.wrapping_mul(by)),
    }
}

/// Operations whose exact result has the scale of the result type. Then 128 bits are enough: what does not fit them
/// does not fit 38 digits.
#[derive(Debug, Clone, Copy)]
enum Exact {
    Product,
    /// Of both sides brought to one scale by these factors.
    Sum(i128, i128),
}

impl Exact {
    fn of(op: BinaryOp, s1: u8, s2: u8, scale: u8) -> Option<Self> {
        let common = s1.max(s2);
        let factor = |s: u8| 10i128.checked_pow(u32::from(common - s));
        match op {
            BinaryOp::Multiply if scale == s1 + s2 => Some(Self::Product),
            BinaryOp::Add if scale == common => Some(Self::Sum(factor(s1)?, factor(s2)?)),
            BinaryOp::Subtract if scale == common => Some(Self::Sum(factor(s1)?, -factor(s2)?)),
            _ => None,
        }
    }

    fn one(self, l: i128, r: i128) -> Option<i128> {
        let product = |a: i128, b: i128| match (i64::try_from(a), i64::try_from(b)) {
            (Ok(a), Ok(b)) => Some(i128::from(a) * i128::from(b)),
            _ => a.checked_mul(b),
        };
        match self {
            Self::Product => product(l, r),
            Self::Sum(left, right) => product(l, left)?.checked_add(product(r, right)?),
        }
    }

    /// NULL for NULL, and for results of `limit` or more.
    fn all(
        self,
        left: &PrimitiveArray<Decimal128Type>,
        right: &PrimitiveArray<Decimal128Type>,
        limit: u128,
    ) -> PrimitiveArray<Decimal128Type> {
        let mut overflows = Vec::new();
        let pairs = left.values().iter().zip(right.values()).enumerate();
        let values: Vec<i128> = pairs
            .map(|(row, (&l, &r))| match self.one(l, r) {
                Some(value) if value.unsigned_abs() < limit => value,
                _ => {
                    overflows.push(row);
                    0
                }
            })
            .collect();
        let mut nulls = NullBuffer::union(left.nulls(), right.nulls());
        if !overflows.is_empty() {
            let mut fits = BooleanBufferBuilder::new(values.len());
            fits.append_n(values.len(), true);
            overflows.iter().for_each(|&row| fits.set_bit(row, false));
            nulls = NullBuffer::union(nulls.as_ref(), Some(&NullBuffer::new(fits.finish())));
        }
        PrimitiveArray::new(values.into(), nulls)
    }
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
