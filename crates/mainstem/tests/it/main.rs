//! The real binary, run as a person runs it.
//! Invariant: each test has a directory of its own and leaves nothing behind; none sleeps for a fixed time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_input;
mod broker;
mod changed_sql;
mod check;
mod checkpoint_commands;
mod checkpoints;
mod conformance;
mod doors;
mod embedded_tables;
mod examples;
mod examples_live;
mod faults;
mod files;
mod gen_rows;
mod kafka;
mod kafka_commands;
mod kills;
mod kills_postgres;
mod lookup_joins;
mod object_stores;
mod outages;
mod program;
mod scenario;
mod servers;
mod state_memory;
mod stop;
mod terminal;
mod transactions;
mod up_state;
