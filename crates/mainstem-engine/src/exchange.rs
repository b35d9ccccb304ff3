//! The meeting of workers inside a step: mailboxes, and the routing of rows to the workers that own their keys.
//! Invariant: a letter is written in one phase and read in the next, with a barrier in between, so no lock is ever
//! waited for. Rows of one worker keep their order; a receiver reads senders in order of their index.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::UInt32Array;
use mainstem_core::{Batch, Result};

use crate::hash::{hash_columns, owner};
use crate::operator::{Arrivals, Inputs, Operator, StepContext};
use crate::ops::watermark::Seen;
use crate::worker::Progress;

/// What one worker tells another about one node in one step.
#[derive(Debug, Default)]
pub(crate) struct Letter {
    pub(crate) arrivals: Arrivals,
    pub(crate) seen: Arc<Seen>,
    /// How far the sender is, where workers may be at different places.
    pub(crate) progress: Progress,
}

/// One slot per node, sender and receiver.
#[derive(Debug)]
pub(crate) struct Mail {
    workers: usize,
    slots: Vec<Mutex<Letter>>,
}

impl Mail {
    pub(crate) fn new(nodes: usize, workers: usize) -> Self {
        let slots = if workers == 1 { 0 } else { nodes * workers * workers };
        Self { workers, slots: std::iter::repeat_with(Mutex::default).take(slots).collect() }
    }

    fn slot(&self, node: usize, from: usize, to: usize) -> &Mutex<Letter> {
        &self.slots[(node * self.workers + from) * self.workers + to]
    }

    pub(crate) fn put(&self, node: usize, from: usize, to: usize, letter: Letter) {
        *self.slot(node, from, to).lock().unwrap_or_else(PoisonError::into_inner) = letter;
    }

    /// The letters to `to`, in order of their senders.
    pub(crate) fn take(&self, node: usize, to: usize) -> impl Iterator<Item = Letter> + '_ {
        (0..self.workers).map(move |from| {
            let mut slot = self.slot(node, from, to).lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *slot)
        })
    }
}

/// Aggregates the rows of a step before they are sent, when that makes them few.
pub(crate) struct Preaggregation {
    pub(crate) operator: Box<dyn Operator>,
    /// The exchange's keys in the columns of partial states.
    pub(crate) keys: Vec<usize>,
    /// Steps left in which rows are sent as they are.
    pub(crate) pause_steps: u32,
}

/// After a step that saved less than half of the rows, this many steps go without.
const PAUSE_STEPS: u32 = 32;
/// Fewer rows than this say nothing about how well aggregation would do.
const TELLING_ROWS: usize = 256;

impl Preaggregation {
    fn apply(&mut self, batches: Vec<Batch>, cx: &mut StepContext) -> Result<Arrivals> {
        let rows: usize = batches.iter().map(Batch::rows).sum();
        if self.pause_steps > 0 {
            self.pause_steps -= 1;
            return Ok(Arrivals { batches, ..Arrivals::default() });
        }
        let inputs: Inputs = vec![Arrivals { batches, ..Arrivals::default() }];
        let partials = self.operator.step(inputs, cx)?;
        let partial_rows: usize = partials.iter().map(Batch::rows).sum();
        if rows >= TELLING_ROWS && partial_rows * 2 > rows {
            self.pause_steps = PAUSE_STEPS;
        }
        Ok(Arrivals { partials, ..Arrivals::default() })
    }
}

/// Sends rows to the workers that own their keys.
pub(crate) struct Exchange {
    pub(crate) keys: Vec<usize>,
    pub(crate) preaggregation: Option<Preaggregation>,
}

impl Exchange {
    /// The rows for each worker.
    pub(crate) fn route(
        &mut self,
        arrivals: Arrivals,
        workers: usize,
        cx: &mut StepContext,
    ) -> Result<Vec<Arrivals>> {
        let mut keys_of_partials = &self.keys;
        let arrivals = match &mut self.preaggregation {
            Some(preaggregation) => {
                let arrivals = preaggregation.apply(arrivals.batches, cx)?;
                keys_of_partials = &preaggregation.keys;
                arrivals
            }
            None => arrivals,
        };
        let mut out = vec![Arrivals::default(); workers];
        for batch in &arrivals.batches {
            deal(batch, &self.keys, workers, |to, part| out[to].batches.push(part))?;
        }
        for partial in &arrivals.partials {
            deal(partial, keys_of_partials, workers, |to, part| out[to].partials.push(part))?;
        }
        Ok(out)
    }
}

/// Cuts a batch by the owners of its keys; without keys worker 0 owns all.
fn deal(
    batch: &Batch,
    keys: &[usize],
    workers: usize,
    mut put: impl FnMut(usize, Batch),
) -> Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    if keys.is_empty() {
        put(0, batch.clone());
        return Ok(());
    }
    let columns: Vec<_> = keys.iter().map(|&i| Arc::clone(batch.column(i))).collect();
    let mut hashes = Vec::new();
    hash_columns(&columns, batch.rows(), &mut hashes)?;
    let mut rows = vec![Vec::with_capacity(batch.rows() / workers + 16); workers];
    for (row, &hash) in hashes.iter().enumerate() {
        rows[owner(hash, workers)].push(row as u32);
    }
    for (to, rows) in rows.into_iter().enumerate() {
        match rows.len() {
            0 => {}
            all if all == batch.rows() => put(to, batch.clone()),
            _ => put(to, batch.take(&UInt32Array::from(rows))?),
        }
    }
    Ok(())
}
