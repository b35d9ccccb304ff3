//! `cargo xtask test`: every test of the workspace, with the real servers that some of them need, and then
//! librdkafka's own and real clients against our broker.
//! Invariant: the servers are an instance of their own, fresh at the start and gone at the end, whether the tests pass or not;
//! one such run at a time in a checkout. A test finds a server by its variable and does without where it is not set.
//! The cases of property tests follow from the commit: a run can be repeated, and each commit tries others.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::compat::{clients, librdkafka};
use crate::error::{Context, Error, Result};
use crate::services::{Instance, Service};
use crate::{layout, packages, process};

#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Start no servers: tests that need one pass without proof
    #[arg(long)]
    pub(crate) fast: bool,
    /// Require that Cargo.lock is up to date
    #[arg(long)]
    pub(crate) locked: bool,
}

/// What `cargo xtask test` does.
pub(crate) fn main(args: &TestArgs) -> Result<()> {
    if args.fast {
        return run_tests(args, &[]);
    }
    packages::require_all()?;
    let _one_at_a_time = layout::lock(&layout::root().join(".services/test.lock"))?;
    let instance = Instance { name: "test".to_owned() };
    let both = [Service::Kafka, Service::Postgres];
    instance.down(&both, true)?;
    let tested = instance.up(&both).and_then(|_| run_tests(args, &instance.variables()));
    let stopped = instance.down(&both, true);
    // One after the other: their tests measure time, as ours do not.
    let compatible = librdkafka::fast().and(clients::main(&clients::ClientsArgs::default()));
    tested.and(stopped).and(compatible)
}

fn run_tests(args: &TestArgs, servers: &[(&str, String)]) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--workspace", "--no-fail-fast"]).args(args.locked.then_some("--locked"));
    set_variables(&mut cargo, servers)?;
    if std::env::var_os(CASES_SEED).is_none() {
        match layout::commit().ok().as_deref().and_then(seed_of) {
            Some(seed) => {
                eprintln!("property tests: {CASES_SEED}={seed}, from the commit");
                cargo.env(CASES_SEED, seed.to_string());
            }
            None => eprintln!("property tests: random cases, for there is no commit here"),
        }
    }
    let tested = run_and_count(cargo.current_dir(layout::root()));
    let scripts = scripts()?;
    for script in scripts.iter().filter(|_| !args.fast) {
        eprintln!("running {}", script.display());
        let mut bash = Command::new("bash");
        set_variables(&mut bash, servers)?;
        process::run(bash.arg(script).current_dir(layout::root()).stdin(Stdio::null()))?;
    }
    tested
}

/// Where property tests read what their cases are made from.
const CASES_SEED: &str = "PROPTEST_RNG_SEED";

/// A number for the hash of a commit.
fn seed_of(commit: &str) -> Option<u64> {
    u64::from_str_radix(commit.get(..16)?, 16).ok()
}

/// Tells the tests where the servers are, and how to call this program, with which some tests stop and start servers.
fn set_variables(command: &mut Command, servers: &[(&str, String)]) -> Result<()> {
    for service in [Service::Kafka, Service::Postgres] {
        command.env_remove(service.variable());
    }
    command.envs(servers.iter().map(|(name, value)| (name, value)));
    let this = std::env::current_exe().context("cannot tell the path of this program")?;
    command.env("MAINSTEM_XTASK", this);
    Ok(())
}

/// Runs the tests with all they print, and sums up their closing lines at the end, where they are seen.
fn run_and_count(cargo: &mut Command) -> Result<()> {
    let mut child = cargo
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start `cargo test`")?;
    let stdout = child.stdout.take().expect("the output is a pipe");
    let mut closing = Vec::new();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.context("cannot read what `cargo test` says")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        if line.starts_with("test result: ") {
            closing.push(line.into_owned());
        }
    }
    let status = child.wait().context("cannot wait for `cargo test`")?;
    println!("\n{}", closing.join("\n"));
    println!("{}", sum(&closing));
    if status.success() {
        Ok(())
    } else {
        Err(Error::new(format!("`cargo test` ended with {status}")))
    }
}

fn sum(closing: &[String]) -> String {
    let count = |what: &str| -> u64 {
        let words = closing.iter().flat_map(|line| line.split([';', '.']));
        let counts =
            words.filter_map(|word| word.trim().strip_suffix(what)?.trim().parse::<u64>().ok());
        counts.sum()
    };
    let (passed, failed) = (count("passed"), count("failed"));
    format!("total: {passed} passed; {failed} failed, in {} runs", closing.len())
}

/// Scripts that try real clients against the built program: tests/compat/*.sh.
fn scripts() -> Result<Vec<PathBuf>> {
    let folder = layout::root().join("tests/compat");
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut scripts = Vec::new();
    for entry in entries {
        scripts.push(entry.context(format_args!("cannot read {}", folder.display()))?.path());
    }
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "sh"));
    scripts.sort();
    Ok(scripts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_a_seed() {
        for (commit, seed) in [
            ("17329ce0000000000a9000000000000000000000", Some(0x1732_9ce0_0000_0000)),
            ("ffffffffffffffffffffffffffffffffffffffff", Some(u64::MAX)),
            ("", None),
            ("HEAD is not a commit", None),
        ] {
            assert_eq!(seed_of(commit), seed, "{commit}");
        }
    }

    #[test]
    fn closing_lines_are_summed() {
        let lines = [
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        ];
        let lines = lines.map(str::to_owned);
        assert_eq!(sum(&lines), "total: 15 passed; 2 failed, in 2 runs");
        assert_eq!(sum(&[]), "total: 0 passed; 0 failed, in 0 runs");
    }
}
