//! Topics: made, found, grown, deleted.

use super::stand::{Stand, batch, create, fetch, produce};
use crate::ErrorCode;
use crate::wire::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use crate::wire::metadata_request::MetadataRequestTopic;
use crate::wire::*;

fn codes(response: &CreateTopicsResponse) -> Vec<(String, i16)> {
    response.topics.iter().map(|t| (t.name.to_string(), t.error_code)).collect()
}

#[test]
fn what_is_wrong_with_a_topic_is_said() {
    let long = "x".repeat(250);
    type Fill = fn(&mut CreatableTopic);
    let assign: Fill = |topic| {
        topic.assignments = vec![make(|a: &mut CreatableReplicaAssignment| {
            a.broker_ids = vec![1];
        })];
        topic.num_partitions = -1;
    };
    let rows: &[(&str, Fill, ErrorCode)] = &[
        ("fine", |_| (), ErrorCode::None),
        ("there", |_| (), ErrorCode::TopicAlreadyExists),
        ("a.b", |_| (), ErrorCode::InvalidTopicException),
        ("a-b", |_| (), ErrorCode::None),
        ("", |_| (), ErrorCode::InvalidTopicException),
        ("..", |_| (), ErrorCode::InvalidTopicException),
        ("../x", |_| (), ErrorCode::InvalidTopicException),
        (&long, |_| (), ErrorCode::InvalidTopicException),
        ("p", |t| t.num_partitions = 0, ErrorCode::InvalidPartitions),
        ("p", |t| t.num_partitions = -2, ErrorCode::InvalidPartitions),
        ("p", |t| t.num_partitions = i32::MAX, ErrorCode::InvalidPartitions),
        ("r", |t| t.replication_factor = 0, ErrorCode::InvalidReplicationFactor),
        ("r", |t| t.replication_factor = 3, ErrorCode::InvalidReplicationFactor),
        ("r1", |t| t.replication_factor = 1, ErrorCode::None),
        ("assigned", assign, ErrorCode::None),
        (
            "a",
            |t| {
                t.num_partitions = 1;
                t.assignments = vec![CreatableReplicaAssignment::default()];
            },
            ErrorCode::InvalidRequest,
        ),
        (
            "a",
            |t| t.assignments = vec![CreatableReplicaAssignment::default()],
            ErrorCode::InvalidReplicaAssignment,
        ),
        (
            "a",
            |t| {
                t.assignments = vec![make(|a: &mut CreatableReplicaAssignment| {
                    a.partition_index = 1;
                    a.broker_ids = vec![1];
                })];
            },
            ErrorCode::InvalidReplicaAssignment,
        ),
    ];
    let mut stand = Stand::new();
    stand.topic("there", 1, &[]);
    stand.topic("a_b", 1, &[]);
    for (name, fill, code) in rows {
        let mut request = create(&[(name, -1, &[])]);
        fill(&mut request.topics[0]);
        request.validate_only = true;
        let validated = codes(&stand.ask(5, &request));
        assert_eq!(validated, [((*name).to_owned(), code.code())], "validated");
        request.validate_only = false;
        assert_eq!(codes(&stand.ask(5, &request)), validated);
    }
}

#[test]
fn a_topic_named_twice_is_refused_and_answered_once() {
    let mut stand = Stand::new();
    let request = create(&[("twice", 1, &[]), ("once", 1, &[]), ("twice", 2, &[])]);
    let expected = [("twice".to_owned(), ErrorCode::InvalidRequest.code()), ("once".to_owned(), 0)];
    assert_eq!(codes(&stand.ask(2, &request)), expected);
    assert_eq!(names(&stand.ask(1, &all_topics())), ["once"]);
}

#[test]
fn from_version_five_on_the_configuration_is_answered() {
    let mut stand = Stand::new();
    let request = create(&[("t", -1, &[("retention.ms", "5"), ("compression.type", "gzip")])]);
    let response = stand.ask(5, &request);
    let topic = &response.topics[0];
    assert_eq!((topic.num_partitions, topic.replication_factor), (1, 1));
    let configs = topic.configs.as_ref().unwrap();
    let find = |name: &str| configs.iter().find(|config| &*config.name == name).unwrap();
    assert_eq!(find("retention.ms").value.as_deref(), Some("5"));
    assert_eq!(find("retention.ms").config_source, 1);
    assert_eq!(find("compression.type").value.as_deref(), Some("gzip"));
    assert_eq!(find("cleanup.policy").value.as_deref(), Some("delete"));
    assert_eq!(find("cleanup.policy").config_source, 5);
}

