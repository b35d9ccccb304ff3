//! Window aggregates against recomputation, with random cuts, workers, late rows and shapes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::DataType as ArrowType;
use mainstem_core::egress::ChangelogMode;
use mainstem_core::{DataType, TypeKind};
use mainstem_engine::aggregate::{AggregateCall, builtin};
use mainstem_engine::dataflow::{SourceInput, StepInput};
use mainstem_engine::plan::{NodeKind, Plan, TimeSource, WindowInput};
use mainstem_engine::window::{LocalTime, WindowKind, WindowSpec};
use proptest::prelude::*;

use crate::support::*;

pub(crate) fn call(name: &str, args: &[usize], types: &[TypeKind]) -> AggregateCall {
    let types: Vec<DataType> = types.iter().map(|kind| kind.clone().nullable()).collect();
    let (function, _) = builtin(name, &types).unwrap();
    AggregateCall { function, args: args.to_vec(), filter: None, distinct: false }
}

/// ts, key, value: COUNT(*), SUM(value), MIN(value), MAX(value) per key and window.
fn plan(kind: WindowKind, offset_ms: i64, delay_ms: i64, distinct: bool) -> Plan {
    let mut plan = PlanBuilder::default();
    let source = plan.source(vec![TIME, INT, INT], false);
    let watermark = plan.watermark(source, 0, delay_ms);
    let exchange = plan.exchange(watermark, &[1]);
    let mut aggregates = vec![
        call("COUNT", &[], &[]),
        call("SUM", &[2], &[TypeKind::BigInt]),
        call("MIN", &[2], &[TypeKind::BigInt]),
        call("MAX", &[2], &[TypeKind::BigInt]),
    ];
    if distinct {
        aggregates
            .push(AggregateCall { distinct: true, ..call("COUNT", &[2], &[TypeKind::BigInt]) });
    }
    let mut output = vec![INT; 1 + aggregates.len()];
    output.extend([TIME, TIME, TIME]);
    let window = WindowInput::Assign {
        window: WindowSpec { kind, offset_ms, zone: None },
        time: TimeSource::EventTime { column: 0 },
    };
    let kind = NodeKind::WindowAggregate { window, keys: vec![1], aggregates };
    let aggregate = plan.node(kind, &[exchange], output, false);
    plan.sink(aggregate, ChangelogMode::AppendOnly);
    plan.build()
}

/// All windows of a time, by looking at every window near it.
fn windows_of(kind: WindowKind, offset: i64, t: i64) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    let multiples = |unit: i64| {
        let near = (t - offset).div_euclid(unit);
        (near - 50..=near + 50).map(move |k| k * unit + offset)
    };
    match kind {
        WindowKind::Tumble { size_ms } => {
            found.extend(multiples(size_ms).map(|start| (start, start + size_ms)));
        }
        WindowKind::Hop { size_ms, slide_ms } => {
            found.extend(multiples(slide_ms).map(|start| (start, start + size_ms)));
        }
        WindowKind::Cumulate { max_size_ms, step_ms } => {
            for start in multiples(max_size_ms) {
                found.extend((1..=max_size_ms / step_ms).map(|k| (start, start + k * step_ms)));
            }
        }
    }
    found.retain(|&(start, end)| start <= t && t < end);
    found
}

type Row = (i64, i64, Option<i64>);

/// What each step takes; rows are dropped when all their windows were closed by the watermark before.
fn naive(
    kind: WindowKind,
    offset: i64,
    delay: i64,
    steps: &[Vec<Row>],
    distinct: bool,
) -> (Folded, u64) {
    let mut groups: BTreeMap<(i64, i64, i64), Vec<Option<i64>>> = BTreeMap::new();
    let (mut watermark, mut late) = (i64::MIN, 0);
    for step in steps {
        for &(t, key, value) in step {
            let windows = windows_of(kind, offset, t);
            let open: Vec<_> = windows.iter().filter(|w| w.1 - 1 > watermark).collect();
            late += u64::from(open.is_empty() && !windows.is_empty());
            for &&(start, end) in &open {
                groups.entry((start, end, key)).or_default().push(value);
            }
        }
        if let Some(greatest) = step.iter().map(|row| row.0 - delay).max() {
            watermark = watermark.max(greatest);
        }
    }
    let mut folded = Folded::default();
    for ((start, end, key), values) in groups {
        let known: Vec<i64> = values.iter().flatten().copied().collect();
        let show = |v: Option<i64>| v.map_or("NULL".to_owned(), |v| v.to_string());
        let sum = (!known.is_empty()).then(|| known.iter().sum());
        let mut row = format!(
            "{key} {} {} {} {}",
            values.len(),
            show(sum),
            show(known.iter().min().copied()),
            show(known.iter().max().copied())
        );
        if distinct {
            let mut different = known.clone();
            different.sort_unstable();
            different.dedup();
            row.push_str(&format!(" {}", different.len()));
        }
        folded.add(format!("{row} {start} {end} {}", end - 1), 1);
    }
    (folded, late)
}

