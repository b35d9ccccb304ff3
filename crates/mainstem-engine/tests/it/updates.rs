//! Windows that show results early or mend them late, and groups with a time to live.

use mainstem_core::TypeKind;
use mainstem_core::clock::Rng;
use mainstem_core::egress::ChangelogMode;
use mainstem_engine::dataflow::{SourceInput, StepInput};
use mainstem_engine::plan::{NodeKind, Plan, TimeSource, WindowInput};
use mainstem_engine::window::{EmitSpec, WindowKind, WindowSpec};

use crate::support::*;
use crate::windows::call;

/// ts, key, value: COUNT(*), SUM(value) per key and window of 10 ms.
fn plan(emit: EmitSpec) -> Plan {
    let mut plan = PlanBuilder::default();
    let source = plan.source(vec![TIME, INT, INT], false);
    let watermark = plan.watermark(source, 0, 0);
    let window = WindowSpec { kind: WindowKind::Tumble { size_ms: 10 }, offset_ms: 0, zone: None };
    let table = NodeKind::WindowTable { window, time: TimeSource::EventTime { column: 0 } };
    let table = plan.node(table, &[watermark], vec![TIME, INT, INT, TIME, TIME, TIME], false);
    let exchange = plan.exchange(table, &[1]);
    let window = WindowInput::Attached { start: 3, end: 4, processing_time: false, zone: None };
    let aggregates = vec![call("COUNT", &[], &[]), call("SUM", &[2], &[TypeKind::BigInt])];
    let kind = NodeKind::WindowUpdates { window, emit, keys: vec![1], aggregates };
    let node = plan.node(kind, &[exchange], vec![INT, INT, INT, TIME, TIME, TIME], true);
    plan.sink(node, ChangelogMode::Retract);
    plan.build()
}

const AT_END: EmitSpec =
    EmitSpec { early_delay_ms: None, late_delay_ms: None, allow_lateness_ms: 0 };

fn rows(rows: &[(i64, i64, i64)]) -> Vec<Vec<mainstem_core::Batch>> {
    let columns = vec![
        times(rows.iter().map(|row| row.0)),
        ints(rows.iter().map(|row| Some(row.1))),
        ints(rows.iter().map(|row| Some(row.2))),
    ];
    vec![vec![batch(columns, None)]]
}

#[track_caller]
fn holds(driver: &Driver, expect: &[&str]) {
    let rows: Vec<_> = driver.folded[0].0.iter().map(|(row, n)| (row.as_str(), *n)).collect();
    let expect: Vec<_> = expect.iter().map(|row| (*row, 1)).collect();
    assert_eq!(rows, expect);
}

#[test]
fn early_results_are_taken_back() {
    let emit = EmitSpec { early_delay_ms: Some(0), ..AT_END };
    let mut driver = Driver::new(&plan(emit), 2);
    driver.step(0, rows(&[(1, 7, 5), (2, 8, 1)]), false);
    holds(&driver, &["7 1 5 0 10 9", "8 1 1 0 10 9"]);
    driver.step(0, rows(&[(3, 7, 6)]), false);
    holds(&driver, &["7 2 11 0 10 9", "8 1 1 0 10 9"]);
    driver.step(0, rows(&[(15, 7, 1)]), false);
    assert_eq!(driver.state_rows(), 1, "the first window is forgotten");
    driver.step(0, rows(&[(4, 7, 100)]), false);
    assert_eq!(driver.flow.late_rows(), 1);
    driver.end();
    holds(&driver, &["7 1 1 10 20 19", "7 2 11 0 10 9", "8 1 1 0 10 9"]);
    assert_eq!(driver.state_rows(), 0);
}

#[test]
fn early_results_wait_for_their_delay() {
    let emit = EmitSpec { early_delay_ms: Some(50), ..AT_END };
    let mut driver = Driver::new(&plan(emit), 1);
    driver.step(100, rows(&[(1, 7, 5)]), false);
    driver.step(120, rows(&[(2, 7, 5)]), false);
    holds(&driver, &[]);
    let idle = |now_ms| StepInput { now_ms, sources: vec![SourceInput::default()] };
    assert_eq!(driver.flow.step(idle(130)).unwrap().next_timer_ms, Some(150));
    driver.feed(idle(150));
    holds(&driver, &["7 2 10 0 10 9"]);
    driver.feed(idle(300));
    assert!(driver.last[0].is_empty());
}

