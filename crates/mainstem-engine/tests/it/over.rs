//! OVER against naive recomputation: in the order of time with late rows, and over rows that come and go.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use mainstem_core::DataType;
use mainstem_core::egress::ChangelogMode;
use mainstem_engine::aggregate::{AggregateCall, builtin};
use mainstem_engine::over::{Frame, OverCall, OverFunction};
use mainstem_engine::plan::{NodeKind, Plan, TimeSource};
use proptest::prelude::*;

use crate::support::*;

/// Columns: key, time, value, double, text, id.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    key: Option<i64>,
    time: i64,
    value: Option<i64>,
    id: i64,
}

const KEY: usize = 0;
const TIME_COLUMN: usize = 1;
const VALUE: usize = 2;
const DOUBLE: usize = 3;
const TEXT: usize = 4;
const ID: usize = 5;

fn types() -> Vec<arrow_schema::DataType> {
    use arrow_schema::DataType::{Float64, Utf8};
    vec![INT, TIME, INT, Float64, Utf8, INT]
}

fn text_of(row: &Row) -> String {
    format!("t{:03}", row.id)
}

/// Sums of such numbers depend on the order of addition.
fn double_of(row: &Row) -> f64 {
    row.id as f64 * 1e15 + row.value.unwrap_or(7) as f64 * 0.1
}

fn to_batch(rows: &[(Row, i64)], weighted: bool) -> mainstem_core::Batch {
    let texts_of: Vec<String> = rows.iter().map(|(r, _)| text_of(r)).collect();
    let refs: Vec<&str> = texts_of.iter().map(String::as_str).collect();
    let numbers: Vec<f64> = rows.iter().map(|(r, _)| double_of(r)).collect();
    batch(
        vec![
            ints(rows.iter().map(|(r, _)| r.key)),
            times(rows.iter().map(|(r, _)| r.time)),
            ints(rows.iter().map(|(r, _)| r.value)),
            doubles(&numbers),
            texts(&refs),
            ints(rows.iter().map(|(r, _)| Some(r.id))),
        ],
        weighted.then(|| rows.iter().map(|(_, w)| *w).collect()),
    )
}

fn show(number: Option<i64>) -> String {
    number.map_or("NULL".to_owned(), |n| n.to_string())
}

fn show_row(row: &Row) -> String {
    let Row { key, time, value, id } = *row;
    let (key, value) = (show(key), show(value));
    format!("{key} {time} {value} {} {} {id}", double_of(row), text_of(row))
}

/// A call, in a form that the model computes too.
#[derive(Debug, Clone, Copy)]
enum Model {
    Count,
    Sum,
    SumDouble,
    Min,
    Texts,
    Edge { last: bool, ignore_nulls: bool },
    Shift { by: i64, with_default: bool },
    RowNumber,
    Rank,
    DenseRank,
    Ntile(i64),
    PercentRank,
    CumeDist,
}

fn over_call(model: Model, frame: Frame) -> OverCall {
    let aggregate = |name: &str, column: Option<(usize, DataType)>| {
        let args = column.iter().map(|c| c.0).collect();
        let input: Vec<DataType> = column.into_iter().map(|c| c.1).collect();
        let (function, output) = builtin(name, &input).unwrap();
        let call = AggregateCall { function, args, filter: None, distinct: false };
        (OverFunction::Aggregate { call, frame }, output.to_arrow())
    };
    use mainstem_core::TypeKind;
    let (function, output) = match model {
        Model::Count => aggregate("COUNT", None),
        Model::Sum => aggregate("SUM", Some((VALUE, TypeKind::BigInt.nullable()))),
        Model::SumDouble => aggregate("SUM", Some((DOUBLE, TypeKind::Double.nullable()))),
        Model::Min => aggregate("MIN", Some((VALUE, TypeKind::BigInt.nullable()))),
        Model::Texts => aggregate("LISTAGG", Some((TEXT, DataType::string()))),
        Model::Edge { last, ignore_nulls } => {
            let function =
                OverFunction::Edge { column: VALUE, last, ignore_nulls, filter: None, frame };
            (function, INT)
        }
        Model::Shift { by, with_default } => {
            let default = with_default.then_some(ID);
            (OverFunction::Shift { column: VALUE, rows: by, default }, INT)
        }
        Model::RowNumber => (OverFunction::RowNumber, INT),
        Model::Rank => (OverFunction::Rank, INT),
        Model::DenseRank => (OverFunction::DenseRank, INT),
        Model::Ntile(parts) => (OverFunction::Ntile(parts), INT),
        Model::PercentRank => (OverFunction::PercentRank, arrow_schema::DataType::Float64),
        Model::CumeDist => (OverFunction::CumeDist, arrow_schema::DataType::Float64),
    };
    OverCall { function, output }
}

