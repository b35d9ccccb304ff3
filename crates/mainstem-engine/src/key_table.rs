//! Key columns to dense group ids, and back.
//! Invariant: an id stands for one key from the row that interned it until it is released; equal keys have equal
//! ids; NULL equals NULL here (a join leaves NULL keys out before it asks). Ids are reused, smallest table first.
//! Does not allocate per row: hashing and probing run over whole batches, by one of three layouts.

mod bytes;
mod ints;

use std::fmt;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, new_empty_array};
use arrow_row::{RowConverter, SortField};
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Error, Result};

use crate::columns::{integers, is_integer_like, nulls};
use bytes::ByteKeys;
use ints::{OneKeys, TwoKeys};

/// The id given by [`KeyTable::lookup`] to a key that is not in the table.
pub(crate) const ABSENT: u32 = u32::MAX;

/// Hands out small integers and takes them back.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    free: Vec<u32>,
    next: u32,
}

impl Ids {
    #[inline]
    pub(crate) fn allocate(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let id = self.next;
            assert!(id < ABSENT, "fewer than 2^32 - 1 live keys");
            self.next += 1;
            id
        })
    }

    pub(crate) fn release(&mut self, ids: &[u32]) {
        self.free.extend_from_slice(ids);
        if self.free.len() == self.next as usize {
            *self = Self::default();
        }
    }

    /// One more than the greatest id in use.
    pub(crate) fn bound(&self) -> usize {
        self.next as usize
    }

    pub(crate) fn live(&self) -> usize {
        self.next as usize - self.free.len()
    }

    /// Those below the bound that are not in use.
    pub(crate) fn free(&self) -> &[u32] {
        &self.free
    }

    /// The ids in use, ascending.
    pub(crate) fn used(&self) -> Vec<u32> {
        let mut free = self.free.clone();
        free.sort_unstable();
        let mut free = free.into_iter().peekable();
        (0..self.next).filter(|id| free.next_if_eq(id).is_none()).collect()
    }
}

/// Maps rows of key columns to dense ids.
pub(crate) struct KeyTable {
    ids: Ids,
    layout: Layout,
    types: Vec<ArrowType>,
}

enum Layout {
    /// No key column: one key.
    Unit,
    One(OneKeys),
    Two(TwoKeys),
    Text(ByteKeys),
    Rows(RowConverter, ByteKeys),
}

impl fmt::Debug for KeyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyTable").field("types", &self.types).field("live", &self.len()).finish()
    }
}

impl KeyTable {
    /// An empty table for keys of the given types; refuses types that cannot be compared.
    pub(crate) fn new(types: &[ArrowType]) -> Result<Self> {
        let layout = match types {
            [] => Layout::Unit,
            [a] if is_integer_like(a) => Layout::One(OneKeys::default()),
            [a, b] if is_integer_like(a) && is_integer_like(b) => Layout::Two(TwoKeys::default()),
            [ArrowType::Utf8] => Layout::Text(ByteKeys::default()),
            _ => {
                let fields: Vec<_> = types.iter().cloned().map(SortField::new).collect();
                if !RowConverter::supports_fields(&fields) {
                    return Err(Error::user(format!("a key of type {types:?} is not supported"))
                        .with_hint("use a column of a scalar, ROW or ARRAY type as the key"));
                }
                Layout::Rows(RowConverter::new(fields)?, ByteKeys::default())
            }
        };
        Ok(Self { ids: Ids::default(), layout, types: types.to_vec() })
    }

    /// The ids of the keys.
    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// How many keys are in the table.
    pub(crate) fn len(&self) -> usize {
        self.ids.live()
    }

    /// One more than the greatest id in use.
    pub(crate) fn bound(&self) -> usize {
        self.ids.bound()
    }

    /// Those below the bound that no key has.
    pub(crate) fn free(&self) -> &[u32] {
        self.ids.free()
    }

    /// The ids of all keys in the table, ascending.
    pub(crate) fn used(&self) -> Vec<u32> {
        self.ids.used()
    }

