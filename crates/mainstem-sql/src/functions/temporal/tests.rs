//! Calendar, patterns, zones and literals against rows of text.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use mainstem_core::TypeKind;
use mainstem_engine::expr::{EvalContext, Value};

use super::calendar::{self, Date};
use super::pattern::{Dialect, Moment, Pattern};
use super::zone::Zone;
use super::{Unit, literal};
use crate::functions::Argument;
use crate::session::Session;

fn days(text: &str) -> i64 {
    i64::from(crate::cast::parse::date(text).unwrap())
}

fn ms(text: &str) -> i64 {
    crate::cast::parse::timestamp(text).unwrap().0
}

#[test]
fn calendar_fields_are_flinks() {
    let rows = [
        (Unit::Week, "2023-01-01", 52),
        (Unit::Week, "2020-12-31", 53),
        (Unit::IsoYear, "2021-01-01", 2020),
        (Unit::DayOfWeek, "2024-05-05", 1),
        (Unit::IsoDayOfWeek, "2024-05-05", 7),
        (Unit::DayOfYear, "2024-05-01", 122),
        (Unit::Quarter, "2024-05-01", 2),
        (Unit::Century, "2000-02-01", 20),
        (Unit::Millennium, "2001-02-01", 3),
    ];
    for (unit, date, expected) in rows {
        assert_eq!(calendar::field(unit, days(date)), Some(expected), "{unit} of {date}");
    }
}

#[test]
fn rounding_keeps_flinks_oddities() {
    let rows = [
        (Unit::Week, "2024-05-17", "2024-05-12", "2024-05-19"),
        (Unit::Quarter, "2024-04-01", "2024-04-01", "2024-07-01"),
        (Unit::Month, "2024-12-17", "2024-12-01", "2025-01-01"),
        (Unit::Decade, "2020-01-01", "2020-01-01", "2030-01-01"),
        (Unit::Century, "2024-05-17", "2001-01-01", "2101-01-01"),
        (Unit::Day, "2024-05-17", "2024-05-17", "2024-05-18"),
    ];
    for (unit, date, floor, ceil) in rows {
        assert_eq!(calendar::floor(unit, days(date)), Some(days(floor)), "FLOOR {date} TO {unit}");
        assert_eq!(calendar::ceil(unit, days(date)), Some(days(ceil)), "CEIL {date} TO {unit}");
    }
}

#[test]
fn months_are_added_within_the_month() {
    assert_eq!(calendar::add_months(days("2024-01-31"), 1), days("2024-02-29"));
    assert_eq!(calendar::add_months(days("2024-02-29"), -12), days("2023-02-28"));
    assert_eq!(calendar::months_between(days("2024-02-29"), days("2024-01-31")), 1);
    assert_eq!(
        calendar::months_between_ms(ms("2024-02-29 11:00:00"), ms("2024-01-31 12:00:00")),
        0
    );
    for day in (-800_000..800_000).step_by(97) {
        assert_eq!(Date::from_days(day).to_days(), day);
    }
}

#[test]
fn patterns_write_and_read() {
    let rows = [
        (Dialect::Formatter, "yyyy-MM-dd HH:mm:ss", "2024-03-05 09:08:07"),
        (Dialect::Formatter, "yyyyMMdd'T'HHmmss", "20240305T090807"),
        (Dialect::Formatter, "d.M.yy h:m:s a", "5.3.24 9:8:7 AM"),
        (Dialect::Formatter, "EEE, MMM dd uuuu HH:mm:ss", "Tue, Mar 05 2024 09:08:07"),
        (Dialect::Formatter, "yyyy-MM-dd[ HH:mm:ss]", "2024-03-05 09:08:07"),
        (Dialect::Simple, "dd MMM yyyy HH:mm:ss z", "05 Mar 2024 09:08:07 UTC"),
        (Dialect::Simple, "yyyyMMddHHmmss", "20240305090807"),
    ];
    let utc = Zone::Region(chrono_tz::UTC);
    let local_ms = ms("2024-03-05 09:08:07");
    for (dialect, text, expected) in rows {
        let pattern = Pattern::compile(text, dialect).unwrap();
        let mut out = Vec::new();
        let moment = Moment { local_ms, nanos_of_ms: 0, zone: Some(utc) };
        pattern.print(&mut out, &moment).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{text}");
        let read = match dialect {
            Dialect::Formatter => pattern.parse_strict(expected).map(|(ms, _)| ms),
            Dialect::Simple => pattern.parse_lenient(expected, utc, 0),
        };
        assert_eq!(read, Some(local_ms), "{expected} by {text}");
    }
}

#[test]
fn bad_patterns_do_not_compile() {
    for text in ["bogus", "yyyy'", "yyyy{", "yyyy]"] {
        assert!(Pattern::compile(text, Dialect::Formatter).is_err(), "{text}");
    }
}

