//! Transactions over disks that lose and refuse, as the simulation found them.

use std::sync::Arc;

use mainstem_core::disk::Disk;
use mainstem_log::{BatchBuilder, Compression, Faults, FaultyDisk};

use super::stand::{Stand, fetch, produce, without_wal};
use crate::call::{RequestId, Work};
use crate::topics::LogId;
use crate::wire::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use crate::wire::*;

fn init() -> InitProducerIdRequest {
    make(|init: &mut InitProducerIdRequest| {
        init.transactional_id = Some("tx".into());
        init.transaction_timeout_ms = 1_000;
        init.producer_id = -1;
        init.producer_epoch = -1;
    })
}

/// Begins a transaction with a record in partition 0 of a topic; its producer.
pub(super) fn begin(stand: &mut Stand, topic: &str) -> (i64, i16) {
    let given = stand.ask(4, &init());
    let producer = (given.producer_id, given.producer_epoch);
    let add = make(|add: &mut AddPartitionsToTxnRequest| {
        add.v3_and_below_transactional_id = "tx".into();
        (add.v3_and_below_producer_id, add.v3_and_below_producer_epoch) = producer;
        add.v3_and_below_topics = vec![make(|added: &mut AddPartitionsToTxnTopic| {
            added.name = topic.into();
            added.partitions = vec![0];
        })];
    });
    let added = stand.ask(3, &add);
    assert_eq!(
        added.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code,
        0
    );
    let mut builder = BatchBuilder::new(Compression::None)
        .with_producer(producer.0, producer.1, 0)
        .transactional();
    builder.push(stand.now_ms, None, Some(b"v"), &[]);
    let mut request = produce(-1, topic, 0, builder.finish().unwrap().into_bytes());
    request.transactional_id = Some("tx".into());
    let produced = stand.ask(9, &request);
    assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);
    producer
}

fn end(producer: (i64, i16)) -> EndTxnRequest {
    end_with(producer, true)
}

pub(super) fn end_with(producer: (i64, i16), commit: bool) -> EndTxnRequest {
    make(|end: &mut EndTxnRequest| {
        end.transactional_id = "tx".into();
        (end.producer_id, end.producer_epoch) = producer;
        end.committed = commit;
    })
}

fn stand_on(disk: &FaultyDisk) -> Stand {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Stand::with(without_wal(), disk).unwrap()
}

/// A transaction that was asked to end, and whose syncs are held: the stand, the producer and the request.
fn ending(disk: &FaultyDisk) -> (Stand, (i64, i16), RequestId) {
    let mut stand = stand_on(disk);
    stand.topic("t", 1, &[]);
    let producer = begin(&mut stand, "t");
    stand.hold = true;
    let asked = stand.send(3, &end(producer));
    (stand, producer, asked)
}

#[test]
fn a_transaction_is_complete_when_its_markers_are_durable() {
    for seed in 0..20 {
        let disk = FaultyDisk::new(seed);
        let (mut stand, _, asked) = ending(&disk);
        // The journal is synced as often as it wants, the partition never.
        let journal = |work: &Work| matches!(work, Work::Log { log: LogId::Journal, .. });
        while let Some(at) = stand.held.iter().position(|task| journal(&task.work)) {
            let mut task = stand.held.remove(at).unwrap();
            let result = task.run();
            let actions = stand.broker.synced(stand.now_ms, task, result);
            stand.perform(actions);
        }
        assert!(stand.answer::<EndTxnRequest>(asked).is_none(), "its marker is not durable");
        disk.crash();
        stand.hold = false;
        stand.restart(false);
        let read = stand.ask(12, &fetch(&[("t", 0, 0)], 0, 1));
        let read = &read.responses[0].partitions[0];
        assert_eq!((read.last_stable_offset, read.high_watermark), (2, 2), "{seed}");
        begin(&mut stand, "t");
    }
}

