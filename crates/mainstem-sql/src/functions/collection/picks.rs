//! Arrays and maps made of elements of other arrays: which ones, row by row, then gathered at once.
//! Invariant: elements are never copied one by one; a row is closed exactly once, as a list or as NULL.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, StructArray, new_empty_array};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::DataType as ArrowType;
use arrow_select::interleave::interleave;
use mainstem_core::{DataType, Error, Result};
use mainstem_engine::expr::Value;

/// One list argument: an array of lists, or one list for all rows.
pub(super) struct Lists<'a> {
    list: &'a ListArray,
    stride: usize,
}

impl<'a> Lists<'a> {
    pub(super) fn new(value: &'a Value) -> Result<Self> {
        let list = value.array().as_list_opt::<i32>();
        let list = list.ok_or_else(|| Error::internal("an array kernel got another type"))?;
        Ok(Self { list, stride: usize::from(!value.is_scalar()) })
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.list.is_null(row * self.stride)
    }

    /// Where the elements of a row stand in [`Self::elements`].
    pub(super) fn range(&self, row: usize) -> std::ops::Range<usize> {
        let offsets = self.list.value_offsets();
        let row = row * self.stride;
        offsets[row] as usize..offsets[row + 1] as usize
    }

    pub(super) fn elements(&self) -> &'a ArrayRef {
        self.list.values()
    }
}

/// Elements as comparable bytes, several arrays of one type in one order.
pub(super) fn comparable<const N: usize>(arrays: [&ArrayRef; N]) -> Result<[Rows; N]> {
    let kind = arrays[0].data_type().clone();
    let converter = RowConverter::new(vec![SortField::new(kind)])?;
    let rows = arrays.map(|array| converter.convert_columns(&[Arc::clone(array)]));
    let rows: Vec<Rows> = rows.into_iter().collect::<Result<_, _>>()?;
    rows.try_into().map_err(|_| Error::internal("as many rows as arrays"))
}

/// The elements picked so far: (source, index) each.
pub(super) struct Picks {
    places: Vec<(usize, usize)>,
    offsets: Vec<i32>,
    valid: Vec<bool>,
}

impl Picks {
    pub(super) fn new(rows: usize) -> Self {
        Self { places: Vec::new(), offsets: vec![0], valid: Vec::with_capacity(rows) }
    }

    /// Adds an element to the row that is open.
    pub(super) fn pick(&mut self, source: usize, index: usize) {
        self.places.push((source, index));
    }

    /// The elements of the row that is open.
    pub(super) fn open(&self) -> &[(usize, usize)] {
        &self.places[self.offsets.last().map_or(0, |offset| *offset as usize)..]
    }

    /// Ends the row; a row that is not valid is NULL.
    pub(super) fn close(&mut self, valid: bool) {
        self.offsets.push(self.places.len() as i32);
        self.valid.push(valid);
    }

    fn gather(&self, sources: &[&dyn Array], kind: &ArrowType) -> Result<ArrayRef> {
        if self.places.is_empty() {
            return Ok(new_empty_array(kind));
        }
        Ok(interleave(sources, &self.places)?)
    }

    /// `ARRAY<item>` of the picked elements.
    pub(super) fn into_lists(self, sources: &[&dyn Array], list: &DataType) -> Result<ArrayRef> {
        let ArrowType::List(field) = list.to_arrow() else {
            return Err(Error::internal("a list kernel returns another type"));
        };
        let values = self.gather(sources, field.data_type())?;
        let offsets = OffsetBuffer::new(self.offsets.into());
        let nulls = Some(NullBuffer::from(self.valid)).filter(|nulls| nulls.null_count() > 0);
        Ok(Arc::new(ListArray::try_new(field, offsets, values, nulls)?))
    }

    /// MAP<key, value> of the picked pairs; the two lists of sources go together.
    pub(super) fn into_maps(
        self,
        keys: &[&dyn Array],
        values: &[&dyn Array],
        map: &DataType,
    ) -> Result<ArrayRef> {
        let beside = Self { places: self.places.clone(), offsets: Vec::new(), valid: Vec::new() };
        self.into_maps_beside(beside, keys, values, map)
    }

    /// The same with the values picked apart from the keys, one for each.
    pub(super) fn into_maps_beside(
        self,
        beside: Picks,
        keys: &[&dyn Array],
        values: &[&dyn Array],
        map: &DataType,
    ) -> Result<ArrayRef> {
        let ArrowType::Map(entries, _) = map.to_arrow() else {
            return Err(Error::internal("a map kernel returns another type"));
        };
        let ArrowType::Struct(fields) = entries.data_type().clone() else {
            return Err(Error::internal("map entries are a struct"));
        };
        let keys = self.gather(keys, fields[0].data_type())?;
        if keys.null_count() > 0 {
            return Err(
                Error::user("a key of a map is NULL").with_hint("replace NULL keys with COALESCE")
            );
        }
        let values = beside.gather(values, fields[1].data_type())?;
        let pairs = StructArray::try_new(fields, vec![keys, values], None)?;
        let offsets = OffsetBuffer::new(self.offsets.into());
        let nulls = Some(NullBuffer::from(self.valid)).filter(|nulls| nulls.null_count() > 0);
        Ok(Arc::new(MapArray::try_new(entries, offsets, pairs, nulls, false)?))
    }
}
