//! Rewrites a pattern of `java.util.regex` into the syntax of the regex crate.
//! Invariant: what comes out needs no flags: Java's ASCII classes, ASCII case folding, line terminators and `$` are
//! spelled out. What the regex crate cannot do is [`Fault::Unsupported`]; what Java refuses is [`Fault::Invalid`].

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

/// Why a pattern cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Java refuses it too.
    Invalid,
    /// Java takes it, we do not: what it uses.
    Unsupported(String),
}

/// A pattern in the regex crate's syntax.
#[derive(Debug)]
pub(super) struct Translated {
    pub(super) text: String,
    /// It has a `$` or `\Z` outside multi-line mode, written as `\z`.
    pub(super) dollar: bool,
    /// It names a Unicode class that the regex crate may not know.
    pub(super) exotic: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    insensitive: bool,
    multi_line: bool,
    dot_all: bool,
    unicode: bool,
    unix_lines: bool,
}

struct Translator<'p> {
    input: Peekable<Chars<'p>>,
    out: String,
    flags: Flags,
    groups: Vec<Flags>,
    dollar: bool,
    exotic: bool,
}

type Step<T = ()> = Result<T, Fault>;

const LINE_ENDS: &str = r"\n\r\x{85}\x{2028}\x{2029}";

/// Rewrites a whole pattern.
pub(super) fn translate(pattern: &str) -> Step<Translated> {
    let mut t = Translator {
        input: pattern.chars().peekable(),
        out: String::with_capacity(pattern.len() + 16),
        flags: Flags::default(),
        groups: Vec::new(),
        dollar: false,
        exotic: false,
    };
    while let Some(c) = t.input.next() {
        t.token(c)?;
    }
    if !t.groups.is_empty() {
        return Err(Fault::Invalid);
    }
    Ok(Translated { text: t.out, dollar: t.dollar, exotic: t.exotic })
}

fn unsupported<T>(what: &str) -> Step<T> {
    Err(Fault::Unsupported(what.to_string()))
}

