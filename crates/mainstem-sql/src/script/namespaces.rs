//! Catalogs and databases: CREATE, DROP, ALTER, USE, and what SHOW shows of them.
//! Invariant: what is in use is not dropped. Catalogs are of the type `generic_in_memory`: others connect to systems
//! whose classes are Flink's.

use mainstem_core::table::Options;
use mainstem_core::types::quote_identifier;

use super::ScriptSession;
use crate::ast::{Ident, LikePattern, NamespaceStatement, ObjectName, Show, StringLiteral};
use crate::catalog::{
    CatalogEntry, DEFAULT_CATALOG, DEFAULT_DATABASE, Database, Namespace, Object, options_sql,
};
use crate::error::{SqlError, SqlResult};
use crate::functions::flink_catalogue;
use crate::show::wanted;
use crate::source::Span;

const IN_MEMORY: &str = "generic_in_memory";

fn options_of(pairs: &[(StringLiteral, StringLiteral)]) -> Options {
    pairs.iter().map(|(k, v)| (k.value.clone(), v.value.clone())).collect()
}

fn unknown(what: &str, name: &Ident) -> SqlError {
    SqlError::new(format!("unknown {what} '{}'", name.value), name.span)
}

fn check_catalog_options(options: &Options, span: Span) -> SqlResult<()> {
    if !options.contains_key("type") {
        return Err(SqlError::new("a catalog needs its type", span)
            .with_hint(format!("write WITH ('type' = '{IN_MEMORY}')")));
    }
    for (key, value) in options {
        match (key.as_str(), value.as_str()) {
            ("type", IN_MEMORY) | ("default-database", _) => {}
            ("type", other) => {
                return Err(SqlError::new(format!("unknown type of catalog '{other}'"), span)
                    .with_hint(format!(
                        "there is {IN_MEMORY}; mainstem deploy runs others on Flink"
                    )));
            }
            (other, _) => {
                return Err(SqlError::new(format!("a catalog has no option '{other}'"), span)
                    .with_hint("it has type and default-database"));
            }
        }
    }
    Ok(())
}

impl ScriptSession {
    pub(super) fn namespace(&mut self, statement: NamespaceStatement) -> SqlResult<()> {
        match statement {
            NamespaceStatement::CreateCatalog { name, if_not_exists, comment, options } => {
                if self.catalog.catalogs().contains_key(&name.value) {
                    return exists("catalog", &name, if_not_exists);
                }
                let options = options_of(&options);
                check_catalog_options(&options, name.span)?;
                let database = options.get("default-database").map_or("default", String::as_str);
                let databases = [(database.to_owned(), Database::default())].into();
                let entry = CatalogEntry { comment, options, databases };
                self.catalog.catalogs_mut().insert(name.value, entry);
            }
            NamespaceStatement::DropCatalog { name, if_exists } => {
                if !self.catalog.catalogs().contains_key(&name.value) {
                    return if if_exists { Ok(()) } else { Err(unknown("catalog", &name)) };
                }
                if self.catalog.current().catalog == name.value {
                    return Err(in_use("catalog", &name));
                }
                self.catalog.catalogs_mut().remove(&name.value);
            }
            NamespaceStatement::CreateDatabase { name, if_not_exists, comment, options } => {
                let (catalog, database) = self.database_name(&name);
                let options = options_of(&options);
                let entry = self.entry(&catalog, &name)?;
                if entry.databases.contains_key(&database) {
                    return exists("database", name.last(), if_not_exists);
                }
                let made = Database::new(comment, options);
                entry.databases.insert(database, made);
            }
            NamespaceStatement::DropDatabase { name, if_exists, cascade } => {
                return self.drop_database(&name, if_exists, cascade);
            }
        }
        Ok(())
    }

