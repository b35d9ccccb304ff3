//! PostgreSQL's binary values as columns.
//! Invariant: a value is what the declared type can hold, or an error that names the column; only a NUMERIC that is too
//! large for its DECIMAL is NULL, and its digits behind the scale are rounded, both as in Flink.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder,
    Float64Builder, Int8Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder,
    Time32MillisecondBuilder, TimestampMicrosecondBuilder, TimestampMillisecondBuilder,
    TimestampNanosecondBuilder,
};
use arrow_array::{ArrayRef, ListArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use chrono_tz::Tz;
use mainstem_core::types::{DataType, TypeKind};
use mainstem_core::{Batch, Error, Result};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use super::copy::{EPOCH_DAYS, EPOCH_US};
use super::numeric;
use super::types::Wire;
use crate::local_time::{instant_of_local_us, local_of_instant_us};

/// A column to read and how it comes.
#[derive(Debug, Clone)]
pub(crate) struct ReadColumn {
    /// In PostgreSQL, quoted.
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) wire: Wire,
}

/// Bytes as they came.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(
        _: &Type,
        raw: &'a [u8],
    ) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Gathers rows.
pub(crate) struct RowReader {
    names: Vec<String>,
    columns: Vec<Reader>,
    rows: usize,
}

impl RowReader {
    pub(crate) fn new(columns: &[ReadColumn], time_zone: Tz) -> Result<Self> {
        Ok(Self {
            names: columns.iter().map(|column| column.name.clone()).collect(),
            columns: columns
                .iter()
                .map(|column| Reader::new(&column.data_type, &column.wire, time_zone))
                .collect::<Result<_>>()?,
            rows: 0,
        })
    }

    /// Adds a row whose columns begin at `first`.
    pub(crate) fn push(&mut self, row: &Row, first: usize) -> Result<()> {
        for (index, column) in self.columns.iter_mut().enumerate() {
            let raw: Option<Raw<'_>> = row.try_get(first + index).map_err(|error| {
                Error::internal("a row has fewer columns than were asked for").with_source(error)
            })?;
            let pushed = column.push(raw.map(|raw| raw.0));
            pushed.map_err(|e| e.context(format!("column {}", self.names[index])))?;
        }
        self.rows += 1;
        Ok(())
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The rows since the last call.
    pub(crate) fn finish(&mut self) -> Result<Batch> {
        let columns = self.columns.iter_mut().map(Reader::finish).collect::<Result<_>>()?;
        Ok(Batch::new(columns, std::mem::take(&mut self.rows)))
    }
}

/// Reads the values of one column.
struct Reader {
    wire: Wire,
    values: Values,
    /// What the column is in a batch.
    arrow: ArrowType,
    time_zone: Tz,
}

enum Values {
    Bool(BooleanBuilder),
    I8(Int8Builder),
    I16(Int16Builder),
    I32(Int32Builder),
    I64(Int64Builder),
    F32(Float32Builder),
    F64(Float64Builder),
    Decimal(Decimal128Builder, u8, u16),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Time(Time32MillisecondBuilder),
    /// With the microseconds of the least part that the type has.
    Milli(TimestampMillisecondBuilder, i64),
    Micro(TimestampMicrosecondBuilder, i64),
    Nano(TimestampNanosecondBuilder),
    List(Box<Reader>, Vec<usize>, Vec<bool>),
}

impl Reader {
    fn new(data_type: &DataType, wire: &Wire, time_zone: Tz) -> Result<Self> {
        let arrow = data_type.to_arrow();
        let least_us = |precision: u8| 10_i64.pow(u32::from(6 - precision.min(6)));
        let values = match &data_type.kind {
            TypeKind::Boolean => Values::Bool(BooleanBuilder::new()),
            TypeKind::TinyInt => Values::I8(Int8Builder::new()),
            TypeKind::SmallInt => Values::I16(Int16Builder::new()),
            TypeKind::Int => Values::I32(Int32Builder::new()),
            TypeKind::BigInt => Values::I64(Int64Builder::new()),
            TypeKind::Float => Values::F32(Float32Builder::new()),
            TypeKind::Double => Values::F64(Float64Builder::new()),
            TypeKind::Decimal { precision, scale } => Values::Decimal(
                Decimal128Builder::new().with_data_type(arrow.clone()),
                *precision,
                u16::from(*scale),
            ),
            TypeKind::Char { .. } | TypeKind::Varchar { .. } => Values::Text(StringBuilder::new()),
            TypeKind::Binary { .. } | TypeKind::Varbinary { .. } => {
                Values::Bytes(BinaryBuilder::new())
            }
            TypeKind::Date => Values::Date(Date32Builder::new()),
            TypeKind::Time { .. } => Values::Time(Time32MillisecondBuilder::new()),
            TypeKind::Timestamp { precision } | TypeKind::TimestampLtz { precision } => {
                let ArrowType::Timestamp(unit, _) = &arrow else { return Err(unreadable(&arrow)) };
                match unit {
                    TimeUnit::Millisecond => Values::Milli(
                        TimestampMillisecondBuilder::new().with_data_type(arrow.clone()),
                        least_us(*precision),
                    ),
                    TimeUnit::Microsecond => Values::Micro(
                        TimestampMicrosecondBuilder::new().with_data_type(arrow.clone()),
                        least_us(*precision),
                    ),
                    _ => Values::Nano(
                        TimestampNanosecondBuilder::new().with_data_type(arrow.clone()),
                    ),
                }
            }
            TypeKind::Array(item) => {
                let Wire::Array(of_item, _) = wire else { return Err(unreadable(&arrow)) };
                let item = Self::new(item, of_item, time_zone)?;
                Values::List(Box::new(item), Vec::new(), Vec::new())
            }
            _ => return Err(unreadable(&arrow)),
        };
        Ok(Self { wire: wire.clone(), values, arrow, time_zone })
    }

