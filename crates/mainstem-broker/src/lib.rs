//! The broker's meaning, without sockets, threads or clocks: requests, the time and finished syncs go in, actions come out.
//! Invariant: the same calls in the same order give the same actions and the same bytes on the same disk. Nothing is
//! answered before it is as durable as its topic asks for. What it does not do: it owns no socket and no thread; the caller
//! runs the syncs it is told to run and reads the file ranges of a fetch while it sends them, both outside of the broker's lock.

pub mod api;
mod broker;
pub mod call;
mod config;
pub mod error_code;
mod group;
mod journal;
mod outbound;
mod partition;
mod recovery_points;
mod settings;
mod shutdown;
mod topics;
mod transaction;
mod upkeep;
mod waiting;
mod wal;
pub mod wire;

#[cfg(test)]
mod tests;

pub use api::{Request, Response};
pub use broker::{Broker, Counters, Opened};
pub use call::{Action, Call, CompactTask, Compacted, ConnectionId, Endpoint, RequestId, SyncTask};
pub use error_code::ErrorCode;
pub use journal::remedy;
pub use outbound::{Outbound, Piece};
pub use settings::Settings;
