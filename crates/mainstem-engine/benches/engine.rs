//! Rows per CPU-second of the operators, on batches that are built beforehand. `cargo bench -p mainstem-engine [NAME]`.
//! One worker is driven on this thread; `2 workers` runs the executor with threads.

use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::types::TimestampMillisecondType;
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, PrimitiveArray, StringArray,
    TimestampMillisecondArray,
};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use mainstem_core::clock::{ManualClock, Rng};
use mainstem_core::egress::{ChangelogMode, Encode, Encoded};
use mainstem_core::ingest::{Decode, Decoded, Payload};
use mainstem_core::{Batch, Result, TypeKind};
use mainstem_engine::aggregate::{AggregateCall, builtin};
use mainstem_engine::dataflow::{Dataflow, SourceInput, StepInput};
use mainstem_engine::executor::{Executor, Job, Settings, SinkSlot, SourceSlot};
use mainstem_engine::expr::{EvalContext, Expr, ExprRef, Value};
use mainstem_engine::plan::{JoinKind, Node, NodeKind, Plan, Scan, TimeSource, WindowInput};
use mainstem_engine::port::{InputPort, OutputPort};
use mainstem_engine::window::{WindowKind, WindowSpec};

const BATCH_ROWS: usize = 8192;
const STEP_BATCHES: usize = 8;
const TIME: ArrowType = ArrowType::Timestamp(TimeUnit::Millisecond, None);
const TEXT: ArrowType = ArrowType::Utf8;
const LONG: ArrowType = ArrowType::Int64;
const DOUBLE: ArrowType = ArrowType::Float64;

#[derive(Debug)]
struct Column(usize);

impl Expr for Column {
    fn eval(&self, batch: &Batch, _cx: &EvalContext) -> Result<Value> {
        Ok(Value::Array(Arc::clone(batch.column(self.0))))
    }
    fn as_column(&self) -> Option<usize> {
        Some(self.0)
    }
}

/// True for three rows in four.
#[derive(Debug)]
struct Most;

impl Expr for Most {
    fn eval(&self, batch: &Batch, _cx: &EvalContext) -> Result<Value> {
        let keep: BooleanArray = (0..batch.rows()).map(|row| Some(row % 4 != 1)).collect();
        Ok(Value::Array(Arc::new(keep)))
    }
}

fn call(name: &str, args: &[usize], types: &[TypeKind]) -> AggregateCall {
    let types: Vec<_> = types.iter().map(|kind| kind.clone().nullable()).collect();
    let (function, _) = builtin(name, &types).expect("a function that exists");
    AggregateCall { function, args: args.to_vec(), filter: None, distinct: false }
}

#[derive(Default)]
struct Builder(Plan);

impl Builder {
    fn node(&mut self, kind: NodeKind, inputs: &[usize], output: &[ArrowType], log: bool) -> usize {
        self.0.sources += usize::from(matches!(kind, NodeKind::Source { .. }));
        self.0.sinks += usize::from(matches!(kind, NodeKind::Sink { .. }));
        let (inputs, output) = (inputs.to_vec(), output.to_vec());
        self.0.nodes.push(Node {
            kind,
            inputs,
            name: "node".to_owned(),
            output,
            changelog: log,
            state_ttl_ms: None,
        });
        self.0.nodes.len() - 1
    }

    fn source(&mut self, output: &[ArrowType]) -> usize {
        let source = self.0.sources;
        self.node(NodeKind::Source { source, scan: Scan::default() }, &[], output, false)
    }

    fn watermark(&mut self, input: usize, types: &[ArrowType]) -> usize {
        let expr: ExprRef = Arc::new(Column(0));
        self.node(
            NodeKind::Watermark { expr, idle_timeout_ms: None, clock_after_ms: None },
            &[input],
            types,
            false,
        )
    }

    fn sink(mut self, input: usize, changelog: ChangelogMode) -> Plan {
        let sink = self.0.sinks;
        self.node(NodeKind::Sink { sink, changelog }, &[input], &[], false);
        self.0
    }
}

