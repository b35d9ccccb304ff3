//! One partition.
use crate::error::{AppendError, LogError, ReadError};
use crate::record_batch::RecordBatch;
use crate::settings::LogSettings;
use bytes::Bytes;
use mainstem_core::disk::{Disk, DiskFile};
use std::io;
use std::sync::Arc;

/// One partition on disk. Every call is short; long work is handed out as tickets and jobs that run outside of locks.
#[derive(Debug)]
pub struct Log {}

/// What opening found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes cut off the end, later segments included.
    pub truncated_bytes: u64,
    /// Bytes whose checksums were read.
    pub scanned_bytes: u64,
    /// Why bytes were cut off, or what else was mended.
    pub reason: Option<String>,
    /// Whether all of the log was trusted, after a clean shutdown.
    pub clean: bool,
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
    /// Whether the batch had been appended before, and nothing was written now.
    pub duplicate: bool,
}

/// How far a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Up to the high watermark.
    ReadUncommitted,
    /// Up to the last stable offset; aborted transactions are listed.
    ReadCommitted,
}

/// An aborted transaction that touches what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted {
    /// Its producer.
    pub producer_id: i64,
    /// Its first offset in this partition.
    pub first_offset: i64,
}

/// A range of a file.
#[derive(Debug, Clone)]
pub struct FileRange {
    /// The file.
    pub file: Arc<dyn DiskFile>,
    /// From here.
    pub position: u64,
    /// So many bytes.
    pub len: u32,
}

impl FileRange {
    /// Reads the range.
    pub fn read(&self) -> io::Result<Bytes> {
        todo!()
    }

    /// Reads the range behind what is in `buffer`.
    pub fn read_to(&self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let _ = buffer;
        todo!()
    }
}

/// Where the bytes of a read are.
#[derive(Debug, Clone)]
pub struct Read {
    /// Whole batches, but for the last, which may be cut.
    pub ranges: Vec<FileRange>,
    /// Aborted transactions that touch them (read_committed only).
    pub aborted: Vec<Aborted>,
    /// The offset after the last readable record.
    pub high_watermark: i64,
    /// The offset before which every transaction has ended.
    pub last_stable_offset: i64,
    /// First offset of the log.
    pub log_start_offset: i64,
}

impl Read {
    /// Bytes of all ranges.
    pub fn size_bytes(&self) -> u64 {
        self.ranges.iter().map(|range| u64::from(range.len)).sum()
    }
}

/// Files and folders to sync; run it outside of locks.
#[derive(Debug)]
pub struct SyncTicket {}

impl SyncTicket {
    /// Syncs.
    pub fn run(&self) -> io::Result<()> {
        todo!()
    }

    /// Offsets below this are durable once `run` returned Ok.
    pub fn covers(&self) -> i64 {
        todo!()
    }
}

/// What a round of upkeep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maintenance {
    /// Segments that retention took out of the log.
    pub segments_deleted: u32,
    /// Their bytes.
    pub bytes_deleted: u64,
    /// Producers that were forgotten.
    pub producers_expired: u32,
    /// Whether the active segment was closed by age.
    pub rolled: bool,
}

/// A compaction to run outside of locks.
#[derive(Debug)]
pub struct CompactionJob {}

impl CompactionJob {
    /// Reads the closed segments and writes their compacted form beside them.
    pub fn run(self) -> CompactionResult {
        todo!()
    }
}

/// What a compaction made.
#[derive(Debug)]
pub struct CompactionResult {}

/// What is known of a producer (DescribeProducers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerState {
    /// Its id.
    pub producer_id: i64,
    /// Its newest epoch.
    pub producer_epoch: i16,
    /// The sequence of its last record, or -1.
    pub last_sequence: i32,
    /// When it last wrote.
    pub last_timestamp_ms: i64,
    /// The coordinator epoch of its last marker, or -1.
    pub coordinator_epoch: i32,
    /// The first offset of its open transaction.
    pub open_transaction_offset: Option<i64>,
}

