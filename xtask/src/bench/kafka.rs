//! Filter and project from a topic to a topic of a real Apache Kafka, beside a bare loop over librdkafka that carries as many
//! records of the same size and looks into none: the difference is ours.
//! Invariant: the broker is an instance of its own, fresh at the start and gone at the end. Threads are read from /proc
//! while the process runs and its total once it has ended, before it is reaped. Both programs take turns.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::engines::Engines;
use super::measure::{Program, rate};
use super::report::Section;
use super::table::{Table, per_second, percent, seconds};
use crate::error::{Context, Error, Result};
use crate::services::{Instance, Service};
use crate::{layout, process};

const INSTANCE: &str = "bench";
const TOPIC: &str = "transactions";
const PARTITIONS: &str = "2";
/// The mean size of what `bench/kafka/filter.sql` writes: names, punctuation, a timestamp, a UUID and an amount.
const OUTPUT_BYTES: u64 = 114;
/// The unit of times in /proc; the same on every architecture that Linux runs on today.
const TICKS_PER_SECOND: f64 = 100.0;
const POLL: Duration = Duration::from_millis(10);

pub(crate) fn run(engines: &Engines, folder: &Path, events: u64, runs: usize) -> Result<Section> {
    let instance = Instance { name: INSTANCE.to_owned() };
    let services = [Service::Kafka];
    instance.down(&services, true)?;
    let measured = instance.up(&services).and_then(|_| {
        let address =
            instance.variables().into_iter().find(|(name, _)| *name == Service::Kafka.variable());
        let (_, address) =
            address.ok_or_else(|| Error::new("Kafka has started but has no address"))?;
        measure_all(engines, folder, events, runs, &address)
    });
    let stopped = instance.down(&services, true);
    let section = measured?;
    stopped?;
    Ok(section)
}

fn measure_all(
    engines: &Engines,
    folder: &Path,
    events: u64,
    runs: usize,
    address: &str,
) -> Result<Section> {
    create_topic(TOPIC)?;
    eprintln!("sending {events} payments to Kafka");
    let mut generate = Command::new(engines.binary());
    generate.args(["gen", "--dataset", "transactions", "--seed", "1", "--quiet", "--count"]);
    generate.arg(events.to_string()).arg("--to").arg(format!("kafka://{address}/{TOPIC}"));
    process::run(generate.stdin(Stdio::null()))?;
    let sent = records(TOPIC)?;
    if sent != events {
        return Err(Error::new(format!("{events} payments were sent, the topic has {sent}")));
    }
    let bare = build_bare_loop()?;
    let mut pairs = Vec::new();
    let mut commands = Vec::new();
    for run in 0..runs {
        let topic = format!("paid-{run}");
        create_topic(&topic)?;
        let variables = [
            ("INPUT", TOPIC.to_owned()),
            ("OUTPUT", topic.clone()),
            ("BOOTSTRAP", address.to_owned()),
        ];
        let ours = engines.ours(1, &["kafka/filter.sql"], &variables);
        let our_threads = watch(folder, &ours)?;
        let kept = records(&topic)?;
        let topic = format!("bare-{run}");
        create_topic(&topic)?;
        let bare = bare_loop(&bare, [address, TOPIC, &topic], [kept, events, OUTPUT_BYTES]);
        let bare_threads = watch(folder, &bare)?;
        let carried = records(&topic)?;
        if carried != kept || pairs.first().is_some_and(|(_, _, first)| *first != kept) {
            return Err(Error::new(format!("we wrote {kept} records, the bare loop {carried}")));
        }
        for (program, threads) in [(&ours, &our_threads), (&bare, &bare_threads)] {
            eprintln!("  {} of {runs}  {:28} {}", run + 1, program.label, threads.text());
        }
        commands = vec![ours.line(), bare.line()];
        pairs.push((our_threads, bare_threads, kept));
    }
    let kept = pairs[0].2;
    let (ours, bare): (Vec<Threads>, Vec<Threads>) =
        pairs.into_iter().map(|(ours, bare, _)| (ours, bare)).unzip();
    Ok(section(&median(ours), &median(bare), [events, kept], runs, &commands))
}

