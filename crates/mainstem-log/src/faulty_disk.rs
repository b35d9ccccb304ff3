//! A disk in memory that fails as disks and machines do, for tests and simulation; the same seed fails in the same way.
//! What it models: reads and writes that do less than asked, errors of writes and syncs, a full disk, the machine stopping at any
//! operation, and at a crash the loss of what was not synced: of a file's unsynced writes a prefix survives, or any of them (a
//! system writes back in any order), the last one perhaps torn; of a folder's unsynced names a prefix of the changes survives.
//! After a sync that failed, an unsynced write is lost for good or still pending, and nobody is told which (fsyncgate).
//! Invariant: what a sync that returned Ok covered survives every crash; handles from before a crash are dead.
//! Does not flip bits by itself: `flip_bit` does when asked.

use mainstem_core::clock::Rng;
use mainstem_core::disk::{Disk, DiskFile};
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard};

/// How often what fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// Of a thousand reads and writes, how many do less than asked.
    pub short_per_mille: u64,
    /// Of a thousand writes, how many fail (perhaps after a part was written).
    pub write_error_per_mille: u64,
    /// Of a thousand syncs, how many fail.
    pub sync_error_per_mille: u64,
    /// The size of the disk.
    pub space_bytes: u64,
}

impl Faults {
    /// Nothing fails.
    pub const NONE: Self = Self {
        short_per_mille: 0,
        write_error_per_mille: 0,
        sync_error_per_mille: 0,
        space_bytes: u64::MAX,
    };
}

/// A disk that fails by its seed. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct FaultyDisk {
    shared: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    faults: Faults,
    /// Operations until the machine stops.
    operations_left: u64,
    /// Counts crashes: handles of an earlier one are dead.
    life: u64,
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
}

#[derive(Debug, Default)]
struct File {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

/// A change of a file that is not durable.
#[derive(Debug, Clone)]
enum Change {
    Write { position: usize, bytes: Vec<u8> },
    SetSize(usize),
}

/// A change of names that is not durable.
#[derive(Debug, Clone)]
enum NameChange {
    Create { path: String, file: usize },
    Remove { path: String },
    Rename { from: String, to: String },
}

impl NameChange {
    fn path(&self) -> &str {
        match self {
            Self::Create { path, .. } | Self::Remove { path } => path,
            Self::Rename { to, .. } => to,
        }
    }

    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Create { path, file } => {
                names.insert(path.clone(), *file);
            }
            Self::Remove { path } => {
                names.remove(path);
            }
            Self::Rename { from, to } => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { position, bytes: written } => {
                let end = position + written.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*position..end].copy_from_slice(written);
            }
            Self::SetSize(size_bytes) => bytes.resize(*size_bytes, 0),
        }
    }

    /// The first part of a write.
    fn torn(mut self, rng: &mut Rng) -> Self {
        if let Self::Write { bytes, .. } = &mut self {
            bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize);
        }
        self
    }
}

impl FaultyDisk {
    /// An empty disk on which nothing fails yet.
    pub fn new(seed: u64) -> Self {
        Self {
            shared: Arc::new(Mutex::new(State {
                rng: Rng::new(seed),
                faults: Faults::NONE,
                operations_left: u64::MAX,
                life: 0,
                files: Vec::new(),
                names: BTreeMap::new(),
                durable_names: BTreeMap::new(),
                pending_names: Vec::new(),
            })),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().expect("no holder of this lock panics")
    }

    /// From now on, fails like this.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Lets the machine stop after so many more operations that change something: all fail until the next `crash`.
    pub fn stop_after(&self, operations: u64) {
        self.state().operations_left = operations;
    }

    /// Whether the machine has stopped.
    pub fn is_stopped(&self) -> bool {
        self.state().operations_left == 0
    }

    /// The power goes and comes back: what was not synced is lost, or not. Handles are dead; the machine runs.
    pub fn crash(&self) {
        let mut state = self.state();
        let state = &mut *state;
        state.life += 1;
        state.operations_left = u64::MAX;
        for file in &mut state.files {
            file.lose(&mut state.rng);
        }
        let survive = state.rng.below(state.pending_names.len() as u64 + 1) as usize;
        for change in state.pending_names.drain(..).take(survive) {
            change.apply(&mut state.durable_names);
        }
        state.names = state.durable_names.clone();
    }

    /// The process goes and comes back, the machine does not: nothing is lost, but handles are dead.
    pub fn kill(&self) {
        let mut state = self.state();
        state.life += 1;
        state.operations_left = u64::MAX;
    }

    /// Damages a file, in memory and on the medium.
    pub fn flip_bit(&self, path: &str, bit: u64) -> io::Result<()> {
        let mut state = self.state();
        let file = state.file_of(path)?;
        let (at, mask) = ((bit / 8) as usize, 1 << (bit % 8));
        let file = &mut state.files[file];
        *file.bytes.get_mut(at).ok_or(io::ErrorKind::UnexpectedEof)? ^= mask;
        if let Some(byte) = file.durable.get_mut(at) {
            *byte ^= mask;
        }
        Ok(())
    }
}

impl File {
    fn lose(&mut self, rng: &mut Rng) {
        let pending = std::mem::take(&mut self.pending);
        let in_order = rng.below(2) == 0;
        let survive = rng.below(pending.len() as u64 + 1) as usize;
        for (at, change) in pending.into_iter().enumerate() {
            let (kept, torn) =
                if in_order { (at < survive, at == survive) } else { (rng.below(2) == 0, false) };
            if kept {
                change.apply(&mut self.durable);
            } else if torn {
                change.torn(rng).apply(&mut self.durable);
            }
        }
        self.bytes = self.durable.clone();
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.bytes);
        self.pending.push(change);
    }
}

