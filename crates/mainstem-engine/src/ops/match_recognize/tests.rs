//! The operator against a matcher that tries every way to read every row, with steps cut at random.
//! Which of several readings of the same rows is told is not looked at here: the scenarios have Flink's word on that.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{ArrayRef, BooleanArray, Int64Array, TimestampMillisecondArray};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use mainstem_core::{DataType, TypeKind};
use mainstem_state::table::{Owner, TableRows};
use proptest::prelude::*;

use super::*;
use crate::aggregate::builtin;
use crate::expr::{EvalContext, Expr, ExprRef, Value};
use crate::match_recognize::{AfterMatch, MatchExpr, MatchVariable, Quantifier, Slot};
use crate::operator::{Arrivals, Operator, OperatorMetrics};

const KEY: usize = 0;
const TIME: usize = 1;
const FLAGS: usize = 2;
const VALUE: usize = 3;
const ID: usize = 4;

/// What a variable asks of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Anything,
    /// Its bit in the flags.
    Bit,
    /// A value that is not below that of the row before it in the variable.
    NotFalling,
    /// The values of the variable add up to less than six.
    SmallSum,
    /// A value that is not that of the first row of the match.
    UnlikeFirst,
}

#[derive(Debug, Clone)]
struct Row {
    key: i64,
    time: i64,
    flags: i64,
    value: i64,
    id: i64,
}

#[derive(Debug)]
struct Condition(Ask, usize);

impl Expr for Condition {
    fn eval(&self, batch: &Batch, _cx: &EvalContext) -> Result<Value> {
        let slot = |at: usize| batch.column(at).as_primitive::<Int64Type>();
        let holds: BooleanArray = match self.0 {
            Ask::Anything => slot(0).iter().map(|_| Some(true)).collect(),
            Ask::Bit => slot(0).iter().map(|v| v.map(|v| v >> self.1 & 1 == 1)).collect(),
            Ask::SmallSum => slot(0).iter().map(|v| v.map(|v| v < 6)).collect(),
            Ask::NotFalling => {
                let pairs = slot(0).iter().zip(slot(1).iter());
                pairs.map(|(v, before)| Some(before.is_none_or(|b| v >= Some(b)))).collect()
            }
            Ask::UnlikeFirst => {
                slot(0).iter().zip(slot(1).iter()).map(|(v, first)| Some(v != first)).collect()
            }
        };
        Ok(Value::Array(Arc::new(holds)))
    }
}

#[derive(Debug)]
struct Only;

impl Expr for Only {
    fn eval(&self, batch: &Batch, _cx: &EvalContext) -> Result<Value> {
        Ok(Value::Array(ArrayRef::clone(batch.column(0))))
    }
}

fn condition(ask: Ask, variable: usize) -> Option<MatchExpr> {
    let row = |variable, first, offset| Slot::Row { variable, first, offset, column: VALUE };
    let slots = match ask {
        Ask::Anything => return None,
        Ask::Bit => vec![Slot::Current(FLAGS)],
        Ask::NotFalling => vec![Slot::Current(VALUE), row(Some(variable), false, 1)],
        Ask::UnlikeFirst => vec![Slot::Current(VALUE), row(None, true, 0)],
        Ask::SmallSum => {
            let types: [DataType; 1] = [TypeKind::BigInt.nullable()];
            let (function, _) = builtin("SUM", &types).expect("SUM of BIGINT");
            vec![Slot::Aggregate { variable: Some(variable), function, args: vec![VALUE] }]
        }
    };
    let expr: ExprRef = Arc::new(Condition(ask, variable));
    Some(MatchExpr { slots, expr })
}

#[derive(Debug, Clone)]
struct Pattern {
    variables: Vec<(Quantifier, Ask)>,
    past_last: bool,
    within: Option<i64>,
}

