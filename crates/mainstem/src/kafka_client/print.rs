//! Records to lines: raw values, with fields before them if wanted, or one JSON object a record, its key and value as
//! text or decoded from Avro.
//! Invariant: one record is one line in JSON, whatever its bytes are; raw values are written as they are, so a value
//! that holds line feeds is several lines.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use mainstem_core::Error;
use rdkafka::message::{Headers, Message};

use super::avro::{Decoded, Decoder};
use super::offsets::time_text;
use crate::failure::{Failure, Outcome};

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordFormat {
    Raw,
    Json,
    Avro,
}

impl RecordFormat {
    /// For clap.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "raw" => Ok(Self::Raw),
            "json" => Ok(Self::Json),
            "avro" => Ok(Self::Avro),
            _ => Err("the formats are raw, json and avro".to_owned()),
        }
    }
}

/// What can stand before a raw value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RecordField {
    /// The topic's name
    Topic,
    /// The partition's number
    Partition,
    /// The offset in the partition
    Offset,
    /// When it was made or appended, in UTC
    Timestamp,
    /// The key
    Key,
    /// Headers as name=value, separated by commas
    Headers,
    /// The value itself, if it shall not be the last
    Value,
}

/// What decodes the keys and values of `--format avro`.
pub(super) struct AvroDecoders<'s> {
    /// `None`: keys stay text.
    pub(super) key: Option<Decoder<'s>>,
    pub(super) value: Decoder<'s>,
}

/// Writes records.
pub(super) struct RecordPrinter<'s> {
    pub(super) format: RecordFormat,
    pub(super) fields: Vec<RecordField>,
    pub(super) separator: String,
    /// What stands for a key or value that is not there.
    pub(super) null: String,
    /// For [`RecordFormat::Avro`].
    pub(super) avro: Option<AvroDecoders<'s>>,
}

/// A key or value in JSON.
enum Part<'r> {
    Bytes(Option<&'r [u8]>),
    Decoded(Decoded),
}

impl RecordPrinter<'_> {
    /// Writes one record, or nothing of it if it cannot be decoded.
    pub(super) fn write(&self, out: &mut impl Write, record: &impl Message) -> Outcome {
        let (key, value) = match &self.avro {
            None => (Part::Bytes(record.key()), Part::Bytes(record.payload())),
            Some(avro) => (
                decoded(avro.key.as_ref(), record, "key", record.key())?,
                decoded(Some(&avro.value), record, "value", record.payload())?,
            ),
        };
        let written = match self.format {
            RecordFormat::Json | RecordFormat::Avro => write_json(out, record, &key, &value),
            RecordFormat::Raw => self.write_raw(out, record),
        };
        written.and_then(|()| out.write_all(b"\n")).map_err(Failure::stdout)
    }

    fn write_raw(&self, out: &mut impl Write, record: &impl Message) -> std::io::Result<()> {
        for field in &self.fields {
            self.write_field(out, record, *field)?;
            if Some(field) != self.fields.last() || !self.fields.contains(&RecordField::Value) {
                out.write_all(self.separator.as_bytes())?;
            }
        }
        match self.fields.contains(&RecordField::Value) {
            true => Ok(()),
            false => out.write_all(record.payload().unwrap_or(self.null.as_bytes())),
        }
    }

    fn write_field(
        &self,
        out: &mut impl Write,
        record: &impl Message,
        field: RecordField,
    ) -> std::io::Result<()> {
        let null = self.null.as_bytes();
        match field {
            RecordField::Topic => write!(out, "{}", record.topic()),
            RecordField::Partition => write!(out, "{}", record.partition()),
            RecordField::Offset => write!(out, "{}", record.offset()),
            RecordField::Timestamp => match record.timestamp().to_millis() {
                Some(at_ms) => write!(out, "{}", time_text(at_ms)),
                None => out.write_all(null),
            },
            RecordField::Key => out.write_all(record.key().unwrap_or(null)),
            RecordField::Value => out.write_all(record.payload().unwrap_or(null)),
            RecordField::Headers => {
                for (nth, header) in
                    record.headers().into_iter().flat_map(Headers::iter).enumerate()
                {
                    let comma = if nth == 0 { "" } else { "," };
                    write!(out, "{comma}{}=", header.key)?;
                    out.write_all(header.value.unwrap_or(null))?;
                }
                Ok(())
            }
        }
    }
}

/// What is not there (a tombstone's value) needs no schema.
fn decoded<'r>(
    decoder: Option<&Decoder<'_>>,
    record: &impl Message,
    what: &str,
    bytes: Option<&'r [u8]>,
) -> Outcome<Part<'r>> {
    let (Some(decoder), Some(there)) = (decoder, bytes) else { return Ok(Part::Bytes(bytes)) };
    decoder.decode(there).map(Part::Decoded).map_err(|error| {
        let (topic, partition, offset) = (record.topic(), record.partition(), record.offset());
        let text =
            format!("topic '{topic}', partition {partition}, offset {offset}: the {what} {error}");
        let after = offset.saturating_add(1);
        let hint = error.hint().map_or(String::new(), |hint| format!("{hint}; "));
        Failure::Runtime(
            Error::new(error.kind(), text).with_hint(format!(
                "{hint}--partition {partition} --offset {after} goes on behind it"
            )),
        )
    })
}

