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
use mainstem_engine::plan::{Node, NodeKind, Plan, Scan};

use super::target::Rows;

/// The sinks: sums and counts per key, as a changelog; and the rows themselves.
pub(super) const SINKS: usize = 2;

/// `INSERT INTO totals SELECT k, SUM(v), COUNT(*) FROM input GROUP BY k; INSERT INTO copied SELECT * FROM input`.
pub(super) fn plan() -> Plan {
    let call = |name: &str, args: &[usize], types: &[TypeKind]| {
        let types: Vec<_> = types.iter().map(|kind| kind.clone().nullable()).collect();
        let (function, _) = builtin(name, &types).expect("SQL has it");
        AggregateCall { function, args: args.to_vec(), filter: None, distinct: false }
    };
    let aggregates = vec![call("SUM", &[1], &[TypeKind::BigInt]), call("COUNT", &[], &[])];
    let kinds = [
        ("input", NodeKind::Source { source: 0, scan: Scan::default() }, None, 2),
        ("exchange", NodeKind::Exchange { keys: vec![0] }, Some(0), 2),
        ("sums", NodeKind::Aggregate { keys: vec![0], aggregates, final_only: false }, Some(1), 3),
        ("totals", NodeKind::Sink { sink: 0, changelog: ChangelogMode::Retract }, Some(2), 0),
        ("copied", NodeKind::Sink { sink: 1, changelog: ChangelogMode::AppendOnly }, Some(0), 0),
    ];
    let node = |(name, kind, input, width): (&str, NodeKind, Option<usize>, usize)| Node {
        kind,
        inputs: input.into_iter().collect(),
        name: name.to_owned(),
        output: vec![ArrowType::Int64; width],
        changelog: name == "sums",
        state_ttl_ms: None,
    };
    let nodes = kinds.into_iter().map(node).collect();
    Plan { nodes, sources: 1, sinks: SINKS, lookups: 0 }
}

/// Rows of keys and values.
pub(super) fn input(rng: &mut Rng) -> Vec<(i64, i64)> {
    let (rows, keys) = (50 + rng.below(2_000), 1 + rng.below(200));
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
pub(super) fn expected(rows: &[(i64, i64)]) -> [BTreeMap<String, i64>; SINKS] {
    let mut sums: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    let mut copied = BTreeMap::new();
    for &(key, value) in rows {
        let sum = sums.entry(key).or_default();
        *sum = (sum.0 + value, sum.1 + 1);
        *copied.entry(format!("{key} {value}")).or_insert(0) += 1;
    }
    let totals = sums.into_iter().map(|(key, (sum, count))| (format!("{key} {sum} {count}"), 1));
    [totals.collect(), copied]
}
