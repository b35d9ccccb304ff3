//! DeleteTopics (20): by name, or (from version 6 on) by id.
//! Invariant: requests that wait for the topic are answered at once, the answer to this one waits for the journal, and files
//! go only after the journal has forgotten the topic durably.

use std::collections::BTreeSet;

use super::Reply;
use crate::topics::Topic;
use crate::wire::delete_topics_response::DeletableTopicResult;
use crate::wire::{DeleteTopicsRequest, DeleteTopicsResponse, StrBytes, Uuid, make};
use crate::{Broker, Call, ErrorCode, group, upkeep};

/// A topic to be deleted, as it was named.
struct Asked {
    name: Option<StrBytes>,
    id: Uuid,
}

pub(super) fn handle(broker: &mut Broker, call: &Call, request: DeleteTopicsRequest) -> Reply {
    let asked: Vec<Asked> = match call.version >= 6 {
        true => {
            let topics = request.topics.into_iter();
            topics.map(|topic| Asked { name: topic.name, id: topic.topic_id }).collect()
        }
        false => {
            let names = request.topic_names.into_iter();
            names.map(|name| Asked { name: Some(name), id: Uuid::ZERO }).collect()
        }
    };
    let mut seen = BTreeSet::new();
    let responses = asked.into_iter().map(|asked| {
        let found = find(broker, &asked);
        let done = found.and_then(|name| match seen.insert(name.clone()) {
            true => delete(broker, &name),
            false => Err((ErrorCode::InvalidRequest, format!("topic '{name}' is named twice"))),
        });
        make(|result: &mut DeletableTopicResult| {
            result.name = asked.name;
            result.topic_id = asked.id;
            match done {
                Ok(topic) => {
                    result.name = Some(topic.name);
                    result.topic_id = topic.id;
                }
                Err((code, why)) => {
                    result.error_code = code.code();
                    result.error_message = Some(why.into());
                }
            }
        })
    });
    let responses: Vec<_> = responses.collect();
    let codes: Vec<i16> = responses.iter().map(|result| result.error_code).collect();
    let response = make(|response: &mut DeleteTopicsResponse| response.responses = responses);
    broker.respond_of_topics(call.id, response, &codes)
}

type Refused = (ErrorCode, String);

fn find(broker: &Broker, asked: &Asked) -> Result<StrBytes, Refused> {
    match (&asked.name, asked.id.is_zero()) {
        (Some(name), true) => match broker.topics.by_name(name) {
            Some(topic) => Ok(topic.name.clone()),
            None => {
                Err((ErrorCode::UnknownTopicOrPartition, format!("there is no topic '{name}'")))
            }
        },
        (None, false) => broker.topics.name_of(asked.id).cloned().ok_or_else(|| {
            (ErrorCode::UnknownTopicId, "there is no topic with this id".to_owned())
        }),
        (Some(_), false) => {
            let why = "a topic is named by its name or by its id, not by both";
            Err((ErrorCode::InvalidRequest, why.to_owned()))
        }
        (None, true) => {
            Err((ErrorCode::InvalidRequest, "neither a name nor an id was given".to_owned()))
        }
    }
}

fn delete(broker: &mut Broker, name: &StrBytes) -> Result<Topic, Refused> {
    let gone = || (ErrorCode::UnknownTopicOrPartition, format!("there is no topic '{name}'"));
    let (key, _) = broker.topics.by_name(name).ok_or_else(gone)?.entry();
    // In one batch, all or nothing: a topic of the same name must not find offsets of this one.
    let mut entries = vec![(key, None)];
    entries.extend(group::entries_without(broker, name));
    let journal = |code| (code, "the journal takes no more entries".to_owned());
    broker.record(&entries).map_err(journal)?;
    group::forget_topic(broker, name);
    upkeep::remove_topic(broker, name).ok_or_else(gone)
}
