//! The format from outside, reading: every type and edge as rows.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use mainstem_core::ingest::{Decoded, LineNumber, Lines, Messages, Payload};
use mainstem_core::table::{Column, FilterOp, Literal, ScanFilter, TableSpec};
use mainstem_core::types::Field;
use mainstem_core::{DataType, ErrorKind, Result, TypeKind};

use crate::format::{BadRecords, DecodeRequest, rows_text};

mod encoding;
mod properties;

/// A table under test and how it is read.
#[derive(Clone)]
struct Case {
    table: TableSpec,
    policy: BadRecords,
    projection: Vec<usize>,
    filters: Vec<ScanFilter>,
}

fn table(columns: &[(&str, DataType)], options: &[(&str, &str)]) -> Case {
    let columns: Vec<Column> = columns
        .iter()
        .map(|(name, data_type)| Column {
            name: (*name).into(),
            data_type: data_type.clone(),
            metadata_key: None,
        })
        .collect();
    let options = options.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    Case {
        projection: (0..columns.len()).collect(),
        table: TableSpec { name: "t".into(), columns, options, ..TableSpec::default() },
        policy: BadRecords::Fail,
        filters: Vec::new(),
    }
}

fn lines(text: &[u8]) -> Payload {
    let data = Bytes::copy_from_slice(text);
    Payload::Lines(Lines { data, path: "rides.json".into(), first_line: LineNumber::Known(1) })
}

fn messages(values: &[Option<&[u8]>]) -> Messages {
    let mut data = Vec::new();
    let values = values
        .iter()
        .map(|value| {
            value.map(|value| {
                let start = data.len() as u32;
                data.extend_from_slice(value);
                start..data.len() as u32
            })
        })
        .collect::<Vec<_>>();
    Messages {
        keys: vec![None; values.len()],
        offsets: (17..17 + values.len() as i64).collect(),
        data: Bytes::from(data),
        values,
        topic: "rides".into(),
        ..Messages::default()
    }
}

impl Case {
    fn decode(&self, payload: Payload) -> Result<Decoded> {
        let mut decoder = super::decoder(&DecodeRequest {
            table: Arc::new(self.table.clone()),
            projection: self.projection.clone(),
            filters: self.filters.clone(),
            bad_records: self.policy,
            time_zone: "UTC".into(),
        })?;
        let mut out = Decoded::default();
        decoder.decode(payload, 0, &mut out)?;
        Ok(out)
    }

    fn types(&self) -> Vec<DataType> {
        self.projection.iter().map(|&i| self.table.columns[i].data_type.clone()).collect()
    }

    fn rows(&self, decoded: &Decoded) -> Vec<String> {
        decoded.batches.iter().flat_map(|b| rows_text(b, &self.types())).collect()
    }

    /// Rows, `;` between them, or the error's first line.
    fn read(&self, text: &[u8]) -> String {
        match self.decode(lines(text)) {
            Ok(decoded) => self.rows(&decoded).join(";"),
            Err(error) => error.to_string(),
        }
    }
}

fn row(fields: &[(&str, TypeKind)]) -> TypeKind {
    let field = |(name, kind): &(&str, TypeKind)| Field {
        name: (*name).into(),
        data_type: kind.clone().nullable(),
    };
    TypeKind::Row(fields.iter().map(field).collect())
}

fn boxed(kind: TypeKind) -> Box<DataType> {
    Box::new(kind.nullable())
}

/// Reads `{"c":value}`; the reason alone if it is refused.
fn one(kind: &TypeKind, value: &str, options: &[(&str, &str)]) -> String {
    let case = table(&[("c", kind.clone().nullable())], options);
    let text = case.read(format!("{{\"c\":{value}}}\n").as_bytes());
    match text.split_once("column 'c': ") {
        Some((_, reason)) => reason.to_owned(),
        None => text.strip_prefix("+I[").and_then(|t| t.strip_suffix(']')).unwrap_or(&text).into(),
    }
}

