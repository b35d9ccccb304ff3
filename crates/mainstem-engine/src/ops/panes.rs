//! HOP windows put together from slices in constant time a window.
//! Invariant: `front` holds, for each slice of a range that ends at the flip, that slice and all after it up to the
//! flip, merged; `back` holds all slices after the flip. A window is then one front element and the back: the two
//! stacks of a queue. Slices themselves stay as they were, so a straggler only means that the panes are made anew.

use std::collections::BTreeMap;

use mainstem_core::Result;

use super::calls::Calls;
use super::slices::{Allocator, Groups, Slice};
use crate::window::Span;

#[derive(Debug)]
pub(super) struct Panes {
    front: BTreeMap<Span, Slice>,
    back: Slice,
    /// All slices that end up to here are in `front` or `back`.
    covered: Option<i64>,
}

/// What panes need of their operator.
pub(super) struct Parts<'a> {
    pub(super) slices: &'a BTreeMap<Span, Slice>,
    pub(super) calls: &'a mut Calls,
    pub(super) groups: &'a mut Groups,
    pub(super) references: &'a mut Vec<u32>,
    pub(super) key_bound: usize,
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
        Self { front: BTreeMap::new(), back: Slice::pane(), covered: None }
    }
}

impl Panes {
    /// True if a row of `slice` comes too late for what is merged already.
    pub(super) fn covers(&self, slice: Span) -> bool {
        self.covered.is_some_and(|covered| slice.end <= covered)
    }

    /// Gives all panes away.
    pub(super) fn reset(&mut self, gone: &mut Vec<Slice>) {
        self.covered = None;
        gone.extend(std::mem::take(&mut self.front).into_values());
        gone.push(std::mem::replace(&mut self.back, Slice::pane()));
    }

    /// Makes the panes ready for `window`, which starts and ends no earlier than the one before.
    pub(super) fn prepare(
        &mut self,
        window: Span,
        parts: &mut Parts<'_>,
        gone: &mut Vec<Slice>,
    ) -> Result<()> {
        while let Some((first, _)) = self.front.first_key_value()
            && first.start < window.start
            && let Some((_, slice)) = self.front.pop_first()
        {
            gone.push(slice);
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

    fn flip(&mut self, window: Span, parts: &mut Parts<'_>, gone: &mut Vec<Slice>) -> Result<()> {
        self.reset(gone);
        let slices = parts.slices;
        let mut after: Option<Span> = None;
        for (&span, slice) in slices.range(slices_of(window)).rev() {
            let mut suffix = Slice::pane();
            parts.fold(slice, &mut suffix)?;
            if let Some(after) = after.and_then(|after| self.front.get(&after)) {
                parts.fold(after, &mut suffix)?;
            }
            self.front.insert(span, suffix);
            after = Some(span);
        }
        Ok(())
    }

    /// The two slices that make up the window that was prepared.
    pub(super) fn window(&self) -> impl Iterator<Item = &Slice> {
        self.front.values().next().into_iter().chain([&self.back])
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.front.values().map(Slice::size_bytes).sum::<usize>() + self.back.size_bytes()
    }
}
