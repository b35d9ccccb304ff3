//! A pipeline with checkpoints in one seeded world: the engine, its state on a faulty disk, and sinks that stage and commit.
//! The process is killed and the machine stops between any two operations; writes are torn and lost, fail, or find no space; commits
//! come late and twice; bits flip in what was stored.
//! Invariant: at the end each target shows what a batch answer shows, and no checkpoint that was complete is damaged, unless a bit
//! has flipped: then the start says so, or the bit did not matter. That the checkers see what they are for is shown by breaking one
//! rule of the protocol at a time ([`Breach`]).

mod life;
mod plan;
mod target;

use mainstem_core::ErrorKind;
use mainstem_core::clock::Rng;
use mainstem_core::disk::Disk as _;
use mainstem_log::{Faults, FaultyDisk};

use crate::plan::{Outcome, guarded};
use crate::trace::Trace;
use life::{FOLDER, Life};
use plan::SINKS;
use target::Target;

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

/// More turns than any run needs.
const TURNS_MAX: u64 = 200_000;
/// After so many the weather is calm.
const WILD_TURNS: u64 = 6_000;

/// Runs a seed; `watched` writes what happens to stderr.
pub fn run_pipeline(seed: u64, breach: Option<Breach>, watched: bool) -> Outcome {
    guarded(seed, || simulate(seed, breach, watched))
}

fn weather(rng: &mut Rng) -> Faults {
    match rng.below(3) {
        0 => Faults::NONE,
        _ => Faults {
            short_per_mille: rng.below(200),
            write_error_per_mille: rng.below(60),
            sync_error_per_mille: rng.below(40),
            space_bytes: if rng.below(4) == 0 { 20_000 + rng.below(60_000) } else { u64::MAX },
        },
    }
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

fn simulate(seed: u64, breach: Option<Breach>, watched: bool) -> Outcome {
    let mut rng = Rng::new(seed);
    let mut trace = Trace::new(watched);
    let plan = plan::plan();
    let input = plan::input(&mut rng);
    let disk = FaultyDisk::new(seed);
    let mut targets = SINKS.map(|_| Target::default());
    let flips = rng.below(5) == 0;
    let mut flipped = false;
    let mut outcome =
        Outcome { seed, trace: 0, steps: 0, lives: 0, records: input.len(), violation: None };
    'lives: loop {
        let wild = outcome.steps < WILD_TURNS;
        disk.set_faults(if wild { weather(&mut rng) } else { Faults::NONE });
        if wild && rng.below(2) == 0 {
            disk.stop_after(rng.below(150));
        }
        outcome.lives += 1;
        let name = u64::from(outcome.lives);
        trace.say(outcome.steps as i64, format_args!("life {name}"));
        let started = Life::start(&plan, &disk, &mut targets, breach, name, &mut rng);
        let mut life = match started {
            Ok(life) => Some(life),
            // A disk that does not work may keep it from starting.
            Err(error) if wild && error.kind() != ErrorKind::Corrupt => None,
            Err(error) if flipped && error.kind() == ErrorKind::Corrupt => {
                trace.say(outcome.steps as i64, format_args!("a bit: {error}"));
                outcome.trace = trace.hash();
                return outcome;
            }
            Err(error) => {
                outcome.violation = Some(format!("it does not start: {error}"));
                break;
            }
        };
        while let Some(alive) = &mut life {
            outcome.steps += 1;
            if let Err(error) = alive.turn(&input, &mut targets, &mut rng) {
                outcome.violation = Some(format!("the engine failed: {error}"));
                break 'lives;
            }
            trace.say(outcome.steps as i64, format_args!("safe {}", alive.safe));
            if alive.is_done(&input) {
                break 'lives;
            }
            if disk.is_stopped() || (wild && rng.below(200) == 0) {
                life = None;
            }
            if outcome.steps > TURNS_MAX {
                outcome.violation = Some("it does not come to its end".to_owned());
                break 'lives;
            }
        }
        outcome.steps += 1;
        if disk.is_stopped() || rng.below(2) == 0 {
            disk.crash()
        } else {
            disk.kill()
        }
        if flips && rng.below(3) == 0 {
            flipped |= flip(&disk, &mut rng);
        }
    }
    if outcome.violation.is_none() {
        for (sink, (target, wanted)) in targets.iter().zip(plan::expected(&input)).enumerate() {
            if *target.shown() != wanted {
                let text = format!("sink {sink} shows {:?} instead of {wanted:?}", target.shown());
                outcome.violation = Some(text);
                break;
            }
        }
    }
    outcome.trace = trace.hash();
    outcome
}
