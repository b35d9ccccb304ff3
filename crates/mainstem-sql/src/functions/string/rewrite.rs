//! REPLACE, TRANSLATE, OVERLAY, REVERSE, REPEAT, LPAD, RPAD: one string made into another.
//! Invariant: OVERLAY and the pads count UTF-16 units, as Java does; the others count characters. A result may not
//! outgrow [`RESULT_BYTES_MAX`].

use std::fmt::Write;

use arrow_array::builder::StringBuilder;
use mainstem_core::{Error, ErrorKind, Result, TypeKind};

use super::units::{push_units, units};
use crate::functions::rowwise::{Long, Reader, Sink, Text, extent, map1_with, map2, map3, wrap};
use crate::functions::signature::{
    Want, constant_integer, constant_text, expect, strict, text_length,
};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};
use crate::session::Session;

/// What one call may make: a value beyond this would not fit any format or record.
const RESULT_BYTES_MAX: usize = 256 << 20;

pub(super) static REPLACE: ScalarFunction = ScalarFunction {
    name: "REPLACE",
    aliases: &[],
    usage: "REPLACE(string, old, new)",
    doc: "The string with every occurrence of old replaced.",
    bind: bind_replace,
};

pub(super) static TRANSLATE: ScalarFunction = ScalarFunction {
    name: "TRANSLATE",
    aliases: &["TRANSLATE3"],
    usage: "TRANSLATE(string, from, to)",
    doc: "The string with each character of from replaced by the one at the same place in to, or removed if there is none.",
    bind: bind_translate,
};

pub(super) static OVERLAY: ScalarFunction = ScalarFunction {
    name: "OVERLAY",
    aliases: &[],
    usage: "OVERLAY(string PLACING replacement FROM start [FOR length])",
    doc: "The string with a part, by default as long as the replacement, replaced.",
    bind: bind_overlay,
};

pub(super) static REVERSE: ScalarFunction = ScalarFunction {
    name: "REVERSE",
    aliases: &[],
    usage: "REVERSE(string)",
    doc: "The characters of the string in reverse order.",
    bind: bind_reverse,
};

pub(super) static REPEAT: ScalarFunction = ScalarFunction {
    name: "REPEAT",
    aliases: &[],
    usage: "REPEAT(string, count)",
    doc: "The string count times over; empty if the count is negative.",
    bind: bind_repeat,
};

pub(super) static LPAD: ScalarFunction = ScalarFunction {
    name: "LPAD",
    aliases: &[],
    usage: "LPAD(string, length, pad)",
    doc: "The string filled up on the left with pad, or cut, to the given length.",
    bind: |arguments, _| pad(arguments, true),
};

pub(super) static RPAD: ScalarFunction = ScalarFunction {
    name: "RPAD",
    aliases: &[],
    usage: "RPAD(string, length, pad)",
    doc: "The string filled up on the right with pad, or cut, to the given length.",
    bind: |arguments, _| pad(arguments, false),
};

fn bind_replace(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text; 3], 3)?;
    let kernel = map3::<Text, Text, Text, StringBuilder>(
        |text: &str, old: &str, new: &str, out: &mut StringBuilder| {
            match old.as_bytes() {
                [] => {
                    let places = text.chars().count() + 1;
                    fits(text.len().saturating_add(places.saturating_mul(new.len())))?;
                    out.append_value(text.replace(old, new));
                }
                [byte] if new.is_empty() && text.len() <= SHORT => {
                    let mut kept = [0; SHORT];
                    let length = without(text.as_bytes(), *byte, &mut kept);
                    let kept = std::str::from_utf8(&kept[..length]);
                    out.append_value(kept.map_err(|_| Error::internal("ASCII was taken out"))?);
                }
                [byte] => {
                    let found = memchr::memchr_iter(*byte, text.as_bytes());
                    splice(text, found, 1, new, out)?;
                }
                needle => {
                    let found = memchr::memmem::find_iter(text.as_bytes(), needle);
                    splice(text, found, needle.len(), new, out)?;
                }
            }
            Ok(())
        },
    );
    Ok(strict(TypeKind::STRING, types, kernel))
}

/// Bytes of a text that are gone through one by one: a search would spend its time on starting.
const SHORT: usize = 128;

/// `text` without a byte, and how long it is then.
#[inline]
fn without(text: &[u8], byte: u8, kept: &mut [u8; SHORT]) -> usize {
    let mut length = 0;
    for &b in text {
        // It is shorter than the text, which is not longer than the room.
        kept[length % SHORT] = b;
        length += usize::from(b != byte);
    }
    length
}

/// Appends `text` with `new` for the `length` bytes at each of the places `found`.
fn splice(
    text: &str,
    found: impl Iterator<Item = usize>,
    length: usize,
    new: &str,
    out: &mut StringBuilder,
) -> Result<()> {
    let (mut from, mut written) = (0, 0);
    let mut push = |piece: &str| {
        written += piece.len();
        fits(written)?;
        out.write_str(piece).map_err(|_| Error::internal("a string could not be appended"))
    };
    for at in found {
        push(&text[from..at])?;
        push(new)?;
        from = at + length;
    }
    push(&text[from..])?;
    out.append_value("");
    Ok(())
}

