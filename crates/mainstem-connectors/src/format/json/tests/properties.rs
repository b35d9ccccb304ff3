//! Agreement with serde_json on any records, and what no bytes may do.

use arrow_array::{Array, ArrayRef};
use mainstem_core::Batch;
use proptest::prelude::*;

use super::*;

/// Any JSON value, with white space and escapes of all kinds in its text.
fn any_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_string()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|i| i.to_string()),
        any::<i16>().prop_map(|i| i.to_string()),
        any::<f64>().prop_filter("finite", |d| d.is_finite()).prop_map(|d| format!("{d:?}")),
        (any::<i32>(), 0u32..99).prop_map(|(a, b)| format!("{a}.{b}")),
        any_string(),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            (proptest::collection::vec(inner.clone(), 0..4), space())
                .prop_map(|(items, s)| format!("[{s}{}{s}]", items.join(&format!("{s},{s}")))),
            (proptest::collection::vec((any_string(), inner), 0..4), space()).prop_map(
                |(fields, s)| {
                    let fields: Vec<String> =
                        fields.iter().map(|(k, v)| format!("{k}{s}:{s}{v}")).collect();
                    format!("{{{s}{}{s}}}", fields.join(&format!("{s},{s}")))
                }
            ),
        ]
    })
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => "[ \t]{1,3}"]
}

/// A string literal: plain characters, short escapes, `\u` escapes and pairs of them.
fn any_string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z0-9 ]{0,12}",
        1 => "[a-zé€😀]{1,20}",
        1 => proptest::sample::select(vec!["\\n", "\\\"", "\\\\", "\\/", "\\u0041", "\\ud83d\\ude00", "\\u0000"])
            .prop_map(str::to_string),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn record() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        6 => proptest::sample::select(vec!["\"s\"", "\"i\"", "\"d\"", "\"b\"", "\"other\"", "\"\\u0073\""])
            .prop_map(str::to_string),
        1 => any_string(),
    ];
    let field = (space(), name, space(), space(), any_value(), space())
        .prop_map(|(a, k, b, c, v, d)| format!("{a}{k}{b}:{c}{v}{d}"));
    (proptest::collection::vec(field, 0..8), space())
        .prop_map(|(fields, s)| format!("{s}{{{s}{}{s}}}{s}", fields.join(",")))
}

/// What serde_json and plain code make of a record: a row, or nothing if a value does not convert.
fn model(text: &str) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
    let field = |name: &str| object.get(name).filter(|v| !v.is_null());
    let string = match field("s") {
        None => "null".to_string(),
        Some(serde_json::Value::String(s)) => s.clone(),
        // serde_json writes exponents with a sign; here they are kept as they are.
        Some(serde_json::Value::Number(n)) if n.to_string().contains('e') => return None,
        Some(v @ (serde_json::Value::Bool(_) | serde_json::Value::Number(_))) => v.to_string(),
        // The text of containers is compared elsewhere.
        Some(_) => return None,
    };
    let int = match field("i") {
        None => "null".to_string(),
        Some(serde_json::Value::Number(n)) => match n.as_i64() {
            Some(i) => i.to_string(),
            None if n.as_f64()?.abs() < 9e18 => (n.as_f64()?.trunc() as i64).to_string(),
            None => return None,
        },
        Some(serde_json::Value::String(s)) => {
            s.trim_matches(|c| c <= ' ').parse::<i64>().ok()?.to_string()
        }
        Some(_) => return None,
    };
    let double = match field("d") {
        None => "null".to_string(),
        Some(serde_json::Value::Number(n)) => n.as_f64()?.to_bits().to_string(),
        Some(_) => return None,
    };
    let boolean = match field("b") {
        None => "null".to_string(),
        Some(serde_json::Value::Bool(b)) => b.to_string(),
        Some(serde_json::Value::Number(_)) => "false".to_string(),
        Some(serde_json::Value::String(s)) => {
            s.trim_matches(|c| c <= ' ').eq_ignore_ascii_case("true").to_string()
        }
        Some(_) => return None,
    };
    Some(format!("{string}|{int}|{double}|{boolean}"))
}

fn properties_case() -> Case {
    table(
        &[
            ("s", TypeKind::STRING.nullable()),
            ("i", TypeKind::BigInt.nullable()),
            ("d", TypeKind::Double.nullable()),
            ("b", TypeKind::Boolean.nullable()),
        ],
        &[],
    )
}

