//! Ctrl-C in the commands that run on: the first asks to finish, the second ends the program.
//! Invariant: the second one ends it whatever the command waits for, be it a reader of stdout that does not read.

use mainstem_core::Error;

use crate::failure::{Failure, Outcome, say};
use crate::pipeline::interrupts::Interrupts;

/// Takes over Ctrl-C for as long as it lives.
pub(super) struct Stopping {
    interrupts: Interrupts,
    /// Counts the signals.
    _runtime: tokio::runtime::Runtime,
}

impl Stopping {
    /// `farewell` is said when the second Ctrl-C ends the program.
    pub(super) fn listen(farewell: &'static str) -> Outcome<Self> {
        let failed = |error: std::io::Error| {
            Failure::Runtime(Error::internal("cannot listen to signals").with_source(error))
        };
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().map_err(failed)?;
        let entered = runtime.enter();
        let interrupts = Interrupts::listen().map_err(failed)?;
        let mut second = interrupts.clone();
        runtime.spawn(async move {
            second.second().await;
            say(&format!("{farewell}\n"));
            std::process::exit(130);
        });
        drop(entered);
        Ok(Self { interrupts, _runtime: runtime })
    }

    /// True once Ctrl-C was pressed.
    pub(super) fn asked(&self) -> bool {
        self.interrupts.seen() > 0
    }
}
