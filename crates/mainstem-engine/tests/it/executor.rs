//! Threads: rows through ports, back pressure, stopping, errors and panics without a hang.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use mainstem_core::clock::ManualClock;
use mainstem_core::egress::{ChangelogMode, Encode, Encoded};
use mainstem_core::ingest::{DeadLetter, Decode, Decoded, Payload};
use mainstem_core::{Batch, Error, ErrorKind, Result};
use mainstem_engine::checkpoint::{CheckpointPort, CutPlace, LAST, Loaded, Restored, united};
use mainstem_engine::executor::{
    Checkpoints, Executor, Job, Running, Settings, SinkSlot, SourceSlot,
};
use mainstem_engine::plan::{NodeKind, Plan};
use mainstem_engine::port::{InputPort, Outgoing, OutputPort};
use mainstem_engine::progress::Progress;
use mainstem_state::blocks::InMemory;
use mainstem_state::chain::Chain;
use mainstem_state::table::Piece;

use crate::support::*;
use crate::windows::call;

struct ThreadWaker(thread::Thread);

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(ThreadWaker(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

struct Through;

impl Decode for Through {
    fn decode(&mut self, payload: Payload, _now_ms: i64, out: &mut Decoded) -> Result<()> {
        let Payload::Batch(batch) = payload else { return Err(Error::user("not a batch")) };
        out.records += batch.rows() as u64;
        if batch.column(0).is_null(0) {
            out.skipped += 1;
            let reason = "null".to_owned();
            let (record, place) = (bytes::Bytes::new(), "here".to_owned());
            out.dead_letters.push(DeadLetter { record, place, reason });
            return Ok(());
        }
        out.batches.push(batch);
        Ok(())
    }
}

impl Encode for Through {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        Ok(Encoded::Batch(batch.clone()))
    }
}

/// A job of `plan` that reads one port and writes another, of so many bytes.
pub(crate) fn job(
    plan: Plan,
    workers: usize,
    port_bytes: usize,
) -> (Job, Arc<InputPort>, Arc<OutputPort>) {
    let (input, output) = (InputPort::new(port_bytes), OutputPort::new(port_bytes));
    let job = Job {
        sources: vec![SourceSlot {
            name: "numbers".to_owned(),
            decoders: (0..workers).map(|_| Box::new(Through) as Box<dyn Decode>).collect(),
            port: Arc::clone(&input),
        }],
        sinks: vec![SinkSlot {
            name: "results".to_owned(),
            encoders: (0..workers).map(|_| Box::new(Through) as Box<dyn Encode>).collect(),
            port: Arc::clone(&output),
        }],
        lookups: Vec::new(),
        plan,
        workers,
        clock: Arc::new(ManualClock::new(1000)),
        dead_letters: None,
        checkpoints: None,
        settings: Settings::new("test"),
    };
    (job, input, output)
}

struct Harness {
    input: Arc<InputPort>,
    output: Arc<OutputPort>,
    running: Running,
    dead: mpsc::Receiver<usize>,
}

fn start(plan: Plan, workers: usize) -> Harness {
    start_with(plan, workers, None)
}

fn start_with(plan: Plan, workers: usize, checkpoints: Option<Checkpoints>) -> Harness {
    let (sender, dead) = mpsc::channel();
    let (mut job, input, output) = job(plan, workers, 1 << 12);
    job.dead_letters = Some(Arc::new(move |_, letters| {
        sender.send(letters.len()).unwrap_or_default();
    }));
    job.checkpoints = checkpoints;
    Harness { input, output, running: Executor::start(job).unwrap(), dead }
}

/// SUM and COUNT of all numbers per key.
fn sums(predicate: Option<fn(i64) -> bool>) -> Plan {
    let mut plan = PlanBuilder::default();
    let mut node = plan.source(vec![INT, INT], false);
    if let Some(predicate) = predicate {
        let predicate = where_int(0, predicate);
        node = plan.node(NodeKind::Filter { predicate }, &[node], vec![INT, INT], false);
    }
    let exchange = plan.exchange(node, &[0]);
    let big = [mainstem_core::TypeKind::BigInt];
    let aggregates = vec![call("SUM", &[1], &big), call("COUNT", &[], &[])];
    let kind = NodeKind::Aggregate { keys: vec![0], aggregates, final_only: false };
    let node = plan.node(kind, &[exchange], vec![INT; 3], true);
    plan.sink(node, ChangelogMode::Retract);
    plan.build()
}

fn numbers(key: i64, from: i64, count: i64) -> Payload {
    let keys = ints((0..count).map(|i| Some(key + i % 3)));
    Payload::Batch(batch(vec![keys, ints((from..from + count).map(Some))], None))
}

fn receive_all(output: &OutputPort) -> Folded {
    let mut folded = Folded::default();
    while let Some(Outgoing::Rows(encoded)) = block_on(output.recv()) {
        let Encoded::Batch(batch) = encoded else { panic!("the encoder gives batches") };
        folded.add_batches([&batch]);
    }
    folded
}

#[test]
fn rows_go_through_threads_with_back_pressure() {
    for workers in 1..4 {
        let Harness { input, output, running, .. } = start(sums(None), workers);
        let feeder = thread::Builder::new().spawn(move || {
            input.add_split(0);
            for i in 0..200 {
                block_on(input.send(0, numbers(0, i * 100, 100), 2000)).unwrap();
                assert!(input.queued_bytes() <= 1 << 12);
            }
            input.close_split(0);
            input.finish();
        });
        let folded = receive_all(&output);
        block_on(running.finished());
        feeder.unwrap().join().unwrap();
        let progress: Progress = running.join().unwrap();
        let mut expect = Folded::default();
        for key in 0..3 {
            let of_key: Vec<i64> = (0..20_000).filter(|i| i % 100 % 3 == key).collect();
            let (sum, count) = (of_key.iter().sum::<i64>(), of_key.len());
            expect.add(format!("{key} {sum} {count}"), 1);
        }
        assert_eq!(folded, expect, "{workers} workers");
        assert_eq!((progress.sources[0].rows, progress.sources[0].records), (20_000, 20_000));
        assert_eq!(progress.sources[0].bytes, 400_000);
        assert_eq!(progress.sources[0].watermark, Some(i64::MAX));
        assert!(progress.sinks[0].rows >= 3 && progress.steps > 0);
    }
}

#[test]
fn a_panic_in_an_operator_ends_all_workers() {
    for workers in 1..4 {
        let bomb: fn(i64) -> bool = |v| {
            assert!(v != 41, "boom");
            true
        };
        let Harness { input, output, running, .. } = start(sums(Some(bomb)), workers);
        block_on(input.send(0, numbers(0, 0, 10), 1)).unwrap();
        block_on(input.send(0, numbers(40, 0, 10), 1)).unwrap_or_default();
        receive_all(&output);
        let error = running.join().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().contains("boom"), "{error}");
        let refused = block_on(input.send(0, numbers(0, 0, 1), 1)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
    }
}

#[test]
fn an_error_names_the_table() {
    let Harness { input, output, running, .. } = start(sums(None), 2);
    let lines = mainstem_core::ingest::RowRange { first: 0, count: 1, at_ms: 0 };
    block_on(input.send(0, Payload::Rows(lines), 1)).unwrap();
    receive_all(&output);
    let error = running.join().unwrap_err();
    assert_eq!(error.to_string(), "table 'numbers': not a batch");
}

#[test]
fn stopping_drains_if_asked() {
    for (drain, close) in [(true, false), (true, true), (false, false)] {
        let Harness { input, output, running, .. } = start(sums(None), 2);
        block_on(input.send(0, numbers(0, 0, 9), 1)).unwrap();
        running.stop(drain, close);
        let folded = receive_all(&output);
        let progress = running.join().unwrap();
        if drain {
            assert_eq!(folded.0.len(), 3);
            assert_eq!(progress.sources[0].rows, 9);
        }
    }
}

#[test]
fn a_stop_frees_workers_that_wait_for_a_full_port() {
    let Harness { input, output, running, .. } = start(sums(None), 2);
    for i in 0..20 {
        block_on(input.send(0, numbers(i * 10, 0, 100), 100)).unwrap();
    }
    running.stop(false, false);
    running.join().unwrap();
    receive_all(&output);
}

#[test]
fn dead_letters_are_handed_over() {
    let Harness { input, output, running, dead } = start(sums(None), 1);
    let bad = batch(vec![ints([None]), ints([None])], None);
    block_on(input.send(0, Payload::Batch(bad), 1)).unwrap();
    input.finish();
    receive_all(&output);
    assert_eq!(running.join().unwrap().sources[0].skipped, 1);
    assert_eq!(dead.try_iter().sum::<usize>(), 1);
}

/// The rows that came out before the cut of that number, added to `folded`.
fn receive_until(output: &OutputPort, cut: u64, folded: &mut Folded) {
    loop {
        match block_on(output.recv()) {
            Some(Outgoing::Rows(Encoded::Batch(batch))) => folded.add_batches([&batch]),
            Some(Outgoing::Cut(number)) if number == cut => return,
            other => panic!("{other:?} before cut {cut}"),
        }
    }
}

/// All that workers tell of a cut.
fn receive_cut(
    port: &CheckpointPort,
    number: u64,
    chains: &mut [Chain<Batch>],
) -> Option<CutPlace> {
    let (mut place, mut complete) = (None, 0);
    chains.iter_mut().for_each(Chain::begin);
    while complete < chains.len() {
        let saved = block_on(port.recv()).unwrap();
        assert_eq!(saved.number, number);
        port.is_done_with(saved.size_bytes());
        complete += usize::from(saved.complete);
        place = place.or(saved.place);
        for Piece { node, change } in saved.pieces {
            let (anew, record) = change.change.into_record();
            chains[saved.worker].tell(node, &change.shape.name, anew, record);
        }
    }
    place
}

#[test]
fn another_number_of_workers_goes_on_from_a_checkpoint() {
    for (workers, others) in [(1, 3), (2, 1), (3, 2), (2, 2)] {
        let port = CheckpointPort::new();
        let checkpoints = Checkpoints { port: Arc::clone(&port), restored: None };
        let Harness { input, output, running, .. } =
            start_with(sums(None), workers, Some(checkpoints));
        input.add_split(0);
        let send = |input: &InputPort, from: i64, position: u8| {
            let position = Some(vec![position].into_boxed_slice());
            block_on(input.send_to(0, numbers(from / 7, from, 40), 10, position)).unwrap();
        };
        let mut folded = Folded::default();
        let mut chains: Vec<Chain<Batch>> = vec![Chain::new(sums(None).nodes.len()); workers];
        let mut place = None;
        for (number, batches) in [(1, 0..3), (2, 3..5)] {
            batches.for_each(|at| send(&input, at * 40, at as u8));
            port.ask(number, number == 1);
            receive_until(&output, number, &mut folded);
            place = receive_cut(&port, number, &mut chains);
        }
        let place = place.unwrap();
        let (splits, finished) = &place.sources[0];
        assert!(!finished && !place.ended);
        let taken = splits[&0].position.as_ref().map_or(0, |position| i64::from(position[0]) + 1);
        // What came after the cut is lost with the process.
        send(&input, 900, 99);
        running.stop(false, false);
        running.join().unwrap();

        let nodes = united(&sums(None), chains);
        let port = CheckpointPort::new();
        let loaded = Loaded::new(&sums(None), others, None, &nodes, &InMemory).unwrap();
        let restored = Some(Restored { workers: Some(loaded), place });
        let checkpoints = Checkpoints { port: Arc::clone(&port), restored };
        let Harness { input, output, running, .. } =
            start_with(sums(None), others, Some(checkpoints));
        for at in taken..9 {
            send(&input, at * 40, at as u8);
        }
        input.finish();
        receive_until(&output, LAST, &mut folded);
        running.join().unwrap();
        let whole = start(sums(None), 1);
        (0..9).for_each(|at| send(&whole.input, at * 40, 0));
        whole.input.finish();
        assert_eq!(folded, receive_all(&whole.output), "{workers} and {others} workers");
        // Nothing was cut before it in this run, so the last cut tells everything.
        let mut chains: Vec<Chain<Batch>> = vec![Chain::new(sums(None).nodes.len()); others];
        receive_cut(&port, LAST, &mut chains).unwrap();
        let nodes = united(&sums(None), chains);
        let tables = nodes.iter().flat_map(|node| &node.tables).filter(|t| t.name == "groups");
        let groups: usize = tables.flat_map(|t| &t.blocks).map(Batch::rows).sum();
        assert!(groups > 0);
    }
}
