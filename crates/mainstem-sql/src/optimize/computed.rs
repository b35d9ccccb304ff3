//! Computed columns of a table become a projection over its stored columns, so that filters move below them and what
//! is known about stored columns reaches them.
//! Invariant: a table that others read too, or whose watermark is needed, keeps its computed columns in the scan,
//! where they are made once and before the watermark.

use std::collections::BTreeSet;

use super::map_inputs;
use crate::bound::Bound;
use crate::catalog::{ColumnSource, Table};
use crate::rel::{Rel, RelField, RelKind, columns_of};

/// Takes computed columns out of every scan of a table for which `may_move` says yes.
pub(super) fn expose(rel: Rel, may_move: &dyn Fn(&Table) -> bool) -> Rel {
    let rel = map_inputs(rel, &mut |r| expose(r, may_move));
    let RelKind::Scan { table, options, columns, filters } = rel.kind else { return rel };
    if columns.iter().all(|c| table.is_stored(*c)) || !may_move(&table) {
        return Rel {
            kind: RelKind::Scan { table, options, columns, filters },
            fields: rel.fields,
        };
    }
    let mut read = BTreeSet::new();
    for &column in &columns {
        match &table.columns[column].source {
            ColumnSource::Computed { expr, .. } => read.extend(columns_of(expr)),
            _ => {
                read.insert(column);
            }
        }
    }
    let read: Vec<usize> = read.into_iter().collect();
    let at = |c: usize| read.iter().position(|r| *r == c).expect("collected above");
    let exprs = columns
        .iter()
        .map(|&c| match &table.columns[c].source {
            ColumnSource::Computed { expr, .. } => expr.remap(&at),
            _ => Bound::column(at(c), table.columns[c].data_type.clone()),
        })
        .collect();
    let fields = read
        .iter()
        .map(|&c| RelField::new(&table.columns[c].name, table.columns[c].data_type.clone()))
        .collect();
    let scan = Rel { kind: RelKind::Scan { table, options, columns: read, filters }, fields };
    Rel { kind: RelKind::Project { input: Box::new(scan), exprs }, fields: rel.fields }
}
