//! Runs tests in processes of their own, several at once, and says how each ended.
//! Invariant: every asked test gets an outcome, also when its process is killed at the time limit or crashes. A process runs
//! all tests of one number that want the same broker: the runner chooses by number.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Context, Error, Result};
use crate::{layout, process};

/// How a test logs in to the broker that wants it: see [`USER`].
const LOGIN: &str = "\
security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.username=mainstem
sasl.password=loopback
";

/// Who may log in, and the password.
pub(super) const USER: &str = "mainstem:loopback";

/// Which broker a test wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// One that makes topics by itself.
    Usual,
    /// One that does not.
    NoAutoCreate,
    /// One that asks who is there.
    Login,
}

/// One process of the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    /// The four digits.
    pub(super) number: String,
    pub(super) wants: Wants,
    pub(super) known_issue: bool,
    /// What it is told that the broker is.
    pub(super) version: String,
    /// Only this part of the test.
    pub(super) part: Option<String>,
    /// The names in the list of what it runs.
    pub(super) names: Vec<String>,
}

impl Unit {
    fn label(&self) -> &str {
        self.names.first().map_or(&self.number, String::as_str)
    }
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    Passed,
    Skipped(String),
    Failed(String),
}

/// A test that was run.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) ended: Ended,
    pub(super) seconds: u64,
    pub(super) log: PathBuf,
}

/// Where the tests run, and how.
#[derive(Debug)]
pub(super) struct Place {
    /// librdkafka's tests/, with the built runner.
    pub(super) tests: PathBuf,
    /// Logs and configurations of this run.
    pub(super) folder: PathBuf,
    pub(super) kafka_path: PathBuf,
    pub(super) kafka_jars: PathBuf,
    /// Our program.
    pub(super) binary: PathBuf,
    /// A broker for each want, as far as there is one.
    pub(super) brokers: Vec<(Wants, String)>,
    pub(super) limit: Duration,
    /// How much longer than usual tests may wait for what they wait for.
    pub(super) patience: u32,
    /// Whether the machine does other things too: of most durations that are not as expected the runner then only tells, as on
    /// its authors' own CI.
    pub(super) busy: bool,
}

impl Place {
    fn address(&self, unit: &Unit) -> Result<&str> {
        let broker = self.brokers.iter().find(|(wants, _)| *wants == unit.wants);
        let none = || Error::new(format!("there is no broker for {}", unit.label()));
        broker.map(|(_, address)| &**address).ok_or_else(none)
    }

    fn spawn(&self, unit: &Unit, log: &Path) -> Result<Child> {
        let address = self.address(unit)?;
        let conf = log.with_extension("conf");
        let patience = self.patience;
        let login = if unit.wants == Wants::Login { LOGIN } else { "" };
        let text =
            format!("bootstrap.servers={address}\ntest.timeout.multiplier={patience}\n{login}");
        layout::write(&conf, &text)?;
        let out = File::create(log).context(format_args!("cannot create {}", log.display()))?;
        let err = out.try_clone().context("cannot share the log file")?;
        let scenario = match unit.wants {
            Wants::NoAutoCreate => "noautocreate",
            Wants::Usual | Wants::Login => "default",
        };
        let mut runner = Command::new("./test-runner");
        runner.args(["-p1", "-L", "-s", scenario]).args(unit.known_issue.then_some("-k"));
        for variable in ["CI", "TEST_DEBUG", "TESTS_SKIP", "SUBTESTS", "ZK_ADDRESS"] {
            runner.env_remove(variable);
        }
        runner.envs(self.busy.then_some(("CI", "true")));
        runner.env("TESTS", &unit.number).env("TEST_KAFKA_VERSION", &unit.version);
        runner.env("RDKAFKA_TEST_CONF", &conf).env("LD_LIBRARY_PATH", "../src:../src-cpp");
        runner.env("KAFKA_JARS", &self.kafka_jars).env("MAINSTEM", &self.binary);
        runner.env("KAFKA_PATH", &self.kafka_path).env("BROKERS", address);
        runner.envs(unit.part.as_ref().map(|part| ("SUBTESTS", part)));
        runner.current_dir(&self.tests).stdin(Stdio::null()).stdout(out).stderr(err);
        runner.spawn().context("cannot start the runner of librdkafka's tests")
    }