/// The rows of a partition in order, and what the order compares.
struct Partition<'a> {
    rows: &'a [Row],
    compare: &'a dyn Fn(&Row, &Row) -> Ordering,
    /// The order column as a number that grows with the order.
    number: &'a dyn Fn(&Row) -> Option<i64>,
}

impl Partition<'_> {
    fn frame(&self, frame: Frame, at: usize) -> &[Row] {
        let row = &self.rows[at];
        let inside = |other: usize| {
            let o = &self.rows[other];
            let by_order = (self.compare)(o, row);
            let from = match (frame.rows, frame.start) {
                (_, None) => true,
                (true, Some(s)) => other as i64 >= at as i64 + s,
                (false, Some(0)) => by_order.is_ge(),
                (false, Some(s)) => match ((self.number)(row), (self.number)(o)) {
                    (None, _) => by_order.is_ge(),
                    (Some(_), None) => by_order.is_gt(),
                    (Some(own), Some(other)) => other >= own + s,
                },
            };
            let to = match (frame.rows, frame.end) {
                (_, None) => true,
                (true, Some(e)) => other as i64 <= at as i64 + e,
                (false, Some(0)) => by_order.is_le(),
                (false, Some(e)) => match ((self.number)(row), (self.number)(o)) {
                    (None, _) => by_order.is_le(),
                    (Some(_), None) => by_order.is_lt(),
                    (Some(own), Some(other)) => other <= own + e,
                },
            };
            from && to
        };
        let first = (0..self.rows.len()).find(|&o| inside(o)).unwrap_or(0);
        let count = (0..self.rows.len()).filter(|&o| inside(o)).count();
        &self.rows[first..first + count]
    }

    fn compute(&self, model: Model, frame: Frame, at: usize) -> String {
        let count = self.rows.len();
        let before = self.rows.iter().filter(|o| (self.compare)(o, &self.rows[at]).is_lt()).count();
        let upto = self.rows.iter().filter(|o| (self.compare)(o, &self.rows[at]).is_le()).count();
        let frame = self.frame(frame, at);
        let values = || frame.iter().filter_map(|r| r.value);
        match model {
            Model::Count => frame.len().to_string(),
            Model::Sum => show(values().reduce(|a, b| a + b)),
            Model::SumDouble => {
                let sum = frame.iter().map(double_of).reduce(|a, b| a + b);
                sum.map_or("NULL".to_owned(), |s| s.to_string())
            }
            Model::Min => show(values().min()),
            Model::Texts if frame.is_empty() => "NULL".to_owned(),
            Model::Texts => frame.iter().map(text_of).collect::<Vec<_>>().join(","),
            Model::Edge { last: false, ignore_nulls: true } => show(values().next()),
            Model::Edge { last: true, ignore_nulls: true } => show(values().next_back()),
            Model::Edge { last: false, .. } => show(frame.first().and_then(|r| r.value)),
            Model::Edge { last: true, .. } => show(frame.last().and_then(|r| r.value)),
            Model::Shift { by, with_default } => {
                let place = at as i64 + by;
                match usize::try_from(place).ok().filter(|p| *p < count) {
                    Some(place) => show(self.rows[place].value),
                    None => show(with_default.then_some(self.rows[at].id)),
                }
            }
            Model::RowNumber => (at + 1).to_string(),
            Model::Rank => (before + 1).to_string(),
            Model::DenseRank => {
                let differs = |i: &usize| {
                    *i == 0 || (self.compare)(&self.rows[i - 1], &self.rows[*i]).is_ne()
                };
                (0..=at).filter(differs).count().to_string()
            }
            Model::Ntile(parts) => {
                let parts = parts as usize;
                let sizes = (0..parts).map(|p| count / parts + usize::from(p < count % parts));
                let mut end = 0;
                let ends: Vec<usize> = sizes
                    .map(|size| {
                        end += size;
                        end
                    })
                    .collect();
                (ends.iter().position(|end| at < *end).unwrap() + 1).to_string()
            }
            Model::PercentRank => (before as f64 / (count.max(2) - 1) as f64).to_string(),
            Model::CumeDist => (upto as f64 / count as f64).to_string(),
        }
    }

    fn fold(&self, calls: &[(Model, Frame)], folded: &mut Folded) {
        for (at, row) in self.rows.iter().enumerate() {
            let results: Vec<String> =
                calls.iter().map(|&(model, frame)| self.compute(model, frame, at)).collect();
            folded.add(format!("{} {}", show_row(row), results.join(" ")), 1);
        }
    }
}

