//! Rows as bytes, one after another, so that a single one can be read back.
//! Layout of a row: a bit a column (set: NULL), the columns of fixed width, then the others, each behind its length (u32, little
//! endian). Booleans are a byte; a column of ROWs, ARRAYs and the like is what [`arrow_row`] makes of it.
//! Invariant: what was encoded is decoded, NULLs and all. Not a format of files: it lives as long as the process.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, make_array};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_row::{RowConverter, SortField};
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Error, Result};

/// How a column is written.
#[derive(Debug)]
enum Column {
    /// So many bytes.
    Fixed(usize),
    Boolean,
    Text,
    Binary,
    Other(RowConverter),
}

impl Column {
    fn new(data_type: &ArrowType) -> Result<Self> {
        Ok(match data_type {
            ArrowType::Boolean => Self::Boolean,
            ArrowType::Utf8 => Self::Text,
            ArrowType::Binary => Self::Binary,
            fixed if fixed.primitive_width().is_some() => {
                Self::Fixed(fixed.primitive_width().unwrap_or_default())
            }
            other => Self::Other(RowConverter::new(vec![SortField::new(other.clone())])?),
        })
    }

    fn width(&self) -> Option<usize> {
        match self {
            Self::Fixed(width) => Some(*width),
            Self::Boolean => Some(1),
            _ => None,
        }
    }
}

/// Encodes and decodes rows of given types.
#[derive(Debug)]
pub(super) struct RowCodec {
    types: Vec<ArrowType>,
    columns: Vec<Column>,
    /// Those of varying width.
    varying: Vec<usize>,
    /// Where the columns of varying width begin.
    fixed_bytes: usize,
}

/// Rows one after another, and where each begins; one more place than rows.
pub(super) struct EncodedRows {
    pub(super) bytes: Vec<u8>,
    pub(super) offsets: Box<[u32]>,
}

/// The bytes of a column's values, by row.
enum Values<'a> {
    Fixed(ArrayData, usize),
    Boolean(&'a BooleanArray),
    /// Offsets and bytes.
    Varying(ScalarBuffer<i32>, Buffer),
    Other(arrow_row::Rows),
}

impl Values<'_> {
    fn bytes(&self, row: usize) -> &[u8] {
        match self {
            Values::Fixed(data, width) => {
                let at = (data.offset() + row) * width;
                &data.buffers()[0].as_slice()[at..at + width]
            }
            Values::Boolean(values) => {
                if values.value(row) {
                    &[1]
                } else {
                    &[0]
                }
            }
            Values::Varying(offsets, data) => {
                &data.as_slice()[offsets[row] as usize..offsets[row + 1] as usize]
            }
            Values::Other(rows) => rows.row(row).data(),
        }
    }
}

impl RowCodec {
    /// Fails with types that no row can be made of.
    pub(super) fn new(types: &[ArrowType]) -> Result<Self> {
        let columns = types.iter().map(Column::new).collect::<Result<Vec<_>>>()?;
        let widths: usize = columns.iter().filter_map(Column::width).sum();
        let fixed_bytes = types.len().div_ceil(8) + widths;
        let varying = (0..columns.len()).filter(|&at| columns[at].width().is_none()).collect();
        Ok(Self { types: types.to_vec(), columns, varying, fixed_bytes })
    }

    /// How many columns a row has.
    pub(super) fn width(&self) -> usize {
        self.types.len()
    }

