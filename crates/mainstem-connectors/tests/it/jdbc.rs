//! `jdbc` against a real PostgreSQL.

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int16Array, Int32Array, Int64Array, StringArray, Time32MillisecondArray,
    TimestampMicrosecondArray, TimestampMillisecondArray,
};
use mainstem_connectors::jdbc::JDBC;
use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{Batch, DataType, Error, ErrorKind, TypeKind};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_postgres::{Client, NoTls};

use crate::support::{Notices, column, service, sink, table, unique, write};

/// A schema of its own, removed at the end of the test.
pub(crate) struct Database {
    pub(crate) url: String,
    client: Client,
    pub(crate) schema: String,
}

impl Database {
    pub(crate) async fn open() -> Option<Self> {
        let url = service("MAINSTEM_TEST_POSTGRES")?;
        let plain = url.strip_prefix("jdbc:").expect("a JDBC URL");
        let (client, connection) = tokio_postgres::connect(plain, NoTls).await.unwrap();
        tokio::spawn(connection);
        let schema = unique("jdbc_it");
        Some(Self { url, client, schema })
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.client.batch_execute(&sql.replace("$S", &self.schema)).await.unwrap();
    }

    /// Rows as text, columns joined by bars.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<String> {
        let sql = sql.replace("$S", &self.schema);
        let messages = self.client.simple_query(&sql).await.unwrap();
        let mut found = Vec::new();
        for message in messages {
            if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                let cells = (0..row.len()).map(|i| row.get(i).unwrap_or("NULL").to_owned());
                found.push(cells.collect::<Vec<_>>().join("|"));
            }
        }
        found
    }

    pub(crate) async fn close(self) {
        self.run("DROP SCHEMA IF EXISTS $S CASCADE").await;
    }

    /// The table `people (id, name)` with more options.
    pub(crate) fn people(&self, key: bool, more: &[(&str, &str)]) -> TableSpec {
        let name = format!("{}.people", self.schema);
        let mut options = vec![("connector", "jdbc"), ("url", &*self.url), ("table-name", &*name)];
        options.extend_from_slice(more);
        let columns =
            vec![column("id", TypeKind::BigInt.with(!key)), column("name", DataType::string())];
        let mut table = table("people", columns, &options);
        table.primary_key = if key { vec![0] } else { Vec::new() };
        table
    }
}

trait With {
    fn with(self, nullable: bool) -> DataType;
}

impl With for TypeKind {
    fn with(self, nullable: bool) -> DataType {
        DataType { kind: self, nullable }
    }
}

pub(crate) fn people(rows: &[(i64, Option<&str>, i64)]) -> Batch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0)));
    let names: ArrayRef = Arc::new(rows.iter().map(|r| r.1).collect::<StringArray>());
    let weights = rows.iter().any(|r| r.2 != 1).then(|| rows.iter().map(|r| r.2).collect());
    Batch::with_weights(vec![ids, names], rows.len(), weights)
}

pub(crate) fn said(error: &Error) -> String {
    let parts = [Some(error.to_string()), error.detail().map(str::to_owned)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" / ")
}

/// A column of every type that PostgreSQL has one for.
pub(crate) fn every_type() -> Vec<Column> {
    vec![
        column("flag", TypeKind::Boolean.nullable()),
        column("small", TypeKind::SmallInt.nullable()),
        column("medium", TypeKind::Int.nullable()),
        column("Big", TypeKind::BigInt.not_null()),
        column("f", TypeKind::Float.nullable()),
        column("d", TypeKind::Double.nullable()),
        column("price", TypeKind::Decimal { precision: 12, scale: 3 }.nullable()),
        column("note", DataType::string()),
        column("short", TypeKind::Varchar { length: 5 }.nullable()),
        column("raw", TypeKind::BYTES.nullable()),
        column("day", TypeKind::Date.nullable()),
        column("hour", TypeKind::Time { precision: 0 }.nullable()),
        column("at", TypeKind::Timestamp { precision: 3 }.nullable()),
        column("instant", TypeKind::TimestampLtz { precision: 6 }.nullable()),
        column("numbers", TypeKind::Array(Box::new(TypeKind::Int.nullable())).nullable()),
    ]
}

