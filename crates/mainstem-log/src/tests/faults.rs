//! Crashes, cuts, flipped bits, full disks.

use super::*;
use mainstem_core::clock::Rng;
use std::collections::BTreeMap;

/// A log of three segments; all files as they are on the disk.
fn written() -> (Arc<dyn Disk>, Vec<(i64, String)>) {
    let disk = memory();
    let (mut log, _) = open(&disk, &small());
    for i in 0..9 {
        log.append(&batch(&[&format!("first {i}"), &format!("second {i}")]), 1_000).unwrap();
    }
    sync(&mut log);
    let all = values(&mut log, 0);
    (disk, all)
}

pub(super) fn last_log(disk: &Arc<dyn Disk>) -> String {
    let names = disk.list("t/0").unwrap();
    format!("t/0/{}", names.iter().rfind(|name| name.ends_with(".log")).unwrap())
}

#[test]
fn a_log_cut_at_any_byte_opens_with_all_whole_batches() {
    let (disk, all) = written();
    let path = last_log(&disk);
    let base: usize = path[4..24].parse().unwrap();
    let file = disk.open(&path, false).unwrap();
    let batch_bytes = batch(&["first 0", "second 0"]).bytes().len() as u64;
    let mut good = vec![0; file.size_bytes().unwrap() as usize];
    file.read_exact_at(0, &mut good).unwrap();
    for size in (0..file.size_bytes().unwrap()).rev() {
        file.write_all_at(0, &good).unwrap();
        file.set_size(size).unwrap();
        let (mut log, recovery) = open(&disk, &small());
        let whole = base + 2 * (size / batch_bytes) as usize;
        assert_eq!(values(&mut log, 0), all[..whole], "{size}");
        // The first bytes of a batch are zeros, and so may be what a loss of power leaves.
        let rest = &good[(size - size % batch_bytes) as usize..size as usize];
        let lost = if rest.iter().all(|byte| *byte == 0) { 0 } else { rest.len() as u64 };
        assert_eq!(recovery.truncated_bytes, lost);
        assert_eq!(recovery.reason.is_some(), recovery.truncated_bytes > 0);
        let appended = log.append(&batch(&["new"]), 1_000).unwrap();
        assert_eq!(appended.base_offset, whole as i64);
    }
}

#[test]
fn a_flipped_bit_is_found_and_nothing_before_it_is_lost() {
    let (disk, all) = written();
    let path = last_log(&disk);
    let base: usize = path[4..24].parse().unwrap();
    let file = disk.open(&path, false).unwrap();
    let size = file.size_bytes().unwrap();
    let mut good = vec![0; size as usize];
    file.read_exact_at(0, &mut good).unwrap();
    let batch_bytes = batch(&["first 0", "second 0"]).bytes().len();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        file.set_size(0).unwrap();
        file.write_all_at(0, &bad).unwrap();
        let (mut log, recovery) = open(&disk, &small());
        let within = bit / 8 % batch_bytes;
        // The leader epoch says nothing and has no checksum.
        let harmless = (12..16).contains(&within);
        let whole = if harmless { all.len() } else { base + 2 * (bit / 8 / batch_bytes) };
        assert_eq!(values(&mut log, 0), all[..whole], "bit {bit}: {recovery:?}");
        assert_eq!(recovery.reason.is_none(), harmless);
    }
}

/// A log of one segment without stored indexes or snapshots: two records, a transaction of two with its marker, two more.
fn in_one_segment() -> (FaultyDisk, LogSettings, Vec<(i64, String)>) {
    let faulty = FaultyDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
    let settings = LogSettings::kafka_defaults();
    let (mut log, _) = open(&disk, &settings);
    log.append(&batch(&["a", "b"]), 1_000).unwrap();
    log.append(&produced(7, 0, 0, 2, true), 1_000).unwrap();
    log.append_marker(true, 7, 0, 0, 1_000).unwrap();
    log.append(&batch(&["c", "d"]), 1_000).unwrap();
    sync(&mut log);
    let all = values(&mut log, 0);
    (faulty, settings, all)
}

