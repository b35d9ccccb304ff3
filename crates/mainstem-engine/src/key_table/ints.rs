//! Keys of one or two integer-like columns, held in the hash table itself: as one word where they fit into one, as they nearly
//! always do.
//! Invariant: `keys[id]` is the key of a live id. Two columns are words as long as no value was negative, NULL or above 32 bits.

use arrow_array::ArrayRef;
use arrow_buffer::NullBuffer;
use arrow_schema::DataType as ArrowType;
use hashbrown::HashTable;
use mainstem_core::Result;

use super::{ABSENT, Ids};
use crate::columns::from_integers;
use crate::hash::{START, mix};

/// Whoever can be a key of integers: copied, compared bit by bit.
pub(super) trait Key: Copy + PartialEq {
    fn hash(self) -> u64;
}

impl Key for u64 {
    #[inline(always)]
    fn hash(self) -> u64 {
        mix(START, self)
    }
}

/// Two columns, and one bit for each NULL, under which the value is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    values: [i64; 2],
    nulls: u8,
}

impl Key for Pair {
    #[inline(always)]
    fn hash(self) -> u64 {
        let start = START ^ u64::from(self.nulls);
        self.values.iter().fold(start, |hash, &value| mix(hash, value as u64))
    }
}

/// Keys and their ids.
#[derive(Debug)]
pub(super) struct Table<K> {
    table: HashTable<(K, u32)>,
    keys: Vec<K>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { table: HashTable::new(), keys: Vec::new() }
    }
}

