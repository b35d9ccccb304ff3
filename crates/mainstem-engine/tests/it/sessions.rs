//! Session windows against recomputation, with random cuts, workers, late rows and rows out of order.

use std::collections::BTreeMap;

use mainstem_core::TypeKind;
use mainstem_core::egress::ChangelogMode;
use mainstem_engine::aggregate::AggregateCall;
use mainstem_engine::dataflow::{SourceInput, StepInput};
use mainstem_engine::plan::{NodeKind, Plan, TimeSource, WindowInput};
use mainstem_engine::window::SessionSpec;
use proptest::prelude::*;

use crate::support::*;
use crate::windows::call;

type Row = (i64, i64, Option<i64>);

/// How the sessions are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The rows with their sessions.
    Table,
    /// An aggregate over sessions.
    Aggregate,
    /// The same over the rows of the table function.
    AggregateOfTable,
}

fn calls() -> Vec<AggregateCall> {
    let big = [TypeKind::BigInt];
    let distinct = |name| AggregateCall { distinct: true, ..call(name, &[2], &big) };
    vec![
        call("COUNT", &[], &[]),
        call("SUM", &[2], &big),
        call("MIN", &[2], &big),
        call("MAX", &[2], &big),
        distinct("COUNT"),
        distinct("SUM"),
    ]
}

/// ts, key, value.
fn plan(form: Form, gap_ms: i64, delay_ms: i64, time: TimeSource, changelog: bool) -> Plan {
    let mut plan = PlanBuilder::default();
    let source = plan.source(vec![TIME, INT, INT], changelog);
    let watermark = plan.watermark(source, 0, delay_ms);
    let exchange = plan.exchange(watermark, &[1]);
    let session = SessionSpec { gap_ms, zone: None };
    let (keys, aggregates) = (vec![1], calls());
    let mut results = vec![INT; 1 + aggregates.len()];
    results.extend([TIME, TIME, TIME]);
    let rows = vec![TIME, INT, INT, TIME, TIME, TIME];
    let node = match form {
        Form::Table => {
            let kind = NodeKind::SessionTable { session, time, keys };
            plan.node(kind, &[exchange], rows, changelog)
        }
        Form::Aggregate => {
            let kind = NodeKind::SessionAggregate { session, time, keys, aggregates };
            plan.node(kind, &[exchange], results, false)
        }
        Form::AggregateOfTable => {
            let kind = NodeKind::SessionTable { session, time, keys: keys.clone() };
            let table = plan.node(kind, &[exchange], rows, changelog);
            let processing_time = time == TimeSource::ProcessingTime;
            let window = WindowInput::Attached { start: 3, end: 4, processing_time, zone: None };
            let kind = NodeKind::WindowAggregate { window, keys, aggregates };
            plan.node(kind, &[table], results, false)
        }
    };
    let takes_back = changelog && form == Form::Table;
    plan.sink(node, if takes_back { ChangelogMode::Retract } else { ChangelogMode::AppendOnly });
    plan.build()
}

/// Rows at most the gap apart, in order of time.
fn clusters(mut rows: Vec<(i64, Option<i64>)>, gap: i64) -> Vec<Vec<(i64, Option<i64>)>> {
    rows.sort_unstable();
    let mut clusters: Vec<Vec<(i64, Option<i64>)>> = Vec::new();
    for row in rows {
        match clusters.last_mut() {
            Some(last) if row.0 - last.last().unwrap().0 <= gap => last.push(row),
            _ => clusters.push(vec![row]),
        }
    }
    clusters
}

fn show(value: Option<i64>) -> String {
    value.map_or("NULL".to_owned(), |v| v.to_string())
}

