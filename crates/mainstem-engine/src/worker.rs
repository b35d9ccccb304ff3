//! One worker's instances of all operators, and how a step runs through them.
//! Invariant: nodes of a phase run once, in topological order; what a node gave is dropped as soon as its last reader
//! has it. Progress (watermark, idleness, end) is the same on every worker after each phase.

use std::sync::Arc;

use mainstem_core::{Batch, Result};

use crate::exchange::{Exchange, Letter, Mail};
use crate::graph::{Graph, source_below};
use crate::instance::{Instance, instantiate};
use crate::lookup::{Answer, Question, Ticket};
use crate::operator::{
    Arrivals, Inputs, OperatorMetrics, PutAside, StateMemory, StepContext, Watermark,
};
use crate::ops::remote_lookup::RemoteLookup;
use crate::ops::watermark::{SourceWatermark, SplitEvents};

/// What all workers are told of a step.
#[derive(Debug, Clone, Default)]
pub(crate) struct StepHeader {
    pub(crate) now_ms: i64,
    pub(crate) sources: Vec<SplitEvents>,
    /// A checkpoint is cut behind the step.
    pub(crate) checkpoint: Option<u64>,
    /// There is no step: time for the checkpoint that is handed out.
    pub(crate) is_pause: bool,
}

/// Rows of one source on one worker: each batch is of one split.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceRows {
    pub(crate) batches: Vec<Batch>,
    pub(crate) splits: Vec<u32>,
}

/// How far time is at a node's output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) watermark: Watermark,
    pub(crate) idle: bool,
    pub(crate) ended: bool,
}

#[derive(Debug, Default, Clone)]
struct Edge {
    arrivals: Arrivals,
    /// The split of each batch, below the watermark node.
    splits: Vec<u32>,
}

pub(crate) struct Worker {
    graph: Arc<Graph>,
    index: usize,
    instances: Vec<Instance>,
    edges: Vec<Edge>,
    progress: Vec<Progress>,
    /// The watermark of each node's inputs after the last step.
    before: Vec<Watermark>,
    metrics: Vec<OperatorMetrics>,
    /// The step's rows for each sink.
    pub(crate) outputs: Vec<Vec<Batch>>,
    /// For each lookup, what was answered before the step.
    pub(crate) answers: Vec<Vec<Answer>>,
    /// For each lookup, what the step asks.
    pub(crate) questions: Vec<Vec<Question>>,
    /// How much its state may take; `None`: as much as it wants.
    memory: Option<StateMemory>,
}

impl Worker {
    pub(crate) fn new(graph: &Arc<Graph>, index: usize) -> Result<Self> {
        let count = graph.plan.nodes.len();
        let instance = |node: usize| {
            let name = &graph.node(node).name;
            instantiate(graph, node, index).map_err(|e| e.context(name))
        };
        Ok(Self {
            graph: Arc::clone(graph),
            index,
            instances: (0..count).map(instance).collect::<Result<_>>()?,
            edges: vec![Edge::default(); count],
            progress: vec![Progress::default(); count],
            before: vec![None; count],
            metrics: vec![OperatorMetrics::default(); count],
            outputs: vec![Vec::new(); graph.plan.sinks],
            answers: vec![Vec::new(); graph.plan.lookups],
            questions: vec![Vec::new(); graph.plan.lookups],
            memory: None,
        })
    }

    /// From now on its share of the memory is all that its state takes, if rows of it can be put aside.
    pub(crate) fn set_memory(&mut self, memory: Option<StateMemory>) {
        // What others have a part of as well becomes free when all of them have put it aside: nobody's share.
        let picks = memory.is_none();
        let exchanges = self.instances.iter_mut().filter_map(Instance::exchange);
        exchanges.for_each(|exchange| exchange.picks &= picks);
        self.memory = memory;
    }

    pub(crate) fn memory(&self) -> Option<&StateMemory> {
        self.memory.as_ref()
    }

