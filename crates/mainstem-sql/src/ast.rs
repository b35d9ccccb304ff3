//! The syntax of a statement, as written: no names resolved, no types known.
//! Invariant: every expression and every name has its span. Plain data; the parser makes it, the binder reads it.

use mainstem_core::DataType;

mod alter;
mod function;
mod match_recognize;

pub use alter::{Alter, AlterTable, Element, ElementKind, NamespaceStatement, Position};
pub use function::CreateFunction;
pub use match_recognize::{AfterMatch, MatchRecognize, PatternItem, PatternQuantifier};

use crate::operators::BinaryOp;
use crate::source::Span;

/// A name as written, quotes taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    /// Case kept.
    pub value: String,
    /// Where.
    pub span: Span,
}

/// A name with its qualifiers: `catalog.db.table`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectName(pub Vec<Ident>);

impl ObjectName {
    /// The last part.
    pub fn last(&self) -> &Ident {
        self.0.last().expect("the parser makes no empty name")
    }

    /// All parts.
    pub fn span(&self) -> Span {
        self.0[0].span.to(self.last().span)
    }
}

/// A statement and where it stands.
#[derive(Debug, Clone)]
pub struct Statement {
    /// What it says.
    pub kind: StatementKind,
    /// From its first to its last token.
    pub span: Span,
}

/// The statements of Flink's dialect that are understood.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are the clauses of the statement")]
pub enum StatementKind {
    CreateTable(Box<CreateTable>),
    CreateView {
        name: ObjectName,
        columns: Vec<Ident>,
        query: Query,
        or_replace: bool,
        if_not_exists: bool,
    },
    CreateFunction(Box<CreateFunction>),
    DropFunction {
        name: ObjectName,
        if_exists: bool,
    },
    Drop {
        view: bool,
        name: ObjectName,
        if_exists: bool,
    },
    Alter(Box<Alter>),
    Namespace(NamespaceStatement),
    Insert(Insert),
    StatementSet(Vec<Insert>),
    Set {
        key: Option<(String, String)>,
    },
    Reset {
        key: Option<String>,
    },
    Show(Show),
    Describe(ObjectName),
    DescribeCatalog {
        name: Ident,
        extended: bool,
    },
    Use {
        catalog: bool,
        name: ObjectName,
    },
    Explain(Box<Statement>),
    Query(Query),
}

/// What SHOW shows.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the statement")]
pub enum Show {
    Tables(Option<ObjectName>, Option<LikePattern>),
    Views(Option<ObjectName>, Option<LikePattern>),
    Columns(ObjectName, Option<LikePattern>),
    CreateTable(ObjectName),
    CreateView(ObjectName),
    CreateCatalog(Ident),
    Catalogs(Option<LikePattern>),
    /// Of a catalog, or of the one in use.
    Databases(Option<Ident>, Option<LikePattern>),
    CurrentCatalog,
    CurrentDatabase,
    Partitions(ObjectName),
    Functions {
        user: bool,
        like: Option<LikePattern>,
    },
    /// With whether each is used, if asked.
    Modules {
        full: bool,
    },
    /// What there is none of here: jars, models, materialized tables.
    Nothing,
}

/// `[NOT] LIKE 'pattern'` of SHOW.
#[derive(Debug, Clone)]
pub struct LikePattern {
    /// NOT.
    pub negated: bool,
    /// ILIKE: in any case.
    pub any_case: bool,
    /// With `%` and `_`.
    pub pattern: StringLiteral,
}

/// INSERT INTO.
#[derive(Debug, Clone)]
pub struct Insert {
    /// The target.
    pub table: ObjectName,
    /// Dynamic options of the target.
    pub hints: Vec<(StringLiteral, StringLiteral)>,
    /// PARTITION (column = literal, ...).
    pub partition: Vec<(Ident, Expr)>,
    /// The column list, if written.
    pub columns: Vec<Ident>,
    /// What is inserted.
    pub query: Query,
    /// INSERT OVERWRITE.
    pub overwrite: bool,
    /// The whole statement.
    pub span: Span,
}

/// A string and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringLiteral {
    /// Quotes taken off.
    pub value: String,
    /// Where.
    pub span: Span,
}

