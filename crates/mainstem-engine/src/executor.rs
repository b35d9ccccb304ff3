//! Runs a plan on threads: decode, step, encode, again and again until the input ends or somebody asks to stop.
//! Invariant: all workers are in the same step; the first error or panic of any of them ends all of them, and is what
//! [`Running::join`] returns. A worker that waits holds no lock that another one needs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use mainstem_core::clock::Clock;
use mainstem_core::egress::Encode;
use mainstem_core::ingest::{DeadLetter, Decode};
use mainstem_core::{Error, Result};

use crate::checkpoint::hand_out::HandOut;
use crate::checkpoint::told::{CutCheck, restarted};
use crate::checkpoint::{CheckpointPort, CutPlace, LAST, Loaded, Restored, SplitPositions};
use crate::cutter::{Assigned, Cut, Cutter, Request, Waiting};
use crate::edges::{Decoders, Encoders};
use crate::exchange::Mail;
use crate::graph::Graph;
use crate::lookup::{Answer, LookupPort, ROWS_WAITING_MAX};
use crate::operator::StateMemory;
use crate::plan::Plan;
use crate::port::{InputPort, OutputPort};
use crate::progress::{Counters, Progress};
pub use crate::rehearsal::Cuts;
use crate::rehearsal::Rehearsal;
use crate::signal::{Barrier, Signal};
use crate::worker::{StepHeader, Worker};

/// A source of a job, in the order of the plan's source indices.
pub struct SourceSlot {
    /// The table's name, for errors and progress.
    pub name: String,
    /// One decoder per worker.
    pub decoders: Vec<Box<dyn Decode>>,
    /// Where its payloads come from.
    pub port: Arc<InputPort>,
}

/// A sink of a job, in the order of the plan's sink indices.
pub struct SinkSlot {
    /// The table's name, for errors and progress.
    pub name: String,
    /// One encoder per worker.
    pub encoders: Vec<Box<dyn Encode>>,
    /// Where its rows go.
    pub port: Arc<OutputPort>,
}

/// A table outside that a job asks, in the order of the plan's lookup indices.
#[derive(Debug)]
pub struct LookupSlot {
    /// The table's name.
    pub name: String,
    /// Where it is asked.
    pub port: Arc<LookupPort>,
}

/// Receives bad records under the policy `dead-letter`: the source's index and the records. Called on workers; should
/// return at once.
pub type DeadLetters = Arc<dyn Fn(usize, Vec<DeadLetter>) + Send + Sync>;

/// Sizes of a job.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Known rows a step takes of a source, per worker.
    pub step_rows_max: usize,
    /// Payload bytes a step takes of a source, per worker.
    pub step_bytes_max: usize,
    /// Names the threads: `pipeline/0`.
    pub name: String,
    /// Where steps are cut.
    pub cuts: Cuts,
    /// For tests: after each step workers are made anew from what a checkpoint would keep of them.
    pub restart_each_step: bool,
    /// For tests: checkpoints are cut again and again, and what they tell is compared with what workers know. Not together with
    /// `restart_each_step`: a cut is handed out over several steps of the same worker.
    pub check_cuts: bool,
    /// How much memory state may take; `None`: as much as it wants.
    pub memory: Option<StateMemory>,
}

impl Settings {
    /// The usual sizes.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            step_rows_max: 1 << 16,
            step_bytes_max: 8 << 20,
            name: name.into(),
            cuts: Cuts::AsItComes,
            restart_each_step: false,
            check_cuts: false,
            memory: None,
        }
    }
}

/// Everything an executor needs.
pub struct Job {
    /// What to compute.
    pub plan: Plan,
    /// Its sources.
    pub sources: Vec<SourceSlot>,
    /// Its sinks.
    pub sinks: Vec<SinkSlot>,
    /// What it asks.
    pub lookups: Vec<LookupSlot>,
    /// How many threads; at least 1.
    pub workers: usize,
    /// Processing time.
    pub clock: Arc<dyn Clock>,
    /// Where bad records go; `None`: nowhere.
    pub dead_letters: Option<DeadLetters>,
    /// Where checkpoints go, and what the job goes on from; `None`: there are none.
    pub checkpoints: Option<Checkpoints>,
    /// Sizes.
    pub settings: Settings,
}

