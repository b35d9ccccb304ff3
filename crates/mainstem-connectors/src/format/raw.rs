//! Format `raw`: a record is the value of the table's one column, as in Flink.
//! Invariant: reading what was written gives the same value; bytes of the wrong length or charset are bad records,
//! never cut or replaced. A message without a value is NULL, as in Flink; in files a record is a line.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array,
    Int64Array,
};
use bytes::Bytes;
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::ingest::{Decode, Decoded, Lines, Messages, Payload};
use mainstem_core::options::{FormatSpec, OptionReader, OptionSpec, OptionType, optional};
use mainstem_core::table::{Column, Options};
use mainstem_core::{Batch, DataType, Error, Result, TypeKind};

use super::bad_record::{LinePlaces, RecordError, message_place, record_bytes_max, refuse};
use super::cells::Cells;
use super::metadata::MetadataColumns;
use super::{BadRecords, DecodeRequest, EncodeRequest};

const OPTIONS: &[OptionSpec] = &[
    optional(
        "raw.charset",
        OptionType::Enum(&["UTF-8", "US-ASCII", "ISO-8859-1", "UTF-16BE", "UTF-16LE"]),
        Some("UTF-8"),
        "How text is written as bytes.",
        "ISO-8859-1",
    ),
    optional(
        "raw.endianness",
        OptionType::Enum(&["big-endian", "little-endian"]),
        Some("big-endian"),
        "The order of the bytes of a number.",
        "little-endian",
    ),
];

/// What is known of the format.
pub const SPEC: FormatSpec = FormatSpec {
    name: "raw",
    doc: "The bytes of a record as one column.",
    options: OPTIONS,
    changelog: false,
    filters: false,
    fields: false,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    Utf8,
    Ascii,
    Latin1,
    Utf16 { big: bool },
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    charset: Charset,
    big: bool,
}

impl Settings {
    fn read(options: &Options) -> Result<Self> {
        let reader = OptionReader::new(options, OPTIONS);
        let word = |name: &str| reader.required(name).map(|v| v.trim().to_ascii_uppercase());
        let charset = match word("raw.charset")?.as_str() {
            "UTF-8" => Charset::Utf8,
            "US-ASCII" => Charset::Ascii,
            "ISO-8859-1" => Charset::Latin1,
            "UTF-16BE" => Charset::Utf16 { big: true },
            "UTF-16LE" => Charset::Utf16 { big: false },
            other => {
                return Err(Error::user(format!(
                    "option 'raw.charset' has the value '{other}', which is not known"
                )));
            }
        };
        Ok(Self { charset, big: word("raw.endianness")? != "LITTLE-ENDIAN" })
    }
}

/// The values of one batch.
#[derive(Debug)]
enum Values {
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Boolean(Vec<Option<bool>>),
    TinyInt(Vec<Option<i8>>),
    SmallInt(Vec<Option<i16>>),
    Int(Vec<Option<i32>>),
    BigInt(Vec<Option<i64>>),
    Float(Vec<Option<f32>>),
    Double(Vec<Option<f64>>),
}

impl Values {
    fn new(column: &Column) -> Result<Self> {
        Ok(match &column.data_type.kind {
            kind if kind.is_string() => Self::Text(StringBuilder::new()),
            kind if kind.is_binary() => Self::Bytes(BinaryBuilder::new()),
            TypeKind::Boolean => Self::Boolean(vec![]),
            TypeKind::TinyInt => Self::TinyInt(vec![]),
            TypeKind::SmallInt => Self::SmallInt(vec![]),
            TypeKind::Int => Self::Int(vec![]),
            TypeKind::BigInt => Self::BigInt(vec![]),
            TypeKind::Float => Self::Float(vec![]),
            TypeKind::Double => Self::Double(vec![]),
            _ => {
                return Err(Error::user(format!(
                    "column '{}' has the type {}, which format 'raw' cannot carry",
                    column.name, column.data_type
                ))
                .with_hint("raw takes STRING, BYTES, BOOLEAN, integers, FLOAT and DOUBLE"));
            }
        })
    }

