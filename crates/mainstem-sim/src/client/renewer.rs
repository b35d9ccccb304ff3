//! Makes a topic, deletes it and makes it again, while others write to it and read it; and knows it best while it is there.
//! Invariant: nobody else makes or deletes this topic, and it asks one thing at a time. What it was not answered it finds out: it
//! waits for the journal (which the fetch of an offset does) and then asks for the topic's id, so what it finds is durable.
//! Checks that a new topic knows nothing of the one before: no committed offset, no sequence of this producer.

use mainstem_broker::ErrorCode;
use mainstem_broker::wire::delete_topics_request::DeleteTopicState;
use mainstem_broker::wire::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use mainstem_broker::wire::produce_request::{PartitionProduceData, TopicProduceData};
use mainstem_broker::wire::{
    CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetFetchRequest, ProduceRequest, make,
};
use mainstem_log::{BatchBuilder, Compression};

use super::admin::{create, ids_request};
use super::producer::push;
use super::transactor::offset_request;
use super::{Client, Cx, identity, ok};
use crate::check::{Place, Sent, Topic, Uid};
use crate::frame::{Answer, When};

const GROUP: &str = "renewer";

/// What it does next, or waits for the answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Init,
    Create,
    /// What it finds out next will be durable.
    Settle,
    Find,
    Produce,
    Commit,
    Live,
    Delete,
}

/// The client.
#[derive(Debug)]
pub(crate) struct Renewer {
    topic: Topic,
    writer: u64,
    identity: (i64, i16),
    sequence: i32,
    step: Step,
    asked: bool,
    tag: u64,
    /// The topic that was found last.
    number: Option<usize>,
    /// What the journal has for this topic.
    committed: i64,
    /// What was committed to it for certain; -1 while it is new.
    commit: Option<i64>,
    batch: Option<(Vec<Uid>, bytes::Bytes)>,
}

impl Renewer {
    pub(crate) fn new(topic: Topic, writer: u64) -> Self {
        Self {
            topic,
            writer,
            identity: (-1, -1),
            sequence: 0,
            step: Step::Init,
            asked: false,
            tag: 0,
            number: None,
            committed: -1,
            commit: None,
            batch: None,
        }
    }

    fn place(&self) -> Place {
        Place { topic: self.number.unwrap_or_default(), partition: 0 }
    }

    fn ask(&mut self, cx: &mut Cx<'_>) {
        self.tag += 1;
        self.asked = true;
        match self.step {
            Step::Init => identity::ask(cx, self.tag, None, 1_000),
            Step::Create => cx.send(self.tag, &create(&self.topic)),
            Step::Settle => {
                let mut request = offset_request(cx, GROUP, self.place());
                for topic in request.topics.iter_mut().flatten() {
                    topic.name = self.topic.name.as_str().into();
                }
                cx.send_within(self.tag, 7..=7, None, &request);
            }
            Step::Find => {
                let request = ids_request([self.topic.name.as_str()].into_iter());
                cx.send_within(self.tag, 10..=13, None, &request);
            }
            Step::Produce => self.ask_produce(cx),
            Step::Commit => self.ask_commit(cx),
            Step::Live => self.asked = false,
            Step::Delete => self.ask_delete(cx),
        }
    }

    fn ask_produce(&mut self, cx: &mut Cx<'_>) {
        let place = self.place();
        if self.batch.is_none() {
            let count = 1 + cx.rng.below(3) as i32;
            let (id, epoch) = self.identity;
            let mut builder =
                BatchBuilder::new(Compression::None).with_producer(id, epoch, self.sequence);
            let mut uids = Vec::new();
            for _ in 0..count {
                let sent = Sent::new(place, self.writer, cx.now_ms());
                let uid = cx.model.will_send(Sent { ordered: true, ..sent });
                push(&mut builder, cx, uid, None);
                uids.push(uid);
            }
            self.sequence += count;
            self.batch = Some((uids, builder.finish().expect("it has records").into_bytes()));
        }
        let records = self.batch.as_ref().map(|(_, bytes)| bytes.clone());
        let request = make(|request: &mut ProduceRequest| {
            request.acks = -1;
            request.timeout_ms = 1_000;
            request.topic_data = vec![make(|topic: &mut TopicProduceData| {
                topic.name = self.topic.name.as_str().into();
                topic.partition_data = vec![make(|data: &mut PartitionProduceData| {
                    data.index = place.partition;
                    data.records = records;
                })];
            })];
        });
        cx.send_within(self.tag, 7..=12, None, &request);
    }

    fn ask_commit(&mut self, cx: &mut Cx<'_>) {
        self.commit = None;
        let request = make(|request: &mut OffsetCommitRequest| {
            request.group_id = GROUP.into();
            request.generation_id_or_member_epoch = -1;
            request.topics = vec![make(|topic: &mut OffsetCommitRequestTopic| {
                topic.name = self.topic.name.as_str().into();
                topic.partitions = vec![make(|partition: &mut OffsetCommitRequestPartition| {
                    partition.committed_offset = i64::from(self.sequence);
                    partition.committed_leader_epoch = -1;
                })];
            })];
        });
        cx.send_within(self.tag, 2..=9, None, &request);
    }

