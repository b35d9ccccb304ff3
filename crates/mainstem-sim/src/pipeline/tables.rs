//! The tables of the simulated pipeline: what it reads, and what its sinks write, as connectors know them; and how their records
//! are read back.
//! Invariant: a record that is read back is the row that was written, with its weight.

use std::collections::BTreeMap;

use mainstem_connectors::api::{Environment, Sink, SinkRequest, Source, SourceRequest};
use mainstem_connectors::registry::connector;
use mainstem_core::egress::ChangelogMode;
use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{Result, TypeKind};
use serde_json::Value;

/// Which columns of a table are times: the others are numbers.
pub(super) type Times = &'static [bool];

/// A table of which all columns are numbers and times.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Its name; also of its topic, or of its folder.
    pub(super) name: &'static str,
    pub(super) times: Times,
    pub(super) changelog: ChangelogMode,
    /// How its transactional ids begin; nothing else in this process may use them.
    pub(super) prefix: String,
}

impl Table {
    fn spec(&self, connector: &str, options: &[(&str, &str)]) -> TableSpec {
        let format = match self.changelog {
            ChangelogMode::AppendOnly => "json",
            _ => "debezium-json",
        };
        let column = |(number, is_time): (usize, &bool)| Column {
            name: format!("c{number}"),
            data_type: match is_time {
                true => TypeKind::Timestamp { precision: 3 }.nullable(),
                false => TypeKind::BigInt.nullable(),
            },
            metadata_key: None,
        };
        let named = [("connector", connector), ("format", format)];
        let options = named.iter().chain(options);
        TableSpec {
            name: self.name.to_owned(),
            columns: self.times.iter().enumerate().map(column).collect(),
            options: options
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..TableSpec::default()
        }
    }

    fn sink(&self, table: TableSpec, environment: &Environment) -> Result<Box<dyn Sink>> {
        let connector = connector(&table.options["connector"]).expect("it is registered");
        let (changelog, environment) = (self.changelog.clone(), environment.clone());
        connector.sink(SinkRequest { table, changelog, environment })
    }

    /// Writes to its topic by transactions.
    pub(super) fn topic_sink(&self, environment: &Environment) -> Result<Box<dyn Sink>> {
        let options = [
            ("topic", self.name),
            ("sink.delivery-guarantee", "exactly-once"),
            ("sink.transactional-id-prefix", &self.prefix),
        ];
        self.sink(self.spec("kafka", &options), environment)
    }

    /// Writes to its topic at once.
    pub(super) fn plain_topic_sink(&self, environment: &Environment) -> Result<Box<dyn Sink>> {
        let options = [("topic", self.name), ("sink.delivery-guarantee", "at-least-once")];
        self.sink(self.spec("kafka", &options), environment)
    }

    /// The folder of its files.
    pub(super) fn folder(&self) -> String {
        format!("files/{}", self.name)
    }

    /// Writes files.
    pub(super) fn file_sink(&self, environment: &Environment) -> Result<Box<dyn Sink>> {
        let path = format!("/{}/", self.folder());
        self.sink(self.spec("filesystem", &[("path", &path)]), environment)
    }

    /// Reads the files of its folder, and looks for new ones.
    pub(super) fn file_source(&self, environment: &Environment) -> Result<Box<dyn Source>> {
        let path = format!("/{}/", self.folder());
        let options = [("path", path.as_str()), ("source.monitor-interval", "1 s")];
        self.source(self.spec("filesystem", &options), environment)
    }

    /// Reads what its topic shows from the beginning; with `to_end`, to where it ends now.
    pub(super) fn topic_source(
        &self,
        environment: &Environment,
        to_end: bool,
    ) -> Result<Box<dyn Source>> {
        let mut options = vec![("topic", self.name), ("scan.startup.mode", "earliest-offset")];
        if to_end {
            options.push(("scan.bounded.mode", "latest-offset"));
        }
        self.source(self.spec("kafka", &options), environment)
    }

    fn source(&self, table: TableSpec, environment: &Environment) -> Result<Box<dyn Source>> {
        let connector = connector(&table.options["connector"]).expect("it is registered");
        connector.source(SourceRequest {
            projection: (0..table.columns.len()).collect(),
            table,
            filters: Vec::new(),
            parallelism: 1,
            environment: environment.clone(),
        })
    }
}

/// Adds the rows of a record to what is shown.
pub(super) fn count(record: &[u8], shown: &mut BTreeMap<String, i64>) {
    let value: Value = serde_json::from_slice(record).expect("a whole record");
    let mut add = |row: &Value, weight: i64| {
        let Value::Object(columns) = row else { return };
        let cells: Vec<String> = columns.values().map(cell).collect();
        let line = cells.join(" ");
        let held = shown.entry(line.clone()).or_insert(0);
        *held += weight;
        if *held == 0 {
            shown.remove(&line);
        }
    };
    if value.get("op").is_some() {
        add(&value["before"], -1);
        add(&value["after"], 1);
    } else {
        add(&value, 1);
    }
}

/// A number as it is, a time as its milliseconds.
fn cell(value: &Value) -> String {
    let Value::String(time) = value else { return value.to_string() };
    let (_, time) = time.split_once(' ').expect("a date and a time of the day");
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let seconds = clock
        .split(':')
        .fold(0, |sum, part| sum * 60 + part.parse::<i64>().expect("hours, minutes and seconds"));
    let ms: i64 = format!("{fraction:0<3}").parse().expect("a fraction");
    (seconds * 1_000 + ms).to_string()
}