impl<K: Key> Table<K> {
    #[inline(always)]
    fn intern(&mut self, key: K, ids: &mut Ids) -> u32 {
        let hash = key.hash();
        match self.table.find(hash, |entry| entry.0 == key) {
            Some(entry) => entry.1,
            None => {
                let id = ids.allocate();
                self.insert(hash, key, id);
                id
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, hash: u64, key: K, id: u32) {
        self.table.insert_unique(hash, (key, id), |entry| entry.0.hash());
        self.name(key, id);
    }

    fn name(&mut self, key: K, id: u32) {
        if self.keys.len() <= id as usize {
            self.keys.resize(id as usize + 1, key);
        }
        self.keys[id as usize] = key;
    }

    #[inline(always)]
    fn find(&self, key: K) -> u32 {
        self.table.find(key.hash(), |entry| entry.0 == key).map_or(ABSENT, |entry| entry.1)
    }

    fn release(&mut self, ids: &[u32]) {
        for &id in ids {
            let hash = self.keys[id as usize].hash();
            if let Ok(entry) = self.table.find_entry(hash, |entry| entry.1 == id) {
                entry.remove();
            }
        }
    }

    fn clear(&mut self) {
        self.table.clear();
        self.keys.clear();
    }

    fn size_bytes(&self) -> usize {
        self.table.allocation_size() + self.keys.capacity() * size_of::<K>()
    }
}

/// Keys of one column.
#[derive(Debug, Default)]
pub(super) struct OneKeys {
    words: Table<u64>,
    /// The id of NULL.
    null: Option<u32>,
}

impl OneKeys {
    pub(super) fn intern(
        &mut self,
        values: &[i64],
        nulls: Option<&NullBuffer>,
        ids: &mut Ids,
        out: &mut Vec<u32>,
    ) {
        let Some(nulls) = nulls else {
            out.extend(values.iter().map(|&value| self.words.intern(value as u64, ids)));
            return;
        };
        out.extend(values.iter().enumerate().map(|(row, &value)| match nulls.is_null(row) {
            false => self.words.intern(value as u64, ids),
            true => *self.null.get_or_insert_with(|| {
                let id = ids.allocate();
                self.words.name(0, id);
                id
            }),
        }));
    }

    pub(super) fn lookup(&self, values: &[i64], nulls: Option<&NullBuffer>, out: &mut Vec<u32>) {
        let is_null = |row| nulls.is_some_and(|nulls| nulls.is_null(row));
        out.extend(values.iter().enumerate().map(|(row, &value)| match is_null(row) {
            false => self.words.find(value as u64),
            true => self.null.unwrap_or(ABSENT),
        }));
    }

    pub(super) fn emit(&self, ids: &[u32], data_type: &ArrowType) -> Result<ArrayRef> {
        let values = ids.iter().map(|&id| self.words.keys[id as usize] as i64).collect();
        let nulls = self.null.filter(|null| ids.contains(null));
        let nulls = nulls.map(|null| ids.iter().map(|&id| id != null).collect());
        from_integers(values, nulls, data_type)
    }

    pub(super) fn release(&mut self, ids: &[u32]) {
        self.words.release(ids);
        self.null = self.null.filter(|null| !ids.contains(null));
    }

    pub(super) fn clear(&mut self) {
        self.words.clear();
        self.null = None;
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.words.size_bytes()
    }
}

/// Keys of two columns.
#[derive(Debug)]
pub(super) enum TwoKeys {
    /// The first column above the second.
    Words(Table<u64>),
    Pairs(Table<Pair>),
}

impl Default for TwoKeys {
    fn default() -> Self {
        Self::Words(Table::default())
    }
}

/// The columns of a batch of keys.
pub(super) type TwoColumns<'a> = [(&'a [i64], Option<&'a NullBuffer>); 2];

/// True if every key of these columns is a word.
fn fit([a, b]: &TwoColumns<'_>) -> bool {
    let fits = |(values, nulls): &(&[i64], Option<&NullBuffer>)| {
        let all = values.iter().fold(0, |all, &value| all | value as u64);
        nulls.is_none() && all >> 32 == 0
    };
    fits(a) && fits(b)
}

#[inline(always)]
fn word(a: i64, b: i64) -> u64 {
    (a as u64) << 32 | b as u64
}

fn pair(columns: &TwoColumns<'_>, row: usize) -> Pair {
    let mut key = Pair { values: [0; 2], nulls: 0 };
    for (at, (values, nulls)) in columns.iter().enumerate() {
        match nulls.is_some_and(|nulls| nulls.is_null(row)) {
            true => key.nulls |= 1 << at,
            false => key.values[at] = values[row],
        }
    }
    key
}

fn pair_of_word(word: u64) -> Pair {
    Pair { values: [(word >> 32) as i64, i64::from(word as u32)], nulls: 0 }
}

impl TwoKeys {
    pub(super) fn intern(&mut self, columns: &TwoColumns<'_>, ids: &mut Ids, out: &mut Vec<u32>) {
        let [(a, _), (b, _)] = columns;
        if let Self::Words(words) = self {
            if fit(columns) {
                let keys = a.iter().zip(*b).map(|(&a, &b)| word(a, b));
                out.extend(keys.map(|key| words.intern(key, ids)));
                return;
            }
            *self = Self::Pairs(widened(words));
        }
        if let Self::Pairs(pairs) = self {
            out.extend((0..a.len()).map(|row| pairs.intern(pair(columns, row), ids)));
        }
    }

    pub(super) fn lookup(&self, columns: &TwoColumns<'_>, out: &mut Vec<u32>) {
        let [(a, _), (b, _)] = columns;
        match self {
            Self::Words(words) if fit(columns) => {
                out.extend(a.iter().zip(*b).map(|(&a, &b)| words.find(word(a, b))));
            }
            Self::Words(words) => out.extend((0..a.len()).map(|row| {
                let key = pair(columns, row);
                let fits = key.nulls == 0 && key.values.iter().all(|&v| (v as u64) >> 32 == 0);
                if fits { words.find(word(key.values[0], key.values[1])) } else { ABSENT }
            })),
            Self::Pairs(pairs) => {
                out.extend((0..a.len()).map(|row| pairs.find(pair(columns, row))));
            }
        }
    }

    pub(super) fn emit(&self, ids: &[u32], types: &[ArrowType]) -> Result<Vec<ArrayRef>> {
        let key = |&id: &u32| match self {
            Self::Words(words) => pair_of_word(words.keys[id as usize]),
            Self::Pairs(pairs) => pairs.keys[id as usize],
        };
        let column = |at: usize| {
            let values = ids.iter().map(|id| key(id).values[at]).collect();
            let valid = |id: &u32| key(id).nulls & (1 << at) == 0;
            let nulls = (!ids.iter().all(valid)).then(|| ids.iter().map(valid).collect());
            from_integers(values, nulls, &types[at])
        };
        (0..2).map(column).collect()
    }

    pub(super) fn release(&mut self, ids: &[u32]) {
        match self {
            Self::Words(words) => words.release(ids),
            Self::Pairs(pairs) => pairs.release(ids),
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            Self::Words(words) => words.clear(),
            Self::Pairs(pairs) => pairs.clear(),
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Words(words) => words.size_bytes(),
            Self::Pairs(pairs) => pairs.size_bytes(),
        }
    }
}

/// The same keys with the same ids.
fn widened(words: &Table<u64>) -> Table<Pair> {
    let mut pairs = Table::default();
    pairs.table.reserve(words.table.len(), |entry: &(Pair, u32)| entry.0.hash());
    for &(word, id) in &words.table {
        let key = pair_of_word(word);
        pairs.insert(key.hash(), key, id);
    }
    pairs
}
