//! The tasks that feed an input port: one that finds splits, and one reader a split.
//! Invariant: a position is remembered only after its payload was handed in. The port is finished only when all splits
//! have ended by themselves; a stop leaves it open, because the input has not ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainstem_connectors::api::{Position, Source, Split, SplitReader};
use mainstem_core::{Error, Result};
use mainstem_engine::port::InputPort;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// A source whose tasks have ended, and how far they came.
pub(super) struct Fed {
    source: Box<dyn Source>,
    splits: Vec<Split>,
    positions: Positions,
}

impl Fed {
    /// Tells the source that all it gave has left the pipeline.
    pub(super) fn acknowledge(&mut self) -> Result<()> {
        let positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        for (&split, position) in positions.iter() {
            self.source.acknowledge(&self.splits[split as usize], position)?;
        }
        Ok(())
    }
}

/// By number of split.
type Positions = Arc<Mutex<BTreeMap<u32, Position>>>;

/// Feeds `port` until all splits have ended or `stop` is true.
pub(super) async fn feed(
    source: Box<dyn Source>,
    port: Arc<InputPort>,
    stop: watch::Receiver<bool>,
) -> Result<Fed> {
    let turns = source.open_splits_max().min(Semaphore::MAX_PERMITS);
    let mut feeder = Feeder {
        source,
        port,
        stop,
        splits: Vec::new(),
        readers: JoinSet::new(),
        turns: Arc::new(Semaphore::new(turns)),
        positions: Positions::default(),
    };
    let ended = feeder.find_splits().await?;
    while let Some(ended) = feeder.readers.join_next().await {
        joined(ended)?;
    }
    if ended && !*feeder.stop.borrow() {
        feeder.port.finish();
    }
    let Feeder { source, splits, positions, .. } = feeder;
    Ok(Fed { source, splits, positions })
}

struct Feeder {
    source: Box<dyn Source>,
    port: Arc<InputPort>,
    stop: watch::Receiver<bool>,
    splits: Vec<Split>,
    readers: JoinSet<Result<()>>,
    /// Splits are read in the order of their discovery, as many at a time as the source likes.
    turns: Arc<Semaphore>,
    positions: Positions,
}

impl Feeder {
    /// Opens splits for as long as new ones may come. False if it was told to stop.
    async fn find_splits(&mut self) -> Result<bool> {
        loop {
            let found = tokio::select! {
                found = self.source.discover() => found?,
                () = stopped(&mut self.stop) => return Ok(false),
            };
            let first = self.splits.len();
            for split in found {
                if !self.splits.contains(&split) {
                    self.splits.push(split);
                }
            }
            // The watermark waits for all of them, also for those whose turn has not come.
            for number in first..self.splits.len() {
                self.port.add_split(split_number(number)?);
            }
            for number in first..self.splits.len() {
                if !self.open(number).await? {
                    return Ok(false);
                }
            }
            let Some(pause_ms) = self.source.rediscover_ms() else { return Ok(true) };
            let pause = Duration::from_millis(u64::try_from(pause_ms).unwrap_or(1).max(1));
            if !until_rediscovery(pause, &mut self.readers, &mut self.stop).await? {
                return Ok(false);
            }
        }
    }

    /// Starts to read a split when it is its turn. False if it was told to stop.
    async fn open(&mut self, number: usize) -> Result<bool> {
        let turn = loop {
            tokio::select! {
                turn = Arc::clone(&self.turns).acquire_owned() => break turn,
                () = stopped(&mut self.stop) => return Ok(false),
                Some(ended) = self.readers.join_next() => joined(ended)?,
            }
        };
        let turn = turn.map_err(|e| Error::internal("the turns have ended").with_source(e))?;
        let reader = tokio::select! {
            reader = self.source.open(&self.splits[number], None) => reader?,
            () = stopped(&mut self.stop) => return Ok(false),
        };
        let reading = Reading {
            port: Arc::clone(&self.port),
            split: split_number(number)?,
            positions: Arc::clone(&self.positions),
            _turn: turn,
        };
        self.readers.spawn(reading.read(reader, self.stop.clone()));
        Ok(true)
    }
}

fn split_number(index: usize) -> Result<u32> {
    u32::try_from(index)
        .map_err(|_| Error::internal("a source has more splits than can be counted"))
}

/// Waits, and looks after the readers meanwhile. False if it was told to stop.
async fn until_rediscovery(
    pause: Duration,
    readers: &mut JoinSet<Result<()>>,
    stop: &mut watch::Receiver<bool>,
) -> Result<bool> {
    let deadline = tokio::time::Instant::now() + pause;
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => return Ok(true),
            () = stopped(stop) => return Ok(false),
            Some(ended) = readers.join_next() => joined(ended)?,
        }
    }
}

fn joined(ended: Result<Result<()>, tokio::task::JoinError>) -> Result<()> {
    ended.map_err(|e| Error::internal("a reader stopped unexpectedly").with_source(e))?
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
    positions: Positions,
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
            self.port.send(self.split, fetched.payload, bytes).await?;
            let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
            positions.insert(self.split, fetched.position);
        }
    }
}
