//! The topics: names, ids, partitions and what was configured.
//! Invariant: a topic is known in memory from the moment its journal entry is appended, and answered for when that is durable.
//! Folders are named by topic id, so that a topic that is deleted and made again never meets its old files, and no name of a
//! client ever becomes a path.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use mainstem_core::disk::Disk;
use mainstem_log::{Log, LogError, LogSettings};
use serde_json::{Value, json};

use crate::ErrorCode;
use crate::journal::Entry;
use crate::partition::Partition;
use crate::wire::{StrBytes, Uuid};

const NAME_LENGTH_MAX: usize = 249;
/// The folder of everything.
pub(crate) const ROOT: &str = "";
/// Has a folder per topic.
pub(crate) const TOPICS_FOLDER: &str = "topics";

/// A log of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum LogId {
    Journal,
    Partition(Uuid, i32),
}

/// One topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) name: StrBytes,
    pub(crate) partitions: Vec<Partition>,
    /// Whether the name of its folder is known to be durable.
    pub(crate) folder_synced: bool,
    /// Configuration that was given for this topic, by Kafka's names.
    pub(crate) overrides: BTreeMap<String, String>,
}

/// All topics.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<StrBytes, Topic>,
    names: HashMap<Uuid, StrBytes, foldhash::fast::FixedState>,
}

impl Topics {
    pub(crate) fn by_name(&self, name: &StrBytes) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(crate) fn by_name_mut(&mut self, name: &StrBytes) -> Option<&mut Topic> {
        self.by_name.get_mut(name)
    }

    pub(crate) fn name_of(&self, id: Uuid) -> Option<&StrBytes> {
        self.names.get(&id)
    }

    /// A topic whose name would be the same as a metric's label, where '.' and '_' fall together.
    pub(crate) fn colliding(&self, name: &str) -> Option<&StrBytes> {
        if !name.contains(['.', '_']) {
            return None;
        }
        let label = name.replace('.', "_");
        self.by_name.keys().find(|other| {
            other.len() == name.len() && ***other != *name && other.replace('.', "_") == label
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.by_name.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Topic> {
        self.by_name.values_mut()
    }

    pub(crate) fn partition(&self, name: &StrBytes, index: i32) -> Result<&Partition, ErrorCode> {
        let topic = self.by_name.get(name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let index = usize::try_from(index).map_err(|_| ErrorCode::UnknownTopicOrPartition)?;
        topic.partitions.get(index).ok_or(ErrorCode::UnknownTopicOrPartition)
    }

    pub(crate) fn partition_mut(
        &mut self,
        name: &StrBytes,
        index: i32,
    ) -> Result<&mut Partition, ErrorCode> {
        let topic = self.by_name.get_mut(name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let index = usize::try_from(index).map_err(|_| ErrorCode::UnknownTopicOrPartition)?;
        topic.partitions.get_mut(index).ok_or(ErrorCode::UnknownTopicOrPartition)
    }

    /// The name of a topic's folder is durable.
    pub(crate) fn folder_synced(&mut self, id: Uuid) {
        let topic = self.names.get(&id).and_then(|name| self.by_name.get_mut(name));
        if let Some(topic) = topic {
            topic.folder_synced = true;
        }
    }

    /// Whether the name of a topic's folder has to be synced with its files.
    pub(crate) fn is_folder_unsynced(&self, id: Uuid) -> bool {
        let topic = self.names.get(&id).and_then(|name| self.by_name.get(name));
        topic.is_some_and(|topic| !topic.folder_synced)
    }

    /// The partition of a log that may have been deleted since.
    pub(crate) fn partition_of(&mut self, id: Uuid, index: i32) -> Option<&mut Partition> {
        let name = self.names.get(&id)?.clone();
        self.partition_mut(&name, index).ok()
    }

    pub(crate) fn insert(&mut self, topic: Topic) {
        self.names.insert(topic.id, topic.name.clone());
        self.by_name.insert(topic.name.clone(), topic);
    }

    pub(crate) fn remove(&mut self, name: &StrBytes) -> Option<Topic> {
        let topic = self.by_name.remove(name)?;
        self.names.remove(&topic.id);
        Some(topic)
    }
}

impl Topic {
    /// The journal entry that makes this topic come back.
    pub(crate) fn entry(&self) -> Entry {
        let overrides = &self.overrides;
        let value = json!({
            "v": 1,
            "id": hex(self.id),
            "partitions": self.partitions.len(),
            "overrides": overrides,
        });
        (json!(["topic", self.name.as_str()]), Some(value))
    }

    pub(crate) fn folder(&self) -> String {
        folder(self.id)
    }

    /// These partitions stand in the journal below `end`, where it may not be durable yet.
    pub(crate) fn promise_from(&mut self, first: usize, end: i64) {
        for partition in self.partitions.iter_mut().skip(first) {
            partition.promised_from = end;
        }
    }

    /// Adds partitions until there are `count`.
    pub(crate) fn grow(
        &mut self,
        count: usize,
        disk: &Arc<dyn Disk>,
        settings: &LogSettings,
        now_ms: i64,
    ) -> Result<(), LogError> {
        for index in self.partitions.len()..count {
            let folder = format!("{}/{index}", self.folder());
            let (log, _) = Log::open(Arc::clone(disk), &folder, settings.clone(), 0, true, now_ms)?;
            self.partitions.push(Partition::new(log));
        }
        Ok(())
    }
}

pub(crate) fn folder(id: Uuid) -> String {
    format!("{TOPICS_FOLDER}/{}", hex(id))
}

pub(crate) fn hex(id: Uuid) -> String {
    id.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What [`Topic::entry`] wrote.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) name: StrBytes,
    pub(crate) id: Uuid,
    pub(crate) partitions: usize,
    pub(crate) overrides: BTreeMap<String, String>,
}

pub(crate) fn stored(key: &Value, value: &Value) -> Option<Stored> {
    let name = key.get(1)?.as_str()?;
    let id = u128::from_str_radix(value["id"].as_str()?, 16).ok()?;
    let overrides = value["overrides"].as_object()?;
    Some(Stored {
        name: StrBytes::from(name),
        id: Uuid::from_bytes(id.to_be_bytes()),
        partitions: usize::try_from(value["partitions"].as_u64()?).ok()?,
        overrides: overrides
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
    })
}

/// Kafka's rule for names of topics.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match name {
        "" => Err("a topic needs a name".to_owned()),
        "." | ".." => Err(format!("'{name}' is no name for a topic")),
        _ if name.len() > NAME_LENGTH_MAX => {
            Err(format!("the name of a topic has at most {NAME_LENGTH_MAX} characters"))
        }
        _ if !name.chars().all(legal) => Err(format!(
            "topic name '{name}' has other characters than ASCII letters, digits, '.', '_' and '-'"
        )),
        _ => Ok(()),
    }
}

/// Topics that Kafka keeps for itself; here they are topics like any other, but shown as Kafka shows them.
pub(crate) fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state")
}
