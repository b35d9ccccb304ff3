//! JSON text as a tree, read as Jackson reads it.
//! Invariant: the first value counts and what follows it is not looked at; of equal keys the last value counts, at the
//! place of the first; numbers keep their text. Nesting beyond [`DEPTH_MAX`] is an error, as in Jackson.

use std::borrow::Cow;

/// How deep arrays and objects may nest.
const DEPTH_MAX: usize = 1000;

/// A JSON value; texts without escapes are slices of the input.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node<'a> {
    Null,
    Boolean(bool),
    /// As written.
    Number(&'a str),
    Text(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl Node<'_> {
    /// Neither array nor object.
    pub(crate) fn is_scalar(&self) -> bool {
        !matches!(self, Node::Array(_) | Node::Object(_))
    }
}

/// The first value of the text, or `None` if there is none or it is malformed.
pub(crate) fn parse(text: &str) -> Option<Node<'_>> {
    let mut reader = Reader::new(text);
    let node = reader.value(0)?;
    reader.ends_token(&node).then_some(node)
}

/// The same, and whether an object in it has a key twice.
pub(crate) fn parse_noting_duplicates(text: &str) -> Option<(Node<'_>, bool)> {
    let mut reader = Reader::new(text);
    let node = reader.value(0)?;
    reader.ends_token(&node).then_some((node, reader.duplicates))
}

/// The text that a string literal with its quotes stands for.
pub(crate) fn unescape(literal: &str) -> Option<Cow<'_, str>> {
    let mut reader = Reader::new(literal);
    reader.expect(b'"')?;
    let text = reader.string()?;
    (reader.at == literal.len()).then_some(text)
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// An object had a key twice.
    duplicates: bool,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, duplicates: false }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Jackson looks one character past a number or a word: `1x` and `truex` are malformed, `1 x` is not.
    fn ends_token(&self, node: &Node<'_>) -> bool {
        match (node, self.peek()) {
            (Node::Number(_), Some(b)) => matches!(b, b' ' | b'\t' | b'\n' | b'\r'),
            (Node::Null | Node::Boolean(_), Some(b)) => !(b.is_ascii_alphanumeric() || b >= 0x80),
            _ => true,
        }
    }

    fn value(&mut self, depth: usize) -> Option<Node<'a>> {
        self.skip_space();
        match self.peek()? {
            b'{' if depth < DEPTH_MAX => self.object(depth + 1),
            b'[' if depth < DEPTH_MAX => self.array(depth + 1),
            b'"' => {
                self.at += 1;
                self.string().map(Node::Text)
            }
            b't' => self.word("true", Node::Boolean(true)),
            b'f' => self.word("false", Node::Boolean(false)),
            b'n' => self.word("null", Node::Null),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, node: Node<'a>) -> Option<Node<'a>> {
        self.text[self.at..].starts_with(word).then(|| {
            self.at += word.len();
            node
        })
    }

    fn array(&mut self, depth: usize) -> Option<Node<'a>> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.expect(b']').is_some() {
            return Some(Node::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.skip_space();
            if self.expect(b']').is_some() {
                return Some(Node::Array(items));
            }
            self.expect(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Node<'a>> {
        self.at += 1;
        let mut entries: Vec<(Cow<'a, str>, Node<'a>)> = Vec::new();
        self.skip_space();
        if self.expect(b'}').is_some() {
            return Some(Node::Object(entries));
        }
        loop {
            self.skip_space();
            self.expect(b'"')?;
            let key = self.string()?;
            self.skip_space();
            self.expect(b':')?;
            let value = self.value(depth)?;
            entries.push((key, value));
            self.skip_space();
            if self.expect(b'}').is_some() {
                let read = entries.len();
                let entries = without_duplicates(entries);
                self.duplicates |= entries.len() < read;
                return Some(Node::Object(entries));
            }
            self.expect(b',')?;
        }
    }

    /// A string, its opening quote already read.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut copied = start;
        loop {
            let special = memchr::memchr2(b'"', b'\\', &self.bytes[self.at..])?;
            let end = self.at + special;
            if self.bytes[self.at..end].iter().any(|b| *b < 0x20) {
                return None;
            }
            self.at = end + 1;
            if self.bytes[end] == b'"' {
                let tail = &self.text[copied..end];
                return Some(match owned {
                    None => Cow::Borrowed(tail),
                    Some(mut text) => {
                        text.push_str(tail);
                        Cow::Owned(text)
                    }
                });
            }
            let text = owned.get_or_insert_with(String::new);
            text.push_str(&self.text[copied..end]);
            let c = self.escape()?;
            text.push(c);
            copied = self.at;
        }
    }

    fn escape(&mut self) -> Option<char> {
        let escape = self.peek()?;
        self.at += 1;
        Some(match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.unit()?;
                if !(0xD800..0xDC00).contains(&high) || !self.bytes[self.at..].starts_with(b"\\u") {
                    return Some(char::from_u32(high.into()).unwrap_or('?'));
                }
                let mark = self.at;
                self.at += 2;
                let low = self.unit()?;
                match char::decode_utf16([high, low]).next() {
                    Some(Ok(c)) => c,
                    _ => {
                        self.at = mark;
                        '?'
                    }
                }
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u16> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        u16::from_str_radix(digits, 16).ok()
    }

    fn number(&mut self) -> Option<Node<'a>> {
        let start = self.at;
        let _ = self.expect(b'-');
        let whole = self.digits()?;
        if whole > 1 && self.bytes[self.at - whole] == b'0' {
            return None;
        }
        if self.expect(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(Node::Number(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> Option<usize> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(self.at - start)
    }
}

/// Keeps the first place and the last value of each key.
fn without_duplicates<'a>(entries: Vec<(Cow<'a, str>, Node<'a>)>) -> Vec<(Cow<'a, str>, Node<'a>)> {
    let mut seen: std::collections::BTreeMap<Cow<'a, str>, usize> =
        std::collections::BTreeMap::new();
    let mut kept: Vec<(Cow<'a, str>, Node<'a>)> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        match seen.get(&key) {
            Some(place) => kept[*place].1 = value,
            None => {
                seen.insert(key.clone(), kept.len());
                kept.push((key, value));
            }
        }
    }
    kept
}
