//! What is done to logs by time and not by request: retention, rolls, syncs at an interval, compactions, and writing down how
//! far each log is synced.
//! Invariant: a log that may need something stands in `visits` at the time when it does, once; an idle broker wakes for nothing
//! else. Times of retention and rolls are rounded up to whole seconds, so that a thousand logs cost one wake-up. At most one
//! compaction runs, at most one file of recovery points is written.

use std::collections::BTreeSet;
use std::sync::Arc;

use mainstem_core::disk::Disk;
use mainstem_log::{CompactionJob, Durability, Log, LogError, Maintenance, SyncTicket};
use serde_json::json;

use crate::api::fetch;
use crate::call::{CompactTask, Compacted, SyncTask, Work};
use crate::journal::{Entries, Entry, Then};
use crate::recovery_points::Points;
use crate::topics::{self, LogId, TOPICS_FOLDER, Topic};
use crate::wal::WriteAhead;
use crate::wire::StrBytes;
use crate::{Action, Broker, ErrorCode};

/// Folders that the journal may have named before it was damaged.
const KEPT_FOLDER: &str = "kept-folder";
/// Retention and rolls happen within this time.
const GRID_MS: i64 = 1_000;
/// How long after its first append a log is looked at for a compaction; Kafka's `log.cleaner.backoff.ms`.
const COMPACTION_DELAY_MS: i64 = 15_000;
/// How often a compacted log is looked at when nothing is appended: markers and tombstones come of age.
const COMPACTION_IDLE_MS: i64 = 600_000;
/// How long a log whose disk failed is left alone.
const RETRY_MS: i64 = 60_000;
/// A log in which nothing happens is looked at ever more rarely, down to this; Kafka's `log.retention.check.interval.ms`.
const REST_MAX_MS: i64 = 300_000;
/// At most what is appended in this time is scanned after a crash.
const POINTS_INTERVAL_MS: i64 = 5_000;

/// What time brings to one log.
#[derive(Debug)]
pub(crate) struct Upkeep {
    /// When it stands in `visits`; `i64::MAX`: not at all.
    visit_ms: i64,
    /// When its interval sync is due.
    sync_ms: i64,
    /// When it is looked at for a compaction.
    compaction_ms: i64,
    /// Not maintained before this time: it was a moment ago, or it failed.
    rest_until_ms: i64,
    /// The last rest.
    rest_ms: i64,
    /// The end of the log when it was looked at last.
    seen_end: i64,
}

impl Default for Upkeep {
    fn default() -> Self {
        let never = i64::MAX;
        Self {
            visit_ms: never,
            sync_ms: never,
            compaction_ms: never,
            rest_until_ms: i64::MIN,
            rest_ms: 0,
            seen_end: -1,
        }
    }
}

impl Upkeep {
    /// Leaves a log alone for a while after the start: not all of them in the same second.
    pub(crate) fn rest_at_start(&mut self, log: &Log, now_ms: i64, nth: usize) {
        let spread_ms = i64::try_from(nth % 60).unwrap_or(0) * GRID_MS;
        self.seen_end = log.log_end_offset();
        self.rest_until_ms = now_ms.saturating_add(GRID_MS).saturating_add(spread_ms);
    }

    /// Begins the sync that is due: at once, or for a log with an interval when that is over. `None` also for what waits for the
    /// write-ahead log.
    pub(crate) fn begin_sync(
        &mut self,
        id: LogId,
        log: &mut Log,
        syncing: &mut bool,
        wal: &mut WriteAhead,
        now_ms: i64,
    ) -> Option<SyncTicket> {
        if log.poisoned().is_some() {
            // What was due will never be done.
            self.sync_ms = i64::MAX;
        }
        if !log.needs_sync() || wal.takes(id, log) || *syncing {
            return None;
        }
        if let Durability::Interval { ms } = log.settings().durability {
            if self.sync_ms == i64::MAX {
                self.sync_ms = now_ms.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX));
            }
            if self.sync_ms > now_ms {
                return None;
            }
        }
        self.sync_ms = i64::MAX;
        let ticket = log.begin_sync()?;
        *syncing = true;
        wal.own_sync_begins(id);
        Some(ticket)
    }

    fn next_visit_ms(&self, log: &Log, now_ms: i64) -> i64 {
        let kept = match log.next_maintenance_ms() {
            i64::MAX => i64::MAX,
            at => on_grid(at.max(now_ms).max(self.rest_until_ms)),
        };
        kept.min(self.sync_ms).min(self.compaction_ms)
    }
}

