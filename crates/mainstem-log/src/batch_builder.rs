//! Builds batches in this process: markers, the broker's own journal, in-process producers, tests.
use crate::record_batch::{Compression, RecordBatch};

/// Builds one batch after another.
#[derive(Debug)]
pub struct BatchBuilder {
    compression: Compression,
}

impl BatchBuilder {
    /// An empty builder.
    pub fn new(compression: Compression) -> Self {
        Self { compression }
    }

    /// Makes the next batches those of an idempotent producer; the sequence goes on from batch to batch.
    #[must_use]
    pub fn with_producer(self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Self {
        let _ = (producer_id, producer_epoch, base_sequence);
        self
    }

    /// Makes the next batches part of a transaction.
    #[must_use]
    pub fn transactional(self) -> Self {
        self
    }

    /// Adds a record.
    pub fn push(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        let _ = (timestamp_ms, key, value, headers);
        todo!()
    }

    /// Records so far.
    pub fn count(&self) -> u32 {
        todo!()
    }

    /// Bytes of the batch so far, before compression.
    pub fn size_bytes(&self) -> usize {
        todo!()
    }

    /// Closes the batch and begins the next; `None` if no record was pushed.
    pub fn finish(&mut self) -> Option<RecordBatch> {
        todo!()
    }
}

/// The marker that ends a transaction in one partition.
pub fn control_batch(
    commit: bool,
    producer_id: i64,
    producer_epoch: i16,
    coordinator_epoch: i32,
    timestamp_ms: i64,
) -> RecordBatch {
    let _ = (commit, producer_id, producer_epoch, coordinator_epoch, timestamp_ms);
    todo!()
}
