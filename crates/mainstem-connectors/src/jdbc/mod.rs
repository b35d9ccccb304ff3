//! Connector `jdbc`: tables of PostgreSQL, over PostgreSQL's own protocol: written, read whole, and asked by keys.
//! Invariant: rows travel in binary COPY, never one round trip a row; what one flush writes is one transaction; a row
//! that PostgreSQL refuses is named. Without a primary key rows are appended (without checkpoints, after a connection was
//! lost in the middle of a commit, they may come twice), with one they are upserted; with checkpoints they are staged and
//! seen once. Not here: other databases.

use chrono_tz::Tz;
use mainstem_core::options::{
    ConnectorSpec, Delivery, FormatUse, OptionType, Pushdown, SinkChangelog, Weaker, optional,
    required, secret,
};
use mainstem_core::table::TableSpec;
use mainstem_core::{Error, Result};

use crate::api::{
    Connector, Environment, Lookup, LookupRequest, Sink, SinkRequest, Source, SourceRequest,
};

mod copy;
mod cuts;
mod ledger;
mod link;
mod lookup;
mod numeric;
mod rows;
mod scan;
mod show;
mod sink;
mod staged;
mod target;
mod tls;
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

    fn source(&self, request: SourceRequest) -> Result<Box<dyn Source>> {
        Ok(Box::new(scan::JdbcSource::new(request)?))
    }

    fn lookup(&self, request: LookupRequest) -> Result<Box<dyn Lookup>> {
        Ok(Box::new(lookup::JdbcLookup::new(request)?))
    }

    fn sink(&self, request: SinkRequest) -> Result<Box<dyn Sink>> {
        Ok(Box::new(sink::JdbcSink::new(request)?))
    }
}

/// Refuses a table with columns that PostgreSQL does not have.
fn refuse_metadata(table: &TableSpec) -> Result<()> {
    match table.columns.iter().find(|column| column.metadata_key.is_some()) {
        None => Ok(()),
        Some(column) => Err(Error::user(format!(
            "column '{}': connector 'jdbc' has no metadata columns",
            column.name
        ))),
    }
}

/// The session's.
fn time_zone(environment: &Environment) -> Result<Tz> {
    let name = &environment.time_zone;
    name.parse().map_err(|_| Error::user(format!("'{name}' is no time zone")))
}

const DELIVERY: &str = "sink.delivery-guarantee";
const EXACTLY_ONCE: &str = "exactly-once";

/// What the planner, the docs and `--help` know.
static SPEC: ConnectorSpec = ConnectorSpec {
    name: "jdbc",
    doc: "Tables of PostgreSQL: written, read whole once, and asked by keys in lookup joins.",
    source: Some(Delivery::ExactlyOnce),
    sink: Some(Delivery::ExactlyOnce),
    sink_weaker: &[Weaker {
        option: DELIVERY,
        value: Some("at-least-once"),
        delivery: Delivery::AtLeastOnce,
    }],
    formats: FormatUse::None,
    options: &[
        required(
            "url",
            OptionType::String,
            "The database, as a JDBC URL with the parameters of pgjdbc. `sslmode` is `disable`, `prefer` (the default: TLS with servers that have it, whoever they are), `require` (no server without), `verify-ca` (whose certificate is signed by one in the PEM file `sslrootcert`, or whom the system believes) or `verify-full` (and names the host; so does `ssl=true`); `sslcert` and `sslkey` are the client's own certificate and key.",
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
            "lookup.cache",
            OptionType::Enum(&["NONE", "PARTIAL"]),
            Some("NONE"),
            "In a lookup join (FOR SYSTEM_TIME AS OF processing time): PARTIAL remembers answers, each worker its own; \
             NONE asks anew for the rows of each step.",
            "PARTIAL",
        ),
        optional(
            "lookup.partial-cache.max-rows",
            OptionType::Integer,
            None,
            "The most rows that a worker remembers, a key without rows counting as one; those used longest ago go first. \
             Left out, there is no bound.",
            "10000",
        ),
        optional(
            "lookup.partial-cache.expire-after-write",
            OptionType::Duration,
            None,
            "How long an answer is used.",
            "1 min",
        ),
        optional(
            "lookup.partial-cache.expire-after-access",
            OptionType::Duration,
            None,
            "An answer that was not used for so long is forgotten.",
            "1 min",
        ),
        optional(
            "lookup.partial-cache.cache-missing-key",
            OptionType::Boolean,
            Some("true"),
            "Whether it is remembered that a key has no rows.",
            "false",
        ),
        optional(
            "lookup.partial-cache.caching-missing-key",
            OptionType::Boolean,
            None,
            "The same, as Flink's documentation once spelled it.",
            "false",
        ),
        optional(
            "lookup.cache.max-rows",
            OptionType::Integer,
            None,
            "Flink's older name of 'lookup.partial-cache.max-rows'; with 'lookup.cache.ttl' it turns the cache on.",
            "10000",
        ),
        optional(
            "lookup.cache.ttl",
            OptionType::Duration,
            None,
            "Flink's older name of 'lookup.partial-cache.expire-after-write'.",
            "1 min",
        ),
        optional(
            "lookup.cache.caching-missing-key",
            OptionType::Boolean,
            None,
            "Flink's older name of 'lookup.partial-cache.cache-missing-key'.",
            "false",
        ),
        optional(
            "lookup.max-retries",
            OptionType::Integer,
            Some("3"),
            "How often keys are asked for again when the database is away, before the pipeline fails; the pauses are 500 ms, \
             1 s, 2 s, ... up to 10 s.",
            "10",
        ),
        optional(
            "scan.fetch-size",
            OptionType::Integer,
            None,
            "Accepted as Flink does; rows are streamed.",
            "1000",
        ),
        optional(
            "scan.auto-commit",
            OptionType::Boolean,
            None,
            "Accepted as Flink does; rows are streamed.",
            "false",
        ),
        optional(
            "scan.partition.*",
            OptionType::String,
            None,
            "Accepted as Flink does (column, num, lower-bound, upper-bound): one query reads all rows.",
            "id",
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
            DELIVERY,
            OptionType::Enum(&[EXACTLY_ONCE, "at-least-once"]),
            Some(EXACTLY_ONCE),
            "In a pipeline with checkpoints (--state). exactly-once: rows wait in tables mainstem_staged_* beside the target, and \
             one transaction shows those of a checkpoint and records it in mainstem_checkpoints; nothing is seen before, and nothing \
             twice. No prepared transactions are needed, but CREATE on the schema and SELECT on the table. at-least-once: rows \
             are seen as they come, and come again after a crash (by primary key they replace themselves). Without checkpoints \
             it is at-least-once.",
            "at-least-once",
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
    pushdown: Pushdown { lookup: true, ..Pushdown::NONE },
};
