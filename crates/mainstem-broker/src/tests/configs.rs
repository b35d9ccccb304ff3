//! Configurations over the wire: described, set, taken back, kept.

use super::stand::{Stand, create};
use crate::ErrorCode;
use crate::wire::describe_configs_request::DescribeConfigsResource;
use crate::wire::*;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

fn describe(
    stand: &mut Stand,
    kind: i8,
    name: &str,
    keys: Option<&[&str]>,
) -> describe_configs_response::DescribeConfigsResult {
    let request = make(|request: &mut DescribeConfigsRequest| {
        request.include_synonyms = true;
        request.include_documentation = true;
        request.resources = vec![make(|asked: &mut DescribeConfigsResource| {
            asked.resource_type = kind;
            asked.resource_name = name.into();
            asked.configuration_keys =
                keys.map(|keys| keys.iter().map(|key| (*key).into()).collect());
        })];
    });
    stand.ask(4, &request).results.remove(0)
}

/// Value and source of one configuration.
fn value(stand: &mut Stand, kind: i8, name: &str, key: &str) -> (String, i8) {
    let result = describe(stand, kind, name, Some(&[key]));
    assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    assert_eq!(result.configs.len(), 1, "{key}");
    let config = &result.configs[0];
    (config.value.as_deref().unwrap().to_owned(), config.config_source)
}

fn incremental(
    kind: i8,
    name: &str,
    configs: &[(&str, i8, Option<&str>)],
) -> IncrementalAlterConfigsRequest {
    use incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    make(|request: &mut IncrementalAlterConfigsRequest| {
        request.resources = vec![make(|asked: &mut AlterConfigsResource| {
            asked.resource_type = kind;
            asked.resource_name = name.into();
            let configs = configs.iter().map(|(name, operation, value)| {
                make(|config: &mut AlterableConfig| {
                    config.name = (*name).into();
                    config.config_operation = *operation;
                    config.value = value.map(StrBytes::from);
                })
            });
            asked.configs = configs.collect();
        })];
    })
}

#[test]
fn everything_known_is_described() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[("cleanup.policy", "compact")]);
    let all = describe(&mut stand, TOPIC, "t", None);
    assert!(all.configs.len() > 30);
    let policy = all.configs.iter().find(|config| &*config.name == "cleanup.policy").unwrap();
    assert_eq!(policy.value.as_deref(), Some("compact"));
    assert_eq!((policy.config_source, policy.config_type), (1, 7));
    assert!(policy.documentation.as_deref().unwrap().contains("last record of each key"));
    let synonyms: Vec<_> =
        policy.synonyms.iter().map(|s| (&*s.name, s.value.as_deref().unwrap(), s.source)).collect();
    assert_eq!(synonyms, [("cleanup.policy", "compact", 1), ("log.cleanup.policy", "delete", 5)]);
    let broker = describe(&mut stand, BROKER, "1", None);
    assert!(broker.configs.len() > 40);
    let id = broker.configs.iter().find(|config| &*config.name == "broker.id").unwrap();
    assert!(id.read_only);
    assert_eq!(describe(&mut stand, BROKER, "", None).configs, []);
    for version in 1..=4 {
        let request = make(|request: &mut DescribeConfigsRequest| {
            request.include_synonyms = true;
            request.resources = vec![make(|asked: &mut DescribeConfigsResource| {
                asked.resource_type = TOPIC;
                asked.resource_name = "t".into();
                asked.configuration_keys = None;
            })];
        });
        assert_eq!(stand.ask(version, &request).results[0].configs.len(), all.configs.len());
    }
}

