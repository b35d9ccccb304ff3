//! The program: picks the command, and turns its outcome into an exit code.

use std::process::ExitCode;

use clap::Parser;

mod broker;
mod cli;
mod clock;
mod command;
mod console;
mod failure;
mod generate;
mod kafka_client;
mod listing;
mod pipeline;
mod script;
mod up;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match command::execute(cli::Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
