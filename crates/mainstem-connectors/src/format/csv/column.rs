//! Columns that grow by text fields: one builder per SQL type that Flink's CSV format knows.
//! Invariant: `push` appends exactly one value, NULL if it refuses the text; so the columns of a batch stay level.
//! What it does not do: MAP and MULTISET, which Flink's CSV refuses too.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Decimal128Builder, PrimitiveBuilder, StringBuilder,
};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, DurationMillisecondType, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalYearMonthType, Time32MillisecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, ListArray, NullArray, PrimitiveArray, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{Field as ArrowField, TimeUnit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mainstem_core::types::{arrow_fields, timestamp_unit};
use mainstem_core::{DataType, Error, Result, TypeKind};

use crate::format::scalar;

/// What nested values and NULLs look like in this table.
#[derive(Debug, Clone)]
pub(super) struct Texts {
    pub(super) null_literal: Option<Vec<u8>>,
    pub(super) array_delimiter: Vec<u8>,
    pub(super) ignore_parse_errors: bool,
}

/// Why a field was refused; the caller knows its name and place.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) reason: String,
}

impl Refused {
    fn not(text: &[u8], what: &str) -> Self {
        let shown = String::from_utf8_lossy(&text[..text.len().min(60)]).into_owned();
        let advice = if text.is_empty() {
            " ('csv.null-literal' = '' reads empty fields as NULL)"
        } else {
            ""
        };
        Self { reason: format!("'{shown}' is not {what}{advice}") }
    }
}

/// A growing column.
#[derive(Debug)]
pub(super) enum Column {
    Null(usize),
    Boolean(BooleanBuilder),
    TinyInt(PrimitiveBuilder<Int8Type>),
    SmallInt(PrimitiveBuilder<Int16Type>),
    Int(PrimitiveBuilder<Int32Type>),
    BigInt(PrimitiveBuilder<Int64Type>),
    Float(PrimitiveBuilder<Float32Type>),
    Double(PrimitiveBuilder<Float64Type>),
    Decimal { values: Decimal128Builder, precision: u8, scale: u8 },
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(PrimitiveBuilder<Date32Type>),
    Time { values: PrimitiveBuilder<Time32MillisecondType>, step_ms: i32 },
    Timestamp { values: PrimitiveBuilder<Int64Type>, unit: TimeUnit, utc: bool },
    Months(PrimitiveBuilder<IntervalYearMonthType>),
    Duration(PrimitiveBuilder<DurationMillisecondType>),
    Array { item: Box<Column>, offsets: Vec<i32>, nulls: NullBufferBuilder },
    Row { fields: Vec<Column>, arrow: arrow_schema::Fields, nulls: NullBufferBuilder },
}

fn primitive<T: ArrowPrimitiveType>() -> PrimitiveBuilder<T> {
    PrimitiveBuilder::new()
}

impl Column {
    /// An empty column; `name` is for the error when CSV cannot carry the type. `depth` is 0 at the top.
    pub(super) fn new(name: &str, data_type: &DataType, depth: usize) -> Result<Self> {
        Ok(match &data_type.kind {
            TypeKind::Null => Self::Null(0),
            TypeKind::Boolean => Self::Boolean(BooleanBuilder::new()),
            TypeKind::TinyInt => Self::TinyInt(primitive()),
            TypeKind::SmallInt => Self::SmallInt(primitive()),
            TypeKind::Int => Self::Int(primitive()),
            TypeKind::BigInt => Self::BigInt(primitive()),
            TypeKind::Float => Self::Float(primitive()),
            TypeKind::Double => Self::Double(primitive()),
            TypeKind::Decimal { precision, scale } => Self::Decimal {
                values: Decimal128Builder::new()
                    .with_precision_and_scale(*precision, *scale as i8)?,
                precision: *precision,
                scale: *scale,
            },
            TypeKind::Char { .. } | TypeKind::Varchar { .. } => Self::Text(StringBuilder::new()),
            TypeKind::Binary { .. } | TypeKind::Varbinary { .. } => {
                Self::Bytes(BinaryBuilder::new())
            }
            TypeKind::Date => Self::Date(primitive()),
            TypeKind::Time { precision } if *precision <= 3 => {
                Self::Time { values: primitive(), step_ms: 10i32.pow(3 - u32::from(*precision)) }
            }
            TypeKind::Timestamp { precision } => Self::Timestamp {
                values: primitive(),
                unit: timestamp_unit(*precision),
                utc: false,
            },
            TypeKind::TimestampLtz { precision } => {
                Self::Timestamp { values: primitive(), unit: timestamp_unit(*precision), utc: true }
            }
            TypeKind::IntervalYearMonth => Self::Months(primitive()),
            TypeKind::IntervalDayTime => Self::Duration(primitive()),
            TypeKind::Array(item) if depth == 0 => Self::Array {
                item: Box::new(Self::new(name, item, depth + 1)?),
                offsets: vec![0],
                nulls: NullBufferBuilder::new(0),
            },
            TypeKind::Row(fields) if depth == 0 => Self::Row {
                fields: fields
                    .iter()
                    .map(|f| Self::new(name, &f.data_type, depth + 1))
                    .collect::<Result<_>>()?,
                arrow: arrow_fields(fields),
                nulls: NullBufferBuilder::new(0),
            },
            _ => return Err(unsupported(name, data_type)),
        })
    }

