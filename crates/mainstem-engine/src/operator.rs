//! The contract of an operator: what it gets in a step and what it gives back.
//! Invariant: an operator is owned by one worker and is a function of its inputs, its context and its state. It never
//! sleeps, spawns, locks or reads a clock, and waits for nothing but local files with rows that were put aside.

use std::fmt;
use std::sync::Arc;

use mainstem_core::{Batch, Error, Result};
use mainstem_state::row_files::RowSpace;
use mainstem_state::table::{TableChange, TableRows};

use crate::expr::EvalContext;
use crate::picked::Picked;

/// A promise about event time in ms: no row at or before it will come, but for late ones. `None`: no promise yet;
/// `i64::MAX`: the input has ended.
pub type Watermark = Option<i64>;

/// What one step brought on one input.
#[derive(Debug, Default, Clone)]
pub struct Arrivals {
    /// Rows, in order.
    pub batches: Vec<Batch>,
    /// Rows of batches that other workers have a part of, in order; in the place of `batches`, and only joins get them.
    pub(crate) picked: Vec<Picked>,
    /// Partial aggregation states made before an exchange; only aggregations get them.
    pub partials: Vec<Batch>,
    /// This input will bring no row after this step.
    pub ended: bool,
}

/// One element per input of the plan node.
pub type Inputs = Vec<Arrivals>;

/// What an operator counts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct OperatorMetrics {
    /// Rows dropped because all their windows were closed.
    pub late_rows: u64,
}

/// What an operator sees of the step.
#[derive(Debug)]
pub struct StepContext {
    /// Processing time of the step.
    pub now_ms: i64,
    /// The least watermark of its inputs before this step.
    pub watermark_before: Watermark,
    /// The same after this step.
    pub watermark: Watermark,
    /// No input will bring another row after this step.
    pub end_of_input: bool,
    /// Added up over all steps.
    pub metrics: OperatorMetrics,
}

impl StepContext {
    /// What expressions see.
    pub fn eval(&self) -> EvalContext {
        EvalContext { now_ms: self.now_ms, watermark_ms: self.watermark_before }
    }
}

/// Told that the state of a worker takes so many bytes, which is more than it may, though all that can be put aside was. Called
/// between steps; should return at once.
pub type Shortage = Arc<dyn Fn(usize) + Send + Sync>;

/// How much memory the state of a dataflow may take, and where rows go that have no place in it.
#[derive(Clone)]
pub struct StateMemory {
    /// Of all workers together.
    pub bytes: usize,
    /// Makes files for rows that are put aside.
    pub space: Arc<RowSpace>,
    /// For tests: whatever can be put aside is, after each step.
    pub everything: bool,
    /// Who is told when that is not enough.
    pub shortage: Option<Shortage>,
}

impl fmt::Debug for StateMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateMemory").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// How much is to be put aside, and where.
#[derive(Debug)]
pub struct PutAside<'a> {
    /// Makes files, and says whether chunks that are not full go too.
    pub memory: &'a StateMemory,
    /// So much memory is to become free.
    pub bytes: usize,
}

impl PutAside<'_> {
    /// Whether there is nothing more to put aside.
    pub fn is_met(&self) -> bool {
        self.bytes == 0 && !self.memory.everything
    }
}

/// One operator instance.
pub trait Operator: Send {
    /// Handles all that a step brought. Stateless operators give exactly one batch for each batch, so that a batch
    /// keeps its split up to the watermark operator.
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>>;

    /// How far time is for those who read its rows, its inputs being at `input` after the step: not as far where rows
    /// wait in it. The same on every worker; never falls.
    fn output_watermark(&self, input: Watermark) -> Watermark {
        input
    }

    /// The state between two steps, as rows of tables: an instance that has loaded them goes on as this one does. `None`: an
    /// operator that cannot hand its state out; a pipeline with one takes no checkpoints.
    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        Ok(None)
    }

    /// Begins to hand out what has changed since the cut before, or everything if `whole`, as it is between the steps before and
    /// after this call. What [`Operator::save`] gives now is, table by table, what all changes since a whole cut add up to.
    /// Not all has to come at once: see [`Operator::hand_out`]. By default everything comes, anew.
    fn cut(&mut self, _whole: bool) -> Result<Option<Vec<TableChange>>> {
        Ok(self.save()?.map(|tables| tables.into_iter().map(TableChange::from).collect()))
    }

    /// About `rows` more rows of what the last cut has left, as they were then, whatever steps were run since; none: that
    /// was all. A cut is handed out to its end before there is another.
    fn hand_out(&mut self, _rows: usize) -> Result<Vec<TableChange>> {
        Ok(Vec::new())
    }

    /// Takes rows of a table of [`Operator::save`], those that this worker owns, in their order: before the first step, table
    /// after table.
    fn load(&mut self, table: &str, _rows: &Batch) -> Result<()> {
        Err(Error::internal(format!("an operator without a table '{table}'")))
    }

    /// When it wants a step even if nothing arrives.
    fn next_timer_ms(&self) -> Option<i64> {
        None
    }

    /// Puts rows aside on disk that were not used for long, if it keeps any that can be.
    fn put_aside(&mut self, _wanted: &mut PutAside<'_>) -> Result<()> {
        Ok(())
    }

    /// Rows or groups kept.
    fn state_rows(&self) -> usize {
        0
    }

    /// Memory kept, in bytes.
    fn state_bytes(&self) -> usize {
        0
    }
}

/// Batches of at most `rows` rows with the same content.
pub(crate) fn cut(batch: &Batch, rows: usize) -> impl Iterator<Item = Batch> + '_ {
    (0..batch.rows())
        .step_by(rows.max(1))
        .map(move |at| batch.slice(at, rows.min(batch.rows() - at)))
}
