//! Directories with whole, damaged and unfinished checkpoints: what is said of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use mainstem_core::Batch;
use mainstem_core::disk::Disk;
use mainstem_state::catalog::Catalog;
use mainstem_state::manifest::{
    FORMAT, Manifest, Opaque, OperatorRecord, SinkRecord, SourceRecord, SplitRecord, TableRecord,
};
use mainstem_state::run::RunWriter;
use mainstem_state::store::FolderStore;
use tempfile::TempDir;

use super::folder::Folder;
use super::verify::Verifier;
use super::{failure, json, text};
use crate::disk::FileDisk;

const MADE_MS: i64 = 1_700_000_000_000;

/// A state directory with checkpoints of these numbers; each has a block of its own and the one of the first.
fn state(ids: &[u64]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(&path, "--state").unwrap());
    let catalog = Catalog::new(Arc::new(FolderStore::open(disk, "").unwrap()));
    let mut blocks = Vec::new();
    for &id in ids {
        let mut writer = RunWriter::new(format!("{id}-0"));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
        blocks.truncate(1);
        blocks.extend(writer.add(&Batch::new(vec![numbers], 100), &mut Vec::new()).unwrap());
        let file = writer.end().unwrap();
        catalog.store().put(&file.name, &file.bytes).unwrap();
        let split = |id: &str, position: Option<Vec<u8>>, ended| SplitRecord {
            id: id.into(),
            position: position.map(Opaque),
            ended,
        };
        let table =
            TableRecord { name: "groups".into(), blocks: blocks.clone(), changes: Vec::new() };
        let manifest = Manifest {
            format: FORMAT,
            id,
            at_ms: MADE_MS + 1000 * id as i64,
            mainstem: "0.1.0".into(),
            workers: 2,
            now_ms: MADE_MS,
            ended: false,
            sources: vec![SourceRecord {
                table: "bids".into(),
                fingerprint: "f1".into(),
                splits: vec![
                    split("bids-0", Some(1200_u64.to_le_bytes().to_vec()), false),
                    split("bids-1", None, false),
                    split("a.csv", Some([90_u64, 7].map(u64::to_le_bytes).concat()), false),
                    split("b.csv", None, true),
                ],
                finished: false,
            }],
            sinks: vec![
                SinkRecord {
                    table: "out".into(),
                    fingerprint: "f2".into(),
                    query: "q2".into(),
                    reading: 1,
                    tokens: vec![Opaque(vec![0; 40]), Opaque(vec![0; 2])],
                },
                SinkRecord {
                    table: "log".into(),
                    fingerprint: "f3".into(),
                    ..SinkRecord::default()
                },
            ],
            operators: vec![
                OperatorRecord {
                    fingerprint: "f4".into(),
                    name: "Aggregate(group by [$0])".into(),
                    tables: vec![table],
                },
                OperatorRecord {
                    fingerprint: "f5".into(),
                    name: "Project($0)".into(),
                    tables: vec![TableRecord {
                        name: "progress".into(),
                        blocks: Vec::new(),
                        changes: Vec::new(),
                    }],
                },
            ],
        };
        catalog.publish(&manifest).unwrap();
    }
    (dir, path)
}

fn flip(path: &Path, at_byte: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at_byte] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// What `verify` prints, and its error.
fn verified(path: &Path) -> (String, String) {
    let folder = Folder::of_disk(path).unwrap();
    let mut verifier = Verifier::new(&folder.catalog);
    let ids = folder.ids(None).unwrap();
    let verdicts: Vec<_> =
        ids.into_iter().map(|id| verifier.verify(id, &mut drop).unwrap().unwrap()).collect();
    let error = failure(&verdicts, "state");
    let error = error.map(|e| format!("{e}; {}", e.hint().unwrap_or_default()));
    (verdicts.iter().map(text::verdict).collect(), error.unwrap_or_default())
}