/// Checkpoints of a job.
#[derive(Debug)]
pub struct Checkpoints {
    /// Where they leave.
    pub port: Arc<CheckpointPort>,
    /// What the job goes on from.
    pub restored: Option<Restored>,
}

/// Starts jobs.
#[derive(Debug)]
pub struct Executor;

/// A job that runs. Dropping it stops the job without draining.
pub struct Running {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    graph: Arc<Graph>,
    mail: Mail,
    barrier: Barrier,
    signal: Arc<Signal>,
    inputs: Vec<Arc<InputPort>>,
    outputs: Vec<Arc<OutputPort>>,
    lookups: Vec<Arc<LookupPort>>,
    checkpoints: Option<Arc<CheckpointPort>>,
    /// How many workers have a checkpoint to hand out.
    busy: Arc<AtomicUsize>,
    /// A [`Request`].
    request: AtomicU8,
    failure: Mutex<Option<Error>>,
    /// What worker 0 hands to all: the step, or that there is none.
    header: Mutex<Option<Arc<StepHeader>>>,
    payloads: Vec<Mutex<Vec<Assigned>>>,
    /// By worker, with the index of the lookup.
    answers: Vec<Mutex<Vec<(usize, Answer)>>>,
    counters: Counters,
}

/// Why a worker leaves its loop.
enum Exit {
    /// The job is done, or another worker has failed.
    Quiet,
    Failed(Error),
}

impl From<Error> for Exit {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<crate::signal::Broken> for Exit {
    fn from(_: crate::signal::Broken) -> Self {
        Self::Quiet
    }
}

impl From<crate::port::Released> for Exit {
    fn from(_: crate::port::Released) -> Self {
        Self::Quiet
    }
}

impl Executor {
    /// Checks the plan and starts the workers.
    pub fn start(mut job: Job) -> Result<Running> {
        let checkpoints = job.checkpoints.take();
        let (checkpoints, restored) = match checkpoints {
            Some(Checkpoints { port, restored }) => (Some(port), restored),
            None => (None, None),
        };
        let Restored { workers: loaded, place } = restored.unwrap_or_default();
        let (graph, mut loaded) = match loaded {
            Some(Loaded { graph, workers }) => (graph, workers),
            None => (Arc::new(Graph::new(&job.plan, job.workers)?), Vec::new()),
        };
        let shared = Arc::new(Shared::new(&job, graph, checkpoints)?);
        let Job { mut sources, mut sinks, clock, dead_letters, settings, .. } = job;
        let mut cutter = Some(shared.cutter(Arc::clone(&clock), &settings, place));
        let workers = shared.graph.workers;
        let mut loops = Vec::with_capacity(workers);
        for index in (0..workers).rev() {
            let worker = match loaded.pop() {
                Some(worker) => worker,
                None => shared.new_worker(index, &settings)?,
            };
            let hand_out = shared.checkpoints.as_ref().map(|port| {
                HandOut::new(Arc::clone(port), Arc::clone(&clock), Arc::clone(&shared.busy))
            });
            loops.push(WorkerLoop {
                hand_out,
                check: settings.check_cuts.then(|| CutCheck::new(&worker)),
                index,
                worker,
                decoders: Decoders::new(&mut sources, &shared.graph, dead_letters.clone()),
                encoders: Encoders::new(&mut sinks),
                cutter: if index == 0 { cutter.take() } else { None },
                restart_each_step: settings.restart_each_step,
                shared: Arc::clone(&shared),
            });
        }
        Ok(Running::of(shared, loops, &settings.name))
    }
}

impl Running {
    /// Starts a thread for each worker.
    fn of(shared: Arc<Shared>, loops: Vec<WorkerLoop>, name: &str) -> Self {
        let mut running = Self { shared, threads: Vec::with_capacity(loops.len()) };
        for worker in loops {
            let name = format!("{name}/{}", worker.index);
            let thread = std::thread::Builder::new().name(name).spawn(move || worker.run());
            let thread = thread.map_err(|e| {
                Error::new(mainstem_core::ErrorKind::Exhausted, "cannot start a worker thread")
                    .with_source(e)
            });
            match thread {
                Ok(thread) => running.threads.push(thread),
                Err(e) => {
                    running.shared.fail(e);
                    running.shared.close();
                    break;
                }
            }
        }
        running
    }
}

impl Shared {
    fn new(job: &Job, graph: Arc<Graph>, checkpoints: Option<Arc<CheckpointPort>>) -> Result<Self> {
        let Job { plan, sources, sinks, lookups, .. } = job;
        let workers = graph.workers;
        if workers != job.workers.max(1) || graph.plan.nodes.len() != plan.nodes.len() {
            return Err(Error::internal("a job goes on with the workers of another one"));
        }
        let ends = [sources.len(), sinks.len(), lookups.len()];
        if ends != [plan.sources, plan.sinks, plan.lookups] {
            return Err(Error::internal("a job has other ends than its plan"));
        }
        if sources.iter().any(|s| s.decoders.len() != workers)
            || sinks.iter().any(|s| s.encoders.len() != workers)
        {
            return Err(Error::internal("a job needs one decoder and one encoder per worker"));
        }
        let signal = Arc::new(Signal::default());
        let shared = Self {
            mail: Mail::new(plan.nodes.len(), workers),
            barrier: Barrier::new(workers),
            signal: Arc::clone(&signal),
            inputs: sources.iter().map(|source| Arc::clone(&source.port)).collect(),
            outputs: sinks.iter().map(|sink| Arc::clone(&sink.port)).collect(),
            lookups: lookups.iter().map(|lookup| Arc::clone(&lookup.port)).collect(),
            checkpoints,
            busy: Arc::default(),
            request: AtomicU8::new(Request::Run as u8),
            failure: Mutex::default(),
            header: Mutex::default(),
            payloads: std::iter::repeat_with(Mutex::default).take(workers).collect(),
            answers: std::iter::repeat_with(Mutex::default).take(workers).collect(),
            counters: Counters::new(
                sources.iter().map(|source| source.name.clone()).collect(),
                sinks.iter().map(|sink| sink.name.clone()).collect(),
                workers,
            ),
            graph,
        };
        shared.inputs.iter().for_each(|port| port.attach(&signal));
        shared.lookups.iter().for_each(|port| port.attach(&signal));
        shared.checkpoints.iter().for_each(|port| port.attach(&signal));
        Ok(shared)
    }

