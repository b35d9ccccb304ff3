//! Builds batches in this process: markers, the broker's own journal, in-process producers, compaction, tests.
//! Invariant: what is built parses. The base offset is 0 and the leader epoch -1 until the log appends the batch.

use crate::compression::compress;
use crate::record_batch::{
    ATTRIBUTE_CONTROL, ATTRIBUTE_TRANSACTIONAL, BatchHeader, Compression, HEADER_BYTES,
    LENGTH_PREFIX_BYTES, RecordBatch, patch_crc, sequence_add,
};

/// Builds one batch after another; its buffer is reused.
#[derive(Debug)]
pub struct BatchBuilder {
    compression: Compression,
    attributes: i16,
    producer_id: i64,
    producer_epoch: i16,
    next_sequence: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    count: u32,
    /// Room for the header, then the records so far.
    buffer: Vec<u8>,
}

impl BatchBuilder {
    /// An empty builder.
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            attributes: compression.code(),
            producer_id: -1,
            producer_epoch: -1,
            next_sequence: -1,
            base_timestamp: -1,
            max_timestamp: -1,
            count: 0,
            buffer: vec![0; HEADER_BYTES],
        }
    }

    /// Makes the next batches those of an idempotent producer; the sequence goes on from batch to batch.
    #[must_use]
    pub fn with_producer(
        mut self,
        producer_id: i64,
        producer_epoch: i16,
        base_sequence: i32,
    ) -> Self {
        self.producer_id = producer_id;
        self.producer_epoch = producer_epoch;
        self.next_sequence = base_sequence;
        self
    }

    /// Makes the next batches part of a transaction.
    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.attributes |= ATTRIBUTE_TRANSACTIONAL;
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
        if self.count == 0 {
            self.base_timestamp = timestamp_ms;
            self.max_timestamp = timestamp_ms;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp_ms);
        let mut encoded = Vec::new();
        for (key, value) in headers {
            put_nullable(&mut encoded, Some(key.as_bytes()));
            put_nullable(&mut encoded, *value);
        }
        put_record(
            &mut self.buffer,
            timestamp_ms.wrapping_sub(self.base_timestamp),
            self.count as i32,
            key,
            value,
            (headers.len() as u32, &encoded),
        );
        self.count += 1;
    }

    /// Records so far.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the batch so far, before compression.
    pub fn size_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Closes the batch and begins the next; `None` if no record was pushed.
    pub fn finish(&mut self) -> Option<RecordBatch> {
        if self.count == 0 {
            return None;
        }
        let header = BatchHeader {
            base_offset: 0,
            size_bytes: 0,
            partition_leader_epoch: -1,
            crc: 0,
            attributes: self.attributes,
            compression: self.compression,
            last_offset_delta: self.count as i32 - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.next_sequence,
            record_count: self.count as i32,
        };
        if self.next_sequence >= 0 {
            self.next_sequence = sequence_add(self.next_sequence, self.count as i32);
        }
        self.count = 0;
        let batch = encode_batch(&header, &self.buffer[HEADER_BYTES..]);
        self.buffer.truncate(HEADER_BYTES);
        Some(RecordBatch::built(batch.into()))
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
    let mut builder =
        BatchBuilder::new(Compression::None).with_producer(producer_id, producer_epoch, -1);
    builder.attributes |= ATTRIBUTE_TRANSACTIONAL | ATTRIBUTE_CONTROL;
    let mut value = [0; 6];
    value[2..].copy_from_slice(&coordinator_epoch.to_be_bytes());
    builder.push(timestamp_ms, Some(&[0, 0, 0, u8::from(commit)]), Some(&value), &[]);
    builder.finish().expect("a record was pushed")
}

/// A whole batch: `header` but for its size and CRC, which are computed, and `records` compressed as it says.
pub(crate) fn encode_batch(header: &BatchHeader, records: &[u8]) -> Vec<u8> {
    let mut batch = Vec::with_capacity(HEADER_BYTES + records.len());
    batch.resize(HEADER_BYTES, 0);
    compress(header.compression, records, &mut batch);
    let length = (batch.len() - LENGTH_PREFIX_BYTES) as i32;
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        batch[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(&header.base_offset.to_be_bytes());
    put(&length.to_be_bytes());
    put(&header.partition_leader_epoch.to_be_bytes());
    put(&[2]);
    put(&[0; 4]);
    put(&header.attributes.to_be_bytes());
    put(&header.last_offset_delta.to_be_bytes());
    put(&header.base_timestamp.to_be_bytes());
    put(&header.max_timestamp.to_be_bytes());
    put(&header.producer_id.to_be_bytes());
    put(&header.producer_epoch.to_be_bytes());
    put(&header.base_sequence.to_be_bytes());
    put(&header.record_count.to_be_bytes());
    let (head, records) = batch.split_first_chunk_mut().expect("the header was put");
    patch_crc(head, records);
    batch
}

/// One record behind its length; `headers` are their count and encoding.
pub(crate) fn put_record(
    out: &mut Vec<u8>,
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    (header_count, headers): (u32, &[u8]),
) {
    let size_bytes = 1
        + varint_size(timestamp_delta)
        + varint_size(i64::from(offset_delta))
        + nullable_size(key)
        + nullable_size(value)
        + varint_size(i64::from(header_count))
        + headers.len();
    out.reserve(size_bytes + 10);
    put_varint(out, size_bytes as i64);
    out.push(0);
    put_varint(out, timestamp_delta);
    put_varint(out, i64::from(offset_delta));
    put_nullable(out, key);
    put_nullable(out, value);
    put_varint(out, i64::from(header_count));
    out.extend_from_slice(headers);
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_varint(out, bytes.map_or(-1, |bytes| bytes.len() as i64));
    out.extend_from_slice(bytes.unwrap_or_default());
}

fn nullable_size(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_size(bytes.len() as i64) + bytes.len())
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn varint_size(value: i64) -> usize {
    (70 - (zigzag(value) | 1).leading_zeros() as usize) / 7
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
