//! By what the state of operators is found again when the SQL has changed: equal whatever else a script asks, and another one as
//! soon as the meaning is another.

use std::collections::BTreeMap;

use mainstem_engine::checkpoint::{Identities, keeps_state};
use mainstem_sql::job::{Job, Step};
use mainstem_sql::script::ScriptSession;
use mainstem_sql::source::SourceText;

use crate::plans::connectors;

const TABLES: &str = "
CREATE TABLE bid (
  auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, extra ROW<a INT, b STRING>, at TIMESTAMP(3),
  loud AS UPPER(channel), WATERMARK FOR at AS at - INTERVAL '4' SECOND
) WITH ('connector' = 'filesystem', 'format' = 'json', 'path' = 'bid.json');
CREATE TABLE item (id BIGINT, seller BIGINT, name STRING)
WITH ('connector' = 'filesystem', 'format' = 'json', 'path' = 'item.json');
CREATE TABLE rate (currency STRING, factor DOUBLE, PRIMARY KEY (currency) NOT ENFORCED)
WITH ('connector' = 'upsert-kafka', 'key.format' = 'json', 'value.format' = 'json', 'topic' = 'rate');
";

/// Queries that keep state, of which some read the same tables.
const QUERIES: &[&str] = &[
    "SELECT auction, COUNT(*), SUM(price) FROM bid GROUP BY auction",
    "SELECT channel, SUM(price) FROM bid WHERE bidder > 5 GROUP BY channel",
    "SELECT loud, MAX(price) FROM bid WHERE loud <> 'A' AND bidder IS NOT NULL GROUP BY loud",
    "SELECT b.price, i.name FROM bid AS b JOIN item AS i ON b.auction = i.id",
    "SELECT b.price, i.name FROM bid AS b LEFT JOIN item AS i ON b.auction = i.id AND b.bidder < i.seller WHERE b.price > 10",
    "SELECT b.price, r.factor FROM bid AS b JOIN rate AS r ON b.channel = r.currency",
    "SELECT bidder, window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(at), INTERVAL '3' SECOND))
     GROUP BY bidder, window_start, window_end",
    "SELECT * FROM (SELECT auction, price, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS r FROM bid)
     WHERE r <= 3",
    "SELECT auction, SUM(price) OVER (PARTITION BY auction ORDER BY at) FROM bid",
    "SELECT DISTINCT seller FROM item WHERE name LIKE 'a%'",
    "SELECT b.extra.b, COUNT(*) FROM bid AS b WHERE b.extra.a > 1 GROUP BY b.extra.b",
    "SELECT b.price, o.bidder FROM bid AS b JOIN bid AS o
     ON b.auction = o.auction AND b.at BETWEEN o.at - INTERVAL '1' MINUTE AND o.at",
    "SELECT * FROM bid MATCH_RECOGNIZE (PARTITION BY auction ORDER BY at MEASURES LAST(b.price) AS top
     AFTER MATCH SKIP PAST LAST ROW PATTERN (a b+ c) DEFINE b AS b.price > a.price) AS m",
    "SELECT name, COUNT(*) FROM (SELECT name FROM item UNION ALL SELECT channel FROM bid) AS u (name) GROUP BY name",
];

fn job(queries: &[&str]) -> Job {
    let text = format!("{TABLES}{};", queries.join(";\n"));
    let mut session = ScriptSession::new(connectors());
    let source = SourceText::new("job.sql", &text, &BTreeMap::new()).expect("no variables");
    let steps = session.run(&source).and_then(|()| session.finish());
    let steps = steps.unwrap_or_else(|errors| panic!("{}", errors[0].render()));
    let jobs = steps.into_iter().filter_map(|step| match step {
        Step::Job(job) => Some(job),
        Step::Text(_) => None,
    });
    let mut jobs: Vec<Job> = jobs.collect();
    assert_eq!(jobs.len(), 1);
    jobs.remove(0)
}

/// The operators with state of INSERTs of these queries, and the queries themselves.
fn identities(queries_of_job: &[&str]) -> (Vec<String>, Vec<String>) {
    let sink = |at: usize, query: &str| {
        let alone = job(&[query]);
        let columns = alone.sinks[0].columns.iter().enumerate();
        let columns: Vec<String> =
            columns.map(|(i, c)| format!("c{i} {}", c.data_type.kind)).collect();
        format!(
            "CREATE TABLE out{at} ({}) WITH ('connector' = 'blackhole');\nINSERT INTO out{at} {query}",
            columns.join(", ")
        )
    };
    let statements: Vec<String> =
        queries_of_job.iter().enumerate().map(|(at, query)| sink(at, query)).collect();
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    let plan = job(&statements).plan;
    let Identities { nodes, queries } = Identities::of(&plan);
    let nodes = plan.nodes.iter().zip(nodes);
    let operators = nodes
        .filter(|(node, _)| keeps_state(&node.kind))
        .map(|(node, fingerprint)| format!("{} {fingerprint}", node.name));
    (operators.collect(), queries)
}

