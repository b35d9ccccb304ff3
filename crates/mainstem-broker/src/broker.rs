//! The broker: all state, and the few ways in.
//! Invariant: each way in ends in `settle`, which starts the syncs that are needed, releases what has become durable and
//! wakes the fetches that can see more. `now_ms` is an argument of every way in and never goes back inside.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use mainstem_core::clock::Rng;
use mainstem_core::disk::Disk;
use mainstem_log::{Log, LogError};
use serde_json::json;

use crate::api::{self, Reply, fetch};
use crate::group::{self, Groups};
use crate::journal::{Entry, Journal, Then};
use crate::topics::{self, LogId, Topic, Topics};
use crate::waiting::Waiting;
use crate::wire::{StrBytes, Uuid};
use crate::{
    Action, Call, ConnectionId, ErrorCode, Request, RequestId, Response, Settings, SyncTask,
};

/// The state of one broker, and its meaning.
#[derive(Debug)]
pub struct Broker {
    pub(crate) settings: Settings,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) rng: Rng,
    pub(crate) now_ms: i64,
    pub(crate) cluster_id: StrBytes,
    pub(crate) topics: Topics,
    pub(crate) journal: Journal,
    pub(crate) waiting: Waiting,
    pub(crate) groups: Groups,
    touched: BTreeSet<LogId>,
    actions: Vec<Action>,
}

