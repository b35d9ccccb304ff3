//! A member of a consumer group in the classic protocol: joins, leads or follows, commits what it owns, pauses, leaves, dies.
//! Invariant: it commits only partitions of its present assignment, and each time further than before.

use bytes::Bytes;
use mainstem_broker::ErrorCode;
use mainstem_broker::wire::join_group_request::JoinGroupRequestProtocol;
use mainstem_broker::wire::join_group_response::JoinGroupResponseMember;
use mainstem_broker::wire::leave_group_request::MemberIdentity;
use mainstem_broker::wire::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use mainstem_broker::wire::sync_group_request::SyncGroupRequestAssignment;
use mainstem_broker::wire::{
    HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, OffsetFetchRequest,
    SyncGroupRequest, make,
};

use super::transactor::offset_request;
use super::{Client, Cx, ok};
use crate::check::{Note, Place};
use crate::frame::Answer;

const PROTOCOL: &str = "range";

/// What it has asked, or asks next.
#[derive(Debug, Clone)]
enum Step {
    Join,
    Sync(Vec<JoinGroupResponseMember>),
    Heartbeat,
    Commit(Place, i64),
    Look(Place),
    Leave,
}

/// One member.
#[derive(Debug)]
pub(crate) struct Member {
    group: String,
    topic: usize,
    instance: Option<String>,
    session_timeout_ms: i32,
    id: String,
    generation: i32,
    owned: Vec<i32>,
    step: Step,
    asked: bool,
    tag: u64,
}

impl Member {
    pub(crate) fn new(
        group: String,
        topic: usize,
        instance: Option<String>,
        session_timeout_ms: i32,
    ) -> Self {
        Self {
            group,
            topic,
            instance,
            session_timeout_ms,
            id: String::new(),
            generation: -1,
            owned: Vec::new(),
            step: Step::Join,
            asked: false,
            tag: 0,
        }
    }

    fn join_again(&mut self) {
        self.owned.clear();
        self.step = Step::Join;
    }

    fn ask(&mut self, cx: &mut Cx<'_>) {
        self.tag += 1;
        self.asked = true;
        let instance = self.instance.as_deref().map(Into::into);
        match self.step.clone() {
            Step::Join => {
                let request = make(|request: &mut JoinGroupRequest| {
                    request.group_id = self.group.as_str().into();
                    request.session_timeout_ms = self.session_timeout_ms;
                    request.rebalance_timeout_ms = 2 * self.session_timeout_ms;
                    request.member_id = self.id.as_str().into();
                    request.group_instance_id = instance;
                    request.protocol_type = "consumer".into();
                    request.protocols = vec![make(|protocol: &mut JoinGroupRequestProtocol| {
                        protocol.name = PROTOCOL.into();
                        protocol.metadata = Bytes::from_static(b"m");
                    })];
                });
                let from = if self.instance.is_some() { 5 } else { 1 };
                cx.send_within(self.tag, from..=9, None, &request);
            }
            Step::Sync(members) => {
                let assignments = self.assign(cx, &members);
                let request = make(|request: &mut SyncGroupRequest| {
                    request.group_id = self.group.as_str().into();
                    request.generation_id = self.generation;
                    request.member_id = self.id.as_str().into();
                    request.group_instance_id = instance;
                    request.protocol_type = Some("consumer".into());
                    request.protocol_name = Some(PROTOCOL.into());
                    request.assignments = assignments;
                });
                let from = if self.instance.is_some() { 3 } else { 0 };
                cx.send_within(self.tag, from..=5, None, &request);
            }
            Step::Heartbeat => {
                let request = make(|request: &mut HeartbeatRequest| {
                    request.group_id = self.group.as_str().into();
                    request.generation_id = self.generation;
                    request.member_id = self.id.as_str().into();
                    request.group_instance_id = instance;
                });
                let from = if self.instance.is_some() { 3 } else { 0 };
                cx.send_within(self.tag, from..=4, None, &request);
            }
            Step::Commit(place, offset) => self.ask_commit(cx, place, offset),
            Step::Look(place) => {
                let mut request = offset_request(cx, &self.group, place);
                request.require_stable = false;
                cx.send_within(self.tag, 1..=7, None, &request);
            }
            Step::Leave => {
                let request = make(|request: &mut LeaveGroupRequest| {
                    request.group_id = self.group.as_str().into();
                    request.members = vec![make(|member: &mut MemberIdentity| {
                        member.member_id = self.id.as_str().into();
                        member.group_instance_id = instance;
                    })];
                });
                cx.send_within(self.tag, 3..=5, None, &request);
            }
        }
    }

    fn ask_commit(&self, cx: &mut Cx<'_>, place: Place, offset: i64) {
        let request = make(|request: &mut OffsetCommitRequest| {
            request.group_id = self.group.as_str().into();
            request.generation_id_or_member_epoch = self.generation;
            request.member_id = self.id.as_str().into();
            request.group_instance_id = self.instance.as_deref().map(Into::into);
            request.retention_time_ms = -1;
            request.topics = vec![make(|topic: &mut OffsetCommitRequestTopic| {
                topic.name = cx.model.topic_name(place).into();
                topic.partitions = vec![make(|partition: &mut OffsetCommitRequestPartition| {
                    partition.partition_index = place.partition;
                    partition.committed_offset = offset;
                    partition.committed_leader_epoch = -1;
                })];
            })];
        });
        let note = Note::Commit { group: self.group.clone(), place, offset };
        let from = if self.instance.is_some() { 7 } else { 2 };
        cx.send_within(self.tag, from..=9, Some(note), &request);
    }

