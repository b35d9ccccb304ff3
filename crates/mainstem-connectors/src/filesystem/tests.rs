//! Tests of the filesystem connector on a temporary directory: which files, which records, what is written.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use mainstem_core::clock::ManualClock;
use mainstem_core::egress::{ChangelogMode, Encoded};
use mainstem_core::ingest::{Decoded, Payload};
use mainstem_core::table::{Column, FilterOp, Literal, Options, ScanFilter, TableSpec};
use mainstem_core::{DataType, ErrorKind, TypeKind};

use super::*;
use crate::api::{Environment, Position};
use crate::format::rows_text;
use crate::notices::{self, Notices};

fn environment(base: &Path) -> (Environment, Arc<Notices>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(1_000));
    let (environment, notices) = notices::environment(base, Arc::<ManualClock>::clone(&clock));
    (environment, notices, clock)
}

pub(super) fn column(name: &str, kind: TypeKind) -> Column {
    Column { name: name.into(), data_type: kind.nullable(), metadata_key: None }
}

pub(super) fn metadata(name: &str, kind: TypeKind) -> Column {
    Column { name: name.into(), data_type: kind.not_null(), metadata_key: Some(name.into()) }
}

pub(super) fn table(
    options: &[(&str, &str)],
    columns: Vec<Column>,
    partition_keys: Vec<usize>,
) -> TableSpec {
    TableSpec {
        name: "t".into(),
        columns,
        primary_key: vec![],
        partition_keys,
        options: options.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect::<Options>(),
    }
}

fn two_columns() -> Vec<Column> {
    vec![column("a", TypeKind::Int), column("b", TypeKind::STRING)]
}

pub(super) fn request(base: &Path, table: &TableSpec) -> SourceRequest {
    SourceRequest {
        projection: (0..table.columns.len()).collect(),
        table: table.clone(),
        filters: vec![],
        parallelism: 1,
        environment: environment(base).0,
    }
}

pub(super) fn types(table: &TableSpec) -> Vec<DataType> {
    table.columns.iter().map(|c| c.data_type.clone()).collect()
}

/// Everything that a source brings, split after split.
async fn drain(request: SourceRequest) -> Result<(Vec<String>, Decoded)> {
    let table = request.table.clone();
    let projected: Vec<DataType> =
        request.projection.iter().map(|i| types(&table)[*i].clone()).collect();
    let mut source = FILESYSTEM.source(request)?;
    let mut decoder = source.decoder()?;
    let mut out = Decoded::default();
    for split in source.discover().await? {
        let mut reader = source.open(&split, None).await?;
        while let Some(fetched) = reader.next().await? {
            decoder.decode(fetched.payload, 0, &mut out)?;
        }
    }
    let rows = out.batches.iter().flat_map(|b| rows_text(b, &projected)).collect();
    Ok((rows, out))
}

