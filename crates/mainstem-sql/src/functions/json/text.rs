//! JSON_STRING, JSON_QUOTE, JSON_UNQUOTE and JSON.
//! Invariant: JSON_UNQUOTE gives back what it cannot unquote; JSON fails on what is not JSON.
//! JSON is not in the list of functions: the binder may call it only inside JSON_OBJECT and JSON_ARRAY.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::builder::StringBuilder;
use mainstem_core::{Error, Result, TypeKind};

use super::document::{parse, unescape};
use super::encode::{check, push_value};
use super::print::push_node;
use crate::functions::rowwise::{Sink, Text, extent, map1, map1_with, wrap};
use crate::functions::signature::{Want, expect, partial, strict};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};
use crate::session::Session;

pub static JSON_STRING: ScalarFunction = ScalarFunction {
    name: "JSON_STRING",
    aliases: &[],
    usage: "JSON_STRING(value)",
    doc: "The value as JSON text.",
    bind: bind_json_string,
};

pub static JSON_QUOTE: ScalarFunction = ScalarFunction {
    name: "JSON_QUOTE",
    aliases: &[],
    usage: "JSON_QUOTE(string)",
    doc: "The string as a JSON string literal, in ASCII.",
    bind: bind_quote,
};

pub static JSON_UNQUOTE: ScalarFunction = ScalarFunction {
    name: "JSON_UNQUOTE",
    aliases: &[],
    usage: "JSON_UNQUOTE(string)",
    doc: "The text of a JSON string literal; what is not one is returned as it is.",
    bind: bind_unquote,
};

/// The text of a JSON document, checked and normalised, to be put into JSON_OBJECT or JSON_ARRAY unquoted.
pub static JSON: ScalarFunction = ScalarFunction {
    name: "JSON",
    aliases: &[],
    usage: "JSON(string)",
    doc: "JSON text as a value of JSON_OBJECT or JSON_ARRAY.",
    bind: bind_json,
};

fn bind_json_string(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Any], 1)?;
    check(&types[0].kind)?;
    let kind = types[0].kind.clone();
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let array = values[0].array();
        let mut out = StringBuilder::with_rows(extent);
        let mut buffer = String::new();
        for row in 0..extent {
            if kind == TypeKind::Null || array.is_null(row) {
                out.append_null();
                continue;
            }
            buffer.clear();
            push_value(&mut buffer, &kind, array, row);
            out.append_value(&buffer);
        }
        Ok(wrap(Sink::finish(out), scalar))
    });
    Ok(strict(TypeKind::STRING, types, kernel))
}

fn bind_quote(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text], 1)?;
    let kernel = map1_with::<Text, StringBuilder, String>(
        String::new,
        |buffer: &mut String, text: &str, out: &mut StringBuilder| {
            buffer.clear();
            quote(text, buffer);
            out.append_value(&buffer);
            Ok(())
        },
    );
    Ok(strict(TypeKind::STRING, types, kernel))
}

/// Control characters stay, as in Flink; all beyond ASCII is escaped in UTF-16 units.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' | '/' => out.extend(['\\', c]),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if c.is_ascii() => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing into a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

fn bind_unquote(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text], 1)?;
    let kernel = map1::<Text, StringBuilder>(|text: &str, out: &mut StringBuilder| {
        out.append_value(unquote(text));
        Ok(())
    });
    Ok(strict(TypeKind::STRING, types, kernel))
}

/// Quotes inside need no escape: Flink looks only at the first and the last character and at the escapes.
fn unquote(text: &str) -> std::borrow::Cow<'_, str> {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else { return text.into() };
    if !inner.contains('\\') {
        return inner.into();
    }
    let mut escaped = String::with_capacity(text.len());
    escaped.push('"');
    let mut after_backslash = false;
    for c in inner.chars() {
        if c == '"' && !after_backslash {
            escaped.push('\\');
        }
        after_backslash = c == '\\' && !after_backslash;
        escaped.push(c);
    }
    escaped.push('"');
    match unescape(&escaped) {
        Some(plain) => plain.into_owned().into(),
        None => text.into(),
    }
}

fn bind_json(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text], 1)?;
    let kernel = map1::<Text, StringBuilder>(|text: &str, out: &mut StringBuilder| {
        let trimmed = text.trim_matches(|c| c <= ' ');
        if trimmed.is_empty() {
            Sink::null(out);
            return Ok(());
        }
        let node = parse(trimmed).ok_or_else(|| {
            Error::user(format!("JSON() got text that is not JSON: {}", preview(trimmed)))
                .with_hint("test the text with IS JSON first")
        })?;
        let mut printed = String::new();
        push_node(&mut printed, &node);
        out.append_value(printed);
        Ok(())
    });
    Ok(partial(TypeKind::STRING, types, kernel))
}

/// The start of a text, for a message.
fn preview(text: &str) -> String {
    let mut start: String = text.chars().take(40).collect();
    if start.len() < text.len() {
        start.push_str("...");
    }
    start
}
