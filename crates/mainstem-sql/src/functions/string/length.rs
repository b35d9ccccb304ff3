//! CHAR_LENGTH and ASCII: numbers about a string.
//! Invariant: lengths count Unicode code points, not bytes and not UTF-16 units.

use std::sync::Arc;

use arrow_array::builder::Int32Builder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, Int32Array, StringArray};
use mainstem_core::{Error, Result, TypeKind};

use crate::functions::rowwise::{Text, map1};
use crate::functions::signature::{Want, expect, strict};
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::lift;
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
    let kernel = lift::unary(|array| {
        let texts = array.as_string_opt::<i32>();
        let texts = texts.ok_or_else(|| Error::internal("a string kernel got another type"))?;
        Ok(Arc::new(char_lengths(texts)))
    });
    Ok(strict(TypeKind::Int, types, kernel))
}

/// Of ASCII, the bytes: one look at the whole buffer tells.
fn char_lengths(texts: &StringArray) -> Int32Array {
    let offsets = texts.value_offsets();
    let bytes = &texts.value_data()[offsets[0] as usize..offsets[texts.len()] as usize];
    let lengths: Vec<i32> = if bytes.is_ascii() {
        offsets.windows(2).map(|pair| pair[1] - pair[0]).collect()
    } else {
        (0..texts.len()).map(|row| texts.value(row).chars().count() as i32).collect()
    };
    Int32Array::new(lengths.into(), texts.nulls().cloned())
}

fn bind_ascii(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text], 1)?;
    let kernel = map1::<Text, Int32Builder>(|text: &str, out: &mut Int32Builder| {
        out.append_value(text.as_bytes().first().map_or(0, |b| i32::from(*b as i8)));
        Ok(())
    });
    Ok(strict(TypeKind::Int, types, kernel))
}
