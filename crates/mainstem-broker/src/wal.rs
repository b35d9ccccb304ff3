//! How logs come to be durable by the write-ahead log: who waits for it, what it takes next, and which logs have to sync themselves
//! so that it has room.
//! Invariant: one ticket is under way at a time, filled when its turn has come; so it has all that was appended until then. A log
//! whose tail is too large for the ring, or that the ring has no room for, syncs itself, as all do when the ring is given up: when it
//! cannot be written, or when what it has of a log can no longer be synced there. What it has then stays for the next start.

use std::collections::BTreeSet;
use std::io;

use mainstem_core::disk::Disk;
use mainstem_log::{Log, LogError, Wal, WalGrowth, WalReplay, WalSettings, WalTicket};

use crate::call::{SyncTask, Work};
use crate::topics::LogId;
use crate::{Action, Broker, upkeep};

/// So many logs sync themselves at the same time to make room: others wait for what they ask of the disk.
const MAKING_ROOM_MAX: usize = 2;

/// The ring and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct WriteAhead {
    ring: Option<Wal<LogId>>,
    waiting: BTreeSet<LogId>,
    /// These sync themselves next, whatever they have.
    own: BTreeSet<LogId>,
    /// Who was left out of the ticket that is under way.
    left: Vec<LogId>,
    syncing: bool,
    making_room: BTreeSet<LogId>,
}

impl WriteAhead {
    /// Begins anew, when all that the last run left is in the logs. A disk without room for it goes without, and says so.
    pub(crate) fn begin(
        disk: &dyn Disk,
        settings: WalSettings,
        notices: &mut Vec<String>,
    ) -> Result<Self, LogError> {
        if !disk.is_durable() {
            return Ok(Self::default());
        }
        if settings.bytes == 0 {
            Wal::<LogId>::remove(disk)?;
            return Ok(Self::default());
        }
        let ring = match Wal::create(disk, settings) {
            Ok(ring) => Some(ring),
            Err(e) => {
                // What the old one has is not true for ever.
                Wal::<LogId>::remove(disk)?;
                let why = upkeep::with_cause(&e);
                notices.push(format!("no write-ahead log, every partition is synced alone: {why}"));
                None
            }
        };
        Ok(Self { ring, ..Self::default() })
    }

    /// Whether a log is to wait for the ring; then it does.
    pub(crate) fn takes(&mut self, id: LogId, log: &Log) -> bool {
        let Some(ring) = &self.ring else { return false };
        let takes = !self.own.remove(&id) && log.is_wal_enough(ring.part_bytes_max());
        if takes {
            self.waiting.insert(id);
        }
        takes
    }

    /// A log begins to sync itself.
    pub(crate) fn own_sync_begins(&mut self, id: LogId) {
        if let Some(ring) = &mut self.ring {
            ring.log_sync_begins(id);
        }
    }

    pub(crate) fn own_sync_ends(&mut self, id: LogId, succeeded: bool) {
        self.making_room.remove(&id);
        if let Some(ring) = &mut self.ring {
            ring.log_sync_ends(id, succeeded);
        }
    }

    /// A log is no more.
    pub(crate) fn forget(&mut self, id: LogId) {
        self.waiting.remove(&id);
        self.own.remove(&id);
        self.making_room.remove(&id);
        if let Some(ring) = &mut self.ring {
            ring.forget(id);
        }
    }
}

/// What there is to say of a log that does not come as far (`end`) as the write-ahead log had it.
pub(crate) fn missing(log: &Log, end: Option<i64>) -> Option<String> {
    let (end, found) = (end?, log.log_end_offset());
    (found < end).then(|| {
        format!(
            "the log ends at offset {found} and had come to {end}: it or the write-ahead log is damaged"
        )
    })
}

/// Puts back what there is of folders that no topic is known for, if they are there: they may stay.
pub(crate) fn redo_unknown(replay: &mut WalReplay, disk: &dyn Disk) -> Result<(), LogError> {
    let folders: Vec<String> = replay.folders().map(str::to_owned).collect();
    for folder in folders {
        let listed = disk.list(&folder);
        if listed.is_ok_and(|names| !names.is_empty()) {
            replay.redo(disk, &folder, 0)?;
        }
    }
    Ok(())
}

