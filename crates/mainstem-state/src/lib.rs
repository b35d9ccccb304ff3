//! Checkpoints: what a pipeline has to know to go on after its process is gone.
//! Invariant: a checkpoint is complete when its manifest can be read, and a manifest is written last; what it names is
//! there, whole, until no kept manifest names it. Nothing here spawns, sleeps or reads a clock: [`coordinator`] decides,
//! the shell does. Does not know operators, connectors or SQL: state is rows of tables, positions and tokens are bytes.
//!
//! | module | what |
//! |---|---|
//! | `table` | the shape of an operator's state: tables of rows, and which worker owns a row |
//! | `run` | rows of tables as bytes in files |
//! | `manifest` | what a checkpoint consists of, as a file that a human can read |
//! | `store` | where files are: a folder of a disk |
//! | `catalog` | the checkpoints of a store: newest good one, listing, collecting |
//! | `blocks` | where workers that go on from a checkpoint read its rows |
//! | `chain` | what cuts have told of tables: whole once, then what changed |
//! | `stored` | pieces that workers hand in become files, and records of what a checkpoint names |
//! | `fingerprint` | which operator of a new plan is which of the old |
//! | `row_files` | beside checkpoints: rows that have no place in memory, in files that end with the process |
//! | `coordinator` | when to begin one, when it is complete, when sinks commit |
#![deny(missing_docs)]

pub mod blocks;
pub mod catalog;
pub mod chain;
pub mod coordinator;
pub mod fingerprint;
pub mod manifest;
pub mod row_files;
pub mod run;
pub mod store;
pub mod stored;
pub mod table;
