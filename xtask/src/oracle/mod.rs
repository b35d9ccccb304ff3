//! The oracle: what a real Apache Flink answers to a SQL file, kept beside the file as its golden (`foo.sql` -> `foo.flink`).
//! Invariant: a golden is only ever written by Flink. One JVM handles all the files of a call, because a start costs seconds,
//! and several at a time: each file has a table environment of its own.
//! Our answers are compared with the goldens by the tests that CI runs too: `scenario` of the binary for SQL files, and
//! `expressions` of the SQL front for the lists in its testdata.

mod golden;

use std::fs;
use std::path::{Path, PathBuf};

use golden::Golden;

use crate::error::{Context, Error, Result};
use crate::jars::class_path;
use crate::{flink, layout, process};

const PROGRAM: &str = include_str!("../../oracle/Oracle.java");

#[derive(Debug, clap::Args)]
pub(crate) struct OracleArgs {
    /// SQL files, `${DIR}` in them being the folder of the file, or folders of such; or lists of expressions, one a line,
    /// `#` for comments
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Only files that have no golden yet
    #[arg(long)]
    missing: bool,
    /// The files are lists of expressions
    #[arg(long)]
    expressions: bool,
    /// Print Flink's plan with the changelog mode of each query
    #[arg(long, conflicts_with = "expressions")]
    explain: bool,
    /// Fail when a golden says something else than Flink says now
    #[arg(long)]
    check: bool,
    /// Only ask Flink: do not compare our answers with its
    #[arg(long)]
    flink_only: bool,
    /// Give up on a statement after so many seconds
    #[arg(long, default_value_t = 120)]
    seconds: u32,
}

/// What `cargo xtask oracle` does.
pub(crate) fn main(args: &OracleArgs) -> Result<()> {
    let mut before = Vec::new();
    let mut files = Vec::new();
    args.files.iter().try_for_each(|place| find(place, &mut files))?;
    files.retain(|file| !args.missing || !file.with_extension("flink").exists());
    if files.is_empty() {
        eprintln!("nothing to ask");
        return Ok(());
    }
    for file in &files {
        if !file.is_file() {
            return Err(Error::new(format!("there is no file {}", file.display())));
        }
        let golden = file.with_extension("flink");
        if golden == *file {
            return Err(Error::new(format!("{} is itself a golden file", file.display())));
        }
        if args.check {
            before.push((read(&golden)?, golden));
        }
    }
    ask_flink(args, &files)?;
    let mut stale = 0;
    for (text, path) in before {
        let (old, new) = (Golden::parse(&text), Golden::parse(&read(&path)?));
        let differences = old.differences(&new);
        for difference in &differences {
            println!("{}: {difference}", path.display());
        }
        stale += usize::from(!differences.is_empty());
    }
    match stale {
        0 if args.flink_only || args.explain => Ok(()),
        0 => compare_ours(args, &files),
        _ => Err(Error::new(format!("{stale} golden files said something else than Flink says"))),
    }
}

/// Adds a file, or the SQL files below a folder in the order of their names.
fn find(place: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !place.is_dir() {
        files.push(place.to_path_buf());
        return Ok(());
    }
    let entries = fs::read_dir(place).context(format_args!("cannot read {}", place.display()))?;
    let mut inside = Vec::new();
    for entry in entries {
        inside.push(entry.context(format_args!("cannot read {}", place.display()))?.path());
    }
    inside.retain(|path| path.is_dir() || path.extension().is_some_and(|e| e == "sql"));
    inside.sort();
    inside.iter().try_for_each(|path| find(path, files))
}

/// Writes Flink's answers beside files of SQL, without a look at ours.
pub(crate) fn ask(files: &[PathBuf]) -> Result<()> {
    let args = OracleArgs {
        files: Vec::new(),
        missing: false,
        expressions: false,
        explain: false,
        check: false,
        flink_only: true,
        seconds: 60,
    };
    ask_flink(&args, files)
}

fn compare_ours(args: &OracleArgs, files: &[PathBuf]) -> Result<()> {
    let (package, test) =
        if args.expressions { ("mainstem-sql", "expressions") } else { ("mainstem", "scenario") };
    let files: Vec<PathBuf> = files
        .iter()
        .map(|file| file.canonicalize().context(format_args!("cannot find {}", file.display())))
        .collect::<Result<_>>()?;
    let files = std::env::join_paths(files).context("a file name holds a colon")?;
    let mut tests = std::process::Command::new("cargo");
    tests.args(["test", "--quiet", "--package", package, "--test", "it", test]);
    process::run(tests.env("MAINSTEM_SCENARIOS", files))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).context(format_args!("cannot read {}", path.display()))
}

fn ask_flink(args: &OracleArgs, files: &[PathBuf]) -> Result<()> {
    let jars = flink::JARS.fetch()?;
    let folder = layout::jars().join("oracle");
    let program = folder.join("Oracle.java");
    layout::write(&program, PROGRAM)?;
    let log = folder.join("flink.log");
    let mut java = flink::java(&folder, Some("1g"))?;
    java.arg("-cp").arg(class_path(&jars)?).arg(&program);
    java.arg(format!("--seconds={}", args.seconds));
    java.args(args.expressions.then_some("--expressions"));
    java.args(args.explain.then_some("--explain"));
    process::run(java.args(files))
        .map_err(|error| Error::new(format!("{error}; {}", process::tail(&log))))
}
