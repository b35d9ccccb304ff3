//! Rows to JSON as Flink's json format writes it: lines of a stream, or messages with key and value.
//! Invariant: every record is one line of valid JSON without white space, fields in the order of the columns; nothing
//! is allocated per value. What a changelog cannot say in this format is refused when the encoder is made.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::Array;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use mainstem_core::egress::{ChangelogMode, Encode, Encoded};
use mainstem_core::ingest::Messages;
use mainstem_core::java_format::{
    TimeStyle, push_date, push_decimal_stripped, push_double, push_float, push_time, push_timestamp,
};
use mainstem_core::table::TableSpec;
use mainstem_core::{Batch, DataType, Error, Result, TypeKind};

use super::JsonOptions;
use super::text::quote;
use crate::format::EncodeRequest;
use crate::format::cells::Cells;

/// The format's encoder for `request`.
pub fn encoder(request: &EncodeRequest) -> Result<Box<dyn Encode>> {
    if request.changelog == ChangelogMode::Retract {
        return Err(Error::user(
            "format 'json' has no place for what kind of change a row is, and this query changes rows",
        )
        .with_hint("use format 'debezium-json', or a sink that takes upserts by primary key"));
    }
    if request.stream && request.changelog != ChangelogMode::AppendOnly {
        return Err(Error::user("a stream of json records cannot carry updates or deletes"));
    }
    let table = &request.table;
    Ok(Box::new(JsonEncoder {
        options: JsonOptions::new(&table.options)?,
        value: ObjectLayout::new(table, &request.value_columns)?,
        key: match request.key_columns.as_slice() {
            [] => None,
            columns => Some(ObjectLayout::new(table, columns)?),
        },
        tombstones: request.changelog != ChangelogMode::AppendOnly,
        stream: request.stream,
        size_guess: 0,
    }))
}

/// Writes batches of one table.
#[derive(Debug)]
struct JsonEncoder {
    options: JsonOptions,
    value: ObjectLayout,
    key: Option<ObjectLayout>,
    tombstones: bool,
    stream: bool,
    /// Bytes a row took in the last batch.
    size_guess: usize,
}

/// Which columns go into an object, and their names as they are written.
#[derive(Debug)]
struct ObjectLayout {
    columns: Vec<(usize, DataType)>,
    /// Ready to be copied: `,"name":`.
    names: Vec<Vec<u8>>,
}

impl ObjectLayout {
    fn new(table: &TableSpec, columns: &[usize]) -> Result<Self> {
        let chosen = || columns.iter().map(|i| &table.columns[*i]);
        for column in chosen() {
            check_keys(&column.name, &column.data_type)?;
        }
        Ok(Self {
            columns: columns.iter().map(|&i| (i, table.columns[i].data_type.clone())).collect(),
            names: chosen().map(|c| ready_name(&c.name)).collect(),
        })
    }

    fn cells<'a>(&self, batch: &'a Batch) -> Result<Vec<Cells<'a>>> {
        self.columns
            .iter()
            .map(|(index, data_type)| Cells::new(batch.column(*index).as_ref(), data_type))
            .collect()
    }
}

fn ready_name(name: &str) -> Vec<u8> {
    let mut text = vec![b','];
    quote(name, &mut text);
    text.push(b':');
    text
}

/// Flink's format has none either.
pub(super) fn no_json_form(name: &str, data_type: &DataType) -> Error {
    let function = match data_type.kind {
        TypeKind::Bitmap => "BITMAP_TO_BYTES and BITMAP_FROM_BYTES",
        _ => "JSON_STRING and PARSE_JSON",
    };
    Error::user(format!("column '{name}': format 'json' has no form for {}", data_type.kind))
        .with_hint(format!("use {function} in the query"))
}