    fn drop_database(
        &mut self,
        name: &ObjectName,
        if_exists: bool,
        cascade: bool,
    ) -> SqlResult<()> {
        let (catalog, database) = self.database_name(name);
        let namespace = Namespace { catalog, database };
        let Some(found) = self.catalog.database(&namespace) else {
            return if if_exists { Ok(()) } else { Err(unknown("database", name.last())) };
        };
        if *self.catalog.current() == namespace {
            return Err(in_use("database", name.last()));
        }
        if !cascade && !found.is_empty() {
            let message = format!("database '{}' is not empty", name.last().value);
            return Err(SqlError::new(message, name.span())
                .with_hint("DROP DATABASE ... CASCADE drops what is in it too"));
        }
        self.entry(&namespace.catalog, name)?.databases.remove(&namespace.database);
        Ok(())
    }

    /// `[catalog.]database`.
    fn database_name(&self, name: &ObjectName) -> (String, String) {
        let catalog = match name.0.len() {
            0 | 1 => self.catalog.current().catalog.clone(),
            n => name.0[n - 2].value.clone(),
        };
        (catalog, name.last().value.clone())
    }

    fn entry(&mut self, catalog: &str, name: &ObjectName) -> SqlResult<&mut CatalogEntry> {
        let first = name.0[0].clone();
        self.catalog.catalogs_mut().get_mut(catalog).ok_or_else(|| unknown("catalog", &first))
    }

    /// The database that a new table or view goes to exists.
    pub(super) fn writable_namespace(&self, name: &ObjectName) -> SqlResult<()> {
        let (namespace, _) = self.catalog.place(name, None);
        if self.catalog.database(&namespace).is_some() {
            return Ok(());
        }
        let part = &name.0[name.0.len().saturating_sub(2)];
        Err(unknown("database", part).with_hint("CREATE DATABASE makes one"))
    }

    pub(super) fn alter_database(
        &mut self,
        name: &ObjectName,
        options: &[(StringLiteral, StringLiteral)],
    ) -> SqlResult<()> {
        let (catalog, database) = self.database_name(name);
        let entry = self.entry(&catalog, name)?;
        let found = entry.databases.get_mut(&database);
        let found = found.ok_or_else(|| unknown("database", name.last()))?;
        found.options.extend(options_of(options));
        Ok(())
    }

    pub(super) fn alter_catalog(
        &mut self,
        name: &Ident,
        change: impl FnOnce(&mut CatalogEntry) -> SqlResult<()>,
    ) -> SqlResult<()> {
        let entry = self.catalog.catalogs().get(&name.value);
        let mut changed = entry.ok_or_else(|| unknown("catalog", name))?.clone();
        change(&mut changed)?;
        check_catalog_options(&changed.options, name.span)?;
        self.catalog.catalogs_mut().insert(name.value.clone(), changed);
        Ok(())
    }

    pub(super) fn use_default(&mut self, catalog: bool, name: &ObjectName) -> SqlResult<()> {
        let last = name.last().value.clone();
        if catalog && self.catalog.current().catalog == last {
            return Ok(());
        }
        let namespace = if catalog {
            let entry = self.catalog.catalogs().get(&last);
            let entry = entry.ok_or_else(|| unknown("catalog", name.last()))?;
            let first = if last == DEFAULT_CATALOG { DEFAULT_DATABASE } else { "default" };
            let database = entry.options.get("default-database").map_or(first, String::as_str);
            Namespace { database: database.to_owned(), catalog: last }
        } else {
            let (catalog, database) = self.database_name(name);
            let namespace = Namespace { catalog, database };
            if self.catalog.database(&namespace).is_none() {
                return Err(unknown("database", name.last()));
            }
            namespace
        };
        self.session.database.clone_from(&namespace.database);
        self.catalog.set_current(namespace);
        Ok(())
    }

    /// The database of SHOW TABLES FROM.
    pub(super) fn shown_database(&self, name: Option<&ObjectName>) -> SqlResult<&Database> {
        let namespace = match name {
            None => self.catalog.current().clone(),
            Some(name) => {
                let (catalog, database) = self.database_name(name);
                Namespace { catalog, database }
            }
        };
        self.catalog.database(&namespace).ok_or_else(|| match name {
            Some(name) => unknown("database", name.last()),
            None => SqlError::new("the database in use is gone", Span::default()),
        })
    }

