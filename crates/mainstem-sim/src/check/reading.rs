//! What a fetch brought, read as a consumer reads it, and the reading of whole partitions at the end.
//! Checks that offsets are dense (in compacted topics only rising), that nothing beyond the end is shown, that every acknowledged
//! record is there, that in a compacted topic the last record of each key is, and that writers' records are in order.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mainstem_log::{ControlKind, RecordBatch, RecordLimits};

use super::records::{Ends, Seen};
use super::{Model, Place, Uid};
use crate::frame::When;

/// One partition of an answer to a fetch.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) from: i64,
    pub(crate) committed: bool,
    pub(crate) ends: Ends,
    /// Producer and first offset.
    pub(crate) aborted: Vec<(i64, i64)>,
    pub(crate) records: Bytes,
}

/// What a consumer makes of it.
#[derive(Debug, Default)]
pub(crate) struct Consumed {
    /// Where it goes on reading.
    pub(crate) next: i64,
    /// What it hands to its application, with offsets.
    pub(crate) records: Vec<(i64, Uid)>,
}

impl Model {
    /// Looks through what was fetched.
    pub(crate) fn fetched(&mut self, place: Place, when: When, fetched: Fetched) -> Consumed {
        let Fetched { from, committed, ends, .. } = fetched;
        if !self.holds(place, when) {
            return Consumed { next: from, records: Vec::new() };
        }
        self.shown(place, when, ends);
        let end = if committed { ends.last_stable_offset } else { ends.high_watermark };
        let compacted = self.topics[place.topic].compacted;
        let name = self.name(place);
        let mut consumed = Consumed { next: from, records: Vec::new() };
        let mut aborted = fetched.aborted;
        aborted.sort_by_key(|(_, first)| *first);
        let mut aborted = aborted.into_iter().peekable();
        let mut aborting = BTreeSet::new();
        let mut bytes = fetched.records;
        let mut expected = None;
        while let Some(batch) = RecordBatch::parse_next(&mut bytes) {
            let batch = match batch {
                Ok(batch) => batch,
                Err(e) => {
                    self.fail(format!("{name}: a damaged batch was served: {e}"));
                    return consumed;
                }
            };
            let (base, last) = (batch.header().base_offset, batch.header().last_offset());
            let right = match expected {
                None if compacted => last >= from,
                None => base <= from && last >= from,
                Some(expected) if compacted => base >= expected,
                Some(expected) => base == expected,
            };
            if !right || last >= end {
                self.fail(format!(
                    "{name}: a fetch from {from} to {end} has a batch {base}..={last} where {expected:?} is due"
                ));
                return consumed;
            }
            expected = Some(last + 1);
            consumed.next = last + 1;
            while let Some((producer, _)) = aborted.next_if(|(_, first)| *first <= last) {
                aborting.insert(producer);
            }
            let producer_id = batch.header().producer_id;
            let skipped = committed
                && batch.header().is_transactional()
                && aborting.contains(&producer_id)
                && !batch.header().is_control();
            match self.look_into(place, &batch) {
                Ok(Contents::Marker { commit }) => {
                    if !commit {
                        aborting.remove(&producer_id);
                    }
                }
                Ok(Contents::Records(records)) if !skipped => {
                    consumed.records.extend(records.into_iter().filter(|(at, _)| *at >= from));
                }
                Ok(Contents::Records(_)) => {}
                Err(why) => {
                    self.fail(format!("{name}: batch {base}: {why}"));
                    return consumed;
                }
            }
        }
        consumed
    }

    fn look_into(&mut self, place: Place, batch: &RecordBatch) -> Result<Contents, String> {
        let producer_id = batch.header().producer_id;
        let records = batch.records(RecordLimits::default()).map_err(|e| e.to_string())?;
        if batch.header().is_control() {
            let base = batch.header().base_offset;
            // A compaction may leave the batch of a marker empty.
            let Some((kind, _)) = records.control().map_err(|e| e.to_string())? else {
                return Ok(Contents::Records(Vec::new()));
            };
            let commit = kind == ControlKind::Commit;
            self.saw(place, base, Seen::Marker { producer_id, commit });
            return Ok(Contents::Marker { commit });
        }
        let mut found = Vec::new();
        for record in records.iter() {
            let record = record.map_err(|e| e.to_string())?;
            let uid = record.value.and_then(uid_of).ok_or("a record that nobody has made")?;
            self.saw(place, record.offset, Seen::Record(uid));
            let key = self.records.sent.get(uid).and_then(|sent| sent.key);
            if record.key != key.map(|key| key.to_string()).as_deref().map(str::as_bytes) {
                return Err(format!("record {uid} has another key"));
            }
            found.push((record.offset, uid));
        }
        Ok(Contents::Records(found))
    }

    /// The whole partition was read from its start to its end: what was promised has to be in it.
    pub(crate) fn read_whole(&mut self, place: Place, records: &[(i64, Uid)]) {
        let name = self.name(place);
        let topic = self.topics[place.topic].clone();
        let there: BTreeMap<i64, Uid> = records.iter().copied().collect();
        let (start, acked) = {
            let state = self.state(place);
            (state.start, state.acked.clone())
        };
        let mut last_of_key: BTreeMap<u32, (i64, Uid)> = BTreeMap::new();
        for (offset, uid) in acked.range(start..) {
            if let Some(key) = self.records.sent[*uid].key {
                last_of_key.insert(key, (*offset, *uid));
            }
            if !topic.compacted && there.get(offset) != Some(uid) {
                self.fail(format!("{name}: record {uid}, acknowledged at {offset}, is lost"));
            }
        }
        if topic.compacted {
            for (key, (offset, uid)) in last_of_key {
                let newer = there
                    .range(offset..)
                    .any(|(_, other)| self.records.sent[*other].key == Some(key));
                if !newer {
                    self.fail(format!("{name}: the last record {uid} of key {key}, acknowledged at {offset}, is lost"));
                }
            }
        }
        let mut last_of_writer: BTreeMap<u64, Uid> = BTreeMap::new();
        for (offset, uid) in records {
            let sent = &self.records.sent[*uid];
            let before = last_of_writer.insert(sent.writer, *uid);
            if sent.ordered && before.is_some_and(|before| before > *uid) {
                let writer = sent.writer;
                self.fail(format!(
                    "{name}: record {uid} of writer {writer} at {offset} stands behind {before:?}"
                ));
            }
        }
    }
}

enum Contents {
    Marker { commit: bool },
    Records(Vec<(i64, Uid)>),
}

fn uid_of(value: &[u8]) -> Option<Uid> {
    let digits = value.split(|byte| *byte == b'|').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
