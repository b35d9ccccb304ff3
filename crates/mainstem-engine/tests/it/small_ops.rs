//! The operators that need only a few rows each: Unnest, UpsertNormalize, Limit, Sort, Values, sinks, watermarks.

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, Int64Builder, ListBuilder, MapBuilder};
use arrow_array::{Array, ArrayRef};
use mainstem_core::Batch;
use mainstem_core::egress::ChangelogMode;
use mainstem_engine::dataflow::{Dataflow, SourceInput, StepInput};
use mainstem_engine::plan::NodeKind;

use crate::support::*;

fn rows_of(batches: &[Batch]) -> Vec<String> {
    batches.iter().flat_map(lines).map(|(row, weight)| format!("{weight:+} {row}")).collect()
}

fn pair(rows: &[(i64, i64)], weights: Option<Vec<i64>>) -> Batch {
    let columns = vec![ints(rows.iter().map(|r| Some(r.0))), ints(rows.iter().map(|r| Some(r.1)))];
    batch(columns, weights)
}

/// One operator between a source of two integers and a sink.
fn one(kind: NodeKind, changelog: bool, sink: ChangelogMode) -> Driver {
    one_by(&[], kind, changelog, sink, 1)
}

/// The same on as many workers as asked, which own keys.
fn one_by(
    keys: &[usize],
    kind: NodeKind,
    changelog: bool,
    sink: ChangelogMode,
    workers: usize,
) -> Driver {
    let mut plan = PlanBuilder::default();
    let source = plan.source(vec![INT, INT], changelog);
    let source = plan.exchange(source, keys);
    let node = plan.node(kind, &[source], vec![INT, INT], changelog);
    plan.sink(node, sink);
    Driver::new(&plan.build(), workers)
}

#[test]
fn sinks_see_what_their_mode_allows() {
    let upsert = ChangelogMode::Upsert { key: vec![0] };
    let check = |mode: &ChangelogMode, rows: &[(i64, i64)], weights: &[i64], expect: &[&str]| {
        let mut driver = one(NodeKind::UnionAll, true, mode.clone());
        driver.step(0, vec![vec![pair(rows, Some(weights.to_vec()))]], false);
        assert_eq!(rows_of(&driver.last[0]), expect, "{mode:?} {rows:?} {weights:?}");
    };
    let retract = ChangelogMode::Retract;
    check(&retract, &[(1, 1), (2, 2), (1, 1)], &[1, 1, -1], &["+1 2 2"]);
    check(&retract, &[(1, 1), (1, 2), (3, 3)], &[1, -1, -1], &["-1 1 2", "-1 3 3", "+1 1 1"]);
    check(&retract, &[(1, 1)], &[2], &["+1 1 1", "+1 1 1"]);
    check(&upsert, &[(1, 1), (1, 2)], &[-1, 1], &["+1 1 2"]);
    check(&upsert, &[(1, 2), (1, 1)], &[1, -1], &["+1 1 2"]);
    check(&upsert, &[(1, 1)], &[-1], &["-1 1 1"]);
    check(&upsert, &[(1, 1), (1, 2), (1, 2)], &[-1, 1, -1], &["-1 1 1"]);
    check(&upsert, &[(1, 1), (1, 2), (2, 0)], &[1, 1, 1], &["+1 1 2", "+1 2 0"]);
    check(&ChangelogMode::AppendOnly, &[(1, 1)], &[1], &["+1 1 1"]);
    let mut driver = one(NodeKind::UnionAll, true, ChangelogMode::AppendOnly);
    let source = SourceInput {
        batches: vec![(0, pair(&[(1, 1)], Some(vec![-1])))],
        ..SourceInput::default()
    };
    let error = driver.flow.step(StepInput { now_ms: 0, sources: vec![source] }).unwrap_err();
    assert!(error.to_string().contains("only appends"), "{error}");
}

