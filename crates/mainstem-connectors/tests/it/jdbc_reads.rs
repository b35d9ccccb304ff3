//! `jdbc` tables of a real PostgreSQL, read whole and asked by keys.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, Int64Array, StringArray, UInt32Array};
use mainstem_connectors::api::{Connector, Found, Lookup, LookupRequest, Position, SourceRequest};
use mainstem_connectors::format::validate_options;
use mainstem_connectors::jdbc::JDBC;
use mainstem_core::ingest::{Decoded, Payload};
use mainstem_core::table::{Column, FilterOp, Literal, ScanFilter, TableSpec};
use mainstem_core::{Batch, DataType, ErrorKind, Result, TypeKind};

use crate::jdbc::{Database, every_type, every_type_rows, said};
use crate::support::{Notices, column, environment, sink, table, unique, write};

fn declared(db: &Database, name: &str, columns: Vec<Column>, more: &[(&str, &str)]) -> TableSpec {
    let there = format!("{}.{name}", db.schema);
    let mut options = vec![("connector", "jdbc"), ("url", &*db.url), ("table-name", &*there)];
    options.extend_from_slice(more);
    table(name, columns, &options)
}

/// A lookup of all columns by some, as the planner would ask for it.
async fn asked(
    table: &TableSpec,
    keys: &[usize],
    filters: Vec<ScanFilter>,
    notices: &Arc<Notices>,
) -> Result<Box<dyn Lookup>> {
    validate_options(&table.options, JDBC.spec())?;
    let mut lookup = JDBC.lookup(LookupRequest {
        table: table.clone(),
        keys: keys.to_vec(),
        projection: (0..table.columns.len()).collect(),
        filters,
        environment: environment(notices),
    })?;
    lookup.open().await?;
    Ok(lookup)
}

/// The rows in the order of their keys, and those.
fn in_order(found: &Found) -> (Vec<u32>, Batch) {
    let mut order: Vec<u32> = (0..found.keys.len() as u32).collect();
    order.sort_by_key(|&row| found.keys[row as usize]);
    let keys = order.iter().map(|&row| found.keys[row as usize]).collect();
    (keys, found.rows.take(&UInt32Array::from(order)).unwrap())
}

fn longs(values: &[i64]) -> Batch {
    Batch::new(vec![Arc::new(Int64Array::from(values.to_vec())) as ArrayRef], values.len())
}

async fn read_all(table: &TableSpec, projection: &[usize]) -> Result<Batch> {
    let mut source = JDBC.source(SourceRequest {
        table: table.clone(),
        projection: projection.to_vec(),
        filters: Vec::new(),
        parallelism: 1,
        environment: environment(&Arc::default()),
    })?;
    let splits = source.discover().await?;
    assert_eq!((splits.len(), source.rediscover_ms()), (1, None));
    let mut reader = source.open(&splits[0], None).await?;
    let mut decoded = Decoded::default();
    while let Some(fetched) = reader.next().await? {
        assert!(matches!(&fetched.payload, Payload::Batch(batch) if batch.rows() <= 8192));
        source.decoder()?.decode(fetched.payload, 0, &mut decoded)?;
    }
    assert!(reader.next().await?.is_none(), "the end stays the end");
    let again = source.open(&splits[0], Some(&Position::default())).await;
    assert!(again.err().unwrap().to_string().contains("in part"));
    Ok(Batch::concat(&decoded.batches)?.unwrap_or_else(|| Batch::new(Vec::new(), 0)))
}

