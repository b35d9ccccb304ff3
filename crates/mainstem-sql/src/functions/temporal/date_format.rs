//! DATE_FORMAT(point, pattern).
//! Invariant: timestamps are written with `DateTimeFormatter`'s letters, strings (read as `yyyy-MM-dd HH:mm:ss`) with
//! `SimpleDateFormat`'s: Flink uses the two so.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::compiled::Patterns;
use super::instants::{all_valid, precision_of};
use super::pattern::{Dialect, Moment, Pattern};
use super::zone::Zone;
use crate::cast::temporal::{raw, split};
use crate::functions::signature::{arity, partial};
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::lift::{self, TextBuilder};
use crate::session::Session;

/// The text form of a timestamp in Flink.
pub(super) const DEFAULT_PATTERN: &str = "yyyy-MM-dd HH:mm:ss";

pub(super) static DATE_FORMAT: ScalarFunction = ScalarFunction {
    name: "DATE_FORMAT",
    aliases: &[],
    usage: "DATE_FORMAT(timestamp or string, pattern)",
    doc: "The point in time as text, by a pattern of Java's.",
    bind,
};

fn bind(arguments: &[Argument], session: &Session) -> Result<Binding> {
    arity(arguments.len(), 2, Some(2))?;
    let (point, pattern) = (&arguments[0], &arguments[1]);
    let kind = point.data_type.kind.clone();
    let is_text = |kind: &TypeKind| kind.is_string() || *kind == TypeKind::Null;
    if !is_text(&pattern.data_type.kind) {
        return Err(crate::functions::signature::mismatch(1, "a string", &pattern.data_type));
    }
    let types = |first: DataType| vec![first, DataType::string()];
    match kind {
        TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. } => {
            let patterns = Patterns::bind(Some(pattern), "", Dialect::Formatter)?;
            let zone = match kind {
                TypeKind::TimestampLtz { .. } => Zone::Region(session.time_zone),
                _ => Zone::Region(chrono_tz::UTC),
            };
            let first = point.data_type.clone();
            let precision = precision_of(&kind);
            let kernel = lift::zipped(move |arguments| {
                print_timestamps(&patterns, arguments, precision, zone)
            });
            Ok(partial(TypeKind::STRING, types(first), kernel))
        }
        kind if is_text(&kind) => {
            let patterns = Patterns::bind(Some(pattern), "", Dialect::Simple)?;
            let given = Pattern::compile(DEFAULT_PATTERN, Dialect::Simple)?;
            let zone = Zone::Region(session.time_zone);
            let kernel = lift::zipped(move |arguments| reprint(&patterns, &given, arguments, zone));
            Ok(partial(TypeKind::STRING, types(DataType::string()), kernel))
        }
        other => Err(Error::user(format!("DATE_FORMAT does not take {other}"))
            .with_hint("it takes a TIMESTAMP or a string: CAST(x AS TIMESTAMP(3))")),
    }
}

fn print_timestamps(
    patterns: &Patterns,
    arguments: &[ArrayRef],
    precision: u8,
    zone: Zone,
) -> Result<ArrayRef> {
    let values = raw(&arguments[0], precision);
    let mut rows = patterns.rows(arguments.get(1));
    let columns: [&dyn Array; 2] = [arguments[0].as_ref(), arguments[1].as_ref()];
    let mut text = TextBuilder::new(values.len());
    // Neighbouring rows are often equal as far as the pattern shows them.
    let shown_ms = match patterns {
        Patterns::Constant(pattern) => pattern.shown_ms(),
        Patterns::Column(_) => None,
    };
    let mut last: Option<(i64, std::ops::Range<usize>)> = None;
    for row in 0..values.len() {
        if all_valid(&columns, row) {
            let (ms, nanos_of_ms) = split(values[row], precision);
            let local_ms = zone.to_local(ms);
            let shown = shown_ms.map(|unit| local_ms.div_euclid(unit));
            let start = text.bytes.len();
            match (&last, shown) {
                (Some((known, range)), Some(shown)) if *known == shown => {
                    text.bytes.extend_from_within(range.clone());
                }
                _ => {
                    let moment = Moment { local_ms, nanos_of_ms, zone: None };
                    if let Some(pattern) = rows.get(row)? {
                        pattern.print(&mut text.bytes, &moment)?;
                    }
                    last = shown.map(|shown| (shown, start..text.bytes.len()));
                }
            }
        }
        text.end_row();
    }
    let nulls = arrow_buffer::NullBuffer::union(arguments[0].nulls(), arguments[1].nulls());
    text.finish(nulls)
}

/// Text that is read by one pattern and written by another; NULL where it cannot be read.
fn reprint(
    patterns: &Patterns,
    given: &Pattern,
    arguments: &[ArrayRef],
    zone: Zone,
) -> Result<ArrayRef> {
    let points = arguments[0].as_string::<i32>();
    let mut rows = patterns.rows(arguments.get(1));
    let mut out: Vec<Option<String>> = Vec::with_capacity(points.len());
    for row in 0..points.len() {
        let instant = match points.is_valid(row) {
            true => given.parse_lenient(points.value(row), zone, 0),
            false => None,
        };
        out.push(match (instant, rows.get(row)?) {
            (Some(instant), Some(pattern)) => Some(print_instant(pattern, instant, zone)?),
            _ => None,
        });
    }
    Ok(std::sync::Arc::new(arrow_array::StringArray::from(out)))
}

/// An instant as a wall clock of `zone`.
pub(super) fn print_instant(pattern: &Pattern, instant_ms: i64, zone: Zone) -> Result<String> {
    let local_ms = zone.to_local(instant_ms);
    let moment = Moment { local_ms, nanos_of_ms: 0, zone: Some(zone) };
    let mut bytes = Vec::with_capacity(32);
    pattern.print(&mut bytes, &moment)?;
    String::from_utf8(bytes).map_err(|_| Error::internal("a date pattern printed no text"))
}
