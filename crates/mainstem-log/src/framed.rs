//! Small files beside the segments: index, producer snapshot, checkpoint of the log, plan of a swap, note of a cut.
//! Every one is `magic u32 | body | crc32c u32` in big endian; the magic names kind and version, the CRC covers all before it.
//! Invariant: a file that was cut, torn or flipped reads as `None`, never as something else. What each owner does then is its
//! own affair: all but the checkpoint can be rebuilt from the segments.

use crate::error::{DiskContext, LogError};
use mainstem_core::disk::Disk;

/// A file that claims more is no file of ours.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Begins a body.
pub(crate) fn begin(magic: [u8; 4]) -> Vec<u8> {
    magic.to_vec()
}

/// Ends it.
pub(crate) fn seal(mut body: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&body);
    body.extend_from_slice(&crc.to_be_bytes());
    body
}

/// The body of a whole file, if the file is one of this kind.
pub(crate) fn open(magic: [u8; 4], file: &[u8]) -> Option<Fields<'_>> {
    let (body, crc) = file.split_last_chunk::<4>()?;
    (crc32c::crc32c(body) == u32::from_be_bytes(*crc)).then_some(())?;
    Some(Fields(body.strip_prefix(&magic)?))
}

/// Reads integers off a body.
#[derive(Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next so many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.bytes().map(u16::from_be_bytes)
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.bytes().map(u8::from_be_bytes)
    }

    pub(crate) fn i16(&mut self) -> Option<i16> {
        self.bytes().map(i16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Option<i32> {
        self.bytes().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.bytes().map(i64::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_be_bytes)
    }

    /// `count`, if so many items of `item_bytes` can follow: nothing is reserved from a number alone.
    pub(crate) fn count(&mut self, item_bytes: usize) -> Option<usize> {
        let count = self.u32()? as usize;
        (count.checked_mul(item_bytes)? <= self.0.len()).then_some(count)
    }

    /// All that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// The whole of a small file; `None` if there is none.
pub(crate) fn read_file(disk: &dyn Disk, path: &str) -> Result<Option<Vec<u8>>, LogError> {
    let file = match disk.open(path, false) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).doing("opening", path),
    };
    let size_bytes = file.size_bytes().doing("measuring", path)?;
    if size_bytes > FILE_BYTES_MAX {
        return Ok(None);
    }
    let mut bytes = vec![0; size_bytes as usize];
    file.read_exact_at(0, &mut bytes).doing("reading", path)?;
    Ok(Some(bytes))
}

/// Writes a small file in place: for files whose loss costs only a rebuild.
pub(crate) fn write_file(
    disk: &dyn Disk,
    path: &str,
    bytes: &[u8],
    sync: bool,
) -> std::io::Result<()> {
    let file = disk.open(path, true)?;
    file.write_all_at(0, bytes)?;
    file.set_size(bytes.len() as u64)?;
    if sync { file.sync() } else { Ok(()) }
}

/// Writes a small file so that a crash leaves the old or the new one, and the new one once this returned Ok.
pub(crate) fn replace_file(
    disk: &dyn Disk,
    folder: &str,
    name: &str,
    bytes: &[u8],
) -> Result<(), LogError> {
    let path = format!("{folder}/{name}");
    let new = format!("{path}.tmp");
    write_file(disk, &new, bytes, true).doing("writing", &new)?;
    disk.rename(&new, &path).doing("renaming", &new)?;
    disk.sync_folder(folder).doing("syncing", folder)
}

/// Removes a file that may be gone already.
pub(crate) fn remove_file(disk: &dyn Disk, path: &str) -> Result<(), LogError> {
    match disk.remove(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).doing("removing", path),
        _ => Ok(()),
    }
}
