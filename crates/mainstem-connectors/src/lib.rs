//! Connectors and formats: where records enter and leave.
//! Invariant: a connector moves payloads and positions, a format turns bytes into rows and back; neither knows SQL
//! or the engine. Adding a connector is one folder and one line in `registry.rs`; a format is one file in `format/`
//! and one line in `format/mod.rs`.

pub mod api;
pub mod blackhole;
pub mod datagen;
pub mod datasets;
pub mod dead_letter;
pub mod faker;
pub mod filesystem;
pub mod format;
mod generator;
pub mod jdbc;
pub mod kafka;
mod local_time;
pub mod nexmark;
#[cfg(test)]
mod notices;
pub mod print;
pub mod registry;
mod tls;
pub mod upsert_kafka;
