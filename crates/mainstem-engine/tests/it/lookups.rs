//! Lookup joins with tables outside: answers in every order, caches, bounds, threads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use mainstem_core::clock::Rng;
use mainstem_core::egress::{ChangelogMode, Encoded};
use mainstem_core::ingest::Payload;
use mainstem_core::{Batch, TypeKind};
use mainstem_engine::dataflow::{Dataflow, SourceInput, StepInput, StepOutput};
use mainstem_engine::executor::{Executor, LookupSlot, Running};
use mainstem_engine::lookup::{
    Answer, CacheSpec, LookupPort, QUESTION_KEYS_MAX, QUESTIONS_MAX, Question,
};
use mainstem_engine::plan::{JoinKind, NodeKind, Plan, TimeSource, WindowInput};
use mainstem_engine::port::{InputPort, Outgoing, OutputPort};
use mainstem_engine::window::{WindowKind, WindowSpec};

use crate::executor::{block_on, job};
use crate::support::*;
use crate::windows::call;

/// Key and value; a key may have several rows.
type Table = Vec<(i64, i64)>;

const CACHE: CacheSpec = CacheSpec {
    rows_max: None,
    expire_after_write_ms: None,
    expire_after_access_ms: None,
    missing_keys: true,
};

fn lookup(kind: JoinKind, cache: Option<CacheSpec>) -> NodeKind {
    NodeKind::RemoteLookup {
        lookup: 0,
        kind,
        left_keys: vec![0],
        filter: None,
        columns: vec![column(1)],
        residual: None,
        cache,
    }
}

/// Rows (key, number) from a source to a sink, with what the table has for the key.
fn plan(kind: NodeKind) -> Plan {
    let mut plan = PlanBuilder::default();
    let source = plan.source(vec![INT, INT], false);
    let exchange = plan.exchange(source, &[0]);
    let node = plan.node(kind, &[exchange], vec![INT; 3], false);
    plan.sink(node, ChangelogMode::AppendOnly);
    plan.build()
}

fn keys(question: &Question) -> Vec<i64> {
    assert_eq!(question.keys.column(0).null_count(), 0);
    question.keys.column(0).as_primitive::<Int64Type>().values().to_vec()
}

/// The rows of the table for a question, last first: their order does not matter.
fn answer(question: &Question, table: &Table) -> Answer {
    let asked = keys(question);
    let mut found: Vec<(u32, i64, i64)> = Vec::new();
    for (place, key) in (0..).zip(&asked) {
        found.extend(table.iter().filter(|row| row.0 == *key).map(|row| (place, row.0, row.1)));
    }
    found.sort_by_key(|row| std::cmp::Reverse(row.0));
    let columns =
        vec![ints(found.iter().map(|r| Some(r.1))), ints(found.iter().map(|r| Some(r.2)))];
    let keys = found.iter().map(|row| row.0).collect();
    Answer { ticket: question.ticket, keys, rows: Batch::new(columns, found.len()) }
}

/// A dataflow of one source, its open questions and the lines that came out.
struct Asking {
    flow: Dataflow,
    open: Vec<Question>,
    out: Vec<String>,
}

impl Asking {
    fn new(plan: &Plan, workers: usize) -> Self {
        Self { flow: Dataflow::new(plan, workers).unwrap(), open: Vec::new(), out: Vec::new() }
    }

    fn step(&mut self, now_ms: i64, columns: Option<Vec<arrow_array::ArrayRef>>, finished: bool) {
        let batches = columns.into_iter().map(|columns| (0, batch(columns, None))).collect();
        let source = SourceInput { batches, finished, ..SourceInput::default() };
        let output = self.flow.step(StepInput { now_ms, sources: vec![source] }).unwrap();
        let StepOutput { sinks, questions, .. } = output;
        self.open.extend(questions.into_iter().flatten());
        self.out.extend(sinks[0].iter().flat_map(lines).map(|(line, weight)| {
            assert_eq!(weight, 1);
            line
        }));
    }

    /// Goes on with as many workers as asked, who know what was saved. Answers that no step has taken are lost.
    fn restart(&mut self, workers: usize) {
        self.flow = self.flow.restarted(workers).unwrap();
        self.open.clear();
    }

    /// Rows with these keys, numbered from `first`.
    fn rows(&mut self, now_ms: i64, first: i64, keys: &[Option<i64>]) {
        let numbers = ints((first..first + keys.len() as i64).map(Some));
        self.step(now_ms, Some(vec![ints(keys.iter().copied()), numbers]), false);
    }

