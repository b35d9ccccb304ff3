//! Where workers that go on from a checkpoint read the rows of its tables, block by block.
//! Invariant: what a block holds is read when it is asked for and not kept; a block that is damaged is an error.

use mainstem_core::{Batch, Result};

use crate::catalog::Catalog;
use crate::manifest::Manifest;
use crate::run::BlockRef;
use crate::stored::writer_of;

/// Blocks of tables of state.
pub trait Blocks: Sync {
    /// What names a block.
    type Block: Sync;
    /// The rows of a block.
    fn rows(&self, block: &Self::Block) -> Result<Batch>;
    /// Of as many workers as asked for, the one that goes on as the worker that wrote the block; `None`: the rows are to be dealt
    /// out anew.
    fn writer(&self, block: &Self::Block, workers: usize) -> Option<usize>;
}

/// Blocks that are batches, of any number of workers.
#[derive(Debug, Clone, Copy)]
pub struct InMemory;

impl Blocks for InMemory {
    type Block = Batch;

    fn rows(&self, block: &Batch) -> Result<Batch> {
        Ok(block.clone())
    }

    fn writer(&self, _: &Batch, _: usize) -> Option<usize> {
        None
    }
}

/// The blocks of a checkpoint.
#[derive(Debug)]
pub struct StoredBlocks<'a> {
    catalog: &'a Catalog,
    /// How many workers wrote them.
    workers: usize,
}

impl<'a> StoredBlocks<'a> {
    /// Those that a manifest of `catalog` names.
    pub fn of(catalog: &'a Catalog, manifest: &Manifest) -> Self {
        Self { catalog, workers: manifest.workers }
    }
}

impl Blocks for StoredBlocks<'_> {
    type Block = BlockRef;

    fn rows(&self, block: &BlockRef) -> Result<Batch> {
        self.catalog.block(block)
    }

    fn writer(&self, block: &BlockRef, workers: usize) -> Option<usize> {
        writer_of(&block.file).filter(|_| workers == self.workers)
    }
}
