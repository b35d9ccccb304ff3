//! Checks the WITH clause of a table against the specs of its connector and its formats.
//! Invariant: a key is accepted only if some spec names it, and every value is of its spec's type. Pure: it opens
//! nothing, so `mainstem check` calls it as well as the planner. What one connector alone can know (two options that
//! exclude each other, a column of the wrong type) is checked by that connector.

use mainstem_core::options::{
    ConnectorSpec, FormatSpec, FormatUse, OptionSpec, OptionType, nearest, optional,
};
use mainstem_core::table::Options;
use mainstem_core::{Error, Result};

use super::{
    BAD_RECORDS, COMMON_SOURCE_OPTIONS, DEAD_LETTER_PATH, DEAD_LETTER_TOPIC, FORMATS, format,
};

/// Options that Flink takes for every connector.
const TABLE_OPTIONS: &[OptionSpec] = &[
    optional(
        "scan.parallelism",
        OptionType::Integer,
        None,
        "Accepted as Flink does; the number of workers comes from `--parallelism`.",
        "1",
    ),
    optional(
        "sink.parallelism",
        OptionType::Integer,
        None,
        "Accepted as Flink does; the number of workers comes from `--parallelism`.",
        "1",
    ),
    optional(
        "scan.watermark.idle-timeout",
        OptionType::Duration,
        None,
        "A split that brings nothing for this long no longer holds the watermark back.",
        "5 s",
    ),
    optional(
        "scan.watermark.emit.strategy",
        OptionType::Enum(&["on-event", "on-periodic"]),
        Some("on-periodic"),
        "Accepted as Flink does; watermarks are made once a step.",
        "on-periodic",
    ),
    optional(
        "scan.watermark.emit.on-event.gap",
        OptionType::Integer,
        None,
        "Accepted as Flink does; watermarks are made once a step.",
        "1",
    ),
    optional(
        "scan.watermark.alignment.*",
        OptionType::String,
        None,
        "Accepted as Flink does; the steps of a pipeline align its sources.",
        "group-1",
    ),
];

const FORMAT: OptionSpec =
    optional("format", OptionType::String, None, "How records are written.", "json");

const KEY_VALUE_OPTIONS: &[OptionSpec] = &[
    FORMAT,
    optional("value.format", OptionType::String, None, "How values are written.", "json"),
    optional("key.format", OptionType::String, None, "How keys are written.", "raw"),
    optional("key.fields", OptionType::List, None, "The columns of the key.", "user_id;item_id"),
    optional(
        "key.fields-prefix",
        OptionType::String,
        None,
        "What the names of key columns start with in the table, but not in the key.",
        "k_",
    ),
    optional(
        "value.fields-include",
        OptionType::Enum(&["ALL", "EXCEPT_KEY"]),
        Some("ALL"),
        "Whether the key's columns are in the value too.",
        "EXCEPT_KEY",
    ),
];

/// Which part of a record a format is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Key,
    Value,
}

/// An option as it may be written in this table.
struct Known {
    name: String,
    spec: OptionSpec,
}

impl Known {
    fn matches(&self, key: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(prefix) => key.len() > prefix.len() && key.starts_with(prefix),
            None => self.name == key,
        }
    }
}

/// Checks every key and value of `options` for a table of the connector `spec`: unknown keys, missing ones, and
/// values of the wrong type are errors of kind `User` that name the key.
pub fn validate_options(options: &Options, spec: &ConnectorSpec) -> Result<()> {
    let formats = declared_formats(options, spec)?;
    let known = known_options(spec, &formats, options.contains_key("value.format"));
    for (key, value) in options {
        if key == "connector" {
            continue;
        }
        let Some(found) = known.iter().find(|k| k.matches(key)) else {
            return Err(unknown_option(key, spec, &formats, &known));
        };
        found.spec.kind.validate(key, value)?;
    }
    for option in &known {
        if option.spec.required && !options.contains_key(&option.name) {
            return Err(missing(&option.name, spec, option.spec.doc, option.spec.example));
        }
    }
    check_dead_letter(options, spec)
}

