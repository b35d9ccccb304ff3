//! ALTER TABLE and ALTER VIEW.
//! Invariant: what queries before the statement have read stays as it was for them; a view is bound anew when it is used.

use std::sync::Arc;

use super::{ScriptSession, is_a};
use crate::ast::{Alter, AlterTable, ObjectName};
use crate::bind::bind_alter_table;
use crate::catalog::{Object, Table, View};
use crate::error::{SqlError, SqlResult};
use crate::source::{SourceText, Span};

impl ScriptSession {
    pub(super) fn alter(
        &mut self,
        alter: Alter,
        source: &Arc<SourceText>,
        span: Span,
    ) -> SqlResult<()> {
        match alter {
            Alter::Table { name, if_exists, action } => {
                if if_exists && self.context().object(&name).is_none() {
                    return Ok(());
                }
                self.alter_table(&name, &action, source, span)
            }
            Alter::ViewRename { name, to } => {
                let mut view = View::clone(self.view(&name)?.as_ref());
                let (namespace, object) = self.renamed(&name, &to)?;
                (view.namespace, view.name) = (namespace.clone(), object.clone());
                self.catalog.insert(&namespace, object, Object::View(Arc::new(view)));
                Ok(())
            }
            Alter::ViewQuery { name, query } => {
                self.view(&name)?;
                self.put_view(&name, Vec::new(), query, source)
            }
            Alter::Database { name, options } => self.alter_database(&name, &options),
            Alter::CatalogSet { name, options } => self.alter_catalog(&name, |entry| {
                entry
                    .options
                    .extend(options.iter().map(|(k, v)| (k.value.clone(), v.value.clone())));
                Ok(())
            }),
            Alter::CatalogReset { name, keys } => self.alter_catalog(&name, |entry| {
                for key in &keys {
                    if key.value == "type" {
                        return Err(SqlError::new("'type' cannot be reset", key.span));
                    }
                    entry.options.remove(&key.value);
                }
                Ok(())
            }),
            Alter::CatalogComment { name, comment } => self.alter_catalog(&name, |entry| {
                entry.comment = Some(comment.clone());
                Ok(())
            }),
        }
    }

    fn view(&self, name: &ObjectName) -> SqlResult<&Arc<View>> {
        match self.object(name)? {
            Object::View(view) => Ok(view),
            Object::Table(_) => Err(is_a("table", "ALTER TABLE", name.last())),
        }
    }

    /// Takes the object away from its old name, if it can have the new one.
    fn renamed(
        &mut self,
        from: &ObjectName,
        to: &ObjectName,
    ) -> SqlResult<(crate::catalog::Namespace, String)> {
        if self.context().object(to).is_some() {
            let message = format!("'{}' exists already", to.last().value);
            return Err(SqlError::new(message, to.span()));
        }
        let (old, object) = self.catalog.place(from, None);
        let renamed = to.last().value.clone();
        if to.0.len() > 1 && self.catalog.place(to, None).0 != old {
            return Err(SqlError::new("a new name does not move to another database", to.span())
                .with_hint("write the name alone"));
        }
        self.catalog.remove(&old, &object);
        Ok((old, renamed))
    }

    fn alter_table(
        &mut self,
        name: &ObjectName,
        action: &AlterTable,
        source: &Arc<SourceText>,
        span: Span,
    ) -> SqlResult<()> {
        let table: Arc<Table> = match self.object(name)? {
            Object::Table(table) => Arc::clone(table),
            Object::View(_) => return Err(is_a("view", "ALTER VIEW", name.last())),
        };
        if table.temporary {
            let message = format!("'{}' is a temporary table", name.last().value);
            return Err(SqlError::new(message, name.span())
                .with_hint("write CREATE OR REPLACE TEMPORARY TABLE"));
        }
        if let AlterTable::RenameTo(to) = action {
            let (namespace, object) = self.renamed(name, to)?;
            let renamed = Table { name: namespace.qualified(&object), ..table.as_ref().clone() };
            self.catalog.insert(&namespace, object, Object::Table(Arc::new(renamed)));
            return Ok(());
        }
        let altered = bind_alter_table(self.context(), &table, action, &source.text, span)?;
        self.put_table(name, altered);
        Ok(())
    }
}