fn plan(
    order: &[(usize, bool, bool)],
    time: Option<TimeSource>,
    calls: &[(Model, Frame)],
    delay: i64,
    changelog: bool,
) -> Plan {
    let mut plan = PlanBuilder::default();
    let mut node = plan.source(types(), changelog);
    if time.is_some() {
        node = plan.watermark(node, TIME_COLUMN, delay);
    }
    let node = plan.exchange(node, &[KEY]);
    let calls: Vec<OverCall> = calls.iter().map(|&(m, f)| over_call(m, f)).collect();
    let mut output = types();
    output.extend(calls.iter().map(|c| c.output.clone()));
    let (partition, order) = (vec![KEY], order.to_vec());
    let kind = NodeKind::Over { partition, order, time, calls };
    let node = plan.node(kind, &[node], output, time.is_none());
    let mode = if time.is_some() { ChangelogMode::AppendOnly } else { ChangelogMode::Retract };
    plan.sink(node, mode);
    plan.build()
}

fn any_row() -> impl Strategy<Value = Row> {
    let value = prop::option::weighted(0.8, 0i64..6);
    (prop::option::weighted(0.9, 0i64..3), 0i64..30, value, 0i64..4)
        .prop_map(|(key, time, value, id)| Row { key, time, value, id })
}

/// Calls that look back, and their frames.
fn any_looking_back(bounded: bool) -> impl Strategy<Value = Vec<(Model, Frame)>> {
    let start = prop::option::weighted(0.7, -4i64..=0);
    let frame = (any::<bool>(), start).prop_map(move |(rows, start)| Frame {
        rows,
        start: if bounded { Some(start.unwrap_or(-6)) } else { start },
        end: Some(0),
    });
    let framed = prop_oneof![
        Just(Model::Count),
        Just(Model::Sum),
        Just(Model::Min),
        Just(Model::Texts),
        (any::<bool>(), any::<bool>())
            .prop_map(|(last, ignore_nulls)| Model::Edge { last, ignore_nulls }),
    ];
    let placed = prop_oneof![
        (-3i64..=0, any::<bool>()).prop_map(|(by, with_default)| Model::Shift { by, with_default }),
        Just(Model::RowNumber),
        Just(Model::Rank),
        Just(Model::DenseRank),
    ];
    let any_model = if bounded { framed.boxed() } else { prop_oneof![framed, placed].boxed() };
    prop::collection::vec((any_model, frame), 1..5)
}

/// What comes out when every row waits for its time: rows by partition, in the order in which they came out. A
/// partition starts anew when RANGE has let go of it.
fn on_time(
    steps: &[Vec<Row>],
    delay: i64,
    by_partition: bool,
    reach: Option<i64>,
) -> (Vec<Vec<Row>>, u64) {
    let (mut done, mut late) = (Vec::new(), 0);
    let mut waiting: Vec<Row> = Vec::new();
    let mut live: BTreeMap<Option<i64>, Vec<Row>> = BTreeMap::new();
    let mut watermark = i64::MIN;
    let last_of = |rows: Option<&Vec<Row>>| rows.and_then(|r| r.last()).map(|r| r.time);
    for step in steps {
        for row in step {
            let limit = if by_partition { last_of(live.get(&row.key)) } else { Some(watermark) };
            if limit.is_some_and(|limit| row.time <= limit) {
                late += 1;
            } else {
                waiting.push(*row);
            }
        }
        let greatest = step.iter().map(|r| r.time - delay).max().unwrap_or(i64::MIN);
        let has_moved = greatest > watermark;
        watermark = watermark.max(greatest);
        waiting.sort_by_key(|r| r.time);
        // A row behind the watermark that is not late by its partition waits until it moves.
        let due = if has_moved { waiting.partition_point(|r| r.time <= watermark) } else { 0 };
        for row in waiting.drain(..due) {
            live.entry(row.key).or_default().push(row);
        }
        if let Some(reach) = reach {
            let over = |rows: &Vec<Row>| rows.last().is_some_and(|r| r.time + reach < watermark);
            let keys: Vec<_> = live.iter().filter(|(_, r)| over(r)).map(|(k, _)| *k).collect();
            done.extend(keys.iter().map(|key| live.remove(key).unwrap()));
        }
    }
    for row in waiting {
        live.entry(row.key).or_default().push(row);
    }
    done.extend(live.into_values());
    (done, late)
}

