//! State as rows of tables: what an operator hands out for a checkpoint and takes in after a restart.
//! Invariant: rows say all, whatever layout they have in memory, so that they outlive changes of the layout, of the number
//! of workers and of the version. A table has the same shape on every worker.

use std::borrow::Cow;

use mainstem_core::Batch;

/// Which worker has a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The one that an exchange by these columns of the table sends the row to.
    Columns(Vec<usize>),
    /// All have the same rows; they are kept once.
    Every,
}

/// What a table of state looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableShape {
    /// Unique in its operator: `groups`, `left`.
    pub name: Cow<'static, str>,
    /// Who loads which row.
    pub owner: Owner,
}

/// All rows of one table on one worker. Weights mean nothing here.
#[derive(Debug, Clone)]
pub struct TableRows {
    /// Its shape.
    pub shape: TableShape,
    /// Its rows, in the order in which they are to be loaded.
    pub batches: Vec<Batch>,
}

/// How rows of a table that are handed out at a cut stand to those of the cuts before.
#[derive(Debug, Clone)]
pub enum Change {
    /// Earlier rows do not count any more. More rows of the same cut may follow as other changes.
    Anew(Vec<Batch>),
    /// They come behind the earlier ones.
    Added(Vec<Batch>),
    /// They replace the earlier ones with equal values in the columns `key`; those with the keys of `removed`, whose columns
    /// are the key's, are gone. Within one cut the rows of a key come together.
    Replaced {
        /// Columns of the table.
        key: Vec<usize>,
        /// All rows of their keys.
        rows: Vec<Batch>,
        /// Keys without rows, or with such as are in `rows`.
        removed: Vec<Batch>,
    },
}

impl Change {
    /// The rows that are new.
    pub fn into_rows(self) -> Vec<Batch> {
        match self {
            Self::Anew(rows) | Self::Added(rows) | Self::Replaced { rows, .. } => rows,
        }
    }
}

/// A part of what changed in a table between two cuts, on one worker.
#[derive(Debug, Clone)]
pub struct TableChange {
    /// The table's shape.
    pub shape: TableShape,
    /// The rows.
    pub change: Change,
}

/// A part of what a cut tells of the state of a plan's nodes.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The node, by its place in the plan.
    pub node: usize,
    /// Rows of one of its tables.
    pub change: TableChange,
}

impl From<TableRows> for TableChange {
    fn from(TableRows { shape, batches }: TableRows) -> Self {
        Self { shape, change: Change::Anew(batches) }
    }
}

impl TableShape {
    /// A table whose rows belong to the worker that owns the values of `columns`.
    pub fn keyed(name: impl Into<Cow<'static, str>>, columns: Vec<usize>) -> Self {
        Self { name: name.into(), owner: Owner::Columns(columns) }
    }

    /// A table that is the same on every worker.
    pub fn common(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), owner: Owner::Every }
    }

    /// A change of a table of this shape.
    #[must_use]
    pub fn changed(self, change: Change) -> TableChange {
        TableChange { shape: self, change }
    }

    /// A table of this shape with these rows.
    #[must_use]
    pub fn with_rows(self, batches: Vec<Batch>) -> TableRows {
        TableRows { shape: self, batches }
    }
}
