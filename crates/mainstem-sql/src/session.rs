//! What a session sets and expressions depend on.

/// Settings that change what an expression means.
#[derive(Debug, Clone)]
pub struct Session {
    /// `table.local-time-zone`.
    pub time_zone: chrono_tz::Tz,
    /// `table.exec.sink.not-null-enforcer`.
    pub null_in_sink: NullInSink,
}

/// What a NULL for a NOT NULL column of a sink does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NullInSink {
    /// It ends the job.
    Refuse,
    /// Its row is left out.
    Drop,
}

impl Default for Session {
    fn default() -> Self {
        Self { time_zone: chrono_tz::UTC, null_in_sink: NullInSink::Refuse }
    }
}
