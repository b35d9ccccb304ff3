//! Casts against rows of text, and round trips through STRING.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int32Array, StringArray};
use mainstem_core::{DataType, ErrorKind, TypeKind};
use mainstem_engine::expr::{EvalContext, Value};
use proptest::prelude::*;

use super::{CastMode, bind};
use crate::parser::parse_data_type;
use crate::session::Session;

const CX: EvalContext = EvalContext { now_ms: 0, watermark_ms: None };

fn session() -> Session {
    Session::default()
}

fn run(
    array: ArrayRef,
    from: &TypeKind,
    to: &TypeKind,
    mode: CastMode,
) -> mainstem_core::Result<ArrayRef> {
    let (_, kernel) =
        bind(&from.clone().nullable(), &to.clone().nullable(), mode, &session()).unwrap();
    let rows = array.len();
    kernel(&[Value::Array(array)], rows, &CX)?.into_array(rows)
}

fn data_type(text: &str) -> DataType {
    parse_data_type(text).unwrap()
}

/// `text` cast to `to` and back to STRING; `None` for NULL.
fn there_and_back(text: &str, to: &TypeKind) -> Option<String> {
    let array: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let value = run(array, &TypeKind::STRING, to, CastMode::Try).unwrap();
    let shown = run(value, to, &TypeKind::STRING, CastMode::Cast).unwrap();
    let shown = shown.as_string::<i32>();
    shown.is_valid(0).then(|| shown.value(0).to_owned())
}

#[test]
fn strings_are_read_as_flink_reads_them() {
    let rows = [
        ("INT", " 12 ", Some("12")),
        ("INT", "-1.9", Some("-1")),
        ("INT", ".", Some("0")),
        ("INT", "1e2", None),
        ("INT", "2147483648", None),
        ("TINYINT", "-128", Some("-128")),
        ("BIGINT", "-9223372036854775808", Some("-9223372036854775808")),
        ("DOUBLE", "\t1.5f ", Some("1.5")),
        ("DOUBLE", "Infinity", Some("Infinity")),
        ("DOUBLE", "inf", None),
        ("DECIMAL(10, 2)", "-1.235", Some("-1.24")),
        ("DECIMAL(10, 2)", "1e2", Some("100.00")),
        ("DECIMAL(10, 5)", "1e50", None),
        ("DECIMAL(4, 2)", "123456", None),
        ("BOOLEAN", "Yes", Some("TRUE")),
        ("BOOLEAN", " true ", None),
        ("DATE", "2024-1-5", Some("2024-01-05")),
        ("DATE", "2024-02-30", None),
        ("TIME(3)", "10:20:30.5678", Some("10:20:30.568")),
        ("TIME", "25:00:00", None),
        ("TIMESTAMP(3)", "2024-1-5 1:2:3", Some("2024-01-05 01:02:03.000")),
        ("TIMESTAMP(9)", "2024-01-05 10:20:30.123456789", Some("2024-01-05 10:20:30.123456789")),
        ("TIMESTAMP(3)", "2024-02-30 00:00:00", Some("2024-02-29 00:00:00.000")),
        ("TIMESTAMP(3)", "2024-01-05T10:20:30", None),
        ("CHAR(4)", "ab", Some("ab  ")),
        ("VARCHAR(2)", "é𝄞x", Some("é𝄞")),
        ("BINARY(2)", "abc", Some("ab")),
    ];
    for (to, text, expected) in rows {
        let shown = there_and_back(text, &data_type(to).kind);
        assert_eq!(shown.as_deref(), expected, "{text:?} as {to}");
    }
}

#[test]
fn a_failing_cast_names_the_value_and_is_the_users() {
    let array: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let error = run(array, &TypeKind::STRING, &TypeKind::Int, CastMode::Cast).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    assert_eq!(error.to_string(), "cannot cast 'x' to INT");
}

#[test]
fn numbers_narrow_as_in_java() {
    let doubles: ArrayRef =
        Arc::new(Float64Array::from(vec![Some(1e10), Some(-1e10), Some(f64::NAN), None]));
    let ints =
        run(Arc::clone(&doubles), &TypeKind::Double, &TypeKind::Int, CastMode::Cast).unwrap();
    let expected: ArrayRef =
        Arc::new(Int32Array::from(vec![Some(i32::MAX), Some(i32::MIN), Some(0), None]));
    assert_eq!(&ints, &expected);
    let bytes = run(doubles, &TypeKind::Double, &TypeKind::TinyInt, CastMode::Cast).unwrap();
    assert_eq!(bytes.as_primitive::<arrow_array::types::Int8Type>().value(0), -1);
}