fn check(
    kind: WindowKind,
    offset: i64,
    delay: i64,
    steps: &[Vec<Row>],
    workers: usize,
    distinct: bool,
    batch_rows: usize,
) {
    let mut driver = Driver::new(&plan(kind, offset, delay, distinct), workers);
    for step in steps {
        // Several batches a step, so that several workers have something to do.
        let batches = step.chunks(batch_rows).map(|rows| {
            batch(
                vec![
                    times(rows.iter().map(|row| row.0)),
                    ints(rows.iter().map(|row| Some(row.1))),
                    ints(rows.iter().map(|row| row.2)),
                ],
                None,
            )
        });
        driver.step(0, vec![batches.collect()], false);
    }
    driver.end();
    let (expect, late) = naive(kind, offset, delay, steps, distinct);
    assert_eq!(driver.folded[0], expect);
    assert_eq!(driver.flow.late_rows(), late);
    assert_eq!(driver.flow.state_rows(), 0, "all windows are closed");
}

fn any_kind() -> impl Strategy<Value = WindowKind> {
    prop_oneof![
        (1i64..20).prop_map(|size_ms| WindowKind::Tumble { size_ms }),
        (1i64..20, 1i64..8).prop_map(|(size_ms, slide_ms)| WindowKind::Hop { size_ms, slide_ms }),
        (1i64..6, 1i64..5)
            .prop_map(|(k, step_ms)| WindowKind::Cumulate { max_size_ms: k * step_ms, step_ms }),
    ]
}

/// Rows whose time moves on from step to step, with some that are far behind.
fn any_steps() -> impl Strategy<Value = Vec<Vec<Row>>> {
    let row = (-30i64..15, 0i64..4, prop::option::weighted(0.8, -5i64..20));
    prop::collection::vec(prop::collection::vec(row, 0..20), 1..12).prop_map(|steps| {
        let at = |(i, step): (usize, Vec<Row>)| {
            step.into_iter().map(|(t, k, v)| (t + i as i64 * 10, k, v)).collect()
        };
        steps.into_iter().enumerate().map(at).collect()
    })
}

proptest! {
    #[test]
    fn windows_are_their_rows(
        kind in any_kind(),
        offset in 0i64..7,
        delay in 0i64..20,
        steps in any_steps(),
        workers in RESTARTED..4,
        distinct: bool,
    ) {
        check(kind, offset, delay, &steps, workers, distinct, 3);
    }
}

#[test]
fn many_slices_and_keys_in_one_batch() {
    let mut rng = mainstem_core::clock::Rng::new(5);
    for kind in [
        WindowKind::Tumble { size_ms: 7 },
        WindowKind::Hop { size_ms: 40, slide_ms: 10 },
        WindowKind::Cumulate { max_size_ms: 50, step_ms: 10 },
    ] {
        // Far more keys than a slice holds, and more slices than are looked up at once.
        let mut row = |step: i64| {
            let time = step * 900 + rng.below(2000) as i64;
            (time, rng.below(40_000) as i64, Some(rng.below(100) as i64))
        };
        let steps: Vec<Vec<Row>> =
            (0..3).map(|step| (0..8_000).map(|_| row(step)).collect()).collect();
        for workers in RESTARTED..3 {
            check(kind, 0, 500, &steps, workers, false, 8192);
        }
    }
}

#[test]
fn a_window_closes_when_the_watermark_reaches_its_last_millisecond() {
    let mut driver = Driver::new(&plan(WindowKind::Tumble { size_ms: 10 }, 0, 0, false), 1);
    let mut feed = |t: i64| {
        let row = batch(vec![times([t]), ints([Some(1)]), ints([Some(t)])], None);
        driver.step(0, vec![vec![row]], false);
        driver.last[0].iter().flat_map(lines).map(|(row, _)| row).collect::<Vec<_>>()
    };
    assert_eq!(feed(8), Vec::<String>::new());
    assert_eq!(feed(9), ["1 2 17 8 9 0 10 9"], "9 is the last time of the window");
    assert_eq!(feed(3), Vec::<String>::new(), "late");
    assert_eq!(feed(40), Vec::<String>::new());
    assert_eq!(feed(55), ["1 1 40 40 40 40 50 49"]);
    assert_eq!(driver.flow.late_rows(), 1);
}

/// An hour east of UTC.
#[derive(Debug)]
struct Hour;

impl LocalTime for Hour {
    fn to_local(&self, utc_ms: i64) -> i64 {
        utc_ms + 3_600_000
    }
    fn to_utc(&self, local_ms: i64) -> i64 {
        local_ms - 3_600_000
    }
}