    fn push_null(&mut self) {
        match self {
            Self::Text(b) => b.append_null(),
            Self::Bytes(b) => b.append_null(),
            Self::Boolean(v) => v.push(None),
            Self::TinyInt(v) => v.push(None),
            Self::SmallInt(v) => v.push(None),
            Self::Int(v) => v.push(None),
            Self::BigInt(v) => v.push(None),
            Self::Float(v) => v.push(None),
            Self::Double(v) => v.push(None),
        }
    }

    /// Appends the value of `record`; on an error nothing is appended.
    fn push(&mut self, record: &[u8], settings: Settings) -> Result<(), RecordError> {
        let big = settings.big;
        match self {
            Self::Text(b) => push_text(b, record, settings.charset)?,
            Self::Bytes(b) => b.append_value(record),
            Self::Boolean(v) => v.push(Some(fixed::<1>(record, true, "BOOLEAN")? != [0])),
            Self::TinyInt(v) => {
                v.push(Some(i8::from_be_bytes(fixed(record, true, "TINYINT")?)));
            }
            Self::SmallInt(v) => {
                v.push(Some(i16::from_be_bytes(fixed(record, big, "SMALLINT")?)));
            }
            Self::Int(v) => v.push(Some(i32::from_be_bytes(fixed(record, big, "INT")?))),
            Self::BigInt(v) => v.push(Some(i64::from_be_bytes(fixed(record, big, "BIGINT")?))),
            Self::Float(v) => v.push(Some(f32::from_be_bytes(fixed(record, big, "FLOAT")?))),
            Self::Double(v) => v.push(Some(f64::from_be_bytes(fixed(record, big, "DOUBLE")?))),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(b) => Arc::new(b.finish()),
            Self::Bytes(b) => Arc::new(b.finish()),
            Self::Boolean(v) => Arc::new(BooleanArray::from(std::mem::take(v))),
            Self::TinyInt(v) => Arc::new(Int8Array::from(std::mem::take(v))),
            Self::SmallInt(v) => Arc::new(Int16Array::from(std::mem::take(v))),
            Self::Int(v) => Arc::new(Int32Array::from(std::mem::take(v))),
            Self::BigInt(v) => Arc::new(Int64Array::from(std::mem::take(v))),
            Self::Float(v) => Arc::new(Float32Array::from(std::mem::take(v))),
            Self::Double(v) => Arc::new(Float64Array::from(std::mem::take(v))),
        }
    }
}

/// Exactly `N` bytes, most significant first.
fn fixed<const N: usize>(record: &[u8], big: bool, what: &str) -> Result<[u8; N], RecordError> {
    let mut bytes: [u8; N] = record.try_into().map_err(|_| {
        RecordError::new(0, format!("{what} takes {N} bytes, and the record has {}", record.len()))
    })?;
    if !big {
        bytes.reverse();
    }
    Ok(bytes)
}

fn push_text(
    builder: &mut StringBuilder,
    record: &[u8],
    charset: Charset,
) -> Result<(), RecordError> {
    match charset {
        Charset::Utf8 => {
            let text = std::str::from_utf8(record)
                .map_err(|e| RecordError::new(e.valid_up_to(), "the record is not valid UTF-8"))?;
            builder.append_value(text);
        }
        Charset::Ascii => match record.iter().position(|b| !b.is_ascii()) {
            Some(at) => return Err(RecordError::new(at, "the record is not valid US-ASCII")),
            None => builder.append_value(String::from_utf8_lossy(record)),
        },
        Charset::Latin1 => {
            builder.append_value(record.iter().map(|b| char::from(*b)).collect::<String>());
        }
        Charset::Utf16 { big } => {
            let (pairs, rest) = record.as_chunks::<2>();
            let unit = if big { u16::from_be_bytes } else { u16::from_le_bytes };
            let text = char::decode_utf16(pairs.iter().map(|p| unit(*p))).collect();
            match text {
                Ok::<String, _>(text) if rest.is_empty() => builder.append_value(text),
                _ => return Err(RecordError::new(0, "the record is not valid UTF-16")),
            }
        }
    }
    Ok(())
}

/// The one column that is no metadata.
fn value_column(columns: &[Column]) -> Result<usize> {
    let mut values = (0..columns.len()).filter(|i| columns[*i].metadata_key.is_none());
    match (values.next(), values.next()) {
        (Some(index), None) => Ok(index),
        _ => Err(Error::user("format 'raw' needs a table with exactly one column")
            .with_hint("beside it, only METADATA and computed columns may be declared")),
    }
}

