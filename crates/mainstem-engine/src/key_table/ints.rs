//! Keys of one or two integer-like columns, held in the hash table itself.
//! Invariant: `keys[id]` is the key of a live id; the values under NULLs are stored as 0, so equality is bitwise.

use arrow_array::ArrayRef;
use arrow_buffer::NullBuffer;
use arrow_schema::DataType as ArrowType;
use hashbrown::HashTable;
use mainstem_core::Result;

use super::{ABSENT, Ids};
use crate::columns::from_integers;
use crate::hash::{START, mix};

/// The columns of a key, and one bit for each NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key<const N: usize> {
    values: [i64; N],
    nulls: u8,
}

impl<const N: usize> Key<N> {
    #[inline(always)]
    fn hash(&self) -> u64 {
        let start = START ^ u64::from(self.nulls);
        self.values.iter().fold(start, |hash, &v| mix(hash, v as u64))
    }
}

#[derive(Debug)]
pub(super) struct IntKeys<const N: usize> {
    table: HashTable<(Key<N>, u32)>,
    keys: Vec<Key<N>>,
}

impl<const N: usize> Default for IntKeys<N> {
    fn default() -> Self {
        Self { table: HashTable::new(), keys: Vec::new() }
    }
}

/// The key of one row.
#[inline(always)]
fn key_at<const N: usize>(
    values: &[&[i64]; N],
    nulls: &[Option<&NullBuffer>; N],
    row: usize,
) -> Key<N> {
    let mut key = Key { values: [0; N], nulls: 0 };
    for i in 0..N {
        if nulls[i].is_some_and(|n| n.is_null(row)) {
            key.nulls |= 1 << i;
        } else {
            key.values[i] = values[i][row];
        }
    }
    key
}

impl<const N: usize> IntKeys<N> {
    pub(super) fn intern(
        &mut self,
        values: [&[i64]; N],
        nulls: [Option<&NullBuffer>; N],
        ids: &mut Ids,
        out: &mut Vec<u32>,
    ) {
        let rows = values[0].len();
        if nulls.iter().all(Option::is_none) {
            // Equal lengths, told to the compiler once.
            let values = values.map(|v| &v[..rows]);
            out.extend((0..rows).map(|row| {
                let key = Key { values: std::array::from_fn(|i| values[i][row]), nulls: 0 };
                self.intern_one(key, ids)
            }));
        } else {
            out.extend((0..rows).map(|row| self.intern_one(key_at(&values, &nulls, row), ids)));
        }
    }

    #[inline(always)]
    fn intern_one(&mut self, key: Key<N>, ids: &mut Ids) -> u32 {
        let hash = key.hash();
        match self.table.find(hash, |entry| entry.0 == key) {
            Some(entry) => entry.1,
            None => self.insert(hash, key, ids),
        }
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, hash: u64, key: Key<N>, ids: &mut Ids) -> u32 {
        let id = ids.allocate();
        self.table.insert_unique(hash, (key, id), |entry| entry.0.hash());
        if self.keys.len() <= id as usize {
            self.keys.resize(id as usize + 1, key);
        }
        self.keys[id as usize] = key;
        id
    }

    pub(super) fn lookup(
        &self,
        values: [&[i64]; N],
        nulls: [Option<&NullBuffer>; N],
        out: &mut Vec<u32>,
    ) {
        out.extend((0..values[0].len()).map(|row| {
            let key = key_at(&values, &nulls, row);
            self.table.find(key.hash(), |entry| entry.0 == key).map_or(ABSENT, |entry| entry.1)
        }));
    }

    pub(super) fn emit(&self, ids: &[u32], types: &[ArrowType]) -> Result<Vec<ArrayRef>> {
        let column = |i: usize| {
            let values = ids.iter().map(|&id| self.keys[id as usize].values[i]).collect();
            let valid = |&id: &u32| self.keys[id as usize].nulls & (1 << i) == 0;
            let nulls = (!ids.iter().all(valid)).then(|| ids.iter().map(valid).collect());
            from_integers(values, nulls, &types[i])
        };
        (0..N).map(column).collect()
    }

    pub(super) fn release(&mut self, ids: &[u32]) {
        for &id in ids {
            let hash = self.keys[id as usize].hash();
            if let Ok(entry) = self.table.find_entry(hash, |entry| entry.1 == id) {
                entry.remove();
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.keys.clear();
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.table.allocation_size() + self.keys.capacity() * size_of::<Key<N>>()
    }
}
