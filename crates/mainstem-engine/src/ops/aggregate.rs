//! GROUP BY without a window: a changelog, per key -old +new where a step changed the result.
//! Invariant: after each step the rows that came out, added up, are one row per group that has rows, without
//! keys too. Results before the step are asked of the accumulators
//! before they are changed, so nothing is stored twice.

mod aside;
mod saved;

use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use arrow_ord::cmp::distinct;
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableChange, TableRows};

use super::calls::Calls;
use super::idle::Idle;
use super::keys_aside::KeysAside;
use super::recency::Recency;
use super::tracker::Tracker;
use crate::aggregate::AggregateCall;
use crate::key_table::KeyTable;
use crate::operator::{Arrivals, Inputs, Operator, PutAside, StepContext};

const OUTPUT_ROWS: usize = 16_384;

/// What the plan says of an aggregate.
#[derive(Debug, Clone)]
pub(crate) struct AggregatePlan {
    pub(crate) keys: Vec<usize>,
    pub(crate) aggregates: Vec<AggregateCall>,
    pub(crate) input: Vec<ArrowType>,
    pub(crate) changelog: bool,
    pub(crate) final_only: bool,
    /// Only the new row of each key is wanted, or the old one if there is no new one.
    pub(crate) upserts: bool,
    pub(crate) state_ttl_ms: Option<i64>,
}

impl AggregatePlan {
    /// True if partial states can be made before an exchange.
    pub(crate) fn mergeable(&self) -> bool {
        !self.changelog && self.aggregates.iter().all(|call| call.mergeable().is_some())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Changes,
    AtEnd,
    Partials,
}

pub(crate) struct Aggregate {
    role: Role,
    key_columns: Vec<usize>,
    upserts: bool,
    keys: KeyTable,
    calls: Calls,
    /// For changelogs: the weight of all rows of each group.
    group_rows: Option<Vec<i64>>,
    /// Groups that have been emitted.
    emitted: Vec<bool>,
    /// Groups of this step in order of first touch; `touched` says whether a group is among them.
    step_groups: Vec<u32>,
    touched: Vec<bool>,
    /// With a time to live: which groups have outlived it.
    idle: Option<Idle>,
    /// Groups that have no place in memory, and which of the others are the next to go.
    aside: KeysAside,
    recency: Recency,
    /// For checkpoints.
    tracker: Tracker,
    /// What the last cut handed out before it changed.
    early: Vec<TableChange>,
}

impl Aggregate {
    pub(crate) fn new(plan: &AggregatePlan) -> Result<Self> {
        Self::with_role(plan, if plan.final_only { Role::AtEnd } else { Role::Changes })
    }

    /// An instance that aggregates the rows of each step and gives the states away.
    pub(crate) fn partial(plan: &AggregatePlan) -> Result<Self> {
        Self::with_role(plan, Role::Partials)
    }

    fn with_role(plan: &AggregatePlan, role: Role) -> Result<Self> {
        let types: Vec<_> = plan.keys.iter().map(|&i| plan.input[i].clone()).collect();
        Ok(Self {
            role,
            key_columns: plan.keys.clone(),
            upserts: plan.upserts,
            keys: KeyTable::new(&types)?,
            calls: Calls::new(&plan.aggregates, plan.changelog),
            group_rows: plan.changelog.then(Vec::new),
            emitted: Vec::new(),
            step_groups: Vec::new(),
            touched: Vec::new(),
            idle: plan.state_ttl_ms.filter(|_| role == Role::Changes).map(Idle::new),
            aside: KeysAside::default(),
            recency: Recency::default(),
            tracker: Tracker::default(),
            early: Vec::new(),
        })
    }

    /// The groups of a batch's rows.
    fn groups_of(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
        let mut groups = Vec::new();
        self.keys.intern(columns, rows, &mut groups)?;
        if self.role == Role::Changes {
            let bound = self.keys.bound();
            if self.touched.len() < bound {
                self.touched.resize(bound, false);
                self.emitted.resize(bound, false);
            }
            for &group in &groups {
                let touched = &mut self.touched[group as usize];
                if !*touched {
                    *touched = true;
                    self.step_groups.push(group);
                    self.recency.note(group);
                }
            }
        }
        Ok(groups)
    }

    fn update(&mut self, batch: &Batch, groups: &[u32]) -> Result<()> {
        let bound = self.keys.bound();
        if let Some(known) = self.known_rows(batch, groups) {
            let groups: Vec<u32> = known.values().set_indices().map(|row| groups[row]).collect();
            let batch = batch.filter(&known)?;
            self.calls.update(&batch, &groups, bound)?;
            self.count(&batch, &groups);
            return Ok(());
        }
        self.calls.update(batch, groups, bound)?;
        self.count(batch, groups);
        Ok(())
    }

