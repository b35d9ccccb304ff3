//! Records: appended, read, found, cut off.

use mainstem_log::{BatchBuilder, Compression};

use super::stand::{Stand, batch, fetch, produce, values};
use crate::ErrorCode;
use crate::wire::*;

#[test]
fn what_is_appended_is_read_and_only_when_it_is_durable() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    stand.hold = true;
    let first = stand.send(9, &produce(-1, "t", 0, batch(0, &[("k", "a")])));
    let second = stand.send(9, &produce(1, "t", 0, batch(0, &[("k", "b"), ("k", "c")])));
    assert_eq!(stand.answer::<ProduceRequest>(first), None);
    assert_eq!(stand.values("t", 0, 0), (0, vec![]));
    assert_eq!(stand.held.len(), 1, "one sync of a log at a time");
    stand.sync();
    let offsets = [first, second].map(|id| {
        let response = stand.answer::<ProduceRequest>(id).unwrap();
        response.responses[0].partition_responses[0].base_offset
    });
    assert_eq!(offsets, [0, 1]);
    assert_eq!(stand.values("t", 0, 0), (0, vec!["a".into(), "b".into(), "c".into()]));
    // A batch comes whole, even from its middle.
    assert_eq!(stand.values("t", 0, 2), (0, vec!["b".into(), "c".into()]));
    assert_eq!(stand.values("t", 0, 3), (0, vec![]));
    assert_eq!(stand.values("t", 0, 4).0, ErrorCode::OffsetOutOfRange.code());
    assert_eq!(stand.values("t", 0, -1).0, ErrorCode::OffsetOutOfRange.code());
    assert_eq!(stand.values("t", 1, 0).0, ErrorCode::UnknownTopicOrPartition.code());
}

#[test]
fn what_is_wrong_with_a_batch_is_said() {
    let good = batch(0, &[("k", "v")]);
    let damaged = |at: usize| {
        let mut bytes = good.to_vec();
        bytes[at] ^= 0x40;
        bytes.into()
    };
    let mut two = good.to_vec();
    two.extend_from_slice(&good);
    let mut zstd = BatchBuilder::new(Compression::Zstd);
    zstd.push(0, Some(b"k"), Some(b"v"), &[]);
    let zstd = zstd.finish().unwrap().into_bytes();
    let large = "x".repeat(2_000);
    let rows: Vec<(&str, i16, i16, bytes::Bytes, ErrorCode)> = vec![
        ("t", 9, -1, good.clone(), ErrorCode::None),
        ("t", 9, 2, good.clone(), ErrorCode::InvalidRequiredAcks),
        ("t", 9, -1, bytes::Bytes::new(), ErrorCode::InvalidRecord),
        ("t", 9, -1, two.into(), ErrorCode::InvalidRecord),
        ("t", 9, -1, damaged(good.len() - 1), ErrorCode::CorruptMessage),
        ("t", 9, -1, good.slice(..good.len() - 1), ErrorCode::CorruptMessage),
        ("t", 9, -1, damaged(16), ErrorCode::UnsupportedForMessageFormat),
        ("t", 9, -1, batch(0, &[("k", &large)]), ErrorCode::MessageTooLarge),
        ("t", 9, -1, batch(0, &[("", "v")]), ErrorCode::None),
        ("compacted", 9, -1, batch(0, &[("k", "v"), ("", "v")]), ErrorCode::InvalidRecord),
        ("t", 6, -1, zstd.clone(), ErrorCode::UnsupportedCompressionType),
        ("t", 7, -1, zstd, ErrorCode::None),
        ("nothing", 9, -1, good.clone(), ErrorCode::UnknownTopicOrPartition),
    ];
    let mut stand = Stand::new();
    stand.topic("t", 1, &[("max.message.bytes", "1000")]);
    stand.topic("compacted", 1, &[("cleanup.policy", "compact")]);
    for (topic, version, acks, records, code) in rows {
        let response = stand.ask(version, &produce(acks, topic, 0, records));
        let answer = &response.responses[0].partition_responses[0];
        let said = answer.error_message.as_deref().unwrap_or_default();
        assert_eq!(answer.error_code, code.code(), "{topic} {version} {acks} {code:?}: {said}");
        if topic == "compacted" {
            assert_eq!(answer.record_errors.len(), 1);
            assert_eq!(answer.record_errors[0].batch_index, 1);
        }
    }
}

#[test]
fn without_acks_nothing_is_answered_and_errors_are_counted() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    for (topic, refused) in [("t", 0), ("nothing", 1), ("t", 1)] {
        let id = stand.send(9, &produce(0, topic, 0, batch(0, &[("k", "v")])));
        assert!(stand.nothing_is_sent(id));
        assert_eq!(stand.broker.counters().refused_unanswered, refused);
    }
    assert_eq!(stand.values("t", 0, 0).1.len(), 2);
}

