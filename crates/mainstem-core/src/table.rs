//! A table as connectors see it: columns without SQL, options, keys, and a filter simple enough for a decoder.

use std::collections::BTreeMap;

use crate::DataType;

/// The options of a table's WITH clause after validation, by full key.
pub type Options = BTreeMap<String, String>;

/// A stored column: one that a format or a connector supplies. Computed columns never reach a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Case kept.
    pub name: String,
    /// Its declared type.
    pub data_type: DataType,
    /// For METADATA columns, the connector's key for it, for example `timestamp`.
    pub metadata_key: Option<String>,
}

/// A table's declaration.
#[derive(Debug, Clone, Default)]
pub struct TableSpec {
    /// The table's name, for errors.
    pub name: String,
    /// Stored columns in the order of the DDL; for a sink, virtual metadata columns are left out.
    pub columns: Vec<Column>,
    /// Indices into `columns`.
    pub primary_key: Vec<usize>,
    /// PARTITIONED BY, indices into `columns`.
    pub partition_keys: Vec<usize>,
    /// The WITH clause, merged with hints.
    pub options: Options,
}

/// A constant in a [`ScanFilter`].
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// BOOLEAN.
    Boolean(bool),
    /// Any integer type.
    Integer(i64),
    /// FLOAT or DOUBLE.
    Double(f64),
    /// CHAR or VARCHAR.
    String(String),
}

/// A comparison a decoder can make on one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the SQL operators of these names")]
pub enum FilterOp {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
    IsNotNull,
}

/// One conjunct `column op literal`; a row for which it is not true (false or NULL) is not wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanFilter {
    /// Index into [`TableSpec::columns`]; need not be among the projected columns.
    pub column: usize,
    /// The comparison.
    pub op: FilterOp,
    /// The right side; ignored for `IsNotNull`. Its variant fits the column's type.
    pub literal: Literal,
}
