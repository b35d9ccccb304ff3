//! What `--state` named, looked at from outside.
//! Invariant: read only. A checkpoint that a running pipeline removes meanwhile is not there; it is never called damaged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mainstem_core::disk::Disk;
use mainstem_core::{Error, ErrorKind, Result};
use mainstem_state::catalog::Catalog;
use mainstem_state::manifest::{CheckpointId, Manifest};
use mainstem_state::store::FolderStore;

use crate::disk::FileDisk;
use crate::failure::{Failure, Outcome};
use crate::state::{ObjectPlace, StatePlace};

/// A place with checkpoints.
#[derive(Debug)]
pub(super) struct Folder {
    /// As it was given.
    pub(super) name: String,
    pub(super) catalog: Catalog,
}

/// A checkpoint as it lies there.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: CheckpointId,
    /// If it can be read.
    pub(super) manifest: Option<Manifest>,
    pub(super) standing: Standing,
}

/// What can be said of a checkpoint without reading all of it.
#[derive(Debug)]
pub(super) enum Standing {
    /// Its manifest is good, and its files are there.
    Complete,
    /// It has files and no manifest: it is being written, or whoever wrote it was killed.
    Begun,
    Damaged(Error),
}

const STATE: &str = "name the directory that was given with --state";

impl Folder {
    /// Finds the checkpoints of a place; errors say where to look instead.
    pub(super) fn open(place: &StatePlace) -> Outcome<Self> {
        match place {
            StatePlace::Folder(path) => Self::of_disk(path).map_err(Failure::Usage),
            StatePlace::Objects(objects) => Self::of_objects(objects),
        }
    }

    fn of_objects(place: &ObjectPlace) -> Outcome<Self> {
        let store = place.look().map_err(Failure::Runtime)?;
        let folder = Self { name: place.to_string(), catalog: Catalog::new(store) };
        if folder.has_checkpoints().map_err(Failure::Runtime)? {
            return Ok(folder);
        }
        let text = format!("there are no checkpoints in '{}'", folder.name);
        Err(Failure::Usage(Error::user(text).with_hint(
            "name what was given with --state; 'mainstem up' adds a slash and the name of the pipeline's file",
        )))
    }

    pub(super) fn of_disk(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        if !path.is_dir() {
            let text = match path.is_file() {
                true => format!("'{name}' is a file"),
                false => format!("there is no directory '{name}'"),
            };
            return Err(Error::user(text).with_hint(STATE));
        }
        let disk: Arc<dyn Disk> = Arc::new(FileDisk::look_at(path)?);
        let catalog = Catalog::new(Arc::new(FolderStore::look_at(Arc::clone(&disk), "")));
        let folder = Self { name, catalog };
        match folder.has_checkpoints()? {
            true => Ok(folder),
            false => Err(folder.nothing_here(&*disk)),
        }
    }

    fn has_checkpoints(&self) -> Result<bool> {
        Ok(self.catalog.store().list()?.iter().any(|name| is_of_checkpoints(name)))
    }

    /// Why there is no checkpoint, and where there may be some.
    fn nothing_here(&self, disk: &dyn Disk) -> Error {
        let name = &self.name;
        let entries = disk.list("").unwrap_or_default();
        let has = |folder: &str| {
            let inside = disk.list(folder).unwrap_or_default();
            inside.iter().any(|name| is_of_checkpoints(name))
        };
        let pipelines: Vec<String> = entries
            .iter()
            .filter(|entry| has(entry))
            .map(|entry| Path::new(name).join(entry).display().to_string())
            .collect();
        if !pipelines.is_empty() {
            return Error::user(format!("'{name}' holds a folder for each pipeline")).with_hint(
                format!("'mainstem up' made them; name one of {}", pipelines.join(", ")),
            );
        }
        let is = |wanted: &str| entries.iter().any(|entry| entry == wanted);
        if is("journal") || is("topics") {
            return Error::user(format!("'{name}' holds topics, which --data names"))
                .with_hint(STATE);
        }
        if is(crate::disk::LOCK) {
            return Error::user(format!("there is no checkpoint in '{name}' yet")).with_hint(
                "the first comes one interval after the first rows: SET 'execution.checkpointing.interval' = '10 s'",
            );
        }
        Error::user(format!("'{name}' is not a state directory")).with_hint(STATE)
    }