async fn read(base: &Path, table: &TableSpec) -> Result<Vec<String>> {
    drain(request(base, table)).await.map(|(rows, _)| rows)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn files_directories_and_globs_are_read_in_order() {
    let base = tempfile::tempdir().unwrap();
    let data = base.path().join("data");
    fs::create_dir_all(data.join("deep")).unwrap();
    fs::create_dir_all(data.join("_hidden")).unwrap();
    fs::write(data.join("b.csv"), "2,b\n").unwrap();
    fs::write(data.join("a.csv"), "\u{feff}1,a").unwrap();
    fs::write(data.join("deep/c.csv.gz"), gzip("3,\"c\nc\"\n")).unwrap();
    fs::write(data.join("deep/d.csv.zst"), zstd::encode_all(&b"4,d\n"[..], 0).unwrap()).unwrap();
    fs::write(data.join(".e.csv"), "5,e\n").unwrap();
    fs::write(data.join("_f.csv"), "6,f\n").unwrap();
    fs::write(data.join("_hidden/g.csv"), "7,g\n").unwrap();
    let all = ["+I[1, a]", "+I[2, b]", "+I[3, c\nc]", "+I[4, d]"];
    let absolute = format!("file://{}", data.display());
    for (path, pattern, expected) in [
        ("data", ".*", &all[..]),
        (absolute.as_str(), ".*", &all[..]),
        ("data/*", ".*", &all[..]),
        ("data/*.csv", ".*", &all[..2]),
        ("data/b.csv", ".*", &all[1..2]),
        ("data", ".*/deep/.*", &all[2..]),
    ] {
        let options = [("path", path), ("format", "csv"), ("source.path.regex-pattern", pattern)];
        let table = table(&options, two_columns(), vec![]);
        assert_eq!(read(base.path(), &table).await.unwrap(), expected, "{path}");
    }
}

#[tokio::test]
async fn bad_records_are_refused_with_file_and_line() {
    let base = tempfile::tempdir().unwrap();
    let text = "\u{feff}{\"a\":1,\"b\":\"x\"}\n\n{\"a\":\"y\"}\n{\"a\":2";
    fs::write(base.path().join("a.jsonl"), text).unwrap();
    for (policy, bad) in [("fail", Some("a.jsonl, line 3")), ("skip", None)] {
        let options = [("path", "*.jsonl"), ("format", "json"), ("mainstem.bad-records", policy)];
        let table = table(&options, two_columns(), vec![]);
        let read = drain(request(base.path(), &table)).await;
        match bad {
            Some(place) => {
                let error = read.unwrap_err();
                assert!(error.to_string().contains(place), "{error}");
                assert_eq!(error.kind(), ErrorKind::User);
            }
            None => {
                let (rows, out) = read.unwrap();
                assert_eq!(rows, ["+I[1, x]"]);
                assert_eq!(out.skipped, 2);
            }
        }
    }
    fs::write(base.path().join("b.txt"), "ok\ntoo long\n").unwrap();
    let options = [("path", "b.txt"), ("format", "raw"), ("mainstem.record-bytes-max", "5")];
    let table = table(&options, vec![column("line", TypeKind::STRING)], vec![]);
    let error = read(base.path(), &table).await.unwrap_err().to_string();
    assert!(error.contains("b.txt, line 2") && error.contains("record-bytes-max"), "{error}");
}

#[tokio::test]
async fn missing_and_broken_files_are_named() {
    let base = tempfile::tempdir().unwrap();
    fs::write(base.path().join("x.csv.gz"), "not gzip").unwrap();
    fs::write(base.path().join("x.csv.bz2"), "").unwrap();
    fs::write(base.path().join("x.parquet"), "not parquet").unwrap();
    fs::write(base.path().join("empty.parquet"), "").unwrap();
    for (path, format, expected) in [
        ("gone.csv", "csv", "file or directory 'gone.csv' does not exist"),
        ("gone/*.csv", "csv", "no file matches 'gone/*.csv'"),
        ("x.csv.gz", "csv", "file 'x.csv.gz' cannot be read"),
        ("x.csv.bz2", "csv", "file 'x.csv.bz2' has a compression that is not supported"),
        ("x.parquet", "parquet", "file 'x.parquet' cannot be read as parquet"),
        ("empty.parquet", "parquet", "file 'empty.parquet' is empty"),
        ("s3://bucket/x", "csv", "option 'path' has the scheme 's3'"),
        ("x.csv", "cvs", "unknown format 'cvs'"),
    ] {
        let table = table(&[("path", path), ("format", format)], two_columns(), vec![]);
        let error = read(base.path(), &table).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{path}: {error}");
        assert_eq!(error.kind(), ErrorKind::User);
    }
}

#[tokio::test]
async fn a_file_that_vanishes_is_an_error_or_a_notice() {
    for (monitored, expected) in [(false, None), (true, Some(1))] {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("a.csv"), "1,a\n").unwrap();
        let mut options = vec![("path", "."), ("format", "csv")];
        if monitored {
            options.push(("source.monitor-interval", "1 s"));
        }
        let table = table(&options, two_columns(), vec![]);
        let (environment, notices, _) = environment(base.path());
        let mut source = FILESYSTEM
            .source(SourceRequest { environment, ..request(base.path(), &table) })
            .unwrap();
        assert_eq!(source.rediscover_ms(), monitored.then_some(1_000));
        let splits = source.discover().await.unwrap();
        fs::remove_file(base.path().join("a.csv")).unwrap();
        let mut reader = source.open(&splits[0], None).await.unwrap();
        let read = reader.next().await;
        match expected {
            None => {
                let error = read.unwrap_err();
                assert!(
                    error.to_string().contains("a.csv' vanished before it was read"),
                    "{error}"
                );
                assert_eq!(error.kind(), ErrorKind::User);
            }
            Some(count) => {
                assert!(read.unwrap().is_none());
                assert!(reader.next().await.unwrap().is_none());
                assert_eq!(notices.all().len(), count);
                fs::write(base.path().join("b.csv"), "2,b\n").unwrap();
                assert_eq!(source.discover().await.unwrap().len(), 2);
            }
        }
    }
}