    /// Answers the open question `at`.
    fn answer(&mut self, at: usize, table: &Table) -> Vec<i64> {
        let question = self.open.remove(at);
        self.flow.answer(0, answer(&question, table));
        keys(&question)
    }

    /// The keys of all open questions, which are then answered.
    fn answer_all(&mut self, table: &Table) -> Vec<i64> {
        let mut asked = Vec::new();
        while !self.open.is_empty() {
            asked.extend(self.answer(0, table));
        }
        asked.sort_unstable();
        asked
    }
}

const STEPS: [&[Option<i64>]; 4] =
    [&[Some(1), Some(2), Some(1), None], &[Some(2), Some(3)], &[Some(9), Some(1)], &[Some(4)]];

fn table() -> Table {
    vec![(1, 10), (2, 20), (3, 30), (4, 40), (4, 41), (4, 7)]
}

/// The lines of each step, by going through rows and table.
fn expected(kind: JoinKind, wanted: fn(i64) -> bool) -> Vec<Vec<String>> {
    let mut number = 0;
    let mut line = |key: &Option<i64>| {
        number += 1;
        let name = key.map_or("NULL".to_owned(), |key| key.to_string());
        let found = table().into_iter().filter(|row| Some(row.0) == *key && wanted(row.1));
        let mut found: Vec<String> =
            found.map(|row| format!("{name} {} {}", number - 1, row.1)).collect();
        if found.is_empty() && kind == JoinKind::Left {
            found.push(format!("{name} {} NULL", number - 1));
        }
        found
    };
    STEPS.iter().map(|step| step.iter().flat_map(&mut line).collect()).collect()
}

fn orders(left: Vec<usize>) -> Vec<Vec<usize>> {
    if left.is_empty() {
        return vec![Vec::new()];
    }
    let with = |first: usize| {
        let rest = left.iter().copied().filter(|&other| other != first).collect();
        orders(rest).into_iter().map(move |rest| [vec![first], rest].concat()).collect::<Vec<_>>()
    };
    left.iter().flat_map(|&first| with(first)).collect()
}

#[test]
fn rows_come_out_in_order_whatever_the_order_of_the_answers() {
    let not_seven: fn(i64) -> bool = |value| value != 7;
    let conditions: [(bool, bool, fn(i64) -> bool); 3] =
        [(false, false, |_| true), (true, false, not_seven), (false, true, not_seven)];
    for kind in [JoinKind::Inner, JoinKind::Left] {
        for (filtered, residual, wanted) in conditions {
            let NodeKind::RemoteLookup { lookup, left_keys, columns, cache, .. } =
                lookup(kind, None)
            else {
                unreachable!()
            };
            let plan = plan(NodeKind::RemoteLookup {
                lookup,
                kind,
                left_keys,
                filter: filtered.then(|| where_int(1, not_seven)),
                columns,
                residual: residual.then(|| where_int(2, not_seven)),
                cache,
            });
            let expected = expected(kind, wanted);
            let orders = orders((0..STEPS.len()).collect());
            for (restarts, order) in orders.iter().flat_map(|order| [(false, order), (true, order)])
            {
                let mut asking = Asking::new(&plan, 1);
                let mut number = 0;
                for step in STEPS {
                    asking.rows(0, number, step);
                    number += step.len() as i64;
                }
                assert_eq!(asking.open.len(), STEPS.len(), "each step asks anew");
                let mut open: Vec<usize> = (0..STEPS.len()).collect();
                for question in order {
                    if restarts {
                        asking.restart(1);
                        asking.step(0, None, false);
                        assert_eq!(asking.open.len(), open.len(), "what is open is asked again");
                    }
                    let at = open.iter().position(|o| o == question).unwrap();
                    open.remove(at);
                    asking.answer(at, &table());
                    asking.step(0, None, open.is_empty());
                    let known = open.iter().min().copied().unwrap_or(STEPS.len());
                    assert_eq!(asking.out, expected[..known].concat(), "{kind:?}");
                }
                assert_eq!(asking.flow.waiting_rows(), 0);
                assert_eq!(asking.flow.state_rows(), 0);
            }
        }
    }
}

