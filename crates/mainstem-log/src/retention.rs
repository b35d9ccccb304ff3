//! Giving up the old end of the log: by age, by size, by order of a client; and the rest of the upkeep that time brings.
//! Invariant: the new start of the log is durable before the first file of it goes, so that a crash in between leaves a log
//! without a hole, and so are the producers of what goes; nothing at or beyond the high watermark goes. Files are unlinked
//! some time later; handles that readers hold go on reading them in any case. While a compaction runs, segments stay: it has them as its sources.

use crate::error::{DiskContext, LogError};
use crate::index::NO_TIMESTAMP;
use crate::log::{Log, snapshot_path};
use crate::{framed, replay::Site};
use std::sync::Arc;

/// However old their timestamps are, records stay this long in the segment that takes appends, or as long as retention says
/// if that is shorter: who copies records of last year wants to read them. As long as between two looks of Kafka's
/// (`log.retention.check.interval.ms`).
const GRACE_MS: i64 = 300_000;

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

impl Log {
    /// Moves the log's start forward (at most to the high watermark; -1 means there); returns the new one. Durable when this
    /// returns.
    pub fn delete_records(&mut self, before_offset: i64, now_ms: i64) -> Result<i64, LogError> {
        self.check_writable()?;
        let before_offset = if before_offset == -1 { self.high_watermark } else { before_offset };
        if before_offset < 0 || before_offset > self.high_watermark {
            return Err(LogError::OffsetOutOfRange {
                offset: before_offset,
                log_start_offset: self.log_start_offset(),
                high_watermark: self.high_watermark,
            });
        }
        self.move_start(before_offset, now_ms)?;
        Ok(self.log_start_offset())
    }

    /// Makes a new start durable and takes the segments below it out of the log.
    fn move_start(&mut self, start: i64, now_ms: i64) -> Result<(), LogError> {
        if start > self.log_start_offset() {
            let mut checkpoint = self.checkpoint;
            checkpoint.log_start_offset = start;
            checkpoint.store(&*self.disk, &self.folder)?;
            self.checkpoint = checkpoint;
        }
        self.drop_segments_below_start(now_ms)
    }

    /// Segments that end at or before the start leave the log; their files wait to be unlinked.
    fn drop_segments_below_start(&mut self, now_ms: i64) -> Result<(), LogError> {
        let start = self.log_start_offset();
        let first_kept =
            self.segments.partition_point(|segment| segment.base_offset <= start).saturating_sub(1);
        if self.compacting || first_kept == 0 {
            return Ok(());
        }
        self.make_producers_durable(first_kept, now_ms)?;
        let due_ms = now_ms.saturating_add(self.settings.file_delete_delay_ms);
        let dropped = self.segments.drain(..first_kept);
        self.unlinks.extend(dropped.map(|segment| (due_ms, segment.base_offset)));
        Ok(())
    }

    /// Who wrote below a segment, and up to which sequence, outlives the segments below: the snapshot that was stored when the
    /// segment began was not synced then.
    fn make_producers_durable(&mut self, first_kept: usize, now_ms: i64) -> Result<(), LogError> {
        let offset = self.segments[first_kept].base_offset;
        if self.durable_snapshot >= offset {
            return Ok(());
        }
        let (disk, folder) = (Arc::clone(&self.disk), self.folder.clone());
        let site = Site { disk: &*disk, folder: &folder };
        let (from, mut producers) = site.newest_snapshot(&self.snapshots, offset)?;
        if from < offset {
            let begins = self.segments.partition_point(|segment| segment.base_offset <= from);
            for segment in self.segments.range_mut(begins.saturating_sub(1)..first_kept) {
                let damaged = site.replay(segment, from, &mut producers, now_ms, |_| {})?;
                site.refuse(damaged)?;
            }
        }
        let path = snapshot_path(&folder, offset);
        framed::write_file(&*disk, &path, &producers.encode(offset), true)
            .doing("writing", &path)?;
        disk.sync_folder(&folder).doing("syncing", &folder)?;
        self.note_snapshot(offset);
        self.durable_snapshot = offset;
        Ok(())
    }

    /// Retention by time and size, rolls by age, expiry of producers, unlinking of deleted segments, closing of idle files.
    pub fn maintain(&mut self, now_ms: i64) -> Result<Maintenance, LogError> {
        let mut done = Maintenance::default();
        if self.poisoned.is_some() {
            return Ok(done);
        }
        if self.active_is_old(now_ms) {
            self.roll(now_ms)?;
            done.rolled = true;
        }
        if !self.compacting {
            self.retain(now_ms, &mut done)?;
        }
        done.producers_expired =
            self.producers.expire(now_ms, self.settings.producer_expiration_ms);
        while let Some((due_ms, base_offset)) = self.unlinks.front().copied() {
            if due_ms > now_ms {
                break;
            }
            self.remove_segment_files(base_offset)?;
            self.unlinks.pop_front();
        }
        self.prune_snapshots()?;
        let active = self.segments.len().saturating_sub(1);
        for (at, segment) in self.segments.iter_mut().enumerate() {
            segment.let_go(at == active);
        }
        Ok(done)
    }