#[test]
fn upserts_become_changes() {
    for workers in [1, RESTARTED] {
        let kind = NodeKind::UpsertNormalize { key: vec![0] };
        let mut driver = one_by(&[0], kind, true, ChangelogMode::Retract, workers);
        let mut check = |rows: &[(i64, i64)], weights: &[i64], expect: &[&str]| {
            driver.step(0, vec![vec![pair(rows, Some(weights.to_vec()))]], false);
            assert_eq!(rows_of(&driver.last[0]), expect, "{rows:?} {weights:?}");
        };
        check(&[(1, 10), (2, 20)], &[1, 1], &["+1 1 10", "+1 2 20"]);
        check(&[(1, 11), (1, 12)], &[1, 1], &["-1 1 10", "+1 1 12"]);
        check(&[(2, 0)], &[-1], &["-1 2 20"]);
        check(&[(2, 0), (9, 0)], &[-1, -1], &[]);
        check(&[(2, 21), (1, 12)], &[1, 1], &["+1 2 21"]);
    }
}

#[test]
fn upserted_rows_are_rewritten_when_most_are_dead() {
    let mut driver = one(NodeKind::UpsertNormalize { key: vec![0] }, true, ChangelogMode::Retract);
    for round in 0..50 {
        let rows: Vec<(i64, i64)> = (0..1000).map(|key| (key, key + round)).collect();
        driver.step(0, vec![vec![pair(&rows, Some(vec![1; 1000]))]], false);
    }
    assert_eq!(driver.folded[0].0.len(), 1000);
    assert!(driver.folded[0].0.contains_key("7 56"));
    assert_eq!(driver.flow.state_rows(), 1000);
    assert!(driver.flow.state_bytes() < 1 << 20, "{}", driver.flow.state_bytes());
}

#[test]
fn limit_and_sort() {
    let limit = NodeKind::Limit { offset: 1, count: Some(3) };
    let mut driver = one(limit, false, ChangelogMode::AppendOnly);
    driver.step(0, vec![vec![pair(&[(1, 0), (2, 0)], None), pair(&[(3, 0)], None)]], false);
    assert_eq!(rows_of(&driver.last[0]), ["+1 2 0", "+1 3 0"]);
    driver.step(0, vec![vec![pair(&[(4, 0), (5, 0)], None)]], false);
    assert_eq!(rows_of(&driver.last[0]), ["+1 4 0"]);

    let sort = NodeKind::Sort { keys: vec![(1, true, false), (0, false, false)], limit: Some(3) };
    for workers in [1, RESTARTED] {
        let mut driver = one_by(&[], sort.clone(), true, ChangelogMode::AppendOnly, workers);
        let rows = pair(&[(1, 5), (2, 7), (3, 7), (4, 1), (2, 7)], Some(vec![1, 1, 1, 1, 1]));
        driver.step(0, vec![vec![rows]], false);
        driver.step(0, vec![vec![pair(&[(2, 7)], Some(vec![-1]))]], false);
        assert!(driver.folded[0].0.is_empty(), "nothing before the end of input");
        driver.end();
        assert_eq!(rows_of(&driver.last[0]), ["+1 2 7", "+1 3 7", "+1 1 5"]);
    }
}

