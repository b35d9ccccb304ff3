//! `= <> < <= > >=` and IS [NOT] DISTINCT FROM.
//! Invariant: operands arrive in a type they share, or (strings, binaries, decimals) in their own. Floating point is
//! compared as Java does: NaN equals nothing, -0.0 equals 0.0. Strings are ordered by their UTF-8 bytes, unpadded.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_arith::boolean;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Datum};
use arrow_buffer::{BooleanBuffer, NullBuffer, i256};
use arrow_ord::cmp;
use mainstem_core::{DataType, Error, Result, TypeKind};
use mainstem_engine::expr::Value;

use super::{BinaryOp, binding, equality, refused};
use crate::coercion::{comparable_type, decimal_of, string_meets_number};
use crate::functions::{Binding, Kernel};
use crate::lift;

pub(super) fn bind(op: BinaryOp, left: &DataType, right: &DataType) -> Result<Binding> {
    let (arguments, kernel) = settle(op, left, right)?;
    let nullable = [left, right].iter().any(|side| side.nullable || side.kind == TypeKind::Null);
    Ok(binding(DataType { kind: TypeKind::Boolean, nullable }, arguments, kernel))
}

/// Equality that holds for two NULLs; never NULL itself.
pub(super) fn bind_distinct(op: BinaryOp, left: &DataType, right: &DataType) -> Result<Binding> {
    let (arguments, equal) = settle(BinaryOp::Eq, left, right)?;
    let negated = op == BinaryOp::IsDistinctFrom;
    let kernel: Kernel = Arc::new(move |arguments, rows, cx| {
        let scalar = arguments.iter().all(|a| a.is_scalar());
        let rows = if scalar { 1 } else { rows };
        let equal = equal(arguments, rows, cx)?.into_array(rows)?;
        let (left, right) =
            (arguments[0].clone().into_array(rows)?, arguments[1].clone().into_array(rows)?);
        let both_null =
            boolean::and(&boolean::is_null(left.as_ref())?, &boolean::is_null(right.as_ref())?)?;
        let equal = equal.as_boolean();
        let same = match equal.nulls() {
            Some(nulls) => equal.values() & nulls.inner(),
            None => equal.values().clone(),
        };
        let same = &same | both_null.values();
        let answer = if negated { !&same } else { same };
        let answer: ArrayRef = Arc::new(BooleanArray::new(answer, None));
        Ok(if scalar { Value::Scalar(answer) } else { Value::Array(answer) })
    });
    Ok(binding(TypeKind::Boolean.not_null(), arguments, kernel))
}

/// The types the operands are compared in, and the comparison.
fn settle(op: BinaryOp, left: &DataType, right: &DataType) -> Result<(Vec<DataType>, Kernel)> {
    let equality_only = matches!(op, BinaryOp::Eq | BinaryOp::NotEq);
    if equality_only && string_meets_number(left, right) {
        return Err(Error::user(format!(
            "implicit type conversion between {} and {} is not supported",
            left.kind, right.kind
        ))
        .with_hint("CAST one side to the type of the other"));
    }
    let common = comparable_type(left, right).ok_or_else(|| refused(op, left, right))?;
    let both = |kind: &TypeKind| vec![kind.clone().nullable(), kind.clone().nullable()];
    let own = |side: &DataType| match side.kind {
        TypeKind::Null => common.clone(),
        _ => side.clone(),
    };
    Ok(match &common.kind {
        TypeKind::Decimal { .. } if left.kind.is_numeric() && right.kind.is_numeric() => {
            let (l, r) = (decimal_type(&left.kind), decimal_type(&right.kind));
            let (Some((l, s1)), Some((r, s2))) = (l, r) else {
                return Err(refused(op, left, right));
            };
            (vec![l, r], decimals(op, s1, s2))
        }
        TypeKind::Decimal { scale, .. } => (both(&common.kind), decimals(op, *scale, *scale)),
        // Equality takes the left side's type; the order of a FLOAT and a DOUBLE is that of doubles.
        TypeKind::Float if equality_only || right.kind != TypeKind::Double => {
            (both(&common.kind), approximates::<Float32Type>(op))
        }
        TypeKind::Float => (both(&TypeKind::Double), approximates::<Float64Type>(op)),
        TypeKind::Double => (both(&common.kind), approximates::<Float64Type>(op)),
        kind if kind.is_string() || kind.is_binary() => {
            (vec![own(left), own(right)], lift::datums(move |l, r| arrow(op, l, r)))
        }
        TypeKind::Bitmap | TypeKind::Variant if !equality_only => {
            return Err(refused(op, left, right));
        }
        TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_) | TypeKind::Row(_) => {
            if !equality_only {
                return Err(refused(op, left, right));
            }
            (both(&common.kind), equality::kernel(&common.kind, op == BinaryOp::NotEq))
        }
        TypeKind::Null => {
            let truth = TypeKind::Boolean;
            (both(&truth), lift::datums(move |l, r| arrow(op, l, r)))
        }
        kind => (both(kind), lift::datums(move |l, r| arrow(op, l, r))),
    })
}

