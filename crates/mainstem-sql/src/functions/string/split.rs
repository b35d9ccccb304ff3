//! SPLIT_INDEX, SPLIT, STR_TO_MAP: strings cut at delimiters.
//! Invariant: SPLIT and SPLIT_INDEX take the delimiter literally, STR_TO_MAP takes Java regular expressions.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{ListBuilder, MapBuilder, MapFieldNames, StringBuilder};
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::regex::{JavaRegex, Patterns};
use super::units::push_units;
use crate::functions::rowwise::{
    Long, Sink, Text, map1_with, map2, map2_with, map3, map3_with, put,
};
use crate::functions::signature::{Want, expect, partial, strict};
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::session::Session;

pub(super) static SPLIT_INDEX: ScalarFunction = ScalarFunction {
    name: "SPLIT_INDEX",
    aliases: &[],
    usage: "SPLIT_INDEX(string, delimiter, index)",
    doc: "The piece at the index (from 0) of the string cut at the delimiter; NULL if there is none.",
    bind: bind_split_index,
};

pub(super) static SPLIT: ScalarFunction = ScalarFunction {
    name: "SPLIT",
    aliases: &[],
    usage: "SPLIT(string, delimiter)",
    doc: "The pieces of the string cut at the delimiter; its characters if the delimiter is empty.",
    bind: bind_split,
};

pub(super) static STR_TO_MAP: ScalarFunction = ScalarFunction {
    name: "STR_TO_MAP",
    aliases: &[],
    usage: "STR_TO_MAP(string [, pair_delimiter, key_value_delimiter])",
    doc: "A map of the pairs in the string; the delimiters (',' and '=' by default) are regular expressions.",
    bind: bind_str_to_map,
};

/// The delimiter is a string, or the code (1 to 255) of one character.
fn bind_split_index(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let code = arguments.get(1).is_some_and(|a| a.data_type.kind.is_integer());
    if code {
        let types = expect(arguments, &[Want::Text, Want::Integer, Want::Integer], 3)?;
        let kernel = map3::<Text, Long, Long, StringBuilder>(
            |text: &str, code, index, out: &mut StringBuilder| {
                let mut buffer = [0; 4];
                let delimiter = u8::try_from(code).ok().filter(|code| *code > 0);
                put(
                    out,
                    delimiter.and_then(|code| {
                        piece(text, char::from(code).encode_utf8(&mut buffer), index)
                    }),
                )
            },
        );
        return Ok(partial(TypeKind::STRING, types, kernel));
    }
    let types = expect(arguments, &[Want::Text, Want::Text, Want::Integer], 3)?;
    let kernel = map3::<Text, Text, Long, StringBuilder>(
        |text: &str, delimiter: &str, index, out: &mut StringBuilder| {
            put(out, piece(text, delimiter, index))
        },
    );
    Ok(partial(TypeKind::STRING, types, kernel))
}

/// The piece at `index`; an empty text has none, an empty delimiter means white space.
#[inline]
fn piece<'t>(text: &'t str, delimiter: &str, index: i64) -> Option<&'t str> {
    let index = usize::try_from(index).ok()?;
    if text.is_empty() {
        return None;
    }
    match delimiter.as_bytes() {
        [] => text.split(is_java_whitespace).nth(index),
        [byte] => byte_piece(text, *byte, index),
        _ => text.split(delimiter).nth(index),
    }
}

#[inline]
fn byte_piece(text: &str, delimiter: u8, index: usize) -> Option<&str> {
    let start = match index.checked_sub(1) {
        None => 0,
        Some(before) => nth_place(text.as_bytes(), delimiter, before)? + 1,
    };
    let rest = &text[start..];
    let end = nth_place(rest.as_bytes(), delimiter, 0).unwrap_or(rest.len());
    Some(&rest[..end])
}

/// Where `byte` occurs for the time `n`, counted from 0. Delimiters stand close together, so words of eight bytes are
/// looked at where a search for the next one would spend its time on starting.
#[inline]
fn nth_place(text: &[u8], byte: u8, mut n: usize) -> Option<usize> {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let pattern = u64::from(byte) * 0x0101_0101_0101_0101;
    let (words, rest) = text.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let differs = u64::from_le_bytes(*word) ^ pattern;
        // The high bit of each byte that does not differ.
        let mut found = !(((differs & LOW) + LOW) | differs | LOW);
        let count = found.count_ones() as usize;
        if n < count {
            for _ in 0..n {
                found &= found - 1;
            }
            return Some(place * 8 + found.trailing_zeros() as usize / 8);
        }
        n -= count;
    }
    let places = rest.iter().enumerate().filter(|(_, b)| **b == byte);
    places.map(|(i, _)| words.len() * 8 + i).nth(n)
}

