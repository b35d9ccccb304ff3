//! Rows as PostgreSQL's binary COPY wants them.
//!
//! ```text
//! stream: "PGCOPY\n\xff\r\n\0" | i32 flags = 0 | i32 extension = 0 | rows | i16 -1
//! row:    i16 fields | per field: i32 length (-1 is NULL) | bytes
//! ```
//!
//! Invariant: [`CopyEncode`] makes rows only, without head and tail, key columns first; in a table with a primary key
//! each row is preceded by one byte, [`PUT`] or [`REMOVE`]. [`Rows`] finds the rows again.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use bytes::Bytes;
use chrono_tz::Tz;
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::{Batch, Error, Result};

use super::numeric;
use super::types::Wire;
use crate::local_time::{instant_of_local_us, local_of_instant_us};

/// The head of a COPY stream.
pub(crate) const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Its tail.
pub(crate) const TAIL: &[u8] = &[0xff, 0xff];
/// The row is to be inserted or updated.
pub(crate) const PUT: u8 = 1;
/// The row with this key is to be deleted.
pub(crate) const REMOVE: u8 = 0;

/// 2000-01-01, where PostgreSQL counts from.
pub(crate) const EPOCH_DAYS: i32 = 10_957;
pub(crate) const EPOCH_US: i64 = 946_684_800_000_000;

/// A column of the table and how it is written.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Its index in the batches.
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) wire: Wire,
}

/// One worker's encoder.
#[derive(Debug)]
pub(crate) struct CopyEncode {
    pub(crate) columns: Vec<Column>,
    /// Rows begin with [`PUT`] or [`REMOVE`].
    pub(crate) marked: bool,
    pub(crate) time_zone: Tz,
}

impl Encode for CopyEncode {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        let writers = self
            .columns
            .iter()
            .map(|c| Writer::new(c, batch.column(c.index), self.time_zone))
            .collect::<Result<Vec<_>>>()?;
        let mut out = Vec::with_capacity(batch.rows() * (2 + self.columns.len() * 14));
        let fields = (writers.len() as i16).to_be_bytes();
        let mut rows = 0;
        for row in 0..batch.rows() {
            let weight = batch.weight(row);
            if weight < 0 && !self.marked {
                return Err(Error::internal("a row was taken back from an append-only table"));
            }
            let copies = if self.marked { 1 } else { weight };
            for _ in 0..copies {
                if self.marked {
                    out.push(if weight > 0 { PUT } else { REMOVE });
                }
                out.extend_from_slice(&fields);
                for writer in &writers {
                    writer.put(row, &mut out)?;
                }
                rows += 1;
            }
        }
        Ok(Encoded::Bytes { data: out.into(), rows })
    }
}

/// Writes the values of one column.
struct Writer<'a> {
    array: &'a ArrayRef,
    name: &'a str,
    put: Put<'a>,
}

