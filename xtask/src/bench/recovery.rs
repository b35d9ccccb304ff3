//! How soon a pipeline that was killed goes on: a join with much state, from the start of the process to its first new row.
//! Invariant: the state is that of a checkpoint which the killed run had completed, the same for all that go on from it; starts with
//! different numbers of workers take turns. Files are in the page cache, as they are behind a process that was killed.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::books::Books;
use super::engines::Engines;
use super::measure::{Program, Runs, Usage};
use super::report::Section;
use super::table::Table;
use crate::error::{Context, Error, Result};
use crate::{layout, process};

/// The workers of the run that is killed.
const WRITERS: usize = 2;
/// The workers of those that go on.
const READERS: [usize; 3] = [1, 2, 3];
/// More than there is time for.
const EVENTS: u64 = 1_000_000_000;
/// State comes in less than that.
const LIMIT: Duration = Duration::from_mins(10);

/// Measures restarts with so many bytes of state or more.
pub(crate) fn run(engines: &Engines, folder: &Path, bytes: u64, runs: usize) -> Result<Section> {
    let folder = folder.join("recovery");
    layout::remove_folder(&folder)?;
    let full = folder.join("full");
    layout::create_folder(&full)?;
    let written = program(engines, &full, WRITERS, "blackhole");
    let stored = fill(&written, &full, bytes)?;
    let readers = READERS.map(|workers| program(engines, &folder.join("again"), workers, "print"));
    let mut found = vec![Runs::default(); readers.len()];
    for run in 0..runs {
        for (reader, found) in readers.iter().zip(&mut found) {
            eprintln!("restart {run}, {}", reader.label);
            found.0.push(restart(reader, &full, &folder.join("again"))?);
        }
    }
    let mut table = Table::new(1, &["workers", "first row after s", "of", "peak MB"]);
    for (workers, found) in READERS.into_iter().zip(found) {
        let all: Vec<String> = found.0.iter().map(|usage| format!("{:.1}", usage.wall_s)).collect();
        let (first_s, peak_mb) = (found.wall_s(), found.peak_mb());
        let cells =
            [workers.to_string(), format!("{first_s:.1}"), all.join(", "), format!("{peak_mb:.0}")];
        table.push(cells.to_vec());
    }
    let intro = format!(
        "Nexmark query 20 (a join without bounds) with {WRITERS} workers, killed with -9 when a checkpoint with {:.2} GB of state \
was complete; then from the start of the process to its first new row, and the most memory that it had taken by then.",
        stored as f64 / 1e9
    );
    let mut section = Section::new("Restart", intro);
    section.table(&table);
    section.commands(&[written.line(), readers[1].line()]);
    layout::remove_folder(&folder)?;
    Ok(section)
}

fn program(engines: &Engines, state: &Path, workers: usize, sink: &str) -> Program {
    let files = ["nexmark/checkpoints.sql", "nexmark/wide.sql", "nexmark/q20.sql"];
    let variables = [("EVENTS", EVENTS.to_string()), ("SINK", format!("'connector' = '{sink}'"))];
    let mut program = engines.ours(workers, &files, &variables);
    program.words.extend(["--state".to_owned(), state.display().to_string()]);
    program.label = format!("{workers} workers");
    program
}

/// Kills the program when it has completed a checkpoint of so many bytes; how many it has.
fn fill(program: &Program, state: &Path, bytes: u64) -> Result<u64> {
    eprintln!("state for restarts, {}", program.label);
    let mut child = spawn(program, Stdio::null())?;
    let mut ended = false;
    let filled = process::wait_until(LIMIT, || {
        ended = !matches!(child.try_wait(), Ok(None));
        ended || newest_bytes(state) >= bytes
    });
    kill(&mut child)?;
    if ended || !filled {
        return Err(Error::new("a pipeline whose state was to grow has ended, or took too long"));
    }
    Ok(newest_bytes(state))
}

/// How much state the only checkpoint has; 0: there is none.
fn newest_bytes(state: &Path) -> u64 {
    let entries = fs::read_dir(state).into_iter().flatten().flatten();
    let manifests = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".json"));
    let texts = manifests.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    texts.map(|text| bytes_of(&text)).max().unwrap_or(0)
}

/// The sizes of all blocks that a manifest names.
fn bytes_of(manifest: &str) -> u64 {
    manifest.split("\"bytes\":").skip(1).filter_map(leading_number).sum()
}

fn leading_number(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    text[..end].parse().ok()
}

/// What a start over a copy of the state takes up to its first row.
fn restart(program: &Program, full: &Path, again: &Path) -> Result<Usage> {
    layout::remove_folder(again)?;
    layout::create_folder(again)?;
    let failed = || format!("cannot copy the state in {}", full.display());
    for entry in fs::read_dir(full).context(failed())?.flatten() {
        if entry.file_name() != "mainstem.lock" {
            // Files are never changed, so the copy may share them.
            fs::hard_link(entry.path(), again.join(entry.file_name())).context(failed())?;
        }
    }
    let start = Instant::now();
    let mut child = spawn(program, Stdio::piped())?;
    let mut line = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    let read = BufReader::new(stdout).read_line(&mut line);
    let wall_s = start.elapsed().as_secs_f64();
    let books = Books::of(child.id());
    kill(&mut child)?;
    match (read, books) {
        (Ok(1..), Some(Books { cpu_s, peak_mb, .. })) => {
            Ok(Usage { wall_s, cpu_s, peak_mb, ..Usage::default() })
        }
        _ => Err(Error::new("a pipeline that was to go on has ended")),
    }
}

fn spawn(program: &Program, stdout: Stdio) -> Result<Child> {
    let mut command = Command::new(&program.words[0]);
    command.args(&program.words[1..]).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::null());
    command.spawn().context(format_args!("cannot start {}", program.words[0]))
}

fn kill(child: &mut Child) -> Result<()> {
    // It may have ended by itself.
    let _ = child.kill();
    child.wait().map(drop).context("cannot wait for a process that was killed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_says_how_much_state_there_is() {
        let text = r#"{"blocks":[{"bytes":12,"rows":3},{"file":"7-0-0.run","bytes":30}]}"#;
        assert_eq!((bytes_of(text), bytes_of("{}")), (42, 0));
    }
}
