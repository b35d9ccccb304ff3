//! POSITION, LOCATE, INSTR, STARTSWITH, ENDSWITH: where a string is in another.
//! Invariant: positions count Unicode code points from 1; 0 means not found; the empty string is found at 1.

use arrow_array::builder::{BooleanBuilder, Int32Builder};
use mainstem_core::{Error, Result, TypeKind};

use super::substring::char_offset;
use crate::functions::rowwise::{Bytes, Long, Text, map2, map3, map4};
use crate::functions::signature::{Want, expect, strict};
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::session::Session;

pub(super) static POSITION: ScalarFunction = ScalarFunction {
    name: "POSITION",
    aliases: &[],
    usage: "POSITION(needle IN string)",
    doc: "The position of the first occurrence of the needle, 0 if there is none.",
    bind: bind_position,
};

pub(super) static LOCATE: ScalarFunction = ScalarFunction {
    name: "LOCATE",
    aliases: &[],
    usage: "LOCATE(needle, string [, start])",
    doc: "The position of the first occurrence of the needle at or after start, 0 if there is none.",
    bind: bind_locate,
};

pub(super) static INSTR: ScalarFunction = ScalarFunction {
    name: "INSTR",
    aliases: &[],
    usage: "INSTR(string, needle [, start [, occurrence]])",
    doc: "The position of an occurrence of the needle, 0 if there is none; a negative start searches backwards.",
    bind: bind_instr,
};

pub(super) static STARTSWITH: ScalarFunction = ScalarFunction {
    name: "STARTSWITH",
    aliases: &[],
    usage: "STARTSWITH(value, prefix)",
    doc: "Whether a string or binary string starts with another.",
    bind: |arguments, _| affix(arguments, <[u8]>::starts_with),
};

pub(super) static ENDSWITH: ScalarFunction = ScalarFunction {
    name: "ENDSWITH",
    aliases: &[],
    usage: "ENDSWITH(value, suffix)",
    doc: "Whether a string or binary string ends with another.",
    bind: |arguments, _| affix(arguments, <[u8]>::ends_with),
};

fn bind_position(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text, Want::Text], 2)?;
    let kernel =
        map2::<Text, Text, Int32Builder>(|needle: &str, text: &str, out: &mut Int32Builder| {
            out.append_value(find_from(text, needle, 0));
            Ok(())
        });
    Ok(strict(TypeKind::Int, types, kernel))
}

fn bind_locate(arguments: &[Argument], session: &Session) -> Result<Binding> {
    if arguments.len() == 2 {
        return bind_position(arguments, session);
    }
    let types = expect(arguments, &[Want::Text, Want::Text, Want::Integer], 2)?;
    let kernel = map3::<Text, Text, Long, Int32Builder>(
        |needle: &str, text: &str, start, out: &mut Int32Builder| {
            out.append_value(find_from(text, needle, start.saturating_sub(1)));
            Ok(())
        },
    );
    Ok(strict(TypeKind::Int, types, kernel))
}

fn bind_instr(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let wants = [Want::Text, Want::Text, Want::Integer, Want::Integer];
    let types = expect(arguments, &wants, 2)?;
    let kernel = match types.len() {
        2 => {
            map2::<Text, Text, Int32Builder>(|text: &str, needle: &str, out: &mut Int32Builder| {
                out.append_value(find_from(text, needle, 0));
                Ok(())
            })
        }
        3 => map3::<Text, Text, Long, Int32Builder>(
            |text: &str, needle: &str, start, out: &mut Int32Builder| {
                out.append_value(instr(text, needle, start, 1)?);
                Ok(())
            },
        ),
        _ => map4::<Text, Text, Long, Long, Int32Builder>(
            |text: &str, needle: &str, start, nth, out: &mut Int32Builder| {
                out.append_value(instr(text, needle, start, nth)?);
                Ok(())
            },
        ),
    };
    Ok(strict(TypeKind::Int, types, kernel))
}

fn affix(arguments: &[Argument], test: fn(&[u8], &[u8]) -> bool) -> Result<Binding> {
    if arguments.iter().all(|a| a.data_type.kind.is_binary()) {
        let types = expect(arguments, &[Want::Bytes, Want::Bytes], 2)?;
        let kernel = map2::<Bytes, Bytes, BooleanBuilder>(
            move |value: &[u8], part: &[u8], out: &mut BooleanBuilder| {
                out.append_value(test(value, part));
                Ok(())
            },
        );
        return Ok(strict(TypeKind::Boolean, types, kernel));
    }
    let types = expect(arguments, &[Want::Text, Want::Text], 2)?;
    let kernel = map2::<Text, Text, BooleanBuilder>(
        move |value: &str, part: &str, out: &mut BooleanBuilder| {
            out.append_value(test(value.as_bytes(), part.as_bytes()));
            Ok(())
        },
    );
    Ok(strict(TypeKind::Boolean, types, kernel))
}

/// The position (from 1) of `needle` in `text` when the first `skip` characters are passed over; 0 if there is none.
fn find_from(text: &str, needle: &str, skip: i64) -> i32 {
    if needle.is_empty() {
        return 1;
    }
    let from = char_offset(text, usize::try_from(skip.max(0)).unwrap_or(usize::MAX));
    match text[from..].find(needle) {
        Some(at) => text[..from + at].chars().count() as i32 + 1,
        None => 0,
    }
}

fn instr(text: &str, needle: &str, start: i64, nth: i64) -> Result<i32> {
    if nth <= 0 {
        return Err(Error::user(format!("the occurrence must be positive, found {nth}")));
    }
    if start < 0 {
        let reverse = |s: &str| s.chars().rev().collect::<String>();
        let found = instr(&reverse(text), &reverse(needle), start.saturating_neg(), nth)?;
        let (length, width) = (text.chars().count() as i32, needle.chars().count() as i32);
        return Ok(if found == 0 { 0 } else { length + 2 - found - width });
    }
    if start == 0 {
        return Ok(0);
    }
    let mut next = start;
    let mut found = 0;
    for _ in 0..nth {
        found = find_from(text, needle, next - 1);
        if found == 0 || needle.is_empty() {
            break;
        }
        next = i64::from(found) + 1;
    }
    Ok(found)
}