enum Put<'a> {
    Bool(&'a arrow_array::BooleanArray),
    /// Whole numbers of any width, written in 2, 4 or 8 bytes, as NUMERIC or as floating point.
    Integer(Integers<'a>, Wire),
    Float(Floats<'a>, Wire),
    Decimal(&'a arrow_array::Decimal128Array, u16),
    Text(&'a arrow_array::StringArray, Wire),
    Bytes(&'a arrow_array::BinaryArray),
    Date(&'a arrow_array::Date32Array),
    Time(&'a arrow_array::Time32MillisecondArray),
    Timestamp(Timestamps<'a>, Shift),
    Array(&'a arrow_array::ListArray, Wire, u32, Tz),
}

enum Integers<'a> {
    I8(&'a arrow_array::Int8Array),
    I16(&'a arrow_array::Int16Array),
    I32(&'a arrow_array::Int32Array),
    I64(&'a arrow_array::Int64Array),
}

enum Floats<'a> {
    F32(&'a arrow_array::Float32Array),
    F64(&'a arrow_array::Float64Array),
}

enum Timestamps<'a> {
    Milli(&'a arrow_array::TimestampMillisecondArray),
    Micro(&'a arrow_array::TimestampMicrosecondArray),
    Nano(&'a arrow_array::TimestampNanosecondArray),
}

/// Between a clock on the wall and an instant.
#[derive(Clone, Copy)]
enum Shift {
    None,
    LocalToInstant(Tz),
    InstantToLocal(Tz),
}

impl<'a> Writer<'a> {
    fn new(column: &'a Column, array: &'a ArrayRef, time_zone: Tz) -> Result<Self> {
        let put = Put::new(&column.wire, array, time_zone).ok_or_else(|| {
            Error::internal(format!(
                "column '{}' comes as {} and cannot be written as {:?}",
                column.name,
                array.data_type(),
                column.wire
            ))
        })?;
        Ok(Self { array, name: &column.name, put })
    }

    fn put(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        if self.array.is_null(row) {
            out.extend_from_slice(&(-1i32).to_be_bytes());
            return Ok(());
        }
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        self.put.value(row, out).map_err(|e| e.context(format!("column '{}'", self.name)))?;
        let length = i32::try_from(out.len() - start - 4)
            .map_err(|_| Error::user(format!("a value of column '{}' is over 2 GiB", self.name)))?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

impl<'a> Put<'a> {
    fn new(wire: &Wire, array: &'a ArrayRef, time_zone: Tz) -> Option<Self> {
        let integers = || {
            Some(match array.data_type() {
                ArrowType::Int8 => Integers::I8(array.as_primitive::<Int8Type>()),
                ArrowType::Int16 => Integers::I16(array.as_primitive::<Int16Type>()),
                ArrowType::Int32 => Integers::I32(array.as_primitive::<Int32Type>()),
                ArrowType::Int64 => Integers::I64(array.as_primitive::<Int64Type>()),
                _ => return None,
            })
        };
        Some(match wire {
            Wire::Bool => Self::Bool(array.as_boolean_opt()?),
            Wire::Int2 | Wire::Int4 | Wire::Int8 => Self::Integer(integers()?, wire.clone()),
            Wire::Float4 | Wire::Float8 => match array.data_type() {
                ArrowType::Float32 => {
                    Self::Float(Floats::F32(array.as_primitive::<Float32Type>()), wire.clone())
                }
                ArrowType::Float64 => {
                    Self::Float(Floats::F64(array.as_primitive::<Float64Type>()), wire.clone())
                }
                _ => Self::Integer(integers()?, wire.clone()),
            },
            Wire::Numeric => match array.data_type() {
                ArrowType::Decimal128(_, scale) => {
                    let scale = u16::try_from(*scale).ok()?;
                    Self::Decimal(array.as_primitive::<Decimal128Type>(), scale)
                }
                _ => Self::Integer(integers()?, wire.clone()),
            },
            Wire::Text | Wire::Json | Wire::Jsonb | Wire::Uuid => {
                Self::Text(array.as_string_opt()?, wire.clone())
            }
            Wire::Bytea => Self::Bytes(array.as_binary_opt()?),
            Wire::Date => Self::Date(array.as_primitive_opt::<Date32Type>()?),
            Wire::Time => Self::Time(array.as_primitive_opt::<Time32MillisecondType>()?),
            Wire::Timestamp | Wire::TimestampTz => {
                let (values, instant) = timestamps(array)?;
                let shift = match (instant, *wire == Wire::TimestampTz) {
                    (false, true) => Shift::LocalToInstant(time_zone),
                    (true, false) => Shift::InstantToLocal(time_zone),
                    _ => Shift::None,
                };
                Self::Timestamp(values, shift)
            }
            Wire::Array(item, oid) => {
                Self::Array(array.as_list_opt()?, (**item).clone(), *oid, time_zone)
            }
        })
    }

    fn value(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Bool(a) => out.push(u8::from(a.value(row))),
            Self::Integer(a, wire) => put_integer(a.value(row), wire, out),
            Self::Float(a, wire) => match (a, wire) {
                (Floats::F32(a), Wire::Float4) => {
                    out.extend_from_slice(&a.value(row).to_be_bytes());
                }
                (Floats::F32(a), _) => {
                    out.extend_from_slice(&f64::from(a.value(row)).to_be_bytes());
                }
                (Floats::F64(a), _) => out.extend_from_slice(&a.value(row).to_be_bytes()),
            },
            Self::Decimal(a, scale) => numeric::put(out, a.value(row), *scale),
            Self::Text(a, wire) => put_text(a.value(row), wire, out),
            Self::Bytes(a) => out.extend_from_slice(a.value(row)),
            Self::Date(a) => {
                let days = a.value(row).saturating_sub(EPOCH_DAYS);
                out.extend_from_slice(&days.to_be_bytes());
            }
            Self::Time(a) => {
                out.extend_from_slice(&(i64::from(a.value(row)) * 1000).to_be_bytes());
            }
            Self::Timestamp(a, shift) => {
                let us = shift.apply(a.micros(row)?)?;
                let us = us.checked_sub(EPOCH_US).ok_or_else(too_far)?;
                out.extend_from_slice(&us.to_be_bytes());
            }
            Self::Array(a, item, oid, zone) => {
                return put_array(&a.value(row), item, *oid, *zone, out);
            }
        }
        Ok(())
    }
}

impl Integers<'_> {
    fn value(&self, row: usize) -> i64 {
        match self {
            Self::I8(a) => i64::from(a.value(row)),
            Self::I16(a) => i64::from(a.value(row)),
            Self::I32(a) => i64::from(a.value(row)),
            Self::I64(a) => a.value(row),
        }
    }
}

/// The planner's type check has made sure that the value fits.
fn put_integer(value: i64, wire: &Wire, out: &mut Vec<u8>) {
    match wire {
        Wire::Int2 => out.extend_from_slice(&(value as i16).to_be_bytes()),
        Wire::Int4 => out.extend_from_slice(&(value as i32).to_be_bytes()),
        Wire::Float4 => out.extend_from_slice(&(value as f32).to_be_bytes()),
        Wire::Float8 => out.extend_from_slice(&(value as f64).to_be_bytes()),
        Wire::Numeric => numeric::put(out, i128::from(value), 0),
        _ => out.extend_from_slice(&value.to_be_bytes()),
    }
}

fn put_text(value: &str, wire: &Wire, out: &mut Vec<u8>) {
    match wire {
        // What is no UUID goes as it is: PostgreSQL refuses the row, and the policy for bad records applies.
        Wire::Uuid => match uuid::Uuid::try_parse(value) {
            Ok(id) => out.extend_from_slice(id.as_bytes()),
            Err(_) => out.extend_from_slice(value.as_bytes()),
        },
        Wire::Jsonb => {
            out.push(1);
            out.extend_from_slice(value.as_bytes());
        }
        _ => out.extend_from_slice(value.as_bytes()),
    }
}

/// `i32 dimensions | i32 has nulls | u32 element type | i32 length | i32 lower bound | elements as fields`.
pub(crate) fn put_array(
    items: &ArrayRef,
    wire: &Wire,
    oid: u32,
    time_zone: Tz,
    out: &mut Vec<u8>,
) -> Result<()> {
    let dimensions = i32::from(!items.is_empty());
    out.extend_from_slice(&dimensions.to_be_bytes());
    out.extend_from_slice(&i32::from(items.null_count() > 0).to_be_bytes());
    out.extend_from_slice(&oid.to_be_bytes());
    if items.is_empty() {
        return Ok(());
    }
    out.extend_from_slice(&(items.len() as i32).to_be_bytes());
    out.extend_from_slice(&1i32.to_be_bytes());
    let column = Column { index: 0, name: "an array's element".to_owned(), wire: wire.clone() };
    let writer = Writer::new(&column, items, time_zone)?;
    (0..items.len()).try_for_each(|row| writer.put(row, out))
}

fn timestamps(array: &ArrayRef) -> Option<(Timestamps<'_>, bool)> {
    let ArrowType::Timestamp(unit, zone) = array.data_type() else { return None };
    let values = match unit {
        TimeUnit::Millisecond => {
            Timestamps::Milli(array.as_primitive::<TimestampMillisecondType>())
        }
        TimeUnit::Microsecond => {
            Timestamps::Micro(array.as_primitive::<TimestampMicrosecondType>())
        }
        TimeUnit::Nanosecond => Timestamps::Nano(array.as_primitive::<TimestampNanosecondType>()),
        TimeUnit::Second => return None,
    };
    Some((values, zone.is_some()))
}

impl Timestamps<'_> {
    /// Since 1970; PostgreSQL keeps microseconds.
    fn micros(&self, row: usize) -> Result<i64> {
        match self {
            Self::Milli(a) => a.value(row).checked_mul(1000).ok_or_else(too_far),
            Self::Micro(a) => Ok(a.value(row)),
            Self::Nano(a) => Ok(a.value(row).div_euclid(1000)),
        }
    }
}

fn too_far() -> Error {
    Error::user("a timestamp is farther away than PostgreSQL can say")
}

impl Shift {
    fn apply(self, us: i64) -> Result<i64> {
        match self {
            Self::None => Some(us),
            Self::InstantToLocal(zone) => local_of_instant_us(zone, us),
            Self::LocalToInstant(zone) => instant_of_local_us(zone, us),
        }
        .ok_or_else(too_far)
    }
}

/// A row within its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) segment: usize,
    /// Where the fields' count is, after the mark.
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) mark: u8,
}

impl Row {
    /// The row as COPY takes it.
    pub(crate) fn bytes<'a>(&self, segments: &'a [Bytes]) -> &'a [u8] {
        &segments[self.segment][self.start..self.end]
    }
}

/// Walks over the rows of segments.
pub(crate) fn rows(segments: &[Bytes], marked: bool) -> Vec<Row> {
    let mut found = Vec::new();
    for (segment, data) in segments.iter().enumerate() {
        let mut at = 0;
        while at < data.len() {
            let mark = if marked { data[at] } else { PUT };
            let start = at + usize::from(marked);
            let end = fields_end(data, start, None);
            found.push(Row { segment, start, end, mark });
            at = end;
        }
    }
    found
}

/// Where the first `count` fields of the row at `start` end, or all of them.
pub(crate) fn fields_end(data: &[u8], start: usize, count: Option<usize>) -> usize {
    let fields = count.unwrap_or(usize::from(u16::from_be_bytes([data[start], data[start + 1]])));
    let mut at = start + 2;
    for _ in 0..fields {
        at += 4 + field_length(data, at).unwrap_or(0);
    }
    at
}

/// The length of the field at `at`; `None` for NULL.
pub(crate) fn field_length(data: &[u8], at: usize) -> Option<usize> {
    let length = i32::from_be_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]);
    usize::try_from(length).ok()
}