#[tokio::test]
async fn reading_goes_on_from_every_position() {
    let base = tempfile::tempdir().unwrap();
    let mut text = String::from("\u{feff}");
    let mut expected = Vec::new();
    for i in 0..60_000 {
        let b = format!("{}-{i}", "x".repeat(i % 90));
        text += &format!("{i},\"{b}\n{b}\"\n");
        expected.push(format!("+I[{i}, {b}\n{b}]"));
    }
    fs::write(base.path().join("a.csv"), &text).unwrap();
    fs::write(base.path().join("a.csv.gz"), gzip(&text)).unwrap();
    for path in ["a.csv", "a.csv.gz"] {
        let table = table(&[("path", path), ("format", "csv")], two_columns(), vec![]);
        let mut source = FILESYSTEM.source(request(base.path(), &table)).unwrap();
        let mut decoder = source.decoder().unwrap();
        let split = source.discover().await.unwrap().remove(0);
        let mut position: Option<Position> = None;
        let mut rows = Vec::new();
        loop {
            // A new reader for each piece: what a restart does.
            let mut reader = source.open(&split, position.as_ref()).await.unwrap();
            let Some(fetched) = reader.next().await.unwrap() else { break };
            position = Some(fetched.position);
            if let Payload::Lines(lines) = &fetched.payload {
                assert_eq!(lines.first_line.get(), Some(rows.len() as u64 * 2 + 1));
            }
            let mut out = Decoded::default();
            decoder.decode(fetched.payload, 0, &mut out).unwrap();
            rows.extend(out.batches.iter().flat_map(|b| rows_text(b, &types(&table))));
        }
        assert!(rows == expected, "{path}");
    }
}

#[tokio::test]
async fn a_line_of_100_mb_is_refused_in_bounded_memory() {
    let base = tempfile::tempdir().unwrap();
    let mut file = fs::File::create(base.path().join("a.csv")).unwrap();
    file.write_all(b"1,a\n2,").unwrap();
    let block = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        file.write_all(&block).unwrap();
    }
    file.write_all(b"\n3,c\n").unwrap();
    drop(file);
    for (policy, path) in [("skip", None), ("dead-letter", Some("bad.jsonl")), ("fail", None)] {
        let mut options =
            vec![("path", "a.csv"), ("format", "csv"), ("mainstem.bad-records", policy)];
        options.extend(path.map(|p| ("mainstem.dead-letter.path", p)));
        let table = table(&options, two_columns(), vec![]);
        let mut source = FILESYSTEM.source(request(base.path(), &table)).unwrap();
        let split = source.discover().await.unwrap().remove(0);
        let mut reader = source.open(&split, None).await.unwrap();
        let mut decoder = source.decoder().unwrap();
        let mut out = Decoded::default();
        let mut result = Ok(());
        while let Some(fetched) = reader.next().await.unwrap() {
            assert!(fetched.payload.size_bytes() <= 2 << 20, "{}", fetched.payload.size_bytes());
            result = result.and(decoder.decode(fetched.payload, 0, &mut out));
        }
        let rows: Vec<String> =
            out.batches.iter().flat_map(|b| rows_text(b, &types(&table))).collect();
        assert_eq!(rows, ["+I[1, a]", "+I[3, c]"]);
        match policy {
            "fail" => {
                let error = result.unwrap_err().to_string();
                assert!(error.contains("a.csv, line 2"), "{error}");
                assert!(error.contains("the record has 104857603 bytes"), "{error}");
            }
            _ => {
                result.unwrap();
                assert_eq!((out.records, out.skipped), (3, 1));
                assert_eq!(out.dead_letters.len(), usize::from(path.is_some()));
            }
        }
    }
}

