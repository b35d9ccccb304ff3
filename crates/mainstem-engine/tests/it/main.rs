//! The engine from outside: plans driven by hand and by threads, against naive models.

mod aggregates;
mod executor;
mod joins;
mod small_ops;
mod support;
mod windows;
