//! SQL: Flink's dialect to engine plans. Parser, binder, functions, lowering, EXPLAIN.
//! Invariant: no I/O and no clock; connectors are known only as their specs (data), never as code.

pub mod ast;
pub mod cast;
pub mod coercion;
pub mod error;
pub mod functions;
mod lift;
pub mod lexer;
pub mod operators;
pub mod parser;
pub mod session;
pub mod source;
