//! `cargo xtask ci`: what CI runs, stage by stage. A failing stage does not hide the ones after it; the run fails at the end.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::error::{Error, Result};
use crate::fuzz::FuzzArgs;
use crate::test::TestArgs;
use crate::{fuzz, layout, packages, process, test, tidy};

#[derive(Debug, clap::Args)]
pub(crate) struct CiArgs {
    /// What is worth waiting for before a commit: no servers, no documentation
    #[arg(long)]
    fast: bool,
}

type Stage = (&'static str, fn(&CiArgs) -> Result<()>);

const STAGES: &[Stage] = &[
    ("system packages", |args| if args.fast { Ok(()) } else { packages::require_all() }),
    ("fmt", |_| cargo(&["fmt", "--all", "--check"])),
    ("tidy", |_| tidy::main()),
    ("clippy", |_| {
        cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
    }),
    ("test", |args| test::main(&TestArgs { fast: args.fast, locked: true })),
    ("fuzz-sql", |_| fuzz::main(&FuzzArgs::CI)),
    ("doc", |args| if args.fast { Ok(()) } else { doc() }),
];

/// What `cargo xtask ci` does.
pub(crate) fn main(args: &CiArgs) -> Result<()> {
    let start = Instant::now();
    let mut failed = Vec::new();
    let mut summary = String::new();
    for (name, stage) in STAGES {
        eprintln!("== {name}");
        let stage_start = Instant::now();
        let done = stage(args);
        let verdict = if done.is_ok() { "ok" } else { "FAILED" };
        let line = format!("== {name}: {verdict} in {} s", stage_start.elapsed().as_secs());
        eprintln!("{line}");
        summary = format!("{summary}{line}\n");
        if let Err(error) = done {
            eprintln!("{error}");
            failed.push(*name);
        }
    }
    eprint!("\n{summary}");
    eprintln!("== all: {} s", start.elapsed().as_secs());
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Error::new(format!("failed: {}", failed.join(", "))))
    }
}

fn cargo(args: &[&str]) -> Result<()> {
    process::run(Command::new("cargo").args(args).current_dir(layout::root()).stdin(Stdio::null()))
}

fn doc() -> Result<()> {
    let mut doc = Command::new("cargo");
    doc.args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings");
    process::run(doc.current_dir(layout::root()).stdin(Stdio::null()))
}
