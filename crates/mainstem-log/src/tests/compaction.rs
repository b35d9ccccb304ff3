//! What compaction keeps, drops, and survives.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn compacted() -> LogSettings {
    LogSettings {
        cleanup: CleanupPolicy::Compact,
        min_cleanable_dirty_ratio: 0.0,
        delete_retention_ms: 100,
        ..small()
    }
}

fn put(log: &mut Log, rows: &[(&str, Option<&str>)]) {
    put_compressed(log, rows, Compression::None);
}

fn put_compressed(log: &mut Log, rows: &[(&str, Option<&str>)], compression: Compression) {
    let mut builder = BatchBuilder::new(compression);
    for (key, value) in rows {
        let value = value.map(str::as_bytes);
        builder.push(1_000, Some(key.as_bytes()), value, &[("h", Some(b"kept"))]);
    }
    log.append(&builder.finish().unwrap(), 1_000).unwrap();
}

/// Closes the active segment and compacts; whether anything was done.
fn compact(log: &mut Log, now_ms: i64) -> Option<Compaction> {
    sync(log);
    log.roll(now_ms).unwrap();
    let job = log.begin_compaction(now_ms).unwrap()?;
    let result = job.run();
    Some(log.end_compaction(result).unwrap())
}

fn rows(log: &mut Log) -> Vec<(i64, String, Option<String>)> {
    let start = log.log_start_offset();
    records(log, start)
}

#[test]
fn the_last_value_of_every_key_stays_at_its_offset() {
    for codec in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Zstd] {
        let disk = memory();
        let (mut log, _) = open(&disk, &compacted());
        for i in 0..40 {
            let (key, value) = (format!("k{}", i % 3), format!("v{i}"));
            put_compressed(&mut log, &[(&key, Some(&value)), ("all", Some(&value))], codec);
        }
        let stats = compact(&mut log, 1_000).unwrap();
        assert_eq!(stats.records_dropped, 80 - 4);
        assert!(stats.bytes_after < stats.bytes_before);
        let expected: Vec<_> =
            [(74, "k1", "v37"), (76, "k2", "v38"), (78, "k0", "v39"), (79, "all", "v39")]
                .map(|(at, k, v)| (at, k.to_owned(), Some(v.to_owned())))
                .into();
        assert_eq!(rows(&mut log), expected);
        assert!(log.begin_compaction(1_000).unwrap().is_none(), "there is nothing new");
        let (mut reopened, recovery) = open(&disk, &compacted());
        assert_eq!(recovery.reason, None);
        assert_eq!(rows(&mut reopened), expected);
        for offset in 0..=80 {
            let from: Vec<_> = expected.iter().filter(|(at, ..)| *at >= offset).cloned().collect();
            assert_eq!(records(&mut reopened, offset), from);
        }
        assert_eq!(reopened.log_end_offset(), 80);
    }
}

#[test]
fn a_batch_with_a_wrong_offset_supersedes_nothing() {
    let faulty = FaultyDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
    let (mut log, _) = open(&disk, &compacted());
    put(&mut log, &[("a", Some("1"))]);
    put(&mut log, &[("a", Some("2"))]);
    sync(&mut log);
    log.roll(1_000).unwrap();
    // The first batch seems to stand far behind the second; its checksum is right.
    faulty.flip_bit("t/0/00000000000000000000.log", 8 * 4).unwrap();
    let job = log.begin_compaction(1_000).unwrap().unwrap();
    let result = job.run();
    assert!(matches!(log.end_compaction(result), Err(LogError::Corrupt { .. })));
    faulty.flip_bit("t/0/00000000000000000000.log", 8 * 4).unwrap();
    assert_eq!(rows(&mut log).len(), 2, "the log is as before");
}

