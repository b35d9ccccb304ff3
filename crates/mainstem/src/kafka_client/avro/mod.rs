//! Avro keys and values: their framing, and their decoding to JSON by schemas from files.
//! Invariant: all bytes of a key or value are accounted for (its frame, one datum, nothing behind it), or it is refused;
//! what one of them can make us allocate is limited by [`VALUE_BYTES_MAX`], whatever lengths it claims. There is no
//! schema registry here: the schema id of a frame is passed on and does not choose the schema.
//!
//! ```text
//! confluent:  0x00 | schema id, big endian u32 | datum
//! container:  'O' 'b' 'j' 0x01 | ... an object container file, with its schema
//! ```

mod json;
#[cfg(test)]
mod tests;

use std::path::Path;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema::ResolvedSchema;
use apache_avro::util::{max_allocation_bytes, max_decode_recursion_depth};
use apache_avro::{Reader, Schema};
use clap::ValueEnum;
use mainstem_core::Error;

use self::json::{Limited, write_value};
use crate::failure::{Failure, Outcome};

/// What one key or value may take: decoded, decompressed and as JSON.
const VALUE_BYTES_MAX: usize = 128 * 1024 * 1024;
/// How deep values may be nested: 200 levels of a debug build overflow a stack of 2 MiB. A nullable record that refers to
/// itself is three levels: the union, the reference, the record.
const DEPTH_MAX: usize = 64;
const CONTAINER_MAGIC: &[u8] = b"Obj\x01";

/// What stands around a datum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Framing {
    /// By the bytes: an object container file, else whichever of the other two decodes
    Auto,
    /// A zero byte and a schema id of four bytes, as clients of a schema registry write it
    Confluent,
    /// Nothing
    Plain,
}

/// A schema and the file that it came from.
#[derive(Debug)]
pub(super) struct SchemaFile {
    path: String,
    schema: Schema,
}

impl SchemaFile {
    pub(super) fn read(path: &Path) -> Outcome<Self> {
        limit();
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let text = format!("cannot read the schema '{shown}': {error}");
            Failure::Usage(Error::user(text).with_source(error))
        })?;
        match Schema::parse_str(&text) {
            Ok(schema) => Ok(Self { path: shown, schema }),
            Err(error) => {
                let error = Error::user(format!("'{shown}' is no Avro schema: {error}"));
                let hint = "one .avsc file with one schema in JSON; the types it names stand in it";
                Err(Failure::Usage(error.with_hint(hint)))
            }
        }
    }
}

/// Sets the limits of the crate, which has them once for the process.
fn limit() {
    max_allocation_bytes(VALUE_BYTES_MAX);
    max_decode_recursion_depth(DEPTH_MAX);
}

/// A key or value as JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) json: Vec<u8>,
    /// Of its frame.
    pub(super) schema_id: Option<u32>,
}

/// Decodes keys, or values.
pub(super) struct Decoder<'s> {
    framing: Framing,
    schema: Option<Datums<'s>>,
    /// The option that names the schema, for errors.
    option: &'static str,
}

struct Datums<'s> {
    file: &'s SchemaFile,
    reader: GenericDatumReader<'s>,
    names: ResolvedSchema<'s>,
}

impl<'s> Decoder<'s> {
    pub(super) fn new(
        file: Option<&'s SchemaFile>,
        framing: Framing,
        option: &'static str,
    ) -> Outcome<Self> {
        limit();
        let Some(file) = file else { return Ok(Self { framing, schema: None, option }) };
        let unusable = |error| {
            Failure::Usage(Error::user(format!(
                "the schema '{}' cannot be used: {error}",
                file.path
            )))
        };
        let names = ResolvedSchema::new(&file.schema).map_err(unusable)?;
        let reader = GenericDatumReader::builder(&file.schema)
            .resolved_writer_schemata(names.clone())
            .build()
            .map_err(unusable)?;
        Ok(Self { framing, schema: Some(Datums { file, reader, names }), option })
    }

