//! The embedded broker in its shell: sockets, threads, the disk and the clock around `mainstem_broker`.
//! Invariant: what a request means is decided in `mainstem_broker` alone; here bytes and time come and go.
//!
//! | file | what |
//! |---|---|
//! | `disk` | the data folder |
//! | `host` | the lock around the broker, its syncs and its timer |
//! | `client` | callers inside of the process, the connectors among them |
//! | `listener`, `network_threads`, `connection`, `ahead`, `frames`, `send` | callers from outside |
//! | `tls`, `sasl` | nobody listens in; who they are |
//! | `server` | all of it, from start to stop |

use mainstem_connectors::kafka::embedded::Door;

mod ahead;
mod client;
mod connection;
mod frames;
mod host;
mod listener;
mod network_threads;
mod sasl;
mod send;
mod server;
#[cfg(test)]
mod tests;
mod tls;

pub(crate) use listener::{Address, ListenerName, ListenerSettings, Protocol};
pub(crate) use sasl::User;
pub(crate) use server::{Data, Server, ServerSettings};
pub(crate) use tls::Tls;

/// The connectors' door to the broker of this process.
pub(crate) type Embedded = Door<client::Client>;
