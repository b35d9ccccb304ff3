//! AlterConfigs (33): gives a topic or the broker a new set of configurations in place of all that were given before; and what
//! it shares with IncrementalAlterConfigs.
//! Invariant: a resource changes as a whole or not at all, is in force when the handler returns and answered for when it is
//! durable.

use std::collections::BTreeSet;

use super::Reply;
use crate::config::{self, BrokerConfigs, Given, Refused};
use crate::wire::alter_configs_request::AlterConfigsResource;
use crate::wire::alter_configs_response::AlterConfigsResourceResponse;
use crate::wire::{AlterConfigsRequest, AlterConfigsResponse, StrBytes, make};
use crate::{Broker, Call, ErrorCode, topics, upkeep};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Whose configuration it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Topic(StrBytes),
    /// This broker, or all brokers.
    Broker {
        own: bool,
    },
}

pub(super) fn handle(broker: &mut Broker, call: &Call, request: &AlterConfigsRequest) -> Reply {
    let mut seen = BTreeSet::new();
    let mut changed = false;
    let responses = request.resources.iter().map(|asked| {
        let altered = once(&mut seen, asked.resource_type, &asked.resource_name)
            .and_then(|()| target(broker, asked.resource_type, &asked.resource_name))
            .and_then(|target| Ok((replacement(asked)?, target)))
            .and_then(|(given, target)| alter(broker, &target, given, request.validate_only));
        changed |= altered.is_ok() && !request.validate_only;
        make(|response: &mut AlterConfigsResourceResponse| {
            response.resource_type = asked.resource_type;
            response.resource_name = asked.resource_name.clone();
            if let Err((code, why)) = altered {
                response.error_code = code.code();
                response.error_message = Some(why.into());
            }
        })
    });
    let responses = responses.collect();
    let response = make(|response: &mut AlterConfigsResponse| response.responses = responses);
    match changed {
        true => broker.respond_durably(call.id, response),
        false => response.into(),
    }
}

fn replacement(asked: &AlterConfigsResource) -> Result<Given, Refused> {
    let mut given = Given::new();
    for config in &asked.configs {
        let Some(value) = &config.value else { return Err(null_value(&config.name)) };
        if given.insert(config.name.to_string(), value.to_string()).is_some() {
            return Err(twice(&config.name));
        }
    }
    Ok(given)
}

pub(super) fn null_value(name: &str) -> Refused {
    (ErrorCode::InvalidRequest, format!("configuration {name} has no value"))
}

pub(super) fn twice(name: &str) -> Refused {
    (ErrorCode::InvalidRequest, format!("configuration {name} is given twice"))
}

/// Refuses what stands in a request twice.
pub(super) fn once(
    seen: &mut BTreeSet<(i8, StrBytes)>,
    resource_type: i8,
    name: &StrBytes,
) -> Result<(), Refused> {
    match seen.insert((resource_type, name.clone())) {
        true => Ok(()),
        false => Err((ErrorCode::InvalidRequest, format!("resource '{name}' is given twice"))),
    }
}

/// What a resource stands for.
pub(super) fn target(
    broker: &Broker,
    resource_type: i8,
    name: &StrBytes,
) -> Result<Target, Refused> {
    match resource_type {
        TOPIC => {
            topics::check_name(name).map_err(|why| (ErrorCode::InvalidTopicException, why))?;
            Ok(Target::Topic(name.clone()))
        }
        BROKER if name.is_empty() => Ok(Target::Broker { own: false }),
        BROKER if **name == *broker.settings.node_id.to_string() => {
            Ok(Target::Broker { own: true })
        }
        BROKER => {
            let own = broker.settings.node_id;
            let why = format!("unexpected broker id, expected {own} or nothing, received '{name}'");
            Err((ErrorCode::InvalidRequest, why))
        }
        other => {
            let why = format!("resource type {other} has no configuration here");
            Err((ErrorCode::InvalidRequest, why))
        }
    }
}

/// What was given for a target so far.
pub(super) fn given(broker: &Broker, target: &Target) -> Result<Given, Refused> {
    match target {
        Target::Broker { own } => Ok(broker.configs.given(*own).clone()),
        Target::Topic(name) => match broker.topics.by_name(name) {
            Some(topic) => Ok(topic.overrides.clone()),
            None => {
                Err((ErrorCode::UnknownTopicOrPartition, format!("there is no topic '{name}'")))
            }
        },
    }
}

/// Puts a new set in force.
pub(super) fn alter(
    broker: &mut Broker,
    target: &Target,
    new: Given,
    validate_only: bool,
) -> Result<(), Refused> {
    let old = given(broker, target)?;
    let changed = new.iter().filter(|(name, value)| old.get(*name) != Some(*value));
    for (name, value) in changed {
        match target {
            Target::Topic(_) => config::check_topic(name, value)?,
            Target::Broker { .. } => config::check_broker(name, value)?,
        }
    }
    let journal = |code: ErrorCode| (code, "the journal takes no more entries".to_owned());
    match target {
        Target::Topic(name) => {
            let settings = broker.configs.log_settings(&new);
            config::check_topic_together(&settings)?;
            if validate_only {
                return Ok(());
            }
            let Some(topic) = broker.topics.by_name_mut(name) else { return Ok(()) };
            topic.overrides = new;
            let entry = topic.entry();
            if let Err(code) = broker.record(&[entry]) {
                if let Some(topic) = broker.topics.by_name_mut(name) {
                    topic.overrides = old;
                }
                return Err(journal(code));
            }
            upkeep::apply_settings(broker, Some(name));
        }
        Target::Broker { own } => {
            if validate_only {
                return Ok(());
            }
            broker.record(&[BrokerConfigs::entry(*own, &new)]).map_err(journal)?;
            broker.configs.replace(*own, new);
            broker.settings = broker.configs.settings();
            upkeep::apply_settings(broker, None);
        }
    }
    Ok(())
}