/// `Character.isWhitespace` of Java: no no-break spaces, but the four ASCII separators.
fn is_java_whitespace(c: char) -> bool {
    match c {
        '\u{1c}'..='\u{1f}' => true,
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{85}' => false,
        _ => c.is_whitespace(),
    }
}

fn bind_split(arguments: &[Argument], _: &Session) -> Result<Binding> {
    type Lists = ListBuilder<StringBuilder>;
    let types = expect(arguments, &[Want::Text, Want::Text], 2)?;
    let kernel = map2::<Text, Text, Lists>(|text: &str, delimiter: &str, out: &mut Lists| {
        if delimiter.is_empty() {
            for unit in text.encode_utf16() {
                push_units(out.values(), [unit]);
                out.values().append_value("");
            }
        } else if !text.is_empty() {
            text.split(delimiter).for_each(|piece| out.values().append_value(piece));
        }
        out.append(true);
        Ok(())
    });
    Ok(strict(TypeKind::Array(Box::new(DataType::string())), types, kernel))
}

/// Builds MAP<STRING, STRING>.
struct Maps(MapBuilder<StringBuilder, StringBuilder>);

impl Sink for Maps {
    fn with_rows(rows: usize) -> Self {
        let names =
            MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
        let (keys, values) = (StringBuilder::new(), StringBuilder::new());
        Self(MapBuilder::with_capacity(Some(names), keys, values, rows))
    }
    fn null(&mut self) {
        self.close(false);
    }
    fn finish(mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

impl Maps {
    fn close(&mut self, valid: bool) {
        self.0.append(valid).expect("keys and values are appended in pairs");
    }

    /// The pairs of one row; of equal keys the last one counts.
    fn push(&mut self, text: &str, pair: &JavaRegex, value: &JavaRegex) {
        let mut entries: Vec<(&str, Option<&str>)> = Vec::new();
        for piece in if text.is_empty() { Vec::new() } else { pair.split(text, 0) } {
            let entry = match value.split(piece, 2)[..] {
                [key, value] => (key, Some(value)),
                _ => (piece, None),
            };
            match entries.iter_mut().find(|(key, _)| *key == entry.0) {
                Some(known) => known.1 = entry.1,
                None => entries.push(entry),
            }
        }
        for (key, value) in entries {
            self.0.keys().append_value(key);
            self.0.values().append_option(value);
        }
        self.close(true);
    }
}

fn bind_str_to_map(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text; 3], 1)?;
    let pair = arguments.get(1).map_or_else(|| Patterns::constant(","), Patterns::bind)?;
    let value = arguments.get(2).map_or_else(|| Patterns::constant("="), Patterns::bind)?;
    let batch = move || (pair.clone(), value.clone());
    let row = |(pairs, values): &mut (Patterns, Patterns),
               text: &str,
               pair: &str,
               value: &str,
               out: &mut Maps| {
        let pair = pairs.get(pair)?.ok_or_else(|| invalid(pair))?;
        let value = values.get(value)?.ok_or_else(|| invalid(value))?;
        out.push(text, pair, value);
        Ok(())
    };
    type State = (Patterns, Patterns);
    let kernel = match types.len() {
        1 => map1_with::<Text, Maps, State>(
            batch,
            move |state: &mut State, text: &str, out: &mut Maps| row(state, text, ",", "=", out),
        ),
        2 => map2_with::<Text, Text, Maps, State>(
            batch,
            move |state: &mut State, text: &str, pair: &str, out: &mut Maps| {
                row(state, text, pair, "=", out)
            },
        ),
        _ => map3_with::<Text, Text, Text, Maps, State>(batch, row),
    };
    let string = || Box::new(DataType::string());
    Ok(partial(TypeKind::Map(string(), string()), types, kernel))
}

fn invalid(pattern: &str) -> Error {
    Error::user(format!("'{pattern}' is not a regular expression")).with_hint(
        "delimiters of STR_TO_MAP are Java regular expressions: escape special characters with \\",
    )
}
