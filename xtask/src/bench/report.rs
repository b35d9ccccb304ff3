//! The report: what was measured, on which machine, when, with which versions and commands. The same text goes to the
//! terminal and, when asked, to docs/benchmarks.md.
//! Invariant: nothing in it is written by hand but the explanations, which stand here.

use std::fs;
use std::process::Command;

use super::table::Table;
use crate::error::Result;
use crate::{layout, process};

/// One part of the report, in Markdown.
#[derive(Debug)]
pub(crate) struct Section {
    text: String,
    commands: String,
}

impl Section {
    pub(crate) fn new(title: &str, intro: String) -> Self {
        Self { text: format!("## {title}\n\n{intro}\n"), commands: String::new() }
    }

    pub(crate) fn table(&mut self, table: &Table) {
        self.text = format!("{}\n{}", self.text, table.text());
    }

    pub(crate) fn paragraph(&mut self, text: &str) {
        if !text.is_empty() {
            self.text = format!("{}\n{text}\n", self.text);
        }
    }

    /// The commands that were measured; for the file only, they are long.
    pub(crate) fn commands(&mut self, lines: &[String]) {
        self.commands = format!("\n```text\n{}\n```\n", lines.join("\n"));
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

const PREAMBLE: &str = "\
# Benchmarks

Written by `cargo xtask bench --report`; do not edit. Everything on this page was measured in one run on one machine,
programs taking turns, so ratios mean something and absolute numbers little; a difference below 20 % means nothing.

## What is measured

- Whole processes from outside: user plus system CPU seconds as the kernel counted them (the program `time`), the wall
  clock of the parent, peak resident memory. Nothing is timed inside a program, but for readers of JSON.
- Medians of several runs; `spread` is the distance between the cheapest and the dearest run.
- `events/CPU-s` leaves out what the same program spends on 100 events (`of it start`): a JVM that starts for ten
  seconds must not make its engine look slow. `whole` leaves nothing out. Ratios are of the former. A dash stands where
  starting was most of the cost.
- Answers that are written are compared in the same run; a difference ends it with an error.
- Flink runs in one JVM (heap 2 GB) with parallelism 1, object reuse, state on the heap, mini-batches as in the
  published Nexmark runs, no checkpoints and no cluster: the least it can do. Its compiling to machine code is part of its cost.
- DuckDB runs on one thread through its Python package.

Not measured: latency and recovery of pipelines, state that does not fit into memory, more than one machine.
";

/// Writes docs/benchmarks.md.
pub(crate) fn write(
    facts: &[(String, String)],
    sections: &[Section],
    absent: &[String],
) -> Result<()> {
    let mut text = PREAMBLE.to_owned();
    if !absent.is_empty() {
        text = format!("{text}Not part of this run: {}.\n", absent.join(", "));
    }
    text.push_str("\n## Where and when\n\n");
    for (name, value) in facts {
        text = format!("{text}- {name}: {value}\n");
    }
    for section in sections {
        text = format!("{text}\n{}{}", section.text, section.commands);
    }
    let path = layout::root().join("docs/benchmarks.md");
    layout::write(&path, &text)?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

/// The machine, the date and the versions.
pub(crate) fn facts(command: &str, versions: &[String]) -> Result<Vec<(String, String)>> {
    let processor = first_line("/proc/cpuinfo", "model name").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory_kib: f64 = first_line("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0);
    let date = process::capture(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?;
    let commit = layout::commit().unwrap_or_else(|_| "unknown".to_owned());
    let commit = commit.get(..12).unwrap_or(&commit);
    let mut facts = vec![
        ("date", date.trim().to_owned()),
        ("command", format!("`{command}`")),
        ("commit", commit.to_owned()),
        ("processor", format!("{processor}, {cores} cores for us")),
        ("memory", format!("{:.1} GB", memory_kib * 1024.0 / 1e9)),
        ("kernel", format!("Linux {}", kernel.trim())),
        ("load before the run", load_text(load, cores)),
    ];
    facts.extend(versions.iter().map(|version| ("version", version.clone())));
    Ok(facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn load_text(load: f64, cores: usize) -> String {
    match load > 0.5 * cores as f64 {
        true => format!(
            "{load}: **the machine was busy with other work, so trust no time by the wall clock**"
        ),
        false => format!("{load}"),
    }
}

fn first_line(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
