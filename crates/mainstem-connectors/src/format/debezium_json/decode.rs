//! Debezium messages into rows with weights.
//! Invariant: rows stand in the order of their messages, the row before an update right before the row after it; a
//! message without the row that its `op` promises is a bad record. A message without a value is passed over.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, StringArray, StructArray, TimestampMillisecondArray};
use arrow_cast::cast;
use arrow_schema::DataType as ArrowType;
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use mainstem_core::ingest::{Decode, Decoded, Lines, Messages, Payload};
use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{Batch, Error, Result, TypeKind};

use super::{
    IGNORE_PARSE_ERRORS, METADATA, SCHEMA_INCLUDE, column, flag, json_options, row_of, string_map,
};
use crate::format::bad_record::{LinePlaces, RecordError, message_place, record_bytes_max, refuse};
use crate::format::json::{JsonOptions, JsonReader, Rows};
use crate::format::metadata::MetadataColumns;
use crate::format::{BadRecords, DecodeRequest};

/// Where a column of the projection comes from.
#[derive(Debug, Clone)]
enum Origin {
    /// The field of that index of the row.
    Row(usize),
    /// The message, by a key of [`METADATA`].
    Inside(&'static str, ArrowType),
    /// The next column that the connector's record supplies.
    Outside,
}

/// The parts of a message, in the order in which they are read.
const BEFORE: usize = 0;
const AFTER: usize = 1;
const OP: usize = 2;
const TS_MS: usize = 3;
const SOURCE: usize = 4;

#[derive(Debug)]
pub(super) struct DebeziumDecoder {
    reader: JsonReader,
    /// The parts stand under `payload`.
    schema_include: bool,
    policy: BadRecords,
    origins: Vec<Origin>,
    outside: MetadataColumns,
}

/// A message that was refused, by its index among the payload's records.
type Bad = (u32, Option<Range<usize>>, RecordError);

/// What one payload holds, before it is put in the projection's order.
struct Changes {
    columns: Vec<ArrayRef>,
    weights: Vec<i64>,
    /// For each row, the index of its record.
    records: Vec<u32>,
    bad: Vec<Bad>,
    read: u64,
}

impl DebeziumDecoder {
    pub(super) fn new(request: &DecodeRequest) -> Result<Self> {
        let table = &request.table;
        let schema_include = flag(&table.options, SCHEMA_INCLUDE)?;
        let mut wanted: Vec<&Column> = Vec::new();
        let mut outside = Vec::new();
        let mut origins = Vec::new();
        for index in &request.projection {
            let column = &table.columns[*index];
            origins.push(match column.metadata_key.as_deref() {
                None => {
                    wanted.push(column);
                    Origin::Row(wanted.len() - 1)
                }
                Some(key) => match inside(column, key, schema_include)? {
                    Some(name) => Origin::Inside(name, column.data_type.to_arrow()),
                    None => {
                        outside.push(*index);
                        Origin::Outside
                    }
                },
            });
        }
        if wanted.is_empty() {
            // A row without fields cannot tell whether it is there.
            wanted.extend(table.columns.iter().find(|c| c.metadata_key.is_none()));
        }
        let message = message_table(table, &wanted, schema_include);
        let columns: Vec<usize> = (0..message.columns.len()).collect();
        let options = json_options(&table.options);
        let ignore = flag(&table.options, IGNORE_PARSE_ERRORS)?;
        Ok(Self {
            reader: JsonReader::new(
                &message,
                &columns,
                &[],
                JsonOptions::new(&options)?,
                record_bytes_max(&table.options)?,
            )?,
            schema_include,
            policy: if ignore { BadRecords::Skip } else { request.bad_records },
            origins,
            outside: MetadataColumns::new(table, &outside, &request.time_zone)?,
        })
    }

    fn decode_lines(&mut self, lines: &Lines, out: &mut Decoded) -> Result<()> {
        let rows = self.reader.read_lines(&lines.data, self.policy == BadRecords::Fail)?;
        let mut changes = self.changes(rows)?;
        let mut places = LinePlaces::new(lines);
        for (record, bytes, error) in std::mem::take(&mut changes.bad) {
            let bytes = bytes.unwrap_or_else(|| line_of(&lines.data, record));
            let place = || places.place(bytes.start);
            refuse(self.policy, &lines.data[bytes.clone()], place, error, out)?;
        }
        let outside = self.outside.of_lines(lines, changes.records.len())?;
        self.push(changes, outside, out)
    }

