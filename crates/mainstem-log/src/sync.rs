//! Durability: which files to sync, and what the sync of them means.
//! Invariant: the high watermark under `Durability::Ack`, and the recovery point always, follow syncs that returned Ok, of every
//! byte and every name below them: of the log's own files for the recovery point, of these or of a write-ahead log that has copies
//! ([`WalPart`]) for the high watermark. One sync of the files is under way at a time, and one part; when a sync of the files fails,
//! the log takes no more writes, because what it left behind nobody can tell.
//! Group commit is the caller's: whatever was appended while one ticket ran is covered by the next, and
//! [`Log::extend_sync`] has a ticket cover what was appended while it waited for its turn.

use crate::error::{DiskContext, LogError};
use crate::framed;
use crate::log::{Log, Place, parent_of, snapshot_path};
use crate::segment::index_path;
use crate::settings::Durability;
use mainstem_core::disk::{Disk, DiskFile};
use std::io;
use std::sync::Arc;

/// Files and folders to sync; run it outside of locks.
#[derive(Debug)]
pub struct SyncTicket {
    disk: Arc<dyn Disk>,
    files: Vec<SyncFile>,
    folders: Vec<String>,
    covers: i64,
    place: Place,
    side_files: Option<SideFiles>,
}

/// Index of the active segment and producer snapshot, as they are at an offset below which all is durable: a short-cut for the
/// next start, which would else scan more. Nobody waits for them; store them outside of locks.
#[derive(Debug)]
pub struct SideFiles {
    disk: Arc<dyn Disk>,
    folder: String,
    /// Paths and contents.
    files: Vec<(String, Vec<u8>)>,
    at: i64,
}

/// A stretch of the active segment, to be made durable in a write-ahead log.
#[derive(Debug)]
pub struct WalPart {
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) folder: String,
    pub(crate) position: u64,
    pub(crate) bytes: u32,
    pub(crate) covers: i64,
    /// Where it ends.
    pub(crate) place: Place,
}

/// How far a log is in a write-ahead log.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Walled {
    /// Everything below this offset is durable, there or in the log's own files.
    offset: i64,
    place: Place,
    /// A part is under way.
    writing: bool,
}

#[derive(Debug)]
struct SyncFile {
    segment: i64,
    size_bytes: u64,
    file: Arc<dyn DiskFile>,
}

impl SyncTicket {
    /// Syncs.
    pub fn run(&self) -> io::Result<()> {
        for file in &self.files {
            file.file.sync()?;
        }
        for folder in &self.folders {
            self.disk.sync_folder(folder)?;
        }
        Ok(())
    }

    /// Offsets below this are durable once `run` returned Ok.
    pub fn covers(&self) -> i64 {
        self.covers
    }
}

impl SideFiles {
    /// Stores them. A failure costs the next start a longer scan, and nothing else.
    pub fn store(&self) -> io::Result<()> {
        for (path, bytes) in &self.files {
            framed::write_file(&*self.disk, path, bytes, true)?;
        }
        self.disk.sync_folder(&self.folder)
    }
}

impl Log {
    /// Whether there is something to sync under this log's durability.
    pub fn needs_sync(&self) -> bool {
        let closed =
            self.segments.back().is_some_and(|active| self.recovery_point < active.base_offset);
        let behind = match self.settings.durability {
            Durability::Ack => closed || self.durable_offset() < self.log_end_offset,
            Durability::Interval { .. } => self.recovery_point < self.log_end_offset,
            Durability::None => closed,
        };
        behind && self.poisoned.is_none()
    }

    /// Everything below this offset is durable, in the log's own files or in a write-ahead log.
    pub fn durable_offset(&self) -> i64 {
        self.recovery_point.max(self.walled.offset)
    }

    /// Where in the active segment that is; `None` if it is in an earlier one.
    fn durable_position(&self) -> Option<u64> {
        let active = self.segments.back()?;
        let Walled { offset, place, .. } = self.walled;
        if self.durable_offset() < active.base_offset {
            return None;
        }
        Some(if self.recovery_point >= offset {
            active.synced_bytes
        } else if place.segment == active.base_offset {
            place.position
        } else {
            0
        })
    }

    /// Whether all that is not durable yet has at most so many bytes, in one segment: then it can become so in a write-ahead log.
    pub fn is_wal_enough(&self, bytes_max: u64) -> bool {
        let active_bytes = self.segments.back().map_or(0, |active| active.size_bytes);
        let unsynced = self.durable_position().map(|position| active_bytes - position);
        self.settings.durability == Durability::Ack
            && self.poisoned.is_none()
            && unsynced.is_some_and(|bytes| (1..=bytes_max).contains(&bytes))
    }

    /// What is not durable yet, for a write-ahead log; `None` if it is too much for one, or if a part is under way.
    pub fn begin_wal_part(&mut self, bytes_max: u64) -> Option<WalPart> {
        if self.walled.writing || !self.is_wal_enough(bytes_max) {
            return None;
        }
        let position = self.durable_position()?;
        let (covers, place) = (self.log_end_offset, self.end_place());
        let active = self.segments.back_mut()?;
        // One that cannot be opened is met by the log's own sync.
        let file = Arc::clone(active.file(&*self.disk, &self.folder).ok()?);
        self.walled.writing = true;
        let (folder, bytes) = (self.folder.clone(), u32::try_from(place.position - position).ok()?);
        Some(WalPart { file, folder, position, bytes, covers, place })
    }

    /// Ends it: if it is durable there, moves the high watermark.
    pub fn end_wal_part(&mut self, part: &WalPart, durable: bool) {
        self.walled.writing = false;
        // A sync of the file may have failed meanwhile: then nobody knows what was read of it.
        if !durable || self.poisoned.is_some() {
            return;
        }
        if part.covers > self.walled.offset {
            self.walled.offset = part.covers;
            self.walled.place = part.place;
        }
        self.became_durable(part.covers, part.place);
    }

