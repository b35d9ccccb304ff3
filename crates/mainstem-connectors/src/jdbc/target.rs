//! The table in PostgreSQL: found or created, and compared with the declaration before the first row.
//! Invariant: every difference is named in one error, so that one look mends all. Names are PostgreSQL's: it parses
//! 'table-name' itself, and a column is found by its exact name or by the name in lower case, as unquoted names are.

use std::collections::{BTreeMap, BTreeSet};

use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{Error, Result};
use tokio_postgres::{Client, Row};

use super::copy;
use super::rows::ReadColumn;
use super::types::{self, PgType, Wire};

/// What is written to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// `"schema"."table"`.
    pub(crate) name: String,
    /// Key columns first, then the others, with PostgreSQL's names.
    pub(crate) columns: Vec<copy::Column>,
    /// How many of `columns` are the key; 0 for a table that is appended to.
    pub(crate) key_count: usize,
}

impl Target {
    /// The names of all columns, as a list in SQL.
    pub(crate) fn all_columns(&self) -> String {
        listed(&self.columns)
    }

    /// The names of the key's columns, as a list in SQL.
    pub(crate) fn key_columns(&self) -> String {
        listed(&self.columns[..self.key_count])
    }

    /// A statement that adds the rows of `rows`, a FROM clause of columns with the same names; a row takes the place of one with
    /// its key. For a target with a key.
    pub(crate) fn merge(&self, rows: &str) -> String {
        let (all, keys, name) = (self.all_columns(), self.key_columns(), &self.name);
        let rest = self.columns[self.key_count..].iter().map(|c| quote(&c.name));
        let set: Vec<String> = rest.map(|c| format!("{c} = EXCLUDED.{c}")).collect();
        let action = match &set[..] {
            [] => "NOTHING".to_owned(),
            set => format!("UPDATE SET {}", set.join(", ")),
        };
        format!(
            "INSERT INTO {name} ({all}) SELECT {all} FROM {rows} ON CONFLICT ({keys}) DO {action}"
        )
    }

    /// A statement that removes the rows with the keys of `keys`, a FROM item called d; a further condition may follow it.
    pub(crate) fn delete(&self, keys: &str) -> String {
        let same = self.columns[..self.key_count].iter().map(|c| quote(&c.name));
        let same: Vec<String> = same.map(|c| format!("t.{c} = d.{c}")).collect();
        format!("DELETE FROM {} t USING {keys} WHERE {}", self.name, same.join(" AND "))
    }
}

fn listed(columns: &[copy::Column]) -> String {
    columns.iter().map(|c| quote(&c.name)).collect::<Vec<_>>().join(", ")
}