/// Where each batch begins.
fn positions(disk: &dyn Disk) -> Vec<u64> {
    let file = disk.open("t/0/00000000000000000000.log", false).unwrap();
    let mut walk = segment::Walk::new(&*file, 0, file.size_bytes().unwrap());
    std::iter::from_fn(|| Some(walk.next().ok()??.0)).collect()
}

#[test]
fn a_damaged_marker_costs_no_records_and_is_told_of() {
    let (faulty, settings, all) = in_one_segment();
    let marker = positions(&faulty)[2];
    faulty.flip_bit("t/0/00000000000000000000.log", 8 * (marker + 70)).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(faulty);
    let trusted = 7;
    let (mut log, recovery) =
        Log::open(Arc::clone(&disk), "t/0", settings, trusted, false, 1_000).unwrap();
    assert!(recovery.reason.unwrap().contains("at or after offset 4 is damaged"));
    assert_eq!(recovery.truncated_bytes, 0);
    assert_eq!((log.log_end_offset(), log.last_stable_offset()), (7, 2), "how it ended is lost");
    let there = log.read(5, u32::MAX, Isolation::ReadUncommitted).unwrap();
    assert_eq!(there.ranges.len(), 1);
    assert_eq!(values(&mut log, 5), all[4..]);
}

#[test]
fn damage_below_the_trusted_offset_is_cut_where_it_is_and_not_behind_it() {
    // The number of the last record, of the second batch.
    let (faulty, settings, all) = in_one_segment();
    let second = positions(&faulty)[1];
    faulty.flip_bit("t/0/00000000000000000000.log", 8 * (second + 26) + 4).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(faulty);
    let (mut log, recovery) = Log::open(disk, "t/0", settings, 7, false, 1_000).unwrap();
    assert!(recovery.reason.unwrap().contains("offset 2:"));
    assert_eq!(values(&mut log, 0), all[..2]);
    assert_eq!(log.append(&batch(&["new"]), 1_000).unwrap().base_offset, 2);
}

#[test]
fn a_batch_with_a_wrong_offset_is_refused_to_readers() {
    for bit in [0, 40, 57, 58, 62] {
        let (faulty, settings, _) = in_one_segment();
        let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
        let (mut log, _) = open(&disk, &settings);
        faulty.flip_bit("t/0/00000000000000000000.log", 8 * positions(&faulty)[1] + bit).unwrap();
        let read = log.read(2, u32::MAX, Isolation::ReadUncommitted);
        assert!(matches!(read, Err(ReadError::Log(LogError::Corrupt { .. }))), "{bit}: {read:?}");
        assert!(log.read(0, 1, Isolation::ReadUncommitted).is_ok());
    }
}

#[test]
fn only_the_tail_is_scanned() {
    let disk = memory();
    let settings = LogSettings { durability: Durability::Ack, ..LogSettings::kafka_defaults() };
    let (mut log, _) = open(&disk, &settings);
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(1_000, None, Some(&vec![7; 1_000_000]), &[]);
    let large = builder.finish().unwrap();
    for _ in 0..100 {
        log.append(&large, 1_000).unwrap();
        sync(&mut log);
    }
    // The caller knows nothing, the stored index of the active segment does.
    let (log, recovery) = open(&disk, &settings);
    assert_eq!(log.log_end_offset(), 100);
    assert!(recovery.scanned_bytes < 34 << 20, "{recovery:?}");
}

fn some_faults(rng: &mut Rng) -> Faults {
    Faults {
        short_per_mille: 100,
        write_error_per_mille: rng.below(2) * 50,
        sync_error_per_mille: rng.below(2) * 30,
        space_bytes: if rng.below(3) == 0 { 2_000 } else { u64::MAX },
    }
}

/// A sync before whose turn, and while which, there may be an append.
fn sync_slowly(log: &mut Log, rng: &mut Rng, model: &mut Vec<String>) {
    let Some(mut ticket) = log.begin_sync() else { return };
    if rng.below(3) == 0 && log.append(&batch(&["waiting"]), 1_000).is_ok() {
        model.push("waiting".to_owned());
        log.extend_sync(&mut ticket);
    }
    if rng.below(3) == 0 && log.append(&batch(&["meanwhile"]), 1_000).is_ok() {
        model.push("meanwhile".to_owned());
    }
    let result = ticket.run();
    let Some(files) = log.end_sync(ticket, result) else { return };
    if rng.below(2) == 0 && log.append(&batch(&["since"]), 1_000).is_ok() {
        model.push("since".to_owned());
    }
    let result = files.store();
    log.end_side_files(&files, &result);
}