    fn values<'a>(&self, at: usize, array: &'a ArrayRef) -> Result<Values<'a>> {
        Ok(match &self.columns[at] {
            Column::Fixed(width) => Values::Fixed(array.to_data(), *width),
            Column::Boolean => Values::Boolean(array.as_boolean()),
            Column::Text => {
                let values = array.as_string::<i32>();
                Values::Varying(values.offsets().inner().clone(), values.values().clone())
            }
            Column::Binary => {
                let values = array.as_binary::<i32>();
                Values::Varying(values.offsets().inner().clone(), values.values().clone())
            }
            Column::Other(converter) => {
                Values::Other(converter.convert_columns(std::slice::from_ref(array))?)
            }
        })
    }

    /// All rows of these columns. Fails if they take more than 4 GiB.
    pub(super) fn encode(&self, columns: &[ArrayRef], rows: usize) -> Result<EncodedRows> {
        let all = columns.iter().enumerate().map(|(at, array)| self.values(at, array));
        let all = all.collect::<Result<Vec<_>>>()?;
        let (mut offsets, mut end) = (Vec::with_capacity(rows + 1), 0_u64);
        for row in 0..rows {
            offsets.push(end as u32);
            let lengths = self.varying.iter().map(|&at| match columns[at].is_null(row) {
                true => 0,
                false => 4 + all[at].bytes(row).len() as u64,
            });
            end += self.fixed_bytes as u64 + lengths.sum::<u64>();
        }
        let size = u32::try_from(end).map_err(|_| Error::internal("a chunk of rows over 4 GiB"))?;
        offsets.push(size);
        let mut bytes = vec![0; size as usize];
        let mut place = columns.len().div_ceil(8);
        let mut next: Vec<u32> =
            offsets[..rows].iter().map(|at| at + self.fixed_bytes as u32).collect();
        for (at, values) in all.iter().enumerate() {
            let nulls = columns[at].logical_nulls();
            let width = self.columns[at].width();
            for row in 0..rows {
                let start = offsets[row] as usize;
                if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                    bytes[start + at / 8] |= 1 << (at % 8);
                    continue;
                }
                let value = values.bytes(row);
                if width.is_some() {
                    bytes[start + place..][..value.len()].copy_from_slice(value);
                } else {
                    let start = next[row] as usize;
                    bytes[start..start + 4].copy_from_slice(&(value.len() as u32).to_le_bytes());
                    bytes[start + 4..][..value.len()].copy_from_slice(value);
                    next[row] += 4 + value.len() as u32;
                }
            }
            place += width.unwrap_or(0);
        }
        Ok(EncodedRows { bytes, offsets: offsets.into() })
    }

    /// How long the row is that begins here.
    pub(super) fn length(&self, row: &[u8]) -> usize {
        self.varying.iter().fold(self.fixed_bytes, |end, &at| match is_null(row, at) {
            true => end,
            false => end + 4 + length_at(row, end),
        })
    }

    /// The columns of rows that were encoded; `wanted`: of these, in ascending order.
    pub(super) fn decode(&self, rows: &[&[u8]], wanted: &[usize]) -> Result<Vec<ArrayRef>> {
        let mut place = self.types.len().div_ceil(8);
        let mut next = vec![self.fixed_bytes; rows.len()];
        let mut decoded = Vec::with_capacity(wanted.len());
        for (at, column) in self.columns.iter().enumerate() {
            let is_wanted = wanted.contains(&at);
            let null = |row: &[u8]| is_null(row, at);
            if let Some(width) = column.width() {
                if is_wanted {
                    let values = rows.iter().map(|row| &row[place..place + width]);
                    decoded.push(self.fixed(at, values, rows.iter().map(|row| !null(row)))?);
                }
                place += width;
                continue;
            }
            let values = rows.iter().zip(&mut next).map(|(row, next)| {
                if null(row) {
                    return None;
                }
                let start = *next + 4;
                *next = start + length_at(row, *next);
                Some(&row[start..*next])
            });
            let values: Vec<Option<&[u8]>> = values.collect();
            if is_wanted {
                decoded.push(self.varying(at, &values)?);
            }
        }
        Ok(decoded)
    }

    fn fixed<'a>(
        &self,
        at: usize,
        values: impl ExactSizeIterator<Item = &'a [u8]>,
        valid: impl Iterator<Item = bool>,
    ) -> Result<ArrayRef> {
        let rows = values.len();
        let nulls = Some(NullBuffer::from_iter(valid)).filter(|nulls| nulls.null_count() > 0);
        if matches!(self.columns[at], Column::Boolean) {
            let values: BooleanBuffer = values.map(|value| value[0] == 1).collect();
            return Ok(std::sync::Arc::new(BooleanArray::new(values, nulls)));
        }
        let mut bytes = Vec::with_capacity(rows * self.columns[at].width().unwrap_or(0));
        values.for_each(|value| bytes.extend_from_slice(value));
        let data = ArrayData::builder(self.types[at].clone()).len(rows).nulls(nulls);
        Ok(make_array(data.align_buffers(true).add_buffer(Buffer::from_vec(bytes)).build()?))
    }

    fn varying(&self, at: usize, values: &[Option<&[u8]>]) -> Result<ArrayRef> {
        if let Column::Other(converter) = &self.columns[at] {
            return self.others(converter, at, values);
        }
        let bytes: Vec<u8> =
            values.iter().flatten().flat_map(|value| value.iter().copied()).collect();
        let lengths = values.iter().map(|value| value.map_or(0, <[u8]>::len));
        let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
        let nulls = NullBuffer::from_iter(values.iter().map(Option::is_some));
        let data = ArrayData::builder(self.types[at].clone())
            .len(values.len())
            .nulls(Some(nulls).filter(|nulls| nulls.null_count() > 0))
            .add_buffer(offsets.into_inner().into_inner())
            .add_buffer(Buffer::from_vec(bytes));
        Ok(make_array(data.build()?))
    }

    fn others(
        &self,
        converter: &RowConverter,
        at: usize,
        values: &[Option<&[u8]>],
    ) -> Result<ArrayRef> {
        let parser = converter.parser();
        let there = values.iter().flatten().map(|value| parser.parse(value));
        let mut columns = converter.convert_rows(there)?;
        let there = columns.pop().ok_or_else(|| Error::internal("a row without its column"))?;
        if there.len() == values.len() {
            return Ok(there);
        }
        // What was NULL is put between.
        let mut place = 0..;
        let places = values.iter().map(|value| value.and_then(|_| place.next()));
        let places: arrow_array::UInt32Array = places.collect();
        let data_type = &self.types[at];
        match there.is_empty() {
            true => Ok(arrow_array::new_null_array(data_type, values.len())),
            false => Ok(arrow_select::take::take(&there, &places, None)?),
        }
    }
}

