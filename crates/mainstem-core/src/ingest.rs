//! What a source hands to the engine: undecoded payloads, and the decoder that turns one into batches.
//! Invariant: a reader moves bytes (async, in connectors), a decoder spends CPU (sync, on the worker that owns the
//! payload). So one file or partition feeds every worker, and a filter or projection reaches the decoder.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Batch, Result};

/// What one fetch of a reader brings. Aim for 64 KiB to 1 MiB, or 1 to 8192 generated rows.
#[derive(Debug, Clone)]
pub enum Payload {
    /// Whole lines (or the whole rest) of a file.
    Lines(Lines),
    /// Records of a log, with keys, headers and places.
    Messages(Messages),
    /// Numbers of rows that the decoder generates itself.
    Rows(RowRange),
    /// Rows that are columns already, all columns of the request, in its order.
    Batch(Batch),
    /// A record that is longer than the table allows. `mainstem_connectors::format` applies the table's policy for
    /// bad records to it, so that no decoder of a format ever sees one.
    Oversized(Oversized),
}

/// What is left of a record that was too long to be held in memory.
#[derive(Debug, Clone)]
pub struct Oversized {
    /// Its first bytes, at most 64 KiB.
    pub head: Bytes,
    /// How long it was, in bytes.
    pub size_bytes: u64,
    /// The limit it passed, in bytes.
    pub limit_bytes: u64,
    /// The file, as it is named in errors.
    pub path: Arc<str>,
    /// The 1-based number of the line on which it starts; 0 if it is not known.
    pub line: u64,
}

/// A piece of a text file that starts at the start of a line and ends at the end of one.
#[derive(Debug, Clone)]
pub struct Lines {
    /// The bytes; the last line may lack its line feed at the end of the file.
    pub data: Bytes,
    /// The file, as it is named in errors.
    pub path: Arc<str>,
    /// The 1-based number of the first line; 0 if it is not known.
    pub first_line: u64,
}

/// Generated rows `first .. first + count`, that become visible at `at_ms`.
#[derive(Debug, Clone, Copy)]
pub struct RowRange {
    /// The number of the first row, 0-based over the whole table.
    pub first: u64,
    /// How many rows.
    pub count: u32,
    /// Wall-clock time when the range was handed out, in ms.
    pub at_ms: i64,
}

/// Records of one log partition (or, for a sink, of one topic), laid out in columns over one buffer.
#[derive(Debug, Clone, Default)]
pub struct Messages {
    /// Holds every key, value and header.
    pub data: Bytes,
    /// Where each record's key is; `None` for a null key.
    pub keys: Vec<Option<Range<u32>>>,
    /// Where each record's value is; `None` for a tombstone.
    pub values: Vec<Option<Range<u32>>>,
    /// Each record's timestamp in ms; empty if the receiver does not need it.
    pub timestamps_ms: Vec<i64>,
    /// Each record's offset (source only).
    pub offsets: Vec<i64>,
    /// Each record's headers; empty if nobody asked for them.
    pub headers: Vec<Vec<Header>>,
    /// The topic they come from; empty for a sink with one topic.
    pub topic: Arc<str>,
    /// The partition they come from; for a sink -1.
    pub partition: i32,
    /// Flink's `timestamp-type`: NoTimestampType, CreateTime or LogAppendTime.
    pub timestamp_type: &'static str,
    /// For a sink with fixed partitions: the partition of each record; empty lets the client choose.
    pub partitions: Vec<i32>,
}

/// A record header: its name and, unless null, where its value is.
#[derive(Debug, Clone)]
pub struct Header {
    /// The header's key.
    pub name: Arc<str>,
    /// Where the value is in `Messages::data`.
    pub value: Option<Range<u32>>,
}

impl Messages {
    /// How many records.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True if there is no record.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The bytes at `range`.
    pub fn bytes(&self, range: &Range<u32>) -> &[u8] {
        &self.data[range.start as usize..range.end as usize]
    }

    /// The value of record `index`.
    pub fn value(&self, index: usize) -> Option<&[u8]> {
        self.values[index].as_ref().map(|r| self.bytes(r))
    }

    /// The key of record `index`.
    pub fn key(&self, index: usize) -> Option<&[u8]> {
        self.keys.get(index).and_then(|k| k.as_ref()).map(|r| self.bytes(r))
    }
}

impl Payload {
    /// A rough count of rows, for cutting steps; lines are guessed from their size.
    pub fn rows_estimate(&self) -> usize {
        match self {
            Payload::Lines(lines) => lines.data.len() / 128 + 1,
            Payload::Messages(messages) => messages.len(),
            Payload::Rows(range) => range.count as usize,
            Payload::Batch(batch) => batch.rows(),
            Payload::Oversized(_) => 1,
        }
    }

    /// Bytes held while it waits in a queue.
    pub fn size_bytes(&self) -> usize {
        match self {
            Payload::Lines(lines) => lines.data.len(),
            Payload::Messages(messages) => messages.data.len() + messages.len() * 64,
            Payload::Rows(range) => range.count as usize * 64,
            Payload::Batch(batch) => batch.size_bytes(),
            Payload::Oversized(record) => record.head.len(),
        }
    }
}

/// A record that could not be decoded, kept for the dead-letter target.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The record's bytes, cut at 64 KiB.
    pub record: Bytes,
    /// `topic rides, partition 0, offset 17` or `rides.json, line 3`.
    pub place: String,
    /// Why it was refused.
    pub reason: String,
}

/// What decoding brought.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Rows, in the order of the records.
    pub batches: Vec<Batch>,
    /// Records read, good or bad or filtered away.
    pub records: u64,
    /// Bad records that were left out under the policies `skip` and `dead-letter`.
    pub skipped: u64,
    /// The bad records themselves, under the policy `dead-letter`.
    pub dead_letters: Vec<DeadLetter>,
}

/// Turns payloads of one source into batches of the requested columns. One per worker; payloads come in any order.
pub trait Decode: Send {
    /// Decodes a payload and appends to `out`. `now_ms` is the step's processing time. Under the policy `fail` the
    /// first bad record is an error of kind `User` that names its place.
    fn decode(&mut self, payload: Payload, now_ms: i64, out: &mut Decoded) -> Result<()>;
}
