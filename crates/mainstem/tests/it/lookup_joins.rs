//! Joins with a table as it is: FOR SYSTEM_TIME AS OF processing time, from files and from a real PostgreSQL. No Flink
//! answers these: its file connector is no lookup table, and what PostgreSQL holds is not part of a scenario.

use crate::program::Place;
use crate::servers::{Database, Watched};

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

/// Orders of customers 0 to 149 and of nobody, in order of time; two customers share each even number up to 98.
fn postgres_place(database: &Database, options: &str, queries: &str) -> Place {
    let sql = format!(
        "CREATE TABLE orders (id INT, customer INT, ts TIMESTAMP(3), at_time AS PROCTIME(), WATERMARK FOR ts AS ts)
         WITH ('connector' = 'filesystem', 'path' = 'orders.json', 'format' = 'json');
         CREATE TABLE customers (id INT, name STRING, credit DECIMAL(8, 2), kind STRING, shout AS UPPER(name))
         WITH ('connector' = 'jdbc', 'url' = '{}', 'table-name' = 'customers', 'username' = '{}',
               'password' = '{}' {options});
         {queries}",
        database.url(),
        database.user,
        database.password
    );
    let order = |n: u32| {
        let customer = if n % 10 == 9 { "null".to_owned() } else { (n * 7 % 150).to_string() };
        let (minute, second) = (n / 60 % 60, n % 60);
        let at = format!("2024-01-01 {:02}:{minute:02}:{second:02}", n / 3600);
        format!("{{\"id\": {n}, \"customer\": {customer}, \"ts\": \"{at}\"}}\n")
    };
    let place = Place::with(&[("job.sql", &sql)]);
    place.write("orders.json", (0..6000).map(order).collect::<String>());
    place
}

fn with_customers(database: &Database) {
    database.rows(
        "CREATE TABLE customers (id int, name text, credit numeric(8, 2), kind varchar(5));
         INSERT INTO customers SELECT n, 'c' || n, n * 1.5, CASE WHEN n % 3 = 0 THEN 'big' ELSE 'small' END
           FROM generate_series(0, 99) AS n;
         INSERT INTO customers SELECT n * 2, 'd' || n * 2, NULL, 'big' FROM generate_series(0, 49) AS n;
         CREATE INDEX ON customers (id)",
    );
}

#[test]
fn rows_find_what_postgresql_holds() {
    let Some(database) = Database::open("lookups") else { return };
    with_customers(&database);
    // What a row finds under the condition of the query.
    let found = |customer: u32| -> Vec<String> {
        let mut names = Vec::new();
        if customer < 100 && customer.is_multiple_of(3) && customer > 4 {
            names.push(format!("C{customer}\t{}.{}0", customer * 3 / 2, customer % 2 * 5));
        }
        names
    };
    let mut expect = Vec::new();
    for n in 0..6000_u32 {
        let names = if n % 10 == 9 { Vec::new() } else { found(n * 7 % 150) };
        if names.is_empty() {
            expect.push(format!("{n}\t\\N\t\\N"));
        }
        expect.extend(names.iter().map(|name| format!("{n}\t{name}")));
    }
    expect.sort_unstable();
    let query = "SELECT o.id, c.shout, c.credit FROM orders AS o
        LEFT JOIN customers FOR SYSTEM_TIME AS OF o.at_time AS c
          ON o.customer = c.id AND c.kind = 'big' AND c.credit > 6 AND o.id >= 0;";
    let small = ", 'lookup.cache' = 'PARTIAL', 'lookup.partial-cache.max-rows' = '20'";
    let whole =
        ", 'lookup.cache' = 'PARTIAL', 'lookup.partial-cache.caching-missing-key' = 'false'";
    for (options, workers) in [("", "1"), ("", "2"), (small, "1"), (small, "3"), (whole, "2")] {
        let place = postgres_place(&database, options, query);
        let ran = place.ok(&["run", "job.sql", "-q", "-p", workers]);
        let mut lines: Vec<&str> = ran.stdout.lines().filter(|l| !l.starts_with("id\t")).collect();
        if workers == "1" {
            // One worker keeps the order of the file.
            let ids = lines.iter().map(|l| l.split('\t').next().unwrap().parse::<u32>().unwrap());
            assert!(ids.is_sorted());
        }
        lines.sort_unstable();
        assert_eq!(lines.len(), expect.len(), "{options}, {workers} workers");
        assert_eq!(lines, expect, "{options}, {workers} workers");
    }
}

