//! A compiled pattern, how it searches, and where a kernel gets it from.
//! Invariant: searching follows Java where the regex crate differs: `$` also matches before a final line terminator,
//! and an empty match may touch the end of the match before it.

use std::sync::Arc;

use mainstem_core::{Error, Result};
use regex::{CaptureLocations, Regex};

use super::direct::{Direct, Found, Room};
use super::translate::{Fault, translate};
use crate::functions::Argument;
use crate::functions::signature::constant_text;

/// A pattern of Java's, compiled.
#[derive(Debug)]
pub(crate) struct JavaRegex {
    regex: Regex,
    /// The pattern has a `$` outside multi-line mode.
    dollar: bool,
    /// The shorter way to groups, if there is one.
    direct: Option<Direct>,
}

/// What a search for groups needs room for, and the groups it found.
#[derive(Debug)]
pub(crate) struct Locations {
    found: CaptureLocations,
    direct: Option<Room>,
}

impl JavaRegex {
    /// `Ok(None)` for a pattern that Java refuses; an error for one that only we refuse.
    pub(crate) fn compile(pattern: &str) -> Result<Option<Self>> {
        let translated = match translate(pattern) {
            Ok(translated) => translated,
            Err(Fault::Invalid) => return Ok(None),
            Err(Fault::Unsupported(what)) => return Err(unsupported(pattern, &what)),
        };
        match Regex::new(&translated.text) {
            Ok(regex) => {
                let dollar = translated.dollar;
                let direct = (regex.captures_len() > 1 && !dollar)
                    .then(|| Direct::compile(&translated.text))
                    .flatten();
                Ok(Some(Self { regex, dollar, direct }))
            }
            Err(regex::Error::CompiledTooBig(_)) => {
                Err(unsupported(pattern, "a repetition this large"))
            }
            Err(_) if translated.exotic => Err(unsupported(pattern, "this \\p{...} class")),
            Err(_) => Ok(None),
        }
    }

    /// How many groups the pattern has, the whole match not counted.
    pub(crate) fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }

    /// Room for the groups of a match.
    pub(crate) fn locations(&self) -> Locations {
        let direct = self.direct.as_ref().map(Direct::room);
        Locations { found: self.regex.capture_locations(), direct }
    }

    /// The first match at or after byte `from`.
    pub(crate) fn find_at(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        let whole = self.regex.find_at(text, from).map(|m| (m.start(), m.end()));
        let Some(cut) = self.without_terminator(text, from) else { return whole };
        let cut = self.regex.find_at(cut, from).map(|m| (m.start(), m.end()));
        match (whole, cut) {
            (Some(whole), Some(cut)) => Some(if cut.0 < whole.0 { cut } else { whole }),
            (whole, cut) => whole.or(cut),
        }
    }

    /// The same, and the place of one of the pattern's groups.
    pub(crate) fn group_at(
        &self,
        locations: &mut Locations,
        text: &str,
        from: usize,
        group: usize,
    ) -> Option<((usize, usize), Option<(usize, usize)>)> {
        if let (Some(direct), Some(room)) = (&self.direct, &mut locations.direct) {
            match direct.search(room, text, from) {
                Found::Match => return Some((room.group(0)?, room.group(group))),
                Found::Nothing => return None,
                Found::Unknown => {}
            }
        }
        let found = self.captures_at(&mut locations.found, text, from)?;
        Some((found, locations.found.get(group)))
    }

    fn captures_at(
        &self,
        locations: &mut CaptureLocations,
        text: &str,
        from: usize,
    ) -> Option<(usize, usize)> {
        if self.without_terminator(text, from).is_none() {
            return self
                .regex
                .captures_read_at(locations, text, from)
                .map(|m| (m.start(), m.end()));
        }
        let (start, end) = self.find_at(text, from)?;
        let whole =
            self.regex.find_at(text, from).is_some_and(|m| (m.start(), m.end()) == (start, end));
        let text = if whole { text } else { self.without_terminator(text, from)? };
        self.regex.captures_read_at(locations, text, from).map(|m| (m.start(), m.end()))
    }

    /// All matches in order, as repeated `find()` gives them.
    pub(crate) fn find_all<'a>(
        &'a self,
        text: &'a str,
    ) -> impl Iterator<Item = (usize, usize)> + 'a {
        let mut next = Some(0);
        std::iter::from_fn(move || {
            let found = self.find_at(text, next?)?;
            next = after(text, found);
            Some(found)
        })
    }

    /// `text.split(regex, limit)` of Java: 0 drops empty strings at the end, a positive limit bounds the pieces.
    pub(crate) fn split<'a>(&self, text: &'a str, limit: usize) -> Vec<&'a str> {
        let mut pieces = Vec::new();
        let mut from = 0;
        for (start, end) in self.find_all(text) {
            if limit > 0 && pieces.len() == limit - 1 {
                break;
            }
            let at_end = limit == 0 && start == end && start == text.len();
            if end == 0 || at_end {
                continue;
            }
            pieces.push(&text[from..start]);
            from = end;
        }
        if from == 0 && pieces.is_empty() {
            return vec![text];
        }
        pieces.push(&text[from..]);
        while limit == 0 && pieces.last().is_some_and(|piece| piece.is_empty()) {
            pieces.pop();
        }
        pieces
    }

    /// The text before its final line terminator, where `$` matches too.
    fn without_terminator<'a>(&self, text: &'a str, from: usize) -> Option<&'a str> {
        if !self.dollar {
            return None;
        }
        let cut = text
            .strip_suffix("\r\n")
            .or_else(|| text.strip_suffix(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']))?;
        (from <= cut.len()).then_some(cut)
    }
}

