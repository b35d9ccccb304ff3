//! The records of one batch, read in place.
//!
//! ```text
//! length varint | attributes i8 | timestamp_delta varlong | offset_delta varint | key_length varint (-1: null) | key
//!   | value_length varint (-1: null) | value | header_count varint | (key_length varint | key | value_length varint | value)*
//! ```
//!
//! Varints are zigzag. Invariant: the cursor never reads outside of its record, allocates nothing, and ends after the first error.

use crate::compression::decompress;
use crate::record_batch::{BatchError, BatchHeader, RECORD_BYTES_MIN, TimestampType};
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
    last_offset_delta: i32,
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
        let bytes = decompress(header.compression, block, limits.decompressed_bytes_max)?;
        let count = header.record_count as usize;
        if count.saturating_mul(RECORD_BYTES_MIN) > bytes.len() {
            return Err(BatchError::BadCounts {
                record_count: header.record_count,
                last_offset_delta: header.last_offset_delta,
            });
        }
        Ok(Self {
            bytes,
            base_offset: header.base_offset,
            last_offset_delta: header.last_offset_delta,
            base_timestamp: header.base_timestamp,
            append_time_ms: (header.timestamp_type() == TimestampType::LogAppend)
                .then_some(header.max_timestamp),
            count: header.record_count as u32,
        })
    }

    /// How many records the batch says it has.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// A cursor from the first record.
    pub fn iter(&self) -> RecordCursor<'_> {
        RecordCursor { records: self, rest: &self.bytes, index: 0 }
    }

    /// All record bytes, decompressed; `Bytes::slice_ref` makes a key or value outlive this without a copy.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What a control batch says: the marker and the coordinator's epoch; `None` for kinds of control records that are no markers.
    pub fn control(&self) -> Result<Option<(ControlKind, i32)>, BatchError> {
        let malformed = |reason| BatchError::BadRecord { index: 0, reason };
        let record = self.iter().next().ok_or_else(|| malformed("a control batch is empty"))??;
        let key = record.key.and_then(|key| key.first_chunk::<4>());
        let key = key.ok_or_else(|| malformed("the key of a control record is cut"))?;
        let kind = match i16::from_be_bytes([key[2], key[3]]) {
            0 => ControlKind::Abort,
            1 => ControlKind::Commit,
            _ => return Ok(None),
        };
        let value = record.value.and_then(|value| value.first_chunk::<6>());
        let value = value.ok_or_else(|| malformed("the value of a marker is cut"))?;
        Ok(Some((kind, i32::from_be_bytes([value[2], value[3], value[4], value[5]]))))
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

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.records.count {
            if self.rest.is_empty() {
                return None;
            }
            self.rest = &[];
            let reason = "bytes follow the last record";
            return Some(Err(BatchError::BadRecord { index: self.index, reason }));
        }
        match self.record() {
            Ok(record) => {
                self.index += 1;
                Some(Ok(record))
            }
            Err(reason) => {
                let index = self.index;
                self.index = self.records.count;
                self.rest = &[];
                Some(Err(BatchError::BadRecord { index, reason }))
            }
        }
    }
}

impl<'a> RecordCursor<'a> {
    #[inline]
    fn record(&mut self) -> Result<Record<'a>, &'static str> {
        let length = varint(&mut self.rest).ok_or("its length is cut")?;
        let length = usize::try_from(length).map_err(|_| "its length is negative")?;
        let (mut body, rest) =
            self.rest.split_at_checked(length).ok_or("it is longer than its batch")?;
        let (_attributes, tail) = body.split_first().ok_or("it is empty")?;
        body = tail;
        let timestamp_delta = varint(&mut body).ok_or("its timestamp is cut")?;
        let offset_delta = varint(&mut body).ok_or("its offset is cut")?;
        if offset_delta < 0 || offset_delta > i64::from(self.records.last_offset_delta) {
            return Err("its offset is outside of its batch");
        }
        let key = nullable(&mut body).ok_or("its key is cut")?;
        let value = nullable(&mut body).ok_or("its value is cut")?;
        let count = varint(&mut body).ok_or("its header count is cut")?;
        // A header takes at least two bytes.
        let count = u32::try_from(count).map_err(|_| "its header count is out of range")?;
        if count as usize > body.len() / 2 || (count == 0 && !body.is_empty()) {
            return Err("its header count does not fit its length");
        }
        self.rest = rest;
        let records = self.records;
        Ok(Record {
            offset: records.base_offset.wrapping_add(offset_delta),
            timestamp_ms: records
                .append_time_ms
                .unwrap_or_else(|| records.base_timestamp.wrapping_add(timestamp_delta)),
            key,
            value,
            headers: Headers { count, bytes: body },
        })
    }
}

impl<'a> Headers<'a> {
    /// How many are left.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Their encoding, as it goes into another batch.
    pub(crate) fn encoded(&self) -> &'a [u8] {
        self.bytes
    }

    fn header(&mut self) -> Option<Header<'a>> {
        let key = nullable(&mut self.bytes)??;
        let value = nullable(&mut self.bytes)?;
        Some(Header { key, value })
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Result<Header<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.count == 0 {
            return None;
        }
        self.count -= 1;
        let header = self.header();
        if header.is_none() {
            self.count = 0;
        }
        Some(header.ok_or(BatchError::BadRecord { index: 0, reason: "a header is malformed" }))
    }
}

/// A zigzag varint of up to 64 bits.
#[inline]
fn varint(rest: &mut &[u8]) -> Option<i64> {
    let (&first, tail) = rest.split_first()?;
    if first < 0x80 {
        *rest = tail;
        return Some(unzigzag(u64::from(first)));
    }
    let (&second, tail) = tail.split_first()?;
    let low = u64::from(first & 0x7f) | (u64::from(second & 0x7f) << 7);
    if second < 0x80 {
        *rest = tail;
        return Some(unzigzag(low));
    }
    varint_tail(rest, tail, low)
}

/// From the third byte on.
fn varint_tail<'a>(rest: &mut &'a [u8], mut tail: &'a [u8], mut value: u64) -> Option<i64> {
    for shift in (14..64).step_by(7) {
        let (&byte, next) = tail.split_first()?;
        tail = next;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            *rest = tail;
            return Some(unzigzag(value));
        }
    }
    None
}

#[inline]
fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Bytes behind their length; -1 is null.
#[inline]
fn nullable<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = varint(rest)?;
    if length < 0 {
        return (length == -1).then_some(None);
    }
    let (bytes, tail) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = tail;
    Some(Some(bytes))
}
