//! From the start of a process to its exit: W2 over 100 events.
//! Does not look at where the time goes; that the answer was written is checked by the payments' own part.

use std::path::Path;

use super::engines::{Engines, Peer};
use super::measure;
use super::report::Section;
use super::table::Table;
use super::transactions::{self, START_EVENTS};
use crate::error::Result;

const RUNS_OF_OURS: usize = 20;

pub(crate) fn run(engines: &Engines, folder: &Path, runs: usize) -> Result<Section> {
    let input = transactions::file(engines, folder, START_EVENTS)?;
    let mut table = Table::new(
        1,
        &["engine", "runs", "median wall ms", "fastest wall ms", "CPU ms", "peak MB"],
    );
    let mut commands = Vec::new();
    for &peer in &engines.peers {
        let runs = if peer == Peer::Flink { runs } else { runs.max(RUNS_OF_OURS) };
        let program = transactions::program(engines, peer, 1, "w2", &input, folder);
        commands.push(program.line());
        let name = program.label.clone();
        // Read once before, so that no run pays for a cold disk.
        measure::measure(folder, &program)?;
        let all = measure::rounds(folder, runs, &[program], |_| Ok(()))?;
        table.push(vec![
            name,
            runs.to_string(),
            format!("{:.0}", all[0].wall_s() * 1e3),
            format!("{:.0}", all[0].fastest_s() * 1e3),
            format!("{:.0}", all[0].cpu_s() * 1e3),
            format!("{:.0}", all[0].peak_mb()),
        ]);
    }
    let intro = format!(
        "W2 over {START_EVENTS} events, from the start of the process to its exit, files warm. Flink runs inside one \
JVM here; a cluster takes longer."
    );
    let mut section = Section::new("Start", intro);
    section.table(&table);
    section.commands(&commands);
    Ok(section)
}
