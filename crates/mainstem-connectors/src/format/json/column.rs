//! One column under construction: spans in, an Arrow array out, with the conversions of Flink's json format.
//! Invariant: every span appends exactly one value, NULL if it could not be converted; so columns stay of one length,
//! and the rows that were refused are taken out later. Nested values hold columns of their own.
//! Does not know records or policies.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, BooleanBuilder, NullBufferBuilder, StringBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, DurationMillisecondType, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalYearMonthType,
    Time32MillisecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, NullArray, PrimitiveArray};
use arrow_buffer::ArrowNativeType;
use arrow_schema::{DataType as ArrowType, TimeUnit};
use mainstem_core::types::timestamp_unit;
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::convert::{self, Cell, Converted};
use super::nested::{ListColumn, MapColumn, RowColumn};
use super::scan::{Kind, Span};
use super::text::{compact, unescape};
use super::time::{Standard, TimestampReader};
use crate::format::bad_record::RecordError;

/// What conversions need to know beside the value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    /// The payload that spans point into.
    pub(super) text: &'a str,
    /// A value that cannot be converted is NULL (`json.ignore-parse-errors`).
    pub(super) lenient: bool,
    /// A field that is not there is an error (`json.fail-on-missing-field`).
    pub(super) fail_on_missing: bool,
}

/// The spans of one field in consecutive rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spans<'a> {
    pub(super) spans: &'a [Span],
    pub(super) stride: usize,
    pub(super) slot: usize,
    /// The number of the first row, for errors.
    pub(super) first_row: u32,
}

impl<'a> Spans<'a> {
    /// A single value.
    pub(super) fn one(span: &'a Span, row: u32) -> Self {
        Self { spans: std::slice::from_ref(span), stride: 1, slot: 0, first_row: row }
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len() / self.stride
    }

    #[inline(always)]
    pub(super) fn iter(self) -> impl Iterator<Item = (u32, Span)> {
        let slot = self.slot;
        (self.first_row..).zip(self.spans.chunks_exact(self.stride).map(move |row| row[slot]))
    }
}

/// A row that has to be taken out. `error.at` is an offset in the payload.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) row: u32,
    pub(super) error: RecordError,
}

/// A column and how it is named in errors.
#[derive(Debug)]
pub(super) struct Column {
    label: Label,
    values: Values,
}

/// What errors say of a column.
#[derive(Debug)]
pub(super) struct Label {
    /// `address.city` for a nested field.
    pub(super) name: String,
    pub(super) type_name: String,
    /// Declared NOT NULL, at the top level.
    pub(super) required: bool,
}

#[derive(Debug)]
enum Values {
    Null(usize),
    Boolean(BooleanBuilder),
    TinyInt(Numbers<i8>),
    SmallInt(Numbers<i16>),
    Int(Numbers<i32>),
    BigInt(Numbers<i64>),
    Float(Numbers<f32>),
    Double(Numbers<f64>),
    Decimal { numbers: Numbers<i128>, precision: u8, scale: u8 },
    String(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Numbers<i32>),
    Time(Numbers<i32>),
    Timestamp { numbers: Numbers<i64>, unit: TimeUnit, local: bool, reader: TimestampReader },
    Months(Numbers<i32>),
    Milliseconds(Numbers<i64>),
    List(Box<ListColumn>),
    Map(Box<MapColumn>),
    Row(Box<RowColumn>),
}

/// Values of a fixed width and which of them are NULL.
#[derive(Debug)]
struct Numbers<T> {
    values: Vec<T>,
    nulls: NullBufferBuilder,
}

impl<T: Default> Numbers<T> {
    fn new() -> Self {
        Self { values: Vec::new(), nulls: NullBufferBuilder::new(0) }
    }

    #[inline(always)]
    fn push(&mut self, value: Option<T>) {
        match value {
            Some(value) => {
                self.values.push(value);
                self.nulls.append_non_null();
            }
            None => {
                self.values.push(T::default());
                self.nulls.append_null();
            }
        }
    }

