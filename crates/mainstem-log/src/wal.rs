//! The write-ahead log: small batches of all logs become durable together, with one sync for all of them (docs/adr/0017).
//! It is a ring of blocks that are there already. A [`Wal`] knows what is where, and does no I/O but its creation; a [`WalTicket`]
//! copies stretches of logs from their files into the ring, outside of locks, and syncs it.
//!
//! ```text
//! file `wal`, big endian: block 0: "MSW1" | crc32c u32 of it; then the ring, in blocks of 4 KiB
//! group:  "MSWG" | crc32c u32 of all that follows | number u64 | bytes u32, all of it | fixups u32 | fixup u32... | record...
//! record: folder_len u16 | segment i64 | position u64 | next_offset i64 | bytes u32 | folder | what is there in the segment
//! ```
//!
//! A group begins with a block. Its other blocks begin with "MSWC"; what stood there is in its fixups. So no bytes of a client pass
//! for a group.
//!
//! Invariants: what a record says is true for as long as its segment is the last one of its log, so writing it there again, at any
//! time and in any order, changes nothing (`wal_replay.rs`). Nothing is overwritten that a log has not synced itself; where that
//! would have to be, there is no room, and logs sync themselves. The file is begun anew by every start, after the old one was redone.
//! Does not know when a log is to be synced, nor who waits for it: the owner does.

use crate::error::{DiskContext, LogError};
use crate::sync::WalPart;
use mainstem_core::disk::{Disk, DiskFile};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

pub(crate) const FILE: &str = "wal";
const FILE_NEW: &str = "wal.new";
/// The folder of the file.
const ROOT: &str = "";
pub(crate) const FILE_MAGIC: [u8; 4] = *b"MSW1";
pub(crate) const GROUP_MAGIC: [u8; 4] = *b"MSWG";
pub(crate) const CONTINUED_MAGIC: [u8; 4] = *b"MSWC";
/// What a group is aligned to, so that no write touches a block that was acknowledged.
pub(crate) const BLOCK_BYTES: usize = 4 << 10;
pub(crate) const GROUP_HEAD_BYTES: usize = 24;
pub(crate) const RECORD_HEAD_BYTES: usize = 30;
/// The largest group; all of its fixups are in its first block.
pub(crate) const GROUP_BYTES_MAX: usize = 1 << 20;
/// A group takes at most one part in so many of the ring.
const GROUP_PART: u64 = 4;
/// A log that has more to make durable at once syncs itself: it would only be written twice.
const PART_BYTES_MAX: u64 = 128 << 10;
/// A log of which the ring has so much syncs itself: a large sync is felt by all groups that are written meanwhile.
const HEAVY_BYTES: u64 = 512 << 10;
/// So many zeros are written at once.
const ZEROS_BYTES: usize = 256 << 10;

/// How large the ring is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalSettings {
    /// At first: what a start has to write. 0: there is none.
    pub bytes: u64,
    /// Once it is written to.
    pub bytes_max: u64,
}

impl WalSettings {
    /// Every log syncs itself.
    pub const NONE: Self = Self { bytes: 0, bytes_max: 0 };
}

impl Default for WalSettings {
    fn default() -> Self {
        Self { bytes: 1 << 20, bytes_max: 64 << 20 }
    }
}

/// Where a group is: positions of a later lap come after all of the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    lap: u64,
    at: u64,
}

/// What the ring has of a log that it has not synced itself.
#[derive(Debug, Clone, Copy)]
struct Unsynced {
    oldest: Spot,
    bytes: u64,
}

/// The ring; `Id` is how the owner calls a log.
#[derive(Debug)]
pub struct Wal<Id> {
    file: Arc<dyn DiskFile>,
    settings: WalSettings,
    ring_bytes: u64,
    growing: bool,
    next: Spot,
    number: u64,
    logs: BTreeMap<Id, Unsynced>,
    by_age: BTreeSet<(Spot, Id)>,
    /// Logs that sync themselves, with what came since that began, which it does not cover.
    syncing: BTreeMap<Id, Option<Unsynced>>,
    /// Logs of which the ring has so much that they had better sync themselves.
    heavy: BTreeSet<Id>,
    spare: Vec<u8>,
}

