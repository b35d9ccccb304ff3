//! The last client: reads every partition from its start to its end, once as it is and once committed.
//! Invariant: it comes when nobody writes any more and every transaction has ended, so what it does not see is not there.

use std::collections::VecDeque;

use mainstem_broker::ErrorCode;
use mainstem_broker::wire::fetch_response::PartitionData;
use mainstem_broker::wire::{FetchRequest, ListOffsetsRequest, OffsetFetchRequest};

use super::reader::{earliest_request, fetch_request, fetched};
use super::transactor::offset_request;
use super::{Client, Cx};
use crate::check::{Place, Uid};
use crate::frame::{Answer, When};

/// The auditor and how far it is.
#[derive(Debug)]
pub(crate) struct Auditor {
    left: VecDeque<(Place, bool)>,
    groups: VecDeque<(String, Place)>,
    reading: Option<Reading>,
    asked: Option<u64>,
    next: u64,
}

#[derive(Debug)]
struct Reading {
    place: Place,
    committed: bool,
    position: Option<i64>,
    records: Vec<(i64, Uid)>,
}

impl Auditor {
    pub(crate) fn new(
        places: impl Iterator<Item = Place>,
        groups: impl Iterator<Item = (String, Place)>,
    ) -> Self {
        let left = places.flat_map(|place| [(place, false), (place, true)]);
        Self { left: left.collect(), groups: groups.collect(), reading: None, asked: None, next: 0 }
    }

    fn ask_offset(&mut self, cx: &mut Cx<'_>) {
        let Some((group, place)) = self.groups.front() else { return };
        let request = offset_request(cx, group, *place);
        self.next += 1;
        self.asked = Some(self.next);
        cx.send_within(self.next, 7..=7, None, &request);
    }

    fn took_offset(&mut self, answer: &Answer, cx: &mut Cx<'_>) {
        let Some((group, place)) = self.groups.pop_front() else { return };
        let response = answer.read::<OffsetFetchRequest>();
        let found = &response.topics[0].partitions[0];
        if found.error_code != 0 {
            let (name, code) = (cx.model.name(place), found.error_code);
            return cx.model.fail(format!("{group}: the offset of {name} is not there: {code}"));
        }
        cx.model.offset_shown(&group, place, found.committed_offset, answer.when);
    }

    fn took(&mut self, cx: &mut Cx<'_>, when: When, data: PartitionData) {
        let Some(reading) = &mut self.reading else { return };
        let (place, name) = (reading.place, cx.model.name(reading.place));
        let from = reading.position.unwrap_or_default();
        if data.error_code == ErrorCode::KafkaStorageError.code()
            && let Some(past) = cx.model.past_unreadable(place, from, reading.committed)
        {
            reading.position = Some(past);
            if past == i64::MAX {
                self.read_all(cx, past);
            }
            return;
        }
        if data.error_code != 0 {
            return cx.model.fail(format!("{name}: cannot be read: {}", data.error_code));
        }
        let unsettled = cx.model.damage.unsettles(place);
        let end = match reading.committed && unsettled {
            true => data.last_stable_offset,
            false => data.high_watermark,
        };
        if data.last_stable_offset != end && !unsettled {
            let stable = data.last_stable_offset;
            return cx
                .model
                .fail(format!("{name}: a transaction hangs at {stable}, the end is {end}"));
        }
        let consumed = cx.model.fetched(place, when, fetched(from, reading.committed, data));
        reading.records.extend(consumed.records);
        reading.position = Some(consumed.next);
        if consumed.next < end {
            if consumed.next == from && !cx.model.topics[place.topic].compacted {
                cx.model.fail(format!("{name}: nothing is read at {from}, the end is {end}"));
            } else if consumed.next == from {
                // The end of a compacted log may be empty.
                reading.position = Some(end);
            }
            return;
        }
        self.read_all(cx, end);
    }

    /// There is no more to read of this one.
    fn read_all(&mut self, cx: &mut Cx<'_>, end: i64) {
        let Some(done) = self.reading.take() else { return };
        let (place, name) = (done.place, cx.model.name(done.place));
        cx.say(format_args!("{name} has {} records up to {end}", done.records.len()));
        if done.committed {
            cx.model.read_committed_whole(place, &done.records);
        } else {
            cx.model.read_whole(place, &done.records, cx.now_ms());
        }
    }
}

impl Client for Auditor {
    fn wake(&mut self, cx: &mut Cx<'_>) {
        cx.wake_within(500_000);
        if self.asked.is_some() {
            return;
        }
        if self.reading.is_none() {
            let Some((place, committed)) = self.left.pop_front() else {
                return self.ask_offset(cx);
            };
            self.reading = Some(Reading { place, committed, position: None, records: Vec::new() });
        }
        let Some(reading) = &self.reading else { return };
        self.next += 1;
        self.asked = Some(self.next);
        let Some(position) = reading.position else {
            let request = earliest_request(cx, reading.place);
            return cx.send(self.next, &request);
        };
        let mut request = fetch_request(cx, &[(reading.place, position)], reading.committed);
        request.max_wait_ms = 0;
        request.topics[0].partitions[0].partition_max_bytes = 1 << 20;
        cx.send_within(self.next, 5..=12, None, &request);
    }

    fn answered(&mut self, tag: u64, answer: &Answer, cx: &mut Cx<'_>) {
        cx.wake_within(100);
        if self.asked.take_if(|asked| *asked == tag).is_none() {
            return;
        }
        if self.reading.is_none() {
            return self.took_offset(answer, cx);
        }
        let Some(reading) = self.reading.as_mut().filter(|reading| reading.position.is_none())
        else {
            let mut response = answer.read::<FetchRequest>();
            return self.took(cx, answer.when, response.responses.remove(0).partitions.remove(0));
        };
        let found = &answer.read::<ListOffsetsRequest>().topics[0].partitions[0];
        if found.error_code != 0 {
            let (name, code) = (cx.model.name(reading.place), found.error_code);
            return cx.model.fail(format!("{name}: has no start: {code}"));
        }
        reading.position = Some(found.offset);
    }

    fn cut(&mut self, cx: &mut Cx<'_>) {
        self.asked = None;
        cx.wake_within(10_000);
    }

    fn is_done(&self) -> bool {
        self.left.is_empty() && self.groups.is_empty() && self.reading.is_none()
    }
}
