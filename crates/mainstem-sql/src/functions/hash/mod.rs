//! Flink's hash functions, in lower-case hexadecimal digits.
//! Invariant: a string is hashed as its UTF-8 bytes, a binary string as it is.

use std::fmt::Write;

use arrow_array::builder::StringBuilder;
use mainstem_core::{Error, Result, TypeKind};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::functions::rowwise::{Bytes, Long, Text, map1, map2};
use crate::functions::signature::{Want, arity, constant_integer, expect, mismatch, strict};
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::session::Session;

/// The functions of this folder.
pub static FUNCTIONS: &[&ScalarFunction] =
    &[&MD5, &SHA1, &SHA224, &SHA256, &SHA384, &SHA512, &SHA2];

macro_rules! hash {
    ($name:ident, $digest:ty, $digits:literal, $doc:literal) => {
        pub static $name: ScalarFunction = ScalarFunction {
            name: stringify!($name),
            aliases: &[],
            usage: concat!(stringify!($name), "(value)"),
            doc: $doc,
            bind: |arguments, _| fixed(arguments, $digits, put::<$digest>),
        };
    };
}

hash!(MD5, Md5, 32, "The MD5 hash of the value, 32 hexadecimal digits.");
hash!(SHA1, Sha1, 40, "The SHA-1 hash of the value, 40 hexadecimal digits.");
hash!(SHA224, Sha224, 56, "The SHA-224 hash of the value, 56 hexadecimal digits.");
hash!(SHA256, Sha256, 64, "The SHA-256 hash of the value, 64 hexadecimal digits.");
hash!(SHA384, Sha384, 96, "The SHA-384 hash of the value, 96 hexadecimal digits.");
hash!(SHA512, Sha512, 128, "The SHA-512 hash of the value, 128 hexadecimal digits.");

pub static SHA2: ScalarFunction = ScalarFunction {
    name: "SHA2",
    aliases: &[],
    usage: "SHA2(value, bits)",
    doc: "The SHA-2 hash of the value with 224, 256, 384 or 512 bits.",
    bind: bind_sha2,
};

type Put = fn(&[u8], &mut StringBuilder);

fn put<D: Digest>(bytes: &[u8], out: &mut StringBuilder) {
    for byte in D::digest(bytes) {
        // Writing into a builder cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out.append_value("");
}

fn input(arguments: &[Argument]) -> Result<Want> {
    let Some(first) = arguments.first() else { return Ok(Want::Text) };
    if first.data_type.kind.is_binary() {
        return Ok(Want::Bytes);
    }
    let text = expect(&arguments[..1], &[Want::Text], 1);
    text.map(|_| Want::Text)
        .map_err(|_| mismatch(0, "a string or a binary string", &first.data_type))
}

fn fixed(arguments: &[Argument], digits: u32, put: Put) -> Result<Binding> {
    arity(arguments.len(), 1, Some(1))?;
    let want = input(arguments)?;
    let types = expect(arguments, &[want], 1)?;
    let kernel = if want == Want::Bytes {
        map1::<Bytes, StringBuilder>(move |bytes: &[u8], out: &mut StringBuilder| {
            put(bytes, out);
            Ok(())
        })
    } else {
        map1::<Text, StringBuilder>(move |text: &str, out: &mut StringBuilder| {
            put(text.as_bytes(), out);
            Ok(())
        })
    };
    Ok(strict(TypeKind::Char { length: digits }, types, kernel))
}

fn bind_sha2(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let want = input(arguments)?;
    let types = expect(arguments, &[want, Want::Integer], 2)?;
    if let Some(Some(bits)) = constant_integer(&arguments[1]) {
        sha2(bits)?;
    }
    let kernel = if want == Want::Bytes {
        map2::<Bytes, Long, StringBuilder>(|bytes: &[u8], bits, out: &mut StringBuilder| {
            sha2(bits)?(bytes, out);
            Ok(())
        })
    } else {
        map2::<Text, Long, StringBuilder>(|text: &str, bits, out: &mut StringBuilder| {
            sha2(bits)?(text.as_bytes(), out);
            Ok(())
        })
    };
    Ok(strict(TypeKind::Varchar { length: 128 }, types, kernel))
}

fn sha2(bits: i64) -> Result<Put> {
    match bits {
        224 => Ok(put::<Sha224>),
        256 => Ok(put::<Sha256>),
        384 => Ok(put::<Sha384>),
        512 => Ok(put::<Sha512>),
        _ => Err(Error::user(format!("SHA-2 has no hash of {bits} bits"))
            .with_hint("use 224, 256, 384 or 512")),
    }
}