fn all_topics() -> MetadataRequest {
    make(|request: &mut MetadataRequest| request.topics = None)
}

fn names(response: &MetadataResponse) -> Vec<String> {
    response.topics.iter().map(|topic| topic.name.clone().unwrap_or_default().to_string()).collect()
}

fn named(names: &[&str], create: bool) -> MetadataRequest {
    make(|request: &mut MetadataRequest| {
        let topics = names
            .iter()
            .map(|name| make(|topic: &mut MetadataRequestTopic| topic.name = Some((*name).into())));
        request.topics = Some(topics.collect());
        request.allow_auto_topic_creation = create;
    })
}

#[test]
fn metadata_in_every_version_says_what_its_version_can() {
    let mut stand = Stand::new();
    stand.topic("b", 2, &[]);
    stand.topic("__consumer_offsets", 1, &[]);
    for version in 0..=13 {
        let mut request = match version {
            0 => named(&[], true),
            _ => all_topics(),
        };
        request.include_topic_authorized_operations = version >= 8;
        request.include_cluster_authorized_operations = (8..=10).contains(&version);
        let response = stand.ask(version, &request);
        assert_eq!(names(&response), ["__consumer_offsets", "b"], "version {version}");
        assert_eq!((&*response.brokers[0].host, response.brokers[0].port), ("localhost", 9092));
        let topic = &response.topics[1];
        assert_eq!(topic.partitions.len(), 2);
        assert_eq!(response.topics[0].is_internal, version >= 1);
        let bits = if version >= 8 { 0b1101_1111_1000 } else { i32::MIN };
        assert_eq!(topic.topic_authorized_operations, bits);
        if version >= 1 {
            assert_eq!(names(&stand.ask(version, &named(&[], version < 4))), Vec::<String>::new());
        }
    }
}

#[test]
fn topics_are_made_when_they_are_asked_for_and_that_is_wanted() {
    let mut stand = Stand::new();
    let codes = |response: &MetadataResponse| -> Vec<i16> {
        response.topics.iter().map(|topic| topic.error_code).collect()
    };
    assert_eq!(codes(&stand.ask(4, &named(&["new"], false))), [3]);
    // Old versions cannot say that they do not want it.
    assert_eq!(codes(&stand.ask(1, &named(&["old"], true))), [0]);
    assert_eq!(codes(&stand.ask(9, &named(&["new", "b/d", "."], true))), [0, 17, 17]);
    assert_eq!(codes(&stand.ask(9, &named(&["new"], false))), [0]);
    let mut unknown = named(&[], false);
    unknown.topics = Some(vec![make(|topic: &mut MetadataRequestTopic| {
        topic.topic_id = Uuid::from_bytes([9; 16]);
        topic.name = None;
    })]);
    assert_eq!(codes(&stand.ask(12, &unknown)), [100]);
    stand.settings.auto_create_topics = false;
    stand.restart(true);
    assert_eq!(codes(&stand.ask(9, &named(&["newer"], true))), [3]);
    assert_eq!(names(&stand.ask(1, &all_topics())), ["new", "old"]);
}

fn delete(names: &[&str]) -> DeleteTopicsRequest {
    make(|request: &mut DeleteTopicsRequest| {
        request.topic_names = names.iter().map(|name| (*name).into()).collect();
    })
}