#[tokio::test]
async fn partitions_and_metadata_come_from_the_place() {
    let base = tempfile::tempdir().unwrap();
    let root = base.path();
    for (directory, text) in
        [("day=2024-01-01/n=1", "1,a\n"), ("day=2024-01-02/n=__DEFAULT_PARTITION__", "2,b\n3,c\n")]
    {
        fs::create_dir_all(root.join("data").join(directory)).unwrap();
        fs::write(root.join("data").join(directory).join("f.csv"), text).unwrap();
    }
    let columns = vec![
        column("day", TypeKind::Date),
        column("a", TypeKind::Int),
        column("n", TypeKind::BigInt),
        column("b", TypeKind::STRING),
        metadata("file.name", TypeKind::STRING),
        metadata("file.size", TypeKind::BigInt),
    ];
    let table = table(&[("path", "data"), ("format", "csv")], columns, vec![0, 2]);
    assert_eq!(
        read(root, &table).await.unwrap(),
        [
            "+I[2024-01-01, 1, 1, a, f.csv, 4]",
            "+I[2024-01-02, 2, null, b, f.csv, 8]",
            "+I[2024-01-02, 3, null, c, f.csv, 8]",
        ]
    );
    let filters = vec![ScanFilter { column: 2, op: FilterOp::Eq, literal: Literal::Integer(1) }];
    let filtered = SourceRequest { filters, projection: vec![3, 2], ..request(root, &table) };
    assert_eq!(drain(filtered).await.unwrap().0, ["+I[a, 1]"]);
    fs::write(root.join("data/stray.csv"), "9,z\n").unwrap();
    let error = read(root, &table).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "file 'data/stray.csv' is in no directory 'day=...', by which its table is partitioned"
    );
}

fn sink_request(base: &Path, table: &TableSpec) -> (SinkRequest, Arc<ManualClock>) {
    let (environment, _, clock) = environment(base);
    let changelog = ChangelogMode::AppendOnly;
    (SinkRequest { table: table.clone(), changelog, environment }, clock)
}

/// Rows of a table, made by reading CSV.
async fn rows_of(base: &Path, columns: Vec<Column>, csv: &str) -> mainstem_core::Batch {
    fs::write(base.join("_rows.csv"), csv).unwrap();
    let options = [("path", "_rows.csv"), ("format", "csv"), ("csv.null-literal", "NULL")];
    let (_, out) = drain(request(base, &table(&options, columns, vec![]))).await.unwrap();
    mainstem_core::Batch::concat(&out.batches).unwrap().unwrap()
}

fn visible_files(directory: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            names.extend(visible_files(&path).iter().map(|n| format!("{name}/{n}")));
        } else if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    names
}

async fn write(sink: &mut Box<dyn Sink>, batch: &mainstem_core::Batch) {
    let encoded: Encoded = sink.encoder().unwrap().encode(batch).unwrap();
    sink.write(encoded).await.unwrap();
}

#[tokio::test]
async fn what_is_written_is_read_back_in_every_layout() {
    for (path, format, compression) in [
        ("out", "csv", "none"),
        ("out", "csv", "gzip"),
        ("out", "csv", "zstd"),
        ("out", "parquet", "none"),
        ("out.csv", "csv", "none"),
        ("out.csv.gz", "csv", "none"),
        ("out.parquet", "parquet", "none"),
    ] {
        let base = tempfile::tempdir().unwrap();
        let columns = vec![
            column("a", TypeKind::Int),
            column("b", TypeKind::STRING),
            column("c", TypeKind::Decimal { precision: 10, scale: 2 }),
            column("d", TypeKind::Timestamp { precision: 3 }),
        ];
        let batch = rows_of(
            base.path(),
            columns.clone(),
            "1,\"a,\n\",1.50,2024-01-01 00:00:00.1\n2,b,NULL,NULL\n",
        )
        .await;
        let options = [
            ("path", path),
            ("format", format),
            ("mainstem.compression", compression),
            ("csv.null-literal", "NULL"),
        ];
        let table = table(&options, columns, vec![]);
        let (request, _) = sink_request(base.path(), &table);
        let mut sink = FILESYSTEM.sink(request).unwrap();
        sink.open().await.unwrap();
        write(&mut sink, &batch).await;
        sink.flush().await.unwrap();
        let finished = |n: &String| n.starts_with("out");
        assert!(!visible_files(base.path()).iter().any(finished), "nothing unfinished is visible");
        sink.close().await.unwrap();
        assert_eq!(visible_files(base.path()).iter().filter(|n| finished(n)).count(), 1);
        let rows = read(base.path(), &table).await.unwrap();
        assert_eq!(rows, rows_text(&batch, &types(&table)), "{path} {format} {compression}");
    }
}

