//! Generates docs/user/functions.md from Flink's list and asks the registry, the binder and the aggregates what works.
//! Run with `MAINSTEM_BLESS=1` to rewrite it; otherwise a difference fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use mainstem_sql::constant::evaluate;
use mainstem_sql::functions::flink_catalogue::{CATALOGUE, REFUSED};
use mainstem_sql::functions::lookup;
use mainstem_sql::script::ScriptSession;
use mainstem_sql::session::Session;
use mainstem_sql::source::SourceText;

/// Forms that are no plain function, each with an expression that has to bind.
const PROBES: &[(&str, &str)] = &[
    ("=", "1 = 1"),
    ("<>", "1 <> 1"),
    (">", "1 > 1"),
    (">=", "1 >= 1"),
    ("<", "1 < 1"),
    ("<=", "1 <= 1"),
    ("IS NULL", "1 IS NULL"),
    ("IS NOT NULL", "1 IS NOT NULL"),
    ("IS DISTINCT FROM", "1 IS DISTINCT FROM 2"),
    ("IS NOT DISTINCT FROM", "1 IS NOT DISTINCT FROM 2"),
    ("BETWEEN", "1 BETWEEN 0 AND 2"),
    ("NOT BETWEEN", "1 NOT BETWEEN 0 AND 2"),
    ("LIKE", "'a' LIKE 'a%'"),
    ("NOT LIKE", "'a' NOT LIKE 'a%'"),
    ("SIMILAR TO", "'a' SIMILAR TO 'a+'"),
    ("NOT SIMILAR TO", "'a' NOT SIMILAR TO 'a+'"),
    ("IN", "1 IN (1, 2)"),
    ("NOT IN", "1 NOT IN (1, 2)"),
    ("OR", "TRUE OR FALSE"),
    ("AND", "TRUE AND FALSE"),
    ("NOT", "NOT TRUE"),
    ("IS FALSE", "TRUE IS FALSE"),
    ("IS NOT FALSE", "TRUE IS NOT FALSE"),
    ("IS TRUE", "TRUE IS TRUE"),
    ("IS NOT TRUE", "TRUE IS NOT TRUE"),
    ("IS UNKNOWN", "TRUE IS UNKNOWN"),
    ("IS NOT UNKNOWN", "TRUE IS NOT UNKNOWN"),
    ("+", "1 + 1"),
    ("-", "1 - 1"),
    ("*", "1 * 1"),
    ("/", "1 / 1"),
    ("%", "1 % 1"),
    ("||", "'a' || 'b'"),
    ("MOD", "MOD(5, 3)"),
    ("POSITION", "POSITION('a' IN 'ba')"),
    ("OVERLAY", "OVERLAY('abc' PLACING 'x' FROM 1)"),
    ("TRIM", "TRIM(BOTH 'a' FROM 'aba')"),
    ("DATE", "DATE '2024-01-01'"),
    ("TIME", "TIME '12:00:00'"),
    ("TIMESTAMP", "TIMESTAMP '2024-01-01 00:00:00'"),
    ("INTERVAL", "INTERVAL '1' DAY"),
    ("EXTRACT", "EXTRACT(DAY FROM DATE '2024-01-01')"),
    ("TIMESTAMPADD", "TIMESTAMPADD(DAY, 1, DATE '2024-01-01')"),
    ("TIMESTAMPDIFF", "TIMESTAMPDIFF(DAY, DATE '2024-01-01', DATE '2024-01-02')"),
    ("CURRENT_WATERMARK", "CURRENT_WATERMARK(TIMESTAMP '2024-01-01 00:00:00')"),
    ("CASE", "CASE WHEN TRUE THEN 1 END"),
    ("NULLIF", "NULLIF(1, 2)"),
    ("COALESCE", "COALESCE(1, 2)"),
    ("IF", "IF(TRUE, 1, 2)"),
    ("IFNULL", "IFNULL(1, 2)"),
    ("CAST", "CAST(1 AS STRING)"),
    ("TRY_CAST", "TRY_CAST('1' AS INT)"),
    ("array[index]", "ARRAY[1][1]"),
    ("map[key]", "MAP['a', 1]['a']"),
    ("IS JSON", "'{}' IS JSON"),
    ("JSON_EXISTS", "JSON_EXISTS('{}', '$.a')"),
    ("JSON_VALUE", "JSON_VALUE('{}', '$.a')"),
    ("JSON_QUERY", "JSON_QUERY('{}', '$.a')"),
    ("JSON_OBJECT", "JSON_OBJECT('a' VALUE 1)"),
    ("JSON_ARRAY", "JSON_ARRAY(1)"),
    ("JSON", "JSON_OBJECT('a' VALUE JSON('{}'))"),
    ("ROW", "ROW(1, 2)"),
    ("ARRAY", "ARRAY[1]"),
    ("MAP", "MAP['a', 1]"),
    ("PROCTIME", "PROCTIME()"),
    ("CURRENT_DATABASE", "CURRENT_DATABASE()"),
    (
        "OVERLAPS",
        "(DATE '2024-01-01', DATE '2024-01-02') OVERLAPS (DATE '2024-01-02', INTERVAL '1' DAY)",
    ),
];

