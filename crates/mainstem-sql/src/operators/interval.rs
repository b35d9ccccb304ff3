//! Intervals: their arithmetic, and dates, times and timestamps moved by them.
//! Invariant: month arithmetic keeps the time of day and stays within the month; instants are moved in UTC, as Flink.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, DurationMillisecondType, Int64Type, IntervalYearMonthType, Time32MillisecondType,
};
use arrow_array::{ArrayRef, ArrowPrimitiveType};
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::{BinaryOp, binding, refused};
use crate::cast::temporal::{join, split, typed, untyped};
use crate::functions::temporal::calendar::{
    DAY_MS, add_months, add_months_ms, months_between, months_between_ms,
};
use crate::functions::{Argument, Binding, Kernel};
use crate::lift;

pub(super) fn bind(op: BinaryOp, left: &DataType, right: &DataType) -> Result<Binding> {
    let (l, r) = (&left.kind, &right.kind);
    match op {
        BinaryOp::Add | BinaryOp::Subtract if l.is_interval() && l == r => {
            Ok(bind_sum(op, left, right))
        }
        BinaryOp::Add | BinaryOp::Subtract if l.is_temporal() && r.is_interval() => {
            Ok(bind_move(left, right, op == BinaryOp::Subtract, false))
        }
        BinaryOp::Add if l.is_interval() && r.is_temporal() => {
            Ok(bind_move(right, left, false, true))
        }
        BinaryOp::Multiply if l.is_interval() && r.is_integer() => {
            Ok(bind_product(left, right, false))
        }
        BinaryOp::Multiply if l.is_integer() && r.is_interval() => {
            Ok(bind_product(right, left, true))
        }
        _ => Err(refused(op, left, right)),
    }
}

fn bind_sum(op: BinaryOp, left: &DataType, right: &DataType) -> Binding {
    let sign = if op == BinaryOp::Subtract { -1 } else { 1 };
    let kernel = match left.kind {
        TypeKind::IntervalYearMonth => {
            let add = move |l: i32, r: i32| l.wrapping_add(r.wrapping_mul(sign as i32));
            zip::<IntervalYearMonthType, IntervalYearMonthType, IntervalYearMonthType>(false, add)
        }
        _ => {
            let add = move |l: i64, r: i64| l.wrapping_add(r.wrapping_mul(sign));
            zip::<DurationMillisecondType, DurationMillisecondType, DurationMillisecondType>(
                false, add,
            )
        }
    };
    let nullable = left.nullable || right.nullable;
    binding(left.with_nullable(nullable), vec![left.clone(), right.clone()], kernel)
}

/// Two primitive columns, in the order they are given or the other way round.
fn zip<L, R, O>(
    swapped: bool,
    f: impl Fn(L::Native, R::Native) -> O::Native + Send + Sync + 'static,
) -> Kernel
where
    L: ArrowPrimitiveType,
    R: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    lift::zipped(move |arguments| {
        let (left, right) = in_order(arguments, swapped);
        lift::try_zip::<L, R, O, _>(left, right, |l, r| Ok(Some(f(l, r))))
    })
}

fn in_order(arguments: &[ArrayRef], swapped: bool) -> (&ArrayRef, &ArrayRef) {
    if swapped { (&arguments[1], &arguments[0]) } else { (&arguments[0], &arguments[1]) }
}

fn bind_product(interval: &DataType, factor: &DataType, swapped: bool) -> Binding {
    let kernel = match interval.kind {
        TypeKind::IntervalYearMonth => {
            zip::<IntervalYearMonthType, Int64Type, IntervalYearMonthType>(swapped, |i, n| {
                i.wrapping_mul(n as i32)
            })
        }
        _ => zip::<DurationMillisecondType, Int64Type, DurationMillisecondType>(
            swapped,
            i64::wrapping_mul,
        ),
    };
    let mut arguments = vec![interval.clone(), TypeKind::BigInt.nullable()];
    if swapped {
        arguments.reverse();
    }
    let nullable = interval.nullable || factor.nullable;
    binding(interval.with_nullable(nullable), arguments, kernel)
}

fn bind_move(point: &DataType, interval: &DataType, back: bool, swapped: bool) -> Binding {
    let months = interval.kind == TypeKind::IntervalYearMonth;
    let kernel = move_kernel(&point.kind, months, back, swapped);
    let mut arguments = vec![point.clone(), interval.clone()];
    if swapped {
        arguments.reverse();
    }
    let nullable = point.nullable || interval.nullable;
    binding(point.with_nullable(nullable), arguments, kernel)
}

/// Moves dates, times or timestamps (first argument, unless `swapped`) by intervals (second).
pub(crate) fn move_kernel(kind: &TypeKind, months: bool, back: bool, swapped: bool) -> Kernel {
    let sign: i64 = if back { -1 } else { 1 };
    match (kind, months) {
        (TypeKind::Date, true) => {
            zip::<Date32Type, IntervalYearMonthType, Date32Type>(swapped, move |d, m| {
                add_months(i64::from(d), sign * i64::from(m)) as i32
            })
        }
        // Only whole days of the interval count.
        (TypeKind::Date, false) => {
            zip::<Date32Type, DurationMillisecondType, Date32Type>(swapped, move |d, ms| {
                d.wrapping_add((sign * (ms / DAY_MS)) as i32)
            })
        }
        (TypeKind::Time { .. }, true) => zip::<
            Time32MillisecondType,
            IntervalYearMonthType,
            Time32MillisecondType,
        >(swapped, |t, _| t),
        (TypeKind::Time { .. }, false) => {
            zip::<Time32MillisecondType, DurationMillisecondType, Time32MillisecondType>(
                swapped,
                move |t, ms| i64::from(t).wrapping_add(sign * ms).rem_euclid(DAY_MS) as i32,
            )
        }
        _ => move_timestamps(kind, months, sign, swapped),
    }
}

