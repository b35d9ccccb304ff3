//! Deterministic simulation of broker and log, and of pipelines with checkpoints: a seed makes a world of clients, crashes and
//! faulty disks, and checkers look on.
//! Invariant: the same seed gives the same run, step by step, on every machine; [`Outcome::trace`] proves it.
//! A tool of ours: nothing depends on it and it is never shipped.

mod check;
mod client;
mod frame;
mod pipeline;
mod plan;
mod trace;
mod world;

pub use pipeline::{Breach, run_pipeline};
pub use plan::{Outcome, run};
