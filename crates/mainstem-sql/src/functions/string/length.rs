//! CHAR_LENGTH and ASCII: numbers about a string.
//! Invariant: lengths count Unicode code points, not bytes and not UTF-16 units.

use arrow_array::builder::Int32Builder;
use mainstem_core::{Result, TypeKind};

use crate::functions::rowwise::{Text, map1};
use crate::functions::signature::{Want, expect, strict};
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::session::Session;

pub(super) static CHAR_LENGTH: ScalarFunction = ScalarFunction {
    name: "CHAR_LENGTH",
    aliases: &["CHARACTER_LENGTH"],
    usage: "CHAR_LENGTH(string)",
    doc: "How many characters the string has.",
    bind: bind_char_length,
};

pub(super) static ASCII: ScalarFunction = ScalarFunction {
    name: "ASCII",
    aliases: &[],
    usage: "ASCII(string)",
    doc: "The first byte of the string as a signed number, 0 for an empty string.",
    bind: bind_ascii,
};

fn bind_char_length(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text], 1)?;
    let kernel = map1::<Text, Int32Builder>(|text: &str, out: &mut Int32Builder| {
        out.append_value(text.chars().count() as i32);
        Ok(())
    });
    Ok(strict(TypeKind::Int, types, kernel))
}

fn bind_ascii(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text], 1)?;
    let kernel = map1::<Text, Int32Builder>(|text: &str, out: &mut Int32Builder| {
        out.append_value(text.as_bytes().first().map_or(0, |b| i32::from(*b as i8)));
        Ok(())
    });
    Ok(strict(TypeKind::Int, types, kernel))
}
