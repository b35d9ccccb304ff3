//! Nexmark's queries, from the connector `nexmark` into `blackhole`: Flink with a source of our own
//! that makes the same events, the same SQL for both.
//! Invariant: before anything is timed, both engines answer the queries over a few events and their answers are compared.
//! Events are all events of the generator, people and auctions too, also where the flat table does not make them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::engines::{Engines, Peer};
use super::measure::{self, Program, Runs, net_rate};
use super::report::Section;
use super::table::{Table, per_second, seconds, times};
use crate::error::{Context, Error, Result};
use crate::layout;

/// A query, and what others published for it in thousands of events per CPU-second.
#[derive(Debug)]
struct Query {
    name: &'static str,
    /// Thousands of events a CPU second, where somebody has published it.
    dbsp: Option<f64>,
    flink: Option<f64>,
    /// Why Flink does not run it.
    flink_refuses: Option<&'static str>,
    /// Why the answers over a few events are not compared.
    not_compared: Option<&'static str>,
    /// Whether it reads nothing but bids.
    only_bids: bool,
    /// Where it writes, and what it needs besides.
    needs: Needs,
}

/// What a query needs of the folder that the benchmark works in.
#[derive(Debug, Clone, Copy)]
enum Needs {
    /// Nothing: it writes into the void.
    Nothing,
    /// A folder for the files that it writes.
    Output,
    /// The file of a table that it looks up in: [`SIDE_INPUT`].
    SideInput,
}

impl Query {
    /// A query over bids that nobody has published figures of.
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            dbsp: None,
            flink: None,
            flink_refuses: None,
            not_compared: None,
            only_bids: true,
            needs: Needs::Nothing,
        }
    }

    const fn published(self, dbsp: f64, flink: f64) -> Self {
        Self { dbsp: Some(dbsp), flink: Some(flink), ..self }
    }

    const fn joined(self) -> Self {
        Self { only_bids: false, ..self }
    }

    const fn needs(self, needs: Needs) -> Self {
        Self { needs, ..self }
    }

    const fn not_compared(self, why: &'static str) -> Self {
        Self { not_compared: Some(why), ..self }
    }

    const fn flink_refuses(self, what: &'static str) -> Self {
        Self { flink_refuses: Some(what), ..self }
    }

    fn is_compared(&self) -> bool {
        self.flink_refuses.is_none() && self.not_compared.is_none()
    }
}

const QUERIES: &[Query] = &[
    Query::new("q0").published(954.0, 379.0),
    Query::new("q1").published(689.0, 395.0),
    Query::new("q2").published(968.0, 414.0),
    Query::new("q3").published(985.0, 219.0).joined(),
    Query::new("q4").published(623.0, 28.0).joined(),
    Query::new("q5").published(783.0, 75.0),
    Query::new("q6").joined().flink_refuses("OVER of rows that change"),
    Query::new("q7").published(618.0, 23.0),
    Query::new("q8").published(925.0, 162.0).joined(),
    Query::new("q9").published(230.0, 14.0).joined(),
    Query { flink: Some(133.0), ..Query::new("q10").needs(Needs::Output) },
    Query { flink: Some(46.0), ..Query::new("q11") },
    Query::new("q12").published(828.0, 194.0).not_compared("it depends on the wall clock"),
    Query::new("q13")
        .published(542.0, 188.0)
        .needs(Needs::SideInput)
        .flink_refuses("a file as a lookup table"),
    Query::new("q14").published(884.0, 259.0),
    Query::new("q15").published(571.0, 168.0),
    Query::new("q16").published(259.0, 45.0),
    Query::new("q17").published(366.0, 161.0),
    Query::new("q18").published(374.0, 65.0),
    Query::new("q19").published(380.0, 43.0),
    Query::new("q20").published(405.0, 18.0).joined(),
    Query::new("q21").published(824.0, 147.0),
    Query::new("q22").published(776.0, 212.0),
    Query::new("q23").joined(),
    Query::new("cep0"),
    Query::new("cep1"),
    Query::new("cep2"),
    Query::new("cep3"),
    Query::new("tumble"),
    Query::new("hop100"),
];

const TABLES: &[(&str, &str)] = &[
    ("wide", "one table of all events and views of it, as published"),
    ("flat", "a table of bids alone"),
];