/// JSON's names are strings, so a map's keys must be.
fn check_keys(name: &str, data_type: &DataType) -> Result<()> {
    match &data_type.kind {
        TypeKind::Map(key, _) | TypeKind::Multiset(key) if !key.kind.is_string() => {
            Err(Error::user(format!(
                "column '{name}': format 'json' needs string keys, and {data_type} has others"
            ))
            .with_hint("cast the keys to STRING"))
        }
        TypeKind::Bitmap | TypeKind::Variant => Err(no_json_form(name, data_type)),
        TypeKind::Map(_, item) | TypeKind::Array(item) => check_keys(name, item),
        TypeKind::Row(fields) => fields.iter().try_for_each(|f| check_keys(name, &f.data_type)),
        _ => Ok(()),
    }
}

impl Encode for JsonEncoder {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        let rows = batch.rows();
        let mut out = Vec::with_capacity(rows * self.size_guess + 64);
        let encoded = if self.stream {
            self.encode_stream(batch, &mut out)?;
            Encoded::Bytes { data: Bytes::from(out), rows }
        } else {
            self.encode_messages(batch, out)?
        };
        let bytes = match &encoded {
            Encoded::Bytes { data, .. } => data.len(),
            Encoded::Messages(messages) => messages.data.len(),
            Encoded::Batch(_) => 0,
        };
        if let Some(mean) = bytes.checked_div(rows) {
            // A little more than last time, so that a buffer seldom has to grow.
            self.size_guess = mean + mean / 8 + 1;
        }
        Ok(encoded)
    }
}

impl JsonEncoder {
    fn encode_stream(&self, batch: &Batch, out: &mut Vec<u8>) -> Result<()> {
        let value = self.value.cells(batch)?;
        for row in 0..batch.rows() {
            self.check_weight(batch.weight(row))?;
            self.object(&self.value, &value, row, out)?;
            out.push(b'\n');
        }
        Ok(())
    }

    fn encode_messages(&self, batch: &Batch, mut out: Vec<u8>) -> Result<Encoded> {
        let rows = batch.rows();
        let value = self.value.cells(batch)?;
        let key = self.key.as_ref().map(|layout| Ok::<_, Error>((layout, layout.cells(batch)?)));
        let key = key.transpose()?;
        let mut messages = Messages {
            keys: Vec::with_capacity(rows),
            values: Vec::with_capacity(rows),
            topic: Arc::from(""),
            partition: -1,
            ..Messages::default()
        };
        for row in 0..rows {
            let weight = batch.weight(row);
            self.check_weight(weight)?;
            let written = match &key {
                None => None,
                Some((layout, cells)) => {
                    let start = out.len();
                    self.object(layout, cells, row, &mut out)?;
                    Some(range(start, out.len())?)
                }
            };
            messages.keys.push(written);
            let written = if weight < 0 {
                None
            } else {
                let start = out.len();
                self.object(&self.value, &value, row, &mut out)?;
                Some(range(start, out.len())?)
            };
            messages.values.push(written);
        }
        messages.data = Bytes::from(out);
        Ok(Encoded::Messages(messages))
    }

    #[inline(always)]
    fn check_weight(&self, weight: i64) -> Result<()> {
        if weight == 1 || (weight == -1 && self.tombstones) {
            Ok(())
        } else {
            Err(odd_weight(weight))
        }
    }

