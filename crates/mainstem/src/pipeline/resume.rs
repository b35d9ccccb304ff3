//! Where a job goes on: the newest checkpoint of its `--state` that is whole, and whether it is one of this job.
//! Invariant: a job goes on from a checkpoint whose operators all mean what those of the job mean, or does not start. Whatever
//! cannot be used is told of. Blocks: it reads files.

use std::collections::VecDeque;

use mainstem_core::options::parse_duration_ms;
use mainstem_core::{Error, ErrorKind, Result};
use mainstem_engine::checkpoint::{CutPlace, Restored, SavedNode, SplitPosition, fingerprints};
use mainstem_engine::plan::{NodeKind, Plan};
use mainstem_sql::job::Job;
use mainstem_state::catalog::{Catalog, Damaged};
use mainstem_state::manifest::{CheckpointId, Manifest, OperatorRecord, SinkRecord, SplitRecord};

use crate::state::StatePlace;

/// Where the state of a job is kept, and how.
#[derive(Debug, Clone)]
pub(crate) struct StateSettings {
    /// Whose checkpoints are this process's from now on.
    pub(crate) place: StatePlace,
    /// The checkpoint to go on from, if not the newest.
    pub(crate) from: Option<CheckpointId>,
}

const INTERVAL: &str = "execution.checkpointing.interval";
const KEPT: &str = "execution.checkpointing.num-retained";
const INTERVAL_MS: i64 = 10_000;
const INTERVAL_MS_MIN: i64 = 100;
const KEPT_DEFAULT: usize = 3;

/// An opened place of checkpoints.
#[derive(Debug)]
pub(super) struct State {
    pub(super) catalog: Catalog,
    pub(super) interval_ms: i64,
    pub(super) keep: usize,
    /// The greatest number that a checkpoint here has, damaged and incomplete ones too.
    pub(super) last_id: CheckpointId,
    /// Newer ones than the one that is gone on from.
    pub(super) damaged: Vec<Damaged>,
    pub(super) resumed: Option<Resumed>,
}

/// A checkpoint to go on from.
#[derive(Debug)]
pub(super) struct Resumed {
    pub(super) id: CheckpointId,
    pub(super) at_ms: i64,
    /// All input had ended.
    pub(super) ended: bool,
    pub(super) engine: Restored,
    /// By source of the job.
    pub(super) splits: Vec<Vec<SplitRecord>>,
    /// By sink of the job: what it has prepared.
    pub(super) tokens: Vec<Vec<Vec<u8>>>,
}

/// The fingerprints of a job's sources and sinks, in their order.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) sources: Vec<String>,
    pub(super) sinks: Vec<String>,
}

impl Ends {
    pub(super) fn of(plan: &Plan) -> Self {
        let all = fingerprints(plan);
        let mut ends = Self {
            sources: vec![String::new(); plan.sources],
            sinks: vec![String::new(); plan.sinks],
        };
        for (node, fingerprint) in plan.nodes.iter().zip(all) {
            match &node.kind {
                NodeKind::Source { source } => ends.sources[*source] = fingerprint,
                NodeKind::Sink { sink, .. } => ends.sinks[*sink] = fingerprint,
                _ => {}
            }
        }
        ends
    }
}

/// Finds where a job goes on.
pub(super) fn open(catalog: Catalog, from: Option<CheckpointId>, job: &Job) -> Result<State> {
    let interval_ms = match job.settings.get(INTERVAL) {
        None => INTERVAL_MS,
        Some(text) => parse_duration_ms(INTERVAL, text)?,
    };
    if interval_ms < INTERVAL_MS_MIN {
        let text = format!("'{INTERVAL}' is {interval_ms} ms, the least is {INTERVAL_MS_MIN} ms");
        return Err(Error::user(text).with_hint(format!("write SET '{INTERVAL}' = '100 ms'")));
    }
    let keep = match job.settings.get(KEPT).map(|text| (text, text.trim().parse())) {
        None => KEPT_DEFAULT,
        Some((_, Ok(keep))) if keep > 0 => keep,
        Some((text, _)) => {
            let text = format!("'{KEPT}' is '{text}', which is not a number of checkpoints");
            return Err(Error::user(text).with_hint(format!("write SET '{KEPT}' = '3'")));
        }
    };
    let last_id = last_id(&catalog)?;
    let read = |manifest| resume(&catalog, manifest, job);
    let (resumed, damaged) = match from {
        Some(id) => (Some(catalog.manifest(id).and_then(read)?), Vec::new()),
        None => catalog.newest(read)?,
    };
    Ok(State { catalog, interval_ms, keep, last_id, damaged, resumed })
}