/// One life after another on a disk that fails.
fn live(seed: u64) {
    let mut rng = Rng::new(seed);
    let faulty = FaultyDisk::new(seed ^ 0xd15c);
    let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
    let mut model: Vec<String> = Vec::new();
    // Producer and sequence of every batch that has them, by offset.
    let mut sequences: BTreeMap<usize, (i64, i32)> = BTreeMap::new();
    let (mut durable, mut start, mut point) = (0, 0, 0);
    for life in 0..6 {
        faulty.set_faults(Faults::NONE);
        let (mut log, recovery) =
            Log::open(Arc::clone(&disk), "t/0", small(), point, false, 1_000).unwrap();
        let context = format!("seed {seed}, life {life}: {recovery:?}");
        let found = from_start(&mut log);
        let end = log.log_end_offset() as usize;
        assert!(end >= durable, "{context}: lost {end}..{durable}");
        assert!(log.log_start_offset() >= start, "{context}");
        start = log.log_start_offset();
        let dense = found.iter().map(|(offset, _)| *offset).eq(start..end as i64);
        assert!(dense, "{context}: {found:?}");
        for (offset, value) in &found {
            let known = model.get(*offset as usize).filter(|_| (*offset as usize) < durable);
            assert!(known.is_none_or(|known| known == value), "{context}: offset {offset}");
        }
        check_producers(&mut log, &context);
        for (id, sequence) in sequences.range(..durable).map(|(_, wrote)| *wrote) {
            assert!(last_sequence(&log, id) >= sequence, "{context}: {id} forgot {sequence}");
        }
        sequences.split_off(&end);
        model.truncate(durable);
        model.resize(model.len().max(start as usize), String::new());
        let known = model.len() - start as usize;
        model.extend(found.into_iter().skip(known).map(|(_, value)| value));
        durable = log.high_watermark() as usize;
        faulty.set_faults(some_faults(&mut rng));
        faulty.stop_after(20 + rng.below(150));
        for _ in 0..60 {
            match rng.below(10) {
                0..5 => {
                    let value = format!("{seed}.{life}.{}", rng.below(1 << 40));
                    let batch = next_batch(&log, rng.below(4) as i64, &value);
                    let header = batch.header();
                    if let Ok(appended) = log.append(&batch, 1_000) {
                        assert_eq!(appended.base_offset as usize, model.len(), "{context}");
                        if header.producer_id >= 0 {
                            let wrote = (header.producer_id, header.base_sequence);
                            sequences.insert(model.len(), wrote);
                        }
                        model.push(value);
                    }
                    if let Ok(Some(_)) =
                        log.append_marker(rng.below(2) == 0, 2 + rng.below(4) as i64, 0, 0, 1_000)
                    {
                        model.push(String::new());
                    }
                }
                5..8 => sync_slowly(&mut log, &mut rng, &mut model),
                8 => {
                    let to = rng.below(log.high_watermark() as u64 + 1) as i64;
                    if rng.below(4) == 0
                        && let Ok(at) = log.delete_records(to, 1_000)
                    {
                        start = at;
                    }
                }
                _ => drop(log.maintain(1_000)),
            }
            durable = durable.max(log.high_watermark() as usize);
            point = if rng.below(8) == 0 { log.recovery_point() } else { point };
        }
        start = start.min(log.log_start_offset());
        if rng.below(3) == 0 { faulty.kill() } else { faulty.crash() }
    }
}

#[test]
fn nothing_below_the_high_watermark_is_lost() {
    // 12: an aborted transaction from before the log's start; 3987: a name that a killed process left unsynced; 995: the
    // producers of deleted records, in a snapshot that a killed process left unsynced.
    for seed in (0..300).chain([3987, 995]) {
        live(seed);
    }
}