impl Pattern {
    fn spec(&self) -> Arc<MatchSpec> {
        let id = |first| MatchExpr {
            slots: vec![Slot::Row { variable: None, first, offset: 0, column: ID }],
            expr: Arc::new(Only),
        };
        let variables = self.variables.iter().enumerate();
        Arc::new(MatchSpec {
            keys: vec![KEY],
            time: TimeSource::EventTime { column: TIME },
            order: Vec::new(),
            variables: variables
                .map(|(at, &(quantifier, ask))| MatchVariable {
                    name: format!("V{at}"),
                    quantifier,
                    condition: condition(ask, at),
                })
                .collect(),
            skip: if self.past_last { AfterMatch::PastLastRow } else { AfterMatch::NextRow },
            within_ms: self.within,
            measures: vec![id(true), id(false)],
        })
    }
}

/// One way to read the rows of a match so far: for each variable that has any, its rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reading {
    rows: Vec<(usize, Vec<usize>)>,
}

/// All matches of one key's rows, as first and last row.
struct Naive<'a> {
    pattern: &'a Pattern,
    rows: &'a [Row],
    start: usize,
}

impl Naive<'_> {
    fn holds(&self, reading: &Reading, variable: usize, at: usize) -> bool {
        let (row, none) = (&self.rows[at], Vec::new());
        let own = reading.rows.iter().find(|(v, _)| *v == variable).map_or(&none, |(_, r)| r);
        match self.pattern.variables[variable].1 {
            Ask::Anything => true,
            Ask::Bit => row.flags >> variable & 1 == 1,
            Ask::NotFalling => own.last().is_none_or(|&b| row.value >= self.rows[b].value),
            Ask::UnlikeFirst => row.value != self.rows[self.start].value,
            Ask::SmallSum => own.iter().map(|&r| self.rows[r].value).sum::<i64>() + row.value < 6,
        }
    }

    /// What `reading` becomes when row `at` comes; true for those that are matches.
    fn next(&self, reading: &Reading, at: usize) -> Vec<(Reading, bool)> {
        let variables = &self.pattern.variables;
        let last = reading.rows.last().map(|(v, rows)| (*v, rows.len() as u32));
        let refused = |from: usize, to: usize| {
            (from..to).any(|g| variables[g].0.keeps_rows() && self.holds(reading, g, at))
        };
        let mut found = Vec::new();
        for to in 0..variables.len() {
            let taken = match last {
                Some((v, _)) if to < v => continue,
                Some((v, taken)) if to == v => taken,
                _ => 0,
            };
            let from = last.map_or(0, |(v, _)| v);
            if taken == 0 {
                let left_out = last.map_or(0, |(v, _)| v + 1);
                let enough = last.is_none_or(|(v, taken)| taken >= variables[v].0.min);
                let optional = (left_out..to).all(|v| variables[v].0.min == 0);
                if !enough || !optional || refused(from, to) {
                    continue;
                }
            }
            let (quantifier, _) = variables[to];
            if quantifier.max.is_some_and(|max| taken >= max) || !self.holds(reading, to, at) {
                continue;
            }
            let mut next = reading.clone();
            if taken == 0 {
                next.rows.push((to, Vec::new()));
            }
            next.rows.last_mut().expect("pushed").1.push(at);
            let last = variables.len() - 1;
            let ends = taken + 1 >= quantifier.min
                && (to + 1..=last).all(|v| variables[v].0.min == 0)
                && !refused(to, last);
            found.push((next.clone(), ends));
        }
        found
    }
}

/// The runs that start with one row.
#[derive(Default)]
struct Runs {
    /// That may still become matches.
    readings: BTreeSet<Reading>,
    /// Last rows of those that are matches.
    ends: Vec<usize>,
}

