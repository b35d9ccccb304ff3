//! INSERT INTO: the query's columns are fitted to the table's.

use std::sync::Arc;

use mainstem_core::table::Options;

use super::query::hint_options;
use super::{Context, bind_query, unknown_column};
use crate::ast::Insert;
use crate::bind::expr::ExprBinder;
use crate::bound::Bound;
use crate::catalog::{Object, Table};
use crate::coercion;
use crate::error::{SqlError, SqlResult};
use crate::rel::{Rel, RelField, RelKind};
use crate::source::Span;

/// The target, its options, and a relation with exactly the columns a sink takes.
pub fn bind_insert(context: Context<'_>, insert: &Insert) -> SqlResult<(Arc<Table>, Options, Rel)> {
    let name = insert.table.last();
    let table = match context.catalog.get(&name.value) {
        Some(Object::Table(table)) => Arc::clone(table),
        Some(Object::View(_)) => {
            return Err(SqlError::new(format!("'{}' is a view", name.value), name.span));
        }
        None => {
            let error = SqlError::new(format!("unknown table '{}'", name.value), name.span);
            let names = context.catalog.iter().map(|(n, _)| n);
            return Err(match mainstem_core::options::nearest(&name.value, names) {
                Some(near) => error.with_hint(format!("did you mean '{near}'?")),
                None => error.with_hint("declare it with CREATE TABLE first"),
            });
        }
    };
    if insert.overwrite {
        return Err(SqlError::unsupported("INSERT OVERWRITE", insert.span));
    }
    let mut options = table.options.clone();
    options.extend(hint_options(&insert.hints));
    let rel = bind_query(context, &insert.query)?;
    let columns = target_columns(&table, insert)?;
    let rel = fit(context, rel, &table, &columns, insert.query.span)?;
    Ok((table, options, rel))
}

fn target_columns(table: &Table, insert: &Insert) -> SqlResult<Vec<usize>> {
    let all = table.sink_columns();
    if insert.columns.is_empty() {
        return Ok(all);
    }
    let mut columns = Vec::new();
    for name in &insert.columns {
        let index = table.column(&name.value).filter(|i| all.contains(i));
        let Some(index) = index else {
            let fields: Vec<RelField> = all
                .iter()
                .map(|&i| RelField::new(&table.columns[i].name, table.columns[i].data_type.clone()))
                .collect();
            return Err(unknown_column(&name.value, &fields, name.span));
        };
        columns.push(index);
    }
    Ok(columns)
}

/// Casts the query's columns to the table's and fills columns that were not named with NULL.
pub(super) fn fit(
    context: Context<'_>,
    rel: Rel,
    table: &Table,
    columns: &[usize],
    span: Span,
) -> SqlResult<Rel> {
    if rel.fields.len() != columns.len() {
        let list = |names: Vec<&str>| names.join(", ");
        return Err(SqlError::new(
            format!(
                "table '{}' takes {} columns, the query gives {}",
                table.name,
                columns.len(),
                rel.fields.len()
            ),
            span,
        )
        .with_hint(format!(
            "the table takes ({}), the query gives ({})",
            list(columns.iter().map(|&c| table.columns[c].name.as_str()).collect()),
            list(rel.fields.iter().map(|f| f.name.as_str()).collect()),
        )));
    }
    let binder = ExprBinder::new(context.session, &[]);
    let mut exprs = Vec::new();
    let mut fields = Vec::new();
    for target in table.sink_columns() {
        let column = &table.columns[target];
        let wanted = column.data_type.with_nullable(true);
        let expr = match columns.iter().position(|c| *c == target) {
            None if !column.data_type.nullable => {
                let message = format!("column '{}' is NOT NULL and must be given", column.name);
                return Err(SqlError::new(message, span));
            }
            None => Bound::null(&wanted),
            Some(source) => {
                let given = rel.fields[source].data_type.clone();
                if !coercion::implicit_cast_allowed(&given.with_nullable(true), &wanted) {
                    let message = format!(
                        "column '{}' of table '{}' is {}, the query gives {}",
                        column.name, table.name, column.data_type.kind, given.kind
                    );
                    return Err(SqlError::new(message, span).with_hint(format!(
                        "write CAST({} AS {}) in the select list",
                        rel.fields[source].name, column.data_type.kind
                    )));
                }
                binder.coerce(Bound::column(source, given), &wanted, span)?
            }
        };
        exprs.push(expr);
        fields.push(RelField {
            qualifier: None,
            name: column.name.clone(),
            data_type: column.data_type.clone(),
            time: None,
            window: None,
        });
    }
    let identity = exprs.len() == rel.fields.len()
        && exprs.iter().enumerate().all(|(i, e)| e.as_column() == Some(i));
    if identity {
        return Ok(Rel { fields, ..rel });
    }
    Ok(Rel { kind: RelKind::Project { input: Box::new(rel), exprs }, fields })
}
