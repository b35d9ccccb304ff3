//! ALTER TABLE of columns, keys, watermark, distribution and options.
//! Invariant: the clauses of the table's declaration are changed as text and the whole is bound anew, so that an altered
//! table is one that could have been declared; what reads a column that is gone or renamed is refused by that.

use mainstem_core::types::quote_identifier;

use super::{Context, bind_create_table};
use crate::ast::{AlterTable, Element, ElementKind, Position, StatementKind};
use crate::catalog::{Declaration, Table};
use crate::error::{SqlError, SqlResult};
use crate::parser::parse_statements;
use crate::source::Span;

/// The table after the change; `text` is the script. Not for RENAME TO.
pub fn bind_alter_table(
    context: Context<'_>,
    table: &Table,
    action: &AlterTable,
    text: &str,
    span: Span,
) -> SqlResult<Table> {
    let mut declaration = Declaration::of(table, None);
    match action {
        AlterTable::RenameTo(name) => {
            return Err(SqlError::new("a new name changes no clause", name.span()));
        }
        AlterTable::RenameColumn { from, to } => {
            if table.column(&to.value).is_some() {
                let message = format!("there is a column '{}' already", to.value);
                return Err(SqlError::new(message, to.span));
            }
            if table.column(&from.value).is_none() {
                return Err(no_column(&from.value, from.span));
            }
            declaration = Declaration::of(table, Some((&from.value, &to.value)));
        }
        AlterTable::Set(options) => {
            for (key, value) in options {
                declaration.options.insert(key.value.clone(), value.value.clone());
            }
        }
        AlterTable::Reset(keys) => {
            for key in keys {
                if key.value == "connector" {
                    let message = "'connector' cannot be reset";
                    return Err(SqlError::new(message, key.span)
                        .with_hint("ALTER TABLE ... SET gives it another value"));
                }
                declaration.options.remove(&key.value);
            }
        }
        AlterTable::Add(elements) => {
            elements.iter().try_for_each(|e| add(&mut declaration, e, text))?;
        }
        AlterTable::Modify(elements) => {
            elements.iter().try_for_each(|e| modify(&mut declaration, table, e, text))?;
        }
        AlterTable::DropColumns(names) => {
            for name in names {
                let at = find(&declaration, &name.value)
                    .ok_or_else(|| no_column(&name.value, name.span))?;
                declaration.columns.remove(at);
            }
        }
        AlterTable::DropPrimaryKey => drop_key(&mut declaration, None, span)?,
        AlterTable::DropConstraint(name) => {
            drop_key(&mut declaration, Some(&name.value), name.span)?;
        }
        AlterTable::DropWatermark => {
            let gone = declaration.watermark.take();
            gone.ok_or_else(|| SqlError::new("the table has no watermark", span))?;
        }
        AlterTable::DropDistribution => {
            let gone = declaration.distribution.take();
            gone.ok_or_else(|| SqlError::new("the table has no distribution", span))?;
        }
    }
    declared(context, table, &declaration, span)
}

/// Binds the declaration; errors are about the statement that changed it.
fn declared(
    context: Context<'_>,
    table: &Table,
    declaration: &Declaration,
    span: Span,
) -> SqlResult<Table> {
    let sql = declaration.to_sql(&quote_identifier(&table.name), table.temporary, &|_| false);
    let at = |error: SqlError| {
        let moved = SqlError::new(format!("the altered table cannot be: {error}"), span);
        match error.hint() {
            Some(hint) => moved.with_hint(hint),
            None => moved,
        }
    };
    let parsed = parse_statements(&sql).pop();
    let statement =
        parsed.unwrap_or_else(|| Err(SqlError::new("nothing is left of it", span))).map_err(at)?;
    let StatementKind::CreateTable(ddl) = statement.kind else {
        return Err(SqlError::new("the altered table cannot be declared", span));
    };
    let mut altered = bind_create_table(context, &ddl, &sql).map_err(at)?;
    altered.namespace.clone_from(&table.namespace);
    Ok(altered)
}

fn no_column(name: &str, span: Span) -> SqlError {
    SqlError::new(format!("there is no column '{name}'"), span)
}

fn find(declaration: &Declaration, name: &str) -> Option<usize> {
    declaration.columns.iter().position(|(known, _)| known == name)
}

