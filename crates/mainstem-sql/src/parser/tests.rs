//! What parses, and how refusals read.

use std::collections::BTreeMap;

use super::{parse_data_type, parse_expression, parse_statements};
use crate::ast::StatementKind;
use crate::source::SourceText;

#[test]
fn statements_of_the_dialect_parse() {
    let statements = [
        "CREATE TABLE t (a INT, b AS a + 1, `ts` TIMESTAMP(3) METADATA FROM 'timestamp' VIRTUAL, \
         WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, PRIMARY KEY (a) NOT ENFORCED) COMMENT 'c' \
         PARTITIONED BY (a) WITH ('connector' = 'kafka', 'k'='it''s')",
        "CREATE TEMPORARY TABLE IF NOT EXISTS default_catalog.default_database.t (r ROW<a INT NOT NULL, b ARRAY<STRING>>, m MAP<STRING, ROW<x INT>>)",
        "CREATE TABLE t2 (PRIMARY KEY (a) NOT ENFORCED) WITH ('a'='b') LIKE t (EXCLUDING ALL INCLUDING OPTIONS)",
        "CREATE TABLE t3 WITH ('connector'='print') AS SELECT 1",
        "CREATE OR REPLACE TABLE t (p AS PROCTIME()) WITH ()",
        "CREATE TEMPORARY VIEW v (a, b) AS SELECT 1, 2",
        "DROP TABLE IF EXISTS t",
        "INSERT INTO t /*+ OPTIONS('sink.parallelism'='1') */ (a, b) SELECT 1, 'x'",
        "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
        "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END",
        "BEGIN STATEMENT SET; INSERT INTO a SELECT 1; END",
        "SET 'table.local-time-zone' = 'UTC'",
        "SET table.exec.state.ttl = 1000",
        "RESET 'x'",
        "SHOW TABLES",
        "SHOW CREATE TABLE t",
        "DESCRIBE t",
        "EXPLAIN PLAN FOR SELECT 1",
        "EXPLAIN CHANGELOG_MODE SELECT 1",
        "SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' MINUTES)) \
         GROUP BY window_start, window_end",
        "SELECT * FROM HOP(DATA => TABLE bid, TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '5' MINUTES, \
         SIZE => INTERVAL '10' MINUTES)",
        "SELECT t.*, u.x FROM t CROSS JOIN UNNEST(t.arr) WITH ORDINALITY AS u (x, n) WHERE t.a = 1 -- end",
        "WITH x AS (SELECT 1 AS a) SELECT a FROM x UNION ALL (SELECT 2) ORDER BY a DESC NULLS LAST LIMIT 3",
        "SELECT COUNT(DISTINCT a) FILTER (WHERE b > 1) AS c FROM t GROUP BY GROUPING SETS ((a), ()) HAVING COUNT(*) > 1",
        "SELECT o.*, r.rate FROM o JOIN r FOR SYSTEM_TIME AS OF o.ts AS r ON o.c = r.c",
        "SELECT a FROM t, LATERAL TABLE(f(a)) AS x(b)",
        "SELECT SUM(a) FILTER (WHERE b) OVER (PARTITION BY c, d ORDER BY e DESC NULLS LAST ROWS 2 PRECEDING) FROM t",
        "SELECT LAST_VALUE(a) IGNORE NULLS OVER w, COUNT(*) OVER (w ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), rows \
         FROM t WINDOW w AS (PARTITION BY b ORDER BY c), v AS (w) QUALIFY ROW_NUMBER() OVER w < 3",
        "SELECT f(a) over, range FROM t",
        "SELECT year, `select`, value FROM (VALUES (1, 2, 3)) AS t(year, `select`, value)",
    ];
    for text in statements {
        for parsed in parse_statements(text) {
            if let Err(error) = parsed {
                panic!("{text}\n{error}");
            }
        }
    }
}

