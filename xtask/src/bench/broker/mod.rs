//! The embedded broker beside a real Apache Kafka, each over its own folder of the same disk, one after the other in turns.
//! Invariant: both have the settings that they come with: ours syncs before it acknowledges, Kafka leaves that to the page
//! cache. Targets stand beside the figures; nothing is left out because it was missed.
//!
//! | file | what |
//! |---|---|
//! | `server` | the two brokers: started, stopped, killed |
//! | `perf`, [`probe`] | the clients: Kafka's perf tests, and ours |
//! | `inside` | topics that pipelines of the same process read |

mod inside;
mod perf;
mod server;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use self::perf::{Case, Figures, Writer};
use self::server::Server;
use super::books::Books;
use super::engines::Engines;
use super::measure::Program;
use super::probe::{self, Probe, Steady};
use super::report::Section;
use super::table::{Table, per_second, times};
use crate::error::{Error, Result};

const STEADY_RATE: u64 = 10_000;
const STEADY_BYTES: u64 = 1024;
const IDLE_TOPICS: u64 = 1_000;
const IDLE_PARTITIONS: u64 = 10;
/// How long a producer writes before the broker is killed.
const WRITING: Duration = Duration::from_secs(4);
/// Below so many events everything is small: to see that it works.
const FEW_EVENTS: u64 = 1_000_000;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    events: u64,
    runs: usize,
    steady_s: u64,
    idle: Duration,
    crash_bytes: u64,
}

impl Sizes {
    fn new(events: u64, runs: usize) -> Self {
        let small = events < FEW_EVENTS;
        Self {
            events,
            runs,
            steady_s: if small { 5 } else { 20 },
            idle: Duration::from_secs(if small { 5 } else { 30 }),
            crash_bytes: if small { 200_000_000 } else { 10_000_000_000 },
        }
    }

    fn cases(&self) -> Vec<Case> {
        let sizes = [(100, self.events), (1024, self.events / 5)];
        let all = sizes.into_iter().flat_map(|(bytes, records)| {
            [1, 16].map(|partitions| Case { records, bytes, partitions })
        });
        all.collect()
    }
}

pub(crate) fn run(engines: &Engines, folder: &Path, events: u64, runs: usize) -> Result<Section> {
    let sizes = Sizes::new(events, runs);
    let probe = Probe::build()?;
    let mut ours = Server::ours(engines.binary(), folder.join("broker"))?;
    let mut kafka = Server::kafka()?;
    let mut section = Section::new("The embedded broker", intro(&sizes));
    starts(&probe, [&mut ours, &mut kafka], &sizes, &mut section)?;
    // First: gigabytes that are on their way to the disk, or being deleted, are felt by every sync.
    steady(&probe, [&mut ours, &mut kafka], &sizes, &mut section)?;
    throughput(engines, [&mut ours, &mut kafka], &sizes, &mut section)?;
    kafka.wipe()?;
    ours.wipe()?;
    inside::run(engines, folder, &mut ours, &sizes, &mut section)?;
    idle(&probe, &mut ours, &sizes, &mut section)?;
    crash(engines, &probe, &mut ours, &sizes, &mut section)?;
    let case = Case { records: sizes.events, bytes: 100, partitions: 1 };
    let tool = ["cargo", "xtask", "services", "kafka-tool"].map(str::to_owned);
    let clients = [perf::producer(case, "T", "ADDRESS"), perf::consumer(case, "T", "ADDRESS")];
    let lines = clients.into_iter().map(|client| {
        let words = tool.iter().cloned().chain(client).collect();
        Program { label: String::new(), words, output: None }.line()
    });
    section.commands(&lines.collect::<Vec<_>>());
    Ok(section)
}

fn intro(sizes: &Sizes) -> String {
    format!(
        "`mainstem up` beside one node of Apache Kafka, each with the settings it comes with: ours acknowledges what \
`fdatasync` has made durable, Kafka what is in the page cache. Clients, brokers and whatever else the machine does share its \
processors. Medians of {} runs; both take turns. CPU seconds and memory are the broker's alone.",
        sizes.runs
    )
}

/// Process start to the first record that a client, which waits already, got acknowledged.
fn starts(
    probe: &Probe,
    servers: [&mut Server; 2],
    sizes: &Sizes,
    section: &mut Section,
) -> Result<()> {
    let mut table = Table::new(1, &["start to first accepted record", "new, ms", "again, ms"]);
    for server in servers {
        // Its port is known from the first start on.
        server.start()?;
        server.wipe()?;
        let mut all = [Vec::new(), Vec::new()];
        for _ in 0..sizes.runs {
            for times in &mut all {
                let waiting = probe.wait_for(&server.address(), "first")?;
                let began = server.start()?;
                let accepted = waiting.accepted()?;
                times.push(accepted.saturating_duration_since(began).as_secs_f64() * 1e3);
                server.stop()?;
            }
            server.wipe()?;
        }
        let [new, again] = all.map(median);
        eprintln!("  {:14} start {new:.1} ms, again {again:.1} ms", server.name());
        table.push(vec![server.name().to_owned(), format!("{new:.0}"), format!("{again:.0}")]);
    }
    section.paragraph(
        "From the start of the process; the topic is made by asking for it, or is there already.",
    );
    section.table(&table);
    Ok(())
}