#[test]
fn what_is_whole_is_listed_shown_and_verified() {
    let (_dir, path) = state(&[3, 4]);
    let folder = Folder::of_disk(&path).unwrap();
    let sources = "bids: bids-0 at 1200, bids-1 not read, a.csv at byte 90, line 7, 1 more";
    let state = folder.checkpoint(Some(3)).unwrap().manifest.unwrap().bytes();
    assert_eq!(
        text::list(&folder.checkpoints().unwrap(), MADE_MS + 64_000),
        format!(
            "CHECKPOINT  MADE (UTC)              AGE    STATE  STANDING  SOURCES\n         \
             3  2023-11-14 22:13:23  61.0 s  {:>7}  complete  {sources}\n         \
             4  2023-11-14 22:13:24  60.0 s  {:>7}  complete  {sources}\n",
            crate::pipeline::report::size(state),
            crate::pipeline::report::size(2 * state),
        )
    );
    let shown = text::show(&folder.checkpoint(None).unwrap(), "state", MADE_MS + 64_000);
    let (head, rest) = shown.split_once("\nsources\n").unwrap();
    assert!(head.starts_with("checkpoint 4 of 'state'\n"), "{head}");
    assert!(head.contains("2023-11-14 22:13:24 UTC, 60.0 s ago\n"), "{head}");
    assert!(head.contains("Mainstem 0.1.0, 2 workers\n"), "{head}");
    let size = crate::pipeline::report::size(2 * state);
    assert_eq!(
        rest,
        format!(
            "  bids  4 splits\n    bids-0  at 1200\n    bids-1  not read\n    a.csv   at byte 90, line 7\n    b.csv   ended\n\
             \nsinks\n  out  2 tokens to commit, 42 B\n  log  nothing to show\n\
             \noperators with state\n  Aggregate(group by [$0])\n    groups: 200 rows, {size}\n"
        )
    );
    let (verdicts, error) = verified(&path);
    assert!(verdicts.starts_with("checkpoint 3: whole, 1 block, "), "{verdicts}");
    assert!(verdicts.contains("checkpoint 4: whole, 2 blocks, "), "{verdicts}");
    assert_eq!(error, "");
}

#[test]
fn scripts_get_numbers() {
    let (_dir, path) = state(&[3, 4]);
    fs::write(path.join("checkpoint-4.json"), "{}").unwrap();
    let folder = Folder::of_disk(&path).unwrap();
    let list: serde_json::Value =
        serde_json::from_str(&json::list(&folder.checkpoints().unwrap())).unwrap();
    assert_eq!((&list[0]["checkpoint"], &list[0]["standing"]), (&3.into(), &"complete".into()));
    assert_eq!(list[0]["sources"][0]["splits"][0]["position"], "1200");
    assert_eq!(list[1]["reason"], "the manifest is cut short");
    let shown = json::show(&folder.checkpoint(None).unwrap());
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["checkpoint"], 3, "the newest that can be read");
    assert_eq!(shown["made_ms"], MADE_MS + 3000);
    assert_eq!(shown["operators"][0]["tables"][0]["rows"], 100);
    assert_eq!(shown["sinks"][0]["tokens_bytes"], serde_json::json!([40, 2]));
}

