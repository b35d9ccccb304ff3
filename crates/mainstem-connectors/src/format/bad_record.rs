//! What happens to a record that a format refuses: the policy `'mainstem.bad-records'`, applied in one place.
//! Invariant: a bad record is either an error that names its place, or it is counted; it is never dropped silently.
//! Does not decode, and knows no format: a format says where in the record and why.

use std::fmt::Write as _;

use bytes::Bytes;
use mainstem_core::ingest::{DeadLetter, Decoded, Lines, Messages};
use mainstem_core::options::parse_memory_size;
use mainstem_core::table::Options;
use mainstem_core::{Error, Result};

use super::BadRecords;

/// A dead letter keeps this much of its record.
const DEAD_LETTER_BYTES_MAX: usize = 64 << 10;
/// An error shows this much of its record, around the place that is wrong.
const EXCERPT_BYTES: usize = 60;
const RECORD_BYTES_MAX_KEY: &str = "mainstem.record-bytes-max";
const RECORD_BYTES_MAX_DEFAULT: usize = 16 << 20;

/// Why a record was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordError {
    /// Where in the record, in bytes from its start.
    pub at: usize,
    /// Lower case, no full stop.
    pub reason: String,
}

impl RecordError {
    /// A record that is wrong at byte `at`.
    pub fn new(at: usize, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }
}

/// The largest record a table takes (`'mainstem.record-bytes-max'`), in bytes.
pub fn record_bytes_max(options: &Options) -> Result<usize> {
    match options.get(RECORD_BYTES_MAX_KEY) {
        None => Ok(RECORD_BYTES_MAX_DEFAULT),
        Some(text) => {
            let size = parse_memory_size(RECORD_BYTES_MAX_KEY, text)?;
            Ok(usize::try_from(size).unwrap_or(usize::MAX))
        }
    }
}

/// Applies `policy` to one bad record; `place` is where it came from, as [`LinePlaces`] and [`message_place`] say it.
pub fn refuse(
    policy: BadRecords,
    record: &[u8],
    place: impl FnOnce() -> String,
    error: RecordError,
    out: &mut Decoded,
) -> Result<()> {
    match policy {
        BadRecords::Fail => Err(failure(record, &place(), &error)),
        BadRecords::Skip => {
            out.skipped += 1;
            Ok(())
        }
        BadRecords::DeadLetter => {
            out.skipped += 1;
            let kept = &record[..record.len().min(DEAD_LETTER_BYTES_MAX)];
            out.dead_letters.push(DeadLetter {
                record: Bytes::copy_from_slice(kept),
                place: place(),
                reason: format!("{}, at byte {}", error.reason, error.at + 1),
            });
            Ok(())
        }
    }
}

fn failure(record: &[u8], place: &str, error: &RecordError) -> Error {
    Error::user(format!("bad record: {place}, byte {}: {}", error.at + 1, error.reason))
        .with_detail(format!("the record reads: {}", excerpt(record, error.at)))
        .with_hint(
            "mend the record, or set 'mainstem.bad-records' = 'skip' or 'dead-letter' on the table",
        )
}

/// The part of `record` around byte `at`, with `...` where it was cut and bytes that do not print escaped.
fn excerpt(record: &[u8], at: usize) -> String {
    let start = at.min(record.len()).saturating_sub(EXCERPT_BYTES / 2);
    let end = record.len().min(start + EXCERPT_BYTES);
    let mut text = String::with_capacity(EXCERPT_BYTES + 8);
    if start > 0 {
        text.push_str("...");
    }
    for chunk in record[start..end].utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    if end < record.len() {
        text.push_str("...");
    }
    text
}

/// `topic rides, partition 0, offset 17`.
pub fn message_place(messages: &Messages, index: usize) -> String {
    match messages.offsets.get(index) {
        Some(offset) => {
            format!("topic {}, partition {}, offset {offset}", messages.topic, messages.partition)
        }
        None => format!("topic {}, record {}", messages.topic, index + 1),
    }
}

/// Names the lines of one piece of a file. Asked in ascending order it reads the piece once.
#[derive(Debug)]
pub struct LinePlaces<'a> {
    lines: &'a Lines,
    /// The number of the line at a byte of the piece, once one was asked for.
    counted: Option<(usize, u64)>,
}

impl<'a> LinePlaces<'a> {
    /// Starts at the first line of the piece.
    pub fn new(lines: &'a Lines) -> Self {
        Self { lines, counted: None }
    }

    /// `rides.json, line 3` for the line that starts at byte `start` of the piece.
    pub fn place(&mut self, start: usize) -> String {
        let before = self.counted.filter(|(at, _)| *at <= start);
        let Some((at, line)) = before.or_else(|| Some((0, self.lines.first_line.get()?))) else {
            return format!("{}, a line of unknown number", self.lines.path);
        };
        let skipped = &self.lines.data[at..start];
        let line = line + memchr::memchr_iter(b'\n', skipped).count() as u64;
        self.counted = Some((start, line));
        format!("{}, line {line}", self.lines.path)
    }
}

#[cfg(test)]
mod tests {
    use mainstem_core::ingest::LineNumber;

    use super::*;

    fn lines(text: &'static str) -> Lines {
        Lines {
            data: Bytes::from_static(text.as_bytes()),
            path: "rides.json".into(),
            first_line: LineNumber::Known(7),
        }
    }

    #[test]
    fn lines_are_counted_in_any_order() {
        let lines = lines("a\nb\n\nd\n");
        let mut places = LinePlaces::new(&lines);
        for (start, line) in [(0, 7), (2, 8), (5, 10), (2, 8)] {
            assert_eq!(places.place(start), format!("rides.json, line {line}"));
        }
    }

    #[test]
    fn fail_names_place_byte_and_excerpt() {
        let record = b"{\"a\":\x01\xff}";
        let error = refuse(
            BadRecords::Fail,
            record,
            || "rides.json, line 3".into(),
            RecordError::new(5, "not a value"),
            &mut Decoded::default(),
        )
        .unwrap_err();
        assert_eq!(error.to_string(), "bad record: rides.json, line 3, byte 6: not a value");
        assert_eq!(error.detail(), Some("the record reads: {\"a\":\\u{1}\\xff}"));
    }

    #[test]
    fn dead_letters_are_cut_and_counted() {
        let record = vec![b'x'; DEAD_LETTER_BYTES_MAX + 5];
        let mut out = Decoded::default();
        let place = || "topic t, partition 0, offset 1".to_string();
        refuse(BadRecords::DeadLetter, &record, place, RecordError::new(0, "bad"), &mut out)
            .unwrap();
        refuse(BadRecords::Skip, &record, place, RecordError::new(0, "bad"), &mut out).unwrap();
        assert_eq!(out.skipped, 2);
        assert_eq!(out.dead_letters.len(), 1);
        assert_eq!(out.dead_letters[0].record.len(), DEAD_LETTER_BYTES_MAX);
        assert_eq!(out.dead_letters[0].reason, "bad, at byte 1");
    }

    #[test]
    fn long_records_are_cut_around_the_place() {
        let record = [b'x'; 500];
        let text = excerpt(&record, 250);
        assert!(text.starts_with("...x") && text.ends_with("x..."), "{text}");
        assert_eq!(text.len(), EXCERPT_BYTES + 6);
    }
}
