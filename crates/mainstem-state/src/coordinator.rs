//! When a checkpoint is begun, when it is complete, and when sinks may show what belongs to it: decisions without I/O.
//! Invariant: one checkpoint is under way at a time. Its manifest is published when every worker's rows are stored and every
//! sink has prepared; sinks commit, and sources forget, only after that. A token that was prepared stays in every manifest until
//! its commit is known to have happened: commits are repeated after a crash, so they have to be idempotent.
//! A checkpoint that cannot be stored is given up and said so; the pipeline goes on, and the next one carries its tokens.

use mainstem_core::{Error, ErrorKind};

use crate::chain::unite;
use crate::manifest::{
    CheckpointId, FORMAT, Manifest, Opaque, OperatorRecord, SinkRecord, SourceRecord,
};

/// What a coordinator is told at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// From the beginning of a checkpoint to that of the next, in ms.
    pub interval_ms: i64,
    /// The version of Mainstem.
    pub mainstem: String,
    /// How many workers hand in rows.
    pub workers: usize,
    /// Each sink, in the order of the plan, without tokens.
    pub sinks: Vec<SinkRecord>,
    /// The greatest number that a checkpoint of this store ever had, damaged ones too.
    pub last_id: CheckpointId,
}

/// What the engine says of a cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// How far each source is.
    pub sources: Vec<SourceRecord>,
    /// Processing time of the last step.
    pub now_ms: i64,
    /// Nothing will come after it.
    pub ended: bool,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Have the engine cut, its workers store their rows, and the sinks prepare.
    Begin(CheckpointId),
    /// Store the manifest.
    Publish(Box<Manifest>),
    /// Have a sink show what belongs to its tokens, oldest first.
    Commit {
        /// Which sink.
        sink: usize,
        /// What it prepared.
        tokens: Vec<Opaque>,
    },
    /// Tell the sources what will never be asked of them again.
    Acknowledge(Vec<SourceRecord>),
    /// Remove what is too old, and say [`Coordinator::collected`].
    Collect,
    /// Remove what was stored of a checkpoint that will not be complete, and say [`Coordinator::discarded`].
    Discard(CheckpointId),
    /// Tell the user.
    Notice(String),
}

#[derive(Debug)]
struct UnderWay {
    id: CheckpointId,
    begun_ms: i64,
    cut: Option<Cut>,
    /// By worker.
    saved: Vec<Option<Vec<OperatorRecord>>>,
    /// By sink: whether it has prepared.
    prepared: Vec<bool>,
    failed: bool,
}

#[derive(Debug)]
enum Phase {
    Resting,
    /// Rows are stored and sinks prepare.
    Gathering(UnderWay),
    Publishing(UnderWay, Box<Manifest>),
    /// By sink: how many of its tokens are being committed.
    Committing(Vec<usize>),
    /// Files that no manifest names are removed: such must not be written meanwhile.
    Collecting,
    /// The last checkpoint is published once more, without the tokens.
    Closing,
}

/// Decides. Tell it what happened; do what it says.
#[derive(Debug)]
pub struct Coordinator {
    settings: Settings,
    phase: Phase,
    next_id: CheckpointId,
    due_ms: i64,
    /// By sink: prepared and not known to be committed, oldest first.
    tokens: Vec<Vec<Opaque>>,
    /// The last one could not be stored.
    failing: bool,
    /// The last one that was published.
    last: Option<Box<Manifest>>,
}

impl Coordinator {
    /// At the start of a pipeline, at `now_ms`. Tokens of the checkpoint that it goes on from have been committed.
    pub fn new(settings: Settings, now_ms: i64) -> Self {
        Self {
            phase: Phase::Resting,
            next_id: settings.last_id + 1,
            due_ms: now_ms.saturating_add(settings.interval_ms),
            tokens: vec![Vec::new(); settings.sinks.len()],
            failing: false,
            last: None,
            settings,
        }
    }

    /// When [`Coordinator::tick`] has something to do; `None` while a checkpoint is under way.
    pub fn due_ms(&self) -> Option<i64> {
        matches!(self.phase, Phase::Resting).then_some(self.due_ms)
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ms: i64) -> Vec<Action> {
        match self.due_ms() {
            Some(due_ms) if due_ms <= now_ms => self.begin(now_ms),
            _ => Vec::new(),
        }
    }

