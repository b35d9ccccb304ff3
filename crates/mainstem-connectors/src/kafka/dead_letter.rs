//! The dead-letter topic (`'mainstem.dead-letter.topic'`): bad records as they came, with their story in headers.
//! Invariant: a letter that was taken is acknowledged by the brokers when `flush` returns.

use std::sync::Arc;

use mainstem_core::clock::Clock;
use mainstem_core::ingest::{DeadLetter, Header, Messages};
use mainstem_core::table::TableSpec;
use mainstem_core::{Error, Result};
use mainstem_log::Compression;

use super::embedded::{self, sink::TopicWriter};
use super::link::Link;
use super::producer::TopicProducer;
use super::sink::{Acks, producer_config};
use super::{properties, topics};
use crate::api::Environment;
use crate::format::DEAD_LETTER_TOPIC;

/// An open dead-letter topic.
pub struct DeadLetterTopic {
    target: Target,
    table: String,
}

/// Where the broker is.
enum Target {
    Network(TopicProducer),
    Embedded { writer: TopicWriter, clock: Arc<dyn Clock> },
}

impl std::fmt::Debug for DeadLetterTopic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetterTopic").field("table", &self.table).finish_non_exhaustive()
    }
}

impl DeadLetterTopic {
    /// Opens the topic that `table` names, on the brokers of `table`. Waits while they are down.
    pub async fn open(table: &TableSpec, environment: &Environment) -> Result<Self> {
        let option = |name: &str| {
            let value = table.options.get(name);
            value.ok_or_else(|| Error::user(format!("option '{name}' is missing")))
        };
        let topic = option(DEAD_LETTER_TOPIC)?;
        topics::check_name(topic)?;
        if embedded::has_embedded_servers(&table.options) {
            let writer =
                TopicWriter::open(environment, &table.name, topic, Compression::None).await?;
            let target = Target::Embedded { writer, clock: Arc::clone(&environment.clock) };
            return Ok(Self { target, table: table.name.clone() });
        }
        let servers = option("properties.bootstrap.servers")?;
        let properties = table.options.iter().filter_map(|(name, value)| {
            Some((name.strip_prefix(properties::PREFIX)?, value.as_str()))
        });
        let config = producer_config(properties, Acks::All)?;
        let create = table.options.get(topics::AUTO_CREATE);
        let create = create.is_some_and(|v| v.trim().eq_ignore_ascii_case("true"));
        let link = Link::new(&table.name, servers, Arc::clone(&environment.observer));
        let producer = TopicProducer::open(&config, &link, topic, create).await?;
        Ok(Self { target: Target::Network(producer), table: table.name.clone() })
    }

    /// Writes letters: the record is the value; headers tell table, place and reason.
    pub async fn write(&mut self, letters: &[DeadLetter]) -> Result<()> {
        let mut data = Vec::new();
        let mut messages = Messages::default();
        let put = |data: &mut Vec<u8>, bytes: &[u8]| {
            let start = data.len() as u32;
            data.extend_from_slice(bytes);
            start..data.len() as u32
        };
        for letter in letters {
            messages.values.push(Some(put(&mut data, &letter.record)));
            let story = [
                ("mainstem.table", self.table.as_str()),
                ("mainstem.place", letter.place.as_str()),
                ("mainstem.reason", letter.reason.as_str()),
            ];
            messages.headers.push(
                story
                    .into_iter()
                    .map(|(name, text)| Header {
                        name: Arc::from(name),
                        value: Some(put(&mut data, text.as_bytes())),
                    })
                    .collect(),
            );
        }
        messages.data = data.into();
        match &mut self.target {
            Target::Network(producer) => producer.send(&messages, None).await,
            Target::Embedded { writer, clock } => {
                writer.write(&messages, None, clock.now_ms()).await
            }
        }
    }

    /// Returns when all letters are acknowledged.
    pub async fn flush(&mut self) -> Result<()> {
        match &mut self.target {
            Target::Network(producer) => producer.flush().await,
            Target::Embedded { writer, .. } => writer.flush().await,
        }
    }
}
