//! Workers that know what a checkpoint holds, before anything else of their job is there.
//! Invariant: each worker reads what it needs on a thread of its own; of a whole cut a block at a time, so that rows which have no
//! place in memory are put aside while it reads. What changed since that cut is in memory until its table is loaded.

use std::sync::Arc;

use mainstem_core::{Error, Result};
use mainstem_state::blocks::Blocks;
use mainstem_state::manifest::OperatorRecord;

use crate::graph::Graph;
use crate::operator::StateMemory;
use crate::plan::Plan;
use crate::worker::Worker;

/// The workers of a job that goes on.
pub struct Loaded {
    pub(crate) graph: Arc<Graph>,
    pub(crate) workers: Vec<Worker>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("workers", &self.workers.len()).finish_non_exhaustive()
    }
}

impl Loaded {
    /// Workers of a plan, whose state takes no more than `memory`, with what workers of the same plan knew; `nodes` in the order of
    /// the plan. Blocks until all of it is read.
    pub fn new<S: Blocks>(
        plan: &Plan,
        workers: usize,
        memory: Option<&StateMemory>,
        nodes: &[OperatorRecord<S::Block>],
        blocks: &S,
    ) -> Result<Self> {
        let graph = Arc::new(Graph::new(plan, workers)?);
        let load = &|index: usize| -> Result<Worker> {
            let mut worker = Worker::new(&graph, index)?;
            worker.set_memory(memory.cloned());
            worker.load(nodes, blocks).map(|()| worker)
        };
        let workers: Result<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..graph.workers).map(|index| scope.spawn(move || load(index))).collect();
            let panicked = |_| Error::internal("a worker panicked while it read its state");
            threads.into_iter().map(|thread| thread.join().map_err(panicked)?).collect()
        });
        Ok(Self { workers: workers?, graph })
    }
}