fn check_in_time(
    calls: &[(Model, Frame)],
    steps: &[Vec<Row>],
    delay: i64,
    workers: usize,
    with_ties: bool,
) {
    let mut order = vec![(TIME_COLUMN, false, true)];
    if with_ties {
        order.push((ID, true, false));
    }
    let time = TimeSource::EventTime { column: TIME_COLUMN };
    let mut driver = Driver::new(&plan(&order, Some(time), calls, delay, false), workers);
    for step in steps {
        let rows: Vec<(Row, i64)> = step.iter().map(|r| (*r, 1)).collect();
        let batches = rows.chunks(3).map(|rows| to_batch(rows, false)).collect();
        driver.step(0, vec![batches], false);
    }
    driver.end();
    let framed = |m: &Model| {
        matches!(m, Model::Count | Model::Sum | Model::Min | Model::Texts | Model::Edge { .. })
    };
    let by_partition = calls.iter().all(|(m, f)| framed(m) && f.start.is_some());
    let ranges = by_partition && calls.iter().all(|(_, f)| !f.rows);
    let reach = calls.iter().map(|(_, f)| -f.start.unwrap_or(0)).max().filter(|_| ranges);
    let (partitions, late) = on_time(steps, delay, by_partition, reach);
    let mut expect = Folded::default();
    for mut rows in partitions {
        let compare = |a: &Row, b: &Row| {
            let ids = if with_ties { b.id.cmp(&a.id) } else { Ordering::Equal };
            a.time.cmp(&b.time).then(ids)
        };
        rows.sort_by(compare);
        let number = |r: &Row| Some(r.time);
        Partition { rows: &rows, compare: &compare, number: &number }.fold(calls, &mut expect);
    }
    assert_eq!(driver.folded[0], expect);
    assert_eq!(driver.late_rows(), late);
}

/// Steps with times that move on, some of them out of order and late.
fn any_steps() -> impl Strategy<Value = Vec<Vec<Row>>> {
    prop::collection::vec(prop::collection::vec(any_row(), 0..12), 1..10).prop_map(|mut steps| {
        for (at, step) in steps.iter_mut().enumerate() {
            step.iter_mut().for_each(|row| row.time += at as i64 * 8);
        }
        steps
    })
}

proptest! {
    #[test]
    fn rows_come_out_once_in_the_order_of_time(
        calls in any_looking_back(false),
        steps in any_steps(),
        delay in 0i64..20,
        workers in RESTARTED..4,
        with_ties: bool,
    ) {
        // RANGE with a distance goes by the only order column.
        let distances = calls.iter().any(|(_, f)| !f.rows && f.start.is_some());
        check_in_time(&calls, &steps, delay, workers, with_ties && !distances);
    }

    #[test]
    fn bounded_frames_slide_and_are_let_go(
        calls in any_looking_back(true),
        range: bool,
        steps in any_steps(),
        delay in 0i64..20,
        workers in RESTARTED..4,
    ) {
        let mut calls = calls;
        if range {
            calls.iter_mut().for_each(|(_, frame)| frame.rows = false);
        }
        check_in_time(&calls, &steps, delay, workers, false);
    }
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let end = || prop::option::weighted(0.7, -3i64..=3);
    (any::<bool>(), end(), end()).prop_map(|(rows, a, b)| match (a, b) {
        (Some(a), Some(b)) => Frame { rows, start: Some(a.min(b)), end: Some(a.max(b)) },
        (start, end) => Frame { rows, start, end },
    })
}