/// NULL in from leaves the string as it is, NULL in to is the empty string: only the string decides about NULL.
fn bind_translate(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text; 3], 3)?;
    let nullable = types[0].nullable;
    let kernel: Kernel = std::sync::Arc::new(|values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let text = Reader::<Text>::new(&values[0])?;
        let from = Reader::<Text>::new(&values[1])?;
        let to = Reader::<Text>::new(&values[2])?;
        let mut out = StringBuilder::with_rows(extent);
        let mut buffer = String::new();
        for row in 0..extent {
            let Some(text) = text.get(row) else {
                out.append_null();
                continue;
            };
            buffer.clear();
            let (from, to) = (from.get(row).unwrap_or(""), to.get(row).unwrap_or(""));
            translate(text, from, to, &mut buffer);
            out.append_value(&buffer);
        }
        Ok(wrap(Sink::finish(out), scalar))
    });
    let mut binding = strict(TypeKind::STRING, types, kernel);
    binding.returns.nullable = nullable;
    Ok(binding)
}

fn translate(text: &str, from: &str, to: &str, out: &mut String) {
    for c in text.chars() {
        match from.chars().position(|f| f == c) {
            None => out.push(c),
            Some(index) => out.extend(to.chars().nth(index)),
        }
    }
}

fn bind_overlay(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text, Want::Text, Want::Integer, Want::Integer], 3)?;
    let length = text_length(&types[0]).saturating_add(text_length(&types[1]));
    let returns = TypeKind::Varchar { length: length.min(mainstem_core::types::LENGTH_MAX) };
    let kernel = if types.len() == 3 {
        map3::<Text, Text, Long, StringBuilder>(
            |text: &str, new: &str, start, out: &mut StringBuilder| {
                overlay(text, new, start, new.encode_utf16().count() as i64, out)
            },
        )
    } else {
        crate::functions::rowwise::map4::<Text, Text, Long, Long, StringBuilder>(
            |text: &str, new: &str, start, length, out: &mut StringBuilder| {
                overlay(text, new, start, length, out)
            },
        )
    };
    Ok(strict(returns, types, kernel))
}

fn overlay(text: &str, new: &str, start: i64, length: i64, out: &mut StringBuilder) -> Result<()> {
    let old = units(text);
    let size = old.len() as i64;
    if start <= 0 || start > size {
        out.append_value(text);
        return Ok(());
    }
    let before = (start - 1) as usize;
    push_units(out, old[..before].iter().copied().chain(new.encode_utf16()));
    if length > 0 && start.saturating_add(length) <= size {
        push_units(out, old[before + length as usize..].iter().copied());
    }
    out.append_value("");
    Ok(())
}

fn bind_reverse(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text], 1)?;
    let kernel = map1_with::<Text, StringBuilder, String>(
        String::new,
        |buffer: &mut String, text: &str, out: &mut StringBuilder| {
            buffer.clear();
            buffer.extend(text.chars().rev());
            out.append_value(&buffer);
            Ok(())
        },
    );
    Ok(crate::functions::signature::partial(TypeKind::STRING, types, kernel))
}

fn bind_repeat(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text, Want::Integer], 2)?;
    let kernel =
        map2::<Text, Long, StringBuilder>(|text: &str, count: i64, out: &mut StringBuilder| {
            let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
            fits(text.len().saturating_mul(count))?;
            out.append_value(if text.is_empty() { String::new() } else { text.repeat(count) });
            Ok(())
        });
    Ok(strict(TypeKind::STRING, types, kernel))
}

/// A negative length and an empty pad give NULL, so the result is NOT NULL only when constants rule both out.
fn pad(arguments: &[Argument], left: bool) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text, Want::Integer, Want::Text], 3)?;
    let length_fits = matches!(constant_integer(&arguments[1]), Some(Some(0..)));
    let pad_fits = constant_text(&arguments[2]).flatten().is_some_and(|pad| !pad.is_empty());
    let kernel = map3::<Text, Long, Text, StringBuilder>(
        move |text: &str, length: i64, pad: &str, out: &mut StringBuilder| {
            padded(text, length, pad, left, out)
        },
    );
    let mut binding = strict(TypeKind::STRING, types, kernel);
    binding.returns.nullable |= !(length_fits && pad_fits);
    Ok(binding)
}

fn padded(text: &str, length: i64, pad: &str, left: bool, out: &mut StringBuilder) -> Result<()> {
    if length < 0 || pad.is_empty() {
        out.append_null();
        return Ok(());
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    fits(length)?;
    let (text, pad) = (units(text), units(pad));
    let kept = text.len().min(length);
    let fill = pad.iter().cycle().take(length - kept).copied();
    let body = text[..kept].iter().copied();
    if left {
        push_units(out, fill.chain(body));
    } else {
        push_units(out, body.chain(fill));
    }
    out.append_value("");
    Ok(())
}

fn fits(bytes: usize) -> Result<()> {
    if bytes <= RESULT_BYTES_MAX {
        return Ok(());
    }
    let message = format!("a string of {bytes} bytes is more than a value may have");
    Err(Error::new(ErrorKind::Exhausted, message))
}
