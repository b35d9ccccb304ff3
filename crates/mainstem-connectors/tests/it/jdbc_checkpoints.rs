//! The sink of `jdbc` under checkpoints, against a real PostgreSQL: what is seen when, after crashes at every place.
//! A crash is a sink that is dropped: its connection breaks, and nothing is said to PostgreSQL.

use std::sync::Arc;

use mainstem_connectors::api::Sink;
use mainstem_connectors::jdbc::JDBC;
use mainstem_core::ErrorKind;

use crate::jdbc::{Database, people, said};
use crate::support::{Notices, sink, unique, write};

type Tokens = Vec<Vec<u8>>;

const APPENDS: &[(&str, &str)] = &[("sink.create", "true")];

/// A sink that goes on from `tokens`.
async fn staged(db: &Database, key: bool, tokens: &[Vec<u8>]) -> Box<dyn Sink> {
    staged_with(db, key, tokens, &Arc::default(), APPENDS).await
}

async fn staged_with(
    db: &Database,
    key: bool,
    tokens: &[Vec<u8>],
    notices: &Arc<Notices>,
    options: &[(&str, &str)],
) -> Box<dyn Sink> {
    let mut sink = sink(&JDBC, &db.people(key, options), notices).unwrap();
    sink.open().await.unwrap();
    assert!(sink.stage(tokens).await.unwrap());
    sink
}

async fn put(sink: &mut Box<dyn Sink>, ids: std::ops::Range<i64>) {
    let rows: Vec<_> = ids.map(|id| (id, Some("someone"), 1)).collect();
    write(sink, &people(&rows)).await.unwrap();
}

async fn prepared(sink: &mut Box<dyn Sink>) -> Vec<u8> {
    sink.prepare().await.unwrap().unwrap()
}

/// How many rows are seen, how many different ones, and the greatest.
async fn seen(db: &Database) -> String {
    db.rows("SELECT count(*), count(DISTINCT id), max(id) FROM $S.people").await.remove(0)
}

/// How many staging tables there are.
async fn staging_tables(db: &Database) -> String {
    let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = '$S' AND tablename LIKE 'mainstem_staged_people_%'";
    db.rows(sql).await.remove(0)
}

#[tokio::test]
async fn rows_are_seen_with_their_checkpoint_and_once() {
    let Some(db) = Database::open().await else { return };
    let mut sink = staged(&db, false, &[]).await;
    put(&mut sink, 0..120_000).await;
    sink.flush().await.unwrap();
    assert_eq!(seen(&db).await, "0|0|NULL");
    let first = prepared(&mut sink).await;
    put(&mut sink, 120_000..120_010).await;
    assert_eq!(seen(&db).await, "0|0|NULL");
    for _ in 0..2 {
        sink.commit(std::slice::from_ref(&first)).await.unwrap();
        assert_eq!(seen(&db).await, "120000|120000|119999");
    }
    // In the order in which they came.
    let sql = "SELECT count(*) FROM (SELECT id, lag(id) OVER () AS before FROM $S.people) AS p WHERE id <> before + 1";
    assert_eq!(db.rows(sql).await, ["0"]);
    let second = prepared(&mut sink).await;
    sink.commit(&[first, second.clone()]).await.unwrap();
    assert_eq!(seen(&db).await, "120010|120010|120009");
    // Nothing came.
    let third = prepared(&mut sink).await;
    sink.commit(&[third]).await.unwrap();
    assert_eq!(staging_tables(&db).await, "2");
    sink.close().await.unwrap();
    assert_eq!(seen(&db).await, "120010|120010|120009");
    assert_eq!(staging_tables(&db).await, "0");
    db.close().await;
}