    fn became_durable(&mut self, offset: i64, place: Place) {
        if offset > self.high_watermark {
            self.high_watermark = offset;
            self.high_watermark_place = place;
            self.producers.forget_ended(self.high_watermark);
        }
    }

    /// Begins a sync; `None` if there is nothing to sync, one is under way, or the log is poisoned.
    pub fn begin_sync(&mut self) -> Option<SyncTicket> {
        let nothing = self.recovery_point == self.log_end_offset && !self.names_unsynced;
        if nothing || self.syncing || self.poisoned.is_some() {
            return None;
        }
        let mut files = Vec::new();
        for segment in &mut self.segments {
            let written = segment.synced_bytes == segment.size_bytes;
            if written && segment.name_synced {
                continue;
            }
            let (base_offset, size_bytes) = (segment.base_offset, segment.size_bytes);
            match segment.file(&*self.disk, &self.folder) {
                Ok(file) => {
                    let file = Arc::clone(file);
                    files.push(SyncFile { segment: base_offset, size_bytes, file });
                }
                Err(e) => {
                    self.poison(e.to_string());
                    return None;
                }
            }
        }
        self.syncing = true;
        let mut folders = Vec::new();
        if std::mem::take(&mut self.names_unsynced) {
            folders.push(self.folder.clone());
        }
        if std::mem::take(&mut self.folder_unsynced) {
            folders.push(parent_of(&self.folder).to_owned());
        }
        let due = self.bytes_since_checkpoint >= self.settings.checkpoint_bytes;
        let side_files = if due && !self.storing { self.side_files() } else { None };
        if side_files.is_some() {
            self.bytes_since_checkpoint = 0;
        }
        Some(SyncTicket {
            disk: Arc::clone(&self.disk),
            files,
            folders,
            covers: self.log_end_offset,
            place: self.end_place(),
            side_files,
        })
    }

    /// Has a ticket that does not run yet cover what was appended since it was made.
    pub fn extend_sync(&mut self, ticket: &mut SyncTicket) {
        let (Some(active), Some(file)) = (self.segments.back(), ticket.files.last_mut()) else {
            return;
        };
        // A new segment has a file and a name of its own, and what is stored beside the data is true at one end only.
        if file.segment != active.base_offset || ticket.side_files.is_some() {
            return;
        }
        file.size_bytes = active.size_bytes;
        ticket.covers = self.log_end_offset;
        ticket.place = self.end_place();
    }

    /// The index of the active segment and the producers, as they will be true once the log is durable up to its end.
    fn side_files(&self) -> Option<SideFiles> {
        let active = self.segments.back()?;
        let index = active.loaded_index().expect("the active segment has its index");
        let end = self.log_end_offset;
        let files = vec![
            (index_path(&self.folder, active.base_offset), index.encode(end)),
            (snapshot_path(&self.folder, end), self.producers.encode(end)),
        ];
        Some(SideFiles {
            disk: Arc::clone(&self.disk),
            folder: self.folder.clone(),
            files,
            at: end,
        })
    }

    /// Ends a sync: moves the high watermark, or poisons the log. What it returns is to be stored when nobody waits for the
    /// disk, and handed to [`Log::end_side_files`].
    #[must_use = "without them the next start takes longer"]
    pub fn end_sync(&mut self, ticket: SyncTicket, result: io::Result<()>) -> Option<SideFiles> {
        self.syncing = false;
        if let Err(e) = result {
            self.poison(format!("a sync failed: {e}"));
            return None;
        }
        // Another sync of the file may have failed meanwhile, of an append that was undone: this one cannot know what it missed.
        if self.poisoned.is_some() {
            return None;
        }
        for file in &ticket.files {
            if let Ok(at) = self.segments.binary_search_by_key(&file.segment, |s| s.base_offset) {
                let segment = &mut self.segments[at];
                segment.synced_bytes = segment.synced_bytes.max(file.size_bytes);
                segment.name_synced = true;
            }
        }
        self.recovery_point = self.recovery_point.max(ticket.covers);
        self.became_durable(ticket.covers, ticket.place);
        if ticket.side_files.is_some() {
            self.storing = true;
        }
        ticket.side_files
    }

    /// Takes the result of storing them. After a failure the next sync tries again, when as much was written once more.
    pub fn end_side_files(&mut self, files: &SideFiles, result: &io::Result<()>) {
        self.storing = false;
        if result.is_ok() {
            self.note_snapshot(files.at);
        }
    }

    /// Everything below this offset is durable.
    pub fn recovery_point(&self) -> i64 {
        self.recovery_point
    }

    /// A clean shutdown: everything durable, index and producer snapshot stored. The log takes no writes afterwards.
    pub fn close(&mut self, _now_ms: i64) -> Result<(), LogError> {
        self.check_writable()?;
        if self.syncing {
            let reason = "it was closed while a sync was under way".to_owned();
            return Err(LogError::Poisoned(reason));
        }
        if let Some(ticket) = self.begin_sync() {
            let result = ticket.run();
            let failed = result.as_ref().err().map(ToString::to_string);
            // They are stored below.
            let _ = self.end_sync(ticket, result);
            if let Some(reason) = failed {
                return Err(LogError::Poisoned(format!("a sync failed: {reason}")));
            }
        }
        if let Some(side_files) = self.side_files() {
            side_files.store().doing("storing index and producers in", &self.folder)?;
        }
        self.poison("the log is closed".to_owned());
        Ok(())
    }
}
