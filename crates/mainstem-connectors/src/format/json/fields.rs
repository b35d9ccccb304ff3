//! Which field a key stands for. Records of one source mostly have the same keys, in the same order, written the same
//! way; so after each field the one that followed it last time is expected, and its key is compared as bytes, with
//! quotes, colon and white space, before anything is parsed.
//! Invariant: a guess changes the cost, never the result; what is remembered about unwanted keys is bounded.
//! Does not look at values.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::scan::{Input, Kind, Scanned, Span, What};
use super::text::unescape;

/// So many unwanted keys are remembered.
const UNWANTED_MAX: usize = 1024;
/// Keys longer than this, with their punctuation, are compared the slow way.
const GLUE_BYTES_MAX: usize = 32;
const NOTHING: u32 = 0;

/// A key that was seen or is wanted.
#[derive(Debug, Clone)]
struct Known {
    /// `"key":` and the white space around it as it was last seen, zero behind its end; empty if not seen yet.
    glue: [u64; 4],
    mask: [u64; 4],
    glue_bytes: u32,
    slot: u32,
    /// The field that came after this one last time.
    next: u32,
    /// How long its text was last time, and how often in a row it was so.
    text_bytes: u32,
    steady: u32,
}

/// A length that was the same so often is expected again.
const STEADY: u32 = 6;

/// The fields of an object of which some are wanted.
#[derive(Debug)]
pub(super) struct Fields {
    known: Vec<Known>,
    by_name: HashMap<Box<str>, u32, FixedState>,
    /// Where values of unwanted fields go.
    unwanted_slot: u32,
    scratch: String,
}

/// A walk over the keys of one record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    last: u32,
}

impl Fields {
    /// Wants `names`; the slot of each is its index, that of every other field is `names.len()`.
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut fields = Self {
            known: Vec::new(),
            by_name: HashMap::with_hasher(FixedState::default()),
            unwanted_slot: 0,
            scratch: String::new(),
        };
        // Index 0 stands for "no field": its successor is the first field of a record.
        fields.known.push(Known::new(0));
        for name in names {
            fields.add(name, fields.unwanted_slot);
            fields.unwanted_slot += 1;
        }
        fields.known[0].slot = fields.unwanted_slot;
        fields
    }

    fn add(&mut self, name: &str, slot: u32) -> u32 {
        let index = self.known.len() as u32;
        self.known.push(Known::new(slot));
        self.by_name.insert(name.into(), index);
        index
    }

    /// Forgets how keys were written.
    pub(super) fn forget(&mut self) {
        for known in &mut self.known {
            *known = Known { next: known.next, ..Known::new(known.slot) };
        }
    }

    /// At the first key of a record.
    #[inline(always)]
    pub(super) fn walk(&self) -> Walk {
        Walk { last: NOTHING }
    }

    /// Reads the key at `at`, white space before it included. The slot of its field and where its value starts.
    #[inline(always)]
    pub(super) fn key(
        &mut self,
        walk: &mut Walk,
        input: &Input<'_>,
        at: usize,
    ) -> Scanned<(usize, usize)> {
        let expected = self.known[walk.last as usize].next;
        let known = &self.known[expected as usize];
        if known.stands_at(input, at) {
            walk.last = expected;
            return Ok((known.slot as usize, at + known.glue_bytes as usize));
        }
        self.unexpected_key(walk, input, at)
    }

    /// The value at `at` of the field whose key was read last, and where the text behind it starts.
    #[inline(always)]
    pub(super) fn value(
        &mut self,
        walk: &Walk,
        input: &Input<'_>,
        at: usize,
    ) -> Scanned<(Span, usize)> {
        if input.byte(at) != b'"' {
            return input.value(at);
        }
        let known = &mut self.known[walk.last as usize];
        let (start, guess) = (at + 1, known.text_bytes as usize);
        if known.steady >= STEADY && input.is_text_of(start, guess) {
            return Ok((Span::new(start, start + guess, Kind::Text), start + guess + 1));
        }
        let (end, escaped) = input.string_end(start)?;
        let len = (end - start) as u32;
        known.steady = if len == known.text_bytes && len >= 8 { known.steady + 1 } else { 0 };
        known.text_bytes = len;
        let kind = if escaped { Kind::Escaped } else { Kind::Text };
        Ok((Span::new(start, end, kind), end + 1))
    }

    #[cold]
    fn unexpected_key(
        &mut self,
        walk: &mut Walk,
        input: &Input<'_>,
        at: usize,
    ) -> Scanned<(usize, usize)> {
        let start = input.space(at);
        let (key, value) = input.key(start)?;
        let raw = input.slice(key.start as usize, key.end as usize);
        let Ok(raw) = std::str::from_utf8(raw) else {
            return Err(input.fault(start, What::KeyExpected));
        };
        let index = if key.kind == Kind::Escaped {
            let mut name = std::mem::take(&mut self.scratch);
            name.clear();
            unescape(raw, &mut name);
            let index = self.by_name.get(name.as_str()).copied().unwrap_or(NOTHING);
            self.scratch = name;
            index
        } else {
            let index = match self.by_name.get(raw) {
                Some(index) => *index,
                None if self.known.len() < self.unwanted_slot as usize + UNWANTED_MAX => {
                    self.add(raw, self.unwanted_slot)
                }
                None => NOTHING,
            };
            if index != NOTHING {
                self.known[index as usize].learn(input.slice(at, value));
                self.known[walk.last as usize].next = index;
            }
            index
        };
        // After a field that is not remembered nothing is expected; `NOTHING` itself expects a record's first field,
        // which is a guess as good as any.
        walk.last = index;
        Ok((self.known[index as usize].slot as usize, value))
    }
}

