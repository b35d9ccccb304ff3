//! HOP windows put together from slices in constant time a window.
//! Invariant: of the slices of a range that ends at the flip, `front` has each group put together with all later groups of its key
//! in the range; `first` names for each key the first of those in the window. `back` has all slices after the flip. A window is
//! then `first` and the back: the two stacks of a queue, for each key by itself, so as much is kept as slices have groups. Slices
//! themselves stay as they were, so a straggler only means that the panes are made anew.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use mainstem_core::Result;

use super::calls::Calls;
use super::slices::{Allocator, Groups, Slice};
use crate::key_table::ABSENT;
use crate::window::Span;

#[derive(Debug)]
pub(super) struct Panes {
    front: BTreeMap<Span, Suffixes>,
    /// Keys of the front, and the group of each that starts first; [`ABSENT`]: all of its slices have gone.
    first: Vec<(u32, u32)>,
    back: Slice,
    /// All slices that end up to here are in `front` or `back`.
    covered: Option<i64>,
}

/// Of each group of a slice.
#[derive(Debug, Default)]
struct Suffixes {
    /// It and all later ones of its key.
    groups: Vec<u32>,
    /// The same from the next slice on that has the key, or [`ABSENT`].
    next: Vec<u32>,
    /// The place of its key in `first`.
    places: Vec<u32>,
}

/// What panes need of their operator.
pub(super) struct Parts<'a> {
    pub(super) slices: &'a BTreeMap<Span, Slice>,
    pub(super) calls: &'a mut Calls,
    pub(super) groups: &'a mut Groups,
    pub(super) references: &'a mut Vec<u32>,
    pub(super) key_bound: usize,
}

/// What panes had and do not need any more.
#[derive(Debug, Default)]
pub(super) struct Gone {
    /// Groups that hold no key: slices do while these are there.
    pub(super) groups: Vec<u32>,
    pub(super) slices: Vec<Slice>,
}

impl Parts<'_> {
    /// Adds the groups of one slice to another.
    fn fold(&mut self, from: &Slice, into: &mut Slice) -> Result<()> {
        let mut to = Vec::with_capacity(from.keys.len());
        let mut allocator = Allocator {
            groups: self.groups,
            references: self.references,
            key_bound: self.key_bound,
        };
        into.assign(&from.keys, &mut allocator, &mut to);
        let bound = self.groups.bound();
        self.calls.fold(&from.groups, &to, bound)
    }
}

/// The keys of the slices of a window in the map of slices.
pub(super) fn slices_of(window: Span) -> std::ops::RangeInclusive<Span> {
    Span { end: window.start + 1, start: i64::MIN }..=Span { end: window.end, start: i64::MAX }
}

impl Default for Panes {
    fn default() -> Self {
        let (front, first) = (BTreeMap::new(), Vec::new());
        Self { front, first, back: Slice::pane(), covered: None }
    }
}

impl Panes {
    /// True if a row of `slice` comes too late for what is merged already.
    pub(super) fn covers(&self, slice: Span) -> bool {
        self.covered.is_some_and(|covered| slice.end <= covered)
    }

    /// Gives all panes away.
    pub(super) fn reset(&mut self, gone: &mut Gone) {
        let all = std::mem::take(self);
        gone.groups.extend(all.front.into_values().flat_map(|suffixes| suffixes.groups));
        gone.slices.push(all.back);
    }

    /// Makes the panes ready for `window`, which starts and ends no earlier than the one before.
    pub(super) fn prepare(
        &mut self,
        window: Span,
        parts: &mut Parts<'_>,
        gone: &mut Gone,
    ) -> Result<()> {
        while let Some((slice, _)) = self.front.first_key_value()
            && slice.start < window.start
            && let Some((_, suffixes)) = self.front.pop_first()
        {
            for (&place, &next) in suffixes.places.iter().zip(&suffixes.next) {
                self.first[place as usize].1 = next;
            }
            gone.groups.extend(suffixes.groups);
        }
        match self.covered {
            Some(covered) if !self.front.is_empty() => {
                let new = Span { start: covered, end: window.end };
                if new.start < new.end {
                    for slice in parts.slices.range(slices_of(new)).map(|(_, slice)| slice) {
                        parts.fold(slice, &mut self.back)?;
                    }
                }
            }
            _ => self.flip(window, parts, gone)?,
        }
        self.covered = Some(window.end);
        Ok(())
    }

    fn flip(&mut self, window: Span, parts: &mut Parts<'_>, gone: &mut Gone) -> Result<()> {
        self.reset(gone);
        let slices = parts.slices;
        let mut place_of: HashMap<u32, u32> = HashMap::new();
        for (&span, slice) in slices.range(slices_of(window)).rev() {
            let mut suffixes = Suffixes::default();
            let (mut later, mut to) = (Vec::new(), Vec::new());
            for &key in &slice.keys {
                let place = *place_of.entry(key).or_insert_with(|| {
                    self.first.push((key, ABSENT));
                    self.first.len() as u32 - 1
                });
                let group = parts.groups.of_pane(key);
                let next = std::mem::replace(&mut self.first[place as usize].1, group);
                if next != ABSENT {
                    later.push(next);
                    to.push(group);
                }
                suffixes.groups.push(group);
                suffixes.next.push(next);
                suffixes.places.push(place);
            }
            let bound = parts.groups.bound();
            parts.calls.fold(&slice.groups, &suffixes.groups, bound)?;
            parts.calls.fold(&later, &to, bound)?;
            self.front.insert(span, suffixes);
        }
        Ok(())
    }

    /// The window that was prepared: keys, some of them twice, and groups of which it is made up.
    pub(super) fn window(&self) -> (Vec<u32>, Vec<u32>) {
        let front = self.first.iter().copied().filter(|(_, group)| *group != ABSENT);
        let (mut keys, mut groups): (Vec<u32>, Vec<u32>) = front.unzip();
        keys.extend_from_slice(&self.back.keys);
        groups.extend_from_slice(&self.back.groups);
        (keys, groups)
    }

    pub(super) fn size_bytes(&self) -> usize {
        let groups: usize = self.front.values().map(|suffixes| suffixes.groups.capacity()).sum();
        groups * 3 * size_of::<u32>()
            + self.first.capacity() * size_of::<(u32, u32)>()
            + self.back.size_bytes()
    }
}
