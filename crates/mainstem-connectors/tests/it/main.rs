//! Tests of the connectors against real servers, and of their docs. Servers are found through
//! `MAINSTEM_TEST_KAFKA`, `MAINSTEM_TEST_KAFKA_SASL_SSL` and `MAINSTEM_TEST_POSTGRES` (`cargo xtask services up kafka postgres`, `cargo xtask services env`). Without a server a test says that it was
//! skipped; with `CI=true` it fails. Every test makes topics and schemas of its own, so they run side by side.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broker;
mod docs;
mod jdbc;
mod jdbc_checkpoints;
mod jdbc_reads;
mod jdbc_tls;
mod kafka;
mod kafka_secure;
mod promises;
mod support;
