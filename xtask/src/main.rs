//! `cargo xtask`: the automation of this repository. What CI runs is exactly what a person can run.
//! Does not build anything that ships.
#![allow(
    clippy::disallowed_methods,
    reason = "the automation measures real time; nothing here is simulated"
)]

mod bench;
mod ci;
mod compat;
mod error;
mod flink;
mod fuzz;
mod jars;
mod layout;
mod oracle;
mod packages;
mod process;
mod services;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The automation of this repository")]
struct Args {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// The real servers that tests run against: Apache Kafka and PostgreSQL, on loopback
    Services(services::ServicesArgs),
    /// What a real Apache Flink answers to a SQL file, written beside it as its golden
    Oracle(oracle::OracleArgs),
    /// Random queries: ours cut and spread in several ways, against ours in one cut and against a real Flink
    FuzzSql(fuzz::FuzzArgs),
    /// How fast we are, beside DuckDB and Apache Flink, in CPU-seconds of whole processes
    Bench(bench::BenchArgs),
    /// Test suites of others, turned on our embedded broker
    Compat(compat::CompatArgs),
    /// The house rules that a machine can check
    Tidy,
    /// Every test, with the real servers that some of them need
    Test(test::TestArgs),
    /// What CI runs: fmt, tidy, clippy, test, doc
    Ci(ci::CiArgs),
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Task::Services(args) => services::main(args),
        Task::Oracle(args) => oracle::main(&args),
        Task::FuzzSql(args) => fuzz::main(&args),
        Task::Bench(args) => bench::main(&args),
        Task::Compat(args) => compat::main(&args),
        Task::Tidy => tidy::main(),
        Task::Test(args) => test::main(&args),
        Task::Ci(args) => ci::main(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
