//! Connector `filesystem`: local files and directories, as Flink's connector of that name.
//! Invariant: as a source each record of each file is handed out once, in the order of its file; as a sink nothing
//! unfinished ever stands under a final name. Object stores are not read here.
//!
//! | file | what |
//! |---|---|
//! | `discover` | which files a table has |
//! | `columns` | columns that come from a file's place |
//! | `ranges` | text files that the workers read themselves |
//! | `reader` | text files in pieces: compressed ones, and those whose records span lines |
//! | `source`, `sink` | the two doors |
//! | `part` | one file that is being written |
//! | `files` | the file system |
//! | `chunks` | Parquet files as its reader asks for them |

use mainstem_core::Result;
use mainstem_core::options::{
    ConnectorSpec, Delivery, FormatUse, OptionSpec, OptionType, Pushdown, SinkChangelog, optional,
    required,
};

use crate::api::{Connector, Sink, SinkRequest, Source, SourceRequest};

mod chunks;
mod columns;
mod discover;
pub mod files;
mod part;
mod ranges;
mod reader;
mod sink;
mod source;

#[cfg(test)]
mod ranges_tests;
#[cfg(test)]
mod tests;

/// The connector.
pub const FILESYSTEM: Filesystem = Filesystem;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Filesystem;

const PATH: &str = "path";
const PATTERN: &str = "source.path.regex-pattern";
const MONITOR_INTERVAL: &str = "source.monitor-interval";
const COMPRESSION: &str = "mainstem.compression";
const FILE_SIZE: &str = "sink.rolling-policy.file-size";
const ROLLOVER_INTERVAL: &str = "sink.rolling-policy.rollover-interval";
const COMMIT_POLICY: &str = "sink.partition-commit.policy.kind";
const SUCCESS_FILE: &str = "sink.partition-commit.success-file.name";
const DEFAULT_PARTITION_NAME: &str = "partition.default-name";

/// An option that Flink has and that changes nothing here.
const fn accepted(name: &'static str, doc: &'static str) -> OptionSpec {
    optional(name, OptionType::String, None, doc, "...")
}

const OPTIONS: &[OptionSpec] = &[
    required(
        PATH,
        OptionType::String,
        "A file, a directory (read with its sub-directories) or a glob. A sink writes part files into a directory, or \
         one file if the path ends in .json, .jsonl, .csv, .txt or .parquet (and .gz or .zst).",
        "data/rides",
    ),
    optional(
        MONITOR_INTERVAL,
        OptionType::Duration,
        None,
        "Looks for new files this often; without it the files found at the start are all.",
        "10 s",
    ),
    optional(
        PATTERN,
        OptionType::String,
        None,
        "Reads only files whose whole absolute path matches this regular expression.",
        ".*/2024-.*\\.json",
    ),
    optional(
        DEFAULT_PARTITION_NAME,
        OptionType::String,
        Some(columns::DEFAULT_PARTITION),
        "The directory of rows whose partition column is NULL or empty.",
        "none",
    ),
    optional(
        COMPRESSION,
        OptionType::Enum(&["none", "gzip", "zstd"]),
        Some("none"),
        "How written files are compressed; read files say it by their names. Not known to Flink.",
        "zstd",
    ),
    optional(
        FILE_SIZE,
        OptionType::MemorySize,
        Some("128mb"),
        "A part file of this size is finished, and the next one begun.",
        "64mb",
    ),
    optional(
        ROLLOVER_INTERVAL,
        OptionType::Duration,
        Some("30 min"),
        "A part file this old is finished, and the next one begun.",
        "1 min",
    ),
    accepted(
        "sink.rolling-policy.check-interval",
        "Accepted as Flink does; age is looked at every time rows are written or flushed.",
    ),
    optional(
        COMMIT_POLICY,
        OptionType::String,
        None,
        "What tells that a partition is finished; only success-file.",
        "success-file",
    ),
    optional(
        SUCCESS_FILE,
        OptionType::String,
        Some("_SUCCESS"),
        "The empty file that tells that a partition is finished.",
        "_DONE",
    ),
    accepted(
        "sink.partition-commit.*",
        "Accepted as Flink does; partitions are finished when the pipeline ends.",
    ),
    accepted("sink.shuffle-by-partition.enable", "Accepted as Flink does; one writer writes all."),
    accepted("auto-compaction", "Accepted as Flink does; one writer makes no small files."),
    accepted("compaction.file-size", "Accepted as Flink does."),
    accepted("partition.time-extractor.*", "Accepted as Flink does."),
];

const SPEC: ConnectorSpec = ConnectorSpec {
    name: "filesystem",
    doc: "Files: JSON lines, CSV, raw lines and Parquet; plain, gzip or zstd; partitioned by directory.",
    source: Some(Delivery::ExactlyOnce),
    sink: Some(Delivery::ExactlyOnce),
    sink_weaker: &[],
    formats: FormatUse::Value,
    options: OPTIONS,
    metadata: &[
        ("file.path", "STRING NOT NULL", false),
        ("file.name", "STRING NOT NULL", false),
        ("file.size", "BIGINT NOT NULL", false),
        ("file.modification-time", "TIMESTAMP_LTZ(3) NOT NULL", false),
    ],
    upsert_source: false,
    sink_changelog: SinkChangelog::ByFormat,
    pushdown: Pushdown::NONE,
};

impl Connector for Filesystem {
    fn spec(&self) -> &'static ConnectorSpec {
        &SPEC
    }

    fn source(&self, request: SourceRequest) -> Result<Box<dyn Source>> {
        Ok(Box::new(source::FilesystemSource::new(request)?))
    }

    fn sink(&self, request: SinkRequest) -> Result<Box<dyn Sink>> {
        Ok(Box::new(sink::FilesystemSink::new(request)?))
    }
}
