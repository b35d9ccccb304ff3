//! Servers killed with -9 under a pipeline that takes checkpoints and writes to them: it says so and goes on when they are back, also
//! if it was killed meanwhile, and what they hold in the end is exact.

use std::path::Path;

use rdkafka::ClientConfig;

use crate::checkpoints::newest;
use crate::program::Place;
use crate::servers::{Database, Deadline, OwnServer, Watched};
use crate::transactions;

/// Waits for two more checkpoints: what was prepared for the first of them is committed then.
fn goes_on(running: &mut Watched, state: &Path) {
    let (wanted, deadline) = (newest(state) + 2, Deadline::new());
    while newest(state) < wanted {
        assert!(running.runs() && deadline.left().is_some(), "no checkpoint {wanted}");
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
}

/// Kills the server under the pipeline, several times, at last both; then the pipeline is stopped in order.
fn through_outages(server: &OwnServer, away: &str, state: &Path, start: impl Fn() -> Watched) {
    let mut running = start();
    goes_on(&mut running, state);
    for outage in 1..=2 {
        server.kill();
        running.said_times(away, outage);
        server.up();
        running.said_times("answers again", outage);
        goes_on(&mut running, state);
    }
    server.kill();
    running.said_times(away, 3);
    running.kill();
    let mut running = start();
    running.said(away);
    assert!(running.runs(), "it waits");
    server.up();
    goes_on(&mut running, state);
    running.interrupt();
    let left = running.end();
    assert_eq!(left.code, Some(0), "{:?}", left.stderr);
    assert_eq!(left.times_said("going on from checkpoint"), 1, "{:?}", left.stderr);
}

#[test]
fn topics_of_a_cluster_that_is_killed_hold_every_row_once() {
    let started = OwnServer::start("outages", "kafka", "MAINSTEM_TEST_KAFKA");
    let Some((server, servers)) = started else { return };
    let place = Place::with(&[("job.sql", transactions::JOB)]);
    let at = format!("SERVERS={servers}");
    let variables = ["LAST=100000000", "RATE=2000", "TOPIC=log", &at];
    let variables = variables.iter().flat_map(|variable| ["--var", variable]);
    let arguments: Vec<&str> =
        ["run", "job.sql", "--state", "state"].into_iter().chain(variables).collect();
    let start = || Watched::start(place.command(&arguments));
    through_outages(&server, "cannot reach Kafka", &place.path("state"), start);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &servers);
    transactions::check(&config, "log", transactions::settled(&config, "log"));
}

/// Numbers by key, and how many each key has had.
fn tables(database: &Database) -> String {
    let table = |columns: &str, name: &str| {
        format!(
            "CREATE TABLE {name} ({columns}) WITH ('connector' = 'jdbc', 'url' = '{}', 'username' = '{}', 'password' = '{}',
               'table-name' = '{name}', 'sink.create' = 'true');\n",
            database.url(),
            database.user,
            database.password
        )
    };
    format!(
        "SET 'execution.checkpointing.interval' = '100 ms';
         CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'fields.n.kind' = 'sequence', 'fields.n.start' = '0',
           'fields.n.end' = '100000000', 'rows-per-second' = '5000');
         {} {}
         INSERT INTO log SELECT MOD(n, 17), n FROM numbers;
         INSERT INTO counts SELECT MOD(n, 17), COUNT(*) FROM numbers GROUP BY MOD(n, 17);",
        table("k BIGINT, n BIGINT", "log"),
        table("k BIGINT, c BIGINT, PRIMARY KEY (k) NOT ENFORCED", "counts")
    )
}

#[test]
fn tables_of_a_database_that_is_killed_hold_every_row_once() {
    let started = OwnServer::start("outages", "postgres", "MAINSTEM_TEST_POSTGRES");
    let Some((server, url)) = started else { return };
    let database = Database::create(&url, "outages");
    let place = Place::with(&[("job.sql", &tables(&database))]);
    let start = || Watched::start(place.command(&["run", "job.sql", "--state", "state"]));
    through_outages(&server, "cannot reach PostgreSQL", &place.path("state"), start);
    let found =
        database.rows("SELECT count(*) = max(n) + 1, count(DISTINCT n) = count(*) FROM log");
    assert_eq!(found, ["t|t"], "lost or doubled");
    let counted = "SELECT k, count(*) FROM log GROUP BY k";
    let kept = "SELECT k, c FROM counts";
    for (one, other) in [(counted, kept), (kept, counted)] {
        let differ = database.rows(&format!("{one} EXCEPT ALL {other}"));
        assert!(differ.is_empty(), "the last counts are others: {differ:?}");
    }
}
