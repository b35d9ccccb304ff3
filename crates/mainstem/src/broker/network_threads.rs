//! Threads that serve connections. A connection stays with one of them for its whole life.
//! Why not the runtime of the rest: its workers pass a task on to whichever of them wakes first, so each answer of the disk woke
//! two of them (docs/benchmarks-broker.md).

use std::num::NonZero;
use std::thread::available_parallelism;

use mainstem_core::{Error, Result};
use tokio::runtime::{Builder, Handle, Runtime};

const THREADS_MAX: usize = 8;

/// The threads; those that still serve somebody when this is dropped stop doing so.
#[derive(Debug)]
pub(super) struct NetworkThreads(Vec<Runtime>);

impl NetworkThreads {
    /// As many as there are processors, within reason.
    pub(super) fn start() -> Result<Self> {
        let processors = available_parallelism().map_or(1, NonZero::get);
        let mut threads = Self(Vec::new());
        for number in 0..processors.min(THREADS_MAX) {
            // Not of the kind that has no worker at all: what reads a file that is not in memory makes way for others.
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(1).thread_name(format!("network-{number}")).enable_all();
            let runtime = builder.build().map_err(|e| {
                Error::internal("the threads of the broker cannot be started").with_source(e)
            })?;
            threads.0.push(runtime);
        }
        Ok(threads)
    }

    /// Where a new connection belongs: to the thread with the fewest.
    pub(super) fn least_loaded(&self) -> &Handle {
        let connections = |thread: &&Runtime| thread.metrics().num_alive_tasks();
        let thread = self.0.iter().min_by_key(connections);
        thread.expect("there is at least one thread").handle()
    }
}

impl Drop for NetworkThreads {
    /// Without waiting: it may happen where nothing may block.
    fn drop(&mut self) {
        self.0.drain(..).for_each(Runtime::shutdown_background);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_are_spread_and_a_drop_ends_them() {
        let threads = NetworkThreads::start().unwrap();
        let (alive, mut ended) = tokio::sync::mpsc::channel::<()>(1);
        for round in 0..3 {
            for _ in 0..threads.0.len() {
                let alive = alive.clone();
                threads.least_loaded().spawn(async move {
                    std::future::pending::<()>().await;
                    drop(alive);
                });
            }
            for thread in &threads.0 {
                assert_eq!(thread.metrics().num_alive_tasks(), round + 1);
            }
        }
        drop((threads, alive));
        assert!(ended.recv().await.is_none());
    }
}
