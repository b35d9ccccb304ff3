//! Joins by time against recomputation over all rows, with random cuts, workers and watermarks.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use mainstem_core::Batch;
use mainstem_core::egress::ChangelogMode;
use mainstem_engine::dataflow::{SourceInput, StepInput};
use mainstem_engine::expr::ExprRef;
use mainstem_engine::plan::{JoinKind, NodeKind, Plan, TimeSource, Versions, WindowInput};
use mainstem_engine::window::{WindowKind, WindowSpec};
use proptest::prelude::*;

use crate::support::*;
use crate::windows::call;

/// Rows are at most this much out of order, so that none is late.
const DISORDER_MS: i64 = 400;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    time: i64,
    key: Option<i64>,
    value: i64,
    /// Of a versioned table: the row of the key goes.
    goes: bool,
}

fn show(row: &Row) -> String {
    let key = row.key.map_or("NULL".to_owned(), |k| k.to_string());
    format!("{} {key} {}", row.time, row.value)
}

const NOTHING: &str = "NULL NULL NULL";

/// Rows whose times grow but for [`DISORDER_MS`].
fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (0i64..700, 0..DISORDER_MS, prop::option::weighted(0.9, 0i64..3), 0i64..4);
    prop::collection::vec((row, prop::bool::weighted(0.15)), 0..40).prop_map(|rows| {
        let mut base = 0;
        let mut out = Vec::new();
        for ((ahead, jitter, key, value), goes) in rows {
            base += ahead;
            out.push(Row { time: base + jitter, key, value, goes });
        }
        out
    })
}

/// Time, key, value.
fn to_batch(rows: &[Row], weights: Option<Vec<i64>>) -> Batch {
    let columns = vec![
        times(rows.iter().map(|r| r.time)),
        ints(rows.iter().map(|r| r.key)),
        ints(rows.iter().map(|r| Some(r.value))),
    ];
    batch(columns, weights)
}

/// True where the sum of the values is even.
fn even() -> ExprRef {
    computed(|batch| {
        let (a, b) = (batch.column(2), batch.column(5));
        let (a, b) = (a.as_primitive::<Int64Type>(), b.as_primitive::<Int64Type>());
        let even = a.iter().zip(b).map(|(a, b)| Some((a? + b?) % 2 == 0));
        Arc::new(even.collect::<arrow_array::BooleanArray>())
    })
}

/// Two sources with watermarks, by key.
fn sources(plan: &mut PlanBuilder, right_changes: bool) -> [usize; 2] {
    [false, right_changes].map(|changelog| {
        let source = plan.source(vec![TIME, INT, INT], changelog);
        let watermark = plan.watermark(source, 0, DISORDER_MS);
        plan.exchange(watermark, &[1])
    })
}

/// The rows of both sides in steps: `cuts` says how many of each side a step takes.
fn drive(driver: &mut Driver, sides: &[Vec<Batch>; 2], cuts: &[(usize, usize)]) {
    let mut at = [0, 0];
    let mut cuts = cuts.iter().copied().chain(std::iter::repeat((3, 3)));
    while (0..2).any(|side| at[side] < sides[side].len()) {
        let (left, right) = cuts.next().expect("endless");
        let take = |side: usize, count: usize, at: &mut usize| {
            let end = (*at + count).min(sides[side].len());
            let batches = sides[side][*at..end].iter().map(|batch| (0, batch.clone())).collect();
            *at = end;
            SourceInput { batches, finished: end == sides[side].len(), ..SourceInput::default() }
        };
        let sources = vec![take(0, left, &mut at[0]), take(1, right, &mut at[1])];
        driver.feed(StepInput { now_ms: 0, sources });
    }
    driver.end();
}

fn singly(rows: &[Row]) -> Vec<Batch> {
    rows.chunks(2).map(|rows| to_batch(rows, None)).collect()
}