#[test]
fn tombstones_go_after_their_time() {
    let disk = memory();
    let (mut log, _) = open(&disk, &compacted());
    put(&mut log, &[("a", Some("1")), ("b", Some("1"))]);
    put(&mut log, &[("a", None)]);
    compact(&mut log, 1_000).unwrap();
    let tombstone = (2, "a".to_owned(), None);
    let b = (1, "b".to_owned(), Some("1".to_owned()));
    assert_eq!(rows(&mut log), [b.clone(), tombstone.clone()]);
    for (now_ms, there) in [(1_099, true), (1_100, false)] {
        put(&mut log, &[("c", Some("1"))]);
        compact(&mut log, now_ms).unwrap();
        assert_eq!(rows(&mut log).contains(&tombstone), there);
        assert!(rows(&mut log).contains(&b));
    }
    let (mut reopened, _) = open(&disk, &compacted());
    assert_eq!(rows(&mut reopened), rows(&mut log));
    let first = &batches(&mut log, 0, u32::MAX, Isolation::ReadUncommitted)[0];
    let records = first.records(RecordLimits::default()).unwrap();
    assert_eq!(records.iter().next().unwrap().unwrap().timestamp_ms, 1_000);
}

#[test]
fn aborted_records_go_then_their_marker_and_sequences_stay() {
    let disk = memory();
    let (mut log, _) = open(&disk, &compacted());
    log.append(&produced(1, 0, 0, 2, true), 1_000).unwrap();
    log.append_marker(false, 1, 0, 0, 1_000).unwrap();
    log.append(&produced(2, 0, 0, 2, true), 1_000).unwrap();
    log.append_marker(true, 2, 0, 0, 1_000).unwrap();
    put(&mut log, &[("k", Some("last"))]);
    let mut left = Vec::new();
    for round in 0..4 {
        compact(&mut log, 1_000 + round * 1_000).unwrap();
        let read = log.read(0, u32::MAX, Isolation::ReadCommitted).unwrap();
        let found = batches(&mut log, 0, u32::MAX, Isolation::ReadCommitted);
        let shape: Vec<_> = found
            .iter()
            .map(|b| (b.header().base_offset, b.header().record_count, b.header().is_control()))
            .collect();
        left.push((shape, read.aborted.len()));
        put(&mut log, &[("k", Some("last"))]);
        sync(&mut log);
    }
    // The last batches of both producers stay as empty ones, and so do the markers after them.
    let kept = [(0, 0, false), (2, 1, true), (3, 0, false), (5, 1, true)];
    for (round, (shape, aborted)) in left.iter().enumerate() {
        assert_eq!(shape[..4], kept, "{round}");
        assert_eq!(*aborted, 1);
    }
    // Without any snapshot: the sequence goes on where it was.
    for name in disk.list("t/0").unwrap().iter().filter(|name| name.ends_with(".snapshot")) {
        disk.remove(&format!("t/0/{name}")).unwrap();
    }
    let (mut reopened, _) = open(&disk, &compacted());
    assert_eq!(reopened.last_stable_offset(), reopened.log_end_offset());
    assert!(reopened.append(&produced(2, 0, 0, 2, true), 1_000).unwrap().duplicate);
    assert!(reopened.append(&produced(2, 0, 3, 1, true), 1_000).is_err());
    // A newer batch of both: the empty ones go, then the markers get their time, then they go.
    for id in [1, 2] {
        log.append(&produced(id, 0, 2, 1, false), 1_000).unwrap();
    }
    let mut markers = Vec::new();
    for round in 10..14 {
        put(&mut log, &[("k", Some("last"))]);
        compact(&mut log, 1_000 + round * 1_000).unwrap();
        let found = batches(&mut log, 0, u32::MAX, Isolation::ReadCommitted);
        let aborted = log.read(0, u32::MAX, Isolation::ReadCommitted).unwrap().aborted.len();
        markers.push((found.iter().filter(|b| b.header().is_control()).count(), aborted));
    }
    assert_eq!(markers, [(2, 1), (2, 1), (0, 0), (0, 0)]);
}