    fn push(&mut self, raw: Option<&[u8]>) -> Result<()> {
        let Some(raw) = raw else {
            self.push_null();
            return Ok(());
        };
        let wire = &self.wire;
        match &mut self.values {
            Values::Bool(values) => values.append_value(fixed::<1>(raw)?[0] != 0),
            Values::I8(values) => values.append_value(narrowed(integer(wire, raw)?)?),
            Values::I16(values) => values.append_value(narrowed(integer(wire, raw)?)?),
            Values::I32(values) => values.append_value(narrowed(integer(wire, raw)?)?),
            Values::I64(values) => values.append_value(integer(wire, raw)?),
            Values::F32(values) => values.append_value(float(wire, raw)? as f32),
            Values::F64(values) => values.append_value(float(wire, raw)?),
            Values::Decimal(values, precision, scale) => {
                let unscaled = numeric::read(raw, *scale)?;
                let fits = |value: &i128| value.unsigned_abs() < 10_u128.pow(u32::from(*precision));
                values.append_option(unscaled.filter(fits));
            }
            Values::Text(values) => match wire {
                Wire::Uuid => {
                    let id = uuid::Uuid::from_bytes(fixed(raw)?);
                    values.append_value(id.hyphenated().to_string());
                }
                // The first byte is the format's version.
                Wire::Jsonb => values.append_value(text(raw.get(1..).unwrap_or_default())?),
                _ => values.append_value(text(raw)?),
            },
            Values::Bytes(values) => values.append_value(raw),
            Values::Date(values) => {
                let days = i32::from_be_bytes(fixed(raw)?);
                if matches!(days, i32::MIN | i32::MAX) {
                    return Err(endless());
                }
                values.append_value(days.checked_add(EPOCH_DAYS).ok_or_else(endless)?);
            }
            Values::Time(values) => {
                let us = i64::from_be_bytes(fixed(raw)?);
                let ms = i32::try_from(us / 1000).ok().filter(|ms| *ms < 86_400_000);
                values.append_value(ms.ok_or_else(|| Error::user("24:00:00 is no TIME"))?);
            }
            Values::List(item, lengths, valid) => {
                lengths.push(item.push_items(raw)?);
                valid.push(true);
            }
            Values::Milli(..) | Values::Micro(..) | Values::Nano(_) => return self.instant(raw),
        }
        Ok(())
    }

    fn instant(&mut self, raw: &[u8]) -> Result<()> {
        let since_2000 = i64::from_be_bytes(fixed(raw)?);
        if matches!(since_2000, i64::MIN | i64::MAX) {
            return Err(endless());
        }
        let us = since_2000.checked_add(EPOCH_US).ok_or_else(endless)?;
        let zoned = matches!(&self.arrow, ArrowType::Timestamp(_, Some(_)));
        let us = match (self.wire == Wire::TimestampTz, zoned) {
            (true, false) => local_of_instant_us(self.time_zone, us).ok_or_else(endless)?,
            (false, true) => instant_of_local_us(self.time_zone, us).ok_or_else(endless)?,
            _ => us,
        };
        match &mut self.values {
            Values::Milli(values, least) => {
                values.append_value((us - us.rem_euclid(*least)).div_euclid(1000));
            }
            Values::Micro(values, least) => values.append_value(us - us.rem_euclid(*least)),
            Values::Nano(values) => values.append_value(us.checked_mul(1000).ok_or_else(endless)?),
            _ => return Err(Error::internal("not a column of timestamps")),
        }
        Ok(())
    }