    /// Appends NULL.
    pub(super) fn push_null(&mut self) {
        match self {
            Self::Null(count) => *count += 1,
            Self::Boolean(b) => b.append_null(),
            Self::TinyInt(b) => b.append_null(),
            Self::SmallInt(b) => b.append_null(),
            Self::Int(b) => b.append_null(),
            Self::BigInt(b) => b.append_null(),
            Self::Float(b) => b.append_null(),
            Self::Double(b) => b.append_null(),
            Self::Decimal { values, .. } => values.append_null(),
            Self::Text(b) => b.append_null(),
            Self::Bytes(b) => b.append_null(),
            Self::Date(b) => b.append_null(),
            Self::Time { values, .. } => values.append_null(),
            Self::Timestamp { values, .. } => values.append_null(),
            Self::Months(b) => b.append_null(),
            Self::Duration(b) => b.append_null(),
            Self::Array { item, offsets, nulls } => {
                offsets.push(item.len() as i32);
                nulls.append_null();
            }
            Self::Row { fields, nulls, .. } => {
                fields.iter_mut().for_each(Self::push_null);
                nulls.append_null();
            }
        }
    }

    fn len(&self) -> usize {
        use arrow_array::builder::ArrayBuilder as _;
        match self {
            Self::Null(count) => *count,
            Self::Boolean(b) => b.len(),
            Self::TinyInt(b) => b.len(),
            Self::SmallInt(b) => b.len(),
            Self::Int(b) => b.len(),
            Self::BigInt(b) => b.len(),
            Self::Float(b) => b.len(),
            Self::Double(b) => b.len(),
            Self::Decimal { values, .. } => values.len(),
            Self::Text(b) => b.len(),
            Self::Bytes(b) => b.len(),
            Self::Date(b) => b.len(),
            Self::Time { values, .. } => values.len(),
            Self::Timestamp { values, .. } => values.len(),
            Self::Months(b) => b.len(),
            Self::Duration(b) => b.len(),
            Self::Array { nulls, .. } | Self::Row { nulls, .. } => nulls.len(),
        }
    }

    /// Appends the value written as `text`, or NULL and says why it is none.
    #[inline]
    pub(super) fn push(&mut self, text: &[u8], texts: &Texts) -> Result<(), Refused> {
        let pushed = match self {
            Self::Array { .. } => return self.push_array(text, texts),
            Self::Row { .. } => return self.push_row(text, texts),
            _ => self.push_scalar(text),
        };
        if pushed.is_err() {
            self.push_null();
        }
        pushed
    }

