//! What can go wrong with a log, by operation: opening and upkeep, appending, reading.
//! Invariant: `Display` prints itself only; the cause is kept in `source()`. Which Kafka error code an error becomes is
//! decided at the broker's edge.

use crate::record_batch::BatchError;
use mainstem_core::error::ErrorKind;
use std::io;

/// Opening, closing and upkeep.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk said no.
    #[error("the disk failed while {doing} {path}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: String,
        /// The disk's own words.
        #[source]
        source: io::Error,
    },
    /// A stored batch is not what was written.
    #[error("the log {folder} is damaged at offset {offset}")]
    Corrupt {
        /// The log's folder.
        folder: String,
        /// Where.
        offset: i64,
        /// What is wrong with it.
        #[source]
        source: BatchError,
    },
    /// The offset is outside of the log.
    #[error("offset {offset} is outside of the log ({log_start_offset} to {high_watermark})")]
    OffsetOutOfRange {
        /// The offset asked for.
        offset: i64,
        /// The first offset of the log.
        log_start_offset: i64,
        /// The offset after the last readable one.
        high_watermark: i64,
    },
    /// An earlier failure made the log read-only.
    #[error("the log takes no writes since a failure: {0}")]
    Poisoned(String),
}

impl LogError {
    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Disk { source, .. } => disk_kind(source),
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::OffsetOutOfRange { .. } => ErrorKind::User,
            Self::Poisoned(_) => ErrorKind::Unavailable,
        }
    }
}

/// Why a batch was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A batch of this producer is missing before this one.
    #[error("out of order sequence {found} of producer {producer_id}, expected {expected}")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: i64,
        /// The sequence that would have followed.
        expected: i32,
        /// The sequence of the batch.
        found: i32,
    },
    /// The batch was appended so long ago that its offsets are no longer known.
    #[error("sequence {found} of producer {producer_id} was appended before")]
    DuplicateSequence {
        /// The producer.
        producer_id: i64,
        /// The sequence of the batch.
        found: i32,
    },
    /// A newer incarnation of this producer has written.
    #[error("producer {producer_id} has epoch {current}, the batch says {found}")]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: i64,
        /// The newest epoch seen.
        current: i16,
        /// The epoch of the batch.
        found: i16,
    },
    /// The batch is larger than the topic allows.
    #[error("a batch of {size_bytes} bytes is larger than max.message.bytes = {bytes_max}")]
    MessageTooLarge {
        /// Its size.
        size_bytes: usize,
        /// The limit.
        bytes_max: u32,
    },
    /// The batch is whole but breaks a rule of the topic or of the protocol.
    #[error("{message}")]
    InvalidRecord {
        /// What is wrong.
        message: String,
        /// Which records (0-based, within the batch), if it is about single ones.
        record_indexes: Vec<u32>,
    },
    /// A timestamp is too far from now.
    #[error("timestamp {timestamp_ms} is too far from the broker's time {now_ms}")]
    InvalidTimestamp {
        /// The timestamp.
        timestamp_ms: i64,
        /// The broker's time.
        now_ms: i64,
    },
    /// The bytes are no batch.
    #[error("the batch is damaged")]
    CorruptBatch(#[source] BatchError),
    /// The disk said no; nothing was appended.
    #[error("the disk failed while {doing} {path}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: String,
        /// The disk's own words.
        #[source]
        source: io::Error,
    },
    /// An earlier failure made the log read-only.
    #[error("the log takes no writes since a failure: {0}")]
    Poisoned(String),
}

impl AppendError {
    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::OutOfOrderSequence { .. }
            | Self::DuplicateSequence { .. }
            | Self::InvalidProducerEpoch { .. } => ErrorKind::Conflict,
            Self::MessageTooLarge { .. }
            | Self::InvalidRecord { .. }
            | Self::InvalidTimestamp { .. } => ErrorKind::User,
            Self::CorruptBatch(_) => ErrorKind::Corrupt,
            Self::Disk { source, .. } => disk_kind(source),
            Self::Poisoned(_) => ErrorKind::Unavailable,
        }
    }
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The offset is outside of the log.
    #[error("offset {offset} is outside of the log ({log_start_offset} to {high_watermark})")]
    OffsetOutOfRange {
        /// The offset asked for.
        offset: i64,
        /// The first offset of the log.
        log_start_offset: i64,
        /// The offset after the last readable one.
        high_watermark: i64,
    },
    /// The disk said no, or the log is damaged.
    #[error(transparent)]
    Log(LogError),
}

impl From<LogError> for ReadError {
    fn from(e: LogError) -> Self {
        match e {
            LogError::OffsetOutOfRange { offset, log_start_offset, high_watermark } => {
                Self::OffsetOutOfRange { offset, log_start_offset, high_watermark }
            }
            e => Self::Log(e),
        }
    }
}

impl From<LogError> for AppendError {
    fn from(e: LogError) -> Self {
        match e {
            LogError::Disk { doing, path, source } => Self::Disk { doing, path, source },
            LogError::Corrupt { source, .. } => Self::CorruptBatch(source),
            LogError::Poisoned(reason) => Self::Poisoned(reason),
            e @ LogError::OffsetOutOfRange { .. } => {
                Self::InvalidRecord { message: e.to_string(), record_indexes: Vec::new() }
            }
        }
    }
}

/// Adds what was being done to which file.
pub(crate) trait DiskContext<T> {
    fn doing(self, doing: &'static str, path: &str) -> Result<T, LogError>;
}

impl<T> DiskContext<T> for io::Result<T> {
    fn doing(self, doing: &'static str, path: &str) -> Result<T, LogError> {
        self.map_err(|source| LogError::Disk { doing, path: path.to_owned(), source })
    }
}

fn disk_kind(e: &io::Error) -> ErrorKind {
    match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Exhausted,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    }
}
