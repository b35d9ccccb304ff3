//! Text files that are handed out unread: their pieces, and what happens to a file meanwhile.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use mainstem_core::TypeKind;
use mainstem_core::ingest::{Decode, Decoded, Payload, Unread};
use mainstem_core::table::TableSpec;

use super::reader::Pieces;
use super::tests::{column, metadata, request, table, types};
use super::*;
use crate::api::{Position, SplitReader};
use crate::format::{Framing, rows_text};

fn lines(options: &[(&str, &str)]) -> TableSpec {
    let all = [&[("path", "a.txt"), ("format", "raw")], options].concat();
    table(&all, vec![column("line", TypeKind::STRING)], vec![])
}

async fn open(
    base: &Path,
    table: &TableSpec,
    position: Option<&Position>,
) -> (Box<dyn SplitReader>, Box<dyn Decode>) {
    let mut source = FILESYSTEM.source(request(base, table)).unwrap();
    let split = source.discover().await.unwrap().remove(0);
    (source.open(&split, position).await.unwrap(), source.decoder().unwrap())
}

fn unread(payload: Payload) -> Unread {
    let Payload::Unread(unread) = payload else { panic!("{payload:?}") };
    unread
}

fn rows(table: &TableSpec, out: &Decoded) -> Vec<String> {
    out.batches.iter().flat_map(|batch| rows_text(batch, &types(table))).collect()
}

#[tokio::test]
async fn pieces_follow_each_other_from_every_position() {
    let base = tempfile::tempdir().unwrap();
    let all: Vec<String> = (0..200_000).map(|i| format!("{i}-{}", "x".repeat(i % 90))).collect();
    fs::write(base.path().join("a.txt"), all.join("\n")).unwrap();
    let table = lines(&[]);
    let mut position = None;
    let (mut at, mut seen) = (0, Vec::new());
    loop {
        // A new reader for each piece: what a restart does.
        let (mut reader, mut decoder) = open(base.path(), &table, position.as_ref()).await;
        let Some(fetched) = reader.next().await.unwrap() else { break };
        position = Some(fetched.position);
        let mut first = unread(fetched.payload);
        assert_eq!(first.range.start, at);
        at = first.range.end;
        // Two workers share it, and the second one comes first.
        let second = first.split_off(first.size_bytes() / 3);
        let mut out = [Decoded::default(), Decoded::default()];
        decoder.decode(Payload::Unread(second), 0, &mut out[1]).unwrap();
        decoder.decode(Payload::Unread(first), 0, &mut out[0]).unwrap();
        seen.extend(out.iter().flat_map(|out| rows(&table, out)));
    }
    assert_eq!(seen.len(), all.len());
    assert!(seen.iter().zip(&all).all(|(seen, line)| *seen == format!("+I[{line}]")));
}

#[tokio::test]
async fn bad_lines_are_named_by_whoever_meets_them() {
    let base = tempfile::tempdir().unwrap();
    let line = |i: usize| if i % 1000 == 7 { "toolong" } else { "ok" };
    let text: String = (0..50_000).map(|i| format!("{}\n", line(i))).collect();
    fs::write(base.path().join("a.txt"), format!("\u{feff}{text}")).unwrap();
    let table = lines(&[
        ("mainstem.record-bytes-max", "5"),
        ("mainstem.bad-records", "dead-letter"),
        ("mainstem.dead-letter.path", "bad.jsonl"),
    ]);
    let (mut reader, mut decoder) = open(base.path(), &table, None).await;
    let mut whole = unread(reader.next().await.unwrap().unwrap().payload);
    let mut out = Decoded::default();
    // From the back, so that no count helps the next one.
    while whole.size_bytes() > 1000 {
        let last = whole.split_off(whole.size_bytes() - 1000);
        decoder.decode(Payload::Unread(last), 0, &mut out).unwrap();
    }
    decoder.decode(Payload::Unread(whole), 0, &mut out).unwrap();
    let mut places: Vec<usize> = out
        .dead_letters
        .iter()
        .map(|letter| letter.place.strip_prefix("a.txt, line ").unwrap().parse().unwrap())
        .collect();
    places.sort_unstable();
    assert_eq!(places, (0..50).map(|i| i * 1000 + 8).collect::<Vec<_>>());
    assert_eq!((out.records, out.skipped), (50_000, 50));
}

