//! What is acknowledged by the write-ahead log, before the logs are synced themselves.

use std::io;
use std::sync::Arc;

use mainstem_core::disk::Disk;
use mainstem_log::{Faults, FaultyDisk, WalSettings};

use super::stand::{Stand, batch, produce};
use crate::Settings;
use crate::call::Work;
use crate::topics::LogId;
use crate::wire::*;

fn stand_on(disk: &FaultyDisk) -> Stand {
    let wal = WalSettings { bytes: 32 << 10, bytes_max: 64 << 10 };
    Stand::with(Settings { wal, ..Settings::default() }, Arc::new(disk.clone())).unwrap()
}

/// Runs what was held back of the write-ahead log, and nothing else.
fn run_wal(stand: &mut Stand, result: impl Fn() -> io::Result<()>) {
    let is_wal = |work: &Work| matches!(work, Work::Wal { .. });
    while let Some(at) = stand.held.iter().position(|task| is_wal(&task.work)) {
        let mut task = stand.held.remove(at).unwrap();
        stand.broker.prepare_sync(&mut task);
        let result = task.run().and_then(|()| result());
        let actions = stand.broker.synced(stand.now_ms, task, result);
        stand.perform(actions);
    }
}

/// Makes two topics with a record each, of which the write-ahead log alone has anything.
fn acknowledged(disk: &FaultyDisk) -> Stand {
    let mut stand = stand_on(disk);
    stand.hold = true;
    let made = stand.send(7, &super::stand::create(&[("t", 1, &[]), ("u", 1, &[])]));
    run_wal(&mut stand, || Ok(()));
    assert!(stand.answer::<CreateTopicsRequest>(made).is_some());
    for topic in ["t", "u"] {
        let asked = stand.send(9, &produce(-1, topic, 0, batch(1_000, &[("k", "a")])));
        assert!(stand.answer::<ProduceRequest>(asked).is_none(), "nothing was synced");
        run_wal(&mut stand, || Ok(()));
        assert!(stand.answer::<ProduceRequest>(asked).is_some());
    }
    stand
}

#[test]
fn what_it_has_survives_a_loss_of_power() {
    for seed in 0..20 {
        let disk = FaultyDisk::new(seed);
        let mut stand = acknowledged(&disk);
        stand.hold = false;
        for _ in 0..2 {
            disk.crash();
            stand.restart(false);
            assert_eq!(stand.notices, [""; 0], "seed {seed}");
            assert_eq!(stand.values("t", 0, 0).1, ["a"], "seed {seed}");
            assert_eq!(stand.values("u", 0, 0).1, ["a"], "seed {seed}");
        }
    }
}

#[test]
fn a_topic_that_was_deleted_does_not_come_back() {
    let disk = FaultyDisk::new(1);
    let mut stand = acknowledged(&disk);
    stand.hold = false;
    let delete = make(|delete: &mut DeleteTopicsRequest| delete.topic_names = vec!["t".into()]);
    assert_eq!(stand.ask(3, &delete).responses[0].error_code, 0);
    disk.kill();
    stand.restart(false);
    assert_eq!(stand.notices, [""; 0]);
    assert_eq!(disk.list("topics").unwrap().len(), 1);
    assert_eq!(stand.values("u", 0, 0).1, ["a"]);
}

#[test]
fn when_it_cannot_be_written_every_log_syncs_itself() {
    let disk = FaultyDisk::new(1);
    let mut stand = acknowledged(&disk);
    let asked = stand.send(9, &produce(-1, "t", 0, batch(1_000, &[("k", "b")])));
    run_wal(&mut stand, || Err(io::Error::other("gone")));
    assert!(stand.answer::<ProduceRequest>(asked).is_none(), "nobody knows what is on the disk");
    assert!(stand.notices.iter().any(|said| said.ends_with("a sync failed: gone")));
    stand.sync();
    assert!(stand.answer::<ProduceRequest>(asked).is_some());
    stand.hold = false;
    assert_eq!(stand.produce("t", 0, &[("k", "c")]).0, 0);
    disk.crash();
    stand.restart(false);
    // What it had of the other topic was not synced elsewhere.
    assert_eq!(stand.values("u", 0, 0).1, ["a"]);
    assert_eq!(stand.values("t", 0, 0).1, ["a", "b", "c"]);
}