#[test]
fn a_fetch_waits_for_enough_over_all_its_partitions() {
    let mut stand = Stand::new();
    stand.topic("t", 2, &[]);
    let one = i32::try_from(batch(0, &[("k", "v")]).len()).unwrap();
    let request = fetch(&[("t", 0, 0), ("t", 1, 0)], 500, 2 * one);
    let first = stand.send(11, &request);
    stand.produce("t", 0, &[("k", "v")]);
    assert_eq!(stand.answer::<FetchRequest>(first), None);
    stand.produce("t", 1, &[("k", "v")]);
    let response = stand.answer::<FetchRequest>(first).unwrap();
    let topics = response.responses.iter();
    let read = topics.map(|topic| values(topic.partitions[0].records.clone().unwrap()).len());
    assert_eq!(read.collect::<Vec<_>>(), [1, 1]);
    assert_eq!(response.session_id, 0);

    let late = stand.send(11, &fetch(&[("t", 0, 1)], 500, 1));
    stand.pass(499);
    assert_eq!(stand.answer::<FetchRequest>(late), None);
    stand.pass(1);
    let response = stand.answer::<FetchRequest>(late).unwrap();
    assert_eq!(response.responses[0].partitions[0].high_watermark, 1);

    let at_once = stand.ask(11, &fetch(&[("t", 0, 1)], 0, 1));
    assert_eq!(at_once.responses[0].partitions[0].error_code, 0);
    let error = stand.ask(11, &fetch(&[("t", 0, 1), ("t", 7, 0)], 500, 1));
    assert_eq!(error.responses[1].partitions[0].error_code, 3, "an error is told at once");
}

#[test]
fn more_than_fits_is_never_waited_for() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    let mut request = fetch(&[("t", 0, 0)], 500, i32::MAX);
    request.max_bytes = 10;
    let id = stand.send(11, &request);
    stand.produce("t", 0, &[("k", "v")]);
    let response = stand.answer::<FetchRequest>(id).unwrap();
    let records = response.responses[0].partitions[0].records.clone().unwrap();
    assert_eq!(values(records), ["v"], "the first batch is whole");
}

#[test]
fn limits_hold_but_for_the_first_batch() {
    let mut stand = Stand::new();
    stand.topic("t", 3, &[]);
    for index in 0..3 {
        stand.produce("t", index, &[("k", "v")]);
    }
    let mut request = fetch(&[("t", 0, 1), ("t", 1, 0), ("t", 2, 0)], 0, 1);
    request.max_bytes = 10;
    let response = stand.ask(11, &request);
    let read = response.responses.iter().map(|t| t.partitions[0].records.clone().unwrap().len());
    let read: Vec<_> = read.map(|len| len > 0).collect();
    assert_eq!(read, [false, true, false]);
}

#[test]
fn a_connection_that_closes_leaves_nothing() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    let id = stand.send(11, &fetch(&[("t", 0, 0)], 500, 1));
    stand.hold = true;
    let produced = stand.send(9, &produce(-1, "t", 0, batch(0, &[("k", "v")])));
    stand.close_connection();
    stand.sync();
    stand.pass(1_000);
    assert_eq!(stand.answer::<FetchRequest>(id), None);
    assert_eq!(stand.answer::<ProduceRequest>(produced), None);
}

#[test]
fn sessions_are_declined() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    let mut request = fetch(&[("t", 0, 0)], 0, 1);
    request.session_epoch = 0;
    assert_eq!(stand.ask(12, &request).session_id, 0);
    (request.session_id, request.session_epoch) = (77, 3);
    let response = stand.ask(12, &request);
    assert_eq!(response.error_code, ErrorCode::FetchSessionIdNotFound.code());
    assert_eq!(response.responses, []);
}

#[test]
fn leaders_epochs_are_checked() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    for (epoch, code) in [(-1, 0), (0, 0), (1, 75), (-2, 74)] {
        let mut request = fetch(&[("t", 0, 0)], 0, 1);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        assert_eq!(stand.ask(12, &request).responses[0].partitions[0].error_code, code);
    }
}

fn offsets(
    stand: &mut Stand,
    version: i16,
    timestamp: i64,
    committed: bool,
) -> (i16, i64, i64, i32) {
    use list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let request = make(|request: &mut ListOffsetsRequest| {
        request.isolation_level = i8::from(committed);
        request.topics = vec![make(|topic: &mut ListOffsetsTopic| {
            topic.name = "t".into();
            topic.partitions = vec![make(|asked: &mut ListOffsetsPartition| {
                asked.timestamp = timestamp;
                asked.current_leader_epoch = -1;
            })];
        })];
    });
    let response = stand.ask(version, &request);
    let found = &response.topics[0].partitions[0];
    (found.error_code, found.timestamp, found.offset, found.leader_epoch)
}

