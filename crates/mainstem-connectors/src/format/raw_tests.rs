//! Tests of the raw format: each type both ways, NULL, wrong lengths and charsets.

use std::sync::Arc;

use bytes::Bytes;
use mainstem_core::egress::{ChangelogMode, Encoded};
use mainstem_core::ingest::{Decoded, LineNumber, Lines, Messages, Payload};
use mainstem_core::table::{Column, TableSpec};

use super::*;
use crate::format::rows_text;

fn table(kind: TypeKind, options: &[(&str, &str)]) -> Arc<TableSpec> {
    Arc::new(TableSpec {
        name: "t".into(),
        columns: vec![Column { name: "v".into(), data_type: kind.nullable(), metadata_key: None }],
        options: options.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        ..TableSpec::default()
    })
}

fn decode(table: &Arc<TableSpec>, policy: BadRecords, payload: Payload) -> Result<Decoded> {
    let request = DecodeRequest {
        table: Arc::clone(table),
        projection: vec![0],
        filters: vec![],
        bad_records: policy,
        time_zone: "UTC".into(),
    };
    let mut out = Decoded::default();
    decoder(&request)?.decode(payload, 0, &mut out)?;
    Ok(out)
}

fn messages(values: &[Option<&[u8]>]) -> Payload {
    let mut data = Vec::new();
    let mut m = Messages { topic: "t".into(), ..Messages::default() };
    for (offset, value) in values.iter().enumerate() {
        m.offsets.push(offset as i64);
        m.keys.push(None);
        m.values.push(value.map(|v| {
            let start = data.len() as u32;
            data.extend_from_slice(v);
            start..data.len() as u32
        }));
    }
    m.data = Bytes::from(data);
    Payload::Messages(m)
}

fn rows(table: &Arc<TableSpec>, decoded: &Decoded) -> Vec<String> {
    let types = [table.columns[0].data_type.clone()];
    decoded.batches.iter().flat_map(|b| rows_text(b, &types)).collect()
}

#[test]
fn each_type_is_read_and_written() {
    let little = ("raw.endianness", "little-endian");
    for (kind, options, bytes, expected) in [
        (TypeKind::STRING, vec![], "é".as_bytes(), "é"),
        (TypeKind::STRING, vec![("raw.charset", "iso-8859-1")], b"\xe9", "é"),
        (TypeKind::STRING, vec![("raw.charset", "UTF-16BE")], b"\x00\xe9", "é"),
        (TypeKind::STRING, vec![("raw.charset", "UTF-16LE")], b"\xe9\x00", "é"),
        (TypeKind::BYTES, vec![], b"\x01\xff", "[1, -1]"),
        (TypeKind::Boolean, vec![], b"\x01", "true"),
        (TypeKind::TinyInt, vec![little], b"\xff", "-1"),
        (TypeKind::SmallInt, vec![], b"\x01\x02", "258"),
        (TypeKind::SmallInt, vec![little], b"\x01\x02", "513"),
        (TypeKind::Int, vec![], b"\x00\x00\x00\x07", "7"),
        (TypeKind::BigInt, vec![little], b"\x07\x00\x00\x00\x00\x00\x00\x00", "7"),
        (TypeKind::Float, vec![], b"\x3f\x80\x00\x00", "1.0"),
        (TypeKind::Double, vec![], b"\x3f\xf0\x00\x00\x00\x00\x00\x00", "1.0"),
    ] {
        let table = table(kind, &options);
        let decoded = decode(&table, BadRecords::Fail, messages(&[Some(bytes), None])).unwrap();
        assert_eq!(rows(&table, &decoded), [format!("+I[{expected}]"), "+I[null]".into()]);
        let request = EncodeRequest {
            table: Arc::clone(&table),
            value_columns: vec![0],
            key_columns: vec![0],
            changelog: ChangelogMode::AppendOnly,
            stream: false,
            time_zone: "UTC".into(),
        };
        let encoded = encoder(&request).unwrap().encode(&decoded.batches[0]).unwrap();
        let Encoded::Messages(m) = encoded else { panic!("messages were asked for") };
        assert_eq!((m.value(0), m.key(0)), (Some(bytes), Some(bytes)));
        assert_eq!((m.value(1), m.key(1)), (None, None));
    }
}

#[test]
fn bad_records_name_their_place() {
    for (kind, bytes, expected) in [
        (TypeKind::Int, &b"123"[..], "INT takes 4 bytes, and the record has 3"),
        (TypeKind::STRING, b"a\xff", "byte 2: the record is not valid UTF-8"),
    ] {
        let table = table(kind, &[]);
        let error = decode(&table, BadRecords::Fail, messages(&[Some(bytes)])).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        let decoded = decode(&table, BadRecords::Skip, messages(&[Some(bytes)])).unwrap();
        assert_eq!((decoded.records, decoded.skipped, decoded.batches.len()), (1, 1, 0));
    }
}

#[test]
fn lines_are_records() {
    let table = table(TypeKind::STRING, &[]);
    let lines = Lines {
        data: Bytes::from_static(b"a\r\n\nb"),
        path: "x".into(),
        first_line: LineNumber::Known(1),
    };
    let decoded = decode(&table, BadRecords::Fail, Payload::Lines(lines)).unwrap();
    assert_eq!(rows(&table, &decoded), ["+I[a]", "+I[]", "+I[b]"]);
}

#[test]
fn other_tables_are_refused() {
    let date = table(TypeKind::Date, &[]);
    let error = decode(&date, BadRecords::Fail, messages(&[])).unwrap_err();
    assert!(error.to_string().contains("column 'v' has the type DATE"), "{error}");
    let mut two = TableSpec::clone(&table(TypeKind::STRING, &[]));
    two.columns.push(two.columns[0].clone());
    let error = decode(&Arc::new(two), BadRecords::Fail, messages(&[])).unwrap_err();
    assert!(error.to_string().contains("exactly one column"), "{error}");
}
