//! A consumer without a group: reads partitions from some offset on, committed records only or all.
//! Invariant: it goes on where the last answer ended, or jumps to an offset that it was shown.

use std::collections::BTreeMap;

use mainstem_broker::ErrorCode;
use mainstem_broker::wire::fetch_request::{FetchPartition, FetchTopic};
use mainstem_broker::wire::fetch_response::PartitionData;
use mainstem_broker::wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use mainstem_broker::wire::{FetchRequest, ListOffsetsRequest, Uuid, make};

use super::{Client, Cx};
use crate::check::{Ends, Fetched, Place};
use crate::frame::{Answer, When};

const EARLIEST: i64 = -2;
/// From this version on, a fetch names topics by their ids.
const IDS_FROM: i16 = 13;

/// A reader of all places.
#[derive(Debug)]
pub(crate) struct Reader {
    committed: bool,
    positions: BTreeMap<Place, i64>,
    asked: Option<Asked>,
    next: u64,
}

#[derive(Debug)]
enum Asked {
    Fetch(u64, Vec<(Place, i64)>),
    Start(u64, Place),
}

impl Reader {
    pub(crate) fn new(committed: bool) -> Self {
        Self { committed, positions: BTreeMap::new(), asked: None, next: 0 }
    }

    fn fetch(&mut self, cx: &mut Cx<'_>) {
        let mut places = Vec::new();
        for _ in 0..1 + cx.rng.below(3) {
            let place = cx.model.some_place(cx.rng, |_| true);
            let position = *self.positions.entry(place).or_insert(0);
            if !places.iter().any(|(other, _): &(Place, i64)| other.topic == place.topic) {
                places.push((place, position));
            }
        }
        // By name, one could not tell which topic of this name has answered.
        let by_id = |(place, _): &(Place, i64)| cx.model.topics[place.topic].mortal;
        if let Some(mortal) = places.iter().copied().find(by_id) {
            places = vec![mortal];
        }
        let by_id = places.iter().any(by_id);
        let named = places.iter().any(|(place, _)| cx.model.topics[place.topic].id.is_none());
        let versions = match (by_id, named) {
            (true, _) => IDS_FROM..=i16::MAX,
            (false, true) => 5..=IDS_FROM - 1,
            (false, false) => 5..=i16::MAX,
        };
        let request = fetch_request(cx, &places, self.committed);
        self.next += 1;
        cx.send_within(self.next, versions, None, &request);
        self.asked = Some(Asked::Fetch(self.next, places));
    }

    fn find_start(&mut self, cx: &mut Cx<'_>, place: Place) {
        let request = earliest_request(cx, place);
        self.next += 1;
        cx.send(self.next, &request);
        self.asked = Some(Asked::Start(self.next, place));
    }

    fn took(&mut self, cx: &mut Cx<'_>, when: When, place: Place, from: i64, data: PartitionData) {
        if data.error_code == ErrorCode::OffsetOutOfRange.code() {
            cx.model.out_of_range(place, from);
            return self.find_start(cx, place);
        }
        if data.error_code != 0 {
            return;
        }
        let consumed = cx.model.fetched(place, when, fetched(from, self.committed, data));
        if self.committed {
            cx.model.saw_committed(place, &consumed.records);
        }
        let state = cx.model.state(place);
        let (start, end) = (state.start, state.high_watermark);
        let jump = cx.once_in(30) && end > start;
        let next = match jump {
            true => start + cx.rng.below((end - start) as u64) as i64,
            false => consumed.next,
        };
        self.positions.insert(place, next);
    }
}

/// Asks for the start of a place.
pub(crate) fn earliest_request(cx: &Cx<'_>, place: Place) -> ListOffsetsRequest {
    make(|request: &mut ListOffsetsRequest| {
        request.replica_id = -1;
        request.topics = vec![make(|topic: &mut ListOffsetsTopic| {
            topic.name = cx.model.topic_name(place).into();
            topic.partitions = vec![make(|partition: &mut ListOffsetsPartition| {
                partition.partition_index = place.partition;
                partition.current_leader_epoch = -1;
                partition.timestamp = EARLIEST;
            })];
        })];
    })
}

/// Asks for places, each of another topic.
pub(crate) fn fetch_request(
    cx: &mut Cx<'_>,
    places: &[(Place, i64)],
    committed: bool,
) -> FetchRequest {
    let topics = places.iter().map(|(place, position)| {
        make(|topic: &mut FetchTopic| {
            topic.topic = cx.model.topic_name(*place).into();
            topic.topic_id = cx.model.topics[place.topic].id.unwrap_or(Uuid::ZERO);
            topic.partitions = vec![make(|partition: &mut FetchPartition| {
                partition.partition = place.partition;
                partition.current_leader_epoch = -1;
                partition.fetch_offset = *position;
                partition.partition_max_bytes = 1 << (6 + cx.rng.below(8));
            })];
        })
    });
    let topics = topics.collect();
    make(|request: &mut FetchRequest| {
        request.max_wait_ms = cx.rng.below(500) as i32;
        request.min_bytes = if cx.rng.below(2) == 0 { 1 } else { 300 };
        request.max_bytes = 1 << 14;
        request.isolation_level = i8::from(committed);
        request.topics = topics;
    })
}

/// What the model looks at.
pub(crate) fn fetched(from: i64, committed: bool, data: PartitionData) -> Fetched {
    let aborted = data.aborted_transactions.unwrap_or_default();
    Fetched {
        from,
        committed,
        ends: Ends {
            start: data.log_start_offset,
            high_watermark: data.high_watermark,
            last_stable_offset: data.last_stable_offset,
        },
        aborted: aborted.iter().map(|a| (a.producer_id, a.first_offset)).collect(),
        records: data.records.unwrap_or_default(),
    }
}

impl Client for Reader {
    fn wake(&mut self, cx: &mut Cx<'_>) {
        if cx.calm {
            return;
        }
        if self.asked.is_none() {
            self.fetch(cx);
        } else if cx.once_in(20) {
            cx.cut();
        }
        cx.wake_within(1_000_000);
    }

    fn answered(&mut self, tag: u64, answer: &Answer, cx: &mut Cx<'_>) {
        cx.wake_sometimes(3, 500, 200_000);
        match self.asked.take() {
            Some(Asked::Fetch(asked, places)) if asked == tag => {
                let response = answer.read::<FetchRequest>();
                for ((place, from), topic) in places.into_iter().zip(response.responses) {
                    for data in topic.partitions {
                        self.took(cx, answer.when, place, from, data);
                    }
                }
            }
            Some(Asked::Start(asked, place)) if asked == tag => {
                let response = answer.read::<ListOffsetsRequest>();
                let found = &response.topics[0].partitions[0];
                if found.error_code == 0 {
                    self.positions.insert(place, found.offset);
                }
            }
            other => self.asked = other,
        }
    }

    fn cut(&mut self, cx: &mut Cx<'_>) {
        self.asked = None;
        cx.wake_within(200_000);
    }

    fn is_done(&self) -> bool {
        true
    }
}
