//! The plan of the simulated pipeline, its input, and what has to come out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, Int64Array, TimestampMillisecondArray};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use mainstem_core::clock::Rng;
use mainstem_core::egress::ChangelogMode;
use mainstem_core::{Batch, Result, TypeKind};
use mainstem_engine::aggregate::{AggregateCall, builtin};
use mainstem_engine::expr::{EvalContext, Expr, Value};
use mainstem_engine::plan::{JoinKind, Node, NodeKind, Plan, Scan, TimeSource, WindowInput};
use mainstem_engine::rank::{RankEmit, RankEnd, RankFunction};
use mainstem_engine::window::{SessionSpec, WindowKind, WindowSpec};

use super::tables::Times;
use super::target::Rows;

/// The sinks: sums and counts per key, as a changelog; the rows themselves; each row with the sums of its key, which change; sums of
/// windows and of sessions; and the greatest sums among those of as many rows, which change.
pub(super) const SINKS: [&str; 6] = ["totals", "copied", "joined", "windows", "sessions", "best"];

/// Which columns of each are times.
pub(super) const SINK_TIMES: [Times; SINKS.len()] = [
    &[false; 3],
    ROW_TIMES,
    &[false, false, true, false, false, false],
    SPAN_TIMES,
    SPAN_TIMES,
    &[false; 3],
];
/// Which columns of the input are times.
pub(super) const ROW_TIMES: Times = &[false, false, true];
const SPAN_TIMES: Times = &[false, false, false, true, true, true];

/// What changes come to each.
pub(super) fn sink_changelogs() -> [ChangelogMode; SINKS.len()] {
    let (append, retract) = (ChangelogMode::AppendOnly, ChangelogMode::Retract);
    [retract.clone(), append.clone(), retract.clone(), append.clone(), append, retract]
}

/// A key, a value, a time in ms.
pub(super) type Row = (i64, i64, i64);

/// No row comes so much later than one with a greater time.
const DELAY_MS: i64 = 12;
const WINDOW_MS: i64 = 64;
/// Times are multiples of 4: no row is exactly the gap behind another.
const GAP_MS: i64 = 150;
const BEST: usize = 2;

/// Times of the third column, less the delay.
#[derive(Debug)]
struct Delayed;

impl Expr for Delayed {
    fn eval(&self, batch: &Batch, _cx: &EvalContext) -> Result<Value> {
        let times = batch.column(2).as_primitive::<TimestampMillisecondType>();
        Ok(Value::Array(Arc::new(times.unary::<_, TimestampMillisecondType>(|t| t - DELAY_MS))))
    }
}

/// `CREATE VIEW sums AS SELECT k, SUM(v), COUNT(*) FROM input GROUP BY k; INSERT INTO totals SELECT * FROM sums;
/// INSERT INTO copied SELECT * FROM input; INSERT INTO joined SELECT * FROM input JOIN sums ON input.k = sums.k;
/// INSERT INTO windows SELECT k, SUM(v), COUNT(*), start, end, time FROM input GROUP BY k, TUMBLE(t); the same of SESSION(t);
/// INSERT INTO best SELECT * FROM sums QUALIFY ROW_NUMBER() OVER (PARTITION BY count ORDER BY sum DESC, k) <= 2`.
pub(super) fn plan() -> Plan {
    let call = |name: &str, args: &[usize], types: &[TypeKind]| {
        let types: Vec<_> = types.iter().map(|kind| kind.clone().nullable()).collect();
        let (function, _) = builtin(name, &types).expect("SQL has it");
        AggregateCall { function, args: args.to_vec(), filter: None, distinct: false }
    };
    let calls = || vec![call("SUM", &[1], &[TypeKind::BigInt]), call("COUNT", &[], &[])];
    let aggregate = NodeKind::Aggregate { keys: vec![0], aggregates: calls(), final_only: false };
    let join = NodeKind::Join {
        kind: JoinKind::Inner,
        left_keys: vec![0],
        right_keys: vec![0],
        residual: None,
        expiry: [None; 2],
        ttl_ms: [None; 2],
    };
    let watermark = NodeKind::Watermark {
        expr: Arc::new(Delayed),
        idle_timeout_ms: None,
        clock_after_ms: None,
    };
    let (time, keys) = (TimeSource::EventTime { column: 2 }, vec![0]);
    let kind = WindowKind::Tumble { size_ms: WINDOW_MS };
    let window = WindowSpec { kind, offset_ms: 0, zone: None };
    let window = WindowInput::Assign { window, time };
    let windows = NodeKind::WindowAggregate { window, keys: keys.clone(), aggregates: calls() };
    let session = SessionSpec { gap_ms: GAP_MS, zone: None };
    let sessions = NodeKind::SessionAggregate { session, time, keys, aggregates: calls() };
    let best = NodeKind::Rank {
        partition: vec![2],
        order: vec![(1, true, false), (0, false, false)],
        latest_first: false,
        function: RankFunction::RowNumber,
        from: 1,
        to: RankEnd::Constant(BEST as u64),
        with_rank: false,
        emit: RankEmit::Changes,
    };
    let changelogs = sink_changelogs();
    let sink = |sink: usize| NodeKind::Sink { sink, changelog: changelogs[sink].clone() };
    let row = vec![INT, INT, TIME];
    let sums = vec![INT; 3];
    let joined = [&row[..], &sums].concat();
    let spans = vec![INT, INT, INT, TIME, TIME, TIME];
    let source = NodeKind::Source { source: 0, scan: Scan::default() };
    let nodes = [
        ("input", source, vec![], row.clone()),
        ("watermark", watermark, vec![0], row.clone()),
        ("exchange", NodeKind::Exchange { keys: vec![0] }, vec![1], row),
        ("sums", aggregate, vec![2], sums.clone()),
        ("joins", join, vec![2, 3], joined),
        ("windows", windows, vec![2], spans.clone()),
        ("sessions", sessions, vec![2], spans),
        ("by count", NodeKind::Exchange { keys: vec![2] }, vec![3], sums.clone()),
        ("best", best, vec![7], sums),
        ("", sink(0), vec![3], vec![]),
        ("", sink(1), vec![0], vec![]),
        ("", sink(2), vec![4], vec![]),
        ("", sink(3), vec![5], vec![]),
        ("", sink(4), vec![6], vec![]),
        ("", sink(5), vec![8], vec![]),
    ];
    let node = |(name, kind, inputs, output): (&str, NodeKind, Vec<usize>, Vec<ArrowType>)| Node {
        kind,
        inputs,
        name: name.to_owned(),
        output,
        changelog: ["sums", "joins", "by count", "best"].contains(&name),
        state_ttl_ms: None,
    };
    let nodes = nodes.into_iter().map(node).collect();
    Plan { nodes, sources: 1, sinks: SINKS.len(), lookups: 0 }
}

