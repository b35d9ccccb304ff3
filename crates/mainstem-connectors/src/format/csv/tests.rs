//! Tests of the csv format: Flink's rules as data rows, bad records, framing, and what is written is read back.

use std::sync::Arc;

use bytes::Bytes;
use mainstem_core::egress::{ChangelogMode, Encoded};
use mainstem_core::ingest::{Decoded, LineNumber, Lines, Messages, Payload};
use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{Batch, DataType, Field, TypeKind};
use proptest::prelude::*;

use super::*;
use crate::format::BadRecords;
use crate::format::rows_text;

fn table(columns: &[(&str, TypeKind)], options: &[(&str, &str)]) -> Arc<TableSpec> {
    Arc::new(TableSpec {
        name: "t".into(),
        columns: columns
            .iter()
            .map(|(name, kind)| Column {
                name: (*name).into(),
                data_type: kind.clone().nullable(),
                metadata_key: None,
            })
            .collect(),
        options: options.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        ..TableSpec::default()
    })
}

fn request(table: &Arc<TableSpec>, bad_records: BadRecords) -> DecodeRequest {
    DecodeRequest {
        table: Arc::clone(table),
        projection: (0..table.columns.len()).collect(),
        filters: vec![],
        bad_records,
        time_zone: "UTC".into(),
    }
}

fn lines(text: &str) -> Payload {
    Payload::Lines(Lines {
        data: Bytes::copy_from_slice(text.as_bytes()),
        path: "t.csv".into(),
        first_line: LineNumber::Known(1),
    })
}

fn decode(table: &Arc<TableSpec>, policy: BadRecords, payload: Payload) -> Result<Decoded> {
    let mut out = Decoded::default();
    decoder(&request(table, policy))?.decode(payload, 0, &mut out)?;
    Ok(out)
}

fn rows(table: &Arc<TableSpec>, decoded: &Decoded) -> Vec<String> {
    let types: Vec<DataType> = table.columns.iter().map(|c| c.data_type.clone()).collect();
    decoded.batches.iter().flat_map(|b| rows_text(b, &types)).collect()
}

fn read(columns: &[(&str, TypeKind)], options: &[(&str, &str)], text: &str) -> Result<Vec<String>> {
    let table = table(columns, options);
    decode(&table, BadRecords::Fail, lines(text)).map(|d| rows(&table, &d))
}

const INT: TypeKind = TypeKind::Int;
const STRING: TypeKind = TypeKind::STRING;

#[test]
fn fields_are_read_by_position_and_type() {
    let row = |fields: &[(&str, TypeKind)]| {
        TypeKind::Row(
            fields
                .iter()
                .map(|(n, k)| Field { name: (*n).into(), data_type: k.clone().nullable() })
                .collect(),
        )
    };
    for (kind, text, expected) in [
        (INT, "42", "42"),
        (INT, " 42 ", "42"),
        (TypeKind::TinyInt, "-128", "-128"),
        (TypeKind::SmallInt, "32767", "32767"),
        (TypeKind::BigInt, "-9223372036854775808", "-9223372036854775808"),
        (TypeKind::Float, "0.1", "0.1"),
        (TypeKind::Double, "1e7", "1.0E7"),
        (TypeKind::Boolean, "TRUE", "true"),
        (TypeKind::Boolean, "yes", "false"),
        (TypeKind::Decimal { precision: 5, scale: 2 }, "1.005", "1.01"),
        (TypeKind::Decimal { precision: 3, scale: 2 }, "99.1", "null"),
        (STRING, "", ""),
        (STRING, " x ", " x "),
        (STRING, "\"a,b\"", "a,b"),
        (STRING, "\"a\nb\"", "a\nb"),
        (STRING, "\"say \"\"hi\"\"\"", "say \"hi\""),
        (STRING, "5\" disk", "5\" disk"),
        (STRING, "\"x\"  ", "x"),
        (TypeKind::BYTES, "AQI=", "[1, 2]"),
        (TypeKind::Date, "2024-2-9", "2024-02-09"),
        (TypeKind::Time { precision: 0 }, "12:34:56.789", "12:34:56"),
        (TypeKind::Time { precision: 3 }, "12:34", "12:34"),
        (TypeKind::Timestamp { precision: 3 }, "2024-01-01 00:00:00.5", "2024-01-01T00:00:00.500"),
        (TypeKind::TimestampLtz { precision: 3 }, "2024-01-01 00:00:00Z", "2024-01-01T00:00:00Z"),
        (
            TypeKind::Timestamp { precision: 9 },
            "2024-01-01 00:00:00.000000001",
            "2024-01-01T00:00:00.000000001",
        ),
        (TypeKind::IntervalYearMonth, "14", "P1Y2M"),
        (TypeKind::Array(Box::new(INT.nullable())), "1;2;3", "[1, 2, 3]"),
        (TypeKind::Array(Box::new(INT.nullable())), "", "[]"),
        (row(&[("a", INT), ("b", STRING)]), "1;x", "+I[1, x]"),
    ] {
        let got = read(&[("a", INT), ("b", kind.clone())], &[], &format!("1,{text}\n"));
        assert_eq!(got.unwrap(), [format!("+I[1, {expected}]")], "{kind} {text}");
    }
}

