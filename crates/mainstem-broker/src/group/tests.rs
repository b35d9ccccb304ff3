//! The classic protocol by rows: what a member does, and what everybody hears.

use std::collections::BTreeMap;

use bytes::Bytes;
use mainstem_core::clock::Rng;
use proptest::prelude::*;

use super::classic::{Group, Join, Phase, Replies, Sync};
use crate::call::RequestId;
use crate::wire::{JoinGroupResponse, StrBytes, SyncGroupResponse};
use crate::{ErrorCode, Response};

const SESSION_MS: i64 = 10_000;
const REBALANCE_MS: i64 = 60_000;

/// A group, a clock and the answers so far.
struct Bench {
    group: Group,
    now_ms: i64,
    next: u64,
    out: Replies,
}

impl Bench {
    fn new() -> Self {
        Self { group: Group::new(0, 0, 100), now_ms: 0, next: 0, out: Vec::new() }
    }

    fn request(&mut self) -> RequestId {
        self.next += 1;
        RequestId(self.next)
    }

    fn join_as(&mut self, member: &str, instance: Option<&str>, protocols: &[&str]) -> RequestId {
        let to = self.request();
        let join = Join {
            to,
            member_id: member.into(),
            instance_id: instance.map(StrBytes::from),
            fresh_id: StrBytes::from(format!("m{}", to.0)),
            id_required: true,
            can_skip_assignment: true,
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: REBALANCE_MS,
            protocol_type: "consumer".into(),
            protocols: protocols
                .iter()
                .map(|name| ((*name).into(), Bytes::from_static(b"meta")))
                .collect(),
        };
        self.group.join(self.now_ms, join, &mut self.out);
        to
    }

    fn join(&mut self, member: &str) -> RequestId {
        self.join_as(member, None, &["range"])
    }

    /// Joins a new member in the two steps that clients need, and returns its id.
    fn enter(&mut self) -> String {
        let first = self.join("");
        let id = self.joined(first).member_id.to_string();
        self.join(&id);
        id
    }

    fn sync(&mut self, member: &str, assignments: &[(&str, &str)]) -> RequestId {
        let to = self.request();
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let sync = Sync {
            to,
            member_id: member.into(),
            instance_id: None,
            generation: self.group.generation,
            protocol_type: Some("consumer".into()),
            protocol_name: self.group.protocol.clone(),
            assignments: assignments
                .iter()
                .map(|(id, given)| ((*id).into(), bytes(given)))
                .collect(),
        };
        self.group.sync(self.now_ms, sync, &mut self.out);
        to
    }

    fn beat(&mut self, member: &str) -> ErrorCode {
        let generation = self.group.generation;
        self.group.heartbeat(self.now_ms, &member.into(), None, generation)
    }

    fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
        self.group.tick(self.now_ms, &mut self.out);
    }

    fn take(&mut self, to: RequestId) -> Option<Response> {
        let at = self.out.iter().position(|(id, _)| *id == to)?;
        Some(self.out.remove(at).1)
    }

    fn joined(&mut self, to: RequestId) -> JoinGroupResponse {
        match self.take(to) {
            Some(Response::JoinGroup(response)) => response,
            other => panic!("no join was answered: {other:?}"),
        }
    }

    fn synced(&mut self, to: RequestId) -> SyncGroupResponse {
        match self.take(to) {
            Some(Response::SyncGroup(response)) => response,
            other => panic!("no sync was answered: {other:?}"),
        }
    }

    /// A stable group of one.
    fn settled() -> (Self, String) {
        let mut bench = Self::new();
        let id = bench.enter();
        bench.sync(&id, &[(&id, "p0,p1")]);
        assert_eq!(bench.group.phase, Phase::Stable);
        bench.out.clear();
        (bench, id)
    }
}

#[test]
fn a_new_member_gets_an_id_first() {
    let mut bench = Bench::new();
    let first = bench.join("");
    let answer = bench.joined(first);
    assert_eq!(answer.error_code, ErrorCode::MemberIdRequired.code());
    let second = bench.join(&answer.member_id);
    let answer = bench.joined(second);
    assert_eq!((answer.error_code, answer.generation_id, answer.members.len()), (0, 1, 1));
    assert_eq!(answer.leader, answer.member_id);
}

