//! SQL: Flink's dialect to engine plans. Parser, binder, functions, lowering, EXPLAIN.
//! Invariant: no I/O and no clock; connectors are known only as their specs (data), never as code.

pub mod ast;
pub mod bind;
pub mod bound;
pub mod cast;
pub mod catalog;
pub mod coercion;
pub mod constant;
pub mod error;
mod evaluate;
mod explain;
pub mod functions;
pub mod job;
pub mod join_time;
pub mod lexer;
mod lift;
pub mod lower;
mod narrow;
pub mod operators;
mod optimize;
pub mod parser;
mod readings;
pub mod rel;
mod remote;
pub mod script;
pub mod session;
mod show;
pub mod source;
