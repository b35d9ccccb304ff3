//! The broker: all state, and the few ways in.
//! Invariant: each way in ends in `settle`, which starts the syncs that are needed, releases what has become durable and
//! wakes the fetches that can see more. `now_ms` is an argument of every way in and never goes back inside.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use mainstem_core::clock::Rng;
use mainstem_core::disk::Disk;
use mainstem_log::{Log, LogError, SideFiles, SyncTicket, WalReplay};
use serde_json::{Value, json};

use crate::api::{self, Reply, fetch};
use crate::call::{Compacted, Work};
use crate::config::BrokerConfigs;
use crate::group::{self, Groups};
use crate::journal::{self, Entry, Journal, Then};
use crate::partition::Partition;
use crate::recovery_points::Points;
use crate::shutdown;
use crate::topics::{self, LogId, Topic, Topics};
use crate::transaction::{self, Transactions};
use crate::upkeep::{self, Visits};
use crate::waiting::Waiting;
use crate::wal::{self, WriteAhead};
use crate::wire::{StrBytes, Uuid};
use crate::{
    Action, Call, ConnectionId, ErrorCode, Request, RequestId, Response, Settings, SyncTask,
};

/// The state of one broker, and its meaning.
#[derive(Debug)]
pub struct Broker {
    /// In force now: what it was started with, and what was altered since.
    pub(crate) settings: Settings,
    pub(crate) configs: BrokerConfigs,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) rng: Rng,
    pub(crate) now_ms: i64,
    pub(crate) cluster_id: StrBytes,
    pub(crate) topics: Topics,
    pub(crate) journal: Journal,
    pub(crate) wal: WriteAhead,
    pub(crate) waiting: Waiting,
    pub(crate) visits: Visits,
    pub(crate) counters: Counters,
    pub(crate) groups: Groups,
    pub(crate) transactions: Transactions,
    touched: BTreeSet<LogId>,
    /// What was cut off some log is told by the notices of this start, and noted until they are out.
    pub(crate) cuts_untold: bool,
    /// Partitions whose producers wait for the journal to have their topic.
    unpromised: BTreeSet<LogId>,
    actions: Vec<Action>,
}

/// What happened that nobody was answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Batches that were refused and whose producer did not want to know (acks=0).
    pub refused_unanswered: u64,
}

/// A broker that was opened, and what there is to say about it.
#[derive(Debug)]
pub struct Opened {
    /// The broker, ready for requests.
    pub broker: Broker,
    /// What was repaired, a line each. They count as told with the first [`Broker::tick`]: a start that does not come so far
    /// leaves them to the next one.
    pub notices: Vec<String>,
}

impl Broker {
    /// Opens what is on the disk, or begins anew.
    pub fn open(
        settings: Settings,
        disk: Arc<dyn Disk>,
        rng: Rng,
        now_ms: i64,
    ) -> Result<Opened, LogError> {
        let mut notices = Vec::new();
        let points = shutdown::begin(&disk, &mut notices)?;
        let mut replay = match points.clean {
            true => WalReplay::default(),
            false => WalReplay::read(&*disk)?,
        };
        notices.extend(replay.damage().map(str::to_owned));
        let (recovery_point, clean) = points.trusted(LogId::Journal);
        let end = replay.redo(&*disk, journal::FOLDER, recovery_point)?;
        let (journal, entries, recovery) =
            Journal::open(Arc::clone(&disk), recovery_point, clean, now_ms)?;
        let missing = wal::missing(&journal.log, end);
        let whole = recovery.truncated_bytes == 0 && missing.is_none() && replay.damage().is_none();
        let said = recovery.reason.into_iter().chain(missing);
        notices.extend(said.map(|reason| format!("journal: {reason}")));
        let mut broker = Self {
            configs: BrokerConfigs::new(settings.clone()),
            settings,
            disk,
            rng,
            now_ms,
            cluster_id: StrBytes::default(),
            topics: Topics::default(),
            journal,
            wal: WriteAhead::default(),
            waiting: Waiting::default(),
            visits: Visits::default(),
            counters: Counters::default(),
            groups: Groups::default(),
            transactions: Transactions::default(),
            touched: BTreeSet::new(),
            cuts_untold: true,
            unpromised: BTreeSet::new(),
            actions: Vec::new(),
        };
        let mut understood = true;
        for (key, value) in entries.values() {
            understood &= broker.restore(key, value, &points, &mut replay, &mut notices)?;
        }
        shutdown::distrust(&broker, &points)?;
        // A journal that lost entries is no reason to lose the records that they named; and one that knows of no broker yet may
        // have lost all of them.
        let known = !broker.cluster_id.is_empty();
        let whole = whole && understood && known;
        if !whole {
            wal::redo_unknown(&mut replay, &*broker.disk)?;
        }
        // All that it had is in the logs; and nothing is appended to them before.
        broker.wal = WriteAhead::begin(&*broker.disk, broker.settings.wal, &mut notices)?;
        if broker.cluster_id.is_empty() {
            let id = topics::hex(broker.new_id());
            broker.cluster_id = StrBytes::from(&*id);
            let _ = broker.record(&[(json!(["cluster"]), Some(json!({"v": 1, "id": id})))]);
        }
        notices.extend(upkeep::tidy_folders(&mut broker, whole, &entries)?);
        transaction::resume(&mut broker, &mut notices);
        Ok(Opened { broker, notices })
    }

