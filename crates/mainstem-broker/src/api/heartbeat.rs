//! Heartbeat (12).

use crate::group::with_group;
use crate::wire::{HeartbeatRequest, HeartbeatResponse, make};
use crate::{Broker, ErrorCode};

pub(super) fn handle(broker: &mut Broker, request: &HeartbeatRequest) -> HeartbeatResponse {
    let code = match request.group_id.is_empty() {
        true => ErrorCode::InvalidGroupId,
        false => with_group(broker, &request.group_id, |group, now_ms, _| {
            let instance = request.group_instance_id.as_ref();
            group.heartbeat(now_ms, &request.member_id, instance, request.generation_id)
        })
        .unwrap_or_else(|code| code),
    };
    make(|response: &mut HeartbeatResponse| response.error_code = code.code())
}