/// CREATE TABLE.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are the clauses of the statement")]
pub struct CreateTable {
    pub name: ObjectName,
    pub or_replace: bool,
    pub temporary: bool,
    pub if_not_exists: bool,
    pub columns: Vec<ColumnDef>,
    /// Names without types: the order of the columns that AS SELECT makes.
    pub column_order: Vec<Ident>,
    pub watermark: Option<WatermarkDef>,
    pub primary_key: Option<PrimaryKeyDef>,
    pub comment: Option<String>,
    pub distribution: Option<DistributionDef>,
    pub partitioned_by: Vec<Ident>,
    pub like: Option<LikeClause>,
    pub options: Vec<(StringLiteral, StringLiteral)>,
    pub query: Option<Query>,
}

/// [CONSTRAINT name] PRIMARY KEY (columns) NOT ENFORCED.
#[derive(Debug, Clone)]
pub struct PrimaryKeyDef {
    /// The constraint's name, if given.
    pub name: Option<Ident>,
    /// The key.
    pub columns: Vec<Ident>,
}

/// DISTRIBUTED [BY [HASH | RANGE] (columns)] [INTO n BUCKETS].
#[derive(Debug, Clone)]
pub struct DistributionDef {
    /// HASH or RANGE, if given.
    pub kind: Option<&'static str>,
    /// What rows are distributed by.
    pub columns: Vec<Ident>,
    /// How many buckets, if given.
    pub buckets: Option<String>,
    /// Where.
    pub span: Span,
}

/// LIKE of CREATE TABLE.
#[derive(Debug, Clone)]
pub struct LikeClause {
    /// The table to copy from.
    pub table: ObjectName,
    /// INCLUDING / EXCLUDING / OVERWRITING with what, upper case.
    pub rules: Vec<(String, String, Span)>,
}

/// A column of CREATE TABLE.
#[derive(Debug, Clone)]
pub struct ColumnDef {
    /// Its name.
    pub name: Ident,
    /// Where its values come from.
    pub kind: ColumnKind,
    /// COMMENT.
    pub comment: Option<String>,
}

/// Where a column's values come from.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are the clauses of the column")]
pub enum ColumnKind {
    Physical(DataType),
    Computed(Expr),
    Metadata { data_type: DataType, from: Option<String>, is_virtual: bool },
}

/// WATERMARK FOR column AS expr.
#[derive(Debug, Clone)]
pub struct WatermarkDef {
    /// The rowtime column; more than one part for a nested field.
    pub column: Vec<Ident>,
    /// The strategy.
    pub expr: Expr,
}

/// A query with its ORDER BY and LIMIT.
#[derive(Debug, Clone)]
pub struct Query {
    /// WITH.
    pub ctes: Vec<(Ident, Vec<Ident>, Query)>,
    /// SELECT, VALUES or a set operation.
    pub body: SetExpr,
    /// ORDER BY.
    pub order_by: Vec<OrderItem>,
    /// LIMIT or FETCH.
    pub limit: Option<Expr>,
    /// OFFSET.
    pub offset: Option<Expr>,
    /// Where.
    pub span: Span,
}

/// ORDER BY expr [ASC | DESC] [NULLS FIRST | LAST].
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the clause")]
pub struct OrderItem {
    pub expr: Expr,
    pub descending: bool,
    pub nulls_first: Option<bool>,
}

/// The body of a query.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the clause")]
pub enum SetExpr {
    Select(Box<Select>),
    Values(Vec<Vec<Expr>>),
    Query(Box<Query>),
    SetOperation { op: SetOperator, all: bool, left: Box<SetExpr>, right: Box<SetExpr>, span: Span },
}

/// UNION, INTERSECT, EXCEPT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named by the keyword")]
pub enum SetOperator {
    Union,
    Intersect,
    Except,
}

/// SELECT ... FROM ... WHERE ... GROUP BY ... HAVING.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the clause")]
pub struct Select {
    /// `/*+ STATE_TTL('table' = 'duration', ...) */`
    pub state_ttl: Vec<(StringLiteral, StringLiteral)>,
    pub distinct: bool,
    pub items: Vec<SelectItem>,
    pub from: Option<TableRef>,
    pub selection: Option<Expr>,
    pub group_by: Vec<GroupItem>,
    pub having: Option<Expr>,
    /// WINDOW name AS (...), ...
    pub windows: Vec<(Ident, WindowDef)>,
    pub qualify: Option<Expr>,
    pub span: Span,
}

