//! A job that goes on from a checkpoint of other SQL: which operators keep their state, and what the user has to allow.
//! Invariant: an operator gets state only of one that meant the same. What would make results other than those of the new SQL over
//! all of its input is told, and needs a word; rows that nobody would ever show need the old SQL.

use clap::ValueEnum;
use mainstem_connectors::registry;
use mainstem_core::options::Delivery;
use mainstem_core::{Error, ErrorKind, Result};
use mainstem_engine::checkpoint::{is_progress, keeps_state};
use mainstem_engine::plan::{NodeKind, Plan};
use mainstem_sql::job::Job;
use mainstem_state::manifest::{CheckpointId, OperatorRecord, SinkRecord};

use super::resume::JobIdentity;

/// What to do when statements are not those of the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ChangedSql {
    /// Say what differs, and do not start
    #[default]
    Refuse,
    /// Go on: operators that mean what they meant keep their state, new ones begin with nothing, and rows that were written stay
    Continue,
    /// Go on, and statements that are new or have changed read their tables again, by themselves, from where the options of these
    /// say; rows that a changed one had written come again
    Rebuild,
}

/// For each sink of the job the number of what it reads, which sinks may share: as the checkpoint has `found` it, or, if what has
/// changed is to be rebuilt, `fresh`.
pub(super) fn readings(
    job: &Job,
    found: &[Option<SinkRecord>],
    policy: ChangedSql,
    fresh: u32,
) -> Result<Vec<u32>> {
    let reading = |found: &Option<SinkRecord>| found.as_ref().map_or(0, |found| found.reading);
    let mut readings: Vec<u32> = found.iter().map(reading).collect();
    if policy != ChangedSql::Rebuild {
        return Ok(readings);
    }
    let planned = planned(job, &readings)?;
    let sinks = JobIdentity::of(planned.as_ref().unwrap_or(job)).sinks;
    for ((reading, sink), found) in readings.iter_mut().zip(&sinks).zip(found) {
        if found.as_ref().is_none_or(|found| found.query != sink.query) {
            *reading = fresh;
        }
    }
    let planned = self::planned(job, &readings)?;
    planned.iter().try_for_each(|planned| can_read_again(planned, fresh))?;
    Ok(readings)
}

/// The job whose sinks read so; `None`: they share all, as it is.
pub(super) fn planned(job: &Job, readings: &[u32]) -> Result<Option<Job>> {
    if readings.iter().all(|&reading| reading == 0) {
        return Ok(None);
    }
    let planned = job.with_readings(readings);
    planned.map(Some).map_err(|e| Error::internal(format!("a job cannot be taken apart: {e}")))
}

/// Refuses a reading of tables that do not give again what they have given.
fn can_read_again(job: &Job, reading: u32) -> Result<()> {
    for node in &job.plan.nodes {
        let NodeKind::Source { source, scan } = &node.kind else { continue };
        let table = &job.sources[*source].table;
        let connector = table.options.get("connector").and_then(|name| registry::connector(name));
        let again = connector.and_then(|it| it.spec().source) == Some(Delivery::ExactlyOnce);
        if scan.reading == reading && !again {
            let text = format!("table '{}' cannot be read again from its beginning", table.name);
            return Err(Error::user(text)
                .with_hint("say --changed-sql continue: new operators begin with nothing"));
        }
    }
    Ok(())
}

/// How the SQL of a job differs from that of a checkpoint.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Tables whose statement means something else.
    changed: Vec<String>,
    /// Tables that nothing wrote.
    new: Vec<String>,
    /// Tables that nothing writes any more.
    gone: Vec<String>,
    /// Those of them that may have rows to be shown.
    unshown: Vec<String>,
    /// Operators that keep their state.
    kept: Vec<String>,
    /// Operators that begin with nothing.
    begun: Vec<String>,
    /// Operators whose state nobody takes.
    forgotten: Vec<String>,
}