fn throughput(
    engines: &Engines,
    mut servers: [&mut Server; 2],
    sizes: &Sizes,
    section: &mut Section,
) -> Result<()> {
    for server in &mut servers {
        server.start()?;
    }
    let head = [
        "work",
        "broker",
        "records/s",
        "MB/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "p99.9 ms",
        "broker CPU s/M",
        "of Kafka",
    ];
    let mut table = Table::new(2, &head);
    for case in sizes.cases() {
        let mut all: [[Vec<Figures>; 2]; 2] = Default::default();
        for run in 0..sizes.runs {
            for turn in 0..servers.len() {
                // None is always the one that comes after the other.
                let at = (turn + run) % servers.len();
                let (server, figures) = (&servers[at], &mut all[at]);
                let topic = format!("perf-{}-{}-{run}", case.bytes, case.partitions);
                let both = perf::measure(engines.binary(), server, case, &topic)?;
                for (figures, (found, work)) in
                    figures.iter_mut().zip(both.into_iter().zip(["produce", "consume"]))
                {
                    eprintln!(
                        "  {} of {}  {work} {:22} {:14} {:9.0} records/s  {:6.1} MB/s  {:5.2} s CPU of the broker",
                        run + 1,
                        sizes.runs,
                        case.text(),
                        server.name(),
                        found.records_per_s,
                        found.mb_per_s,
                        found.broker_cpu_s
                    );
                    figures.push(found);
                }
            }
        }
        let [ours, theirs] = all;
        for ((work, ours), theirs) in ["produce", "consume"].into_iter().zip(ours).zip(theirs) {
            let (ours, theirs) = (middle(ours), middle(theirs));
            let work = format!("{work} {}", case.text());
            let ratio = ours.records_per_s / theirs.records_per_s;
            table.push(row(&work, "Mainstem", &ours, case, Some(ratio)));
            table.push(row(&work, "Apache Kafka", &theirs, case, None));
        }
    }
    section.paragraph(&format!(
        "Kafka's perf tests with acks=all: {} records of 100 bytes, {} of 1 KiB, a new topic each time. Latencies are those of a \
full pipe: what the producer keeps queued. \"CPU s/M\" is what a million records cost the broker.",
        sizes.events,
        sizes.events / 5
    ));
    section.table(&table);
    let mut table = Table::new(1, &["memory after that", "now MB", "peak MB"]);
    for server in &servers {
        let books = server.books()?;
        let cells = [format!("{:.0}", books.rss_mb), format!("{:.0}", books.peak_mb)];
        table.push([server.name().to_owned()].into_iter().chain(cells).collect());
    }
    section.table(&table);
    Ok(())
}

