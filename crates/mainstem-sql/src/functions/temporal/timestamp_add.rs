//! TIMESTAMPADD(unit, count, x).
//! Invariant: a date stays a date unless the unit is below a day; months keep the time of day.

use std::sync::Arc;

use arrow_array::types::{DurationMillisecondType, Int64Type, IntervalYearMonthType};
use mainstem_core::{Error, Result, TypeKind};
use mainstem_engine::expr::Value;

use super::Unit;
use super::instants::{binding, no_unit};
use crate::functions::{Argument, Binding, Kernel};
use crate::lift;
use crate::operators::move_kernel;
use crate::session::Session;

/// Settles `TIMESTAMPADD(unit, count, point)`; the binding takes `count` and `point`.
pub fn bind(unit: Unit, count: &Argument, point: &Argument, _session: &Session) -> Result<Binding> {
    let (count_type, point_type) = (&count.data_type, &point.data_type);
    if !count_type.kind.is_integer() {
        return Err(Error::user(format!(
            "TIMESTAMPADD counts in integers, found {}",
            count_type.kind
        )));
    }
    if !point_type.kind.is_temporal() {
        return Err(Error::user(format!("TIMESTAMPADD does not take {}", point_type.kind))
            .with_hint("it takes a date, time or timestamp: CAST the argument"));
    }
    let moved = match (&point_type.kind, unit) {
        (TypeKind::Date, Unit::Hour | Unit::Minute | Unit::Second) => {
            TypeKind::Timestamp { precision: 6 }
        }
        (TypeKind::Timestamp { precision }, Unit::Millisecond) => {
            TypeKind::Timestamp { precision: *precision.max(&3) }
        }
        (TypeKind::TimestampLtz { precision }, Unit::Millisecond) if *precision >= 3 => {
            point_type.kind.clone()
        }
        (kind, Unit::Millisecond) => return Err(no_unit("TIMESTAMPADD", unit, kind)),
        (kind, _) => kind.clone(),
    };
    let kernel = match (unit.months(), unit.milliseconds()) {
        (Some(months), _) => add(&moved, true, months),
        (None, Some(ms)) => add(&moved, false, ms),
        (None, None) => return Err(no_unit("TIMESTAMPADD", unit, &point_type.kind)),
    };
    let nullable = count_type.nullable || point_type.nullable;
    let arguments = vec![TypeKind::BigInt.nullable(), moved.clone().nullable()];
    Ok(binding(moved.nullable().with_nullable(nullable), arguments, kernel))
}

fn add(kind: &TypeKind, months: bool, factor: i64) -> Kernel {
    let shift = move_kernel(kind, months, false, false);
    Arc::new(move |arguments, rows, cx| {
        let scale = |array: &_| match months {
            true => lift::map::<Int64Type, IntervalYearMonthType, _>(array, |count| {
                count.wrapping_mul(factor) as i32
            }),
            false => lift::map::<Int64Type, DurationMillisecondType, _>(array, |count| {
                count.wrapping_mul(factor)
            }),
        };
        let interval = match &arguments[0] {
            Value::Array(array) => Value::Array(scale(array)),
            Value::Scalar(one) => Value::Scalar(scale(one)),
        };
        shift(&[arguments[1].clone(), interval], rows, cx)
    })
}