/// An answer of the database, or the user's error.
pub(crate) enum Failure {
    Database(tokio_postgres::Error),
    Ours(Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

struct PgColumn {
    name: String,
    pg_type: PgType,
    not_null: bool,
    has_default: bool,
    generated: bool,
}

/// Finds the table, creating it if `create` is set, and checks it.
pub(crate) async fn prepare(
    client: &Client,
    table: &TableSpec,
    table_name: &str,
    create: bool,
) -> Result<Target, Failure> {
    if create && find(client, table_name).await?.is_none() {
        create_table(client, table, table_name).await?;
    }
    let Some(found) = find(client, table_name).await? else {
        return Err(Error::user(format!("table {table_name} does not exist in the database"))
            .with_hint("create it, or set 'sink.create' = 'true'")
            .into());
    };
    let columns = read_columns(client, found.oid).await?;
    let mut differences = Vec::new();
    if !matches!(found.kind, 'r' | 'p') {
        differences.push("it is no table (views and foreign tables cannot be written to)".into());
    }
    let target = compare(table, &found, &columns, &mut differences);
    if target.key_count > 0 {
        check_unique_index(client, found.oid, &target, &mut differences).await?;
    }
    check_rights(client, found.oid, target.key_count > 0, &mut differences).await?;
    if differences.is_empty() {
        return Ok(target);
    }
    Err(Error::user(format!(
        "table {} in PostgreSQL does not fit table '{}': {}",
        found.name,
        table.name,
        differences.join("; ")
    ))
    .with_hint("alter one of the two")
    .into())
}

struct Found {
    oid: u32,
    name: String,
    kind: char,
}

async fn find(client: &Client, table_name: &str) -> Result<Option<Found>, Failure> {
    let sql = "SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text \
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.oid = to_regclass($1::text)";
    let row = client.query_opt(sql, &[&table_name]).await?;
    Ok(row.map(|row| Found { oid: row.get(0), name: row.get(1), kind: first_char(&row, 2) }))
}

fn first_char(row: &Row, index: usize) -> char {
    row.get::<_, &str>(index).chars().next().unwrap_or(' ')
}

async fn read_columns(client: &Client, oid: u32) -> Result<Vec<PgColumn>, Failure> {
    // A domain is written as the type below it.
    let sql = "SELECT a.attname::text, b.oid, b.typtype::text, \
                      CASE WHEN b.typcategory = 'A' THEN b.typelem ELSE 0 END, \
                      pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, \
                      a.atthasdef OR a.attidentity <> '', a.attgenerated <> '' OR a.attidentity = 'a', \
                      pg_catalog.format_type(b.oid, NULL) \
               FROM pg_catalog.pg_attribute a \
               JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
               JOIN pg_catalog.pg_type b \
                 ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
               WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let rows = client.query(sql, &[&oid]).await?;
    let column = |row: &Row| PgColumn {
        name: row.get(0),
        pg_type: PgType {
            oid: row.get(1),
            kind: first_char(row, 2),
            element_oid: row.get(3),
            text: row.get(4),
            name: row.get(8),
        },
        not_null: row.get(5),
        has_default: row.get(6),
        generated: row.get(7),
    };
    Ok(rows.iter().map(column).collect())
}

/// Pairs the columns; what does not fit goes to `differences`.
fn compare(
    table: &TableSpec,
    found: &Found,
    columns: &[PgColumn],
    differences: &mut Vec<String>,
) -> Target {
    let mut order: Vec<usize> = table.primary_key.clone();
    order.extend((0..table.columns.len()).filter(|i| !table.primary_key.contains(i)));
    let mut written = BTreeSet::new();
    let mut paired = Vec::new();
    for index in order {
        let declared = &table.columns[index];
        let Some(column) = named(columns, &declared.name) else {
            differences.push(format!("it has no column '{}'", declared.name));
            continue;
        };
        if !written.insert(column.name.as_str()) {
            differences.push(format!("two columns are written to its column '{}'", column.name));
        }
        if column.generated {
            differences.push(format!("its column '{}' is generated", column.name));
        }
        match types::wire(&declared.data_type, &column.pg_type) {
            Some(wire) => paired.push(copy::Column { index, name: column.name.clone(), wire }),
            None => differences.push(format!(
                "column '{}' is {} here and {} there",
                declared.name, declared.data_type.kind, column.pg_type.text
            )),
        }
    }
    for column in columns {
        if column.not_null && !column.has_default && !written.contains(column.name.as_str()) {
            differences.push(format!(
                "its column '{}' is NOT NULL without a default, and nothing is written to it",
                column.name
            ));
        }
    }
    Target { name: found.name.clone(), columns: paired, key_count: table.primary_key.len() }
}

fn named<'a>(columns: &'a [PgColumn], name: &str) -> Option<&'a PgColumn> {
    let lower = name.to_lowercase();
    let exact = columns.iter().find(|column| column.name == name);
    exact.or_else(|| columns.iter().find(|column| column.name == lower))
}

/// What is read from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// `"schema"."table"`.
    pub(crate) name: String,
    /// Those that are read.
    pub(crate) columns: Vec<ReadColumn>,
    /// Those that are compared with keys.
    pub(crate) keys: Vec<KeyColumn>,
    /// By index of the declared column: PostgreSQL's name, quoted, of those that are compared with constants.
    pub(crate) compared: BTreeMap<usize, String>,
}

/// A column that keys are compared with, and how keys are sent.
#[derive(Debug, Clone)]
pub(crate) struct KeyColumn {
    /// Quoted.
    pub(crate) name: String,
    pub(crate) wire: Wire,
    /// The type of a key, in SQL and by number.
    pub(crate) type_name: String,
    pub(crate) type_oid: u32,
}

/// Which of a table's declared columns are wanted, and what for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) read: &'a [usize],
    pub(crate) keys: &'a [usize],
    pub(crate) compared: &'a [usize],
}

/// Finds a table, or a view, and checks that it can be read as declared.
pub(crate) async fn origin(
    client: &Client,
    table: &TableSpec,
    table_name: &str,
    wanted: Wanted<'_>,
) -> Result<Origin, Failure> {
    let Some(found) = find(client, table_name).await? else {
        return Err(Error::user(format!("table {table_name} does not exist in the database"))
            .with_hint("create it, or mend option 'table-name'")
            .into());
    };
    let there = read_columns(client, found.oid).await?;
    let mut origin = Origin {
        name: found.name,
        columns: Vec::new(),
        keys: Vec::new(),
        compared: BTreeMap::new(),
    };
    let mut differences = BTreeSet::new();
    let column = |index: usize, differences: &mut BTreeSet<String>| {
        let declared = &table.columns[index];
        let found = named(&there, &declared.name);
        if found.is_none() {
            differences.insert(format!("it has no column '{}'", declared.name));
        }
        found.map(|found| (declared, found))
    };
    let differs = |declared: &Column, there: &PgColumn| {
        let (here, there) = (&declared.data_type.kind, &there.pg_type.text);
        format!("column '{}' is {here} here and {there} there", declared.name)
    };
    for &index in wanted.read {
        let Some((declared, there)) = column(index, &mut differences) else { continue };
        match types::readable(&declared.data_type, &there.pg_type) {
            Some(wire) => origin.columns.push(ReadColumn {
                name: quote(&there.name),
                data_type: declared.data_type.clone(),
                wire,
            }),
            None => drop(differences.insert(differs(declared, there))),
        }
    }
    for &index in wanted.keys {
        let Some((declared, there)) = column(index, &mut differences) else { continue };
        match types::compared(&declared.data_type, &there.pg_type) {
            Some((wire, type_name, type_oid)) => {
                let name = quote(&there.name);
                origin.keys.push(KeyColumn { name, wire, type_name, type_oid });
            }
            None => drop(differences.insert(differs(declared, there))),
        }
    }
    for &index in wanted.compared {
        let Some((_, there)) = column(index, &mut differences) else { continue };
        origin.compared.insert(index, quote(&there.name));
    }
    let sql = "SELECT has_table_privilege($1::oid, 'SELECT')";
    if !client.query_one(sql, &[&found.oid]).await?.get::<_, bool>(0) {
        differences.insert("the user has no right to SELECT".to_owned());
    }
    if differences.is_empty() {
        return Ok(origin);
    }
    Err(Error::user(format!(
        "table {} in PostgreSQL does not fit table '{}': {}",
        origin.name,
        table.name,
        differences.into_iter().collect::<Vec<_>>().join("; ")
    ))
    .with_hint("alter one of the two")
    .into())
}

