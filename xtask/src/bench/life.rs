//! A long life: a pipeline over tables that change all the time, at full speed for minutes or hours, and what it takes meanwhile: memory,
//! disk, CPU, and how long a record takes through the same steps.
//! Invariant: figures are of stretches of the run, all of one length; latencies are of probes that another process sends ten times a
//! second and a third one receives. The pipeline ends by Ctrl-C, and has to say that it ended well.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::books::Books;
use super::engines::Engines;
use super::report::Section;
use super::table::Table;
use crate::error::{Context, Error, Result};
use crate::{layout, process};

/// Keys of the tables: all are seen within seconds.
const KEYS: u64 = 500_000;
const ADDRESS: &str = "127.0.0.1:19492";
const STRETCHES: u32 = 12;
const PROBE_EACH: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(30);

/// What the pipeline took at the end of a stretch, and what its probes took within.
struct Stretch {
    books: Books,
    state_mb: f64,
    latencies_ms: Vec<f64>,
}

/// Runs for so many minutes.
pub(crate) fn run(engines: &Engines, folder: &Path, minutes: u64) -> Result<Section> {
    let folder = folder.join("life");
    layout::remove_folder(&folder)?;
    layout::create_folder(&folder)?;
    let mut up = pipeline(engines, &folder)?;
    let stretches = watch(engines, &up, &folder.join("state"), minutes);
    process::interrupt(up.id())?;
    let ended = up.wait().context("cannot wait for the pipeline")?;
    let stretches = stretches?;
    if !ended.success() {
        return Err(Error::new("the pipeline did not end well"));
    }
    let mut table =
        Table::new(0, &["minutes", "CPU", "RSS MB", "state MB", "p50 ms", "p99 ms", "greatest ms"]);
    let length_s = minutes as f64 * 60.0 / f64::from(STRETCHES);
    let mut before = 0.0;
    for (number, stretch) in (1..).zip(stretches) {
        let [p50, p99, greatest] = quantiles(stretch.latencies_ms);
        let cpu =
            (stretch.books.cpu_s - std::mem::replace(&mut before, stretch.books.cpu_s)) / length_s;
        let at = f64::from(number) * length_s / 60.0;
        table.push(vec![
            format!("{at:.0}"),
            format!("{cpu:.2}"),
            format!("{:.0}", stretch.books.rss_mb),
            format!("{:.0}", stretch.state_mb),
            format!("{p50:.0}"),
            format!("{p99:.0}"),
            format!("{greatest:.0}"),
        ]);
    }
    let intro = format!(
        "Sums of {KEYS} keys, the last row of each, their join, and sums of sums, as fast as one worker can for {minutes} minutes, with a checkpoint each 10 s. Latencies are of a record through the same steps."
    );
    let mut section = Section::new("A long life", intro);
    section.table(&table);
    layout::remove_folder(&folder)?;
    Ok(section)
}

fn pipeline(engines: &Engines, folder: &Path) -> Result<Child> {
    let file = layout::root().join("bench/state/updates.sql");
    let mut up = Command::new(engines.binary());
    up.arg("up").arg(file).args(["--var", "WORKERS=1", "--kafka-listen", ADDRESS]);
    up.arg("--var").arg(format!("LAST={}", KEYS - 1));
    up.arg("--data").arg(folder.join("data")).arg("--state").arg(folder.join("state"));
    process::serve(&mut up, ADDRESS, LIMIT)
}

/// Probes, and looks at the books behind each stretch.
fn watch(engines: &Engines, up: &Child, state: &Path, minutes: u64) -> Result<Vec<Stretch>> {
    let client = |what: &str, topic: &str| {
        let mut client = Command::new(engines.binary());
        client.args([what, topic, "--bootstrap-server", ADDRESS, "--quiet"]);
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        client.spawn().context(format_args!("cannot start mainstem {what}"))
    };
    let (mut receiver, mut sender) = (client("consume", "seen")?, client("produce", "probes")?);
    let ends = (receiver.stdout.take(), sender.stdin.take());
    let (Some(seen), Some(mut probes)) = ends else { return Err(Error::new("no pipes")) };
    let seen = latencies(seen);
    let start = Instant::now();
    let mut stretches = Vec::new();
    for number in 1..=STRETCHES {
        let end = start + Duration::from_secs(minutes * 60) * number / STRETCHES;
        while Instant::now() < end {
            probe(&mut probes)?;
            thread::sleep(PROBE_EACH);
        }
        let books = Books::of(up.id()).ok_or_else(|| Error::new("the pipeline has ended"))?;
        let stretch =
            Stretch { books, state_mb: size_mb(state), latencies_ms: seen.try_iter().collect() };
        let minute = minutes * u64::from(number) / u64::from(STRETCHES);
        eprintln!("minute {minute}: {:.0} MB, {:.0} s of CPU", books.rss_mb, books.cpu_s);
        stretches.push(stretch);
    }
    drop(probes);
    for mut client in [sender, receiver] {
        // They may have ended with their pipes.
        let _ = client.kill();
        client.wait().context("cannot wait for a client")?;
    }
    Ok(stretches)
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_micros() as u64
}

fn probe(probes: &mut ChildStdin) -> Result<()> {
    let sent = writeln!(probes, "{{\"sent\":{}}}", now_us()).and_then(|()| probes.flush());
    sent.context("cannot send a probe")
}

/// How long each probe took, in ms.
fn latencies(seen: ChildStdout) -> Receiver<f64> {
    let (found, latencies) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(seen).lines().map_while(std::result::Result::ok) {
            let Some(sent) = sent_us(&line) else { continue };
            if found.send(now_us().saturating_sub(sent) as f64 / 1e3).is_err() {
                break;
            }
        }
    });
    latencies
}

fn sent_us(line: &str) -> Option<u64> {
    let (_, number) = line.split_once(':')?;
    number.trim_end_matches('}').trim().parse().ok()
}

/// Median, 99 %, greatest.
fn quantiles(mut all: Vec<f64>) -> [f64; 3] {
    all.sort_by(f64::total_cmp);
    let at =
        |part: f64| all.get(((all.len() as f64 * part) as usize).min(all.len().saturating_sub(1)));
    [0.5, 0.99, 1.0].map(|part| at(part).copied().unwrap_or(f64::NAN))
}

fn size_mb(folder: &Path) -> f64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => size_mb(&entry.path()),
        Ok(data) => data.len() as f64 / 1e6,
        Err(_) => 0.0,
    };
    entries.map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_say_when_they_were_sent() {
        assert_eq!(sent_us("{\"sent\":1700000000000001}"), Some(1_700_000_000_000_001));
        assert_eq!(sent_us("no"), None);
        assert_eq!(quantiles((1..=200).map(f64::from).collect()), [101.0, 199.0, 200.0]);
    }
}
