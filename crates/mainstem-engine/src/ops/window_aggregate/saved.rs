//! The state of window aggregates as rows: the groups of all slices, and what the accumulators know of them.
//! Invariant: groups stand in the order of their slices, and in a slice in the order of their keys' first rows, as results
//! do. Panes are not handed out: they say nothing that the slices do not say.

use std::sync::Arc;

use arrow_array::Int64Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::super::calls::Calls;
use super::{Closed, WindowAggregate, attached_runs};
use crate::columns::timestamps;

/// Keys, start and end of the slice, the weight of all rows.
const SLICES: &str = "slices";

impl WindowAggregate {
    pub(super) fn tables(&self) -> Result<Vec<TableRows>> {
        let mut all = Closed::default();
        for (&span, slice) in &self.slices {
            all.push(span, &slice.keys, &slice.groups);
        }
        let (rows, width) = (all.keys.len(), self.key_columns.len());
        let mut names = self.keys.emit(&all.keys)?;
        names.push(timestamps(all.windows.iter().map(|slice| slice.start).collect()));
        names.push(timestamps(all.windows.iter().map(|slice| slice.end).collect()));
        let count = |&group: &u32| self.group_rows.as_ref().map_or(0, |rows| rows[group as usize]);
        let mut columns = names.clone();
        columns.push(Arc::new(Int64Array::from_iter_values(all.groups.iter().map(count))));
        let slices = TableShape::keyed(SLICES, (0..width).collect());
        let mut tables = vec![self.time.save(), slices.with_rows(vec![Batch::new(columns, rows)])];
        tables.extend(self.calls.save(&all.groups, &Batch::new(names, rows), width)?);
        Ok(tables)
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
        } else if let Some(counts) = &mut self.group_rows {
            let saved = columns[0].as_primitive::<Int64Type>().values();
            counts.resize(counts.len().max(bound), 0);
            groups.iter().zip(saved).for_each(|(&group, &count)| counts[group as usize] = count);
        }
        self.scratch = scratch;
        Ok(())
    }
}
