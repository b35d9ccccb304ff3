//! How a job gets checkpoints: its state directory is opened, its sources and sinks are tied to the task that takes them.
//! Invariant: sinks have committed what the checkpoint says before anything new is written; sources begin where it was cut.

use std::sync::Arc;

use mainstem_connectors::api::Observer as _;
use mainstem_connectors::api::Sink;
use mainstem_core::clock::Clock;
use mainstem_core::{Error, Result};
use mainstem_engine::checkpoint::CheckpointPort;
use mainstem_engine::executor::Checkpoints;
use mainstem_sql::job::Job;
use mainstem_state::catalog::Catalog;
use mainstem_state::coordinator::{Coordinator, Settings};
use mainstem_state::manifest::SplitRecord;
use mainstem_state::stored::Stored;
use tokio::sync::{mpsc, watch};

use super::acknowledge::Positions;
use super::checkpoints::{Checkpointer, SinkEvent, SourceTies};
use super::report;
use super::resume::{self, JobIdentity, Resumed, State, StateSettings, Successor};
use super::sink::CheckpointTies;
use super::source::SplitNames;
use super::terminal::Terminal;
use crate::failure::{Failure, Outcome};

/// A job that will outlive its process, while it is put together.
pub(super) struct Durable {
    state: State,
    identity: JobIdentity,
    planned: Option<Job>,
    port: Arc<CheckpointPort>,
    sources: Vec<SourceTies>,
    /// To the task of each: tokens to commit.
    sinks: Vec<mpsc::UnboundedSender<Vec<Vec<u8>>>>,
    events: (mpsc::UnboundedSender<SinkEvent>, mpsc::UnboundedReceiver<SinkEvent>),
}

impl Durable {
    /// Opens the place of its checkpoints, and says where the job goes on.
    pub(super) async fn open(
        settings: &StateSettings,
        successor: Successor<'_>,
        terminal: &Terminal,
        now_ms: i64,
    ) -> Outcome<Self> {
        let place = &settings.place;
        let failed = |e: Error| Failure::Runtime(e.context(format!("state '{place}'")));
        let store = place.open(&|text| terminal.notice("checkpoints", text)).await;
        let catalog = Catalog::new(store.map_err(failed)?);
        let state = tokio::task::block_in_place(|| resume::open(catalog, settings, successor));
        let state = state.map_err(failed)?;
        for damaged in &state.damaged {
            let text = format!("checkpoint {} cannot be used: {}", damaged.id, damaged.error);
            terminal.notice("checkpoints", &text);
        }
        if let Some(Resumed { id, at_ms, ended, changes, .. }) = &state.resumed {
            let old = report::duration((now_ms - at_ms).max(0) as f64 / 1000.0);
            let text = match ended {
                true => format!("all input had ended at checkpoint {id} of '{place}', {old} ago"),
                false => format!("going on from checkpoint {id} of '{place}', {old} old"),
            };
            terminal.notice("checkpoints", &text);
            changes
                .lines(settings.changed)
                .iter()
                .for_each(|line| terminal.notice("checkpoints", line));
        }
        let mut state = state;
        let resumed = state.resumed.as_mut();
        let resumed = resumed.map(|it| (std::mem::take(&mut it.identity), it.planned.take()));
        let (identity, planned) = resumed.unwrap_or_else(|| (JobIdentity::of(successor.job), None));
        Ok(Self {
            state,
            identity,
            planned,
            port: CheckpointPort::new(),
            sources: Vec::new(),
            sinks: Vec::new(),
            events: mpsc::unbounded_channel(),
        })
    }

    /// The job in place of the one that was asked for, if its statements do not all share what they read.
    pub(super) fn take_planned(&mut self) -> Option<Job> {
        self.planned.take()
    }

    /// All input had ended, and all results had come out: there is nothing to do but to show them.
    pub(super) fn is_ended(&self) -> bool {
        self.state.resumed.as_ref().is_some_and(|resumed| resumed.ended)
    }

    /// Ties the next sink, which is open.
    pub(super) async fn sink(&mut self, sink: &mut dyn Sink) -> Result<CheckpointTies> {
        let number = self.sinks.len();
        let resumed = self.state.resumed.as_ref();
        let tokens = resumed.map_or(&[][..], |resumed| &resumed.tokens[number]);
        let staged = sink.stage(tokens).await?;
        let (commit, commits) = mpsc::unbounded_channel();
        self.sinks.push(commit);
        Ok(CheckpointTies { sink: number, staged, events: self.events.0.clone(), commits })
    }

    /// Ties the next source: returns where the ids of its splits go, and how far they had been read.
    pub(super) fn source(
        &mut self,
        table: &str,
        acknowledge: watch::Sender<Positions>,
    ) -> (SplitNames, Vec<SplitRecord>) {
        let number = self.sources.len();
        let names = SplitNames::default();
        self.sources.push(SourceTies {
            table: table.to_owned(),
            fingerprint: self.identity.sources[number].clone(),
            names: names.clone(),
            acknowledge,
        });
        let resumed = self.state.resumed.as_mut();
        let splits = resumed.map(|resumed| std::mem::take(&mut resumed.splits[number]));
        (names, splits.unwrap_or_default())
    }

    /// For the engine.
    pub(super) fn engine(&mut self) -> Checkpoints {
        let restored = self.state.resumed.as_mut();
        let restored = restored.map(|resumed| std::mem::take(&mut resumed.engine));
        Checkpoints { port: Arc::clone(&self.port), restored }
    }

    /// The task that takes checkpoints.
    pub(super) fn checkpointer(
        self,
        workers: usize,
        clock: Arc<dyn Clock>,
        terminal: Arc<Terminal>,
    ) -> Checkpointer {
        let identity = self.identity;
        let State { catalog, interval_ms, keep, last_id, .. } = self.state;
        let settings = Settings {
            interval_ms,
            mainstem: env!("CARGO_PKG_VERSION").to_owned(),
            workers,
            sinks: identity.sinks,
            last_id,
        };
        Checkpointer {
            coordinator: Coordinator::new(settings, clock.now_ms()),
            catalog,
            keep,
            workers,
            stored: Stored::new(identity.nodes),
            port: self.port,
            sources: self.sources,
            sinks: self.sinks,
            events: self.events.1,
            clock,
            terminal,
        }
    }
}
