//! Stops, crashes and disks that fail.

use std::sync::Arc;

use mainstem_core::disk::Disk;
use mainstem_log::{Faults, FaultyDisk};

use super::stand::{Stand, batch, produce, without_wal};
use crate::wire::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::wire::offset_fetch_request::OffsetFetchRequestTopic;
use crate::wire::*;
use crate::{ErrorCode, Settings};

const STORAGE: i16 = ErrorCode::KafkaStorageError.code();

#[test]
fn a_clean_stop_is_trusted_once() {
    let mut stand = Stand::new();
    stand.topic("t", 2, &[]);
    stand.produce("t", 0, &[("k", "a")]);
    stand.restart(true);
    assert_eq!(stand.notices, Vec::<String>::new());
    assert_eq!(stand.values("t", 0, 0).1, ["a"]);
    let clean = |stand: &Stand| crate::recovery_points::Points::read(&*stand.disk).unwrap().0.clean;
    assert!(!clean(&stand), "the word is taken back before anything is appended");
    stand.broker.close(stand.now_ms).unwrap();
    assert!(clean(&stand));
    stand.restart(false);
    assert!(!clean(&stand));
}

#[test]
fn how_far_logs_are_synced_is_written_down_in_time() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    stand.produce("t", 0, &[("k", "a")]);
    stand.pass(5_000);
    let points = crate::recovery_points::Points::read(&*stand.disk).unwrap().0;
    assert_eq!(points.offsets.values().filter(|at| **at == 1).count(), 1);
    assert!(points.offsets.len() >= 2, "the journal, too: {points:?}");
    stand.ticks = 0;
    stand.pass(60_000);
    assert!(stand.ticks <= 5, "and not again while nothing moves");
}

#[test]
fn damaged_recovery_points_cost_a_scan_and_no_data() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    stand.produce("t", 0, &[("k", "a")]);
    stand.broker.close(stand.now_ms).unwrap();
    let file = stand.disk.open("recovery-points", false).unwrap();
    file.write_all_at(20, b"?").unwrap();
    stand.restart(false);
    assert_eq!(stand.notices, ["recovery-points is damaged, all logs are scanned"]);
    assert_eq!(stand.values("t", 0, 0).1, ["a"]);
}

#[test]
fn folders_without_a_topic_go() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    stand.produce("t", 0, &[("k", "a")]);
    stand.disk.create_folder("topics/orphan/0").unwrap();
    stand.disk.open("topics/orphan/0/00000000000000000000.log", true).unwrap();
    stand.restart(true);
    assert_eq!(stand.notices, ["the folder orphan belonged to no topic and was removed"]);
    assert_eq!(stand.disk.list("topics").unwrap().len(), 1);
    assert_eq!(stand.values("t", 0, 0).1, ["a"]);
}

#[test]
fn a_journal_that_was_damaged_costs_no_folder() {
    let faulty = FaultyDisk::new(1);
    let mut stand = Stand::with(without_wal(), Arc::new(faulty.clone())).unwrap();
    stand.topic("t", 1, &[]);
    stand.produce("t", 0, &[("k", "a")]);
    faulty.flip_bit("journal/00000000000000000000.log", 0).unwrap();
    for _ in 0..2 {
        stand.restart(false);
        let said =
            stand.notices.iter().any(|said| said.contains("no topic that the journal names"));
        assert!(said, "{:?}", stand.notices);
        assert_eq!(stand.disk.list("topics").unwrap().len(), 1);
    }
    // What was made and deleted since is none of that.
    stand.topic("u", 1, &[]);
    stand.disk.create_folder("topics/orphan/0").unwrap();
    stand.disk.open("topics/orphan/0/00000000000000000000.log", true).unwrap();
    stand.restart(true);
    assert!(!stand.disk.list("topics").unwrap().contains(&"orphan".to_owned()));
}

#[test]
fn a_deleted_topic_leaves_no_offsets_to_the_next_one_of_its_name() {
    let offset_of = |stand: &mut Stand| {
        let request = make(|request: &mut OffsetFetchRequest| {
            request.group_id = "g".into();
            request.topics = Some(vec![make(|topic: &mut OffsetFetchRequestTopic| {
                topic.name = "t".into();
                topic.partition_indexes = vec![0];
            })]);
        });
        stand.ask(7, &request).topics[0].partitions[0].committed_offset
    };
    for operations in 1..20 {
        let faulty = FaultyDisk::new(operations);
        let mut stand = Stand::with(Settings::default(), Arc::new(faulty.clone())).unwrap();
        stand.topic("t", 1, &[]);
        let commit = make(|request: &mut OffsetCommitRequest| {
            request.group_id = "g".into();
            request.generation_id_or_member_epoch = -1;
            request.topics = vec![make(|topic: &mut OffsetCommitRequestTopic| {
                topic.name = "t".into();
                topic.partitions = vec![make(|partition: &mut OffsetCommitRequestPartition| {
                    partition.committed_offset = 7;
                })];
            })];
        });
        assert_eq!(stand.ask(9, &commit).topics[0].partitions[0].error_code, 0);
        faulty.stop_after(operations);
        let delete =
            make(|request: &mut DeleteTopicsRequest| request.topic_names = vec!["t".into()]);
        let id = stand.send(5, &delete);
        let _ = stand.answer::<DeleteTopicsRequest>(id);
        faulty.crash();
        stand.restart(false);
        let id = stand.send(7, &super::stand::create(&[("t", 1, &[])]));
        let made = stand.answer::<CreateTopicsRequest>(id).unwrap().topics[0].error_code == 0;
        assert_eq!(offset_of(&mut stand), if made { -1 } else { 7 }, "{operations}");
    }
}

