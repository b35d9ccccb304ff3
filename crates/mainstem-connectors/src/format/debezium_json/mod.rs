//! Format `debezium-json`: changes of a database table as Debezium writes them, with Flink's options.
//! Invariant: `c` and `r` are the row after (+1), `d` is the row before (-1), `u` is both, before first; written are
//! only `c` (+1) and `d` (-1), as in Flink. The rows themselves are read and written by format `json`.

use mainstem_core::egress::Encode;
use mainstem_core::ingest::Decode;
use mainstem_core::options::{FormatSpec, OptionReader, OptionSpec, OptionType, optional};
use mainstem_core::table::{Column, Options};
use mainstem_core::{DataType, Error, Field, Result, TypeKind};

use super::{DecodeRequest, EncodeRequest};

mod decode;
mod encode;

#[cfg(test)]
mod tests;

const PREFIX: &str = "debezium-json.";
const SCHEMA_INCLUDE: &str = "debezium-json.schema-include";
const IGNORE_PARSE_ERRORS: &str = "debezium-json.ignore-parse-errors";

const OPTIONS: &[OptionSpec] = &[
    optional(
        SCHEMA_INCLUDE,
        OptionType::Boolean,
        Some("false"),
        "Whether messages have a schema, and the change under `payload` (reading only).",
        "true",
    ),
    optional(
        IGNORE_PARSE_ERRORS,
        OptionType::Boolean,
        Some("false"),
        "Whether values that cannot be converted become NULL and bad messages are skipped.",
        "true",
    ),
    optional(
        "debezium-json.timestamp-format.standard",
        OptionType::Enum(&["SQL", "ISO-8601"]),
        Some("SQL"),
        "How timestamps are written: 2020-12-30 12:13:14.123 or 2020-12-30T12:13:14.123.",
        "ISO-8601",
    ),
    optional(
        "debezium-json.map-null-key.mode",
        OptionType::Enum(&["FAIL", "DROP", "LITERAL"]),
        Some("FAIL"),
        "What to do with a NULL key of a map when writing.",
        "DROP",
    ),
    optional(
        "debezium-json.map-null-key.literal",
        OptionType::String,
        Some("null"),
        "The key written for NULL under 'debezium-json.map-null-key.mode' = 'LITERAL'.",
        "none",
    ),
    optional(
        "debezium-json.encode.decimal-as-plain-number",
        OptionType::Boolean,
        Some("false"),
        "Whether decimals are never written in scientific notation.",
        "true",
    ),
    optional(
        "debezium-json.encode.ignore-null-fields",
        OptionType::Boolean,
        Some("false"),
        "Whether fields that are NULL are left out when writing.",
        "true",
    ),
];

/// What is known of the format.
pub const SPEC: FormatSpec = FormatSpec {
    name: "debezium-json",
    doc: "Changes of a database table, as Debezium writes them in JSON.",
    options: OPTIONS,
    changelog: true,
    filters: false,
    fields: false,
};

/// Metadata that a message carries inside, and its SQL type. A connector with metadata of its own offers these with
/// the prefix `value.`, as Flink does.
pub const METADATA: &[(&str, &str)] = &[
    ("schema", "STRING"),
    ("ingestion-timestamp", "TIMESTAMP_LTZ(3)"),
    ("source.timestamp", "TIMESTAMP_LTZ(3)"),
    ("source.database", "STRING"),
    ("source.schema", "STRING"),
    ("source.table", "STRING"),
    ("source.properties", "MAP<STRING, STRING>"),
];

/// The options of format `json` that the table's mean.
fn json_options(options: &Options) -> Options {
    let own = options.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix(PREFIX)?;
        Some((format!("json.{name}"), value.clone()))
    });
    let rest = options.iter().filter(|(name, _)| name.starts_with("mainstem."));
    own.chain(rest.map(|(n, v)| (n.clone(), v.clone()))).collect()
}

fn flag(options: &Options, name: &str) -> Result<bool> {
    OptionReader::new(options, OPTIONS).boolean(name)
}

fn column(name: &str, kind: TypeKind) -> Column {
    Column { name: name.into(), data_type: kind.nullable(), metadata_key: None }
}

fn row_of<'a>(columns: impl Iterator<Item = &'a Column>) -> TypeKind {
    TypeKind::Row(
        columns
            .map(|c| Field { name: c.name.clone(), data_type: c.data_type.with_nullable(true) })
            .collect(),
    )
}

fn string_map() -> TypeKind {
    TypeKind::Map(Box::new(DataType::string()), Box::new(DataType::string()))
}

/// A decoder for one worker.
pub fn decoder(request: &DecodeRequest) -> Result<Box<dyn Decode>> {
    Ok(Box::new(decode::DebeziumDecoder::new(request)?))
}

/// An encoder for one worker.
pub fn encoder(request: &EncodeRequest) -> Result<Box<dyn Encode>> {
    if flag(&request.table.options, SCHEMA_INCLUDE)? {
        return Err(Error::user(format!("option '{SCHEMA_INCLUDE}' is for reading only"))
            .with_hint("leave it out: messages are written without a schema, as Flink does"));
    }
    Ok(Box::new(encode::DebeziumEncoder::new(request)?))
}
