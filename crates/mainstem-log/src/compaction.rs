//! Compaction: when it is due, what it may touch, and what its result changes.
//! Invariant: only closed, synced segments below the last stable offset are sources, from the start of the log on, so that one
//! pass sees all older values of every key it keeps; offsets stay; the sources are the log until the swap was decided
//! (`compaction_swap.rs`). The reading and writing is a [`CompactionJob`], which runs outside of locks.

use crate::compaction_swap::{Swap, complete_swap};
use crate::compactor::Compactor;
use crate::error::LogError;
use crate::index::{AbortedTransaction, Index, NO_TIMESTAMP};
use crate::log::{Log, Place};
use crate::replay::Site;
use crate::segment::Segment;
use mainstem_core::disk::{Disk, DiskFile};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A compaction to run outside of locks.
#[derive(Debug)]
pub struct CompactionJob {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folder: String,
    pub(crate) sources: Vec<Source>,
    pub(crate) first_dirty_offset: i64,
    /// Every aborted transaction that may have records in the sources.
    pub(crate) aborted: Vec<AbortedTransaction>,
    /// The last offset of every producer.
    pub(crate) last_offsets: BTreeMap<i64, i64>,
    pub(crate) delete_retention_ms: i64,
    pub(crate) segment_bytes_max: u64,
    pub(crate) interval_bytes: u32,
    pub(crate) now_ms: i64,
}

/// A closed segment.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) base_offset: i64,
    pub(crate) end_offset: i64,
    pub(crate) size_bytes: u64,
    pub(crate) file: Arc<dyn DiskFile>,
}

/// What a compaction made.
#[derive(Debug)]
pub struct CompactionResult {
    pub(crate) sources: Vec<i64>,
    pub(crate) outcome: Result<Compacted, LogError>,
}

/// The outputs of a compaction; they lie beside the sources, synced.
#[derive(Debug, Default)]
pub(crate) struct Compacted {
    pub(crate) outputs: Vec<Index>,
    pub(crate) first_dirty_offset: i64,
    pub(crate) stats: Compaction,
}

/// What a compaction changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compaction {
    /// Bytes of the sources.
    pub bytes_before: u64,
    /// Bytes of what took their place.
    pub bytes_after: u64,
    /// Records that were dropped.
    pub records_dropped: u64,
    /// Batches that could not be read and were kept as they are.
    pub batches_unreadable: u64,
}

impl CompactionJob {
    /// Reads the closed segments and writes their compacted form beside them.
    pub fn run(self) -> CompactionResult {
        let sources = self.sources.iter().map(|source| source.base_offset).collect();
        CompactionResult { sources, outcome: Compactor::new(self).run() }
    }
}

impl Log {
    /// Begins a compaction if one is due. Segments stay in the log until `end_compaction`.
    pub fn begin_compaction(&mut self, now_ms: i64) -> Result<Option<CompactionJob>, LogError> {
        if !self.settings.cleanup.compacts() || self.compacting || self.poisoned.is_some() {
            return Ok(None);
        }
        let count = self.compactable(now_ms)?;
        if !self.compaction_is_due(count, now_ms)? {
            return Ok(None);
        }
        let mut sources = Vec::with_capacity(count);
        let mut aborted = Vec::new();
        let end = self.end_of(count - 1);
        for at in 0..self.segments.len() {
            self.load_index(at)?;
            let ended = self.aborted_in(at)?.iter();
            aborted.extend(ended.filter(|aborted| aborted.first_offset < end));
            if at < count {
                let end_offset = self.end_of(at);
                let segment = &mut self.segments[at];
                sources.push(Source {
                    base_offset: segment.base_offset,
                    end_offset,
                    size_bytes: segment.size_bytes,
                    file: Arc::clone(segment.file(&*self.disk, &self.folder)?),
                });
            }
        }
        self.compacting = true;
        Ok(Some(CompactionJob {
            disk: Arc::clone(&self.disk),
            folder: self.folder.clone(),
            sources,
            first_dirty_offset: self.checkpoint.first_dirty_offset,
            aborted,
            last_offsets: self.producers.last_offsets(),
            delete_retention_ms: self.settings.delete_retention_ms,
            segment_bytes_max: self.settings.segment_bytes_max,
            interval_bytes: self.settings.index_interval_bytes,
            now_ms,
        }))
    }

    /// How many segments, from the first, a compaction may have.
    fn compactable(&mut self, now_ms: i64) -> Result<usize, LogError> {
        let limit = self.last_stable_offset().min(self.recovery_point);
        let lag_ms = self.settings.min_compaction_lag_ms;
        let mut count = 0;
        for at in 0..self.segments.len().saturating_sub(1) {
            let end = self.end_of(at);
            if end > limit {
                break;
            }
            if lag_ms > 0 && end > self.checkpoint.first_dirty_offset {
                self.load_index(at)?;
                let newest =
                    self.segments[at].loaded_index().map_or(NO_TIMESTAMP, |i| i.max_timestamp);
                if newest > now_ms.saturating_sub(lag_ms) {
                    break;
                }
            }
            count = at + 1;
        }
        Ok(count)
    }

    fn compaction_is_due(&mut self, count: usize, now_ms: i64) -> Result<bool, LogError> {
        let (mut clean, mut dirty, mut oldest) = (0, 0, None);
        for at in 0..count {
            if self.end_of(at) <= self.checkpoint.first_dirty_offset {
                clean += self.segments[at].size_bytes;
            } else {
                dirty += self.segments[at].size_bytes;
                oldest = oldest.or(Some(at));
            }
        }
        let Some(oldest) = oldest.filter(|_| dirty > 0) else { return Ok(false) };
        if dirty as f64 >= self.settings.min_cleanable_dirty_ratio * (clean + dirty) as f64 {
            return Ok(true);
        }
        self.load_index(oldest)?;
        let first = self.segments[oldest].loaded_index().map_or(now_ms, |i| i.first_timestamp);
        Ok(now_ms.saturating_sub(first) > self.settings.max_compaction_lag_ms)
    }

    /// Puts the compacted segments in the place of their sources. After an error of the job the log is as before; after one of
    /// the swap itself it takes no more writes, and the next open completes the swap.
    pub fn end_compaction(&mut self, result: CompactionResult) -> Result<Compaction, LogError> {
        self.compacting = false;
        let compacted = result.outcome?;
        self.check_writable()?;
        let outputs: Vec<i64> = compacted.outputs.iter().map(|index| index.base_offset).collect();
        let swap = Swap {
            first_dirty_offset: compacted.first_dirty_offset,
            outputs,
            sources: result.sources,
        };
        let count = swap.sources.len();
        let same = self.segments.iter().take(count).map(|segment| segment.base_offset);
        assert!(same.eq(swap.sources.iter().copied()), "segments stay while a compaction runs");
        let site = Site { disk: &*self.disk, folder: &self.folder };
        if let Err(e) = swap.decide(&site).and_then(|()| complete_swap(&site)) {
            self.poison(format!("a compaction could not be completed: {e}"));
            return Err(e);
        }
        self.checkpoint.first_dirty_offset = compacted.first_dirty_offset;
        self.segments.drain(..count);
        let next = self.segments.front().expect("the active segment is no source").base_offset;
        if self.high_watermark_place.segment < next {
            // It was the end of the last source.
            self.high_watermark_place = Place { segment: next, position: 0 };
        }
        self.limit_place = None;
        for index in compacted.outputs.into_iter().rev() {
            self.segments.push_front(Segment::compacted(index));
        }
        Ok(compacted.stats)
    }
}
