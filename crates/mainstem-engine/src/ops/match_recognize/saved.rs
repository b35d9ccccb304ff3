//! What is known between two steps, as rows of tables: `waiting`, rows that the watermark has not passed; of each key
//! `rows`, those that its runs have taken, in order, `runs` and `matches`, in the order of their heaps, which decides which
//! of several is told; and a table for each aggregate of a condition, with the places of the runs it belongs to.
//! Invariant: positions in runs and matches are places among the rows of the key.

use std::cmp::Reverse;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array};
use mainstem_core::{Batch, Error, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::super::by_key::{ByKey, Keys};
use super::super::saved::{SAVED_ROWS, apart, as_int64s, as_uint32s, beside, int64s, uint32s};
use super::MatchRecognize;
use super::arena::NOBODY;
use super::kept::{Kept, Run};
use super::slots::{Held, UNSET};

/// So many deadlines of keys that are not here are left alone.
const STALE_MAX: usize = 1024;
const WAITING: &str = "waiting";
const ROWS: &str = "rows";
const RUNS: &str = "runs";
const MATCHES: &str = "matches";
const AGGREGATE: &str = "aggregate";

impl ByKey for MatchRecognize {
    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn keys_mut(&mut self) -> &mut Keys {
        &mut self.keys
    }

    fn tables_of(&self, ids: &[u32]) -> Result<Vec<TableRows>> {
        let kept: Vec<&Kept> = ids.iter().map(|&id| &self.kept[id as usize]).collect();
        let keys = Batch::new(self.keys.emit(ids)?, ids.len());
        let by_row = |name| TableShape::keyed(name, self.spec.keys.clone());
        let by_key =
            |name: &str| TableShape::keyed(name.to_owned(), (0..keys.columns().len()).collect());
        let mut tables = vec![
            by_row(ROWS).with_rows(self.save_rows(&kept)?),
            by_key(RUNS).with_rows(vec![self.save_runs(&kept, &keys)?]),
            by_key(MATCHES).with_rows(vec![self.save_matches(&kept, &keys)?]),
        ];
        for variable in 0..self.width() as u16 {
            let (mut places, mut runs, mut groups) = (Vec::new(), Vec::new(), Vec::new());
            for (place, kept) in (0u32..).zip(&kept) {
                for (at, run) in (0u32..).zip(kept.each_run(self.width())) {
                    if run.made_by == variable && run.group != UNSET {
                        places.push(place);
                        runs.push(at);
                        groups.push(run.group);
                    }
                }
            }
            let names = beside(keys.take(&places.into())?, [uint32s(runs)]);
            for (call, saved) in self.running.save(variable, &groups)?.into_iter().enumerate() {
                let rows = beside(names.take(&saved.places.into())?, saved.columns);
                tables.push(by_key(&table_of(variable, call)).with_rows(vec![rows]));
            }
        }
        Ok(tables)
    }

    fn load_table(&mut self, table: &str, rows: &Batch) -> Result<()> {
        self.take_saved(table, rows)
    }

    /// Rows seldom wait for long.
    fn other_tables(&self) -> Result<Vec<TableRows>> {
        let waiting = self.waiting.iter().flat_map(|queue| queue.batches()).cloned();
        let shape = TableShape::keyed(WAITING, self.spec.keys.clone());
        Ok(vec![shape.with_rows(waiting.collect())])
    }

    fn key_bytes(&self) -> usize {
        self.store.size_bytes()
            + self.running.size_bytes()
            + self.deadlines.len() * size_of::<(i64, u32)>()
            + self.kept.iter().map(|kept| size_of::<Kept>() + kept.size_bytes()).sum::<usize>()
    }

    fn key_rows(&self, key: u32) -> usize {
        self.kept[key as usize].rows.len()
    }

    fn clear_keys(&mut self, keys: &[u32]) -> Result<()> {
        let (mut rows, mut groups) = (0, Vec::new());
        for &key in keys {
            let kept = std::mem::take(&mut self.kept[key as usize]);
            rows += kept.rows.len();
            let runs = kept.each_run(self.width()).filter(|run| run.group != UNSET);
            groups.extend(runs.map(|run| (run.made_by, run.group)));
        }
        self.running.release(&groups);
        if self.deadlines.len() > 2 * self.kept.len() + STALE_MAX {
            let kept = &self.kept;
            self.deadlines.retain(|Reverse((time, key))| kept[*key as usize].armed == *time);
        }
        self.forget(rows)
    }

    fn wakes_ms(&self, key: u32) -> i64 {
        self.kept[key as usize].armed
    }
}

impl MatchRecognize {
    fn save_rows(&self, kept: &[&Kept]) -> Result<Vec<Batch>> {
        let held: Vec<Held> = kept.iter().flat_map(|kept| &kept.rows).copied().collect();
        let mut batches = Vec::with_capacity(held.len().div_ceil(SAVED_ROWS));
        for held in held.chunks(SAVED_ROWS) {
            let rows: Vec<u32> = held.iter().map(|held| held.row).collect();
            let times = int64s(held.iter().map(|held| Some(held.time)));
            batches.push(beside(Batch::new(self.store.gather(&rows)?, rows.len()), [times]));
        }
        Ok(batches)
    }

    /// Behind the keys: state, variable, whether it has a group of aggregates, and where each variable begins.
    fn save_runs(&self, kept: &[&Kept], keys: &Batch) -> Result<Batch> {
        let width = self.width();
        let all = (0u32..).zip(kept);
        let all = all.flat_map(|(place, kept)| kept.each_run(width).map(move |run| (place, run)));
        let (places, runs): (Vec<u32>, Vec<Run<'_>>) = all.unzip();
        let states = uint32s(runs.iter().map(|run| run.state.into()));
        let makers = runs.iter().map(|run| (run.made_by != NOBODY).then_some(run.made_by.into()));
        let grouped = runs.iter().map(|run| Some(run.group != UNSET));
        let more = [
            states,
            Arc::new(makers.collect::<UInt32Array>()) as ArrayRef,
            Arc::new(grouped.collect::<BooleanArray>()) as ArrayRef,
        ];
        let begins = (0..width).map(|at| begins(runs.iter().map(|run| run.begins[at])));
        Ok(beside(keys.take(&places.into())?, more.into_iter().chain(begins)))
    }

    /// Behind the keys: the end, and where each variable begins.
    fn save_matches(&self, kept: &[&Kept], keys: &Batch) -> Result<Batch> {
        let width = self.width();
        let all = (0u32..).zip(kept);
        let all =
            all.flat_map(|(place, kept)| kept.each_match(width).map(move |words| (place, words)));
        let (places, words): (Vec<u32>, Vec<&[u32]>) = all.unzip();
        let columns = (0..=width).map(|at| begins(words.iter().map(|words| words[at])));
        Ok(beside(keys.take(&places.into())?, columns))
    }

    pub(super) fn take_saved(&mut self, table: &str, rows: &Batch) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        match (table, &mut self.waiting) {
            (WAITING, Some(waiting)) => return waiting.push(rows.clone()),
            (WAITING, None) => return Err(Error::internal("rows that wait for processing time")),
            (ROWS, _) => return self.take_rows(rows),
            _ => {}
        }
        let (keys, more) = apart(rows, self.spec.keys.len());
        let ids = self.intern(&keys)?;
        match table {
            RUNS => self.take_runs(&ids, more),
            MATCHES => {
                let words: Vec<Vec<u32>> = more.iter().map(words).collect();
                for (row, &id) in ids.iter().enumerate() {
                    let kept = &mut self.kept[id as usize];
                    kept.add_match(words.iter().map(|column| column[row]));
                }
            }
            _ => self.take_aggregates(table, &ids, more)?,
        }
        Ok(())
    }

    fn intern(&mut self, keys: &Batch) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.keys.intern(keys.columns(), keys.rows(), &mut ids)?;
        let bound = self.keys.bound().max(self.kept.len());
        self.kept.resize_with(bound, Kept::default);
        Ok(ids)
    }

    fn take_rows(&mut self, rows: &Batch) -> Result<()> {
        let (own, more) = apart(rows, rows.columns().len() - 1);
        let ids = self.intern(&own.project(&self.spec.keys))?;
        let first = self.store.push(&own)?;
        let times = as_int64s(&more[0]).flatten();
        for ((&id, row), time) in ids.iter().zip(first..).zip(times) {
            self.kept[id as usize].rows.push(Held { row, time });
        }
        Ok(())
    }

    fn take_runs(&mut self, ids: &[u32], columns: &[ArrayRef]) {
        let states = as_uint32s(&columns[0]);
        let makers = columns[1].as_primitive::<UInt32Type>();
        let grouped = columns[2].as_boolean();
        let begins: Vec<Vec<u32>> = columns[3..].iter().map(words).collect();
        for (row, &id) in ids.iter().enumerate() {
            let maker = makers.is_valid(row).then(|| makers.value(row) as u16);
            let group = maker.filter(|_| grouped.value(row));
            self.kept[id as usize].add_run(
                states[row] as u16,
                maker.unwrap_or(NOBODY),
                group.map_or(UNSET, |variable| self.running.allocate(variable)),
                begins.iter().map(|column| column[row]),
            );
        }
        let width = self.width();
        for &id in ids {
            let kept = &mut self.kept[id as usize];
            let deadline = kept.deadline(self.spec.within_ms, width);
            if deadline < kept.armed {
                kept.armed = deadline;
                self.deadlines.push(Reverse((deadline, id)));
            }
        }
    }

    /// States of an aggregate, behind the places of their runs.
    fn take_aggregates(&mut self, table: &str, ids: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let width = self.width();
        let group = |(&id, &run): (&u32, &u32)| {
            self.kept[id as usize].run(run as usize, width).map(|run| run.group)
        };
        let groups: Option<Vec<u32>> = ids.iter().zip(as_uint32s(&columns[0])).map(group).collect();
        let groups = groups.ok_or_else(|| Error::internal("an aggregate of a run that is not"))?;
        for variable in 0..width as u16 {
            for call in 0..self.running.calls(variable) {
                if table == table_of(variable, call) {
                    self.running.load(variable, call, &columns[1..], &groups)?;
                }
            }
        }
        Ok(())
    }
}

fn table_of(variable: u16, call: usize) -> String {
    format!("{AGGREGATE} {variable} {call}")
}

/// Positions, of which some may be [`UNSET`].
fn begins(positions: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(positions.map(|at| (at != UNSET).then_some(at)).collect::<UInt32Array>())
}

fn words(column: &ArrayRef) -> Vec<u32> {
    column.as_primitive::<UInt32Type>().iter().map(|at| at.unwrap_or(UNSET)).collect()
}