impl Translator<'_> {
    fn token(&mut self, c: char) -> Step {
        match c {
            '\\' => self.escape(),
            '[' => self.class(),
            '(' => self.open_group(),
            ')' => {
                self.flags = self.groups.pop().ok_or(Fault::Invalid)?;
                self.out.push(')');
                Ok(())
            }
            '|' => {
                self.out.push('|');
                Ok(())
            }
            '.' => {
                self.dot();
                Ok(())
            }
            '^' if self.flags.multi_line => self.line_anchor('^'),
            '^' => self.put(r"\A"),
            '$' if self.flags.multi_line => self.line_anchor('$'),
            '$' => self.end_anchor(),
            '*' | '+' | '?' | '{' => self.quantifier(c),
            _ => {
                self.literal(c);
                Ok(())
            }
        }
    }

    fn put(&mut self, text: &str) -> Step {
        self.out.push_str(text);
        Ok(())
    }

    fn line_anchor(&mut self, anchor: char) -> Step {
        let flags = if self.flags.unix_lines { "m" } else { "mR" };
        let _ = write!(self.out, "(?{flags}:{anchor})");
        Ok(())
    }

    fn end_anchor(&mut self) -> Step {
        self.dollar = true;
        self.put(r"\z")
    }

    fn dot(&mut self) {
        if self.flags.dot_all {
            self.out.push_str("(?s:.)");
        } else if self.flags.unix_lines {
            self.out.push_str(r"[^\n]");
        } else {
            let _ = write!(self.out, "[^{LINE_ENDS}]");
        }
    }

    fn literal(&mut self, c: char) {
        if self.flags.insensitive && self.flags.unicode {
            self.out.push_str("(?i:");
            push_escaped(&mut self.out, c);
            self.out.push(')');
        } else if self.flags.insensitive && c.is_ascii_alphabetic() {
            let (lower, upper) = (c.to_ascii_lowercase(), c.to_ascii_uppercase());
            let _ = write!(self.out, "[{lower}{upper}]");
        } else {
            push_escaped(&mut self.out, c);
        }
    }

    /// One quantifier with its `?`; Java has no second one after it.
    fn quantifier(&mut self, c: char) -> Step {
        if c == '{' {
            self.counted()?;
        } else {
            self.out.push(c);
        }
        match self.input.peek() {
            Some('?') => {
                self.input.next();
                self.out.push('?');
            }
            Some('+') => return unsupported("a possessive quantifier"),
            _ => {}
        }
        match self.input.peek() {
            Some('*' | '+' | '?' | '{') => Err(Fault::Invalid),
            _ => Ok(()),
        }
    }

    /// `n}`, `n,}` or `n,m}`.
    fn counted(&mut self) -> Step {
        let mut body = String::new();
        loop {
            match self.input.next() {
                Some('}') => break,
                Some(c) if c.is_ascii_digit() || c == ',' => body.push(c),
                _ => return Err(Fault::Invalid),
            }
        }
        let (least, most) =
            body.split_once(',').map_or((body.as_str(), None), |(a, b)| (a, Some(b)));
        if least.is_empty() || most.is_some_and(|most| most.contains(',')) {
            return Err(Fault::Invalid);
        }
        let _ = write!(self.out, "{{{body}}}");
        Ok(())
    }

    fn open_group(&mut self) -> Step {
        let outer = self.flags;
        if self.input.peek() != Some(&'?') {
            self.groups.push(outer);
            return self.put("(");
        }
        self.input.next();
        match self.input.next().ok_or(Fault::Invalid)? {
            ':' => {
                self.groups.push(outer);
                self.put("(?:")
            }
            '=' | '!' => unsupported("look-ahead"),
            '>' => unsupported("an atomic group"),
            '<' if matches!(self.input.peek(), Some('=' | '!')) => unsupported("look-behind"),
            '<' => {
                let name = self.until('>')?;
                let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
                if !starts || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
                    return Err(Fault::Invalid);
                }
                self.groups.push(outer);
                let _ = write!(self.out, "(?P<{name}>");
                Ok(())
            }
            first => self.inline_flags(first, outer),
        }
    }

    /// `(?i)` for the rest of the group, `(?i:...)` for its own.
    fn inline_flags(&mut self, first: char, outer: Flags) -> Step {
        let mut on = true;
        let mut c = first;
        loop {
            match c {
                '-' => on = false,
                'i' => self.flags.insensitive = on,
                'm' => self.flags.multi_line = on,
                's' => self.flags.dot_all = on,
                'u' => self.flags.unicode = on,
                'd' => self.flags.unix_lines = on,
                'x' => return unsupported("the flag x"),
                'U' => return unsupported("the flag U"),
                ')' => return Ok(()),
                ':' => {
                    self.groups.push(outer);
                    return self.put("(?:");
                }
                _ => return Err(Fault::Invalid),
            }
            c = self.input.next().ok_or(Fault::Invalid)?;
        }
    }

    fn until(&mut self, end: char) -> Step<String> {
        let mut text = String::new();
        loop {
            match self.input.next() {
                Some(c) if c == end => return Ok(text),
                Some(c) => text.push(c),
                None => return Err(Fault::Invalid),
            }
        }
    }

    /// An escape outside a class.
    fn escape(&mut self) -> Step {
        let c = self.input.next().ok_or(Fault::Invalid)?;
        match c {
            'b' | 'B' if self.input.peek() == Some(&'{') => unsupported("\\b{...}"),
            'b' => self.put(r"\b"),
            'B' => self.put(r"\B"),
            'A' => self.put(r"\A"),
            'z' => self.put(r"\z"),
            'Z' => self.end_anchor(),
            'G' => unsupported("\\G"),
            'X' => unsupported("\\X"),
            'R' => self.put(r"(?:\r\n|[\n\x0B\x0C\r\x{85}\x{2028}\x{2029}])"),
            '1'..='9' | 'k' => unsupported("a back-reference"),
            'Q' => {
                let mut quoted = String::new();
                for c in self.input.by_ref() {
                    quoted.push(c);
                    if quoted.ends_with("\\E") {
                        quoted.truncate(quoted.len() - 2);
                        break;
                    }
                }
                quoted.chars().for_each(|c| self.literal(c));
                Ok(())
            }
            _ => match self.class_escape(c)? {
                Item::Class(class) => self.put(&class),
                Item::Char(c) => {
                    self.literal(c);
                    Ok(())
                }
            },
        }
    }

    /// An escape that means the same inside a class and outside.
    fn class_escape(&mut self, c: char) -> Step<Item> {
        let class = match c {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            'w' => "[0-9A-Z_a-z]",
            'W' => "[^0-9A-Z_a-z]",
            's' => r"[\t-\r ]",
            'S' => r"[^\t-\r ]",
            'h' => r"[ \t\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}]",
            'H' => r"[^ \t\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}]",
            'v' => r"[\n-\r\x{85}\x{2028}\x{2029}]",
            'V' => r"[^\n-\r\x{85}\x{2028}\x{2029}]",
            'p' | 'P' => return self.property(c == 'P').map(Item::Class),
            _ => return self.char_escape(c).map(Item::Char),
        };
        Ok(Item::Class(class.to_string()))
    }

    fn char_escape(&mut self, c: char) -> Step<char> {
        Ok(match c {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\u{c}',
            'a' => '\u{7}',
            'e' => '\u{1b}',
            '0' => self.octal()?,
            'x' if self.input.peek() == Some(&'{') => {
                self.input.next();
                let digits = self.until('}')?;
                code_point(u32::from_str_radix(&digits, 16).ok())?
            }
            'x' => code_point(self.hexadecimal(2))?,
            'u' => self.unicode_escape()?,
            'c' => {
                let c = self.input.next().ok_or(Fault::Invalid)?;
                code_point(Some(u32::from(c) ^ 64))?
            }
            'N' => return unsupported("\\N{...}"),
            c if c.is_ascii_alphanumeric() => return Err(Fault::Invalid),
            c => c,
        })
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..digits {
            value = value * 16 + self.input.next()?.to_digit(16)?;
        }
        Some(value)
    }

    fn octal(&mut self) -> Step<char> {
        let mut value = None;
        while let Some(digit) = self.input.peek().and_then(|c| c.to_digit(8)) {
            let next = value.unwrap_or(0) * 8 + digit;
            if next > 0o377 {
                break;
            }
            self.input.next();
            value = Some(next);
        }
        code_point(value)
    }

    fn unicode_escape(&mut self) -> Step<char> {
        let high = self.hexadecimal(4).ok_or(Fault::Invalid)?;
        if !(0xD800..0xDC00).contains(&high) {
            return code_point(Some(high));
        }
        if self.input.next() != Some('\\') || self.input.next() != Some('u') {
            return unsupported("half of a surrogate pair");
        }
        let low = self.hexadecimal(4).ok_or(Fault::Invalid)?;
        let pair = [high as u16, low as u16];
        match char::decode_utf16(pair).next() {
            Some(Ok(c)) => Ok(c),
            _ => unsupported("half of a surrogate pair"),
        }
    }

    /// `\p{name}`, `\P{name}` or `\pL`.
    fn property(&mut self, negated: bool) -> Step<String> {
        let name = match self.input.next().ok_or(Fault::Invalid)? {
            '{' => self.until('}')?,
            c => c.to_string(),
        };
        let posix = match name.as_str() {
            "Lower" => "a-z",
            "Upper" => "A-Z",
            "ASCII" => r"\x00-\x7F",
            "Alpha" => "A-Za-z",
            "Digit" => "0-9",
            "Alnum" => "0-9A-Za-z",
            "Punct" => r"!-/:-@\[-`\{-\~",
            "Graph" => r"!-\~",
            "Print" => r"\x20-\~",
            "Blank" => r" \t",
            "Cntrl" => r"\x00-\x1F\x7F",
            "XDigit" => "0-9A-Fa-f",
            "Space" => r"\t-\r ",
            _ => "",
        };
        let not = if negated { "^" } else { "" };
        if !posix.is_empty() {
            return Ok(format!("[{not}{posix}]"));
        }
        if name.starts_with("java") || name.starts_with("In") {
            return unsupported(&format!("\\p{{{name}}}"));
        }
        self.exotic = true;
        let letter = if negated { 'P' } else { 'p' };
        Ok(format!("\\{letter}{{{}}}", name.strip_prefix("Is").unwrap_or(&name)))
    }

    /// A class, its `[` already read.
    fn class(&mut self) -> Step {
        self.out.push('[');
        if self.input.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut empty = true;
        loop {
            let c = self.input.next().ok_or(Fault::Invalid)?;
            match c {
                ']' if !empty => break,
                '[' => self.class()?,
                '&' if self.input.next_if_eq(&'&').is_some() => self.out.push_str("&&"),
                _ => self.class_item(c)?,
            }
            empty = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// A character, a range or an escape in a class.
    fn class_item(&mut self, c: char) -> Step {
        let first = match self.class_char(c)? {
            Item::Class(class) => return self.put(&class),
            Item::Char(first) => first,
        };
        let mut ahead = self.input.clone();
        let range = ahead.next() == Some('-') && !matches!(ahead.next(), Some(']' | '[') | None);
        if !range {
            self.class_range(first, first);
            return Ok(());
        }
        self.input.next();
        let c = self.input.next().ok_or(Fault::Invalid)?;
        match self.class_char(c)? {
            Item::Char(last) if first <= last => {
                self.class_range(first, last);
                Ok(())
            }
            Item::Char(_) => Err(Fault::Invalid),
            Item::Class(class) => {
                self.class_range(first, first);
                self.class_range('-', '-');
                self.put(&class)
            }
        }
    }

    fn class_char(&mut self, c: char) -> Step<Item> {
        if c != '\\' {
            return Ok(Item::Char(c));
        }
        let c = self.input.next().ok_or(Fault::Invalid)?;
        if c == 'Q' {
            return unsupported("\\Q in a class");
        }
        self.class_escape(c)
    }

    fn class_range(&mut self, first: char, last: char) {
        push_range(&mut self.out, first, last);
        if !self.flags.insensitive {
            return;
        }
        for (low, high, shift) in [('a', 'z', -32i32), ('A', 'Z', 32)] {
            let (from, to) = (first.max(low), last.min(high));
            if from <= to {
                let swap = |c: char| ((c as i32 + shift) as u8) as char;
                push_range(&mut self.out, swap(from), swap(to));
            }
        }
    }
}

enum Item {
    Char(char),
    Class(String),
}

fn code_point(value: Option<u32>) -> Step<char> {
    value.and_then(char::from_u32).ok_or(Fault::Invalid)
}

fn push_range(out: &mut String, first: char, last: char) {
    push_escaped(out, first);
    if first != last {
        out.push('-');
        push_escaped(out, last);
    }
}

fn push_escaped(out: &mut String, c: char) {
    if c.is_ascii_punctuation() && c != '_' && c != '<' && c != '>' {
        out.push('\\');
        out.push(c);
    } else if c.is_ascii_control() || c == ' ' {
        let _ = write!(out, "\\x{:02X}", u32::from(c));
    } else {
        out.push(c);
    }
}
