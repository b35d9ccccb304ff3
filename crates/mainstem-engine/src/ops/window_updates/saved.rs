//! The state of windows that show updates as rows of tables; all rows name their group by its key and window.
//! Invariant: groups come in the order in which their windows close, and of one window in the order in which they came.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BooleanArray, Int64Array};
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::super::calls::Calls;
use super::{ABSENT, EMPTY, Group, WindowUpdates};
use crate::columns::times_ms;
use crate::window::Span;

/// Behind the name: the weight of all rows; whether it changed since it was shown; whether its window is closed.
const GROUPS: &str = "groups";
/// The last result shown of each group that has one.
const SHOWN: &str = "shown";
/// When groups are shown.
const TIMERS: &str = "timers";

impl WindowUpdates {
    pub(super) fn tables(&self) -> Result<Vec<TableRows>> {
        let closed: usize = self.kept.values().map(Vec::len).sum();
        let ids: Vec<u32> =
            self.kept.values().chain(self.open.values()).flatten().copied().collect();
        let width = self.plan.keys.len();
        let names = Batch::new(self.keys.emit(&ids)?, ids.len());
        let table = |name, batch: Batch, columns: Vec<ArrayRef>| {
            let rows = batch.rows();
            let columns = batch.into_columns().into_iter().chain(columns).collect();
            let shape = TableShape::keyed(name, (0..width).collect());
            shape.with_rows(vec![Batch::new(columns, rows)])
        };
        let groups = || ids.iter().map(|&id| &self.groups[id as usize]);
        let is_closed = (0..ids.len()).map(|place| Some(place < closed));
        let of_groups: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(groups().map(|group| group.rows))),
            Arc::new(groups().map(|group| Some(group.dirty)).collect::<BooleanArray>()),
            Arc::new(is_closed.collect::<BooleanArray>()),
        ];
        let with_result: Vec<u32> =
            ids.iter().copied().filter(|&id| self.groups[id as usize].shown != ABSENT).collect();
        let rows: Vec<u32> = with_result.iter().map(|&id| self.groups[id as usize].shown).collect();
        let shown = Batch::new(self.keys.emit(&with_result)?, rows.len());
        let lives = |&(_, (id, born)): &(i64, (u32, u32))| self.groups[id as usize].born == born;
        let timers = self.timers.iter().flat_map(|(&at, ids)| ids.iter().map(move |&id| (at, id)));
        let (times, timers): (Vec<i64>, Vec<u32>) =
            timers.filter(lives).map(|(at, (id, _))| (at, id)).unzip();
        let waiting = Batch::new(self.keys.emit(&timers)?, timers.len());
        let mut tables = vec![
            self.time.save(),
            table(GROUPS, names.clone(), of_groups),
            table(SHOWN, shown, self.shown.gather(&rows)?),
            table(TIMERS, waiting, vec![Arc::new(Int64Array::from(times))]),
        ];
        tables.extend(self.calls.save(&ids, &names, width)?);
        Ok(tables)
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
                for (&id, &at) in ids.iter().zip(times) {
                    let timer = (id, self.groups[id as usize].born);
                    self.timers.entry(at).or_default().push(timer);
                }
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
            };
            let lists: &mut BTreeMap<i64, Vec<u32>> =
                if closed.value(row) { &mut self.kept } else { &mut self.open };
            lists.entry(ends[row]).or_default().push(id);
        }
        Ok(())
    }
}
