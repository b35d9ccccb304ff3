//! Where reading starts and ends: Flink's `scan.startup.*` and `scan.bounded.*` as values.
//! Invariant: parsing does no I/O; what a broker must be asked (timestamps, committed offsets) stays symbolic here.

use std::collections::BTreeMap;

use mainstem_core::options::OptionReader;
use mainstem_core::{Error, Result};

/// Offsets by partition, as `specific-offsets` gives them.
pub(crate) type PartitionOffsets = BTreeMap<i32, i64>;

/// Where a split starts that has no position yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Startup {
    Earliest,
    Latest,
    GroupOffsets,
    Timestamp(i64),
    Specific(PartitionOffsets),
}

/// Where a split ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bounded {
    Unbounded,
    Latest,
    GroupOffsets,
    Timestamp(i64),
    Specific(PartitionOffsets),
}

/// The words of `scan.startup.mode`.
pub(crate) const STARTUP_MODES: &[&str] =
    &["earliest-offset", "latest-offset", "group-offsets", "timestamp", "specific-offsets"];
/// The words of `scan.bounded.mode`.
pub(crate) const BOUNDED_MODES: &[&str] =
    &["unbounded", "latest-offset", "group-offsets", "timestamp", "specific-offsets"];

const STARTUP_MODE: &str = "scan.startup.mode";
const STARTUP_MS: &str = "scan.startup.timestamp-millis";
const STARTUP_OFFSETS: &str = "scan.startup.specific-offsets";
const BOUNDED_MODE: &str = "scan.bounded.mode";
const BOUNDED_MS: &str = "scan.bounded.timestamp-millis";
const BOUNDED_OFFSETS: &str = "scan.bounded.specific-offsets";

impl Startup {
    /// Reads the options; a missing companion option is an error that names it.
    pub(crate) fn parse(options: OptionReader<'_>) -> Result<Self> {
        Ok(match word(options, STARTUP_MODE, "group-offsets").as_str() {
            "earliest-offset" => Self::Earliest,
            "latest-offset" => Self::Latest,
            "group-offsets" => Self::GroupOffsets,
            "timestamp" => Self::Timestamp(millis(options, STARTUP_MS, STARTUP_MODE)?),
            "specific-offsets" => Self::Specific(offsets(options, STARTUP_OFFSETS, STARTUP_MODE)?),
            other => return Err(unknown_word(STARTUP_MODE, other, STARTUP_MODES)),
        })
    }
}

impl Bounded {
    /// Reads the options; a missing companion option is an error that names it.
    pub(crate) fn parse(options: OptionReader<'_>) -> Result<Self> {
        Ok(match word(options, BOUNDED_MODE, "unbounded").as_str() {
            "unbounded" => Self::Unbounded,
            "latest-offset" => Self::Latest,
            "group-offsets" => Self::GroupOffsets,
            "timestamp" => Self::Timestamp(millis(options, BOUNDED_MS, BOUNDED_MODE)?),
            "specific-offsets" => Self::Specific(offsets(options, BOUNDED_OFFSETS, BOUNDED_MODE)?),
            other => return Err(unknown_word(BOUNDED_MODE, other, BOUNDED_MODES)),
        })
    }
}

fn word(options: OptionReader<'_>, name: &str, default: &str) -> String {
    options.text(name).unwrap_or(default).trim().to_ascii_lowercase()
}

fn unknown_word(name: &str, value: &str, words: &[&str]) -> Error {
    Error::user(format!(
        "option '{name}' has the value '{value}', which is not one of {}",
        words.join(", ")
    ))
}

fn millis(options: OptionReader<'_>, name: &str, mode: &str) -> Result<i64> {
    options.integer(name)?.ok_or_else(|| {
        Error::user(format!("option '{name}' is missing, '{mode}' = 'timestamp' needs it"))
    })
}

fn offsets(options: OptionReader<'_>, name: &str, mode: &str) -> Result<PartitionOffsets> {
    let text = options.text(name).ok_or_else(|| {
        Error::user(format!("option '{name}' is missing, '{mode}' = 'specific-offsets' needs it"))
    })?;
    parse_offsets(name, text)
}

/// Parses `partition:0,offset:42;partition:1,offset:300`.
pub(crate) fn parse_offsets(name: &str, text: &str) -> Result<PartitionOffsets> {
    let invalid = || {
        Error::user(format!("option '{name}' has the value '{text}', which cannot be read"))
            .with_hint("write 'partition:0,offset:42;partition:1,offset:300'")
    };
    let mut found = PartitionOffsets::new();
    for pair in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
        let (partition, offset) = pair.split_once(',').ok_or_else(invalid)?;
        let number = |part: &str, label: &str| -> Option<i64> {
            part.trim().strip_prefix(label)?.trim().strip_prefix(':')?.trim().parse().ok()
        };
        let partition = number(partition, "partition")
            .and_then(|p| i32::try_from(p).ok())
            .filter(|p| *p >= 0)
            .ok_or_else(invalid)?;
        let offset = number(offset, "offset").filter(|o| *o >= 0).ok_or_else(invalid)?;
        found.insert(partition, offset);
    }
    if found.is_empty() { Err(invalid()) } else { Ok(found) }
}
