//! What a session sets and expressions depend on.

/// Settings that change what an expression means.
#[derive(Debug, Clone)]
pub struct Session {
    /// `table.local-time-zone`.
    pub time_zone: chrono_tz::Tz,
}

impl Default for Session {
    fn default() -> Self {
        Self { time_zone: chrono_tz::UTC }
    }
}
