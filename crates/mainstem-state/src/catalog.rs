//! The checkpoints of a store: listed, found good, collected.
//! Invariant: a checkpoint is there when its manifest is; files that no kept manifest names belong to nobody, once a newer
//! checkpoint than theirs is complete. What is damaged is told of and never removed.

use std::collections::BTreeSet;
use std::sync::Arc;

use mainstem_core::{Batch, Error, ErrorKind, Result};

use crate::manifest::{CheckpointId, Manifest};
use crate::run::{BlockRef, decode_block};
use crate::store::Store;

const PREFIX: &str = "checkpoint-";
const SUFFIX: &str = ".json";
/// What names of files of rows end with.
const RUN: &str = ".run";

/// The checkpoints of a store.
#[derive(Debug, Clone)]
pub struct Catalog {
    store: Arc<dyn Store>,
}

/// A checkpoint that cannot be used, and why.
#[derive(Debug)]
pub struct Damaged {
    /// Its number.
    pub id: CheckpointId,
    /// What is wrong with it.
    pub error: Error,
}

fn manifest_name(id: CheckpointId) -> String {
    format!("{PREFIX}{id}{SUFFIX}")
}

fn id_of(name: &str) -> Option<CheckpointId> {
    name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
}

impl Catalog {
    /// Of a store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Where files go.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The numbers of all checkpoints, ascending; they may be damaged.
    pub fn ids(&self) -> Result<Vec<CheckpointId>> {
        let mut ids: Vec<_> = self.store.list()?.iter().filter_map(|name| id_of(name)).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// The manifest of a checkpoint.
    pub fn manifest(&self, id: CheckpointId) -> Result<Manifest> {
        let bytes = self.store.get(&manifest_name(id))?;
        let bytes = bytes.ok_or_else(|| {
            let known = self.ids().unwrap_or_default();
            let known = known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Error::user(format!("there is no checkpoint {id}"))
                .with_hint(format!("there are: {}", if known.is_empty() { "none" } else { &known }))
        })?;
        let manifest = Manifest::decode(&bytes)?;
        if manifest.id != id {
            let text = format!("its manifest is that of checkpoint {}", manifest.id);
            return Err(Error::new(ErrorKind::Corrupt, text));
        }
        Ok(manifest)
    }

    /// Makes a checkpoint complete: from now on it is there.
    pub fn publish(&self, manifest: &Manifest) -> Result<()> {
        self.store.put(&manifest_name(manifest.id), &manifest.encode())
    }

    /// The rows of a block.
    pub fn block(&self, block: &BlockRef) -> Result<Batch> {
        decode_block(block, self.store.get_range(&block.file, block.offset, block.bytes)?)
    }

    /// What `read` makes of the newest checkpoint that is whole, and those newer than it that are not: `read` fails with
    /// `Corrupt` on one whose blocks are not. A store that does not answer, and a manifest of a newer version, are failures: an
    /// older checkpoint would be the wrong answer to them.
    pub fn newest<T>(
        &self,
        mut read: impl FnMut(Manifest) -> Result<T>,
    ) -> Result<(Option<T>, Vec<Damaged>)> {
        let mut damaged = Vec::new();
        for id in self.ids()?.into_iter().rev() {
            match self.manifest(id).and_then(&mut read) {
                Ok(good) => return Ok((Some(good), damaged)),
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    damaged.push(Damaged { id, error });
                }
                Err(error) => return Err(error),
            }
        }
        Ok((None, damaged))
    }

    /// Removes all but the newest `keep` checkpoints, and the files that none of the others names. To be called when a
    /// checkpoint was published and no other is being written.
    pub fn collect(&self, keep: usize) -> Result<()> {
        let ids = self.ids()?;
        let (old, kept) = ids.split_at(ids.len().saturating_sub(keep.max(1)));
        let mut named = BTreeSet::new();
        for &id in kept {
            match self.manifest(id) {
                Ok(manifest) => named.extend(manifest.blocks().map(|block| block.file.clone())),
                // What it names nobody knows; then nothing is collected.
                Err(_) => return Ok(()),
            }
        }
        // Manifests first: a crash in between leaves files that nobody names, and no manifest without its files.
        for &id in old {
            self.store.remove(&manifest_name(id))?;
        }
        let files = self.store.list()?;
        let files = files.iter().filter(|name| name.ends_with(RUN) && !named.contains(*name));
        files.into_iter().try_for_each(|name| self.store.remove(name))
    }

    /// Removes the files of a checkpoint that could not be stored: the place may be full. Nothing is removed if its manifest is
    /// there all the same.
    pub fn discard(&self, id: CheckpointId) -> Result<()> {
        let files = self.store.list()?;
        if files.contains(&manifest_name(id)) {
            return Ok(());
        }
        let prefix = format!("{id}-");
        let mut own = files.iter().filter(|name| name.starts_with(&prefix) && name.ends_with(RUN));
        own.try_for_each(|name| self.store.remove(name))
    }
}

#[cfg(test)]
mod tests;
