//! The groups of windows that have no place in memory: how they go, and come back when a row or the end of a window names them.
//! Invariant: before a row finds its group, and before a window is put together, all groups that it names are in memory. Panes
//! are made anew from slices when memory is short. Where windows are put together from slices, groups go in the order of
//! what their keys' hashes begin with: that is how they are asked for.

use arrow_array::ArrayRef;
use mainstem_core::{Batch, Result};
use mainstem_state::row_files::RowSpace;
use mainstem_state::table::TableChange;

use super::{Calls, Role, Runs, Scratch, Slice, WindowAggregate, attached_runs, each_run};
use crate::aggregate::SavedGroups;
use crate::columns::{times_ms, timestamps};
use crate::hash::{hash_columns, mix};
use crate::operator::{PutAside, Watermark};
use crate::ops::id_set::IdSet;
use crate::ops::keys_aside::Leaving;
use crate::ops::recency::in_use;
use crate::ops::wakes::NEVER;
use crate::window::Span;

/// So many groups go together.
const BLOCK_GROUPS: usize = 1024;
/// So many are in memory together for windows that close, or this many in tests.
const CLOSED_GROUPS: usize = 1 << 16;
const CLOSED_GROUPS_IN_TESTS: usize = 8;
/// The bits of a group's hash that are of its key alone: groups of one key are in one part, whatever their slice.
const OF_KEY: u64 = 0xffff << OF_KEY_SHIFT;
const OF_KEY_SHIFT: u32 = 40;
pub(super) const PARTS_MAX: usize = 1 << 16;

/// Hashes of groups by their names: keys, start and end.
fn name_hashes(names: &[ArrayRef], rows: usize) -> Result<Vec<u64>> {
    let (keys, span) = names.split_at(names.len() - 2);
    let mut hashes = Vec::new();
    hash_columns(keys, rows, &mut hashes)?;
    let (starts, ends) = (times_ms(&span[0])?, times_ms(&span[1])?);
    for (hash, (&start, &end)) in hashes.iter_mut().zip(starts.iter().zip(ends.iter())) {
        let name = mix(mix(*hash, start as u64), end as u64);
        *hash = (*hash & OF_KEY) | (name & !OF_KEY);
    }
    Ok(hashes)
}

/// The part, of so many, that a hash of keys or groups is in; parts ascend with what hashes begin with.
pub(super) fn part_of(hash: u64, parts: usize) -> usize {
    (((hash & OF_KEY) >> OF_KEY_SHIFT) as usize * parts) / PARTS_MAX
}

impl WindowAggregate {
    /// Memory of groups and keys. Of places that they have left it does not count the memory: the next ones take it.
    pub(super) fn bytes_in_use(&self) -> usize {
        let counts = self.group_rows.as_ref().map_or(0, |counts| counts.capacity() * 8);
        let of_groups = self.calls.size_bytes()
            + counts
            + self.groups.size_bytes()
            + self.recency.size_bytes()
            + self.tracker.size_bytes();
        let of_keys = self.keys.size_bytes() + self.references.capacity() * 4;
        in_use(of_groups, self.groups.ids().live(), self.groups.bound())
            + in_use(of_keys, self.keys.len(), self.keys.bound())
            + self.slices.values().map(Slice::size_bytes).sum::<usize>()
            + self.combined.as_ref().map_or(0, Calls::size_bytes)
            + self.panes.size_bytes()
    }

