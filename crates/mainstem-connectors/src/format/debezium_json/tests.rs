//! Tests of debezium-json: each kind of change both ways, metadata, and messages that lack what they promise.

use std::sync::Arc;

use bytes::Bytes;
use mainstem_core::egress::{ChangelogMode, Encoded};
use mainstem_core::ingest::{Decoded, LineNumber, Lines, Messages, Payload};
use mainstem_core::table::TableSpec;

use super::*;
use crate::format::{BadRecords, rows_text};

const INSERT: &str = r#"{"before":null,"after":{"id":1,"name":"a"},"op":"c","ts_ms":1500,"source":{"db":"shop","schema":"public","table":"t","ts_ms":1000}}"#;
const SNAPSHOT: &str = r#"{"before":null,"after":{"id":2,"name":"b"},"op":"r"}"#;
const UPDATE: &str = r#"{"op":"u","after":{"id":1,"name":"c"},"before":{"id":1,"name":"a"},"source":{"db":"shop","x":null}}"#;
const DELETE: &str = r#"{"before":{"id":1,"name":"c"},"after":null,"op":"d"}"#;

fn table(options: &[(&str, &str)], metadata: &[(&str, TypeKind)]) -> Arc<TableSpec> {
    let mut columns = vec![column("id", TypeKind::Int), column("name", TypeKind::STRING)];
    columns.extend(metadata.iter().map(|(key, kind)| Column {
        metadata_key: Some((*key).into()),
        ..column(key, kind.clone())
    }));
    Arc::new(TableSpec {
        name: "t".into(),
        columns,
        options: options.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        ..TableSpec::default()
    })
}

fn decode(table: &Arc<TableSpec>, policy: BadRecords, payload: Payload) -> Result<Decoded> {
    let request = DecodeRequest {
        table: Arc::clone(table),
        projection: (0..table.columns.len()).collect(),
        filters: vec![],
        bad_records: policy,
        time_zone: "UTC".into(),
    };
    let mut out = Decoded::default();
    decoder(&request)?.decode(payload, 0, &mut out)?;
    Ok(out)
}

fn lines(records: &[&str]) -> Payload {
    let data = Bytes::from(records.join("\n"));
    Payload::Lines(Lines { data, path: "t.json".into(), first_line: LineNumber::Known(1) })
}

fn messages(records: &[Option<&str>]) -> Payload {
    let mut m = Messages { topic: "t".into(), ..Messages::default() };
    let mut data = Vec::new();
    for (offset, record) in records.iter().enumerate() {
        m.offsets.push(offset as i64);
        m.values.push(record.map(|r| {
            let start = data.len() as u32;
            data.extend_from_slice(r.as_bytes());
            start..data.len() as u32
        }));
    }
    m.data = Bytes::from(data);
    Payload::Messages(m)
}

fn changes(table: &Arc<TableSpec>, decoded: &Decoded) -> Vec<String> {
    let types: Vec<DataType> = table.columns.iter().map(|c| c.data_type.clone()).collect();
    let mut changes = Vec::new();
    for batch in &decoded.batches {
        for (row, text) in rows_text(batch, &types).iter().enumerate() {
            changes.push(format!("{:+} {}", batch.weight(row), &text[2..]));
        }
    }
    changes
}

const EXPECTED: [&str; 5] = ["+1 [1, a]", "+1 [2, b]", "-1 [1, a]", "+1 [1, c]", "-1 [1, c]"];

