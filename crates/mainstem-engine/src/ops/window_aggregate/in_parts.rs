//! Windows that are put together from slices, when memory is short: all that is asked of a key is asked at once, so the keys of one
//! part after another come from disk, have their windows closed, and go back.
//! Invariant: a key is in one part with all its groups; while a part is closed, the slices of the operator hold nothing else. All
//! parts of a step are closed in it, so to checkpoints and to whoever reads the rows they are one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use mainstem_core::{Batch, Result};

use super::aside::{PARTS_MAX, part_of};
use super::{Slice, WindowAggregate};
use crate::hash::hash_columns;
use crate::operator::Watermark;
use crate::ops::id_set::IdSet;
use crate::window::Span;

/// So many keys are hashed together.
const KEYS: usize = 1024;

/// Keys of a slice, and the group of each.
type KeyGroups = Vec<(u32, u32)>;

impl WindowAggregate {
    /// Emits the windows that `progress` closes, some of whose groups may be aside.
    pub(super) fn close_with_aside(
        &mut self,
        before: Watermark,
        progress: Watermark,
    ) -> Result<Vec<Batch>> {
        let (Some(progress_ms), false) = (progress, self.aside.is_empty()) else {
            return self.close(before, progress);
        };
        let due = self.aside.due(progress_ms, usize::MAX);
        let closes = |(&first, _): (&Span, &Slice)| {
            self.next_close_ms(first, before).is_some_and(|close_ms| close_ms <= progress_ms)
        };
        let closes_any = !due.is_empty() || self.slices.first_key_value().is_some_and(closes);
        let parts = (due.len() + self.groups.ids().live()).div_ceil(self.closed_together);
        if !closes_any || parts <= 1 {
            self.take_back(due)?;
            return self.close(before, progress);
        }
        // A power of two, so that what a part has put back is seldom another part's the next time.
        self.close_in_parts(due, parts.next_power_of_two().min(PARTS_MAX), before, progress)
    }

    fn close_in_parts(
        &mut self,
        due: Vec<u32>,
        parts: usize,
        before: Watermark,
        progress: Watermark,
    ) -> Result<Vec<Batch>> {
        self.forget_panes();
        let mut due_of = vec![Vec::new(); parts];
        due.into_iter().for_each(|id| due_of[part_of(self.aside.hash(id), parts)].push(id));
        let (mut output, mut done) = (Vec::new(), BTreeMap::new());
        for (own, due) in self.split_slices(parts)?.into_iter().zip(due_of) {
            for (span, groups) in own {
                let mut slice = self.groups.slice(span);
                slice.adopt(groups, &mut self.groups, self.keys.bound());
                self.slices.insert(span, slice);
            }
            let came = self.take_back(due)?;
            output.extend(self.close(before, progress)?);
            self.forget_panes();
            self.put_back(came)?;
            for (span, mut slice) in std::mem::take(&mut self.slices) {
                match done.entry(span) {
                    Entry::Vacant(vacant) => {
                        vacant.insert(slice);
                    }
                    Entry::Occupied(mut all) => {
                        let all: &mut Slice = all.get_mut();
                        all.adopt(slice.give_away(), &mut self.groups, self.keys.bound());
                        self.groups.release(&slice);
                    }
                }
            }
        }
        self.slices = done;
        Ok(output)
    }

    /// Takes all slices apart: the groups of each part.
    fn split_slices(&mut self, parts: usize) -> Result<Vec<BTreeMap<Span, KeyGroups>>> {
        let hashes = self.key_hashes()?;
        let mut split: Vec<BTreeMap<Span, KeyGroups>> = vec![BTreeMap::new(); parts];
        for (span, mut slice) in std::mem::take(&mut self.slices) {
            let of_part = |&(key, _): &(u32, u32)| part_of(hashes[key as usize], parts);
            let mut all = slice.give_away();
            all.sort_by_key(of_part);
            for own in all.chunk_by(|a, b| of_part(a) == of_part(b)) {
                split[of_part(&own[0])].insert(span, own.to_vec());
            }
            self.groups.release(&slice);
        }
        Ok(split)
    }

    /// Of each key in memory, by its id.
    pub(super) fn key_hashes(&self) -> Result<Vec<u64>> {
        let (mut by_key, mut hashes) = (vec![0; self.keys.bound()], Vec::new());
        for keys in self.keys.used().chunks(KEYS) {
            hash_columns(&self.keys.emit(keys)?, keys.len(), &mut hashes)?;
            keys.iter().zip(&hashes).for_each(|(&key, &hash)| by_key[key as usize] = hash);
        }
        Ok(by_key)
    }

    /// Puts those aside again of groups that came back which later windows need.
    fn put_back(&mut self, mut came: Vec<u32>) -> Result<()> {
        let live = IdSet::all_but(self.groups.bound(), self.groups.ids().free());
        came.retain(|&group| live.contains(group));
        match self.aside.space() {
            Some(space) if !came.is_empty() => self.put_aside_groups(&came, &space),
            _ => Ok(()),
        }
    }
}
