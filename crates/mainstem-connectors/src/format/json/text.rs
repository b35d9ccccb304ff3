//! Strings: taking escapes out, putting them in as Jackson does, and the compact text of a whole JSON value.
//! Invariant: input spans were checked by `scan`; output is valid UTF-8 and valid JSON.
//! Does not read or write numbers beyond keeping their text.

use mainstem_core::java_format::push_double;

use super::scan::{BLOCK_BYTES, Input, Kind, Span, any_special, first_special};

/// Appends the content of a checked string to `out`, without its escapes.
pub(super) fn unescape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let (plain, used) = match rest.as_bytes().get(at + 1) {
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') => unicode(&rest[at..]),
            Some(other) => (*other as char, 2),
            None => ('\\', 1),
        };
        out.push(plain);
        rest = rest.get(at + used..).unwrap_or("");
    }
    out.push_str(rest);
}

/// The character of the `\u` escape, or the pair of them, that `text` starts with, and its length.
fn unicode(text: &str) -> (char, usize) {
    let unit = |at: usize| {
        text.get(at + 2..at + 6).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or(0xfffd)
    };
    let first = unit(0);
    if (0xd800..0xdc00).contains(&first) {
        let code = 0x10000 + ((first - 0xd800) << 10) + (unit(6) & 0x3ff);
        (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
    } else {
        (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
    }
}

/// Appends `text` in quotes.
#[inline]
pub(super) fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    quote_content(text.as_bytes(), out);
    out.push(b'"');
}

#[inline]
fn quote_content(text: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(block) = text.get(at..).and_then(|t| t.first_chunk()) {
        if any_special(block) {
            return escape(text, at + first_special(block), out);
        }
        at += BLOCK_BYTES;
    }
    match text[at..].iter().position(|b| ESCAPES[*b as usize] != 0) {
        None => out.extend_from_slice(text),
        Some(found) => escape(text, at + found, out),
    }
}

/// What follows the backslash of a byte's escape; 0 for a byte that stands for itself.
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut i = 0;
    while i < 0x20 {
        escapes[i] = b'u';
        i += 1;
    }
    escapes[0x08] = b'b';
    escapes[0x09] = b't';
    escapes[0x0a] = b'n';
    escapes[0x0c] = b'f';
    escapes[0x0d] = b'r';
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes
};

/// Appends `text`, whose first byte that needs an escape is at `first`.
#[cold]
fn escape(text: &[u8], first: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&text[..first]);
    for &byte in &text[first..] {
        match ESCAPES[byte as usize] {
            0 => out.push(byte),
            b'u' => {
                let hex = b"0123456789ABCDEF";
                let (high, low) = (hex[byte as usize >> 4], hex[byte as usize & 15]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
    }
}

/// Appends the value at `span` as Jackson prints its tree: no white space, strings and fractions in their normal form.
pub(super) fn compact(text: &str, span: Span, out: &mut Vec<u8>) {
    let bytes = &text.as_bytes()[span.start as usize..span.end as usize];
    match span.kind {
        Kind::Text | Kind::Escaped => {
            let mut plain = String::new();
            unescape(&text[span.start as usize..span.end as usize], &mut plain);
            quote(&plain, out);
        }
        Kind::Fraction => match fast_float2::parse::<f64, _>(bytes) {
            Ok(value) => push_double(out, value),
            Err(_) => out.extend_from_slice(bytes),
        },
        Kind::Object | Kind::Array => compact_container(text, span, out),
        _ => out.extend_from_slice(bytes),
    }
}

/// The depth is bounded by `scan`, so recursion is.
fn compact_container(text: &str, span: Span, out: &mut Vec<u8>) {
    let input = Input::new(text.as_bytes(), span.end as usize, false);
    let object = span.kind == Kind::Object;
    out.push(if object { b'{' } else { b'[' });
    let mut at = input.space(span.start as usize + 1);
    let mut first = true;
    while !matches!(input.byte(at), b'}' | b']') {
        if !first {
            out.push(b',');
            at = input.space(at + 1);
        }
        first = false;
        if object {
            let Ok((key, value)) = input.key(at) else { break };
            compact(text, key, out);
            out.push(b':');
            at = value;
        }
        let Ok((value, next)) = input.value(at) else { break };
        compact(text, value, out);
        at = input.space(next);
    }
    out.push(if object { b'}' } else { b']' });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_taken_out() {
        for (text, plain) in [
            ("", ""),
            ("abc", "abc"),
            (r#"a\"b\\c\/d\b\f\n\r\t"#, "a\"b\\c/d\u{8}\u{c}\n\r\t"),
            (r"\u0041\u00e9\u20ac", "Aé€"),
            (r"x\ud83d\ude00y", "x😀y"),
            ("é\\n€", "é\n€"),
        ] {
            let mut out = String::new();
            unescape(text, &mut out);
            assert_eq!(out, plain, "{text}");
        }
    }

    #[test]
    fn escapes_are_put_in_as_jackson_does() {
        for (plain, text) in [
            ("", r#""""#),
            ("a/b é😀\u{7f}", "\"a/b é😀\u{7f}\""),
            ("a\"b\\c\u{8}\u{c}\n\r\t\u{1}\u{1f}", r#""a\"b\\c\b\f\n\r\t\u0001\u001F""#),
            ("0123456789abcdef\"0123456789abcdef\n", r#""0123456789abcdef\"0123456789abcdef\n""#),
            ("0123456789abcdef0", r#""0123456789abcdef0""#),
        ] {
            let mut out = Vec::new();
            quote(plain, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