    pub(super) fn show_namespaces(&self, show: &Show) -> SqlResult<Vec<String>> {
        Ok(match show {
            Show::CurrentCatalog => vec![self.catalog.current().catalog.clone()],
            Show::CurrentDatabase => vec![self.catalog.current().database.clone()],
            Show::Catalogs(like) => {
                filtered(self.catalog.catalogs().keys().map(String::as_str), like.as_ref())?
            }
            Show::Databases(catalog, like) => {
                let name = catalog.as_ref().map_or(&self.catalog.current().catalog, |c| &c.value);
                let entry = self.catalog.catalogs().get(name).ok_or_else(|| match catalog {
                    Some(catalog) => unknown("catalog", catalog),
                    None => SqlError::new("the catalog in use is gone", Span::default()),
                })?;
                filtered(entry.databases.keys().map(String::as_str), like.as_ref())?
            }
            Show::CreateCatalog(name) => {
                let entry = self.declared_catalog(name)?;
                let mut sql = format!("CREATE CATALOG {}", quote_identifier(&name.value));
                if let Some(comment) = &entry.comment {
                    sql.push_str(&format!("\nCOMMENT '{}'", comment.replace('\'', "''")));
                }
                sql.push_str(&options_sql(&entry.options, &|_| false));
                sql.lines().map(str::to_owned).collect()
            }
            Show::Partitions(name) => {
                let span = name.span();
                match self.object(name)? {
                    Object::Table(table) if !table.partition_keys.is_empty() => Vec::new(),
                    _ => {
                        return Err(SqlError::new(
                            format!("'{}' is not partitioned", name.last().value),
                            span,
                        ));
                    }
                }
            }
            Show::Functions { user, like } => {
                let own = self.session.functions.keys().map(String::as_str);
                let mut names: Vec<&str> = own.collect();
                if !user {
                    // Not extend: it would ask for names that live as long as these.
                    flink_catalogue::callable().for_each(|name| names.push(name));
                }
                names.sort_unstable();
                names.dedup();
                filtered(names, like.as_ref())?
            }
            Show::Modules { full: true } => vec!["core\tTRUE".to_owned()],
            Show::Modules { full: false } => vec!["core".to_owned()],
            _ => Vec::new(),
        })
    }

    /// A catalog of CREATE CATALOG.
    fn declared_catalog(&self, name: &Ident) -> SqlResult<&CatalogEntry> {
        let entry =
            self.catalog.catalogs().get(&name.value).filter(|entry| !entry.options.is_empty());
        entry.ok_or_else(|| {
            SqlError::new(format!("'{}' is no catalog of CREATE CATALOG", name.value), name.span)
        })
    }

    pub(super) fn describe_catalog(&self, name: &Ident, extended: bool) -> SqlResult<Vec<String>> {
        let entry = self.declared_catalog(name)?;
        let kind = entry.options.get("type").map_or("", String::as_str);
        let comment = entry.comment.as_deref().unwrap_or("");
        let mut lines = vec![
            "info name\tinfo value".to_owned(),
            format!("name\t{}", name.value),
            format!("type\t{kind}"),
            format!("comment\t{comment}"),
        ];
        let others = entry.options.iter().filter(|(key, _)| extended && *key != "type");
        lines.extend(others.map(|(key, value)| format!("option:{key}\t{value}")));
        Ok(lines)
    }
}

fn exists(what: &str, name: &Ident, if_not_exists: bool) -> SqlResult<()> {
    if if_not_exists {
        return Ok(());
    }
    Err(SqlError::new(format!("{what} '{}' exists already", name.value), name.span)
        .with_hint("write IF NOT EXISTS"))
}

fn in_use(what: &str, name: &Ident) -> SqlError {
    SqlError::new(format!("{what} '{}' is in use", name.value), name.span)
        .with_hint(format!("USE another {what} first"))
}

/// The names that LIKE lets through.
fn filtered<'n>(
    names: impl IntoIterator<Item = &'n str>,
    like: Option<&LikePattern>,
) -> SqlResult<Vec<String>> {
    let mut kept = Vec::new();
    for name in names {
        if wanted(name, like)? {
            kept.push(name.to_owned());
        }
    }
    Ok(kept)
}
