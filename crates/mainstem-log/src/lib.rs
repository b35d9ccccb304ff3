//! One partition on disk: record batches as they were received, in segments, over a [`mainstem_core::disk::Disk`]; and the write-ahead
//! log ([`Wal`]) in which small batches of many become durable together.
//! Invariant: nothing here reads a clock, spawns or knows a network. A [`Log`] has one owner that calls under one lock; calls are
//! short. Work that waits for the disk is handed out: [`SyncTicket`] and [`WalTicket`] (group commit: begin, run outside, end, begin the next),
//! [`CompactionJob`], and the [`FileRange`]s of a [`Read`].
//!
//! Files of a log, all in its folder: `NNN.log` (batches of Kafka's format v2 one after another, readable by its tools),
//! `NNN.index`, `NNN.snapshot` (producers), `log.checkpoint` (log start, compacted end), `compaction.swap` while a swap is decided,
//! `log.cut` while nobody was told of a cut. All but the first, the checkpoint and the last can be rebuilt.
//! What logs share, in the folder above all of theirs: `wal`.
//! Does not decide who may write, nor whether a partition belongs to a transaction: the broker does.

mod batch_builder;
mod checkpoint;
mod compaction;
mod compaction_swap;
mod compactor;
mod compression;
mod cut_note;
mod error;
mod faulty_disk;
mod framed;
mod index;
mod key_offsets;
mod log;
mod memory;
mod producer_state;
mod read;
mod record_batch;
mod records;
mod recovery;
mod replay;
mod retention;
mod segment;
mod settings;
mod sync;
mod wal;
mod wal_replay;

pub use batch_builder::{BatchBuilder, control_batch};
pub use compaction::{Compaction, CompactionJob, CompactionResult};
pub use error::{AppendError, LogError, ReadError};
pub use faulty_disk::{Faults, FaultyDisk};
pub use log::{Appended, Log};
pub use memory::MemoryDisk;
pub use producer_state::ProducerState;
pub use read::{Aborted, FileRange, Isolation, Read};
pub use record_batch::{
    BatchError, BatchHeader, Compression, HEADER_BYTES, RecordBatch, TimestampType,
};
pub use records::{ControlKind, Header, Headers, Record, RecordCursor, RecordLimits, Records};
pub use recovery::Recovery;
pub use retention::Maintenance;
pub use settings::{CleanupPolicy, Durability, LogSettings};
pub use sync::{SideFiles, SyncTicket, WalPart};
pub use wal::{Wal, WalGrowth, WalSettings, WalTicket};
pub use wal_replay::WalReplay;

#[cfg(test)]
mod tests;
