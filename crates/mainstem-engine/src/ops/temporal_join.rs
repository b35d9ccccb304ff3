//! Joins of rows with the version of a table that was valid at their event time.
//! Invariant: a row waits until no version at or before its time can come any more (the watermark of both inputs); a
//! key keeps the newest version at or before the watermark and all later ones, in order of time. A version whose row
//! is gone ends the one before it.

mod saved;

use std::collections::BTreeMap;

use arrow_array::Array;
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};

use super::by_key::{ByKey, KeyedOperator, Keys};
use super::join::pad;
use super::probe::{Pairs, Probe, split_nulls, unmatched};
use super::rows::Rows;
use super::time_queue::{TimeQueue, last_time};
use super::window_table::check_times;
use crate::columns::times_ms;
use crate::expr::ExprRef;
use crate::key_table::ABSENT;
use crate::operator::{Inputs, PutAside, StepContext};
use crate::plan::{JoinKind, Versions};

/// Keys are looked through for old versions when time has passed as much.
const PRUNE_MS: i64 = 1_000;
/// A version without a row: from here on there is none.
const NOTHING: u32 = u32::MAX;

/// What the plan says of a temporal join.
#[derive(Debug, Clone)]
pub(crate) struct TemporalJoinPlan {
    pub(crate) kind: JoinKind,
    pub(crate) keys: [Vec<usize>; 2],
    pub(crate) times: [usize; 2],
    pub(crate) versions: Versions,
    pub(crate) residual: Option<ExprRef>,
    /// The columns of input 1.
    pub(crate) right: Vec<ArrowType>,
}

#[derive(Debug, Clone, Copy)]
struct Version {
    from: i64,
    row: u32,
}

/// The versions of each key.
#[derive(Debug)]
struct History {
    key_columns: Vec<usize>,
    time_column: usize,
    kind: Versions,
    types: Vec<ArrowType>,
    keys: Keys,
    /// By key id, in order of time.
    versions: Vec<Vec<Version>>,
    rows: Rows,
    /// By spans of `PRUNE_MS`: keys that have an old version once the span has passed.
    prune: BTreeMap<i64, Vec<u32>>,
    len: usize,
}

impl History {
    fn new(plan: &TemporalJoinPlan) -> Result<Self> {
        let key_types: Vec<_> = plan.keys[1].iter().map(|&i| plan.right[i].clone()).collect();
        Ok(Self {
            key_columns: plan.keys[1].clone(),
            time_column: plan.times[1],
            kind: plan.versions,
            types: plan.right.clone(),
            keys: Keys::new(&key_types)?,
            versions: Vec::new(),
            rows: Rows::new(&plan.right),
            prune: BTreeMap::new(),
            len: 0,
        })
    }

    /// The ids of keys.
    fn intern(&mut self, keys: &Batch) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.keys.intern(keys.columns(), keys.rows(), &mut ids)?;
        self.versions.resize(self.versions.len().max(self.keys.bound()), Vec::new());
        Ok(ids)
    }

    /// Takes versions in, whose keys are `ids`. Returns the keys that have none.
    fn absorb(&mut self, batch: &Batch, ids: Vec<u32>) -> Result<Vec<u32>> {
        let column = batch.column(self.time_column);
        if (0..batch.rows()).any(|row| column.is_null(row) && batch.weight(row) > 0) {
            check_times(column)?;
        }
        let times = times_ms(column)?;
        let first = self.rows.push(&Batch::new(batch.columns().to_vec(), batch.rows()))?;
        let mut unused = 0;
        for (row, &id) in ids.iter().enumerate() {
            let comes = batch.weight(row) > 0;
            let replaced = !comes
                && self.kind != Versions::Upserts
                && ids.get(row + 1) == Some(&id)
                && batch.weight(row + 1) > 0;
            let newest = self.versions[id as usize].last().map(|version| version.from);
            let from = match (self.kind, comes) {
                (Versions::Upserts, false) => newest,
                (Versions::KeepLast, true) => {
                    Some(times[row]).filter(|time| newest.is_none_or(|newest| newest <= *time))
                }
                _ => Some(times[row]).filter(|_| !replaced && column.is_valid(row)),
            };
            unused += usize::from(!comes || from.is_none());
            if let Some(from) = from {
                let row = if comes { first + row as u32 } else { NOTHING };
                unused += usize::from(self.put(id, Version { from, row }));
            }
        }
        let mut empty: Vec<u32> =
            ids.into_iter().filter(|&id| self.versions[id as usize].is_empty()).collect();
        empty.sort_unstable();
        empty.dedup();
        self.forget(unused)?;
        Ok(empty)
    }

    /// Adds a version; true if it took the place of a row.
    fn put(&mut self, id: u32, version: Version) -> bool {
        let list = &mut self.versions[id as usize];
        let at = list.partition_point(|held| held.from < version.from);
        // Something is old once the version after it has passed.
        let after = match version.row {
            NOTHING => Some(version.from),
            _ if at > 0 => Some(version.from),
            _ => list.first().map(|next| next.from),
        };
        if let Some(after) = after {
            let keys = self.prune.entry(after.div_euclid(PRUNE_MS)).or_default();
            if keys.last() != Some(&id) {
                keys.push(id);
            }
        }
        match list.get_mut(at).filter(|held| held.from == version.from) {
            Some(held) => std::mem::replace(held, version).row != NOTHING,
            None => {
                list.insert(at, version);
                self.len += 1;
                false
            }
        }
    }

    /// Keys with versions that no row after `watermark` may ask for.
    fn old(&mut self, watermark: i64) -> Vec<u32> {
        let mut old = Vec::new();
        while let Some(entry) = self.prune.first_entry()
            && last_time(*entry.key(), PRUNE_MS) <= watermark
        {
            old.extend(entry.remove());
        }
        old.retain(|&id| !self.versions[id as usize].is_empty());
        old
    }

    /// Frees the versions of keys that no row after `watermark` can ask for. Returns the keys that have none left.
    fn pass(&mut self, old: &[u32], watermark: i64) -> Result<Vec<u32>> {
        let mut unused = 0;
        let mut gone = Vec::new();
        for &id in old {
            let list = &mut self.versions[id as usize];
            if list.is_empty() {
                continue;
            }
            let passed = list.partition_point(|version| version.from <= watermark);
            let valid = passed.checked_sub(1).map(|last| list[last].row);
            let old = passed - usize::from(valid.is_some_and(|row| row != NOTHING));
            unused += list[..old].iter().filter(|version| version.row != NOTHING).count();
            list.drain(..old);
            self.len -= old;
            if list.is_empty() {
                *list = Vec::new();
                gone.push(id);
            }
        }
        self.forget(unused)?;
        Ok(gone)
    }

    /// Gives the memory of rows back that no version has.
    fn forget(&mut self, rows: usize) -> Result<()> {
        if self.rows.release(rows) {
            let versions = self.versions.iter_mut().flatten();
            let rows = versions.map(|version| &mut version.row).filter(|row| **row != NOTHING);
            self.rows.rewrite(rows)?;
        }
        Ok(())
    }

    /// The row of the key `id` that was valid at `time`.
    fn at(&self, id: u32, time: i64) -> Option<u32> {
        let list = self.versions.get(id as usize).filter(|_| id != ABSENT)?;
        let after = list.partition_point(|version| version.from <= time);
        let version = list[after.checked_sub(1)?];
        (version.row != NOTHING).then_some(version.row)
    }
}

