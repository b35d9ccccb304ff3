//! The groups of an aggregate as rows of tables: `groups` has keys, the weight of all rows, whether it was emitted, when it was
//! last written; and there is a table for each call.
//! Invariant: a group that is about to change while a cut is handed out goes out first.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BooleanArray, Int64Array};
use mainstem_core::{Batch, Result};
use mainstem_state::table::{Change, TableChange, TableRows, TableShape};

use super::{Aggregate, Calls};
use crate::aggregate::SavedGroups;
use crate::ops::saved::cut_of;

const GROUPS: &str = "groups";

impl Aggregate {
    fn shape(&self) -> TableShape {
        TableShape::keyed(GROUPS, (0..self.key_columns.len()).collect())
    }

    /// Keys of groups; and their rows of the first table.
    pub(super) fn groups(&self, groups: &[u32]) -> Result<(Batch, Batch)> {
        let keys = self.keys.emit(groups)?;
        let counts =
            groups.iter().map(|&g| self.group_rows.as_ref().map_or(0, |rows| rows[g as usize]));
        let emitted = groups.iter().map(|&g| Some(self.emitted.get(g as usize) == Some(&true)));
        let written =
            groups.iter().map(|&g| self.idle.as_ref().and_then(|idle| idle.written_ms(g)));
        let mut columns = keys.clone();
        columns.push(Arc::new(Int64Array::from_iter_values(counts)));
        columns.push(Arc::new(BooleanArray::from_iter(emitted)));
        columns.push(Arc::new(Int64Array::from_iter(written)));
        Ok((Batch::new(keys, groups.len()), Batch::new(columns, groups.len())))
    }

    pub(super) fn saved(&self) -> Result<Vec<TableRows>> {
        let groups = self.keys.used();
        let (keys, rows) = self.groups(&groups)?;
        let mut tables = vec![self.shape().with_rows(vec![rows])];
        tables.extend(self.calls.save(&groups, &keys, self.key_columns.len())?);
        let mut aside = self.aside.used();
        for (table, more) in tables.iter_mut().zip(self.changes_aside(&mut aside)?) {
            table.batches.extend(more.change.into_rows());
        }
        Ok(tables)
    }

    fn changes_of(&self, groups: &[u32]) -> Result<Vec<TableChange>> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let (keys, rows) = self.groups(groups)?;
        self.replaced(&keys, rows, self.calls.saved(groups)?)
    }

    /// The rows of groups, of the first table and of each call, replace those with these keys.
    pub(super) fn replaced(
        &self,
        keys: &Batch,
        rows: Batch,
        calls: Vec<SavedGroups>,
    ) -> Result<Vec<TableChange>> {
        let key = (0..self.key_columns.len()).collect();
        let change = Change::Replaced { key, rows: vec![rows], removed: Vec::new() };
        let mut changes = vec![self.shape().changed(change)];
        let width = self.key_columns.len();
        changes.extend(Calls::changes(keys, width, width, calls)?);
        Ok(changes)
    }

    /// Groups are about to change: what the last cut has of them goes out now.
    pub(super) fn touch(&mut self, groups: &[u32]) -> Result<()> {
        let left = self.tracker.touch(groups.iter().copied());
        let changes = self.changes_of(&left)?;
        self.early.extend(changes);
        Ok(())
    }

    pub(super) fn cut_groups(&mut self, whole: bool) -> Vec<TableChange> {
        let mut gone = self.tracker.cut_table(whole, &self.keys);
        gone.extend(self.aside.cut(whole));
        let key: Vec<usize> = (0..self.key_columns.len()).collect();
        let shapes = std::iter::once(self.shape()).chain(self.calls.shapes(key.len()));
        shapes.flat_map(|shape| cut_of(shape, &key, whole, gone.clone())).collect()
    }

    pub(super) fn hand_out_groups(&mut self, rows: usize) -> Result<Vec<TableChange>> {
        let mut changes = std::mem::take(&mut self.early);
        let groups = self.tracker.next(rows);
        changes.extend(self.changes_of(&groups)?);
        if changes.is_empty() {
            let mut aside = self.aside.tracker.next(rows);
            changes.extend(self.changes_aside(&mut aside)?);
        }
        Ok(changes)
    }

    pub(super) fn load_groups(&mut self, table: &str, rows: &Batch) -> Result<()> {
        let (keys, columns) = rows.columns().split_at(self.key_columns.len());
        // Another table of them may have come before.
        self.bring_back(keys, rows.rows())?;
        let mut groups = Vec::new();
        self.keys.intern(keys, rows.rows(), &mut groups)?;
        let bound = self.keys.bound();
        if Calls::has_table(table) {
            return self.calls.load(table, columns, &groups, bound);
        }
        self.set_groups(&groups, columns);
        Ok(())
    }

    /// Takes the columns of the first table behind the keys.
    pub(super) fn set_groups(&mut self, groups: &[u32], columns: &[ArrayRef]) {
        let bound = self.keys.bound();
        self.emitted.resize(bound, false);
        self.touched.resize(bound, false);
        let counts = columns[0].as_primitive::<Int64Type>().values();
        let emitted = columns[1].as_boolean().values();
        let written = columns[2].as_primitive::<Int64Type>();
        if let Some(rows) = &mut self.group_rows {
            rows.resize(bound, 0);
            groups.iter().zip(counts).for_each(|(&group, &count)| rows[group as usize] = count);
        }
        for ((&group, emitted), written) in groups.iter().zip(emitted).zip(written) {
            self.emitted[group as usize] = emitted;
            if let (Some(idle), Some(written_ms)) = (&mut self.idle, written) {
                idle.write(group, written_ms);
            }
        }
    }
}
