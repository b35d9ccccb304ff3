//! Opening a log: what is on the disk is put in order, the unsynced tail is read and cut at its first bad byte.
//! Invariant: of what was synced nothing is lost, and nothing that fails its CRC is ever served from the tail. Segments below the
//! trusted offset are taken by name and size. Trusted is what the caller says (`recovery_point`) and what the newest stored index
//! says was durable when it was written, whichever is more; so a crash costs the reading of some 32 MiB, not of the log.
//!
//! Damage of what was trusted is met by chance, where headers are read. Where batches do not fit to each other any more, the segment
//! is read whole, up to the first one that is bad. If that is below the trusted offset, an owner that cannot do without is refused
//! (`refuse_damage`), and for others the log goes on with the next segment, if there is one. Else the log is cut there: what comes
//! after it cannot be told from what never was. Either is said; a cut by the next opening, too, until it was told (`cut_note.rs`).
//! A marker that cannot be read costs nothing but itself: how its transaction ended is not known, and that is said.
//!
//! Order: a swap of compaction that was decided is completed; leftovers go; segments below the log's start go; the tail is
//! scanned (length, magic, CRC, offsets without gaps but where compaction made them); segments after a cut go; the producers
//! are read from the newest snapshot and the headers after it; what was scanned is synced.

use crate::checkpoint::Checkpoint;
use crate::compaction_swap::complete_swap;
use crate::cut_note::CutNote;
use crate::error::{DiskContext, LogError};
use crate::framed;
use crate::index::Index;
use crate::log::{Log, Place, parent_of, snapshot_path};
use crate::producer_state::Producers;
use crate::record_batch::{BatchError, BatchHeader};
use crate::replay::{Damaged, Site, note_batch, read_batch};
use crate::segment::{Segment, Walk, WalkError, index_path, log_path};
use crate::settings::LogSettings;
use crate::sync::Walled;
use mainstem_core::disk::{Disk, DiskFile};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// What opening found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes cut off the end, later segments included; by an earlier opening, too, until [`Log::cut_is_told`].
    pub truncated_bytes: u64,
    /// Bytes whose checksums were read.
    pub scanned_bytes: u64,
    /// Why bytes were cut off, or what else was mended.
    pub reason: Option<String>,
    /// Whether all of the log was trusted, after a clean shutdown.
    pub clean: bool,
}

impl Recovery {
    /// Adds to what there is to say.
    fn say(&mut self, said: String) {
        self.reason = Some(match self.reason.take() {
            Some(before) => format!("{before}; {said}"),
            None => said,
        });
    }
}

/// A log on its way to being open.
struct Opening<'a> {
    site: Site<'a>,
    interval_bytes: u32,
    now_ms: i64,
    checkpoint: Checkpoint,
    /// Offsets may be missing below.
    gaps_below: i64,
    segments: VecDeque<Segment>,
    snapshots: Vec<i64>,
    log_end_offset: i64,
    /// Snapshots after this may miss aborted transactions in an index that was built anew.
    replay_from_max: i64,
    names_changed: bool,
    refuse_damage: bool,
    note: CutNote,
    recovery: Recovery,
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
        let site = Site { disk: &*disk, folder };
        let mut opening = Opening::look(site, &settings, clean, now_ms)?;
        let producers = match opening.open_clean(clean)? {
            Some(producers) => producers,
            None => opening.recover(recovery_point)?,
        };
        let Opening { checkpoint, segments, snapshots, log_end_offset, note, recovery, .. } =
            opening;
        let first = segments.back().and_then(Segment::loaded_index);
        let since = first.map_or(now_ms, |index| index.first_timestamp.clamp(0, now_ms.max(0)));
        let names_unsynced = !recovery.clean && !segments.is_empty();
        let mut log = Self {
            folder: folder.to_owned(),
            settings,
            segments,
            producers,
            checkpoint,
            log_end_offset,
            high_watermark: log_end_offset,
            high_watermark_place: Place::default(),
            limit_place: None,
            recovery_point: log_end_offset,
            syncing: false,
            walled: Walled::default(),
            // A killed process may have left names that are not durable, of a segment without a batch for one.
            names_unsynced,
            folder_unsynced: names_unsynced,
            bytes_since_checkpoint: 0,
            storing: false,
            poisoned: None,
            snapshots,
            durable_snapshot: i64::MIN,
            recent: VecDeque::new(),
            active_since_ms: since,
            opened_ms: now_ms,
            compacting: false,
            unlinks: VecDeque::new(),
            cut_noted: note != CutNote::default(),
            disk,
        };
        log.high_watermark_place = log.end_place();
        log.producers.forget_ended(log.high_watermark);
        Ok((log, recovery))
    }
}

