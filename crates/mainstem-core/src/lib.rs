//! The values every Mainstem crate shares: types, batches, payloads, options, errors, clocks.
//! Invariant: nothing here does I/O, spawns, or reads a clock; tokio and DataFusion are out of reach.
//! What it does not do: no operators (engine), no SQL text (sql), no bytes of a format (connectors).
#![deny(missing_docs)]

pub mod batch;
pub mod bitmap;
pub mod clock;
pub mod disk;
pub mod egress;
pub mod error;
pub mod ingest;
pub mod java_format;
pub mod options;
pub mod table;
pub mod types;

pub use batch::Batch;
pub use error::{Error, ErrorKind, Result};
pub use types::{DataType, Field, TypeKind};
