//! How far each log is known to be on the disk, so that a start scans only what came after; and whether the last stop was a
//! clean one, so that it scans nothing.
//! Invariant: the file is replaced as a whole (written beside, synced, renamed, folder synced) and checked by a checksum; a file
//! that cannot be read costs a full scan, never data. It says "clean" only from a completed `Broker::close` until the next
//! open, which takes the word back before anything is appended.
//!
//! The file `recovery-points`, version 1, numbers little endian:
//! ```text
//! "MSRP" | version u32 = 1 | clean u8 | count u32 | count * (topic id 16 bytes | partition i32 | offset i64) | crc32c u32
//! ```
//! The checksum covers all before it. The journal stands as topic id 0, partition -1.

use std::collections::BTreeMap;
use std::io;

use mainstem_core::disk::Disk;

use crate::topics::{LogId, ROOT};
use crate::wire::Uuid;

const FILE: &str = "recovery-points";
const WRITTEN: &str = "recovery-points.new";
const MAGIC: &[u8; 4] = b"MSRP";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 13;
const ENTRY_BYTES: usize = 28;
const CRC_BYTES: usize = 4;

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Points {
    pub(crate) clean: bool,
    pub(crate) offsets: BTreeMap<LogId, i64>,
}

impl Points {
    /// Everything below this offset of a log is on the disk.
    pub(crate) fn of(&self, log: LogId) -> i64 {
        self.offsets.get(&log).copied().unwrap_or(0)
    }

    /// Reads the file; nothing if there is none, and why it was passed over if it is damaged.
    pub(crate) fn read(disk: &dyn Disk) -> io::Result<(Self, Option<String>)> {
        let file = match disk.open(FILE, false) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Self::default(), None)),
            Err(e) => return Err(e),
        };
        let size = usize::try_from(file.size_bytes()?).unwrap_or(usize::MAX);
        if size > (1 << 30) {
            return Ok((Self::default(), Some(format!("{FILE} has {size} bytes"))));
        }
        let mut bytes = vec![0; size];
        file.read_exact_at(0, &mut bytes)?;
        Ok(match Self::decode(&bytes) {
            Ok(points) => (points, None),
            Err(why) => (Self::default(), Some(format!("{FILE} {why}, all logs are scanned"))),
        })
    }

    /// Replaces the file.
    pub(crate) fn write(&self, disk: &dyn Disk) -> io::Result<()> {
        let file = disk.open(WRITTEN, true)?;
        let bytes = self.encode();
        file.set_size(0)?;
        file.write_all_at(0, &bytes)?;
        file.sync()?;
        disk.rename(WRITTEN, FILE)?;
        disk.sync_folder(ROOT)
    }

    fn encode(&self) -> Vec<u8> {
        let count = self.offsets.len();
        let mut bytes = Vec::with_capacity(HEAD_BYTES + count * ENTRY_BYTES + CRC_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.push(u8::from(self.clean));
        bytes.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        for (log, offset) in &self.offsets {
            let (id, partition) = match log {
                LogId::Journal => (Uuid::ZERO, -1),
                LogId::Partition(id, partition) => (*id, *partition),
            };
            bytes.extend_from_slice(id.as_bytes());
            bytes.extend_from_slice(&partition.to_le_bytes());
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let Some((body, crc)) = bytes.split_last_chunk::<CRC_BYTES>() else {
            return Err("is too short");
        };
        let Some((head, entries)) = body.split_first_chunk::<HEAD_BYTES>() else {
            return Err("is too short");
        };
        if head[..4] != *MAGIC {
            return Err("is of another kind");
        }
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return Err("is damaged");
        }
        if head[4..8] != VERSION.to_le_bytes() {
            return Err("is of an unknown version");
        }
        let count = u32::from_le_bytes([head[9], head[10], head[11], head[12]]);
        if entries.len() != usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(ENTRY_BYTES)
        {
            return Err("has another length than it says");
        }
        let mut offsets = BTreeMap::new();
        for entry in entries.as_chunks::<ENTRY_BYTES>().0 {
            let mut id = [0; 16];
            id.copy_from_slice(&entry[..16]);
            let partition = i32::from_le_bytes([entry[16], entry[17], entry[18], entry[19]]);
            let mut offset = [0; 8];
            offset.copy_from_slice(&entry[20..]);
            let log = match partition {
                -1 => LogId::Journal,
                partition => LogId::Partition(Uuid::from_bytes(id), partition),
            };
            offsets.insert(log, i64::from_le_bytes(offset));
        }
        Ok(Self { clean: head[8] == 1, offsets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points() -> Points {
        let one = LogId::Partition(Uuid::from_bytes([7; 16]), 3);
        let two = LogId::Partition(Uuid::from_bytes([8; 16]), 0);
        let offsets = [(LogId::Journal, 12), (one, i64::MAX), (two, 1)];
        Points { clean: true, offsets: offsets.into() }
    }

    #[test]
    fn what_was_written_is_read() {
        let empty = Points::default();
        for points in [points(), empty] {
            assert_eq!(Points::decode(&points.encode()), Ok(points));
        }
    }

    /// The form of version 1, byte by byte: it is read for as long as there are data folders.
    #[test]
    fn the_form_is_fixed() {
        let offsets = [(LogId::Journal, 258)].into();
        let bytes = Points { clean: true, offsets }.encode();
        let hex: String = bytes[..bytes.len() - 4].iter().map(|b| format!("{b:02x}")).collect();
        let expected = [
            "4d535250",
            "01000000",
            "01",
            "01000000",
            "00000000000000000000000000000000",
            "ffffffff",
            "0201000000000000",
        ];
        assert_eq!(hex, expected.concat());
    }

    #[test]
    fn damage_is_seen() {
        let good = points().encode();
        for cut in 0..good.len() {
            assert!(Points::decode(&good[..cut]).is_err(), "cut at {cut}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Points::decode(&bad).is_err(), "bit {bit}");
        }
    }
}
