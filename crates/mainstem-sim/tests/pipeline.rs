//! The seeds of the pipeline's world that CI runs, and what each broken rule of the protocol leads to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use mainstem_sim::{Breach, run_pipeline};

const SEEDS: u64 = 200;

#[test]
fn seeds_hold() {
    let (next, lives) = (AtomicU64::new(0), AtomicU64::new(0));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let run = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= SEEDS {
            return;
        }
        let outcome = run_pipeline(seed, None, false);
        if let Some(violation) = outcome.violation {
            panic!(
                "seed {seed}: {violation}\n  cargo run -p mainstem-sim -- --pipeline --seed {seed}"
            );
        }
        lives.fetch_add(u64::from(outcome.lives), Ordering::Relaxed);
    };
    thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(run))));
    let lives = lives.into_inner();
    assert!(lives > 5 * SEEDS, "{lives} lives");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [3, 36, 77] {
        let [first, second] = [0; 2].map(|_| run_pipeline(seed, None, false));
        assert_eq!((first.trace, first.steps), (second.trace, second.steps), "seed {seed}");
    }
    assert_ne!(run_pipeline(1, None, false).trace, run_pipeline(2, None, false).trace);
}

#[test]
fn a_broken_rule_is_seen() {
    for breach in [Breach::CommitBeforeManifest, Breach::ManifestBeforeFiles, Breach::SkippedSink] {
        let seen =
            (0..SEEDS).find(|&seed| run_pipeline(seed, Some(breach), false).violation.is_some());
        assert!(seen.is_some(), "{breach:?} is not seen in {SEEDS} seeds");
    }
}