/// The join of whole inputs.
fn naive(kind: JoinKind, left: &[Row], right: &[Row], fits: impl Fn(&Row, &Row) -> bool) -> Folded {
    let mut folded = Folded::default();
    for l in left {
        let partners: Vec<&Row> = right.iter().filter(|r| fits(l, r)).collect();
        match kind {
            JoinKind::Semi if !partners.is_empty() => folded.add(show(l), 1),
            JoinKind::Anti if partners.is_empty() => folded.add(show(l), 1),
            JoinKind::Semi | JoinKind::Anti => {}
            _ => partners.iter().for_each(|r| folded.add(format!("{} {}", show(l), show(r)), 1)),
        }
        if partners.is_empty() && matches!(kind, JoinKind::Left | JoinKind::Full) {
            folded.add(format!("{} {NOTHING}", show(l)), 1);
        }
    }
    if matches!(kind, JoinKind::Right | JoinKind::Full) {
        for r in right.iter().filter(|r| !left.iter().any(|l| fits(l, r))) {
            folded.add(format!("{NOTHING} {}", show(r)), 1);
        }
    }
    folded
}

fn keys_and_values_fit(l: &Row, r: &Row, with_residual: bool) -> bool {
    l.key.is_some() && l.key == r.key && (!with_residual || (l.value + r.value) % 2 == 0)
}

fn any_cuts() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0usize..4, 0usize..4), 0..12)
}

fn interval_plan(kind: JoinKind, lower_ms: i64, upper_ms: i64, residual: bool) -> PlanBuilder {
    let mut plan = PlanBuilder::default();
    let inputs = sources(&mut plan, false);
    let time = TimeSource::EventTime { column: 0 };
    let kind = NodeKind::IntervalJoin {
        kind,
        left_keys: vec![1],
        right_keys: vec![1],
        left_time: time,
        right_time: time,
        lower_ms,
        upper_ms,
        residual: residual.then(even),
    };
    plan.node(kind, &inputs, vec![TIME, INT, INT, TIME, INT, INT], false);
    plan
}

fn temporal_plan(outer: bool, with_residual: bool, versions: Versions) -> Plan {
    let mut plan = PlanBuilder::default();
    let inputs = sources(&mut plan, true);
    let node = NodeKind::TemporalJoin {
        kind: if outer { JoinKind::Left } else { JoinKind::Inner },
        left_keys: vec![1],
        right_keys: vec![1],
        left_time: 0,
        right_time: 0,
        versions,
        residual: with_residual.then(even),
    };
    let join = plan.node(node, &inputs, vec![TIME, INT, INT, TIME, INT, INT], false);
    plan.sink(join, ChangelogMode::AppendOnly);
    plan.build()
}

fn pairs() -> impl Strategy<Value = JoinKind> {
    prop::sample::select(vec![JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full])
}

fn any_kind() -> impl Strategy<Value = JoinKind> {
    let others = prop::sample::select(vec![JoinKind::Semi, JoinKind::Anti]);
    prop_oneof![4 => pairs(), 2 => others]
}

