//! Rows into CSV as Flink writes it, which is as Jackson's CSV generator writes it.
//! Invariant: what is written here, the decoder of the same dialect reads back; only NULL and the empty string are
//! the same unless `csv.null-literal` tells them apart, as in Flink.
//! What it does not do: deletes (csv is append-only in a stream; as messages a delete is a tombstone).

use bytes::Bytes;
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::ingest::Messages;
use mainstem_core::java_format::{
    TimeStyle, push_date, push_decimal_stripped, push_double, push_float, push_integer, push_time,
    push_timestamp,
};
use mainstem_core::{Batch, DataType, Error, Result};

use super::Settings;
use super::column::Column;
use crate::format::EncodeRequest;
use crate::format::cells::Cells;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr2_iter;

/// Jackson looks for special characters in texts up to this length, and quotes longer ones without looking.
const QUOTE_CHECK_CHARS_MAX: usize = 24;

#[derive(Debug)]
pub(super) struct CsvEncoder {
    settings: Settings,
    value: Vec<(usize, DataType)>,
    key: Vec<(usize, DataType)>,
    stream: bool,
    scratch: Vec<u8>,
    /// How much the rows of the last batch took.
    bytes: usize,
}

impl CsvEncoder {
    pub(super) fn new(request: &EncodeRequest) -> Result<Self> {
        let columns = |indices: &[usize]| {
            indices
                .iter()
                .map(|i| {
                    let column = &request.table.columns[*i];
                    // Checks that CSV can carry the type.
                    Column::new(&column.name, &column.data_type, 0)?;
                    Ok((*i, column.data_type.clone()))
                })
                .collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            settings: Settings::read(&request.table.options)?,
            value: columns(&request.value_columns)?,
            key: columns(&request.key_columns)?,
            stream: request.stream,
            scratch: Vec::new(),
            bytes: 0,
        })
    }

    fn cells<'a>(batch: &'a Batch, columns: &[(usize, DataType)]) -> Result<Vec<Cells<'a>>> {
        columns.iter().map(|(i, t)| Cells::new(batch.column(*i).as_ref(), t)).collect()
    }

    fn write_record(&mut self, cells: &[Cells<'_>], row: usize, out: &mut Vec<u8>) {
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                out.push(self.settings.dialect.delimiter);
            }
            self.write_field(cell, row, out);
        }
    }

    fn write_field(&mut self, cell: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
        if cell.is_null(row) {
            self.push_null(out);
            return;
        }
        match cell {
            Cells::Text(texts) => self.push_text(texts.value(row).as_bytes(), out),
            Cells::Bytes(_)
            | Cells::Date(_)
            | Cells::Time(_)
            | Cells::Timestamp { .. }
            | Cells::Array(..)
            | Cells::Row(..) => {
                let mut scratch = std::mem::take(&mut self.scratch);
                scratch.clear();
                self.write_plain(cell, row, &mut scratch);
                self.push_text(&scratch, out);
                self.scratch = scratch;
            }
            _ => self.write_plain(cell, row, out),
        }
    }

    fn push_null(&self, out: &mut Vec<u8>) {
        if let Some(literal) = &self.settings.texts.null_literal {
            out.extend_from_slice(literal);
        }
    }

    /// The value without quotes; nested values are joined by the array delimiter.
    fn write_plain(&self, cell: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
        match cell {
            Cells::Null | Cells::Map(..) | Cells::Bitmap(_) => {}
            Cells::Boolean(a) => {
                out.extend_from_slice(if a.value(row) { b"true" } else { b"false" });
            }
            Cells::TinyInt(a) => push_integer(out, a.value(row).into()),
            Cells::SmallInt(a) => push_integer(out, a.value(row).into()),
            Cells::Int(a) => push_integer(out, a.value(row).into()),
            Cells::BigInt(a) => push_integer(out, a.value(row)),
            Cells::Float(a) => push_float(out, a.value(row)),
            Cells::Double(a) => push_double(out, a.value(row)),
            Cells::Decimal(a, scale) => {
                push_decimal_stripped(out, a.value(row), *scale, self.settings.scientific);
            }
            Cells::Text(a) => out.extend_from_slice(a.value(row).as_bytes()),
            Cells::Bytes(a) => out.extend_from_slice(STANDARD.encode(a.value(row)).as_bytes()),
            Cells::Date(a) => push_date(out, a.value(row).into()),
            Cells::Time(a) => push_time(out, i64::from(a.value(row)) * 1_000_000, TimeStyle::Sql),
            Cells::Timestamp { values, unit, utc, .. } => {
                push_timestamp(out, values[row], *unit, b' ', TimeStyle::Sql);
                if *utc {
                    out.push(b'Z');
                }
            }
            Cells::Months(a) => push_integer(out, a.value(row).into()),
            Cells::Duration(a) => push_integer(out, a.value(row)),
            Cells::Array(_, item) => {
                for (nth, element) in cell.elements(row).enumerate() {
                    self.write_element(nth, item, element, out);
                }
            }
            Cells::Row(_, fields) => {
                for (nth, field) in fields.iter().enumerate() {
                    self.write_element(nth, field, row, out);
                }
            }
        }
    }

    fn write_element(&self, nth: usize, cell: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
        if nth > 0 {
            out.extend_from_slice(&self.settings.texts.array_delimiter);
        }
        if cell.is_null(row) {
            self.push_null(out);
        } else {
            self.write_plain(cell, row, out);
        }
    }

    /// Quotes as Jackson's loose check does: short texts whose characters are all safe stay bare.
    fn push_text(&self, text: &[u8], out: &mut Vec<u8>) {
        let dialect = &self.settings.dialect;
        let Some(quote) = dialect.quote else {
            return push_escaped(text, None, dialect.escape, out);
        };
        let smallest_safe = dialect.delimiter.max(quote).max(b'\n') + 1;
        // A character has up to four bytes, and one that is none of those that go on with it.
        let begins = |byte: &&u8| !(0x80..0xc0).contains(*byte);
        let long = text.len() > QUOTE_CHECK_CHARS_MAX
            && (text.len() > 4 * QUOTE_CHECK_CHARS_MAX
                || text.iter().filter(begins).count() > QUOTE_CHECK_CHARS_MAX);
        let special = |b: &u8| *b < smallest_safe || Some(*b) == dialect.escape;
        if !long && !text.iter().any(special) {
            out.extend_from_slice(text);
            return;
        }
        out.push(quote);
        push_escaped(text, Some(quote), dialect.escape, out);
        out.push(quote);
    }
}

