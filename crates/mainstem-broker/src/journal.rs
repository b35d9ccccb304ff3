//! What the broker itself must not forget (topics, committed offsets, transactions), as a compacted log of key-value records.
//! Invariant: an entry is in force when it is appended and promised when it is synced: answers wait for the sync, in order.
//! One append is one record batch, so its entries come back all or none. Keys are JSON arrays whose first element names the
//! kind (`["topic","orders"]`), values JSON objects with a version `v`; a null value ends the key. Unknown kinds and fields are
//! kept and ignored. A journal that is damaged where it was synced is not read over: the start is refused, and [`remedy`] says what to
//! do. Where damage cannot be told from a tail that was never synced, it is cut there and says so; folders of topics that it may have
//! named stay for good.
//! Does not know what the entries mean: each module restores its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use mainstem_core::disk::Disk;
use mainstem_log::{
    AppendError, BatchBuilder, BatchError, CleanupPolicy, Compression, Durability, FileRange,
    Isolation, Log, LogError, LogSettings, ReadError, RecordBatch, RecordLimits, Recovery,
};
use serde_json::Value;

use crate::call::RequestId;
use crate::upkeep::Upkeep;
use crate::wire::StrBytes;
use crate::{ErrorCode, Response};

pub(crate) const FOLDER: &str = "journal";
const READ_BYTES: u32 = 1 << 20;
const READ_BYTES_MAX: u32 = 1 << 30;

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

/// What an operator can do about a start that was refused; `None` if the error says it all.
pub fn remedy(error: &LogError) -> Option<&'static str> {
    match error {
        LogError::Corrupt { folder, .. } if folder == FOLDER => Some(
            "the journal has the topics, their settings, the offsets of groups and the transactions: put the whole folder of the \
             broker back from a copy; or go on without what was recorded behind the damage: remove 'recovery-points' and \
             'journal/*.index' there (keep a copy), then the next start cuts the journal at the damage, and the files of all topics stay",
        ),
        LogError::Disk { path, .. } if path.ends_with("/compaction.swap") => Some(
            "if it is damaged, nobody can tell which files of this partition are to stay: put the whole folder of the broker back from \
             a copy; or go on without the records of this one partition: remove the folder that the file is in",
        ),
        _ => None,
    }
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
        refuse_damage: true,
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
        let refused = |_| LogError::Poisoned("the journal takes no entries".to_owned());
        self.append(entries, now_ms).map_err(refused)?;
        sync_at_once(&mut self.log)
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

/// Has all of a log durable: for the start, when nobody else waits for the disk.
pub(crate) fn sync_at_once(log: &mut Log) -> Result<(), LogError> {
    if let Some(ticket) = log.begin_sync() {
        let result = ticket.run();
        if let Some(files) = log.end_sync(ticket, result) {
            let stored = files.store();
            log.end_side_files(&files, &stored);
        }
    }
    log.poisoned().map_or(Ok(()), |why| Err(LogError::Poisoned(why.to_owned())))
}

/// All entries in force.
fn read_all(log: &mut Log) -> Result<Entries, LogError> {
    let end = log.log_end_offset();
    let mut reading =
        Reading { entries: Entries::new(), offset: log.log_start_offset(), begun: false, end };
    while reading.offset < end {
        let isolation = Isolation::ReadUncommitted;
        let read = log.read(reading.offset, READ_BYTES_MAX, isolation).map_err(|e| match e {
            ReadError::Log(e) => e,
            ReadError::OffsetOutOfRange { .. } => unreachable!("between the start and the end"),
        })?;
        let whole = read.size_bytes() < u64::from(READ_BYTES_MAX);
        for range in read.ranges {
            reading.take(range, whole)?;
        }
        if whole {
            break;
        }
    }
    Ok(reading.entries)
}

/// The journal, read batch by batch as they stand in the files. Where one says that it is, and how long, is believed only where it
/// fits to its neighbours: a wrong one would have entries passed over.
struct Reading {
    entries: Entries,
    /// What comes next begins here, or behind it: the journal is compacted.
    offset: i64,
    begun: bool,
    end: i64,
}

impl Reading {
    /// Takes all batches of a range; the last one has to be `whole`.
    fn take(&mut self, mut range: FileRange, whole: bool) -> Result<(), LogError> {
        let mut step = READ_BYTES;
        while range.len > 0 {
            let part = FileRange { len: range.len.min(step), ..range.clone() };
            let disk =
                |source| LogError::Disk { doing: "reading", path: FOLDER.to_owned(), source };
            let mut bytes = part.read().map_err(disk)?;
            while let Some(batch) = RecordBatch::parse_next(&mut bytes) {
                let taken = batch.and_then(|batch| self.take_batch(&batch));
                taken.map_err(|why| self.damaged(why))?;
            }
            let left = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let done = part.len - left;
            if done == 0 && part.len == range.len {
                let need = bytes.len() + 1;
                let cut = BatchError::Truncated { have: bytes.len(), need };
                return if whole { Err(self.damaged(cut)) } else { Ok(()) };
            }
            // A batch may be larger than a step.
            step = if done == 0 { step.saturating_mul(2) } else { READ_BYTES };
            range.position += u64::from(done);
            range.len -= done;
        }
        Ok(())
    }

    fn take_batch(&mut self, batch: &RecordBatch) -> Result<(), BatchError> {
        let (found, last) = (batch.header().base_offset, batch.header().last_offset());
        // The first one may begin before the start of the log.
        let follows = if self.begun { found >= self.offset } else { last >= self.offset };
        if !follows || last >= self.end {
            return Err(BatchError::WrongOffset { expected: self.offset, found });
        }
        self.begun = true;
        self.offset = last + 1;
        restore_all(&mut self.entries, batch)
    }

    fn damaged(&self, source: BatchError) -> LogError {
        LogError::Corrupt { folder: FOLDER.to_owned(), offset: self.offset, source }
    }
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
