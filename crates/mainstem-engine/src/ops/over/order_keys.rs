//! The order of rows: their order columns in one comparable form, and their arrival.
//! Invariant: comparing bytes is comparing rows in the window's order. Rows that are equal there are in the order in
//! which they came, or, where that means nothing (a changelog), in the order of their hashes: it follows from the rows
//! alone, for every parallelism and every cut. Keys of at most 16 bytes of fixed width are held in one word a row, others in an arena.

use std::cmp::Ordering;

use arrow_array::Array;
use arrow_row::{RowConverter, SortField};
use arrow_schema::{DataType as ArrowType, SortOptions};
use mainstem_core::{Batch, Error, Result};

use crate::columns::{integers, is_integer_like, times_ms};
use crate::hash::hash_columns;

/// Below this many dead bytes the arena is left alone.
const COMPACT_MIN_BYTES: usize = 1 << 16;
const WORD_BYTES: usize = size_of::<u128>();

#[derive(Debug)]
enum Keys {
    /// No ORDER BY: all rows are equal.
    None,
    Words(Vec<u128>),
    Bytes {
        arena: Vec<u8>,
        /// Offset and length by entry; the length is `u32::MAX` for entries that are not in use.
        spans: Vec<(usize, u32)>,
        dead: usize,
    },
}

#[derive(Debug)]
pub(super) struct OrderKeys {
    columns: Vec<usize>,
    converter: Option<RowConverter>,
    keys: Keys,
    /// By entry, in a changelog: the hash of the row.
    hashes: Option<Vec<u64>>,
    arrivals: Vec<u64>,
    next_arrival: u64,
    /// By entry, the only order column as a number that grows with the order; for RANGE with a distance.
    numbers: Option<Vec<Option<i64>>>,
    descending: bool,
    nulls_first: bool,
}

impl OrderKeys {
    /// `with_numbers`: distances in the order column will be asked for. `changelog`: arrival means nothing.
    pub(super) fn new(
        order: &[(usize, bool, bool)],
        types: &[ArrowType],
        with_numbers: bool,
        changelog: bool,
    ) -> Result<Self> {
        let field = |&(column, descending, nulls_first): &(usize, bool, bool)| {
            let options = SortOptions { descending, nulls_first };
            SortField::new_with_options(types[column].clone(), options)
        };
        let fields: Vec<SortField> = order.iter().map(field).collect();
        if !RowConverter::supports_fields(&fields) {
            return Err(Error::user("ORDER BY a column of a type without an order"));
        }
        // A value of fixed width is encoded behind one byte that tells NULL.
        let width = order.iter().try_fold(0, |sum, &(column, ..)| match &types[column] {
            ArrowType::Boolean => Some(sum + 2),
            other => other.primitive_width().map(|width| sum + width + 1),
        });
        let keys = match width {
            Some(0) => Keys::None,
            Some(width) if width <= WORD_BYTES => Keys::Words(Vec::new()),
            _ => Keys::Bytes { arena: Vec::new(), spans: Vec::new(), dead: 0 },
        };
        if with_numbers && !(order.len() == 1 && is_integer_like(&types[order[0].0])) {
            return Err(Error::internal("a RANGE distance over a column that is no number"));
        }
        Ok(Self {
            columns: order.iter().map(|key| key.0).collect(),
            converter: (!fields.is_empty()).then(|| RowConverter::new(fields)).transpose()?,
            keys,
            hashes: changelog.then(Vec::new),
            arrivals: Vec::new(),
            next_arrival: 0,
            numbers: with_numbers.then(Vec::new),
            descending: order.first().is_some_and(|key| key.1),
            nulls_first: order.first().is_some_and(|key| key.2),
        })
    }

