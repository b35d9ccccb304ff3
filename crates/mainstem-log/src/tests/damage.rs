//! What is stored is damaged where it was synced: what it costs, what it does not, and that it is said.

use super::*;
use crate::segment::Walk;

const SIZE_FIELD: u64 = 8;
const CRC_FIELD: u64 = 17;

/// A log without indexes and snapshots, its records, and the base offsets of its segments.
struct Written {
    faulty: FaultyDisk,
    disk: Arc<dyn Disk>,
    all: Vec<(i64, String)>,
    bases: Vec<i64>,
}

impl Written {
    fn new(seed: u64, fill: impl Fn(&mut Log)) -> Self {
        let faulty = FaultyDisk::new(seed);
        let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
        let (mut log, _) = open(&disk, &small());
        fill(&mut log);
        sync(&mut log);
        let all = values(&mut log, 0);
        drop(log);
        let mut bases = Vec::new();
        for name in disk.list("t/0").unwrap() {
            match name.strip_suffix(".log") {
                Some(base) => bases.push(base.parse().unwrap()),
                None => disk.remove(&format!("t/0/{name}")).unwrap(),
            }
        }
        disk.sync_folder("t/0").unwrap();
        Self { faulty, disk, all, bases }
    }

    fn of_records(seed: u64) -> Self {
        let written = Self::new(seed, |log| {
            for i in 0..16 {
                log.append(&batch(&[&format!("first {i}"), &format!("second {i}")]), 1_000)
                    .unwrap();
            }
        });
        assert!(written.bases.len() > 3, "{:?}", written.bases);
        written
    }

    fn path(&self, segment: usize) -> String {
        format!("t/0/{:020}.log", self.bases[segment])
    }

    /// Flips a bit of a batch.
    fn flip(&self, segment: usize, batch: usize, byte: u64) {
        let path = self.path(segment);
        let file = self.disk.open(&path, false).unwrap();
        let mut walk = Walk::new(&*file, 0, file.size_bytes().unwrap());
        let mut position = 0;
        for _ in 0..=batch {
            position = walk.next().unwrap().unwrap().0;
        }
        self.faulty.flip_bit(&path, 8 * (position + byte)).unwrap();
    }

    fn open(&self, trusted: i64, refuse_damage: bool) -> Result<(Log, Recovery), LogError> {
        let settings = LogSettings { refuse_damage, ..small() };
        Log::open(Arc::clone(&self.disk), "t/0", settings, trusted, false, 1_000)
    }

    fn end(&self) -> i64 {
        self.all.last().unwrap().0 + 1
    }

    fn from(&self, offset: i64) -> &[(i64, String)] {
        &self.all[self.all.partition_point(|(at, _)| *at < offset)..]
    }

    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let read = |name: String| {
            let bytes = framed::read_file(&*self.disk, &format!("t/0/{name}")).unwrap().unwrap();
            (name, bytes)
        };
        self.disk.list("t/0").unwrap().into_iter().map(read).collect()
    }
}

fn is_corrupt<T>(read: &Result<T, ReadError>) -> bool {
    matches!(read, Err(ReadError::Log(LogError::Corrupt { .. })))
}

/// The index of a later segment is built from the last snapshot on: through the segment that is damaged.
#[test]
fn a_damaged_segment_hides_no_later_one() {
    let written = Written::of_records(1);
    written.flip(1, 1, SIZE_FIELD);
    let (mut log, _) = written.open(written.end(), false).unwrap();
    assert_eq!(values(&mut log, written.bases[2]), written.from(written.bases[2]));
    let damaged = written.bases[1] + 2;
    assert!(is_corrupt(&log.read(damaged, 1, Isolation::ReadUncommitted)));
    let before = log.read(damaged - 1, 1, Isolation::ReadUncommitted).unwrap();
    assert!(before.size_bytes() > 0, "what stands before the damage can be read");
    for offset in [0, written.bases[2], written.end() - 1] {
        let committed = log.read(offset, 1, Isolation::ReadCommitted).unwrap();
        assert!(committed.size_bytes() > 0, "no transaction was open where the damage is");
    }
}