proptest! {
    #[test]
    fn interval_joins_are_nested_loops(
        kind in pairs(),
        with_residual: bool,
        bounds in (-3000i64..3000, -200i64..4000),
        left in any_rows(),
        right in any_rows(),
        cuts in any_cuts(),
        workers in RESTARTED..4,
    ) {
        let (lower, upper) = (bounds.0, bounds.0 + bounds.1);
        let mut plan = interval_plan(kind, lower, upper, with_residual);
        let join = plan.plan().nodes.len() - 1;
        plan.sink(join, ChangelogMode::AppendOnly);
        let mut driver = Driver::new(&plan.build(), workers);
        drive(&mut driver, &[singly(&left), singly(&right)], &cuts);
        let expect = naive(kind, &left, &right, |l, r| {
            keys_and_values_fit(l, r, with_residual) && (lower..=upper).contains(&(l.time - r.time))
        });
        prop_assert_eq!(&driver.folded[0], &expect);
        prop_assert_eq!(driver.state_rows(), 0, "everything has passed");
    }

    /// What comes out of an outer interval join is never late for those who go by its left or right time.
    #[test]
    fn windows_over_interval_joins_lose_nothing(
        bounds in (-3000i64..3000, 0i64..4000),
        by_right: bool,
        left in any_rows(),
        right in any_rows(),
        cuts in any_cuts(),
        workers in RESTARTED..3,
    ) {
        let kind = if by_right { JoinKind::Right } else { JoinKind::Left };
        let (lower, upper) = (bounds.0, bounds.0 + bounds.1);
        let mut plan = interval_plan(kind, lower, upper, false);
        let join = plan.plan().nodes.len() - 1;
        let exchange = plan.exchange(join, &[]);
        let column = if by_right { 3 } else { 0 };
        let window = WindowInput::Assign {
            window: WindowSpec { kind: WindowKind::Tumble { size_ms: 100 }, offset_ms: 0, zone: None },
            time: TimeSource::EventTime { column },
        };
        let aggregates = vec![call("COUNT", &[], &[])];
        let count = NodeKind::WindowAggregate { window, keys: Vec::new(), aggregates };
        let count = plan.node(count, &[exchange], vec![INT, TIME, TIME, TIME], false);
        plan.sink(count, ChangelogMode::AppendOnly);
        let mut driver = Driver::new(&plan.build(), workers);
        drive(&mut driver, &[singly(&left), singly(&right)], &cuts);
        prop_assert_eq!(driver.flow.late_rows(), 0);
        let expect = naive(kind, &left, &right, |l, r| {
            keys_and_values_fit(l, r, false) && (lower..=upper).contains(&(l.time - r.time))
        });
        let rows: i64 = expect.0.values().sum();
        let counted: i64 = driver.folded[0].0.iter().map(|(line, n)| {
            line.split(' ').next().unwrap().parse::<i64>().unwrap() * n
        }).sum();
        prop_assert_eq!(counted, rows);
    }

    /// Rows that are late find what is kept, at most; an outer row comes out all the same.
    #[test]
    fn late_rows_of_an_interval_join_come_out_once_at_most(
        left in any_rows(),
        right in any_rows(),
        cuts in any_cuts(),
        workers in RESTARTED..3,
    ) {
        let mut plan = PlanBuilder::default();
        let inputs = [0, 1].map(|_| {
            let source = plan.source(vec![TIME, INT, INT], false);
            let watermark = plan.watermark(source, 0, -300);
            plan.exchange(watermark, &[1])
        });
        let time = TimeSource::EventTime { column: 0 };
        let (lower_ms, upper_ms) = (-500, 500);
        let (left_keys, right_keys) = (vec![1], vec![1]);
        let (left_time, right_time) = (time, time);
        let kind = JoinKind::Left;
        let kind = NodeKind::IntervalJoin {
            kind, left_keys, right_keys, left_time, right_time, lower_ms, upper_ms, residual: None,
        };
        let join = plan.node(kind, &inputs, vec![TIME, INT, INT, TIME, INT, INT], false);
        plan.sink(join, ChangelogMode::AppendOnly);
        let mut driver = Driver::new(&plan.build(), workers);
        drive(&mut driver, &[singly(&left), singly(&right)], &cuts);
        let fits = |l: &Row, r: &Row| {
            keys_and_values_fit(l, r, false) && (lower_ms..=upper_ms).contains(&(l.time - r.time))
        };
        let all = naive(JoinKind::Inner, &left, &right, fits);
        let mut seen: BTreeMap<String, i64> = BTreeMap::new();
        for (line, weight) in &driver.folded[0].0 {
            prop_assert!(*weight > 0);
            if line.ends_with(NOTHING) {
                *seen.entry(line.trim_end_matches(NOTHING).trim().to_owned()).or_default() += weight;
                continue;
            }
            prop_assert!(all.0.get(line) >= Some(weight), "{line}: no pair of the join");
            seen.entry(line.split(' ').take(3).collect::<Vec<_>>().join(" ")).or_default();
        }
        let mut rows: BTreeMap<String, i64> = BTreeMap::new();
        left.iter().for_each(|row| *rows.entry(show(row)).or_default() += 1);
        for (row, count) in &rows {
            prop_assert!(seen.contains_key(row), "{row} is missing");
            prop_assert!(seen[row] <= *count, "{row} came out without a partner too often");
        }
        prop_assert_eq!(driver.state_rows(), 0);
    }

    #[test]
    fn temporal_joins_take_the_version_of_the_time(
        outer: bool,
        with_residual: bool,
        versions in prop::sample::select(vec![Versions::All, Versions::KeepLast, Versions::Upserts]),
        left in any_rows(),
        mut right in any_rows(),
        cuts in any_cuts(),
        workers in RESTARTED..4,
    ) {
        // A deletion among upserts has no time of its own: what it finds depends on what has been joined.
        right.retain(|row| versions != Versions::Upserts || !row.goes);
        let mut driver = Driver::new(&temporal_plan(outer, with_residual, versions), workers);
        let changes: Vec<Batch> = right
            .iter()
            .map(|row| to_batch(&[*row], Some(vec![if row.goes { -1 } else { 1 }])))
            .collect();
        drive(&mut driver, &[singly(&left), changes], &cuts);

        // By key and time: the row, or that there is none.
        let mut history: BTreeMap<i64, BTreeMap<i64, Option<Row>>> = BTreeMap::new();
        for row in &right {
            let Some(key) = row.key else { continue };
            let of_key = history.entry(key).or_default();
            let newest = of_key.last_key_value().map(|(time, _)| *time);
            match (versions, row.goes) {
                (Versions::KeepLast, false) if newest.is_some_and(|newest| newest > row.time) => {}
                (_, goes) => {
                    of_key.insert(row.time, (!goes).then_some(*row));
                }
            }
        }
        let mut expect = Folded::default();
        for l in &left {
            let valid = l.key.and_then(|key| history.get(&key));
            let valid = valid.and_then(|of_key| *of_key.range(..=l.time).next_back()?.1);
            match valid.filter(|r| keys_and_values_fit(l, r, with_residual)) {
                Some(r) => expect.add(format!("{} {}", show(l), show(&r)), 1),
                None if outer => expect.add(format!("{} {NOTHING}", show(l)), 1),
                None => {}
            }
        }
        prop_assert_eq!(&driver.folded[0], &expect);
        prop_assert!(driver.state_rows() <= 3, "one version a key is left");
    }

    #[test]
    fn lookup_joins_wait_for_the_table(
        outer: bool,
        with_residual: bool,
        left in any_rows(),
        right in any_rows(),
        cuts in any_cuts(),
        workers in RESTARTED..4,
    ) {
        let kind = if outer { JoinKind::Left } else { JoinKind::Inner };
        let mut plan = PlanBuilder::default();
        let inputs = sources(&mut plan, true);
        let (left_keys, right_keys) = (vec![1], vec![1]);
        let residual = with_residual.then(even);
        let node = NodeKind::LookupJoin { kind, left_keys, right_keys, residual };
        let join = plan.node(node, &inputs, vec![TIME, INT, INT, TIME, INT, INT], false);
        plan.sink(join, ChangelogMode::AppendOnly);
        let mut driver = Driver::new(&plan.build(), workers);
        // A row that goes was there before: the table is what is left.
        let changes: Vec<Batch> = right
            .iter()
            .map(|row| match row.goes {
                true => to_batch(&[*row, *row], Some(vec![1, -1])),
                false => to_batch(&[*row], None),
            })
            .collect();
        drive(&mut driver, &[singly(&left), changes], &cuts);
        let table: Vec<Row> = right.into_iter().filter(|row| !row.goes).collect();
        let fits = |l: &Row, r: &Row| keys_and_values_fit(l, r, with_residual);
        prop_assert_eq!(&driver.folded[0], &naive(kind, &left, &table, fits));
        prop_assert_eq!(driver.state_rows(), 0);
    }

    #[test]
    fn window_joins_join_windows(
        kind in any_kind(),
        with_residual: bool,
        left in any_rows(),
        right in any_rows(),
        cuts in any_cuts(),
        workers in RESTARTED..4,
    ) {
        let mut plan = PlanBuilder::default();
        let inputs = sources(&mut plan, false).map(|source| {
            let window = WindowSpec {
                kind: WindowKind::Hop { size_ms: 1000, slide_ms: 500 }, offset_ms: 0, zone: None,
            };
            let node = NodeKind::WindowTable { window, time: TimeSource::EventTime { column: 0 } };
            plan.node(node, &[source], vec![TIME, INT, INT, TIME, TIME, TIME], false)
        });
        let residual = with_residual.then(|| computed(|batch| {
            let (a, b) = (batch.column(2), batch.column(8));
            let (a, b) = (a.as_primitive::<Int64Type>(), b.as_primitive::<Int64Type>());
            let even = a.iter().zip(b).map(|(a, b)| Some((a? + b?) % 2 == 0));
            Arc::new(even.collect::<arrow_array::BooleanArray>())
        }));
        let node = NodeKind::WindowJoin {
            kind,
            left_keys: vec![1],
            right_keys: vec![1],
            left_window: (3, 4),
            right_window: (3, 4),
            processing_time: false,
            zone: None,
            residual,
        };
        let one_sided = matches!(kind, JoinKind::Semi | JoinKind::Anti);
        let all = [TIME, INT, INT, TIME, TIME, TIME, TIME, INT, INT, TIME, TIME, TIME];
        let output = all[..if one_sided { 6 } else { 12 }].to_vec();
        let join = plan.node(node, &inputs, output.clone(), false);
        let shown: &[usize] = if one_sided { &[0, 1, 2] } else { &[0, 1, 2, 6, 7, 8] };
        let types = shown.iter().map(|&i| output[i].clone()).collect();
        let exprs = shown.iter().map(|&i| column(i)).collect();
        let join = plan.node(NodeKind::Project { exprs }, &[join], types, false);
        plan.sink(join, ChangelogMode::AppendOnly);
        let mut driver = Driver::new(&plan.build(), workers);
        drive(&mut driver, &[singly(&left), singly(&right)], &cuts);

        let mut expect = Folded::default();
        let in_window = |rows: &[Row], start: i64| -> Vec<Row> {
            rows.iter().copied().filter(|r| (start..start + 1000).contains(&r.time)).collect()
        };
        let last = left.iter().chain(&right).map(|r| r.time).max().unwrap_or(0);
        for start in (-500..=last).step_by(500) {
            let of_window = naive(kind, &in_window(&left, start), &in_window(&right, start), |l, r| {
                keys_and_values_fit(l, r, with_residual)
            });
            of_window.0.into_iter().for_each(|(row, weight)| expect.add(row, weight));
        }
        prop_assert_eq!(&driver.folded[0], &expect);
        prop_assert_eq!(driver.flow.late_rows(), 0);
        prop_assert_eq!(driver.state_rows(), 0);
    }
}

