//! What the engine hands to a sink: batches encoded on the worker that made them.
//! Invariant: an encoder spends CPU (sync, on the worker); a sink moves bytes (async, in connectors).

use bytes::Bytes;

use crate::{Batch, Result, ingest::Messages};

/// How rows with weights reach a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangelogMode {
    /// Only rows of weight +1 ever come.
    AppendOnly,
    /// Per step at most one row a key: weight +1 is "insert or update to this", -1 is "delete".
    Upsert {
        /// Columns of the key.
        key: Vec<usize>,
    },
    /// Every change: rows of weight -1 (before) precede rows of weight +1 (after).
    Retract,
    /// As `Retract`, but old rows of updates may be missing.
    NoUpdateBefore,
}

/// One step's output of one worker for one sink, ready to be moved.
#[derive(Debug, Clone)]
pub enum Encoded {
    /// Bytes of a file or a terminal.
    Bytes {
        /// Whole records.
        data: Bytes,
        /// How many.
        rows: usize,
    },
    /// Records of a log.
    Messages(Messages),
    /// Columns, for sinks that write them themselves.
    Batch(Batch),
}

impl Encoded {
    /// How many rows or records.
    pub fn rows(&self) -> usize {
        match self {
            Encoded::Bytes { rows, .. } => *rows,
            Encoded::Messages(messages) => messages.len(),
            Encoded::Batch(batch) => batch.rows(),
        }
    }

    /// Bytes held while it waits in a queue.
    pub fn size_bytes(&self) -> usize {
        match self {
            Encoded::Bytes { data, .. } => data.len(),
            Encoded::Messages(messages) => messages.data.len() + messages.len() * 64,
            Encoded::Batch(batch) => batch.size_bytes(),
        }
    }
}

/// Turns output batches into what the sink moves. One per worker.
pub trait Encode: Send {
    /// Encodes the rows of one step. Weights follow the sink's [`ChangelogMode`].
    fn encode(&mut self, batch: &Batch) -> Result<Encoded>;
}
