//! One job from open to close: sinks are opened, the engine started, sources read, and all of it watched.
//! Invariant: on success every row was flushed, every sink closed, and only then are positions acknowledged. On the
//! first failure everything is stopped, and nothing is closed as if it were complete.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use mainstem_connectors::api::Sink;
use mainstem_core::clock::Clock;
use mainstem_core::egress::Encode;
use mainstem_core::{Error, Result};
use mainstem_engine::executor::{self, Executor, LookupSlot, Running, SinkSlot, SourceSlot};
use mainstem_engine::lookup::LookupPort;
use mainstem_engine::operator::StateMemory;
use mainstem_engine::port::{INPUT_BYTES_MAX, InputPort, OUTPUT_BYTES_MAX, OutputPort};
use mainstem_engine::progress::Progress;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::acknowledge::{Acknowledger, Positions, SinkGauge, SourceGauge};
use super::dead_letters::DeadLetterTargets;
use super::durable::Durable;
use super::edges::{self, LookupEdge, SinkEdge, SourceEdge};
use super::interrupts::Interrupts;
use super::report::{self, Look};
use super::resume::Successor;
use super::sink::CheckpointTies;
use super::source::{self, Fed, Ties};
use super::terminal::Terminal;
use super::{Prepared, Settings, StateSettings, lookup, memory, sink};
use crate::clock::Stopwatch;
use crate::failure::{Failure, Outcome};

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Rates are told over this many looks.
const LOOKS: usize = 8;

/// A sink that has taken everything.
struct Drained {
    name: String,
    stdout: bool,
    sink: Box<dyn Sink>,
}

/// The tasks of a job.
struct Parts {
    sources: JoinSet<Outcome<Fed>>,
    sinks: JoinSet<Outcome<Drained>>,
    lookups: JoinSet<Outcome>,
    dead_letters: JoinSet<Outcome>,
    stop_sources: watch::Sender<bool>,
    acknowledger: Acknowledger,
    /// The one task of checkpoints, if they are taken.
    checkpoints: JoinSet<Outcome>,
}

/// What the parts gave back.
#[derive(Default)]
struct Done {
    sources: Vec<Fed>,
    sinks: Vec<Drained>,
}

/// Runs a job. False if Ctrl-C ended it.
pub(super) async fn run(
    prepared: Prepared,
    settings: &Settings,
    mut interrupts: Interrupts,
) -> Outcome<bool> {
    let stopwatch = Stopwatch::start();
    let clock: Arc<dyn Clock> = Arc::clone(&prepared.environment.clock);
    let terminal = Arc::clone(&prepared.terminal);
    let prints = prepared.edges.sinks.iter().any(|sink| sink.stdout);
    let started = tokio::select! {
        started = start(prepared, settings) => started?,
        () = interrupts.first() => {
            return Err(Failure::Interrupted("stopped before it had started"));
        }
    };
    let Some((running, parts, dead_letters)) = started else { return Ok(true) };
    let live = terminal.is_live(prints).then(|| Live {
        terminal: Arc::clone(&terminal),
        clock,
        stopwatch,
        looks: VecDeque::new(),
    });
    let mut supervisor = Supervisor { running, parts, done: Done::default(), stopping: false };
    let watched = supervisor.watch(settings, &mut interrupts, live).await;
    let ended = supervisor.end(watched).await;
    terminal.clear();
    let (progress, stopped) = ended?;
    let look = Look { seconds: stopwatch.seconds(), progress };
    let letters = dead_letters.load(Ordering::Relaxed);
    terminal.summary(&report::summary(&look, stopped, letters));
    Ok(!stopped)
}

/// Finds where a job goes on. If its statements do not all share what they read, it is planned accordingly.
async fn go_on(
    prepared: &mut Prepared,
    state: &StateSettings,
    settings: &Settings,
    memory: Option<&StateMemory>,
) -> Outcome<Durable> {
    let Prepared { job, edges, workers, environment, terminal } = prepared;
    let successor = Successor { job, workers: *workers, memory };
    let mut durable = Durable::open(state, successor, terminal, environment.clock.now_ms()).await?;
    if let Some(planned) = durable.take_planned() {
        *job = planned;
        let built = edges::build(job, settings.output, *workers, environment);
        // They were good when they were built for the job that was asked for.
        *edges = built.map_err(|errors| {
            let error =
                errors.into_iter().next().map(|e| e.error.context(format!("table '{}'", e.table)));
            Failure::Runtime(error.unwrap_or_else(|| Error::internal("a job without its ends")))
        })?;
    }
    Ok(durable)
}