    #[inline]
    fn push_scalar(&mut self, text: &[u8]) -> Result<(), Refused> {
        match self {
            Self::Text(b) => match simdutf8::basic::from_utf8(text) {
                Ok(text) => b.append_value(text),
                Err(_) => return Err(Refused { reason: "it is not valid UTF-8".to_owned() }),
            },
            Self::BigInt(b) => b.append_value(whole(text, i64::MIN, i64::MAX, "BIGINT")?),
            Self::Int(b) => {
                b.append_value(whole(text, i32::MIN.into(), i32::MAX.into(), "INT")? as i32);
            }
            Self::Double(b) => b.append_value(
                scalar::double(scalar::trim(text)).ok_or_else(|| Refused::not(text, "DOUBLE"))?,
            ),
            Self::Timestamp { values, unit, utc } => {
                values.append_value(timestamp(text, *unit, *utc)?);
            }
            _ => return self.push_other(text),
        }
        Ok(())
    }

    fn push_other(&mut self, text: &[u8]) -> Result<(), Refused> {
        match self {
            Self::Null(count) => *count += 1,
            Self::Boolean(b) => b.append_value(scalar::trim(text).eq_ignore_ascii_case(b"true")),
            Self::TinyInt(b) => {
                b.append_value(whole(text, i8::MIN.into(), i8::MAX.into(), "TINYINT")? as i8);
            }
            Self::SmallInt(b) => {
                b.append_value(whole(text, i16::MIN.into(), i16::MAX.into(), "SMALLINT")? as i16);
            }
            Self::Float(b) => b.append_value(
                scalar::float(scalar::trim(text)).ok_or_else(|| Refused::not(text, "FLOAT"))?,
            ),
            Self::Decimal { values, precision, scale } => values.append_option(
                scalar::decimal(text, *precision, *scale)
                    .ok_or_else(|| Refused::not(text, "a decimal number"))?,
            ),
            Self::Bytes(b) => b.append_value(
                STANDARD
                    .decode(text)
                    .map_err(|_| Refused::not(text, "base64, as BYTES are written"))?,
            ),
            Self::Date(b) => b.append_value(
                scalar::sql_date(text).ok_or_else(|| Refused::not(text, "DATE (yyyy-MM-dd)"))?
                    as i32,
            ),
            Self::Time { values, step_ms } => {
                let nanos = scalar::time_of_day(text, true)
                    .ok_or_else(|| Refused::not(text, "TIME (HH:mm:ss)"))?;
                let ms = (nanos / 1_000_000) as i32;
                values.append_value(ms - ms % *step_ms);
            }
            Self::Months(b) => {
                b.append_value(
                    whole(text, i32::MIN.into(), i32::MAX.into(), "a number of months")? as i32
                )
            }
            Self::Duration(b) => {
                b.append_value(whole(text, i64::MIN, i64::MAX, "a number of milliseconds")?);
            }
            _ => unreachable!("the other types are handled by push"),
        }
        Ok(())
    }

    /// An element or a nested field: NULL by literal or, if errors are ignored, by error.
    fn push_nested(&mut self, text: &[u8], texts: &Texts) -> Result<(), Refused> {
        if texts.null_literal.as_deref() == Some(text) {
            self.push_null();
            return Ok(());
        }
        self.push(text, texts).or_else(|e| if texts.ignore_parse_errors { Ok(()) } else { Err(e) })
    }

    fn push_array(&mut self, text: &[u8], texts: &Texts) -> Result<(), Refused> {
        let Self::Array { item, offsets, nulls } = self else { return Ok(()) };
        let mut pushed = Ok(());
        for element in elements(text, &texts.array_delimiter) {
            pushed = pushed.and(item.push_nested(element, texts));
        }
        offsets.push(item.len() as i32);
        nulls.append_non_null();
        pushed
    }

    fn push_row(&mut self, text: &[u8], texts: &Texts) -> Result<(), Refused> {
        let Self::Row { fields, nulls, .. } = self else { return Ok(()) };
        let count = elements(text, &texts.array_delimiter).count();
        let mut pushed = Ok(());
        if count != fields.len() && !texts.ignore_parse_errors {
            let reason = format!("a ROW of {} fields has {count}", fields.len());
            pushed = Err(Refused { reason });
        }
        let mut elements = elements(text, &texts.array_delimiter);
        for field in fields.iter_mut() {
            match elements.next() {
                None => field.push_null(),
                Some(element) => pushed = pushed.and(field.push_nested(element, texts)),
            }
        }
        nulls.append_non_null();
        pushed
    }