#[test]
fn deleted_topics_are_gone_and_what_waits_for_them_is_told() {
    let mut stand = Stand::new();
    stand.topic("t", 2, &[]);
    stand.topic("other", 1, &[]);
    assert_eq!(stand.produce("t", 0, &[("k", "v")]), (0, 0));
    let id = stand.ask(12, &all_topics()).topics[1].topic_id;

    let by_name = stand.send(12, &fetch(&[("other", 0, 0), ("t", 0, 1)], 10_000, 1));
    let mut by_id = fetch(&[("", 0, 1)], 10_000, 1);
    by_id.topics[0].topic_id = id;
    let by_id = stand.send(13, &by_id);
    stand.hold = true;
    let records = batch(0, &[("k", "w")]);
    let waits = stand.send(9, &produce(-1, "t", 1, records));
    let deletes = stand.send(5, &delete(&["t", "nothing", "t"]));

    let fetched = stand.answer::<FetchRequest>(by_name).unwrap();
    let codes: Vec<_> = fetched.responses.iter().map(|t| t.partitions[0].error_code).collect();
    assert_eq!(codes, [0, ErrorCode::UnknownTopicOrPartition.code()]);
    let fetched = stand.answer::<FetchRequest>(by_id).unwrap();
    assert_eq!(fetched.responses[0].partitions[0].error_code, ErrorCode::UnknownTopicId.code());
    let produced = stand.answer::<ProduceRequest>(waits).unwrap();
    assert_eq!(produced.responses[0].partition_responses[0].error_code, 3);
    assert_eq!(stand.answer::<DeleteTopicsRequest>(deletes), None, "not before it is durable");
    assert!(!stand.disk.list("topics").unwrap().is_empty());
    stand.sync();
    let deleted = stand.answer::<DeleteTopicsRequest>(deletes).unwrap();
    let codes: Vec<_> = deleted.responses.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [0, 3, 3]);
    assert_eq!(stand.disk.list("topics").unwrap(), Vec::<String>::new());

    stand.hold = false;
    stand.restart(false);
    assert_eq!(names(&stand.ask(1, &all_topics())), ["other"]);
    stand.topic("t", 1, &[]);
    assert_eq!(stand.values("t", 0, 0), (0, vec![]), "a new topic of that name is empty");
}

#[test]
fn topics_are_deleted_by_id() {
    use delete_topics_request::DeleteTopicState;
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    let id = stand.ask(12, &all_topics()).topics[0].topic_id;
    let state = |name: Option<&str>, id: Uuid| {
        make(|state: &mut DeleteTopicState| {
            state.name = name.map(StrBytes::from);
            state.topic_id = id;
        })
    };
    let request = make(|request: &mut DeleteTopicsRequest| {
        request.topics = vec![
            state(Some("t"), id),
            state(None, Uuid::from_bytes([1; 16])),
            state(None, Uuid::ZERO),
            state(None, id),
        ];
    });
    let response = stand.ask(6, &request);
    let codes: Vec<_> = response.responses.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [42, 100, 42, 0]);
    assert_eq!(response.responses[3].name.as_deref(), Some("t"));
}

#[test]
fn partitions_are_added_and_never_taken() {
    use create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
    let mut stand = Stand::new();
    stand.topic("t", 2, &[]);
    assert_eq!(stand.produce("t", 1, &[("k", "v")]), (0, 0));
    let rows: &[(&str, i32, Option<&[&[i32]]>, i16)] = &[
        ("t", 2, None, 37),
        ("t", 1, None, 37),
        ("t", -1, None, 37),
        ("nothing", 3, None, 3),
        ("t", 4, Some(&[&[1]]), 39),
        ("t", 3, Some(&[&[2]]), 39),
        ("t", 4, Some(&[&[1], &[1]]), 0),
        ("t", 4, None, 37),
        ("t", 5, None, 0),
    ];
    for (name, count, assigned, code) in rows {
        let mut request = make(|request: &mut CreatePartitionsRequest| {
            request.topics = vec![make(|topic: &mut CreatePartitionsTopic| {
                topic.name = (*name).into();
                topic.count = *count;
                topic.assignments = assigned.map(|all| {
                    let all = all.iter().map(|brokers| {
                        make(|a: &mut CreatePartitionsAssignment| a.broker_ids = brokers.to_vec())
                    });
                    all.collect()
                });
            })];
            request.validate_only = true;
        });
        let row = format!("{name} {count} {assigned:?}");
        assert_eq!(stand.ask(3, &request).results[0].error_code, *code, "validated: {row}");
        request.validate_only = false;
        assert_eq!(stand.ask(1, &request).results[0].error_code, *code, "{row}");
    }
    assert_eq!(stand.produce("t", 4, &[("k", "v")]), (0, 0));
    stand.restart(false);
    assert_eq!(stand.ask(1, &all_topics()).topics[0].partitions.len(), 5);
    assert_eq!(stand.values("t", 1, 0).1, ["v"]);
    assert_eq!(stand.values("t", 4, 0).1, ["v"]);
}