#[test]
fn a_full_disk_delays_the_end_of_a_transaction_and_nothing_else() {
    let disk = FaultyDisk::new(1);
    let (mut stand, producer, asked) = ending(&disk);
    disk.set_faults(Faults { space_bytes: 0, ..Faults::NONE });
    stand.sync();
    let refused = stand.answer::<EndTxnRequest>(asked).unwrap();
    assert_eq!(refused.error_code, crate::ErrorCode::ConcurrentTransactions.code());
    stand.hold = false;
    stand.ticks = 0;
    stand.pass(10_000);
    assert!(stand.ticks < 100, "{} ticks: the timer does not ring without end", stand.ticks);
    disk.set_faults(Faults::NONE);
    stand.pass(2_000);
    assert_eq!(stand.ask(3, &end(producer)).error_code, 0);
}

/// Whoever asks again and again would do so for ever: a log that has failed takes no marker before the next start.
#[test]
fn the_end_of_a_transaction_whose_log_has_failed_is_refused_until_the_next_start() {
    let disk = FaultyDisk::new(1);
    let (mut stand, producer, asked) = ending(&disk);
    while let Some(mut task) = stand.held.pop_front() {
        let result = match task.work {
            Work::Log { log: LogId::Partition(..), .. } => Err(std::io::Error::other("gone")),
            _ => task.run(),
        };
        let actions = stand.broker.synced(stand.now_ms, task, result);
        stand.perform(actions);
    }
    let storage = crate::ErrorCode::KafkaStorageError.code();
    assert_eq!(stand.answer::<EndTxnRequest>(asked).unwrap().error_code, storage);
    stand.hold = false;
    assert_eq!(stand.ask(3, &end(producer)).error_code, storage);
    assert_eq!(stand.ask(4, &init()).error_code, storage);
    stand.restart(false);
    assert_eq!(stand.ask(3, &end(producer)).error_code, 0, "decided is decided");
    assert_eq!(stand.ask(4, &init()).error_code, 0);
}

#[test]
fn a_timeout_that_cannot_be_recorded_rests() {
    let disk = FaultyDisk::new(1);
    let mut stand = stand_on(&disk);
    stand.topic("t", 1, &[]);
    begin(&mut stand, "t");
    disk.set_faults(Faults { write_error_per_mille: 1_000, ..Faults::NONE });
    stand.ticks = 0;
    stand.pass(20_000);
    assert!(stand.ticks < 100, "{} ticks", stand.ticks);
    disk.set_faults(Faults::NONE);
    stand.pass(5_000);
    let read = stand.ask(12, &fetch(&[("t", 0, 0)], 0, 1));
    let read = &read.responses[0].partitions[0];
    assert_eq!(read.last_stable_offset, read.high_watermark);
}

#[test]
fn a_producer_id_whose_block_was_not_recorded_is_not_given() {
    let disk = FaultyDisk::new(1);
    let mut stand = stand_on(&disk);
    let init = make(|init: &mut InitProducerIdRequest| {
        init.transactional_id = None;
        init.producer_id = -1;
        init.producer_epoch = -1;
    });
    disk.set_faults(Faults { write_error_per_mille: 1_000, ..Faults::NONE });
    assert_ne!(stand.ask(4, &init).error_code, 0);
    disk.set_faults(Faults::NONE);
    let first = stand.ask(4, &init);
    assert_eq!(first.error_code, 0);
    stand.restart(false);
    assert_ne!(stand.ask(4, &init).producer_id, first.producer_id);
}

#[test]
fn a_timeout_does_not_count_while_the_broker_is_down() {
    let disk = FaultyDisk::new(1);
    let mut stand = stand_on(&disk);
    stand.topic("t", 1, &[]);
    let producer = begin(&mut stand, "t");
    stand.now_ms += 3_600_000;
    stand.restart(false);
    stand.tick();
    assert_eq!(stand.ask(3, &end(producer)).error_code, 0, "its owner had no chance before");
    let producer = begin(&mut stand, "t");
    stand.restart(false);
    stand.pass(1_001);
    let late = stand.ask(3, &end(producer)).error_code;
    assert_eq!(late, crate::ErrorCode::ProducerFenced.code(), "the broker is up for a second");
}
