//! What the kernel's books say of a process that runs: its CPU time and its memory.
//! Invariant: figures are of the whole process, from its start; a process that has ended has none.

use std::fs;

/// The unit of times in /proc; the same on every architecture that Linux runs on today.
pub(super) const TICKS_PER_SECOND: f64 = 100.0;

/// What the kernel knows of a process.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Books {
    pub(super) cpu_s: f64,
    pub(super) rss_mb: f64,
    pub(super) peak_mb: f64,
}

impl Books {
    /// Of the process with this number; nothing: there is none.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let memory_mb = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.split_whitespace().next()?.parse::<f64>().ok()? * 1024.0 / 1e6)
        };
        let (rss_mb, peak_mb) = (memory_mb("VmRSS:")?, memory_mb("VmHWM:")?);
        Some(Self { cpu_s: cpu_s(pid)?, rss_mb, peak_mb })
    }
}

/// User and system, also of threads that have ended.
fn cpu_s(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = stat.rsplit_once(") ")?;
    let mut ticks = after.split_whitespace().skip(11).map(str::parse::<f64>);
    Some((ticks.next()?.ok()? + ticks.next()?.ok()?) / TICKS_PER_SECOND)
}