/// Checks `type, JSON, what comes of it`, and with it NULL, absence and leniency.
fn check_scalars(rows: &[(TypeKind, &str, &str)]) {
    for (kind, value, expected) in rows {
        assert_eq!(one(kind, value, &[]), *expected, "{kind} {value}");
        // NULL and absence are the same, whatever the type.
        assert_eq!(one(kind, "null", &[]), "null", "{kind}");
        let case = table(&[("c", kind.clone().nullable())], &[]);
        assert_eq!(case.read(b"{}"), "+I[null]", "{kind}");
        // Ignoring errors makes NULL of what would be refused.
        let lenient = one(kind, value, &[("json.ignore-parse-errors", "true")]);
        let refused = expected.contains(" is no ");
        assert_eq!(lenient, if refused { "null" } else { expected }, "{kind} {value}");
    }
}

#[test]
fn numbers_and_booleans() {
    use TypeKind::*;
    let rows: &[(TypeKind, &str, &str)] = &[
        (Boolean, "true", "true"),
        (Boolean, "false", "false"),
        (Boolean, "\" TRUE \"", "true"),
        (Boolean, "\"yes\"", "false"),
        (Boolean, "1", "false"),
        (Boolean, "[true]", "[true] is no BOOLEAN"),
        (TinyInt, "127", "127"),
        (TinyInt, "-128", "-128"),
        (TinyInt, "128", "128 is no TINYINT"),
        (TinyInt, "1.0", "1.0 is no TINYINT"),
        (SmallInt, "\"-32768\"", "-32768"),
        (SmallInt, "32768", "32768 is no SMALLINT"),
        (Int, "2147483647", "2147483647"),
        (Int, "2147483648", "2147483648 is no INT"),
        (Int, "\" +12 \"", "12"),
        (Int, "\"\\u0031\"", "1"),
        (Int, "1.9", "1"),
        (Int, "-1.9e1", "-19"),
        (Int, "\"1.9\"", "\"1.9\" is no INT"),
        (Int, "true", "true is no INT"),
        (Int, "{}", "{} is no INT"),
        (Int, "\"\"", "\"\" is no INT"),
        (BigInt, "9223372036854775807", "9223372036854775807"),
        (BigInt, "9223372036854775808", "9223372036854775808 is no BIGINT"),
        (BigInt, "1e18", "1000000000000000000"),
        (BigInt, "1e19", "1e19 is no BIGINT"),
        (Double, "1", "1.0"),
        (Double, "-0", "-0.0"),
        (Double, "123.45", "123.45"),
        (Double, "1e-7", "1.0E-7"),
        (Double, "12345678901234567890.5", "1.2345678901234567E19"),
        (Double, "\" 1.5 \"", "1.5"),
        (Double, "\"NaN\"", "NaN"),
        (Double, "\"-Infinity\"", "-Infinity"),
        (Double, "\"inf\"", "\"inf\" is no DOUBLE"),
        (Double, "1e400", "1e400 is no DOUBLE"),
        (Double, "true", "true is no DOUBLE"),
        (Float, "0.1", "0.1"),
        (Float, "\"0.1\"", "0.1"),
        (Float, "1e39", "1e39 is no FLOAT"),
        (Decimal { precision: 5, scale: 2 }, "123.455", "123.46"),
        (Decimal { precision: 5, scale: 2 }, "\" 1 \"", "1.00"),
        (Decimal { precision: 5, scale: 2 }, "1000", "null"),
        (Decimal { precision: 5, scale: 2 }, "\"x\"", "\"x\" is no DECIMAL(5, 2)"),
        (
            Decimal { precision: 38, scale: 0 },
            "99999999999999999999999999999999999999",
            "99999999999999999999999999999999999999",
        ),
    ];
    check_scalars(rows);
}

