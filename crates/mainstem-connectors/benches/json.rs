//! How fast JSON becomes columns and columns become JSON, on one core: `cargo bench -p mainstem-connectors --bench json`.
//! Invariant: every piece of input is timed by itself, several times, and a figure is made of the best time of each
//! piece; so other work on the machine disturbs little, and the pieces together are larger than the caches.
//! serde_json over the same bytes stands beside it as a yardstick. A word on the command line picks some.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark measures time and may stop at the first surprise"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use mainstem_connectors::format::json::{decoder, encoder};
use mainstem_connectors::format::{BadRecords, DecodeRequest, EncodeRequest};
use mainstem_core::egress::{ChangelogMode, Encode};
use mainstem_core::ingest::{Decode, Decoded, Lines, Messages, Payload};
use mainstem_core::table::{Column, FilterOp, Literal, ScanFilter, TableSpec};
use mainstem_core::{Batch, TypeKind};

/// As the product does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 15;
const PAYLOAD_BYTES: usize = 1 << 20;
const TOTAL_BYTES: usize = 48 << 20;

/// A small generator, so that every run sees the same bytes.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xffff,
            b >> 48,
            b & 0xffff_ffff_ffff
        )
    }
}

/// Payments with two UUIDs, one every millisecond; three of four are paid.
fn transactions(count: usize) -> String {
    let mut random = Random(42);
    let users: Vec<String> = (0..10).map(|_| random.uuid()).collect();
    let mut text = String::new();
    for i in 0..count {
        let (user, status) = (random.below(10) as usize, random.below(4));
        let status = if status == 0 { "Refused" } else { "Paid" };
        let (seconds, ms) = (i / 1000, i % 1000);
        writeln!(
            text,
            "{{\"event_timestamp\":\"2024-01-01 {:02}:{:02}:{:02}.{ms:03}\",\"user_id\":\"{}\",\"transaction_id\":\"{}\",\"total_paid\":{}.{:02},\"status\":\"{status}\"}}",
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            users[user],
            random.uuid(),
            random.below(1000),
            random.below(100),
        )
        .unwrap();
    }
    text
}

const TRANSACTION: &[(&str, TypeKind)] = &[
    ("event_timestamp", TypeKind::Timestamp { precision: 3 }),
    ("user_id", TypeKind::STRING),
    ("transaction_id", TypeKind::STRING),
    ("total_paid", TypeKind::Double),
    ("status", TypeKind::STRING),
];

/// Wide events: 20 fields, about 408 bytes.
fn events(count: usize) -> String {
    let mut random = Random(7);
    let words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf"];
    let mut text = String::new();
    for i in 0..count {
        text.push('{');
        for field in 0..20 {
            let comma = if field == 0 { "" } else { "," };
            let word = words[random.below(7) as usize];
            match field % 5 {
                0 => write!(text, "{comma}\"count_{field}\":{}", random.below(1_000_000)),
                1 => write!(
                    text,
                    "{comma}\"price_{field}\":{}.{:02}",
                    random.below(500),
                    random.below(100)
                ),
                2 => write!(text, "{comma}\"name_{field}\":\"{word} {word}\""),
                3 => write!(text, "{comma}\"flag_{field}\":{}", random.below(2) == 0),
                _ => write!(
                    text,
                    "{comma}\"at_{field}\":\"2024-01-01 10:{:02}:{:02}.{:03}\"",
                    i / 60_000 % 60,
                    i / 1000 % 60,
                    i % 1000
                ),
            }
            .unwrap();
        }
        text.push_str("}\n");
    }
    text
}

fn event_columns() -> Vec<(String, TypeKind)> {
    (0..20)
        .map(|field| match field % 5 {
            0 => (format!("count_{field}"), TypeKind::BigInt),
            1 => (format!("price_{field}"), TypeKind::Double),
            2 => (format!("name_{field}"), TypeKind::STRING),
            3 => (format!("flag_{field}"), TypeKind::Boolean),
            _ => (format!("at_{field}"), TypeKind::Timestamp { precision: 3 }),
        })
        .collect()
}

fn table<'a>(columns: impl IntoIterator<Item = (&'a str, TypeKind)>) -> Arc<TableSpec> {
    let column = |(name, kind): (&str, TypeKind)| Column {
        name: name.to_owned(),
        data_type: kind.nullable(),
        metadata_key: None,
    };
    let columns = columns.into_iter().map(column).collect();
    Arc::new(TableSpec { name: "bench".into(), columns, ..TableSpec::default() })
}

/// The text cut into payloads at line ends.
fn payloads(text: &str) -> Vec<Payload> {
    let data = Bytes::copy_from_slice(text.as_bytes());
    let mut payloads = Vec::new();
    let mut start = 0;
    while start < data.len() {
        let limit = data.len().min(start + PAYLOAD_BYTES);
        let end = data[start..limit].iter().rposition(|b| *b == b'\n').unwrap() + start + 1;
        let data = data.slice(start..end);
        payloads.push(Payload::Lines(Lines { data, path: "bench".into(), first_line: 0 }));
        start = end;
    }
    payloads
}

/// The same as records of a log.
fn as_messages(payload: &Payload) -> Payload {
    let Payload::Lines(lines) = payload else { panic!("lines were expected") };
    let mut values = Vec::new();
    let mut start = 0;
    for (end, _) in lines.data.iter().enumerate().filter(|(_, b)| **b == b'\n') {
        values.push(Some(start as u32..end as u32));
        start = end + 1;
    }
    let data = lines.data.clone();
    Payload::Messages(Messages { data, values, ..Messages::default() })
}

