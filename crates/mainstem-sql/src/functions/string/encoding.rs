//! Strings to and from bytes, numbers and digits: base64, hexadecimal, character sets, CHR, BIN.
//! Invariant: undecodable bytes become U+FFFD, unencodable characters `?`, as in Java.

use std::fmt::Write;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use mainstem_core::{Error, Result, TypeKind};

use crate::functions::rowwise::{Bytes, Long, Text, map1, map2};
use crate::functions::signature::{Want, arity, constant_text, expect, mismatch, partial, strict};
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::session::Session;

/// Java's `Base64.getDecoder()`: padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) static TO_BASE64: ScalarFunction = ScalarFunction {
    name: "TO_BASE64",
    aliases: &[],
    usage: "TO_BASE64(value)",
    doc: "The string (as UTF-8) or binary string in base64.",
    bind: |arguments, _| {
        of_bytes(arguments, |bytes, out| {
            out.append_value(BASE64.encode(bytes));
            Ok(())
        })
    },
};

pub(super) static FROM_BASE64: ScalarFunction = ScalarFunction {
    name: "FROM_BASE64",
    aliases: &[],
    usage: "FROM_BASE64(value)",
    doc: "The text that is written in base64.",
    bind: |arguments, _| {
        of_bytes(arguments, |bytes, out| {
            let decoded = BASE64
                .decode(bytes)
                .map_err(|e| Error::user(format!("not base64: {e}")).with_source(e))?;
            out.append_value(String::from_utf8_lossy(&decoded));
            Ok(())
        })
    },
};

pub(super) static HEX: ScalarFunction = ScalarFunction {
    name: "HEX",
    aliases: &[],
    usage: "HEX(value)",
    doc: "An integer, or the UTF-8 bytes of a string, in upper-case hexadecimal digits.",
    bind: bind_hex,
};

pub(super) static UNHEX: ScalarFunction = ScalarFunction {
    name: "UNHEX",
    aliases: &[],
    usage: "UNHEX(string)",
    doc: "The bytes written in hexadecimal digits; NULL if there is another character.",
    bind: bind_unhex,
};

pub(super) static BIN: ScalarFunction = ScalarFunction {
    name: "BIN",
    aliases: &[],
    usage: "BIN(integer)",
    doc: "The integer in binary digits, 64 of them if it is negative.",
    bind: bind_bin,
};

pub(super) static CHR: ScalarFunction = ScalarFunction {
    name: "CHR",
    aliases: &[],
    usage: "CHR(integer)",
    doc: "The character with the code, modulo 256; empty if it is negative.",
    bind: bind_chr,
};

pub(super) static ENCODE: ScalarFunction = ScalarFunction {
    name: "ENCODE",
    aliases: &[],
    usage: "ENCODE(string, charset)",
    doc: "The string in US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, UTF-16LE or UTF-16.",
    bind: bind_encode,
};

pub(super) static DECODE: ScalarFunction = ScalarFunction {
    name: "DECODE",
    aliases: &[],
    usage: "DECODE(binary, charset)",
    doc: "The text that is encoded in US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, UTF-16LE or UTF-16.",
    bind: bind_decode,
};

/// A function of a string's UTF-8 bytes or of a binary string.
fn of_bytes(
    arguments: &[Argument],
    row: fn(&[u8], &mut StringBuilder) -> Result<()>,
) -> Result<Binding> {
    arity(arguments.len(), 1, Some(1))?;
    if arguments[0].data_type.kind.is_binary() {
        let kernel = map1::<Bytes, StringBuilder>(row);
        return Ok(strict(TypeKind::STRING, vec![arguments[0].data_type.clone()], kernel));
    }
    let types = expect(arguments, &[Want::Text], 1)
        .map_err(|_| mismatch(0, "a string or a binary string", &arguments[0].data_type))?;
    let kernel = map1::<Text, StringBuilder>(move |text: &str, out: &mut StringBuilder| {
        row(text.as_bytes(), out)
    });
    Ok(strict(TypeKind::STRING, types, kernel))
}

fn bind_hex(arguments: &[Argument], _: &Session) -> Result<Binding> {
    arity(arguments.len(), 1, Some(1))?;
    if arguments[0].data_type.kind.is_integer() {
        let types = expect(arguments, &[Want::Integer], 1)?;
        let kernel = map1::<Long, StringBuilder>(|n: i64, out: &mut StringBuilder| {
            // Writing into a builder cannot fail.
            let _ = write!(out, "{n:X}");
            out.append_value("");
            Ok(())
        });
        return Ok(strict(TypeKind::STRING, types, kernel));
    }
    let types = expect(arguments, &[Want::Text], 1)
        .map_err(|_| mismatch(0, "an integer or a string", &arguments[0].data_type))?;
    let kernel = map1::<Text, StringBuilder>(|text: &str, out: &mut StringBuilder| {
        text.bytes().for_each(|byte| {
            let _ = write!(out, "{byte:02X}");
        });
        out.append_value("");
        Ok(())
    });
    Ok(strict(TypeKind::STRING, types, kernel))
}

