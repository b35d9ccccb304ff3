//! One side of a join: a hash index from keys to rows.
//! Invariant: an entry is a row with its weight; entries of one key form a list. Append-only sides keep rows in
//! column chunks and an entry is a row number; changing sides intern whole rows, so that a removal finds its row by
//! one probe, and an entry is the row's id. Sides with a time to live intern their rows too: equal rows are written, and
//! forgotten, together, as in Flink.

mod aside;
mod saved;
mod told;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};

use super::idle::Idle;
use super::keys_aside::KeysAside;
use super::recency::{Recency, in_use};
use super::rows::Rows;
use crate::columns::times_ms;
use crate::key_table::{ABSENT, KeyTable};
use crate::operator::{PutAside, Watermark};
use crate::picked::Picked;
use crate::plan::Expiry;
use told::Told;

/// With fewer entries nobody looks which have expired.
const CROWDED_MIN: usize = 16_384;
/// The end of a list.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Debug)]
enum Store {
    Appended(Rows),
    Interned(KeyTable),
}

/// The neighbours of an entry in the list of its key, and the key; only on changing sides.
#[derive(Debug, Clone, Copy)]
struct Link {
    previous: u32,
    key: u32,
    /// In its key's list.
    linked: bool,
}

const UNLINKED: Link = Link { previous: NONE, key: ABSENT, linked: false };

/// How an entry was before the step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    pub(super) entry: u32,
    pub(super) weight: i64,
    pub(super) matches: i64,
}

/// The partners of an entry, for sides where having one matters.
#[derive(Debug, Clone, Copy, Default)]
struct Matches {
    /// The weight of all its partners.
    weight: i64,
    touched: bool,
}

#[derive(Debug)]
pub(super) struct Side {
    pub(super) key_columns: Vec<usize>,
    types: Vec<ArrowType>,
    keys: KeyTable,
    /// The first entry of each key.
    heads: Vec<u32>,
    store: Store,
    /// By entry. `weights` and `links` are empty on append-only sides, `matches` where they do not matter.
    next: Vec<u32>,
    weights: Vec<i64>,
    links: Vec<Link>,
    matches: Vec<Matches>,
    counts: bool,
    touched: Vec<Before>,
    /// Entries whose weight came to 0 in this step.
    dead: Vec<u32>,
    /// When an entry of an append-only side finds no more partners; `expires`, in ms, is by entry.
    expiry: Option<Expiry>,
    expires: Vec<i64>,
    /// With so many entries it is time to look which have expired.
    crowded: usize,
    /// With a time to live: which entries have outlived it.
    idle: Option<Idle>,
    /// With a time to live: the step's time.
    now_ms: i64,
    /// Of a changing side: keys that have no place in memory, and which of the others are the next to go.
    aside: KeysAside,
    recency: Recency,
    /// For checkpoints.
    told: Told,
}

impl Side {
    pub(super) fn new(
        keys: &[usize],
        types: &[ArrowType],
        changelog: bool,
        counts: bool,
    ) -> Result<Self> {
        let key_types: Vec<_> = keys.iter().map(|&i| types[i].clone()).collect();
        let store = if changelog {
            Store::Interned(KeyTable::new(types)?)
        } else {
            Store::Appended(Rows::new(types))
        };
        Ok(Self {
            key_columns: keys.to_vec(),
            types: types.to_vec(),
            keys: KeyTable::new(&key_types)?,
            heads: Vec::new(),
            store,
            next: Vec::new(),
            weights: Vec::new(),
            links: Vec::new(),
            matches: Vec::new(),
            counts,
            touched: Vec::new(),
            dead: Vec::new(),
            expiry: None,
            expires: Vec::new(),
            crowded: CROWDED_MIN,
            idle: None,
            now_ms: 0,
            aside: KeysAside::default(),
            recency: Recency::default(),
            told: Told::new(changelog, counts),
        })
    }

    /// Its entries expire; only for append-only sides whose partners do not count.
    pub(super) fn with_expiry(self, expiry: Option<Expiry>) -> Self {
        Self { expiry, ..self }
    }

    /// An entry is forgotten when neither it nor the number of its partners, where that matters, changed for so long; only
    /// for sides that intern their rows.
    pub(super) fn with_time_to_live(self, ttl_ms: Option<i64>) -> Self {
        Self { idle: ttl_ms.map(Idle::new), ..self }
    }