    /// With a time to live, the rows that a group can take: a row that is taken back from a group without rows was
    /// forgotten with its group. `None`: all.
    fn known_rows(&mut self, batch: &Batch, groups: &[u32]) -> Option<BooleanArray> {
        self.idle.as_ref()?;
        let counts = self.group_rows.as_mut()?;
        counts.resize(counts.len().max(self.keys.bound()), 0);
        let mut running: std::collections::BTreeMap<u32, i64> = std::collections::BTreeMap::new();
        let known = BooleanBuffer::collect_bool(groups.len(), |row| {
            let group = groups[row];
            let count = running.entry(group).or_insert(counts[group as usize]);
            let weight = batch.weight(row);
            let known = *count + weight >= 0;
            *count += if known { weight } else { 0 };
            known
        });
        Some(BooleanArray::new(known, None))
    }

    fn count(&mut self, batch: &Batch, groups: &[u32]) {
        let bound = self.keys.bound();
        if let Some(counts) = &mut self.group_rows {
            counts.resize(counts.len().max(bound), 0);
            for (row, &group) in groups.iter().enumerate() {
                counts[group as usize] += batch.weight(row);
            }
        }
    }

    /// Forgets the groups that nobody has written for their time to live. What was emitted of them stays.
    fn expire(&mut self, now_ms: i64) -> Result<()> {
        let Some(idle) = &mut self.idle else { return Ok(()) };
        let expired = idle.expired(now_ms);
        let until_ms = now_ms.saturating_sub(idle.ttl_ms());
        self.expire_aside(until_ms)?;
        self.touch(&expired)?;
        self.release(&expired)
    }

    /// Forgets groups.
    fn release(&mut self, groups: &[u32]) -> Result<()> {
        self.clear(groups);
        self.tracker.release(&mut self.keys, groups)
    }

    /// Empties the places of groups, but for their keys.
    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            // Not every role emits, and not every input takes rows back.
            if let Some(emitted) = self.emitted.get_mut(group as usize) {
                *emitted = false;
            }
            if let Some(count) =
                self.group_rows.as_mut().and_then(|rows| rows.get_mut(group as usize))
            {
                *count = 0;
            }
            if let Some(idle) = &mut self.idle {
                idle.forget(group);
            }
        }
        self.calls.clear(groups);
    }

    fn lives(&self, group: u32) -> bool {
        self.group_rows.as_ref().is_none_or(|counts| counts[group as usize] > 0)
    }

    /// Takes in a step and says what changed.
    fn changes(&mut self, arrivals: Arrivals, now_ms: i64) -> Result<Vec<Batch>> {
        let width = self.key_columns.len();
        self.bring_back_for(&arrivals)?;
        self.expire(now_ms)?;
        let mut rows = Vec::new();
        for batch in arrivals.batches.into_iter().filter(|batch| !batch.is_empty()) {
            let keys = batch.project(&self.key_columns);
            let groups = self.groups_of(keys.columns(), batch.rows())?;
            rows.push((batch, groups));
        }
        let mut partials = Vec::new();
        for batch in arrivals.partials {
            let groups = self.groups_of(&batch.columns()[..width], batch.rows())?;
            partials.push((batch, groups));
        }
        let groups = std::mem::take(&mut self.step_groups);
        groups.iter().for_each(|&group| self.touched[group as usize] = false);
        self.touch(&groups)?;
        if let Some(idle) = &mut self.idle {
            groups.iter().for_each(|&group| idle.write(group, now_ms));
        }
        let (old, mut new): (Vec<u32>, Vec<u32>) =
            groups.into_iter().partition(|&group| self.emitted[group as usize]);
        let before = self.calls.finish(&old)?;
        for (batch, groups) in &rows {
            self.update(batch, groups)?;
        }
        for (batch, groups) in &partials {
            let bound = self.keys.bound();
            self.calls.merge(&batch.columns()[width..], groups, bound)?;
        }
        let output = self.differences(&old, &mut new, before)?;
        Ok(output)
    }

    /// Compares the results of the groups `old` before the step with now, and adds the groups `new`.
    fn differences(
        &mut self,
        old: &[u32],
        new: &mut Vec<u32>,
        before: Vec<ArrayRef>,
    ) -> Result<Vec<Batch>> {
        let after = self.calls.finish(old)?;
        let differs = different(&before, &after, old.len())?;
        let goes = BooleanBuffer::collect_bool(old.len(), |i| {
            (differs.value(i) && !self.upserts) || !self.lives(old[i])
        });
        let comes =
            BooleanBuffer::collect_bool(old.len(), |i| differs.value(i) && self.lives(old[i]));
        let mut output = Vec::new();
        if goes.count_set_bits() > 0 {
            let before = self.rows(old, before)?;
            push(&mut output, before.filter(&BooleanArray::new(goes, None))?, -1);
        }
        let after = self.rows(old, after)?;
        push(&mut output, after.filter(&BooleanArray::new(comes, None))?, 1);
        let mut dead: Vec<u32> =
            old.iter().chain(&*new).copied().filter(|&group| !self.lives(group)).collect();
        dead.iter().for_each(|&group| self.emitted[group as usize] = false);
        new.retain(|&group| self.lives(group));
        new.iter().for_each(|&group| self.emitted[group as usize] = true);
        for groups in new.chunks(OUTPUT_ROWS) {
            let results = self.calls.finish(groups)?;
            push(&mut output, self.rows(groups, results)?, 1);
        }
        // A group with a negative count was taken back before it came; it is kept until it is even.
        dead.retain(|&g| self.group_rows.as_ref().is_some_and(|counts| counts[g as usize] == 0));
        self.release(&dead)?;
        Ok(output)
    }

    fn rows(&self, groups: &[u32], results: Vec<ArrayRef>) -> Result<Batch> {
        let mut columns = self.keys.emit(groups)?;
        columns.extend(results);
        Ok(Batch::new(columns, groups.len()))
    }

    /// Takes in a step without saying anything.
    fn accumulate(&mut self, arrivals: Arrivals) -> Result<()> {
        let width = self.key_columns.len();
        self.bring_back_for(&arrivals)?;
        for batch in arrivals.batches.into_iter().filter(|batch| !batch.is_empty()) {
            let keys = batch.project(&self.key_columns);
            let groups = self.groups_of(keys.columns(), batch.rows())?;
            self.touch(&groups)?;
            self.update(&batch, &groups)?;
        }
        for batch in arrivals.partials {
            let groups = self.groups_of(&batch.columns()[..width], batch.rows())?;
            self.touch(&groups)?;
            let bound = self.keys.bound();
            self.calls.merge(&batch.columns()[width..], &groups, bound)?;
        }
        Ok(())
    }

    /// The results of all groups, once.
    fn final_rows(&mut self) -> Result<Vec<Batch>> {
        let mut output = Vec::new();
        loop {
            let mut every = self.keys.used();
            self.touch(&every)?;
            let all: Vec<u32> = every.iter().copied().filter(|&g| self.lives(g)).collect();
            for groups in all.chunks(OUTPUT_ROWS) {
                let results = self.calls.finish(groups)?;
                output.push(self.rows(groups, results)?);
            }
            self.release(&every)?;
            every = self.aside.oldest();
            if every.is_empty() {
                return Ok(output);
            }
            self.take_back(every)?;
        }
    }

    /// Keys and states of all groups; starts anew.
    fn give_away(&mut self) -> Result<Vec<Batch>> {
        let groups: Vec<u32> = (0..self.keys.bound() as u32).collect();
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let states = self.calls.states(&groups)?;
        let batch = self.rows(&groups, states)?;
        self.calls.clear(&groups);
        self.keys.clear();
        Ok(vec![batch])
    }
}

