//! Decoding at the start of a step and encoding at its end, on the worker that owns the payload or the rows.
//! Invariant: rows of a split stay in order. Small batches are put together and large ones cut, so that operators see
//! batches that fit the cache.

use std::sync::Arc;

use arrow_array::new_empty_array;
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::ingest::{Decode, Decoded};
use mainstem_core::{Batch, Error, Result};

use crate::cutter::Assigned;
use crate::executor::{DeadLetters, SinkSlot, SourceSlot};
use crate::graph::Graph;
use crate::operator::cut;
use crate::plan::NodeKind;
use crate::progress::Counters;
use crate::worker::SourceRows;

/// Batches of at least this many rows are left as they are: putting them together costs more than it saves.
const BATCH_ROWS_MIN: usize = 256;
/// What small batches are put together to.
const BATCH_ROWS: usize = 8192;
/// Larger batches are cut.
const BATCH_ROWS_MAX: usize = 32_768;

/// One worker's decoders, one per source.
pub(crate) struct Decoders {
    decoders: Vec<Box<dyn Decode>>,
    /// A batch without rows for each source.
    empty: Vec<Batch>,
    dead_letters: Option<DeadLetters>,
}

impl Decoders {
    /// Takes one decoder out of each slot.
    pub(crate) fn new(
        sources: &mut [SourceSlot],
        graph: &Arc<Graph>,
        dead_letters: Option<DeadLetters>,
    ) -> Self {
        let empty = |source: usize| {
            let node = graph.plan.nodes.iter().find(|node| match &node.kind {
                NodeKind::Source { source: read, .. } => *read == source,
                _ => false,
            });
            let columns = node.map(|n| n.output.iter().map(new_empty_array).collect());
            Batch::new(columns.unwrap_or_default(), 0)
        };
        Self {
            empty: (0..sources.len()).map(empty).collect(),
            decoders: sources
                .iter_mut()
                .map(|slot| slot.decoders.pop().expect("there is one decoder per worker"))
                .collect(),
            dead_letters,
        }
    }

    /// The rows of the step's payloads, by source.
    pub(crate) fn decode(
        &mut self,
        payloads: Vec<Assigned>,
        now_ms: i64,
        counters: &Counters,
    ) -> Result<Vec<SourceRows>> {
        let mut rows = vec![SourceRows::default(); self.decoders.len()];
        let mut pending = Pending::default();
        for Assigned { source, split, payload, bytes } in payloads {
            let mut decoded = Decoded::default();
            self.decoders[source].decode(payload, now_ms, &mut decoded).map_err(|e: Error| {
                e.context(format!("table '{}'", counters.source_name(source)))
            })?;
            let count: usize = decoded.batches.iter().map(Batch::rows).sum();
            let (records, skipped) = (decoded.records, decoded.skipped);
            counters.received(source, bytes as u64, records, count as u64, skipped);
            if let Some(receive) = &self.dead_letters
                && !decoded.dead_letters.is_empty()
            {
                receive(source, decoded.dead_letters);
            }
            if pending.place != Some((source, split)) {
                pending.flush(&mut rows)?;
                pending.place = Some((source, split));
            }
            if count == 0 {
                // The split is not idle, even if no row of it is wanted.
                rows[source].batches.push(self.empty[source].clone());
                rows[source].splits.push(split);
            }
            for batch in decoded.batches.into_iter().filter(|batch| !batch.is_empty()) {
                pending.push(batch, &mut rows)?;
            }
        }
        pending.flush(&mut rows)?;
        Ok(rows)
    }
}

/// Small batches of one split that wait to be put together.
#[derive(Default)]
struct Pending {
    place: Option<(usize, u32)>,
    batches: Vec<Batch>,
    rows: usize,
}

impl Pending {
    fn push(&mut self, batch: Batch, rows: &mut [SourceRows]) -> Result<()> {
        let large = batch.rows() >= BATCH_ROWS_MIN;
        if large {
            self.flush(rows)?;
        }
        self.rows += batch.rows();
        self.batches.push(batch);
        if large || self.rows >= BATCH_ROWS {
            self.flush(rows)?;
        }
        Ok(())
    }

    fn flush(&mut self, rows: &mut [SourceRows]) -> Result<()> {
        self.rows = 0;
        let batches = std::mem::take(&mut self.batches);
        let (Some((source, split)), Some(batch)) = (self.place, Batch::concat(&batches)?) else {
            return Ok(());
        };
        for part in cut(&batch, BATCH_ROWS_MAX) {
            rows[source].batches.push(part);
            rows[source].splits.push(split);
        }
        Ok(())
    }
}

/// One worker's encoders, one per sink.
pub(crate) struct Encoders {
    encoders: Vec<(String, Box<dyn Encode>)>,
}

impl Encoders {
    /// Takes one encoder out of each slot.
    pub(crate) fn new(sinks: &mut [SinkSlot]) -> Self {
        let encoder = |slot: &mut SinkSlot| {
            let encoder = slot.encoders.pop().expect("there is one encoder per worker");
            (slot.name.clone(), encoder)
        };
        Self { encoders: sinks.iter_mut().map(encoder).collect() }
    }

    pub(crate) fn encode(&mut self, sink: usize, batch: &Batch) -> Result<Encoded> {
        let (name, encoder) = &mut self.encoders[sink];
        encoder.encode(batch).map_err(|e| e.context(format!("table '{name}'")))
    }
}
