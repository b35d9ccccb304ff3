//! What the batches of a segment do to the producers, read again: after a crash, and when the index of a closed segment is bad.
//! Invariant: the same batches give the same state as when they were appended, but for the time of the last write, which is the
//! time of the replay (so that nobody expires because of a restart). Sequences are not checked: a compacted log has gaps.

use crate::error::{DiskContext, LogError};
use crate::framed;
use crate::index::{AbortedTransaction, Index};
use crate::log::snapshot_path;
use crate::producer_state::Producers;
use crate::record_batch::{BatchError, BatchHeader, RecordBatch, TimestampType};
use crate::records::{ControlKind, RecordLimits};
use crate::segment::{Segment, Walk, WalkError, log_path};
use mainstem_core::disk::{Disk, DiskFile};

/// The disk and the folder of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) folder: &'a str,
}

impl Site<'_> {
    /// The newest good snapshot at or before `offset_max`, and its offset; none is an empty state from the beginning on.
    pub(crate) fn newest_snapshot(
        &self,
        snapshots: &[i64],
        offset_max: i64,
    ) -> Result<(i64, Producers), LogError> {
        for offset in snapshots.iter().rev().filter(|offset| **offset <= offset_max) {
            let bytes = framed::read_file(self.disk, &snapshot_path(self.folder, *offset))?;
            if let Some(producers) = bytes.and_then(|bytes| Producers::decode(*offset, &bytes)) {
                return Ok((*offset, producers));
            }
        }
        Ok((i64::MIN, Producers::default()))
    }

    /// Replays the batches of a segment from offset `from` on; hands every abort to `aborted`. Returns what was damaged and
    /// passed over: a marker that cannot be read, and the rest of the segment if the next batch cannot be found.
    pub(crate) fn replay(
        &self,
        segment: &mut Segment,
        from: i64,
        producers: &mut Producers,
        now_ms: i64,
        mut aborted: impl FnMut(AbortedTransaction),
    ) -> Result<Vec<Damaged>, LogError> {
        let mut damaged = Vec::new();
        let start = segment.loaded_index().map_or(0, |index| index.position_for_offset(from));
        let (base_offset, end) = (segment.base_offset, segment.size_bytes);
        let file = segment.file(self.disk, self.folder)?;
        let mut walk = Walk::new(&**file, start, end);
        loop {
            let (position, header) = match walk.next() {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(WalkError::Batch(why)) => {
                    damaged.push(Damaged::new(base_offset, why, producers));
                    break;
                }
                Err(e @ WalkError::Disk(_)) => return Err(self.walk_error(base_offset, e)),
            };
            if header.producer_id < 0 || header.base_offset < from {
                continue;
            }
            if !header.is_control() {
                let append_time = header.timestamp_type() == TimestampType::LogAppend;
                let append_time_ms = if append_time { header.max_timestamp } else { -1 };
                producers.add_batch(&header, header.base_offset, append_time_ms, now_ms);
                continue;
            }
            let control = match read_control(&**file, position, &header) {
                Ok(control) => control,
                Err(WalkError::Batch(why)) => {
                    damaged.push(Damaged::new(header.base_offset, why, producers));
                    continue;
                }
                Err(e @ WalkError::Disk(_)) => return Err(self.walk_error(base_offset, e)),
            };
            if let Some((kind, coordinator_epoch)) = control {
                let ended = producers.add_marker(
                    kind,
                    header.producer_id,
                    header.producer_epoch,
                    coordinator_epoch,
                    header.base_offset,
                    now_ms,
                );
                ended.into_iter().for_each(&mut aborted);
            }
        }
        Ok(damaged)
    }

    /// The index of a closed segment that ends at offset `end_offset`, read off its headers. Behind damage there are no entries;
    /// false if there was some.
    pub(crate) fn rebuild_entries(
        &self,
        segment: &mut Segment,
        end_offset: i64,
        interval_bytes: u32,
    ) -> Result<(Index, bool), LogError> {
        let (base_offset, size_bytes) = (segment.base_offset, segment.size_bytes);
        let file = segment.file(self.disk, self.folder)?;
        let mut index = Index::new(base_offset);
        let mut walk = Walk::new(&**file, 0, size_bytes);
        loop {
            match walk.next() {
                Ok(None) => return Ok((index, true)),
                Ok(Some((_, header)))
                    if header.base_offset >= index.next_offset
                        && header.last_offset() < end_offset =>
                {
                    note_batch(&mut index, &header, interval_bytes);
                }
                Ok(Some(_)) | Err(WalkError::Batch(_)) => break,
                Err(e @ WalkError::Disk(_)) => return Err(self.walk_error(base_offset, e)),
            }
        }
        // Whoever looks for something behind it meets the damage, and is not led past it.
        index.size_bytes = size_bytes;
        index.next_offset = end_offset;
        Ok((index, false))
    }

    /// For those to whom a batch that was passed over is an error.
    pub(crate) fn refuse(&self, damaged: Vec<Damaged>) -> Result<(), LogError> {
        match damaged.into_iter().next() {
            Some(Damaged { offset, why, .. }) => Err(self.walk_error(offset, why.into())),
            None => Ok(()),
        }
    }

    pub(crate) fn walk_error(&self, offset: i64, e: WalkError) -> LogError {
        match e {
            WalkError::Disk(source) => {
                LogError::Disk { doing: "reading", path: log_path(self.folder, offset), source }
            }
            WalkError::Batch(source) => {
                LogError::Corrupt { folder: self.folder.to_owned(), offset, source }
            }
        }
    }

    /// Removes a file of this log by name.
    pub(crate) fn remove(&self, name: &str) -> Result<(), LogError> {
        framed::remove_file(self.disk, &format!("{}/{name}", self.folder))
    }

    pub(crate) fn sync_folder(&self) -> Result<(), LogError> {
        self.disk.sync_folder(self.folder).doing("syncing", self.folder)
    }
}

/// A batch that could not be replayed.
#[derive(Debug)]
#[must_use = "what was passed over is an error, or has to be said"]
pub(crate) struct Damaged {
    /// Where it is; of one that cannot be found, where its segment begins.
    pub(crate) offset: i64,
    pub(crate) why: BatchError,
    /// A transaction was open there: nobody knows how it ended. Those that begin behind it are known by what is left of them.
    pub(crate) in_transaction: bool,
}

impl Damaged {
    fn new(offset: i64, why: BatchError, producers: &Producers) -> Self {
        Self { offset, why, in_transaction: producers.first_open() != i64::MAX }
    }
}

/// The kind of a marker, and the epoch of its coordinator; nothing if a compaction has emptied it.
fn read_control(
    file: &dyn DiskFile,
    position: u64,
    header: &BatchHeader,
) -> Result<Option<(ControlKind, i32)>, WalkError> {
    let batch = read_batch(file, position, header)?;
    Ok(batch.records(RecordLimits::default())?.control()?)
}

/// Adds a batch that was read to an index.
pub(crate) fn note_batch(index: &mut Index, header: &BatchHeader, interval_bytes: u32) {
    let last_offset = header.last_offset();
    let max_timestamp = header.max_timestamp;
    index.add_batch(
        header.base_offset,
        last_offset,
        header.size_bytes,
        max_timestamp,
        interval_bytes,
    );
}

/// The whole batch at a position.
pub(crate) fn read_batch(
    file: &dyn DiskFile,
    position: u64,
    header: &BatchHeader,
) -> Result<RecordBatch, WalkError> {
    let mut bytes = vec![0; header.size_bytes];
    file.read_exact_at(position, &mut bytes)?;
    Ok(RecordBatch::parse(bytes.into())?)
}