#[test]
fn the_same_seed_fails_in_the_same_way() {
    let trace = |seed| {
        let faulty = FaultyDisk::new(seed);
        let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
        faulty.set_faults(Faults {
            short_per_mille: 300,
            write_error_per_mille: 200,
            ..Faults::NONE
        });
        let file = disk.open("f", true).unwrap();
        let results: Vec<String> =
            (0..50).map(|i| format!("{:?}", file.write_at(i * 10, b"0123456789"))).collect();
        faulty.crash();
        (results, disk.list("").unwrap())
    };
    assert_eq!(trace(5), trace(5));
    assert_ne!(trace(5), trace(6));
}

/// Offset and value of all records; a marker has an empty one.
fn from_start(log: &mut Log) -> Vec<(i64, String)> {
    let start = log.log_start_offset();
    let mut found = values(log, start);
    for batch in batches(log, start, u32::MAX, Isolation::ReadUncommitted) {
        if batch.header().is_control() && batch.header().base_offset >= start {
            found.push((batch.header().base_offset, String::new()));
        }
    }
    found.sort();
    found
}

/// -1 if the producer is not known.
fn last_sequence(log: &Log, id: i64) -> i32 {
    log.producers().find(|p| p.producer_id == id).map_or(-1, |p| p.last_sequence)
}

/// The next batch of producer 0 (none), 1 (idempotent), 2 or 3 (transactional).
fn next_batch(log: &Log, id: i64, value: &str) -> RecordBatch {
    let mut builder = BatchBuilder::new(Compression::None);
    if id > 0 {
        builder = builder.with_producer(id, 0, last_sequence(log, id) + 1);
    }
    if id > 1 {
        builder = builder.transactional();
    }
    builder.push(1_000, None, Some(value.as_bytes()), &[]);
    builder.finish().unwrap()
}

/// What the log says of producers and transactions is what its batches say.
fn check_producers(log: &mut Log, context: &str) {
    let start = log.log_start_offset();
    let (mut last, mut open) = (BTreeMap::new(), BTreeMap::new());
    let (mut aborted, mut first_marker) = (Vec::new(), BTreeMap::new());
    for batch in batches(log, start, u32::MAX, Isolation::ReadUncommitted) {
        let header = batch.header();
        let id = header.producer_id;
        if header.is_control() {
            let control = batch.records(RecordLimits::default()).unwrap().control().unwrap();
            first_marker.entry(id).or_insert(header.base_offset);
            let first = open.remove(&id);
            if let (Some((ControlKind::Abort, _)), Some(first_offset)) = (control, first) {
                aborted.push(Aborted { producer_id: id, first_offset });
            }
        } else if id >= 0 {
            last.insert(id, header.last_sequence());
            if header.is_transactional() {
                open.entry(id).or_insert(header.base_offset);
            }
        }
    }
    for (id, sequence) in last {
        let known = log.producers().find(|p| p.producer_id == id).map(|p| p.last_sequence);
        assert_eq!(known, Some(sequence), "{context}: producer {id}");
    }
    for id in open.keys() {
        assert!(log.has_open_transaction(*id), "{context}: producer {id}");
    }
    let stable = log.last_stable_offset();
    assert!(open.values().all(|first| *first >= stable), "{context}");
    // Where the first transaction of a producer began is known to the log only, if that was before the log's start.
    let whole = |aborted: &Aborted| {
        let known = first_marker.get(&aborted.producer_id);
        aborted.first_offset < stable && known.is_some_and(|at| *at < aborted.first_offset)
    };
    let mut listed = log.read(start, u32::MAX, Isolation::ReadCommitted).unwrap().aborted;
    listed.retain(whole);
    aborted.retain(whole);
    aborted.sort_by_key(|aborted| aborted.first_offset);
    assert_eq!(listed, aborted, "{context}");
}

