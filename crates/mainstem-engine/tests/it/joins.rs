//! Joins against nested loops, with random changes on both sides.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use mainstem_core::egress::ChangelogMode;
use mainstem_engine::dataflow::{Dataflow, SourceInput, StepInput};
use mainstem_engine::operator::{Shortage, StateMemory};
use mainstem_engine::plan::{JoinKind, NodeKind, Plan, Residual};
use mainstem_log::MemoryDisk;
use mainstem_state::row_files::RowSpace;
use proptest::prelude::*;

use crate::support::*;

/// (key, value) joined with (key, value), perhaps only where left value + right value is even.
fn plan(kind: JoinKind, changelog: [bool; 2], with_residual: bool) -> Plan {
    let mut plan = PlanBuilder::default();
    let left = plan.source(vec![INT, INT], changelog[0]);
    let right = plan.source(vec![INT, INT], changelog[1]);
    let left = plan.exchange(left, &[0]);
    let right = plan.exchange(right, &[0]);
    let residual = with_residual.then(|| {
        computed(|batch| {
            let (a, b) = (batch.column(1), batch.column(3));
            let (a, b) = (a.as_primitive::<Int64Type>(), b.as_primitive::<Int64Type>());
            let even = a.iter().zip(b).map(|(a, b)| Some((a? + b?) % 2 == 0));
            Arc::new(even.collect::<arrow_array::BooleanArray>())
        })
    });
    let width = if matches!(kind, JoinKind::Semi | JoinKind::Anti) { 2 } else { 4 };
    let kind = NodeKind::Join {
        kind,
        left_keys: vec![0],
        right_keys: vec![0],
        residual: residual.map(|condition| Residual { condition, columns: vec![0, 1, 2, 3] }),
        expiry: [None; 2],
        ttl_ms: [None; 2],
    };
    let join = plan.node(kind, &[left, right], vec![INT; width], true);
    plan.sink(join, ChangelogMode::Retract);
    plan.build()
}

type Row = (Option<i64>, i64);
type Rows = BTreeMap<Row, i64>;

fn show((key, value): Row) -> String {
    format!("{} {value}", key.map_or("NULL".to_owned(), |k| k.to_string()))
}

fn naive(kind: JoinKind, left: &Rows, right: &Rows, with_residual: bool) -> Folded {
    let fits =
        |l: &Row, r: &Row| l.0.is_some() && l.0 == r.0 && (!with_residual || (l.1 + r.1) % 2 == 0);
    let mut folded = Folded::default();
    let pairs = !matches!(kind, JoinKind::Semi | JoinKind::Anti);
    for (l, lw) in left {
        let partners: Vec<_> = right.iter().filter(|(r, _)| fits(l, r)).collect();
        if pairs {
            for (r, rw) in &partners {
                folded.add(format!("{} {}", show(*l), show(**r)), lw * **rw);
            }
        }
        match kind {
            JoinKind::Left | JoinKind::Full if partners.is_empty() => {
                folded.add(format!("{} NULL NULL", show(*l)), *lw);
            }
            JoinKind::Semi if !partners.is_empty() => folded.add(show(*l), *lw),
            JoinKind::Anti if partners.is_empty() => folded.add(show(*l), *lw),
            _ => {}
        }
    }
    if matches!(kind, JoinKind::Right | JoinKind::Full) {
        for (r, rw) in right {
            if !left.keys().any(|l| fits(l, r)) {
                folded.add(format!("NULL NULL {}", show(*r)), *rw);
            }
        }
    }
    folded
}

fn any_kind() -> impl Strategy<Value = JoinKind> {
    prop::sample::select(vec![
        JoinKind::Inner,
        JoinKind::Left,
        JoinKind::Right,
        JoinKind::Full,
        JoinKind::Semi,
        JoinKind::Anti,
    ])
}

