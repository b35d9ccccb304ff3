//! The `json` format: newline-delimited documents in files, one document a message in logs. It reads and writes what
//! Flink's json format does.
//! Invariant: the decoder builds only the columns that are asked for and yet checks all of every document, so whether
//! a record is bad does not depend on the query's columns (only conversions do).
//!
//! | file | what |
//! |---|---|
//! | `scan` | where values end; checks syntax |
//! | `fields` | which field a key stands for, mostly guessed right |
//! | `payload` | UTF-8, checked once a payload |
//! | `reader` | records to spans, filters on spans, spans to columns |
//! | `column`, `nested`, `convert`, `number`, `time`, `text` | spans to Arrow |
//! | `decode` | payloads, policy for bad records, metadata columns |
//! | `encode` | Arrow to JSON |

mod column;
mod convert;
mod decode;
mod encode;
mod fields;
mod filter;
mod nested;
mod number;
mod payload;
mod reader;
mod scan;
mod text;
mod time;

#[cfg(test)]
mod tests;

use mainstem_core::options::{FormatSpec, OptionReader, OptionSpec, OptionType, optional};
use mainstem_core::table::Options;
use mainstem_core::{Error, Result};

pub use decode::decoder;
pub use encode::encoder;
pub use reader::{BadRow, JsonReader, Rows};

use time::Standard;

/// The format as data.
pub const SPEC: FormatSpec = FormatSpec {
    name: "json",
    doc: "One JSON object a line or message, as Flink's json format reads and writes them.",
    options: OPTIONS,
    changelog: false,
    filters: true,
    fields: true,
};

const OPTIONS: &[OptionSpec] = &[
    optional(
        "json.fail-on-missing-field",
        OptionType::Boolean,
        Some("false"),
        "Whether a record without one of the columns is a bad record; otherwise the column is NULL.",
        "true",
    ),
    optional(
        "json.ignore-parse-errors",
        OptionType::Boolean,
        Some("false"),
        "Whether values that cannot be converted become NULL and records that are not JSON are skipped.",
        "true",
    ),
    optional(
        "json.timestamp-format.standard",
        OptionType::Enum(&["SQL", "ISO-8601"]),
        Some("SQL"),
        "How timestamps are written: 2020-12-30 12:13:14.123 or 2020-12-30T12:13:14.123.",
        "ISO-8601",
    ),
    optional(
        "json.map-null-key.mode",
        OptionType::Enum(&["FAIL", "DROP", "LITERAL"]),
        Some("FAIL"),
        "Accepted for Flink's sake: no map here has a NULL key.",
        "DROP",
    ),
    optional(
        "json.map-null-key.literal",
        OptionType::String,
        Some("null"),
        "Accepted for Flink's sake: no map here has a NULL key.",
        "none",
    ),
    optional(
        "json.encode.decimal-as-plain-number",
        OptionType::Boolean,
        Some("false"),
        "Whether decimals are never written in scientific notation.",
        "true",
    ),
    optional(
        "json.encode.ignore-null-fields",
        OptionType::Boolean,
        Some("false"),
        "Whether fields that are NULL are left out when writing.",
        "true",
    ),
    optional(
        "json.decode.json-parser.enabled",
        OptionType::Boolean,
        Some("true"),
        "Accepted for Flink's sake; there is one parser here.",
        "true",
    ),
];

/// The format's options, read.
#[derive(Debug, Clone)]
pub struct JsonOptions {
    fail_on_missing_field: bool,
    ignore_parse_errors: bool,
    standard: Standard,
    plain_decimals: bool,
    ignore_null_fields: bool,
}

impl JsonOptions {
    /// Reads them out of a table's options.
    pub fn new(options: &Options) -> Result<Self> {
        let reader = OptionReader::new(options, OPTIONS);
        let word = |name: &str| reader.required(name).map(str::to_ascii_uppercase);
        Ok(Self {
            fail_on_missing_field: reader.boolean("json.fail-on-missing-field")?,
            ignore_parse_errors: reader.boolean("json.ignore-parse-errors")?,
            standard: match word("json.timestamp-format.standard")?.as_str() {
                "ISO-8601" => Standard::Iso8601,
                _ => Standard::Sql,
            },
            plain_decimals: reader.boolean("json.encode.decimal-as-plain-number")?,
            ignore_null_fields: reader.boolean("json.encode.ignore-null-fields")?,
        })
    }

    /// The same, for reading, where two of them exclude each other.
    pub fn of_decoder(options: &Options) -> Result<Self> {
        let read = Self::new(options)?;
        if read.fail_on_missing_field && read.ignore_parse_errors {
            return Err(Error::user(
                "'json.fail-on-missing-field' and 'json.ignore-parse-errors' cannot both be true",
            )
            .with_hint("set one of them to 'false'"));
        }
        Ok(read)
    }
}