    /// Gives entries their keys: entry `entries[i]` is row `i` of the batch. They have come just now, in that order.
    pub(super) fn set(&mut self, entries: &[u32], batch: &Batch) -> Result<()> {
        let bound = entries.iter().max().map_or(0, |&max| max as usize + 1);
        if self.arrivals.len() < bound {
            self.arrivals.resize(bound, 0);
        }
        for (&entry, arrival) in entries.iter().zip(self.next_arrival..) {
            self.arrivals[entry as usize] = arrival;
        }
        self.next_arrival += entries.len() as u64;
        if let Some(hashes) = &mut self.hashes {
            hashes.resize(hashes.len().max(bound), 0);
            let mut of_rows = Vec::new();
            hash_columns(batch.columns(), batch.rows(), &mut of_rows)?;
            for (&entry, hash) in entries.iter().zip(of_rows) {
                hashes[entry as usize] = hash;
            }
        }
        self.set_numbers(entries, batch)?;
        let Some(converter) = &mut self.converter else { return Ok(()) };
        let columns = batch.project(&self.columns);
        let encoded = converter.convert_columns(columns.columns())?;
        match &mut self.keys {
            Keys::None => {}
            Keys::Words(words) => {
                words.resize(words.len().max(bound), 0);
                for (&entry, row) in entries.iter().zip(encoded.iter()) {
                    let mut word = [0u8; WORD_BYTES];
                    let bytes = row.data();
                    word[..bytes.len()].copy_from_slice(bytes);
                    words[entry as usize] = u128::from_be_bytes(word);
                }
            }
            Keys::Bytes { arena, spans, .. } => {
                spans.resize(spans.len().max(bound), (0, u32::MAX));
                for (&entry, row) in entries.iter().zip(encoded.iter()) {
                    spans[entry as usize] = (arena.len(), row.data().len() as u32);
                    arena.extend_from_slice(row.data());
                }
            }
        }
        Ok(())
    }

    fn set_numbers(&mut self, entries: &[u32], batch: &Batch) -> Result<()> {
        let Some(numbers) = &mut self.numbers else { return Ok(()) };
        let column = batch.column(self.columns[0]);
        let values = match column.data_type() {
            ArrowType::Timestamp(..) => times_ms(column)?,
            _ => integers(column)?,
        };
        let bound = entries.iter().max().map_or(0, |&max| max as usize + 1);
        numbers.resize(numbers.len().max(bound), None);
        for (row, &entry) in entries.iter().enumerate() {
            let value = if self.descending { values[row].saturating_neg() } else { values[row] };
            numbers[entry as usize] = column.is_valid(row).then_some(value);
        }
        Ok(())
    }

    /// Order without arrival.
    pub(super) fn compare_keys(&self, a: u32, b: u32) -> Ordering {
        match &self.keys {
            Keys::None => Ordering::Equal,
            Keys::Words(words) => words[a as usize].cmp(&words[b as usize]),
            Keys::Bytes { arena, spans, .. } => {
                let bytes = |entry: u32| {
                    let (offset, length) = spans[entry as usize];
                    &arena[offset..offset + length as usize]
                };
                bytes(a).cmp(bytes(b))
            }
        }
    }

    /// Order, then hash or nothing, then arrival.
    pub(super) fn compare(&self, a: u32, b: u32) -> Ordering {
        let hash = |entry: u32| self.hashes.as_ref().map(|hashes| hashes[entry as usize]);
        let rest = |entry: u32| (hash(entry), self.arrivals[entry as usize]);
        self.compare_keys(a, b).then_with(|| rest(a).cmp(&rest(b)))
    }

    /// The order column as a number that grows with the order; `None` for NULL.
    pub(super) fn number(&self, entry: u32) -> Option<i64> {
        self.numbers.as_ref().and_then(|numbers| numbers[entry as usize])
    }

    /// True if the row of `entry` is before the number `number` in the order, or, if asked, at it.
    pub(super) fn is_before(&self, entry: u32, number: i64, or_at: bool) -> bool {
        match self.number(entry) {
            None => self.nulls_first,
            Some(own) => own < number || (or_at && own == number),
        }
    }

    /// Forgets the keys of entries.
    pub(super) fn release(&mut self, entries: &[u32]) {
        let Keys::Bytes { arena, spans, dead } = &mut self.keys else { return };
        for &entry in entries {
            let (_, length) = std::mem::replace(&mut spans[entry as usize], (0, u32::MAX));
            *dead += length as usize;
        }
        if *dead > COMPACT_MIN_BYTES && *dead * 2 > arena.len() {
            let mut live = Vec::with_capacity(arena.len() - *dead);
            for (offset, length) in spans.iter_mut().filter(|span| span.1 != u32::MAX) {
                let bytes = &arena[*offset..*offset + *length as usize];
                *offset = live.len();
                live.extend_from_slice(bytes);
            }
            (*arena, *dead) = (live, 0);
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        let keys = match &self.keys {
            Keys::None => 0,
            Keys::Words(words) => words.capacity() * WORD_BYTES,
            Keys::Bytes { arena, spans, .. } => {
                arena.capacity() + spans.capacity() * size_of::<(usize, u32)>()
            }
        };
        let numbers = self.numbers.as_ref().map_or(0, |n| n.capacity() * size_of::<Option<i64>>());
        let hashes = self.hashes.as_ref().map_or(0, |hashes| hashes.capacity() * 8);
        keys + numbers + hashes + self.arrivals.capacity() * 8
    }
}
