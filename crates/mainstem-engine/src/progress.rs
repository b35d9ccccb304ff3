//! What a running job tells about itself.
//! Invariant: counters only grow and are read without stopping a worker; they may be a step apart from each other.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use crate::operator::Watermark;
use crate::port::{InputPort, OutputPort};
use crate::worker::Worker;

/// How far a source is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceProgress {
    /// The table's name.
    pub name: String,
    /// Records read, good or bad or filtered away.
    pub records: u64,
    /// Rows that came out of the decoder.
    pub rows: u64,
    /// Payload bytes read.
    pub bytes: u64,
    /// Bad records left out.
    pub skipped: u64,
    /// Its watermark.
    pub watermark: Watermark,
    /// Bytes that wait in its port.
    pub queued_bytes: usize,
}

/// How far a sink is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkProgress {
    /// The table's name.
    pub name: String,
    /// Rows encoded.
    pub rows: u64,
    /// Bytes that wait in its port.
    pub queued_bytes: usize,
}

/// How far a job is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// In the order of the plan.
    pub sources: Vec<SourceProgress>,
    /// In the order of the plan.
    pub sinks: Vec<SinkProgress>,
    /// Rows dropped because all their windows were closed.
    pub late_rows: u64,
    /// Steps run.
    pub steps: u64,
    /// The first step, counted from 1, of which rows wait for answers from outside; may be a step older than `steps`.
    pub waiting_since: Option<u64>,
    /// Rows or groups in state; at most a second old.
    pub state_rows: usize,
    /// Memory in state; at most a second old.
    pub state_bytes: usize,
}

#[derive(Debug)]
struct SourceCounters {
    name: String,
    records: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
    skipped: AtomicU64,
    /// `i64::MIN`: none.
    watermark: AtomicI64,
}

#[derive(Debug, Default)]
struct WorkerCounters {
    late_rows: AtomicU64,
    state_rows: AtomicUsize,
    state_bytes: AtomicUsize,
    /// Rows that wait for answers.
    waiting_rows: AtomicUsize,
    /// The first step of which some wait; `u64::MAX`: none do.
    waiting_since: AtomicU64,
    /// `i64::MAX`: none.
    next_timer_ms: AtomicI64,
    /// When the state was measured last.
    measured_ms: AtomicI64,
}

#[derive(Debug, Default)]
struct End {
    workers_left: usize,
    wakers: Vec<Waker>,
}

#[derive(Debug)]
pub(crate) struct Counters {
    sources: Vec<SourceCounters>,
    sinks: Vec<(String, AtomicU64)>,
    workers: Vec<WorkerCounters>,
    steps: AtomicU64,
    end: Mutex<End>,
}

/// How often state is measured.
const MEASURE_MS: i64 = 1000;

impl Counters {
    pub(crate) fn new(sources: Vec<String>, sinks: Vec<String>, workers: usize) -> Self {
        let source = |name| SourceCounters {
            name,
            records: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            watermark: AtomicI64::new(i64::MIN),
        };
        let worker = || WorkerCounters {
            next_timer_ms: AtomicI64::new(i64::MAX),
            measured_ms: AtomicI64::new(i64::MIN),
            waiting_since: AtomicU64::new(u64::MAX),
            ..WorkerCounters::default()
        };
        Self {
            sources: sources.into_iter().map(source).collect(),
            sinks: sinks.into_iter().map(|name| (name, AtomicU64::new(0))).collect(),
            workers: std::iter::repeat_with(worker).take(workers).collect(),
            steps: AtomicU64::new(0),
            end: Mutex::new(End { workers_left: workers, wakers: Vec::new() }),
        }
    }

    pub(crate) fn source_name(&self, source: usize) -> &str {
        &self.sources[source].name
    }