/// The same with a transaction that is open at the damage: whether it was aborted behind it is not known.
#[test]
fn readers_of_committed_records_are_told_where_damage_hides_the_end_of_a_transaction() {
    let written = Written::new(1, |log| {
        log.append(&produced(7, 0, 0, 1, true), 1_000).unwrap();
        while log.segments.len() < 2 {
            log.append(&batch(&["between", "them"]), 1_000).unwrap();
        }
        log.append_marker(false, 7, 0, 0, 1_000).unwrap();
        for _ in 0..9 {
            log.append(&batch(&["and", "behind"]), 1_000).unwrap();
        }
    });
    written.flip(0, 1, SIZE_FIELD);
    let (mut log, _) = written.open(written.end(), false).unwrap();
    let at = written.bases[1];
    assert_eq!(values(&mut log, at), written.from(at));
    assert!(is_corrupt(&log.read(0, 1, Isolation::ReadCommitted)));
}

#[test]
fn damage_below_the_trusted_offset_costs_no_later_segment() {
    // What the header says is its size; what it says is its last offset, in the last batch of the segment.
    for (at_batch, byte) in [(0, SIZE_FIELD), (1, SIZE_FIELD), (usize::MAX, 26)] {
        let written = Written::of_records(1);
        let batches = (written.bases[2] - written.bases[1]) as usize / 2;
        written.flip(1, at_batch.min(batches - 1), byte);
        let (mut log, recovery) = written.open(written.bases[2] - 1, false).unwrap();
        let said = recovery.reason.unwrap();
        assert!(said.contains("is damaged and stays"), "{said}");
        assert_eq!(recovery.truncated_bytes, 0);
        assert_eq!(log.log_end_offset(), written.end());
        assert_eq!(values(&mut log, written.bases[2]), written.from(written.bases[2]));
        let before = log.read(0, 1, Isolation::ReadUncommitted).unwrap();
        assert!(before.size_bytes() > 0);
        log.append(&batch(&["new"]), 1_000).unwrap();
        assert_eq!(log.log_end_offset(), written.end() + 1);
    }
}

#[test]
fn segments_that_go_with_a_cut_are_told_of() {
    let written = Written::of_records(1);
    written.flip(1, 1, CRC_FIELD);
    let (log, recovery) = written.open(0, false).unwrap();
    let said = recovery.reason.unwrap();
    assert_eq!(log.log_end_offset(), written.bases[1] + 2);
    let later =
        format!("{} later segments from offset {}", written.bases.len() - 2, written.bases[2]);
    assert!(said.contains(&later), "{said}");
}

#[test]
fn what_was_synced_and_is_missing_is_told_of() {
    let rows: [fn(&Written); 3] = [
        |written| written.disk.open(&written.path(2), false).unwrap().set_size(0).unwrap(),
        |written| {
            let last = written.bases.len() - 1;
            written.disk.remove(&written.path(last)).unwrap();
        },
        |written| written.disk.remove_folder("t/0").unwrap(),
    ];
    for (row, lose) in rows.into_iter().enumerate() {
        let written = Written::of_records(1);
        let trusted = if row == 0 { written.bases[3] - 1 } else { written.end() };
        lose(&written);
        let refused = written.open(trusted, true).err();
        assert!(matches!(refused, Some(LogError::Corrupt { .. })), "row {row}: {refused:?}");
        let (mut log, recovery) = written.open(trusted, false).unwrap();
        assert!(recovery.reason.is_some(), "row {row}");
        if log.segments.is_empty() {
            // What the simulation found (seed 6657): offsets were given a second time.
            let next = log.append(&batch(&["new"]), 1_000).unwrap().base_offset;
            assert_eq!((next, log.log_start_offset()), (trusted, trusted), "row {row}");
        }
    }
}

