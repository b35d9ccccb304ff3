//! A producer: plain or idempotent, with several batches under way and retries.
//! Invariant: batches of a partition are sent, and after a failure sent again, in the order in which they were made; an
//! idempotent producer sends them again with the same sequence. It gives up a batch only with its whole identity,
//! or with its topic.

use std::collections::BTreeMap;

use bytes::Bytes;
use mainstem_broker::ErrorCode;
use mainstem_broker::wire::produce_request::{PartitionProduceData, TopicProduceData};
use mainstem_broker::wire::{ProduceRequest, make};
use mainstem_log::{BatchBuilder, Compression};

use super::{Client, Cx, identity};
use crate::check::{Place, Sent, Uid};
use crate::frame::{Answer, When};

const INIT: u64 = 0;
/// After so many refusals of the oldest batch as out of order, the broker must have forgotten the ones before.
const PATIENCE: u32 = 30;
const COMPRESSIONS: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

/// A producer and what it has under way.
#[derive(Debug)]
pub(crate) struct Producer {
    writer: u64,
    idempotent: bool,
    acks: i16,
    identity: Option<(i64, i16)>,
    asking: bool,
    /// By name: it does not see that a topic is another one.
    sequences: BTreeMap<(String, i32), i32>,
    batches: BTreeMap<u64, Batch>,
    /// What each request brings.
    requests: BTreeMap<u64, Vec<u64>>,
    next: u64,
    left: u32,
    window: usize,
    /// It writes slowly and only what has keys, so that logs are compacted more than once.
    keeper: bool,
    /// Something failed: everything is sent again once nothing is under way.
    again: bool,
}

#[derive(Debug)]
struct Batch {
    place: Place,
    uids: Vec<Uid>,
    bytes: Bytes,
    under_way: bool,
    refused: u32,
}

impl Producer {
    pub(crate) fn new(writer: u64, idempotent: bool, acks: i16, left: u32, window: usize) -> Self {
        Self {
            writer,
            idempotent,
            acks,
            identity: None,
            asking: false,
            sequences: BTreeMap::new(),
            batches: BTreeMap::new(),
            requests: BTreeMap::new(),
            next: INIT + 1,
            left,
            window,
            keeper: false,
            again: false,
        }
    }

    /// One that keeps a table.
    pub(crate) fn keeper(writer: u64, left: u32) -> Self {
        Self { keeper: true, ..Self::new(writer, true, -1, left, 1) }
    }

    fn under_way(&self) -> usize {
        self.batches.values().filter(|batch| batch.under_way).count()
    }

    fn make_batch(&mut self, cx: &mut Cx<'_>, place: Place) -> u64 {
        let count = 1 + cx.rng.below(4) as u32;
        let compression = match cx.rng.below(8) {
            at @ 0..5 => COMPRESSIONS[at as usize],
            _ => Compression::None,
        };
        let mut builder = BatchBuilder::new(compression);
        if let Some((id, epoch)) = self.identity {
            let named = (cx.model.topic_name(place).to_owned(), place.partition);
            let sequence = self.sequences.entry(named).or_default();
            builder = builder.with_producer(id, epoch, *sequence);
            *sequence += count as i32;
        }
        let keyed = cx.model.topics[place.topic].compacted;
        let mut uids = Vec::new();
        for _ in 0..count {
            let key = keyed.then(|| cx.rng.below(6) as u32);
            let sent = Sent::new(place, self.writer, cx.now_ms());
            let tombstone = keyed && cx.once_in(4);
            let ordered = self.idempotent;
            let uid = cx.model.will_send(Sent { key, tombstone, ordered, ..sent });
            push(&mut builder, cx, uid, key);
            uids.push(uid);
        }
        let bytes = builder.finish().expect("it has records").into_bytes();
        self.left = self.left.saturating_sub(count);
        self.next += 1;
        let batch = Batch { place, uids, bytes, under_way: false, refused: 0 };
        self.batches.insert(self.next, batch);
        self.next
    }

    fn send(&mut self, cx: &mut Cx<'_>, batches: Vec<u64>) {
        self.next += 1;
        let tag = self.next;
        let mut topics: Vec<TopicProduceData> = Vec::new();
        for id in &batches {
            let Some(batch) = self.batches.get_mut(id) else { continue };
            batch.under_way = true;
            let data = make(|data: &mut PartitionProduceData| {
                data.index = batch.place.partition;
                data.records = Some(batch.bytes.clone());
            });
            topics.push(make(|topic: &mut TopicProduceData| {
                topic.name = cx.model.topic_name(batch.place).into();
                topic.partition_data = vec![data];
            }));
        }
        let request = make(|request: &mut ProduceRequest| {
            request.transactional_id = None;
            request.acks = self.acks;
            request.timeout_ms = 1_000;
            request.topic_data = topics;
        });
        // Zstd is refused before version 7.
        cx.send_within(tag, 7..=12, None, &request);
        if self.acks == 0 {
            batches.iter().for_each(|id| drop(self.batches.remove(id)));
        } else {
            self.requests.insert(tag, batches);
        }
    }