/// An element of GROUP BY.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the clause")]
pub enum GroupItem {
    Expr(Expr),
    GroupingSets(Vec<GroupingSet>, Span),
}

/// A set of GROUPING SETS, ROLLUP or CUBE.
#[derive(Debug, Clone)]
pub struct GroupingSet {
    /// Its expressions.
    pub exprs: Vec<Expr>,
    /// The ROLLUP or CUBE that made it: of its sets, equal ones are one.
    pub made_by: Option<Span>,
}

/// An element of the select list.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the clause")]
pub enum SelectItem {
    Expr { expr: Expr, alias: Option<Ident> },
    Wildcard { qualifier: Option<ObjectName>, span: Span },
}

/// An alias with optional column names.
#[derive(Debug, Clone)]
pub struct Alias {
    /// The name.
    pub name: Ident,
    /// AS t(a, b).
    pub columns: Vec<Ident>,
}

/// An element of FROM.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the clause")]
pub enum TableRef {
    Table {
        name: ObjectName,
        hints: Vec<(StringLiteral, StringLiteral)>,
        system_time: Option<Expr>,
        alias: Option<Alias>,
    },
    Derived {
        query: Box<Query>,
        alias: Option<Alias>,
        lateral: bool,
    },
    Function {
        name: Ident,
        args: Vec<TableArg>,
        alias: Option<Alias>,
        lateral: bool,
        span: Span,
    },
    Unnest {
        expr: Expr,
        with_ordinality: bool,
        alias: Option<Alias>,
        span: Span,
    },
    Match {
        recognize: Box<MatchRecognize>,
        alias: Option<Alias>,
    },
    Join {
        left: Box<TableRef>,
        right: Box<TableRef>,
        kind: JoinType,
        constraint: JoinConstraint,
        span: Span,
    },
}

/// An argument of a table function.
#[derive(Debug, Clone)]
pub struct TableArg {
    /// `DATA => ...`
    pub name: Option<Ident>,
    /// The value.
    pub value: TableArgValue,
    /// PARTITION BY behind a table.
    pub partition_by: Vec<Ident>,
}

/// What an argument of a table function can be.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the clause")]
pub enum TableArgValue {
    Table(ObjectName),
    Query(Box<Query>),
    Descriptor(Vec<Ident>),
    Expr(Expr),
}

/// SQL's joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named by the keyword")]
pub enum JoinType {
    Inner,
    Left,
    Right,
    Full,
    Cross,
}

/// ON, USING or nothing.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the keyword")]
pub enum JoinConstraint {
    On(Expr),
    Using(Vec<Ident>),
    Natural,
    None,
}

/// An expression and where it stands.
#[derive(Debug, Clone)]
pub struct Expr {
    /// What it says.
    pub kind: Box<ExprKind>,
    /// Where.
    pub span: Span,
}

/// A test behind IS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named by the keyword")]
pub enum IsTest {
    Null,
    True,
    False,
    Unknown,
    JsonValue,
    JsonObject,
    JsonArray,
    JsonScalar,
}

/// What to do on an empty result or an error in JSON_VALUE and JSON_QUERY.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the keyword")]
pub enum JsonBehavior {
    Null,
    Error,
    EmptyArray,
    EmptyObject,
    Default(Expr),
}

