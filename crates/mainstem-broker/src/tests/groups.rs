//! Groups over a restart: who was a member stays one, and what was assigned stays assigned.

use bytes::Bytes;

use super::stand::Stand;
use crate::ErrorCode;
use crate::wire::*;

const CONSUMER: &str = "consumer";

fn join(member: &StrBytes) -> JoinGroupRequest {
    make(|request: &mut JoinGroupRequest| {
        request.group_id = "g".into();
        request.session_timeout_ms = 10_000;
        request.rebalance_timeout_ms = 60_000;
        request.member_id = member.clone();
        request.protocol_type = CONSUMER.into();
        request.protocols =
            vec![make(|protocol: &mut join_group_request::JoinGroupRequestProtocol| {
                protocol.name = "range".into();
                protocol.metadata = Bytes::from_static(b"\0\x01 any bytes");
            })];
    })
}

fn sync(member: &StrBytes, generation: i32, assigned: &'static [u8]) -> SyncGroupRequest {
    make(|request: &mut SyncGroupRequest| {
        request.group_id = "g".into();
        request.generation_id = generation;
        request.member_id = member.clone();
        request.assignments =
            vec![make(|given: &mut sync_group_request::SyncGroupRequestAssignment| {
                given.member_id = member.clone();
                given.assignment = Bytes::from_static(assigned);
            })];
    })
}

fn beat(stand: &mut Stand, member: &StrBytes, generation: i32) -> i16 {
    let request = make(|request: &mut HeartbeatRequest| {
        request.group_id = "g".into();
        request.generation_id = generation;
        request.member_id = member.clone();
    });
    stand.ask(4, &request).error_code
}

/// A stable group of one member.
fn settled() -> (Stand, StrBytes) {
    let mut stand = Stand::new();
    let member = stand.ask(5, &join(&StrBytes::default())).member_id;
    assert_eq!(stand.ask(5, &join(&member)).generation_id, 1);
    assert_eq!(stand.ask(3, &sync(&member, 1, b"\xffp0")).assignment, &b"\xffp0"[..]);
    (stand, member)
}

#[test]
fn members_and_assignments_outlive_a_restart() {
    for clean in [false, true] {
        let (mut stand, member) = settled();
        stand.restart(clean);
        assert_eq!(beat(&mut stand, &member, 1), 0);
        assert_eq!(beat(&mut stand, &member, 0), ErrorCode::IllegalGeneration.code());
        assert_eq!(stand.ask(3, &sync(&member, 1, b"")).assignment, &b"\xffp0"[..]);
        stand.pass(10_001);
        assert_eq!(beat(&mut stand, &member, 1), ErrorCode::UnknownMemberId.code());
        stand.restart(clean);
        assert_eq!(beat(&mut stand, &member, 1), ErrorCode::UnknownMemberId.code());
    }
}

#[test]
fn a_rebalance_that_was_on_begins_again() {
    let (mut stand, member) = settled();
    let other = stand.ask(5, &join(&StrBytes::default())).member_id;
    let parked = stand.send(5, &join(&other));
    assert!(stand.answer::<JoinGroupRequest>(parked).is_none());
    assert_eq!(beat(&mut stand, &member, 1), ErrorCode::RebalanceInProgress.code());
    stand.restart(false);
    assert_eq!(beat(&mut stand, &member, 1), 0, "as it was in its generation");
    assert_eq!(beat(&mut stand, &other, 1), ErrorCode::UnknownMemberId.code());
    let again = stand.ask(5, &join(&member));
    assert_eq!((again.error_code, again.generation_id), (0, 2), "never the same generation twice");
}

#[test]
fn an_assignment_is_durable_before_it_is_handed_out() {
    let mut stand = Stand::new();
    let member = stand.ask(5, &join(&StrBytes::default())).member_id;
    stand.ask(5, &join(&member));
    stand.hold = true;
    let asked = stand.send(3, &sync(&member, 1, b"p0"));
    assert!(stand.answer::<SyncGroupRequest>(asked).is_none());
    stand.hold = false;
    stand.sync();
    assert_eq!(stand.answer::<SyncGroupRequest>(asked).unwrap().assignment, "p0");
}

#[test]
fn a_group_that_was_left_or_deleted_stays_so() {
    let (mut stand, member) = settled();
    let leave = make(|request: &mut LeaveGroupRequest| {
        request.group_id = "g".into();
        request.member_id = member.clone();
    });
    assert_eq!(stand.ask(2, &leave).error_code, 0);
    stand.sync();
    stand.restart(false);
    let groups = stand.ask(4, &ListGroupsRequest::default()).groups;
    assert!(groups.is_empty(), "{groups:?}");
}