    /// A worker that knows nothing.
    fn new_worker(&self, index: usize, settings: &Settings) -> Result<Worker> {
        let mut worker = Worker::new(&self.graph, index)?;
        worker.set_memory(settings.memory.clone());
        if self.checkpoints.is_some() {
            // What cannot be kept is to be known now, and not at the first checkpoint.
            (0..self.graph.plan.nodes.len()).try_for_each(|node| {
                let tables = worker.tables(node).map(drop);
                tables.map_err(|e| e.context(&self.graph.node(node).name))
            })?;
        }
        Ok(worker)
    }

    /// Cuts steps from `place` on.
    fn cutter(&self, clock: Arc<dyn Clock>, settings: &Settings, place: CutPlace) -> Cutter {
        let workers = self.graph.workers;
        let sources = self.inputs.len();
        let mut positions: Vec<SplitPositions> =
            place.sources.into_iter().map(|(positions, _)| positions).collect();
        positions.resize_with(sources, SplitPositions::new);
        Cutter {
            ports: self.inputs.clone(),
            lookups: self.lookups.clone(),
            signal: Arc::clone(&self.signal),
            clock,
            workers,
            bytes_max: settings.step_bytes_max * workers,
            rows_max: settings.step_rows_max * workers,
            finished: vec![false; sources],
            started: false,
            ended: false,
            now_ms: place.now_ms,
            positions,
            checkpoint: 0,
            rehearsal: Rehearsal::new(settings.cuts, sources),
        }
    }

    fn request(&self) -> Request {
        match self.request.load(Ordering::Acquire) {
            0 => Request::Run,
            1 => Request::Drain,
            2 => Request::DrainAndClose,
            _ => Request::Stop,
        }
    }

    fn ask(&self, request: Request) {
        self.request.fetch_max(request as u8, Ordering::AcqRel);
        if request == Request::Stop {
            self.outputs.iter().for_each(|port| port.release());
        }
        self.signal.notify();
    }

