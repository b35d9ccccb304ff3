//! The ways in which a scenario is run, and the running.
//! Invariant: the ways of a file follow from its name and its text: a run can be repeated.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::answer::{Answer, printed};

/// A scenario takes far less than a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// One way to run a file.
#[derive(Debug, Clone)]
pub(super) struct Run {
    parallelism: u32,
    /// As the hidden option `--cuts` takes it.
    cuts: Option<String>,
    /// After each step workers are made anew from what a checkpoint keeps of the old ones.
    restarts: bool,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--parallelism {}", self.parallelism)?;
        self.cuts.as_ref().map_or(Ok(()), |cuts| write!(f, " --cuts {cuts}"))?;
        if self.restarts { write!(f, " --restarts") } else { Ok(()) }
    }
}

/// The ways for a file; the first is the plainest, in one step where that makes no difference. Which rows are late depends on the cuts: a file that is about late rows says `-- cut: row by row`,
/// which is how Flink's operators go; another cut may rightly drop fewer rows.
pub(super) fn runs(file: &Path, sql: &str) -> Vec<Run> {
    let run = |parallelism, cuts: Option<String>| Run { parallelism, cuts, restarts: false };
    let rows = || Some("rows".to_owned());
    if sql.lines().any(|line| line.trim() == "-- cut: row by row") {
        return vec![run(1, rows()), run(2, rows())];
    }
    let name = file.file_name().expect("a file").to_string_lossy();
    let seed = name.bytes().fold(7, |seed: u32, byte| seed.wrapping_mul(31) ^ u32::from(byte));
    let random = |salt: u32| Some(format!("random:{}", seed.wrapping_add(salt)));
    let restarts = Run { restarts: true, ..run(3, random(1)) };
    vec![run(1, None), run(2, None), run(1, rows()), run(2, random(0)), restarts]
}

/// Our answer.
pub(super) fn ours(file: &Path, run: &Run, in_order: bool) -> Answer {
    let folder = file.parent().expect("a file in a folder").display();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mainstem"));
    command.args(["run", "--quiet", "--output", "tsv", "--parallelism"]);
    command.arg(run.parallelism.to_string()).args(["--var", &format!("DIR={folder}")]);
    if let Some(cuts) = &run.cuts {
        command.args(["--cuts", cuts]);
    }
    if run.restarts {
        command.arg("--restarts");
    }
    command.arg(file).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the binary runs");
    let id = child.id().to_string();
    let (tell, told) = mpsc::channel();
    let waiter = std::thread::Builder::new()
        .name("waiter".to_owned())
        .spawn(move || tell.send(child.wait_with_output()))
        .expect("a thread starts");
    let Ok(output) = told.recv_timeout(PATIENCE) else {
        Command::new("kill").args(["-KILL", &id]).status().expect("kill runs");
        drop(waiter.join());
        return Answer::Refused(format!("a bug in Mainstem: no end after {PATIENCE:?}"));
    };
    drop(waiter.join());
    let output = output.expect("its output can be read");
    if !output.status.success() {
        return Answer::Refused(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    printed(&String::from_utf8(output.stdout).expect("UTF-8"), in_order)
}
