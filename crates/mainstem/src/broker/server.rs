//! A broker from start to stop: its data opened, its listeners bound, and the way back.
//! Invariant: a server that was returned is ready: it accepts connections. After `stop` all that was acknowledged is on the
//! disk and the next start has nothing to repair.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use mainstem_broker::{Broker, Settings, remedy};
use mainstem_core::clock::{Clock, Rng};
use mainstem_core::disk::Disk;
use mainstem_core::{Error, ErrorKind, Result};
use mainstem_log::{Durability, MemoryDisk};

use super::client::Client;
use super::host::{Host, Running};
use super::listener::{Bound, ListenerSettings, Listeners};
use super::sasl::{User, Users};
use crate::disk::FileDisk;
use crate::failure::say;

/// Where a broker keeps its topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Data {
    /// Nowhere: they end with the process.
    Memory,
    /// In a folder.
    Folder(PathBuf),
}

impl FromStr for Data {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("name a folder, or write memory".to_owned()),
            "memory" => Ok(Self::Memory),
            folder => Ok(Self::Folder(folder.into())),
        }
    }
}

/// What a broker is told.
#[derive(Debug, Clone)]
pub(crate) struct ServerSettings {
    pub(crate) data: Data,
    pub(crate) listeners: Vec<ListenerSettings>,
    pub(crate) broker: Settings,
    /// Who may log in at the listeners that ask for it.
    pub(crate) users: Vec<User>,
}

/// A broker that runs.
#[derive(Debug)]
pub(crate) struct Server {
    running: Running,
    listeners: Listeners,
    addresses: Vec<String>,
}

impl Server {
    /// Opens the data, then the doors. Must be called on the runtime.
    pub(crate) async fn start(settings: ServerSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        // A port that is taken is found out before files are touched.
        let mut bound = Vec::with_capacity(settings.listeners.len());
        for listener in settings.listeners {
            bound.push(Bound::bind(listener).await?);
        }
        let addresses = bound.iter().map(Bound::name).collect();
        let opening = Arc::clone(&clock);
        let broker =
            tokio::task::spawn_blocking(move || open(&settings.data, settings.broker, &*opening))
                .await;
        let broker = broker.map_err(|e| {
            Error::internal("the broker stopped unexpectedly while it was opened").with_source(e)
        })??;
        let running = Running::start(broker, clock)?;
        let users = Users::new(&settings.users, random);
        let listeners = Listeners::start(running.host(), bound, users)?;
        Ok(Self { running, listeners, addresses })
    }

    /// Where it listens: `[PROTOCOL://]HOST:PORT`, with real ports.
    pub(crate) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// For callers inside of the process.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.running.host().clone())
    }

    /// To be watched: the broker may fail.
    pub(crate) fn host(&self) -> &Host {
        self.running.host()
    }

    /// Closes connections once they have their answers, then the data.
    pub(crate) async fn stop(self) -> Result<()> {
        self.listeners.stop().await;
        let shut_down = tokio::task::spawn_blocking(|| self.running.shut_down()).await;
        shut_down.map_err(|e| {
            Error::internal("the broker stopped unexpectedly while it was closed").with_source(e)
        })?
    }
}

fn open(data: &Data, mut settings: Settings, clock: &dyn Clock) -> Result<Broker> {
    let disk: Arc<dyn Disk> = match data {
        Data::Memory => {
            // There is nothing that a sync could make durable.
            settings.durability = Durability::None;
            Arc::new(MemoryDisk::default())
        }
        Data::Folder(folder) => Arc::new(FileDisk::open(folder, "--data")?),
    };
    let opened = Broker::open(settings, disk, Rng::new(seed()), clock.now_ms());
    let opened = opened.map_err(|e| {
        let place = match data {
            Data::Memory => "memory".to_owned(),
            Data::Folder(folder) => format!("'{}'", folder.display()),
        };
        let error =
            Error::new(ErrorKind::Corrupt, format!("the topics in {place} cannot be opened"));
        let error = match remedy(&e) {
            Some(remedy) => error.with_hint(remedy),
            None => error,
        };
        error.with_source(e)
    })?;
    for notice in opened.notices {
        say(&format!("broker: {notice}\n"));
    }
    Ok(opened.broker)
}

/// Ids of topics and producers must differ between brokers and between runs.
fn seed() -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = random();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Bytes that nobody can guess.
#[expect(clippy::disallowed_methods, reason = "the door for randomness: seeds, salts and nonces")]
pub(super) fn random() -> [u8; 16] {
    *uuid::Uuid::new_v4().as_bytes()
}
