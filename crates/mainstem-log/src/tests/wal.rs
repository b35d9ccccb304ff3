//! Logs that share a write-ahead log, on a disk that loses what was not synced.

use super::*;
use crate::wal::{BLOCK_BYTES, FILE, GROUP_MAGIC};
use mainstem_core::clock::Rng;

const SETTINGS: WalSettings = WalSettings { bytes: 32 << 10, bytes_max: 64 << 10 };

fn folder(log: usize) -> String {
    format!("topics/{log}/0")
}

/// Logs and their ring, as an owner has them.
struct Owner {
    disk: Arc<dyn Disk>,
    logs: Vec<Log>,
    wal: Wal<usize>,
}

impl Owner {
    /// Opens what is there, of which so much is known to be synced; with what there is to say of each log.
    fn open(disk: &FaultyDisk, settings: &LogSettings, points: &[i64]) -> (Self, Vec<String>) {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut replay = WalReplay::read(&*disk).unwrap();
        let mut said: Vec<String> = replay.damage().map(str::to_owned).into_iter().collect();
        let mut logs = Vec::new();
        for (number, point) in points.iter().enumerate() {
            let folder = folder(number);
            let end = replay.redo(&*disk, &folder, *point).unwrap();
            let (log, recovery) =
                Log::open(Arc::clone(&disk), &folder, settings.clone(), *point, false, 1_000)
                    .unwrap();
            said.extend(recovery.reason);
            if end.is_some_and(|end| end > log.log_end_offset()) {
                said.push(format!("{folder} does not come to {end:?}"));
            }
            logs.push(log);
        }
        let wal = Wal::create(&*disk, SETTINGS).unwrap();
        (Self { disk, logs, wal }, said)
    }

    /// Writes what all logs have, as far as there is room; false if that failed.
    fn write(&mut self, between: impl FnOnce(&mut Vec<Log>)) -> bool {
        let bytes_max = self.wal.part_bytes_max();
        let logs = self.logs.iter_mut().enumerate();
        let parts = logs.filter_map(|(id, log)| Some((id, log.begin_wal_part(bytes_max)?)));
        let (ticket, left) = self.wal.place(parts.collect());
        left.iter().for_each(|(id, part)| self.logs[*id].end_wal_part(part, false));
        between(&mut self.logs);
        let Some(mut ticket) = ticket else { return true };
        let result = ticket.run();
        for (id, part) in self.wal.end(ticket) {
            self.logs[id].end_wal_part(&part, result.is_ok());
        }
        result.is_ok()
    }

    /// Has a log sync itself; what `between` does comes after it has begun.
    fn sync(&mut self, id: usize, between: impl FnOnce(&mut Self)) {
        let Some(ticket) = self.logs[id].begin_sync() else {
            if self.logs[id].poisoned().is_none() {
                self.wal.forget(id);
            }
            return;
        };
        self.wal.log_sync_begins(id);
        between(self);
        let result = ticket.run();
        let files = self.logs[id].end_sync(ticket, result);
        self.wal.log_sync_ends(id, self.logs[id].poisoned().is_none());
        if let Some(files) = files {
            let stored = files.store();
            self.logs[id].end_side_files(&files, &stored);
        }
    }
}

fn value(rng: &mut Rng, life: usize) -> String {
    let mut value = format!("{life}.{}-", rng.below(1 << 40));
    let size = [30, 300, 3_000][rng.below(3) as usize];
    // What a client might write who knows the form of the file.
    let filler = if rng.below(3) == 0 { "MSWG" } else { "MSWC" };
    while value.len() < rng.below(size) as usize {
        value.push_str(filler);
    }
    value
}

