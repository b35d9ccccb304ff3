//! Payments as JSON lines in a file: W1 filters and projects, W2 aggregates per user in windows of three seconds.
//! Invariant: engines answer the same query over the same file, and a run whose answers differ is an error, not a figure.
//! The rate that counts leaves out what the same query costs over 100 events: starting is measured on its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::engines::{Engines, Peer, read_output};
use super::measure::{self, Program, Runs, net_rate, rate};
use super::report::Section;
use super::table::{Table, per_second, percent, seconds, times};
use crate::error::{Context, Error, Result};
use crate::{layout, process};

pub(crate) const START_EVENTS: u64 = 100;

const QUERIES: &[(&str, &str)] = &[
    ("w1", "W1, rows thrown away"),
    ("w1-json", "W1, rows to JSON files"),
    ("w2", "W2, windows to JSON files"),
];

/// The generated file of so many payments; made when it is not there yet.
pub(crate) fn file(engines: &Engines, folder: &Path, events: u64) -> Result<PathBuf> {
    let path = folder.join(format!("transactions-{events}.jsonl"));
    if path.exists() {
        return Ok(path);
    }
    eprintln!("generating {events} payments");
    let partial = folder.join("transactions-partial.jsonl");
    let mut generate = Command::new(engines.binary());
    generate.args(["gen", "--dataset", "transactions", "--seed", "1", "--quiet"]);
    generate.arg("--count").arg(events.to_string()).arg("--to").arg(&partial);
    process::run(generate.stdin(Stdio::null()))?;
    fs::rename(&partial, &path).context("cannot put the generated file in place")?;
    Ok(path)
}

/// One engine over one file.
pub(crate) fn program(
    engines: &Engines,
    peer: Peer,
    workers: usize,
    query: &str,
    input: &Path,
    folder: &Path,
) -> Program {
    let name = format!("{}-{workers}", peer.name().to_lowercase().replace(' ', "-"));
    let output = folder.join("out").join(name);
    let script = format!("transactions/{query}.sql");
    let files = ["transactions/tables.sql", &script];
    let variables =
        [("INPUT", input.display().to_string()), ("OUTPUT", output.display().to_string())];
    match peer {
        Peer::Ours => engines.ours(workers, &files, &variables),
        Peer::Flink => engines.flink(1, "2g", &files, &variables),
        Peer::Duckdb => {
            let args = [Path::new(query), input, &output.join("answer.json")];
            engines.duckdb("transactions.py", &args, Some(&output))
        }
    }
}

/// What an engine said, in three numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Answer {
    rows: u64,
    paid: u64,
    sum: f64,
}

impl Answer {
    pub(crate) fn read(query: &str, text: &str) -> Result<Self> {
        let mut answer = Self { rows: 0, paid: 0, sum: 0.0 };
        for line in text.lines() {
            let (paid, sum) = match query {
                "w2" => (number(line, "paid_count")?, number(line, "paid_sum")?),
                _ => (1.0, number(line, "total_paid")?),
            };
            answer.rows += 1;
            answer.paid += paid as u64;
            answer.sum += sum;
        }
        Ok(answer)
    }

    pub(crate) fn agrees(&self, other: &Self) -> bool {
        let distance = (self.sum - other.sum).abs();
        self.rows == other.rows && self.paid == other.paid && distance <= 1e-9 * self.sum.abs()
    }
}

/// A number out of a line of JSON as the engines write it: flat, without spaces.
fn number(line: &str, field: &str) -> Result<f64> {
    let name = format!("\"{field}\":");
    let value = line.split_once(&name).map(|(_, rest)| rest.split([',', '}']).next());
    value
        .flatten()
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| Error::new(format!("no number '{field}' in the answer {line}")))
}

/// One line of the result.
#[derive(Debug)]
struct Measured {
    peer: Peer,
    label: String,
    real: Runs,
    start: Runs,
}

impl Measured {
    fn net_rate(&self, events: u64) -> Option<f64> {
        net_rate(events, &self.real, &self.start)
    }
}

pub(crate) fn run(engines: &Engines, folder: &Path, events: u64, runs: usize) -> Result<Section> {
    let input = file(engines, folder, events)?;
    let little = file(engines, folder, START_EVENTS)?;
    let bytes = fs::metadata(&input).context("cannot look at the generated file")?.len();
    let mut table = Table::new(
        2,
        &[
            "work",
            "engine",
            "wall s",
            "CPU s",
            "of it start",
            "spread",
            "peak MB",
            "events/s wall",
            "events/CPU-s whole",
            "events/CPU-s",
            "ours is x",
        ],
    );
    let mut words = Vec::new();
    let mut commands = Vec::new();
    for &(query, title) in QUERIES {
        eprintln!("{title}: {events} events");
        let (measured, answer) = measure_query(engines, folder, query, [&input, &little], runs)?;
        rows(&mut table, title, &measured.iter().collect::<Vec<_>>(), events);
        words.extend(answer.map(|answer| {
            format!(
                "- {title}: every engine gave {} rows that stand for {} payments of {:.2} in all.",
                answer.rows, answer.paid, answer.sum
            )
        }));
        words.extend(scaling(title, &measured));
        let all = programs(engines, folder, query, &input);
        commands.extend(all.iter().filter(|_| query == "w2").map(|(_, program)| program.line()));
    }
    layout::remove_folder(&folder.join("out"))?;
    let intro = format!(
        "{events} payments, {:.0} bytes each as JSON lines, one a millisecond, of ten users, three quarters paid. \
W1 keeps the paid ones and three of five columns; W2 keeps the paid ones and gives sum, count and average per user and \
three seconds. \"Rows thrown away\" is `blackhole` in Mainstem and Flink and `EXPLAIN ANALYZE` in DuckDB: nothing is \
encoded. DuckDB is a batch engine on one thread: it sees the end of its input and needs no watermarks, and is the bound to aim for.",
        bytes as f64 / events as f64
    );
    let mut section = Section::new("Payments from a file of JSON", intro);
    section.table(&table);
    section.paragraph(&words.join("\n"));
    section.commands(&commands);
    Ok(section)
}

