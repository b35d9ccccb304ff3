//! Relations: a bound query as a tree, before it becomes an engine plan.
//! Invariant: `fields` are the columns the node's output has, in order; expressions of a node refer to the columns
//! of its input by index. Nothing here is about execution: no exchange, no worker.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::ArrayRef;
use mainstem_core::DataType;
use mainstem_core::table::Options;
use mainstem_engine::aggregate::AggregateCall;
use mainstem_engine::match_recognize::MatchSpec;
use mainstem_engine::over::OverCall;
use mainstem_engine::plan::{ChangeCodes, Expanded, JoinKind};
use mainstem_engine::rank::{RankEmit, RankEnd, RankFunction};
use mainstem_engine::window::{SessionSpec, WindowSpec};

use crate::bound::Bound;
use crate::catalog::Table;
use crate::join_time::JoinTime;

/// Flink's time attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeAttribute {
    /// Its watermark says how far event time is.
    Event,
    /// It is the clock.
    Processing,
}

/// What a column is to the window it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "Flink's names of the columns")]
pub enum WindowRole {
    Start,
    End,
    Time,
}

/// A column of a relation.
#[derive(Debug, Clone)]
pub struct RelField {
    /// The table or alias it can be qualified with.
    pub qualifier: Option<String>,
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Set for rowtime and proctime columns.
    pub time: Option<TimeAttribute>,
    /// It was rowtime until a join, behind which rows come when their partners do: group windows still take it.
    pub faded: bool,
    /// Set for window_start, window_end, window_time of a window table function, as long as rows belong to it.
    pub window: Option<WindowRole>,
    /// Compared by USING: there under its qualified name only.
    pub hidden: bool,
}

impl RelField {
    /// A plain column without qualifier.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            qualifier: None,
            name: name.into(),
            data_type,
            time: None,
            faded: false,
            window: None,
            hidden: false,
        }
    }

    /// It stands behind a join: it is no time attribute and no part of a window.
    pub fn fade(&mut self) {
        self.faded |= self.time == Some(TimeAttribute::Event);
        (self.time, self.window) = (None, None);
    }

    /// The same column behind a join.
    #[must_use]
    pub fn behind_join(&self) -> Self {
        let mut field = self.clone();
        field.fade();
        field
    }
}

/// A relation and its columns.
#[derive(Debug, Clone)]
pub struct Rel {
    /// What it is.
    pub kind: RelKind,
    /// Its columns.
    pub fields: Vec<RelField>,
}

/// The windows of a relation, and the time they are over.
#[derive(Debug, Clone)]
pub struct Windows {
    /// Which windows.
    pub spec: WindowSpec,
    /// The time column of the input; `None` for processing time.
    pub time: Option<usize>,
}

/// The sessions of a relation, and the time they are over.
#[derive(Debug, Clone)]
pub struct Sessions {
    /// The gap that ends one.
    pub spec: SessionSpec,
    /// The time column of the input; `None` for processing time.
    pub time: Option<usize>,
}

