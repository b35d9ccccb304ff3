//! `mainstem connectors` and `mainstem functions`: what there is, from the specs.
//! Invariant: nothing is described twice; all text comes from the specs that validate and plan.

use std::fmt::Write as _;

use mainstem_connectors::format::{COMMON_SOURCE_OPTIONS, FORMATS};
use mainstem_connectors::registry;
use mainstem_core::Error;
use mainstem_core::options::{
    ConnectorSpec, FormatSpec, FormatUse, OptionSpec, OptionType, nearest,
};
use mainstem_sql::functions;

use crate::failure::{Failure, Outcome};

/// The list of connectors and formats, or one of them with its options.
pub(crate) fn connectors(name: Option<&str>) -> Outcome<String> {
    let Some(name) = name else { return Ok(overview()) };
    if let Some(connector) = registry::connector(name) {
        return Ok(describe_connector(connector.spec()));
    }
    if let Some(format) = FORMATS.iter().find(|f| f.name == name) {
        return Ok(describe_format(format));
    }
    let names = registry::connectors().into_iter().map(|c| c.spec().name);
    let names: Vec<&str> = names.chain(FORMATS.iter().map(|f| f.name)).collect();
    let error = Error::user(format!("there is no connector or format '{name}'"));
    Err(Failure::Usage(match nearest(name, names.iter().copied()) {
        Some(near) => error.with_hint(format!("did you mean '{near}'?")),
        None => error.with_hint(format!("there are {}", names.join(", "))),
    }))
}

fn overview() -> String {
    let connectors: Vec<_> = registry::connectors().into_iter().map(|c| c.spec()).collect();
    let names = connectors.iter().map(|c| c.name.len()).chain(FORMATS.iter().map(|f| f.name.len()));
    let width = names.max().unwrap_or(0);
    let mut text = String::from("Connectors\n");
    for spec in connectors {
        let ends = match (spec.source, spec.sink) {
            (Some(_), Some(_)) => "source, sink",
            (Some(_), None) => "source",
            _ => "sink",
        };
        line(&mut text, format_args!("  {:width$}  {ends:12}  {}", spec.name, spec.doc));
    }
    text.push_str("\nFormats\n");
    for format in FORMATS {
        line(&mut text, format_args!("  {:width$}  {}", format.name, format.doc));
    }
    text.push_str("\n'mainstem connectors NAME' shows the options of one.\n");
    text
}

/// The SQL functions whose name contains `name`.
pub(crate) fn functions(name: Option<&str>) -> Outcome<String> {
    let wanted = name.unwrap_or("").to_ascii_uppercase();
    let mut found: Vec<_> = functions::all().filter(|f| f.name.contains(&wanted)).collect();
    found.sort_by_key(|f| f.name);
    if found.is_empty() {
        return Err(Failure::Usage(
            Error::user(format!("no function has '{wanted}' in its name"))
                .with_hint("'mainstem functions' lists all of them"),
        ));
    }
    let mut text = String::new();
    for function in found {
        line(&mut text, format_args!("{}", function.usage));
        line(&mut text, format_args!("    {}", function.doc));
        if !function.aliases.is_empty() {
            line(&mut text, format_args!("    also: {}", function.aliases.join(", ")));
        }
    }
    Ok(text)
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("writing to a String cannot fail");
}

fn describe_connector(spec: &ConnectorSpec) -> String {
    let mut text = format!("Connector {}: {}\n", spec.name, spec.doc);
    for (end, delivery) in [("source", spec.source), ("sink", spec.sink)] {
        if let Some(delivery) = delivery {
            let without = delivery.without_checkpoints();
            line(
                &mut text,
                format_args!("As a {end}: {delivery} with checkpoints (--state), else {without}"),
            );
        }
    }
    let formats = FORMATS.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
    match spec.formats {
        FormatUse::None => {}
        FormatUse::Value => line(&mut text, format_args!("'format': one of {formats}")),
        FormatUse::KeyValue => line(
            &mut text,
            format_args!("'format' or 'value.format', and 'key.format': one of {formats}"),
        ),
    }
    describe_options(&mut text, "Options", spec.options);
    if spec.source.is_some() && spec.formats != FormatUse::None {
        describe_options(&mut text, "Options for bad records", COMMON_SOURCE_OPTIONS);
    }
    if !spec.metadata.is_empty() {
        text.push_str("\nMetadata columns\n");
        for (key, data_type, writable) in spec.metadata {
            let access = if *writable { "read and written" } else { "read only: VIRTUAL in sinks" };
            line(&mut text, format_args!("  {key}  {data_type}  ({access})"));
        }
    }
    text
}

fn describe_format(spec: &FormatSpec) -> String {
    let mut text = format!("Format {}: {}\n", spec.name, spec.doc);
    if spec.changelog {
        text.push_str("Its records carry inserts, updates and deletes.\n");
    }
    describe_options(&mut text, "Options", spec.options);
    text
}

fn describe_options(text: &mut String, title: &str, options: &[OptionSpec]) {
    if options.is_empty() {
        return;
    }
    line(text, format_args!("\n{title}"));
    for option in options {
        let presence = match (option.required, option.default) {
            (true, _) => ", required".to_owned(),
            (false, Some(default)) => format!(", default '{default}'"),
            (false, None) => String::new(),
        };
        line(text, format_args!("  '{}'  {}{presence}", option.name, type_text(option.kind)));
        line(text, format_args!("      {}", option.doc));
        if !option.secret && !matches!(option.example, "" | "...") {
            line(text, format_args!("      e.g. '{}' = '{}'", option.name, option.example));
        }
    }
}

fn type_text(kind: OptionType) -> String {
    match kind {
        OptionType::String => "text".into(),
        OptionType::Boolean => "true or false".into(),
        OptionType::Integer => "whole number".into(),
        OptionType::Double => "number".into(),
        OptionType::Duration => "duration".into(),
        OptionType::MemorySize => "size".into(),
        OptionType::Enum(words) => words.join(" | "),
        OptionType::List => "list, separated by ;".into(),
    }
}
