//! Rows to slices, and (slice, key) to groups and back.
//! Invariant: the groups of a slice stand in the order in which their keys were first seen in it, those that were elsewhere
//! meanwhile behind the others. A key is kept while a slice holds it.

use hashbrown::HashTable;

use super::id_set::IdSet;
use crate::hash::{START, mix};
use crate::key_table::{ABSENT, Ids};
use crate::window::Span;

/// A map by key id is a plain Vec up to this many keys, or while at least one key in [`FULL`] is in the slice.
const DENSE_MAX: usize = 1 << 14;
const FULL: usize = 8;

/// Which slice each row is in: rows up to `end` (exclusive) are in slice `slot` of the batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) slot: u32,
    pub(super) end: u32,
}

/// The slices of one batch, and its rows as runs.
#[derive(Debug, Default)]
pub(super) struct Runs {
    pub(super) slots: Vec<Span>,
    pub(super) runs: Vec<Run>,
}

impl Runs {
    /// All `rows` rows in one slice.
    pub(super) fn whole(&mut self, slice: Span, rows: usize) {
        self.slots.clear();
        self.runs.clear();
        self.slots.push(slice);
        self.runs.push(Run { slot: 0, end: rows as u32 });
    }

    /// Finds the slice of each time. Times of one slice in a row cost two comparisons each.
    pub(super) fn find(&mut self, times: &[i64], slice_of: impl Fn(i64) -> Span) {
        self.slots.clear();
        self.runs.clear();
        let (mut low, mut high) = (0, 0);
        for (row, &time) in times.iter().enumerate() {
            if time < low || time >= high {
                let slot =
                    self.slot_where(|s| s.start <= time && time < s.end).unwrap_or_else(|| {
                        self.slots.push(slice_of(time));
                        self.slots.len() - 1
                    });
                (low, high) = (self.slots[slot].start, self.slots[slot].end);
                self.switch(slot, row);
            }
        }
        self.close(times.len());
    }

    /// The same for rows that carry their window.
    pub(super) fn attached(&mut self, starts: &[i64], ends: &[i64]) {
        self.slots.clear();
        self.runs.clear();
        let mut current = None;
        for (row, (&start, &end)) in starts.iter().zip(ends).enumerate() {
            let span = Span { start, end };
            if current != Some(span) {
                current = Some(span);
                let slot = self.slot_where(|s| *s == span).unwrap_or_else(|| {
                    self.slots.push(span);
                    self.slots.len() - 1
                });
                self.switch(slot, row);
            }
        }
        self.close(starts.len());
    }

    /// Looks among the slices found last, which is where neighbours in time are. A slice that was found too long ago
    /// gets a second slot, which is correct, only slower.
    fn slot_where(&self, is: impl Fn(&Span) -> bool) -> Option<usize> {
        const RECENT: usize = 64;
        let first = self.slots.len().saturating_sub(RECENT);
        self.slots[first..].iter().rposition(is).map(|at| first + at)
    }

    fn switch(&mut self, slot: usize, row: usize) {
        self.close(row);
        self.runs.push(Run { slot: slot as u32, end: 0 });
    }

    fn close(&mut self, row: usize) {
        if let Some(last) = self.runs.last_mut() {
            last.end = row as u32;
        }
    }
}

/// From key ids to groups, for one slice.
#[derive(Debug)]
enum GroupMap {
    Dense(Vec<u32>),
    Sparse(HashTable<(u32, u32)>),
}

impl Default for GroupMap {
    fn default() -> Self {
        Self::Dense(Vec::new())
    }
}

fn key_hash(key: u32) -> u64 {
    mix(START, u64::from(key))
}

/// The groups of one slice.
#[derive(Debug)]
pub(super) struct Slice {
    /// By which its groups name it; [`PANE`]: they are of no slice.
    number: u32,
    map: GroupMap,
    /// Key ids in the order in which they were first seen, and the group of each.
    pub(super) keys: Vec<u32>,
    pub(super) groups: Vec<u32>,
}