fn any_call() -> impl Strategy<Value = (Model, Frame)> {
    let model = prop_oneof![
        Just(Model::Count),
        Just(Model::Sum),
        Just(Model::SumDouble),
        Just(Model::Min),
        Just(Model::Texts),
        (any::<bool>(), any::<bool>())
            .prop_map(|(last, ignore_nulls)| Model::Edge { last, ignore_nulls }),
        (-3i64..=3, any::<bool>()).prop_map(|(by, with_default)| Model::Shift { by, with_default }),
        Just(Model::RowNumber),
        Just(Model::Rank),
        Just(Model::DenseRank),
        (1i64..5).prop_map(Model::Ntile),
        Just(Model::PercentRank),
        Just(Model::CumeDist),
    ];
    (model, any_frame())
}

/// Compares by order columns as the plan says.
fn compare_by(order: &[(usize, bool, bool)]) -> impl Fn(&Row, &Row) -> Ordering + '_ {
    let value = |column: usize, r: &Row| match column {
        VALUE => r.value,
        TIME_COLUMN => Some(r.time),
        // Texts are in the order of ids.
        _ => Some(r.id),
    };
    let one =
        move |&(column, descending, nulls_first): &(usize, bool, bool), a: &Row, b: &Row| match (
            value(column, a),
            value(column, b),
        ) {
            (None, None) => Ordering::Equal,
            (None, _) if nulls_first => Ordering::Less,
            (None, _) => Ordering::Greater,
            (_, None) if nulls_first => Ordering::Greater,
            (_, None) => Ordering::Less,
            (Some(a), Some(b)) if descending => b.cmp(&a),
            (Some(a), Some(b)) => a.cmp(&b),
        };
    move |a, b| order.iter().fold(Ordering::Equal, |o, key| o.then_with(|| one(key, a, b)))
}

/// What OVER makes of rows, given in the order in which they came.
fn recomputed(held: &[Row], order: &[(usize, bool, bool)], calls: &[(Model, Frame)]) -> Folded {
    let mut expect = Folded::default();
    let mut partitions: BTreeMap<Option<i64>, Vec<Row>> = BTreeMap::new();
    held.iter().for_each(|r| partitions.entry(r.key).or_default().push(*r));
    let compare = compare_by(order);
    let number = |r: &Row| {
        let (column, descending, _) = order[0];
        let value = if column == VALUE { r.value } else { Some(r.time) };
        value.map(|v| if descending { -v } else { v })
    };
    for rows in partitions.values_mut() {
        rows.sort_by(&compare);
        Partition { rows, compare: &compare, number: &number }.fold(calls, &mut expect);
    }
    expect
}

/// True for calls whose results depend on which of the rows that are equal in the order comes first.
fn sees_order_of_equals((model, frame): &(Model, Frame)) -> bool {
    match model {
        Model::Count | Model::Sum | Model::Min => frame.rows,
        Model::Rank | Model::DenseRank | Model::PercentRank | Model::CumeDist => false,
        _ => true,
    }
}

