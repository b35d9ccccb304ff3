//! One partition on disk: record batches as they were received, in segments, over a [`mainstem_core::disk::Disk`].
//! Invariant: nothing here reads a clock, spawns or knows a network.
#![allow(dead_code)]

mod batch_builder;
mod error;
mod log;
mod memory;
mod record_batch;
mod records;
mod settings;

pub use batch_builder::{BatchBuilder, control_batch};
pub use error::{AppendError, LogError, ReadError};
pub use log::{
    Aborted, Appended, CompactionJob, CompactionResult, FileRange, Isolation, Log, Maintenance,
    ProducerState, Read, Recovery, SyncTicket,
};
pub use memory::MemoryDisk;
pub use record_batch::{
    BatchError, BatchHeader, Compression, HEADER_BYTES, RecordBatch, TimestampType,
};
pub use records::{ControlKind, Header, Headers, Record, RecordCursor, RecordLimits, Records};
pub use settings::{CleanupPolicy, Durability, LogSettings};
