//! Configuration: what topics and the broker can be told, where a value comes from, and what it does.
//! Invariant: a value in force was checked when it was given; what is not given comes from the level behind it (topic, this
//! broker, all brokers, what the broker was started with, the default). Names that are unknown are refused, with the nearest.

mod broker;
mod topic;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use mainstem_core::options::nearest;
use mainstem_log::LogSettings;
use serde_json::{Value as Json, json};

pub(crate) use broker::{BrokerConfig, broker_config, broker_configs};
pub(crate) use topic::{TOPIC_CONFIGS, TopicConfig, topic_config};
pub(crate) use value::{Kind, Value, elements};

use crate::journal::Entry;
use crate::{ErrorCode, Settings};

/// Values that were given, by name.
pub(crate) type Given = BTreeMap<String, String>;

/// Why a configuration is refused.
pub(crate) type Refused = (ErrorCode, String);

/// Where a value comes from; the numbers are those of DescribeConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Topic = 1,
    Broker = 2,
    AllBrokers = 3,
    Static = 4,
    Default = 5,
}

/// A value, by the name under which it stands at its level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) source: Source,
}

/// What the broker was started with, and what was altered since.
#[derive(Debug)]
pub(crate) struct BrokerConfigs {
    started_with: Settings,
    own: Given,
    all: Given,
}

impl BrokerConfigs {
    pub(crate) fn new(started_with: Settings) -> Self {
        Self { started_with, own: Given::new(), all: Given::new() }
    }

    /// What was altered for this broker, or (with no name) for all.
    pub(crate) fn given(&self, own: bool) -> &Given {
        match own {
            true => &self.own,
            false => &self.all,
        }
    }

    pub(crate) fn replace(&mut self, own: bool, given: Given) {
        match own {
            true => self.own = given,
            false => self.all = given,
        }
    }

    /// The journal entry of one of the two levels.
    pub(crate) fn entry(own: bool, given: &Given) -> Entry {
        let level = if own { "this" } else { "all" };
        let value = (!given.is_empty()).then(|| json!({"v": 1, "values": given}));
        (json!(["broker_config", level]), value)
    }

    /// Takes back what [`Self::entry`] wrote.
    pub(crate) fn restore(&mut self, key: &Json, value: &Json) {
        let own = key[1].as_str() == Some("this");
        let Some(values) = value["values"].as_object() else { return };
        let values =
            values.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.into())));
        self.replace(own, values.collect());
    }

    /// What is in force.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = self.started_with.clone();
        for (name, value) in self.all.iter().chain(&self.own) {
            if let Some(set) = broker_config(name).and_then(|row| row.set) {
                set(&mut settings, Value(value));
            }
        }
        settings
    }

    /// The values of a configuration of the broker, the one in force first.
    pub(crate) fn of_broker(&self, row: &BrokerConfig) -> Vec<Found> {
        let mut found = Vec::new();
        let mut push = |value: Option<&str>, source| {
            found.extend(value.map(|value| Found {
                name: row.name,
                value: value.to_owned(),
                source,
            }));
        };
        push(self.own.get(row.name).map(String::as_str), Source::Broker);
        push(self.all.get(row.name).map(String::as_str), Source::AllBrokers);
        let started = self.started(row.name).or_else(|| row.get.map(|get| get(&self.started_with)));
        push(started.as_deref().filter(|value| *value != row.default), Source::Static);
        push(Some(row.default), Source::Default);
        found
    }

    /// The values of a configuration of a topic, the one in force first.
    pub(crate) fn of_topic(&self, row: &TopicConfig, given: &Given) -> Vec<Found> {
        let own = given.get(row.name).map(|value| Found {
            name: row.name,
            value: value.clone(),
            source: Source::Topic,
        });
        let behind = match row.broker.and_then(broker_config) {
            Some(behind) => self.of_broker(&behind),
            None => {
                let value = row.default.to_owned();
                vec![Found { name: row.name, value, source: Source::Default }]
            }
        };
        own.into_iter().chain(behind).collect()
    }

    /// What the logs of a topic are opened with.
    pub(crate) fn log_settings(&self, given: &Given) -> LogSettings {
        let mut settings = LogSettings {
            checkpoint_bytes: self.started_with.log_checkpoint_bytes,
            ..LogSettings::kafka_defaults()
        };
        for row in TOPIC_CONFIGS {
            let Some(act) = row.act else { continue };
            let behind = || row.broker.and_then(|name| self.altered_or_static(name));
            match given.get(row.name).cloned().or_else(behind) {
                Some(value) => act(&mut settings, Value(&value)),
                None => act(&mut settings, Value(row.default)),
            }
        }
        settings
    }

    fn altered_or_static(&self, name: &str) -> Option<String> {
        let altered = self.own.get(name).or_else(|| self.all.get(name)).cloned();
        let field = || broker::behind_topics(name).map(|get| get(&self.started_with));
        altered.or_else(|| self.started(name)).or_else(field)
    }

    /// What was given at the start for all topics.
    fn started(&self, name: &str) -> Option<String> {
        self.started_with.topic_configs.get(name).cloned()
    }
}