    fn ask_delete(&mut self, cx: &mut Cx<'_>) {
        let Some(number) = self.number else { return };
        cx.model.topic_doubted(number);
        let id = cx.model.topics[number].id.filter(|_| cx.once_in(2));
        let request = make(|request: &mut DeleteTopicsRequest| match id {
            Some(id) => {
                request.topics = vec![make(|topic: &mut DeleteTopicState| {
                    topic.name = None;
                    topic.topic_id = id;
                })];
            }
            None => request.topic_names = vec![self.topic.name.as_str().into()],
        });
        let versions = if id.is_some() { 6..=6 } else { 1..=5 };
        cx.send_within(self.tag, versions, None, &request);
    }

    fn took(&mut self, answer: &Answer, cx: &mut Cx<'_>) -> Result<(), i16> {
        match self.step {
            Step::Init => {
                self.identity = identity::given(answer, cx)?;
                self.step = Step::Settle;
            }
            Step::Create => {
                let code = answer.read::<CreateTopicsRequest>().topics[0].error_code;
                if code != ErrorCode::TopicAlreadyExists.code() {
                    ok(code)?;
                }
                self.step = Step::Settle;
            }
            Step::Settle => {
                let response = answer.read::<OffsetFetchRequest>();
                let found = &response.topics[0].partitions[0];
                ok(found.error_code)?;
                self.committed = found.committed_offset;
                self.step = Step::Find;
            }
            Step::Find => self.found(answer, cx)?,
            Step::Produce => self.produced(answer, cx)?,
            Step::Commit => {
                let response = answer.read::<OffsetCommitRequest>();
                ok(response.topics[0].partitions[0].error_code)?;
                self.commit = Some(i64::from(self.sequence));
                self.step = Step::Live;
            }
            Step::Live => {}
            Step::Delete => {
                ok(answer.read::<DeleteTopicsRequest>().responses[0].error_code)?;
                self.gone(cx);
            }
        }
        Ok(())
    }

    fn found(&mut self, answer: &Answer, cx: &mut Cx<'_>) -> Result<(), i16> {
        let found = answer.read::<MetadataRequest>().topics.remove(0);
        if found.error_code == ErrorCode::UnknownTopicOrPartition.code() {
            self.gone(cx);
            return Ok(());
        }
        ok(found.error_code)?;
        let (number, new) = cx.model.topic_found(self.topic.clone(), found.topic_id, answer.when);
        cx.say(format_args!("{} is number {number}, new: {new}", self.topic.name));
        let (name, committed) = (&self.topic.name, self.committed);
        if new && committed != -1 {
            cx.model.fail(format!("{name}: the new topic has the committed offset {committed}"));
        }
        if let Some(commit) = self.commit.filter(|commit| !new && *commit != committed) {
            cx.model.fail(format!("{name}: committed was {commit}, found is {committed}"));
        }
        self.number = Some(number);
        if new && cx.once_in(2) {
            self.sequence = 0;
        }
        self.step = Step::Produce;
        Ok(())
    }

    /// It is deleted, durably.
    fn gone(&mut self, cx: &mut Cx<'_>) {
        if let Some(number) = self.number.take() {
            cx.model.topic_gone(number);
        }
        self.commit = None;
        self.batch = None;
        self.step = Step::Create;
    }

    fn produced(&mut self, answer: &Answer, cx: &mut Cx<'_>) -> Result<(), i16> {
        let response = answer.read::<ProduceRequest>();
        let told = &response.responses[0].partition_responses[0];
        let forgets = [
            ErrorCode::OutOfOrderSequenceNumber,
            ErrorCode::DuplicateSequenceNumber,
            ErrorCode::UnknownTopicOrPartition,
        ];
        if forgets.iter().any(|code| code.code() == told.error_code) {
            let (name, code, sequence) = (&self.topic.name, told.error_code, self.sequence);
            cx.model.fail(format!("{name}: the batch before {sequence} was refused: {code}"));
        }
        ok(told.error_code)?;
        if let Some((uids, _)) = self.batch.take() {
            self.acked(cx, answer.when, &uids, told.base_offset);
        }
        self.step = if cx.once_in(3) { Step::Produce } else { Step::Commit };
        Ok(())
    }

    fn acked(&self, cx: &mut Cx<'_>, when: When, uids: &[Uid], base_offset: i64) {
        cx.model.acked(self.place(), when, uids, base_offset);
    }
}

impl Client for Renewer {
    fn wake(&mut self, cx: &mut Cx<'_>) {
        cx.wake_within(1_000_000);
        if self.asked {
            return;
        }
        if self.step == Step::Live && !cx.calm {
            self.step = match cx.rng.below(4) {
                0 => Step::Delete,
                1 => Step::Produce,
                _ => Step::Live,
            };
        }
        self.ask(cx);
    }

    fn answered(&mut self, tag: u64, answer: &Answer, cx: &mut Cx<'_>) {
        if tag != self.tag || !self.asked {
            return;
        }
        self.asked = false;
        match self.took(answer, cx) {
            Ok(()) => cx.wake_sometimes(2, 500, 50_000),
            Err(code) => {
                cx.say(format_args!("refused at {:?}: {code}", self.step));
                if self.step == Step::Delete {
                    // The disk was against it, or it was done before.
                    self.step = Step::Settle;
                }
                cx.wake_within(200_000);
            }
        }
    }

    fn cut(&mut self, cx: &mut Cx<'_>) {
        self.asked = false;
        if self.step == Step::Delete {
            self.step = Step::Settle;
        }
        cx.wake_within(200_000);
    }

    fn is_done(&self) -> bool {
        self.step == Step::Live
    }
}