const INT: ArrowType = ArrowType::Int64;
const TIME: ArrowType = ArrowType::Timestamp(TimeUnit::Millisecond, None);

/// Rows, some of them behind others with greater times.
pub(super) fn input(rng: &mut Rng) -> Vec<Row> {
    let rows = 40 + rng.below(200);
    // Each row makes the join tell all others of its key once more.
    let keys = 1 + rows / 16 + rng.below(150);
    let row = |at: u64| {
        let time = 4 * (at + rng.below(3));
        (rng.below(keys) as i64, rng.below(1_000) as i64, time as i64)
    };
    (0..rows).map(row).collect()
}

pub(super) fn batch(rows: &[Row]) -> Batch {
    let keys = Int64Array::from_iter_values(rows.iter().map(|row| row.0));
    let values = Int64Array::from_iter_values(rows.iter().map(|row| row.1));
    let times = TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| row.2));
    Batch::new(vec![Arc::new(keys), Arc::new(values), Arc::new(times)], rows.len())
}

/// The rows of a batch as text.
pub(super) fn lines(batch: &Batch) -> Rows {
    let numbers = |column: &ArrayRef| match column.data_type() {
        ArrowType::Timestamp(..) => {
            column.as_primitive::<TimestampMillisecondType>().values().clone()
        }
        _ => column.as_primitive::<Int64Type>().values().clone(),
    };
    let columns: Vec<_> = batch.columns().iter().map(numbers).collect();
    let line = |row: usize| {
        let cells: Vec<String> = columns.iter().map(|column| column[row].to_string()).collect();
        (cells.join(" "), batch.weight(row))
    };
    (0..batch.rows()).map(line).collect()
}

/// What each sink has to show when all rows were read.
pub(super) fn expected(rows: &[Row]) -> [BTreeMap<String, i64>; SINKS.len()] {
    let mut sums: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    let mut windows: BTreeMap<(i64, i64), (i64, i64)> = BTreeMap::new();
    let mut times: BTreeMap<i64, Vec<(i64, i64)>> = BTreeMap::new();
    for &(key, value, time) in rows {
        let start = time.div_euclid(WINDOW_MS) * WINDOW_MS;
        for sum in [sums.entry(key).or_default(), windows.entry((key, start)).or_default()] {
            *sum = (sum.0 + value, sum.1 + 1);
        }
        times.entry(key).or_default().push((time, value));
    }
    let (mut copied, mut joined) = (BTreeMap::new(), BTreeMap::new());
    for &(key, value, time) in rows {
        let (sum, count) = sums[&key];
        *copied.entry(format!("{key} {value} {time}")).or_insert(0) += 1;
        *joined.entry(format!("{key} {value} {time} {key} {sum} {count}")).or_insert(0) += 1;
    }
    let watermark = rows.iter().map(|row| row.2).max().unwrap_or(0) - DELAY_MS;
    let span = |key: i64, (sum, count): (i64, i64), start: i64, end: i64| {
        let line = format!("{key} {sum} {count} {start} {end} {}", end - 1);
        (end - 1 <= watermark).then_some((line, 1))
    };
    let windows = windows
        .into_iter()
        .filter_map(|((key, start), sum)| span(key, sum, start, start + WINDOW_MS));
    let mut sessions = BTreeMap::new();
    for (key, mut rows) in times {
        rows.sort_unstable();
        for session in rows.chunk_by(|a, b| b.0 - a.0 < GAP_MS) {
            let sum = session.iter().fold((0, 0), |sum, row| (sum.0 + row.1, sum.1 + 1));
            sessions.extend(span(key, sum, session[0].0, session[session.len() - 1].0 + GAP_MS));
        }
    }
    let mut by_count: BTreeMap<i64, Vec<(i64, i64)>> = BTreeMap::new();
    for (&key, &(sum, count)) in &sums {
        by_count.entry(count).or_default().push((-sum, key));
    }
    let mut best = BTreeMap::new();
    for (count, mut keys) in by_count {
        keys.sort_unstable();
        let lines = keys.into_iter().take(BEST);
        best.extend(lines.map(|(minus, key)| (format!("{key} {} {count}", -minus), 1)));
    }
    let totals = sums.into_iter().map(|(key, (sum, count))| (format!("{key} {sum} {count}"), 1));
    [totals.collect(), copied, joined, windows.collect(), sessions, best]
}
