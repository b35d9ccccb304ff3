//! A consumer group in the classic protocol: members join, a leader assigns, everybody syncs.
//! Invariant: in one generation each partition that the leader assigned has one owner, because an assignment is handed out only
//! in the phase `Stable`, only to members of that generation, and a new generation begins only when all members have joined
//! again or were removed. Time is an argument; whoever is answered stands in [`Replies`].
//! Kafka's rules: KIP-134 (initial delay), KIP-345 (static members), KIP-394 (member id required), KIP-800 and KIP-814 (a static
//! leader that comes back does not assign again). Metadata and assignments are opaque bytes: Connect and Streams use them too.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::member::Member;
use crate::call::RequestId;
use crate::wire::join_group_response::JoinGroupResponseMember;
use crate::wire::{JoinGroupResponse, StrBytes, SyncGroupResponse, make};
use crate::{ErrorCode, Response};

/// A member that joined and waits for the others is not dropped for silence before this long.
const NEW_MEMBER_PATIENCE_MS: i64 = 300_000;

/// Answers to requests, also to parked ones.
pub(crate) type Replies = Vec<(RequestId, Response)>;

/// Where a group is between two rebalances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No members; committed offsets may remain.
    Empty,
    /// Members are asked to join again until the deadline.
    PreparingRebalance,
    /// All have joined; the leader's assignment is awaited.
    CompletingRebalance,
    /// Everyone knows what it owns.
    Stable,
}

impl Phase {
    /// Kafka's name of it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// What a join brings.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) to: RequestId,
    /// Empty for a member that has no id yet.
    pub(crate) member_id: StrBytes,
    pub(crate) instance_id: Option<StrBytes>,
    /// The id that a new member gets.
    pub(crate) fresh_id: StrBytes,
    /// New members must come again with the id that they were given (from version 4 on).
    pub(crate) id_required: bool,
    /// The client understands that a static leader need not assign again (from version 9 on).
    pub(crate) can_skip_assignment: bool,
    pub(crate) client_id: StrBytes,
    pub(crate) client_host: StrBytes,
    pub(crate) session_timeout_ms: i64,
    pub(crate) rebalance_timeout_ms: i64,
    pub(crate) protocol_type: StrBytes,
    pub(crate) protocols: Vec<(StrBytes, Bytes)>,
}

/// What a sync brings.
#[derive(Debug)]
pub(crate) struct Sync {
    pub(crate) to: RequestId,
    pub(crate) member_id: StrBytes,
    pub(crate) instance_id: Option<StrBytes>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol_name: Option<StrBytes>,
    pub(crate) assignments: Vec<(StrBytes, Bytes)>,
}

/// One group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) phase: Phase,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    pub(crate) leader: Option<StrBytes>,
    pub(crate) members: BTreeMap<StrBytes, Member>,
    /// In the order of their joining: the first is the leader.
    pub(super) order: Vec<StrBytes>,
    pub(super) instances: BTreeMap<StrBytes, StrBytes>,
    /// Ids that were handed out and have not come back, with their deadline.
    pending: BTreeMap<StrBytes, i64>,
    /// When the rebalance goes on without those who have not joined (or, `CompletingRebalance`, not synced).
    rebalance_deadline_ms: Option<i64>,
    /// The first rebalance of an empty group waits for this, even when all have joined.
    delayed_until_ms: Option<i64>,
    unsynced: BTreeSet<StrBytes>,
    pub(crate) empty_since_ms: i64,
    initial_delay_ms: i64,
    members_max: usize,
    /// Something changed that a restart must not undo: see `stored`.
    pub(super) unsaved: bool,
}