#[test]
fn topics_are_described_in_pages() {
    let mut stand = Stand::new();
    for (name, partitions) in [("a", 3), ("b", 2), ("c", 1)] {
        stand.topic(name, partitions, &[]);
    }
    let mut request = make(|request: &mut DescribeTopicPartitionsRequest| {
        request.response_partition_limit = 2;
    });
    let mut pages = Vec::new();
    loop {
        let response = stand.ask(0, &request);
        // Java's admin client needs empty lists where the protocol allows none.
        for partition in response.topics.iter().flat_map(|topic| &topic.partitions) {
            assert_eq!(partition.eligible_leader_replicas, Some(Vec::new()));
            assert_eq!(partition.last_known_elr, Some(Vec::new()));
        }
        let page = response.topics.iter().map(|topic| {
            let indexes: Vec<_> = topic.partitions.iter().map(|p| p.partition_index).collect();
            format!("{}{indexes:?}", topic.name.as_deref().unwrap())
        });
        pages.push(page.collect::<Vec<_>>().join(" "));
        let Some(next) = response.next_cursor else { break };
        request.cursor = Some(make(|cursor: &mut describe_topic_partitions_request::Cursor| {
            cursor.topic_name = next.topic_name;
            cursor.partition_index = next.partition_index;
        }));
    }
    assert_eq!(pages, ["a[0, 1]", "a[2] b[0]", "b[1] c[0]"]);
}

#[test]
fn the_cluster_is_one_broker() {
    let mut stand = Stand::new();
    for version in 0..=2 {
        let mut request = make(|request: &mut DescribeClusterRequest| {
            request.include_cluster_authorized_operations = true;
        });
        let response = stand.ask(version, &request);
        assert_eq!((response.controller_id, response.brokers.len()), (1, 1));
        assert_eq!(response.cluster_authorized_operations, 0b1_1111_1010_0000);
        assert_eq!(response.cluster_id.len(), 32);
        if version > 0 {
            request.endpoint_type = 2;
            assert_eq!(stand.ask(version, &request).error_code, 114);
        }
    }
    let request = make(|request: &mut ListPartitionReassignmentsRequest| request.topics = None);
    assert_eq!(stand.ask(0, &request).topics, []);
}

#[test]
fn folders_are_described_with_sizes() {
    let mut stand = Stand::new();
    stand.topic("t", 2, &[]);
    stand.produce("t", 1, &[("k", "v")]);
    for version in 1..=4 {
        let request = make(|request: &mut DescribeLogDirsRequest| request.topics = None);
        let response = stand.ask(version, &request);
        let topic = &response.results[0].topics[0];
        let sizes: Vec<_> = topic.partitions.iter().map(|p| p.partition_size > 0).collect();
        assert_eq!(sizes, [false, true]);
    }
}

#[test]
fn nothing_is_shown_of_a_topic_that_is_not_durable() {
    let mut stand = Stand::new();
    stand.hold = true;
    let creates = stand.send(7, &create(&[("t", 1, &[])]));
    let produces = stand.send(9, &produce(-1, "t", 0, batch(0, &[("k", "a")])));
    // The records are durable, and the topic is not: after a loss of power nobody knows of it.
    let journal = stand.held.pop_front().unwrap();
    stand.sync();
    assert_eq!(stand.values("t", 0, 0), (0, vec![]));
    let waits = stand.send(12, &fetch(&[("t", 0, 0)], 60_000, 1));
    assert!(stand.answer::<ProduceRequest>(produces).is_none());
    assert!(stand.answer::<FetchRequest>(waits).is_none());
    stand.held.push_back(journal);
    stand.sync();
    assert!(stand.answer::<CreateTopicsRequest>(creates).is_some());
    assert!(stand.answer::<ProduceRequest>(produces).is_some());
    assert!(stand.answer::<FetchRequest>(waits).is_some(), "it is woken");
    assert_eq!(stand.values("t", 0, 0), (0, vec!["a".to_owned()]));
}