#[test]
fn offsets_are_found_by_time_and_by_name() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[("retention.ms", "-1")]);
    assert_eq!(offsets(&mut stand, 7, -3, false), (0, -1, -1, -1), "nothing has a timestamp");
    for times in [[10, 20], [50, 40], [30, 31]] {
        let mut builder = BatchBuilder::new(Compression::Lz4);
        for time in times {
            builder.push(time, Some(b"k"), Some(b"v"), &[]);
        }
        let records = builder.finish().unwrap().into_bytes();
        stand.ask(9, &produce(-1, "t", 0, records));
    }
    let rows = [
        (-1, (0, -1, 6, 0)),
        (-2, (0, -1, 0, 0)),
        (-3, (0, 50, 2, 0)),
        (-4, (0, -1, 0, 0)),
        (-5, (0, -1, -1, -1)),
        (0, (0, 10, 0, 0)),
        (11, (0, 20, 1, 0)),
        (21, (0, 50, 2, 0)),
        (50, (0, 50, 2, 0)),
        (51, (0, -1, -1, -1)),
    ];
    for version in 1..=11 {
        for (timestamp, (code, time, offset, epoch)) in rows {
            let epoch = if version >= 4 { epoch } else { -1 };
            let found = offsets(&mut stand, version, timestamp, version >= 2);
            assert_eq!(found, (code, time, offset, epoch), "version {version}, {timestamp}");
        }
    }
}

#[test]
fn epochs_end_where_the_log_does() {
    use offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    stand.produce("t", 0, &[("k", "v")]);
    for version in 2..=4 {
        for (partition, epoch, expected) in
            [(0, 0, (0, 0, 1)), (0, 5, (0, -1, -1)), (1, 0, (3, -1, -1))]
        {
            let request = make(|request: &mut OffsetForLeaderEpochRequest| {
                request.topics = vec![make(|topic: &mut OffsetForLeaderTopic| {
                    topic.topic = "t".into();
                    topic.partitions = vec![make(|asked: &mut OffsetForLeaderPartition| {
                        asked.partition = partition;
                        asked.current_leader_epoch = -1;
                        asked.leader_epoch = epoch;
                    })];
                })];
            });
            let response = stand.ask(version, &request);
            let end = &response.topics[0].partitions[0];
            assert_eq!((end.error_code, end.leader_epoch, end.end_offset), expected);
        }
    }
}

#[test]
fn records_are_cut_off_at_the_start() {
    use delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    for value in ["a", "b", "c"] {
        stand.produce("t", 0, &[("k", value)]);
    }
    let rows = [(0, 1, (0, 1)), (0, 1, (0, 1)), (0, 9, (1, -1)), (0, -2, (1, -1)), (3, 0, (3, -1))];
    let delete = |topic: &str, index: i32, offset: i64| {
        make(|request: &mut DeleteRecordsRequest| {
            request.topics = vec![make(|asked: &mut DeleteRecordsTopic| {
                asked.name = topic.into();
                asked.partitions = vec![make(|asked: &mut DeleteRecordsPartition| {
                    asked.partition_index = index;
                    asked.offset = offset;
                })];
            })];
        })
    };
    for version in 0..=2 {
        for (index, offset, expected) in rows {
            let response = stand.ask(version, &delete("t", index, offset));
            let answer = &response.topics[0].partitions[0];
            assert_eq!((answer.error_code, answer.low_watermark), expected, "{index} {offset}");
        }
    }
    stand.restart(false);
    assert_eq!(stand.values("t", 0, 0).0, ErrorCode::OffsetOutOfRange.code());
    assert_eq!(stand.values("t", 0, 1).1, ["b", "c"]);
    let answer = stand.ask(2, &delete("t", 0, -1));
    assert_eq!(answer.topics[0].partitions[0].low_watermark, 3);
    assert_eq!(stand.values("t", 0, 3), (0, vec![]));
    assert_eq!(stand.produce("t", 0, &[("k", "d")]), (0, 3));
    // Kafka's rule: of a topic that is compacted and nothing else, no record goes but for a newer one.
    stand.topic("compacted", 1, &[("cleanup.policy", "compact")]);
    let answer = stand.ask(2, &delete("compacted", 0, -1));
    assert_eq!(answer.topics[0].partitions[0].error_code, ErrorCode::PolicyViolation.code());
}
