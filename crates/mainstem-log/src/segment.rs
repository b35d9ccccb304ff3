//! One `.log` file: record batches one after another, and the walk over their headers.
//! Invariant: `size_bytes` ends a batch; what the file has beyond it was never acknowledged. A closed segment's file ends where its
//! last batch does. Handles are opened when used and dropped when idle, but never while there is something unsynced behind them.
//! Does not know offsets of other segments, nor producers.

use crate::error::{DiskContext, LogError};
use crate::framed;
use crate::index::Index;
use crate::record_batch::{BatchError, BatchHeader, HEADER_BYTES, check_crc};
use mainstem_core::disk::{Disk, DiskFile};
use std::io::{self, IoSlice};
use std::sync::Arc;

/// The file of a segment.
pub(crate) fn log_path(folder: &str, base_offset: i64) -> String {
    format!("{folder}/{base_offset:020}.log")
}

/// The file of its index.
pub(crate) fn index_path(folder: &str, base_offset: i64) -> String {
    format!("{folder}/{base_offset:020}.index")
}

/// One segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: i64,
    pub(crate) size_bytes: u64,
    /// Durable up to here.
    pub(crate) synced_bytes: u64,
    /// Whether the file's name is durable.
    pub(crate) name_synced: bool,
    /// The greatest timestamp of a closed segment, once its index was loaded.
    pub(crate) newest_ms: Option<i64>,
    /// Where the oldest transaction began that was open when the segment began (`i64::MAX`: none was), once it is known.
    pub(crate) first_open: Option<i64>,
    file: Option<Arc<dyn DiskFile>>,
    /// Loaded when needed; always there for the active segment.
    index: Option<Index>,
    /// Used since the last round of upkeep.
    used: bool,
}

impl Segment {
    /// A new, empty segment. A file that a crash left under this name is emptied.
    pub(crate) fn create(
        disk: &dyn Disk,
        folder: &str,
        base_offset: i64,
    ) -> Result<Self, LogError> {
        let path = log_path(folder, base_offset);
        let file = disk.open(&path, true).doing("creating", &path)?;
        if file.size_bytes().doing("measuring", &path)? != 0 {
            file.set_size(0).doing("emptying", &path)?;
        }
        Ok(Self {
            base_offset,
            size_bytes: 0,
            synced_bytes: 0,
            name_synced: false,
            newest_ms: None,
            first_open: None,
            file: Some(file),
            index: Some(Index::new(base_offset)),
            used: true,
        })
    }

    /// A segment found on the disk.
    pub(crate) fn found(disk: &dyn Disk, folder: &str, base_offset: i64) -> Result<Self, LogError> {
        let path = log_path(folder, base_offset);
        let file = disk.open(&path, false).doing("opening", &path)?;
        let size_bytes = file.size_bytes().doing("measuring", &path)?;
        Ok(Self {
            base_offset,
            size_bytes,
            synced_bytes: size_bytes,
            name_synced: true,
            newest_ms: None,
            first_open: None,
            file: None,
            index: None,
            used: false,
        })
    }

    /// A segment that a compaction made; durable.
    pub(crate) fn compacted(index: Index) -> Self {
        Self {
            base_offset: index.base_offset,
            size_bytes: index.size_bytes,
            synced_bytes: index.size_bytes,
            name_synced: true,
            newest_ms: Some(index.max_timestamp),
            first_open: None,
            file: None,
            index: Some(index),
            used: false,
        }
    }

    /// The file, opened if it was not.
    pub(crate) fn file(
        &mut self,
        disk: &dyn Disk,
        folder: &str,
    ) -> Result<&Arc<dyn DiskFile>, LogError> {
        self.used = true;
        if self.file.is_none() {
            let path = log_path(folder, self.base_offset);
            self.file = Some(disk.open(&path, false).doing("opening", &path)?);
        }
        Ok(self.file.as_ref().expect("it was opened above"))
    }

    /// Has the file end where the last batch does; not durable yet. Also where it seems to: a process that was killed may have
    /// cut off what a loss of power would bring back.
    pub(crate) fn trim(&mut self, disk: &dyn Disk, folder: &str) -> Result<(), LogError> {
        let (path, size_bytes) = (log_path(folder, self.base_offset), self.size_bytes);
        self.file(disk, folder)?.set_size(size_bytes).doing("trimming", &path)
    }

    /// The index, if it is loaded.
    pub(crate) fn loaded_index(&self) -> Option<&Index> {
        self.index.as_ref()
    }

