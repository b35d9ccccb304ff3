//! The last offset of every key, for compaction.
//! Invariant: keys are compared whole, so no collision of hashes can drop a record; memory stays below a budget: when it is
//! spent, `put` refuses new keys and the compaction ends its dirty range there.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

#[derive(Debug)]
struct Entry {
    key_at: usize,
    key_bytes: u32,
    offset: i64,
}

#[derive(Debug)]
pub(crate) struct KeyOffsets {
    entries: HashTable<Entry>,
    keys: Vec<u8>,
    bytes_max: usize,
    hasher: FixedState,
}

impl KeyOffsets {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let hasher = FixedState::with_seed(0x6d61_696e);
        Self { entries: HashTable::new(), keys: Vec::new(), bytes_max, hasher }
    }

    /// Whether a batch with keys of so many bytes still fits, whatever they are.
    pub(crate) fn has_room(&self, records: usize, key_bytes: usize) -> bool {
        let entries = self.entries.len() + records;
        self.keys.len() + key_bytes + entries * size_of::<Entry>() * 2 <= self.bytes_max
    }

    /// Takes note of a record; offsets come in ascending order.
    pub(crate) fn put(&mut self, key: &[u8], offset: i64) {
        let keys = &self.keys;
        let hash = self.hasher.hash_one(key);
        if let Some(entry) = self.entries.find_mut(hash, |entry| key_of(keys, entry) == key) {
            entry.offset = offset;
            return;
        }
        let entry = Entry { key_at: self.keys.len(), key_bytes: key.len() as u32, offset };
        self.keys.extend_from_slice(key);
        let (keys, hasher) = (&self.keys, &self.hasher);
        self.entries.insert_unique(hash, entry, |entry| hasher.hash_one(key_of(keys, entry)));
    }

    /// The last offset of a key among those noted.
    pub(crate) fn get(&self, key: &[u8]) -> Option<i64> {
        let hash = self.hasher.hash_one(key);
        let found = self.entries.find(hash, |entry| key_of(&self.keys, entry) == key);
        found.map(|entry| entry.offset)
    }
}

fn key_of<'a>(keys: &'a [u8], entry: &Entry) -> &'a [u8] {
    &keys[entry.key_at..entry.key_at + entry.key_bytes as usize]
}
