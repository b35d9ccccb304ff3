//! A partition's log: state, appending and rolling. Reading, syncing, recovery, upkeep and compaction are in files of their own.
//! Invariant: `log_start_offset <= last_stable_offset <= high_watermark <= log_end_offset`, and none of them but the last stable
//! offset's place among open transactions ever goes back. Segments are in order, the last one is the active one; nothing is
//! written to another. One owner calls under one lock; calls are short: work that waits for the disk is handed out as a
//! [`SyncTicket`](crate::SyncTicket) or a [`CompactionJob`](crate::CompactionJob).
//! Not checked here: whether a producer may write, and whether a partition belongs to its transaction.

use crate::batch_builder::control_batch;
use crate::checkpoint::Checkpoint;
use crate::cut_note::CutNote;
use crate::error::{AppendError, DiskContext, LogError};
use crate::framed;
use crate::index::AbortedTransaction;
use crate::producer_state::{ProducerState, Producers};
use crate::record_batch::{
    BatchHeader, Head, RecordBatch, TimestampType, patch_append_time, patch_create_time,
    patch_offset,
};
use crate::records::{ControlKind, RecordLimits};
use crate::segment::{Segment, index_path, log_path};
use crate::settings::{Durability, LogSettings};
use crate::sync::Walled;
use mainstem_core::disk::Disk;
use std::collections::VecDeque;
use std::sync::Arc;

/// Positions within a segment are 32 bits wide and offsets are 31 bits apart, as in Kafka.
const SEGMENT_BYTES_MAX: u64 = i32::MAX as u64;
/// There is one leader, and it never changes.
const LEADER_EPOCH: i32 = 0;
/// Batches at the end of the log whose places are known without the disk.
const RECENT_BATCHES_MAX: usize = 64;

/// One partition on disk. Every call is short; long work is handed out as tickets and jobs that run outside of locks.
#[derive(Debug)]
pub struct Log {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folder: String,
    pub(crate) settings: LogSettings,
    /// By base offset; the last is the active one. Empty before the first append.
    pub(crate) segments: VecDeque<Segment>,
    pub(crate) producers: Producers,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) log_end_offset: i64,
    pub(crate) high_watermark: i64,
    pub(crate) high_watermark_place: Place,
    /// Where another limit of readers (a last stable offset) was found.
    pub(crate) limit_place: Option<(i64, Place)>,
    /// Everything below is durable.
    pub(crate) recovery_point: i64,
    pub(crate) syncing: bool,
    /// [`SideFiles`](crate::SideFiles) are on their way to the disk.
    pub(crate) storing: bool,
    pub(crate) walled: Walled,
    /// Names in the folder, or the folder's own, changed since the last sync.
    pub(crate) names_unsynced: bool,
    pub(crate) folder_unsynced: bool,
    /// Bytes appended since an index and a snapshot were last stored.
    pub(crate) bytes_since_checkpoint: u64,
    pub(crate) poisoned: Option<String>,
    /// Offsets of stored producer snapshots, ascending.
    pub(crate) snapshots: Vec<i64>,
    /// The producers as they were at this offset are durable: what they were before can be read nowhere else once the segments
    /// below are gone.
    pub(crate) durable_snapshot: i64,
    /// Offset and position of the newest batches of the active segment.
    pub(crate) recent: VecDeque<(i64, u64)>,
    /// When the active segment got its first batch.
    pub(crate) active_since_ms: i64,
    pub(crate) opened_ms: i64,
    pub(crate) compacting: bool,
    /// Files of deleted segments, and when to unlink them.
    pub(crate) unlinks: VecDeque<(i64, i64)>,
    /// There is a note of a cut that nobody was told of.
    pub(crate) cut_noted: bool,
}

/// A position in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) segment: i64,
    pub(crate) position: u64,
}

