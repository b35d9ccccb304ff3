//! SyncGroup (14).

use super::Reply;
use crate::group::classic::{Sync, failed_sync};
use crate::group::with_group;
use crate::wire::SyncGroupRequest;
use crate::{Broker, Call, ErrorCode};

pub(super) fn handle(broker: &mut Broker, call: &Call, request: SyncGroupRequest) -> Reply {
    if request.group_id.is_empty() {
        return failed_sync(ErrorCode::InvalidGroupId).into();
    }
    let sync = Sync {
        to: call.id,
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        generation: request.generation_id,
        protocol_type: request.protocol_type,
        protocol_name: request.protocol_name,
        assignments: request.assignments.into_iter().map(|a| (a.member_id, a.assignment)).collect(),
    };
    match with_group(broker, &request.group_id, |group, now_ms, out| group.sync(now_ms, sync, out))
    {
        Ok(()) => Reply::Later,
        Err(code) => failed_sync(code).into(),
    }
}