    fn decode_messages(&mut self, messages: &Messages, out: &mut Decoded) -> Result<()> {
        let rows = self.reader.read_messages(messages, self.policy == BadRecords::Fail)?;
        let mut changes = self.changes(rows)?;
        for (record, _, error) in std::mem::take(&mut changes.bad) {
            let index = record as usize;
            let bytes = messages.value(index).unwrap_or_default();
            refuse(self.policy, bytes, || message_place(messages, index), error, out)?;
        }
        let outside = self.outside.of_messages(messages, &changes.records)?;
        self.push(changes, outside, out)
    }

    fn push(&self, changes: Changes, outside: Vec<ArrayRef>, out: &mut Decoded) -> Result<()> {
        out.records += changes.read;
        let rows = changes.weights.len();
        if rows == 0 {
            return Ok(());
        }
        let (mut own, mut outside) = (changes.columns.into_iter(), outside.into_iter());
        let columns: Vec<ArrayRef> = self
            .origins
            .iter()
            .filter_map(|o| if matches!(o, Origin::Outside) { outside.next() } else { own.next() })
            .collect();
        let inserts_only = changes.weights.iter().all(|w| *w == 1);
        let weights = (!inserts_only).then(|| changes.weights.into());
        out.batches.push(Batch::with_weights(columns, rows, weights));
        Ok(())
    }

    /// Messages into changes.
    fn changes(&self, rows: Rows) -> Result<Changes> {
        let mut bad: Vec<Bad> =
            rows.bad.into_iter().map(|b| (b.record, Some(b.bytes), b.error)).collect();
        let payload;
        let (parts, present) = if self.schema_include {
            payload = struct_of(&rows.columns[0])?;
            (payload.columns(), payload.nulls())
        } else {
            (rows.columns.as_slice(), None)
        };
        let (before, after) = (struct_of(&parts[BEFORE])?, struct_of(&parts[AFTER])?);
        let op = text_of(&parts[OP])?;
        // Each row as (0 for before, 1 for after; index of its message).
        let mut picks: Vec<(usize, usize)> = Vec::with_capacity(rows.records.len());
        let mut weights = Vec::with_capacity(rows.records.len());
        for (index, record) in rows.records.iter().enumerate() {
            let there = present.is_none_or(|p| p.is_valid(index));
            let op = (there && op.is_valid(index)).then(|| op.value(index));
            match sides(op, before.is_valid(index), after.is_valid(index)) {
                Ok((minus, plus)) => {
                    picks.extend(minus.then_some((0, index)));
                    weights.extend(minus.then_some(-1));
                    picks.extend(plus.then_some((1, index)));
                    weights.extend(plus.then_some(1));
                }
                Err(reason) => bad.push((*record, None, RecordError::new(0, reason))),
            }
        }
        bad.sort_by_key(|(record, _, _)| *record);
        let messages = picks.iter().map(|(_, index)| *index as u32).collect();
        let columns = self
            .origins
            .iter()
            .filter_map(|origin| match origin {
                Origin::Row(field) => {
                    let sides: [&dyn Array; 2] = [before.column(*field), after.column(*field)];
                    Some(interleave(&sides, &picks).map_err(Error::from))
                }
                Origin::Inside(key, target) => Some(inside_value(key, parts, &messages, target)),
                Origin::Outside => None,
            })
            .collect::<Result<_>>()?;
        let records = picks.iter().map(|(_, index)| rows.records[*index]).collect();
        Ok(Changes { columns, weights, records, bad, read: rows.read })
    }
}

/// Which of the two rows a message stands for.
fn sides(op: Option<&str>, before: bool, after: bool) -> Result<(bool, bool), String> {
    match op {
        Some("c" | "r") if after => Ok((false, true)),
        Some("c" | "r") => Err("the row 'after' an insert is missing".to_owned()),
        Some("u") if before && after => Ok((true, true)),
        Some("u") if before => Err("the row 'after' an update is missing".to_owned()),
        Some("d") if before => Ok((true, false)),
        Some(op @ ("u" | "d")) => {
            let what = if op == "u" { "an update" } else { "a delete" };
            Err(format!(
                "the row 'before' {what} is missing; in PostgreSQL, set the table's REPLICA IDENTITY to FULL"
            ))
        }
        Some(other) => Err(format!("the 'op' is '{other}', and not one of c, r, u, d")),
        None => Err("the 'op' is missing".to_owned()),
    }
}

/// The table whose only record is a message.
fn message_table(table: &TableSpec, wanted: &[&Column], schema_include: bool) -> TableSpec {
    let row = || row_of(wanted.iter().copied());
    let parts = vec![
        column("before", row()),
        column("after", row()),
        column("op", TypeKind::STRING),
        column("ts_ms", TypeKind::BigInt),
        column("source", string_map()),
    ];
    let columns =
        if schema_include { vec![column("payload", row_of(parts.iter()))] } else { parts };
    TableSpec { name: table.name.clone(), columns, ..TableSpec::default() }
}

/// The key of [`METADATA`] that a column names, if it is one of these.
fn inside(column: &Column, key: &str, schema_include: bool) -> Result<Option<&'static str>> {
    let plain = key.strip_prefix("value.").unwrap_or(key);
    let Some((name, wants)) = METADATA.iter().find(|(name, _)| *name == plain) else {
        return Ok(None);
    };
    if *name == "schema" {
        return Err(Error::user(format!(
            "column '{}': the schema of a message is not kept{}",
            column.name,
            if schema_include { "" } else { ", and messages have none here" }
        )));
    }
    let kind = &column.data_type.kind;
    let fits = match *name {
        "ingestion-timestamp" | "source.timestamp" => {
            matches!(kind, TypeKind::TimestampLtz { .. })
        }
        "source.properties" => {
            matches!(kind, TypeKind::Map(k, v) if k.kind.is_string() && v.kind.is_string())
        }
        _ => kind.is_string(),
    };
    if fits {
        return Ok(Some(name));
    }
    Err(Error::user(format!(
        "column '{}' is declared {}, and this metadata is {wants}",
        column.name, column.data_type
    ))
    .with_hint(format!("declare it {wants}")))
}