fn declared_formats(
    options: &Options,
    spec: &ConnectorSpec,
) -> Result<Vec<(Part, &'static FormatSpec)>> {
    let mut formats = Vec::new();
    if spec.formats == FormatUse::None {
        return Ok(formats);
    }
    if spec.formats == FormatUse::KeyValue
        && options.contains_key("format")
        && options.contains_key("value.format")
    {
        return Err(Error::user("options 'format' and 'value.format' exclude each other")
            .with_hint("keep 'value.format' beside a 'key.format', 'format' otherwise"));
    }
    let value = match spec.formats {
        FormatUse::KeyValue => options.get("value.format").or_else(|| options.get("format")),
        _ => options.get("format"),
    };
    let Some(value) = value else {
        return Err(missing("format", spec, "It says how records are written.", "json"));
    };
    formats.push((Part::Value, format(value)?));
    if spec.formats == FormatUse::KeyValue
        && let Some(key) = options.get("key.format")
    {
        formats.push((Part::Key, format(key)?));
    }
    Ok(formats)
}

fn known_options(
    spec: &ConnectorSpec,
    formats: &[(Part, &'static FormatSpec)],
    value_prefixed: bool,
) -> Vec<Known> {
    let plain = |spec: &OptionSpec| Known { name: spec.name.to_owned(), spec: *spec };
    let mut known: Vec<Known> = spec.options.iter().map(plain).collect();
    known.extend(TABLE_OPTIONS.iter().map(plain));
    match spec.formats {
        FormatUse::None => return known,
        FormatUse::Value => known.push(plain(&FORMAT)),
        FormatUse::KeyValue => known.extend(KEY_VALUE_OPTIONS.iter().map(plain)),
    }
    if spec.source.is_some() {
        known.extend(COMMON_SOURCE_OPTIONS.iter().map(plain));
    }
    for (part, format) in formats {
        let prefix = match part {
            Part::Key => "key.",
            Part::Value if value_prefixed => "value.",
            Part::Value => "",
        };
        known.extend(
            format.options.iter().map(|o| Known { name: format!("{prefix}{}", o.name), spec: *o }),
        );
    }
    known
}

fn unknown_option(
    key: &str,
    spec: &ConnectorSpec,
    formats: &[(Part, &'static FormatSpec)],
    known: &[Known],
) -> Error {
    let error = Error::user(format!("unknown option '{key}' for connector '{}'", spec.name));
    let plain = key.strip_prefix("value.").or_else(|| key.strip_prefix("key.")).unwrap_or(key);
    let owner = FORMATS.iter().find(|f| f.options.iter().any(|o| o.name == plain));
    if let Some(owner) = owner
        && let Some((_, used)) = formats.first()
        && formats.iter().all(|(_, f)| f.name != owner.name)
    {
        return error.with_hint(format!(
            "it belongs to the format '{}', and this table's format is '{}'",
            owner.name, used.name
        ));
    }
    let names = known.iter().map(|k| k.name.as_str()).filter(|n| !n.ends_with('*'));
    match nearest(key, names.chain(["connector"])) {
        Some(near) => error.with_hint(format!("did you mean '{near}'?")),
        None => error.with_hint(format!(
            "its options are {}",
            spec.options.iter().map(|o| o.name).collect::<Vec<_>>().join(", ")
        )),
    }
}

fn missing(name: &str, spec: &ConnectorSpec, doc: &str, example: &str) -> Error {
    Error::user(format!("option '{name}' is missing for connector '{}'", spec.name))
        .with_detail(doc)
        .with_hint(format!("add '{name}' = '{example}' to the WITH clause"))
}

fn check_dead_letter(options: &Options, spec: &ConnectorSpec) -> Result<()> {
    let path = options.contains_key(DEAD_LETTER_PATH);
    let topic = options.contains_key(DEAD_LETTER_TOPIC);
    let chosen =
        options.get(BAD_RECORDS).is_some_and(|v| v.trim().eq_ignore_ascii_case("dead-letter"));
    if chosen && !path && !topic {
        return Err(Error::user(format!(
            "option '{BAD_RECORDS}' is 'dead-letter', but no target is given"
        ))
        .with_hint(format!("add '{DEAD_LETTER_PATH}' = 'bad-records.jsonl'")));
    }
    if (path || topic) && !chosen {
        let given = if path { DEAD_LETTER_PATH } else { DEAD_LETTER_TOPIC };
        return Err(Error::user(format!("option '{given}' has no effect without a policy"))
            .with_hint(format!("add '{BAD_RECORDS}' = 'dead-letter'")));
    }
    if path && topic {
        return Err(Error::user(format!(
            "options '{DEAD_LETTER_PATH}' and '{DEAD_LETTER_TOPIC}' exclude each other"
        )));
    }
    if topic && spec.formats != FormatUse::KeyValue {
        return Err(Error::user(format!(
            "option '{DEAD_LETTER_TOPIC}' needs a broker, which connector '{}' does not have",
            spec.name
        ))
        .with_hint(format!("use '{DEAD_LETTER_PATH}'")));
    }
    Ok(())
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