/// The number of what is put together from slices.
const PANE: u32 = u32::MAX;

/// The ids of groups, and what each is a group of.
#[derive(Debug, Default)]
pub(super) struct Groups {
    ids: Ids,
    /// By group: the number of its slice, and its key.
    of: Vec<(u32, u32)>,
    numbers: Ids,
    /// By number.
    slices: Vec<Span>,
}

impl Groups {
    /// A slice without groups.
    pub(super) fn slice(&mut self, span: Span) -> Slice {
        let number = self.numbers.allocate();
        self.slices.resize(self.numbers.bound().max(self.slices.len()), span);
        self.slices[number as usize] = span;
        Slice { number, ..Slice::pane() }
    }

    /// Frees groups of a slice.
    pub(super) fn free(&mut self, groups: &[u32]) {
        self.ids.release(groups);
    }

    /// Frees a slice, and its groups.
    pub(super) fn release(&mut self, slice: &Slice) {
        self.free(&slice.groups);
        if slice.number != PANE {
            self.numbers.release(&[slice.number]);
        }
    }

    #[inline]
    fn allocate(&mut self, slice: u32, key: u32) -> u32 {
        let group = self.ids.allocate();
        match self.of.get_mut(group as usize) {
            Some(of) => *of = (slice, key),
            None => self.of.push((slice, key)),
        }
        group
    }

    /// A group of a key that is of no slice and does not hold its key.
    pub(super) fn of_pane(&mut self, key: u32) -> u32 {
        self.allocate(PANE, key)
    }

    /// The slice of a group and its key; `None`: it is of a pane.
    pub(super) fn of(&self, group: u32) -> Option<(Span, u32)> {
        let (slice, key) = self.of[group as usize];
        (slice != PANE).then(|| (self.slices[slice as usize], key))
    }

    pub(super) fn ids(&self) -> &Ids {
        &self.ids
    }

    pub(super) fn bound(&self) -> usize {
        self.ids.bound()
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.of.capacity() * size_of::<(u32, u32)>() + self.slices.capacity() * size_of::<Span>()
    }
}

/// What a new group in a slice needs.
pub(super) struct Allocator<'a> {
    pub(super) groups: &'a mut Groups,
    /// For each key id, how many slices hold it.
    pub(super) references: &'a mut Vec<u32>,
    /// One more than the greatest key id in use.
    pub(super) key_bound: usize,
}

impl Slice {
    /// What slices are put together in: its groups are told to no checkpoint.
    pub(super) fn pane() -> Self {
        Self { number: PANE, map: GroupMap::default(), keys: Vec::new(), groups: Vec::new() }
    }

    /// Appends the group of each key to `out`, new groups for new keys.
    pub(super) fn assign(
        &mut self,
        keys: &[u32],
        allocator: &mut Allocator<'_>,
        out: &mut Vec<u32>,
    ) {
        self.adapt(allocator.key_bound);
        if let GroupMap::Dense(map) = &mut self.map {
            if map.len() < allocator.key_bound {
                map.resize(allocator.key_bound, ABSENT);
            }
            let (own_keys, own_groups) = (&mut self.keys, &mut self.groups);
            let (number, map) = (self.number, map.as_mut_slice());
            out.extend(keys.iter().map(|&key| {
                let group = &mut map[key as usize];
                if *group == ABSENT {
                    *group = add((number, key), own_keys, own_groups, allocator);
                }
                *group
            }));
        } else {
            out.extend(keys.iter().map(|&key| self.assign_sparse(key, allocator)));
        }
    }

    fn assign_sparse(&mut self, key: u32, allocator: &mut Allocator<'_>) -> u32 {
        let GroupMap::Sparse(map) = &mut self.map else { return ABSENT };
        let hash = key_hash(key);
        if let Some(entry) = map.find(hash, |entry| entry.0 == key) {
            return entry.1;
        }
        let group = add((self.number, key), &mut self.keys, &mut self.groups, allocator);
        map.insert_unique(hash, (key, group), |entry| key_hash(entry.0));
        group
    }