#[test]
fn windows_of_a_zone_have_local_bounds() {
    const DAY: i64 = 86_400_000;
    let mut plan = PlanBuilder::default();
    let utc = ArrowType::Timestamp(arrow_schema::TimeUnit::Millisecond, Some("UTC".into()));
    let source = plan.source(vec![TIME], false);
    let watermark = plan.watermark(source, 0, 0);
    let zone: Option<Arc<dyn LocalTime>> = Some(Arc::new(Hour));
    let window = WindowInput::Assign {
        window: WindowSpec { kind: WindowKind::Tumble { size_ms: DAY }, offset_ms: 0, zone },
        time: TimeSource::EventTime { column: 0 },
    };
    let aggregates = vec![call("COUNT", &[], &[])];
    let kind = NodeKind::WindowAggregate { window, keys: vec![], aggregates };
    let node = plan.node(kind, &[watermark], vec![INT, TIME, TIME, utc], false);
    plan.sink(node, ChangelogMode::AppendOnly);
    let mut driver = Driver::new(&plan.build(), 1);
    // 23:00 UTC is local midnight: the next day.
    let rows = vec![batch(vec![times([DAY - 3_600_001, DAY - 3_600_000])], None)];
    driver.step(0, vec![rows], false);
    let out: Vec<_> = driver.last[0].iter().flat_map(lines).collect();
    assert_eq!(out, [(format!("1 0 {DAY} {}", DAY - 3_600_001), 1)]);
    driver.end();
    let out: Vec<_> = driver.last[0].iter().flat_map(lines).collect();
    assert_eq!(out, [(format!("1 {DAY} {} {}", 2 * DAY, 2 * DAY - 3_600_001), 1)]);
}

#[test]
fn processing_time_windows_close_by_the_clock() {
    let mut plan = PlanBuilder::default();
    let source = plan.source(vec![INT], false);
    let window = WindowInput::Assign {
        window: WindowSpec { kind: WindowKind::Tumble { size_ms: 100 }, offset_ms: 0, zone: None },
        time: TimeSource::ProcessingTime,
    };
    let aggregates = vec![call("SUM", &[0], &[TypeKind::BigInt])];
    let kind = NodeKind::WindowAggregate { window, keys: vec![], aggregates };
    let node = plan.node(kind, &[source], vec![INT, TIME, TIME, TIME], false);
    plan.sink(node, ChangelogMode::AppendOnly);
    let mut driver = Driver::new(&plan.build(), 1);
    let one = |v| vec![vec![batch(vec![ints([Some(v)])], None)]];
    driver.step(150, one(1), false);
    driver.step(199, one(2), false);
    assert!(driver.folded[0].0.is_empty());
    let mut input = StepInput { now_ms: 199, sources: vec![SourceInput::default()] };
    let timer = driver.flow.step(input.clone()).unwrap().next_timer_ms;
    assert_eq!(timer, Some(200));
    input.now_ms = 200;
    driver.feed(input);
    assert_eq!(driver.folded[0].0.keys().collect::<Vec<_>>(), ["3 100 200 199"]);
    driver.step(250, one(7), false);
    driver.end();
    assert!(driver.folded[0].0.contains_key("7 200 300 299"), "{:?}", driver.folded[0]);
}

/// The window table function, then an aggregate over its windows, then one over the windows of that.
#[test]
fn nested_windows_close_in_one_step() {
    let mut plan = PlanBuilder::default();
    let source = plan.source(vec![TIME, INT], false);
    let watermark = plan.watermark(source, 0, 0);
    let spec =
        |size_ms| WindowSpec { kind: WindowKind::Tumble { size_ms }, offset_ms: 0, zone: None };
    let time = TimeSource::EventTime { column: 0 };
    let table = NodeKind::WindowTable { window: spec(10), time };
    let table = plan.node(table, &[watermark], vec![TIME, INT, TIME, TIME, TIME], false);
    let exchange = plan.exchange(table, &[1]);
    let attached = WindowInput::Attached { start: 2, end: 3, processing_time: false, zone: None };
    let aggregates = vec![call("COUNT", &[], &[])];
    let kind = NodeKind::WindowAggregate { window: attached, keys: vec![1], aggregates };
    let first = plan.node(kind, &[exchange], vec![INT, INT, TIME, TIME, TIME], false);
    let exchange = plan.exchange(first, &[]);
    let window =
        WindowInput::Assign { window: spec(20), time: TimeSource::EventTime { column: 4 } };
    let aggregates = vec![call("MAX", &[1], &[TypeKind::BigInt])];
    let kind = NodeKind::WindowAggregate { window, keys: vec![], aggregates };
    let second = plan.node(kind, &[exchange], vec![INT, TIME, TIME, TIME], false);
    plan.sink(second, ChangelogMode::AppendOnly);
    let plan = plan.build();
    for workers in RESTARTED..4 {
        let mut driver = Driver::new(&plan, workers);
        let rows = |ts: &[i64], keys: &[i64]| {
            batch(vec![times(ts.to_vec()), ints(keys.iter().map(|&k| Some(k)))], None)
        };
        let batches = vec![rows(&[1, 2, 11], &[1, 1, 1]), rows(&[12, 13, 5], &[1, 1, 2])];
        driver.step(0, vec![batches], false);
        assert!(driver.folded[0].0.is_empty());
        driver.step(0, vec![vec![rows(&[19], &[5])]], false);
        assert_eq!(driver.folded[0].0.keys().collect::<Vec<_>>(), ["3 0 20 19"]);
        driver.end();
        assert_eq!(driver.folded[0].0.len(), 1);
    }
}
