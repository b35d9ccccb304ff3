//! The records of one batch, read in place.
//!
//! ```text
//! length varint | attributes i8 | timestamp_delta varlong | offset_delta varint | key_length varint (-1: null) | key
//!   | value_length varint (-1: null) | value | header_count varint | (key_length varint | key | value_length varint | value)*
//! ```
//!
//! Varints are zigzag. Invariant: the cursor never reads outside of its record, allocates nothing, and ends after the first error.

use crate::record_batch::{BatchError, BatchHeader};
use bytes::Bytes;

/// How large the records of a batch may grow when they are decompressed.
#[derive(Debug, Clone, Copy)]
pub struct RecordLimits {
    /// Bytes after decompression.
    pub decompressed_bytes_max: usize,
}

impl Default for RecordLimits {
    /// 128 MiB.
    fn default() -> Self {
        Self { decompressed_bytes_max: 128 << 20 }
    }
}

/// The decompressed records of one batch: `for record in &records`.
#[derive(Debug, Clone)]
pub struct Records {
    bytes: Bytes,
    base_offset: i64,
    base_timestamp: i64,
    append_time_ms: Option<i64>,
    count: u32,
}

/// One record, borrowed from its [`Records`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset in the partition.
    pub offset: i64,
    /// Its timestamp (the append time in a batch of log append time).
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers, not looked at yet.
    pub headers: Headers<'a>,
}

/// The headers of a record; read by iterating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headers<'a> {
    count: u32,
    bytes: &'a [u8],
}

/// One header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// UTF-8 by the protocol's rule, unchecked here.
    pub key: &'a [u8],
    /// May be null.
    pub value: Option<&'a [u8]>,
}

/// What a marker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlKind {
    /// The transaction of this producer ended with an abort.
    Abort,
    /// The transaction of this producer ended with a commit.
    Commit,
}

/// Iterates over [`Records`]; fallible, ends after an error.
#[derive(Debug, Clone)]
pub struct RecordCursor<'a> {
    records: &'a Records,
    rest: &'a [u8],
    index: u32,
}

impl Records {
    pub(crate) fn open(
        header: &BatchHeader,
        block: Bytes,
        limits: RecordLimits,
    ) -> Result<Self, BatchError> {
        let _ = (header, block, limits);
        todo!()
    }

    /// How many records the batch says it has.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// A cursor from the first record.
    pub fn iter(&self) -> RecordCursor<'_> {
        RecordCursor { records: self, rest: &self.bytes, index: 0 }
    }

    /// All record bytes, decompressed.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = Result<Record<'a>, BatchError>;
    type IntoIter = RecordCursor<'a>;

    fn into_iter(self) -> RecordCursor<'a> {
        self.iter()
    }
}

impl<'a> Iterator for RecordCursor<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Result<Header<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}
