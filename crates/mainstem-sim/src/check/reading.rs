//! What a fetch brought, read as a consumer reads it, and the reading of whole partitions at the end.
//! Checks that offsets are dense (in compacted topics only rising), that nothing beyond the end is shown, that every acknowledged
//! record is there, that in a compacted topic the last record of each key is, and that writers' records are in order.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mainstem_log::{ControlKind, Record, RecordBatch, RecordLimits};

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
                    self.met_damage(place, expected, &mut consumed, end, &e.to_string());
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
            // Where another batch is due before it, it would be seen anyway.
            let misplaced = (expected.is_none() || compacted)
                && self.damage.misplaces(place, base)
                && self.past_damage(place, expected.unwrap_or(from), end).is_some();
            if !right || last >= end || misplaced {
                let what = format!("a batch {base}..={last}, fetched from {from} to {end}");
                self.met_damage(place, expected, &mut consumed, end, &what);
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
        if !bytes.is_empty() && expected.is_none() {
            // A batch that is larger than what is left of the log will never be read.
            self.met_damage(place, None, &mut consumed, end, "half a batch");
        }
        consumed
    }

    /// What was served is not what is due: only where it was damaged. Then the reader goes on behind it.
    fn met_damage(
        &mut self,
        place: Place,
        expected: Option<i64>,
        consumed: &mut Consumed,
        end: i64,
        what: &str,
    ) {
        let at = expected.unwrap_or(consumed.next);
        match self.past_damage(place, at, end) {
            Some(past) => consumed.next = past,
            None => {
                let name = self.name(place);
                self.fail(format!("{name}: where {at} is due ({expected:?}) is served {what}"));
            }
        }
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
            let uid = number_of(&record).ok_or("a record that nobody has made")?;
            self.saw(place, record.offset, Seen::Record(uid));
            let sent = self.records.sent.get(uid);
            let key = sent.and_then(|sent| sent.key);
            if sent.is_some_and(|sent| sent.tombstone) != record.value.is_none() {
                return Err(format!("record {uid} has another value"));
            }
            if record.key != key.map(|key| key.to_string()).as_deref().map(str::as_bytes) {
                return Err(format!("record {uid} has another key"));
            }
            found.push((record.offset, uid));
        }
        Ok(Contents::Records(found))
    }

    /// The whole partition was read from its start to its end: what was promised has to be in it.
    pub(crate) fn read_whole(&mut self, place: Place, records: &[(i64, Uid)], now_ms: i64) {
        let name = self.name(place);
        let topic = self.topics[place.topic].clone();
        let there: BTreeMap<i64, Uid> = records.iter().copied().collect();
        let (start, acked) = {
            let state = self.state(place);
            (state.start, state.acked.clone())
        };
        for (offset, uid) in acked.range(start..) {
            let excused = self.damage.excuses(place, *offset);
            if !topic.compacted && !excused && there.get(offset) != Some(uid) {
                self.fail(format!("{name}: record {uid}, acknowledged at {offset}, is lost"));
            }
        }
        if topic.compacted {
            self.check_table(place, &there, now_ms);
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

impl Model {
    /// The last record of each key is there, and what stands last is it; a tombstone may be gone when its time is over, and
    /// then nothing of its key is left.
    fn check_table(&mut self, place: Place, there: &BTreeMap<i64, Uid>, now_ms: i64) {
        let name = self.name(place);
        let retention_ms = self.topics[place.topic].delete_retention_ms;
        let state = self.state(place);
        let start = state.start;
        let seen = state.seen.range(start..).filter_map(|(offset, seen)| match seen {
            Seen::Record(uid) => Some((*offset, *uid)),
            Seen::Marker { .. } => None,
        });
        let acked = state.acked.range(start..).map(|(offset, uid)| (*offset, *uid));
        let known: BTreeMap<i64, Uid> = seen.chain(acked).collect();
        let last_of_keys = |records: &BTreeMap<i64, Uid>| {
            let keyed = records.iter().filter_map(|(offset, uid)| {
                let key = self.records.sent[*uid].key?;
                Some((key, (*offset, *uid)))
            });
            keyed.collect::<BTreeMap<u32, (i64, Uid)>>()
        };
        let (known, table) = (last_of_keys(&known), last_of_keys(there));
        for (key, (offset, uid)) in known {
            let sent = &self.records.sent[uid];
            let found = table.get(&key);
            let right = match found {
                Some((at, _)) => *at >= offset,
                None => sent.tombstone && now_ms >= sent.made_ms + retention_ms,
            };
            if !right && !self.damage.excuses(place, offset) {
                let what = if sent.tombstone { "tombstone" } else { "record" };
                self.fail(format!(
                    "{name}: the last {what} of key {key} is {uid} at {offset}, made at {} and kept for {retention_ms} ms; found at {now_ms} is {found:?}",
                    sent.made_ms
                ));
                return;
            }
        }
    }
}

enum Contents {
    Marker { commit: bool },
    Records(Vec<(i64, Uid)>),
}

/// The number of a record stands in its value, or in the header of one that has none.
fn number_of(record: &Record<'_>) -> Option<Uid> {
    let header = || {
        let mut headers = record.headers;
        headers.find_map(|header| header.ok()?.value)
    };
    let digits = record.value.or_else(header)?.split(|byte| *byte == b'|').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