/// The file of a table of 10,000 keys.
const SIDE_INPUT: &str = "side_input.csv";
const CHECK_EVENTS: u64 = 20_000;
pub(super) const START_EVENTS: u64 = 100;
/// Joins keep every bid, and a collector that runs all the time would be measured in place of them.
const FLINK_HEAP: &str = "12g";

/// What is measured.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    /// Names of queries.
    pub(crate) queries: &'a [String],
    /// Names of tables.
    pub(crate) tables: &'a [String],
    pub(crate) workers: &'a [usize],
    pub(crate) events: u64,
    pub(crate) runs: usize,
}

/// The names of the tables.
pub(crate) fn tables() -> Vec<&'static str> {
    TABLES.iter().map(|(name, _)| *name).collect()
}

/// The names of all queries.
pub(crate) fn names() -> Vec<&'static str> {
    QUERIES.iter().map(|query| query.name).collect()
}

/// Measures the queries of those names.
pub(crate) fn run(engines: &Engines, folder: &Path, scope: &Scope<'_>) -> Result<Section> {
    let events = scope.events;
    let peers: Vec<Peer> =
        engines.peers.iter().copied().filter(|peer| *peer != Peer::Duckdb).collect();
    let intro = format!(
        "{events} events, 1 : 3 : 46 people, auctions and bids, made inside the process: making them is part of the cost. \
Flink's source is ours too, bench/flink-nexmark: the same events, and columns or fields that its planner does not ask for are \
not made, which the public connector cannot do. Ours takes over the view's filter on the kind of event as well; Flink's filters \
behind the source, which then has made 8 % more rows. Query 10 writes CSV into a folder for each minute. Query 14 counts characters with built-in functions instead of the published Java function. Query 17 gives a changelog: \
Mainstem changes a row once a step, Flink once a mini-batch. Figures of others are published or measured elsewhere \
(DBSP 0.337, hand-written Rust, one worker; Flink 2 with RocksDB, per core) and only show the order of magnitude."
    );
    let mut section = Section::new("Nexmark", intro);
    if peers.len() == 2 {
        let checked = check(engines, folder)?;
        section.paragraph(&format!(
            "Over {CHECK_EVENTS} events both engines gave the same answers: {checked}. {}",
            left_out()
        ));
    }
    write_side_input(folder)?;
    let mut commands = Vec::new();
    let is_named = |(name, _): &&(&str, &str)| scope.tables.iter().any(|table| table == name);
    let named = TABLES.iter().filter(is_named);
    let each = named.flat_map(|table| scope.workers.iter().map(move |&workers| (table, workers)));
    for ((tables, what), workers) in each {
        let mut table = Table::new(
            1,
            &[
                "query",
                "Mainstem events/CPU-s",
                "Flink events/CPU-s",
                "ours is x",
                "Mainstem CPU s",
                "Flink CPU s",
                "Flink start",
                "Mainstem peak MB",
                "Flink peak MB",
                "x DBSP",
                "x Flink published",
            ],
        );
        let has_tables = |query: &&Query| query.only_bids || *tables == "wide";
        let is_chosen = |query: &&Query| scope.queries.iter().any(|name| name == query.name);
        for query in QUERIES.iter().filter(is_chosen).filter(has_tables) {
            eprintln!("Nexmark {}, {what}: {events} events, {workers} workers", query.name);
            let work = Work { tables, query: query.name, workers };
            let runs = |peer: &Peer| *peer == Peer::Ours || query.flink_refuses.is_none();
            let peers: Vec<Peer> = peers.iter().copied().filter(runs).collect();
            let measured = measure_query(engines, folder, &peers, &work, scope)?;
            table.push(row(query, &measured, events));
            if commands.is_empty() {
                let all = peers.iter().map(|&peer| program(engines, peer, &work, events));
                commands.extend(all.map(|program| program.line()));
            }
        }
        section.paragraph(&format!("Table `{tables}`: {what}. Parallelism {workers}."));
        section.table(&table);
    }
    section.commands(&commands);
    Ok(section)
}

/// One query over one of the tables.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) tables: &'a str,
    pub(super) query: &'a str,
    pub(super) workers: usize,
}