/// Stretches of logs that become durable with one sync.
#[derive(Debug)]
pub struct WalTicket<Id> {
    file: Arc<dyn DiskFile>,
    position: u64,
    number: u64,
    parts: Vec<(Id, WalPart)>,
    buffer: Vec<u8>,
}

/// More room, to be made outside of locks.
#[derive(Debug)]
pub struct WalGrowth {
    file: Arc<dyn DiskFile>,
    from: u64,
    to: u64,
}

/// How many blocks a group of records needs.
#[derive(Debug, Clone, Copy, Default)]
struct Extent {
    record_bytes: usize,
}

impl Extent {
    fn with(self, part: &WalPart) -> Self {
        let part_bytes = RECORD_HEAD_BYTES + part.folder.len() + part.bytes as usize;
        Self { record_bytes: self.record_bytes + part_bytes }
    }

    /// Blocks that begin within the group, behind its first one.
    fn fixups(self) -> usize {
        let mut fixups = 0;
        while self.bytes_with(fixups).div_ceil(BLOCK_BYTES) - 1 > fixups {
            fixups += 1;
        }
        fixups
    }

    fn bytes_with(self, fixups: usize) -> usize {
        GROUP_HEAD_BYTES + 4 * fixups + self.record_bytes
    }

    fn padded(self) -> usize {
        self.bytes_with(self.fixups()).next_multiple_of(BLOCK_BYTES)
    }
}

impl<Id: Copy + Ord> Wal<Id> {
    /// Begins anew, in the place of what there was: all of that has to be durable in the logs.
    pub fn create(disk: &dyn Disk, settings: WalSettings) -> Result<Self, LogError> {
        let ring_bytes = settings.bytes.next_multiple_of(BLOCK_BYTES as u64);
        let file = disk.open(FILE_NEW, true).doing("creating", FILE_NEW)?;
        // A start that did not come to its end may have left it.
        file.set_size(0).doing("emptying", FILE_NEW)?;
        let mut head = vec![0; BLOCK_BYTES];
        head[..4].copy_from_slice(&FILE_MAGIC);
        head[4..8].copy_from_slice(&crc32c::crc32c(&FILE_MAGIC).to_be_bytes());
        file.write_all_at(0, &head).doing("writing", FILE_NEW)?;
        WalGrowth { file: Arc::clone(&file), from: 0, to: ring_bytes }
            .run()
            .doing("writing", FILE_NEW)?;
        disk.rename(FILE_NEW, FILE).doing("renaming", FILE_NEW)?;
        disk.sync_folder(ROOT).doing("syncing", ROOT)?;
        let file = disk.open_uncached(FILE).doing("opening", FILE)?;
        Ok(Self {
            file,
            settings,
            ring_bytes,
            growing: false,
            next: Spot { lap: 0, at: 0 },
            number: 0,
            logs: BTreeMap::new(),
            by_age: BTreeSet::new(),
            syncing: BTreeMap::new(),
            heavy: BTreeSet::new(),
            spare: Vec::new(),
        })
    }

    /// Removes what there was, durably: for who goes on without.
    pub fn remove(disk: &dyn Disk) -> Result<(), LogError> {
        crate::framed::remove_file(disk, FILE_NEW)?;
        crate::framed::remove_file(disk, FILE)?;
        disk.sync_folder(ROOT).doing("syncing", ROOT)
    }

    /// The most that a log hands in at once.
    pub fn part_bytes_max(&self) -> u64 {
        PART_BYTES_MAX.min(self.ring_bytes / GROUP_PART / 2)
    }

    fn group_bytes_max(&self) -> u64 {
        (GROUP_BYTES_MAX as u64).min(self.ring_bytes / GROUP_PART)
    }