#[test]
fn unnest_keeps_the_row() {
    let mut builder = ListBuilder::new(Int64Builder::new());
    builder.append_value([Some(7), None]);
    builder.append_null();
    builder.append_value([]);
    builder.append_value([Some(9)]);
    let list: ArrayRef = Arc::new(builder.finish());
    let rows = batch(vec![ints([Some(1), Some(2), Some(3), Some(4)]), Arc::clone(&list)], None);
    let less_than_8 = || Some(where_int(2, |v| v < 8));
    for (outer, condition, expect) in [
        (false, None, vec!["1 7 1", "1 NULL 2", "4 9 1"]),
        (true, None, vec!["1 7 1", "1 NULL 2", "2 NULL NULL", "3 NULL NULL", "4 9 1"]),
        (false, less_than_8(), vec!["1 7 1"]),
        (true, less_than_8(), vec!["1 7 1", "2 NULL NULL", "3 NULL NULL", "4 NULL NULL"]),
    ] {
        let mut plan = PlanBuilder::default();
        let source = plan.source(vec![INT, list.data_type().clone()], false);
        let unnest = NodeKind::Unnest {
            column: 1,
            flatten: true,
            multiset: false,
            with_ordinality: true,
            outer,
            condition: condition.clone(),
        };
        let ordinal = arrow_schema::DataType::Int32;
        let types = vec![INT, list.data_type().clone(), INT, ordinal.clone()];
        let node = plan.node(unnest, &[source], types, false);
        let exprs = vec![column(0), column(2), column(3)];
        let node = plan.node(NodeKind::Project { exprs }, &[node], vec![INT, INT, ordinal], false);
        plan.sink(node, ChangelogMode::AppendOnly);
        let mut driver = Driver::new(&plan.build(), 1);
        driver.step(0, vec![vec![rows.clone()]], false);
        let found: Vec<String> =
            driver.last[0].iter().flat_map(lines).map(|(row, _)| row).collect();
        assert_eq!(found, expect, "outer: {outer}, condition: {}", condition.is_some());
    }
}

#[test]
fn elements_of_a_multiset_come_as_often_as_they_are_in_it() {
    let mut builder = MapBuilder::new(None, Int64Builder::new(), Int32Builder::new());
    for (row, elements) in
        [vec![(7, 2), (8, 1), (9, 0)], vec![], vec![(9, 1)], vec![(9, 0)]].iter().enumerate()
    {
        for &(element, times) in elements {
            builder.keys().append_value(element);
            builder.values().append_value(times);
        }
        builder.append(row != 1).unwrap();
    }
    let multisets: ArrayRef = Arc::new(builder.finish());
    let weights = vec![1, 1, -1, 1];
    let columns = vec![ints([1, 2, 3, 4].map(Some)), Arc::clone(&multisets)];
    let rows = batch(columns, Some(weights));
    for (outer, expect) in [
        (false, vec![("1 7 1", 1), ("1 7 2", 1), ("1 8 3", 1), ("3 9 1", -1)]),
        (
            true,
            vec![
                ("1 7 1", 1),
                ("1 7 2", 1),
                ("1 8 3", 1),
                ("2 NULL NULL", 1),
                ("3 9 1", -1),
                ("4 NULL NULL", 1),
            ],
        ),
    ] {
        let mut plan = PlanBuilder::default();
        let source = plan.source(vec![INT, multisets.data_type().clone()], true);
        let (multiset, with_ordinality) = (true, true);
        let unnest = NodeKind::Unnest {
            column: 1,
            flatten: true,
            multiset,
            with_ordinality,
            outer,
            condition: None,
        };
        let ordinal = arrow_schema::DataType::Int32;
        let types = vec![INT, multisets.data_type().clone(), INT, ordinal.clone()];
        let node = plan.node(unnest, &[source], types, true);
        let exprs = vec![column(0), column(2), column(3)];
        let node = plan.node(NodeKind::Project { exprs }, &[node], vec![INT, INT, ordinal], true);
        plan.sink(node, ChangelogMode::Retract);
        let mut driver = Driver::new(&plan.build(), 1);
        driver.step(0, vec![vec![rows.clone()]], false);
        let mut found: Vec<(String, i64)> = driver.last[0].iter().flat_map(lines).collect();
        found.sort();
        let found: Vec<(&str, i64)> = found.iter().map(|(row, n)| (row.as_str(), *n)).collect();
        assert_eq!(found, expect, "outer: {outer}");
    }
}

#[test]
fn values_come_once_and_a_filter_moves_columns() {
    let mut plan = PlanBuilder::default();
    let rows = pair(&[(1, 2), (3, 4)], None);
    let values = plan.node(NodeKind::Values { batch: rows }, &[], vec![INT, INT], false);
    let predicate = where_int(0, |v| v > 1);
    let filter = plan.node(NodeKind::Filter { predicate }, &[values], vec![INT, INT], false);
    let exprs = vec![column(1)];
    let project = plan.node(NodeKind::Project { exprs }, &[filter], vec![INT], false);
    plan.sink(project, ChangelogMode::AppendOnly);
    for workers in 1..3 {
        let mut driver = Driver::new(plan.plan(), workers);
        driver.end();
        driver.end();
        assert_eq!(driver.folded[0].0.iter().collect::<Vec<_>>(), [(&"4".to_owned(), &1)]);
    }
}

