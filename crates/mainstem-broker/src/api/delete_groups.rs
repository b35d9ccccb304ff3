//! DeleteGroups (42): forgets groups without members, with their offsets.

use super::Reply;
use crate::group::stored;
use crate::journal::Entry;
use crate::wire::delete_groups_response::DeletableGroupResult;
use crate::wire::{DeleteGroupsRequest, DeleteGroupsResponse, StrBytes, make};
use crate::{Broker, Call, ErrorCode};

pub(super) fn handle(broker: &mut Broker, call: &Call, request: &DeleteGroupsRequest) -> Reply {
    let mut entries = Vec::new();
    let results = request.groups_names.iter().map(|id| {
        let code = delete(broker, id, &mut entries).err().unwrap_or(ErrorCode::None);
        make(|result: &mut DeletableGroupResult| {
            result.group_id = id.clone();
            result.error_code = code.code();
        })
    });
    let results: Vec<_> = results.collect();
    let mut response = make(|response: &mut DeleteGroupsResponse| response.results = results);
    if let Err(code) = broker.record(&entries) {
        response.results.iter_mut().for_each(|result| result.error_code = code.code());
        return response.into();
    }
    broker.respond_durably(call.id, response)
}

fn delete(broker: &mut Broker, id: &StrBytes, entries: &mut Vec<Entry>) -> Result<(), ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let state = broker.groups.get_mut(id).ok_or(ErrorCode::GroupIdNotFound)?;
    if !state.group.is_vacant() {
        return Err(ErrorCode::NonEmptyGroup);
    }
    entries.extend(state.offsets.clear(id));
    entries.push((stored::key(id), None));
    broker.groups.remove(id);
    Ok(())
}