impl Group {
    pub(crate) fn new(now_ms: i64, initial_delay_ms: i64, members_max: usize) -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            order: Vec::new(),
            instances: BTreeMap::new(),
            pending: BTreeMap::new(),
            rebalance_deadline_ms: None,
            delayed_until_ms: None,
            unsynced: BTreeSet::new(),
            empty_since_ms: now_ms,
            initial_delay_ms,
            members_max,
            unsaved: false,
        }
    }

    /// True if nothing but offsets is left of it.
    pub(crate) fn is_vacant(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty()
    }

    /// A member asks to be in.
    pub(crate) fn join(&mut self, now_ms: i64, join: Join, out: &mut Replies) {
        if !self.protocols_agree(&join) {
            return refuse(&join, ErrorCode::InconsistentGroupProtocol, out);
        }
        if join.member_id.is_empty() {
            return self.join_unknown(now_ms, join, out);
        }
        if self.pending.contains_key(&join.member_id) {
            if self.members.len() >= self.members_max {
                return refuse(&join, ErrorCode::GroupMaxSizeReached, out);
            }
            self.pending.remove(&join.member_id);
            let id = join.member_id.clone();
            return self.add(now_ms, id, join, out);
        }
        match self.check_identity(&join.member_id, join.instance_id.as_ref()) {
            Ok(()) => self.rejoin(now_ms, join, out),
            Err(code) => refuse(&join, code, out),
        }
    }

    fn protocols_agree(&self, join: &Join) -> bool {
        if join.protocol_type.is_empty() || join.protocols.is_empty() {
            return false;
        }
        if self.members.is_empty() {
            return true;
        }
        self.protocol_type.as_ref() == Some(&join.protocol_type)
            && join.protocols.iter().any(|(name, _)| {
                self.members.values().all(|m| m.id == join.member_id || m.supports(name))
            })
    }

    fn join_unknown(&mut self, now_ms: i64, join: Join, out: &mut Replies) {
        if let Some(instance) = &join.instance_id
            && let Some(old) = self.instances.get(instance).cloned()
        {
            return self.replace_static(now_ms, &old, join, out);
        }
        if self.members.len() + self.pending.len() >= self.members_max {
            return refuse(&join, ErrorCode::GroupMaxSizeReached, out);
        }
        let id = join.fresh_id.clone();
        if join.instance_id.is_none() && join.id_required {
            self.pending.insert(id.clone(), now_ms + join.session_timeout_ms);
            let response = make(|response: &mut JoinGroupResponse| {
                response.error_code = ErrorCode::MemberIdRequired.code();
                response.generation_id = -1;
                response.protocol_name = Some(StrBytes::default());
                response.member_id = id;
            });
            out.push((join.to, response.into()));
            return;
        }
        self.add(now_ms, id, join, out);
    }

    fn add(&mut self, now_ms: i64, id: StrBytes, join: Join, out: &mut Replies) {
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        if let Some(instance) = &join.instance_id {
            self.instances.insert(instance.clone(), id.clone());
        }
        let member = Member {
            id: id.clone(),
            instance_id: join.instance_id,
            client_id: join.client_id,
            client_host: join.client_host,
            session_timeout_ms: join.session_timeout_ms,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            protocols: join.protocols,
            assignment: Bytes::new(),
            deadline_ms: now_ms + join.session_timeout_ms,
            join: Some(join.to),
            sync: None,
        };
        self.order.push(id.clone());
        self.members.insert(id, member);
        self.rebalance(now_ms, out);
    }

    /// A member of the group joins again.
    fn rejoin(&mut self, now_ms: i64, join: Join, out: &mut Replies) {
        let is_leader = self.leader.as_ref() == Some(&join.member_id);
        let Some(member) = self.members.get_mut(&join.member_id) else { return };
        let unchanged = member.protocols == join.protocols;
        let current = match self.phase {
            Phase::CompletingRebalance => unchanged,
            Phase::Stable => unchanged && !is_leader,
            Phase::PreparingRebalance | Phase::Empty => false,
        };
        member.alive(now_ms);
        if current {
            let id = join.member_id;
            out.push((join.to, self.joined(&id).into()));
            return;
        }
        member.protocols = join.protocols;
        member.session_timeout_ms = join.session_timeout_ms;
        member.rebalance_timeout_ms = join.rebalance_timeout_ms;
        member.client_id = join.client_id;
        member.client_host = join.client_host;
        member.deadline_ms = now_ms + join.session_timeout_ms;
        let id = member.id.clone();
        if let Some(older) = member.join.replace(join.to) {
            out.push((older, failed_join(&id, ErrorCode::UnknownMemberId).into()));
        }
        self.rebalance(now_ms, out);
    }

    /// A static member comes back: it gets a new id and keeps its place, without a rebalance if nothing changed.
    fn replace_static(&mut self, now_ms: i64, old: &StrBytes, join: Join, out: &mut Replies) {
        let Some(mut member) = self.members.remove(old) else { return };
        let id = join.fresh_id.clone();
        for (parked, response) in [
            member.join.take().map(|to| (to, failed_join(old, ErrorCode::FencedInstanceId).into())),
            member.sync.take().map(|to| (to, failed_sync(ErrorCode::FencedInstanceId).into())),
        ]
        .into_iter()
        .flatten()
        {
            out.push((parked, response));
        }
        let unchanged = member.metadata(self.protocol.as_ref())
            == join
                .protocols
                .iter()
                .find(|(name, _)| Some(name) == self.protocol.as_ref())
                .map(|(_, metadata)| metadata.clone())
                .unwrap_or_default();
        member.id = id.clone();
        member.client_id = join.client_id;
        member.client_host = join.client_host;
        member.session_timeout_ms = join.session_timeout_ms;
        member.rebalance_timeout_ms = join.rebalance_timeout_ms;
        member.protocols = join.protocols;
        member.alive(now_ms);
        for place in self.order.iter_mut().filter(|place| *place == old) {
            *place = id.clone();
        }
        if let Some(instance) = join.instance_id {
            self.instances.insert(instance, id.clone());
        }
        let was_leader = self.leader.as_ref() == Some(old);
        if was_leader {
            self.leader = Some(id.clone());
        }
        if self.unsynced.remove(old) {
            self.unsynced.insert(id.clone());
        }
        if self.phase == Phase::Stable && unchanged {
            self.unsaved = true;
            self.members.insert(id.clone(), member);
            let mut response = self.joined(&id);
            if was_leader && join.can_skip_assignment {
                response.skip_assignment = true;
            } else if was_leader {
                // An older client that is told it leads would assign, and nobody would sync: it is told of its former self.
                response.leader = old.clone();
                response.members = Vec::new();
            }
            out.push((join.to, response.into()));
            return;
        }
        member.join = Some(join.to);
        self.members.insert(id, member);
        self.rebalance(now_ms, out);
    }

    /// Starts a rebalance, or joins the one that is on; completes it if nobody is missing.
    fn rebalance(&mut self, now_ms: i64, out: &mut Replies) {
        if self.phase != Phase::PreparingRebalance {
            if self.phase == Phase::CompletingRebalance {
                self.answer_syncs(ErrorCode::RebalanceInProgress, out);
            }
            self.unsynced.clear();
            self.delayed_until_ms = (self.phase == Phase::Empty && self.initial_delay_ms > 0)
                .then_some(now_ms + self.initial_delay_ms);
            self.phase = Phase::PreparingRebalance;
            self.rebalance_deadline_ms = Some(now_ms + self.rebalance_timeout_ms());
        }
        self.try_complete(now_ms, out);
    }

    fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0)
    }

    fn try_complete(&mut self, now_ms: i64, out: &mut Replies) {
        if self.phase != Phase::PreparingRebalance {
            return;
        }
        let delayed = self.delayed_until_ms.is_some_and(|until| until > now_ms);
        let all = self.pending.is_empty() && self.members.values().all(|m| m.join.is_some());
        if all && !delayed {
            self.complete(now_ms, out);
        }
    }

    /// Ends the joining: whoever joined is in the new generation.
    fn complete(&mut self, now_ms: i64, out: &mut Replies) {
        let gone: Vec<StrBytes> = self
            .members
            .values()
            .filter(|member| member.join.is_none() && !member.is_static())
            .map(|member| member.id.clone())
            .collect();
        for id in &gone {
            self.take_out(id);
        }
        self.delayed_until_ms = None;
        if !self.members.is_empty() && self.members.values().all(|member| member.join.is_none()) {
            // Only static members, none of them back: wait on, until their sessions end.
            self.rebalance_deadline_ms = Some(now_ms + self.rebalance_timeout_ms());
            return;
        }
        self.generation += 1;
        if self.members.is_empty() {
            self.become_empty(now_ms);
            return;
        }
        let joined = |id: &StrBytes| self.members.get(id).is_some_and(|m| m.join.is_some());
        if !self.leader.as_ref().is_some_and(joined) {
            self.leader = self.order.iter().find(|id| joined(id)).cloned();
        }
        self.protocol = self.elect_protocol();
        self.phase = Phase::CompletingRebalance;
        self.unsynced = self.members.keys().cloned().collect();
        self.rebalance_deadline_ms = Some(now_ms + self.rebalance_timeout_ms());
        for id in self.order.clone() {
            let response = self.joined(&id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            if let Some(to) = member.join.take() {
                member.alive(now_ms);
                out.push((to, response.into()));
            }
        }
    }

    fn become_empty(&mut self, now_ms: i64) {
        self.phase = Phase::Empty;
        self.unsaved = true;
        self.empty_since_ms = now_ms;
        self.protocol = None;
        self.leader = None;
        self.rebalance_deadline_ms = None;
        self.unsynced.clear();
    }

    /// Each member votes for its favourite of the protocols that all support; most votes win.
    fn elect_protocol(&self) -> Option<StrBytes> {
        let first = self.members.values().next()?;
        let supported = first.protocols.iter().map(|(name, _)| name.clone());
        let candidates: Vec<StrBytes> =
            supported.filter(|name| self.members.values().all(|m| m.supports(name))).collect();
        let mut votes: BTreeMap<&StrBytes, usize> = BTreeMap::new();
        for vote in self.members.values().filter_map(|member| member.vote(&candidates)) {
            *votes.entry(vote).or_default() += 1;
        }
        votes.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name.clone())
    }

    /// What a member is told of the present generation.
    fn joined(&self, id: &StrBytes) -> JoinGroupResponse {
        let leads = self.leader.as_ref() == Some(id);
        make(|response: &mut JoinGroupResponse| {
            response.generation_id = self.generation;
            response.protocol_type = self.protocol_type.clone();
            response.protocol_name = self.protocol.clone();
            response.leader = self.leader.clone().unwrap_or_default();
            response.member_id = id.clone();
            if leads {
                let members = self.order.iter().filter_map(|id| self.members.get(id));
                response.members = members.map(|m| listed(m, self.protocol.as_ref())).collect();
            }
        })
    }

    /// A member asks for what it was assigned; the leader brings what all are assigned.
    pub(crate) fn sync(&mut self, now_ms: i64, sync: Sync, out: &mut Replies) {
        if let Err(code) = self.check_sync(&sync) {
            out.push((sync.to, failed_sync(code).into()));
            return;
        }
        let Some(member) = self.members.get_mut(&sync.member_id) else { return };
        member.alive(now_ms);
        match self.phase {
            Phase::Empty => out.push((sync.to, failed_sync(ErrorCode::UnknownMemberId).into())),
            Phase::PreparingRebalance => {
                out.push((sync.to, failed_sync(ErrorCode::RebalanceInProgress).into()));
            }
            Phase::CompletingRebalance => {
                if let Some(older) = member.sync.replace(sync.to) {
                    out.push((older, failed_sync(ErrorCode::RebalanceInProgress).into()));
                }
                self.unsynced.remove(&sync.member_id);
                if self.leader.as_ref() == Some(&sync.member_id) {
                    self.assign(now_ms, sync.assignments, out);
                }
            }
            Phase::Stable => {
                self.unsynced.remove(&sync.member_id);
                let assignment = member.assignment.clone();
                out.push((sync.to, self.synced(assignment).into()));
            }
        }
        if self.unsynced.is_empty() && self.phase == Phase::Stable {
            self.rebalance_deadline_ms = None;
        }
    }

    fn check_sync(&self, sync: &Sync) -> Result<(), ErrorCode> {
        self.check_identity(&sync.member_id, sync.instance_id.as_ref())?;
        if sync.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |said: &Option<StrBytes>, is: &Option<StrBytes>| {
            said.as_ref().is_some_and(|said| Some(said) != is.as_ref())
        };
        if differs(&sync.protocol_type, &self.protocol_type)
            || differs(&sync.protocol_name, &self.protocol)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn assign(&mut self, now_ms: i64, assignments: Vec<(StrBytes, Bytes)>, out: &mut Replies) {
        let mut assignments: BTreeMap<StrBytes, Bytes> = assignments.into_iter().collect();
        for member in self.members.values_mut() {
            member.assignment = assignments.remove(&member.id).unwrap_or_default();
        }
        self.phase = Phase::Stable;
        self.unsaved = true;
        for id in self.order.clone() {
            let Some(member) = self.members.get_mut(&id) else { continue };
            let Some(to) = member.sync.take() else { continue };
            member.alive(now_ms);
            let assignment = member.assignment.clone();
            out.push((to, self.synced(assignment).into()));
        }
    }

    fn synced(&self, assignment: Bytes) -> SyncGroupResponse {
        make(|response: &mut SyncGroupResponse| {
            response.protocol_type = self.protocol_type.clone();
            response.protocol_name = self.protocol.clone();
            response.assignment = assignment;
        })
    }

    fn answer_syncs(&mut self, code: ErrorCode, out: &mut Replies) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            out.extend(member.sync.take().map(|to| (to, failed_sync(code).into())));
        }
    }

    /// A sign of life.
    pub(crate) fn heartbeat(
        &mut self,
        now_ms: i64,
        member_id: &StrBytes,
        instance_id: Option<&StrBytes>,
        generation: i32,
    ) -> ErrorCode {
        if let Err(code) = self.check_member(member_id, instance_id, generation) {
            return code;
        }
        if let Some(member) = self.members.get_mut(member_id) {
            member.alive(now_ms);
        }
        match self.phase {
            Phase::PreparingRebalance => ErrorCode::RebalanceInProgress,
            Phase::Empty => ErrorCode::UnknownMemberId,
            Phase::CompletingRebalance | Phase::Stable => ErrorCode::None,
        }
    }

    /// Whether offsets may be committed; generation -1 stands for a client that is no member.
    pub(crate) fn check_commit(
        &mut self,
        now_ms: i64,
        member_id: &StrBytes,
        instance_id: Option<&StrBytes>,
        generation: i32,
        in_transaction: bool,
    ) -> Result<(), ErrorCode> {
        let anonymous = member_id.is_empty() && instance_id.is_none() && generation < 0;
        if anonymous && (in_transaction || self.phase == Phase::Empty) {
            return Ok(());
        }
        if generation >= 0 || !member_id.is_empty() || instance_id.is_some() {
            self.check_member(member_id, instance_id, generation)?;
        } else {
            return Err(ErrorCode::UnknownMemberId);
        }
        if let Some(member) = self.members.get_mut(member_id)
            && !in_transaction
        {
            member.alive(now_ms);
        }
        match self.phase {
            Phase::Empty | Phase::CompletingRebalance if in_transaction => Ok(()),
            Phase::CompletingRebalance => Err(ErrorCode::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    fn check_member(
        &self,
        member_id: &StrBytes,
        instance_id: Option<&StrBytes>,
        generation: i32,
    ) -> Result<(), ErrorCode> {
        self.check_identity(member_id, instance_id)?;
        match generation == self.generation {
            true => Ok(()),
            false => Err(ErrorCode::IllegalGeneration),
        }
    }

    fn check_identity(&self, id: &StrBytes, instance: Option<&StrBytes>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            return match self.instances.get(instance) {
                Some(owner) if owner == id => Ok(()),
                Some(_) => Err(ErrorCode::FencedInstanceId),
                None => Err(ErrorCode::UnknownMemberId),
            };
        }
        match self.members.contains_key(id) {
            true => Ok(()),
            false => Err(ErrorCode::UnknownMemberId),
        }
    }

    /// A member goes of its own will.
    pub(crate) fn leave(
        &mut self,
        now_ms: i64,
        member_id: &StrBytes,
        instance_id: Option<&StrBytes>,
        out: &mut Replies,
    ) -> ErrorCode {
        let id = match instance_id.and_then(|instance| self.instances.get(instance)) {
            Some(owner) if member_id.is_empty() || owner == member_id => owner.clone(),
            Some(_) => return ErrorCode::FencedInstanceId,
            None if instance_id.is_some() => return ErrorCode::UnknownMemberId,
            None => member_id.clone(),
        };
        if self.pending.remove(&id).is_some() {
            self.try_complete(now_ms, out);
            return ErrorCode::None;
        }
        match self.members.contains_key(&id) {
            true => {
                self.remove(now_ms, &id, out);
                ErrorCode::None
            }
            false => ErrorCode::UnknownMemberId,
        }
    }

    fn remove(&mut self, now_ms: i64, id: &StrBytes, out: &mut Replies) {
        let Some(member) = self.take_out(id) else { return };
        out.extend(member.join.map(|to| (to, failed_join(id, ErrorCode::UnknownMemberId).into())));
        out.extend(member.sync.map(|to| (to, failed_sync(ErrorCode::UnknownMemberId).into())));
        match self.phase {
            Phase::Empty => {}
            Phase::PreparingRebalance => self.try_complete(now_ms, out),
            Phase::CompletingRebalance | Phase::Stable => self.rebalance(now_ms, out),
        }
    }

    fn take_out(&mut self, id: &StrBytes) -> Option<Member> {
        let member = self.members.remove(id)?;
        self.order.retain(|other| other != id);
        self.unsynced.remove(id);
        if let Some(instance) = &member.instance_id {
            self.instances.remove(instance);
        }
        if self.leader.as_ref() == Some(id) {
            self.leader = None;
        }
        Some(member)
    }

    /// When something ends by itself: a session, a rebalance, an id that did not come back.
    pub(crate) fn deadline_ms(&self) -> Option<i64> {
        let parked = |member: &&Member| member.join.is_none() && member.sync.is_none();
        let sessions = self.members.values().filter(parked).map(|member| member.deadline_ms);
        let parked = self.members.values().filter(|m| m.join.is_some());
        // A parked join ends with the rebalance; this is for the one whose client has gone.
        let patience = parked.map(|member| member.deadline_ms + NEW_MEMBER_PATIENCE_MS);
        sessions
            .chain(patience)
            .chain(self.pending.values().copied())
            .chain(self.rebalance_deadline_ms)
            .chain(self.delayed_until_ms)
            .min()
    }

    /// Does what time has come for.
    pub(crate) fn tick(&mut self, now_ms: i64, out: &mut Replies) {
        if self.delayed_until_ms.is_some_and(|until| until <= now_ms) {
            self.delayed_until_ms = None;
            self.try_complete(now_ms, out);
        }
        let overdue: Vec<StrBytes> = self
            .pending
            .iter()
            .filter(|(_, deadline)| **deadline <= now_ms)
            .map(|(id, _)| id.clone())
            .collect();
        for id in overdue {
            self.pending.remove(&id);
            self.try_complete(now_ms, out);
        }
        let silent: Vec<StrBytes> = self
            .members
            .values()
            .filter(|m| m.sync.is_none() && m.deadline_ms + patience(m) <= now_ms)
            .map(|member| member.id.clone())
            .collect();
        for id in silent {
            self.remove(now_ms, &id, out);
        }
        if self.rebalance_deadline_ms.is_some_and(|deadline| deadline <= now_ms) {
            self.rebalance_deadline_ms = None;
            self.overdue(now_ms, out);
        }
    }

    /// A rebalance took too long: it goes on without those who are missing.
    fn overdue(&mut self, now_ms: i64, out: &mut Replies) {
        match self.phase {
            Phase::PreparingRebalance => {
                self.pending.clear();
                self.complete(now_ms, out);
            }
            Phase::CompletingRebalance | Phase::Stable => {
                let missing = std::mem::take(&mut self.unsynced);
                for id in missing {
                    self.remove(now_ms, &id, out);
                }
            }
            Phase::Empty => {}
        }
    }
}

/// Whose join is parked is not silent: its client waits for us.
fn patience(member: &Member) -> i64 {
    if member.join.is_some() { NEW_MEMBER_PATIENCE_MS } else { 0 }
}

fn listed(member: &Member, protocol: Option<&StrBytes>) -> JoinGroupResponseMember {
    make(|listed: &mut JoinGroupResponseMember| {
        listed.member_id = member.id.clone();
        listed.group_instance_id = member.instance_id.clone();
        listed.metadata = member.metadata(protocol);
    })
}

fn refuse(join: &Join, code: ErrorCode, out: &mut Replies) {
    out.push((join.to, failed_join(&join.member_id, code).into()));
}

pub(crate) fn failed_join(member_id: &StrBytes, code: ErrorCode) -> JoinGroupResponse {
    make(|response: &mut JoinGroupResponse| {
        response.error_code = code.code();
        response.generation_id = -1;
        response.protocol_name = Some(StrBytes::default());
        response.member_id = member_id.clone();
    })
}

pub(crate) fn failed_sync(code: ErrorCode) -> SyncGroupResponse {
    make(|response: &mut SyncGroupResponse| response.error_code = code.code())
}