    fn send_all_again(&mut self, cx: &mut Cx<'_>) {
        self.again = false;
        // What was meant for a topic that is no more is not for the next one of its name.
        self.batches.retain(|_, batch| !cx.model.topics[batch.place.topic].ended);
        let all: Vec<u64> = self.batches.keys().copied().collect();
        for id in all {
            if !self.idempotent {
                let uids = self.batches[&id].uids.clone();
                uids.into_iter().for_each(|uid| cx.model.records.sent[uid].once = false);
            }
            self.send(cx, vec![id]);
        }
    }

    fn ask_identity(&mut self, cx: &mut Cx<'_>) {
        self.asking = true;
        identity::ask(cx, INIT, None, 1_000);
    }

    fn told(&mut self, cx: &mut Cx<'_>, when: When, id: u64, code: i16, base_offset: i64) {
        let Some(batch) = self.batches.get_mut(&id) else { return };
        batch.under_way = false;
        if code == 0 || code == ErrorCode::DuplicateSequenceNumber.code() {
            let batch = self.batches.remove(&id).expect("it was there");
            let offset = if code == 0 { base_offset } else { -1 };
            cx.model.acked(batch.place, when, &batch.uids, offset);
            return;
        }
        let place = batch.place;
        let oldest = {
            let first = self.batches.iter().find(|(_, other)| other.place == place);
            first.is_some_and(|(first, _)| *first == id)
        };
        cx.say(format_args!("batch {id} for {} refused: {code}", cx.model.name(place)));
        self.again = true;
        if oldest && code == ErrorCode::OutOfOrderSequenceNumber.code() {
            self.refused_as_out_of_order(cx, id);
        } else if code == ErrorCode::InvalidProducerEpoch.code() {
            self.start_over();
        }
    }

    fn refused_as_out_of_order(&mut self, cx: &mut Cx<'_>, id: u64) {
        let Some(batch) = self.batches.get_mut(&id) else { return };
        batch.refused += 1;
        if batch.refused < PATIENCE {
            return;
        }
        let place = batch.place;
        if !cx.model.may_forget_sequences(place) {
            let (name, writer) = (cx.model.name(place), self.writer);
            cx.model.fail(format!("{name}: the sequence of writer {writer} was forgotten"));
        }
        self.start_over();
    }

    fn start_over(&mut self) {
        self.identity = None;
        self.sequences.clear();
        self.batches.clear();
        self.requests.clear();
    }
}

/// A record that is known by its number.
pub(super) fn push(builder: &mut BatchBuilder, cx: &mut Cx<'_>, uid: Uid, key: Option<u32>) {
    let tombstone = cx.model.records.sent[uid].tombstone;
    let filler = "x".repeat(cx.rng.below(120) as usize);
    let value = format!("{uid}|{filler}");
    let value = value.as_bytes();
    let key = key.map(|key| key.to_string());
    let key = key.as_deref().map(str::as_bytes);
    match tombstone {
        true => builder.push(cx.now_ms(), key, None, &[("number", Some(value))]),
        false => builder.push(cx.now_ms(), key, Some(value), &[]),
    }
}

impl Client for Producer {
    fn wake(&mut self, cx: &mut Cx<'_>) {
        if self.idempotent && self.identity.is_none() {
            if !self.asking && !self.is_done() {
                self.ask_identity(cx);
            }
            return cx.wake_within(200_000);
        }
        if self.again {
            if self.under_way() == 0 {
                self.send_all_again(cx);
            }
            return cx.wake_within(400_000);
        }
        if self.under_way() < self.window && self.left > 0 {
            let keeper = self.keeper;
            let place = cx.model.some_place(cx.rng, |topic| topic.compacted || !keeper);
            let mut batches = vec![self.make_batch(cx, place)];
            let other = cx.model.some_place(cx.rng, |_| true);
            if !keeper && cx.once_in(4) && other.topic != place.topic && self.left > 0 {
                batches.push(self.make_batch(cx, other));
            }
            self.send(cx, batches);
        }
        if cx.once_in(100) && !cx.calm {
            cx.cut();
        }
        match self.keeper {
            true => cx.wake_within(3_000_000),
            false => cx.wake_sometimes(4, 2_000, 300_000),
        }
    }

    fn answered(&mut self, tag: u64, answer: &Answer, cx: &mut Cx<'_>) {
        if tag == INIT {
            self.asking = false;
            if let Ok(identity) = identity::given(answer, cx) {
                self.identity = Some(identity);
            }
            return cx.wake_within(10_000);
        }
        let Some(batches) = self.requests.remove(&tag) else { return };
        let response = answer.read::<ProduceRequest>();
        for (id, topic) in batches.into_iter().zip(response.responses) {
            let told = &topic.partition_responses[0];
            self.told(cx, answer.when, id, told.error_code, told.base_offset);
        }
    }

    fn cut(&mut self, cx: &mut Cx<'_>) {
        self.asking = false;
        self.requests.clear();
        self.again |= !self.batches.is_empty();
        self.batches.values_mut().for_each(|batch| batch.under_way = false);
        cx.wake_within(200_000);
    }

    fn is_done(&self) -> bool {
        self.left == 0 && self.batches.is_empty()
    }
}
