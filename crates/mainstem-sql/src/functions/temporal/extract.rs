//! EXTRACT(unit FROM x) and its short names YEAR(x), MONTH(x), ...
//! Invariant: Flink's division is Java's, so before 1970 it cuts towards 1970: the hour of 1960-03-05 10:00 is -14.

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, PrimitiveArray};
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::calendar::{self, DAY_MS};
use super::instants::{binding, milliseconds, no_unit, precision_of};
use super::{Unit, zone::Zone};
use crate::cast::temporal::{split, untyped};
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::lift;
use crate::session::Session;

/// Settles `EXTRACT(unit FROM arg)`: BIGINT.
pub fn bind(unit: Unit, arg: &Argument, session: &Session) -> Result<Binding> {
    let kind = arg.data_type.kind.clone();
    let refused = || no_unit("EXTRACT", unit, &kind);
    let part: Box<dyn Fn(i64) -> i64 + Send + Sync> = match &kind {
        TypeKind::Date if matches!(unit, Unit::Microsecond | Unit::Nanosecond) => {
            return Err(refused());
        }
        TypeKind::Date | TypeKind::Timestamp { .. } => part_of_instant(unit).ok_or_else(refused)?,
        TypeKind::TimestampLtz { .. } => {
            let part = part_of_instant(unit).ok_or_else(refused)?;
            let zone = Zone::Region(session.time_zone);
            Box::new(move |ms| part(zone.to_local(ms)))
        }
        TypeKind::Time { .. } | TypeKind::IntervalDayTime => match unit {
            Unit::Day if kind == TypeKind::IntervalDayTime => Box::new(|ms| ms / DAY_MS),
            Unit::Hour | Unit::Minute | Unit::Second | Unit::Millisecond => {
                part_of_day(unit).ok_or_else(refused)?
            }
            _ => return Err(refused()),
        },
        TypeKind::IntervalYearMonth => match unit {
            Unit::Year => Box::new(|months| months / 12),
            Unit::Quarter => Box::new(|months| months % 12 / 3 + 1),
            Unit::Month => Box::new(|months| months % 12),
            _ => return Err(refused()),
        },
        other => {
            return Err(Error::user(format!("cannot extract {unit} from {other}")).with_hint(
                "EXTRACT takes a date, time, timestamp or interval: CAST the argument",
            ));
        }
    };
    let below_ms = match unit {
        Unit::Microsecond => 1_000,
        Unit::Nanosecond => 1,
        _ => 0,
    };
    let nanos = (kind.is_timestamp() && below_ms > 0).then(|| precision_of(&kind));
    let argument = arg.data_type.clone();
    let returns = TypeKind::BigInt.nullable().with_nullable(argument.nullable);
    let kernel = lift::unary(move |array| {
        let parts: PrimitiveArray<Int64Type> = match nanos {
            None => milliseconds(&kind, array).unary(&part),
            Some(precision) => untyped(array, precision).unary(|value| {
                let (ms, nanos) = split(value, precision);
                part(ms) + nanos / below_ms
            }),
        };
        let parts: ArrayRef = Arc::new(parts);
        Ok(parts)
    });
    Ok(binding(returns, vec![argument], kernel))
}

/// The field of local milliseconds.
fn part_of_instant(unit: Unit) -> Option<Box<dyn Fn(i64) -> i64 + Send + Sync>> {
    if unit == Unit::Epoch {
        return Some(Box::new(|ms| ms / 1000));
    }
    if calendar::field(unit, 0).is_some() {
        return Some(Box::new(move |ms| calendar::field(unit, ms / DAY_MS).unwrap_or_default()));
    }
    part_of_day(unit)
}

fn part_of_day(unit: Unit) -> Option<Box<dyn Fn(i64) -> i64 + Send + Sync>> {
    Some(match unit {
        Unit::Hour => Box::new(|ms| ms % DAY_MS / 3_600_000),
        Unit::Minute => Box::new(|ms| ms % 3_600_000 / 60_000),
        Unit::Second => Box::new(|ms| ms % 60_000 / 1000),
        Unit::Millisecond => Box::new(|ms| ms % 1000),
        Unit::Microsecond => Box::new(|ms| ms % 1000 * 1000),
        Unit::Nanosecond => Box::new(|ms| ms % 1000 * 1_000_000),
        _ => return None,
    })
}

macro_rules! short_names {
    ($($name:ident $sql:literal $unit:ident $doc:literal;)*) => {
        $(pub(super) static $name: ScalarFunction = ScalarFunction {
            name: $sql,
            aliases: &[],
            usage: concat!($sql, "(point)"),
            doc: $doc,
            bind: |arguments, session| one(Unit::$unit, arguments, session),
        };)*
    };
}

short_names! {
    YEAR "YEAR" Year "The year.";
    QUARTER "QUARTER" Quarter "The quarter of the year, 1 to 4.";
    MONTH "MONTH" Month "The month, 1 to 12.";
    WEEK "WEEK" Week "The ISO week, 1 to 53.";
    DAYOFYEAR "DAYOFYEAR" DayOfYear "The day of the year, 1 to 366.";
    DAYOFMONTH "DAYOFMONTH" Day "The day of the month, 1 to 31.";
    DAYOFWEEK "DAYOFWEEK" DayOfWeek "The day of the week, Sunday is 1.";
    HOUR "HOUR" Hour "The hour of the day, 0 to 23.";
    MINUTE "MINUTE" Minute "The minute of the hour, 0 to 59.";
    SECOND "SECOND" Second "The second of the minute, 0 to 59.";
}

fn one(unit: Unit, arguments: &[Argument], session: &Session) -> Result<Binding> {
    let [argument] = arguments else {
        return Err(Error::user(format!("takes 1 argument, found {}", arguments.len())));
    };
    match &argument.data_type {
        DataType { kind: TypeKind::Null, .. } => {
            let typed = Argument {
                data_type: TypeKind::Timestamp { precision: 3 }.nullable(),
                literal: None,
            };
            bind(unit, &typed, session)
        }
        _ => bind(unit, argument, session),
    }
}
