//! The table of Kafka's APIs in docs/user/kafka-support.md is the table that ApiVersions answers from.
//! Run with `MAINSTEM_BLESS=1` to rewrite it; otherwise a difference fails.

use std::fmt::Write as _;
use std::path::Path;

use mainstem_broker::api::APIS;

const BEGIN: &str = "<!-- begin: written by a test from the broker's own table -->\n";
const END: &str = "<!-- end -->\n";

/// What of an API is particular here; nothing said means: as Apache Kafka with one broker.
const REMARKS: &[(&str, &str)] = &[
    (
        "Produce",
        "Versions 0 to 2 are advertised, as Kafka does for old clients' compression, and refused. Records in format 2 only.",
    ),
    ("Fetch", "Sessions are declined: each fetch names its partitions."),
    (
        "Metadata",
        "Makes topics that are asked for by name, if `auto.create.topics.enable` is true.",
    ),
    ("ListOffsets", "Also by time, of the largest time, and read-committed."),
    ("JoinGroup", "The classic protocol, with static members and any protocol type and assignor."),
    ("OffsetFetch", "Many groups at once; `require_stable`."),
    (
        "CreateTopics",
        "A partition has one replica. More than one is refused as Kafka would, up to `replication.factor.max` (1).",
    ),
    (
        "CreatePartitions",
        "New partitions are seen at once; readers find them when they refresh their metadata.",
    ),
    ("DescribeConfigs", "Of topics and of brokers, with sources, synonyms and documentation."),
    (
        "AlterConfigs",
        "Of topics, and of the broker those that Kafka alters at run time, where we have them.",
    ),
    ("IncrementalAlterConfigs", "As AlterConfigs."),
    ("DescribeLogDirs", "The one data folder."),
    ("AddPartitionsToTxn", "Later versions are spoken between brokers."),
    ("TxnOffsetCommit", "Protocol version 1 of transactions: partitions are added explicitly."),
    (
        "EndTxn",
        "Protocol version 1 of transactions: the epoch of a producer does not grow with each.",
    ),
    ("WriteTxnMarkers", "From an administrator who aborts a transaction that hangs."),
    ("ElectLeaders", "There is one broker; it leads everything already."),
    ("ListPartitionReassignments", "There are never any."),
    ("DescribeCluster", "One broker, its own controller."),
];

fn table() -> String {
    let mut apis: Vec<_> = APIS.iter().collect();
    apis.sort_by_key(|api| api.key);
    let mut text = "| key | API | versions | remarks |\n|---|---|---|---|\n".to_owned();
    for api in apis {
        let remark =
            REMARKS.iter().find(|(name, _)| *name == api.name).map_or("", |(_, text)| text);
        let (first, last) = (api.advertised.start(), api.advertised.end());
        let versions = if first == last { first.to_string() } else { format!("{first} to {last}") };
        let row = format!("| {} | {} | {versions} | {remark} |", api.key, api.name);
        writeln!(text, "{row}").expect("writing to a string");
    }
    text
}

#[test]
fn the_page_lists_what_is_spoken() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/user/kafka-support.md");
    let page = std::fs::read_to_string(&path).expect("readable");
    let (before, rest) = page.split_once(BEGIN).expect("the table has a beginning");
    let (_, after) = rest.split_once(END).expect("the table has an end");
    let expected = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("MAINSTEM_BLESS").is_some() {
        std::fs::write(&path, &expected).expect("writable");
    } else {
        assert!(page == expected, "docs/user/kafka-support.md is stale: run with MAINSTEM_BLESS=1");
    }
}

#[test]
fn remarks_are_about_apis_that_there_are() {
    for (name, _) in REMARKS {
        assert!(APIS.iter().any(|api| api.name == *name), "{name}");
    }
}