impl Log {
    /// Opens or creates. `recovery_point`: everything below this offset was synced once (trusted); from there on batches
    /// are scanned and the log is cut at the first bad byte. `clean`: the last close was a clean one, no scan.
    /// No file is created before the first append.
    pub fn open(
        disk: Arc<dyn Disk>,
        folder: &str,
        settings: LogSettings,
        recovery_point: i64,
        clean: bool,
        now_ms: i64,
    ) -> Result<(Self, Recovery), LogError> {
        let _ = (disk, folder, settings, recovery_point, clean, now_ms);
        todo!()
    }
    /// Changes the settings.
    pub fn set_settings(&mut self, settings: LogSettings) {
        let _ = settings;
        todo!()
    }
    /// The settings.
    pub fn settings(&self) -> &LogSettings {
        todo!()
    }
    /// Appends a producer's batch.
    pub fn append(&mut self, batch: &RecordBatch, now_ms: i64) -> Result<Appended, AppendError> {
        let _ = (batch, now_ms);
        todo!()
    }
    /// Appends the marker that ends a transaction; `None` if this producer has none open here.
    pub fn append_marker(
        &mut self,
        commit: bool,
        producer_id: i64,
        producer_epoch: i16,
        coordinator_epoch: i32,
        now_ms: i64,
    ) -> Result<Option<Appended>, AppendError> {
        let _ = (commit, producer_id, producer_epoch, coordinator_epoch, now_ms);
        todo!()
    }
    /// Finds the bytes from `offset` on.
    pub fn read(
        &mut self,
        offset: i64,
        bytes_max: u32,
        isolation: Isolation,
    ) -> Result<Read, ReadError> {
        let _ = (offset, bytes_max, isolation);
        todo!()
    }
    /// A cheap estimate of what a read from `offset` could give (0: nothing).
    pub fn readable_bytes(&self, offset: i64, isolation: Isolation) -> u64 {
        let _ = (offset, isolation);
        todo!()
    }
    /// Whether there is something to sync under this log's durability.
    pub fn needs_sync(&self) -> bool {
        todo!()
    }
    /// Begins a sync; `None` if there is nothing to sync, one is under way, or the log is poisoned.
    pub fn begin_sync(&mut self) -> Option<SyncTicket> {
        todo!()
    }
    /// Ends a sync: moves the high watermark, or poisons the log.
    pub fn end_sync(&mut self, ticket: SyncTicket, result: io::Result<()>) {
        let _ = (ticket, result);
        todo!()
    }
    /// Everything below this offset is durable.
    pub fn recovery_point(&self) -> i64 {
        todo!()
    }
    /// Why the log takes no writes, if so.
    pub fn poisoned(&self) -> Option<&str> {
        todo!()
    }
    /// First offset.
    pub fn log_start_offset(&self) -> i64 {
        todo!()
    }
    /// The offset after the last readable record.
    pub fn high_watermark(&self) -> i64 {
        todo!()
    }
    /// The offset before which every transaction has ended.
    pub fn last_stable_offset(&self) -> i64 {
        todo!()
    }
    /// The offset of the next record.
    pub fn log_end_offset(&self) -> i64 {
        todo!()
    }
    /// Bytes in segments.
    pub fn size_bytes(&self) -> u64 {
        todo!()
    }
    /// (timestamp, offset) of the first record at or after a time, below the high watermark.
    pub fn offset_for_timestamp(
        &mut self,
        timestamp_ms: i64,
    ) -> Result<Option<(i64, i64)>, ReadError> {
        let _ = timestamp_ms;
        todo!()
    }
    /// (timestamp, offset) of the record with the greatest timestamp.
    pub fn max_timestamp(&mut self) -> Result<Option<(i64, i64)>, ReadError> {
        todo!()
    }
    /// Moves the log's start; returns the new one.
    pub fn delete_records(&mut self, before_offset: i64, now_ms: i64) -> Result<i64, LogError> {
        let _ = (before_offset, now_ms);
        todo!()
    }
    /// Retention, rolls by age, expiry, unlinking, closing of idle files.
    pub fn maintain(&mut self, now_ms: i64) -> Result<Maintenance, LogError> {
        let _ = now_ms;
        todo!()
    }
    /// When `maintain` has something to do next; `i64::MAX` if not before another call changes the log.
    pub fn next_maintenance_ms(&self) -> i64 {
        todo!()
    }
    /// Begins a compaction if one is due.
    pub fn begin_compaction(&mut self, now_ms: i64) -> Option<CompactionJob> {
        let _ = now_ms;
        todo!()
    }
    /// Puts the compacted segments in the place of their sources.
    pub fn end_compaction(&mut self, result: CompactionResult) -> Result<(), LogError> {
        let _ = result;
        todo!()
    }
    /// Every producer that is remembered.
    pub fn producers(&self) -> impl Iterator<Item = ProducerState> + '_ {
        std::iter::empty()
    }
    /// Whether this producer has an open transaction here.
    pub fn has_open_transaction(&self, producer_id: i64) -> bool {
        let _ = producer_id;
        todo!()
    }
    /// A clean shutdown: snapshot, index, sync. The log takes no writes afterwards.
    pub fn close(&mut self, now_ms: i64) -> Result<(), LogError> {
        let _ = now_ms;
        todo!()
    }
    /// Removes the folder.
    pub fn delete(self) -> Result<(), LogError> {
        todo!()
    }
}
