//! TIMESTAMPDIFF(unit, from, to).
//! Invariant: whole units, cut towards zero, wrapped into INT as in Flink (BIGINT for NANOSECOND). Units below the
//! second count whole seconds too: that is Flink's.

use std::sync::Arc;

use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{ArrayRef, PrimitiveArray};
use mainstem_core::{Error, Result, TypeKind};

use super::Unit;
use super::calendar::months_between_ms;
use super::instants::{binding, milliseconds, no_unit};
use crate::functions::{Argument, Binding};
use crate::lift;
use crate::session::Session;

/// Settles `TIMESTAMPDIFF(unit, from, to)`: INT, whole units from `from` to `to`.
pub fn bind(unit: Unit, from: &Argument, to: &Argument, _session: &Session) -> Result<Binding> {
    let (from, to) = (&from.data_type, &to.data_type);
    let comparable = match (&from.kind, &to.kind) {
        (TypeKind::TimestampLtz { .. }, other) | (other, TypeKind::TimestampLtz { .. }) => {
            matches!(other, TypeKind::TimestampLtz { .. })
        }
        (TypeKind::Time { .. }, other) | (other, TypeKind::Time { .. }) => {
            matches!(other, TypeKind::Time { .. }) && unit.months().is_none()
        }
        (l, r) => l.is_temporal() && r.is_temporal(),
    };
    if !comparable {
        return Err(Error::user(format!(
            "TIMESTAMPDIFF does not count {unit} from {} to {}",
            from.kind, to.kind
        ))
        .with_hint("CAST both to the same type of timestamp"));
    }
    let count = counter(unit).ok_or_else(|| no_unit("TIMESTAMPDIFF", unit, &from.kind))?;
    let wide = unit == Unit::Nanosecond;
    let returns = if wide { TypeKind::BigInt } else { TypeKind::Int };
    let (from_kind, to_kind) = (from.kind.clone(), to.kind.clone());
    let kernel = lift::zipped(move |arguments| {
        let from = milliseconds(&from_kind, &arguments[0]);
        let to = milliseconds(&to_kind, &arguments[1]);
        let counts: PrimitiveArray<Int64Type> = arrow_arith::arity::binary(&from, &to, &count)?;
        let counts: ArrayRef = Arc::new(counts);
        Ok(match wide {
            true => counts,
            false => lift::map::<Int64Type, Int32Type, _>(&counts, |count| count as i32),
        })
    });
    let nullable = from.nullable || to.nullable;
    let arguments = vec![from.clone(), to.clone()];
    Ok(binding(returns.nullable().with_nullable(nullable), arguments, kernel))
}

fn counter(unit: Unit) -> Option<Box<dyn Fn(i64, i64) -> i64 + Send + Sync>> {
    if let Some(months) = unit.months() {
        return Some(Box::new(move |from, to| months_between_ms(to, from) / months));
    }
    let per_second = match unit {
        Unit::Millisecond => 1_000,
        Unit::Microsecond => 1_000_000,
        Unit::Nanosecond => 1_000_000_000,
        _ => {
            let ms = unit.milliseconds()?;
            return Some(Box::new(move |from, to| to.wrapping_sub(from) / ms));
        }
    };
    Some(Box::new(move |from, to| (to.wrapping_sub(from) / 1000).wrapping_mul(per_second)))
}