    fn finish<A: ArrowPrimitiveType<Native = T>>(&mut self) -> PrimitiveArray<A>
    where
        T: ArrowNativeType,
    {
        let values = std::mem::take(&mut self.values);
        // The next batch will be about as long.
        self.values.reserve(values.len());
        PrimitiveArray::new(values.into(), self.nulls.finish())
    }
}

impl Column {
    /// A column of `data_type` called `name`.
    pub(super) fn new(name: &str, data_type: &DataType, standard: Standard) -> Result<Self> {
        let values = match &data_type.kind {
            TypeKind::Null => Values::Null(0),
            TypeKind::Boolean => Values::Boolean(BooleanBuilder::new()),
            TypeKind::TinyInt => Values::TinyInt(Numbers::new()),
            TypeKind::SmallInt => Values::SmallInt(Numbers::new()),
            TypeKind::Int => Values::Int(Numbers::new()),
            TypeKind::BigInt => Values::BigInt(Numbers::new()),
            TypeKind::Float => Values::Float(Numbers::new()),
            TypeKind::Double => Values::Double(Numbers::new()),
            &TypeKind::Decimal { precision, scale } => {
                Values::Decimal { numbers: Numbers::new(), precision, scale }
            }
            TypeKind::Char { .. } | TypeKind::Varchar { .. } => {
                Values::String(StringBuilder::new())
            }
            TypeKind::Binary { .. } | TypeKind::Varbinary { .. } => {
                Values::Bytes(BinaryBuilder::new())
            }
            TypeKind::Date => Values::Date(Numbers::new()),
            TypeKind::Time { .. } => Values::Time(Numbers::new()),
            &TypeKind::Timestamp { precision } => timestamps(precision, false, standard),
            &TypeKind::TimestampLtz { precision } => timestamps(precision, true, standard),
            TypeKind::IntervalYearMonth => Values::Months(Numbers::new()),
            TypeKind::IntervalDayTime => Values::Milliseconds(Numbers::new()),
            TypeKind::Bitmap | TypeKind::Variant => {
                return Err(super::encode::no_json_form(name, data_type));
            }
            TypeKind::Array(item) => {
                Values::List(Box::new(ListColumn::new(name, data_type, item, standard)?))
            }
            TypeKind::Map(key, _) | TypeKind::Multiset(key) if !key.kind.is_string() => {
                return Err(Error::user(format!(
                    "column '{name}': format 'json' needs string keys, and {data_type} has others"
                ))
                .with_hint("declare the keys as STRING"));
            }
            TypeKind::Map(_, value) => {
                Values::Map(Box::new(MapColumn::new(name, data_type, value, standard)?))
            }
            TypeKind::Multiset(_) => {
                let count = TypeKind::Int.nullable();
                Values::Map(Box::new(MapColumn::new(name, data_type, &count, standard)?))
            }
            TypeKind::Row(fields) => {
                Values::Row(Box::new(RowColumn::new(name, data_type, fields, standard)?))
            }
        };
        let label =
            Label { name: name.to_owned(), type_name: data_type.kind.to_string(), required: false };
        Ok(Self { label, values })
    }

    /// The same for a top-level column, where NOT NULL counts.
    #[must_use]
    pub(super) fn required(mut self, required: bool) -> Self {
        self.label.required = required;
        self
    }

    pub(super) fn label(&self) -> &Label {
        &self.label
    }

