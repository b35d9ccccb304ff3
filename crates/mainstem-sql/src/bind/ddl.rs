//! CREATE TABLE: columns, computed columns, watermark, keys, LIKE, AS SELECT.
//! Invariant: the table that comes out has bound expressions and indices for names; options are merged, not judged.

use std::collections::BTreeMap;

use mainstem_core::{DataType, TypeKind};

use super::aggregate::has_aggregate;
use super::expr::ExprBinder;
use super::{Context, bind_query, unknown_column};
use crate::ast::{ColumnDef, ColumnKind, CreateTable, Ident, LikeClause};
use crate::bound::{Bound, BoundKind};
use crate::catalog::{ColumnSource, Object, Table, TableColumn, Watermark};
use crate::error::{SqlError, SqlResult};
use crate::rel::{Rel, RelField};
use crate::source::Span;

/// A table as declared; `text` is the script, for SHOW CREATE TABLE.
pub fn bind_create_table(context: Context<'_>, ddl: &CreateTable, text: &str) -> SqlResult<Table> {
    let mut table = match &ddl.like {
        Some(like) => from_like(context, like)?,
        None => Table {
            name: String::new(),
            columns: Vec::new(),
            watermark: None,
            primary_key: Vec::new(),
            partition_keys: Vec::new(),
            options: BTreeMap::new(),
            comment: None,
        },
    };
    table.name = ddl.name.last().value.clone();
    if ddl.comment.is_some() {
        table.comment.clone_from(&ddl.comment);
    }
    add_columns(context, &mut table, &ddl.columns, text)?;
    if let Some(watermark) = &ddl.watermark {
        table.watermark = Some(bind_watermark(context, &table, watermark, text)?);
    }
    let names = |names: &[Ident], table: &Table| {
        names
            .iter()
            .map(|n| {
                table
                    .column(&n.value)
                    .ok_or_else(|| unknown_column(&n.value, &fields(table), n.span))
            })
            .collect::<SqlResult<Vec<_>>>()
    };
    if let Some(key) = &ddl.primary_key {
        table.primary_key = names(key, &table)?;
        for &column in &table.primary_key {
            if !matches!(table.columns[column].source, ColumnSource::Physical) {
                let message = "a primary key takes physical columns only";
                return Err(SqlError::new(message, key[0].span));
            }
            table.columns[column].data_type.nullable = false;
        }
    }
    if !ddl.partitioned_by.is_empty() {
        table.partition_keys = names(&ddl.partitioned_by, &table)?;
    }
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for (key, value) in &ddl.options {
        if seen.insert(&key.value, key.span).is_some() {
            return Err(SqlError::new(format!("option '{}' is given twice", key.value), key.span));
        }
        table.options.insert(key.value.clone(), value.value.clone());
    }
    check_connector(context, &table, ddl)?;
    Ok(table)
}

fn check_connector(context: Context<'_>, table: &Table, ddl: &CreateTable) -> SqlResult<()> {
    let span = ddl.name.span();
    let names: Vec<&str> = context.connectors.connectors.iter().map(|c| c.name).collect();
    let Some(name) = table.options.get("connector") else {
        return Err(SqlError::new(
            format!("table '{}' has no 'connector' option", table.name),
            span,
        )
        .with_hint(format!("WITH ('connector' = ...) takes one of {}", names.join(", "))));
    };
    if names.contains(&name.as_str()) {
        return Ok(());
    }
    let place =
        ddl.options.iter().find(|(k, _)| k.value == "connector").map_or(span, |(_, v)| v.span);
    let error = SqlError::new(format!("unknown connector '{name}'"), place);
    Err(match mainstem_core::options::nearest(name, names.iter().copied()) {
        Some(near) => error.with_hint(format!("did you mean '{near}'?")),
        None => error.with_hint(format!("there is {}", names.join(", "))),
    })
}

/// CREATE TABLE ... AS SELECT: the declaration's columns come from the query.
pub fn bind_create_as(
    context: Context<'_>,
    ddl: &CreateTable,
    text: &str,
) -> SqlResult<(Table, Rel)> {
    let Some(query) = &ddl.query else {
        return Err(SqlError::new("expected AS SELECT", ddl.name.span()));
    };
    let rel = bind_query(context, query)?;
    if !ddl.columns.is_empty() {
        return Err(SqlError::unsupported(
            "a column list with AS SELECT",
            ddl.columns[0].name.span,
        ));
    }
    let mut with_columns = ddl.clone();
    with_columns.columns = rel
        .fields
        .iter()
        .map(|f| ColumnDef {
            name: Ident { value: f.name.clone(), span: query.span },
            kind: ColumnKind::Physical(f.data_type.clone()),
            comment: None,
        })
        .collect();
    Ok((bind_create_table(context, &with_columns, text)?, rel))
}

fn fields(table: &Table) -> Vec<RelField> {
    table.columns.iter().map(|c| RelField::new(&c.name, c.data_type.clone())).collect()
}

fn slice(text: &str, span: Span) -> String {
    text.get(span.start..span.end).unwrap_or_default().to_owned()
}

