//! `crates/mainstem-connectors/examples/broker_probe.rs`, the client whose clock is ours: the first record after a start, latencies at a
//! steady rate, many topics.
//! Invariant: it is built before the first measurement, and a probe that fails makes the run fail.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::error::{Context, Error, Result};
use crate::{layout, process};

#[derive(Debug)]
pub(super) struct Probe(PathBuf);

/// A probe that waits for a broker to accept a record.
#[derive(Debug)]
pub(super) struct Waiting {
    child: Child,
    accepted: JoinHandle<Option<Instant>>,
}

/// Latencies in ms: median, 99 %, 99.9 %, greatest.
pub(super) type Latencies = [f64; 4];

/// What a steady rate showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Steady {
    /// Records a second that were sent.
    pub(super) rate: f64,
    pub(super) ack_ms: Latencies,
    pub(super) end_to_end_ms: Latencies,
}

impl Probe {
    pub(super) fn build() -> Result<Self> {
        let mut cargo = Command::new("cargo");
        cargo.args([
            "build",
            "--release",
            "-p",
            "mainstem-connectors",
            "--example",
            "broker_probe",
        ]);
        process::run(cargo.current_dir(layout::root()).stdin(Stdio::null()))?;
        Ok(Self(layout::built("release/examples/broker_probe")))
    }

    /// Begins to wait; returns when the probe runs.
    pub(super) fn wait_for(&self, address: &str, topic: &str) -> Result<Waiting> {
        let mut command = Command::new(&self.0);
        command.args(["first", address, topic]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the probe")?;
        let out = child.stdout.take().ok_or_else(|| Error::new("the probe says nothing"))?;
        let mut lines = BufReader::new(out).lines();
        if !matches!(lines.next(), Some(Ok(line)) if line == "waiting") {
            return Err(Error::new("the probe ended at once"));
        }
        let accepted = std::thread::spawn(move || match lines.next() {
            Some(Ok(line)) if line == "accepted" => Some(Instant::now()),
            _ => None,
        });
        Ok(Waiting { child, accepted })
    }

    pub(super) fn create_topics(&self, address: &str, topics: u64, partitions: u64) -> Result<()> {
        let (topics, partitions) = (topics.to_string(), partitions.to_string());
        let mut create = Command::new(&self.0);
        process::capture(create.args(["create", address, &topics, &partitions])).map(drop)
    }

    /// Records a second, their bytes, and for how many seconds.
    pub(super) fn steady(&self, address: &str, topic: &str, numbers: [u64; 3]) -> Result<Steady> {
        self.at_a_rate(&["steady", address, topic], numbers)
    }

    /// The same through a pipeline between two topics, of what it has committed.
    pub(super) fn committed(
        &self,
        address: &str,
        [from, to]: [&str; 2],
        numbers: [u64; 3],
    ) -> Result<Steady> {
        self.at_a_rate(&["committed", address, from, to], numbers)
    }

    fn at_a_rate(&self, words: &[&str], numbers: [u64; 3]) -> Result<Steady> {
        let mut steady = Command::new(&self.0);
        steady.args(words).args(numbers.map(|number| number.to_string()));
        let text = process::capture(&mut steady)?;
        parse(&text).ok_or_else(|| Error::new(format!("cannot understand the probe: {text}")))
    }
}

impl Waiting {
    /// When a record was accepted.
    pub(super) fn accepted(mut self) -> Result<Instant> {
        let accepted = self.accepted.join().ok().flatten();
        self.child.wait().context("cannot wait for the probe")?;
        accepted.ok_or_else(|| Error::new("the broker accepted no record"))
    }
}

fn parse(text: &str) -> Option<Steady> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let latencies = |name: &str| {
        let numbers = field(name)?.split_whitespace();
        let all: Option<Vec<f64>> = numbers.map(|us| Some(us.parse::<f64>().ok()? / 1e3)).collect();
        Latencies::try_from(all?).ok()
    };
    Some(Steady {
        rate: field("rate ")?.parse().ok()?,
        ack_ms: latencies("ack ")?,
        end_to_end_ms: latencies("end-to-end ")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_probe_says() {
        let steady = parse("rate 9999\nack 200 500 900 1500\nend-to-end 300 600 1000 2500\n");
        let expected = Steady {
            rate: 9999.0,
            ack_ms: [0.2, 0.5, 0.9, 1.5],
            end_to_end_ms: [0.3, 0.6, 1.0, 2.5],
        };
        assert_eq!(steady, Some(expected));
        assert_eq!(parse("rate 1\nack 1 2 3\n"), None);
    }
}