#[test]
fn open_transactions_and_the_active_segment_are_out_of_reach() {
    let (mut log, _) = open(&memory(), &compacted());
    put(&mut log, &[("a", Some("1"))]);
    put(&mut log, &[("a", Some("2"))]);
    log.append(&produced(1, 0, 0, 1, true), 1_000).unwrap();
    assert!(compact(&mut log, 1_000).is_none(), "the only closed segment is beyond the limit");
    log.append_marker(true, 1, 0, 0, 1_000).unwrap();
    put(&mut log, &[("a", Some("3"))]);
    sync(&mut log);
    let job = log.begin_compaction(1_000).unwrap().unwrap();
    let result = job.run();
    log.end_compaction(result).unwrap();
    let left: Vec<_> = rows(&mut log).into_iter().map(|(at, key, _)| (at, key)).collect();
    assert_eq!(left, [(1, "a".to_owned()), (2, "k".to_owned()), (4, "a".to_owned())]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn a_compacted_log_is_the_same_table(
        rounds in prop::collection::vec(
            prop::collection::vec((0_u8..12, prop::option::weighted(0.8, 0_u8..200)), 1..30), 1..5),
        batch_rows in 1_usize..5,
    ) {
        let disk = memory();
        let (mut log, _) = open(&disk, &compacted());
        let (mut table, mut now_ms) = (BTreeMap::new(), 1_000);
        for round in rounds {
            for chunk in round.chunks(batch_rows) {
                let rows: Vec<_> = chunk
                    .iter()
                    .map(|(key, value)| (key.to_string(), value.map(|v| v.to_string())))
                    .collect();
                let borrowed: Vec<_> =
                    rows.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
                put_compressed(&mut log, &borrowed, Compression::Lz4);
                table.extend(rows);
            }
            now_ms += 60;
            compact(&mut log, now_ms);
            let live: BTreeMap<_, _> =
                table.iter().filter(|(_, value)| value.is_some()).collect();
            for log in [&mut log, &mut open(&disk, &compacted()).0] {
                let read: BTreeMap<_, _> =
                    rows(log).into_iter().map(|(_, key, value)| (key, value)).collect();
                let read: BTreeMap<_, _> = read.iter().filter(|(_, v)| v.is_some()).collect();
                prop_assert_eq!(&read, &live);
            }
        }
    }
}

#[test]
fn a_crash_at_any_operation_of_a_compaction_loses_nothing() {
    let mut finished = false;
    // Far beyond the last operation, so that many seeds see the whole swap and the crash after it.
    for stop in 1..200 {
        let faulty = FaultyDisk::new(stop);
        let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
        let (mut log, _) = open(&disk, &compacted());
        for i in 0..20 {
            put(&mut log, &[(&format!("k{}", i % 4), Some(&format!("v{i}")))]);
        }
        sync(&mut log);
        log.roll(1_000).unwrap();
        sync(&mut log);
        let job = log.begin_compaction(1_000).unwrap().unwrap();
        faulty.stop_after(stop);
        let result = job.run();
        let done = log.end_compaction(result).is_ok();
        faulty.crash();
        let (mut log, recovery) = open(&disk, &compacted());
        let table: BTreeMap<_, _> = rows(&mut log).into_iter().map(|(_, k, v)| (k, v)).collect();
        let expected = (16..20).map(|i| (format!("k{}", i % 4), Some(format!("v{i}"))));
        assert!(table.into_iter().eq(expected), "{stop}: {recovery:?}");
        assert_eq!(log.log_end_offset(), 20, "{stop}");
        assert!(!disk.list("t/0").unwrap().iter().any(|name| name.ends_with(".cleaned")));
        compact(&mut log, 1_000);
        assert_eq!(rows(&mut log).len(), 4);
        if done {
            finished = true;
        }
    }
    assert!(finished);
}