/// Keeps versions, and left rows until their time.
pub(crate) struct TemporalJoin {
    kind: JoinKind,
    left_keys: Vec<usize>,
    left_time: usize,
    residual: Option<ExprRef>,
    waiting: TimeQueue,
    history: History,
}

impl TemporalJoin {
    pub(crate) fn new(plan: &TemporalJoinPlan) -> Result<Self> {
        Ok(Self {
            kind: plan.kind,
            left_keys: plan.keys[0].clone(),
            left_time: plan.times[0],
            residual: plan.residual.clone(),
            waiting: TimeQueue::new(plan.times[0]),
            history: History::new(plan)?,
        })
    }

    fn absorb(&mut self, batch: &Batch) -> Result<()> {
        let (batch, _) = split_nulls(batch, &self.history.key_columns)?;
        if batch.is_empty() {
            return Ok(());
        }
        let keys = batch.project(&self.history.key_columns);
        self.bring_back(&keys)?;
        let ids = self.history.intern(&keys)?;
        self.touch(&ids)?;
        let empty = self.history.absorb(&batch, ids)?;
        self.history.keys.release(&empty)
    }

    /// Frees the versions that no row after `watermark` can ask for.
    fn pass(&mut self, watermark: i64) -> Result<()> {
        self.bring_back_due(watermark)?;
        let old = self.history.old(watermark);
        self.touch(&old)?;
        let gone = self.history.pass(&old, watermark)?;
        self.history.keys.release(&gone)
    }

    fn ask(&mut self, batch: &Batch, cx: &StepContext, output: &mut Vec<Batch>) -> Result<()> {
        let (batch, without) = split_nulls(batch, &self.left_keys)?;
        if let Some(without) = without {
            self.pad(&without, output);
        }
        if batch.is_empty() {
            return Ok(());
        }
        let keys = batch.project(&self.left_keys);
        self.bring_back(&keys)?;
        let mut ids = Vec::new();
        self.history.keys.lookup(keys.columns(), keys.rows(), &mut ids)?;
        let times = times_ms(batch.column(self.left_time))?;
        let mut pairs = Pairs::default();
        for (row, (&id, &time)) in ids.iter().zip(times.iter()).enumerate() {
            if let Some(version) = self.history.at(id, time) {
                pairs.push(row, version);
            }
        }
        let mut matched = vec![false; batch.rows()];
        if !pairs.rows.is_empty() {
            let probe = Probe { is_left: true, residual: self.residual.as_ref(), eval: cx.eval() };
            output.push(probe.join(&batch, &mut pairs, &|rows| self.history.rows.gather(rows))?);
            pairs.rows.iter().for_each(|&row| matched[row as usize] = true);
        }
        if self.kind == JoinKind::Left {
            self.pad(&unmatched(&batch, &matched)?, output);
        }
        Ok(())
    }

    fn pad(&self, batch: &Batch, output: &mut Vec<Batch>) {
        if self.kind == JoinKind::Left && !batch.is_empty() {
            let columns = batch.columns().to_vec();
            let columns = pad(self.kind, true, columns, &self.history.types, batch.rows());
            output.push(Batch::with_weights(columns, batch.rows(), batch.weights().cloned()));
        }
    }
}

impl KeyedOperator for TemporalJoin {
    fn run_step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        for (at, input) in inputs.into_iter().enumerate() {
            for batch in input.batches {
                match at {
                    0 => self.waiting.push(batch)?,
                    _ => self.absorb(&batch)?,
                }
            }
        }
        let mut output = Vec::new();
        let Some(watermark) = cx.watermark else { return Ok(output) };
        for batch in self.waiting.take_until(watermark)? {
            self.ask(&batch, cx, &mut output)?;
        }
        self.pass(watermark)?;
        Ok(output)
    }

    fn put_rows_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.history.rows.put_aside(wanted)
    }

    fn rows_here(&self) -> usize {
        self.waiting.len() + self.history.len
    }

    fn waiting_bytes(&self) -> usize {
        self.waiting.size_bytes()
    }
}