    /// Appends a value a span. Rows that must not stay are added to `refused`.
    pub(super) fn append(
        &mut self,
        reading: Reading<'_>,
        spans: Spans<'_>,
        refused: &mut Vec<Refused>,
    ) {
        let mut fill = Fill { label: &self.label, reading, spans, refused };
        match &mut self.values {
            Values::Null(count) => *count += spans.len(),
            Values::Boolean(b) => fill.run(convert::boolean, |v| b.append_option(v)),
            Values::TinyInt(n) => fill.run(convert::tiny_int, |v| n.push(v)),
            Values::SmallInt(n) => fill.run(convert::small_int, |v| n.push(v)),
            Values::Int(n) | Values::Months(n) => fill.run(convert::int, |v| n.push(v)),
            Values::BigInt(n) | Values::Milliseconds(n) => {
                fill.run(convert::big_int, |v| n.push(v));
            }
            Values::Float(n) => fill.run(convert::float, |v| n.push(v)),
            Values::Double(n) => fill.run(convert::double, |v| n.push(v)),
            Values::Decimal { numbers, precision, scale } => {
                fill.run(|cell| convert::decimal(cell, *precision, *scale), |v| numbers.push(v));
            }
            Values::String(b) => fill.strings(b),
            Values::Bytes(b) => fill.run(convert::bytes, |v| b.append_option(v)),
            Values::Date(n) => fill.run(convert::date, |v| n.push(v)),
            Values::Time(n) => fill.run(convert::time, |v| n.push(v)),
            Values::Timestamp { numbers, reader, .. } => {
                fill.run(|cell| convert::timestamp(cell, reader), |v| numbers.push(v));
            }
            Values::List(list) => list.append(&mut fill),
            Values::Map(map) => map.append(&mut fill),
            Values::Row(row) => row.append(&mut fill),
        }
    }

    /// The array of all values since the last call.
    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match &mut self.values {
            Values::Null(count) => Arc::new(NullArray::new(std::mem::take(count))),
            Values::Boolean(b) => Arc::new(b.finish()),
            Values::TinyInt(n) => Arc::new(n.finish::<Int8Type>()),
            Values::SmallInt(n) => Arc::new(n.finish::<Int16Type>()),
            Values::Int(n) => Arc::new(n.finish::<Int32Type>()),
            Values::BigInt(n) => Arc::new(n.finish::<Int64Type>()),
            Values::Float(n) => Arc::new(n.finish::<Float32Type>()),
            Values::Double(n) => Arc::new(n.finish::<Float64Type>()),
            Values::Decimal { numbers, precision, scale } => Arc::new(
                numbers
                    .finish::<Decimal128Type>()
                    .with_data_type(ArrowType::Decimal128(*precision, *scale as i8)),
            ),
            Values::String(b) => finish_strings(b),
            Values::Bytes(b) => Arc::new(b.finish()),
            Values::Date(n) => Arc::new(n.finish::<Date32Type>()),
            Values::Time(n) => Arc::new(n.finish::<Time32MillisecondType>()),
            Values::Timestamp { numbers, unit, local, .. } => {
                timestamp_array(numbers, *unit, *local)
            }
            Values::Months(n) => Arc::new(n.finish::<IntervalYearMonthType>()),
            Values::Milliseconds(n) => Arc::new(n.finish::<DurationMillisecondType>()),
            Values::List(list) => list.finish()?,
            Values::Map(map) => map.finish()?,
            Values::Row(row) => row.finish()?,
        })
    }
}

fn finish_strings(builder: &mut StringBuilder) -> ArrayRef {
    let array = builder.finish();
    // The next batch will be about as large; growing step by step would copy it again and again.
    let (rows, bytes) = (array.len(), array.value_data().len());
    *builder = StringBuilder::with_capacity(rows + rows / 8, bytes + bytes / 8);
    Arc::new(array)
}

fn timestamps(precision: u8, local: bool, standard: Standard) -> Values {
    let unit = timestamp_unit(precision);
    let reader = TimestampReader::new(standard, local, unit);
    Values::Timestamp { numbers: Numbers::new(), unit, local, reader }
}

fn timestamp_array(numbers: &mut Numbers<i64>, unit: TimeUnit, local: bool) -> ArrayRef {
    let zone = local.then_some("UTC");
    match unit {
        TimeUnit::Second => {
            Arc::new(numbers.finish::<TimestampSecondType>().with_timezone_opt(zone))
        }
        TimeUnit::Millisecond => {
            Arc::new(numbers.finish::<TimestampMillisecondType>().with_timezone_opt(zone))
        }
        TimeUnit::Microsecond => {
            Arc::new(numbers.finish::<TimestampMicrosecondType>().with_timezone_opt(zone))
        }
        TimeUnit::Nanosecond => {
            Arc::new(numbers.finish::<TimestampNanosecondType>().with_timezone_opt(zone))
        }
    }
}

