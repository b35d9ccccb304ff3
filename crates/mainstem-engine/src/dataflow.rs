//! A dataflow driven by hand: logical workers on the caller's thread, one step a call.
//! Invariant: the same steps give the same rows as [`crate::executor`] gives with as many threads. For tests,
//! simulation and snapshots of small inputs; it reads no clock and starts no thread.

use std::sync::Arc;

use mainstem_core::{Batch, Error, Result};
use mainstem_state::blocks::{Blocks, InMemory};
use mainstem_state::manifest::OperatorRecord;
use mainstem_state::table::Piece;

use crate::checkpoint::told::{CutCheck, whole};
use crate::checkpoint::united;
use crate::exchange::Mail;
use crate::graph::Graph;
use crate::lookup::{Answer, Question};
use crate::operator::{StateMemory, Watermark};
use crate::ops::watermark::SplitEvents;
use crate::plan::Plan;
use crate::worker::{SourceRows, StepHeader, Worker};

/// What a step takes of one source.
#[derive(Debug, Clone, Default)]
pub struct SourceInput {
    /// Splits that are new.
    pub added: Vec<u32>,
    /// Rows of splits, in order of arrival. They are dealt to the workers in contiguous pieces.
    pub batches: Vec<(u32, Batch)>,
    /// Splits that have ended with these rows.
    pub ended: Vec<u32>,
    /// All splits have ended and there will be no more.
    pub finished: bool,
}

/// What a step takes.
#[derive(Debug, Clone, Default)]
pub struct StepInput {
    /// Processing time.
    pub now_ms: i64,
    /// One element per source of the plan.
    pub sources: Vec<SourceInput>,
}

/// What a step gives.
#[derive(Debug, Clone, Default)]
pub struct StepOutput {
    /// Rows of each sink, worker by worker.
    pub sinks: Vec<Vec<Batch>>,
    /// When the next step is wanted even if nothing arrives.
    pub next_timer_ms: Option<i64>,
    /// The watermark of each source.
    pub watermarks: Vec<Watermark>,
    /// What is asked of each table outside, worker by worker.
    pub questions: Vec<Vec<Question>>,
}

/// A plan with its state.
pub struct Dataflow {
    graph: Arc<Graph>,
    workers: Vec<Worker>,
    mail: Mail,
    /// Counted by the dataflows that it goes on from.
    late_rows: u64,
    /// Of each worker, if cuts are checked.
    checks: Vec<CutCheck>,
}

impl std::fmt::Debug for Dataflow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nodes: Vec<&str> = self.graph.plan.nodes.iter().map(|n| n.name.as_str()).collect();
        f.debug_struct("Dataflow")
            .field("workers", &self.workers.len())
            .field("nodes", &nodes)
            .finish()
    }
}

impl Dataflow {
    /// A dataflow without rows. Refuses plans that cannot be run.
    pub fn new(plan: &Plan, workers: usize) -> Result<Self> {
        let graph = Arc::new(Graph::new(plan, workers)?);
        let workers = (0..graph.workers).map(|i| Worker::new(&graph, i)).collect::<Result<_>>()?;
        let mail = Mail::new(graph.plan.nodes.len(), graph.workers);
        Ok(Self { graph, workers, mail, late_rows: 0, checks: Vec::new() })
    }

    /// A dataflow on as many workers as asked that goes on from what this one knows between two steps. Refuses plans with
    /// an operator that cannot hand its state out. Questions that are open are asked anew.
    pub fn restarted(&mut self, workers: usize) -> Result<Self> {
        let workers_now = self.workers.iter_mut();
        let chains = workers_now.map(|worker| whole(worker, worker.index() == 0));
        let chains = chains.collect::<Result<Vec<_>>>()?;
        let nodes = united(&self.graph.plan, chains);
        let mut next = Self::new(&self.graph.plan, workers)?;
        next.late_rows = self.late_rows();
        for worker in &mut next.workers {
            worker.set_memory(self.workers[0].memory().cloned());
            worker.load(&nodes, &InMemory)?;
        }
        Ok(next)
    }

