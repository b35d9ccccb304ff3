//! The last thing that happens to rows: what of a step's changes a sink gets to see.
//! Invariant: equal rows of opposite weight cancel within a step; rows that go precede rows that come; a sink that
//! takes upserts gets at most one row a key. Append-only output passes untouched.

use std::sync::Arc;

use arrow_array::UInt32Array;
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType as ArrowType;
use mainstem_core::egress::ChangelogMode;
use mainstem_core::{Batch, Error, Result};

use crate::key_table::KeyTable;

/// Consolidates the rows of each step for one sink.
#[derive(Debug)]
pub(crate) struct Consolidate {
    mode: ChangelogMode,
    /// Interns whole rows.
    rows: Option<KeyTable>,
    /// Interns upsert keys.
    keys: Option<KeyTable>,
    ids: Vec<u32>,
    /// The rows come as the sink wants them.
    trusted: bool,
}

impl Consolidate {
    pub(crate) fn new(mode: &ChangelogMode, types: &[ArrowType]) -> Result<Self> {
        let rows = match mode {
            ChangelogMode::AppendOnly => None,
            _ => Some(KeyTable::new(types)?),
        };
        let keys = match mode {
            ChangelogMode::Upsert { key } => {
                let types: Vec<_> = key.iter().map(|&i| types[i].clone()).collect();
                Some(KeyTable::new(&types)?)
            }
            _ => None,
        };
        Ok(Self { mode: mode.clone(), rows, keys, ids: Vec::new(), trusted: false })
    }

    /// Says that rows come as the sink wants them (at most one a key and step, for upserts), so that there is nothing
    /// to do.
    pub(crate) fn trust(&mut self) {
        self.trusted = true;
    }

    /// The step's rows as the sink sees them.
    pub(crate) fn apply(&mut self, mut batches: Vec<Batch>) -> Result<Vec<Batch>> {
        batches.retain(|batch| !batch.is_empty());
        if self.trusted {
            return match self.mode {
                // A row that goes and the one that comes for it are to be seen together.
                ChangelogMode::Retract => Ok(Batch::concat(&batches)?.into_iter().collect()),
                _ => Ok(batches),
            };
        }
        let plain = batches.iter().all(|b| b.weights().is_none_or(|w| w.iter().all(|&w| w == 1)));
        match &self.mode {
            ChangelogMode::AppendOnly | ChangelogMode::Retract | ChangelogMode::NoUpdateBefore
                if plain =>
            {
                Ok(batches.into_iter().map(without_weights).collect())
            }
            ChangelogMode::AppendOnly => batches.iter().map(repeat).collect(),
            ChangelogMode::Retract | ChangelogMode::NoUpdateBefore => {
                let Some(all) = Batch::concat(&batches)? else { return Ok(Vec::new()) };
                let net = self.net(&all)?;
                let goes = net.iter().filter(|(_, weight)| *weight < 0);
                let comes = net.iter().filter(|(_, weight)| *weight > 0);
                let picked: Vec<(u32, i64)> = goes
                    .chain(comes)
                    .flat_map(|&(row, w)| {
                        std::iter::repeat_n((row, w.signum()), w.unsigned_abs() as usize)
                    })
                    .collect();
                Ok(pick(&all, &picked)?.into_iter().collect())
            }
            ChangelogMode::Upsert { key } => {
                let key = key.clone();
                let Some(all) = Batch::concat(&batches)? else { return Ok(Vec::new()) };
                let net = if plain {
                    (0..all.rows() as u32).map(|row| (row, 1)).collect()
                } else {
                    self.net(&all)?
                };
                let picked = self.one_per_key(&all, &key, &net)?;
                Ok(pick(&all, &picked)?.into_iter().collect())
            }
        }
    }

    /// The weight of each different row, in order of first appearance, without those that cancel. A row stands for
    /// itself by its last occurrence with the sign of its weight.
    fn net(&mut self, all: &Batch) -> Result<Vec<(u32, i64)>> {
        let table = self.rows.as_mut().expect("modes that cancel have a table");
        table.clear();
        table.intern(all.columns(), all.rows(), &mut self.ids)?;
        let mut weights = vec![0i64; table.bound()];
        let mut place = vec![0u32; table.bound()];
        for (row, &id) in self.ids.iter().enumerate() {
            weights[id as usize] += all.weight(row);
            place[id as usize] = row as u32;
        }
        let mut net: Vec<(u32, i64)> =
            place.into_iter().zip(weights).filter(|(_, weight)| *weight != 0).collect();
        net.sort_unstable();
        table.clear();
        Ok(net)
    }

    /// For each key the last row that comes, or, if none comes, a row that goes.
    fn one_per_key(
        &mut self,
        all: &Batch,
        key: &[usize],
        net: &[(u32, i64)],
    ) -> Result<Vec<(u32, i64)>> {
        let table = self.keys.as_mut().expect("upsert sinks have a table");
        table.clear();
        let columns: Vec<_> = key.iter().map(|&i| Arc::clone(all.column(i))).collect();
        table.intern(&columns, all.rows(), &mut self.ids)?;
        let mut chosen: Vec<Option<(u32, i64)>> = vec![None; table.bound()];
        for &(row, weight) in net {
            let chosen = &mut chosen[self.ids[row as usize] as usize];
            match chosen {
                Some((_, 1)) if weight < 0 => {}
                _ => *chosen = Some((row, weight.signum())),
            }
        }
        table.clear();
        Ok(chosen.into_iter().flatten().collect())
    }
}

fn without_weights(batch: Batch) -> Batch {
    let rows = batch.rows();
    Batch::new(batch.into_columns(), rows)
}

/// Rows as often as their weights say.
fn repeat(batch: &Batch) -> Result<Batch> {
    let mut rows = Vec::with_capacity(batch.rows());
    for row in 0..batch.rows() {
        let Ok(times) = usize::try_from(batch.weight(row)) else {
            return Err(Error::internal("a row is taken back from a sink that only appends"));
        };
        rows.extend(std::iter::repeat_n(row as u32, times));
    }
    batch.take(&UInt32Array::from(rows)).map(without_weights)
}

fn pick(all: &Batch, picked: &[(u32, i64)]) -> Result<Option<Batch>> {
    if picked.is_empty() {
        return Ok(None);
    }
    let rows: UInt32Array = picked.iter().map(|&(row, _)| row).collect();
    let taken = all.take(&rows)?;
    let weights = picked
        .iter()
        .any(|&(_, weight)| weight != 1)
        .then(|| picked.iter().map(|&(_, weight)| weight).collect::<ScalarBuffer<i64>>());
    Ok(Some(Batch::with_weights(taken.into_columns(), picked.len(), weights)))
}
