//! Finds where JSON values end, and checks that they are JSON, without building anything.
//! Invariant: a span that comes out of here holds one well-formed value (RFC 8259), no deeper than [`DEPTH_MAX`];
//! nothing here is quadratic and nothing panics, whatever the bytes. Wide loads may look past the end of a record
//! into its neighbour; what they find there is never taken for a part of the record.
//! Does not convert values, and does not check UTF-8: the input is valid UTF-8 already.

/// A document nested deeper than this is refused.
pub(super) const DEPTH_MAX: u32 = 128;

/// What kind of value a span holds. As wide as the other parts of a span, so that a span has no padding to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
    /// The field is not in the record.
    Missing,
    Null,
    False,
    True,
    /// A number with neither fraction nor exponent.
    Integer,
    /// A number with a fraction or an exponent.
    Fraction,
    /// A string without escapes; the span lies between the quotes.
    Text,
    /// A string with escapes; the span lies between the quotes.
    Escaped,
    Object,
    Array,
}

/// Where a value is in the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) kind: Kind,
}

impl Span {
    pub(super) const MISSING: Span = Span { start: 0, end: 0, kind: Kind::Missing };

    #[inline(always)]
    pub(super) fn new(start: usize, end: usize, kind: Kind) -> Self {
        Self { start: start as u32, end: end as u32, kind }
    }
}

/// Why a document is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Truncated,
    NotAnObject,
    KeyExpected,
    ColonExpected,
    ValueExpected,
    CommaExpected,
    ControlCharacter,
    Escape,
    Surrogate,
    Number,
    Literal,
    Depth,
    Trailing,
}

impl What {
    pub(super) fn reason(self) -> &'static str {
        match self {
            What::Truncated => "the document ends too early",
            What::NotAnObject => "the record is not a JSON object",
            What::KeyExpected => "a field name in quotes is expected",
            What::ColonExpected => "':' is expected after a field name",
            What::ValueExpected => "a value is expected",
            What::CommaExpected => "',' or a closing bracket is expected",
            What::ControlCharacter => "a control character in a string must be escaped",
            What::Escape => "invalid escape in a string",
            What::Surrogate => "unpaired surrogate in a string",
            What::Number => "not a valid number",
            What::Literal => "not a value (true, false and null are the only words)",
            What::Depth => "nested deeper than 128",
            What::Trailing => "more text after the end of the document",
        }
    }
}

/// A document that is not JSON, and where. `at` is an offset in the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: u32,
    pub(super) what: What,
}

pub(super) type Scanned<T> = Result<T, Fault>;

/// A payload up to the end of the record that is being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    whole: &'a [u8],
    end: usize,
    lines: bool,
}

