//! One life of the simulated pipeline's process: the engine, the coordinator, its connectors, and the work that threads would do,
//! in an order that the seed chooses.
//! Invariant: it does what the shell does with the same parts of the engine and of `mainstem-state`, unless it is told to break
//! one rule.

use std::sync::Arc;

use mainstem_core::clock::Rng;
use mainstem_core::{Error, ErrorKind, Result};
use mainstem_engine::checkpoint::Identities;
use mainstem_engine::dataflow::{Dataflow, SourceInput, StepInput};
use mainstem_engine::operator::StateMemory;
use mainstem_log::MemoryDisk;
use mainstem_state::blocks::StoredBlocks;
use mainstem_state::catalog::Catalog;
use mainstem_state::coordinator::{Action, Coordinator, Cut, Settings};
use mainstem_state::manifest::{
    CheckpointId, Manifest, Opaque, OperatorRecord, SinkRecord, SourceRecord, SplitRecord,
};
use mainstem_state::row_files::RowSpace;
use mainstem_state::store::{FolderStore, Store};
use mainstem_state::stored::{PieceWriter, Stored};
use mainstem_state::table::Piece;

use super::connected::{Connected, Done};
use super::inlet::Inlet;
use super::machine::Machine;
use super::plan::{SINKS, lines};
use super::target::Rows;
use super::{Breach, Broken, InputIn, Target, World};

/// Where checkpoints are.
pub(super) const FOLDER: &str = "state";
/// How many checkpoints are kept.
const KEPT: usize = 2;
const INTERVAL_MS: i64 = 20;

/// What waits to be done beside the steps.
enum Work {
    /// Store what a worker has told of a cut.
    Store(CheckpointId, usize, Vec<Piece>),
    /// Stage the rows of a sink before the cut.
    Prepare(CheckpointId, usize, Rows),
    Publish(Box<Manifest>),
    Commit(usize, Vec<Opaque>),
    Collect,
    Discard(CheckpointId),
}

/// A worker's part of a cut while it is handed out.
struct HandingOut {
    id: CheckpointId,
    worker: usize,
    pieces: Vec<Piece>,
}

pub(super) struct Life {
    machine: Machine,
    flow: Dataflow,
    workers: usize,
    inlet: Inlet,
    /// The sinks that are connectors.
    connected: [Option<Connected>; SINKS.len()],
    /// So many rows were read.
    at: usize,
    catalog: Catalog,
    coordinator: Coordinator,
    stored: Stored,
    /// The checkpoint before was completed.
    is_complete: bool,
    wanted: Option<(CheckpointId, bool)>,
    handing_out: Vec<HandingOut>,
    /// What sinks got since the last cut.
    rows: Vec<Rows>,
    work: Vec<Work>,
    breach: Option<Breach>,
    /// Committed before its manifest is stored.
    early: Option<CheckpointId>,
    name: u64,
    /// A checkpoint with so many rows is complete.
    pub(super) safe: usize,
}