/// What an expression says.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are the parts of the expression")]
pub enum ExprKind {
    Null,
    Boolean(bool),
    Number(String),
    String(String),
    Bytes(Vec<u8>),
    /// DATE, TIME or TIMESTAMP (upper case) and the text.
    Temporal {
        kind: &'static str,
        text: String,
    },
    /// INTERVAL 'text' unit [TO unit].
    Interval {
        text: String,
        negative: bool,
        unit: String,
        precision: Option<u8>,
        to: Option<String>,
    },
    /// (a - b) unit.
    Difference {
        left: Expr,
        right: Expr,
        unit: String,
    },
    /// A name of one or more parts.
    Column(Vec<Ident>),
    /// expr.field where expr is no name.
    Field {
        base: Expr,
        name: Ident,
    },
    Element {
        base: Expr,
        index: Expr,
    },
    Not(Expr),
    Negate(Expr),
    Plus(Expr),
    Binary {
        op: BinaryOp,
        left: Expr,
        right: Expr,
    },
    Is {
        expr: Expr,
        test: IsTest,
        negated: bool,
    },
    Between {
        expr: Expr,
        low: Expr,
        high: Expr,
        negated: bool,
        symmetric: bool,
    },
    InList {
        expr: Expr,
        list: Vec<Expr>,
        negated: bool,
    },
    InSubquery {
        expr: Expr,
        query: Query,
        negated: bool,
    },
    /// left op SOME (query), left op ALL (query).
    Quantified {
        left: Expr,
        op: BinaryOp,
        all: bool,
        query: Query,
    },
    Exists(Query),
    Subquery(Query),
    Like {
        expr: Expr,
        pattern: Expr,
        escape: Option<Expr>,
        negated: bool,
        similar: bool,
    },
    Case {
        operand: Option<Expr>,
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Expr>,
    },
    Cast {
        expr: Expr,
        data_type: DataType,
        /// The unit of an INTERVAL type that names a single one, upper case.
        unit: Option<String>,
        try_cast: bool,
    },
    Extract {
        unit: String,
        expr: Expr,
    },
    /// FLOOR or CEIL (x TO unit).
    RoundTime {
        ceil: bool,
        expr: Expr,
        unit: String,
    },
    /// TIMESTAMPADD or TIMESTAMPDIFF.
    TimestampArithmetic {
        diff: bool,
        unit: String,
        first: Expr,
        second: Expr,
    },
    Trim {
        mode: &'static str,
        characters: Option<Expr>,
        expr: Expr,
    },
    Overlaps {
        left: (Expr, Expr),
        right: (Expr, Expr),
    },
    Function(Call),
    /// `call [IGNORE | RESPECT NULLS] OVER window`.
    Over {
        call: Call,
        /// True for IGNORE NULLS, false for RESPECT NULLS.
        ignore_nulls: Option<bool>,
        window: OverWindow,
    },
    Array(Vec<Expr>),
    Map(Vec<Expr>),
    Row(Vec<Expr>),
    JsonExists {
        input: Expr,
        path: Expr,
        on_error: Option<String>,
    },
    JsonValue {
        input: Expr,
        path: Expr,
        returning: Option<DataType>,
        on_empty: Option<JsonBehavior>,
        on_error: Option<JsonBehavior>,
    },
    JsonQuery {
        input: Expr,
        path: Expr,
        returning: Option<DataType>,
        wrapper: &'static str,
        on_empty: Option<JsonBehavior>,
        on_error: Option<JsonBehavior>,
    },
    JsonObject {
        members: Vec<(Expr, Expr)>,
        absent_on_null: bool,
    },
    JsonArray {
        items: Vec<Expr>,
        absent_on_null: bool,
    },
}

/// A function call in the usual form.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are the parts of the call")]
pub struct Call {
    pub name: ObjectName,
    pub args: Vec<Expr>,
    /// COUNT(*).
    pub star: bool,
    pub distinct: bool,
    /// True for IGNORE NULLS, false for RESPECT NULLS in the parentheses.
    pub ignore_nulls: Option<bool>,
    pub filter: Option<Expr>,
}

/// What stands behind OVER.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the clause")]
pub enum OverWindow {
    /// A window of the WINDOW clause.
    Named(Ident),
    Inline(WindowDef),
}

/// `([base] [PARTITION BY ...] [ORDER BY ...] [frame])`
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the clause")]
pub struct WindowDef {
    /// The window of the WINDOW clause that it refines.
    pub base: Option<Ident>,
    pub partition_by: Vec<Expr>,
    pub order_by: Vec<OrderItem>,
    pub frame: Option<Frame>,
    pub span: Span,
}

/// `ROWS | RANGE BETWEEN start AND end`; without BETWEEN, the end is CURRENT ROW.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the clause")]
pub struct Frame {
    /// ROWS, not RANGE.
    pub rows: bool,
    pub start: FrameBound,
    pub end: FrameBound,
    pub span: Span,
}

/// Where a frame starts or ends.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the clause")]
pub enum FrameBound {
    UnboundedPreceding,
    Preceding(Expr),
    CurrentRow,
    Following(Expr),
    UnboundedFollowing,
}
