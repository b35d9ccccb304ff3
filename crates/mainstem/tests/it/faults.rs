//! Servers that are missing, go away, or refuse: what the program says, and that nothing is lost.
//! Invariant: a server that is killed here is an instance of its own.

use std::collections::BTreeSet;

use crate::program::{Place, Ran};
use crate::servers::{Database, Deadline, Kafka, OwnServer, Watched, unique};

// Kafka.

const PRINT: &str =
    "CREATE TABLE p (n INT) WITH ('connector' = 'print'); INSERT INTO p SELECT n FROM t;";

#[test]
fn a_topic_that_does_not_exist() {
    let Some(kafka) = Kafka::open() else { return };
    let topic = unique("nowhere");
    let table = kafka.table("t", "n INT", &topic, "'format' = 'json'");
    let place = Place::with(&[("job.sql", &format!("{table} {PRINT}"))]);
    let ran = place.run(&["run", "job.sql"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    let primary = format!("error: table 't': topic '{topic}' does not exist at {}", kafka.servers);
    assert_eq!(ran.stderr.lines().next(), Some(&*primary));
    assert!(ran.stderr.contains("hint: create it"), "{}", ran.stderr);
}

const COUNT: u32 = 3000;

/// From 1 to [`COUNT`], slowly enough to be interrupted.
fn generated_numbers() -> String {
    format!(
        "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '{COUNT}',
           'rows-per-second' = '500', 'fields.n.kind' = 'sequence', 'fields.n.start' = '1',
           'fields.n.end' = '{COUNT}');\n"
    )
}

/// A writer, a reader without an end and a reader with one, of one topic.
fn numbers_through(kafka: &Kafka) -> Place {
    let topic = unique("numbers");
    let numbers = generated_numbers();
    let log = kafka.table("log", "n BIGINT", &topic, "'format' = 'json'");
    let endless = log.replace("'latest-offset'", "'unbounded'");
    Place::with(&[
        ("first.sql", &format!("{log} INSERT INTO log VALUES (0);")),
        ("write.sql", &format!("{numbers} {log} INSERT INTO log SELECT n FROM numbers;")),
        ("follow.sql", &format!("{endless} SELECT n FROM log;")),
        ("read.sql", &format!("{log} SELECT n FROM log;")),
    ])
}

fn numbers(lines: &[String]) -> BTreeSet<u32> {
    lines.iter().filter_map(|line| line.parse().ok()).collect()
}

/// Killed while a pipeline writes and another reads, down when a third starts, then up again.
#[test]
fn a_broker_that_goes_away_and_comes_back() {
    let Some((broker, servers)) = OwnServer::start("faults", "kafka", "MAINSTEM_TEST_KAFKA") else {
        return;
    };
    let kafka = Kafka { servers };
    let place = numbers_through(&kafka);
    place.ok(&["run", "first.sql"]);
    let start = |file: &str| Watched::start(place.command(&["run", file]));
    let mut follower = start("follow.sql");
    let mut writer = start("write.sql");
    follower.printed("the first numbers", |lines| lines.len() > 100);
    assert!(writer.runs(), "it is killed in the middle");
    broker.kill();
    let mut late = start("read.sql");
    let away = format!("cannot reach Kafka at {}", kafka.servers);
    for running in [&mut writer, &mut follower, &mut late] {
        running.said(&away);
        assert!(running.runs(), "it waits");
    }
    broker.up();
    let late = late.end();
    let writer = writer.end();
    assert_eq!(
        (late.code, writer.code),
        (Some(0), Some(0)),
        "{:?} {:?}",
        late.stderr,
        writer.stderr
    );
    assert!(numbers(&late.stdout).contains(&0), "it read what was there: {:?}", late.stdout);
    let all: BTreeSet<u32> = (0..=COUNT).collect();
    follower.printed("all numbers", |lines| lines.len() > COUNT as usize && numbers(lines) == all);
    follower.interrupt();
    let follower = follower.end();
    assert_eq!(follower.code, Some(0), "{:?}", follower.stderr);
    for left in [&late, &writer, &follower] {
        assert_eq!(left.times_said(&away), 1, "once: {:?}", left.stderr);
        assert_eq!(left.times_said("answers again"), 1, "once: {:?}", left.stderr);
    }
    let reread = place.ok(&["run", "--quiet", "read.sql"]);
    let reread: Vec<String> = reread.stdout.lines().map(str::to_owned).collect();
    assert_eq!(numbers(&reread), all, "every number was written");
}

// PostgreSQL.

const PEOPLE: &str = "
CREATE TABLE rows_in (id INT, name STRING, age INT)
WITH ('connector' = 'filesystem', 'path' = 'people.csv', 'format' = 'csv');
CREATE TABLE people (id INT, name STRING, age INT)
WITH ('connector' = 'jdbc', 'url' = '${URL}', 'username' = '${USER}', 'password' = '${PASSWORD}',
  'table-name' = '${TABLE}');
INSERT INTO people SELECT * FROM rows_in;
";

/// Writes three people into `table`; the second is -4 years old.
fn write_people(database: &Database, table: &str, password: &str) -> Ran {
    let place = Place::with(&[("job.sql", PEOPLE), ("people.csv", "1,Ana,30\n2,Bo,-4\n3,Cy,50\n")]);
    let variables = [
        format!("URL={}", database.url()),
        format!("USER={}", database.user),
        format!("PASSWORD={password}"),
        format!("TABLE={table}"),
    ];
    let given = variables.iter().flat_map(|variable| ["--var", variable.as_str()]);
    let arguments: Vec<&str> = ["run", "job.sql"].into_iter().chain(given).collect();
    place.run(&arguments)
}

#[test]
fn a_row_that_postgresql_refuses() {
    let Some(database) = Database::open("refusals") else { return };
    database.rows("CREATE TABLE people (id INT PRIMARY KEY, name TEXT, age INT CHECK (age > 0))");
    let ran = write_people(&database, "people", &database.password);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for part in [
        "error: table 'people': table public.people at ",
        "PostgreSQL refused a row: new row for relation \"people\" violates check constraint",
        "the row: id = 2, name = 'Bo', age = -4",
        "hint: ",
    ] {
        assert!(ran.stderr.contains(part), "'{part}' is missing: {}", ran.stderr);
    }
    // The rows with it went together, and were refused together.
    assert_eq!(database.rows("SELECT count(*) FROM people"), ["0"]);
}

/// What is wrong with the table is said before a row is written.
#[test]
fn a_table_that_does_not_fit() {
    let Some(database) = Database::open("misfits") else { return };
    database.rows("CREATE TABLE people (id TEXT, name TEXT)");
    let rows: [(&str, &str, &[&str]); 3] = [
        (
            "people",
            &database.password,
            &[
                "table public.people in PostgreSQL does not fit table 'people'",
                "column 'id' is INT here and text there",
                "it has no column 'age'",
            ],
        ),
        ("nobody", &database.password, &["table nobody does not exist", "'sink.create' = 'true'"]),
        ("people", "wrong", &["password authentication failed", "'password'"]),
    ];
    for (table, password, parts) in rows {
        let ran = write_people(&database, table, password);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        for part in parts {
            assert!(ran.stderr.contains(part), "'{part}' is missing: {}", ran.stderr);
        }
        assert_eq!(database.rows("SELECT count(*) FROM people"), ["0"]);
    }
}

/// Killed while a pipeline writes, down when another starts, then up again.
#[test]
fn a_database_that_goes_away_and_comes_back() {
    let Some((server, url)) = OwnServer::start("faults", "postgres", "MAINSTEM_TEST_POSTGRES")
    else {
        return;
    };
    let database = Database::create(&url, "outage");
    let script = format!(
        "{} CREATE TABLE kept (n BIGINT, PRIMARY KEY (n) NOT ENFORCED)
         WITH ('connector' = 'jdbc', 'url' = '{}', 'username' = '{}', 'password' = '{}',
           'table-name' = '${{TABLE}}', 'sink.create' = 'true');
         INSERT INTO kept SELECT n FROM numbers;",
        generated_numbers(),
        database.url(),
        database.user,
        database.password
    );
    let place = Place::with(&[("job.sql", &script)]);
    let start = |table: &str| {
        let variable = format!("TABLE={table}");
        Watched::start(place.command(&["run", "job.sql", "--var", &variable]))
    };
    database.rows("CREATE TABLE early (n BIGINT PRIMARY KEY)");
    let mut early = start("early");
    let deadline = Deadline::new();
    while database.rows("SELECT count(*) > 100 FROM early") != ["t"] {
        assert!(early.runs() && deadline.left().is_some(), "nothing is written");
    }
    server.kill();
    let mut late = start("late");
    for running in [&mut early, &mut late] {
        running.said("cannot reach PostgreSQL");
        assert!(running.runs(), "it waits");
    }
    server.up();
    for (running, table) in [(early, "early"), (late, "late")] {
        let left = running.end();
        assert_eq!(left.code, Some(0), "{:?}", left.stderr);
        assert_eq!(left.times_said("cannot reach PostgreSQL"), 1, "once: {:?}", left.stderr);
        let found = database.rows(&format!("SELECT count(*), min(n), max(n) FROM {table}"));
        assert_eq!(found, [format!("{COUNT}|1|{COUNT}")]);
    }
}