/// The greatest number in a name of a file, those of checkpoints that were never complete among them: a name is given once.
fn last_id(catalog: &Catalog) -> Result<CheckpointId> {
    let names = catalog.store().list()?;
    Ok(names.iter().filter_map(|name| number(name)).max().unwrap_or(0))
}

/// 7 of `checkpoint-7.json` and of `7-0-1.run`.
fn number(name: &str) -> Option<CheckpointId> {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn resume(catalog: &Catalog, manifest: Manifest, job: &Job) -> Result<Resumed> {
    let Manifest { id, at_ms, now_ms, ended, mut sources, mut sinks, operators, .. } = manifest;
    let nodes = matched(catalog, id, operators, &job.plan)?;
    let ends = Ends::of(&job.plan);
    let (mut places, mut splits, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
    for wanted in &ends.sources {
        let at = sources.iter().position(|source| source.fingerprint == *wanted);
        let at = at.ok_or_else(|| corrupt("a source is missing in it"))?;
        let source = sources.swap_remove(at);
        let positions = (0..).zip(&source.splits).map(|(number, split)| {
            let position = split.position.as_ref().map(|p| p.0.clone().into_boxed_slice());
            (number, SplitPosition { position, ended: split.ended })
        });
        places.push((positions.collect(), source.finished));
        splits.push(source.splits);
    }
    for wanted in &ends.sinks {
        let at = sinks.iter().position(|sink| sink.fingerprint == *wanted);
        let at = at.ok_or_else(|| corrupt("a sink is missing in it"))?;
        let SinkRecord { tokens: own, .. } = sinks.swap_remove(at);
        tokens.push(own.into_iter().map(|token| token.0).collect());
    }
    let place = CutPlace { sources: places, now_ms, ended: false };
    Ok(Resumed { id, at_ms, ended, engine: Restored { nodes, place }, splits, tokens })
}

fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, what)
}

/// The state of each node of the plan, in its order; refuses a checkpoint of other operators.
fn matched(
    catalog: &Catalog,
    id: CheckpointId,
    records: Vec<OperatorRecord>,
    plan: &Plan,
) -> Result<Vec<SavedNode>> {
    let mut records: VecDeque<OperatorRecord> = records.into();
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for (node, fingerprint) in plan.nodes.iter().zip(fingerprints(plan)) {
        match records.iter().position(|record| record.fingerprint == fingerprint) {
            Some(at) => found.extend(records.remove(at)),
            None => missing.push(node.name.clone()),
        }
    }
    if !missing.is_empty() || !records.is_empty() {
        let gone = records.into_iter().map(|record| record.name);
        return Err(other_sql(id, &missing, &gone.collect::<Vec<_>>()));
    }
    let saved = found.into_iter().map(|record| {
        let OperatorRecord { fingerprint, name, tables } = record;
        let tables = tables.into_iter().map(|table| table.try_map(|block| catalog.block(&block)));
        Ok(SavedNode { fingerprint, name, tables: tables.collect::<Result<_>>()? })
    });
    saved.collect()
}

fn other_sql(id: CheckpointId, new: &[String], gone: &[String]) -> Error {
    let mut lines: Vec<String> = gone.iter().map(|name| format!("- {name}")).collect();
    lines.extend(new.iter().map(|name| format!("+ {name}")));
    Error::new(ErrorKind::Conflict, format!("checkpoint {id} is of another query"))
        .with_detail(format!(
            "operators of the checkpoint (-) and of the SQL (+) that differ:\n{}",
            lines.join("\n")
        ))
        .with_hint(
            "go on with the SQL of the checkpoint, or start anew with another --state directory",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_files() {
        for (name, expected) in [
            ("checkpoint-7.json", Some(7)),
            ("12-0-1.run", Some(12)),
            ("mainstem.lock", None),
            ("", None),
        ] {
            assert_eq!(number(name), expected, "{name}");
        }
    }
}
