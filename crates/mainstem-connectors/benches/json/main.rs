//! How fast JSON becomes columns and columns become JSON, on one core: `cargo bench -p mainstem-connectors --bench json`.
//! Invariant: every piece of input is timed by itself, several times, and a figure is made of the best time of each
//! piece; so other work on the machine disturbs little, and the pieces together are larger than the caches.
//! serde_json over the same bytes stands beside it as a yardstick. A word on the command line picks some;
//! `-- rivals [FOLDER]` sets other readers beside ours instead, see `rivals`.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark measures time and may stop at the first surprise"
)]

mod columns;
mod input;
mod readers;
mod rivals;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use input::{TRANSACTION, as_messages, event_columns, events, payloads, table, transactions};
use mainstem_connectors::format::json::{decoder, encoder};
use mainstem_connectors::format::{BadRecords, DecodeRequest, EncodeRequest};
use mainstem_core::Batch;
use mainstem_core::egress::{ChangelogMode, Encode};
use mainstem_core::ingest::{Decode, Decoded, Payload};
use mainstem_core::table::{FilterOp, Literal, ScanFilter, TableSpec};

/// As the product does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 15;
const TOTAL_BYTES: usize = 48 << 20;

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
    let words: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    if let Some((first, folder)) = words.split_first()
        && first == "rivals"
    {
        return rivals::run(folder.first().map(std::path::Path::new));
    }
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