#[derive(Debug)]
struct RawDecoder {
    settings: Settings,
    metadata: MetadataColumns,
    policy: BadRecords,
    wanted: bool,
    record_bytes_max: usize,
    values: Values,
}

impl RawDecoder {
    fn decode_lines(&mut self, lines: &Lines, out: &mut Decoded) -> Result<()> {
        let data: &[u8] = &lines.data;
        let mut places = LinePlaces::new(lines);
        let (mut start, mut rows) = (0, 0);
        while start < data.len() {
            let end = memchr::memchr(b'\n', &data[start..]).map_or(data.len(), |n| start + n);
            let record = &data[start..end];
            let record = record.strip_suffix(b"\r").unwrap_or(record);
            out.records += 1;
            match self.line(record) {
                Ok(()) => rows += 1,
                Err(e) => refuse(self.policy, record, || places.place(start), e, out)?,
            }
            start = end + 1;
        }
        let metadata = self.metadata.of_lines(lines, rows)?;
        self.push(rows, metadata, out);
        Ok(())
    }

    fn line(&mut self, record: &[u8]) -> Result<(), RecordError> {
        if record.len() > self.record_bytes_max {
            let reason = "the record is longer than 'mainstem.record-bytes-max' allows";
            return Err(RecordError::new(0, reason));
        }
        self.values.push(record, self.settings)
    }

    fn decode_messages(&mut self, messages: &Messages, out: &mut Decoded) -> Result<()> {
        let mut kept = Vec::with_capacity(messages.len());
        for index in 0..messages.len() {
            out.records += 1;
            match messages.value(index) {
                None => self.values.push_null(),
                Some(record) => {
                    if let Err(e) = self.values.push(record, self.settings) {
                        refuse(self.policy, record, || message_place(messages, index), e, out)?;
                        continue;
                    }
                }
            }
            kept.push(index as u32);
        }
        let metadata = self.metadata.of_messages(messages, &kept)?;
        self.push(kept.len(), metadata, out);
        Ok(())
    }

    fn push(&mut self, rows: usize, metadata: Vec<ArrayRef>, out: &mut Decoded) {
        let values = self.values.finish();
        if rows > 0 {
            let values = if self.wanted { vec![values] } else { vec![] };
            out.batches.push(Batch::new(self.metadata.assemble(values, metadata), rows));
        }
    }
}

impl Decode for RawDecoder {
    fn decode(&mut self, payload: Payload, _now_ms: i64, out: &mut Decoded) -> Result<()> {
        let decoded = match &payload {
            Payload::Lines(lines) => self.decode_lines(lines, out),
            Payload::Messages(messages) => self.decode_messages(messages, out),
            _ => Err(Error::internal("format 'raw' was given a payload without bytes")),
        };
        if decoded.is_err() {
            self.values.finish();
        }
        decoded
    }
}

/// A decoder for one worker.
pub fn decoder(request: &DecodeRequest) -> Result<Box<dyn Decode>> {
    let column = value_column(&request.table.columns)?;
    Ok(Box::new(RawDecoder {
        settings: Settings::read(&request.table.options)?,
        metadata: MetadataColumns::new(&request.table, &request.projection, &request.time_zone)?,
        policy: request.bad_records,
        wanted: request.projection.contains(&column),
        record_bytes_max: record_bytes_max(&request.table.options)?,
        values: Values::new(&request.table.columns[column])?,
    }))
}

#[derive(Debug)]
struct RawEncoder {
    settings: Settings,
    value: Option<(usize, DataType)>,
    key: Option<(usize, DataType)>,
    stream: bool,
}

/// An encoder for one worker.
pub fn encoder(request: &EncodeRequest) -> Result<Box<dyn Encode>> {
    let one = |indices: &[usize], what: &str| match indices {
        [] => Ok(None),
        [index] => {
            let column = &request.table.columns[*index];
            Values::new(column)?;
            Ok(Some((*index, column.data_type.clone())))
        }
        _ => Err(Error::user(format!(
            "format 'raw' writes one column, and the {what} has {}",
            indices.len()
        ))),
    };
    Ok(Box::new(RawEncoder {
        settings: Settings::read(&request.table.options)?,
        value: one(&request.value_columns, "value")?,
        key: one(&request.key_columns, "key")?,
        stream: request.stream,
    }))
}