fn on_grid(at_ms: i64) -> i64 {
    at_ms.saturating_add(GRID_MS - 1).div_euclid(GRID_MS).saturating_mul(GRID_MS)
}

/// All that is done by time.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    by_time: BTreeSet<(i64, LogId)>,
    compacting: Option<LogId>,
    /// When the recovery points are written next, if anything has changed.
    points_ms: Option<i64>,
    writing_points: bool,
}

impl Visits {
    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        let visit = self.by_time.first().map(|(at, _)| *at);
        let points = self.points_ms.filter(|_| !self.writing_points);
        visit.into_iter().chain(points).min()
    }

    fn overdue(&self, now_ms: i64) -> Option<LogId> {
        self.by_time.first().filter(|(at, _)| *at <= now_ms).map(|(_, log)| *log)
    }

    /// Some log is synced further than the file of recovery points says.
    pub(crate) fn points_moved(&mut self, now_ms: i64) {
        self.points_ms.get_or_insert(now_ms.saturating_add(POINTS_INTERVAL_MS));
    }

    fn put(&mut self, log: LogId, upkeep: &mut Upkeep, at_ms: i64) {
        if upkeep.visit_ms != i64::MAX {
            self.by_time.remove(&(upkeep.visit_ms, log));
        }
        upkeep.visit_ms = at_ms;
        if at_ms != i64::MAX {
            self.by_time.insert((at_ms, log));
        }
    }
}

/// The log of an id, unless it was deleted, with what belongs to its upkeep.
fn parts(broker: &mut Broker, id: LogId) -> Option<(&mut Log, &mut Upkeep, &mut Visits)> {
    let visits = &mut broker.visits;
    match id {
        LogId::Journal => Some((&mut broker.journal.log, &mut broker.journal.upkeep, visits)),
        LogId::Partition(topic, index) => {
            let partition = broker.topics.partition_of(topic, index)?;
            Some((&mut partition.log, &mut partition.upkeep, visits))
        }
    }
}

/// To be called whenever a log has changed: sees to it that the log is visited when it has to be.
pub(crate) fn plan(broker: &mut Broker, id: LogId) {
    let now_ms = broker.now_ms;
    let Some((log, upkeep, visits)) = parts(broker, id) else { return };
    if upkeep.compaction_ms == i64::MAX
        && log.settings().cleanup.compacts()
        && log.log_end_offset() > log.log_start_offset()
        && visits.compacting != Some(id)
    {
        upkeep.compaction_ms = now_ms.saturating_add(COMPACTION_DELAY_MS);
    }
    let end = log.log_end_offset();
    if upkeep.seen_end != end {
        upkeep.seen_end = end;
        upkeep.rest_ms = 0;
        if upkeep.compaction_ms != i64::MAX {
            let soon_ms = now_ms.saturating_add(COMPACTION_DELAY_MS);
            upkeep.compaction_ms = upkeep.compaction_ms.min(soon_ms);
        }
        upkeep.rest_until_ms = upkeep.rest_until_ms.min(now_ms.saturating_add(GRID_MS));
    }
    let at_ms = upkeep.next_visit_ms(log, now_ms);
    // A visit that comes too early finds nothing to do and plans again: cheaper than to move it with every append.
    if at_ms < upkeep.visit_ms {
        visits.put(id, upkeep, at_ms);
    }
}

/// Does what time has come for.
pub(crate) fn tick(broker: &mut Broker) {
    let now_ms = broker.now_ms;
    while let Some(id) = broker.visits.overdue(now_ms) {
        visit(broker, id);
    }
    if broker.visits.points_ms.is_some_and(|at| at <= now_ms) && !broker.visits.writing_points {
        broker.visits.points_ms = None;
        broker.visits.writing_points = true;
        let (disk, points) = (Arc::clone(&broker.disk), points(broker, false));
        broker.act(Action::Sync(SyncTask { work: Work::RecoveryPoints { disk, points } }));
    }
}