    /// Chooses the map's form by how full it is.
    fn adapt(&mut self, key_bound: usize) {
        let is_full = self.keys.len() * FULL >= key_bound;
        match &self.map {
            GroupMap::Sparse(_) if is_full => {
                let mut map = vec![ABSENT; key_bound];
                self.pairs().for_each(|(key, group)| map[key as usize] = group);
                self.map = GroupMap::Dense(map);
            }
            GroupMap::Dense(map) if map.len() < key_bound && key_bound > DENSE_MAX && !is_full => {
                self.become_sparse();
            }
            _ => {}
        }
    }

    fn become_sparse(&mut self) {
        if let GroupMap::Dense(_) = &self.map {
            let mut sparse = HashTable::with_capacity(self.keys.len());
            for (key, group) in self.pairs() {
                sparse.insert_unique(key_hash(key), (key, group), |entry: &(u32, u32)| {
                    key_hash(entry.0)
                });
            }
            self.map = GroupMap::Sparse(sparse);
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (u32, u32)> {
        self.keys.iter().copied().zip(self.groups.iter().copied())
    }

    /// Gives all keys and groups away.
    pub(super) fn give_away(&mut self) -> Vec<(u32, u32)> {
        self.map = GroupMap::default();
        let keys = std::mem::take(&mut self.keys).into_iter();
        keys.zip(std::mem::take(&mut self.groups)).collect()
    }

    /// Takes groups over that another slice gave away, with keys that are not here.
    pub(super) fn adopt(&mut self, groups: Vec<(u32, u32)>, all: &mut Groups, key_bound: usize) {
        if (self.keys.len() + groups.len()) * FULL < key_bound {
            self.become_sparse();
        }
        if let GroupMap::Dense(map) = &mut self.map {
            map.resize(key_bound.max(map.len()), ABSENT);
        }
        for (key, group) in groups {
            match &mut self.map {
                GroupMap::Dense(map) => map[key as usize] = group,
                GroupMap::Sparse(map) => {
                    map.insert_unique(key_hash(key), (key, group), |entry| key_hash(entry.0));
                }
            }
            all.of[group as usize] = (self.number, key);
            self.keys.push(key);
            self.groups.push(group);
        }
    }

    /// Takes those of some groups out that are its own; returns them and their keys.
    pub(super) fn take(&mut self, going: &IdSet) -> (Vec<u32>, Vec<u32>) {
        let (mut gone, mut keys_gone) = (Vec::new(), Vec::new());
        let (keys, groups) = (std::mem::take(&mut self.keys), std::mem::take(&mut self.groups));
        for (key, group) in keys.into_iter().zip(groups) {
            if !going.contains(group) {
                self.keys.push(key);
                self.groups.push(group);
                continue;
            }
            match &mut self.map {
                GroupMap::Dense(map) => map[key as usize] = ABSENT,
                GroupMap::Sparse(map) => {
                    if let Ok(entry) = map.find_entry(key_hash(key), |entry| entry.0 == key) {
                        entry.remove();
                    }
                }
            }
            gone.push(group);
            keys_gone.push(key);
        }
        (gone, keys_gone)
    }

    pub(super) fn size_bytes(&self) -> usize {
        let map = match &self.map {
            GroupMap::Dense(map) => map.capacity() * 4,
            GroupMap::Sparse(map) => map.allocation_size(),
        };
        map + (self.keys.capacity() + self.groups.capacity()) * 4
    }
}

#[inline(never)]
fn add(
    (slice, key): (u32, u32),
    keys: &mut Vec<u32>,
    groups: &mut Vec<u32>,
    allocator: &mut Allocator<'_>,
) -> u32 {
    let group = allocator.groups.allocate(slice, key);
    keys.push(key);
    groups.push(group);
    if allocator.references.len() <= key as usize {
        allocator.references.resize(key as usize + 1, 0);
    }
    allocator.references[key as usize] += 1;
    group
}