/// Metadata out of the messages at `messages`.
fn inside_value(
    key: &str,
    parts: &[ArrayRef],
    messages: &arrow_array::UInt32Array,
    target: &ArrowType,
) -> Result<ArrayRef> {
    let source = |name: &str| property(&parts[SOURCE], name);
    let millis = |values: &dyn Array| -> Result<ArrayRef> {
        let values = cast(values, &ArrowType::Int64)?;
        let values = values.as_primitive::<Int64Type>();
        let times =
            TimestampMillisecondArray::new(values.values().clone(), values.nulls().cloned());
        Ok(Arc::new(times.with_timezone("UTC")))
    };
    let value: ArrayRef = match key {
        "ingestion-timestamp" => millis(&parts[TS_MS])?,
        "source.timestamp" => millis(&source("ts_ms")?)?,
        "source.database" => Arc::new(source("db")?),
        "source.schema" => Arc::new(source("schema")?),
        "source.table" => Arc::new(source("table")?),
        _ => ArrayRef::clone(&parts[SOURCE]),
    };
    let value = take(&value, messages, None)?;
    Ok(if value.data_type() == target { value } else { cast(&value, target)? })
}

/// The values of one key of each message's `source`.
fn property(source: &ArrayRef, name: &str) -> Result<StringArray> {
    let map = source.as_map_opt().ok_or_else(|| Error::internal("'source' was read as no map"))?;
    let (keys, values) = (text_of(map.keys())?, text_of(map.values())?);
    let value = |row: usize| {
        let range = map.value_offsets()[row] as usize..map.value_offsets()[row + 1] as usize;
        let entry = range.rev().find(|e| keys.is_valid(*e) && keys.value(*e) == name)?;
        (map.is_valid(row) && values.is_valid(entry)).then(|| values.value(entry))
    };
    Ok((0..map.len()).map(value).collect())
}

fn struct_of(array: &ArrayRef) -> Result<&StructArray> {
    array.as_struct_opt().ok_or_else(|| Error::internal("a part of a message was read as no row"))
}

fn text_of(array: &ArrayRef) -> Result<&StringArray> {
    array.as_string_opt().ok_or_else(|| Error::internal("a part of a message was read as no text"))
}

/// Where the line of record `record` is; lines of white space are no records.
fn line_of(data: &[u8], record: u32) -> Range<usize> {
    let mut start = 0;
    let mut left = record;
    for end in memchr::memchr_iter(b'\n', data).chain([data.len()]) {
        if !data[start..end].trim_ascii().is_empty() {
            if left == 0 {
                return start..end;
            }
            left -= 1;
        }
        start = end + 1;
    }
    data.len()..data.len()
}

impl Decode for DebeziumDecoder {
    fn decode(&mut self, payload: Payload, _now_ms: i64, out: &mut Decoded) -> Result<()> {
        match &payload {
            Payload::Lines(lines) => self.decode_lines(lines, out),
            Payload::Messages(messages) => self.decode_messages(messages, out),
            _ => Err(Error::internal("format 'debezium-json' was given a payload without text")),
        }
    }
}