    /// The column, and an empty one in its place.
    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            Self::Null(count) => Arc::new(NullArray::new(std::mem::take(count))),
            Self::Boolean(b) => Arc::new(b.finish()),
            Self::TinyInt(b) => Arc::new(b.finish()),
            Self::SmallInt(b) => Arc::new(b.finish()),
            Self::Int(b) => Arc::new(b.finish()),
            Self::BigInt(b) => Arc::new(b.finish()),
            Self::Float(b) => Arc::new(b.finish()),
            Self::Double(b) => Arc::new(b.finish()),
            Self::Decimal { values, .. } => Arc::new(values.finish()),
            Self::Text(b) => Arc::new(b.finish()),
            Self::Bytes(b) => Arc::new(b.finish()),
            Self::Date(b) => Arc::new(b.finish()),
            Self::Time { values, .. } => Arc::new(values.finish()),
            Self::Timestamp { values, unit, utc } => timestamps(&values.finish(), *unit, *utc),
            Self::Months(b) => Arc::new(b.finish()),
            Self::Duration(b) => Arc::new(b.finish()),
            Self::Array { item, offsets, nulls } => {
                let item = item.finish()?;
                let offsets = std::mem::replace(offsets, vec![0]);
                let field = ArrowField::new("item", item.data_type().clone(), true);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(ListArray::try_new(Arc::new(field), offsets, item, nulls.finish())?)
            }
            Self::Row { fields, arrow, nulls } => {
                let arrays = fields.iter_mut().map(Self::finish).collect::<Result<_>>()?;
                Arc::new(StructArray::try_new(arrow.clone(), arrays, nulls.finish())?)
            }
        })
    }
}

fn unsupported(name: &str, data_type: &DataType) -> Error {
    Error::user(format!(
        "column '{name}' has the type {data_type}, which format 'csv' cannot carry"
    ))
    .with_hint(
        "as in Flink, csv takes scalars, TIME up to precision 3, and ARRAY or ROW of scalars",
    )
}

fn timestamps(values: &PrimitiveArray<Int64Type>, unit: TimeUnit, utc: bool) -> ArrayRef {
    let zone = utc.then(|| Arc::<str>::from("UTC"));
    match unit {
        TimeUnit::Microsecond => {
            Arc::new(values.reinterpret_cast::<TimestampMicrosecondType>().with_timezone_opt(zone))
        }
        TimeUnit::Nanosecond => {
            Arc::new(values.reinterpret_cast::<TimestampNanosecondType>().with_timezone_opt(zone))
        }
        _ => {
            Arc::new(values.reinterpret_cast::<TimestampMillisecondType>().with_timezone_opt(zone))
        }
    }
}

#[inline]
fn whole(text: &[u8], min: i64, max: i64, what: &str) -> Result<i64, Refused> {
    match scalar::integer(scalar::trim(text)) {
        Some(value) if (min..=max).contains(&value) => Ok(value),
        _ => Err(Refused::not(text, what)),
    }
}

fn timestamp(text: &[u8], unit: TimeUnit, utc: bool) -> Result<i64, Refused> {
    let text = scalar::trim(text);
    let what = if utc {
        "TIMESTAMP_LTZ (yyyy-MM-dd HH:mm:ss.SSSZ)"
    } else {
        "TIMESTAMP (yyyy-MM-dd HH:mm:ss.SSS)"
    };
    let plain = if utc { text.strip_suffix(b"Z") } else { Some(text) };
    plain.and_then(|t| scalar::sql_timestamp(t, unit)).ok_or_else(|| Refused::not(text, what))
}

/// The elements of an ARRAY or ROW; empty text has none.
fn elements<'a>(text: &'a [u8], delimiter: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = (!text.is_empty()).then_some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        match memchr::memmem::find(text, delimiter) {
            None => {
                rest = None;
                Some(text)
            }
            Some(at) => {
                rest = Some(&text[at + delimiter.len()..]);
                Some(&text[..at])
            }
        }
    })
}
