//! CREATE TABLE: columns, computed columns, watermark, keys, options. LIKE and AS SELECT stand in `like` and `create_as`.
//! Invariant: the table that comes out has bound expressions and indices for names; options are merged, not judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstem_core::{DataType, TypeKind};

use super::aggregate::has_aggregate;
use super::expr::ExprBinder;
use super::like::{Rules, inherit};
use super::{Context, unknown_column};
use crate::ast::{
    ColumnDef, ColumnKind, CreateTable, DistributionDef, Expr, ExprKind, Ident, ObjectName,
    PrimaryKeyDef,
};
use crate::bound::{Bound, BoundKind};
use crate::catalog::{ColumnSource, Object, Table, TableColumn, Watermark};
use crate::error::{SqlError, SqlResult};
use crate::rel::RelField;
use crate::source::Span;

/// A table as declared; `text` is the script, for SHOW CREATE TABLE.
pub fn bind_create_table(context: Context<'_>, ddl: &CreateTable, text: &str) -> SqlResult<Table> {
    declare(context, ddl, &own_columns(ddl), text)
}

/// The table of `ddl` with these columns, the statement's own or with those of its query.
pub(super) fn declare(
    context: Context<'_>,
    ddl: &CreateTable,
    columns: &[ColumnDef],
    text: &str,
) -> SqlResult<Table> {
    let rules = ddl.like.as_ref().map(Rules::new).transpose()?;
    let mut table = match (&ddl.like, &rules) {
        (Some(like), Some(rules)) => inherit(context, ddl, like, rules)?,
        _ => Table::default(),
    };
    ddl.name.last().value.clone_into(&mut table.name);
    table.temporary = ddl.temporary;
    table.comment.clone_from(&ddl.comment);
    add_columns(context, &mut table, columns, rules.as_ref(), text)?;
    if let Some(watermark) = &ddl.watermark {
        table.watermark = Some(bind_watermark(context, &table, watermark, text)?);
    }
    if let Some(key) = &ddl.primary_key {
        set_primary_key(&mut table, key)?;
    }
    if !ddl.partitioned_by.is_empty() {
        table.partition_keys = indices(&table, &ddl.partitioned_by)?;
    }
    if let Some(distribution) = &ddl.distribution {
        indices(&table, &distribution.columns)?;
        table.distribution = Some(distribution_sql(distribution));
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

fn indices(table: &Table, names: &[Ident]) -> SqlResult<Vec<usize>> {
    let find = |n: &Ident| {
        table.column(&n.value).ok_or_else(|| unknown_column(&n.value, &fields(table), n.span))
    };
    names.iter().map(find).collect()
}

/// The columns of the statement itself: those that its primary key names are NOT NULL by that.
pub(super) fn own_columns(ddl: &CreateTable) -> Vec<ColumnDef> {
    let key = ddl.primary_key.as_ref().map_or(&[][..], |k| &k.columns);
    let mut columns = ddl.columns.clone();
    for column in &mut columns {
        if let ColumnKind::Physical(data_type) = &mut column.kind
            && key.iter().any(|k| k.value == column.name.value)
        {
            data_type.nullable = false;
        }
    }
    columns
}

fn set_primary_key(table: &mut Table, key: &PrimaryKeyDef) -> SqlResult<()> {
    table.primary_key = indices(table, &key.columns)?;
    table.constraint = key.name.as_ref().map(|n| n.value.clone());
    for (&index, name) in table.primary_key.iter().zip(&key.columns) {
        let column = &table.columns[index];
        if !matches!(column.source, ColumnSource::Physical) {
            return Err(SqlError::new("a primary key takes physical columns only", name.span));
        }
        if column.data_type.nullable {
            let message = format!("column '{}' of the primary key is nullable", name.value);
            return Err(SqlError::new(message, name.span)
                .with_hint("declare it NOT NULL where it comes from"));
        }
    }
    Ok(())
}

fn distribution_sql(def: &DistributionDef) -> String {
    let columns: Vec<String> =
        def.columns.iter().map(|c| mainstem_core::types::quote_identifier(&c.value)).collect();
    let by = match columns.is_empty() {
        true => String::new(),
        false => format!(" BY {}({})", def.kind.unwrap_or_default(), columns.join(", ")),
    };
    let into = def.buckets.as_ref().map_or(String::new(), |n| format!(" INTO {n} BUCKETS"));
    format!("DISTRIBUTED{by}{into}")
}

/// A table that a statement names, and no view.
pub(super) fn find_source(context: Context<'_>, name: &ObjectName) -> SqlResult<Arc<Table>> {
    let last = name.last();
    match context.object(name) {
        Some(Object::Table(table)) => Ok(Arc::clone(table)),
        Some(Object::View(_)) => {
            Err(SqlError::new(format!("'{}' is a view", last.value), name.span()))
        }
        None => {
            let error = SqlError::new(format!("unknown table '{}'", last.value), name.span());
            let names = context.catalog.iter().map(|(n, _)| n);
            Err(match mainstem_core::options::nearest(&last.value, names) {
                Some(near) => error.with_hint(format!("did you mean '{near}'?")),
                None => error.with_hint("declare it with CREATE TABLE first"),
            })
        }
    }
}

/// A table without a connector can be a source of LIKE, but not be read or written.
pub(super) fn check_usable(context: Context<'_>, table: &Table, span: Span) -> SqlResult<()> {
    if table.options.contains_key("connector") {
        return Ok(());
    }
    let names: Vec<&str> = context.connectors.connectors.iter().map(|c| c.name).collect();
    let message = format!("table '{}' has no 'connector' option", table.name);
    Err(SqlError::new(message, span)
        .with_hint(format!("WITH ('connector' = ...) takes one of {}", names.join(", "))))
}

fn check_connector(context: Context<'_>, table: &Table, ddl: &CreateTable) -> SqlResult<()> {
    let span = ddl.name.span();
    let names: Vec<&str> = context.connectors.connectors.iter().map(|c| c.name).collect();
    let Some(name) = table.options.get("connector") else { return Ok(()) };
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
    rules: Option<&Rules>,
    text: &str,
) -> SqlResult<()> {
    let inherited = table.columns.clone();
    for column in columns {
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
        let made = TableColumn {
            name: column.name.value.clone(),
            data_type,
            source,
            comment: column.comment.clone(),
            is_proctime: false,
        };
        match table.column(&made.name) {
            None => table.columns.push(made),
            Some(old) => {
                let rules = rules.filter(|_| old < inherited.len());
                may_replace(&table.columns[old], &made, rules, column.name.span)?;
                table.columns[old] = made;
            }
        }
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
    for column in columns {
        let index = table.column(&column.name.value).expect("declared above");
        if inherited.get(index).is_some_and(|old| old.data_type != table.columns[index].data_type) {
            check_not_read(table, index, column.name.span)?;
        }
    }
    Ok(())
}

/// What LIKE took over was bound to the types of the source.
fn check_not_read(table: &Table, index: usize, span: Span) -> SqlResult<()> {
    let reads = |expr: &Bound| crate::rel::columns_of(expr).contains(&index);
    let by_column = table.columns.iter().any(|c| match &c.source {
        ColumnSource::Computed { expr, .. } => reads(expr),
        _ => false,
    });
    let by_watermark =
        table.watermark.as_ref().is_some_and(|w| w.column == index || reads(&w.expr));
    if !by_column && !by_watermark {
        return Ok(());
    }
    let what =
        format!("another type for '{}', which the source of LIKE", table.columns[index].name);
    Err(SqlError::unsupported(format!("{what} reads elsewhere"), span)
        .with_hint("declare what reads it anew too, and exclude the old one"))
}

/// Whether `new` may stand where `old` is: only what LIKE took over, and only where its rules say so.
fn may_replace(
    old: &TableColumn,
    new: &TableColumn,
    rules: Option<&Rules>,
    span: Span,
) -> SqlResult<()> {
    let Some(rules) = rules else {
        return Err(SqlError::new(format!("column '{}' is declared twice", new.name), span));
    };
    let error = SqlError::new(format!("the source of LIKE has a column '{}'", new.name), span);
    match rules.may_replace(&old.source, &new.source) {
        Some(true) => Ok(()),
        Some(false) => {
            let feature = match old.source {
                ColumnSource::Computed { .. } => "GENERATED",
                _ => "METADATA",
            };
            Err(error.with_hint(format!("write EXCLUDING {feature} or OVERWRITING {feature}")))
        }
        None => Err(error),
    }
}

fn bind_watermark(
    context: Context<'_>,
    table: &Table,
    def: &crate::ast::WatermarkDef,
    text: &str,
) -> SqlResult<Watermark> {
    let name = &def.column[0];
    if def.column.len() > 1 {
        return Err(SqlError::new("a watermark takes a column, not a field of one", name.span)
            .with_hint("declare a computed column for the field and put the watermark on that"));
    }
    let all = fields(table);
    let Some(column) = table.column(&name.value) else {
        return Err(unknown_column(&name.value, &all, name.span));
    };
    if table.columns[column].is_proctime {
        return Err(SqlError::new("a processing time needs no watermark", name.span));
    }
    check_rowtime(&table.columns[column].data_type, &name.value, name.span)?;
    if is_source_watermark(&def.expr) {
        // A marker: the table can be declared, shown and written, but not be read.
        let expr = Bound::null(&table.columns[column].data_type);
        let text = slice(text, def.expr.span);
        return Ok(Watermark { column, expr, text, of_source: true });
    }
    let expr = ExprBinder::new(context.session, &all).bind(&def.expr)?;
    if !expr.data_type.kind.is_timestamp() {
        let message = format!("a watermark must be a timestamp, this is {}", expr.data_type);
        return Err(SqlError::new(message, def.expr.span));
    }
    check_rowtime(&expr.data_type, "watermark expression", def.expr.span)?;
    let zoned = |t: &DataType| matches!(t.kind, TypeKind::TimestampLtz { .. });
    if zoned(&expr.data_type) != zoned(&table.columns[column].data_type) {
        let message = format!("the watermark is {}, its column is another type", expr.data_type);
        return Err(SqlError::new(message, def.expr.span).with_hint(format!(
            "'{}' is {}: cast one to the other",
            name.value, table.columns[column].data_type
        )));
    }
    Ok(Watermark { column, expr, text: slice(text, def.expr.span), of_source: false })
}

/// `SOURCE_WATERMARK()` and nothing else.
fn is_source_watermark(expr: &Expr) -> bool {
    let ExprKind::Function(call) = expr.kind.as_ref() else { return false };
    call.args.is_empty() && call.name.last().value.eq_ignore_ascii_case("SOURCE_WATERMARK")
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
