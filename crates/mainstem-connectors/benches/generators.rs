//! How many rows a second the generators make on one core. `cargo bench -p mainstem-connectors --bench generators`.
//! Prints one line a case. A plain program: it says rates, it asserts nothing.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures wall-clock time")]

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use mainstem_connectors::api::{Environment, Observer, SourceRequest};
use mainstem_connectors::registry::connector;
use mainstem_core::clock::ManualClock;
use mainstem_core::ingest::{Decoded, Payload, RowRange};
use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{DataType, TypeKind};

struct Silent;

impl Observer for Silent {
    fn notice(&self, _table: &str, _text: &str) {}
}

const RANGE: u32 = 8192;

fn run(case: &str, name: &str, columns: &[(&str, DataType)], options: &[(&str, &str)]) {
    let columns: Vec<Column> = columns
        .iter()
        .map(|(name, data_type)| Column {
            name: (*name).to_owned(),
            data_type: data_type.clone(),
            metadata_key: None,
        })
        .collect();
    let request = SourceRequest {
        projection: (0..columns.len()).collect(),
        table: TableSpec {
            name: "bench".to_owned(),
            columns,
            options: options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..TableSpec::default()
        },
        filters: vec![],
        parallelism: 1,
        environment: Environment {
            clock: Arc::new(ManualClock::new(1_767_323_045_678)),
            observer: Arc::new(Silent),
            base_dir: PathBuf::from("."),
            time_zone: "UTC".to_owned(),
        },
    };
    let connector = connector(name).expect("the generators are registered");
    let source = connector.source(request).expect("the benchmark's options are right");
    let mut decoder = source.decoder().expect("a generator has a decoder");
    let mut first = 0;
    let mut bytes = 0;
    let mut decode = |ranges: u64| {
        for _ in 0..ranges {
            let mut out = Decoded::default();
            let range = RowRange { first, count: RANGE, at_ms: 1_767_323_045_678 };
            decoder.decode(Payload::Rows(range), 0, &mut out).expect("rows can be made");
            bytes += black_box(out).batches.iter().map(|b| b.size_bytes()).sum::<usize>();
            first += u64::from(RANGE);
        }
    };
    decode(20);
    let start = Instant::now();
    let mut ranges = 0;
    while start.elapsed().as_millis() < 1_000 {
        decode(20);
        ranges += 20;
    }
    let rows = ranges as f64 * f64::from(RANGE);
    let rate = rows / start.elapsed().as_secs_f64() / 1e6;
    let _ = writeln!(
        std::io::stdout(),
        "{case:<44} {rate:8.2} M rows/s  {:4} B/row",
        bytes as u64 / first
    );
}

use std::io::Write as _;

fn main() {
    let string = DataType::string;
    let bigint = || TypeKind::BigInt.nullable();
    let timestamp = || TypeKind::Timestamp { precision: 3 }.nullable();
    let double = || TypeKind::Double.nullable();
    run(
        "faker: transactions",
        "faker",
        &[
            ("at", timestamp()),
            ("user", string()),
            ("id", string()),
            ("paid", double()),
            ("status", string()),
        ],
        &[
            ("fields.at.expression", "#{date.past '5','SECONDS'}"),
            (
                "fields.user.expression",
                "#{Options.option '0a9d1f6e-6f0b-4a53-9d37-3c1f5f0a7b11','1c52e7b4-93d8-4c0e-8a6b-5e9d2f7c4a22','2f84b0c3-15e6-4d7a-b2c9-7a6e1d3f5b33'}",
            ),
            ("fields.id.expression", "#{Internet.uuid}"),
            ("fields.paid.expression", "#{number.randomDouble '2','1','1000'}"),
            ("fields.status.expression", "#{Options.option 'Paid','Paid','Paid','Refused'}"),
        ],
    );
    run(
        "faker: transactions, times and ids as texts",
        "faker",
        &[
            ("at", string()),
            ("user", string()),
            ("id", string()),
            ("paid", string()),
            ("status", string()),
        ],
        &[
            ("fields.at.expression", "#{sequence.timestamp '2026-01-01 00:00:00','1'}"),
            ("fields.user.expression", "#{regexify '[0-9]'}"),
            (
                "fields.id.expression",
                "#{regexify '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'}",
            ),
            ("fields.paid.expression", "#{number.randomDouble '2','1','1000'}"),
            ("fields.status.expression", "#{Options.option 'Paid','Refused'}"),
        ],
    );
    run(
        "faker: people",
        "faker",
        &[
            ("name", string()),
            ("email", string()),
            ("address", string()),
            ("iban", string()),
            ("cnp", string()),
        ],
        &[
            ("locale", "ro_RO"),
            ("fields.name.expression", "#{Name.fullName}"),
            ("fields.email.expression", "#{Internet.emailAddress}"),
            ("fields.address.expression", "#{Address.fullAddress}"),
            ("fields.iban.expression", "#{Finance.iban}"),
            ("fields.cnp.expression", "#{IdNumber.valid}"),
        ],
    );
    run(
        "datagen: two numbers, a time, a string of 16",
        "datagen",
        &[("a", bigint()), ("b", double()), ("t", timestamp()), ("s", string())],
        &[("fields.s.length", "16")],
    );
    let numbers = [
        ("auction", bigint()),
        ("price", bigint()),
        ("bidder", bigint()),
        ("dateTime", timestamp()),
    ];
    run("nexmark bid: numbers", "nexmark", &numbers, &[("nexmark.table", "bid")]);
    run("nexmark bid: price", "nexmark", &numbers[1..2], &[("nexmark.table", "bid")]);
    let mut all = numbers.to_vec();
    all.extend([("channel", string()), ("url", string()), ("extra", string())]);
    run("nexmark bid: all", "nexmark", &all, &[("nexmark.table", "bid")]);
    let fields = |columns: &[(&str, DataType)]| {
        let field = |(name, data_type): &(&str, DataType)| mainstem_core::Field {
            name: (*name).to_owned(),
            data_type: data_type.clone(),
        };
        TypeKind::Row(columns.iter().map(field).collect()).nullable()
    };
    run("nexmark wide: bid with all fields", "nexmark", &[("bid", fields(&all))], &[]);
    let auction =
        [("id", bigint()), ("itemName", string()), ("description", string()), ("extra", string())];
    run("nexmark auction: strings", "nexmark", &auction, &[("nexmark.table", "auction")]);
}
