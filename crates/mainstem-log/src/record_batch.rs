//! A record batch of format v2, the unit of everything: checked once when it comes in, then only carried.
//!
//! ```text
//!  0 base_offset            i64   rewritten at append, outside of the CRC
//!  8 batch_length           i32   bytes after this field
//! 12 partition_leader_epoch i32   rewritten at append, outside of the CRC
//! 16 magic                  i8    2
//! 17 crc                    u32   CRC-32C of everything from byte 21
//! 21 attributes             i16   0-2 compression, 3 log append time, 4 transactional, 5 control, 6 base_timestamp is a delete horizon
//! 23 last_offset_delta      i32
//! 27 base_timestamp         i64
//! 35 max_timestamp          i64
//! 43 producer_id            i64   -1: none
//! 51 producer_epoch         i16
//! 53 base_sequence          i32
//! 57 record_count           i32
//! 61 records                      compressed as one block
//! ```
//!
//! Invariant: a [`RecordBatch`] holds exactly one batch whose lengths, magic, counts and CRC were right. What is inside of the
//! records was not looked at: [`crate::Records`] is fallible.

use crate::records::{RecordLimits, Records};
use bytes::{Buf, Bytes};

/// Bytes before the records.
pub const HEADER_BYTES: usize = 61;
/// Bytes that `batch_length` does not count.
pub(crate) const LENGTH_PREFIX_BYTES: usize = 12;
/// The least that one record takes: a length, attributes, two deltas, two lengths, a count.
pub(crate) const RECORD_BYTES_MIN: usize = 7;
const CRC_FROM: usize = 21;
const ATTRIBUTE_LOG_APPEND_TIME: i16 = 1 << 3;
pub(crate) const ATTRIBUTE_TRANSACTIONAL: i16 = 1 << 4;
pub(crate) const ATTRIBUTE_CONTROL: i16 = 1 << 5;
pub(crate) const ATTRIBUTE_DELETE_HORIZON: i16 = 1 << 6;

/// Why bytes are no batch, or no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// There are fewer bytes than a batch has.
    #[error("the batch ends after {have} of {need} bytes")]
    Truncated {
        /// Bytes there.
        have: usize,
        /// Bytes needed.
        need: usize,
    },
    /// `batch_length` cannot be.
    #[error("the batch says it is {0} bytes long")]
    BadLength(i32),
    /// There are bytes after the batch.
    #[error("{0} bytes follow the batch")]
    TrailingBytes(usize),
    /// A message format before v2, or none.
    #[error("record format {0} is not supported, only format 2 is")]
    UnsupportedMagic(i8),
    /// The checksum is wrong.
    #[error("the CRC-32C is {computed:#010x}, the batch says {stored:#010x}")]
    WrongCrc {
        /// What the batch says.
        stored: u32,
        /// What its bytes give.
        computed: u32,
    },
    /// A codec that does not exist.
    #[error("unknown compression {0}")]
    UnknownCompression(i16),
    /// Counts that contradict each other.
    #[error("the batch counts {record_count} records up to offset delta {last_offset_delta}")]
    BadCounts {
        /// `record_count`.
        record_count: i32,
        /// `last_offset_delta`.
        last_offset_delta: i32,
    },
    /// A record inside of the batch is malformed.
    #[error("record {index} of the batch is malformed: {reason}")]
    BadRecord {
        /// 0-based.
        index: u32,
        /// What is wrong.
        reason: &'static str,
    },
    /// The compressed block cannot be decompressed.
    #[error("the records cannot be decompressed: {0}")]
    Decompress(String),
    /// The records are larger than the reader allows.
    #[error("the records are larger than {bytes_max} bytes when decompressed")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// An offset is not where it must be in the log.
    #[error("the batch starts at offset {found}, expected {expected}")]
    WrongOffset {
        /// What follows in the log.
        expected: i64,
        /// What the batch says.
        found: i64,
    },
    /// There is no batch where there was one.
    #[error("nothing follows, though offsets up to {synced} were synced once")]
    Missing {
        /// Where the log went on.
        synced: i64,
    },
}

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    fn from_attributes(attributes: i16) -> Result<Self, BatchError> {
        Ok(match attributes & 7 {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            code => return Err(BatchError::UnknownCompression(code)),
        })
    }

    pub(crate) fn code(self) -> i16 {
        self as i16
    }
}

