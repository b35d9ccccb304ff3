//! Joins with a table as it is: FOR SYSTEM_TIME AS OF processing time, from files. No Flink answers these, as its file
//! connector is no lookup table.

use crate::program::Place;

const TABLES: &str = "
CREATE TABLE orders (id INT, country STRING, at_time AS PROCTIME())
WITH ('connector' = 'filesystem', 'path' = 'orders.json', 'format' = 'json');
CREATE TABLE countries (code STRING, name STRING)
WITH ('connector' = 'filesystem', 'path' = 'countries.csv', 'format' = 'csv');
";

fn place(query: &str) -> Place {
    let place = Place::with(&[("job.sql", &format!("{TABLES}{query}"))]);
    let orders: Vec<String> = [(1, "\"at\""), (2, "\"xx\""), (3, "null"), (4, "\"ro\"")]
        .iter()
        .map(|(id, country)| format!("{{\"id\": {id}, \"country\": {country}}}\n"))
        .collect();
    place.write("orders.json", orders.concat());
    place.write("countries.csv", "at,Austria\nro,Romania\nro,Rumania\n");
    place
}

fn check(query: &str, expect: &[&str]) {
    let place = place(query);
    for workers in ["1", "2", "3"] {
        let ran = place.ok(&["run", "job.sql", "-q", "-p", workers]);
        let mut lines: Vec<&str> =
            ran.sorted().into_iter().filter(|l| !l.starts_with("id\t")).collect();
        lines.sort_unstable();
        assert_eq!(lines, expect, "{workers} workers: {query}");
    }
}

#[test]
fn rows_find_what_is_in_the_table() {
    check(
        "SELECT o.id, c.name FROM orders AS o
         JOIN countries FOR SYSTEM_TIME AS OF o.at_time AS c ON o.country = c.code;",
        &["1\tAustria", "4\tRomania", "4\tRumania"],
    );
    check(
        "SELECT o.id, c.name FROM orders AS o
         LEFT JOIN countries FOR SYSTEM_TIME AS OF o.at_time AS c ON o.country = c.code AND c.name <> 'Rumania';",
        &["1\tAustria", "2\t\\N", "3\t\\N", "4\tRomania"],
    );
}

#[test]
fn a_view_that_changes_is_asked_at_its_end() {
    check(
        "CREATE VIEW names AS SELECT code, COUNT(*) AS n FROM countries GROUP BY code;
         SELECT o.id, n.n FROM orders AS o
         JOIN names FOR SYSTEM_TIME AS OF o.at_time AS n ON o.country = n.code;",
        &["1\t1", "4\t2"],
    );
}
