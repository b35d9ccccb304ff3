//! The rows of each partition whose rank is wanted, as a changelog.
//! Invariant: after each step the rows that came out, added up, are the wanted ranks of what came in; a step's output
//! is what changed between its start and its end.
//! ROW_NUMBER without the rank as a column: each row that comes or goes moves at most one row into the wanted ranks
//! and one out, found in O(log n). Otherwise the wanted ranks of every partition that changed are compared with those
//! before the step.

use arrow_array::{ArrayRef, Int64Array};
use arrow_buffer::ScalarBuffer;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableChange, TableRows};
use std::sync::Arc;

use super::RankPlan;
use super::order::Entry;
use super::partitions::{Partitions, Prepared, Watch};
use super::store::DEAD;
use crate::operator::{Inputs, Operator, PutAside, StepContext};
use crate::ops::by_key::ByKey;
use crate::rank::RankFunction;

/// Output batches have at most this many rows.
const OUTPUT_ROWS: usize = 16_384;

/// A row that enters (+1) or leaves (-1) the wanted ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    row: u32,
    rank: usize,
    weight: i64,
}

/// What changed in the step.
#[derive(Debug)]
enum Tracker {
    Moves(Vec<Change>),
    Compare(Compare),
}

/// The wanted ranks of partitions as they were before the step.
#[derive(Debug, Default)]
struct Compare {
    /// By partition: its place in `touched`, plus one.
    places: Vec<u32>,
    /// Partitions, and where in `before` their rows begin.
    touched: Vec<(u32, usize)>,
    before: Vec<(u32, usize)>,
}

#[derive(Debug)]
pub(super) struct Top {
    partitions: Partitions,
    tracker: Tracker,
    changelog: bool,
    with_rank: bool,
    positional: bool,
    upserts: bool,
    ids: Vec<u32>,
}

impl Top {
    pub(super) fn new(plan: &RankPlan) -> Result<Self> {
        let positional = plan.function == RankFunction::RowNumber;
        let tracker = if positional && !plan.with_rank {
            Tracker::Moves(Vec::new())
        } else {
            Tracker::Compare(Compare::default())
        };
        Ok(Self {
            partitions: Partitions::new(plan)?,
            tracker,
            changelog: plan.changelog,
            with_rank: plan.with_rank,
            positional,
            upserts: plan.upserts,
            ids: Vec::new(),
        })
    }

    fn absorb(&mut self, batches: &[Batch]) -> Result<()> {
        self.partitions.bring_back_for(batches)?;
        if !self.changelog {
            for batch in batches {
                self.partitions.intern(batch, &mut self.ids)?;
                self.partitions.append(batch, &self.ids, &mut self.tracker)?;
            }
            return Ok(());
        }
        let prepared: Vec<Prepared> =
            batches.iter().map(|batch| self.partitions.prepare(batch)).collect::<Result<_>>()?;
        for removals in [false, true] {
            for (batch, prepared) in batches.iter().zip(&prepared) {
                self.partitions.change(batch, prepared, removals, &mut self.tracker);
            }
        }
        Ok(())
    }

    /// What changed in the step, without what cancels: what leaves, then what enters.
    fn changes(&mut self) -> Vec<Change> {
        let changes = match &mut self.tracker {
            Tracker::Moves(moves) => net(std::mem::take(moves)),
            Tracker::Compare(compare) => {
                compare.changes(&self.partitions, self.positional, self.upserts)
            }
        };
        let (mut leave, enter): (Vec<_>, Vec<_>) = changes.into_iter().partition(|c| c.weight < 0);
        leave.extend(enter);
        leave
    }

    fn emit(&self, changes: &[Change]) -> Result<Vec<Batch>> {
        let mut output = Vec::with_capacity(changes.len().div_ceil(OUTPUT_ROWS));
        for changes in changes.chunks(OUTPUT_ROWS) {
            let rows: Vec<u32> = changes.iter().map(|change| change.row).collect();
            let mut columns = self.partitions.store.gather(&rows)?;
            if self.with_rank {
                columns.push(rank_column(changes.iter().map(|change| change.rank)));
            }
            let weights: ScalarBuffer<i64> = changes.iter().map(|change| change.weight).collect();
            output.push(Batch::with_weights(columns, changes.len(), Some(weights)));
        }
        Ok(output)
    }
}

/// Ranks as a BIGINT column.
pub(super) fn rank_column(ranks: impl Iterator<Item = usize>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(ranks.map(|rank| rank as i64)))
}

/// Adds up the changes of each row and rank.
fn net(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_unstable_by_key(|change| (change.row, change.rank));
    changes.dedup_by(|next, kept| {
        let same = (next.row, next.rank) == (kept.row, kept.rank);
        if same {
            kept.weight += next.weight;
        }
        same
    });
    changes.retain(|change| change.weight != 0);
    changes
}

