//! TRIM, LTRIM, RTRIM, BTRIM.
//! Invariant: the second argument is a set of characters, not a string; without it only the space goes, no other
//! white space.

use arrow_array::builder::StringBuilder;
use mainstem_core::{Error, Result, TypeKind};

use crate::functions::rowwise::{Text, map1, map2, map3, put};
use crate::functions::signature::{Want, constant_text, expect, strict, varchar_like};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};
use crate::session::Session;

pub(super) static TRIM: ScalarFunction = ScalarFunction {
    name: "TRIM",
    aliases: &[],
    usage: "TRIM([BOTH | LEADING | TRAILING] [characters] FROM string)",
    doc: "The string without the given characters (spaces if none are given) at its ends.",
    bind: bind_trim,
};

pub(super) static LTRIM: ScalarFunction = ScalarFunction {
    name: "LTRIM",
    aliases: &[],
    usage: "LTRIM(string [, characters])",
    doc: "The string without the given characters (spaces if none are given) at its start.",
    bind: |arguments, _| plain(arguments, Side { start: true, end: false }),
};

pub(super) static RTRIM: ScalarFunction = ScalarFunction {
    name: "RTRIM",
    aliases: &[],
    usage: "RTRIM(string [, characters])",
    doc: "The string without the given characters (spaces if none are given) at its end.",
    bind: |arguments, _| plain(arguments, Side { start: false, end: true }),
};

pub(super) static BTRIM: ScalarFunction = ScalarFunction {
    name: "BTRIM",
    aliases: &[],
    usage: "BTRIM(string [, characters])",
    doc: "The string without the given characters (spaces if none are given) at both ends.",
    bind: |arguments, _| {
        let mut binding = plain(arguments, Side::BOTH)?;
        binding.returns.kind = TypeKind::STRING;
        Ok(binding)
    },
};

#[derive(Clone, Copy)]
struct Side {
    start: bool,
    end: bool,
}

impl Side {
    const BOTH: Side = Side { start: true, end: true };

    fn trim<'a>(self, text: &'a str, characters: &str) -> &'a str {
        let mut text = text;
        if self.start {
            text = text.trim_start_matches(|c| characters.contains(c));
        }
        if self.end {
            text = text.trim_end_matches(|c| characters.contains(c));
        }
        text
    }
}

/// `TRIM(string)`, `TRIM(mode, string)` or `TRIM(mode, characters, string)`; the mode is a constant.
fn bind_trim(arguments: &[Argument], _: &Session) -> Result<Binding> {
    if arguments.len() == 1 {
        return plain(arguments, Side::BOTH);
    }
    let types = expect(arguments, &[Want::Text; 3], 2)?;
    let side = match constant_text(&arguments[0]) {
        Some(Some("BOTH")) => Side::BOTH,
        Some(Some("LEADING")) => Side { start: true, end: false },
        Some(Some("TRAILING")) => Side { start: false, end: true },
        _ => return Err(Error::user("the mode of TRIM must be BOTH, LEADING or TRAILING")),
    };
    let kernel = if types.len() == 2 {
        map2::<Text, Text, StringBuilder>(move |_, text: &str, out: &mut StringBuilder| {
            put(out, Some(side.trim(text, " ")))
        })
    } else {
        map3::<Text, Text, Text, StringBuilder>(
            move |_, characters: &str, text: &str, out: &mut StringBuilder| {
                put(out, Some(side.trim(text, characters)))
            },
        )
    };
    Ok(strict(varchar_like(&types[types.len() - 1]), types, kernel))
}

fn plain(arguments: &[Argument], side: Side) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text, Want::Text], 1)?;
    let kernel: Kernel = if types.len() == 1 {
        map1::<Text, StringBuilder>(move |text: &str, out: &mut StringBuilder| {
            put(out, Some(side.trim(text, " ")))
        })
    } else {
        map2::<Text, Text, StringBuilder>(
            move |text: &str, characters: &str, out: &mut StringBuilder| {
                put(out, Some(side.trim(text, characters)))
            },
        )
    };
    Ok(strict(varchar_like(&types[0]), types, kernel))
}