#[test]
fn zones_have_javas_names() {
    let hour = 3_600_000;
    let rows = [
        ("UTC", Some(0)),
        ("GMT+8", Some(8 * hour)),
        ("+02:30", Some(2 * hour + hour / 2)),
        ("-0130", Some(-hour - hour / 2)),
        ("PST", Some(-8 * hour)),
        ("Europe/Berlin", Some(hour)),
        ("nowhere", None),
    ];
    for (name, expected) in rows {
        assert_eq!(Zone::parse(name).map(|zone| zone.offset_ms(0)), expected, "{name}");
    }
}

#[test]
fn interval_literals() {
    let rows = [
        ("1-2", Unit::Year, Some(Unit::Month), Some("+1-02")),
        ("-1 10:00:00.5", Unit::Day, Some(Unit::Second), Some("-1 10:00:00.500")),
        ("10:30.123", Unit::Minute, Some(Unit::Second), Some("+0 00:10:30.123")),
        ("3", Unit::Quarter, None, Some("+0-09")),
        ("3", Unit::Week, None, Some("+21 00:00:00.000")),
        ("1-13", Unit::Year, Some(Unit::Month), None),
        ("1 25", Unit::Day, Some(Unit::Hour), None),
        ("100", Unit::Day, None, None),
        ("10.5", Unit::Minute, None, None),
        ("x", Unit::Day, None, None),
        ("1", Unit::Millisecond, None, None),
    ];
    let session = Session::default();
    for (text, from, to, expected) in rows {
        let shown = literal::interval(false, text, from, to).ok().map(|(data_type, array)| {
            let mut out = Vec::new();
            crate::cast::value_printer(&data_type.kind, &array, &session)(0, &mut out);
            String::from_utf8(out).unwrap()
        });
        assert_eq!(shown.as_deref(), expected, "INTERVAL '{text}' {from}");
    }
    assert!(literal::interval_with_precision(false, "100", Unit::Day, Some(3), None).is_ok());
}

#[test]
fn timestamp_literals_count_their_digits() {
    let precision = |text: &str| literal::timestamp(text).ok().map(|(data_type, _)| data_type.kind);
    let of = |precision| Some(TypeKind::Timestamp { precision });
    assert_eq!(precision("2024-01-05 10:20:30"), of(0));
    assert_eq!(precision("2024-01-05 10:20:30.12"), of(2));
    assert_eq!(precision("2024-01-05"), of(0));
    assert_eq!(precision("2024-01-05 10:20:30.1234567890"), of(9));
    assert_eq!(precision("2024-02-30 10:20:30"), None);
}

/// A literal as the binder hands it over, and its value.
fn operand(literal: (mainstem_core::DataType, ArrayRef)) -> (Argument, Value) {
    let (data_type, array) = literal;
    let value = Value::Scalar(Arc::clone(&array));
    (Argument { data_type, literal: Some(array) }, value)
}

#[test]
fn periods_overlap_whatever_the_order_of_their_ends() {
    let date = |text: &str| operand(literal::date(text).unwrap());
    let months = |text: &str| operand(literal::interval(false, text, Unit::Month, None).unwrap());
    let rows = [
        ([date("2024-01-01"), date("2024-02-01"), date("2024-02-01"), date("2024-03-01")], true),
        ([date("2024-02-01"), date("2024-01-01"), date("2024-01-15"), date("2024-01-16")], true),
        ([date("2024-01-01"), months("1"), date("2024-02-02"), months("1")], false),
    ];
    let cx = EvalContext { now_ms: 0, watermark_ms: None };
    for (operands, expected) in rows {
        let (arguments, values): (Vec<Argument>, Vec<Value>) = operands.into_iter().unzip();
        let arguments: [Argument; 4] = arguments.try_into().unwrap();
        let bound = super::overlaps::bind(&arguments, &Session::default()).unwrap();
        assert_eq!(bound.returns, TypeKind::Boolean.not_null());
        let answer = (bound.kernel)(&values, 1, &cx).unwrap();
        assert_eq!(answer.array().as_boolean().value(0), expected, "{arguments:?}");
    }
}

#[test]
fn differences_are_intervals() {
    let rows = [
        ("2024-01-03 00:00:00", "2024-01-01 01:00:00", false, "+1 23:00:00.000"),
        ("2024-03-03 00:00:00", "2024-01-04 00:00:00", true, "+0-01"),
        ("2024-03-03 00:00:00", "2022-01-04 00:00:00", true, "+2-01"),
    ];
    let cx = EvalContext { now_ms: 0, watermark_ms: None };
    for (left, right, months, expected) in rows {
        let (left, left_value) = operand(literal::timestamp(left).unwrap());
        let (right, right_value) = operand(literal::timestamp(right).unwrap());
        let bound = crate::operators::bind_difference(&left, &right, months).unwrap();
        let interval = (bound.kernel)(&[left_value, right_value], 1, &cx).unwrap();
        let session = Session::default();
        let mut out = Vec::new();
        crate::cast::value_printer(&bound.returns.kind, interval.array(), &session)(0, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