/// Three rows for [`every_type`]: plain values, NULLs, extremes.
pub(crate) fn every_type_rows() -> Batch {
    let mut numbers = ListBuilder::new(Int32Builder::new());
    numbers.append_value([Some(1), None, Some(-3)]);
    numbers.append_null();
    numbers.append_value([]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        Arc::new(Int16Array::from(vec![Some(-7), None, Some(i16::MIN)])),
        Arc::new(Int32Array::from(vec![Some(8), None, Some(i32::MAX)])),
        Arc::new(Int64Array::from(vec![1, 2, i64::MAX])),
        Arc::new(Float32Array::from(vec![Some(1.5), None, Some(-0.25)])),
        Arc::new(Float64Array::from(vec![Some(0.1), None, Some(1e300)])),
        Arc::new(
            Decimal128Array::from(vec![Some(-1_234_567_005), None, Some(5)])
                .with_precision_and_scale(12, 3)
                .unwrap(),
        ),
        Arc::new(StringArray::from(vec![Some("naïve"), None, Some("")])),
        Arc::new(StringArray::from(vec![Some("abcde"), None, Some("x")])),
        Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\x00\xff"), None, Some(b"")])),
        Arc::new(Date32Array::from(vec![Some(0), None, Some(19_000)])),
        Arc::new(Time32MillisecondArray::from(vec![Some(3_661_000), None, Some(0)])),
        Arc::new(TimestampMillisecondArray::from(vec![Some(1_700_000_000_123), None, Some(-1)])),
        Arc::new(
            TimestampMicrosecondArray::from(vec![Some(1_700_000_000_123_456), None, Some(0)])
                .with_timezone("UTC"),
        ),
        Arc::new(numbers.finish()),
    ];
    Batch::new(columns, 3)
}

#[tokio::test]
async fn creates_schema_and_table_and_writes_every_type() {
    let Some(db) = Database::open().await else { return };
    let name = format!("{}.every_type", db.schema);
    let options =
        [("connector", "jdbc"), ("url", &*db.url), ("table-name", &*name), ("sink.create", "true")];
    let mut table = table("every_type", every_type(), &options);
    table.primary_key = vec![3];
    let notices = Arc::new(Notices::default());
    let mut sink = sink(&JDBC, &table, &notices).unwrap();
    sink.open().await.unwrap();
    write(&mut sink, &every_type_rows()).await.unwrap();
    sink.close().await.unwrap();
    db.run("SET TIME ZONE 'UTC'").await;
    let rows = db.rows("SELECT * FROM $S.every_type ORDER BY big").await;
    assert_eq!(
        rows,
        [
            "t|-7|8|1|1.5|0.1|-1234567.005|naïve|abcde|\\x00ff|1970-01-01|01:01:01|\
             2023-11-14 22:13:20.123|2023-11-14 22:13:20.123456+00|{1,NULL,-3}",
            "NULL|NULL|NULL|2|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL",
            "f|-32768|2147483647|9223372036854775807|-0.25|1e+300|0.005||x|\\x|2022-01-08|00:00:00|\
             1969-12-31 23:59:59.999|1970-01-01 00:00:00+00|{}",
        ]
    );
    let types = db
        .rows(
            "SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum) \
             FROM pg_attribute WHERE attrelid = '$S.every_type'::regclass AND attnum > 0",
        )
        .await;
    assert_eq!(
        types,
        ["boolean, smallint, integer, bigint, real, double precision, numeric(12,3), text, \
          character varying(5), bytea, date, time(0) without time zone, \
          timestamp(3) without time zone, timestamp(6) with time zone, integer[]"]
    );
    db.close().await;
}

#[tokio::test]
async fn appends_in_batches() {
    let Some(db) = Database::open().await else { return };
    let table =
        db.people(false, &[("sink.create", "true"), ("sink.buffer-flush.max-rows", "1000")]);
    let notices = Arc::new(Notices::default());
    let mut sink = sink(&JDBC, &table, &notices).unwrap();
    sink.open().await.unwrap();
    let ids: Vec<i64> = (0..25_300).collect();
    for chunk in ids.chunks(2_600) {
        let rows: Vec<_> = chunk.iter().map(|&id| (id, Some("someone"), 1)).collect();
        write(&mut sink, &people(&rows)).await.unwrap();
    }
    sink.flush().await.unwrap();
    let sql = "SELECT count(*), count(DISTINCT id), max(id) FROM $S.people";
    assert_eq!(db.rows(sql).await, ["25300|25300|25299"]);
    let sql =
        "SELECT max(n) FROM (SELECT count(*) AS n FROM $S.people GROUP BY xmin::text) AS batches";
    assert_eq!(db.rows(sql).await, ["1000"]);
    // No row has weight -1 here; one of weight 2 is two rows.
    write(&mut sink, &people(&[(7, None, 2)])).await.unwrap();
    sink.close().await.unwrap();
    assert_eq!(db.rows("SELECT count(*) FROM $S.people WHERE name IS NULL").await, ["2"]);
    db.close().await;
}

