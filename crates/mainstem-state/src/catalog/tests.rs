//! Checkpoints that are damaged, too old, or half written, over disks that lose what was not synced.

use mainstem_core::disk::Disk as _;
use mainstem_log::{Faults, FaultyDisk, MemoryDisk};

use super::*;
use crate::manifest::tests::manifest;
use crate::run::RunWriter;
use crate::store::FolderStore;

fn catalog() -> Catalog {
    let store = FolderStore::open(Arc::new(MemoryDisk::new()), "job").unwrap();
    Catalog::new(Arc::new(store))
}

/// A checkpoint with one file of one row.
fn publish(catalog: &Catalog, id: CheckpointId) {
    let mut writer = RunWriter::new(format!("{id}-0"));
    let blocks = writer.add(&Batch::new(Vec::new(), 1), &mut Vec::new()).unwrap();
    let file = writer.end().unwrap();
    catalog.store().put(&file.name, &file.bytes).unwrap();
    let mut manifest = manifest(id, &[]);
    manifest.operators[0].tables[0].blocks = blocks;
    catalog.publish(&manifest).unwrap();
}

/// The newest whose blocks can all be read.
fn newest(catalog: &Catalog) -> (Option<Manifest>, Vec<Damaged>) {
    let read = |manifest: Manifest| {
        manifest.blocks().try_for_each(|block| catalog.block(block).map(drop))?;
        Ok(manifest)
    };
    catalog.newest(read).unwrap()
}

#[test]
fn the_newest_that_is_whole_is_found() {
    let catalog = catalog();
    assert!(newest(&catalog).0.is_none());
    for id in [9, 10, 11, 12] {
        publish(&catalog, id);
    }
    assert_eq!(catalog.ids().unwrap(), [9, 10, 11, 12]);
    catalog.store().remove("12-0-0.run").unwrap();
    catalog.store().put("checkpoint-11.json", b"{}").unwrap();
    let (found, damaged) = newest(&catalog);
    assert_eq!(found.unwrap().id, 10);
    assert_eq!(damaged.iter().map(|d| d.id).collect::<Vec<_>>(), [12, 11]);
    assert_eq!(damaged[0].error.to_string(), "'12-0-0.run' has no 208 bytes from 8");
    let missing = catalog.manifest(13).unwrap_err();
    assert_eq!(missing.to_string(), "there is no checkpoint 13");
}

#[test]
fn old_ones_are_collected_and_their_files() {
    let catalog = catalog();
    for id in 1..=5 {
        publish(&catalog, id);
    }
    // Of a checkpoint that was given up.
    catalog.store().put("4-1-0.run", b"x").unwrap();
    // Not ours.
    catalog.store().put("readme.txt", b"x").unwrap();
    catalog.collect(2).unwrap();
    let kept = ["4-0-0.run", "5-0-0.run", "checkpoint-4.json", "checkpoint-5.json", "readme.txt"];
    assert_eq!(catalog.store().list().unwrap(), kept);
    catalog.collect(0).unwrap();
    assert_eq!(catalog.ids().unwrap(), [5], "the newest stays");
    assert!(newest(&catalog).0.is_some());
}

#[test]
fn what_a_crash_left_half_written_is_cleared() {
    for seed in 0..200 {
        let disk = FaultyDisk::new(seed);
        let store = FolderStore::open(Arc::new(disk.clone()), "job").unwrap();
        let catalog = Catalog::new(Arc::new(store));
        publish(&catalog, 1);
        let unfinished = disk.open("job/checkpoint-2.json.unfinished", true).unwrap();
        unfinished.write_all_at(0, b"half").unwrap();
        disk.crash();
        let store = FolderStore::open(Arc::new(disk), "job").unwrap();
        let catalog = Catalog::new(Arc::new(store));
        assert_eq!(newest(&catalog).0.unwrap().id, 1, "seed {seed}");
        assert_eq!(catalog.ids().unwrap(), [1]);
        publish(&catalog, 2);
        assert_eq!(newest(&catalog).0.unwrap().id, 2, "seed {seed}");
    }
}

/// A put that failed behind its rename had left a name that was gone on from, and lost by the next crash.
#[test]
fn a_name_that_is_found_at_a_start_is_durable() {
    for seed in 0..50 {
        let disk = FaultyDisk::new(seed);
        let open = || FolderStore::open(Arc::new(disk.clone()), "job");
        publish(&Catalog::new(Arc::new(open().unwrap())), 1);
        disk.open("job/new", true).unwrap().sync().unwrap();
        disk.rename("job/new", "job/found").unwrap();
        let found = open().unwrap().list().unwrap();
        disk.crash();
        assert_eq!(open().unwrap().list().unwrap(), found, "seed {seed}");
    }
}

#[test]
fn a_full_disk_is_not_kept_full_by_what_could_not_be_stored() {
    let disk = FaultyDisk::new(1);
    let store = FolderStore::open(Arc::new(disk.clone()), "job").unwrap();
    let catalog = Catalog::new(Arc::new(store));
    publish(&catalog, 1);
    let full = Faults { space_bytes: 10_000, ..Faults::NONE };
    disk.set_faults(full);
    for id in 2..5 {
        catalog.store().put(&format!("{id}-0-0.run"), &[0; 2_000]).unwrap();
        let failed = catalog.store().put(&format!("{id}-1-0.run"), &[0; 9_000]).unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Exhausted, "{failed}");
        catalog.discard(id).unwrap();
        assert_eq!(disk.list("job").unwrap(), ["1-0-0.run", "checkpoint-1.json"]);
    }
    publish(&catalog, 12);
    catalog.discard(12).unwrap();
    catalog.discard(1).unwrap();
    assert_eq!(catalog.ids().unwrap(), [1, 12], "they are complete");
    assert_eq!(newest(&catalog).0.unwrap().id, 12);
}