#[test]
fn a_cache_asks_for_what_it_does_not_hold() {
    let table: Table = vec![(1, 10), (2, 20), (3, 30), (3, 31), (3, 32), (4, 40)];
    let (some, more) = (Some(100), CacheSpec { rows_max: Some(4), ..CACHE });
    // What comes at which time, and which keys are asked for.
    type Steps = &'static [(i64, &'static [i64], &'static [i64])];
    let cases: [(CacheSpec, Steps); 5] = [
        (CACHE, &[(0, &[1, 9, 1], &[1, 9]), (1, &[1, 9, 2], &[2]), (1 << 40, &[1, 2, 9], &[])]),
        (CacheSpec { missing_keys: false, ..CACHE }, &[(0, &[1, 9], &[1, 9]), (1, &[1, 9], &[9])]),
        (
            CacheSpec { expire_after_write_ms: some, ..CACHE },
            &[(0, &[1], &[1]), (99, &[1, 2], &[2]), (100, &[1, 2], &[1]), (199, &[1, 2], &[2])],
        ),
        (
            CacheSpec { expire_after_access_ms: some, ..CACHE },
            &[(0, &[1, 2], &[1, 2]), (99, &[1], &[]), (198, &[1, 2], &[2]), (297, &[1, 2], &[])],
        ),
        // Four rows: the one used longest ago goes first, a key without rows counts as one.
        (
            more,
            &[
                (0, &[1, 2, 9, 4], &[1, 2, 4, 9]),
                (1, &[1, 2, 9, 4], &[]),
                (2, &[3], &[3]),
                (3, &[4, 3], &[]),
                (4, &[1, 2], &[1, 2]),
                (5, &[4, 1, 2], &[4]),
            ],
        ),
    ];
    for (cache, steps) in cases {
        let mut asking = Asking::new(&plan(lookup(JoinKind::Left, Some(cache))), 1);
        let mut expect = Vec::new();
        for &(now_ms, keys, asked) in steps {
            let keys: Vec<Option<i64>> = keys.iter().copied().map(Some).collect();
            asking.rows(now_ms, 0, &keys);
            assert_eq!(asking.answer_all(&table), asked, "{cache:?} at {now_ms}");
            asking.step(now_ms, None, false);
            for (number, key) in keys.iter().flatten().enumerate() {
                let found: Vec<_> = table.iter().filter(|row| row.0 == *key).collect();
                expect.extend(found.iter().map(|row| format!("{key} {number} {}", row.1)));
                if found.is_empty() {
                    expect.push(format!("{key} {number} NULL"));
                }
            }
            let most = cache.rows_max.unwrap_or(usize::MAX);
            assert!(asking.flow.state_rows() <= most, "{}", asking.flow.state_rows());
        }
        assert_eq!(asking.out, expect, "{cache:?}");
    }
}

#[test]
fn with_a_cache_rows_wait_for_the_question_that_is_on_its_way() {
    let mut asking = Asking::new(&plan(lookup(JoinKind::Inner, Some(CACHE))), 1);
    asking.rows(0, 0, &[Some(1)]);
    asking.rows(0, 1, &[Some(1), Some(2)]);
    assert_eq!(asking.open.len(), 2);
    // What was not asked for comes later than what was.
    assert_eq!(asking.answer(1, &table()), [2]);
    asking.step(0, None, false);
    assert!(asking.out.is_empty());
    assert_eq!(asking.answer(0, &table()), [1]);
    asking.step(0, None, false);
    assert_eq!(asking.out, ["1 0 10", "1 1 10", "2 2 20"]);
}

#[test]
fn a_full_cache_with_many_keys_stays_right() {
    let table: Table = (0..500).flat_map(|key| (0..key % 4).map(move |n| (key, n))).collect();
    let mut rows: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    table.iter().for_each(|row| rows.entry(row.0).or_default().push(row.1));
    let bounded = CacheSpec {
        rows_max: Some(300),
        expire_after_write_ms: Some(40),
        expire_after_access_ms: Some(15),
        missing_keys: false,
    };
    let caches = [None, Some(bounded), Some(CACHE)];
    for (cache, restarts) in caches.iter().flat_map(|&cache| [(cache, false), (cache, true)]) {
        let mut rng = Rng::new(7);
        let mut asking = Asking::new(&plan(lookup(JoinKind::Left, cache)), 1);
        let mut expect = Vec::new();
        for now_ms in 0..300 {
            let count = rng.below(60);
            let keys: Vec<Option<i64>> = (0..count)
                .map(|_| Some((rng.below(500) as i64).min(rng.below(500) as i64)))
                .collect();
            for (number, key) in keys.iter().flatten().enumerate() {
                match rows.get(key) {
                    Some(found) => {
                        expect.extend(found.iter().map(|n| format!("{key} {number} {n}")));
                    }
                    None => expect.push(format!("{key} {number} NULL")),
                }
            }
            if restarts && rng.below(7) == 0 {
                asking.restart(1);
            }
            asking.rows(now_ms, 0, &keys);
            while asking.open.len() > 3 {
                let at = rng.below(asking.open.len() as u64) as usize;
                asking.answer(at, &table);
            }
            let waiting = asking.flow.waiting_rows();
            let most = cache.map_or(0, |cache| cache.rows_max.unwrap_or(usize::MAX));
            // Keys that are asked for are no more than the rows that wait for them.
            assert!(asking.flow.state_rows() <= most.saturating_add(2 * waiting));
        }
        while asking.flow.waiting_rows() > 0 {
            asking.answer_all(&table);
            asking.step(300, None, true);
        }
        assert_eq!(asking.out, expect, "{cache:?}");
    }
}

