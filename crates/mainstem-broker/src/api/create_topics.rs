//! CreateTopics (19), and the creation of a topic that somebody asked for by its name.

use std::collections::BTreeMap;

use super::Reply;
use crate::topics::{self, Topic};
use crate::wire::create_topics_request::CreatableTopic;
use crate::wire::create_topics_response::CreatableTopicResult;
use crate::wire::{CreateTopicsRequest, CreateTopicsResponse, StrBytes, make};
use crate::{Broker, Call, ErrorCode};

/// Why a topic was not made.
type Refused = (ErrorCode, String);

/// A topic that may be made.
struct Plan {
    name: StrBytes,
    partitions: usize,
    overrides: BTreeMap<String, String>,
}

pub(super) fn handle(broker: &mut Broker, call: &Call, request: CreateTopicsRequest) -> Reply {
    let mut results = Vec::with_capacity(request.topics.len());
    for asked in &request.topics {
        let made = plan(broker, asked).and_then(|plan| match request.validate_only {
            true => Ok(()),
            false => create(broker, plan),
        });
        results.push(result(broker, asked, made));
    }
    let response = make(|response: &mut CreateTopicsResponse| response.topics = results);
    match request.validate_only {
        true => response.into(),
        false => broker.respond_durably(call.id, response),
    }
}

/// Makes a topic with the defaults of the broker.
pub(super) fn create_by_default(broker: &mut Broker, name: &StrBytes) -> Result<(), Refused> {
    let asked = make(|asked: &mut CreatableTopic| {
        asked.name = name.clone();
        asked.num_partitions = -1;
        asked.replication_factor = -1;
    });
    let plan = plan(broker, &asked)?;
    create(broker, plan)
}

fn plan(broker: &Broker, asked: &CreatableTopic) -> Result<Plan, Refused> {
    topics::check_name(&asked.name).map_err(|why| (ErrorCode::InvalidTopicException, why))?;
    if broker.topics.by_name(&asked.name).is_some() {
        let why = format!("topic '{}' already exists", asked.name);
        return Err((ErrorCode::TopicAlreadyExists, why));
    }
    let partitions = match (asked.num_partitions, asked.assignments.len()) {
        (-1, 0) => broker.settings.partitions_default,
        (-1, count) => i32::try_from(count).unwrap_or(i32::MAX),
        (count, _) => count,
    };
    if !(1..=100_000).contains(&partitions) {
        let why = format!("a topic has at least 1 and at most 100000 partitions, not {partitions}");
        return Err((ErrorCode::InvalidPartitions, why));
    }
    if !matches!(asked.replication_factor, -1 | 1) {
        let why = format!(
            "replication factor {} is more than the 1 broker there is",
            asked.replication_factor
        );
        return Err((ErrorCode::InvalidReplicationFactor, why));
    }
    let overrides = asked
        .configs
        .iter()
        .filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string())));
    Ok(Plan {
        name: asked.name.clone(),
        partitions: usize::try_from(partitions).unwrap_or(1),
        overrides: overrides.collect(),
    })
}

fn create(broker: &mut Broker, plan: Plan) -> Result<(), Refused> {
    let settings = topics::log_settings(&broker.settings, &plan.overrides);
    let mut topic = Topic {
        id: broker.new_id(),
        name: plan.name,
        partitions: Vec::with_capacity(plan.partitions),
        overrides: plan.overrides,
    };
    let failed = |e: &dyn std::fmt::Display| (ErrorCode::KafkaStorageError, e.to_string());
    topic.grow(plan.partitions, &broker.disk, &settings, broker.now_ms).map_err(|e| failed(&e))?;
    broker
        .record(&[topic.entry()])
        .map_err(|code| (code, "the journal takes no more entries".to_owned()))?;
    broker.topics.insert(topic);
    Ok(())
}

fn result(
    broker: &Broker,
    asked: &CreatableTopic,
    made: Result<(), Refused>,
) -> CreatableTopicResult {
    make(|result: &mut CreatableTopicResult| {
        result.name = asked.name.clone();
        match made {
            Ok(()) => {
                result.num_partitions = asked.num_partitions.max(1);
                result.replication_factor = 1;
                if let Some(topic) = broker.topics.by_name(&asked.name) {
                    result.topic_id = topic.id;
                    result.num_partitions =
                        i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
                }
            }
            Err((code, why)) => {
                result.error_code = code.code();
                result.error_message = Some(why.into());
                result.num_partitions = -1;
                result.replication_factor = -1;
            }
        }
    })
}
