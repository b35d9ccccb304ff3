//! State with a time to live: joins, the last rows of upserts, the first rows of partitions.

use mainstem_core::Batch;
use mainstem_core::clock::Rng;
use mainstem_core::egress::ChangelogMode;
use mainstem_engine::dataflow::{SourceInput, StepInput};
use mainstem_engine::plan::{JoinKind, NodeKind, Plan};
use mainstem_engine::rank::{RankEmit, RankEnd, RankFunction};

use crate::support::*;

/// (key, value) joined with (key, value).
fn join(kind: JoinKind, ttl_ms: [Option<i64>; 2]) -> Plan {
    join_of(kind, ttl_ms, true)
}

fn join_of(kind: JoinKind, ttl_ms: [Option<i64>; 2], changelog: bool) -> Plan {
    let mut plan = PlanBuilder::default();
    let left = plan.source(vec![INT, INT], changelog);
    let right = plan.source(vec![INT, INT], false);
    let inputs = [plan.exchange(left, &[0]), plan.exchange(right, &[0])];
    let width = if matches!(kind, JoinKind::Semi | JoinKind::Anti) { 2 } else { 4 };
    let kind = NodeKind::Join {
        kind,
        left_keys: vec![0],
        right_keys: vec![0],
        residual: None,
        expiry: [None; 2],
        ttl_ms,
    };
    let join = plan.node(kind, &inputs, vec![INT; width], changelog);
    let mode = if changelog { ChangelogMode::Retract } else { ChangelogMode::AppendOnly };
    plan.sink(join, mode);
    plan.build()
}

fn row(key: i64, value: i64, weight: i64) -> Vec<Batch> {
    let weights = (weight != 1).then(|| vec![weight]);
    vec![batch(vec![ints([Some(key)]), ints([Some(value)])], weights)]
}

fn left(value: i64, weight: i64) -> Vec<Vec<Batch>> {
    vec![row(7, value, weight), Vec::new()]
}

fn right(value: i64) -> Vec<Vec<Batch>> {
    vec![Vec::new(), row(7, value, 1)]
}

#[track_caller]
fn holds(driver: &Driver, expect: &[(&str, i64)]) {
    let rows: Vec<_> = driver.folded[0].0.iter().map(|(row, n)| (row.as_str(), *n)).collect();
    assert_eq!(rows, expect);
}

#[test]
fn each_side_of_a_join_has_its_time() {
    let mut driver = Driver::new(&join(JoinKind::Inner, [Some(100), Some(20)]), 1);
    driver.step(0, left(1, 1), false);
    driver.step(10, right(2), false);
    // The right row of time 10 is gone, the left one is not.
    driver.step(30, left(3, 1), false);
    driver.step(40, right(4), false);
    driver.step(100, right(5), false);
    holds(&driver, &[("7 1 7 2", 1), ("7 1 7 4", 1), ("7 3 7 4", 1), ("7 3 7 5", 1)]);
    assert_eq!(driver.state_rows(), 2);
    driver.step(1_000, right(6), false);
    assert_eq!(driver.state_rows(), 1);
}

#[test]
fn equal_rows_are_written_together() {
    let mut driver = Driver::new(&join(JoinKind::Inner, [None, Some(100)]), 1);
    driver.step(0, right(2), false);
    driver.step(90, right(2), false);
    driver.step(180, left(1, 1), false);
    holds(&driver, &[("7 1 7 2", 2)]);
    driver.step(190, left(2, 1), false);
    holds(&driver, &[("7 1 7 2", 2)]);
}

#[test]
fn equal_rows_that_only_come_come_out_one_by_one() {
    let mut driver = Driver::new(&join_of(JoinKind::Inner, [Some(100); 2], false), 1);
    driver.step(0, right(2), false);
    driver.step(90, right(2), false);
    driver.step(95, left(1, 1), false);
    assert_eq!(driver.last[0].iter().map(Batch::rows).sum::<usize>(), 2);
    holds(&driver, &[("7 1 7 2", 2)]);
}

#[test]
fn a_row_that_is_taken_back_when_it_is_forgotten_leaves_no_debt() {
    let mut driver = Driver::new(&join(JoinKind::Inner, [Some(100), None]), 1);
    driver.step(0, vec![row(7, 1, 1), row(7, 2, 1)], false);
    driver.step(200, left(1, -1), false);
    // As in Flink, the rows that joined it go, also those that it never joined.
    holds(&driver, &[]);
    driver.step(210, left(1, 1), false);
    driver.step(220, right(3), false);
    holds(&driver, &[("7 1 7 2", 1), ("7 1 7 3", 1)]);
}