#[test]
fn rows_of_closed_windows_are_late() {
    let mut plan = PlanBuilder::default();
    let inputs = sources(&mut plan, false).map(|source| {
        let kind = WindowKind::Tumble { size_ms: 1000 };
        let window = WindowSpec { kind, offset_ms: 0, zone: None };
        let node = NodeKind::WindowTable { window, time: TimeSource::EventTime { column: 0 } };
        plan.node(node, &[source], vec![TIME, INT, INT, TIME, TIME, TIME], false)
    });
    let node = NodeKind::WindowJoin {
        kind: JoinKind::Inner,
        left_keys: vec![1],
        right_keys: vec![1],
        left_window: (3, 4),
        right_window: (3, 4),
        processing_time: false,
        zone: None,
        residual: None,
    };
    let output = vec![TIME, INT, INT, TIME, TIME, TIME, TIME, INT, INT, TIME, TIME, TIME];
    let join = plan.node(node, &inputs, output, false);
    plan.sink(join, ChangelogMode::AppendOnly);
    let mut driver = Driver::new(&plan.build(), 1);
    let row = |time| vec![to_batch(&[Row { time, key: Some(1), value: 0, goes: false }], None)];
    driver.step(0, vec![row(500), row(600)], false);
    driver.step(0, vec![row(5000), row(5000)], false);
    assert_eq!(driver.folded[0].0.len(), 1, "the window [0, 1000) is over");
    driver.step(0, vec![row(700), row(4900)], false);
    assert_eq!(driver.flow.late_rows(), 1);
}

