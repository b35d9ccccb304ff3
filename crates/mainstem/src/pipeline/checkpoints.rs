//! The task that takes a job's checkpoints: it tells the coordinator what happened, and does what that decides.
//! Invariant: decisions are the coordinator's, and the files are written on threads of their own. When this task has ended well,
//! the last checkpoint is complete and committed; a last one that cannot be stored is a failure of the job.

use std::sync::Arc;
use std::time::Duration;

use mainstem_connectors::api::{Observer as _, Position};
use mainstem_core::clock::Clock;
use mainstem_core::{Error, ErrorKind, Result};
use mainstem_engine::checkpoint::{CheckpointPort, CutPlace, LAST, Saved};
use mainstem_state::catalog::Catalog;
use mainstem_state::coordinator::{Action, Coordinator, Cut};
use mainstem_state::manifest::{CheckpointId, Manifest, Opaque, SourceRecord, SplitRecord};
use mainstem_state::stored::{Stored, StoredPiece};
use tokio::sync::{mpsc, watch};

use super::acknowledge::Positions;
use super::source::SplitNames;
use super::terminal::Terminal;
use super::writing::Writing;

/// A source, as checkpoints see it.
pub(super) struct SourceTies {
    pub(super) table: String,
    pub(super) fingerprint: String,
    /// The ids of its splits, by number.
    pub(super) names: SplitNames,
    /// To the task that owns the source.
    pub(super) acknowledge: watch::Sender<Positions>,
}

/// What a sink's task says.
#[derive(Debug)]
pub(super) enum SinkEvent {
    /// Everything before the cut is where a crash cannot take it.
    Prepared {
        sink: usize,
        number: u64,
        token: Option<Vec<u8>>,
    },
    Committed {
        sink: usize,
    },
}

/// What came of work on another thread.
enum Done {
    Written(CheckpointId, usize, Result<Vec<StoredPiece>>),
    Published(CheckpointId, Result<()>),
    Collected(Result<()>),
    Discarded,
}

/// Everything that the task needs.
pub(super) struct Checkpointer {
    pub(super) coordinator: Coordinator,
    pub(super) catalog: Catalog,
    /// How many are kept.
    pub(super) keep: usize,
    pub(super) workers: usize,
    pub(super) stored: Stored,
    pub(super) port: Arc<CheckpointPort>,
    pub(super) sources: Vec<SourceTies>,
    /// Tokens to commit, to the task of each sink.
    pub(super) sinks: Vec<mpsc::UnboundedSender<Vec<Vec<u8>>>>,
    pub(super) events: mpsc::UnboundedReceiver<SinkEvent>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) terminal: Arc<Terminal>,
}

/// The task while it runs.
struct Task {
    it: Checkpointer,
    done: (mpsc::UnboundedSender<Done>, mpsc::UnboundedReceiver<Done>),
    /// The checkpoint that is under way.
    current: CheckpointId,
    /// Who writes each worker's part of it.
    writing: Vec<Option<Writing>>,
    /// The one before it is complete.
    is_complete: bool,
    /// How many are complete.
    taken: u64,
    /// Its place has come.
    is_cut: bool,
    /// The cut behind the last step belongs to the current checkpoint.
    last: bool,
    /// What came of the last cut while another checkpoint was under way.
    waiting: Vec<Came>,
    /// The last checkpoint is complete and published once more.
    closing: bool,
    /// The job has ended and the last checkpoint is complete.
    complete: bool,
    failure: Option<Error>,
}

enum Came {
    Saved(Saved),
    Sink(SinkEvent),
}

impl Came {
    /// The number of the cut that it is about.
    fn number(&self) -> Option<u64> {
        match self {
            Came::Saved(saved) => Some(saved.number),
            Came::Sink(SinkEvent::Prepared { number, .. }) => Some(*number),
            Came::Sink(SinkEvent::Committed { .. }) => None,
        }
    }
}

impl Checkpointer {
    /// Takes checkpoints until the job has ended and its last one is complete.
    pub(super) async fn run(self) -> Result<()> {
        let mut task = Task {
            it: self,
            done: mpsc::unbounded_channel(),
            current: 0,
            writing: Vec::new(),
            is_complete: false,
            taken: 0,
            is_cut: false,
            last: false,
            waiting: Vec::new(),
            closing: false,
            complete: false,
            failure: None,
        };
        task.run().await?;
        task.say_what_was();
        Ok(())
    }
}

