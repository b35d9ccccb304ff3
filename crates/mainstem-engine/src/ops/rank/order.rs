//! Sort keys of rows in a form that compares without looking at columns, and what a partition holds of a row.
//! Invariant: entries of one partition are ordered by sort key, then by arrival. The first 96 bits of the key are in
//! the entry; where that is not all of the key, the rest is in an arena, by row.

use std::cmp::Ordering;

use arrow_array::ArrayRef;
use arrow_row::{RowConverter, SortField};
use arrow_schema::{DataType as ArrowType, SortOptions};
use mainstem_core::{Batch, Error, Result};

use super::store::DEAD;
use crate::columns::{integers, is_integer_like, nulls};

/// Below this many dead bytes the arena is left alone.
const COMPACT_MIN_BYTES: usize = 1 << 16;
/// This many bytes of a key are in the entry.
const PREFIX_BYTES: usize = 12;

/// The first bytes of a sort key; compared before all else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Prefix {
    high: u64,
    low: u32,
}

/// A row of a partition: 96 bits of its sort key, 64 of its arrival, 32 of its number. Where the prefix is the whole
/// key, the derived order is the order of the partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    high: u64,
    middle: u64,
    low: u64,
}

impl Entry {
    /// What stands in room that holds no row.
    pub(super) const FILLER: Self = Self { high: 0, middle: 0, low: 0 };

    pub(super) fn new(prefix: Prefix, arrival: u64, row: u32) -> Self {
        Self {
            high: prefix.high,
            middle: (u64::from(prefix.low) << 32) | (arrival >> 32),
            low: (arrival << 32) | u64::from(row),
        }
    }

    pub(super) fn prefix(&self) -> Prefix {
        Prefix { high: self.high, low: (self.middle >> 32) as u32 }
    }

    pub(super) fn row(&self) -> u32 {
        self.low as u32
    }

    pub(super) fn arrival(&self) -> u64 {
        (self.middle << 32) | (self.low >> 32)
    }

    pub(super) fn set_row(&mut self, row: u32) {
        self.low = (self.low >> 32 << 32) | u64::from(row);
    }

    /// Not after any entry of the same key: to search with.
    pub(super) fn first_of_key(&self) -> Self {
        Self::new(self.prefix(), 0, self.row())
    }
}

#[cfg(test)]
impl Prefix {
    /// For tests: ordered as the numbers are.
    pub(super) fn of_number(number: u64) -> Self {
        Self { high: number, low: 0 }
    }
}

enum Encoder {
    /// No sort key: all rows are equal.
    None,
    /// One column of integers; the prefix is the whole key.
    Integer {
        column: usize,
        descending: bool,
        nulls_first: bool,
    },
    Rows {
        columns: Vec<usize>,
        converter: RowConverter,
    },
}

/// The keys of a batch of rows.
pub(super) struct Encoded {
    pub(super) prefixes: Vec<Prefix>,
    whole: Option<arrow_row::Rows>,
}

impl Encoded {
    /// Compares the keys of two rows.
    #[inline]
    pub(super) fn compare(&self, one: usize, other: usize) -> Ordering {
        let by_prefix = self.prefixes[one].cmp(&self.prefixes[other]);
        by_prefix.then_with(|| self.whole(one).cmp(self.whole(other)))
    }

    /// The whole key of a row, if the prefix is not.
    pub(super) fn whole(&self, row: usize) -> &[u8] {
        self.whole.as_ref().map_or(&[], |rows| rows.row(row).data())
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Span {
    offset: usize,
    length: u32,
}

/// Makes sort keys, and keeps those that do not fit into entries.
pub(super) struct SortKeys {
    encoder: Encoder,
    exact: bool,
    /// By row; empty if prefixes are whole keys.
    spans: Vec<Span>,
    arena: Vec<u8>,
    dead_bytes: usize,
}

impl std::fmt::Debug for SortKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SortKeys").field("exact", &self.exact).finish_non_exhaustive()
    }
}

impl SortKeys {
    /// `order`: column, descending, NULLs first.
    pub(super) fn new(order: &[(usize, bool, bool)], types: &[ArrowType]) -> Result<Self> {
        let encoder = match order {
            [] => Encoder::None,
            &[(column, descending, nulls_first)] if is_integer_like(&types[column]) => {
                Encoder::Integer { column, descending, nulls_first }
            }
            _ => {
                let field = |&(column, descending, nulls_first): &(usize, bool, bool)| {
                    let options = SortOptions { descending, nulls_first };
                    SortField::new_with_options(types[column].clone(), options)
                };
                let fields: Vec<SortField> = order.iter().map(field).collect();
                if !RowConverter::supports_fields(&fields) {
                    return Err(Error::user("ORDER BY a column of a type without an order")
                        .with_hint("order by a column of a scalar type"));
                }
                let columns = order.iter().map(|key| key.0).collect();
                Encoder::Rows { columns, converter: RowConverter::new(fields)? }
            }
        };
        let exact = match &encoder {
            Encoder::None | Encoder::Integer { .. } => true,
            Encoder::Rows { columns, .. } => {
                let widths = columns.iter().map(|&column| types[column].primitive_width());
                widths.sum::<Option<usize>>().is_some_and(|w| w + columns.len() <= PREFIX_BYTES)
            }
        };
        Ok(Self { encoder, exact, spans: Vec::new(), arena: Vec::new(), dead_bytes: 0 })
    }

