//! What a lookup join knows of keys: which are asked for, what was answered, and for how long that is remembered.
//! Invariant: an entry lives while rows wait for it or while its key may find it. With a cache a key finds its entry
//! until it expires, is the one used longest ago when the cache is full, or (if so asked) has no rows; without one only
//! until its question leaves, so that a later row is asked for anew. Of changing input whole rows are the keys of entries,
//! and find them until they are gone: what is taken back is what was put out. Time is the step's.

mod saved;

use arrow_array::ArrayRef;
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Error, Result};

use super::super::rows::Rows;
use crate::key_table::{ABSENT, Ids, KeyTable};
use crate::lookup::CacheSpec;

/// No entry: a key with NULL, which finds nothing.
pub(super) const NONE: u32 = u32::MAX;
/// With fewer remembered keys nobody looks which have expired.
const CROWDED_MIN: usize = 4096;

/// For how long a key finds its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remember {
    /// Until it is asked for.
    Unasked,
    /// As the cache says.
    Cached(CacheSpec),
    /// As long as the weights of the rows that waited for it do not add up to 0.
    Live,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Its key, as long as that finds it.
    key: u32,
    known: bool,
    /// Its rows, once it is known.
    first: u32,
    count: u32,
    /// Rows that wait for it, or are about to come out.
    waiting: u32,
    /// Of all rows that waited for it, where that matters.
    weight: i64,
    written_ms: i64,
    used_ms: i64,
    /// In the order of use, if it is remembered: the neighbours used before and after it.
    older: u32,
    newer: u32,
}

const BLANK: Entry = Entry {
    key: ABSENT,
    known: false,
    first: 0,
    count: 0,
    waiting: 0,
    weight: 0,
    written_ms: 0,
    used_ms: 0,
    older: NONE,
    newer: NONE,
};

/// Entries by number.
#[derive(Debug)]
pub(super) struct Entries {
    remember: Remember,
    keys: KeyTable,
    /// By key: the entry it finds, or [`NONE`].
    found: Vec<u32>,
    ids: Ids,
    entries: Vec<Entry>,
    rows: Rows,
    /// Entries that are remembered, and what they count towards the bound.
    cached: usize,
    cached_rows: usize,
    oldest: u32,
    newest: u32,
    /// With so many remembered keys it is time to look which have expired.
    crowded: usize,
    /// It is time to rewrite `rows`.
    sparse: bool,
}

impl Entries {
    pub(super) fn new(keys: &[ArrowType], rows: &[ArrowType], remember: Remember) -> Result<Self> {
        Ok(Self {
            remember,
            keys: KeyTable::new(keys)?,
            found: Vec::new(),
            ids: Ids::default(),
            entries: Vec::new(),
            rows: Rows::new(rows),
            cached: 0,
            cached_rows: 0,
            oldest: NONE,
            newest: NONE,
            crowded: CROWDED_MIN,
            sparse: false,
        })
    }

