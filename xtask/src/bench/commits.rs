//! How soon exactly-once results are seen: from a producer through a topic, a pipeline with checkpoints and another topic to a
//! consumer that reads what is committed, all on the embedded broker.
//! Invariant: each interval has a pipeline, topics and checkpoints of its own. The pipeline ends by Ctrl-C, and has to say that it
//! ended well.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::engines::Engines;
use super::measure::Program;
use super::probe::{Latencies, Probe};
use super::report::Section;
use super::table::Table;
use crate::error::{Context, Error, Result};
use crate::{layout, process};

const INTERVALS_MS: [u64; 4] = [10, 20, 50, 100];
/// Records a second, their bytes, and for how many seconds, after as many to warm up.
const STEADY: [u64; 3] = [1_000, 100, 10];
const LIMIT: Duration = Duration::from_secs(30);

/// Measures each interval so often.
pub(crate) fn run(engines: &Engines, folder: &Path, runs: usize) -> Result<Section> {
    let probe = Probe::build()?;
    let folder = folder.join("commits");
    let mut table =
        Table::new(1, &["interval", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "p99 of all runs"]);
    let mut line = String::new();
    for interval_ms in INTERVALS_MS {
        let [port] = process::free_ports(0)?;
        let address = format!("127.0.0.1:{port}");
        let program = pipeline(engines, &folder, &address, interval_ms);
        let mut all = Vec::new();
        for _ in 0..runs {
            all.push(measured(&probe, &program, &address, &folder)?);
        }
        all.sort_by(|a, b| a[1].total_cmp(&b[1]));
        let p99s: Vec<String> = all.iter().map(|found| format!("{:.0}", found[1])).collect();
        let mut cells = vec![format!("{interval_ms} ms")];
        cells.extend(all[all.len() / 2].iter().map(|ms| format!("{ms:.0}")));
        cells.push(p99s.join(", "));
        table.push(cells);
        line = program.line();
    }
    let [rate, bytes, seconds] = STEADY;
    let intro = format!(
        "From a producer through a topic, an exactly-once pipeline and another topic of the embedded broker to a consumer of what is \
committed: {rate} records of {bytes} bytes a second for {seconds} s, after as long to warm up, by the interval of checkpoints. A record's \
time counts from when it was due. Of {runs} runs the one with the median p99."
    );
    let mut section = Section::new("Exactly-once results", intro);
    section.table(&table);
    section.commands(&[line]);
    layout::remove_folder(&folder)?;
    Ok(section)
}

fn pipeline(engines: &Engines, folder: &Path, address: &str, interval_ms: u64) -> Program {
    let path = |name: &str| folder.join(name).display().to_string();
    let file = layout::root().join("bench/state/through.sql").display().to_string();
    let words = [
        engines.binary().display().to_string(),
        "up".to_owned(),
        file,
        "--var".to_owned(),
        format!("INTERVAL={interval_ms} ms"),
        "--kafka-listen".to_owned(),
        address.to_owned(),
        "--data".to_owned(),
        path("data"),
        "--state".to_owned(),
        path("state"),
    ];
    Program { label: format!("{interval_ms} ms"), words: words.to_vec(), output: None }
}

fn measured(probe: &Probe, program: &Program, address: &str, folder: &Path) -> Result<Latencies> {
    layout::remove_folder(folder)?;
    layout::create_folder(folder)?;
    let mut command = Command::new(&program.words[0]);
    let mut up = process::serve(command.args(&program.words[1..]), address, LIMIT)?;
    let steady = probe.committed(address, ["requests", "results"], STEADY);
    process::interrupt(up.id())?;
    let ended = up.wait().context("cannot wait for the pipeline")?;
    let latencies = steady?.end_to_end_ms;
    eprintln!("  checkpoints each {}: {latencies:?} ms (p50, p99, p99.9, max)", program.label);
    if ended.success() { Ok(latencies) } else { Err(Error::new("the pipeline did not end well")) }
}
