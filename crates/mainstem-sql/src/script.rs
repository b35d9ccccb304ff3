//! Runs the statements of a script over a catalog: DDL takes effect, queries and INSERTs become jobs.
//! Invariant: nothing is executed here; a script with an error yields all its errors and no step.

mod alter;
mod namespaces;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mainstem_core::options::OptionSpec;

use crate::ast::{self, Show, Statement, StatementKind};
use crate::bind::{
    Context, bind_create_as, bind_create_function, bind_create_table, bind_insert, bind_query,
};
use crate::catalog::{Catalog, ConnectorCatalog, Object, Table, View};
use crate::error::{SqlError, SqlResult};
use crate::job::Step;
use crate::lower::{Output, join_expiry, lower, watermark};
use crate::parser::parse_statements;
use crate::session::{NullInSink, Session};
use crate::show;
use crate::source::{SourceText, Span};

/// A session that scripts run in, one after the other.
#[derive(Debug)]
pub struct ScriptSession {
    catalog: Catalog,
    connectors: ConnectorCatalog,
    session: Session,
    settings: BTreeMap<String, String>,
    steps: Vec<Step>,
    pending: Vec<(Output, Arc<SourceText>)>,
    statements: usize,
    /// Names whose declaration was refused: that they are unknown is no second error.
    refused: BTreeSet<String>,
}

impl ScriptSession {
    /// An empty catalog over these connectors.
    pub fn new(connectors: ConnectorCatalog) -> Self {
        Self {
            catalog: Catalog::default(),
            connectors,
            session: Session::default(),
            settings: BTreeMap::new(),
            steps: Vec::new(),
            pending: Vec::new(),
            statements: 0,
            refused: BTreeSet::new(),
        }
    }

    /// How many statements were read.
    pub fn statements(&self) -> usize {
        self.statements
    }

