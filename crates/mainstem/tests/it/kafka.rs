//! Pipelines over a real Kafka, whose address is in `MAINSTEM_TEST_KAFKA`; without it these tests
//! say that they were skipped, and in CI they fail.

use std::collections::BTreeSet;

use crate::program::Place;

const TABLES: &str = "
CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'fields.n.kind' = 'sequence',
  'fields.n.start' = '1', 'fields.n.end' = '5000');
CREATE TABLE log (n BIGINT) WITH ('connector' = 'kafka', 'topic' = '${TOPIC}', 'format' = 'json',
  'properties.bootstrap.servers' = '${BROKER}', 'properties.group.id' = '${TOPIC}',
  'scan.startup.mode' = 'group-offsets', 'properties.auto.offset.reset' = 'earliest');
";

/// A place with a topic of its own name; `None` without a broker.
fn place() -> Option<(Place, Vec<String>)> {
    let broker = crate::servers::variable("MAINSTEM_TEST_KAFKA")?;
    let place = Place::with(&[
        ("tables.sql", TABLES),
        ("print.sql", "SELECT n FROM log;"),
        ("rest.sql", "SELECT n FROM log /*+ OPTIONS('scan.bounded.mode' = 'latest-offset') */;"),
    ]);
    let directory = place.path("");
    let name = directory.file_name().unwrap().to_string_lossy().replace('.', "");
    let topic = format!("shell-{name}");
    let filled = place.ok(&[
        "gen",
        "tables.sql",
        "--table",
        "numbers",
        "-q",
        "--var",
        "TOPIC=x",
        "--var",
        "BROKER=x",
        "--to",
        &format!("kafka://{broker}/{topic}"),
    ]);
    assert_eq!(filled.stdout, "");
    Some((place, vec![format!("TOPIC={topic}"), format!("BROKER={broker}")]))
}

fn arguments<'a>(file: &'a str, variables: &'a [String]) -> Vec<&'a str> {
    let given = variables.iter().flat_map(|variable| ["--var", variable.as_str()]);
    ["run", "tables.sql", file, "-q"].into_iter().chain(given).collect()
}

fn numbers(lines: &str) -> Vec<u32> {
    lines.lines().filter_map(|line| line.parse().ok()).collect()
}

#[test]
fn a_group_goes_on_where_it_drained() {
    let Some((place, variables)) = place() else { return };
    let mut started = place.start(&arguments("print.sql", &variables));
    assert_eq!(started.line(), "n");
    let first = started.line();
    started.signal("INT");
    let ran = started.end();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut seen = numbers(&first);
    seen.extend(numbers(&ran.stdout));
    seen.extend(numbers(&place.ok(&arguments("rest.sql", &variables)).stdout));
    seen.sort_unstable();
    assert!(seen.iter().copied().eq(1..=5000), "{} rows: some are missing or doubled", seen.len());
}

#[test]
fn nothing_is_lost_by_a_kill() {
    let Some((place, variables)) = place() else { return };
    let mut started = place.start(&arguments("print.sql", &variables));
    assert_eq!(started.line(), "n");
    let first = started.line();
    started.signal("KILL");
    let killed = started.end();
    let mut seen: BTreeSet<u32> = numbers(&first).into_iter().collect();
    // The last line may have been cut.
    let whole = killed.stdout.rsplit_once('\n').map_or("", |(whole, _)| whole);
    seen.extend(numbers(whole));
    seen.extend(numbers(&place.ok(&arguments("rest.sql", &variables)).stdout));
    assert!(seen.into_iter().eq(1..=5000), "some rows are missing");
}