#[test]
fn processing_time_intervals_go_by_the_clock() {
    let mut plan = PlanBuilder::default();
    let inputs = sources(&mut plan, false);
    let kind = NodeKind::IntervalJoin {
        kind: JoinKind::Left,
        left_keys: vec![1],
        right_keys: vec![1],
        left_time: TimeSource::ProcessingTime,
        right_time: TimeSource::ProcessingTime,
        lower_ms: -5000,
        upper_ms: 0,
        residual: None,
    };
    let join = plan.node(kind, &inputs, vec![TIME, INT, INT, TIME, INT, INT], false);
    plan.sink(join, ChangelogMode::AppendOnly);
    let mut driver = Driver::new(&plan.build(), 1);
    let rows = |keys: &[i64]| {
        let rows: Vec<Row> = keys
            .iter()
            .map(|&key| Row { time: 0, key: Some(key), value: 0, goes: false })
            .collect();
        if rows.is_empty() { Vec::new() } else { vec![to_batch(&rows, None)] }
    };
    let lines = |driver: &Driver| driver.folded[0].0.keys().cloned().collect::<Vec<_>>();
    driver.step(1_000, vec![rows(&[1, 2]), rows(&[])], false);
    driver.step(6_000, vec![rows(&[]), rows(&[1])], false);
    assert_eq!(lines(&driver), ["0 1 0 0 1 0"], "5 s later is in time");
    driver.step(20_000, vec![rows(&[]), rows(&[2])], false);
    assert_eq!(lines(&driver), ["0 1 0 0 1 0", "0 2 0 NULL NULL NULL"], "19 s later is not");
    driver.end();
    assert_eq!(driver.state_rows(), 0);
}

