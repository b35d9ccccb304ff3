//! What a script asks the shell to do: texts to show, and jobs to run.
//! Invariant: plain data and an engine plan; no relation and no syntax leaves this crate.

use mainstem_core::Field;
use mainstem_core::egress::ChangelogMode;
use mainstem_core::table::{ScanFilter, TableSpec};
use mainstem_engine::plan::Plan;

use crate::readings::Relations;

/// The outcome of a script, in order.
#[derive(Debug)]
pub enum Step {
    /// The answer of SHOW, DESCRIBE, EXPLAIN or SET: lines for stdout.
    Text(Vec<String>),
    /// Queries and INSERTs that run together as one dataflow.
    Job(Job),
}

/// A dataflow with its ends.
#[derive(Debug)]
pub struct Job {
    /// For the engine.
    pub plan: Plan,
    /// By source index of the plan.
    pub sources: Vec<SourcePlan>,
    /// By sink index of the plan.
    pub sinks: Vec<SinkPlan>,
    /// By lookup index of the plan.
    pub lookups: Vec<LookupPlan>,
    /// What EXPLAIN prints for it.
    pub explain: Vec<String>,
    /// Settings of the script (SET), for the shell: `parallelism.default`, `table.local-time-zone`, ...
    pub settings: std::collections::BTreeMap<String, String>,
    /// What it was made of, for [`Job::with_readings`].
    pub(crate) relations: Box<Relations>,
}

/// A table to read.
#[derive(Debug, Clone)]
pub struct SourcePlan {
    /// The declaration with hints merged in; only stored columns.
    pub table: TableSpec,
    /// Indices into `table.columns`, in the order of the decoder's batches.
    pub projection: Vec<usize>,
    /// The decoder applies them.
    pub filters: Vec<ScanFilter>,
}

/// A table to ask by keys.
#[derive(Debug, Clone)]
pub struct LookupPlan {
    /// The declaration with hints merged in; only stored columns.
    pub table: TableSpec,
    /// What keys are compared with, indices into `table.columns`, in the order of the keys.
    pub keys: Vec<usize>,
    /// Indices into `table.columns`, in the order of the answers' batches.
    pub projection: Vec<usize>,
    /// Equalities that hold for the rows wanted.
    pub filters: Vec<ScanFilter>,
}

/// Where rows go.
#[derive(Debug, Clone)]
pub struct SinkPlan {
    /// A table, or the terminal.
    pub target: SinkTarget,
    /// The columns of the batches.
    pub columns: Vec<Field>,
    /// What weights mean.
    pub changelog: ChangelogMode,
    /// Columns that tell the query's rows apart (empty: there is one row); `None` if there are no such.
    pub upsert_key: Option<Vec<usize>>,
}

/// Where rows go.
#[derive(Debug, Clone)]
pub enum SinkTarget {
    /// INSERT INTO.
    Table(TableSpec),
    /// A bare SELECT.
    Console,
}
