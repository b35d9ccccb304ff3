//! Formats: bytes to rows and back, whatever carried the bytes.
//! Invariant: a format never knows which connector it serves; it sees payloads (lines or messages) and columns.
//! Adding one: a file here, a line in [`FORMATS`], in `decoder` and in `encoder`.

use std::sync::Arc;

use mainstem_core::egress::{ChangelogMode, Encode};
use mainstem_core::ingest::Decode;
use mainstem_core::options::FormatSpec;
use mainstem_core::table::{ScanFilter, TableSpec};
use mainstem_core::{Error, Result};

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
#[derive(Clone)]
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
#[derive(Clone)]
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