impl Compare {
    fn touch(&mut self, partition: u32, partitions: &Partitions) {
        let at = partition as usize;
        if self.places.len() <= at {
            self.places.resize(at + 1, 0);
        }
        if self.places[at] == 0 {
            self.touched.push((partition, self.before.len()));
            self.places[at] = self.touched.len() as u32;
            partitions.ranked(partition, &mut |row, rank| self.before.push((row, rank)));
        }
    }

    fn changes(&mut self, partitions: &Partitions, positional: bool, upserts: bool) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut after: Vec<(u32, usize)> = Vec::new();
        let ends = self.touched.iter().skip(1).map(|&(_, start)| start).chain([self.before.len()]);
        for (&(partition, start), end) in self.touched.iter().zip(ends) {
            self.places[partition as usize] = 0;
            let before = &self.before[start..end];
            after.clear();
            partitions.ranked(partition, &mut |row, rank| after.push((row, rank)));
            let change = |&(row, rank): &(u32, usize), weight| Change { row, rank, weight };
            if positional {
                // Both lists go up by one from the same rank.
                for at in 0..before.len().max(after.len()) {
                    if before.get(at) != after.get(at) {
                        let (goes, comes) = (before.get(at), after.get(at));
                        let goes = goes.filter(|_| !upserts || comes.is_none());
                        changes.extend(goes.map(|b| change(b, -1)));
                        changes.extend(comes.map(|a| change(a, 1)));
                    }
                }
            } else {
                let goes = before.iter().map(|b| change(b, -1));
                let comes = after.iter().map(|a| change(a, 1));
                changes.extend(net(goes.chain(comes).collect()));
            }
        }
        self.touched.clear();
        self.before.clear();
        changes
    }
}

impl Watch for Tracker {
    fn before(&mut self, partition: u32, partitions: &Partitions) {
        if let Tracker::Compare(compare) = self {
            compare.touch(partition, partitions);
        }
    }

    fn renumbered(&mut self, first: u32, numbers: &[u32]) {
        let Tracker::Moves(moves) = self else { return };
        // What came and went again in one batch cancels.
        moves.retain_mut(|change| {
            if let Some(place) = change.row.checked_sub(first) {
                change.row = numbers[place as usize];
            }
            change.row != DEAD
        });
    }

    fn inserted(&mut self, partition: u32, at: usize, entry: Entry, partitions: &Partitions) {
        let Tracker::Moves(moves) = self else { return };
        let (first, end) = (partitions.from - 1, partitions.end(partition));
        if at >= end || end <= first {
            return;
        }
        let enters = if at >= first { Some(entry) } else { partitions.get(partition, first) };
        let leaves = partitions.get(partition, end);
        moves.extend(enters.map(|e| Change { row: e.row(), rank: 0, weight: 1 }));
        moves.extend(leaves.map(|e| Change { row: e.row(), rank: 0, weight: -1 }));
    }

    fn removed(&mut self, partition: u32, at: usize, entry: Entry, partitions: &Partitions) {
        let Tracker::Moves(moves) = self else { return };
        let (first, end) = (partitions.from - 1, partitions.end(partition));
        if at >= end || end <= first {
            return;
        }
        let leaves = if at >= first { Some(entry) } else { partitions.get(partition, first - 1) };
        let enters = partitions.get(partition, end - 1);
        moves.extend(leaves.map(|e| Change { row: e.row(), rank: 0, weight: -1 }));
        moves.extend(enters.map(|e| Change { row: e.row(), rank: 0, weight: 1 }));
    }
}

impl Operator for Top {
    fn step(&mut self, inputs: Inputs, _cx: &mut StepContext) -> Result<Vec<Batch>> {
        let batches: Vec<Batch> =
            inputs.into_iter().flat_map(|i| i.batches).filter(|b| !b.is_empty()).collect();
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        self.absorb(&batches)?;
        let changes = self.changes();
        let output = self.emit(&changes)?;
        self.partitions.end_step()?;
        Ok(output)
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        self.partitions.save_keys().map(Some)
    }

    fn cut(&mut self, whole: bool) -> Result<Option<Vec<TableChange>>> {
        self.partitions.cut_keys(whole).map(Some)
    }

    fn hand_out(&mut self, rows: usize) -> Result<Vec<TableChange>> {
        self.partitions.hand_out_keys(rows)
    }

    fn load(&mut self, table: &str, rows: &Batch) -> Result<()> {
        self.partitions.load(table, rows)
    }

    fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.partitions.put_aside(wanted)
    }

    fn state_rows(&self) -> usize {
        self.partitions.state_rows()
    }

    fn state_bytes(&self) -> usize {
        self.partitions.state_bytes()
    }
}