pub(super) fn program(engines: &Engines, peer: Peer, work: &Work<'_>, events: u64) -> Program {
    let tables = format!("nexmark/{}.sql", work.tables);
    let query = format!("nexmark/{}.sql", work.query);
    let place =
        |name: &str| layout::root().join(".services/bench").join(name).display().to_string();
    let mut sink = "'connector' = 'blackhole'".to_owned();
    let mut variables = vec![("EVENTS", events.to_string())];
    let known = QUERIES.iter().find(|query| query.name == work.query);
    match known.map_or(Needs::Nothing, |query| query.needs) {
        Needs::Nothing => {}
        Needs::Output => {
            let output = place(work.query);
            sink = format!("'connector' = 'filesystem', 'path' = '{output}', 'format' = 'csv'");
            variables.push(("OUTPUT", output));
        }
        Needs::SideInput => variables.push(("SIDE_INPUT", place(SIDE_INPUT))),
    }
    variables.push(("SINK", sink));
    start(engines, peer, work.workers, &[&tables, &query], &variables)
}

/// Makes the table that queries look up in.
fn write_side_input(folder: &Path) -> Result<()> {
    let lines: String = (0..10_000).map(|key| format!("{key},{key}\n")).collect();
    layout::write(&folder.join(SIDE_INPUT), &lines)
}

fn start(
    engines: &Engines,
    peer: Peer,
    workers: usize,
    files: &[&str],
    variables: &[(&str, String)],
) -> Program {
    match peer {
        Peer::Flink => engines.flink(workers, FLINK_HEAP, files, variables),
        Peer::Ours | Peer::Duckdb => engines.ours(workers, files, variables),
    }
}

/// The real run and the run over a few events.
#[derive(Debug)]
struct Measured {
    peer: Peer,
    real: Runs,
    start: Runs,
}

fn measure_query(
    engines: &Engines,
    folder: &Path,
    peers: &[Peer],
    work: &Work<'_>,
    scope: &Scope<'_>,
) -> Result<Vec<Measured>> {
    let mut programs = Vec::new();
    for &peer in peers {
        programs.push(program(engines, peer, work, scope.events));
        let mut start = program(engines, peer, work, START_EVENTS);
        start.label.push_str(", start");
        programs.push(start);
    }
    let mut results = measure::rounds(folder, scope.runs, &programs, |_| Ok(()))?.into_iter();
    let mut measured = Vec::new();
    for &peer in peers {
        let (real, start) = results.next().zip(results.next()).expect("two programs for each peer");
        measured.push(Measured { peer, real, start });
    }
    Ok(measured)
}

fn row(query: &Query, measured: &[Measured], events: u64) -> Vec<String> {
    let of = |peer: Peer| measured.iter().find(|one| one.peer == peer);
    let (ours, flink) = (of(Peer::Ours), of(Peer::Flink));
    let net = |one: &Measured| net_rate(events, &one.real, &one.start);
    let (our_rate, flink_rate) = (ours.and_then(net), flink.and_then(net));
    let shown = |one: Option<&Measured>, show: &dyn Fn(&Measured) -> String| {
        one.map_or_else(|| "-".to_owned(), show)
    };
    let megabytes = |one: &Measured| format!("{:.0}", one.real.peak_mb());
    vec![
        query.name.to_owned(),
        per_second(our_rate),
        per_second(flink_rate),
        times(our_rate.zip(flink_rate).map(|(ours, flink)| ours / flink)),
        shown(ours, &|one| seconds(one.real.cpu_s())),
        shown(flink, &|one| seconds(one.real.cpu_s())),
        shown(flink, &|one| seconds(one.start.cpu_s())),
        shown(ours, &megabytes),
        shown(flink, &megabytes),
        against(our_rate, query.dbsp),
        against(our_rate, query.flink),
    ]
}

fn against(ours: Option<f64>, thousands: Option<f64>) -> String {
    let Some(thousands) = thousands else { return "-".to_owned() };
    let ratio = times(ours.map(|rate| rate / thousands / 1e3));
    format!("{ratio} ({thousands:.0} k)")
}

// ---- answers ----

