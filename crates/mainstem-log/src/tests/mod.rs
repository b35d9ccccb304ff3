//! The log as its owner sees it: rows, a model, faults. What the tests share is here.

mod basics;
mod batches;
mod compaction;
mod damage;
mod faults;
mod model;
mod producers;
mod wal;

use super::*;
use mainstem_core::disk::Disk;
use std::sync::Arc;

/// A batch of records with one key and these values.
fn batch(values: &[&str]) -> RecordBatch {
    let mut builder = BatchBuilder::new(Compression::None);
    for value in values {
        builder.push(1_000, Some(b"k"), Some(value.as_bytes()), &[("h", Some(b"v")), ("n", None)]);
    }
    builder.finish().unwrap()
}

/// A batch of a producer.
fn produced(id: i64, epoch: i16, sequence: i32, count: usize, transactional: bool) -> RecordBatch {
    let builder = BatchBuilder::new(Compression::None).with_producer(id, epoch, sequence);
    let mut builder = if transactional { builder.transactional() } else { builder };
    for at in 0..count {
        builder.push(1_000, Some(b"k"), Some(format!("{id}-{sequence}+{at}").as_bytes()), &[]);
    }
    builder.finish().unwrap()
}

/// Every whole batch of a read.
fn batches(log: &mut Log, offset: i64, bytes_max: u32, isolation: Isolation) -> Vec<RecordBatch> {
    let read = log.read(offset, bytes_max, isolation).unwrap();
    let mut bytes = Vec::new();
    read.ranges.iter().for_each(|range| range.read_to(&mut bytes).unwrap());
    let mut bytes = bytes::Bytes::from(bytes);
    std::iter::from_fn(|| RecordBatch::parse_next(&mut bytes)).map(Result::unwrap).collect()
}

/// (offset, key, value) of all readable data records from an offset on.
fn records(log: &mut Log, offset: i64) -> Vec<(i64, String, Option<String>)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut out = Vec::new();
    for batch in batches(log, offset, u32::MAX, Isolation::ReadUncommitted) {
        if batch.header().is_control() {
            continue;
        }
        for record in &batch.records(RecordLimits::default()).unwrap() {
            let record = record.unwrap();
            if record.offset >= offset {
                let key = record.key.map(text).unwrap_or_default();
                out.push((record.offset, key, record.value.map(text)));
            }
        }
    }
    out
}

/// (offset, value) of all readable data records from an offset on.
fn values(log: &mut Log, offset: i64) -> Vec<(i64, String)> {
    let records = records(log, offset).into_iter();
    records.map(|(offset, _, value)| (offset, value.unwrap_or_default())).collect()
}

fn sync(log: &mut Log) {
    while let Some(ticket) = log.begin_sync() {
        let result = ticket.run();
        if let Some(files) = log.end_sync(ticket, result) {
            let result = files.store();
            log.end_side_files(&files, &result);
        }
    }
}

fn open(disk: &Arc<dyn Disk>, settings: &LogSettings) -> (Log, Recovery) {
    let (mut log, recovery) =
        Log::open(Arc::clone(disk), "t/0", settings.clone(), 0, false, 1_000).unwrap();
    log.cut_is_told().unwrap();
    (log, recovery)
}

fn memory() -> Arc<dyn Disk> {
    Arc::new(MemoryDisk::new())
}

/// Small segments and a dense index.
fn small() -> LogSettings {
    LogSettings {
        segment_bytes_max: 500,
        index_interval_bytes: 100,
        checkpoint_bytes: 300,
        ..LogSettings::kafka_defaults()
    }
}