#[test]
fn pairs_that_flink_refuses_are_refused() {
    let rows = [
        ("INT", "DATE"),
        ("INT", "TIMESTAMP(3)"),
        ("DATE", "INT"),
        ("DATE", "TIME"),
        ("BOOLEAN", "DATE"),
        ("INT", "BYTES"),
        ("ARRAY<INT>", "INT"),
        ("ROW<a INT>", "ROW<a INT, b INT>"),
    ];
    for (from, to) in rows {
        let bound = bind(&data_type(from), &data_type(to), CastMode::Cast, &session());
        let Err(error) = bound else { panic!("{from} to {to} was not refused") };
        assert!(error.to_string().starts_with("unsupported cast from"), "{error}");
    }
}

#[test]
fn a_lost_element_under_try_cast_loses_the_array() {
    let texts = vec![vec!["1", "x"], vec!["2", "3"]];
    let mut builder =
        arrow_array::builder::ListBuilder::new(arrow_array::builder::StringBuilder::new());
    for row in texts {
        row.into_iter().for_each(|text| builder.values().append_value(text));
        builder.append(true);
    }
    let (from, to) = (data_type("ARRAY<STRING>").kind, data_type("ARRAY<INT>").kind);
    let lists = run(Arc::new(builder.finish()), &from, &to, CastMode::Try).unwrap();
    let nulls: BooleanArray = (0..lists.len()).map(|row| Some(lists.is_null(row))).collect();
    assert_eq!(nulls, BooleanArray::from(vec![true, false]));
}

#[test]
fn scalars_stay_scalars() {
    let (_, kernel) = bind(
        &TypeKind::Int.not_null(),
        &TypeKind::BigInt.nullable(),
        CastMode::Implicit,
        &session(),
    )
    .unwrap();
    let one: ArrayRef = Arc::new(Int32Array::from(vec![7]));
    assert!(kernel(&[Value::Scalar(one)], 100, &CX).unwrap().is_scalar());
}

#[test]
fn zones_move_clocks_as_in_java() {
    let berlin = Session { time_zone: chrono_tz::Europe::Berlin, ..Session::default() };
    // In the gap of spring the clock moves on by an hour; of the doubled hour in autumn the first one counts.
    let rows = [
        ("2024-03-31 02:30:00", "2024-03-31 03:30:00.000"),
        ("2024-10-27 02:30:00", "2024-10-27 02:30:00.000"),
        ("2024-07-01 12:00:00", "2024-07-01 12:00:00.000"),
    ];
    let ltz = TypeKind::TimestampLtz { precision: 3 };
    for (text, expected) in rows {
        let cast = |array: ArrayRef, from: &TypeKind, to: &TypeKind| {
            let (from, to) = (from.clone().nullable(), to.clone().nullable());
            let (_, kernel) = bind(&from, &to, CastMode::Cast, &berlin).unwrap();
            kernel(&[Value::Array(array)], 1, &CX).unwrap().into_array(1).unwrap()
        };
        let instant = cast(Arc::new(StringArray::from(vec![text])), &TypeKind::STRING, &ltz);
        let shown = cast(instant, &ltz, &TypeKind::STRING);
        assert_eq!(shown.as_string::<i32>().value(0), expected);
    }
}

proptest! {
    #[test]
    fn printed_values_read_back(
        int in any::<i32>(),
        double in any::<f64>(),
        unscaled in -99_999_999_999i64..99_999_999_999,
        days in 0i64..2_900_000,
        ms in -62_135_596_800_000i64..253_402_300_799_999,
    ) {
        let decimal = data_type("DECIMAL(12, 3)").kind;
        let mut texts = vec![(int.to_string(), TypeKind::Int)];
        let mut push = |print: &dyn Fn(&mut Vec<u8>), kind: TypeKind| {
            let mut bytes = Vec::new();
            print(&mut bytes);
            texts.push((String::from_utf8(bytes).unwrap(), kind));
        };
        push(&|out| mainstem_core::java_format::push_double(out, double), TypeKind::Double);
        push(
            &|out| mainstem_core::java_format::push_decimal_plain(out, unscaled.into(), 3),
            decimal,
        );
        push(&|out| super::print::push_date(out, days), TypeKind::Date);
        push(
            &|out| super::print::push_timestamp(out, ms, 0, 3),
            TypeKind::Timestamp { precision: 3 },
        );
        for (text, kind) in texts {
            prop_assert_eq!(there_and_back(&text, &kind), Some(text));
        }
    }
}
