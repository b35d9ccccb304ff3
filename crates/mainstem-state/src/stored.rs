//! What the cuts of a job have told, as files and as records for the manifest: the pieces that workers hand in are written, and
//! each checkpoint names what is complete and what it adds.
//! Invariant: what was written counts only when the checkpoint that names it is published; what one told that was not completed
//! is never built upon.

use mainstem_core::{Batch, Result};

use crate::chain::Chain;
use crate::manifest::{ChangeRecord, CheckpointId, OperatorRecord};
use crate::run::{BlockRef, RunWriter};
use crate::store::Store;
use crate::table::Piece;

/// A part of what a cut has told of a table, which is stored.
#[derive(Debug)]
pub struct StoredPiece {
    node: usize,
    table: String,
    anew: bool,
    change: ChangeRecord,
}

/// Writes what a worker hands in of a cut.
#[derive(Debug)]
pub struct PieceWriter<'a> {
    store: &'a dyn Store,
    runs: RunWriter,
    written: Vec<StoredPiece>,
}

impl<'a> PieceWriter<'a> {
    /// The files of `worker`'s part of a checkpoint go to `store`.
    pub fn new(store: &'a dyn Store, id: CheckpointId, worker: usize) -> Self {
        Self { store, runs: RunWriter::new(format!("{id}-{worker}")), written: Vec::new() }
    }

    /// Writes a piece; files go to the store as they are full.
    pub fn add(&mut self, piece: Piece) -> Result<()> {
        let Piece { node, change } = piece;
        let table = change.shape.name.into_owned();
        let (anew, ChangeRecord { key, rows, removed }) = change.change.into_record();
        let (rows, removed) = (self.blocks(rows)?, self.blocks(removed)?);
        if anew || !rows.is_empty() || !removed.is_empty() {
            let change = ChangeRecord { key, rows, removed };
            self.written.push(StoredPiece { node, table, anew, change });
        }
        Ok(())
    }

    fn blocks(&mut self, batches: Vec<Batch>) -> Result<Vec<BlockRef>> {
        let (mut blocks, mut full) = (Vec::new(), Vec::new());
        for batch in batches {
            blocks.extend(self.runs.add(&batch, &mut full)?);
            for file in full.drain(..) {
                self.store.put(&file.name, &file.bytes)?;
            }
        }
        Ok(blocks)
    }

    /// Stores the last file; returns what is stored now.
    pub fn end(mut self) -> Result<Vec<StoredPiece>> {
        if let Some(file) = self.runs.end() {
            self.store.put(&file.name, &file.bytes)?;
        }
        Ok(self.written)
    }
}

/// The worker that wrote a file.
pub(crate) fn writer_of(file: &str) -> Option<usize> {
    file.split('-').nth(1)?.parse().ok()
}

/// More changes than this of a table are too many to read at a restart.
const CHANGES_MAX: usize = 256;

/// What the checkpoints of a job have stored, worker by worker.
#[derive(Debug)]
pub struct Stored {
    /// Fingerprint and name of each node.
    nodes: Vec<(String, String)>,
    /// As the last complete checkpoint names it; none: there was none in this run.
    complete: Option<Vec<Chain<BlockRef>>>,
    /// As the checkpoint that is under way will name it.
    next: Vec<Option<Chain<BlockRef>>>,
}

impl Stored {
    /// Of a job with these nodes, by fingerprint and name.
    pub fn new(nodes: Vec<(String, String)>) -> Self {
        Self { nodes, complete: None, next: Vec::new() }
    }

    /// Begins a checkpoint. True if its cut has to be whole: the last one is not complete, or what has changed since the last
    /// whole one outgrows it.
    pub fn begin(&mut self, complete: bool, workers: usize) -> bool {
        self.next = std::iter::repeat_with(|| None).take(workers).collect();
        let Some(chains) = self.complete.as_ref().filter(|_| complete) else { return true };
        let sizes = chains.iter().map(|chain| chain.sizes(|block| block.bytes));
        let (whole, changes) = sizes.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        changes > whole || chains.iter().any(|chain| chain.changes_max() >= CHANGES_MAX)
    }

    /// What a worker knows with what it has told of this checkpoint's cut.
    pub fn tell(&mut self, worker: usize, pieces: Vec<StoredPiece>) -> Vec<OperatorRecord> {
        let known = self.complete.as_ref().map(|chains| chains[worker].clone());
        let mut chain = known.unwrap_or_else(|| Chain::new(self.nodes.len()));
        chain.begin();
        for StoredPiece { node, table, anew, change } in pieces {
            chain.tell(node, &table, anew, change);
        }
        self.next[worker] = Some(chain.clone());
        let nodes = self.nodes.iter().zip(chain.into_records());
        let record = |((fingerprint, name), tables): (&(String, String), _)| OperatorRecord {
            fingerprint: fingerprint.clone(),
            name: name.clone(),
            tables,
        };
        nodes.map(record).collect()
    }

    /// The checkpoint that was under way is complete.
    pub fn publish(&mut self) {
        if let Some(next) = std::mem::take(&mut self.next).into_iter().collect() {
            self.complete = Some(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_say_who_wrote_them() {
        for (file, writer) in [("12-1-7.run", Some(1)), ("3-10-0.run", Some(10)), ("x.run", None)] {
            assert_eq!(writer_of(file), writer, "{file}");
        }
    }

    fn piece(anew: bool, bytes: u64) -> StoredPiece {
        let block = BlockRef { file: "1-0-0.run".into(), offset: 8, bytes, rows: 1 };
        let key = (!anew).then(|| vec![0]);
        let change = ChangeRecord { key, rows: vec![block], removed: Vec::new() };
        StoredPiece { node: 0, table: "groups".into(), anew, change }
    }

    #[test]
    fn a_cut_is_whole_when_there_is_nothing_to_build_on_or_too_much() {
        let mut stored = Stored::new(vec![("f".into(), "Aggregate".into())]);
        assert!(stored.begin(true, 1), "the first");
        stored.tell(0, vec![piece(true, 100)]);
        stored.publish();
        assert!(!stored.begin(true, 1));
        stored.tell(0, vec![piece(false, 90)]);
        // It cannot be stored: what it told is lost.
        assert!(stored.begin(false, 1));
        let records = stored.tell(0, vec![piece(true, 100)]);
        assert!(records[0].tables[0].changes.is_empty());
        stored.publish();
        assert!(!stored.begin(true, 1));
        let records = stored.tell(0, vec![piece(false, 101)]);
        assert_eq!(records[0].tables[0].changes.len(), 1);
        stored.publish();
        assert!(stored.begin(true, 1), "more has changed than there is");
    }
}
