//! A transactional producer; it may take its records from an input topic and commit how far it has read with them.
//! Invariant: it commits only after every record and offset of the transaction was acknowledged. It may vanish at any moment and
//! come back under the same name, or have a twin: the broker fences one of them.

use std::collections::BTreeMap;

use bytes::Bytes;
use mainstem_broker::ErrorCode;
use mainstem_broker::wire::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use mainstem_broker::wire::offset_fetch_request::OffsetFetchRequestTopic;
use mainstem_broker::wire::produce_request::{PartitionProduceData, TopicProduceData};
use mainstem_broker::wire::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use mainstem_broker::wire::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, FetchRequest,
    OffsetFetchRequest, ProduceRequest, TxnOffsetCommitRequest, make,
};
use mainstem_log::{BatchBuilder, Compression};

use super::producer::push;
use super::reader::{fetch_request, fetched};
use super::{Client, Cx, identity, ok};
use crate::check::{Note, Place, Sent, Uid, transform_group};
use crate::frame::{Answer, When};

/// What it does next, or waits for the answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Init,
    /// Where to go on reading the input.
    Position,
    Read,
    AddPartitions,
    Produce,
    AddOffsets,
    CommitOffsets,
    End,
}

/// A transactional producer.
#[derive(Debug)]
pub(crate) struct Transactor {
    id: String,
    writer: u64,
    input: Option<Place>,
    timeout_ms: i32,
    left: u32,
    identity: (i64, i16),
    step: Step,
    asked: bool,
    finished: bool,
    tag: u64,
    position: i64,
    number: usize,
    /// Places of this transaction that are not written yet, the next one last.
    to_write: Vec<(Place, Vec<Uid>, Bytes)>,
    writing: usize,
    commit: bool,
    /// When its offsets were taken.
    staged: Option<When>,
    /// By name: it does not see that a topic is another one.
    sequences: BTreeMap<(String, i32), i32>,
}

impl Transactor {
    pub(crate) fn new(
        id: String,
        writer: u64,
        input: Option<Place>,
        timeout_ms: i32,
        left: u32,
    ) -> Self {
        Self {
            id,
            writer,
            input,
            timeout_ms,
            left,
            identity: (-1, -1),
            step: Step::Init,
            asked: false,
            finished: false,
            tag: 0,
            position: 0,
            number: 0,
            to_write: Vec::new(),
            writing: 0,
            commit: true,
            staged: None,
            sequences: BTreeMap::new(),
        }
    }

    /// Begins anew, under a new epoch. What became of the last transaction is not known.
    fn start_over(&mut self) {
        self.step = Step::Init;
        self.asked = false;
        self.to_write.clear();
    }

    /// Makes the records of a transaction; with an input, one for each that was read.
    fn begin(&mut self, cx: &mut Cx<'_>, taken: Option<(i64, i64, usize)>) {
        self.number = cx.model.begin_transaction();
        self.commit = cx.calm || !cx.once_in(4);
        self.writing = 0;
        // What becomes of the input is seen by what becomes of the output, which has to stay.
        let alone = self.input.is_none();
        let mut places: Vec<Place> = Vec::new();
        for _ in 0..1 + cx.rng.below(3) {
            let place =
                cx.model.some_place(cx.rng, |topic| topic.transactional || (topic.mortal && alone));
            if !places.contains(&place) {
                places.push(place);
            }
        }
        for place in places {
            let count = taken.map_or(1 + cx.rng.below(3) as usize, |(_, _, count)| count);
            self.write_to(cx, place, count);
        }
        if let (Some(place), Some((from, to, _))) = (self.input, taken) {
            cx.model.transaction(self.number).input = Some((place, from, to));
        }
        self.step = Step::AddPartitions;
    }

    fn write_to(&mut self, cx: &mut Cx<'_>, place: Place, count: usize) {
        let named = (cx.model.topic_name(place).to_owned(), place.partition);
        let sequence = self.sequences.entry(named).or_default();
        let mut builder = BatchBuilder::new(Compression::None)
            .with_producer(self.identity.0, self.identity.1, *sequence)
            .transactional();
        *sequence += count as i32;
        let mut uids = Vec::new();
        for _ in 0..count {
            let transaction = Some(self.number);
            let sent = Sent::new(place, self.writer, cx.now_ms());
            let uid = cx.model.will_send(Sent { transaction, ..sent });
            push(&mut builder, cx, uid, None);
            uids.push(uid);
        }
        let bytes = builder.finish().expect("it has records").into_bytes();
        self.to_write.push((place, uids, bytes));
    }