/// The matches of one key's rows, as first and last row. While a match waits for a run before it, its start may make
/// further ones; which of them is told then is not said here: the one that is in `told`.
fn naive(pattern: &Pattern, rows: &[Row], told: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    let mut starts: BTreeMap<usize, Runs> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        give_up(pattern, rows, row.time, &mut starts);
        tell(pattern, rows, told, &mut starts, &mut found);
        let none = BTreeSet::from([Reading { rows: Vec::new() }]);
        starts.insert(at, Runs { readings: none, ends: Vec::new() });
        for (&start, runs) in &mut starts {
            let naive = Naive { pattern, rows, start };
            let before = std::mem::take(&mut runs.readings);
            for (reading, ends) in before.iter().flat_map(|r| naive.next(r, at)) {
                if ends {
                    runs.ends.push(at);
                }
                let (last, taken) = reading.rows.last().expect("took the row");
                let max = pattern.variables[*last].0.max;
                let is_full = max.is_some_and(|max| taken.len() as u32 >= max);
                if !is_full || last + 1 < pattern.variables.len() {
                    runs.readings.insert(reading);
                }
            }
        }
        tell(pattern, rows, told, &mut starts, &mut found);
    }
    give_up(pattern, rows, i64::MAX, &mut starts);
    tell(pattern, rows, told, &mut starts, &mut found);
    found
}

fn give_up(pattern: &Pattern, rows: &[Row], time: i64, starts: &mut BTreeMap<usize, Runs>) {
    let Some(within) = pattern.within else { return };
    for (&start, runs) in starts {
        if time.saturating_sub(rows[start].time) >= within {
            runs.readings.clear();
        }
    }
}

fn tell(
    pattern: &Pattern,
    rows: &[Row],
    told: &[(i64, i64)],
    starts: &mut BTreeMap<usize, Runs>,
    found: &mut Vec<(i64, i64)>,
) {
    starts.retain(|_, runs| !runs.readings.is_empty() || !runs.ends.is_empty());
    while let Some((&start, runs)) = starts.first_key_value()
        && !runs.ends.is_empty()
    {
        let is_told = |end: &&usize| told.contains(&(rows[start].id, rows[**end].id));
        let end = *runs.ends.iter().find(is_told).unwrap_or(&runs.ends[0]);
        found.push((rows[start].id, rows[end].id));
        let next = if pattern.past_last { end + 1 } else { start + 1 };
        starts.retain(|start, _| *start >= next);
    }
}

fn batch(rows: &[Row]) -> Batch {
    let ints = |f: fn(&Row) -> i64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(f(row))).collect::<Int64Array>())
    };
    let times = TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| row.time));
    let columns = vec![
        ints(|row| row.key),
        Arc::new(times),
        ints(|row| row.flags),
        ints(|row| row.value),
        ints(|row| row.id),
    ];
    Batch::new(columns, rows.len())
}

/// As many new operators as asked that go on from what these know, each with its keys.
fn restarted(spec: &Arc<MatchSpec>, old: &[MatchRecognize], count: i64) -> Vec<MatchRecognize> {
    let saved: Vec<Vec<TableRows>> =
        old.iter().map(|operator| operator.save().expect("saved").expect("tables")).collect();
    let load = |index: i64| {
        let mut operator = new_operator(spec);
        for table in 0..saved[0].len() {
            for TableRows { shape, batches } in saved.iter().map(|tables| &tables[table]) {
                let Owner::Columns(columns) = &shape.owner else { panic!("a table for all") };
                for batch in batches {
                    let keys = batch.column(columns[0]).as_primitive::<Int64Type>();
                    let own = keys.iter().map(|key| key.map(|key| key % count == index));
                    let rows = batch.filter(&own.collect()).expect("a mask");
                    operator.load(&shape.name, &rows).expect("loaded");
                }
            }
        }
        operator
    };
    (0..count).map(load).collect()
}

fn new_operator(spec: &Arc<MatchSpec>) -> MatchRecognize {
    let int = ArrowType::Int64;
    let types = [int.clone(), STAMP, int.clone(), int.clone(), int];
    MatchRecognize::new(spec, &types).expect("a good plan")
}

/// What was told, which rows were not late, how many were.
type Played = (Vec<(i64, i64)>, Vec<Row>, u64);

