//! How many records a second pass the edges of real servers: Kafka in, Kafka out, PostgreSQL in.
//! `cargo bench -p mainstem-connectors --bench edges`, with the servers that `cargo xtask services env` names.
//! Prints one line a case, with the CPU seconds of our threads and of librdkafka's. It says rates, it asserts nothing.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures wall-clock time")]

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, Int64Array, StringArray, TimestampMillisecondArray};
use mainstem_connectors::api::{Connector, Environment, Observer, SinkRequest, SourceRequest};
use mainstem_connectors::jdbc::JDBC;
use mainstem_connectors::kafka::KAFKA;
use mainstem_core::clock::ManualClock;
use mainstem_core::egress::ChangelogMode;
use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{Batch, DataType, TypeKind};

const RECORDS: usize = 5_000_000;
const RECORD_BYTES: usize = 150;
const ROWS: usize = 1_000_000;
const BATCH_ROWS: usize = 8192;

#[derive(Debug)]
struct Spoken;

impl Observer for Spoken {
    fn notice(&self, table: &str, text: &str) {
        say(&format!("{table}: {text}"));
    }
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn environment() -> Environment {
    Environment {
        clock: Arc::new(ManualClock::default()),
        observer: Arc::new(Spoken),
        base_dir: PathBuf::from("."),
        time_zone: "UTC".to_owned(),
        files: Arc::new(mainstem_connectors::filesystem::files::LocalFiles),
        embedded: None,
    }
}

fn table(columns: &[(&str, DataType)], key: bool, options: &[(&str, &str)]) -> TableSpec {
    let column = |(name, data_type): &(&str, DataType)| Column {
        name: (*name).to_owned(),
        data_type: data_type.clone(),
        metadata_key: None,
    };
    TableSpec {
        name: "bench".to_owned(),
        columns: columns.iter().map(column).collect(),
        primary_key: if key { vec![0] } else { Vec::new() },
        options: options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..TableSpec::default()
    }
}

/// CPU seconds so far: librdkafka's threads, and all others.
fn cpu_seconds() -> (f64, f64) {
    let mut seconds = (0.0, 0.0);
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return seconds };
    for task in tasks.flatten() {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else { continue };
        let fields: Vec<&str> = stat[close + 1..].split_whitespace().collect();
        // Fields 14 and 15 of the line, in ticks of 10 ms; the state is field 3.
        let ticks: f64 = fields[11..13].iter().filter_map(|t| t.parse::<f64>().ok()).sum();
        match stat[open + 1..close].starts_with("rdk:") {
            true => seconds.0 += ticks / 100.0,
            false => seconds.1 += ticks / 100.0,
        }
    }
    seconds
}

struct Case {
    name: &'static str,
    started: Instant,
    cpu: (f64, f64),
}

impl Case {
    fn start(name: &'static str) -> Self {
        Self { name, cpu: cpu_seconds(), started: Instant::now() }
    }

    fn end(self, rows: usize) {
        let wall = self.started.elapsed().as_secs_f64();
        let cpu = cpu_seconds();
        say(&format!(
            "{:<28} {rows:>8} rows {wall:>7.2} s wall {:>9.0} rows/s; CPU ours {:.2} s, librdkafka {:.2} s",
            self.name,
            rows as f64 / wall,
            cpu.1 - self.cpu.1,
            cpu.0 - self.cpu.0,
        ));
    }
}