#[test]
fn what_cannot_be_described_is_said() {
    let mut stand = Stand::new();
    let rows = [
        (TOPIC, "nothing", ErrorCode::UnknownTopicOrPartition),
        (TOPIC, "", ErrorCode::InvalidTopicException),
        (BROKER, "2", ErrorCode::InvalidRequest),
        (8, "1", ErrorCode::InvalidRequest),
    ];
    for (kind, name, code) in rows {
        assert_eq!(describe(&mut stand, kind, name, None).error_code, code.code());
        let request = incremental(kind, name, &[("retention.ms", 0, Some("1"))]);
        assert_eq!(stand.ask(1, &request).responses[0].error_code, code.code());
    }
}

#[test]
fn single_configurations_are_altered() {
    type Row<'a> = (&'a [(&'a str, i8, Option<&'a str>)], ErrorCode, &'a str, (&'a str, i8));
    let rows: &[Row<'_>] = &[
        (&[("retention.ms", 0, Some("5"))], ErrorCode::None, "retention.ms", ("5", 1)),
        (&[("retention.ms", 0, Some("no"))], ErrorCode::InvalidConfig, "retention.ms", ("5", 1)),
        (&[("retention.ms", 0, None)], ErrorCode::InvalidRequest, "retention.ms", ("5", 1)),
        (
            &[("retention.ms", 0, Some("6")), ("retention.sm", 0, Some("6"))],
            ErrorCode::InvalidConfig,
            "retention.ms",
            ("5", 1),
        ),
        (
            &[("retention.ms", 0, Some("6")), ("retention.ms", 1, None)],
            ErrorCode::InvalidRequest,
            "retention.ms",
            ("5", 1),
        ),
        (&[("retention.ms", 2, Some("6"))], ErrorCode::InvalidConfig, "retention.ms", ("5", 1)),
        (&[("retention.ms", 9, Some("6"))], ErrorCode::InvalidRequest, "retention.ms", ("5", 1)),
        (&[("retention.ms", 1, None)], ErrorCode::None, "retention.ms", ("604800000", 5)),
        (
            &[("cleanup.policy", 2, Some("compact"))],
            ErrorCode::None,
            "cleanup.policy",
            ("delete,compact", 1),
        ),
        (
            &[("cleanup.policy", 2, Some("compact"))],
            ErrorCode::None,
            "cleanup.policy",
            ("delete,compact", 1),
        ),
        (
            &[("cleanup.policy", 3, Some("delete"))],
            ErrorCode::None,
            "cleanup.policy",
            ("compact", 1),
        ),
        (
            &[("cleanup.policy", 3, Some("compact"))],
            ErrorCode::InvalidConfig,
            "cleanup.policy",
            ("compact", 1),
        ),
        (
            &[("min.compaction.lag.ms", 0, Some("9")), ("max.compaction.lag.ms", 0, Some("8"))],
            ErrorCode::InvalidConfig,
            "min.compaction.lag.ms",
            ("0", 5),
        ),
    ];
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    for (configs, code, key, expected) in rows {
        let mut request = incremental(TOPIC, "t", configs);
        request.validate_only = true;
        let before = value(&mut stand, TOPIC, "t", key);
        assert_eq!(stand.ask(0, &request).responses[0].error_code, code.code(), "{configs:?}");
        assert_eq!(value(&mut stand, TOPIC, "t", key), before, "nothing but checked");
        request.validate_only = false;
        assert_eq!(stand.ask(1, &request).responses[0].error_code, code.code(), "{configs:?}");
        let expected = (expected.0.to_owned(), expected.1);
        assert_eq!(value(&mut stand, TOPIC, "t", key), expected, "{configs:?}");
    }
    stand.restart(false);
    assert_eq!(value(&mut stand, TOPIC, "t", "cleanup.policy"), ("compact".to_owned(), 1));
}