    /// Begins a step: forgets what has outlived its time to live.
    pub(super) fn forget_idle(&mut self, now_ms: i64) -> Result<()> {
        let Some(idle) = &mut self.idle else { return Ok(()) };
        self.now_ms = now_ms;
        let expired = idle.expired(now_ms);
        let until_ms = now_ms.saturating_sub(idle.ttl_ms());
        self.expire_aside(until_ms)?;
        for &entry in &expired {
            self.note(entry);
            self.weights[entry as usize] = 0;
        }
        self.dead.extend(expired);
        self.forget_dead()
    }

    fn written(&mut self, entry: u32) {
        if let Some(idle) = &mut self.idle {
            idle.write(entry, self.now_ms);
        }
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) -> Result<()> {
        if self.len() > 0 || !self.aside.is_empty() {
            let changelog = matches!(self.store, Store::Interned(_));
            let empty = Self::new(&self.key_columns, &self.types, changelog, self.counts)?;
            let ttl_ms = self.idle.as_ref().map(Idle::ttl_ms);
            let told = self.told_anew()?;
            *self = Self { told, ..empty.with_expiry(self.expiry).with_time_to_live(ttl_ms) };
        }
        Ok(())
    }

    /// Forgets the entries that have expired, if they may be half of all: each entry is looked at, and copied, a constant
    /// number of times.
    pub(super) fn forget_expired(&mut self, watermark: Watermark) -> Result<()> {
        let Some(watermark) = watermark.filter(|_| self.expires.len() >= self.crowded) else {
            return Ok(());
        };
        let entries = self.expires.iter().zip(0..);
        let live: Vec<u32> =
            entries.filter(|(at, _)| **at > watermark).map(|(_, entry)| entry).collect();
        if live.len() <= self.expires.len() / 2 {
            let columns = self.gather(&live)?;
            self.clear()?;
            self.insert(&Batch::new(columns, live.len()).into())?;
        }
        self.crowded = (2 * live.len()).max(CROWDED_MIN);
        Ok(())
    }

    pub(super) fn types(&self) -> &[ArrowType] {
        &self.types
    }

    /// True if it matters whether a row of this side has a partner.
    pub(super) fn counts(&self) -> bool {
        self.counts
    }

    pub(super) fn len(&self) -> usize {
        match &self.store {
            Store::Appended(_) => self.next.len(),
            Store::Interned(rows) => rows.len(),
        }
    }