/// The rows of a batch in the form of [`model`].
fn model_rows(batch: &Batch) -> Vec<String> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int64Type};
    let text = |column: usize, row: usize, value: &dyn Fn(&ArrayRef) -> String| {
        let array = batch.column(column);
        if array.is_null(row) { "null".to_string() } else { value(array) }
    };
    (0..batch.rows())
        .map(|row| {
            format!(
                "{}|{}|{}|{}",
                text(0, row, &|a| a.as_string::<i32>().value(row).to_string()),
                text(1, row, &|a| a.as_primitive::<Int64Type>().value(row).to_string()),
                text(2, row, &|a| a.as_primitive::<Float64Type>().value(row).to_bits().to_string()),
                text(3, row, &|a| a.as_boolean().value(row).to_string()),
            )
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn agrees_with_serde_json(records in proptest::collection::vec(record(), 1..12)) {
        let mut case = properties_case();
        case.policy = BadRecords::Skip;
        let expected: Vec<Option<String>> = records.iter().map(|r| model(r)).collect();
        // Records that the model has no opinion on are left out.
        let kept: Vec<&String> =
            records.iter().zip(&expected).filter(|(_, e)| e.is_some()).map(|(r, _)| r).collect();
        let text = kept.iter().map(|r| r.as_str()).collect::<Vec<_>>().join("\n");
        let decoded = case.decode(lines(text.as_bytes())).unwrap();
        let rows: Vec<String> = decoded.batches.iter().flat_map(model_rows).collect();
        let expected: Vec<String> = expected.into_iter().flatten().collect();
        prop_assert_eq!(&rows, &expected);
        let values: Vec<Option<&[u8]>> = kept.iter().map(|r| Some(r.as_bytes())).collect();
        let decoded = case.decode(Payload::Messages(messages(&values))).unwrap();
        let rows: Vec<String> = decoded.batches.iter().flat_map(model_rows).collect();
        prop_assert_eq!(&rows, &expected);
    }

    #[test]
    fn container_text_means_the_same(value in any_value()) {
        let case = table(&[("c", TypeKind::STRING.nullable())], &[]);
        let decoded = case.decode(lines(format!("{{\"c\":[{value}]}}").as_bytes())).unwrap();
        let text = &case.rows(&decoded)[0];
        let text = text.strip_prefix("+I[").unwrap().strip_suffix(']').unwrap();
        let numbers = |v: &str| {
            // Numbers are compared as doubles: 1.50 and 1.5 are the same.
            fn normal(v: serde_json::Value) -> serde_json::Value {
                match v {
                    serde_json::Value::Number(n) => serde_json::Value::String(
                        n.as_f64().unwrap().to_bits().to_string()),
                    serde_json::Value::Array(a) => a.into_iter().map(normal).collect(),
                    serde_json::Value::Object(o) => {
                        o.into_iter().map(|(k, v)| (k, normal(v))).collect()
                    }
                    other => other,
                }
            }
            normal(serde_json::from_str(v).unwrap())
        };
        prop_assert_eq!(numbers(text), numbers(&format!("[{value}]")));
    }

    #[test]
    fn no_prefix_and_no_flip_does_harm(record in record(), flip in any::<(proptest::sample::Index, u8)>()) {
        let mut case = properties_case();
        case.policy = BadRecords::DeadLetter;
        let bytes = record.as_bytes();
        for end in 0..=bytes.len() {
            let prefix = &bytes[..end];
            let whole = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(prefix).is_ok();
            // As a message, with the whole record behind it, the prefix must not reach into it.
            let both = messages(&[Some(prefix), Some(bytes)]);
            let decoded = case.decode(Payload::Messages(both)).unwrap();
            if !whole {
                prop_assert!(decoded.batches.iter().map(Batch::rows).sum::<usize>() <= 1);
            }
            let decoded = case.decode(lines(prefix)).unwrap();
            let blank = prefix.iter().all(|b| b.is_ascii_whitespace());
            let rows: usize = decoded.batches.iter().map(Batch::rows).sum();
            prop_assert_eq!(rows + decoded.skipped as usize, usize::from(!blank));
            if !whole {
                prop_assert_eq!(rows, 0);
            }
        }
        let mut changed = bytes.to_vec();
        let (at, byte) = flip;
        let at = at.index(changed.len().max(1));
        if let Some(place) = changed.get_mut(at) {
            *place = byte;
        }
        let decoded = case.decode(Payload::Messages(messages(&[Some(&changed)]))).unwrap();
        let rows: usize = decoded.batches.iter().map(Batch::rows).sum();
        if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&changed).is_err() {
            prop_assert_eq!(rows, 0);
        }
    }

    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(
        prop_oneof![any::<u8>(), proptest::sample::select(b"{}[]\",:\\\n0-.eut ".to_vec())], 0..300)) {
        let mut case = properties_case();
        case.policy = BadRecords::Skip;
        let decoded = case.decode(lines(&bytes)).unwrap();
        let rows: usize = decoded.batches.iter().map(Batch::rows).sum();
        prop_assert_eq!(decoded.records as usize, rows + decoded.skipped as usize);
        let half = bytes.len() / 2;
        let payload = messages(&[Some(&bytes[..half]), None, Some(&bytes[half..])]);
        case.decode(Payload::Messages(payload)).unwrap();
    }
}
