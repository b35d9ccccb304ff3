//! A pipeline with checkpoints in one seeded world: the engine, its state, the embedded broker and files on one faulty disk. Rows
//! come from memory, from a topic or from files; sinks are topics, files, and a model of a database outside.
//! The process is killed and the machine stops between any two operations; writes are torn and lost, fail, or find no space; commits
//! come late and twice; bits flip in what was stored.
//! Invariant: at the end each target shows what a batch answer shows, also after the power was lost once more, and no checkpoint that
//! was complete is damaged, unless a bit has flipped: then the start says so, or the bit did not matter. That the checkers see what
//! they are for is shown by breaking one rule of the protocol at a time ([`Breach`]).
//!
//! | file | what |
//! |---|---|
//! | `plan` | the plan, its input, and the batch answer |
//! | `life` | a life of the process: steps, checkpoints, and what goes on beside them |
//! | `machine`, `host`, `files` | what the process has around the pipeline: the broker and the file system |
//! | `inlet`, `file_inlet`, `connected`, `tables` | the connectors, one poll at a time |
//! | `target` | where rows are to be seen |

mod connected;
mod file_inlet;
mod files;
mod host;
mod inlet;
mod life;
mod machine;
mod plan;
mod tables;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstem_core::clock::{ManualClock, Rng};
use mainstem_core::disk::Disk as _;
use mainstem_core::egress::ChangelogMode;
use mainstem_core::{Error, ErrorKind, Result};
use mainstem_engine::plan::Plan;
use mainstem_log::{Faults, FaultyDisk};
use tokio::runtime::Runtime;

use crate::plan::{Outcome, guarded};
use crate::trace::Trace;
use life::{FOLDER, Life};
use machine::Machine;
use plan::{Row, SINKS};
use tables::Table;
use target::{Model, Target};

/// A rule of the protocol that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// Sinks show rows before the manifest that names them is stored.
    CommitBeforeManifest,
    /// The manifest is stored before the rows that it names.
    ManifestBeforeFiles,
    /// One sink says that it has prepared, and has not.
    SkippedSink,
}

impl Breach {
    /// Whether a sink says that it has prepared, and has not.
    fn skips(self, sink: usize) -> bool {
        self == Self::SkippedSink && sink == 1
    }
}

/// Why a life ends.
#[derive(Debug)]
enum Broken {
    /// The engine has failed, which it never may.
    Engine(Error),
    /// Something around it has: a disk may.
    Outside(Error),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Outside(error)
    }
}

/// Where the input comes from.
#[derive(Debug)]
enum InputIn {
    Memory,
    Topic(Table),
    Files(Table),
}

/// What is the same in all lives of the process, and what outlives it.
struct World {
    plan: Plan,
    input: Vec<Row>,
    input_in: InputIn,
    targets: [Target; SINKS.len()],
    disk: FaultyDisk,
    clock: Arc<ManualClock>,
    /// For connectors that work on threads.
    threads: Arc<Runtime>,
    breach: Option<Breach>,
    /// So many rows were acknowledged to the writer of the input.
    acknowledged: usize,
}

/// Tells the transactional ids of runs apart: those of a process are claimed.
static RUNS: AtomicU64 = AtomicU64::new(0);
/// The time at which worlds begin.
const BEGIN_MS: i64 = 1_700_000_000_000;
/// More turns than any run needs.
const TURNS_MAX: u64 = 200_000;
/// After so many the weather is calm.
const WILD_TURNS: u64 = 6_000;

/// Runs a seed; `watched` writes what happens to stderr.
pub fn run_pipeline(seed: u64, breach: Option<Breach>, watched: bool) -> Outcome {
    guarded(seed, || simulate(seed, breach, watched))
}

fn weather(rng: &mut Rng) -> Faults {
    let mut faults = Faults { short_per_mille: rng.below(200), ..Faults::NONE };
    match rng.below(6) {
        0 => faults.write_error_per_mille = rng.below(40),
        1 => faults.sync_error_per_mille = rng.below(30),
        2 => faults.space_bytes = 50_000 + rng.below(200_000),
        _ => {}
    }
    faults
}

/// Flips a bit of some file of a checkpoint, if there is one.
fn flip(disk: &FaultyDisk, rng: &mut Rng) -> bool {
    let names = disk.list(FOLDER).unwrap_or_default();
    if names.is_empty() {
        return false;
    }
    let path = format!("{FOLDER}/{}", names[rng.below(names.len() as u64) as usize]);
    let bytes = disk.open(&path, false).and_then(|file| file.size_bytes()).unwrap_or(0);
    bytes > 0 && disk.flip_bit(&path, rng.below(bytes * 8)).is_ok()
}

