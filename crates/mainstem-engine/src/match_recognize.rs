//! What the plan says of a MATCH_RECOGNIZE: a pattern of variables, what each asks of a row, and what is told of a match.
//! Invariant: every expression is over the values of its own `slots`, one column a slot; a slot says where in the
//! matched rows its value comes from. Semantics are those of Flink's CEP library with strict contiguity.

use std::sync::Arc;

use arrow_schema::DataType as ArrowType;

use crate::aggregate::AggregateFunction;
use crate::expr::ExprRef;
use crate::plan::TimeSource;

/// A pattern over the rows of each key.
#[derive(Debug, Clone)]
pub struct MatchSpec {
    /// PARTITION BY: input columns.
    pub keys: Vec<usize>,
    /// ORDER BY: the time.
    pub time: TimeSource,
    /// The rest of ORDER BY, for rows of equal time: column, descending, NULLs first.
    pub order: Vec<(usize, bool, bool)>,
    /// PATTERN: variables one after the other, each at least one.
    pub variables: Vec<MatchVariable>,
    /// AFTER MATCH SKIP.
    pub skip: AfterMatch,
    /// WITHIN: a match is younger than this from its first row to its last.
    pub within_ms: Option<i64>,
    /// MEASURES.
    pub measures: Vec<MatchExpr>,
}

impl MatchSpec {
    /// Calls `see` with every input column it names, which `see` may replace.
    pub fn for_each_column(&mut self, see: &mut dyn FnMut(&mut usize)) {
        self.keys.iter_mut().for_each(&mut *see);
        if let TimeSource::EventTime { column } = &mut self.time {
            see(column);
        }
        self.order.iter_mut().for_each(|key| see(&mut key.0));
        let conditions = self.variables.iter_mut().filter_map(|v| v.condition.as_mut());
        for slot in conditions.chain(&mut self.measures).flat_map(|e| &mut e.slots) {
            match slot {
                Slot::Current(column) | Slot::Row { column, .. } => see(column),
                Slot::Aggregate { args, .. } => args.iter_mut().for_each(&mut *see),
                Slot::RowTime(_) | Slot::ProcessingTime(_) => {}
            }
        }
    }
}

/// A variable of the pattern.
#[derive(Debug, Clone)]
pub struct MatchVariable {
    /// Its name, for errors.
    pub name: String,
    /// How many rows it takes.
    pub quantifier: Quantifier,
    /// DEFINE; `None`: every row will do.
    pub condition: Option<MatchExpr>,
}

/// How often a variable is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantifier {
    /// At least.
    pub min: u32,
    /// At most; `None`: any number.
    pub max: Option<u32>,
    /// Takes all rows it can get: the variable behind it gets only rows that this one refuses. Reluctant otherwise.
    pub greedy: bool,
}

impl Quantifier {
    /// A variable without quantifier.
    pub const ONE: Self = Self { min: 1, max: Some(1), greedy: false };

    /// True if it keeps rows from the variable behind it: as in Flink, `?` and `{n}` do not.
    pub fn keeps_rows(&self) -> bool {
        self.greedy && self.max != Some(self.min) && (self.min, self.max) != (0, Some(1))
    }
}

/// Where the search goes on after a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterMatch {
    /// Behind the last row of the match.
    PastLastRow,
    /// Behind its first row.
    NextRow,
    /// At the first row of a variable; an error if it has none or if that is the first row of the match.
    ToFirst(usize),
    /// At the last row of a variable, likewise.
    ToLast(usize),
}

/// An expression over the rows of a match.
#[derive(Debug, Clone)]
pub struct MatchExpr {
    /// Its inputs.
    pub slots: Vec<Slot>,
    /// Over one column a slot.
    pub expr: ExprRef,
}

/// Where a value comes from. `variable: None` means all variables: the rows of the match in order. Within DEFINE, the
/// row that is asked about is the last row of its variable.
#[derive(Debug, Clone)]
pub enum Slot {
    /// A column of the row that DEFINE asks about.
    Current(usize),
    /// A column of the row `offset` behind the first, or before the last, row of a variable; NULL if there is none.
    Row {
        /// Which rows.
        variable: Option<usize>,
        /// Counted from the first row on, or from the last row back.
        first: bool,
        /// Rows further.
        offset: u32,
        /// Of the input.
        column: usize,
    },
    /// An aggregate over the rows of a variable.
    Aggregate {
        /// Which rows.
        variable: Option<usize>,
        /// Without DISTINCT and FILTER.
        function: Arc<dyn AggregateFunction>,
        /// Input columns.
        args: Vec<usize>,
    },
    /// MATCH_ROWTIME(): the event time at which the match was found; of this timestamp(ms) type.
    RowTime(ArrowType),
    /// MATCH_PROCTIME(): the step's `now`; of this timestamp(ms) type.
    ProcessingTime(ArrowType),
}
