//! Cuts CSV bytes into records and records into fields, as Jackson's CSV parser does.
//! Invariant: a quote opens only at the start of a field, so a quote in the middle of plain text is text; inside
//! quotes neither the delimiter nor a line feed ends anything. [`last_record_end`] (for readers) and
//! [`Tokenizer::record`] (for the decoder) follow the same rule, so what one cuts the other reads whole.
//! It does not interpret fields.

use memchr::{memchr, memchr_iter, memchr2, memchr2_iter, memrchr};

/// The characters of one table's CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Between fields.
    pub delimiter: u8,
    /// Around fields; `None` if quoting is off.
    pub quote: Option<u8>,
    /// Before a character that is meant as it is.
    pub escape: Option<u8>,
    /// Lines that start with `#` are no records.
    pub comments: bool,
}

/// Where the text of a field is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) start: usize,
    pub(super) end: usize,
    /// In the scratch buffer, because escapes had to be taken out; otherwise in the data.
    pub(super) unescaped: bool,
}

/// A record that breaks the rules, and where reading goes on.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) reason: String,
    pub(super) next: usize,
}

/// Splits records; holds the buffers that are used again for each.
#[derive(Debug)]
pub(super) struct Tokenizer {
    dialect: Dialect,
    pub(super) fields: Vec<Field>,
    pub(super) scratch: Vec<u8>,
}

impl Tokenizer {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, fields: Vec::new(), scratch: Vec::new() }
    }

    /// The start of the next record at or after `at`: comments are skipped.
    pub(super) fn skip_comments(&self, data: &[u8], mut at: usize) -> usize {
        if !self.dialect.comments {
            return at;
        }
        loop {
            let text = data[at..].iter().position(|b| !matches!(b, b' ' | b'\t'));
            match text {
                Some(skipped) if data[at + skipped] == b'#' => at = line_end(data, at + skipped),
                _ => return at,
            }
        }
    }

    /// Reads the record at `at` into `fields`; gives the start of the next one.
    pub(super) fn record(&mut self, data: &[u8], at: usize) -> Result<usize, Broken> {
        self.fields.clear();
        self.scratch.clear();
        let mut at = at;
        loop {
            let quoted =
                self.dialect.quote.is_some() && data.get(at).copied() == self.dialect.quote;
            let end = if quoted { self.quoted(data, at)? } else { self.plain(data, at) };
            match data.get(end) {
                None => return Ok(end),
                Some(b'\n') => return Ok(end + 1),
                Some(_) => at = end + 1,
            }
        }
    }

    /// A field without quotes; gives where its delimiter or line feed is.
    fn plain(&mut self, data: &[u8], start: usize) -> usize {
        let mut end = find_end(data, start, self.dialect.delimiter, self.dialect.escape);
        if self.dialect.escape.is_some() && data.get(end).copied() == self.dialect.escape {
            let from = self.scratch.len();
            let mut copied = start;
            while data.get(end).copied() == self.dialect.escape && end < data.len() {
                self.scratch.extend_from_slice(&data[copied..end]);
                self.push_escaped(data.get(end + 1).copied());
                copied = (end + 2).min(data.len());
                end = find_end(data, copied, self.dialect.delimiter, self.dialect.escape);
            }
            let text_end = without_carriage_return(data, copied, end);
            self.scratch.extend_from_slice(&data[copied..text_end]);
            self.fields.push(Field { start: from, end: self.scratch.len(), unescaped: true });
            return end;
        }
        let text_end = without_carriage_return(data, start, end);
        self.fields.push(Field { start, end: text_end, unescaped: false });
        end
    }

    /// A field in quotes, `open` is its first quote; gives where its delimiter or line feed is.
    fn quoted(&mut self, data: &[u8], open: usize) -> Result<usize, Broken> {
        let quote = self.dialect.quote.unwrap_or(b'"');
        let from = self.scratch.len();
        let mut copied = open + 1;
        let mut at = copied;
        let close = loop {
            let mark = match self.dialect.escape {
                None => memchr(quote, &data[at..]),
                Some(escape) => memchr2(quote, escape, &data[at..]),
            };
            let Some(found) = mark.map(|skipped| at + skipped) else {
                let reason = "a quoted field has no closing quote".to_owned();
                return Err(Broken { reason, next: line_end(data, open) });
            };
            let next = data.get(found + 1).copied();
            if data[found] == quote && next != Some(quote) {
                break found;
            }
            self.scratch.extend_from_slice(&data[copied..found]);
            if data[found] == quote {
                self.scratch.push(quote);
            } else {
                self.push_escaped(next);
            }
            copied = (found + 2).min(data.len());
            at = copied;
        };
        if copied == open + 1 {
            self.fields.push(Field { start: copied, end: close, unescaped: false });
        } else {
            self.scratch.extend_from_slice(&data[copied..close]);
            self.fields.push(Field { start: from, end: self.scratch.len(), unescaped: true });
        }
        let mut end = close + 1;
        while let Some(byte) = data.get(end)
            && *byte <= b' '
            && *byte != b'\n'
            && *byte != self.dialect.delimiter
        {
            end += 1;
        }
        match data.get(end) {
            Some(byte) if *byte != b'\n' && *byte != self.dialect.delimiter => Err(Broken {
                reason: "text follows the closing quote of a field".to_owned(),
                next: line_end(data, end),
            }),
            _ => Ok(end),
        }
    }

    fn push_escaped(&mut self, byte: Option<u8>) {
        self.scratch.extend(byte.map(|b| match b {
            b'0' => 0,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            other => other,
        }));
    }
}