#[test]
fn changes_become_weights_in_order() {
    let records = [INSERT, SNAPSHOT, UPDATE, DELETE];
    let plain = table(&[], &[]);
    let decoded = decode(&plain, BadRecords::Fail, lines(&records)).unwrap();
    assert_eq!(changes(&plain, &decoded), EXPECTED);
    let tombstone = messages(&[Some(INSERT), None, Some(SNAPSHOT), Some(UPDATE), Some(DELETE)]);
    let decoded = decode(&plain, BadRecords::Fail, tombstone).unwrap();
    assert_eq!(changes(&plain, &decoded), EXPECTED);
    let wrapped: Vec<String> = records
        .iter()
        .map(|r| format!(r#"{{"schema":{{"type":"struct"}},"payload":{r}}}"#))
        .collect();
    let wrapped: Vec<&str> = wrapped.iter().map(String::as_str).collect();
    let with_schema = table(&[("debezium-json.schema-include", "true")], &[]);
    let decoded = decode(&with_schema, BadRecords::Fail, lines(&wrapped)).unwrap();
    assert_eq!(changes(&with_schema, &decoded), EXPECTED);
    let inserts = decode(&plain, BadRecords::Fail, lines(&[INSERT, SNAPSHOT])).unwrap();
    assert!(inserts.batches[0].weights().is_none(), "inserts alone need no weights");
}

#[test]
fn metadata_comes_with_both_halves_of_an_update() {
    let table = table(
        &[],
        &[
            ("value.ingestion-timestamp", TypeKind::TimestampLtz { precision: 3 }),
            ("value.source.timestamp", TypeKind::TimestampLtz { precision: 3 }),
            ("source.database", TypeKind::STRING),
            ("value.source.properties", string_map()),
            ("offset", TypeKind::BigInt),
        ],
    );
    let payload = messages(&[Some(INSERT), Some(UPDATE)]);
    let decoded = decode(&table, BadRecords::Fail, payload).unwrap();
    assert_eq!(
        changes(&table, &decoded),
        [
            "+1 [1, a, 1970-01-01T00:00:01.500Z, 1970-01-01T00:00:01Z, shop, {db=shop, schema=public, table=t, ts_ms=1000}, 0]",
            "-1 [1, a, null, null, shop, {db=shop, x=null}, 1]",
            "+1 [1, c, null, null, shop, {db=shop, x=null}, 1]",
        ]
    );
}

#[test]
fn broken_messages_are_bad_records() {
    let plain = table(&[], &[]);
    for (record, expected) in [
        (r#"{"before":null,"after":null,"op":"c"}"#, "the row 'after' an insert is missing"),
        (r#"{"after":{"id":1,"name":"c"},"op":"u"}"#, "REPLICA IDENTITY to FULL"),
        (r#"{"before":{"id":1},"op":"u"}"#, "the row 'after' an update is missing"),
        (r#"{"after":{"id":1},"op":"d"}"#, "the row 'before' a delete is missing"),
        (r#"{"after":{"id":1},"op":"t"}"#, "the 'op' is 't'"),
        (r#"{"after":{"id":1}}"#, "the 'op' is missing"),
        (r#"{"after":{"id":"x"},"op":"c"}"#, "id"),
        (r#"{"after":"#, "bad record"),
    ] {
        let error = decode(&plain, BadRecords::Fail, lines(&[INSERT, "", record])).unwrap_err();
        assert!(error.to_string().contains("t.json, line 3"), "{error}");
        assert!(error.to_string().contains(expected), "{record}: {error}");
        let payload = messages(&[Some(INSERT), Some(record), Some(DELETE)]);
        let decoded = decode(&plain, BadRecords::DeadLetter, payload).unwrap();
        assert_eq!(changes(&plain, &decoded), ["+1 [1, a]", "-1 [1, c]"], "{record}");
        assert_eq!(decoded.dead_letters[0].record, record.as_bytes());
        assert_eq!(decoded.dead_letters[0].place, "topic t, partition 0, offset 1");
        let ignoring = table(&[("debezium-json.ignore-parse-errors", "true")], &[]);
        decode(&ignoring, BadRecords::Fail, lines(&[record])).unwrap();
    }
}

#[test]
fn changes_are_written_as_flink_writes_them() {
    let plain = table(&[], &[]);
    let decoded = decode(&plain, BadRecords::Fail, lines(&[INSERT, UPDATE])).unwrap();
    let request = EncodeRequest {
        table: Arc::clone(&plain),
        value_columns: vec![0, 1],
        key_columns: vec![],
        changelog: ChangelogMode::Retract,
        stream: true,
        time_zone: "UTC".into(),
    };
    let encoded = encoder(&request).unwrap().encode(&decoded.batches[0]).unwrap();
    let Encoded::Bytes { data, rows } = encoded else { panic!("a stream was asked for") };
    assert_eq!(rows, 3);
    assert_eq!(
        String::from_utf8(data.to_vec()).unwrap(),
        concat!(
            r#"{"before":null,"after":{"id":1,"name":"a"},"op":"c"}"#,
            "\n",
            r#"{"before":{"id":1,"name":"a"},"after":null,"op":"d"}"#,
            "\n",
            r#"{"before":null,"after":{"id":1,"name":"c"},"op":"c"}"#,
            "\n"
        )
    );
    let keyed = EncodeRequest { stream: false, key_columns: vec![0], ..request };
    let encoded = encoder(&keyed).unwrap().encode(&decoded.batches[0]).unwrap();
    let Encoded::Messages(m) = encoded else { panic!("messages were asked for") };
    assert_eq!((m.len(), m.key(1)), (3, Some(&b"{\"id\":1}"[..])));
    let reading = table(&[("debezium-json.schema-include", "true")], &[]);
    let error = encoder(&EncodeRequest { table: reading, ..keyed }).err().unwrap();
    assert!(error.to_string().contains("for reading only"), "{error}");
}
