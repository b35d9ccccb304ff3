//! One run of compaction over a list of closed segments.
//! Two passes: the first notes the last offset of every key in the dirty part; the second copies all sources without what is
//! superseded. Kafka's guarantees, kept here (design page "compaction", KIP-98, KIP-534):
//! - a record stays if no later record of the dirty part has its key; order and offsets stay, gaps are left where records were;
//! - a record without a key, and every record of an aborted transaction, goes;
//! - a tombstone goes `delete.retention.ms` after the first pass that saw it: that pass writes the time into the batch (bit 6,
//!   `base_timestamp` is the delete horizon);
//! - a marker goes in the same way, counted from the first pass that found no data of its transaction any more;
//! - the last batch of every producer stays, empty if need be, so that its sequence survives a lost snapshot.
//!
//! Batches that lose nothing are copied as they are; others are written anew with the same offsets, producer and compression.
//! Does not touch the sources; what it wrote is worth nothing until the swap was decided.

use crate::batch_builder::{encode_batch, put_record};
use crate::compaction::{Compacted, Compaction, CompactionJob, Source};
use crate::compaction_swap::cleaned;
use crate::error::{DiskContext, LogError};
use crate::framed;
use crate::index::{AbortedTransaction, Index};
use crate::key_offsets::KeyOffsets;
use crate::record_batch::{
    ATTRIBUTE_DELETE_HORIZON, BatchError, BatchHeader, RecordBatch, TimestampType,
};
use crate::records::{ControlKind, Record, RecordLimits, Records};
use crate::replay::{Site, note_batch};
use crate::segment::{Walk, index_path, log_path};
use bytes::Bytes;
use mainstem_core::disk::DiskFile;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the keys of one run may take.
const KEYS_BYTES_MAX: usize = 128 << 20;
const WRITE_BYTES: usize = 1 << 20;

/// What becomes of a batch.
enum Fate {
    Keep,
    Drop,
    Replace(Vec<u8>),
}

pub(crate) struct Compactor {
    job: CompactionJob,
    keys: KeyOffsets,
    /// By producer and offset of the marker: the first offset.
    aborted: BTreeMap<(i64, i64), i64>,
    /// Producers of which data of a transaction was read whose marker has not come yet.
    with_data: BTreeSet<i64>,
    /// Markers that went, by producer and offset.
    dropped_markers: BTreeSet<(i64, i64)>,
    stats: Compaction,
}

impl Compactor {
    pub(crate) fn new(job: CompactionJob) -> Self {
        let key = |aborted: &AbortedTransaction| {
            ((aborted.producer_id, aborted.last_offset), aborted.first_offset)
        };
        Self {
            aborted: job.aborted.iter().map(key).collect(),
            job,
            keys: KeyOffsets::new(KEYS_BYTES_MAX),
            with_data: BTreeSet::new(),
            dropped_markers: BTreeSet::new(),
            stats: Compaction::default(),
        }
    }

    pub(crate) fn run(mut self) -> Result<Compacted, LogError> {
        let sources = std::mem::take(&mut self.job.sources);
        let first_dirty_offset = self.note_keys(&sources)?;
        let outputs = self.copy(&sources)?;
        let folder = &self.job.folder;
        self.job.disk.sync_folder(folder).doing("syncing", folder)?;
        Ok(Compacted { outputs, first_dirty_offset, stats: self.stats })
    }