impl<'a> Opening<'a> {
    /// What is in the folder, without the leftovers of a crash.
    fn look(
        site: Site<'a>,
        settings: &LogSettings,
        clean: bool,
        now_ms: i64,
    ) -> Result<Self, LogError> {
        complete_swap(&site)?;
        let mut recovery = Recovery::default();
        let note = CutNote::load(site.disk, site.folder)?;
        if let Some(note) = &note {
            recovery.truncated_bytes = note.cut_bytes;
            recovery.say(note.said.clone());
        }
        let mut bases = Vec::new();
        let mut snapshots = Vec::new();
        for name in site.disk.list(site.folder).doing("listing", site.folder)? {
            if name.ends_with(".cleaned") || name.ends_with(".tmp") {
                site.remove(&name)?;
            } else if let Some(offset) = offset_of(&name, ".log") {
                bases.push(offset);
            } else if let Some(offset) = offset_of(&name, ".snapshot") {
                snapshots.push(offset);
            }
        }
        let mut checkpoint = Checkpoint::default();
        let mut gaps_below = i64::MIN;
        match Checkpoint::load(site.disk, site.folder)? {
            None => {}
            Some(Some(stored)) => {
                // A killed process may have left the file's name unsynced; what it says will be told from now on.
                if !clean && stored.log_start_offset > 0 {
                    site.sync_folder()?;
                }
                checkpoint = stored;
                gaps_below = stored.first_dirty_offset;
            }
            Some(None) => {
                recovery.say("log.checkpoint was damaged".to_owned());
                gaps_below = i64::MAX;
            }
        }
        // What is below the start goes; but as long as there is no snapshot, the producers are to be read there.
        let start = checkpoint.log_start_offset;
        let mut gone = bases.partition_point(|base| *base <= start).saturating_sub(1);
        if gone > 0 && !site.make_snapshot_durable(bases[gone])? {
            gone = 0;
        }
        for base_offset in bases.drain(..gone) {
            remove_segment(&site, base_offset)?;
        }
        let mut segments = VecDeque::with_capacity(bases.len());
        for base_offset in bases {
            segments.push_back(Segment::found(site.disk, site.folder, base_offset)?);
        }
        if let Some(first) = segments.front() {
            checkpoint.log_start_offset = checkpoint.log_start_offset.max(first.base_offset);
        }
        Ok(Self {
            site,
            interval_bytes: settings.index_interval_bytes,
            now_ms,
            log_end_offset: checkpoint.log_start_offset,
            checkpoint,
            gaps_below,
            segments,
            snapshots,
            replay_from_max: i64::MAX,
            names_changed: false,
            refuse_damage: settings.refuse_damage,
            note: note.unwrap_or_default(),
            recovery,
        })
    }

    /// After a clean shutdown: the stored index is that of the whole active segment, and there is a snapshot for its end.
    fn open_clean(&mut self, clean: bool) -> Result<Option<Producers>, LogError> {
        let Some(active) = self.segments.back_mut().filter(|_| clean) else {
            return Ok(None);
        };
        let stored = active.stored_index(self.site.disk, self.site.folder)?;
        let Some(index) = stored.filter(|index| index.size_bytes == active.size_bytes) else {
            return Ok(None);
        };
        let end = index.next_offset.max(self.checkpoint.log_start_offset);
        let (at, producers) = self.site.newest_snapshot(&self.snapshots, index.next_offset)?;
        if at != index.next_offset || end != index.next_offset {
            return Ok(None);
        }
        active.set_index(index);
        self.log_end_offset = end;
        self.recovery.clean = true;
        Ok(Some(producers))
    }

