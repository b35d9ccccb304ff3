//! Reads one text file in pieces of about a mebibyte that end at the end of a record: a file that is compressed, whose
//! records span lines, or that is no file on a disk. (Of others, `ranges` hands out pieces that nobody has read.)
//! Invariant: the pieces, one after the other, are the file without its byte order mark; each piece is read into its
//! buffer once and never copied, only the start of the record that a buffer cuts is. A position is the offset (in the
//! decompressed bytes) and the line of the next record. A record longer than the limit is passed over in bounded
//! memory and handed out as [`Payload::Oversized`].
//! The thread that reads is one of tokio's blocking threads, a few pieces ahead of whoever asks.

use std::io::{BufReader, Read};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use mainstem_core::ingest::{LineNumber, Lines, Oversized, Payload};
use mainstem_core::{Error, ErrorKind, Result};
use tokio::sync::mpsc;

use super::discover::{FileInfo, read_error};
use super::files::OpenFile;
use crate::api::{Fetched, Position, SplitReader};
use crate::format::Framing;

const PIECE_BYTES: usize = 1 << 20;
/// How many pieces wait, read, to be asked for.
const PIECES_AHEAD: usize = 2;
const OVERSIZED_HEAD_BYTES: usize = 64 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How a file is compressed, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// Of the file called `name`; compressions that we do not read are errors.
    pub(super) fn of(name: &str) -> Result<Self> {
        let extension = name.rsplit_once('.').map_or("", |(_, e)| e).to_ascii_lowercase();
        match extension.as_str() {
            "gz" | "gzip" => Ok(Self::Gzip),
            "zst" | "zstd" => Ok(Self::Zstd),
            "bz2" | "xz" | "deflate" | "lz4" | "snappy" => {
                Err(Error::user(format!("file '{name}' has a compression that is not supported"))
                    .with_hint("use gzip (.gz) or zstd (.zst)"))
            }
            _ => Ok(Self::None),
        }
    }
}

/// Offset and line of the next record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) line: u64,
}

impl Place {
    pub(super) const START: Place = Place { offset: 0, line: 1 };

    pub(super) fn read(position: &Position) -> Result<Self> {
        let words = position.0.as_chunks::<8>();
        let ([offset, line], []) = words else {
            return Err(Error::new(ErrorKind::Corrupt, "the position of a file is not 16 bytes"));
        };
        Ok(Self { offset: u64::from_le_bytes(*offset), line: u64::from_le_bytes(*line) })
    }

    pub(super) fn position(self) -> Position {
        Position([self.offset.to_le_bytes(), self.line.to_le_bytes()].concat())
    }
}

enum Input {
    Plain(Box<dyn OpenFile>),
    Gzip(Box<flate2::read::MultiGzDecoder<BufReader<Box<dyn OpenFile>>>>),
    Zstd(zstd::stream::read::Decoder<'static, BufReader<Box<dyn OpenFile>>>),
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buf),
            Self::Gzip(decoder) => decoder.read(buf),
            Self::Zstd(decoder) => decoder.read(buf),
        }
    }
}

impl Input {
    /// Appends up to `count` bytes; fewer only at the end.
    fn append(&mut self, buffer: &mut Vec<u8>, count: usize) -> std::io::Result<usize> {
        buffer.reserve(count);
        let count = count as u64;
        match self {
            // On the type itself, so that the kernel fills the buffer without zeroing it first.
            Self::Plain(file) => file.take(count).read_to_end(buffer),
            Self::Gzip(decoder) => decoder.take(count).read_to_end(buffer),
            Self::Zstd(decoder) => decoder.take(count).read_to_end(buffer),
        }
    }
}

/// A file that is being read; only blocking calls.
pub(super) struct TextFile {
    input: Input,
    name: Arc<str>,
    framing: Framing,
    record_bytes_max: usize,
    /// The start of the next record, cut off from the last piece.
    carry: Vec<u8>,
    /// Of the first byte of `carry`.
    place: Place,
    /// The size when it was opened, unless it is compressed.
    size_bytes: Option<u64>,
    at_end: bool,
}