#[test]
fn expressions_parse() {
    let expressions = [
        "a.b.c[1].d",
        "CAST(a AS DECIMAL(10, 2)) * -1.5e3",
        "CASE a WHEN 1 THEN 'x' ELSE NULL END",
        "a BETWEEN 1 AND 2 AND NOT b IS NOT NULL",
        "x NOT IN (1, 2) OR y LIKE 'a!%' ESCAPE '!'",
        "TRIM(LEADING 'x' FROM s)",
        "TRIM(s)",
        "EXTRACT(DAY FROM ts)",
        "FLOOR(ts TO HOUR)",
        "FLOOR(1.5)",
        "TIMESTAMPDIFF(DAY, a, b)",
        "POSITION('a' IN s)",
        "SUBSTRING(s FROM 2 FOR 3)",
        "SUBSTRING(s, 2)",
        "INTERVAL '1-2' YEAR TO MONTH",
        "INTERVAL -'3' SECOND",
        "DATE '2024-01-01'",
        "ARRAY[1, 2][1]",
        "MAP['a', 1]['a']",
        "ROW(1, 'a')",
        "(1, 2)",
        "JSON_VALUE(j, '$.a' RETURNING INT DEFAULT 1 ON EMPTY)",
        "JSON_QUERY(j, '$.a' WITH CONDITIONAL ARRAY WRAPPER NULL ON ERROR)",
        "j IS JSON OBJECT",
        "JSON_OBJECT('a' VALUE 1, KEY 'b' VALUE JSON_ARRAY(1, 2) ABSENT ON NULL)",
        "x'0aFF'",
        "a IS DISTINCT FROM b",
        "(a, b) OVERLAPS (c, d)",
        "EXISTS (SELECT 1)",
        "TUMBLE_START(ts, INTERVAL '1' HOUR)",
        "1 + RANK() OVER (ORDER BY a, b)",
        "SUM(a) OVER ()",
        "AVG(a) OVER (ORDER BY t RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND UNBOUNDED FOLLOWING)",
        "LAG(a, 2, 0) RESPECT NULLS OVER w",
    ];
    for text in expressions {
        if let Err(error) = parse_expression(text) {
            panic!("{text}\n{error}");
        }
    }
}

#[test]
fn types_print_as_flink_writes_them() {
    for (text, shown) in [
        ("int not null", "INT NOT NULL"),
        ("DECIMAL", "DECIMAL(10, 0)"),
        ("VARCHAR(2147483647)", "STRING"),
        ("TIMESTAMP WITH LOCAL TIME ZONE", "TIMESTAMP_LTZ(6)"),
        ("ROW<a INT, `b c` ARRAY<STRING NOT NULL>>", "ROW<`a` INT, `b c` ARRAY<STRING NOT NULL>>"),
        ("MAP<STRING, MAP<INT, DATE>>", "MAP<STRING, MAP<INT, DATE>>"),
        ("INT ARRAY", "ARRAY<INT>"),
    ] {
        assert_eq!(parse_data_type(text).unwrap().to_string(), shown);
    }
}

#[test]
fn refusals_say_where_and_what_to_do() {
    let cases = [
        ("SELEC 1", (1, 1), "did you mean SELECT?"),
        ("SELECT 1 FROM", (1, 14), ""),
        ("SELECT a\nFROM t WHERE", (2, 13), ""),
        ("CREATE TABLE t (a TEXT)", (1, 19), "did you mean STRING?"),
        ("CREATE TABLE t (a INT PRIMARY KEY)", (1, 23), "NOT ENFORCED"),
        ("SELECT \"a\" FROM t", (1, 8), "backticks"),
        ("SELECT 'a", (1, 8), "close it with '"),
        ("SELECT 1 1", (1, 10), ""),
        ("SELECT order FROM t", (1, 8), "backticks"),
        ("UPDATE t SET a = 1", (1, 1), "INSERT the changed rows"),
        ("SELECT SUM(a) OVER (ROWS 2) FROM t", (1, 27), ""),
        ("SELECT SUM(a) OVER (ORDER BY b ROWS UNBOUNDED) FROM t", (1, 46), ""),
        ("SELECT SUM(a) IGNORE NULLS FROM t", (1, 28), ""),
        ("SELECT SUM(a) OVER w FROM t WINDOW w (ORDER BY a)", (1, 38), ""),
    ];
    for (text, place, hint) in cases {
        let source = SourceText::new("f.sql", text, &BTreeMap::new()).unwrap();
        let error = parse_statements(text).into_iter().find_map(Result::err).expect(text);
        let error = error.located(&source);
        let position = error.position().expect("located");
        assert_eq!((position.line, position.column), place, "{text}: {error}");
        assert!(error.render().contains(hint), "{text}: {}", error.render());
    }
}

#[test]
fn one_bad_statement_does_not_hide_the_next() {
    let parsed = parse_statements("SELECT FROM; SELECT 1; SELECT )");
    assert_eq!(parsed.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn deep_nesting_is_refused_not_overflowed() {
    let text = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
    let error = parse_statements(&text).remove(0).unwrap_err();
    assert!(error.to_string().contains("nests deeper"));
    let text = format!("SELECT {} 1", "- ".repeat(5000));
    assert!(parse_statements(&text).remove(0).is_err());
}

#[test]
fn explain_wraps_a_statement() {
    let parsed = parse_statements("EXPLAIN INSERT INTO a SELECT 1").remove(0).unwrap();
    assert!(matches!(parsed.kind, StatementKind::Explain(_)));
}
