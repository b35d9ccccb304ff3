//! A disk in memory.
/// Files that live as long as the process: for `mainstem run` without `--data`, and for tests.
#[derive(Debug, Default)]
pub struct MemoryDisk {}