impl<'a> Input<'a> {
    /// `whole[..end]` ends with the record. With `lines`, a line feed ends a record and is no white space.
    pub(super) fn new(whole: &'a [u8], end: usize, lines: bool) -> Self {
        Self { whole, end: end.min(whole.len()), lines }
    }

    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// The bytes from `at` on, possibly beyond the record.
    #[inline(always)]
    pub(super) fn window<const N: usize>(&self, at: usize) -> Option<&'a [u8; N]> {
        self.whole.get(at..)?.first_chunk()
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        &self.whole[start..end]
    }

    /// True if `expected` stands at `at`.
    pub(super) fn starts_with(&self, at: usize, expected: &[u8]) -> bool {
        self.whole.get(at..self.end).is_some_and(|rest| rest.starts_with(expected))
    }

    /// The byte at `at`; NUL, which is no part of any token, at the end of the record.
    #[inline(always)]
    pub(super) fn byte(&self, at: usize) -> u8 {
        if at < self.end { self.whole[at] } else { 0 }
    }

    /// True if a line feed at `at` ends the record.
    #[inline(always)]
    pub(super) fn ends_line(&self, at: usize) -> bool {
        self.lines && self.byte(at) == b'\n'
    }

    /// Behind the white space at `at`.
    #[inline(always)]
    pub(super) fn space(&self, at: usize) -> usize {
        if self.byte(at) > b' ' { at } else { self.space_behind(at) }
    }

    fn space_behind(&self, mut at: usize) -> usize {
        loop {
            match self.byte(at) {
                b' ' | b'\t' | b'\r' => at += 1,
                b'\n' if !self.lines => at += 1,
                _ => return at,
            }
        }
    }

    /// The fault `what` at `at`, or "truncated" if that is where the record ends.
    #[cold]
    pub(super) fn fault(&self, at: usize, what: What) -> Fault {
        let over = at >= self.end || (self.lines && self.whole[at] == b'\n');
        Fault { at: at.min(self.end) as u32, what: if over { What::Truncated } else { what } }
    }

    /// The closing quote of the string whose content starts at `at`, and whether it has escapes.
    #[inline(always)]
    pub(super) fn string_end(&self, at: usize) -> Scanned<(usize, bool)> {
        let mut at = at;
        while let Some(block) = self.window(at) {
            if any_special(block) {
                at += first_special(block);
                if at < self.end && self.whole[at] == b'"' {
                    return Ok((at, false));
                }
                break;
            }
            at += BLOCK_BYTES;
        }
        self.string_end_slow(at)
    }

    /// The same from any byte of the string on, for escapes, faults, and the last bytes of a payload.
    #[cold]
    fn string_end_slow(&self, mut at: usize) -> Scanned<(usize, bool)> {
        let mut escaped = false;
        loop {
            if let Some(block) = self.window(at) {
                if !any_special(block) {
                    at += BLOCK_BYTES;
                    continue;
                }
                at += first_special(block);
            }
            match self.byte(at) {
                b'"' => return Ok((at, escaped)),
                b'\\' => {
                    escaped = true;
                    at = self.escape_end(at)?;
                }
                0..0x20 => return Err(self.fault(at, What::ControlCharacter)),
                _ => at += 1,
            }
        }
    }

    /// True if the string whose content starts at `at` is `len` bytes long and has no escapes. For a guess of 8 bytes
    /// and more: what is not sure is said to be false. The length comes from the guess and not out of the bytes, so
    /// the processor need not wait for them before it goes on.
    #[inline(always)]
    pub(super) fn is_text_of(&self, at: usize, len: usize) -> bool {
        let end = at + len;
        let Some(content) = self.whole.get(at..end) else { return false };
        if self.byte(end) != b'"' {
            return false;
        }
        if let Some(last) = content.last_chunk() {
            let blocks = content.as_chunks().0;
            return !blocks.iter().fold(any_special(last), |any, b| any | any_special(b));
        }
        match (content.first_chunk(), content.last_chunk()) {
            (Some(first), Some(last)) => {
                let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
                specials_of_word(first) | specials_of_word(last) == 0
            }
            _ => false,
        }
    }

    fn escape_end(&self, at: usize) -> Scanned<usize> {
        match self.byte(at + 1) {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
            b'u' => {
                let unit = self.hex(at)?;
                match unit {
                    0xd800..0xdc00 => {
                        if self.byte(at + 6) != b'\\' || self.byte(at + 7) != b'u' {
                            return Err(self.fault(at, What::Surrogate));
                        }
                        match self.hex(at + 6)? {
                            0xdc00..0xe000 => Ok(at + 12),
                            _ => Err(self.fault(at, What::Surrogate)),
                        }
                    }
                    0xdc00..0xe000 => Err(self.fault(at, What::Surrogate)),
                    _ => Ok(at + 6),
                }
            }
            _ => Err(self.fault(at + 1, What::Escape)),
        }
    }

    /// The code unit of the `\u` escape at `at`.
    fn hex(&self, at: usize) -> Scanned<u32> {
        (at + 2..at + 6).try_fold(0, |unit, i| match (self.byte(i) as char).to_digit(16) {
            Some(digit) => Ok(unit * 16 + digit),
            None => Err(self.fault(i, What::Escape)),
        })
    }

    /// Behind the digits at `at`; may run past the record.
    #[inline(always)]
    fn digits_end(&self, mut at: usize) -> usize {
        while let Some(block) = self.window::<8>(at) {
            let count = leading_digits(u64::from_le_bytes(*block));
            at += count;
            if count < 8 {
                return at;
            }
        }
        while self.byte(at).is_ascii_digit() {
            at += 1;
        }
        at
    }

    /// Behind the number at `at`, and whether it has a fraction or an exponent.
    #[inline(always)]
    fn number_end(&self, at: usize) -> Scanned<(usize, Kind)> {
        let first = at + usize::from(self.byte(at) == b'-');
        let mut end = self.digits_end(first);
        if end == first || (end > first + 1 && self.byte(first) == b'0') {
            return Err(self.fault(first, What::Number));
        }
        let mut kind = Kind::Integer;
        if self.byte(end) == b'.' {
            let point = end;
            end = self.digits_end(point + 1);
            if end == point + 1 {
                return Err(self.fault(end, What::Number));
            }
            kind = Kind::Fraction;
        }
        if self.byte(end) | 0x20 == b'e' {
            end = self.exponent_end(end)?;
            kind = Kind::Fraction;
        }
        if end > self.end {
            return Err(self.fault(end, What::Truncated));
        }
        Ok((end, kind))
    }

    fn exponent_end(&self, at: usize) -> Scanned<usize> {
        let first = at + 1 + usize::from(matches!(self.byte(at + 1), b'+' | b'-'));
        let end = self.digits_end(first);
        if end == first { Err(self.fault(first, What::Number)) } else { Ok(end) }
    }

    /// The value at `at`, and where the text behind it starts.
    #[inline(always)]
    pub(super) fn value(&self, at: usize) -> Scanned<(Span, usize)> {
        match self.byte(at) {
            b'"' => {
                let (end, escaped) = self.string_end(at + 1)?;
                let kind = if escaped { Kind::Escaped } else { Kind::Text };
                Ok((Span::new(at + 1, end, kind), end + 1))
            }
            b'-' | b'0'..=b'9' => {
                let (end, kind) = self.number_end(at)?;
                Ok((Span::new(at, end, kind), end))
            }
            _ => self.other_value(at),
        }
    }

    fn other_value(&self, at: usize) -> Scanned<(Span, usize)> {
        // A key that was guessed ends with its usual white space; there may be more this time.
        let at = self.space(at);
        let (end, kind) = match self.byte(at) {
            b'"' | b'-' | b'0'..=b'9' => return self.value(at),
            b'{' => (self.container_end(at)?, Kind::Object),
            b'[' => (self.container_end(at)?, Kind::Array),
            b't' => (self.word_end(at, b"true")?, Kind::True),
            b'f' => (self.word_end(at, b"false")?, Kind::False),
            b'n' => (self.word_end(at, b"null")?, Kind::Null),
            _ => return Err(self.fault(at, What::ValueExpected)),
        };
        Ok((Span::new(at, end, kind), end))
    }

    fn word_end(&self, at: usize, word: &[u8]) -> Scanned<usize> {
        if self.starts_with(at, word) {
            return Ok(at + word.len());
        }
        let wrong = (0..word.len()).find(|&i| self.byte(at + i) != word[i]).unwrap_or(0);
        Err(self.fault(at + wrong, What::Literal))
    }

    /// The key at `at`: its span, and where its value starts.
    #[inline(always)]
    pub(super) fn key(&self, at: usize) -> Scanned<(Span, usize)> {
        if self.byte(at) != b'"' {
            return Err(self.fault(at, What::KeyExpected));
        }
        let (end, escaped) = self.string_end(at + 1)?;
        let kind = if escaped { Kind::Escaped } else { Kind::Text };
        let colon = self.space(end + 1);
        if self.byte(colon) != b':' {
            return Err(self.fault(colon, What::ColonExpected));
        }
        Ok((Span::new(at + 1, end, kind), self.space(colon + 1)))
    }

    /// Behind the object or array that opens at `at`, which is itself inside the record's object.
    fn container_end(&self, at: usize) -> Scanned<usize> {
        // One bit a level: is it an object? The record itself is the first level.
        let mut objects: u128 = 0;
        let mut depth = 1;
        let mut at = at;
        'open: loop {
            let object = self.byte(at) == b'{';
            if depth == DEPTH_MAX {
                return Err(self.fault(at, What::Depth));
            }
            depth += 1;
            objects = objects << 1 | u128::from(object);
            at = self.space(at + 1);
            let mut first = true;
            loop {
                // At an element, or at the end of an empty container.
                let object = objects & 1 == 1;
                let close = if object { b'}' } else { b']' };
                if !(first && self.byte(at) == close) {
                    if object {
                        at = self.key(at)?.1;
                    }
                    at = match self.byte(at) {
                        b'{' | b'[' => continue 'open,
                        b'"' => self.string_end(at + 1)?.0 + 1,
                        b'-' | b'0'..=b'9' => self.number_end(at)?.0,
                        _ => self.other_value(at)?.1,
                    };
                    at = self.space(at);
                }
                first = false;
                // Behind an element: close as many levels as end here.
                loop {
                    let close = if objects & 1 == 1 { b'}' } else { b']' };
                    match self.byte(at) {
                        b',' => break,
                        byte if byte == close => {
                            depth -= 1;
                            objects >>= 1;
                            at += 1;
                            if depth == 1 {
                                return Ok(at);
                            }
                            at = self.space(at);
                        }
                        _ => return Err(self.fault(at, What::CommaExpected)),
                    }
                }
                at = self.space(at + 1);
            }
        }
    }
}

