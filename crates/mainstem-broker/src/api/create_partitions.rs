//! CreatePartitions (37): more partitions for a topic; never fewer.

use std::collections::BTreeSet;

use super::{Reply, create_topics};
use crate::wire::create_partitions_request::CreatePartitionsTopic;
use crate::wire::create_partitions_response::CreatePartitionsTopicResult;
use crate::wire::{CreatePartitionsRequest, CreatePartitionsResponse, make};
use crate::{Broker, Call, ErrorCode};

type Refused = (ErrorCode, String);

pub(super) fn handle(broker: &mut Broker, call: &Call, request: &CreatePartitionsRequest) -> Reply {
    let mut seen = BTreeSet::new();
    let results = request.topics.iter().map(|asked| {
        let grown = match seen.insert(asked.name.clone()) {
            true => plan(broker, asked).and_then(|count| match request.validate_only {
                true => Ok(()),
                false => grow(broker, asked, count),
            }),
            false => {
                let why = format!("topic '{}' is named twice", asked.name);
                Err((ErrorCode::InvalidRequest, why))
            }
        };
        make(|result: &mut CreatePartitionsTopicResult| {
            result.name = asked.name.clone();
            if let Err((code, why)) = grown {
                result.error_code = code.code();
                result.error_message = Some(why.into());
            }
        })
    });
    let results: Vec<_> = results.collect();
    let codes: Vec<i16> = results.iter().map(|result| result.error_code).collect();
    let response = make(|response: &mut CreatePartitionsResponse| response.results = results);
    broker.respond_of_topics(call.id, response, &codes)
}

fn plan(broker: &Broker, asked: &CreatePartitionsTopic) -> Result<usize, Refused> {
    let name = &asked.name;
    let topic = broker.topics.by_name(name).ok_or_else(|| {
        (ErrorCode::UnknownTopicOrPartition, format!("there is no topic '{name}'"))
    })?;
    let there = topic.partitions.len();
    let count = usize::try_from(asked.count).unwrap_or(0);
    if count <= there || count > create_topics::PARTITIONS_MAX {
        let max = create_topics::PARTITIONS_MAX;
        let why = format!(
            "topic '{name}' has {there} partitions, more than that and at most {max} can be asked for, not {}",
            asked.count
        );
        return Err((ErrorCode::InvalidPartitions, why));
    }
    if let Some(assignments) = &asked.assignments {
        if assignments.len() != count - there {
            let why = format!(
                "{} partitions are added, and replicas are assigned to {}",
                count - there,
                assignments.len()
            );
            return Err((ErrorCode::InvalidReplicaAssignment, why));
        }
        for assignment in assignments {
            create_topics::check_replicas(broker, &assignment.broker_ids)?;
        }
    }
    Ok(count)
}

fn grow(broker: &mut Broker, asked: &CreatePartitionsTopic, count: usize) -> Result<(), Refused> {
    let (disk, now_ms) = (std::sync::Arc::clone(&broker.disk), broker.now_ms);
    let Some(topic) = broker.topics.by_name_mut(&asked.name) else { return Ok(()) };
    let before = topic.partitions.len();
    let settings = broker.configs.log_settings(&topic.overrides);
    let grown = topic.grow(count, &disk, &settings, now_ms);
    let grown = grown.map_err(|e| (ErrorCode::KafkaStorageError, e.to_string()));
    let entry = topic.entry();
    let recorded = grown.and_then(|()| {
        let journal = |code| (code, "the journal takes no more entries".to_owned());
        broker.record(&[entry]).map_err(journal)
    });
    let end = broker.journal.log.log_end_offset();
    if let Some(topic) = broker.topics.by_name_mut(&asked.name) {
        match recorded {
            Ok(()) => topic.promise_from(before, end),
            Err(_) => topic.partitions.truncate(before),
        }
    }
    recorded
}
