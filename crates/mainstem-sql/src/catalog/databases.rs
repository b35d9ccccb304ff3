//! Catalogs, their databases, and the tables and views in them; which of them are in use.
//! Invariant: `default_catalog.default_database` is there from the start, and what is in use exists. All of it is in
//! memory and ends with the session, as Flink's `generic_in_memory` does.

use std::collections::BTreeMap;

use mainstem_core::table::Options;
use mainstem_core::types::quote_identifier;

use super::{DEFAULT_CATALOG, DEFAULT_DATABASE, Object};
use crate::ast::ObjectName;

/// A catalog and a database of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// The catalog.
    pub catalog: String,
    /// The database in it.
    pub database: String,
}

impl Default for Namespace {
    fn default() -> Self {
        let (catalog, database) = (DEFAULT_CATALOG.to_owned(), DEFAULT_DATABASE.to_owned());
        Self { catalog, database }
    }
}

impl Namespace {
    /// What stands before the names in it; nothing for the default.
    pub fn qualifiers(&self) -> Vec<&str> {
        if *self == Self::default() {
            return Vec::new();
        }
        if self.catalog == DEFAULT_CATALOG {
            return vec![&self.database];
        }
        vec![&self.catalog, &self.database]
    }

    /// The name of an object in it as errors and plans show it.
    pub fn qualified(&self, name: &str) -> String {
        let mut parts = self.qualifiers();
        parts.push(name);
        parts.join(".")
    }

    /// The same in backticks; `name` may have its qualifiers already.
    pub(crate) fn quoted(&self, name: &str) -> String {
        let qualifiers = self.qualifiers();
        let plain = match qualifiers.is_empty() {
            true => name,
            false => name.strip_prefix(&format!("{}.", qualifiers.join("."))).unwrap_or(name),
        };
        // As Flink, in full where it is not the default.
        let mut parts: Vec<&str> = match qualifiers.is_empty() {
            true => Vec::new(),
            false => vec![&self.catalog, &self.database],
        };
        parts.push(plain);
        parts.into_iter().map(quote_identifier).collect::<Vec<_>>().join(".")
    }
}

/// A database: tables and views.
#[derive(Debug, Clone, Default)]
pub struct Database {
    /// COMMENT.
    pub comment: Option<String>,
    /// WITH.
    pub options: Options,
    objects: BTreeMap<String, Object>,
}

impl Database {
    /// An empty one.
    pub fn new(comment: Option<String>, options: Options) -> Self {
        Self { comment, options, objects: BTreeMap::new() }
    }

    /// True if nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Names with what they stand for, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Object)> {
        self.objects.iter().map(|(name, object)| (name.as_str(), object))
    }
}

/// A catalog of CREATE CATALOG, or the default one.
#[derive(Debug, Clone, Default)]
pub struct CatalogEntry {
    /// COMMENT.
    pub comment: Option<String>,
    /// WITH; empty for the default catalog.
    pub options: Options,
    /// By name.
    pub databases: BTreeMap<String, Database>,
}

/// All tables and views of a session.
#[derive(Debug, Clone)]
pub struct Catalog {
    catalogs: BTreeMap<String, CatalogEntry>,
    current: Namespace,
}

impl Default for Catalog {
    fn default() -> Self {
        let databases = BTreeMap::from([(DEFAULT_DATABASE.to_owned(), Database::default())]);
        let entry = CatalogEntry { databases, ..CatalogEntry::default() };
        let catalogs = BTreeMap::from([(DEFAULT_CATALOG.to_owned(), entry)]);
        Self { catalogs, current: Namespace::default() }
    }
}

impl Catalog {
    /// What is in use.
    pub fn current(&self) -> &Namespace {
        &self.current
    }

    /// Uses another one, which exists.
    pub fn set_current(&mut self, namespace: Namespace) {
        self.current = namespace;
    }

    /// Where a name says that its object is, seen from `home` (without one: from what is in use). Nothing is looked up.
    pub fn place(&self, name: &ObjectName, home: Option<&Namespace>) -> (Namespace, String) {
        let home = home.unwrap_or(&self.current);
        let mut parts = name.0.iter().rev().map(|part| part.value.clone());
        let object = parts.next().unwrap_or_default();
        let database = parts.next().unwrap_or_else(|| home.database.clone());
        let catalog = parts.next().unwrap_or_else(|| home.catalog.clone());
        (Namespace { catalog, database }, object)
    }

    /// The object of that name, seen from `home`.
    pub fn get(&self, name: &ObjectName, home: Option<&Namespace>) -> Option<&Object> {
        let (namespace, object) = self.place(name, home);
        self.database(&namespace)?.objects.get(&object)
    }

    /// A database.
    pub fn database(&self, namespace: &Namespace) -> Option<&Database> {
        self.catalogs.get(&namespace.catalog)?.databases.get(&namespace.database)
    }

    /// Adds or replaces an object of a database that exists.
    pub fn insert(&mut self, namespace: &Namespace, name: String, object: Object) {
        if let Some(database) = self
            .catalogs
            .get_mut(&namespace.catalog)
            .and_then(|catalog| catalog.databases.get_mut(&namespace.database))
        {
            database.objects.insert(name, object);
        }
    }

    /// Takes away.
    pub fn remove(&mut self, namespace: &Namespace, name: &str) -> Option<Object> {
        let catalog = self.catalogs.get_mut(&namespace.catalog)?;
        catalog.databases.get_mut(&namespace.database)?.objects.remove(name)
    }

    /// The names of the database in use with what they stand for, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Object)> {
        self.database(&self.current).into_iter().flat_map(Database::iter)
    }

    /// All catalogs.
    pub fn catalogs(&self) -> &BTreeMap<String, CatalogEntry> {
        &self.catalogs
    }

    /// All catalogs, to be changed; what is in use has to stay.
    pub fn catalogs_mut(&mut self) -> &mut BTreeMap<String, CatalogEntry> {
        &mut self.catalogs
    }
}
