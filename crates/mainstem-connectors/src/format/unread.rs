//! Reads pieces of files on the worker that decodes them, a block that fits its cache at a time: the bytes are decoded
//! where the kernel has just put them, and none of them crosses to another core.
//! Invariant: a piece brings each line that starts in it once and whole, without the file's byte order mark. A line is
//! held in memory only up to the limit; what is longer is passed over and handed out as [`Payload::Oversized`].
//! Knows lines only: formats whose records span lines are cut by a reader.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use mainstem_core::ingest::{LineNumber, Lines, Oversized, Payload, RandomAccess, Unread};
use mainstem_core::{Error, Result};

/// What is read at once: with the columns made of it, it stays in a core's second cache.
const BLOCK_BYTES: usize = 256 << 10;
/// Read behind the end of a piece, where its last line most likely ends.
const LAST_LINE_BYTES: usize = 4 << 10;
/// A line this long is a line for every table: only when it is passed, lines are measured.
const LINE_BYTES_MIN: usize = 1 << 20;
const OVERSIZED_HEAD_BYTES: usize = 64 << 10;
const BYTE_ORDER_MARK: &[u8; 3] = b"\xef\xbb\xbf";

/// A decoder's buffer, used again for each block.
#[derive(Debug)]
pub(super) struct BlockReader {
    record_bytes_max: usize,
    /// Never shrinks while it is in use, so that its bytes are zeroed once.
    buffer: Vec<u8>,
}

/// Lends the buffer to whoever holds the bytes.
struct Lent(Arc<Vec<u8>>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl BlockReader {
    pub(super) fn new(record_bytes_max: usize) -> Self {
        Self { record_bytes_max, buffer: Vec::new() }
    }

    /// Gives all lines of a piece to `decode`, in order.
    pub(super) fn read(
        &mut self,
        unread: &Unread,
        mut decode: impl FnMut(Payload) -> Result<()>,
    ) -> Result<()> {
        let Unread { file, range } = unread;
        let mut at = first_line(&**file, range)?;
        // The first line of a file starts at byte 0, even if a byte order mark stands there.
        let end = if range.start == 0 && range.end > 0 { range.end.max(at + 1) } else { range.end };
        while at < end {
            let Some(size) = self.fill(&**file, at, end)? else {
                let record = self.pass_over(file, at)?;
                at += record.size_bytes;
                decode(Payload::Oversized(record))?;
                continue;
            };
            if size == 0 {
                break;
            }
            let whole = Arc::new(std::mem::take(&mut self.buffer));
            let lines = Lines {
                data: Bytes::from_owner(Lent(Arc::clone(&whole))).slice(..size),
                path: Arc::clone(file.path()),
                first_line: LineNumber::At(Arc::clone(file), at),
            };
            decode(Payload::Lines(lines))?;
            // A decoder that keeps the bytes keeps the buffer.
            self.buffer = Arc::try_unwrap(whole).unwrap_or_default();
            at += size as u64;
        }
        if self.buffer.len() > LINE_BYTES_MIN {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// Reads a block that starts with the line at `at` and holds no line that starts at `end` or behind it. Gives the
    /// size of its whole lines; `None` if not even the first one ends within the limit.
    fn fill(&mut self, file: &dyn RandomAccess, at: u64, end: u64) -> Result<Option<usize>> {
        let left = usize::try_from(end - at).unwrap_or(usize::MAX);
        // A little more than a block is not worth two.
        let last = left <= BLOCK_BYTES + BLOCK_BYTES / 4;
        let mut wanted = if last { left + LAST_LINE_BYTES } else { BLOCK_BYTES };
        let limit = self.record_bytes_max.max(LINE_BYTES_MIN);
        loop {
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted, 0);
            }
            let read = file.read_at(at, &mut self.buffer[..wanted])?;
            let data = &self.buffer[..read];
            // Where the last line that starts before `end` ends.
            let end = data.get(left - 1..).and_then(|tail| {
                let feed = memchr::memchr(b'\n', tail).map(|n| left + n);
                feed.or_else(|| (read < wanted).then_some(read))
            });
            let end = end.or_else(|| memchr::memrchr(b'\n', data).map(|n| n + 1));
            match end {
                Some(end) => return Ok(Some(end)),
                None if read < wanted => {
                    return Err(Error::internal("a piece of a file ends behind the file"));
                }
                None if wanted > limit => return Ok(None),
                None => wanted = (wanted * 2).min(limit.saturating_add(1)),
            }
        }
    }

    /// Looks for the end of the line at `at`, of which the buffer has the start, and keeps only that.
    fn pass_over(&mut self, file: &Arc<dyn RandomAccess>, at: u64) -> Result<Oversized> {
        let head = Bytes::copy_from_slice(&self.buffer[..OVERSIZED_HEAD_BYTES]);
        let next = after_line_feed(&**file, at, &mut self.buffer[..BLOCK_BYTES], u64::MAX)?;
        Ok(Oversized {
            head,
            size_bytes: next - at,
            limit_bytes: self.record_bytes_max as u64,
            path: Arc::clone(file.path()),
            line: LineNumber::At(Arc::clone(file), at),
        })
    }
}

/// Where the first line of a piece starts: behind the piece if none does.
fn first_line(file: &dyn RandomAccess, range: &Range<u64>) -> Result<u64> {
    if range.start == 0 {
        let mut mark = [0; BYTE_ORDER_MARK.len()];
        file.read_at(0, &mut mark)?;
        return Ok(if mark == *BYTE_ORDER_MARK { mark.len() as u64 } else { 0 });
    }
    after_line_feed(file, range.start - 1, &mut [0; LAST_LINE_BYTES], range.end)
}

/// The place behind the first line feed from `at` on, or behind the file, or any from `enough` on.
fn after_line_feed(
    file: &dyn RandomAccess,
    mut at: u64,
    window: &mut [u8],
    enough: u64,
) -> Result<u64> {
    loop {
        let read = file.read_at(at, window)?;
        if let Some(feed) = memchr::memchr(b'\n', &window[..read]) {
            return Ok(at + feed as u64 + 1);
        }
        at += read as u64;
        if read < window.len() || at >= enough {
            return Ok(at);
        }
    }
}

#[cfg(test)]
#[path = "unread_tests.rs"]
mod tests;
