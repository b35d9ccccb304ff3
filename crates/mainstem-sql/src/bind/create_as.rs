//! CREATE TABLE ... AS SELECT: the columns of the table come from the statement and from its query.
//! Invariant: the relation that comes out has exactly the columns the table's sink takes, in order.

use super::ddl::{check_usable, declare, own_columns};
use super::{Context, bind_query, insert};
use crate::ast::{ColumnDef, ColumnKind, CreateTable, Ident};
use crate::catalog::Table;
use crate::coercion;
use crate::error::{SqlError, SqlResult};
use crate::rel::{Rel, RelField};
use crate::source::Span;

/// The table and what is put into it.
pub fn bind_create_as(
    context: Context<'_>,
    ddl: &CreateTable,
    text: &str,
) -> SqlResult<(Table, Rel)> {
    let Some(query) = &ddl.query else {
        return Err(SqlError::new("expected AS SELECT", ddl.name.span()));
    };
    let mut rel = bind_query(context, query)?;
    unique_names(&mut rel.fields);
    let columns = if ddl.column_order.is_empty() {
        with_own(&own_columns(ddl), &rel.fields, query.span)?
    } else {
        reordered(ddl, &rel.fields, query.span)?
    };
    let table = declare(context, ddl, &columns, text)?;
    check_usable(context, &table, ddl.name.span())?;
    let target = |f: &RelField| table.column(&f.name).expect("each field became a column");
    let targets: Vec<usize> = rel.fields.iter().map(target).collect();
    let rel = insert::fit(context, rel, &table, &targets, query.span)?;
    Ok((table, rel))
}

/// A name that stands twice gets a number, as in Flink.
fn unique_names(fields: &mut [RelField]) {
    for i in 0..fields.len() {
        let name = fields[i].name.clone();
        let taken = |n: &str, fields: &[RelField]| fields[..i].iter().any(|f| f.name == n);
        let numbered = (0..).map(|k| format!("{name}{k}"));
        if taken(&name, fields)
            && let Some(free) = { numbered }.find(|n| !taken(n, fields))
        {
            fields[i].name = free;
        }
    }
}

fn from_query(field: &RelField, span: Span) -> ColumnDef {
    ColumnDef {
        name: Ident { value: field.name.clone(), span },
        kind: ColumnKind::Physical(field.data_type.clone()),
        comment: None,
    }
}

/// `(b, a)`: all columns of the query, in this order.
fn reordered(ddl: &CreateTable, fields: &[RelField], span: Span) -> SqlResult<Vec<ColumnDef>> {
    if ddl.column_order.len() != fields.len() {
        let message =
            format!("{} columns are named, the query has {}", ddl.column_order.len(), fields.len());
        return Err(SqlError::new(message, ddl.column_order[0].span)
            .with_hint("name each column of the query once"));
    }
    let find = |name: &Ident| {
        let field = fields.iter().find(|f| f.name == name.value);
        field
            .map(|f| from_query(f, span))
            .ok_or_else(|| super::unknown_column(&name.value, fields, name.span))
    };
    ddl.column_order.iter().map(find).collect()
}

/// The statement's own columns first, then the query's; a column that both have stands where the query has it, with
/// the type the statement gives it.
fn with_own(own: &[ColumnDef], fields: &[RelField], span: Span) -> SqlResult<Vec<ColumnDef>> {
    let mut columns = Vec::new();
    for column in own {
        let Some(field) = fields.iter().find(|f| f.name == column.name.value) else {
            columns.push(column.clone());
            continue;
        };
        let (ColumnKind::Physical(wanted) | ColumnKind::Metadata { data_type: wanted, .. }) =
            &column.kind
        else {
            let message = format!("the query has a column '{}' already", field.name);
            return Err(SqlError::new(message, column.name.span)
                .with_hint("give the computed column another name"));
        };
        if !coercion::implicit_cast_allowed(&field.data_type, wanted) {
            let message = format!(
                "column '{}' is declared {wanted}, the query gives {}",
                field.name, field.data_type
            );
            return Err(SqlError::new(message, column.name.span));
        }
    }
    columns.extend(fields.iter().map(|field| {
        let declared = own.iter().find(|c| c.name.value == field.name);
        declared.cloned().unwrap_or_else(|| from_query(field, span))
    }));
    Ok(columns)
}
