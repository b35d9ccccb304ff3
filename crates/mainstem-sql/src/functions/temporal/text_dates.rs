//! TO_DATE, FROM_UNIXTIME, UNIX_TIMESTAMP and CONVERT_TZ: dates in text, by `SimpleDateFormat`.
//! Invariant: they work in the session's time zone; CONVERT_TZ in those it is given.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray, StringArray};
use mainstem_core::{Error, Result, TypeKind};

use super::calendar::DAY_MS;
use super::clock;
use super::compiled::Patterns;
use super::date_format::{DEFAULT_PATTERN, print_instant};
use super::pattern::{Dialect, Pattern};
use super::zone::Zone;
use crate::cast::parse;
use crate::functions::signature::{Want, expect, partial, strict};
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::lift;
use crate::session::Session;

pub(super) static TO_DATE: ScalarFunction = ScalarFunction {
    name: "TO_DATE",
    aliases: &[],
    usage: "TO_DATE(string [, pattern])",
    doc: "The text read as DATE, by default as yyyy-MM-dd; NULL if it cannot be read.",
    bind: bind_to_date,
};

pub(super) static FROM_UNIXTIME: ScalarFunction = ScalarFunction {
    name: "FROM_UNIXTIME",
    aliases: &[],
    usage: "FROM_UNIXTIME(seconds [, pattern])",
    doc: "Seconds since 1970 as text in the session's time zone.",
    bind: bind_from_unixtime,
};

pub(super) static UNIX_TIMESTAMP: ScalarFunction = ScalarFunction {
    name: "UNIX_TIMESTAMP",
    aliases: &[],
    usage: "UNIX_TIMESTAMP([string [, pattern]])",
    doc: "Seconds since 1970: now, or of text in the session's time zone.",
    bind: bind_unix_timestamp,
};

pub(super) static CONVERT_TZ: ScalarFunction = ScalarFunction {
    name: "CONVERT_TZ",
    aliases: &[],
    usage: "CONVERT_TZ(string, from_zone, to_zone)",
    doc: "A yyyy-MM-dd HH:mm:ss text of one time zone as that of another.",
    bind: bind_convert_tz,
};

/// The instant of each text by its pattern.
fn read_rows<F>(arguments: &[ArrayRef], patterns: &Patterns, f: F) -> Result<Vec<Option<i64>>>
where
    F: Fn(&Pattern, &str) -> Option<i64>,
{
    let texts = arguments[0].as_string::<i32>();
    let mut rows = patterns.rows(arguments.get(1));
    (0..texts.len())
        .map(|row| {
            let pattern = rows.get(row)?;
            Ok(pattern.filter(|_| texts.is_valid(row)).and_then(|p| f(p, texts.value(row))))
        })
        .collect()
}

fn bind_to_date(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text, Want::Text], 1)?;
    let kernel = if arguments.len() == 1 {
        lift::unary(|texts| lift::parse::<Date32Type, _>(texts, |text| Ok(parse::date(text))))
    } else {
        let patterns = Patterns::bind(arguments.get(1), "", Dialect::Simple)?;
        lift::zipped(move |arguments| {
            let utc = Zone::Region(chrono_tz::UTC);
            let days = read_rows(arguments, &patterns, |pattern, text| {
                pattern.parse_lenient(text, utc, 0).map(|ms| ms.div_euclid(DAY_MS))
            })?;
            let days = days.into_iter().map(|days| days.map(|days| days as i32)).collect();
            let days: PrimitiveArray<Date32Type> = days;
            let days: ArrayRef = Arc::new(days);
            Ok(days)
        })
    };
    Ok(partial(TypeKind::Date, types, kernel))
}

fn bind_from_unixtime(arguments: &[Argument], session: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Integer, Want::Text], 1)?;
    let patterns = Patterns::bind(arguments.get(1), DEFAULT_PATTERN, Dialect::Simple)?;
    let zone = Zone::Region(session.time_zone);
    let kernel = lift::zipped(move |arguments| {
        let seconds = arguments[0].as_primitive::<Int64Type>();
        let mut rows = patterns.rows(arguments.get(1));
        let texts: StringArray = (0..seconds.len())
            .map(|row| match rows.get(row)? {
                Some(pattern) if seconds.is_valid(row) => {
                    let ms = seconds.value(row).wrapping_mul(1000);
                    print_instant(pattern, ms, zone).map(Some)
                }
                _ => Ok(None),
            })
            .collect::<Result<_>>()?;
        let texts: ArrayRef = Arc::new(texts);
        Ok(texts)
    });
    Ok(partial(TypeKind::STRING, types, kernel))
}

fn bind_unix_timestamp(arguments: &[Argument], session: &Session) -> Result<Binding> {
    if arguments.is_empty() {
        return clock::bind_seconds(arguments);
    }
    let types = expect(arguments, &[Want::Text, Want::Text], 1)?;
    let patterns = Patterns::bind(arguments.get(1), DEFAULT_PATTERN, Dialect::Simple)?;
    let zone = Zone::Region(session.time_zone);
    let kernel = lift::zipped(move |arguments| {
        let nulls = arguments.iter().fold(None, |nulls, column| {
            arrow_buffer::NullBuffer::union(nulls.as_ref(), column.nulls())
        });
        // Text that cannot be read is the least BIGINT: Flink's answer, kept.
        let seconds = read_rows(arguments, &patterns, |pattern, text| {
            Some(pattern.parse_lenient(text, zone, 0).map_or(i64::MIN, |ms| ms / 1000))
        })?;
        let values = seconds.into_iter().map(Option::unwrap_or_default).collect();
        let seconds: ArrayRef = Arc::new(PrimitiveArray::<Int64Type>::new(values, nulls));
        Ok(seconds)
    });
    Ok(strict(TypeKind::BigInt, types, kernel))
}

fn bind_convert_tz(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text, Want::Text, Want::Text], 3)?;
    let pattern = Pattern::compile(DEFAULT_PATTERN, Dialect::Simple)?;
    let kernel = lift::zipped(move |arguments| {
        let [texts, from, to] = [0, 1, 2].map(|i| arguments[i].as_string::<i32>());
        let mut zones = Zones::default();
        let texts: StringArray = (0..texts.len())
            .map(|row| {
                if texts.is_null(row) || from.is_null(row) || to.is_null(row) {
                    return Ok(None);
                }
                let (from, to) = zones.get(from.value(row), to.value(row));
                match pattern.parse_lenient(texts.value(row), from, 0) {
                    Some(instant) => print_instant(&pattern, instant, to).map(Some),
                    None => Ok(None),
                }
            })
            .collect::<Result<_, Error>>()?;
        let texts: ArrayRef = Arc::new(texts);
        Ok(texts)
    });
    Ok(partial(TypeKind::STRING, types, kernel))
}

/// The zones of the last row: those of the next one, as a rule.
#[derive(Default)]
struct Zones {
    last: Option<((String, String), (Zone, Zone))>,
}

impl Zones {
    fn get(&mut self, from: &str, to: &str) -> (Zone, Zone) {
        if let Some(((known_from, known_to), zones)) = &self.last
            && known_from == from
            && known_to == to
        {
            return *zones;
        }
        let zones = (Zone::parse_or_gmt(from), Zone::parse_or_gmt(to));
        self.last = Some(((from.to_owned(), to.to_owned()), zones));
        zones
    }
}