fn visit(broker: &mut Broker, id: LogId) {
    let now_ms = broker.now_ms;
    let Some((log, upkeep, visits)) = parts(broker, id) else {
        broker.visits.by_time.retain(|(_, log)| *log != id);
        return;
    };
    visits.put(id, upkeep, i64::MAX);
    let mut failed = None;
    if log.next_maintenance_ms() <= now_ms && upkeep.rest_until_ms <= now_ms {
        let done = log.maintain(now_ms);
        upkeep.rest_ms = match &done {
            Ok(done) if *done != Maintenance::default() => GRID_MS,
            Ok(_) => (upkeep.rest_ms * 2).clamp(GRID_MS, REST_MAX_MS),
            Err(_) => RETRY_MS,
        };
        upkeep.rest_until_ms = now_ms.saturating_add(upkeep.rest_ms);
        upkeep.seen_end = log.log_end_offset();
        failed = done.err();
    }
    let job = match begin_compaction(log, upkeep, visits.compacting.is_some(), now_ms) {
        Ok(job) => job,
        Err(e) => {
            failed = Some(e);
            None
        }
    };
    if let Some(job) = job {
        broker.visits.compacting = Some(id);
        broker.act(Action::Compact(CompactTask { log: id, job }));
    }
    if let Some(e) = failed {
        let notice = format!("upkeep of {} failed: {}", name_of(broker, id), with_cause(&e));
        broker.notice(notice);
    }
    // Settling plans the next visit, and syncs what upkeep left to be synced.
    broker.touch_log(id);
}

/// Begins the compaction of a log if one is due, and says when it is to be looked at again.
fn begin_compaction(
    log: &mut Log,
    upkeep: &mut Upkeep,
    one_runs: bool,
    now_ms: i64,
) -> Result<Option<CompactionJob>, LogError> {
    if upkeep.compaction_ms > now_ms {
        return Ok(None);
    }
    upkeep.compaction_ms = i64::MAX;
    if !log.settings().cleanup.compacts() {
        return Ok(None);
    }
    if one_runs {
        upkeep.compaction_ms = now_ms.saturating_add(COMPACTION_DELAY_MS);
        return Ok(None);
    }
    let job = log.begin_compaction(now_ms);
    if !matches!(job, Ok(Some(_))) {
        upkeep.compaction_ms = now_ms.saturating_add(COMPACTION_IDLE_MS);
    }
    job
}

/// What an operator calls a log.
pub(crate) fn name_of(broker: &Broker, id: LogId) -> String {
    match id {
        LogId::Journal => "the journal".to_owned(),
        LogId::Partition(topic, index) => match broker.topics.name_of(topic) {
            Some(name) => format!("{name}-{index}"),
            None => format!("a deleted topic-{index}"),
        },
    }
}

pub(crate) fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A compaction is over.
pub(crate) fn compacted(broker: &mut Broker, done: Compacted) {
    let id = done.log;
    broker.visits.compacting = None;
    let Some((log, _, _)) = parts(broker, id) else { return };
    if let Err(e) = log.end_compaction(done.result) {
        let name = name_of(broker, id);
        broker.notice(format!("the compaction of {name} failed: {}", with_cause(&e)));
    }
    broker.touch_log(id);
}

/// The recovery points were written, or not.
pub(crate) fn points_written(broker: &mut Broker, failed: Option<&str>) {
    broker.visits.writing_points = false;
    if let Some(why) = failed {
        broker.notice(format!("recovery points cannot be written, a start may take longer: {why}"));
        let again_ms = broker.now_ms.saturating_add(RETRY_MS);
        broker.visits.points_ms = Some(again_ms);
    }
}

/// How far every log is synced.
pub(crate) fn points(broker: &Broker, clean: bool) -> Points {
    let partitions = broker.topics.iter().flat_map(|topic| {
        let logs = topic.partitions.iter().zip(0..);
        logs.map(|(partition, index)| (LogId::Partition(topic.id, index), &partition.log))
    });
    let all = partitions.chain([(LogId::Journal, &broker.journal.log)]);
    let offsets = all.map(|(id, log)| (id, log.recovery_point())).filter(|(_, at)| *at > 0);
    Points { clean, offsets: offsets.collect() }
}

