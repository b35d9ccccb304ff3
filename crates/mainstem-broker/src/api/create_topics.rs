//! CreateTopics (19), and the creation of a topic that somebody asked for by its name.
//! Invariant: a topic that is answered for is durable in the journal. The time limit of the request is not looked at: there is
//! nothing to wait for but the one sync, and giving that up would not undo the topic.

use std::collections::BTreeMap;

use super::Reply;
use crate::config::{self, Given};
use crate::topics::{self, Topic};
use crate::wire::create_topics_request::CreatableTopic;
use crate::wire::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use crate::wire::{CreateTopicsRequest, CreateTopicsResponse, StrBytes, make};
use crate::{Broker, Call, ErrorCode, upkeep};

/// Of one topic.
pub(super) const PARTITIONS_MAX: usize = 100_000;

/// Why a topic was not made.
type Refused = (ErrorCode, String);

/// A topic that may be made.
struct Plan {
    name: StrBytes,
    partitions: usize,
    overrides: Given,
}

pub(super) fn handle(broker: &mut Broker, call: &Call, request: CreateTopicsRequest) -> Reply {
    let mut count: BTreeMap<&StrBytes, usize> = BTreeMap::new();
    for asked in &request.topics {
        *count.entry(&asked.name).or_default() += 1;
    }
    let mut results = Vec::with_capacity(request.topics.len());
    for asked in &request.topics {
        let made = match count.get(&asked.name) {
            Some(1) => plan(broker, asked).and_then(|plan| match request.validate_only {
                true => Ok((plan.partitions, plan.overrides)),
                false => create(broker, plan),
            }),
            Some(_) => {
                // Named twice: refused, and answered once.
                count.remove(&asked.name);
                let why = format!("topic '{}' is named twice", asked.name);
                Err((ErrorCode::InvalidRequest, why))
            }
            None => continue,
        };
        results.push(result(broker, call, asked, made));
    }
    let codes: Vec<i16> = results.iter().map(|result| result.error_code).collect();
    let response = make(|response: &mut CreateTopicsResponse| response.topics = results);
    broker.respond_of_topics(call.id, response, &codes)
}

/// Makes a topic with the defaults of the broker.
pub(super) fn create_by_default(broker: &mut Broker, name: &StrBytes) -> Result<(), Refused> {
    let asked = make(|asked: &mut CreatableTopic| {
        asked.name = name.clone();
        asked.num_partitions = -1;
        asked.replication_factor = -1;
    });
    let plan = plan(broker, &asked)?;
    create(broker, plan).map(|_| ())
}

fn plan(broker: &Broker, asked: &CreatableTopic) -> Result<Plan, Refused> {
    let name = &asked.name;
    topics::check_name(name).map_err(|why| (ErrorCode::InvalidTopicException, why))?;
    if broker.topics.by_name(name).is_some() {
        return Err((ErrorCode::TopicAlreadyExists, format!("topic '{name}' already exists")));
    }
    if let Some(other) = broker.topics.colliding(name) {
        let why = format!("topic '{name}' collides with existing topic: {other}");
        return Err((ErrorCode::InvalidTopicException, why));
    }
    let partitions = match asked.assignments.is_empty() {
        true => partitions(broker, asked)?,
        false => assigned(broker, asked)?,
    };
    let mut overrides = Given::new();
    for config in &asked.configs {
        let Some(value) = &config.value else {
            let why = format!("configuration {} has no value", config.name);
            return Err((ErrorCode::InvalidConfig, why));
        };
        config::check_topic(&config.name, value)?;
        overrides.insert(config.name.to_string(), value.to_string());
    }
    config::check_topic_together(&broker.configs.log_settings(&overrides))?;
    Ok(Plan { name: name.clone(), partitions, overrides })
}

