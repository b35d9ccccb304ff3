//! Appending, reading, time, retention, durability.

use super::faults::last_log;
use super::*;

#[test]
fn appends_reads_syncs_and_reopens() {
    let disk = memory();
    let (mut log, _) = open(&disk, &small());
    assert_eq!(disk.list("t/0").unwrap(), Vec::<String>::new());
    for i in 0..10 {
        let appended = log.append(&batch(&[&format!("a{i}"), &format!("b{i}")]), 1_000).unwrap();
        assert_eq!((appended.base_offset, appended.last_offset), (2 * i, 2 * i + 1));
        assert_eq!(values(&mut log, 0).len(), 2 * i as usize, "nothing is seen before the sync");
        sync(&mut log);
    }
    let all = values(&mut log, 0);
    assert_eq!(all.len(), 20);
    for offset in 0..=20 {
        assert_eq!(values(&mut log, offset), all[offset as usize..]);
    }
    let (mut crashed, recovery) = open(&disk, &small());
    assert_eq!(recovery.truncated_bytes, 0);
    assert_eq!(values(&mut crashed, 0), all);
    log.close(1_000).unwrap();
    let reopened = Log::open(Arc::clone(&disk), "t/0", small(), 0, true, 1_000).unwrap();
    let (mut log, recovery) = reopened;
    assert!(recovery.clean);
    assert_eq!(recovery.scanned_bytes, 0);
    assert_eq!(values(&mut log, 3), all[3..]);
}

#[test]
fn the_bytes_limit_never_cuts_the_first_batch() {
    let disk = memory();
    let (mut log, _) = open(&disk, &LogSettings::kafka_defaults());
    let one = batch(&["x"]);
    let size = one.bytes().len() as u32;
    for _ in 0..5 {
        log.append(&one, 1_000).unwrap();
    }
    sync(&mut log);
    for (bytes_max, bytes) in [(0, size), (1, size), (size, size), (size + 5, size + 5)] {
        let read = log.read(2, bytes_max, Isolation::ReadUncommitted).unwrap();
        assert_eq!(read.size_bytes(), u64::from(bytes));
    }
    assert_eq!(
        log.read(2, u32::MAX, Isolation::ReadUncommitted).unwrap().size_bytes(),
        3 * u64::from(size)
    );
    assert_eq!(log.readable_bytes(2, Isolation::ReadUncommitted), 3 * u64::from(size));
    assert_eq!(log.readable_bytes(5, Isolation::ReadUncommitted), 0);
    assert!(log.read(5, 1, Isolation::ReadUncommitted).unwrap().ranges.is_empty());
    for outside in [-1, 6] {
        let e = log.read(outside, 1, Isolation::ReadUncommitted).unwrap_err();
        assert!(matches!(e, ReadError::OffsetOutOfRange { .. }));
    }
}

#[test]
fn append_time_is_written_and_the_crc_stays_right() {
    let settings =
        LogSettings { timestamp_type: TimestampType::LogAppend, ..LogSettings::kafka_defaults() };
    let (mut log, _) = open(&memory(), &settings);
    assert_eq!(log.append(&batch(&["x", "y"]), 77).unwrap().log_append_time_ms, 77);
    sync(&mut log);
    let read = batches(&mut log, 0, u32::MAX, Isolation::ReadUncommitted);
    let records = read[0].records(RecordLimits::default()).unwrap();
    assert!(records.iter().all(|record| record.unwrap().timestamp_ms == 77));
    assert_eq!(log.offset_for_timestamp(77).unwrap(), Some((77, 0)));
    assert_eq!(log.offset_for_timestamp(78).unwrap(), None);
}