#[test]
fn versions_come_and_go() {
    let row = |time, value| Row { time, key: Some(1), value, goes: false };
    let left = |driver: &mut Driver, time| {
        driver.step(0, vec![vec![to_batch(&[row(time, 0)], None)]], false);
    };
    let right = |driver: &mut Driver, rows: &[Row], weights: &[i64]| {
        let batches = vec![Vec::new(), vec![to_batch(rows, Some(weights.to_vec()))]];
        driver.step(0, batches, false);
    };
    let check = |versions, expect: &[&str], changes: &[(&[Row], &[i64])]| {
        let mut driver = Driver::new(&temporal_plan(true, false, versions), 1);
        changes.iter().for_each(|(rows, weights)| right(&mut driver, rows, weights));
        [5, 15, 25].into_iter().for_each(|time| left(&mut driver, time));
        driver.end();
        assert_eq!(driver.folded[0].0.keys().collect::<Vec<_>>(), expect, "{versions:?}");
    };
    let nothing = "5 1 0 NULL NULL NULL";
    let (first, second) = ("15 1 0 10 1 1", "25 1 0 20 1 2");
    let update: &[Row] = &[row(10, 1), row(20, 2)];
    check(Versions::All, &[first, second, nothing], &[(&[row(10, 1)], &[1]), (update, &[-1, 1])]);
    let gone = "25 1 0 NULL NULL NULL";
    let changes: [(&[Row], &[i64]); 3] =
        [(&[row(10, 1)], &[1]), (update, &[-1, 1]), (&[row(20, 2)], &[-1])];
    check(Versions::All, &[first, gone, nothing], &changes);
    let upserts: [(&[Row], &[i64]); 2] = [(update, &[1, 1]), (&[row(0, 0)], &[-1])];
    check(Versions::Upserts, &[first, gone, nothing], &upserts);
    let late: [(&[Row], &[i64]); 2] = [(&[row(20, 2)], &[1]), (&[row(10, 1)], &[1])];
    check(Versions::All, &[first, second, nothing], &late);
    check(Versions::KeepLast, &["15 1 0 NULL NULL NULL", second, nothing], &late);
}