#[tokio::test]
async fn upserts_and_deletes_by_key() {
    let Some(db) = Database::open().await else { return };
    let table = db.people(true, &[("sink.create", "true")]);
    let notices = Arc::new(Notices::default());
    let mut sink = sink(&JDBC, &table, &notices).unwrap();
    sink.open().await.unwrap();
    write(&mut sink, &people(&[(1, Some("a"), 1), (2, Some("b"), 1), (3, None, 1)])).await.unwrap();
    // Later steps win over earlier ones of the same transaction.
    write(&mut sink, &people(&[(1, Some("a2"), 1), (3, None, -1), (4, Some("d"), 1)]))
        .await
        .unwrap();
    sink.flush().await.unwrap();
    let all = "SELECT id, name FROM $S.people ORDER BY id";
    assert_eq!(db.rows(all).await, ["1|a2", "2|b", "4|d"]);
    write(&mut sink, &people(&[(4, None, -1), (2, None, 1), (9, None, -1)])).await.unwrap();
    write(&mut sink, &people(&[(4, Some("again"), 1)])).await.unwrap();
    sink.close().await.unwrap();
    assert_eq!(db.rows(all).await, ["1|a2", "2|NULL", "4|again"]);
    assert_eq!(notices.all(), Vec::<String>::new());
    db.close().await;
}

#[tokio::test]
async fn says_what_differs_before_the_first_row() {
    let Some(db) = Database::open().await else { return };
    db.run("CREATE SCHEMA $S").await;
    let cases: &[(&str, bool, &[&str])] = &[
        ("id integer, name text", false, &["column 'id' is BIGINT here and integer there"]),
        ("id bigint", false, &["it has no column 'name'"]),
        ("id bigint, name text", true, &["no primary key or unique index on (id)"]),
        (
            "id bigint, name date, must text NOT NULL",
            true,
            &[
                "column 'name' is STRING here and date there",
                "its column 'must' is NOT NULL without a default",
                "no primary key or unique index on (id)",
            ],
        ),
        (
            "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text",
            true,
            &["its column 'id' is generated"],
        ),
        ("id bigint PRIMARY KEY, name varchar(3), more int DEFAULT 1", true, &[]),
        ("id numeric UNIQUE, name jsonb", true, &[]),
    ];
    for (columns, key, expected) in cases {
        db.run(&format!("DROP TABLE IF EXISTS $S.people; CREATE TABLE $S.people ({columns})"))
            .await;
        let mut sink = sink(&JDBC, &db.people(*key, &[]), &Arc::default()).unwrap();
        let opened = sink.open().await;
        let text = opened.as_ref().err().map(said).unwrap_or_default();
        assert_eq!(opened.is_ok(), expected.is_empty(), "{columns}: {text}");
        for part in *expected {
            assert!(text.contains(part), "{columns}: {text}");
        }
    }
    db.run("DROP TABLE $S.people").await;
    let error = sink(&JDBC, &db.people(false, &[]), &Arc::default()).unwrap().open().await;
    let error = error.unwrap_err();
    assert!(said(&error).contains("does not exist"), "{}", said(&error));
    assert!(error.hint().unwrap().contains("sink.create"));
    db.close().await;
}

