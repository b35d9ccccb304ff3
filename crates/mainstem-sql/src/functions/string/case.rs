//! UPPER, LOWER, INITCAP.
//! Invariant: ASCII input is changed in one pass over the whole value buffer; offsets and NULLs are shared, not copied.
//! Does not follow a locale: Java's `Locale.ROOT` rules, which are Unicode's full case mappings.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_buffer::Buffer;
use mainstem_core::{Error, Result};

use crate::functions::rowwise::{Text, map1_with, wrap};
use crate::functions::signature::{Want, expect, strict};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};
use crate::session::Session;

pub(super) static UPPER: ScalarFunction = ScalarFunction {
    name: "UPPER",
    aliases: &[],
    usage: "UPPER(string)",
    doc: "The string in upper case.",
    bind: |arguments, _| case(arguments, <[u8]>::make_ascii_uppercase, str::to_uppercase),
};

pub(super) static LOWER: ScalarFunction = ScalarFunction {
    name: "LOWER",
    aliases: &[],
    usage: "LOWER(string)",
    doc: "The string in lower case.",
    bind: |arguments, _| case(arguments, <[u8]>::make_ascii_lowercase, str::to_lowercase),
};

pub(super) static INITCAP: ScalarFunction = ScalarFunction {
    name: "INITCAP",
    aliases: &[],
    usage: "INITCAP(string)",
    doc: "The first character of each word in upper case, the others in lower case; a word is a run of ASCII letters and digits.",
    bind: bind_initcap,
};

fn case(arguments: &[Argument], ascii: fn(&mut [u8]), full: fn(&str) -> String) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text], 1)?;
    let kernel: Kernel = Arc::new(move |values, _, _| {
        let text = values[0].array().as_string_opt::<i32>();
        let text = text.ok_or_else(|| Error::internal("a string kernel got another type"))?;
        Ok(wrap(change_case(text, ascii, full), values[0].is_scalar()))
    });
    Ok(strict(types[0].kind.clone(), types, kernel))
}

fn change_case(text: &StringArray, ascii: fn(&mut [u8]), full: fn(&str) -> String) -> ArrayRef {
    let bytes = text.values().as_slice();
    let start = text.value_offsets()[0] as usize;
    let end = text.value_offsets()[text.len()] as usize;
    if bytes[start..end].is_ascii() {
        let mut changed = bytes[..end].to_vec();
        ascii(&mut changed[start..]);
        let offsets = text.offsets().clone();
        return Arc::new(StringArray::new(offsets, Buffer::from(changed), text.nulls().cloned()));
    }
    let mut out = StringBuilder::with_capacity(text.len(), end - start);
    for value in text {
        out.append_option(value.map(full));
    }
    Arc::new(out.finish())
}

fn bind_initcap(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text], 1)?;
    let kernel = map1_with::<Text, StringBuilder, String>(
        String::new,
        |buffer: &mut String, text: &str, out: &mut StringBuilder| {
            buffer.clear();
            initcap(text, buffer);
            out.append_value(&buffer);
            Ok(())
        },
    );
    Ok(strict(types[0].kind.clone(), types, kernel))
}

/// Only ASCII letters and digits make words and change case, as in Calcite, whose INITCAP Flink runs.
fn initcap(text: &str, out: &mut String) {
    let mut inside = false;
    for c in text.chars() {
        out.push(if inside { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() });
        inside = c.is_ascii_alphanumeric();
    }
}