fn write_json(
    out: &mut impl Write,
    record: &impl Message,
    key: &Part<'_>,
    value: &Part<'_>,
) -> std::io::Result<()> {
    out.write_all(b"{\"topic\":")?;
    write_string(out, record.topic())?;
    write!(out, ",\"partition\":{},\"offset\":{}", record.partition(), record.offset())?;
    match record.timestamp().to_millis() {
        Some(at_ms) => write!(out, ",\"timestamp\":\"{}\"", time_text(at_ms))?,
        None => out.write_all(b",\"timestamp\":null")?,
    }
    write_part(out, ",\"key", key, "key_schema_id")?;
    write_part(out, ",\"value", value, "schema_id")?;
    out.write_all(b",\"headers\":[")?;
    for (nth, header) in record.headers().into_iter().flat_map(Headers::iter).enumerate() {
        out.write_all(if nth == 0 { b"{\"name\":" } else { b",{\"name\":" })?;
        write_string(out, header.key)?;
        write_bytes(out, ",\"value", header.value)?;
        out.write_all(b"}")?;
    }
    out.write_all(b"]}")
}

/// A key or value, and the schema id of its frame as `id_name`.
fn write_part(
    out: &mut impl Write,
    name: &str,
    part: &Part<'_>,
    id_name: &str,
) -> std::io::Result<()> {
    match part {
        Part::Bytes(bytes) => write_bytes(out, name, *bytes),
        Part::Decoded(decoded) => {
            write!(out, "{name}\":")?;
            out.write_all(&decoded.json)?;
            match decoded.schema_id {
                Some(id) => write!(out, ",\"{id_name}\":{id}"),
                None => Ok(()),
            }
        }
    }
}

/// `"key":"text"`, `"key":null`, or `"key_base64":"..."` for bytes that are no text. `name` has the opening quote.
fn write_bytes(out: &mut impl Write, name: &str, bytes: Option<&[u8]>) -> std::io::Result<()> {
    out.write_all(name.as_bytes())?;
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => out.write_all(b"\":null"),
        Some((_, Ok(text))) => {
            out.write_all(b"\":")?;
            write_string(out, text)
        }
        Some((bytes, Err(_))) => write!(out, "_base64\":\"{}\"", STANDARD.encode(bytes)),
    }
}

fn write_string(out: &mut impl Write, text: &str) -> std::io::Result<()> {
    serde_json::to_writer(out, text).map_err(std::io::Error::from)
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;
    use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};

    use super::*;

    fn record(key: Option<&[u8]>, value: Option<&[u8]>) -> OwnedMessage {
        let headers = OwnedHeaders::new()
            .insert(Header { key: "a", value: Some("1") })
            .insert(Header { key: "a", value: None::<&str> });
        let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        let timestamp = Timestamp::CreateTime(1_500);
        OwnedMessage::new(owned(value), owned(key), "t".into(), timestamp, 2, 7, Some(headers))
    }

    fn line(printer: &RecordPrinter<'_>, record: &OwnedMessage) -> String {
        let mut out = Vec::new();
        printer.write(&mut out, record).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_keeps_everything() {
        let printer = RecordPrinter {
            format: RecordFormat::Json,
            fields: Vec::new(),
            separator: "\t".into(),
            null: "null".into(),
            avro: None,
        };
        let place =
            r#"{"topic":"t","partition":2,"offset":7,"timestamp":"1970-01-01T00:00:01.500Z""#;
        let headers = r#""headers":[{"name":"a","value":"1"},{"name":"a","value":null}]}"#;
        for (key, value, expected) in [
            (Some(&b"k"[..]), Some(&b"a\n\"b\""[..]), r#""key":"k","value":"a\n\"b\"""#),
            (None, None, r#""key":null,"value":null"#),
            (Some(b""), Some(b"\xff"), r#""key":"","value_base64":"/w==""#),
        ] {
            let line = line(&printer, &record(key, value));
            assert_eq!(line, format!("{place},{expected},{headers}\n"));
        }
    }

    #[test]
    fn raw_values_follow_the_fields() {
        use RecordField as F;
        for (fields, expected) in [
            (vec![], "v\n"),
            (vec![F::Key], "null|v\n"),
            (vec![F::Topic, F::Partition, F::Offset], "t|2|7|v\n"),
            (vec![F::Timestamp, F::Headers], "1970-01-01T00:00:01.500Z|a=1,a=null|v\n"),
            (vec![F::Value, F::Key], "v|null\n"),
        ] {
            let printer = RecordPrinter {
                format: RecordFormat::Raw,
                fields,
                separator: "|".into(),
                null: "null".into(),
                avro: None,
            };
            assert_eq!(line(&printer, &record(None, Some(b"v"))), expected);
        }
    }
}