#[test]
fn options_change_the_dialect() {
    let two = [("a", INT), ("b", STRING)];
    for (options, text, expected) in [
        (vec![("csv.field-delimiter", ";")], "1;x,y\n", vec!["+I[1, x,y]"]),
        (vec![("csv.field-delimiter", "\\t")], "1\tx\n", vec!["+I[1, x]"]),
        (vec![("csv.field-delimiter", "\\u0001")], "1\u{1}x\n", vec!["+I[1, x]"]),
        (vec![("csv.quote-character", "'")], "1,'a,\"b'\n", vec!["+I[1, a,\"b]"]),
        (vec![("csv.disable-quote-character", "true")], "1,\"x\"\n", vec!["+I[1, \"x\"]"]),
        (
            vec![("csv.allow-comments", "true")],
            "# a, \"b\n1,x\n  # c\n2,y",
            vec!["+I[1, x]", "+I[2, y]"],
        ),
        (vec![("csv.null-literal", "n/a")], "n/a,n/a\n", vec!["+I[null, null]"]),
        (vec![("csv.null-literal", "")], ",\n", vec!["+I[null, null]"]),
        (vec![("csv.escape-character", "\\")], "1,a\\,b\\n\\\\\n", vec!["+I[1, a,b\n\\]"]),
        (vec![("csv.escape-character", "\\")], "1,\"a\\\"b\"\n", vec!["+I[1, a\"b]"]),
        (vec![("mainstem.csv.header", "skip")], "a,b\n1,x\n", vec!["+I[1, x]"]),
        (
            vec![("csv.ignore-parse-errors", "true")],
            "x,y\n1\n2,z,3\n4,w\r\n",
            vec!["+I[null, y]", "+I[1, null]", "+I[4, w]"],
        ),
    ] {
        assert_eq!(read(&two, &options, text).unwrap(), expected, "{options:?}");
    }
}

#[test]
fn bad_records_name_their_place_and_reason() {
    let two = [("a", INT), ("b", TypeKind::Timestamp { precision: 3 })];
    for (text, expected) in [
        (
            "1,2024-01-01 00:00:00\nx,2024-01-01 00:00:00\n",
            "line 2, byte 1: column 'a': 'x' is not INT",
        ),
        (
            "99999999999,2024-01-01 00:00:00\n",
            "line 1, byte 1: column 'a': '99999999999' is not INT",
        ),
        (
            "1,2024-02-30 00:00:00\n",
            "line 1, byte 3: column 'b': '2024-02-30 00:00:00' is not TIMESTAMP",
        ),
        (",2024-01-01 00:00:00\n", "'csv.null-literal' = ''"),
        ("1\n", "it has 1 fields, and the table has 2 columns"),
        ("1,2,3\n", "it has 3 fields, and the table has 2 columns"),
        ("\n", "it has 1 fields, and the table has 2 columns"),
        ("1,\"x\n2,y\n", "line 1, byte 1: a quoted field has no closing quote"),
        ("1,\"x\"y\n", "text follows the closing quote"),
    ] {
        let error = read(&two, &[], text).unwrap_err();
        assert!(error.to_string().contains(expected), "{text:?}: {error}");
        assert!(error.to_string().starts_with("bad record: t.csv, line "), "{error}");
    }
    let table = table(&[("a", STRING)], &[]);
    let payload = Payload::Lines(Lines {
        data: Bytes::from_static(b"ok\n\xff\xfe\nfine\n"),
        path: "t.csv".into(),
        first_line: LineNumber::Unknown,
    });
    let decoded = decode(&table, BadRecords::DeadLetter, payload).unwrap();
    assert_eq!(rows(&table, &decoded), ["+I[ok]", "+I[fine]"]);
    assert_eq!((decoded.records, decoded.skipped, decoded.dead_letters.len()), (3, 1, 1));
    assert!(decoded.dead_letters[0].reason.contains("not valid UTF-8"));
}