    /// The checkpoint that was asked for, or all.
    pub(super) fn ids(&self, wanted: Option<CheckpointId>) -> Result<Vec<CheckpointId>> {
        let ids = self.catalog.ids()?;
        match wanted {
            // Its error names those that there are.
            Some(id) if !ids.contains(&id) => self.catalog.manifest(id).map(|_| vec![id]),
            Some(id) => Ok(vec![id]),
            None if ids.is_empty() => {
                Err(Error::user(format!("no checkpoint of '{}' is complete yet", self.name))
                    .with_hint(
                        "its first one is being written, or was when the pipeline was killed",
                    ))
            }
            None => Ok(ids),
        }
    }

    /// All checkpoints, oldest first, and the one that is not complete.
    pub(super) fn checkpoints(&self) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for id in self.catalog.ids()? {
            found.extend(self.look(id)?);
        }
        let newest = found.last().map_or(0, |found: &Found| found.id);
        let begun = self.catalog.store().list()?.iter().filter_map(|name| id_of_run(name)).max();
        if let Some(id) = begun.filter(|id| *id > newest) {
            found.push(Found { id, manifest: None, standing: Standing::Begun });
        }
        Ok(found)
    }

    /// One checkpoint; of none in particular, the newest that can be read.
    pub(super) fn checkpoint(&self, wanted: Option<CheckpointId>) -> Result<Found> {
        let mut last = None;
        for id in self.ids(wanted)?.into_iter().rev() {
            match self.look(id)? {
                Some(found) if found.manifest.is_some() => return Ok(found),
                found => last = last.or(found),
            }
        }
        match last {
            Some(Found { id, standing: Standing::Damaged(error), .. }) => {
                Err(error.context(format!("checkpoint {id} of '{}'", self.name)))
            }
            // All that there were have been removed meanwhile.
            _ => {
                Err(Error::unavailable(format!("the checkpoints of '{}' are changing", self.name))
                    .with_hint("try again"))
            }
        }
    }

    /// `None`: it is not there any more.
    fn look(&self, id: CheckpointId) -> Result<Option<Found>> {
        let (manifest, looked) = match self.catalog.manifest(id) {
            Ok(manifest) => {
                let looked = self.look_for_files(&manifest);
                (Some(manifest), looked)
            }
            Err(error) => (None, Err(error)),
        };
        let standing = match looked {
            Ok(()) => Standing::Complete,
            Err(_) if !self.catalog.ids()?.contains(&id) => return Ok(None),
            Err(error) => Standing::Damaged(error),
        };
        Ok(Some(Found { id, manifest, standing }))
    }

    /// Every file that a manifest names is there and long enough.
    fn look_for_files(&self, manifest: &Manifest) -> Result<()> {
        let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
        for block in manifest.blocks() {
            let end = ends.entry(&block.file).or_default();
            *end = (*end).max(block.offset.saturating_add(block.bytes));
        }
        for (file, end) in ends {
            let last = self.catalog.store().get_range(file, end.saturating_sub(1), 1);
            last.map_err(|error| match error.kind() {
                ErrorKind::Corrupt => {
                    let text = format!("'{file}' is gone or cut short");
                    Error::new(ErrorKind::Corrupt, text)
                }
                _ => error,
            })?;
        }
        Ok(())
    }
}

fn is_of_checkpoints(name: &str) -> bool {
    id_of_run(name).is_some() || (name.starts_with("checkpoint-") && name.ends_with(".json"))
}

/// `12-0-3.run` was written for checkpoint 12.
fn id_of_run(name: &str) -> Option<CheckpointId> {
    name.strip_suffix(".run")?.split_once('-')?.0.parse().ok()
}
