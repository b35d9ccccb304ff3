//! The state of window aggregates as rows: the groups of all slices, and what the accumulators know of them.
//! Invariant: a group that is about to change while a cut is handed out goes out first. A slice that ends takes all its groups with
//! it: one row says so. Panes are not handed out: they say nothing that the slices do not say.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array};
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableChange, TableRows, TableShape};

use super::super::calls::Calls;
use super::super::saved::{cut_of, replaced};
use super::{Slice, WindowAggregate, attached_runs};
use crate::aggregate::SavedGroups;
use crate::columns::timestamps;
use crate::window::Span;

/// Keys, start and end of the slice, the weight of all rows.
const SLICES: &str = "slices";

impl WindowAggregate {
    fn shape(&self) -> TableShape {
        TableShape::keyed(SLICES, (0..self.key_columns.len()).collect())
    }

    /// What names groups of slices: their keys, start and end; and their rows of the first table.
    pub(super) fn names(&self, groups: &[u32]) -> Result<(Batch, Batch)> {
        let of = groups.iter().filter_map(|&group| self.groups.of(group));
        let (slices, keys): (Vec<Span>, Vec<u32>) = of.unzip();
        let mut names = self.keys.emit(&keys)?;
        names.push(timestamps(slices.iter().map(|slice| slice.start).collect()));
        names.push(timestamps(slices.iter().map(|slice| slice.end).collect()));
        let count = |&group: &u32| self.group_rows.as_ref().map_or(0, |rows| rows[group as usize]);
        let mut columns = names.clone();
        columns.push(Arc::new(Int64Array::from_iter_values(groups.iter().map(count))));
        Ok((Batch::new(names, groups.len()), Batch::new(columns, groups.len())))
    }

    pub(super) fn tables(&self) -> Result<Vec<TableRows>> {
        let groups: Vec<u32> =
            self.slices.values().flat_map(|slice| &slice.groups).copied().collect();
        let (names, rows) = self.names(&groups)?;
        let mut tables = vec![self.time.save(), self.shape().with_rows(vec![rows])];
        tables.extend(self.calls.save(&groups, &names, self.key_columns.len())?);
        let mut aside = self.aside.used();
        for (table, more) in tables[1..].iter_mut().zip(self.changes_aside(&mut aside)?) {
            table.batches.extend(more.change.into_rows());
        }
        Ok(tables)
    }

    fn changes_of(&self, groups: &[u32]) -> Result<Vec<TableChange>> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let (names, rows) = self.names(groups)?;
        self.replaced(&names, rows, self.calls.saved(groups)?)
    }

    /// The rows of groups, of the first table and of each call, replace those with these names.
    pub(super) fn replaced(
        &self,
        names: &Batch,
        rows: Batch,
        calls: Vec<SavedGroups>,
    ) -> Result<Vec<TableChange>> {
        let (width, owner) = (names.columns().len(), self.key_columns.len());
        let mut changes = replaced(self.shape(), &(0..width).collect::<Vec<_>>(), vec![rows]);
        changes.extend(Calls::changes(names, width, owner, calls)?);
        Ok(changes)
    }

    /// Groups of slices are about to change: what the last cut has of them goes out now.
    pub(super) fn touch(&mut self, groups: &[u32]) -> Result<()> {
        self.recency.note_all(groups);
        let left = self.tracker.touch(groups.iter().copied());
        let changes = self.changes_of(&left)?;
        self.early.extend(changes);
        Ok(())
    }

    /// A slice is about to go.
    pub(super) fn tell_end(&mut self, span: Span, slice: &Slice) -> Result<()> {
        self.touch(&slice.groups)?;
        if self.tracker.tracks() {
            self.gone.push(span);
        }
        Ok(())
    }

    pub(super) fn cut_slices(&mut self, whole: bool) -> Vec<TableChange> {
        self.tracker.cut(whole.then(|| (self.groups.bound(), self.groups.ids().free())));
        self.aside.cut(whole);
        let mut gone = std::mem::take(&mut self.gone);
        // A slice that went in parts was told with each.
        gone.sort_unstable();
        gone.dedup();
        let removed = (!gone.is_empty()).then(|| {
            let starts = timestamps(gone.iter().map(|slice| slice.start).collect());
            let ends = timestamps(gone.iter().map(|slice| slice.end).collect());
            Batch::new(vec![starts, ends], gone.len())
        });
        let removed: Vec<Batch> = removed.into_iter().collect();
        let owner = self.key_columns.len();
        let shapes = std::iter::once(self.shape()).chain(self.calls.shapes(owner));
        let changes =
            shapes.flat_map(|shape| cut_of(shape, &[owner, owner + 1], whole, removed.clone()));
        std::iter::once(self.time.save().into()).chain(changes).collect()
    }

    pub(super) fn hand_out_groups(&mut self, rows: usize) -> Result<Vec<TableChange>> {
        let mut changes = std::mem::take(&mut self.early);
        while changes.is_empty() {
            let mut groups = self.tracker.next(rows);
            if groups.is_empty() {
                break;
            }
            groups.retain(|&group| self.groups.of(group).is_some());
            changes = self.changes_of(&groups)?;
        }
        if changes.is_empty() {
            let mut aside = self.aside.tracker.next(rows);
            changes = self.changes_aside(&mut aside)?;
        }
        Ok(changes)
    }

    pub(super) fn load_rows(&mut self, table: &str, rows: &Batch) -> Result<()> {
        if self.time.load(table, rows) {
            return Ok(());
        }
        let width = self.key_columns.len();
        let mut scratch = std::mem::take(&mut self.scratch);
        attached_runs(rows, width, width + 1, &mut scratch.runs)?;
        // Nothing has passed yet: each slice is where it was.
        self.assign(&rows.columns()[..width], rows.rows(), None, &mut scratch)?;
        let (groups, bound) = (&scratch.groups, self.groups.bound());
        let columns = &rows.columns()[width + 2..];
        if Calls::has_table(table) {
            self.calls.load(table, columns, groups, bound)?;
        } else {
            let groups = std::mem::take(&mut scratch.groups);
            self.set_counts(&groups, &columns[0]);
        }
        self.scratch = scratch;
        Ok(())
    }

    /// Takes the weights of all rows of groups.
    pub(super) fn set_counts(&mut self, groups: &[u32], saved: &ArrayRef) {
        let bound = self.groups.bound();
        let Some(counts) = &mut self.group_rows else { return };
        counts.resize(counts.len().max(bound), 0);
        let saved = saved.as_primitive::<Int64Type>().values();
        groups.iter().zip(saved).for_each(|(&group, &count)| counts[group as usize] = count);
    }
}
