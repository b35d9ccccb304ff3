//! The seeds that CI runs: the first two hundred, and those that once failed.
//! Invariant: a seed that has shown a bug stays in `seeds.txt`, with a word on what it was.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use mainstem_sim::run;

const SEEDS: u64 = 200;

#[test]
fn seeds_hold() {
    let next = AtomicU64::new(0);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        return;
                    }
                    check(seed);
                }
            });
        }
    });
}

#[test]
fn seeds_that_failed_hold() {
    let lines = include_str!("../seeds.txt").lines().filter(|line| !line.starts_with('#'));
    for line in lines.filter(|line| !line.is_empty()) {
        let seed = line.split_whitespace().next().and_then(|word| word.parse().ok());
        check(seed.unwrap_or_else(|| panic!("no seed in '{line}'")));
    }
}

fn check(seed: u64) {
    if let Some(violation) = run(seed, false).violation {
        panic!("seed {seed}: {violation}\n  cargo run -p mainstem-sim -- --seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [3, 36, 77] {
        let (first, second) = (run(seed, false), run(seed, false));
        assert_eq!((first.trace, first.steps), (second.trace, second.steps), "seed {seed}");
        assert!(first.steps > 500, "seed {seed} had only {} steps", first.steps);
    }
    assert_ne!(run(1, false).trace, run(2, false).trace);
}