fn slice(text: &str, span: Span) -> String {
    text.get(span.start..span.end).unwrap_or_default().to_owned()
}

fn drop_key(declaration: &mut Declaration, name: Option<&str>, span: Span) -> SqlResult<()> {
    let Some((constraint, _)) = &declaration.key else {
        return Err(SqlError::new("the table has no primary key", span));
    };
    if let Some(name) = name.filter(|name| name != constraint) {
        return Err(SqlError::new(format!("there is no constraint '{name}'"), span)
            .with_hint(format!("the primary key is '{constraint}'")));
    }
    declaration.key = None;
    Ok(())
}

/// `DISTRIBUTION ...` as CREATE TABLE writes it.
fn distributed(text: &str) -> String {
    format!("DISTRIBUTED{}", text.get("DISTRIBUTION".len()..).unwrap_or_default())
}

fn place(declaration: &Declaration, position: &Position) -> SqlResult<Option<usize>> {
    match position {
        Position::AsItIs => Ok(None),
        Position::First => Ok(Some(0)),
        Position::After(name) => match find(declaration, &name.value) {
            Some(at) => Ok(Some(at + 1)),
            None => Err(no_column(&name.value, name.span)),
        },
    }
}

fn add(declaration: &mut Declaration, element: &Element, text: &str) -> SqlResult<()> {
    let (sql, span) = (slice(text, element.span), element.span);
    let there = |what: &str, verb: &str| {
        Err(SqlError::new(format!("the table has a {what} already"), span)
            .with_hint(format!("ALTER TABLE ... {verb} changes it")))
    };
    match &element.kind {
        ElementKind::Column { name, position, keyed, .. } => {
            if find(declaration, &name.value).is_some() {
                return there(&format!("column '{}'", name.value), "MODIFY");
            }
            if *keyed && declaration.key.is_some() {
                return there("primary key", "MODIFY");
            }
            let at = place(declaration, position)?.unwrap_or(declaration.columns.len());
            declaration.columns.insert(at, (name.value.clone(), sql));
        }
        ElementKind::Watermark if declaration.watermark.is_some() => {
            return there("watermark", "MODIFY");
        }
        ElementKind::Watermark => declaration.watermark = Some(sql),
        ElementKind::Key(_) if declaration.key.is_some() => return there("primary key", "MODIFY"),
        ElementKind::Key(name) => declaration.key = Some((name.clone(), sql)),
        ElementKind::Distribution if declaration.distribution.is_some() => {
            return there("distribution", "MODIFY");
        }
        ElementKind::Distribution => declaration.distribution = Some(distributed(&sql)),
    }
    Ok(())
}

fn modify(
    declaration: &mut Declaration,
    table: &Table,
    element: &Element,
    text: &str,
) -> SqlResult<()> {
    let (mut sql, span) = (slice(text, element.span), element.span);
    let missing = |what: &str| {
        Err(SqlError::new(format!("the table has no {what} yet"), span)
            .with_hint("ALTER TABLE ... ADD adds one"))
    };
    match &element.kind {
        ElementKind::Column { name, commented, keyed, position } => {
            let Some(old) = find(declaration, &name.value) else {
                return Err(no_column(&name.value, name.span));
            };
            if *keyed {
                declaration.key = None;
            }
            let comment = table.column(&name.value).and_then(|i| table.columns[i].comment.clone());
            if let Some(comment) = comment.filter(|_| !commented) {
                sql.push_str(&format!(" COMMENT '{}'", comment.replace('\'', "''")));
            }
            let stays = matches!(position, Position::After(other) if other.value == name.value);
            let to = if stays { None } else { place(declaration, position)? };
            let (column, _) = declaration.columns.remove(old);
            let to = to.map_or(old, |to| if to > old { to - 1 } else { to });
            declaration.columns.insert(to, (column, sql));
        }
        ElementKind::Watermark if declaration.watermark.is_none() => return missing("watermark"),
        ElementKind::Watermark => declaration.watermark = Some(sql),
        ElementKind::Key(_) if declaration.key.is_none() => return missing("primary key"),
        ElementKind::Key(name) => declaration.key = Some((name.clone(), sql)),
        ElementKind::Distribution if declaration.distribution.is_none() => {
            return missing("distribution");
        }
        ElementKind::Distribution => declaration.distribution = Some(distributed(&sql)),
    }
    Ok(())
}