#[test]
fn members_wait_for_each_other_and_for_the_leader() {
    let (mut bench, leader) = Bench::settled();
    let first = bench.join("");
    let other = bench.joined(first).member_id.to_string();
    let parked = bench.join(&other);
    assert!(bench.take(parked).is_none(), "the leader has not joined again");
    assert_eq!(bench.beat(&leader), ErrorCode::RebalanceInProgress);
    let lead = bench.join(&leader);
    let answer = bench.joined(lead);
    assert_eq!((answer.generation_id, answer.members.len()), (2, 2));
    assert!(bench.joined(parked).members.is_empty(), "only the leader sees all");
    let waits = bench.sync(&other, &[]);
    assert!(bench.take(waits).is_none());
    let leads = bench.sync(&leader, &[(&leader, "p0"), (&other, "p1")]);
    assert_eq!(bench.synced(waits).assignment, "p1");
    assert_eq!(bench.synced(leads).assignment, "p0");
    assert_eq!((bench.beat(&leader), bench.beat(&other)), (ErrorCode::None, ErrorCode::None));
}

#[test]
fn who_is_silent_is_removed_and_the_rest_goes_on() {
    let (mut bench, leader) = Bench::settled();
    bench.pass(SESSION_MS - 1);
    assert_eq!(bench.beat(&leader), ErrorCode::None);
    bench.pass(SESSION_MS - 1);
    assert_eq!(bench.group.members.len(), 1);
    bench.pass(1);
    assert_eq!((bench.group.members.len(), bench.group.phase), (0, Phase::Empty));
    assert_eq!(bench.beat(&leader), ErrorCode::UnknownMemberId);
}

#[test]
fn a_rebalance_does_not_wait_for_ever() {
    let (mut bench, leader) = Bench::settled();
    let parked = {
        let first = bench.join("");
        let id = bench.joined(first).member_id.to_string();
        bench.join(&id)
    };
    for _ in 0..REBALANCE_MS / 5_000 {
        assert_eq!(bench.beat(&leader), ErrorCode::RebalanceInProgress);
        bench.pass(5_000);
    }
    let answer = bench.joined(parked);
    assert_eq!((answer.generation_id, answer.members.len()), (2, 1));
    assert_eq!(bench.beat(&leader), ErrorCode::UnknownMemberId);
}

#[test]
fn a_member_that_leaves_starts_a_rebalance() {
    let (mut bench, leader) = Bench::settled();
    let first = bench.join("");
    let other = bench.joined(first).member_id.to_string();
    bench.join(&other);
    bench.join(&leader);
    bench.sync(&leader, &[]);
    bench.sync(&other, &[]);
    assert_eq!(bench.group.phase, Phase::Stable);
    let code = bench.group.leave(bench.now_ms, &other.as_str().into(), None, &mut bench.out);
    assert_eq!((code, bench.group.phase), (ErrorCode::None, Phase::PreparingRebalance));
    let again = bench.join(&leader);
    assert_eq!(bench.joined(again).members.len(), 1);
    let code = bench.group.leave(bench.now_ms, &"nobody".into(), None, &mut bench.out);
    assert_eq!(code, ErrorCode::UnknownMemberId);
}

#[test]
fn a_static_member_comes_back_without_a_rebalance() {
    let mut bench = Bench::new();
    let first = bench.join_as("", Some("i1"), &["range"]);
    let old = bench.joined(first).member_id;
    let to = bench.request();
    let sync = Sync {
        to,
        member_id: old.clone(),
        instance_id: Some("i1".into()),
        generation: 1,
        protocol_type: None,
        protocol_name: None,
        assignments: vec![(old.clone(), Bytes::from_static(b"all"))],
    };
    bench.group.sync(0, sync, &mut bench.out);
    assert_eq!(bench.synced(to).assignment, "all");
    let again = bench.join_as("", Some("i1"), &["range"]);
    let answer = bench.joined(again);
    assert_eq!((answer.generation_id, answer.skip_assignment), (1, true));
    assert_ne!(answer.member_id, old);
    assert_eq!(bench.group.phase, Phase::Stable);
    let instance = "i1".into();
    let code = bench.group.heartbeat(0, &old, Some(&instance), 1);
    assert_eq!(code, ErrorCode::FencedInstanceId);
}

