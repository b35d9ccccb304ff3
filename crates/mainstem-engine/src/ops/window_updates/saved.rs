//! The state of windows that show updates as rows of tables; all rows name their group by its key and window.
//! Invariant: timers are told behind the groups they belong to.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BooleanArray, Int64Array};
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::super::by_key::{ByKey, Keys};
use super::super::calls::Calls;
use super::super::saved::{beside, int64s};
use super::super::window_time::WindowTime;
use super::{ABSENT, EMPTY, Group, WindowUpdates};
use crate::columns::times_ms;
use crate::window::{Span, to_utc};

/// Behind the name: the weight of all rows; whether it changed since it was shown; whether its window is closed.
const GROUPS: &str = "groups";
/// The last result shown of each group that has one.
const SHOWN: &str = "shown";
/// When groups are shown.
const TIMERS: &str = "timers";

impl WindowUpdates {
    fn shape(&self, name: &'static str) -> TableShape {
        TableShape::keyed(name, (0..self.plan.keys.len()).collect())
    }

    fn names(&self, ids: &[u32]) -> Result<Batch> {
        Ok(Batch::new(self.keys.emit(ids)?, ids.len()))
    }
}

impl ByKey for WindowUpdates {
    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn keys_mut(&mut self) -> &mut Keys {
        &mut self.keys
    }

    fn tables_of(&self, ids: &[u32]) -> Result<Vec<TableRows>> {
        let names = self.names(ids)?;
        let groups = || ids.iter().map(|&id| &self.groups[id as usize]);
        let closed = groups().map(|group| Some(self.kept.contains_key(&group.window.end)));
        let of_groups: [ArrayRef; 3] = [
            Arc::new(Int64Array::from_iter_values(groups().map(|group| group.rows))),
            Arc::new(groups().map(|group| Some(group.dirty)).collect::<BooleanArray>()),
            Arc::new(closed.collect::<BooleanArray>()),
        ];
        let with_result: Vec<u32> =
            ids.iter().copied().filter(|&id| self.groups[id as usize].shown != ABSENT).collect();
        let rows: Vec<u32> = with_result.iter().map(|&id| self.groups[id as usize].shown).collect();
        let shown = beside(self.names(&with_result)?, self.shown.gather(&rows)?);
        let mut tables = vec![
            self.shape(GROUPS).with_rows(vec![beside(names.clone(), of_groups)]),
            self.shape(SHOWN).with_rows(vec![shown]),
        ];
        tables.extend(self.calls.save(ids, &names, self.plan.keys.len())?);
        Ok(tables)
    }

    fn load_table(&mut self, table: &str, rows: &Batch) -> Result<()> {
        self.load_rows(table, rows)
    }

    fn other_tables(&self) -> Result<Vec<TableRows>> {
        let lives = |&(_, (id, born)): &(i64, (u32, u32))| self.groups[id as usize].born == born;
        let timers = self.timers.iter().flat_map(|(&at, ids)| ids.iter().map(move |&id| (at, id)));
        let (times, timers): (Vec<i64>, Vec<u32>) =
            timers.filter(lives).map(|(at, (id, _))| (at, id)).unzip();
        let timers = beside(self.names(&timers)?, [int64s(times.into_iter().map(Some))]);
        Ok(vec![self.time.save(), self.shape(TIMERS).with_rows(vec![timers])])
    }

    fn key_bytes(&self) -> usize {
        let lists = [&self.open, &self.kept].into_iter().flat_map(BTreeMap::values);
        let timers = self.timers.values().map(|timers| timers.capacity() * 8 + 32);
        self.calls.size_bytes()
            + self.shown.size_bytes()
            + self.groups.capacity() * size_of::<Group>()
            + lists.map(|ids| ids.capacity() * 4 + 32).chain(timers).sum::<usize>()
    }

    fn key_rows(&self, _id: u32) -> usize {
        1
    }