#[test]
fn a_log_that_refuses_damage_stays_as_it_is() {
    for (segment, trusted_of) in [(1, 2), (2, 3)] {
        let written = Written::of_records(1);
        written.flip(segment, 1, SIZE_FIELD);
        let trusted = written.bases[trusted_of] - 1;
        let files = written.files();
        for _ in 0..2 {
            let e = written.open(trusted, true).err().unwrap();
            let at = written.bases[segment] + 2;
            assert!(matches!(e, LogError::Corrupt { offset, .. } if offset == at), "{e:?}");
            assert_eq!(written.files(), files);
        }
        // Behind the trusted offset it may be a tail that was never synced.
        let (log, recovery) = written.open(written.bases[segment], true).unwrap();
        assert!(recovery.truncated_bytes > 0);
        assert_eq!(log.log_end_offset(), written.bases[segment] + 2);
    }
}

/// What the simulation found (seed 1715): a start cut a log and failed, and the next one found nothing to tell of.
#[test]
fn a_cut_is_told_by_the_next_opening_if_this_one_fails() {
    let mut stopped = 0;
    for (seed, operations) in (0..20).flat_map(|seed| (0..40).map(move |count| (seed, count))) {
        let context = format!("seed {seed}, {operations} operations");
        let written = Written::of_records(seed);
        written.flip(1, 1, CRC_FIELD);
        written.faulty.stop_after(operations);
        let opened = written.open(0, false);
        if opened.is_err() {
            stopped += 1;
        }
        drop(opened);
        if seed % 2 == 0 {
            written.faulty.crash()
        } else {
            written.faulty.kill()
        }
        let (mut log, recovery) = written.open(0, false).unwrap();
        assert!(recovery.truncated_bytes > 0, "{context}");
        let said = recovery.reason.unwrap_or_default();
        assert_eq!(said.matches(" was cut at byte ").count(), 1, "{context}: {said}");
        log.cut_is_told().unwrap();
        drop(log);
        written.faulty.crash();
        let (log, recovery) = written.open(0, false).unwrap();
        assert_eq!((recovery.reason, log.is_cut_untold()), (None, false), "{context}");
    }
    assert!(stopped > 100, "{stopped}");
}

#[test]
fn a_damaged_note_of_a_cut_still_says_that_there_was_one() {
    let written = Written::of_records(1);
    written.flip(1, 1, CRC_FIELD);
    drop(written.open(0, false).unwrap());
    written.faulty.flip_bit("t/0/log.cut", 70).unwrap();
    let (_, recovery) = written.open(0, false).unwrap();
    assert!(recovery.truncated_bytes > 0);
    assert!(recovery.reason.unwrap().contains("the note of a cut, is damaged"));
}

#[test]
fn committed_reads_load_what_they_need_and_keep_no_more() {
    let disk = memory();
    let (mut log, _) = open(&disk, &small());
    // One transaction that is aborted three segments later, then many records without any.
    log.append(&produced(7, 0, 0, 1, true), 1_000).unwrap();
    while log.segments.len() < 4 {
        log.append(&batch(&["between", "them"]), 1_000).unwrap();
    }
    log.append_marker(false, 7, 0, 0, 1_000).unwrap();
    while log.segments.len() < 60 {
        log.append(&batch(&["and", "behind"]), 1_000).unwrap();
    }
    sync(&mut log);
    let end = log.log_end_offset();
    for opened_again in [false, true] {
        if opened_again {
            log.close(1_000).unwrap();
            log = Log::open(Arc::clone(&disk), "t/0", small(), end, true, 1_000).unwrap().0;
        }
        let loaded = |log: &Log| log.segments.iter().filter(|s| s.loaded_index().is_some()).count();
        for (offset, aborted) in [(0, 1), (log.segments[30].base_offset, 0)] {
            for segment in log.segments.iter_mut().rev().skip(1) {
                segment.drop_index();
            }
            let read = log.read(offset, 1, Isolation::ReadCommitted).unwrap();
            assert_eq!(read.aborted.len(), aborted, "{offset}");
            assert!(loaded(&log) <= 3, "{} indexes at {offset}", loaded(&log));
        }
    }
}

