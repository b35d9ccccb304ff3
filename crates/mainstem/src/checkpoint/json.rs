//! Checkpoints for scripts.
//! Invariant: one JSON document; what is text for people elsewhere is numbers here, with their unit in the name. Fields are only
//! added.

use mainstem_connectors::api::Position;
use mainstem_state::manifest::{
    Manifest, OperatorRecord, SinkRecord, SourceRecord, SplitRecord, TableRecord,
};
use serde_json::{Value, json};

use super::folder::{Found, Standing};
use super::text::rows;

/// All checkpoints of a directory.
pub(super) fn list(found: &[Found]) -> String {
    let checkpoints: Vec<Value> = found.iter().map(|found| object(found, source_short)).collect();
    format!("{}\n", Value::Array(checkpoints))
}

/// One checkpoint.
pub(super) fn show(found: &Found) -> String {
    let mut object = object(found, source);
    if let Some(manifest) = &found.manifest {
        let list = |values: Vec<Value>| Value::Array(values);
        object["sinks"] = list(manifest.sinks.iter().map(sink).collect());
        object["operators"] = list(manifest.operators.iter().map(operator).collect());
    }
    format!("{object}\n")
}

fn object(found: &Found, source: fn(&SourceRecord) -> Value) -> Value {
    let Found { id, manifest, standing } = found;
    let (standing, reason) = match standing {
        Standing::Complete => ("complete", None),
        Standing::Begun => ("begun", None),
        Standing::Damaged(error) => ("damaged", Some(error.to_string())),
    };
    let mut object = json!({ "checkpoint": id, "standing": standing, "reason": reason });
    if let Some(manifest) = manifest {
        let Manifest { format, at_ms, mainstem, workers, now_ms, ended, sources, .. } = manifest;
        let more = json!({
            "format": format, "made_ms": at_ms, "mainstem": mainstem, "workers": workers, "now_ms": now_ms,
            "ended": ended, "state_bytes": manifest.bytes(),
            "sources": sources.iter().map(source).collect::<Vec<Value>>(),
        });
        if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
            object.extend(more);
        }
    }
    object
}

fn split(split: &SplitRecord) -> Value {
    let position = split.position.as_ref().map(|p| Position(p.0.clone()).to_string());
    json!({ "split": split.id, "position": position, "ended": split.ended })
}

fn source_short(source: &SourceRecord) -> Value {
    let splits: Vec<Value> = source.splits.iter().map(split).collect();
    json!({ "table": source.table, "finished": source.finished, "splits": splits })
}

fn source(source: &SourceRecord) -> Value {
    let mut object = source_short(source);
    object["fingerprint"] = json!(source.fingerprint);
    object
}

fn sink(sink: &SinkRecord) -> Value {
    let bytes: Vec<usize> = sink.tokens.iter().map(|token| token.0.len()).collect();
    json!({ "table": sink.table, "fingerprint": sink.fingerprint, "tokens_bytes": bytes })
}

fn operator(operator: &OperatorRecord) -> Value {
    let tables: Vec<Value> = operator.tables.iter().map(table).collect();
    json!({ "operator": operator.name, "fingerprint": operator.fingerprint, "tables": tables })
}

fn table(table: &TableRecord) -> Value {
    let (rows_max, exact) = rows(table);
    let bytes: u64 = table.all_blocks().map(|block| block.bytes).sum();
    json!({
        "table": table.name, "rows": exact.then_some(rows_max), "rows_max": rows_max, "bytes": bytes,
        "blocks": table.all_blocks().count(), "changes": table.changes.len(),
    })
}
