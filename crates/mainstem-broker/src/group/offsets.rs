//! Committed offsets, by group, topic and partition.
//! Invariant: what is committed is in the journal before it is answered. Offsets that belong to a transaction are staged, in
//! the journal too, and count only when the transaction has committed; until then a stable fetch is told to wait.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::journal::Entry;
use crate::wire::StrBytes;

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: StrBytes,
    pub(crate) at_ms: i64,
}

/// A partition, by the name of its topic.
pub(crate) type Place = (StrBytes, i32);

/// The offsets of one group.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    committed: BTreeMap<Place, Committed>,
    /// By producer id: what its open transaction will commit.
    staged: BTreeMap<i64, BTreeMap<Place, Committed>>,
}

impl Offsets {
    pub(crate) fn get(&self, place: &Place) -> Option<&Committed> {
        self.committed.get(place)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Place, &Committed)> {
        self.committed.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.staged.is_empty()
    }

    /// True while a transaction is open that will change this offset.
    pub(crate) fn is_unstable(&self, place: &Place) -> bool {
        self.staged.values().any(|staged| staged.contains_key(place))
    }

    /// Commits; to be called once [`commit_entry`] is recorded.
    pub(crate) fn commit(&mut self, place: Place, committed: Committed) {
        self.committed.insert(place, committed);
    }

    /// Stages for a transaction; to be called once [`stage_entry`] is recorded.
    pub(crate) fn stage(&mut self, producer_id: i64, place: Place, committed: Committed) {
        self.staged.entry(producer_id).or_default().insert(place, committed);
    }

    /// What the end of a transaction writes into the journal.
    pub(crate) fn end_entries(&self, group: &str, producer_id: i64, commit: bool) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (place, committed) in self.staged.get(&producer_id).into_iter().flatten() {
            entries.push((staged_key(group, producer_id, place), None));
            if commit {
                entries.push((key(group, place), Some(value(committed))));
            }
        }
        entries
    }

    /// Ends a transaction: what it staged is committed or dropped. To be called once [`Self::end_entries`] are recorded.
    pub(crate) fn finish(&mut self, producer_id: i64, commit: bool) {
        let staged = self.staged.remove(&producer_id).unwrap_or_default();
        if commit {
            self.committed.extend(staged);
        }
    }

    /// Forgets offsets; the entries have to be recorded.
    pub(crate) fn forget(
        &mut self,
        group: &str,
        mut which: impl FnMut(&Place, &Committed) -> bool,
    ) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.committed.retain(|place, committed| {
            let forgotten = which(place, committed);
            if forgotten {
                entries.push((key(group, place), None));
            }
            !forgotten
        });
        entries
    }

    /// What the journal forgets with a topic, what transactions have staged for it too. False if nothing else is left.
    pub(crate) fn entries_without(
        &self,
        group: &str,
        topic: &StrBytes,
        entries: &mut Vec<Entry>,
    ) -> bool {
        let mut left = false;
        for place in self.committed.keys() {
            match place.0 == *topic {
                true => entries.push((key(group, place), None)),
                false => left = true,
            }
        }
        for (producer_id, staged) in &self.staged {
            for place in staged.keys() {
                match place.0 == *topic {
                    true => entries.push((staged_key(group, *producer_id, place), None)),
                    false => left = true,
                }
            }
        }
        left
    }

    /// Forgets a topic; to be called once [`Self::entries_without`] are recorded.
    pub(crate) fn forget_topic(&mut self, topic: &StrBytes) {
        self.committed.retain(|(name, _), _| name != topic);
        self.staged.retain(|_, staged| {
            staged.retain(|(name, _), _| name != topic);
            !staged.is_empty()
        });
    }

    /// Forgets everything, staged offsets too; the entries have to be recorded.
    pub(crate) fn clear(&mut self, group: &str) -> Vec<Entry> {
        let mut entries = Vec::new();
        for id in self.staged.keys() {
            entries.extend(self.end_entries(group, *id, false));
        }
        self.staged.clear();
        entries.extend(self.forget(group, |_, _| true));
        entries
    }

    /// Takes back an entry of the journal: `["offset", group, topic, partition]` or
    /// `["staged", group, topic, partition, producer]`.
    pub(crate) fn restore(&mut self, key: &Value, value: &Value) -> Option<()> {
        let topic = StrBytes::from(key.get(2)?.as_str()?);
        let place = (topic, i32::try_from(key.get(3)?.as_i64()?).ok()?);
        let committed = Committed {
            offset: value["offset"].as_i64()?,
            leader_epoch: i32::try_from(value["epoch"].as_i64()?).ok()?,
            metadata: StrBytes::from(value["metadata"].as_str()?),
            at_ms: value["at"].as_i64()?,
        };
        match key.get(4) {
            Some(producer) => {
                self.staged.entry(producer.as_i64()?).or_default().insert(place, committed);
            }
            None => {
                self.committed.insert(place, committed);
            }
        }
        Some(())
    }
}

/// The journal entry of a committed offset.
pub(crate) fn commit_entry(group: &str, place: &Place, committed: &Committed) -> Entry {
    (key(group, place), Some(value(committed)))
}

/// The journal entry of an offset that a transaction will commit.
pub(crate) fn stage_entry(
    group: &str,
    producer_id: i64,
    place: &Place,
    committed: &Committed,
) -> Entry {
    (staged_key(group, producer_id, place), Some(value(committed)))
}

fn key(group: &str, (topic, partition): &Place) -> Value {
    json!(["offset", group, topic.as_str(), partition])
}

fn staged_key(group: &str, producer_id: i64, (topic, partition): &Place) -> Value {
    json!(["staged", group, topic.as_str(), partition, producer_id])
}

fn value(committed: &Committed) -> Value {
    json!({
        "v": 1,
        "offset": committed.offset,
        "epoch": committed.leader_epoch,
        "metadata": committed.metadata.as_str(),
        "at": committed.at_ms,
    })
}