/// Opens sinks and dead-letter targets, then starts the engine and the tasks around it. `None`: the job had ended before.
async fn start(
    mut prepared: Prepared,
    settings: &Settings,
) -> Outcome<Option<(Running, Parts, Arc<AtomicU64>)>> {
    let is_cut = settings.cuts != executor::Cuts::AsItComes;
    let memory = memory::of(&prepared, is_cut).map_err(Failure::Runtime)?;
    let mut durable = match &settings.state {
        Some(state) => Some(go_on(&mut prepared, state, settings, memory.as_ref()).await?),
        None => None,
    };
    let Prepared { job, edges, workers, environment, terminal } = prepared;
    let tables: Vec<_> = edges.sources.iter().map(|source| source.table.clone()).collect();
    let letters = DeadLetterTargets::open(&tables, &environment).await;
    let letters = letters.map_err(Failure::Runtime)?;
    let counter = letters.as_ref().map(DeadLetterTargets::counter).unwrap_or_default();
    // Before the sinks: a table that cannot be asked leaves no trace in them.
    if durable.as_ref().is_some_and(Durable::is_ended) {
        show_what_was_prepared(edges.sinks, durable.as_mut()).await?;
        return Ok(None);
    }
    let (lookup_slots, lookups) = open_lookups(edges.lookups).await?;
    let asked = lookups.len();
    let sinks = OpenSinks::open(edges.sinks, workers, durable.as_mut()).await?;
    let stop_sources = watch::Sender::new(false);
    let (mut source_slots, mut source_tasks) = (Vec::new(), Vec::new());
    let mut source_gauges = Vec::new();
    for SourceEdge { table, source, decoders } in edges.sources {
        let (tell, acknowledged) = watch::channel(Positions::new());
        let gauge = Arc::new(SourceGauge::default());
        let (names, restored) = match &mut durable {
            Some(durable) => durable.source(&table.name, tell),
            None => {
                source_gauges.push((Arc::clone(&gauge), tell));
                Default::default()
            }
        };
        let port = InputPort::new(INPUT_BYTES_MAX);
        let slot = SourceSlot { name: table.name.clone(), decoders, port: Arc::clone(&port) };
        source_slots.push(slot);
        let stop = stop_sources.subscribe();
        let ties = Ties { port, stop, gauge, acknowledged, names, restored };
        source_tasks.push(source::feed(source, ties).map(move |fed| {
            fed.map_err(|e| Failure::Runtime(e.context(format!("table '{}'", table.name))))
        }));
    }
    let mut dead_letters = JoinSet::new();
    let receive = letters.map(|targets| {
        let (receive, work) = targets.start();
        dead_letters.spawn(work.map(|done| done.map_err(Failure::Runtime)));
        receive
    });
    let running = Executor::start(executor::Job {
        plan: job.plan,
        sources: source_slots,
        sinks: sinks.slots,
        lookups: lookup_slots,
        workers,
        clock: Arc::clone(&environment.clock),
        dead_letters: receive,
        checkpoints: durable.as_mut().map(Durable::engine),
        settings: executor::Settings {
            cuts: settings.cuts,
            restart_each_step: settings.restarts,
            // Steps that a test has cut are those in which checkpoints are tried out.
            check_cuts: is_cut && !settings.restarts,
            memory,
            ..executor::Settings::new("worker")
        },
    });
    let running = running.map_err(Failure::Runtime)?;
    let mut parts = Parts {
        sources: source_tasks.into_iter().collect(),
        sinks: sinks.tasks,
        lookups,
        dead_letters,
        stop_sources,
        acknowledger: Acknowledger::new(source_gauges, sinks.gauges, asked),
        checkpoints: JoinSet::new(),
    };
    if let Some(durable) = durable {
        let task = durable.checkpointer(workers, Arc::clone(&environment.clock), terminal);
        parts.checkpoints.spawn(task.run().map(|done| done.map_err(Failure::Runtime)));
    }
    Ok(Some((running, parts, counter)))
}