impl State {
    fn file_of(&self, path: &str) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn check_life(&self, life: u64) -> io::Result<()> {
        if self.life == life && self.operations_left > 0 {
            Ok(())
        } else {
            Err(io::Error::other("the machine has stopped"))
        }
    }

    /// Counts an operation that changes something.
    fn step(&mut self) -> io::Result<()> {
        if self.operations_left != u64::MAX {
            self.operations_left = self.operations_left.saturating_sub(1);
        }
        self.check_life(self.life)
    }

    fn happens(&mut self, per_mille: u64) -> bool {
        per_mille > 0 && self.rng.below(1000) < per_mille
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().map(|file| self.files[*file].bytes.len() as u64).sum()
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Disk for FaultyDisk {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        state.check_life(state.life)?;
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let inside = state.names.keys().filter_map(|path| path.strip_prefix(&prefix));
        let mut names: Vec<String> =
            inside.map(|rest| rest.split('/').next().unwrap_or(rest).to_owned()).collect();
        names.dedup();
        Ok(names)
    }

    fn create_folder(&self, _folder: &str) -> io::Result<()> {
        self.state().step()
    }

    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let prefix = format!("{folder}/");
        let paths: Vec<String> =
            state.names.keys().filter(|path| path.starts_with(&prefix)).cloned().collect();
        for path in paths {
            state.change_name(NameChange::Remove { path });
        }
        Ok(())
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.check_life(state.life)?;
        let file = match state.file_of(path) {
            Ok(file) => file,
            Err(e) if !create => return Err(e),
            Err(_) => {
                state.step()?;
                state.files.push(File::default());
                let file = state.files.len() - 1;
                state.change_name(NameChange::Create { path: path.to_owned(), file });
                file
            }
        };
        let life = state.life;
        Ok(Arc::new(FaultyFile { disk: self.clone(), file, life }))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.file_of(path)?;
        state.change_name(NameChange::Remove { path: path.to_owned() });
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.file_of(from)?;
        state.change_name(NameChange::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let fault = state.faults.sync_error_per_mille;
        if state.happens(fault) {
            return Err(io::Error::other("the sync of a folder failed"));
        }
        let state = &mut *state;
        let durable = &mut state.durable_names;
        state.pending_names.retain(|change| {
            let here = folder_of(change.path()) == folder;
            if here {
                change.apply(durable);
            }
            !here
        });
        Ok(())
    }
}

/// An open file of a [`FaultyDisk`].
#[derive(Debug)]
struct FaultyFile {
    disk: FaultyDisk,
    file: usize,
    life: u64,
}

impl FaultyFile {
    fn changing(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.disk.state();
        state.check_life(self.life)?;
        state.step()?;
        Ok(state)
    }
}

impl DiskFile for FaultyFile {
    fn size_bytes(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.check_life(self.life)?;
        Ok(state.files[self.file].bytes.len() as u64)
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.check_life(self.life)?;
        let short = state.faults.short_per_mille;
        let mut count = buffer.len();
        if count > 1 && state.happens(short) {
            count = 1 + state.rng.below(count as u64 - 1) as usize;
        }
        let bytes = state.files[self.file].bytes.get(position as usize..).unwrap_or_default();
        let count = count.min(bytes.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.changing()?;
        let faults = state.faults;
        let mut count = bytes.len();
        if count > 1 && state.happens(faults.short_per_mille) {
            count = 1 + state.rng.below(count as u64 - 1) as usize;
        }
        if state.happens(faults.write_error_per_mille) {
            return Err(io::Error::other("a write failed"));
        }
        let end = position + count as u64;
        let grows = end.saturating_sub(state.files[self.file].bytes.len() as u64);
        let room = faults.space_bytes.saturating_sub(state.used_bytes());
        if grows > room {
            count = count.saturating_sub((grows - room) as usize);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        let bytes = bytes[..count].to_vec();
        state.files[self.file].change(Change::Write { position: position as usize, bytes });
        Ok(count)
    }

    fn write_vectored_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).collect();
        self.write_at(position, &parts.concat())
    }

    fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        let mut state = self.changing()?;
        state.files[self.file].change(Change::SetSize(size_bytes as usize));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.changing()?;
        let fault = state.faults.sync_error_per_mille;
        let failed = state.happens(fault);
        let State { files, rng, .. } = &mut *state;
        let file = &mut files[self.file];
        if failed {
            file.pending.retain(|_| rng.below(2) == 0);
            return Err(io::Error::other("a sync failed"));
        }
        // Only what is pending: what a failed sync lost stays lost, though reads still show it.
        for change in file.pending.drain(..) {
            change.apply(&mut file.durable);
        }
        Ok(())
    }
}