/// Rows (key, number) that come and go, looked up in a table that changes all the time.
#[test]
fn a_row_takes_back_what_it_found() {
    let (inner, left) = (JoinKind::Inner, JoinKind::Left);
    for (kind, workers, restarts) in
        [(inner, 1, false), (left, 1, false), (left, 3, false), (inner, 2, true), (left, 2, true)]
    {
        let mut builder = PlanBuilder::default();
        let source = builder.source(vec![INT, INT], true);
        let exchange = builder.exchange(source, &[0]);
        let node = builder.node(lookup(kind, Some(CACHE)), &[exchange], vec![INT; 3], true);
        builder.sink(node, ChangelogMode::Retract);
        let plan = builder.build();
        let mut rng = Rng::new(workers as u64);
        let mut flow = Dataflow::new(&plan, workers).unwrap();
        let (mut open, mut out) = (Vec::new(), Folded::default());
        let mut live: Vec<(Option<i64>, i64)> = Vec::new();
        let mut put =
            |flow: &mut Dataflow, rows: Vec<((Option<i64>, i64), i64)>, open: &mut Vec<_>| {
                let keys = ints(rows.iter().map(|row| row.0.0));
                let numbers = ints(rows.iter().map(|row| Some(row.0.1)));
                let weights = rows.iter().map(|row| row.1).collect();
                let batches = vec![(0, batch(vec![keys, numbers], Some(weights)))];
                let source = SourceInput { batches, ..SourceInput::default() };
                let output = flow.step(StepInput { now_ms: 0, sources: vec![source] }).unwrap();
                open.extend(output.questions.into_iter().flatten());
                out.add_batches(&output.sinks[0]);
                out.clone()
            };
        // As time goes by a key has other values, and sometimes none.
        let table = |now: i64| -> Table {
            (0..20).flat_map(|key| (0..(key + now) % 3).map(move |n| (key, now * 10 + n))).collect()
        };
        for now in 0..200 {
            let mut rows = Vec::new();
            for _ in 0..rng.below(6) {
                if !live.is_empty() && rng.below(2) == 0 {
                    let gone = live.swap_remove(rng.below(live.len() as u64) as usize);
                    rows.push((gone, -1));
                } else {
                    let key = Some(rng.below(21) as i64).filter(|&key| key < 20);
                    let row = (key, rng.below(3) as i64);
                    live.push(row);
                    rows.push((row, 1));
                }
            }
            if restarts && rng.below(5) == 0 {
                flow = flow.restarted(1 + rng.below(3) as usize).unwrap();
                open.clear();
            }
            put(&mut flow, rows, &mut open);
            while rng.below(3) > 0 && !open.is_empty() {
                let question: Question = open.swap_remove(rng.below(open.len() as u64) as usize);
                flow.answer(0, answer(&question, &table(now)));
            }
        }
        let everything = live.drain(..).map(|row| (row, -1)).collect();
        let mut left = put(&mut flow, everything, &mut open);
        while flow.waiting_rows() > 0 || !open.is_empty() {
            open.drain(..).for_each(|q: Question| flow.answer(0, answer(&q, &table(200))));
            left = put(&mut flow, Vec::new(), &mut open);
        }
        assert_eq!(left, Folded::default(), "{kind:?}: all that came has gone");
        assert_eq!(flow.state_rows(), 0);
    }
}

