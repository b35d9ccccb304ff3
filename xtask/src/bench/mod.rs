//! `cargo xtask bench`: how fast we are, beside DuckDB and Apache Flink, side by side in one run.
//! Invariant: whole processes are measured from outside, in CPU-seconds, and answers are compared; see `report` for the
//! rules that the reader is told. Does not judge: there is no limit below which a run fails.

mod books;
mod broker;
mod commits;
mod engines;
mod growth;
mod json;
mod kafka;
mod life;
mod measure;
mod nexmark;
mod probe;
mod recovery;
mod report;
mod spill;
mod startup;
mod table;
mod transactions;

use std::path::PathBuf;

use clap::ValueEnum;

use self::engines::{Engines, Peer};
use crate::error::{Error, Result};
use crate::layout;

const FEW_EVENTS: u64 = 1_000_000;
/// How much state a restart is measured with at least.
const STATE_BYTES: u64 = 4_000_000_000;
const LENGTHS: [u64; 3] = [1_000_000, 10_000_000, 50_000_000];

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// What to measure; everything when none is named
    parts: Vec<Part>,
    /// How many events; default: 5 M payments, 10 M for Nexmark, 2 M through Kafka, 5 M to brokers, 4 M for joins on disk
    #[arg(long)]
    events: Option<u64>,
    /// How often each program is run
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Which queries of Nexmark
    #[arg(long, value_delimiter = ',', value_parser = nexmark::names(), default_values_t = nexmark::names().into_iter().map(str::to_owned))]
    queries: Vec<String>,
    /// Which tables of Nexmark: one of all events, or one of bids alone
    #[arg(long, value_delimiter = ',', value_parser = nexmark::tables(), default_values_t = nexmark::tables().into_iter().map(str::to_owned))]
    tables: Vec<String>,
    /// With how many workers Nexmark is run, one after the other
    #[arg(long, value_delimiter = ',', default_value = "1")]
    workers: Vec<usize>,
    /// How many events the growth of costs is measured at, the fewest first
    #[arg(long, value_delimiter = ',', default_values_t = LENGTHS)]
    lengths: Vec<u64>,
    /// How long a life is
    #[arg(long, default_value_t = 120)]
    minutes: u64,
    /// Who is measured
    #[arg(long, value_delimiter = ',', default_value = "ours,duckdb,flink")]
    peers: Vec<Peer>,
    /// Measure this binary of ours instead of building one
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Write docs/benchmarks.md
    #[arg(long)]
    report: bool,
}

/// One part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Part {
    /// Payments from a file of JSON: filter and project, and windows per user
    Transactions,
    /// Our reader of JSON beside others, inside one process
    Json,
    /// A hundred events, from the start of a process to its exit
    Startup,
    /// Queries of Nexmark
    Nexmark,
    /// What an event of Nexmark costs after millions of others
    Growth,
    /// A pipeline with much state that was killed: how soon it goes on
    Recovery,
    /// State that is larger than its memory, beside Flink with RocksDB
    Spill,
    /// Exactly-once results, from a producer to a reader of what is committed
    Commits,
    /// Tables that change all the time, at full speed for two hours: memory, disk, latency; only when it is named
    Life,
    /// Filter and project from a real Kafka to a real Kafka, and whose CPU time it takes
    Kafka,
    /// The embedded broker beside Apache Kafka: throughput, latency, memory, start, and its topics read from inside
    Broker,
}

