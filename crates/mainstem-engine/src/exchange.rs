//! The meeting of workers inside a step: mailboxes, and the routing of rows to the workers that own their keys.
//! Invariant: a letter is written in one phase and read in the next, with a barrier in between, so no lock is ever
//! waited for. Rows of one worker keep their order; a receiver reads senders in order of their index.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{BooleanArray, UInt32Array};
use mainstem_core::{Batch, Result};

use crate::hash::{hash_columns, owner};
use crate::operator::{Arrivals, Inputs, Operator, StepContext};
use crate::ops::rank::Contenders;
use crate::ops::watermark::Seen;
use crate::picked::Picked;
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
    /// Below a rank: which rows are worth sending.
    pub(crate) contenders: Option<Contenders>,
    pub(crate) preaggregation: Option<Preaggregation>,
    /// Rows are picked, and not copied: who gets them keeps them so.
    pub(crate) picks: bool,
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
            let mask = match &mut self.contenders {
                Some(contenders) => contenders.find(batch)?,
                None => None,
            };
            deal(batch, mask.as_ref(), &self.keys, workers, |to, part| {
                match self.picks {
                    true => out[to].picked.push(part),
                    false => out[to].batches.push(part.into_batch()?),
                }
                Ok(())
            })?;
        }
        for partial in &arrivals.partials {
            deal(partial, None, keys_of_partials, workers, |to, part| {
                out[to].partials.push(part.into_batch()?);
                Ok(())
            })?;
        }
        Ok(out)
    }
}

/// Cuts the rows of a batch for which `mask` is true by the owners of their keys; without keys worker 0 owns all.
fn deal(
    batch: &Batch,
    mask: Option<&BooleanArray>,
    keys: &[usize],
    workers: usize,
    mut put: impl FnMut(usize, Picked) -> Result<()>,
) -> Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    if keys.is_empty() {
        let all = mask.map_or_else(|| Ok(batch.clone()), |mask| batch.filter(mask))?;
        return put(0, all.into());
    }
    let columns: Vec<_> = keys.iter().map(|&i| Arc::clone(batch.column(i))).collect();
    let mut hashes = Vec::new();
    hash_columns(&columns, batch.rows(), &mut hashes)?;
    let mut rows = vec![Vec::with_capacity(batch.rows() / workers + 16); workers];
    let mut send = |row: usize| rows[owner(hashes[row], workers)].push(row as u32);
    match mask {
        None => (0..batch.rows()).for_each(send),
        Some(mask) => mask.values().set_indices().for_each(&mut send),
    }
    for (to, rows) in rows.into_iter().enumerate() {
        match rows.len() {
            0 => {}
            all if all == batch.rows() => put(to, batch.clone().into())?,
            _ => put(to, Picked::new(batch.clone(), UInt32Array::from(rows)))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int64Array, StringArray};
    use proptest::prelude::*;

    /// For each worker the rows that it gets.
    fn dealt(
        batch: &Batch,
        mask: Option<&BooleanArray>,
        keys: &[usize],
        workers: usize,
    ) -> Vec<Vec<String>> {
        let mut out = vec![Vec::new(); workers];
        let put = |to: usize, part: Picked| {
            let part = part.into_batch()?;
            out[to].extend((0..part.rows()).map(|row| format!("{:?}", part.slice(row, 1))));
            Ok(())
        };
        deal(batch, mask, keys, workers, put).unwrap();
        out
    }

    proptest! {
        #[test]
        fn picked_rows_go_where_they_would_go_by_themselves(
            rows in prop::collection::vec(
                (prop::option::of(0i64..9), "[a-z]{0,12}", any::<bool>(), -2i64..3),
                0..40,
            ),
            keyed in any::<bool>(),
            workers in 1usize..4,
        ) {
            let keys: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>());
            let texts = StringArray::from_iter_values(rows.iter().map(|row| row.1.as_str()));
            let weights = rows.iter().map(|row| row.3).collect::<Vec<i64>>().into();
            let columns = vec![keys, Arc::new(texts) as ArrayRef];
            let batch = Batch::with_weights(columns, rows.len(), Some(weights));
            let mask: BooleanArray = rows.iter().map(|row| Some(row.2)).collect();
            let keys: &[usize] = if keyed { &[0] } else { &[] };
            let picked = batch.filter(&mask).unwrap();
            prop_assert_eq!(
                dealt(&batch, Some(&mask), keys, workers),
                dealt(&picked, None, keys, workers)
            );
        }
    }
}
