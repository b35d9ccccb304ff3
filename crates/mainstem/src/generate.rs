//! `mainstem gen`: a table that generates rows, written somewhere.
//! Invariant: it is a script like any other, made of the table's DDL and one statement; nothing here makes rows.

use std::fmt::Write as _;

use mainstem_core::Error;
use mainstem_core::types::quote_identifier;
use mainstem_sql::ast::{CreateTable, StatementKind};
use mainstem_sql::parser::parse_statements;
use mainstem_sql::source::SourceText;

use crate::cli::{GenArgs, RowFormat, Target};
use crate::failure::{Failure, Outcome};
use crate::script;

/// The name of the table that is written.
const TARGET: &str = "mainstem gen";

/// The script that does what `gen` was asked for.
pub(crate) fn script(arguments: &GenArgs) -> Outcome<Vec<SourceText>> {
    let variables = script::variables(&arguments.variables);
    let (name, text) = match (arguments.dataset, &arguments.file) {
        (Some(dataset), _) => (format!("dataset {}", dataset.name), dataset.ddl.to_owned()),
        (None, Some(file)) => script::read_file(file)?,
        (None, None) => return Err(Failure::Usage(Error::user("give a file or --dataset"))),
    };
    let tables =
        SourceText::new(name, text, &variables).map_err(|error| Failure::Refused(vec![error]))?;
    let table = chosen_table(&tables, arguments.table.as_deref())?;
    let statement = statement(&table, arguments);
    let statement = SourceText::new("mainstem gen", statement, &Default::default())
        .map_err(|error| Failure::Refused(vec![error]))?;
    Ok(vec![tables, statement])
}

fn chosen_table(source: &SourceText, name: Option<&str>) -> Outcome<CreateTable> {
    let mut errors = Vec::new();
    let mut tables = Vec::new();
    for statement in parse_statements(&source.text) {
        match statement.map(|s| s.kind) {
            Ok(StatementKind::CreateTable(table)) => tables.push(*table),
            Ok(_) => {}
            Err(error) => errors.push(error.located(source)),
        }
    }
    if !errors.is_empty() {
        return Err(Failure::Refused(errors));
    }
    let wanted = |table: &CreateTable| name.is_none_or(|n| table.name.last().value == n);
    tables.into_iter().rev().find(wanted).ok_or_else(|| {
        Failure::Usage(match name {
            Some(name) => Error::user(format!("'{}' has no table '{name}'", source.name)),
            None => Error::user(format!("'{}' has no CREATE TABLE", source.name))
                .with_hint("a table of connector 'faker', 'datagen' or 'nexmark' generates rows"),
        })
    })
}

fn statement(table: &CreateTable, arguments: &GenArgs) -> String {
    let own_rate = table.options.iter().any(|(key, _)| key.value == "rows-per-second");
    // Without a rate of its own a table would make as many rows as a demonstration needs.
    let rate = arguments.rate.map(|n| n.to_string()).or((!own_rate).then(|| "-1".to_owned()));
    let hints = [
        ("number-of-rows", arguments.count.map(|n| n.to_string())),
        ("rows-per-second", rate),
        ("seed", arguments.seed.map(|n| n.to_string())),
    ];
    let hints: Vec<String> = hints
        .into_iter()
        .filter_map(|(key, value)| Some(format!("'{key}' = '{}'", value?)))
        .collect();
    let mut query = format!("SELECT * FROM {}", quote_identifier(&table.name.last().value));
    if !hints.is_empty() {
        write!(query, " /*+ OPTIONS({}) */", hints.join(", ")).expect("a String takes all");
    }
    let Some(options) = target_options(arguments) else { return query };
    let options: Vec<String> = options
        .iter()
        .map(|(key, value)| format!("'{key}' = '{}'", value.replace('\'', "''")))
        .collect();
    format!("CREATE TABLE {} WITH ({}) AS {query}", quote_identifier(TARGET), options.join(", "))
}

/// The WITH clause of the table that is written; `None` for stdout.
fn target_options(arguments: &GenArgs) -> Option<Vec<(&'static str, String)>> {
    let format = match arguments.format {
        RowFormat::Json => "json",
        RowFormat::Csv => "csv",
    };
    let mut options = match &arguments.to {
        Target::Stdout => return None,
        Target::Path(path) => vec![("connector", "filesystem".to_owned()), ("path", path.clone())],
        Target::Kafka { servers, topic } => vec![
            ("connector", "kafka".to_owned()),
            ("properties.bootstrap.servers", servers.clone()),
            ("topic", topic.clone()),
        ],
    };
    options.push(("format", format.to_owned()));
    Some(options)
}