#[test]
fn offsets_are_found_by_time_to_the_record() {
    let disk = memory();
    let (mut log, _) = open(&disk, &small());
    // Two records a batch; times go up, with one late batch.
    let times = [10, 20, 30, 15, 50, 60, 70, 80, 90, 100];
    for time in times {
        let mut builder = BatchBuilder::new(Compression::Lz4);
        builder.push(time, None, Some(b"v"), &[]);
        builder.push(time + 5, None, Some(b"v"), &[]);
        log.append(&builder.finish().unwrap(), 1_000).unwrap();
    }
    sync(&mut log);
    let all: Vec<(i64, i64)> = times.iter().flat_map(|t| [*t, t + 5]).zip(0..).collect();
    let (mut reopened, _) = open(&disk, &small());
    for log in [&mut log, &mut reopened] {
        for time in 0..120 {
            let expected = all.iter().copied().find(|(at, _)| *at >= time);
            assert_eq!(log.offset_for_timestamp(time).unwrap(), expected, "{time}");
        }
        assert_eq!(log.max_timestamp().unwrap(), Some((105, 19)));
    }
}

#[test]
fn refusals_of_a_batch() {
    let settings = LogSettings {
        message_bytes_max: 200,
        timestamp_before_max_ms: 500,
        timestamp_after_max_ms: 500,
        cleanup: CleanupPolicy::Compact,
        ..LogSettings::kafka_defaults()
    };
    let (mut log, _) = open(&memory(), &settings);
    let at = |time: i64, key: Option<&[u8]>, bytes: usize| {
        let mut builder = BatchBuilder::new(Compression::Zstd);
        builder.push(time, Some(b"k"), None, &[]);
        let value: Vec<u8> = (0..bytes as u64 * 37).map(|i| (i * i / 37 + i) as u8).collect();
        builder.push(time, key, Some(&value[..bytes]), &[]);
        builder.finish().unwrap()
    };
    log.append(&at(1_000, Some(b"k"), 1), 1_000).unwrap();
    let refused = |log: &mut Log, batch: &RecordBatch| log.append(batch, 1_000).unwrap_err();
    let e = refused(&mut log, &at(1_000, Some(b"k"), 5_000));
    assert!(matches!(e, AppendError::MessageTooLarge { .. }), "{e}");
    for time in [499, 1_501] {
        let e = refused(&mut log, &at(time, Some(b"k"), 1));
        assert!(matches!(e, AppendError::InvalidTimestamp { .. }), "{e}");
    }
    match refused(&mut log, &at(1_000, None, 1)) {
        AppendError::InvalidRecord { record_indexes, .. } => assert_eq!(record_indexes, [1]),
        e => panic!("{e}"),
    }
    let e = refused(&mut log, &control_batch(true, 1, 0, 0, 1_000));
    assert!(matches!(e, AppendError::InvalidRecord { .. }), "{e}");
    assert_eq!(log.log_end_offset(), 2);
}

#[test]
fn retention_by_time_and_size_keeps_the_end_of_the_log() {
    let day = LogSettings { retention_ms: Some(500), file_delete_delay_ms: 10, ..small() };
    let size = LogSettings { retention_ms: None, retention_bytes: Some(600), ..small() };
    for (settings, now_ms, left) in [(&day, 1_500, 30), (&day, 1_501, 0), (&size, 9_000, 12)] {
        let disk = memory();
        let (mut log, _) = open(&disk, settings);
        for i in 0..30 {
            log.append(&batch(&[&format!("{i:02}")]), 1_000).unwrap();
        }
        sync(&mut log);
        log.maintain(now_ms).unwrap();
        let start = log.log_start_offset();
        assert_eq!(values(&mut log, start).len(), left, "{settings:?}");
        assert_eq!(log.log_end_offset(), 30);
        log.maintain(now_ms + 100_000_000).unwrap();
        assert_eq!(log.append(&batch(&["next"]), now_ms).unwrap().base_offset, 30);
        sync(&mut log);
        let (reopened, recovery) = open(&disk, settings);
        assert_eq!(recovery.reason, None);
        assert_eq!(reopened.log_start_offset(), log.log_start_offset());
        assert_eq!(reopened.log_end_offset(), 31);
    }
}

