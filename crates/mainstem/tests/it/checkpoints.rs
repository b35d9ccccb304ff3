//! `run --state`: a pipeline that is killed with -9 again and again, with other numbers of workers, has the same files in the end as
//! one that nobody disturbed; and what a state directory is refused for. MAINSTEM_TEST_KILLS says how many kills.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::program::{Place, Ran, Started};
use crate::servers::Deadline;

/// A projection and a changelog of totals, into files.
pub(crate) const JOB: &str = "
SET 'execution.checkpointing.interval' = '100 ms';
CREATE TABLE nexmark (
  event_type INT,
  bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, `dateTime` TIMESTAMP(3), extra VARCHAR>
) WITH ('connector' = 'nexmark', 'events.num' = '${EVENTS}');
CREATE TABLE bids (auction BIGINT, bidder BIGINT, price BIGINT)
WITH ('connector' = 'filesystem', 'path' = '${OUT}/bids/', 'format' = 'json');
CREATE TABLE totals (auction BIGINT, bids BIGINT, total BIGINT)
WITH ('connector' = 'filesystem', 'path' = '${OUT}/totals/', 'format' = 'debezium-json');
INSERT INTO bids
  SELECT bid.auction, bid.bidder, bid.price FROM nexmark WHERE event_type = 2 AND MOD(bid.auction, 7) = 0;
INSERT INTO totals
  SELECT bid.auction, COUNT(*), SUM(bid.price) FROM nexmark
  WHERE event_type = 2 AND MOD(bid.auction, 50) = 0 GROUP BY bid.auction;
";

/// The lines of all files of a folder that have their final names, sorted.
pub(crate) fn lines(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_string_lossy().starts_with('.') {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            assert!(text.ends_with('\n'), "a file in pieces: {:?}", entry.path());
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    lines.sort_unstable();
    lines
}

/// How many numbers from 1 on stand at the beginning of the lines of a folder: each of them once.
pub(crate) fn count_of_numbers(folder: &Path) -> i64 {
    let lines = lines(folder);
    let number = |line: &String| line.split(',').next().and_then(|n| n.parse::<i64>().ok());
    let mut numbers: Vec<i64> = lines.iter().map(|line| number(line).expect(line)).collect();
    numbers.sort_unstable();
    let count = numbers.len() as i64;
    assert!(numbers.iter().copied().eq(1..=count), "lost or doubled: {numbers:?}");
    count
}

/// What a changelog comes to: which changes there are depends on where steps were cut.
pub(crate) fn folded(folder: &Path) -> BTreeMap<String, i64> {
    let mut rows = BTreeMap::new();
    for line in lines(folder) {
        let change = line.strip_prefix("{\"before\":").and_then(|rest| rest.rsplit_once(",\"op\""));
        let (before, after) = change.unwrap().0.split_once(",\"after\":").unwrap();
        for (row, weight) in [(before, -1), (after, 1)] {
            if row != "null" {
                *rows.entry(row.to_owned()).or_insert(0) += weight;
            }
        }
    }
    rows.retain(|_, weight| *weight != 0);
    rows
}

/// Both outputs are those of a run that nobody disturbed.
pub(crate) fn check(place: &Place) {
    let (found, expected) = (place.path("out"), place.path("undisturbed"));
    let (bids, all) = (lines(&found.join("bids")), lines(&expected.join("bids")));
    assert_eq!(bids.len(), all.len());
    assert!(all.len() > 1_000 && bids == all, "there are other bids");
    let (totals, all) = (folded(&found.join("totals")), folded(&expected.join("totals")));
    assert!(all.len() > 100 && all.values().all(|weight| *weight == 1));
    assert!(totals == all, "there are other totals");
}

/// The number of the newest checkpoint.
pub(crate) fn newest(state: &Path) -> u64 {
    let entries = std::fs::read_dir(state).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let ids = names
        .filter_map(|name| name.strip_prefix("checkpoint-")?.strip_suffix(".json")?.parse().ok());
    ids.max().unwrap_or(0)
}

/// How many kills: as MAINSTEM_TEST_KILLS says, or the usual number.
pub(crate) fn kills(usual: u64) -> u64 {
    std::env::var("MAINSTEM_TEST_KILLS").map_or(usual, |kills| kills.parse().unwrap())
}

/// The `kill`th kill of a process: now right behind its next checkpoint, now on the way to the one after.
pub(crate) fn kill_at_checkpoint(started: Started, state: &Path, kill: u64) -> Ran {
    stop_at(started, state, newest(state) + 1 + kill % 2, "KILL")
}

/// Sends a signal when that checkpoint is there; the pipeline may have ended before.
pub(crate) fn stop_at(mut started: Started, state: &Path, id: u64, signal: &str) -> Ran {
    let deadline = Deadline::new();
    while newest(state) < id && !started.has_ended() {
        assert!(deadline.left().is_some(), "no checkpoint {id}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
    if !started.has_ended() {
        started.signal(signal);
    }
    started.end()
}

fn arguments<'a>(out: &'a str, events: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", "job.sql", "--var", events, "--var", out], more].concat()
}

#[test]
fn kills_change_nothing() {
    let kills = kills(6);
    let place = Place::with(&[("job.sql", JOB)]);
    let events = format!("EVENTS={}", 1_000_000 + 400_000 * kills);
    place.ok(&arguments("OUT=undisturbed", &events, &["--quiet"]));
    let mut resumed = 0;
    for kill in 0..kills {
        let workers = (1 + kill % 3).to_string();
        let started =
            place.start(&arguments("OUT=out", &events, &["--state", "state", "-p", &workers]));
        let killed = kill_at_checkpoint(started, &place.path("state"), kill);
        resumed += u64::from(killed.stderr.contains("going on from checkpoint"));
    }
    let last = place.ok(&arguments("OUT=out", &events, &["--state", "state", "-p", "2"]));
    // On a slow machine the pipeline may have ended before the last start.
    resumed += u64::from(last.stderr.contains("going on from checkpoint"));
    assert!(resumed >= kills / 2, "{resumed} of {kills} starts went on: {}", last.stderr);
    check(&place);
    let again = place.ok(&arguments("OUT=out", &events, &["--state", "state"]));
    assert!(again.stderr.contains("all input had ended"), "{}", again.stderr);
    check(&place);
}

#[test]
fn a_stop_is_gone_on_from() {
    let place = Place::with(&[("job.sql", JOB)]);
    let events = "EVENTS=2000000";
    place.ok(&arguments("OUT=undisturbed", events, &["--quiet"]));
    let started = place.start(&arguments("OUT=out", events, &["--state", "state"]));
    let stopped = stop_at(started, &place.path("state"), 1, "INT");
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    place.ok(&arguments("OUT=out", events, &["--state", "state"]));
    check(&place);
}

#[test]
fn the_checkpoint_before_a_damaged_one_is_taken() {
    let place = Place::with(&[("job.sql", JOB)]);
    let events = "EVENTS=3000000";
    place.ok(&arguments("OUT=undisturbed", events, &["--quiet"]));
    let started = place.start(&arguments("OUT=out", events, &["--state", "state"]));
    stop_at(started, &place.path("state"), 3, "KILL");
    // The newest is damaged before anything of it was shown to anybody else.
    let id = newest(&place.path("state"));
    let manifest = format!("state/checkpoint-{id}.json");
    let text = place.read(&manifest);
    place.write(&manifest, &text[..text.len() / 2]);
    let ran = place.ok(&arguments("OUT=other", events, &["--state", "state"]));
    let said = format!("checkpoint {id} cannot be used: the manifest is cut short");
    assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("going on from checkpoint {}", id - 1)), "{}", ran.stderr);
}

