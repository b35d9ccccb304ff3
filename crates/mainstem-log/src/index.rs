//! The sparse index of one segment: from offset and from time to position, and the aborted transactions that ended in it.
//! Rebuildable from the segment alone (the aborted ones with the producer snapshot before it).
//!
//! ```text
//! NNNNNNNNNNNNNNNNNNNN.index, big endian, version 1
//! "MSI1" | base_offset i64 | size_bytes u64 | next_offset i64     the segment when this was written
//!        | synced_offset i64                                      offsets below were durable then
//!        | first_timestamp i64 | max_timestamp i64
//!        | aborted_count u32 | (producer_id i64 | first_offset i64 | last_offset i64 | last_stable_offset i64)*
//!        | entry_count u32   | (offset - base_offset u32 | position u32 | max_timestamp_before i64)*
//!        | crc32c u32
//! ```
//!
//! Invariant: entries stand at starts of batches, ascending in offset and position; `max_timestamp_before` is the greatest
//! timestamp of all batches before the entry (ascending, too). The first batch has no entry.

use crate::framed;
use crate::record_batch::BatchError;

const MAGIC: [u8; 4] = *b"MSI1";
/// What no timestamp is greater than.
pub(crate) const NO_TIMESTAMP: i64 = i64::MIN;

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) offset_delta: u32,
    pub(crate) position: u32,
    pub(crate) max_timestamp_before: i64,
}

/// A transaction that ended with an abort in this segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AbortedTransaction {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    /// The offset of the marker.
    pub(crate) last_offset: i64,
    /// The last stable offset right after: no later entry begins before it.
    pub(crate) last_stable_offset: i64,
}

/// The index of one segment, in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) base_offset: i64,
    pub(crate) size_bytes: u64,
    pub(crate) next_offset: i64,
    pub(crate) synced_offset: i64,
    /// The greatest timestamp of the first batch; `NO_TIMESTAMP` in an empty segment.
    pub(crate) first_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) aborted: Vec<AbortedTransaction>,
    /// Damage, by offset, that hides how a transaction ended which may have ended here: `aborted` is not to be relied on. Only
    /// of an index that was built anew, and never stored.
    pub(crate) doubt: Option<(i64, BatchError)>,
    pub(crate) entries: Vec<IndexEntry>,
}

impl Index {
    /// The index of an empty segment.
    pub(crate) fn new(base_offset: i64) -> Self {
        Self {
            base_offset,
            size_bytes: 0,
            next_offset: base_offset,
            synced_offset: base_offset,
            first_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            aborted: Vec::new(),
            doubt: None,
            entries: Vec::new(),
        }
    }

    /// Takes note of the batch at the end.
    pub(crate) fn add_batch(
        &mut self,
        base_offset: i64,
        last_offset: i64,
        batch_bytes: usize,
        max_timestamp: i64,
        interval_bytes: u32,
    ) {
        let last = self.entries.last().map_or(0, |entry| u64::from(entry.position));
        if self.size_bytes >= last + u64::from(interval_bytes) {
            self.entries.push(IndexEntry {
                offset_delta: (base_offset - self.base_offset) as u32,
                position: self.size_bytes as u32,
                max_timestamp_before: self.max_timestamp,
            });
        }
        if self.size_bytes == 0 {
            self.first_timestamp = max_timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(max_timestamp);
        self.size_bytes += batch_bytes as u64;
        self.next_offset = last_offset + 1;
    }

    /// Forgets what is at and after entry number `count`, as if the segment ended there.
    pub(crate) fn truncate_entries(&mut self, count: usize) {
        let Some(entry) = self.entries.get(count).copied() else { return };
        self.entries.truncate(count);
        self.size_bytes = u64::from(entry.position);
        self.next_offset = self.base_offset + i64::from(entry.offset_delta);
        self.max_timestamp = entry.max_timestamp_before;
    }

    /// A position at or before the batch that holds `offset`.
    pub(crate) fn position_for_offset(&self, offset: i64) -> u64 {
        let after = self
            .entries
            .partition_point(|entry| self.base_offset + i64::from(entry.offset_delta) <= offset);
        after.checked_sub(1).map_or(0, |at| u64::from(self.entries[at].position))
    }

    /// A position at or before the first batch that reaches `timestamp_ms`.
    pub(crate) fn position_for_timestamp(&self, timestamp_ms: i64) -> u64 {
        let after = self.entries.partition_point(|entry| entry.max_timestamp_before < timestamp_ms);
        after.checked_sub(1).map_or(0, |at| u64::from(self.entries[at].position))
    }

    /// The offset of the first entry at or after a position: nothing before the position is at or after it.
    pub(crate) fn offset_after_position(&self, position: u64) -> i64 {
        let at = self.entries.partition_point(|entry| u64::from(entry.position) < position);
        self.entries
            .get(at)
            .map_or(self.next_offset, |entry| self.base_offset + i64::from(entry.offset_delta))
    }

    /// The file.
    pub(crate) fn encode(&self, synced_offset: i64) -> Vec<u8> {
        let mut out = framed::begin(MAGIC);
        out.reserve(72 + self.aborted.len() * 32 + self.entries.len() * 16);
        out.extend_from_slice(&self.base_offset.to_be_bytes());
        out.extend_from_slice(&self.size_bytes.to_be_bytes());
        out.extend_from_slice(&self.next_offset.to_be_bytes());
        out.extend_from_slice(&synced_offset.to_be_bytes());
        out.extend_from_slice(&self.first_timestamp.to_be_bytes());
        out.extend_from_slice(&self.max_timestamp.to_be_bytes());
        out.extend_from_slice(&(self.aborted.len() as u32).to_be_bytes());
        for aborted in &self.aborted {
            out.extend_from_slice(&aborted.producer_id.to_be_bytes());
            out.extend_from_slice(&aborted.first_offset.to_be_bytes());
            out.extend_from_slice(&aborted.last_offset.to_be_bytes());
            out.extend_from_slice(&aborted.last_stable_offset.to_be_bytes());
        }
        out.extend_from_slice(&(self.entries.len() as u32).to_be_bytes());
        for entry in &self.entries {
            out.extend_from_slice(&entry.offset_delta.to_be_bytes());
            out.extend_from_slice(&entry.position.to_be_bytes());
            out.extend_from_slice(&entry.max_timestamp_before.to_be_bytes());
        }
        framed::seal(out)
    }

    /// Reads the file of the segment with this base offset; `None` if it is damaged or another's.
    pub(crate) fn decode(base_offset: i64, file: &[u8]) -> Option<Self> {
        let mut fields = framed::open(MAGIC, file)?;
        let mut index = Self::new(base_offset);
        (fields.i64()? == base_offset).then_some(())?;
        index.size_bytes = fields.u64()?;
        index.next_offset = fields.i64()?;
        index.synced_offset = fields.i64()?;
        index.first_timestamp = fields.i64()?;
        index.max_timestamp = fields.i64()?;
        for _ in 0..fields.count(32)? {
            index.aborted.push(AbortedTransaction {
                producer_id: fields.i64()?,
                first_offset: fields.i64()?,
                last_offset: fields.i64()?,
                last_stable_offset: fields.i64()?,
            });
        }
        let count = fields.count(16)?;
        index.entries.reserve_exact(count);
        for _ in 0..count {
            index.entries.push(IndexEntry {
                offset_delta: fields.u32()?,
                position: fields.u32()?,
                max_timestamp_before: fields.i64()?,
            });
        }
        fields.end()?;
        Some(index)
    }
}