    /// Takes the oldest segments out of the log while they are too old or too much.
    fn retain(&mut self, now_ms: i64, done: &mut Maintenance) -> Result<(), LogError> {
        let mut start = self.log_start_offset();
        if self.settings.cleanup.deletes() {
            let mut size_bytes = self.size_bytes();
            for at in 0..self.segments.len() {
                let end = self.end_of(at);
                if end > self.high_watermark || self.segments[at].size_bytes == 0 {
                    break;
                }
                let too_much = self
                    .settings
                    .retention_bytes
                    .is_some_and(|max| size_bytes - self.segments[at].size_bytes >= max);
                if !too_much && !self.is_too_old(at, now_ms)? {
                    break;
                }
                size_bytes -= self.segments[at].size_bytes;
                start = start.max(end);
            }
        }
        let active = self.segments.back();
        if active.is_some_and(|active| active.size_bytes > 0 && start > active.base_offset)
            && start == self.log_end_offset
        {
            // The active segment goes, too: an empty one remembers where the log ends.
            self.roll(now_ms)?;
            done.rolled = true;
        }
        let before = (self.segments.len(), self.size_bytes());
        self.move_start(start, now_ms)?;
        done.segments_deleted = (before.0 - self.segments.len()) as u32;
        done.bytes_deleted = before.1 - self.size_bytes();
        Ok(())
    }

    /// The offset after the last of a segment.
    pub(crate) fn end_of(&self, at: usize) -> i64 {
        self.segments.get(at + 1).map_or(self.log_end_offset, |next| next.base_offset)
    }

    fn is_too_old(&mut self, at: usize, now_ms: i64) -> Result<bool, LogError> {
        let Some(retention_ms) = self.settings.retention_ms else { return Ok(false) };
        if now_ms < self.expires_after_ms(at, retention_ms) {
            return Ok(false);
        }
        let newest = match self.segments[at].newest() {
            Some(newest) => newest,
            None => {
                self.load_index(at)?;
                self.segments[at].newest().unwrap_or(NO_TIMESTAMP)
            }
        };
        Ok(newest != NO_TIMESTAMP && now_ms.saturating_sub(newest) > retention_ms)
    }

    /// Before this time a segment is not too old, whatever the timestamps in it are.
    fn expires_after_ms(&self, at: usize, retention_ms: i64) -> i64 {
        if at + 1 < self.segments.len() {
            return i64::MIN;
        }
        let since_ms = self.active_since_ms.max(self.opened_ms);
        since_ms.saturating_add(retention_ms.min(GRACE_MS))
    }

    /// Keeps the snapshots at the starts of segments and the two newest.
    fn prune_snapshots(&mut self) -> Result<(), LogError> {
        let keep_from = self.snapshots.len().saturating_sub(2);
        let (mut at, mut kept) = (0, Vec::with_capacity(self.snapshots.len()));
        for offset in std::mem::take(&mut self.snapshots) {
            let starts = self.segments.binary_search_by_key(&offset, |s| s.base_offset).is_ok();
            if starts || at >= keep_from {
                kept.push(offset);
            } else {
                framed::remove_file(&*self.disk, &snapshot_path(&self.folder, offset))?;
            }
            at += 1;
        }
        self.snapshots = kept;
        Ok(())
    }

    /// When `maintain` has something to do next; `i64::MAX` if not before another call changes the log. A lower bound: it may
    /// find that there is nothing to do.
    pub fn next_maintenance_ms(&self) -> i64 {
        if self.poisoned.is_some() {
            return i64::MAX;
        }
        let mut next = self.producers.next_expiry_ms(self.settings.producer_expiration_ms);
        if let Some((due_ms, _)) = self.unlinks.front() {
            next = next.min(*due_ms);
        }
        let start = self.log_start_offset();
        if !self.compacting && self.segments.get(1).is_some_and(|next| next.base_offset <= start) {
            // An open or a compaction left segments that the log had given up.
            next = i64::MIN;
        }
        if self.segments.back().is_some_and(|active| active.size_bytes > 0) {
            next = next.min(self.active_since_ms.saturating_add(self.segment_ms_max()));
        }
        if self.settings.cleanup.deletes()
            && !self.compacting
            && let Some(oldest) = self.segments.front().filter(|oldest| oldest.size_bytes > 0)
            && self.end_of(0) <= self.high_watermark
        {
            if let Some(retention_ms) = self.settings.retention_ms {
                let newest = oldest.newest().unwrap_or(i64::MIN);
                let old_ms = newest.saturating_add(retention_ms).saturating_add(1);
                next = next.min(old_ms.max(self.expires_after_ms(0, retention_ms)));
            }
            let behind = self.size_bytes() - oldest.size_bytes;
            if self.settings.retention_bytes.is_some_and(|max| behind >= max) {
                next = i64::MIN;
            }
        }
        next
    }
}