#[tokio::test]
async fn every_type_comes_back_as_it_was_written() {
    let Some(db) = Database::open().await else { return };
    let mut table = declared(&db, "every_type", every_type(), &[("sink.create", "true")]);
    table.primary_key = vec![3];
    let notices = Arc::new(Notices::default());
    let mut sink = sink(&JDBC, &table, &notices).unwrap();
    sink.open().await.unwrap();
    let written = every_type_rows();
    write(&mut sink, &written).await.unwrap();
    sink.close().await.unwrap();

    let lookup = asked(&table, &[3], Vec::new(), &notices).await.unwrap();
    let (keys, rows) = in_order(&lookup.find(&longs(&[1, 77, 2, i64::MAX])).await.unwrap());
    assert_eq!(keys, [0, 2, 3]);
    assert_eq!(rows.columns(), written.columns());
    assert_eq!(lookup.find(&longs(&[4, 5])).await.unwrap().rows.rows(), 0);

    let all: Vec<usize> = (0..table.columns.len()).collect();
    let mut read = read_all(&table, &all).await.unwrap();
    let by = read.column(3).as_primitive::<Int64Type>().values().to_vec();
    let mut order: Vec<u32> = (0..3).collect();
    order.sort_by_key(|&row| by[row as usize]);
    read = read.take(&UInt32Array::from(order)).unwrap();
    assert_eq!(read.columns(), written.columns());
    assert_eq!(read_all(&table, &[7]).await.unwrap().columns().len(), 1);

    // Each type is a key: the first row is found by each of its values, and NULLs by none.
    for (index, column) in table.columns.iter().enumerate() {
        let key = written.slice(0, 1).project(&[index]);
        let lookup = asked(&table, &[index], Vec::new(), &notices).await;
        if matches!(column.data_type.kind, TypeKind::Array(_)) {
            assert!(said(&lookup.err().unwrap()).contains("'numbers'"));
            continue;
        }
        let found = lookup.unwrap().find(&key).await.unwrap();
        assert_eq!(found.keys, [0], "{}", column.name);
        assert_eq!(found.rows.column(3).as_primitive::<Int64Type>().value(0), 1);
    }
    assert_eq!(notices.all(), Vec::<String>::new());
    db.close().await;
}

