//! FindCoordinator (10): always us, for groups (type 0) and for transactions (type 1).

use crate::wire::find_coordinator_response::Coordinator;
use crate::wire::{FindCoordinatorRequest, FindCoordinatorResponse, StrBytes, make};
use crate::{Broker, Call, ErrorCode};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub(super) fn handle(
    broker: &Broker,
    call: &Call,
    request: &FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let error = |key: &StrBytes| match request.key_type {
        GROUP if key.is_empty() => Some((ErrorCode::InvalidGroupId, "the group has no name")),
        GROUP | TRANSACTION => None,
        _ => Some((ErrorCode::InvalidRequest, "only groups and transactions have coordinators")),
    };
    let node = broker.settings.node_id;
    let port = i32::from(call.advertised.port);
    make(|response: &mut FindCoordinatorResponse| {
        if call.version >= 4 {
            let coordinators = request.coordinator_keys.iter().map(|key| {
                let error = error(key);
                make(|found: &mut Coordinator| {
                    found.key = key.clone();
                    found.node_id = if error.is_some() { -1 } else { node };
                    found.port = if error.is_some() { -1 } else { port };
                    if error.is_none() {
                        found.host = call.advertised.host.clone();
                    }
                    found.error_code = error.map_or(0, |(code, _)| code.code());
                    found.error_message = error.map(|(_, why)| why.into());
                })
            });
            response.coordinators = coordinators.collect();
            return;
        }
        let error = error(&request.key);
        response.node_id = if error.is_some() { -1 } else { node };
        response.port = if error.is_some() { -1 } else { port };
        if error.is_none() {
            response.host = call.advertised.host.clone();
        }
        response.error_code = error.map_or(0, |(code, _)| code.code());
        response.error_message = error.map(|(_, why)| why.into());
    })
}