/// What a relation is.
#[derive(Debug, Clone)]
pub enum RelKind {
    /// Columns of a table.
    Scan {
        /// The table.
        table: Arc<Table>,
        /// Its options with hints merged in.
        options: Options,
        /// Which of its columns, in output order.
        columns: Vec<usize>,
        /// Conjuncts over the table's columns that the source is to apply.
        filters: Vec<mainstem_core::table::ScanFilter>,
    },
    /// Constant rows, by column.
    Values {
        /// Arrays of equal length.
        columns: Vec<ArrayRef>,
        /// That length.
        rows: usize,
    },
    /// Computes columns.
    Project {
        /// Input.
        input: Box<Rel>,
        /// One a field.
        exprs: Vec<Bound>,
    },
    /// Keeps rows.
    Filter {
        /// Input.
        input: Box<Rel>,
        /// Boolean.
        predicate: Bound,
    },
    /// The window table function: input columns, then window_start, window_end, window_time.
    WindowTable {
        /// Input.
        input: Box<Rel>,
        /// Which windows.
        windows: Windows,
    },
    /// The table function SESSION: as `WindowTable`, of sessions of each key.
    SessionTable {
        /// Input.
        input: Box<Rel>,
        /// The gap and the time.
        sessions: Sessions,
        /// PARTITION BY.
        keys: Vec<usize>,
    },
    /// GROUP BY over changing results.
    Aggregate {
        /// Input.
        input: Box<Rel>,
        /// Group columns.
        keys: Vec<usize>,
        /// Calls.
        aggregates: Vec<AggregateCall>,
    },
    /// The same rows; groups of the aggregation right below are forgotten when they had no row for so long.
    StateTtl {
        /// Input.
        input: Box<Rel>,
        /// How long; 0 is for ever.
        ttl_ms: i64,
    },
    /// GROUP BY over windows: keys, aggregates, then window_start, window_end, window_time.
    WindowAggregate {
        /// Input.
        input: Box<Rel>,
        /// Group columns besides the window.
        keys: Vec<usize>,
        /// Calls.
        aggregates: Vec<AggregateCall>,
        /// Where the windows come from.
        windows: WindowSource,
    },
    /// All rows of all inputs.
    UnionAll {
        /// Of equal types.
        inputs: Vec<Rel>,
    },
    /// A row per element: input columns, element columns, position if asked.
    Unnest {
        /// Input.
        input: Box<Rel>,
        /// The column with the elements.
        column: usize,
        /// Struct elements become columns.
        flatten: bool,
        /// Of a multiset: an element is there as often as it says.
        multiset: bool,
        /// Adds the position.
        with_ordinality: bool,
        /// Keeps rows without elements.
        outer: bool,
        /// Over the columns that come out: elements for which it does not hold are none.
        condition: Option<Bound>,
    },
    /// Equal keys, and the rest of the condition.
    Join {
        /// Left.
        left: Box<Rel>,
        /// Right.
        right: Box<Rel>,
        /// Which rows without a partner come out.
        kind: JoinKind,
        /// Columns of the left side.
        left_keys: Vec<usize>,
        /// Columns of the right side.
        right_keys: Vec<usize>,
        /// Over left columns then right columns.
        residual: Option<Bound>,
        /// How long rows of either side are kept that nobody writes, by hint; 0 is for ever.
        ttl_ms: [Option<i64>; 2],
    },
    /// A join that goes by time besides its keys.
    TimedJoin {
        /// Left.
        left: Box<Rel>,
        /// Right.
        right: Box<Rel>,
        /// Which rows without a partner come out.
        kind: JoinKind,
        /// Columns of the left side.
        left_keys: Vec<usize>,
        /// Columns of the right side.
        right_keys: Vec<usize>,
        /// Over left columns then right columns.
        residual: Option<Bound>,
        /// By what time.
        by: JoinTime,
    },
    /// OVER: input columns, then one a call.
    Over {
        /// Input.
        input: Box<Rel>,
        /// Partition columns.
        partition: Vec<usize>,
        /// Column, descending, NULLs first.
        order: Vec<(usize, bool, bool)>,
        /// Set if the first order column is a time attribute, ascending.
        time: Option<TimeAttribute>,
        /// The columns it adds.
        calls: Vec<OverCall>,
    },
    /// Top-N and deduplication: of each partition, the rows whose rank is from `from` to `to`; then the rank, if asked.
    Rank {
        /// Input.
        input: Box<Rel>,
        /// Partition columns.
        partition: Vec<usize>,
        /// Column, descending, NULLs first. Without: in the order of arrival.
        order: Vec<(usize, bool, bool)>,
        /// Rows that are equal in the order stand the other way round.
        latest_first: bool,
        /// What the rank is.
        function: RankFunction,
        /// The first rank, from 1.
        from: u64,
        /// The last one.
        to: RankEnd,
        /// Adds the rank.
        with_rank: bool,
        /// When rows come out, if the input only appends; a changelog if not.
        emit: RankEmit,
    },
    /// Each row as often as the last column says; the other columns.
    Repeat {
        /// Input.
        input: Box<Rel>,
        /// Its last column, BIGINT NOT NULL.
        column: usize,
        /// FROM_CHANGELOG: the input only appends, and a number below 0 takes rows back.
        signed: bool,
    },
    /// TO_CHANGELOG: a column with what each change is, then the input's; rows only come.
    ToChangelog {
        /// Input.
        input: Box<Rel>,
        /// What stands in the column.
        codes: ChangeCodes,
    },
    /// Each row once per layout: GROUPING SETS.
    Expand {
        /// Input.
        input: Box<Rel>,
        /// What stands in each column.
        layouts: Vec<Vec<Expanded>>,
    },
    /// MATCH_RECOGNIZE: its keys, then its measures; a row a match.
    MatchRecognize {
        /// Input.
        input: Box<Rel>,
        /// The pattern, over its columns.
        spec: Arc<MatchSpec>,
    },
    /// ORDER BY, emitted at the end of input.
    Sort {
        /// Input.
        input: Box<Rel>,
        /// Column, descending, NULLs first.
        keys: Vec<(usize, bool, bool)>,
        /// LIMIT.
        limit: Option<u64>,
    },
    /// LIMIT without order.
    Limit {
        /// Input.
        input: Box<Rel>,
        /// OFFSET.
        offset: u64,
        /// LIMIT.
        count: Option<u64>,
    },
}

/// Where a window aggregate's windows come from.
#[derive(Debug, Clone)]
pub enum WindowSource {
    /// Computed from a time column.
    Assign(Windows),
    /// Sessions of the aggregate's keys.
    Sessions(Sessions),
    /// Columns that a window table function or a window aggregate below made.
    Attached {
        /// window_start.
        start: usize,
        /// window_end.
        end: usize,
        /// Over processing time.
        processing_time: bool,
        /// Bounds are wall times of this zone.
        zone: Option<Arc<dyn mainstem_engine::window::LocalTime>>,
        /// Results are also shown before the end of a window, or mended after it.
        emit: Option<mainstem_engine::window::EmitSpec>,
    },
}

