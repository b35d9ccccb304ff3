//! What the terminal shows: tables, kinds of changes, text forms of values.

use arrow_array::{ArrayRef, Int64Array, StringArray, TimestampMillisecondArray};
use arrow_buffer::ScalarBuffer;
use mainstem_core::{Batch, TypeKind};

use super::*;

fn columns() -> Vec<Field> {
    let field =
        |name: &str, kind: TypeKind| Field { name: name.into(), data_type: kind.nullable() };
    vec![
        field("n", TypeKind::BigInt),
        field("a,b", TypeKind::STRING),
        field("at", TypeKind::Timestamp { precision: 3 }),
    ]
}

fn batch(weights: Option<Vec<i64>>) -> Batch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![Some(1), None])),
        Arc::new(StringArray::from(vec![Some("x\ty"), Some("\\")])),
        Arc::new(TimestampMillisecondArray::from(vec![Some(0), None])),
    ];
    Batch::with_weights(columns, 2, weights.map(ScalarBuffer::from))
}

fn rows(kind: OutputKind, changes: bool) -> Rows {
    let mut columns = columns();
    if changes {
        let data_type = DataType::string().with_nullable(false);
        columns.insert(0, Field { name: OPERATION.into(), data_type });
    }
    Rows { columns, kind, changes, key: None, time_zone: "UTC".into() }
}

fn shown(kind: OutputKind, weights: Option<Vec<i64>>) -> String {
    let rows = rows(kind, weights.is_some());
    let mut layout = TableLayout::new(&rows.columns);
    let mut out = rows.header();
    match rows.encoder().unwrap().encode(&batch(weights)).unwrap() {
        Encoded::Bytes { data, .. } => out.extend_from_slice(&data),
        Encoded::Batch(batch) => {
            out.extend_from_slice(layout.rows(&batch).unwrap().as_bytes());
            out.extend_from_slice(layout.end().as_bytes());
        }
        Encoded::Messages(_) => panic!("the terminal takes no messages"),
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn tsv_is_one_line_a_row() {
    assert_eq!(
        shown(OutputKind::Tsv, None),
        "n\ta,b\tat\n1\tx\\ty\t1970-01-01 00:00:00.000\n\\N\t\\\\\t\\N\n"
    );
}

#[test]
fn changes_have_their_kind_in_front() {
    assert_eq!(
        shown(OutputKind::Tsv, Some(vec![-1, 1])),
        "op\tn\ta,b\tat\n-D\t1\tx\\ty\t1970-01-01 00:00:00.000\n+I\t\\N\t\\\\\t\\N\n"
    );
    assert_eq!(
        shown(OutputKind::Json, Some(vec![-1, 1])).lines().next(),
        Some(r#"{"op":"-D","n":1,"a,b":"x\ty","at":"1970-01-01 00:00:00"}"#)
    );
}

#[test]
fn csv_has_a_header() {
    let text = shown(OutputKind::Csv, None);
    assert_eq!(text.lines().next(), Some("n,\"a,b\",at"));
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn tables_are_aligned() {
    let expected = "\
+----------+----------+-------------------------+
|        n | a,b      | at                      |
+----------+----------+-------------------------+
|        1 | x\\ty     | 1970-01-01 00:00:00.000 |
|   <NULL> | \\        | <NULL>                  |
+----------+----------+-------------------------+
";
    assert_eq!(shown(OutputKind::Table, None), expected);
}

#[test]
fn an_empty_table_has_a_head_only() {
    let mut layout = TableLayout::new(&columns()[..1]);
    assert_eq!(layout.end(), "+----------+\n|        n |\n+----------+\n");
}