/// Which queries are not compared, and why.
fn left_out() -> String {
    let refused = QUERIES.iter().filter_map(|query| Some((query.name, query.flink_refuses?)));
    let refused = refused.map(|(name, what)| format!("Flink refuses {name} ({what})."));
    let others = QUERIES.iter().filter_map(|query| Some((query.name, query.not_compared?)));
    let others = others.map(|(name, why)| format!("{name} is not compared: {why}."));
    refused.chain(others).collect::<Vec<_>>().join(" ")
}

/// Runs all comparable queries over a few events on both engines; returns what was compared.
fn check(engines: &Engines, folder: &Path) -> Result<String> {
    eprintln!("comparing answers over {CHECK_EVENTS} events");
    let ours = answers(engines, folder, Peer::Ours)?;
    let flink = answers(engines, folder, Peer::Flink)?;
    let mut compared = Vec::new();
    for (name, ours) in &ours {
        let flink = flink.get(name).expect("both engines ran the same queries");
        if ours != flink {
            let only = |left: &Answer, right: &Answer| {
                left.iter().find(|line| !right.contains(line)).cloned().unwrap_or_default()
            };
            return Err(Error::new(format!(
                "Nexmark {name}: {} rows against Flink's {}; only ours: {}; only Flink's: {}",
                ours.len(),
                flink.len(),
                only(ours, flink),
                only(flink, ours)
            )));
        }
        compared.push(format!("{name} {} rows", ours.len()));
    }
    Ok(compared.join(", "))
}

/// The rows that are left after all changes, in an order that does not depend on the engine.
type Answer = Vec<String>;

fn answers(engines: &Engines, folder: &Path, peer: Peer) -> Result<BTreeMap<&'static str, Answer>> {
    let read = |file: &str| {
        let path = layout::root().join("bench/nexmark").join(file);
        fs::read_to_string(&path).context(format_args!("cannot read {}", path.display()))
    };
    let mut script = read("wide.sql")?;
    let compared = || QUERIES.iter().filter(|query| query.is_compared()).map(|query| query.name);
    for name in compared() {
        let sink = format!("'connector' = 'print', 'print-identifier' = '{name}'");
        let text = read(&format!("{name}.sql"))?;
        script = format!("{script}\n{}", text.replace("${SINK}", &sink));
    }
    let file = folder.join("check.sql");
    layout::write(&file, &script)?;
    let variables = [("EVENTS", CHECK_EVENTS.to_string())];
    measure::measure(folder, &start(engines, peer, 1, &[&file.display().to_string()], &variables))?;
    let printed = fs::read_to_string(folder.join("stdout")).context("cannot read the output")?;
    Ok(compared().map(|name| (name, fold(&printed, name))).collect())
}

/// What a printed changelog leaves behind: `q1> +I[1, a]`, `q1> -U[1, a]`, `q1> +U[1, b]`.
fn fold(printed: &str, name: &str) -> Answer {
    let mut rows: BTreeMap<&str, i64> = BTreeMap::new();
    for line in printed.lines() {
        let change = line.strip_prefix(name).and_then(|rest| rest.strip_prefix("> "));
        let Some((op, row)) = change.and_then(|change| change.split_once('[')) else { continue };
        *rows.entry(row).or_default() += if op.starts_with('+') { 1 } else { -1 };
    }
    let texts = |(row, count): (&str, i64)| {
        let row = row.trim_end_matches(']');
        (count != 0).then(|| if count == 1 { row.to_owned() } else { format!("{count} of {row}") })
    };
    rows.into_iter().filter_map(texts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changelogs_fold_to_tables() {
        let printed = "\
q1> +I[1, a, 5]
q17> +I[9, a, 5]
q1> +I[2, a, 7]
q1> -U[1, a, 5]
q1> +U[1, a, 6]
q1> -D[2, a, 7]
q1> +I[3, b, 8]
q1> +I[3, b, 8]
other words
";
        assert_eq!(fold(printed, "q1"), ["1, a, 6", "2 of 3, b, 8"]);
    }

    #[test]
    fn every_query_has_its_file() {
        for query in QUERIES {
            let file = layout::root().join(format!("bench/nexmark/{}.sql", query.name));
            assert!(file.is_file(), "{}", file.display());
        }
    }
}