/// The run with the median CPU time.
fn median(mut all: Vec<Threads>) -> Threads {
    all.sort_by(|a, b| a.total_s.total_cmp(&b.total_s));
    all.swap_remove(all.len() / 2)
}

fn build_bare_loop() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "-p", "mainstem-connectors", "--example", "kafka_bare"]);
    process::run(cargo.current_dir(layout::root()).stdin(Stdio::null()))?;
    Ok(layout::built("release/examples/kafka_bare"))
}

fn bare_loop(binary: &Path, places: [&str; 3], [keep, of, bytes]: [u64; 3]) -> Program {
    let mut words = vec![binary.display().to_string()];
    words.extend(places.map(str::to_owned));
    words.extend([keep, of, bytes].map(|number| number.to_string()));
    Program { label: "bare loop over librdkafka".to_owned(), words, output: None }
}

fn section(
    ours: &Threads,
    bare: &Threads,
    [events, kept]: [u64; 2],
    runs: usize,
    commands: &[String],
) -> Section {
    let intro = format!(
        "{events} payments in a topic of {PARTITIONS} partitions, the paid ones ({kept}) with three of five columns to \
another topic: one Apache Kafka on the same machine, acknowledged by it, one worker. The bare loop is the same client with the same settings: it takes all \
{events} records and writes the first {OUTPUT_BYTES} bytes of {kept} of them, which is as many records of the same size, without looking into any. \
The runs with the median CPU time of {runs}."
    );
    let mut section = Section::new("Kafka to Kafka", intro);
    let mut table = Table::new(
        1,
        &["program", "records/s wall", "wall s", "CPU s", "records/CPU-s", "of bare"],
    );
    for (name, threads) in [("Mainstem", ours), ("bare loop", bare)] {
        table.push(vec![
            name.to_owned(),
            per_second(rate(events, threads.wall_s)),
            seconds(threads.wall_s),
            seconds(threads.total_s),
            per_second(rate(events, threads.total_s)),
            percent(bare.wall_s / threads.wall_s),
        ]);
    }
    section.table(&table);
    section.paragraph(&format!(
        "\"Of bare\" is by the wall clock. By CPU time {} of what Mainstem takes is librdkafka's work as the bare loop does it, \
the other {} are ours: decoding, the engine, encoding, and carrying records between them.",
        percent(bare.total_s / ours.total_s),
        percent(1.0 - bare.total_s / ours.total_s)
    ));
    let mut table = Table::new(2, &["threads of Mainstem", "whose", "CPU s", "share"]);
    for (group, cpu_s) in &ours.groups {
        table.push(vec![
            format!("`{group}`"),
            whose(group).to_owned(),
            seconds(*cpu_s),
            percent(cpu_s / ours.total_s),
        ]);
    }
    table.push(vec![
        "rounding, and threads that ended between two looks".to_owned(),
        "unknown".to_owned(),
        seconds(ours.unseen_s()),
        percent(ours.unseen_s() / ours.total_s),
    ]);
    section.table(&table);
    section.commands(commands);
    section
}

/// Who spends the time of a group of threads.
fn whose(group: &str) -> &'static str {
    match group {
        _ if group.starts_with("rdk:") => "librdkafka",
        // They call librdkafka once a record.
        "edges" => "both",
        _ if group.starts_with("kafka-") => "both",
        _ => "ours",
    }
}

fn create_topic(topic: &str) -> Result<()> {
    tool(&["kafka-topics", "--create", "--topic", topic, "--partitions", PARTITIONS]).map(drop)
}

/// How many records a topic has, as Kafka says.
fn records(topic: &str) -> Result<u64> {
    let text = tool(&["kafka-get-offsets", "--topic", topic])?;
    // A line a partition: topic:partition:offset.
    Ok(text.lines().filter_map(|line| line.rsplit(':').next()?.trim().parse::<u64>().ok()).sum())
}

fn tool(args: &[&str]) -> Result<String> {
    let this = std::env::current_exe().context("cannot tell the path of this program")?;
    let mut tool = Command::new(this);
    process::capture(tool.args(["services", "--instance", INSTANCE, "kafka-tool"]).args(args))
}

