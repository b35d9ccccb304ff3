//! What time does to logs, and how often it wakes the broker.

use std::sync::Arc;

use mainstem_log::{Faults, FaultyDisk};

use super::stand::Stand;
use crate::Settings;

const DAY_MS: i64 = 24 * 3_600_000;

#[test]
fn old_segments_go() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[("retention.ms", "60000"), ("file.delete.delay.ms", "0")]);
    stand.produce("t", 0, &[("k", "a")]);
    stand.pass(50_000);
    assert_eq!(stand.values("t", 0, 0).1, ["a"]);
    stand.pass(400_000);
    assert_eq!(stand.values("t", 0, 1), (0, vec![]));
    assert_eq!(stand.values("t", 0, 0).0, 1, "the start has moved");
    assert_eq!(stand.produce("t", 0, &[("k", "b")]), (0, 1));
}

#[test]
fn too_much_goes() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[("retention.bytes", "1000"), ("segment.bytes", "500")]);
    let value = "x".repeat(300);
    for _ in 0..20 {
        stand.produce("t", 0, &[("k", &value)]);
        stand.pass(1_000);
    }
    stand.pass(60_000);
    let log = &stand.broker.topics.partition(&"t".into(), 0).unwrap().log;
    assert!(log.log_start_offset() >= 15, "start {}", log.log_start_offset());
    assert!(log.size_bytes() < 2_000);
}

#[test]
fn an_idle_broker_sleeps() {
    let mut stand = Stand::new();
    for index in 0..20 {
        stand.topic(&format!("t{index}"), 10, &[]);
    }
    stand.pass(60_000);
    stand.ticks = 0;
    stand.pass(3_600_000);
    assert!(stand.ticks <= 10, "nothing was ever appended: {} ticks in an hour", stand.ticks);
    for index in 0..20 {
        stand.produce(&format!("t{index}"), 0, &[("k", "v")]);
    }
    stand.pass(60_000);
    stand.ticks = 0;
    stand.pass(DAY_MS - 60_000);
    assert!(stand.ticks <= 200, "{} ticks in a day", stand.ticks);
}

#[test]
fn durability_by_interval_answers_at_once_and_syncs_later() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[("durability", "interval"), ("durability.interval.ms", "100")]);
    stand.topic("never", 1, &[("durability", "none")]);
    stand.hold = true;
    assert_eq!(stand.produce("t", 0, &[("k", "a")]), (0, 0));
    assert_eq!(stand.produce("never", 0, &[("k", "a")]), (0, 0));
    assert_eq!(stand.values("t", 0, 0).1, ["a"]);
    stand.pass(99);
    assert_eq!(stand.held.len(), 0);
    stand.pass(1);
    assert_eq!(stand.held.len(), 1);
    // What comes while the sync waits for its turn goes with it, what comes later waits for the next interval.
    assert_eq!(stand.produce("t", 0, &[("k", "b")]), (0, 1));
    stand.sync();
    let durable =
        |stand: &Stand| stand.broker.topics.partition(&"t".into(), 0).unwrap().log.recovery_point();
    assert_eq!(durable(&stand), 2);
    assert_eq!(stand.produce("t", 0, &[("k", "c")]), (0, 2));
    assert_eq!(stand.held.len(), 0);
    stand.pass(100);
    assert_eq!(stand.held.len(), 1);
    stand.sync();
    assert_eq!(durable(&stand), 3);
}

#[test]
fn a_log_that_is_poisoned_before_its_interval_is_over_wakes_nobody() {
    let disk = FaultyDisk::new(1);
    let mut stand = Stand::with(Settings::default(), Arc::new(disk.clone())).unwrap();
    let interval = ("durability.interval.ms", "120000");
    let configs = [("durability", "interval"), interval, ("segment.ms", "1000")];
    stand.topic("t", 1, &configs);
    stand.pass(10_000);
    assert_eq!(stand.produce("t", 0, &[("k", "a")]), (0, 0));
    stand.hold = true;
    disk.set_faults(Faults { sync_error_per_mille: 1_000, ..Faults::NONE });
    // Rolling it by age fails.
    stand.ticks = 0;
    stand.pass(600_000);
    assert!(stand.broker.topics.partition(&"t".into(), 0).unwrap().log.poisoned().is_some());
    assert!(stand.ticks <= 100, "{} ticks", stand.ticks);
}

#[test]
fn compacted_topics_keep_the_last_of_each_key() {
    let mut stand = Stand::new();
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "300"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    stand.topic("t", 1, &configs);
    for round in 0..20 {
        stand.produce("t", 0, &[("a", &format!("a{round}"))]);
        stand.produce("t", 0, &[("b", &format!("b{round}"))]);
    }
    for _ in 0..4 {
        stand.pass(15_000);
        stand.compact();
    }
    let (code, values) = stand.values("t", 0, 0);
    assert_eq!(code, 0);
    assert!(values.len() < 20, "{values:?}");
    assert_eq!(values[values.len() - 2..], ["a19", "b19"]);
    stand.restart(false);
    assert_eq!(stand.values("t", 0, 0).1, values);
}

#[test]
fn a_compaction_of_a_topic_that_is_gone_is_dropped() {
    let mut stand = Stand::new();
    let configs = [("cleanup.policy", "compact"), ("segment.bytes", "100")];
    stand.topic("t", 1, &configs);
    for _ in 0..10 {
        stand.produce("t", 0, &[("a", "a")]);
    }
    stand.pass(15_000);
    assert_eq!(stand.compactions.len(), 1);
    let request = crate::wire::make(|request: &mut crate::wire::DeleteTopicsRequest| {
        request.topic_names = vec!["t".into()];
    });
    assert_eq!(stand.ask(1, &request).responses[0].error_code, 0);
    stand.compact();
    stand.topic("t", 1, &configs);
    assert_eq!(stand.values("t", 0, 0), (0, vec![]));
}

#[test]
fn the_journal_is_compacted_too() {
    use crate::wire::alter_configs_request::{AlterConfigsResource, AlterableConfig};
    use crate::wire::{AlterConfigsRequest, make};
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    // Twice the size of one of its segments, in entries of one key.
    for round in 0..1_200 {
        let request = make(|request: &mut AlterConfigsRequest| {
            request.resources = vec![make(|asked: &mut AlterConfigsResource| {
                asked.resource_type = 2;
                asked.resource_name = "t".into();
                asked.configs = vec![make(|config: &mut AlterableConfig| {
                    config.name = "leader.replication.throttled.replicas".into();
                    config.value = Some(format!("{round}{}", "x".repeat(30_000)).into());
                })];
            })];
        });
        assert_eq!(stand.ask(2, &request).responses[0].error_code, 0);
    }
    let before = stand.broker.journal.log.size_bytes();
    assert!(before > 32 << 20);
    stand.pass(15_000);
    assert_eq!(stand.compactions.len(), 1);
    stand.compact();
    stand.pass(120_000);
    let after = stand.broker.journal.log.size_bytes();
    assert!(after < before / 10, "{before} to {after}");
    stand.restart(false);
    let topic = stand.broker.topics.by_name(&"t".into()).unwrap();
    assert!(topic.overrides["leader.replication.throttled.replicas"].starts_with("1199x"));
}
