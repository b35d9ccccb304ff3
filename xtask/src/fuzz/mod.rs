//! `cargo xtask fuzz-sql`: random tables and queries, run by us in several ways and, if asked, by a real Flink.
//! A seed makes one scenario file, as in tests/scenario; the runner of scenarios judges it: with Flink's answer beside it
//! all our ways must agree with that, without it with our own answer in one cut.
//! Invariant: the same seed makes the same files. Files of seeds that differ stay in `.services/fuzz-sql`; copied to
//! tests/scenario they are a regression test.

mod expression;
mod pattern;
mod query;
mod random;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use query::Maker;
use random::Random;
use table::{Manner, Table};

use crate::error::{Context, Error, Result};
use crate::{layout, oracle, process};

/// Files that one JVM answers, and one run of the tests judges.
const BATCH: u64 = 400;
/// How a script says that it is about late rows.
const ROW_BY_ROW: &str = "-- cut: row by row\n";
/// Scripts that are printed; all are in their folder.
const SHOWN: usize = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct FuzzArgs {
    /// How many queries
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Ask a real Flink too
    #[arg(long)]
    flink: bool,
    /// Judge with the optimised program: many seeds take less time, the first one more
    #[arg(long)]
    release: bool,
}

impl FuzzArgs {
    /// What CI runs: enough to see that all parts work, and a few bugs.
    pub(crate) const CI: Self = Self { seeds: 150, first: 0, flink: false, release: false };
}

/// What `cargo xtask fuzz-sql` does.
pub(crate) fn main(args: &FuzzArgs) -> Result<()> {
    let place = layout::root().join(".services/fuzz-sql");
    let mut failed = Vec::new();
    let end = args.first + args.seeds;
    for first in (args.first..end).step_by(BATCH as usize) {
        let last = end.min(first + BATCH) - 1;
        let folder =
            place.join(format!("{first}-{last}{}", if args.flink { "-flink" } else { "" }));
        layout::remove_folder(&folder)?;
        let files: Vec<PathBuf> =
            (first..=last).map(|seed| write(&folder, seed)).collect::<Result<_>>()?;
        if args.flink {
            oracle::ask(&files)?;
        }
        let mut wrong = judge(&folder, args.release, true)?;
        if args.flink && !wrong.is_empty() {
            wrong = ask_again(&wrong, args.release)?;
        }
        failed.extend(wrong);
    }
    if failed.is_empty() {
        return Ok(());
    }
    for path in failed.iter().take(SHOWN) {
        println!("{}\n{}", path.display(), fs::read_to_string(path).unwrap_or_default());
    }
    Err(Error::new(format!("{} of {} seeds differ", failed.len(), args.seeds)))
}

/// Flink has no other word for what a stream that ends has to answer than its own batch mode: where that agrees with us,
/// its stream is wrong. Gives the files where it does not.
fn ask_again(wrong: &[PathBuf], release: bool) -> Result<Vec<PathBuf>> {
    let (mut files, mut still) = (Vec::new(), Vec::new());
    for path in wrong {
        let folder = path.parent().expect("a file in a folder");
        let script = fs::read_to_string(path).context("a scenario is gone")?;
        if script.contains(ROW_BY_ROW) {
            // No row is late in a batch.
            still.push(path.clone());
            continue;
        }
        // The tables stay where they are.
        let script = script.replace("${DIR}/", "${DIR}/../");
        let name = path.file_name().expect("a file has a name");
        let again = folder.join("batch").join(name);
        layout::write(&again, &format!("-- flink: batch\n{script}"))?;
        files.push(again);
    }
    let Some(folder) = files.first().and_then(|file| file.parent()) else { return Ok(still) };
    oracle::ask(&files)?;
    let unexplained = judge(folder, release, false)?;
    let explained = files.len() - unexplained.len();
    println!("{explained} x Flink's batch mode agrees with us, and not with Flink's stream");
    still.extend(unexplained);
    Ok(still)
}

/// Writes the files of a seed and gives the path of its script.
fn write(folder: &Path, seed: u64) -> Result<PathBuf> {
    let random = &mut Random::new(seed);
    let late = random.chance(10);
    let count = if late { 1 } else { 1 + random.below(3) };
    let mut tables = Vec::new();
    for index in 0..count {
        let changing = index > 0 && random.chance(40);
        let manner = match (late, changing) {
            (true, _) => Manner::Late,
            (false, true) => Manner::Changing,
            (false, false) => Manner::Punctual,
        };
        tables.push(Table::new(&format!("t{index}"), random, manner));
    }
    let mut script = format!("-- Seed {seed} of `cargo xtask fuzz-sql`.\n");
    if late {
        script.push_str(ROW_BY_ROW);
    }
    for table in &tables {
        let data = format!("seed-{seed}.{}.json", table.name);
        layout::write(&folder.join(&data), &table.rows)?;
        script.push_str(&table.ddl(&data));
    }
    script.push_str(&Maker::new(random, &tables, late).script());
    let path = folder.join(format!("seed-{seed}.sql"));
    layout::write(&path, &script)?;
    Ok(path)
}

/// Runs the files of a folder and gives those that are wrong.
fn judge(folder: &Path, release: bool, random: bool) -> Result<Vec<PathBuf>> {
    let list = folder.join("wrong.txt");
    let mut tests = Command::new("cargo");
    tests.args(["test", "--quiet", "--package", "mainstem", "--test", "it"]);
    tests.args(release.then_some("--release"));
    tests.args(["scenarios_have", "--", "--nocapture"]);
    tests.env("MAINSTEM_SCENARIOS", folder).env("MAINSTEM_SCENARIOS_WRONG", &list);
    tests.envs(random.then_some(("MAINSTEM_SCENARIOS_RANDOM", "1")));
    let ran = process::run(tests.current_dir(layout::root()).stdin(Stdio::null()));
    let wrong: Vec<PathBuf> = match fs::read_to_string(&list) {
        Ok(text) => text.lines().map(PathBuf::from).collect(),
        Err(_) => Vec::new(),
    };
    // A failure without a file that is wrong is one of the runner.
    if wrong.is_empty() { ran.map(|()| wrong) } else { Ok(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(seed: u64) -> String {
        let random = &mut Random::new(seed);
        let tables = [Table::new("t0", random, Manner::Punctual)];
        let query = Maker::new(random, &tables, false).script();
        format!("{}{}{query}", tables[0].rows, tables[0].ddl("t0.json"))
    }

    #[test]
    fn a_seed_makes_one_script() {
        let scripts: std::collections::BTreeSet<String> = (0..200).map(script).collect();
        assert!(scripts.len() > 190, "seeds differ");
        for seed in 0..20 {
            assert_eq!(script(seed), script(seed));
        }
    }
}
