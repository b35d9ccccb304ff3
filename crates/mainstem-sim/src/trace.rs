//! What happened, as lines; kept when somebody reads, and always folded into a number.
//! Invariant: the same lines in the same order give the same number, whether lines are kept or not.

use std::fmt::{self, Write as _};

use mainstem_core::clock::mix;

/// The record of one run.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    line: String,
    watched: bool,
}

impl Trace {
    /// With `watched`, lines go to stderr as they happen.
    pub(crate) fn new(watched: bool) -> Self {
        Self { hash: 0, line: String::new(), watched }
    }

    pub(crate) fn say(&mut self, now_us: i64, what: fmt::Arguments<'_>) {
        self.line.clear();
        // Writing to a string does not fail.
        let _ = write!(self.line, "{:>10}.{:03} ", now_us / 1_000, now_us % 1_000);
        let _ = self.line.write_fmt(what);
        for chunk in self.line.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.hash = mix(self.hash ^ u64::from_le_bytes(word)).wrapping_add(chunk.len() as u64);
        }
        if self.watched {
            eprintln!("{}", self.line);
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}
