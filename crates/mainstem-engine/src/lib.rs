//! The step engine: plan nodes, operators, workers, exchange, watermarks, ports. Sync; no tokio, no DataFusion.
//! Invariant: all that a step computes follows from its inputs, its `now` and the state before it.
#![deny(missing_docs)]

pub mod aggregate;
pub mod checkpoint;
mod columns;
mod consolidate;
mod cutter;
pub mod dataflow;
mod edges;
mod exchange;
pub mod executor;
pub mod expr;
mod graph;
mod hash;
mod instance;
mod key_table;
pub mod lookup;
pub mod match_recognize;
pub mod operator;
mod ops;
pub mod over;
mod picked;
mod placement;
pub mod plan;
pub mod port;
pub mod progress;
pub mod rank;
mod rehearsal;
mod signal;
mod wanted_changes;
pub mod window;
mod worker;
