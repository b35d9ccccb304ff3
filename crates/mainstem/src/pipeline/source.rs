//! The tasks that feed an input port: one that finds splits, and one reader a split.
//! Invariant: a position is remembered only after its payload was handed in. The port is finished only when all splits
//! have ended by themselves; a stop leaves it open, because the input has not ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainstem_connectors::api::{Position, Source, Split, SplitReader};
use mainstem_core::{Error, Result};
use mainstem_engine::port::InputPort;
use mainstem_state::manifest::SplitRecord;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::acknowledge::{Positions, SourceGauge};

/// A source whose tasks have ended, and how far they came.
pub(super) struct Fed {
    source: Box<dyn Source>,
    splits: Vec<Split>,
    gauge: Arc<SourceGauge>,
}

impl Fed {
    /// Tells the source that all it gave has left the pipeline.
    pub(super) fn acknowledge(&mut self) -> Result<()> {
        acknowledge(&mut *self.source, &self.splits, &self.gauge.lock().positions)
    }
}

fn acknowledge(source: &mut dyn Source, splits: &[Split], positions: &Positions) -> Result<()> {
    positions
        .iter()
        .try_for_each(|(&split, position)| source.acknowledge(&splits[split as usize], position))
}

/// The ids of a source's splits, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct SplitNames(Arc<Mutex<Vec<String>>>);

impl SplitNames {
    pub(super) fn get(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn push(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
    }
}

/// What a source's tasks share with the rest of the job.
pub(super) struct Ties {
    /// Where payloads go.
    pub(super) port: Arc<InputPort>,
    /// Turns true when it is time to stop.
    pub(super) stop: watch::Receiver<bool>,
    /// How far the readers are.
    pub(super) gauge: Arc<SourceGauge>,
    /// What has left the pipeline.
    pub(super) acknowledged: watch::Receiver<Positions>,
    /// For checkpoints.
    pub(super) names: SplitNames,
    /// How far the splits had been read when the checkpoint was cut that the job goes on from, by number.
    pub(super) restored: Vec<SplitRecord>,
}

/// Feeds the port until all splits have ended or it is time to stop.
pub(super) async fn feed(source: Box<dyn Source>, ties: Ties) -> Result<Fed> {
    let turns = source.open_splits_max().min(Semaphore::MAX_PERMITS);
    let splits: Vec<Split> =
        ties.restored.iter().map(|split| Split { id: split.id.clone() }).collect();
    splits.iter().for_each(|split| ties.names.push(&split.id));
    let mut feeder = Feeder {
        source,
        ties,
        splits,
        found: false,
        readers: JoinSet::new(),
        turns: Arc::new(Semaphore::new(turns)),
    };
    let ended = feeder.find_splits().await?;
    while !feeder.readers.is_empty() {
        feeder.attend().await?;
    }
    let Feeder { source, ties, splits, .. } = feeder;
    if ended && !*ties.stop.borrow() {
        ties.port.finish();
    }
    Ok(Fed { source, splits, gauge: ties.gauge })
}

struct Feeder {
    source: Box<dyn Source>,
    ties: Ties,
    splits: Vec<Split>,
    /// They were looked for.
    found: bool,
    readers: JoinSet<Result<()>>,
    /// Splits are read in the order of their discovery, as many at a time as the source likes.
    turns: Arc<Semaphore>,
}

impl Feeder {
    /// Opens splits for as long as new ones may come. False if it was told to stop.
    async fn find_splits(&mut self) -> Result<bool> {
        loop {
            let found = tokio::select! {
                found = self.source.discover() => found?,
                () = stopped(&mut self.ties.stop) => return Ok(false),
            };
            let news = self.number(found)?;
            // The watermark waits for all of them, also for those whose turn has not come.
            for &number in &news {
                self.ties.port.add_split(split_number(number)?);
            }
            for number in news {
                if !self.open(number).await? {
                    return Ok(false);
                }
            }
            let Some(pause_ms) = self.source.rediscover_ms() else { return Ok(true) };
            let pause = Duration::from_millis(u64::try_from(pause_ms).unwrap_or(1).max(1));
            if !self.wait(pause).await? {
                return Ok(false);
            }
        }
    }

