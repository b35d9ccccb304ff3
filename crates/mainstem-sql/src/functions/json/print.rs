//! JSON text as Flink prints it.
//! Invariant: keys are sorted by UTF-16 units, numbers are spelled as `java.math.BigDecimal` spells them, only quotes,
//! backslashes and control characters are escaped, and there is no white space.

use std::borrow::Cow;
use std::fmt::Write;

use super::document::Node;

/// Appends the value as JSON.
pub(crate) fn push_node(out: &mut String, node: &Node<'_>) {
    push_node_with(out, node, |out, text| out.push_str(&number_text(text)));
}

/// [`push_node`] with numbers as `number` writes them.
pub(crate) fn push_node_with(out: &mut String, node: &Node<'_>, number: fn(&mut String, &str)) {
    match node {
        Node::Null => out.push_str("null"),
        Node::Boolean(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Node::Number(text) => number(out, text),
        Node::Text(text) => push_quoted(out, text),
        Node::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_node_with(out, item, number);
            }
            out.push(']');
        }
        Node::Object(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            out.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_quoted(out, key);
                out.push(':');
                push_node_with(out, value, number);
            }
            out.push('}');
        }
    }
}

/// What `String.valueOf` gives for a scalar: text without quotes.
pub(crate) fn scalar_text<'n>(node: &'n Node<'_>) -> Cow<'n, str> {
    match node {
        Node::Text(text) => Cow::Borrowed(text),
        Node::Number(text) => number_text(text),
        other => {
            let mut text = String::new();
            push_node(&mut text, other);
            Cow::Owned(text)
        }
    }
}

/// Appends a JSON string literal.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => {
                // Writing into a string cannot fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// A number as Jackson's Integer, Long, BigInteger or BigDecimal prints itself.
pub(crate) fn number_text(text: &str) -> Cow<'_, str> {
    if text == "-0" {
        return Cow::Borrowed("0");
    }
    if !text.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) {
        return Cow::Borrowed(text);
    }
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, text),
    };
    let (mantissa, exponent) = body.split_once(['e', 'E']).unwrap_or((body, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let Ok(exponent) = exponent.parse::<i64>() else { return Cow::Borrowed(text) };
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    let plain = big_decimal(digits, fraction.len() as i64 - exponent);
    Cow::Owned(if negative && digits != "0" { format!("-{plain}") } else { plain })
}

/// `BigDecimal.toString` of an unscaled value that is not negative.
fn big_decimal(digits: &str, scale: i64) -> String {
    let adjusted = digits.len() as i64 - 1 - scale;
    if scale == 0 {
        return digits.to_string();
    }
    if scale > 0 && adjusted >= -6 {
        let scale = scale as usize;
        if digits.len() > scale {
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            return format!("{whole}.{fraction}");
        }
        return format!("0.{digits:0>scale$}");
    }
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    match adjusted {
        0 => format!("{first}{point}{rest}"),
        _ => format!("{first}{point}{rest}E{adjusted:+}"),
    }
}
