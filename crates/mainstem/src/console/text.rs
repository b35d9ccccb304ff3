//! Values to text, on the worker: columns of strings for the table, or whole tab-separated lines.
//! Invariant: a value reads as CAST(.. AS STRING) writes it; line feeds, tabs and other control characters are
//! escaped, so that one row is one line.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use bytes::Bytes;
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::{Batch, DataType, Error, Field, Result};
use mainstem_engine::expr::{EvalContext, Value};
use mainstem_sql::cast::{self, CastMode};
use mainstem_sql::functions::Kernel;
use mainstem_sql::session::Session;

pub(super) struct TextEncoder {
    casts: Vec<Kernel>,
    lines: bool,
}

impl TextEncoder {
    /// An encoder of the given columns: to lines if `lines`, else to columns of strings.
    pub(super) fn new(columns: &[Field], time_zone: &str, lines: bool) -> Result<Self> {
        let time_zone = time_zone
            .parse()
            .map_err(|_| Error::user(format!("'{time_zone}' is not the name of a time zone")))?;
        let session = Session { time_zone, ..Session::default() };
        let bind = |field: &Field| {
            let bound =
                cast::bind(&field.data_type, &DataType::string(), CastMode::Implicit, &session);
            bound.map(|(_, kernel)| kernel).map_err(|e| e.context(&field.name))
        };
        Ok(Self { casts: columns.iter().map(bind).collect::<Result<_>>()?, lines })
    }

    fn texts(&self, batch: &Batch) -> Result<Vec<ArrayRef>> {
        let context = EvalContext { now_ms: 0, watermark_ms: None };
        let columns = batch.columns().iter().zip(&self.casts);
        columns
            .map(|(column, cast)| {
                let argument = Value::Array(ArrayRef::clone(column));
                cast(&[argument], batch.rows(), &context)?.into_array(batch.rows())
            })
            .collect()
    }
}

impl Encode for TextEncoder {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        let texts = self.texts(batch)?;
        if !self.lines {
            return Ok(Encoded::Batch(Batch::new(texts, batch.rows())));
        }
        let columns: Vec<&StringArray> = texts.iter().map(|t| t.as_string::<i32>()).collect();
        let mut data = Vec::with_capacity(batch.rows() * columns.len() * 12);
        for row in 0..batch.rows() {
            for (nth, column) in columns.iter().enumerate() {
                if nth > 0 {
                    data.push(b'\t');
                }
                match column.is_null(row) {
                    true => data.extend_from_slice(b"\\N"),
                    false => push_escaped(&mut data, column.value(row)),
                }
            }
            data.push(b'\n');
        }
        Ok(Encoded::Bytes { data: Bytes::from(data), rows: batch.rows() })
    }
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'\\' || byte == 0x7f
}

/// Appends `text` with backslashes and control characters escaped, as PostgreSQL's COPY does.
fn push_escaped(out: &mut Vec<u8>, text: &str) {
    if text.bytes().any(needs_escape) {
        out.extend_from_slice(escaped(text).as_bytes());
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

/// `text` on one line.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out
}
