//! How much memory the state of a job may take, and where rows go that have no place in it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};

use mainstem_connectors::api::Observer as _;
use mainstem_core::options::parse_memory_size;
use mainstem_core::{Error, Result};
use mainstem_engine::operator::{Shortage, StateMemory};
use mainstem_state::row_files::RowSpace;

use super::Prepared;
use super::terminal::Terminal;
use crate::disk::FileDisk;

const MEMORY: &str = "state.memory";
const DIRECTORY: &str = "state.spill.directory";
/// With less every step would have rows to put aside.
const MEMORY_MIN: u64 = 1 << 20;

/// What the settings of a job say; `None`: state takes what it wants. `everything`: for tests, nothing stays in memory that need not.
/// If that is not enough, the terminal says so once.
pub(super) fn of(
    Prepared { job, workers, terminal, .. }: &Prepared,
    everything: bool,
) -> Result<Option<StateMemory>> {
    let (bytes, shortage) = match job.settings.get(MEMORY) {
        Some(text) => (parse_memory_size(MEMORY, text)?, Some(say_once(text, *workers, terminal))),
        None if everything => (MEMORY_MIN, None),
        None => return Ok(None),
    };
    if bytes < MEMORY_MIN {
        let text = format!("'{MEMORY}' is {bytes} bytes, the least is 1 mb");
        return Err(Error::user(text).with_hint(format!("write SET '{MEMORY}' = '1 gb'")));
    }
    let directory = job.settings.get(DIRECTORY).map_or_else(std::env::temp_dir, PathBuf::from);
    let disk = FileDisk::shared(&directory).map_err(|e| {
        let text = format!("the folder '{}' cannot be used for rows: {e}", directory.display());
        Error::user(text).with_hint(format!("name another one: SET '{DIRECTORY}' = 'DIR'"))
    })?;
    static JOBS: AtomicU64 = AtomicU64::new(0);
    let job = JOBS.fetch_add(1, Ordering::Relaxed);
    let prefix = format!("mainstem-rows-{}-{job}", std::process::id());
    let space = Arc::new(RowSpace::new(Arc::new(disk), prefix));
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    Ok(Some(StateMemory { bytes, space, everything, shortage }))
}

/// Workers have about as much state each.
fn say_once(allowed: &str, workers: usize, terminal: &Arc<Terminal>) -> Shortage {
    let (said, allowed, terminal) = (Once::new(), allowed.to_owned(), Arc::clone(terminal));
    Arc::new(move |bytes| {
        said.call_once(|| {
            let megabytes = (bytes * workers).div_ceil(1 << 20);
            let text = format!(
                "takes about {megabytes} mb, more than '{MEMORY}' allows ({allowed}): not all of it can be put aside"
            );
            terminal.notice("state", &text);
        });
    })
}
