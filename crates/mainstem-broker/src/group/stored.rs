//! How a group comes back after a restart: its generation, its members and what each was assigned.
//! Invariant: a generation is recorded before its assignment is handed out, so that whoever owns a partition stays its owner
//! over a restart, and a member of an older generation stays fenced. A rebalance that was on is forgotten: its members are
//! taken back as they were in the generation before, find that they are not stable, and join again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::classic::{Group, Phase};
use super::member::Member;
use crate::journal::Entry;
use crate::wire::StrBytes;

/// The journal's key of a group.
pub(crate) fn key(id: &StrBytes) -> Value {
    json!(["group", id.as_str()])
}

/// The entry that brings the group back.
pub(super) fn entry(id: &StrBytes, group: &Group) -> Entry {
    let members = group.order.iter().filter_map(|id| group.members.get(id));
    let members: Vec<Value> = members.map(member_value).collect();
    let value = json!({
        "v": 1,
        "generation": group.generation,
        "protocol_type": group.protocol_type.as_deref(),
        "protocol": group.protocol.as_deref(),
        "leader": group.leader.as_deref(),
        "members": members,
    });
    (key(id), Some(value))
}

fn member_value(member: &Member) -> Value {
    let protocols = member.protocols.iter();
    let protocols: Vec<Value> = protocols
        .map(|(name, metadata)| json!([name.as_str(), STANDARD.encode(metadata)]))
        .collect();
    json!({
        "id": member.id.as_str(),
        "instance": member.instance_id.as_deref(),
        "client": member.client_id.as_str(),
        "host": member.client_host.as_str(),
        "session_ms": member.session_timeout_ms,
        "rebalance_ms": member.rebalance_timeout_ms,
        "protocols": protocols,
        "assignment": STANDARD.encode(&member.assignment),
    })
}

/// What [`entry`] wrote, into a new group. The sessions of its members begin anew.
pub(super) fn restore(group: &mut Group, value: &Value, now_ms: i64) -> Option<()> {
    let optional = |name: &str| value[name].as_str().map(StrBytes::from);
    group.generation = i32::try_from(value["generation"].as_i64()?).ok()?;
    group.protocol_type = optional("protocol_type");
    group.protocol = optional("protocol");
    group.leader = optional("leader");
    for value in value["members"].as_array()? {
        let mut member = restore_member(value)?;
        member.alive(now_ms);
        if let Some(instance) = &member.instance_id {
            group.instances.insert(instance.clone(), member.id.clone());
        }
        group.order.push(member.id.clone());
        group.members.insert(member.id.clone(), member);
    }
    if !group.members.is_empty() {
        group.phase = Phase::Stable;
    }
    Some(())
}

fn restore_member(value: &Value) -> Option<Member> {
    let text = |name: &str| Some(StrBytes::from(value[name].as_str()?));
    let bytes = |value: &Value| Some(Bytes::from(STANDARD.decode(value.as_str()?).ok()?));
    let mut protocols = Vec::new();
    for protocol in value["protocols"].as_array()? {
        protocols.push((StrBytes::from(protocol.get(0)?.as_str()?), bytes(protocol.get(1)?)?));
    }
    Some(Member {
        id: text("id")?,
        instance_id: text("instance"),
        client_id: text("client")?,
        client_host: text("host")?,
        session_timeout_ms: value["session_ms"].as_i64()?,
        rebalance_timeout_ms: value["rebalance_ms"].as_i64()?,
        protocols,
        assignment: bytes(&value["assignment"])?,
        deadline_ms: 0,
        join: None,
        sync: None,
    })
}
