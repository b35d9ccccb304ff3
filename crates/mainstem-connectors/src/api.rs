//! The contract between the shell and a connector.
//! Invariant: everything here is async and moves bytes; CPU-bound work is in the `Decode` and `Encode` that a
//! connector hands out, which the engine's workers call. Connectors print nothing and read no clock of their own:
//! what they want to say goes through [`Observer`], the time comes from [`Environment::clock`].

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use mainstem_core::clock::Clock;
use mainstem_core::egress::{ChangelogMode, Encode, Encoded};
use mainstem_core::ingest::{Decode, Payload};
use mainstem_core::options::ConnectorSpec;
use mainstem_core::table::{ScanFilter, TableSpec};
use mainstem_core::{Batch, Error, Result};

use crate::filesystem::files::Files;
use crate::kafka::embedded::EmbeddedTopics;

/// A connector: data about itself, and the two doors. Both doors only validate and build; they do no I/O.
pub trait Connector: Send + Sync {
    /// What the planner, the docs and `--help` know of it.
    fn spec(&self) -> &'static ConnectorSpec;

    /// Prepares reading. Errors of kind `User` name the option or column that is wrong.
    fn source(&self, request: SourceRequest) -> Result<Box<dyn Source>> {
        let _ = request;
        Err(Error::user(format!("connector '{}' cannot be read from", self.spec().name)))
    }

    /// Prepares asking by keys.
    fn lookup(&self, request: LookupRequest) -> Result<Box<dyn Lookup>> {
        let _ = request;
        Err(Error::user(format!("connector '{}' cannot be asked by keys", self.spec().name)))
    }

    /// Prepares writing.
    fn sink(&self, request: SinkRequest) -> Result<Box<dyn Sink>> {
        let _ = request;
        Err(Error::user(format!("connector '{}' cannot be written to", self.spec().name)))
    }
}

/// What the shell gives to every connector.
#[derive(Clone)]
pub struct Environment {
    /// Wall-clock time.
    pub clock: Arc<dyn Clock>,
    /// Where a connector says what a user should know while a pipeline runs.
    pub observer: Arc<dyn Observer>,
    /// Relative paths in options start here: the working directory of the process.
    pub base_dir: PathBuf,
    /// The session time zone (`table.local-time-zone`), an IANA name.
    pub time_zone: String,
    /// Where files are read and written.
    pub files: Arc<dyn Files>,
    /// The broker of this process, if there is one.
    pub embedded: Option<Arc<dyn EmbeddedTopics>>,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("base_dir", &self.base_dir)
            .field("time_zone", &self.time_zone)
            .finish_non_exhaustive()
    }
}

/// Receives what connectors want to say. Calls must return at once.
pub trait Observer: Send + Sync {
    /// A line for the user: a broker that is down, a reconnect, a file that vanished. Said once a change of state,
    /// not once a retry.
    fn notice(&self, table: &str, text: &str);
}

/// What to read.
#[derive(Debug, Clone)]
pub struct SourceRequest {
    /// The declaration.
    pub table: TableSpec,
    /// The columns wanted, indices into `table.columns`, in the order in which batches carry them.
    pub projection: Vec<usize>,
    /// Conjuncts that the decoder applies exactly; empty unless the format's spec says `filters`.
    pub filters: Vec<ScanFilter>,
    /// How many workers will decode.
    pub parallelism: usize,
    /// The shell's gifts.
    pub environment: Environment,
}

/// What to ask a table for.
#[derive(Debug, Clone)]
pub struct LookupRequest {
    /// The declaration.
    pub table: TableSpec,
    /// The columns that keys are compared with, indices into `table.columns`.
    pub keys: Vec<usize>,
    /// The columns wanted, indices into `table.columns`, in the order in which batches carry them.
    pub projection: Vec<usize>,
    /// Further conditions on the rows; all of them are equalities, and the table's own equality decides.
    pub filters: Vec<ScanFilter>,
    /// The shell's gifts.
    pub environment: Environment,
}

/// What to write.
#[derive(Debug, Clone)]
pub struct SinkRequest {
    /// The declaration; batches carry all its columns in this order.
    pub table: TableSpec,
    /// What changes will come.
    pub changelog: ChangelogMode,
    /// The shell's gifts.
    pub environment: Environment,
}

/// A unit of reading: a partition, a file, a range of generated rows. Splits read independently of each other and
/// each has a watermark of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Unique in its table and stable over restarts: `rides-0`, a path.
    pub id: String,
}