fn emit(form: Form, key: i64, rows: &[(i64, Option<i64>)], gap: i64, folded: &mut Folded) {
    let (start, end) = (rows[0].0, rows[rows.len() - 1].0 + gap);
    let window = format!("{start} {end} {}", end - 1);
    if form == Form::Table {
        for (t, value) in rows {
            folded.add(format!("{t} {key} {} {window}", show(*value)), 1);
        }
        return;
    }
    let mut known: Vec<i64> = rows.iter().filter_map(|row| row.1).collect();
    let sum = |known: &[i64]| show((!known.is_empty()).then(|| known.iter().sum()));
    let (total, least) = (sum(&known), show(known.iter().min().copied()));
    let greatest = show(known.iter().max().copied());
    known.sort_unstable();
    known.dedup();
    let distinct = format!("{} {}", known.len(), sum(&known));
    folded.add(format!("{key} {} {total} {least} {greatest} {distinct} {window}", rows.len()), 1);
}

/// Each step as a set: rows that no open session reaches and that would be closed on their own are late.
fn naive(form: Form, gap: i64, delay: i64, steps: &[Vec<Row>]) -> (Folded, u64) {
    let mut open: BTreeMap<i64, Vec<(i64, Option<i64>)>> = BTreeMap::new();
    let (mut folded, mut watermark, mut late) = (Folded::default(), i64::MIN, 0);
    let ends = steps.len();
    for (i, step) in steps.iter().chain([&Vec::new()]).enumerate() {
        let before = watermark;
        watermark = step.iter().map(|row| row.0 - delay).fold(watermark, i64::max);
        if i == ends {
            watermark = i64::MAX;
        }
        for &(t, key, value) in step {
            open.entry(key).or_default().push((t, value));
        }
        for (&key, rows) in &mut open {
            for cluster in clusters(std::mem::take(rows), gap) {
                let last = cluster[cluster.len() - 1].0 + gap - 1;
                if last <= before {
                    late += cluster.len() as u64;
                } else if last <= watermark {
                    emit(form, key, &cluster, gap, &mut folded);
                } else {
                    rows.extend(cluster);
                }
            }
        }
    }
    (folded, late)
}

fn rows_of(rows: &[Row]) -> mainstem_core::Batch {
    let columns = vec![
        times(rows.iter().map(|row| row.0)),
        ints(rows.iter().map(|row| Some(row.1))),
        ints(rows.iter().map(|row| row.2)),
    ];
    batch(columns, None)
}

fn check(form: Form, gap: i64, delay: i64, steps: &[Vec<Row>], workers: usize) {
    let time = TimeSource::EventTime { column: 0 };
    let mut driver = Driver::new(&plan(form, gap, delay, time, false), workers);
    for step in steps {
        driver.step(0, vec![step.chunks(3).map(rows_of).collect()], false);
    }
    driver.end();
    let (expect, late) = naive(form, gap, delay, steps);
    assert_eq!(driver.folded[0], expect);
    assert_eq!(driver.flow.late_rows(), late);
    assert_eq!(driver.flow.state_rows(), 0, "all sessions are closed");
}

/// Rows whose time moves on from step to step, with some that are far behind.
fn any_steps() -> impl Strategy<Value = Vec<Vec<Row>>> {
    let row = (-40i64..15, 0i64..3, prop::option::weighted(0.8, -5i64..20));
    prop::collection::vec(prop::collection::vec(row, 0..20), 1..12).prop_map(|steps| {
        let at = |(i, step): (usize, Vec<Row>)| {
            step.into_iter().map(|(t, k, v)| (t + i as i64 * 10, k, v)).collect()
        };
        steps.into_iter().enumerate().map(at).collect()
    })
}

fn any_form() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::Table), Just(Form::Aggregate), Just(Form::AggregateOfTable)]
}