#[test]
fn texts_and_times() {
    use TypeKind::*;
    let rows: &[(TypeKind, &str, &str)] = &[
        (TypeKind::STRING, "\"a\\\"b\\u00e9\\ud83d\\ude00\"", "a\"bé😀"),
        (TypeKind::STRING, "12.50", "12.50"),
        (TypeKind::STRING, "true", "true"),
        (
            TypeKind::STRING,
            "{ \"b\" : [ 1 , 2.50 , \"\\u00e9\\n\" ] , \"a\":null}",
            "{\"b\":[1,2.5,\"é\\n\"],\"a\":null}",
        ),
        (TypeKind::STRING, "[]", "[]"),
        (TypeKind::BYTES, "\"AQID\"", "[1, 2, 3]"),
        (TypeKind::BYTES, "\"AQI\"", "\"AQI\" is no BYTES"),
        (TypeKind::BYTES, "1", "1 is no BYTES"),
        (Date, "\"2024-02-29\"", "2024-02-29"),
        (Date, "\"2023-02-29\"", "\"2023-02-29\" is no DATE"),
        (Date, "19782", "19782 is no DATE"),
        (Time { precision: 0 }, "\"12:13:14\"", "12:13:14"),
        (Time { precision: 3 }, "\"12:13:14.5\"", "12:13:14.500"),
        (Timestamp { precision: 3 }, "\"2020-12-30 12:13:14.123\"", "2020-12-30T12:13:14.123"),
        (
            Timestamp { precision: 6 },
            "\"2020-12-30 12:13:14.123456\"",
            "2020-12-30T12:13:14.123456",
        ),
        (Timestamp { precision: 9 }, "\"2020-12-30 12:13:14.1\"", "2020-12-30T12:13:14.100"),
        (
            Timestamp { precision: 3 },
            "\"2020-12-30T12:13:14\"",
            "\"2020-12-30T12:13:14\" is no TIMESTAMP(3)",
        ),
        (Timestamp { precision: 3 }, "1609330394123", "1609330394123 is no TIMESTAMP(3)"),
        (TimestampLtz { precision: 3 }, "\"2020-12-30 12:13:14.123Z\"", "2020-12-30T12:13:14.123Z"),
        (
            TimestampLtz { precision: 3 },
            "\"2020-12-30 12:13:14.123\"",
            "\"2020-12-30 12:13:14.123\" is no TIMESTAMP_LTZ(3)",
        ),
        (IntervalDayTime, "5", "PT0.005S"),
    ];
    check_scalars(rows);
    let iso = [("json.timestamp-format.standard", "ISO-8601")];
    let kind = Timestamp { precision: 3 };
    assert_eq!(one(&kind, "\"2020-12-30T12:13:14.5\"", &iso), "2020-12-30T12:13:14.500");
    assert_eq!(one(&kind, "\"2020-12-30T12:13\"", &iso), "2020-12-30T12:13");
    assert_eq!(
        one(&TimestampLtz { precision: 0 }, "\"2020-12-30T12:13:14Z\"", &iso),
        "2020-12-30T12:13:14Z"
    );
}

