//! Formats: bytes to rows and back, whatever carried the bytes.
//! Invariant: a format never knows which connector it serves; it sees payloads (lines or messages) and columns.
//! Adding one: a file here, a line in [`FORMATS`], in `decoder` and in `encoder`.

use std::sync::Arc;

use mainstem_core::egress::{ChangelogMode, Encode};
use mainstem_core::ingest::Decode;
use mainstem_core::options::{FormatSpec, OptionSpec, OptionType, nearest, optional};
use mainstem_core::table::{Options, ScanFilter, TableSpec};
use mainstem_core::{Error, Result};

pub mod bad_record;
pub(crate) mod cells;
pub mod csv;
pub mod debezium_json;
pub mod json;
pub mod metadata;
mod oversized;
pub mod parquet;
pub mod raw;
pub(crate) mod row_text;
pub(crate) mod scalar;
mod unread;
mod validate;

use bad_record::record_bytes_max;
use unread::BlockReader;
pub use validate::validate_options;

/// What happens to a record that cannot be decoded (`'mainstem.bad-records'`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRecords {
    /// The pipeline stops with the record's place. The default.
    Fail,
    /// The record is left out and counted.
    Skip,
    /// The record is left out, counted, and sent to the dead-letter target.
    DeadLetter,
}

/// What a decoder is asked for.
#[derive(Debug, Clone)]
pub struct DecodeRequest {
    /// The declaration, with all options.
    pub table: Arc<TableSpec>,
    /// Columns wanted, indices into `table.columns`, in output order. May hold metadata columns: those are the
    /// `Messages` fields (topic, partition, offset, timestamp, timestamp-type, headers) or, for files, the path.
    pub projection: Vec<usize>,
    /// Applied exactly, before the columns are built.
    pub filters: Vec<ScanFilter>,
    /// The table's policy.
    pub bad_records: BadRecords,
    /// IANA name, for TIMESTAMP_LTZ in SQL style.
    pub time_zone: String,
}

/// What an encoder is asked for.
#[derive(Debug, Clone)]
pub struct EncodeRequest {
    /// The declaration; batches carry all its columns.
    pub table: Arc<TableSpec>,
    /// Which of the table's columns go into the value, in order.
    pub value_columns: Vec<usize>,
    /// Which go into the key; empty for no key.
    pub key_columns: Vec<usize>,
    /// What weights mean.
    pub changelog: ChangelogMode,
    /// True: whole records into one byte stream ([`mainstem_core::egress::Encoded::Bytes`]). False: one message a
    /// record ([`mainstem_core::egress::Encoded::Messages`]).
    pub stream: bool,
    /// IANA name, for TIMESTAMP_LTZ in SQL style.
    pub time_zone: String,
}

/// Every format, in the order of the docs.
pub const FORMATS: &[&FormatSpec] =
    &[&json::SPEC, &csv::SPEC, &raw::SPEC, &debezium_json::SPEC, &parquet::SPEC];

/// The word for the policy option.
pub const BAD_RECORDS: &str = "mainstem.bad-records";
/// Where dead letters go when they go to a file.
pub const DEAD_LETTER_PATH: &str = "mainstem.dead-letter.path";
/// Where dead letters go when they go to a topic of the table's broker.
pub const DEAD_LETTER_TOPIC: &str = "mainstem.dead-letter.topic";

/// Options that every table with a format takes as a source, beside those of its connector and format.
pub const COMMON_SOURCE_OPTIONS: &[OptionSpec] = &[
    optional(
        BAD_RECORDS,
        OptionType::Enum(&["fail", "skip", "dead-letter"]),
        Some("fail"),
        "What happens to a record that cannot be decoded: the pipeline stops with the record's place, the record is \
         left out and counted, or it is left out, counted and kept in the dead-letter file or topic.",
        "skip",
    ),
    optional(
        "mainstem.record-bytes-max",
        OptionType::MemorySize,
        Some("16mb"),
        "A longer record is a bad record; it is never held in memory whole.",
        "64mb",
    ),
    optional(
        DEAD_LETTER_PATH,
        OptionType::String,
        None,
        "The file that bad records are appended to, one JSON object a line, under the policy 'dead-letter'.",
        "bad-rides.jsonl",
    ),
    optional(
        DEAD_LETTER_TOPIC,
        OptionType::String,
        None,
        "The topic that bad records are sent to, under the policy 'dead-letter'; only for connector 'kafka' and \
         'upsert-kafka'.",
        "bad-rides",
    ),
];