    fn run(&self, unit: &Unit) -> Result<Vec<Outcome>> {
        let log = self.folder.join(format!("{}.log", unit.label().replace('/', "-")));
        let start = Instant::now();
        let mut child = self.spawn(unit, &log)?;
        let ended = process::wait_until(self.limit, || !matches!(child.try_wait(), Ok(None)));
        if !ended {
            let _ = child.kill();
        }
        let status = child.wait().context("cannot wait for the runner of librdkafka's tests")?;
        let seconds = start.elapsed().as_secs();
        let text = fs::read(&log).context(format_args!("cannot read {}", log.display()))?;
        let text = without_colors(&String::from_utf8_lossy(&text));
        let outcome = |name: &String| {
            let test = name.split('/').next().unwrap_or(name);
            let ended = match (ended, in_summary(&text, test)) {
                (false, _) => {
                    Ended::Failed(format!("was killed after {} seconds", self.limit.as_secs()))
                }
                // A crash, or a failure after which the runner cannot clean up, leaves no summary.
                (true, None) => Ended::Failed(format!("the runner ended with {status}")),
                (true, Some(Ended::Passed)) if !status.success() => {
                    Ended::Failed(format!("passed, but the runner ended with {status}"))
                }
                (true, Some(Ended::Passed)) if unit.part.is_some() && !ran_a_part(&text) => {
                    Ended::Failed("there is no such part".to_owned())
                }
                (true, Some(ended)) => ended,
            };
            Outcome { name: name.clone(), ended, seconds, log: log.clone() }
        };
        Ok(unit.names.iter().map(outcome).collect())
    }
}

/// Runs all of them, `jobs` at once, and tells each outcome as it comes.
pub(super) fn run_all(place: &Place, units: Vec<Unit>, jobs: usize) -> Result<Vec<Outcome>> {
    remove_leftovers(&place.tests)?;
    let waiting = Mutex::new(VecDeque::from(units));
    let done = Mutex::new(Vec::new());
    let next = || waiting.lock().expect("no thread panics with the lock").pop_front();
    let work = || -> Result<()> {
        while let Some(unit) = next() {
            let outcomes = place.run(&unit)?;
            for outcome in &outcomes {
                eprintln!("{:4} s  {}  {}", outcome.seconds, outcome.ended.word(), outcome.name);
            }
            done.lock().expect("no thread panics with the lock").extend(outcomes);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })?;
    remove_leftovers(&place.tests)?;
    let mut done = done.into_inner().expect("no thread panics with the lock");
    done.sort_by(|a: &Outcome, b: &Outcome| a.name.cmp(&b.name));
    Ok(done)
}

/// Tests leave statistics and stored offsets where they run. The names of their topics come again now and then, and a test that
/// finds offsets of an earlier one begins behind its own records.
fn remove_leftovers(tests: &Path) -> Result<()> {
    let entries = fs::read_dir(tests).context(format_args!("cannot read {}", tests.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let statistics = name.starts_with("stats_") && name.ends_with(".json");
        if statistics || name.ends_with(".offset") {
            let path = entry.path();
            fs::remove_file(&path).context(format_args!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

impl Ended {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed ",
            Self::Skipped(_) => "skipped",
            Self::Failed(_) => "FAILED ",
        }
    }
}

/// A line of the summary at the end: `| 0001_multiobj | PASSED | 1.234s | why not`.
fn in_summary(text: &str, test: &str) -> Option<Ended> {
    let (_, summary) = text.rsplit_once(" SUMMARY\n")?;
    let lines = summary.lines().filter_map(|line| line.strip_prefix('|'));
    let mut fields = lines
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&test))?
        .into_iter()
        .skip(1);
    let state = fields.next()?;
    let why = fields.nth(1).unwrap_or_default().to_owned();
    Some(match state {
        "PASSED" => Ended::Passed,
        "SKIPPED" => Ended::Skipped(why),
        _ => Ended::Failed(format!("{} {why}", state.to_lowercase())),
    })
}

/// The parts that ran are announced: `[ do_test_CreateTopics:42: PASS (0.11s) ]`.
fn ran_a_part(text: &str) -> bool {
    text.lines().any(|line| line.contains(": PASS ("))
}

fn without_colors(text: &str) -> String {
    let mut pieces = text.split('\u{1b}');
    let first = pieces.next().unwrap_or_default().to_owned();
    // Each further piece begins with `[31m`.
    pieces.fold(first, |plain, piece| plain + piece.split_once('m').map_or("", |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read() {
        let text = "\
[0045_subscribe_update       /  0.000s] ==== PASSED ====
TEST 20261120144359 (bare, scenario default) SUMMARY
#==================================================================#
|\u{1b}[32m <MAIN>                                   |     PASSED |   0.419s \u{1b}[0m|
|\u{1b}[32m 0045_subscribe_update                    |     PASSED |   0.000s \u{1b}[0m|
|\u{1b}[36m 0045_subscribe_update_mock               |    SKIPPED |   0.000s \u{1b}[0m|\u{1b}[36m Filtered due to negative test flags\u{1b}[0m
|\u{1b}[31m 0047_partial_buf_tmout                   |     FAILED |   1.000s \u{1b}[0m|\u{1b}[31m Queue full\u{1b}[0m
#==================================================================#
";
        let plain = without_colors(text);
        let rows = [
            ("0045_subscribe_update", Some(Ended::Passed)),
            (
                "0045_subscribe_update_mock",
                Some(Ended::Skipped("Filtered due to negative test flags".to_owned())),
            ),
            ("0047_partial_buf_tmout", Some(Ended::Failed("failed Queue full".to_owned()))),
            ("0045", None),
        ];
        for (test, expected) in rows {
            assert_eq!(in_summary(&plain, test), expected, "{test}");
        }
        assert_eq!(in_summary("no summary", "0045_subscribe_update"), None);
    }
}
