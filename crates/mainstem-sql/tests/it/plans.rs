//! Scripts in, plans and refusals out, as text: `testdata/plans/*.sql` beside their `.plan`.
//! Run with `MAINSTEM_BLESS=1` to rewrite the expectations; review the difference.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mainstem_core::options::{
    ConnectorSpec, Delivery, FormatSpec, FormatUse, OptionSpec, Pushdown, SinkChangelog, secret,
};
use mainstem_sql::catalog::ConnectorCatalog;
use mainstem_sql::job::Step;
use mainstem_sql::script::ScriptSession;
use mainstem_sql::source::SourceText;

const OPTIONS: &[OptionSpec] = &[secret("password", "The password.")];

const fn connector(
    name: &'static str,
    source: bool,
    sink: bool,
    sink_changelog: SinkChangelog,
) -> ConnectorSpec {
    ConnectorSpec {
        name,
        doc: "For tests.",
        source: if source { Some(Delivery::ExactlyOnce) } else { None },
        sink: if sink { Some(Delivery::AtLeastOnce) } else { None },
        sink_weaker: &[],
        formats: FormatUse::Value,
        options: OPTIONS,
        metadata: &[],
        upsert_source: false,
        sink_changelog,
        pushdown: Pushdown::NONE,
    }
}

static FILES: ConnectorSpec = connector("filesystem", true, true, SinkChangelog::ByFormat);
static KAFKA: ConnectorSpec = connector("kafka", true, true, SinkChangelog::ByFormat);
static UPSERT: ConnectorSpec = ConnectorSpec {
    upsert_source: true,
    ..connector("upsert-kafka", true, true, SinkChangelog::Upsert)
};
static PRINT: ConnectorSpec = connector("print", false, true, SinkChangelog::All);
static BLACKHOLE: ConnectorSpec = connector("blackhole", false, true, SinkChangelog::All);
static DATAGEN: ConnectorSpec = connector("datagen", true, false, SinkChangelog::All);
static JDBC: ConnectorSpec = ConnectorSpec {
    formats: FormatUse::None,
    pushdown: Pushdown { lookup: true, ..Pushdown::NONE },
    ..connector("jdbc", true, true, SinkChangelog::UpsertIfKey)
};
static JSON: FormatSpec = FormatSpec {
    name: "json",
    doc: "For tests.",
    options: &[],
    changelog: false,
    filters: true,
    fields: true,
};
static DEBEZIUM: FormatSpec = FormatSpec {
    name: "debezium-json",
    doc: "For tests.",
    options: &[],
    changelog: true,
    filters: false,
    fields: false,
};

pub(crate) fn connectors() -> ConnectorCatalog {
    ConnectorCatalog {
        connectors: vec![&FILES, &KAFKA, &UPSERT, &PRINT, &JDBC, &BLACKHOLE, &DATAGEN],
        formats: vec![&JSON, &DEBEZIUM],
    }
}

fn outcome(name: &str, text: &str) -> String {
    let mut session = ScriptSession::new(connectors());
    let source = match SourceText::new(name, text, &BTreeMap::new()) {
        Ok(source) => source,
        Err(error) => return error.render(),
    };
    let steps = session.run(&source).and_then(|()| session.finish());
    let mut out = Vec::new();
    match steps {
        Err(errors) => out.extend(errors.iter().map(|e| e.render())),
        Ok(steps) => {
            for step in steps {
                match step {
                    Step::Text(lines) => out.extend(lines),
                    Step::Job(job) => out.extend(job.explain),
                }
            }
        }
    }
    out.join("\n") + "\n"
}

fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "sql"))
        .collect();
    files.sort();
    files
}

#[test]
fn plans_are_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/plans");
    let files = scripts(&folder);
    assert!(!files.is_empty(), "there are scripts to test");
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().expect("a file").to_string_lossy().into_owned();
        let actual = outcome(&name, &std::fs::read_to_string(&file).expect("readable"));
        let golden = file.with_extension("plan");
        if std::env::var_os("MAINSTEM_BLESS").is_some() {
            std::fs::write(&golden, &actual).expect("writable");
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if expected != actual {
            wrong.push(format!("{name}\n--- expected\n{expected}--- actual\n{actual}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