#[tokio::test]
async fn a_crash_between_prepare_and_commit_loses_nothing() {
    let Some(db) = Database::open().await else { return };
    let mut sink = staged(&db, false, &[]).await;
    put(&mut sink, 0..10).await;
    let first = prepared(&mut sink).await;
    put(&mut sink, 10..20).await;
    let second = prepared(&mut sink).await;
    put(&mut sink, 20..30).await;
    sink.flush().await.unwrap();
    drop(sink);
    // Two checkpoints at once: the first could not be stored.
    let tokens = vec![first, second];
    let mut sink = staged(&db, false, &tokens).await;
    assert_eq!(seen(&db).await, "20|20|19");
    put(&mut sink, 20..25).await;
    drop(sink);
    let mut sink = staged(&db, false, &tokens).await;
    assert_eq!(seen(&db).await, "20|20|19");
    put(&mut sink, 20..40).await;
    let third = prepared(&mut sink).await;
    drop(sink);
    let mut sink = staged(&db, false, std::slice::from_ref(&third)).await;
    assert_eq!(seen(&db).await, "40|40|39");
    // No rows came; the checkpoint still says who it is.
    let idle = prepared(&mut sink).await;
    put(&mut sink, 50..60).await;
    drop(sink);
    let mut sink = staged(&db, false, std::slice::from_ref(&idle)).await;
    put(&mut sink, 40..45).await;
    let last = prepared(&mut sink).await;
    sink.commit(&[last]).await.unwrap();
    sink.close().await.unwrap();
    assert_eq!(seen(&db).await, "45|45|44");
    assert_eq!(db.rows("SELECT count(*), max(run) FROM $S.mainstem_checkpoints").await, ["1|5"]);
    db.close().await;
}

#[tokio::test]
async fn a_crash_before_the_checkpoint_leaves_nothing() {
    let Some(db) = Database::open().await else { return };
    // Nothing prepared: the next one without a checkpoint clears it.
    let mut sink = staged(&db, false, &[]).await;
    put(&mut sink, 0..10).await;
    sink.flush().await.unwrap();
    drop(sink);
    let mut sink = staged(&db, false, &[]).await;
    let cleared = async || {
        while db.rows("SELECT count(*) FROM $S.mainstem_checkpoints").await != ["1"] {
            staged(&db, false, &[]).await.close().await.unwrap();
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), cleared()).await.unwrap();
    put(&mut sink, 0..5).await;
    let first = prepared(&mut sink).await;
    sink.commit(std::slice::from_ref(&first)).await.unwrap();
    // Prepared, but its checkpoint was not stored.
    put(&mut sink, 5..9).await;
    let lost = prepared(&mut sink).await;
    put(&mut sink, 9..12).await;
    drop((sink, lost));
    let mut sink = staged(&db, false, std::slice::from_ref(&first)).await;
    assert_eq!(seen(&db).await, "5|5|4");
    put(&mut sink, 5..7).await;
    let second = prepared(&mut sink).await;
    sink.commit(&[second]).await.unwrap();
    assert_eq!(seen(&db).await, "7|7|6");
    sink.close().await.unwrap();
    db.close().await;
}

