//! INET_ATON and INET_NTOA: IPv4 addresses as numbers.
//! Invariant: an address has one to four parts of one byte each, the last one placed lowest, as Flink reads it.

use std::fmt::Write;

use arrow_array::builder::{Int64Builder, StringBuilder};
use mainstem_core::{Result, TypeKind};

use crate::functions::rowwise::{Long, Sink, Text, map1};
use crate::functions::signature::{Want, expect, partial};
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::session::Session;

pub(super) static INET_ATON: ScalarFunction = ScalarFunction {
    name: "INET_ATON",
    aliases: &[],
    usage: "INET_ATON(address)",
    doc: "The number of an IPv4 address; NULL if it is not one.",
    bind: bind_aton,
};

pub(super) static INET_NTOA: ScalarFunction = ScalarFunction {
    name: "INET_NTOA",
    aliases: &[],
    usage: "INET_NTOA(number)",
    doc: "The IPv4 address with the number; NULL if there is none.",
    bind: bind_ntoa,
};

fn bind_aton(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text], 1)?;
    let kernel = map1::<Text, Int64Builder>(|text: &str, out: &mut Int64Builder| {
        out.append_option(number(text));
        Ok(())
    });
    Ok(partial(TypeKind::BigInt, types, kernel))
}

/// `1` is 0.0.0.1, `1.2` is 1.0.0.2, `1.2.3` is 1.2.0.3.
fn number(text: &str) -> Option<i64> {
    let mut bytes = [0i64; 4];
    let mut count = 0;
    for part in text.split('.') {
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *bytes.get_mut(count)? = part.parse().ok().filter(|n| *n <= 255)?;
        count += 1;
    }
    let last = std::mem::take(&mut bytes[count - 1]);
    bytes[3] = last;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | byte))
}

fn bind_ntoa(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Integer], 1)?;
    let kernel = map1::<Long, StringBuilder>(|number: i64, out: &mut StringBuilder| {
        match u32::try_from(number) {
            Ok(number) => {
                // Writing into a builder cannot fail.
                let _ = write!(out, "{}", std::net::Ipv4Addr::from(number));
                out.append_value("");
            }
            Err(_) => Sink::null(out),
        }
        Ok(())
    });
    Ok(partial(TypeKind::STRING, types, kernel))
}