    /// How large a group may be now; goes to the next lap where this one has no room for a large one. 0: logs have to sync
    /// themselves first.
    fn room(&mut self) -> u64 {
        let largest = self.group_bytes_max();
        let ahead = |wal: &Self| match wal.by_age.first() {
            Some((oldest, _)) if oldest.lap < wal.next.lap => oldest.at,
            _ => wal.ring_bytes,
        };
        if self.ring_bytes - self.next.at < largest && ahead(self) == self.ring_bytes {
            self.next = Spot { lap: self.next.lap + 1, at: 0 };
        }
        largest.min(ahead(self) - self.next.at) / BLOCK_BYTES as u64 * BLOCK_BYTES as u64
    }

    /// Has as many of the parts as there is room for made durable next, in their order. The others come back.
    pub fn place(
        &mut self,
        parts: Vec<(Id, WalPart)>,
    ) -> (Option<WalTicket<Id>>, Vec<(Id, WalPart)>) {
        let room = self.room() as usize;
        let (mut extent, mut placed, mut left) = (Extent::default(), Vec::new(), Vec::new());
        for (id, part) in parts {
            let with = extent.with(&part);
            if with.padded() <= room {
                extent = with;
                placed.push((id, part));
            } else {
                left.push((id, part));
            }
        }
        if placed.is_empty() {
            return (None, left);
        }
        let heavy_bytes = HEAVY_BYTES.min(self.settings.bytes_max / 4);
        for (id, part) in &placed {
            let new = Unsynced { oldest: self.next, bytes: 0 };
            let log = self.logs.entry(*id).or_insert_with(|| {
                self.by_age.insert((new.oldest, *id));
                new
            });
            log.bytes += u64::from(part.bytes);
            if log.bytes >= heavy_bytes {
                self.heavy.insert(*id);
            }
            if let Some(since) = self.syncing.get_mut(id) {
                since.get_or_insert(new).bytes += u64::from(part.bytes);
            }
        }
        let ticket = WalTicket {
            file: Arc::clone(&self.file),
            position: BLOCK_BYTES as u64 + self.next.at,
            number: self.number,
            parts: placed,
            buffer: std::mem::take(&mut self.spare),
        };
        self.number += 1;
        self.next.at += extent.padded() as u64;
        (Some(ticket), left)
    }

    /// Takes back a ticket that has run, well or not; what it had stays where it is until its logs are synced.
    pub fn end(&mut self, ticket: WalTicket<Id>) -> Vec<(Id, WalPart)> {
        self.spare = ticket.buffer;
        ticket.parts
    }

    /// A log that had better sync itself now, because the ring has much of it or comes near to what it has.
    pub fn overdue(&self) -> Option<Id> {
        let waits = |id: &Id| !self.syncing.contains_key(id);
        let behind = |spot: &Spot| {
            let laps = self.next.lap - spot.lap;
            laps * self.ring_bytes + self.next.at - spot.at > self.ring_bytes / 2
        };
        let old = self.by_age.iter().take_while(|(spot, _)| behind(spot)).map(|(_, id)| id);
        self.heavy.iter().chain(old).find(|id| waits(id)).copied()
    }

    /// A log begins to sync itself, up to its end.
    pub fn log_sync_begins(&mut self, id: Id) {
        self.syncing.insert(id, None);
    }

    /// That has ended. What it covers need not be kept.
    pub fn log_sync_ends(&mut self, id: Id, succeeded: bool) {
        let since = self.syncing.remove(&id).flatten();
        if !succeeded {
            return;
        }
        self.forget(id);
        if let Some(since) = since {
            self.by_age.insert((since.oldest, id));
            self.logs.insert(id, since);
        }
    }

    /// What the ring has of a log need not be kept: the log is no more, or all of it is synced.
    pub fn forget(&mut self, id: Id) {
        self.heavy.remove(&id);
        self.syncing.remove(&id);
        if let Some(log) = self.logs.remove(&id) {
            self.by_age.remove(&(log.oldest, id));
        }
    }