#[tokio::test]
async fn types_of_postgresql_are_read_as_the_table_declares_them() {
    let Some(db) = Database::open().await else { return };
    db.run(
        "CREATE SCHEMA $S; CREATE TYPE $S.mood AS ENUM ('fine', 'sad'); CREATE DOMAIN $S.code AS int;
         CREATE TABLE $S.odd (small smallint, wide bigint, price numeric, doc jsonb, id uuid, mood $S.mood, code $S.code,
                              flat char(6), at timestamptz, sharp timestamp, whole numeric, \"Mixed\" text);
         INSERT INTO $S.odd VALUES
           (7, 8, 12.345, '{\"a\": 1}', '00000000-0000-0000-0000-00000000002a', 'sad', 9, 'ab',
            '2024-07-01 12:00:00.123456+02', '2024-07-01 12:00:00.123999', 41, 'm'),
           (-1, 3, 99999999999, NULL, NULL, NULL, NULL, 'b', NULL, NULL, NULL, NULL)",
    )
    .await;
    let timestamp = || TypeKind::Timestamp { precision: 3 }.nullable();
    let columns = vec![
        column("small", TypeKind::BigInt.nullable()),
        column("wide", TypeKind::Int.nullable()),
        column("price", TypeKind::Decimal { precision: 10, scale: 2 }.nullable()),
        column("doc", DataType::string()),
        column("id", DataType::string()),
        column("mood", DataType::string()),
        column("code", TypeKind::BigInt.nullable()),
        column("flat", DataType::string()),
        column("at", timestamp()),
        column("sharp", timestamp()),
        column("whole", TypeKind::BigInt.nullable()),
        column("Mixed", DataType::string()),
    ];
    let table = declared(&db, "odd", columns, &[]);
    let notices = Arc::new(Notices::default());
    let text = |batch: &Batch, at: usize| batch.column(at).as_string::<i32>().value(0).to_owned();
    let strings = |value: &str| -> Batch {
        Batch::new(vec![Arc::new(StringArray::from(vec![value])) as ArrayRef], 1)
    };
    // By an enum, a UUID, a domain, and text that is padded in the table.
    let id = "00000000-0000-0000-0000-00000000002a";
    for (key, value) in [
        (5, strings("sad")),
        (4, strings(id)),
        (6, longs(&[9])),
        (7, strings("ab")),
        (0, longs(&[7])),
    ] {
        let lookup = asked(&table, &[key], Vec::new(), &notices).await.unwrap();
        let found = lookup.find(&value).await.unwrap();
        assert_eq!(found.keys, [0], "by {}", table.columns[key].name);
        let rows = found.rows;
        assert_eq!(rows.column(0).as_primitive::<Int64Type>().value(0), 7);
        assert_eq!(rows.column(1).as_primitive::<Int32Type>().value(0), 8);
        // Rounded half up.
        assert_eq!(rows.column(2).as_primitive::<Decimal128Type>().value(0), 1235);
        let texts =
            [text(&rows, 3), text(&rows, 4), text(&rows, 5), text(&rows, 7), text(&rows, 11)];
        assert_eq!(texts, ["{\"a\": 1}", id, "sad", "ab    ", "m"]);
        let ms = |at: usize| rows.column(at).as_primitive::<TimestampMillisecondType>().value(0);
        assert_eq!((ms(8), ms(9)), (1_719_828_000_123, 1_719_835_200_123));
        assert_eq!(rows.column(10).as_primitive::<Int64Type>().value(0), 41);
    }
    let lookup = asked(&table, &[0], Vec::new(), &notices).await.unwrap();
    let rows = lookup.find(&longs(&[-1])).await.unwrap().rows;
    // Too large for DECIMAL(10, 2), as in Flink.
    assert!((2..7).chain(8..12).all(|at| rows.column(at).is_null(0)));

    for (change, part) in [
        ("wide = 3000000000", "larger than the declared type"),
        ("price = 'NaN'", "NaN"),
        ("whole = 1.5", "fraction"),
        ("at = 'infinity'", "infinite"),
    ] {
        db.run(&format!("BEGIN; UPDATE $S.odd SET {change} WHERE small = 7; COMMIT")).await;
        let error = lookup.find(&longs(&[7])).await.unwrap_err();
        let name = change.split(' ').next().unwrap();
        assert!(said(&error).contains(part) && said(&error).contains(name), "{}", said(&error));
        db.run("UPDATE $S.odd SET wide = 8, price = 1, whole = 1, at = NULL WHERE small = 7").await;
    }
    db.close().await;
}

#[tokio::test]
async fn keys_of_several_columns_and_constants_find_all_their_rows() {
    let Some(db) = Database::open().await else { return };
    db.run(
        "CREATE SCHEMA $S; CREATE TABLE $S.prices (item bigint, currency text, kind text, amount int);
         INSERT INTO $S.prices SELECT item, c, k, item * 10 FROM generate_series(1, 500) AS item,
           unnest(ARRAY['EUR', 'it''s']) AS c, unnest(ARRAY['net', 'gross']) AS k",
    )
    .await;
    let columns = vec![
        column("item", TypeKind::BigInt.nullable()),
        column("currency", DataType::string()),
        column("kind", DataType::string()),
        column("amount", TypeKind::Int.nullable()),
    ];
    let table = declared(&db, "prices", columns, &[]);
    let notices = Arc::new(Notices::default());
    let items: ArrayRef = Arc::new(Int64Array::from_iter_values((0..1000).map(|n| n % 500 + 1)));
    let names = (0..1000).map(|n| ["EUR", "it's"][n / 500]);
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
    let keys = Batch::new(vec![names, items], 1000);
    let lookup = asked(&table, &[1, 0], Vec::new(), &notices).await.unwrap();
    let (found, rows) = in_order(&lookup.find(&keys).await.unwrap());
    assert_eq!(found, (0..1000).flat_map(|key| [key, key]).collect::<Vec<u32>>());
    let amounts = rows.column(3).as_primitive::<Int32Type>().values();
    assert!(found.iter().zip(amounts).all(|(key, amount)| *amount as u32 == (key % 500 + 1) * 10));

    let equals = |column: usize, literal: Literal| ScanFilter { column, op: FilterOp::Eq, literal };
    let net = equals(2, Literal::String("net".to_owned()));
    let lookup = asked(&table, &[1, 0], vec![net], &notices).await.unwrap();
    assert_eq!(lookup.find(&keys).await.unwrap().keys.len(), 1000);
    // By constants alone: one key without columns.
    let constants =
        vec![equals(1, Literal::String("it's".to_owned())), equals(3, Literal::Integer(50))];
    let lookup = asked(&table, &[], constants, &notices).await.unwrap();
    assert_eq!(lookup.find(&Batch::new(Vec::new(), 1)).await.unwrap().keys, [0, 0]);
    db.close().await;
}

#[tokio::test]
async fn a_table_that_does_not_fit_is_refused_before_the_first_question() {
    let Some(db) = Database::open().await else { return };
    db.run("CREATE SCHEMA $S").await;
    let columns =
        || vec![column("id", TypeKind::BigInt.nullable()), column("name", DataType::string())];
    let cases = [
        ("id bigint", "it has no column 'name'"),
        ("id bigint, name date", "column 'name' is STRING here and date there"),
        ("id text, name text", "column 'id' is BIGINT here and text there"),
    ];
    for (there, part) in cases {
        db.run(&format!("DROP TABLE IF EXISTS $S.t; CREATE TABLE $S.t ({there})")).await;
        let table = declared(&db, "t", columns(), &[]);
        let error = asked(&table, &[0], Vec::new(), &Arc::default()).await.err().unwrap();
        assert!(said(&error).contains(part), "{there}: {}", said(&error));
        let error = read_all(&table, &[0, 1]).await.unwrap_err();
        assert!(said(&error).contains(part), "{there}: {}", said(&error));
        assert_eq!(error.kind(), ErrorKind::User);
    }
    let table = declared(&db, "absent", columns(), &[]);
    let error = asked(&table, &[0], Vec::new(), &Arc::default()).await.err().unwrap();
    assert!(said(&error).contains("does not exist"), "{}", said(&error));
    let table = declared(&db, "t", columns(), &[("lookup.max-retries", "-1")]);
    let error = asked(&table, &[0], Vec::new(), &Arc::default()).await.err().unwrap();
    assert!(said(&error).contains("lookup.max-retries"), "{}", said(&error));
    db.close().await;
}

#[tokio::test]
async fn asks_again_when_its_connections_were_cut() {
    let Some(db) = Database::open().await else { return };
    db.run("CREATE SCHEMA $S; CREATE TABLE $S.t (id bigint); INSERT INTO $S.t SELECT generate_series(1, 99)")
        .await;
    let name = unique("app");
    let url = format!("{}&ApplicationName={name}", db.url);
    let columns = vec![column("id", TypeKind::BigInt.nullable())];
    let table = declared(&db, "t", columns, &[("url", &*url), ("lookup.max-retries", "1")]);
    let notices = Arc::new(Notices::default());
    let lookup = asked(&table, &[0], Vec::new(), &notices).await.unwrap();
    let (one, two) = (longs(&[1]), longs(&[2, 3]));
    let both = tokio::join!(lookup.find(&one), lookup.find(&two));
    assert_eq!((both.0.unwrap().keys, both.1.unwrap().rows.rows()), (vec![0], 2));
    let cut = format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = '{name}'"
    );
    assert_eq!(db.rows(&cut).await, ["t", "t"]);
    let both = tokio::join!(lookup.find(&one), lookup.find(&two));
    assert_eq!((both.0.unwrap().keys, both.1.unwrap().rows.rows()), (vec![0], 2));
    let said = notices.all();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("retrying") && said[1].contains("answers again"), "{said:?}");
    // What no retry mends fails at once.
    db.run("DROP TABLE $S.t").await;
    let error = lookup.find(&one).await.unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    assert_eq!(notices.all().len(), 2);
    db.close().await;
}

#[tokio::test]
async fn gives_up_after_the_retries_it_was_given() {
    let Some(db) = Database::open().await else { return };
    let options = [("url", "jdbc:postgresql://127.0.0.1:1/x?user=y"), ("lookup.max-retries", "1")];
    let table = declared(&db, "t", vec![column("id", TypeKind::BigInt.nullable())], &options);
    let notices = Arc::new(Notices::default());
    let error = asked(&table, &[0], Vec::new(), &notices).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.hint().unwrap().contains("2 attempts"), "{error:?}");
    assert_eq!(notices.all().len(), 1, "{:?}", notices.all());
}