    fn recover(&mut self, recovery_point: i64) -> Result<Producers, LogError> {
        let trusted = self.trusted_offset(recovery_point)?;
        let after = self.segments.partition_point(|segment| segment.base_offset <= trusted);
        let first = after.saturating_sub(1);
        if let Some(segment) = self.segments.get(first) {
            self.log_end_offset = segment.base_offset;
        }
        let mut at = first;
        while at < self.segments.len() {
            let bad = self.scan(at, trusted, false)?.or_else(|| self.gap_behind(at));
            if let Some(bad) = bad
                && !self.trim_zeros(at, trusted)?
                && !self.pass_damage(at, trusted, &bad)?
            {
                self.cut(at, &bad)?;
                break;
            }
            at += 1;
        }
        self.miss(trusted)?;
        self.skip_to_start()?;
        self.forget_lost(first)?;
        let producers = self.replay_producers()?;
        if self.recovery.scanned_bytes > 0 || self.recovery.truncated_bytes > 0 {
            self.sync(first)?;
        } else if self.names_changed {
            self.site.sync_folder()?;
        }
        Ok(producers)
    }

    /// Whether a batch or segment may come next.
    fn follows(&self, offset: i64) -> bool {
        offset == self.log_end_offset
            || (offset > self.log_end_offset && self.log_end_offset < self.gaps_below)
    }

    /// What is wrong if the next segment does not follow on what was read of segment `at`.
    fn gap_behind(&self, at: usize) -> Option<BatchError> {
        let found = self.segments.get(at + 1)?.base_offset;
        let expected = self.log_end_offset;
        (!self.follows(found)).then_some(BatchError::WrongOffset { expected, found })
    }

    /// What was trusted is damaged or missing at the end of what was read of segment `at`. Segments behind it were begun when all
    /// of it was durable, so they are no leftovers: the log goes on with them. What is left of this one stays, to be read up to
    /// the damage. False if the damage is not below the trusted offset, or nothing follows it.
    fn pass_damage(&mut self, at: usize, trusted: i64, bad: &BatchError) -> Result<bool, LogError> {
        let offset = self.log_end_offset;
        if offset >= trusted {
            return Ok(false);
        }
        self.refuse(offset, bad)?;
        let Some(next) = self.segments.get(at + 1).map(|segment| segment.base_offset) else {
            return Ok(false);
        };
        if next <= offset {
            return Ok(false);
        }
        let segment = &mut self.segments[at];
        segment.drop_index();
        let path = log_path(self.site.folder, segment.base_offset);
        self.site.disk_remove_index(segment.base_offset)?;
        self.recovery.say(format!(
            "{path} is damaged and stays: offsets {offset} to {next} cannot be read, those behind them can: {bad}"
        ));
        self.log_end_offset = next;
        Ok(true)
    }

    /// Says what was synced once and is not there any more, if it was not cut off. A log without a segment goes on behind it: where it
    /// was stood in the checkpoint alone, and offsets that were given away are not given again.
    fn miss(&mut self, trusted: i64) -> Result<(), LogError> {
        let end = self.log_end_offset.max(self.checkpoint.log_start_offset);
        if end >= trusted || self.recovery.truncated_bytes > 0 {
            return Ok(());
        }
        let missing = BatchError::Missing { synced: trusted };
        self.refuse(end, &missing)?;
        self.recovery.say(format!("the log ends at offset {end}: {missing}"));
        if self.segments.is_empty() {
            self.checkpoint.log_start_offset = trusted;
            self.log_end_offset = trusted;
        }
        Ok(())
    }

    /// For a log that rather stays closed than goes on without what it promised.
    fn refuse(&self, offset: i64, bad: &BatchError) -> Result<(), LogError> {
        if !self.refuse_damage {
            return Ok(());
        }
        let folder = self.site.folder.to_owned();
        Err(LogError::Corrupt { folder, offset, source: bad.clone() })
    }