proptest! {
    #[test]
    fn sessions_are_their_rows(
        form in any_form(),
        gap in 1i64..9,
        delay in 0i64..40,
        steps in any_steps(),
        workers in RESTARTED..4,
    ) {
        check(form, gap, delay, &steps, workers);
    }

    /// Without late rows the cuts do not matter.
    #[test]
    fn cuts_do_not_matter(
        form in any_form(),
        gap in 1i64..9,
        rows in prop::collection::vec((0i64..100, 0i64..3, prop::option::of(0i64..9)), 0..60),
        cuts in prop::collection::vec(1usize..9, 1..20),
    ) {
        let mut steps = Vec::new();
        let mut rest = rows.as_slice();
        for &cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (step, others) = rest.split_at(cut.min(rest.len()));
            steps.push(step.to_vec());
            rest = others;
        }
        let (once, _) = naive(form, gap, 1000, &[rows]);
        let (cut, late) = naive(form, gap, 1000, &steps);
        prop_assert_eq!(&once, &cut);
        prop_assert_eq!(late, 0);
        check(form, gap, 1000, &steps, 2);
    }
}

/// A row that is exactly the gap away joins; one that joins two sessions makes them one, and so does a late one.
#[test]
fn sessions_grow_together() {
    let time = TimeSource::EventTime { column: 0 };
    let mut driver = Driver::new(&plan(Form::Aggregate, 5, 1000, time, false), 1);
    let row = |t: i64, v: i64| (t, 7, Some(v));
    driver.step(0, vec![vec![rows_of(&[row(10, 1), row(30, 2), row(20, 4)])]], false);
    assert_eq!(driver.state_rows(), 3);
    driver.step(0, vec![vec![rows_of(&[row(15, 8), row(25, 1)])]], false);
    assert_eq!(driver.state_rows(), 1);
    driver.end();
    assert_eq!(driver.folded[0].0.keys().collect::<Vec<_>>(), ["7 5 16 1 8 4 15 10 35 34"]);
}

/// Sessions over the clock: a timer asks for the step that closes them.
#[test]
fn the_clock_closes_sessions() {
    for form in [Form::Aggregate, Form::AggregateOfTable] {
        let plan = plan(form, 100, 0, TimeSource::ProcessingTime, false);
        let mut driver = Driver::new(&plan, 2);
        let one = |v: i64| vec![vec![rows_of(&[(0, 1, Some(v))])]];
        driver.step(1000, one(3), false);
        driver.step(1050, one(4), false);
        let idle = |now_ms| StepInput { now_ms, sources: vec![SourceInput::default()] };
        let timer = driver.flow.step(idle(1149)).unwrap().next_timer_ms;
        assert!(timer.is_some_and(|at| at > 1149 && at <= 1150), "{timer:?}");
        assert!(driver.folded[0].0.is_empty());
        driver.feed(idle(1150));
        let expect = ["1 2 7 3 4 2 7 1000 1150 1149"];
        assert_eq!(driver.folded[0].0.keys().collect::<Vec<_>>(), expect);
        driver.step(2000, one(5), false);
        driver.end();
        assert!(driver.folded[0].0.contains_key("1 1 5 5 5 1 5 2000 2100 2099"));
    }
}

/// A row that is taken back no longer counts; a session without rows is not emitted.
#[test]
fn rows_are_taken_back() {
    let time = TimeSource::EventTime { column: 0 };
    for form in [Form::Table, Form::Aggregate, Form::AggregateOfTable] {
        let mut driver = Driver::new(&plan(form, 5, 1000, time, true), 2);
        let rows = |ts: &[i64], v: i64, weight: i64| {
            let columns = vec![
                times(ts.to_vec()),
                ints(ts.iter().map(|_| Some(1))),
                ints(ts.iter().map(|_| Some(v))),
            ];
            batch(columns, Some(vec![weight; ts.len()]))
        };
        driver.step(0, vec![vec![rows(&[10, 12], 3, 1), rows(&[50], 9, 1)]], false);
        driver.step(0, vec![vec![rows(&[12], 3, -1), rows(&[50], 9, -1)]], false);
        driver.end();
        let expect = match form {
            Form::Table => "10 1 3 10 17 16",
            Form::Aggregate => "1 1 3 3 3 1 3 10 17 16",
            Form::AggregateOfTable => "1 1 3 3 3 1 3 10 17 16",
        };
        assert_eq!(driver.folded[0].0.iter().collect::<Vec<_>>(), [(&expect.to_owned(), &1)]);
    }
}
