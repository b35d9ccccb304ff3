//! What a source hands to the engine: undecoded payloads, and the decoder that turns one into batches.
//! Invariant: a reader moves bytes (async, in connectors), a decoder spends CPU (sync, on the worker that owns the
//! payload). So one file or partition feeds every worker, and a filter or projection reaches the decoder. Where the
//! bytes can be had without waiting for anybody (a plain file), even they are left to the worker: [`Unread`].

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Batch, Result};

/// What one fetch of a reader brings. Aim for 64 KiB to 1 MiB, or 1 to 8192 generated rows.
#[derive(Debug, Clone)]
pub enum Payload {
    /// Whole lines (or the whole rest) of a file.
    Lines(Lines),
    /// A piece of a file that the decoder reads itself. `mainstem_connectors::format` makes [`Payload::Lines`] of it,
    /// so that no decoder of a format ever sees one.
    Unread(Unread),
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
    /// The line on which it starts.
    pub line: LineNumber,
}

/// A piece of a text file that starts at the start of a line and ends at the end of one.
#[derive(Debug, Clone)]
pub struct Lines {
    /// The bytes; the last line may lack its line feed at the end of the file.
    pub data: Bytes,
    /// The file, as it is named in errors.
    pub path: Arc<str>,
    /// The number of the first line.
    pub first_line: LineNumber,
}

/// The lines that start in a range of a file.
///
/// A line starts at byte 0 and after each line feed, so ranges that meet share every line between them without a look
/// into the file, and a range may be cut anywhere.
#[derive(Debug, Clone)]
pub struct Unread {
    /// The file.
    pub file: Arc<dyn RandomAccess>,
    /// In bytes. The last line may end behind it.
    pub range: Range<u64>,
}

impl Unread {
    /// How long the range is.
    pub fn size_bytes(&self) -> usize {
        usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX)
    }

    /// Keeps the first `size` bytes and gives what follows them.
    pub fn split_off(&mut self, size: usize) -> Self {
        let middle = self.range.end.min(self.range.start + size as u64);
        let rest = middle..self.range.end;
        self.range.end = middle;
        Self { file: Arc::clone(&self.file), range: rest }
    }
}

/// A file that several threads read at places of their own. Blocking: who calls it is a worker or may block.
pub trait RandomAccess: std::fmt::Debug + Send + Sync {
    /// As it is named in errors.
    fn path(&self) -> &Arc<str>;

    /// Reads from byte `offset` on; gives how many bytes, which are fewer than the buffer takes only at the end of the
    /// file. A file that ends before the size it had when it was opened is an error.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize>;

    /// The 1-based number of the line on which byte `offset` is. May read all before it.
    fn line_at(&self, offset: u64) -> Result<u64>;
}

/// The 1-based number of a line. Only errors and dead letters name lines, so nobody counts them before that.
#[derive(Debug, Clone)]
pub enum LineNumber {
    /// Nobody can tell.
    Unknown,
    /// It was counted on the way.
    Known(u64),
    /// That of the line at a byte of a file; it is counted when it is asked for.
    At(Arc<dyn RandomAccess>, u64),
}

impl LineNumber {
    /// The number, if it can be had.
    pub fn get(&self) -> Option<u64> {
        match self {
            Self::Unknown => None,
            Self::Known(line) => Some(*line),
            Self::At(file, offset) => file.line_at(*offset).ok(),
        }
    }
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
            Payload::Unread(unread) => unread.size_bytes() / 128 + 1,
            Payload::Messages(messages) => messages.len(),
            Payload::Rows(range) => range.count as usize,
            Payload::Batch(batch) => batch.rows(),
            Payload::Oversized(_) => 1,
        }
    }

    /// How large it is: bytes to decode, and, unless it is [`Payload::Unread`], bytes held while it waits in a queue.
    pub fn size_bytes(&self) -> usize {
        match self {
            Payload::Lines(lines) => lines.data.len(),
            Payload::Unread(unread) => unread.size_bytes(),
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