/// ts, user (one of 10), amount: SUM, COUNT, AVG per user and window.
fn windows(kind: WindowKind, filtered: bool) -> Plan {
    let mut plan = Builder::default();
    let types = [TIME, TEXT, DOUBLE];
    let source = plan.source(&types);
    let mut node = plan.watermark(source, &types);
    if filtered {
        node = plan.node(NodeKind::Filter { predicate: Arc::new(Most) }, &[node], &types, false);
    }
    node = plan.node(NodeKind::Exchange { keys: vec![1] }, &[node], &types, false);
    let double = [TypeKind::Double];
    let aggregates =
        vec![call("SUM", &[2], &double), call("COUNT", &[], &[]), call("AVG", &[2], &double)];
    let window = WindowInput::Assign {
        window: WindowSpec { kind, offset_ms: 0, zone: None },
        time: TimeSource::EventTime { column: 0 },
    };
    let kind = NodeKind::WindowAggregate { window, keys: vec![1], aggregates };
    let types = [TEXT, DOUBLE, LONG, DOUBLE, TIME, TIME, TIME];
    let aggregate = plan.node(kind, &[node], &types, false);
    plan.sink(aggregate, ChangelogMode::AppendOnly)
}

fn pass() -> Plan {
    let mut plan = Builder::default();
    let source = plan.source(&[TIME, TEXT, DOUBLE]);
    plan.sink(source, ChangelogMode::AppendOnly)
}

/// COUNT, SUM, MAX per key, as a changelog.
fn group_by() -> Plan {
    let mut plan = Builder::default();
    let source = plan.source(&[LONG, LONG]);
    let node = plan.node(NodeKind::Exchange { keys: vec![0] }, &[source], &[LONG, LONG], false);
    let long = [TypeKind::BigInt];
    let aggregates =
        vec![call("COUNT", &[], &[]), call("SUM", &[1], &long), call("MAX", &[1], &long)];
    let kind = NodeKind::Aggregate { keys: vec![0], aggregates, final_only: false };
    let node = plan.node(kind, &[node], &[LONG; 4], true);
    plan.sink(node, ChangelogMode::Upsert { key: vec![0] })
}

fn distinct() -> Plan {
    let mut plan = Builder::default();
    let source = plan.source(&[LONG, LONG]);
    let count = AggregateCall { distinct: true, ..call("COUNT", &[1], &[TypeKind::BigInt]) };
    let aggregates = vec![count];
    let kind = NodeKind::Aggregate { keys: vec![0], aggregates, final_only: false };
    let node = plan.node(kind, &[source], &[LONG; 2], true);
    plan.sink(node, ChangelogMode::Upsert { key: vec![0] })
}

fn join() -> Plan {
    let mut plan = Builder::default();
    let left = plan.source(&[LONG, LONG]);
    let right = plan.source(&[LONG, LONG]);
    let kind = JoinKind::Inner;
    let kind = NodeKind::Join {
        kind,
        left_keys: vec![0],
        right_keys: vec![0],
        residual: None,
        expiry: [None; 2],
        ttl_ms: [None; 2],
    };
    let node = plan.node(kind, &[left, right], &[LONG; 4], false);
    plan.sink(node, ChangelogMode::AppendOnly)
}

/// One event per ms, ten users with uuid-like names.
fn transactions(batches: usize, jitter_ms: u64) -> Vec<Batch> {
    let mut rng = Rng::new(7);
    let users: Vec<String> =
        (0..10u64).map(|i| format!("{:08x}-4f5a-4c51-9c0e-{:012x}", i * 77, i)).collect();
    let batch = |at: usize| {
        let first = (at * BATCH_ROWS) as i64;
        let mut jitter = || if jitter_ms == 0 { 0 } else { rng.below(jitter_ms) as i64 };
        let times: Vec<i64> = (0..BATCH_ROWS as i64).map(|i| first + i - jitter()).collect();
        let names = (0..BATCH_ROWS).map(|_| users[rng.below(10) as usize].as_str());
        let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
        let amounts = (0..BATCH_ROWS).map(|_| rng.unit() * 100.0);
        let amounts: ArrayRef = Arc::new(Float64Array::from_iter_values(amounts));
        let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(times));
        Batch::new(vec![times, names, amounts], BATCH_ROWS)
    };
    (0..batches).map(batch).collect()
}

fn pairs(batches: usize, keys: u64, seed: u64) -> Vec<Batch> {
    let mut rng = Rng::new(seed);
    let batch = |_| {
        let keys = Int64Array::from_iter_values((0..BATCH_ROWS).map(|_| rng.below(keys) as i64));
        let values = Int64Array::from_iter_values(0..BATCH_ROWS as i64);
        Batch::new(vec![Arc::new(keys), Arc::new(values)], BATCH_ROWS)
    };
    (0..batches).map(batch).collect()
}