/// CPU seconds of a process by the names of its threads.
#[derive(Debug)]
struct Threads {
    wall_s: f64,
    total_s: f64,
    groups: BTreeMap<String, f64>,
}

impl Threads {
    fn unseen_s(&self) -> f64 {
        (self.total_s - self.groups.values().sum::<f64>()).max(0.0)
    }

    fn text(&self) -> String {
        let groups = self.groups.iter().map(|(name, cpu_s)| format!("{name} {cpu_s:.2}"));
        let groups = groups.collect::<Vec<_>>().join("  ");
        format!("{:8.2} s wall {:8.2} s CPU  {groups}", self.wall_s, self.total_s)
    }
}

/// Threads of one purpose under one name: `rdk:broker1` and `rdk:broker2` do the same.
fn group(name: &str) -> String {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '/' || c == '-').to_owned()
}

/// Runs the program and looks at its threads until it has ended.
fn watch(folder: &Path, program: &Program) -> Result<Threads> {
    let log = folder.join("stderr");
    let out = File::create(&log).context("cannot create the log")?;
    let mut command = Command::new(&program.words[0]);
    command.args(&program.words[1..]).current_dir(layout::root());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(out);
    let start = Instant::now();
    let mut child = command.spawn().context("cannot start the program")?;
    let (threads, total_s) = watch_child(&child);
    let wall_s = start.elapsed().as_secs_f64();
    let status = child.wait().context("cannot wait for the program")?;
    if !status.success() {
        let (line, end) = (program.line(), process::tail(&log));
        return Err(Error::new(format!("`{line}` ended with {status}; {end}")));
    }
    let mut groups = BTreeMap::new();
    for (name, cpu_s) in threads.into_values() {
        *groups.entry(group(&name)).or_insert(0.0) += cpu_s;
    }
    groups.retain(|_, cpu_s| *cpu_s > 0.0);
    Ok(Threads { wall_s, total_s, groups })
}

/// The last that was seen of each thread, and the total of the process, which the kernel keeps until it is reaped.
fn watch_child(child: &Child) -> (BTreeMap<String, (String, f64)>, f64) {
    let place = format!("/proc/{}", child.id());
    let mut threads = BTreeMap::new();
    loop {
        let stat = fs::read_to_string(format!("{place}/stat")).unwrap_or_default();
        let (state, total_s) =
            Stat::parse(&stat).map_or(('Z', 0.0), |stat| (stat.state, stat.cpu_s));
        if state == 'Z' || state == 'X' {
            return (threads, total_s);
        }
        for entry in fs::read_dir(format!("{place}/task")).into_iter().flatten().flatten() {
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            if let Some(stat) = Stat::parse(&stat) {
                let id = entry.file_name().to_string_lossy().into_owned();
                threads.insert(id, (stat.name.to_owned(), stat.cpu_s));
            }
        }
        std::thread::sleep(POLL);
    }
}

/// What is read of a line of /proc/PID/stat.
#[derive(Debug, PartialEq)]
struct Stat<'a> {
    name: &'a str,
    state: char,
    cpu_s: f64,
}

impl<'a> Stat<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        // The name is in parentheses and may hold any character.
        let (before, after) = line.rsplit_once(") ")?;
        let (_, name) = before.split_once(" (")?;
        let fields: Vec<&str> = after.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
        let (user, system) = (ticks(11)?, ticks(12)?);
        let state = fields.first()?.chars().next()?;
        Some(Self { name, state, cpu_s: (user + system) / TICKS_PER_SECOND })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_read_from_their_books() {
        let line = "12 (a (b) c) S 1 12 12 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 1 2 3";
        let stat = Stat::parse(line);
        assert_eq!(stat, Some(Stat { name: "a (b) c", state: 'S', cpu_s: 3.0 }));
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn threads_of_one_purpose_are_one_group() {
        let names = ["rdk:broker1", "rdk:main", "tokio-rt-worker", "filter/0"].map(group);
        assert_eq!(names, ["rdk:broker", "rdk:main", "tokio-rt-worker", "filter"]);
    }
}