/// One life after another: appends, groups, own syncs, losses of power. What was acknowledged is there.
fn live(seed: u64) {
    let mut rng = Rng::new(seed);
    let faulty = FaultyDisk::new(seed ^ 0xd15c);
    let settings = LogSettings { segment_bytes_max: 500 << rng.below(8), ..small() };
    let count = 1 + rng.below(5) as usize;
    let (mut points, mut acked) = (vec![0; count], vec![Vec::<String>::new(); count]);
    for life in 0..5 {
        faulty.set_faults(Faults::NONE);
        let (mut owner, said) = Owner::open(&faulty, &settings, &points);
        let mut appended = Vec::new();
        for (log, acked) in owner.logs.iter_mut().zip(&acked) {
            let found: Vec<String> = values(log, 0).into_iter().map(|(_, value)| value).collect();
            let context = format!("seed {seed}, life {life}: {said:?}");
            assert!(found.len() >= acked.len(), "{context}: {} of {}", found.len(), acked.len());
            assert_eq!(found[..acked.len()], acked[..], "{context}");
            appended.push(found);
        }
        if rng.below(3) == 0 {
            faulty.set_faults(Faults { sync_error_per_mille: 20, ..Faults::NONE });
        }
        faulty.stop_after(100 + rng.below(2_000));
        for _ in 0..400 {
            let id = rng.below(count as u64) as usize;
            let mut append = |rng: &mut Rng, logs: &mut Vec<Log>, id: usize| {
                let value = value(rng, life);
                if logs[id].append(&batch(&[&value]), 1_000).is_ok() {
                    appended[id].push(value);
                }
            };
            match rng.below(8) {
                0..4 => append(&mut rng, &mut owner.logs, id),
                4..6 => {
                    if !owner.write(|logs| append(&mut rng, logs, id)) {
                        break;
                    }
                }
                6 => owner.sync(id, |owner| {
                    append(&mut rng, &mut owner.logs, id);
                    owner.write(|_| {});
                }),
                _ => {
                    if let Some(id) = owner.wal.overdue() {
                        owner.sync(id, |_| {});
                    }
                    if let Some(growth) = owner.wal.grow() {
                        let result = growth.run();
                        owner.wal.grown(&growth, result.is_ok());
                    }
                }
            }
            for (id, log) in owner.logs.iter().enumerate() {
                let end = log.high_watermark() as usize;
                if end > acked[id].len() {
                    acked[id] = appended[id][..end].to_vec();
                }
                points[id] = if rng.below(50) == 0 { log.recovery_point() } else { points[id] };
            }
        }
        if rng.below(3) == 0 { faulty.kill() } else { faulty.crash() }
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_loss_of_power() {
    (0..60).for_each(live);
}

/// A disk with one log of which the ring alone has everything: as many groups as values.
fn unsynced(values: &[&str]) -> FaultyDisk {
    let faulty = FaultyDisk::new(1);
    let settings = LogSettings::kafka_defaults();
    let (mut owner, _) = Owner::open(&faulty, &settings, &[0]);
    for value in values {
        owner.logs[0].append(&batch(&[value]), 1_000).unwrap();
        assert!(owner.write(|_| {}));
    }
    assert_eq!(owner.logs[0].high_watermark(), values.len() as i64);
    assert_eq!(owner.logs[0].recovery_point(), 0);
    drop(owner.disk);
    faulty
}

/// Loses the files of the log, as when none of their names was synced.
fn lose_log(faulty: &FaultyDisk) {
    for name in faulty.list(&folder(0)).unwrap() {
        faulty.remove(&format!("{}/{name}", folder(0))).unwrap();
    }
}

fn reopened(faulty: &FaultyDisk) -> (Vec<String>, Vec<String>) {
    let (mut owner, said) = Owner::open(faulty, &LogSettings::kafka_defaults(), &[0]);
    let found = values(&mut owner.logs[0], 0);
    (found.into_iter().map(|(_, value)| value).collect(), said)
}

#[test]
fn a_group_in_a_group_is_no_group() {
    // A record that has a whole group in it, at the beginning of each block that it fills, whatever comes before it.
    let decoy = unsynced(&["decoy"]);
    let file = decoy.open(FILE, false).unwrap();
    let mut group = vec![0; 1_000];
    file.read_exact_at(BLOCK_BYTES as u64, &mut group).unwrap();
    assert_eq!(group[..4], GROUP_MAGIC);
    let faulty = FaultyDisk::new(2);
    let settings = LogSettings::kafka_defaults();
    // With all that comes before the value, one of these makes up a block.
    for before in BLOCK_BYTES - 250..BLOCK_BYTES {
        let (mut owner, _) = Owner::open(&faulty, &settings, &[0]);
        let wal = WalSettings { bytes: 128 << 10, bytes_max: 128 << 10 };
        owner.wal = Wal::create(&*owner.disk, wal).unwrap();
        let mut value = vec![0; before];
        value.extend_from_slice(&group);
        let mut builder = BatchBuilder::new(Compression::None);
        builder.push(1_000, None, Some(&value), &[]);
        owner.logs[0].append(&builder.finish().unwrap(), 1_000).unwrap();
        assert!(owner.write(|_| {}));
        let replay = WalReplay::read(&*owner.disk).unwrap();
        assert_eq!(replay.records(&folder(0)), 1, "{before}");
        faulty.crash();
    }
}

#[test]
fn damage_is_passed_over_and_what_is_missing_is_known() {
    let all = ["one", "two", "three"];
    let groups = BLOCK_BYTES..(1 + all.len()) * BLOCK_BYTES;
    for byte in (0..8).chain(groups.step_by(7)) {
        let faulty = unsynced(&all);
        lose_log(&faulty);
        faulty.flip_bit(FILE, 8 * byte as u64 + 3).unwrap();
        let (found, said) = reopened(&faulty);
        assert!(
            all.iter().zip(&found).all(|(wrote, found)| wrote == found),
            "byte {byte}: {found:?}"
        );
        // What the last group had, nobody can tell.
        let tells = found.len() == 3 || !said.is_empty() || byte >= 3 * BLOCK_BYTES;
        assert!(tells, "byte {byte}: {found:?}");
    }
}

#[test]
fn a_log_that_is_there_stays_as_it_is() {
    let faulty = unsynced(&["one", "two"]);
    faulty.kill();
    let expected = vec!["one".to_owned(), "two".to_owned()];
    assert_eq!(reopened(&faulty), (expected.clone(), Vec::new()));
    // The file was begun anew: there is nothing left in it.
    assert!(WalReplay::read(&faulty).unwrap().folders().next().is_none());
    assert_eq!(reopened(&faulty), (expected, Vec::new()));
}

#[test]
fn what_was_redone_is_durable_before_the_file_goes() {
    let faulty = unsynced(&["one", "two"]);
    for _ in 0..2 {
        faulty.crash();
        assert_eq!(reopened(&faulty).0, ["one", "two"]);
    }
}

#[test]
fn what_a_start_left_that_did_not_come_to_its_end_is_not_taken_for_a_group() {
    let faulty = unsynced(&["one"]);
    let mut stale = vec![0; 64 << 10];
    faulty.open(FILE, false).unwrap().read_exact_at(0, &mut stale[..16 << 10]).unwrap();
    stale.copy_within(BLOCK_BYTES..2 * BLOCK_BYTES, 60 << 10);
    faulty.open("wal.new", true).unwrap().write_all_at(0, &stale).unwrap();
    assert_eq!(reopened(&faulty).0, ["one"]);
    assert!(WalReplay::read(&faulty).unwrap().folders().next().is_none());
}

#[test]
fn a_ring_that_may_overtake_nothing_has_no_room() {
    let faulty = FaultyDisk::new(1);
    let settings = LogSettings::kafka_defaults();
    let (mut owner, _) = Owner::open(&faulty, &settings, &[0, 0]);
    owner.logs[1].append(&batch(&["kept"]), 1_000).unwrap();
    assert!(owner.write(|_| {}));
    // More than a lap.
    for number in 0..20 {
        owner.logs[0].append(&batch(&[&number.to_string()]), 1_000).unwrap();
        assert!(owner.write(|_| {}));
        owner.sync(0, |_| {});
    }
    assert_eq!(owner.wal.overdue(), Some(1));
    owner.logs[0].append(&batch(&["no room"]), 1_000).unwrap();
    assert!(owner.write(|_| {}));
    assert_eq!(owner.logs[0].high_watermark(), 20, "it has to sync itself");
    owner.sync(1, |_| {});
    assert!(owner.write(|_| {}));
    assert_eq!(owner.logs[0].high_watermark(), 21);
    faulty.crash();
    let (mut owner, _) = Owner::open(&faulty, &settings, &[0, 0]);
    assert_eq!(values(&mut owner.logs[1], 0), [(0, "kept".to_owned())]);
    assert_eq!(values(&mut owner.logs[0], 20), [(20, "no room".to_owned())]);
}

#[test]
fn a_segment_that_was_compacted_since_stays_compacted() {
    let faulty = FaultyDisk::new(1);
    let settings = LogSettings { cleanup: CleanupPolicy::Compact, ..LogSettings::kafka_defaults() };
    let (mut owner, _) = Owner::open(&faulty, &settings, &[0]);
    for value in ["one", "two", "three"] {
        owner.logs[0].append(&batch(&[value]), 1_000).unwrap();
        assert!(owner.write(|_| {}));
    }
    let log = &mut owner.logs[0];
    log.roll(1_000).unwrap();
    sync(log);
    let job = log.begin_compaction(1_000).unwrap().unwrap();
    log.end_compaction(job.run()).unwrap();
    let expected = [(2, "three".to_owned())];
    assert_eq!(values(log, 0), expected);
    // The caller need not know yet how far the log was synced.
    faulty.kill();
    let (mut owner, said) = Owner::open(&faulty, &settings, &[0]);
    assert_eq!(values(&mut owner.logs[0], 0), expected, "{said:?}");
    assert_eq!(said, [""; 0]);
}