    /// The tables and views declared so far.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Binds all statements of a script; the errors of all of them, located.
    pub fn run(&mut self, source: &SourceText) -> Result<(), Vec<SqlError>> {
        let shared = Arc::new(source.clone());
        let mut errors = Vec::new();
        for parsed in parse_statements(&source.text) {
            self.statements += 1;
            let declares = parsed.as_ref().ok().and_then(declared_name);
            let done = parsed.and_then(|statement| self.statement(statement, &shared));
            if let Err(error) = done {
                self.refused.extend(declares);
                if !self.follows_from_another(&error) {
                    errors.push(error.located(source));
                }
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// True for an unknown table whose declaration was refused before.
    fn follows_from_another(&self, error: &SqlError) -> bool {
        let text = error.to_string();
        self.refused.iter().any(|name| text == format!("unknown table '{name}'"))
    }

    /// All steps, in order. Queries and INSERTs run together as one job, unless `table.dml-sync` is true.
    pub fn finish(mut self) -> Result<Vec<Step>, Vec<SqlError>> {
        self.take_steps()
    }

    /// The steps since the last time: what follows makes jobs of its own, over the tables that are declared by now.
    pub fn take_steps(&mut self) -> Result<Vec<Step>, Vec<SqlError>> {
        self.flush().map_err(|e| vec![e])?;
        Ok(std::mem::take(&mut self.steps))
    }

    fn flush(&mut self) -> SqlResult<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let (outputs, sources): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().unzip();
        let spans: Vec<Span> = outputs.iter().map(|o: &Output| o.span).collect();
        let job = lower(outputs, &self.connectors, &self.settings).map_err(|error| {
            let owner = spans
                .iter()
                .position(|s| error.span().is_some_and(|e| s.start <= e.start && e.end <= s.end));
            error.located(&sources[owner.unwrap_or(0)])
        })?;
        self.steps.push(Step::Job(job));
        Ok(())
    }

    fn context(&self) -> Context<'_> {
        Context {
            catalog: &self.catalog,
            connectors: &self.connectors,
            session: &self.session,
            home: None,
        }
    }

    fn statement(&mut self, statement: Statement, source: &Arc<SourceText>) -> SqlResult<()> {
        let span = statement.span;
        match statement.kind {
            StatementKind::CreateTable(ddl) => self.create_table(&ddl, source, span),
            StatementKind::CreateView { name, columns, query, or_replace, if_not_exists } => {
                if !self.may_create(&name, or_replace, if_not_exists)? {
                    return Ok(());
                }
                let columns = columns.into_iter().map(|c| c.value).collect();
                self.put_view(&name, columns, query, source)
            }
            StatementKind::Drop { view, name, if_exists } => self.drop(view, &name, if_exists),
            StatementKind::Alter(alter) => self.alter(*alter, source, span),
            StatementKind::Namespace(statement) => self.namespace(statement),
            StatementKind::CreateFunction(function) => self.create_function(&function),
            StatementKind::DropFunction { name, if_exists } => self.drop_function(&name, if_exists),
            StatementKind::Insert(insert) => self.insert(&insert, source, span),
            StatementKind::StatementSet(inserts) => {
                inserts.iter().try_for_each(|i| self.collect_insert(i, source))?;
                self.flush_if_sync()
            }
            StatementKind::Query(query) => {
                let rel = bind_query(self.context(), &query)?;
                self.pending.push((Output { rel, target: None, span }, Arc::clone(source)));
                self.flush_if_sync()
            }
            StatementKind::Explain(inner) => self.explain(*inner),
            StatementKind::Set { key: Some((key, value)) } => self.set(key, value, span),
            StatementKind::Set { key: None } => {
                let lines = self.settings.iter().map(|(k, v)| format!("'{k}' = '{v}'")).collect();
                self.text(lines)
            }
            StatementKind::Reset { key } => {
                match key {
                    Some(key) => drop(self.settings.remove(&key)),
                    None => self.settings.clear(),
                }
                let functions = std::mem::take(&mut self.session.functions);
                let database = std::mem::take(&mut self.session.database);
                self.session = Session { functions, database, ..Session::default() };
                let left = self.settings.clone();
                left.into_iter().try_for_each(|(key, value)| self.set(key, value, span))
            }
            StatementKind::Show(show) => self.show(&show),
            StatementKind::Describe(name) => {
                let lines = show::describe(self.context(), self.object(&name)?, None)?;
                self.text(lines)
            }
            StatementKind::DescribeCatalog { name, extended } => {
                let lines = self.describe_catalog(&name, extended)?;
                self.text(lines)
            }
            StatementKind::Use { catalog, name } => self.use_default(catalog, &name),
        }
    }

    fn show(&mut self, show: &Show) -> SqlResult<()> {
        let lines = match show {
            Show::Tables(database, like) => {
                show::names(self.shown_database(database.as_ref())?, false, like.as_ref())?
            }
            Show::Views(database, like) => {
                show::names(self.shown_database(database.as_ref())?, true, like.as_ref())?
            }
            Show::Columns(name, like) => {
                show::describe(self.context(), self.object(name)?, like.as_ref())?
            }
            Show::CreateTable(name) => match self.object(name)? {
                Object::Table(table) => {
                    let specs = self.option_specs(table);
                    let secret = |key: &str| specs.iter().any(|s| s.secret && s.name == key);
                    table.to_sql(&secret).lines().map(str::to_owned).collect()
                }
                Object::View(_) => return Err(is_a("view", "SHOW CREATE VIEW", name.last())),
            },
            Show::CreateView(name) => match self.object(name)? {
                Object::View(view) => view.to_sql().lines().map(str::to_owned).collect(),
                Object::Table(_) => return Err(is_a("table", "SHOW CREATE TABLE", name.last())),
            },
            other => self.show_namespaces(other)?,
        };
        self.text(lines)
    }

    fn text(&mut self, lines: Vec<String>) -> SqlResult<()> {
        self.steps.push(Step::Text(lines));
        Ok(())
    }

    fn flush_if_sync(&mut self) -> SqlResult<()> {
        match self.settings.get("table.dml-sync") {
            Some(value) if value.eq_ignore_ascii_case("true") => self.flush(),
            _ => Ok(()),
        }
    }

    fn option_specs(&self, table: &Table) -> Vec<&'static OptionSpec> {
        let connector = self.connectors.connector(&table.options).map_or(&[][..], |c| c.options);
        let format = self.connectors.format(&table.options).map_or(&[][..], |f| f.options);
        connector.iter().chain(format).collect()
    }