#[test]
fn records_of_long_ago_stay_for_five_minutes() {
    let week_ms = 7 * 86_400_000;
    let settings = LogSettings { retention_ms: Some(week_ms), ..small() };
    let (disk, now_ms) = (memory(), 100 * week_ms);
    let (mut log, _) = open(&disk, &settings);
    log.append(&batch(&["old"]), now_ms).unwrap();
    sync(&mut log);
    assert_eq!(log.next_maintenance_ms(), now_ms + 300_000);
    for (passed_ms, start) in [(0, 0), (1_000, 0), (299_999, 0), (300_000, 1)] {
        log.maintain(now_ms + passed_ms).unwrap();
        assert_eq!(log.log_start_offset(), start, "after {passed_ms} ms");
    }
}

#[test]
fn deleted_records_stay_deleted() {
    let disk = memory();
    let (mut log, _) = open(&disk, &small());
    for _ in 0..30 {
        log.append(&batch(&["x"]), 1_000).unwrap();
    }
    sync(&mut log);
    let held = log.read(0, u32::MAX, Isolation::ReadUncommitted).unwrap();
    assert_eq!(log.delete_records(17, 1_000).unwrap(), 17);
    assert_eq!(log.delete_records(5, 1_000).unwrap(), 17);
    assert!(log.delete_records(31, 1_000).is_err());
    assert!(log.read(16, 1, Isolation::ReadUncommitted).is_err());
    let (mut reopened, _) = open(&disk, &small());
    assert_eq!(reopened.log_start_offset(), 17);
    assert_eq!(values(&mut reopened, 17).len(), 13);
    assert!(held.ranges.iter().all(|range| range.read().is_ok()), "readers finish");
    assert_eq!(reopened.delete_records(-1, 1_000).unwrap(), 30);
    let (reopened, _) = open(&disk, &small());
    assert_eq!((reopened.log_start_offset(), reopened.log_end_offset()), (30, 30));
}

#[test]
fn a_sync_covers_what_came_while_it_waited() {
    let disk = memory();
    let (mut log, _) = open(&disk, &small());
    log.append(&batch(&["before"]), 1_000).unwrap();
    let mut ticket = log.begin_sync().unwrap();
    log.append(&batch(&["meanwhile"]), 1_000).unwrap();
    log.extend_sync(&mut ticket);
    assert_eq!(ticket.covers(), 2);
    // A new segment: its file and its name are the next ticket's.
    log.append(&batch(&[&"x".repeat(2_000)]), 1_000).unwrap();
    log.append(&batch(&["next segment"]), 1_000).unwrap();
    assert!(log.segments.len() > 1);
    log.extend_sync(&mut ticket);
    assert_eq!(ticket.covers(), 2);
    let result = ticket.run();
    assert!(log.end_sync(ticket, result).is_none());
    assert_eq!(log.high_watermark(), 2);
    sync(&mut log);
    assert_eq!(log.high_watermark(), 4);
}

#[test]
fn nobody_waits_for_what_only_the_next_start_needs() {
    let disk = memory();
    let settings = LogSettings { checkpoint_bytes: 300, ..LogSettings::kafka_defaults() };
    let (mut log, _) = open(&disk, &settings);
    let large = || batch(&[&"x".repeat(300)]);
    log.append(&large(), 1_000).unwrap();
    let ticket = log.begin_sync().unwrap();
    let files = log.end_sync(ticket, Ok(())).unwrap();
    assert_eq!(log.high_watermark(), 1);
    assert_eq!(disk.list("t/0").unwrap(), ["00000000000000000000.log"]);
    // One set at a time is on its way.
    log.append(&large(), 1_000).unwrap();
    sync(&mut log);
    assert_eq!(log.high_watermark(), 2);
    assert!(log.snapshots.is_empty());
    log.end_side_files(&files, &files.store());
    assert_eq!(log.snapshots, [1]);
    log.append(&large(), 1_000).unwrap();
    sync(&mut log);
    assert_eq!(log.snapshots, [1, 3]);
}

