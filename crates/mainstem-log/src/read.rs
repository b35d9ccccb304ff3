//! Finding bytes: by offset, by time, and how many there are.
//! Invariant: nothing at or beyond the high watermark (for read_committed: the last stable offset) is ever handed out. What is
//! handed out are ranges of files, read by the caller outside of every lock; deleting a segment does not take them back.
//! Reading at the end of the log finds its place in memory; elsewhere an index entry and some headers are read.

use crate::error::{DiskContext, LogError, ReadError};
use crate::framed;
use crate::index::AbortedTransaction;
use crate::log::{Log, Place, snapshot_path};
use crate::producer_state::Producers;
use crate::record_batch::{BatchError, BatchHeader};
use crate::records::RecordLimits;
use crate::replay::{Site, read_batch};
use crate::segment::{Walk, WalkError, index_path};
use bytes::Bytes;
use mainstem_core::disk::DiskFile;
use std::io;
use std::sync::Arc;

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
        let mut bytes = vec![0; self.len as usize];
        self.file.read_exact_at(self.position, &mut bytes)?;
        Ok(bytes.into())
    }

    /// Reads the range behind what is in `buffer`.
    pub fn read_to(&self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let from = buffer.len();
        buffer.resize(from + self.len as usize, 0);
        self.file.read_exact_at(self.position, &mut buffer[from..])
    }
}

/// Where the bytes of a read are.
#[derive(Debug, Clone)]
pub struct Read {
    /// Whole batches, but for the last, which may be cut. The first may begin before the offset asked for.
    pub ranges: Vec<FileRange>,
    /// Aborted transactions that touch them (read_committed only), by first offset.
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

/// A batch that was found.
#[derive(Debug, Clone, Copy)]
struct Located {
    /// Which segment.
    at: usize,
    position: u64,
    size_bytes: u64,
    base_offset: i64,
}

impl Log {
    /// Finds the bytes from `offset` on: at most `bytes_max` of them, but the first batch whole.
    pub fn read(
        &mut self,
        offset: i64,
        bytes_max: u32,
        isolation: Isolation,
    ) -> Result<Read, ReadError> {
        self.check_offset(offset)?;
        let mut read = Read {
            ranges: Vec::new(),
            aborted: Vec::new(),
            high_watermark: self.high_watermark,
            last_stable_offset: self.last_stable_offset(),
            log_start_offset: self.log_start_offset(),
        };
        let limit = self.limit(isolation);
        if offset >= limit {
            return Ok(read);
        }
        let Some(first) = self.locate(offset)? else { return Ok(read) };
        if first.base_offset >= limit {
            return Ok(read);
        }
        let end = self.place_of(limit)?;
        let mut left = u64::from(bytes_max).max(first.size_bytes);
        let mut upper = limit;
        let mut position = first.position;
        for at in first.at..self.segments.len() {
            let segment = &mut self.segments[at];
            if segment.base_offset > end.segment || left == 0 {
                break;
            }
            let last = segment.base_offset == end.segment;
            let stop = if last { end.position } else { segment.size_bytes };
            let len = stop.saturating_sub(position).min(left);
            if len > 0 {
                let file = Arc::clone(segment.file(&*self.disk, &self.folder)?);
                read.ranges.push(FileRange { file, position, len: len as u32 });
            }
            left -= len;
            if position + len < stop && isolation == Isolation::ReadCommitted {
                self.load_index(at)?;
                let index = self.segments[at].loaded_index().expect("it was loaded");
                upper = upper.min(index.offset_after_position(position + len));
            }
            position = 0;
        }
        if isolation == Isolation::ReadCommitted {
            read.aborted = self.aborted_between(first.at, offset, upper)?;
        }
        Ok(read)
    }

    fn check_offset(&self, offset: i64) -> Result<(), ReadError> {
        if offset < self.log_start_offset() || offset > self.log_end_offset {
            return Err(ReadError::OffsetOutOfRange {
                offset,
                log_start_offset: self.log_start_offset(),
                high_watermark: self.high_watermark,
            });
        }
        Ok(())
    }

    /// Where readers end.
    fn limit(&self, isolation: Isolation) -> i64 {
        match isolation {
            Isolation::ReadUncommitted => self.high_watermark,
            Isolation::ReadCommitted => self.last_stable_offset(),
        }
    }