#[test]
fn questions_are_bounded() {
    let mut asking = Asking::new(&plan(lookup(JoinKind::Inner, None)), 1);
    let all: Vec<Option<i64>> = (0..20_000).map(Some).collect();
    asking.rows(0, 0, &all);
    let table: Table = (0..20_000).map(|key| (key, key)).collect();
    let mut answered = 0;
    while !asking.open.is_empty() {
        assert!(asking.open.len() <= QUESTIONS_MAX);
        let asked = asking.answer(0, &table);
        assert!(asked.len() <= QUESTION_KEYS_MAX);
        answered += asked.len();
        asking.step(0, None, false);
    }
    assert_eq!((answered, asking.out.len()), (20_000, 20_000));
}

/// Rows (time, key) with a watermark, looked up, then counted by windows of 10 ms.
fn counted() -> Plan {
    let mut plan = PlanBuilder::default();
    let source = plan.source(vec![TIME, INT], false);
    let watermark = plan.watermark(source, 0, 0);
    let exchange = plan.exchange(watermark, &[1]);
    let kind = match lookup(JoinKind::Inner, None) {
        NodeKind::RemoteLookup { lookup, kind, filter, columns, residual, cache, .. } => {
            NodeKind::RemoteLookup {
                lookup,
                kind,
                left_keys: vec![1],
                filter,
                columns,
                residual,
                cache,
            }
        }
        _ => unreachable!(),
    };
    let looked_up = plan.node(kind, &[exchange], vec![TIME, INT, INT], false);
    let exchange = plan.exchange(looked_up, &[]);
    let window = WindowInput::Assign {
        window: WindowSpec { kind: WindowKind::Tumble { size_ms: 10 }, offset_ms: 0, zone: None },
        time: TimeSource::EventTime { column: 0 },
    };
    let aggregates = vec![call("SUM", &[2], &[TypeKind::BigInt])];
    let kind = NodeKind::WindowAggregate { window, keys: vec![], aggregates };
    let node = plan.node(kind, &[exchange], vec![INT, TIME, TIME, TIME], false);
    plan.sink(node, ChangelogMode::AppendOnly);
    plan.build()
}

#[test]
fn the_watermark_and_the_end_stay_behind_rows_that_wait() {
    let table: Table = (0..50).map(|key| (key, key)).collect();
    for (seed, workers, restarts) in [1, 2, 3, 2, 1, 1, 2, 3]
        .into_iter()
        .zip(1..)
        .map(|(workers, seed)| (seed, workers, seed > 5))
    {
        let mut rng = Rng::new(seed);
        let mut asking = Asking::new(&counted(), workers);
        let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
        for step in 0..60_i64 {
            let rows: Vec<(i64, i64)> =
                (0..rng.below(5) as i64).map(|n| (step * 4 + n, rng.below(50) as i64)).collect();
            for (time, key) in &rows {
                *sums.entry(time / 10 * 10).or_default() += key;
            }
            let columns =
                vec![times(rows.iter().map(|r| r.0)), ints(rows.iter().map(|r| Some(r.1)))];
            if restarts && rng.below(4) == 0 {
                asking.restart(1 + rng.below(3) as usize);
            }
            asking.step(0, Some(columns), false);
            while rng.below(3) > 0 && !asking.open.is_empty() {
                let at = rng.below(asking.open.len() as u64) as usize;
                asking.answer(at, &table);
            }
        }
        asking.step(0, None, true);
        while asking.flow.waiting_rows() > 0 {
            let at = rng.below(asking.open.len() as u64) as usize;
            asking.answer(at, &table);
            asking.step(0, None, true);
        }
        assert_eq!(asking.flow.late_rows(), 0);
        let expect: Vec<String> = sums
            .iter()
            .map(|(start, sum)| format!("{sum} {start} {} {}", start + 10, start + 9))
            .collect();
        let mut out = asking.out;
        out.sort_by_key(|line| line.split(' ').nth(1).unwrap().parse::<i64>().unwrap());
        assert_eq!(out, expect, "seed {seed}, {workers} workers");
    }
}

#[test]
fn an_answer_about_other_keys_is_an_error() {
    let mut asking = Asking::new(&plan(lookup(JoinKind::Inner, None)), 1);
    asking.rows(0, 0, &[Some(1)]);
    let mut wrong = answer(&asking.open.remove(0), &table());
    wrong.keys = vec![1];
    asking.flow.answer(0, wrong);
    let source = SourceInput::default();
    let error = asking.flow.step(StepInput { now_ms: 0, sources: vec![source] }).unwrap_err();
    assert!(error.to_string().contains("not asked for"), "{error}");
}

