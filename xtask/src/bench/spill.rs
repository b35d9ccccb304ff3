//! State that is larger than its memory: a join, sums, windows that tumble and that hop, and OVER, whose keys come as often as
//! Zipf's law says, ours and Flink's with RocksDB.
//! Invariant: all run the same text over as many rows, and RocksDB belongs to the same Flink as everywhere. Files of
//! state are in the page cache of the machine, which no bound counts.

use std::path::Path;

use super::engines::{Engines, Peer};
use super::measure::{self, Program, Runs};
use super::report::Section;
use super::table::{Table, seconds, times};
use crate::error::Result;
use crate::jars::{JarSet, class_path};

const ROCKSDB: JarSet =
    JarSet { name: "flink-rocksdb", pom: include_str!("../../oracle/rocksdb.xml") };

/// Of the JVM: more than it needs without state on the heap.
const HEAP: &str = "6g";
/// What is done with events, of which there are twice as many as users.
struct Work {
    files: &'static [&'static str],
    /// What it keeps.
    text: &'static str,
    /// So many events have a MB of memory: a tenth of what their state takes.
    events_a_mb: u64,
}

const WORKS: [Work; 5] = [
    Work {
        files: &["state/zipf.sql"],
        text: "are joined with what is known of their user, 200 bytes",
        events_a_mb: 50_000,
    },
    Work {
        files: &["state/sums.sql"],
        text: "are counted and added up for each user, with the least, the greatest and the average",
        events_a_mb: 200_000,
    },
    Work {
        files: &["state/visits.sql", "state/windows.sql"],
        text: "are counted and added up in the same way in a window that stays open to the end",
        events_a_mb: 150_000,
    },
    Work {
        files: &["state/visits.sql", "state/hops.sql"],
        text: "are counted and added up in the same way in windows of 16 minutes, one each 4 minutes, a thousand events a second",
        events_a_mb: 200_000,
    },
    Work {
        files: &["state/visits.sql", "state/over.sql"],
        text: "come out with the sum of the last five of their user",
        events_a_mb: 60_000,
    },
];

/// What RocksDB gets: much more than a tenth, which costs it minutes.
const ROCKSDB_MB: u64 = 1024;

/// Measures with so many events, twice as many as there are users.
pub(crate) fn run(engines: &Engines, folder: &Path, events: u64, runs: usize) -> Result<Section> {
    let users = events / 2;
    let mut section = Section::new(
        "State larger than its memory",
        format!(
            "{users} users and {events} events; one worker. Behind each name is what its state may take."
        ),
    );
    let mut lines = Vec::new();
    for work in &WORKS {
        let bounded = format!("{} mb", (events / work.events_a_mb).max(1));
        let ours = |memory| ours(engines, work, users, memory);
        let mut programs = vec![ours("1 tb"), ours(&bounded)];
        if engines.peers.contains(&Peer::Flink) {
            programs.push(flink(engines, work, users, folder)?);
        }
        let found = measure::rounds(folder, runs, &programs, |_| Ok(()))?;
        let mut table =
            Table::new(1, &["engine", "wall s", "CPU s", "peak MB", "of the first's speed"]);
        for (program, runs) in programs.iter().zip(&found) {
            table.push(row(&program.label, runs, &found[0]));
        }
        section.paragraph(&format!("The events {}.", work.text));
        section.table(&table);
        lines.extend(programs.iter().map(Program::line));
    }
    section.commands(&lines);
    Ok(section)
}

fn variables(users: u64, memory: &str) -> [(&'static str, String); 4] {
    [
        ("USERS", users.to_string()),
        ("LAST", (users - 1).to_string()),
        ("EVENTS", (2 * users).to_string()),
        ("MEMORY", memory.to_owned()),
    ]
}

fn ours(engines: &Engines, work: &Work, users: u64, memory: &str) -> Program {
    let mut program = engines.ours(1, work.files, &variables(users, memory));
    program.label = format!("Mainstem, {memory}");
    program
}

fn flink(engines: &Engines, work: &Work, users: u64, folder: &Path) -> Result<Program> {
    let jars = class_path(&ROCKSDB.fetch()?)?;
    let mut program = engines.flink(1, HEAP, work.files, &variables(users, "1 tb"));
    program.label = format!("Flink SQL with RocksDB, {ROCKSDB_MB} mb");
    let class_path = program.words.iter_mut().skip_while(|word| *word != "-cp").nth(1);
    class_path.expect("Flink is started with -cp").push_str(&format!(":{jars}"));
    let files = folder.join("rocksdb");
    for setting in [
        "state.backend.type=rocksdb".to_owned(),
        format!("state.backend.rocksdb.memory.fixed-per-slot={ROCKSDB_MB}mb"),
        format!("state.backend.rocksdb.localdir={}", files.display()),
    ] {
        program.words.extend(["--set".to_owned(), setting]);
    }
    Ok(program)
}

fn row(label: &str, runs: &Runs, first: &Runs) -> Vec<String> {
    vec![
        label.to_owned(),
        seconds(runs.wall_s()),
        seconds(runs.cpu_s()),
        format!("{:.0}", runs.peak_mb()),
        times(Some(first.wall_s() / runs.wall_s())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flink;

    #[test]
    fn rocksdb_is_that_of_our_flink() {
        assert_eq!(ROCKSDB.version(), flink::JARS.version());
    }
}
