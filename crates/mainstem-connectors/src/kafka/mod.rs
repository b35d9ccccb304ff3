//! Connector `kafka`: topics of a Kafka cluster as append-only tables, through librdkafka.
//! Invariant: a source loses no record and a sink reports every record that was not written; an outage of the
//! brokers is waited out. Group offsets follow [`crate::api::Source::acknowledge`]. With checkpoints a sink writes in
//! transactions (`transactions`). Not here: the metadata key `leader-epoch`, which the client does not show.

use mainstem_core::Result;
use mainstem_core::options::{
    ConnectorSpec, Delivery, FormatUse, OptionSpec, OptionType, Pushdown, SinkChangelog, Weaker,
    optional, secret,
};

use crate::api::{Connector, Sink, SinkRequest, Source, SourceRequest};

mod columns;
mod coordinator;
mod dead_letter;
mod decode;
pub mod embedded;
mod encode;
mod exchange;
mod gather;
mod hanging;
mod link;
mod producer;
mod properties;
mod pump;
mod range;
pub mod scram;
mod security;
mod sink;
mod source;
mod splits;
mod staged;
mod startup;
mod topics;
mod transactions;

#[cfg(test)]
mod tests;

pub use dead_letter::DeadLetterTopic;
use sink::KafkaSink;
pub use sink::PRODUCER_DEFAULTS;
pub use source::CONSUMER_DEFAULTS;
use source::KafkaSource;

/// The connector, for the registry.
pub static KAFKA: Kafka = Kafka;

/// Connector `kafka`.
#[derive(Debug, Clone, Copy)]
pub struct Kafka;

/// Which of the two Kafka connectors a source or sink serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// `kafka`.
    Append,
    /// `upsert-kafka`.
    Upsert,
}

impl Flavor {
    pub(crate) fn spec(self) -> &'static ConnectorSpec {
        match self {
            Flavor::Append => &SPEC,
            Flavor::Upsert => &crate::upsert_kafka::SPEC,
        }
    }
}

impl Connector for Kafka {
    fn spec(&self) -> &'static ConnectorSpec {
        &SPEC
    }

    fn source(&self, request: SourceRequest) -> Result<Box<dyn Source>> {
        source_of(request, Flavor::Append)
    }

    fn sink(&self, request: SinkRequest) -> Result<Box<dyn Sink>> {
        sink_of(request, Flavor::Append)
    }
}

/// A table that is read: over the network, or from the broker of this process.
pub(crate) fn source_of(request: SourceRequest, flavor: Flavor) -> Result<Box<dyn Source>> {
    Ok(match embedded::has_embedded_servers(&request.table.options) {
        true => Box::new(embedded::source::EmbeddedSource::new(request, flavor)?),
        false => Box::new(KafkaSource::new(request, flavor)?),
    })
}

/// A table that is written: over the network, or to the broker of this process.
pub(crate) fn sink_of(request: SinkRequest, flavor: Flavor) -> Result<Box<dyn Sink>> {
    Ok(match embedded::has_embedded_servers(&request.table.options) {
        true => Box::new(embedded::sink::EmbeddedSink::new(request, flavor)?),
        false => Box::new(KafkaSink::new(request, flavor)?),
    })
}

pub(crate) const BOOTSTRAP_SERVERS: OptionSpec = optional(
    "properties.bootstrap.servers",
    OptionType::String,
    Some("embedded"),
    "The brokers to ask first, as host:port, separated by commas; embedded is the broker of this process.",
    "localhost:9092",
);
pub(crate) const GROUP_ID: OptionSpec = optional(
    "properties.group.id",
    OptionType::String,
    None,
    "The consumer group whose offsets are read and committed.",
    "rides-job",
);
pub(crate) const JAAS: OptionSpec = secret(
    "properties.sasl.jaas.config",
    "The login of a Java client; user name and password are taken from it.",
);
pub(crate) const SASL_PASSWORD: OptionSpec =
    secret("properties.sasl.password", "The password for SASL, as librdkafka names it.");
pub(crate) const KEY_PASSWORD: OptionSpec =
    secret("properties.ssl.key.password", "The pass phrase of the private key.");
pub(crate) const KEYSTORE_KEY: OptionSpec =
    secret("properties.ssl.keystore.key", "The private key, in PEM.");
pub(crate) const KEYSTORE_PASSWORD: OptionSpec =
    secret("properties.ssl.keystore.password", "The password of the key store (PKCS12).");
pub(crate) const TRUSTSTORE_PASSWORD: OptionSpec =
    secret("properties.ssl.truststore.password", "Taken and not needed: PEM has none.");