#[test]
fn a_partition_whose_sync_fails_is_read_on_and_says_so_once() {
    let mut stand = Stand::new();
    stand.topic("t", 2, &[]);
    stand.produce("t", 0, &[("k", "a")]);
    stand.failing = true;
    assert_eq!(stand.produce("t", 0, &[("k", "b")]), (STORAGE, -1));
    assert_eq!(stand.produce("t", 0, &[("k", "b")]), (STORAGE, -1));
    assert_eq!(stand.notices.len(), 1, "{:?}", stand.notices);
    assert!(stand.notices[0].contains("t-0 cannot be synced"), "{:?}", stand.notices);
    stand.failing = false;
    assert_eq!(stand.values("t", 0, 0), (0, vec!["a".into()]));
    assert_eq!(stand.produce("t", 1, &[("k", "c")]), (0, 0), "other partitions go on");
    assert_eq!(stand.produce("t", 0, &[("k", "b")]), (STORAGE, -1), "until the next start");
    stand.pass(600_000);
    stand.restart(false);
    assert_eq!(stand.produce("t", 0, &[("k", "b")]).0, 0);
}

#[test]
fn a_produce_to_two_partitions_is_answered_for_each() {
    let mut stand = Stand::new();
    stand.topic("t", 2, &[]);
    stand.hold = true;
    let mut request = produce(-1, "t", 0, batch(0, &[("k", "a")]));
    let mut second = request.topic_data[0].partition_data[0].clone();
    second.index = 1;
    request.topic_data[0].partition_data.push(second);
    let id = stand.send(9, &request);
    stand.failing = true;
    let task = stand.held.pop_front().unwrap();
    let actions = stand.broker.synced(stand.now_ms, task, Err(std::io::Error::other("gone")));
    stand.perform(actions);
    stand.failing = false;
    assert_eq!(stand.answer::<ProduceRequest>(id), None);
    stand.sync();
    let response = stand.answer::<ProduceRequest>(id).unwrap();
    let codes = response.responses[0].partition_responses.iter().map(|p| p.error_code);
    assert_eq!(codes.collect::<Vec<_>>(), [STORAGE, 0]);
}

/// Seed 97368 of the simulation: who was told that a topic exists did not find it after the loss of power.
#[test]
fn that_a_topic_exists_or_is_gone_is_said_when_it_is_durable() {
    let mut stand = Stand::new();
    stand.topic("old", 1, &[]);
    let delete = |name: &str| {
        make(|request: &mut DeleteTopicsRequest| request.topic_names = vec![name.into()])
    };
    stand.hold = true;
    stand.send(7, &super::stand::create(&[("new", 1, &[])]));
    stand.send(4, &delete("old"));
    let exists = stand.send(7, &super::stand::create(&[("new", 1, &[])]));
    let gone = stand.send(4, &delete("old"));
    assert_eq!(stand.answer::<CreateTopicsRequest>(exists), None);
    assert_eq!(stand.answer::<DeleteTopicsRequest>(gone), None);
    stand.sync();
    let answer = stand.answer::<CreateTopicsRequest>(exists).unwrap();
    assert_eq!(answer.topics[0].error_code, ErrorCode::TopicAlreadyExists.code());
    let answer = stand.answer::<DeleteTopicsRequest>(gone).unwrap();
    assert_eq!(answer.responses[0].error_code, ErrorCode::UnknownTopicOrPartition.code());

    let id = stand.send(7, &super::stand::create(&[("never", 1, &[])]));
    stand.failing = true;
    stand.sync();
    let again = stand.send(7, &super::stand::create(&[("never", 1, &[])]));
    assert_eq!(stand.disconnected, [id, again]);
}

#[test]
fn a_journal_that_fails_refuses_changes_and_reads_go_on() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    stand.produce("t", 0, &[("k", "a")]);
    stand.failing = true;
    let id = stand.send(7, &super::stand::create(&[("new", 1, &[])]));
    assert_eq!(stand.disconnected, [id], "it may or may not be there after the next start");
    assert_eq!(stand.notices.len(), 1, "{:?}", stand.notices);
    stand.failing = false;
    let response = stand.ask(7, &super::stand::create(&[("newer", 1, &[])]));
    assert_eq!(response.topics[0].error_code, STORAGE);
    assert_eq!(stand.produce("t", 0, &[("k", "b")]), (0, 1));
    assert_eq!(stand.values("t", 0, 0).1, ["a", "b"]);
    assert_eq!(stand.notices.len(), 1);
    assert!(stand.broker.close(stand.now_ms).is_err(), "no clean stop");
}

