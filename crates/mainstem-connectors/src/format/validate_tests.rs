//! Tests of option validation: unknown keys, missing ones, wrong values, prefixes of keys and values.

use mainstem_core::ErrorKind;
use mainstem_core::options::{Delivery, Pushdown, SinkChangelog, required};

use super::*;

const OPTIONS: &[OptionSpec] = &[
    required("topic", OptionType::String, "The topic.", "rides"),
    optional("properties.*", OptionType::String, None, "Passed through.", "x"),
    optional(
        "scan.startup.mode",
        OptionType::Enum(&["earliest", "latest"]),
        None,
        "Where.",
        "latest",
    ),
];

fn spec(formats: FormatUse) -> ConnectorSpec {
    ConnectorSpec {
        name: "log",
        doc: "A log.",
        source: Some(Delivery::AtLeastOnce),
        sink: None,
        sink_weaker: &[],
        formats,
        options: OPTIONS,
        metadata: &[],
        upsert_source: false,
        sink_changelog: SinkChangelog::ByFormat,
        pushdown: Pushdown::NONE,
    }
}

fn check(formats: FormatUse, options: &[(&str, &str)]) -> Result<()> {
    let mut all: Options = options.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    all.insert("connector".into(), "log".into());
    all.entry("topic".into()).or_insert_with(|| "t".into());
    validate_options(&all, &spec(formats))
}

#[test]
fn known_options_are_accepted() {
    for (formats, options) in [
        (FormatUse::None, vec![]),
        (FormatUse::None, vec![("properties.bootstrap.servers", "x"), ("sink.parallelism", "2")]),
        (FormatUse::Value, vec![("format", "csv"), ("csv.field-delimiter", ";")]),
        (FormatUse::Value, vec![("format", "json"), ("json.ignore-parse-errors", "TRUE")]),
        (
            FormatUse::Value,
            vec![
                ("format", "csv"),
                ("scan.watermark.idle-timeout", "5 s"),
                ("scan.watermark.emit.strategy", "on-event"),
                ("scan.watermark.alignment.group", "g"),
                ("scan.startup.mode", "LATEST"),
                ("mainstem.bad-records", "dead-letter"),
                ("mainstem.dead-letter.path", "bad.jsonl"),
                ("mainstem.record-bytes-max", "1mb"),
            ],
        ),
        (
            FormatUse::KeyValue,
            vec![
                ("key.format", "raw"),
                ("key.fields", "a;b"),
                ("key.raw.charset", "UTF-8"),
                ("value.format", "json"),
                ("value.json.ignore-parse-errors", "true"),
                ("value.fields-include", "EXCEPT_KEY"),
                ("mainstem.bad-records", "dead-letter"),
                ("mainstem.dead-letter.topic", "bad"),
            ],
        ),
    ] {
        check(formats, &options).unwrap();
    }
}

/// Each of `rows` is refused with this message and this hint.
fn refused(rows: &[(FormatUse, Vec<(&str, &str)>, &str, &str)]) {
    for (formats, options, message, hint) in rows {
        let error = check(*formats, options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::User);
        assert!(error.to_string().contains(message), "{options:?}: {error}");
        let given = error.hint().unwrap_or_default();
        assert!(given.contains(hint), "{options:?}: {given}");
    }
}

#[test]
fn unknown_options_say_what_was_meant() {
    use FormatUse::{KeyValue, None, Value};
    refused(&[
        (
            None,
            vec![("topci", "x")],
            "unknown option 'topci' for connector 'log'",
            "did you mean 'topic'?",
        ),
        (None, vec![("properties.", "x")], "unknown option 'properties.'", ""),
        (None, vec![("format", "json")], "unknown option 'format'", ""),
        (None, vec![("zzz", "x")], "unknown option 'zzz'", "its options are topic, properties.*"),
        (Value, vec![], "option 'format' is missing for connector 'log'", "'format' = 'json'"),
        (Value, vec![("format", "jsn")], "unknown format 'jsn'", "did you mean 'json'?"),
        (
            Value,
            vec![("format", "qqqqqqq")],
            "unknown format 'qqqqqqq'",
            "the formats are json, csv",
        ),
        (
            Value,
            vec![("format", "csv"), ("json.ignore-parse-errors", "true")],
            "unknown option 'json.ignore-parse-errors'",
            "it belongs to the format 'json', and this table's format is 'csv'",
        ),
        (
            Value,
            vec![("format", "csv"), ("csv.ignore-parse-error", "true")],
            "unknown option 'csv.ignore-parse-error'",
            "did you mean 'csv.ignore-parse-errors'?",
        ),
        (
            KeyValue,
            vec![("value.format", "json"), ("json.ignore-parse-errors", "true")],
            "unknown option 'json.ignore-parse-errors'",
            "did you mean 'value.json.ignore-parse-errors'?",
        ),
    ]);
}

#[test]
fn wrong_values_and_combinations_are_refused() {
    use FormatUse::{KeyValue, None, Value};
    refused(&[
        (
            Value,
            vec![("format", "csv"), ("csv.allow-comments", "yes")],
            "option 'csv.allow-comments' has the value 'yes', which is not true or false",
            "",
        ),
        (
            Value,
            vec![("format", "csv"), ("scan.startup.mode", "middle")],
            "option 'scan.startup.mode' has the value 'middle'",
            "",
        ),
        (
            KeyValue,
            vec![("format", "json"), ("value.format", "json")],
            "options 'format' and 'value.format' exclude each other",
            "key.format",
        ),
        (
            Value,
            vec![("format", "csv"), ("mainstem.bad-records", "dead-letter")],
            "no target is given",
            "mainstem.dead-letter.path",
        ),
        (
            Value,
            vec![("format", "csv"), ("mainstem.dead-letter.path", "x")],
            "has no effect without a policy",
            "'mainstem.bad-records' = 'dead-letter'",
        ),
        (
            Value,
            vec![
                ("format", "csv"),
                ("mainstem.bad-records", "dead-letter"),
                ("mainstem.dead-letter.topic", "x"),
            ],
            "needs a broker",
            "mainstem.dead-letter.path",
        ),
        (
            Value,
            vec![("format", "csv"), ("mainstem.bad-records", "drop")],
            "is not one of fail, skip, dead-letter",
            "",
        ),
    ]);
    let error = validate_options(&Options::new(), &spec(None)).unwrap_err();
    assert_eq!(error.to_string(), "option 'topic' is missing for connector 'log'");
    assert_eq!(error.hint(), Some("add 'topic' = 'rides' to the WITH clause"));
}