/// Runs what the command line asks for: names that hold its first word, or everything. `run` does one of `pieces` and
/// says how many rows came of it.
fn report(name: &str, bytes: usize, pieces: usize, mut run: impl FnMut(usize) -> usize) {
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    if wanted.is_some_and(|wanted| !name.contains(&wanted)) {
        return;
    }
    let mut best = vec![f64::MAX; pieces];
    let mut rows = 0;
    for _ in 0..ROUNDS {
        rows = 0;
        for (piece, best) in best.iter_mut().enumerate() {
            let started = Instant::now();
            rows += black_box(run(piece));
            *best = best.min(started.elapsed().as_secs_f64());
        }
    }
    let best: f64 = best.iter().sum();
    let (mb, millions) = (bytes as f64 / best / 1e6, rows as f64 / best / 1e6);
    println!("{name:<44} {mb:>8.0} MB/s {millions:>8.2} M rows/s out");
}

struct Decoding<'a> {
    name: &'a str,
    table: &'a Arc<TableSpec>,
    projection: &'a [usize],
    paid_only: Option<usize>,
}

impl Decoding<'_> {
    fn decoder(&self) -> Box<dyn Decode> {
        let paid = |column| ScanFilter {
            column,
            op: FilterOp::Eq,
            literal: Literal::String("Paid".into()),
        };
        decoder(&DecodeRequest {
            table: Arc::clone(self.table),
            projection: self.projection.to_vec(),
            filters: self.paid_only.map(paid).into_iter().collect(),
            bad_records: BadRecords::Fail,
            time_zone: "UTC".into(),
        })
        .unwrap()
    }

    fn run(&self, payloads: &[Payload], bytes: usize) {
        let mut decoder = self.decoder();
        report(self.name, bytes, payloads.len(), |piece| {
            let mut out = Decoded::default();
            decoder.decode(payloads[piece].clone(), 0, &mut out).unwrap();
            black_box(&out.batches).iter().map(Batch::rows).sum()
        });
    }
}

fn encode(name: &str, table: &Arc<TableSpec>, payloads: &[Payload], stream: bool) {
    let projection: Vec<usize> = (0..table.columns.len()).collect();
    let decoding = Decoding { name, table, projection: &projection, paid_only: None };
    let mut decoder = decoding.decoder();
    let mut out = Decoded::default();
    for payload in payloads {
        decoder.decode(payload.clone(), 0, &mut out).unwrap();
    }
    let mut encoder: Box<dyn Encode> = encoder(&EncodeRequest {
        table: Arc::clone(table),
        value_columns: projection.clone(),
        key_columns: Vec::new(),
        changelog: ChangelogMode::AppendOnly,
        stream,
        time_zone: "UTC".into(),
    })
    .unwrap();
    let size: usize = out.batches.iter().map(|b| encoder.encode(b).unwrap().size_bytes()).sum();
    let rows: usize = out.batches.iter().map(Batch::rows).sum();
    let size = if stream { size } else { size - rows * 64 };
    report(name, size, out.batches.len(), |piece| {
        black_box(encoder.encode(&out.batches[piece]).unwrap()).rows()
    });
}

fn yardstick(name: &str, payloads: &[Payload], bytes: usize) {
    report(name, bytes, payloads.len(), |piece| {
        let Payload::Lines(lines) = &payloads[piece] else { panic!("lines were expected") };
        let records = lines.data.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        records
            .filter(|line| black_box(serde_json::from_slice::<serde_json::Value>(line)).is_ok())
            .count()
    });
}

fn main() {
    let text = transactions(TOTAL_BYTES / 153);
    let narrow = payloads(&text);
    let wanted = table(TRANSACTION.iter().cloned());
    println!("transactions: {} bytes each", text.len() / text.lines().count());
    let decode = |name, projection, paid_only| {
        Decoding { name, table: &wanted, projection, paid_only }.run(&narrow, text.len());
    };
    decode("W2: 3 of 5 columns, status = 'Paid'", &[3, 0, 1], Some(4));
    decode("W1: 3 of 5 columns, status = 'Paid'", &[1, 2, 3], Some(4));
    decode("all 5 columns", &[0, 1, 2, 3, 4], None);
    decode("1 of 5 columns", &[3], None);
    decode("no column (count)", &[], None);
    let log: Vec<Payload> = narrow.iter().map(as_messages).collect();
    let projection = &[3, 0, 1];
    let name = "W2 as messages";
    Decoding { name, table: &wanted, projection, paid_only: Some(4) }.run(&log, text.len());
    yardstick("serde_json::Value", &narrow, text.len());
    encode("encode lines", &wanted, &narrow, true);
    encode("encode messages", &wanted, &narrow, false);

    let text = events(TOTAL_BYTES / 408);
    let wide = payloads(&text);
    let columns = event_columns();
    let wanted = table(columns.iter().map(|(n, k)| (n.as_str(), k.clone())));
    println!("events: {} bytes each", text.len() / text.lines().count());
    let all: Vec<usize> = (0..20).collect();
    let decode = |name, projection| {
        Decoding { name, table: &wanted, projection, paid_only: None }.run(&wide, text.len());
    };
    decode("all 20 columns", &all);
    decode("3 of 20 columns", &[2, 6, 14]);
    yardstick("serde_json::Value", &wide, text.len());
    encode("encode lines", &wanted, &wide, true);
}