#[test]
fn a_whole_set_is_replaced() {
    use alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let mut stand = Stand::new();
    stand.topic("t", 1, &[("retention.ms", "5")]);
    for version in 0..=2 {
        let request = make(|request: &mut AlterConfigsRequest| {
            let resource = make(|asked: &mut AlterConfigsResource| {
                asked.resource_type = TOPIC;
                asked.resource_name = "t".into();
                asked.configs = vec![make(|config: &mut AlterableConfig| {
                    config.name = "flush.ms".into();
                    config.value = Some("12345678".into());
                })];
            });
            request.resources = vec![resource.clone(), resource];
        });
        let codes: Vec<_> =
            stand.ask(version, &request).responses.iter().map(|r| r.error_code).collect();
        assert_eq!(codes, [0, ErrorCode::InvalidRequest.code()]);
        assert_eq!(value(&mut stand, TOPIC, "t", "flush.ms"), ("12345678".to_owned(), 1));
        assert_eq!(value(&mut stand, TOPIC, "t", "retention.ms"), ("604800000".to_owned(), 5));
    }
}

#[test]
fn altered_limits_hold_for_open_logs() {
    let mut stand = Stand::new();
    stand.topic("t", 1, &[]);
    assert_eq!(stand.produce("t", 0, &[("k", "0123456789")]).0, 0);
    stand.ask(1, &incremental(TOPIC, "t", &[("max.message.bytes", 0, Some("70"))]));
    assert_eq!(stand.produce("t", 0, &[("k", "0123456789")]).0, ErrorCode::MessageTooLarge.code());
    stand.ask(1, &incremental(TOPIC, "t", &[("max.message.bytes", 1, None)]));
    assert_eq!(stand.produce("t", 0, &[("k", "0123456789")]).0, 0);
    stand.ask(1, &incremental(BROKER, "", &[("message.max.bytes", 0, Some("70"))]));
    assert_eq!(stand.produce("t", 0, &[("k", "0123456789")]).0, ErrorCode::MessageTooLarge.code());
    assert_eq!(value(&mut stand, TOPIC, "t", "max.message.bytes"), ("70".to_owned(), 3));
    stand.restart(true);
    assert_eq!(stand.produce("t", 0, &[("k", "0123456789")]).0, ErrorCode::MessageTooLarge.code());
    stand.ask(1, &incremental(BROKER, "1", &[("message.max.bytes", 0, Some("700"))]));
    assert_eq!(stand.produce("t", 0, &[("k", "0123456789")]).0, 0);
    assert_eq!(value(&mut stand, TOPIC, "t", "max.message.bytes"), ("700".to_owned(), 2));
    assert_eq!(value(&mut stand, BROKER, "", "message.max.bytes"), ("70".to_owned(), 3));
}

#[test]
fn the_broker_is_altered_while_it_runs() {
    let mut stand = Stand::new();
    let request = incremental(
        BROKER,
        "1",
        &[("num.partitions", 0, Some("4")), ("auto.create.topics.enable", 0, Some("false"))],
    );
    assert_eq!(stand.ask(1, &request).responses[0].error_code, 0);
    stand.restart(false);
    let response = stand.ask(7, &create(&[("t", -1, &[])]));
    assert_eq!(response.topics[0].num_partitions, 4);
    let fixed = incremental(BROKER, "1", &[("node.id", 0, Some("4"))]);
    assert_eq!(stand.ask(1, &fixed).responses[0].error_code, ErrorCode::InvalidRequest.code());
    let kept =
        incremental(BROKER, "1", &[("sasl.kerberos.min.time.before.relogin", 0, Some("58000"))]);
    assert_eq!(stand.ask(1, &kept).responses[0].error_code, 0);
}

#[test]
fn topics_with_wrong_configurations_are_not_made() {
    let mut stand = Stand::new();
    for configs in [
        &[("no.such.config", "x")][..],
        &[("retention.ms", "soon")],
        &[("min.compaction.lag.ms", "9"), ("max.compaction.lag.ms", "8")],
    ] {
        let response = stand.ask(7, &create(&[("t", 1, configs)]));
        assert_eq!(response.topics[0].error_code, ErrorCode::InvalidConfig.code(), "{configs:?}");
    }
    stand.topic("t", 1, &[("min.insync.replicas", "2"), ("compression.type", "lz4")]);
}