    /// More room, if half of what a start gave it is used: to be made while there is still some.
    pub fn grow(&mut self) -> Option<WalGrowth> {
        let used = self.next.lap > 0 || self.next.at > self.ring_bytes / 2;
        let to = self.settings.bytes_max.next_multiple_of(BLOCK_BYTES as u64);
        if self.growing || !used || self.ring_bytes >= to {
            return None;
        }
        self.growing = true;
        Some(WalGrowth { file: Arc::clone(&self.file), from: self.ring_bytes, to })
    }

    /// There is more room, or there will never be.
    pub fn grown(&mut self, growth: &WalGrowth, succeeded: bool) {
        if succeeded {
            self.ring_bytes = growth.to;
            self.growing = false;
        }
    }
}

impl WalGrowth {
    /// Writes and syncs.
    pub fn run(&self) -> io::Result<()> {
        let mut zeros = Vec::new();
        let zeros = aligned(&mut zeros, ZEROS_BYTES);
        let mut at = self.from;
        while at < self.to {
            let zeros = &zeros[..zeros.len().min((self.to - at) as usize)];
            self.file.write_all_at(BLOCK_BYTES as u64 + at, zeros)?;
            at += zeros.len() as u64;
        }
        self.file.sync()
    }
}

impl<Id> WalTicket<Id> {
    /// What it had.
    pub fn into_parts(self) -> Vec<(Id, WalPart)> {
        self.parts
    }

    /// Writes and syncs.
    pub fn run(&mut self) -> io::Result<()> {
        let extent =
            self.parts.iter().fold(Extent::default(), |extent, (_, part)| extent.with(part));
        let (fixups, padded) = (extent.fixups(), extent.padded());
        let bytes = extent.bytes_with(fixups);
        let group = aligned(&mut self.buffer, padded);
        let mut at = GROUP_HEAD_BYTES + 4 * fixups;
        for (_, part) in &self.parts {
            at += part.write_record(&mut group[at..])?;
        }
        group[bytes..].fill(0);
        for block in 1..=fixups {
            let (begin, fixup) = (block * BLOCK_BYTES, GROUP_HEAD_BYTES + 4 * (block - 1));
            group.copy_within(begin..begin + 4, fixup);
            group[begin..begin + 4].copy_from_slice(&CONTINUED_MAGIC);
        }
        group[..4].copy_from_slice(&GROUP_MAGIC);
        group[8..16].copy_from_slice(&self.number.to_be_bytes());
        group[16..20].copy_from_slice(&(bytes as u32).to_be_bytes());
        group[20..24].copy_from_slice(&(fixups as u32).to_be_bytes());
        let crc = crc32c::crc32c(&group[8..bytes]);
        group[4..8].copy_from_slice(&crc.to_be_bytes());
        self.file.write_all_at(self.position, group)?;
        self.file.sync()
    }
}

/// So many bytes of a buffer, from where a block may begin in memory.
fn aligned(buffer: &mut Vec<u8>, bytes: usize) -> &mut [u8] {
    if buffer.len() < bytes + BLOCK_BYTES {
        buffer.resize(bytes + BLOCK_BYTES, 0);
    }
    let begin = buffer.as_ptr().align_offset(BLOCK_BYTES);
    &mut buffer[begin..begin + bytes]
}

impl WalPart {
    /// Writes it as a record, with what stands in the log's file; returns how long that is.
    fn write_record(&self, out: &mut [u8]) -> io::Result<usize> {
        let head_bytes = RECORD_HEAD_BYTES + self.folder.len();
        let (head, rest) = out.split_at_mut(head_bytes);
        head[..2].copy_from_slice(&(self.folder.len() as u16).to_be_bytes());
        head[2..10].copy_from_slice(&self.place.segment.to_be_bytes());
        head[10..18].copy_from_slice(&self.position.to_be_bytes());
        head[18..26].copy_from_slice(&self.covers.to_be_bytes());
        head[26..30].copy_from_slice(&self.bytes.to_be_bytes());
        head[30..].copy_from_slice(self.folder.as_bytes());
        self.file.read_exact_at(self.position, &mut rest[..self.bytes as usize])?;
        Ok(head_bytes + self.bytes as usize)
    }
}
