//! FLOOR(x TO unit) and CEIL(x TO unit).
//! Invariant: the result has the type of `x`. Nanoseconds below the millisecond round up milliseconds only; weeks
//! start on Sundays; TIMESTAMP_LTZ rounds the wall clock of the session's zone. All of it is Flink's.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Time32MillisecondType};
use arrow_array::{ArrayRef, PrimitiveArray};
use mainstem_core::{Error, Result, TypeKind};

use super::calendar::{self, DAY_MS};
use super::instants::{binding, milliseconds, no_unit, precision_of, timestamps};
use super::{Unit, zone::Zone};
use crate::cast::temporal::{split, untyped};
use crate::functions::{Argument, Binding};
use crate::lift;
use crate::session::Session;

/// Which way to round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// FLOOR: to the start of the unit.
    Down,
    /// CEIL: to the start of the next unit, unless at the start of one.
    Up,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::Down => "FLOOR",
            Self::Up => "CEIL",
        }
    }
}

/// Settles `FLOOR(arg TO unit)` or `CEIL(arg TO unit)`: the type of `arg`.
pub fn bind(
    direction: Direction,
    arg: &Argument,
    unit: Unit,
    session: &Session,
) -> Result<Binding> {
    let data_type = arg.data_type.clone();
    let kind = data_type.kind.clone();
    if !kind.is_temporal() {
        return Err(Error::user(format!("{} TO {unit} does not take {kind}", direction.name()))
            .with_hint("it takes a date, time or timestamp: CAST the argument"));
    }
    if step_ms(unit).is_none() && calendar::floor(unit, 0).is_none() {
        return Err(no_unit(direction.name(), unit, &kind));
    }
    let zone = match kind {
        TypeKind::TimestampLtz { .. } => Zone::Region(session.time_zone),
        _ => Zone::Region(chrono_tz::UTC),
    };
    let kernel = lift::unary(move |array| match kind {
        TypeKind::Date => {
            let round = |days: i32| round_days(direction, unit, i64::from(days)) as i32;
            Ok(lift::map::<Date32Type, Date32Type, _>(array, round))
        }
        TypeKind::Time { .. } => {
            let times = array.as_primitive::<Time32MillisecondType>();
            let rounded: PrimitiveArray<Time32MillisecondType> = match step_ms(unit) {
                Some(step) if step < DAY_MS => times.unary(|ms| {
                    let step = step as i32;
                    let down = ms - ms.rem_euclid(step);
                    let up = direction == Direction::Up && down < ms;
                    down + if up { step } else { 0 }
                }),
                _ => times.clone(),
            };
            let rounded: ArrayRef = Arc::new(rounded);
            Ok(rounded)
        }
        _ if unit == Unit::Millisecond && direction == Direction::Up => {
            let precision = precision_of(&kind);
            timestamps(&kind, &untyped(array, precision), |value| {
                let (ms, nanos) = split(value, precision);
                Some((ms + i64::from(nanos > 0), 0))
            })
        }
        _ => timestamps(&kind, &milliseconds(&kind, array), |ms| {
            Some((round_instant(direction, unit, zone, ms), 0))
        }),
    });
    Ok(binding(data_type.clone(), vec![data_type], kernel))
}

/// Units that are a number of milliseconds.
fn step_ms(unit: Unit) -> Option<i64> {
    match unit {
        Unit::Day => Some(DAY_MS),
        Unit::Hour => Some(3_600_000),
        Unit::Minute => Some(60_000),
        Unit::Second => Some(1000),
        Unit::Millisecond => Some(1),
        _ => None,
    }
}

/// A date has no smaller parts to round.
fn round_days(direction: Direction, unit: Unit, days: i64) -> i64 {
    let rounded = match direction {
        Direction::Down => calendar::floor(unit, days),
        Direction::Up => calendar::ceil(unit, days),
    };
    rounded.unwrap_or(days)
}

fn round_instant(direction: Direction, unit: Unit, zone: Zone, ms: i64) -> i64 {
    let offset = zone.offset_ms(ms);
    let local = ms + offset;
    let rounded = match step_ms(unit) {
        Some(step) => {
            let down = local - local.rem_euclid(step);
            if direction == Direction::Up && down < local { down + step } else { down }
        }
        // Days are cut towards 1970 here, as in Flink.
        None => round_days(direction, unit, local / DAY_MS) * DAY_MS,
    };
    rounded - offset
}
