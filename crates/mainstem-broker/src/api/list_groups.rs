//! ListGroups (16), filtered by state and type.

use crate::Broker;
use crate::wire::list_groups_response::ListedGroup;
use crate::wire::{ListGroupsRequest, ListGroupsResponse, StrBytes, make};

const CLASSIC: &str = "classic";

pub(super) fn handle(broker: &Broker, request: &ListGroupsRequest) -> ListGroupsResponse {
    let wanted = |filter: &[StrBytes], is: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(is))
    };
    let groups = broker.groups.iter().filter(|(_, state)| {
        wanted(&request.states_filter, state.group.phase.name())
            && wanted(&request.types_filter, CLASSIC)
    });
    let groups = groups.map(|(id, state)| {
        make(|listed: &mut ListedGroup| {
            listed.group_id = id.clone();
            listed.protocol_type = state.group.protocol_type.clone().unwrap_or_default();
            listed.group_state = state.group.phase.name().into();
            listed.group_type = CLASSIC.into();
        })
    });
    let groups = groups.collect();
    make(|response: &mut ListGroupsResponse| response.groups = groups)
}