/// Where a batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// The time that became the records' timestamp; -1 if they keep the producer's.
    pub log_append_time_ms: i64,
    /// First offset of the log.
    pub log_start_offset: i64,
    /// Whether the batch had been appended before, and nothing was written now. Its end may still wait for a sync.
    pub duplicate: bool,
}

impl Log {
    /// Appends a producer's batch: checks it against the topic's rules and its producer's sequence, gives it offsets, writes
    /// it. A repeated batch of an idempotent producer is answered with its first offsets. After an error nothing was appended.
    pub fn append(&mut self, batch: &RecordBatch, now_ms: i64) -> Result<Appended, AppendError> {
        self.check_writable()?;
        let header = batch.header();
        self.check_batch(batch, now_ms)?;
        if header.producer_id >= 0
            && let Some(earlier) = self.producers.check(header)?
        {
            return Ok(Appended {
                base_offset: earlier.base_offset,
                last_offset: earlier.last_offset(),
                log_append_time_ms: earlier.timestamp_ms,
                log_start_offset: self.log_start_offset(),
                duplicate: true,
            });
        }
        let appended = self.write(batch, now_ms)?;
        if header.producer_id >= 0 {
            self.producers.add_batch(
                header,
                appended.base_offset,
                appended.log_append_time_ms,
                now_ms,
            );
        }
        self.appended();
        Ok(appended)
    }

    /// Appends the marker that ends a transaction; `None` if this producer has none open here. An older epoch is refused, a
    /// newer one fences the older.
    pub fn append_marker(
        &mut self,
        commit: bool,
        producer_id: i64,
        producer_epoch: i16,
        coordinator_epoch: i32,
        now_ms: i64,
    ) -> Result<Option<Appended>, AppendError> {
        self.check_writable()?;
        if self.producers.open_from(producer_id).is_none() {
            return Ok(None);
        }
        self.producers.check_epoch(producer_id, producer_epoch)?;
        let marker = control_batch(commit, producer_id, producer_epoch, coordinator_epoch, now_ms);
        let appended = self.write(&marker, now_ms)?;
        let kind = if commit { ControlKind::Commit } else { ControlKind::Abort };
        let aborted = self.producers.add_marker(
            kind,
            producer_id,
            producer_epoch,
            coordinator_epoch,
            appended.base_offset,
            now_ms,
        );
        self.add_aborted(aborted);
        self.appended();
        Ok(Some(appended))
    }

    pub(crate) fn add_aborted(&mut self, aborted: Option<AbortedTransaction>) {
        if let Some(aborted) = aborted {
            let active = self.segments.back_mut().and_then(Segment::loaded_index_mut);
            active.expect("the marker went to the active segment").aborted.push(aborted);
        }
    }

    pub(crate) fn check_writable(&self) -> Result<(), LogError> {
        match &self.poisoned {
            None => Ok(()),
            Some(reason) => Err(LogError::Poisoned(reason.clone())),
        }
    }

    /// Refuses every write from now on. What is readable stays readable.
    pub(crate) fn poison(&mut self, reason: String) {
        self.poisoned.get_or_insert(reason);
    }

    /// The rules for a batch that comes from a producer.
    fn check_batch(&self, batch: &RecordBatch, now_ms: i64) -> Result<(), AppendError> {
        let header = batch.header();
        let invalid = |message: &str| {
            Err(AppendError::InvalidRecord {
                message: message.to_owned(),
                record_indexes: Vec::new(),
            })
        };
        if header.size_bytes > self.settings.message_bytes_max as usize {
            return Err(AppendError::MessageTooLarge {
                size_bytes: header.size_bytes,
                bytes_max: self.settings.message_bytes_max,
            });
        }
        if header.is_control() {
            return invalid("a producer may not write control batches");
        }
        if header.record_count == 0 || header.last_offset_delta != header.record_count - 1 {
            return invalid("the records of a batch must be dense, and at least one");
        }
        if header.delete_horizon_ms().is_some() {
            return invalid("a producer may not set a delete horizon");
        }
        if header.producer_id >= 0 && (header.base_sequence < 0 || header.producer_epoch < 0) {
            return invalid("a batch with a producer id must have an epoch and a sequence");
        }
        if header.is_transactional() && header.producer_id < 0 {
            return invalid("a transactional batch must have a producer id");
        }
        self.check_timestamps(header, now_ms)?;
        if self.settings.cleanup.compacts() {
            check_keys(batch, self.settings.message_bytes_max)?;
        }
        Ok(())
    }