#[test]
fn a_log_that_cannot_be_synced_ends_it() {
    let disk = FaultyDisk::new(1);
    let mut stand = stand_on(&disk);
    stand.topic("broken", 1, &[]);
    stand.topic("t", 1, &[]);
    assert_eq!(stand.produce("broken", 0, &[("k", "kept")]).0, 0);
    let id = stand.broker.topics.by_name(&"broken".into()).unwrap().id;
    let broken =
        |work: &Work| matches!(work, Work::Log { log, .. } if *log == LogId::Partition(id, 0));
    stand.hold = true;
    for _ in 0..60 {
        stand.send(9, &produce(-1, "t", 0, batch(1_000, &[("k", "a")])));
        while let Some(mut task) = stand.held.pop_front() {
            stand.broker.prepare_sync(&mut task);
            let result = match broken(&task.work) {
                true => Err(io::Error::other("gone")),
                false => task.run(),
            };
            let actions = stand.broker.synced(stand.now_ms, task, result);
            stand.perform(actions);
        }
    }
    assert!(stand.notices.iter().any(|said| said.contains("is not written any more")));
    disk.crash();
    stand.hold = false;
    stand.restart(false);
    assert_eq!(stand.values("broken", 0, 0).1, ["kept"]);
    assert_eq!(stand.values("t", 0, 0).1.len(), 60);
}

#[test]
fn the_logs_of_many_laps_are_whole() {
    for seed in 0..10 {
        let disk = FaultyDisk::new(seed);
        let mut stand = stand_on(&disk);
        stand.topic("t", 3, &[]);
        for number in 0..100 {
            let value = number.to_string();
            assert_eq!(stand.produce("t", number % 3, &[("k", &value)]).0, 0);
        }
        disk.crash();
        stand.restart(false);
        for partition in 0..3 {
            let values = (0..100).filter(|number| number % 3 == partition);
            let expected: Vec<String> = values.map(|number| number.to_string()).collect();
            assert_eq!(stand.values("t", partition, 0).1, expected, "seed {seed}");
        }
    }
}

#[test]
fn what_is_missing_because_of_damage_is_said() {
    let disk = FaultyDisk::new(1);
    let mut stand = acknowledged(&disk);
    let asked = stand.send(9, &produce(-1, "t", 0, batch(1_000, &[("k", "b")])));
    run_wal(&mut stand, || Ok(()));
    assert!(stand.answer::<ProduceRequest>(asked).is_some());
    for topic in disk.list("topics").unwrap() {
        disk.remove(&format!("topics/{topic}/0/00000000000000000000.log")).unwrap();
    }
    // Groups: the cluster's name, the topics, the first record.
    let group_of_t = 4_096 * 3;
    disk.flip_bit("wal", 8 * (group_of_t + 30)).unwrap();
    stand.hold = false;
    stand.restart(false);
    assert!(
        stand
            .notices
            .iter()
            .any(|said| said.starts_with("t-0: ") && said.contains("had come to 2")),
        "{:?}",
        stand.notices
    );
    assert_eq!(stand.values("u", 0, 0).1, ["a"]);
}

#[test]
fn a_disk_without_room_for_it_goes_without() {
    let disk = FaultyDisk::new(1);
    disk.set_faults(Faults { space_bytes: 20_000, ..Faults::NONE });
    let mut stand = stand_on(&disk);
    assert!(stand.notices.iter().any(|said| said.starts_with("no write-ahead log")));
    assert_eq!(disk.list("").unwrap().iter().filter(|name| name.starts_with("wal")).count(), 0);
    stand.topic("t", 1, &[]);
    assert_eq!(stand.produce("t", 0, &[("k", "a")]).0, 0);
    disk.crash();
    stand.restart(false);
    assert_eq!(stand.values("t", 0, 0).1, ["a"]);
}
