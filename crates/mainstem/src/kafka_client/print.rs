//! Records to lines: raw values, with fields before them if wanted, or one JSON object a record.
//! Invariant: one record is one line in JSON, whatever its bytes are; raw values are written as they are, so a value
//! that holds line feeds is several lines.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use rdkafka::message::{Headers, Message};

use super::offsets::time_text;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordFormat {
    Raw,
    Json,
}

impl RecordFormat {
    /// For clap.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "raw" => Ok(Self::Raw),
            "json" => Ok(Self::Json),
            "avro" => Err("avro needs a schema registry, and there is none yet; raw writes the bytes as they are, \
                 json has them in base64"
                .to_owned()),
            _ => Err("the formats are raw and json".to_owned()),
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

/// Writes records.
#[derive(Debug)]
pub(super) struct RecordPrinter {
    pub(super) format: RecordFormat,
    pub(super) fields: Vec<RecordField>,
    pub(super) separator: String,
    /// What stands for a key or value that is not there.
    pub(super) null: String,
}

impl RecordPrinter {
    /// Writes one record.
    pub(super) fn write(&self, out: &mut impl Write, record: &impl Message) -> std::io::Result<()> {
        match self.format {
            RecordFormat::Json => write_json(out, record)?,
            RecordFormat::Raw => self.write_raw(out, record)?,
        }
        out.write_all(b"\n")
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

fn write_json(out: &mut impl Write, record: &impl Message) -> std::io::Result<()> {
    out.write_all(b"{\"topic\":")?;
    write_string(out, record.topic())?;
    write!(out, ",\"partition\":{},\"offset\":{}", record.partition(), record.offset())?;
    match record.timestamp().to_millis() {
        Some(at_ms) => write!(out, ",\"timestamp\":\"{}\"", time_text(at_ms))?,
        None => out.write_all(b",\"timestamp\":null")?,
    }
    write_bytes(out, ",\"key", record.key())?;
    write_bytes(out, ",\"value", record.payload())?;
    out.write_all(b",\"headers\":[")?;
    for (nth, header) in record.headers().into_iter().flat_map(Headers::iter).enumerate() {
        out.write_all(if nth == 0 { b"{\"name\":" } else { b",{\"name\":" })?;
        write_string(out, header.key)?;
        write_bytes(out, ",\"value", header.value)?;
        out.write_all(b"}")?;
    }
    out.write_all(b"]}")
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

    fn line(printer: &RecordPrinter, record: &OwnedMessage) -> String {
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
            };
            assert_eq!(line(&printer, &record(None, Some(b"v"))), expected);
        }
    }
}