#[test]
fn what_cannot_go_on_is_refused() {
    let place = Place::with(&[("job.sql", JOB)]);
    place.ok(&arguments("OUT=out", "EVENTS=1000", &["--state", "state"]));

    place.write("job.sql", JOB.replace("MOD(bid.auction, 50)", "MOD(bid.auction, 49)"));
    let ran = place.run(&arguments("OUT=out", "EVENTS=1000", &["--state", "state"]));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("checkpoint 1 is of other SQL"), "{}", ran.stderr);
    assert!(ran.stderr.contains("- Aggregate(group by"), "{}", ran.stderr);
    assert!(ran.stderr.contains("another --state directory"), "{}", ran.stderr);

    place.write("job.sql", JOB.replace("/bids/", "/bids.json"));
    let ran = place.run(&arguments("OUT=out", "EVENTS=1000", &["--state", "new"]));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("'path' names a file"), "{}", ran.stderr);

    place.write("job.sql", JOB.replace("100 ms", "9 ms"));
    let ran = place.run(&arguments("OUT=out", "EVENTS=1000", &["--state", "new"]));
    assert!(ran.stderr.contains("the least is 10 ms"), "{}", ran.stderr);

    place.write("job.sql", JOB);
    let ran = place.run(&arguments(
        "OUT=out",
        "EVENTS=1",
        &["--state", "state", "--from-checkpoint", "7"],
    ));
    assert!(ran.stderr.contains("there is no checkpoint 7"), "{}", ran.stderr);
    assert!(ran.stderr.contains("there are: 1"), "{}", ran.stderr);
}