/// Doubles the quote, and puts the escape character before itself.
fn push_escaped(text: &[u8], quote: Option<u8>, escape: Option<u8>, out: &mut Vec<u8>) {
    let (Some(one), other) = (quote.or(escape), escape.or(quote)) else {
        return out.extend_from_slice(text);
    };
    let mut done = 0;
    for at in memchr2_iter(one, other.unwrap_or(one), text) {
        out.extend_from_slice(&text[done..=at]);
        done = at;
    }
    out.extend_from_slice(&text[done..]);
}

impl Encode for CsvEncoder {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        let value = Self::cells(batch, &self.value)?;
        let key = Self::cells(batch, &self.key)?;
        if self.stream {
            return self.encode_stream(batch, &value);
        }
        let mut data = Vec::new();
        let mut messages = Messages { partition: -1, ..Messages::default() };
        for row in 0..batch.rows() {
            for _ in 0..batch.weight(row).unsigned_abs() {
                let start = data.len();
                self.write_record(&key, row, &mut data);
                let middle = data.len();
                messages.keys.push((!key.is_empty()).then_some(start as u32..middle as u32));
                if batch.weight(row) > 0 {
                    self.write_record(&value, row, &mut data);
                    messages.values.push(Some(middle as u32..data.len() as u32));
                } else {
                    messages.values.push(None);
                }
            }
        }
        messages.data = Bytes::from(data);
        Ok(Encoded::Messages(messages))
    }
}

impl CsvEncoder {
    fn encode_stream(&mut self, batch: &Batch, value: &[Cells<'_>]) -> Result<Encoded> {
        let mut data = Vec::with_capacity(self.bytes);
        let mut rows = 0;
        for row in 0..batch.rows() {
            let weight = batch.weight(row);
            if weight < 0 {
                return Err(Error::internal("format 'csv' was given a delete"));
            }
            for _ in 0..weight {
                self.write_record(value, row, &mut data);
                data.push(b'\n');
                rows += 1;
            }
        }
        self.bytes = data.len();
        Ok(Encoded::Bytes { data: Bytes::from(data), rows })
    }
}