/// The matches of rows that come in `steps`, each with the watermark `delay` behind the greatest time so far. If asked,
/// other operators go on after each step, another number of them each time.
fn play(pattern: &Pattern, steps: &[Vec<Row>], delay: i64, restarts: bool) -> Played {
    let spec = pattern.spec();
    let mut operators = vec![new_operator(&spec)];
    let (mut told, mut taken, mut late) = (Vec::new(), Vec::new(), 0);
    let mut watermark = None;
    let last = steps.len();
    for step in 0..=last {
        let rows = steps.get(step).map_or(&[][..], |rows| rows);
        let before = watermark;
        let greatest = rows.iter().map(|row| row.time - delay).max();
        watermark = if step == last { Some(i64::MAX) } else { watermark.max(greatest) };
        let in_time = |row: &&Row| before.is_none_or(|before| row.time > before);
        taken.extend(rows.iter().filter(in_time).cloned());
        let count = operators.len() as i64;
        for (index, operator) in (0..).zip(&mut operators) {
            let mut cx = StepContext {
                now_ms: 0,
                watermark_before: before,
                watermark,
                end_of_input: step == last,
                metrics: OperatorMetrics::default(),
            };
            let own: Vec<Row> =
                rows.iter().filter(|row| row.key % count == index).cloned().collect();
            let batches = own.chunks(3).map(batch).collect();
            let arrivals = Arrivals { batches, ended: step == last, ..Arrivals::default() };
            for batch in operator.step(vec![arrivals], &mut cx).expect("no error") {
                let column = |at: usize| batch.column(at).as_primitive::<Int64Type>();
                told.extend((0..batch.rows()).map(|r| (column(1).value(r), column(2).value(r))));
            }
            late += cx.metrics.late_rows;
        }
        if restarts {
            operators = restarted(&spec, &operators, count % 3 + 1);
        }
    }
    if pattern.within.is_some() {
        let rows: usize = operators.iter().map(Operator::state_rows).sum();
        assert_eq!(rows, 0, "all runs are over");
    }
    told.sort_unstable();
    (told, taken, late)
}

/// The matches of rows that come in `steps`, each with the watermark `delay` behind the greatest time so far.
fn check(pattern: &Pattern, steps: &[Vec<Row>], delay: i64) {
    let (told, taken, late) = play(pattern, steps, delay, false);
    assert_eq!(late as usize, steps.iter().map(Vec::len).sum::<usize>() - taken.len());
    let again = play(pattern, steps, delay, true);
    assert_eq!((&again.0, again.2), (&told, late), "with restarts");
    let mut expect = Vec::new();
    for key in 0..4 {
        let mut own: Vec<Row> = taken.iter().filter(|row| row.key == key).cloned().collect();
        own.sort_by_key(|row| row.time);
        expect.extend(naive(pattern, &own, &told));
    }
    expect.sort_unstable();
    assert_eq!(told, expect);
}

fn any_quantifier() -> impl Strategy<Value = Quantifier> {
    let bounds = prop_oneof![
        4 => Just((1, Some(1))),
        2 => Just((0, None)),
        2 => Just((1, None)),
        1 => Just((2, None)),
        2 => Just((0, Some(1))),
        1 => Just((2, Some(2))),
        1 => Just((1, Some(3))),
        1 => Just((0, Some(2))),
    ];
    (bounds, any::<bool>()).prop_map(|((min, max), greedy)| Quantifier { min, max, greedy })
}

fn any_pattern() -> impl Strategy<Value = Pattern> {
    let ask = prop_oneof![
        1 => Just(Ask::Anything),
        5 => Just(Ask::Bit),
        2 => Just(Ask::NotFalling),
        1 => Just(Ask::UnlikeFirst),
        1 => Just(Ask::SmallSum),
    ];
    let variables = prop::collection::vec((any_quantifier(), ask), 1..5);
    (variables, any::<bool>(), prop::option::of(1i64..30)).prop_map(
        |(mut variables, past_last, within)| {
            let last = variables.last_mut().expect("at least one");
            last.0.greedy = false;
            if variables.iter().all(|v| v.0.min == 0) {
                variables[0].0 = Quantifier::ONE;
            }
            Pattern { variables, past_last, within }
        },
    )
}