fn bind_unhex(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text], 1)?;
    let kernel = map1::<Text, BinaryBuilder>(|text: &str, out: &mut BinaryBuilder| {
        out.append_option(unhex(text.as_bytes()));
        Ok(())
    });
    Ok(partial(TypeKind::BYTES, types, kernel))
}

/// Bytes of pairs of digits; the first digit of an odd number of them is checked and dropped, its byte is 0, as Flink does.
fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let odd = digits.len() % 2;
    let mut bytes = Vec::with_capacity(digits.len() / 2 + odd);
    if odd == 1 {
        digit(digits[0])?;
        bytes.push(0);
    }
    for pair in digits[odd..].chunks_exact(2) {
        bytes.push(digit(pair[0])? << 4 | digit(pair[1])?);
    }
    Some(bytes)
}

fn bind_bin(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Integer], 1)?;
    let kernel = map1::<Long, StringBuilder>(|n: i64, out: &mut StringBuilder| {
        let _ = write!(out, "{n:b}");
        out.append_value("");
        Ok(())
    });
    Ok(strict(TypeKind::STRING, types, kernel))
}

fn bind_chr(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Integer], 1)?;
    let kernel = map1::<Long, StringBuilder>(|code: i64, out: &mut StringBuilder| {
        if code >= 0 {
            let _ = out.write_char(char::from((code & 0xFF) as u8));
        }
        out.append_value("");
        Ok(())
    });
    Ok(partial(TypeKind::STRING, types, kernel))
}

#[derive(Clone, Copy)]
enum Charset {
    Ascii,
    Latin1,
    Utf8,
    Utf16Be,
    Utf16Le,
    Utf16,
}

impl Charset {
    fn parse(name: &str) -> Result<Self> {
        Ok(match name.to_ascii_uppercase().as_str() {
            "US-ASCII" | "ASCII" => Self::Ascii,
            "ISO-8859-1" | "LATIN1" | "ISO8859_1" => Self::Latin1,
            "UTF-8" | "UTF8" => Self::Utf8,
            "UTF-16BE" => Self::Utf16Be,
            "UTF-16LE" => Self::Utf16Le,
            "UTF-16" => Self::Utf16,
            _ => {
                return Err(Error::user(format!("character set '{name}' is not supported"))
                    .with_hint("use US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, UTF-16LE or UTF-16"));
            }
        })
    }

    fn encode(self, text: &str) -> Vec<u8> {
        let narrow = |most: u32| {
            text.chars()
                .map(|c| if u32::from(c) <= most { u32::from(c) as u8 } else { b'?' })
                .collect()
        };
        match self {
            Self::Ascii => narrow(0x7F),
            Self::Latin1 => narrow(0xFF),
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Self::Utf16 => {
                let mut bytes = vec![0xFE, 0xFF];
                bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
                bytes
            }
        }
    }

    fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Ascii => bytes
                .iter()
                .map(|b| if b.is_ascii() { char::from(*b) } else { char::REPLACEMENT_CHARACTER })
                .collect(),
            Self::Latin1 => bytes.iter().map(|b| char::from(*b)).collect(),
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Utf16Be => decode_units(bytes, u16::from_be_bytes),
            Self::Utf16Le => decode_units(bytes, u16::from_le_bytes),
            Self::Utf16 => match bytes {
                [0xFE, 0xFF, rest @ ..] => decode_units(rest, u16::from_be_bytes),
                [0xFF, 0xFE, rest @ ..] => decode_units(rest, u16::from_le_bytes),
                _ => decode_units(bytes, u16::from_be_bytes),
            },
        }
    }
}

fn decode_units(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text: String = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    if !rest.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

fn bind_encode(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Text, Want::Text], 2)?;
    check_charset(&arguments[1])?;
    let kernel =
        map2::<Text, Text, BinaryBuilder>(|text: &str, charset: &str, out: &mut BinaryBuilder| {
            out.append_value(Charset::parse(charset)?.encode(text));
            Ok(())
        });
    Ok(strict(TypeKind::BYTES, types, kernel))
}

fn bind_decode(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Bytes, Want::Text], 2)?;
    check_charset(&arguments[1])?;
    let kernel = map2::<Bytes, Text, StringBuilder>(
        |bytes: &[u8], charset: &str, out: &mut StringBuilder| {
            out.append_value(Charset::parse(charset)?.decode(bytes));
            Ok(())
        },
    );
    Ok(strict(TypeKind::STRING, types, kernel))
}

/// A constant name is checked before the statement starts.
fn check_charset(argument: &Argument) -> Result<()> {
    constant_text(argument).flatten().map_or(Ok(()), |name| Charset::parse(name).map(|_| ()))
}