#[tokio::test]
async fn partitioned_rows_go_into_their_directories() {
    for format in ["csv", "parquet"] {
        let base = tempfile::tempdir().unwrap();
        let columns = vec![
            column("a", TypeKind::Int),
            column("day", TypeKind::Date),
            column("city", TypeKind::STRING),
        ];
        let csv =
            "1,2024-01-01,São Paulo\n2,2024-01-02,a/b\n3,2024-01-01,NULL\n4,2024-01-01,São Paulo\n";
        let batch = rows_of(base.path(), columns.clone(), csv).await;
        let options = [
            ("path", "out"),
            ("format", format),
            ("sink.partition-commit.policy.kind", "success-file"),
        ];
        let table = table(&options, columns, vec![1, 2]);
        let mut sink = FILESYSTEM.sink(sink_request(base.path(), &table).0).unwrap();
        sink.open().await.unwrap();
        write(&mut sink, &batch).await;
        sink.close().await.unwrap();
        let files = visible_files(&base.path().join("out"));
        let directories: Vec<&str> =
            files.iter().filter_map(|f| f.strip_suffix("/_SUCCESS")).collect();
        assert_eq!(
            directories,
            [
                "day=2024-01-01/city=São Paulo",
                "day=2024-01-01/city=__DEFAULT_PARTITION__",
                "day=2024-01-02/city=a%2Fb"
            ]
        );
        let mut rows = read(base.path(), &table).await.unwrap();
        rows.sort();
        assert_eq!(rows, rows_text(&batch, &types(&table)), "{format}");
    }
}

#[tokio::test]
async fn rows_of_a_directory_keep_their_order() {
    let base = tempfile::tempdir().unwrap();
    let columns = vec![
        column("a", TypeKind::Int),
        column("x", TypeKind::STRING),
        column("y", TypeKind::STRING),
    ];
    // NULL and nothing are one directory; values side by side say nothing.
    let csv = "1,a,bc\n2,ab,c\n3,a,bc\n4,NULL,z\n5,,z\n6,NULL,z\n7,ab,c\n";
    let batch = rows_of(base.path(), columns.clone(), csv).await;
    let table = table(&[("path", "out"), ("format", "csv")], columns, vec![1, 2]);
    let mut sink = FILESYSTEM.sink(sink_request(base.path(), &table).0).unwrap();
    sink.open().await.unwrap();
    write(&mut sink, &batch).await;
    sink.close().await.unwrap();
    let files = visible_files(&base.path().join("out"));
    let texts = files.iter().map(|file| {
        let folder = file.rsplit_once('/').unwrap().0;
        format!("{folder}: {}", fs::read_to_string(base.path().join("out").join(file)).unwrap())
    });
    assert_eq!(
        texts.collect::<Vec<_>>(),
        ["x=__DEFAULT_PARTITION__/y=z: 4\n5\n6\n", "x=a/y=bc: 1\n3\n", "x=ab/y=c: 2\n7\n"]
    );
}

#[tokio::test]
async fn part_files_roll_by_size_and_age() {
    let base = tempfile::tempdir().unwrap();
    let options = [
        ("path", "out"),
        ("format", "csv"),
        ("sink.rolling-policy.file-size", "8"),
        ("sink.rolling-policy.rollover-interval", "10 s"),
    ];
    let table = table(&options, two_columns(), vec![]);
    let one = rows_of(base.path(), two_columns(), "1,a\n").await;
    let (request, clock) = sink_request(base.path(), &table);
    let mut sink = FILESYSTEM.sink(request).unwrap();
    sink.open().await.unwrap();
    let out = base.path().join("out");
    let mut counts = Vec::new();
    for (now_ms, writes) in [(1_000, 1), (2_000, 1), (3_000, 1), (12_999, 0), (13_000, 0)] {
        clock.set(now_ms);
        for _ in 0..writes {
            write(&mut sink, &one).await;
        }
        sink.flush().await.unwrap();
        counts.push(visible_files(&out).len());
    }
    assert_eq!(counts, [0, 1, 1, 1, 2]);
    sink.close().await.unwrap();
    let names = visible_files(&out);
    assert!(names[0].starts_with("part-") && names[0].ends_with("-0-0.csv"), "{names:?}");
    assert_eq!(read(base.path(), &table).await.unwrap(), ["+I[1, a]"; 3]);
}