impl Task {
    async fn run(&mut self) -> Result<()> {
        let mut ended = false;
        while !self.complete {
            if let Some(error) = self.failure.take() {
                return Err(error);
            }
            let now_ms = self.it.clock.now_ms();
            let due_ms = self.it.coordinator.due_ms().filter(|_| !ended);
            let pause = due_ms.map_or(0, |due| u64::try_from(due - now_ms).unwrap_or(0));
            tokio::select! {
                saved = self.it.port.recv(), if !ended => match saved {
                    Some(saved) => self.came(Came::Saved(saved)),
                    None => ended = true,
                },
                Some(event) = self.it.events.recv() => self.came(Came::Sink(event)),
                Some(done) = self.done.1.recv() => self.is_done(done),
                () = tokio::time::sleep(Duration::from_millis(pause)), if due_ms.is_some() => {
                    self.is_due();
                }
                // The job was stopped where it was: nobody will say anything any more.
                else => return Ok(()),
            }
            // What came of the last cut may wait for the checkpoint before to be over.
            if ended && !self.last && self.waiting.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn say_what_was(&self) {
        let hold_ms = self.it.port.longest_hold_ms();
        let (taken, last) = (self.taken, self.current);
        let taken = match taken {
            0 => return,
            1 => "1 checkpoint was taken".to_owned(),
            _ => format!("{taken} checkpoints were taken, the last is {last}"),
        };
        let held = format!("no step was held up for more than {} ms", hold_ms.max(1));
        self.it.terminal.notice("checkpoints", &format!("{taken}; {held}"));
    }

    fn is_due(&mut self) {
        let now_ms = self.it.clock.now_ms();
        let actions = if self.it.port.is_changed() {
            self.it.coordinator.tick(now_ms)
        } else {
            self.it.coordinator.postpone(now_ms);
            Vec::new()
        };
        self.act(actions);
    }

    fn came(&mut self, came: Came) {
        if came.number() == Some(LAST) && !self.last {
            if self.it.coordinator.due_ms().is_some() {
                let actions = self.it.coordinator.begin(self.it.clock.now_ms());
                self.last = true;
                self.act(actions);
            } else if self.is_cut {
                self.waiting.push(came);
                return;
            } else {
                // The job ended before it cut what was asked for: its end is the cut.
                self.last = true;
            }
        }
        let id = self.current;
        let actions = match came {
            Came::Saved(saved) => self.saved(id, saved),
            Came::Sink(SinkEvent::Prepared { sink, token, .. }) => {
                self.it.coordinator.prepared(id, sink, token.map(Opaque))
            }
            Came::Sink(SinkEvent::Committed { sink }) => self.it.coordinator.committed(sink),
        };
        self.act(actions);
    }

    fn saved(&mut self, id: CheckpointId, mut saved: Saved) -> Vec<Action> {
        let (worker, place) = (saved.worker, saved.place.take());
        let (it, tell) = (&self.it, &self.done.0);
        let writing = self.writing[worker].get_or_insert_with(|| {
            let (store, tell) = (Arc::clone(it.catalog.store()), tell.clone());
            Writing::start(store, Arc::clone(&it.port), (id, worker), move |written| {
                // Whoever asked is gone only if the job failed.
                let _ = tell.send(Done::Written(id, worker, written));
            })
        });
        writing.take(saved);
        let Some(place) = place else { return Vec::new() };
        self.is_cut = true;
        let cut = self.cut(place);
        self.it.coordinator.cut(id, cut)
    }

    fn cut(&self, place: CutPlace) -> Cut {
        let CutPlace { sources, now_ms, ended } = place;
        let sources =
            sources.into_iter().zip(&self.it.sources).map(|((splits, finished), ties)| {
                let names = ties.names.get();
                let record = |(number, id): (usize, String)| {
                    let split = splits.get(&(number as u32)).cloned().unwrap_or_default();
                    let position = split.position.map(|bytes| Opaque(bytes.into_vec()));
                    SplitRecord { id, position, ended: split.ended }
                };
                SourceRecord {
                    table: ties.table.clone(),
                    fingerprint: ties.fingerprint.clone(),
                    splits: names.into_iter().enumerate().map(record).collect(),
                    finished,
                }
            });
        Cut { sources: sources.collect(), now_ms, ended }
    }

    fn is_done(&mut self, done: Done) {
        let actions = match done {
            Done::Written(id, worker, written) => {
                self.note_failure(written.as_ref().err());
                let records = written.map(|pieces| self.it.stored.tell(worker, pieces));
                self.it.coordinator.saved(id, worker, records)
            }
            Done::Published(id, published) if self.closing => {
                self.complete = true;
                self.current = if published.is_ok() { id } else { self.current };
                // What sinks have shown, they are told to show again: they know it.
                let said = published.err().map(|e| format!("the last one keeps its tokens: {e}"));
                said.into_iter().map(Action::Notice).collect()
            }
            Done::Published(id, published) => {
                self.note_failure(published.as_ref().err());
                if published.is_ok() {
                    self.is_complete = true;
                    self.taken += 1;
                    self.it.stored.publish();
                    self.it.port.set_stored(id);
                }
                self.it.coordinator.published(id, published)
            }
            Done::Collected(collected) => {
                let mut actions = self.it.coordinator.collected(collected);
                if self.last {
                    let closing = self.it.coordinator.close();
                    self.closing = !closing.is_empty();
                    self.complete = !self.closing;
                    actions.extend(closing);
                }
                actions
            }
            Done::Discarded => {
                self.it.coordinator.discarded();
                Vec::new()
            }
        };
        self.act(actions);
        // A checkpoint is over: what came of the last cut can go on.
        if self.it.coordinator.due_ms().is_some() {
            std::mem::take(&mut self.waiting).into_iter().for_each(|came| self.came(came));
        }
    }

    /// The last checkpoint is not tried again, and nothing is where another process keeps checkpoints.
    fn note_failure(&mut self, error: Option<&Error>) {
        if let Some(error) = error.filter(|error| error.kind() == ErrorKind::Conflict) {
            let error = Error::new(error.kind(), error.to_string());
            self.failure =
                Some(error.with_hint("each pipeline needs a place of its own for --state"));
        } else if let Some(error) = error.filter(|_| self.last) {
            let text = format!("the last checkpoint cannot be stored: {error}");
            let error = Error::new(error.kind(), text);
            self.failure = Some(error.with_hint(
                "the next run goes on from the checkpoint before, and writes again what came after it",
            ));
        }
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Begin(id) => {
                    self.current = id;
                    self.is_cut = false;
                    let workers = self.it.workers;
                    self.writing = std::iter::repeat_with(|| None).take(workers).collect();
                    let complete = std::mem::take(&mut self.is_complete);
                    let whole = self.it.stored.begin(complete, workers);
                    if !self.last {
                        self.it.port.ask(id, whole);
                    }
                }
                Action::Publish(manifest) => self.publish(*manifest),
                Action::Commit { sink, tokens } => {
                    let tokens = tokens.into_iter().map(|token| token.0).collect();
                    // Its task has failed if it is gone, which ends the job.
                    let _ = self.it.sinks[sink].send(tokens);
                }
                Action::Acknowledge(sources) => {
                    for (ties, record) in self.it.sources.iter().zip(sources) {
                        ties.acknowledge.send_replace(positions(&record));
                    }
                }
                Action::Collect => {
                    let (catalog, keep) = (self.it.catalog.clone(), self.it.keep);
                    let tell = self.done.0.clone();
                    tokio::task::spawn_blocking(move || {
                        let _ = tell.send(Done::Collected(catalog.collect(keep)));
                    });
                }
                Action::Discard(id) => {
                    let (catalog, tell) = (self.it.catalog.clone(), self.done.0.clone());
                    tokio::task::spawn_blocking(move || {
                        // That the store does not do what it is asked for was said.
                        let _ = catalog.discard(id);
                        let _ = tell.send(Done::Discarded);
                    });
                }
                Action::Notice(text) => self.it.terminal.notice("checkpoints", &text),
            }
        }
    }

    fn publish(&self, manifest: Manifest) {
        let (catalog, tell) = (self.it.catalog.clone(), self.done.0.clone());
        tokio::task::spawn_blocking(move || {
            let published = catalog.publish(&manifest);
            let _ = tell.send(Done::Published(manifest.id, published));
        });
    }
}

/// Positions by number of split.
fn positions(record: &SourceRecord) -> Positions {
    let known = (0..).zip(&record.splits);
    let known = known.filter_map(|(number, split)| Some((number, split.position.as_ref()?)));
    known.map(|(number, position)| (number, Position(position.0.clone()))).collect()
}
