//! The log as its owner sees it.

use super::*;
use mainstem_core::disk::Disk;
use std::sync::Arc;

fn batch(values: &[&str]) -> RecordBatch {
    let mut builder = BatchBuilder::new(Compression::None);
    for value in values {
        builder.push(1_000, Some(b"k"), Some(value.as_bytes()), &[("h", Some(b"v")), ("n", None)]);
    }
    builder.finish().unwrap()
}

fn values(log: &mut Log, offset: i64) -> Vec<(i64, String)> {
    let read = log.read(offset, u32::MAX, Isolation::ReadUncommitted).unwrap();
    let mut out = Vec::new();
    for range in &read.ranges {
        let mut bytes = range.read().unwrap();
        while let Some(batch) = RecordBatch::parse_next(&mut bytes) {
            let records = batch.unwrap().records(RecordLimits::default()).unwrap();
            for record in &records {
                let record = record.unwrap();
                if record.offset >= offset {
                    let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                    out.push((record.offset, value));
                }
            }
        }
    }
    out
}

fn sync(log: &mut Log) {
    while let Some(ticket) = log.begin_sync() {
        let result = ticket.run();
        log.end_sync(ticket, result);
    }
}

#[test]
fn appends_reads_syncs_and_reopens() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let settings = LogSettings { segment_bytes_max: 300, ..LogSettings::kafka_defaults() };
    let open = |point, clean| {
        Log::open(Arc::clone(&disk), "t/0", settings.clone(), point, clean, 1_000).unwrap()
    };
    let (mut log, _) = open(0, false);
    assert_eq!(disk.list("t/0").unwrap(), Vec::<String>::new());
    for i in 0..10 {
        let appended = log.append(&batch(&[&format!("a{i}"), &format!("b{i}")]), 1_000).unwrap();
        assert_eq!((appended.base_offset, appended.last_offset), (2 * i, 2 * i + 1));
        assert_eq!(values(&mut log, 0).len(), 2 * i as usize, "nothing is seen before the sync");
        sync(&mut log);
    }
    let all = values(&mut log, 0);
    assert_eq!(all.len(), 20);
    for offset in 0..=20 {
        assert_eq!(values(&mut log, offset), all[offset as usize..]);
    }
    let (mut crashed, recovery) = open(0, false);
    assert_eq!(recovery.truncated_bytes, 0);
    assert_eq!(values(&mut crashed, 0), all);
    log.close(1_000).unwrap();
    let (mut reopened, recovery) = open(0, true);
    assert!(recovery.clean);
    assert_eq!(recovery.scanned_bytes, 0);
    assert_eq!(values(&mut reopened, 3), all[3..]);
}