#[test]
fn what_else_is_asked_changes_nothing() {
    let (together, all) = identities(QUERIES);
    let backwards: Vec<&str> = QUERIES.iter().rev().copied().collect();
    let (mut backwards, other) = identities(&backwards);
    let mut sorted = together.clone();
    sorted.sort();
    backwards.sort();
    assert_eq!(sorted, backwards);
    assert!(all.iter().eq(other.iter().rev()));
    for (at, query) in QUERIES.iter().enumerate() {
        let (operators, own) = identities(&[query]);
        assert!(!operators.is_empty(), "{query}");
        for operator in operators {
            assert!(together.contains(&operator), "{query}: {operator}\n{}", together.join("\n"));
        }
        assert_eq!(own, [all[at].clone()], "{query}");
    }
}

#[test]
fn another_meaning_is_another_operator() {
    for (one, other) in [
        (
            "SELECT auction, COUNT(*) FROM bid GROUP BY auction",
            "SELECT bidder, COUNT(*) FROM bid GROUP BY bidder",
        ),
        (
            "SELECT auction, SUM(price) FROM bid GROUP BY auction",
            "SELECT auction, SUM(bidder) FROM bid GROUP BY auction",
        ),
        (
            "SELECT auction, COUNT(*) FROM bid WHERE bidder > 5 GROUP BY auction",
            "SELECT auction, COUNT(*) FROM bid WHERE bidder >= 5 GROUP BY auction",
        ),
        (
            "SELECT auction, COUNT(*) FROM bid WHERE bidder > 5 GROUP BY auction",
            "SELECT auction, COUNT(*) FROM bid WHERE bidder > 5 OR price > 1 GROUP BY auction",
        ),
        (
            "SELECT auction, COUNT(*) FROM bid WHERE channel = '$1' GROUP BY auction",
            "SELECT auction, COUNT(*) FROM bid WHERE channel = '$2' GROUP BY auction",
        ),
        (
            "SELECT b.price FROM bid AS b JOIN item AS i ON b.auction = i.id",
            "SELECT b.price FROM bid AS b JOIN item AS i ON b.auction = i.seller",
        ),
        (
            "SELECT a.price, b.price FROM bid AS a JOIN bid AS b ON a.auction = b.bidder",
            "SELECT a.price, b.price FROM bid AS a JOIN bid AS b ON b.auction = a.bidder",
        ),
        (
            "SELECT id, COUNT(*) FROM (SELECT id FROM item) AS i GROUP BY id",
            "SELECT id, COUNT(*) FROM (SELECT seller AS id FROM item) AS i GROUP BY id",
        ),
        (
            "SELECT a, COUNT(*) FROM (SELECT price + 1 AS a FROM bid) AS b GROUP BY a",
            "SELECT a, COUNT(*) FROM (SELECT price + 2 AS a FROM bid) AS b GROUP BY a",
        ),
        (
            "SELECT a, COUNT(*) FROM (SELECT price - bidder AS a FROM bid) AS b GROUP BY a",
            "SELECT a, COUNT(*) FROM (SELECT bidder - price AS a FROM bid) AS b GROUP BY a",
        ),
        (
            "SELECT c, COUNT(*) FROM (SELECT CAST(price AS INT) AS c FROM bid) AS b GROUP BY c",
            "SELECT c, COUNT(*) FROM (SELECT price AS c FROM bid) AS b GROUP BY c",
        ),
        (
            "SELECT id, COUNT(*) FROM item /*+ OPTIONS('path' = 'a.json') */ GROUP BY id",
            "SELECT id, COUNT(*) FROM item /*+ OPTIONS('path' = 'b.json') */ GROUP BY id",
        ),
        (
            "SELECT name, COUNT(*) FROM (SELECT name FROM item UNION ALL SELECT channel FROM bid) AS u (name) GROUP BY name",
            "SELECT name, COUNT(*) FROM (SELECT name FROM item UNION ALL SELECT loud FROM bid) AS u (name) GROUP BY name",
        ),
    ] {
        let ((of_one, query), (of_other, other_query)) = (identities(&[one]), identities(&[other]));
        let last = |operators: &[String]| {
            let operator = operators.last().expect("it keeps state");
            operator.rsplit(' ').next().map(str::to_owned)
        };
        assert_ne!(last(&of_one), last(&of_other), "{one}\n{other}");
        assert_ne!(query, other_query, "{one}\n{other}");
    }
}

#[test]
fn what_is_done_with_results_leaves_the_operator_as_it_is() {
    let (one, query) = identities(&["SELECT auction, COUNT(*) FROM bid GROUP BY auction"]);
    for other in [
        "SELECT auction, COUNT(*) FROM bid GROUP BY auction HAVING COUNT(*) > 5",
        "SELECT auction + 1, COUNT(*) FROM bid GROUP BY auction",
    ] {
        let (of_other, other_query) = identities(&[other]);
        assert_eq!(one, of_other, "{other}");
        assert_ne!(query, other_query, "{other}");
    }
}
