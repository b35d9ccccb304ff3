//! Whether the rows of a relation end: what comes only at the end of input may wait for them.
//! Invariant: only what is known to end is said to; the options of a table say it, as its connector reads them.

use mainstem_core::table::Options;

use crate::catalog::ConnectorCatalog;
use crate::rel::{Rel, RelKind};

/// True if some table that `rel` reads may go on for ever.
pub(crate) fn may_not_end(rel: &Rel, connectors: &ConnectorCatalog) -> bool {
    match &rel.kind {
        RelKind::Scan { options, .. } => !ends(options, connectors),
        _ => rel.inputs().into_iter().any(|input| may_not_end(input, connectors)),
    }
}

/// True if a table with these options ends.
pub(crate) fn ends(options: &Options, connectors: &ConnectorCatalog) -> bool {
    let is_set = |name: &str| options.contains_key(name);
    match connectors.connector(options).map(|spec| spec.name) {
        Some("filesystem") => !is_set("source.monitor-interval"),
        Some("kafka" | "upsert-kafka") => {
            options.get("scan.bounded.mode").is_some_and(|mode| mode != "unbounded")
        }
        Some("datagen" | "faker") => is_set("number-of-rows"),
        Some("nexmark") => {
            is_set("stop-at") || options.get("events.num").is_some_and(|count| count != "0")
        }
        // Nobody else is a source of rows without an end.
        Some(_) | None => true,
    }
}