impl Part {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// What `cargo xtask bench` does.
pub(crate) fn main(args: &BenchArgs) -> Result<()> {
    if args.runs == 0 || args.events.is_some_and(|events| events < 1000) {
        return Err(Error::new("at least one run and 1000 events make a measurement"));
    }
    if !args.peers.contains(&Peer::Ours) {
        return Err(Error::new("`ours` has to be among the peers: ratios are to it"));
    }
    let mut peers = args.peers.clone();
    peers.sort_unstable();
    peers.dedup();
    let folder = layout::root().join(".services/bench");
    layout::create_folder(&folder)?;
    let _one_at_a_time = layout::lock(&layout::root().join(".services/bench.lock"))?;
    let engines = Engines::prepare(&folder, &peers, args.binary.as_deref())?;
    let mut facts = report::facts(&command_line(args), &engines.versions)?;
    if args.events.is_some_and(|events| events < FEW_EVENTS) {
        let words = "fewer than a million events show that it works; the rates are noise, above all those of Flink, which still compiles itself";
        facts.push(("**small**".to_owned(), words.to_owned()));
    }
    for (name, value) in &facts {
        eprintln!("{name}: {value}");
    }
    let usual = |part: &Part| args.parts.is_empty() && *part != Part::Life;
    let named = |part: &Part| usual(part) || args.parts.contains(part);
    let (parts, absent): (Vec<Part>, Vec<Part>) =
        Part::value_variants().iter().copied().partition(named);
    let mut sections = Vec::new();
    for part in parts {
        let events = |usual: u64| args.events.unwrap_or(usual);
        let section = match part {
            Part::Transactions => {
                transactions::run(&engines, &folder, events(5_000_000), args.runs)?
            }
            Part::Json => json::run(&engines, &folder)?,
            Part::Startup => startup::run(&engines, &folder, args.runs)?,
            Part::Nexmark => {
                let scope = nexmark::Scope {
                    queries: &args.queries,
                    tables: &args.tables,
                    workers: &args.workers,
                    events: events(10_000_000),
                    runs: args.runs,
                };
                nexmark::run(&engines, &folder, &scope)?
            }
            Part::Growth => {
                let scope = growth::Scope {
                    queries: &args.queries,
                    lengths: &args.lengths,
                    workers: &args.workers,
                    runs: args.runs,
                };
                growth::run(&engines, &folder, &scope)?
            }
            Part::Recovery => recovery::run(&engines, &folder, STATE_BYTES, args.runs)?,
            Part::Spill => spill::run(&engines, &folder, events(4_000_000), args.runs)?,
            Part::Commits => commits::run(&engines, &folder, args.runs)?,
            Part::Life => life::run(&engines, &folder, args.minutes)?,
            Part::Kafka => kafka::run(&engines, &folder, events(2_000_000), args.runs)?,
            Part::Broker => broker::run(&engines, &folder, events(5_000_000), args.runs)?,
        };
        println!("{}", section.text());
        sections.push(section);
    }
    if args.report {
        let absent: Vec<String> = absent.into_iter().map(Part::name).collect();
        report::write(&facts, &sections, &absent)?;
    }
    Ok(())
}

/// The command without what does not matter for its figures.
fn command_line(args: &BenchArgs) -> String {
    let mut words = vec!["cargo xtask bench".to_owned()];
    words.extend(args.parts.iter().map(|part| part.name()));
    words.extend(args.events.map(|events| format!("--events {events}")));
    words.push(format!("--runs {}", args.runs));
    if args.queries.len() < nexmark::names().len() {
        words.push(format!("--queries {}", args.queries.join(",")));
    }
    if args.tables.len() < nexmark::tables().len() {
        words.push(format!("--tables {}", args.tables.join(",")));
    }
    if args.workers != [1] {
        let workers: Vec<String> = args.workers.iter().map(usize::to_string).collect();
        words.push(format!("--workers {}", workers.join(",")));
    }
    if args.lengths != LENGTHS {
        let lengths: Vec<String> = args.lengths.iter().map(u64::to_string).collect();
        words.push(format!("--lengths {}", lengths.join(",")));
    }
    if args.parts.contains(&Part::Life) {
        words.push(format!("--minutes {}", args.minutes));
    }
    let peers = args.peers.iter().filter_map(|peer| peer.to_possible_value());
    let peers: Vec<String> = peers.map(|peer| peer.get_name().to_owned()).collect();
    words.push(format!("--peers {}", peers.join(",")));
    words.extend(args.binary.as_ref().map(|_| "--binary FILE".to_owned()));
    words.extend(args.report.then(|| "--report".to_owned()));
    words.join(" ")
}