#[test]
fn protocols_are_voted_for() {
    let mut bench = Bench::new();
    let mut enter = |protocols: &[&str]| {
        let first = bench.join_as("", None, protocols);
        let id = bench.joined(first).member_id.to_string();
        (bench.join_as(&id, None, protocols), id)
    };
    let (_, a) = enter(&["sticky", "range"]);
    let (_, b) = enter(&["range", "sticky"]);
    let (_, c) = enter(&["range", "other", "sticky"]);
    bench.join_as(&a, None, &["sticky", "range"]);
    bench.join_as(&b, None, &["range", "sticky"]);
    bench.join_as(&c, None, &["range", "other", "sticky"]);
    assert_eq!(bench.group.protocol, Some("range".into()));
    let stranger = bench.join_as("", None, &["other"]);
    assert_eq!(bench.joined(stranger).error_code, ErrorCode::InconsistentGroupProtocol.code());
}

#[test]
fn commits_are_checked() {
    let (mut bench, member) = Bench::settled();
    let id = StrBytes::from(&*member);
    let mut check = |member: &StrBytes, generation| {
        bench.group.check_commit(0, member, None, generation, false).err()
    };
    assert_eq!(check(&id, 1), None);
    assert_eq!(check(&id, 0), Some(ErrorCode::IllegalGeneration));
    assert_eq!(check(&"nobody".into(), 1), Some(ErrorCode::UnknownMemberId));
    assert_eq!(check(&StrBytes::default(), -1), Some(ErrorCode::UnknownMemberId));
    let mut empty = Group::new(0, 0, 1);
    assert_eq!(empty.check_commit(0, &StrBytes::default(), None, -1, false), Ok(()));
}

/// Clients that follow the protocol, in any order, with pauses and deaths.
#[derive(Debug, Clone, Default)]
struct Client {
    id: String,
    join: Option<RequestId>,
    sync: Option<RequestId>,
    generation: i32,
    leads: Vec<String>,
    /// What it believes to own, and since which generation.
    owns: Option<(i32, String)>,
    dead: bool,
}

fn play(seed: u64) {
    let mut rng = Rng::new(seed);
    let mut bench = Bench::new();
    let mut clients = vec![Client::default(); 4];
    let mut owners: BTreeMap<(i32, String), usize> = BTreeMap::new();
    for _ in 0..300 {
        let at = usize::try_from(rng.next_u64() % 4).unwrap();
        let client = &mut clients[at];
        match rng.next_u64() % 8 {
            0 => bench.pass(i64::try_from(rng.next_u64() % 9_000).unwrap()),
            1 if rng.next_u64().is_multiple_of(8) => {
                *client = Client { dead: !client.dead, ..Client::default() }
            }
            _ if client.dead => {}
            _ => act(&mut bench, client),
        }
        if let Some((generation, owned)) = &clients[at].owns {
            let first = *owners.entry((*generation, owned.clone())).or_insert(at);
            assert_eq!(first, at, "seed {seed}: {owned} has two owners in generation {generation}");
        }
    }
}

fn act(bench: &mut Bench, client: &mut Client) {
    if let Some(to) = client.join {
        let Some(Response::JoinGroup(answer)) = bench.take(to) else { return };
        client.join = None;
        client.id = answer.member_id.to_string();
        if answer.error_code == ErrorCode::UnknownMemberId.code() {
            client.id.clear();
        } else if answer.error_code == 0 {
            client.generation = answer.generation_id;
            client.leads = answer.members.iter().map(|m| m.member_id.to_string()).collect();
            let given: Vec<(String, String)> = client
                .leads
                .iter()
                .enumerate()
                .map(|(i, m)| (m.clone(), format!("p{i}")))
                .collect();
            let given: Vec<_> = given.iter().map(|(m, p)| (&**m, &**p)).collect();
            client.sync = Some(bench.sync(&client.id, &given));
        }
    } else if let Some(to) = client.sync {
        let Some(Response::SyncGroup(answer)) = bench.take(to) else { return };
        client.sync = None;
        match answer.error_code {
            0 if !answer.assignment.is_empty() => {
                let owned = String::from_utf8(answer.assignment.to_vec()).unwrap();
                client.owns = Some((client.generation, owned));
            }
            0 => client.owns = None,
            _ => client.join = Some(bench.join(&client.id.clone())),
        }
    } else if client.id.is_empty() {
        client.join = Some(bench.join(""));
    } else if client.owns.is_none() || bench.beat(&client.id) != ErrorCode::None {
        client.owns = None;
        client.join = Some(bench.join(&client.id.clone()));
    }
}

proptest! {
    #[test]
    fn a_partition_has_one_owner_in_a_generation(seed in any::<u64>()) {
        play(seed);
    }
}