    /// Puts rows aside if state takes more memory than it may: of the operator with most first.
    pub(crate) fn put_aside(&mut self) -> Result<()> {
        let Some(memory) = &self.memory else { return Ok(()) };
        let all: usize = self.instances.iter().map(Instance::state_bytes).sum();
        let limit = memory.bytes / self.graph.workers;
        if all <= limit && !memory.everything {
            return Ok(());
        }
        // Some more, so that not every step has something to put aside.
        let wanted = if memory.everything { usize::MAX } else { all - limit + limit / 8 };
        let mut wanted = PutAside { memory, bytes: wanted };
        let mut by_size: Vec<&mut Instance> = self.instances.iter_mut().collect();
        by_size.sort_by_cached_key(|instance| std::cmp::Reverse(instance.state_bytes()));
        for instance in by_size {
            if let Instance::Operator(operator) = instance {
                operator.put_aside(&mut wanted)?;
            }
        }
        if let Some(told) = &memory.shortage {
            let left: usize = self.instances.iter().map(Instance::state_bytes).sum();
            if left > limit {
                told(left);
            }
        }
        Ok(())
    }

    pub(crate) fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn instance(&self, node: usize) -> &Instance {
        &self.instances[node]
    }

    pub(crate) fn instance_mut(&mut self, node: usize) -> &mut Instance {
        &mut self.instances[node]
    }

    /// The watermark of a node's inputs after the last step, and how far the node is.
    pub(crate) fn progress_of(&self, node: usize) -> (Watermark, Progress) {
        (self.before[node], self.progress[node])
    }

    pub(crate) fn set_progress(&mut self, node: usize, before: Watermark, progress: Progress) {
        self.before[node] = before;
        self.progress[node] = progress;
    }

    /// Goes on counting where `old` has stopped, in as much memory, and gets the answers to what it has asked.
    pub(crate) fn keep_counts(&mut self, old: &Worker) -> Result<()> {
        self.metrics.clone_from(&old.metrics);
        self.memory.clone_from(&old.memory);
        for (own, old) in self.instances.iter_mut().zip(&old.instances) {
            if let (Instance::RemoteLookup(_, own), Instance::RemoteLookup(_, old)) = (own, old) {
                own.expect_answers_of(old)?;
            }
        }
        Ok(())
    }

    /// Runs one phase of a step. `sources` are this worker's rows of each source, taken in phase 0.
    pub(crate) fn phase(
        &mut self,
        phase: usize,
        header: &StepHeader,
        sources: &mut [SourceRows],
        mail: &Mail,
    ) -> Result<()> {
        let graph = Arc::clone(&self.graph);
        for &node in &graph.receivers[phase] {
            self.receive(node, header, mail);
        }
        for &node in &graph.phases[phase] {
            let done = self.run(node, header, sources, mail);
            done.map_err(|e| e.context(&graph.node(node).name))?;
        }
        Ok(())
    }

    /// The progress of a node's inputs.
    fn input_progress(&self, node: usize) -> Progress {
        if self.graph.node(node).inputs.is_empty() {
            return Progress { watermark: Some(i64::MAX), idle: false, ended: true };
        }
        let inputs = self.graph.node(node).inputs.iter().map(|&input| self.progress[input]);
        let ended = inputs.clone().all(|input| input.ended);
        let idle = !ended && inputs.clone().all(|input| input.idle || input.ended);
        let active = inputs.filter(|input| idle || !input.idle);
        let watermark = active.map(|input| input.watermark).min().unwrap_or(None);
        Progress { watermark: watermark.max(self.before[node]), idle, ended }
    }

    fn gather(&mut self, node: usize) -> Vec<Edge> {
        let graph = Arc::clone(&self.graph);
        let inputs = graph.node(node).inputs.iter().zip(&graph.last_reader[node]);
        inputs
            .map(|(&input, &last)| {
                let edge = &mut self.edges[input];
                let mut edge = if last { std::mem::take(edge) } else { edge.clone() };
                edge.arrivals.ended = self.progress[input].ended;
                edge
            })
            .collect()
    }