proptest! {
    #[test]
    fn equal_rows_of_a_changelog_have_one_order(
        calls in prop::collection::vec(any_call(), 1..4),
        column in prop::sample::select(vec![VALUE, TIME_COLUMN]),
        changes in prop::collection::vec((any_row(), 0u8..4), 1..60),
        step in 1usize..20,
        workers in prop::sample::select(vec![2, 3, RESTARTED]),
    ) {
        // Every fourth row goes again.
        let goes = changes.iter().filter(|(_, chance)| *chance == 0).map(|(row, _)| (*row, -1));
        let all: Vec<(Row, i64)> = changes.iter().map(|(row, _)| (*row, 1)).chain(goes).collect();
        let plan = plan(&[(column, false, true)], None, &calls, 0, true);
        let mut whole = Driver::new(&plan, 1);
        whole.step(0, vec![vec![to_batch(&all, true)]], false);
        let mut cut = Driver::new(&plan, workers);
        let mut mixed = all.clone();
        mixed.sort_by_key(|(row, weight)| (-weight, row.id, row.time));
        for rows in mixed.chunks(step) {
            cut.step(0, vec![vec![to_batch(rows, true)]], false);
        }
        prop_assert_eq!(&whole.folded[0], &cut.folded[0]);
    }

    #[test]
    fn changes_are_recomputation(
        calls in prop::collection::vec(any_call(), 1..4),
        columns in prop::sample::select(vec![
            vec![VALUE],
            vec![TIME_COLUMN],
            vec![TEXT],
            vec![VALUE, TEXT],
            vec![VALUE, ID, TIME_COLUMN],
            vec![],
        ]),
        descending: bool,
        nulls_first: bool,
        changelog: bool,
        // A row and whether it comes; otherwise the row of a random number goes.
        steps in prop::collection::vec(
            prop::collection::vec((any_row(), prop::bool::weighted(0.6), any::<u8>()), 0..10),
            1..10,
        ),
        workers in RESTARTED..4,
    ) {
        let (mut calls, mut columns) = (calls, columns);
        if changelog && calls.iter().any(sees_order_of_equals) {
            // Which of equal rows is first is not for the model to know.
            columns.extend([VALUE, ID, TIME_COLUMN]);
        }
        if !matches!(columns.as_slice(), [VALUE | TIME_COLUMN]) {
            // Distances go by one number.
            for frame in calls.iter_mut().map(|call| &mut call.1).filter(|frame| !frame.rows) {
                (frame.start, frame.end) = (frame.start.map(|_| 0), frame.end.map(|_| 0));
            }
        }
        let order: Vec<_> = columns.iter().map(|&c| (c, descending, nulls_first)).collect();
        let mut driver = Driver::new(&plan(&order, None, &calls, 0, changelog), workers);
        // In the order in which they came; of equal rows the oldest goes.
        let mut held: Vec<Row> = Vec::new();
        for step in steps {
            let mut changes = Vec::new();
            for (row, comes, pick) in step {
                if comes || !changelog || held.is_empty() {
                    held.push(row);
                    changes.push((row, 1));
                } else {
                    let row = held[usize::from(pick) % held.len()];
                    let oldest = held.iter().position(|r| *r == row).unwrap();
                    held.remove(oldest);
                    changes.push((row, -1));
                }
            }
            let batches = changes.chunks(3).map(|rows| to_batch(rows, changelog)).collect();
            driver.step(0, vec![batches], false);
            let expect = recomputed(&held, &order, &calls);
            prop_assert_eq!(&driver.folded[0], &expect, "after every step");
            prop_assert_eq!(driver.state_rows(), held.len());
        }
    }
}

#[test]
fn a_row_that_is_taken_back_before_it_comes_leaves_nothing() {
    let calls = [(Model::Sum, Frame::DEFAULT), (Model::RowNumber, Frame::DEFAULT)];
    let plan = plan(&[(VALUE, false, true)], None, &calls, 0, true);
    for workers in [1, RESTARTED] {
        let mut driver = Driver::new(&plan, workers);
        let row = Row { key: Some(1), time: 5, value: Some(2), id: 0 };
        driver.step(0, vec![vec![to_batch(&[(row, -1)], true)]], false);
        assert_eq!(driver.folded[0], Folded::default());
        driver.step(0, vec![vec![to_batch(&[(row, 1)], true)]], false);
        assert_eq!(driver.folded[0], Folded::default());
        driver.step(0, vec![vec![to_batch(&[(row, 1)], true)]], false);
        assert_eq!(driver.folded[0].0.len(), 1);
        assert_eq!(driver.state_rows(), 1);
    }
}

/// The last row goes: the rows that saw it from afar are computed again, and the sum of all rows stays that of all rows.
#[test]
fn a_last_row_goes_that_others_see_from_afar() {
    let afar = Frame { rows: false, start: Some(3), end: Some(3) };
    let to_the_end = Frame { rows: false, start: Some(3), end: None };
    let row = |value| Row { key: Some(1), time: 0, value: Some(value), id: 0 };
    for frame in [afar, to_the_end] {
        let calls = [(Model::Count, frame), (Model::Count, Frame::DEFAULT)];
        let order = [(VALUE, false, true)];
        for workers in [1, RESTARTED] {
            let mut driver = Driver::new(&plan(&order, None, &calls, 0, true), workers);
            let rows = [1, 2, 4, 5].map(|value| (row(value), 1));
            driver.step(0, vec![vec![to_batch(&rows, true)]], false);
            driver.step(0, vec![vec![to_batch(&[(row(5), -1)], true)]], false);
            driver.step(0, vec![vec![to_batch(&[(row(9), 1)], true)]], false);
            let held = [1, 2, 4, 9].map(row);
            assert_eq!(driver.folded[0], recomputed(&held, &order, &calls));
        }
    }
}