fn move_timestamps(kind: &TypeKind, months: bool, sign: i64, swapped: bool) -> Kernel {
    let precision = precision_of(kind);
    let arrow = kind.clone().nullable().to_arrow();
    lift::zipped(move |arguments| {
        let (points, intervals) = in_order(arguments, swapped);
        let points: ArrayRef = std::sync::Arc::new(untyped(points, precision));
        let moved = |value: i64, ms: i64, nanos: i64| {
            join(ms, nanos, precision).map(Some).ok_or_else(|| out_of_range(value))
        };
        let raw = if months {
            lift::try_zip::<Int64Type, IntervalYearMonthType, Int64Type, _>(
                &points,
                intervals,
                |value, months| {
                    let (ms, nanos) = split(value, precision);
                    moved(value, add_months_ms(ms, sign * i64::from(months)), nanos)
                },
            )
        } else {
            lift::try_zip::<Int64Type, DurationMillisecondType, Int64Type, _>(
                &points,
                intervals,
                |value, by| {
                    let (ms, nanos) = split(value, precision);
                    moved(value, ms.wrapping_add(sign * by), nanos)
                },
            )
        }?;
        typed(&raw, &arrow)
    })
}

fn precision_of(kind: &TypeKind) -> u8 {
    match kind {
        TypeKind::Timestamp { precision } | TypeKind::TimestampLtz { precision } => *precision,
        _ => 3,
    }
}

fn out_of_range(value: i64) -> Error {
    Error::user(format!("the timestamp {value} moved by an interval is out of range"))
        .with_hint("timestamps of more than 6 digits reach from 1677 to 2262")
}

/// Settles `(left - right) unit`: `months` for YEAR, QUARTER and MONTH units, milliseconds for the others.
pub fn bind_difference(left: &Argument, right: &Argument, months: bool) -> Result<Binding> {
    let (l, r) = (&left.data_type, &right.data_type);
    let same = match (&l.kind, &r.kind) {
        (TypeKind::Timestamp { .. }, TypeKind::Timestamp { .. })
        | (TypeKind::TimestampLtz { .. }, TypeKind::TimestampLtz { .. })
        | (TypeKind::Time { .. }, TypeKind::Time { .. }) => true,
        (l, r) => l == r && l.is_temporal(),
    };
    if !same || (months && matches!(l.kind, TypeKind::Time { .. })) {
        return Err(refused(BinaryOp::Subtract, l, r));
    }
    let interval = if months { TypeKind::IntervalYearMonth } else { TypeKind::IntervalDayTime };
    let nullable = l.nullable || r.nullable;
    let kernel = difference_kernel(&l.kind, &r.kind, months);
    Ok(binding(DataType { kind: interval, nullable }, vec![l.clone(), r.clone()], kernel))
}

fn difference_kernel(left: &TypeKind, right: &TypeKind, months: bool) -> Kernel {
    match (left, months) {
        (TypeKind::Date, true) => {
            zip::<Date32Type, Date32Type, IntervalYearMonthType>(false, |l, r| {
                months_between(i64::from(l), i64::from(r)) as i32
            })
        }
        (TypeKind::Date, false) => {
            zip::<Date32Type, Date32Type, DurationMillisecondType>(false, |l, r| {
                (i64::from(l) - i64::from(r)) * DAY_MS
            })
        }
        (TypeKind::Time { .. }, _) => zip::<
            Time32MillisecondType,
            Time32MillisecondType,
            DurationMillisecondType,
        >(false, |l, r| i64::from(l) - i64::from(r)),
        _ => timestamp_difference(precision_of(left), precision_of(right), months),
    }
}

fn timestamp_difference(left: u8, right: u8, months: bool) -> Kernel {
    lift::zipped(move |arguments| {
        let milliseconds = |array: &ArrayRef, precision: u8| -> ArrayRef {
            let ms = untyped(array, precision).unary::<_, Int64Type>(|v| split(v, precision).0);
            std::sync::Arc::new(ms)
        };
        let (l, r) = (milliseconds(&arguments[0], left), milliseconds(&arguments[1], right));
        if months {
            lift::try_zip::<Int64Type, Int64Type, IntervalYearMonthType, _>(&l, &r, |l, r| {
                Ok(Some(months_between_ms(l, r) as i32))
            })
        } else {
            let ms = arrow_arith::arity::binary::<_, _, _, Int64Type>(
                l.as_primitive::<Int64Type>(),
                r.as_primitive::<Int64Type>(),
                i64::wrapping_sub,
            )?;
            Ok(std::sync::Arc::new(ms.reinterpret_cast::<DurationMillisecondType>()))
        }
    })
}
