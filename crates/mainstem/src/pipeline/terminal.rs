//! Words on stderr while a job runs: the live line and the notices of connectors.
//! Invariant: a notice never tears the live line; without a terminal there is no live line.

use std::io::IsTerminal;
use std::sync::OnceLock;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mainstem_connectors::api::Observer;

use crate::failure::say;

/// The terminal, or what stands in for it.
#[derive(Debug)]
pub(crate) struct Terminal {
    quiet: bool,
    live_line: bool,
    line: OnceLock<ProgressBar>,
}

impl Terminal {
    /// `quiet`: no live line and no summary; notices are shown still. `live_line`: nobody else has one.
    pub(crate) fn new(quiet: bool, live_line: bool) -> Self {
        Self { quiet, live_line, line: OnceLock::new() }
    }

    /// True if a live line makes sense beside what the job itself shows.
    pub(crate) fn is_live(&self, job_prints: bool) -> bool {
        let free = !(job_prints && std::io::stdout().is_terminal());
        !self.quiet && self.live_line && free && std::io::stderr().is_terminal()
    }

    /// Shows `text` in place of the last live line.
    pub(crate) fn show(&self, text: String) {
        let line = self.line.get_or_init(|| {
            let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{wide_msg}");
            line.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            line
        });
        line.set_message(text);
    }

    /// Takes the live line away.
    pub(crate) fn clear(&self) {
        if let Some(line) = self.line.get() {
            line.finish_and_clear();
        }
    }

    /// Shows the summary.
    pub(crate) fn summary(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }
}

impl Observer for Terminal {
    fn notice(&self, table: &str, text: &str) {
        let notice = || say(&format!("{table}: {text}\n"));
        match self.line.get() {
            Some(line) => line.suspend(notice),
            None => notice(),
        }
    }
}