#[tokio::test]
async fn shows_the_row_that_is_refused_and_writes_nothing() {
    let Some(db) = Database::open().await else { return };
    db.run("CREATE SCHEMA $S").await;
    let cases = [
        ("id bigint, name varchar(5)", false, "too long", "far too long"),
        (
            "id bigint PRIMARY KEY, name text CHECK (name <> 'forbidden')",
            true,
            "check",
            "forbidden",
        ),
        ("id bigint, name text", false, "0x00", "a\0b"),
        ("id bigint PRIMARY KEY, name jsonb", true, "json", "{no json"),
        ("id bigint, name uuid", false, "insufficient data", "no uuid"),
    ];
    for (columns, key, message, value) in cases {
        db.run(&format!("DROP TABLE IF EXISTS $S.people; CREATE TABLE $S.people ({columns})"))
            .await;
        let good = if columns.contains("json") { Some("1") } else { None };
        let rows: Vec<_> =
            (0..1000).map(|id| (id, if id == 617 { Some(value) } else { good }, 1)).collect();
        let mut failing = sink(&JDBC, &db.people(key, &[]), &Arc::default()).unwrap();
        failing.open().await.unwrap();
        write(&mut failing, &people(&rows)).await.unwrap();
        let error = failing.flush().await.unwrap_err();
        let text = said(&error);
        assert_eq!(error.kind(), ErrorKind::User, "{text}");
        assert!(text.contains(message) && text.contains("id = 617, name = "), "{columns}: {text}");
        assert!(!text.contains("password"), "{text}");
        assert_eq!(db.rows("SELECT count(*) FROM $S.people").await, ["0"], "{columns}");

        let notices = Arc::new(Notices::default());
        let options = [("mainstem.bad-records", "skip")];
        let mut skipping = sink(&JDBC, &db.people(key, &options), &notices).unwrap();
        skipping.open().await.unwrap();
        write(&mut skipping, &people(&rows)).await.unwrap();
        skipping.close().await.unwrap();
        assert_eq!(db.rows("SELECT count(*) FROM $S.people").await, ["999"], "{columns}");
        let said = notices.all();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("left out 1 row") && said[0].contains("id = 617"), "{said:?}");
    }
    db.close().await;
}

#[tokio::test]
async fn goes_on_after_its_connection_was_cut() {
    let Some(db) = Database::open().await else { return };
    let name = unique("app");
    let mut table = db.people(true, &[("sink.create", "true")]);
    let url = format!("{}&ApplicationName={name}", db.url);
    table.options.insert("url".to_owned(), url);
    let notices = Arc::new(Notices::default());
    let mut sink = sink(&JDBC, &table, &notices).unwrap();
    sink.open().await.unwrap();
    write(&mut sink, &people(&[(1, Some("before"), 1)])).await.unwrap();
    sink.flush().await.unwrap();
    let cut = format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = '{name}'"
    );
    assert_eq!(db.rows(&cut).await, ["t"]);
    write(&mut sink, &people(&[(2, Some("after"), 1)])).await.unwrap();
    sink.close().await.unwrap();
    assert_eq!(
        db.rows("SELECT id, name FROM $S.people ORDER BY id").await,
        ["1|before", "2|after"]
    );
    let said = notices.all();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("retrying") && said[1].contains("answers again"), "{said:?}");
    db.close().await;
}

/// Carries bytes from a port of its own to the real server.
async fn forward(listener: TcpListener, to: String) {
    while let Ok((mut inward, _)) = listener.accept().await {
        let mut outward = TcpStream::connect(&to).await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut inward, &mut outward).await });
    }
}

#[tokio::test]
async fn waits_for_a_database_that_is_down_at_the_start() {
    let Some(db) = Database::open().await else { return };
    // Bound but not listening: connections are refused, and the port stays ours.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap();
    let rest = db.url.strip_prefix("jdbc:postgresql://").unwrap();
    let (server, rest) = rest.split_once('/').unwrap();
    let mut table = db.people(false, &[("sink.create", "true")]);
    table.options.insert("url".to_owned(), format!("jdbc:postgresql://{port}/{rest}"));
    let notices = Arc::new(Notices::default());
    let mut sink = sink(&JDBC, &table, &notices).unwrap();
    let opening = tokio::spawn(async move { sink.open().await.map(|()| sink) });
    notices.wait_for("cannot reach PostgreSQL").await;
    let forwarder = tokio::spawn(forward(socket.listen(64).unwrap(), server.to_owned()));
    let mut sink = opening.await.unwrap().unwrap();
    write(&mut sink, &people(&[(1, None, 1)])).await.unwrap();
    sink.close().await.unwrap();
    assert_eq!(notices.all().len(), 2, "{:?}", notices.all());
    forwarder.abort();
    db.close().await;
}

#[tokio::test]
async fn refuses_at_once_what_waiting_cannot_mend() {
    let Some(db) = Database::open().await else { return };
    let cases = [
        ("password", "wrong", "authentication failed"),
        ("username", "nobody_such", "refused the connection"),
    ];
    for (option, value, part) in cases {
        let table = db.people(false, &[(option, value)]);
        let error = sink(&JDBC, &table, &Arc::default()).unwrap().open().await.unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(!said(&error).contains(value) || option == "username", "{}", said(&error));
    }
    let table = db.people(
        false,
        &[("sink.max-retries", "1"), ("url", "jdbc:postgresql://127.0.0.1:1/x?user=y")],
    );
    let error = sink(&JDBC, &table, &Arc::default()).unwrap().open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    db.close().await;
}