    /// Everything below was durable: the caller's word, or that of the newest index that says anything.
    fn trusted_offset(&self, recovery_point: i64) -> Result<i64, LogError> {
        for segment in self.segments.iter().rev() {
            if segment.base_offset <= recovery_point {
                let stored = segment.stored_index(self.site.disk, self.site.folder)?;
                let synced = stored.map_or(recovery_point, |index| index.synced_offset);
                return Ok(recovery_point.max(synced));
            }
            if let Some(index) = segment.stored_index(self.site.disk, self.site.folder)?
                && index.synced_offset > segment.base_offset
            {
                return Ok(index.synced_offset);
            }
        }
        Ok(recovery_point)
    }

    /// Reads a segment from the trusted offset to its end, or to the first bad byte, where it is cut in memory. A `thorough`
    /// scan trusts nothing of it.
    fn scan(
        &mut self,
        at: usize,
        trusted: i64,
        thorough: bool,
    ) -> Result<Option<BatchError>, LogError> {
        let site = self.site;
        let next_base = self.segments.get(at + 1).map(|segment| segment.base_offset);
        let segment = &mut self.segments[at];
        let size_bytes = segment.size_bytes;
        let stored = match thorough {
            true => None,
            false => segment.stored_index(site.disk, site.folder)?,
        };
        let base_offset = segment.base_offset;
        let covered = stored.as_ref().map_or(base_offset, |index| index.synced_offset);
        // A snapshot at the beginning of a segment misses nothing of it.
        let covered = covered.max(base_offset);
        let file = Arc::clone(segment.file(site.disk, site.folder)?);
        let mut index = match stored {
            Some(stored) => resume(stored, trusted, size_bytes),
            None => Index::new(segment.base_offset),
        };
        let mut walk = Walk::new(&*file, index.size_bytes, size_bytes);
        self.log_end_offset = index.next_offset;
        let mut bad = None;
        let mut before = None;
        loop {
            let scanned = thorough || index.next_offset >= trusted;
            match next_of(&mut walk, &*file, scanned) {
                Ok(None) => break,
                Ok(Some((position, header))) if self.follows(header.base_offset) => {
                    note_batch(&mut index, &header, self.interval_bytes);
                    self.log_end_offset = index.next_offset;
                    if scanned {
                        self.recovery.scanned_bytes += header.size_bytes as u64;
                    }
                    before = (!scanned).then_some((position, header));
                }
                Ok(Some((_, header))) => {
                    let (expected, found) = (self.log_end_offset, header.base_offset);
                    bad = Some(BatchError::WrongOffset { expected, found });
                    break;
                }
                Err(WalkError::Batch(e)) => {
                    bad = Some(e);
                    break;
                }
                Err(e @ WalkError::Disk(_)) => return Err(site.walk_error(base_offset, e)),
            }
        }
        let headers_only = before.is_some() || index.next_offset < trusted;
        let doubtful = match (&bad, next_base) {
            (Some(_), _) => {
                index.next_offset < trusted || site.is_damaged(base_offset, &*file, before)?
            }
            (None, Some(next)) => headers_only && !self.follows(next),
            (None, None) => index.next_offset < trusted,
        };
        if doubtful && !thorough {
            // The index led astray, or what was trusted is damaged: only the segment itself can tell where.
            self.log_end_offset = base_offset;
            return self.scan(at, trusted, true);
        }
        if thorough && bad.is_none() {
            site.disk_remove_index(base_offset)?;
        }
        if covered < index.next_offset {
            self.replay_from_max = self.replay_from_max.min(covered);
        }
        self.segments[at].set_index(index);
        Ok(bad)
    }

    /// Whether all that comes after what was good of segment `at` are zeros, as a loss of power leaves them where a file had become
    /// longer, and nothing was written yet. Then they are taken off, and nothing was lost.
    fn trim_zeros(&mut self, at: usize, trusted: i64) -> Result<bool, LogError> {
        if at + 1 < self.segments.len() || self.log_end_offset < trusted {
            return Ok(false);
        }
        let site = self.site;
        let segment = &mut self.segments[at];
        let good = segment.loaded_index().expect("the segment was scanned").size_bytes;
        let path = log_path(site.folder, segment.base_offset);
        let file = Arc::clone(segment.file(site.disk, site.folder)?);
        if !is_zero(&*file, good, segment.size_bytes).doing("reading", &path)? {
            return Ok(false);
        }
        segment.size_bytes = good;
        segment.synced_bytes = good;
        segment.trim(site.disk, site.folder)?;
        Ok(true)
    }

