//! ALTER, and the statements of catalogs and databases, as written.

use super::{Ident, ObjectName, Query, StringLiteral};
use crate::source::Span;

/// ALTER of one thing.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are the clauses of the statement")]
pub enum Alter {
    Table { name: ObjectName, if_exists: bool, action: AlterTable },
    ViewRename { name: ObjectName, to: ObjectName },
    ViewQuery { name: ObjectName, query: Query },
    Database { name: ObjectName, options: Vec<(StringLiteral, StringLiteral)> },
    CatalogSet { name: Ident, options: Vec<(StringLiteral, StringLiteral)> },
    CatalogReset { name: Ident, keys: Vec<StringLiteral> },
    CatalogComment { name: Ident, comment: String },
}

/// What ALTER TABLE does.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the statement")]
pub enum AlterTable {
    RenameTo(ObjectName),
    RenameColumn { from: Ident, to: Ident },
    Set(Vec<(StringLiteral, StringLiteral)>),
    Reset(Vec<StringLiteral>),
    Add(Vec<Element>),
    Modify(Vec<Element>),
    DropColumns(Vec<Ident>),
    DropPrimaryKey,
    DropConstraint(Ident),
    DropWatermark,
    DropDistribution,
}

/// A column or a clause of ADD and MODIFY.
#[derive(Debug, Clone)]
pub struct Element {
    /// Which.
    pub kind: ElementKind,
    /// Its text, without a position.
    pub span: Span,
}

/// What is added or modified.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the statement")]
pub enum ElementKind {
    Column {
        name: Ident,
        /// It has a COMMENT.
        commented: bool,
        /// It has PRIMARY KEY.
        keyed: bool,
        position: Position,
    },
    Watermark,
    /// The name, if one is given, else of its columns.
    Key(String),
    Distribution,
}

/// Where a column goes.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "as written")]
pub enum Position {
    AsItIs,
    First,
    After(Ident),
}

/// Catalogs and databases: CREATE and DROP.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are the clauses of the statement")]
pub enum NamespaceStatement {
    CreateCatalog {
        name: Ident,
        if_not_exists: bool,
        comment: Option<String>,
        options: Vec<(StringLiteral, StringLiteral)>,
    },
    DropCatalog {
        name: Ident,
        if_exists: bool,
    },
    CreateDatabase {
        name: ObjectName,
        if_not_exists: bool,
        comment: Option<String>,
        options: Vec<(StringLiteral, StringLiteral)>,
    },
    DropDatabase {
        name: ObjectName,
        if_exists: bool,
        cascade: bool,
    },
}
