//! Functions over columns: the goldens under testdata/expressions check constants; here each row has its own values,
//! some are NULL, arrays are slices of larger ones, and patterns and positions differ from row to row.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, ListArray, StringArray};
use mainstem_core::{DataType, TypeKind};
use mainstem_engine::expr::{EvalContext, Value};

use super::json::value::{ValueFallback, ValueOptions};
use super::{Argument, Binding, all, lookup};
use crate::session::Session;

const NULL: Option<&str> = None;

fn texts<const N: usize>(values: [Option<&str>; N]) -> (DataType, Value) {
    (DataType::string(), Value::Array(Arc::new(StringArray::from(values.to_vec()))))
}

fn text(value: &str) -> (DataType, Value) {
    let array = StringArray::from(vec![value]);
    (TypeKind::STRING.not_null(), Value::Scalar(Arc::new(array)))
}

fn longs<const N: usize>(values: [Option<i64>; N]) -> (DataType, Value) {
    (TypeKind::BigInt.nullable(), Value::Array(Arc::new(Int64Array::from(values.to_vec()))))
}

fn long(value: i64) -> (DataType, Value) {
    (TypeKind::BigInt.not_null(), Value::Scalar(Arc::new(Int64Array::from(vec![value]))))
}

fn lists<const N: usize>(values: [Option<Vec<Option<i32>>>; N]) -> (DataType, Value) {
    let item = Box::new(TypeKind::Int.nullable());
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(values);
    (TypeKind::Array(item).nullable(), Value::Array(Arc::new(lists)))
}

fn argument((data_type, value): &(DataType, Value)) -> Argument {
    let literal = value.is_scalar().then(|| Arc::clone(value.array()));
    Argument { data_type: data_type.clone(), literal }
}

fn bind(name: &str, arguments: &[(DataType, Value)]) -> mainstem_core::Result<Binding> {
    let function = lookup(name).unwrap_or_else(|| panic!("no function {name}"));
    let arguments: Vec<Argument> = arguments.iter().map(argument).collect();
    (function.bind)(&arguments, &Session::default())
}

fn run(binding: &Binding, values: &[Value], rows: usize) -> ArrayRef {
    let cx = EvalContext { now_ms: 0, watermark_ms: None };
    let result = (binding.kernel)(values, rows, &cx).expect("the kernel runs");
    let array = result.into_array(rows).expect("an array");
    assert_eq!(array.data_type(), &binding.returns.to_arrow());
    array
}

/// Calls a function whose result is a string, once on the columns and once on slices of longer ones.
fn strings(name: &str, arguments: Vec<(DataType, Value)>) -> Vec<Option<String>> {
    let binding = bind(name, &arguments).expect("it binds");
    let rows = arguments.iter().find(|(_, v)| !v.is_scalar()).map_or(1, |(_, v)| v.array().len());
    let values: Vec<Value> = arguments.iter().map(|(_, v)| v.clone()).collect();
    let whole = run(&binding, &values, rows);
    let shifted: Vec<Value> = values.iter().map(shift).collect();
    let sliced = run(&binding, &shifted, rows);
    assert_eq!(&whole, &sliced, "{name} of slices");
    whole.as_string::<i32>().iter().map(|v| v.map(str::to_owned)).collect()
}

/// The same column as a slice that starts at row 1 of a longer one.
fn shift(value: &Value) -> Value {
    match value {
        Value::Scalar(one) => Value::Scalar(Arc::clone(one)),
        Value::Array(array) => {
            let longer = arrow_select::concat::concat(&[&array.slice(0, 1), array]);
            Value::Array(longer.expect("one type").slice(1, array.len()))
        }
    }
}

#[track_caller]
fn check(name: &str, arguments: Vec<(DataType, Value)>, expected: &[Option<&str>]) {
    let found = strings(name, arguments);
    let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
    assert_eq!(found, expected, "{name}");
}