    /// Keeps the first error, and lets everybody go.
    fn fail(&self, error: Error) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
        drop(failure);
        self.ask(Request::Stop);
        self.barrier.shatter();
    }

    /// Closes the doors; the last worker to leave does it.
    fn close(&self) {
        self.inputs.iter().for_each(|port| port.close());
        self.outputs.iter().for_each(|port| port.finish());
        self.lookups.iter().for_each(|port| port.finish());
        self.checkpoints.iter().for_each(|port| port.finish());
    }
}

struct WorkerLoop {
    index: usize,
    worker: Worker,
    decoders: Decoders,
    encoders: Encoders,
    /// On worker 0.
    cutter: Option<Cutter>,
    hand_out: Option<HandOut>,
    check: Option<CutCheck>,
    restart_each_step: bool,
    shared: Arc<Shared>,
}

impl WorkerLoop {
    fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let exit = catch_unwind(AssertUnwindSafe(|| self.steps()));
        match exit {
            Ok(Ok(())) | Ok(Err(Exit::Quiet)) => {}
            Ok(Err(Exit::Failed(error))) => shared.fail(error),
            Err(panic) => shared.fail(panic_error(panic.as_ref(), self.index)),
        }
        // A worker that leaves alone takes the others with it.
        shared.barrier.shatter();
        if shared.counters.leave() {
            shared.close();
        }
    }

    fn steps(&mut self) -> Result<(), Exit> {
        loop {
            self.cut();
            self.shared.barrier.wait()?;
            let header = self.shared.header.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Some(header) = header else { return self.cut_last(false) };
            if header.is_pause {
                self.hand_out()?;
                self.shared.barrier.wait()?;
                continue;
            }
            self.step(&header)?;
            self.shared.counters.after_step(self.index, &self.worker, header.now_ms);
            if self.restart_each_step {
                self.worker = restarted(&mut self.worker)?;
            }
            self.shared.barrier.wait()?;
            // The same on all workers: none runs the next step before all were here.
            let ended = header.sources.iter().all(|events| events.finished);
            if ended && self.shared.counters.waiting_rows() == 0 {
                self.shared.counters.final_state(self.index, &self.worker);
                self.cut_last(true)?;
                return self.shared.barrier.wait().map_err(Exit::from);
            }
            match header.checkpoint {
                Some(number) => self.cut_checkpoint(number, false)?,
                None if self.index == 0 => {
                    self.shared.checkpoints.iter().for_each(|port| port.set_changed(true));
                }
                None => {}
            }
            self.hand_out()?;
        }
    }

    /// Some milliseconds of what a checkpoint still needs of this worker.
    fn hand_out(&mut self) -> Result<(), Exit> {
        if let Some(check) = &mut self.check {
            check.go_on(&mut self.worker)?;
        }
        match &mut self.hand_out {
            Some(hand_out) => Ok(hand_out.go_on(&mut self.worker)?),
            None => Ok(()),
        }
    }

    /// Behind the last step, unless the job is to stop where it is.
    fn cut_last(&mut self, ended: bool) -> Result<(), Exit> {
        if let Some(check) = &mut self.check {
            check.finish(&mut self.worker)?;
        }
        if self.shared.request() == Request::Stop {
            return Ok(());
        }
        self.cut_checkpoint(LAST, ended)?;
        match &mut self.hand_out {
            Some(hand_out) => Ok(hand_out.finish(&mut self.worker)?),
            None => Ok(()),
        }
    }

    /// Begins to hand in what this worker knows. All rows of the steps before are in the output ports, and none of the next step:
    /// it begins when worker 0 is back.
    fn cut_checkpoint(&mut self, number: u64, ended: bool) -> Result<(), Exit> {
        let Some(hand_out) = &mut self.hand_out else { return Ok(()) };
        hand_out.finish(&mut self.worker)?;
        let place = self.cutter.as_ref().map(|cutter| {
            self.shared.checkpoints.iter().for_each(|port| port.set_changed(false));
            self.shared.outputs.iter().for_each(|port| port.push_cut(number));
            CutPlace { ended, ..cutter.place() }
        });
        Ok(hand_out.begin(&mut self.worker, number, place)?)
    }

    /// On worker 0: puts the next step where all workers find it.
    fn cut(&mut self) {
        let Some(cutter) = &mut self.cutter else { return };
        let shared = &self.shared;
        let waiting = match shared.counters.waiting_rows() {
            0 => Waiting::None,
            rows if rows < ROWS_WAITING_MAX * shared.graph.workers => Waiting::Some,
            _ => Waiting::TooMany,
        };
        let wanted = || shared.checkpoints.as_ref().map_or(0, |port| port.wanted());
        let timer = shared.counters.next_timer_ms();
        let port = shared.checkpoints.as_ref();
        let busy =
            || shared.busy.load(Ordering::Acquire) > 0 && port.is_some_and(|port| port.has_room());
        let cut = cutter.next(timer, waiting, || shared.request(), wanted, busy);
        let mut header = shared.header.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Cut { header: next, payloads, answers, .. }) = cut else {
            *header = None;
            return;
        };
        *header = Some(Arc::new(next));
        for (slot, payloads) in shared.payloads.iter().zip(payloads) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = payloads;
        }
        for (lookup, answer) in answers {
            let slot = &shared.answers[answer.ticket.worker];
            slot.lock().unwrap_or_else(PoisonError::into_inner).push((lookup, answer));
        }
    }

    fn step(&mut self, header: &StepHeader) -> Result<(), Exit> {
        let shared = &self.shared;
        let slot = &shared.payloads[self.index];
        let payloads = std::mem::take(&mut *slot.lock().unwrap_or_else(PoisonError::into_inner));
        let slot = &shared.answers[self.index];
        for (lookup, answer) in slot.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            self.worker.answers[lookup].push(answer);
        }
        let mut rows = self.decoders.decode(payloads, header.now_ms, &shared.counters)?;
        for phase in 0..shared.graph.phases.len() {
            if phase > 0 {
                shared.barrier.wait()?;
            }
            self.worker.phase(phase, header, &mut rows, &shared.mail)?;
        }
        self.worker.put_aside()?;
        for (questions, port) in self.worker.questions.iter_mut().zip(&shared.lookups) {
            if !questions.is_empty() {
                port.ask(questions.drain(..));
            }
        }
        let outputs = self.worker.outputs.iter_mut().zip(&shared.outputs).enumerate();
        for (sink, (batches, port)) in outputs {
            for batch in batches.drain(..) {
                let encoded = self.encoders.encode(sink, &batch)?;
                shared.counters.sent(sink, batch.rows());
                port.push(encoded)?;
            }
        }
        Ok(())
    }
}