    /// From now on its state takes no more memory than this, if rows of it can be put aside.
    pub fn set_memory(&mut self, memory: &StateMemory) {
        self.workers.iter_mut().for_each(|worker| worker.set_memory(Some(memory.clone())));
    }

    /// For tests: from now on its workers are cut again and again, and what they hand out between steps is compared with what
    /// they knew; a difference fails the step.
    pub fn check_cuts(&mut self) {
        self.checks = self.workers.iter().map(CutCheck::new).collect();
    }

    /// Takes what a dataflow of the same plan has told, before the first step.
    pub fn load<S: Blocks>(
        &mut self,
        nodes: &[OperatorRecord<S::Block>],
        blocks: &S,
    ) -> Result<()> {
        self.workers.iter_mut().try_for_each(|worker| worker.load(nodes, blocks))
    }

    /// Cuts every worker: what has changed since the cut before, or everything if `whole`, is handed out from now on. Returns
    /// what each worker tells at once.
    pub fn cut(&mut self, whole: bool) -> Result<Vec<Vec<Piece>>> {
        let workers = self.workers.iter_mut();
        workers.map(|worker| worker.cut(whole, worker.index() == 0)).collect()
    }

    /// About `rows` rows more of the last cut from a worker; none: that was all. A cut is handed out before there is another.
    pub fn hand_out(&mut self, worker: usize, rows: usize) -> Result<Vec<Piece>> {
        self.workers[worker].hand_out(rows)
    }

    /// Runs one step.
    pub fn step(&mut self, input: StepInput) -> Result<StepOutput> {
        if input.sources.len() != self.graph.plan.sources {
            return Err(Error::internal("a step names another number of sources than its plan"));
        }
        let count = self.workers.len();
        let mut header = StepHeader { now_ms: input.now_ms, ..StepHeader::default() };
        let mut rows = vec![vec![SourceRows::default(); input.sources.len()]; count];
        for (source, from) in input.sources.into_iter().enumerate() {
            let (added, ended, finished) = (from.added, from.ended, from.finished);
            header.sources.push(SplitEvents { added, ended, finished });
            let batches = from.batches.len();
            for (at, (split, batch)) in from.batches.into_iter().enumerate() {
                let to = &mut rows[at * count / batches][source];
                to.batches.push(batch);
                to.splits.push(split);
            }
        }
        for phase in 0..self.graph.phases.len() {
            for (worker, rows) in self.workers.iter_mut().zip(&mut rows) {
                worker.phase(phase, &header, rows, &self.mail)?;
            }
        }
        let mut sinks = vec![Vec::new(); self.graph.plan.sinks];
        let mut questions = vec![Vec::new(); self.graph.plan.lookups];
        for worker in &mut self.workers {
            for (sink, output) in sinks.iter_mut().zip(&mut worker.outputs) {
                sink.append(output);
            }
            for (lookup, asked) in questions.iter_mut().zip(&mut worker.questions) {
                lookup.append(asked);
            }
        }
        self.workers.iter_mut().try_for_each(Worker::put_aside)?;
        for (check, worker) in self.checks.iter_mut().zip(&mut self.workers) {
            check.go_on(worker)?;
        }
        Ok(StepOutput {
            sinks,
            next_timer_ms: self.workers.iter().filter_map(Worker::next_timer_ms).min(),
            watermarks: self.workers[0].source_watermarks(),
            questions,
        })
    }

    /// Hands in what a table outside has answered, for the next step.
    pub fn answer(&mut self, lookup: usize, answer: Answer) {
        self.workers[answer.ticket.worker].answers[lookup].push(answer);
    }

    /// Rows that wait for answers.
    pub fn waiting_rows(&self) -> usize {
        self.workers.iter().map(Worker::waiting_rows).sum()
    }

    /// Rows dropped so far because all their windows were closed.
    pub fn late_rows(&self) -> u64 {
        self.late_rows + self.workers.iter().map(Worker::late_rows).sum::<u64>()
    }

    /// Rows or groups in state.
    pub fn state_rows(&self) -> usize {
        self.workers.iter().map(Worker::state_rows).sum()
    }

    /// Memory in state, in bytes.
    pub fn state_bytes(&self) -> usize {
        self.workers.iter().map(Worker::state_bytes).sum()
    }
}
