//! Runs the statements of a script over a catalog: DDL takes effect, queries and INSERTs become jobs.
//! Invariant: nothing is executed here; a script with an error yields all its errors and no step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mainstem_core::options::OptionSpec;

use crate::ast::{self, Statement, StatementKind};
use crate::bind::{self, Context, bind_create_as, bind_create_table, bind_insert, bind_query};
use crate::catalog::{Catalog, ColumnSource, ConnectorCatalog, Object, Table, View};
use crate::error::{SqlError, SqlResult};
use crate::job::Step;
use crate::lower::{Output, lower};
use crate::parser::parse_statements;
use crate::session::Session;
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
        self.flush().map_err(|e| vec![e])?;
        Ok(self.steps)
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
        Context { catalog: &self.catalog, connectors: &self.connectors, session: &self.session }
    }

    fn statement(&mut self, statement: Statement, source: &Arc<SourceText>) -> SqlResult<()> {
        let span = statement.span;
        match statement.kind {
            StatementKind::CreateTable(ddl) => self.create_table(&ddl, source, span),
            StatementKind::CreateView { name, columns, query, or_replace, if_not_exists } => {
                let key = name.last().value.clone();
                if !self.may_create(&name, or_replace, if_not_exists)? {
                    return Ok(());
                }
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
                let columns = columns.into_iter().map(|c| c.value).collect();
                let view = View { name: key.clone(), columns, query, text };
                self.catalog.insert(key, Object::View(Arc::new(view)));
                Ok(())
            }
            StatementKind::Drop { view, name, if_exists } => self.drop(view, &name, if_exists),
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
                self.session = Session::default();
                match self.settings.get("table.local-time-zone").cloned() {
                    Some(zone) => self.set("table.local-time-zone".to_owned(), zone, span),
                    None => Ok(()),
                }
            }
            StatementKind::ShowTables => {
                let lines = self.catalog.iter().map(|(name, _)| name.to_owned()).collect();
                self.text(lines)
            }
            StatementKind::ShowViews => {
                let is_view = |(name, object): (&str, &Object)| {
                    matches!(object, Object::View(_)).then(|| name.to_owned())
                };
                let lines = self.catalog.iter().filter_map(is_view).collect();
                self.text(lines)
            }
            StatementKind::ShowCreateTable(name) => {
                let text = match self.object(&name)? {
                    Object::Table(table) => {
                        let specs = self.option_specs(table);
                        table.to_sql(&|key| specs.iter().any(|s| s.secret && s.name == key))
                    }
                    Object::View(view) => format!(
                        "CREATE VIEW {} AS\n{}",
                        mainstem_core::types::quote_identifier(&view.name),
                        view.text
                    ),
                };
                self.text(text.lines().map(str::to_owned).collect())
            }
            StatementKind::Describe(name) => self.describe(&name),
        }
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
        self.catalog.get(&last.value).ok_or_else(|| {
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
        let exists = self.catalog.get(&name.last().value).is_some();
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
        let name = ddl.name.last().value.clone();
        if ddl.query.is_none() {
            let table = Arc::new(bind_create_table(self.context(), ddl, &source.text)?);
            self.catalog.insert(name, Object::Table(table));
            return Ok(());
        }
        let (table, rel) = bind_create_as(self.context(), ddl, &source.text)?;
        let rel = bind::fit_to_table(self.context(), rel, &table, span)?;
        let table = Arc::new(table);
        self.catalog.insert(name, Object::Table(Arc::clone(&table)));
        let options = table.options.clone();
        let output = Output { rel, target: Some((table, options)), span };
        self.pending.push((output, Arc::clone(source)));
        self.flush_if_sync()
    }

    fn drop(&mut self, view: bool, name: &ast::ObjectName, if_exists: bool) -> SqlResult<()> {
        let last = name.last();
        match (self.catalog.get(&last.value), view) {
            (Some(Object::View(_)), true) | (Some(Object::Table(_)), false) => {
                self.catalog.remove(&last.value);
                Ok(())
            }
            (Some(_), _) => {
                let (is, wanted) = if view { ("table", "TABLE") } else { ("view", "VIEW") };
                Err(SqlError::new(format!("'{}' is a {is}", last.value), last.span)
                    .with_hint(format!("write DROP {wanted}")))
            }
            (None, _) if if_exists => Ok(()),
            (None, _) => self.object(name).map(drop),
        }
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
        self.settings.insert(key, value);
        Ok(())
    }

    fn describe(&mut self, name: &ast::ObjectName) -> SqlResult<()> {
        let mut lines = vec!["name\ttype\tnull\tkey\textras\twatermark".to_owned()];
        match self.object(name)?.clone() {
            Object::Table(table) => {
                for (i, column) in table.columns.iter().enumerate() {
                    let rowtime = table.watermark.as_ref().filter(|w| w.column == i);
                    let attribute = match (rowtime, column.is_proctime) {
                        (Some(_), _) => " *ROWTIME*",
                        (None, true) => " *PROCTIME*",
                        _ => "",
                    };
                    let key: Vec<&str> =
                        table.primary_key.iter().map(|k| table.columns[*k].name.as_str()).collect();
                    let key = if table.primary_key.contains(&i) {
                        format!("PRI({})", key.join(", "))
                    } else {
                        String::new()
                    };
                    let extras = match &column.source {
                        ColumnSource::Physical => String::new(),
                        ColumnSource::Computed { text, .. } => format!("AS {text}"),
                        ColumnSource::Metadata { key, is_virtual } => {
                            let suffix = if *is_virtual { " VIRTUAL" } else { "" };
                            format!("METADATA FROM '{key}'{suffix}")
                        }
                    };
                    lines.push(format!(
                        "{}\t{}{attribute}\t{}\t{key}\t{extras}\t{}",
                        column.name,
                        column.data_type.kind,
                        if column.data_type.nullable { "TRUE" } else { "FALSE" },
                        rowtime.map_or("", |w| w.text.as_str()),
                    ));
                }
            }
            Object::View(view) => {
                let rel = bind_query(self.context(), &view.query)?;
                for (i, field) in rel.fields.iter().enumerate() {
                    let name = view.columns.get(i).unwrap_or(&field.name);
                    let null = if field.data_type.nullable { "TRUE" } else { "FALSE" };
                    lines.push(format!("{name}\t{}\t{null}\t\t\t", field.data_type.kind));
                }
            }
        }
        self.text(lines)
    }
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
