//! JoinGroup (11).

use super::Reply;
use crate::group::classic::{Join, failed_join};
use crate::group::with_group;
use crate::topics::hex;
use crate::wire::{JoinGroupRequest, StrBytes};
use crate::{Broker, Call, ErrorCode};

pub(super) fn handle(broker: &mut Broker, call: &Call, request: JoinGroupRequest) -> Reply {
    if let Err(code) = check(broker, &request) {
        return failed_join(&request.member_id, code).into();
    }
    let group_id = request.group_id.clone();
    let join = join(broker, call, request);
    let now_ms = broker.now_ms;
    broker.groups.get_or_create(&group_id, &broker.settings, now_ms);
    // The answer may be for this call or for others that were parked.
    let _ = with_group(broker, &group_id, |group, now_ms, out| group.join(now_ms, join, out));
    Reply::Later
}

fn check(broker: &Broker, request: &JoinGroupRequest) -> Result<(), ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let legal =
        broker.settings.group_session_timeout_ms_min..=broker.settings.group_session_timeout_ms_max;
    if !legal.contains(&request.session_timeout_ms) {
        return Err(ErrorCode::InvalidSessionTimeout);
    }
    let known = broker.groups.get(&request.group_id).is_some();
    match request.member_id.is_empty() || known {
        true => Ok(()),
        false => Err(ErrorCode::UnknownMemberId),
    }
}

fn join(broker: &mut Broker, call: &Call, request: JoinGroupRequest) -> Join {
    let prefix = request.group_instance_id.clone().or_else(|| call.client_id.clone());
    let fresh_id = format!("{}-{}", prefix.unwrap_or_default(), hex(broker.new_id()));
    let rebalance_timeout_ms = match call.version {
        0 => request.session_timeout_ms,
        _ => request.rebalance_timeout_ms,
    };
    Join {
        to: call.id,
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        fresh_id: StrBytes::from(fresh_id),
        id_required: call.version >= 4,
        can_skip_assignment: call.version >= 9,
        client_id: call.client_id.clone().unwrap_or_default(),
        client_host: call.client_host.clone(),
        session_timeout_ms: i64::from(request.session_timeout_ms),
        rebalance_timeout_ms: i64::from(rebalance_timeout_ms.max(0)),
        protocol_type: request.protocol_type,
        protocols: request.protocols.into_iter().map(|p| (p.name, p.metadata)).collect(),
    }
}