    /// The header has the first record's timestamp and the greatest; no record is looked at.
    fn check_timestamps(&self, header: &BatchHeader, now_ms: i64) -> Result<(), AppendError> {
        if self.settings.timestamp_type == TimestampType::LogAppend {
            return Ok(());
        }
        let after = header.max_timestamp.saturating_sub(now_ms);
        if after > self.settings.timestamp_after_max_ms {
            return Err(AppendError::InvalidTimestamp {
                timestamp_ms: header.max_timestamp,
                now_ms,
            });
        }
        let before = now_ms.saturating_sub(header.base_timestamp);
        if header.base_timestamp >= 0 && before > self.settings.timestamp_before_max_ms {
            return Err(AppendError::InvalidTimestamp {
                timestamp_ms: header.base_timestamp,
                now_ms,
            });
        }
        Ok(())
    }

    /// Gives the batch the next offsets and writes it to the active segment.
    fn write(&mut self, batch: &RecordBatch, now_ms: i64) -> Result<Appended, LogError> {
        let header = batch.header();
        let base_offset = self.log_end_offset;
        let last_offset = base_offset + i64::from(header.last_offset_delta);
        self.make_room(header.size_bytes as u64, last_offset, now_ms)?;

        let (head, records) = batch.bytes().split_first_chunk().expect("a batch has a header");
        let mut head: Head = *head;
        patch_offset(&mut head, base_offset, LEADER_EPOCH);
        let append_time = self.settings.timestamp_type == TimestampType::LogAppend;
        if append_time && !header.is_control() {
            patch_append_time(&mut head, records, now_ms);
        } else if !append_time && header.timestamp_type() == TimestampType::LogAppend {
            patch_create_time(&mut head, records);
        }
        let position = self.write_parts(&head, records)?;

        let log_append_time_ms = if append_time { now_ms } else { -1 };
        let max_timestamp = if append_time { now_ms } else { header.max_timestamp };
        let interval_bytes = self.settings.index_interval_bytes;
        let active = self.segments.back_mut().expect("make_room made a segment");
        let index = active.loaded_index_mut().expect("the active segment has its index");
        index.add_batch(base_offset, last_offset, header.size_bytes, max_timestamp, interval_bytes);
        if self.recent.len() == RECENT_BATCHES_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back((base_offset, position));
        self.log_end_offset = last_offset + 1;
        self.bytes_since_checkpoint += header.size_bytes as u64;
        Ok(Appended {
            base_offset,
            last_offset,
            log_append_time_ms,
            log_start_offset: self.log_start_offset(),
            duplicate: false,
        })
    }

    /// Writes at the end of the active segment; returns where.
    fn write_parts(&mut self, head: &Head, records: &[u8]) -> Result<u64, LogError> {
        let active = self.segments.back_mut().expect("make_room made a segment");
        let position = active.size_bytes;
        active.write(&*self.disk, &self.folder, [head, records]).map_err(|(e, not_undone)| {
            if let Some(cause) = not_undone {
                self.poison(format!("an append failed and could not be undone: {cause}"));
            }
            e
        })?;
        Ok(position)
    }

    /// After an append and its effect on the producers.
    fn appended(&mut self) {
        if self.settings.durability != Durability::Ack {
            self.high_watermark = self.log_end_offset;
            self.high_watermark_place = self.end_place();
            self.producers.forget_ended(self.high_watermark);
        }
    }