/// The run with the median rate.
fn middle(mut runs: Vec<Figures>) -> Figures {
    runs.sort_by(|a, b| a.records_per_s.total_cmp(&b.records_per_s));
    runs.swap_remove(runs.len() / 2)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn row(work: &str, name: &str, figures: &Figures, case: Case, ratio: Option<f64>) -> Vec<String> {
    let latency = |index: usize| {
        figures.latencies_ms.map_or_else(|| "-".to_owned(), |ms| format!("{:.0}", ms[index]))
    };
    let cpu_s = figures.broker_cpu_s / (case.records as f64 / 1e6);
    let mut cells = vec![work.to_owned(), name.to_owned(), per_second(Some(figures.records_per_s))];
    cells.push(format!("{:.0}", figures.mb_per_s));
    cells.extend((0..4).map(latency));
    cells.extend([format!("{cpu_s:.2}"), times(ratio)]);
    cells
}

fn steady(
    probe: &Probe,
    servers: [&mut Server; 2],
    sizes: &Sizes,
    section: &mut Section,
) -> Result<()> {
    let head = ["latency", "broker", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "broker CPU"];
    let mut table = Table::new(2, &head);
    // One slow moment of the machine is a percent of a run.
    let runs = sizes.runs.max(5);
    let mut rows = Vec::new();
    for server in servers {
        // Alone: what another does when nobody asks it anything is felt in the last percent.
        server.start()?;
        let mut all = Vec::new();
        for run in 0..runs {
            let (before, begin) = (server.books()?, Instant::now());
            let numbers = [STEADY_RATE, STEADY_BYTES, sizes.steady_s];
            let found = probe.steady(&server.address(), &format!("steady-{run}"), numbers)?;
            let busy = (server.books()?.cpu_s - before.cpu_s) / begin.elapsed().as_secs_f64();
            eprintln!(
                "  {:14} at {:.0}/s: acknowledged {:?} ms, end to end {:?} ms (p50, p99, p99.9, max)",
                server.name(),
                found.rate,
                found.ack_ms,
                found.end_to_end_ms
            );
            if found.rate < 0.99 * STEADY_RATE as f64 {
                return Err(Error::new(format!("only {} records/s could be sent", found.rate)));
            }
            all.push((found, busy));
        }
        all.sort_by(|(a, _), (b, _)| a.ack_ms[1].total_cmp(&b.ack_ms[1]));
        rows.push((server.name(), all.swap_remove(all.len() / 2)));
        server.stop()?;
    }
    let kinds: [(&str, fn(&Steady) -> probe::Latencies); 2] =
        [("acknowledged", |found| found.ack_ms), ("end to end", |found| found.end_to_end_ms)];
    for (kind, latencies) in kinds {
        for (name, (found, busy)) in &rows {
            let mut cells = vec![kind.to_owned(), (*name).to_owned()];
            cells.extend(latencies(found).map(|ms| format!("{ms:.2}")));
            cells.push(format!("{:.0} %", busy * 100.0));
            table.push(cells);
        }
    }
    section.paragraph(&format!(
        "{STEADY_RATE} records of {STEADY_BYTES} bytes a second for {} s, after as long a time to warm up: one client of three threads on \
bare sockets (acks=all, what is due is sent twice a millisecond), one partition, no other broker. The runs with the median p99 of {}. Target: acknowledged p99 \
below 2 ms, end to end below 5 ms.",
        sizes.steady_s, runs
    ));
    section.table(&table);
    Ok(())
}

/// Many topics and nobody who uses them.
fn idle(probe: &Probe, ours: &mut Server, sizes: &Sizes, section: &mut Section) -> Result<()> {
    ours.start()?;
    let begin = Instant::now();
    probe.create_topics(&ours.address(), IDLE_TOPICS, IDLE_PARTITIONS)?;
    let made_s = begin.elapsed().as_secs_f64();
    thread::sleep(sizes.idle / 5);
    let mut rows = Vec::new();
    let first = idle_books(ours, sizes)?;
    rows.push(("after they were made", made_s, first));
    ours.stop()?;
    let waiting = probe.wait_for(&ours.address(), "idle-0")?;
    let began = ours.start()?;
    let again_s = waiting.accepted()?.saturating_duration_since(began).as_secs_f64();
    thread::sleep(sizes.idle / 5);
    rows.push(("after the next start", again_s, idle_books(ours, sizes)?));
    ours.wipe()?;
    let mut table = Table::new(1, &["idle", "until then s", "RSS MB", "peak MB", "CPU ms"]);
    for (what, took_s, (books, cpu_s)) in rows {
        eprintln!("  {IDLE_TOPICS} idle topics {what}: {:.0} MB, {cpu_s:.2} s CPU", books.rss_mb);
        let cells = [
            format!("{took_s:.2}"),
            format!("{:.0}", books.rss_mb),
            format!("{:.0}", books.peak_mb),
            format!("{:.0}", cpu_s * 1e3),
        ];
        table.push([what.to_owned()].into_iter().chain(cells).collect());
    }
    section.paragraph(&format!(
        "{IDLE_TOPICS} topics of {IDLE_PARTITIONS} partitions in Mainstem, and CPU over {} s (in steps of 10 ms). Target: below \
100 MB, no measurable CPU.",
        sizes.idle.as_secs()
    ));
    section.table(&table);
    Ok(())
}

/// The books now, and the CPU seconds of a while.
fn idle_books(server: &Server, sizes: &Sizes) -> Result<(Books, f64)> {
    let before = server.books()?;
    thread::sleep(sizes.idle);
    let after = server.books()?;
    Ok((after, after.cpu_s - before.cpu_s))
}

/// Killed while it is written to, with a long log.
fn crash(
    engines: &Engines,
    probe: &Probe,
    ours: &mut Server,
    sizes: &Sizes,
    section: &mut Section,
) -> Result<()> {
    let bytes = STEADY_BYTES;
    let case = Case { records: sizes.crash_bytes / bytes, bytes, partitions: 16 };
    ours.start()?;
    eprintln!("  writing {} MB", sizes.crash_bytes / 1_000_000);
    perf::fill(engines.binary(), ours, case, "long")?;
    let mut all = Vec::new();
    for _ in 0..sizes.runs {
        let mut writer = Writer::start(engines.binary(), ours, "long")?;
        thread::sleep(WRITING);
        writer.check()?;
        ours.kill()?;
        writer.end()?;
        let waiting = probe.wait_for(&ours.address(), "long")?;
        let began = ours.start()?;
        all.push(waiting.accepted()?.saturating_duration_since(began).as_secs_f64());
    }
    let size = ours.data_bytes()?;
    ours.wipe()?;
    let words = format!(
        "Killed by SIGKILL while a producer writes, with {:.1} GB of log in 16 partitions (in the page cache): a record is accepted \
{:.2} s after the start of the next process (median of {}; target: 2 s).",
        size as f64 / 1e9,
        median(all),
        sizes.runs
    );
    eprintln!("  {words}");
    section.paragraph(&words);
    Ok(())
}
