//! Columns as rows see them: each Arrow array is downcast once a batch, so that a writer of text can go row by row.
//! Invariant: the variant follows from the declared type; an array of another Arrow type is an internal error, never
//! a panic. It writes nothing: csv, print and partition paths each have their own text.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMillisecondType, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalYearMonthType, Time32MillisecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{
    Array, BinaryArray, BooleanArray, Decimal128Array, ListArray, MapArray, PrimitiveArray,
    StringArray, StructArray,
};
use arrow_schema::TimeUnit;
use mainstem_core::types::timestamp_unit;
use mainstem_core::{DataType, Error, Result, TypeKind};

/// One column, typed.
#[derive(Debug)]
pub(crate) enum Cells<'a> {
    Null,
    Boolean(&'a BooleanArray),
    TinyInt(&'a PrimitiveArray<Int8Type>),
    SmallInt(&'a PrimitiveArray<Int16Type>),
    Int(&'a PrimitiveArray<Int32Type>),
    BigInt(&'a PrimitiveArray<Int64Type>),
    Float(&'a PrimitiveArray<Float32Type>),
    Double(&'a PrimitiveArray<Float64Type>),
    Decimal(&'a Decimal128Array, u8),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Bitmap(&'a BinaryArray),
    Date(&'a PrimitiveArray<Date32Type>),
    Time(&'a PrimitiveArray<Time32MillisecondType>),
    Timestamp { array: &'a dyn Array, values: &'a [i64], unit: TimeUnit, utc: bool },
    Months(&'a PrimitiveArray<IntervalYearMonthType>),
    Duration(&'a PrimitiveArray<DurationMillisecondType>),
    Array(&'a ListArray, Box<Cells<'a>>),
    Map(&'a MapArray, Box<Cells<'a>>, Box<Cells<'a>>),
    Row(&'a StructArray, Vec<Cells<'a>>),
}

impl<'a> Cells<'a> {
    /// `array` as values of `data_type`.
    pub(crate) fn new(array: &'a dyn Array, data_type: &DataType) -> Result<Self> {
        let cells = match &data_type.kind {
            TypeKind::Null => Some(Self::Null),
            TypeKind::Boolean => array.as_boolean_opt().map(Self::Boolean),
            TypeKind::TinyInt => array.as_primitive_opt().map(Self::TinyInt),
            TypeKind::SmallInt => array.as_primitive_opt().map(Self::SmallInt),
            TypeKind::Int => array.as_primitive_opt().map(Self::Int),
            TypeKind::BigInt => array.as_primitive_opt().map(Self::BigInt),
            TypeKind::Float => array.as_primitive_opt().map(Self::Float),
            TypeKind::Double => array.as_primitive_opt().map(Self::Double),
            TypeKind::Decimal { scale, .. } => {
                array.as_primitive_opt::<Decimal128Type>().map(|a| Self::Decimal(a, *scale))
            }
            TypeKind::Char { .. } | TypeKind::Varchar { .. } => {
                array.as_string_opt().map(Self::Text)
            }
            TypeKind::Binary { .. } | TypeKind::Varbinary { .. } => {
                array.as_binary_opt().map(Self::Bytes)
            }
            TypeKind::Date => array.as_primitive_opt().map(Self::Date),
            TypeKind::Time { .. } => array.as_primitive_opt().map(Self::Time),
            TypeKind::Timestamp { precision } => Self::timestamp(array, *precision, false),
            TypeKind::TimestampLtz { precision } => Self::timestamp(array, *precision, true),
            TypeKind::IntervalYearMonth => array.as_primitive_opt().map(Self::Months),
            TypeKind::IntervalDayTime => array.as_primitive_opt().map(Self::Duration),
            TypeKind::Bitmap => array.as_binary_opt().map(Self::Bitmap),
            TypeKind::Variant => array.as_string_opt().map(Self::Text),
            TypeKind::Array(item) => match array.as_list_opt::<i32>() {
                Some(list) => {
                    Some(Self::Array(list, Box::new(Self::new(list.values().as_ref(), item)?)))
                }
                None => None,
            },
            TypeKind::Map(key, value) => Self::map(array, key, value)?,
            TypeKind::Multiset(item) => Self::map(array, item, &TypeKind::Int.not_null())?,
            TypeKind::Row(fields) => match array.as_struct_opt() {
                Some(rows) if rows.num_columns() == fields.len() => {
                    let columns = rows.columns().iter().zip(fields);
                    let cells = columns.map(|(c, f)| Self::new(c.as_ref(), &f.data_type));
                    Some(Self::Row(rows, cells.collect::<Result<_>>()?))
                }
                _ => None,
            },
        };
        cells.ok_or_else(|| {
            Error::internal(format!(
                "a column of type {data_type} is carried as {}",
                array.data_type()
            ))
        })
    }

    fn timestamp(array: &'a dyn Array, precision: u8, utc: bool) -> Option<Self> {
        let unit = timestamp_unit(precision);
        let values: &[i64] = match unit {
            TimeUnit::Second => return None,
            TimeUnit::Millisecond => array.as_primitive_opt::<TimestampMillisecondType>()?.values(),
            TimeUnit::Microsecond => array.as_primitive_opt::<TimestampMicrosecondType>()?.values(),
            TimeUnit::Nanosecond => array.as_primitive_opt::<TimestampNanosecondType>()?.values(),
        };
        Some(Self::Timestamp { array, values, unit, utc })
    }

    fn map(array: &'a dyn Array, key: &DataType, value: &DataType) -> Result<Option<Self>> {
        let Some(map) = array.as_map_opt() else { return Ok(None) };
        let keys = Self::new(map.keys().as_ref(), key)?;
        let values = Self::new(map.values().as_ref(), value)?;
        Ok(Some(Self::Map(map, Box::new(keys), Box::new(values))))
    }

    /// Whether the value at `row` is NULL.
    #[inline]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Null => true,
            Self::Boolean(a) => a.is_null(row),
            Self::TinyInt(a) => a.is_null(row),
            Self::SmallInt(a) => a.is_null(row),
            Self::Int(a) => a.is_null(row),
            Self::BigInt(a) => a.is_null(row),
            Self::Float(a) => a.is_null(row),
            Self::Double(a) => a.is_null(row),
            Self::Decimal(a, _) => a.is_null(row),
            Self::Text(a) => a.is_null(row),
            Self::Bytes(a) | Self::Bitmap(a) => a.is_null(row),
            Self::Date(a) => a.is_null(row),
            Self::Time(a) => a.is_null(row),
            Self::Timestamp { array, .. } => array.is_null(row),
            Self::Months(a) => a.is_null(row),
            Self::Duration(a) => a.is_null(row),
            Self::Array(a, _) => a.is_null(row),
            Self::Map(a, _, _) => a.is_null(row),
            Self::Row(a, _) => a.is_null(row),
        }
    }

    /// Where the elements of the ARRAY or MAP at `row` are in its cells.
    pub(crate) fn elements(&self, row: usize) -> std::ops::Range<usize> {
        let offsets = match self {
            Self::Array(list, _) => list.value_offsets(),
            Self::Map(map, _, _) => map.value_offsets(),
            _ => return 0..0,
        };
        offsets[row] as usize..offsets[row + 1] as usize
    }
}