    pub(super) fn encode(&self, batch: &Batch) -> Result<Encoded> {
        let rows = batch.rows();
        Ok(match &self.encoder {
            Encoder::None => {
                Encoded { prefixes: vec![Prefix { high: 0, low: 0 }; rows], whole: None }
            }
            Encoder::Integer { column, descending, nulls_first } => {
                let column = batch.column(*column);
                let values = integers(column)?;
                let nulls = nulls(column);
                let null = Prefix { high: if *nulls_first { 0 } else { 2 << 56 }, low: 0 };
                let flip = if *descending { u64::MAX } else { 0 };
                let prefix = |(row, &value): (usize, &i64)| {
                    if nulls.is_some_and(|n| n.is_null(row)) {
                        return null;
                    }
                    let value = ((value as u64) ^ (1 << 63)) ^ flip;
                    Prefix { high: (1 << 56) | (value >> 8), low: (value as u32) << 24 }
                };
                Encoded { prefixes: values.iter().enumerate().map(prefix).collect(), whole: None }
            }
            Encoder::Rows { columns, converter } => {
                let columns: Vec<ArrayRef> =
                    columns.iter().map(|&c| ArrayRef::clone(batch.column(c))).collect();
                let encoded = converter.convert_columns(&columns)?;
                let prefixes = encoded.iter().map(|row| prefix_of(row.data())).collect();
                Encoded { prefixes, whole: (!self.exact).then_some(encoded) }
            }
        })
    }

    /// Compares sort keys alone.
    pub(super) fn compare_keys(&self, a: &Entry, b: &Entry) -> Ordering {
        let by_prefix = a.prefix().cmp(&b.prefix());
        if self.exact || by_prefix.is_ne() {
            return by_prefix;
        }
        self.whole(a.row()).cmp(self.whole(b.row()))
    }

    /// The order of a partition.
    #[inline]
    pub(super) fn compare(&self, a: &Entry, b: &Entry) -> Ordering {
        if self.exact {
            return a.cmp(b);
        }
        self.compare_keys(a, b).then_with(|| a.arrival().cmp(&b.arrival()))
    }

    /// Compares the key of row `row` of `encoded` with that of an entry.
    pub(super) fn compare_new(&self, encoded: &Encoded, row: usize, entry: &Entry) -> Ordering {
        let by_prefix = encoded.prefixes[row].cmp(&entry.prefix());
        if self.exact || by_prefix.is_ne() {
            return by_prefix;
        }
        encoded.whole(row).cmp(self.whole(entry.row()))
    }

    fn whole(&self, row: u32) -> &[u8] {
        let span = self.spans[row as usize];
        &self.arena[span.offset..span.offset + span.length as usize]
    }

    /// Keeps the key of a row as that of the kept row `number`.
    #[inline]
    pub(super) fn keep(&mut self, number: u32, encoded: &Encoded, row: usize) {
        if self.exact {
            return;
        }
        let number = number as usize;
        if self.spans.len() <= number {
            self.spans.resize(number + 1, Span::default());
        }
        if self.spans[number].length > 0 {
            // Another copy of a row that is kept.
            return;
        }
        let bytes = encoded.whole(row);
        self.spans[number] = Span { offset: self.arena.len(), length: bytes.len() as u32 };
        self.arena.extend_from_slice(bytes);
    }

    /// Forgets the key of a row.
    pub(super) fn forget(&mut self, number: u32) {
        if self.exact {
            return;
        }
        let span = std::mem::take(&mut self.spans[number as usize]);
        self.dead_bytes += span.length as usize;
        if self.dead_bytes > COMPACT_MIN_BYTES && self.dead_bytes * 2 > self.arena.len() {
            let spans = std::mem::take(&mut self.spans);
            self.rebuild(spans);
        }
    }

    /// Rows from `first` on got the new numbers `numbers`, each not greater than the old one, or died.
    pub(super) fn renumber_from(&mut self, first: u32, numbers: &[u32]) {
        if self.exact {
            return;
        }
        let mut end = first as usize;
        for (old, &new) in (first as usize..).zip(numbers) {
            if new != DEAD {
                self.spans[new as usize] = self.spans[old];
                end = new as usize + 1;
            }
        }
        self.spans.truncate(end);
    }

    /// Rows got new numbers: `old[i]` is now `i`.
    pub(super) fn renumber(&mut self, old: &[u32]) {
        if !self.exact {
            let spans = old.iter().map(|&row| self.spans[row as usize]).collect();
            self.rebuild(spans);
        }
    }

    fn rebuild(&mut self, mut spans: Vec<Span>) {
        let mut arena = Vec::with_capacity(spans.iter().map(|span| span.length as usize).sum());
        for span in &mut spans {
            let bytes = &self.arena[span.offset..span.offset + span.length as usize];
            span.offset = arena.len();
            arena.extend_from_slice(bytes);
        }
        (self.spans, self.arena, self.dead_bytes) = (spans, arena, 0);
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>() + self.arena.capacity()
    }
}

fn prefix_of(key: &[u8]) -> Prefix {
    let mut bytes = [0u8; PREFIX_BYTES];
    let length = key.len().min(PREFIX_BYTES);
    bytes[..length].copy_from_slice(&key[..length]);
    let (high, low) = bytes.split_at(8);
    Prefix {
        high: u64::from_be_bytes(high.try_into().expect("eight bytes")),
        low: u32::from_be_bytes(low.try_into().expect("four bytes")),
    }
}