fn any_steps() -> impl Strategy<Value = Vec<Vec<Row>>> {
    let row = (0i64..2, -6i64..8, 0i64..16, 0i64..4);
    let step = prop::collection::vec(row, 0..14);
    prop::collection::vec(step, 1..8).prop_map(|steps| {
        let mut id = 0;
        let mut made = Vec::new();
        for (at, step) in steps.into_iter().enumerate() {
            made.push(Vec::new());
            for (key, time, flags, value) in step {
                id += 1;
                let time = time + at as i64 * 6;
                made[at].push(Row { key, time, flags, value, id });
            }
        }
        made
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]
    #[test]
    fn matches_are_those_of_every_reading(
        pattern in any_pattern(),
        steps in any_steps(),
        delay in 0i64..10,
    ) {
        check(&pattern, &steps, delay);
    }
}

#[test]
fn long_runs_and_many_keys_take_several_passes() {
    let mut rng = mainstem_core::clock::Rng::new(7);
    let greedy = Quantifier { min: 1, max: None, greedy: true };
    for past_last in [true, false] {
        let variables = vec![
            (Quantifier::ONE, Ask::Bit),
            (greedy, Ask::Bit),
            (Quantifier::ONE, Ask::NotFalling),
        ];
        let pattern = Pattern { variables, past_last, within: Some(150) };
        let mut row = |id: i64| Row {
            key: rng.below(4) as i64 / 3,
            time: id,
            // Long stretches in which the second variable takes every row.
            flags: if id % 100 < 90 { 3 } else { rng.below(4) as i64 },
            value: rng.below(4) as i64,
            id,
        };
        let rows: Vec<Row> = (0..900).map(&mut row).collect();
        check(&pattern, std::slice::from_ref(&rows), 0);
        let cut: Vec<Vec<Row>> = rows.chunks(300).map(<[Row]>::to_vec).collect();
        check(&pattern, &cut, 40);
    }
}

#[test]
fn among_equals_the_queue_has_the_order_of_java() {
    let entry = |start, node| queue::Entry { start, node };
    let mut queue = queue::Queue::default();
    for (node, start) in [5, 3, 3, 9, 3, 5, 1].into_iter().enumerate() {
        queue.push(entry(start, node as u32));
    }
    // What java.util.PriorityQueue gives for the same calls.
    let order: Vec<u32> = std::iter::from_fn(|| queue.poll()).map(|e| e.node).collect();
    assert_eq!(order, [6, 2, 4, 1, 5, 0, 3]);
}

fn operator(spec: MatchSpec) -> MatchRecognize {
    new_operator(&Arc::new(spec))
}

fn step(
    operator: &mut MatchRecognize,
    rows: &[Row],
    now_ms: i64,
    watermarks: (Option<i64>, Option<i64>),
) -> Result<Vec<(i64, i64, i64)>> {
    let mut cx = StepContext {
        now_ms,
        watermark_before: watermarks.0,
        watermark: watermarks.1,
        end_of_input: false,
        metrics: OperatorMetrics::default(),
    };
    let batches = rows.chunks(2).map(batch).collect();
    let arrivals = Arrivals { batches, ..Arrivals::default() };
    let out = operator.step(vec![arrivals], &mut cx)?;
    let mut found = Vec::new();
    for batch in &out {
        let id = |at: usize, row: usize| batch.column(at).as_primitive::<Int64Type>().value(row);
        let times = batch.column(3).as_primitive::<TimestampMillisecondType>();
        found.extend((0..batch.rows()).map(|r| (id(1, r), id(2, r), times.value(r))));
    }
    Ok(found)
}

fn row(time: i64, flags: i64, id: i64) -> Row {
    Row { key: 0, time, flags, value: 0, id }
}

/// `V0 V1* V2` of bits, with a time behind the measures.
fn timed(time: TimeSource, slot: Slot, skip: AfterMatch) -> MatchSpec {
    let any = Quantifier { min: 0, max: None, greedy: true };
    let variables = vec![(Quantifier::ONE, Ask::Bit), (any, Ask::Bit), (Quantifier::ONE, Ask::Bit)];
    let pattern = Pattern { variables, past_last: false, within: Some(100) };
    let mut spec = pattern.spec().as_ref().clone();
    spec.time = time;
    spec.skip = skip;
    spec.measures.push(MatchExpr { slots: vec![slot], expr: Arc::new(Only) });
    spec
}

const STAMP: ArrowType = ArrowType::Timestamp(TimeUnit::Millisecond, None);

#[test]
fn a_match_that_waited_has_the_time_at_which_it_was_set_free() {
    let time = TimeSource::EventTime { column: TIME };
    let mut spec = timed(time, Slot::RowTime(STAMP), AfterMatch::NextRow);
    spec.variables[1].condition = condition(Ask::UnlikeFirst, 1);
    // For the run from row 1, row 3 is one more row of the second variable; for the one from row 2 it is the last.
    let valued = |time, flags, value, id| Row { key: 0, time, flags, value, id };
    let rows = [valued(0, 1, 0, 1), valued(10, 1, 1, 2), valued(40, 4, 1, 3)];
    for all_at_once in [false, true] {
        let mut operator = operator(spec.clone());
        if all_at_once {
            let told = step(&mut operator, &rows, 0, (None, Some(500))).unwrap();
            assert_eq!(told, [(2, 3, 100)]);
        } else {
            assert_eq!(step(&mut operator, &rows, 0, (None, Some(40))).unwrap(), []);
            assert_eq!(operator.state_rows(), 3);
            assert_eq!(step(&mut operator, &[], 0, (Some(40), Some(99))).unwrap(), []);
            let told = step(&mut operator, &[], 0, (Some(99), Some(300))).unwrap();
            assert_eq!(told, [(2, 3, 100)]);
        }
        assert_eq!(operator.state_rows(), 0);
    }
}

#[test]
fn processing_time_goes_by_the_clock() {
    let slot = Slot::ProcessingTime(STAMP);
    let spec = Arc::new(timed(TimeSource::ProcessingTime, slot, AfterMatch::PastLastRow));
    for restarts in [false, true] {
        let mut operators = vec![new_operator(&spec)];
        let mut check = |now_ms, rows: &[Row], told: &[(i64, i64, i64)], timer| {
            let found = step(&mut operators[0], rows, now_ms, (None, None)).expect("no error");
            assert_eq!(found, told, "at {now_ms}");
            if restarts {
                operators = restarted(&spec, &operators, 1);
            }
            assert_eq!(operators[0].next_timer_ms(), timer, "at {now_ms}");
            operators[0].state_rows()
        };
        // The column with times is not looked at.
        assert_eq!(check(1_000, &[row(9, 1, 1)], &[], Some(1_100)), 1);
        assert_eq!(check(1_050, &[row(3, 2, 2)], &[], Some(1_100)), 2);
        // A timer that nobody needs any more runs out by itself, but is not made again.
        let unneeded = (!restarts).then_some(1_100);
        assert_eq!(check(1_099, &[row(1, 4, 3)], &[(1, 3, 1_099)], unneeded), 0);
        assert_eq!(check(2_000, &[row(1, 1, 4)], &[], Some(2_100)), 1);
        assert_eq!(check(2_100, &[], &[], None), 0);
    }
}

#[test]
fn skipping_to_a_variable_without_a_row_is_an_error() {
    let event_time = TimeSource::EventTime { column: TIME };
    let spec = |skip| timed(event_time, Slot::RowTime(STAMP), skip);
    let rows = [row(0, 1, 1), row(10, 4, 2)];
    for (skip, message) in [
        (AfterMatch::ToLast(1), "AFTER MATCH SKIP TO V1: a match was found in which V1 has no row"),
        (
            AfterMatch::ToFirst(0),
            "AFTER MATCH SKIP TO V0 would search again at the first row of the match, for ever",
        ),
    ] {
        let error = step(&mut operator(spec(skip)), &rows, 0, (None, Some(20))).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let told = step(&mut operator(spec(AfterMatch::ToLast(2))), &rows, 0, (None, Some(20)));
    assert_eq!(told.unwrap(), [(1, 2, 10)]);
}