/// The spec of the format of that name.
pub fn format(name: &str) -> Result<&'static FormatSpec> {
    FORMATS.iter().find(|f| f.name == name).copied().ok_or_else(|| {
        let error = Error::user(format!("unknown format '{name}'"));
        match nearest(name, FORMATS.iter().map(|f| f.name)) {
            Some(near) => error.with_hint(format!("did you mean '{near}'?")),
            None => error.with_hint(format!(
                "the formats are {}",
                FORMATS.iter().map(|f| f.name).collect::<Vec<_>>().join(", ")
            )),
        }
    })
}

/// Where one record ends and the next begins in a file of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// At each line feed.
    Lines,
    /// At a line feed outside quotes.
    Csv(csv::Dialect),
    /// Not at all: the connector reads whole columns.
    Columns,
}

impl Framing {
    /// The end of the last whole record in `data`, which starts at the start of one.
    pub(crate) fn last_record_end(self, data: &[u8]) -> Option<usize> {
        match self {
            Framing::Csv(dialect) if dialect.quote.is_some() || dialect.escape.is_some() => {
                csv::last_record_end(data, dialect)
            }
            _ => memchr::memrchr(b'\n', data).map(|at| at + 1),
        }
    }
}

/// How files of `format` are cut.
pub fn framing(format: &str, options: &Options) -> Result<Framing> {
    Ok(match self::format(format)?.name {
        "csv" => Framing::Csv(csv::dialect(options)?),
        "parquet" => Framing::Columns,
        _ => Framing::Lines,
    })
}

/// The policy for bad records that a table declares.
pub fn bad_records(options: &Options) -> Result<BadRecords> {
    match options.get(BAD_RECORDS).map(|v| v.to_ascii_lowercase()).as_deref() {
        None | Some("fail") => Ok(BadRecords::Fail),
        Some("skip") => Ok(BadRecords::Skip),
        Some("dead-letter") => Ok(BadRecords::DeadLetter),
        Some(other) => Err(Error::user(format!(
            "option '{BAD_RECORDS}' has the value '{other}', which is not one of fail, skip, dead-letter"
        ))),
    }
}

/// A decoder of `format` for one worker. The format's options stand under their plain names (`json.x`): a connector
/// with keys takes the prefixes `key.` and `value.` off.
pub fn decoder(format: &str, request: DecodeRequest) -> Result<Box<dyn Decode>> {
    let spec = self::format(format)?;
    if !request.filters.is_empty() && !spec.filters {
        return Err(Error::internal(format!("format '{format}' was asked to filter")));
    }
    let policy = match request.table.options.get(&format!("{format}.ignore-parse-errors")) {
        // Flink's word for skipping.
        Some(v)
            if v.trim().eq_ignore_ascii_case("true") && request.bad_records == BadRecords::Fail =>
        {
            BadRecords::Skip
        }
        _ => request.bad_records,
    };
    let inner = match spec.name {
        "json" => json::decoder(&request)?,
        "csv" => csv::decoder(&request)?,
        "raw" => raw::decoder(&request)?,
        "debezium-json" => debezium_json::decoder(&request)?,
        _ => {
            return Err(Error::user(format!("format '{format}' cannot be read by this connector")));
        }
    };
    let blocks = BlockReader::new(record_bytes_max(&request.table.options)?);
    Ok(Box::new(oversized::Bounded { inner, policy, blocks }))
}

/// An encoder of `format` for one worker; options as for [`decoder`].
pub fn encoder(format: &str, request: EncodeRequest) -> Result<Box<dyn Encode>> {
    let spec = self::format(format)?;
    if !spec.changelog && request.changelog != ChangelogMode::AppendOnly {
        let retracts = request.changelog == ChangelogMode::Retract;
        if request.stream || retracts {
            return Err(Error::user(format!(
                "format '{format}' cannot say that a row was changed or deleted, and this query does that"
            ))
            .with_hint("use format 'debezium-json', or a sink that takes upserts by primary key"));
        }
    }
    match spec.name {
        "json" => json::encoder(&request),
        "csv" => csv::encoder(&request),
        "raw" => raw::encoder(&request),
        "debezium-json" => debezium_json::encoder(&request),
        _ => Err(Error::user(format!("format '{format}' cannot be written by this connector"))),
    }
}

/// The rows of `batch`, one text each, as Flink's `Row.toString` writes them.
#[cfg(test)]
pub(crate) fn rows_text(
    batch: &mainstem_core::Batch,
    types: &[mainstem_core::DataType],
) -> Vec<String> {
    let cells: Vec<_> = batch
        .columns()
        .iter()
        .zip(types)
        .map(|(column, data_type)| cells::Cells::new(column.as_ref(), data_type).unwrap())
        .collect();
    let row = |row| {
        let mut out = Vec::new();
        row_text::push_row(&mut out, "+I", &cells, row);
        String::from_utf8(out).unwrap()
    };
    (0..batch.rows()).map(row).collect()
}