impl Life {
    /// Starts a process on what the disk has, as the shell does.
    pub(super) fn start(world: &mut World, name: u64, rng: &mut Rng) -> Result<Self> {
        let machine = Machine::open(&world.disk, &world.clock, &world.threads, rng)?;
        let plan = &world.plan;
        let workers = 1 + rng.below(3) as usize;
        let memory = memory(rng);
        let empty = || {
            let mut flow = Dataflow::new(plan, workers)?;
            if let Some(memory) = &memory {
                flow.set_memory(memory);
            }
            Ok::<_, Error>(flow)
        };
        let store = FolderStore::open(Arc::new(world.disk.clone()), FOLDER)?;
        let catalog = Catalog::new(Arc::new(store));
        let last_id = catalog.ids()?.last().copied().unwrap_or(0);
        let (resumed, damaged) = catalog.newest(|manifest| {
            let mut flow = empty()?;
            flow.load(&manifest.operators, &StoredBlocks::of(&catalog, &manifest))?;
            Ok((manifest, flow))
        })?;
        if let Some(damaged) = damaged.first() {
            let text = format!("checkpoint {} is damaged: {}", damaged.id, damaged.error);
            return Err(Error::new(ErrorKind::Corrupt, text));
        }
        let mut connected = [const { None }; SINKS.len()];
        for (sink, target) in world.targets.iter_mut().enumerate() {
            let tokens = resumed.iter().flat_map(|(manifest, _)| &manifest.sinks[sink].tokens);
            let tokens: Vec<_> = tokens.map(|token| token.0.clone()).collect();
            connected[sink] = match target {
                Target::Model(model) => {
                    model.stage(&tokens);
                    None
                }
                Target::Topic(table) => Some(machine.topic_sink(table, &tokens, rng)?),
                Target::Files(table) => Some(machine.file_sink(table, &tokens)?),
            };
        }
        let at = resumed.as_ref().map_or(0, |(manifest, _)| position(manifest));
        let splits = resumed.as_ref().map_or(Vec::new(), |(manifest, _)| splits(manifest));
        let flow = resumed.map_or_else(empty, |(_, flow)| Ok(flow))?;
        let inlet = match &world.input_in {
            InputIn::Memory => Inlet::Memory,
            InputIn::Topic(table) => machine.topic_inlet(table, (at, world.acknowledged), rng)?,
            InputIn::Files(table) => machine.file_inlet(table, &splits, world.acknowledged)?,
        };
        let sink = |name: &str| SinkRecord { table: name.into(), ..SinkRecord::default() };
        let settings = Settings {
            interval_ms: INTERVAL_MS,
            mainstem: "simulated".into(),
            workers,
            sinks: SINKS.map(sink).to_vec(),
            last_id,
        };
        let names = plan.nodes.iter().map(|node| node.name.clone());
        Ok(Self {
            flow,
            workers,
            inlet,
            connected,
            at,
            catalog,
            coordinator: Coordinator::new(settings, machine.now_ms()),
            stored: Stored::new(Identities::of(plan).nodes.into_iter().zip(names).collect()),
            is_complete: false,
            wanted: None,
            handing_out: Vec::new(),
            rows: vec![Rows::new(); SINKS.len()],
            work: Vec::new(),
            breach: world.breach,
            early: None,
            machine,
            name,
            safe: 0,
        })
    }

    /// Something happens.
    pub(super) fn turn(&mut self, world: &mut World, rng: &mut Rng) -> Result<(), Broken> {
        match rng.below(16) {
            0..=2 => self.step(world, rng)?,
            3..=5 if !self.handing_out.is_empty() => self.hand_out(rng)?,
            6..=8 if !self.work.is_empty() => {
                let work = self.work.remove(rng.below(self.work.len() as u64) as usize);
                self.carry_out(work, world, rng);
            }
            9 | 10 => self.advance_sink(rng)?,
            11 => {
                let now_ms = self.machine.now_ms();
                let acknowledged = self.inlet.advance(&world.input, rng, now_ms);
                if let Some(rows) = acknowledged? {
                    world.acknowledged = world.acknowledged.max(rows);
                }
            }
            12..=14 => self.machine.turn(rng),
            _ => {
                self.machine.pass(rng.below(10) as i64);
                let actions = self.coordinator.tick(self.machine.now_ms());
                self.act(actions);
            }
        }
        Ok(())
    }

    /// Some sink that is a connector goes on.
    fn advance_sink(&mut self, rng: &mut Rng) -> Result<()> {
        let sink = rng.below(SINKS.len() as u64) as usize;
        let Some(connected) = &mut self.connected[sink] else { return Ok(()) };
        let actions = match connected.advance(rng)? {
            Some(Done::Prepared(id, token)) => self.coordinator.prepared(id, sink, token),
            Some(Done::Committed(tokens)) if rng.below(8) == 0 => {
                // The answer is lost: it is asked for once more, later.
                connected.commit(tokens);
                return Ok(());
            }
            Some(Done::Committed(_)) if self.early.is_some() => return Ok(()),
            Some(Done::Committed(_)) => self.coordinator.committed(sink),
            Some(Done::Written | Done::Flushed(_)) | None => return Ok(()),
        };
        self.act(actions);
        Ok(())
    }

