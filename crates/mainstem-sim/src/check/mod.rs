//! What clients were promised and what they saw, and whether both can be true.
//! Invariant: the model learns only from requests that were sent and answers that were received, never from the broker's
//! insides. The first contradiction is kept; it ends the run.

mod damage;
mod mortals;
mod offsets;
mod owners;
mod reading;
pub(crate) mod records;
mod transactions;

pub(crate) use damage::{Hit, SideFile};
pub(crate) use offsets::transform_group;
pub(crate) use reading::Fetched;
pub(crate) use records::{Ends, Place, Sent, Topic, Uid};

use std::collections::BTreeSet;

use mainstem_core::clock::Rng;

use crate::frame::When;
use damage::Damage;
use offsets::Offsets;
use owners::Owners;
use records::Records;
use transactions::Transactions;

/// What the model learns when a request reaches the broker.
#[derive(Debug, Clone)]
pub(crate) enum Note {
    /// An offset is to be committed, perhaps with a transaction.
    Commit { group: String, place: Place, offset: i64 },
}

/// All that is known from outside of the broker.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) topics: Vec<Topic>,
    pub(crate) records: Records,
    pub(crate) offsets: Offsets,
    owners: Owners,
    pub(crate) transactions: Transactions,
    pub(crate) damage: Damage,
    producer_ids: BTreeSet<(i64, i16)>,
    /// What is not durable holds from this life of the broker on.
    weak_since: u32,
    violation: Option<String>,
}

impl Model {
    pub(crate) fn new(topics: Vec<Topic>) -> Self {
        let records = Records::new(&topics);
        Self {
            topics,
            records,
            offsets: Offsets::default(),
            owners: Owners::default(),
            transactions: Transactions::default(),
            damage: Damage::default(),
            producer_ids: BTreeSet::new(),
            weak_since: 0,
            violation: None,
        }
    }

    /// Something that must not be.
    pub(crate) fn fail(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    pub(crate) fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    /// Whether what was said then still counts.
    pub(crate) fn holds(&self, place: Place, when: When) -> bool {
        let state = self.records.places.get(&place);
        state.is_none_or(|state| when.life >= state.since_life)
            && (self.topics[place.topic].durable || when.life >= self.weak_since)
    }

    /// All places of topics that are there.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        self.records.places.keys().copied().filter(|place| !self.topics[place.topic].ended)
    }

    /// A place of a topic that is as `which` wants it.
    pub(crate) fn some_place(&self, rng: &mut Rng, which: impl Fn(&Topic) -> bool) -> Place {
        let fitting: Vec<usize> = (0..self.topics.len())
            .filter(|at| !self.topics[*at].ended && which(&self.topics[*at]))
            .collect();
        let topic = fitting[rng.below(fitting.len() as u64) as usize];
        Place { topic, partition: rng.below(self.topics[topic].partitions as u64) as i32 }
    }

    pub(crate) fn topic_name(&self, place: Place) -> &str {
        &self.topics[place.topic].name
    }

    pub(crate) fn name(&self, place: Place) -> String {
        format!("{}-{}", self.topics[place.topic].name, place.partition)
    }

    /// Nobody else was given the same identity.
    pub(crate) fn producer_id_given(&mut self, id: i64, epoch: i16) {
        if !self.producer_ids.insert((id, epoch)) {
            self.fail(format!("producer id {id} with epoch {epoch} was given twice"));
        }
    }

    /// A request that the model has to know of was handed to the broker, as its step `at`.
    pub(crate) fn arrived(&mut self, note: &Note, at: u64) {
        let Note::Commit { group, place, offset } = note;
        self.offsets.commit_arrived(group, *place, *offset, at);
    }

    /// The power was lost: what was promised without durability may be gone.
    pub(crate) fn power_lost(&mut self, next_life: u32) {
        self.weak_since = next_life;
        for (place, state) in &mut self.records.places {
            if !self.topics[place.topic].durable {
                state.forget();
            }
        }
    }
}
