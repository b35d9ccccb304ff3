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
use crate::wal::{
    BLOCK_BYTES, CONTINUED_MAGIC, FILE, FILE_MAGIC, GROUP_BYTES_MAX, GROUP_HEAD_BYTES, GROUP_MAGIC,
};
use mainstem_core::disk::{Disk, DiskFile};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Where the records of the last run are, by the folders of their logs.
#[derive(Debug, Default)]
pub struct WalReplay {
    file: Option<Arc<dyn DiskFile>>,
    logs: BTreeMap<String, Vec<Record>>,
    damage: Option<String>,
}

/// A stretch of a segment.
#[derive(Debug, Clone)]
struct Record {
    group: Group,
    segment: i64,
    position: u64,
    next_offset: i64,
    /// Where it is in the group.
    bytes: Range<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    number: u64,
    /// Where it begins in the file.
    at: u64,
    bytes: usize,
    fixups: usize,
}

impl WalReplay {
    /// Reads all of the file and keeps what is where; nothing if there is none.
    pub fn read(disk: &dyn Disk) -> Result<Self, LogError> {
        let file = match disk.open(FILE, false) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(e).doing("opening", FILE),
        };
        let mut replay = Self { file: Some(Arc::clone(&file)), ..Self::default() };
        replay.read_groups(&*file).doing("reading", FILE)?;
        for records in replay.logs.values_mut() {
            records.sort_by_key(|record| record.group.number);
        }
        Ok(replay)
    }

    /// What there is to say of the file itself.
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    fn read_groups(&mut self, file: &dyn DiskFile) -> io::Result<()> {
        let size_bytes = file.size_bytes()?;
        let mut head = [0; 8];
        let begins = size_bytes >= BLOCK_BYTES as u64;
        if begins {
            file.read_exact_at(0, &mut head)?;
        }
        let (magic, crc) = head.split_at(4);
        if !begins || *magic != FILE_MAGIC || *crc != crc32c::crc32c(&FILE_MAGIC).to_be_bytes() {
            self.damage = Some(format!(
                "{FILE} is damaged: what it alone had of records that were acknowledged is lost"
            ));
            return Ok(());
        }
        let (mut at, mut buffer) = (BLOCK_BYTES as u64, Vec::new());
        while at + GROUP_HEAD_BYTES as u64 <= size_bytes {
            let group = match Group::find(file, at)? {
                Some(group) if at + group.bytes as u64 <= size_bytes => {
                    buffer.resize(group.bytes, 0);
                    file.read_exact_at(at, &mut buffer)?;
                    self.take(group, &mut buffer).map(|()| group)
                }
                _ => None,
            };
            let blocks = group.map_or(1, |group| group.bytes.div_ceil(BLOCK_BYTES));
            at += (blocks * BLOCK_BYTES) as u64;
        }
        Ok(())
    }

    /// Takes the records of a group if it is whole.
    fn take(&mut self, group: Group, bytes: &mut [u8]) -> Option<()> {
        let crc = u32::from_be_bytes(*bytes.get(4..)?.first_chunk()?);
        if crc32c::crc32c(&bytes[8..]) != crc {
            return None;
        }
        let table = bytes[GROUP_HEAD_BYTES..][..4 * group.fixups].to_vec();
        group.put_back(&table, 0, bytes);
        let (mut next, mut records) = (GROUP_HEAD_BYTES + table.len(), Vec::new());
        while next < bytes.len() {
            let mut fields = framed::Fields::new(&bytes[next..]);
            let folder_bytes = usize::from(fields.u16()?);
            let (segment, position) = (fields.i64()?, fields.u64()?);
            let (next_offset, record_bytes) = (fields.i64()?, fields.u32()? as usize);
            let folder = std::str::from_utf8(fields.take(folder_bytes)?).ok()?.to_owned();
            fields.take(record_bytes)?;
            next = bytes.len() - fields.rest().len();
            let bytes = next - record_bytes..next;
            records.push((folder, Record { group, segment, position, next_offset, bytes }));
        }
        for (folder, record) in records {
            self.logs.entry(folder).or_default().push(record);
        }
        Some(())
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
        let mut buffer = Vec::new();
        for segment in records.chunk_by(|one, next| one.segment == next.segment) {
            let path = log_path(folder, segment[0].segment);
            let file = disk.open(&path, true).doing("opening", &path)?;
            for record in segment {
                self.bytes_of(record, &mut buffer).doing("reading", FILE)?;
                file.write_all_at(record.position, &buffer).doing("writing", &path)?;
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

    /// What a record has of its segment.
    fn bytes_of(&self, record: &Record, buffer: &mut Vec<u8>) -> io::Result<()> {
        let Some(file) = &self.file else { return Err(io::ErrorKind::NotFound.into()) };
        let Record { group, bytes, .. } = record;
        let mut table = vec![0; 4 * group.fixups];
        file.read_exact_at(group.at + GROUP_HEAD_BYTES as u64, &mut table)?;
        buffer.resize(bytes.len(), 0);
        file.read_exact_at(group.at + bytes.start as u64, buffer)?;
        group.put_back(&table, bytes.start, buffer);
        Ok(())
    }
}

impl Group {
    /// What stands at the beginning of a block, if it is a group.
    fn find(file: &dyn DiskFile, at: u64) -> io::Result<Option<Self>> {
        let mut head = [0; GROUP_HEAD_BYTES];
        file.read_exact_at(at, &mut head)?;
        Ok(Self::decode(at, &head))
    }

    fn decode(at: u64, head: &[u8; GROUP_HEAD_BYTES]) -> Option<Self> {
        let mut fields = framed::Fields::new(head);
        let (magic, _crc) = (fields.bytes::<4>()?, fields.u32()?);
        let number = fields.u64()?;
        let (bytes, fixups) = (fields.u32()? as usize, fields.u32()? as usize);
        let sane = (GROUP_HEAD_BYTES..=GROUP_BYTES_MAX).contains(&bytes)
            && fixups == bytes.div_ceil(BLOCK_BYTES) - 1
            && GROUP_HEAD_BYTES + 4 * fixups <= bytes;
        (magic == GROUP_MAGIC && sane).then_some(Self { number, at, bytes, fixups })
    }

    /// Puts what stood at the beginnings of blocks back into a part of the group, which begins at `from` in it.
    fn put_back(self, table: &[u8], from: usize, part: &mut [u8]) {
        for (at, byte) in table.iter().enumerate() {
            let mark = CONTINUED_MAGIC.len();
            let position = (1 + at / mark) * BLOCK_BYTES + at % mark;
            if let Some(marked) = position.checked_sub(from).and_then(|at| part.get_mut(at)) {
                *marked = *byte;
            }
        }
    }
}
