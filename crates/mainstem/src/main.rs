//! The program: picks the command, and turns its outcome into an exit code.

use std::process::ExitCode;

use clap::Parser;

mod broker;
mod checkpoint;
mod cli;
mod clock;
mod command;
mod console;
mod disk;
mod failure;
mod generate;
mod kafka_client;
mod listing;
mod pipeline;
mod script;
mod state;
mod up;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The allocator asks for pages of 2 MiB. Where the system gives them a broker that needs 22 MB holds 50, and most queries with
/// much state pay more for clearing them than they gain (docs/internals/performance.md).
#[cfg(target_os = "linux")]
fn stay_small() {
    // A system that refuses gives the pages, and nothing is wrong but the memory.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

#[cfg(not(target_os = "linux"))]
fn stay_small() {}

fn main() -> ExitCode {
    stay_small();
    match command::execute(cli::Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