/// Sinks that are open, with the tasks that write to them.
#[derive(Default)]
struct OpenSinks {
    slots: Vec<SinkSlot>,
    tasks: JoinSet<Outcome<Drained>>,
    gauges: Vec<Arc<SinkGauge>>,
}

impl OpenSinks {
    async fn open(
        edges: Vec<SinkEdge>,
        workers: usize,
        mut durable: Option<&mut Durable>,
    ) -> Outcome<Self> {
        let mut all = Self::default();
        let mut drains = Vec::with_capacity(edges.len());
        for mut edge in edges {
            let gauge = Arc::new(SinkGauge::default());
            let opened = open(&mut edge, workers, &gauge, durable.as_deref_mut()).await;
            let opened = opened.map_err(|error| sink_failure(&edge.name, edge.stdout, error));
            let (encoders, ties) = opened?;
            let port = OutputPort::new(OUTPUT_BYTES_MAX);
            let slot = SinkSlot { name: edge.name.clone(), encoders, port: Arc::clone(&port) };
            all.slots.push(slot);
            all.gauges.push(Arc::clone(&gauge));
            drains.push(drain(edge, port, gauge, ties));
        }
        // When all are open: before that there is nothing to write.
        all.tasks = drains.into_iter().collect();
        Ok(all)
    }
}

/// Opens tables that are asked by keys, and starts to ask them.
async fn open_lookups(edges: Vec<LookupEdge>) -> Outcome<(Vec<LookupSlot>, JoinSet<Outcome>)> {
    let (mut slots, mut tasks) = (Vec::new(), JoinSet::new());
    for LookupEdge { name, mut lookup } in edges {
        let failure = {
            let name = name.clone();
            move |error: Error| Failure::Runtime(error.context(format!("table '{name}'")))
        };
        lookup.open().await.map_err(&failure)?;
        let port = LookupPort::new();
        slots.push(LookupSlot { name, port: Arc::clone(&port) });
        tasks.spawn(lookup::answer(lookup, port).map(move |asked| asked.map_err(failure)));
    }
    Ok((slots, tasks))
}

/// The run that ended may have been killed between its last checkpoint and the commits of it.
async fn show_what_was_prepared(
    sinks: Vec<SinkEdge>,
    mut durable: Option<&mut Durable>,
) -> Outcome {
    for mut edge in sinks {
        let gauge = Arc::default();
        let shown = match open(&mut edge, 0, &gauge, durable.as_deref_mut()).await {
            Ok(_) => edge.sink.close().await,
            Err(error) => Err(error),
        };
        shown.map_err(|error| sink_failure(&edge.name, edge.stdout, error))?;
    }
    Ok(())
}

/// Opens a sink and makes its encoders, one a worker.
async fn open(
    edge: &mut SinkEdge,
    workers: usize,
    gauge: &Arc<SinkGauge>,
    durable: Option<&mut Durable>,
) -> Result<(Vec<Box<dyn Encode>>, Option<CheckpointTies>)> {
    edge.sink.open().await?;
    let ties = match durable {
        Some(durable) => Some(durable.sink(&mut *edge.sink).await?),
        None => None,
    };
    let encoders = (0..workers).map(|_| Ok(gauge.counted(edge.sink.encoder()?)));
    Ok((encoders.collect::<Result<_>>()?, ties))
}

async fn drain(
    edge: SinkEdge,
    port: Arc<OutputPort>,
    gauge: Arc<SinkGauge>,
    ties: Option<CheckpointTies>,
) -> Outcome<Drained> {
    let SinkEdge { name, sink, stdout, .. } = edge;
    match sink::drain(sink, port, gauge, ties).await {
        Ok(sink) => Ok(Drained { name, stdout, sink }),
        Err(error) => Err(sink_failure(&name, stdout, error)),
    }
}

/// A sink's error; that nobody reads stdout any more is none.
fn sink_failure(name: &str, stdout: bool, error: Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && stdout
            && io.kind() == std::io::ErrorKind::BrokenPipe
        {
            return Failure::OutputClosed;
        }
        cause = inner.source();
    }
    Failure::Runtime(if stdout { error } else { error.context(format!("table '{name}'")) })
}

/// Watches over the parts of a running job.
struct Supervisor {
    running: Running,
    parts: Parts,
    done: Done,
    /// Ctrl-C came.
    stopping: bool,
}

