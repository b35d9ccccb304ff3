//! The tables of configurations: what is taken, what is refused and with which words.

use mainstem_log::{CleanupPolicy, Durability};

use super::*;

fn given(pairs: &[(&str, &str)]) -> Given {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_table_is_sorted_and_its_defaults_are_legal() {
    assert!(TOPIC_CONFIGS.is_sorted_by_key(|row| row.name));
    for row in TOPIC_CONFIGS.iter().filter(|row| !row.default.is_empty()) {
        assert_eq!(row.kind.check(row.default), Ok(()), "{}", row.name);
    }
    for row in broker_configs().filter(|row| !row.default.is_empty()) {
        assert_eq!(row.kind.check(row.default), Ok(()), "{}", row.name);
        if let Some(get) = row.get {
            assert_eq!(get(&Settings::default()), row.default, "{}", row.name);
        }
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = broker_configs().map(|row| row.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn defaults_of_topics_are_those_of_the_log() {
    let settings = BrokerConfigs::new(Settings::default()).log_settings(&Given::new());
    assert_eq!(settings, LogSettings::kafka_defaults());
}

#[test]
fn what_is_given_acts() {
    let configs = BrokerConfigs::new(Settings::default());
    let settings = configs.log_settings(&given(&[
        ("cleanup.policy", " compact , delete"),
        ("durability", "interval"),
        ("durability.interval.ms", "200"),
        ("retention.ms", "-1"),
        ("retention.bytes", "1000"),
        ("segment.bytes", "4096"),
        ("max.message.bytes", "77"),
        ("message.timestamp.type", "LogAppendTime"),
    ]));
    assert_eq!(settings.cleanup, CleanupPolicy::CompactDelete);
    assert_eq!(settings.durability, Durability::Interval { ms: 200 });
    assert_eq!(settings.retention_ms, None);
    assert_eq!(settings.retention_bytes, Some(1000));
    assert_eq!(settings.segment_bytes_max, 4096);
    assert_eq!(settings.message_bytes_max, 77);
    assert_eq!(settings.timestamp_type, mainstem_log::TimestampType::LogAppend);
}

#[test]
fn levels_hide_each_other() {
    let started_with = Settings { retention_ms: Some(1), ..Settings::default() };
    let mut configs = BrokerConfigs::new(started_with);
    let row = topic_config("retention.ms").unwrap();
    let sources = |configs: &BrokerConfigs, given: &Given| -> Vec<(String, i8)> {
        configs.of_topic(row, given).into_iter().map(|f| (f.value, f.source as i8)).collect()
    };
    let text = |pairs: &[(&str, i8)]| -> Vec<(String, i8)> {
        pairs.iter().map(|(value, source)| ((*value).to_owned(), *source)).collect()
    };
    let none = Given::new();
    assert_eq!(sources(&configs, &none), text(&[("1", 4), ("604800000", 5)]));
    configs.replace(false, given(&[("log.retention.ms", "2")]));
    assert_eq!(sources(&configs, &none), text(&[("2", 3), ("1", 4), ("604800000", 5)]));
    assert_eq!(configs.log_settings(&none).retention_ms, Some(2));
    configs.replace(true, given(&[("log.retention.ms", "3")]));
    assert_eq!(configs.log_settings(&none).retention_ms, Some(3));
    let own = given(&[("retention.ms", "4")]);
    assert_eq!(sources(&configs, &own)[0], ("4".to_owned(), 1));
    assert_eq!(configs.log_settings(&own).retention_ms, Some(4));
}

#[test]
fn what_is_wrong_is_refused() {
    let rows = [
        (
            "retention.sm",
            "1",
            "unknown topic config name: retention.sm; did you mean retention.ms?",
        ),
        ("no.such.config", "x", "unknown topic config name: no.such.config"),
        (
            "retention.ms",
            "soon",
            "invalid value soon for configuration retention.ms: a whole number of at least -1 is wanted",
        ),
        (
            "retention.ms",
            "-2",
            "invalid value -2 for configuration retention.ms: a whole number of at least -1 is wanted",
        ),
        (
            "cleanup.policy",
            "shred",
            "invalid value shred for configuration cleanup.policy: a list of delete, compact is wanted",
        ),
        (
            "cleanup.policy",
            "",
            "invalid value  for configuration cleanup.policy: at least one of delete, compact is wanted",
        ),
        (
            "preallocate",
            "yes",
            "invalid value yes for configuration preallocate: true or false is wanted",
        ),
        (
            "segment.bytes",
            "3000000000",
            "invalid value 3000000000 for configuration segment.bytes: a whole number from 14 to 2147483647 is wanted",
        ),
        (
            "durability",
            "maybe",
            "invalid value maybe for configuration durability: one of ack, interval, none is wanted",
        ),
        (
            "min.cleanable.dirty.ratio",
            "NaN",
            "invalid value NaN for configuration min.cleanable.dirty.ratio: a number from 0 to 1 is wanted",
        ),
    ];
    for (name, value, why) in rows {
        assert_eq!(check_topic(name, value), Err((ErrorCode::InvalidConfig, why.to_owned())));
    }
    assert_eq!(check_broker("broker.id", "7").unwrap_err().0, ErrorCode::InvalidRequest);
    assert_eq!(check_broker("num.partition", "7").unwrap_err().0, ErrorCode::InvalidConfig);
    assert_eq!(check_broker("num.partitions", "7"), Ok(()));
    assert_eq!(check_broker("log.cleanup.policy", "compact"), Ok(()));
}

#[test]
fn alterations_come_back() {
    let mut configs = BrokerConfigs::new(Settings::default());
    let altered = given(&[("num.partitions", "4"), ("auto.create.topics.enable", "false")]);
    let (key, value) = BrokerConfigs::entry(true, &altered);
    configs.restore(&key, &value.unwrap());
    assert_eq!(configs.given(true), &altered);
    assert_eq!(configs.settings().partitions_default, 4);
    assert!(!configs.settings().auto_create_topics);
    assert_eq!(BrokerConfigs::entry(false, &Given::new()).1, None);
}

#[test]
fn a_broker_is_told_at_the_start() {
    let mut settings = Settings::default();
    for (name, value) in [
        ("num.partitions", "4"),
        ("auto.create.topics.enable", "false"),
        ("replication.factor.max", "3"),
        ("group.initial.rebalance.delay.ms", "500"),
        ("log.durability", "interval"),
        ("log.durability.interval.ms", "20"),
        ("log.cleanup.policy", "compact"),
    ] {
        settings.set(name, value).unwrap();
    }
    let of_topics = BrokerConfigs::new(settings.clone());
    let log = of_topics.log_settings(&Given::new());
    assert_eq!(log.durability, Durability::Interval { ms: 20 });
    assert_eq!(log.cleanup, CleanupPolicy::Compact);
    let own = Given::from([("cleanup.policy".to_owned(), "delete".to_owned())]);
    assert_eq!(of_topics.log_settings(&own).cleanup, CleanupPolicy::Delete);
    let found = of_topics.of_broker(&broker_config("log.cleanup.policy").unwrap());
    assert_eq!((&*found[0].value, found[0].source), ("compact", Source::Static));
    assert_eq!(settings.partitions_default, 4);
    assert!(!settings.auto_create_topics);
    assert_eq!(settings.replication_factor_max, 3);
    assert_eq!(settings.group_initial_rebalance_delay_ms, 500);
    for (name, value, why) in [
        (
            "num.partition",
            "4",
            "unknown broker config name: num.partition; did you mean num.partitions?",
        ),
        (
            "num.partitions",
            "0",
            "invalid value 0 for configuration num.partitions: a whole number from 1 to 2147483647 is wanted",
        ),
        (
            "log.cleaner.threads",
            "2",
            "broker config log.cleaner.threads cannot be given at the start, only altered",
        ),
    ] {
        assert_eq!(settings.set(name, value).unwrap_err().to_string(), why);
    }
}

#[test]
fn what_can_be_given_at_the_start_is_described() {
    for row in broker_configs() {
        let (Some(get), Some(set)) = (row.get, row.set) else { continue };
        let value = match row.default {
            "true" => "false",
            // The one value that there can be.
            _ if row.kind.check("2").is_err() => row.default,
            _ if row.kind.check("4096").is_err() => "2",
            _ => "4096",
        };
        let mut settings = Settings::default();
        set(&mut settings, Value(value));
        assert_eq!(get(&settings), value, "{}", row.name);
    }
}