    fn run(
        &mut self,
        node: usize,
        header: &StepHeader,
        sources: &mut [SourceRows],
        mail: &Mail,
    ) -> Result<()> {
        let mut inputs = self.gather(node);
        let progress = self.input_progress(node);
        let mut cx = StepContext {
            now_ms: header.now_ms,
            watermark_before: self.before[node],
            watermark: progress.watermark,
            end_of_input: progress.ended,
            metrics: OperatorMetrics::default(),
        };
        self.before[node] = progress.watermark;
        self.progress[node] = progress;
        let workers = self.graph.workers;
        match &mut self.instances[node] {
            Instance::Source(source) => {
                let rows = std::mem::take(&mut sources[*source]);
                let ended = header.sources[*source].finished;
                let watermark = ended.then_some(i64::MAX);
                self.progress[node] = Progress { watermark, idle: false, ended };
                self.before[node] = watermark;
                let arrivals = Arrivals { batches: rows.batches, ..Arrivals::default() };
                self.edges[node] = Edge { arrivals, splits: rows.splits };
            }
            Instance::Watermark(watermark) => {
                let input = inputs.remove(0);
                let rows = &input.arrivals.batches;
                let seen = watermark.see(rows, &input.splits, &cx.eval())?;
                if workers == 1 {
                    self.advance(node, header, std::iter::once(&seen));
                } else {
                    let seen = Arc::new(seen);
                    for to in 0..workers {
                        let arrivals = Arrivals::default();
                        let letter =
                            Letter { arrivals, seen: Arc::clone(&seen), ..Letter::default() };
                        mail.put(node, self.index, to, letter);
                    }
                }
                self.edges[node] = Edge { arrivals: input.arrivals, splits: Vec::new() };
            }
            Instance::Exchange(exchange) if workers > 1 => {
                let arrivals = inputs.remove(0).arrivals;
                let routed = Exchange::route(exchange, arrivals, workers, &mut cx)?;
                for (to, arrivals) in routed.into_iter().enumerate() {
                    mail.put(node, self.index, to, Letter { arrivals, ..Letter::default() });
                }
            }
            Instance::Exchange(_) | Instance::Pass => self.edges[node] = inputs.remove(0),
            Instance::Sink(sink, consolidate) => {
                let output = consolidate.apply(inputs.remove(0).arrivals.batches)?;
                self.outputs[*sink].extend(output);
            }
            Instance::RemoteLookup(..) => {
                self.look_up(node, inputs.remove(0).arrivals, &cx, mail)?
            }
            Instance::Operator(operator) => {
                let splits = inputs.first_mut().map(|edge| std::mem::take(&mut edge.splits));
                let inputs: Inputs = inputs.into_iter().map(|edge| edge.arrivals).collect();
                let batches = operator.step(inputs, &mut cx)?;
                self.progress[node].watermark = operator.output_watermark(progress.watermark);
                let splits = splits.filter(|s| s.len() == batches.len()).unwrap_or_default();
                let arrivals = Arrivals { batches, ..Arrivals::default() };
                self.edges[node] = Edge { arrivals, splits };
            }
        }
        self.metrics[node].late_rows += cx.metrics.late_rows;
        Ok(())
    }

    /// Answers and rows go into a lookup join, rows and questions come out. No worker is farther than the one whose rows
    /// wait longest.
    fn look_up(
        &mut self,
        node: usize,
        arrivals: Arrivals,
        cx: &StepContext,
        mail: &Mail,
    ) -> Result<()> {
        let Instance::RemoteLookup(lookup, operator) = &mut self.instances[node] else {
            return Ok(());
        };
        let answers = std::mem::take(&mut self.answers[*lookup]);
        let batches = operator.step(answers, arrivals.batches, cx)?;
        let worker = self.index;
        let questions = operator.ask()?.into_iter();
        self.questions[*lookup].extend(
            questions.map(|(number, keys)| Question { ticket: Ticket { worker, number }, keys }),
        );
        let waits = operator.waiting_rows() > 0;
        let input = self.progress[node];
        let progress = Progress {
            watermark: operator.output_watermark(input.watermark),
            idle: input.idle && !waits,
            ended: input.ended && !waits,
        };
        self.progress[node] = progress;
        if self.graph.workers > 1 {
            for to in 0..self.graph.workers {
                mail.put(node, worker, to, Letter { progress, ..Letter::default() });
            }
        }
        let arrivals = Arrivals { batches, ..Arrivals::default() };
        self.edges[node] = Edge { arrivals, splits: Vec::new() };
        Ok(())
    }