    /// Everything was read, and is safe.
    pub(super) fn is_done(&self, world: &World) -> bool {
        self.safe == world.input.len()
            && self.work.is_empty()
            && self.connected.iter().flatten().all(Connected::is_idle)
            && self.coordinator.due_ms().is_some()
    }

    fn step(&mut self, world: &World, rng: &mut Rng) -> Result<(), Broken> {
        let (rows, end) = self.inlet.take(&world.input, self.at, rng);
        let source = SourceInput {
            batches: (!rows.is_empty()).then_some((0, rows)).into_iter().collect(),
            ..SourceInput::default()
        };
        let now_ms = self.machine.now_ms();
        let step = StepInput { now_ms, sources: vec![source] };
        self.at = end;
        let output = self.flow.step(step).map_err(Broken::Engine)?;
        for (sink, batches) in output.sinks.iter().enumerate() {
            match &mut self.connected[sink] {
                Some(connected) => batches.iter().try_for_each(|batch| connected.write(batch))?,
                None => self.rows[sink].extend(batches.iter().flat_map(lines)),
            }
        }
        let Some((id, whole)) = self.wanted.take() else { return Ok(()) };
        let pieces = self.flow.cut(whole).map_err(Broken::Engine)?;
        let parts = pieces.into_iter().enumerate();
        self.handing_out =
            parts.map(|(worker, pieces)| HandingOut { id, worker, pieces }).collect();
        for (sink, rows) in self.rows.iter_mut().enumerate() {
            match &mut self.connected[sink] {
                Some(connected) if !self.breach.is_some_and(|breach| breach.skips(sink)) => {
                    connected.prepare(id);
                }
                _ => self.work.push(Work::Prepare(id, sink, std::mem::take(rows))),
            }
        }
        let position = Some(Opaque((self.at as u64).to_le_bytes().to_vec()));
        let rows = SplitRecord { id: "rows".into(), position, ended: false };
        let splits = std::iter::once(rows).chain(self.inlet.splits()).collect();
        let source = SourceRecord {
            table: "input".into(),
            fingerprint: "input".into(),
            splits,
            finished: false,
        };
        let cut = Cut { sources: vec![source], now_ms, ended: false };
        let actions = self.coordinator.cut(id, cut);
        self.act(actions);
        Ok(())
    }

    fn hand_out(&mut self, rng: &mut Rng) -> Result<(), Broken> {
        let at = rng.below(self.handing_out.len() as u64) as usize;
        let part = &mut self.handing_out[at];
        let pieces = self.flow.hand_out(part.worker, 1 + rng.below(8) as usize);
        let pieces = pieces.map_err(Broken::Engine)?;
        if !pieces.is_empty() {
            part.pieces.extend(pieces);
            return Ok(());
        }
        let HandingOut { id, worker, pieces } = self.handing_out.remove(at);
        if self.breach == Some(Breach::ManifestBeforeFiles) {
            // What will be stored is said to be stored.
            let nowhere = FolderStore::open(Arc::new(MemoryDisk::new()), "")?;
            let records = self.told(&nowhere, (id, worker), pieces.clone());
            let actions = self.coordinator.saved(id, worker, records);
            self.act(actions);
        }
        self.work.push(Work::Store(id, worker, pieces));
        Ok(())
    }

    /// Stores what a worker has told; returns what it knows now.
    fn told(
        &mut self,
        store: &dyn Store,
        (id, worker): (CheckpointId, usize),
        pieces: Vec<Piece>,
    ) -> Result<Vec<OperatorRecord>> {
        let mut writer = PieceWriter::new(store, id, worker);
        pieces.into_iter().try_for_each(|piece| writer.add(piece))?;
        Ok(self.stored.tell(worker, writer.end()?))
    }