#[test]
fn range_lets_go_of_quiet_partitions() {
    let range = Frame { rows: false, start: Some(-10), end: Some(0) };
    let time = TimeSource::EventTime { column: TIME_COLUMN };
    let order = [(TIME_COLUMN, false, true)];
    let plan = plan(&order, Some(time), &[(Model::Sum, range)], 0, false);
    for workers in [1, RESTARTED] {
        let mut driver = Driver::new(&plan, workers);
        let row = |key, time| (Row { key: Some(key), time, value: Some(1), id: 0 }, 1);
        driver.step(0, vec![vec![to_batch(&[row(1, 0), row(2, 5), row(1, 9)], false)]], false);
        assert_eq!(driver.state_rows(), 3 + 2, "three rows of two partitions");
        driver.step(0, vec![vec![to_batch(&[row(2, 16)], false)]], false);
        assert_eq!(driver.state_rows(), 3 + 2, "the second partition let one row go");
        driver.step(0, vec![vec![to_batch(&[row(3, 100)], false)]], false);
        assert_eq!(driver.state_rows(), 1 + 1, "nothing reaches the first two any more");
    }
}

/// Many rows: memory is given back and numbers are used again.
fn many_rows(count: i64) -> impl Iterator<Item = Row> {
    let mut state = 7u64;
    (0..count).map(move |at| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = (state >> 33) as i64;
        let value = (random % 11 != 0).then_some(random % 50);
        Row { key: Some(random % 150), time: at / 3 * 10 + random % 40, value, id: random % 1000 }
    })
}

#[test]
fn frames_slide_over_many_rows() {
    let rows = Frame { rows: true, start: Some(-5), end: Some(0) };
    let range = Frame { rows: false, start: Some(-9_000), end: Some(0) };
    let edge = |last| Model::Edge { last, ignore_nulls: true };
    let calls = [
        (Model::Sum, rows),
        (Model::Min, range),
        (edge(false), range),
        (edge(true), rows),
        (Model::Shift { by: -2, with_default: true }, rows),
        (Model::Count, Frame::DEFAULT),
    ];
    let all: Vec<Row> = many_rows(8_000).collect();
    let steps: Vec<Vec<Row>> = all.chunks(700).map(<[Row]>::to_vec).collect();
    for workers in [2, RESTARTED] {
        check_in_time(&calls, &steps, 100, workers, false);
    }
}

#[test]
fn many_changes_are_recomputation() {
    let rows = Frame { rows: true, start: Some(-3), end: Some(1) };
    let calls = [
        (Model::Sum, Frame::DEFAULT),
        (Model::Min, rows),
        (Model::Rank, rows),
        (Model::Edge { last: true, ignore_nulls: true }, Frame::DEFAULT),
    ];
    for (columns, workers) in [
        (vec![VALUE, TIME_COLUMN, ID], 2),
        (vec![TEXT, TIME_COLUMN, VALUE], 2),
        (vec![TEXT, TIME_COLUMN, VALUE], RESTARTED),
    ] {
        let order: Vec<_> = columns.iter().map(|&c| (c, false, true)).collect();
        let plan = plan(&order, None, &calls, 0, true);
        let mut driver = Driver::new(&plan, workers);
        let mut held: Vec<Row> = Vec::new();
        let all: Vec<Row> = many_rows(8_000).collect();
        for (at, step) in all.chunks(400).enumerate() {
            let mut changes: Vec<(Row, i64)> = step.iter().map(|r| (*r, 1)).collect();
            held.extend(step);
            // Most rows go again, so that what they left is used for others.
            let gone = held.len() * 4 / 5;
            if at % 6 == 5 {
                changes.extend(held.drain(..gone).map(|r| (r, -1)));
            }
            driver.step(0, vec![vec![to_batch(&changes, true)]], false);
        }
        assert_eq!(driver.folded[0], recomputed(&held, &order, &calls));
        assert_eq!(driver.state_rows(), held.len());
        let gone: Vec<(Row, i64)> = held.drain(..).map(|r| (r, -1)).collect();
        driver.step(0, vec![vec![to_batch(&gone, true)]], false);
        assert_eq!(driver.folded[0], Folded::default());
        assert_eq!(driver.state_rows(), 0);
    }
}