/// How far a reader is: opaque bytes that the same connector understands later. Those of eight bytes count records of the split
/// (a Kafka offset, rows of a file), those of sixteen are bytes of a text and the number of the line there (0: not counted), all
/// little endian; people can read both, as [`Display`](std::fmt::Display) writes them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position(pub Vec<u8>);

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (words, rest) = self.0.as_chunks::<8>();
        match (words, rest) {
            ([number], []) => write!(f, "{}", u64::from_le_bytes(*number)),
            ([bytes, line], []) => {
                write!(f, "byte {}", u64::from_le_bytes(*bytes))?;
                match u64::from_le_bytes(*line) {
                    0 => Ok(()),
                    line => write!(f, ", line {line}"),
                }
            }
            _ => {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// A payload and the position after it.
#[derive(Debug)]
pub struct Fetched {
    /// For the decoder.
    pub payload: Payload,
    /// Reading from here brings what follows the payload.
    pub position: Position,
}

/// A table that is being read. Calls: `discover` first; `open` for each split; `discover` again every
/// `rediscover_ms`, which may bring more splits, never fewer.
#[async_trait]
pub trait Source: Send {
    /// All splits known now. Waits (and tells the observer) while the outside system is down; fails when waiting
    /// cannot help, as for a topic that does not exist.
    async fn discover(&mut self) -> Result<Vec<Split>>;

    /// How often `discover` is worth calling again; `None` if the set of splits is final.
    fn rediscover_ms(&self) -> Option<i64> {
        None
    }

    /// How many splits are worth reading at the same time: a connector whose readers each hold much memory, and whose
    /// splits end, says a small number. Splits that wait hold the watermark back.
    fn open_splits_max(&self) -> usize {
        usize::MAX
    }

    /// A reader of one split, from `position` or, without one, from where the options say.
    async fn open(
        &mut self,
        split: &Split,
        position: Option<&Position>,
    ) -> Result<Box<dyn SplitReader>>;

    /// A decoder for one worker.
    fn decoder(&self) -> Result<Box<dyn Decode>>;

    /// What `split` holds before `position` has left the pipeline: every sink has flushed what came of it. A source
    /// that keeps progress outside (Kafka's consumer groups) stores it, now or a little later; others need not know.
    fn acknowledge(&mut self, split: &Split, position: &Position) -> Result<()> {
        let _ = (split, position);
        Ok(())
    }
}

/// Reads one split in order.
#[async_trait]
pub trait SplitReader: Send {
    /// The next payload; `None` at the end of a bounded split, and from then on. Waits without a limit for an
    /// unbounded one. Cancel safe: dropping the future loses no record.
    async fn next(&mut self) -> Result<Option<Fetched>>;
}

/// The rows of some keys.
#[derive(Debug, Clone)]
pub struct Found {
    /// By row: for which of the keys it is.
    pub keys: Vec<u32>,
    /// The columns of the request.
    pub rows: Batch,
}

/// A table that is asked for rows by their keys. Calls: `open` once; then `find`, as often as it likes.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// Connects and checks the table.
    async fn open(&mut self) -> Result<()>;

    /// How many calls of `find` at the same time are of use.
    fn in_flight_max(&self) -> usize;

    /// The rows of each of `keys`, as they are at some time between call and answer. A key has no NULL, and may be
    /// there more than once. Fails when trying again cannot help or was done often enough. Cancel safe.
    async fn find(&self, keys: &Batch) -> Result<Found>;
}

/// A table that is being written. Calls: `open` once; `encoder` once a worker; then `write` in step order, `flush`
/// whenever the shell wants everything written to be durable, `close` at the end.
#[async_trait]
pub trait Sink: Send {
    /// Connects, creates or checks the target. Waits (and tells the observer) while the outside system is down.
    async fn open(&mut self) -> Result<()>;

    /// An encoder for one worker.
    fn encoder(&self) -> Result<Box<dyn Encode>>;

    /// Takes one worker's output of one step. May buffer; must bound its buffer by waiting.
    async fn write(&mut self, data: Encoded) -> Result<()>;

    /// Returns when all that was written is acknowledged by the target. Called at least once a second while
    /// there is something unflushed, and before `close`.
    async fn flush(&mut self) -> Result<()>;

    /// Called after `open`, before anything else, by a pipeline that takes checkpoints. A sink that can says true: from now on
    /// what is written stays unseen until its token is committed. `tokens` are those of the checkpoint that the pipeline goes
    /// on from, oldest first: they are committed now, again if need be, and what was staged otherwise is cleared away, because
    /// it will be written again. False: rows are seen as they come, and come again after a crash.
    async fn stage(&mut self, tokens: &[Vec<u8>]) -> Result<bool> {
        let _ = tokens;
        Ok(false)
    }

    /// Has everything written so far where a crash cannot take it, and returns what [`Sink::commit`] needs to show it; `None` if
    /// there is nothing to show.
    async fn prepare(&mut self) -> Result<Option<Vec<u8>>> {
        self.flush().await?;
        Ok(None)
    }

    /// Shows what belongs to the tokens, oldest first; what is shown already stays as it is.
    async fn commit(&mut self, tokens: &[Vec<u8>]) -> Result<()> {
        let _ = tokens;
        Ok(())
    }

    /// Flushes and finishes (file footers, connections).
    async fn close(&mut self) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_can_be_read() {
        let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
        for (bytes, text) in [
            (words(&[1200]), "1200"),
            (words(&[5000, 17]), "byte 5000, line 17"),
            (words(&[5000, 0]), "byte 5000"),
            (vec![1, 0xab], "0x01ab"),
            (Vec::new(), "0x"),
        ] {
            assert_eq!(Position(bytes).to_string(), text);
        }
    }
}