/// The notices of the start are out: what they said of cuts need not be said again.
pub(crate) fn cuts_are_told(broker: &mut Broker) {
    if !std::mem::take(&mut broker.cuts_untold) {
        return;
    }
    let partitions = broker.topics.iter_mut().flat_map(|topic| topic.partitions.iter_mut());
    let logs = partitions.map(|partition| &mut partition.log);
    let failed: Vec<LogError> =
        logs.chain([&mut broker.journal.log]).filter_map(|log| log.cut_is_told().err()).collect();
    for e in failed {
        let why = with_cause(&e);
        broker.notice(format!("the next start tells again of a cut that this one told of: {why}"));
    }
}

/// Takes a topic out: what waits for it is answered, its files go once the journal has forgotten it durably.
pub(crate) fn remove_topic(broker: &mut Broker, name: &StrBytes) -> Option<Topic> {
    let mut topic = broker.topics.remove(name)?;
    let code = ErrorCode::UnknownTopicOrPartition;
    for (partition, index) in topic.partitions.iter_mut().zip(0..) {
        let id = LogId::Partition(topic.id, index);
        broker.visits.put(id, &mut partition.upkeep, i64::MAX);
        broker.wal.forget(id);
        // Decisions of transactions may wait for it.
        broker.touch_log(id);
        for to in partition.give_up() {
            if let Some(response) = broker.waiting.not_produced(to, name, index, code) {
                broker.respond(to, response.into());
            }
        }
        for waiting in std::mem::take(&mut partition.watchers) {
            fetch::try_answer(broker, waiting);
        }
    }
    broker.after_journal(Then::RemoveFolder(topic.folder()));
    Some(topic)
}

/// Puts changed configurations in force in the logs of one topic, or of all.
pub(crate) fn apply_settings(broker: &mut Broker, name: Option<&StrBytes>) {
    let mut changed = Vec::new();
    for topic in broker.topics.iter_mut() {
        if name.is_some_and(|name| topic.name != *name) {
            continue;
        }
        let settings = broker.configs.log_settings(&topic.overrides);
        for (partition, index) in topic.partitions.iter_mut().zip(0..) {
            if *partition.log.settings() != settings {
                partition.log.set_settings(settings.clone());
                changed.push(LogId::Partition(topic.id, index));
            }
        }
    }
    for id in changed {
        broker.touch_log(id);
    }
}

/// Removes the folders of topics that the journal does not know: deleted, or never promised to anybody.
/// Where the journal is not whole, they may have been promised, and stay: the journal keeps in mind that they do
/// (`["kept-folder", name]`), because with the next start it is whole again.
pub(crate) fn tidy_folders(
    broker: &mut Broker,
    whole: bool,
    entries: &Entries,
) -> Result<Vec<String>, LogError> {
    let kept = entries.values().filter(|(key, _)| key[0] == KEPT_FOLDER);
    let kept: BTreeSet<&str> = kept.filter_map(|(key, _)| key[1].as_str()).collect();
    let topics = broker.topics.iter().map(|topic| topics::hex(topic.id));
    let topics: BTreeSet<String> = topics.collect();
    let mut notices = Vec::new();
    let listed = match broker.disk.list(TOPICS_FOLDER) {
        Ok(listed) => listed,
        Err(e) => return Ok(vec![format!("folders of no topic stay: {e}")]),
    };
    let orphans = listed.into_iter().filter(|name| !topics.contains(name));
    let (stay, go): (Vec<String>, Vec<String>) =
        orphans.partition(|name| !whole || kept.contains(&**name));
    for name in &stay {
        notices.push(format!("the folder {name} belongs to no topic that the journal names"));
    }
    let new: Vec<Entry> = stay
        .iter()
        .filter(|name| !kept.contains(&***name))
        .map(|name| (json!([KEPT_FOLDER, name]), Some(json!({"v": 1}))))
        .collect();
    if !new.is_empty() {
        broker.journal.append_durably(&new, broker.now_ms)?;
    }
    match remove_folders(&*broker.disk, &go) {
        Ok(()) => {
            let said = |name| format!("the folder {name} belonged to no topic and was removed");
            notices.extend(go.into_iter().map(said));
        }
        Err(e) => notices.push(format!("folders of no topic stay: {e}")),
    }
    Ok(notices)
}

fn remove_folders(disk: &dyn Disk, names: &[String]) -> std::io::Result<()> {
    for name in names {
        disk.remove_folder(&format!("{TOPICS_FOLDER}/{name}"))?;
    }
    if names.is_empty() { Ok(()) } else { disk.sync_folder(TOPICS_FOLDER) }
}
