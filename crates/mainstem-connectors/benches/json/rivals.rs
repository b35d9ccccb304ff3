//! Ours beside other readers of JSON, over the same bytes, into the same Arrow columns.
//! Invariant: every reader's columns are compared with ours before anything is timed. Costs are CPU time of the thread,
//! not the wall clock; readers take turns, and a figure is the median of [`ROUNDS`] passes over all bytes. What a reader
//! needs copied for itself (simd-json writes into its input) is copied outside of the measurement.
//! With a folder the records are written there for readers outside of this process, and results are separated by tabs:
//! case, reader, bytes, rows in, rows out, median seconds, spread.

use std::hint::black_box;
use std::path::Path;

use arrow_array::ArrayRef;
use arrow_select::concat::concat;
use mainstem_core::TypeKind;
use mainstem_core::ingest::{Lines, Payload};
use rustix::time::{ClockId, clock_gettime};

use crate::input::{TRANSACTION, event_columns, events, payloads, transactions};
use crate::readers::{self, Reader, Task};

const ROUNDS: usize = 21;
const TOTAL_BYTES: usize = 24 << 20;

pub(crate) fn run(folder: Option<&Path>) {
    if folder.is_none() {
        println!(
            "CPU time of the thread, medians of {ROUNDS} passes; spread: (dearest - cheapest) / median"
        );
    }
    let columns: Vec<(String, TypeKind)> =
        TRANSACTION.iter().map(|(name, kind)| ((*name).to_owned(), kind.clone())).collect();
    let text = transactions(TOTAL_BYTES / 153);
    let all = Task { columns: &columns, projection: &[0, 1, 2, 3, 4], paid_only: None };
    let some = Task { columns: &columns, projection: &[3, 0, 1], paid_only: Some(4) };
    if let Some(folder) = folder {
        std::fs::write(folder.join("payments.jsonl"), &text).unwrap();
    }
    compare("payments, all 5 columns", &all, &text, folder, readers::payments);
    compare("payments, 3 of 5 columns, paid only", &some, &text, folder, readers::paid);

    let columns = event_columns();
    let text = events(TOTAL_BYTES / 408);
    if let Some(folder) = folder {
        std::fs::write(folder.join("events.jsonl"), &text).unwrap();
    }
    let projection: Vec<usize> = (0..20).collect();
    let all = Task { columns: &columns, projection: &projection, paid_only: None };
    let some = Task { columns: &columns, projection: &[2, 6, 14], paid_only: None };
    compare("events, all 20 columns", &all, &text, folder, readers::events);
    compare("events, 3 of 20 columns", &some, &text, folder, readers::three_of_events);
}

type Typed = fn() -> Vec<Box<dyn Reader>>;

fn compare(case: &str, task: &Task<'_>, text: &str, folder: Option<&Path>, typed: Typed) {
    let pieces: Vec<Lines> = payloads(text).into_iter().map(lines).collect();
    let mut all = readers::general(task);
    all.extend(typed());
    let expected: Vec<Vec<ArrayRef>> =
        pieces.iter().map(|piece| read(&mut *all[0], piece)).collect();
    for reader in &mut all[1..] {
        for (piece, expected) in pieces.iter().zip(&expected) {
            assert!(read(&mut **reader, piece) == *expected, "{case}: {} differs", reader.name());
        }
    }
    let mut seconds: Vec<Vec<f64>> = vec![Vec::with_capacity(ROUNDS); all.len()];
    for _ in 0..ROUNDS {
        for (reader, seconds) in all.iter_mut().zip(&mut seconds) {
            let mut total = 0.0;
            for piece in &pieces {
                reader.prepare(piece);
                let start = cpu_seconds();
                black_box(reader.read(piece));
                total += cpu_seconds() - start;
            }
            seconds.push(total);
        }
    }
    let rows_in = text.lines().count();
    let rows_out: usize = expected.iter().map(|columns| columns[0].len()).sum();
    if folder.is_none() {
        println!("\n{case}: {} bytes a record, {rows_in} in, {rows_out} out", text.len() / rows_in);
    }
    for (reader, mut seconds) in all.iter().zip(seconds) {
        seconds.sort_by(f64::total_cmp);
        let median = seconds[ROUNDS / 2];
        let spread = (seconds[ROUNDS - 1] - seconds[0]) / median;
        let name = reader.name();
        if folder.is_some() {
            println!("{case}\t{name}\t{}\t{rows_in}\t{rows_out}\t{median}\t{spread}", text.len());
            continue;
        }
        let (gb, rows) = (text.len() as f64 / median / 1e9, rows_in as f64 / median / 1e6);
        println!(
            "  {name:<28} {gb:>6.3} GB/s {rows:>7.2} M rows/s in, spread {:.0} %",
            spread * 100.0
        );
    }
}

fn lines(payload: Payload) -> Lines {
    let Payload::Lines(lines) = payload else { panic!("lines were expected") };
    lines
}

/// One piece as whole columns.
fn read(reader: &mut dyn Reader, piece: &Lines) -> Vec<ArrayRef> {
    reader.prepare(piece);
    let batches = reader.read(piece);
    let column = |index: usize| {
        let parts: Vec<_> = batches.iter().map(|batch| batch[index].as_ref()).collect();
        concat(&parts).unwrap()
    };
    (0..batches[0].len()).map(column).collect()
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