#[test]
fn names_are_found_in_any_case_and_are_unique() {
    assert_eq!(lookup("character_length").map(|f| f.name), Some("CHAR_LENGTH"));
    assert_eq!(lookup("Substr").map(|f| f.name), Some("SUBSTRING"));
    assert!(lookup("NO_SUCH").is_none());
    let mut names: Vec<&str> =
        all().flat_map(|f| f.aliases.iter().copied().chain([f.name])).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(count, names.len(), "a name stands twice");
    assert!(names.iter().all(|name| name.to_uppercase() == *name));
}

#[test]
fn every_function_is_one_that_flink_documents() {
    use super::flink_catalogue::documented;
    let strangers: Vec<&str> = all()
        .map(|f| f.name)
        .filter(|name| !documented().any(|(_, known)| known == *name))
        .collect();
    assert!(strangers.is_empty(), "not in Flink's catalogue: {strangers:?}");
}

#[test]
fn strings_row_by_row() {
    let words = || texts([Some("aé😀"), NULL, Some(""), Some("Hello")]);
    check("UPPER", vec![words()], &[Some("AÉ😀"), NULL, Some(""), Some("HELLO")]);
    let ascii = texts([Some("Ab"), NULL, Some(""), Some("cD")]);
    check("LOWER", vec![ascii], &[Some("ab"), NULL, Some(""), Some("cd")]);
    check("REVERSE", vec![words()], &[Some("😀éa"), NULL, Some(""), Some("olleH")]);
    check("SUBSTRING", vec![words(), long(2)], &[Some("é😀"), NULL, Some(""), Some("ello")]);
    let starts = longs([Some(-1), Some(1), Some(1), None]);
    check("SUBSTRING", vec![words(), starts, long(1)], &[Some("😀"), NULL, Some(""), NULL]);
    check("LEFT", vec![words(), long(2)], &[Some("aé"), NULL, Some(""), Some("He")]);
    check("RIGHT", vec![words(), long(2)], &[Some("é😀"), NULL, Some(""), Some("lo")]);
    check(
        "LPAD",
        vec![words(), long(3), text("*")],
        &[Some("aé?"), NULL, Some("***"), Some("Hel")],
    );
    let second = texts([Some("1"), Some("2"), NULL, Some("")]);
    check("CONCAT", vec![words(), second], &[Some("aé😀1"), NULL, NULL, Some("Hello")]);
    let second = texts([Some("1"), Some("2"), NULL, Some("")]);
    let joined = [Some("aé😀-1"), Some("2"), Some(""), Some("Hello-")];
    check("CONCAT_WS", vec![text("-"), words(), second], &joined);
    check("MD5", vec![text("abc")], &[Some("900150983cd24fb0d6963f7d28e17f72")]);
}

#[test]
fn urls_as_nexmark_cuts_them() {
    let urls = || {
        texts([
            Some("https://www.nexmark.com/a/b/item.htm?query=1&channel_id=17"),
            NULL,
            Some("https://www.nexmark.com/x"),
        ])
    };
    check("SPLIT_INDEX", vec![urls(), text("/"), long(3)], &[Some("a"), NULL, Some("x")]);
    let tail = [Some("item.htm?query=1&channel_id=17"), NULL, NULL];
    check("SPLIT_INDEX", vec![urls(), text("/"), long(5)], &tail);
    let pattern = text("(&|^)channel_id=([^&]*)");
    check("REGEXP_EXTRACT", vec![urls(), pattern, long(2)], &[Some("17"), NULL, NULL]);
    check("PARSE_URL", vec![urls(), text("PATH")], &[Some("/a/b/item.htm"), NULL, Some("/x")]);
}

#[test]
fn patterns_may_differ_from_row_to_row() {
    let input = || texts([Some("a1b22"), Some("a1b22"), Some("a1b22"), Some("a1b22")]);
    let patterns = texts([Some("[0-9]+"), Some("("), NULL, Some("b(\\d)")]);
    let expected = [Some("1"), NULL, NULL, Some("b2")];
    check("REGEXP_EXTRACT", vec![input(), patterns], &expected);
    let patterns = texts([Some("[0-9]+"), Some("("), NULL, Some("")]);
    let expected = [Some("a_b_"), NULL, NULL, Some("_a_1_b_2_2_")];
    check("REGEXP_REPLACE", vec![input(), patterns, text("_")], &expected);
    let lines = texts([Some("a\n"), Some("b\na"), Some("a\nb"), Some("A")]);
    check("REGEXP_SUBSTR", vec![lines, text("(?i)a$")], &[Some("a"), Some("a"), NULL, Some("A")]);
}