    fn carry_out(&mut self, work: Work, world: &mut World, rng: &mut Rng) {
        let actions = match work {
            Work::Store(id, worker, pieces) => {
                let store = Arc::clone(self.catalog.store());
                let records = self.told(&*store, (id, worker), pieces);
                if self.breach == Some(Breach::ManifestBeforeFiles) {
                    return;
                }
                self.coordinator.saved(id, worker, records)
            }
            Work::Prepare(id, sink, rows) => {
                let skips = self.breach.is_some_and(|breach| breach.skips(sink));
                let token = match &mut world.targets[sink] {
                    Target::Model(model) => {
                        let token = format!("{sink}-{}-{id}", self.name).into_bytes();
                        if !skips {
                            model.prepare(token.clone(), rows);
                        }
                        Some(Opaque(token))
                    }
                    Target::Topic(_) | Target::Files(_) => None,
                };
                self.coordinator.prepared(id, sink, token)
            }
            Work::Publish(manifest) => {
                if self.breach == Some(Breach::CommitBeforeManifest)
                    && !self.commit_early(&manifest, world)
                {
                    self.work.push(Work::Publish(manifest));
                    return;
                }
                self.early = None;
                let published = self.catalog.publish(&manifest);
                if published.is_ok() {
                    self.is_complete = true;
                    self.safe = position(&manifest);
                    self.stored.publish();
                }
                self.coordinator.published(manifest.id, published)
            }
            Work::Commit(sink, tokens) => {
                world.targets[sink].commit(&tokens);
                if rng.below(8) == 0 {
                    // The answer is lost: it is asked for once more, later.
                    self.work.push(Work::Commit(sink, tokens));
                    return;
                }
                self.coordinator.committed(sink)
            }
            Work::Collect => self.coordinator.collected(self.catalog.collect(KEPT)),
            Work::Discard(id) => {
                // The disk may not do what it is asked for.
                let _ = self.catalog.discard(id);
                self.coordinator.discarded();
                Vec::new()
            }
        };
        self.act(actions);
    }

    /// Commits what a manifest says that is not stored yet; true when all sinks have done so.
    fn commit_early(&mut self, manifest: &Manifest, world: &mut World) -> bool {
        let all = self.connected.iter_mut().zip(&mut world.targets).zip(&manifest.sinks);
        if self.early.replace(manifest.id) != Some(manifest.id) {
            for ((connected, target), sink) in all {
                match connected {
                    Some(connected) => connected.commit(sink.tokens.clone()),
                    None => target.commit(&sink.tokens),
                }
            }
        }
        self.connected.iter().flatten().all(Connected::is_idle)
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Begin(id) => {
                    let complete = std::mem::take(&mut self.is_complete);
                    self.wanted = Some((id, self.stored.begin(complete, self.workers)));
                }
                Action::Publish(manifest) => self.work.push(Work::Publish(manifest)),
                Action::Commit { sink, tokens } => match &mut self.connected[sink] {
                    Some(connected) => connected.commit(tokens),
                    None => self.work.push(Work::Commit(sink, tokens)),
                },
                Action::Collect => self.work.push(Work::Collect),
                Action::Discard(id) => self.work.push(Work::Discard(id)),
                Action::Acknowledge(_) | Action::Notice(_) => {}
            }
        }
    }
}

/// How much of the state may be in memory: all, some, or nothing between two steps.
fn memory(rng: &mut Rng) -> Option<StateMemory> {
    let everything = match rng.below(3) {
        0 => return None,
        drawn => drawn == 1,
    };
    let space = Arc::new(RowSpace::new(Arc::new(MemoryDisk::new()), "rows"));
    Some(StateMemory { bytes: rng.below(200_000) as usize, space, everything, shortage: None })
}

/// What the inlet said of its splits.
fn splits(manifest: &Manifest) -> Vec<SplitRecord> {
    manifest.sources[0].splits[1..].to_vec()
}

/// How many rows were read.
fn position(manifest: &Manifest) -> usize {
    let position = manifest.sources[0].splits[0].position.as_ref();
    let bytes = position.and_then(|position| position.0.as_slice().try_into().ok());
    bytes.map_or(0, |bytes| u64::from_le_bytes(bytes) as usize)
}
