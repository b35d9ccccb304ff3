//! A table as the text of its CREATE TABLE, clause by clause: for SHOW CREATE TABLE, and for ALTER TABLE, which changes
//! clauses and binds the whole anew.
//! Invariant: the text of a table that was not changed declares the same table.

use mainstem_core::table::Options;
use mainstem_core::types::quote_identifier;

use super::{ColumnSource, Table, TableColumn};

/// The clauses.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// Name and text of each column.
    pub columns: Vec<(String, String)>,
    /// `WATERMARK FOR ts AS ...`.
    pub watermark: Option<String>,
    /// The name of the primary key and its clause.
    pub key: Option<(String, String)>,
    /// COMMENT.
    pub comment: Option<String>,
    /// `DISTRIBUTED BY ...`.
    pub distribution: Option<String>,
    /// `PARTITIONED BY (...)`.
    pub partitions: Option<String>,
    /// WITH.
    pub options: Options,
}

impl Declaration {
    /// The clauses of a table; `rename` gives a column, and the keys that name it, another name.
    pub fn of(table: &Table, rename: Option<(&str, &str)>) -> Self {
        let name = |i: usize| {
            let name = table.columns[i].name.as_str();
            rename.filter(|(old, _)| *old == name).map_or(name, |(_, new)| new)
        };
        let list = |key: &[usize]| {
            key.iter().map(|&k| quote_identifier(name(k))).collect::<Vec<_>>().join(", ")
        };
        let columns = (0..table.columns.len())
            .map(|i| (name(i).to_owned(), column_sql(&table.columns[i], name(i))))
            .collect();
        let watermark = table.watermark.as_ref().map(|watermark| {
            // The expression stays as it was written: a column that it reads keeps its name.
            let column = quote_identifier(&table.columns[watermark.column].name);
            format!("WATERMARK FOR {column} AS {}", watermark.text)
        });
        let key = (!table.primary_key.is_empty()).then(|| {
            let constraint = table.constraint.clone().unwrap_or_else(|| {
                let key: Vec<&str> =
                    table.primary_key.iter().map(|&k| table.columns[k].name.as_str()).collect();
                format!("PK_{}", key.join("_"))
            });
            let columns = list(&table.primary_key);
            let quoted = quote_identifier(&constraint);
            (constraint, format!("CONSTRAINT {quoted} PRIMARY KEY ({columns}) NOT ENFORCED"))
        });
        // As the watermark's: partitions are data that is there.
        let old_names: Vec<String> = table
            .partition_keys
            .iter()
            .map(|&k| quote_identifier(&table.columns[k].name))
            .collect();
        Self {
            columns,
            watermark,
            key,
            comment: table.comment.clone(),
            distribution: table.distribution.clone(),
            partitions: (!old_names.is_empty())
                .then(|| format!("PARTITIONED BY ({})", old_names.join(", "))),
            options: table.options.clone(),
        }
    }

    /// The statement; options that are secret show `***`.
    pub fn to_sql(&self, name: &str, temporary: bool, is_secret: &dyn Fn(&str) -> bool) -> String {
        let mut lines: Vec<&str> = self.columns.iter().map(|(_, text)| text.as_str()).collect();
        lines.extend(self.watermark.as_deref());
        lines.extend(self.key.as_ref().map(|(_, text)| text.as_str()));
        let temporary = if temporary { "TEMPORARY " } else { "" };
        let mut sql = format!("CREATE {temporary}TABLE {name} (\n  {}\n)", lines.join(",\n  "));
        if let Some(comment) = &self.comment {
            sql.push_str(&format!("\nCOMMENT '{}'", comment.replace('\'', "''")));
        }
        for clause in [&self.distribution, &self.partitions].into_iter().flatten() {
            sql.push_str(&format!("\n{clause}"));
        }
        sql.push_str(&options_sql(&self.options, is_secret));
        sql
    }
}

/// `WITH (...)` on lines of its own; nothing without options.
pub(crate) fn options_sql(options: &Options, is_secret: &dyn Fn(&str) -> bool) -> String {
    let options: Vec<String> = options
        .iter()
        .map(|(k, v)| {
            let v = if is_secret(k) { "***".to_owned() } else { v.replace('\'', "''") };
            format!("  '{}' = '{v}'", k.replace('\'', "''"))
        })
        .collect();
    if options.is_empty() {
        return String::new();
    }
    format!("\nWITH (\n{}\n)", options.join(",\n"))
}

/// A column as CREATE TABLE has it, by the name `name`.
fn column_sql(column: &TableColumn, name: &str) -> String {
    let quoted = quote_identifier(name);
    let comment = column
        .comment
        .as_ref()
        .map_or(String::new(), |c| format!(" COMMENT '{}'", c.replace('\'', "''")));
    match &column.source {
        ColumnSource::Physical => format!("{quoted} {}{comment}", column.data_type),
        ColumnSource::Computed { text, .. } => format!("{quoted} AS {text}{comment}"),
        ColumnSource::Metadata { key, is_virtual } => {
            let from = if key == name { String::new() } else { format!(" FROM '{key}'") };
            let suffix = if *is_virtual { " VIRTUAL" } else { "" };
            format!("{quoted} {} METADATA{from}{suffix}{comment}", column.data_type)
        }
    }
}
