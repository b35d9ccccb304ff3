//! What the broker itself must not forget (topics, committed offsets, transactions), as a compacted log of key-value records.
//! Invariant: an entry is in force when it is appended and promised when it is synced: answers wait for the sync, in order.
//! One append is one record batch, so its entries come back all or none. Keys are JSON arrays whose first element names the
//! kind (`["topic","orders"]`), values JSON objects with a version `v`; a null value ends the key. Unknown kinds and fields are
//! kept and ignored. A journal that is damaged where it was synced is not read over: the start is refused, or, where damage cannot be
//! told from a tail that was never synced, it is cut there and says so; folders of topics that it may have named stay for good.
//! Does not know what the entries mean: each module restores its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use mainstem_core::disk::Disk;
use mainstem_log::{
    AppendError, BatchBuilder, BatchError, CleanupPolicy, Compression, Durability, Isolation, Log,
    LogError, LogSettings, ReadError, RecordBatch, RecordLimits, Recovery,
};
use serde_json::Value;

use crate::call::RequestId;
use crate::upkeep::Upkeep;
use crate::wire::StrBytes;
use crate::{ErrorCode, Response};

const FOLDER: &str = "journal";
const READ_BYTES: u32 = 1 << 20;

/// A key and its new value; `None` forgets the key.
pub(crate) type Entry = (Value, Option<Value>);

/// What is done once an append is durable.
#[derive(Debug)]
pub(crate) enum Then {
    /// The answer goes out.
    Respond(RequestId, Response),
    /// The files of a topic that is no more go.
    RemoveFolder(String),
    /// What was decided about a transaction is carried out.
    EndTransaction { id: StrBytes, asked_by: Option<RequestId> },
}

/// The log and what waits for it.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) log: Log,
    pub(crate) syncing: bool,
    pub(crate) upkeep: Upkeep,
    /// Whether the operator knows that it takes no entries.
    pub(crate) complained: bool,
    waiting: VecDeque<(i64, Then)>,
}

/// All entries in force, by key (the JSON text of it).
pub(crate) type Entries = BTreeMap<String, (Value, Value)>;

fn settings() -> LogSettings {
    LogSettings {
        segment_bytes_max: 16 << 20,
        retention_ms: None,
        retention_bytes: None,
        cleanup: CleanupPolicy::Compact,
        durability: Durability::Ack,
        message_bytes_max: 64 << 20,
        ..LogSettings::kafka_defaults()
    }
}

impl Journal {
    /// Opens the journal and reads all that is in force.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        recovery_point: i64,
        clean: bool,
        now_ms: i64,
    ) -> Result<(Self, Entries, Recovery), LogError> {
        let (mut log, recovery) =
            Log::open(disk, FOLDER, settings(), recovery_point, clean, now_ms)?;
        let entries = read_all(&mut log)?;
        let journal = Self {
            log,
            syncing: false,
            upkeep: Upkeep::default(),
            complained: false,
            waiting: VecDeque::new(),
        };
        Ok((journal, entries, recovery))
    }

    /// Appends entries as one batch; what depends on them is told to wait by [`Self::after`].
    pub(crate) fn append(&mut self, entries: &[Entry], now_ms: i64) -> Result<(), ErrorCode> {
        let mut builder = BatchBuilder::new(Compression::None);
        for (key, value) in entries {
            let value = value.as_ref().map(|value| value.to_string().into_bytes());
            builder.push(now_ms, Some(key.to_string().as_bytes()), value.as_deref(), &[]);
        }
        let Some(batch) = builder.finish() else { return Ok(()) };
        match self.log.append(&batch, now_ms) {
            Ok(_) => Ok(()),
            Err(AppendError::MessageTooLarge { .. }) => Err(ErrorCode::RecordListTooLarge),
            Err(_) => Err(ErrorCode::KafkaStorageError),
        }
    }

    /// Appends entries and waits for the disk: while the broker opens, nobody else does.
    pub(crate) fn append_durably(
        &mut self,
        entries: &[Entry],
        now_ms: i64,
    ) -> Result<(), LogError> {
        let poisoned = |why: &str| LogError::Poisoned(why.to_owned());
        self.append(entries, now_ms).map_err(|_| poisoned("the journal takes no entries"))?;
        if let Some(ticket) = self.log.begin_sync() {
            let result = ticket.run();
            if let Some(files) = self.log.end_sync(ticket, result) {
                let stored = files.store();
                self.log.end_side_files(&files, &stored);
            }
        }
        self.log.poisoned().map_or(Ok(()), |why| Err(poisoned(why)))
    }

    /// Does something once all that was appended so far is durable.
    pub(crate) fn after(&mut self, then: Then) {
        self.waiting.push_back((self.log.log_end_offset(), then));
    }

    /// What may happen now; after a failed sync `None`, and the calls that can no longer be answered.
    pub(crate) fn due(&mut self) -> Option<Then> {
        let (end, _) = self.waiting.front()?;
        if *end > self.log.high_watermark() {
            return None;
        }
        self.waiting.pop_front().map(|(_, then)| then)
    }

    /// Whether something waits for a sync.
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Everything that waits, when the disk has failed and it will never be durable.
    pub(crate) fn give_up(&mut self) -> impl Iterator<Item = Then> + use<> {
        std::mem::take(&mut self.waiting).into_iter().map(|(_, then)| then)
    }
}

fn read_all(log: &mut Log) -> Result<Entries, LogError> {
    let mut entries = Entries::new();
    let mut offset = log.log_start_offset();
    while offset < log.log_end_offset() {
        let read =
            log.read(offset, READ_BYTES, Isolation::ReadUncommitted).map_err(|e| match e {
                ReadError::Log(e) => e,
                ReadError::OffsetOutOfRange { .. } => unreachable!("between the start and the end"),
            })?;
        for range in read.ranges {
            let disk =
                |source| LogError::Disk { doing: "reading", path: FOLDER.to_owned(), source };
            let mut bytes = range.read().map_err(disk)?;
            while let Some(batch) = RecordBatch::parse_next(&mut bytes) {
                let damaged =
                    |source| LogError::Corrupt { folder: FOLDER.to_owned(), offset, source };
                let batch = batch.map_err(damaged)?;
                restore_all(&mut entries, &batch).map_err(damaged)?;
                offset = batch.header().last_offset() + 1;
            }
        }
    }
    Ok(entries)
}

fn restore_all(entries: &mut Entries, batch: &RecordBatch) -> Result<(), BatchError> {
    for record in batch.records(RecordLimits::default())?.iter() {
        let record = record?;
        // Written by this module and checked by a checksum: what is no JSON was not ours.
        let Ok(key) = serde_json::from_slice::<Value>(record.key.unwrap_or_default()) else {
            continue;
        };
        let value = record.value.and_then(|value| serde_json::from_slice(value).ok());
        match value {
            Some(value) => entries.insert(key.to_string(), (key, value)),
            None => entries.remove(&key.to_string()),
        };
    }
    Ok(())
}
