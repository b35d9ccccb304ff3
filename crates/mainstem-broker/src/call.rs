//! What passes between the broker and the shell around it: who asks, and what is to be done.
//! Invariant: every request that was handed in gets exactly one `Respond` or `Disconnect` with its id, unless its connection
//! was reported closed before. Syncs of one log never overlap. A sync runs after [`Broker::prepare_sync`](crate::Broker::prepare_sync),
//! or it covers nothing.

use std::io;
use std::sync::Arc;

use mainstem_core::disk::Disk;
use mainstem_log::{CompactionJob, CompactionResult, SideFiles, SyncTicket, WalGrowth, WalTicket};

use crate::Response;
use crate::recovery_points::Points;
use crate::topics::{LogId, ROOT, TOPICS_FOLDER};
use crate::wire::StrBytes;

/// A request in flight; unique as long as the broker lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A connection; 0 stands for callers inside the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A host and a port, as clients are told to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address.
    pub host: StrBytes,
    /// TCP port.
    pub port: u16,
}

/// Who asks, and in which version of the API.
#[derive(Debug, Clone)]
pub struct Call {
    /// Named again in the action that answers.
    pub id: RequestId,
    /// The connection it came over.
    pub connection: ConnectionId,
    /// The version of the API in which the answer has to be written.
    pub version: i16,
    /// The name that the client gave itself.
    pub client_id: Option<StrBytes>,
    /// The client's address, as groups show it.
    pub client_host: StrBytes,
    /// Where this client reaches the broker: depends on the listener that it came through.
    pub advertised: Arc<Endpoint>,
}

impl Call {
    /// One from inside of the process, without a connection.
    pub fn in_process(id: RequestId, version: i16) -> Self {
        let host = StrBytes::from("127.0.0.1");
        Self {
            id,
            connection: ConnectionId(0),
            version,
            client_id: None,
            client_host: host.clone(),
            advertised: Arc::new(Endpoint { host, port: 0 }),
        }
    }
}

/// What the shell has to do.
#[derive(Debug)]
pub enum Action {
    /// Answer a request; [`Response::None`] means that no answer is sent (acks=0).
    Respond { to: RequestId, response: Response },
    /// Close the connection of a request without an answer: what it asked for cannot be made durable.
    Disconnect { to: RequestId },
    /// Run the sync on another thread, after `Broker::prepare_sync`, then report it by `Broker::synced`.
    Sync(SyncTask),
    /// Run the compaction on another thread (it takes long, and there is one at a time), then report it by
    /// `Broker::compacted`.
    Compact(CompactTask),
    /// Tell the operator, once.
    Notice(String),
}

/// Work for the disk that producers, or a later start, wait for.
#[derive(Debug)]
pub struct SyncTask {
    pub(crate) work: Work,
}

/// What a [`SyncTask`] does.
#[derive(Debug)]
pub(crate) enum Work {
    /// Files of a log have to reach the disk; with them, the first time, the folder of its topic.
    Log { log: LogId, ticket: SyncTicket, names: Option<Arc<dyn Disk>> },
    /// What the logs have for the write-ahead log when its turn has come.
    Wal { ticket: Option<WalTicket<LogId>> },
    /// More room for the write-ahead log.
    WalGrowth { growth: WalGrowth },
    /// A short-cut for the next start, which nobody waits for.
    SideFiles { log: LogId, files: SideFiles },
    /// How far each log is synced has to be written down.
    RecoveryPoints { disk: Arc<dyn Disk>, points: Points },
    /// The folder of a deleted topic has to go.
    RemoveFolder { disk: Arc<dyn Disk>, folder: String },
}

impl SyncTask {
    /// Whether it writes the write-ahead log: producers of many partitions wait for it.
    pub fn is_of_wal(&self) -> bool {
        matches!(self.work, Work::Wal { .. })
    }

    /// Does the work; blocks for as long as the disk takes. The result goes to `Broker::synced` with the task.
    pub fn run(&mut self) -> io::Result<()> {
        match &mut self.work {
            Work::Log { ticket, names, .. } => {
                ticket.run()?;
                let Some(disk) = names else { return Ok(()) };
                disk.sync_folder(TOPICS_FOLDER)?;
                disk.sync_folder(ROOT)
            }
            Work::Wal { ticket } => ticket.as_mut().map_or(Ok(()), WalTicket::run),
            Work::WalGrowth { growth } => growth.run(),
            Work::SideFiles { files, .. } => files.store(),
            Work::RecoveryPoints { disk, points } => points.write(&**disk),
            Work::RemoveFolder { disk, folder } => {
                disk.remove_folder(folder)?;
                match disk.sync_folder(TOPICS_FOLDER) {
                    // No topic ever had a record.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
                    synced => synced,
                }
            }
        }
    }
}

/// A compaction of one log.
#[derive(Debug)]
pub struct CompactTask {
    pub(crate) log: LogId,
    pub(crate) job: CompactionJob,
}

impl CompactTask {
    /// Does the work; takes as long as reading and writing the log takes. The result goes to `Broker::compacted`.
    pub fn run(self) -> Compacted {
        Compacted { log: self.log, result: self.job.run() }
    }
}

/// What a compaction made.
#[derive(Debug)]
pub struct Compacted {
    pub(crate) log: LogId,
    pub(crate) result: CompactionResult,
}
