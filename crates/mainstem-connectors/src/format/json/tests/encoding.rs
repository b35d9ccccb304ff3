//! Writing: every type comes back as it was read, and which changelogs can be written.

use std::sync::Arc;

use arrow_array::ArrayRef;
use mainstem_core::egress::{ChangelogMode, Encoded};
use mainstem_core::{Batch, ErrorKind, TypeKind};

use super::{Case, ab, boxed, lines, row, table};
use crate::format::{EncodeRequest, json};

fn encoder_request(case: &Case, changelog: ChangelogMode, key: &[usize]) -> EncodeRequest {
    EncodeRequest {
        table: Arc::new(case.table.clone()),
        value_columns: (0..case.table.columns.len()).collect(),
        key_columns: key.to_vec(),
        stream: key.is_empty(),
        changelog,
        time_zone: "UTC".into(),
    }
}

/// Decodes `text` and encodes what came out.
fn echo(case: &Case, text: &str) -> String {
    let decoded = case.decode(lines(text.as_bytes())).unwrap();
    let request = encoder_request(case, ChangelogMode::AppendOnly, &[]);
    match json::encoder(&request).unwrap().encode(&decoded.batches[0]).unwrap() {
        Encoded::Bytes { data, rows } => {
            assert_eq!(rows, decoded.batches[0].rows());
            String::from_utf8(data.to_vec()).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_type_comes_back() {
    use TypeKind::*;
    let rows: &[(TypeKind, &str, &str)] = &[
        (Boolean, "true", "true"),
        (TinyInt, "-1", "-1"),
        (SmallInt, "300", "300"),
        (Int, "-70000", "-70000"),
        (BigInt, "-9223372036854775808", "-9223372036854775808"),
        (Float, "0.1", "0.1"),
        (Float, "\"NaN\"", "\"NaN\""),
        (Double, "1e10", "1.0E10"),
        (Double, "100", "100.0"),
        (Double, "\"-Infinity\"", "\"-Infinity\""),
        (Decimal { precision: 10, scale: 2 }, "100", "1E+2"),
        (Decimal { precision: 10, scale: 2 }, "1.50", "1.5"),
        (Decimal { precision: 10, scale: 9 }, "0.000000027", "2.7E-8"),
        (TypeKind::STRING, "\"a\\\"\\\\\\n\\u0001é/\"", "\"a\\\"\\\\\\n\\u0001é/\""),
        (TypeKind::BYTES, "\"AQIDBA==\"", "\"AQIDBA==\""),
        (Date, "\"2024-02-29\"", "\"2024-02-29\""),
        (Time { precision: 3 }, "\"12:13:14.120\"", "\"12:13:14.12\""),
        (Timestamp { precision: 3 }, "\"2020-12-30 12:13:14.120\"", "\"2020-12-30 12:13:14.12\""),
        (TimestampLtz { precision: 6 }, "\"2020-12-30 12:13:14Z\"", "\"2020-12-30 12:13:14Z\""),
        (Array(boxed(Int)), "[1,null,3]", "[1,null,3]"),
        (Array(boxed(Int)), "[]", "[]"),
        (
            Map(boxed(TypeKind::STRING), boxed(Int)),
            "{\"a\\\"\":1,\"b\":null}",
            "{\"a\\\"\":1,\"b\":null}",
        ),
        (Map(boxed(TypeKind::STRING), boxed(Int)), "{}", "{}"),
        (Multiset(boxed(TypeKind::STRING)), "{\"x\":2}", "{\"x\":2}"),
        (row(&[("a", Int), ("b\"", TypeKind::STRING)]), "{\"a\":1}", "{\"a\":1,\"b\\\"\":null}"),
        (Int, "null", "null"),
    ];
    for (kind, value, expected) in rows {
        let case = table(&[("c", kind.clone().nullable())], &[]);
        let text = echo(&case, &format!("{{\"c\":{value}}}\n{{\"c\":{value}}}"));
        let line = format!("{{\"c\":{expected}}}\n");
        assert_eq!(text, line.repeat(2), "{kind} {value}");
        // What was written reads back as the same.
        assert_eq!(echo(&case, &text), text);
    }
    let plain = [("json.encode.decimal-as-plain-number", "true")];
    let case = table(&[("c", Decimal { precision: 10, scale: 9 }.nullable())], &plain);
    assert_eq!(echo(&case, "{\"c\":0.000000027}"), "{\"c\":0.000000027}\n");
    let iso = [("json.timestamp-format.standard", "iso-8601")];
    let case = table(&[("c", TimestampLtz { precision: 3 }.nullable())], &iso);
    assert_eq!(echo(&case, "{\"c\":\"1970-01-01T00:00Z\"}"), "{\"c\":\"1970-01-01T00:00:00Z\"}\n");
    let sparse = [("json.encode.ignore-null-fields", "true")];
    let mut case = ab();
    case.table.options.insert(sparse[0].0.into(), sparse[0].1.into());
    assert_eq!(echo(&case, "{\"b\":\"x\"}\n{}\n{\"a\":1}"), "{\"b\":\"x\"}\n{}\n{\"a\":1}\n");
}

#[test]
fn changelogs() {
    let case = ab();
    let decoded = case.decode(lines(b"{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}")).unwrap();
    let columns: Vec<ArrayRef> = decoded.batches[0].columns().to_vec();
    let batch = Batch::with_weights(columns, 2, Some(vec![1, -1].into()));
    let upsert = ChangelogMode::Upsert { key: vec![0] };
    let request = encoder_request(&case, upsert.clone(), &[0]);
    let encoded = json::encoder(&request).unwrap().encode(&batch).unwrap();
    let Encoded::Messages(messages) = encoded else { panic!("{encoded:?}") };
    assert_eq!(messages.key(0), Some(&b"{\"a\":1}"[..]));
    assert_eq!(messages.value(0), Some(&b"{\"a\":1,\"b\":\"x\"}"[..]));
    assert_eq!(messages.key(1), Some(&b"{\"a\":2}"[..]));
    assert_eq!(messages.value(1), None);
    let append = encoder_request(&case, ChangelogMode::AppendOnly, &[]);
    let error = json::encoder(&append).unwrap().encode(&batch).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    for (changelog, key) in [(ChangelogMode::Retract, vec![0]), (upsert, vec![])] {
        let error = json::encoder(&encoder_request(&case, changelog, &key)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::User);
    }
}