#[test]
fn what_cannot_be_run_is_refused_when_bound() {
    let word = || texts([Some("a")]);
    let cases: Vec<(&str, Vec<(DataType, Value)>, &str)> = vec![
        ("UPPER", vec![long(1)], "argument 1 must be a string, found BIGINT"),
        ("UPPER", vec![], "takes 1 arguments, found 0"),
        ("SUBSTRING", vec![word()], "takes 2 to 3 arguments, found 1"),
        ("REGEXP", vec![word(), text("(?=b)")], "look-ahead"),
        ("REGEXP", vec![word(), text("(a)\\1")], "back-reference"),
        ("DECODE", vec![word(), text("UTF-8")], "argument 1 must be a binary string"),
        ("ENCODE", vec![word(), text("EBCDIC")], "character set 'EBCDIC' is not supported"),
        ("SHA2", vec![word(), long(1)], "SHA-2 has no hash of 1 bits"),
        ("ARRAY_MAX", vec![word()], "argument 1 must be an array"),
    ];
    for (name, arguments, expected) in cases {
        let error = bind(name, &arguments).expect_err(name);
        assert!(error.to_string().contains(expected), "{name}: {error}");
    }
}

#[test]
fn places_of_round_may_differ_from_row_to_row() {
    let numbers: Value = Value::Array(Arc::new(Float64Array::from(vec![
        Some(1.005),
        Some(-2.5),
        Some(1250.0),
        None,
    ])));
    let arguments =
        vec![(TypeKind::Double.nullable(), numbers), longs([Some(2), Some(0), Some(-2), Some(1)])];
    let binding = bind("ROUND", &arguments).expect("it binds");
    let values: Vec<Value> = arguments.into_iter().map(|(_, v)| v).collect();
    let found = run(&binding, &values, 4);
    let expected = Float64Array::from(vec![Some(1.01), Some(-3.0), Some(1300.0), None]);
    assert_eq!(found.as_primitive(), &expected);
}

#[test]
fn seeded_sequences_are_javas_and_go_on() {
    let arguments = vec![long(5), long(100)];
    let binding = bind("RAND_INTEGER", &arguments).expect("it binds");
    assert!(!binding.deterministic);
    let values: Vec<Value> = arguments.into_iter().map(|(_, v)| v).collect();
    let first = run(&binding, &values, 2);
    let second = run(&binding, &values, 1);
    assert_eq!(first.as_primitive::<Int32Type>().values(), &[87, 92]);
    assert_eq!(second.as_primitive::<Int32Type>().values(), &[74]);
}

