//! docs/user/broker-configs.md is made from the tables of configurations.
//! Run with `MAINSTEM_BLESS=1` to rewrite it; otherwise a difference fails.

use std::fmt::Write as _;
use std::path::Path;

use crate::config::{Kind, TOPIC_CONFIGS, broker_configs};

fn takes(kind: Kind) -> String {
    match kind {
        Kind::Boolean => "`true` or `false`".to_owned(),
        Kind::Int { min, max } if max == i64::from(i32::MAX) => format!("number from {min}"),
        Kind::Int { min, max } => format!("number from {min} to {max}"),
        Kind::Long { min: i64::MIN } => "number".to_owned(),
        Kind::Long { min } => format!("number from {min}"),
        Kind::Double { min, max } => format!("number from {min} to {max}"),
        Kind::Word(words) => format!("`{}`", words.join("`, `")),
        Kind::List([]) => "list".to_owned(),
        Kind::List(words) => format!("list of `{}`", words.join("`, `")),
    }
}

fn default(text: &str) -> String {
    match text {
        "" => "empty".to_owned(),
        "9223372036854775807" => "no limit".to_owned(),
        text => format!("`{text}`"),
    }
}

fn page() -> String {
    let mut page = String::from(
        "# Configurations of the embedded broker and its topics\n\n\
         <!-- Made from the tables in crates/mainstem-broker/src/config; MAINSTEM_BLESS=1 cargo test -p mainstem-broker reference -->\n\n\
         Names, types and defaults are Kafka's, so Kafka's tools set and describe them. What has no effect on a single node is\n\
         taken, kept and described all the same. `durability` is ours. A value for a topic stands before one for this broker\n\
         (`--entity-type brokers --entity-name 1`), that before one for all brokers (`--entity-default`), that before what the\n\
         broker was started with.\n\n\
         ## Topics\n\n| name | takes | default | set for all topics by | what it does |\n|---|---|---|---|---|\n",
    );
    for row in TOPIC_CONFIGS {
        let (takes, default) = (takes(row.kind), default(row.default));
        let behind = row.broker.map(|name| format!("`{name}`")).unwrap_or_default();
        let _ = writeln!(page, "| `{}` | {takes} | {default} | {behind} | {} |", row.name, row.doc);
    }
    page.push_str("\n## Broker\n\nBeside those in the fourth column above:\n\n");
    page.push_str(
        "| name | takes | default | while it runs | what it does |\n|---|---|---|---|---|\n",
    );
    let of_topics = |name: &str| TOPIC_CONFIGS.iter().any(|row| row.broker == Some(name));
    for row in broker_configs().filter(|row| !of_topics(row.name)) {
        let (takes, default) = (takes(row.kind), default(row.default));
        let altered = if row.read_only { "fixed" } else { "may be altered" };
        let _ =
            writeln!(page, "| `{}` | {takes} | {default} | {altered} | {} |", row.name, row.doc);
    }
    page
}

#[test]
fn the_page_of_configurations_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/user/broker-configs.md");
    if std::env::var_os("MAINSTEM_BLESS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "docs/user/broker-configs.md is stale: run with MAINSTEM_BLESS=1");
}
