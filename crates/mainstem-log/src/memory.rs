//! A disk in memory: for `mainstem run` without `--data`, and for tests.
//! Invariant: growing a file moves at most one chunk of it, and a read or write holds the file's lock only to copy. Nothing is
//! durable: `sync` answers at once, and all is gone with the process.

use mainstem_core::disk::{Disk, DiskFile};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

const CHUNK_BYTES: usize = 1 << 20;

/// Files that live as long as the process. Folders are there when they are named.
#[derive(Debug, Default)]
pub struct MemoryDisk {
    files: Mutex<BTreeMap<String, Arc<MemoryFile>>>,
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Arc<MemoryFile>>> {
        self.files.lock().expect("no holder of this lock panics")
    }
}

fn inside(folder: &str) -> String {
    let folder = folder.trim_end_matches('/');
    if folder.is_empty() { String::new() } else { format!("{folder}/") }
}

impl Disk for MemoryDisk {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let prefix = inside(folder);
        let files = self.files();
        let mut names: Vec<String> = files
            .range(prefix.clone()..)
            .map_while(|(path, _)| path.strip_prefix(&prefix))
            .map(|rest| rest.split('/').next().unwrap_or(rest).to_owned())
            .collect();
        names.dedup();
        Ok(names)
    }

    fn create_folder(&self, _folder: &str) -> io::Result<()> {
        Ok(())
    }

    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        let prefix = inside(folder);
        self.files().retain(|path, _| !path.starts_with(&prefix));
        Ok(())
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = self.files();
        if let Some(file) = files.get(path) {
            return Ok(Arc::<MemoryFile>::clone(file));
        }
        if !create {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = Arc::new(MemoryFile::default());
        files.insert(path.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.files().remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.files();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn sync_folder(&self, _folder: &str) -> io::Result<()> {
        Ok(())
    }

    fn is_durable(&self) -> bool {
        false
    }
}

/// All chunks but the last are full; the first grows by doubling, so that a small file is small.
#[derive(Debug, Default)]
struct MemoryFile {
    chunks: RwLock<Vec<Vec<u8>>>,
}

fn size_of(chunks: &[Vec<u8>]) -> usize {
    chunks.last().map_or(0, |last| (chunks.len() - 1) * CHUNK_BYTES + last.len())
}

/// Lengthens the file by `bytes`.
fn extend(chunks: &mut Vec<Vec<u8>>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        if chunks.last().is_none_or(|last| last.len() == CHUNK_BYTES) {
            let capacity = if chunks.is_empty() { 0 } else { CHUNK_BYTES };
            chunks.push(Vec::with_capacity(capacity));
        }
        let last = chunks.last_mut().expect("a chunk was pushed");
        let (head, tail) = bytes.split_at(bytes.len().min(CHUNK_BYTES - last.len()));
        last.extend_from_slice(head);
        bytes = tail;
    }
}

impl DiskFile for MemoryFile {
    fn size_bytes(&self) -> io::Result<u64> {
        Ok(size_of(&self.chunks.read().expect("no holder of this lock panics")) as u64)
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let chunks = self.chunks.read().expect("no holder of this lock panics");
        let mut at = usize::try_from(position).map_err(io::Error::other)?;
        let mut done = 0;
        while done < buffer.len() {
            let from = at % CHUNK_BYTES;
            let Some(bytes) = chunks.get(at / CHUNK_BYTES).and_then(|chunk| chunk.get(from..))
            else {
                break;
            };
            let count = bytes.len().min(buffer.len() - done);
            if count == 0 {
                break;
            }
            buffer[done..done + count].copy_from_slice(&bytes[..count]);
            done += count;
            at += count;
        }
        Ok(done)
    }

    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut chunks = self.chunks.write().expect("no holder of this lock panics");
        let mut at = usize::try_from(position).map_err(io::Error::other)?;
        let size_bytes = size_of(&chunks);
        if at > size_bytes {
            lengthen(&mut chunks, at);
        }
        let mut rest = bytes;
        while !rest.is_empty() && at < size_bytes {
            let chunk = &mut chunks[at / CHUNK_BYTES][at % CHUNK_BYTES..];
            let (head, tail) = rest.split_at(rest.len().min(chunk.len()));
            chunk[..head.len()].copy_from_slice(head);
            at += head.len();
            rest = tail;
        }
        extend(&mut chunks, rest);
        Ok(bytes.len())
    }

    fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        let mut chunks = self.chunks.write().expect("no holder of this lock panics");
        let size_bytes = usize::try_from(size_bytes).map_err(io::Error::other)?;
        if size_bytes > size_of(&chunks) {
            lengthen(&mut chunks, size_bytes);
        } else {
            chunks.truncate(size_bytes.div_ceil(CHUNK_BYTES));
            if let Some(last) = chunks.last_mut()
                && !size_bytes.is_multiple_of(CHUNK_BYTES)
            {
                last.truncate(size_bytes % CHUNK_BYTES);
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Fills with zeros up to `size_bytes`.
fn lengthen(chunks: &mut Vec<Vec<u8>>, size_bytes: usize) {
    let mut missing = size_bytes - size_of(chunks);
    while missing > 0 {
        let count = missing.min(CHUNK_BYTES);
        extend(chunks, &vec![0; count]);
        missing -= count;
    }
}