    /// Cuts the log after what was good of segment `at`, once there is a note of it.
    fn cut(&mut self, at: usize, bad: &BatchError) -> Result<(), LogError> {
        let site = self.site;
        let segment = &self.segments[at];
        let good = segment.loaded_index().expect("the segment was scanned").size_bytes;
        let path = log_path(site.folder, segment.base_offset);
        let behind = self.segments.range(at + 1..);
        let behind_bytes: u64 = behind.clone().map(|segment| segment.size_bytes).sum();
        let end = self.log_end_offset;
        let place = format!("{path} was cut at byte {good}, offset {end}:");
        let mut said = format!("{place} {bad}");
        if let (Some(next), count) = (self.segments.get(at + 1), behind.len()) {
            let next = next.base_offset;
            said = format!(
                "{said}; with it went {count} later segments from offset {next} on, {behind_bytes} bytes"
            );
        }
        let cut_bytes = behind_bytes + (segment.size_bytes - good);
        if self.note.add(cut_bytes, &place, &said) {
            self.note.store(site.disk, site.folder)?;
            self.recovery.truncated_bytes += cut_bytes;
            self.recovery.say(said);
        }
        while self.segments.len() > at + 1 {
            let segment = self.segments.pop_back().expect("there are more than at + 1");
            remove_segment(&site, segment.base_offset)?;
        }
        let segment = &mut self.segments[at];
        if good < segment.size_bytes {
            let file = segment.file(site.disk, site.folder)?;
            file.set_size(good).doing("cutting", &path)?;
            segment.size_bytes = good;
            segment.synced_bytes = good;
            site.disk_remove_index(segment.base_offset)?;
        }
        Ok(())
    }

    /// Snapshots and indexes that tell of batches which are lost: others will take these offsets.
    fn forget_lost(&mut self, first: usize) -> Result<(), LogError> {
        let (site, end) = (self.site, self.log_end_offset);
        for snapshot in self.snapshots.extract_if(.., |offset| *offset > end) {
            framed::remove_file(site.disk, &snapshot_path(site.folder, snapshot))?;
            self.names_changed = true;
        }
        for segment in self.segments.iter().skip(first) {
            if let Some(stored) = segment.stored_index(site.disk, site.folder)?
                && (stored.next_offset > end || stored.size_bytes > segment.size_bytes)
            {
                site.disk_remove_index(segment.base_offset)?;
                self.names_changed = true;
            }
        }
        Ok(())
    }

    /// A log that ends before its start lost an unsynced tail that had been given up anyway: it goes on empty.
    fn skip_to_start(&mut self) -> Result<(), LogError> {
        let start = self.checkpoint.log_start_offset;
        if self.log_end_offset < start {
            for segment in std::mem::take(&mut self.segments) {
                remove_segment(&self.site, segment.base_offset)?;
            }
            self.log_end_offset = start;
        }
        Ok(())
    }

    fn replay_producers(&mut self) -> Result<Producers, LogError> {
        let from_max = self.log_end_offset.min(self.replay_from_max);
        let (from, mut producers) = self.site.newest_snapshot(&self.snapshots, from_max)?;
        let first = self.segments.partition_point(|segment| segment.base_offset <= from);
        for segment in self.segments.iter_mut().skip(first.saturating_sub(1)) {
            let mut found = Vec::new();
            let damaged =
                self.site.replay(segment, from, &mut producers, self.now_ms, |aborted| {
                    found.push(aborted)
                })?;
            for Damaged { offset, why, .. } in damaged {
                self.recovery.say(format!(
                    "a batch at or after offset {offset} is damaged, producers and transactions may be wrong: {why}"
                ));
            }
            let Some(index) = segment.loaded_index_mut() else { continue };
            for aborted in found {
                let known = index.aborted.last().map_or(i64::MIN, |last| last.last_offset);
                if aborted.last_offset > known {
                    index.aborted.push(aborted);
                }
            }
        }
        Ok(producers)
    }