async fn check_unique_index(
    client: &Client,
    oid: u32,
    target: &Target,
    differences: &mut Vec<String>,
) -> Result<(), Failure> {
    let sql = "SELECT array_agg(a.attname::text) FROM pg_catalog.pg_index i \
               CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]) AS k(attnum) \
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
               WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate \
                 AND i.indpred IS NULL AND i.indexprs IS NULL GROUP BY i.indexrelid";
    let rows = client.query(sql, &[&oid]).await?;
    let key: BTreeSet<&str> =
        target.columns.iter().take(target.key_count).map(|c| c.name.as_str()).collect();
    let fits = rows.iter().any(|row| {
        let columns: Vec<String> = row.get(0);
        columns.iter().map(String::as_str).collect::<BTreeSet<_>>() == key
    });
    // With columns missing the key is not known whole, and their absence has been said.
    if !fits && key.len() == target.key_count {
        let names = key.into_iter().collect::<Vec<_>>().join(", ");
        differences.push(format!("it has no primary key or unique index on ({names})"));
    }
    Ok(())
}

async fn check_rights(
    client: &Client,
    oid: u32,
    upsert: bool,
    differences: &mut Vec<String>,
) -> Result<(), Failure> {
    let wanted: &[&str] =
        if upsert { &["INSERT", "SELECT", "UPDATE", "DELETE"] } else { &["INSERT"] };
    for right in wanted {
        let sql = "SELECT has_table_privilege($1::oid, $2::text)";
        if !client.query_one(sql, &[&oid, right]).await?.get::<_, bool>(0) {
            differences.push(format!("the user has no right to {right}"));
        }
    }
    Ok(())
}

async fn create_table(client: &Client, table: &TableSpec, table_name: &str) -> Result<(), Failure> {
    let parts: Vec<String> =
        client.query_one("SELECT parse_ident($1::text)", &[&table_name]).await?.get(0);
    let quoted: Vec<String> = parts.iter().map(|p| quote(p)).collect();
    if let [schema, _] = parts.as_slice() {
        let sql = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1::text::name";
        if client.query_opt(sql, &[schema]).await?.is_none() {
            let sql = format!("CREATE SCHEMA IF NOT EXISTS {}", quoted[0]);
            tolerate_race(client.batch_execute(&sql).await)?;
        }
    }
    let mut lines = Vec::new();
    for (index, column) in table.columns.iter().enumerate() {
        let declared = types::declared(&column.name, &column.data_type)?;
        let not_null = !column.data_type.nullable || table.primary_key.contains(&index);
        let suffix = if not_null { " NOT NULL" } else { "" };
        lines.push(format!("{} {declared}{suffix}", quote(&column.name.to_lowercase())));
    }
    if !table.primary_key.is_empty() {
        let names = table.primary_key.iter().map(|&c| quote(&table.columns[c].name.to_lowercase()));
        lines.push(format!("PRIMARY KEY ({})", names.collect::<Vec<_>>().join(", ")));
    }
    let sql = format!("CREATE TABLE IF NOT EXISTS {} ({})", quoted.join("."), lines.join(", "));
    tolerate_race(client.batch_execute(&sql).await)
}

/// Another pipeline may create the same thing at the same moment.
pub(crate) fn tolerate_race(created: Result<(), tokio_postgres::Error>) -> Result<(), Failure> {
    use tokio_postgres::error::SqlState;
    match created {
        Err(e)
            if e.code().is_some_and(|c| {
                [
                    SqlState::UNIQUE_VIOLATION,
                    SqlState::DUPLICATE_TABLE,
                    SqlState::DUPLICATE_SCHEMA,
                    SqlState::DUPLICATE_OBJECT,
                ]
                .contains(c)
            }) =>
        {
            Ok(())
        }
        other => Ok(other?),
    }
}

/// A quoted identifier.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
