//! kill -9 again and again, of a pipeline that writes to PostgreSQL.
//! Invariant: whenever it is killed, and with how many workers it goes on, its tables hold in the end what a run without kills
//! writes: every row once, and of each key the last one; while it runs they hold no row twice. psql looks. Kills follow what is
//! committed, not a clock. MAINSTEM_TEST_KILLS says how many.

use std::process::{Child, Stdio};

use crate::program::Place;
use crate::servers::{Database, Deadline};

const EVENTS: u64 = 8_000_000;
/// A run is killed so often; more kills are more runs.
const KILLS: u64 = 5;

/// One table that is appended to, one with a key.
fn pipeline(database: &Database, schema: &str) -> String {
    let (url, user, password) = (database.url(), &database.user, &database.password);
    let table = |name: &str| {
        format!(
            "WITH ('connector' = 'jdbc', 'url' = '{url}', 'username' = '{user}', 'password' = '{password}',
               'table-name' = '{schema}.{name}', 'sink.create' = 'true');\n"
        )
    };
    let (bids, totals) = (table("bids"), table("totals"));
    format!(
        "SET 'execution.checkpointing.interval' = '100 ms';
         CREATE TABLE nexmark (event_type INT, bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3)>)
           WITH ('connector' = 'nexmark', 'events.num' = '{EVENTS}');
         CREATE TABLE bids (auction BIGINT, bidder BIGINT, price BIGINT, at TIMESTAMP(3)) {bids}
         CREATE TABLE totals (auction BIGINT, n BIGINT, total BIGINT, PRIMARY KEY (auction) NOT ENFORCED) {totals}
         INSERT INTO bids SELECT bid.auction, bid.bidder, bid.price, bid.`dateTime` FROM nexmark
           WHERE event_type = 2 AND MOD(bid.auction, 7) = 0;
         INSERT INTO totals SELECT bid.auction, COUNT(*), SUM(bid.price) FROM nexmark
           WHERE event_type = 2 AND MOD(bid.auction, 50) = 0 GROUP BY bid.auction;"
    )
}

fn start(place: &Place, schema: &str, workers: u64) -> Child {
    let (workers, file) = (workers.to_string(), format!("{schema}.sql"));
    let arguments = ["run", "--quiet", "--state", schema, "-p", &workers, &file];
    let log = std::fs::File::options().create(true).append(true).open(place.path("log")).unwrap();
    place.command(&arguments).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// What is recorded as shown; nothing before the first run has made the table.
fn committed(database: &Database, schema: &str) -> i64 {
    let sql = format!("SELECT to_regclass('{schema}.mainstem_checkpoints') IS NOT NULL");
    if database.rows(&sql) != ["t"] {
        return 0;
    }
    let sql = format!("SELECT coalesce(sum(committed), 0) FROM {schema}.mainstem_checkpoints");
    database.rows(&sql).remove(0).parse().unwrap()
}

/// Waits until more is shown, or the run has ended by itself: true.
fn ends_before(child: &mut Child, database: &Database, schema: &str, place: &Place) -> bool {
    let (before, deadline) = (committed(database, schema), Deadline::new());
    while committed(database, schema) == before {
        assert!(deadline.left().is_some(), "nothing is shown: {}", place.read("log"));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "it failed: {}", place.read("log"));
            return true;
        }
    }
    false
}

#[test]
fn tables_of_postgresql_hold_every_row_once() {
    let Some(database) = Database::open("kills") else { return };
    let kills = crate::checkpoints::kills(KILLS);
    let place = Place::with(&[("reference.sql", &pipeline(&database, "reference"))]);
    place.ok(&["run", "--quiet", "reference.sql"]);
    let (mut done, mut runs) = (0, 0);
    while done < kills {
        runs += 1;
        let schema = format!("killed{runs}");
        place.write(&format!("{schema}.sql"), pipeline(&database, &schema));
        let more = run(&place, &database, &schema, KILLS.min(kills - done));
        assert!(more >= 3.min(kills - done), "it has ended after {more} kills");
        done += more;
        compare(&place, &database, &schema);
        database.rows(&format!("DROP SCHEMA {schema} CASCADE"));
    }
}

/// Runs the pipeline to its end, through so many kills or fewer; how many.
fn run(place: &Place, database: &Database, schema: &str, kills: u64) -> u64 {
    let mut done = 0;
    while done < kills {
        let mut child = start(place, schema, 1 + done % 3);
        if ends_before(&mut child, database, schema, place) {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        done += 1;
    }
    let status = start(place, schema, 2).wait().unwrap();
    assert!(status.success(), "{}", place.read("log"));
    done
}

/// The tables are those of a run that nobody disturbed.
fn compare(place: &Place, database: &Database, schema: &str) {
    for table in ["bids", "totals"] {
        let difference = |one: &str, other: &str| {
            let sql = format!(
                "SELECT * FROM (SELECT * FROM {one}.{table} EXCEPT ALL SELECT * FROM {other}.{table}) AS d LIMIT 3"
            );
            database.rows(&sql)
        };
        let (lost, doubled) = (difference("reference", schema), difference(schema, "reference"));
        assert!(lost.is_empty(), "{table}: lost {lost:?}: {}", place.read("log"));
        assert!(doubled.is_empty(), "{table}: too much {doubled:?}: {}", place.read("log"));
    }
    let sql = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'mainstem_staged_%'";
    assert_eq!(database.rows(sql), ["0"], "nothing stays staged");
}