    /// The place of an offset that is a limit of readers: the end of all batches below it.
    fn place_of(&mut self, limit: i64) -> Result<Place, LogError> {
        if limit == self.high_watermark {
            return Ok(self.high_watermark_place);
        }
        if let Some((offset, place)) = self.limit_place
            && offset == limit
        {
            return Ok(place);
        }
        let place = match self.locate(limit)? {
            Some(found) => {
                Place { segment: self.segments[found.at].base_offset, position: found.position }
            }
            None => self.end_place(),
        };
        self.limit_place = Some((limit, place));
        Ok(place)
    }

    /// The first batch that reaches `offset`; in a compacted log it may begin after it.
    fn locate(&mut self, offset: i64) -> Result<Option<Located>, LogError> {
        if let Some(found) = self.locate_recent(offset) {
            return Ok(Some(found));
        }
        let after = self.segments.partition_point(|segment| segment.base_offset <= offset);
        for at in after.saturating_sub(1)..self.segments.len() {
            self.load_index(at)?;
            let end_offset = self.end_of(at);
            let segment = &mut self.segments[at];
            let index = segment.loaded_index().expect("it was loaded");
            if index.next_offset <= offset {
                continue;
            }
            let (position, end) = (index.position_for_offset(offset), segment.size_bytes);
            let base_offset = segment.base_offset;
            let file = segment.file(&*self.disk, &self.folder)?;
            let mut walk = Walk::new(&**file, position, end);
            let site = Site { disk: &*self.disk, folder: &self.folder };
            let mut expected = base_offset;
            while let Some((position, header)) =
                walk.next().map_err(|e| site.walk_error(base_offset, e))?
            {
                // No checksum covers the offset of a batch; a reader who believed a wrong one would be lost.
                let found = header.base_offset;
                if found < expected || header.last_offset() >= end_offset {
                    let why = BatchError::WrongOffset { expected, found };
                    return Err(site.walk_error(base_offset, why.into()));
                }
                expected = header.last_offset() + 1;
                if header.last_offset() >= offset {
                    return Ok(Some(Located {
                        at,
                        position,
                        size_bytes: header.size_bytes as u64,
                        base_offset: header.base_offset,
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Among the newest batches, without the disk.
    fn locate_recent(&self, offset: i64) -> Option<Located> {
        let at = self.recent.partition_point(|(base, _)| *base <= offset).checked_sub(1)?;
        let (base_offset, position) = self.recent[at];
        let active = self.segments.back()?;
        if offset >= self.log_end_offset {
            return None;
        }
        let end = self.recent.get(at + 1).map_or(active.size_bytes, |(_, next)| *next);
        Some(Located {
            at: self.segments.len() - 1,
            position,
            size_bytes: end - position,
            base_offset,
        })
    }

    /// Has the index of a segment in memory: the stored one, or one that is built anew, as far as damage lets it.
    pub(crate) fn load_index(&mut self, at: usize) -> Result<(), LogError> {
        if self.segments[at].loaded_index().is_some() {
            self.segments[at].loaded_index_mut();
            return Ok(());
        }
        let site = Site { disk: &*self.disk, folder: &self.folder };
        let end_offset = self.end_of(at);
        let stored = self.segments[at].stored_index(site.disk, site.folder)?;
        let segment = &mut self.segments[at];
        if let Some(index) = stored.filter(|index| index.size_bytes == segment.size_bytes) {
            segment.set_index(index);
            return Ok(());
        }
        let base_offset = segment.base_offset;
        let (mut index, whole) =
            site.rebuild_entries(segment, end_offset, self.settings.index_interval_bytes)?;
        let (from, mut producers) = site.newest_snapshot(&self.snapshots, base_offset)?;
        let first = self.segments.partition_point(|segment| segment.base_offset <= from);
        for earlier in first.saturating_sub(1)..=at {
            let segment = &mut self.segments[earlier];
            let damaged = site.replay(segment, from, &mut producers, 0, |aborted| {
                if earlier == at {
                    index.aborted.push(aborted);
                }
            })?;
            let mut doubts = damaged.into_iter().filter(|damaged| damaged.in_transaction);
            index.doubt = index.doubt.or(doubts.next().map(|doubt| (doubt.offset, doubt.why)));
        }
        if whole && index.doubt.is_none() {
            let path = index_path(&self.folder, base_offset);
            framed::write_file(&*self.disk, &path, &index.encode(base_offset), false)
                .doing("writing", &path)?;
        }
        self.segments[at].set_index(index);
        Ok(())
    }

    /// The aborted transactions that ended in a segment whose index is loaded. An error if damage hides how one ended: readers of
    /// committed records cannot be served without.
    pub(crate) fn aborted_in(&self, at: usize) -> Result<&[AbortedTransaction], LogError> {
        let index = self.segments[at].loaded_index().expect("the caller loaded it");
        match &index.doubt {
            None => Ok(&index.aborted),
            Some((offset, why)) => Err(LogError::Corrupt {
                folder: self.folder.clone(),
                offset: *offset,
                source: why.clone(),
            }),
        }
    }

    /// Aborted transactions that touch `[offset, upper)`; `from` is the segment of `offset`. Of the segments behind `upper` only
    /// those are looked at into which a transaction from before `upper` reaches, and nothing of them stays in memory.
    fn aborted_between(
        &mut self,
        from: usize,
        offset: i64,
        upper: i64,
    ) -> Result<Vec<Aborted>, LogError> {
        let mut found = Vec::new();
        for at in from..self.segments.len() {
            let behind = at > from && self.segments[at].base_offset >= upper;
            if behind && self.first_open_at(at)?.is_some_and(|first| first >= upper) {
                break;
            }
            let passing = behind && self.segments[at].loaded_index().is_none();
            self.load_index(at)?;
            let aborted = self.aborted_in(at)?;
            let first = aborted.partition_point(|aborted| aborted.last_offset < offset);
            let mut last = false;
            for aborted in &aborted[first..] {
                if aborted.first_offset < upper {
                    let (producer_id, first_offset) = (aborted.producer_id, aborted.first_offset);
                    found.push(Aborted { producer_id, first_offset });
                }
                last |= aborted.last_stable_offset >= upper;
            }
            if passing {
                self.segments[at].drop_index();
            }
            if last {
                break;
            }
        }
        found.sort_by_key(|aborted| aborted.first_offset);
        Ok(found)
    }

    /// Where the oldest transaction began that was open when a segment began; `None` if no snapshot tells.
    fn first_open_at(&mut self, at: usize) -> Result<Option<i64>, LogError> {
        let segment = &mut self.segments[at];
        let base_offset = segment.base_offset;
        if segment.first_open.is_none() && self.snapshots.binary_search(&base_offset).is_ok() {
            let bytes = framed::read_file(&*self.disk, &snapshot_path(&self.folder, base_offset))?;
            let producers = bytes.and_then(|bytes| Producers::decode(base_offset, &bytes));
            segment.first_open = producers.map(|producers| producers.first_open());
        }
        Ok(segment.first_open)
    }

    /// A cheap estimate of what a read from `offset` could give; 0 means nothing, and is exact.
    pub fn readable_bytes(&self, offset: i64, isolation: Isolation) -> u64 {
        let limit = self.limit(isolation);
        if offset >= limit || offset < self.log_start_offset() {
            return 0;
        }
        let end = match self.limit_place {
            Some((at, place)) if at == limit => place,
            _ if limit == self.high_watermark => self.high_watermark_place,
            _ => self.guess_place(limit),
        };
        let start = match self.locate_recent(offset) {
            Some(found) => {
                Place { segment: self.segments[found.at].base_offset, position: found.position }
            }
            None => self.guess_place(offset),
        };
        let bytes: u64 = self
            .segments
            .iter()
            .filter(|s| s.base_offset >= start.segment && s.base_offset <= end.segment)
            .map(|s| {
                let from = if s.base_offset == start.segment { start.position } else { 0 };
                let to = if s.base_offset == end.segment { end.position } else { s.size_bytes };
                to.saturating_sub(from)
            })
            .sum();
        bytes.max(1)
    }

    /// A place at or before an offset, from what is in memory.
    fn guess_place(&self, offset: i64) -> Place {
        let after = self.segments.partition_point(|segment| segment.base_offset <= offset);
        let Some(segment) = self.segments.get(after.saturating_sub(1)) else {
            return Place::default();
        };
        let position = segment.loaded_index().map_or(0, |index| index.position_for_offset(offset));
        Place { segment: segment.base_offset, position }
    }

    /// (timestamp, offset) of the first record at or after a time, below the high watermark.
    pub fn offset_for_timestamp(
        &mut self,
        timestamp_ms: i64,
    ) -> Result<Option<(i64, i64)>, ReadError> {
        for at in 0..self.segments.len() {
            self.load_index(at)?;
            let index = self.segments[at].loaded_index().expect("it was loaded");
            if index.max_timestamp < timestamp_ms || index.next_offset <= self.log_start_offset() {
                continue;
            }
            let position = index.position_for_timestamp(timestamp_ms);
            if let Some(found) = self.first_record_at(at, position, timestamp_ms)? {
                return Ok((found.1 < self.high_watermark).then_some(found));
            }
        }
        Ok(None)
    }

    /// The first record of a segment at or after a time, looked for from a position on.
    fn first_record_at(
        &mut self,
        at: usize,
        position: u64,
        timestamp_ms: i64,
    ) -> Result<Option<(i64, i64)>, LogError> {
        let start = self.log_start_offset();
        let segment = &mut self.segments[at];
        let (base_offset, end) = (segment.base_offset, segment.size_bytes);
        let file = segment.file(&*self.disk, &self.folder)?;
        let site = Site { disk: &*self.disk, folder: &self.folder };
        let mut walk = Walk::new(&**file, position, end);
        while let Some((position, header)) =
            walk.next().map_err(|e| site.walk_error(base_offset, e))?
        {
            if header.max_timestamp < timestamp_ms || header.last_offset() < start {
                continue;
            }
            let found = first_in_batch(&**file, position, &header, |offset, timestamp| {
                timestamp >= timestamp_ms && offset >= start
            });
            if let Some(found) = found.map_err(|e| site.walk_error(header.base_offset, e))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// (timestamp, offset) of the first record with the greatest timestamp, below the high watermark.
    pub fn max_timestamp(&mut self) -> Result<Option<(i64, i64)>, ReadError> {
        let mut best: Option<i64> = None;
        for at in 0..self.segments.len() {
            self.load_index(at)?;
            let index = self.segments[at].loaded_index().expect("it was loaded");
            if index.size_bytes > 0 && index.next_offset <= self.high_watermark {
                best = best.max(Some(index.max_timestamp));
            } else if index.size_bytes > 0 {
                best = best.max(self.max_timestamp_below_limit(at)?);
            }
        }
        match best {
            Some(timestamp_ms) => self.offset_for_timestamp(timestamp_ms),
            None => Ok(None),
        }
    }

    /// The greatest timestamp of a segment's batches below the high watermark.
    fn max_timestamp_below_limit(&mut self, at: usize) -> Result<Option<i64>, LogError> {
        let high_watermark = self.high_watermark;
        let segment = &mut self.segments[at];
        let index = segment.loaded_index().expect("the caller loaded it");
        let start = index.position_for_offset(high_watermark);
        let known = index.entries.partition_point(|entry| u64::from(entry.position) <= start);
        let mut best = known.checked_sub(1).map(|entry| index.entries[entry].max_timestamp_before);
        let (base_offset, end) = (segment.base_offset, segment.size_bytes);
        let file = segment.file(&*self.disk, &self.folder)?;
        let site = Site { disk: &*self.disk, folder: &self.folder };
        let mut walk = Walk::new(&**file, start, end);
        while let Some((_, header)) = walk.next().map_err(|e| site.walk_error(base_offset, e))? {
            if header.base_offset >= high_watermark {
                break;
            }
            best = best.max(Some(header.max_timestamp));
        }
        Ok(best)
    }
}

/// (timestamp, offset) of the first record of a batch that is wanted.
fn first_in_batch(
    file: &dyn DiskFile,
    position: u64,
    header: &BatchHeader,
    wanted: impl Fn(i64, i64) -> bool,
) -> Result<Option<(i64, i64)>, WalkError> {
    let batch = read_batch(file, position, header)?;
    for record in &batch.records(RecordLimits::default())? {
        let record = record?;
        if wanted(record.offset, record.timestamp_ms) {
            return Ok(Some((record.timestamp_ms, record.offset)));
        }
    }
    Ok(None)
}