    /// What a leader assigns: a mark of its own, and each partition to somebody.
    fn assign(
        &self,
        cx: &mut Cx<'_>,
        members: &[JoinGroupResponseMember],
    ) -> Vec<SyncGroupRequestAssignment> {
        let mark = cx.rng.next_u64() >> 16;
        let partitions = cx.model.topics[self.topic].partitions;
        let shift = cx.rng.below(7) as usize;
        let members = members.iter().enumerate().map(|(at, member)| {
            let own = (0..partitions).filter(|p| (*p as usize + shift) % members.len() == at);
            let own: Vec<String> = own.map(|partition| partition.to_string()).collect();
            make(|assignment: &mut SyncGroupRequestAssignment| {
                assignment.member_id = member.member_id.clone();
                assignment.assignment = format!("{mark}:{}", own.join(",")).into();
            })
        });
        members.collect()
    }

    fn took(&mut self, answer: &Answer, cx: &mut Cx<'_>) -> Result<(), i16> {
        match self.step.clone() {
            Step::Join => {
                let response = answer.read::<JoinGroupRequest>();
                if response.error_code == ErrorCode::MemberIdRequired.code() {
                    self.id = response.member_id.to_string();
                    return Ok(());
                }
                ok(response.error_code)?;
                self.id = response.member_id.to_string();
                self.generation = response.generation_id;
                cx.model.generation_begun(&self.group, self.generation, answer.when);
                self.step = Step::Sync(response.members);
            }
            Step::Sync(_) => {
                let response = answer.read::<SyncGroupRequest>();
                ok(response.error_code)?;
                self.step = Step::Heartbeat;
                let text = String::from_utf8_lossy(&response.assignment).into_owned();
                let Some((mark, own)) = text.split_once(':') else { return Ok(()) };
                self.owned = own.split(',').filter_map(|p| p.parse().ok()).collect();
                let mark = mark.parse().unwrap_or_default();
                // Who comes back under the same name takes the place of who was fenced.
                let id = self.instance.clone().unwrap_or_else(|| self.id.clone());
                let group = self.group.clone();
                cx.model.assigned(&group, self.generation, &id, mark, &self.owned, answer.when);
            }
            Step::Heartbeat => ok(answer.read::<HeartbeatRequest>().error_code)?,
            Step::Commit(place, _) => {
                let response = answer.read::<OffsetCommitRequest>();
                self.step = Step::Heartbeat;
                ok(response.topics[0].partitions[0].error_code)?;
                cx.model.offset_committed(&self.group, place, self.generation, answer.when);
            }
            Step::Look(place) => {
                let response = answer.read::<OffsetFetchRequest>();
                self.step = Step::Heartbeat;
                let found = &response.topics[0].partitions[0];
                ok(found.error_code)?;
                cx.model.offset_shown(&self.group, place, found.committed_offset, answer.when);
            }
            Step::Leave => {
                let _ = answer.read::<LeaveGroupRequest>();
                self.id.clear();
                self.join_again();
                cx.wake_within(3_000_000);
            }
        }
        Ok(())
    }

    fn refused(&mut self, cx: &mut Cx<'_>, code: i16) {
        cx.say(format_args!("{} refused at {:?}: {code}", self.id, self.step));
        let unknown = [ErrorCode::UnknownMemberId, ErrorCode::FencedInstanceId];
        let again = [ErrorCode::IllegalGeneration, ErrorCode::RebalanceInProgress];
        if unknown.iter().any(|known| known.code() == code) {
            self.id.clear();
            self.join_again();
        } else if again.iter().any(|known| known.code() == code) {
            self.join_again();
        }
    }

    /// What a member in a stable group does next.
    fn choose(&mut self, cx: &mut Cx<'_>) {
        let own = self.owned.get(cx.rng.below(self.owned.len().max(1) as u64) as usize);
        let place = own.map(|partition| Place { topic: self.topic, partition: *partition });
        self.step = match (cx.rng.below(40), place) {
            (0..12, Some(place)) => {
                cx.model.offsets.next_commit += 1;
                Step::Commit(place, cx.model.offsets.next_commit)
            }
            (12..16, Some(place)) => Step::Look(place),
            (16, _) => Step::Leave,
            (17, _) => Step::Join,
            _ => Step::Heartbeat,
        };
    }
}

impl Client for Member {
    fn wake(&mut self, cx: &mut Cx<'_>) {
        let session_us = 1_000 * self.session_timeout_ms as u64;
        if cx.calm {
            return;
        }
        if self.asked {
            if cx.once_in(10) {
                cx.cut();
            }
            return cx.wake_within(session_us);
        }
        if cx.once_in(60) {
            // It dies; another one comes in its place.
            self.id.clear();
            self.join_again();
            cx.cut();
            return cx.wake_within(3 * session_us);
        }
        if cx.once_in(60) {
            // It says nothing for so long that the group goes on without it.
            return cx.wake_within(4 * session_us);
        }
        if matches!(self.step, Step::Heartbeat) {
            self.choose(cx);
        }
        self.ask(cx);
        cx.wake_within(session_us);
    }

    fn answered(&mut self, tag: u64, answer: &Answer, cx: &mut Cx<'_>) {
        if tag != self.tag || !self.asked {
            return;
        }
        self.asked = false;
        cx.wake_sometimes(3, 1_000, 200 * self.session_timeout_ms as u64);
        if let Err(code) = self.took(answer, cx) {
            self.refused(cx, code);
        }
    }

    fn cut(&mut self, cx: &mut Cx<'_>) {
        self.asked = false;
        if matches!(self.step, Step::Commit(..) | Step::Look(_)) {
            self.step = Step::Heartbeat;
        }
        cx.wake_within(100_000);
    }

    fn is_done(&self) -> bool {
        true
    }
}