/// Who says when a record was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer.
    Create,
    /// The broker, at append.
    LogAppend,
}

/// The header of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record (of the first that there was, in a compacted log).
    pub base_offset: i64,
    /// Bytes of the whole batch.
    pub size_bytes: usize,
    /// The leader epoch at append.
    pub partition_leader_epoch: i32,
    /// The stored checksum.
    pub crc: u32,
    /// The raw attributes.
    pub attributes: i16,
    /// How the records are compressed.
    pub compression: Compression,
    /// The offset of the last record, from `base_offset`.
    pub last_offset_delta: i32,
    /// What the records' timestamps count from.
    pub base_timestamp: i64,
    /// The greatest timestamp.
    pub max_timestamp: i64,
    /// The idempotent producer, or -1.
    pub producer_id: i64,
    /// Its epoch, or -1.
    pub producer_epoch: i16,
    /// The sequence of the first record, or -1.
    pub base_sequence: i32,
    /// How many records there are.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads and checks a header; the CRC is not looked at. `bytes` may end after the header.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        if bytes.len() >= LENGTH_PREFIX_BYTES {
            let length = i32::from_be_bytes(at(bytes, 8));
            if length < (HEADER_BYTES - LENGTH_PREFIX_BYTES) as i32 {
                return Err(BatchError::BadLength(length));
            }
        }
        if bytes.len() < HEADER_BYTES {
            return Err(BatchError::Truncated { have: bytes.len(), need: HEADER_BYTES });
        }
        if bytes[16] != 2 {
            return Err(BatchError::UnsupportedMagic(bytes[16] as i8));
        }
        let attributes = i16::from_be_bytes(at(bytes, 21));
        let header = Self {
            base_offset: i64::from_be_bytes(at(bytes, 0)),
            size_bytes: i32::from_be_bytes(at(bytes, 8)) as usize + LENGTH_PREFIX_BYTES,
            partition_leader_epoch: i32::from_be_bytes(at(bytes, 12)),
            crc: u32::from_be_bytes(at(bytes, 17)),
            attributes,
            compression: Compression::from_attributes(attributes)?,
            last_offset_delta: i32::from_be_bytes(at(bytes, 23)),
            base_timestamp: i64::from_be_bytes(at(bytes, 27)),
            max_timestamp: i64::from_be_bytes(at(bytes, 35)),
            producer_id: i64::from_be_bytes(at(bytes, 43)),
            producer_epoch: i16::from_be_bytes(at(bytes, 51)),
            base_sequence: i32::from_be_bytes(at(bytes, 53)),
            record_count: i32::from_be_bytes(at(bytes, 57)),
        };
        header.check_counts()?;
        Ok(header)
    }

    fn check_counts(&self) -> Result<(), BatchError> {
        let (count, delta) = (i64::from(self.record_count), i64::from(self.last_offset_delta));
        let fits = self.compression != Compression::None
            || count * RECORD_BYTES_MIN as i64 <= (self.size_bytes - HEADER_BYTES) as i64;
        if count < 0 || delta < 0 || count > delta + 1 || !fits {
            return Err(BatchError::BadCounts {
                record_count: self.record_count,
                last_offset_delta: self.last_offset_delta,
            });
        }
        Ok(())
    }

    /// The offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Who says when the records were.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & ATTRIBUTE_LOG_APPEND_TIME == 0 {
            TimestampType::Create
        } else {
            TimestampType::LogAppend
        }
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & ATTRIBUTE_TRANSACTIONAL != 0
    }

    /// Whether the batch is a marker and not data.
    pub fn is_control(&self) -> bool {
        self.attributes & ATTRIBUTE_CONTROL != 0
    }

    /// When the tombstones of this batch, or this marker, may be dropped; set by the first compaction that saw them.
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes & ATTRIBUTE_DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// The sequence of the last record; wraps from `i32::MAX` to 0.
    pub fn last_sequence(&self) -> i32 {
        sequence_add(self.base_sequence, self.last_offset_delta)
    }
}