/// Arrow's own comparison, for everything but floating point and nested types.
fn arrow(op: BinaryOp, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef> {
    let compare = match op {
        BinaryOp::Eq => cmp::eq,
        BinaryOp::NotEq => cmp::neq,
        BinaryOp::Lt => cmp::lt,
        BinaryOp::LtEq => cmp::lt_eq,
        BinaryOp::Gt => cmp::gt,
        _ => cmp::gt_eq,
    };
    Ok(Arc::new(compare(left, right)?))
}

fn decimal_type(kind: &TypeKind) -> Option<(DataType, u8)> {
    let (precision, scale) = decimal_of(kind)?;
    Some((TypeKind::Decimal { precision, scale }.nullable(), scale))
}

/// The answer of `op` for an ordering.
fn holds(op: BinaryOp, ordering: Ordering) -> bool {
    match op {
        BinaryOp::Eq => ordering.is_eq(),
        BinaryOp::NotEq => ordering.is_ne(),
        BinaryOp::Lt => ordering.is_lt(),
        BinaryOp::LtEq => ordering.is_le(),
        BinaryOp::Gt => ordering.is_gt(),
        _ => ordering.is_ge(),
    }
}

/// Two primitive columns, either of them possibly one value.
fn primitives<T: ArrowPrimitiveType>(
    left: &dyn Datum,
    right: &dyn Datum,
    test: impl Fn(T::Native, T::Native) -> bool,
) -> ArrayRef {
    let ((left, one_left), (right, one_right)) = (left.get(), right.get());
    let rows = if one_left { right.len() } else { left.len() };
    let (l, r) = (left.as_primitive::<T>(), right.as_primitive::<T>());
    let answers = match (one_left, one_right) {
        (false, false) => BooleanBuffer::collect_bool(rows, |i| test(l.values()[i], r.values()[i])),
        (true, false) => {
            let l = l.value(0);
            BooleanBuffer::collect_bool(rows, |i| test(l, r.values()[i]))
        }
        (false, true) => {
            let r = r.value(0);
            BooleanBuffer::collect_bool(rows, |i| test(l.values()[i], r))
        }
        (true, true) => {
            let (l, r) = (l.value(0), r.value(0));
            BooleanBuffer::collect_bool(rows, |_| test(l, r))
        }
    };
    let spread = |array: &dyn Array, one: bool| match one {
        true if array.is_null(0) => Some(NullBuffer::new_null(rows)),
        true => None,
        false => array.nulls().cloned(),
    };
    let nulls =
        NullBuffer::union(spread(left, one_left).as_ref(), spread(right, one_right).as_ref());
    Arc::new(BooleanArray::new(answers, nulls))
}

fn approximates<T>(op: BinaryOp) -> Kernel
where
    T: ArrowPrimitiveType,
    T::Native: PartialOrd,
{
    lift::datums(move |left, right| {
        Ok(match op {
            BinaryOp::Eq => primitives::<T>(left, right, |l, r| l == r),
            BinaryOp::NotEq => primitives::<T>(left, right, |l, r| l != r),
            BinaryOp::Lt => primitives::<T>(left, right, |l, r| l < r),
            BinaryOp::LtEq => primitives::<T>(left, right, |l, r| l <= r),
            BinaryOp::Gt => primitives::<T>(left, right, |l, r| l > r),
            _ => primitives::<T>(left, right, |l, r| l >= r),
        })
    })
}

/// Decimals of their own scales, compared exactly.
fn decimals(op: BinaryOp, left_scale: u8, right_scale: u8) -> Kernel {
    let up = |by: u8| 10i128.pow(u32::from(by));
    let (left_up, right_up) =
        (up(right_scale.saturating_sub(left_scale)), up(left_scale.saturating_sub(right_scale)));
    let exact = move |l: i128, r: i128| match (l.checked_mul(left_up), r.checked_mul(right_up)) {
        (Some(l), Some(r)) => l.cmp(&r),
        _ => {
            let wide = |value, by| i256::from_i128(value).wrapping_mul(i256::from_i128(by));
            wide(l, left_up).cmp(&wide(r, right_up))
        }
    };
    lift::datums(move |left, right| {
        if left_up == 1
            && let (limit, true) = right.get()
            && let Some(limit) =
                limit.as_primitive::<Decimal128Type>().value(0).checked_mul(right_up)
        {
            // The constant in the column's scale.
            return Ok(primitives::<Decimal128Type>(left, right, |l, _| holds(op, l.cmp(&limit))));
        }
        Ok(primitives::<Decimal128Type>(left, right, |l, r| holds(op, exact(l, r))))
    })
}
