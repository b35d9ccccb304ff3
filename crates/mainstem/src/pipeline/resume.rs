//! Where a job goes on: the newest checkpoint of its `--state` that is whole, whether it is one of this job, and workers with its state.
//! Invariant: an operator gets the state of one that meant the same, or none; a job whose statements are not those of the
//! checkpoint does not start unless it was allowed (`changed`). Whatever cannot be used is told of. Blocks: it reads files.

use mainstem_core::options::parse_duration_ms;
use mainstem_core::{Error, Result};
use mainstem_engine::checkpoint::{
    CutPlace, Identities, Loaded, Restored, SplitPosition, SplitPositions,
};
use mainstem_engine::operator::StateMemory;
use mainstem_engine::plan::NodeKind;
use mainstem_sql::job::{Job, SinkPlan, SinkTarget};
use mainstem_state::blocks::StoredBlocks;
use mainstem_state::catalog::{Catalog, Damaged};
use mainstem_state::manifest::{CheckpointId, Manifest, SinkRecord, SplitRecord};

use super::changed::{self, ChangedSql, Changes};
use crate::state::StatePlace;

/// Where the state of a job is kept, and how.
#[derive(Debug, Clone)]
pub(crate) struct StateSettings {
    /// Whose checkpoints are this process's from now on.
    pub(crate) place: StatePlace,
    /// The checkpoint to go on from, if not the newest.
    pub(crate) from: Option<CheckpointId>,
    /// What to do when the SQL means something else than that of the checkpoint.
    pub(crate) changed: ChangedSql,
}

const INTERVAL: &str = "execution.checkpointing.interval";
const KEPT: &str = "execution.checkpointing.num-retained";
const INTERVAL_MS: i64 = 10_000;
const INTERVAL_MS_MIN: i64 = 10;
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
    /// How the SQL differs from that of the checkpoint.
    pub(super) changes: Changes,
    /// Of the job that goes on.
    pub(super) identity: JobIdentity,
    /// That job, if its statements do not all share what they read.
    pub(super) planned: Option<Job>,
    pub(super) engine: Restored,
    /// By source of the job.
    pub(super) splits: Vec<Vec<SplitRecord>>,
    /// By sink of the job: what it has prepared.
    pub(super) tokens: Vec<Vec<Vec<u8>>>,
}

/// What the parts of a job are known by, in their order.
#[derive(Debug, Default)]
pub(super) struct JobIdentity {
    /// Fingerprint and name of each node of the plan.
    pub(super) nodes: Vec<(String, String)>,
    /// Fingerprints.
    pub(super) sources: Vec<String>,
    /// Without tokens.
    pub(super) sinks: Vec<SinkRecord>,
}

impl JobIdentity {
    pub(super) fn of(job: &Job) -> Self {
        let plan = &job.plan;
        let Identities { nodes, queries } = Identities::of(plan);
        let mut sources = vec![String::new(); plan.sources];
        let sink = |(query, sink): (String, &SinkPlan)| SinkRecord {
            query,
            table: match &sink.target {
                SinkTarget::Table(table) => table.name.clone(),
                SinkTarget::Console => "the terminal".to_owned(),
            },
            ..SinkRecord::default()
        };
        let mut sinks: Vec<SinkRecord> = queries.into_iter().zip(&job.sinks).map(sink).collect();
        for (node, fingerprint) in plan.nodes.iter().zip(&nodes) {
            match &node.kind {
                NodeKind::Source { source, .. } => sources[*source].clone_from(fingerprint),
                NodeKind::Sink { sink, .. } => sinks[*sink].fingerprint.clone_from(fingerprint),
                _ => {}
            }
        }
        let names = plan.nodes.iter().map(|node| node.name.clone());
        Self { nodes: nodes.into_iter().zip(names).collect(), sources, sinks }
    }
}

/// Who is to go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Successor<'a> {
    pub(super) job: &'a Job,
    pub(super) workers: usize,
    pub(super) memory: Option<&'a StateMemory>,
}

/// Finds where a job goes on, and reads the state of its workers.
pub(super) fn open(
    catalog: Catalog,
    settings: &StateSettings,
    successor: Successor<'_>,
) -> Result<State> {
    let job = successor.job;
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
    let read = |manifest| resume(&catalog, manifest, successor, settings);
    let (resumed, damaged) = match settings.from {
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

fn resume(
    catalog: &Catalog,
    manifest: Manifest,
    Successor { job, workers, memory }: Successor<'_>,
    settings: &StateSettings,
) -> Result<Resumed> {
    let blocks = StoredBlocks::of(catalog, &manifest);
    let Manifest { id, at_ms, now_ms, ended, mut sources, mut sinks, operators, .. } = manifest;
    let fresh = sinks.iter().map(|sink| sink.reading).max().unwrap_or(0) + 1;
    let mut identity = JobIdentity::of(job);
    // What a sink is known by does not depend on how the tables are read.
    let found = identity.sinks.iter().map(|wanted| {
        let at = sinks.iter().position(|sink| sink.fingerprint == wanted.fingerprint);
        at.map(|at| sinks.remove(at))
    });
    let found: Vec<Option<SinkRecord>> = found.collect();
    let readings = changed::readings(job, &found, settings.changed, fresh)?;
    let planned = changed::planned(job, &readings)?;
    if let Some(planned) = &planned {
        identity = JobIdentity::of(planned);
    }
    for (sink, reading) in identity.sinks.iter_mut().zip(readings) {
        sink.reading = reading;
    }
    let plan = &planned.as_ref().unwrap_or(job).plan;
    let (nodes, mut changes) = changed::operators(operators, plan, &identity);
    let (mut places, mut splits, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
    for wanted in &identity.sources {
        let at = sources.iter().position(|source| source.fingerprint == *wanted);
        let Some(source) = at.map(|at| sources.remove(at)) else {
            // It is new, and begins where its options say.
            places.push((SplitPositions::default(), false));
            splits.push(Vec::new());
            continue;
        };
        let positions = (0..).zip(&source.splits).map(|(number, split)| {
            let position = split.position.as_ref().map(|p| p.0.clone().into_boxed_slice());
            (number, SplitPosition { position, ended: split.ended })
        });
        places.push((positions.collect(), source.finished));
        splits.push(source.splits);
    }
    for (wanted, found) in identity.sinks.iter().zip(found) {
        changes.see_sink(wanted, found.as_ref());
        let own = found.map(|sink| sink.tokens).unwrap_or_default();
        tokens.push(own.into_iter().map(|token| token.0).collect());
    }
    changes.see_gone(&sinks);
    changes.allow(settings.changed, id, ended)?;
    let place = CutPlace { sources: places, now_ms, ended: false };
    let load = || Loaded::new(plan, workers, memory, &nodes, &blocks);
    let engine = Restored { workers: (!ended).then(load).transpose()?, place };
    Ok(Resumed { id, at_ms, ended, changes, identity, planned, engine, splits, tokens })
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