#[test]
fn late_rows_mend_results_while_they_are_allowed() {
    let emit = EmitSpec { allow_lateness_ms: 20, ..AT_END };
    let mut driver = Driver::new(&plan(emit), 1);
    driver.step(0, rows(&[(1, 7, 5)]), false);
    holds(&driver, &[]);
    driver.step(0, rows(&[(12, 7, 1)]), false);
    holds(&driver, &["7 1 5 0 10 9"]);
    driver.step(0, rows(&[(2, 7, 1), (3, 9, 1)]), false);
    holds(&driver, &["7 2 6 0 10 9", "9 1 1 0 10 9"]);
    driver.step(0, rows(&[(29, 7, 1)]), false);
    driver.step(0, rows(&[(3, 7, 1)]), false);
    assert_eq!(driver.flow.late_rows(), 1);
    driver.end();
    holds(&driver, &["7 1 1 10 20 19", "7 1 1 20 30 29", "7 2 6 0 10 9", "9 1 1 0 10 9"]);
}

/// Rows of few keys whose time moves on, some of them late, and a clock that moves on as well.
fn any_steps(rng: &mut Rng) -> Vec<StepInput> {
    let mut now_ms = 0;
    let mut steps = Vec::new();
    for at in 0..60 {
        now_ms += rng.below(40) as i64;
        let count = rng.below(4);
        let any = |_| {
            let time = at * 3 + rng.below(12) as i64 - rng.below(25) as i64;
            (time, rng.below(4) as i64, rng.below(9) as i64)
        };
        let any: Vec<_> = (0..count).map(any).collect();
        let batches = match any.is_empty() {
            true => Vec::new(),
            false => rows(&any).remove(0).into_iter().map(|batch| (0, batch)).collect(),
        };
        steps.push(StepInput {
            now_ms,
            sources: vec![SourceInput { batches, finished: at == 59, ..SourceInput::default() }],
        });
    }
    steps
}

#[test]
fn what_was_shown_and_what_waits_outlives_restarts() {
    let mut rng = Rng::new(3);
    for early_delay_ms in [None, Some(0), Some(30)] {
        for late_delay_ms in [None, Some(25)] {
            for allow_lateness_ms in [0, 15] {
                let emit = EmitSpec { early_delay_ms, late_delay_ms, allow_lateness_ms };
                for _ in 0..4 {
                    restarts_change_nothing(&plan(emit), any_steps(&mut rng));
                }
            }
        }
    }
}

#[test]
fn idle_groups_are_forgotten() {
    for changelog in [false, true] {
        let mut plan = PlanBuilder::default();
        let source = plan.source(vec![INT, INT], changelog);
        let exchange = plan.exchange(source, &[0]);
        let aggregates = vec![call("COUNT", &[], &[])];
        let kind = NodeKind::Aggregate { keys: vec![0], aggregates, final_only: false };
        let node = plan.node(kind, &[exchange], vec![INT, INT], true);
        plan.sink(node, ChangelogMode::Retract);
        let mut plan = plan.build();
        plan.nodes[node].state_ttl_ms = Some(100);
        let mut driver = Driver::new(&plan, 1);
        let one = |key: i64, weight: i64| {
            let weights = changelog.then(|| vec![weight]);
            vec![vec![batch(vec![ints([Some(key)]), ints([Some(1)])], weights)]]
        };
        driver.step(0, one(7, 1), false);
        driver.step(50, one(7, 1), false);
        driver.step(60, one(8, 1), false);
        assert_eq!(driver.state_rows(), 2);
        driver.step(149, one(9, 1), false);
        assert_eq!(driver.state_rows(), 3);
        driver.step(150, one(9, 1), false);
        assert_eq!(driver.state_rows(), 2, "7 was written at 50");
        driver.step(170, one(7, 1), false);
        holds(&driver, &["7 1", "7 2", "8 1", "9 2"]);
        if changelog {
            driver.step(300, one(7, -1), false);
            holds(&driver, &["7 1", "7 2", "8 1", "9 2"]);
            assert_eq!(driver.state_rows(), 0, "what is taken back was forgotten");
        }
    }
}