fn panic_error(panic: &(dyn std::any::Any + Send), worker: usize) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Error::internal(format!("worker {worker} panicked: {text}"))
        .with_hint("this is a bug in Mainstem; please report it with the SQL that ran")
}

impl std::fmt::Debug for SourceSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceSlot").field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SinkSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SinkSlot").field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("settings", &self.settings)
            .field("workers", &self.workers)
            .field("sources", &self.sources)
            .field("sinks", &self.sinks)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("progress", &self.progress()).finish()
    }
}

impl Running {
    /// Asks the workers to stop; returns at once. `drain`: what is in the input ports is handled first. (Close the
    /// sources before, or it may never end.) `close_windows`: after that, open windows and other results that wait
    /// for the end of input come out, as if the input had ended.
    pub fn stop(&self, drain: bool, close_windows: bool) {
        self.shared.ask(match (drain, close_windows) {
            (false, _) => Request::Stop,
            (true, false) => Request::Drain,
            (true, true) => Request::DrainAndClose,
        });
    }

    /// How far the job is.
    pub fn progress(&self) -> Progress {
        self.shared.counters.progress(&self.shared.inputs, &self.shared.outputs)
    }

    /// Waits until all workers have ended, without blocking a thread.
    pub async fn finished(&self) {
        self.shared.counters.finished().await;
    }

    /// Blocks until all workers have ended. Returns the job's last progress, or its first error.
    pub fn join(mut self) -> Result<Progress> {
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                self.shared.fail(panic_error(panic.as_ref(), 0));
            }
        }
        let failure = self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        match failure {
            Some(error) => Err(error),
            None => Ok(self.progress()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.shared.ask(Request::Stop);
        }
    }
}
