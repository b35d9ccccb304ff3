//! What an event costs after few others and after many: queries of Nexmark that keep rows, over streams of several lengths.
//! Invariant: each length is a run of its own from an empty state, lengths take turns, starting is left out; query 0 keeps
//! nothing and stands beside the others, so that a machine that slows down is not taken for a state that does.
//! Does not measure Flink: tens of millions of events take it hours.

use std::path::Path;

use super::engines::{Engines, Peer};
use super::measure::{self, Program, Runs};
use super::nexmark::{self, START_EVENTS, Work};
use super::report::Section;
use super::table::{Table, times};
use crate::error::{Error, Result};

/// The queries, and what each of them keeps.
const QUERIES: &[(&str, &str)] = &[
    ("q0", "nothing"),
    ("q4", "join, pruned by time"),
    ("q9", "join, pruned by time, and top-1"),
    ("q18", "top-1, a row for each bidder and auction"),
    ("q19", "top-10 of each auction"),
    ("q20", "join without bounds"),
];

/// What is measured.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    /// Names of queries; those that are not here are left out.
    pub(crate) queries: &'a [String],
    /// How many events, the fewest first.
    pub(crate) lengths: &'a [u64],
    pub(crate) workers: &'a [usize],
    pub(crate) runs: usize,
}

impl Scope<'_> {
    /// An error where the lengths say nothing about growth.
    pub(crate) fn check(&self) -> Result<()> {
        let ascends = self.lengths.windows(2).all(|pair| pair[0] < pair[1]);
        if self.lengths.len() < 2 || !ascends || self.lengths[0] < 1000 {
            let message =
                "--lengths takes two numbers of events or more, the fewest first, of 1000 or more";
            return Err(Error::new(message));
        }
        Ok(())
    }
}

/// Measures the queries at all lengths.
pub(crate) fn run(engines: &Engines, folder: &Path, scope: &Scope<'_>) -> Result<Section> {
    scope.check()?;
    let intro = "CPU seconds that a million events of Nexmark cost, streams of several lengths, the start of the process left \
out; `at the end` is what the events between the last two lengths cost, and `grows` that cost in relation to the \
cost of the shortest stream; `user` leaves out what the system takes, most of which is clearing pages for state that is larger \
and larger: a page more for each few rows, at a price that is the machine's. Query 0 keeps nothing: what it grows by is the machine's, too.";
    let mut section = Section::new("Cost of an event, many events later", intro.to_owned());
    let mut commands = Vec::new();
    for &workers in scope.workers {
        let mut table = Table::new(2, &head(scope.lengths));
        for (query, keeps) in QUERIES {
            if !scope.queries.iter().any(|name| name == query) {
                continue;
            }
            eprintln!("growth of Nexmark {query}, {workers} workers");
            let work = Work { tables: "wide", query, workers };
            let programs = programs(engines, &work, scope.lengths);
            let runs = measure::rounds(folder, scope.runs, &programs, |_| Ok(()))?;
            let (start, real) = runs.split_first().expect("a program for the start");
            table.push(row(query, keeps, scope.lengths, start, real));
            commands.extend(programs.last().map(Program::line));
        }
        section.paragraph(&format!("Parallelism {workers}."));
        section.table(&table);
    }
    section.commands(&commands);
    Ok(section)
}

/// The start, then each length.
fn programs(engines: &Engines, work: &Work<'_>, lengths: &[u64]) -> Vec<Program> {
    let lengths = std::iter::once(&START_EVENTS).chain(lengths);
    let labelled = |&events: &u64| {
        let mut program = nexmark::program(engines, Peer::Ours, work, events);
        program.label = format!("{}, {}", program.label, count(events));
        program
    };
    lengths.map(labelled).collect()
}

fn head(lengths: &[u64]) -> Vec<String> {
    let mut head = vec!["query".to_owned(), "keeps".to_owned()];
    head.extend(lengths.iter().map(|&events| format!("{} s/M", count(events))));
    head.extend(
        ["at the end s/M", "grows", "user at the end s/M", "user grows"].map(str::to_owned),
    );
    head.extend(lengths.iter().map(|&events| format!("{} MB", count(events))));
    head
}

/// `200 k`, `50 M`.
fn count(events: u64) -> String {
    match events {
        0..1_000 => events.to_string(),
        1_000..1_000_000 => format!("{} k", events / 1_000),
        _ => format!("{} M", events as f64 / 1e6),
    }
}

fn row(query: &str, keeps: &str, lengths: &[u64], start: &Runs, real: &[Runs]) -> Vec<String> {
    let millions = |events: u64| events as f64 / 1e6;
    let last = lengths.len() - 1;
    let more = millions(lengths[last]) - millions(lengths[last - 1]);
    let costs = |seconds: fn(&Runs) -> f64| -> Vec<f64> {
        let net = |runs: &Runs| seconds(runs) - seconds(start);
        let each = real.iter().zip(lengths).map(|(runs, &events)| net(runs) / millions(events));
        each.chain([(net(&real[last]) - net(&real[last - 1])) / more]).collect()
    };
    let grows = |costs: &[f64]| times((costs[0] > 0.0).then(|| costs[last + 1] / costs[0]));
    let (all, user) = (costs(Runs::cpu_s), costs(Runs::user_s));
    let mut cells = vec![query.to_owned(), keeps.to_owned()];
    cells.extend(all.iter().map(|cost| format!("{cost:.3}")));
    cells.extend([grows(&all), format!("{:.3}", user[last + 1]), grows(&user)]);
    cells.extend(real.iter().map(|runs| format!("{:.0}", runs.peak_mb())));
    cells
}

#[cfg(test)]
mod tests {
    use super::super::measure::Usage;
    use super::*;

    fn runs(user_s: f64, system_s: f64, peak_mb: f64) -> Runs {
        let cpu_s = user_s + system_s;
        Runs(vec![Usage { wall_s: 0.0, cpu_s, system_s, peak_mb }])
    }

    #[test]
    fn the_last_events_are_compared_with_the_first() {
        let real = [runs(0.6, 0.5, 30.0), runs(5.1, 5.0, 40.0), runs(25.1, 65.0, 50.0)];
        let lengths = [1_000_000, 10_000_000, 50_000_000];
        let cells = row("q9", "a join", &lengths, &runs(0.1, 0.0, 1.0), &real);
        let expected = [
            "q9", "a join", "1.000", "1.000", "1.800", "2.000", "2.0", "0.500", "1.0", "30", "40",
            "50",
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn lengths_ascend() {
        let rows: &[(&[u64], bool)] = &[
            (&[1000, 2000], true),
            (&[1000], false),
            (&[], false),
            (&[2000, 1000], false),
            (&[1000, 1000], false),
            (&[10, 1000], false),
        ];
        for (lengths, fits) in rows {
            let scope = Scope { queries: &[], lengths, workers: &[1], runs: 1 };
            assert_eq!(scope.check().is_ok(), *fits, "{lengths:?}");
        }
    }

    #[test]
    fn numbers_of_events() {
        assert_eq!([100, 200_000, 50_000_000].map(count), ["100", "200 k", "50 M"]);
    }
}
