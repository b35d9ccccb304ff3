//! LeaveGroup (13): one member, or from version 3 on several.

use crate::group::with_group;
use crate::wire::leave_group_request::MemberIdentity;
use crate::wire::leave_group_response::MemberResponse;
use crate::wire::{LeaveGroupRequest, LeaveGroupResponse, StrBytes, make};
use crate::{Broker, Call, ErrorCode};

pub(super) fn handle(
    broker: &mut Broker,
    call: &Call,
    request: &LeaveGroupRequest,
) -> LeaveGroupResponse {
    if request.group_id.is_empty() {
        return failed(ErrorCode::InvalidGroupId);
    }
    if call.version < 3 {
        return failed(leave(broker, &request.group_id, &request.member_id, None));
    }
    let members = request.members.iter().map(|member: &MemberIdentity| {
        let instance = member.group_instance_id.as_ref();
        let code = leave(broker, &request.group_id, &member.member_id, instance);
        make(|response: &mut MemberResponse| {
            response.member_id = member.member_id.clone();
            response.group_instance_id = member.group_instance_id.clone();
            response.error_code = code.code();
        })
    });
    let members = members.collect();
    make(|response: &mut LeaveGroupResponse| response.members = members)
}

fn leave(
    broker: &mut Broker,
    group: &StrBytes,
    member: &StrBytes,
    instance: Option<&StrBytes>,
) -> ErrorCode {
    let left =
        with_group(broker, group, |group, now_ms, out| group.leave(now_ms, member, instance, out));
    left.unwrap_or_else(|code| code)
}

fn failed(code: ErrorCode) -> LeaveGroupResponse {
    make(|response: &mut LeaveGroupResponse| response.error_code = code.code())
}