/// The record of each node of the plan, in its order; a node that is new has an empty one.
pub(super) fn operators(
    mut records: Vec<OperatorRecord>,
    plan: &Plan,
    identity: &JobIdentity,
) -> (Vec<OperatorRecord>, Changes) {
    let (mut found, mut changes) = (Vec::with_capacity(plan.nodes.len()), Changes::default());
    for (node, (fingerprint, name)) in plan.nodes.iter().zip(&identity.nodes) {
        let at = records.iter().position(|record| record.fingerprint == *fingerprint);
        if keeps_state(&node.kind) {
            let list = if at.is_some() { &mut changes.kept } else { &mut changes.begun };
            list.push(name.clone());
        }
        let new = || OperatorRecord {
            fingerprint: fingerprint.clone(),
            name: name.clone(),
            tables: Vec::new(),
        };
        found.push(at.map_or_else(new, |at| records.remove(at)));
    }
    let has_state =
        |record: &OperatorRecord| record.tables.iter().any(|table| !is_progress(&table.name));
    let gone = records.into_iter().filter(has_state);
    changes.forgotten = gone.map(|record| record.name).collect();
    (found, changes)
}

impl Changes {
    /// A sink of the job, and what the checkpoint has of it.
    pub(super) fn see_sink(&mut self, sink: &SinkRecord, found: Option<&SinkRecord>) {
        match found {
            None => self.new.push(sink.table.clone()),
            Some(found) if found.query != sink.query => self.changed.push(sink.table.clone()),
            Some(_) => {}
        }
    }

    /// The sinks of the checkpoint that the job has not.
    pub(super) fn see_gone(&mut self, sinks: &[SinkRecord]) {
        let unshown = sinks.iter().filter(|sink| !sink.tokens.is_empty());
        self.unshown = unshown.map(|sink| sink.table.clone()).collect();
        self.gone = sinks.iter().map(|sink| sink.table.clone()).collect();
    }

    fn is_none(&self) -> bool {
        let lists = [&self.changed, &self.new, &self.gone, &self.begun, &self.forgotten];
        lists.iter().all(|list| list.is_empty())
    }

    /// Refuses what was not allowed, or cannot be.
    pub(super) fn allow(&self, policy: ChangedSql, id: CheckpointId, ended: bool) -> Result<()> {
        if self.is_none() || (policy != ChangedSql::Refuse && !ended && self.unshown.is_empty()) {
            return Ok(());
        }
        let refused = Error::new(ErrorKind::Conflict, format!("checkpoint {id} is of other SQL"))
            .with_detail(self.difference());
        Err(match &self.unshown[..] {
            _ if ended => refused.with_hint(
                "all its input had ended, so nothing would come: start anew with another --state \
                 directory",
            ),
            [] => refused.with_hint(
                "go on with the SQL of the checkpoint; or say --changed-sql continue: '=' keep their \
                 state, '+' begin with what comes from now on, and rows that were written stay; or \
                 --changed-sql rebuild: statements that are new or have changed read their tables \
                 again; or start anew with another --state directory",
            ),
            tables => refused.with_hint(format!(
                "the checkpoint has rows for {} that may not be shown yet: go on once with its SQL, \
                 stop with Ctrl-C, and change the SQL then",
                tables.join(", ")
            )),
        })
    }

    fn difference(&self) -> String {
        let mut text = "statements that differ:".to_owned();
        let statements = [(&self.changed, "changed"), (&self.new, "new"), (&self.gone, "gone")];
        for (tables, what) in statements {
            tables.iter().for_each(|table| text.push_str(&format!("\n  {table}: {what}")));
        }
        text.push_str("\noperators with state:");
        for (operators, sign) in [(&self.kept, '='), (&self.begun, '+'), (&self.forgotten, '-')] {
            operators.iter().for_each(|name| text.push_str(&format!("\n{sign} {name}")));
        }
        text
    }

    /// What a job that goes on says of it.
    pub(super) fn lines(&self, policy: ChangedSql) -> Vec<String> {
        if self.is_none() {
            return Vec::new();
        }
        let mut statements = Vec::new();
        let lists =
            [(&self.changed, "has changed"), (&self.new, "is new"), (&self.gone, "is gone")];
        for (tables, what) in lists {
            statements.extend(tables.iter().map(|table| format!("{table} {what}")));
        }
        let mut lines =
            vec![format!("the SQL is not that of the checkpoint: {}", statements.join(", "))];
        let begin = match policy {
            ChangedSql::Rebuild => "are built from what their tables give again",
            _ => "begin with nothing",
        };
        let lists = [
            (&self.kept, "keep their state"),
            (&self.begun, begin),
            (&self.forgotten, "are forgotten"),
        ];
        for (operators, what) in lists.into_iter().filter(|(operators, _)| !operators.is_empty()) {
            lines.push(format!("{what}: {}", operators.join("; ")));
        }
        lines
    }
}
