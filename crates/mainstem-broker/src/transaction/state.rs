//! One transactional id: who may use it, and how far its transaction is.
//! Invariant: a change of state is in the journal before anyone hears of it; the record of `PrepareCommit` is the moment of
//! commit. An older epoch never changes anything: it is fenced.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::ErrorCode;
use crate::group::offsets::Place;
use crate::journal::Entry;
use crate::wire::StrBytes;

/// How far a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// No transaction yet.
    Empty,
    /// Partitions or groups take part.
    Ongoing,
    /// Decided; markers and offsets are being written.
    PrepareCommit,
    /// Decided; markers and offsets are being written.
    PrepareAbort,
    /// Done.
    CompleteCommit,
    /// Done.
    CompleteAbort,
}

const NAMES: [(Stage, &str); 6] = [
    (Stage::Empty, "Empty"),
    (Stage::Ongoing, "Ongoing"),
    (Stage::PrepareCommit, "PrepareCommit"),
    (Stage::PrepareAbort, "PrepareAbort"),
    (Stage::CompleteCommit, "CompleteCommit"),
    (Stage::CompleteAbort, "CompleteAbort"),
];

/// Kafka's names of states that this broker has no use for; asking for them is no mistake.
const OTHER_NAMES: [&str; 2] = ["Dead", "PrepareEpochFence"];

impl Stage {
    /// Kafka's name of it.
    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(stage, _)| *stage == self).map_or("", |(_, name)| name)
    }

    fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, other)| *other == name).map(|(stage, _)| *stage)
    }

    /// True for every name that Kafka gives a state.
    pub(crate) fn is_name(name: &str) -> bool {
        Self::named(name).is_some() || OTHER_NAMES.contains(&name)
    }

    /// What was decided, while it is carried out.
    pub(crate) fn prepared(self) -> Option<bool> {
        match self {
            Self::PrepareCommit => Some(true),
            Self::PrepareAbort => Some(false),
            Self::Empty | Self::Ongoing | Self::CompleteCommit | Self::CompleteAbort => None,
        }
    }
}

/// So many partitions are kept in mind.
const ENDED_MAX: usize = 32;

/// How the last transaction ended that was in a partition, and where it began there: should the partition lose its marker, the
/// transaction is known by its first offset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ended(BTreeMap<Place, (i64, bool)>);

impl Ended {
    /// Takes note of the first offsets of a transaction that has ended.
    pub(crate) fn add(&mut self, began: BTreeMap<Place, i64>, commit: bool) {
        if self.0.len() + began.len() > ENDED_MAX {
            self.0.clear();
        }
        self.0.extend(began.into_iter().take(ENDED_MAX).map(|(at, from)| (at, (from, commit))));
    }

    fn to_json(&self) -> Value {
        let mut topics: BTreeMap<&str, Vec<(i32, i64, bool)>> = BTreeMap::new();
        for ((topic, partition), (from, commit)) in &self.0 {
            topics.entry(topic).or_default().push((*partition, *from, *commit));
        }
        json!(topics)
    }

    fn restore(value: &Value) -> Option<Self> {
        let mut ended = BTreeMap::new();
        for (topic, partitions) in value.as_object()? {
            for partition in partitions.as_array()? {
                let index = i32::try_from(partition[0].as_i64()?).ok()?;
                let place = (StrBytes::from(topic.as_str()), index);
                ended.insert(place, (partition[1].as_i64()?, partition[2].as_bool()?));
            }
        }
        Some(Self(ended))
    }
}

/// A transactional id.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    /// The producer's epoch before the last change: an InitProducerId that is repeated after a lost answer names it.
    pub(crate) last_epoch: i16,
    pub(crate) timeout_ms: i32,
    pub(crate) stage: Stage,
    pub(crate) partitions: BTreeSet<Place>,
    pub(crate) groups: BTreeSet<StrBytes>,
    /// What is done, should a partition lose the marker of it.
    pub(crate) ended: Ended,
    pub(crate) started_ms: i64,
    /// The timeout counts from here: while the broker is down nobody can end a transaction.
    pub(crate) counted_from_ms: i64,
    pub(crate) updated_ms: i64,
}