impl Known {
    fn new(slot: u32) -> Self {
        // Until its key is seen, nothing equals it: a mask without glue matches only NUL bytes, and those are no JSON.
        Self {
            glue: [0; 4],
            mask: [u64::MAX; 4],
            glue_bytes: 0,
            slot,
            next: NOTHING,
            text_bytes: 0,
            steady: 0,
        }
    }

    fn learn(&mut self, seen: &[u8]) {
        if seen.len() > GLUE_BYTES_MAX {
            return;
        }
        let (mut glue, mut mask) = ([0; GLUE_BYTES_MAX], [0; GLUE_BYTES_MAX]);
        glue[..seen.len()].copy_from_slice(seen);
        mask[..seen.len()].fill(0xff);
        self.glue = words(&glue);
        self.mask = words(&mask);
        self.glue_bytes = seen.len() as u32;
    }

    /// Compares 32 bytes at once; near the end of a payload, where they cannot be loaded, nothing is as expected.
    #[inline(always)]
    fn stands_at(&self, input: &Input<'_>, at: usize) -> bool {
        let Some(window) = input.window::<GLUE_BYTES_MAX>(at) else { return false };
        let seen = words(window);
        let different = (0..4).fold(0, |d, i| d | ((seen[i] ^ self.glue[i]) & self.mask[i]));
        different == 0
    }
}

#[inline(always)]
fn words(bytes: &[u8; GLUE_BYTES_MAX]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*chunk);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(fields: &mut Fields, text: &str) -> Vec<usize> {
        let input = Input::new(text.as_bytes(), text.len(), true);
        let mut walk = fields.walk();
        let mut at = 1;
        let mut slots = Vec::new();
        loop {
            let (slot, value) = fields.key(&mut walk, &input, at).unwrap();
            slots.push(slot);
            let end = input.space(input.value(value).unwrap().1);
            if input.byte(end) == b'}' {
                return slots;
            }
            at = end + 1;
        }
    }

    #[test]
    fn order_spacing_and_escapes_do_not_matter() {
        let mut fields = Fields::new(["a", "b", "a key that is longer than thirty-two bytes"]);
        let long = "\"a key that is longer than thirty-two bytes\":1";
        for _ in 0..3 {
            assert_eq!(slots(&mut fields, r#"{"a":1,"x":{"a":2},"b":3}"#), [0, 3, 1]);
            assert_eq!(slots(&mut fields, r#"{ "b" : 1 , "a": 2 , "A" :3 }"#), [1, 0, 3]);
            assert_eq!(slots(&mut fields, r#"{"\u0061":1,"b":2,"b":3}"#), [0, 1, 1]);
            assert_eq!(slots(&mut fields, &format!("{{{long},\"a\":1}}")), [2, 0]);
        }
    }

    #[test]
    fn unwanted_keys_are_bounded() {
        let mut fields = Fields::new(["a"]);
        for i in 0..5000 {
            assert_eq!(slots(&mut fields, &format!("{{\"k{i}\":1,\"a\":1}}")), [1, 0]);
        }
        assert!(fields.known.len() <= UNWANTED_MAX + 1);
    }
}
