//! What SHOW and DESCRIBE print: lines, values with tabs between them.
//! Invariant: reads the catalog, changes nothing.

use crate::ast::LikePattern;
use crate::bind::{Context, bind_query};
use crate::catalog::{ColumnSource, Database, Object, Table};
use crate::error::SqlResult;
use crate::operators::like_matches;
use crate::rel::TimeAttribute;

/// Whether LIKE lets the name through.
pub(crate) fn wanted(name: &str, like: Option<&LikePattern>) -> SqlResult<bool> {
    let Some(like) = like else { return Ok(true) };
    let (name, pattern) = match like.any_case {
        true => (name.to_uppercase(), like.pattern.value.to_uppercase()),
        false => (name.to_owned(), like.pattern.value.clone()),
    };
    Ok(like_matches(&name, &pattern)
        .map_err(|e| crate::error::SqlError::from_core(&e, like.pattern.span))?
        != like.negated)
}

/// The names of tables and views, or of views alone.
pub(crate) fn names(
    database: &Database,
    views: bool,
    like: Option<&LikePattern>,
) -> SqlResult<Vec<String>> {
    let mut lines = Vec::new();
    for (name, object) in database.iter() {
        if (!views || matches!(object, Object::View(_))) && wanted(name, like)? {
            lines.push(name.to_owned());
        }
    }
    Ok(lines)
}

/// A line per column, after one with the headings; comments are a column of their own where there are some.
pub(crate) fn describe(
    context: Context<'_>,
    object: &Object,
    like: Option<&LikePattern>,
) -> SqlResult<Vec<String>> {
    let mut rows = match object {
        Object::Table(table) => (0..table.columns.len()).map(|i| table_row(table, i)).collect(),
        Object::View(view) => {
            let inside = Context { home: Some(&view.home), ..context };
            let rel = bind_query(inside, &view.query)?;
            let row = |(i, field): (usize, &crate::rel::RelField)| {
                let name = view.columns.get(i).unwrap_or(&field.name).clone();
                let null = boolean(field.data_type.nullable);
                let data_type = format!("{}{}", field.data_type.kind, attribute(field.time));
                [name, data_type, null, String::new(), String::new(), String::new(), String::new()]
            };
            rel.fields.iter().enumerate().map(row).collect::<Vec<_>>()
        }
    };
    let commented = rows.iter().any(|row| !row[6].is_empty());
    let mut kept = Vec::new();
    for row in rows.drain(..) {
        if wanted(&row[0], like)? {
            kept.push(row);
        }
    }
    let headings =
        ["name", "type", "null", "key", "extras", "watermark", "comment"].map(str::to_owned);
    let shown = if commented { 7 } else { 6 };
    Ok(std::iter::once(headings).chain(kept).map(|row| row[..shown].join("\t")).collect())
}

fn boolean(value: bool) -> String {
    if value { "TRUE" } else { "FALSE" }.to_owned()
}

fn attribute(time: Option<TimeAttribute>) -> &'static str {
    match time {
        Some(TimeAttribute::Event) => " *ROWTIME*",
        Some(TimeAttribute::Processing) => " *PROCTIME*",
        None => "",
    }
}

fn table_row(table: &Table, index: usize) -> [String; 7] {
    let column = &table.columns[index];
    let rowtime = table.watermark.as_ref().filter(|w| w.column == index);
    let time = match (rowtime, column.is_proctime) {
        (Some(_), _) => Some(TimeAttribute::Event),
        (None, true) => Some(TimeAttribute::Processing),
        _ => None,
    };
    let key: Vec<&str> =
        table.primary_key.iter().map(|k| table.columns[*k].name.as_str()).collect();
    let extras = match &column.source {
        ColumnSource::Physical => String::new(),
        ColumnSource::Computed { text, .. } => format!("AS {text}"),
        ColumnSource::Metadata { key, is_virtual } => {
            let from = if *key == column.name { String::new() } else { format!(" FROM '{key}'") };
            format!("METADATA{from}{}", if *is_virtual { " VIRTUAL" } else { "" })
        }
    };
    [
        column.name.clone(),
        format!("{}{}", column.data_type.kind, attribute(time)),
        boolean(column.data_type.nullable),
        match table.primary_key.contains(&index) {
            true => format!("PRI({})", key.join(", ")),
            false => String::new(),
        },
        extras,
        rowtime.map_or_else(String::new, |w| w.text.clone()),
        column.comment.clone().unwrap_or_default(),
    ]
}