    /// The id of each row's key, new ids for new keys; `out` is overwritten.
    pub(crate) fn intern(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        out.clear();
        out.reserve(rows);
        let ids = &mut self.ids;
        match &mut self.layout {
            Layout::Unit => {
                if rows > 0 && ids.live() == 0 {
                    ids.allocate();
                }
                out.resize(rows, 0);
            }
            Layout::One(keys) => {
                let values = integers(&columns[0])?;
                keys.intern(values.as_ref(), nulls(&columns[0]), ids, out);
            }
            Layout::Two(keys) => {
                let (a, b) = (integers(&columns[0])?, integers(&columns[1])?);
                let columns = [(a.as_ref(), nulls(&columns[0])), (b.as_ref(), nulls(&columns[1]))];
                keys.intern(&columns, ids, out);
            }
            Layout::Text(keys) => {
                let values = columns[0].as_string::<i32>();
                let (offsets, data) = (values.value_offsets(), values.value_data());
                keys.intern(rows, nulls(&columns[0]), ids, out, |row| {
                    &data[offsets[row] as usize..offsets[row + 1] as usize]
                });
            }
            Layout::Rows(converter, keys) => {
                let encoded = converter.convert_columns(columns)?;
                keys.intern(rows, None, ids, out, |row| encoded.row(row).data());
            }
        }
        Ok(())
    }

    /// The id of each row's key, [`ABSENT`] for keys that are not in the table; `out` is overwritten.
    pub(crate) fn lookup(
        &self,
        columns: &[ArrayRef],
        rows: usize,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        out.clear();
        out.reserve(rows);
        match &self.layout {
            Layout::Unit => out.resize(rows, if self.ids.live() == 0 { ABSENT } else { 0 }),
            Layout::One(keys) => {
                let values = integers(&columns[0])?;
                keys.lookup(values.as_ref(), nulls(&columns[0]), out);
            }
            Layout::Two(keys) => {
                let (a, b) = (integers(&columns[0])?, integers(&columns[1])?);
                let columns = [(a.as_ref(), nulls(&columns[0])), (b.as_ref(), nulls(&columns[1]))];
                keys.lookup(&columns, out);
            }
            Layout::Text(keys) => {
                let values = columns[0].as_string::<i32>();
                let (offsets, data) = (values.value_offsets(), values.value_data());
                keys.lookup(rows, nulls(&columns[0]), out, |row| {
                    &data[offsets[row] as usize..offsets[row + 1] as usize]
                });
            }
            Layout::Rows(converter, keys) => {
                let encoded = converter.convert_columns(columns)?;
                keys.lookup(rows, None, out, |row| encoded.row(row).data());
            }
        }
        Ok(())
    }

    /// The key columns of `ids`, in that order.
    pub(crate) fn emit(&self, ids: &[u32]) -> Result<Vec<ArrayRef>> {
        match &self.layout {
            Layout::Unit => Ok(Vec::new()),
            Layout::One(keys) => Ok(vec![keys.emit(ids, &self.types[0])?]),
            Layout::Two(keys) => keys.emit(ids, &self.types),
            Layout::Text(keys) => Ok(vec![keys.emit_text(ids)]),
            Layout::Rows(_, _) if ids.is_empty() => {
                Ok(self.types.iter().map(new_empty_array).collect())
            }
            Layout::Rows(converter, keys) => {
                let parser = converter.parser();
                Ok(converter.convert_rows(ids.iter().map(|&id| parser.parse(keys.get(id))))?)
            }
        }
    }

    /// Forgets the keys of `ids`.
    pub(crate) fn release(&mut self, ids: &[u32]) {
        match &mut self.layout {
            Layout::Unit => {}
            Layout::One(keys) => keys.release(ids),
            Layout::Two(keys) => keys.release(ids),
            Layout::Text(keys) | Layout::Rows(_, keys) => keys.release(ids),
        }
        self.ids.release(ids);
    }

    /// Forgets every key.
    pub(crate) fn clear(&mut self) {
        match &mut self.layout {
            Layout::Unit => {}
            Layout::One(keys) => keys.clear(),
            Layout::Two(keys) => keys.clear(),
            Layout::Text(keys) | Layout::Rows(_, keys) => keys.clear(),
        }
        self.ids = Ids::default();
    }

    /// Memory held, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        match &self.layout {
            Layout::Unit => 0,
            Layout::One(keys) => keys.size_bytes(),
            Layout::Two(keys) => keys.size_bytes(),
            Layout::Text(keys) => keys.size_bytes(),
            Layout::Rows(converter, keys) => converter.size() + keys.size_bytes(),
        }
    }
}

#[cfg(test)]
mod tests;
