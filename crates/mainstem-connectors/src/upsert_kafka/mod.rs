//! Connector `upsert-kafka`: a topic as a table by primary key. A record is the key's latest row, a null value
//! deletes it.
//! Invariant: reading starts at the beginning of the topic; a tombstone becomes a row of weight -1 with its key
//! columns set and the others NULL. The engine turns that into exact changes. Reading and writing are `kafka`'s.

use mainstem_core::Result;
use mainstem_core::options::{
    ConnectorSpec, Delivery, FormatUse, OptionType, Pushdown, SinkChangelog, optional, required,
};

use crate::api::{Connector, Sink, SinkRequest, Source, SourceRequest};
use crate::kafka::{self, Flavor};

/// The connector, for the registry.
pub static UPSERT_KAFKA: UpsertKafka = UpsertKafka;

/// Connector `upsert-kafka`.
#[derive(Debug, Clone, Copy)]
pub struct UpsertKafka;

impl Connector for UpsertKafka {
    fn spec(&self) -> &'static ConnectorSpec {
        &SPEC
    }

    fn source(&self, request: SourceRequest) -> Result<Box<dyn Source>> {
        kafka::source_of(request, Flavor::Upsert)
    }

    fn sink(&self, request: SinkRequest) -> Result<Box<dyn Sink>> {
        kafka::sink_of(request, Flavor::Upsert)
    }
}

/// What the planner, the docs and `--help` know.
pub(crate) static SPEC: ConnectorSpec = ConnectorSpec {
    name: "upsert-kafka",
    doc: "A Kafka topic that holds the latest row of each primary key.",
    source: Some(Delivery::ExactlyOnce),
    sink: Some(Delivery::ExactlyOnce),
    sink_weaker: kafka::WEAKER,
    formats: FormatUse::KeyValue,
    options: &[
        required(
            "topic",
            OptionType::List,
            "The topic; a source takes several, separated by semicolons.",
            "users",
        ),
        kafka::BOOTSTRAP_SERVERS,
        kafka::GROUP_ID,
        kafka::JAAS,
        kafka::SASL_PASSWORD,
        kafka::KEY_PASSWORD,
        kafka::KEYSTORE_KEY,
        kafka::KEYSTORE_PASSWORD,
        kafka::TRUSTSTORE_PASSWORD,
        kafka::PROPERTIES,
        kafka::BOUNDED_MODE,
        kafka::BOUNDED_OFFSETS,
        kafka::BOUNDED_MS,
        kafka::DISCOVERY,
        kafka::CREATE_TOPICS,
        optional(
            "sink.buffer-flush.max-rows",
            OptionType::Integer,
            Some("0"),
            "Accepted as Flink does; changes to the same key within a step are merged in any case.",
            "1000",
        ),
        optional(
            "sink.buffer-flush.interval",
            OptionType::Duration,
            Some("0"),
            "Accepted as Flink does; changes to the same key within a step are merged in any case.",
            "1 s",
        ),
        kafka::DELIVERY,
        kafka::TRANSACTIONAL_ID,
    ],
    metadata: kafka::METADATA,
    upsert_source: true,
    sink_changelog: SinkChangelog::Upsert,
    pushdown: Pushdown::NONE,
};