fn programs(engines: &Engines, folder: &Path, query: &str, input: &Path) -> Vec<(Peer, Program)> {
    let mut programs = Vec::new();
    for &peer in &engines.peers {
        let most = if peer == Peer::Ours { 2 } else { 1 };
        for workers in 1..=most {
            programs.push((peer, program(engines, peer, workers, query, input, folder)));
        }
    }
    programs
}

fn measure_query(
    engines: &Engines,
    folder: &Path,
    query: &str,
    [input, little]: [&Path; 2],
    runs: usize,
) -> Result<(Vec<Measured>, Option<Answer>)> {
    let (peers, real): (Vec<Peer>, Vec<Program>) =
        programs(engines, folder, query, input).into_iter().unzip();
    let start = programs(engines, folder, query, little).into_iter().map(|(_, mut program)| {
        program.label.push_str(", start");
        program
    });
    let all: Vec<Program> = real.iter().cloned().chain(start).collect();
    let mut first: Option<Answer> = None;
    let mut results = measure::rounds(folder, runs, &all, |index| {
        let Some(output) =
            all[index].output.as_ref().filter(|_| index < real.len() && query != "w1")
        else {
            return Ok(());
        };
        let answer = Answer::read(query, &read_output(output)?)?;
        match first {
            Some(other) if !answer.agrees(&other) => Err(Error::new(format!(
                "{query}: {} answers {answer:?}, {} answers {other:?}",
                all[index].label, all[0].label
            ))),
            _ => {
                first = Some(answer);
                Ok(())
            }
        }
    })?;
    let starts = results.split_off(real.len());
    let measured = peers.into_iter().zip(real).zip(results.into_iter().zip(starts)).map(
        |((peer, program), (real, start))| Measured { peer, label: program.label, real, start },
    );
    Ok((measured.collect(), first))
}

fn rows(table: &mut Table, title: &str, measured: &[&Measured], events: u64) {
    let ours = measured.iter().find(|one| one.peer == Peer::Ours);
    let ours = ours.and_then(|one| one.net_rate(events));
    for one in measured {
        let net = one.net_rate(events);
        table.push(vec![
            title.to_owned(),
            one.label.clone(),
            seconds(one.real.wall_s()),
            seconds(one.real.cpu_s()),
            seconds(one.start.cpu_s()),
            one.real.spread().map_or_else(|| "-".to_owned(), percent),
            format!("{:.0}", one.real.peak_mb()),
            per_second(rate(events, one.real.wall_s())),
            per_second(rate(events, one.real.cpu_s())),
            per_second(net),
            times(ours.zip(net).filter(|_| one.peer != Peer::Ours).map(|(ours, net)| ours / net)),
        ]);
    }
}

/// What a second worker brings.
fn scaling(title: &str, measured: &[Measured]) -> Option<String> {
    let mut ours = measured.iter().filter(|one| one.peer == Peer::Ours);
    let (one, two) = (ours.next()?, ours.next()?);
    let ratio = one.real.wall_s() / two.real.wall_s();
    Some(format!("- {title}: two workers are {ratio:.2} times as fast as one, by the wall clock."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_summed_from_lines() {
        let windows = "{\"user_id\":\"a\",\"paid_sum\":2.5,\"paid_count\":2,\"paid_avg\":1.25}\n\
                       {\"user_id\":\"b\",\"paid_sum\":1.0E1,\"paid_count\":1,\"paid_avg\":10.0}\n";
        let answer = Answer::read("w2", windows).unwrap();
        assert_eq!(answer, Answer { rows: 2, paid: 3, sum: 12.5 });
        let rows = "{\"user_id\":\"a\",\"total_paid\":2.5}\n";
        assert_eq!(Answer::read("w1-json", rows).unwrap(), Answer { rows: 1, paid: 1, sum: 2.5 });
        assert!(Answer::read("w2", rows).is_err());
    }

    #[test]
    fn sums_may_differ_in_their_last_digits_only() {
        let one = Answer { rows: 2, paid: 3, sum: 12.5 };
        assert!(one.agrees(&Answer { sum: 12.500_000_000_001, ..one }));
        assert!(!one.agrees(&Answer { sum: 12.5001, ..one }));
        assert!(!one.agrees(&Answer { rows: 3, ..one }));
    }
}
