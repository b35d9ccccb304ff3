//! The groups of an aggregate that have no place in memory: how they go, and come back when a row names them.
//! Invariant: before a row finds its group all groups with keys of its step are in memory.

use arrow_array::ArrayRef;
use mainstem_core::{Batch, Result};
use mainstem_state::table::TableChange;

use super::{Aggregate, Role};
use crate::aggregate::SavedGroups;
use crate::hash::hash_columns;
use crate::operator::{Arrivals, PutAside};
use crate::ops::idle::Idle;
use crate::ops::keys_aside::Leaving;
use crate::ops::recency::in_use;

/// So many groups go together.
const BLOCK_GROUPS: usize = 1024;

impl Aggregate {
    /// Memory of groups. Of places that groups have left it does not count the memory: the next ones take it.
    pub(super) fn bytes_in_use(&self) -> usize {
        let counts = self.group_rows.as_ref().map_or(0, |counts| counts.capacity() * 8);
        let all = self.keys.size_bytes()
            + self.calls.size_bytes()
            + counts
            + self.emitted.capacity()
            + self.touched.capacity()
            + self.idle.as_ref().map_or(0, Idle::size_bytes)
            + self.recency.size_bytes()
            + self.tracker.size_bytes();
        in_use(all, self.keys.len(), self.keys.bound())
    }

    pub(super) fn put_groups_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        // A group without keys stays, and partial states are given away in each step.
        if self.key_columns.is_empty() || self.role == Role::Partials {
            return Ok(());
        }
        let bytes = self.bytes_in_use();
        let (going, each) = self.recency.going(self.keys.ids(), bytes, wanted);
        for groups in going.chunks(BLOCK_GROUPS) {
            self.put_block_aside(groups, wanted)?;
            wanted.bytes = wanted.bytes.saturating_sub(each * groups.len());
        }
        Ok(())
    }

    fn put_block_aside(&mut self, groups: &[u32], wanted: &PutAside<'_>) -> Result<()> {
        let (keys, rows) = self.groups(groups)?;
        let mut hashes = Vec::new();
        hash_columns(keys.columns(), keys.rows(), &mut hashes)?;
        let places = (0..groups.len() as u32).collect();
        let mut tables = vec![SavedGroups { places, columns: rows.into_columns() }];
        tables.extend(self.calls.saved(groups)?);
        let written = groups.iter().filter_map(|&g| self.idle.as_ref()?.written_ms(g));
        let newest_ms = written.max().unwrap_or(i64::MAX);
        let marks = groups.iter().map(|&group| self.tracker.take_marks(group)).collect();
        let rows = vec![1; groups.len()];
        let leaving = Leaving { hashes, marks, tables, rows, newest_ms, wakes: Vec::new() };
        self.aside.put(leaving, &wanted.memory.space)?;
        self.clear(groups);
        self.keys.release(groups);
        Ok(())
    }

    /// Brings back the groups of all rows that a step brought.
    pub(super) fn bring_back_for(&mut self, arrivals: &Arrivals) -> Result<()> {
        if self.aside.is_empty() {
            return Ok(());
        }
        for batch in &arrivals.batches {
            let keys = batch.project(&self.key_columns);
            self.bring_back(keys.columns(), batch.rows())?;
        }
        for batch in &arrivals.partials {
            self.bring_back(&batch.columns()[..self.key_columns.len()], batch.rows())?;
        }
        Ok(())
    }

    /// Brings back the groups of these keys.
    pub(super) fn bring_back(&mut self, keys: &[ArrayRef], rows: usize) -> Result<()> {
        if self.aside.is_empty() {
            return Ok(());
        }
        let mut hashes = Vec::new();
        hash_columns(keys, rows, &mut hashes)?;
        let found = self.aside.find(&hashes);
        if found.is_empty() { Ok(()) } else { self.take_back(found) }
    }

    /// Brings back groups by their numbers there.
    pub(super) fn take_back(&mut self, mut aside: Vec<u32>) -> Result<()> {
        let (tables, marks) = self.aside.take(&mut aside)?;
        let Some((first, calls)) = tables.split_first() else { return Ok(()) };
        let (keys, columns) = first.columns.split_at(self.key_columns.len());
        let mut groups = Vec::new();
        self.keys.intern(keys, first.places.len(), &mut groups)?;
        self.set_groups(&groups, columns);
        let bound = self.keys.bound();
        for (part, saved) in calls.iter().enumerate() {
            let of: Vec<u32> = saved.places.iter().map(|&key| groups[key as usize]).collect();
            self.calls.load_part(part, &saved.columns, &of, bound)?;
        }
        for (&group, marks) in groups.iter().zip(marks) {
            self.tracker.set_marks(group, marks);
        }
        Ok(())
    }

    /// The keys of groups that are aside; and their rows of the first table and of each call.
    fn read_aside(&self, aside: &mut [u32]) -> Result<Option<(Batch, Batch, Vec<SavedGroups>)>> {
        if aside.is_empty() {
            return Ok(None);
        }
        let mut tables = self.aside.read(aside)?.into_iter();
        Ok(tables.next().map(|first| {
            let rows = Batch::new(first.columns, first.places.len());
            let keys = rows.project(&(0..self.key_columns.len()).collect::<Vec<_>>());
            (keys, rows, tables.collect())
        }))
    }

    /// What changes of groups that are aside are handed out as.
    pub(super) fn changes_aside(&self, aside: &mut [u32]) -> Result<Vec<TableChange>> {
        let read = self.read_aside(aside)?;
        read.map_or(Ok(Vec::new()), |(keys, rows, calls)| self.replaced(&keys, rows, calls))
    }

    /// Forgets groups that are aside, none of which was written after this time.
    pub(super) fn expire_aside(&mut self, until_ms: i64) -> Result<()> {
        let mut expired = self.aside.written_until(until_ms);
        let Some((keys, _, _)) = self.read_aside(&mut expired)? else { return Ok(()) };
        let mut left = self.aside.tracker.touch(expired.iter().copied());
        let changes = self.changes_aside(&mut left)?;
        self.early.extend(changes);
        self.aside.forget(&expired, keys);
        Ok(())
    }
}