/// A log of which a compaction was stopped after so many operations of the disk.
fn stopped_in_compaction(operations: u64) -> (FaultyDisk, Arc<dyn Disk>) {
    let faulty = FaultyDisk::new(operations);
    let disk: Arc<dyn Disk> = Arc::new(faulty.clone());
    let settings = LogSettings { min_cleanable_dirty_ratio: 0.0, ..keyed() };
    let (mut log, _) = open(&disk, &settings);
    for i in 0..20 {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.push(1_000, Some(format!("k{i}").as_bytes()), Some(b"value"), &[]);
        log.append(&builder.finish().unwrap(), 1_000).unwrap();
    }
    sync(&mut log);
    log.roll(1_000).unwrap();
    sync(&mut log);
    let job = log.begin_compaction(1_000).unwrap().unwrap();
    let result = job.run();
    faulty.stop_after(operations);
    drop(log.end_compaction(result));
    faulty.kill();
    (faulty, disk)
}

fn keyed() -> LogSettings {
    LogSettings { cleanup: CleanupPolicy::Compact, ..small() }
}

/// Nobody can tell how far the swap is: to go on without it could serve records twice, or not at all.
#[test]
fn a_damaged_plan_of_a_swap_refuses_the_log_and_changes_nothing() {
    let mut seen = 0;
    for operations in 1..60 {
        let (faulty, disk) = stopped_in_compaction(operations);
        let size_bytes = match disk.open("t/0/compaction.swap", false) {
            Ok(file) => file.size_bytes().unwrap(),
            Err(_) => continue,
        };
        seen += 1;
        let names = disk.list("t/0").unwrap();
        for bit in 0..8 * size_bytes {
            faulty.flip_bit("t/0/compaction.swap", bit).unwrap();
            let opened = Log::open(Arc::clone(&disk), "t/0", keyed(), 0, false, 1_000);
            let refused = matches!(&opened, Err(LogError::Disk { path, .. }) if path.ends_with("compaction.swap"));
            assert!(refused, "bit {bit} after {operations} operations");
            faulty.flip_bit("t/0/compaction.swap", bit).unwrap();
        }
        assert_eq!(disk.list("t/0").unwrap(), names);
        let (mut log, _) = open(&disk, &keyed());
        assert_eq!(values(&mut log, 0).len(), 20);
    }
    assert!(seen > 3, "{seen}");
}

#[test]
fn damage_to_what_a_compaction_made_costs_the_batch_and_no_other() {
    let mut seen = 0;
    for operations in 1..60 {
        let (faulty, disk) = stopped_in_compaction(operations);
        let names = disk.list("t/0").unwrap();
        let decided = names.iter().any(|name| name == "compaction.swap");
        let Some(made) = names.iter().find(|name| name.ends_with(".log.cleaned")) else { continue };
        seen += u32::from(decided);
        let path = format!("t/0/{made}");
        let file = disk.open(&path, false).unwrap();
        let mut walk = Walk::new(&*file, 0, file.size_bytes().unwrap());
        let (position, hit) = walk.next().unwrap().unwrap();
        faulty.flip_bit(&path, 8 * (position + 62)).unwrap();
        let (mut log, _) = Log::open(Arc::clone(&disk), "t/0", keyed(), 20, false, 1_000).unwrap();
        let mut read = Vec::new();
        for offset in 0..20 {
            let found = log.read(offset, 1, Isolation::ReadUncommitted).unwrap();
            let mut bytes = found.ranges[0].read().unwrap();
            match RecordBatch::parse_next(&mut bytes).unwrap() {
                Ok(batch) => read.push(batch.header().base_offset),
                Err(_) => assert!(decided && offset == hit.base_offset, "{offset}"),
            }
        }
        let lost = decided.then_some(hit.base_offset);
        assert!(read.into_iter().eq((0..20).filter(|at| Some(*at) != lost)), "{operations}");
    }
    assert!(seen > 3, "{seen}");
}
