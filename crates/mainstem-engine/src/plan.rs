//! The engine's plan: nodes in topological order, already bound and typed; no names, no SQL.
//! Invariant: a node's inputs have smaller indices. Column indices refer to the input's output columns.

use std::sync::Arc;

use arrow_schema::DataType as ArrowType;
use mainstem_core::Batch;
use mainstem_core::egress::ChangelogMode;

use crate::aggregate::AggregateCall;
use crate::expr::ExprRef;
use crate::lookup::CacheSpec;
use crate::over::OverCall;
use crate::rank::{RankEmit, RankEnd, RankFunction};
use crate::window::{EmitSpec, SessionSpec, WindowSpec};

/// A dataflow. Outputs are the `Sink` nodes.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// In topological order.
    pub nodes: Vec<Node>,
    /// How many sources the nodes name: their indices are `0..sources`.
    pub sources: usize,
    /// How many sinks the nodes name.
    pub sinks: usize,
    /// How many tables outside the nodes ask.
    pub lookups: usize,
}

impl Plan {
    /// The nodes that read a node, each once, with their indices.
    pub(crate) fn readers(&self, index: usize) -> impl Iterator<Item = (usize, &Node)> {
        (0..).zip(&self.nodes).filter(move |(_, node)| node.inputs.contains(&index))
    }
}

/// One operator.
#[derive(Debug, Clone)]
pub struct Node {
    /// Which operator.
    pub kind: NodeKind,
    /// Indices of the nodes it reads.
    pub inputs: Vec<usize>,
    /// For progress and EXPLAIN: `TableSourceScan(rides)`.
    pub name: String,
    /// The Arrow types of its output columns.
    pub output: Vec<ArrowType>,
    /// False if every output weight is +1 by construction.
    pub changelog: bool,
    /// State that was not written for so long, by the clock, is forgotten (`table.exec.state.ttl`): groups of `Aggregate`,
    /// keys of `UpsertNormalize`, partitions of a `Rank` that keeps one row of append-only input. Forgotten before a step
    /// reads it; what was emitted of it stays, and its next row starts it anew. `Join` has a time for each side; the other
    /// operators keep their state.
    pub state_ttl_ms: Option<i64>,
}

/// What the rows of a source are, as texts that are equal in every plan that reads the same of a table: by them the state of
/// operators is found again when a plan has changed.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// The table.
    pub table: String,
    /// Readings of a table with different numbers are at different places of it, and so is what is made of them.
    pub reading: u32,
    /// The columns that come out; [`Scan::column`] makes them.
    pub columns: Vec<String>,
    /// Conditions that the decoder applies, as [`Expr::conditions`](crate::expr::Expr::conditions) would say them.
    pub conditions: Vec<String>,
}

impl Scan {
    /// The text for a column of a table.
    pub fn column(table: &str, column: &str, data_type: &dyn std::fmt::Display) -> String {
        format!("{table}.{column} {data_type}")
    }
}

/// Where an operator takes the time of a row from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// A timestamp column that is a rowtime attribute; progress is the watermark.
    EventTime {
        /// The column.
        column: usize,
    },
    /// The step's `now`; progress is the clock.
    ProcessingTime,
}

