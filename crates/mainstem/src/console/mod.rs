//! The terminal as a sink: where the rows of a bare SELECT go.
//! Invariant: stdout carries data only. Values read as in Flink's SQL client, that is as CAST(.. AS STRING) writes
//! them; a query whose rows change has a first column `op`.
//!
//! | kind | who encodes |
//! |---|---|
//! | table, tsv | `text`: values to text on the worker; `table` lays them out |
//! | csv, json | the format of that name |
//! | changelog | the connector `print` |

mod operation;
mod table;
mod text;

use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use mainstem_connectors::api::{Environment, Sink, SinkRequest};
use mainstem_connectors::format::{self, EncodeRequest};
use mainstem_connectors::registry;
use mainstem_core::egress::{ChangelogMode, Encode, Encoded};
use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{DataType, Error, ErrorKind, Field, Result};
use mainstem_sql::job::SinkPlan;

use crate::cli::OutputKind;
use operation::WithOperation;
use table::TableLayout;
use text::TextEncoder;

/// The name of the column that says what kind of change a row is.
const OPERATION: &str = "op";

/// A sink that writes to stdout.
pub(crate) fn sink(
    plan: &SinkPlan,
    kind: OutputKind,
    environment: &Environment,
) -> Result<Box<dyn Sink>> {
    if kind == OutputKind::Changelog {
        let print = registry::connector("print")
            .ok_or_else(|| Error::internal("the connector print is not compiled in"))?;
        return print.sink(SinkRequest {
            table: TableSpec {
                primary_key: plan.upsert_key.clone().unwrap_or_default(),
                ..table_of(&plan.columns)
            },
            changelog: plan.changelog.clone(),
            environment: environment.clone(),
        });
    }
    let changes = plan.changelog != ChangelogMode::AppendOnly;
    let mut columns = plan.columns.clone();
    if changes {
        let name = OPERATION.to_owned();
        columns.insert(0, Field { name, data_type: DataType::string().with_nullable(false) });
    }
    let key = plan.upsert_key.clone();
    let rows = Rows { columns, kind, changes, key, time_zone: environment.time_zone.clone() };
    rows.encoder()?;
    Ok(Box::new(ConsoleSink { layout: TableLayout::new(&rows.columns), rows }))
}

fn table_of(columns: &[Field]) -> TableSpec {
    let column = |field: &Field| Column {
        name: field.name.clone(),
        data_type: field.data_type.clone(),
        metadata_key: None,
    };
    TableSpec {
        name: "stdout".into(),
        columns: columns.iter().map(column).collect(),
        ..TableSpec::default()
    }
}

/// What rows look like.
struct Rows {
    /// With `op`, if they change.
    columns: Vec<Field>,
    kind: OutputKind,
    changes: bool,
    /// Columns of the query that tell its rows apart, if it has such.
    key: Option<Vec<usize>>,
    time_zone: String,
}

impl Rows {
    fn encoder(&self) -> Result<Box<dyn Encode>> {
        let inner = match self.kind {
            OutputKind::Table | OutputKind::Tsv => {
                let tsv = self.kind == OutputKind::Tsv;
                Box::new(TextEncoder::new(&self.columns, &self.time_zone, tsv)?)
            }
            OutputKind::Csv => self.format("csv")?,
            OutputKind::Json | OutputKind::Changelog => self.format("json")?,
        };
        Ok(if self.changes {
            Box::new(WithOperation { inner, key: self.key.clone() })
        } else {
            inner
        })
    }

    fn format(&self, name: &str) -> Result<Box<dyn Encode>> {
        let request = EncodeRequest {
            table: Arc::new(table_of(&self.columns)),
            value_columns: (0..self.columns.len()).collect(),
            key_columns: Vec::new(),
            changelog: ChangelogMode::AppendOnly,
            stream: true,
            time_zone: self.time_zone.clone(),
        };
        format::encoder(name, request)
    }

    /// What stands before the first row, but for tables.
    fn header(&self) -> Vec<u8> {
        let names = self.columns.iter().map(|c| c.name.as_str());
        let mut header = match self.kind {
            OutputKind::Tsv => names.map(text::escaped).collect::<Vec<_>>().join("\t"),
            OutputKind::Csv => names.map(csv_name).collect::<Vec<_>>().join(","),
            _ => return Vec::new(),
        };
        header.push('\n');
        header.into_bytes()
    }
}

fn csv_name(name: &str) -> String {
    let plain = !name.contains([',', '"', '\n', '\r']);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

struct ConsoleSink {
    rows: Rows,
    layout: TableLayout,
}

impl ConsoleSink {
    async fn put(&self, data: Bytes) -> Result<()> {
        write_stdout(data).await
    }
}

/// Stdout may block for as long as its reader likes, so it is written off the runtime's threads.
async fn write_stdout(data: Bytes) -> Result<()> {
    let written = tokio::task::spawn_blocking(move || {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&data).and_then(|()| stdout.flush())
    });
    written
        .await
        .map_err(|e| Error::internal("printing stopped").with_source(e))?
        .map_err(|e| Error::new(ErrorKind::Unavailable, "cannot write to stdout").with_source(e))
}

#[async_trait]
impl Sink for ConsoleSink {
    async fn open(&mut self) -> Result<()> {
        match self.rows.header() {
            header if header.is_empty() => Ok(()),
            header => self.put(header.into()).await,
        }
    }

    fn encoder(&self) -> Result<Box<dyn Encode>> {
        self.rows.encoder()
    }

    async fn write(&mut self, data: Encoded) -> Result<()> {
        let data = match data {
            Encoded::Bytes { data, .. } => data,
            Encoded::Batch(batch) => self.layout.rows(&batch)?.into(),
            Encoded::Messages(_) => {
                return Err(Error::internal("the terminal was given messages of a log"));
            }
        };
        if data.is_empty() { Ok(()) } else { self.put(data).await }
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        match self.rows.kind {
            OutputKind::Table => {
                let end = self.layout.end();
                self.put(end.into()).await
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