#[test]
fn damage_is_named_with_its_place() {
    for (file, damage, listed, verdict) in [
        // A bit of a block of the second alone, and of one that both name; only reading finds them.
        ("4-0-0.run", 40, "complete", "4: damaged\n  a block is damaged in '4-0-0.run' at byte 8"),
        ("3-0-0.run", 40, "complete", "3: damaged\n  a block is damaged in '3-0-0.run' at byte 8"),
        ("3-0-0.run", 0, "complete", "3: damaged\n  '3-0-0.run' does not begin as a file of state"),
        (
            "checkpoint-4.json",
            9,
            "the manifest is damaged",
            "4: damaged\n  the manifest is damaged",
        ),
    ] {
        let (_dir, path) = state(&[3, 4]);
        flip(&path.join(file), damage);
        let found = Folder::of_disk(&path).unwrap().checkpoints().unwrap();
        let list = text::list(&found, MADE_MS);
        assert!(list.contains(listed), "{file}: {list}");
        let (verdicts, error) = verified(&path);
        assert!(verdicts.contains(verdict), "{file}: {verdicts}");
        let both = file.starts_with('3');
        assert_eq!(verdicts.contains("checkpoint 3: whole"), !both, "{file}: {verdicts}");
        let (count, hint) = match both {
            true => ("2 of 2 checkpoints are damaged; ", "none of these is whole"),
            false => ("1 of 2 checkpoints is damaged; ", "of these it is 3"),
        };
        assert!(error.starts_with(count) && error.contains(hint), "{file}: {error}");
        let place = "table groups of Aggregate(group by [$0])";
        assert_eq!(verdicts.contains(place), file.ends_with(".run"), "{file}: {verdicts}");
    }
}

#[test]
fn files_that_are_gone_or_short_are_seen_without_reading() {
    for short in [false, true] {
        let (_dir, path) = state(&[3, 4]);
        let file = path.join("4-0-0.run");
        if short {
            let bytes = fs::read(&file).unwrap();
            fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
        } else {
            fs::remove_file(&file).unwrap();
        }
        let found = Folder::of_disk(&path).unwrap().checkpoints().unwrap();
        let list = text::list(&found, MADE_MS);
        assert!(list.contains("damaged: '4-0-0.run' is gone or cut short"), "{list}");
        assert!(verified(&path).0.contains("checkpoint 4: damaged"));
    }
}

#[test]
fn what_has_no_manifest_is_not_complete() {
    let (_dir, path) = state(&[3, 4]);
    fs::remove_file(path.join("checkpoint-4.json")).unwrap();
    let folder = Folder::of_disk(&path).unwrap();
    let list = text::list(&folder.checkpoints().unwrap(), MADE_MS);
    assert!(list.ends_with("not complete: it has no manifest  -\n"), "{list}");
    assert_eq!(folder.checkpoint(None).unwrap().id, 3);
    fs::remove_file(path.join("checkpoint-3.json")).unwrap();
    let error = folder.checkpoint(None).unwrap_err();
    assert_eq!(error.to_string(), format!("no checkpoint of '{}' is complete yet", folder.name));
}

#[test]
fn nothing_is_touched_and_an_owner_does_not_mind() {
    let (_dir, path) = state(&[3]);
    let _owner = FileDisk::open(&path, "--state").unwrap();
    fs::write(path.join("4-0-0.run.unfinished"), "half").unwrap();
    verified(&path);
    assert!(path.join("4-0-0.run.unfinished").exists());
}

#[test]
fn other_directories_are_refused_with_a_remedy() {
    let (dir, path) = state(&[3]);
    let place = dir.path();
    for folder in ["empty", "data/journal", "new"] {
        fs::create_dir_all(place.join(folder)).unwrap();
    }
    fs::write(place.join("new/mainstem.lock"), "").unwrap();
    fs::write(place.join("file"), "").unwrap();
    for (name, error, hint) in [
        ("nowhere", "there is no directory", "that was given with --state"),
        ("file", "is a file", "that was given with --state"),
        ("empty", "is not a state directory", "that was given with --state"),
        ("data", "holds topics, which --data names", "that was given with --state"),
        ("new", "there is no checkpoint in", "execution.checkpointing.interval"),
        ("", "holds a folder for each pipeline", &*path.display().to_string()),
    ] {
        let refused = Folder::of_disk(&place.join(name)).unwrap_err();
        assert!(refused.to_string().contains(error), "{name}: {refused}");
        assert!(refused.hint().unwrap().contains(hint), "{name}: {refused:?}");
    }
    let error = Folder::of_disk(&path).unwrap().ids(Some(7)).unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.hint()),
        ("there is no checkpoint 7", Some("there are: 3"))
    );
}
