//! Kafka's own perf tests against a broker: how many records it takes and gives, how long they take, and what it costs it.
//! Invariant: the same jars, heap and settings whoever is asked, a new topic for each run, and what is produced is what is
//! consumed; none begins before the disk has what the ones before it wrote, and their files are gone. Figures are those that the tools print; what they cost the
//! broker stands in the kernel's books.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::server::Server;
use crate::error::{Context, Error, Result};
use crate::process;

/// What a broker writes beside topics: our write-ahead log grows to 64 MiB.
const KEPT_BYTES: u64 = 100 << 20;
/// A topic is read in little more than a second, half of which a Java machine needs to become warm: one read says little.
const READS: usize = 5;
const GONE_WITHIN: Duration = Duration::from_secs(60);

/// Records of one size in a topic of so many partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) partitions: u64,
}

impl Case {
    pub(super) fn text(&self) -> String {
        let plural = if self.partitions == 1 { "" } else { "s" };
        format!("{} B, {} partition{plural}", self.bytes, self.partitions)
    }
}

/// What one test said and cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) records_per_s: f64,
    pub(super) mb_per_s: f64,
    /// Median, 95, 99 and 99.9 percent; of producing only.
    pub(super) latencies_ms: Option<[f64; 4]>,
    /// CPU seconds of the broker.
    pub(super) broker_cpu_s: f64,
}

/// Writes the topic and reads it a few times, then removes it.
pub(super) fn measure(
    binary: &Path,
    server: &Server,
    case: Case,
    topic: &str,
) -> Result<[Figures; 2]> {
    // What another run has left in the page cache would be written during this one.
    process::run(&mut Command::new("sync"))?;
    let before = server.data_bytes()?;
    let address = server.address();
    topics(binary, &address, &["create", topic, "--partitions", &case.partitions.to_string()])?;
    let produced = measured(server, &producer(case, topic, &address), parse_produced)?;
    let mut consumed = Vec::with_capacity(READS);
    for _ in 0..READS {
        consumed.push(measured(server, &consumer(case, topic, &address), parse_consumed)?);
    }
    topics(binary, &address, &["delete", topic])?;
    // While they are looked at, files vanish.
    let is_gone = || server.data_bytes().is_ok_and(|bytes| bytes < before + KEPT_BYTES);
    match process::wait_until(GONE_WITHIN, is_gone) {
        true => Ok([produced, one_after_the_other(&consumed)]),
        false => Err(Error::new(format!("{} keeps the files of a deleted topic", server.name()))),
    }
}

fn topics(binary: &Path, address: &str, words: &[&str]) -> Result<()> {
    let mut tool = Command::new(binary);
    tool.arg("topic").args(words).args(["--bootstrap-server", address]);
    process::capture(&mut tool).map(drop)
}

/// Writes a topic, and does not look at how fast.
pub(super) fn fill(binary: &Path, server: &Server, case: Case, topic: &str) -> Result<()> {
    let address = server.address();
    topics(binary, &address, &["create", topic, "--partitions", &case.partitions.to_string()])?;
    tool(&producer(case, topic, &address)).map(drop)
}

/// Writes until it is ended.
#[derive(Debug)]
pub(super) struct Writer(Child);

impl Writer {
    pub(super) fn start(binary: &Path, server: &Server, topic: &str) -> Result<Self> {
        let mut generate = Command::new(binary);
        generate.args(["gen", "--dataset", "transactions", "--quiet", "--to"]);
        generate.arg(format!("kafka://{}/{topic}", server.address()));
        generate.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        generate.spawn().map(Self).context("cannot start the writer")
    }

    /// Fails if it has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.0.try_wait().context("cannot look at the writer")? {
            Some(status) => Err(Error::new(format!("the writer ended too early, with {status}"))),
            None => Ok(()),
        }
    }

    pub(super) fn end(mut self) -> Result<()> {
        self.0.kill().context("cannot end the writer")?;
        self.0.wait().map(drop).context("cannot wait for the writer")
    }
}

fn measured(
    server: &Server,
    words: &[String],
    parse: fn(&str) -> Option<Figures>,
) -> Result<Figures> {
    let before = server.books()?;
    let text = tool(words)?;
    let after = server.books()?;
    let said = parse(&text);
    let mut figures =
        said.ok_or_else(|| Error::new(format!("cannot understand the perf test: {text}")))?;
    figures.broker_cpu_s = after.cpu_s - before.cpu_s;
    Ok(figures)
}