    fn advance<'a>(
        &mut self,
        node: usize,
        header: &StepHeader,
        seen: impl Iterator<Item = &'a crate::ops::watermark::Seen>,
    ) {
        let Instance::Watermark(watermark) = &mut self.instances[node] else { return };
        let source = source_below(&self.graph.plan, node).expect("the graph was checked");
        let events = &header.sources[source];
        let (watermark, idle) = watermark.advance(events, seen, header.now_ms);
        self.progress[node] = Progress { watermark, idle, ended: events.finished };
        self.before[node] = watermark;
    }

    fn receive(&mut self, node: usize, header: &StepHeader, mail: &Mail) {
        let letters: Vec<Letter> = mail.take(node, self.index).collect();
        if matches!(self.instances[node], Instance::Watermark(_)) {
            self.advance(node, header, letters.iter().map(|letter| &*letter.seen));
            return;
        }
        if matches!(self.instances[node], Instance::RemoteLookup(..)) {
            let least = |a: Progress, b: Progress| Progress {
                watermark: a.watermark.min(b.watermark),
                idle: a.idle && b.idle,
                ended: a.ended && b.ended,
            };
            let all = letters.iter().map(|letter| letter.progress);
            self.progress[node] = all.reduce(least).unwrap_or_default();
            return;
        }
        let edge = &mut self.edges[node];
        for letter in letters {
            edge.arrivals.batches.extend(letter.arrivals.batches);
            edge.arrivals.picked.extend(letter.arrivals.picked);
            edge.arrivals.partials.extend(letter.arrivals.partials);
        }
    }

    /// When a step is wanted even if nothing arrives.
    pub(crate) fn next_timer_ms(&self) -> Option<i64> {
        let timer = |instance: &Instance| match instance {
            Instance::Operator(operator) => operator.next_timer_ms(),
            Instance::Watermark(watermark) => SourceWatermark::next_timer_ms(watermark),
            _ => None,
        };
        self.instances.iter().filter_map(timer).min()
    }

    pub(crate) fn late_rows(&self) -> u64 {
        self.metrics.iter().map(|metrics| metrics.late_rows).sum()
    }

    pub(crate) fn state_rows(&self) -> usize {
        let of_lookups = self.lookups().map(RemoteLookup::state_rows);
        self.operators().map(|operator| operator.state_rows()).chain(of_lookups).sum()
    }

    pub(crate) fn state_bytes(&self) -> usize {
        let of_lookups = self.lookups().map(RemoteLookup::state_bytes);
        self.operators().map(|operator| operator.state_bytes()).chain(of_lookups).sum()
    }

    /// Rows that wait for answers.
    pub(crate) fn waiting_rows(&self) -> usize {
        self.lookups().map(RemoteLookup::waiting_rows).sum()
    }

    /// The first step, counted from 1, of which rows wait for answers.
    pub(crate) fn waiting_since(&self) -> Option<u64> {
        self.lookups().filter_map(RemoteLookup::waiting_since).min()
    }

    fn lookups(&self) -> impl Iterator<Item = &RemoteLookup> {
        self.instances.iter().filter_map(|instance| match instance {
            Instance::RemoteLookup(_, operator) => Some(operator),
            _ => None,
        })
    }

    fn operators(&self) -> impl Iterator<Item = &dyn crate::operator::Operator> {
        self.instances.iter().filter_map(|instance| match instance {
            Instance::Operator(operator) => Some(&**operator),
            _ => None,
        })
    }

    /// The watermark of each source: that of its watermark node, or of the source itself.
    pub(crate) fn source_watermarks(&self) -> Vec<Watermark> {
        let mut out = vec![None; self.graph.plan.sources];
        for (node, instance) in self.instances.iter().enumerate() {
            let source = match instance {
                Instance::Source(source) => *source,
                Instance::Watermark(_) => {
                    source_below(&self.graph.plan, node).expect("the graph was checked")
                }
                _ => continue,
            };
            out[source] = out[source].max(self.progress[node].watermark);
        }
        out
    }
}
