//! Consumer groups: their members (`classic`) and their committed offsets (`offsets`).
//! Invariant: a group exists while it has members or offsets; its members (`stored`) and offsets come back from the journal.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(crate) mod classic;
mod member;
pub(crate) mod offsets;
pub(crate) mod stored;
#[cfg(test)]
mod tests;

use crate::broker::Broker;
use crate::journal::Entry;
use crate::wire::StrBytes;
use crate::{ErrorCode, Settings};
use classic::{Group, Phase, Replies};
use offsets::{Committed, Offsets, Place};

/// How often offsets of empty groups are looked through for those that are too old.
const EXPIRY_INTERVAL_MS: i64 = 600_000;

/// A group and its offsets.
#[derive(Debug)]
pub(crate) struct GroupState {
    pub(crate) group: Group,
    pub(crate) offsets: Offsets,
    /// The deadline under which it stands in the index of timers.
    timer_ms: Option<i64>,
}

/// All groups.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<StrBytes, GroupState>,
    timers: BTreeSet<(i64, StrBytes)>,
    next_expiry_ms: i64,
}

impl Groups {
    pub(crate) fn get(&self, id: &StrBytes) -> Option<&GroupState> {
        self.groups.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &StrBytes) -> Option<&mut GroupState> {
        self.groups.get_mut(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&StrBytes, &GroupState)> {
        self.groups.iter()
    }

    pub(crate) fn get_or_create(
        &mut self,
        id: &StrBytes,
        settings: &Settings,
        now_ms: i64,
    ) -> &mut GroupState {
        self.groups.entry(id.clone()).or_insert_with(|| GroupState {
            group: Group::new(
                now_ms,
                settings.group_initial_rebalance_delay_ms,
                settings.group_members_max,
            ),
            offsets: Offsets::default(),
            timer_ms: None,
        })
    }

    /// To be called after a group was touched: keeps its timer, and drops it when nothing is left of it.
    pub(crate) fn settle(&mut self, id: &StrBytes) {
        self.watch(id);
        let left = self.groups.get(id);
        if left.is_some_and(|state| state.group.is_vacant() && state.offsets.is_empty()) {
            self.remove(id);
        }
    }

    /// Keeps the group's timer.
    fn watch(&mut self, id: &StrBytes) {
        let Some(state) = self.groups.get_mut(id) else { return };
        let deadline = state.group.deadline_ms();
        if deadline != state.timer_ms {
            if let Some(old) = state.timer_ms {
                self.timers.remove(&(old, id.clone()));
            }
            self.timers.extend(deadline.map(|deadline| (deadline, id.clone())));
            state.timer_ms = deadline;
        }
    }

    pub(crate) fn remove(&mut self, id: &StrBytes) -> Option<GroupState> {
        let state = self.groups.remove(id)?;
        if let Some(timer) = state.timer_ms {
            self.timers.remove(&(timer, id.clone()));
        }
        Some(state)
    }

    /// Takes back an entry of the journal.
    pub(crate) fn restore(
        &mut self,
        key: &Value,
        value: &Value,
        settings: &Settings,
        now_ms: i64,
    ) -> Option<()> {
        let id = StrBytes::from(key.get(1)?.as_str()?);
        let state = self.get_or_create(&id, settings, now_ms);
        let restored = match key.get(0)?.as_str() {
            Some("group") => stored::restore(&mut state.group, value, now_ms),
            _ => state.offsets.restore(key, value),
        };
        // Its members' sessions run from now on.
        self.watch(&id);
        restored
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        let expiry = (!self.groups.is_empty()).then_some(self.next_expiry_ms);
        self.timers.first().map(|(at, _)| *at).into_iter().chain(expiry).min()
    }

    fn overdue(&self, now_ms: i64) -> Option<StrBytes> {
        self.timers.first().filter(|(at, _)| *at <= now_ms).map(|(_, id)| id.clone())
    }
}

/// Does what time has come for, in all groups.
pub(crate) fn tick(broker: &mut Broker) {
    let now_ms = broker.now_ms;
    let mut replies = Replies::new();
    while let Some(id) = broker.groups.overdue(now_ms) {
        if let Some(state) = broker.groups.get_mut(&id) {
            state.group.tick(now_ms, &mut replies);
        }
        finish(broker, &id, std::mem::take(&mut replies));
    }
    if broker.groups.next_expiry_ms <= now_ms {
        broker.groups.next_expiry_ms = now_ms + EXPIRY_INTERVAL_MS;
        expire_offsets(broker);
    }
}

/// Offsets of groups that have been empty for longer than offsets are kept.
fn expire_offsets(broker: &mut Broker) {
    let before_ms = broker.now_ms - broker.settings.offsets_retention_ms;
    let mut entries: Vec<Entry> = Vec::new();
    let mut touched = Vec::new();
    for (id, state) in &mut broker.groups.groups {
        if state.group.phase == Phase::Empty && state.group.empty_since_ms < before_ms {
            entries.extend(state.offsets.forget(id, |_, committed| committed.at_ms < before_ms));
            touched.push(id.clone());
        }
    }
    for id in touched {
        broker.groups.settle(&id);
        entries.extend(forgotten(broker, &id));
    }
    if !entries.is_empty() {
        // If the journal takes nothing any more, they are forgotten again after the next start.
        let _ = broker.record(&entries);
    }
}

/// The entry that forgets a group of which nothing is left.
fn forgotten(broker: &Broker, id: &StrBytes) -> Option<Entry> {
    broker.groups.get(id).is_none().then(|| (stored::key(id), None))
}

/// Runs something on a group that has to exist, and sends what it answers.
pub(crate) fn with_group<T>(
    broker: &mut Broker,
    id: &StrBytes,
    run: impl FnOnce(&mut Group, i64, &mut Replies) -> T,
) -> Result<T, ErrorCode> {
    let now_ms = broker.now_ms;
    let state = broker.groups.get_mut(id).ok_or(ErrorCode::UnknownMemberId)?;
    let mut replies = Replies::new();
    let result = run(&mut state.group, now_ms, &mut replies);
    finish(broker, id, replies);
    Ok(result)
}

/// Records what a restart must not undo, and answers: an assignment is not handed out before its generation is durable.
fn finish(broker: &mut Broker, id: &StrBytes, replies: Replies) {
    let unsaved =
        broker.groups.get_mut(id).is_some_and(|state| std::mem::take(&mut state.group.unsaved));
    broker.groups.settle(id);
    if !unsaved {
        for (to, response) in replies {
            broker.respond(to, response);
        }
        return;
    }
    let entry = match broker.groups.get(id) {
        Some(state) => stored::entry(id, &state.group),
        None => (stored::key(id), None),
    };
    match broker.record(&[entry]) {
        Ok(()) => {
            for (to, response) in replies {
                broker.respond_durably(to, response);
            }
        }
        // The journal takes nothing more, and has said so: who asked finds a broker that is gone.
        Err(_) => {
            for (to, _) in replies {
                broker.disconnect(to);
            }
        }
    }
}

/// What a client asks to be committed, if it may be.
pub(crate) fn to_commit(
    broker: &Broker,
    place: Place,
    offset: i64,
    leader_epoch: i32,
    metadata: Option<&StrBytes>,
) -> Result<(Place, Committed), ErrorCode> {
    broker.topics.partition(&place.0, place.1)?;
    let metadata = metadata.cloned().unwrap_or_default();
    if metadata.len() > broker.settings.offset_metadata_bytes_max {
        return Err(ErrorCode::OffsetMetadataTooLarge);
    }
    Ok((place, Committed { offset, leader_epoch, metadata, at_ms: broker.now_ms }))
}

/// What the journal forgets of groups when a topic is deleted: nobody has offsets in it any more.
pub(crate) fn entries_without(broker: &Broker, topic: &StrBytes) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (id, state) in &broker.groups.groups {
        let left = state.offsets.entries_without(id, topic, &mut entries);
        if !left && state.group.is_vacant() {
            entries.push((stored::key(id), None));
        }
    }
    entries
}

/// A topic was deleted; to be called once [`entries_without`] are recorded.
pub(crate) fn forget_topic(broker: &mut Broker, topic: &StrBytes) {
    let ids: Vec<StrBytes> = broker.groups.groups.keys().cloned().collect();
    for id in ids {
        if let Some(state) = broker.groups.get_mut(&id) {
            state.offsets.forget_topic(topic);
        }
        broker.groups.settle(&id);
    }
}
