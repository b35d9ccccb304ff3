//! SQL: Flink's dialect to engine plans. Parser, binder, functions, lowering, EXPLAIN.
//! Invariant: no I/O and no clock; connectors are known only as their specs (data), never as code.

pub mod cast;
pub mod coercion;
pub mod functions;
pub mod operators;
pub mod session;
