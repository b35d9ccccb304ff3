//! Stored bytes that are damaged, and starts that fail on their way: what is refused, what is told, what is put right.

use std::sync::Arc;

use bytes::Bytes;
use mainstem_core::clock::Rng;
use mainstem_core::disk::Disk;
use mainstem_log::{FaultyDisk, LogError, RecordBatch};

use super::stand::{Stand, without_wal};
use super::transactions::{begin, end_with};
use crate::recovery_points::Points;
use crate::topics::LogId;
use crate::wire::FetchRequest;
use crate::{Broker, remedy};

const JOURNAL: &str = "journal/00000000000000000000.log";
const BASE_OFFSET: u64 = 6;
const SIZE: u64 = 8;
const LAST_OFFSET: u64 = 26;
const RECORDS: u64 = 64;

fn stand_on(disk: &FaultyDisk) -> Stand {
    Stand::with(without_wal(), Arc::new(disk.clone())).unwrap()
}

/// A start of which only the end is of interest.
fn start(disk: &FaultyDisk) -> Result<Vec<String>, LogError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let opened = Broker::open(without_wal(), disk, Rng::new(1), 1_700_000_000_000)?;
    Ok(opened.notices)
}

/// Where each batch of a file begins.
fn positions(disk: &FaultyDisk, path: &str) -> Vec<u64> {
    let file = disk.open(path, false).unwrap();
    let mut bytes = vec![0; file.size_bytes().unwrap() as usize];
    file.read_exact_at(0, &mut bytes).unwrap();
    let all = bytes.len();
    let mut bytes = Bytes::from(bytes);
    let mut positions = Vec::new();
    loop {
        let position = (all - bytes.len()) as u64;
        match RecordBatch::parse_next(&mut bytes) {
            Some(Ok(_)) => positions.push(position),
            _ => return positions,
        }
    }
}

fn partition_log(disk: &FaultyDisk) -> String {
    let topic = disk.list("topics").unwrap().remove(0);
    format!("topics/{topic}/0/00000000000000000000.log")
}

fn is_of_journal(e: &LogError) -> bool {
    matches!(e, LogError::Corrupt { folder, .. } if folder == "journal")
}

#[test]
fn a_journal_that_is_damaged_where_it_was_synced_refuses_the_start() {
    for byte in [BASE_OFFSET, SIZE, LAST_OFFSET, RECORDS] {
        // The first, one in the middle, the last.
        for nth in [0, 2, usize::MAX] {
            let context = format!("byte {byte} of batch {nth}");
            let faulty = FaultyDisk::new(1);
            let mut stand = stand_on(&faulty);
            for name in ["t", "u", "v"] {
                stand.topic(name, 1, &[]);
                stand.produce(name, 0, &[("k", "a")]);
            }
            stand.pass(6_000);
            drop(stand);
            faulty.kill();
            let positions = positions(&faulty, JOURNAL);
            let position = positions[nth.min(positions.len() - 1)];
            faulty.flip_bit(JOURNAL, 8 * (position + byte)).unwrap();
            for _ in 0..2 {
                let e = start(&faulty).expect_err(&context);
                assert!(is_of_journal(&e), "{context}: {e}");
                assert!(remedy(&e).unwrap().contains("recovery-points"));
                assert_eq!(faulty.list("topics").unwrap().len(), 3, "{context}");
            }
            // What the remedy says.
            for name in faulty.list("journal").unwrap() {
                if name.ends_with(".index") {
                    faulty.remove(&format!("journal/{name}")).unwrap();
                }
            }
            faulty.remove("recovery-points").unwrap();
            for _ in 0..2 {
                let said = start(&faulty).unwrap_or_else(|e| panic!("{context}: {e}")).join("\n");
                assert!(said.contains("was cut at"), "{context}: {said}");
                assert_eq!(faulty.list("topics").unwrap().len(), 3, "{context}: {said}");
                faulty.kill();
            }
        }
    }
}

#[test]
fn a_journal_that_is_gone_costs_no_topic() {
    for points_stay in [true, false] {
        let faulty = FaultyDisk::new(1);
        let mut stand = stand_on(&faulty);
        stand.topic("t", 1, &[]);
        stand.produce("t", 0, &[("k", "a")]);
        stand.pass(6_000);
        drop(stand);
        faulty.kill();
        faulty.remove_folder("journal").unwrap();
        if points_stay {
            assert!(is_of_journal(&start(&faulty).unwrap_err()));
        } else {
            faulty.remove("recovery-points").unwrap();
            let said = start(&faulty).unwrap().join("\n");
            assert!(said.contains("no topic that the journal names"), "{said}");
        }
        assert_eq!(faulty.list("topics").unwrap().len(), 1);
    }
}

/// Topic `t` with `values`, damaged by `damage`; then a start that is stopped after 0, 1, 2 ... operations, and `check`.
fn stopped_starts(
    values: &[&str],
    damage: impl Fn(&FaultyDisk),
    check: impl Fn(&FaultyDisk, u64, &str),
) {
    let mut stopped = 0;
    for (seed, operations) in (0..6).flat_map(|seed| (0..40).map(move |count| (seed, count))) {
        let faulty = FaultyDisk::new(seed);
        let mut stand = stand_on(&faulty);
        stand.topic("t", 1, &[]);
        for value in values {
            stand.produce("t", 0, &[("k", value)]);
        }
        drop(stand);
        faulty.kill();
        damage(&faulty);
        faulty.stop_after(operations);
        stopped += usize::from(start(&faulty).is_err());
        check(&faulty, seed, &format!("seed {seed}, {operations} operations"));
    }
    assert!(stopped > 20, "{stopped}");
}

