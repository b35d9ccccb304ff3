//! Java's date patterns, compiled: `yyyy-MM-dd HH:mm:ss`.
//! Invariant: a pattern with a letter that its dialect lacks does not compile, so that nothing is found out per row.
//! Two dialects, because Flink uses both: `DateTimeFormatter` (DATE_FORMAT of timestamps, TO_TIMESTAMP) and the older
//! `SimpleDateFormat` (FROM_UNIXTIME, UNIX_TIMESTAMP, TO_DATE, DATE_FORMAT of strings). Names are English.

mod lenient;
mod print;
mod strict;

use mainstem_core::{Error, Result};

use super::zone::Zone;

pub(crate) use print::Moment;

/// Which of Java's two classes a pattern is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `java.time.format.DateTimeFormatter`.
    Formatter,
    /// `java.text.SimpleDateFormat`.
    Simple,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Literal(String),
    /// A letter and how often it stands there.
    Field(char, usize),
    /// What stood in brackets.
    Optional(Vec<Item>),
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    dialect: Dialect,
    items: Vec<Item>,
}

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// From Monday on.
pub(crate) const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const FORMATTER_LETTERS: &str = "GuyYQqMLwWdDFEecaBhKkHmsSAnNVzOXxZ";
const SIMPLE_LETTERS: &str = "GyYMLwWDdFEuaHkKhmsSzZX";

impl Pattern {
    pub(crate) fn compile(text: &str, dialect: Dialect) -> Result<Self> {
        let mut characters = text.chars().peekable();
        let mut open: Vec<Vec<Item>> = vec![Vec::new()];
        let wrong = |what: String| {
            Error::user(format!("invalid date pattern '{text}': {what}"))
                .with_hint("patterns are Java's: yyyy-MM-dd HH:mm:ss.SSS, text in single quotes")
        };
        while let Some(character) = characters.next() {
            let items = open.last_mut().ok_or_else(|| wrong("unbalanced brackets".into()))?;
            match character {
                '\'' => {
                    let quoted = read_quoted(&mut characters)
                        .ok_or_else(|| wrong("a quote is not closed".into()))?;
                    push_literal(items, &quoted);
                }
                letter if letter.is_ascii_alphabetic() => {
                    let known = match dialect {
                        Dialect::Formatter => FORMATTER_LETTERS,
                        Dialect::Simple => SIMPLE_LETTERS,
                    };
                    if !known.contains(letter) {
                        return Err(wrong(format!("unknown pattern letter {letter}")));
                    }
                    let mut count = 1;
                    while characters.next_if_eq(&letter).is_some() {
                        count += 1;
                    }
                    items.push(Item::Field(letter, count));
                }
                '[' if dialect == Dialect::Formatter => open.push(Vec::new()),
                ']' if dialect == Dialect::Formatter => {
                    let inner = open.pop().unwrap_or_default();
                    let outer =
                        open.last_mut().ok_or_else(|| wrong("unbalanced brackets".into()))?;
                    outer.push(Item::Optional(inner));
                }
                '{' | '}' | '#' if dialect == Dialect::Formatter => {
                    return Err(wrong(format!("{character} is reserved")));
                }
                other => push_literal(items, other.encode_utf8(&mut [0; 4])),
            }
        }
        // An open bracket at the end closes there.
        while open.len() > 1 {
            let inner = open.pop().unwrap_or_default();
            if let Some(outer) = open.last_mut() {
                outer.push(Item::Optional(inner));
            }
        }
        Ok(Self { dialect, items: open.pop().unwrap_or_default() })
    }

    /// Appends a moment. An error names the letter that a moment without a zone does not have.
    pub(crate) fn print(&self, out: &mut Vec<u8>, moment: &Moment) -> Result<()> {
        print::items(&self.items, self.dialect, out, moment)
    }

    /// Milliseconds that look alike in this pattern: a day for `yyyy-MM-dd`. `None` if it shows less than a second.
    pub(crate) fn shown_ms(&self) -> Option<i64> {
        fn finest(items: &[Item]) -> Option<i64> {
            let of_item = |item: &Item| match item {
                Item::Literal(_) => Some(86_400_000),
                Item::Optional(inner) => finest(inner),
                Item::Field('S' | 'A' | 'n' | 'N', _) => None,
                Item::Field('s', _) => Some(1000),
                Item::Field('m' | 'B', _) => Some(60_000),
                Item::Field('H' | 'h' | 'K' | 'k' | 'a', _) => Some(3_600_000),
                Item::Field(..) => Some(86_400_000),
            };
            items
                .iter()
                .map(of_item)
                .try_fold(86_400_000, |least: i64, unit| Some(least.min(unit?)))
        }
        finest(&self.items)
    }

    /// Reads the whole of `text` as `DateTimeFormatter` does: local milliseconds and nanoseconds of the millisecond.
    pub(crate) fn parse_strict(&self, text: &str) -> Option<(i64, i64)> {
        strict::parse(&self.items, text)
    }

    /// Reads the beginning of `text` as `SimpleDateFormat` does: an instant in milliseconds, in `zone` unless the text
    /// has its own. Two-digit years are within 80 years before `now_ms` and 20 after.
    pub(crate) fn parse_lenient(&self, text: &str, zone: Zone, now_ms: i64) -> Option<i64> {
        lenient::parse(&self.items, text, zone, now_ms)
    }
}

fn push_literal(items: &mut Vec<Item>, text: &str) {
    match items.last_mut() {
        Some(Item::Literal(last)) => last.push_str(text),
        _ => items.push(Item::Literal(text.to_owned())),
    }
}

/// What follows an opening quote, up to the closing one; two quotes are one, inside as outside.
fn read_quoted(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    if characters.next_if_eq(&'\'').is_some() {
        return Some("'".to_owned());
    }
    let mut quoted = String::new();
    loop {
        match characters.next()? {
            '\'' if characters.next_if_eq(&'\'').is_some() => quoted.push('\''),
            '\'' => return Some(quoted),
            other => quoted.push(other),
        }
    }
}