impl Broker {
    /// Has a ticket written if somebody waits for one, and logs synced that the ring would have to overtake.
    pub(crate) fn settle_wal(&mut self) {
        let Some(ring) = &mut self.wal.ring else { return };
        let growth = ring.grow();
        if !self.wal.syncing && !self.wal.waiting.is_empty() {
            self.wal.syncing = true;
            self.act(Action::Sync(SyncTask { work: Work::Wal { ticket: None } }));
        }
        if let Some(growth) = growth {
            self.act(Action::Sync(SyncTask { work: Work::WalGrowth { growth } }));
        }
        while self.wal.making_room.len() < MAKING_ROOM_MAX
            && let Some(id) = self.wal.ring.as_ref().and_then(Wal::overdue)
        {
            self.make_room(id);
        }
    }

    /// Has a log sync itself because the ring needs the room; if it cannot, the ring can never go on.
    fn make_room(&mut self, id: LogId) {
        let begun = self.begin_own_sync(id);
        let Some(log) = self.log_of(id) else { return self.wal.forget(id) };
        if log.poisoned().is_some() {
            let why = format!("{} cannot be synced", upkeep::name_of(self, id));
            self.without_ring(&why);
        } else if begun {
            self.wal.making_room.insert(id);
        } else if let Some(ring) = &mut self.wal.ring {
            // All of it is synced, by a sync that took more with it than it had begun with.
            ring.forget(id);
        }
    }

    fn without_ring(&mut self, why: &str) {
        if self.wal.ring.take().is_some() {
            self.notice(format!(
                "the write-ahead log is not written any more, every partition is synced alone: {why}"
            ));
            let waiting = std::mem::take(&mut self.wal.waiting);
            waiting.into_iter().for_each(|id| self.touch_log(id));
        }
    }

    /// Fills the ticket whose turn has come.
    pub(crate) fn fill_wal(&mut self, ticket: &mut Option<WalTicket<LogId>>) {
        let Some(mut ring) = self.wal.ring.take() else { return };
        let bytes_max = ring.part_bytes_max();
        let mut parts = Vec::new();
        for id in std::mem::take(&mut self.wal.waiting) {
            let Some(log) = self.log_of(id) else { continue };
            match log.begin_wal_part(bytes_max) {
                Some(part) => parts.push((id, part)),
                None => {
                    if log.is_wal_enough(bytes_max) {
                        self.wal.own.insert(id);
                    }
                    self.wal.left.push(id);
                }
            }
        }
        let (placed, left) = ring.place(parts);
        for (id, part) in left {
            if let Some(log) = self.log_of(id) {
                log.end_wal_part(&part, false);
            }
            self.wal.left.push(id);
            if placed.is_none() {
                // It would be left out the next time, too.
                self.wal.own.insert(id);
            }
        }
        *ticket = placed;
        self.wal.ring = Some(ring);
    }

    /// Takes the result of writing a ticket.
    pub(crate) fn wal_synced(&mut self, ticket: Option<WalTicket<LogId>>, result: io::Result<()>) {
        self.wal.syncing = false;
        for id in std::mem::take(&mut self.wal.left) {
            self.touch_log(id);
        }
        let Some(ticket) = ticket else { return };
        let parts = match &mut self.wal.ring {
            Some(ring) => ring.end(ticket),
            None => ticket.into_parts(),
        };
        for (id, part) in parts {
            if let Some(log) = self.log_of(id) {
                log.end_wal_part(&part, result.is_ok());
            }
            self.touch_log(id);
        }
        if let Err(e) = result {
            self.without_ring(&format!("a sync failed: {e}"));
        }
    }

    /// Takes the result of enlarging the ring.
    pub(crate) fn wal_grown(&mut self, growth: &WalGrowth, result: &io::Result<()>) {
        if let Some(ring) = &mut self.wal.ring {
            ring.grown(growth, result.is_ok());
        }
        if let Err(e) = result {
            self.notice(format!("the write-ahead log stays small: {e}"));
        }
    }
}
