//! INSERT INTO: the query's columns are fitted to the table's.
//! Invariant: what comes out has the sink's columns in order; no NULL reaches a column that is NOT NULL.

use std::sync::Arc;

use arrow_array::Array;
use mainstem_core::Error;
use mainstem_core::table::Options;
use mainstem_engine::expr::{EvalContext, Value};

use super::ddl::{check_usable, find_source};
use super::query::{conjunction, filter, hint_options};
use super::{Context, bind_query, unknown_column};
use crate::ast::{Ident, Insert};
use crate::bind::expr::ExprBinder;
use crate::bound::{Bound, BoundKind, NOT_NULL};
use crate::cast::CastMode;
use crate::catalog::Table;
use crate::coercion;
use crate::error::{SqlError, SqlResult};
use crate::functions::Kernel;
use crate::operators::UnaryOp;
use crate::rel::{Rel, RelField, RelKind};
use crate::session::NullInSink;
use crate::source::Span;

/// The target, its options, and a relation with exactly the columns a sink takes.
pub fn bind_insert(context: Context<'_>, insert: &Insert) -> SqlResult<(Arc<Table>, Options, Rel)> {
    let table = find_source(context, &insert.table)?;
    check_usable(context, &table, insert.table.span())?;
    if insert.overwrite {
        return Err(SqlError::new("INSERT OVERWRITE needs a batch job", insert.span)
            .with_hint("a streaming job adds to what is there: write INSERT INTO"));
    }
    if let Some(distribution) = &table.distribution {
        let message = format!("table '{}' is {distribution}", table.name);
        return Err(SqlError::new(message, insert.table.span())
            .with_hint("no connector takes buckets: leave DISTRIBUTED out"));
    }
    let mut options = table.options.clone();
    options.extend(hint_options(&insert.hints));
    let rel = bind_query(context, &insert.query)?;
    let fixed = partition_columns(&table, insert)?;
    let mut columns = target_columns(&table, insert, &fixed)?;
    check_width(&rel, &table, &columns, insert.query.span)?;
    let rel = with_partition_values(context, rel, &table, insert, &fixed)?;
    columns.extend(fixed);
    let rel = fit(context, rel, &table, &columns, insert.query.span)?;
    Ok((table, options, rel))
}

/// The columns that PARTITION gives a value, all of them partition columns.
fn partition_columns(table: &Table, insert: &Insert) -> SqlResult<Vec<usize>> {
    let mut fixed = Vec::new();
    for (name, _) in &insert.partition {
        let Some(index) = table.column(&name.value) else {
            return Err(unknown_column(&name.value, &sink_fields(table), name.span));
        };
        if !table.partition_keys.contains(&index) {
            let message = format!("'{}' is no partition column of the table", name.value);
            return Err(SqlError::new(message, name.span)
                .with_hint("PARTITION takes columns of PARTITIONED BY"));
        }
        if fixed.contains(&index) {
            return Err(assigned_twice(name));
        }
        fixed.push(index);
    }
    Ok(fixed)
}

/// `rel` with the literals of PARTITION behind its columns.
fn with_partition_values(
    context: Context<'_>,
    rel: Rel,
    table: &Table,
    insert: &Insert,
    fixed: &[usize],
) -> SqlResult<Rel> {
    if fixed.is_empty() {
        return Ok(rel);
    }
    let binder = ExprBinder::new(context.session, &[]);
    let mut fields = rel.fields.clone();
    let mut exprs: Vec<Bound> =
        fields.iter().enumerate().map(|(i, f)| Bound::column(i, f.data_type.clone())).collect();
    for ((name, value), &column) in insert.partition.iter().zip(fixed) {
        let wanted = table.columns[column].data_type.with_nullable(true);
        let expr = binder.cast(binder.bind(value)?, &wanted, CastMode::Cast, value.span)?;
        fields.push(RelField::new(&name.value, expr.data_type.clone()));
        exprs.push(expr);
    }
    Ok(Rel { kind: RelKind::Project { input: Box::new(rel), exprs }, fields })
}

fn assigned_twice(name: &Ident) -> SqlError {
    SqlError::new(format!("column '{}' is assigned more than once", name.value), name.span)
}

fn sink_fields(table: &Table) -> Vec<RelField> {
    let field =
        |i: usize| RelField::new(&table.columns[i].name, table.columns[i].data_type.clone());
    table.sink_columns().into_iter().map(field).collect()
}

fn target_columns(table: &Table, insert: &Insert, fixed: &[usize]) -> SqlResult<Vec<usize>> {
    let all = table.sink_columns();
    if insert.columns.is_empty() {
        return Ok(all.into_iter().filter(|c| !fixed.contains(c)).collect());
    }
    let mut columns = Vec::new();
    for name in &insert.columns {
        let index = table.column(&name.value).filter(|i| all.contains(i));
        let Some(index) = index else {
            return Err(unknown_column(&name.value, &sink_fields(table), name.span));
        };
        if columns.contains(&index) || fixed.contains(&index) {
            return Err(assigned_twice(name));
        }
        columns.push(index);
    }
    Ok(columns)
}