/// What the watermark of a source is that goes on with the clock after 100 ms.
#[test]
fn the_watermark_goes_on_with_the_clock_if_asked() {
    let mut plan = PlanBuilder::default();
    let source = plan.source(vec![TIME], false);
    let node = plan.watermark_with(source, column(0), None);
    plan.sink(node, ChangelogMode::AppendOnly);
    let mut plan = plan.build();
    let NodeKind::Watermark { clock_after_ms, .. } = &mut plan.nodes[node].kind else {
        panic!("a watermark")
    };
    *clock_after_ms = Some(100);
    for workers in 1..4 {
        let mut flow = Dataflow::new(&plan, workers).unwrap();
        let mut check = |now_ms, source: SourceInput, expect: Option<i64>, timer: Option<i64>| {
            let output = flow.step(StepInput { now_ms, sources: vec![source] }).unwrap();
            let found = (output.watermarks, output.next_timer_ms);
            assert_eq!(found, (vec![expect], timer), "at {now_ms} with {workers} workers");
        };
        let row = |split, time| SourceInput {
            batches: vec![(split, batch(vec![times([time])], None))],
            ..SourceInput::default()
        };
        let added = SourceInput { added: vec![0, 1], ..SourceInput::default() };
        check(0, added, None, None);
        check(500, SourceInput::default(), None, None);
        check(1_000, row(0, 50), None, Some(1_100));
        check(1_020, row(1, 30), Some(30), Some(1_120));
        check(1_110, SourceInput::default(), Some(30), Some(1_120));
        check(1_120, SourceInput::default(), Some(150), Some(1_220));
        check(1_220, SourceInput::default(), Some(250), Some(1_320));
        check(1_300, row(0, 90), Some(250), Some(1_400));
        check(1_310, row(1, 400), Some(250), Some(1_410));
        let ended = SourceInput { ended: vec![0], ..SourceInput::default() };
        check(1_320, ended, Some(400), Some(1_410));
        let finished = SourceInput { finished: true, ..SourceInput::default() };
        check(1_330, finished, Some(i64::MAX), None);
    }
}

/// What the watermark of a source with idle timeout 100 is after each event.
#[test]
fn the_watermark_is_the_least_of_the_active_splits() {
    let mut plan = PlanBuilder::default();
    let source = plan.source(vec![TIME], false);
    let node = plan.watermark_with(source, column(0), Some(100));
    plan.sink(node, ChangelogMode::AppendOnly);
    let plan = plan.build();
    for workers in 1..4 {
        let mut flow = Dataflow::new(&plan, workers).unwrap();
        let mut check = |now_ms, source: SourceInput, expect: Option<i64>| {
            let output = flow.step(StepInput { now_ms, sources: vec![source] }).unwrap();
            assert_eq!(output.watermarks, [expect], "at {now_ms} with {workers} workers");
            output.next_timer_ms
        };
        let row = |split, time| SourceInput {
            batches: vec![(split, batch(vec![times([time])], None))],
            ..SourceInput::default()
        };
        let added = SourceInput { added: vec![0, 1], ..SourceInput::default() };
        assert_eq!(check(0, added, None), Some(100), "when the splits become idle");
        check(10, row(0, 50), None);
        check(20, row(1, 30), Some(30));
        check(30, row(1, 80), Some(50));
        check(40, row(1, 10), Some(50));
        check(110, SourceInput::default(), Some(80));
        check(120, row(0, 60), Some(80));
        check(130, row(0, 200), Some(80));
        let ended = SourceInput { ended: vec![1], ..SourceInput::default() };
        check(140, ended, Some(200));
        check(150, SourceInput { finished: true, ..SourceInput::default() }, Some(i64::MAX));
    }
}