    /// Takes back an entry of the journal; false if it is not understood. Entries come in the order of their keys.
    fn restore(
        &mut self,
        key: &Value,
        value: &Value,
        points: &Points,
        replay: &mut WalReplay,
        notices: &mut Vec<String>,
    ) -> Result<bool, LogError> {
        let now_ms = self.now_ms;
        let understood = match key[0].as_str() {
            Some("group" | "offset" | "staged") => {
                self.groups.restore(key, value, &self.settings, now_ms).is_some()
            }
            Some("transaction") => self.transactions.restore(key, value).is_some(),
            Some("producer-ids") => self.transactions.restore_producer_ids(value).is_some(),
            // Before the topics, by the order of the keys.
            Some("broker_config") => {
                self.configs.restore(key, value);
                self.settings = self.configs.settings();
                true
            }
            Some("topic") => self.restore_topic(key, value, points, replay, notices)?,
            Some("cluster") => {
                self.cluster_id = value["id"].as_str().unwrap_or("").into();
                true
            }
            _ => true,
        };
        if !understood {
            notices.push(format!("journal: an entry that is not understood is kept: {key}"));
        }
        Ok(understood)
    }

    fn restore_topic(
        &mut self,
        key: &Value,
        value: &Value,
        points: &Points,
        replay: &mut WalReplay,
        notices: &mut Vec<String>,
    ) -> Result<bool, LogError> {
        let Some(stored) = topics::stored(key, value) else { return Ok(false) };
        let settings = self.configs.log_settings(&stored.overrides);
        let mut topic = Topic {
            id: stored.id,
            name: stored.name,
            partitions: Vec::new(),
            folder_synced: false,
            overrides: stored.overrides,
        };
        for index in 0..stored.partitions {
            let folder = format!("{}/{index}", topic.folder());
            let id = LogId::Partition(topic.id, i32::try_from(index).unwrap_or(i32::MAX));
            let (recovery_point, clean) = points.trusted(id);
            let end = replay.redo(&*self.disk, &folder, recovery_point)?;
            let (log, recovery) = Log::open(
                Arc::clone(&self.disk),
                &folder,
                settings.clone(),
                recovery_point,
                clean,
                self.now_ms,
            )?;
            self.touched.insert(id);
            let said = recovery.reason.into_iter().chain(wal::missing(&log, end));
            notices.extend(said.map(|reason| format!("{}-{index}: {reason}", topic.name)));
            let mut partition = Partition::new(log);
            partition.upkeep.rest_at_start(&partition.log, self.now_ms, self.touched.len());
            topic.partitions.push(partition);
        }
        self.topics.insert(topic);
        Ok(true)
    }

    /// A random id, of version 4.
    pub(crate) fn new_id(&mut self) -> Uuid {
        let (high, low) = (self.rng.next_u64(), self.rng.next_u64());
        Uuid::from_bytes(*uuid::Uuid::from_u64_pair(high, low).as_bytes())
    }