fn check_width(rel: &Rel, table: &Table, columns: &[usize], span: Span) -> SqlResult<()> {
    if rel.fields.len() == columns.len() {
        return Ok(());
    }
    let list = |names: Vec<&str>| names.join(", ");
    let message = format!(
        "table '{}' takes {} columns, the query gives {}",
        table.name,
        columns.len(),
        rel.fields.len()
    );
    Err(SqlError::new(message, span).with_hint(format!(
        "the table takes ({}), the query gives ({})",
        list(columns.iter().map(|&c| table.columns[c].name.as_str()).collect()),
        list(rel.fields.iter().map(|f| f.name.as_str()).collect()),
    )))
}

/// Casts the query's columns to the table's and fills columns that were not named with NULL.
pub(super) fn fit(
    context: Context<'_>,
    rel: Rel,
    table: &Table,
    columns: &[usize],
    span: Span,
) -> SqlResult<Rel> {
    let binder = ExprBinder::new(context.session, &[]);
    let rel = match context.session.null_in_sink {
        NullInSink::Refuse => rel,
        NullInSink::Drop => without_nulls(&binder, rel, table, columns, span)?,
    };
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
                let fitted = binder.coerce(Bound::column(source, given), &wanted, span)?;
                if column.data_type.nullable || !fitted.data_type.nullable {
                    fitted
                } else {
                    never_null(fitted, &column.name)
                }
            }
        };
        exprs.push(expr);
        fields.push(RelField {
            qualifier: None,
            name: column.name.clone(),
            data_type: column.data_type.clone(),
            time: None,
            faded: false,
            window: None,
            hidden: false,
        });
    }
    let identity = exprs.len() == rel.fields.len()
        && exprs.iter().enumerate().all(|(i, e)| e.as_column() == Some(i));
    if identity {
        return Ok(Rel { fields, ..rel });
    }
    Ok(Rel { kind: RelKind::Project { input: Box::new(rel), exprs }, fields })
}

/// `value`, or the error that ends the job: a column of a sink is NOT NULL.
fn never_null(value: Bound, column: &str) -> Bound {
    let data_type = value.data_type.with_nullable(false);
    let message = format!("column '{column}' is NOT NULL, but a NULL is written into it");
    let kernel: Kernel = Arc::new(move |arguments: &[Value], _rows: usize, _cx: &EvalContext| {
        if arguments[0].array().null_count() > 0 {
            return Err(Error::user(message.clone()).with_hint(
                "filter such rows out, or SET 'table.exec.sink.not-null-enforcer' = 'DROP'",
            ));
        }
        Ok(arguments[0].clone())
    });
    let kind = BoundKind::Call {
        name: NOT_NULL.to_owned(),
        op: None,
        args: vec![value],
        kernel,
        deterministic: true,
    };
    Bound { kind, data_type }
}

/// The rows that have a value for each NOT NULL column of the table.
fn without_nulls(
    binder: &ExprBinder<'_>,
    rel: Rel,
    table: &Table,
    columns: &[usize],
    span: Span,
) -> SqlResult<Rel> {
    let mut conditions = Vec::new();
    for (source, &target) in columns.iter().enumerate() {
        let given = &rel.fields[source].data_type;
        let wanted = &table.columns[target].data_type;
        if wanted.nullable || !coercion::implicit_cast_allowed(given, &wanted.with_nullable(true)) {
            continue;
        }
        let value = Bound::column(source, given.clone());
        let fitted = binder.coerce(value, &wanted.with_nullable(true), span)?;
        if fitted.data_type.nullable {
            conditions.push(binder.unary_bound(UnaryOp::IsNotNull, fitted, span)?);
        }
    }
    Ok(match conjunction(conditions) {
        None => rel,
        Some(predicate) => filter(rel, predicate),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int32Array};
    use mainstem_core::{Batch, TypeKind};
    use mainstem_engine::expr::EvalContext;

    use super::never_null;
    use crate::bound::Bound;

    #[test]
    fn a_null_for_a_not_null_column_ends_the_job() {
        let checked = never_null(Bound::column(0, TypeKind::Int.nullable()), "a");
        assert!(!checked.data_type.nullable);
        assert_eq!(checked.as_checked_column(), Some(0), "still the key of its query");
        let cx = EvalContext { now_ms: 0, watermark_ms: None };
        let rows: [(Vec<Option<i32>>, bool); 2] =
            [(vec![Some(1), Some(2)], true), (vec![Some(1), None], false)];
        for (values, accepted) in rows {
            let column: ArrayRef = Arc::new(Int32Array::from(values.clone()));
            let batch = Batch::new(vec![column], values.len());
            let outcome = checked.eval(&batch, &cx);
            assert_eq!(outcome.is_ok(), accepted, "{values:?}");
            if let Err(error) = outcome {
                assert!(error.to_string().contains("column 'a' is NOT NULL"), "{error}");
            }
        }
    }
}
