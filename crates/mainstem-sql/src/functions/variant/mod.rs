//! PARSE_JSON, TRY_PARSE_JSON, and `variant[key]`.
//! Invariant: a VARIANT is NULL or JSON text as this module writes it: keys sorted by UTF-16 units, each once; numbers
//! without an exponent exact and without zeros at their end, others as a DOUBLE is written. So equal values are equal
//! text; Flink tells 1 from 1.0 and knows the order that keys had. A CAST of or to a VARIANT is refused, as in Flink.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use mainstem_core::java_format::push_double;
use mainstem_core::{Error, Result, TypeKind};
use mainstem_engine::expr::Value;

use crate::functions::json::document::{self, Node};
use crate::functions::json::print::push_node_with;
use crate::functions::rowwise::{Flag, Long, Reader, Sink, Text, extent, wrap};
use crate::functions::signature::{Want, constant_boolean, expect, mismatch, partial, strict};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};

/// The functions of this folder.
pub static FUNCTIONS: &[&ScalarFunction] = &[&PARSE_JSON, &TRY_PARSE_JSON];

/// The digits of Flink's greatest decimal; what has more is a DOUBLE.
const DIGITS_MAX: usize = 38;

pub static PARSE_JSON: ScalarFunction = ScalarFunction {
    name: "PARSE_JSON",
    aliases: &[],
    usage: "PARSE_JSON(text [, allow_duplicate_keys])",
    doc: "The JSON document as a VARIANT; text that is none is an error. Of equal keys the last one counts, if allowed.",
    bind: |arguments, _| {
        let (types, kernel) = parsing(arguments, false)?;
        Ok(strict(TypeKind::Variant, types, kernel))
    },
};

pub static TRY_PARSE_JSON: ScalarFunction = ScalarFunction {
    name: "TRY_PARSE_JSON",
    aliases: &[],
    usage: "TRY_PARSE_JSON(text [, allow_duplicate_keys])",
    doc: "The JSON document as a VARIANT, or NULL for text that is none.",
    bind: |arguments, _| {
        let (types, kernel) = parsing(arguments, true)?;
        Ok(partial(TypeKind::Variant, types, kernel))
    },
};

fn parsing(
    arguments: &[Argument],
    lenient: bool,
) -> Result<(Vec<mainstem_core::DataType>, Kernel)> {
    let types = expect(arguments, &[Want::Text, Want::Boolean], 1)?;
    if arguments.len() > 1
        && constant_boolean(&arguments[1]).is_none()
        && arguments[1].literal.is_some()
    {
        return Err(mismatch(1, "TRUE or FALSE", &arguments[1].data_type));
    }
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let texts = Reader::<Text>::new(&values[0])?;
        let allow = values.get(1).map(Reader::<Flag>::new).transpose()?;
        let mut out = StringBuilder::with_rows(extent);
        for row in 0..extent {
            let allow = allow.as_ref().is_some_and(|allow| allow.get(row).unwrap_or_default());
            match texts.get(row).map(|text| canonical(text, allow)) {
                None => out.append_null(),
                Some(Ok(variant)) => out.append_value(variant),
                Some(Err(_)) if lenient => out.append_null(),
                Some(Err(error)) => return Err(error),
            }
        }
        Ok(wrap(Sink::finish(out), scalar))
    });
    Ok((types, kernel))
}

/// The document as this module writes it.
fn canonical(text: &str, allow_duplicates: bool) -> Result<String> {
    let (node, duplicates) = document::parse_noting_duplicates(text).ok_or_else(|| {
        Error::user("PARSE_JSON got text that is no JSON document")
            .with_hint("TRY_PARSE_JSON gives NULL for it")
    })?;
    if duplicates && !allow_duplicates {
        return Err(Error::user("PARSE_JSON got an object with a key twice")
            .with_hint("PARSE_JSON(text, TRUE) takes the last one"));
    }
    let mut out = String::with_capacity(text.len());
    push_node_with(&mut out, &node, push_number);
    Ok(out)
}

/// Exact as written, or the text of a DOUBLE: with an exponent, or with more digits than a decimal has.
fn push_number(out: &mut String, text: &str) {
    let zero = usize::from(text.trim_start_matches('-').starts_with("0."));
    let digits = text.bytes().filter(u8::is_ascii_digit).count() - zero;
    let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let exponent = text.contains(['e', 'E']);
    if exponent || digits > DIGITS_MAX || scale > DIGITS_MAX {
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => {
                let mut bytes = Vec::new();
                push_double(&mut bytes, value);
                out.push_str(&String::from_utf8_lossy(&bytes));
            }
            // Beyond the greatest DOUBLE: as it was written.
            _ => out.push_str(text),
        }
        return;
    }
    let short = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    };
    out.push_str(if short == "-0" { "0" } else { short });
}

/// `variant[key]`: a member of an object by its name, or an element of an array by its position from 1.
pub(crate) fn bind_element(variant: &Argument, key: &Argument) -> Result<Binding> {
    let by_name = key.data_type.kind.is_string();
    if !by_name && !key.data_type.kind.is_integer() {
        return Err(mismatch(1, "a string or an integer", &key.data_type));
    }
    let want = if by_name { Want::Text } else { Want::Integer };
    let types = expect(&[variant.clone(), key.clone()], &[Want::Variant, want], 2)?;
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let variants = Reader::<Text>::new(&values[0])?;
        let mut out = StringBuilder::with_rows(extent);
        let keys = Keys::new(&values[1], by_name)?;
        for row in 0..extent {
            match variants.get(row) {
                Some(text) => keys.pick(text, row, &mut out)?,
                None => out.append_null(),
            }
        }
        Ok(wrap(Sink::finish(out), scalar))
    });
    Ok(partial(TypeKind::Variant, types, kernel))
}

enum Keys<'a> {
    Names(Reader<'a, Text>),
    Positions(Reader<'a, Long>),
}

impl<'a> Keys<'a> {
    fn new(value: &'a Value, by_name: bool) -> Result<Self> {
        Ok(match by_name {
            true => Self::Names(Reader::new(value)?),
            false => Self::Positions(Reader::new(value)?),
        })
    }

    /// Appends what the key of the row picks of the document.
    fn pick(&self, text: &str, row: usize, out: &mut StringBuilder) -> Result<()> {
        let node =
            document::parse(text).ok_or_else(|| Error::internal("a VARIANT that is no JSON"))?;
        let picked = match (self, &node) {
            (Self::Names(names), Node::Object(entries)) => names
                .get(row)
                .and_then(|name| entries.iter().find(|(key, _)| key == name).map(|(_, v)| v)),
            (Self::Positions(places), Node::Array(items)) => places
                .get(row)
                .and_then(|place| usize::try_from(place.checked_sub(1)?).ok())
                .and_then(|place| items.get(place)),
            (Self::Names(_), _) => {
                return Err(Error::user(format!(
                    "{text} is no object, so it has no member by name"
                )));
            }
            (Self::Positions(_), _) => {
                return Err(Error::user(format!(
                    "{text} is no array, so it has no element by position"
                )));
            }
        };
        match picked {
            None => out.append_null(),
            Some(node) => {
                let mut text = String::new();
                // Its numbers are as they should be.
                push_node_with(&mut text, node, String::push_str);
                out.append_value(text);
            }
        }
        Ok(())
    }
}