/// The operators. Rows of weight other than +1 are understood by every one unless it says otherwise.
#[derive(Debug, Clone)]
pub enum NodeKind {
    /// Rows of source `source`, as its decoder makes them.
    Source {
        /// Its index.
        source: usize,
        /// What they are.
        scan: Scan,
    },
    /// The same constant rows, once, in the first step; then its input has ended. Emitted by worker 0.
    Values {
        /// The rows.
        batch: Batch,
    },
    /// Sets the watermark of a source from its rows, per split: the greatest value of `expr` (a timestamp; ms are
    /// taken) seen in a split, the least over the splits that are not idle and have not ended, never falling. A
    /// split without rows for `idle_timeout_ms` of processing time is idle. When no split had a row for `clock_after_ms`,
    /// the watermark is the greatest value of all splits plus the time since the last row. Rows pass through unchanged.
    /// Directly or over stateless nodes above exactly one `Source`.
    Watermark {
        /// Evaluated on the input's rows.
        expr: ExprRef,
        /// `None`: never idle.
        idle_timeout_ms: Option<i64>,
        /// `None`: the clock does not matter.
        clock_after_ms: Option<i64>,
    },
    /// Computes columns.
    Project {
        /// One a column.
        exprs: Vec<ExprRef>,
    },
    /// Keeps the rows for which `predicate` is true.
    Filter {
        /// Boolean.
        predicate: ExprRef,
    },
    /// Sends each row to the worker that owns its key (`hash(keys) % workers`); without keys all rows to worker 0.
    Exchange {
        /// Input columns.
        keys: Vec<usize>,
    },
    /// All rows of all inputs.
    UnionAll,
    /// One row per element of the list, map or multiset in `column`: all input columns, then the element's columns (the fields
    /// of a struct, or the element; key and value of a map), then the 1-based position if `with_ordinality`.
    /// `outer`: a row without elements yields one with NULLs. Elements for which the condition does not hold are none.
    Unnest {
        /// The list or map column.
        column: usize,
        /// Elements that are structs become one column a field.
        flatten: bool,
        /// The map is a multiset: a key is there as often as its value, an Int32, says.
        multiset: bool,
        /// Adds an Int32 column.
        with_ordinality: bool,
        /// LEFT JOIN UNNEST.
        outer: bool,
        /// Over the columns that come out.
        condition: Option<ExprRef>,
    },
    /// The window table function: every row once per window it is in, with `window_start`, `window_end`
    /// (Timestamp ms without zone) and `window_time` (window_end - 1 ms; in the type of the time column, ms) added.
    /// Rows whose time is NULL are an error. Stateless.
    WindowTable {
        /// Which windows.
        window: WindowSpec,
        /// Which time.
        time: TimeSource,
    },
    /// GROUP BY over windows, emitted once per window when the progress of time reaches `window_end - 1`.
    /// Input: any columns. Output columns: keys, aggregates, then window_start, window_end, window_time.
    /// A row is late, and dropped and counted, if all its windows were closed before this step.
    WindowAggregate {
        /// Where windows come from.
        window: WindowInput,
        /// Group columns besides the window.
        keys: Vec<usize>,
        /// The calls.
        aggregates: Vec<AggregateCall>,
    },
    /// The table function SESSION: all input columns, then `window_start`, `window_end`, `window_time` as in
    /// `WindowTable`. A row comes out when its session closes: when the progress of time reaches its end - 1 ms, the gap
    /// after its last row. A row exactly one gap after another is in its session. A row is late, and dropped and
    /// counted, if it touches no open session and its own would be closed before this step. Keeps the rows of open
    /// sessions. Weights are kept; a row that is taken back does not make a session shorter.
    SessionTable {
        /// The gap.
        session: SessionSpec,
        /// Which time.
        time: TimeSource,
        /// PARTITION BY: each key has its own sessions.
        keys: Vec<usize>,
    },
    /// GROUP BY over sessions of the keys: what a `WindowAggregate` over a `SessionTable` of the same keys gives, of
    /// which it keeps one accumulator per key and open session instead of the rows. Output columns: keys, aggregates,
    /// then window_start, window_end, window_time.
    SessionAggregate {
        /// The gap.
        session: SessionSpec,
        /// Which time.
        time: TimeSource,
        /// Group columns besides the window; each key has its own sessions.
        keys: Vec<usize>,
        /// The calls.
        aggregates: Vec<AggregateCall>,
    },
    /// GROUP BY over windows that the rows carry, of which results are shown before their end or mended after it: a
    /// changelog, per window -old +new. Output columns as `WindowAggregate`. A row is late, and dropped and counted, if
    /// its window was let go before this step. Keeps one accumulator per key and window, until the progress of time is
    /// past its end by the allowed lateness.
    WindowUpdates {
        /// The rows' windows.
        window: WindowInput,
        /// When results are shown.
        emit: EmitSpec,
        /// Group columns besides the window.
        keys: Vec<usize>,
        /// The calls.
        aggregates: Vec<AggregateCall>,
    },
    /// GROUP BY without a window: a changelog, per key -old +new when the result changed within the step. Output
    /// columns: keys, aggregates. A group whose rows all went is removed; without keys all rows are one group (as in
    /// Flink's streaming mode: no input, no row).
    Aggregate {
        /// Group columns.
        keys: Vec<usize>,
        /// The calls.
        aggregates: Vec<AggregateCall>,
        /// Bounded input and only the final result is asked: emit once, at the end of input.
        final_only: bool,
    },
    /// Turns upserts by key (+1: this is now the row; -1: the row of this key goes; other columns of a -1 are
    /// ignored) into a true changelog.
    UpsertNormalize {
        /// Key columns.
        key: Vec<usize>,
    },
    /// Joins two inputs on equal keys (NULL equals nothing); both sides' rows are kept, but for those that expire.
    Join {
        /// Which rows without a partner come out.
        kind: JoinKind,
        /// Key columns of input 0.
        left_keys: Vec<usize>,
        /// Key columns of input 1, of the same Arrow types.
        right_keys: Vec<usize>,
        /// Part of the join condition.
        residual: Option<Residual>,
        /// When rows of input 0 and input 1 find no more partners, but for late ones. Only for inner joins of
        /// append-only inputs.
        expiry: [Option<Expiry>; 2],
        /// How long rows of input 0 and input 1 that nobody writes are kept, by the clock: to write a row is to bring it,
        /// to take it back or, where rows without a partner matter, to change how many it has. Not together with `expiry`.
        ttl_ms: [Option<i64>; 2],
    },
    /// OVER: all input columns, then one a call; every row of the input comes out once.
    /// With `time`, over append-only input whose first order column is that time, ascending, and calls that look back
    /// only: a row waits until the watermark passes its time (event time) or comes out in its step (processing time),
    /// and is never taken back. A row is late, dropped and counted, if the watermark had passed it before the step
    /// (frames that start at the partition's start), or if a row of its partition and time or a later one came out
    /// before (bounded frames). Kept: rows that wait; per partition either accumulators, for ever, or the rows of the
    /// frame, those of RANGE freed when the watermark passes them.
    /// Without `time`: a changelog, per row -old +new when its result changed in the step; kept are all input rows
    /// with their results. Rows that are equal in the order stand in the order in which they came, those of a changelog
    /// in one that follows from the rows alone.
    Over {
        /// Partition columns.
        partition: Vec<usize>,
        /// Column, descending, NULLs first.
        order: Vec<(usize, bool, bool)>,
        /// Set if rows come out once, in the order of time.
        time: Option<TimeSource>,
        /// The columns it adds.
        calls: Vec<OverCall>,
    },
    /// Joins two append-only inputs on equal keys (NULL equals nothing) and on
    /// `lower_ms <= left time - right time <= upper_ms`. Output columns: those of input 0, then those of input 1 (no
    /// semi and anti joins). Append-only: pairs come out at once, a row without a partner with NULLs when no partner
    /// can come any more. State: the rows of both inputs that a row after the watermark could still join, freed as
    /// the watermark passes (processing time: as the clock does). A late row joins what is still kept and is not
    /// kept itself once its time has passed. Its watermark is held back by as much as its rows' times may lie back.
    IntervalJoin {
        /// Inner, Left, Right or Full.
        kind: JoinKind,
        /// Key columns of input 0.
        left_keys: Vec<usize>,
        /// Key columns of input 1, of the same Arrow types.
        right_keys: Vec<usize>,
        /// The time of a row of input 0.
        left_time: TimeSource,
        /// The time of a row of input 1, of the same kind.
        right_time: TimeSource,
        /// The least difference, left time minus right time.
        lower_ms: i64,
        /// The greatest.
        upper_ms: i64,
        /// The rest of the condition, over the columns of input 0 followed by those of input 1.
        residual: Option<ExprRef>,
    },
    /// Joins each row of input 0 with the version of the row of input 1 that was valid at its event time: of the rows
    /// with equal keys the one with the greatest time at or before it. Output columns: those of input 0, then those of
    /// input 1. A row waits until the watermark of both inputs passes its time; one that comes later joins the versions
    /// still kept, in the next step. Weights of input 0 pass through. State: waiting rows, and for each key the newest
    /// version at or before the watermark and all after it; older ones are freed.
    TemporalJoin {
        /// Inner or Left.
        kind: JoinKind,
        /// Key columns of input 0.
        left_keys: Vec<usize>,
        /// Key columns of input 1: what a version is a version of.
        right_keys: Vec<usize>,
        /// Timestamp column of input 0.
        left_time: usize,
        /// Timestamp column of input 1: from when on a version is valid.
        right_time: usize,
        /// How rows of input 1 are versions.
        versions: Versions,
        /// The rest of the condition, over the columns of input 0 followed by those of input 1.
        residual: Option<ExprRef>,
    },
    /// Joins each row of input 0 with what input 1 is at its end. Rows of input 0 wait until then; afterwards they
    /// pass at once. Output columns: those of input 0, then those of input 1. Weights of input 0 pass through. State:
    /// all rows of input 1, and those of input 0 until it has ended.
    LookupJoin {
        /// Inner or Left.
        kind: JoinKind,
        /// Key columns of input 0.
        left_keys: Vec<usize>,
        /// Key columns of input 1, of the same Arrow types.
        right_keys: Vec<usize>,
        /// The rest of the condition, over the columns of input 0 followed by those of input 1.
        residual: Option<ExprRef>,
    },
    /// Joins each row with what a table outside answers for its key, when it is asked. Rows come out in the order in
    /// which they came (of one worker), each when it and all before it are answered; watermark and end wait for them.
    /// Output columns: those of the input, then `columns`. State: rows that wait, and the answers that `cache` remembers. If
    /// the input takes rows back, each takes back what it has found: kept are all rows, with that, until they are gone,
    /// whatever `cache` says.
    RemoteLookup {
        /// Which table.
        lookup: usize,
        /// Inner or Left.
        kind: JoinKind,
        /// Key columns of the input; the table is asked by them. A row with a NULL among them has no partner.
        left_keys: Vec<usize>,
        /// Over the rows that the table gives: which of them are wanted.
        filter: Option<ExprRef>,
        /// The same: what is wanted of them.
        columns: Vec<ExprRef>,
        /// The rest of the condition, over the output's columns.
        residual: Option<ExprRef>,
        /// `None`: the table is asked anew for the rows of each step.
        cache: Option<CacheSpec>,
    },
    /// Joins the rows of two append-only inputs that are in the same window, once, when the progress of time reaches
    /// `window_end - 1`: a join of the windows' rows, of any kind. Output columns as of [`NodeKind::Join`], append-only.
    /// A row of a window that was closed before this step is late, and dropped and counted. State: the rows of open
    /// windows.
    WindowJoin {
        /// Which rows without a partner come out.
        kind: JoinKind,
        /// Key columns of input 0 besides its window.
        left_keys: Vec<usize>,
        /// Key columns of input 1, of the same Arrow types.
        right_keys: Vec<usize>,
        /// window_start and window_end of input 0: Timestamp(ms) columns.
        left_window: (usize, usize),
        /// The same of input 1.
        right_window: (usize, usize),
        /// True if windows are over processing time.
        processing_time: bool,
        /// For windows over TIMESTAMP_LTZ in a zone other than UTC.
        zone: Option<Arc<dyn crate::window::LocalTime>>,
        /// The rest of the condition, over the columns of input 0 followed by those of input 1.
        residual: Option<ExprRef>,
    },
    /// Of each partition, the rows whose rank in the order is at least `from` and at most `to`: top-N and
    /// deduplication. Rows that are equal in the order stand in the order in which they came. Output columns: those of
    /// the input, then, if `with_rank`, the rank (BIGINT). As `emit` says: a changelog of what changed in the step, or
    /// append-only. Without an order, over append-only input, ROW_NUMBER is append-only too: first come, first out.
    /// Kept: of append-only input the rows of the wanted ranks (in order of arrival: a counter a partition), for ever;
    /// of changing input all rows until they are taken back; of windows their rows until they are emitted.
    Rank {
        /// Partition columns.
        partition: Vec<usize>,
        /// Column, descending, NULLs first.
        order: Vec<(usize, bool, bool)>,
        /// Rows that are equal in the order stand the other way round: the last one first. For append-only input.
        latest_first: bool,
        /// What the rank is.
        function: RankFunction,
        /// The first rank that is wanted, from 1.
        from: u64,
        /// The last one.
        to: RankEnd,
        /// Adds the rank as a column.
        with_rank: bool,
        /// When rows come out.
        emit: RankEmit,
    },
    /// Each row as often as the Int64 column `column` says (not at all for NULL and less than 1), without that column.
    /// Stateless.
    Repeat {
        /// The column.
        column: usize,
        /// A number below 0 takes rows back; the input is append-only.
        signed: bool,
    },
    /// The changes of each step as rows that only come, behind a column with what each one is. Stateless; all changes of
    /// a key on one worker.
    ToChangelog {
        /// What stands in the column.
        codes: ChangeCodes,
        /// Columns by which a row that goes and one that comes are an update.
        key: Option<Vec<usize>>,
    },
    /// Each row once per layout, with the columns that the layout lists. Stateless; a batch out for each layout.
    Expand {
        /// Of equal length.
        layouts: Vec<Vec<Expanded>>,
    },
    /// MATCH_RECOGNIZE over append-only rows: the matches of a pattern in the rows of each key, in order of time (event
    /// time: once the watermark has passed them; late rows are dropped and counted). Output columns: the keys, then the
    /// measures; one row a match, append-only. State: rows that wait for the watermark, and for each key the runs that
    /// have started with the rows from their first on, freed when they match, fail or are WITHIN's interval old.
    MatchRecognize(Arc<crate::match_recognize::MatchSpec>),
    /// The first `count` rows after `offset`; append-only input, worker 0.
    Limit {
        /// Rows left out.
        offset: u64,
        /// Rows kept; `None`: all.
        count: Option<u64>,
    },
    /// Sorts bounded input and emits it at the end of input, all on worker 0.
    Sort {
        /// Column, descending, NULLs first.
        keys: Vec<(usize, bool, bool)>,
        /// LIMIT after the sort.
        limit: Option<u64>,
    },
    /// Rows in the order of their time, each once none can come before it: when the watermark passes its time, or in
    /// its step by processing time. Append-only input, all on worker 0. A row whose time is not after that of a row
    /// that came out is late. Kept: rows that wait.
    TemporalSort {
        /// Which time; by event time, its column is the first key, ascending.
        time: TimeSource,
        /// Column, descending, NULLs first; by processing time, those behind it.
        keys: Vec<(usize, bool, bool)>,
    },
    /// Output `sink`. Rows reach the encoder as `changelog` says (consolidated within the step).
    Sink {
        /// Its index.
        sink: usize,
        /// What the target takes.
        changelog: ChangelogMode,
    },
}