    /// Begins a checkpoint although it is not due, as at the end of a pipeline; nothing while one is under way.
    pub fn begin(&mut self, now_ms: i64) -> Vec<Action> {
        if !matches!(self.phase, Phase::Resting) {
            return Vec::new();
        }
        let id = self.next_id;
        self.next_id += 1;
        self.phase = Phase::Gathering(UnderWay {
            id,
            begun_ms: now_ms,
            cut: None,
            saved: vec![None; self.settings.workers],
            prepared: vec![false; self.settings.sinks.len()],
            failed: false,
        });
        vec![Action::Begin(id)]
    }

    fn gathering(&mut self, id: CheckpointId) -> Option<&mut UnderWay> {
        match &mut self.phase {
            Phase::Gathering(under_way) if under_way.id == id => Some(under_way),
            _ => None,
        }
    }

    /// The engine has cut.
    pub fn cut(&mut self, id: CheckpointId, cut: Cut) -> Vec<Action> {
        if let Some(under_way) = self.gathering(id) {
            under_way.cut = Some(cut);
        }
        self.gathered()
    }

    /// The rows of a worker are stored, or cannot be.
    pub fn saved(
        &mut self,
        id: CheckpointId,
        worker: usize,
        rows: Result<Vec<OperatorRecord>, Error>,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        let failed = match rows {
            Ok(rows) => {
                if let Some(under_way) = self.gathering(id) {
                    under_way.saved[worker] = Some(rows);
                }
                false
            }
            Err(error) => {
                self.say_failed(id, &error, &mut actions);
                true
            }
        };
        if failed && let Some(under_way) = self.gathering(id) {
            under_way.failed = true;
            under_way.saved[worker] = Some(Vec::new());
        }
        actions.extend(self.gathered());
        actions
    }

    /// A sink has everything before the cut where a token of it can bring it out; `None`: it is out already.
    pub fn prepared(
        &mut self,
        id: CheckpointId,
        sink: usize,
        token: Option<Opaque>,
    ) -> Vec<Action> {
        if let Some(under_way) = self.gathering(id) {
            under_way.prepared[sink] = true;
            self.tokens[sink].extend(token);
        }
        self.gathered()
    }

    /// Goes on when all have answered.
    fn gathered(&mut self) -> Vec<Action> {
        let Phase::Gathering(under_way) = &self.phase else { return Vec::new() };
        let all = under_way.cut.is_some()
            && under_way.saved.iter().all(Option::is_some)
            && under_way.prepared.iter().all(|&prepared| prepared);
        if !all {
            return Vec::new();
        }
        let Phase::Gathering(mut under_way) = std::mem::replace(&mut self.phase, Phase::Resting)
        else {
            return Vec::new();
        };
        if under_way.failed {
            return vec![self.discard(&under_way)];
        }
        let manifest = Box::new(self.manifest(&mut under_way));
        self.phase = Phase::Publishing(under_way, manifest.clone());
        vec![Action::Publish(manifest)]
    }

    fn manifest(&self, under_way: &mut UnderWay) -> Manifest {
        let cut = under_way.cut.take().expect("all have answered");
        let sinks = self.settings.sinks.iter().zip(&self.tokens);
        Manifest {
            format: FORMAT,
            id: under_way.id,
            at_ms: under_way.begun_ms,
            mainstem: self.settings.mainstem.clone(),
            workers: self.settings.workers,
            now_ms: cut.now_ms,
            ended: cut.ended,
            sources: cut.sources,
            sinks: sinks
                .map(|(sink, tokens)| SinkRecord { tokens: tokens.clone(), ..sink.clone() })
                .collect(),
            operators: united(under_way.saved.drain(..).flatten()),
        }
    }