impl World {
    fn new(seed: u64, breach: Option<Breach>, rng: &mut Rng) -> Self {
        let threads = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build();
        // Of the same length in every run: what is stored is as long.
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let table = |name, times, changelog| Table {
            name,
            times,
            changelog,
            prefix: format!("{run:016x}-{name}"),
        };
        let kinds = plan::SINK_TIMES.iter().zip(plan::sink_changelogs());
        let targets = SINKS.iter().zip(kinds).map(|(name, (times, changelog))| {
            let table = table(*name, *times, changelog);
            match rng.below(3) {
                0 => Target::Model(Model::default()),
                1 => Target::Topic(table),
                _ => Target::Files(table),
            }
        });
        let targets: Vec<Target> = targets.collect();
        let input = table("input", plan::ROW_TIMES, ChangelogMode::AppendOnly);
        let input_in = match rng.below(3) {
            0 => InputIn::Memory,
            1 => InputIn::Topic(input),
            _ => InputIn::Files(input),
        };
        Self {
            plan: plan::plan(),
            input: plan::input(rng),
            input_in,
            targets: targets.try_into().expect("one a sink"),
            disk: FaultyDisk::new(seed),
            clock: Arc::new(ManualClock::new(BEGIN_MS)),
            threads: Arc::new(threads.expect("a runtime can be made")),
            breach,
            acknowledged: 0,
        }
    }

    /// What each target shows after the power was lost once more.
    fn shown(&self, rng: &mut Rng) -> Result<Vec<BTreeMap<String, i64>>> {
        self.disk.crash();
        let machine = Machine::open(&self.disk, &self.clock, &self.threads, rng)?;
        let shown = self.targets.iter().map(|target| match target {
            Target::Model(model) => Ok(model.shown().clone()),
            Target::Topic(table) => machine.shown_by_topic(table, rng),
            Target::Files(table) => machine.shown_by_files(table),
        });
        shown.collect()
    }

    /// Whether everything is to be seen.
    fn check(&self, rng: &mut Rng) -> std::result::Result<(), String> {
        let shown = self.shown(rng).map_err(|e| format!("what is shown cannot be read: {e}"))?;
        for (sink, (shown, wanted)) in shown.iter().zip(plan::expected(&self.input)).enumerate() {
            if *shown != wanted {
                let target = &self.targets[sink];
                return Err(format!("{target:?} shows {shown:?} instead of {wanted:?}"));
            }
        }
        Ok(())
    }
}

fn simulate(seed: u64, breach: Option<Breach>, watched: bool) -> Outcome {
    let mut rng = Rng::new(seed);
    let mut trace = Trace::new(watched);
    let mut world = World::new(seed, breach, &mut rng);
    let flips = rng.below(5) == 0;
    let mut flipped = false;
    let records = world.input.len();
    let mut outcome = Outcome { seed, trace: 0, steps: 0, lives: 0, records, violation: None };
    'lives: loop {
        let wild = outcome.steps < WILD_TURNS;
        world.disk.set_faults(if wild { weather(&mut rng) } else { Faults::NONE });
        if wild && rng.below(2) == 0 {
            world.disk.stop_after(rng.below(800));
        }
        outcome.lives += 1;
        let name = u64::from(outcome.lives);
        trace.say(outcome.steps as i64, format_args!("life {name}"));
        let mut life = match Life::start(&mut world, name, &mut rng) {
            Ok(life) => Some(life),
            Err(error) if flipped && error.kind() == ErrorKind::Corrupt => {
                trace.say(outcome.steps as i64, format_args!("a bit: {error}"));
                outcome.trace = trace.hash();
                return outcome;
            }
            // A disk that does not work may keep it from starting.
            Err(error) if wild && may_be_the_disk(&error) => None,
            Err(error) => {
                outcome.violation = Some(format!("it does not start: {error}"));
                break;
            }
        };
        while let Some(alive) = &mut life {
            outcome.steps += 1;
            match alive.turn(&mut world, &mut rng) {
                Ok(()) => {}
                Err(Broken::Outside(error)) if wild && may_be_the_disk(&error) => {
                    // Its text has names of files, which no other run has.
                    trace.say(outcome.steps as i64, format_args!("{:?}", error.kind()));
                    break;
                }
                Err(Broken::Engine(error) | Broken::Outside(error)) => {
                    outcome.violation = Some(format!("the pipeline failed: {error}"));
                    break 'lives;
                }
            }
            trace.say(outcome.steps as i64, format_args!("safe {}", alive.safe));
            if alive.is_done(&world) {
                break 'lives;
            }
            if world.disk.is_stopped() || (wild && rng.below(600) == 0) {
                life = None;
            }
            if outcome.steps > TURNS_MAX {
                outcome.violation = Some("it does not come to its end".to_owned());
                break 'lives;
            }
        }
        outcome.steps += 1;
        if world.disk.is_stopped() || rng.below(2) == 0 {
            world.disk.crash()
        } else {
            world.disk.kill()
        }
        if flips && rng.below(3) == 0 {
            flipped |= flip(&world.disk, &mut rng);
        }
    }
    if outcome.violation.is_none() {
        world.disk.set_faults(Faults::NONE);
        outcome.violation = world.check(&mut rng).err();
    }
    outcome.trace = trace.hash();
    outcome
}

/// Whether a disk that fails can be the reason.
fn may_be_the_disk(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Conflict | ErrorKind::Internal)
}
