//! A job of the SQL front, run: its async edges around the sync engine.
//! Invariant: nothing hangs and nothing is lost silently. The first error of any part stops all parts and is the one
//! that is reported; a sink is closed only after everything was written and acknowledged.
//!
//! | file | what |
//! |---|---|
//! | `edges` | tables to sources and sinks: all errors before anything starts |
//! | `source`, `sink` | the tasks that feed input ports and drain output ports |
//! | `lookup` | the tasks that ask tables by keys |
//! | `memory` | how much of it state may take |
//! | `acknowledge` | without checkpoints: which positions have left the pipeline |
//! | `resume`, `changed`, `durable` | with them: where a job goes on, with what of it if its SQL has changed, and how its ends are tied to them |
//! | `checkpoints`, `writing` | the task that takes them, and the thread that writes what workers hand in |
//! | `dead_letters` | where bad records go |
//! | `interrupts` | Ctrl-C, once and twice |
//! | `terminal`, `report` | the live line, notices, the summary |
//! | `job` | all of them together, from open to close |

mod acknowledge;
mod changed;
mod checkpoints;
mod dead_letters;
mod durable;
pub(crate) mod edges;
pub(crate) mod interrupts;
mod job;
mod lookup;
mod memory;
pub(crate) mod report;
mod resume;
mod sink;
mod source;
pub(crate) mod terminal;
mod writing;

use std::sync::Arc;

use mainstem_connectors::api::Environment;
use mainstem_connectors::filesystem::files::LocalFiles;
use mainstem_connectors::kafka::embedded::is_embedded;
use mainstem_core::{Error, ErrorKind};
use mainstem_engine::executor::Cuts;
use mainstem_sql::job::{Job, SinkTarget};

use crate::broker::Embedded;
use crate::cli::OutputKind;
use crate::clock::SystemClock;
use crate::failure::{Failure, Outcome};
use crate::script::Declarations;
pub(crate) use changed::ChangedSql;
use edges::Edges;
use interrupts::Interrupts;
pub(crate) use resume::StateSettings;
use terminal::Terminal;

/// How a job is run.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// From the command line.
    pub(crate) parallelism: Option<usize>,
    /// On Ctrl-C, open windows are closed.
    pub(crate) close_windows: bool,
    /// How a bare SELECT is printed.
    pub(crate) output: OutputKind,
    /// Neither progress nor summary.
    pub(crate) quiet: bool,
    /// Progress may be shown: no other job runs beside it.
    pub(crate) live_line: bool,
    /// The door to the broker of this process; it is opened before a job that needs it is run.
    pub(crate) embedded: Embedded,
    /// Where steps are cut; tests choose.
    pub(crate) cuts: Cuts,
    /// New workers after each step.
    pub(crate) restarts: bool,
    /// Where checkpoints are; `None`: there are none.
    pub(crate) state: Option<StateSettings>,
}

/// A job with its ends, ready to be started.
pub(crate) struct Prepared {
    job: Job,
    edges: Edges,
    workers: usize,
    environment: Environment,
    terminal: Arc<Terminal>,
}

impl Prepared {
    /// Whether the job reads or writes topics of the broker of this process.
    pub(crate) fn needs_broker(&self) -> bool {
        let sources = self.job.sources.iter().map(|source| &source.table);
        let sinks = self.job.sinks.iter().filter_map(|sink| match &sink.target {
            SinkTarget::Table(table) => Some(table),
            SinkTarget::Console => None,
        });
        sources.chain(sinks).any(|table| is_embedded(&table.options))
    }
}

/// Validates and builds all ends of a job; connects to nothing.
pub(crate) fn prepare(
    job: Job,
    settings: &Settings,
    declarations: &Declarations,
) -> Outcome<Prepared> {
    let terminal = Arc::new(Terminal::new(settings.quiet, settings.live_line));
    let environment = environment(&job, Arc::clone(&terminal), &settings.embedded)?;
    let workers = workers(&job, settings.parallelism)?;
    let edges = edges::build(&job, settings.output, workers, &environment).map_err(|errors| {
        let located = errors.iter().map(|e| declarations.locate(&e.table, &e.error));
        Failure::Refused(located.collect())
    })?;
    Ok(Prepared { job, edges, workers, environment, terminal })
}

/// Runs jobs.
#[derive(Debug)]
pub(crate) struct Runner {
    /// There until the drop.
    runtime: Option<tokio::runtime::Runtime>,
    interrupts: Interrupts,
}

impl Runner {
    /// Starts the threads of the edges.
    pub(crate) fn new() -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("edges")
            .enable_all()
            .build()
            .map_err(|e| {
                let error = Error::new(ErrorKind::Exhausted, "cannot start threads");
                Failure::Runtime(error.with_source(e))
            })?;
        let interrupts = runtime.block_on(async { Interrupts::listen() });
        let interrupts = interrupts.map_err(|e| {
            Failure::Runtime(Error::internal("cannot listen for signals").with_source(e))
        })?;
        Ok(Self { runtime: Some(runtime), interrupts })
    }

    /// Runs a job to its end. False if Ctrl-C ended it: then nothing more is to be run.
    pub(crate) async fn run(&self, prepared: Prepared, settings: &Settings) -> Outcome<bool> {
        job::run(prepared, settings, self.interrupts.clone()).await
    }

    /// Does what the first Ctrl-C does: all that run write what they have read, and end.
    pub(crate) fn finish(&self) {
        self.interrupts.finish();
    }

    /// Waits for `work`, but not beyond a second Ctrl-C.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        let mut second = self.interrupts.clone();
        let runtime = self.runtime.as_ref().expect("the runtime is there until the drop");
        runtime.block_on(async {
            tokio::select! {
                outcome = work => outcome,
                () = second.second() => Err(Failure::Interrupted(
                    "stopped before everything that was read was written",
                )),
            }
        })
    }

    /// Waits for `work`, but not beyond the first Ctrl-C, which is no failure.
    pub(crate) async fn until_interrupted(&self, work: impl Future<Output = Outcome>) -> Outcome {
        let mut first = self.interrupts.clone();
        tokio::select! {
            outcome = work => outcome,
            () = first.first() => Ok(()),
        }
    }
}

impl Drop for Runner {
    /// What still waits for an outside system, or for a reader of stdout, is left where it is.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn environment(job: &Job, terminal: Arc<Terminal>, embedded: &Embedded) -> Outcome<Environment> {
    let base_dir = std::env::current_dir().map_err(|e| {
        let error = Error::user("the working directory cannot be found");
        Failure::Usage(error.with_source(e))
    })?;
    let zone = job.settings.get("table.local-time-zone").map_or("UTC", String::as_str);
    Ok(Environment {
        clock: Arc::new(SystemClock),
        observer: terminal,
        base_dir,
        time_zone: zone.to_owned(),
        files: Arc::new(LocalFiles),
        embedded: Some(Arc::new(embedded.clone())),
    })
}

/// What `--parallelism` says, else `SET 'parallelism.default'`, else one.
pub(crate) fn workers(job: &Job, asked: Option<usize>) -> Outcome<usize> {
    const KEY: &str = "parallelism.default";
    match (asked, job.settings.get(KEY)) {
        (Some(workers), _) => Ok(workers),
        (None, None) => Ok(1),
        (None, Some(text)) => match text.trim().parse() {
            Ok(workers) if workers > 0 => Ok(workers),
            _ => Err(Failure::Usage(
                Error::user(format!("'{KEY}' is '{text}', which is not a number of workers"))
                    .with_hint(format!("write SET '{KEY}' = '2'")),
            )),
        },
    }
}
