//! Tables that are asked by keys: what a relation makes of the rows of one, when its connector can be asked.
//! Invariant: columns count as in the table; a computed column is what it is computed from. A relation that does more
//! than choose and compute, row by row, is none of these.

use std::sync::Arc;

use mainstem_core::table::Options;

use crate::bind::conjuncts;
use crate::bound::Bound;
use crate::catalog::{ColumnSource, ConnectorCatalog, Table};
use crate::rel::{Rel, RelKind};

/// Rows of a table that is asked by keys.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) table: Arc<Table>,
    pub(crate) options: Options,
    /// By field of the relation.
    pub(crate) exprs: Vec<Bound>,
    /// Only rows for which all of them are true.
    pub(crate) conditions: Vec<Bound>,
}

impl Remote {
    /// `rel` as such rows.
    pub(crate) fn of(rel: &Rel, connectors: &ConnectorCatalog) -> Option<Self> {
        match &rel.kind {
            RelKind::Scan { table, options, columns, filters } => {
                let spec = connectors.connector(options)?;
                if !spec.pushdown.lookup || !filters.is_empty() {
                    return None;
                }
                let column = |&column: &usize| match &table.columns[column].source {
                    ColumnSource::Computed { expr, .. } => expr.clone(),
                    _ => Bound::column(column, table.columns[column].data_type.clone()),
                };
                let exprs = columns.iter().map(column).collect();
                let (table, options) = (Arc::clone(table), options.clone());
                Some(Self { table, options, exprs, conditions: Vec::new() })
            }
            RelKind::Project { input, exprs } => {
                let below = Self::of(input, connectors)?;
                let exprs = exprs.iter().map(|expr| below.over_table(expr)).collect();
                Some(Self { exprs, ..below })
            }
            RelKind::Filter { input, predicate } => {
                let mut below = Self::of(input, connectors)?;
                let mut parts = Vec::new();
                conjuncts(below.over_table(predicate), &mut parts);
                below.conditions.extend(parts);
                Some(below)
            }
            _ => None,
        }
    }

    /// An expression over the relation, over the table.
    pub(crate) fn over_table(&self, expr: &Bound) -> Bound {
        expr.map_columns(&|column, _| self.exprs[column].clone())
    }

    /// The table's column that field `field` is, if it can be compared with keys.
    pub(crate) fn key(&self, field: usize) -> Option<usize> {
        let column = self.exprs[field].as_column()?;
        matches!(self.table.columns[column].source, ColumnSource::Physical).then_some(column)
    }
}