    pub(crate) fn received(&self, source: usize, bytes: u64, records: u64, rows: u64, bad: u64) {
        let counters = &self.sources[source];
        counters.bytes.fetch_add(bytes, Ordering::Relaxed);
        counters.records.fetch_add(records, Ordering::Relaxed);
        counters.rows.fetch_add(rows, Ordering::Relaxed);
        counters.skipped.fetch_add(bad, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, sink: usize, rows: usize) {
        self.sinks[sink].1.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(crate) fn after_step(&self, index: usize, worker: &Worker, now_ms: i64) {
        let counters = &self.workers[index];
        let timer = worker.next_timer_ms().unwrap_or(i64::MAX);
        counters.next_timer_ms.store(timer, Ordering::Release);
        counters.late_rows.store(worker.late_rows(), Ordering::Relaxed);
        let since = worker.waiting_since().unwrap_or(u64::MAX);
        counters.waiting_since.store(since, Ordering::Release);
        counters.waiting_rows.store(worker.waiting_rows(), Ordering::Release);
        let measured = counters.measured_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(measured) >= MEASURE_MS {
            counters.measured_ms.store(now_ms, Ordering::Relaxed);
            self.final_state(index, worker);
        }
        if index == 0 {
            self.steps.fetch_add(1, Ordering::Relaxed);
            for (source, watermark) in self.sources.iter().zip(worker.source_watermarks()) {
                source.watermark.store(watermark.unwrap_or(i64::MIN), Ordering::Relaxed);
            }
        }
    }

    /// Measures the state now.
    pub(crate) fn final_state(&self, index: usize, worker: &Worker) {
        let counters = &self.workers[index];
        counters.state_rows.store(worker.state_rows(), Ordering::Relaxed);
        counters.state_bytes.store(worker.state_bytes(), Ordering::Relaxed);
    }

    pub(crate) fn next_timer_ms(&self) -> Option<i64> {
        let timers = self.workers.iter().map(|w| w.next_timer_ms.load(Ordering::Acquire));
        timers.min().filter(|&timer| timer != i64::MAX)
    }

    /// Rows that wait for answers from outside, on all workers, after the last step of each.
    pub(crate) fn waiting_rows(&self) -> usize {
        self.workers.iter().map(|w| w.waiting_rows.load(Ordering::Acquire)).sum()
    }

    /// A worker has ended; true if it was the last one.
    pub(crate) fn leave(&self) -> bool {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.workers_left -= 1;
        let last = end.workers_left == 0;
        let wakers = if last { std::mem::take(&mut end.wakers) } else { Vec::new() };
        drop(end);
        wakers.into_iter().for_each(Waker::wake);
        last
    }

    pub(crate) async fn finished(&self) {
        std::future::poll_fn(|cx| {
            let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
            if end.workers_left == 0 {
                return Poll::Ready(());
            }
            end.wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    pub(crate) fn progress(
        &self,
        inputs: &[Arc<InputPort>],
        outputs: &[Arc<OutputPort>],
    ) -> Progress {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let source = |(source, port): (&SourceCounters, &Arc<InputPort>)| SourceProgress {
            name: source.name.clone(),
            records: get(&source.records),
            rows: get(&source.rows),
            bytes: get(&source.bytes),
            skipped: get(&source.skipped),
            watermark: Some(source.watermark.load(Ordering::Relaxed)).filter(|&w| w != i64::MIN),
            queued_bytes: port.queued_bytes(),
        };
        let sink = |((name, rows), port): (&(String, AtomicU64), &Arc<OutputPort>)| SinkProgress {
            name: name.clone(),
            rows: get(rows),
            queued_bytes: port.queued_bytes(),
        };
        let sum = |get: fn(&WorkerCounters) -> &AtomicUsize| {
            self.workers.iter().map(|worker| get(worker).load(Ordering::Relaxed)).sum()
        };
        Progress {
            sources: self.sources.iter().zip(inputs).map(source).collect(),
            sinks: self.sinks.iter().zip(outputs).map(sink).collect(),
            late_rows: self.workers.iter().map(|worker| get(&worker.late_rows)).sum(),
            steps: get(&self.steps),
            waiting_since: (self.workers.iter())
                .map(|worker| worker.waiting_since.load(Ordering::Acquire))
                .min()
                .filter(|&step| step != u64::MAX),
            state_rows: sum(|worker| &worker.state_rows),
            state_bytes: sum(|worker| &worker.state_bytes),
        }
    }
}