    fn ask(&mut self, cx: &mut Cx<'_>) {
        self.tag += 1;
        self.asked = true;
        match self.step {
            Step::Init => identity::ask(cx, self.tag, Some(&self.id), self.timeout_ms),
            Step::Position => self.ask_position(cx),
            Step::Read => self.ask_input(cx),
            Step::AddPartitions => self.ask_partitions(cx),
            Step::Produce => self.ask_produce(cx),
            Step::AddOffsets => {
                let group = self.input.map(transform_group).unwrap_or_default();
                let request = make(|request: &mut AddOffsetsToTxnRequest| {
                    request.transactional_id = self.id.as_str().into();
                    (request.producer_id, request.producer_epoch) = self.identity;
                    request.group_id = group.into();
                });
                cx.send(self.tag, &request);
            }
            Step::CommitOffsets => self.ask_offsets(cx),
            Step::End => {
                if self.commit {
                    cx.model.transaction(self.number).commit_asked = true;
                }
                let request = make(|request: &mut EndTxnRequest| {
                    request.transactional_id = self.id.as_str().into();
                    (request.producer_id, request.producer_epoch) = self.identity;
                    request.committed = self.commit;
                });
                cx.send(self.tag, &request);
            }
        }
    }

    fn ask_position(&self, cx: &mut Cx<'_>) {
        let Some(place) = self.input else { return };
        let request = offset_request(cx, &transform_group(place), place);
        cx.send_within(self.tag, 7..=7, None, &request);
    }

    fn ask_input(&self, cx: &mut Cx<'_>) {
        let Some(place) = self.input else { return };
        let request = fetch_request(cx, &[(place, self.position)], true);
        cx.send_within(self.tag, 5..=12, None, &request);
    }

    fn ask_partitions(&self, cx: &mut Cx<'_>) {
        let topics = self.to_write.iter().map(|(place, _, _)| {
            make(|topic: &mut AddPartitionsToTxnTopic| {
                topic.name = cx.model.topic_name(*place).into();
                topic.partitions = vec![place.partition];
            })
        });
        let topics = topics.collect();
        let request = make(|request: &mut AddPartitionsToTxnRequest| {
            request.v3_and_below_transactional_id = self.id.as_str().into();
            request.v3_and_below_producer_id = self.identity.0;
            request.v3_and_below_producer_epoch = self.identity.1;
            request.v3_and_below_topics = topics;
        });
        cx.send(self.tag, &request);
    }

    fn ask_produce(&self, cx: &mut Cx<'_>) {
        let (place, _, bytes) = &self.to_write[self.writing];
        let request = make(|request: &mut ProduceRequest| {
            request.transactional_id = Some(self.id.as_str().into());
            request.acks = -1;
            request.timeout_ms = 1_000;
            request.topic_data = vec![make(|topic: &mut TopicProduceData| {
                topic.name = cx.model.topic_name(*place).into();
                topic.partition_data = vec![make(|data: &mut PartitionProduceData| {
                    data.index = place.partition;
                    data.records = Some(bytes.clone());
                })];
            })];
        });
        cx.send_within(self.tag, 7..=12, None, &request);
    }

    fn ask_offsets(&self, cx: &mut Cx<'_>) {
        let Some(place) = self.input else { return };
        let group = transform_group(place);
        let request = make(|request: &mut TxnOffsetCommitRequest| {
            request.transactional_id = self.id.as_str().into();
            request.group_id = group.as_str().into();
            (request.producer_id, request.producer_epoch) = self.identity;
            request.generation_id_or_member_epoch = -1;
            request.group_instance_id = None;
            request.topics = vec![make(|topic: &mut TxnOffsetCommitRequestTopic| {
                topic.name = cx.model.topic_name(place).into();
                topic.partitions = vec![make(|partition: &mut TxnOffsetCommitRequestPartition| {
                    partition.partition_index = place.partition;
                    partition.committed_offset = self.position;
                    partition.committed_leader_epoch = -1;
                })];
            })];
        });
        let note = Note::Commit { group, place, offset: self.position };
        cx.send_within(self.tag, 0..=4, Some(note), &request);
    }

    /// What an error means for the transaction.
    fn refused(&mut self, cx: &mut Cx<'_>, code: i16) {
        let step = self.step;
        cx.say(format_args!("{} refused at {step:?}: {code}", self.id));
        let fenced = [
            ErrorCode::InvalidProducerEpoch,
            ErrorCode::ProducerFenced,
            ErrorCode::InvalidTxnState,
            ErrorCode::InvalidProducerIdMapping,
            ErrorCode::OutOfOrderSequenceNumber,
        ];
        if fenced.iter().any(|fence| fence.code() == code) {
            self.start_over();
            return cx.wake_within(1_000_000);
        }
        cx.wake_within(100_000);
    }

    fn next_transaction(&mut self, cx: &mut Cx<'_>) {
        if self.left == 0 {
            self.finished = true;
        } else if self.input.is_some() {
            self.step = Step::Read;
        } else {
            self.left = self.left.saturating_sub(1);
            self.begin(cx, None);
        }
    }

