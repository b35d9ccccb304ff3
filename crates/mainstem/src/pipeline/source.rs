//! The tasks that feed an input port: one that finds splits, and one reader a split.
//! Invariant: a position is remembered only after its payload was handed in. The port is finished only when all splits
//! have ended by themselves; a stop leaves it open, because the input has not ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainstem_connectors::api::{Position, Source, Split, SplitReader};
use mainstem_core::{Error, Result};
use mainstem_engine::port::InputPort;
use tokio::sync::watch;
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
    mut source: Box<dyn Source>,
    port: Arc<InputPort>,
    mut stop: watch::Receiver<bool>,
) -> Result<Fed> {
    let positions = Positions::default();
    let mut splits: Vec<Split> = Vec::new();
    let mut readers = JoinSet::new();
    let stopped = loop {
        let found = tokio::select! {
            found = source.discover() => found?,
            () = stopped(&mut stop) => break true,
        };
        for split in found {
            if splits.contains(&split) {
                continue;
            }
            let number = u32::try_from(splits.len())
                .map_err(|_| Error::internal("a source has more splits than can be counted"))?;
            port.add_split(number);
            let reader = tokio::select! {
                reader = source.open(&split, None) => reader?,
                () = stopped(&mut stop) => break,
            };
            splits.push(split);
            let (port, stop) = (Arc::clone(&port), stop.clone());
            readers.spawn(read(reader, port, number, stop, Arc::clone(&positions)));
        }
        if *stop.borrow() {
            break true;
        }
        let Some(pause_ms) = source.rediscover_ms() else { break false };
        let pause = Duration::from_millis(u64::try_from(pause_ms).unwrap_or(1).max(1));
        if !until_rediscovery(pause, &mut readers, &mut stop).await? {
            break true;
        }
    };
    while let Some(ended) = readers.join_next().await {
        joined(ended)?;
    }
    if !stopped && !*stop.borrow() {
        port.finish();
    }
    Ok(Fed { source, splits, positions })
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

async fn read(
    mut reader: Box<dyn SplitReader>,
    port: Arc<InputPort>,
    split: u32,
    mut stop: watch::Receiver<bool>,
    positions: Positions,
) -> Result<()> {
    loop {
        let fetched = tokio::select! {
            biased;
            () = stopped(&mut stop) => return Ok(()),
            fetched = reader.next() => fetched?,
        };
        let Some(fetched) = fetched else {
            port.close_split(split);
            return Ok(());
        };
        let bytes = fetched.payload.size_bytes();
        // What was fetched before a stop is handed in still: the engine drains.
        port.send(split, fetched.payload, bytes).await?;
        let mut positions = positions.lock().unwrap_or_else(PoisonError::into_inner);
        positions.insert(split, fetched.position);
    }
}