/// Forms of FROM and GROUP BY; plans and scenarios test them.
const TABLE_FORMS: &[&str] = &[
    "EXISTS",
    "GROUP_ID",
    "GROUPING",
    "GROUPING_ID",
    "UNNEST",
    "FROM_CHANGELOG",
    "TO_CHANGELOG",
    "TUMBLE",
    "HOP",
    "CUMULATE",
    "SESSION",
    "SESSION_START",
    "SESSION_END",
    "SESSION_ROWTIME",
    "SESSION_PROCTIME",
    "DESCRIPTOR",
    "TUMBLE_START",
    "TUMBLE_END",
    "TUMBLE_ROWTIME",
    "TUMBLE_PROCTIME",
    "HOP_START",
    "HOP_END",
    "HOP_ROWTIME",
    "HOP_PROCTIME",
    "tableName.compositeType.field",
    "tableName.compositeType.*",
];

/// Ways to call an aggregate or a function over windows.
const AGGREGATE_FORMS: &[&str] = &[
    "NAME(i)",
    "NAME(s)",
    "NAME(i, 0.5)",
    "NAME(s VALUE i)",
    "NAME(BITMAP_BUILD(ARRAY[i]))",
    "NAME() OVER (PARTITION BY s ORDER BY i)",
    "NAME(i) OVER (PARTITION BY s ORDER BY i)",
    "NAME(2) OVER (PARTITION BY s ORDER BY i)",
];

fn binds(call: &str) -> bool {
    let text = format!("SELECT {call} FROM (VALUES (1, 'a')) AS t(i, s);");
    let source = SourceText::new("probe", &text, &BTreeMap::new()).expect("no variables");
    let mut session = ScriptSession::new(crate::plans::connectors());
    session.run(&source).and_then(|()| session.finish()).is_ok()
}

fn works(category: &str, name: &str) -> bool {
    if category == "aggregate" || name == "JSON_OBJECTAGG" || name == "JSON_ARRAYAGG" {
        return AGGREGATE_FORMS.iter().any(|form| binds(&form.replace("NAME", name)));
    }
    if ["table", "group window"].contains(&category) || TABLE_FORMS.contains(&name) {
        return TABLE_FORMS.contains(&name);
    }
    match PROBES.iter().find(|(n, _)| *n == name) {
        Some((_, probe)) => evaluate(probe, &Session::default(), 0).is_ok(),
        None => lookup(name).is_some(),
    }
}

fn is_word(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// All words of the expressions and queries that have Flink's answer beside them, in upper case.
fn what_flink_was_asked() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        (root.join("testdata/expressions"), "flink"),
        (root.join("testdata/statements"), "sql"),
        (root.join("../../tests/scenario"), "sql"),
    ];
    let mut words = BTreeSet::new();
    for (folder, extension) in folders {
        for entry in std::fs::read_dir(folder).expect("part of the repository") {
            let path = entry.expect("readable").path();
            if path.extension().is_some_and(|e| e == extension) {
                let text = std::fs::read_to_string(path).expect("readable").to_uppercase();
                let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
                words.extend(text.split(word).map(str::to_owned));
            }
        }
    }
    words
}

#[test]
fn the_list_of_functions_is_up_to_date() {
    let mut text = String::from(
        "# Functions\n\nFlink's system functions, by the headings of its documentation. Generated from the code: do \
         not edit.\nWorking ones are checked against a real Flink in `crates/mainstem-sql/testdata` or `tests/scenario`, but for \
         those listed as unchecked; where the value is the clock's or random, their types and what holds at any time.\n",
    );
    let asked = what_flink_was_asked();
    let (mut done, mut total) = (0, 0);
    let mut body = String::new();
    for (category, names) in CATALOGUE {
        let (yes, no): (Vec<&str>, Vec<&str>) = names.iter().partition(|n| works(category, n));
        done += yes.len();
        total += names.len();
        let list = |names: &[&str]| {
            let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
            if quoted.is_empty() { "-".to_owned() } else { quoted.join(", ") }
        };
        let (no, later): (Vec<&str>, Vec<&str>) =
            no.into_iter().partition(|n| REFUSED.iter().any(|(name, ..)| name == n));
        let line = writeln!(body, "\n## {category}\n\n- works: {}", list(&yes));
        line.expect("writing to a string");
        if !later.is_empty() {
            writeln!(body, "- not yet: {}", list(&later)).expect("writing to a string");
        }
        for (name, why, remedy) in REFUSED.iter().filter(|(name, ..)| no.contains(name)) {
            writeln!(body, "- refused: `{name}`, as {why}: {remedy}").expect("writing to a string");
        }
        let unchecked: Vec<&str> =
            yes.iter().copied().filter(|n| is_word(n) && !asked.contains(*n)).collect();
        if !unchecked.is_empty() {
            writeln!(body, "- works, unchecked: {}", list(&unchecked))
                .expect("writing to a string");
        }
    }
    writeln!(text, "\n{done} of {total} work.").expect("writing to a string");
    text.push_str(&body);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/user/functions.md");
    if std::env::var_os("MAINSTEM_BLESS").is_some() {
        std::fs::write(&path, &text).expect("writable");
    }
    let written = std::fs::read_to_string(&path).expect("readable");
    assert!(written == text, "docs/user/functions.md is stale: run with MAINSTEM_BLESS=1");
}