struct Threads {
    input: Arc<InputPort>,
    output: Arc<OutputPort>,
    lookup: Arc<LookupPort>,
    running: Running,
}

fn start(workers: usize, restart_each_step: bool) -> Threads {
    let lookup_port = LookupPort::new();
    let (mut job, input, output) = job(plan(lookup(JoinKind::Inner, None)), workers, 1 << 14);
    job.lookups = vec![LookupSlot { name: "table".to_owned(), port: Arc::clone(&lookup_port) }];
    job.settings.restart_each_step = restart_each_step;
    Threads { input, output, lookup: lookup_port, running: Executor::start(job).unwrap() }
}

/// Answers questions two at a time, the later one first, as long as there are any.
fn serve(port: Arc<LookupPort>) -> thread::JoinHandle<()> {
    let table: Table = (0..1000).map(|key| (key, -key)).collect();
    let work = move || {
        while let Some(first) = block_on(port.next()) {
            // Whether there is a second one depends on the threads' luck.
            let second = (port.queued_questions() > 0).then(|| block_on(port.next()).unwrap());
            second.into_iter().for_each(|second| port.answer(answer(&second, &table)));
            port.answer(answer(&first, &table));
        }
    };
    thread::Builder::new().spawn(work).unwrap()
}

fn count(output: &OutputPort) -> usize {
    let mut rows = 0;
    while let Some(Outgoing::Rows(encoded)) = block_on(output.recv()) {
        let Encoded::Batch(batch) = encoded else { panic!("the encoder gives batches") };
        let (keys, values) = (batch.column(0), batch.column(2));
        let pairs = keys.as_primitive::<Int64Type>().values().iter();
        assert!(pairs.zip(values.as_primitive::<Int64Type>().values()).all(|(k, v)| *k == -*v));
        rows += batch.rows();
    }
    rows
}

#[test]
fn threads_wait_for_all_answers_at_the_end_and_when_they_drain() {
    let cases = [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2), (2, 2)];
    for ((workers, end), restarts) in cases.into_iter().flat_map(|c| [(c, false), (c, true)]) {
        let Threads { input, output, lookup, running } = start(workers, restarts);
        let server = serve(Arc::clone(&lookup));
        let feed = move || {
            input.add_split(0);
            for step in 0..100 {
                let keys = ints((0..100).map(|n| Some((step * 37 + n * 7) % 1000)));
                let rows = batch(vec![keys, ints((0..100).map(Some))], None);
                block_on(input.send(0, Payload::Batch(rows), 1600)).unwrap();
            }
            if end == 0 {
                input.finish();
            }
            input
        };
        let feeder = thread::Builder::new().spawn(feed).unwrap();
        let reader = thread::Builder::new().spawn(move || count(&output)).unwrap();
        let input = feeder.join().unwrap();
        if end > 0 {
            running.stop(true, end == 2);
        }
        let progress = running.join().unwrap();
        assert_eq!(reader.join().unwrap(), 10_000, "{workers} workers");
        assert_eq!(progress.sinks[0].rows, 10_000);
        server.join().unwrap();
        drop(input);
    }
}

#[test]
fn a_table_that_does_not_answer_stalls_the_input_and_a_stop_ends_it() {
    let Threads { input, output, lookup, running } = start(2, false);
    let sending = Arc::clone(&input);
    let feed = move || {
        sending.add_split(0);
        let mut sent = 0;
        loop {
            let keys = ints((0..1000).map(|n| Some((sent + n) % 1000)));
            let rows = batch(vec![keys, ints((0..1000).map(Some))], None);
            if block_on(sending.send(0, Payload::Batch(rows), 16_000)).is_err() {
                return sent;
            }
            sent += 1000;
        }
    };
    let feeder = thread::Builder::new().spawn(feed).unwrap();
    // As soon as enough rows wait nobody takes from the port, and it stays full.
    while running.progress().sources[0].rows < 2 << 16 || input.queued_bytes() == 0 {
        thread::yield_now();
    }
    assert!(block_on(lookup.next()).is_some());
    assert!(running.progress().waiting_since.is_some());
    running.stop(false, false);
    running.join().unwrap();
    assert!(block_on(lookup.next()).is_none());
    // What waits, what the step before took, and the port.
    let sent = feeder.join().unwrap();
    assert!((2 << 16..2 << 18).contains(&sent), "{sent}");
    assert_eq!(count(&output), 0);
}
