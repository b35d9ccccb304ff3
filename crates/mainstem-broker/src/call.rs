//! What passes between the broker and the shell around it: who asks, and what is to be done.
//! Invariant: every request that was handed in gets exactly one `Respond` or `Disconnect` with its id, unless its connection
//! was reported closed before. Syncs of one log never overlap.

use std::io;
use std::sync::Arc;

use mainstem_log::SyncTicket;

use crate::Response;
use crate::topics::LogId;
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

/// What the shell has to do.
#[derive(Debug)]
pub enum Action {
    /// Answer a request; [`Response::None`] means that no answer is sent (acks=0).
    Respond { to: RequestId, response: Response },
    /// Close the connection of a request without an answer: what it asked for cannot be made durable.
    Disconnect { to: RequestId },
    /// Run the sync on another thread, then report it by `Broker::synced`.
    Sync(SyncTask),
    /// Tell the operator, once.
    Notice(String),
}

/// Files that have to reach the disk.
#[derive(Debug)]
pub struct SyncTask {
    pub(crate) log: LogId,
    pub(crate) ticket: SyncTicket,
}

impl SyncTask {
    /// Does the sync; blocks for as long as the disk takes. The result goes to `Broker::synced` with the task.
    pub fn run(&self) -> io::Result<()> {
        self.ticket.run()
    }
}
