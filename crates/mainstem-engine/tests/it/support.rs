//! Building plans and batches, driving them with random cuts, and folding what comes out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMillisecondArray,
};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use mainstem_core::egress::ChangelogMode;
use mainstem_core::{Batch, Result};
use mainstem_engine::dataflow::{Dataflow, SourceInput, StepInput};
use mainstem_engine::expr::{EvalContext, Expr, ExprRef, Value};
use mainstem_engine::operator::StateMemory;
use mainstem_engine::plan::{Node, NodeKind, Plan, Scan};
use mainstem_log::MemoryDisk;
use mainstem_state::row_files::RowSpace;

pub(crate) const INT: ArrowType = ArrowType::Int64;
pub(crate) const TIME: ArrowType = ArrowType::Timestamp(TimeUnit::Millisecond, None);

/// A column as it is.
#[derive(Debug)]
struct Column(usize);

impl Expr for Column {
    fn eval(&self, batch: &Batch, _cx: &EvalContext) -> Result<Value> {
        Ok(Value::Array(Arc::clone(batch.column(self.0))))
    }
    fn as_column(&self) -> Option<usize> {
        Some(self.0)
    }
}

pub(crate) fn column(index: usize) -> ExprRef {
    Arc::new(Column(index))
}

type Function = Box<dyn Fn(&Batch) -> ArrayRef + Send + Sync>;

struct Computed(Function);

impl std::fmt::Debug for Computed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Computed")
    }
}

impl Expr for Computed {
    fn eval(&self, batch: &Batch, _cx: &EvalContext) -> Result<Value> {
        Ok(Value::Array((self.0)(batch)))
    }
}

pub(crate) fn computed(f: impl Fn(&Batch) -> ArrayRef + Send + Sync + 'static) -> ExprRef {
    Arc::new(Computed(Box::new(f)))
}

/// True where integer column `index` satisfies `is`; NULL does not.
pub(crate) fn where_int(index: usize, is: fn(i64) -> bool) -> ExprRef {
    computed(move |batch| {
        let values = batch.column(index).as_primitive::<Int64Type>();
        Arc::new(values.iter().map(|v| v.map(is)).collect::<BooleanArray>())
    })
}

pub(crate) fn ints(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

pub(crate) fn times(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_iter_values(values))
}

pub(crate) fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(crate) fn doubles(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

/// A batch of columns, and of weights if they are given.
pub(crate) fn batch(columns: Vec<ArrayRef>, weights: Option<Vec<i64>>) -> Batch {
    let rows = columns[0].len();
    Batch::with_weights(columns, rows, weights.map(Into::into))
}

/// Builds plans node by node.
#[derive(Default)]
pub(crate) struct PlanBuilder(Plan);

impl PlanBuilder {
    pub(crate) fn node(
        &mut self,
        kind: NodeKind,
        inputs: &[usize],
        output: Vec<ArrowType>,
        changelog: bool,
    ) -> usize {
        match &kind {
            NodeKind::Source { .. } => self.0.sources += 1,
            NodeKind::Sink { .. } => self.0.sinks += 1,
            NodeKind::RemoteLookup { .. } => self.0.lookups += 1,
            _ => {}
        }
        let name = format!("{kind:?}").split([' ', '{']).next().unwrap().to_owned();
        self.0.nodes.push(Node {
            kind,
            inputs: inputs.to_vec(),
            name,
            output,
            changelog,
            state_ttl_ms: None,
        });
        self.0.nodes.len() - 1
    }

    pub(crate) fn source(&mut self, output: Vec<ArrowType>, changelog: bool) -> usize {
        let source = self.0.sources;
        self.node(NodeKind::Source { source, scan: Scan::default() }, &[], output, changelog)
    }

    pub(crate) fn types(&self, node: usize) -> Vec<ArrowType> {
        self.0.nodes[node].output.clone()
    }

    pub(crate) fn watermark(&mut self, input: usize, column_index: usize, delay_ms: i64) -> usize {
        let expr = computed(move |batch| {
            let values = batch.column(column_index).as_primitive::<TimestampMillisecondType>();
            times(values.values().iter().map(|t| t - delay_ms))
        });
        self.watermark_with(input, expr, None)
    }

    pub(crate) fn watermark_with(
        &mut self,
        input: usize,
        expr: ExprRef,
        idle_timeout_ms: Option<i64>,
    ) -> usize {
        let (types, changelog) = (self.types(input), self.0.nodes[input].changelog);
        let kind = NodeKind::Watermark { expr, idle_timeout_ms, clock_after_ms: None };
        self.node(kind, &[input], types, changelog)
    }

    pub(crate) fn exchange(&mut self, input: usize, keys: &[usize]) -> usize {
        let (types, changelog) = (self.types(input), self.0.nodes[input].changelog);
        self.node(NodeKind::Exchange { keys: keys.to_vec() }, &[input], types, changelog)
    }

    pub(crate) fn sink(&mut self, input: usize, changelog: ChangelogMode) -> usize {
        let sink = self.0.sinks;
        self.node(NodeKind::Sink { sink, changelog }, &[input], Vec::new(), false)
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.0
    }

    pub(crate) fn build(self) -> Plan {
        self.0
    }
}

/// One value, in a form that can be compared and printed.
pub(crate) fn cell(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "NULL".to_owned();
    }
    match array.data_type() {
        ArrowType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        ArrowType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        ArrowType::Float64 => array.as_primitive::<Float64Type>().value(row).to_string(),
        ArrowType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        ArrowType::Timestamp(_, _) => {
            array.as_primitive::<TimestampMillisecondType>().value(row).to_string()
        }
        other => panic!("no cell for {other}"),
    }
}