#[test]
fn skipping_goes_on_after_every_kind_of_bad_record() {
    let table = table(&[("a", INT), ("b", STRING)], &[]);
    let text = "1,a\nx,b\n2,\"b\"x\n3\n4,d\n5,\"open\n6,f\n";
    let decoded = decode(&table, BadRecords::Skip, lines(text)).unwrap();
    assert_eq!(rows(&table, &decoded), ["+I[1, a]", "+I[4, d]", "+I[6, f]"]);
    assert_eq!((decoded.records, decoded.skipped), (7, 4));
}

#[test]
fn a_decoder_is_level_after_an_error() {
    let table = table(&[("a", INT), ("b", STRING)], &[]);
    let mut decoder = decoder(&request(&table, BadRecords::Fail)).unwrap();
    let mut out = Decoded::default();
    decoder.decode(lines("1,a\nx,b\n"), 0, &mut out).unwrap_err();
    let mut out = Decoded::default();
    decoder.decode(lines("2,b\n"), 0, &mut out).unwrap();
    assert_eq!(rows(&table, &out), ["+I[2, b]"]);
}

#[test]
fn only_the_projected_columns_are_read() {
    let table = table(&[("a", INT), ("b", STRING), ("c", INT)], &[]);
    let projected = DecodeRequest { projection: vec![2, 1], ..request(&table, BadRecords::Fail) };
    let mut out = Decoded::default();
    decoder(&projected).unwrap().decode(lines("not read,x,7\n"), 0, &mut out).unwrap();
    assert_eq!(rows_text(&out.batches[0], &[INT.nullable(), DataType::string()]), ["+I[7, x]"]);
    let none = DecodeRequest { projection: vec![], ..request(&table, BadRecords::Fail) };
    let mut out = Decoded::default();
    decoder(&none).unwrap().decode(lines("1,x,7\n2,y,8\n"), 0, &mut out).unwrap();
    assert_eq!(out.batches[0].rows(), 2);
}