    /// Takes a request; its answer is among the actions of this or of a later call.
    pub fn handle(&mut self, now_ms: i64, call: &Call, request: Request) -> Vec<Action> {
        self.now_ms = self.now_ms.max(now_ms);
        if let Reply::Now(response) = api::dispatch(self, call, request) {
            self.respond(call.id, response);
        }
        self.settle()
    }

    /// To be called when the turn of a sync has come, before it runs: it covers what was appended until then.
    pub fn prepare_sync(&mut self, task: &mut SyncTask) {
        match &mut task.work {
            Work::Log { log, ticket, .. } => {
                if let Some(log) = self.log_of(*log) {
                    log.extend_sync(ticket);
                }
            }
            Work::Wal { ticket } => self.fill_wal(ticket),
            _ => {}
        }
    }

    /// The log of an id, unless it was deleted.
    pub(crate) fn log_of(&mut self, id: LogId) -> Option<&mut Log> {
        match id {
            LogId::Journal => Some(&mut self.journal.log),
            LogId::Partition(topic, index) => {
                let partition = self.topics.partition_of(topic, index);
                partition.map(|partition| &mut partition.log)
            }
        }
    }

    /// Takes the result of a sync.
    pub fn synced(&mut self, now_ms: i64, task: SyncTask, result: io::Result<()>) -> Vec<Action> {
        self.now_ms = self.now_ms.max(now_ms);
        let failed = result.as_ref().err().map(ToString::to_string);
        match task.work {
            Work::Log { log: LogId::Journal, ticket, .. } => {
                self.journal.syncing = false;
                let files = self.journal.log.end_sync(ticket, result);
                self.store(LogId::Journal, files);
                // It may have been poisoned while the sync ran: then nothing will ever be durable either.
                let poisoned = self.journal.log.poisoned().map(str::to_owned);
                let synced = failed.is_none() && poisoned.is_none();
                self.wal.own_sync_ends(LogId::Journal, synced);
                if let Some(why) = failed.or(poisoned) {
                    self.journal_failed(&why);
                }
                self.synced_further(LogId::Journal);
            }
            Work::Log { log: log @ LogId::Partition(topic, index), ticket, names } => {
                let Some(partition) = self.topics.partition_of(topic, index) else {
                    return self.settle();
                };
                partition.syncing = false;
                let files = partition.log.end_sync(ticket, result);
                let poisoned = partition.log.poisoned().map(str::to_owned);
                self.wal.own_sync_ends(log, failed.is_none() && poisoned.is_none());
                self.store(log, files);
                match failed.or(poisoned) {
                    Some(why) => self.partition_failed(topic, index, &why),
                    None if names.is_some() => self.topics.folder_synced(topic),
                    None => {}
                }
                self.synced_further(log);
            }
            Work::Wal { ticket } => self.wal_synced(ticket, result),
            Work::WalGrowth { growth } => self.wal_grown(&growth, &result),
            Work::SideFiles { log, files } => {
                if let Some(log) = self.log_of(log) {
                    log.end_side_files(&files, &result);
                }
            }
            Work::RecoveryPoints { .. } => upkeep::points_written(self, failed.as_deref()),
            Work::RemoveFolder { folder, .. } => {
                if let Some(why) = failed {
                    self.notice(format!("the folder {folder} of a deleted topic stays: {why}"));
                }
            }
        }
        self.settle()
    }

    fn store(&mut self, log: LogId, files: Option<SideFiles>) {
        if let Some(files) = files {
            self.act(Action::Sync(SyncTask { work: Work::SideFiles { log, files } }));
        }
    }

    fn synced_further(&mut self, log: LogId) {
        self.visits.points_moved(self.now_ms);
        self.touched.insert(log);
    }

    /// Takes the result of a compaction.
    pub fn compacted(&mut self, now_ms: i64, done: Compacted) -> Vec<Action> {
        self.now_ms = self.now_ms.max(now_ms);
        upkeep::compacted(self, done);
        self.settle()
    }