/// What the simulation found: snapshots of producers were never synced, so a loss of power took the sequences of those whose
/// records had been deleted.
#[test]
fn producers_outlive_the_records_that_they_wrote() {
    for seed in 0..50 {
        let faulty = FaultyDisk::new(seed);
        let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
        let (mut log, _) = open(&disk, &small());
        log.append(&produced(1, 0, 0, 2, false), 1_000).unwrap();
        for sequence in 0..20 {
            log.append(&produced(2, 0, sequence, 1, false), 1_000).unwrap();
        }
        sync(&mut log);
        log.delete_records(15, 1_000).unwrap();
        log.maintain(1_000 + log.settings().file_delete_delay_ms).unwrap();
        faulty.crash();
        let (mut log, _) = open(&disk, &small());
        assert!(log.append(&produced(1, 0, 0, 2, false), 1_000).unwrap().duplicate, "{seed}");
        let e = log.append(&produced(1, 0, 5, 1, false), 1_000).unwrap_err();
        assert!(matches!(e, AppendError::OutOfOrderSequence { expected: 2, .. }), "{seed}: {e}");
        assert_eq!(log.append(&produced(1, 0, 2, 1, false), 1_000).unwrap().base_offset, 22);
    }
}

/// What the simulation found: a process killed within DeleteRecords leaves names and snapshots that are not durable, the next one
/// showed the new start, and removed records whose producers it took from such a snapshot; then the power went.
#[test]
fn what_is_shown_after_a_kill_within_a_deletion_outlives_a_loss_of_power() {
    // How far the deletion gets, what of the log the next process trusts, and whether it syncs the log.
    let rows = (0..16).flat_map(|operations| {
        [(operations, 0, false), (operations, 0, true), (operations, 22, false)]
    });
    for (seed, (operations, point, syncs)) in
        (0..20).flat_map(|seed| rows.clone().map(move |row| (seed, row)))
    {
        let context = format!("seed {seed}, {operations} operations, {point}, {syncs}");
        let faulty = FaultyDisk::new(seed);
        let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
        let (mut log, _) = open(&disk, &small());
        log.append(&produced(1, 0, 0, 2, false), 1_000).unwrap();
        for sequence in 0..20 {
            log.append(&produced(2, 0, sequence, 1, false), 1_000).unwrap();
        }
        sync(&mut log);
        faulty.stop_after(operations);
        drop(log.delete_records(15, 1_000));
        faulty.kill();
        let (mut log, _) =
            Log::open(Arc::clone(&disk), "t/0", small(), point, false, 1_000).unwrap();
        let start = log.log_start_offset();
        if syncs {
            log.append(&produced(2, 0, 20, 1, false), 1_000).unwrap();
            sync(&mut log);
        }
        faulty.crash();
        let (mut log, _) = open(&disk, &small());
        assert!(log.log_start_offset() >= start, "{context}: {start}");
        let again = log.append(&produced(1, 0, 0, 2, false), 1_000);
        assert!(again.is_ok_and(|appended| appended.duplicate), "{context}");
    }
}

/// What the simulation found (seed 4626): a batch was written in part and cut off again, the segment was closed, and a loss of
/// power brought the part back, where nobody looked for it.
#[test]
fn a_batch_that_was_cut_off_does_not_come_back() {
    // Operations until the process is killed: with the write, within the cut, after it; or it goes on.
    for (seed, operations) in
        (0..40).flat_map(|seed| [1, 2, 3, 4, u64::MAX].map(|operations| (seed, operations)))
    {
        let context = format!("seed {seed}, {operations} operations");
        let faulty = FaultyDisk::new(seed);
        let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
        let again =
            |point| Log::open(Arc::clone(&disk), "t/0", small(), point, false, 1_000).unwrap().0;
        let mut log = again(0);
        for sequence in 0..2 {
            log.append(&produced(1, 0, sequence, 1, false), 1_000).unwrap();
        }
        sync(&mut log);
        let full = Faults { space_bytes: log.size_bytes() + 70, ..Faults::NONE };
        faulty.set_faults(full);
        faulty.stop_after(operations);
        log.append(&produced(1, 0, 2, 1, false), 1_000).unwrap_err();
        faulty.set_faults(Faults::NONE);
        if operations != u64::MAX {
            faulty.kill();
            log = again(log.recovery_point());
        }
        log.roll(1_000).unwrap();
        log.append(&produced(1, 0, 2, 1, false), 1_000).unwrap();
        let point = log.recovery_point();
        faulty.crash();
        let mut log = again(point);
        let end = log.log_end_offset();
        let found: Vec<i64> = values(&mut log, 0).iter().map(|(offset, _)| *offset).collect();
        assert!(end >= 2 && found.iter().copied().eq(0..end), "{context}: {found:?}, end {end}");
    }
}
