//! Topics of the embedded broker as a pipeline of the same process reads them: without decoding, and W2 of the payments beside
//! the same query over a file.
//! Invariant: the same payments are in the topic and in the file, and the answers of W2 are equal. Rates are per CPU second of
//! the whole process.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Sizes;
use super::server::Server;
use crate::bench::engines::{Engines, Peer, read_output};
use crate::bench::measure::{self, Program, Runs, rate};
use crate::bench::report::Section;
use crate::bench::table::{Table, per_second, seconds, times};
use crate::bench::transactions::{self, Answer};
use crate::error::{Context, Error, Result};
use crate::process;

const TOPIC: &str = "transactions";

pub(super) fn run(
    engines: &Engines,
    folder: &Path,
    ours: &mut Server,
    sizes: &Sizes,
    section: &mut Section,
) -> Result<()> {
    let input = transactions::file(engines, folder, sizes.events)?;
    ours.start()?;
    let mut generate = Command::new(engines.binary());
    generate.args(["gen", "--dataset", "transactions", "--seed", "1", "--quiet", "--count"]);
    generate.arg(sizes.events.to_string());
    generate.arg("--to").arg(format!("kafka://{}/{TOPIC}", ours.address()));
    process::run(generate.stdin(Stdio::null()))?;
    ours.stop()?;
    let from_file = transactions::program(engines, Peer::Ours, 1, "w2", &input, folder);
    let from_topic =
        embedded(engines, folder, ours, &["broker/tables.sql", "transactions/w2.sql"], sizes)?;
    let read = embedded(engines, folder, ours, &["broker/read.sql"], sizes)?;
    let bytes = fs::metadata(&input).context("cannot look at the generated file")?.len();
    // Each line has an end in the file and none in the topic.
    let bytes = bytes - sizes.events;
    let programs = [from_file, from_topic, read];
    let mut first = None;
    let all = measure::rounds(folder, sizes.runs, &programs, |index| {
        let output = programs[index].output.as_ref();
        let output = output.ok_or_else(|| Error::new("every program here writes files"))?;
        let text = read_output(output)?;
        check(index, &text, sizes.events, &mut first)
    })?;
    ours.wipe()?;
    tables(&all, bytes, sizes, section);
    section.paragraph(
        "Target: 1 GB/s of record bytes per core before decoding; 0.8 of the file's speed.",
    );
    Ok(())
}

/// A query over the topic.
fn embedded(
    engines: &Engines,
    folder: &Path,
    ours: &Server,
    files: &[&str],
    sizes: &Sizes,
) -> Result<Program> {
    let output = folder.join("out/embedded");
    let variables = [
        ("INPUT", TOPIC.to_owned()),
        ("OUTPUT", output.display().to_string()),
        ("LAST", (sizes.events - 1).to_string()),
    ];
    let mut program = engines.ours(1, files, &variables);
    program.words.extend(["--data".to_owned(), ours.data().display().to_string()]);
    program.label = format!("embedded, {}", files[files.len() - 1]);
    Ok(program)
}

fn check(index: usize, text: &str, events: u64, first: &mut Option<Answer>) -> Result<()> {
    match (index, &first) {
        (0, _) => {
            *first = Some(Answer::read("w2", text)?);
            Ok(())
        }
        (1, Some(file)) => {
            let topic = Answer::read("w2", text)?;
            match topic.agrees(file) {
                true => Ok(()),
                false => Err(Error::new(format!("a file gave {file:?}, a topic {topic:?}"))),
            }
        }
        _ => {
            let ends = format!("{{\"place\":0}}\n{{\"place\":{}}}\n", events - 1);
            match text == ends {
                true => Ok(()),
                false => Err(Error::new(format!("{ends} was expected of the topic, not {text}"))),
            }
        }
    }
}

fn tables(all: &[Runs], bytes: u64, sizes: &Sizes, section: &mut Section) {
    let head =
        ["embedded topic", "wall s", "CPU s", "records/CPU-s", "MB/CPU-s", "peak MB", "of file"];
    let mut table = Table::new(1, &head);
    let names = ["W2 from a file", "W2 from a topic", "reading alone"];
    for (index, (name, runs)) in names.into_iter().zip(all).enumerate() {
        let ratio = (index == 1).then(|| all[0].wall_s() / runs.wall_s());
        table.push(vec![
            name.to_owned(),
            seconds(runs.wall_s()),
            seconds(runs.cpu_s()),
            per_second(rate(sizes.events, runs.cpu_s())),
            format!("{:.0}", bytes as f64 / runs.cpu_s() / 1e6),
            format!("{:.0}", runs.peak_mb()),
            times(ratio),
        ]);
    }
    section.paragraph(&format!(
        "{} payments of {} bytes in a topic of one partition, read by a pipeline of the same process: W2, and everything that comes \
before decoding (`bench/broker/read.sql`), the start of the broker included. \"Of file\" is by the wall clock.",
        sizes.events, bytes / sizes.events
    ));
    section.table(&table);
}