    fn site(&self) -> Site<'_> {
        Site { disk: &*self.job.disk, folder: &self.job.folder }
    }

    /// The first pass; returns where the dirty part begins next time.
    fn note_keys(&mut self, sources: &[Source]) -> Result<i64, LogError> {
        let first_dirty = self.job.first_dirty_offset;
        for source in sources.iter().filter(|source| source.end_offset > first_dirty) {
            let mut walk = Walk::new(&*source.file, 0, source.size_bytes);
            let mut offset = source.base_offset;
            while let Some((_, header, bytes)) =
                walk.next_checked().map_err(|e| self.site().walk_error(source.base_offset, e))?
            {
                offset = self.check_offsets(source, offset, &header)?;
                let aborted = header.is_transactional() && self.is_aborted(&header);
                if header.is_control() || aborted || header.last_offset() < first_dirty {
                    continue;
                }
                let Some(records) = open_records(bytes) else { continue };
                if !self.keys.has_room(records.count() as usize, records.bytes().len()) {
                    return Ok(header.base_offset);
                }
                for record in &records {
                    let Ok(record) = record else { break };
                    if let Some(key) = record.key {
                        self.keys.put(key, record.offset);
                    }
                }
            }
        }
        Ok(sources.last().map_or(first_dirty, |source| source.end_offset))
    }

    /// The second pass: neighbours share an output as long as it stays below the size of a segment.
    fn copy(&mut self, sources: &[Source]) -> Result<Vec<Index>, LogError> {
        let mut outputs = Vec::new();
        let mut output: Option<Output> = None;
        for source in sources {
            let full = output.as_ref().is_some_and(|output| {
                output.index.size_bytes + source.size_bytes > self.job.segment_bytes_max
                    || source.end_offset - output.index.base_offset > i64::from(i32::MAX)
            });
            if full && let Some(output) = output.take() {
                outputs.push(self.finish(output)?);
            }
            let mut current = match output.take() {
                Some(output) => output,
                None => self.create(source.base_offset)?,
            };
            self.copy_source(source, &mut current)?;
            self.stats.bytes_before += source.size_bytes;
            output = Some(current);
        }
        if let Some(output) = output {
            outputs.push(self.finish(output)?);
        }
        Ok(outputs)
    }

    fn create(&self, base_offset: i64) -> Result<Output, LogError> {
        let path = cleaned(&log_path(&self.job.folder, base_offset));
        let file = self.job.disk.open(&path, true).doing("creating", &path)?;
        file.set_size(0).doing("emptying", &path)?;
        let buffer = Vec::with_capacity(WRITE_BYTES);
        Ok(Output { file, path, buffer, written: 0, index: Index::new(base_offset) })
    }

    fn copy_source(&mut self, source: &Source, output: &mut Output) -> Result<(), LogError> {
        let mut walk = Walk::new(&*source.file, 0, source.size_bytes);
        let mut offset = source.base_offset;
        while let Some((_, header, bytes)) =
            walk.next_checked().map_err(|e| self.site().walk_error(source.base_offset, e))?
        {
            offset = self.check_offsets(source, offset, &header)?;
            match self.fate(&header, bytes) {
                Fate::Drop => {}
                Fate::Keep => output.add(&header, bytes, self.job.interval_bytes)?,
                Fate::Replace(bytes) => {
                    let header = BatchHeader::parse(&bytes).expect("a batch built here is good");
                    output.add(&header, &bytes, self.job.interval_bytes)?;
                }
            }
        }
        Ok(())
    }

    /// A batch has to stand behind the one before and within its segment; returns what comes next. Its offset is the one part
    /// that no checksum covers, and a wrong one would seem to supersede records that are newer.
    fn check_offsets(
        &self,
        source: &Source,
        expected: i64,
        header: &BatchHeader,
    ) -> Result<i64, LogError> {
        let (found, last) = (header.base_offset, header.last_offset());
        if found < expected || last >= source.end_offset {
            let why = BatchError::WrongOffset { expected, found };
            return Err(self.site().walk_error(source.base_offset, why.into()));
        }
        Ok(last + 1)
    }

    /// Makes an output durable, with its index.
    fn finish(&mut self, mut output: Output) -> Result<Index, LogError> {
        output.flush()?;
        output.file.sync().doing("syncing", &output.path)?;
        let mut index = output.index;
        let next = self.job.aborted.iter().filter(|aborted| {
            aborted.last_offset >= index.base_offset
                && aborted.last_offset < index.next_offset
                && !self.dropped_markers.contains(&(aborted.producer_id, aborted.last_offset))
        });
        index.aborted = next.copied().collect();
        let path = cleaned(&index_path(&self.job.folder, index.base_offset));
        framed::write_file(&*self.job.disk, &path, &index.encode(index.next_offset), true)
            .doing("writing", &path)?;
        self.stats.bytes_after += index.size_bytes;
        Ok(index)
    }

    fn is_aborted(&self, header: &BatchHeader) -> bool {
        let (id, offset) = (header.producer_id, header.base_offset);
        self.aborted
            .range((id, offset)..=(id, i64::MAX))
            .next()
            .is_some_and(|(_, first_offset)| *first_offset <= offset)
    }

    fn fate(&mut self, header: &BatchHeader, bytes: &[u8]) -> Fate {
        if header.is_control() {
            return self.fate_of_marker(header, bytes);
        }
        if header.is_transactional() {
            self.with_data.insert(header.producer_id);
            if self.is_aborted(header) {
                return self.without_records(header);
            }
        }
        let Some(records) = open_records(bytes) else {
            self.stats.batches_unreadable += 1;
            return Fate::Keep;
        };
        let horizon_passed = header.delete_horizon_ms().is_some_and(|at| at <= self.job.now_ms);
        let mut kept = Vec::with_capacity(records.count() as usize);
        let mut tombstones = false;
        for record in &records {
            let Ok(record) = record else {
                self.stats.batches_unreadable += 1;
                return Fate::Keep;
            };
            let Some(key) = record.key else { continue };
            let superseded = self.keys.get(key).is_some_and(|last| last > record.offset);
            if superseded || (record.value.is_none() && horizon_passed) {
                continue;
            }
            tombstones |= record.value.is_none();
            kept.push(record);
        }
        let new_horizon = (tombstones && header.delete_horizon_ms().is_none())
            .then(|| self.job.now_ms.saturating_add(self.job.delete_retention_ms));
        if kept.is_empty() {
            return self.without_records(header);
        }
        if kept.len() == records.count() as usize && new_horizon.is_none() {
            return Fate::Keep;
        }
        self.stats.records_dropped += u64::from(records.count()) - kept.len() as u64;
        Fate::Replace(rewrite(header, &kept, new_horizon))
    }

    fn fate_of_marker(&mut self, header: &BatchHeader, bytes: &[u8]) -> Fate {
        let Some(records) = open_records(bytes) else { return Fate::Keep };
        let Ok(Some((kind, _))) = records.control() else { return Fate::Keep };
        if self.with_data.remove(&header.producer_id) {
            return Fate::Keep;
        }
        match header.delete_horizon_ms() {
            Some(at) if at <= self.job.now_ms => {
                if kind == ControlKind::Abort {
                    self.dropped_markers.insert((header.producer_id, header.base_offset));
                }
                self.stats.records_dropped += 1;
                Fate::Drop
            }
            Some(_) => Fate::Keep,
            None => {
                let kept: Vec<Record<'_>> = records.iter().filter_map(Result::ok).collect();
                let at = self.job.now_ms.saturating_add(self.job.delete_retention_ms);
                Fate::Replace(rewrite(header, &kept, Some(at)))
            }
        }
    }

    /// Nothing of the batch is left but, if it is its producer's last, its header.
    fn without_records(&mut self, header: &BatchHeader) -> Fate {
        self.stats.records_dropped += header.record_count as u64;
        if self.job.last_offsets.get(&header.producer_id) != Some(&header.last_offset()) {
            return Fate::Drop;
        }
        if header.record_count == 0 {
            Fate::Keep
        } else {
            Fate::Replace(rewrite(header, &[], None))
        }
    }
}