    /// The greatest timestamp, if it is known without the disk.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.index.as_ref().map(|index| index.max_timestamp).or(self.newest_ms)
    }

    pub(crate) fn loaded_index_mut(&mut self) -> Option<&mut Index> {
        self.used = true;
        self.index.as_mut()
    }

    pub(crate) fn set_index(&mut self, index: Index) {
        self.used = true;
        self.index = Some(index);
    }

    /// The stored index, if it is good and about this very file.
    pub(crate) fn stored_index(
        &self,
        disk: &dyn Disk,
        folder: &str,
    ) -> Result<Option<Index>, LogError> {
        let bytes = framed::read_file(disk, &index_path(folder, self.base_offset))?;
        Ok(bytes.and_then(|bytes| Index::decode(self.base_offset, &bytes)))
    }

    /// Drops the handle, and the index of a closed segment, if nobody used them since the last call. Returns whether anything
    /// is still held.
    pub(crate) fn let_go(&mut self, active: bool) -> bool {
        if !std::mem::take(&mut self.used) && self.synced_bytes == self.size_bytes {
            self.file = None;
            if !active {
                self.drop_index();
            }
        }
        self.file.is_some()
    }

    /// Drops the index of a closed segment from memory.
    pub(crate) fn drop_index(&mut self) {
        if let Some(index) = self.index.take() {
            self.newest_ms = Some(index.max_timestamp);
        }
    }

    /// Writes one batch, of two parts, at the end.
    /// After an error the file ends with the last batch, durably: what was written of this one would else come back with a
    /// loss of power, when other segments follow. If that failed, too, `Err(Some(..))` says so.
    pub(crate) fn write(
        &mut self,
        disk: &dyn Disk,
        folder: &str,
        batch: [&[u8]; 2],
    ) -> Result<(), (LogError, Option<io::Error>)> {
        let position = self.size_bytes;
        let path = || log_path(folder, self.base_offset);
        let path_of_error = path();
        let file = self.file(disk, folder).map_err(|e| (e, None))?;
        let mut parts = batch.map(IoSlice::new);
        match file.write_all_vectored_at(position, &mut parts) {
            Ok(()) => {
                self.size_bytes += batch.iter().map(|part| part.len() as u64).sum::<u64>();
                Ok(())
            }
            Err(source) => {
                let undone = cut_off(&**file, position);
                let e = LogError::Disk { doing: "appending to", path: path_of_error, source };
                Err((e, undone.err()))
            }
        }
    }
}

/// Durably removes what a file has beyond a position.
fn cut_off(file: &dyn DiskFile, position: u64) -> io::Result<()> {
    if file.size_bytes()? == position {
        return Ok(());
    }
    file.set_size(position)?;
    file.sync()
}

/// Why a walk stopped early.
#[derive(Debug)]
pub(crate) enum WalkError {
    Disk(io::Error),
    Batch(BatchError),
}

impl From<io::Error> for WalkError {
    fn from(e: io::Error) -> Self {
        Self::Disk(e)
    }
}

impl From<BatchError> for WalkError {
    fn from(e: BatchError) -> Self {
        Self::Batch(e)
    }
}

/// Walks over the headers of the batches of a file. Reads little where batches are large, and much where they are small.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    file: &'a dyn DiskFile,
    position: u64,
    end: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
    ahead_bytes: usize,
}

const AHEAD_BYTES_MIN: usize = 4 << 10;
const AHEAD_BYTES_MAX: usize = 256 << 10;

impl<'a> Walk<'a> {
    /// From `position`, where a batch starts, up to `end`.
    pub(crate) fn new(file: &'a dyn DiskFile, position: u64, end: u64) -> Self {
        let ahead_bytes = AHEAD_BYTES_MIN;
        Self { file, position, end, buffer: Vec::new(), buffer_at: position, ahead_bytes }
    }

    /// The next batch and where it starts; `None` at the end. After an error `position` stays where the bad batch starts.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, BatchHeader)>, WalkError> {
        let header = self.peek()?;
        Ok(header.map(|header| {
            let position = self.position;
            self.position += header.size_bytes as u64;
            (position, header)
        }))
    }

    /// As `next`, with the whole batch read and its CRC checked.
    pub(crate) fn next_checked(&mut self) -> Result<Option<(u64, BatchHeader, &[u8])>, WalkError> {
        let Some(header) = self.peek()? else { return Ok(None) };
        let position = self.position;
        let from = self.fill(header.size_bytes)?;
        let size_bytes = header.size_bytes;
        check_crc(&header, &self.buffer[from..from + size_bytes])?;
        self.position += size_bytes as u64;
        Ok(Some((position, header, &self.buffer[from..from + size_bytes])))
    }

    fn peek(&mut self) -> Result<Option<BatchHeader>, WalkError> {
        let left = self.end - self.position;
        if left == 0 {
            return Ok(None);
        }
        let from = self.fill(HEADER_BYTES.min(left as usize))?;
        let header = BatchHeader::parse(&self.buffer[from..])?;
        if header.size_bytes as u64 > left {
            let (have, need) = (left as usize, header.size_bytes);
            return Err(BatchError::Truncated { have, need }.into());
        }
        Ok(Some(header))
    }

    /// Has `count` bytes from `position` in the buffer; returns where in it.
    fn fill(&mut self, count: usize) -> io::Result<usize> {
        let buffered = self.buffer_at + self.buffer.len() as u64;
        if self.position >= self.buffer_at && self.position + count as u64 <= buffered {
            return Ok((self.position - self.buffer_at) as usize);
        }
        let touching = self.position <= buffered && self.position > self.buffer_at;
        self.ahead_bytes =
            if touching { (self.ahead_bytes * 2).min(AHEAD_BYTES_MAX) } else { AHEAD_BYTES_MIN };
        let left = (self.end - self.position) as usize;
        self.buffer.clear();
        self.buffer.resize(left.min(self.ahead_bytes.max(count)), 0);
        self.buffer_at = self.position;
        if let Err(e) = self.file.read_exact_at(self.position, &mut self.buffer) {
            self.buffer.clear();
            return Err(e);
        }
        Ok(0)
    }
}
