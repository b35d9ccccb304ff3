//! How many rows a second the generators make on one core. `cargo bench -p mainstem-connectors --bench generators`.
//! Prints one line a case. A plain program: it says rates, it asserts nothing.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures wall-clock time")]

use std::hint::black_box;
use std::io::Write as _;
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
            files: Arc::new(mainstem_connectors::filesystem::files::LocalFiles),
            embedded: None,
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

fn string() -> DataType {
    DataType::string()
}

fn bigint() -> DataType {
    TypeKind::BigInt.nullable()
}

fn double() -> DataType {
    TypeKind::Double.nullable()
}

fn timestamp() -> DataType {
    TypeKind::Timestamp { precision: 3 }.nullable()
}

fn faker(case: &str, locale: &str, fields: &[(&str, DataType, &str)]) {
    let columns: Vec<_> = fields.iter().map(|(name, t, _)| (*name, t.clone())).collect();
    let keys: Vec<_> = fields.iter().map(|(n, _, _)| format!("fields.{n}.expression")).collect();
    let mut options = vec![("locale", locale)];
    options.extend(keys.iter().zip(fields).map(|(key, (_, _, text))| (key.as_str(), *text)));
    run(case, "faker", &columns, &options);
}

fn fakers() {
    const USERS: &str = "#{Options.option '0a9d1f6e-6f0b-4a53-9d37-3c1f5f0a7b11','1c52e7b4-93d8-4c0e-8a6b-5e9d2f7c4a22'}";
    const HEX: &str =
        "#{regexify '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'}";
    let paid = "#{number.randomDouble '2','1','1000'}";
    let status = "#{Options.option 'Paid','Paid','Paid','Refused'}";
    let transactions = [
        ("at", timestamp(), "#{date.past '5','SECONDS'}"),
        ("user", string(), USERS),
        ("id", string(), "#{Internet.uuid}"),
        ("paid", double(), paid),
        ("status", string(), status),
    ];
    faker("faker: transactions", "en_US", &transactions);
    let texts = [
        ("at", string(), "#{sequence.timestamp '2026-01-01 00:00:00','1'}"),
        ("user", string(), USERS),
        ("id", string(), HEX),
        ("paid", string(), paid),
        ("status", string(), status),
    ];
    faker("faker: transactions, all texts, id by regexify", "en_US", &texts);
    let people = [
        ("name", string(), "#{Name.fullName}"),
        ("email", string(), "#{Internet.emailAddress}"),
        ("address", string(), "#{Address.fullAddress}"),
        ("iban", string(), "#{Finance.iban}"),
        ("cnp", string(), "#{IdNumber.valid}"),
    ];
    faker("faker: people", "ro_RO", &people);
}

fn nexmark() {
    let flat = &[("nexmark.table", "bid")];
    let numbers = [
        ("auction", bigint()),
        ("price", bigint()),
        ("bidder", bigint()),
        ("dateTime", timestamp()),
    ];
    run("nexmark bid: numbers", "nexmark", &numbers, flat);
    run("nexmark bid: price", "nexmark", &numbers[1..2], flat);
    let texts = [("channel", string()), ("url", string()), ("extra", string())];
    let all: Vec<_> = numbers.into_iter().chain(texts).collect();
    run("nexmark bid: all", "nexmark", &all, flat);
    let field = |(name, data_type): &(&str, DataType)| mainstem_core::Field {
        name: (*name).to_owned(),
        data_type: data_type.clone(),
    };
    let row = TypeKind::Row(all.iter().map(field).collect()).nullable();
    run("nexmark wide: bid with all fields", "nexmark", &[("bid", row)], &[]);
    let auction =
        [("id", bigint()), ("itemName", string()), ("description", string()), ("extra", string())];
    run("nexmark auction: strings", "nexmark", &auction, &[("nexmark.table", "auction")]);
}

fn main() {
    fakers();
    let columns = [("a", bigint()), ("b", double()), ("t", timestamp()), ("s", string())];
    run("datagen: a, b, t, s of 16", "datagen", &columns, &[("fields.s.length", "16")]);
    nexmark();
}