/// The start of the line after the one that holds `at`.
fn line_end(data: &[u8], at: usize) -> usize {
    memchr(b'\n', &data[at..]).map_or(data.len(), |skipped| at + skipped + 1)
}

fn without_carriage_return(data: &[u8], start: usize, end: usize) -> usize {
    let ends_line = data.get(end).is_none_or(|b| *b == b'\n');
    if ends_line && end > start && data[end - 1] == b'\r' { end - 1 } else { end }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Marks the high bit of each byte of `word` that equals the byte repeated in `pattern`; exact up to the first one.
#[inline]
fn equal_bytes(word: u64, pattern: u64) -> u64 {
    let x = word ^ pattern;
    x.wrapping_sub(ONES) & !x & HIGHS
}

/// The first delimiter, line feed or escape at or after `at`, or the end of the data. Eight bytes at a time: fields
/// are too short for the set-up of a vector search to pay.
#[inline]
fn find_end(data: &[u8], mut at: usize, delimiter: u8, escape: Option<u8>) -> usize {
    let stop = ONES * u64::from(delimiter);
    let feed = ONES * u64::from(b'\n');
    let escapes = ONES * u64::from(escape.unwrap_or(delimiter));
    while let Some(chunk) = data.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("the slice has eight bytes"));
        let found = equal_bytes(word, stop) | equal_bytes(word, feed) | equal_bytes(word, escapes);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = data.get(at) {
        if *byte == delimiter || *byte == b'\n' || Some(*byte) == escape {
            return at;
        }
        at += 1;
    }
    at
}

/// The end of the last whole record in `data`, which starts at the start of one: the index after its line feed.
/// `None` if no record ends here.
pub(crate) fn last_record_end(data: &[u8], dialect: Dialect) -> Option<usize> {
    match (dialect.quote, dialect.escape) {
        (None, escape) => plain_feed(data, 0, data.len(), escape),
        (Some(quote), None) => scan_quotes(data, dialect, quote, memchr_iter(quote, data)),
        (Some(quote), Some(escape)) => {
            scan_quotes(data, dialect, quote, memchr2_iter(quote, escape, data))
        }
    }
}

/// [`last_record_end`], given where all quotes and escapes are.
fn scan_quotes(
    data: &[u8],
    dialect: Dialect,
    quote: u8,
    marks: impl Iterator<Item = usize>,
) -> Option<usize> {
    // Text between `plain_from` and the next opening quote is outside quotes.
    let (mut open, mut plain_from, mut skip_to, mut last) = (false, 0, 0, None);
    for at in marks {
        if at < skip_to {
            continue;
        }
        if data[at] != quote {
            skip_to = at + 2;
        } else if !open {
            if opens_field(data, at, dialect) {
                last = plain_feed(data, plain_from, at, dialect.escape).or(last);
                open = true;
            }
        } else if let Some(next) = data.get(at + 1) {
            if *next == quote {
                skip_to = at + 2;
            } else {
                open = false;
                plain_from = at + 1;
            }
        }
    }
    if open { last } else { plain_feed(data, plain_from, data.len(), dialect.escape).or(last) }
}

fn opens_field(data: &[u8], at: usize, dialect: Dialect) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    let after_delimiter = data[before] == dialect.delimiter
        && (dialect.escape.is_none()
            || escapes_before(data, 0, before, dialect.escape).is_multiple_of(2));
    if !after_delimiter && data[before] != b'\n' {
        return false;
    }
    if !dialect.comments {
        return true;
    }
    let line = memrchr(b'\n', &data[..at]).map_or(0, |feed| feed + 1);
    trim_start(&data[line..at]).first() != Some(&b'#')
}

fn trim_start(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(text.len())..]
}

fn escapes_before(data: &[u8], from: usize, at: usize, escape: Option<u8>) -> usize {
    data[from..at].iter().rev().take_while(|b| Some(**b) == escape).count()
}

/// The index after the last line feed in `from..to` that no escape stands before.
fn plain_feed(data: &[u8], from: usize, to: usize, escape: Option<u8>) -> Option<usize> {
    let mut end = to;
    while let Some(feed) = memrchr(b'\n', &data[from..end]).map(|at| from + at) {
        if escape.is_none() || escapes_before(data, from, feed, escape).is_multiple_of(2) {
            return Some(feed + 1);
        }
        end = feed;
    }
    None
}