    /// Numbers the splits that were not known, and returns those that are to be read now.
    fn number(&mut self, found: Vec<Split>) -> Result<Vec<usize>> {
        let restored = &self.ties.restored;
        let first = self.splits.len();
        let mut news = Vec::new();
        if !std::mem::replace(&mut self.found, true) {
            for (number, split) in restored.iter().enumerate().filter(|(_, split)| !split.ended) {
                if found.iter().all(|there| there.id != split.id) {
                    let text =
                        format!("'{}' is gone, of which the checkpoint is in the middle", split.id);
                    return Err(Error::user(text)
                        .with_hint("bring it back, or start anew with another --state directory"));
                }
                news.push(number);
            }
        }
        for split in found {
            if !self.splits.contains(&split) {
                self.ties.names.push(&split.id);
                self.splits.push(split);
            }
        }
        news.extend(first..self.splits.len());
        Ok(news)
    }

    /// Looks after readers and acknowledgements for a while. False if it was told to stop.
    async fn wait(&mut self, pause: Duration) -> Result<bool> {
        let deadline = tokio::time::Instant::now() + pause;
        let mut stop = self.ties.stop.clone();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return Ok(true),
                () = stopped(&mut stop) => return Ok(false),
                attended = self.attend() => attended?,
            }
        }
    }

    /// Waits for the next reader that ends or the next acknowledgement, and handles it. Cancel safe.
    async fn attend(&mut self) -> Result<()> {
        tokio::select! {
            Some(ended) = self.readers.join_next() => {
                ended.map_err(|e| Error::internal("a reader stopped unexpectedly").with_source(e))?
            }
            Ok(()) = self.ties.acknowledged.changed() => {
                let positions = self.ties.acknowledged.borrow_and_update();
                acknowledge(&mut *self.source, &self.splits, &positions)
            }
            else => std::future::pending().await,
        }
    }

    /// Starts to read a split when it is its turn. False if it was told to stop.
    async fn open(&mut self, number: usize) -> Result<bool> {
        let mut stop = self.ties.stop.clone();
        let turns = Arc::clone(&self.turns);
        let turn = loop {
            tokio::select! {
                turn = Arc::clone(&turns).acquire_owned() => break turn,
                () = stopped(&mut stop) => return Ok(false),
                attended = self.attend() => attended?,
            }
        };
        let turn = turn.map_err(|e| Error::internal("the turns have ended").with_source(e))?;
        let restored = self.ties.restored.get(number).and_then(|split| split.position.as_ref());
        let position = restored.map(|position| Position(position.0.clone()));
        let reader = tokio::select! {
            reader = self.source.open(&self.splits[number], position.as_ref()) => reader?,
            () = stopped(&mut stop) => return Ok(false),
        };
        let reading = Reading {
            port: Arc::clone(&self.ties.port),
            split: split_number(number)?,
            gauge: Arc::clone(&self.ties.gauge),
            _turn: turn,
        };
        self.readers.spawn(reading.read(reader, stop));
        Ok(true)
    }
}

fn split_number(index: usize) -> Result<u32> {
    u32::try_from(index)
        .map_err(|_| Error::internal("a source has more splits than can be counted"))
}

/// Returns when it is time to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could say so; whoever waits is dropped as well.
        std::future::pending::<()>().await;
    }
}

/// One split that is being read.
struct Reading {
    port: Arc<InputPort>,
    split: u32,
    gauge: Arc<SourceGauge>,
    _turn: OwnedSemaphorePermit,
}

impl Reading {
    async fn read(
        self,
        mut reader: Box<dyn SplitReader>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<()> {
        loop {
            let fetched = tokio::select! {
                biased;
                () = stopped(&mut stop) => return Ok(()),
                fetched = reader.next() => fetched?,
            };
            let Some(fetched) = fetched else {
                self.port.close_split(self.split);
                return Ok(());
            };
            let bytes = fetched.payload.size_bytes();
            // What was fetched before a stop is handed in still: the engine drains.
            self.gauge.lock().bytes_offered += bytes as u64;
            let position = Some(fetched.position.0.clone().into_boxed_slice());
            self.port.send_to(self.split, fetched.payload, bytes, position).await?;
            self.gauge.lock().positions.insert(self.split, fetched.position);
        }
    }
}
