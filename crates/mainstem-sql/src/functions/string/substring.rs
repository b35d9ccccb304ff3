//! SUBSTRING, LEFT, RIGHT: pieces by character position.
//! Invariant: positions count Unicode code points from 1; a piece is a slice of its input, nothing is copied but into
//! the result. Does not fail: a position outside the string gives the empty string, a negative length NULL.

use arrow_array::builder::StringBuilder;
use mainstem_core::{DataType, Result};

use crate::functions::rowwise::{Long, Text, map2, map3, put};
use crate::functions::signature::{Want, expect, partial, varchar_like};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};
use crate::session::Session;

pub(super) static SUBSTRING: ScalarFunction = ScalarFunction {
    name: "SUBSTRING",
    aliases: &["SUBSTR"],
    usage: "SUBSTRING(string, start [, length])",
    doc: "The part of the string from position start (from 1; negative counts from the end), to its end or of the given length.",
    bind: bind_substring,
};

pub(super) static LEFT: ScalarFunction = ScalarFunction {
    name: "LEFT",
    aliases: &[],
    usage: "LEFT(string, length)",
    doc: "The first characters of the string.",
    bind: |arguments, _| side(arguments, |text, length| &text[..char_offset(text, clamp(length))]),
};

pub(super) static RIGHT: ScalarFunction = ScalarFunction {
    name: "RIGHT",
    aliases: &[],
    usage: "RIGHT(string, length)",
    doc: "The last characters of the string.",
    bind: |arguments, _| side(arguments, right),
};

fn bind_substring(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text, Want::Integer, Want::Integer], 2)?;
    let kernel = if arguments.len() == 2 {
        map2::<Text, Long, StringBuilder>(|text: &str, start, out: &mut StringBuilder| {
            put(out, substring(text, start, i64::MAX))
        })
    } else {
        map3::<Text, Long, Long, StringBuilder>(
            |text: &str, start, length, out: &mut StringBuilder| {
                put(out, substring(text, start, length))
            },
        )
    };
    Ok(piece(types, kernel))
}

fn side(arguments: &[Argument], cut: fn(&str, i64) -> &str) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text, Want::Integer], 2)?;
    let kernel =
        map2::<Text, Long, StringBuilder>(move |text: &str, length, out: &mut StringBuilder| {
            put(out, Some(cut(text, length)))
        });
    Ok(piece(types, kernel))
}

fn piece(types: Vec<DataType>, kernel: Kernel) -> Binding {
    partial(varchar_like(&types[0]), types, kernel)
}

/// The part of `text` that SUBSTRING names; `None` for a negative length.
fn substring(text: &str, start: i64, length: i64) -> Option<&str> {
    if length < 0 {
        return None;
    }
    let from = if start > 0 {
        char_offset(text, clamp(start - 1))
    } else if start < 0 {
        let back = clamp(start.saturating_neg());
        match char_offset_back(text, back) {
            Some(from) => from,
            None => return Some(""),
        }
    } else {
        0
    };
    let rest = &text[from..];
    Some(&rest[..char_offset(rest, clamp(length))])
}

fn right(text: &str, length: i64) -> &str {
    match length {
        ..=0 => "",
        _ => &text[char_offset_back(text, clamp(length)).unwrap_or(0)..],
    }
}

fn clamp(count: i64) -> usize {
    usize::try_from(count.max(0)).unwrap_or(usize::MAX)
}

/// The byte offset after `count` characters, or the length of a shorter text.
#[inline]
pub(crate) fn char_offset(text: &str, count: usize) -> usize {
    if count >= text.len() {
        return text.len();
    }
    if text.as_bytes()[..count].is_ascii() {
        return count;
    }
    text.char_indices().nth(count).map_or(text.len(), |(offset, _)| offset)
}

/// The byte offset `count` characters before the end, if the text has as many.
fn char_offset_back(text: &str, count: usize) -> Option<usize> {
    if count == 0 {
        return Some(text.len());
    }
    text.char_indices().rev().nth(count - 1).map(|(offset, _)| offset)
}