impl Supervisor {
    /// Returns when the engine has ended, or with the first failure of the edges.
    async fn watch(
        &mut self,
        settings: &Settings,
        interrupts: &mut Interrupts,
        mut live: Option<Live>,
    ) -> Outcome {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = self.running.finished() => return Ok(()),
                Some(ended) = self.parts.sources.join_next() => {
                    match joined(ended) {
                        Ok(fed) => self.done.sources.push(fed),
                        // Whoever still hands in when the engine has ended is told so; that is no failure.
                        Err(_) if self.running.finished().now_or_never().is_some() => {}
                        Err(failure) => return Err(failure),
                    }
                    self.drain_if_read(settings);
                }
                Some(ended) = self.parts.sinks.join_next() => {
                    self.done.sinks.push(joined(ended)?);
                }
                Some(ended) = self.parts.dead_letters.join_next() => joined(ended)?,
                Some(ended) = self.parts.lookups.join_next() => joined(ended)?,
                Some(ended) = self.parts.checkpoints.join_next() => joined(ended)?,
                () = interrupts.first(), if !self.stopping => {
                    self.stopping = true;
                    self.parts.stop_sources.send_replace(true);
                    self.drain_if_read(settings);
                }
                _ = ticks.tick() => {
                    self.parts.acknowledger.advance(&self.running.progress());
                    if let Some(live) = &mut live {
                        live.show(&self.running);
                    }
                }
            }
        }
    }

    /// After Ctrl-C: when no reader is left, the engine handles what was read and ends.
    fn drain_if_read(&self, settings: &Settings) {
        if self.stopping && self.parts.sources.is_empty() {
            self.running.stop(true, settings.close_windows);
        }
    }

    /// Stops what still runs and waits for the workers. If all went well, waits for all rows to be written, closes the
    /// sinks and acknowledges; else drops everything, which aborts what is left.
    async fn end(self, watched: Outcome) -> Outcome<(Progress, bool)> {
        let Supervisor { running, mut parts, mut done, stopping } = self;
        parts.stop_sources.send_replace(true);
        if watched.is_err() {
            running.stop(false, false);
            // A worker may wait for room there.
            parts.dead_letters.abort_all();
            parts.lookups.abort_all();
            parts.checkpoints.abort_all();
        }
        running.finished().await;
        let worked = running.join();
        watched?;
        let progress = worked.map_err(Failure::Runtime)?;
        // Sinks wait for what the last checkpoint commits.
        while let Some(ended) = parts.checkpoints.join_next().await {
            joined(ended)?;
        }
        while let Some(ended) = parts.sinks.join_next().await {
            done.sinks.push(joined(ended)?);
        }
        while let Some(ended) = parts.dead_letters.join_next().await {
            joined(ended)?;
        }
        while let Some(ended) = parts.sources.join_next().await {
            // What a reader could not hand in any more is simply not acknowledged.
            if let Ok(Ok(fed)) = ended {
                done.sources.push(fed);
            }
        }
        for Drained { name, stdout, sink } in &mut done.sinks {
            let closed = sink.close().await;
            closed.map_err(|error| sink_failure(name, *stdout, error))?;
        }
        for fed in &mut done.sources {
            fed.acknowledge().map_err(Failure::Runtime)?;
        }
        Ok((progress, stopping))
    }
}

/// A task's result; a panic is a failure like others.
fn joined<T>(ended: Result<Outcome<T>, JoinError>) -> Outcome<T> {
    ended.map_err(|panic| {
        let error = Error::internal("a task of the pipeline stopped unexpectedly");
        Failure::Runtime(
            error.with_source(panic).with_hint("this is a bug in Mainstem; please report it"),
        )
    })?
}

/// The live line and what it is told from.
struct Live {
    terminal: Arc<Terminal>,
    clock: Arc<dyn Clock>,
    stopwatch: Stopwatch,
    looks: VecDeque<Look>,
}

impl Live {
    fn show(&mut self, running: &Running) {
        let now = Look { seconds: self.stopwatch.seconds(), progress: running.progress() };
        if let Some(before) = self.looks.front() {
            self.terminal.show(report::live_line(before, &now, self.clock.now_ms()));
        }
        self.looks.push_back(now);
        if self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
    }
}