#[test]
fn collections_row_by_row() {
    let given = || {
        lists([
            Some(vec![Some(3), None, Some(3), Some(1)]),
            None,
            Some(vec![]),
            Some(vec![Some(7)]),
        ])
    };
    let result = |name: &str, more: Vec<(DataType, Value)>| {
        let mut arguments = vec![given()];
        arguments.extend(more);
        let binding = bind(name, &arguments).expect("it binds");
        let values: Vec<Value> = arguments.into_iter().map(|(_, v)| v).collect();
        run(&binding, &values, 4)
    };
    let expected = |values: [Option<Vec<Option<i32>>>; 4]| lists(values).1;
    let distinct =
        expected([Some(vec![Some(3), None, Some(1)]), None, Some(vec![]), Some(vec![Some(7)])]);
    assert_eq!(&result("ARRAY_DISTINCT", vec![]), distinct.array());
    let sorted = expected([
        Some(vec![None, Some(1), Some(3), Some(3)]),
        None,
        Some(vec![]),
        Some(vec![Some(7)]),
    ]);
    assert_eq!(&result("ARRAY_SORT", vec![]), sorted.array());
    let slices = expected([Some(vec![Some(3), Some(1)]), None, Some(vec![]), None]);
    let starts = longs([Some(-2), Some(1), Some(1), None]);
    assert_eq!(&result("ARRAY_SLICE", vec![starts]), slices.array());
    let greatest = result("ARRAY_MAX", vec![]);
    let greatest: Vec<Option<i32>> = greatest.as_primitive::<Int32Type>().iter().collect();
    assert_eq!(greatest, [Some(3), None, None, Some(7)]);
    let item = super::collection::element::bind(
        &argument(&given()),
        &argument(&longs([Some(4), Some(1), Some(1), Some(2)])),
    );
    let positions = longs([Some(4), Some(1), Some(1), Some(2)]).1;
    let found = run(&item.expect("it binds"), &[given().1, positions], 4);
    let found: Vec<Option<i32>> = found.as_primitive::<Int32Type>().iter().collect();
    assert_eq!(found, [Some(1), None, None, None]);
}

#[test]
fn json_defaults_are_taken_row_by_row() {
    let documents = texts([Some(r#"{"a":1}"#), Some("{}"), Some("no"), NULL]);
    let path = text("lax $.a");
    let empty = texts([Some("e0"), Some("e1"), Some("e2"), Some("e3")]);
    let options = ValueOptions {
        on_empty: ValueFallback::Default(argument(&empty)),
        ..ValueOptions::default()
    };
    let binding = super::json::value::bind(&argument(&documents), &argument(&path), &options);
    let found = run(&binding.expect("it binds"), &[documents.1, path.1, empty.1], 4);
    let found: Vec<Option<&str>> = found.as_string::<i32>().iter().collect();
    assert_eq!(found, [Some("1"), Some("e1"), Some("e2"), NULL]);
}

#[test]
fn deep_json_is_refused_and_does_not_overflow() {
    let deep = "[".repeat(100_000);
    let nested = format!("{}{}", "[".repeat(900), "]".repeat(900));
    let column = texts([Some(deep.as_str()), Some(nested.as_str())]);
    let kind = super::json::predicate::JsonKind::Array;
    let binding = super::json::predicate::bind(&argument(&column), kind, false).expect("it binds");
    let found = run(&binding, &[column.1], 2);
    let found: Vec<Option<bool>> = found.as_boolean().iter().collect();
    assert_eq!(found, [Some(false), Some(true)]);
}

#[test]
fn map_keys_are_unique_and_the_last_value_counts() {
    let pairs = texts([Some("a=1,a=2,b"), NULL, Some(""), Some("x=y=z")]);
    let binding = bind("STR_TO_MAP", std::slice::from_ref(&pairs)).expect("it binds");
    let found = run(&binding, &[pairs.1], 4);
    let map = found.as_map();
    let keys: Vec<Option<&str>> = map.keys().as_string::<i32>().iter().collect();
    let values: Vec<Option<&str>> = map.values().as_string::<i32>().iter().collect();
    assert_eq!(map.value_offsets(), [0, 2, 2, 2, 3]);
    assert!(map.is_null(1) && map.is_valid(2));
    assert_eq!(keys, [Some("a"), Some("b"), Some("x")]);
    assert_eq!(values, [Some("2"), NULL, Some("y=z")]);
}

#[test]
fn extremes_are_null_where_an_argument_is() {
    let arguments =
        vec![longs([Some(1), None, Some(5)]), longs([Some(2), Some(2), Some(2)]), long(3)];
    for (name, expected) in
        [("GREATEST", [Some(3), None, Some(5)]), ("LEAST", [Some(1), None, Some(2)])]
    {
        let binding = bind(name, &arguments).expect("it binds");
        let values: Vec<Value> = arguments.iter().map(|(_, v)| v.clone()).collect();
        let found = run(&binding, &values, 3);
        assert_eq!(found.as_primitive(), &Int64Array::from(expected.to_vec()), "{name}");
    }
}