#[test]
fn rows_without_partners_that_are_forgotten_stay_as_they_were_shown() {
    let mut driver = Driver::new(&join(JoinKind::Left, [Some(100), Some(100)]), 1);
    driver.step(0, left(1, 1), false);
    driver.step(90, left(2, 1), false);
    driver.step(150, right(2), false);
    holds(&driver, &[("7 1 NULL NULL", 1), ("7 2 7 2", 1)]);
    // A partner is a write: row 2 lives from 150.
    driver.step(240, right(3), false);
    holds(&driver, &[("7 1 NULL NULL", 1), ("7 2 7 2", 1), ("7 2 7 3", 1)]);
}

fn over_one(kind: NodeKind, changelog: bool) -> Plan {
    let mut plan = PlanBuilder::default();
    let source = plan.source(vec![INT, INT], changelog);
    let exchange = plan.exchange(source, &[0]);
    let node = plan.node(kind, &[exchange], vec![INT, INT], true);
    plan.sink(node, ChangelogMode::Retract);
    let mut plan = plan.build();
    plan.nodes[node].state_ttl_ms = Some(100);
    plan
}

#[test]
fn last_rows_of_upserts_are_forgotten() {
    let plan = over_one(NodeKind::UpsertNormalize { key: vec![0] }, true);
    for workers in [1, RESTARTED] {
        let mut driver = Driver::new(&plan, workers);
        driver.step(0, vec![row(1, 10, 1)], false);
        driver.step(50, vec![row(2, 20, 1)], false);
        driver.step(90, vec![row(1, 11, 1)], false);
        holds(&driver, &[("1 11", 1), ("2 20", 1)]);
        driver.step(160, vec![row(2, 21, 1)], false);
        holds(&driver, &[("1 11", 1), ("2 20", 1), ("2 21", 1)]);
        driver.step(300, vec![row(1, 11, -1)], false);
        holds(&driver, &[("1 11", 1), ("2 20", 1), ("2 21", 1)]);
        // A worker forgets when rows come.
        assert_eq!(driver.state_rows(), usize::from(workers == RESTARTED));
    }
}

#[test]
fn first_rows_are_forgotten() {
    let kind = NodeKind::Rank {
        partition: vec![0],
        order: vec![(1, true, false)],
        latest_first: false,
        function: RankFunction::RowNumber,
        from: 1,
        to: RankEnd::Constant(1),
        with_rank: false,
        emit: RankEmit::Changes,
    };
    let plan = over_one(kind, false);
    for workers in [1, RESTARTED] {
        let mut driver = Driver::new(&plan, workers);
        driver.step(0, vec![row(1, 10, 1)], false);
        driver.step(50, vec![row(1, 9, 1)], false);
        driver.step(90, vec![row(1, 12, 1)], false);
        holds(&driver, &[("1 12", 1)]);
        driver.step(180, vec![row(1, 11, 1)], false);
        holds(&driver, &[("1 12", 1)]);
        driver.step(190, vec![row(1, 5, 1)], false);
        holds(&driver, &[("1 12", 1), ("1 5", 1)]);
        assert_eq!(driver.state_rows(), 1);
    }
}

/// Rows of few keys and values that come, go, and go without having come, at times that move on.
fn any_steps(rng: &mut Rng, changelog: bool) -> Vec<StepInput> {
    let mut now_ms = 0;
    let mut steps = Vec::new();
    for at in 0..50 {
        now_ms += rng.below(20) as i64;
        let side = |rng: &mut Rng, changelog: bool| SourceInput {
            batches: (0..rng.below(3))
                .map(|_| {
                    let weight = if changelog && rng.below(3) == 0 { -1 } else { 1 };
                    (0, row(rng.below(3) as i64, rng.below(3) as i64, weight).remove(0))
                })
                .collect(),
            finished: at == 49,
            ..SourceInput::default()
        };
        let sources = vec![side(rng, changelog), side(rng, false)];
        steps.push(StepInput { now_ms, sources });
    }
    steps
}

#[test]
fn the_times_of_rows_outlive_restarts() {
    use JoinKind::{Anti, Full, Inner, Left, Right, Semi};
    let mut rng = Rng::new(11);
    for kind in [Inner, Left, Right, Full, Semi, Anti] {
        for ttl_ms in [[Some(40); 2], [Some(40), None], [None, Some(15)]] {
            for _ in 0..6 {
                restarts_change_nothing(&join(kind, ttl_ms), any_steps(&mut rng, true));
            }
        }
    }
    for _ in 0..20 {
        let plan = join_of(Inner, [Some(30); 2], false);
        restarts_change_nothing(&plan, any_steps(&mut rng, false));
    }
}