    fn push_null(&mut self) {
        match &mut self.values {
            Values::Bool(values) => values.append_null(),
            Values::I8(values) => values.append_null(),
            Values::I16(values) => values.append_null(),
            Values::I32(values) => values.append_null(),
            Values::I64(values) => values.append_null(),
            Values::F32(values) => values.append_null(),
            Values::F64(values) => values.append_null(),
            Values::Decimal(values, ..) => values.append_null(),
            Values::Text(values) => values.append_null(),
            Values::Bytes(values) => values.append_null(),
            Values::Date(values) => values.append_null(),
            Values::Time(values) => values.append_null(),
            Values::Milli(values, _) => values.append_null(),
            Values::Micro(values, _) => values.append_null(),
            Values::Nano(values) => values.append_null(),
            Values::List(_, lengths, valid) => {
                lengths.push(0);
                valid.push(false);
            }
        }
    }

    /// `i32 dimensions | i32 has nulls | u32 element type | i32 length | i32 lower bound | elements as fields`.
    fn push_items(&mut self, raw: &[u8]) -> Result<usize> {
        let word = |at: usize| Ok::<_, Error>(i32::from_be_bytes(fixed(part(raw, at, 4)?)?));
        let count = match word(0)? {
            0 => return Ok(0),
            1 => usize::try_from(word(12)?).map_err(|_| broken())?,
            _ => return Err(Error::user("an array of several dimensions is no ARRAY")),
        };
        let mut at = 20;
        for _ in 0..count {
            let length = usize::try_from(word(at)?).ok();
            at += 4;
            self.push(length.map(|length| part(raw, at, length)).transpose()?)?;
            at += length.unwrap_or(0);
        }
        Ok(count)
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match &mut self.values {
            Values::Bool(values) => Arc::new(values.finish()),
            Values::I8(values) => Arc::new(values.finish()),
            Values::I16(values) => Arc::new(values.finish()),
            Values::I32(values) => Arc::new(values.finish()),
            Values::I64(values) => Arc::new(values.finish()),
            Values::F32(values) => Arc::new(values.finish()),
            Values::F64(values) => Arc::new(values.finish()),
            Values::Decimal(values, ..) => Arc::new(values.finish()),
            Values::Text(values) => Arc::new(values.finish()),
            Values::Bytes(values) => Arc::new(values.finish()),
            Values::Date(values) => Arc::new(values.finish()),
            Values::Time(values) => Arc::new(values.finish()),
            Values::Milli(values, _) => Arc::new(values.finish()),
            Values::Micro(values, _) => Arc::new(values.finish()),
            Values::Nano(values) => Arc::new(values.finish()),
            Values::List(item, lengths, valid) => {
                let ArrowType::List(field) = &self.arrow else {
                    return Err(unreadable(&self.arrow));
                };
                let offsets = OffsetBuffer::from_lengths(std::mem::take(lengths));
                let nulls = NullBuffer::from(std::mem::take(valid));
                let items = item.finish()?;
                Arc::new(ListArray::try_new(Arc::clone(field), offsets, items, Some(nulls))?)
            }
        })
    }
}

fn unreadable(arrow: &ArrowType) -> Error {
    Error::internal(format!("a column of type {arrow} cannot be read from PostgreSQL"))
}

fn broken() -> Error {
    Error::internal("PostgreSQL sent a value of another type than it said")
}

fn endless() -> Error {
    Error::user("a time is farther away than its column can say, or infinite")
}

fn part(raw: &[u8], at: usize, length: usize) -> Result<&[u8]> {
    at.checked_add(length).and_then(|end| raw.get(at..end)).ok_or_else(broken)
}

fn fixed<const N: usize>(raw: &[u8]) -> Result<[u8; N]> {
    raw.try_into().map_err(|_| broken())
}

fn text(raw: &[u8]) -> Result<&str> {
    std::str::from_utf8(raw).map_err(|_| Error::user("a text is not UTF-8"))
}

fn integer(wire: &Wire, raw: &[u8]) -> Result<i64> {
    Ok(match wire {
        Wire::Int2 => i16::from_be_bytes(fixed(raw)?).into(),
        Wire::Int4 => i32::from_be_bytes(fixed(raw)?).into(),
        Wire::Int8 => i64::from_be_bytes(fixed(raw)?),
        Wire::Numeric if numeric::has_fraction(raw) => {
            return Err(Error::user("a number with a fraction does not fit the declared type")
                .with_hint("declare the column as DECIMAL"));
        }
        Wire::Numeric => {
            let value = numeric::read(raw, 0)?.and_then(|value| i64::try_from(value).ok());
            return value.ok_or_else(too_large);
        }
        _ => return Err(broken()),
    })
}

fn narrowed<T: TryFrom<i64>>(value: i64) -> Result<T> {
    T::try_from(value).map_err(|_| too_large())
}

fn too_large() -> Error {
    Error::user("a number is larger than the declared type")
        .with_hint("declare the column with the type that it has in PostgreSQL")
}

fn float(wire: &Wire, raw: &[u8]) -> Result<f64> {
    match wire {
        Wire::Float4 => Ok(f32::from_be_bytes(fixed(raw)?).into()),
        Wire::Float8 => Ok(f64::from_be_bytes(fixed(raw)?)),
        _ => Err(broken()),
    }
}