/// The first start cuts the journal and does not come to its end; the next one finds a journal that looks whole.
#[test]
fn a_start_that_stops_behind_the_cut_of_the_journal_costs_no_folder() {
    let damage = |faulty: &FaultyDisk| faulty.flip_bit(JOURNAL, 0).unwrap();
    stopped_starts(&["a"], damage, |faulty, seed, context| {
        for life in 0..3 {
            if (seed + life) % 2 == 0 {
                faulty.crash()
            } else {
                faulty.kill()
            }
            let stand = stand_on(faulty);
            let said = stand.notices.join("\n");
            assert!(said.contains("no topic that the journal names"), "{context}, {life}: {said}");
            assert_eq!(said.contains("was cut at"), life == 0, "{context}, {life}: {said}");
            assert_eq!(faulty.list("topics").unwrap().len(), 1, "{context}");
        }
    });
}

#[test]
fn a_cut_is_told_by_the_next_start_if_this_one_fails() {
    let damage = |faulty: &FaultyDisk| {
        let log = partition_log(faulty);
        let second = positions(faulty, &log)[1];
        faulty.flip_bit(&log, 8 * (second + RECORDS)).unwrap();
    };
    stopped_starts(&["a", "b"], damage, |faulty, seed, context| {
        if seed % 2 == 0 {
            faulty.crash()
        } else {
            faulty.kill()
        }
        // Also a start that nobody heard of, because it came to its end and no further.
        for _ in 0..2 {
            let said = start(faulty).unwrap().join("\n");
            assert!(said.contains("t-0: ") && said.contains(", offset 1: "), "{context}: {said}");
            faulty.kill();
        }
        drop(stand_on(faulty));
        faulty.crash();
        assert_eq!(start(faulty).unwrap(), Vec::<String>::new(), "{context}");
    });
}

#[test]
fn recovery_points_beyond_a_cut_are_taken_back() {
    let faulty = FaultyDisk::new(1);
    let mut stand = stand_on(&faulty);
    stand.topic("t", 1, &[]);
    for value in ["a", "b", "c"] {
        stand.produce("t", 0, &[("k", value)]);
    }
    stand.pass(6_000);
    let of_topic = || {
        let points = Points::read(&faulty).unwrap().0;
        points.offsets.into_iter().find(|(log, _)| *log != LogId::Journal).map(|(_, at)| at)
    };
    assert_eq!(of_topic(), Some(3));
    let log = partition_log(&faulty);
    let second = positions(&faulty, &log)[1];
    faulty.flip_bit(&log, 8 * (second + SIZE)).unwrap();
    start(&faulty).unwrap();
    assert_eq!(of_topic(), Some(1));
}

/// The last stable offset and the high watermark of `t`-0, and how many transactions were aborted there.
fn ends(stand: &mut Stand) -> (i64, i64, usize) {
    let mut request: FetchRequest = super::stand::fetch(&[("t", 0, 0)], 0, 1);
    request.isolation_level = 1;
    let read = stand.ask(12, &request);
    let read = &read.responses[0].partitions[0];
    assert_eq!(read.error_code, 0);
    let aborted = read.aborted_transactions.as_ref().map_or(0, Vec::len);
    (read.last_stable_offset, read.high_watermark, aborted)
}

#[test]
fn a_transaction_that_lost_its_marker_ends_as_it_had_ended() {
    for (commit, trusted) in [(true, false), (true, true), (false, false), (false, true)] {
        let context = format!("commit {commit}, trusted {trusted}");
        let faulty = FaultyDisk::new(1);
        let mut stand = stand_on(&faulty);
        stand.topic("t", 1, &[]);
        let producer = begin(&mut stand, "t");
        assert_eq!(stand.ask(3, &end_with(producer, commit)).error_code, 0);
        if trusted {
            stand.pass(6_000);
        }
        let log = partition_log(&faulty);
        let marker = positions(&faulty, &log)[1];
        faulty.flip_bit(&log, 8 * (marker + RECORDS)).unwrap();
        stand.restart(false);
        let said = stand.notices.join("\n");
        assert!(said.contains("it is written again"), "{context}: {said}");
        let (stable, high, aborted) = ends(&mut stand);
        assert_eq!((stable, aborted), (high, usize::from(!commit)), "{context}: {said}");
        // It is durable, and the next transaction is another one.
        faulty.crash();
        stand.restart(false);
        assert_eq!(ends(&mut stand), (stable, high, aborted), "{context}");
        begin(&mut stand, "t");
        assert_eq!(ends(&mut stand).0, stable, "{context}");
        stand.restart(false);
        assert!(!stand.notices.join("\n").contains("marker"), "{context}: {:?}", stand.notices);
        assert_eq!(ends(&mut stand).0, stable, "{context}: it is open");
    }
}

#[test]
fn a_transaction_whose_end_nobody_knows_is_told_of() {
    let faulty = FaultyDisk::new(1);
    let mut stand = stand_on(&faulty);
    stand.topic("t", 1, &[]);
    for commit in [true, false] {
        let producer = begin(&mut stand, "t");
        assert_eq!(stand.ask(3, &end_with(producer, commit)).error_code, 0);
    }
    // The log is cut there: what is left is open, and is not the last one.
    let log = partition_log(&faulty);
    let marker = positions(&faulty, &log)[1];
    faulty.flip_bit(&log, 8 * (marker + RECORDS)).unwrap();
    stand.restart(false);
    let said = stand.notices.join("\n");
    assert!(said.contains("t-0: a transaction that began at offset 0 has no end here"), "{said}");
    assert!(said.contains("abort --topic t --partition 0 --start-offset 0"), "{said}");
    assert_eq!(ends(&mut stand).0, 0);
}