#[test]
fn nested() {
    use TypeKind::*;
    let array = Array(boxed(Int));
    let map = Map(boxed(TypeKind::STRING), boxed(Double));
    let record =
        row(&[("a", Int), ("b", TypeKind::STRING), ("c", Array(boxed(row(&[("d", Int)]))))]);
    let rows: &[(&TypeKind, &str, &str)] = &[
        (&array, "[ 1 , null, \"3\" ]", "[1, null, 3]"),
        (&array, "[]", "[]"),
        (&array, "{}", "{} is no ARRAY<INT>"),
        (&array, "\"[1]\"", "\"[1]\" is no ARRAY<INT>"),
        (&map, "{ \"a\" : 1 , \"b\":null, \"a\":2}", "{a=2.0, b=null}"),
        (&map, "{\"a\":1,\"\\u0061\":3}", "{a=3.0}"),
        (&map, "{}", "{}"),
        (&map, "[]", "[] is no MAP<STRING, DOUBLE>"),
        (
            &record,
            "{\"a\":1,\"b\":\"x\",\"c\":[{\"d\":1},{},null]}",
            "+I[1, x, [+I[1], +I[null], null]]",
        ),
        (&record, "{ \"z\":[{}], \"b\":\"y\", \"b\":\"x\"}", "+I[null, x, null]"),
        (&record, "{}", "+I[null, null, null]"),
        (&Multiset(boxed(TypeKind::STRING)), "{\"x\":2}", "{x=2}"),
        (&Array(boxed(Array(boxed(Int)))), "[[1],[],[2,3]]", "[[1], [], [2, 3]]"),
    ];
    for (kind, value, expected) in rows {
        assert_eq!(one(kind, value, &[]), *expected, "{kind} {value}");
        assert_eq!(one(kind, "null", &[]), "null", "{kind}");
    }
    let text = table(&[("c", array.clone().nullable())], &[]).read(b"{\"c\":[1,\"x\"]}");
    assert_eq!(text, "bad record: rides.json, line 1, byte 10: column 'c[]': \"x\" is no INT");
    let lenient = [("json.ignore-parse-errors", "true")];
    assert_eq!(one(&array, "[1,\"x\"]", &lenient), "[1, null]");
    assert_eq!(one(&record, "{\"a\":\"x\",\"b\":1}", &lenient), "+I[null, 1, null]");
    let strict = [("json.fail-on-missing-field", "true")];
    assert_eq!(
        table(&[("c", record.nullable())], &strict).read(b"{\"c\":{\"a\":1,\"b\":null}}"),
        "bad record: rides.json, line 1, byte 6: the field 'c.c' is missing"
    );
    let many: String = (0..40).fold(String::new(), |mut text, i| {
        let _ = write!(text, "\"k{}\":{i},", i % 20);
        text
    });
    let text = one(&map, &format!("{{{}}}", many.trim_end_matches(',')), &[]);
    assert!(text.starts_with("{k0=20.0, k1=21.0,"), "{text}");
    assert!(
        table(&[("m", Map(boxed(Int), boxed(Int)).nullable())], &[]).decode(lines(b"")).is_err()
    );
}

fn ab() -> Case {
    table(&[("a", TypeKind::Int.nullable()), ("b", TypeKind::STRING.nullable())], &[])
}

#[test]
fn lines_and_white_space() {
    let text = b"\n{\"a\":1,\"b\":\"x\"}\r\n \t\r\n  { \"b\" : \"y\" , \"a\" : 2 }  \n\n{}";
    assert_eq!(ab().read(text), "+I[1, x];+I[2, y];+I[null, null]");
    assert_eq!(ab().decode(lines(text)).unwrap().records, 3);
    assert_eq!(ab().read(b""), "");
    // White space that was not there in the record before, on both sides of everything.
    let text = b"{\"a\":1,\"b\":\"x\"}\n{\"a\": 2,\"b\":\t\"y\"}\n{\"a\":3 ,\"b\" :\"z\" }\n{\"a\":4, \"b\":\"w\"}";
    let padded = [text.as_slice(), &[b' '; 64]].concat();
    assert_eq!(ab().read(&padded), "+I[1, x];+I[2, y];+I[3, z];+I[4, w]");
    assert_eq!(ab().read(b"{\"A\":1,\"a\":3,\"a\":4}"), "+I[4, null]");
}