#[tokio::test]
async fn a_line_of_100_mb_is_passed_over_in_bounded_memory() {
    let base = tempfile::tempdir().unwrap();
    let mut file = fs::File::create(base.path().join("a.txt")).unwrap();
    file.write_all(b"a\n").unwrap();
    let block = vec![b'x'; 1 << 20];
    (0..100).for_each(|_| file.write_all(&block).unwrap());
    file.write_all(b"\nc\n").unwrap();
    drop(file);
    for policy in ["skip", "fail"] {
        let table = lines(&[("mainstem.bad-records", policy)]);
        let (mut reader, mut decoder) = open(base.path(), &table, None).await;
        let (mut out, mut result) = (Decoded::default(), Ok(()));
        while let Some(fetched) = reader.next().await.unwrap() {
            result = result.and(decoder.decode(fetched.payload, 0, &mut out));
        }
        assert_eq!(rows(&table, &out), ["+I[a]", "+I[c]"]);
        assert_eq!(out.records, 3);
        if policy == "fail" {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("a.txt, line 2"), "{error}");
            assert!(error.contains("the record has 104857601 bytes"), "{error}");
        }
    }
}

#[tokio::test]
async fn files_that_change_while_they_are_read() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("a.txt");
    fs::write(&path, "a\nb\n").unwrap();
    let table = lines(&[]);
    // One that grows before its end was reached is read to its new end.
    let found = discover::discover(
        &files::LocalFiles,
        &discover::Location::new("a.txt", base.path()).unwrap(),
        None,
        &columns::FileColumns::new(&table, &[0], &[], "").unwrap(),
        false,
    );
    let file = found.unwrap().remove(0);
    let mut pieces = ranges::TextPieces::open(
        &files::LocalFiles,
        &file,
        Framing::Lines,
        100,
        reader::Place::START,
    )
    .unwrap();
    assert_eq!(unread(pieces.next_piece().unwrap().unwrap().payload).range, 0..4);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"c\n").unwrap();
    assert_eq!(unread(pieces.next_piece().unwrap().unwrap().payload).range, 4..6);
    assert!(pieces.next_piece().unwrap().is_none());
    // One that shrinks is an error, for the reader that goes on and for the worker that reads.
    let (mut reader, mut decoder) = open(base.path(), &table, None).await;
    let fetched = reader.next().await.unwrap().unwrap();
    fs::write(&path, "a\n").unwrap();
    let error = decoder.decode(fetched.payload, 0, &mut Decoded::default()).unwrap_err();
    assert!(error.to_string().contains("'a.txt' ends before byte 6"), "{error}");
    let (mut reader, _) = open(base.path(), &table, Some(&fetched.position)).await;
    let error = reader.next().await.unwrap_err();
    assert!(error.to_string().contains("'a.txt' ends before byte 6"), "{error}");
}

#[tokio::test]
async fn empty_files_and_columns_of_the_place() {
    let base = tempfile::tempdir().unwrap();
    for (text, expected) in [("", vec![]), ("\u{feff}", vec![]), ("x", vec!["+I[x, a.txt]"])] {
        fs::write(base.path().join("a.txt"), text).unwrap();
        let columns =
            vec![column("line", TypeKind::STRING), metadata("file.name", TypeKind::STRING)];
        let table = table(&[("path", "a.txt"), ("format", "raw")], columns, vec![]);
        let (mut reader, mut decoder) = open(base.path(), &table, None).await;
        let mut out = Decoded::default();
        while let Some(fetched) = reader.next().await.unwrap() {
            decoder.decode(fetched.payload, 0, &mut out).unwrap();
        }
        assert_eq!(rows(&table, &out), expected, "{text:?}");
    }
}