#[test]
fn wrong_sinks_are_refused() {
    let base = tempfile::tempdir().unwrap();
    for (options, columns, keys, expected) in [
        (
            vec![("path", "x.csv"), ("format", "csv")],
            two_columns(),
            vec![0],
            "names a file, and the table is partitioned",
        ),
        (
            vec![("path", "x"), ("format", "parquet"), ("mainstem.compression", "gzip")],
            two_columns(),
            vec![],
            "compressed inside",
        ),
        (
            vec![
                ("path", "x"),
                ("format", "csv"),
                ("sink.partition-commit.policy.kind", "metastore"),
            ],
            two_columns(),
            vec![],
            "'metastore', which is not supported",
        ),
        (
            vec![("path", "x"), ("format", "csv")],
            vec![column("a", TypeKind::Int), column("b", TypeKind::BYTES)],
            vec![1],
            "cannot be partitioned",
        ),
    ] {
        let table = table(&options, columns, keys);
        let error = FILESYSTEM.sink(sink_request(base.path(), &table).0).err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn parquet_columns_are_matched_by_name_and_cast() {
    let base = tempfile::tempdir().unwrap();
    let written = table(&[("path", "x.parquet"), ("format", "parquet")], two_columns(), vec![]);
    let batch = rows_of(base.path(), two_columns(), "1,7\n2,NULL\n").await;
    let mut sink = FILESYSTEM.sink(sink_request(base.path(), &written).0).unwrap();
    sink.open().await.unwrap();
    write(&mut sink, &batch).await;
    sink.close().await.unwrap();
    let options = [("path", "x.parquet"), ("format", "parquet")];
    let columns = vec![
        column("missing", TypeKind::Date),
        column("b", TypeKind::BigInt),
        column("a", TypeKind::Double),
        metadata("file.name", TypeKind::STRING),
    ];
    let other = table(&options, columns, vec![]);
    assert_eq!(
        read(base.path(), &other).await.unwrap(),
        ["+I[null, 7, 1.0, x.parquet]", "+I[null, null, 2.0, x.parquet]"]
    );
    let wrong = table(&options, vec![column("b", TypeKind::Date)], vec![]);
    let error = read(base.path(), &wrong).await.unwrap_err().to_string();
    assert!(
        error.contains("file 'x.parquet': column 'b' holds Utf8, which cannot be read as DATE"),
        "{error}"
    );
}

/// Found by the simulation of pipelines: a checkpoint that follows some that failed has a token of each, all of one run.
#[tokio::test]
async fn the_files_of_several_tokens_are_shown_before_what_is_left_of_their_run_goes() {
    let base = tempfile::tempdir().unwrap();
    let columns = vec![column("n", TypeKind::BigInt)];
    let rows = rows_of(base.path(), columns.clone(), "1\n2\n").await;
    let table = table(&[("path", "out/"), ("format", "csv")], columns, vec![]);
    let new_sink = || FILESYSTEM.sink(sink_request(base.path(), &table).0).unwrap();
    let mut sink = new_sink();
    sink.open().await.unwrap();
    assert!(sink.stage(&[]).await.unwrap());
    let mut tokens = Vec::new();
    for _ in 0..2 {
        write(&mut sink, &rows).await;
        tokens.extend(sink.prepare().await.unwrap());
    }
    write(&mut sink, &rows).await;
    drop(sink);
    let mut sink = new_sink();
    sink.open().await.unwrap();
    assert!(sink.stage(&tokens).await.unwrap());
    let directory = base.path().join("out");
    assert_eq!(visible_files(&directory).len(), 2);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 2, "what was behind the cut is gone");
}
