//! What a session sets and expressions depend on.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::functions::user::UserFunction;

/// Settings that change what an expression means.
#[derive(Debug, Clone)]
pub struct Session {
    /// `table.local-time-zone`.
    pub time_zone: chrono_tz::Tz,
    /// `table.exec.sink.not-null-enforcer`.
    pub null_in_sink: NullInSink,
    /// `table.exec.emit.*`.
    pub emit: Emit,
    /// The database in use, for CURRENT_DATABASE().
    pub database: String,
    /// CREATE FUNCTION, by upper-case name.
    pub functions: BTreeMap<String, Arc<UserFunction>>,
}

/// `table.exec.emit.*`: when group windows show results besides the one at their end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Emit {
    /// `early-fire.enabled`.
    pub early_fire: bool,
    /// `early-fire.delay`.
    pub early_delay_ms: Option<i64>,
    /// `late-fire.enabled`.
    pub late_fire: bool,
    /// `late-fire.delay`.
    pub late_delay_ms: Option<i64>,
    /// `allow-lateness`.
    pub allow_lateness_ms: Option<i64>,
}

impl Emit {
    /// Takes in setting `key`; others are left alone.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> mainstem_core::Result<()> {
        let Some(name) = key.strip_prefix("table.exec.emit.") else { return Ok(()) };
        let duration = || mainstem_core::options::parse_duration_ms(key, value).map(Some);
        let truth = || {
            value.parse::<bool>().map_err(|_| {
                mainstem_core::Error::user(format!("'{key}' is '{value}'"))
                    .with_hint("set it to 'true' or 'false'")
            })
        };
        match name {
            "early-fire.enabled" => self.early_fire = truth()?,
            "early-fire.delay" => self.early_delay_ms = duration()?,
            "late-fire.enabled" => self.late_fire = truth()?,
            "late-fire.delay" => self.late_delay_ms = duration()?,
            "allow-lateness" => self.allow_lateness_ms = duration()?,
            _ => {}
        }
        Ok(())
    }
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
        Self {
            time_zone: chrono_tz::UTC,
            null_in_sink: NullInSink::Refuse,
            emit: Emit::default(),
            database: crate::catalog::DEFAULT_DATABASE.to_owned(),
            functions: BTreeMap::new(),
        }
    }
}