impl Transaction {
    /// Checks that the caller is the present owner and nothing is being decided.
    pub(crate) fn check(&self, producer_id: i64, epoch: i16) -> Result<(), ErrorCode> {
        if producer_id != self.producer_id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if epoch != self.epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        Ok(())
    }

    /// Makes room for another partition or group.
    pub(crate) fn begin(&mut self, now_ms: i64) -> Result<(), ErrorCode> {
        match self.stage {
            Stage::Ongoing => Ok(()),
            Stage::PrepareCommit | Stage::PrepareAbort => Err(ErrorCode::ConcurrentTransactions),
            Stage::Empty | Stage::CompleteCommit | Stage::CompleteAbort => {
                self.stage = Stage::Ongoing;
                self.started_ms = now_ms;
                self.counted_from_ms = now_ms;
                self.partitions.clear();
                self.groups.clear();
                Ok(())
            }
        }
    }

    /// Whether an end is to be carried out (true), was carried out before (false), or makes no sense.
    pub(crate) fn may_end(&self, commit: bool) -> Result<bool, ErrorCode> {
        match (self.stage, commit) {
            (Stage::Ongoing, _) => Ok(true),
            (Stage::CompleteCommit, true) | (Stage::CompleteAbort, false) => Ok(false),
            (Stage::PrepareCommit, true) | (Stage::PrepareAbort, false) => {
                Err(ErrorCode::ConcurrentTransactions)
            }
            _ => Err(ErrorCode::InvalidTxnState),
        }
    }

    /// How the transaction ended that began at `from` in a partition and has no marker there; `None` if nobody knows any more.
    pub(crate) fn end_of(&self, place: &Place, from: i64) -> Option<bool> {
        self.ended.0.get(place).filter(|(began, _)| *began == from).map(|(_, commit)| *commit)
    }

    /// When it is aborted for taking too long.
    pub(crate) fn deadline_ms(&self) -> Option<i64> {
        (self.stage == Stage::Ongoing).then(|| self.counted_from_ms + i64::from(self.timeout_ms))
    }

    /// The journal entry of this state.
    pub(crate) fn entry(&self, id: &StrBytes) -> Entry {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in &self.partitions {
            topics.entry(topic).or_default().push(*partition);
        }
        let groups: Vec<&str> = self.groups.iter().map(|group| &**group).collect();
        let value = json!({
            "v": 1,
            "producer": self.producer_id,
            "epoch": self.epoch,
            "last_epoch": self.last_epoch,
            "timeout_ms": self.timeout_ms,
            "stage": self.stage.name(),
            "topics": topics,
            "groups": groups,
            "ended": self.ended.to_json(),
            "started": self.started_ms,
            "updated": self.updated_ms,
        });
        (json!(["transaction", id.as_str()]), Some(value))
    }

    /// What [`Self::entry`] wrote.
    pub(crate) fn restore(value: &Value) -> Option<Self> {
        let epoch = |name: &str| i16::try_from(value[name].as_i64()?).ok();
        let mut partitions = BTreeSet::new();
        for (topic, indexes) in value["topics"].as_object()? {
            for index in indexes.as_array()? {
                let index = i32::try_from(index.as_i64()?).ok()?;
                partitions.insert((StrBytes::from(topic.as_str()), index));
            }
        }
        let groups = value["groups"].as_array()?.iter();
        Some(Self {
            producer_id: value["producer"].as_i64()?,
            epoch: epoch("epoch")?,
            last_epoch: epoch("last_epoch")?,
            timeout_ms: i32::try_from(value["timeout_ms"].as_i64()?).ok()?,
            stage: Stage::named(value["stage"].as_str()?)?,
            partitions,
            groups: groups.filter_map(|group| Some(StrBytes::from(group.as_str()?))).collect(),
            // An entry of an earlier version has none.
            ended: Ended::restore(&value["ended"]).unwrap_or_default(),
            started_ms: value["started"].as_i64()?,
            counted_from_ms: value["started"].as_i64()?,
            updated_ms: value["updated"].as_i64()?,
        })
    }
}
