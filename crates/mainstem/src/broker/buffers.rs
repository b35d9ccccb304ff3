//! Memory that records are read into for callers of this process, used again when the last of them lets go of it.
//! Invariant: a buffer is lent to one answer at a time. Few wait here, and none that is large: what the system would have to
//! clear anew for each answer costs more than reading it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use mainstem_log::FileRange;

/// As many readers as are usually behind each other in one process.
const KEPT_MAX: usize = 16;
/// A larger one was made for a large batch, and goes with it.
const KEPT_BYTES_MAX: usize = 2 << 20;

/// Buffers that wait; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer on its way through the process.
struct Lent {
    bytes: Vec<u8>,
    filled: usize,
    home: Buffers,
}

impl Buffers {
    /// Reads ranges of files, one after the other.
    pub(super) fn read(&self, ranges: &[FileRange]) -> io::Result<Bytes> {
        let filled = ranges.iter().map(|range| range.len as usize).sum();
        let mut bytes = self.waiting(|waiting| waiting.pop()).unwrap_or_default();
        if bytes.len() < filled {
            bytes.resize(filled, 0);
        }
        let mut rest = &mut bytes[..filled];
        for range in ranges {
            let (own, others) = rest.split_at_mut(range.len as usize);
            range.file.read_exact_at(range.position, own)?;
            rest = others;
        }
        Ok(Bytes::from_owner(Lent { bytes, filled, home: self.clone() }))
    }

    fn waiting<R>(&self, work: impl FnOnce(&mut Vec<Vec<u8>>) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.len() <= KEPT_BYTES_MAX {
            self.home.waiting(|waiting| {
                if waiting.len() < KEPT_MAX {
                    waiting.push(bytes);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use mainstem_core::disk::Disk as _;
    use mainstem_log::MemoryDisk;

    use super::*;

    #[test]
    fn a_buffer_comes_back_when_nobody_reads_it() {
        let disk = MemoryDisk::new();
        let file = disk.open("f", true).unwrap();
        file.write_all_at(0, b"0123456789").unwrap();
        let range = |position, len| FileRange { file: Arc::clone(&file), position, len };
        let buffers = Buffers::default();
        let kept = || buffers.waiting(|waiting| waiting.len());

        let first = buffers.read(&[range(2, 3), range(7, 2)]).unwrap();
        assert_eq!(&first[..], b"23478");
        let slice = first.slice(1..3);
        drop(first);
        assert_eq!(kept(), 0);
        let second = buffers.read(&[range(0, 10)]).unwrap();
        assert_eq!(&slice[..], b"34");
        drop(slice);
        assert_eq!(kept(), 1);
        // The shorter one is used again, for less.
        let third = buffers.read(&[range(9, 1)]).unwrap();
        assert_eq!((&third[..], &second[..]), (&b"9"[..], &b"0123456789"[..]));
        assert!(buffers.read(&[range(5, 50)]).is_err());
        drop((second, third));
        assert_eq!(kept(), 2);
    }
}