/// User and system time of this process so far, in seconds (in hundredths).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let rest = stat.rsplit(") ").next().unwrap_or_default();
    let ticks: Vec<f64> = rest.split(' ').skip(11).take(2).flat_map(str::parse).collect();
    ticks.iter().sum::<f64>() / 100.0
}

struct Stopwatch {
    wall: Instant,
    cpu: f64,
}

impl Stopwatch {
    #[allow(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
    fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu_seconds() }
    }

    fn report(&self, name: &str, rows: usize) {
        let (wall, cpu) = (self.wall.elapsed().as_secs_f64(), cpu_seconds() - self.cpu);
        let millions = rows as f64 / 1e6;
        println!(
            "{name:36} {:8.1} M rows/CPU-s {:8.1} M rows/s   ({wall:.2} s)",
            millions / cpu.max(0.01),
            millions / wall
        );
    }
}

/// Moves the times of a batch, so that the same batches can be fed again and again.
fn later(batch: &Batch, by_ms: i64) -> Batch {
    let mut columns = batch.columns().to_vec();
    let times = columns[0].as_any().downcast_ref::<TimestampMillisecondArray>();
    let times = times.expect("the first column is the time");
    let moved: PrimitiveArray<TimestampMillisecondType> = times.unary(|t| t + by_ms);
    columns[0] = Arc::new(moved);
    Batch::new(columns, batch.rows())
}

fn drive(name: &str, plan: &Plan, sources: Vec<Vec<Batch>>, rounds: usize, timed: bool) {
    let mut flow = Dataflow::new(plan, 1).expect("a plan that can be run");
    let span = sources[0].len() * BATCH_ROWS;
    let watch = Stopwatch::start();
    let mut rows = 0;
    for round in 0..rounds {
        let steps = sources[0].len().div_ceil(STEP_BATCHES);
        for step in 0..steps {
            let input = |batches: &Vec<Batch>| {
                let range = step * STEP_BATCHES..((step + 1) * STEP_BATCHES).min(batches.len());
                let fed = batches[range].iter().map(|batch| {
                    let by_ms = (round * span) as i64;
                    (0, if timed { later(batch, by_ms) } else { batch.clone() })
                });
                SourceInput { batches: fed.collect(), ..SourceInput::default() }
            };
            let sources: Vec<SourceInput> = sources.iter().map(input).collect();
            rows += sources.iter().flat_map(|s| &s.batches).map(|(_, b)| b.rows()).sum::<usize>();
            let output = flow.step(StepInput { now_ms: 0, sources });
            black_box(output.expect("a step that succeeds"));
        }
    }
    watch.report(name, rows);
}

struct Through;

impl Decode for Through {
    fn decode(&mut self, payload: Payload, _now_ms: i64, out: &mut Decoded) -> Result<()> {
        if let Payload::Batch(batch) = payload {
            out.batches.push(batch);
        }
        Ok(())
    }
}

impl Encode for Through {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        Ok(Encoded::Batch(batch.clone()))
    }
}

/// Runs the executor; the feeding thread's work counts too.
fn threads(name: &str, plan: &Plan, batches: &[Batch], rounds: usize, workers: usize) {
    let (input, output) = (InputPort::new(64 << 20), OutputPort::new(64 << 20));
    let job = Job {
        plan: plan.clone(),
        sources: vec![SourceSlot {
            name: "source".to_owned(),
            decoders: (0..workers).map(|_| Box::new(Through) as Box<dyn Decode>).collect(),
            port: Arc::clone(&input),
        }],
        sinks: vec![SinkSlot {
            name: "sink".to_owned(),
            encoders: (0..workers).map(|_| Box::new(Through) as Box<dyn Encode>).collect(),
            port: Arc::clone(&output),
        }],
        lookups: Vec::new(),
        workers,
        clock: Arc::new(ManualClock::new(0)),
        dead_letters: None,
        checkpoints: None,
        settings: Settings::new("bench"),
    };
    let watch = Stopwatch::start();
    let running = Executor::start(job).expect("a job that starts");
    let waker = futures_waker();
    let mut cx = std::task::Context::from_waker(&waker);
    for round in 0..rounds {
        for batch in batches {
            let by_ms = (round * batches.len() * BATCH_ROWS) as i64;
            let batch = if timed(plan) { later(batch, by_ms) } else { batch.clone() };
            let bytes = batch.rows() * 60;
            let mut send = std::pin::pin!(input.send(0, Payload::Batch(batch), bytes));
            while send.as_mut().poll(&mut cx).is_pending() {
                std::thread::park();
            }
        }
    }
    input.finish();
    let mut receive = std::pin::pin!(async { while output.recv().await.is_some() {} });
    while receive.as_mut().poll(&mut cx).is_pending() {
        std::thread::park();
    }
    let progress = running.join().expect("a job that succeeds");
    watch.report(name, progress.sources[0].rows as usize);
}

