//! Operators: result types, and values of expressions computed whole.

use mainstem_core::ErrorKind;

use super::{BinaryOp, bind_binary};
use crate::constant::evaluate;
use crate::functions::Argument;
use crate::parser::parse_data_type;
use crate::session::Session;

fn result_type(op: BinaryOp, left: &str, right: &str) -> Option<String> {
    let argument =
        |text: &str| Argument { data_type: parse_data_type(text).unwrap(), literal: None };
    let bound = bind_binary(op, &argument(left), &argument(right), &Session::default());
    bound.ok().map(|binding| binding.returns.to_string())
}

#[test]
fn result_types_are_flinks() {
    use BinaryOp::{Add, Divide, Eq, Lt, Modulo, Multiply};
    let rows = [
        (Add, "TINYINT", "SMALLINT", Some("SMALLINT")),
        (Add, "FLOAT", "BIGINT", Some("FLOAT")),
        (Add, "FLOAT", "DECIMAL(10, 2)", Some("DOUBLE")),
        (Add, "FLOAT", "DOUBLE", Some("FLOAT")),
        (Add, "DOUBLE", "FLOAT", Some("DOUBLE")),
        (Add, "DECIMAL(38, 18)", "DECIMAL(38, 18)", Some("DECIMAL(38, 17)")),
        (Multiply, "DECIMAL(2, 1)", "BIGINT", Some("DECIMAL(22, 1)")),
        (Multiply, "DECIMAL(38, 18)", "DECIMAL(38, 18)", Some("DECIMAL(38, 6)")),
        (Divide, "DECIMAL(3, 2)", "INT", Some("DECIMAL(14, 13)")),
        (Divide, "INT", "BIGINT", Some("BIGINT")),
        (Modulo, "BIGINT", "TINYINT", Some("TINYINT")),
        (Modulo, "DECIMAL(2, 1)", "INT", Some("DECIMAL(2, 1)")),
        (Modulo, "DOUBLE", "INT", None),
        (Add, "STRING", "INT", None),
        (Eq, "STRING", "INT", None),
        (Lt, "STRING", "INT", Some("BOOLEAN")),
        (Eq, "DATE", "TIMESTAMP(3)", None),
        (Lt, "ARRAY<INT>", "ARRAY<INT>", None),
    ];
    for (op, left, right, expected) in rows {
        assert_eq!(result_type(op, left, right).as_deref(), expected, "{left} {op} {right}");
    }
}

fn value(expression: &str) -> String {
    let text = format!("CAST({expression} AS STRING)");
    match evaluate(&text, &Session::default(), 0) {
        Ok((_, array)) => {
            let texts = arrow_array::cast::AsArray::as_string::<i32>(&array);
            let is_null = arrow_array::Array::is_null(&array, 0);
            if is_null { "NULL".to_owned() } else { texts.value(0).to_owned() }
        }
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn values_are_flinks() {
    let rows = [
        ("2147483647 + 1", "-2147483648"),
        ("-7 / 2", "-3"),
        ("CAST(-2147483648 AS INT) / -1", "-2147483648"),
        ("5000000000 % 2147483647", "705032706"),
        ("7.5 % 2.25", "0.75"),
        ("CAST(-2 AS DECIMAL(5, 2)) / CAST(3 AS DECIMAL(5, 2))", "-0.66666667"),
        ("CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) + 1", "NULL"),
        ("1e0 / 0", "Infinity"),
        ("CAST('NaN' AS DOUBLE) = CAST('NaN' AS DOUBLE)", "FALSE"),
        ("CAST('-0.0' AS DOUBLE) = CAST('0.0' AS DOUBLE)", "TRUE"),
        ("CAST('a' AS CHAR(3)) = 'a'", "FALSE"),
        ("MAP['a', 1, 'b', 2] = MAP['b', 2, 'a', 1]", "TRUE"),
        ("DATE '2024-01-31' + INTERVAL '1' MONTH", "2024-02-29"),
        ("TIME '10:00:00' - INTERVAL '11' HOUR", "23:00:00"),
        ("INTERVAL '1' DAY * 2", "+2 00:00:00.000"),
        ("FALSE AND CAST(NULL AS BOOLEAN)", "FALSE"),
        ("TRUE AND CAST(NULL AS BOOLEAN)", "NULL"),
        ("CAST(NULL AS INT) IS NOT DISTINCT FROM CAST(NULL AS INT)", "TRUE"),
        ("'a%b' LIKE 'a\\%b' ESCAPE '\\'", "TRUE"),
        ("'aab' SIMILAR TO '(a|b)*'", "TRUE"),
        ("'x1' SIMILAR TO '[^[:ALPHA:]]1'", "FALSE"),
    ];
    for (expression, expected) in rows {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn division_by_zero_is_the_users() {
    assert_eq!(value("1 / 0"), "error: / by zero");
    assert_eq!(value("CAST(NULL AS INT) / 0"), "NULL");
    assert_eq!(super::arithmetic::division_by_zero().kind(), ErrorKind::User);
}

#[test]
fn wildcards_match() {
    let rows = [
        ("abc", "%", true),
        ("abc", "a%c", true),
        ("abcbc", "a%bc", true),
        ("abc", "a_c", true),
        ("abc", "_", false),
        ("𝄞", "_", true),
        ("aXbXc", "%X%X%", true),
        ("aXb", "%X%X%", false),
        ("", "%", true),
        ("", "_", false),
    ];
    for (text, pattern, expected) in rows {
        let shown = if expected { "TRUE" } else { "FALSE" };
        assert_eq!(value(&format!("'{text}' LIKE '{pattern}'")), shown, "{text} LIKE {pattern}");
    }
}