/// The rows of a batch as text, with their weights.
pub(crate) fn lines(batch: &Batch) -> Vec<(String, i64)> {
    let line = |row| {
        let cells: Vec<String> = batch.columns().iter().map(|c| cell(c, row)).collect();
        (cells.join(" "), batch.weight(row))
    };
    (0..batch.rows()).map(line).collect()
}

/// A Z-set of rows: what a changelog adds up to.
#[derive(Debug, Default, PartialEq, Eq, Clone)]
pub(crate) struct Folded(pub(crate) BTreeMap<String, i64>);

impl Folded {
    pub(crate) fn add(&mut self, row: String, weight: i64) {
        let held = self.0.entry(row.clone()).or_insert(0);
        *held += weight;
        if *held == 0 {
            self.0.remove(&row);
        }
    }

    pub(crate) fn add_batches<'a>(&mut self, batches: impl IntoIterator<Item = &'a Batch>) {
        for batch in batches {
            for (row, weight) in lines(batch) {
                *self.0.entry(row).or_insert(0) += weight;
            }
        }
        self.0.retain(|_, weight| *weight != 0);
    }
}

/// A number of workers for [`Driver::new`]: two at first, and behind each step as many others as [`NEXT_WORKERS`] says,
/// which go on from what those have saved.
pub(crate) const RESTARTED: usize = 0;

/// In turn: more, one, fewer than before, the same.
const NEXT_WORKERS: [usize; 5] = [3, 1, 3, 2, 2];

/// Drives a dataflow and folds what reaches each sink.
pub(crate) struct Driver {
    pub(crate) flow: Dataflow,
    pub(crate) folded: Vec<Folded>,
    pub(crate) last: Vec<Vec<Batch>>,
    sources: usize,
    /// How often workers were made anew, if they are.
    restarts: Option<usize>,
}

impl Driver {
    pub(crate) fn new(plan: &Plan, workers: usize) -> Self {
        let restarts = (workers == RESTARTED).then_some(0);
        let workers = if workers == RESTARTED { 2 } else { workers };
        let mut flow = Dataflow::new(plan, workers).unwrap();
        if restarts.is_none() {
            flow.check_cuts();
        }
        // One worker and those that are restarted put everything aside, two what takes more than the little that they have.
        let space = Arc::new(RowSpace::new(Arc::new(MemoryDisk::default()), "rows"));
        let everything = workers == 1 || restarts.is_some();
        flow.set_memory(&StateMemory { bytes: 4_096, space, everything, shortage: None });
        Self {
            restarts,
            flow,
            folded: vec![Folded::default(); plan.sinks],
            last: Vec::new(),
            sources: plan.sources,
        }
    }

    /// One step with batches of split 0 of each source.
    pub(crate) fn step(&mut self, now_ms: i64, batches: Vec<Vec<Batch>>, finished: bool) {
        let with_split = |batches: Vec<Batch>| SourceInput {
            batches: batches.into_iter().map(|batch| (0, batch)).collect(),
            finished,
            ..SourceInput::default()
        };
        let mut sources: Vec<SourceInput> = batches.into_iter().map(with_split).collect();
        sources.resize(self.sources, SourceInput { finished, ..SourceInput::default() });
        self.feed(StepInput { now_ms, sources });
    }

    /// The same, where each source ends by itself.
    pub(crate) fn step_ending(&mut self, batches: Vec<Vec<Batch>>, finished: &[bool]) {
        let inputs = batches.into_iter().zip(finished).map(|(batches, &finished)| SourceInput {
            batches: batches.into_iter().map(|batch| (0, batch)).collect(),
            finished,
            ..SourceInput::default()
        });
        self.feed(StepInput { now_ms: 0, sources: inputs.collect() });
    }

    pub(crate) fn late_rows(&self) -> u64 {
        self.flow.late_rows()
    }

    pub(crate) fn state_rows(&self) -> usize {
        self.flow.state_rows()
    }

    pub(crate) fn feed(&mut self, input: StepInput) {
        let output = self.flow.step(input).unwrap();
        for (folded, batches) in self.folded.iter_mut().zip(&output.sinks) {
            folded.add_batches(batches);
        }
        self.last = output.sinks;
        if let Some(restarts) = &mut self.restarts {
            self.flow = self.flow.restarted(NEXT_WORKERS[*restarts % NEXT_WORKERS.len()]).unwrap();
            *restarts += 1;
        }
    }

    pub(crate) fn end(&mut self) {
        self.step(0, Vec::new(), true);
    }
}

/// Plays steps on one worker, on two, and on others behind each step: after each the same has come out and is kept.
#[track_caller]
pub(crate) fn restarts_change_nothing(plan: &Plan, steps: Vec<StepInput>) {
    let forgets = plan.nodes.iter().any(|node| {
        let joins = matches!(&node.kind, NodeKind::Join { ttl_ms, .. } if *ttl_ms != [None; 2]);
        joins || node.state_ttl_ms.is_some()
    });
    let mut drivers = [1, 2, RESTARTED].map(|workers| Driver::new(plan, workers));
    for (number, step) in steps.into_iter().enumerate() {
        drivers.iter_mut().for_each(|driver| driver.feed(step.clone()));
        let [one, others @ ..] = &drivers;
        for other in others {
            assert_eq!(other.folded, one.folded, "step {number}");
            assert_eq!(other.late_rows(), one.late_rows(), "step {number}");
            // What has outlived its time is forgotten on disk when somebody asks for it, or all around it has gone.
            let same = other.state_rows() == one.state_rows();
            assert!(same || forgets, "step {number}: {} {}", other.state_rows(), one.state_rows());
        }
    }
}