/// One run over the spans of a column.
#[derive(Debug)]
pub(super) struct Fill<'a> {
    pub(super) label: &'a Label,
    pub(super) reading: Reading<'a>,
    pub(super) spans: Spans<'a>,
    pub(super) refused: &'a mut Vec<Refused>,
}

impl Fill<'_> {
    /// Converts every value and pushes it, or NULL.
    #[inline(always)]
    fn run<T>(
        &mut self,
        mut convert: impl FnMut(Cell<'_>) -> Converted<T>,
        mut push: impl FnMut(Option<T>),
    ) {
        let bytes = self.reading.text.as_bytes();
        for (row, span) in self.spans.iter() {
            let converted = match span.kind {
                Kind::Missing | Kind::Null => Ok(None),
                Kind::Escaped => self.escaped(span, &mut convert),
                kind => convert(Cell {
                    window: &bytes[span.start as usize..],
                    len: (span.end - span.start) as usize,
                    kind,
                }),
            };
            let value = match converted {
                Ok(Some(value)) => Some(value),
                Ok(None) => {
                    self.null(row, span);
                    None
                }
                Err(()) => {
                    self.refuse(row, span);
                    None
                }
            };
            push(value);
        }
    }

    #[cold]
    fn escaped<T>(
        &self,
        span: Span,
        convert: &mut impl FnMut(Cell<'_>) -> Converted<T>,
    ) -> Converted<T> {
        let mut plain = String::new();
        unescape(self.raw(span), &mut plain);
        convert(Cell { window: plain.as_bytes(), len: plain.len(), kind: Kind::Text })
    }

    fn strings(&mut self, out: &mut StringBuilder) {
        let text = self.reading.text;
        for (row, span) in self.spans.iter() {
            match span.kind {
                Kind::Missing | Kind::Null => {
                    self.null(row, span);
                    out.append_null();
                }
                Kind::Escaped => {
                    let mut plain = String::new();
                    unescape(self.raw(span), &mut plain);
                    out.append_value(&plain);
                }
                Kind::Object | Kind::Array => {
                    let mut json = Vec::new();
                    compact(text, span, &mut json);
                    out.append_value(String::from_utf8_lossy(&json));
                }
                _ => out.append_value(&text[span.start as usize..span.end as usize]),
            }
        }
    }

    pub(super) fn raw(&self, span: Span) -> &str {
        &self.reading.text[span.start as usize..span.end as usize]
    }

    /// NULL is coming: is it allowed?
    #[inline(always)]
    pub(super) fn null(&mut self, row: u32, span: Span) {
        if self.label.required {
            self.null_refused(row, span);
        }
    }

    #[cold]
    fn null_refused(&mut self, row: u32, span: Span) {
        let missing = if span.kind == Kind::Missing { " (the field is missing)" } else { "" };
        let reason = format!("column '{}' is NOT NULL and got NULL{missing}", self.label.name);
        self.refused.push(Refused { row, error: RecordError::new(span.start as usize, reason) });
    }

    /// The value at `span` does not fit the type: NULL if that is what the user asked for, else the row goes.
    #[cold]
    pub(super) fn refuse(&mut self, row: u32, span: Span) {
        if self.reading.lenient {
            return self.null(row, span);
        }
        let raw = self.raw(span);
        let mut shown: String = raw.chars().take(40).collect();
        if shown.len() < raw.len() {
            shown.push_str("...");
        }
        let quote = if matches!(span.kind, Kind::Text | Kind::Escaped) { "\"" } else { "" };
        let Label { name, type_name, .. } = self.label;
        let reason = format!("column '{name}': {quote}{shown}{quote} is no {type_name}");
        self.refused.push(Refused { row, error: RecordError::new(span.start as usize, reason) });
    }
}
