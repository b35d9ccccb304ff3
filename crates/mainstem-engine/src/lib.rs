//! The step engine: plan nodes, operators, workers, exchange, watermarks, ports. Sync; no tokio, no DataFusion.
//! Invariant: all that a step computes follows from its inputs, its `now` and the state before it.
#![deny(missing_docs)]

pub mod aggregate;
pub mod expr;
pub mod plan;
pub mod window;