async fn kafka(servers: &str) {
    let topic = format!("bench-{}", std::process::id());
    let options = [
        ("properties.bootstrap.servers", servers),
        ("topic", &*topic),
        ("format", "raw"),
        ("scan.startup.mode", "earliest-offset"),
        ("scan.bounded.mode", "latest-offset"),
        ("mainstem.auto-create-topics", "true"),
    ];
    let table = table(&[("line", DataType::string())], false, &options);
    let line = "x".repeat(RECORD_BYTES);
    let lines: ArrayRef = Arc::new(StringArray::from(vec![line.as_str(); BATCH_ROWS]));
    let batch = Batch::new(vec![lines], BATCH_ROWS);
    let request = SinkRequest {
        table: table.clone(),
        changelog: ChangelogMode::AppendOnly,
        environment: environment(),
    };
    let mut sink = KAFKA.sink(request).expect("a valid sink");
    sink.open().await.expect("a broker");
    let mut encoder = sink.encoder().expect("an encoder");
    let case = Case::start("kafka sink");
    let mut rows = 0;
    while rows < RECORDS {
        sink.write(encoder.encode(&batch).expect("encodes")).await.expect("writes");
        rows += BATCH_ROWS;
    }
    sink.flush().await.expect("flushes");
    case.end(rows);
    sink.close().await.expect("closes");

    let request = SourceRequest {
        table,
        projection: vec![0],
        filters: Vec::new(),
        parallelism: 1,
        environment: environment(),
    };
    let mut source = KAFKA.source(request).expect("a valid source");
    let splits = source.discover().await.expect("splits");
    let case = Case::start("kafka source");
    let mut tasks = Vec::new();
    for split in splits {
        let mut reader = source.open(&split, None).await.expect("opens");
        tasks.push(tokio::spawn(async move {
            let (mut rows, mut payloads) = (0, 0);
            while let Some(fetched) = reader.next().await.expect("reads") {
                rows += fetched.payload.rows_estimate();
                payloads += 1;
            }
            // The threads live until the case has been measured.
            (rows, payloads, reader)
        }));
    }
    let (mut rows, mut payloads, mut readers) = (0, 0, Vec::new());
    for task in tasks {
        let read = task.await.expect("a reader ends");
        rows += read.0;
        payloads += read.1;
        readers.push(read.2);
    }
    case.end(rows);
    say(&format!("  in {payloads} payloads"));
}

async fn jdbc(url: &str) {
    let columns = [
        ("id", TypeKind::BigInt.not_null()),
        ("name", DataType::string()),
        ("price", TypeKind::Decimal { precision: 12, scale: 2 }.nullable()),
        ("at", TypeKind::Timestamp { precision: 3 }.nullable()),
    ];
    for (case_name, key) in [("jdbc append", false), ("jdbc upsert", true)] {
        let name =
            format!("bench.{}_{}", if key { "upsert" } else { "append" }, std::process::id());
        let options = [("url", url), ("table-name", &*name), ("sink.create", "true")];
        let table = table(&columns, key, &options);
        let changelog = match key {
            true => ChangelogMode::Upsert { key: vec![0] },
            false => ChangelogMode::AppendOnly,
        };
        let request = SinkRequest { table, changelog, environment: environment() };
        let mut sink = JDBC.sink(request).expect("a valid sink");
        sink.open().await.expect("a database");
        let mut encoder = sink.encoder().expect("an encoder");
        let case = Case::start(case_name);
        let mut rows = 0;
        while rows < ROWS {
            let ids = rows as i64..(rows + BATCH_ROWS) as i64;
            let batch: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from_iter_values(ids.clone())),
                Arc::new(StringArray::from_iter_values(ids.clone().map(|i| format!("name {i}")))),
                Arc::new(
                    arrow_array::Decimal128Array::from_iter_values(ids.clone().map(i128::from))
                        .with_precision_and_scale(12, 2)
                        .expect("fits"),
                ),
                Arc::new(TimestampMillisecondArray::from_iter_values(ids)),
            ];
            let encoded = encoder.encode(&Batch::new(batch, BATCH_ROWS)).expect("encodes");
            sink.write(encoded).await.expect("writes");
            rows += BATCH_ROWS;
        }
        sink.close().await.expect("closes");
        case.end(rows);
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        match std::env::var("MAINSTEM_TEST_KAFKA") {
            Ok(servers) => kafka(&servers).await,
            Err(_) => say("MAINSTEM_TEST_KAFKA is not set: no kafka"),
        }
        match std::env::var("MAINSTEM_TEST_POSTGRES") {
            // Figures are of the connector, not of the cipher.
            Ok(url) => jdbc(&format!("{url}&sslmode=disable")).await,
            Err(_) => say("MAINSTEM_TEST_POSTGRES is not set: no jdbc"),
        }
    });
}