/// Where two sets of columns differ, NULL being equal to NULL.
fn different(before: &[ArrayRef], after: &[ArrayRef], rows: usize) -> Result<BooleanBuffer> {
    let mut differs = BooleanBuffer::new_unset(rows);
    for (a, b) in before.iter().zip(after) {
        if a.data_type().is_nested() {
            // Rows that did not change cancel in the sink.
            return Ok(BooleanBuffer::new_set(rows));
        }
        differs = &differs | distinct(a, b)?.values();
    }
    Ok(differs)
}

fn push(output: &mut Vec<Batch>, batch: Batch, weight: i64) {
    let rows = batch.rows();
    if rows > 0 {
        let weights: Option<ScalarBuffer<i64>> = (weight != 1).then(|| vec![weight; rows].into());
        output.push(Batch::with_weights(batch.into_columns(), rows, weights));
    }
}

impl Operator for Aggregate {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let arrivals = inputs.into_iter().next().unwrap_or_default();
        match self.role {
            Role::Changes if arrivals.batches.is_empty() && arrivals.partials.is_empty() => {
                Ok(Vec::new())
            }
            Role::Changes => self.changes(arrivals, cx.now_ms),
            Role::Partials => {
                self.accumulate(arrivals)?;
                self.give_away()
            }
            Role::AtEnd => {
                self.accumulate(arrivals)?;
                if cx.end_of_input { self.final_rows() } else { Ok(Vec::new()) }
            }
        }
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        self.saved().map(Some)
    }

    fn cut(&mut self, whole: bool) -> Result<Option<Vec<TableChange>>> {
        Ok(Some(self.cut_groups(whole)))
    }

    fn hand_out(&mut self, rows: usize) -> Result<Vec<TableChange>> {
        self.hand_out_groups(rows)
    }

    fn load(&mut self, table: &str, rows: &Batch) -> Result<()> {
        self.load_groups(table, rows)
    }

    fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.put_groups_aside(wanted)
    }

    fn state_rows(&self) -> usize {
        self.keys.len() + self.aside.rows()
    }

    fn state_bytes(&self) -> usize {
        self.bytes_in_use() + self.aside.size_bytes()
    }
}
