//! The functions that tell the time: CURRENT_TIMESTAMP and its like.
//! Invariant: one value for a whole step, from `EvalContext`; never folded into a plan.

use std::sync::Arc;

use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{ArrayRef, Date32Array, PrimitiveArray, Time32MillisecondArray};
use mainstem_core::{Error, Result, TypeKind};
use mainstem_engine::expr::{EvalContext, Value};

use super::calendar::DAY_MS;
use super::zone::Zone;
use crate::functions::signature::arity;
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::session::Session;

const LTZ: TypeKind = TypeKind::TimestampLtz { precision: 3 };

/// A call without arguments whose value follows from the instant.
fn told<F>(arguments: &[Argument], kind: TypeKind, tell: F) -> Result<Binding>
where
    F: Fn(i64) -> ArrayRef + Send + Sync + 'static,
{
    arity(arguments.len(), 0, Some(0))?;
    let kernel =
        Arc::new(move |_: &[Value], _: usize, cx: &EvalContext| Ok(Value::Scalar(tell(cx.now_ms))));
    Ok(Binding { returns: kind.not_null(), arguments: Vec::new(), kernel, deterministic: false })
}

fn instant(ms: Option<i64>, zoned: bool) -> ArrayRef {
    let zone = zoned.then_some("UTC");
    let array = PrimitiveArray::<TimestampMillisecondType>::from(vec![ms]);
    Arc::new(array.with_timezone_opt(zone))
}

fn bind_instant(arguments: &[Argument], _: &Session) -> Result<Binding> {
    told(arguments, LTZ, |ms| instant(Some(ms), true))
}

fn bind_local_timestamp(arguments: &[Argument], session: &Session) -> Result<Binding> {
    let zone = Zone::Region(session.time_zone);
    told(arguments, TypeKind::Timestamp { precision: 3 }, move |ms| {
        instant(Some(zone.to_local(ms)), false)
    })
}

fn bind_date(arguments: &[Argument], session: &Session) -> Result<Binding> {
    let zone = Zone::Region(session.time_zone);
    told(arguments, TypeKind::Date, move |ms| {
        Arc::new(Date32Array::from(vec![zone.to_local(ms).div_euclid(DAY_MS) as i32]))
    })
}

fn bind_time(arguments: &[Argument], session: &Session) -> Result<Binding> {
    let zone = Zone::Region(session.time_zone);
    told(arguments, TypeKind::Time { precision: 0 }, move |ms| {
        let of_day = zone.to_local(ms).rem_euclid(DAY_MS);
        Arc::new(Time32MillisecondArray::from(vec![of_day as i32]))
    })
}

/// Seconds since the epoch: UNIX_TIMESTAMP().
pub(super) fn bind_seconds(arguments: &[Argument]) -> Result<Binding> {
    told(arguments, TypeKind::BigInt, |ms| {
        Arc::new(PrimitiveArray::<Int64Type>::from(vec![ms.div_euclid(1000)]))
    })
}

fn bind_watermark(arguments: &[Argument], session: &Session) -> Result<Binding> {
    arity(arguments.len(), 1, Some(1))?;
    let data_type = &arguments[0].data_type;
    let zoned = match data_type.kind {
        TypeKind::Timestamp { precision: 0..=3 } => false,
        TypeKind::TimestampLtz { precision: 0..=3 } => true,
        _ => {
            return Err(Error::user(format!(
                "CURRENT_WATERMARK takes a row-time column, found {}",
                data_type.kind
            )));
        }
    };
    let _ = session;
    let kernel = Arc::new(move |_: &[Value], _: usize, cx: &EvalContext| {
        Ok(Value::Scalar(instant(cx.watermark_ms, zoned)))
    });
    Ok(Binding {
        returns: data_type.with_nullable(true),
        arguments: vec![data_type.clone()],
        kernel,
        deterministic: false,
    })
}

macro_rules! clocks {
    ($($name:ident $sql:literal [$($alias:literal),*] $usage:literal $bind:ident $doc:literal;)*) => {
        $(pub(super) static $name: ScalarFunction = ScalarFunction {
            name: $sql,
            aliases: &[$($alias),*],
            usage: $usage,
            doc: $doc,
            bind: $bind,
        };)*
    };
}

clocks! {
    CURRENT_TIMESTAMP "CURRENT_TIMESTAMP" ["NOW", "CURRENT_ROW_TIMESTAMP"] "CURRENT_TIMESTAMP"
        bind_instant "The step's time, TIMESTAMP_LTZ(3).";
    PROCTIME "PROCTIME" [] "PROCTIME()" bind_instant "The processing time, TIMESTAMP_LTZ(3).";
    CURRENT_DATE "CURRENT_DATE" [] "CURRENT_DATE" bind_date "Today in the session's time zone.";
    LOCALTIME "LOCALTIME" ["CURRENT_TIME"] "LOCALTIME" bind_time
        "The time of day in the session's time zone.";
    LOCALTIMESTAMP "LOCALTIMESTAMP" [] "LOCALTIMESTAMP" bind_local_timestamp
        "The session's wall clock, TIMESTAMP(3).";
    CURRENT_WATERMARK "CURRENT_WATERMARK" [] "CURRENT_WATERMARK(rowtime)" bind_watermark
        "The watermark before this step, NULL before the first one.";
}
