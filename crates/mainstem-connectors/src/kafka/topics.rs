//! Questions about topics: is it there, how many partitions, and making one when the table says so.
//! Invariant: "missing" is said only after a broker has said it.

use std::sync::Arc;
use std::time::Duration;

use mainstem_core::{Error, Result};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{Client, ClientContext, DefaultClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use tokio::time::sleep;

use super::link::{Link, REQUEST_TIMEOUT, Requester, patiently};
use super::properties;

/// The option that lets a missing topic be created.
pub(crate) const AUTO_CREATE: &str = "mainstem.auto-create-topics";
/// How often a missing topic is asked for before it counts as missing: a new topic takes a moment to be known.
pub(super) const MISSING_ASKED: usize = 5;
pub(super) const MISSING_PAUSE: Duration = Duration::from_millis(300);
const CREATE_TIMEOUT: Duration = Duration::from_secs(15);
const NAME_LENGTH_MAX: usize = 249;

/// How many partitions the topic has; `None` if a broker says that there is no such topic.
pub(crate) fn partition_count<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
) -> Result<Option<usize>, KafkaError> {
    let metadata = client.fetch_metadata(Some(topic), REQUEST_TIMEOUT)?;
    let Some(found) = metadata.topics().iter().find(|t| t.name() == topic) else {
        return Ok(None);
    };
    match found.error() {
        Some(
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
            | RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
        ) => Ok(None),
        Some(error) => Err(KafkaError::MetadataFetch(error.into())),
        None if found.partitions().is_empty() => {
            Err(KafkaError::MetadataFetch(RDKafkaErrorCode::LeaderNotAvailable))
        }
        None => Ok(Some(found.partitions().len())),
    }
}

/// The topic's number of partitions, once it is there. Without `create` a missing topic is an error; a broker that
/// creates topics on demand (for producers) gets the time to do so.
pub(crate) async fn require<R: Requester>(
    link: &Arc<Link>,
    client: &Arc<R>,
    config: &ClientConfig,
    topic: &str,
    create: bool,
) -> Result<usize> {
    for asked in 1..=MISSING_ASKED {
        let name = topic.to_owned();
        let count = patiently(link, client, move |c: &R| c.partition_count(&name)).await?;
        match count {
            Some(count) => return Ok(count),
            None if create && asked == 1 => self::create(config, link, topic).await?,
            None => sleep(MISSING_PAUSE).await,
        }
    }
    Err(missing(topic, link.servers()))
}

/// Creates the topic with the broker's default number of partitions; another creator may have been quicker.
async fn create(config: &ClientConfig, link: &Arc<Link>, topic: &str) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        config.create().map_err(properties::config_error)?;
    let new = NewTopic::new(topic, -1, TopicReplication::Fixed(-1));
    let options = AdminOptions::new().operation_timeout(Some(CREATE_TIMEOUT));
    let refused = |code: RDKafkaErrorCode| {
        Error::user(format!("topic '{topic}' cannot be created: {code}"))
            .with_hint("create it by hand, with the partitions it needs")
    };
    let results = admin
        .create_topics([&new], &options)
        .await
        .map_err(|e| refused(e.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown)))?;
    for result in results {
        match result {
            Ok(_) => link.notice(&format!("created topic '{topic}'")),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(refused(code)),
        }
    }
    Ok(())
}

/// The error for a topic that is not there.
fn missing(topic: &str, servers: &str) -> Error {
    Error::user(format!("topic '{topic}' does not exist at {servers}")).with_hint(format!(
        "create it (kafka-topics --create --topic {topic} --partitions 3 --bootstrap-server \
         {servers}), or give the table the option '{AUTO_CREATE}' = 'true'"
    ))
}

/// Refuses what no broker takes as a topic's name.
pub(crate) fn check_name(topic: &str) -> Result<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if topic.is_empty()
        || topic.len() > NAME_LENGTH_MAX
        || topic == "."
        || topic == ".."
        || !topic.chars().all(legal)
    {
        return Err(Error::user(format!("'{topic}' cannot be the name of a topic"))
            .with_hint("names have at most 249 letters, digits, dots, underscores and dashes"));
    }
    Ok(())
}