fn open_records(bytes: &[u8]) -> Option<Records> {
    let batch = RecordBatch::built(Bytes::copy_from_slice(bytes));
    batch.records(RecordLimits::default()).ok()
}

/// The batch with only these records: same offsets, same producer, same compression.
fn rewrite(header: &BatchHeader, kept: &[Record<'_>], new_horizon: Option<i64>) -> Vec<u8> {
    let mut header = header.clone();
    if let Some(at) = new_horizon {
        header.attributes |= ATTRIBUTE_DELETE_HORIZON;
        header.base_timestamp = at;
    }
    header.record_count = kept.len() as i32;
    if header.timestamp_type() == TimestampType::Create && !kept.is_empty() {
        header.max_timestamp = kept.iter().map(|record| record.timestamp_ms).max().unwrap_or(-1);
    }
    let mut records = Vec::new();
    for record in kept {
        put_record(
            &mut records,
            record.timestamp_ms.wrapping_sub(header.base_timestamp),
            (record.offset - header.base_offset) as i32,
            record.key,
            record.value,
            (record.headers.len() as u32, record.headers.encoded()),
        );
    }
    encode_batch(&header, &records)
}

/// A segment that is being written.
struct Output {
    file: Arc<dyn DiskFile>,
    path: String,
    buffer: Vec<u8>,
    written: u64,
    index: Index,
}

impl Output {
    fn add(
        &mut self,
        header: &BatchHeader,
        bytes: &[u8],
        interval_bytes: u32,
    ) -> Result<(), LogError> {
        if self.buffer.len() + bytes.len() > WRITE_BYTES {
            self.flush()?;
        }
        self.buffer.extend_from_slice(bytes);
        note_batch(&mut self.index, header, interval_bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), LogError> {
        self.file.write_all_at(self.written, &self.buffer).doing("writing", &self.path)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
