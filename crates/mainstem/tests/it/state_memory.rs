//! `SET 'state.memory'`: a join whose rows have no place in memory gives what it gives with all memory, also killed with -9 and
//! gone on from; its files have no names, and nothing is left of them.

use crate::checkpoints::{kill_at_checkpoint, kills, lines};
use crate::program::{Place, Started};
use crate::servers::Deadline;

/// Each bid with its auction and the bids of the same auction at another price before it: some rows wait for long.
const JOB: &str = "
SET 'execution.checkpointing.interval' = '100 ms';
${MEMORY}
CREATE TABLE nexmark (
  event_type INT,
  auction ROW<id BIGINT, itemName VARCHAR, description VARCHAR, initialBid BIGINT, reserve BIGINT, `dateTime` TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra VARCHAR>,
  bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, `dateTime` TIMESTAMP(3), extra VARCHAR>
) WITH ('connector' = 'nexmark', 'events.num' = '${EVENTS}');
CREATE TABLE joined (id BIGINT, category BIGINT, item VARCHAR, price BIGINT, url VARCHAR, extra VARCHAR)
WITH ('connector' = 'filesystem', 'path' = '${OUT}/', 'format' = 'csv');
INSERT INTO joined
  SELECT a.id, a.category, a.itemName, b.price, b.url, b.extra
  FROM (SELECT auction.id, auction.category, auction.itemName FROM nexmark WHERE event_type = 1) AS a
  JOIN (SELECT bid.auction, bid.price, bid.url, bid.extra FROM nexmark WHERE event_type = 2) AS b ON a.id = b.auction
  WHERE MOD(a.id, 5) = 0;
";
const SMALL: &str = "SET 'state.memory' = '1 mb'; SET 'state.spill.directory' = 'rows';";

fn arguments<'a>(memory: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let events = "EVENTS=600000";
    [&["run", "job.sql", "--var", memory, "--var", out, "--var", events], more].concat()
}

/// Waits for a file without a name.
#[cfg(target_os = "linux")]
fn has_files(started: &mut Started) {
    let deadline = Deadline::new();
    let folder = format!("/proc/{}/fd", started.id());
    let is_ours = |link: std::io::Result<std::path::PathBuf>| {
        link.is_ok_and(|link| link.to_string_lossy().contains("/rows/"))
    };
    loop {
        let open = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        if open.map(|entry| std::fs::read_link(entry.path())).any(is_ours) {
            return;
        }
        assert!(!started.has_ended() && deadline.left().is_some(), "nothing is put aside");
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
}

#[test]
fn rows_without_a_place_in_memory_are_found_again() {
    let place = Place::with(&[("job.sql", JOB)]);
    let memory = format!("MEMORY={SMALL}");
    place.ok(&arguments("MEMORY=", "OUT=all", &["--quiet"]));
    #[cfg(target_os = "linux")]
    {
        let mut started = place.start(&arguments(&memory, "OUT=watched", &["--quiet"]));
        has_files(&mut started);
        started.signal("KILL");
        started.end();
        assert_eq!(std::fs::read_dir(place.path("rows")).unwrap().count(), 0);
    }
    place.ok(&arguments(&memory, "OUT=small", &["--quiet", "-p", "2"]));
    let all = lines(&place.path("all"));
    assert!(all.len() > 50_000, "{}", all.len());
    assert!(lines(&place.path("small")) == all, "other rows");

    let more = ["--state", "state", "--quiet"];
    for kill in 0..kills(3) {
        let started = place.start(&arguments(&memory, "OUT=killed", &more));
        kill_at_checkpoint(started, &place.path("state"), kill);
    }
    place.ok(&arguments(&memory, "OUT=killed", &more));
    assert!(lines(&place.path("killed")) == all, "other rows after kills");
}

#[test]
fn a_memory_that_cannot_be_is_refused() {
    let place = Place::with(&[("job.sql", JOB), ("file", "")]);
    for (memory, parts) in [
        ("SET 'state.memory' = '4 kb';", ["is 4096 bytes, the least is 1 mb", "'1 gb'"]),
        ("SET 'state.memory' = 'much';", ["state.memory", "512 kb, 16 mb or 1 gb"]),
        (
            "SET 'state.memory' = '1 mb'; SET 'state.spill.directory' = 'file';",
            ["the folder 'file' cannot be used", "state.spill.directory"],
        ),
    ] {
        let memory = format!("MEMORY={memory}");
        let ran = place.run(&arguments(&memory, "OUT=out", &["--quiet"]));
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        parts.iter().for_each(|part| assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr));
    }
}