    /// What was read after a crash may be in the system's memory only; it will be served, so it must be durable.
    fn sync(&mut self, first: usize) -> Result<(), LogError> {
        let site = self.site;
        for segment in self.segments.iter_mut().skip(first) {
            let path = log_path(site.folder, segment.base_offset);
            segment.file(site.disk, site.folder)?.sync().doing("syncing", &path)?;
        }
        site.sync_folder()?;
        let parent = parent_of(site.folder);
        site.disk.sync_folder(parent).doing("syncing", parent)
    }
}

impl Site<'_> {
    /// Makes sure that the snapshot at an offset outlives a loss of power; false if there is no good one. Nobody knows whether
    /// the process that stored it had synced it, or whether that sync failed, so it is written again.
    fn make_snapshot_durable(&self, offset: i64) -> Result<bool, LogError> {
        let path = snapshot_path(self.folder, offset);
        let bytes = framed::read_file(self.disk, &path)?;
        let Some(bytes) = bytes.filter(|bytes| Producers::decode(offset, bytes).is_some()) else {
            return Ok(false);
        };
        framed::write_file(self.disk, &path, &bytes, true).doing("writing", &path)?;
        self.sync_folder()?;
        Ok(true)
    }

    /// Whether a batch that was trusted is bad: then what does not follow it may be good.
    fn is_damaged(
        &self,
        base_offset: i64,
        file: &dyn DiskFile,
        batch: Option<(u64, BatchHeader)>,
    ) -> Result<bool, LogError> {
        let Some((position, header)) = batch else { return Ok(false) };
        match read_batch(file, position, &header) {
            Ok(_) => Ok(false),
            Err(WalkError::Batch(_)) => Ok(true),
            Err(e @ WalkError::Disk(_)) => Err(self.walk_error(base_offset, e)),
        }
    }

    fn disk_remove_index(&self, base_offset: i64) -> Result<(), LogError> {
        framed::remove_file(self.disk, &index_path(self.folder, base_offset))
    }
}

/// The next batch of a segment; `scanned` with its checksum.
fn next_of(
    walk: &mut Walk<'_>,
    file: &dyn DiskFile,
    scanned: bool,
) -> Result<Option<(u64, BatchHeader)>, WalkError> {
    if !scanned {
        return walk.next();
    }
    let Some((position, header, bytes)) = walk.next_checked()? else { return Ok(None) };
    // If a sync failed before the restart, the system may show bytes that it will never write back: this makes them new again.
    file.write_all_at(position, bytes)?;
    Ok(Some((position, header)))
}

/// Whether a file has nothing but zeros in a range.
fn is_zero(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<bool> {
    let mut buffer = vec![0; 64 << 10];
    let mut at = from;
    while at < to {
        let part = (to - at).min(buffer.len() as u64) as usize;
        file.read_exact_at(at, &mut buffer[..part])?;
        if buffer[..part].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += part as u64;
    }
    Ok(true)
}

fn remove_segment(site: &Site<'_>, base_offset: i64) -> Result<(), LogError> {
    framed::remove_file(site.disk, &log_path(site.folder, base_offset))?;
    site.disk_remove_index(base_offset)
}

/// A stored index up to its last entry that is trusted and inside of the file. What it says of batches that were not durable
/// when it was written may be about batches that are lost.
fn resume(mut stored: Index, trusted: i64, size_bytes: u64) -> Index {
    let base_offset = stored.base_offset;
    let trusted = trusted.min(stored.synced_offset);
    let known = stored.entries.partition_point(|entry| {
        base_offset + i64::from(entry.offset_delta) <= trusted
            && u64::from(entry.position) < size_bytes
    });
    stored.aborted.retain(|aborted| aborted.last_offset < trusted);
    match known.checked_sub(1) {
        Some(last) => {
            stored.truncate_entries(last);
            stored
        }
        None => Index { aborted: stored.aborted, ..Index::new(base_offset) },
    }
}

/// The offset in a file's name.
pub(crate) fn offset_of(name: &str, suffix: &str) -> Option<i64> {
    let digits = name.strip_suffix(suffix)?;
    let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}