    fn clear_keys(&mut self, ids: &[u32]) -> Result<()> {
        let mut ends: Vec<i64> =
            ids.iter().map(|&id| self.groups[id as usize].window.end).collect();
        ends.sort_unstable();
        ends.dedup();
        for end in ends {
            for lists in [&mut self.open, &mut self.kept] {
                let Some(list) = lists.get_mut(&end) else { continue };
                list.retain(|id| ids.binary_search(id).is_err());
                if list.is_empty() {
                    lists.remove(&end);
                }
            }
        }
        self.empty(ids)
    }

    fn wakes_ms(&self, id: u32) -> i64 {
        let end = self.groups[id as usize].window.end;
        let is_closed = self.kept.contains_key(&end);
        let lateness = if is_closed { self.plan.emit.allow_lateness_ms } else { 0 };
        to_utc(self.plan.zone.as_ref(), end - 1).saturating_add(lateness)
    }

    /// What waits to be shown stays: the clock may show it.
    fn may_go(&self, id: u32) -> bool {
        let Group { dirty, timers, .. } = self.groups[id as usize];
        !dirty && timers == 0
    }

    /// Timers, too, are of groups that may be aside.
    fn bring_back_of(&mut self, table: &str, rows: &Batch) -> Result<()> {
        if WindowTime::has_table(table) {
            return Ok(());
        }
        self.bring_back(&rows.project(&self.name_columns()))
    }

    fn key_columns(&self, _shape: &TableShape) -> Vec<usize> {
        self.name_columns()
    }
}

impl WindowUpdates {
    /// Those of key and window, with which rows of all tables begin.
    fn name_columns(&self) -> Vec<usize> {
        (0..self.plan.keys.len() + 2).collect()
    }

    pub(super) fn load_rows(&mut self, table: &str, rows: &Batch) -> Result<()> {
        if self.time.load(table, rows) {
            return Ok(());
        }
        // The key's columns, start and end.
        let (names, columns) = rows.columns().split_at(self.plan.keys.len() + 2);
        let mut ids = Vec::new();
        self.keys.intern(names, rows.rows(), &mut ids)?;
        let bound = self.keys.bound();
        self.groups.resize(self.groups.len().max(bound), EMPTY);
        match table {
            GROUPS => self.load_groups(names, columns, &ids)?,
            SHOWN if rows.is_empty() => {}
            SHOWN => {
                let first = self.shown.push(&Batch::new(columns.to_vec(), rows.rows()))?;
                for (row, &id) in (first..).zip(&ids) {
                    self.groups[id as usize].shown = row;
                }
            }
            TIMERS => {
                let times = columns[0].as_primitive::<Int64Type>().values();
                ids.iter().zip(times).for_each(|(&id, &at)| self.set_timer(id, at));
            }
            _ => {
                debug_assert!(Calls::has_table(table), "a table of this operator");
                self.calls.load(table, columns, &ids, bound)?;
            }
        }
        Ok(())
    }

    fn load_groups(&mut self, names: &[ArrayRef], columns: &[ArrayRef], ids: &[u32]) -> Result<()> {
        let width = self.plan.keys.len();
        let (starts, ends) = (times_ms(&names[width])?, times_ms(&names[width + 1])?);
        let weights = columns[0].as_primitive::<Int64Type>().values();
        let (dirty, closed) = (columns[1].as_boolean(), columns[2].as_boolean());
        for (row, &id) in ids.iter().enumerate() {
            self.born = self.born.wrapping_add(1).max(1);
            self.groups[id as usize] = Group {
                window: Span { start: starts[row], end: ends[row] },
                shown: ABSENT,
                rows: weights[row],
                dirty: dirty.value(row),
                born: self.born,
                timers: 0,
            };
            let lists: &mut BTreeMap<i64, Vec<u32>> =
                if closed.value(row) { &mut self.kept } else { &mut self.open };
            lists.entry(ends[row]).or_default().push(id);
        }
        Ok(())
    }
}