#[test]
fn documents_that_are_not_json() {
    let deep = |n: usize| format!("{{\"x\":{}{}}}", "[".repeat(n), "]".repeat(n));
    let rows: &[(&[u8], &str)] = &[
        (b"{\"a\":1", "byte 7: the document ends too early"),
        (b"{\"a\":1\n}", "byte 7: the document ends too early"),
        (b"{\"a\":", "byte 6: the document ends too early"),
        (b"{\"a", "byte 4: the document ends too early"),
        (b"{\"a\":\"x", "byte 8: the document ends too early"),
        (b"{\"b\":\"x\ny\"}", "byte 8: the document ends too early"),
        (b"{\"a\":1}}", "byte 8: more text after the end of the document"),
        (b"{\"a\":1} {\"a\":2}", "byte 9: more text after the end of the document"),
        (b"[1]", "byte 1: the record is not a JSON object"),
        (b"null", "byte 1: the record is not a JSON object"),
        (b"{\"a\":01}", "byte 6: not a valid number"),
        (b"{\"a\":-}", "byte 7: not a valid number"),
        (b"{\"a\":1.}", "byte 8: not a valid number"),
        (b"{\"a\":1e}", "byte 8: not a valid number"),
        (b"{\"a\":+1}", "byte 6: a value is expected"),
        (b"{\"a\":tru}", "byte 9: not a value (true, false and null are the only words)"),
        (b"{\"a\":nan}", "byte 7: not a value (true, false and null are the only words)"),
        (b"{\"a\":1,}", "byte 8: a field name in quotes is expected"),
        (b"{a:1}", "byte 2: a field name in quotes is expected"),
        (b"{\"a\" 1}", "byte 6: ':' is expected after a field name"),
        (b"{\"a\":1 \"b\":2}", "byte 8: ',' or a closing bracket is expected"),
        (b"{\"x\":[1 2]}", "byte 9: ',' or a closing bracket is expected"),
        (b"{\"x\":[1}", "byte 8: ',' or a closing bracket is expected"),
        (b"{\"x\":[1,]}", "byte 9: a value is expected"),
        (b"{\"x\":{\"y\":1,}}", "byte 13: a field name in quotes is expected"),
        (b"{\"x\":\"\\q\"}", "byte 8: invalid escape in a string"),
        (b"{\"x\":\"\\u12g4\"}", "byte 11: invalid escape in a string"),
        (b"{\"x\":\"\\ud800\"}", "byte 7: unpaired surrogate in a string"),
        (b"{\"x\":\"\\udc00\"}", "byte 7: unpaired surrogate in a string"),
        (b"{\"x\":\"\\ud800\\u0041\"}", "byte 7: unpaired surrogate in a string"),
        (b"{\"x\":\"a\tb\"}", "byte 8: a control character in a string must be escaped"),
        (b"{\"x\":\"a\0b\"}", "byte 8: a control character in a string must be escaped"),
        (b"{\"x\":\"a\xffb\"}", "byte 8: not valid UTF-8"),
        (b"{\"x\":\"\xc3", "byte 7: not valid UTF-8"),
        (b"\xef\xbb\xbf{}", "byte 1: the record is not a JSON object"),
    ];
    for (text, expected) in rows {
        let case = table(&[("a", TypeKind::Int.nullable())], &[]);
        let wanted = format!("bad record: rides.json, line 1, {expected}");
        assert_eq!(case.read(text), wanted, "{}", text.escape_ascii());
        // The same as a message, followed by another one whose bytes must not help.
        if !text.contains(&b'\n') {
            let values = messages(&[Some(text), Some(b"\"},\"a\":5}")]);
            let error = case.decode(Payload::Messages(values)).unwrap_err();
            let wanted = format!("bad record: topic rides, partition 0, offset 17, {expected}");
            assert_eq!(error.to_string(), wanted, "{}", text.escape_ascii());
        }
        // And it takes nobody along.
        let mut skip = case.clone();
        skip.policy = BadRecords::Skip;
        let all = [b"{\"a\":7}\n", *text, b"\n{\"a\":8}\n"].concat();
        let decoded = skip.decode(lines(&all)).unwrap();
        assert_eq!(skip.rows(&decoded), ["+I[7]", "+I[8]"], "{}", text.escape_ascii());
        assert_eq!(decoded.skipped, 1 + text.iter().filter(|b| **b == b'\n').count() as u64);
    }
    let case = ab();
    assert_eq!(case.read(deep(127).as_bytes()), "+I[null, null]");
    assert!(case.read(deep(128).as_bytes()).ends_with("byte 133: nested deeper than 128"));
    assert!(case.read(deep(100_000).as_bytes()).ends_with("nested deeper than 128"));
}

