//! A payload as text. UTF-8 is checked once for all of it; only when that fails are the bad records looked for.
//! Invariant: the text has the payload's length and every good record at its place; the non-ASCII bytes of bad ones
//! are replaced, and the bad ones are listed.

use std::borrow::Cow;
use std::ops::Range;

use mainstem_core::{Error, Result};

/// A record that is not UTF-8.
#[derive(Debug)]
pub(super) struct Invalid {
    /// Its bytes in the payload.
    pub(super) record: Range<usize>,
    /// The first wrong byte, in the payload.
    pub(super) at: usize,
    /// The message's index; 0 for lines.
    index: usize,
}

/// A payload's text and the records that are none.
#[derive(Debug)]
pub(super) struct Payload<'a> {
    text: Cow<'a, str>,
    invalid: Vec<Invalid>,
}

impl<'a> Payload<'a> {
    /// Newline-delimited records.
    pub(super) fn of_lines(data: &'a [u8]) -> Result<Self> {
        check_size(data)?;
        if let Ok(text) = simdutf8::basic::from_utf8(data) {
            return Ok(Self { text: Cow::Borrowed(text), invalid: Vec::new() });
        }
        let mut clean = data.to_vec();
        let mut invalid = Vec::new();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', data).chain([data.len()]) {
            if let Err(e) = simdutf8::compat::from_utf8(&data[start..end]) {
                let at = start + e.valid_up_to();
                invalid.push(Invalid { record: start..end, at, index: 0 });
                replace(&mut clean[start..end]);
            }
            start = end + 1;
        }
        Self::cleaned(clean, invalid)
    }

    /// Records at `ranges`; whatever lies between them is not looked at.
    pub(super) fn of_ranges(data: &'a [u8], ranges: &[Option<Range<u32>>]) -> Result<Self> {
        check_size(data)?;
        let inside = |r: &Range<u32>| r.start <= r.end && r.end as usize <= data.len();
        if !ranges.iter().flatten().all(inside) {
            return Err(Error::internal("a message lies outside its buffer"));
        }
        if let Ok(text) = simdutf8::basic::from_utf8(data) {
            let whole = |r: &Range<u32>| {
                text.is_char_boundary(r.start as usize) && text.is_char_boundary(r.end as usize)
            };
            if ranges.iter().flatten().all(whole) {
                return Ok(Self { text: Cow::Borrowed(text), invalid: Vec::new() });
            }
        }
        let mut clean = vec![b'?'; data.len()];
        let mut invalid = Vec::new();
        for (index, range) in ranges.iter().enumerate() {
            let Some(range) = range else { continue };
            let record = range.start as usize..range.end as usize;
            let bytes = &data[record.clone()];
            clean[record.clone()].copy_from_slice(bytes);
            if let Err(e) = simdutf8::compat::from_utf8(bytes) {
                replace(&mut clean[record.clone()]);
                invalid.push(Invalid { at: record.start + e.valid_up_to(), record, index });
            }
        }
        Self::cleaned(clean, invalid)
    }

    fn cleaned(clean: Vec<u8>, invalid: Vec<Invalid>) -> Result<Self> {
        let text = String::from_utf8(clean)
            .map_err(|e| Error::internal("messages overlap in their buffer").with_source(e))?;
        Ok(Self { text: Cow::Owned(text), invalid })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// In the order of the payload.
    pub(super) fn invalid(&self) -> &[Invalid] {
        &self.invalid
    }

    /// What is wrong with message `index`.
    #[inline(always)]
    pub(super) fn invalid_at(&self, index: usize) -> Option<&Invalid> {
        if self.invalid.is_empty() {
            return None;
        }
        self.invalid.binary_search_by_key(&index, |i| i.index).ok().map(|i| &self.invalid[i])
    }
}

/// Spans are 32 bits wide, and some arithmetic looks a little ahead.
fn check_size(data: &[u8]) -> Result<()> {
    if data.len() > u32::MAX as usize - 1024 {
        return Err(Error::internal("a payload of more than 4 GiB reached the json decoder"));
    }
    Ok(())
}

fn replace(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|b| !b.is_ascii()) {
        *byte = b'?';
    }
}