impl Rel {
    /// The types of its columns.
    pub fn types(&self) -> Vec<DataType> {
        self.fields.iter().map(|f| f.data_type.clone()).collect()
    }

    /// Its inputs.
    pub fn inputs(&self) -> Vec<&Rel> {
        match &self.kind {
            RelKind::Scan { .. } | RelKind::Values { .. } => Vec::new(),
            RelKind::Project { input, .. }
            | RelKind::Filter { input, .. }
            | RelKind::WindowTable { input, .. }
            | RelKind::SessionTable { input, .. }
            | RelKind::StateTtl { input, .. }
            | RelKind::Aggregate { input, .. }
            | RelKind::WindowAggregate { input, .. }
            | RelKind::Unnest { input, .. }
            | RelKind::Repeat { input, .. }
            | RelKind::ToChangelog { input, .. }
            | RelKind::Expand { input, .. }
            | RelKind::Over { input, .. }
            | RelKind::MatchRecognize { input, .. }
            | RelKind::Rank { input, .. }
            | RelKind::Sort { input, .. }
            | RelKind::Limit { input, .. } => vec![input],
            RelKind::UnionAll { inputs } => inputs.iter().collect(),
            RelKind::Join { left, right, .. } | RelKind::TimedJoin { left, right, .. } => {
                vec![left, right]
            }
        }
    }

    /// The expressions of the node itself.
    pub fn expressions(&self) -> Vec<&Bound> {
        match &self.kind {
            RelKind::Project { exprs, .. } => exprs.iter().collect(),
            RelKind::Filter { predicate, .. } => vec![predicate],
            RelKind::Join { residual, .. } | RelKind::TimedJoin { residual, .. } => {
                residual.iter().collect()
            }
            RelKind::Unnest { condition, .. } => condition.iter().collect(),
            RelKind::Scan { .. }
            | RelKind::Values { .. }
            | RelKind::WindowTable { .. }
            | RelKind::Aggregate { .. }
            | RelKind::WindowAggregate { .. }
            | RelKind::UnionAll { .. }
            | RelKind::SessionTable { .. }
            | RelKind::StateTtl { .. }
            | RelKind::Repeat { .. }
            | RelKind::ToChangelog { .. }
            | RelKind::Expand { .. }
            | RelKind::Over { .. }
            | RelKind::MatchRecognize { .. }
            | RelKind::Rank { .. }
            | RelKind::Sort { .. }
            | RelKind::Limit { .. } => Vec::new(),
        }
    }

    /// Places of window_start, window_end and window_time, if the rows belong to windows.
    pub fn window_columns(&self) -> Option<(usize, usize)> {
        let find = |role| self.fields.iter().position(|f| f.window == Some(role));
        Some((find(WindowRole::Start)?, find(WindowRole::End)?))
    }

    /// Columns of which at any time at most one row has each value: the keys of an aggregation, as long as they
    /// are kept. Empty for the one row of a global aggregation.
    pub fn upsert_key(&self) -> Option<Vec<usize>> {
        match &self.kind {
            RelKind::Aggregate { keys, .. } => Some((0..keys.len()).collect()),
            RelKind::Filter { input, .. }
            | RelKind::Over { input, .. }
            | RelKind::StateTtl { input, .. } => input.upsert_key(),
            RelKind::Join { left, kind: JoinKind::Semi | JoinKind::Anti, .. } => left.upsert_key(),
            RelKind::Rank { input, partition, function, from, to, with_rank, .. } => {
                let rank = input.fields.len();
                let numbers = *function == RankFunction::RowNumber;
                if numbers && *to == RankEnd::Constant(*from) {
                    Some(partition.clone())
                } else if numbers && *with_rank {
                    Some(partition.iter().copied().chain([rank]).collect())
                } else {
                    input.upsert_key()
                }
            }
            RelKind::Project { input, exprs } => {
                let moved =
                    |key: usize| exprs.iter().position(|e| e.as_checked_column() == Some(key));
                input.upsert_key()?.into_iter().map(moved).collect()
            }
            _ => None,
        }
    }

    /// A projection that keeps the given columns.
    #[must_use]
    pub fn select(self, columns: &[usize]) -> Rel {
        if columns.len() == self.fields.len() && columns.iter().enumerate().all(|(i, &c)| i == c) {
            return self;
        }
        let fields: Vec<RelField> = columns.iter().map(|&c| self.fields[c].clone()).collect();
        if let RelKind::Project { input, exprs } = self.kind {
            let exprs = columns.iter().map(|&c| exprs[c].clone()).collect();
            return Rel { kind: RelKind::Project { input, exprs }, fields };
        }
        let exprs =
            columns.iter().map(|&c| Bound::column(c, self.fields[c].data_type.clone())).collect();
        Rel { kind: RelKind::Project { input: Box::new(self), exprs }, fields }
    }
}

/// The columns that an expression reads.
pub fn columns_of(expr: &Bound) -> BTreeSet<usize> {
    let mut columns = BTreeSet::new();
    expr.visit_columns(&mut |c| {
        columns.insert(c);
    });
    columns
}
