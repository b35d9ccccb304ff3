//! SQL files to steps: variables filled in, statements bound and planned, and the way back from a connector's error
//! to the place in the file that caused it.
//! Invariant: all that can be refused without connecting to anything is refused here or in `pipeline::edges`, before
//! anything starts.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use mainstem_connectors::format::FORMATS;
use mainstem_connectors::registry;
use mainstem_core::Error;
use mainstem_core::table::Options;
use mainstem_sql::ast::{CreateTable, StatementKind};
use mainstem_sql::catalog::ConnectorCatalog;
use mainstem_sql::error::SqlError;
use mainstem_sql::job::Step;
use mainstem_sql::parser::parse_statements;
use mainstem_sql::script::ScriptSession;
use mainstem_sql::source::{SourceText, Span};

use crate::cli::ScriptArgs;
use crate::failure::{Failure, Outcome};

/// The values of `${NAME}`: the environment, and over it what the command line says.
pub(crate) fn variables(given: &[(String, String)]) -> BTreeMap<String, String> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    environment.chain(given.iter().cloned()).collect()
}

/// Reads the files of a pipeline.
pub(crate) fn read(arguments: &ScriptArgs) -> Outcome<Vec<SourceText>> {
    let variables = variables(&arguments.variables);
    let mut sources = Vec::new();
    let mut refused = Vec::new();
    for file in &arguments.files {
        let (name, text) = read_file(file)?;
        let mut variables = variables.clone();
        if !arguments.variables.iter().any(|(name, _)| name == "DIR") {
            variables.insert("DIR".to_owned(), folder_of(file));
        }
        match SourceText::new(name, text, &variables) {
            Ok(source) => sources.push(source),
            Err(error) => refused.push(error),
        }
    }
    if refused.is_empty() { Ok(sources) } else { Err(Failure::Refused(refused)) }
}

/// What `${DIR}` stands for: the folder of the file that says it.
fn folder_of(file: &Path) -> String {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.display().to_string(),
        _ => ".".to_owned(),
    }
}

/// The name and the text of one file; `-` is stdin.
pub(crate) fn read_file(file: &PathBuf) -> Outcome<(String, String)> {
    let (name, bytes) = if file == Path::new("-") {
        let mut bytes = Vec::new();
        ("stdin".to_owned(), std::io::stdin().read_to_end(&mut bytes).map(|_| bytes))
    } else {
        (file.display().to_string(), std::fs::read(file))
    };
    let bytes = bytes.map_err(|e| {
        let reason = match e.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
            _ => e.to_string(),
        };
        Failure::Usage(Error::user(format!("cannot read '{name}': {reason}")))
    })?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Failure::Usage(
            Error::user(format!("'{name}' is not UTF-8: byte {} is wrong", at + 1))
                .with_hint("SQL files are text in UTF-8"),
        )
    })?;
    Ok((name, text))
}

/// A script that was planned.
#[derive(Debug)]
pub(crate) struct Planned {
    /// What to do, in order.
    pub(crate) steps: Vec<Step>,
    /// Where its tables are declared.
    pub(crate) declarations: Declarations,
}

/// Binds and plans the files as one script.
pub(crate) fn plan(sources: Vec<SourceText>) -> Outcome<Planned> {
    let mut session = ScriptSession::new(catalog());
    let mut refused = Vec::new();
    for source in &sources {
        if let Err(errors) = session.run(source) {
            refused.extend(errors);
        }
    }
    let declarations = Declarations::new(sources);
    if refused.is_empty() {
        match session.finish() {
            Ok(steps) => return Ok(Planned { steps, declarations }),
            Err(errors) => refused = errors,
        }
    }
    Err(Failure::Refused(refused))
}

/// Binds and plans each file as a pipeline of its own, which sees the tables of those before it.
pub(crate) fn plan_each(sources: Vec<SourceText>) -> Outcome<(Vec<Vec<Step>>, Declarations)> {
    let mut session = ScriptSession::new(catalog());
    let (mut pipelines, mut refused) = (Vec::new(), Vec::new());
    for source in &sources {
        match session.run(source).and_then(|()| session.take_steps()) {
            Ok(steps) => pipelines.push(steps),
            Err(errors) => refused.extend(errors),
        }
    }
    match refused.is_empty() {
        true => Ok((pipelines, Declarations::new(sources))),
        false => Err(Failure::Refused(refused)),
    }
}

fn catalog() -> ConnectorCatalog {
    ConnectorCatalog {
        connectors: registry::connectors().into_iter().map(|c| c.spec()).collect(),
        formats: FORMATS.to_vec(),
    }
}

/// Where the tables of a script are declared.
#[derive(Debug)]
pub(crate) struct Declarations {
    sources: Vec<SourceText>,
    /// With the index of the file each stands in.
    tables: Vec<(usize, CreateTable)>,
}

impl Declarations {
    /// Finds the tables of files that the session took.
    pub(crate) fn new(sources: Vec<SourceText>) -> Self {
        let mut tables = Vec::new();
        for (index, source) in sources.iter().enumerate() {
            for statement in parse_statements(&source.text).into_iter().flatten() {
                if let StatementKind::CreateTable(table) = statement.kind {
                    tables.push((index, *table));
                }
            }
        }
        Self { sources, tables }
    }

    /// The tables whose options stand whole in their WITH clause.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (&str, Options)> {
        self.tables.iter().filter(|(_, table)| table.like.is_none()).map(|(_, table)| {
            let options = table.options.iter();
            let options = options.map(|(key, value)| (key.value.clone(), value.value.clone()));
            (table.name.last().value.as_str(), options.collect())
        })
    }

    /// An error about a table, at the option it names or else at the table's name.
    pub(crate) fn locate(&self, table: &str, error: &Error) -> SqlError {
        let declared = self.tables.iter().rev().find(|(_, t)| t.name.last().value == table);
        let Some((file, declared)) = declared else {
            return SqlError::from_core(error, Span::default());
        };
        let span =
            named_option(declared, &error.to_string()).unwrap_or_else(|| declared.name.span());
        SqlError::from_core(error, span).located(&self.sources[*file])
    }
}

/// The option that a message names in quotes: its value if the message has the value as well, else its key.
fn named_option(table: &CreateTable, message: &str) -> Option<Span> {
    let named = |text: &str| message.contains(&format!("'{text}'"));
    let options = || table.options.iter().filter(|(key, _)| key.value != "connector");
    let both = options().find(|(key, value)| named(&key.value) && named(&value.value));
    let connector = || {
        let found = table.options.iter().find(|(key, _)| key.value == "connector")?;
        message.starts_with("unknown connector").then_some(found.1.span)
    };
    both.map(|(_, value)| value.span)
        .or_else(|| options().find(|(key, _)| named(&key.value)).map(|(key, _)| key.span))
        .or_else(|| {
            let value = table
                .options
                .iter()
                .find(|(_, value)| message.starts_with("unknown format") && named(&value.value));
            value.map(|(_, value)| value.span)
        })
        .or_else(connector)
}