/// Sequences wrap from `i32::MAX` to 0.
pub(crate) fn sequence_add(sequence: i32, count: i32) -> i32 {
    ((i64::from(sequence) + i64::from(count)) % (1 << 31)) as i32
}

/// A whole batch whose header was checked. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordBatch {
    header: BatchHeader,
    bytes: Bytes,
}

impl RecordBatch {
    /// `bytes` must be exactly one batch; its CRC is checked.
    pub fn parse(bytes: Bytes) -> Result<Self, BatchError> {
        let header = BatchHeader::parse(&bytes)?;
        if bytes.len() < header.size_bytes {
            return Err(BatchError::Truncated { have: bytes.len(), need: header.size_bytes });
        }
        if bytes.len() > header.size_bytes {
            return Err(BatchError::TrailingBytes(bytes.len() - header.size_bytes));
        }
        check_crc(&header, &bytes)?;
        Ok(Self { header, bytes })
    }

    /// Takes the next batch off a fetched run of batches; `None` at the end or when only a part of a batch is left.
    pub fn parse_next(bytes: &mut Bytes) -> Option<Result<Self, BatchError>> {
        if bytes.len() < LENGTH_PREFIX_BYTES {
            return None;
        }
        let length = i32::from_be_bytes(at(bytes, 8));
        if length < (HEADER_BYTES - LENGTH_PREFIX_BYTES) as i32 {
            bytes.advance(bytes.len());
            return Some(Err(BatchError::BadLength(length)));
        }
        let size_bytes = length as usize + LENGTH_PREFIX_BYTES;
        (bytes.len() >= size_bytes).then(|| Self::parse(bytes.split_to(size_bytes)))
    }

    /// A batch that was just built here, so that its CRC is right by construction.
    pub(crate) fn built(bytes: Bytes) -> Self {
        let header = BatchHeader::parse(&bytes).expect("a batch built here has a good header");
        Self { header, bytes }
    }

    /// The header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The whole batch.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The records, decompressed if need be (bounded by `limits`). Uncompressed ones are not copied.
    pub fn records(&self, limits: RecordLimits) -> Result<Records, BatchError> {
        Records::open(&self.header, self.bytes.slice(HEADER_BYTES..), limits)
    }
}

/// Checks the CRC of one whole batch.
pub(crate) fn check_crc(header: &BatchHeader, batch: &[u8]) -> Result<(), BatchError> {
    let computed = crc32c::crc32c(&batch[CRC_FROM..header.size_bytes]);
    if computed != header.crc {
        return Err(BatchError::WrongCrc { stored: header.crc, computed });
    }
    Ok(())
}

/// A batch's header, bytes that may be changed.
pub(crate) type Head = [u8; HEADER_BYTES];

/// Puts a batch at its place in the log.
pub(crate) fn patch_offset(head: &mut Head, base_offset: i64, leader_epoch: i32) {
    head[0..8].copy_from_slice(&base_offset.to_be_bytes());
    head[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// Makes the time of the append the timestamp of all records.
pub(crate) fn patch_append_time(head: &mut Head, records: &[u8], now_ms: i64) {
    let attributes = i16::from_be_bytes(at(head, 21)) | ATTRIBUTE_LOG_APPEND_TIME;
    head[21..23].copy_from_slice(&attributes.to_be_bytes());
    head[35..43].copy_from_slice(&now_ms.to_be_bytes());
    patch_crc(head, records);
}

/// Says that the timestamps are the producer's, as a topic of create time promises.
pub(crate) fn patch_create_time(head: &mut Head, records: &[u8]) {
    let attributes = i16::from_be_bytes(at(head, 21)) & !ATTRIBUTE_LOG_APPEND_TIME;
    head[21..23].copy_from_slice(&attributes.to_be_bytes());
    patch_crc(head, records);
}

/// Computes the CRC anew.
pub(crate) fn patch_crc(head: &mut Head, records: &[u8]) {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&head[CRC_FROM..]), records);
    head[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// `N` bytes at `from`, which the caller knows to be there.
#[inline]
pub(crate) fn at<const N: usize>(bytes: &[u8], from: usize) -> [u8; N] {
    bytes[from..from + N].try_into().expect("the range has N bytes")
}