    /// For each row of the other side's key columns, the first entry with that key.
    pub(super) fn first_partners(&mut self, keys: &Batch) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.keys.lookup(keys.columns(), keys.rows(), &mut ids)?;
        self.note_used(&ids);
        for id in &mut ids {
            *id = if *id == ABSENT { NONE } else { self.heads[*id as usize] };
        }
        Ok(ids)
    }

    /// Keys are used, if they are there.
    fn note_used(&mut self, keys: &[u32]) {
        if matches!(self.store, Store::Interned(_)) {
            let there = keys.iter().filter(|key| **key != ABSENT);
            there.for_each(|&key| self.recency.note(key));
        }
    }

    pub(super) fn next(&self, entry: u32) -> u32 {
        self.next[entry as usize]
    }

    pub(super) fn weight(&self, entry: u32) -> i64 {
        self.weights.get(entry as usize).copied().unwrap_or(1)
    }

    pub(super) fn matches(&self, entry: u32) -> i64 {
        self.matches[entry as usize].weight
    }

    /// Whether single columns can be read for less than all.
    pub(super) fn has_columns(&self) -> bool {
        matches!(self.store, Store::Appended(_))
    }

    /// One column of entries.
    pub(super) fn gather_column(&self, column: usize, entries: &[u32]) -> Result<ArrayRef> {
        match &self.store {
            Store::Appended(rows) => rows.gather_column(column, entries),
            Store::Interned(rows) => Ok(rows.emit(entries)?.swap_remove(column)),
        }
    }

    pub(super) fn gather(&self, entries: &[u32]) -> Result<Vec<ArrayRef>> {
        match &self.store {
            Store::Appended(rows) => rows.gather(entries),
            Store::Interned(rows) => rows.emit(entries),
        }
    }

    /// Keeps rows. Returns the entry of each, and whether its partners are still to be counted.
    pub(super) fn insert(&mut self, new: &Picked) -> Result<Vec<(u32, bool)>> {
        let keys = new.project(&self.key_columns)?;
        let mut ids = Vec::new();
        self.keys.intern(keys.columns(), keys.rows(), &mut ids)?;
        self.note_used(&ids);
        self.heads.resize(self.heads.len().max(self.keys.bound()), NONE);
        match &mut self.store {
            Store::Appended(rows) => {
                let first = rows.push_picked(new)?;
                if let Some(expiry) = self.expiry {
                    let column = new.column(expiry.column)?;
                    let valid = |row: usize| column.is_valid(row);
                    let times = times_ms(&column)?;
                    // What is compared with NULL has no partner.
                    let at = |(row, time): (usize, &i64)| {
                        if valid(row) { time.saturating_add(expiry.after_ms) } else { i64::MIN }
                    };
                    self.expires.extend(times.iter().enumerate().map(at));
                }
                for &key in &ids {
                    let entry = self.next.len() as u32;
                    self.next.push(std::mem::replace(&mut self.heads[key as usize], entry));
                }
                if self.counts {
                    self.matches.resize(self.next.len(), Matches::default());
                    for entry in first..self.next.len() as u32 {
                        self.note(entry);
                        self.touch(entry, 0);
                    }
                }
                Ok((first..self.next.len() as u32).map(|entry| (entry, true)).collect())
            }
            Store::Interned(rows) => {
                let (batch, mut entries) = (new.clone().into_batch()?, Vec::new());
                rows.intern(batch.columns(), batch.rows(), &mut entries)?;
                let bound = rows.bound();
                self.next.resize(self.next.len().max(bound), NONE);
                self.weights.resize(self.weights.len().max(bound), 0);
                self.links.resize(self.links.len().max(bound), UNLINKED);
                if self.counts {
                    self.matches.resize(self.matches.len().max(bound), Matches::default());
                }
                let mut inserted = Vec::with_capacity(entries.len());
                let rows = entries.into_iter().zip(ids).enumerate();
                for (row, (entry, key)) in rows {
                    inserted.push((entry, self.change(entry, key, batch.weight(row))));
                }
                // Only the first of equal new rows counts its partners.
                Ok(inserted)
            }
        }
    }

    /// Changes the weight of an entry; true if it is new.
    fn change(&mut self, entry: u32, key: u32, weight: i64) -> bool {
        let at = entry as usize;
        self.note(entry);
        self.touch(entry, self.weights[at]);
        self.weights[at] += weight;
        self.written(entry);
        if self.weights[at] == 0 || (self.weights[at] < 0 && self.idle.is_some()) {
            self.dead.push(entry);
        }
        let is_new = !self.links[at].linked;
        if is_new {
            let next = std::mem::replace(&mut self.heads[key as usize], entry);
            self.next[at] = next;
            if next != NONE {
                self.links[next as usize].previous = entry;
            }
            self.links[at] = Link { previous: NONE, key, linked: true };
        }
        is_new
    }

    /// Remembers an entry as it was before the step.
    fn touch(&mut self, entry: u32, weight: i64) {
        if let Some(matches) = self.matches.get_mut(entry as usize)
            && !matches.touched
        {
            matches.touched = true;
            self.touched.push(Before { entry, weight, matches: matches.weight });
        }
    }

    pub(super) fn add_matches(&mut self, entry: u32, weight: i64) {
        if self.counts {
            self.note(entry);
            self.touch(entry, self.weight(entry));
            self.matches[entry as usize].weight += weight;
            self.written(entry);
        }
    }

    /// The entries of this step as they were before it.
    pub(super) fn take_touched(&mut self) -> Vec<Before> {
        let touched = std::mem::take(&mut self.touched);
        for before in &touched {
            self.matches[before.entry as usize].touched = false;
        }
        touched
    }

    /// Frees the entries whose weight is 0 at the end of the step. With a time to live, a row that is taken back and not
    /// there was forgotten: it is owed to nobody.
    pub(super) fn forget_dead(&mut self) -> Result<()> {
        if !matches!(self.store, Store::Interned(_)) {
            return Ok(());
        }
        let (mut entries, mut of_keys, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for entry in std::mem::take(&mut self.dead) {
            let at = entry as usize;
            let link = self.links[at];
            if self.idle.is_some() {
                self.weights[at] = self.weights[at].max(0);
            }
            if self.weights[at] != 0 || !link.linked {
                continue;
            }
            entries.push(entry);
            of_keys.push(link.key);
            let next = self.next[at];
            match link.previous {
                NONE => self.heads[link.key as usize] = next,
                previous => self.next[previous as usize] = next,
            }
            if next != NONE {
                self.links[next as usize].previous = link.previous;
            }
            if self.heads[link.key as usize] == NONE {
                keys.push(link.key);
            }
            (self.links[at], self.next[at]) = (UNLINKED, NONE);
            if let Some(matches) = self.matches.get_mut(at) {
                *matches = Matches::default();
            }
        }
        self.note_gone(&entries, &of_keys)?;
        if let Some(idle) = &mut self.idle {
            entries.iter().for_each(|&entry| idle.forget(entry));
        }
        if let Store::Interned(rows) = &mut self.store {
            rows.release(&entries);
        }
        self.keys.release(&keys);
        Ok(())
    }

    /// Of a side that only grows single rows, of a changing one keys with all their rows.
    pub(super) fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        match &mut self.store {
            Store::Appended(rows) => rows.put_aside(wanted),
            Store::Interned(_) => self.put_keys_aside(wanted),
        }
    }

    /// How many rows there are, in memory and not.
    pub(super) fn state_rows(&self) -> usize {
        self.len() + self.aside.rows()
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.bytes_in_use() + self.aside.size_bytes()
    }

    /// Memory of entries. Of places that entries have left it does not count the memory: the next ones take it.
    fn bytes_in_use(&self) -> usize {
        let (store, places) = match &self.store {
            Store::Appended(rows) => (rows.size_bytes(), self.len()),
            Store::Interned(rows) => (rows.size_bytes(), rows.bound()),
        };
        let all = store
            + self.keys.size_bytes()
            + (self.heads.capacity() + self.next.capacity()) * 4
            + (self.weights.capacity() + self.expires.capacity()) * 8
            + self.links.capacity() * size_of::<Link>()
            + self.matches.capacity() * size_of::<Matches>()
            + self.idle.as_ref().map_or(0, Idle::size_bytes)
            + self.recency.size_bytes()
            + self.told.size_bytes();
        in_use(all, self.len(), places)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_schema::TimeUnit;

    use super::*;
    use crate::columns::timestamps;

    const TYPES: [ArrowType; 2] =
        [ArrowType::Int64, ArrowType::Timestamp(TimeUnit::Millisecond, None)];

    fn keys(range: std::ops::Range<i64>) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(range))
    }

    /// A row a millisecond, whose key is its time; it expires 10 ms later.
    fn rows(range: std::ops::Range<i64>) -> Batch {
        let rows = (range.end - range.start) as usize;
        Batch::new(vec![keys(range.clone()), timestamps(range.collect())], rows)
    }

    #[test]
    fn what_has_expired_goes_and_the_rest_is_found() {
        let side = Side::new(&[0], &TYPES, false, false).unwrap();
        let mut side = side.with_expiry(Some(Expiry { column: 1, after_ms: 10 }));
        let mut came = 0;
        for step in 0..100 {
            let next = came + 1_000;
            side.insert(&rows(came..next).into()).unwrap();
            came = next;
            side.forget_expired((step > 1).then_some(came - 2_000)).unwrap();
            assert!(side.len() <= CROWDED_MIN + 1_000, "{}", side.len());
            let wanted = Batch::new(vec![keys(came - 2_009..came)], 2_009);
            let found = side.first_partners(&wanted).unwrap();
            let there = if step < 2 { &found[2_009 - came.min(2_009) as usize..] } else { &found };
            let columns = side.gather(there).unwrap();
            let first = came - there.len() as i64;
            assert_eq!(
                columns[0].as_primitive::<Int64Type>().values(),
                &(first..came).collect::<Vec<_>>()[..]
            );
        }
        side.forget_expired(Some(i64::MAX)).unwrap();
        side.insert(&rows(0..CROWDED_MIN as i64).into()).unwrap();
        side.forget_expired(Some(i64::MAX)).unwrap();
        assert_eq!(side.len(), 0);
    }

    #[test]
    fn rows_that_live_are_not_looked_at_again_and_again() {
        let side = Side::new(&[0], &TYPES, false, false).unwrap();
        let mut side = side.with_expiry(Some(Expiry { column: 1, after_ms: 0 }));
        let many = CROWDED_MIN as i64;
        side.insert(&rows(0..many).into()).unwrap();
        side.forget_expired(Some(9)).unwrap();
        assert_eq!(side.len(), CROWDED_MIN);
        assert_eq!(side.crowded, 2 * (CROWDED_MIN - 10));
    }
}