/// How many of the eight bytes are digits before the first that is none.
#[inline(always)]
pub(super) fn leading_digits(word: u64) -> usize {
    let digits = word ^ 0x3030_3030_3030_3030;
    // A byte of 0..=9 plus 0x76 stays below 0x80; without its high bit no byte carries into the next.
    let marks = (((digits & 0x7f7f_7f7f_7f7f_7f7f) + 0x7676_7676_7676_7676) | digits)
        & 0x8080_8080_8080_8080;
    (marks.trailing_zeros() / 8) as usize
}

/// So many bytes of a string are looked at together.
pub(super) const BLOCK_BYTES: usize = 16;

/// True if a byte of the block ends a run of plain string content: a quote, a backslash, a control character. Written
/// so that the compiler makes vector instructions of it; the intrinsics themselves are not safe to call.
#[inline(always)]
pub(super) fn any_special(block: &[u8; BLOCK_BYTES]) -> bool {
    let special = |byte: u8| u8::from((byte == b'"') | (byte == b'\\') | (byte < 0x20));
    block.iter().fold(0, |any, byte| any | special(*byte)) != 0
}

/// The index of the first of these bytes; one past the block if there is none.
#[inline(always)]
pub(super) fn first_special(block: &[u8; BLOCK_BYTES]) -> usize {
    let word = u128::from_le_bytes(*block);
    let (low, high) = (specials_of_word(word as u64), specials_of_word((word >> 64) as u64));
    let marks = if low == 0 { high } else { low };
    (marks.trailing_zeros() / 8) as usize + if low == 0 { 8 } else { 0 }
}

