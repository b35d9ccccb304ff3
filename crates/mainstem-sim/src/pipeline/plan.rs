//! The plan of the simulated pipeline, its input, and what has to come out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, Int64Array};
use arrow_schema::DataType as ArrowType;
use mainstem_core::clock::Rng;
use mainstem_core::egress::ChangelogMode;
use mainstem_core::{Batch, TypeKind};
use mainstem_engine::aggregate::{AggregateCall, builtin};
use mainstem_engine::plan::{JoinKind, Node, NodeKind, Plan, Scan};

use super::target::Rows;

/// The sinks: sums and counts per key, as a changelog; the rows themselves; and each row with the sums of its key, which change.
pub(super) const SINKS: [&str; 3] = ["totals", "copied", "joined"];

/// `CREATE VIEW sums AS SELECT k, SUM(v), COUNT(*) FROM input GROUP BY k; INSERT INTO totals SELECT * FROM sums;
/// INSERT INTO copied SELECT * FROM input; INSERT INTO joined SELECT * FROM input JOIN sums ON input.k = sums.k`.
pub(super) fn plan() -> Plan {
    let call = |name: &str, args: &[usize], types: &[TypeKind]| {
        let types: Vec<_> = types.iter().map(|kind| kind.clone().nullable()).collect();
        let (function, _) = builtin(name, &types).expect("SQL has it");
        AggregateCall { function, args: args.to_vec(), filter: None, distinct: false }
    };
    let aggregates = vec![call("SUM", &[1], &[TypeKind::BigInt]), call("COUNT", &[], &[])];
    let join = NodeKind::Join {
        kind: JoinKind::Inner,
        left_keys: vec![0],
        right_keys: vec![0],
        residual: None,
        expiry: [None; 2],
        ttl_ms: [None; 2],
    };
    let sink = |sink, changelog| NodeKind::Sink { sink, changelog };
    let kinds = [
        ("input", NodeKind::Source { source: 0, scan: Scan::default() }, vec![], 2),
        ("exchange", NodeKind::Exchange { keys: vec![0] }, vec![0], 2),
        ("sums", NodeKind::Aggregate { keys: vec![0], aggregates, final_only: false }, vec![1], 3),
        ("joins", join, vec![1, 2], 5),
        (SINKS[0], sink(0, ChangelogMode::Retract), vec![2], 0),
        (SINKS[1], sink(1, ChangelogMode::AppendOnly), vec![0], 0),
        (SINKS[2], sink(2, ChangelogMode::Retract), vec![3], 0),
    ];
    let node = |(name, kind, inputs, width): (&str, NodeKind, Vec<usize>, usize)| Node {
        kind,
        inputs,
        name: name.to_owned(),
        output: vec![ArrowType::Int64; width],
        changelog: ["sums", "joins"].contains(&name),
        state_ttl_ms: None,
    };
    let nodes = kinds.into_iter().map(node).collect();
    Plan { nodes, sources: 1, sinks: SINKS.len(), lookups: 0 }
}

/// Rows of keys and values.
pub(super) fn input(rng: &mut Rng) -> Vec<(i64, i64)> {
    let rows = 50 + rng.below(400);
    // Each row makes the join tell all others of its key once more.
    let keys = 1 + rows / 16 + rng.below(150);
    (0..rows).map(|_| (rng.below(keys) as i64, rng.below(1_000) as i64)).collect()
}

pub(super) fn batch(rows: &[(i64, i64)]) -> Batch {
    let keys = Int64Array::from_iter_values(rows.iter().map(|row| row.0));
    let values = Int64Array::from_iter_values(rows.iter().map(|row| row.1));
    Batch::new(vec![Arc::new(keys), Arc::new(values)], rows.len())
}

/// The rows of a batch as text.
pub(super) fn lines(batch: &Batch) -> Rows {
    let columns: Vec<_> =
        batch.columns().iter().map(|column| column.as_primitive::<Int64Type>()).collect();
    let line = |row: usize| {
        let cells = columns.iter().map(|c| if c.is_null(row) { 0 } else { c.value(row) });
        let cells: Vec<String> = cells.map(|cell| cell.to_string()).collect();
        (cells.join(" "), batch.weight(row))
    };
    (0..batch.rows()).map(line).collect()
}

/// What each sink has to show when all rows were read.
pub(super) fn expected(rows: &[(i64, i64)]) -> [BTreeMap<String, i64>; SINKS.len()] {
    let mut sums: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for &(key, value) in rows {
        let sum = sums.entry(key).or_default();
        *sum = (sum.0 + value, sum.1 + 1);
    }
    let (mut copied, mut joined) = (BTreeMap::new(), BTreeMap::new());
    for &(key, value) in rows {
        let (sum, count) = sums[&key];
        *copied.entry(format!("{key} {value}")).or_insert(0) += 1;
        *joined.entry(format!("{key} {value} {key} {sum} {count}")).or_insert(0) += 1;
    }
    let totals = sums.into_iter().map(|(key, (sum, count))| (format!("{key} {sum} {count}"), 1));
    [totals.collect(), copied, joined]
}