#[test]
fn what_was_promised_survives_the_loss_of_power() {
    for seed in 0..40 {
        let disk = FaultyDisk::new(seed);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut stand = Stand::with(Settings::default(), shared).unwrap();
        let mut topics = Vec::new();
        let mut promised = 0;
        disk.stop_after(10 + seed * 3);
        for round in 0..30 {
            let name = format!("t{round}");
            let id = stand.send(7, &super::stand::create(&[(&name, 1, &[])]));
            let made = stand.answer::<CreateTopicsRequest>(id);
            if made.is_some_and(|made| made.topics[0].error_code == 0) {
                topics.push(name);
            }
            if topics.is_empty() {
                continue;
            }
            let records = batch(stand.now_ms, &[("k", &format!("v{round}"))]);
            let id = stand.send(9, &produce(-1, &topics[0], 0, records));
            let answer = stand.answer::<ProduceRequest>(id);
            let code = answer.map(|a| a.responses[0].partition_responses[0].error_code);
            if code == Some(0) {
                promised += 1;
            }
            stand.pass(1_000);
        }
        assert!(disk.is_stopped(), "seed {seed}: the machine has to stop in between");
        disk.crash();
        stand.restart(false);
        for name in &topics {
            let (code, values) = stand.values(name, 0, 0);
            assert_eq!(code, 0, "seed {seed}: topic {name} was promised");
            if *name == topics[0] {
                assert!(values.len() >= promised, "seed {seed}: {promised} of {values:?}");
            }
        }
    }
}

#[test]
fn many_partitions_are_opened_and_left_alone() {
    let mut stand = Stand::new();
    for topic in 0..100 {
        stand.topic(&format!("t{topic}"), 20, &[("durability", "none")]);
        for index in 0..20 {
            stand.produce(&format!("t{topic}"), index, &[("k", "v")]);
        }
    }
    stand.restart(true);
    assert_eq!(stand.notices, Vec::<String>::new());
    stand.ticks = 0;
    stand.pass(3_600_000);
    assert!(stand.ticks < 200, "{} ticks in an hour", stand.ticks);
    assert_eq!(stand.values("t99", 19, 0).1, ["v"]);
}

#[test]
fn records_of_a_topic_are_promised_when_the_topic_is() {
    let mut stand = Stand::new();
    stand.hold = true;
    let made = stand.send(7, &super::stand::create(&[("t", 1, &[])]));
    let mut journal = stand.held.pop_front().unwrap();
    let id = stand.send(9, &produce(-1, "t", 0, batch(0, &[("k", "a")])));
    stand.sync();
    assert_eq!(stand.answer::<ProduceRequest>(id), None, "the topic may be gone after a crash");
    let result = journal.run();
    let actions = stand.broker.synced(stand.now_ms, journal, result);
    stand.perform(actions);
    assert!(stand.answer::<CreateTopicsRequest>(made).is_some());
    assert!(stand.answer::<ProduceRequest>(id).is_some());

    stand.send(7, &super::stand::create(&[("u", 1, &[])]));
    let journal = stand.held.pop_front().unwrap();
    let id = stand.send(9, &produce(-1, "u", 0, batch(0, &[("k", "a")])));
    stand.sync();
    let gone = Err(std::io::Error::other("gone"));
    let actions = stand.broker.synced(stand.now_ms, journal, gone);
    stand.perform(actions);
    let answer = stand.answer::<ProduceRequest>(id).unwrap();
    assert_eq!(answer.responses[0].partition_responses[0].error_code, STORAGE);
}

/// The undoing of an append that failed can fail, too: what was written before it is not promised then, though its own sync
/// succeeds, and its producer hears of it.
#[test]
fn a_log_that_fails_during_a_sync_answers_those_who_wait() {
    let mut lost = 0;
    for seed in 0..40 {
        let disk = FaultyDisk::new(seed);
        let mut stand = Stand::with(Settings::default(), Arc::new(disk.clone())).unwrap();
        stand.topic("t", 1, &[]);
        stand.hold = true;
        let records = || batch(0, &[("k", "a")]);
        let first = stand.send(9, &produce(-1, "t", 0, records()));
        // A part of the records is written, then no more.
        let broken = Faults {
            short_per_mille: 500,
            write_error_per_mille: 500,
            sync_error_per_mille: 1000,
            ..Faults::NONE
        };
        disk.set_faults(broken);
        let second = stand.send(9, &produce(-1, "t", 0, records()));
        disk.set_faults(Faults::NONE);
        stand.hold = false;
        stand.sync();
        let code =
            |response: ProduceResponse| response.responses[0].partition_responses[0].error_code;
        assert!(stand.answer::<ProduceRequest>(second).is_some(), "seed {seed}");
        let first = stand.answer::<ProduceRequest>(first).map(code).expect("it is answered");
        lost += usize::from(first == STORAGE);
    }
    assert!(lost > 0, "some part of an append was written, and could not be undone");
}