/// Whether a column of a row is NULL.
fn is_null(row: &[u8], column: usize) -> bool {
    row[column / 8] & (1 << (column % 8)) != 0
}

/// The length of the value behind it.
fn length_at(row: &[u8], at: usize) -> usize {
    let length = row[at..].first_chunk().expect("a value has its length before it");
    u32::from_le_bytes(*length) as usize
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{Int32Builder, ListBuilder};
    use arrow_array::{
        BinaryArray, Decimal128Array, Float64Array, Int8Array, Int64Array, StringArray,
        StructArray, TimestampMillisecondArray,
    };

    use super::*;

    fn columns() -> Vec<ArrayRef> {
        let mut lists = ListBuilder::new(Int32Builder::new());
        lists.append_value([Some(1), None, Some(3)]);
        lists.append_null();
        lists.append_value([]);
        lists.append_value([Some(-7)]);
        let inner: ArrayRef =
            Arc::new(StringArray::from(vec![Some("x"), None, Some(""), Some("yy")]));
        let field = Arc::new(arrow_schema::Field::new("a", ArrowType::Utf8, true));
        let valid = NullBuffer::from(vec![true, false, true, true]);
        vec![
            Arc::new(Int64Array::from(vec![Some(1), None, Some(i64::MIN), Some(4)])),
            Arc::new(StringArray::from(vec![Some("one"), Some(""), None, Some("żółć")])),
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true)])),
            Arc::new(Int8Array::from(vec![1, -1, 0, 127])),
            Arc::new(BinaryArray::from_opt_vec(vec![None, Some(b"\0"), Some(b""), Some(b"ab")])),
            Arc::new(Float64Array::from(vec![Some(f64::NAN), None, Some(-0.0), Some(1.5)])),
            Arc::new(TimestampMillisecondArray::from(vec![Some(5), None, Some(-1), Some(0)])),
            Arc::new(
                Decimal128Array::from(vec![
                    Some(1),
                    None,
                    Some(-5),
                    Some(i128::from(i64::MAX) * 9),
                ])
                .with_precision_and_scale(30, 3)
                .unwrap(),
            ),
            Arc::new(lists.finish()),
            Arc::new(StructArray::new(vec![field].into(), vec![inner], Some(valid))),
        ]
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        let columns = columns();
        let types: Vec<ArrowType> = columns.iter().map(|c| c.data_type().clone()).collect();
        let codec = RowCodec::new(&types).unwrap();
        let all: Vec<usize> = (0..columns.len()).collect();
        for (first, count) in [(0, 4), (1, 2), (2, 0)] {
            let slices: Vec<ArrayRef> = columns.iter().map(|c| c.slice(first, count)).collect();
            let encoded = codec.encode(&slices, count).unwrap();
            let row = |at: usize| {
                &encoded.bytes[encoded.offsets[at] as usize..encoded.offsets[at + 1] as usize]
            };
            let rows: Vec<&[u8]> = (0..count).map(row).collect();
            let decoded = codec.decode(&rows, &all).unwrap();
            for (decoded, slice) in decoded.iter().zip(&slices) {
                assert_eq!(format!("{decoded:?}"), format!("{slice:?}"));
            }
            let some = codec.decode(&rows, &[1, 3, 8]).unwrap();
            assert_eq!((some.len(), &some[2]), (3, &slices[8]));
            assert_eq!((&some[0], &some[1]), (&slices[1], &slices[3]));
        }
    }
}