    pub(super) fn put_groups_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        // Groups without keys are few, and partial states are given away in each step.
        if self.key_columns.is_empty() || self.role == Role::Partials || wanted.is_met() {
            return Ok(());
        }
        self.closed_together = match wanted.memory.everything {
            true => CLOSED_GROUPS_IN_TESTS,
            false => CLOSED_GROUPS,
        };
        self.forget_panes();
        let bytes = self.bytes_in_use();
        let (mut going, each) = self.recency.going(self.groups.ids(), bytes, wanted);
        if !self.slices_are_windows() {
            let hashes = self.key_hashes()?;
            let of_key =
                |&group: &u32| self.groups.of(group).map(|(_, key)| hashes[key as usize] & OF_KEY);
            going.sort_by_cached_key(of_key);
        }
        self.put_aside_groups(&going, &wanted.memory.space)?;
        wanted.bytes = wanted.bytes.saturating_sub(each * going.len());
        Ok(())
    }

    /// Puts groups aside, in this order.
    pub(super) fn put_aside_groups(&mut self, going: &[u32], space: &RowSpace) -> Result<()> {
        for groups in going.chunks(BLOCK_GROUPS) {
            self.put_block_aside(groups, space)?;
        }
        self.leave(going);
        Ok(())
    }

    /// Writes groups down.
    fn put_block_aside(&mut self, groups: &[u32], space: &RowSpace) -> Result<()> {
        let (names, rows) = self.names(groups)?;
        let hashes = name_hashes(names.columns(), names.rows())?;
        let places = (0..groups.len() as u32).collect();
        let mut tables = vec![SavedGroups { places, columns: rows.into_columns() }];
        tables.extend(self.calls.saved(groups)?);
        let wake = |&group: &u32| {
            let (slice, _) = self.groups.of(group)?;
            self.next_close_ms(slice, self.passed)
        };
        let wakes = groups.iter().map(|group| wake(group).unwrap_or(NEVER)).collect();
        let marks = groups.iter().map(|&group| self.tracker.take_marks(group)).collect();
        let rows = vec![1; groups.len()];
        let leaving = Leaving { hashes, marks, tables, rows, newest_ms: i64::MAX, wakes };
        self.aside.put(leaving, space)
    }

    /// Has the places of groups empty.
    fn leave(&mut self, going: &[u32]) {
        let mut ids = IdSet::default();
        going.iter().for_each(|&group| ids.insert(group));
        let slices: Vec<Span> = self.slices.keys().copied().collect();
        for span in slices {
            let Some(slice) = self.slices.get_mut(&span) else { continue };
            let (groups, keys) = slice.take(&ids);
            let is_empty = slice.groups.is_empty();
            self.calls.clear(&groups);
            if let Some(counts) = &mut self.group_rows {
                groups.iter().for_each(|&group| counts[group as usize] = 0);
            }
            self.groups.free(&groups);
            self.unhold(keys);
            if is_empty && let Some(slice) = self.slices.remove(&span) {
                self.groups.release(&slice);
            }
        }
    }

    /// Brings back the groups of rows, which are kept in the slices `homes`.
    pub(super) fn bring_back_for(
        &mut self,
        keys: &[ArrayRef],
        rows: usize,
        homes: &[Span],
        runs: &Runs,
    ) -> Result<()> {
        if self.aside.is_empty() {
            return Ok(());
        }
        let (mut starts, mut ends) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for (run, from) in each_run(&runs.runs) {
            let Span { start, end } = homes[run.slot as usize];
            starts.resize(starts.len() + run.end as usize - from, start);
            ends.resize(starts.len(), end);
        }
        let mut names = keys.to_vec();
        names.extend([timestamps(starts), timestamps(ends)]);
        let hashes = name_hashes(&names, rows)?;
        let found = self.aside.find(&hashes);
        self.take_back(found).map(drop)
    }

    /// Brings back some groups whose slices are windows that `progress` closes, which is to be done before others come back. False:
    /// there was none.
    pub(super) fn bring_back_due(&mut self, progress: Watermark) -> Result<bool> {
        let Some(progress) = progress else { return Ok(false) };
        let due = self.aside.due(progress, self.closed_together);
        Ok(!self.take_back(due)?.is_empty())
    }

    /// Brings groups back; returns them.
    pub(super) fn take_back(&mut self, mut aside: Vec<u32>) -> Result<Vec<u32>> {
        if aside.is_empty() {
            return Ok(Vec::new());
        }
        let (tables, marks) = self.aside.take(&mut aside)?;
        let Some((first, calls)) = tables.split_first() else { return Ok(Vec::new()) };
        let width = self.key_columns.len();
        let rows = Batch::new(first.columns.clone(), first.places.len());
        let mut scratch = Scratch::default();
        attached_runs(&rows, width, width + 1, &mut scratch.runs)?;
        let homes = scratch.runs.slots.clone();
        self.place(&rows.columns()[..width], rows.rows(), &homes, &mut scratch)?;
        let groups = scratch.groups;
        self.set_counts(&groups, rows.column(width + 2));
        let bound = self.groups.bound();
        for (part, saved) in calls.iter().enumerate() {
            let of: Vec<u32> = saved.places.iter().map(|&at| groups[at as usize]).collect();
            self.calls.load_part(part, &saved.columns, &of, bound)?;
        }
        for (&group, marks) in groups.iter().zip(marks) {
            self.tracker.set_marks(group, marks);
            self.recency.note(group);
        }
        Ok(groups)
    }

    /// What changes of groups that are aside are handed out as.
    pub(super) fn changes_aside(&self, aside: &mut [u32]) -> Result<Vec<TableChange>> {
        if aside.is_empty() {
            return Ok(Vec::new());
        }
        let mut tables = self.aside.read(aside)?.into_iter();
        let Some(first) = tables.next() else { return Ok(Vec::new()) };
        let rows = Batch::new(first.columns, first.places.len());
        let names = rows.project(&(0..self.key_columns.len() + 2).collect::<Vec<_>>());
        self.replaced(&names, rows, tables.collect())
    }
}