/// Checks one configuration of a topic.
pub(crate) fn check_topic(name: &str, value: &str) -> Result<(), Refused> {
    let Some(row) = topic_config(name) else {
        return Err(unknown("topic", name, TOPIC_CONFIGS.iter().map(|row| row.name)));
    };
    row.kind.check(value).map_err(|wanted| ill_typed(name, value, &wanted))
}

/// Checks what no single configuration shows.
pub(crate) fn check_topic_together(settings: &LogSettings) -> Result<(), Refused> {
    if settings.min_compaction_lag_ms > settings.max_compaction_lag_ms {
        let why = format!(
            "min.compaction.lag.ms ({}) is more than max.compaction.lag.ms ({})",
            settings.min_compaction_lag_ms, settings.max_compaction_lag_ms
        );
        return Err((ErrorCode::InvalidConfig, why));
    }
    Ok(())
}

/// Checks one configuration of the broker that is to be altered.
pub(crate) fn check_broker(name: &str, value: &str) -> Result<(), Refused> {
    if known_broker(name)?.read_only {
        let why = format!("broker config {name} cannot be altered while the broker runs");
        return Err((ErrorCode::InvalidRequest, why));
    }
    fits_broker(name, value).map(|_| ())
}

/// Sets one configuration of the broker before it starts.
pub(crate) fn set_at_start(
    settings: &mut Settings,
    name: &str,
    value: &str,
) -> Result<(), Refused> {
    let row = fits_broker(name, value)?;
    let behind_topics = || TOPIC_CONFIGS.iter().any(|topic| topic.broker == Some(row.name));
    match row.set {
        Some(set) => set(settings, Value(value)),
        None if behind_topics() => {
            settings.topic_configs.insert(name.to_owned(), value.to_owned());
        }
        None => {
            let why = format!("broker config {name} cannot be given at the start, only altered");
            return Err((ErrorCode::InvalidRequest, why));
        }
    }
    Ok(())
}

fn fits_broker(name: &str, value: &str) -> Result<BrokerConfig, Refused> {
    let row = known_broker(name)?;
    row.kind.check(value).map_err(|wanted| ill_typed(name, value, &wanted))?;
    Ok(row)
}

fn known_broker(name: &str) -> Result<BrokerConfig, Refused> {
    broker_config(name).ok_or_else(|| {
        let names: Vec<_> = broker_configs().map(|row| row.name).collect();
        unknown("broker", name, names)
    })
}

fn unknown(whose: &str, name: &str, names: impl IntoIterator<Item = &'static str>) -> Refused {
    let mut why = format!("unknown {whose} config name: {name}");
    if let Some(meant) = nearest(name, names) {
        why.push_str(&format!("; did you mean {meant}?"));
    }
    (ErrorCode::InvalidConfig, why)
}

fn ill_typed(name: &str, value: &str, wanted: &str) -> Refused {
    (ErrorCode::InvalidConfig, format!("invalid value {value} for configuration {name}: {wanted}"))
}
