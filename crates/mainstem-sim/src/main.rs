//! `mainstem-sim`: runs seeds, many at a time, or one that is watched.
//! Invariant: a failing seed is printed with the command that shows its run.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use clap::Parser;
use mainstem_sim::{Outcome, run, run_pipeline};

/// Simulates broker, log, disks and clients, or a pipeline with checkpoints; the same seed gives the same run
#[derive(Debug, Parser)]
struct Args {
    /// How many seeds to run
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// A pipeline with checkpoints instead of the broker
    #[arg(long)]
    pipeline: bool,
    /// Run one seed and write what happens to stderr
    #[arg(long)]
    seed: Option<u64>,
    /// How many seeds at a time; by default as many as there are cores
    #[arg(long)]
    threads: Option<usize>,
    /// End after so many failing seeds
    #[arg(long, default_value_t = 5)]
    failures: u64,
}

impl Args {
    fn run(&self, seed: u64, watched: bool) -> Outcome {
        if self.pipeline { run_pipeline(seed, None, watched) } else { run(seed, watched) }
    }

    /// The command that shows a seed.
    fn command(&self, seed: u64) -> String {
        let world = if self.pipeline { "--pipeline " } else { "" };
        format!("cargo run -p mainstem-sim -- {world}--seed {seed}")
    }
}

fn main() -> io::Result<ExitCode> {
    let args = Args::parse();
    if let Some(seed) = args.seed {
        return watch(&args, seed);
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.unwrap_or(cores).max(1);
    let end = args.from.saturating_add(args.seeds);
    let next = AtomicU64::new(args.from);
    let (sender, outcomes) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next, args) = (sender.clone(), &next, &args);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || sender.send(args.run(seed, false)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let ended = report(&args, outcomes);
        // Whoever is still at it ends with its present seed.
        next.store(end, Ordering::Relaxed);
        ended
    })
}

fn report(args: &Args, outcomes: mpsc::Receiver<Outcome>) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let (mut done, mut failed, mut steps, mut lives, mut records) = (0_u64, 0, 0, 0, 0);
    for outcome in outcomes {
        done += 1;
        steps += outcome.steps;
        lives += u64::from(outcome.lives);
        records += outcome.records;
        if let Some(violation) = outcome.violation {
            failed += 1;
            writeln!(out, "seed {}: {violation}", outcome.seed)?;
            writeln!(out, "  {}", args.command(outcome.seed))?;
            if failed >= args.failures {
                break;
            }
        }
        if done.is_multiple_of(500) {
            writeln!(out, "{done} of {} seeds, {failed} failed", args.seeds)?;
        }
    }
    writeln!(
        out,
        "{done} seeds, {failed} failed; {steps} steps, {lives} lives of the process, {records} records"
    )?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn watch(args: &Args, seed: u64) -> io::Result<ExitCode> {
    let outcome = args.run(seed, true);
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "seed {seed}: {} steps, {} lives, trace {:016x}",
        outcome.steps, outcome.lives, outcome.trace
    )?;
    match outcome.violation {
        None => Ok(ExitCode::SUCCESS),
        Some(violation) => {
            writeln!(out, "{violation}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}
