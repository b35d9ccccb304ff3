//! DescribeGroups (15): state, members and their assignments.

use crate::group::classic::{Group, Phase};
use crate::wire::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use crate::wire::{DescribeGroupsRequest, DescribeGroupsResponse, StrBytes, make};
use crate::{Broker, Call, ErrorCode};

/// Read, delete, describe: what may be done to a group, as Kafka counts the bits.
const ALLOWED: i32 = 1 << 3 | 1 << 6 | 1 << 8;

pub(super) fn handle(
    broker: &Broker,
    call: &Call,
    request: &DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let groups = request.groups.iter().map(|id| {
        let mut described = match broker.groups.get(id) {
            Some(state) => describe(id, &state.group),
            None => unknown(id, call.version),
        };
        if request.include_authorized_operations {
            described.authorized_operations = ALLOWED;
        }
        described
    });
    let groups = groups.collect();
    make(|response: &mut DescribeGroupsResponse| response.groups = groups)
}

fn describe(id: &StrBytes, group: &Group) -> DescribedGroup {
    let members = group.members.values().map(|member| {
        make(|described: &mut DescribedGroupMember| {
            described.member_id = member.id.clone();
            described.group_instance_id = member.instance_id.clone();
            described.client_id = member.client_id.clone();
            described.client_host = member.client_host.clone();
            if group.phase == Phase::Stable {
                described.member_metadata = member.metadata(group.protocol.as_ref());
                described.member_assignment = member.assignment.clone();
            }
        })
    });
    let members = members.collect();
    make(|described: &mut DescribedGroup| {
        described.group_id = id.clone();
        described.group_state = group.phase.name().into();
        described.protocol_type = group.protocol_type.clone().unwrap_or_default();
        if group.phase == Phase::Stable {
            described.protocol_data = group.protocol.clone().unwrap_or_default();
        }
        described.members = members;
    })
}

/// Older clients know a group that does not exist by its state; newer ones by the error.
fn unknown(id: &StrBytes, version: i16) -> DescribedGroup {
    make(|described: &mut DescribedGroup| {
        described.group_id = id.clone();
        described.group_state = "Dead".into();
        if version >= 6 {
            described.error_code = ErrorCode::GroupIdNotFound.code();
            described.error_message = Some(format!("group '{id}' does not exist").into());
        }
    })
}
