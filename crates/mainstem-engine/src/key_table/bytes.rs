//! Keys that are byte strings, held one after the other in an arena: strings, or rows in arrow-row's encoding.
//! Invariant: `spans[id]` of a live id lies in the arena; the arena is rewritten when more than half of it is dead.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use hashbrown::HashTable;

use super::{ABSENT, Ids};
use crate::hash::ByteHasher;

/// Below this many dead bytes the arena is left alone.
const COMPACT_MIN_BYTES: usize = 1 << 16;
const DEAD: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Span {
    offset: usize,
    /// `DEAD` for an id that is not in use.
    length: u32,
    hash: u64,
}

/// What the hash table holds: 32 bits of the hash save most reads of the arena.
#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u32,
    id: u32,
}

#[derive(Debug)]
pub(super) struct ByteKeys {
    hasher: ByteHasher,
    table: HashTable<Entry>,
    spans: Vec<Span>,
    arena: Vec<u8>,
    dead_bytes: usize,
    /// The id of NULL; it has no entry in the table.
    null: Option<u32>,
}

impl Default for ByteKeys {
    fn default() -> Self {
        Self {
            hasher: ByteHasher::new(),
            table: HashTable::new(),
            spans: Vec::new(),
            arena: Vec::new(),
            dead_bytes: 0,
            null: None,
        }
    }
}

impl ByteKeys {
    pub(super) fn intern<'a>(
        &mut self,
        rows: usize,
        nulls: Option<&NullBuffer>,
        ids: &mut Ids,
        out: &mut Vec<u32>,
        value: impl Fn(usize) -> &'a [u8],
    ) {
        match nulls {
            None => out.extend((0..rows).map(|row| self.intern_one(value(row), ids))),
            Some(nulls) => out.extend((0..rows).map(|row| {
                if nulls.is_null(row) {
                    self.intern_null(ids)
                } else {
                    self.intern_one(value(row), ids)
                }
            })),
        }
    }

    #[inline(always)]
    fn intern_one(&mut self, value: &[u8], ids: &mut Ids) -> u32 {
        let hash = self.hasher.hash(value);
        match self.find(hash, value) {
            Some(id) => id,
            None => self.insert(hash, value, ids),
        }
    }

    #[inline(always)]
    fn find(&self, hash: u64, value: &[u8]) -> Option<u32> {
        let short = (hash >> 32) as u32;
        let same = |entry: &Entry| entry.hash == short && self.get(entry.id) == value;
        self.table.find(hash, same).map(|entry| entry.id)
    }

    fn intern_null(&mut self, ids: &mut Ids) -> u32 {
        if let Some(id) = self.null {
            return id;
        }
        let id = ids.allocate();
        self.set_span(id, Span { offset: 0, length: 0, hash: 0 });
        self.null = Some(id);
        id
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, hash: u64, value: &[u8], ids: &mut Ids) -> u32 {
        let id = ids.allocate();
        let offset = self.arena.len();
        self.arena.extend_from_slice(value);
        self.set_span(id, Span { offset, length: value.len() as u32, hash });
        let spans = &self.spans;
        let entry = Entry { hash: (hash >> 32) as u32, id };
        self.table.insert_unique(hash, entry, |entry| spans[entry.id as usize].hash);
        id
    }

    fn set_span(&mut self, id: u32, span: Span) {
        if self.spans.len() <= id as usize {
            self.spans.resize(id as usize + 1, Span { offset: 0, length: DEAD, hash: 0 });
        }
        self.spans[id as usize] = span;
    }

    pub(super) fn lookup<'a>(
        &self,
        rows: usize,
        nulls: Option<&NullBuffer>,
        out: &mut Vec<u32>,
        value: impl Fn(usize) -> &'a [u8],
    ) {
        out.extend((0..rows).map(|row| {
            if nulls.is_some_and(|n| n.is_null(row)) {
                return self.null.unwrap_or(ABSENT);
            }
            let value = value(row);
            self.find(self.hasher.hash(value), value).unwrap_or(ABSENT)
        }));
    }

    /// The bytes of a live key; empty for NULL.
    #[inline(always)]
    pub(super) fn get(&self, id: u32) -> &[u8] {
        let span = self.spans[id as usize];
        &self.arena[span.offset..span.offset + span.length as usize]
    }

    /// The keys of `ids` as a string column; only for tables of strings.
    pub(super) fn emit_text(&self, ids: &[u32]) -> ArrayRef {
        let lengths = ids.iter().map(|&id| self.spans[id as usize].length as usize);
        let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
        let mut data = Vec::with_capacity(offsets.last().map_or(0, |&end| end as usize));
        ids.iter().for_each(|&id| data.extend_from_slice(self.get(id)));
        let nulls = self
            .null
            .filter(|null| ids.contains(null))
            .map(|null| ids.iter().map(|&id| id != null).collect::<NullBuffer>());
        let array = StringArray::try_new(offsets, data.into(), nulls);
        Arc::new(array.expect("the arena holds copies of whole valid strings"))
    }

    pub(super) fn release(&mut self, ids: &[u32]) {
        for &id in ids {
            let span = self.spans[id as usize];
            if self.null == Some(id) {
                self.null = None;
            } else if let Ok(entry) = self.table.find_entry(span.hash, |entry| entry.id == id) {
                entry.remove();
                self.dead_bytes += span.length as usize;
            }
            self.spans[id as usize].length = DEAD;
        }
        if self.dead_bytes > COMPACT_MIN_BYTES && self.dead_bytes * 2 > self.arena.len() {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let mut arena = Vec::with_capacity(self.arena.len() - self.dead_bytes);
        for span in self.spans.iter_mut().filter(|span| span.length != DEAD) {
            let bytes = &self.arena[span.offset..span.offset + span.length as usize];
            span.offset = arena.len();
            arena.extend_from_slice(bytes);
        }
        self.arena = arena;
        self.dead_bytes = 0;
    }

    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.spans.clear();
        self.arena.clear();
        self.dead_bytes = 0;
        self.null = None;
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.table.allocation_size()
            + self.spans.capacity() * size_of::<Span>()
            + self.arena.capacity()
    }
}