/// What `ToChangelog` calls each kind of change; those without a name are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is the kind of change of its name")]
pub struct ChangeCodes {
    pub insert: Option<Arc<str>>,
    pub update_before: Option<Arc<str>>,
    pub update_after: Option<Arc<str>>,
    pub delete: Option<Arc<str>>,
}

/// A column of a layout of `Expand`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expanded {
    /// A column of the input.
    Column(usize),
    /// NULLs.
    Null,
    /// This Int64 in every row.
    Number(i64),
}

/// Where a window aggregate's windows come from.
#[derive(Debug, Clone)]
pub enum WindowInput {
    /// Computed from the row's time (slices shared between windows).
    Assign {
        /// Which windows.
        window: WindowSpec,
        /// Which time.
        time: TimeSource,
    },
    /// The row already carries its window (from WindowTable, or from a window aggregate below).
    Attached {
        /// Timestamp(ms) column.
        start: usize,
        /// Timestamp(ms) column.
        end: usize,
        /// True if windows are over processing time.
        processing_time: bool,
        /// For windows over TIMESTAMP_LTZ in a zone other than UTC.
        zone: Option<Arc<dyn crate::window::LocalTime>>,
    },
}

/// How the rows of an input are versions of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// Every row is a version, whenever it comes. A row of negative weight that is directly followed by one with the
    /// same key is the old half of an update and no version; any other one ends the version of its own time.
    All,
    /// The same, but a row older than the newest that came of its key is none, as in keep-last deduplication.
    KeepLast,
    /// Upserts: a row of negative weight has a key only and ends the newest version.
    Upserts,
}

/// A condition on pairs of rows, read from few of their columns.
#[derive(Debug, Clone)]
pub struct Residual {
    /// Over `columns`, in their order.
    pub condition: ExprRef,
    /// Columns of input 0 followed by those of input 1.
    pub columns: Vec<usize>,
}

/// When a row of a join finds no more partners: once the watermark has reached the time in `column`, and `after_ms` more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// A timestamp column of the row; NULL is at once.
    pub column: usize,
    /// How much later, in ms.
    pub after_ms: i64,
}

/// SQL's join kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "SQL's terms")]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Semi,
    Anti,
}