    fn object(&self, name: &ast::ObjectName) -> SqlResult<&Object> {
        let last = name.last();
        self.context().object(name).ok_or_else(|| {
            let error = SqlError::new(format!("unknown table '{}'", last.value), name.span());
            let names = self.catalog.iter().map(|(n, _)| n);
            match mainstem_core::options::nearest(&last.value, names) {
                Some(near) => error.with_hint(format!("did you mean '{near}'?")),
                None => error,
            }
        })
    }

    /// False if the object exists and that is fine.
    fn may_create(
        &self,
        name: &ast::ObjectName,
        or_replace: bool,
        if_not_exists: bool,
    ) -> SqlResult<bool> {
        self.writable_namespace(name)?;
        let exists = self.context().object(name).is_some();
        match (exists, or_replace, if_not_exists) {
            (false, ..) | (true, true, _) => Ok(true),
            (true, false, true) => Ok(false),
            (true, false, false) => {
                let message = format!("'{}' exists already", name.last().value);
                Err(SqlError::new(message, name.span())
                    .with_hint("write CREATE OR REPLACE, or IF NOT EXISTS"))
            }
        }
    }

    fn create_table(
        &mut self,
        ddl: &ast::CreateTable,
        source: &Arc<SourceText>,
        span: Span,
    ) -> SqlResult<()> {
        if !self.may_create(&ddl.name, ddl.or_replace, ddl.if_not_exists)? {
            return Ok(());
        }
        if ddl.query.is_none() {
            let table = bind_create_table(self.context(), ddl, &source.text)?;
            self.put_table(&ddl.name, table);
            return Ok(());
        }
        let (table, rel) = bind_create_as(self.context(), ddl, &source.text)?;
        let table = self.put_table(&ddl.name, table);
        let options = table.options.clone();
        let output = Output { rel, target: Some((table, options)), span };
        self.pending.push((output, Arc::clone(source)));
        self.flush_if_sync()
    }

    /// Puts a table where its name says.
    fn put_table(&mut self, name: &ast::ObjectName, mut table: Table) -> Arc<Table> {
        let (namespace, object) = self.catalog.place(name, None);
        table.name = namespace.qualified(&object);
        table.namespace = namespace.clone();
        let table = Arc::new(table);
        self.catalog.insert(&namespace, object, Object::Table(Arc::clone(&table)));
        table
    }

    /// Puts a view where its name says, if its query can be bound.
    fn put_view(
        &mut self,
        name: &ast::ObjectName,
        columns: Vec<String>,
        query: ast::Query,
        source: &Arc<SourceText>,
    ) -> SqlResult<()> {
        let rel = bind_query(self.context(), &query)?;
        if !columns.is_empty() && columns.len() != rel.fields.len() {
            let message = format!(
                "{} column names are given, the query has {} columns",
                columns.len(),
                rel.fields.len()
            );
            return Err(SqlError::new(message, name.span()));
        }
        let text = slice(source, query.span);
        let (namespace, object) = self.catalog.place(name, None);
        let home = self.catalog.current().clone();
        let view =
            View { name: object.clone(), namespace: namespace.clone(), home, columns, query, text };
        self.catalog.insert(&namespace, object, Object::View(Arc::new(view)));
        Ok(())
    }

    fn drop(&mut self, view: bool, name: &ast::ObjectName, if_exists: bool) -> SqlResult<()> {
        let last = name.last();
        match (self.context().object(name), view) {
            (Some(Object::View(_)), true) | (Some(Object::Table(_)), false) => {
                let (namespace, object) = self.catalog.place(name, None);
                self.catalog.remove(&namespace, &object);
                Ok(())
            }
            (Some(_), _) => {
                let (is, wanted) =
                    if view { ("table", "DROP TABLE") } else { ("view", "DROP VIEW") };
                Err(is_a(is, wanted, last))
            }
            (None, _) if if_exists => Ok(()),
            (None, _) => self.object(name).map(drop),
        }
    }