impl TextFile {
    /// Reads `opened`, which is `file`, from `place` on.
    pub(super) fn new(
        file: &FileInfo,
        opened: Box<dyn OpenFile>,
        framing: Framing,
        record_bytes_max: usize,
        place: Place,
    ) -> Result<Self> {
        let size = opened.look().map_err(|e| read_error(&file.name, e))?.size_bytes;
        let compression = Compression::of(&file.name)?;
        let buffered = |f| BufReader::with_capacity(256 << 10, f);
        let input = match compression {
            Compression::None => Input::Plain(opened),
            Compression::Gzip => {
                Input::Gzip(Box::new(flate2::read::MultiGzDecoder::new(buffered(opened))))
            }
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(buffered(opened))
                    .map_err(|e| read_error(&file.name, e))?;
                Input::Zstd(decoder)
            }
        };
        let mut opened = Self {
            input,
            name: Arc::clone(&file.name),
            framing,
            record_bytes_max,
            carry: Vec::new(),
            place,
            size_bytes: (compression == Compression::None).then_some(size),
            at_end: false,
        };
        opened.seek()?;
        Ok(opened)
    }

    fn seek(&mut self) -> Result<()> {
        let offset = self.place.offset;
        if offset == 0 {
            let count = BYTE_ORDER_MARK.len();
            self.read_more(count)?;
            if self.carry == BYTE_ORDER_MARK {
                self.carry.clear();
                self.place.offset = count as u64;
            }
            return Ok(());
        }
        if self.size_bytes.is_some_and(|size| size < offset) {
            return Err(shrunk(&self.name, offset));
        }
        let skipped = match &mut self.input {
            Input::Plain(file) => file.seek_to(offset).map(|()| offset),
            input => std::io::copy(&mut input.take(offset), &mut std::io::sink()),
        };
        match skipped {
            Ok(skipped) if skipped == offset => Ok(()),
            Ok(_) => Err(shrunk(&self.name, offset)),
            Err(e) => Err(read_error(&self.name, e)),
        }
    }

    /// Appends up to `count` bytes to `carry`.
    fn read_more(&mut self, count: usize) -> Result<()> {
        let read =
            self.input.append(&mut self.carry, count).map_err(|e| read_error(&self.name, e))?;
        self.at_end = read < count;
        let end = self.place.offset + self.carry.len() as u64;
        if self.at_end && self.size_bytes.is_some_and(|size| end < size) {
            return Err(shrunk(&self.name, self.size_bytes.unwrap_or_default()));
        }
        Ok(())
    }

    /// The next piece; `None` at the end.
    pub(super) fn next_piece(&mut self) -> Result<Option<Fetched>> {
        loop {
            let searched = self.carry.len();
            if !self.at_end {
                // A record that spans pieces is searched again from its start, so read more of it each time.
                let mut buffer = Vec::with_capacity(searched.max(PIECE_BYTES) + searched);
                buffer.append(&mut self.carry);
                self.carry = buffer;
                self.read_more(searched.max(PIECE_BYTES))?;
            }
            if self.carry.is_empty() {
                return Ok(None);
            }
            let end = match self.framing.last_record_end(&self.carry) {
                Some(end) if !self.at_end => end,
                _ if self.at_end => self.carry.len(),
                _ if self.carry.len() <= self.record_bytes_max => continue,
                _ => return self.pass_over().map(Some),
            };
            return Ok(Some(self.cut(end)));
        }
    }

    fn cut(&mut self, end: usize) -> Fetched {
        let carry = self.carry[end..].to_vec();
        let data = Bytes::from(std::mem::replace(&mut self.carry, carry)).slice(..end);
        let first_line = LineNumber::Known(self.place.line);
        self.place.offset += end as u64;
        self.place.line += memchr::memchr_iter(b'\n', &data).count() as u64;
        let lines = Lines { data, path: Arc::clone(&self.name), first_line };
        Fetched { payload: Payload::Lines(lines), position: self.place.position() }
    }

    /// Reads on to the end of a line, and keeps only the start of what it passes.
    fn pass_over(&mut self) -> Result<Fetched> {
        let line = LineNumber::Known(self.place.line);
        let head =
            Bytes::copy_from_slice(&self.carry[..self.carry.len().min(OVERSIZED_HEAD_BYTES)]);
        let mut size_bytes = 0;
        // Line feeds inside the record (in open quotes) count as lines; the one that ends it is in the last buffer.
        let mut from = self.record_bytes_max.min(self.carry.len());
        loop {
            let end = memchr::memchr(b'\n', &self.carry[from..]).map(|at| from + at + 1);
            let passed = end.unwrap_or(self.carry.len());
            size_bytes += passed as u64;
            self.place.offset += passed as u64;
            self.place.line += memchr::memchr_iter(b'\n', &self.carry[..passed]).count() as u64;
            self.carry.drain(..passed);
            if end.is_some() || self.at_end {
                break;
            }
            self.read_more(PIECE_BYTES)?;
            from = 0;
        }
        let record = Oversized {
            head,
            size_bytes,
            limit_bytes: self.record_bytes_max as u64,
            path: Arc::clone(&self.name),
            line,
        };
        Ok(Fetched { payload: Payload::Oversized(record), position: self.place.position() })
    }
}

