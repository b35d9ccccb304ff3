//! `+ - * / %` and the signs, on numbers; intervals and decimals have their own files.
//! Invariant: integers wrap as Java's do, integer division by zero is an error, floating point never is.

use std::sync::Arc;

use arrow_arith::numeric;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, IntervalYearMonthType,
};
use arrow_array::{Array, ArrayRef, Datum, PrimitiveArray};
use arrow_schema::ArrowError;
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::{BinaryOp, UnaryOp, binding, decimal, interval, refused};
use crate::coercion::merge_numbers;
use crate::functions::{Binding, Kernel};
use crate::lift;

pub(super) fn bind(op: BinaryOp, left: &DataType, right: &DataType) -> Result<Binding> {
    let (l, r) = (&left.kind, &right.kind);
    if l.is_interval() || r.is_interval() {
        return interval::bind(op, left, right);
    }
    if !l.is_numeric() || !r.is_numeric() {
        return Err(refused(op, left, right));
    }
    let nullable = left.nullable || right.nullable;
    let common = merge_numbers(l, r).ok_or_else(|| refused(op, left, right))?;
    match (&common, op) {
        (TypeKind::Decimal { .. }, _) => decimal::bind(op, left, right),
        (TypeKind::Float | TypeKind::Double, BinaryOp::Modulo) => Err(refused(op, left, right)
            .with_hint("MOD and % take exact numbers: cast the operands to DECIMAL or an integer")),
        (_, BinaryOp::Modulo) => {
            // The result is of the divisor's type, however wide the dividend is.
            let wide = TypeKind::BigInt;
            let arguments = vec![wide.clone().nullable(), wide.nullable()];
            Ok(binding(r.clone().nullable().with_nullable(nullable), arguments, remainder(r)))
        }
        _ => {
            let kernel = number_kernel(op, &common);
            let arguments = vec![common.clone().nullable(), common.clone().nullable()];
            Ok(binding(DataType { kind: common, nullable }, arguments, kernel))
        }
    }
}

fn number_kernel(op: BinaryOp, kind: &TypeKind) -> Kernel {
    match (op, kind) {
        (BinaryOp::Add, _) => lift::datums(|l, r| Ok(numeric::add_wrapping(l, r)?)),
        (BinaryOp::Subtract, _) => lift::datums(|l, r| Ok(numeric::sub_wrapping(l, r)?)),
        (BinaryOp::Multiply, _) => lift::datums(|l, r| Ok(numeric::mul_wrapping(l, r)?)),
        (_, TypeKind::TinyInt) => divide::<Int8Type>(i8::wrapping_div),
        (_, TypeKind::SmallInt) => divide::<Int16Type>(i16::wrapping_div),
        (_, TypeKind::Int) => divide::<Int32Type>(i32::wrapping_div),
        (_, TypeKind::BigInt) => divide::<Int64Type>(i64::wrapping_div),
        _ => lift::datums(|l, r| Ok(numeric::div(l, r)?)),
    }
}

fn remainder(kind: &TypeKind) -> Kernel {
    let wide = divide_datums::<Int64Type>(i64::wrapping_rem);
    match kind {
        TypeKind::TinyInt => lift::datums(move |l, r| {
            Ok(lift::map::<Int64Type, Int8Type, _>(&wide(l, r)?, |v| v as i8))
        }),
        TypeKind::SmallInt => lift::datums(move |l, r| {
            Ok(lift::map::<Int64Type, Int16Type, _>(&wide(l, r)?, |v| v as i16))
        }),
        TypeKind::Int => lift::datums(move |l, r| {
            Ok(lift::map::<Int64Type, Int32Type, _>(&wide(l, r)?, |v| v as i32))
        }),
        _ => lift::datums(wide),
    }
}

/// Java's words for it.
pub(super) fn division_by_zero() -> Error {
    Error::user("/ by zero").with_hint("NULLIF(divisor, 0) makes the result NULL instead")
}

fn divide<T: ArrowPrimitiveType>(f: fn(T::Native, T::Native) -> T::Native) -> Kernel {
    lift::datums(divide_datums::<T>(f))
}

/// Division or remainder; one divisor for all rows is checked once.
fn divide_datums<T: ArrowPrimitiveType>(
    f: fn(T::Native, T::Native) -> T::Native,
) -> impl Fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef> + Send + Sync + 'static {
    let zero = T::Native::default();
    move |left, right| {
        let ((dividends, one_left), (divisors, one_right)) = (left.get(), right.get());
        let (dividends, divisors) = (dividends.as_primitive::<T>(), divisors.as_primitive::<T>());
        if one_right && !one_left && divisors.null_count() == 0 && divisors.value(0) != zero {
            let divisor = divisors.value(0);
            return Ok(Arc::new(dividends.unary::<_, T>(|v| f(v, divisor))));
        }
        let rows = if one_left { divisors.len() } else { dividends.len() };
        let spread = |one: bool, array: &PrimitiveArray<T>| match one {
            true if array.is_valid(0) => PrimitiveArray::from_value(array.value(0), rows),
            true => PrimitiveArray::new_null(rows),
            false => array.clone(),
        };
        let (dividends, divisors) = (spread(one_left, dividends), spread(one_right, divisors));
        let divided: Result<PrimitiveArray<T>, ArrowError> =
            arrow_arith::arity::try_binary(&dividends, &divisors, |l, r| {
                if r == zero { Err(ArrowError::DivideByZero) } else { Ok(f(l, r)) }
            });
        match divided {
            Ok(divided) => Ok(Arc::new(divided)),
            Err(ArrowError::DivideByZero) => Err(division_by_zero()),
            Err(other) => Err(other.into()),
        }
    }
}

/// `-x` and `+x`: of numbers and intervals, of the same type.
pub(super) fn bind_sign(op: UnaryOp, operand: &DataType) -> Result<Binding> {
    let kind = &operand.kind;
    if !kind.is_numeric() && !kind.is_interval() {
        return Err(Error::user(format!("cannot apply {op} to {kind}")));
    }
    let kernel = match (op, kind) {
        (UnaryOp::Plus, _) => lift::unary(|array| Ok(ArrayRef::clone(array))),
        (_, TypeKind::IntervalYearMonth) => lift::unary(|array| {
            let negate = i32::wrapping_neg;
            Ok(lift::map::<IntervalYearMonthType, IntervalYearMonthType, _>(array, negate))
        }),
        _ => lift::unary(|array| Ok(numeric::neg_wrapping(array.as_ref())?)),
    };
    Ok(binding(operand.clone(), vec![operand.clone()], kernel))
}