    fn create_function(&mut self, declared: &ast::CreateFunction) -> SqlResult<()> {
        let name = declared.name.last();
        let key = name.value.to_ascii_uppercase();
        if !declared.or_replace && self.session.functions.contains_key(&key) {
            if declared.if_not_exists {
                return Ok(());
            }
            return Err(SqlError::new(
                format!("function '{}' exists already", name.value),
                name.span,
            )
            .with_hint("write CREATE OR REPLACE, or IF NOT EXISTS"));
        }
        let function = bind_create_function(self.context(), declared)?;
        self.session.functions.insert(key, Arc::new(function));
        Ok(())
    }

    fn drop_function(&mut self, name: &ast::ObjectName, if_exists: bool) -> SqlResult<()> {
        let last = name.last();
        let dropped = self.session.functions.remove(&last.value.to_ascii_uppercase());
        if dropped.is_none() && !if_exists {
            let message = format!("unknown function '{}'", last.value);
            return Err(SqlError::new(message, name.span())
                .with_hint("functions of CREATE FUNCTION can be dropped"));
        }
        Ok(())
    }

    fn insert(&mut self, insert: &ast::Insert, source: &Arc<SourceText>, _: Span) -> SqlResult<()> {
        self.collect_insert(insert, source)?;
        self.flush_if_sync()
    }

    fn collect_insert(&mut self, insert: &ast::Insert, source: &Arc<SourceText>) -> SqlResult<()> {
        let (table, options, rel) = bind_insert(self.context(), insert)?;
        let output = Output { rel, target: Some((table, options)), span: insert.span };
        self.pending.push((output, Arc::clone(source)));
        Ok(())
    }

    fn explain(&mut self, inner: Statement) -> SqlResult<()> {
        let span = inner.span;
        let mut outputs = Vec::new();
        match inner.kind {
            StatementKind::Query(query) => {
                let rel = bind_query(self.context(), &query)?;
                outputs.push(Output { rel, target: None, span });
            }
            StatementKind::Insert(insert) => {
                let (table, options, rel) = bind_insert(self.context(), &insert)?;
                outputs.push(Output { rel, target: Some((table, options)), span });
            }
            StatementKind::StatementSet(inserts) => {
                for insert in &inserts {
                    let (table, options, rel) = bind_insert(self.context(), insert)?;
                    outputs.push(Output { rel, target: Some((table, options)), span: insert.span });
                }
            }
            _ => return Err(SqlError::new("only queries and INSERT can be explained", span)),
        }
        let job = lower(outputs, &self.connectors, &self.settings).map_err(|e| e.or_at(span))?;
        self.text(job.explain)
    }

    fn set(&mut self, key: String, value: String, span: Span) -> SqlResult<()> {
        if key == "table.local-time-zone" {
            self.session.time_zone = value.parse().map_err(|_| {
                SqlError::new(format!("unknown time zone '{value}'"), span)
                    .with_hint("use a name such as 'UTC' or 'Europe/Bucharest'")
            })?;
        }
        self.session.emit.set(&key, &value).map_err(|e| SqlError::from_core(&e, span))?;
        if key == join_expiry::LATE_ROWS {
            join_expiry::is_ignore(&value, span)?;
        }
        if key == watermark::CLOCK_AFTER {
            watermark::clock_after(&value, span)?;
        }
        if key == "table.exec.sink.not-null-enforcer" {
            self.session.null_in_sink = match value.to_ascii_uppercase().as_str() {
                "ERROR" => NullInSink::Refuse,
                "DROP" => NullInSink::Drop,
                _ => {
                    return Err(SqlError::new(format!("unknown value '{value}' of {key}"), span)
                        .with_hint("ERROR ends the job, DROP leaves the row out"));
                }
            };
        }
        self.settings.insert(key, value);
        Ok(())
    }
}

/// The refusal of what is for the other of tables and views.
fn is_a(what: &str, statement: &str, name: &ast::Ident) -> SqlError {
    SqlError::new(format!("'{}' is a {what}", name.value), name.span)
        .with_hint(format!("write {statement}"))
}

/// The table or view that a statement would declare.
fn declared_name(statement: &Statement) -> Option<String> {
    match &statement.kind {
        StatementKind::CreateTable(ddl) => Some(ddl.name.last().value.clone()),
        StatementKind::CreateView { name, .. } => Some(name.last().value.clone()),
        _ => None,
    }
}

fn slice(source: &SourceText, span: Span) -> String {
    source.text.get(span.start..span.end).unwrap_or_default().to_owned()
}