/// For each step the changes of both sides: which side, row, insert or take back.
fn any_steps() -> impl Strategy<Value = Vec<Vec<(bool, Row, bool)>>> {
    let row = (prop::option::weighted(0.9, 0i64..3), 0i64..3);
    let change = (any::<bool>(), row, prop::bool::weighted(0.6));
    prop::collection::vec(prop::collection::vec(change, 0..12), 1..10)
}

proptest! {
    #[test]
    fn joins_are_nested_loops(
        kind in any_kind(),
        changelog: [bool; 2],
        with_residual: bool,
        steps in any_steps(),
        workers in RESTARTED..4,
        // Which sides have a time to live; it is too long to matter.
        lives: [bool; 2],
        // From which step on each side has ended.
        ends: [u8; 2],
    ) {
        let ends = ends.map(|end| usize::from(end % 16));
        let mut plan = plan(kind, changelog, with_residual);
        for node in &mut plan.nodes {
            if let NodeKind::Join { ttl_ms, .. } = &mut node.kind {
                *ttl_ms = lives.map(|lives| lives.then_some(i64::MAX));
            }
        }
        let mut driver = Driver::new(&plan, workers);
        let mut held: [Rows; 2] = [Rows::new(), Rows::new()];
        for (at, step) in steps.into_iter().enumerate() {
            let mut changes: [Vec<(Row, i64)>; 2] = [Vec::new(), Vec::new()];
            for (is_right, row, insert) in step {
                let side = usize::from(is_right);
                if at > ends[side] {
                    continue;
                }
                let count = held[side].entry(row).or_insert(0);
                if insert || !changelog[side] {
                    *count += 1;
                    changes[side].push((row, 1));
                } else if *count > 0 {
                    *count -= 1;
                    changes[side].push((row, -1));
                }
            }
            held.iter_mut().for_each(|side| side.retain(|_, weight| *weight != 0));
            let batches = (0..2).map(|side| {
                let to_batch = |rows: &[(Row, i64)]| {
                    batch(
                        vec![
                            ints(rows.iter().map(|(row, _)| row.0)),
                            ints(rows.iter().map(|(row, _)| Some(row.1))),
                        ],
                        changelog[side].then(|| rows.iter().map(|(_, w)| *w).collect()),
                    )
                };
                changes[side].chunks(3).map(to_batch).collect()
            });
            driver.step_ending(batches.collect(), &ends.map(|end| at >= end));
            let expect = naive(kind, &held[0], &held[1], with_residual);
            prop_assert_eq!(&driver.folded[0], &expect, "after every step");
            if kind == JoinKind::Inner && ends.iter().all(|end| at >= *end) {
                prop_assert_eq!(driver.state_rows(), 0, "nobody will ask for the rows again");
            }
        }
    }
}

/// What finds rows on disk stays in memory: when that alone is more than is allowed, somebody is told.
#[test]
fn a_shortage_of_memory_is_told() {
    for (bytes, is_told) in [(64 << 20, false), (1 << 10, true)] {
        let told = Arc::new(AtomicUsize::new(0));
        let most = Arc::clone(&told);
        let shortage: Shortage = Arc::new(move |bytes| {
            most.fetch_max(bytes, Ordering::Relaxed);
        });
        let space = Arc::new(RowSpace::new(Arc::new(MemoryDisk::default()), "rows"));
        let mut flow = Dataflow::new(&plan(JoinKind::Inner, [false; 2], false), 1).unwrap();
        let shortage = Some(shortage);
        flow.set_memory(&StateMemory { bytes, space, everything: false, shortage });
        for step in 0..10 {
            let keys = (step * 1_000..(step + 1) * 1_000).map(Some);
            let rows = batch(vec![ints(keys.clone()), ints(keys)], None);
            let source = SourceInput { batches: vec![(0, rows)], ..SourceInput::default() };
            let sources = vec![source, SourceInput::default()];
            flow.step(StepInput { now_ms: 0, sources }).unwrap();
        }
        assert_eq!(told.load(Ordering::Relaxed) > bytes, is_told, "{told:?} of {bytes}");
    }
}
