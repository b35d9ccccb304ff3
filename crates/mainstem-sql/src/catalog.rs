//! The tables and views of a session, and what is known of connectors and formats: data only.
//! Invariant: a table in the catalog has resolved columns, a bound watermark and validated names; its options are
//! the text of the WITH clause, validated by whoever knows the connectors.

mod databases;
mod declaration;

use std::sync::Arc;

use mainstem_core::options::{ConnectorSpec, FormatSpec};
use mainstem_core::table::{Column, Options, TableSpec};
use mainstem_core::{DataType, types::quote_identifier};

use crate::ast;
use crate::bound::Bound;

pub use databases::{Catalog, CatalogEntry, Database, Namespace};
pub use declaration::Declaration;
pub(crate) use declaration::options_sql;

/// The catalog that is there from the start.
pub const DEFAULT_CATALOG: &str = "default_catalog";
/// Its database.
pub const DEFAULT_DATABASE: &str = "default_database";

/// What the planner knows of connectors and formats.
#[derive(Debug, Clone, Default)]
pub struct ConnectorCatalog {
    /// Every connector.
    pub connectors: Vec<&'static ConnectorSpec>,
    /// Every format.
    pub formats: Vec<&'static FormatSpec>,
}

impl ConnectorCatalog {
    /// The connector of a table.
    pub fn connector(&self, options: &Options) -> Option<&'static ConnectorSpec> {
        let name = options.get("connector")?;
        self.connectors.iter().find(|c| c.name == name).copied()
    }

    /// The value format of a table, if its connector takes one.
    pub fn format(&self, options: &Options) -> Option<&'static FormatSpec> {
        let name = options.get("format").or_else(|| options.get("value.format"))?;
        self.formats.iter().find(|f| f.name == name).copied()
    }
}

/// Where a column's values come from.
#[derive(Debug, Clone)]
pub enum ColumnSource {
    /// The format.
    Physical,
    /// The connector.
    Metadata {
        /// The connector's key.
        key: String,
        /// Not written by sinks.
        is_virtual: bool,
    },
    /// An expression over the table's stored columns (indices into [`Table::columns`]).
    Computed {
        /// Bound.
        expr: Bound,
        /// As written, for SHOW CREATE TABLE.
        text: String,
    },
}

/// A column of a table.
#[derive(Debug, Clone)]
pub struct TableColumn {
    /// Case kept.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Where its values come from.
    pub source: ColumnSource,
    /// COMMENT.
    pub comment: Option<String>,
    /// True for `AS PROCTIME()`.
    pub is_proctime: bool,
}

/// The watermark of a table.
#[derive(Debug, Clone)]
pub struct Watermark {
    /// The rowtime column.
    pub column: usize,
    /// Over all columns of the table.
    pub expr: Bound,
    /// As written.
    pub text: String,
    /// `SOURCE_WATERMARK()`: `expr` is NULL and the table cannot be read.
    pub of_source: bool,
}

/// A table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Its name; outside the default database with what stands before it.
    pub name: String,
    /// Where it is.
    pub namespace: Namespace,
    /// CREATE TEMPORARY TABLE.
    pub temporary: bool,
    /// In the order of the DDL.
    pub columns: Vec<TableColumn>,
    /// Event time, if declared.
    pub watermark: Option<Watermark>,
    /// Indices into `columns`.
    pub primary_key: Vec<usize>,
    /// The name of the primary key, if one was given.
    pub constraint: Option<String>,
    /// DISTRIBUTED BY, as SHOW CREATE TABLE prints it: no connector here takes buckets.
    pub distribution: Option<String>,
    /// Indices into `columns`.
    pub partition_keys: Vec<usize>,
    /// The WITH clause.
    pub options: Options,
    /// COMMENT.
    pub comment: Option<String>,
}

impl Table {
    /// The index of a column; names are case-sensitive.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }

    /// True if a format or connector supplies column `index`.
    pub fn is_stored(&self, index: usize) -> bool {
        !matches!(self.columns[index].source, ColumnSource::Computed { .. })
    }

    /// The columns a sink takes, in order: stored ones that are not virtual.
    pub fn sink_columns(&self) -> Vec<usize> {
        let is_sink = |c: &TableColumn| match &c.source {
            ColumnSource::Physical => true,
            ColumnSource::Metadata { is_virtual, .. } => !is_virtual,
            ColumnSource::Computed { .. } => false,
        };
        (0..self.columns.len()).filter(|&i| is_sink(&self.columns[i])).collect()
    }

    /// What a connector sees: `columns` of this table (stored ones) and `options` merged over the table's.
    pub fn spec(&self, columns: &[usize], options: &Options) -> TableSpec {
        let place = |key: &[usize]| {
            key.iter().filter_map(|k| columns.iter().position(|c| c == k)).collect::<Vec<_>>()
        };
        TableSpec {
            name: self.name.clone(),
            columns: columns
                .iter()
                .map(|&i| Column {
                    name: self.columns[i].name.clone(),
                    data_type: self.columns[i].data_type.clone(),
                    metadata_key: match &self.columns[i].source {
                        ColumnSource::Metadata { key, .. } => Some(key.clone()),
                        _ => None,
                    },
                })
                .collect(),
            primary_key: place(&self.primary_key),
            partition_keys: place(&self.partition_keys),
            options: options.clone(),
        }
    }

    /// The statement that makes this table, as Flink prints it; `hidden` options show `***`.
    pub fn to_sql(&self, is_secret: &dyn Fn(&str) -> bool) -> String {
        let name = self.namespace.quoted(&self.name);
        Declaration::of(self, None).to_sql(&name, self.temporary, is_secret)
    }
}

/// A view: its text is bound anew wherever it is used.
#[derive(Debug, Clone)]
pub struct View {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub namespace: Namespace,
    /// What was in use when it was made: where the names of its query are.
    pub home: Namespace,
    /// Column names, if given.
    pub columns: Vec<String>,
    /// The query.
    pub query: ast::Query,
    /// As written.
    pub text: String,
}

impl View {
    /// The statement that makes this view, its query as written.
    pub fn to_sql(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(|c| quote_identifier(c)).collect();
        let list = match columns.is_empty() {
            true => String::new(),
            false => format!(" (\n  {}\n)", columns.join(",\n  ")),
        };
        format!("CREATE VIEW {}{list} AS\n{}", self.namespace.quoted(&self.name), self.text)
    }
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub enum Object {
    /// A table.
    Table(Arc<Table>),
    /// A view.
    View(Arc<View>),
}