#[tokio::test]
async fn upserts_and_deletes_wait_for_their_checkpoint() {
    let Some(db) = Database::open().await else { return };
    let all = "SELECT id, name FROM $S.people ORDER BY id";
    let options = [("sink.create", "true"), ("sink.buffer-flush.max-rows", "2")];
    let notices = Arc::default();
    let mut sink = staged_with(&db, true, &[], &notices, &options).await;
    write(&mut sink, &people(&[(1, Some("a"), 1), (2, Some("b"), 1), (3, None, 1)])).await.unwrap();
    let first = prepared(&mut sink).await;
    // Several batches: of each key the last row counts.
    let rows = [(1, Some("a2"), 1), (3, None, -1), (4, Some("d"), 1), (2, None, -1)];
    write(&mut sink, &people(&rows)).await.unwrap();
    write(&mut sink, &people(&[(1, Some("a3"), 1), (2, Some("b2"), 1), (4, None, -1)]))
        .await
        .unwrap();
    let second = prepared(&mut sink).await;
    write(&mut sink, &people(&[(9, Some("never"), 1)])).await.unwrap();
    assert_eq!(db.rows(all).await, Vec::<String>::new());
    sink.commit(std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(db.rows(all).await, ["1|a", "2|b", "3|NULL"]);
    drop(sink);
    let mut sink = staged_with(&db, true, &[first, second.clone()], &notices, &options).await;
    assert_eq!(db.rows(all).await, ["1|a3", "2|b2"]);
    sink.commit(&[second]).await.unwrap();
    assert_eq!(db.rows(all).await, ["1|a3", "2|b2"]);
    sink.close().await.unwrap();
    db.close().await;
}

#[tokio::test]
async fn pipelines_that_write_to_one_table_do_not_meet() {
    let Some(db) = Database::open().await else { return };
    let mut one = staged(&db, false, &[]).await;
    put(&mut one, 0..10).await;
    one.flush().await.unwrap();
    // It starts while the first has staged rows, and while the first is down with prepared ones.
    let mut two = staged(&db, false, &[]).await;
    put(&mut two, 100..110).await;
    let of_one = prepared(&mut one).await;
    drop(one);
    let notices = Arc::new(Notices::default());
    while !notices.all().iter().any(|n| n.contains("another pipeline") && n.contains("DROP TABLE"))
    {
        drop(staged_with(&db, false, &[], &notices, APPENDS).await);
    }
    let of_two = prepared(&mut two).await;
    two.commit(&[of_two]).await.unwrap();
    assert_eq!(seen(&db).await, "10|10|109");
    let mut one = staged(&db, false, &[of_one]).await;
    assert_eq!(seen(&db).await, "20|20|109");
    one.close().await.unwrap();
    two.close().await.unwrap();
    db.close().await;
}

#[tokio::test]
async fn lost_connections_cost_no_row_and_double_none() {
    let Some(db) = Database::open().await else { return };
    let name = unique("app");
    let mut table = db.people(false, APPENDS);
    table.options.insert("url".to_owned(), format!("{}&ApplicationName={name}", db.url));
    let mut sink = sink(&JDBC, &table, &Arc::default()).unwrap();
    sink.open().await.unwrap();
    assert!(sink.stage(&[]).await.unwrap());
    let cut = format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = '{name}'"
    );
    put(&mut sink, 0..10).await;
    assert_eq!(db.rows(&cut).await, ["t"]);
    sink.flush().await.unwrap();
    assert_eq!(db.rows(&cut).await, ["t"]);
    put(&mut sink, 10..20).await;
    let first = prepared(&mut sink).await;
    assert_eq!(db.rows(&cut).await, ["t"]);
    sink.commit(std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(seen(&db).await, "20|20|19");
    // Another run with the same checkpoint takes over; this one finds out.
    put(&mut sink, 20..30).await;
    assert_eq!(db.rows(&cut).await, ["t"]);
    let mut other = staged(&db, false, &[first]).await;
    let error = sink.flush().await.unwrap_err();
    assert!(said(&error).contains("another run of this pipeline"), "{}", said(&error));
    other.close().await.unwrap();
    db.close().await;
}

#[tokio::test]
async fn rows_that_only_the_target_refuses() {
    let Some(db) = Database::open().await else { return };
    for key in [false, true] {
        let index = if key { "PRIMARY KEY" } else { "UNIQUE" };
        db.run(&format!(
            "DROP SCHEMA IF EXISTS $S CASCADE; CREATE SCHEMA $S; CREATE TABLE $S.people \
             (id bigint {index}, name text, more int NOT NULL DEFAULT 7 CHECK (more > id - 1000))"
        ))
        .await;
        let mut failing = staged(&db, key, &[]).await;
        put(&mut failing, 900..1100).await;
        let token = prepared(&mut failing).await;
        let error = failing.commit(std::slice::from_ref(&token)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::User);
        let text = said(&error);
        assert!(text.contains("check") && text.contains("id = 1007, name = someone"), "{text}");
        assert_eq!(seen(&db).await, "0|0|NULL");
        drop(failing);
        let notices = Arc::new(Notices::default());
        let skip = [("mainstem.bad-records", "skip")];
        let mut skipping = staged_with(&db, key, &[token], &notices, &skip).await;
        assert_eq!(seen(&db).await, "107|107|1006");
        assert!(notices.all()[0].contains("left out 93 rows (93 so far)"), "{:?}", notices.all());
        skipping.close().await.unwrap();
    }
    db.close().await;
}

#[tokio::test]
async fn without_the_right_to_create_tables() {
    let Some(db) = Database::open().await else { return };
    let role = unique("writer");
    db.run(&format!(
        "CREATE SCHEMA $S; CREATE TABLE $S.people (id bigint, name text); \
         CREATE ROLE {role} LOGIN PASSWORD 'secret'; GRANT USAGE ON SCHEMA $S TO {role}; \
         GRANT INSERT, SELECT ON $S.people TO {role}"
    ))
    .await;
    let login = [("username", &*role), ("password", "secret")];
    let mut refused = sink(&JDBC, &db.people(false, &login), &Arc::default()).unwrap();
    refused.open().await.unwrap();
    let error = refused.stage(&[]).await.unwrap_err();
    assert!(said(&error).contains("cannot be created in schema"), "{}", said(&error));
    let hint = error.hint().unwrap();
    assert!(hint.contains("CREATE") && hint.contains("'at-least-once'"), "{hint}");
    let more = [login[0], login[1], ("sink.delivery-guarantee", "at-least-once")];
    let mut plain = sink(&JDBC, &db.people(false, &more), &Arc::default()).unwrap();
    plain.open().await.unwrap();
    assert!(!plain.stage(&[]).await.unwrap());
    put(&mut plain, 0..3).await;
    assert_eq!(plain.prepare().await.unwrap(), None);
    assert_eq!(seen(&db).await, "3|3|2");
    plain.close().await.unwrap();
    db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    db.close().await;
}

#[tokio::test]
async fn what_does_not_fit_the_checkpoint_is_said() {
    let Some(db) = Database::open().await else { return };
    let mut sink = staged(&db, false, &[]).await;
    let mut tokens: Tokens = Vec::new();
    for at in 0..2 {
        put(&mut sink, at * 10..at * 10 + 10).await;
        tokens.push(prepared(&mut sink).await);
        sink.commit(&tokens[tokens.len() - 1..]).await.unwrap();
    }
    drop(sink);
    // An older checkpoint than the newest.
    let notices = Arc::new(Notices::default());
    let mut older = staged_with(&db, false, &tokens[..1], &notices, APPENDS).await;
    assert!(
        notices.all().iter().any(|n| n.contains("is ahead of the checkpoint")),
        "{:?}",
        notices.all()
    );
    put(&mut older, 10..20).await;
    let token = prepared(&mut older).await;
    older.commit(std::slice::from_ref(&token)).await.unwrap();
    assert_eq!(seen(&db).await, "30|20|19");
    // Staged rows that somebody has removed.
    put(&mut older, 20..30).await;
    let token = prepared(&mut older).await;
    drop(older);
    let tables = db.rows("SELECT tablename FROM pg_tables WHERE schemaname = '$S' AND tablename LIKE 'mainstem_staged_%'").await;
    for table in &tables {
        db.run(&format!("TRUNCATE $S.\"{table}\"")).await;
    }
    let people = db.people(false, APPENDS);
    for wanted in ["holds 0 rows", "knows nothing of"] {
        let mut sink = crate::support::sink(&JDBC, &people, &Arc::default()).unwrap();
        sink.open().await.unwrap();
        let error = sink.stage(std::slice::from_ref(&token)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(said(&error).contains(wanted), "{}", said(&error));
        db.run("TRUNCATE $S.mainstem_checkpoints").await;
    }
    db.close().await;
}