    #[inline]
    fn object(
        &self,
        layout: &ObjectLayout,
        cells: &[Cells<'_>],
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        for (cell, name) in cells.iter().zip(&layout.names) {
            let null = cell.is_null(row);
            if null && self.options.ignore_null_fields {
                continue;
            }
            out.extend_from_slice(name);
            if null {
                out.extend_from_slice(b"null");
            } else {
                value(&self.options, cell, row, out)?;
            }
        }
        close_object(start, out);
        Ok(())
    }
}

/// Makes `,"a":1,"b":2`, which starts at `start`, an object.
#[inline]
fn close_object(start: usize, out: &mut Vec<u8>) {
    match out.get_mut(start) {
        Some(comma) => *comma = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
}

#[cold]
fn odd_weight(weight: i64) -> Error {
    Error::internal(format!("a row of weight {weight} reached a json encoder that cannot write it"))
}

fn range(start: usize, end: usize) -> Result<Range<u32>> {
    match (u32::try_from(start), u32::try_from(end)) {
        (Ok(start), Ok(end)) => Ok(start..end),
        _ => Err(Error::internal("one step's messages are longer than 4 GiB")),
    }
}

fn in_quotes(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

/// Appends the value at `row`, which is not NULL.
#[inline]
fn value(options: &JsonOptions, cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) -> Result<()> {
    match cells {
        Cells::Null => out.extend_from_slice(b"null"),
        Cells::Boolean(a) => {
            out.extend_from_slice(if a.value(row) { b"true" } else { b"false" });
        }
        Cells::TinyInt(a) => integer(a.value(row), out),
        Cells::SmallInt(a) => integer(a.value(row), out),
        Cells::Int(a) => integer(a.value(row), out),
        Cells::BigInt(a) => integer(a.value(row), out),
        Cells::Months(a) => integer(a.value(row), out),
        Cells::Duration(a) => integer(a.value(row), out),
        Cells::Float(a) if a.value(row).is_finite() => push_float(out, a.value(row)),
        Cells::Float(a) => in_quotes(out, |out| push_float(out, a.value(row))),
        Cells::Double(a) if a.value(row).is_finite() => push_double(out, a.value(row)),
        Cells::Double(a) => in_quotes(out, |out| push_double(out, a.value(row))),
        // Jackson keeps decimals without trailing zeros: 1.50 is 1.5, 1000 is 1E+3.
        Cells::Decimal(a, scale) => {
            let scientific = !options.plain_decimals;
            push_decimal_stripped(out, a.value(row), *scale, scientific);
        }
        Cells::Text(a) => quote(a.value(row), out),
        Cells::Bytes(a) | Cells::Bitmap(a) => in_quotes(out, |out| base64(a.value(row), out)),
        Cells::Date(a) => in_quotes(out, |out| push_date(out, i64::from(a.value(row)))),
        Cells::Time(a) => in_quotes(out, |out| {
            push_time(out, i64::from(a.value(row)) * 1_000_000, TimeStyle::Sql);
        }),
        Cells::Timestamp { values, unit, utc, .. } => {
            out.push(b'"');
            let separator = options.standard.separator();
            push_timestamp(out, values[row], *unit, separator, TimeStyle::Sql);
            out.extend_from_slice(if *utc { b"Z\"" } else { b"\"" });
        }
        Cells::Array(_, items) => array(options, cells, items, row, out)?,
        Cells::Map(_, keys, values) => map(options, cells, keys, values, row, out)?,
        Cells::Row(rows, fields) => {
            let start = out.len();
            for (cell, field) in fields.iter().zip(rows.fields()) {
                if options.ignore_null_fields && cell.is_null(row) {
                    continue;
                }
                out.push(b',');
                quote(field.name(), out);
                out.push(b':');
                value_or_null(options, cell, row, out)?;
            }
            close_object(start, out);
        }
    }
    Ok(())
}

#[inline(always)]
fn integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn value_or_null(
    options: &JsonOptions,
    cells: &Cells<'_>,
    row: usize,
    out: &mut Vec<u8>,
) -> Result<()> {
    if cells.is_null(row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    value(options, cells, row, out)
}

fn array(
    options: &JsonOptions,
    cells: &Cells<'_>,
    items: &Cells<'_>,
    row: usize,
    out: &mut Vec<u8>,
) -> Result<()> {
    out.push(b'[');
    for (nth, item) in cells.elements(row).enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        value_or_null(options, items, item, out)?;
    }
    out.push(b']');
    Ok(())
}

fn map(
    options: &JsonOptions,
    cells: &Cells<'_>,
    keys: &Cells<'_>,
    values: &Cells<'_>,
    row: usize,
    out: &mut Vec<u8>,
) -> Result<()> {
    let start = out.len();
    for entry in cells.elements(row) {
        let name = match keys {
            Cells::Text(a) if a.is_valid(entry) => a.value(entry),
            _ => return Err(Error::internal("a json map with a key that is no string")),
        };
        out.push(b',');
        quote(name, out);
        out.push(b':');
        value_or_null(options, values, entry, out)?;
    }
    close_object(start, out);
    Ok(())
}

/// Base64 in one go, into the buffer itself.
fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]);
    out.truncate(start + written.unwrap_or(0));
}
