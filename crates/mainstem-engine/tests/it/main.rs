//! The engine from outside: plans driven by hand and by threads, against naive models.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod aggregates;
mod executor;
mod joins;
mod lookups;
mod over;
mod ranks;
mod sessions;
mod small_ops;
mod support;
mod time_to_live;
mod timed_joins;
mod updates;
mod upserts;
mod windows;