    /// Has an active segment that takes a batch of this size up to this offset.
    fn make_room(
        &mut self,
        batch_bytes: u64,
        last_offset: i64,
        now_ms: i64,
    ) -> Result<(), LogError> {
        let Some(active) = self.segments.back() else {
            return self.add_segment(now_ms);
        };
        if active.size_bytes == 0 {
            self.active_since_ms = now_ms;
            return Ok(());
        }
        let bytes_max = self.settings.segment_bytes_max.min(SEGMENT_BYTES_MAX);
        let full = active.size_bytes + batch_bytes > bytes_max
            || last_offset - active.base_offset > i64::from(i32::MAX);
        if full || self.active_is_old(now_ms) { self.roll(now_ms) } else { Ok(()) }
    }

    pub(crate) fn active_is_old(&self, now_ms: i64) -> bool {
        self.segments.back().is_some_and(|active| active.size_bytes > 0)
            && now_ms.saturating_sub(self.active_since_ms) >= self.segment_ms_max()
    }

    /// How long a segment takes appends: what is to be compacted in time must be closed in time.
    pub(crate) fn segment_ms_max(&self) -> i64 {
        let LogSettings { segment_ms_max, max_compaction_lag_ms, cleanup, .. } = &self.settings;
        if cleanup.compacts() {
            (*segment_ms_max).min(*max_compaction_lag_ms)
        } else {
            *segment_ms_max
        }
    }

    /// Closes the active segment and begins the next. After an error the old one is still the active one.
    pub(crate) fn roll(&mut self, now_ms: i64) -> Result<(), LogError> {
        self.end_active()?;
        self.store_active_index()?;
        self.store_snapshot()?;
        self.add_segment(now_ms)
    }

    /// Has the active segment end, durably, with its last batch: only the last segment's end is looked at after a crash.
    pub(crate) fn end_active(&mut self) -> Result<(), LogError> {
        let Some(active) = self.segments.back_mut() else { return Ok(()) };
        active.trim(&*self.disk, &self.folder)?;
        let synced = active.file(&*self.disk, &self.folder)?.sync();
        let path = log_path(&self.folder, active.base_offset);
        if let Err(e) = &synced {
            self.poison(format!("a sync failed: {e}"));
        }
        synced.doing("syncing", &path)
    }

    fn add_segment(&mut self, now_ms: i64) -> Result<(), LogError> {
        if self.segments.is_empty() {
            self.disk.create_folder(&self.folder).doing("creating", &self.folder)?;
            self.folder_unsynced = true;
        }
        let mut segment = Segment::create(&*self.disk, &self.folder, self.log_end_offset)?;
        segment.first_open = Some(self.producers.first_open());
        self.segments.push_back(segment);
        self.names_unsynced = true;
        self.active_since_ms = now_ms;
        self.recent.clear();
        Ok(())
    }

    /// Writes the index of the active segment as it is now. Not synced: it can be rebuilt.
    fn store_active_index(&mut self) -> Result<(), LogError> {
        let Some(active) = self.segments.back() else { return Ok(()) };
        let index = active.loaded_index().expect("the active segment has its index");
        let path = index_path(&self.folder, active.base_offset);
        let bytes = index.encode(self.recovery_point);
        framed::write_file(&*self.disk, &path, &bytes, false).doing("writing", &path)
    }

    /// Writes the producers as they are now. Not synced: they can be replayed.
    fn store_snapshot(&mut self) -> Result<(), LogError> {
        let offset = self.log_end_offset;
        let path = snapshot_path(&self.folder, offset);
        let bytes = self.producers.encode(offset);
        framed::write_file(&*self.disk, &path, &bytes, false).doing("writing", &path)?;
        self.note_snapshot(offset);
        Ok(())
    }

    pub(crate) fn note_snapshot(&mut self, offset: i64) {
        if let Err(at) = self.snapshots.binary_search(&offset) {
            self.snapshots.insert(at, offset);
        }
    }

