//! Generates docs/user/connectors.md from the specs of connectors and formats.
//! Run with `MAINSTEM_BLESS=1` to rewrite it; otherwise a difference fails.

use std::fmt::Write as _;
use std::path::Path;

use mainstem_connectors::format::{COMMON_SOURCE_OPTIONS, FORMATS};
use mainstem_connectors::registry::connectors;
use mainstem_core::options::{Delivery, OptionSpec};

fn options(text: &mut String, specs: &[OptionSpec]) {
    if specs.is_empty() {
        return;
    }
    text.push_str("\n| option | default | what it is | example |\n|---|---|---|---|\n");
    for spec in specs {
        let default = match (spec.required, spec.default) {
            (true, _) => "required".to_owned(),
            (false, Some(default)) => format!("`{default}`"),
            (false, None) => String::new(),
        };
        let doc = spec.doc.replace('|', "\\|");
        let example = spec.example.replace('|', "\\|");
        let line = writeln!(text, "| `{}` | {default} | {doc} | `{example}` |", spec.name);
        line.expect("writing to a string");
    }
}

fn delivery(delivery: Option<Delivery>) -> String {
    delivery.map_or_else(|| "no".to_owned(), |delivery| delivery.to_string())
}

#[test]
fn the_list_of_connectors_is_up_to_date() {
    let mut text = String::from(
        "# Connectors and formats\n\nGenerated from the code: do not edit. `mainstem connectors NAME` shows the same in \
         the terminal.\n\n| connector | source | sink | what it is |\n|---|---|---|---|\n",
    );
    for connector in connectors() {
        let spec = connector.spec();
        let line = writeln!(
            text,
            "| [{}](#{}) | {} | {} | {} |",
            spec.name,
            spec.name,
            delivery(spec.source),
            delivery(spec.sink),
            spec.doc
        );
        line.expect("writing to a string");
    }
    text.push_str(
        "\nThis is what holds over a crash with `--state` ([checkpoints](checkpoints.md)); EXPLAIN says it for each table of a \
         statement, with the table's options. Without `--state` everything is kept in memory: a pipeline that is started again \
         begins its sources anew (of Kafka, where `scan.startup.mode` says), and what it writes is there at least once.\n\
         \n## Options of every source\n",
    );
    options(&mut text, COMMON_SOURCE_OPTIONS);
    for connector in connectors() {
        let spec = connector.spec();
        write!(text, "\n## {}\n\n{}\n", spec.name, spec.doc).expect("writing to a string");
        options(&mut text, spec.options);
        if !spec.metadata.is_empty() {
            text.push_str("\n| metadata key | type | written by a sink |\n|---|---|---|\n");
            for (key, sql_type, writable) in spec.metadata {
                let writable = if *writable { "yes" } else { "no" };
                let line = writeln!(text, "| `{key}` | `{sql_type}` | {writable} |");
                line.expect("writing to a string");
            }
        }
    }
    text.push_str("\n# Formats\n");
    for format in FORMATS {
        write!(text, "\n## {}\n\n{}\n", format.name, format.doc).expect("writing to a string");
        options(&mut text, format.options);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/user/connectors.md");
    if std::env::var_os("MAINSTEM_BLESS").is_some() {
        std::fs::write(&path, &text).expect("writable");
    }
    let written = std::fs::read_to_string(&path).expect("readable");
    assert!(written == text, "docs/user/connectors.md is stale: run with MAINSTEM_BLESS=1");
}