/// A file that has become shorter.
pub(super) fn shrunk(name: &str, offset: u64) -> Error {
    Error::user(format!("file '{name}' ends before byte {offset}, up to which it has been read"))
        .with_hint("files that are being read must not be cut or replaced")
}

/// A file that is read by blocking calls, one piece at a time.
pub(super) trait Pieces: Send + 'static {
    fn next_piece(&mut self) -> Result<Option<Fetched>>;
}

impl Pieces for TextFile {
    fn next_piece(&mut self) -> Result<Option<Fetched>> {
        TextFile::next_piece(self)
    }
}

/// How a reader opens its file, when the first piece is asked for.
type Open<T> = Box<dyn FnOnce() -> Result<T> + Send>;

enum State<T> {
    Unopened(Open<T>),
    /// A blocking thread reads ahead and hands over here; its last word is `None` or an error.
    Reading(mpsc::Receiver<Result<Option<Fetched>>>),
    Ended,
}

/// A [`SplitReader`] over blocking reads, which are a few pieces ahead.
pub(super) struct BackgroundReader<T> {
    state: State<T>,
    /// Under a watched directory a file that vanished is said, not fatal.
    vanished: Option<Box<dyn Fn() + Send + Sync>>,
}

impl<T: Pieces> BackgroundReader<T> {
    pub(super) fn new(open: Open<T>, vanished: Option<Box<dyn Fn() + Send + Sync>>) -> Self {
        Self { state: State::Unopened(open), vanished }
    }
}

/// Reads to the end, or until nobody listens any more.
fn read_all<T: Pieces>(open: Open<T>, sender: &mpsc::Sender<Result<Option<Fetched>>>) {
    let mut file = match open() {
        Ok(file) => file,
        Err(e) => {
            // Nobody may listen any more; then there is nobody to tell.
            let _ = sender.blocking_send(Err(e));
            return;
        }
    };
    loop {
        let read = file.next_piece();
        let goes_on = matches!(read, Ok(Some(_)));
        if sender.blocking_send(read).is_err() || !goes_on {
            return;
        }
    }
}

#[async_trait]
impl<T: Pieces> SplitReader for BackgroundReader<T> {
    async fn next(&mut self) -> Result<Option<Fetched>> {
        if let State::Unopened(_) = self.state
            && let State::Unopened(open) = std::mem::replace(&mut self.state, State::Ended)
        {
            let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
            tokio::task::spawn_blocking(move || read_all(open, &sender));
            self.state = State::Reading(receiver);
        }
        let State::Reading(pieces) = &mut self.state else { return Ok(None) };
        match pieces.recv().await {
            Some(Ok(Some(fetched))) => Ok(Some(fetched)),
            Some(Ok(None)) => {
                self.state = State::Ended;
                Ok(None)
            }
            Some(Err(e)) => {
                self.state = State::Ended;
                match &self.vanished {
                    Some(tell) if is_not_found(&e) => {
                        tell();
                        Ok(None)
                    }
                    _ => Err(e),
                }
            }
            None => Err(Error::internal("a file reader stopped")),
        }
    }
}

fn is_not_found(e: &Error) -> bool {
    std::error::Error::source(e)
        .and_then(|s| s.downcast_ref::<std::io::Error>())
        .is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound)
}
