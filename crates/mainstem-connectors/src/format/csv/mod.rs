//! Format `csv`: Flink's flink-csv, option by option.
//! Invariant: fields belong to columns by position; what Flink (Jackson) refuses is refused here, what it reads as
//! NULL is NULL here. What is ours and not Flink's: `mainstem.csv.header`.
//! Two things differ on purpose: a Kafka record of more than one line is refused, where Flink drops the other lines
//! silently; hexadecimal floating-point numbers are refused.

use arrow_array::ArrayRef;
use mainstem_core::egress::Encode;
use mainstem_core::ingest::Decode;
use mainstem_core::options::{FormatSpec, OptionReader, OptionSpec, OptionType, optional};
use mainstem_core::table::{Options, TableSpec};
use mainstem_core::{DataType, Error, Result};

mod column;
mod decode;
mod encode;
mod tokenize;

#[cfg(test)]
mod tests;

use self::column::{Column, Texts};
pub use self::tokenize::Dialect;
pub(crate) use self::tokenize::last_record_end;
use super::{DecodeRequest, EncodeRequest};

const OPTIONS: &[OptionSpec] = &[
    optional(
        "csv.field-delimiter",
        OptionType::String,
        Some(","),
        "The character between fields; `\\t` and other Java escapes are understood.",
        ";",
    ),
    optional(
        "csv.disable-quote-character",
        OptionType::Boolean,
        Some("false"),
        "Fields are never quoted.",
        "true",
    ),
    optional(
        "csv.quote-character",
        OptionType::String,
        Some("\""),
        "The character around fields.",
        "'",
    ),
    optional(
        "csv.allow-comments",
        OptionType::Boolean,
        Some("false"),
        "Lines that start with `#` are left out.",
        "true",
    ),
    optional(
        "csv.ignore-parse-errors",
        OptionType::Boolean,
        Some("false"),
        "Fields that cannot be read become NULL, and records that cannot be read are left out and counted.",
        "true",
    ),
    optional(
        "csv.array-element-delimiter",
        OptionType::String,
        Some(";"),
        "The text between the elements of an ARRAY or the fields of a ROW.",
        "|",
    ),
    optional(
        "csv.escape-character",
        OptionType::String,
        None,
        "The character before a character that is meant as it is.",
        "\\",
    ),
    optional("csv.null-literal", OptionType::String, None, "The text that stands for NULL.", "n/a"),
    optional(
        "csv.write-bigdecimal-in-scientific-notation",
        OptionType::Boolean,
        Some("true"),
        "Writes DECIMAL 100000 as 1E+5.",
        "false",
    ),
    optional(
        HEADER,
        OptionType::Enum(&["none", "skip"]),
        Some("none"),
        "Whether the first line of a file is a header that is to be left out. Not known to Flink.",
        "skip",
    ),
];

const HEADER: &str = "mainstem.csv.header";

/// What is known of the format.
pub const SPEC: FormatSpec = FormatSpec {
    name: "csv",
    doc: "Comma-separated values, one record a line.",
    options: OPTIONS,
    changelog: false,
    filters: false,
    fields: false,
};

/// The options of a table, read and checked.
#[derive(Debug)]
struct Settings {
    dialect: Dialect,
    texts: Texts,
    skip_header: bool,
    scientific: bool,
}

impl Settings {
    fn read(options: &Options) -> Result<Self> {
        let reader = OptionReader::new(options, OPTIONS);
        Ok(Self {
            dialect: dialect(options)?,
            texts: Texts {
                null_literal: reader.text("csv.null-literal").map(|t| t.as_bytes().to_vec()),
                array_delimiter: array_delimiter(&reader)?,
                ignore_parse_errors: reader.boolean("csv.ignore-parse-errors")?,
            },
            skip_header: reader.text(HEADER).is_some_and(|v| v.trim().eq_ignore_ascii_case("skip")),
            scientific: reader.boolean("csv.write-bigdecimal-in-scientific-notation")?,
        })
    }
}