/// Marks the high bits of such bytes; only the first mark is exact, as a borrow may mark the byte behind it.
#[inline(always)]
fn specials_of_word(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    below(word ^ (ONES * b'"' as u64), 1)
        | below(word ^ (ONES * b'\\' as u64), 1)
        | below(word, 0x20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specials_are_found_wherever_they_are() {
        for byte in 0..=255u8 {
            for at in 0..BLOCK_BYTES {
                let mut block = [b'x'; BLOCK_BYTES];
                block[at] = byte;
                block[BLOCK_BYTES - 1 - at / 2] |= 0x80;
                let special = |b: u8| b == b'"' || b == b'\\' || b < 0x20;
                let first = block.iter().position(|b| special(*b));
                assert_eq!(any_special(&block), first.is_some(), "{byte} at {at}");
                assert_eq!(first_special(&block), first.unwrap_or(BLOCK_BYTES), "{byte} at {at}");
            }
        }
    }

    #[test]
    fn digits_are_counted() {
        for byte in 0..=255u8 {
            for at in 0..8 {
                let mut word = *b"90909090";
                word[at] = byte;
                let first = word.iter().position(|b| !b.is_ascii_digit()).unwrap_or(8);
                assert_eq!(leading_digits(u64::from_le_bytes(word)), first, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn guessed_lengths_are_checked() {
        for len in 0..70 {
            let mut text = vec![b'a'; len];
            text.extend_from_slice(b"\",\"next\":12345678901234567890");
            let input = Input::new(&text, text.len(), true);
            assert_eq!(input.is_text_of(0, len), len >= 8, "{len}");
            for guess in (0..80).filter(|guess| *guess != len) {
                assert!(!input.is_text_of(0, guess), "{len} {guess}");
            }
            for at in 0..len {
                for special in [b'"', b'\\', b'\n'] {
                    let mut text = text.clone();
                    text[at] = special;
                    let input = Input::new(&text, text.len(), true);
                    assert!(!input.is_text_of(0, len), "{len} {at}");
                }
            }
            let input = Input::new(&text, len, true);
            assert!(!input.is_text_of(0, len), "the quote is not in the record");
        }
    }
}