#[test]
fn zeros_behind_the_last_batch_are_no_loss() {
    let disk: Arc<dyn Disk> = Arc::new(FaultyDisk::new(3));
    let settings = LogSettings { segment_bytes_max: 4_000, ..LogSettings::kafka_defaults() };
    let (mut log, _) = open(&disk, &settings);
    for i in 0..90 {
        log.append(&batch(&[&format!("value {i}")]), 1_000).unwrap();
        sync(&mut log);
    }
    let all = values(&mut log, 0);
    drop(log);
    // A file may have become longer, and what was to be written there was lost with the power.
    let file = disk.open(&last_log(&disk), false).unwrap();
    let size = file.size_bytes().unwrap();
    file.set_size(size + 5_000).unwrap();
    let (mut log, recovery) = open(&disk, &settings);
    assert_eq!((recovery.reason, recovery.truncated_bytes), (None, 0));
    assert_eq!(values(&mut log, 0), all);
    assert_eq!(file.size_bytes().unwrap(), size);
    log.append(&batch(&["after"]), 1_000).unwrap();
    sync(&mut log);
    log.close(1_000).unwrap();
    // Behind what is known to be durable, zeros are records that are gone.
    let file = disk.open(&last_log(&disk), false).unwrap();
    let size = file.size_bytes().unwrap();
    file.write_all_at(size - 80, &[0; 80]).unwrap();
    let end = log.log_end_offset();
    let (_, recovery) = Log::open(Arc::clone(&disk), "t/0", settings, end, false, 1_000).unwrap();
    assert!(recovery.truncated_bytes > 0 && recovery.reason.is_some(), "{recovery:?}");
}

#[test]
fn a_failed_sync_stops_writes_and_not_reads() {
    let faulty = FaultyDisk::new(7);
    let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
    let (mut log, _) = open(&disk, &small());
    log.append(&batch(&["kept"]), 1_000).unwrap();
    sync(&mut log);
    log.append(&batch(&["lost"]), 1_000).unwrap();
    faulty.set_faults(Faults { sync_error_per_mille: 1_000, ..Faults::NONE });
    let ticket = log.begin_sync().unwrap();
    assert!(log.begin_sync().is_none(), "one at a time");
    let result = ticket.run();
    assert!(log.end_sync(ticket, result).is_none());
    assert_eq!(log.high_watermark(), 1);
    assert!(matches!(log.append(&batch(&["x"]), 1_000), Err(AppendError::Poisoned(_))));
    assert_eq!(values(&mut log, 0), [(0, "kept".to_owned())]);
}

#[test]
fn an_index_that_is_gone_or_damaged_is_built_anew() {
    let disk = memory();
    let (mut log, _) = open(&disk, &small());
    for i in 0..30 {
        log.append(&produced(5, 0, i, 1, true), 1_000).unwrap();
        if i % 3 == 2 {
            log.append_marker(i % 2 == 0, 5, 0, 0, 1_000).unwrap().unwrap();
        }
    }
    sync(&mut log);
    let expected = log.read(0, u32::MAX, Isolation::ReadCommitted).unwrap().aborted;
    assert_eq!(expected.len(), 5);
    let names = disk.list("t/0").unwrap();
    for name in names.iter().filter(|name| name.ends_with(".index")) {
        let file = disk.open(&format!("t/0/{name}"), false).unwrap();
        file.write_all_at(20, b"damage").unwrap();
    }
    let (mut reopened, _) = open(&disk, &small());
    let read = reopened.read(0, u32::MAX, Isolation::ReadCommitted).unwrap();
    assert_eq!(read.aborted, expected);
    assert_eq!(values(&mut reopened, 0), values(&mut log, 0));
    let trusted = log.log_end_offset();
    let (mut lazy, recovery) =
        Log::open(Arc::clone(&disk), "t/0", small(), trusted, false, 1_000).unwrap();
    assert_eq!(recovery.scanned_bytes, 0);
    assert_eq!(lazy.read(0, u32::MAX, Isolation::ReadCommitted).unwrap().aborted, expected);
}
