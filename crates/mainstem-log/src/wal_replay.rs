//! What the write-ahead log of the last run has, put back into the files of the logs before they are opened.
//! A record is a stretch of a segment as it was written. It is written there again if no later segment is there: one that has a
//! successor was synced when it was closed, and may have been compacted or given up since. So what is redone twice, or was never
//! lost, stays as it is.
//! Invariant: when [`WalReplay::redo`] returned Ok, all that was acknowledged of that log is in its files, durably, with all names;
//! its opening finds it there. Groups that cannot be read are passed over: the owner learns where the records of a log end, and sees
//! whether the log comes so far.

use crate::error::{DiskContext, LogError};
use crate::framed;
use crate::log::parent_of;
use crate::recovery::offset_of;
use crate::segment::log_path;
use crate::wal::{BLOCK_BYTES, CONTINUED_MAGIC, FILE, FILE_MAGIC, GROUP_HEAD_BYTES, GROUP_MAGIC};
use mainstem_core::disk::Disk;
use std::collections::BTreeMap;
use std::ops::Range;

/// The records of the last run, by the folders of their logs.
#[derive(Debug, Default)]
pub struct WalReplay {
    bytes: Vec<u8>,
    logs: BTreeMap<String, Vec<Record>>,
    damage: Option<String>,
}

/// A stretch of a segment.
#[derive(Debug, Clone)]
struct Record {
    /// Of the group that it is in.
    number: u64,
    segment: i64,
    position: u64,
    next_offset: i64,
    /// Where it is in the file.
    bytes: Range<usize>,
}

impl WalReplay {
    /// Reads all of the file; nothing if there is none.
    pub fn read(disk: &dyn Disk) -> Result<Self, LogError> {
        let Some(bytes) = framed::read_file(disk, FILE)? else { return Ok(Self::default()) };
        let mut replay = Self { bytes, ..Self::default() };
        if !replay.is_one() {
            replay.damage = Some(format!(
                "{FILE} is damaged: what it alone had of records that were acknowledged is lost"
            ));
            return Ok(replay);
        }
        let mut at = BLOCK_BYTES;
        while at < replay.bytes.len() {
            let blocks = replay.read_group(at).map_or(1, |bytes| bytes.div_ceil(BLOCK_BYTES));
            at += blocks * BLOCK_BYTES;
        }
        for records in replay.logs.values_mut() {
            records.sort_by_key(|record| record.number);
        }
        Ok(replay)
    }

    /// What there is to say of the file itself.
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    fn is_one(&self) -> bool {
        let Some((magic, rest)) = self.bytes.split_first_chunk::<4>() else { return false };
        let crc = rest.first_chunk::<4>().map(|crc| u32::from_be_bytes(*crc));
        *magic == FILE_MAGIC && crc == Some(crc32c::crc32c(&FILE_MAGIC))
    }

    /// Takes the records of a group that begins here; returns how long it is, if there is one and it is whole.
    fn read_group(&mut self, at: usize) -> Option<usize> {
        let group = self.bytes.get_mut(at..)?;
        let head: &[u8; GROUP_HEAD_BYTES] = group.first_chunk()?;
        let mut fields = framed::Fields::new(head);
        let (magic, crc) = (fields.bytes::<4>()?, fields.u32()?);
        let (number, bytes, fixups) =
            (fields.u64()?, fields.u32()? as usize, fields.u32()? as usize);
        if magic != GROUP_MAGIC || bytes < GROUP_HEAD_BYTES {
            return None;
        }
        let group = group.get_mut(..bytes)?;
        if crc32c::crc32c(&group[8..]) != crc || fixups != bytes.div_ceil(BLOCK_BYTES) - 1 {
            return None;
        }
        for block in 1..=fixups {
            let (begin, fixup) = (block * BLOCK_BYTES, GROUP_HEAD_BYTES + 4 * (block - 1));
            if group[begin..begin + 4] != CONTINUED_MAGIC {
                return None;
            }
            group.copy_within(fixup..fixup + 4, begin);
        }
        let mut next = GROUP_HEAD_BYTES + 4 * fixups;
        while next < bytes {
            let mut fields = framed::Fields::new(&group[next..]);
            let folder_bytes = usize::from(fields.u16()?);
            let (segment, position) = (fields.i64()?, fields.u64()?);
            let (next_offset, record_bytes) = (fields.i64()?, fields.u32()? as usize);
            let folder = fields.take(folder_bytes)?;
            let folder = std::str::from_utf8(folder).ok()?.to_owned();
            fields.take(record_bytes)?;
            let begin = next + (group.len() - next - fields.rest().len()) - record_bytes;
            next = begin + record_bytes;
            let bytes = at + begin..at + next;
            let record = Record { number, segment, position, next_offset, bytes };
            self.logs.entry(folder).or_default().push(record);
        }
        Some(bytes)
    }

    /// The folders of logs that were not redone yet.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.logs.keys().map(String::as_str)
    }

    /// How many records there are of a log.
    #[cfg(test)]
    pub(crate) fn records(&self, folder: &str) -> usize {
        self.logs.get(folder).map_or(0, Vec::len)
    }

    /// Puts back what there is of a log, of which everything below `recovery_point` is known to be durable. To be called before it
    /// is opened, once. Returns the offset up to which the log has to come; `None` if nothing is to be known of it here.
    pub fn redo(
        &mut self,
        disk: &dyn Disk,
        folder: &str,
        recovery_point: i64,
    ) -> Result<Option<i64>, LogError> {
        let mut records = self.logs.remove(folder).unwrap_or_default();
        records.retain(|record| record.next_offset > recovery_point);
        let Some(end) = records.iter().map(|record| record.next_offset).max() else {
            return Ok(None);
        };
        disk.create_folder(folder).doing("creating", folder)?;
        let names = disk.list(folder).doing("listing", folder)?;
        let last = names.iter().filter_map(|name| offset_of(name, ".log")).max();
        records.retain(|record| last.is_none_or(|last| record.segment >= last));
        for segment in records.chunk_by(|one, next| one.segment == next.segment) {
            let path = log_path(folder, segment[0].segment);
            let file = disk.open(&path, true).doing("opening", &path)?;
            for Record { position, bytes, .. } in segment {
                file.write_all_at(*position, &self.bytes[bytes.clone()]).doing("writing", &path)?;
            }
            file.sync().doing("syncing", &path)?;
        }
        let mut named = folder;
        loop {
            disk.sync_folder(named).doing("syncing", named)?;
            if named.is_empty() {
                return Ok(Some(end));
            }
            named = parent_of(named);
        }
    }
}