    /// The manifest is stored, or cannot be.
    pub fn published(&mut self, id: CheckpointId, result: Result<(), Error>) -> Vec<Action> {
        let phase = std::mem::replace(&mut self.phase, Phase::Resting);
        let (under_way, manifest) = match phase {
            Phase::Publishing(under_way, manifest) if under_way.id == id => (under_way, manifest),
            other => {
                self.phase = other;
                return Vec::new();
            }
        };
        let mut actions = Vec::new();
        if let Err(error) = result {
            self.say_failed(id, &error, &mut actions);
            actions.push(self.discard(&under_way));
            return actions;
        }
        self.postpone(under_way.begun_ms);
        if std::mem::take(&mut self.failing) {
            actions.push(Action::Notice(format!("checkpoint {id} is complete; all is well again")));
        }
        actions.push(Action::Acknowledge(manifest.sources.clone()));
        self.last = Some(manifest);
        let counts: Vec<usize> = self.tokens.iter().map(Vec::len).collect();
        for (sink, tokens) in
            self.tokens.iter().enumerate().filter(|(_, tokens)| !tokens.is_empty())
        {
            actions.push(Action::Commit { sink, tokens: tokens.clone() });
        }
        self.phase = Phase::Committing(counts);
        actions.extend(self.committed_all());
        actions
    }

    /// A sink has shown what belonged to the tokens that it was told to commit.
    pub fn committed(&mut self, sink: usize) -> Vec<Action> {
        if let Phase::Committing(counts) = &mut self.phase {
            let count = std::mem::take(&mut counts[sink]);
            self.tokens[sink].drain(..count);
        }
        self.committed_all()
    }

    fn committed_all(&mut self) -> Vec<Action> {
        match &self.phase {
            Phase::Committing(counts) if counts.iter().all(|&count| count == 0) => {
                self.phase = Phase::Collecting;
                vec![Action::Collect]
            }
            _ => Vec::new(),
        }
    }

    /// What is too old is gone, or cannot be removed: then it is tried again after the next checkpoint.
    pub fn collected(&mut self, result: Result<(), Error>) -> Vec<Action> {
        self.discarded();
        let text = |error| format!("old checkpoints cannot be removed: {error}");
        result.err().map(|error| Action::Notice(text(error))).into_iter().collect()
    }

    /// What was stored of a checkpoint that will not be complete is gone, or cannot be removed: it goes with what is too old.
    pub fn discarded(&mut self) {
        if matches!(self.phase, Phase::Collecting) {
            self.phase = Phase::Resting;
        }
    }

    /// The pipeline was stopped and its last checkpoint is over. If sinks have shown what belongs to its tokens, the same is
    /// published without them, so that whoever goes on needs none of these sinks; a failure of it costs nothing else.
    pub fn close(&mut self) -> Vec<Action> {
        let Some(last) = self.last.take() else { return Vec::new() };
        let shown = self.tokens.iter().all(Vec::is_empty);
        let has_tokens = last.sinks.iter().any(|sink| !sink.tokens.is_empty());
        if !matches!(self.phase, Phase::Resting) || last.ended || !shown || !has_tokens {
            return Vec::new();
        }
        let sinks = last.sinks.iter();
        let sinks = sinks.map(|sink| SinkRecord { tokens: Vec::new(), ..sink.clone() }).collect();
        let manifest = Manifest { id: self.next_id, sinks, ..*last };
        self.next_id += 1;
        self.phase = Phase::Closing;
        vec![Action::Publish(Box::new(manifest))]
    }

    /// Nothing has changed since the last checkpoint: the next one is due an interval later.
    pub fn postpone(&mut self, now_ms: i64) {
        self.due_ms = now_ms.saturating_add(self.settings.interval_ms);
    }

    fn discard(&mut self, under_way: &UnderWay) -> Action {
        self.postpone(under_way.begun_ms);
        self.phase = Phase::Collecting;
        Action::Discard(under_way.id)
    }

    /// Once a change of state, not once a failure. A conflict is not a thing to go on with: whoever runs the pipeline ends it.
    fn say_failed(&mut self, id: CheckpointId, error: &Error, actions: &mut Vec<Action>) {
        if error.kind() != ErrorKind::Conflict && !std::mem::replace(&mut self.failing, true) {
            actions.push(Action::Notice(format!(
                "checkpoint {id} cannot be stored: {error}; the pipeline goes on and tries again"
            )));
        }
    }
}

/// The records of all workers, put together by operator and table.
fn united(workers: impl Iterator<Item = Vec<OperatorRecord>>) -> Vec<OperatorRecord> {
    let mut all: Vec<OperatorRecord> = Vec::new();
    for records in workers {
        if all.is_empty() {
            all = records;
            continue;
        }
        for (operator, more) in all.iter_mut().zip(records) {
            more.tables.into_iter().for_each(|table| unite(&mut operator.tables, table));
        }
    }
    all
}

#[cfg(test)]
mod tests;