/// Where the search after a match goes on.
pub(crate) fn after(text: &str, (start, end): (usize, usize)) -> Option<usize> {
    if end > start {
        return Some(end);
    }
    text[end..].chars().next().map(|c| end + c.len_utf8())
}

fn unsupported(pattern: &str, what: &str) -> Error {
    Error::user(format!("the regular expression '{pattern}' uses {what}, which is not supported"))
        .with_hint("patterns run in linear time here: no look-around, no back-references, no possessive quantifiers")
}

/// A pattern, or `None` where Java refuses it.
pub(crate) type Compiled = Option<Arc<JavaRegex>>;

/// Where a kernel gets its pattern: compiled once when it is constant, else when it differs from the row before.
#[derive(Debug, Clone)]
pub(crate) struct Patterns {
    constant: bool,
    source: String,
    compiled: Compiled,
}

impl Patterns {
    /// Compiles the argument if it is a constant.
    pub(crate) fn bind(argument: &Argument) -> Result<Self> {
        match constant_text(argument).flatten() {
            Some(pattern) => Self::constant(pattern),
            None => Ok(Self { constant: false, ..Self::constant("")? }),
        }
    }

    /// A pattern that is known.
    pub(crate) fn constant(pattern: &str) -> Result<Self> {
        let compiled = JavaRegex::compile(pattern)?.map(Arc::new);
        Ok(Self { constant: true, source: pattern.to_string(), compiled })
    }

    /// True if the pattern is constant and Java accepts it.
    pub(crate) fn is_valid_constant(&self) -> bool {
        self.constant && self.compiled.is_some()
    }

    /// The pattern of a row.
    #[inline]
    pub(crate) fn get(&mut self, pattern: &str) -> Result<Option<&JavaRegex>> {
        self.turn_to(pattern)?;
        Ok(self.compiled.as_deref())
    }

    /// Makes `pattern` the current one; true if it was another one before.
    #[inline]
    pub(crate) fn turn_to(&mut self, pattern: &str) -> Result<bool> {
        if self.constant || self.source == pattern {
            return Ok(false);
        }
        self.compiled = JavaRegex::compile(pattern)?.map(Arc::new);
        self.source = pattern.to_string();
        Ok(true)
    }

    /// The pattern that was turned to last.
    #[inline]
    pub(crate) fn current(&self) -> Option<&JavaRegex> {
        self.compiled.as_deref()
    }
}