#[test]
fn a_message_is_one_record() {
    let table = table(&[("a", INT), ("b", STRING)], &[]);
    let messages = |values: &[Option<&str>]| {
        let mut m = Messages { topic: "rides".into(), ..Messages::default() };
        let mut data = Vec::new();
        for value in values {
            m.offsets.push(m.offsets.len() as i64);
            m.values.push(value.map(|v| {
                let start = data.len() as u32;
                data.extend_from_slice(v.as_bytes());
                start..data.len() as u32
            }));
        }
        m.data = Bytes::from(data);
        Payload::Messages(m)
    };
    let payload = messages(&[Some("1,a"), None, Some("2,b\n"), Some("3,\"c\nd\"")]);
    let decoded = decode(&table, BadRecords::Fail, payload).unwrap();
    assert_eq!(rows(&table, &decoded), ["+I[1, a]", "+I[2, b]", "+I[3, c\nd]"]);
    for (text, expected) in [("1,a\n2,b", "more than one line"), ("", "empty"), ("x,y", "not INT")]
    {
        let error =
            decode(&table, BadRecords::Fail, messages(&[Some("7,ok"), Some(text)])).unwrap_err();
        assert!(error.to_string().contains("topic rides, partition 0, offset 1"), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn wrong_options_and_types_are_refused() {
    for (options, expected) in [
        (vec![("csv.field-delimiter", "ab")], "csv.field-delimiter"),
        (vec![("csv.quote-character", "")], "csv.quote-character"),
        (vec![("csv.field-delimiter", "\"")], "must differ"),
        (
            vec![("csv.disable-quote-character", "true"), ("csv.quote-character", "'")],
            "exclude each other",
        ),
        (vec![("csv.array-element-delimiter", "")], "empty"),
    ] {
        let error = read(&[("a", INT)], &options, "").unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let map = TypeKind::Map(Box::new(DataType::string()), Box::new(DataType::string()));
    let error = read(&[("m", map)], &[], "").unwrap_err();
    assert!(error.to_string().contains("column 'm' has the type MAP<STRING, STRING>"), "{error}");
}

fn write(table: &Arc<TableSpec>, batch: &Batch) -> String {
    let request = EncodeRequest {
        table: Arc::clone(table),
        value_columns: (0..table.columns.len()).collect(),
        key_columns: vec![],
        changelog: ChangelogMode::AppendOnly,
        stream: true,
        time_zone: "UTC".into(),
    };
    match encoder(&request).unwrap().encode(batch).unwrap() {
        Encoded::Bytes { data, .. } => String::from_utf8(data.to_vec()).unwrap(),
        other => panic!("a stream was asked for: {other:?}"),
    }
}

#[test]
fn writes_as_jackson_does() {
    let columns = [
        ("a", TypeKind::Decimal { precision: 10, scale: 2 }),
        ("b", STRING),
        ("c", TypeKind::Timestamp { precision: 3 }),
        ("d", TypeKind::Date),
        ("e", TypeKind::Array(Box::new(STRING.nullable()))),
    ];
    for (options, text, expected) in [
        (
            vec![],
            "1.50,plain,2024-01-01 00:00:00.120,2024-01-01,x;y\n",
            "1.5,plain,\"2024-01-01 00:00:00.12\",2024-01-01,x;y\n",
        ),
        (
            vec![],
            "100000,two words,1970-01-01 00:00:00,1970-01-01,\n",
            "1E+5,\"two words\",\"1970-01-01 00:00:00\",1970-01-01,\n",
        ),
        (
            vec![
                ("csv.write-bigdecimal-in-scientific-notation", "false"),
                ("csv.null-literal", "NULL"),
            ],
            "100000,\"q\"\"q\",NULL,NULL,NULL;z\n",
            "100000,\"q\"\"q\",NULL,NULL,NULL;z\n",
        ),
    ] {
        let table = table(&columns, &options);
        let decoded = decode(&table, BadRecords::Fail, lines(text)).unwrap();
        assert_eq!(write(&table, &decoded.batches[0]), expected);
    }
    let table = table(&[("b", STRING)], &[]);
    let decoded = decode(
        &table,
        BadRecords::Fail,
        lines("abcdefghijklmnopqrstuvwxy\nabcdefghijklmnopqrstuvwx\n"),
    )
    .unwrap();
    assert_eq!(
        write(&table, &decoded.batches[0]),
        "\"abcdefghijklmnopqrstuvwxy\"\nabcdefghijklmnopqrstuvwx\n"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back(
        rows in proptest::collection::vec((any::<i64>(), "\\PC*|[a\",\\\\\n\r;' ]*", any::<f64>(), any::<bool>()), 1..20),
        escape in any::<bool>(),
    ) {
        use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
        let options: &[(&str, &str)] = if escape { &[("csv.escape-character", "\\")] } else { &[] };
        let table = table(
            &[("a", TypeKind::BigInt), ("b", STRING), ("c", TypeKind::Double), ("d", TypeKind::Boolean)],
            options,
        );
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.1))),
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.2))),
            Arc::new(BooleanArray::from_iter(rows.iter().map(|r| Some(r.3)))),
        ];
        let batch = Batch::new(columns, rows.len());
        let text = write(&table, &batch);
        let decoded = decode(&table, BadRecords::Fail, lines(&text)).unwrap();
        prop_assert_eq!(decoded.batches.len(), 1);
        let types: Vec<DataType> = table.columns.iter().map(|c| c.data_type.clone()).collect();
        prop_assert_eq!(rows_text(&decoded.batches[0], &types), rows_text(&batch, &types));
        // A reader that cuts anywhere cuts at the end of a record.
        let dialect = dialect(&table.options).unwrap();
        let whole = rows_text(&batch, &types);
        for cut in 0..text.len() {
            let Some(end) = last_record_end(&text.as_bytes()[..cut], dialect) else { continue };
            prop_assert!(text.is_char_boundary(end));
            let mut out = Vec::new();
            for part in [&text[..end], &text[end..]] {
                for b in &decode(&table, BadRecords::Fail, lines(part)).unwrap().batches {
                    out.extend(rows_text(b, &types));
                }
            }
            prop_assert_eq!(&out, &whole);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), escape in any::<bool>()) {
        let options: &[(&str, &str)] =
            if escape { &[("csv.escape-character", "\\"), ("csv.allow-comments", "true")] } else { &[] };
        let table = table(&[("a", INT), ("b", STRING)], options);
        let payload = Payload::Lines(Lines { data: Bytes::from(bytes.clone()), path: "t.csv".into(), first_line: LineNumber::Known(1) });
        let out = decode(&table, BadRecords::Skip, payload).unwrap();
        let rows: usize = out.batches.iter().map(Batch::rows).sum();
        prop_assert_eq!(out.records, rows as u64 + out.skipped);
        let _ = last_record_end(&bytes, dialect(&table.options).unwrap());
    }
}