fn add_columns(
    context: Context<'_>,
    table: &mut Table,
    columns: &[ColumnDef],
    text: &str,
) -> SqlResult<()> {
    for column in columns {
        if table.column(&column.name.value).is_some() {
            let message = format!("column '{}' is declared twice", column.name.value);
            return Err(SqlError::new(message, column.name.span));
        }
        let (data_type, source) = match &column.kind {
            ColumnKind::Physical(data_type) => (data_type.clone(), ColumnSource::Physical),
            ColumnKind::Metadata { data_type, from, is_virtual } => {
                let key = from.clone().unwrap_or_else(|| column.name.value.clone());
                (data_type.clone(), ColumnSource::Metadata { key, is_virtual: *is_virtual })
            }
            // Bound below, when all stored columns are known.
            ColumnKind::Computed(_) => {
                let expr = Bound::null(&TypeKind::Null.nullable());
                (TypeKind::Null.nullable(), ColumnSource::Computed { expr, text: String::new() })
            }
        };
        table.columns.push(TableColumn {
            name: column.name.value.clone(),
            data_type,
            source,
            comment: column.comment.clone(),
            is_proctime: false,
        });
    }
    // A computed column sees stored columns, never another computed one.
    let visible: Vec<RelField> = fields(table)
        .into_iter()
        .enumerate()
        .map(|(i, f)| {
            let hidden = !table.is_stored(i);
            RelField { name: if hidden { String::new() } else { f.name.clone() }, ..f }
        })
        .collect();
    for column in columns {
        let ColumnKind::Computed(expr) = &column.kind else { continue };
        if has_aggregate(expr) {
            return Err(SqlError::new("a computed column cannot aggregate", expr.span));
        }
        let bound = ExprBinder::new(context.session, &visible).bind(expr)?;
        let index = table.column(&column.name.value).expect("declared above");
        let target = &mut table.columns[index];
        target.is_proctime =
            matches!(&bound.kind, BoundKind::Call { name, .. } if name == "PROCTIME");
        target.data_type = bound.data_type.clone();
        target.source = ColumnSource::Computed { expr: bound, text: slice(text, expr.span) };
    }
    Ok(())
}

fn bind_watermark(
    context: Context<'_>,
    table: &Table,
    def: &crate::ast::WatermarkDef,
    text: &str,
) -> SqlResult<Watermark> {
    let name = &def.column[0];
    if def.column.len() > 1 {
        return Err(SqlError::unsupported("a watermark on a nested field", name.span)
            .with_hint("declare a computed column for the field and put the watermark on that"));
    }
    let all = fields(table);
    let Some(column) = table.column(&name.value) else {
        return Err(unknown_column(&name.value, &all, name.span));
    };
    check_rowtime(&table.columns[column].data_type, &name.value, name.span)?;
    let expr = ExprBinder::new(context.session, &all).bind(&def.expr)?;
    if !expr.data_type.kind.is_timestamp() {
        let message = format!("a watermark must be a timestamp, this is {}", expr.data_type);
        return Err(SqlError::new(message, def.expr.span));
    }
    Ok(Watermark { column, expr, text: slice(text, def.expr.span) })
}

fn check_rowtime(data_type: &DataType, name: &str, span: Span) -> SqlResult<()> {
    match data_type.kind {
        TypeKind::Timestamp { precision: 0..=3 } | TypeKind::TimestampLtz { precision: 0..=3 } => Ok(()),
        _ => Err(SqlError::new(
            format!("the rowtime column '{name}' is {data_type}; it must be TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p from 0 to 3"),
            span,
        )
        .with_hint("declare it TIMESTAMP(3), or add a computed column that casts it")),
    }
}

fn from_like(context: Context<'_>, like: &LikeClause) -> SqlResult<Table> {
    let name = like.table.last();
    let Some(Object::Table(base)) = context.catalog.get(&name.value) else {
        return Err(SqlError::new(format!("unknown table '{}'", name.value), like.table.span()));
    };
    let mut table = base.as_ref().clone();
    let keeps = |what: &str| {
        let rule = |w: &str| like.rules.iter().rev().find(|(_, kind, _)| kind == w);
        rule(what).or_else(|| rule("ALL")).is_none_or(|(how, ..)| how != "EXCLUDING")
    };
    if !keeps("CONSTRAINTS") {
        table.primary_key.clear();
    }
    if !keeps("OPTIONS") {
        table.options.clear();
    }
    if !keeps("PARTITIONS") {
        table.partition_keys.clear();
    }
    if !keeps("WATERMARKS") {
        table.watermark = None;
    }
    let dropped = |c: &TableColumn| match c.source {
        ColumnSource::Computed { .. } => !keeps("GENERATED"),
        ColumnSource::Metadata { .. } => !keeps("METADATA"),
        ColumnSource::Physical => false,
    };
    if table.columns.iter().any(dropped) {
        if table.watermark.as_ref().is_some_and(|w| dropped(&table.columns[w.column])) {
            return Err(SqlError::new("the watermark needs a column that is excluded", name.span)
                .with_hint("exclude WATERMARKS too"));
        }
        return Err(SqlError::unsupported("LIKE that leaves out columns", name.span));
    }
    Ok(table)
}