/// Reads of the same topic as one: their rate, and what one of them cost.
fn one_after_the_other(reads: &[Figures]) -> Figures {
    let mean = |of: fn(&Figures) -> f64| reads.iter().map(of).sum::<f64>() / reads.len() as f64;
    Figures {
        records_per_s: mean(|read| read.records_per_s.recip()).recip(),
        mb_per_s: mean(|read| read.mb_per_s.recip()).recip(),
        latencies_ms: None,
        broker_cpu_s: mean(|read| read.broker_cpu_s),
    }
}

/// The words after `kafka-tool`.
pub(super) fn producer(case: Case, topic: &str, address: &str) -> Vec<String> {
    let bootstrap = format!("bootstrap.servers={address}");
    let (records, bytes) = (case.records.to_string(), case.bytes.to_string());
    let words = ["kafka-producer-perf-test", "--topic", topic, "--num-records", &records];
    let settings = ["--record-size", &bytes, "--throughput", "-1", "--command-property"];
    let words = words.iter().chain(&settings).copied().chain([&*bootstrap, "acks=all"]);
    words.map(str::to_owned).collect()
}

/// The words after `kafka-tool`.
pub(super) fn consumer(case: Case, topic: &str, address: &str) -> Vec<String> {
    let records = case.records.to_string();
    let words = ["kafka-consumer-perf-test", "--topic", topic, "--num-records", &records];
    let settings = ["--timeout", "60000", "--hide-header", "--bootstrap-server", address];
    words.iter().chain(&settings).map(|&word| word.to_owned()).collect()
}

fn tool(words: &[String]) -> Result<String> {
    let this = std::env::current_exe().context("cannot tell the path of this program")?;
    process::capture(Command::new(this).args(["services", "kafka-tool"]).args(words))
}

/// `1000 records sent, 5000.0 records/sec (4.88 MB/sec), 3.2 ms avg latency, 9.0 ms max latency, 3 ms 50th, ...`
fn parse_produced(text: &str) -> Option<Figures> {
    let line = text.lines().rfind(|line| line.contains("99.9th"))?;
    let before = |unit: &str| {
        let (before, _) = line.split_once(unit)?;
        let number = before.trim_end().rsplit([' ', '(']).next()?;
        number.parse::<f64>().ok()
    };
    let latencies = [" ms 50th", " ms 95th", " ms 99th", " ms 99.9th"].map(before);
    let [Some(p50), Some(p95), Some(p99), Some(p999)] = latencies else { return None };
    let records_per_s = before(" records/sec")?;
    Some(Figures {
        records_per_s,
        // The tool's MB are MiB.
        mb_per_s: before(" MB/sec")? * 1.048_576,
        latencies_ms: Some([p50, p95, p99, p999]),
        broker_cpu_s: 0.0,
    })
}

/// `start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, fetched MB/s, fetched records/s`: the last two leave
/// out how long it took to join the group.
fn parse_consumed(text: &str) -> Option<Figures> {
    let line = text.lines().rfind(|line| line.matches(", ").count() == 9)?;
    let mut numbers = line.split(", ").skip(8).map(|number| number.trim().parse::<f64>());
    let (mib_per_s, records_per_s) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(Figures { records_per_s, mb_per_s: mib_per_s * 1.048_576, ..Figures::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tools_say() {
        let text = "10 records sent, 9.9 records/sec (0.10 MB/sec), 1.1 ms avg latency, 2.0 ms max latency.\n\
            100000 records sent, 76687.1 records/sec (10.00 MB/sec), 27.43 ms avg latency, 290.00 ms max latency, \
            24 ms 50th, 80 ms 95th, 101 ms 99th, 103.5 ms 99.9th.\n";
        let figures = parse_produced(text).unwrap();
        assert_eq!(figures.records_per_s, 76_687.1);
        assert!((figures.mb_per_s - 10.485_76).abs() < 1e-9);
        assert_eq!(figures.latencies_ms, Some([24.0, 80.0, 101.0, 103.5]));
        assert_eq!(parse_produced("error"), None);
        let text = "WARN x, y\n2026-11-20 15:00:00:000, 2026-11-20 15:00:01:000, 9.5367, 9.5, 100000, 99000.0, 350, 650, 20.0, 153846.2\n";
        let figures = parse_consumed(text).unwrap();
        assert_eq!(figures.records_per_s, 153_846.2);
        assert!((figures.mb_per_s - 20.971_52).abs() < 1e-9);
        assert_eq!(parse_consumed("a, b"), None);
    }
}
