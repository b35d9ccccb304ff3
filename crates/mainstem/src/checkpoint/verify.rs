//! Reads every block that checkpoints name.
//! Invariant: what is called whole was read to its last byte, compared with its checksum and decoded; a block that several
//! checkpoints share is read once and judged in each.

use std::collections::BTreeMap;

use mainstem_core::{Error, ErrorKind, Result};
use mainstem_state::catalog::Catalog;
use mainstem_state::manifest::{CheckpointId, Manifest};
use mainstem_state::run::{BlockRef, is_run};

use crate::pipeline::report::size;

/// What came of reading a checkpoint.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) id: CheckpointId,
    pub(super) blocks: u64,
    pub(super) bytes: u64,
    /// What is wrong; it is whole if nothing is.
    pub(super) damage: Vec<String>,
}

/// Reads checkpoints, one after the other.
#[derive(Debug)]
pub(super) struct Verifier<'a> {
    catalog: &'a Catalog,
    /// By file and offset: what is wrong with the block.
    judged: BTreeMap<(String, u64), Option<String>>,
    /// By file: whether it begins as it should.
    begun: BTreeMap<String, Option<String>>,
}

impl<'a> Verifier<'a> {
    pub(super) fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, judged: BTreeMap::new(), begun: BTreeMap::new() }
    }

    /// Reads a checkpoint, and tells `progress` how far it is. `None`: it is not there any more.
    pub(super) fn verify(
        &mut self,
        id: CheckpointId,
        progress: &mut dyn FnMut(String),
    ) -> Result<Option<Verdict>> {
        let mut verdict = Verdict { id, blocks: 0, bytes: 0, damage: Vec::new() };
        match self.catalog.manifest(id) {
            Ok(manifest) => self.read(&manifest, &mut verdict, progress)?,
            Err(error) => verdict.damage.push(words(error)?),
        }
        // A running pipeline removes the manifest first and then its files.
        let gone = !verdict.damage.is_empty() && !self.catalog.ids()?.contains(&id);
        Ok((!gone).then_some(verdict))
    }

    fn read(
        &mut self,
        manifest: &Manifest,
        verdict: &mut Verdict,
        progress: &mut dyn FnMut(String),
    ) -> Result<()> {
        let all = size(manifest.bytes());
        for operator in &manifest.operators {
            for table in &operator.tables {
                for block in table.all_blocks() {
                    progress(format!(
                        "checkpoint {}: {} of {all}",
                        verdict.id,
                        size(verdict.bytes)
                    ));
                    if let Some(damage) = self.judge(block)? {
                        let place = format!("table {} of {}", table.name, operator.name);
                        verdict.damage.push(format!("{damage}: {place}"));
                    }
                    verdict.blocks += 1;
                    verdict.bytes += block.bytes;
                }
            }
        }
        Ok(())
    }

    fn judge(&mut self, block: &BlockRef) -> Result<Option<String>> {
        let key = (block.file.clone(), block.offset);
        if let Some(known) = self.judged.get(&key) {
            return Ok(known.clone());
        }
        let damage = match self.catalog.block(block) {
            Ok(_) => self.beginning(&block.file)?,
            Err(error) => Some(words(error)?),
        };
        self.judged.insert(key, damage.clone());
        Ok(damage)
    }

    fn beginning(&mut self, file: &str) -> Result<Option<String>> {
        if let Some(known) = self.begun.get(file) {
            return Ok(known.clone());
        }
        let damage = match self.catalog.store().get_range(file, 0, 8) {
            Ok(bytes) if is_run(&bytes) => None,
            Ok(_) => Some(format!("'{file}' does not begin as a file of state")),
            Err(error) => Some(words(error)?),
        };
        self.begun.insert(file.to_owned(), damage.clone());
        Ok(damage)
    }
}

/// Damage in words; that the place does not answer is none.
fn words(error: Error) -> Result<String> {
    match error.kind() {
        ErrorKind::Unavailable => Err(error),
        _ => Ok(error.to_string()),
    }
}