impl RawEncoder {
    /// Appends the bytes of one value; gives false for NULL.
    fn write(&self, cell: &Cells<'_>, row: usize, out: &mut Vec<u8>) -> Result<bool> {
        if cell.is_null(row) {
            return Ok(false);
        }
        match cell {
            Cells::Text(a) => push_encoded(out, a.value(row), self.settings.charset)?,
            Cells::Bytes(a) => out.extend_from_slice(a.value(row)),
            Cells::Boolean(a) => out.push(u8::from(a.value(row))),
            Cells::TinyInt(a) => self.number(out, a.value(row).to_be_bytes()),
            Cells::SmallInt(a) => self.number(out, a.value(row).to_be_bytes()),
            Cells::Int(a) => self.number(out, a.value(row).to_be_bytes()),
            Cells::BigInt(a) => self.number(out, a.value(row).to_be_bytes()),
            Cells::Float(a) => self.number(out, a.value(row).to_be_bytes()),
            Cells::Double(a) => self.number(out, a.value(row).to_be_bytes()),
            _ => return Err(Error::internal("format 'raw' was given a type it refused before")),
        }
        Ok(true)
    }

    fn number<const N: usize>(&self, out: &mut Vec<u8>, mut bytes: [u8; N]) {
        if !self.settings.big {
            bytes.reverse();
        }
        out.extend_from_slice(&bytes);
    }

    fn part(
        &self,
        cell: Option<&Cells<'_>>,
        row: usize,
        data: &mut Vec<u8>,
    ) -> Result<Option<std::ops::Range<u32>>> {
        let start = data.len() as u32;
        let written = match cell {
            Some(cell) => self.write(cell, row, data)?,
            None => false,
        };
        Ok(written.then_some(start..data.len() as u32))
    }
}

fn push_encoded(out: &mut Vec<u8>, text: &str, charset: Charset) -> Result<()> {
    match charset {
        Charset::Utf8 => out.extend_from_slice(text.as_bytes()),
        Charset::Ascii | Charset::Latin1 => {
            let limit = if charset == Charset::Ascii { '\x7f' } else { '\u{ff}' };
            if let Some(c) = text.chars().find(|c| *c > limit) {
                return Err(Error::user(format!("'{c}' cannot be written in 'raw.charset'"))
                    .with_hint("use 'raw.charset' = 'UTF-8'"));
            }
            out.extend(text.chars().map(|c| c as u32 as u8));
        }
        Charset::Utf16 { big } => {
            for unit in text.encode_utf16() {
                out.extend(if big { unit.to_be_bytes() } else { unit.to_le_bytes() });
            }
        }
    }
    Ok(())
}

impl Encode for RawEncoder {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        let cells = |column: &Option<(usize, DataType)>| {
            column.as_ref().map(|(i, t)| Cells::new(batch.column(*i).as_ref(), t)).transpose()
        };
        let (value, key) = (cells(&self.value)?, cells(&self.key)?);
        let mut data = Vec::new();
        let mut rows = 0;
        let mut messages = Messages { partition: -1, ..Messages::default() };
        for row in 0..batch.rows() {
            let weight = batch.weight(row);
            for _ in 0..weight.unsigned_abs() {
                rows += 1;
                if self.stream {
                    if weight < 0 {
                        return Err(Error::internal("format 'raw' was given a delete"));
                    }
                    if self.part(value.as_ref(), row, &mut data)?.is_none() {
                        return Err(Error::user("format 'raw' cannot write NULL into a file")
                            .with_hint("filter it out, or give it a value with COALESCE"));
                    }
                    data.push(b'\n');
                    continue;
                }
                messages.keys.push(self.part(key.as_ref(), row, &mut data)?);
                let value = if weight > 0 { value.as_ref() } else { None };
                messages.values.push(self.part(value, row, &mut data)?);
            }
        }
        let data = Bytes::from(data);
        if self.stream {
            return Ok(Encoded::Bytes { data, rows });
        }
        Ok(Encoded::Messages(Messages { data, ..messages }))
    }
}

#[cfg(test)]
#[path = "raw_tests.rs"]
mod tests;