/// A broker that was opened, and what there is to say about it.
#[derive(Debug)]
pub struct Opened {
    /// The broker, ready for requests.
    pub broker: Broker,
    /// What was repaired, a line each.
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
        let clean = false;
        let (journal, entries, recovery) = Journal::open(Arc::clone(&disk), clean, now_ms)?;
        let mut notices = Vec::new();
        notices.extend(recovery.reason.map(|reason| format!("journal: {reason}")));
        let mut broker = Self {
            settings,
            disk,
            rng,
            now_ms,
            cluster_id: StrBytes::default(),
            topics: Topics::default(),
            journal,
            waiting: Waiting::default(),
            groups: Groups::default(),
            touched: BTreeSet::new(),
            actions: Vec::new(),
        };
        for (key, value) in entries.values() {
            match key[0].as_str() {
                Some("offset" | "staged") => {
                    if broker.groups.restore(key, value, &broker.settings, now_ms).is_none() {
                        notices.push(format!("journal: an entry that is not understood: {key}"));
                    }
                }
                Some("topic") => broker.restore_topic(key, value, &mut notices)?,
                Some("cluster") => broker.cluster_id = value["id"].as_str().unwrap_or("").into(),
                _ => {}
            }
        }
        if broker.cluster_id.is_empty() {
            let id = topics::hex(broker.new_id());
            broker.cluster_id = StrBytes::from(&*id);
            let _ = broker.record(&[(json!(["cluster"]), Some(json!({"v": 1, "id": id})))]);
        }
        Ok(Opened { broker, notices })
    }

    fn restore_topic(
        &mut self,
        key: &serde_json::Value,
        value: &serde_json::Value,
        notices: &mut Vec<String>,
    ) -> Result<(), LogError> {
        let Some(stored) = topics::stored(key, value) else {
            notices.push(format!("journal: an entry that is not understood is kept: {key}"));
            return Ok(());
        };
        let settings = topics::log_settings(&self.settings, &stored.overrides);
        let mut topic = Topic {
            id: stored.id,
            name: stored.name,
            partitions: Vec::new(),
            overrides: stored.overrides,
        };
        for index in 0..stored.partitions {
            let folder = format!("{}/{index}", topic.folder());
            let (log, recovery) = Log::open(
                Arc::clone(&self.disk),
                &folder,
                settings.clone(),
                0,
                false,
                self.now_ms,
            )?;
            let said = recovery.reason.map(|reason| format!("{}-{index}: {reason}", topic.name));
            notices.extend(said);
            topic.partitions.push(crate::partition::Partition::new(log));
        }
        self.topics.insert(topic);
        Ok(())
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

    /// Takes the result of a sync.
    pub fn synced(&mut self, now_ms: i64, task: SyncTask, result: io::Result<()>) -> Vec<Action> {
        self.now_ms = self.now_ms.max(now_ms);
        let failed = result.as_ref().err().map(ToString::to_string);
        match task.log {
            LogId::Journal => {
                self.journal.syncing = false;
                self.journal.log.end_sync(task.ticket, result);
                if let Some(why) = failed {
                    self.journal_failed(&why);
                }
            }
            LogId::Partition(topic, index) => {
                let name = self.topics.name_of(topic).cloned().unwrap_or_default();
                if let Some(partition) = self.topics.partition_of(topic, index) {
                    partition.syncing = false;
                    partition.log.end_sync(task.ticket, result);
                    if let Some(why) = failed {
                        let lost: Vec<_> = partition.give_up().collect();
                        self.partition_failed(&name, index, &why, lost);
                    }
                }
            }
        }
        self.touched.insert(task.log);
        self.settle()
    }

    fn journal_failed(&mut self, why: &str) {
        let notice = format!("the journal cannot be synced, nothing more is changed: {why}");
        self.actions.push(Action::Notice(notice));
        for then in self.journal.give_up() {
            match then {
                Then::Respond(to, _) => self.actions.push(Action::Disconnect { to }),
            }
        }
    }

    fn partition_failed(&mut self, name: &str, index: i32, why: &str, lost: Vec<RequestId>) {
        let notice = format!("{name}-{index} cannot be synced, it takes no more records: {why}");
        self.actions.push(Action::Notice(notice));
        for to in lost {
            if self.waiting.produces.remove(&to).is_some() {
                self.actions.push(Action::Disconnect { to });
            }
        }
    }

    /// Does what time has come for; to be called at [`Self::next_deadline_ms`] or soon after.
    pub fn tick(&mut self, now_ms: i64) -> Vec<Action> {
        self.now_ms = self.now_ms.max(now_ms);
        while let Some(id) = self.waiting.overdue(self.now_ms) {
            fetch::answer_now(self, id);
        }
        group::tick(self);
        self.settle()
    }

    /// When [`Self::tick`] has something to do next.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.waiting.next_deadline_ms().into_iter().chain(self.groups.next_deadline_ms()).min()
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

    pub(crate) fn respond(&mut self, to: RequestId, response: Response) {
        self.actions.push(Action::Respond { to, response });
    }

    /// Appends to the journal; in force at once, durable later.
    pub(crate) fn record(&mut self, entries: &[Entry]) -> Result<(), ErrorCode> {
        self.journal.append(entries, self.now_ms)?;
        self.touched.insert(LogId::Journal);
        Ok(())
    }

    /// Answers once everything recorded so far is durable.
    pub(crate) fn respond_durably(
        &mut self,
        to: RequestId,
        response: impl Into<Response>,
    ) -> Reply {
        self.journal.after(Then::Respond(to, response.into()));
        self.touched.insert(LogId::Journal);
        Reply::Later
    }

    /// To be called after every append to a partition.
    pub(crate) fn touch(&mut self, topic: Uuid, partition: i32) {
        self.touched.insert(LogId::Partition(topic, partition));
    }

    fn settle(&mut self) -> Vec<Action> {
        while let Some(log) = self.touched.pop_first() {
            match log {
                LogId::Journal => self.settle_journal(),
                LogId::Partition(topic, index) => self.settle_partition(topic, index),
            }
        }
        std::mem::take(&mut self.actions)
    }

    fn settle_journal(&mut self) {
        while let Some(then) = self.journal.due() {
            match then {
                Then::Respond(to, response) => self.respond(to, response),
            }
        }
        let journal = &mut self.journal;
        if !journal.syncing
            && let Some(ticket) = journal.log.begin_sync()
        {
            journal.syncing = true;
            self.actions.push(Action::Sync(SyncTask { log: LogId::Journal, ticket }));
        }
    }

    fn settle_partition(&mut self, topic: Uuid, index: i32) {
        let Some(partition) = self.topics.partition_of(topic, index) else { return };
        if !partition.syncing
            && let Some(ticket) = partition.log.begin_sync()
        {
            partition.syncing = true;
            let task = SyncTask { log: LogId::Partition(topic, index), ticket };
            self.actions.push(Action::Sync(task));
        }
        while let Some(to) = partition.acked() {
            let Some(produce) = self.waiting.produces.get_mut(&to) else { continue };
            produce.open -= 1;
            if produce.open == 0
                && let Some(done) = self.waiting.produces.remove(&to)
            {
                self.actions.push(Action::Respond { to, response: done.response.into() });
            }
        }
        if partition.moved() {
            for id in partition.watchers.clone() {
                fetch::try_answer(self, id);
            }
        }
    }
}