    /// The end of the log.
    pub(crate) fn end_place(&self) -> Place {
        self.segments.back().map_or(Place::default(), |active| Place {
            segment: active.base_offset,
            position: active.size_bytes,
        })
    }

    /// Changes the settings. A stricter durability does not take the high watermark back.
    pub fn set_settings(&mut self, settings: LogSettings) {
        self.settings = settings;
        self.appended();
    }

    /// The settings.
    pub fn settings(&self) -> &LogSettings {
        &self.settings
    }

    /// Why the log takes no writes, if so.
    pub fn poisoned(&self) -> Option<&str> {
        self.poisoned.as_deref()
    }

    /// First offset.
    pub fn log_start_offset(&self) -> i64 {
        self.checkpoint.log_start_offset
    }

    /// The offset after the last readable record.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// The offset before which every transaction has ended, below the high watermark.
    pub fn last_stable_offset(&self) -> i64 {
        self.producers.last_stable_offset(self.high_watermark).max(self.log_start_offset())
    }

    /// The offset of the next record.
    pub fn log_end_offset(&self) -> i64 {
        self.log_end_offset
    }

    /// Bytes in segments.
    pub fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size_bytes).sum()
    }

    /// Every producer that is remembered.
    pub fn producers(&self) -> impl Iterator<Item = ProducerState> + '_ {
        self.producers.states()
    }

    /// Whether this producer has an open transaction here.
    pub fn has_open_transaction(&self, producer_id: i64) -> bool {
        self.producers.open_from(producer_id).is_some()
    }

    /// Whether the opening, or an earlier one, cut something off, and [`Self::cut_is_told`] was not called since.
    pub fn is_cut_untold(&self) -> bool {
        self.cut_noted
    }

    /// To be called once somebody knows what the opening said of a cut: else the next one says it again.
    pub fn cut_is_told(&mut self) -> Result<(), LogError> {
        if self.cut_noted {
            CutNote::remove(&*self.disk, &self.folder)?;
            self.cut_noted = false;
        }
        Ok(())
    }

    /// Where this producer's open transaction began here.
    pub fn open_transaction(&self, producer_id: i64) -> Option<i64> {
        self.producers.open_from(producer_id)
    }

    /// Removes the log from the disk.
    pub fn delete(self) -> Result<(), LogError> {
        self.disk.remove_folder(&self.folder).doing("removing", &self.folder)?;
        let parent = parent_of(&self.folder);
        self.disk.sync_folder(parent).doing("syncing", parent)
    }

    /// Removes the files of a segment.
    pub(crate) fn remove_segment_files(&self, base_offset: i64) -> Result<(), LogError> {
        framed::remove_file(&*self.disk, &log_path(&self.folder, base_offset))?;
        framed::remove_file(&*self.disk, &index_path(&self.folder, base_offset))
    }
}

/// The file of a producer snapshot.
pub(crate) fn snapshot_path(folder: &str, offset: i64) -> String {
    format!("{folder}/{offset:020}.snapshot")
}

/// The folder that a folder is in.
pub(crate) fn parent_of(folder: &str) -> &str {
    folder.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// A record without a key can never be compacted away, so a compacted topic takes none.
fn check_keys(batch: &RecordBatch, message_bytes_max: u32) -> Result<(), AppendError> {
    let bytes_max = (message_bytes_max as usize).saturating_mul(64).max(16 << 20);
    let records = batch
        .records(RecordLimits { decompressed_bytes_max: bytes_max })
        .map_err(AppendError::CorruptBatch)?;
    let mut record_indexes = Vec::new();
    for (index, record) in records.iter().enumerate() {
        if record.map_err(AppendError::CorruptBatch)?.key.is_none() {
            record_indexes.push(index as u32);
        }
    }
    if record_indexes.is_empty() {
        return Ok(());
    }
    let message = "a compacted topic takes no record without a key".to_owned();
    Err(AppendError::InvalidRecord { message, record_indexes })
}