    fn took(&mut self, answer: &Answer, cx: &mut Cx<'_>) -> Result<(), i16> {
        match self.step {
            Step::Init => {
                self.identity = identity::given(answer, cx)?;
                self.sequences.clear();
                self.step = Step::Position;
                if self.input.is_none() {
                    self.next_transaction(cx);
                }
            }
            Step::Position => {
                let response = answer.read::<OffsetFetchRequest>();
                let found = &response.topics[0].partitions[0];
                ok(found.error_code)?;
                if let Some(place) = self.input {
                    let group = transform_group(place);
                    cx.model.offset_shown(&group, place, found.committed_offset, answer.when);
                }
                self.position = found.committed_offset.max(0);
                self.next_transaction(cx);
            }
            Step::Read => self.read(answer, cx)?,
            Step::AddPartitions => {
                let response = answer.read::<AddPartitionsToTxnRequest>();
                for topic in &response.results_by_topic_v3_and_below {
                    ok(topic.results_by_partition[0].partition_error_code)?;
                }
                self.step = Step::Produce;
            }
            Step::Produce => {
                let response = answer.read::<ProduceRequest>();
                let told = &response.responses[0].partition_responses[0];
                let (place, uids, _) = self.to_write[self.writing].clone();
                if told.error_code != ErrorCode::DuplicateSequenceNumber.code() {
                    ok(told.error_code)?;
                    cx.model.acked(place, answer.when, &uids, told.base_offset);
                }
                // What is deleted with its topic is in no transaction any more.
                if !cx.model.topics[place.topic].mortal {
                    cx.model.transaction(self.number).records.extend(uids);
                }
                self.writing += 1;
                if self.writing == self.to_write.len() {
                    self.to_write.clear();
                    self.step = if self.input.is_some() { Step::AddOffsets } else { Step::End };
                }
            }
            Step::AddOffsets => {
                ok(answer.read::<AddOffsetsToTxnRequest>().error_code)?;
                self.step = Step::CommitOffsets;
            }
            Step::CommitOffsets => {
                let response = answer.read::<TxnOffsetCommitRequest>();
                ok(response.topics[0].partitions[0].error_code)?;
                self.staged = Some(answer.when);
                self.step = Step::End;
            }
            Step::End => {
                ok(answer.read::<EndTxnRequest>().error_code)?;
                self.ended(cx);
            }
        }
        Ok(())
    }

    fn read(&mut self, answer: &Answer, cx: &mut Cx<'_>) -> Result<(), i16> {
        let Some(place) = self.input else { return Ok(()) };
        let data = answer.read::<FetchRequest>().responses.remove(0).partitions.remove(0);
        ok(data.error_code)?;
        let (from, end) = (self.position, data.high_watermark);
        let consumed = cx.model.fetched(place, answer.when, fetched(from, true, data));
        self.position = consumed.next;
        if consumed.next > from {
            self.left = self.left.saturating_sub(1);
            // An empty transaction would leave nothing to see.
            self.begin(cx, Some((from, consumed.next, consumed.records.len().max(1))));
        } else if cx.calm && from >= end {
            self.finished = true;
        }
        Ok(())
    }

    fn ended(&mut self, cx: &mut Cx<'_>) {
        let transaction = cx.model.transaction(self.number);
        if self.commit {
            transaction.committed = true;
        } else {
            transaction.aborted = true;
        }
        match (self.input, self.commit) {
            (Some(place), true) => {
                if let Some(staged) = self.staged {
                    cx.model.offset_committed(&transform_group(place), place, -1, staged);
                }
                self.next_transaction(cx);
            }
            // What was aborted is read again.
            (Some(_), false) => self.step = Step::Position,
            (None, _) => self.next_transaction(cx),
        }
    }
}

/// Asks for a stable committed offset.
pub(crate) fn offset_request(cx: &Cx<'_>, group: &str, place: Place) -> OffsetFetchRequest {
    make(|request: &mut OffsetFetchRequest| {
        request.group_id = group.into();
        request.require_stable = true;
        request.topics = Some(vec![make(|topic: &mut OffsetFetchRequestTopic| {
            topic.name = cx.model.topic_name(place).into();
            topic.partition_indexes = vec![place.partition];
        })]);
    })
}

impl Client for Transactor {
    fn wake(&mut self, cx: &mut Cx<'_>) {
        if self.is_done() || self.asked {
            return cx.wake_within(1_000_000);
        }
        if !cx.calm && cx.once_in(40) {
            // It vanishes, and comes back as if it knew nothing.
            cx.say(format_args!("{} vanishes at {:?}", self.id, self.step));
            self.start_over();
            cx.cut();
            return cx.wake_within(4_000_000);
        }
        if !cx.calm && cx.once_in(60) {
            // Longer than its transaction may take.
            return cx.wake_within(2_000 * self.timeout_ms as u64);
        }
        self.ask(cx);
        cx.wake_within(2_000_000);
    }

    fn answered(&mut self, tag: u64, answer: &Answer, cx: &mut Cx<'_>) {
        if tag != self.tag || !self.asked {
            return;
        }
        self.asked = false;
        match self.took(answer, cx) {
            Ok(()) => cx.wake_sometimes(2, 500, 50_000),
            Err(code) => self.refused(cx, code),
        }
    }

    fn cut(&mut self, cx: &mut Cx<'_>) {
        self.asked = false;
        cx.wake_within(200_000);
    }

    fn is_done(&self) -> bool {
        self.finished
    }
}