pub(crate) const PROPERTIES: OptionSpec = optional(
    "properties.*",
    OptionType::String,
    None,
    "Any setting of the Kafka client, by its Java or its librdkafka name. isolation.level is read_committed if nothing else is \
     said: records of transactions are read when they are committed.",
    "earliest",
);
pub(crate) const BOUNDED_MODE: OptionSpec = optional(
    "scan.bounded.mode",
    OptionType::Enum(startup::BOUNDED_MODES),
    Some("unbounded"),
    "Where reading ends.",
    "latest-offset",
);
pub(crate) const BOUNDED_OFFSETS: OptionSpec = optional(
    "scan.bounded.specific-offsets",
    OptionType::String,
    None,
    "For mode specific-offsets: the first offset of each partition that is not read.",
    "partition:0,offset:42;partition:1,offset:300",
);
pub(crate) const BOUNDED_MS: OptionSpec = optional(
    "scan.bounded.timestamp-millis",
    OptionType::Integer,
    None,
    "For mode timestamp: records from this time on are not read.",
    "1704067200000",
);
pub(crate) const DISCOVERY: OptionSpec = optional(
    "scan.topic-partition-discovery.interval",
    OptionType::Duration,
    Some("5 min"),
    "How often to look for new partitions (and topics of a pattern); 0 turns it off.",
    "1 min",
);
pub(crate) const CREATE_TOPICS: OptionSpec = optional(
    topics::AUTO_CREATE,
    OptionType::Boolean,
    Some("false"),
    "Creates a topic that does not exist, with the broker's default number of partitions.",
    "true",
);
pub(crate) const DELIVERY: OptionSpec = optional(
    "sink.delivery-guarantee",
    OptionType::Enum(&["at-least-once", "none", "exactly-once"]),
    None,
    "exactly-once is the default in a pipeline with checkpoints (--state): a transaction holds the rows of a checkpoint and is \
     committed after it, so that consumers with isolation.level read_committed see each row once. It may wait for \
     properties.transaction.timeout.ms (15 min; 1 h on the embedded broker): after a longer outage the pipeline says that rows are \
     lost. A partition that a restarted broker has not told of a commit is told by the pipeline. Needs Kafka 3.0. \
     With SASL OAUTHBEARER and keys with passwords or in PKCS#12, transactions are not supported \
     yet and the default is at-least-once. at-least-once waits for all in-sync replicas, none for the leader only.",
    "exactly-once",
);
pub(crate) const TRANSACTIONAL_ID: OptionSpec = optional(
    "sink.transactional-id-prefix",
    OptionType::String,
    None,
    "For exactly-once: how the names of its transactions begin; no other pipeline on the same Kafka may have it. Default: \
     mainstem, the table and the topic.",
    "rides-job",
);

/// What a table's sink promises that says so, or whose brokers' transactions cannot be asked about (`security`).
pub(crate) const WEAKER: &[Weaker] = {
    const fn at_least_once(option: &'static str, value: Option<&'static str>) -> Weaker {
        Weaker { option, value, delivery: Delivery::AtLeastOnce }
    }
    &[
        Weaker { option: DELIVERY.name, value: Some("none"), delivery: Delivery::AtMostOnce },
        at_least_once(DELIVERY.name, Some("at-least-once")),
        at_least_once("properties.sasl.mechanism", Some("OAUTHBEARER")),
        at_least_once("properties.ssl.keystore.type", Some("PKCS12")),
        at_least_once("properties.ssl.key.password", None),
        at_least_once("properties.ssl.crl.location", None),
    ]
};

/// Metadata columns: key, type, writable.
pub(crate) const METADATA: &[(&str, &str, bool)] = &[
    ("topic", "STRING NOT NULL", false),
    ("partition", "INT NOT NULL", false),
    ("offset", "BIGINT NOT NULL", false),
    ("timestamp", "TIMESTAMP_LTZ(3) NOT NULL", true),
    ("timestamp-type", "STRING NOT NULL", false),
    ("headers", "MAP<STRING NOT NULL, BYTES> NOT NULL", true),
];

/// What the planner, the docs and `--help` know.
pub(crate) static SPEC: ConnectorSpec = ConnectorSpec {
    name: "kafka",
    doc: "Topics of Apache Kafka, and of everything that speaks its protocol.",
    source: Some(Delivery::ExactlyOnce),
    sink: Some(Delivery::ExactlyOnce),
    sink_weaker: WEAKER,
    formats: FormatUse::KeyValue,
    options: &[
        optional(
            "topic",
            OptionType::List,
            None,
            "The topic; a source takes several, separated by semicolons.",
            "rides",
        ),
        optional(
            "topic-pattern",
            OptionType::String,
            None,
            "A regular expression that the whole name of each topic matches (source only).",
            "rides-.*",
        ),
        BOOTSTRAP_SERVERS,
        GROUP_ID,
        JAAS,
        SASL_PASSWORD,
        KEY_PASSWORD,
        KEYSTORE_KEY,
        KEYSTORE_PASSWORD,
        TRUSTSTORE_PASSWORD,
        PROPERTIES,
        optional(
            "scan.startup.mode",
            OptionType::Enum(startup::STARTUP_MODES),
            Some("group-offsets"),
            "Where reading starts.",
            "earliest-offset",
        ),
        optional(
            "scan.startup.specific-offsets",
            OptionType::String,
            None,
            "For mode specific-offsets: the first offset of each partition.",
            "partition:0,offset:42;partition:1,offset:300",
        ),
        optional(
            "scan.startup.timestamp-millis",
            OptionType::Integer,
            None,
            "For mode timestamp: records from this time on are read.",
            "1704067200000",
        ),
        BOUNDED_MODE,
        BOUNDED_OFFSETS,
        BOUNDED_MS,
        DISCOVERY,
        CREATE_TOPICS,
        optional(
            "sink.partitioner",
            OptionType::String,
            Some("default"),
            "default hashes the key as Java clients do, fixed writes to partition 0, round-robin spreads records \
             without a key.",
            "default",
        ),
        DELIVERY,
        TRANSACTIONAL_ID,
    ],
    metadata: METADATA,
    upsert_source: false,
    sink_changelog: SinkChangelog::ByFormat,
    pushdown: Pushdown::NONE,
};
