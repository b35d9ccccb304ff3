//! Text files that the workers read themselves: pieces of a file are handed out without being read.
//! Invariant: the pieces, one after the other, are the file up to its end when that is reached. A position is the offset
//! up to which pieces were handed out; the lines that start behind it follow. Only for plain files whose records are
//! lines; it never looks at their bytes, save to count lines for whoever must name one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mainstem_core::Result;
use mainstem_core::ingest::{Payload, RandomAccess, Unread};

use super::discover::{FileInfo, open_error, read_error};
use super::files::{Files, FoundKind, OpenFile};
use super::reader::{Compression, Pieces, Place, TextFile, shrunk};
use crate::api::Fetched;
use crate::format::Framing;

/// Handing out costs a little each time, and the engine cuts a piece further where workers share it.
const PIECE_BYTES: u64 = 4 << 20;

/// A text file, read here or by the workers.
pub(super) enum TextPieces {
    Ranges(FileRanges),
    Stream(TextFile),
}

impl TextPieces {
    /// Opens `file` at `place`.
    pub(super) fn open(
        files: &dyn Files,
        file: &FileInfo,
        framing: Framing,
        record_bytes_max: usize,
        place: Place,
    ) -> Result<Self> {
        let opened = files.open(&file.path).map_err(|e| open_error(&file.name, e))?;
        let found = opened.look().map_err(|e| read_error(&file.name, e))?;
        // A pipe has one end to read at; the files of /proc have bytes, and size 0.
        let plain = found.kind == FoundKind::File && found.size_bytes > 0;
        let unpacked = Compression::of(&file.name)? == Compression::None;
        if framing == Framing::Lines && plain && unpacked {
            return FileRanges::new(file, opened, found.size_bytes, place).map(Self::Ranges);
        }
        TextFile::new(file, opened, framing, record_bytes_max, place).map(Self::Stream)
    }
}

impl Pieces for TextPieces {
    fn next_piece(&mut self) -> Result<Option<Fetched>> {
        match self {
            Self::Ranges(ranges) => ranges.next_piece(),
            Self::Stream(file) => file.next_piece(),
        }
    }
}

/// A file of which pieces are handed out.
pub(super) struct FileRanges {
    file: Arc<SharedFile>,
    at: u64,
    size_bytes: u64,
}

impl FileRanges {
    fn new(
        file: &FileInfo,
        opened: Box<dyn OpenFile>,
        size_bytes: u64,
        place: Place,
    ) -> Result<Self> {
        if size_bytes < place.offset {
            return Err(shrunk(&file.name, place.offset));
        }
        let file = SharedFile {
            file: opened,
            name: Arc::clone(&file.name),
            size_bytes: AtomicU64::new(size_bytes),
            counted: Mutex::new(BTreeMap::from([(0, 1)])),
        };
        Ok(Self { file: Arc::new(file), at: place.offset, size_bytes })
    }

    fn next_piece(&mut self) -> Result<Option<Fetched>> {
        if self.at >= self.size_bytes {
            // It may have grown meanwhile.
            self.size_bytes = self.file.measure()?;
            if self.at >= self.size_bytes {
                return Ok(None);
            }
        }
        let end = self.size_bytes.min(self.at + PIECE_BYTES);
        let file = Arc::<SharedFile>::clone(&self.file);
        let payload = Payload::Unread(Unread { file, range: self.at..end });
        self.at = end;
        let position = Place { offset: end, line: 0 }.position();
        Ok(Some(Fetched { payload, position }))
    }
}

/// How many places remember the number of their line: enough for all pieces that are on their way.
const COUNTED_MAX: usize = 256;
/// What is read at once to count lines.
const COUNT_BYTES: usize = 64 << 10;

/// A file that several workers read at once.
#[derive(Debug)]
struct SharedFile {
    file: Box<dyn OpenFile>,
    name: Arc<str>,
    size_bytes: AtomicU64,
    /// The numbers of the lines at some places: at the start, and where lines were last asked for.
    counted: Mutex<BTreeMap<u64, u64>>,
}

impl SharedFile {
    /// The size now.
    fn measure(&self) -> Result<u64> {
        let size = self.file.look().map_err(|e| read_error(&self.name, e))?.size_bytes;
        let before = self.size_bytes.fetch_max(size, Ordering::Relaxed);
        if size < before { Err(shrunk(&self.name, before)) } else { Ok(size) }
    }
}

impl RandomAccess for SharedFile {
    fn path(&self) -> &Arc<str> {
        &self.name
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(offset + filled as u64, &mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(read_error(&self.name, e)),
            }
        }
        let size = self.size_bytes.load(Ordering::Relaxed);
        if filled < buffer.len() && offset + (filled as u64) < size {
            return Err(shrunk(&self.name, size));
        }
        Ok(filled)
    }

    fn line_at(&self, offset: u64) -> Result<u64> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut at, mut line) =
            counted.range(..=offset).next_back().map_or((0, 1), |(at, line)| (*at, *line));
        let mut window = vec![0; COUNT_BYTES];
        while at < offset {
            let wanted = usize::try_from(offset - at).unwrap_or(usize::MAX).min(window.len());
            let read = self.read_at(at, &mut window[..wanted])?;
            if read == 0 {
                return Err(shrunk(&self.name, offset));
            }
            line += memchr::memchr_iter(b'\n', &window[..read]).count() as u64;
            at += read as u64;
        }
        counted.insert(offset, line);
        if counted.len() > COUNTED_MAX {
            counted.pop_first();
        }
        Ok(line)
    }
}