fn array_delimiter(reader: &OptionReader<'_>) -> Result<Vec<u8>> {
    let text = reader.required("csv.array-element-delimiter")?;
    if text.is_empty() {
        return Err(Error::user("option 'csv.array-element-delimiter' is empty"));
    }
    Ok(text.as_bytes().to_vec())
}

/// The special characters that a table declares.
pub fn dialect(options: &Options) -> Result<Dialect> {
    let reader = OptionReader::new(options, OPTIONS);
    let delimiter =
        character("csv.field-delimiter", &unescape_java(reader.required("csv.field-delimiter")?))?;
    let quote = if reader.boolean("csv.disable-quote-character")? {
        if options.contains_key("csv.quote-character") {
            return Err(Error::user(
                "options 'csv.disable-quote-character' and 'csv.quote-character' exclude each other",
            ));
        }
        None
    } else {
        Some(character("csv.quote-character", reader.required("csv.quote-character")?)?)
    };
    let escape = reader
        .text("csv.escape-character")
        .map(|text| character("csv.escape-character", text))
        .transpose()?;
    let dialect = Dialect {
        delimiter,
        quote,
        // A quote that escapes itself is what doubling means already.
        escape: escape.filter(|e| Some(*e) != quote),
        comments: reader.boolean("csv.allow-comments")?,
    };
    if Some(delimiter) == quote || Some(delimiter) == dialect.escape || delimiter == b'\n' {
        return Err(Error::user(
            "option 'csv.field-delimiter' must differ from the quote, the escape and the line feed",
        ));
    }
    Ok(dialect)
}

/// One ASCII character; Flink takes one UTF-16 unit, and every CSV in the field uses ASCII here.
fn character(name: &str, text: &str) -> Result<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err(Error::user(format!(
            "option '{name}' has the value '{text}', which is not one ASCII character"
        ))),
    }
}

/// What commons-lang's `unescapeJava` makes of a delimiter.
fn unescape_java(text: &str) -> String {
    let Some(escaped) = text.strip_prefix('\\') else { return text.to_owned() };
    match escaped {
        "t" => "\t".to_owned(),
        "n" => "\n".to_owned(),
        "r" => "\r".to_owned(),
        "b" => "\u{8}".to_owned(),
        "f" => "\u{c}".to_owned(),
        "\\" | "'" | "\"" => escaped.to_owned(),
        _ => {
            let code = escaped.trim_start_matches('u');
            let hexadecimal = escaped.starts_with('u') && code.len() == 4;
            match u32::from_str_radix(code, 16).ok().and_then(char::from_u32) {
                Some(c) if hexadecimal => c.to_string(),
                _ => text.to_owned(),
            }
        }
    }
}

/// One value of `data_type` as CSV writes it, as an array of one row. Directory names of partitions are read so.
pub(crate) fn one_value(name: &str, data_type: &DataType, text: &str) -> Result<ArrayRef> {
    let texts =
        Texts { null_literal: None, array_delimiter: b";".to_vec(), ignore_parse_errors: false };
    let mut column = Column::new(name, data_type, 1)?;
    column
        .push(text.as_bytes(), &texts)
        .map_err(|refused| Error::user(format!("column '{name}': {}", refused.reason)))?;
    column.finish()
}

/// NULL of `data_type`, as an array of one row.
pub(crate) fn one_null(name: &str, data_type: &DataType) -> Result<ArrayRef> {
    let mut column = Column::new(name, data_type, 1)?;
    column.push_null();
    column.finish()
}

/// The columns that are fields of a record: metadata columns are not.
fn data_columns(table: &TableSpec) -> Vec<usize> {
    (0..table.columns.len()).filter(|i| table.columns[*i].metadata_key.is_none()).collect()
}

/// A decoder for one worker.
pub fn decoder(request: &DecodeRequest) -> Result<Box<dyn Decode>> {
    Ok(Box::new(decode::CsvDecoder::new(request)?))
}

/// An encoder for one worker.
pub fn encoder(request: &EncodeRequest) -> Result<Box<dyn Encode>> {
    Ok(Box::new(encode::CsvEncoder::new(request)?))
}