/// True if the first column of the source is a time.
fn timed(plan: &Plan) -> bool {
    plan.nodes[0].output[0] == TIME
}

fn futures_waker() -> std::task::Waker {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    Arc::new(Unpark(std::thread::current())).into()
}

type Case = (&'static str, Box<dyn Fn(&str)>);

fn cases() -> Vec<Case> {
    let tumble = WindowKind::Tumble { size_ms: 3000 };
    let hop = WindowKind::Hop { size_ms: 3000, slide_ms: 30 };
    let cumulate = WindowKind::Cumulate { max_size_ms: 60_000, step_ms: 1000 };
    let in_order = move || transactions(64, 0);

    let mut cases: Vec<Case> = vec![
        ("pass", Box::new(move |n| drive(n, &pass(), vec![in_order()], 200, true))),
        (
            "tumble",
            Box::new(move |n| drive(n, &windows(tumble, false), vec![in_order()], 200, true)),
        ),
        (
            "tumble filtered",
            Box::new(move |n| {
                drive(n, &windows(tumble, true), vec![in_order()], 200, true);
            }),
        ),
        (
            "tumble disorder",
            Box::new(move |n| {
                drive(n, &windows(tumble, false), vec![transactions(64, 4000)], 100, true);
            }),
        ),
        (
            "hop 100 slides",
            Box::new(move |n| drive(n, &windows(hop, false), vec![in_order()], 20, true)),
        ),
        (
            "cumulate 60 steps",
            Box::new(move |n| {
                drive(n, &windows(cumulate, false), vec![in_order()], 100, true);
            }),
        ),
        (
            "group by 10 keys",
            Box::new(move |n| drive(n, &group_by(), vec![pairs(64, 10, 1)], 200, false)),
        ),
        (
            "group by 1 M keys",
            Box::new(move |n| {
                drive(n, &group_by(), vec![pairs(1024, 1_000_000, 1)], 2, false);
            }),
        ),
        (
            "count distinct 1 M in 10",
            Box::new(move |n| {
                let batches =
                    pairs(512, 10, 1).into_iter().zip(pairs(512, 100_000, 2)).map(|(a, b)| {
                        Batch::new(
                            vec![Arc::clone(a.column(0)), Arc::clone(b.column(0))],
                            BATCH_ROWS,
                        )
                    });
                drive(n, &distinct(), vec![batches.collect()], 2, false);
            }),
        ),
        (
            "join 1 M x 1 M",
            Box::new(move |n| {
                let sides = vec![pairs(128, 1_000_000, 1), pairs(128, 1_000_000, 2)];
                drive(n, &join(), sides, 1, false);
            }),
        ),
    ];
    cases.extend(threaded());
    cases
}

fn threaded() -> Vec<Case> {
    let tumble = WindowKind::Tumble { size_ms: 3000 };
    let in_order = || transactions(64, 0);
    vec![
        (
            "executor 1 worker tumble",
            Box::new(move |n| threads(n, &windows(tumble, false), &in_order(), 200, 1)),
        ),
        (
            "executor 2 workers tumble",
            Box::new(move |n| threads(n, &windows(tumble, false), &in_order(), 200, 2)),
        ),
        (
            "executor 1 worker group by 1 M",
            Box::new(move |n| {
                threads(n, &group_by(), &pairs(1024, 1_000_000, 1), 2, 1);
            }),
        ),
        (
            "executor 2 workers group by 1 M",
            Box::new(move |n| {
                threads(n, &group_by(), &pairs(1024, 1_000_000, 1), 2, 2);
            }),
        ),
    ]
}

fn main() {
    let only = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let wanted = |name: &str| only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    for (name, run) in cases().iter().filter(|(name, _)| wanted(name)) {
        run(name);
    }
}
