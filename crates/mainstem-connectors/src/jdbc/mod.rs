//! Connector `jdbc`: tables of PostgreSQL as sinks, over PostgreSQL's own protocol.
//! Invariant: rows travel in binary COPY, never one round trip a row; what one flush writes is one transaction; a row
//! that PostgreSQL refuses is named. Without a primary key rows are appended (after a connection was lost in the
//! middle of a commit they may come twice), with one they are upserted. Not here: reading, other databases, TLS.

use mainstem_core::options::{
    ConnectorSpec, Delivery, FormatUse, OptionType, Pushdown, SinkChangelog, optional, required,
    secret,
};
use mainstem_core::{Error, Result};

use crate::api::{Connector, Sink, SinkRequest, Source, SourceRequest};

mod copy;
mod link;
mod numeric;
mod sink;
mod staged;
mod target;
mod types;
mod url;
mod value_text;

#[cfg(test)]
mod tests;

/// The connector, for the registry.
pub static JDBC: Jdbc = Jdbc;

/// Connector `jdbc`.
#[derive(Debug, Clone, Copy)]
pub struct Jdbc;

impl Connector for Jdbc {
    fn spec(&self) -> &'static ConnectorSpec {
        &SPEC
    }

    fn source(&self, _request: SourceRequest) -> Result<Box<dyn Source>> {
        Err(Error::user("connector 'jdbc' cannot be read from yet").with_hint(
            "`mainstem deploy` runs it on Flink; a table exported to a file can be read here",
        ))
    }

    fn sink(&self, request: SinkRequest) -> Result<Box<dyn Sink>> {
        Ok(Box::new(sink::JdbcSink::new(request)?))
    }
}

/// What the planner, the docs and `--help` know.
static SPEC: ConnectorSpec = ConnectorSpec {
    name: "jdbc",
    doc: "Tables of PostgreSQL.",
    source: None,
    sink: Some(Delivery::AtLeastOnce),
    formats: FormatUse::None,
    options: &[
        required(
            "url",
            OptionType::String,
            "The database, as a JDBC URL.",
            "jdbc:postgresql://localhost:5432/postgres",
        ),
        required(
            "table-name",
            OptionType::String,
            "The table, with or without its schema, as PostgreSQL reads names (unquoted ones in lower case).",
            "streaming_layer.streaming_data",
        ),
        optional("username", OptionType::String, None, "The user.", "postgres"),
        secret("password", "The user's password."),
        optional(
            "driver",
            OptionType::String,
            None,
            "Accepted as Flink does; no driver is needed.",
            "org.postgresql.Driver",
        ),
        optional(
            "connection.max-retry-timeout",
            OptionType::Duration,
            Some("60 s"),
            "Accepted as Flink does; see 'sink.max-retries'.",
            "60 s",
        ),
        optional(
            "sink.create",
            OptionType::Boolean,
            Some("false"),
            "Creates the schema and the table, with its primary key, if they are missing.",
            "true",
        ),
        optional(
            "sink.buffer-flush.max-rows",
            OptionType::Integer,
            None,
            "The most rows in one transaction; 0 is without limit. Left out, a transaction holds what has come, up \
             to 50000 rows or 16 MiB.",
            "1000",
        ),
        optional(
            "sink.buffer-flush.interval",
            OptionType::Duration,
            Some("1 s"),
            "Accepted as Flink does; what has come is written at least once a second.",
            "1 s",
        ),
        optional(
            "sink.max-retries",
            OptionType::Integer,
            None,
            "How often a lost connection is tried again before the pipeline fails; without it, until it is back.",
            "3",
        ),
        optional(
            crate::format::BAD_RECORDS,
            OptionType::Enum(&["fail", "skip"]),
            Some("fail"),
            "What happens to a row that PostgreSQL refuses: the pipeline stops and shows the row, or the row is left \
             out, counted and shown once.",
            "skip",
        ),
    ],
    metadata: &[],
    upsert_source: false,
    sink_changelog: SinkChangelog::UpsertIfKey,
    pushdown: Pushdown::NONE,
};