    /// The entry of each row's key, for a row that now waits for it; those nobody has asked for yet are added to
    /// `unasked`.
    pub(super) fn wait(
        &mut self,
        keys: &Batch,
        now_ms: i64,
        unasked: &mut impl Extend<u32>,
    ) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.keys.intern(keys.columns(), keys.rows(), &mut ids)?;
        self.found.resize(self.found.len().max(self.keys.bound()), NONE);
        for id in &mut ids {
            let key = *id;
            let mut entry = self.found[key as usize];
            if entry != NONE && self.has_expired(entry, now_ms) {
                self.forget(entry);
                entry = NONE;
            }
            if entry == NONE {
                entry = self.ids.allocate();
                self.entries.resize(self.entries.len().max(self.ids.bound()), BLANK);
                self.entries[entry as usize] = Entry { key, ..BLANK };
                self.found[key as usize] = entry;
                unasked.extend([entry]);
            } else if self.entries[entry as usize].known {
                self.unlink(entry);
                self.link(entry, now_ms);
            }
            self.entries[entry as usize].waiting += 1;
            *id = entry;
        }
        if self.remember == Remember::Live {
            self.weigh(keys, &ids);
        }
        Ok(ids)
    }

    /// Adds the weights of rows to their entries, and lets go those of rows that are gone; those that are not known yet go
    /// when they are.
    fn weigh(&mut self, rows: &Batch, entries: &[u32]) {
        for (row, &entry) in entries.iter().enumerate() {
            self.entries[entry as usize].weight += rows.weight(row);
        }
        for &entry in entries {
            let Entry { key, weight, .. } = self.entries[entry as usize];
            if weight == 0 && key != ABSENT && self.is_known(entry) {
                self.forget_key(entry);
            }
        }
    }

    /// The keys of entries that are about to be asked for.
    pub(super) fn ask(&mut self, entries: &[u32]) -> Result<Vec<ArrayRef>> {
        let keys: Vec<u32> = entries.iter().map(|&e| self.entries[e as usize].key).collect();
        let columns = self.keys.emit(&keys)?;
        if self.remember == Remember::Unasked {
            for (&entry, &key) in entries.iter().zip(&keys) {
                self.found[key as usize] = NONE;
                self.entries[entry as usize].key = ABSENT;
            }
            self.keys.release(&keys);
        }
        Ok(columns)
    }

    /// Takes the answer for `entries`: `rows`, of which `keys` says, in rising order, for which entry each is.
    pub(super) fn answer(
        &mut self,
        entries: &[u32],
        keys: &[u32],
        rows: &Batch,
        now_ms: i64,
    ) -> Result<()> {
        if keys.last().is_some_and(|&key| key as usize >= entries.len())
            || keys.len() != rows.rows()
        {
            return Err(Error::internal("an answer is about keys that were not asked for"));
        }
        let mut next = if rows.is_empty() { 0 } else { self.rows.push(rows)? };
        let mut rest = keys;
        for (place, &entry) in (0..).zip(entries) {
            let count = rest.partition_point(|&key| key == place);
            rest = &rest[count..];
            let known = &mut self.entries[entry as usize];
            (known.known, known.first, known.count) = (true, next, count as u32);
            known.written_ms = now_ms;
            next += count as u32;
            if self.entries[entry as usize].key != ABSENT {
                self.link(entry, now_ms);
                let forgets = match self.remember {
                    Remember::Cached(cache) => count == 0 && !cache.missing_keys,
                    Remember::Live => self.entries[entry as usize].weight == 0,
                    Remember::Unasked => true,
                };
                if forgets {
                    self.forget_key(entry);
                }
            }
            self.free_if_unused(entry);
        }
        self.make_room(now_ms);
        Ok(())
    }

    /// Whether the rows of an entry are known; those of a key with NULL are.
    pub(super) fn is_known(&self, entry: u32) -> bool {
        entry == NONE || self.entries[entry as usize].known
    }

    /// The rows of a known entry.
    pub(super) fn rows_of(&self, entry: u32) -> std::ops::Range<u32> {
        if entry == NONE {
            return 0..0;
        }
        let Entry { first, count, .. } = self.entries[entry as usize];
        first..first + count
    }

    pub(super) fn gather(&self, rows: &[u32]) -> Result<Vec<ArrayRef>> {
        self.rows.gather(rows)
    }

    /// A row that waited for each of `entries` has come out.
    pub(super) fn done(&mut self, entries: &[u32]) {
        for &entry in entries.iter().filter(|&&entry| entry != NONE) {
            self.entries[entry as usize].waiting -= 1;
            self.free_if_unused(entry);
        }
    }

    /// Gives memory back that dead rows hold. Row numbers change.
    pub(super) fn tidy(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.sparse) {
            return Ok(());
        }
        let mut live = Vec::new();
        for entry in self.entries.iter_mut().filter(|entry| entry.known) {
            let rows = entry.first..entry.first + entry.count;
            entry.first = live.len() as u32;
            live.extend(rows);
        }
        self.rows.rewrite(live.iter_mut())
    }

    /// Keys that are remembered or asked for.
    pub(super) fn len(&self) -> usize {
        self.ids.live()
    }

    /// What the remembered answers count towards the bound of the cache.
    pub(super) fn cached_rows(&self) -> usize {
        self.cached_rows
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.keys.size_bytes()
            + self.rows.size_bytes()
            + self.found.capacity() * 4
            + self.entries.capacity() * size_of::<Entry>()
    }

    fn cache(&self) -> Option<CacheSpec> {
        match self.remember {
            Remember::Cached(cache) => Some(cache),
            Remember::Unasked | Remember::Live => None,
        }
    }

    fn has_expired(&self, entry: u32, now_ms: i64) -> bool {
        let Some(cache) = self.cache() else { return false };
        let Entry { known, written_ms, used_ms, .. } = self.entries[entry as usize];
        let over = |since: i64, limit: Option<i64>| {
            limit.is_some_and(|limit| now_ms.saturating_sub(since) >= limit)
        };
        known
            && (over(written_ms, cache.expire_after_write_ms)
                || over(used_ms, cache.expire_after_access_ms))
    }

    /// Forgets what is too much for the cache, and what has expired if it may be half of all.
    fn make_room(&mut self, now_ms: i64) {
        let Some(cache) = self.cache() else { return };
        while cache.rows_max.is_some_and(|most| self.cached_rows > most) {
            self.forget_key(self.oldest);
        }
        let expires = cache.expire_after_write_ms.or(cache.expire_after_access_ms).is_some();
        if !expires || self.cached < self.crowded {
            return;
        }
        for entry in 0..self.entries.len() as u32 {
            if self.entries[entry as usize].key != ABSENT && self.has_expired(entry, now_ms) {
                self.forget_key(entry);
            }
        }
        self.crowded = (2 * self.cached).max(CROWDED_MIN);
    }

    /// The key of an entry does not find it any more, nor itself.
    fn forget_key(&mut self, entry: u32) {
        let key = self.entries[entry as usize].key;
        self.forget(entry);
        self.keys.release(&[key]);
    }

    /// The key of an entry does not find it any more.
    fn forget(&mut self, entry: u32) {
        if self.entries[entry as usize].known {
            self.unlink(entry);
        }
        let key = std::mem::replace(&mut self.entries[entry as usize].key, ABSENT);
        self.found[key as usize] = NONE;
        self.free_if_unused(entry);
    }

    fn free_if_unused(&mut self, entry: u32) {
        let Entry { key, known, waiting, count, .. } = self.entries[entry as usize];
        if known && waiting == 0 && key == ABSENT {
            self.entries[entry as usize] = BLANK;
            self.sparse |= self.rows.release(count as usize);
            self.ids.release(&[entry]);
        }
    }

    /// What an entry counts towards the bound.
    fn cost(&self, entry: u32) -> usize {
        self.entries[entry as usize].count.max(1) as usize
    }

    /// Makes a known entry the one that was used last.
    fn link(&mut self, entry: u32, now_ms: i64) {
        let older = std::mem::replace(&mut self.newest, entry);
        let linked = &mut self.entries[entry as usize];
        (linked.used_ms, linked.older, linked.newer) = (now_ms, older, NONE);
        match older {
            NONE => self.oldest = entry,
            older => self.entries[older as usize].newer = entry,
        }
        self.cached += 1;
        self.cached_rows += self.cost(entry);
    }

    fn unlink(&mut self, entry: u32) {
        let Entry { older, newer, .. } = self.entries[entry as usize];
        match older {
            NONE => self.oldest = newer,
            older => self.entries[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.entries[newer as usize].older = older,
        }
        self.cached -= 1;
        self.cached_rows -= self.cost(entry);
    }
}