#[test]
fn windows_above_a_lookup_lose_no_row_and_a_table_is_read_whole() {
    let Some(database) = Database::open("lookups") else { return };
    with_customers(&database);
    let query = "
        SELECT window_start, COUNT(*) AS n, SUM(credit) AS credit FROM TABLE(TUMBLE(TABLE enriched, DESCRIPTOR(ts), INTERVAL '20' MINUTES))
        GROUP BY window_start, window_end;";
    let view = "CREATE VIEW enriched AS SELECT o.ts, c.credit FROM orders AS o
        JOIN customers FOR SYSTEM_TIME AS OF o.at_time AS c ON o.customer = c.id;";
    let mut sums = std::collections::BTreeMap::<u32, (u32, u32)>::new();
    for n in (0..6000_u32).filter(|n| n % 10 != 9 && n * 7 % 150 < 100) {
        let customer = n * 7 % 150;
        let (rows, halves) = sums.entry(n / 1200).or_default();
        *rows += 1 + u32::from(customer % 2 == 0);
        *halves += customer * 3;
    }
    let window = |(window, (rows, halves)): (u32, (u32, u32))| {
        let start = format!("2024-01-01 {:02}:{:02}:00.000", window / 3, window % 3 * 20);
        format!("{start}\t{rows}\t{}.{}0", halves / 2, halves % 2 * 5)
    };
    let expect: Vec<String> = sums.into_iter().map(window).collect();
    for workers in ["1", "2", "3"] {
        let place = postgres_place(&database, "", &format!("{view}{query}"));
        let ran = place.ok(&["run", "job.sql", "-p", workers]);
        let mut lines: Vec<&str> = ran.stdout.lines().skip(1).collect();
        lines.sort_unstable();
        assert_eq!(lines, expect, "{workers} workers");
        assert!(!ran.stderr.contains("late"), "{}", ran.stderr);
    }
    let whole = "SELECT COUNT(*) AS n, SUM(credit) AS credit FROM (SELECT * FROM customers UNION ALL SELECT * FROM customers);";
    let place = postgres_place(&database, "", whole);
    let ran = place.ok(&["run", "job.sql", "-q", "--output", "json"]);
    let last = ran.stdout.lines().last().unwrap();
    assert!(last.contains("\"n\":300") && last.contains("1.485E+4"), "{last}");
}

#[test]
fn a_table_that_cannot_be_asked_is_named() {
    let Some(database) = Database::open("lookups") else { return };
    database.rows("CREATE TABLE customers (id int, name text, credit numeric(8, 2), kind date)");
    let query = "SELECT o.id, c.kind FROM orders AS o
        LEFT JOIN customers FOR SYSTEM_TIME AS OF o.at_time AS c ON o.customer = c.id;";
    let gone = ", 'lookup.max-retries' = '0'";
    let cases = [
        (postgres_place(&database, "", query), "column 'kind' is STRING here and date there"),
        (
            {
                let place = postgres_place(&database, gone, query);
                let sql = std::fs::read_to_string(place.path("job.sql")).unwrap();
                place.write(
                    "job.sql",
                    sql.replace(&database.url(), "jdbc:postgresql://127.0.0.1:1/x"),
                );
                place
            },
            "lookup.max-retries",
        ),
    ];
    for (place, part) in cases {
        let ran = place.run(&["run", "job.sql"]);
        assert_ne!(ran.code, 0);
        assert!(ran.stderr.contains("table 'customers'"), "{}", ran.stderr);
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn an_outage_is_outlived_and_a_stop_waits_for_all_answers() {
    let Some(database) = Database::open("lookups") else { return };
    with_customers(&database);
    let query = "
        CREATE TABLE endless (customer INT, at_time AS PROCTIME())
        WITH ('connector' = 'datagen', 'rows-per-second' = '2000', 'fields.customer.min' = '0', 'fields.customer.max' = '99');
        SELECT o.customer, c.name FROM endless AS o
        JOIN customers FOR SYSTEM_TIME AS OF o.at_time AS c ON o.customer = c.id AND c.name LIKE 'c%';";
    let place = postgres_place(&database, "", query);
    let mut run = Watched::start(place.command(&["run", "job.sql", "-p", "2"]));
    run.printed("some rows", |lines| lines.len() > 100);
    let others = "datname = current_database() AND pid <> pg_backend_pid()";
    database
        .rows(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"));
    run.said("retrying");
    run.said("answers again");
    run.interrupt();
    let left = run.end();
    assert_eq!(left.code, Some(0), "{:?}", left.stderr);
    assert_eq!(left.times_said("retrying"), 1, "{:?}", left.stderr);
    // Each customer has one name that begins so: what went in came out.
    let rows = &left.stdout[1..];
    assert!(
        rows.iter()
            .all(|row| row.split_once('\t').is_some_and(|(id, name)| name == format!("c{id}")))
    );
    let summary = |way: &str| {
        let line = left.stderr.iter().find(|line| line.trim_start().starts_with(way)).unwrap();
        line.split_whitespace().nth(2).unwrap().parse::<usize>().unwrap()
    };
    assert_eq!((summary("in "), summary("out ")), (rows.len(), rows.len()));
}