    /// What happened that nobody was answered.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn journal_failed(&mut self, why: &str) {
        if !std::mem::replace(&mut self.journal.complained, true) {
            self.notice(format!("the journal cannot be synced, nothing more is changed: {why}"));
        }
        for then in self.journal.give_up() {
            match then {
                Then::Respond(to, _) => self.actions.push(Action::Disconnect { to }),
                // The journal still has the topic: it comes back with the next start.
                Then::RemoveFolder(_) => {}
                Then::EndTransaction { asked_by, .. } => {
                    self.actions.extend(asked_by.map(|to| Action::Disconnect { to }));
                }
            }
        }
    }

    fn partition_failed(&mut self, topic: Uuid, index: i32, why: &str) {
        let Some(name) = self.topics.name_of(topic).cloned() else { return };
        let Some(partition) = self.topics.partition_of(topic, index) else { return };
        let complains = !std::mem::replace(&mut partition.complained, true);
        for to in partition.give_up() {
            let code = ErrorCode::KafkaStorageError;
            if let Some(response) = self.waiting.not_produced(to, &name, index, code) {
                self.respond(to, response.into());
            }
        }
        if complains {
            let notice =
                format!("{name}-{index} cannot be synced, it takes no more records: {why}");
            self.notice(notice);
        }
    }

    /// Does what time has come for; to be called at [`Self::next_deadline_ms`] or soon after.
    pub fn tick(&mut self, now_ms: i64) -> Vec<Action> {
        self.now_ms = self.now_ms.max(now_ms);
        upkeep::cuts_are_told(self);
        while let Some(id) = self.waiting.overdue(self.now_ms) {
            fetch::answer_now(self, id);
        }
        upkeep::tick(self);
        group::tick(self);
        transaction::tick(self);
        self.settle()
    }

    /// When [`Self::tick`] has something to do next.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        // What was done while opening is settled by the first call.
        let unsettled = (!self.touched.is_empty()).then_some(self.now_ms);
        let deadlines = [
            unsettled,
            self.waiting.next_deadline_ms(),
            self.visits.next_deadline_ms(),
            self.groups.next_deadline_ms(),
            self.transactions.next_deadline_ms(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Forgets what a connection waits for.
    pub fn closed(&mut self, now_ms: i64, connection: ConnectionId) -> Vec<Action> {
        self.now_ms = self.now_ms.max(now_ms);
        for id in self.waiting.fetches_of(connection) {
            fetch::forget(self, id);
        }
        self.waiting.produces.retain(|_, produce| produce.connection != connection);
        self.settle()
    }

    /// Ends the connection of a request that cannot be answered truly.
    pub(crate) fn disconnect(&mut self, to: RequestId) {
        self.actions.push(Action::Disconnect { to });
    }

    pub(crate) fn respond(&mut self, to: RequestId, response: Response) {
        self.actions.push(Action::Respond { to, response });
    }

    /// Appends to the journal; in force at once, durable later.
    pub(crate) fn record(&mut self, entries: &[Entry]) -> Result<(), ErrorCode> {
        self.journal.append(entries, self.now_ms)?;
        self.touched.insert(LogId::Journal);
        Ok(())
    }

    /// Does something once everything recorded so far is durable.
    pub(crate) fn after_journal(&mut self, then: Then) {
        self.journal.after(then);
        self.touched.insert(LogId::Journal);
    }

    /// Tells the operator.
    pub(crate) fn notice(&mut self, said: String) {
        self.actions.push(Action::Notice(said));
    }

    /// Answers once everything recorded so far is durable.
    pub(crate) fn respond_durably(
        &mut self,
        to: RequestId,
        response: impl Into<Response>,
    ) -> Reply {
        self.after_journal(Then::Respond(to, response.into()));
        Reply::Later
    }

    /// Answers a request that changes topics, by the codes of its results. What depends on which topics there are is said once that
    /// is durable: a topic that exists, or is gone, must not be otherwise after a crash.
    pub(crate) fn respond_of_topics(
        &mut self,
        to: RequestId,
        response: impl Into<Response>,
        codes: &[i16],
    ) -> Reply {
        let of_existence = [
            ErrorCode::None,
            ErrorCode::TopicAlreadyExists,
            ErrorCode::UnknownTopicOrPartition,
            ErrorCode::UnknownTopicId,
            ErrorCode::InvalidPartitions,
        ];
        match of_existence.iter().any(|code| codes.contains(&code.code())) {
            true => self.respond_durably(to, response),
            false => response.into().into(),
        }
    }

    /// To be called after every append to a partition.
    pub(crate) fn touch(&mut self, topic: Uuid, partition: i32) {
        self.touched.insert(LogId::Partition(topic, partition));
    }

    /// A log has changed in some way.
    pub(crate) fn touch_log(&mut self, log: LogId) {
        self.touched.insert(log);
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(crate) fn settle(&mut self) -> Vec<Action> {
        loop {
            while let Some(log) = self.touched.pop_first() {
                match log {
                    LogId::Journal => self.settle_journal(),
                    LogId::Partition(topic, index) => self.settle_partition(topic, index),
                }
            }
            self.settle_wal();
            if self.touched.is_empty() {
                return std::mem::take(&mut self.actions);
            }
        }
    }

    fn settle_journal(&mut self) {
        while let Some(then) = self.journal.due() {
            match then {
                Then::Respond(to, response) => self.respond(to, response),
                Then::RemoveFolder(folder) => {
                    let work = Work::RemoveFolder { disk: Arc::clone(&self.disk), folder };
                    self.act(Action::Sync(SyncTask { work }));
                }
                Then::EndTransaction { id, asked_by } => {
                    transaction::carry_out(self, &id, asked_by);
                }
            }
        }
        let (now_ms, id) = (self.now_ms, LogId::Journal);
        let Journal { log, syncing, upkeep, .. } = &mut self.journal;
        let ticket = upkeep.begin_sync(id, log, syncing, &mut self.wal, now_ms);
        self.sync(id, ticket);
        if let (Some(why), false) = (self.journal.log.poisoned(), self.journal.syncing)
            && self.journal.is_waited_for()
        {
            let why = why.to_owned();
            self.journal_failed(&why);
        }
        self.touched.append(&mut self.unpromised);
        upkeep::plan(self, LogId::Journal);
    }

    /// Has a log sync itself, whatever waits for that; false if there is nothing to sync, or if it cannot be.
    pub(crate) fn begin_own_sync(&mut self, id: LogId) -> bool {
        let (log, syncing) = match id {
            LogId::Journal => (&mut self.journal.log, &mut self.journal.syncing),
            LogId::Partition(topic, index) => match self.topics.partition_of(topic, index) {
                Some(Partition { log, syncing, .. }) => (log, syncing),
                None => return false,
            },
        };
        let ticket = log.begin_sync();
        *syncing |= ticket.is_some();
        if ticket.is_some() {
            self.wal.own_sync_begins(id);
        }
        self.sync(id, ticket)
    }

    fn sync(&mut self, log: LogId, ticket: Option<SyncTicket>) -> bool {
        let Some(ticket) = ticket else { return false };
        let names = match log {
            LogId::Journal => None,
            LogId::Partition(topic, _) => {
                self.topics.is_folder_unsynced(topic).then(|| Arc::clone(&self.disk))
            }
        };
        self.act(Action::Sync(SyncTask { work: Work::Log { log, ticket, names } }));
        true
    }

    fn settle_partition(&mut self, topic: Uuid, index: i32) {
        let now_ms = self.now_ms;
        let id = LogId::Partition(topic, index);
        transaction::log_moved(self, id);
        let Some(partition) = self.topics.partition_of(topic, index) else { return };
        let Partition { log, syncing, upkeep, .. } = partition;
        let ticket = upkeep.begin_sync(id, log, syncing, &mut self.wal, now_ms);
        self.sync(id, ticket);
        let Some(partition) = self.topics.partition_of(topic, index) else { return };
        let promised = partition.is_promised(self.journal.log.high_watermark());
        if !promised && (partition.is_waited_for() || !partition.watchers.is_empty()) {
            self.unpromised.insert(id);
        }
        while promised && let Some(to) = partition.acked() {
            if let Some(response) = self.waiting.produced(to) {
                self.actions.push(Action::Respond { to, response: response.into() });
            }
        }
        let journal = self.journal.log.poisoned().filter(|_| !promised);
        if let (Some(why), false) = (partition.log.poisoned().or(journal), partition.syncing)
            && partition.is_waited_for()
        {
            let why = why.to_owned();
            self.partition_failed(topic, index, &why);
        }
        let Some(partition) = self.topics.partition_of(topic, index) else { return };
        if promised && partition.moved() {
            for id in partition.watchers.clone() {
                fetch::try_answer(self, id);
            }
        }
        upkeep::plan(self, id);
    }
}