    /// The key or value as JSON; the error says of it ("the value ...") what is wrong, and what helps.
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<Decoded, Error> {
        if self.framing == Framing::Auto && bytes.starts_with(CONTAINER_MAGIC) {
            let json = container(bytes).map_err(|reason| {
                Error::user(format!("is a damaged or unsupported Avro container: {reason}"))
                    .with_hint("containers may be uncompressed or compressed with deflate")
            })?;
            return Ok(Decoded { json, schema_id: None });
        }
        let Some(datums) = &self.schema else {
            let option = self.option;
            return Err(Error::user("needs an Avro schema to be read").with_hint(format!(
                "name it with {option} FILE.avsc (there is no schema registry yet); only object container files have theirs"
            )));
        };
        let plain = || Ok(Decoded { json: datums.json(bytes)?, schema_id: None });
        let framed = || {
            let (id, datum) =
                unframed(bytes).ok_or("it does not begin with a zero and a schema id")?;
            Ok(Decoded { json: datums.json(datum)?, schema_id: Some(id) })
        };
        let decoded: Result<Decoded, String> = match self.framing {
            Framing::Plain => plain(),
            Framing::Confluent => framed(),
            Framing::Auto if unframed(bytes).is_none() => plain(),
            Framing::Auto => match (framed(), plain()) {
                (Ok(_), Ok(_)) => {
                    let text = "can be read with a schema id before it and without";
                    let hint = "say which with --framing confluent or --framing plain";
                    return Err(Error::user(text).with_hint(hint));
                }
                (Ok(decoded), Err(_)) | (Err(_), Ok(decoded)) => Ok(decoded),
                (Err(framed), Err(plain)) if framed == plain => Err(plain),
                (Err(framed), Err(plain)) => {
                    Err(format!("{framed} (behind a schema id), {plain} (without one)"))
                }
            },
        };
        decoded.map_err(|reason| {
            let text = format!("does not fit the schema in '{}': {reason}", datums.file.path);
            Error::user(text).with_hint(format!(
                "was it written with another schema ({})? --format json shows it as it is",
                self.option
            ))
        })
    }
}

impl Datums<'_> {
    /// The only datum in `bytes`.
    fn json(&self, mut bytes: &[u8]) -> Result<Vec<u8>, String> {
        let value = self.reader.read_value(&mut bytes).map_err(|error| reason(&error))?;
        if !bytes.is_empty() {
            return Err(format!("bytes are left over: {}", bytes.len()));
        }
        let mut out = Limited::new(VALUE_BYTES_MAX);
        write_value(&mut out, &value, &self.file.schema, self.names.get_names())
            .map_err(|error| error.to_string())?;
        Ok(out.into_text())
    }
}

/// The schema id and what is behind it.
fn unframed(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (id, datum) = bytes.strip_prefix(&[0])?.split_first_chunk()?;
    Some((u32::from_be_bytes(*id), datum))
}

/// All datums of an object container file, as an array.
fn container(mut bytes: &[u8]) -> Result<Vec<u8>, String> {
    use std::io::Write;
    let mut values = Reader::new(&mut bytes).map_err(|error| reason(&error))?;
    let schema = values.writer_schema().clone();
    let names = ResolvedSchema::new(&schema).map_err(|error| reason(&error))?;
    let mut out = Limited::new(VALUE_BYTES_MAX);
    let mut before: &[u8] = b"[";
    for value in &mut values {
        let value = value.map_err(|error| reason(&error))?;
        out.write_all(before)
            .and_then(|()| write_value(&mut out, &value, &schema, names.get_names()))
            .map_err(|error| error.to_string())?;
        before = b",";
    }
    let end: &[u8] = if before == b"[" { b"[]" } else { b"]" };
    out.write_all(end).map_err(|error| error.to_string())?;
    Ok(out.into_text())
}

/// The error with its innermost cause, on one line.
fn reason(error: &apache_avro::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let line = inner.to_string();
        if !text.contains(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        cause = inner.source();
    }
    // What the crate advises its callers helps no user.
    let said = text.split(". Change the limit using").next().unwrap_or(&text);
    said.replace('\n', " ")
}