/// How many partitions, where replicas are not assigned by hand.
fn partitions(broker: &Broker, asked: &CreatableTopic) -> Result<usize, Refused> {
    let count = match asked.num_partitions {
        -1 => broker.settings.partitions_default,
        count => count,
    };
    let count = usize::try_from(count).unwrap_or(0);
    if !(1..=PARTITIONS_MAX).contains(&count) {
        let why = format!(
            "a topic has at least 1 and at most {PARTITIONS_MAX} partitions, not {}",
            asked.num_partitions
        );
        return Err((ErrorCode::InvalidPartitions, why));
    }
    match asked.replication_factor {
        -1 => Ok(count),
        factor if (1..=broker.settings.replication_factor_max).contains(&factor) => Ok(count),
        factor if factor > 1 => {
            let why = format!(
                "the target replication factor of {factor} cannot be reached because only 1 broker(s) are registered"
            );
            Err((ErrorCode::InvalidReplicationFactor, why))
        }
        factor => {
            let why = format!(
                "the replication factor is at least 1, or -1 for the default, not {factor}"
            );
            Err((ErrorCode::InvalidReplicationFactor, why))
        }
    }
}

/// How many partitions an assignment of replicas by hand makes.
fn assigned(broker: &Broker, asked: &CreatableTopic) -> Result<usize, Refused> {
    if asked.num_partitions != -1 || asked.replication_factor != -1 {
        let why =
            "replicas are assigned by hand, so partitions and replication factor have to be -1";
        return Err((ErrorCode::InvalidRequest, why.to_owned()));
    }
    let mut indexes: Vec<i32> =
        asked.assignments.iter().map(|assignment| assignment.partition_index).collect();
    indexes.sort_unstable();
    if !indexes.iter().copied().eq((0..).take(indexes.len())) || indexes.len() > PARTITIONS_MAX {
        let why = "partitions are numbered from 0 on, without gaps, each once";
        return Err((ErrorCode::InvalidReplicaAssignment, why.to_owned()));
    }
    for assignment in &asked.assignments {
        check_replicas(broker, &assignment.broker_ids)?;
    }
    Ok(indexes.len())
}

/// The only replicas that there can be.
pub(super) fn check_replicas(broker: &Broker, brokers: &[i32]) -> Result<(), Refused> {
    let own = broker.settings.node_id;
    if brokers == [own] {
        return Ok(());
    }
    let why = format!("the replicas of a partition are [{own}], the one broker, not {brokers:?}");
    Err((ErrorCode::InvalidReplicaAssignment, why))
}

fn create(broker: &mut Broker, plan: Plan) -> Result<(usize, Given), Refused> {
    let settings = broker.configs.log_settings(&plan.overrides);
    let mut topic = Topic {
        id: broker.new_id(),
        name: plan.name,
        partitions: Vec::with_capacity(plan.partitions),
        folder_synced: false,
        overrides: plan.overrides.clone(),
    };
    let failed = |e: mainstem_log::LogError| (ErrorCode::KafkaStorageError, upkeep::with_cause(&e));
    topic.grow(plan.partitions, &broker.disk, &settings, broker.now_ms).map_err(failed)?;
    broker
        .record(&[topic.entry()])
        .map_err(|code| (code, "the journal takes no more entries".to_owned()))?;
    topic.promise_from(0, broker.journal.log.log_end_offset());
    broker.topics.insert(topic);
    Ok((plan.partitions, plan.overrides))
}

fn result(
    broker: &Broker,
    call: &Call,
    asked: &CreatableTopic,
    made: Result<(usize, Given), Refused>,
) -> CreatableTopicResult {
    make(|result: &mut CreatableTopicResult| {
        result.name = asked.name.clone();
        match made {
            Ok((partitions, overrides)) => {
                if let Some(topic) = broker.topics.by_name(&asked.name) {
                    result.topic_id = topic.id;
                }
                if call.version >= 5 {
                    result.num_partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
                    result.replication_factor = 1;
                    result.configs = Some(configs(broker, &overrides));
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

fn configs(broker: &Broker, overrides: &Given) -> Vec<CreatableTopicConfigs> {
    let rows = config::TOPIC_CONFIGS.iter().map(|row| {
        let found = broker.configs.of_topic(row, overrides);
        make(|config: &mut CreatableTopicConfigs| {
            config.name = row.name.into();
            config.value = found.first().map(|found| found.value.as_str().into());
            config.config_source = found.first().map_or(0, |found| found.source as i8);
        })
    });
    rows.collect()
}