#[test]
fn policies() {
    let text = b"{\"a\":1}\nnope\n{\"a\":\"x\",\"b\":\"\"}\n{\"a\":4}\n{\"a\":5";
    let mut case = ab();
    let error = case.decode(lines(text)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    assert_eq!(
        error.to_string(),
        "bad record: rides.json, line 2, byte 1: the record is not a JSON object"
    );
    assert_eq!(error.detail(), Some("the record reads: nope"));
    case.policy = BadRecords::DeadLetter;
    let decoded = case.decode(lines(text)).unwrap();
    assert_eq!(case.rows(&decoded), ["+I[1, null]", "+I[4, null]"]);
    assert_eq!((decoded.records, decoded.skipped), (5, 3));
    let letters: Vec<String> =
        decoded.dead_letters.iter().map(|l| format!("{}: {}", l.place, l.reason)).collect();
    assert_eq!(
        letters,
        [
            "rides.json, line 2: the record is not a JSON object, at byte 1",
            "rides.json, line 3: column 'a': \"x\" is no INT, at byte 7",
            "rides.json, line 5: the document ends too early, at byte 7",
        ]
    );
    assert_eq!(decoded.dead_letters[1].record, &b"{\"a\":\"x\",\"b\":\"\"}"[..]);
    // A conversion that fails comes before a later document that is broken.
    case.policy = BadRecords::Fail;
    let error = case.decode(lines(b"{\"a\":1}\n{\"a\":\"x\"}\nnope\n")).unwrap_err();
    assert!(error.to_string().starts_with("bad record: rides.json, line 2,"), "{error}");
    // `ignore-parse-errors` skips what is no JSON and keeps rows whose values do not convert.
    case.table.options.insert("json.ignore-parse-errors".into(), "true".into());
    let decoded = case.decode(lines(text)).unwrap();
    assert_eq!(case.rows(&decoded), ["+I[1, null]", "+I[null, ]", "+I[4, null]"]);
    assert_eq!(decoded.skipped, 2);
    case.table.options.insert("json.fail-on-missing-field".into(), "true".into());
    assert_eq!(case.decode(lines(b"")).unwrap_err().kind(), ErrorKind::User);
    case.table.options.remove("json.ignore-parse-errors");
    assert_eq!(
        case.read(b"{\"a\":1}"),
        "bad record: rides.json, line 1, byte 7: the field 'b' is missing"
    );
}

#[test]
fn not_null_and_size() {
    let case = table(&[("a", TypeKind::Int.not_null())], &[("mainstem.record-bytes-max", "20")]);
    assert_eq!(case.read(b"{\"a\":1}"), "+I[1]");
    assert_eq!(
        case.read(b"{\"a\":null}"),
        "bad record: rides.json, line 1, byte 6: column 'a' is NOT NULL and got NULL"
    );
    assert_eq!(
        case.read(b"{}"),
        "bad record: rides.json, line 1, byte 1: column 'a' is NOT NULL and got NULL (the field is missing)"
    );
    assert_eq!(case.read(b"{\"a\":1,\"xyz\":12345}"), "+I[1]");
    assert_eq!(
        case.read(b"{\"a\":1,\"xyz\":1234567}"),
        "bad record: rides.json, line 1, byte 1: 21 bytes, and 'mainstem.record-bytes-max' is 20"
    );
}

#[test]
fn messages_and_metadata() {
    let mut case = ab();
    case.table.columns.push(Column {
        name: "o".into(),
        data_type: TypeKind::BigInt.not_null(),
        metadata_key: Some("offset".into()),
    });
    case.projection = vec![2, 0];
    case.policy = BadRecords::Skip;
    let payload = messages(&[
        Some(b"{\"a\":1}"),
        None,
        Some(b""),
        Some(b"{\"a\":\n2}\n"),
        Some(b"{\"b\":\"\xc3"),
        Some(b"\xa9\",\"a\":1}"),
        Some(b"{\"a\":\"x\"}"),
        Some("{\"b\":\"é\",\"a\":8}".as_bytes()),
    ]);
    let decoded = case.decode(Payload::Messages(payload)).unwrap();
    assert_eq!(case.rows(&decoded), ["+I[17, 1]", "+I[20, 2]", "+I[24, 8]"]);
    assert_eq!((decoded.records, decoded.skipped), (8, 3));
}

#[test]
fn projection_and_filters() {
    let columns = [
        ("s", TypeKind::STRING.nullable()),
        ("i", TypeKind::Int.nullable()),
        ("d", TypeKind::Double.nullable()),
        ("f", TypeKind::Boolean.nullable()),
        ("t", TypeKind::Timestamp { precision: 3 }.nullable()),
    ];
    let text = b"{\"s\":\"a\",\"i\":1,\"d\":1.5,\"f\":true,\"t\":\"1970-01-01 00:00:01\"}\n\
        {\"s\":\"b\",\"i\":\"2\",\"d\":\"NaN\",\"f\":\"false\",\"t\":null}\n\
        {\"s\":\"\\u0063\",\"i\":3.7,\"d\":-2}\n\
        {\"i\":null,\"s\":5}\n";
    let string = |s: &str| Literal::String(s.into());
    let rows: &[(usize, FilterOp, Literal, &str)] = &[
        (0, FilterOp::Eq, string("b"), "b"),
        (0, FilterOp::Eq, string("c"), "c"),
        (0, FilterOp::Eq, string("5"), "5"),
        (0, FilterOp::NotEq, string("a"), "b c 5"),
        (0, FilterOp::Gt, string("a"), "b c"),
        (0, FilterOp::LtEq, string("a"), "a 5"),
        (1, FilterOp::GtEq, Literal::Integer(2), "b c"),
        (1, FilterOp::Eq, Literal::Integer(3), "c"),
        (1, FilterOp::IsNotNull, Literal::Integer(0), "a b c"),
        (2, FilterOp::Lt, Literal::Double(1.5), "c"),
        (2, FilterOp::NotEq, Literal::Double(1.5), "b c"),
        (2, FilterOp::IsNotNull, Literal::Boolean(true), "a b c"),
        (3, FilterOp::Eq, Literal::Boolean(true), "a"),
        (3, FilterOp::NotEq, Literal::Boolean(true), "b"),
        (4, FilterOp::IsNotNull, Literal::Boolean(true), "a"),
    ];
    for (column, op, literal, expected) in rows {
        let mut case = table(&columns, &[]);
        case.projection = vec![0];
        case.filters = vec![ScanFilter { column: *column, op: *op, literal: literal.clone() }];
        let expected: Vec<String> = expected.split(' ').map(|s| format!("+I[{s}]")).collect();
        assert_eq!(case.read(text), expected.join(";"), "{column} {op:?} {literal:?}");
    }
    let mut case = table(&columns, &[]);
    case.projection = vec![1, 0];
    case.filters = vec![
        ScanFilter { column: 1, op: FilterOp::Gt, literal: Literal::Integer(1) },
        ScanFilter { column: 2, op: FilterOp::IsNotNull, literal: Literal::Integer(0) },
    ];
    assert_eq!(case.read(text), "+I[2, b];+I[3, c]");
    // No column at all still counts rows.
    case.projection = vec![];
    assert_eq!(case.decode(lines(text)).unwrap().batches[0].rows(), 2);
    // A filter's value that does not convert makes the record bad, or NULL.
    case.projection = vec![0];
    let bad = b"{\"s\":\"a\",\"i\":\"x\"}";
    assert_eq!(case.read(bad), "bad record: rides.json, line 1, byte 15: column 'i': no INT");
    case.table.options.insert("json.ignore-parse-errors".into(), "true".into());
    assert_eq!(case.read(bad), "");
    case.filters[0].literal = Literal::Double(1.0);
    assert_eq!(case.decode(lines(bad)).unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn many_rows_cross_blocks() {
    let mut text = String::new();
    for i in 0..5000 {
        let value = if i % 1000 == 999 { "\"x\"".to_string() } else { i.to_string() };
        let _ = writeln!(text, "{{\"a\":{value},\"b\":\"row {i}\"}}");
    }
    let mut case = ab();
    case.policy = BadRecords::DeadLetter;
    let decoded = case.decode(lines(text.as_bytes())).unwrap();
    let rows = case.rows(&decoded);
    assert_eq!(rows.len(), 4995);
    assert_eq!(rows[999], "+I[1000, row 1000]");
    assert_eq!(rows[4994], "+I[4998, row 4998]");
    assert_eq!(decoded.dead_letters[4].place, "rides.json, line 5000");
}
