//! PARSE_URL, URL_ENCODE, URL_DECODE.
//! Invariant: an address is taken apart as `java.net.URL` does it: nothing is decoded, resolved or checked but the
//! protocol and the port. What cannot be parsed is NULL.

use std::fmt::Write;

use arrow_array::builder::StringBuilder;
use mainstem_core::{Result, TypeKind};

use crate::functions::rowwise::{Text, map1, map2, map3, put};
use crate::functions::signature::{Want, expect, partial};
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::session::Session;

pub(super) static PARSE_URL: ScalarFunction = ScalarFunction {
    name: "PARSE_URL",
    aliases: &[],
    usage: "PARSE_URL(url, part [, key])",
    doc: "HOST, PATH, QUERY, REF, PROTOCOL, AUTHORITY, FILE or USERINFO of an address, or the value of a key of its QUERY.",
    bind: bind_parse_url,
};

pub(super) static URL_ENCODE: ScalarFunction = ScalarFunction {
    name: "URL_ENCODE",
    aliases: &[],
    usage: "URL_ENCODE(string)",
    doc: "The string as application/x-www-form-urlencoded.",
    bind: bind_encode,
};

pub(super) static URL_DECODE: ScalarFunction = ScalarFunction {
    name: "URL_DECODE",
    aliases: &[],
    usage: "URL_DECODE(string)",
    doc: "The text of an application/x-www-form-urlencoded string; NULL if it is malformed.",
    bind: bind_decode,
};

fn bind_parse_url(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text; 3], 2)?;
    let kernel = if types.len() == 2 {
        map2::<Text, Text, StringBuilder>(|url: &str, part: &str, out: &mut StringBuilder| {
            match Url::parse(url) {
                Some(url) if part == "PROTOCOL" => out.append_value(url.protocol.to_lowercase()),
                Some(url) => out.append_option(url.part(part)),
                None => out.append_null(),
            }
            Ok(())
        })
    } else {
        map3::<Text, Text, Text, StringBuilder>(
            |url: &str, part: &str, key: &str, out: &mut StringBuilder| {
                let query = Url::parse(url).filter(|_| part == "QUERY").and_then(|url| url.query);
                put(out, query.and_then(|query| query_value(query, key)))
            },
        )
    };
    Ok(partial(TypeKind::STRING, types, kernel))
}

/// The value of the first `key=value` pair.
fn query_value<'q>(query: &'q str, key: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

#[derive(Debug, Default)]
struct Url<'u> {
    protocol: &'u str,
    authority: Option<&'u str>,
    path: &'u str,
    query: Option<&'u str>,
    reference: Option<&'u str>,
    /// Path and query, as written.
    file: &'u str,
}

impl<'u> Url<'u> {
    fn parse(url: &'u str) -> Option<Self> {
        let url = url.trim_matches(|c| c <= ' ');
        let url = if url.get(..4).is_some_and(|s| s.eq_ignore_ascii_case("url:")) {
            &url[4..]
        } else {
            url
        };
        let (protocol, rest) = url.split_once(':')?;
        let known = ["http", "https", "ftp", "file", "jar", "mailto"];
        if !known.iter().any(|name| name.eq_ignore_ascii_case(protocol)) {
            return None;
        }
        let (rest, reference) = match rest.split_once('#') {
            Some((rest, reference)) => (rest, Some(reference)),
            None => (rest, None),
        };
        if ["jar", "mailto"].iter().any(|name| name.eq_ignore_ascii_case(protocol)) {
            return Some(Self { protocol, path: rest, file: rest, reference, ..Self::default() });
        }
        let (authority, file) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                (Some(&rest[..end]), &rest[end..])
            }
            None => (None, rest),
        };
        authority.map_or(Some(()), check_port)?;
        let (path, query) = match file.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (file, None),
        };
        Some(Self { protocol, authority, path, query, reference, file })
    }

    fn part(&self, part: &str) -> Option<&'u str> {
        match part {
            "HOST" => Some(self.authority.map_or("", |authority| split_authority(authority).1)),
            "PATH" => Some(self.path),
            "QUERY" => self.query,
            "REF" => self.reference,
            "FILE" => Some(self.file),
            "AUTHORITY" => self.authority,
            "USERINFO" => split_authority(self.authority?).0,
            _ => None,
        }
    }
}

/// User information, host and port.
fn split_authority(authority: &str) -> (Option<&str>, &str, Option<&str>) {
    let (user, rest) = match authority.split_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, authority),
    };
    let host_end =
        if rest.starts_with('[') { rest.find(']').map_or(rest.len(), |i| i + 1) } else { 0 };
    match rest[host_end..].find(':') {
        Some(colon) => (user, &rest[..host_end + colon], Some(&rest[host_end + colon + 1..])),
        None => (user, rest, None),
    }
}

fn check_port(authority: &str) -> Option<()> {
    match split_authority(authority).2 {
        None | Some("") => Some(()),
        Some(port) => port.parse::<i32>().ok().filter(|port| *port >= -1).map(|_| ()),
    }
}

fn bind_encode(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text], 1)?;
    let kernel = map1::<Text, StringBuilder>(|text: &str, out: &mut StringBuilder| {
        for byte in text.bytes() {
            // Writing into a builder cannot fail.
            let _ = match byte {
                b' ' => out.write_char('+'),
                b'.' | b'-' | b'*' | b'_' => out.write_char(char::from(byte)),
                _ if byte.is_ascii_alphanumeric() => out.write_char(char::from(byte)),
                _ => write!(out, "%{byte:02X}"),
            };
        }
        out.append_value("");
        Ok(())
    });
    Ok(partial(TypeKind::STRING, types, kernel))
}

fn bind_decode(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text], 1)?;
    let kernel = map1::<Text, StringBuilder>(|text: &str, out: &mut StringBuilder| {
        out.append_option(decode(text.as_bytes()));
        Ok(())
    });
    Ok(partial(TypeKind::STRING, types, kernel))
}

fn decode(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (digits, tail) = rest.split_at_checked(2)?;
                let digits = std::str::from_utf8(digits).ok()?;
                if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return None;
                }
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = tail;
            }
            other => bytes.push(*other),
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
